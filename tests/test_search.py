"""Hybrid search: the arithmetic of the mix, filters, and what matches nothing."""

import math

import numpy as np
import pytest

from rag.search import DENSE_WEIGHT, NAMED_REPORT_BONUS, UNKNOWN_DENSE_WEIGHT, inverse_frequencies, search, weigh_terms
from rag.types import Chunk, Document, Filter


class PaperStore:
    """Three chunks with scores written down, so that the mix can be worked out by hand."""

    encoder_name, dimension = "paper", 2
    bm25 = {"a": 6.0, "b": 3.0}
    cosine = {"a": 0.1, "b": 0.9, "c": 0.5}
    text = "甲乙丙"

    def count(self):
        return 3

    def documents(self):
        return tuple(Document(name, name, "", (), "", "", language="zh") for name in ("x", "y"))

    def document(self, document_id):
        return Document(document_id, document_id, self.text, (), "", "")

    def chunks(self, ids):
        places = {"a": ("x", 0), "b": ("x", 1), "c": ("y", 2)}
        return [Chunk(id, places[id][0], places[id][1], places[id][1] + 1, None, (), 1) for id in ids]

    def document_frequencies(self, terms):
        return [1 for _ in terms]

    def lexical(self, terms, top_k, documents=None):
        return sorted(((id, score) for id, score in self.bm25.items() if not documents or "x" in documents), key=lambda pair: -pair[1])

    def dense(self, vector, top_k, documents=None):
        return sorted(
            ((id, s) for id, s in self.cosine.items() if not documents or ("x" if id != "c" else "y") in documents),
            key=lambda pair: -pair[1],
        )

    def cosines(self, vector, ids):
        return [self.cosine[id] for id in ids]


class PaperEncoder:
    name, revision, dimension, max_tokens = "paper", "1", 2, None

    def encode(self, texts, *, query=False, progress=None):
        return np.array([[1.0, 0.0]] * len(texts), dtype=np.float32)


def test_scores_mix_as_written():
    # Two terms with the same idf, so each has half of the total; the store's BM25 is taken as it comes.
    hits = search(PaperStore(), PaperEncoder(), "wind tide")
    mix = UNKNOWN_DENSE_WEIGHT
    assert [(hit.chunk.id, pytest.approx(hit.fused)) for hit in hits] == sorted(
        [("a", 6 + mix * 0.1), ("b", 3 + mix * 0.9), ("c", mix * 0.5)], key=lambda pair: -pair[1]
    )
    assert "paper" not in DENSE_WEIGHT


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
