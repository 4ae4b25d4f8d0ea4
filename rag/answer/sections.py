"""Which section of a report a message means: by its number, by its name, or by the words that both share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from rag.answer.material import Asked
from rag.index.lexical import terms
from rag.index.outline import Outline, Part
from rag.search.question import strip_asking
from rag.text.quantities import DIGITS

NAMED = 0.4
"""Mean of the share of a heading's terms that a message has, and of the message's that the heading has, from which it names the section."""
SURELY = 1.0
"""Score of a section that is named by its number or its whole name."""


def label(heading: str) -> str:
    """What a heading speaks of: without its number, without what only explains it and without what stands in brackets at its end.

    >>> label("2.6 零售：端到端数智化"), label("Trend 2: Chiplet"), label("3.1.2 Device and cloud"), label("1) AI"), label("趋势二 Chiplet")
    ('零售', 'Chiplet', 'Device and cloud', 'AI', 'Chiplet')
    """
    match = _NUMBERED.match(heading)
    bare = heading[match.end() :].strip(" .、:：)）") if match else heading
    bare = re.split(r"[：:]|——", bare or heading)[0].strip() or heading.strip()
    return re.sub(r"\s*[（(][^（）()]*[)）]$", "", bare) or bare


def named_part(asked: Asked, outline: Outline) -> tuple[float, Part] | None:
    """The section that a message names by its number or its words, with how surely; the deepest of those named alike gives way to the outer."""
    said = asked.text.casefold()
    there = set(terms(asked.text))
    core = {term for term in terms(strip_asking(asked.text)) if len(term) > 1}
    shared = Counter(part.section[-1] for part in outline.parts[1:])  # "Summary" of every chapter names none of them
    found: list[tuple[float, int, int, Part]] = []
    for place, part in enumerate(outline.parts[1:]):
        heading = part.section[-1]
        name = label(heading).casefold()
        words = {term for term in terms(name) if len(term) > 1}
        share = (len(words & there) / len(words) + len(words & core) / max(1, len(core))) / 2 if words else 0.0
        score = 0.0
        if is_counted(heading, said):
            score = 2.0
        elif shared[heading] > 1:
            continue
        elif len(name) > 1 and name in said:
            score = 1.0 + len(name) / 100
        elif share >= NAMED:
            score = share
        if score:
            found.append((-score, len(part.section), place, part))
    best = min(found, default=None, key=lambda entry: entry[:3])
    return (-best[0], best[3]) if best else None


_DIGITS = r"\d{1,2}(?:\.\d{1,2})*|[一二三四五六七八九十]{1,3}"
_NUMBER = re.compile(_DIGITS)
_WORDS = {word: n for n, word in enumerate("two three four five six seven eight nine ten eleven twelve".split(), 2)}
_NUMBERED = re.compile(rf"(?P<before>\D{{0,12}}?)(?P<number>{_DIGITS})(?=[\s:：.、)）章节篇部]|$)")
"""How a numbered heading begins: "2.6 ", "1) ", "趋势二 ", "Trend 2: ", "第三章 "."""


def number_of(heading: str) -> str:
    """The number that a heading bears, "" for none.

    >>> number_of("趋势五 云"), number_of("3.1.2 Device"), number_of("Trend 10: AI"), number_of("Chiplet"), number_of("第三章 成本")
    ('5', '3.1.2', '10', '', '3')
    """
    match = _NUMBERED.match(heading)
    return arabic(match["number"]) if match else ""


def arabic(number: str) -> str:
    """A number below a hundred in digits.

    >>> arabic("二十三"), arabic("十"), arabic("03"), arabic("3.10")
    ('23', '10', '3', '3.10')
    """
    if number[0].isdigit():
        return ".".join(str(int(piece)) for piece in number.split("."))
    tens, ten, ones = number.rpartition("十")
    return str((DIGITS.get(tens, 1) * 10 if ten else 0) + (DIGITS.get(ones, 0) if ones else 0))


def counts_in(text: str) -> set[str]:
    """The whole numbers that a text says, in digits or words.

    >>> sorted(counts_in("the ten trends of 3 pools, 第二"))
    ['10', '2', '3']
    """
    words = {str(_WORDS[word]) for word in re.findall("[a-z]+", text) if word in _WORDS}
    return words | {arabic(found[0]) for found in _NUMBER.finditer(text)}


def is_counted(heading: str, said: str) -> bool:
    """Whether a message counts to a heading: with the words before its number ("Trend 5"), or, where a heading has none, as a section is counted.

    >>> is_counted("2 Scenarios", "what does chapter 2 say"), is_counted("趋势五 云", "趋势五讲什么"), is_counted("1 宏观", "那一章讲什么")
    (True, True, False)
    """
    match = _NUMBERED.match(heading)
    if not match:
        return False
    number, before = arabic(match["number"]), match["before"].strip(" (（第").casefold()
    counted = {arabic(found[1]) for found in re.finditer(rf"{re.escape(before)}\s*({_DIGITS})(?![\d.]*\d)", said)} if before else set()
    if before:
        return number in counted
    section = re.finditer(rf"(?:第\s*|\b[a-z]+\s+(?=\d)|(?<![\d.])(?=\d+\.\d))({_DIGITS})(?!\d|\.\d)", said)
    return number in {arabic(found[1]) for found in section}


def series_of(parts: Sequence[Part], asked: Asked) -> list[Part]:
    """Parts whose headings begin alike and bear numbers, where the message says what they begin with, or how many they are."""
    found: dict[str, list[Part]] = {}
    for part in parts:
        match = _NUMBERED.match(part.section[-1])
        if match and (before := match["before"].strip(" (（第").casefold()):
            found.setdefault(before, []).append(part)
    said = asked.text.casefold()
    return next((group for name, group in found.items() if len(group) > 1 and name in said), [])
