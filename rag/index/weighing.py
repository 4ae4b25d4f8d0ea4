"""How much an encoder's cosine counts beside BM25, estimated on the corpus itself where nobody has learned it.

Gives up: anything but one weight, since the sentences of a corpus that ask for their own passage settle no more.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from rag.index.lexical import term_weight, terms
from rag.types import Encoder, FloatMatrix

GRID = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.1, 1.5, 2.0)
"""Weights of the cosine that an estimate chooses from."""
PROBES, RIVALS = 120, 600
"""Sentences that an estimate asks for, and chunks that it looks among."""
_SENTENCE = re.compile(r"[^。！？；\n.!?]{16,200}[。！？；.!?\n]")


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
    """Each term of a question with its share of their total weight, where `holding` of `count` passages hold a term."""
    weights = {
        term: term_weight(term) * math.log1p((count - holding[term] + 0.5) / (holding[term] + 0.5)) for term in dict.fromkeys(question)
    }
    total = sum(weights.values()) or 1.0
    return {term: weight / total for term, weight in weights.items()}
