"""Hits to sentences: every sentence of the best chunks gets a handful of features and one linear score.

Lexical evidence is taken at four widths (sentence, its neighbours, its heading, its chunk), likeness by token vectors, and the kind of the
question says what a sentence should hold. The weights were learned listwise on public questions; they stand in `model/ranker.json`.
Gives up: no model reads question and sentence together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from rag.index.encoder import BuiltinEncoder
from rag.rules.question import Question, quantity_answers
from rag.search.overlap import FEATURES as OVERLAP
from rag.search.overlap import Overlap
from rag.search.sentences import Sentence, SentenceIndex
from rag.types import Document, FloatMatrix, Hit

FEATURES = (
    "bm25_sentence", "bm25_window", "bm25_heading", "bm25_chunk", "coverage", "maxsim_sentence", "maxsim_heading", "window_cosine", "chunk_cosine",
    "has_asked_number", "lacks_number", "person", "defining", "defining_opens", "enumerates", "causal", "names", "short", "heading", "figure", "first_hit",
)  # fmt: skip

SHARED = OVERLAP.index("short")
"""Features in front that are those of `rag.search.overlap`."""

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
    """Ranks the sentences of hits by their overlap with the question and by what its kind looks for."""

    def __init__(self, words: BuiltinEncoder, index: SentenceIndex, overlap: Overlap):
        self._words, self._index, self._overlap = words, index, overlap

    def sentences(self, document: Document) -> tuple[Sentence, ...]:
        """All sentences of a document, in order."""
        return self._index.of(document)

    def rank(
        self, question: Question, idf: Mapping[str, float], hits: Sequence[Hit], document: Callable[[str], Document], carried: str = ""
    ) -> list[Scored]:
        """The sentences of the hits, best first; ties by place. `idf` holds the question's terms with their shares of the idf."""
        candidates: dict[tuple[str, int], tuple[Sentence, Hit]] = {}
        for hit in hits:
            for sentence in self._index.within(document(hit.chunk.document), hit.chunk.start, hit.chunk.end):
                candidates.setdefault((sentence.document, sentence.position), (sentence, hit))
        if not candidates:
            return []
        rows = list(candidates.values())
        overlap = self._overlap.features(self._asked(question.core, carried), idf, rows, document)
        flags = np.array([(*_flags(question, sentence), hit is hits[0]) for sentence, hit in rows], dtype=float)
        matrix = np.hstack([overlap[:, :SHARED], flags])
        scored = [
            Scored(sentence, float(score), hit, tuple(map(float, row)))
            for (sentence, hit), score, row in zip(rows, matrix @ ranker_weights(), matrix, strict=True)
        ]
        return sorted(scored, key=lambda item: (-item.score, item.sentence.document, item.sentence.position))

    def _asked(self, core: str, carried: str) -> tuple[FloatMatrix, FloatMatrix]:
        """The token vectors of a question and their weights; of a follow-up half of the weight is its own, half is shared, as for terms."""
        asked, weights = self._words.token_vectors(core)
        if carried:
            more, more_weights = self._words.token_vectors(carried)
            share = 1.0 / max(float(weights.sum() + more_weights.sum()), 1e-9)
            weights = weights * (share + 1.0 / max(float(weights.sum()), 1e-9))
            asked, weights = np.concatenate([asked, more]), np.concatenate([weights, more_weights * share])
        return asked, weights


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
