"""What passes between the parts that read a file: lines as they stand, pieces of text, and all that a reader found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rag.types import Kind


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file as it stands, stripped, with what the layout says about it."""

    text: str
    tight: bool = False
    """It stands directly below the line before, without the space that parts text boxes."""
    page: int = 0
    """Which page break it follows: 0 for the first page, growing by one."""
    number: int | None = None
    """The page of the file or the printed page number, when known."""
    paragraph: bool = False
    """The layout (indent, gap) says that a paragraph begins here."""
    rank: int = 0
    """Size of its type relative to the body: 0 body, 1 or more for larger or bolder type."""
    kind: Literal["", "row", "note", "comment"] = ""
    """What the layout says that it is: a whole row of a table, a line of a footnote, or what a reader noted."""
    depth: int = 0
    """Level of a heading that the file's own outline names; 0 for any other line."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A block before it has its place in the document."""

    kind: Kind
    text: str
    page: int | None = None
    section: tuple[str, ...] = ()
    speaker: str = ""
    breaks: tuple[tuple[int, int | None], ...] = ()
    """(character of `text`, page) where another page begins inside it."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a reader found in a file."""

    pieces: list[Piece]
    title: str = ""
    matter: Mapping[str, str] = field(default_factory=dict)
    """What the file says of itself: id, title, publisher, year or date, language."""
    opening: str = ""
    """Text of the cover and first pages, where title, publisher and year stand."""
    ending: str = ""
    page_count: int = 0
    notes: tuple[str, ...] = ()
    labels: tuple[tuple[int, str], ...] = ()
    author: str = ""


def counted_notes(left_out: Mapping[str, int]) -> tuple[str, ...]:
    """What was left out or repaired, by kind and how often, for people.

    >>> counted_notes({"pictures not read": 2, "hidden parts left out": 1})
    ('hidden parts left out: 1', 'pictures not read: 2')
    """
    return tuple(f"{kind}: {count}" for kind, count in sorted(left_out.items()) if count)
