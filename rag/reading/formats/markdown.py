"""Markdown -> pieces: parsed by markdown-it with the extensions that people use, then read as the page that it stands for.

What looks like a tag and is none ("<LOD in 12 samples") stays text. What it gave up: grid tables, and mathematics in TeX beyond its letters.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin

from rag.errors import UnreadableFile
from rag.reading.elements import Content, counted_notes
from rag.reading.formats.encoding import decode
from rag.reading.formats.front_matter import front_matter
from rag.reading.formats.html import parse_markup
from rag.reading.formats.markup import walk

MOST_COLUMNS = 500
"""Columns above which lines with bars are no table: parsing one takes time by the square."""
LONGEST_INLINE = 100_000
MOST_BRACKETS = 2_000
"""Characters and opening brackets of one paragraph above which its marks are not read."""
_TAGS = frozenset(
    "a abbr address area article aside b base bdi bdo big blockquote body br button caption center cite code col colgroup dd del details dfn dialog dir div "
    "dl dt em fieldset figcaption figure font footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label legend li link main map mark "
    "math menu meta meter nav nobr noscript object ol optgroup option output p param picture pre progress q rb rp rt ruby s samp script section select small "
    "source span strike strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul var video wbr".split()
)
_TAG = re.compile(
    r"<!--.*?(?:-->|$)|</?([A-Za-z][\w:-]*)((?:\s+[\w:@.-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))?)*)\s*/?>", re.DOTALL
)
_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_FENCE = re.compile(r"\s{0,3}(?:>\s?)*(`{3,}|~{3,})")


def read_markdown(path: Path, data: bytes) -> Content:
    """The text of a Markdown file with its headings, lists and tables. Raises UnreadableFile."""
    matter, text = front_matter(decode(data, path))
    try:
        root = parse_markup(path, f"<div>{_rendered(text)}</div>")
    except UnreadableFile:
        return Content([], matter=matter)
    pieces, title, left_out = walk(root, menus=False)
    opening = "\n".join(text.split("\n")[:12])
    return Content(pieces, title, matter, opening, notes=counted_notes(left_out))


def inline_text(text: str) -> str:
    """Inline Markdown reduced to its text.

    >>> inline_text("**Bold**, `code`, a [link](http://x.org/a) and <LOD in 3 samples")
    'Bold, code, a link and <LOD in 3 samples'
    """
    try:
        root = parse_markup(Path("text.md"), f"<div>{_parser().renderInline(text)}</div>")
    except UnreadableFile:
        return ""
    return " ".join(piece.text for piece in walk(root, menus=False)[0])


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """The dialect: tables, struck text, footnotes, lists of definitions. Indented lines are paragraphs, as converters leave them."""
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": 60}).enable(["table", "strikethrough"]).disable("code")
    parser.use(footnote_plugin).use(deflist_plugin)
    parser.core.ruler.at("inline", _parse_inline)
    parser.add_render_rule("html_block", lambda self, tokens, at, options, env: _tags_only(tokens[at].content))
    parser.add_render_rule("html_inline", lambda self, tokens, at, options, env: _tags_only(tokens[at].content))
    parser.add_render_rule("footnote_ref", lambda self, tokens, at, options, env: f'<sup><a href="#">{tokens[at].meta["id"] + 1}</a></sup>')
    parser.add_render_rule("footnote_anchor", lambda self, tokens, at, options, env: "")
    parser.add_render_rule("softbreak", lambda self, tokens, at, options, env: "\n")
    return parser


def _parse_inline(state: StateCore) -> None:
    """Parses what stands in blocks; one so long, or with so many brackets, that it would take time by the square stays as it is written."""
    for token in state.tokens:
        if token.type != "inline":
            continue
        plain = len(token.content) > LONGEST_INLINE or token.content.count("[") > MOST_BRACKETS
        if plain:
            token.children = [Token("text", "", 0, content=token.content)]
        else:
            token.children = token.children or []
            state.md.inline.parse(token.content, state.md, state.env, token.children)


def _tags_only(text: str) -> str:
    """HTML inside Markdown, with whatever is no tag of HTML as text.

    >>> _tags_only("List<Sample> <b>bold</b> <limit in 14>")
    'List&lt;Sample&gt; <b>bold</b> &lt;limit in 14&gt;'
    """
    shown, at = [], 0
    for match in _TAG.finditer(text):
        known = match[1] is None or match[1].lower() in _TAGS or "-" in match[1]
        shown.append(escape(text[at : match.start()], quote=False).replace("&amp;", "&"))
        shown.append(match[0] if known else escape(match[0]))
        at = match.end()
    return "".join(shown) + escape(text[at:], quote=False).replace("&amp;", "&")


def _rendered(text: str) -> str:
    """The HTML that a text stands for."""
    lines = text.split("\n")
    last_end = max((at for at, line in enumerate(lines) if "-->" in line), default=-1)
    fence, in_comment = "", False
    for at, line in enumerate(lines):
        opening = _FENCE.match(line)
        if opening and not fence:
            fence = opening[1]
        elif opening and opening[1].startswith(fence) and not line.strip(" >`~"):
            fence = ""
        elif not fence:
            if in_comment or "<!" in line or "<?" in line:
                line, in_comment = _without_comments(line, in_comment, at < last_end)
            lines[at] = _plain_dialect(line)
            if "|" in line and at and _DELIMITER.fullmatch(line) and "|" in lines[at - 1]:
                _fit_table(lines, at)
    return _parser().render("\n".join(lines))


def _without_comments(line: str, inside: bool, ends_later: bool) -> tuple[str, bool]:
    """(a line without its comments, whether one goes on below); what begins like a declaration is text.

    The parser would look for the end of each of them anew, which takes time by the square where there is none.

    >>> _without_comments("a <!-- b --> c <!-- d", False, True), _without_comments("d --> e <!x> <!-- f", True, False)
    (('a  c ', True), (' e &lt;!x> &lt;!-- f', False))
    """
    kept, at = [], 0
    while True:
        if inside:
            end = line.find("-->", at)
            if end < 0:
                return "".join(kept), True
            at, inside = end + 3, False
        start = line.find("<!--", at)
        if start < 0 or (line.find("-->", start) < 0 and not ends_later):
            kept.append(re.sub(r"<(?=[!?])", "&lt;", line[at:]))
            return "".join(kept), False
        kept.append(re.sub(r"<(?=[!?])", "&lt;", line[at:start]))
        at, inside = start + 4, True


def _plain_dialect(line: str) -> str:
    """A line with the marks of other dialects in those of the common one: wiki links, highlights, callouts, lowered digits, odd bullets."""
    if "`" in line:
        return line
    line = re.sub(r"!?\[\[([^\[\]|]{1,300})(?:\|([^\[\]]{1,300}))?\]\]", lambda match: match[2] or match[1].replace("#", " ").strip(), line)
    line = re.sub(r"==(?=\S)([^=\n]{1,500}?)(?<=\S)==", r"\1", line)
    line = re.sub(r"(?<=[A-Za-z)])~(\d{1,3})~(?!~)", r"<sub>\1</sub>", line)
    line = re.sub(r"(?<=[\w)])\^([\d+−-]{1,4})\^", r"<sup>\1</sup>", line)
    line = re.sub(r"^(\s*>\s*)\[!(\w+)\][+-]?[ \t]*(.*)$", lambda match: f"{match[1]}{match[3] or match[2].capitalize()}  ", line)
    line = re.sub(r"^(\s*(?:[-*+]|\d{1,9}[.)])\s+)\[([ xX])\]\s+", lambda match: match[1] + ("" if match[2] == " " else "☑ "), line)
    return re.sub(r"^(\s*)[•●▪◦■]\s+", r"\1- ", line)


def _fit_table(lines: list[str], at: int) -> None:
    """Widens the head of the table whose line of dashes is at `at` to its widest row, since cells beyond the head would be lost."""
    width, row = len(_cells(lines[at - 1])), at + 1
    if width != len(_cells(lines[at])):
        return
    if width > MOST_COLUMNS:
        lines[at] = ""
        return
    while row < len(lines) and lines[row].strip():
        width = max(width, min(len(_cells(lines[row])), MOST_COLUMNS))
        row += 1
    missing = width - len(_cells(lines[at]))
    if missing:
        lines[at - 1] = lines[at - 1].rstrip().removesuffix("|") + "| " * missing + "|"
        lines[at] = lines[at].rstrip().removesuffix("|") + "|---" * missing + "|"


def _cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
