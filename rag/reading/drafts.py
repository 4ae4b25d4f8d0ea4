"""Pieces in the making, as `rag.reading.paragraphs` and the profiles of single publishers pass them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
