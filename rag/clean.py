"""Lines as they come out of a PDF -> blocks that read: pure functions, one repair each, put together by `pieces_from_lines`.

Letters and digits of the body are never changed or lost; only running heads, page numbers and white space go. What it gave up: pages whose
columns are interleaved inside a sentence are put right only where the layout leaves a trace (a blank line, a width, an open sentence).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Literal

from rag.types import Kind

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〇"
_CJK_MARKS = "，。、；：！？（）《》「」『』【】“”‘’—…·％"
_SENTENCE_END = re.compile(r"[。！？!?；;][”’」』）)】》\"']*$|[….][”’\"']*$")
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
    r"(?:院长|院士|总裁|教授|研究员|负责人|董事长|理事长|秘书长|委员|执委|创始人|总工|总工程师|工程师|主任|合伙人|总\s*经\s*理|经理|"
    r"主席|博士|科学家|总监|风险官|技术官|执行官|信息官|顾问|专家|主编|副部长|部长|司长|所长|校长|CEO|CTO|CIO|CFO|"
    r"President|Professor|Director|Chairman|Founder|Partner|Officer|Scientist|Fellow)[，,、]?$"
)
_NAME = re.compile(rf"^[{HAN}]{{2,4}}$|^[{HAN}]{{1,6}}·[{HAN}]{{1,8}}$|^[A-Z][a-z]+(?: [A-Z][a-z.]*){{1,2}}$")
_NUMBERED = re.compile(r"^\d{1,2}[.、]\s*(?=[^\d\s])|^[（(]\d{1,2}[)）]\s*(?=\S)|^\d{1,2}[)）]\s*(?=\S)|^[①-⑳]")
_NOTE_MARK = re.compile(r"^(?:\d{1,3}|[*†‡§①-⑳]|\[\d{1,3}\]|\(\d{1,3}\)|注\s?\d*[：:])\s?(?=\S)")
_LEAD_IN = re.compile(rf"^[{HAN}A-Za-z0-9 （）()/+-]{{3,24}}：(?=\S)")
_DOUBLED = re.compile(r"(?:([^\s\d.…·—=_-])\1){3,}")
_POWERS = {3: "千", 4: "万", 5: "十万", 6: "百万", 7: "千万", 8: "亿", 9: "十亿", 10: "百亿", 11: "千亿", 12: "万亿"}
_POWERS_ENGLISH = {3: "thousand", 6: "million", 9: "billion", 12: "trillion"}


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
    """Size of its type relative to the body: 0 body, 1 or more for larger or bolder type."""
    kind: Literal["", "row", "note"] = ""
    """What the layout says that it is: a whole row of a table, or a line of a footnote."""
    depth: int = 0
    """Level of a heading that the file's own outline names; 0 for any other line."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A block before it has its place in the document."""

    kind: Kind
    text: str
    page: int | None = None
    section: tuple[str, ...] = ()
    speaker: str = ""
    breaks: tuple[tuple[int, int | None], ...] = ()
    """(character of `text`, page) where another page begins inside it."""


# ---------------------------------------------------------------------------------------------------------------- repairs of one line


def drop_control(text: str) -> str:
    """Drop what no reader sees: controls but newline and tab, zero-width marks, private-use glyphs, soft hyphens; odd blanks become blanks.

    >>> drop_control("a\\x00b\\u00a0c\\u200bd")
    'ab cd'
    """
    if text.isascii() and text.isprintable():
        return text
    unseen = {}
    for character in set(text):
        category = unicodedata.category(character)
        if category == "Zs":
            unseen[ord(character)] = " "
        elif category in ("Cc", "Cf", "Co", "Cn", "Cs") and character not in "\n\t":
            unseen[ord(character)] = ""
    return text.translate(unseen) if unseen else text


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
    text = re.sub(r"\s+", " ", text).strip()
    if is_letter_spaced(text):
        text = re.sub(r"(?<!\S)(\S[，。、；：]?) +(?=\S[，。、；：]?(?:\s|$))", r"\1", text)
    text = re.sub(rf"(?<=[{HAN}]) +(?=[{HAN}])", "", text)
    text = re.sub(rf"(?<=[{_CJK_MARKS}]) +(?=[{HAN}{_CJK_MARKS}])|(?<=[{HAN}]) +(?=[{_CJK_MARKS}])", "", text)
    return re.sub(r"(?<=[，。、；：！？]) +(?=\S)|(?<=\S) +(?=[，。、；：！？）」』】》])", "", text)


def undo_doubling(text: str) -> str:
    """Halve stretches in which every glyph is printed twice, as a shadow or false bold leaves them; digits and twins in a word stay.

    >>> undo_doubling("智智能能协协同同（AAIIGGCC）"), undo_doubling("谢谢，哈哈哈哈哈哈"), undo_doubling("a bookkeeper")
    ('智能协同（AIGC）', '谢谢，哈哈哈哈哈哈', 'a bookkeeper')
    """

    def halved(match: re.Match[str]) -> str:
        once = match[0][::2]
        wide = re.search(rf"[{HAN}]", once)
        return once if len(set(once)) >= (2 if wide else 3) and (wide or len(once) >= 4) else match[0]

    while (once := _DOUBLED.sub(halved, text)) != text:
        text = once
    return text


def lost_exponents(text: str) -> tuple[str, ...]:
    """Notes on powers of ten whose exponent came out as further digits: "106 times" where the text elsewhere says "a million times".

    >>> lost_exponents("数据量是现在的 106 倍。训练数据增长百万倍。"), lost_exponents("价格是去年的 106 倍。")
    (('“106 倍” may be 10⁶ 倍, whose raised exponent the text layer lost: the text also says “百万倍”',), ())
    """
    notes = {}
    for match in re.finditer(rf"(?<![\d.,])10([3-9]|1[0-2])\s?([{HAN}]|[a-z]{{4,12}}\b)", text):
        exponent, unit = int(match[1]), match[2]
        word = _POWERS.get(exponent, "") if re.match(rf"[{HAN}]", unit) else _POWERS_ENGLISH.get(exponent, "")
        spelled = f"{word}{unit}" if word in _POWERS.values() else f"{word}[ -](?:{unit}|fold)"
        said = re.search(rf"(?<![\d十百千万])(?<!\d ){spelled}", text) if word else None
        if said:
            power = "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
            notes[match[0]] = (
                f"“{match[0]}” may be {power} {unit}, whose raised exponent the text layer lost: the text also says “{said[0].strip()}”"
            )
    return tuple(notes.values())


def join_lines(before: str, after: str, compounds: frozenset[str] = frozenset(), spaced: bool = False) -> str:
    """Put two lines of one paragraph together: no blank beside Han, a blank between words, a hyphenated word closed up.

    A hyphen stays when the word is known with it (`compounds`), or when what follows is not a small letter. `spaced` says that this text
    sets a blank between Han and Latin letters or digits.

    >>> join_lines("建设开放", "平台"), join_lines("an open plat-", "form"), join_lines("an open", "platform")
    ('建设开放平台', 'an open platform', 'an open platform')
    """
    if not before or not after:
        return before + after
    if before[-1] in "-\u2010" and len(before) > 1 and before[-2].isalpha() and after[0].isalpha():
        head, tail = re.search(r"[A-Za-z]*.$", before[-60:]).group(), re.match(r"[^\W\d_]*", after).group()
        if len(head) > 2 and head[-2].islower() and after[0].islower() and (head[:-1] + "-" + tail).lower() not in compounds:
            return before[:-1] + after
        return before + after
    if re.search(r"(?:^|\s)[+&=|/~-]$", before[-2:]) or re.match(r"[+&=|~-]\s", after):
        return before + " " + after
    if spaced and (re.match(rf"[{HAN}][A-Za-z0-9]|[A-Za-z0-9%][{HAN}]", before[-1] + after[0])):
        return before + " " + after
    wide = f"[{HAN}{_CJK_MARKS}\u3000-\u30ff\uff00-\uffef]"
    if re.match(wide, before[-1]) or re.match(wide, after[0]) or before[-1] in "/(·" or after[0] in "/)·":
        return before + after
    return before + " " + after


_COMMON_HAN = frozenset("的一是在不了有和中大为為以用与與及等对對可能年上这這个個其将將于於成发發业業人国國我们們会會到时時地出就分要")
_COMMON_ENGLISH = frozenset("the of and to in a is for that on with as by are be this or from at it an we was not".split())


def looks_garbled(text: str) -> bool:
    """Whether a text of some length is made of real characters that no language puts together, as a broken font map gives.

    >>> looks_garbled("坠巾厶卂夕巛" * 60), looks_garbled("港口在雨中醒来，工人开始清点货物。" * 20)
    (True, False)
    """
    sample = text[:100_000]
    han = re.findall(f"[{HAN}]", sample)
    letters = sum(character.isalpha() for character in sample)
    if len(han) >= 300 and len(han) > 0.3 * letters:
        return sum(character in _COMMON_HAN for character in han) < 0.03 * len(han) and len(set(han)) > 5
    words = re.findall(r"[A-Za-z]+", sample)
    latin = sum(map(len, words))
    if len(set(words)) >= 200 and latin > 0.5 * len(re.sub(r"\s", "", sample)):
        vowels = sum(character in "aeiouyAEIOUY" for word in words for character in word)
        common = sum(word.lower() in _COMMON_ENGLISH for word in words)
        return common < 0.005 * len(words) and not 0.25 * latin < vowels < 0.6 * latin
    return False


def page_number(text: str) -> int | None:
    """The number that a line holds when it is nothing but a page number.

    >>> page_number("- 12 -"), page_number("第 3 页 共 9 页"), page_number("12 cranes")
    (12, 3, None)
    """
    return int(re.search(r"\d+", text)[0]) if len(text) < 40 and _PAGE_NUMBER.match(text) else None


def width(text: str) -> int:
    """Columns that a line takes: two for a wide character, one for any other.

    >>> width("云 AI")
    5
    """
    if text.isascii():
        return len(text)
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
    exact = Counter(line.text for line in lines if line.kind)
    for position, line in enumerate(lines):
        if not line.kind or (line.kind == "note" and exact[line.text] >= 3):
            edges.setdefault(line.page, []).append(position)

    def bare(text: str) -> str:
        return re.sub(r"[\d\s]+", "", text)

    found: set[int] = set()
    pages = len(edges)
    if pages < 3:
        return {positions[0] for positions in edges.values() if len(positions) > 1 and _PAGE_NUMBER.match(lines[positions[0]].text)} | {
            positions[-1] for positions in edges.values() if len(positions) > 1 and _PAGE_NUMBER.match(lines[positions[-1]].text)
        }
    near = {page: {*positions[:3], *positions[-3:]} for page, positions in edges.items()}
    recurring = Counter(form for positions in near.values() for form in {bare(lines[position].text) for position in positions})

    def is_head(text: str) -> bool:
        shape = len(text) <= 80 and bare(text) and not _BULLET.match(text) and not re.search(r"[。！？，、；：]$", text)
        return bool(shape) and recurring[bare(text)] >= 3 and not _known_label(text)

    for positions in edges.values():
        for order in (positions[:3], positions[:-4:-1]):
            for position in order:  # from the edge inwards, up to the first line of the body
                if is_head(lines[position].text):
                    found.add(position)
                elif not _PAGE_NUMBER.match(lines[position].text):
                    break
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
    leaders: dict[int, list[tuple[int, int]]] = {}
    for position, line in enumerate(lines):
        if match := _LEADERS.match(line.text):
            leaders.setdefault(line.page, []).append((position, int(match[2])))
    found: set[int] = set()
    for entries in leaders.values():  # page numbers grow; figures in a table with leaders do not
        growing = sum(after[1] >= before[1] for before, after in zip(entries, entries[1:], strict=False))
        if growing >= 0.6 * (len(entries) - 1):
            found.update(position for position, _ in entries)
    if len({line.page for line in lines if _CONTENTS_WORD.match(line.text)}) > 3:
        return found  # a link back to the contents on every page
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
        if numbers >= max(3, 0.25 * len(region)):
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
        if opening or number is not None:
            page += bool(lines)
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
    squeezed = [undo_doubling(undo_spacing(line.text)) for line in lines]
    numbered, plain = titles_in_contents(lines[position].text for position in sorted(contents))
    chapter_numbers = {at for at in range(1, len(lines)) if re.fullmatch(r"0?\d{1,2}", squeezed[at]) and squeezed[at - 1] in plain}
    dropped = running_heads(lines) - contents - chapter_numbers
    repeated = {text for text, count in Counter(squeezed).items() if count >= 4} & {squeezed[position] for position in dropped}
    titles, groups = running_titles([line.text for position, line in enumerate(lines) if position not in contents])
    for position, text in enumerate(squeezed):
        match = _RUNNING_TITLE.match(lines[position].text)
        known = (match and match["title"] in titles) or (titles and (_LABEL_ALONE.match(text) or text in groups))
        if position not in contents and (known or text in repeated and len(text) <= 40 and position not in chapter_numbers):
            dropped.add(position)
    kept = [position for position in range(len(lines)) if position not in dropped]
    page = _Page(
        lines,
        squeezed,
        kept,
        contents,
        titles,
        numbered,
        plain,
        _joiner(squeezed),
        _is_spaced(squeezed),
        [width(line.text) for line in lines],
    )
    page.ranked, page.outlined = any(line.rank for line in lines), any(line.depth for line in lines)
    page.figures = _figure_lines(page)
    page.signatures = _signatures(page)
    drafts = _drafts(page)
    drafts = _headings_in_place(drafts)
    if titles:
        drafts = _labels_gathered(drafts, set(titles.values()))
    return _sections(drafts)


@dataclass(slots=True)
class _Page:
    """What is known of all lines before they are joined."""

    lines: Sequence[Line]
    squeezed: Sequence[str]
    kept: list[int]
    """Positions of the lines that stay, in order; the functions below speak of indexes into this list."""
    contents: set[int]
    titles: dict[str, str]
    numbered: dict[str, str]
    plain: set[str]
    join: Callable[[str, str], str]
    spaced: bool = False
    """Whether the text sets a blank between Han and Latin letters or digits."""
    widths: list[int] = field(default_factory=list)
    figures: set[int] = field(default_factory=set)
    signatures: dict[int, tuple[int, str, list[str]]] = field(default_factory=dict)
    ranked: bool = False
    """Whether the layout tells headings by their type, so that numbers alone need not."""
    outlined: bool = False
    """Whether the file's own outline names the headings."""
    counted: int = 0
    """Number of the last "1)" heading below the numbered heading that stands open."""

    def text(self, index: int) -> str:
        return self.squeezed[self.kept[index]]

    def line(self, index: int) -> Line:
        return self.lines[self.kept[index]]

    def measure(self, index: int) -> float:
        """Usual width of the lines around `index`."""
        around = [self.widths[p] for p in self.kept[max(0, index - 8) : index + 9] if p not in self.figures and self.widths[p] >= 12]
        return median(around) if around else 40.0


@dataclass(slots=True)
class _Draft:
    """A piece in the making."""

    kind: Kind
    text: str
    line: Line
    depth: int = 0
    """Level of a heading from 1; -1 for one below whatever stands open; 0 for a label."""
    speaker: str = ""
    role: str = ""
    """What a label says of the text that belongs to it."""
    is_open: bool = False
    """A paragraph that stops inside a sentence."""
    foot: bool = False
    """A heading with nothing below it on its page."""
    drop_capital: bool = False
    boxed: bool = False
    """Set apart in a text box of its own."""
    measure: float = 0.0
    """Usual width of its lines."""
    signature: bool = False
    breaks: list[tuple[int, int | None]] = field(default_factory=list)

    def add(self, joined: str, text: str, line: Line) -> None:
        """Goes on with `text` of a line; `joined` is the whole with it."""
        page = self.breaks[-1][1] if self.breaks else self.line.number
        if line.number != page:
            self.breaks.append((len(joined) - len(text), line.number))
        self.text = joined


def _joiner(texts: Sequence[str]) -> Callable[[str, str], str]:
    """`join_lines` as this text wants it: with its own hyphenated words, and its own habit of blanks beside Latin letters."""
    whole = "\n".join(texts)
    compounds = frozenset(word.lower() for word in re.findall(r"[A-Za-z]+-[A-Za-z]+", whole))
    return partial(join_lines, compounds=compounds, spaced=_is_spaced(texts))


def _is_spaced(texts: Sequence[str]) -> bool:
    """Whether a text sets a blank between Han and Latin letters or digits more often than not."""
    whole = "\n".join(texts)
    return len(re.findall(rf"[{HAN}] [A-Za-z0-9]", whole)) > len(re.findall(rf"[{HAN}][A-Za-z0-9]", whole))


def _glued_label(text: str) -> re.Match[str] | None:
    """A label set before the first words of its paragraph, on one line with them."""
    match = re.match(r"^(\S{2,6}) +(?=\S)", text)
    return match if match and match[1] in _ROLE_LABELS else None


def _known_label(text: str) -> bool:
    return text in _ROLE_LABELS or bool(_LABEL_ALONE.match(text)) or bool(_FRONT_MATTER_WORDS.match(text))


def _dotted_number(match: re.Match[str]) -> str:
    return ".".join(group for group in match.groups() if group)


def _drafts(page: _Page) -> list[_Draft]:
    """One pass over the lines that stay, from the top: each stretch becomes a draft."""
    drafts: list[_Draft] = []
    abbreviations = False
    index = 0
    while index < len(page.kept):
        position, line = page.kept[index], page.line(index)
        whole = undo_doubling(re.sub(r"\s+", " ", line.text))
        if line.kind == "row":
            drafts.append(_Draft("row", whole, line))
            index += 1
            continue
        if line.kind == "note":
            index = _note(page, index, drafts)
            continue
        heading = None if position in page.contents else _heading(page, index, drafts)
        if position in page.contents:
            drafts.append(_Draft("contents", re.sub(r"(?:[.．…·]\s?){4,}", " … ", whole).strip(), line))
            index += 1
        elif heading is not None:
            drafts.append(heading[0])
            if not heading[0].role:
                abbreviations = bool(_ABBREVIATION_HEAD.search(heading[0].text))
            index += heading[1]
        elif abbreviations and position not in page.signatures:
            _abbreviation(page, index, drafts)
            index += 1
        elif position in page.signatures:
            used, name, jobs = page.signatures[position]
            signed = " ".join([name, *jobs])
            drafts.append(_Draft("prose", signed, line, speaker=signed, signature=True))
            index += used
        elif position in page.figures or _CAPTION.match(page.squeezed[position]):
            if position in page.figures and drafts and drafts[-1].kind == "figure" and page.kept[index - 1] in page.figures:
                drafts[-1].text += "\n" + whole
            else:
                drafts.append(_Draft("figure", whole, line))
            index += 1
        else:
            text = page.squeezed[position]
            glued = _glued_label(line.text)
            if glued:
                drafts.append(_Draft("heading", glued[1], line, role=_ROLE_LABELS[glued[1]]))
                text = undo_spacing(line.text[glued.end() :])
            index = _paragraph(page, index, text, drafts)
    return drafts


def _note(page: _Page, index: int, drafts: list[_Draft]) -> int:
    """Read one footnote and return the index behind it; it is set apart, so that the paragraph above it can go on on the next page."""
    draft = _Draft("prose", page.text(index), page.line(index), boxed=True)
    drafts.append(draft)
    at = index + 1
    while at < len(page.kept) and page.line(at).kind == "note" and page.line(at).page == draft.line.page:
        if _NOTE_MARK.match(page.text(at)):
            break
        draft.text = page.join(draft.text, page.text(at))
        at += 1
    return at


def _abbreviation(page: _Page, index: int, drafts: list[_Draft]) -> None:
    """Add a line to a list of abbreviations: a new row where a term begins and the row before is whole, else more of that row."""
    text, whole = page.text(index), re.sub(r"\s+", " ", page.line(index).text)
    if _ABBREVIATION_HEAD.search(text) and not re.match(r"[A-Za-z]", text):
        drafts.append(_Draft("row", whole, page.line(index)))
        return
    before = drafts[-1] if drafts and drafts[-1].kind == "abbreviation" else None
    finished = before is None or bool(re.search(rf"[{HAN}]", before.text))
    if before is not None and not (finished and re.match(r"[A-Za-z0-9]", text)):
        before.text = page.join(before.text, text)
    else:
        drafts.append(_Draft("abbreviation", whole, page.line(index)))


def _paragraph(page: _Page, index: int, text: str, drafts: list[_Draft]) -> int:
    """Read one paragraph or list item from `index` on and return the index behind it; an open paragraph is continued."""
    capital = _drop_capital(page, index)
    bullet, numbered = _BULLET.match(text), _NUMBERED.match(text)
    boxed = _box_length(page, index) >= 3 and not bullet and not capital
    held = None if bullet or capital else _open_paragraph(drafts)
    if held is not None and boxed and not _same_shape(page, index, held.measure):
        held = None
    if held is not None:
        held.add(page.join(held.text, text), text, page.line(index))
        draft = held
    else:
        is_item = bool(bullet) or bool(numbered)
        draft = _Draft("item" if is_item else "prose", text[bullet.end() :] if bullet else text, page.line(index))
        draft.drop_capital, draft.boxed = capital, boxed
        drafts.append(draft)
    at = index
    while at + 1 < len(page.kept) and not _paragraph_ends(page, index, at, draft):
        at += 1
        draft.add(page.join(draft.text, page.text(at)), page.text(at), page.line(at))
    if at + 1 >= len(page.kept):
        draft.is_open = False
    return at + 1


def _open_paragraph(drafts: list[_Draft]) -> _Draft | None:
    """The last paragraph, when it stops inside a sentence and no heading stands behind it; boxes and figures in between do not count."""
    for draft in reversed(drafts[-12:]):
        if draft.kind in ("prose", "item") and not draft.boxed and not draft.signature:
            return draft if draft.is_open else None
        if draft.kind == "heading" and not draft.role:
            return None
    return None


def _paragraph_ends(page: _Page, first: int, at: int, draft: _Draft) -> bool:
    """Whether the paragraph that began at `first` ends with line `at`; notes in the draft whether it stops inside a sentence."""
    text, wide, local = page.text(at), page.widths[page.kept[at]], page.measure(at)
    if page.line(at + 1).kind:
        ends = bool(_SENTENCE_END.search(text))
        draft.is_open = not ends and not text.endswith(("：", ":"))
        return True
    below, line_below, text_below, wide_below = page.kept[at + 1], page.line(at + 1), page.text(at + 1), page.widths[page.kept[at + 1]]
    own = [page.widths[p] for p in page.kept[max(first + 1, at - 40) : at + 1]]
    ends = bool(_SENTENCE_END.search(text))
    draft.is_open = not ends
    draft.measure = median(own) if len(own) >= 2 else wide
    box_below = not line_below.tight and _box_length(page, at + 1) >= 3
    if not (draft.drop_capital and at == first and len(text) == 1):
        if draft.boxed and not line_below.tight and ends:
            return True
        if ends and not draft.boxed and (wide < 0.85 * local or box_below):
            return True
        if ends and draft.kind == "item" and len(own) >= 2 and (wide < 0.93 * max(own) or wide_below > max(own) + 1):
            return True  # items hang on their bullet, so a wider line is no longer theirs
        indented = len(own) >= 2 and wide_below <= min(local, max(own)) - 3 and not _SENTENCE_END.search(text_below)
        if ends and not draft.boxed and indented:
            return True
        cut_short = wide < (0.8 if draft.kind == "item" else 0.6) * local and not text.endswith(("，", "、", ","))
        lead_in = text.endswith(("：", ":")) and wide < 0.8 * local
        if (
            lead_in
            or line_below.paragraph
            and (ends or wide < 0.8 * local)
            or not ends
            and cut_short
            and not draft.boxed
            and not draft.drop_capital
        ):
            draft.is_open = False
            return True
        if not draft.boxed and box_below:
            return True
    if below in page.contents or below in page.figures or below in page.signatures or _CAPTION.match(text_below):
        return True
    if _BULLET.match(text_below) or text_below in page.titles or text_below in _ROLE_LABELS or _heading_shape(page, at + 1, ends):
        return True
    return ends and bool(
        _drop_capital(page, at + 1)
        or text_below in page.plain
        or _LEAD_IN.match(text_below)
        or _NUMBERED.match(text_below)
        or _glued_label(line_below.text)
        or (line_below.rank > 0 and line_below.rank != page.line(at).rank)
    )


def _same_shape(page: _Page, index: int, measure: float) -> bool:
    """Whether the box at `index` is set as wide as an open paragraph, so that it can go on with it."""
    box = [page.widths[p] for p in page.kept[index : index + _box_length(page, index)]]
    return 0.8 * measure < median(box) < 1.25 * measure


def _box_length(page: _Page, index: int) -> int:
    """Lines in the text box that starts at `index`: the line and the tight ones below it."""
    end = index + 1
    while end < len(page.kept) and page.line(end).tight and page.kept[end] == page.kept[end - 1] + 1:
        end += 1
    return end - index


def _drop_capital(page: _Page, index: int) -> bool:
    """Whether a paragraph opens here with a drop capital: a lone Han character above, or parted by a blank from, a line of text."""
    if page.kept[index] in page.figures:
        return False
    text = page.line(index).text
    if re.fullmatch(rf"[{HAN}]", text):
        return index + 1 < len(page.kept) and width(page.line(index + 1).text) >= 16 and page.kept[index + 1] not in page.figures
    return bool(re.match(rf"^[{HAN}] [{HAN}]{{2}}", text)) and not is_letter_spaced(text)


def _heading_shape(page: _Page, index: int, after_sentence: bool) -> bool:
    """Whether the line at `index` opens a numbered heading, judged by its shape and by the contents alone."""
    text = page.text(index)
    if page.line(index).depth:
        return True
    dotted = _DOTTED.match(text)
    if dotted and _is_dotted_heading(page, text, dotted, after_sentence):
        return True
    if _COUNTED.match(text) and after_sentence and not (page.ranked and page.line(index).rank == 0):
        return True
    return len(text) <= 40 and bool(_CHAPTER.match(text) or _APPENDIX.match(text))


def _is_dotted_heading(page: _Page, text: str, dotted: re.Match[str], after_sentence: bool) -> bool:
    """A dotted number opens a heading when the contents have it with the same words; without contents, when no sentence is open."""
    number, rest = _dotted_number(dotted), re.sub(r"\W", "", text[dotted.end() :])
    if number in page.numbered:
        known = re.sub(r"\W", "", page.numbered[number])
        return bool(rest) and (known[:4] == rest[:4] or known.startswith(rest[:6]))
    words = text[dotted.end() :]
    return (
        not page.numbered
        and after_sentence
        and len(words) <= 80
        and not re.search(r"[。，；,;]$", words)
        and not re.match(r"[\d%％]", words)
    )


def _heading(page: _Page, index: int, drafts: list[_Draft]) -> tuple[_Draft, int] | None:
    """The heading that starts at `index` and how many lines it takes, or None."""
    line, text = page.line(index), page.text(index)
    after_sentence = not drafts or not drafts[-1].is_open
    if line.depth:
        return _Draft("heading", text, line, depth=line.depth), 1

    def at_foot(used: int) -> bool:
        return index + used >= len(page.kept) or page.line(index + used).page != line.page

    if text in page.titles:
        return _Draft("heading", page.titles[text], line, depth=1), 1
    if text in _ROLE_LABELS:
        return _Draft("heading", text, line, role=_ROLE_LABELS[text]), 1
    dotted = _DOTTED.match(text)
    if dotted and _is_dotted_heading(page, text, dotted, after_sentence):
        whole, used = _wrapped(page, index)
        number = _dotted_number(dotted)
        if not at_foot(used):
            page.counted = 0
        words = whole[_DOTTED.match(whole).end() :]
        return _Draft("heading", f"{number} {words}", line, depth=number.count(".") + 1 + 10 * page.outlined, foot=at_foot(used)), used
    counted = _COUNTED.match(text)
    if counted and after_sentence and not (page.ranked and line.rank == 0) and int(counted[1]) in (1, page.counted + 1):
        whole, used = _wrapped(page, index)
        if not re.search(r"[。；]", whole) and len(whole) <= 80:
            page.counted = int(counted[1])
            return _Draft("heading", f"{counted[1]}) {whole[_COUNTED.match(whole).end() :]}", line, depth=-1), used
    large = line.rank > 0 and (after_sentence or line.rank > 1 or line.paragraph)
    if width(text) > (160 if large else 120) or not (after_sentence or large) or re.search(r"[。，；！？,;]$", text):
        return None
    if not large and len(text) > 60:
        return None
    if text in page.plain and not at_foot(1) and re.fullmatch(r"0?\d{1,2}", page.text(index + 1)):
        return _Draft("heading", f"{int(page.text(index + 1))} {text}", line, depth=1, foot=at_foot(2)), 2
    if _CHAPTER.match(text) or _APPENDIX.match(text):
        whole, used = _wrapped(page, index)
        return _Draft("heading", whole, line, depth=1, foot=at_foot(used)), used
    words = line.text.split()
    if words and all(_FRONT_MATTER_WORDS.match(word) for word in words):
        return _Draft("heading", " ".join(words), line, depth=1, foot=at_foot(1)), 1
    if text in page.plain and line.rank == 0 and len(text) <= 40 and line.number is not None and re.search(rf"[{HAN}A-Za-z]{{2}}", text):
        return _Draft("heading", text, line, depth=_plain_depth(text)), 1
    lettered = bool(re.search(rf"[{HAN}A-Za-z]{{2}}", text)) and not _CAPTION.match(text)
    if line.rank > 0 and lettered and page.kept[index] not in page.figures:
        used, whole = 1, text
        while used < 4 and not at_foot(used) and page.line(index + used).rank == line.rank and page.line(index + used).tight:
            whole = page.join(whole, page.text(index + used))
            used += 1
        chapter = text in page.plain or re.match(r"\d{1,2}\s+\D", text)
        depth = _plain_depth(whole) if chapter else 3 - min(line.rank, 2)
        return _Draft("heading", whole, line, depth=depth + 10 * page.outlined), used
    opens_page = index > 0 and page.line(index - 1).page != line.page
    title_like = 2 <= len(text) <= 14 and page.kept[index] not in page.figures and bool(re.search(rf"[{HAN}]{{2}}", text))
    body_below = not at_foot(1) and not page.line(index + 1).tight and page.widths[page.kept[index + 1]] > max(24, 2 * width(text))
    if opens_page and title_like and body_below:
        return _Draft("heading", text, line, depth=1), 1
    return None


def _plain_depth(text: str) -> int:
    """Level of an unnumbered heading: "一、" and the like open a chapter, "（一）" a section, others a section too.

    >>> _plain_depth("二、开放"), _plain_depth("（一）开放")
    (1, 2)
    """
    return 1 if re.match(rf"{_ORDINAL}\s?[、.．]|\d{{1,2}}\s+\D|第", text) or _FRONT_MATTER_WORDS.match(text.rstrip(":： ")) else 2


def _wrapped(page: _Page, index: int) -> tuple[str, int]:
    """A numbered heading with the lines on which it goes on, and how many lines those are.

    Tight lines go on; so does one short line without punctuation below a heading that fills its line or stops at a comma.
    """
    whole, used = page.text(index), 1
    while used < min(_box_length(page, index), 3) and not _heading_shape(page, index + used, True):
        whole = page.join(whole, page.text(index + used))
        used += 1
    line, local = page.line(index), page.measure(index)
    if used == 1 and index + 1 < len(page.kept) and (width(line.text) > 0.8 * local or whole.endswith(("，", "、", ","))):
        below, text = page.line(index + 1), page.text(index + 1)
        short = width(below.text) < 0.72 * local and not re.search(r"[。！？；：，、]$", text) and not _BULLET.match(text)
        same_place = below.page == line.page and not below.paragraph and page.kept[index + 1] not in page.figures
        if short and same_place and not _heading_shape(page, index + 1, True):
            return page.join(whole, text), 2
    return whole, used


def _signatures(page: _Page) -> dict[int, tuple[int, str, list[str]]]:
    """Position of a name -> (lines taken, name, job titles): a short name after a sentence, above boxes that end in a job title."""
    found: dict[int, tuple[int, str, list[str]]] = {}
    for index, position in enumerate(page.kept):
        if position in page.contents or not _NAME.match(page.text(index)) or index + 1 >= len(page.kept):
            continue
        if index and not _SENTENCE_END.search(page.text(index - 1)):
            continue
        at, jobs = index + 1, []
        while at < len(page.kept) and len(jobs) < 3:
            box = _box_length(page, at)
            job = ""
            for text in (page.text(at + step) for step in range(min(box, 4))):
                job = f"{job} {text}" if _JOB.search(job) and not job.endswith(("，", ",", "、")) else page.join(job, text)
            if box > 4 or len(job) > 50 or not _JOB.search(job) or re.search(r"[。！？；]", job):
                break
            jobs.append(job)
            at += box
        if jobs:
            found[position] = (at - index, page.text(index), jobs)
    return found


def _figure_lines(page: _Page) -> set[int]:
    """Positions of chart debris: runs of three or more narrow lines without punctuation, and the label lines between them."""
    body = [page.widths[p] for p in page.kept if re.search(r"[，。]|[a-z]{3}.* [a-z]{3}", page.lines[p].text)]
    usual = median(body) if body else 40
    narrow = [_is_narrow(page, index, usual) for index in range(len(page.kept))]
    found: set[int] = set()
    index = 0
    while index < len(page.kept):
        lead_in = page.text(index).endswith(("：", ":")) and not (index + 1 < len(page.kept) and narrow[index + 1])
        if not narrow[index] or lead_in:
            index += 1
            continue
        end, count, probe = index + 1, 1, index + 1
        while probe < len(page.kept) and probe - end <= 6 and not _stops_figure(page, index, probe, narrow[probe]):
            if narrow[probe]:
                count, end = count + 1, probe + 1
            probe += 1
        run = page.kept[index:end]
        signed = count <= 4 and any(_NAME.match(page.squeezed[p]) for p in run) and any(_JOB.search(page.squeezed[p]) for p in run)
        if count >= 3 and not signed and not all(_BULLET.match(page.squeezed[p]) for p in run):
            found.update(run)
        index = end
    return found


def _is_narrow(page: _Page, index: int, usual: float) -> bool:
    """Whether a line looks like a label of a chart: short and unpunctuated, or labels side by side, or every glyph printed twice."""
    position, text, raw = page.kept[index], page.text(index), page.line(index).text
    if page.line(index).kind or page.line(index).depth:
        return False
    if position in page.contents or text in page.titles or text in page.plain or _known_label(text) or page.line(index).rank > 0:
        return False
    if _DOTTED.match(text) or _COUNTED.match(text) or _APPENDIX.match(text) or _in_prose_box(page, index):
        return False
    short = width(raw) < 0.62 * usual and not re.search(r"[，。；！？、,]$|[。！？]", text)
    number = "" if page.spaced else r"\d"  # "有 4 个" is prose where the text sets such blanks
    labels = (
        bool(re.search(rf"(?<=[{HAN}{number}]) +(?=[{HAN}])| \| ", raw)) and not is_letter_spaced(raw) and not re.search(r"[。；]", raw)
    )
    labels = labels and (" | " in raw or "，" not in raw)
    return (short or labels or bool(_DOUBLED.search(raw))) and not re.search(r"[.!?]$", text)


def _stops_figure(page: _Page, first: int, index: int, narrow: bool) -> bool:
    """Whether a run of chart labels that began at `first` cannot reach over the line at `index`."""
    position, text = page.kept[index], page.text(index)
    if position in page.contents or text in page.titles or page.lines[position].page != page.line(first).page:
        return True
    if page.lines[position].kind or page.lines[position].depth:
        return True
    if _DOTTED.match(text) or _COUNTED.match(text) or _APPENDIX.match(text) or page.lines[position].rank > 0:
        return True
    return not narrow and bool(re.search(r"[。！？；，]|[a-z], [a-z]|[.;]$", text)) and not _DOUBLED.search(text)


def _in_prose_box(page: _Page, index: int) -> bool:
    """Whether a line stands in a text box of three or more tight lines that holds a sentence."""
    start = index
    while start > 0 and page.line(start).tight:
        start -= 1
    box = [page.squeezed[p] for p in page.kept[start : start + _box_length(page, start)]]
    return len(box) >= 3 and (any(re.search(r"[。！？]", text) for text in box) or sum(text.count("，") for text in box) >= 3)


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
            if before.kind == "heading" and before.depth > 0:
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
    counts = Counter(draft.text for draft in drafts if draft.kind == "heading" and draft.role)
    usual = {draft.role: draft for draft in drafts if draft.kind == "heading" and draft.role and counts[draft.text] >= 3}
    result: list[_Draft] = []
    part: list[_Draft] = []
    title: _Draft | None = None

    def close() -> None:
        if title is None:
            result.extend(part)
        else:
            result.append(title)
            result.extend(_by_label(part, usual))
        part.clear()

    for draft in drafts:
        if draft.kind == "heading" and draft.text in titles:
            while part and title is None and part[-1].role and part[-1].line.page == draft.line.page:
                part.pop()  # a label left over from another page's layout
            waiting = []  # remarks that stand above the title of their page
            while part and title is not None and part[-1].line.page == draft.line.page and (part[-1].role or part[-1].speaker):
                waiting.insert(0, part.pop())
            if _opens_with(part, draft):  # the page goes on with the part before, so the remarks are that part's
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


def _by_label(part: list[_Draft], usual: dict[str, _Draft]) -> list[_Draft]:
    """Drafts of one part in the order summary, reading, remarks, each under its label; a missing label is taken from other parts."""
    names = usual | {draft.role: draft for draft in part if draft.kind == "heading" and draft.role}
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
            result.append(replace(names[role], depth=2, line=members[0].line))
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
            cut = len(draft.text) - len(draft.text.lstrip())
            breaks = tuple((at - cut, number) for at, number in draft.breaks)
            pieces.append(Piece(draft.kind, text, draft.line.number, section, draft.speaker, breaks))
    return pieces
