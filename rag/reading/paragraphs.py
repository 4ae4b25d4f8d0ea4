"""Lines -> pieces that read: paragraphs, items, figures and headings with their sections, all put together by `pieces_from_lines`.

Layout is told from what is left of it: widths, blank lines, open sentences. What it gave up: pages whose columns are interleaved inside a
sentence are put right only where the layout leaves a trace.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median

from rag.reading.cleanup import (
    BULLET,
    FRONT_MATTER_WORDS,
    HAN,
    LABEL_ALONE,
    RUNNING_TITLE,
    SENTENCE_END,
    contents_lines,
    is_letter_spaced,
    join_lines,
    running_heads,
    running_titles,
    titles_in_contents,
    undo_doubling,
    undo_spacing,
    width,
)
from rag.reading.drafts import Draft, Page, attribute, box_length
from rag.reading.elements import Line, Piece
from rag.reading.figures import figure_lines, signatures_of
from rag.reading.headings import CAPTION, heading, heading_shape
from rag.reading.profiles import gathered, labels_of

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
    page = Page(
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
    page.figures = figure_lines(page)
    page.signatures = signatures_of(page)
    drafts = _drafts(page)
    drafts = _headings_in_place(drafts)
    if labels:
        drafts = gathered(drafts, set(titles.values()))
    return _sections(drafts)


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


def _drafts(page: Page) -> list[Draft]:
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
        found = None if position in page.contents else heading(page, index, drafts)
        if position in page.contents:
            drafts.append(Draft("contents", re.sub(r"(?:[.．…·]\s?){4,}", " … ", whole).strip(), line))
            index += 1
        elif found is not None:
            drafts.append(found[0])
            if not found[0].role:
                abbreviations = bool(_ABBREVIATION_HEAD.search(found[0].text))
            index += found[1]
        elif abbreviations and position not in page.signatures:
            _abbreviation(page, index, drafts)
            index += 1
        elif position in page.signatures:
            used, name, jobs = page.signatures[position]
            signed = " ".join([name, *jobs])
            drafts.append(Draft("prose", signed, line, speaker=signed, signature=True))
            index += used
        elif position in page.figures or CAPTION.match(page.squeezed[position]):
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


def _note(page: Page, index: int, drafts: list[Draft]) -> int:
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


def _abbreviation(page: Page, index: int, drafts: list[Draft]) -> None:
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


def _paragraph(page: Page, index: int, text: str, drafts: list[Draft]) -> int:
    """Read one paragraph or list item from `index` on and return the index behind it; an open paragraph is continued."""
    capital = _drop_capital(page, index)
    bullet, numbered = BULLET.match(text), _NUMBERED.match(text)
    boxed = box_length(page, index) >= 3 and not bullet and not capital
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


def _paragraph_ends(page: Page, first: int, at: int, draft: Draft) -> bool:
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
    box_below = not line_below.tight and box_length(page, at + 1) >= 3
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
    if below in page.contents or below in page.figures or below in page.signatures or CAPTION.match(text_below):
        return True
    if BULLET.match(text_below) or text_below in page.titles or text_below in page.labels or heading_shape(page, at + 1, ends):
        return True
    return ends and bool(
        _drop_capital(page, at + 1)
        or text_below in page.plain
        or _LEAD_IN.match(text_below)
        or _NUMBERED.match(text_below)
        or _glued_label(line_below.text, page.labels)
        or (line_below.rank > 0 and line_below.rank != page.line(at).rank)
    )


def _same_shape(page: Page, index: int, measure: float) -> bool:
    """Whether the box at `index` is set as wide as an open paragraph, so that it can go on with it."""
    box = [page.widths[p] for p in page.kept[index : index + box_length(page, index)]]
    return 0.8 * measure < median(box) < 1.25 * measure


def _drop_capital(page: Page, index: int) -> bool:
    """Whether a paragraph opens here with a drop capital: a lone Han character above, or parted by a blank from, a line of text."""
    if page.kept[index] in page.figures:
        return False
    text = page.line(index).text
    if re.fullmatch(rf"[{HAN}]", text):
        return index + 1 < len(page.kept) and width(page.line(index + 1).text) >= 16 and page.kept[index + 1] not in page.figures
    return bool(re.match(rf"^[{HAN}] [{HAN}]{{2}}", text)) and not is_letter_spaced(text)


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
