"""Hybrid search: the arithmetic of the mix, filters, and what matches nothing."""

import math

import numpy as np
import pytest

from rag.search import (
    NAMED_REPORT_BONUS,
    RERANKED,
    Mix,
    explained_search,
    inverse_frequencies,
    mix_for,
    search,
    weigh_terms,
)
from rag.types import Chunk, Document, Filter


class PaperStore:
    """Three chunks with scores written down, so that the mix can be worked out by hand."""

    encoder_name, dimension = "paper", 2
    bm25 = {"a": 6.0, "b": 3.0}
    cosine = {"a": 0.1, "b": 0.9, "c": 0.5}
    text = "甲乙丙"
    languages = {"x": "", "y": ""}

    def count(self):
        return 3

    def documents(self):
        return tuple(Document(name, name, "", (), "", "", language=self.languages[name]) for name in ("x", "y"))

    def document(self, document_id):
        return Document(document_id, document_id, self.text, (), "", "")

    def chunks(self, ids):
        places = {"a": ("x", 0), "b": ("x", 1), "c": ("y", 2)}
        return [Chunk(id, places[id][0], places[id][1], places[id][1] + 1, None, (), 1) for id in ids]

    def document_frequencies(self, terms):
        return [1 for _ in terms]

    def lexical(self, terms, top_k, documents=None):
        return sorted(((id, score) for id, score in self.bm25.items() if self._allowed(id, documents)), key=lambda pair: -pair[1])

    def dense(self, vector, top_k, documents=None):
        return sorted(((id, score) for id, score in self.cosine.items() if self._allowed(id, documents)), key=lambda pair: -pair[1])

    def _allowed(self, id, documents):
        return documents is None or ("y" if id == "c" else "x") in documents

    def cosines(self, vector, ids):
        return [self.cosine[id] for id in ids]


class PaperEncoder:
    name, revision, dimension, max_tokens = "paper", "1", 2, None

    def encode(self, texts, *, query=False, progress=None):
        return np.array([[1.0, 0.0]] * len(texts), dtype=np.float32)


def test_scores_mix_as_written():
    # Two terms with the same idf, so each has half of the total; the store's BM25 is taken as it comes.
    hits = search(PaperStore(), PaperEncoder(), "wind tide")
    mix = mix_for(PaperEncoder(), "en", "en").dense
    assert [(hit.chunk.id, pytest.approx(hit.fused)) for hit in hits] == sorted(
        [("a", 6 + mix * 0.1), ("b", 3 + mix * 0.9), ("c", mix * 0.5)], key=lambda pair: -pair[1]
    )


def test_boosts_turn_bm25_into_a_share_of_the_total_idf():
    store = PaperStore()
    asked = {}
    store.lexical = lambda weights, top_k, documents=None: asked.update(weights) or []
    search(store, PaperEncoder(), "wind tide")
    idf = math.log1p((3 - 1 + 0.5) / 1.5)
    assert asked == {"wind": pytest.approx(0.5 / idf), "tide": pytest.approx(0.5 / idf)}


def test_named_report_is_preferred_and_filter_is_strict():
    plain = {hit.chunk.id: hit.fused for hit in search(PaperStore(), PaperEncoder(), "wind")}
    named = {hit.chunk.id: hit.fused for hit in search(PaperStore(), PaperEncoder(), "wind", named=frozenset({"y"}))}
    assert named["c"] - plain["c"] == pytest.approx(NAMED_REPORT_BONUS) and named["a"] == plain["a"]
    assert [hit.chunk.id for hit in search(PaperStore(), PaperEncoder(), "wind", only=Filter(reports=("y",)))] == ["c"]
    assert search(PaperStore(), PaperEncoder(), "wind", only=Filter(reports=("nowhere",))) == []


def test_a_follow_up_gives_its_own_words_half_and_shares_the_rest():
    assert weigh_terms(PaperStore(), "tide") == {"tide": pytest.approx(1.0)}
    assert weigh_terms(PaperStore(), "tide", "wind sun moon") == pytest.approx(
        {"tide": 0.5 + 0.125, "wind": 0.125, "sun": 0.125, "moon": 0.125}
    )
    assert inverse_frequencies(PaperStore(), ["tide"]) == {"tide": pytest.approx(math.log1p(2.5 / 1.5))}


def test_a_mix_is_a_line_in_both_scores():
    assert Mix(0.5).fused(0.6, 0.4) == pytest.approx(0.8)
    assert Mix(0.5, 2.0, -0.1).fused(0.6, 0.4) == pytest.approx(1.5)


def test_reports_in_the_other_language_are_scored_by_a_mix_of_their_own():
    store = PaperStore()
    store.languages = {"x": "zh", "y": "en"}
    found = {one.hit.chunk.id: one for one in explained_search(store, PaperEncoder(), "wind tide")}
    assert [found[id].translated for id in "abc"] == [True, True, False]
    assert found["a"].mix == mix_for(PaperEncoder(), "en", "zh") and found["c"].mix == mix_for(PaperEncoder(), "en", "en")
    for one in found.values():
        assert one.hit.fused == pytest.approx(one.mix.fused(one.hit.lexical, one.hit.dense) + one.bonus)


def test_a_report_in_an_unknown_language_counts_as_the_questions():
    assert mix_for(PaperEncoder(), "zh", "") == mix_for(PaperEncoder(), "zh", "zh") == mix_for(PaperEncoder(), "zh", "ja")


def test_a_reranker_decides_the_order_of_the_best():
    read = []

    def by_length(question, texts):
        read.append((question, list(texts)))
        return [0.1 * i for i in range(len(texts))]

    hits = search(PaperStore(), PaperEncoder(), "wind", top_k=2, reranker=by_length)
    assert [hit.chunk.id for hit in hits] == ["c", "b"] and hits[0].fused == pytest.approx(0.2)
    assert read == [("wind", ["甲", "乙", "丙"])] and RERANKED >= 3
