"""PPTX -> pieces, from its XML: slides as pages, a title as heading, shapes in the order in which people read them, notes with their slide.

What it gave up: hidden slides are left out and named in the notes, and pictures without a description are counted.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lxml import etree

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control
from rag.reading.elements import Content, Piece, counted_notes
from rag.reading.formats.archive import check_archive
from rag.reading.formats.formula import linear_formula
from rag.reading.formats.numerals import numeral
from rag.reading.formats.office.drawing import chart_pieces, core_properties, diagram_texts, relations, xml_part
from rag.reading.formats.office.order import in_reading_order
from rag.reading.formats.office.symbols import symbol, with_symbols
from rag.reading.inline import is_note_mark, subscript, superscript
from rag.reading.table_grid import Cell, Table, table_pieces

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_DRAWN = {"}chart": "id", "}relIds": "dm"}
_NUMBERED = re.compile(r"(arabic|romanLc|romanUc|alphaLc|alphaUc|ea1Chs|ea1Cht|ea1Jpn|circleNum)\w*?(Period|ParenR|ParenBoth|Plain)?")
_NUMERALS = {
    "romanLc": "lowerRoman", "romanUc": "upperRoman", "alphaLc": "lowerLetter", "alphaUc": "upperLetter", "ea1Chs": "chineseCounting",
    "ea1Cht": "chineseCounting", "ea1Jpn": "chineseCounting", "circleNum": "decimalEnclosedCircle",
}  # fmt: skip


def read_pptx(path: Path, data: bytes) -> Content:
    """The slides of a presentation in order, each a page, with the speaker's notes and comments. Raises UnreadableFile."""
    archive = check_archive(path, data)
    names = _slides(path, archive)
    if not names:
        raise UnreadableFile(path, "not a presentation with slides; give it its own suffix")
    pieces: list[Piece] = []
    left_out: Counter[str] = Counter()
    hidden: list[int] = []
    feet: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        slide = xml_part(path, archive, name)
        if slide is None:
            continue
        if slide.get("show") == "0":
            hidden.append(number)
            continue
        targets = relations(path, archive, name)
        reader = _Slide(number, lambda identity, targets=targets: xml_part(path, archive, targets.get(identity, "")), left_out, feet)
        pieces += reader.read(slide)
        pieces += _beside(path, archive, targets, reader)
    pieces += [Piece("prose", text, number) for text, number in feet.items()]
    title = core_properties(path, archive).get("title", "") or next((piece.text for piece in pieces if piece.kind == "heading"), "")
    notes = (f"hidden slides left out: {', '.join(map(str, hidden[:20]))}",) if hidden else ()
    opening = "\n".join(piece.text for piece in pieces if piece.page in (1, 2))[:3000]
    named = title if not re.match(r"PowerPoint|演示文稿|幻灯片", title) else ""
    return Content(pieces, named, opening=opening, page_count=len(names), notes=notes + counted_notes(left_out))


def _slides(path: Path, archive: zipfile.ZipFile) -> list[str]:
    """Names of the slides' parts, in the order of the presentation."""
    root = xml_part(path, archive, "ppt/presentation.xml")
    if root is None:
        return []
    targets = relations(path, archive, "ppt/presentation.xml")
    return [targets[identity] for node in root.iter(f"{_P}sldId") if (identity := node.get(f"{_R}id", "")) in targets]


class _Slide:
    """Reads one slide: title first, then the shapes that stand where the layout puts them, then the others column by column."""

    def __init__(self, number: int, drawn: Callable[[str], etree._Element | None], left_out: Counter[str], feet: dict[str, int]):
        self.number, self.section = number, ()
        self._drawn, self._left_out, self._feet = drawn, left_out, feet

    def read(self, slide: etree._Element) -> list[Piece]:
        """The pieces of the slide."""
        title, bodies, placed = "", [], []
        tree = slide.find(f".//{_P}spTree")
        for shape, box in _shapes(tree if tree is not None else slide):
            kind = shape.find(f".//{_P}nvPr/{_P}ph")
            role = kind.get("type", "body") if kind is not None else ""
            named = shape.find(f".//{_P}cNvPr")
            if role in ("dt", "sldNum"):
                continue
            if named is not None and named.get("hidden") in ("1", "true"):
                self._left_out["hidden parts left out"] += bool(self.paragraphs(shape))
            elif role in ("ftr", "hdr"):
                for text in self.paragraphs(shape):
                    self._feet.setdefault(text, self.number)
            elif role in ("title", "ctrTitle") and not title:
                title = " ".join(" ".join(self.paragraphs(shape)).split())
            elif box is None:
                bodies.append(shape)
            else:
                placed.append((shape, box))
        bodies += [placed[at][0] for at in in_reading_order([box for _, box in placed])]
        self.section = (title,) if title else ()  # type: ignore[assignment]
        pieces = [Piece("heading", title, self.number, self.section)] if title else []
        return pieces + [piece for shape in bodies for piece in self._shape(shape)]

    def _shape(self, shape: etree._Element) -> list[Piece]:
        table = shape.find(f".//{_A}tbl")
        if table is not None:
            return table_pieces(Table(self._rows(table)), self.section, self.number)
        if shape.tag == f"{_P}graphicFrame":
            return self._drawing(shape)
        if shape.tag == f"{_P}pic":
            named = shape.find(f".//{_P}cNvPr")
            told = " ".join(drop_control(named.get("descr") or "").split()) if named is not None else ""
            self._left_out["pictures not read"] += not told
            return [Piece("figure", told, self.number, self.section)] if told else []
        texts = self.paragraphs(shape)
        return [Piece("item" if len(text) < 60 or "\n" in text else "prose", text, self.number, self.section) for text in texts]

    def _drawing(self, frame: etree._Element) -> list[Piece]:
        for node in frame.iter():
            kind = next((kind for kind in _DRAWN if isinstance(node.tag, str) and node.tag.endswith(kind)), None)
            root = self._drawn(node.get(f"{_R}{_DRAWN[kind]}", "")) if kind else None
            if root is not None and kind == "}chart":
                return chart_pieces(root, self.section, self.number)
            if root is not None:
                return [Piece("item", text, self.number, self.section) for text in diagram_texts(root)]
        self._left_out["embedded objects and drawings not read"] += 1
        return []

    def _rows(self, table: etree._Element) -> list[list[Cell]]:
        look = table.find(f"{_A}tblPr")
        headed = look is not None and look.get("firstRow") in ("1", "true")
        rows = []
        for at, row in enumerate(table.findall(f"{_A}tr")):
            cells = []
            for cell in row.findall(f"{_A}tc"):
                if cell.get("hMerge") in ("1", "true") or cell.get("vMerge") in ("1", "true"):
                    continue
                marks: list[str] = []
                text = " ".join(self.paragraphs(cell, marks))
                down, across = (int(value) if (value := cell.get(name) or "").isdigit() else 1 for name in ("rowSpan", "gridSpan"))
                cells.append(Cell(text, min(down, 1000), min(across, 1000), headed and at == 0, tuple(marks)))
            rows.append(cells)
        return rows

    def paragraphs(self, node: etree._Element, marks: list[str] | None = None) -> list[str]:
        """The paragraphs of a shape with the numbers that PowerPoint counts; marks of notes go to `marks` where that is given."""
        found = []
        counts: dict[tuple[str, str], int] = {}
        for paragraph in node.iter(f"{_A}p"):
            text = " ".join(drop_control(self._line(paragraph, marks)).split())
            if text:
                found.append(_label(paragraph, counts) + text)
        return found

    def _line(self, paragraph: etree._Element, marks: list[str] | None) -> str:
        line = ""
        stack = list(reversed(paragraph))
        while stack:
            node = stack.pop()
            tag = node.tag if isinstance(node.tag, str) else ""
            if tag in (f"{_A}r", f"{_A}fld"):
                line += self._run(node, line, marks)
            elif tag == f"{_A}br":
                line += " "
            elif tag == f"{_M}oMath":
                line += linear_formula(node)
            elif not tag.endswith(("}Fallback", "}pPr", "}endParaRPr")):
                stack.extend(reversed(node))
        return line

    def _run(self, run: etree._Element, before: str, marks: list[str] | None) -> str:
        look = run.find(f"{_A}rPr")
        text = "".join(node.text or "" for node in run.iter(f"{_A}t"))
        if look is None:
            return _known_symbols(text, "")
        font = next((node.get("typeface", "") for name in ("sym", "latin") if (node := look.find(f"{_A}{name}")) is not None), "")
        text = _known_symbols(text, font)
        if (look.get("strike") or "noStrike") != "noStrike":
            self._left_out["struck-out passages left out"] += bool(text.strip())
            return ""
        baseline = look.get("baseline") or "0"
        if baseline.startswith("-"):
            return subscript(text)
        if baseline.strip("0%") == "":
            return text
        if marks is not None and before.strip() and is_note_mark(text, before):
            marks.append(text.strip())
            return ""
        return superscript(text, before)


def _known_symbols(text: str, font: str) -> str:
    return re.sub("[\uf020-\uf0ff]", lambda match: symbol(ord(match[0]), font or "Symbol"), with_symbols(text, font))


def _label(paragraph: etree._Element, counts: dict[tuple[str, str], int]) -> str:
    """The number that PowerPoint shows before a paragraph, with a blank; empty for none."""
    properties = paragraph.find(f"{_A}pPr")
    numbered = properties.find(f"{_A}buAutoNum") if properties is not None else None
    level = (properties.get("lvl") or "0") if properties is not None else "0"
    for key in [key for key in counts if key[0] > level or (key[0] == level and numbered is None)]:
        del counts[key]
    if numbered is None:
        return ""
    kind = numbered.get("type") or "arabicPeriod"
    start = numbered.get("startAt") or "1"
    count = counts.get((level, kind), (int(start) if start.isdigit() else 1) - 1) + 1
    counts[level, kind] = count
    match = _NUMBERED.fullmatch(kind)
    shown = numeral(count, _NUMERALS.get(match[1], "decimal") if match else "decimal")
    form = {"ParenR": "{})", "ParenBoth": "({})", "Plain": "{}"}.get((match[2] or "") if match else "", "{}.")
    return (shown if kind.startswith("circle") else form.format(shown)) + " "


def _beside(path: Path, archive: zipfile.ZipFile, targets: dict[str, str], reader: _Slide) -> Iterator[Piece]:
    """The notes of the speaker and the comments of readers on a slide."""
    for target in targets.values():
        if "notesSlide" in target and (root := xml_part(path, archive, target)) is not None:
            for shape in root.iter(f"{_P}sp"):
                kind = shape.find(f".//{_P}nvPr/{_P}ph")
                if kind is not None and kind.get("type") == "body":
                    yield from (Piece("prose", text, reader.number, reader.section) for text in reader.paragraphs(shape))
        elif "/comments/" in target and (root := xml_part(path, archive, target)) is not None:
            texts = [node.text or "" for node in root.iter(f"{_P}text")]
            texts += [" ".join(reader.paragraphs(body)) for body in root.iter("{*}txBody")]
            for text in texts:
                if shown := " ".join(drop_control(text).split()):
                    yield Piece("prose", shown, reader.number, reader.section)


def _shapes(tree: etree._Element, scale: tuple[float, float] = (1, 1), shift: tuple[float, float] = (0, 0)) -> Iterator:
    """(shape, its box or None) of a slide, also inside groups, whose own measure is turned into that of the slide."""
    for node in tree:
        if node.tag in (f"{_P}sp", f"{_P}graphicFrame", f"{_P}pic"):
            measure = _measure(node.find(f"{_P}spPr/{_A}xfrm") if node.tag != f"{_P}graphicFrame" else node.find(f"{_P}xfrm"))
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
