"""HTML -> pieces: the main text of a page alone, in the encoding that browsers would take it to be. Nothing is ever fetched."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree, html

from rag.errors import UnreadableFile
from rag.reading.cleanup import HAN, drop_control
from rag.reading.elements import Content, Piece, counted_notes
from rag.reading.formats.encoding import decode
from rag.reading.formats.markup import walk

_CHARSET = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w:.-]{2,30})", re.I)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w:.-]{2,30})[\"']", re.I)
_WIDER = {
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin1", "latin-1", "l1", "us-ascii", "ascii", "windows-1252", "x-cp1252"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "gb_2312-80", "x-gbk", "csgb2312", "cp936", "936"), "gb18030"),
    **dict.fromkeys(("big5", "big5-hkscs", "x-x-big5", "cn-big5"), "big5hkscs"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ksc5601", "korean"), "cp949"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620"), "cp874"),
    **dict.fromkeys(("utf-16", "utf-16le", "utf-16be", "unicode"), "utf-8"),
}
"""Labels that mean a wider encoding than their name says, as browsers read them."""


def read_html(path: Path, data: bytes) -> Content:
    """The text of a page with its headings, lists and tables. Raises UnreadableFile for what is no HTML."""
    root = parse_html(path, data)
    matter = _page_matter(root)
    pieces, title, left_out = walk(_main(root))
    name = matter.pop("title", "") or title
    return Content(pieces, name, matter, opening_of(pieces), opening_of(pieces[-8:]), notes=counted_notes(left_out))


def opening_of(pieces: list[Piece]) -> str:
    """The first words of a text, where title, publisher and year stand."""
    return "\n".join(piece.text for piece in pieces[:12])[:3000]


def parse_html(path: Path, data: bytes) -> html.HtmlElement:
    """The tree of a page. Raises UnreadableFile."""
    return parse_markup(path, _decoded(path, data))


def parse_markup(path: Path, text: str) -> html.HtmlElement:
    """The tree of a text in HTML, tags of XHTML that close themselves included. Raises UnreadableFile."""
    is_xml = re.match(r"\s*(?:<\?xml|<!DOCTYPE[^>]*XHTML|<html[^>]*xmlns)", text, re.I)
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    if is_xml:
        text = re.sub(r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)([A-Za-z][\w:-]*)((?:\s[^<>]*)?)/>", r"<\1\2></\1>", text)  # fmt: skip
    if not re.search(r"<[a-zA-Z!]", text[:100_000]):
        raise UnreadableFile(path, "no HTML in it; give a text file the suffix .txt")
    try:
        return html.document_fromstring(
            text, parser=html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, huge_tree=False)
        )
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableFile(path, f"no HTML that can be read ({str(error)[:80]})") from error


def _decoded(path: Path, data: bytes) -> str:
    """Bytes of a page as text: a mark, then UTF-8 where they are that, then the label as browsers take it, then evidence."""
    told = _XML_ENCODING.search(data[:200]) or _CHARSET.search(data[:4096])
    if told is None or data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return decode(data, path)
    label = told[1].decode("ascii", "replace").lower()
    name = _WIDER.get(label, label)
    if name == "utf-8" or _is_utf8(data):
        return decode(data, path)
    try:
        text = _single_bytes(data) if name == "cp1252" else data.decode(name)
    except (UnicodeDecodeError, LookupError, ValueError):
        return decode(data, path)
    if name == "cp1252" and (better := _rather_chinese(path, data, text)):
        text = better
    return drop_control(text)


def _is_utf8(data: bytes) -> bool:
    """Whether bytes beyond ASCII are sound UTF-8, which no other encoding gives by chance."""
    try:
        return not data.isascii() and bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _single_bytes(data: bytes) -> str:
    """Windows-1252, its five empty places as what they are in Latin-1."""
    return re.sub(rb"[\x81\x8d\x8f\x90\x9d]", b" ", data).decode("cp1252")


def _rather_chinese(path: Path, data: bytes, text: str) -> str:
    """The text in an older Chinese encoding, where a Western label stands over bytes that are mostly beyond ASCII; else empty."""
    words = re.sub(r"<[^>]*>", "", text)
    if sum(character > "\x7f" for character in words) < 0.3 * max(len(words.split()) + len(re.sub(r"\s", "", words)), 1):
        return ""
    try:
        other = decode(data, path)
    except UnreadableFile:
        return ""
    return other if len(re.findall(f"[{HAN}]", other)) > 0.2 * len(words) / 2 else ""


def _page_matter(root: html.HtmlElement) -> dict[str, str]:
    named = {
        "og:title": "title", "og:site_name": "publisher", "publisher": "publisher", "dc.publisher": "publisher", "citation_publisher": "publisher",
        "article:published_time": "date", "date": "date", "dc.date": "date", "citation_publication_date": "date", "dc.title": "title", "citation_title": "title",
    }  # fmt: skip
    matter: dict[str, str] = {}
    for node in list(root.iter("meta"))[:300]:
        key = named.get((node.get("property") or node.get("name") or "").lower())
        if key and node.get("content", "").strip():
            matter.setdefault(key, node.get("content").strip()[:200])
    title = root.find(".//title")
    whole = " ".join((matter.get("title") or (title.text_content() if title is not None else "")).split())
    if whole:
        matter["title"] = _page_title(whole, [" ".join(node.text_content().split()) for node in list(root.iter("h1"))[:5]])
    language = (root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or "")[:10]
    return matter | ({"language": language} if language else {})


def _page_title(whole: str, headings: list[str]) -> str:
    """The title of a page without the name of its site: the part that a heading of the page says too, else the first.

    >>> _page_title("The Quay - Harbour news", ["Harbour news"]), _page_title("Harbour news | The Quay", []), _page_title("港口_百科", ["港口"])
    ('Harbour news', 'Harbour news', '港口')
    """
    if whole in headings:
        return whole
    parts = re.split(r"\s+[|·–—-]\s+", whole)
    finer = re.split(r"\s*[|·–—_-]\s*", whole)
    return next((part for part in (*parts, *finer) if part and part in headings), parts[0] or whole)


def _main(root: html.HtmlElement) -> html.HtmlElement:
    """The element that holds the main text: <main> or one <article> with enough of the page's words, else the body."""
    body = root.find(".//body")
    body = root if body is None else body
    whole = len(body.text_content())
    for found in (list(body.iter("main")), [node for node in body.iter() if node.get("role") == "main"], list(body.iter("article"))):
        if len(found) == 1 and len(found[0].text_content()) > 0.25 * whole:
            return found[0]
    return body
