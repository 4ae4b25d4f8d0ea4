"""Which lines are headings, and how deep: by the outline of the file, the contents, numbers, type and place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.reading.cleanup import (
    BULLET,
    DOTTED,
    FRONT_MATTER_WORDS,
    HAN,
    ORDINAL,
    dotted_number,
    width,
)
from rag.reading.drafts import Draft, Page, box_length

COUNTED = re.compile(r"^(\d{1,2})\)\s*(?=\S)")
CHAPTER = re.compile(rf"^(?:第{ORDINAL}[章篇部]分?|Chapter\s+\d+|Part\s+[IVX\d]+)(?:\s|：|:|$)")
APPENDIX = re.compile(r"^(?:附录|Appendix)\s?[A-Z一二三四五六七八九十\d]?(?:\s?[：:.、]\s?|\s+|$)", re.I)
CAPTION = re.compile(r"^(?:图表?|表|Figure|Fig\.|Table|Exhibit)\s*\d+(?:[-.]\d+)?\s*[:：.、\s]", re.I)


def heading_shape(page: Page, index: int, after_sentence: bool) -> bool:
    """Whether the line at `index` opens a numbered heading, judged by its shape and by the contents alone."""
    text = page.text(index)
    if page.line(index).depth:
        return True
    dotted = DOTTED.match(text)
    if dotted and _is_dotted_heading(page, text, dotted, after_sentence):
        return True
    if COUNTED.match(text) and after_sentence and not (page.ranked and page.line(index).rank == 0):
        return True
    return len(text) <= 40 and bool(CHAPTER.match(text) or APPENDIX.match(text))


def _is_dotted_heading(page: Page, text: str, dotted: re.Match[str], after_sentence: bool) -> bool:
    """A dotted number opens a heading when the contents have it with the same words; without contents, when no sentence is open."""
    number, rest = dotted_number(dotted), re.sub(r"\W", "", text[dotted.end() :])
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


Found = tuple[Draft, int] | None
"""A heading and how many lines it takes."""


def heading(page: Page, index: int, drafts: Sequence[Draft]) -> Found:
    """The heading that starts at `index`, or None."""
    line, text = page.line(index), page.text(index)
    after_sentence = not drafts or not drafts[-1].is_open
    if line.depth:
        return Draft("heading", text, line, depth=line.depth), 1
    if text in page.titles:
        return Draft("heading", page.titles[text], line, depth=1), 1
    if text in page.labels:
        return Draft("heading", text, line, role=page.labels[text]), 1
    if (numbered := _numbered(page, index, after_sentence)) is not None:
        return numbered
    large = line.rank > 0 and (after_sentence or line.rank > 1 or line.paragraph)
    if width(text) > (160 if large else 120) or not (after_sentence or large) or re.search(r"[。，；！？,;]$", text):
        return None
    if not large and len(text) > 60:
        return None
    return _known(page, index) or _large(page, index) or _on_top(page, index)


def _at_foot(page: Page, index: int, used: int) -> bool:
    """Whether nothing stands on the page below `used` lines."""
    return index + used >= len(page.kept) or page.line(index + used).page != page.line(index).page


def _numbered(page: Page, index: int, after_sentence: bool) -> Found:
    """A heading with a dotted number or one like "1)"."""
    line, text = page.line(index), page.text(index)
    dotted = DOTTED.match(text)
    if dotted and _is_dotted_heading(page, text, dotted, after_sentence):
        whole, used = _wrapped(page, index)
        number, foot = dotted_number(dotted), _at_foot(page, index, used)
        if not foot:
            page.counted = 0
        words = DOTTED.sub("", whole, count=1)
        return Draft("heading", f"{number} {words}", line, depth=number.count(".") + 1 + 10 * page.outlined, foot=foot), used
    counted = COUNTED.match(text)
    if counted and after_sentence and not (page.ranked and line.rank == 0) and int(counted[1]) in (1, page.counted + 1):
        whole, used = _wrapped(page, index)
        if not re.search(r"[。；]", whole) and len(whole) <= 80:
            page.counted = int(counted[1])
            return Draft("heading", f"{counted[1]}) {COUNTED.sub('', whole, count=1)}", line, depth=-1), used
    return None


def _known(page: Page, index: int) -> Found:
    """A heading that the contents name, or one that is called a chapter, an appendix, a foreword."""
    line, text = page.line(index), page.text(index)
    if text in page.plain and not _at_foot(page, index, 1) and re.fullmatch(r"0?\d{1,2}", page.text(index + 1)):
        return Draft("heading", f"{int(page.text(index + 1))} {text}", line, depth=1, foot=_at_foot(page, index, 2)), 2
    if CHAPTER.match(text) or APPENDIX.match(text):
        whole, used = _wrapped(page, index)
        return Draft("heading", whole, line, depth=1, foot=_at_foot(page, index, used)), used
    words = line.text.split()
    if words and all(FRONT_MATTER_WORDS.match(word) for word in words):
        return Draft("heading", " ".join(words), line, depth=1, foot=_at_foot(page, index, 1)), 1
    if text in page.plain and line.rank == 0 and len(text) <= 40 and line.number is not None and re.search(rf"[{HAN}A-Za-z]{{2}}", text):
        return Draft("heading", text, line, depth=plain_depth(text)), 1
    return None


def _large(page: Page, index: int) -> Found:
    """A heading in type of its own."""
    line, text = page.line(index), page.text(index)
    lettered = bool(re.search(rf"[{HAN}A-Za-z]{{2}}", text)) and not CAPTION.match(text)
    if line.rank == 0 or not lettered or page.kept[index] in page.figures:
        return None
    used, whole = 1, text
    while used < 4 and not _at_foot(page, index, used) and page.line(index + used).rank == line.rank and page.line(index + used).tight:
        whole = page.join(whole, page.text(index + used))
        used += 1
    chapter = text in page.plain or re.match(r"\d{1,2}\s+\D", text)
    depth = plain_depth(whole) if chapter else 3 - min(line.rank, 2)
    return Draft("heading", whole, line, depth=depth + 10 * page.outlined), used


def _on_top(page: Page, index: int) -> Found:
    """A short line of Han characters that opens a page above wide text."""
    line, text = page.line(index), page.text(index)
    opens_page = index > 0 and page.line(index - 1).page != line.page
    title_like = 2 <= len(text) <= 14 and page.kept[index] not in page.figures and bool(re.search(rf"[{HAN}]{{2}}", text))
    if not opens_page or not title_like or _at_foot(page, index, 1) or page.line(index + 1).tight:
        return None
    wide_below = page.widths[page.kept[index + 1]] > max(24, 2 * width(text))
    return (Draft("heading", text, line, depth=1), 1) if wide_below else None


def plain_depth(text: str) -> int:
    """Level of an unnumbered heading: "一、" and the like open a chapter, "（一）" a section, others a section too.

    >>> plain_depth("二、开放"), plain_depth("（一）开放")
    (1, 2)
    """
    return 1 if re.match(rf"{ORDINAL}\s?[、.．]|\d{{1,2}}\s+\D|第", text) or FRONT_MATTER_WORDS.match(text.rstrip(":： ")) else 2


def _wrapped(page: Page, index: int) -> tuple[str, int]:
    """A numbered heading with the lines on which it goes on, and how many lines those are.

    Tight lines go on; so does one short line without punctuation below a heading that fills its line or stops at a comma.
    """
    whole, used = page.text(index), 1
    while used < min(box_length(page, index), 3) and not heading_shape(page, index + used, True):
        whole = page.join(whole, page.text(index + used))
        used += 1
    line, local = page.line(index), page.measure(index)
    if used == 1 and index + 1 < len(page.kept) and (width(line.text) > 0.8 * local or whole.endswith(("，", "、", ","))):
        below, text = page.line(index + 1), page.text(index + 1)
        short = width(below.text) < 0.72 * local and not re.search(r"[。！？；：，、]$", text) and not BULLET.match(text)
        same_place = below.page == line.page and not below.paragraph and page.kept[index + 1] not in page.figures
        if short and same_place and not heading_shape(page, index + 1, True):
            return page.join(whole, text), 2
    return whole, used
