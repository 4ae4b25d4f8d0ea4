"""Sentences of the best chunks, scored: each feature by a text in which only it differs."""

from collections import Counter

import numpy as np
import pytest

from rag.search.question import read_question
from rag.search.rank import FEATURES, KEPT_UNITS, SentenceRanker, ranker_weights
from rag.text.chunk import sentence_spans
from rag.types import Block, Chunk, Document, Hit


class Letters:
    """One unit vector a letter: cosine 1 for the same letter, 0 for another."""

    def tokens(self, text: str) -> np.ndarray:
        return np.array([ord(character) % 97 for character in text if character.isalnum()], dtype=int)

    def rows(self, tokens: np.ndarray) -> np.ndarray:
        return np.eye(97, dtype=np.float32)[tokens]

    def token_vectors(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        return self.rows(self.tokens(text)), np.ones(len(self.tokens(text)), dtype=np.float32)


def document(*paragraphs: str, section: tuple[str, ...] = (), kind: str = "prose", speaker: str = "") -> Document:
    text, blocks = "", []
    for paragraph in paragraphs:
        blocks.append(Block(len(text), len(text) + len(paragraph), kind, None, section, speaker))
        text += paragraph + "\n"
    return Document("d", "D", text, tuple(blocks), "", "d.md")


def ranked(question: str, report: Document, idf: dict[str, float] | None = None):
    hit = Hit(Chunk("c", "d", 0, len(report.text), None, (), 1), report.text, 0.5, 0.25, 0.6)
    ranker = SentenceRanker(Letters(), np.ones(len(FEATURES)))
    return ranker.rank(read_question(question), idf or {"潮": 1.0, "汐": 1.0}, [hit], lambda name: report)


def test_stored_weights_name_the_features_in_use():
    assert len(ranker_weights()) == len(FEATURES) and np.isfinite(ranker_weights()).all()


def test_maxsim_is_the_mean_of_the_best_cosines():
    item = ranked("abcd", document("ab xy"))[0]
    assert item.feature("maxsim_sentence") == pytest.approx(0.5)
    assert ranked("abcd", document("ab xy", section=("cz",)))[0].feature("maxsim_heading") == pytest.approx(0.75)


def test_coverage_and_bm25_by_hand():
    low, high = sorted(ranked("潮汐", document("潮水很大。潮汐很大。")), key=lambda item: item.feature("coverage"))
    assert (low.feature("coverage"), high.feature("coverage")) == (0.5, 1.0)
    counts = Counter({"潮": 1, "潮水": 1, "水": 1, "水很": 1, "很": 1, "很大": 1, "大": 1})
    norm = 1.2 * (1 - 0.4 + 0.4 * counts.total() / 60)
    assert low.feature("bm25_sentence") == pytest.approx(2.2 / (1 + norm) / 2)
    assert low.feature("bm25_window") > low.feature("bm25_sentence")


def test_flags_follow_the_kind_of_question():
    texts = ("装机容量为 4.2 GW。", "装机容量很大。")
    with_number, without = (ranked("装机容量有多大？", document(text))[0] for text in texts)
    assert (with_number.feature("has_asked_number"), with_number.feature("lacks_number")) == (1, 0)
    assert (without.feature("has_asked_number"), without.feature("lacks_number")) == (0, 1)
    assert ranked("潮汐能是什么？", document("潮汐能是指水位差。"))[0].feature("defining_opens") == 1
    assert ranked("为什么偏高？", document("因为腐蚀。"))[0].feature("causal") == 1
    assert ranked("有哪些路线？", document("拦坝式。", kind="item"))[0].feature("enumerates") == 1
    assert ranked("是谁说的？", document("影响最小。", speaker="林澜 首席工程师"))[0].feature("person") == 1
    assert ranked("TSG 与 LCOE 呢？", document("TSG 已投产。"))[0].feature("names") == 0.5


def test_best_first_ties_by_place_and_only_sentences_of_hits():
    report = document("甲甲。", "乙乙。", "潮汐。")
    assert [item.sentence.text for item in ranked("潮汐", report)] == ["潮汐。", "乙乙。", "甲甲。"]  # a neighbour of the best comes second
    assert [item.sentence.text for item in ranked("风", document("甲甲。", "乙乙。"), {"风": 1.0})] == ["甲甲。", "乙乙。"]
    hit = Hit(Chunk("c", "d", 0, 3, None, (), 1), "甲甲。", 0.5, 0.25, 0.6)
    inside = SentenceRanker(Letters()).rank(read_question("潮汐"), {"潮": 1.0}, [hit], lambda name: report)
    assert [item.sentence.text for item in inside] == ["甲甲。"]
    assert SentenceRanker(Letters()).rank(read_question("潮汐"), {"潮": 1.0}, [], lambda name: report) == []


def test_sentences_are_the_slices_of_the_document():
    report = document("甲一。甲二。", "乙一。")
    sentences = SentenceRanker(Letters()).sentences(report)
    assert [(s.start, s.end, s.block) for s in sentences] == sentence_spans(report)
    assert all(report.text[s.start : s.end] == s.text for s in sentences)


def test_what_is_kept_of_sentences_has_a_bound():
    ranker = SentenceRanker(Letters())
    report = document("潮汐。")
    hit = Hit(Chunk("c", "d", 0, 3, None, (), 1), "潮汐。", 0.5, 0.25, 0.6)
    for _ in range(2):
        ranker.rank(read_question("潮汐"), {"潮": 1.0}, [hit], lambda name: report)
    kept = ranker._unit.cache_info()
    assert (kept.hits, kept.misses, kept.maxsize) == (2, 2, KEPT_UNITS)  # the sentence and its empty heading, twice
