"""DOCX and PPTX -> pieces, from their XML: headings by style, tables as rows with their header, slides as pages, notes with their slide.

Hidden, deleted and instruction text is left out. What it gave up: text boxes of a DOCX keep the place of their anchor, those of a slide are
ordered by where they stand, charts and SmartArt are not read, and a DOCX has pages only where the program that saved it left marks.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lxml import etree

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control
from rag.reading.elements import Content, Piece
from rag.reading.formats.archive import check_archive, part, read_xml
from rag.reading.table_grid import Cell, Table, table_pieces

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
MAX_PART = 100_000_000
"""Bytes of one XML part, unpacked."""
_SKIPPED = frozenset((f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}delText", f"{_W}fldSimple_instr", f"{_W}rPr", f"{_W}pPr"))
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


def read_docx(path: Path, data: bytes) -> Content:
    """The body of a Word file with its footnotes. Raises UnreadableFile."""
    archive = check_archive(path, data)
    content = part(archive, path, "word/document.xml", MAX_PART)
    if content is None:
        raise UnreadableFile(path, "not a Word file (it has no word/document.xml); give it its own suffix")
    body = read_xml(path, content).find(f"{_W}body")
    levels = _heading_levels(path, archive)
    walk = _Walk(levels)
    for node in body if body is not None else ():
        walk.block(node)
    pieces = walk.pieces
    pieces += _footnotes(path, archive)
    core = _core(path, archive)
    opening = "\n".join(piece.text for piece in pieces[:15])[:3000]
    title = core.get("title", "") or walk.title
    ending = "\n".join(piece.text for piece in pieces[-8:])[-2000:]
    return Content(pieces, title, opening=opening, ending=ending, page_count=walk.page if walk.paged else 0)


def read_pptx(path: Path, data: bytes) -> Content:
    """The slides of a presentation in order, each a page, with the speaker's notes. Raises UnreadableFile."""
    archive = check_archive(path, data)
    names = _slides(path, archive)
    if not names:
        raise UnreadableFile(path, "not a presentation with slides; give it its own suffix")
    pieces: list[Piece] = []
    hidden = []
    for number, name in enumerate(names, 1):
        content = part(archive, path, name, MAX_PART)
        if content is None:
            continue
        slide = read_xml(path, content)
        if slide.get("show") == "0":
            hidden.append(number)
            continue
        pieces += _slide(slide, number)
        pieces += _speaker_notes(path, archive, name, number, pieces[-1].section if pieces and pieces[-1].page == number else ())
    title = _core(path, archive).get("title", "") or next((piece.text for piece in pieces if piece.kind == "heading"), "")
    notes = (f"hidden slides left out: {', '.join(map(str, hidden[:20]))}",) if hidden else ()
    opening = "\n".join(piece.text for piece in pieces if piece.page in (1, 2))[:3000]
    return Content(
        pieces, title if not re.match(r"PowerPoint|演示文稿|幻灯片", title) else "", opening=opening, page_count=len(names), notes=notes
    )


# ----------------------------------------------------------------------------------------------------------------------------- word


class _Walk:
    """Goes through the blocks of a Word file's body and gathers pieces."""

    def __init__(self, levels: dict[str, int]):
        self.levels = levels
        self.pieces: list[Piece] = []
        self.sections: list[tuple[int, str]] = []
        self.title = ""
        self.page = 1
        self.paged = False

    def block(self, node: etree._Element) -> None:
        if node.tag == f"{_W}p":
            self.paragraph(node)
        elif node.tag == f"{_W}tbl":
            self.table(node)
        elif node.tag in (f"{_W}sdt", f"{_W}customXml", f"{_W}ins"):
            inner = node.find(f"{_W}sdtContent")
            for child in inner if inner is not None else node:
                self.block(child)

    def paragraph(self, node: etree._Element) -> None:
        page, breaks, parts, length = self.page, [], [], 0
        for text, turned in _texts(node):
            if turned:
                self.page += 1
                self.paged = True
                if length:
                    breaks.append((length, self.page))
                else:
                    page = self.page
                continue
            parts.append(text)
            length += len(text)
        whole = "".join(parts)
        text = drop_control(whole).replace("\t", " ")
        if len(text) != len(whole):
            breaks = []
        style = node.find(f"{_W}pPr/{_W}pStyle")
        level = self.levels.get(style.get(f"{_W}val", ""), 0) if style is not None else 0
        own = node.find(f"{_W}pPr/{_W}outlineLvl")
        if own is not None and (own.get(f"{_W}val") or "9").isdigit() and int(own.get(f"{_W}val")) < 9:
            level = int(own.get(f"{_W}val")) + 1
        if not text.strip():
            return
        if level == -1:
            name = " ".join(text.split())
            self.title = self.title or name
            self.pieces.append(Piece("heading", name, self._page(page)))
        elif level > 0 and len(text) <= 300:
            name = " ".join(text.split())
            self.sections = [entry for entry in self.sections if entry[0] < level] + [(level, name)]
            self.pieces.append(Piece("heading", name, self._page(page), self._section()))
        else:
            is_item = node.find(f"{_W}pPr/{_W}numPr") is not None or (style is not None and "list" in style.get(f"{_W}val", "").lower())
            paged = tuple((at, self._page(number)) for at, number in breaks) if self.paged else ()
            for line in text.split("\n"):
                if line.strip():
                    one = "\n" not in text.strip()
                    self.pieces.append(
                        Piece(
                            "item" if is_item else "prose",
                            line if one else line.strip(),
                            self._page(page),
                            self._section(),
                            breaks=paged if one else (),
                        )
                    )

    def table(self, node: etree._Element) -> None:
        rows = []
        for row in node.iter(f"{_W}tr"):
            if row.iterancestors(f"{_W}tbl").__next__() is not node:
                continue
            cells = []
            for cell in row.findall(f"{_W}tc") or row.iter(f"{_W}tc"):
                words = [
                    " ".join(drop_control("".join(text for text, turned in _texts(p) if not turned)).split()) for p in cell.iter(f"{_W}p")
                ]
                span = cell.find(f"{_W}tcPr/{_W}gridSpan")
                wide = int(span.get(f"{_W}val") or 1) if span is not None and (span.get(f"{_W}val") or "").isdigit() else 1
                cells += [" ".join(filter(None, words)), *[""] * (min(wide, 50) - 1)]
            if any(cells):
                rows.append(cells)
        self.pieces += table_pieces(Table([[Cell(text) for text in row] for row in rows]), self._section(), self._page(self.page))

    def _page(self, page: int) -> int | None:
        return page if self.paged or page > 1 else 1 if self.paged else None

    def _section(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.sections)


def _texts(node: etree._Element) -> Iterator[tuple[str, bool]]:
    """(text, False) of the visible runs below a node, and ("", True) where a new page begins."""
    stack = [node]
    while stack:
        current = stack.pop()
        tag = current.tag
        if not isinstance(tag, str) or tag in _SKIPPED or tag == _FALLBACK:
            continue
        if tag == f"{_W}r" and _is_hidden(current):
            continue
        if tag == f"{_W}t":
            yield current.text or "", False
        elif tag == f"{_W}tab":
            yield "\t", False
        elif tag == f"{_W}lastRenderedPageBreak":
            yield "", True
        elif tag in (f"{_W}br", f"{_W}cr"):
            yield "\n" if current.get(f"{_W}type") != "page" else "", False
        elif tag == f"{_W}noBreakHyphen":
            yield "-", False
        else:
            stack.extend(reversed(current))


def _is_hidden(run: etree._Element) -> bool:
    vanish = run.find(f"{_W}rPr/{_W}vanish")
    return vanish is not None and vanish.get(f"{_W}val", "1") not in ("0", "false", "off")


def _heading_levels(path: Path, archive: zipfile.ZipFile) -> dict[str, int]:
    """style id -> level of heading; -1 for the title. Word's own names are English in files of every language."""
    levels = {f"Heading{level}": level for level in range(1, 10)} | {"Title": -1}
    content = part(archive, path, "word/styles.xml", MAX_PART)
    if content is None:
        return levels
    based: dict[str, str] = {}
    for style in read_xml(path, content).iter(f"{_W}style"):
        identity = style.get(f"{_W}styleId", "")
        name = style.find(f"{_W}name")
        match = re.fullmatch(r"(?:heading|标题)\s*([1-9])", (name.get(f"{_W}val", "") if name is not None else "").strip(), re.I)
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        parent = style.find(f"{_W}basedOn")
        if match:
            levels[identity] = int(match[1])
        elif name is not None and name.get(f"{_W}val", "").lower() == "title":
            levels[identity] = -1
        elif outline is not None and (outline.get(f"{_W}val") or "9").isdigit() and int(outline.get(f"{_W}val")) < 9:
            levels[identity] = int(outline.get(f"{_W}val")) + 1
        elif parent is not None:
            based[identity] = parent.get(f"{_W}val", "")
    for identity, parent in based.items():
        for _ in range(10):
            if parent in levels:
                levels.setdefault(identity, levels[parent])
                break
            parent = based.get(parent, "")
    return levels


def _footnotes(path: Path, archive: zipfile.ZipFile) -> list[Piece]:
    pieces = []
    for name in ("word/footnotes.xml", "word/endnotes.xml"):
        content = part(archive, path, name, MAX_PART)
        if content is None:
            continue
        for note in read_xml(path, content):
            if note.get(f"{_W}type") in (None, "normal"):
                text = " ".join(drop_control("".join(text for text, turned in _texts(note) if not turned)).split())
                if text:
                    pieces.append(Piece("prose", text))
    return pieces


# ----------------------------------------------------------------------------------------------------------------------- powerpoint


def _slides(path: Path, archive: zipfile.ZipFile) -> list[str]:
    """Names of the slides' parts, in the order of the presentation."""
    content = part(archive, path, "ppt/presentation.xml", MAX_PART)
    if content is None:
        return []
    targets = _relations(path, archive, "ppt/presentation.xml")
    listed = read_xml(path, content).iter(f"{_P}sldId")
    return [targets[identity] for node in listed if (identity := node.get(f"{_R}id", "")) in targets]


def _relations(path: Path, archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """relation id -> name of the part that it leads to, for relations inside the file."""
    folder, file = posixpath.split(name)
    content = part(archive, path, f"{folder}/_rels/{file}.rels", MAX_PART)
    if content is None:
        return {}
    return {
        node.get("Id", ""): posixpath.normpath(posixpath.join(folder, node.get("Target", ""))).lstrip("/")
        if not node.get("Target", "").startswith("/")
        else node.get("Target", "").lstrip("/")
        for node in read_xml(path, content)
        if node.get("TargetMode") != "External"
    }


def _slide(slide: etree._Element, number: int) -> list[Piece]:
    """Title first, then the shapes that stand where the layout puts them, then the others column by column."""
    title, bodies, placed = "", [], []
    tree = slide.find(f".//{_P}spTree")
    for shape, box in _shapes(tree if tree is not None else slide):
        kind = shape.find(f".//{_P}nvPr/{_P}ph")
        role = kind.get("type", "body") if kind is not None else ""
        if role in ("dt", "ftr", "sldNum", "hdr"):
            continue
        if shape.find(f".//{_P}cNvPr") is not None and shape.find(f".//{_P}cNvPr").get("hidden") == "1":
            continue
        if role in ("title", "ctrTitle") and not title:
            title = " ".join(" ".join(_paragraphs(shape)).split())
        elif box is None:
            bodies.append(shape)
        else:
            placed.append((shape, box))
    bodies += [placed[at][0] for at in in_reading_order([box for _, box in placed])]
    section = (title,) if title else ()
    pieces = [Piece("heading", title, number, section)] if title else []
    for shape in bodies:
        table = shape.find(f".//{_A}tbl")
        if table is not None:
            rows = [[" ".join(_paragraphs(cell)) for cell in row.iter(f"{_A}tc")] for row in table.iter(f"{_A}tr")]
            pieces += table_pieces(Table([[Cell(text) for text in row] for row in rows if any(row)]), section, number)
        else:
            pieces += [Piece("item" if len(text) < 60 or "\n" in text else "prose", text, number, section) for text in _paragraphs(shape)]
    return pieces


Box = tuple[float, float, float, float]
"""(left, top, right, bottom), growing to the right and down."""


def _shapes(tree: etree._Element, scale: tuple[float, float] = (1, 1), shift: tuple[float, float] = (0, 0)) -> Iterator:
    """(shape, its box or None) of a slide, also inside groups, whose own measure is turned into that of the slide."""
    for node in tree:
        if node.tag in (f"{_P}sp", f"{_P}graphicFrame"):
            measure = _measure(node.find(f"{_P}spPr/{_A}xfrm") if node.tag == f"{_P}sp" else node.find(f"{_P}xfrm"))
            if measure is None:
                yield node, None
            else:
                (x, y), (wide, high) = measure
                left, top = shift[0] + scale[0] * x, shift[1] + scale[1] * y
                yield node, (left, top, left + scale[0] * wide, top + scale[1] * high)
        elif node.tag == f"{_P}grpSp":
            frame = node.find(f"{_P}grpSpPr/{_A}xfrm")
            outer, inner = _measure(frame), _measure(frame, "ch")
            new_scale, new_shift = scale, shift
            if outer and inner and inner[1][0] and inner[1][1]:
                own = outer[1][0] / inner[1][0], outer[1][1] / inner[1][1]
                new_scale = scale[0] * own[0], scale[1] * own[1]
                new_shift = tuple(shift[axis] + scale[axis] * (outer[0][axis] - own[axis] * inner[0][axis]) for axis in (0, 1))
            yield from _shapes(node, new_scale, new_shift)
        elif isinstance(node.tag, str) and node.tag.endswith("}AlternateContent"):
            for choice in list(node)[:1]:
                yield from _shapes(choice, scale, shift)


def _measure(frame: etree._Element | None, inner: str = "") -> tuple[tuple[int, int], tuple[int, int]] | None:
    """((x, y), (width, height)) that a frame gives, or, with "ch", gives for what is inside it."""
    names = (("chOff", "chExt") if inner else ("off", "ext")) if frame is not None else ()
    found = [node for name in names if (node := frame.find(f"{_A}{name}")) is not None]  # type: ignore[union-attr]
    try:
        return ((int(found[0].get("x")), int(found[0].get("y"))), (int(found[1].get("cx")), int(found[1].get("cy"))))
    except (IndexError, TypeError, ValueError):
        return None


def in_reading_order(boxes: Sequence[Box]) -> list[int]:
    """Positions of boxes in the order in which people read them: bands from top to bottom, in a band its columns from left to right.

    Bands below each other whose columns fit, and are parted more widely than the bands, are read as columns.

    >>> in_reading_order([(60, 20, 100, 40), (0, 20, 40, 40), (0, 0, 100, 15), (0, 42, 40, 60), (60, 42, 100, 60)])
    [2, 1, 3, 0, 4]
    """

    def parts(members: Sequence[int], axis: int) -> tuple[list[list[int]], float]:
        """(groups that a gap parts, width of the narrowest gap); overlaps of a thirtieth of the whole do not count."""
        ordered = sorted(members, key=lambda at: (boxes[at][axis], boxes[at][1 - axis]))
        slack = (max(boxes[at][axis + 2] for at in members) - boxes[ordered[0]][axis]) / 30
        groups, end, narrowest = [[ordered[0]]], boxes[ordered[0]][axis + 2], float("inf")
        for at in ordered[1:]:
            if boxes[at][axis] >= end - slack:
                narrowest = min(narrowest, boxes[at][axis] - end)
                groups.append([])
            groups[-1].append(at)
            end = max(end, boxes[at][axis + 2])
        return groups, narrowest

    def order(members: Sequence[int]) -> list[int]:
        bands: list[list[int]] = []
        for band in parts(members, 1)[0]:
            together = [*bands[-1], *band] if bands else []
            alike = bands and len(parts(bands[-1], 0)[0]) > 1 and len(parts(band, 0)[0]) > 1
            if alike and len(parts(together, 0)[0]) > 1:
                between = min(boxes[at][1] for at in band) - max(boxes[at][3] for at in bands[-1])
                if parts(together, 0)[1] >= between:
                    bands[-1] = together
                    continue
            bands.append(band)
        result: list[int] = []
        for band in bands:
            columns = parts(band, 0)[0]
            if len(columns) > 1:
                result += [at for column in columns for at in order(column)]
            elif len(bands) > 1:
                result += order(band)
            else:
                result += sorted(band, key=lambda at: (boxes[at][1], boxes[at][0]))
        return result

    if len(boxes) > 500:  # no slide that people made
        return sorted(range(len(boxes)), key=lambda at: (boxes[at][1], boxes[at][0]))
    return order(range(len(boxes))) if boxes else []


def _paragraphs(node: etree._Element) -> list[str]:
    found = []
    for paragraph in node.iter(f"{_A}p"):
        text = "".join((part.text or "") if part.tag == f"{_A}t" else " " for part in paragraph.iter(f"{_A}t", f"{_A}br"))
        text = " ".join(drop_control(text).split())
        if text:
            found.append(text)
    return found


def _speaker_notes(path: Path, archive: zipfile.ZipFile, name: str, number: int, section: tuple[str, ...]) -> list[Piece]:
    target = next((target for target in _relations(path, archive, name).values() if "notesSlide" in target), None)
    content = part(archive, path, target, MAX_PART) if target else None
    if content is None:
        return []
    pieces = []
    for shape in read_xml(path, content).iter(f"{_P}sp"):
        kind = shape.find(f".//{_P}nvPr/{_P}ph")
        if kind is not None and kind.get("type") == "body":
            pieces += [Piece("prose", text, number, section) for text in _paragraphs(shape)]
    return pieces


def _core(path: Path, archive: zipfile.ZipFile) -> dict[str, str]:
    """Title in the file's properties, where a person wrote one."""
    content = part(archive, path, "docProps/core.xml", MAX_PART)
    if content is None:
        return {}
    values = {etree.QName(node).localname: (node.text or "").strip() for node in read_xml(path, content) if isinstance(node.tag, str)}
    title = drop_control(values.get("title", "")).strip()
    generic = re.match(r"(?:word document|microsoft|document\d*$|untitled|无标题|powerpoint|slide \d)", title, re.I)
    return {"title": title} if 3 <= len(title) <= 150 and not generic and not re.search(r"\.(?:docx?|pptx?)$", title, re.I) else {}
