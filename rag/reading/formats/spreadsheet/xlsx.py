"""XLSX -> sheets, from its XML: values as their formats show them, formulas by their saved values, merged cells, comments and text boxes.

Struck-out text is left out as in a DOCX. What it gave up: what conditional formats would show, pictures, and the figures of charts.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lxml import etree

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control
from rag.reading.elements import Content, counted_notes
from rag.reading.formats.archive import check_archive, part, read_xml
from rag.reading.formats.spreadsheet.number_format import BUILT_IN, shown
from rag.reading.formats.spreadsheet.tables import CUT_ROWS, MAX_CELLS, MISSING, Sheet, Span, content_of
from rag.reading.inline import raised
from rag.reading.table_heads import MAX_COLUMNS

MAX_PART = 200_000_000
"""Bytes of one XML part, unpacked."""
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


@dataclass(frozen=True, slots=True)
class _Look:
    """How a cell's style shows it."""

    code: str = "General"
    struck: bool = False


@dataclass(frozen=True, slots=True)
class _Book:
    """What the sheets of a workbook share."""

    path: Path
    archive: zipfile.ZipFile
    strings: list[str]
    looks: list[_Look]
    since_1904: bool
    left_out: Counter[str]
    """What is not read or read with a doubt, by kind."""

    def xml(self, name: str) -> etree._Element | None:
        """A part as XML; None where there is no such part."""
        data = part(self.archive, self.path, name, MAX_PART)
        return None if data is None else read_xml(self.path, data)

    def related(self, name: str) -> dict[str, tuple[str, str]]:
        """(kind, part) by id of what a part refers to."""
        folder, file = posixpath.split(name)
        found = self.xml(f"{folder}/_rels/{file}.rels")
        relations = {}
        for node in found if found is not None else ():
            if node.get("TargetMode") != "External" and node.get("Target"):
                target = posixpath.normpath(posixpath.join("/" + folder, node.get("Target"))).lstrip("/")
                relations[node.get("Id", "")] = node.get("Type", "").rsplit("/", 1)[-1], target
        return relations


def read_xlsx(path: Path, data: bytes) -> Content:
    """The sheets of a workbook in order. Raises UnreadableFile."""
    archive = check_archive(path, data)
    left_out: Counter[str] = Counter()
    book = _Book(path, archive, [], [], False, left_out)
    root = book.xml("xl/workbook.xml")
    if root is None:
        binary = part(archive, path, "xl/workbook.bin", MAX_PART) is not None
        raise UnreadableFile(path, "a binary workbook (.xlsb); save it as .xlsx" if binary else "not a workbook; give it its own suffix")
    properties = root.find("{*}workbookPr")
    since_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    book = _Book(path, archive, _strings(book), _looks(book), since_1904, left_out)
    relations = book.related("xl/workbook.xml")
    sheets, left = [], MAX_CELLS
    for node in root.iter("{*}sheet"):
        kind, name = relations.get(node.get(_RELATION, ""), ("", ""))
        if kind == "worksheet":
            sheet = _sheet(book, name, node.get("name") or "", node.get("state") in ("hidden", "veryHidden"), left)
            left -= sum(map(len, sheet.rows.values()))
            left_out["hidden sheets, read and marked"] += sheet.hidden and bool(sheet.rows)
            sheets.append(sheet)
        else:
            left_out["charts not read"] += kind == "chartsheet"
    matter = _core(book)
    return content_of(sheets, matter.pop("title", ""), counted_notes(left_out), matter)


def _core(book: _Book) -> dict[str, str]:
    found = book.xml("docProps/core.xml")
    title = found.find("{*}title") if found is not None else None
    text = " ".join((title.text or "").split()) if title is not None else ""
    return {"title": text} if text else {}


def _strings(book: _Book) -> list[str]:
    root = book.xml("xl/sharedStrings.xml")
    return [_rich(node) for node in root.iter("{*}si")] if root is not None else []


def _rich(node: etree._Element) -> str:
    """The text of a string with its runs: raised digits as such, struck-out runs left out, no reading aids."""
    runs = node.findall("{*}r")
    if not runs:
        text = node.find("{*}t")
        return (text.text or "") if text is not None else ""
    made = []
    for run in runs:
        text, look = run.findtext("{*}t") or "", run.find("{*}rPr")
        struck = look.find("{*}strike") if look is not None else None
        align = look.find("{*}vertAlign") if look is not None else None
        if struck is not None and struck.get("val", "1") not in ("0", "false"):
            continue
        made.append(raised(text) if align is not None and align.get("val") == "superscript" else text)
    return "".join(made)


def _looks(book: _Book) -> list[_Look]:
    root = book.xml("xl/styles.xml")
    if root is None:
        return []
    codes = dict(BUILT_IN)
    for node in root.iter("{*}numFmt"):
        if (node.get("numFmtId") or "").isdigit():
            codes[int(node.get("numFmtId"))] = node.get("formatCode") or "General"
    struck = []
    for font in root.iterfind("{*}fonts/{*}font"):
        mark = font.find("{*}strike")
        struck.append(mark is not None and mark.get("val", "1") not in ("0", "false"))
    looks = []
    for node in root.iterfind("{*}cellXfs/{*}xf"):
        number, font = (int(value) if (value := node.get(key) or "").isdigit() else 0 for key in ("numFmtId", "fontId"))
        looks.append(_Look(codes.get(number, "General"), font < len(struck) and struck[font]))
    return looks


# ------------------------------------------------------------------------------------------------------------------------------- sheets


def _sheet(book: _Book, part_name: str, name: str, hidden: bool, most: int) -> Sheet:
    data = part(book.archive, book.path, part_name, MAX_PART)
    if data is None or b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data:
        raise UnreadableFile(book.path, f"damaged: the sheet {name[:80]!r} is missing or holds declarations that none has; save it again")
    rows: dict[int, dict[int, str]] = {}
    spans: list[Span] = []
    hidden_columns: set[int] = set()
    count, last = 0, -1
    tags = ("{*}row", "{*}mergeCell", "{*}col")
    try:
        for _, node in etree.iterparse(
            io.BytesIO(data), tag=tags, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        ):
            tag = etree.QName(node).localname
            if tag == "row":
                last = _number(node.get("r"), last + 2) - 1
                if row := _row(book, node):
                    rows[last] = row
                    count += len(row)
                    book.left_out["hidden rows, read too"] += node.get("hidden") in ("1", "true")
                if count > most:
                    raise UnreadableFile(book.path, f"over {MAX_CELLS:,} filled cells; split it and index the parts")
                node.clear()
                while node.getprevious() is not None:  # rows that were read would fill the memory
                    del node.getparent()[0]
            elif tag == "col" and node.get("hidden") in ("1", "true"):
                hidden_columns |= set(range(_number(node.get("min"), 1) - 1, min(_number(node.get("max"), 1), MAX_COLUMNS)))
            elif tag == "mergeCell" and (span := _span(node.get("ref") or "")):
                spans.append(span)
    except etree.XMLSyntaxError as error:
        raise UnreadableFile(book.path, f"damaged (the XML of a sheet is broken: {str(error)[:80]}); save it again") from error
    used = {column for row in rows.values() for column in row} if hidden_columns else set()
    book.left_out["hidden columns, read too"] += len(hidden_columns & used)
    return Sheet(name, rows, spans, hidden, list(_remarks(book, part_name)))


def _row(book: _Book, node: etree._Element) -> dict[int, str]:
    row: dict[int, str] = {}
    column = -1
    for cell in node:
        reference = _REFERENCE.match(cell.get("r") or "")
        column = _column(reference[1]) if reference else column + 1
        if column >= MAX_COLUMNS:
            book.left_out[CUT_ROWS] += 1
            break
        if text := _cell(book, cell):
            row[column] = text
    return row


def _cell(book: _Book, cell: etree._Element) -> str:
    kind, style = cell.get("t", "n"), cell.get("s") or ""
    look = book.looks[int(style)] if style.isdigit() and int(style) < len(book.looks) else _Look()
    value = cell.findtext("{*}v")
    if kind == "inlineStr":
        inline = cell.find("{*}is")
        text = _rich(inline) if inline is not None else ""
    elif not value:
        unsaved = cell.find("{*}f") is not None
        book.left_out["formulas without a saved value (open and save the file in a spreadsheet program)"] += unsaved
        return MISSING if unsaved else ""
    elif kind == "s":
        text = book.strings[int(value)] if value.isdigit() and int(value) < len(book.strings) else ""
    elif kind == "b":
        text = "TRUE" if value.strip() == "1" else "FALSE"
    elif kind == "d":
        text = _iso(value)
    elif kind in ("str", "e"):
        text = value
    else:
        try:
            text = shown(float(value), look.code, book.since_1904)
        except ValueError:
            text = value
    text = drop_control(text).strip()
    if text and look.struck:
        book.left_out["struck-out cells left out"] += 1
        return MISSING
    return text


def _iso(value: str) -> str:
    """A date as ISO 8601 wrote it, without the midnight that a mere date carries."""
    try:
        moment = datetime.fromisoformat(value.strip().rstrip("Z"))
    except ValueError:
        return value
    return f"{moment:%Y-%m-%d}" if not (moment.hour or moment.minute or moment.second) else f"{moment:%Y-%m-%d %H:%M:%S}"


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() and 0 < int(text) <= 1_048_576 else default


def _column(letters: str) -> int:
    """The number of a column, from 0.

    >>> _column("A"), _column("AB")
    (0, 27)
    """
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number - 1


def _span(reference: str) -> Span | None:
    """A stretch of merged cells.

    >>> _span("B2:D5")
    Span(top=1, left=1, bottom=4, right=3)
    """
    corners = _REFERENCE.findall(reference)
    if len(corners) != 2:
        return None
    (left, top), (right, bottom) = corners
    return Span(int(top) - 1, _column(left), int(bottom) - 1, min(_column(right), MAX_COLUMNS - 1))


def _remarks(book: _Book, part_name: str) -> Iterator[str]:
    """Comments with their cell, and the text of text boxes; charts and pictures are counted."""
    for kind, name in book.related(part_name).values():
        root = book.xml(name) if kind in ("comments", "threadedComment", "drawing") else None
        if root is None:
            continue
        if kind == "comments":
            for comment in root.iter("{*}comment"):
                text = "".join(node.text or "" for node in comment.iter("{*}t"))
                if text.strip() and not text.startswith("[Threaded comment]"):  # the thread itself stands in a part of its own
                    yield f"{comment.get('ref') or ''}: {drop_control(text).strip()}"
        elif kind == "threadedComment":
            for comment in root.iter("{*}threadedComment"):
                text = "".join(node.text or "" for node in comment.iter("{*}text"))
                if text.strip():
                    yield f"{comment.get('ref') or ''}: {drop_control(text).strip()}"
        else:
            yield from _boxes(book, root)


def _boxes(book: _Book, root: etree._Element) -> Iterator[str]:
    for anchor in root:
        book.left_out["charts not read"] += sum(1 for _ in anchor.iter("{*}chart"))
        book.left_out["pictures not read"] += sum(1 for _ in anchor.iter("{*}pic"))
        for paragraph in anchor.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}p"):
            text = "".join(node.text or "" for node in paragraph.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}t"))
            if text.strip():
                yield drop_control(text).strip()
