"""How much of a question a sentence, its neighbours and its heading say: BM25 at four widths and token vectors, one linear score.

It stands beside the reader, which judges meaning but sees one passage at a time and no frequencies. The weights were learned listwise on public questions;
they stand in `model/overlap.json`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from rag.index.encoder import BuiltinEncoder
from rag.index.lexical import terms
from rag.search.sentences import Sentence, SentenceIndex
from rag.types import Document, FloatMatrix, Hit

FEATURES = (
    "bm25_sentence", "bm25_window", "bm25_heading", "bm25_chunk", "coverage", "maxsim_sentence", "maxsim_heading", "window_cosine", "chunk_cosine",
    "short", "figure", "first_hit",
)  # fmt: skip
# Sentences and headings that are kept as they are compared, some 12 kB each.
KEPT_UNITS = 4_000
# BM25 of a sentence: terms of an average one are about sixty (characters and pairs); length matters less than in chunks.
_K1, _B, _AVERAGE = 1.2, 0.4, 60.0


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence or heading as it is compared with questions; token vectors are looked up for each question, since they would fill the memory."""

    terms: Counter[str]
    tokens: np.ndarray
    # float32 (dimension,): the sum of what the tokens add to a text's vector.
    total: np.ndarray


@cache
def overlap_weights() -> np.ndarray:
    """Return float64 (len(FEATURES),) in the order of FEATURES."""
    stored: Mapping[str, float] = json.loads((Path(__file__).parent.parent / "model" / "overlap.json").read_text(encoding="utf-8"))
    return np.array([stored[name] for name in FEATURES])


class Overlap:
    """Scores sentences by overlap; keeps what it learned about the last of them."""

    def __init__(self, words: BuiltinEncoder, index: SentenceIndex) -> None:
        self._words, self._index = words, index
        self._unit = lru_cache(maxsize=KEPT_UNITS)(self._read_unit)

    def scores(
        self,
        asked: str,
        shares: Mapping[str, float],
        rows: Sequence[tuple[Sentence, Hit]],
        document: Callable[[str], Document],
    ) -> np.ndarray:
        """Score sentences with the hits that they stand in: float64 (rows,). `shares` holds the question's terms with their shares of its weight."""
        return self.features(self._words.token_vectors(asked), shares, rows, document) @ overlap_weights() if rows else np.zeros(0)

    def features(
        self,
        asked: tuple[FloatMatrix, FloatMatrix],
        shares: Mapping[str, float],
        rows: Sequence[tuple[Sentence, Hit]],
        document: Callable[[str], Document],
    ) -> np.ndarray:
        """Compare sentences with a question, given as its token vectors and their weights: (rows, FEATURES)."""
        vectors, weights = asked
        # Sentences and their neighbours of the same section, each once; the last place stands for "none".
        places: dict[tuple[str, int], int] = {}
        around = np.full((len(rows), 3), -1)
        texts = {name: self._index.of(document(name)) for name in dict.fromkeys(sentence.document for sentence, _ in rows)}
        for i, (sentence, _) in enumerate(rows):
            sentences = texts[sentence.document]
            for side, position in enumerate((sentence.position - 1, sentence.position, sentence.position + 1)):
                if 0 <= position < len(sentences) and sentences[position].section == sentence.section:
                    around[i, side] = places.setdefault((sentence.document, position), len(places))
        units = [self._unit(texts[name][position].text) for name, position in places]
        sections = {section: i for i, section in enumerate(dict.fromkeys(sentence.section for sentence, _ in rows))}
        headings = [self._unit(" ".join(section)) for section in sections]
        heading_of = [sections[sentence.section] for sentence, _ in rows]

        lexical = _Lexical(shares)
        counts, lengths = lexical.counts([unit.terms for unit in units])
        heading_counts, heading_lengths = lexical.counts([heading.terms for heading in headings])
        own, own_lengths = counts[around[:, 1]], lengths[around[:, 1]]
        with_heading = own + heading_counts[heading_of]

        matrix = np.zeros((len(rows), len(FEATURES)))
        matrix[:, 0] = lexical.bm25(own, own_lengths)
        matrix[:, 1] = lexical.bm25(counts[around].sum(axis=1), lengths[around].sum(axis=1))
        matrix[:, 2] = lexical.bm25(with_heading, own_lengths + heading_lengths[heading_of])
        matrix[:, 4] = (with_heading > 0) @ lexical.shares / lexical.total
        if len(vectors) and weights.sum():
            share = weights / weights.sum()
            best = self._best_cosines(vectors, [*units, *headings])
            alone, headed = best[:, around[:, 1]], best[:, len(units) :][:, heading_of]
            matrix[:, 5], matrix[:, 6] = share @ alone, share @ np.maximum(alone, headed)
            matrix[:, 7] = _window_cosines(weights @ vectors, units, around)
        for i, (sentence, hit) in enumerate(rows):
            matrix[i, 3], matrix[i, 8] = hit.lexical, hit.dense
            matrix[i, 9:] = len(sentence.text) < 12, sentence.kind == "figure", hit is rows[0][1]
        return matrix

    def _best_cosines(self, asked: FloatMatrix, units: Sequence[_Unit]) -> np.ndarray:
        """Return (tokens asked, units): the best cosine of each asked token in each unit, 0 for a unit without tokens, never below 0."""
        best = np.zeros((len(asked), len(units)))
        filled = [i for i, unit in enumerate(units) if len(unit.tokens)]
        if filled:
            # A few hundred different tokens make up all the units.
            distinct, place = np.unique(np.concatenate([units[i].tokens for i in filled]), return_inverse=True)
            rows = self._words.rows(distinct)
            cosines = asked @ (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T
            borders = np.cumsum([0, *(len(units[i].tokens) for i in filled[:-1])])
            best[:, filled] = np.maximum.reduceat(cosines[:, place], borders, axis=1)
        return np.maximum(best, 0.0)

    def _read_unit(self, text: str) -> _Unit:
        tokens = self._words.tokens(text)
        # Sentences of a report share most of their terms, so each string is kept once.
        return _Unit(Counter(map(sys.intern, terms(text))), tokens, self._words.rows(tokens).sum(axis=0))


class _Lexical:
    """Counts and BM25 of a question's terms in small texts, many texts at once."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._terms = list(shares)
        self.shares = np.array(list(shares.values()))
        self.total = float(self.shares.sum()) or 1.0

    def counts(self, texts: Sequence[Counter[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Return (texts + 1, terms) and (texts + 1,) lengths; the last row is an empty text."""
        counts = np.zeros((len(texts) + 1, len(self._terms)))
        for row, text in zip(counts, texts, strict=False):
            row[:] = [text.get(term, 0) for term in self._terms]
        return counts, np.array([*(text.total() for text in texts), 0], dtype=float)

    def bm25(self, counts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return (texts,): BM25 over the total weight."""
        norm = _K1 * (1 - _B + _B * lengths / _AVERAGE)
        return (counts * (_K1 + 1) / (counts + norm[:, None])) @ self.shares / self.total


def _window_cosines(asked: np.ndarray, units: Sequence[_Unit], around: np.ndarray) -> np.ndarray:
    """Return (rows,): cosine of the question's summed vector and that of each sentence with its neighbours."""
    totals = np.stack([*(unit.total for unit in units), np.zeros_like(asked)])
    windows = totals[around].sum(axis=1)
    lengths = np.linalg.norm(windows, axis=1) * np.linalg.norm(asked)
    return (windows @ asked) / np.where(lengths > 0, lengths, 1.0)
