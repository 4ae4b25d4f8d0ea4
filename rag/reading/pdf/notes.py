"""What people are told of a file: what was left out or repaired, counted by kind."""

from __future__ import annotations

from collections.abc import Sequence

from rag.reading.elements import Piece
from rag.reading.pdf.glyphs import MAX_CHARACTERS
from rag.reading.pdf.page import Page

_NAMED = 5
"""Names of attached files that are told."""
_LABELS = 3
"""Lines of a figure's text from which they are the labels of a chart."""


def notes_on(pages: Sequence[Page], pieces: Sequence[Piece], attached: Sequence[str]) -> list[str]:
    """One note for each kind of thing."""
    notes = []
    for what, of in (
        (f"cut off after {MAX_CHARACTERS} characters", lambda page: not page.whole),
        ("text outside the visible page left out", lambda page: page.outside > 0),
        ("hidden text left out", lambda page: page.hidden > 0),
        ("text in vertical columns, read from right to left", lambda page: page.vertical),
    ):
        numbers = [number for number, page in enumerate(pages, 1) if of(page)]
        if numbers:
            notes.append(f"{listed(numbers)}: {what}")
    if comments := sum(page.comments for page in pages):
        notes.append(f"{counted(comments, 'comment')} of readers kept as such")
    if charts := sum(piece.kind == "figure" and piece.text.count("\n") >= _LABELS - 1 for piece in pieces):
        notes.append(f"labels of {counted(charts, 'figure')} kept apart from the text")
    if attached:
        more = f" and {len(attached) - _NAMED} more" if len(attached) > _NAMED else ""
        notes.append(f"{counted(len(attached), 'attached file')} not read: {', '.join(attached[:_NAMED])}{more}")
    return notes


def counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def listed(numbers: Sequence[int]) -> str:
    """Numbers of pages for people, neighbours put together.

    >>> listed([1, 2, 3, 7])
    'pages 1-3, 7'
    """
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    shown = [f"{first}-{last}" if last > first else f"{first}" for first, last in spans[:20]]
    return f"page{'s' * (len(set(numbers)) > 1)} {', '.join(shown)}{' …' * (len(spans) > 20)}"
