"""What a collection of reports looks like from above: the outline of each with sizes, and the words that are its own.

Counting only: no model decides what a report is about, so a rare way of saying a thing does not show.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rag.types import Document

_HAN = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-+.][A-Za-z0-9]+)*")
_EDGE = frozenset(
    "预的了在和与及是等为对将以有可从到中上下这其并也而或被把让使用会能要不更多个种一二三四五六七八九十年月日最大高新们来去过后前内外间时于由向"
)
_STOP = frozenset(
    "expected figure figures trend trends thinks example chapter section a about above after all also an and any are as at be because been before being between both but by can could did do does each even for from "
    "further had has have he her here his how i if in into is it its just like may more most much must no nor not now of on one only or other "
    "our out over own per same says say she should so some such than that the their them then there these they this those through thus to too "
    "two under up upon use used using very was we well were what when where which while who will with within without would you your".split()
)


MOST_CHARACTERS = 200_000
"""Of a report, which are counted."""


@dataclass(frozen=True, slots=True)
class Field:
    """One section of a report's outline."""

    section: tuple[str, ...]
    characters: int


def outline(document: Document, share: float = 0.2) -> list[Field]:
    """The sections of a report with all that stands below them, in order. A section with more than a share of the text, and more than one
    section below it, is given by those, down to the third level.
    """
    total = sum(block.end - block.start for block in document.blocks) or 1

    def below(path: tuple[str, ...]) -> list[Field]:
        sizes: dict[tuple[str, ...], int] = {}
        for block in document.blocks:
            if block.section[: len(path)] == path:
                key = block.section[: len(path) + 1]
                sizes[key] = sizes.get(key, 0) + block.end - block.start
        fields = []
        for section, size in sizes.items():
            children = below(section) if len(section) > len(path) and len(section) < 3 and size > share * total else []
            fields += children if len(children) > 1 else [Field(section, size)] if section else []
        return fields

    return below(()) or [Field((), total)]


def key_terms(documents: Sequence[Document], count: int = 10) -> dict[str, list[tuple[str, int]]]:
    """For each report (term, how often) of the words that set it apart from others of its language, the most telling first."""
    counted = {document.id: _terms(document.text[:MOST_CHARACTERS]) for document in documents}
    found = {}
    for document in documents:
        own, rest = counted[document.id], Counter[str]()
        for other in documents:
            if other.id != document.id and other.language == document.language:
                rest.update(counted[other.id])
        here = max(sum(own.values()), 1)
        there = max(sum(rest.values()), here)  # a lone report is compared with as much that holds none of its words
        scores = {
            term: times * math.log((times / here) / ((rest[term] + 0.5) / there)) * math.sqrt(min(len(term), 6))
            for term, times in own.items()
            if times >= 3
        }
        chosen: list[str] = []
        for term in sorted(scores, key=lambda term: (-scores[term], term)):
            folded = term.casefold()
            if scores[term] > 0 and not any(folded in other.casefold() or other.casefold() in folded for other in chosen):
                chosen.append(term)
            if len(chosen) == count:
                break
        found[document.id] = [(term, own[term]) for term in chosen]
    return found


def _terms(text: str) -> Counter[str]:
    """Words, pairs of English words and runs of 2 to 5 Han characters that stand in several surroundings, with their numbers."""
    counted: Counter[str] = Counter()
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    before, behind = "", -1
    for match in _WORD.finditer(text):
        plain = match[0].casefold()
        if plain in _STOP or len(plain) < 2:
            continue
        counted[plain] += 1
        forms[plain][match[0]] += 1
        if match.start() == behind + 1 and before != plain and text[behind] == " ":
            counted[f"{before} {plain}"] += 1
            forms[f"{before} {plain}"][f"{before} {plain}"] += 1
        before, behind = plain, match.end()
    found = Counter({forms[plain].most_common(1)[0][0]: times for plain, times in counted.items()})
    runs: Counter[str] = Counter()
    left: dict[str, set[str]] = defaultdict(set)
    right: dict[str, set[str]] = defaultdict(set)
    for run in _HAN.findall(text):
        for start in range(len(run)):
            for end in range(start + 2, min(start + 5, len(run)) + 1):
                piece = run[start:end]
                if piece[0] in _EDGE or piece[-1] in _EDGE:
                    continue
                runs[piece] += 1
                left[piece].add(run[start - 1] if start else "|")
                right[piece].add(run[end] if end < len(run) else "|")
    whole = {piece: times for piece, times in runs.items() if times >= 4 and len(left[piece]) > 2 and len(right[piece]) > 2}
    for piece, times in whole.items():
        if not any(piece in longer and more > 0.6 * times for longer, more in whole.items() if len(longer) > len(piece)):
            found[piece] = times
    return found
