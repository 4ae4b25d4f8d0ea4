"""Pages that PDFium cannot read, by pypdf: lines of text without a layout."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control
from rag.reading.elements import Line
from rag.reading.pdf.glyphs import MAX_CHARACTERS
from rag.reading.pdf.page import Page
from rag.reading.pdf.runs import SetLine


class HandFailed(Exception):
    """pypdf cannot read a page."""


def page_by_hand(data: bytes, number: int) -> list[SetLine]:
    return _lines_by_hand(_open_by_hand(data), number)


def _open_by_hand(data: bytes):
    import io

    import pypdf

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise HandFailed("locked")
        len(reader.pages)
    except MemoryError:
        raise
    except Exception as error:  # pypdf raises almost anything on a damaged file
        raise HandFailed(type(error).__name__) from error
    return reader


def _lines_by_hand(reader, number: int) -> list[SetLine]:
    try:
        text = reader.pages[number - 1].extract_text()
    except MemoryError:
        raise
    except Exception as error:
        raise HandFailed(type(error).__name__) from error
    if len(text) > MAX_CHARACTERS:  # PDFium died on the same page: it unfolds without end
        raise HandFailed(f"{len(text)} characters")
    made = []
    for line in text.split("\n"):
        clean = drop_control(line).strip()
        if clean:
            made.append(SetLine(Line(clean, page=number - 1, number=number), 10.0, False))
    return made


def all_by_hand(path: Path, data: bytes, watch: Callable[[int], None], lost: Collection[int], most: int):
    """All pages by pypdf: (pages, count, properties, outline, labels, pages that failed)."""
    try:
        reader = _open_by_hand(data)
        count = len(reader.pages)
    except HandFailed as error:
        raise UnreadableFile(path, "not a readable PDF (damaged or incomplete); save it again") from error
    pages, failed = [], []
    for page in range(1, min(count, most) + 1):
        watch(page)
        try:
            pages.append(Page() if page in lost else Page(_lines_by_hand(reader, page)))
        except HandFailed:
            pages.append(Page())
            failed.append(page)
    return pages, count, {}, {}, {}, [*failed, *(page for page in lost if page > 0)]
