"""Hits to sentences: every sentence of the best chunks gets a handful of features and one linear score.

Lexical evidence is taken at four widths (sentence, its neighbours, its heading, its chunk), likeness by token vectors, and the kind of the
question says what a sentence should hold. The weights were learned listwise on public questions; they stand in `model/ranker.json`.
Gives up: no model reads question and sentence together.
"""

from __future__ import annotations

import json
import re
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from rag.index.encoder import BuiltinEncoder
from rag.index.lexical import terms
from rag.rules.question import Question, quantity_answers
from rag.search.sentences import Sentence
from rag.text.chunk import sentence_spans
from rag.types import Document, FloatMatrix, Hit

FEATURES = (
    "bm25_sentence", "bm25_window", "bm25_heading", "bm25_chunk", "coverage", "maxsim_sentence", "maxsim_heading", "window_cosine", "chunk_cosine",
    "has_asked_number", "lacks_number", "person", "defining", "defining_opens", "enumerates", "causal", "names", "short", "heading", "figure", "first_hit",
)  # fmt: skip

_PERSON = re.compile(
    r"院士|教授|总裁|首席|院长|博士|研究员|主任|总经理|负责人|科学家|创始人|理事|\b(?:CEO|CTO|Professor|President|Chief|Director|Dr|Chair|founder|scientist)\b"
)
_DEFINES = re.compile(
    r"是指|指的是|指[^标出导明向示数南挥望]|是一[种类个套项]|是以|是由|是在|是将|是通过|是利用|是把|定义为|被定义|所谓|即[^将使便可]|称为|也就是|意味着|（[^（）]{2,60}）|——|： ?\S|是[^否]"
    r"|\b(?:refers? to|defined as|is an?|is the|are the|means|known as|i\.e\.)\b"
)
_ENUMERATES = re.compile(
    r"、.+、|包括|分为|包含|以下|如下|第一.+第二|首先.+其次|一是|；.+；|[①②③]|\(\d\)|（\d）|\d[)）]|, .+, (?:and|or) |\b(?:include|including|consists? of|such as|namely|first|second)\b"
)
_CAUSE = re.compile(
    r"因为|由于|因此|所以|导致|原因|取决于|源于|得益于|受限于|之所以|\b(?:because|due to|therefore|as a result|owing to|caused? by|leads? to|the reason)\b",
    re.IGNORECASE,
)
_MEANS = re.compile(
    r"使得|从而|为了|以便|以避免|进而|造成|难以|无法|通过|需要|避免|问题|挑战|困难|\b(?:since|causes?|enables?|by \w+ing|in order to|thus|hence|so that|challenges?|cannot)\b",
    re.IGNORECASE,
)
_TROUBLE_ASKED = re.compile(
    r"挑战|坎儿|短板|难点|困难|瓶颈|缺点|缺陷|不足|弊端|风险|障碍|\b(?:challenge|problem|drawback|obstacle|difficult|weakness|limit|hinder|hamper|risk)",
    re.IGNORECASE,
)
_TROUBLE = re.compile(
    r"挑战|难|瓶颈|问题|不足|缺|弊|风险|障碍|威胁|受限|限制|高昂|昂贵|\b(?:challenge|problem|drawback|obstacle|difficult|hard|weak|limit|risk|threat|costly|expensive|lack)",
    re.IGNORECASE,
)
KEPT_UNITS = 4_000
"""Sentences and headings that are kept as they are compared, some 12 kB each."""
_K1, _B, _AVERAGE = 1.2, 0.4, 60.0
"""BM25 of a sentence: terms of an average sentence are about sixty (characters and bigrams); length matters less than in chunks."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence that competes for the answer. A higher score is better; only differences within one question mean anything."""

    sentence: Sentence
    score: float
    hit: Hit
    features: tuple[float, ...] = field(repr=False)

    def feature(self, name: str) -> float:
        """One feature by its name."""
        return self.features[FEATURES.index(name)]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The sentences of a document, made once."""

    sentences: tuple[Sentence, ...]
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence or heading as it is compared with questions."""

    terms: Counter[str]
    tokens: np.ndarray
    """int (n,): of the built-in encoder; their vectors are looked up for each question, because they would fill the memory."""
    total: np.ndarray
    """float32 (dimension,): the sum of what the tokens add to a text's vector."""


@cache
def ranker_weights() -> np.ndarray:
    """float64 (len(FEATURES),) in the order of FEATURES. Raises ValueError when the file names other features."""
    stored: Mapping[str, float] = json.loads((Path(__file__).parent.parent / "model" / "ranker.json").read_text(encoding="utf-8"))[
        "weights"
    ]
    if set(stored) != set(FEATURES):
        raise ValueError(f"ranker.json and FEATURES differ in {sorted(set(stored) ^ set(FEATURES))}: train the ranker again")
    return np.array([stored[name] for name in FEATURES])


class SentenceRanker:
    """Ranks the sentences of hits. Keeps what it learned about each document, so that the next question is faster."""

    def __init__(self, words: BuiltinEncoder, weights: np.ndarray | None = None):
        self._words = words
        self._weights = ranker_weights() if weights is None else weights
        self._prepared: dict[tuple[str, str], _Prepared] = {}
        self._unit = lru_cache(maxsize=KEPT_UNITS)(self._read_unit)

    def sentences(self, document: Document) -> tuple[Sentence, ...]:
        """All sentences of a document, in order."""
        return self._prepare(document).sentences

    def rank(
        self, question: Question, idf: Mapping[str, float], hits: Sequence[Hit], document: Callable[[str], Document], carried: str = ""
    ) -> list[Scored]:
        """The sentences of the hits, best first; ties by place. `idf` holds the question's terms with their shares of the idf."""
        candidates: dict[tuple[str, int], Hit] = {}
        prepared: dict[str, _Prepared] = {}
        for hit in hits:
            name = hit.chunk.document
            if name not in prepared:
                prepared[name] = self._prepare(document(name))
            for position in _positions(prepared[name], hit.chunk.start, hit.chunk.end):
                candidates.setdefault((name, position), hit)
        if not candidates:
            return []
        rows = [(prepared[name].sentences[position], hit) for (name, position), hit in candidates.items()]
        matrix = self._features(question, idf, rows, prepared, carried, hits[0])
        scores = matrix @ self._weights
        scored = [
            Scored(sentence, float(score), hit, tuple(map(float, row)))
            for (sentence, hit), score, row in zip(rows, scores, matrix, strict=True)
        ]
        return sorted(scored, key=lambda item: (-item.score, item.sentence.document, item.sentence.position))

    def _features(
        self,
        question: Question,
        idf: Mapping[str, float],
        rows: Sequence[tuple[Sentence, Hit]],
        prepared: Mapping[str, _Prepared],
        carried: str,
        first: Hit,
    ) -> np.ndarray:
        """(rows, FEATURES)."""
        asked, asked_weights = self._words.token_vectors(question.core)
        if carried:
            more, more_weights = self._words.token_vectors(carried)
            # As for terms: half of the weight is the new question's own, half is shared.
            share = 1.0 / max(float(asked_weights.sum() + more_weights.sum()), 1e-9)
            asked_weights = asked_weights * (share + 1.0 / max(float(asked_weights.sum()), 1e-9))
            asked, asked_weights = np.concatenate([asked, more]), np.concatenate([asked_weights, more_weights * share])

        # Sentences and their neighbours of the same section, each once; the last place stands for "none".
        places: dict[tuple[str, int], int] = {}
        around = np.full((len(rows), 3), -1)
        for i, (sentence, _) in enumerate(rows):
            sentences = prepared[sentence.document].sentences
            for side, position in enumerate((sentence.position - 1, sentence.position, sentence.position + 1)):
                if 0 <= position < len(sentences) and sentences[position].section == sentence.section:
                    around[i, side] = places.setdefault((sentence.document, position), len(places))
        units = [self._unit(prepared[name].sentences[position].text) for name, position in places]
        sections = {section: i for i, section in enumerate(dict.fromkeys(sentence.section for sentence, _ in rows))}
        headings = [self._unit(" ".join(section)) for section in sections]
        heading_of = [sections[sentence.section] for sentence, _ in rows]

        lexical = _Lexical(idf)
        counts, lengths = lexical.counts([unit.terms for unit in units])
        heading_counts, heading_lengths = lexical.counts([heading.terms for heading in headings])
        own, own_lengths = counts[around[:, 1]], lengths[around[:, 1]]
        with_heading = own + heading_counts[heading_of]

        matrix = np.zeros((len(rows), len(FEATURES)))
        matrix[:, 0] = lexical.bm25(own, own_lengths)
        matrix[:, 1] = lexical.bm25(counts[around].sum(axis=1), lengths[around].sum(axis=1))
        matrix[:, 2] = lexical.bm25(with_heading, own_lengths + heading_lengths[heading_of])
        matrix[:, 4] = (with_heading > 0) @ lexical.idf / lexical.total
        if len(asked) and asked_weights.sum():
            share = asked_weights / asked_weights.sum()
            best = self._best_cosines(asked, [*units, *headings])
            alone, headed = best[:, around[:, 1]], best[:, len(units) :][:, heading_of]
            matrix[:, 5], matrix[:, 6] = share @ alone, share @ np.maximum(alone, headed)
            matrix[:, 7] = _window_cosines(asked_weights @ asked, units, around)
        for i, (sentence, hit) in enumerate(rows):
            matrix[i, 3], matrix[i, 8] = hit.lexical, hit.dense
            matrix[i, 9:] = (*_flags(question, sentence), hit is first)
        return matrix

    def _best_cosines(self, asked: FloatMatrix, units: Sequence[_Unit]) -> np.ndarray:
        """(tokens asked, units): the best cosine of each asked token in each unit, 0 for a unit without tokens, never below 0."""
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

    def _prepare(self, document: Document) -> _Prepared:
        key = (document.id, document.sha256)
        if key not in self._prepared:
            sentences = []
            for start, end, position in sentence_spans(document):
                block = document.blocks[position]
                sentences.append(
                    Sentence(
                        document.id,
                        len(sentences),
                        start,
                        end,
                        document.text[start:end],
                        block.kind,
                        position,
                        document.page_at(start),
                        block.section,
                        block.speaker,
                    )
                )
            self._prepared[key] = _Prepared(tuple(sentences), tuple(sentence.start for sentence in sentences))
        return self._prepared[key]

    def _read_unit(self, text: str) -> _Unit:
        tokens = self._words.tokens(text)
        # Sentences of a report share most of their terms, so each string is kept once.
        return _Unit(Counter(map(sys.intern, terms(text))), tokens, self._words.rows(tokens).sum(axis=0))


def _positions(data: _Prepared, start: int, end: int) -> range:
    """Sentences that lie in [start, end)."""
    return range(bisect_left(data.starts, start), bisect_left(data.starts, end))


class _Lexical:
    """Counts and BM25 of a question's terms in small texts, many texts at once."""

    def __init__(self, idf: Mapping[str, float]):
        self._terms = list(idf)
        self.idf = np.array(list(idf.values()))
        self.total = float(self.idf.sum()) or 1.0

    def counts(self, texts: Sequence[Counter[str]]) -> tuple[np.ndarray, np.ndarray]:
        """(texts + 1, terms) and (texts + 1,) lengths; the last row is an empty text."""
        counts = np.zeros((len(texts) + 1, len(self._terms)))
        for row, text in zip(counts, texts, strict=False):
            row[:] = [text.get(term, 0) for term in self._terms]
        return counts, np.array([*(text.total() for text in texts), 0], dtype=float)

    def bm25(self, counts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(texts,): BM25 over the total idf."""
        norm = _K1 * (1 - _B + _B * lengths / _AVERAGE)
        return (counts * (_K1 + 1) / (counts + norm[:, None])) @ self.idf / self.total


def _flags(question: Question, sentence: Sentence) -> tuple[float, ...]:
    """Whether a sentence has what the kind of question looks for, in the order of FEATURES from `has_asked_number` on, without `first_hit`."""
    text, kind = sentence.text, question.kind
    lowered = text.lower()
    answers = kind == "number" and bool(quantity_answers(question, text))
    defines = kind == "definition" and bool(_DEFINES.search(text))
    topic = question.core.split(" ")[0].lower()
    place = lowered + " " + " ".join(sentence.section).lower()
    names = {name.lower() for name in question.names}
    return (
        answers,
        kind == "number" and not answers,
        kind == "person" and bool(sentence.speaker or _PERSON.search(text)),
        defines,
        defines and bool(topic) and 0 <= lowered.find(topic) <= 12,
        kind == "list" and (sentence.kind == "item" or bool(_ENUMERATES.search(text))),
        _reason(question, text) if kind == "why" else 0.0,
        sum(name in place for name in names) / len(names) if names else 0.0,
        len(text) < 12,
        sentence.kind == "heading",
        sentence.kind in ("figure", "contents"),
    )


def _reason(question: Question, text: str) -> float:
    """How much a sentence looks like what a why-question wants: a cause or means, or, where troubles are asked for, a trouble."""
    if _TROUBLE_ASKED.search(question.text):
        return 1.0 if _TROUBLE.search(text) else 0.0
    return 1.0 if _CAUSE.search(text) else 0.5 if _MEANS.search(text) else 0.0


def _window_cosines(asked: np.ndarray, units: Sequence[_Unit], around: np.ndarray) -> np.ndarray:
    """(rows,): cosine of the question's summed vector and that of each sentence with its neighbours."""
    totals = np.stack([*(unit.total for unit in units), np.zeros_like(asked)])
    windows = totals[around].sum(axis=1)
    lengths = np.linalg.norm(windows, axis=1) * np.linalg.norm(asked)
    return (windows @ asked) / np.where(lengths > 0, lengths, 1.0)
