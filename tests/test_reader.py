"""The reader itself, on weights drawn from a seed: what it is given, what it gives, and what is said of files that are not one."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_reader import needs_weights
from tiny_weights import INTENTS, WIDTH, write_base, write_reader

from rag.config import bundled
from rag.errors import EncoderError
from rag.reading.dispatch import find_files, read_document
from rag.search.reader import (
    BOS,
    EOS,
    KEPT_READINGS,
    KINDS,
    MASK,
    MAX_SENTENCE,
    MAX_TOKENS,
    MAX_TURN,
    TURNS,
    Passage,
    Reader,
    _gelu,
    claim_input,
    message_input,
    question_input,
)
from rag.types import Turn

# What runs of other company may differ in, in logits: activations are quantised by one scale for a run.
NEAR = 0.3


def letters(text: str) -> list[int]:
    """One token a character, none of them special."""
    return [5 + ord(character) for character in text]


# ---- what it is given ----


def test_the_three_forms():
    made = question_input(letters, "a?", "H", ["b.", "cd."], [Turn("q", "r")])
    q, r, a, mark, head, b, c, d, dot = (5 + ord(sign) for sign in "qra?Hbcd.")
    assert made.ids == (BOS, q, EOS, r, EOS, a, mark, EOS, EOS, head, EOS, b, dot, EOS, c, d, dot, EOS)
    assert made.sentence_of == (-1,) * 11 + (0, 0, -1, 1, 1, 1, -1) and made.sentences == 2
    claim = claim_input(letters, "a", ["b"])
    assert (claim.ids, claim.sentence_of) == ((BOS, MASK, a, EOS, EOS, b, EOS), (-1,) * 5 + (0, -1))
    assert message_input(letters, "a", False).ids == (BOS, a, EOS)
    assert message_input(letters, "a", True).ids == (BOS, a, EOS, MASK, EOS)


def test_only_the_last_turns_are_read_and_long_ones_are_cut():
    turns = [Turn("first", "x"), Turn("b" * 99, "c"), Turn("d", "e")]
    made = question_input(letters, "a", "", [], turns)
    assert made.ids == question_input(letters, "a", "", [], turns[-TURNS:]).ids and made.ids.count(5 + ord("b")) == MAX_TURN


@given(
    st.text(max_size=200),
    st.text(max_size=60),
    st.lists(st.text(max_size=220), max_size=12),
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), max_size=3),
)
def test_an_input_holds_the_first_sentences_that_fit(question, heading, sentences, turns):
    made = question_input(letters, question, heading, sentences, [Turn(*turn) for turn in turns])
    assert len(made.ids) == len(made.sentence_of) <= MAX_TOKENS and made.sentences <= len(sentences)
    assert made.sentences or not sentences
    for number in range(1, made.sentences):
        mine = [token for token, place in zip(made.ids, made.sentence_of, strict=True) if place == number]
        assert mine == letters(sentences[number])[:MAX_SENTENCE]
    if made.sentences < len(sentences):
        assert len(made.ids) + min(len(sentences[made.sentences]), MAX_SENTENCE) + 1 > MAX_TOKENS


# ---- what it gives ----


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    for needed in ("onnx", "torch", "transformers"):
        pytest.importorskip(needed, reason=f"{needed} writes the tiny weights")
    place = tmp_path_factory.mktemp("weights")
    return write_reader(place / "reader", write_base(place / "base.bin"))


@pytest.fixture(scope="module")
def reader(folder):
    return Reader(folder, threads=1)


SHORT = Passage("the tower", ("the tower is 31 high.", "how is the hive?"))
OTHER = Passage("", ("潮汐电站的装机容量是 4 。", "成本为 3 ，有多高？", "装机容量在年。"))
LONG = Passage("hive", tuple(f"the hive {chr(97 + n)} is as {'very ' * (3 + n % 5)}high as the tower {n}." for n in range(30)))


def test_a_reading_has_a_logit_for_each_sentence(reader):
    readings = reader.read("how high is the tower?", [SHORT, OTHER, Passage("empty", ())])
    assert [len(reading.sentences) for reading in readings] == [2, 3, 0]
    numbers = [number for reading in readings for number in (reading.answers, *reading.sentences)]
    assert all(map(math.isfinite, numbers)) and len(set(numbers)) == len(numbers)
    assert reader.read("how high?", []) == []


def test_question_heading_and_history_are_read(reader):
    plain = reader.read("how high is the tower?", [SHORT])[0]
    others = [
        reader.read("how is the hive?", [SHORT])[0],
        reader.read("how high is the tower?", [Passage("hive", SHORT.sentences)])[0],
        reader.read("how high is the tower?", [SHORT], [Turn("the hive?", "the hive.")])[0],
    ]
    assert all(abs(other.answers - plain.answers) > 0.01 for other in others)


def test_padding_and_company_change_nothing(folder):
    together = Reader(folder, threads=1).read("how high is the tower?", [SHORT, LONG, OTHER])
    for passage, reading in zip([SHORT, LONG, OTHER], together, strict=True):
        alone = Reader(folder, threads=1).read("how high is the tower?", [passage])[0]
        assert reading.answers == pytest.approx(alone.answers, abs=NEAR)
        assert reading.sentences == pytest.approx(alone.sentences, abs=NEAR)


def test_a_long_passage_is_read_in_windows_that_share_a_sentence(reader):
    question, low, windows = "how high is the tower?", 0, []
    while True:
        count = question_input(reader._tokens, question, LONG.heading, LONG.sentences[low:]).sentences
        windows.append((low, low + count))
        if low + count == len(LONG.sentences):
            break
        low += count - 1
    assert len(windows) > 2
    whole = reader.read(question, [LONG])[0]
    parts = [reader.read(question, [Passage(LONG.heading, LONG.sentences[a:b])])[0] for a, b in windows]
    best = np.full(len(LONG.sentences), -np.inf)
    for (a, b), part in zip(windows, parts, strict=True):
        best[a:b] = np.maximum(best[a:b], part.sentences)
    assert whole.answers == pytest.approx(max(part.answers for part in parts), abs=NEAR)
    assert whole.sentences == pytest.approx(best.tolist(), abs=NEAR)


def test_a_sentence_longer_than_an_input_is_read_as_far_as_it_goes(reader):
    reading = reader.read("how?", [Passage("", ("the tower is high, " * 400, "the hive."))])[0]
    assert len(reading.sentences) == 2 and all(map(math.isfinite, reading.sentences))


def test_chances_sum_to_one(reader):
    support = reader.support("the tower is 31 high.", ["the tower is high.", "the hive is not."])
    assert sum(support) == pytest.approx(1, abs=1e-6) and min(support) > 0
    for chances, names in (
        (reader.kind("how high is the tower?"), KINDS),
        (reader.intent("how high?", False), INTENTS),
        (reader.intent("how high?", True), INTENTS),
    ):
        assert tuple(chances) == names and sum(chances.values()) == pytest.approx(1, abs=1e-6) and min(chances.values()) > 0
    assert reader.intent("how high?", False) != reader.intent("how high?", True)


def test_confidence_and_threshold_are_those_of_the_pair_of_languages(reader):
    assert reader.confidence(1.0, 2.0, 3.0, "en-en") == pytest.approx(1 / (1 + math.exp(-(1.0 + 0.5 * 2.0 + 0.1 * 3.0 - 0.25))))
    assert reader.confidence(1.0, 2.0, 3.0, "zh-en") == pytest.approx(1 / (1 + math.exp(-2.0)))
    assert reader.confidence(-1e9, -1e9, 0.0, "en-en") < 1e-9 < 1 - 1e-9 < reader.confidence(1e9, 1e9, 0.0, "en-en")
    assert reader.sentence_chance(1.0, 2.0, 3.0) == pytest.approx(1 / (1 + math.exp(-(1.0 + 0.5 * 2.0 + 0.2 * 3.0 - 0.1))))
    assert [reader.threshold(name, pair) for name in ("strict", "open") for pair in ("en-en", "zh-en")] == [0.7, 0.8, 0.3, 0.4]
    assert (reader.revision, reader.intents) == ("tiny-1", INTENTS)


def test_several_threads_read_at_once(folder, reader):
    questions = [f"how high is the tower {n}?" for n in range(8)]
    alone = [reader.read(question, [SHORT, OTHER]) for question in questions]
    fresh = Reader(folder, threads=1)  # remembers nothing yet
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda question: fresh.read(question, [SHORT, OTHER]), questions)) == alone


def test_what_was_read_is_remembered_up_to_a_number(folder, reader):
    fresh = Reader(folder, threads=1)
    first = fresh.read("how?", [SHORT, OTHER, SHORT])
    assert first[0] is first[2] and first[0] is fresh.read("how?", [OTHER, SHORT])[1]
    assert fresh.read("how?", [SHORT], [Turn("the hive?", "the hive.")])[0] is not first[0]
    for n in range(KEPT_READINGS):
        fresh.read(f"how {n}?", [SHORT])
    assert len(fresh._readings) == KEPT_READINGS and fresh.read("how?", [SHORT])[0] is not first[0]


def test_the_window_that_supports_most_counts(folder, reader):
    whole = reader.support("the tower is 31 high.", LONG.sentences)
    low, chances = 0, []
    while True:
        count = claim_input(reader._tokens, "the tower is 31 high.", LONG.sentences[low:]).sentences
        chances.append(reader.support("the tower is 31 high.", LONG.sentences[low : low + count]))
        if low + count == len(LONG.sentences):
            break
        low += count - 1
    assert len(chances) > 2 and whole == pytest.approx(min(chances, key=lambda chance: chance[2]), abs=NEAR)


@given(st.lists(st.floats(-12, 12), min_size=1, max_size=20))
def test_gelu_is_that_of_the_error_function(values):
    expected = [value * 0.5 * (1 + math.erf(value / math.sqrt(2))) for value in values]
    assert _gelu(np.array(values)).tolist() == pytest.approx(expected, abs=1e-5)


# ---- files that are not a reader ----


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "heads.safetensors", "reader.json"])
@pytest.mark.parametrize("change", ["missing", "empty", "cut", "other"])
def test_a_missing_or_wrong_file_is_told_in_one_line(folder, tmp_path, name, change):
    for file in folder.iterdir():
        content = file.read_bytes()
        if file.name == name:
            content = {"missing": None, "empty": b"", "cut": content[: len(content) // 2], "other": b"{}"}[change]
        if content is not None:
            (tmp_path / file.name).write_bytes(content)
    with pytest.raises(EncoderError) as caught:
        Reader(tmp_path)
    said = str(caught.value)
    assert "\n" not in said and str(tmp_path) in said and said.endswith("install the package again") and len(said) < 400


def test_heads_of_another_size_are_refused(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = json.loads((tmp_path / "reader.json").read_text())
    (tmp_path / "reader.json").write_text(json.dumps({**settings, "intents": [*INTENTS, "another"]}))
    with pytest.raises(EncoderError, match="'intent' does not fit"):
        Reader(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(EncoderError, match="nowhere"):
        Reader(tmp_path / "nowhere")


# ---- what is shipped ----


# Characters of the bundled corpus that the base of the reader never learnt, each met once.
UNKNOWN = frozenset("谲")


@needs_weights
def test_the_shipped_reader_knows_every_piece_of_the_bundled_corpus():
    shipped = Reader(threads=1)
    unknown = shipped._tokenizer.token_to_id("<unk>")
    assert [shipped._tokenizer.id_to_token(number) for number in (BOS, 1, EOS, MASK)] == ["<s>", "<pad>", "</s>", "<mask>"]
    lines = {line for path in find_files([bundled("corpus")]) for line in read_document(path).text.splitlines()}
    lost = {character for line in lines if unknown in shipped._tokens(line) for character in line if unknown in shipped._tokens(character)}
    assert len(lines) > 100 and lost <= UNKNOWN
    reading = shipped.read("How tall is the tower?", [Passage("", ("The tower is 31 metres tall.", "The keeper sleeps."))])[0]
    assert len(reading.sentences) == 2 and shipped._session.get_outputs()[0].shape[-1] > WIDTH
    for pair in ("zh-zh", "en-en", "zh-en", "en-zh"):
        bars = [shipped.threshold(name, pair) for name in ("strict", "balanced", "open")]
        assert bars == sorted(bars, reverse=True)
