"""A file -> a Document, one function a suffix: plain text here, all others in modules of their own.

Everything in a file is untrusted; what cannot be read says why.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from rag.errors import UnreadableFile, UsageError
from rag.reading.cleanup import HAN, drop_control, join_lines, lines_of_extracted_text, looks_extracted, undo_spacing, width
from rag.reading.elements import Content, Line, Piece
from rag.reading.exponents import lost_exponents
from rag.reading.formats.archive import check_archive, is_member, members, read_member
from rag.reading.formats.encoding import decode
from rag.reading.formats.front_matter import front_matter
from rag.reading.paragraphs import pieces_from_lines
from rag.text.lexicon import proper_names
from rag.types import Block, Document

MAX_BYTES = 50_000_000
SOURCES = "sources.toml"
"""Beside reports: what is known of them, over what they say of themselves."""
_ID_LENGTH = 80
_YEAR = re.compile(r"(?<!\d)(20[0-4]\d|19[5-9]\d)(?!\d)")
_EDITION = re.compile(r"(?<!\d)(20[0-4]\d|19[5-9]\d)\s*(?:年度?|版|年版|edition)", re.I)
_FISCAL = re.compile(r"(?:fiscal )?(?:year|quarter|period|quarterly period) ended:?\s+[A-Z][a-z]+\s+\d{1,2},\s+(20[0-4]\d|19[5-9]\d)", re.I)
_SKIP = "skip"
_FIELDS = ("id", "title", "publisher", "year", "language", "address")


def read_document(
    path: Path,
    *,
    known: Mapping[str, str] | None = None,
    watch: Callable[[int], None] = lambda page: None,
    by_hand: Collection[int] = (),
    lost: Collection[int] = (),
    recognise: str = "",
) -> Document:
    """The document in a file, by its suffix. `known` overrides what the file says of itself; the rest is for PDF (`rag.reading.pdf.document.read_pdf`).

    Call it through `rag.reading.sandbox` for files of strangers. Raises UnreadableFile with the reason: another suffix, empty, too big, binary, a
    broken or locked file, page images only.
    """
    path = Path(path)
    _check_suffix(path)
    data = read_bytes(path)
    content = read_content(path, data, watch, by_hand, lost, recognise)
    if not content.pieces:
        raise UnreadableFile(path, "no text in it")
    return _document(path, data, content, known or {})


def read_content(
    path: Path,
    data: bytes,
    watch: Callable[[int], None] = lambda page: None,
    by_hand: Collection[int] = (),
    lost: Collection[int] = (),
    recognise: str = "",
) -> Content:
    """What the reader of this suffix finds in these bytes. Raises UnreadableFile."""
    suffix = _check_suffix(path)
    if not data.strip(b"\0 \t\r\n\f\v"):
        raise UnreadableFile(path, f"empty ({len(data)} bytes)")
    _check_kind(path, suffix, data)
    if suffix == ".zip":
        check_archive(path, data)
        raise UnreadableFile(path, "no file in it that can be read")
    if suffix == ".pdf":
        content = _read_pdf(path, data, watch, by_hand, lost, recognise)
    else:
        content = _read_picture(path, data, watch, recognise) if suffix in PICTURES else _READERS[suffix](path, data)
    return replace(content, pieces=[piece for piece in content.pieces if piece.text.strip()])


def _check_suffix(path: Path) -> str:
    """The suffix of a file that can be read. Raises UnreadableFile."""
    suffix = path.suffix.lower()
    if suffix in _OLD_OFFICE:
        what = f"open it in the program that wrote it and save it as {_OLD_OFFICE[suffix]} or PDF"
        raise UnreadableFile(path, f"cannot read {suffix}; {what}")
    if suffix not in SUFFIXES and suffix != ".zip":
        raise UnreadableFile(path, f"cannot read {suffix or 'files without a suffix'} ({', '.join(SUFFIXES)} and .zip can be read)")
    return suffix


def read_bytes(path: Path) -> bytes:
    """What a file or a member of a ZIP archive holds. Raises UnreadableFile; never waits for a pipe or a device."""
    if is_member(path):
        return read_member(path)
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableFile(path, "not a plain file")
            if status.st_size > MAX_BYTES:
                size, limit = status.st_size / 1e6, MAX_BYTES / 1e6
                raise UnreadableFile(path, f"{size:.0f} MB, over the limit of {limit:.0f} MB; split it and index the parts")
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UnreadableFile(
            path, f"cannot be opened ({getattr(error, 'strerror', None) or error}); check that it exists and may be read"
        ) from error


def digest_of(path: Path) -> str:
    """sha256 of a file, or of a member of a ZIP archive; empty when it cannot be read."""
    try:
        if is_member(path):
            return hashlib.sha256(read_member(path)).hexdigest()
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if stat.S_ISREG(os.fstat(handle).st_mode) else ""
    except (OSError, ValueError, UnreadableFile):
        return ""


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files that these files, folders and ZIP archives hold, folders searched all the way down in sorted order, each file once.

    A member of an archive is named `archive.zip/folder/name.md`. Inside folders hidden names, sources.toml, what that says to skip, links
    that lead out of the folder (`links_out` names them) and anything that is not a plain file are left out; files with an unknown suffix
    stay, so that they are reported. Raises UsageError for a path that is not there, or a sources.toml that cannot be used.
    """
    told = Sources(paths)
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if is_member(path):
            found.setdefault(path)
        elif not path.exists():
            raise UsageError(f"{path} is not there: name a file or a folder that holds reports ({', '.join(SUFFIXES)} or .zip)")
        elif path.is_dir():
            for file in sorted(_files_below(path, path.resolve())):
                for inner in _with_members(file):
                    if not told.skips(inner):
                        found.setdefault(inner)
        elif path.is_file():
            for inner in _with_members(path):
                found.setdefault(inner)
        else:
            raise UsageError(f"{path} is neither a file nor a folder: name a report ({', '.join(SUFFIXES)} or .zip)")
    return list(found)


def _with_members(file: Path) -> list[Path]:
    """The file, or the members of a ZIP archive; an archive that cannot be opened or holds nothing stays, so that it is reported."""
    if file.suffix.lower() != ".zip":
        return [file]
    try:
        return [inner for inner in members(file) if not _is_left_out(inner.name)] or [file]
    except UnreadableFile:
        return [file]


def _files_below(folder: Path, root: Path) -> list[Path]:
    files = []
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            file = Path(parent, name)
            if _is_left_out(name) or not file.is_file():
                continue
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                continue
            files.append(file)
    return files


def links_out(paths: Sequence[Path]) -> list[Path]:
    """The links in these folders, to files or folders, that lead out of them: none is followed, since a folder may be a stranger's."""
    found = []
    for root in (Path(path) for path in paths if Path(path).is_dir()):
        inside = root.resolve()
        for parent, folders, names in os.walk(root, followlinks=False):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            links = [Path(parent, name) for name in sorted([*folders, *names]) if not _is_left_out(name)]
            found += [link for link in links if link.is_symlink() and link.exists() and not link.resolve().is_relative_to(inside)]
    return found


LINK_LEFT_OUT = "a link that leads out of its folder; to index what it leads to, name that itself"


def _is_left_out(name: str) -> bool:
    return name.startswith((".", "~$")) or name.lower() == SOURCES


_OLD_OFFICE = {
    ".doc": ".docx",
    ".dot": ".docx",
    ".ppt": ".pptx",
    ".pps": ".pptx",
    ".xlsb": ".xlsx",
    ".wps": ".docx",
    ".et": ".xlsx",
    ".dps": ".pptx",
}
"""Formats that only other programs can read, and what to save them as."""
_PACKED = (".docx", ".pptx", ".epub", ".xlsx", ".xlsm", ".odt", ".zip")


def _check_kind(path: Path, suffix: str, data: bytes) -> None:
    """Raises UnreadableFile when the first bytes say that a file is of another kind than its suffix says."""
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") and suffix not in (".xls", ".msg"):
        wanted = suffix if suffix in (".docx", ".pptx", ".xlsx") else ".docx, .pptx or .xlsx"
        raise UnreadableFile(path, f"an old or password-protected Office file; save it as {wanted} without a password")
    is_pdf, is_zip = b"%PDF-" in data[:1024] and not data.startswith(b"PK"), data.startswith((b"PK\3\4", b"PK\5\6"))
    if suffix == ".pdf" and not is_pdf:
        raise UnreadableFile(
            path, "not a PDF" + (" (it is a ZIP or Office file)" if is_zip else " by its content") + "; give it its own suffix"
        )
    if suffix in _PACKED and not is_zip:
        raise UnreadableFile(
            path, f"not a {suffix[1:].upper()} file" + (" (it is a PDF)" if is_pdf else " by its content") + "; give it its own suffix"
        )
    if suffix not in (*_PACKED, ".pdf", ".xls") and (is_zip or data.startswith(b"%PDF-")):
        raise UnreadableFile(path, f"not text (it is a {'PDF' if is_pdf else 'ZIP or Office file'}); give it its own suffix")


# ------------------------------------------------------------------------------------------------------------------------- metadata


class Sources:
    """What the sources.toml files of the indexed folders say of the reports beside and below them.

        ["annual/river-2024.pdf"]
        title = "The State of the River"
        publisher = "River Watch"
        year = 2024

        ["press/*.html"]
        publisher = "Harbour Office"

        ["README.md"]
        skip = true

    A name is a path from the folder of sources.toml, or a pattern; an exact name wins over patterns, a nearer file over one further up.
    """

    def __init__(self, roots: Iterable[Path]):
        self._roots = [root.parent if root.is_file() else root for root in map(Path, roots)]
        self._tables: dict[Path, dict[str, dict[str, str]]] = {}

    def known(self, path: Path) -> dict[str, str]:
        """What is said of this file, as text. Raises UsageError for a sources.toml that cannot be used."""
        return {field: value for field, value in self._said(path).items() if field != _SKIP}

    def skips(self, path: Path) -> bool:
        """Whether this file is said to be no report. Raises UsageError."""
        return self._said(path).get(_SKIP) == "True"

    def _said(self, path: Path) -> dict[str, str]:
        values: dict[str, str] = {}
        for folder in reversed(
            [folder for folder in path.parents if any(folder == root or folder.is_relative_to(root) for root in self._roots)]
        ):
            table = self._table(folder)
            name = path.relative_to(folder).as_posix()
            for pattern, entry in table.items():
                if pattern != name and fnmatchcase(name, pattern):
                    values |= entry
            values |= table.get(name, {})
        return values

    def _table(self, folder: Path) -> dict[str, dict[str, str]]:
        if folder not in self._tables:
            self._tables[folder] = _read_sources(folder / SOURCES)
        return self._tables[folder]


def _read_sources(file: Path) -> dict[str, dict[str, str]]:
    try:
        if not file.is_file():
            return {}
        if file.stat().st_size > 1_000_000:
            raise UsageError(f"{file} is over 1 MB: name reports by patterns")
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{file} cannot be read as TOML: {error}") from error
    for name, entry in values.items():
        if not isinstance(entry, dict):
            raise UsageError(f'{file}: {name!r} must be a table, such as ["report.pdf"]')
        for key, value in entry.items():
            fits = isinstance(value, bool) if key == _SKIP else isinstance(value, (int, str)) and not isinstance(value, bool)
            if key not in (*_FIELDS, _SKIP) or not fits:
                raise UsageError(f"{file}: {key} = {value!r} of {name!r} cannot be used; the fields are {', '.join((*_FIELDS, _SKIP))}")
    return {name: {key: str(value) for key, value in entry.items()} for name, entry in values.items()}


def _document(path: Path, data: bytes, content: Content, known: Mapping[str, str]) -> Document:
    """Put the pieces together: block texts joined by a newline, every offset exact."""
    blocks, texts, pages, at = [], [], [], 0
    for piece in content.pieces:
        text = piece.text.strip()
        blocks.append(Block(at, at + len(text), piece.kind, piece.page, piece.section, piece.speaker))
        cut = len(piece.text) - len(piece.text.lstrip())
        for offset, page in ((0, piece.page), *((offset - cut, page) for offset, page in piece.breaks)):
            if (pages[-1][1] if pages else None) != page:
                pages.append((at + max(offset, 0), page))
        texts.append(text)
        at += len(text) + 1
    text = "\n".join(texts)
    matter = {**content.matter, **known}
    opening, ending = (re.sub(r"[^\S\n]+", " ", part) for part in (content.opening[:8000], content.ending[-4000:]))
    name = os.fsencode(path.name).decode("utf-8", "replace")  # a name need not be text
    stem = unicodedata.normalize("NFC", Path(name).stem)
    registrant = _registrant(opening, text)
    form = re.search(r"\bform\s+(10-?[KQ]|8-?K|20-?F)\b", opening, re.I) if registrant else None
    title = matter.get("title") or content.title or _first_heading(content.pieces) or stem
    if form and not matter.get("title"):
        title = f"{registrant} Form {form[1].upper()}"
    year = matter.get("year") or matter.get("date", "")
    found = _YEAR.search(year) if year else None
    number = int(found[1]) if found else _year(stem, title, opening)
    if form and number and not matter.get("title"):
        title = f"{title} {number}"
    publisher = matter.get("publisher") or registrant or publisher_in(f"{opening}\n{ending}") or publisher_named(title, text)
    return Document(
        id=slug(matter.get("id") or stem),
        title=" ".join(drop_control(title).split())[:200] or stem,
        text=text,
        blocks=tuple(blocks),
        sha256=hashlib.sha256(data).hexdigest(),
        source=name,
        publisher=" ".join(drop_control(publisher).split())[:120],
        year=number,
        language=_language_code(matter.get("language", "")) or language_of(text),
        page_count=content.page_count,
        notes=(*content.notes, *([f"copy of {known['address']}"] if known.get("address") else [])),
        pages=tuple(pages),
        labels=content.labels,
    )


def _registrant(opening: str, text: str) -> str:
    r"""Whose filing with the stock exchange supervision it is: above the words that say so or, where that is a picture, over its statements.

    >>> _registrant("QUAY, INC.\n(Exact name of registrant)", ""), _registrant("File 1-2\n(Exact name of registrant)", "Quay, Inc. and Subsidiaries\n")
    ('QUAY, INC.', 'Quay, Inc.')
    """
    told = re.search(r"(?m)^(.{3,80})\n\W*(?:\(?Exact name of registrant)", opening, re.I)
    if not told:
        return ""
    if not re.search(r"\bfile\b|\bnumber\b|\d{3}", told[1], re.I):
        return told[1].strip()
    owners = re.findall(r"(?m)^(.{3,60}?),? and subsidiaries$", text[:500_000], re.I)
    owners = owners or re.findall(r"\bterms? [“\"]([^”\"\n]{3,60}?),?[”\"],? (?:the )?[“\"]Company", text[:100_000])
    return Counter(owners).most_common(1)[0][0].strip() if owners else ""


_PUBLISHERS = (
    re.compile(r"(?m)^\W*(?:编制|发布|出版|编写|主办|主编|编著|指导)(?:单位|机构|方|者)\s*[：:]\s*([^\n，,；;。]{2,40})"),
    re.compile(r"(?m)^\W*(?:Published|Issued|Prepared) by:?\s+([^\n.;]{2,60})", re.I),
    re.compile(
        r"(?:Copyright\s*(?:©|\(c\))?|©|版权所有\s*(?:©|\(c\))?)\s*(?:(?:19|20)\d\d(?:\s*[-–]\s*(?:19|20)\d\d)?)?\s*(?:by\s+)?([^\n©，。;；]{2,60})",
        re.I,
    ),
    re.compile(r"(?m)^\W*([^\n]{2,40}?)\s*版权所有"),
)


def publisher_in(text: str) -> str:
    """Who published a report, where its first or last page says so in so many words; else empty.

    >>> publisher_in("The State of the River\\nPublished by River Watch\\n2024"), publisher_in("© 2024 Harbour Office. All rights reserved")
    ('River Watch', 'Harbour Office')
    """
    for pattern in _PUBLISHERS:
        for match in pattern.finditer(text):
            name = re.split(
                r"\s*(?:\.\s*(?:All|保留)|All rights|保留|版权|Inc\.?(?= All)|\.$)", match[1].strip(" .,，：:()（）"), flags=re.I
            )[0].strip(" ,.，")
            if name.count("）") > name.count("（") or name.count(")") > name.count("("):
                name = name.rstrip(" )）")
            if (
                2 <= len(name) <= 60
                and re.search(rf"[{HAN}A-Za-z]{{2}}", name)
                and not re.match(r"(?:and|or|the|of|in|notice|is|are|protected|laws?|归|©)\b", name, re.I)
            ):
                return name
    return ""


def publisher_named(title: str, text: str) -> str:
    """The organisation whose name begins the title, with the parent that the text puts before it; else empty.

    >>> publisher_named("河务院十大趋势", "上海河务院院长。上海河务院的研究。"), publisher_named("十大趋势", "河务院")
    ('上海河务院', '')
    """
    named = re.match(rf"[{HAN}]{{1,10}}?(?:院|所|公司|集团|协会|联盟|大学|银行)", title)
    if not named:
        return ""
    runs = [match[1] for match in re.finditer(rf"([{HAN}]{{2,4}}){re.escape(named[0])}", text)]
    parents = Counter(run[-length:] for run in runs for length in (2, 3, 4) if run[-length:] in proper_names())
    return (max(parents, key=lambda name: (parents[name], len(name))) if parents else "") + named[0]


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
    if len(years) == 1 and not re.search(r"20[3-4]\d", f"{stem} {title}"):
        return years.pop()
    fiscal = _FISCAL.search(opening)
    return int(fiscal[1]) if fiscal and not years else None


def _first_heading(pieces: Sequence[Piece]) -> str:
    return next((piece.text for piece in pieces if piece.kind == "heading" and len(piece.section) <= 1), "")


# ----------------------------------------------------------------------------------------------------------------------------- text


def _read_text(path: Path, data: bytes) -> Content:
    matter, text = front_matter(decode(data, path))
    if looks_extracted(text):
        lines = lines_of_extracted_text(text)
        pieces = pieces_from_lines(lines)
        return Content(
            pieces,
            _extracted_title(lines, text) or path.stem,
            matter,
            _opening(lines),
            notes=("text layer of a PDF: lines joined to paragraphs", *lost_exponents("\n".join(piece.text for piece in pieces))),
        )
    pieces = plain_paragraphs(text)
    first = pieces[0].text if pieces else ""
    title = first if pieces and "\n" not in first and 2 < len(first) <= 60 and not re.search(r"[。.!?！？；;,，]$", first) else ""
    return Content(pieces, title, matter, "\n".join(text.split("\n")[:12]))


def plain_paragraphs(text: str) -> list[Piece]:
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


# ---------------------------------------------------------------------------------------------------------- formats of other modules


def _read_pdf(
    path: Path, data: bytes, watch: Callable[[int], None], by_hand: Collection[int], lost: Collection[int], recognise: str
) -> Content:
    from rag.reading.pdf.document import read_pdf

    return read_pdf(path, data, watch, by_hand, lost, recognise)


def _read_picture(path: Path, data: bytes, watch: Callable[[int], None], recognise: str) -> Content:
    from rag.reading.formats.picture import read_picture

    return read_picture(path, data, watch, recognise)


def _read_office(path: Path, data: bytes) -> Content:
    from rag.reading.formats import office

    check_archive(path, data)
    return {".docx": office.read_docx, ".pptx": office.read_pptx}[path.suffix.lower()](path, data)


def _read_web(path: Path, data: bytes) -> Content:
    from rag.reading.formats.html import read_html

    return read_html(path, data)


def _read_book(path: Path, data: bytes) -> Content:
    from rag.reading.formats.epub import read_epub

    return read_epub(path, data)


def _read_markdown(path: Path, data: bytes) -> Content:
    from rag.reading.formats.markdown import read_markdown

    return read_markdown(path, data)


def _read_spreadsheet(path: Path, data: bytes) -> Content:
    from rag.reading.formats.spreadsheet import read_spreadsheet

    return read_spreadsheet(path, data)


def _read_mail(path: Path, data: bytes) -> Content:
    from rag.reading.formats.mail import read_mail

    return read_mail(path, data, read_content, plain_paragraphs)


def _read_rich(path: Path, data: bytes) -> Content:
    from rag.reading.formats.office.opendocument import read_odt
    from rag.reading.formats.office.rtf import read_rtf

    return read_odt(path, data) if path.suffix.lower() == ".odt" else read_rtf(path, data)


_READERS: dict[str, Callable[[Path, bytes], Content]] = {
    ".txt": _read_text,
    ".text": _read_text,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".docx": _read_office,
    ".pptx": _read_office,
    ".html": _read_web,
    ".htm": _read_web,
    ".xhtml": _read_web,
    ".epub": _read_book,
    ".xlsx": _read_spreadsheet,
    ".xlsm": _read_spreadsheet,
    ".xls": _read_spreadsheet,
    ".csv": _read_spreadsheet,
    ".tsv": _read_spreadsheet,
    ".eml": _read_mail,
    ".msg": _read_mail,
    ".odt": _read_rich,
    ".rtf": _read_rich,
}
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
"""Read by text recognition, where that was asked for."""
SUFFIXES = (".pdf", *_READERS, *PICTURES)
