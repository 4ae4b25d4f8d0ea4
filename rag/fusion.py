"""How BM25 and cosine become one score: constants learned on public questions for the built-in encoder, estimated from the corpus for others.

Gives up: rank fusion, which loses what the scores say, and anything with more parameters than a public set can settle.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from rag.lexical import terms
from rag.text.chunk import split_sentences
from rag.translate import Concept
from rag.types import Encoder, FloatMatrix

FUSION_FILE = Path(__file__).parent / "model" / "fusion.json"
GRID = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.1, 1.5, 2.0)
"""Weights of the cosine that an estimate chooses from."""
PROBES, RIVALS = 120, 600
"""Sentences that an estimate asks for, and chunks that it looks among."""
_SENTENCE = re.compile(r"[^。！？；\n.!?]{16,200}[。！？；.!?\n]")


@dataclass(frozen=True, slots=True)
class Mix:
    """How a chunk's scores become one: `scale * (lexical + dense * cosine + sentence * best sentence + likeness * likeness) + offset`."""

    dense: float
    """How much a cosine counts beside a normalised BM25."""
    scale: float = 1.0
    offset: float = 0.0
    sentence: float = 0.0
    """How much the share of the question that the best sentence of the chunk has by itself."""
    likeness: float = 0.0
    """How much the likeness of the question's words to the chunk's, word by word."""

    def fused(self, lexical: float, cosine: float, sentence: float = 0.0, likeness: float = 0.0) -> float:
        """The mixed score; only its order and differences mean anything."""
        return self.scale * (lexical + self.dense * cosine + self.sentence * sentence + self.likeness * likeness) + self.offset


@cache
def _mixes() -> Mapping[str, Mix]:
    stored = json.loads(FUSION_FILE.read_text(encoding="utf-8"))["mixes"]
    return {name: Mix(**values) for name, values in stored.items()}


def mix_for(question: str, report: str, dense_weight: float | None = None) -> Mix:
    """The mix for a question in one language and a report in another ("zh", "en"); an unknown language counts as the question's.

    `dense_weight` is that of another encoder within one language; all the built-in encoder's weights are then taken in proportion.
    """
    other = report in ("zh", "en") and report != question
    mix = _mixes()[f"{question} to {report if other else question}"]
    if dense_weight is None:
        return mix
    # Across languages an encoder that knows only one of them says nothing, so its weight is not raised there.
    usual = _mixes()[f"{question} to {question}"].dense
    return replace(mix, dense=mix.dense * min(1.0, dense_weight / usual)) if other else replace(mix, dense=dense_weight)


def estimate_dense_weight(texts: Sequence[str], vectors: FloatMatrix, encoder: Encoder) -> float | None:
    """The weight of this encoder's cosine on this corpus, or None when there is too little text to tell.

    Sentences of sampled chunks lose half of their words and look for their chunk by BM25 and cosine; the weight (and a temperature) that
    make the right chunks most probable win. `vectors` (len(texts), dimension) are the chunks' own.
    """
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(texts))[:RIVALS]
    probes = []
    for place, row in enumerate(chosen):
        sentences = _SENTENCE.findall(texts[row])
        if sentences and len(probes) < PROBES:
            probes.append((place, _thinned(sentences[int(rng.integers(len(sentences)))], rng)))
    if len(probes) < 20:
        return None
    asked = [text for _, text in probes]
    right = np.array([place for place, _ in probes])
    lexical = bm25([terms(text) for text in asked], [terms(texts[row]) for row in chosen])
    cosines = encoder.encode(asked, query=True) @ vectors[chosen].T
    fits = {}
    for weight in GRID:
        scores = lexical + weight * cosines
        for temperature in (0.03, 0.06, 0.12, 0.25):
            logits = scores / temperature
            peak = logits.max(axis=1, keepdims=True)
            surprise = np.log(np.exp(logits - peak).sum(axis=1)) + peak[:, 0] - logits[np.arange(len(right)), right]
            fits[weight, temperature] = float(surprise.mean())
    return min(fits, key=lambda pair: (fits[pair], pair))[0]


def _thinned(sentence: str, rng: np.random.Generator) -> str:
    """Half of the words of a sentence, in order; of Chinese half of the pairs of characters."""
    words = re.findall(r"[\u3400-\u9fff]{1,2}|[^\s\u3400-\u9fff]+", sentence)
    kept = sorted(rng.permutation(len(words))[: max(2, len(words) // 2)])
    return " ".join(words[i] for i in kept)


def best_sentence(asked: Mapping[str, float] | Sequence[Concept], text: str) -> float:
    """The largest share of a question's weight that one sentence of the text has, whatever the others say.

    `asked` holds the question's lexical terms, or its concepts where it was translated. What answers is mostly said in one place; BM25 adds
    up what stands far apart.

    >>> best_sentence({"cost": 0.5, "fell": 0.5}, "Costs fell. They rose again."), best_sentence({"cost": 0.5, "fell": 0.5}, "Costs rose. Rents fell.")
    (1.0, 0.5)
    """
    if isinstance(asked, Mapping):
        return max((sum(asked[term] for term in asked.keys() & sentence) for sentence in sentence_terms(text)), default=0.0)
    return max((sum(concept.weight * concept.said(sentence) for concept in asked) for sentence in sentence_terms(text)), default=0.0)


@lru_cache(maxsize=1024)
def sentence_terms(text: str) -> tuple[frozenset[str], ...]:
    """The lexical terms of each sentence. The same chunks come up again and again; a thousand of them take some 30 MB."""
    return tuple(frozenset(terms(text[start:end])) for start, end in split_sentences(text))


def bm25(questions: Sequence[Sequence[str] | Mapping[str, float]], passages: Sequence[Sequence[str]]) -> np.ndarray:
    """(questions, passages) of BM25 as the index computes it, over small sets in memory.

    A question is its terms, and each row is then divided by their total idf, or terms with shares of that total.
    """
    counts = [Counter(passage) for passage in passages]
    lengths = np.array([count.total() for count in counts], dtype=np.float64)
    norms = 1.2 * (0.25 + 0.75 * lengths / max(lengths.mean(), 1.0))
    postings: dict[str, list[tuple[int, int]]] = {}
    for place, count in enumerate(counts):
        for term, times in count.items():
            postings.setdefault(term, []).append((place, times))
    scores = np.zeros((len(questions), len(passages)))
    for row, question in zip(scores, questions, strict=True):
        shares = question
        if not isinstance(question, Mapping):
            shares = idf_shares(question, {term: len(postings.get(term, ())) for term in question}, len(passages))
        for term, share in shares.items():
            for place, times in postings.get(term, ()):
                row[place] += share * times * 2.2 / (times + norms[place])
    return scores


def idf_shares(question: Sequence[str], holding: Mapping[str, int], count: int) -> dict[str, float]:
    """Each term of a question with its share of their total idf, where `holding` of `count` passages hold a term."""
    idf = {term: math.log1p((count - holding[term] + 0.5) / (holding[term] + 0.5)) for term in dict.fromkeys(question)}
    total = sum(idf.values()) or 1.0
    return {term: value / total for term, value in idf.items()}
