"""Runs of text on a page, and what they say by themselves: figures, marks of currency, raised digits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.reading.elements import Line
from rag.reading.table_grid import Table

RAISABLE = "0123456789+-−–"
RAISED_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻"
RAISED = str.maketrans(RAISABLE, RAISED_DIGITS)
NUMBER = re.compile(
    r"[($€£¥￥+\-–—−]*\s?[\d.,]*\d[\d.,]*\s?[)%％xX]*(?:\s?(?:bps|pts?|[万亿年月倍]|million|billion))?|[—–-]{1,3}|N/?[AM]\.?|NM"
)
YEAR_CELL = re.compile(r"(?:FY)?\s?(?:19|20)\d\d[AEF年]?")
MARK = re.compile(r"[$€£¥￥]|US\$|RMB")
TAIL = re.compile(r"[)%％]+|pts?|bps|x")
LEADERS = re.compile(r"(?:[.．…·]\s?){4,}")


@dataclass(frozen=True, slots=True)
class Run:
    """Text on one baseline of a page, in points from the lower left corner."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    bold: bool = False
    places: tuple[float, ...] = field(default=(), compare=False, repr=False)
    """Where each character begins, when that is known."""
    entry: bool = False
    """Filled into a form."""
    name: str = ""
    """What the form calls the field."""
    table: Table | None = None
    """A ruled table that stands here instead of text."""

    @property
    def height(self) -> float:
        return self.top - self.bottom


@dataclass(frozen=True, slots=True)
class SetLine:
    """A line as it is set, before sizes are compared over all pages."""

    line: Line
    height: float
    bold: bool
    near: bool = False
    """Not further below the line before than lines of a heading are."""
    odd: int = 0
    """Characters without a meaning: private, unknown, or the name of a glyph."""


def join_runs(row: Sequence[Run], wide: float) -> list[Run]:
    """Runs of one row put together where no more than `wide` parts them."""
    pieces: list[Run] = []
    for run in row:
        last = pieces[-1] if pieces else None
        if last is None or run.left - last.right > wide:
            pieces.append(run)
            continue
        blank = " " if run.left - last.right > 0.2 * last.height and not last.text.endswith(" ") else ""
        longer = last if len(last.text) >= len(run.text) else run
        raised = (
            run.height < 0.8 * last.height
            and run.bottom > last.bottom + 0.25 * last.height
            and re.fullmatch(r"[-−–+]?\d+", run.text)
            and not blank
        )
        pieces[-1] = Run(
            last.text + blank + (run.text.translate(RAISED) if raised else run.text),
            last.left,
            max(last.right, run.right),
            longer.bottom,
            longer.top,
            last.bold and run.bold,
        )
    return pieces
