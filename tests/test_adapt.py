"""Adapting to a corpus: it helps where there is something to learn, is refused where not, and the index remembers it."""

import json
import shutil

import numpy as np
import pytest

from rag.config import Config
from rag.errors import EncoderError, UsageError
from rag.index.adapt import adapt, adapt_index
from rag.index.build import build_index
from rag.index.encoder import ADAPTED, BuiltinEncoder, open_encoder
from rag.index.snapshot import open_index

NOUNS = "harbour orchard glacier violin kettle meadow lantern beacon saddle anchor pepper marble".split()


def reports(count):
    """(heading, text): each chunk is about two nouns under names that only this corpus uses for them."""
    rng = np.random.default_rng(2)
    chunks = []
    for i in range(count):
        first, second = rng.permutation(len(NOUNS))[:2]
        a, b = NOUNS[first], NOUNS[second]
        code = "".join("bcdfg"[int(digit)] + "aeiou"[int(digit)] for digit in np.base_repr(first * 13 + 5, 5).zfill(4))
        chunks.append(
            (
                f"Notes on {a}",
                f"The {a} was seen near the {b} by visitor number {i}. They call it {code} in the village today. "
                f"Every {code} has a keeper with a key. Nobody sells the {b} cheaply in year {1900 + i}. The {code} is old.",
            )
        )
    return chunks


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapted") / "encoder"
    return folder, adapt(reports(120), folder, steps=40, batch=64)


def test_held_back_sentences_find_their_passage_better(adapted):
    folder, result = adapted
    assert result.kept and result.rank_after > result.rank_before and result.folder == str(folder)
    assert json.loads((folder / ADAPTED).read_text())["rank_after"] == result.rank_after


def test_the_adapted_encoder_opens_by_its_folder(adapted):
    encoder = open_encoder(str(adapted[0]))
    assert isinstance(encoder, BuiltinEncoder) and encoder.name == str(adapted[0])
    assert encoder.revision != BuiltinEncoder().revision
    vectors = encoder.encode(["the harbour", "云计算", ""])
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0], atol=1e-5)


def test_an_encoder_adapted_with_another_tokenizer_is_refused(adapted, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(adapted[0], folder)
    about = json.loads((folder / ADAPTED).read_text()) | {"tokenizer": "0" * 64}
    (folder / ADAPTED).write_text(json.dumps(about))
    with pytest.raises(EncoderError, match="rag adapt"):
        open_encoder(str(folder))


def test_the_same_seed_gives_the_same_encoder(tmp_path):
    results = [adapt(reports(70), tmp_path / name, steps=5, batch=32) for name in ("one", "two")]
    assert results[0].rank_after == results[1].rank_after


def test_what_does_not_help_is_not_kept(tmp_path):
    result = adapt(reports(70), tmp_path / "encoder", steps=2, learning_rate=0.0)
    assert not result.kept and result.folder == "" and result.rank_before == result.rank_after
    assert not (tmp_path / "encoder").exists()


def test_too_little_text_is_refused(tmp_path):
    with pytest.raises(UsageError, match="60"):
        adapt(reports(10), tmp_path / "encoder")


def test_an_index_remembers_its_adapted_encoder_and_moves_with_it(tmp_path):
    (tmp_path / "reports").mkdir()
    for i, (heading, text) in enumerate(reports(90)):
        (tmp_path / "reports" / f"r{i:03d}.md").write_text(f"# Report {i}\n\n## {heading}\n\n{text}\n", encoding="utf-8")
    index = tmp_path / "here" / "index"
    build_index([tmp_path / "reports"], index, open_encoder())
    result = adapt_index(Config(index_dir=str(index)), steps=40)
    assert result.kept
    name = open_index(index).encoder_name
    assert name == result.folder and open_index(index, encoder=open_encoder(name)).count() >= 90
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = open_index(tmp_path / "there" / "index").encoder_name
    assert moved.startswith(str(tmp_path / "there")) and open_encoder(moved).dimension == open_encoder().dimension
