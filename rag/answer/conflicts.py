"""Figures at odds: sentences that say what the best one says, but for a figure, shown side by side with their reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.answer.quoting import Candidate, character_pairs, share_pairs
from rag.answer.verify import figures_at_odds
from rag.search.sentences import Sentence
from rag.text.quantities import quantities
from rag.types import Document

# The best sentences among which rivals are looked for, how many are shown, and the share of the shorter one's character pairs that both have.
AMONG, SHOWN, AKIN = 24, 2, 0.5


@dataclass(frozen=True, slots=True)
class Conflict:
    """A sentence at odds with the best one: the best one's figure and its own, as written."""

    sentence: Sentence
    figure: str
    rival: str


def find_conflicts(found: Sequence[Candidate], at_odds: Callable[[str, str], tuple[str, str] | None] = figures_at_odds) -> list[Conflict]:
    """Return the sentences that are at odds with the first one in a figure, best first, one for each other figure; `at_odds` tells that of two texts."""
    best = found[0].sentence.text
    if not quantities(best):
        return []
    pairs, rivals = character_pairs(best), dict[str, Conflict]()
    for one in found[1:AMONG]:
        # Of most sentences a look at their characters tells that they say something else.
        akin = share_pairs(pairs, character_pairs(one.sentence.text), AKIN)
        if akin and (figures := at_odds(best, one.sentence.text)):
            rivals.setdefault(figures[1], Conflict(one.sentence, *figures))
    return list(rivals.values())[:SHOWN]


def describe_conflict(language: str, best: Sentence, rivals: Sequence[Conflict], documents: Sequence[Document]) -> str:
    """Say which report, or which section of one report, has which figure; with years where those may be the reason.

    `documents` holds the report of the best sentence and of each rival, in that order.
    """
    places = [(best, rivals[0].figure), *((rival.sentence, rival.rival) for rival in rivals)]
    names = [document.title for document in documents]
    if len(set(names)) < len(names):
        names = [" / ".join((name, *sentence.section[-1:])) for name, (sentence, _) in zip(names, places, strict=True)]
    dated = len({document.year for document in documents}) > 1
    zh, said = language == "zh", []
    for name, document, (_, figure) in zip(names, documents, places, strict=True):
        named = f"《{name}》" if zh else f'"{name}"'
        if dated and document.year:
            named += f"（{document.year} 年）" if zh else f" ({document.year})"
        said.append(f"{named}写 {figure}" if zh else f"{named} has {figure}")
    return f"各处的数字不一致：{'，'.join(said)}。" if zh else f"The figures differ: {', '.join(said)}."
