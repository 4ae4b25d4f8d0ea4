"""What charts, SmartArt and the properties of Office files say, for both Word and PowerPoint."""

from __future__ import annotations

import posixpath
import re
import zipfile
from pathlib import Path

from lxml import etree

from rag.reading.cleanup import drop_control
from rag.reading.elements import Piece
from rag.reading.formats.archive import part, read_xml
from rag.reading.table_grid import Cell, Table, table_pieces

MAX_PART = 100_000_000
"""Bytes of one XML part, unpacked."""
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_MOST_POINTS = 2_000


def xml_part(path: Path, archive: zipfile.ZipFile, name: str) -> etree._Element | None:
    """The root of a part; None when there is none. Raises UnreadableFile."""
    content = part(archive, path, name, MAX_PART)
    return None if content is None else read_xml(path, content)


def relations(path: Path, archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """relation id -> name of the part that it leads to, for relations inside the file."""
    folder, file = posixpath.split(name)
    root = xml_part(path, archive, f"{folder}/_rels/{file}.rels")
    return {
        node.get("Id", ""): posixpath.normpath(posixpath.join(folder, node.get("Target", ""))).lstrip("/")
        if not node.get("Target", "").startswith("/")
        else node.get("Target", "").lstrip("/")
        for node in (root if root is not None else ())
        if isinstance(node.tag, str) and node.get("TargetMode") != "External"
    }


def chart_pieces(root: etree._Element, section: tuple[str, ...], page: int | None) -> list[Piece]:
    """A chart as its title, and the figures that it draws as a table."""
    title = root.find(f".//{_C}chart/{_C}title")
    name = _text(title, f"{_A}t") if title is not None else ""
    pieces = [Piece("figure", name, page, section)] if name else []
    names: list[str] = []
    values: dict[str, dict[int, str]] = {}
    for at, series in enumerate(root.iter(f"{_C}ser")):
        shown = series.find(f"{_C}tx")
        names.append(_text(shown, f"{_C}v") if shown is not None else "")
        labels = _points(series, "cat") or _points(series, "xVal")
        for index, value in list((_points(series, "val") or _points(series, "yVal")).items())[:_MOST_POINTS]:
            values.setdefault(labels.get(index, str(index + 1)), {})[at] = value
    rows = [[Cell(label), *(Cell(found.get(at, "")) for at in range(len(names)))] for label, found in values.items()]
    if rows:
        pieces += table_pieces(Table([[Cell(""), *map(Cell, names)], *rows], name, 1 if any(names) else 0), section, page)
    return pieces


def _points(series: etree._Element, kind: str) -> dict[int, str]:
    """Position -> what stands there, of the labels or values of a series."""
    holder = series.find(f"{_C}{kind}")
    found: dict[int, str] = {}
    for point in holder.iter(f"{_C}pt") if holder is not None else ():
        index, value = point.get("idx", ""), point.find(f"{_C}v")
        if index.isdigit() and value is not None and value.text:
            text = " ".join(value.text.split())
            found[int(index)] = f"{found[int(index)]} {text}" if int(index) in found else _rounded(text)
    return found


def _rounded(text: str) -> str:
    """A figure without the noise of its binary form.

    >>> _rounded("0.30000000000000004"), _rounded("2022")
    ('0.3', '2022')
    """
    return f"{float(text):.12g}" if re.fullmatch(r"-?\d+\.\d{10,}", text) else text


def diagram_texts(root: etree._Element) -> list[str]:
    """The texts of a SmartArt drawing, one a shape."""
    shapes = [point.find(f"{_DGM}t") for point in root.iter(f"{_DGM}pt")]
    texts = (" ".join(_text(paragraph, f"{_A}t") for paragraph in shape.iter(f"{_A}p")) for shape in shapes if shape is not None)
    return [text.strip() for text in texts if text.strip()]


def _text(node: etree._Element, tag: str) -> str:
    return " ".join(drop_control("".join(part.text or "" for part in node.iter(tag))).split())


def core_properties(path: Path, archive: zipfile.ZipFile) -> dict[str, str]:
    """Title in the file's properties, where a person wrote one."""
    root = xml_part(path, archive, "docProps/core.xml")
    if root is None:
        return {}
    values = {etree.QName(node).localname: (node.text or "").strip() for node in root if isinstance(node.tag, str)}
    title = drop_control(values.get("title", "")).strip()
    junk = re.match(
        r"[(（\[].*[)）\]]$|(?:word document|microsoft|document ?\d*$|untitled|template|title$|powerpoint|presentation ?\d*$|slide \d|"
        r"无标题|新建|文档 ?\d*$|演示文稿|幻灯片|模板|标题$)",
        title,
        re.I,
    )
    return {"title": title} if 3 <= len(title) <= 150 and not junk and not re.search(r"\.(?:docx?|pptx?|dotx?|pdf)$", title, re.I) else {}
