"""How BM25 and cosine become one score: constants learned on public questions; other encoders bring their own (`rag.index.weighing`).

Gives up: rank fusion, which loses what the scores say, and anything with more parameters than a public set can settle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

from rag.index.lexical import terms
from rag.search.translate import Concept
from rag.text.chunk import split_sentences

FUSION_FILE = Path(__file__).parent.parent / "model" / "fusion.json"


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
