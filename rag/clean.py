"""Lines as they come out of a PDF -> blocks that read: pure functions, one repair each, put together by `pieces_from_lines`.

Letters and digits of the body are never changed or lost; only running heads, page numbers and white space go. What it gave up: pages whose
columns are interleaved inside a sentence are put right only where the layout leaves a trace (a blank line, a width, an open sentence).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from rag.types import Kind

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〇"
_CJK_MARKS = "，。、；：！？（）《》「」『』【】“”‘’—…·％"
_SENTENCE_END = re.compile(r"[。！？!?…；;.][”’」』）)】》\"']*$")
_FULL_STOP = re.compile(r"[。！？]|[.!?](?=\s|$)")
_BULLET = re.compile(r"^[●•◆■▪▶➢○◇□▲►✓✔◎∙‣⁃]\s*|^[-*–—]\s+(?=\S)")
_DOTTED = re.compile(r"^(\d{1,2})\s?\.\s?(\d{1,2})(?:\s?\.\s?(\d{1,2}))?(?:\s?\.\s?(\d{1,2}))?[.、]?\s+(?=\S)")
_COUNTED = re.compile(r"^(\d{1,2})\)\s*(?=\S)")
_LEADERS = re.compile(r"^(.{2,}?)\s*(?:[.．…·]\s?){4,}\s*(\d{1,4})\s*$")
_PAGE_NUMBER = re.compile(
    r"^(?:[-–—]\s*)?\d{1,4}(?:\s*[-–—])?$|^第\s*\d+\s*页(?:\s*共\s*\d+\s*页)?$|^(?:page|p\.)\s*\d+(?:\s*(?:of|/)\s*\d+)?$", re.I
)
_ORDINAL = r"(?:[一二三四五六七八九十]{1,3}|\d{1,2})"
_RUNNING_TITLE = re.compile(
    rf"^(?:(?P<group>[{HAN}]{{2,6}})\s+)?(?P<label>(?:趋势|专题|主题|话题|案例|Trend|Topic){_ORDINAL})\s+(?P<title>\S.*)$"
)
_LABEL_ALONE = re.compile(rf"^(?:趋势|专题|主题|话题|案例|Trend|Topic)\s?{_ORDINAL}$")
_CHAPTER = re.compile(rf"^(?:第{_ORDINAL}[章篇部]分?|Chapter\s+\d+|Part\s+[IVX\d]+)(?:\s|：|:|$)")
_APPENDIX = re.compile(r"^(?:附录|Appendix)\s?[A-Z一二三四五六七八九十\d]?(?:\s?[：:.、]\s?|\s+|$)", re.I)
_FRONT_MATTER_WORDS = re.compile(
    rf"^(?:卷首语|序|前言|引言|导言|导语|序言{_ORDINAL}?|寄语|致辞|结语|结束语|后记|致谢|摘\s?要|执行摘要|核心观点|参考文献|版权声明|"
    r"Foreword|Preface|Introduction|Conclusions?|Acknowledge?ments|References|Executive Summary)$",
    re.I,
)
_CONTENTS_WORD = re.compile(r"^(?:目\s*录|(?:table of )?contents)$", re.I)
_CAPTION = re.compile(r"^(?:图表?|表|Figure|Fig\.|Table|Exhibit)\s*\d+(?:[-.]\d+)?\s*[:：.、\s]", re.I)
_ABBREVIATION_HEAD = re.compile(r"缩略语|缩写|简称|abbreviation|acronym", re.I)
_ROLE_LABELS = {
    "摘要": "summary",
    "趋势摘要": "summary",
    "概要": "summary",
    "趋势解读": "reading",
    "解读": "reading",
    "深度解读": "reading",
    "专家点评": "remark",
    "专家观点": "remark",
    "点评": "remark",
}
_JOB = re.compile(
    r"(?:院长|院士|总裁|教授|研究员|负责人|董事长|理事长|秘书长|委员|执委|创始人|总工|总工程师|工程师|首席\S{0,12}|主任|合伙人|总\s*经\s*理|经理|"
    r"主席|博士|科学家|总监|风险官|技术官|执行官|信息官|顾问|专家|主编|副部长|部长|司长|所长|校长|CEO|CTO|CIO|CFO|"
    r"President|Professor|Director|Chairman|Founder|Partner|Officer|Scientist|Fellow)[，,、]?$"
)
_NAME = re.compile(rf"^[{HAN}]{{2,4}}$|^[{HAN}]{{1,6}}·[{HAN}]{{1,8}}$|^[A-Z][a-z]+(?: [A-Z][a-z.]*){{1,2}}$")
_NUMBERED = re.compile(r"^\d{1,2}[.、]\s*(?=[^\d\s])")
_LEAD_IN = re.compile(rf"^[{HAN}A-Za-z0-9 （）()/+-]{{3,24}}：(?=\S)")
_DOUBLED = re.compile(r"(?:([^\s\d.…·—=_-])\1){3,}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file as it stands, stripped, with what the layout says about it."""

    text: str
    tight: bool = False
    """It stands directly below the line before, without the space that parts text boxes."""
    page: int = 0
    """Which page break it follows: 0 for the first page, growing by one."""
    number: int | None = None
    """The page of the file or the printed page number, when known."""
    paragraph: bool = False
    """The layout (indent, gap) says that a paragraph begins here."""
    rank: int = 0
    """Size of its type relative to the body: 0 body, 1 or more for larger type."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A block before it has its place in the document."""

    kind: Kind
    text: str
    page: int | None = None
    section: tuple[str, ...] = ()
    speaker: str = ""


# ---------------------------------------------------------------------------------------------------------------- repairs of one line


def drop_control(text: str) -> str:
    """Drop what no reader sees: controls but newline and tab, zero-width marks, private-use glyphs, soft hyphens; odd blanks become blanks.

    >>> drop_control("a\\x00b\\u00a0c\\u200bd")
    'ab cd'
    """
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if character in "\n\t":
            kept.append(character)
        elif category == "Zs":
            kept.append(" ")
        elif category not in ("Cc", "Cf", "Co", "Cn", "Cs"):
            kept.append(character)
    return "".join(kept)


def is_letter_spaced(text: str) -> bool:
    """Whether a line is set with a blank after nearly every character.

    >>> is_letter_spaced("开 放 平 台 连 接 各 方"), is_letter_spaced("开放平台 API 网关")
    (True, False)
    """
    tokens = text.split()
    single = [token for token in tokens if len(token) == 1 or (len(token) == 2 and token[1] in _CJK_MARKS)]
    return len(single) >= 4 and len(single) >= 0.6 * len(tokens) and sum(map(len, single)) >= 0.5 * sum(map(len, tokens))


def undo_spacing(text: str) -> str:
    """Take out the blanks that letter-spacing and justification put between Han characters and beside Chinese punctuation.

    Blanks between Han and Latin letters or digits stay; in a letter-spaced line single letters close up too.

    >>> undo_spacing("开 放 平 台， 支 持 API 与 5 G"), undo_spacing("支持 API 网关")
    ('开放平台，支持 API 与5G', '支持 API 网关')
    """
    if is_letter_spaced(text):
        text = re.sub(r"(?<!\S)(\S[，。、；：]?) +(?=\S[，。、；：]?(?:\s|$))", r"\1", text)
    text = re.sub(rf"(?<=[{HAN}]) +(?=[{HAN}])", "", text)
    text = re.sub(rf"(?<=[{_CJK_MARKS}]) +(?=[{HAN}{_CJK_MARKS}])|(?<=[{HAN}]) +(?=[{_CJK_MARKS}])", "", text)
    text = re.sub(r"(?<=[，。、；：！？]) +(?=\S)|(?<=\S) +(?=[，。、；：！？）」』】》])", "", text)
    return re.sub(r"\s+", " ", text).strip()


def join_lines(before: str, after: str, compounds: frozenset[str] = frozenset(), spaced: bool = False) -> str:
    """Put two lines of one paragraph together: no blank beside Han, a blank between words, a hyphenated word closed up.

    A hyphen stays when the word is known with it (`compounds`), or when what follows is not a small letter. `spaced` says that this text
    sets a blank between Han and Latin letters or digits.

    >>> join_lines("建设开放", "平台"), join_lines("an open plat-", "form"), join_lines("an open", "platform"), join_lines("the Now-", "Casting")
    ('建设开放平台', 'an open platform', 'an open platform', 'the Now-Casting')
    """
    if not before or not after:
        return before + after
    if before[-1] in "-\u2010" and len(before) > 1 and before[-2].isalpha() and after[0].isalpha():
        head, tail = re.search(r"[A-Za-z]*.$", before).group(), re.match(r"[^\W\d_]*", after).group()
        if len(head) > 2 and head[-2].islower() and after[0].islower() and (head[:-1] + "-" + tail).lower() not in compounds:
            return before[:-1] + after
        return before + after
    if re.search(r"(?:^|\s)[+&=|/~-]$", before) or re.match(r"[+&=|~-]\s", after):
        return before + " " + after
    if spaced and (re.match(rf"[{HAN}][A-Za-z0-9]|[A-Za-z0-9%][{HAN}]", before[-1] + after[0])):
        return before + " " + after
    wide = f"[{HAN}{_CJK_MARKS}\u3000-\u30ff\uff00-\uffef]"
    if re.match(wide, before[-1]) or re.match(wide, after[0]) or before[-1] in "/(·" or after[0] in "/)·":
        return before + after
    return before + " " + after


def width(text: str) -> int:
    """Columns that a line takes: two for a wide character, one for any other.

    >>> width("云 AI")
    5
    """
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


# ------------------------------------------------------------------------------------------------------------------ repairs of a page


def number_pages(lines: Sequence[Line], opens: Sequence[int], printed: dict[int, int]) -> list[Line]:
    """Give lines their printed page number between two page breaks whose printed numbers agree with the count of breaks.

    `opens` holds the positions of the lines that open a page, `printed` the number printed at some of them.
    """
    anchors: list[tuple[int, int]] = []
    for count, position in enumerate(opens):
        if position in printed and (not anchors or printed[position] > anchors[-1][1]):
            anchors.append((count, printed[position]))
    steady = [k for k in range(len(anchors) - 1) if anchors[k + 1][0] - anchors[k][0] == anchors[k + 1][1] - anchors[k][1]]
    if not steady or len(steady) < (len(anchors) - 1) / 2:
        return list(lines)
    number_of_break: dict[int, int] = {}
    for k in steady:
        for count in range(anchors[k][0], anchors[k + 1][0] + 1):
            number_of_break[count] = anchors[k][1] + count - anchors[k][0]
    if steady[-1] == len(anchors) - 2:
        for count in range(anchors[-1][0], len(opens)):
            number_of_break[count] = anchors[-1][1] + count - anchors[-1][0]
    numbered, count, starts = [], -1, set(opens)
    for position, line in enumerate(lines):
        count += position in starts
        numbered.append(replace(line, number=number_of_break.get(count)))
    return numbered


def running_heads(lines: Sequence[Line]) -> set[int]:
    """Positions of running heads, feet and page numbers: short lines at the edge of a page that recur there once digits are taken out."""
    edges: dict[int, list[int]] = {}
    for position, line in enumerate(lines):
        edges.setdefault(line.page, []).append(position)
    bare = lambda text: re.sub(r"[\d\s]+", "", text)
    found: set[int] = set()
    pages = len(edges)
    if pages < 3:
        return {positions[0] for positions in edges.values() if len(positions) > 1 and _PAGE_NUMBER.match(lines[positions[0]].text)} | {
            positions[-1] for positions in edges.values() if len(positions) > 1 and _PAGE_NUMBER.match(lines[positions[-1]].text)
        }
    near = {page: positions[:3] + positions[-3:] for page, positions in edges.items()}
    recurring = Counter(form for positions in near.values() for form in {bare(lines[position].text) for position in positions})
    for positions in near.values():
        for position in positions:
            text = lines[position].text
            if len(text) <= 80 and bare(text) and recurring[bare(text)] >= 3 and not _known_label(text) and not _BULLET.match(text):
                found.add(position)
    for positions in edges.values():
        for order in (positions, positions[::-1]):
            for position in order[:4]:
                if position in found:
                    continue
                if _PAGE_NUMBER.match(lines[position].text):
                    found.add(position)
                break
    return found


def running_titles(texts: Sequence[str]) -> tuple[dict[str, str], set[str]]:
    """From running heads such as "开放生态 趋势二 边缘网关": title -> "趋势二 边缘网关", and the group words before them.

    Only titles that also stand on a line of their own count, and only where at least two such labels occur.
    """
    standing = set(texts)
    titles: dict[str, str] = {}
    groups: set[str] = set()
    for text in texts:
        match = _RUNNING_TITLE.match(text)
        if match and match["title"] in standing:
            titles[match["title"]] = f"{match['label']} {match['title']}"
            if match["group"]:
                groups.add(match["group"])
    return (titles, groups) if len(titles) >= 2 else ({}, set())


def contents_lines(lines: Sequence[Line]) -> set[int]:
    """Positions of the lines of a table of contents: dot leaders anywhere, and the unpunctuated lines around a line that says so."""
    found = {position for position, line in enumerate(lines) if _LEADERS.match(line.text)}
    for position, line in enumerate(lines):
        if not _CONTENTS_WORD.match(line.text):
            continue
        found.add(position)
        same_page = [at for at in range(len(lines)) if lines[at].page == line.page]
        last_leader = max((at for at in same_page if at in found), default=position)
        above = []
        for at in reversed(range(same_page[0], position)):
            if _SENTENCE_END.search(lines[at].text):
                break
            above.append(at)
        region = above if sum(bool(re.search(r"^p?\d{1,3}$", lines[at].text)) for at in above) >= 3 else []
        for at in range(position + 1, same_page[-1] + 1):
            if at > last_leader and re.search(r"[。！？]$", lines[at].text):
                break
            region.append(at)
        numbers = sum(bool(re.search(r"^p?\d{1,3}\b|\s\d{1,3}$", lines[at].text)) for at in region) + sum(at in found for at in region)
        if numbers >= 3:
            found.update(region)
    return found


def titles_in_contents(texts: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """Dotted number -> title, and the unnumbered titles, of the lines of a table of contents."""
    numbered: dict[str, str] = {}
    plain: set[str] = set()
    for text in texts:
        match = _LEADERS.match(text)
        title = undo_spacing(match[1] if match else re.sub(r"^\d{1,3}(?=\D)|(?<=\D)\s+\d{1,3}$", "", text))
        dotted = _DOTTED.match(title)
        if dotted:
            numbered[_dotted_number(dotted)] = title[dotted.end() :]
        elif re.search(rf"[{HAN}A-Za-z]", title):
            plain.add(title)
    return numbered, plain


def looks_extracted(text: str) -> bool:
    """Whether a text file is the text layer of a PDF: blank lines between most lines although most lines end inside a sentence."""
    lines = text.split("\n")
    filled = [position for position, line in enumerate(lines) if line.strip()]
    if len(filled) < 20:
        return False
    parted = sum(1 for position in filled[1:] if not lines[position - 1].strip())
    open_ended = sum(1 for position in filled if not re.search(r"[。！？.!?：:]\s*$", lines[position]))
    return parted > 0.4 * len(filled) and open_ended > 0.6 * len(filled)


def lines_of_extracted_text(text: str) -> list[Line]:
    """Lines of a PDF's text layer: a form feed or one leading blank opens a page; a line without a blank line above it is tight."""
    raw = text.split("\n")
    leading_bullets = sum(bool(re.match(r"^ [●•]", line)) for line in raw)
    all_bullets = sum(bool(re.match(r"^ ?[●•]", line)) for line in raw)
    lines: list[Line] = []
    opens: list[int] = []
    printed: dict[int, int] = {}
    page, gap = 0, True
    texts = [line for line in raw if line.strip()]
    heads = Counter(line.strip() for line in texts)
    at = 0
    for line in raw:
        if not line.strip():
            page += "\f" in line
            gap = True
            continue
        bare = undo_tabs(line)
        opening = "\f" in line or bool(re.match(r"^ \S", line)) and not (re.match(r"^ [●•]", line) and leading_bullets > 0.5 * all_bullets)
        following = texts[at + 1].strip() if at + 1 < len(texts) else ""
        opening = opening and not (_NAME.match(bare) and _JOB.search(following))
        number = int(bare) if re.fullmatch(r"\d{1,3}", bare) and heads[following] >= 3 and len(following) <= 20 else None
        last = max(printed.values(), default=0)
        if number is not None and (number <= last or number > last + 60 and printed):
            number = None
        if number is not None:
            printed[len(lines)] = number
        if (opening or number is not None) and lines:
            page += 1
            opens.append(len(lines))
        lines.append(Line(bare, tight=not gap and not opening and bool(lines), page=page))
        gap = False
        at += 1
    return number_pages(lines, opens, printed)


def undo_tabs(line: str) -> str:
    """Strip a line and turn its tabs and form feeds into blanks."""
    return re.sub(r"[\t\f\v]", " ", line).strip()


# ------------------------------------------------------------------------------------------------------------ from lines to pieces


def pieces_from_lines(lines: Sequence[Line]) -> list[Piece]:
    """All repairs, in order: heads and page numbers out, contents marked, headings found, lines joined to paragraphs, sections given."""
    contents = contents_lines(lines)
    heads = running_heads(lines) - contents
    squeezed = [undo_spacing(line.text) for line in lines]
    titles, groups = running_titles([line.text for position, line in enumerate(lines) if position not in contents])
    recurring = Counter(squeezed)
    dropped = set(heads)
    for position, text in enumerate(squeezed):
        if position in contents:
            continue
        match = _RUNNING_TITLE.match(lines[position].text)
        if (match and match["title"] in titles) or (titles and (_LABEL_ALONE.match(text) or text in groups)):
            dropped.add(position)
        elif position in heads or (recurring[text] >= 4 and any(squeezed[head] == text for head in heads) and len(text) <= 40):
            dropped.add(position)
    numbered, plain = titles_in_contents(lines[position].text for position in sorted(contents))
    page = _Page(lines, squeezed, contents, titles, numbered, plain, _joiner(squeezed))
    kept = [position for position in range(len(lines)) if position not in dropped]
    drafts = _drafts(page, kept)
    drafts = _headings_in_place(drafts)
    if titles:
        drafts = _labels_gathered(drafts, set(titles.values()))
    return _sections(drafts)


@dataclass(frozen=True, slots=True)
class _Page:
    """What is known of all lines before they are joined."""

    lines: Sequence[Line]
    squeezed: Sequence[str]
    contents: set[int]
    titles: dict[str, str]
    numbered: dict[str, str]
    plain: set[str]
    join: Callable[[str, str], str]


@dataclass(slots=True)
class _Draft:
    """A piece in the making. `depth` is the level of a heading, counted from 1; `role` is what a label says of it."""

    kind: Kind
    text: str
    line: Line
    depth: int = 0
    speaker: str = ""
    role: str = ""
    is_open: bool = False
    foot: bool = False
    drop_capital: bool = False
    boxed: bool = False
    signature: bool = False


def _known_label(text: str) -> bool:
    return text in _ROLE_LABELS or bool(_LABEL_ALONE.match(text)) or bool(_FRONT_MATTER_WORDS.match(text))


def _dotted_number(match: re.Match[str]) -> str:
    return ".".join(group for group in match.groups() if group)


def _joiner(texts: Sequence[str]) -> Callable[[str, str], str]:
    """`join_lines` as this text wants it: with its own hyphenated words, and its own habit of blanks beside Latin letters."""
    whole = "\n".join(texts)
    compounds = frozenset(word.lower() for word in re.findall(r"[A-Za-z]+-[A-Za-z]+", whole))
    apart, close = len(re.findall(rf"[{HAN}] [A-Za-z0-9]", whole)), len(re.findall(rf"[{HAN}][A-Za-z0-9]", whole))
    return partial(join_lines, compounds=compounds, spaced=apart > close)


def _drafts(page: _Page, kept: list[int]) -> list[_Draft]:
    """One pass over the lines that stay, from the top: each stretch becomes a draft."""
    lines, squeezed = page.lines, page.squeezed
    drafts: list[_Draft] = []
    figures = _figure_lines(page, kept)
    signatures = _signatures(page, kept)
    widths = {position: width(lines[position].text) for position in kept}
    abbreviations = False
    index = 0
    counted_under: dict[str, int] = {"number": 0}

    def local_width(index: int) -> float:
        around = [widths[p] for p in kept[max(0, index - 8) : index + 9] if p not in figures and widths[p] >= 12]
        return median(around) if around else 40.0

    def last_open() -> _Draft | None:
        for draft in reversed(drafts[-12:]):
            if draft.kind in ("prose", "item") and not draft.boxed and not draft.signature:
                return draft if draft.is_open else None
            if draft.kind == "heading" and not draft.role:
                return None
        return None

    while index < len(kept):
        position = kept[index]
        line, text = lines[position], squeezed[position]
        if position in page.contents:
            drafts.append(_Draft("contents", re.sub(r"(?:[.．…·]\s?){4,}", " … ", line.text).strip(), line))
            index += 1
            continue
        heading = _heading(page, kept, index, counted_under, drafts, figures, local_width(index))
        if heading is not None:
            draft, used = heading
            abbreviations = bool(_ABBREVIATION_HEAD.search(draft.text)) if not draft.role else abbreviations
            drafts.append(draft)
            index += used
            continue
        if abbreviations and position not in signatures:
            if not _ABBREVIATION_HEAD.search(text) or re.match(r"[A-Za-z]", text):
                starts = bool(re.match(r"[A-Za-z0-9]", text)) and bool(re.search(rf"[{HAN}]", text) or index + 1 < len(kept))
                whole = drafts[-1].kind == "abbreviation" and bool(re.search(rf"[{HAN}]", drafts[-1].text))
                if starts and (whole or drafts[-1].kind != "abbreviation"):
                    drafts.append(_Draft("abbreviation", re.sub(r"\s+", " ", line.text), line))
                elif drafts[-1].kind == "abbreviation":
                    drafts[-1].text = page.join(drafts[-1].text, text)
                else:
                    drafts.append(_Draft("abbreviation", re.sub(r"\s+", " ", line.text), line))
            else:
                drafts.append(_Draft("row", re.sub(r"\s+", " ", line.text), line))
            index += 1
            continue
        if position in signatures:
            used, name, jobs = signatures[position]
            signed = " ".join([name, *jobs])
            drafts.append(_Draft("prose", signed, line, speaker=signed, signature=True))
            index += used
            continue
        if position in figures or _CAPTION.match(text):
            if position in figures and drafts and drafts[-1].kind == "figure" and kept[index - 1] in figures:
                drafts[-1].text += "\n" + re.sub(r"\s+", " ", line.text)
            else:
                drafts.append(_Draft("figure", re.sub(r"\s+", " ", line.text), line))
            index += 1
            continue
        # A label set before the first words of its paragraph on one line.
        glued = re.match(r"^(\S{2,6}) +(?=\S)", line.text)
        if glued and glued[1] in _ROLE_LABELS:
            drafts.append(_Draft("heading", glued[1], line, role=_ROLE_LABELS[glued[1]]))
            text = undo_spacing(line.text[glued.end() :])
        index = _paragraph(page, kept, index, text, drafts, figures, signatures, local_width, widths, last_open)
    return drafts


def _paragraph(page, kept, index, text, drafts, figures, signatures, local_width, widths, last_open) -> int:
    """Read one paragraph or item from `index` on; returns the index behind it."""
    lines, squeezed = page.lines, page.squeezed
    first = lines[kept[index]]
    capital = _drop_capital(page, kept, index, figures)
    is_open = last_open() is not None
    bullet = _BULLET.match(text)
    counted = _NUMBERED.match(text) and not is_open
    draft = _Draft("item" if bullet or counted else "prose", text[bullet.end() :] if bullet else text, first)
    draft.drop_capital = capital
    boxed = _box_length(page, kept, index) >= 3 and not bullet and not capital
    continued = None
    if not bullet and not capital and not counted:
        continued = last_open()
        if continued is not None and boxed and continued.line.page == first.page and drafts and drafts[-1] is not continued:
            continued = None
        if boxed and continued is not None and not _same_shape(page, kept, index, local_width):
            continued = None
    if boxed and continued is None:
        draft.boxed = True
    if continued is not None:
        joined = continued
        joined.text = page.join(joined.text, draft.text)
        draft = joined
    else:
        drafts.append(draft)
    at = index
    while True:
        position = kept[at]
        own = [widths[p] for p in kept[index + 1 : at + 1]]
        ends = bool(_SENTENCE_END.search(squeezed[position]))
        local = local_width(at)
        next_at = at + 1
        draft.is_open = not ends
        if next_at >= len(kept):
            draft.is_open = False
            return next_at
        following = kept[next_at]
        tight = lines[following].tight
        only_capital = capital and at == index and len(squeezed[position]) == 1
        if not only_capital:
            if draft.boxed and not tight and ends:
                draft.is_open = False
                return next_at
            if ends and draft.kind == "item" and len(own) >= 2 and (own[-1] < 0.93 * max(own) or widths[following] > max(own) + 1):
                return next_at
            if ends and not draft.boxed and (widths[position] < 0.85 * local or not tight and _box_length(page, kept, next_at) >= 3):
                return next_at
            if lines[following].paragraph and (ends or widths[position] < 0.8 * local):
                draft.is_open = draft.is_open and not lines[following].paragraph
                return next_at
            if squeezed[position].endswith(("：", ":")) and widths[position] < 0.8 * local:
                draft.is_open = False
                return next_at
            if (
                not ends
                and widths[position] < 0.6 * local
                and not draft.boxed
                and not squeezed[position].endswith(("，", "、", ","))
                and not capital
            ):
                draft.is_open = False
                return next_at
        if following in page.contents or following in figures or following in signatures or _CAPTION.match(squeezed[following]):
            return next_at
        if _BULLET.match(squeezed[following]) or squeezed[following] in page.titles or squeezed[following] in _ROLE_LABELS:
            return next_at
        if ends and (
            _drop_capital(page, kept, next_at, figures) or squeezed[following] in page.plain or _LEAD_IN.match(squeezed[following])
        ):
            return next_at
        if ends and _NUMBERED.match(squeezed[following]):
            return next_at
        if _heading_shape(page, kept, next_at, ends):
            return next_at
        if not draft.boxed and not tight and _box_length(page, kept, next_at) >= 3 and not only_capital:
            return next_at
        draft.text = page.join(draft.text, squeezed[following])
        at = next_at


def _same_shape(page: _Page, kept: list[int], index: int, local_width) -> bool:
    """Whether the box at `index` is set in the width of the text around it, so that it can go on an open paragraph."""
    box = [width(page.lines[p].text) for p in kept[index : index + _box_length(page, kept, index)]]
    return 0.8 < median(box) / local_width(index) < 1.25


def _box_length(page: _Page, kept: list[int], index: int) -> int:
    """Lines in the text box that starts at `index`: the line and the tight ones below it."""
    end = index + 1
    while end < len(kept) and page.lines[kept[end]].tight and kept[end] == kept[end - 1] + 1:
        end += 1
    return end - index


def _drop_capital(page: _Page, kept: list[int], index: int, figures: set[int]) -> bool:
    """Whether a paragraph opens here with a drop capital: a lone Han character above, or parted by a blank from, a line of text."""
    position = kept[index]
    text = page.lines[position].text
    if position in figures:
        return False
    if re.fullmatch(rf"[{HAN}]", text):
        following = kept[index + 1] if index + 1 < len(kept) else None
        return following is not None and width(page.lines[following].text) >= 16 and following not in figures
    return bool(re.match(rf"^[{HAN}] [{HAN}]{{2}}", text)) and not is_letter_spaced(text)


def _heading_shape(page: _Page, kept: list[int], index: int, after_sentence: bool) -> bool:
    """Whether the line at `index` opens a numbered heading, judged by its shape and by the contents alone."""
    text = page.squeezed[kept[index]]
    dotted = _DOTTED.match(text)
    if dotted and _is_dotted_heading(page, text, dotted, after_sentence):
        return True
    if _COUNTED.match(text) and after_sentence:
        return True
    return bool(_CHAPTER.match(text) and len(text) <= 40 or _APPENDIX.match(text) and len(text) <= 40)


def _is_dotted_heading(page: _Page, text: str, dotted: re.Match[str], after_sentence: bool) -> bool:
    number, rest = _dotted_number(dotted), text[dotted.end() :]
    if number in page.numbered:
        known = re.sub(r"\W", "", page.numbered[number])
        return known[:4] == re.sub(r"\W", "", rest)[:4] or known.startswith(re.sub(r"\W", "", rest)[:6])
    return (
        not page.numbered and after_sentence and len(rest) <= 60 and not re.search(r"[。，；,;]$", rest) and not re.match(r"[\d%％]", rest)
    )


def _heading(page, kept, index, counted_under, drafts, figures, local) -> tuple[_Draft, int] | None:
    """The heading that starts at `index` and how many lines it takes, or None."""
    lines, squeezed = page.lines, page.squeezed
    position = kept[index]
    line, text = lines[position], squeezed[position]
    previous = drafts[-1] if drafts else None
    after_sentence = previous is None or not previous.is_open
    box = _box_length(page, kept, index)
    foot = index + 1 >= len(kept) or lines[kept[index + 1]].page != line.page

    def whole(limit: int = 3) -> tuple[str, int]:
        """The heading with its wrapped lines: tight lines go on, and so does a line that the contents complete."""
        taken, used = text, 1
        while used < min(box, limit) and not _heading_shape(page, kept, index + used, True):
            taken = page.join(taken, squeezed[kept[index + used]])
            used += 1
        if used == 1 and index + 1 < len(kept) and (width(line.text) > 0.8 * local or text.endswith(("，", "、", ","))):
            below = kept[index + 1]
            short = width(lines[below].text) < 0.72 * local and not re.search(r"[。！？；：，、]$", squeezed[below])
            plain = not _heading_shape(page, kept, index + 1, True) and not _BULLET.match(squeezed[below]) and below not in figures
            if short and plain and lines[below].page == line.page and not lines[below].paragraph:
                taken, used = page.join(taken, squeezed[below]), 2
        return taken, used

    if text in page.titles:
        used = 1
        return _Draft("heading", page.titles[text], line, depth=1), used
    if text in _ROLE_LABELS:
        return _Draft("heading", text, line, role=_ROLE_LABELS[text]), 1
    dotted = _DOTTED.match(text)
    if dotted and _is_dotted_heading(page, text, dotted, after_sentence):
        taken, used = whole()
        number = _dotted_number(dotted)
        end_of_page = index + used >= len(kept) or lines[kept[index + used]].page != line.page
        if not end_of_page:
            counted_under["number"] = 0
        return _Draft(
            "heading", f"{number} {taken[_DOTTED.match(taken).end() :]}", line, depth=number.count(".") + 1, foot=end_of_page
        ), used
    counted = _COUNTED.match(text)
    if counted and after_sentence and int(counted[1]) in (1, counted_under["number"] + 1):
        taken, used = whole()
        if not re.search(r"[。；]", taken) and len(taken) <= 80:
            counted_under["number"] = int(counted[1])
            body = taken[_COUNTED.match(taken).end() :]
            return _Draft("heading", f"{counted[1]}) {body}", line, depth=-1), used
    if len(text) <= 40 and after_sentence and not re.search(r"[。，；！？,;]$", text):
        number_below = kept[index + 1] if index + 1 < len(kept) else None
        if (
            number_below is not None
            and text in page.plain
            and re.fullmatch(r"0?\d{1,2}", squeezed[number_below])
            and line.page == lines[number_below].page
        ):
            foot = index + 2 >= len(kept) or lines[kept[index + 2]].page != line.page
            return _Draft("heading", f"{int(squeezed[number_below])} {text}", line, depth=1, foot=foot), 2
        if _CHAPTER.match(text) or _APPENDIX.match(text):
            taken, used = whole(2)
            return _Draft("heading", taken, line, depth=1, foot=foot), used
        words = line.text.split()
        if words and all(_FRONT_MATTER_WORDS.match(word) for word in words):
            return _Draft("heading", " ".join(words), line, depth=1, foot=foot), 1
        opens_page = index == 0 or lines[kept[index - 1]].page != line.page
        body_below = (
            index + 1 < len(kept) and width(lines[kept[index + 1]].text) > max(24, 2 * width(text)) and not lines[kept[index + 1]].tight
        )
        if opens_page and index and position not in figures and 2 <= len(text) <= 14 and body_below and re.search(rf"[{HAN}]{{2}}", text):
            return _Draft("heading", text, line, depth=1), 1
        if line.rank > 0 and len(text) <= 40 and (re.search(rf"[{HAN}A-Za-z]{{2}}", text)):
            used, taken = 1, text
            while index + used < len(kept) and used < 3 and lines[kept[index + used]].rank == line.rank and lines[kept[index + used]].tight:
                taken = page.join(taken, squeezed[kept[index + used]])
                used += 1
            return _Draft("heading", taken, line, depth=max(1, 4 - line.rank)), used
    return None


def _signatures(page: _Page, kept: list[int]) -> dict[int, tuple[int, str, list[str]]]:
    """Position of a name -> (lines taken, name, job titles): a short name after a sentence, above lines that end in a job title."""
    found: dict[int, tuple[int, str, list[str]]] = {}
    lines, squeezed = page.lines, page.squeezed
    for index, position in enumerate(kept):
        if position in page.contents or not _NAME.match(squeezed[position]) or index + 1 >= len(kept):
            continue
        if index and not _SENTENCE_END.search(squeezed[kept[index - 1]]):
            continue
        at, jobs = index + 1, []
        while at < len(kept) and len(jobs) < 3:
            box = _box_length(page, kept, at) if not (at == index + 1 and lines[kept[at]].tight) else _box_length(page, kept, at)
            job = ""
            used = 0
            for used in range(1, min(box, 4) + 1):
                job = page.join(job, squeezed[kept[at + used - 1]])
            job = undo_spacing(job)
            if box > 4 or len(job) > 50 or not _JOB.search(job) or re.search(r"[。！？；]", job):
                break
            jobs.append(job)
            at += used
        if jobs:
            found[position] = (at - index, squeezed[position], jobs)
    return found


def _figure_lines(page: _Page, kept: list[int]) -> set[int]:
    """Positions of chart debris: runs of three or more narrow lines without punctuation, and the label lines between them."""
    lines, squeezed = page.lines, page.squeezed
    body = [width(lines[p].text) for p in kept if re.search(r"[，。]", lines[p].text)]
    usual = median(body) if body else 40
    narrow: list[bool] = []
    for index, position in enumerate(kept):
        text, raw = squeezed[position], lines[position].text
        boxed = _in_prose_box(page, kept, index)
        debris = width(raw) < 0.62 * usual and not re.search(r"[，。；！？、,]$", text) and not re.search(r"[。！？]", text)
        labels = (
            len(re.findall(rf"(?<=[{HAN}\d]) +(?=[{HAN}])", raw)) >= 1 and not is_letter_spaced(raw) and not re.search(r"[，。；]", raw)
        )
        doubled = bool(_DOUBLED.search(raw))
        known = (
            text in page.titles
            or _known_label(text)
            or text in page.plain
            or _DOTTED.match(text)
            or _COUNTED.match(text)
            or position in page.contents
        )
        narrow.append(bool((debris or labels or doubled) and not boxed and not known))
    found: set[int] = set()
    index = 0
    while index < len(kept):
        lead = squeezed[kept[index]].endswith(("：", ":")) and (index + 1 >= len(kept) or not narrow[index + 1])
        if not narrow[index] or lead:
            index += 1
            continue
        end, count, probe = index + 1, 1, index + 1
        while probe < len(kept) and probe - end <= 6:
            position = kept[probe]
            text = squeezed[position]
            if position in page.contents or _DOTTED.match(text) or _COUNTED.match(text) or text in page.titles or _APPENDIX.match(text):
                break
            if _PAGE_NUMBER.match(text) is None and lines[position].page != lines[kept[index]].page:
                break
            if narrow[probe]:
                count += 1
                end = probe + 1
            elif re.search(r"[。！？；，]", text) and not _DOUBLED.search(text):
                break
            probe += 1
        names = [p for p in kept[index:end] if _NAME.match(squeezed[p])]
        if count >= 3 and not (count <= 4 and names and any(_JOB.search(squeezed[p]) for p in kept[index:end])):
            bullets_only = all(_BULLET.match(squeezed[p]) for p in kept[index:end])
            if not bullets_only:
                found.update(kept[index:end])
        index = max(end, index + 1)
    return found


def _in_prose_box(page: _Page, kept: list[int], index: int) -> bool:
    """Whether a line stands in a text box of three or more tight lines that holds a sentence."""
    start = index
    while start > 0 and page.lines[kept[start]].tight:
        start -= 1
    box = kept[start : start + _box_length(page, kept, start)]
    return len(box) >= 3 and (
        any(re.search(r"[。！？]", page.squeezed[p]) for p in box) or sum(page.squeezed[p].count("，") for p in box) >= 3
    )


# ------------------------------------------------------------------------------------------------------------------- order and sections


def _headings_in_place(drafts: list[_Draft]) -> list[_Draft]:
    """A heading that is the last thing on its page was set at its top: move it behind the parent on that page, else to the page's start."""
    placed: list[_Draft] = []
    for draft in drafts:
        if not (draft.kind == "heading" and draft.foot and draft.depth > 0):
            placed.append(draft)
            continue
        words = draft.text.split()
        signed = [at for at, other in enumerate(placed) if other.signature and other.line.page == draft.line.page]
        if len(words) > 1 and len(words) == len(signed) and all(_FRONT_MATTER_WORDS.match(word) for word in words):
            starts = [next(at for at, other in enumerate(placed) if other.line.page == draft.line.page), *(at + 1 for at in signed[:-1])]
            for word, start in reversed(list(zip(words, starts, strict=True))):
                placed.insert(start, replace(draft, text=word))
            continue
        target = len(placed)
        while target > 0 and placed[target - 1].line.page == draft.line.page:
            before = placed[target - 1]
            if before.kind == "heading" and 0 < before.depth:
                break
            target -= 1
        if target == 0 or placed[target - 1].line.page == draft.line.page or placed[target:]:
            placed.insert(target, draft)
        else:
            placed.append(draft)
    return placed


def _labels_gathered(drafts: list[_Draft], titles: set[str]) -> list[_Draft]:
    """Inside each titled part, put text under the label that it belongs to, wherever on the page the label was set.

    The first text after the title is the summary, a drop capital opens the reading, and boxes that end in a signature are remarks.
    """
    _attribute(drafts)
    result: list[_Draft] = []
    part: list[_Draft] = []
    waiting: list[_Draft] = []  # remarks that stand above the title of their page
    title: _Draft | None = None

    def close() -> None:
        if title is None:
            result.extend(part)
        else:
            result.append(title)
            result.extend(_by_label(part))
        part.clear()

    for position, draft in enumerate(drafts):
        if draft.kind == "heading" and draft.text in titles:
            waiting = []
            while part and part[-1].role in _ROLE_LABELS.values() and part[-1].line.page == draft.line.page and title is None:
                part.pop()
            while part and title is not None and part[-1].line.page == draft.line.page and (part[-1].role or part[-1].speaker):
                waiting.insert(0, part.pop())
            if waiting and not any(item.line.page != draft.line.page for item in waiting) and not _opens_with(part, draft):
                pass
            else:
                part.extend(waiting)
                waiting = []
            close()
            title = draft
            part.extend(waiting)
            continue
        if title is not None and draft.kind == "heading" and draft.depth == 1 and not draft.role:
            close()
            title = None
            result.append(draft)
            continue
        part.append(draft)
    close()
    return result


def _opens_with(part: list[_Draft], title: _Draft) -> bool:
    """Whether other text of the part before stands on the title's page, above its remarks."""
    return any(draft.line.page == title.line.page and draft.kind in ("prose", "item") for draft in part)


def _by_label(part: list[_Draft]) -> list[_Draft]:
    names = {draft.role: draft for draft in part if draft.kind == "heading" and draft.role}
    ordered: dict[str, list[_Draft]] = {"summary": [], "reading": [], "remark": []}
    role = "summary"
    for draft in part:
        if draft.kind == "heading" and draft.role:
            continue
        if draft.speaker:
            ordered["remark"].append(draft)
            continue
        if draft.drop_capital:
            role = "reading"
        ordered[role].append(draft)
    result: list[_Draft] = []
    for role, members in ordered.items():
        if members and role in names:
            result.append(replace(names[role], depth=2))
        result.extend(members)
    return result


def _attribute(drafts: list[_Draft]) -> None:
    """Give the text before a signature its speaker: the boxes of the same remark, else everything back to a heading or signature."""
    for position, draft in enumerate(drafts):
        if not draft.signature:
            continue
        at = position - 1
        if at >= 0 and drafts[at].boxed:
            while at >= 0 and drafts[at].boxed and not drafts[at].signature and drafts[at].kind == "prose":
                drafts[at].speaker = draft.text
                at -= 1
            continue
        while at >= 0 and drafts[at].kind in ("prose", "item") and not drafts[at].signature and not drafts[at].speaker:
            drafts[at].speaker = draft.text
            at -= 1


def _sections(drafts: list[_Draft]) -> list[Piece]:
    """Section paths from the levels of the headings."""
    _attribute(drafts)
    pieces: list[Piece] = []
    path: list[tuple[int, str]] = []
    for draft in drafts:
        if draft.kind == "heading":
            if draft.depth < 0:  # "1)": one below whatever numbered heading stands open
                path = [entry for entry in path if entry[0] < 90]
                path.append((90, draft.text))
            else:
                depth = draft.depth or (2 if path else 1)
                path = [entry for entry in path if entry[0] < depth]
                path.append((depth, draft.text))
        section = () if draft.kind == "contents" else tuple(name for _, name in path)
        text = draft.text.strip()
        if text:
            pieces.append(Piece(draft.kind, text, draft.line.number, section, draft.speaker))
    return pieces
