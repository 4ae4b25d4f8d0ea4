"""A file -> a Document: text, Markdown and PDF, one function a suffix. Everything in a file is untrusted; what cannot be read says why.

What it gave up: Markdown is read line by line for headings, lists and tables, not as a full grammar; PDF tables and columns stand in the
order in which the page gives them.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from rag.clean import (
    HAN,
    Line,
    Piece,
    drop_control,
    join_lines,
    lines_of_extracted_text,
    looks_extracted,
    pieces_from_lines,
    undo_spacing,
    width,
)
from rag.errors import UnreadableFile, UsageError
from rag.types import Block, Document

MAX_BYTES = 50_000_000
MAX_PAGES = 3_000
_MAX_CHARACTERS = 100_000  # on one page
SUFFIXES = (".txt", ".text", ".md", ".markdown", ".pdf")
_ID_LENGTH = 80
_PDF_LOCK = threading.Lock()  # PDFium must never run in two threads at once
_YEAR = re.compile(r"(?<!\d)(20[0-4]\d|19[5-9]\d)(?!\d)")
_NO_TITLE = re.compile(r"摘\s?要|目\s?录|abstract|(?:table of )?contents|united states", re.I)
_EDITION = re.compile(r"(?<!\d)(20[0-4]\d|19[5-9]\d)\s*(?:年度?|版|年版|edition)", re.I)


def read_document(path: Path) -> Document:
    """The document in a file, by its suffix.

    Raises UnreadableFile with the reason: another suffix, empty, too big, binary, a broken or locked PDF, page images only.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableFile(path, f"cannot read {suffix or 'files without a suffix'} yet (txt, md and pdf can be read)")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableFile(path, f"{size / 1e6:.0f} MB, over the limit of {MAX_BYTES / 1e6:.0f} MB; split it and index the parts")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, f"cannot be opened ({error.strerror or error}); check that it exists and may be read") from error
    if not data.strip(b"\0 \t\r\n\f\v"):
        raise UnreadableFile(path, f"empty ({len(data)} bytes)")
    content = _READERS[suffix](path, data)
    content = replace(content, pieces=[piece for piece in content.pieces if piece.text.strip()])
    if not content.pieces:
        raise UnreadableFile(path, "no text in it")
    return _document(path, data, content)


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files that these files and folders hold, folders searched all the way down in sorted order, each file once.

    Inside folders hidden names, README.md, links that lead out of the folder and anything that is not a plain file are left out; files
    with an unknown suffix stay, so that they are reported. Raises UsageError for a path that is not there.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise UsageError(f"{path} is not there: name a file or a folder that holds txt, md or pdf files")
        if path.is_dir():
            for file in sorted(_files_below(path, path.resolve())):
                found.setdefault(file)
        elif path.is_file():
            found.setdefault(path)
        else:
            raise UsageError(f"{path} is neither a file nor a folder: name a txt, md or pdf file")
    return list(found)


@dataclass(frozen=True, slots=True)
class _Content:
    """What a reader found in a file."""

    pieces: list[Piece]
    title: str = ""
    matter: dict[str, str] = field(default_factory=dict)
    opening: str = ""
    """Text of the cover or first page, where title and year stand."""
    page_count: int = 0
    notes: tuple[str, ...] = ()


def _files_below(folder: Path, root: Path) -> list[Path]:
    files = []
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            file = Path(parent, name)
            if name.startswith(".") or name.lower() == "readme.md" or not file.is_file():
                continue
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                continue
            files.append(file)
    return files


def _document(path: Path, data: bytes, content: _Content) -> Document:
    """Put the pieces together: block texts joined by a newline, every offset exact."""
    blocks, texts, at = [], [], 0
    for piece in content.pieces:
        text = piece.text.strip()
        blocks.append(Block(at, at + len(text), piece.kind, piece.page, piece.section, piece.speaker))
        texts.append(text)
        at += len(text) + 1
    text = "\n".join(texts)
    matter = content.matter
    stem = unicodedata.normalize("NFC", path.stem)
    title = matter.get("title") or content.title or _first_heading(content.pieces) or stem
    year = matter.get("year") or matter.get("date", "")
    found = _YEAR.search(year) if year else None
    return Document(
        id=slug(matter.get("id") or stem),
        title=drop_control(title).strip()[:200] or stem,
        text=text,
        blocks=tuple(blocks),
        sha256=hashlib.sha256(data).hexdigest(),
        source=path.name,
        publisher=matter.get("publisher", ""),
        year=int(found[1]) if found else _year(stem, title, content.opening),
        language=_language_code(matter.get("language", "")) or language_of(text),
        page_count=content.page_count,
        notes=content.notes,
    )


def slug(name: str) -> str:
    """An id from a name: letters, digits, Han characters, "-", "_" and "." stay, the rest becomes "-".

    >>> slug("Cloud 2030 (final)"), slug("…")
    ('Cloud-2030-final', 'document')
    """
    kept = "".join(character if character.isalnum() or character in "-_." else "-" for character in unicodedata.normalize("NFKC", name))
    return re.sub(r"-{2,}", "-", kept).strip("-.")[:_ID_LENGTH].strip("-.") or "document"


def language_of(text: str) -> str:
    """ "zh" when at least a fifth of the letters are Han characters, else "en".

    >>> language_of("云计算 and AI"), language_of("cloud computing")
    ('zh', 'en')
    """
    sample = text[:200_000]
    han = len(re.findall(f"[{HAN}]", sample))
    letters = sum(character.isalpha() for character in sample)
    return "zh" if letters and han >= 0.2 * letters else "en"


def _language_code(value: str) -> str:
    lowered = value.strip().lower()
    return "zh" if lowered.startswith(("zh", "chinese", "中")) else "en" if lowered.startswith(("en", "英")) else ""


def _year(stem: str, title: str, opening: str) -> int | None:
    """The year of publication: an edition on the first page ("2024 版"), else the only year of file name and title."""
    edition = _EDITION.findall(opening)
    if edition and len(set(edition)) == 1:
        return int(edition[0])
    years = {int(year) for year in _YEAR.findall(f"{stem} {title}")}
    return years.pop() if len(years) == 1 and not re.search(r"20[3-4]\d", f"{stem} {title}") else None


def _first_heading(pieces: Sequence[Piece]) -> str:
    return next((piece.text for piece in pieces if piece.kind == "heading" and len(piece.section) <= 1), "")


# ----------------------------------------------------------------------------------------------------------------------------- text


def decode(data: bytes, path: Path | str = "text") -> str:
    """Bytes as text: byte-order mark, strict UTF-8, charset-normalizer on the first 256 kB, gb18030. Raises UnreadableFile for binary."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32")):
        if data.startswith(mark):
            return _clean_newlines(data.decode(encoding, "replace"))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _clean_newlines(data.decode("utf-16", "replace"))
    sample = data[:65_536]
    text = None
    if sum(byte < 32 and byte not in b"\t\n\r\f\v\x1a\x1b" for byte in sample) <= 0.02 * len(sample):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = _decode_legacy(data)
    if text is None or _is_noise(text[:65_536]):
        raise UnreadableFile(path, "not text (binary content); give the file its own suffix")
    return _clean_newlines(text)


def _is_noise(text: str) -> bool:
    """Whether more than a twentieth of a text are characters that no text holds."""
    odd = sum(unicodedata.category(character) in ("Cc", "Cn", "Co") and character not in "\t\n\r\f\v" for character in text)
    return odd > 0.05 * len(text)


def _decode_legacy(data: bytes) -> str | None:
    """Text in an older encoding. GB 18030 first where it gives Chinese, since short samples mislead the detector."""
    from charset_normalizer import from_bytes

    try:
        chinese = data.decode("gb18030")
    except UnicodeDecodeError:
        chinese = None
    if chinese is not None and len(re.findall(r"[，。、；：！？的一是在不了有和人这中大]", chinese)) >= 0.02 * len(chinese):
        return chinese
    best = from_bytes(data[:262_144]).best()
    if best is not None:
        try:
            return data.decode(best.encoding)
        except (UnicodeDecodeError, LookupError):
            pass
    return chinese


def _clean_newlines(text: str) -> str:
    """One kind of newline, no control characters. A form feed opens a page, which one leading blank also says (`rag.clean`)."""
    text = re.sub(r"\r\n?|[\u2028\u2029\x85]", "\n", text)
    return drop_control(re.sub(r"\n?\f\n*(?=\S)", "\n\n ", text))


def _read_text(path: Path, data: bytes) -> _Content:
    matter, text = front_matter(decode(data, path))
    if looks_extracted(text):
        lines = lines_of_extracted_text(text)
        pieces = pieces_from_lines(lines)
        return _Content(
            pieces,
            _extracted_title(lines, text) or path.stem,
            matter,
            _opening(lines),
            notes=("text layer of a PDF: lines joined to paragraphs",),
        )
    pieces = _plain_paragraphs(text)
    first = pieces[0].text if pieces else ""
    title = first if pieces and "\n" not in first and 2 < len(first) <= 60 and not re.search(r"[。.!?！？；;,，]$", first) else ""
    return _Content(pieces, title, matter, "\n".join(text.split("\n")[:12]))


def _plain_paragraphs(text: str) -> list[Piece]:
    """Paragraphs of a text file: parted by blank lines; hard-wrapped lines are joined, others stay lines of their own."""
    lines = [line.rstrip() for line in text.split("\n")]
    filled = [width(line) for line in lines if line.strip()]
    wrap = sorted(filled)[int(0.9 * (len(filled) - 1))] if filled else 0
    pieces: list[Piece] = []
    current = ""
    for position, line in enumerate([*lines, ""]):
        stripped = undo_spacing(line) if line.strip() else ""
        if current and stripped:
            before = width(lines[position - 1])
            wrapped = 30 <= before >= 0.75 * wrap and wrap <= 160 and not re.match(r"[-*•●]\s|\d{1,2}[.)、]\s?", stripped)
            if wrapped:
                current = join_lines(current, stripped)
                continue
        if current:
            pieces.append(Piece("prose", current))
        current = stripped
    return pieces


def _opening(lines: Sequence[Line]) -> str:
    return "\n".join(line.text for line in lines[:40] if line.page == lines[0].page)


def _extracted_title(lines: Sequence[Line], text: str) -> str:
    """The title of a text layer: a dated line that recurs as running head, a dated title quoted as a report, or the cover's first words."""
    short = Counter(line.text for line in lines if 4 <= len(line.text) <= 30 and re.search(rf"[{HAN}A-Za-z]{{2}}.*\d{{4}}", line.text))
    if short and short.most_common(1)[0][1] >= 3:
        return short.most_common(1)[0][0]
    flat = re.sub(r"\s+", "" if language_of(text) == "zh" else " ", text)
    quoted = Counter(match for match in re.findall(r"《([^《》]{4,40})》(?:研究)?(?:报告|白皮书)", flat) if _YEAR.search(match))
    if quoted:
        return quoted.most_common(1)[0][0]
    cover = [line.text for line in lines[:6] if line.page == lines[0].page]
    sentences = any(re.search(r"[。！？]$|[，、]", line) for line in cover)
    words = [line for line in cover if len(line) <= 60 and re.search(rf"[{HAN}A-Za-z]{{2}}", line) and not _EDITION.search(line)]
    return words[0] if words and not sentences else ""


# ------------------------------------------------------------------------------------------------------------------------- markdown


def front_matter(text: str) -> tuple[dict[str, str], str]:
    """The `key: value` lines between two lines of three dashes at the top of a text, and the text below them.

    >>> front_matter("---\\ntitle: A\\nyear: 2024\\n---\\nBody")
    ({'title': 'A', 'year': '2024'}, 'Body')
    """
    match = re.match(r"\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", text, re.DOTALL)
    if not match or len(match[1]) > 20_000:
        return {}, text
    values: dict[str, str] = {}
    for line in match[1].split("\n"):
        pair = re.match(r"([A-Za-z_][\w-]*)\s*:\s*(.*)$", line)
        if pair:
            value = pair[2].strip()
            if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            values[pair[1].lower()] = value
        elif line.strip() and not line.lstrip().startswith(("#", "-")) and not line.startswith(" "):
            return {}, text
    return values, text[match.end() :]


def plain_markup(text: str) -> str:
    """Inline Markdown reduced to its text.

    >>> plain_markup("**Bold**, `code` and a [link](http://x.org/a)")
    'Bold, code and a link'
    """
    codes: list[str] = []

    def keep(match: re.Match[str]) -> str:
        codes.append(match[2].strip() if match[2].strip() else match[2])
        return f"\x00{len(codes) - 1}\x00"

    text = re.sub(r"(`+)(.+?)\1", keep, text)
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\((?:[^()]|\([^()]*\))*\)|\[([^\]]+)\]\[[^\]]*\]", lambda match: match[1] or match[2], text)
    text = re.sub(r"<((?:https?|mailto):[^>\s]+)>", r"\1", text)
    text = re.sub(r"</?[A-Za-z][^>]*>|<!--.*?-->", "", text)
    text = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])|(?<![\w_])_(?=\S)([^_]+?)(?<=\S)_(?![\w_])", lambda m: m[1] or m[2], text)
    text = re.sub(r"~~(.+?)~~", r"\1", text)
    text = re.sub(r"\\([\\`*_{}\[\]()#+\-.!|>~])", r"\1", text)
    return re.sub(r"\x00(\d+)\x00", lambda match: codes[int(match[1])], text).strip()


def _read_markdown(path: Path, data: bytes) -> _Content:
    matter, text = front_matter(decode(data, path))
    title = ""
    pieces: list[Piece] = []
    path_of: list[tuple[int, str]] = []
    paragraph: list[str] = []
    kind = "prose"
    fence = ""
    lines = [line.replace("\t", "    ") for line in text.split("\n")]

    def section() -> tuple[str, ...]:
        return tuple(name for _, name in path_of)

    def close() -> None:
        nonlocal kind
        if paragraph:
            joined = ""
            for line in paragraph:
                joined = join_lines(joined, line)
            pieces.append(Piece(kind, plain_markup(joined), None, section()))
            paragraph.clear()
        kind = "prose"

    def heading(level: int, name: str) -> None:
        nonlocal title
        close()
        name = plain_markup(name)
        if not name:
            return
        if level == 1 and not title:
            title = name
            path_of.clear()
            pieces.append(Piece("heading", name))
            return
        path_of[:] = [entry for entry in path_of if entry[0] < level] + [(level, name)]
        pieces.append(Piece("heading", name, None, section()))

    at = 0
    while at < len(lines):
        line = lines[at]
        stripped = line.strip()
        opening = re.match(r"(`{3,}|~{3,})", stripped)
        if fence:
            if stripped.startswith(fence):
                fence = ""
            elif stripped:
                pieces.append(Piece("prose", line.rstrip(), None, section()))
        elif opening:
            close()
            fence = opening[1]
        elif not stripped:
            close()
        elif match := re.match(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*$", line):
            heading(len(match[1]), match[2])
        elif paragraph and kind == "prose" and re.fullmatch(r" {0,3}(=+|-{2,})\s*", line):
            name = " ".join(paragraph)
            paragraph.clear()
            heading(1 if "=" in stripped else 2, name)
        elif re.fullmatch(r"(?:\s*[-*_]){3,}\s*", line):
            close()
        elif "|" in stripped and at + 1 < len(lines) and re.fullmatch(r"\s*\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?\s*)?\|?\s*", lines[at + 1]):
            close()
            at = _table(lines, at, pieces, section())
            continue
        elif match := re.match(r"\s*(?:[-*+•●]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?(.*)$", line):
            close()
            kind = "item"
            number = re.match(r"\s*(\d{1,3}[.)])\s", line)
            paragraph.append((f"{number[1]} " if number else "") + match[1].strip())
        else:
            paragraph.append(re.sub(r"^(?:>\s?)+", "", stripped))
        at += 1
    close()
    return _Content(pieces, title, matter, "\n".join(lines[:12]))


def _table(lines: list[str], at: int, pieces: list[Piece], section: tuple[str, ...]) -> int:
    """Read the table that starts at line `at`; each row is one block, its cells joined by " | ". Returns the line behind it."""
    header = _cells(lines[at])
    abbreviation = bool(re.search(r"缩略语|缩写|简称|abbreviation|acronym", " ".join(header + list(section[-1:])), re.I))
    pieces.append(Piece("row", " | ".join(filter(None, header)), None, section))
    at += 2
    while at < len(lines) and "|" in lines[at]:
        cells = [cell for cell in _cells(lines[at]) if cell]
        if cells:
            pieces.append(Piece("abbreviation" if abbreviation else "row", " | ".join(cells), None, section))
        at += 1
    return at


def _cells(line: str) -> list[str]:
    return [plain_markup(cell.replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


# ------------------------------------------------------------------------------------------------------------------------------ pdf


def _read_pdf(path: Path, data: bytes) -> _Content:
    import pypdfium2

    with _PDF_LOCK:
        try:
            pdf = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            locked = "password" in str(error).lower()
            reason = "locked with a password; save an open copy" if locked else "not a readable PDF (damaged or incomplete); save it again"
            raise UnreadableFile(path, reason) from error
        try:
            count = len(pdf)
            if count > MAX_PAGES:
                raise UnreadableFile(path, f"{count} pages, over the limit of {MAX_PAGES}; split it and index the parts")
            title = _pdf_title(pdf)
            pages, broken = [], []
            for number in range(count):
                try:
                    pages.append(_page_lines(pdf, number))
                except pypdfium2.PdfiumError:
                    pages.append([])
                    broken.append(number + 1)
        finally:
            pdf.close()
    lines = [line for page in pages for line in page]
    if not any(re.search(r"\w", line.text) for line in lines):
        raise UnreadableFile(path, f"page images only, {count} page{'s' * (count != 1)}: run text recognition (OCR) on it first")
    notes = tuple([f"pages that cannot be read: {', '.join(map(str, broken[:20]))}"] * bool(broken))
    pieces = pieces_from_lines(lines)
    opening = "\n".join(line.text for line in lines if line.page == lines[0].page)[:2000]
    cover = [line for line in lines if line.page == lines[0].page and 4 <= len(line.text) <= 80 and not _NO_TITLE.match(line.text)]
    largest = max(cover, key=lambda line: line.rank, default=None)
    return _Content(pieces, title or (largest.text if largest and largest.rank > 0 else path.stem), {}, opening, count, notes)


def _pdf_title(pdf) -> str:
    """The title in the file's properties when it reads like one: not a file name, a program's name or mangled characters."""
    title = drop_control(pdf.get_metadata_dict().get("Title", "")).strip()
    generic = re.match(r"(?:Microsoft|untitled|无标题|幻灯片|slides?\b|document\d*$|powerpoint)", title, re.I)
    sensible = not generic and 4 <= len(title) <= 150 and not re.search(r"\.(?:docx?|pptx?|xlsx?|indd|pdf|qxd)\b|�", title, re.I)
    return title if sensible and not re.fullmatch(r"[\W\d_]+", title) else ""


@dataclass(frozen=True, slots=True)
class _Run:
    """Text on one baseline of a page, in points from the lower left corner."""

    text: str
    left: float
    right: float
    bottom: float
    top: float


def _page_lines(pdf, number: int) -> list[Line]:
    """The lines of one page from top to bottom, two columns one after the other where a gutter parts the page."""
    page = pdf[number]
    try:
        textpage = page.get_textpage()
        try:
            return _lines_of_runs(_runs(textpage), page.get_width(), number)
        finally:
            textpage.close()
    finally:
        page.close()


def _runs(textpage) -> list[_Run]:
    """Stretches of characters that stand side by side, in the order in which the page draws them."""
    from pypdfium2 import raw

    runs: list[_Run] = []
    text, left, right, bottom, top = "", 0.0, 0.0, 0.0, 0.0
    box = raw.FS_RECTF()
    for at in range(min(textpage.count_chars(), _MAX_CHARACTERS)):
        code = raw.FPDFText_GetUnicode(textpage, at)
        character = (
            "-" if code == 2 else chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
        )  # 2 marks a hyphen at a line's end
        if character in "\r\n" or not character:
            continue
        if character.isspace():
            text += " " if text else ""
            continue
        if not raw.FPDFText_GetLooseCharBox(textpage, at, box):
            continue
        size = max(box.top - box.bottom, 1.0)
        beside = -0.5 * size < box.left - right < 0.9 * size and abs(box.bottom - bottom) < 0.5 * size
        if text and not beside:
            runs.append(_Run(text.strip(), left, right, bottom, top))
            text = ""
        if not text:
            left, right, bottom, top = box.left, box.right, box.bottom, box.top
        elif box.left - right > 0.2 * size and not text.endswith(" "):
            text += " "
        text, right = text + character, max(right, box.right)
    if text:
        runs.append(_Run(text.strip(), left, right, bottom, top))
    return [replace(run, text=clean) for run in runs if (clean := drop_control(run.text).strip())]


def _lines_of_runs(runs: Sequence[_Run], page_width: float, number: int) -> list[Line]:
    heights = [run.top - run.bottom for run in runs for _ in run.text]
    body = median(heights) if heights else 10.0
    segments = [segment for row in _baselines(runs) for segment in _joined(row, body)]
    lines: list[Line] = []
    before: tuple[_Run, float] | None = None
    for row in (row for column in _columns(segments, page_width) for row in _baselines(column)):
        text = re.sub(r"\s+", " ", " ".join(run.text for run in row)).strip()
        longest = max(row, key=lambda run: len(run.text))
        tall = longest.top - longest.bottom
        tight = paragraph = False
        if before is not None:
            gap = before[0].bottom - longest.top
            paragraph = gap > 0.9 * body or gap < -2 * body or row[0].left > before[1] + 1.2 * body
            tight = not paragraph and abs(tall - (before[0].top - before[0].bottom)) < 0.2 * body
        rank = 2 if tall > 1.6 * body else 1 if tall > 1.25 * body else 0
        lines.append(Line(text, tight and rank > 0, number, number + 1, paragraph, rank))
        before = longest, row[0].left
    large = sum(len(line.text) for line in lines if line.rank > 0)
    if large > 0.3 * sum(len(line.text) for line in lines) and len(lines) > 12:
        return [replace(line, rank=0, tight=False) for line in lines]  # mixed fonts, so height says nothing
    return lines


def _baselines(runs: Sequence[_Run]) -> list[list[_Run]]:
    """Runs gathered to rows that share most of their height, rows from top to bottom, runs from left to right."""
    rows: list[list[_Run]] = []
    for run in sorted(runs, key=lambda run: (-run.top, run.left)):
        for row in reversed(rows[-4:]):
            shared = min(run.top, row[0].top) - max(run.bottom, row[0].bottom)
            if shared > 0.4 * min(run.top - run.bottom, row[0].top - row[0].bottom):
                row.append(run)
                break
        else:
            rows.append([run])
    return [sorted(row, key=lambda run: run.left) for row in rows]


def _joined(row: Sequence[_Run], body: float) -> list[_Run]:
    """Runs of one row put together where no more than a wide blank parts them; `body` is the usual height of a character."""
    segments: list[_Run] = []
    for run in row:
        last = segments[-1] if segments else None
        if last is None or run.left - last.right > 1.2 * body:
            segments.append(run)
            continue
        text = last.text + (" " if run.left - last.right > 0.2 * body else "") + run.text
        segments[-1] = _Run(text, last.left, max(last.right, run.right), min(last.bottom, run.bottom), max(last.top, run.top))
    return segments


def _columns(runs: Sequence[_Run], page_width: float) -> list[list[_Run]]:
    """The page in stretches to read one after the other: full-width rows, then the left and the right column between them.

    A page has two columns when a gutter near its middle is crossed by few runs and both sides hold much text.
    """
    middle = page_width / 2
    crossing = [run for run in runs if run.left < middle - 4 and run.right > middle + 4]
    left = [run for run in runs if run.right <= middle + 4]
    right = [run for run in runs if run.left >= middle - 4]

    def characters(group: Sequence[_Run]) -> int:
        return sum(len(run.text) for run in group)

    sides = min(characters(left), characters(right))
    wide = [run for group in (left, right) for run in group if run.right - run.left > 0.28 * page_width]
    if sides < 200 or characters(crossing) > 0.35 * sides or characters(wide) < 0.5 * (characters(left) + characters(right)):
        return [list(runs)]
    stretches: list[list[_Run]] = []
    bands = sorted(crossing, key=lambda run: -run.top)
    ceiling = float("inf")
    for band in [*bands, None]:
        floor = band.top - 1 if band else float("-inf")
        for side in (left, right):
            part = [run for run in side if floor <= (run.top + run.bottom) / 2 < ceiling]
            if part:
                stretches.append(part)
        if band:
            stretches.append([band])
            ceiling = band.bottom + 1
    return stretches


_READERS: dict[str, Callable[[Path, bytes], _Content]] = {
    ".txt": _read_text,
    ".text": _read_text,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".pdf": _read_pdf,
}
