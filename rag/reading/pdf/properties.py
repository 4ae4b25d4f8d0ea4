"""What a PDF says of itself and of its order: title and author, the outline, and the numbers printed on its pages."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from rag.reading.cleanup import HAN, drop_control, page_number, undo_doubling, undo_spacing
from rag.reading.elements import Line
from rag.reading.pdf.runs import SetLine

MAX_OUTLINE = 5_000
_COVER_WORDS = re.compile(
    r"摘\s?要|目\s?录|abstract|(?:table of )?contents|united states|securities and exchange|form \d|washington|\(?mark one|commission file|"
    r"annual report pursuant|current report|\d+$|[\d/.\-]+$",
    re.I,
)


def properties_of(pdf) -> dict[str, str]:
    """Title and author in the file's properties where they read like such: no file name, no program's name, no mangled characters."""
    metadata = pdf.get_metadata_dict()
    title = drop_control(metadata.get("Title", "")).strip()
    return {"title": title if _reads_like_a_title(title) else "", "author": drop_control(metadata.get("Author", "")).strip()[:100]}


def _reads_like_a_title(title: str) -> bool:
    """Whether a title in a file's properties was written by a person.

    >>> _reads_like_a_title("The Harbour in 2031"), _reads_like_a_title("report_v3_final.docx"), _reads_like_a_title("ABC_2020_10K")
    (True, False, False)
    """
    generic = re.match(r"(?:Microsoft|untitled|无标题|幻灯片|slides?\b|document\d*$|powerpoint|about:blank)", title, re.I)
    if generic or not 4 <= len(title) <= 150 or re.search(r"\.(?:docx?|pptx?|xlsx?|indd|pdf|qxd|html?)\b|�", title, re.I):
        return False
    return not re.fullmatch(r"[\W\d_]+", title) and not (re.fullmatch(r"[A-Za-z0-9_.-]+", title) and re.search(r"\d|_", title))


def title_of(told: str, cover: str, text: str) -> str:
    """The title that the file's properties tell where the first pages bear it out, else that on the cover, else what is told all the same.

    >>> title_of("(anonymous)", "Trams in 2031", "Trams in 2031"), title_of("Trams in 2031: A Report", "Moving on", "Moving on. A report on trams in 2031")
    ('Trams in 2031', 'Trams in 2031: A Report')
    """
    words = _words(told)
    known = words & _words(text)
    borne_out = bool(words) and len(known) >= 0.6 * len(words)
    return told if told and (borne_out or not cover) else cover


def _words(text: str) -> set[str]:
    """Words, and pairs of Han characters."""
    lowered = unicodedata.normalize("NFKC", text).lower()
    pairs = {run[at : at + 2] for run in re.findall(rf"[{HAN}]{{2,}}", lowered) for at in range(len(run) - 1)}
    return pairs | set(re.findall(r"[^\W_]+", re.sub(rf"[{HAN}]", " ", lowered)))


def cover_title(first: Sequence[SetLine]) -> str:
    """The title of the largest type on the first page, with the lines of the same size below it; empty where no type stands out."""
    cover = [s for s in first if 2 <= len(s.line.text) <= 120 and re.search(rf"[{HAN}A-Za-z]{{2}}", s.line.text) and not s.line.kind]
    cover = [s for s in cover if not _COVER_WORDS.match(s.line.text)]
    if not cover:
        return ""
    body = median([s.height for s in first for _ in s.line.text])
    largest = max(cover, key=lambda s: (round(s.height, 1), s.bold))
    if largest.height < 1.15 * body and not largest.bold:
        return ""
    at, title = cover.index(largest), largest.line.text
    for s in cover[at + 1 : at + 3]:
        if not s.near or abs(s.height - largest.height) > 0.06 * largest.height or len(title) + len(s.line.text) > 100:
            break
        title += ("" if re.search(rf"[{HAN}]$", title) and re.match(rf"[{HAN}]", s.line.text) else " ") + s.line.text
    return undo_doubling(undo_spacing(title))


def outline_of(pdf, count: int) -> dict[int, list[tuple[str, int]]]:
    """page -> [(title, level from 1)] of the bookmarks; empty when there are fewer than three."""
    import pypdfium2

    found: dict[int, list[tuple[str, int]]] = {}
    total = 0
    try:
        for entry in pdf.get_toc(max_depth=8):
            destination = entry.get_dest()
            index = destination.get_index() if destination else None
            title = drop_control(entry.get_title()).strip()
            total += 1
            if total > MAX_OUTLINE:
                break
            if index is not None and 0 <= index < count and title:
                found.setdefault(index + 1, []).append((title, entry.level + 1))
    except (pypdfium2.PdfiumError, RecursionError, ValueError, OverflowError):
        return {}
    return found if total >= 3 else {}


def with_outline(lines: Sequence[Line], outline: dict[int, list[tuple[str, int]]]) -> list[Line]:
    """Lines that a bookmark names, put together where they are wrapped, with its level; unchanged when few bookmarks are found."""
    by_page: dict[int, list[int]] = {}
    for position, line in enumerate(lines):
        by_page.setdefault(line.number or 0, []).append(position)
    depth: dict[int, tuple[int, int, str]] = {}  # position -> (lines taken, level, title)
    wanted = 0
    for page, entries in outline.items():
        for title, level in entries:
            wanted += 1
            bare = _bare(title)
            for at, position in enumerate(by_page.get(page, ())):
                whole, used = "", 0
                for following in by_page[page][at : at + 4]:
                    whole, used = whole + _bare(lines[following].text), used + 1
                    if not bare.startswith(whole) or whole == bare:
                        break
                if whole == bare and bare and position not in depth:
                    depth[position] = used, level, title
                    break
    if len(depth) < max(3, 0.3 * wanted):
        return list(lines)
    result: list[Line] = []
    skip = 0
    for position, line in enumerate(lines):
        if skip:
            skip -= 1
        elif position in depth:
            used, level, title = depth[position]
            result.append(replace(line, text=title if used > 1 else line.text, depth=level, kind="", tight=False))
            skip = used - 1
        else:
            result.append(line)
    return result


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).lower()


def printed_labels(pdf, count: int) -> dict[int, str]:
    """page -> its label as the file numbers its pages; empty when it does not."""
    labels = {number: drop_control(pdf.get_page_label(number - 1) or "").strip()[:20] for number in range(1, count + 1)}
    labels = {number: label for number, label in labels.items() if label}
    return labels if any(label != str(number) for number, label in labels.items()) else {}


def labels_at_the_edge(pages: Sequence[Sequence[SetLine]]) -> dict[int, str]:
    """page -> the number printed at its top or foot, where most of them are as far from the count of pages."""
    printed: dict[int, list[int]] = {}
    for number, page in enumerate(pages, 1):
        edge = [*page[:2], *page[-2:]]
        printed[number] = [value for s in edge if (value := page_number(s.line.text)) is not None]
    distances = Counter(number - value for number, values in printed.items() for value in set(values))
    if not distances:
        return {}
    distance, times = distances.most_common(1)[0]
    if distance == 0 or times < max(3, 0.5 * sum(bool(values) for values in printed.values())):
        return {}
    return {number: str(number - distance) for number, values in printed.items() if number - distance in values}
