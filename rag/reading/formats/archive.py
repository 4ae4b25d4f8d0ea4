"""ZIP archives, looked at before they are unpacked: too many entries, too much to unpack, entries that overlap or lead elsewhere are refused.

A member is named like a file in a folder: `reports.zip/2024/rivers.md`. What it gave up: archives inside archives, passwords, other kinds.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from lxml import etree

from rag.errors import UnreadableFile
from rag.reading.formats.encoding import decode_names

MAX_ENTRIES = 2_000
MAX_DIRECTORY = 1_000_000
"""Bytes of the archive's own table of contents."""
MAX_UNPACKED = 200_000_000
MAX_RATIO = 200
"""Bytes unpacked for each byte packed, in all."""
MAX_ARCHIVE = 500_000_000


def check_archive(path: Path, data: bytes) -> zipfile.ZipFile:
    """The archive in these bytes, if it can do no harm. Raises UnreadableFile with the reason."""
    return _checked(path, io.BytesIO(data), len(data))


def part(archive: zipfile.ZipFile, path: Path, name: str, limit: int = MAX_UNPACKED) -> bytes | None:
    """The content of an entry, never more than its directory says; None when there is no such entry. Raises UnreadableFile."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        return None
    if info.file_size > limit:
        raise UnreadableFile(path, f"{name} in it unpacks to {info.file_size / 1e6:.0f} MB, over the limit of {limit / 1e6:.0f} MB")
    try:
        with archive.open(info) as handle:
            return handle.read(info.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise UnreadableFile(path, f"{name} in it cannot be unpacked ({type(error).__name__}); pack it again") from error


_DOCTYPE = re.compile(rb"<!DOCTYPE\s[^\[\]<>]{0,1000}>")


def read_xml(path: Path, data: bytes | None) -> etree._Element:
    """An XML part of a packed file, with nothing in it resolved or fetched. Raises UnreadableFile.

    A declaration that only names a document type is passed over; one that declares anything itself is refused.
    """
    declares = data is not None and re.search(rb"<!(?:DOCTYPE|ENTITY)", _DOCTYPE.sub(b"", data[:65_536], count=1) + data[65_536:])
    if data is None or declares:
        raise UnreadableFile(path, "damaged: a part is missing or holds declarations that no such file has; save it again")
    try:
        return etree.fromstring(
            _DOCTYPE.sub(b"", data, count=1), etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        )
    except etree.XMLSyntaxError as error:
        raise UnreadableFile(path, f"damaged (its XML is broken: {str(error)[:80]}); save it again") from error


def is_member(path: Path) -> bool:
    """Whether a path names a member of an archive: some folder of it is a .zip file."""
    return _archive_of(path) is not None


def members(path: Path) -> list[Path]:
    """The files in an archive, sorted. Raises UnreadableFile when the archive is refused."""
    archive = _opened(path)
    return sorted(path / info.filename for info in archive.infolist() if not info.is_dir() and _is_plain(info.filename))


def member_of(path: Path) -> tuple[Path, str]:
    """(archive, name in it) of a member. Raises UnreadableFile when the path is none."""
    archive = _archive_of(path)
    if archive is None:
        raise UnreadableFile(path, "not in an archive")
    return archive, path.relative_to(archive).as_posix()


def read_member(path: Path) -> bytes:
    """What a member holds. Raises UnreadableFile."""
    file, name = member_of(path)
    content = part(_opened(file), path, name, 50_000_000)
    if content is None:
        raise UnreadableFile(path, "not in the archive any more")
    return content


_open: dict[tuple[str, int, int], zipfile.ZipFile] = {}


def _opened(path: Path) -> zipfile.ZipFile:
    """The archive at a path, checked; the last one stays open, because its members are read one after the other."""
    try:
        status = path.stat()
        key = (str(path), status.st_mtime_ns, status.st_size)
        if key not in _open:
            for archive in _open.values():
                archive.close()
            _open.clear()
            _open[key] = _checked(path, path.open("rb"), status.st_size)
        return _open[key]
    except OSError as error:
        raise UnreadableFile(path, f"cannot be opened ({error.strerror or error})") from error


def _archive_of(path: Path) -> Path | None:
    if ".zip/" not in path.as_posix().lower():
        return None
    return next((parent for parent in path.parents if parent.suffix.lower() == ".zip" and parent.is_file()), None)


def _is_plain(name: str) -> bool:
    """No absolute name, none that climbs out, no hidden or system entry."""
    parts = PurePosixPath(name).parts
    odd = not parts or name.startswith("/") or "\\" in name or ":" in name or "\0" in name or len(name) > 500
    return not odd and not any(piece == ".." or piece.startswith((".", "__MACOSX")) for piece in parts)


def _checked(path: Path, handle, size: int) -> zipfile.ZipFile:
    if size > MAX_ARCHIVE:
        raise UnreadableFile(path, f"{size / 1e6:.0f} MB, over the limit of {MAX_ARCHIVE / 1e6:.0f} MB for archives; split it")
    entries, length = _directory_size(handle, size)
    if entries > MAX_ENTRIES or length > MAX_DIRECTORY:
        raise UnreadableFile(path, f"{entries} entries in it, over the limit of {MAX_ENTRIES}; split it")
    try:
        archive = zipfile.ZipFile(handle)
        infos = archive.infolist()
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, "damaged (not a readable ZIP archive); pack or save it again") from error
    unpacked, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    if len(infos) > MAX_ENTRIES:
        raise UnreadableFile(path, f"{len(infos)} entries in it, over the limit of {MAX_ENTRIES}; split it")
    if unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * max(packed, 1000):
        raise UnreadableFile(
            path,
            f"unpacks from {packed / 1e6:.1f} to {unpacked / 1e6:.0f} MB: refused as a bomb (limits {MAX_UNPACKED / 1e6:.0f} MB, 1:{MAX_RATIO})",
        )
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise UnreadableFile(path, "entries in it overlap: refused as a bomb")
        end = info.header_offset + info.compress_size
    if any(info.flag_bits & 1 for info in infos):
        raise UnreadableFile(path, "locked with a password; save an open copy")
    _name_members(archive)
    return archive


def _name_members(archive: zipfile.ZipFile) -> None:
    """Gives entries whose names are in the encoding of the system that packed them the names that they had there."""
    unflagged = [info for info in archive.infolist() if not info.flag_bits & 0x800 and not info.filename.isascii()]
    if not unflagged:
        return
    names = decode_names([info.orig_filename.encode("cp437") for info in unflagged])
    for info, name in zip(unflagged, names, strict=True):
        name = _unicode_name(info) or name.split("\0")[0]
        if name and name not in archive.NameToInfo:
            archive.NameToInfo[name] = archive.NameToInfo.pop(info.filename, info)
            info.filename = name


def _unicode_name(info: zipfile.ZipInfo) -> str:
    """The name in the extra field that some packers add (0x7075), where it belongs to the name that stands in the entry."""
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        field = extra[4 : 4 + length]
        if kind == 0x7075 and len(field) > 5 and field[0] == 1:
            checksum = struct.unpack("<L", field[1:5])[0]
            if checksum == zlib.crc32(info.orig_filename.encode("cp437")):
                return field[5:].decode("utf-8", "replace")
        extra = extra[4 + length :]
    return ""


def _directory_size(handle, size: int) -> tuple[int, int]:
    """(entries, bytes) of the archive's directory as its last record tells; (0, 0) when there is none."""
    handle.seek(max(0, size - 66_000))
    tail = handle.read(66_000)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        return 0, 0
    entries, length = struct.unpack("<HL", tail[at + 10 : at + 16])
    return entries, length
