"""What quoted sentences have in common whoever chose them: their length, their beginning, and whether one repeats another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from rag.search.sentences import Sentence

# Characters of a marker such as " [1]", sentences that are looked through for repetition, and the share of character pairs that makes one.
MARKER, AMONG, REPEATED = 4, 24, 0.8


class Candidate(Protocol):
    """Whatever holds a sentence that may be quoted."""

    @property
    def sentence(self) -> Sentence: ...


C = TypeVar("C", bound=Candidate)


def length(sentences: Sequence[Sentence]) -> int:
    """Count the characters of sentences with their markers."""
    return sum(len(sentence.text) + MARKER for sentence in sentences)


def first_clause(sentence: Sentence) -> Sentence:
    """Cut a sentence at the first sign of rest that leaves something to read."""
    match = re.search(r"(?<=.{12})[，；,;]", sentence.text)
    return replace(sentence, text=sentence.text[: match.start()], end=sentence.start + match.start()) if match else sentence


def character_pairs(text: str) -> frozenset[str]:
    """Return the pairs of neighbouring characters of a text."""
    return frozenset(text[i : i + 2] for i in range(len(text) - 1))


def share_pairs(left: frozenset[str], right: frozenset[str], share: float) -> bool:
    """Tell whether two texts have that share of the shorter one's character pairs in common."""
    small = min(len(left), len(right))
    return small > 0 and len(left & right) >= share * small


def distinct(found: Sequence[C]) -> list[C]:
    """Return the first two dozen without those that nearly repeat an earlier one."""
    kept: list[tuple[C, frozenset[str]]] = []
    for one in found[:AMONG]:
        pairs = character_pairs(one.sentence.text)
        if not any(share_pairs(pairs, other, REPEATED) for _, other in kept):
            kept.append((one, pairs))
    return [one for one, _ in kept]
