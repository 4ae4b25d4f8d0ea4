"""Lines -> pieces that read: paragraphs, items, figures and headings with their sections, all put together by `pieces_from_lines`.

Layout is told from what is left of it: widths, blank lines, open sentences. What it gave up: pages whose columns are interleaved inside a
sentence are put right only where the layout leaves a trace.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median

from rag.reading.cleanup import (
    BULLET,
    DOTTED,
    DOUBLED,
    FRONT_MATTER_WORDS,
    HAN,
    JOB,
    LABEL_ALONE,
    NAME,
    ORDINAL,
    RUNNING_TITLE,
    SENTENCE_END,
    contents_lines,
    dotted_number,
    is_letter_spaced,
    join_lines,
    known_label,
    running_heads,
    running_titles,
    titles_in_contents,
    undo_doubling,
    undo_spacing,
    width,
)
from rag.reading.drafts import Draft, attribute
from rag.reading.elements import Line, Piece
from rag.reading.profiles import gathered, labels_of

_COUNTED = re.compile(r"^(\d{1,2})\)\s*(?=\S)")
_CHAPTER = re.compile(rf"^(?:第{ORDINAL}[章篇部]分?|Chapter\s+\d+|Part\s+[IVX\d]+)(?:\s|：|:|$)")
_APPENDIX = re.compile(r"^(?:附录|Appendix)\s?[A-Z一二三四五六七八九十\d]?(?:\s?[：:.、]\s?|\s+|$)", re.I)
_CAPTION = re.compile(r"^(?:图表?|表|Figure|Fig\.|Table|Exhibit)\s*\d+(?:[-.]\d+)?\s*[:：.、\s]", re.I)
_ABBREVIATION_HEAD = re.compile(r"缩略语|缩写|简称|abbreviation|acronym", re.I)
_NUMBERED = re.compile(r"^\d{1,2}[.、]\s*(?=[^\d\s])|^[（(]\d{1,2}[)）]\s*(?=\S)|^\d{1,2}[)）]\s*(?=\S)|^[①-⑳]")
_NOTE_MARK = re.compile(r"^(?:\d{1,3}|[*†‡§①-⑳]|\[\d{1,3}\]|\(\d{1,3}\)|注\s?\d*[：:])\s?(?=\S)")
_LEAD_IN = re.compile(rf"^[{HAN}A-Za-z0-9 （）()/+-]{{3,24}}：(?=\S)")


# ------------------------------------------------------------------------------------------------------------ from lines to pieces


def pieces_from_lines(lines: Sequence[Line]) -> list[Piece]:
    """All repairs, in order: heads and page numbers out, contents marked, headings found, lines joined to paragraphs, sections given."""
    contents = contents_lines(lines)
    squeezed = [undo_doubling(undo_spacing(line.text)) for line in lines]
    numbered, plain = titles_in_contents(lines[position].text for position in sorted(contents))
    chapter_numbers = {at for at in range(1, len(lines)) if re.fullmatch(r"0?\d{1,2}", squeezed[at]) and squeezed[at - 1] in plain}
    titles, groups = running_titles([line.text for position, line in enumerate(lines) if position not in contents])
    labels = labels_of(squeezed, titles)
    dropped = running_heads(lines, labels) - contents - chapter_numbers
    repeated = {text for text, count in Counter(squeezed).items() if count >= 4} & {squeezed[position] for position in dropped}
    for position, text in enumerate(squeezed):
        match = RUNNING_TITLE.match(lines[position].text)
        known = (match and match["title"] in titles) or (titles and (LABEL_ALONE.match(text) or text in groups))
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
        labels,
        _is_spaced(squeezed),
        [width(line.text) for line in lines],
    )
    page.ranked, page.outlined = any(line.rank for line in lines), any(line.depth for line in lines)
    page.figures = _figure_lines(page)
    page.signatures = _signatures(page)
    drafts = _drafts(page)
    drafts = _headings_in_place(drafts)
    if labels:
        drafts = gathered(drafts, set(titles.values()))
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
    labels: Mapping[str, str]
    """Of a report made of labelled parts (`rag.reading.profiles`)."""
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


def _joiner(texts: Sequence[str]) -> Callable[[str, str], str]:
    """`join_lines` as this text wants it: with its own hyphenated words, and its own habit of blanks beside Latin letters."""
    whole = "\n".join(texts)
    compounds = frozenset(word.lower() for word in re.findall(r"(?<![A-Za-z])[A-Za-z]+-[A-Za-z]+", whole))
    sure = re.sub(r"[A-Za-z]+[-\u2010]\n[A-Za-z]+", " ", whole)  # halves of words are no words
    words = frozenset(word.lower() for word in re.findall(r"(?<![A-Za-z-])[A-Za-z]{4,}(?![A-Za-z-])", sure))
    return partial(join_lines, compounds=compounds, spaced=_is_spaced(texts), words=words)


def _is_spaced(texts: Sequence[str]) -> bool:
    """Whether a text sets a blank between Han and Latin letters or digits more often than not."""
    whole = "\n".join(texts)
    return len(re.findall(rf"[{HAN}] [A-Za-z0-9]", whole)) > len(re.findall(rf"[{HAN}][A-Za-z0-9]", whole))


def _glued_label(text: str, labels: Mapping[str, str]) -> re.Match[str] | None:
    """A label set before the first words of its paragraph, on one line with them."""
    match = re.match(r"^(\S{2,6}) +(?=\S)", text)
    return match if match and match[1] in labels else None


def _drafts(page: _Page) -> list[Draft]:
    """One pass over the lines that stay, from the top: each stretch becomes a draft."""
    drafts: list[Draft] = []
    abbreviations = False
    index = 0
    while index < len(page.kept):
        position, line = page.kept[index], page.line(index)
        whole = undo_doubling(re.sub(r"\s+", " ", line.text))
        if line.kind == "row":
            drafts.append(Draft("row", whole, line))
            index += 1
            continue
        if line.kind == "comment":
            drafts.append(Draft("prose", whole, line, boxed=True))
            index += 1
            continue
        if line.kind == "note":
            index = _note(page, index, drafts)
            continue
        heading = None if position in page.contents else _heading(page, index, drafts)
        if position in page.contents:
            drafts.append(Draft("contents", re.sub(r"(?:[.．…·]\s?){4,}", " … ", whole).strip(), line))
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
            drafts.append(Draft("prose", signed, line, speaker=signed, signature=True))
            index += used
        elif position in page.figures or _CAPTION.match(page.squeezed[position]):
            if position in page.figures and drafts and drafts[-1].kind == "figure" and page.kept[index - 1] in page.figures:
                drafts[-1].text += "\n" + whole
            else:
                drafts.append(Draft("figure", whole, line))
            index += 1
        else:
            text = page.squeezed[position]
            glued = _glued_label(line.text, page.labels)
            if glued:
                drafts.append(Draft("heading", glued[1], line, role=page.labels[glued[1]]))
                text = undo_spacing(line.text[glued.end() :])
            index = _paragraph(page, index, text, drafts)
    return drafts


def _note(page: _Page, index: int, drafts: list[Draft]) -> int:
    """Read one footnote and return the index behind it; it is set apart, so that the paragraph above it can go on on the next page."""
    draft = Draft("prose", page.text(index), page.line(index), boxed=True)
    drafts.append(draft)
    at = index + 1
    while at < len(page.kept) and page.line(at).kind == "note" and page.line(at).page == draft.line.page:
        if _NOTE_MARK.match(page.text(at)):
            break
        draft.text = page.join(draft.text, page.text(at))
        at += 1
    return at


def _abbreviation(page: _Page, index: int, drafts: list[Draft]) -> None:
    """Add a line to a list of abbreviations: a new row where a term begins and the row before is whole, else more of that row."""
    text, whole = page.text(index), re.sub(r"\s+", " ", page.line(index).text)
    if _ABBREVIATION_HEAD.search(text) and not re.match(r"[A-Za-z]", text):
        drafts.append(Draft("row", whole, page.line(index)))
        return
    before = drafts[-1] if drafts and drafts[-1].kind == "abbreviation" else None
    finished = before is None or bool(re.search(rf"[{HAN}]", before.text))
    if before is not None and not (finished and re.match(r"[A-Za-z0-9]", text)):
        before.text = page.join(before.text, text)
    else:
        drafts.append(Draft("abbreviation", whole, page.line(index)))


def _paragraph(page: _Page, index: int, text: str, drafts: list[Draft]) -> int:
    """Read one paragraph or list item from `index` on and return the index behind it; an open paragraph is continued."""
    capital = _drop_capital(page, index)
    bullet, numbered = BULLET.match(text), _NUMBERED.match(text)
    boxed = _box_length(page, index) >= 3 and not bullet and not capital
    held = None if bullet or capital else _open_paragraph(drafts)
    if held is not None and boxed and not _same_shape(page, index, held.measure):
        held = None
    if held is not None:
        held.add(page.join(held.text, text), text, page.line(index))
        draft = held
    else:
        is_item = bool(bullet) or bool(numbered)
        draft = Draft("item" if is_item else "prose", text[bullet.end() :] if bullet else text, page.line(index))
        draft.drop_capital, draft.boxed = capital, boxed
        drafts.append(draft)
    at = index
    while at + 1 < len(page.kept) and not _paragraph_ends(page, index, at, draft):
        at += 1
        draft.add(page.join(draft.text, page.text(at)), page.text(at), page.line(at))
    if at + 1 >= len(page.kept):
        draft.is_open = False
    return at + 1


def _open_paragraph(drafts: list[Draft]) -> Draft | None:
    """The last paragraph, when it stops inside a sentence and no heading stands behind it; boxes and figures in between do not count."""
    for draft in reversed(drafts[-12:]):
        if draft.kind in ("prose", "item") and not draft.boxed and not draft.signature:
            return draft if draft.is_open else None
        if draft.kind == "heading" and not draft.role:
            return None
    return None


def _paragraph_ends(page: _Page, first: int, at: int, draft: Draft) -> bool:
    """Whether the paragraph that began at `first` ends with line `at`; notes in the draft whether it stops inside a sentence."""
    text, wide, local = page.text(at), page.widths[page.kept[at]], page.measure(at)
    if page.line(at + 1).kind:
        ends = bool(SENTENCE_END.search(text))
        draft.is_open = not ends and not text.endswith(("：", ":"))
        return True
    below, line_below, text_below, wide_below = page.kept[at + 1], page.line(at + 1), page.text(at + 1), page.widths[page.kept[at + 1]]
    own = [page.widths[p] for p in page.kept[max(first + 1, at - 40) : at + 1]]
    ends = bool(SENTENCE_END.search(text))
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
        indented = len(own) >= 2 and wide_below <= min(local, max(own)) - 3 and not SENTENCE_END.search(text_below)
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
    if BULLET.match(text_below) or text_below in page.titles or text_below in page.labels or _heading_shape(page, at + 1, ends):
        return True
    return ends and bool(
        _drop_capital(page, at + 1)
        or text_below in page.plain
        or _LEAD_IN.match(text_below)
        or _NUMBERED.match(text_below)
        or _glued_label(line_below.text, page.labels)
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
    dotted = DOTTED.match(text)
    if dotted and _is_dotted_heading(page, text, dotted, after_sentence):
        return True
    if _COUNTED.match(text) and after_sentence and not (page.ranked and page.line(index).rank == 0):
        return True
    return len(text) <= 40 and bool(_CHAPTER.match(text) or _APPENDIX.match(text))


def _is_dotted_heading(page: _Page, text: str, dotted: re.Match[str], after_sentence: bool) -> bool:
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


def _heading(page: _Page, index: int, drafts: list[Draft]) -> tuple[Draft, int] | None:
    """The heading that starts at `index` and how many lines it takes, or None."""
    line, text = page.line(index), page.text(index)
    after_sentence = not drafts or not drafts[-1].is_open
    if line.depth:
        return Draft("heading", text, line, depth=line.depth), 1

    def at_foot(used: int) -> bool:
        return index + used >= len(page.kept) or page.line(index + used).page != line.page

    if text in page.titles:
        return Draft("heading", page.titles[text], line, depth=1), 1
    if text in page.labels:
        return Draft("heading", text, line, role=page.labels[text]), 1
    dotted = DOTTED.match(text)
    if dotted and _is_dotted_heading(page, text, dotted, after_sentence):
        whole, used = _wrapped(page, index)
        number = dotted_number(dotted)
        if not at_foot(used):
            page.counted = 0
        words = whole[DOTTED.match(whole).end() :]
        return Draft("heading", f"{number} {words}", line, depth=number.count(".") + 1 + 10 * page.outlined, foot=at_foot(used)), used
    counted = _COUNTED.match(text)
    if counted and after_sentence and not (page.ranked and line.rank == 0) and int(counted[1]) in (1, page.counted + 1):
        whole, used = _wrapped(page, index)
        if not re.search(r"[。；]", whole) and len(whole) <= 80:
            page.counted = int(counted[1])
            return Draft("heading", f"{counted[1]}) {whole[_COUNTED.match(whole).end() :]}", line, depth=-1), used
    large = line.rank > 0 and (after_sentence or line.rank > 1 or line.paragraph)
    if width(text) > (160 if large else 120) or not (after_sentence or large) or re.search(r"[。，；！？,;]$", text):
        return None
    if not large and len(text) > 60:
        return None
    if text in page.plain and not at_foot(1) and re.fullmatch(r"0?\d{1,2}", page.text(index + 1)):
        return Draft("heading", f"{int(page.text(index + 1))} {text}", line, depth=1, foot=at_foot(2)), 2
    if _CHAPTER.match(text) or _APPENDIX.match(text):
        whole, used = _wrapped(page, index)
        return Draft("heading", whole, line, depth=1, foot=at_foot(used)), used
    words = line.text.split()
    if words and all(FRONT_MATTER_WORDS.match(word) for word in words):
        return Draft("heading", " ".join(words), line, depth=1, foot=at_foot(1)), 1
    if text in page.plain and line.rank == 0 and len(text) <= 40 and line.number is not None and re.search(rf"[{HAN}A-Za-z]{{2}}", text):
        return Draft("heading", text, line, depth=_plain_depth(text)), 1
    lettered = bool(re.search(rf"[{HAN}A-Za-z]{{2}}", text)) and not _CAPTION.match(text)
    if line.rank > 0 and lettered and page.kept[index] not in page.figures:
        used, whole = 1, text
        while used < 4 and not at_foot(used) and page.line(index + used).rank == line.rank and page.line(index + used).tight:
            whole = page.join(whole, page.text(index + used))
            used += 1
        chapter = text in page.plain or re.match(r"\d{1,2}\s+\D", text)
        depth = _plain_depth(whole) if chapter else 3 - min(line.rank, 2)
        return Draft("heading", whole, line, depth=depth + 10 * page.outlined), used
    opens_page = index > 0 and page.line(index - 1).page != line.page
    title_like = 2 <= len(text) <= 14 and page.kept[index] not in page.figures and bool(re.search(rf"[{HAN}]{{2}}", text))
    body_below = not at_foot(1) and not page.line(index + 1).tight and page.widths[page.kept[index + 1]] > max(24, 2 * width(text))
    if opens_page and title_like and body_below:
        return Draft("heading", text, line, depth=1), 1
    return None


def _plain_depth(text: str) -> int:
    """Level of an unnumbered heading: "一、" and the like open a chapter, "（一）" a section, others a section too.

    >>> _plain_depth("二、开放"), _plain_depth("（一）开放")
    (1, 2)
    """
    return 1 if re.match(rf"{ORDINAL}\s?[、.．]|\d{{1,2}}\s+\D|第", text) or FRONT_MATTER_WORDS.match(text.rstrip(":： ")) else 2


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
        short = width(below.text) < 0.72 * local and not re.search(r"[。！？；：，、]$", text) and not BULLET.match(text)
        same_place = below.page == line.page and not below.paragraph and page.kept[index + 1] not in page.figures
        if short and same_place and not _heading_shape(page, index + 1, True):
            return page.join(whole, text), 2
    return whole, used


def _signatures(page: _Page) -> dict[int, tuple[int, str, list[str]]]:
    """Position of a name -> (lines taken, name, job titles): a short name after a sentence, above boxes that end in a job title."""
    found: dict[int, tuple[int, str, list[str]]] = {}
    for index, position in enumerate(page.kept):
        if position in page.contents or not NAME.match(page.text(index)) or index + 1 >= len(page.kept):
            continue
        if index and not SENTENCE_END.search(page.text(index - 1)):
            continue
        at, jobs = index + 1, []
        while at < len(page.kept) and len(jobs) < 3:
            box = _box_length(page, at)
            job = ""
            for text in (page.text(at + step) for step in range(min(box, 4))):
                job = f"{job} {text}" if JOB.search(job) and not job.endswith(("，", ",", "、")) else page.join(job, text)
            if box > 4 or len(job) > 50 or not JOB.search(job) or re.search(r"[。！？；]", job):
                break
            jobs.append(job)
            at += box
        if jobs:
            found[position] = (at - index, page.text(index), jobs)
    return found


def _figure_lines(page: _Page) -> set[int]:
    """Positions of chart debris: runs of three or more narrow lines without punctuation, and the label lines between them."""
    body = [page.widths[p] for p in page.kept if re.search(r"[，。]|[a-z]{3}.* [a-z]{3}", page.lines[p].text[:400])]
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
        signed = count <= 4 and any(NAME.match(page.squeezed[p]) for p in run) and any(JOB.search(page.squeezed[p]) for p in run)
        if count >= 3 and not signed and not all(BULLET.match(page.squeezed[p]) for p in run):
            found.update(run)
        index = end
    return found


def _is_narrow(page: _Page, index: int, usual: float) -> bool:
    """Whether a line looks like a label of a chart: short and unpunctuated, or labels side by side, or every glyph printed twice."""
    position, text, raw = page.kept[index], page.text(index), page.line(index).text
    if page.line(index).kind or page.line(index).depth:
        return False
    if (
        position in page.contents
        or text in page.titles
        or text in page.plain
        or known_label(text)
        or text in page.labels
        or page.line(index).rank > 0
    ):
        return False
    if DOTTED.match(text) or _COUNTED.match(text) or _APPENDIX.match(text) or _in_prose_box(page, index):
        return False
    short = width(raw) < 0.62 * usual and not re.search(r"[，。；！？、,]$|[。！？]", text)
    number = "" if page.spaced else r"\d"  # "有 4 个" is prose where the text sets such blanks
    labels = (
        bool(re.search(rf"(?<=[{HAN}{number}]) +(?=[{HAN}])| \| ", raw)) and not is_letter_spaced(raw) and not re.search(r"[。；]", raw)
    )
    labels = labels and (" | " in raw or "，" not in raw)
    return (short or labels or bool(DOUBLED.search(raw))) and not re.search(r"[.!?]$", text)


def _stops_figure(page: _Page, first: int, index: int, narrow: bool) -> bool:
    """Whether a run of chart labels that began at `first` cannot reach over the line at `index`."""
    position, text = page.kept[index], page.text(index)
    if position in page.contents or text in page.titles or page.lines[position].page != page.line(first).page:
        return True
    if page.lines[position].kind or page.lines[position].depth:
        return True
    if DOTTED.match(text) or _COUNTED.match(text) or _APPENDIX.match(text) or page.lines[position].rank > 0:
        return True
    return not narrow and bool(re.search(r"[。！？；，]|[a-z], [a-z]|[.;]$", text)) and not DOUBLED.search(text)


def _in_prose_box(page: _Page, index: int) -> bool:
    """Whether a line stands in a text box of three or more tight lines that holds a sentence."""
    start = index
    while start > 0 and page.line(start).tight:
        start -= 1
    box = [page.squeezed[p] for p in page.kept[start : start + _box_length(page, start)]]
    return len(box) >= 3 and (any(re.search(r"[。！？]", text) for text in box) or sum(text.count("，") for text in box) >= 3)


# ------------------------------------------------------------------------------------------------------------------- order and sections


def _headings_in_place(drafts: list[Draft]) -> list[Draft]:
    """A heading that is the last thing on its page was set at its top: move it behind the parent on that page, else to the page's start."""
    placed: list[Draft] = []
    for draft in drafts:
        if not (draft.kind == "heading" and draft.foot and draft.depth > 0):
            placed.append(draft)
            continue
        words = draft.text.split()
        signed = [at for at, other in enumerate(placed) if other.signature and other.line.page == draft.line.page]
        if len(words) > 1 and len(words) == len(signed) and all(FRONT_MATTER_WORDS.match(word) for word in words):
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


def _sections(drafts: list[Draft]) -> list[Piece]:
    """Section paths from the levels of the headings."""
    attribute(drafts)
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
