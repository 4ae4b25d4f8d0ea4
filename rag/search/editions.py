"""Whether two reports are one report in two languages, by what a translation keeps: its figures in their order, and names in Latin letters.

Nothing is asked of ids or file names. Gives up: short texts without figures and names, and translations that leave out half.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from rag.types import Document

# Characters that are looked at, of Chinese and of English: the same share of a text in both.
LOOKED_AT = {"zh": 12_000, "en": 40_000}
# English letters for one Chinese character, in translations; numbers and names in Latin letters bring it near to 1.
LENGTHS = (0.9, 6.0)
# Figures at most that are laid side by side.
FIGURES = 400
# What both share at least: of the Chinese text's names, and of the shorter list of figures in order; where there are few figures, nearly all names.
NAMES_SHARED, FIGURES_SHARED, NAMES_ALONE = 0.6, 0.5, 0.85
# Figures, and names without them, that are enough to tell.
ENOUGH_FIGURES, ENOUGH_NAMES = 8, 15

# Sets of reports whose editions are remembered.
REMEMBERED = 16
_TOLD: OrderedDict[tuple[tuple[tuple[str, str], ...], str], frozenset[str]] = OrderedDict()
_TELLING = threading.Lock()

_FIGURE = re.compile(r"\d+(?:[.,]\d+)*%?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,}")


@dataclass(frozen=True, slots=True)
class Marks:
    """What a translation keeps of a text."""

    length: int
    figures: tuple[str, ...]
    names: frozenset[str]


@lru_cache(maxsize=512)
def marks_of(text: str, language: str) -> Marks:
    """Return the figures of two characters and more, in order, and the words in Latin letters.

    >>> marks_of("2022 年，Kubernetes 的份额升到 61.5%，共 3 家。", "zh")
    Marks(length=36, figures=('2022', '61.5%'), names=frozenset({'kubernetes'}))
    """
    text = text[: LOOKED_AT[language]]
    figures = (figure.replace(",", "") for figure in _FIGURE.findall(text))
    return Marks(
        len(text), tuple(figure for figure in figures if len(figure) > 1)[:FIGURES], frozenset(map(str.lower, _NAME.findall(text)))
    )


def are_editions(chinese: Marks, english: Marks) -> bool:
    """Tell whether an English text says the same as a Chinese one."""
    least, most = LENGTHS
    if not chinese.length or not least <= english.length / chinese.length <= most:
        return False
    shared = len(chinese.names & english.names)
    shorter = min(len(chinese.figures), len(english.figures))
    if shorter < ENOUGH_FIGURES:
        return shared >= max(ENOUGH_NAMES, NAMES_ALONE * len(chinese.names))
    if shared < NAMES_SHARED * len(chinese.names):
        return False
    blocks = SequenceMatcher(None, chinese.figures, english.figures, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= FIGURES_SHARED * shorter


def says_the_same(one: Document, other: Document) -> bool:
    """Tell whether two reports with their texts are editions of one in two languages."""
    if {one.language, other.language} != LOOKED_AT.keys():
        return False
    chinese, english = (one, other) if one.language == "zh" else (other, one)
    return are_editions(marks_of(chinese.text, "zh"), marks_of(english.text, "en"))


def told_twice(reports: Sequence[Document], language: str) -> frozenset[str]:
    """Return the ids of those reports in `language`, "zh" or "en", that another of the reports says in the other language.

    The reports have their texts; those of no known language are left alone.
    """
    marked = [(report, marks_of(report.text, report.language)) for report in reports if report.language in LOOKED_AT]
    others = [marks for report, marks in marked if report.language != language]
    # Editions share a mark, so that most pairs need no comparing.
    holding: dict[str, set[int]] = {}
    for number, other in enumerate(others):
        for mark in {*other.names, *other.figures}:
            holding.setdefault(mark, set()).add(number)

    def is_told(marks: Marks) -> bool:
        near = set[int]().union(*(holding.get(mark, ()) for mark in {*marks.names, *marks.figures}))
        return any(are_editions(*((marks, others[i]) if language == "zh" else (others[i], marks))) for i in near)

    return frozenset(report.id for report, marks in marked if report.language == language and is_told(marks))


def in_language(reports: Sequence[Document], document: Callable[[str], Document], language: str) -> list[Document]:
    """Return the reports without those in the other language that one of them says in `language`; `document` returns a report with its text."""
    foreign = "en" if language == "zh" else "zh"
    if not {report.language for report in reports} >= {language, foreign}:
        return list(reports)
    told = _remembered(tuple((report.id, report.sha256) for report in reports), document, foreign)
    return [report for report in reports if report.id not in told]


def _remembered(reports: tuple[tuple[str, str], ...], document: Callable[[str], Document], language: str) -> frozenset[str]:
    """Return what `told_twice` says of these reports, (id, sha256) each. Every pair of two languages is compared, so it is asked once."""
    with _TELLING:
        if (reports, language) not in _TOLD:
            _TOLD[reports, language] = told_twice([document(name) for name, _ in reports], language)
            while len(_TOLD) > REMEMBERED:
                _TOLD.popitem(last=False)
        return _TOLD[reports, language]
