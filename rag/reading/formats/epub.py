"""EPUB -> pieces: the chapters of a book along its spine, then what lies beside it, such as notes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from lxml import etree

from rag.errors import UnreadableFile
from rag.reading.elements import Content, Piece, counted_notes
from rag.reading.formats.archive import check_archive, part, read_xml
from rag.reading.formats.html import opening_of, parse_html
from rag.reading.formats.markup import walk


def read_epub(path: Path, data: bytes) -> Content:
    """The chapters of a book in the order of its spine. Raises UnreadableFile for a damaged or protected one."""
    archive = check_archive(path, data)
    container = read_xml(path, part(archive, path, "META-INF/container.xml"))
    if part(archive, path, "META-INF/encryption.xml") is not None and part(archive, path, "META-INF/rights.xml") is not None:
        raise UnreadableFile(path, "protected against copying (DRM); index an open copy")
    names = [node.get("full-path") for node in container.iter("{*}rootfile") if node.get("full-path")]
    package = read_xml(path, part(archive, path, names[0]) if names else None)
    pieces: list[Piece] = []
    left_out: Counter[str] = Counter()
    for name in _chapters(package, PurePosixPath(names[0]).parent):
        chapter = part(archive, path, name)
        if not chapter or not chapter.strip():
            left_out["chapters missing in the file"] += 1
            continue
        root = parse_html(path, chapter)
        body = root.find(".//body")
        found, _, missing = walk(root if body is None else body, keep_title=True, menus=False)
        pieces += found
        left_out += missing
    matter = {
        key: "".join(node.itertext()).strip()
        for key in ("title", "publisher", "date", "language")
        for node in list(package.iter(f"{{*}}{key}"))[:1]
    }
    title = matter.pop("title", "")
    return Content(pieces, title, matter, opening_of(pieces), notes=counted_notes(left_out))


def _chapters(package: etree._Element, folder: PurePosixPath) -> list[str]:
    """Names of the parts to read: the spine, what is marked as beside it last; the book's own table of contents is left out."""
    items = {node.get("id"): node for node in package.iter("{*}item")}
    order: dict[bool, list[str]] = {False: [], True: []}
    for reference in package.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is not None and "nav" not in (item.get("properties") or "").split():
            name = unquote((item.get("href") or "").split("#")[0])
            order[reference.get("linear") == "no"].append(str(folder / name))
    return list(dict.fromkeys(order[False] + order[True]))
