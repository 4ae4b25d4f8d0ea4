"""Training the encoder: what an interruption must not change, what it learns, and how a batch is drawn."""

import dataclasses

import numpy as np
import pytest

from train.train import Ragged, Settings, Source, alike, draw, fit, question_recall

torch = pytest.importorskip("torch", reason="torch is not installed")
torch.set_num_threads(1)  # a few hundred numbers are not worth a second thread

SIZE, COUNT = 60, 40
SETTINGS = Settings(dimension=32, batch=16, steps=12, saved=4, passage_tokens=12, trained=1.0)


def ragged(rows) -> Ragged:
    rows = [np.array(row, dtype=np.int32) for row in rows]
    return Ragged(np.concatenate(rows), np.concatenate([[0], np.cumsum([len(row) for row in rows])]))


@pytest.fixture(scope="module")
def lesson():
    """Questions in tokens 0 to 29 about passages in tokens 30 to 59: the same numbers, thirty higher."""
    rng = np.random.default_rng(1)
    questions = [rng.integers(0, 30, 4) for _ in range(COUNT)]
    passages = [np.concatenate([question + 30, rng.integers(30, 60, 5)]) for question in questions]
    source = Source("lesson", 1.0, ragged(questions), ragged(passages), np.stack([np.arange(COUNT)] * 2, axis=1), whole=True)
    first = rng.standard_normal((SIZE, SETTINGS.dimension)).astype(np.float32)
    shared = (np.array([0, 1, 30, 31]), np.array([0, 0, 1, 1]), 2)
    return source, first, shared


def run(lesson, kept, **changes) -> np.ndarray:
    source, first, shared = lesson
    return fit(first, [source], shared, {}, dataclasses.replace(SETTINGS, **changes), kept, lambda table: "")


def test_an_interrupted_training_goes_on_to_the_very_same_vectors(lesson, tmp_path):
    whole = run(lesson, tmp_path / "whole")
    assert np.array_equal(whole, run(lesson, tmp_path / "again"))

    def stop(table):
        stop.calls += 1
        if stop.calls == 4:  # before the first step, and after 4, 8 and 12
            raise KeyboardInterrupt
        return ""

    stop.calls = 0
    source, first, shared = lesson
    with pytest.raises(KeyboardInterrupt):
        fit(first, [source], shared, {}, SETTINGS, tmp_path / "cut", stop)
    assert np.array_equal(whole, run(lesson, tmp_path / "cut"))
    assert not (tmp_path / "cut.tmp").exists()


def test_questions_come_to_find_their_passages(lesson, tmp_path):
    source, first, _ = lesson
    before = question_recall(first, source.left, source.right, np.arange(COUNT))
    after = question_recall(run(lesson, tmp_path / "long", steps=100, learning_rate=0.02), source.left, source.right, np.arange(COUNT))
    assert before < 0.2 and after > 0.6


def test_a_batch_does_not_depend_on_what_was_drawn_before(lesson):
    source = lesson[0]
    lefts, rights = draw(source, SETTINGS, {}, np.random.default_rng([7, 3]))
    again = draw(source, SETTINGS, {}, np.random.default_rng([7, 3]))
    assert [left.tolist() for left in lefts] == [left.tolist() for left in again[0]] and len(rights) == SETTINGS.batch
    owners = {tuple(source.left.ids[a:b]): i for i, (a, b) in enumerate(zip(source.left.starts[:-1], source.left.starts[1:], strict=True))}
    for left, right in zip(lefts, rights, strict=True):
        place = owners[tuple(left)]
        assert right.tolist() == source.right.ids[source.right.starts[place] : source.right.starts[place + 1]].tolist()


def test_equal_texts_are_known():
    texts = [np.array([1, 2]), np.array([2, 1]), np.array([1, 2])]
    assert alike(texts).tolist() == [[True, False, True], [False, True, False], [True, False, True]]
