"""Near copies among what was found, so that a statement does not win by being filed five times.

Planted files cannot be told from true ones by their text. What can be done: say it once, keep room for what else the reports say, and
leave the reader to judge between sources. Texts that differ in a figure are no copies, since a changed figure is what matters most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rag.search.fusion import sentence_terms

ALIKE = 0.8
"""Jaccard similarity of lexical terms from which on one text is a copy of another."""
TELLING = 6
"""Terms that a sentence has at least, if its repetition in another report is to make passages copies."""
SHARE = 0.6
"""Of the passages that are passed on, the part that one report may take while others have something to say."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Told:
    """What a passage tells one who asks: all its terms, and those of the sentence that has most of the question."""

    report: str
    words: frozenset[str]
    core: frozenset[str]

    @classmethod
    def of(cls, report: str, text: str, shares: Mapping[str, float]) -> Told:
        """`shares` are the question's terms with their weights."""
        sentences = sentence_terms(text)
        core = max(sentences, key=lambda words: sum(shares[term] for term in shares.keys() & words), default=frozenset())
        return cls(report, frozenset().union(*sentences), core)

    def repeats(self, other: Told) -> bool:
        """Whether both are the same text, or two reports answer in the same sentence; a figure more or less is allowed, another is not."""
        if _copy(self.words, other.words):
            return True
        return self.report != other.report and min(len(self.core), len(other.core)) >= TELLING and _copy(self.core, other.core)


def copies_last(found: Sequence[Item], read: Callable[[Item], Told], top_k: int) -> list[Item]:
    """The first `top_k` of what was found, in order, where what repeats another stands behind all that does not.

    >>> files = ["rents rose by 5%", "Rents rose by 5%.", "rents rose by 9%", "taxes fell"]
    >>> copies_last(files, lambda text: Told.of("", text, {}), 3), copies_last(files, lambda text: Told.of("", text, {}), 4)[3]
    (['rents rose by 5%', 'rents rose by 9%', 'taxes fell'], 'Rents rose by 5%.')
    """
    kept, copies = parted(found, read, top_k)
    return [*kept, *copies][:top_k]


def parted(found: Sequence[Item], read: Callable[[Item], Told], most: int) -> tuple[list[Item], list[Item]]:
    """The first `most` that repeat no better one, and the copies met on the way there; both in order."""
    kept: list[Item] = []
    tales: list[Told] = []
    copies: list[Item] = []
    for item in found:
        if len(kept) == most:
            break
        told = read(item)
        if any(told.repeats(other) for other in tales):
            copies.append(item)
        else:
            kept.append(item)
            tales.append(told)
    return kept, copies


def _copy(one: frozenset[str], other: frozenset[str]) -> bool:
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    if len(small) < ALIKE * len(large):
        return False
    both = len(small & large)
    if both < ALIKE * (len(small) + len(large) - both):
        return False
    return not any(term[0].isdigit() for term in small - large) or not any(term[0].isdigit() for term in large - small)


def shared_out(found: Sequence[Item], report_of: Callable[[Item], str], most: int) -> list[Item]:
    """The first `most` of what was found, of which one report has at most SHARE while there are others to fill the rest.

    >>> shared_out(["a1", "a2", "a3", "a4", "b1", "b2"], lambda item: item[0], 5), shared_out(["a1", "a2", "a3"], lambda item: item[0], 2)
    (['a1', 'a2', 'a3', 'b1', 'b2'], ['a1', 'a2'])
    """
    room, taken, kept, over = max(1, round(SHARE * most)), {}, [], []
    for place, item in enumerate(found):
        report = report_of(item)
        taken[report] = taken.get(report, 0) + 1
        (kept if taken[report] <= room else over).append(place)
    return [found[place] for place in sorted([*kept, *over][:most])]
