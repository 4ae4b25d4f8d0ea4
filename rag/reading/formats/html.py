"""HTML and EPUB -> pieces: the main text alone, without menus, scripts and whatever a reader of the page cannot see.

Nothing is ever fetched. What it gave up: style sheets (only inline styles hide), frames, and the order that scripts would give.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from lxml import etree, html

from rag.errors import UnreadableFile
from rag.reading.cleanup import HAN, drop_control
from rag.reading.elements import Content, Piece, row_text
from rag.reading.formats.archive import check_archive, part
from rag.reading.formats.encoding import decode

MAX_ELEMENTS = 2_000_000
_UNSEEN = frozenset(
    "script style noscript template iframe object embed svg math canvas audio video form button select nav footer dialog head link meta input textarea map".split()
)
_BLOCKS = frozenset(
    "p div section article main header aside ul ol dl blockquote pre figure figcaption table tr td th thead tbody tfoot caption li dt dd address hr br "
    "h1 h2 h3 h4 h5 h6 body html details summary center fieldset".split()
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:;|$)|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)", re.I
)
_MENU = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|menu|sidebar|breadcrumbs?|footer|cookie|share|social|advert|comments?|related)(?:$|[\s_-])", re.I
)


def read_html(path: Path, data: bytes) -> Content:
    """The text of a page with its headings, lists and tables. Raises UnreadableFile for what is no HTML."""
    root = _parsed(path, data)
    matter = _page_matter(root)
    pieces, title = _pieces(_main(root))
    name = matter.get("title") or title
    return Content(pieces, name, {key: value for key, value in matter.items() if key != "title"}, _opening(pieces), _opening(pieces[-8:]))


def read_epub(path: Path, data: bytes) -> Content:
    """The chapters of a book in the order of its spine. Raises UnreadableFile for a damaged or protected one."""
    archive = check_archive(path, data)
    container = read_xml(path, part(archive, path, "META-INF/container.xml"))
    if part(archive, path, "META-INF/encryption.xml") is not None and part(archive, path, "META-INF/rights.xml") is not None:
        raise UnreadableFile(path, "protected against copying (DRM); index an open copy")
    names = [node.get("full-path") for node in container.iter("{*}rootfile") if node.get("full-path")]
    package = read_xml(path, part(archive, path, names[0]) if names else None)
    folder = PurePosixPath(names[0]).parent
    files = {node.get("id"): node.get("href", "") for node in package.iter("{*}item")}
    matter = {
        key: "".join(node.itertext()).strip()
        for key in ("title", "publisher", "date", "language")
        for node in list(package.iter(f"{{*}}{key}"))[:1]
    }
    pieces: list[Piece] = []
    for reference in package.iter("{*}itemref"):
        name = str(folder / unquote(files.get(reference.get("idref"), "").split("#")[0]))
        chapter = part(archive, path, name)
        if chapter and reference.get("linear") != "no":
            pieces += _pieces(_main(_parsed(path, chapter)), keep_title=True)[0]
    return Content(pieces, matter.get("title", ""), {key: value for key, value in matter.items() if key != "title"}, _opening(pieces))


def _opening(pieces: list[Piece]) -> str:
    return "\n".join(piece.text for piece in pieces[:12])[:3000]


def read_xml(path: Path, data: bytes | None) -> etree._Element:
    """An XML part of a packed file, with nothing in it resolved or fetched. Raises UnreadableFile."""
    if data is None or b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data:
        raise UnreadableFile(path, "damaged: a part is missing or holds declarations that no such file has; save it again")
    try:
        return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False))
    except etree.XMLSyntaxError as error:
        raise UnreadableFile(path, f"damaged (its XML is broken: {str(error)[:80]}); save it again") from error


def _parsed(path: Path, data: bytes) -> html.HtmlElement:
    declared = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{2,20})", data[:4096], re.I)
    text = None
    if declared and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            name = declared[1].decode().lower()
            text = drop_control(data.decode("gb18030" if name in ("gb2312", "gbk") else name))
        except (UnicodeDecodeError, LookupError):
            pass
    text = text if text is not None else decode(data, path)
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    if not re.search(r"<[a-zA-Z!]", text[:100_000]):
        raise UnreadableFile(path, "no HTML in it; give a text file the suffix .txt")
    try:
        root = html.document_fromstring(
            text, parser=html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, huge_tree=False)
        )
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableFile(path, f"no HTML that can be read ({str(error)[:80]})") from error
    return root


def _page_matter(root: html.HtmlElement) -> dict[str, str]:
    named = {
        "og:title": "title", "og:site_name": "publisher", "publisher": "publisher", "dc.publisher": "publisher", "citation_publisher": "publisher",
        "article:published_time": "date", "date": "date", "dc.date": "date", "citation_publication_date": "date",
    }  # fmt: skip
    matter: dict[str, str] = {}
    for node in list(root.iter("meta"))[:300]:
        key = named.get((node.get("property") or node.get("name") or "").lower())
        if key and node.get("content", "").strip():
            matter.setdefault(key, node.get("content").strip()[:200])
    title = root.find(".//title")
    if title is not None and "title" not in matter and title.text_content().strip():
        whole = " ".join(title.text_content().split())
        matter["title"] = re.split(r"\s+[|·–—-]\s+", whole)[0] or whole
    language = (root.get("lang") or "")[:10]
    return matter | ({"language": language} if language else {})


def _main(root: html.HtmlElement) -> html.HtmlElement:
    """The element that holds the main text: <main> or one <article> with enough of the page's words, else the body."""
    body = root.find(".//body")
    body = root if body is None else body
    whole = len(body.text_content())
    for found in (list(body.iter("main")), [node for node in body.iter() if node.get("role") == "main"], list(body.iter("article"))):
        if len(found) == 1 and len(found[0].text_content()) > 0.25 * whole:
            return found[0]
    return body


def _is_unseen(node: etree._Element) -> bool:
    if not isinstance(node.tag, str) or node.tag in _UNSEEN or "hidden" in node.attrib or node.get("aria-hidden") == "true":
        return True
    if _HIDDEN.search(node.get("style") or "") or node.get("role") in ("navigation", "banner", "contentinfo", "search"):
        return True
    return node.tag in ("div", "ul", "aside", "section") and bool(_MENU.search(f"{node.get('class') or ''} {node.get('id') or ''}"))


def _events(top: html.HtmlElement) -> Iterator[tuple[str, etree._Element]]:
    """("start" or "end", element) and ("text" or "tail", element) in order, without what is unseen; no recursion, however deep it nests."""
    stack: list[tuple[etree._Element, Iterator[etree._Element]]] = [(top, iter(top))]
    yield "start", top
    yield "text", top
    count = 0
    while stack:
        node, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            yield "end", node
            if stack:
                yield "tail", node
            continue
        count += 1
        if count > MAX_ELEMENTS:
            return
        if _is_unseen(child):
            yield "tail", child
            continue
        yield "start", child
        yield "text", child
        stack.append((child, iter(child)))


def _pieces(top: html.HtmlElement, keep_title: bool = False) -> tuple[list[Piece], str]:
    """(pieces, first heading of the highest level) of an element."""
    pieces: list[Piece] = []
    sections: list[tuple[int, str]] = []
    title = ""
    buffer: list[str] = []
    linked = 0
    kind = "prose"
    number: list[int] = []  # of items in the ordered lists that stand open; 0 for bullets
    tables: list[list[list[str]]] = []
    pre = 0

    def section() -> tuple[str, ...]:
        return tuple(name for _, name in sections)

    def close() -> None:
        nonlocal kind, linked
        lines = "".join(buffer).split("\n") if pre else [" ".join("".join(buffer).split())]
        for line in lines:
            text = drop_control(line).strip()
            menu = linked > 0.8 * len(text) and len(text) < 60 and not re.search(rf"[。.!?！？]|[{HAN}]{{12}}", text) and top.tag == "body"
            if text and tables:
                rows = tables[-1] or [[]]
                tables[-1] = rows
                rows[-1] = rows[-1] or [""]
                rows[-1][-1] = f"{rows[-1][-1]} {text}".strip()
            elif text and not menu:
                prefix = f"{number[-1]}. " if kind == "item" and number and number[-1] else ""
                pieces.append(Piece(kind, prefix + text, None, section()))
        buffer.clear()
        linked, kind = 0, "prose"

    links = 0
    for event, node in _events(top):
        tag = node.tag if isinstance(node.tag, str) else ""
        if event in ("text", "tail"):
            text = (node.text if event == "text" else node.tail) or ""
            if len(text) > 5_000_000:
                text = text[:5_000_000]
            buffer.append(text)
            if links:
                linked += len(text.strip())
            continue
        if tag == "a":
            links += 1 if event == "start" else -1
        if tag == "br":
            if event == "start":
                buffer.append("\n" if pre else " ")
            continue
        if tag not in _BLOCKS:
            continue
        level = re.fullmatch(r"h([1-6])", tag)
        if level and event == "end" and not tables:
            name = drop_control(" ".join("".join(buffer).split())).strip()
            buffer.clear()
            linked = 0
            if name:
                depth = int(level[1])
                if depth == 1 and not title and not keep_title:
                    title = name
                    sections.clear()
                    pieces.append(Piece("heading", name))
                else:
                    sections[:] = [entry for entry in sections if entry[0] < depth] + [(depth, name)]
                    pieces.append(Piece("heading", name, None, section()))
            continue
        if tag in ("td", "th", "tr") and tables:
            close()
            if event == "start":
                if tag == "tr":
                    tables[-1].append([])
                else:
                    tables[-1] = tables[-1] or [[]]
                    tables[-1][-1].append("")
            continue
        if tag == "table":
            close()
            if event == "start":
                tables.append([])
            else:
                rows = [row for row in tables.pop() if any(row)]
                if tables:  # a table inside a cell is text of that cell
                    buffer.append(" ".join(" ".join(row) for row in rows))
                else:
                    pieces += _table(rows, section())
            continue
        close()
        if tag in ("ul", "ol"):
            if event == "start":
                number.append(0)
                if tag == "ol":
                    number[-1] = -1
            elif number:
                number.pop()
        elif tag == "li" and event == "start":
            kind = "item"
            if number and number[-1]:
                number[-1] = max(number[-1], 0) + 1
        elif tag == "pre":
            pre += 1 if event == "start" else -1
        elif tag in ("figcaption", "caption") and event == "start":
            kind = "figure"
        elif tag == "dd" and event == "start":
            kind = "item"
    close()
    return pieces, title


def _table(rows: list[list[str]], section: tuple[str, ...]) -> list[Piece]:
    """Rows with the names of their columns; a table of one column or one row is layout, and its cells are paragraphs."""
    if not rows:
        return []
    if len(rows) == 1 or max(map(len, rows)) == 1:
        return [Piece("prose", cell, None, section) for row in rows for cell in row if cell]
    return [
        Piece("row", " | ".join(filter(None, rows[0])), None, section),
        *(Piece("row", text, None, section) for row in rows[1:] if (text := row_text(rows[0], row))),
    ]
