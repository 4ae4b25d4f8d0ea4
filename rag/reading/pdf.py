"""A PDF -> pieces: PDFium's characters become runs, `rag.reading.pdf_layout` lines of them, `rag.reading.paragraphs` pieces; headings by type and bookmarks.

pypdf reads what PDFium cannot. What it gave up: text drawn as an image (but see `rag.reading.formats.ocr`), and right-to-left scripts.
"""

from __future__ import annotations

import ctypes
import math
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from rag.errors import UnreadableFile
from rag.reading.cleanup import HAN, drop_control, looks_garbled, page_number, undo_doubling, undo_spacing
from rag.reading.elements import Content, Line
from rag.reading.paragraphs import pieces_from_lines
from rag.reading.pdf_layout import DIGITS, RAISED, RAISED_DIGITS, Run, SetLine, laid_out, lines_of_runs, usual_gutter

MAX_PAGES = 5_000
MAX_CHARACTERS = 100_000
"""On one page."""
MAX_OUTLINE = 5_000
SAMPLED_PAGES, SAMPLED_EVERY = 24, 20
"""About so many pages, and one in so many of their characters, tell which fonts a file is set in."""
HEAVIEST = 1000
"""Of the weights that fonts can have."""
_BOLD_NAME = re.compile(rb"bold|black|heavy|SimHei|STHei", re.IGNORECASE)

NO_TEXT = "no text: empty or images only"
"""In a document's notes, behind the pages of which that is true."""
_HOW_TO_RECOGNISE = "install tesseract (Debian: tesseract-ocr and tesseract-ocr-chi-sim) and index it with --ocr"
_ONE_AT_A_TIME = threading.Lock()  # PDFium must never run in two threads at once
_COVER_WORDS = re.compile(
    r"摘\s?要|目\s?录|abstract|(?:table of )?contents|united states|securities and exchange|form \d|washington|\(?mark one|commission file|"
    r"annual report pursuant|current report|\d+$|[\d/.\-]+$",
    re.I,
)


def read_pdf(
    path: Path,
    data: bytes,
    watch: Callable[[int], None] = lambda page: None,
    by_hand: Collection[int] = (),
    lost: Collection[int] = (),
    recognise: bool = False,
) -> Content:
    """All pages of a PDF. `watch` is told each page (from 1) before it is read, and 0 before the file is opened.

    Pages of `by_hand` are read by pypdf (0: the whole file), those of `lost` are left out: a reader died on them before. With `recognise`
    pages without readable text are read by `rag.reading.formats.ocr`.
    Raises UnreadableFile for a file that is locked, damaged, or has no readable text.
    """
    watch(0)
    if 0 in by_hand:
        return _content(path, *_all_by_hand(path, data, watch, lost))
    with _ONE_AT_A_TIME:
        return _read(path, data, watch, by_hand, lost, recognise)


def _read(
    path: Path, data: bytes, watch: Callable[[int], None], by_hand: Collection[int], lost: Collection[int], recognise: bool
) -> Content:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnreadableFile(path, "locked with a password; save an open copy") from error
        try:
            return _content(path, *_all_by_hand(path, data, watch, lost))
        except UnreadableFile:
            raise UnreadableFile(path, "not a readable PDF (damaged or incomplete); save it again") from error
    try:
        count = len(pdf)
        plain = _plain_font(pdf, watch, {*lost, *by_hand})
        pages: list[list[SetLine]] = []
        gutters: dict[int, float] = {}
        cut: list[int] = []
        failed: list[int] = [page for page in sorted(lost) if 0 < page <= count]
        for page in range(1, min(count, MAX_PAGES) + 1):
            watch(page)
            lines: list[SetLine] = []
            try:
                if page in by_hand and page not in lost:
                    lines = _page_by_hand(data, page)
                elif page not in lost:
                    lines, gutter, whole = _page(pdf, page, plain)
                    if not whole:
                        cut.append(page)
                    if gutter is not None:
                        gutters[page] = gutter
            except (pypdfium2.PdfiumError, _HandFailed):
                failed.append(page)
            pages.append(lines)
        usual = usual_gutter(gutters, pages)
        if usual is not None:  # pages that are mostly a table or a figure show it too faintly to be found by itself
            for page in range(1, len(pages) + 1):
                if page not in gutters and page not in by_hand and page not in lost and page not in failed and pages[page - 1]:
                    watch(page)
                    pages[page - 1] = _page(pdf, page, plain, usual)[0]
        seen = _recognised(pdf, pages, watch, lost) if recognise else None
        for page, lines in (seen or {}).items():
            pages[page - 1] = lines
        watch(0)
        outline, labels = _outline(pdf, min(count, MAX_PAGES)), _printed_labels(pdf, count)
        return _content(path, pages, count, _properties(pdf), outline, labels, failed, seen, cut)
    finally:
        pdf.close()


def _recognised(pdf, pages: Sequence[Sequence[SetLine]], watch: Callable[[int], None], lost: Collection[int]) -> dict[int, list[SetLine]]:
    """page -> what text recognition sees on the pages without readable text; those on which it sees nothing are left out."""
    from rag.reading.formats.ocr import RecognitionFailed, recognised

    whole = looks_garbled("\n".join(s.line.text for lines in pages for s in lines))
    seen: dict[int, list[SetLine]] = {}
    for page, lines in enumerate(pages, 1):
        readable = any(re.search(r"\w", s.line.text) for s in lines) and not _is_garbled(lines) and not whole
        if readable or page in lost:
            continue
        watch(page)
        try:
            found = lines_of_runs(recognised(pdf, page), page)
        except RecognitionFailed:
            continue
        if found:
            seen[page] = found
    return seen


# -------------------------------------------------------------------------------------------------------------- the whole document


def _content(
    path: Path,
    pages: Sequence[Sequence[SetLine]],
    count: int,
    properties: dict[str, str],
    outline: dict[int, list[tuple[str, int]]],
    labels: dict[int, str],
    failed: Sequence[int],
    seen: Collection[int] | None = None,
    cut: Sequence[int] = (),
) -> Content:
    """Pages put together; what is wrong with some of them becomes a note, what is wrong with all of them an UnreadableFile."""
    garbled = [number for number, lines in enumerate(pages, 1) if _is_garbled(lines)]
    wordless = [number for number, lines in enumerate(pages, 1) if not any(re.search(r"\w", s.line.text) for s in lines)]
    empty = [number for number in wordless if number not in failed and number not in garbled]
    text = "\n".join(s.line.text for number, lines in enumerate(pages, 1) if number not in garbled for s in lines)
    if len(garbled) + len(failed) + len(empty) == len(pages) or looks_garbled(text):
        if garbled or looks_garbled(text):
            raise UnreadableFile(path, f"its fonts give no readable characters (broken font map): print it anew, or {_HOW_TO_RECOGNISE}")
        if failed:
            raise UnreadableFile(path, "not a readable PDF (damaged or incomplete); save it again")
        raise UnreadableFile(
            path,
            f"page images only, {_counted(count, 'page')}"
            + (f": {_HOW_TO_RECOGNISE}" if seen is None else " in which nothing can be recognised"),
        )
    kept = [[] if number in garbled else list(lines) for number, lines in enumerate(pages, 1)]
    lines = _ranked(kept)
    if outline:
        lines = _with_outline(lines, outline)
    notes = []
    if count > len(pages):
        notes.append(f"cut off after {len(pages)} of {count} pages")
    for numbers, what in (
        (failed, "cannot be read"),
        (empty, NO_TEXT if seen is None else "empty, or images in which nothing can be recognised"),
        (garbled, "unreadable characters (broken font map), left out"),
        (cut, f"cut off after {MAX_CHARACTERS} characters"),
        (seen or (), "read by text recognition, so letters and figures may be wrong"),
    ):
        if numbers:
            notes.append(f"{_listed(numbers)}: {what}")
    first = next((page for page in kept if page), [])
    number = first[0].line.page if first else 0
    opening = "\n".join(line.text for line in lines if line.page <= number + 1)[:6000]
    title = properties.get("title", "") or _cover_title(first, path)
    labels = labels or _labels_at_the_edge(kept)
    return Content(
        pieces_from_lines(lines),
        title,
        opening=opening,
        ending="\n".join(line.text for line in lines[-60:])[-3000:],
        page_count=count,
        notes=tuple(notes),
        labels=tuple(sorted((page, label) for page, label in labels.items() if label != str(page))),
        author=properties.get("author", ""),
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _listed(numbers: Sequence[int]) -> str:
    """Numbers of pages for people, neighbours put together.

    >>> _listed([1, 2, 3, 7])
    'pages 1-3, 7'
    """
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    shown = [f"{first}-{last}" if last > first else f"{first}" for first, last in spans[:20]]
    return f"page{'s' * (len(set(numbers)) > 1)} {', '.join(shown)}{' …' * (len(spans) > 20)}"


def _is_garbled(lines: Sequence[SetLine]) -> bool:
    """Whether more than three tenths of a page's characters have no meaning."""
    return sum(s.odd for s in lines) > 0.3 * sum(len(s.line.text) + s.odd for s in lines)


def _ranked(pages: Sequence[Sequence[SetLine]]) -> list[Line]:
    """Lines of all pages with the rank of their type: larger than the body of the document, or bold where the body is not."""
    heights = [s.height for page in pages for s in page for _ in range(0, len(s.line.text), 8) if not s.line.kind]
    body = median(heights) if heights else 10.0
    characters = sum(len(s.line.text) for page in pages for s in page) or 1
    bold_marks = sum(len(s.line.text) for page in pages for s in page if s.bold) < 0.25 * characters
    lines: list[Line] = []
    for page in pages:
        sizes = [s.height for s in page for _ in range(0, len(s.line.text), 8)]
        own = max(body, median(sizes)) if sizes else body  # a slide's body is larger than a page's
        large = sum(len(s.line.text) for s in page if s.height > 1.25 * own) > 0.3 * sum(len(s.line.text) for s in page) and len(page) > 12
        before = None
        for s in page:
            rank = 0
            if not s.line.kind and not large:
                rank = 2 if s.height > 1.6 * own else 1 if s.height > 1.22 * own else 0
                if rank == 0 and s.bold and bold_marks and _is_bold_heading(s.line.text):
                    rank = 1
            alike = before is not None and abs(s.height - before.height) < 0.15 * s.height and s.bold == before.bold
            tight = s.near and rank > 0 and alike
            lines.append(replace(s.line, rank=rank, tight=tight))
            before = s
    return lines


def _is_bold_heading(text: str) -> bool:
    return (
        2 < len(text) <= 100
        and not re.search(r"[,;，；。]$|^[\d\W]+$|^(?:图|表|Fig|Table)\b", text)
        and not text.endswith((".", "：", ":"))
    )


# ----------------------------------------------------------------------------------------------------- titles, outlines, page labels


def _properties(pdf) -> dict[str, str]:
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


def _cover_title(first: Sequence[SetLine], path: Path) -> str:
    """The title of the largest type on the first page, with the lines of the same size below it."""
    cover = [s for s in first if 2 <= len(s.line.text) <= 120 and re.search(rf"[{HAN}A-Za-z]{{2}}", s.line.text) and not s.line.kind]
    cover = [s for s in cover if not _COVER_WORDS.match(s.line.text)]
    if not cover:
        return path.stem
    body = median([s.height for s in first for _ in s.line.text])
    largest = max(cover, key=lambda s: (round(s.height, 1), s.bold))
    if largest.height < 1.15 * body and not largest.bold:
        return path.stem
    at, title = cover.index(largest), largest.line.text
    for s in cover[at + 1 : at + 3]:
        if not s.near or abs(s.height - largest.height) > 0.06 * largest.height or len(title) + len(s.line.text) > 100:
            break
        title += ("" if re.search(rf"[{HAN}]$", title) and re.match(rf"[{HAN}]", s.line.text) else " ") + s.line.text
    return undo_doubling(undo_spacing(title))


def _outline(pdf, count: int) -> dict[int, list[tuple[str, int]]]:
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


def _with_outline(lines: Sequence[Line], outline: dict[int, list[tuple[str, int]]]) -> list[Line]:
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


def _printed_labels(pdf, count: int) -> dict[int, str]:
    """page -> its label as the file numbers its pages; empty when it does not."""
    labels = {number: drop_control(pdf.get_page_label(number - 1) or "").strip()[:20] for number in range(1, min(count, MAX_PAGES) + 1)}
    labels = {number: label for number, label in labels.items() if label}
    return labels if any(label != str(number) for number, label in labels.items()) else {}


def _labels_at_the_edge(pages: Sequence[Sequence[SetLine]]) -> dict[int, str]:
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


# -------------------------------------------------------------------------------------------------------------------- one page: runs


def _page(pdf, number: int, plain: bytes, usual: float | None = None) -> tuple[list[SetLine], float | None, bool]:
    """(lines, gutter, whether it was read whole) of a page; `usual` is the gutter of other pages, `plain` as of `_plain_font`."""
    page = pdf[number - 1]
    try:
        textpage = page.get_textpage()
        try:
            runs, whole = _runs(textpage, plain), textpage.count_chars() <= MAX_CHARACTERS
        finally:
            textpage.close()
    finally:
        page.close()
    return *laid_out(runs, number, usual), whole


def _runs(textpage, plain: bytes = b"") -> list[Run]:
    """Stretches of characters that stand side by side, in the order in which the page draws them.

    A character printed twice in one place (false bold) counts once; on a page set sideways the boxes are turned upright.
    """
    from pypdfium2 import raw

    handle, count = textpage.raw, min(textpage.count_chars(), MAX_CHARACTERS)
    unicode_of, box_of = raw.FPDFText_GetUnicode, raw.FPDFText_GetLooseCharBox
    box = raw.FS_RECTF()
    pointer = ctypes.byref(box)
    turn = _usual_turn(handle, count)
    runs: list[Run] = []
    text: list[str] = []
    left = right = bottom = top = size = last_left = 0.0
    started, last_at, high, last = 0, 0, 0, ""
    base, base_size, base_bottom = 0, 0.0, 0.0  # the last character that is not raised

    def close() -> None:
        if text:
            bold = _is_bold(handle, started, plain) and (len(text) < 2 or _is_bold(handle, last_at, plain))
            runs.append(Run("".join(text).strip(), left, right, bottom, top, bold))
            text.clear()

    for at in range(count):
        code = unicode_of(handle, at)
        if code <= 32:
            if code == 2:
                code = 45  # a hyphen at a line's end
            else:
                if code == 32 and text and text[-1] != " ":
                    text.append(" ")
                continue
        if 0xD800 <= code < 0xE000:
            if code < 0xDC00:
                high = code
                continue
            if not high:
                continue
            code, high = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00), 0
        if code >= 0x110000:
            continue
        character = chr(code)
        if code >= 0x80 and character.isspace():
            if text and text[-1] != " ":
                text.append(" ")
            continue
        if not box_of(handle, at, pointer):
            continue
        new_left, new_right, new_bottom, new_top = box.left, box.right, box.bottom, box.top
        if turn:
            new_left, new_right, new_bottom, new_top = _turned(new_left, new_right, new_bottom, new_top, turn)
        if text:
            gap = new_left - right
            if character == last and abs(new_left - last_left) < 0.35 * (new_right - new_left) and abs(new_bottom - bottom) < 0.2 * size:
                continue
            lone = len(text) == 1 or len(text) == 2 and text[1] == " "
            dropped = lone and size > 18 and new_top - new_bottom < 0.55 * size and last.isalpha() and character.isalpha()
            if dropped or not (-0.5 * size < gap < 0.6 * size and abs(new_bottom - bottom) < 0.5 * size):
                close()
            elif gap > 0.2 * size and text[-1] != " ":
                text.append(" ")
            elif character in DIGITS and text[-1] != " " and not turn and gap < 0.15 * base_size:
                smaller = new_top - new_bottom < 0.85 * base_size and new_bottom > base_bottom + 0.1 * base_size
                if smaller and _baseline(handle, at) > _baseline(handle, base) + 0.15 * base_size:
                    character = character.translate(RAISED)
        if not text:
            left, right, bottom, top, started = new_left, new_right, new_bottom, new_top, at
        if character not in RAISED_DIGITS:
            base, base_size, base_bottom = at, new_top - new_bottom, new_bottom
        size = new_top - new_bottom
        if size < 1.0:
            size = 1.0
        if new_right > right:
            right = new_right
        text.append(character)
        last, last_left, last_at = character, new_left, at
    close()
    return _once([run for run in runs if run.text])


def _baseline(handle, at: int) -> float:
    """Height of the line on which a character stands; its box says less, since fonts reach below it by different amounts."""
    x, y = ctypes.c_double(), ctypes.c_double()
    from pypdfium2 import raw

    return y.value if raw.FPDFText_GetCharOrigin(handle, at, x, y) else 0.0


def _usual_turn(handle, count: int) -> int:
    """Quarter turns (0 to 3) by which most of the characters of a page are turned."""
    from pypdfium2 import raw

    turns: Counter[int] = Counter()
    for at in range(0, count, max(1, count // 40)):
        angle = raw.FPDFText_GetCharAngle(handle, at)
        if angle >= 0:
            turns[round(angle / (math.pi / 2)) % 4] += 1
    return turns.most_common(1)[0][0] if turns else 0


def _turned(left: float, right: float, bottom: float, top: float, turn: int) -> tuple[float, float, float, float]:
    if turn == 3:
        return bottom, top, -right, -left
    if turn == 2:
        return -right, -left, -top, -bottom
    return -top, -bottom, left, right


def _is_bold(handle, at: int, plain: bytes = b"") -> bool:
    """Whether a character is bold by its weight or font; where its weight tells nothing, whether its font is another than `plain`."""
    from pypdfium2 import raw

    weight, name = raw.FPDFText_GetFontWeight(handle, at), _font(handle, at)
    if _BOLD_NAME.search(name):
        return True
    return bool(plain) and name != plain if weight > HEAVIEST else weight >= 600


def _font(handle, at: int) -> bytes:
    """The name of a character's font; empty for one that the page does not draw."""
    from pypdfium2 import raw

    name = ctypes.create_string_buffer(80)
    raw.FPDFText_GetFontInfo(handle, at, name, 80, ctypes.c_int())
    return name.value


def _plain_font(pdf, watch: Callable[[int], None], untouched: Collection[int]) -> bytes:
    """The font of most of the text that has an impossible weight; empty in a file without such.

    Some writers give every font a weight of some thousands and call them F1, F2: a heading can then only be told by being in another font.
    """
    import pypdfium2
    from pypdfium2 import raw

    fonts: Counter[bytes] = Counter()
    for page in range(1, min(len(pdf), MAX_PAGES) + 1, max(1, len(pdf) // SAMPLED_PAGES)):
        if page in untouched:
            continue
        watch(page)
        try:
            textpage = pdf[page - 1].get_textpage()
        except pypdfium2.PdfiumError:
            continue
        for at in range(0, min(textpage.count_chars(), MAX_CHARACTERS), SAMPLED_EVERY):
            if raw.FPDFText_GetFontWeight(textpage.raw, at) > HEAVIEST:
                fonts[_font(textpage.raw, at)] += 1
        textpage.close()
    return fonts.most_common(1)[0][0] if fonts else b""


def _once(runs: Sequence[Run]) -> list[Run]:
    """Without runs that are printed a second time in the same place, as shadows are."""
    seen: set[tuple[str, int, int]] = set()
    kept = []
    for run in runs:
        places = [(run.text, round(run.left / 3) + dx, round(run.bottom / 3) + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        if any(place in seen for place in places):
            continue
        seen.add(places[4])
        kept.append(run)
    return kept


# --------------------------------------------------------------------------------------------------------------------------- by hand


class _HandFailed(Exception):
    """pypdf cannot read a page."""


def _page_by_hand(data: bytes, number: int) -> list[SetLine]:
    return _lines_by_hand(_open_by_hand(data), number)


def _open_by_hand(data: bytes):
    import io

    import pypdf

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _HandFailed("locked")
        len(reader.pages)
    except MemoryError:
        raise
    except Exception as error:  # pypdf raises almost anything on a damaged file
        raise _HandFailed(type(error).__name__) from error
    return reader


def _lines_by_hand(reader, number: int) -> list[SetLine]:
    try:
        text = reader.pages[number - 1].extract_text()
    except MemoryError:
        raise
    except Exception as error:
        raise _HandFailed(type(error).__name__) from error
    if len(text) > MAX_CHARACTERS:  # PDFium died on the same page: it unfolds without end
        raise _HandFailed(f"{len(text)} characters")
    made = []
    for line in text.split("\n"):
        clean = drop_control(line).strip()
        if clean:
            made.append(SetLine(Line(clean, page=number - 1, number=number), 10.0, False))
    return made


def _all_by_hand(path: Path, data: bytes, watch: Callable[[int], None], lost: Collection[int]):
    """All pages by pypdf: (pages, count, properties, outline, labels, pages that failed)."""
    try:
        reader = _open_by_hand(data)
        count = len(reader.pages)
    except _HandFailed as error:
        raise UnreadableFile(path, "not a readable PDF (damaged or incomplete); save it again") from error
    pages, failed = [], []
    for page in range(1, min(count, MAX_PAGES) + 1):
        watch(page)
        try:
            pages.append([] if page in lost else _lines_by_hand(reader, page))
        except _HandFailed:
            pages.append([])
            failed.append(page)
    return pages, count, {}, {}, {}, [*failed, *(page for page in lost if page > 0)]
