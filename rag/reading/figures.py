"""Which lines are labels of charts, and which are signatures: told by what is left of the layout."""

from __future__ import annotations

import re
from statistics import median

from rag.reading.cleanup import (
    BULLET,
    DOTTED,
    DOUBLED,
    HAN,
    JOB,
    NAME,
    SENTENCE_END,
    is_letter_spaced,
    known_label,
    width,
)
from rag.reading.drafts import Page, box_length
from rag.reading.headings import APPENDIX, COUNTED


def signatures_of(page: Page) -> dict[int, tuple[int, str, list[str]]]:
    """Position of a name -> (lines taken, name, job titles): a short name after a sentence, above boxes that end in a job title."""
    found: dict[int, tuple[int, str, list[str]]] = {}
    for index, position in enumerate(page.kept):
        if position in page.contents or not NAME.match(page.text(index)) or index + 1 >= len(page.kept):
            continue
        if index and not SENTENCE_END.search(page.text(index - 1)):
            continue
        jobs: list[str] = []
        at = index + 1
        while at < len(page.kept) and len(jobs) < 3:
            box = box_length(page, at)
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


def figure_lines(page: Page) -> set[int]:
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


def _is_narrow(page: Page, index: int, usual: float) -> bool:
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
    if DOTTED.match(text) or COUNTED.match(text) or APPENDIX.match(text) or _in_prose_box(page, index):
        return False
    short = width(raw) < 0.62 * usual and not re.search(r"[，。；！？、,]$|[。！？]", text)
    number = "" if page.spaced else r"\d"  # "有 4 个" is prose where the text sets such blanks
    labels = (
        bool(re.search(rf"(?<=[{HAN}{number}]) +(?=[{HAN}])| \| ", raw)) and not is_letter_spaced(raw) and not re.search(r"[。；]", raw)
    )
    labels = labels and (" | " in raw or "，" not in raw)
    return (short or labels or bool(DOUBLED.search(raw))) and not re.search(r"[.!?]$", text)


def _stops_figure(page: Page, first: int, index: int, narrow: bool) -> bool:
    """Whether a run of chart labels that began at `first` cannot reach over the line at `index`."""
    position, text = page.kept[index], page.text(index)
    if position in page.contents or text in page.titles or page.lines[position].page != page.line(first).page:
        return True
    if page.lines[position].kind or page.lines[position].depth:
        return True
    if DOTTED.match(text) or COUNTED.match(text) or APPENDIX.match(text) or page.lines[position].rank > 0:
        return True
    return not narrow and bool(re.search(r"[。！？；，]|[a-z], [a-z]|[.;]$", text)) and not DOUBLED.search(text)


def _in_prose_box(page: Page, index: int) -> bool:
    """Whether a line stands in a text box of three or more tight lines that holds a sentence."""
    start = index
    while start > 0 and page.line(start).tight:
        start -= 1
    box = [page.squeezed[p] for p in page.kept[start : start + box_length(page, start)]]
    return len(box) >= 3 and (any(re.search(r"[。！？]", text) for text in box) or sum(text.count("，") for text in box) >= 3)
