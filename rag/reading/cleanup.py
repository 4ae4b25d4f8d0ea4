"""Lines as they come out of a PDF, repaired: pure functions, one repair each, put to use by `rag.reading.paragraphs`.

Letters and digits of the body are never changed or lost; only running heads, page numbers and white space go.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from rag.reading.elements import Line
from rag.text.lexicon import is_english_word

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〇"
_CJK_MARKS = "，。、；：！？（）《》「」『』【】“”‘’—…·％"
SENTENCE_END = re.compile(r"[。！？!?；;][”’」』）)】》\"']*$|[….][”’\"']*$")
BULLET = re.compile(r"^[●•◆■▪▶➢○◇□▲►✓✔◎∙‣⁃]\s*|^[-*–—]\s+(?=\S)")
DOTTED = re.compile(r"^(\d{1,2})\s?\.\s?(\d{1,2})(?:\s?\.\s?(\d{1,2}))?(?:\s?\.\s?(\d{1,2}))?[.、]?\s+(?=\S)")
_LEADERS = re.compile(r"^(.{2,}?)\s*(?:[.．…·]\s?){4,}\s*(\d{1,4})\s*$")
_PAGE_NUMBER = re.compile(
    r"^(?:[-–—]\s*)?\d{1,4}(?:\s*[-–—])?$|^第\s*\d+\s*页(?:\s*共\s*\d+\s*页)?$|^(?:page|p\.)\s*\d+(?:\s*(?:of|/)\s*\d+)?$", re.I
)
ORDINAL = r"(?:[一二三四五六七八九十]{1,3}|\d{1,2})"
RUNNING_TITLE = re.compile(
    rf"^(?:(?P<group>[{HAN}]{{2,6}})\s+)?(?P<label>(?:趋势|专题|主题|话题|案例|Trend|Topic){ORDINAL})\s+(?P<title>\S.*)$"
)
LABEL_ALONE = re.compile(rf"^(?:趋势|专题|主题|话题|案例|Trend|Topic)\s?{ORDINAL}$")
FRONT_MATTER_WORDS = re.compile(
    rf"^(?:卷首语|序|前言|引言|导言|导语|序言{ORDINAL}?|寄语|致辞|结语|结束语|后记|致谢|摘\s?要|执行摘要|核心观点|参考文献|版权声明|"
    r"Foreword|Preface|Introduction|Conclusions?|Acknowledge?ments|References|Executive Summary)$",
    re.I,
)
_CONTENTS_WORD = re.compile(r"^(?:目\s*录|(?:table of )?contents)$", re.I)
JOB = re.compile(
    r"(?:院长|院士|总裁|教授|研究员|负责人|董事长|理事长|秘书长|委员|执委|创始人|总工|总工程师|工程师|主任|合伙人|总\s*经\s*理|经理|"
    r"主席|博士|科学家|总监|风险官|技术官|执行官|信息官|顾问|专家|主编|副部长|部长|司长|所长|校长|CEO|CTO|CIO|CFO|"
    r"President|Professor|Director|Chairman|Founder|Partner|Officer|Scientist|Fellow)[，,、]?$"
)
NAME = re.compile(rf"^[{HAN}]{{2,4}}$|^[{HAN}]{{1,6}}·[{HAN}]{{1,8}}$|^[A-Z][a-z]+(?: [A-Z][a-z.]*){{1,2}}$")
DOUBLED = re.compile(r"(?:([^\s\d.…·—=_-])\1){3,}")


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

    while (once := DOUBLED.sub(halved, text)) != text:
        text = once
    return text


def join_lines(
    before: str, after: str, compounds: frozenset[str] = frozenset(), spaced: bool = False, words: frozenset[str] = frozenset()
) -> str:
    """Put two lines of one paragraph together: no blank beside Han, a blank between words, a hyphenated word closed up.

    A hyphen stays between figures and before a capital, in a word that the text writes with it elsewhere (`compounds`), and, where the text does
    not write the word without it (`words`), between two words that are none together. `spaced` says that this text sets a blank between Han and Latin letters
    or digits.

    >>> join_lines("建设开放", "平台"), join_lines("an open plat-", "form"), join_lines("an open", "platform")
    ('建设开放平台', 'an open platform', 'an open platform')
    >>> join_lines("the years 2019-", "2023"), join_lines("long-", "term plans")
    ('the years 2019-2023', 'long-term plans')
    """
    if not before or not after:
        return before + after
    if before[-1] in "-\u2010" and len(before) > 1 and before[-2].isalpha() and after[0].isalpha():
        head, tail = re.search(r"[A-Za-z]*.$", before[-60:]).group()[:-1], re.match(r"[^\W\d_]*", after).group()
        if len(head) > 1 and head[-1].islower() and after[0].islower() and not _keeps_hyphen(head, tail, compounds, words):
            return before[:-1] + after
        return before + after
    if before[-1] in "-\u2010\u2011–" and before[-2:-1].isalnum() and after[0].isalnum() and before[-2:-1].isascii():
        return before + after
    if re.search(r"(?:^|\s)[+&=|/~-]$", before[-2:]) or re.match(r"[+&=|~-]\s", after):
        return before + " " + after
    if spaced and (re.match(rf"[{HAN}][A-Za-z0-9]|[A-Za-z0-9%][{HAN}]", before[-1] + after[0])):
        return before + " " + after
    wide = f"[{HAN}{_CJK_MARKS}\u3000-\u30ff\uff00-\uffef]"
    if re.match(wide, before[-1]) or re.match(wide, after[0]) or before[-1] in "/(·" or after[0] in "/)·":
        return before + after
    return before + " " + after


def _keeps_hyphen(head: str, tail: str, compounds: frozenset[str], words: frozenset[str]) -> bool:
    """Whether a hyphen at the end of a line belongs to the word: by what the same text writes elsewhere, else by the dictionary."""
    parted, closed = f"{head}-{tail}".lower(), f"{head}{tail}".lower()
    if parted in compounds or closed in words:
        return parted in compounds
    return not is_english_word(closed) and is_english_word(head) and is_english_word(tail)


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

    >>> lines = [Line(text) for text in ("Cranes turn.", "Ships wait.", "The tide turns.")]
    >>> [line.number for line in number_pages(lines, [0, 1, 2], {0: 7, 1: 8})]  # the third page goes on counting
    [7, 8, 9]
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


def running_heads(lines: Sequence[Line], labels: Collection[str] = ()) -> set[int]:
    """Positions of running heads, feet and page numbers: short lines at the edge of a page that recur there once digits are taken out.

    `labels` recur too, but belong to the text.

    >>> texts = ("Harbour 1", "cranes turn", "Harbour 2", "ships wait", "Harbour 3", "for the tide")
    >>> sorted(running_heads([Line(text, page=place // 2) for place, text in enumerate(texts)]))
    [0, 2, 4]
    """
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
        shape = len(text) <= 80 and bare(text) and not BULLET.match(text) and not re.search(r"[。！？，、；：]$", text)
        return bool(shape) and recurring[bare(text)] >= 3 and text not in labels and not known_label(text)

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

    >>> running_titles(["开放生态 趋势二 边缘网关", "边缘网关", "趋势三 潮汐能", "潮汐能"])
    ({'边缘网关': '趋势二 边缘网关', '潮汐能': '趋势三 潮汐能'}, {'开放生态'})
    """
    standing = set(texts)
    titles: dict[str, str] = {}
    groups: set[str] = set()
    for text in texts:
        match = RUNNING_TITLE.match(text)
        if match and match["title"] in standing:
            titles[match["title"]] = f"{match['label']} {match['title']}"
            if match["group"]:
                groups.add(match["group"])
    return (titles, groups) if len(titles) >= 2 else ({}, set())


def contents_lines(lines: Sequence[Line]) -> set[int]:
    """Positions of the lines of a table of contents: dot leaders anywhere, and the unpunctuated lines around a line that says so.

    >>> texts = ("Contents", "Cranes ......... 3", "Ships ......... 7")
    >>> sorted(contents_lines([*(Line(text) for text in texts), Line("The harbour wakes.", page=1)]))
    [0, 1, 2]
    """
    leaders: dict[int, list[tuple[int, int]]] = {}
    for position, line in enumerate(lines):
        if match := _leaders(line.text):
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
            if SENTENCE_END.search(lines[at].text):
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


def _leaders(text: str) -> re.Match[str] | None:
    """A title and its page number with dots between; a longer line is none, and would take long to look through."""
    return _LEADERS.match(text) if len(text) <= 300 else None


def titles_in_contents(texts: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """Dotted number -> title, and the unnumbered titles, of the lines of a table of contents.

    >>> titles_in_contents(["2.1 Cranes ......... 3", "Ships of the bay ......... 7"])
    ({'2.1': 'Cranes'}, {'Ships of the bay'})
    """
    numbered: dict[str, str] = {}
    plain: set[str] = set()
    for text in texts:
        match = _leaders(text)
        title = undo_spacing(match[1] if match else re.sub(r"^\d{1,3}(?=\D)|(?<=\D)\s+\d{1,3}$", "", text))
        dotted = DOTTED.match(title)
        if dotted:
            numbered[dotted_number(dotted)] = title[dotted.end() :]
        elif re.search(rf"[{HAN}A-Za-z]", title):
            plain.add(title)
    return numbered, plain


def looks_extracted(text: str) -> bool:
    """Whether a text file is the text layer of a PDF: blank lines between most lines although most lines end inside a sentence.

    >>> looks_extracted("the cranes turn\\n\\nwhile ships wait\\n\\n" * 12), looks_extracted("The cranes turn.\\n" * 24)
    (True, False)
    """
    lines = text.split("\n")
    filled = [position for position, line in enumerate(lines) if line.strip()]
    if len(filled) < 20:
        return False
    parted = sum(1 for position in filled[1:] if not lines[position - 1].strip())
    open_ended = sum(1 for position in filled if not re.search(r"[。！？.!?：:]\s*$", lines[position]))
    return parted > 0.4 * len(filled) and open_ended > 0.6 * len(filled)


def lines_of_extracted_text(text: str) -> list[Line]:
    """Lines of a PDF's text layer: a form feed or one leading blank opens a page; a line without a blank line above it is tight.

    >>> [(line.text, line.page, line.tight) for line in lines_of_extracted_text("one\\ntwo\\n\\nthree\\n\\n\\ffour")]
    [('one', 0, False), ('two', 0, True), ('three', 0, False), ('four', 1, False)]
    """
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
        opening = opening and not (NAME.match(bare) and JOB.search(following))
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
    """Strip a line and turn its tabs and form feeds into blanks.

    >>> undo_tabs(" one\\ttwo ")
    'one two'
    """
    return re.sub(r"[\t\f\v]", " ", line).strip()


def known_label(text: str) -> bool:
    return bool(LABEL_ALONE.match(text)) or bool(FRONT_MATTER_WORDS.match(text))


def dotted_number(match: re.Match[str]) -> str:
    return ".".join(group for group in match.groups() if group)
