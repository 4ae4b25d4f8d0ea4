"""A tree of HTML elements -> pieces, for web pages, the chapters of books, and Markdown: what a reader sees, in the order of the source.

Struck, hidden and embedded parts are left out and counted. What it gave up: style sheets (only inline styles count), frames, and the order
that scripts would give.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree, html

from rag.reading.cleanup import HAN, drop_control
from rag.reading.elements import Piece
from rag.reading.formats.formula import linear_formula
from rag.reading.formats.numerals import numeral
from rag.reading.inline import is_note_mark, join_wrapped, subscript, superscript
from rag.reading.table_grid import Cell, Table, caption_of, table_pieces

MAX_ELEMENTS = 2_000_000
_LONGEST_TEXT = 5_000_000
_SILENT = frozenset("script style noscript template head link meta param source track datalist rt rp colgroup col button dialog".split())
_FURNITURE = frozenset("nav footer".split())
_EMBEDDED = frozenset("iframe object embed canvas audio video map svg".split())
_CONTROLS = frozenset("input select textarea".split())
_STRUCK = frozenset("del s strike".split())
_BLOCKS = frozenset(
    "p div section article main header aside ul ol menu dir dl blockquote pre figure figcaption table tr td th thead tbody tfoot caption li dt dd "
    "address hr h1 h2 h3 h4 h5 h6 hgroup body html details summary center fieldset legend form search nav footer listing xmp".split()
)
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big blink cite code data dfn em font i ins kbd label mark nobr output q rb ruby samp small span strong sub sup time tt u "
    "var wbr img br del s strike math picture meter progress tbody".split()
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:;|$)|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}(?:px|em)",
    re.I,
)
_BLOCK_STYLE = re.compile(r"display\s*:\s*(?:block|flex|grid|table|list-item)", re.I)
_STRUCK_STYLE = re.compile(r"text-decoration[\w-]*\s*:[^;]*line-through", re.I)
_MENU = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|menu|sidebar|breadcrumbs?|footer|cookie|share|social|advert|comments?|related)(?:$|[\s_-])", re.I
)
_ROLES = {"table": "table", "grid": "table", "row": "tr", "cell": "td", "gridcell": "td", "columnheader": "th", "rowheader": "th"}
_LIST_TYPES = {"a": "lower-alpha", "A": "upper-alpha", "i": "lower-roman", "I": "upper-roman"}
_ABBREVIATIONS = re.compile(r"缩略语|缩写|简称|abbreviation|acronym", re.I)


def walk(top: html.HtmlElement, *, keep_title: bool = False, menus: bool = True) -> tuple[list[Piece], str, Counter[str]]:
    """(pieces, first heading of the highest level, what was left out by kind) of an element.

    `keep_title` makes that heading a section too; `menus` says that parts which look like menus are to be left out.
    """
    walker = _Walk(keep_title, menus and top.tag == "body")
    for event, node in _events(top, walker.left_out, menus):
        walker.take(event, node)
    walker.close()
    return walker.pieces, walker.title, walker.left_out


def _unseen(node: etree._Element, menus: bool) -> str | None:
    """Why an element is not read: a kind that is counted, or "" for what no reader misses; None for one that is read."""
    tag, style = node.tag, node.get("style") or ""
    if not isinstance(tag, str) or tag in _SILENT:
        return ""
    if tag in _STRUCK or _STRUCK_STYLE.search(style):
        return "struck-out passages left out"
    if "hidden" in node.attrib or node.get("aria-hidden") == "true" or _HIDDEN.search(style):
        return "hidden parts left out" if " ".join(node.itertext()).strip() else ""
    if tag in _EMBEDDED:
        return "embedded objects and drawings not read"
    if not menus:
        return None
    if tag in _FURNITURE or node.get("role") in ("navigation", "banner", "contentinfo", "search"):
        return ""
    if tag == "form" and _is_furniture(node):
        return ""
    named = f"{node.get('class') or ''} {node.get('id') or ''}"
    return "" if tag in ("div", "ul", "aside", "section") and _MENU.search(named) else None


def _is_furniture(form: etree._Element) -> bool:
    """Whether a form is a box for searching or logging in: little text, no paragraphs, nothing filled in."""
    if next(form.iter("p", "h1", "h2", "h3", "h4", "table", "article", "main"), None) is not None:
        return False
    filled = any(_control(node) not in ("", "☐") for node in form.iter(*_CONTROLS))
    return not filled and len(" ".join(form.text_content().split())) < 200


def _control(node: etree._Element) -> str:
    """What a field of a form shows."""
    if node.tag == "input":
        kind = (node.get("type") or "text").lower()
        if kind in ("checkbox", "radio"):
            return "☑" if "checked" in node.attrib else "☐"
        return "" if kind in ("hidden", "password", "submit", "button", "reset", "image", "file", "search") else node.get("value") or ""
    if node.tag == "select":
        options = list(node.iter("option"))
        return ", ".join(" ".join(option.itertext()).strip() for option in options if "selected" in option.attrib)
    return " ".join(node.itertext())


def _events(top: html.HtmlElement, left_out: Counter[str], menus: bool) -> Iterator[tuple[str, etree._Element]]:
    """("start" or "end", element), ("text" or "tail", element) and ("whole", element) for one without inner structure, in order.

    No recursion, however deep it nests.
    """
    stack: list[tuple[etree._Element, Iterator[etree._Element]]] = [(top, iter(top))]
    yield "start", top
    yield "text", top
    for _ in range(MAX_ELEMENTS):
        node, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            yield "end", node
            if not stack:
                return
            yield "tail", node
            continue
        reason = _unseen(child, menus)
        if reason is None and (child.tag in _CONTROLS or child.tag in ("math", "img")):
            yield "whole", child
        if reason is not None or child.tag in _CONTROLS or child.tag in ("math", "img"):
            left_out.update([reason] if reason else [])
            yield "tail", child
            continue
        yield "start", child
        yield "text", child
        stack.append((child, iter(child)))


@dataclass
class _OpenCell:
    head: bool
    rows: int
    columns: int
    texts: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)


@dataclass
class _OpenTable:
    """A table whose end has not come yet."""

    caption: str = ""
    groups: list[tuple[int, list[_OpenCell]]] = field(default_factory=list)
    """(0 for the head, 1 for the body, 2 for the foot; cells) of each row."""
    group: int = 1
    cell: _OpenCell | None = None

    def rows(self) -> list[list[Cell]]:
        """The rows as a page shows them, the foot last; a span ends with its group."""
        ordered = sorted(self.groups, key=lambda entry: entry[0])
        last = {group: at for at, (group, _) in enumerate(ordered)}
        return [
            [
                Cell(
                    " ".join(cell.texts),
                    min(cell.rows or last[group] - at + 1, last[group] - at + 1),
                    cell.columns,
                    cell.head or group == 0,
                    tuple(cell.marks),
                )
                for cell in row
            ]
            for at, (group, row) in enumerate(ordered)
        ]


@dataclass
class _List:
    """A list that stands open: its next number, 0 for bullets."""

    number: int = 0
    step: int = 1
    style: str = "decimal"


class _Walk:
    """Gathers pieces from the events of a tree."""

    def __init__(self, keep_title: bool, menus: bool):
        self.keep_title, self.menus = keep_title, menus
        self.pieces: list[Piece] = []
        self.title = ""
        self.left_out: Counter[str] = Counter()
        self._sections: list[tuple[int, str]] = []
        self._buffer: list[str] = []
        self._kind, self._label = "prose", ""
        self._links = self._linked = self._pre = 0
        self._raised: list[int] = []
        self._lists: list[_List] = []
        self._tables: list[_OpenTable | None] = []
        """None for a table that only lays out a page."""

    def take(self, event: str, node: etree._Element) -> None:
        """Goes on with the next event."""
        if event in ("text", "tail"):
            text = ((node.text if event == "text" else node.tail) or "")[:_LONGEST_TEXT]
            self._buffer.append(text)
            self._linked += len(text.strip()) if self._links else 0
        elif event == "whole":
            self._whole(node)
        else:
            tag = _ROLES.get(node.get("role") or "", node.tag)
            if tag in _BLOCKS or _BLOCK_STYLE.search(node.get("style") or ""):
                self._block(tag, event == "start", node)
            else:
                self._inline(tag, event == "start", node)

    def close(self) -> None:
        """Ends the paragraph, cell or line that stands open."""
        whole = "".join(self._buffer)
        self._buffer.clear()
        linked, self._linked = self._linked, 0
        lines = whole.expandtabs(4).split("\n") if self._pre else [join_wrapped(drop_control(whole))]
        for line in lines:
            text = drop_control(line).strip()
            if not text:
                continue
            menu = self.menus and linked > 0.8 * len(text) and len(text) < 60 and not re.search(rf"[。.!?！？]|[{HAN}]{{12}}", text)
            table = self._table()
            if table is not None and table.cell is not None:
                table.cell.texts.append(self._label + text)
            elif not menu:
                self.pieces.append(Piece(self._kind, self._label + text, None, self._section()))  # type: ignore[arg-type]
            self._label, self._kind = "", "prose"

    def _section(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._sections)

    def _table(self) -> _OpenTable | None:
        return self._tables[-1] if self._tables else None

    def _whole(self, node: etree._Element) -> None:
        if node.tag == "math":
            self._buffer.append(f" {linear_formula(node)} " if node.get("display") == "block" else linear_formula(node))
        elif node.tag == "img":
            told = " ".join((node.get("alt") or "").split())
            formula = re.search(r"math|tex\b|latex|equation|emoji", node.get("class") or "", re.I)
            if told and len(told) <= 200 and (formula or "".join(self._buffer[-4:]).strip()):
                self._buffer.append(f" {told} ")
            elif self._tables or not self.menus or (node.get("alt") or "").strip():
                self.left_out["pictures not read"] += 1
        elif (shown := _control(node)) and not self._links:
            self._buffer.append(f" {shown} ")

    def _inline(self, tag: str, starts: bool, node: etree._Element) -> None:
        if tag == "a":
            self._links += 1 if starts else -1
        elif tag == "br" and starts:
            self._buffer.append("\n" if self._pre else " ")
        elif tag == "q":
            self._buffer.append("“" if starts else "”")
        elif tag in ("sup", "sub"):
            if starts:
                self._raised.append(len(self._buffer))
            else:
                self._lift(tag, node)
        elif tag not in _INLINE:
            self._buffer.append(" ")  # a border that only a style sheet or a script would show

    def _lift(self, tag: str, node: etree._Element) -> None:
        """Turns what was gathered since a raised or lowered part began."""
        at = min(self._raised.pop() if self._raised else 0, len(self._buffer))
        text, before = "".join(self._buffer[at:]), "".join(self._buffer[max(at - 6, 0) : at])
        del self._buffer[at:]
        if tag == "sub":
            self._buffer.append(subscript(text))
            return
        linked = any("#" in (link.get("href") or "") for link in node.iter("a")) or (
            node.getparent() is not None and node.getparent().tag == "a"
        )
        table = self._table()
        if table is not None and table.cell is not None and before.strip() and is_note_mark(text, before, linked):
            table.cell.marks.append(text.strip(" []()（）【】"))
        else:
            self._buffer.append(superscript(text, before, linked))

    def _block(self, tag: str, starts: bool, node: etree._Element) -> None:
        level = re.fullmatch(r"h([1-6])", tag)
        if level and not starts and (self._table() is None or self._table().cell is None):  # type: ignore[union-attr]
            self._heading(int(level[1]))
            return
        if tag in ("table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th"):
            self._table_part(tag, starts, node)
            return
        self.close()
        if tag in ("ul", "ol", "menu", "dir"):
            if starts:
                self._lists.append(_opened_list(tag, node))
            elif self._lists:
                self._lists.pop()
        elif tag == "li":
            self._kind, self._label = ("item", self._next_label(node)) if starts else ("prose", "")
        elif tag in ("pre", "listing", "xmp"):
            self._pre += 1 if starts else -1
        elif tag == "figcaption":
            self._kind = "figure" if starts else "prose"
        elif tag == "dd":
            self._kind = "item" if starts else "prose"

    def _next_label(self, node: etree._Element) -> str:
        entry = self._lists[-1] if self._lists else None
        if entry is None or not entry.style or (entry.number == 0 and entry.step == 0):
            return ""
        value = (node.get("value") or "").strip()
        entry.number = int(value) if re.fullmatch(r"-?\d{1,6}", value) else entry.number
        label = f"{numeral(entry.number, entry.style)}. "
        entry.number += entry.step
        return label

    def _heading(self, depth: int) -> None:
        name = join_wrapped(drop_control("".join(self._buffer)))
        self._buffer.clear()
        self._linked = 0
        if not name:
            return
        if depth == 1 and not self.title and not self.keep_title:
            self.title = name
            self._sections.clear()
        else:
            self._sections = [entry for entry in self._sections if entry[0] < depth] + [(depth, name)]
        self.pieces.append(Piece("heading", name, None, self._section()))
        self._label, self._kind = "", "prose"

    def _table_part(self, tag: str, starts: bool, node: etree._Element) -> None:
        table = self._table()
        if tag == "caption" and not starts and table is not None and table.cell is None:
            table.caption = join_wrapped(drop_control("".join(self._buffer)))
            self._buffer.clear()
            return
        self.close()
        if tag == "table":
            if starts:
                layout = node.get("role") in ("presentation", "none") or next(node.iterdescendants("table"), None) is not None
                self._tables.append(None if layout else _OpenTable())
            elif self._tables:
                self._end_table(self._tables.pop())
        elif table is None:
            return
        elif tag in ("thead", "tbody", "tfoot"):
            table.group = {"thead": 0, "tfoot": 2}.get(tag, 1) if starts else 1
        elif tag == "tr":
            table.cell = None
            if starts:
                table.groups.append((table.group, []))
        elif starts:
            table.cell = _OpenCell(tag == "th", _span(node.get("rowspan"), 65_534), max(_span(node.get("colspan"), 1_000), 1))
            if not table.groups:
                table.groups.append((table.group, []))
            table.groups[-1][1].append(table.cell)
        else:
            table.cell = None

    def _end_table(self, table: _OpenTable | None) -> None:
        if table is None:
            return
        caption = table.caption or caption_of(self.pieces)
        if table.caption:
            self.pieces.append(Piece("figure", table.caption, None, self._section()))
        rows = table.rows()
        first = " ".join(cell.text for cell in rows[0]) if rows else ""
        if _ABBREVIATIONS.search(" ".join([first, *self._section()[-1:]])):
            lines = [" | ".join(cell.text for cell in row if cell.text) for row in rows]
            kinds = ["row", *["abbreviation"] * len(lines)]
            self.pieces += [Piece(kind, line, None, self._section()) for kind, line in zip(kinds, lines, strict=False) if line]  # type: ignore[arg-type]
        else:
            self.pieces += table_pieces(Table(rows, caption), self._section())


def _span(value: str | None, most: int) -> int:
    """A span as HTML reads it: 0 reaches to the end of the group, anything odd is 1."""
    match = re.match(r"\s*(\d{1,6})", value or "")
    return min(int(match[1]), most) if match else 1


def _opened_list(tag: str, node: etree._Element) -> _List:
    if tag != "ol":
        return _List(step=0)
    styled = re.search(r"list-style(?:-type)?\s*:\s*([\w-]+)", node.get("style") or "")
    style = styled[1] if styled else _LIST_TYPES.get(node.get("type") or "", "decimal")
    if style == "none":
        return _List(step=0)
    start = (node.get("start") or "").strip()
    count = sum(child.tag == "li" for child in node)
    step = -1 if "reversed" in node.attrib else 1
    return _List(int(start) if re.fullmatch(r"-?\d{1,6}", start) else count if step < 0 else 1, step, style)
