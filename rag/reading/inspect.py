"""The normalised text of a document for people: pages and sections as marks between its lines, a span set off; and its blocks one by one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rag.errors import UsageError
from rag.types import Document

if TYPE_CHECKING:
    from rag.index.snapshot import Snapshot


def named(snapshot: Snapshot, document_id: str) -> Document:
    """The document with this id, or the only one whose id begins with it. Raises UsageError, with near names."""
    ids = [document.id for document in snapshot.documents()]
    begun = [name for name in ids if name.startswith(document_id)]
    if document_id in ids or len(begun) == 1:
        return snapshot.document(document_id if document_id in ids else begun[0])
    near = begun[:3] or difflib.get_close_matches(document_id, ids, n=3, cutoff=0.4)
    raise UsageError(f"no document {document_id!r}: " + (f"did you mean {', '.join(near)}?" if near else "see `rag list`"))


def page_span(document: Document, page: int) -> tuple[int, int]:
    """(start, end) of what stands on a page. Raises UsageError when nothing does."""
    changes = [*document.pages, (len(document.text), None)]
    spans = [(start, after[0]) for (start, number), after in zip(changes, changes[1:], strict=False) if number == page]
    if not spans:
        numbers = sorted({number for _, number in document.pages if number is not None})
        known = f"its text stands on pages {numbers[0]} to {numbers[-1]}" if numbers else "its format has no pages"
        raise UsageError(f"{document.id} has no text on page {page}: {known}")
    return spans[0][0], spans[-1][1]


def parse_span(span: str, document: Document) -> tuple[int, int]:
    """(start, end) of "A:B", which must lie in the document. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", span)
    if not match or not int(match[1]) < int(match[2]) <= len(document.text):
        raise UsageError(f"--span is {span!r}: give two characters A:B with A < B, at most {len(document.text)}, such as 0:80")
    return int(match[1]), int(match[2])


def shown_text(document: Document, start: int, end: int, marked: tuple[int, int] | None = None) -> str:
    """The text from `start` to `end` with a line for each change of page or section, and ⟦ ⟧ around what is marked."""
    labels = dict(document.labels)
    lines: list[str] = []
    place: tuple = ()
    for block in document.blocks:
        if block.end <= start or block.start >= end:
            continue
        first, last = max(block.start, start), min(block.end, end)
        page = document.page_at(first)
        if (page, block.section) != place:
            place = (page, block.section)
            printed = f" (printed {labels[page]})" if page in labels else ""
            where = [*([f"page {page}{printed}"] if page is not None else []), *([" / ".join(block.section)] if block.section else [])]
            lines += ["", f"── {' · '.join(where)} ──"] if where else [""]
        text = document.text[first:last]
        if marked and marked[0] < last and first < marked[1]:
            inner, outer = max(marked[0] - first, 0), min(marked[1] - first, len(text))
            text = f"{text[:inner]}⟦{text[inner:outer]}⟧{text[outer:]}"
        lines.append(text)
    return "\n".join([f"{document.title} [{document.id}]", *lines])


def block_lines(document: Document) -> Iterator[str]:
    """One line for each block: place, page, kind, section and text."""
    for block in document.blocks:
        page = f" p.{block.page}" if block.page is not None else ""
        who = f" <{block.speaker}>" if block.speaker else ""
        section = f" [{' / '.join(block.section)}]" if block.section else ""
        yield f"{block.start}:{block.end}{page} {block.kind}{section}{who} | {document.text[block.start : block.end]}"
