"""ODT -> pieces, from its XML: headings by their level, lists, tables in the one grid, notes behind the body.

Deleted text of tracked changes is left out. What it gave up: pages, which an ODT does not hold, and the numbers that a list style would give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control
from rag.reading.elements import Content, Piece, counted_notes
from rag.reading.formats.archive import check_archive, part, read_xml
from rag.reading.table_grid import Table, table_pieces
from rag.reading.table_heads import MAX_COLUMNS, Cell

_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
MAX_PART = 100_000_000
_HOLDERS = frozenset(
    (f"{_TEXT}section", f"{_TEXT}list", f"{_TEXT}list-item", f"{_TEXT}list-header", f"{_TEXT}index-body", f"{_TEXT}numbered-paragraph")
)
_CONTENTS = frozenset(f"{_TEXT}{name}" for name in ("table-of-content", "alphabetical-index", "illustration-index", "table-index"))


def read_odt(path: Path, data: bytes) -> Content:
    """The body of an OpenDocument text with its notes. Raises UnreadableFile."""
    archive = check_archive(path, data)
    manifest = part(archive, path, "META-INF/manifest.xml", MAX_PART) or b""
    if b"encryption-data" in manifest:
        raise UnreadableFile(path, "locked with a password; save an open copy")
    body = read_xml(path, part(archive, path, "content.xml", MAX_PART)).find(f"{_OFFICE}body/{_OFFICE}text")
    if body is None:
        raise UnreadableFile(path, "not an OpenDocument text; give it its own suffix")
    walk = _Walk()
    walk.blocks(body)
    walk.pieces += [Piece("prose", text, None, section) for text, section in walk.notes]
    meta = part(archive, path, "meta.xml", MAX_PART)
    title = (read_xml(path, meta).findtext(".//{http://purl.org/dc/elements/1.1/}title") or "").strip() if meta else ""
    opening = "\n".join(piece.text for piece in walk.pieces[:15])[:3000]
    return Content(walk.pieces, title or walk.title, opening=opening, notes=counted_notes(walk.left_out))


class _Walk:
    """Goes through the blocks of a body and gathers pieces."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.notes: list[tuple[str, tuple[str, ...]]] = []
        self.left_out: Counter[str] = Counter()
        self.title = ""
        self._sections: list[tuple[int, str]] = []

    def blocks(self, node: etree._Element, kind: str = "prose") -> None:
        for child in node:
            tag = child.tag
            if tag == f"{_TEXT}h":
                self._heading(child)
            elif tag == f"{_TEXT}p":
                self._paragraph(child, kind)
            elif tag in _HOLDERS:
                self.blocks(child, "item" if kind == "item" or tag == f"{_TEXT}list-item" else "prose")
            elif tag == f"{_TABLE}table":
                self.pieces += table_pieces(Table(list(self._rows(child))), self._section())
            elif tag == f"{_TEXT}tracked-changes":
                self.left_out["deletions of tracked changes left out"] += sum(1 for _ in child.iter(f"{_TEXT}deletion"))
            elif tag in _CONTENTS:
                self.left_out["tables of contents and indexes left out"] += 1

    def _heading(self, node: etree._Element) -> None:
        name = " ".join(self._words(node).split())
        level = node.get(f"{_TEXT}outline-level", "1")
        if name:
            depth = int(level) if level.isdigit() else 1
            self._sections = [entry for entry in self._sections if entry[0] < depth] + [(depth, name)]
            self.pieces.append(Piece("heading", name, None, self._section()))

    def _paragraph(self, node: etree._Element, kind: str) -> None:
        is_title = node.get(f"{_TEXT}style-name") == "Title"
        for line in self._words(node).split("\n"):
            text = " ".join(line.split())
            if text and is_title and not self.title:
                self.title = text
                self.pieces.append(Piece("heading", text))
            elif text:
                self.pieces.append(Piece(kind, text, None, self._section()))  # type: ignore[arg-type]
        for box in node.iter(f"{_DRAW}text-box"):
            self.blocks(box)

    def _rows(self, table: etree._Element) -> Iterator[list[Cell]]:
        for row in table.iter(f"{_TABLE}table-row"):
            if next(row.iterancestors(f"{_TABLE}table")) is not table:
                continue
            head = next(row.iterancestors(f"{_TABLE}table-header-rows"), None) is not None
            cells: list[Cell] = []
            for cell in row.iterchildren(f"{_TABLE}table-cell"):
                text = " ".join(" ".join(self._words(p) for p in cell.iter(f"{_TEXT}p", f"{_TEXT}h")).split())
                spans = (_count(cell.get(f"{_TABLE}number-{what}-spanned")) for what in ("rows", "columns"))
                repeated = min(_count(cell.get(f"{_TABLE}number-columns-repeated")), MAX_COLUMNS - len(cells))
                cells += [Cell(text, *spans, head=head), *[Cell(text, head=head)] * (repeated - 1)]
            yield cells

    def _words(self, node: etree._Element) -> str:
        """The text of a paragraph, its notes set aside with their mark."""
        made: list[str] = [node.text or ""]
        for child in node:
            tag = child.tag
            if tag == f"{_TEXT}s" or tag == f"{_TEXT}tab":
                made.append(" ")
            elif tag == f"{_TEXT}line-break":
                made.append("\n")
            elif tag == f"{_TEXT}note":
                self._note(child)
            elif tag == f"{_OFFICE}annotation":
                text = " ".join(" ".join("".join(p.itertext()) for p in child.iter(f"{_TEXT}p")).split())
                if text:
                    self.notes.append((drop_control(text), self._section()))
                    self.left_out["comments read as notes"] += 1
            elif tag == f"{_TEXT}ruby":
                made.append("".join(child.find(f"{_TEXT}ruby-base").itertext()) if child.find(f"{_TEXT}ruby-base") is not None else "")
            elif tag == f"{_DRAW}frame":
                self.left_out["pictures not read"] += sum(1 for _ in child.iter(f"{_DRAW}image"))
            elif isinstance(tag, str):
                made.append(self._words(child))
            made.append(child.tail or "")
        return drop_control("".join(made))

    def _note(self, node: etree._Element) -> None:
        mark = node.findtext(f"{_TEXT}note-citation") or ""
        body = node.find(f"{_TEXT}note-body")
        text = " ".join(" ".join("".join(p.itertext()) for p in body).split()) if body is not None else ""
        if text:
            self.notes.append((drop_control(f"{mark} {text}".strip()), self._section()))

    def _section(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._sections)


def _count(value: str | None) -> int:
    return min(int(value), 10_000) if value and value.isdigit() and int(value) else 1
