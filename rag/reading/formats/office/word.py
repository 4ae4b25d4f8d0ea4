"""DOCX -> pieces, from its XML: what Word shows, in its order, with the numbers that Word counts; heads, feet and notes behind the body.

What it gave up: a file has pages only where the program that saved it left marks, and text boxes stand behind the paragraph they hang on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lxml import etree

from rag.errors import UnreadableFile
from rag.reading.cleanup import page_number
from rag.reading.elements import Content, Piece, counted_notes
from rag.reading.formats.archive import check_archive
from rag.reading.formats.office.drawing import chart_pieces, core_properties, diagram_texts, relations, xml_part
from rag.reading.formats.office.word_runs import Paragraph, Part, Runs
from rag.reading.formats.office.word_styles import Numbering, Styles, W, count_of, is_on, numbering_of, read_styles, value_of
from rag.reading.inline import raised
from rag.reading.table_grid import Cell, Table, caption_of, table_pieces

_WRAPPERS = frozenset(f"{W}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag"))
_DEEPEST = 20


def read_docx(path: Path, data: bytes) -> Content:
    """The body of a Word file with its heads, feet, notes and comments. Raises UnreadableFile."""
    archive = check_archive(path, data)
    root = xml_part(path, archive, "word/document.xml")
    if root is None:
        raise UnreadableFile(path, "not a Word file (it has no word/document.xml); give it its own suffix")
    targets = relations(path, archive, "word/document.xml")

    def drawn(identity: str) -> etree._Element | None:
        return xml_part(path, archive, targets[identity]) if identity in targets else None

    walk = _Walk(read_styles(xml_part(path, archive, "word/styles.xml")), Numbering(xml_part(path, archive, "word/numbering.xml")), drawn)
    body = root.find(f"{W}body")
    walk.blocks(body if body is not None else ())
    if walk.paged:  # what stands before the first mark is on the first page
        walk.pieces[:] = [replace(piece, page=piece.page or 1) for piece in walk.pieces]
    page_count = walk.page if walk.paged else 0
    for kind in ("footnote", "endnote"):
        walk.notes(xml_part(path, archive, f"word/{kind}s.xml"), kind)
    edges = [xml_part(path, archive, name) for name in sorted(set(targets.values())) if re.search(r"/(?:header|footer)\d*\.xml$", name)]
    edge_texts = walk.edges(edges)
    walk.comments(xml_part(path, archive, "word/comments.xml"))
    told = [piece.text for piece in walk.pieces]
    opening = "\n".join([*told[:15], *edge_texts])[:3000]
    ending = "\n".join(told[-8:])[-2000:]
    title = core_properties(path, archive).get("title", "")
    if walk.title and title not in "\n".join(told[:40]):  # properties outlive the file that they were written for
        title = walk.title
    return Content(walk.pieces, title, opening=opening, ending=ending, page_count=page_count, notes=counted_notes(walk.left_out))


def _inside(node: etree._Element, tag: str) -> Iterator[etree._Element]:
    """The children with a tag, also inside what Word wraps round them; what was deleted is left out."""
    stack = list(reversed(node))
    while stack:
        child = stack.pop()
        if child.tag == f"{W}{tag}":
            yield child
        elif child.tag in _WRAPPERS:
            stack.extend(reversed(child))


class _Walk:
    """Goes through the blocks of a Word file and gathers pieces."""

    def __init__(self, styles: Styles, numbering: Numbering, drawn):
        self.pieces: list[Piece] = []
        self.title = ""
        self.page = 1
        self.paged = False
        self.left_out: Counter[str] = Counter()
        self._styles, self._numbering, self._drawn = styles, numbering, drawn
        self._runs = Runs(styles, self.left_out)
        self._sections: list[tuple[int, str]] = []

    def blocks(self, nodes, depth: int = 0) -> None:
        """Takes paragraphs and tables in their order."""
        for node in nodes:
            if node.tag == f"{W}p":
                self._paragraph(node, depth)
            elif node.tag == f"{W}tbl":
                self._table(node, depth)
            elif node.tag in _WRAPPERS and depth < _DEEPEST:
                self.blocks(node, depth + 1)

    def notes(self, root: etree._Element | None, kind: str) -> None:
        """Takes the notes at the foot or the end, each behind the number of its mark."""
        for note in root if root is not None else ():
            if isinstance(note.tag, str) and note.get(f"{W}type") in (None, "normal"):
                number = self._runs.notes.get((kind, note.get(f"{W}id", "")))
                text = " ".join(filter(None, (self._plain(paragraph) for paragraph in note.iter(f"{W}p"))))
                if text:
                    self.pieces.append(Piece("prose", f"{raised(str(number))} {text}" if number else text))

    def edges(self, roots: list[etree._Element | None]) -> list[str]:
        """Takes the lines of heads and feet, each once, and gives them; page numbers are none."""
        lines: dict[str, None] = {}
        for root in roots:
            for paragraph in root.iter(f"{W}p") if root is not None else ():
                text = self._plain(paragraph)
                if re.search(r"\w", text) and page_number(text) is None and not re.fullmatch(r"\d+\s*/\s*\d+", text):
                    lines.setdefault(text)
        self.pieces += [Piece("prose", line) for line in lines]
        return list(lines)

    def comments(self, root: etree._Element | None) -> None:
        """Takes the comments of readers, each with who wrote it."""
        for comment in root if root is not None else ():
            text = " ".join(filter(None, (self._plain(paragraph) for paragraph in comment.iter(f"{W}p"))))
            author = " ".join((comment.get(f"{W}author") or "").split())[:100]
            if text:
                self.pieces.append(Piece("prose", f"[{author}] {text}" if author else text, speaker=author))
                self.left_out["comments read as notes"] += 1

    def _plain(self, node: etree._Element) -> str:
        return " ".join(self._runs.paragraph(node).text.split())

    def _paragraph(self, node: etree._Element, depth: int) -> None:
        told = self._runs.paragraph(node)
        page, breaks = self.page, []
        for offset in told.turns:
            self.page += 1
            self.paged = True
            if told.text[:offset].strip():
                breaks.append((offset, self.page))
            else:
                page = self.page
        if told.text.strip():
            self._place(node, told, page, breaks)
        self._insert(told.inserted, depth)

    def _place(self, node: etree._Element, told: Paragraph, page: int, breaks: list[tuple[int, int]]) -> None:
        """Puts a paragraph with words among the pieces: a heading, an item, or prose."""
        properties = node.find(f"{W}pPr")
        style = value_of(properties, "pStyle")
        label = self._label(properties, style)
        level = self._level(properties, style)
        if level == -1 or (level > 0 and len(told.text) <= 300):
            name = " ".join((label + told.text).split())
            if level == -1:
                self.title = self.title or name
            else:
                self._sections = [entry for entry in self._sections if entry[0] < level] + [(level, name)]
            self.pieces.append(Piece("heading", name, self._page(page), self._section() if level > 0 else ()))
            return
        is_item = numbering_of(properties) is not None or bool(label) or "list" in (style or "").lower()
        kind = "contents" if style in self._styles.contents else "item" if is_item else "prose"
        lines = [line for line in told.text.split("\n") if line.strip()]
        if len(lines) == 1:
            shift = len(label) - told.text.index(lines[0])
            paged = tuple((offset + shift, self._page(number)) for offset, number in breaks)
            self.pieces.append(Piece(kind, label + lines[0], self._page(page), self._section(), breaks=paged))  # type: ignore[arg-type]
            return
        for at, line in enumerate(lines):
            text = (label if at == 0 else "") + line.strip()
            self.pieces.append(Piece(kind, text, self._page(page), self._section()))  # type: ignore[arg-type]

    def _label(self, properties: etree._Element | None, style: str | None) -> str:
        """The number that Word counts for a paragraph."""
        own, look = numbering_of(properties), self._styles.look(style)
        base = look.numbering if look.numbering and look.numbering[0] > 0 else self._numbering.of_style(style)
        if base is not None and (styled := self._numbering.of_style(style)) is not None:
            base = (base[0], styled[1])
        if own is None:
            own = base
        elif own[0] < 0:
            own = (base[0] if base else -1, own[1])
        return self._numbering.label(*own) if own is not None and own[0] > 0 else ""

    def _level(self, properties: etree._Element | None, style: str | None) -> int:
        outline = count_of(value_of(properties, "outlineLvl"), 9)
        return outline + 1 if outline < 9 else self._styles.look(style).level or 0

    def _insert(self, parts: list[Part], depth: int) -> None:
        """Puts what hangs on a paragraph behind it."""
        for part in parts:
            if part.kind == "box" and part.node is not None and depth < _DEEPEST:
                self.blocks(part.node, depth + 1)
            elif part.kind == "box" and part.text:
                self.pieces.append(Piece("figure", part.text, self._page(self.page), self._section()))
            elif part.kind in ("chart", "diagram"):
                root = self._drawn(part.text)
                if root is None:
                    self.left_out["embedded objects and drawings not read"] += 1
                elif part.kind == "chart":
                    self.pieces += chart_pieces(root, self._section(), self._page(self.page))
                else:
                    self.pieces += [Piece("figure", text, self._page(self.page), self._section()) for text in diagram_texts(root)]

    def _table(self, node: etree._Element, depth: int) -> None:
        rows = [row for row in _inside(node, "tr") if row.find(f"{W}trPr/{W}del") is None]
        if depth < _DEEPEST and next(node.iterdescendants(f"{W}tbl"), None) is not None:
            for row in rows:  # it lays out other tables
                for cell in _inside(row, "tc"):
                    self.blocks(cell, depth + 1)
            return
        caption = caption_of(self.pieces)
        started = self.page
        inserted: list[Part] = []
        grid: list[list[Cell]] = []
        reaching: dict[int, tuple[int, int]] = {}  # column -> (row, place in it) of the cell that goes on below
        for row in rows:
            grid.append(self._row(row, grid, reaching, inserted))
        page = self._page(started)
        self.pieces += table_pieces(Table(grid, caption), self._section(), page)
        self._insert(inserted, depth)

    def _row(self, row: etree._Element, grid: list[list[Cell]], reaching: dict[int, tuple[int, int]], inserted: list[Part]) -> list[Cell]:
        """The cells that begin in a row; those that go on from above grow. A page that turns in several cells turns once."""
        head = is_on(row, "trPr/tblHeader") is True
        before = min(count_of(value_of(row, "trPr/gridBefore")), 50)
        cells, column, turned, opened = ([Cell(column_span=before)] if before else []), before, 0, 0
        for node in _inside(row, "tc"):
            properties = node.find(f"{W}tcPr")
            span = max(min(count_of(value_of(properties, "gridSpan"), 1), 500), 1)
            merged, across = value_of(properties, "vMerge"), value_of(properties, "hMerge")
            paragraphs = [self._in_cell(paragraph) for paragraph in _inside(node, "p")]
            text, first, turns = _joined(paragraphs)
            turned, opened = max(turned, turns), max(opened, first)
            inserted += [part for paragraph in paragraphs for part in paragraph.inserted]
            if merged in ("", "continue") and column in reaching:
                at, place = reaching[column]
                origin = grid[at][place]
                grid[at][place] = Cell(origin.text, len(grid) - at + 1, origin.column_span, origin.head, origin.marks, origin.page)
            elif across in ("", "continue") and cells:
                last = cells[-1]
                cells[-1] = Cell(last.text, last.row_span, last.column_span + span, last.head, last.marks, last.page)
            else:
                marks = tuple(mark for paragraph in paragraphs for mark in paragraph.marks)
                reaching.pop(column, None)
                if merged == "restart":
                    reaching[column] = (len(grid), len(cells))
                cells.append(Cell(text, 1, span, head, marks))
            column += span
        if turned:
            self.paged = True
        page = self._page(self.page + opened)
        self.page += turned
        return [Cell(cell.text, cell.row_span, cell.column_span, cell.head, cell.marks, page) for cell in cells]

    def _in_cell(self, node: etree._Element) -> Paragraph:
        told, properties = self._runs.paragraph(node, apart=True), node.find(f"{W}pPr")
        if told.text.strip() and (label := self._label(properties, value_of(properties, "pStyle"))):
            return Paragraph(label + told.text, [offset + len(label) for offset in told.turns if offset], told.marks, told.inserted)
        return told

    def _page(self, page: int) -> int | None:
        return page if self.paged or page > 1 else None

    def _section(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._sections)


def _joined(paragraphs: list[Paragraph]) -> tuple[str, int, int]:
    """(text of a cell, page turns before its first word, page turns in all)"""
    first = turns = 0
    words = False
    for paragraph in paragraphs:
        for offset in paragraph.turns:
            turns += 1
            first += not words and not paragraph.text[:offset].strip()
        words = words or bool(paragraph.text.strip())
    texts = [" ".join(paragraph.text.split()) for paragraph in paragraphs]
    return " ".join(filter(None, texts)), first, turns
