"""A PDF -> pieces: PDFium's characters become runs, `rag.reading.pdf_layout` lines of them, `rag.reading.paragraphs` pieces; headings by type and bookmarks.

pypdf reads what PDFium cannot. What it gave up: text drawn as an image (but see `rag.reading.formats.ocr`), and right-to-left scripts.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from rag.errors import UnreadableFile
from rag.reading.cleanup import looks_garbled
from rag.reading.elements import Content, Line
from rag.reading.formats.ocr import INSTALL, LOW, RecognitionFailed, recognised_page
from rag.reading.paragraphs import pieces_from_lines
from rag.reading.pdf.by_hand import HandFailed, all_by_hand, page_by_hand
from rag.reading.pdf.glyphs import plain_font
from rag.reading.pdf.layout import lines_of_runs, usual_gutter
from rag.reading.pdf.marks import attachments
from rag.reading.pdf.notes import counted, listed, notes_on
from rag.reading.pdf.page import Page, read_page
from rag.reading.pdf.properties import cover_title, labels_at_the_edge, outline_of, printed_labels, properties_of, title_of, with_outline
from rag.reading.pdf.runs import SetLine

MAX_PAGES = 5_000

NO_TEXT = "no text: empty or images only"
"""In a document's notes, behind the pages of which that is true."""
_HOW_TO_RECOGNISE = f"install {INSTALL} and index it with --ocr"
_ONE_AT_A_TIME = threading.Lock()  # PDFium must never run in two threads at once


def read_pdf(
    path: Path,
    data: bytes,
    watch: Callable[[int], None] = lambda page: None,
    by_hand: Collection[int] = (),
    lost: Collection[int] = (),
    recognise: str = "",
) -> Content:
    """All pages of a PDF. `watch` is told each page (from 1) before it is read, and 0 before the file is opened.

    Pages of `by_hand` are read by pypdf (0: the whole file), those of `lost` are left out: a reader died on them before. With `recognise`
    pages without readable text are read by `rag.reading.formats.ocr`.
    Raises UnreadableFile for a file that is locked, damaged, or has no readable text.
    """
    watch(0)
    if 0 in by_hand:
        return content_of(path, *all_by_hand(path, data, watch, lost, MAX_PAGES))
    with _ONE_AT_A_TIME:
        return _read(path, data, watch, by_hand, lost, recognise)


def _read(
    path: Path, data: bytes, watch: Callable[[int], None], by_hand: Collection[int], lost: Collection[int], recognise: str
) -> Content:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnreadableFile(path, "locked with a password; save an open copy") from error
        try:
            return content_of(path, *all_by_hand(path, data, watch, lost, MAX_PAGES))
        except UnreadableFile:
            raise UnreadableFile(path, "not a readable PDF (damaged or incomplete); save it again") from error
    try:
        count = min(len(pdf), MAX_PAGES)
        forms = _forms_of(pdf)
        plain = plain_font(pdf, watch, {*lost, *by_hand})
        found: dict[int, Page] = {}
        failed = [page for page in sorted(lost) if 0 < page <= count]

        def read(number: int, usual: float | None = None) -> None:
            try:
                if number in by_hand:
                    found[number] = Page(page_by_hand(data, number))
                else:
                    before = found.get(number - 1)
                    found[number] = read_page(pdf, number, plain, forms, usual, before.below if before else None)
            except (pypdfium2.PdfiumError, HandFailed):
                failed.append(number)

        for number in range(1, count + 1):
            watch(number)
            if number not in lost:
                read(number)
        gutters = {number: page.gutter for number, page in found.items() if page.gutter is not None}
        usual = usual_gutter(gutters, [page.lines for page in found.values()])
        if usual is not None:  # pages that are mostly a table or a figure show it too faintly to be found by itself
            for number, page in list(found.items()):
                if number not in gutters and number not in by_hand and page.lines:
                    watch(number)
                    read(number, usual)
        pages = [found.get(number, Page()) for number in range(1, count + 1)]
        seen = _recognised(pdf, [page.lines for page in pages], watch, lost, recognise) if recognise else None
        for number, (lines, _) in (seen or {}).items():
            pages[number - 1] = replace(pages[number - 1], lines=lines)
        sure = None if seen is None else {number: confidence for number, (_, confidence) in seen.items()}
        watch(0)
        names = [name for name, _ in attachments(pdf)]
        outline, labels = outline_of(pdf, count), printed_labels(pdf, count)
        return content_of(path, pages, len(pdf), properties_of(pdf), outline, labels, failed, sure, names)
    finally:
        pdf.close()


def _forms_of(pdf: Any) -> Any:
    """The form environment of a file that has form fields."""
    import pypdfium2
    from pypdfium2 import raw

    if pdf.get_formtype() == raw.FORMTYPE_NONE:
        return None
    try:
        pdf.init_forms()
    except pypdfium2.PdfiumError:
        return None
    return pdf.formenv


def _recognised(
    pdf: Any, pages: Sequence[Sequence[SetLine]], watch: Callable[[int], None], lost: Collection[int], by: str
) -> dict[int, tuple[list[SetLine], float]]:
    """page -> what text recognition sees on the pages without readable text, and how sure it is; pages on which it sees nothing are left out."""
    whole = looks_garbled("\n".join(s.line.text for lines in pages for s in lines))
    seen: dict[int, tuple[list[SetLine], float]] = {}
    for page, lines in enumerate(pages, 1):
        readable = any(re.search(r"\w", s.line.text) for s in lines) and not _is_garbled(lines) and not whole
        if readable or page in lost:
            continue
        watch(page)
        try:
            found = recognised_page(pdf, page, by)
        except RecognitionFailed:
            continue
        if found.runs:
            seen[page] = lines_of_runs(found.runs, page), found.sure
    return seen


# -------------------------------------------------------------------------------------------------------------- the whole document


def content_of(
    path: Path,
    read: Sequence[Page],
    count: int,
    properties: dict[str, str],
    outline: dict[int, list[tuple[str, int]]],
    labels: dict[int, str],
    failed: Sequence[int],
    seen: Mapping[int, float] | None = None,
    attached: Sequence[str] = (),
) -> Content:
    """Pages put together; what is wrong with some of them becomes a note, what is wrong with all of them an UnreadableFile.

    `seen` are the pages that text recognition read, with its confidence; None when it was not asked for."""
    pages = [page.lines for page in read]
    garbled = [number for number, lines in enumerate(pages, 1) if _is_garbled(lines)]
    wordless = [number for number, lines in enumerate(pages, 1) if not any(re.search(r"\w", s.line.text) for s in lines)]
    empty = [number for number in wordless if number not in failed and number not in garbled]
    text = "\n".join(s.line.text for number, lines in enumerate(pages, 1) if number not in garbled for s in lines)
    if len(garbled) + len(failed) + len(empty) == len(pages) or looks_garbled(text):
        if garbled or looks_garbled(text):
            raise UnreadableFile(path, f"its fonts give no readable characters (broken font map): print it anew, or {_HOW_TO_RECOGNISE}")
        if failed:
            raise UnreadableFile(path, "not a readable PDF (damaged or incomplete); save it again")
        raise UnreadableFile(
            path,
            f"page images only, {counted(count, 'page')}"
            + (f": {_HOW_TO_RECOGNISE}" if seen is None else " in which nothing can be recognised"),
        )
    kept = [[] if number in garbled else list(lines) for number, lines in enumerate(pages, 1)]
    lines = _ranked(kept)
    if outline:
        lines = with_outline(lines, outline)
    first = next((page for page in kept if page), [])
    number = first[0].line.page if first else 0
    opening = "\n".join(line.text for line in lines if line.page <= number + 1)[:6000]
    title = title_of(properties.get("title", ""), cover_title(first), "\n".join(line.text for line in lines[:400])) or path.stem
    labels = labels or labels_at_the_edge(kept)
    pieces = pieces_from_lines(lines)
    notes = [f"cut off after {len(pages)} of {count} pages"] if count > len(pages) else []
    for numbers, what in (
        (failed, "cannot be read"),
        (empty, NO_TEXT if seen is None else "empty, or images in which nothing can be recognised"),
        (garbled, "unreadable characters (broken font map), left out"),
        (list(seen or ()), "read by text recognition, so letters and figures may be wrong"),
        ([number for number, sure in (seen or {}).items() if sure < LOW], "recognised badly: check them against the file"),
    ):
        if numbers:
            notes.append(f"{listed(numbers)}: {what}")
    notes += notes_on(read, pieces, attached)
    return Content(
        pieces,
        title,
        opening=opening,
        ending="\n".join(line.text for line in lines[-60:])[-3000:],
        page_count=count,
        notes=tuple(notes),
        labels=tuple(sorted((page, label) for page, label in labels.items() if label != str(page))),
        author=properties.get("author", ""),
    )


def _is_garbled(lines: Sequence[SetLine]) -> bool:
    """Whether more than three tenths of a page's characters have no meaning."""
    return sum(s.odd for s in lines) > 0.3 * sum(len(s.line.text) + s.odd for s in lines)


def _ranked(pages: Sequence[Sequence[SetLine]]) -> list[Line]:
    """Lines of all pages with the rank of their type: larger than the body of the document, or bold where the body is not."""
    heights = [s.height for page in pages for s in page for _ in range(0, len(s.line.text), 8) if not s.line.kind]
    body = median(heights) if heights else 10.0
    characters = sum(len(s.line.text) for page in pages for s in page) or 1
    bold_marks = sum(len(s.line.text) for page in pages for s in page if s.bold) < 0.25 * characters
    lines: list[Line] = []
    for page in pages:
        sizes = [s.height for s in page for _ in range(0, len(s.line.text), 8)]
        own = max(body, median(sizes)) if sizes else body  # a slide's body is larger than a page's
        large = sum(len(s.line.text) for s in page if s.height > 1.25 * own) > 0.3 * sum(len(s.line.text) for s in page) and len(page) > 12
        before = None
        for s in page:
            rank = 0
            if not s.line.kind and not large:
                rank = 2 if s.height > 1.6 * own else 1 if s.height > 1.22 * own else 0
                if rank == 0 and s.bold and bold_marks and _is_bold_heading(s.line.text):
                    rank = 1
            alike = before is not None and abs(s.height - before.height) < 0.15 * s.height and s.bold == before.bold
            tight = s.near and rank > 0 and alike
            lines.append(replace(s.line, rank=rank, tight=tight))
            before = s
    return lines


def _is_bold_heading(text: str) -> bool:
    return (
        2 < len(text) <= 100
        and not re.search(r"[,;，；。]$|^[\d\W]+$|^(?:图|表|Fig|Table)\b", text)
        and not text.endswith((".", "：", ":"))
    )
