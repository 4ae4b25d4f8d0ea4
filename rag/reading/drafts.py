"""Pieces in the making, as `rag.reading.paragraphs` and the profiles of single publishers pass them on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from rag.reading.elements import Line
from rag.types import Kind


@dataclass(slots=True)
class Draft:
    """A piece in the making."""

    kind: Kind
    text: str
    line: Line
    depth: int = 0
    """Level of a heading from 1; -1 for one below whatever stands open; 0 for a label."""
    speaker: str = ""
    role: str = ""
    """What a label says of the text that belongs to it."""
    is_open: bool = False
    """A paragraph that stops inside a sentence."""
    foot: bool = False
    """A heading with nothing below it on its page."""
    drop_capital: bool = False
    boxed: bool = False
    """Set apart in a text box of its own."""
    measure: float = 0.0
    """Usual width of its lines."""
    signature: bool = False
    breaks: list[tuple[int, int | None]] = field(default_factory=list)

    def add(self, joined: str, text: str, line: Line) -> None:
        """Goes on with `text` of a line; `joined` is the whole with it."""
        page = self.breaks[-1][1] if self.breaks else self.line.number
        if line.number != page:
            self.breaks.append((len(joined) - len(text), line.number))
        self.text = joined


def attribute(drafts: Sequence[Draft]) -> None:
    """Give the text before a signature its speaker: the boxes of the same remark, else everything back to a heading or signature."""
    for position, draft in enumerate(drafts):
        if not draft.signature:
            continue
        at = position - 1
        if at >= 0 and drafts[at].boxed:
            while at >= 0 and drafts[at].boxed and not drafts[at].signature and drafts[at].kind == "prose":
                drafts[at].speaker = draft.text
                at -= 1
            continue
        while at >= 0 and drafts[at].kind in ("prose", "item") and not drafts[at].signature and not drafts[at].speaker:
            drafts[at].speaker = draft.text
            at -= 1


@dataclass(slots=True)
class Page:
    """What is known of all lines before they are joined."""

    lines: Sequence[Line]
    squeezed: Sequence[str]
    kept: list[int]
    """Positions of the lines that stay, in order; the functions below speak of indexes into this list."""
    contents: set[int]
    titles: dict[str, str]
    numbered: dict[str, str]
    plain: set[str]
    join: Callable[[str, str], str]
    labels: Mapping[str, str]
    """Of a report made of labelled parts (`rag.reading.profiles`)."""
    spaced: bool = False
    """Whether the text sets a blank between Han and Latin letters or digits."""
    widths: list[int] = field(default_factory=list)
    figures: set[int] = field(default_factory=set)
    signatures: dict[int, tuple[int, str, list[str]]] = field(default_factory=dict)
    ranked: bool = False
    """Whether the layout tells headings by their type, so that numbers alone need not."""
    outlined: bool = False
    """Whether the file's own outline names the headings."""
    counted: int = 0
    """Number of the last "1)" heading below the numbered heading that stands open."""

    def text(self, index: int) -> str:
        return self.squeezed[self.kept[index]]

    def line(self, index: int) -> Line:
        return self.lines[self.kept[index]]

    def measure(self, index: int) -> float:
        """Usual width of the lines around `index`."""
        around = [self.widths[p] for p in self.kept[max(0, index - 8) : index + 9] if p not in self.figures and self.widths[p] >= 12]
        return median(around) if around else 40.0


def box_length(page: Page, index: int) -> int:
    """Lines in the text box that starts at `index`: the line and the tight ones below it."""
    end = index + 1
    while end < len(page.kept) and page.line(end).tight and page.kept[end] == page.kept[end - 1] + 1:
        end += 1
    return end - index
