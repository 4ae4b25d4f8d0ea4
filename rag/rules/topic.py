"""Whether reports speak of what a question is about at all; whether they answer it is for `rag.rules.demands` and `rag.rules.premises`.

A logistic curve over a few figures of the best sentences, learned on questions put to reports that answer them and to reports on something else
(`train.train_topic`). Colloquial questions share few words with their answer, so words of like meaning count too, by the dictionary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from rag.index.lexical import terms
from rag.rules.demands import Surroundings
from rag.rules.likeness import says, words_of
from rag.rules.question import Question
from rag.rules.rank import Scored
from rag.search.translate import rarity

TOPIC_FILE = Path(__file__).parent.parent / "model" / "topic.json"
CONTENDERS = 4
"""The best of so many sentences decides."""
FEATURES = ("score", "window_cosine", "chunk_cosine", "coverage", "spoken_of")
"""The score of the best sentence, features of `rag.rules.rank` at their best, and `spoken_of` at its best."""


def topic_features(question: Question, found: Sequence[Scored], around: Callable[[Scored], Surroundings]) -> np.ndarray:
    """float64 (len(FEATURES),) of ranked sentences, best first; at least one. `around` gives what stands around one."""
    best = found[:CONTENDERS]
    sections = {(item.sentence.document, item.sentence.section): item for item in reversed(best)}
    told = max(spoken_of(question, around(item)) for item in sections.values())
    return np.array([best[0].score, *(max(item.feature(name) for item in best) for name in FEATURES[1:-1]), told])


def speaks_of_topic(question: Question, found: Sequence[Scored], around: Callable[[Scored], Surroundings], strictness: str) -> bool:
    """Whether the best of ranked sentences, at least one, speak of what is asked about, at a strictness."""
    weights, offset, thresholds = _model()
    return (
        float(topic_features(question, found, around) @ weights) + offset
        >= thresholds[languages_of(question, around(found[0]))][strictness]
    )


def languages_of(question: Question, around: Surroundings) -> str:
    """Of a question and of what stands around a sentence: "zh to en"; a text of no known language counts as the question's."""
    return f"{question.language} to {around.language or question.language}"


def spoken_of(question: Question, around: Surroundings) -> float:
    """The share of a question's words, by their rarity, that a section says, or says by words of like meaning or translations; 0 to 1."""
    words = words_of(f"{question.core} {question.carried}")
    text, there = around.told_in.lower(), frozenset(terms(around.told_in))
    across = question.language != around.language
    weights = {word: rarity(word) for word in words}
    total = sum(weights.values())
    return sum(weight * says(word, text, there, across=across) for word, weight in weights.items()) / total if total else 0.0


@cache
def _model() -> tuple[np.ndarray, float, dict[str, dict[str, float]]]:
    """Weights, offset and the thresholds by languages and strictness."""
    stored = json.loads(TOPIC_FILE.read_text(encoding="utf-8"))
    return np.array([stored["weights"][name] for name in FEATURES]), stored["offset"], stored["thresholds"]
