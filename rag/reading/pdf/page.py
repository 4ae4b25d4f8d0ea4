"""One page of a PDF -> its lines, and what is to be said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rag.reading.elements import Line
from rag.reading.pdf.glyphs import glyphs_of
from rag.reading.pdf.layout import Above, Layout, laid_out
from rag.reading.pdf.marks import marks_on
from rag.reading.pdf.ruled import with_tables
from rag.reading.pdf.runs import SetLine
from rag.reading.pdf.vertical import parted


@dataclass(frozen=True, slots=True)
class Page:
    """What a page came to."""

    lines: Sequence[SetLine] = ()
    gutter: float | None = None
    """Where its second column begins."""
    below: Above = field(default_factory=Above)
    """The table at its foot."""
    whole: bool = True
    """Whether it was read to its end."""
    outside: int = 0
    """Characters left out that lie outside the part that is shown."""
    hidden: int = 0
    """Characters left out that nobody sees."""
    comments: int = 0
    vertical: bool = False
    """Whether text is set in columns from top to bottom."""


def read_page(pdf: Any, number: int, plain: bytes, forms: Any, usual: float | None = None, above: Above | None = None) -> Page:
    """Page `number` (from 1); `usual` is the gutter of other pages, `above` the table at the foot of the page before, `plain` the font that
    is not bold where weights tell nothing, `forms` the form environment."""
    page = pdf[number - 1]
    try:
        seen, marks = glyphs_of(page, plain), marks_on(page, forms)
        flat, upright = parted(seen.runs)
        runs = with_tables(page, [*flat, *marks.runs], number)
    finally:
        page.close()
    top = -min((run.left for run in upright), default=-math.inf)  # what is left in a column turned was its top
    over = laid_out([run for run in runs if run.bottom > top - 1], number) if upright else Layout([], None, above or Above())
    columns = laid_out(upright, number).lines
    layout = laid_out([run for run in runs if run.bottom <= top - 1], number, usual, over.below)
    lines = [*over.lines, *columns, *layout.lines]
    lines += [SetLine(Line(text, page=number - 1, number=number, kind="comment"), 10.0, False) for text in marks.comments]
    return Page(lines, layout.gutter, layout.below, seen.whole, seen.outside, seen.hidden, len(marks.comments), bool(upright))
