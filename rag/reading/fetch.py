"""One page or file from the web, on request only: fetched once, kept as a copy with its date, and read from there like any other file.

Nothing is crawled: no links, pictures or scripts of a page are followed. An address of a private network is refused unless allowed, for the first
address and for every redirect, and the connection goes to the very address that was checked. What it gave up: pages that only scripts fill, logins.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import ssl
import time
import tomllib
import zlib
from datetime import date
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from rag.errors import RagError, UsageError
from rag.reading.dispatch import MAX_BYTES, SOURCES, SUFFIXES, slug

REDIRECTS = 5
SECONDS = 60.0
"""For everything, redirects included."""
_AGENT = "provenote (one page on request of a person)"
_KINDS = {
    "text/html": ".html", "application/xhtml+xml": ".html", "application/pdf": ".pdf", "text/plain": ".txt", "text/markdown": ".md", "text/csv": ".csv",
    "text/tab-separated-values": ".tsv", "application/epub+zip": ".epub", "message/rfc822": ".eml", "application/rtf": ".rtf", "application/msword": ".doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx", "application/vnd.ms-excel": ".xls",
    "application/vnd.oasis.opendocument.text": ".odt",
}  # fmt: skip


class _Reply(NamedTuple):
    status: int
    head: Message
    body: bytes


def is_address(text: str) -> bool:
    """Whether a text is a web address and no path.

    >>> is_address("https://quay.example/a.pdf"), is_address("reports/https")
    (True, False)
    """
    return bool(re.match(r"https?://", text, re.I))


def fetch(address: str, folder: Path, *, allow_private: bool = False) -> Path:
    """The copy of what an address gives, kept in `folder`, whose sources.toml notes where it is from and of which day.

    Raises UsageError for an address that may not be fetched, RagError when nothing useful comes back.
    """
    end = time.monotonic() + SECONDS
    asked = address
    for _ in range(REDIRECTS + 1):
        parts = _checked(address)
        reply = _ask(parts, _open_to(parts, allow_private), end)
        if reply.status in (301, 302, 303, 307, 308) and reply.head.get("location"):
            address = urljoin(address, reply.head["location"].strip())
            continue
        if reply.status != 200:
            raise RagError(f"{asked} answers {reply.status} {http.client.responses.get(reply.status, '')}".rstrip() + ": check the address")
        return _kept(address, reply, Path(folder))
    raise RagError(f"{asked} leads on more than {REDIRECTS} times: name the address that it ends at")


def _checked(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{address!r} is no web address: {error}") from error
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or port == 0 or re.search(r"[\x00-\x20\x7f]", address):
        raise UsageError(f"{address!r} cannot be fetched: give an address that begins with http:// or https://")
    if parts.username or parts.password:
        raise UsageError(f"{parts.hostname}: an address with a name or password in it is not fetched; save the file and index that")
    return parts


def _open_to(parts: SplitResult, allow_private: bool) -> tuple[str, int]:
    """(address, port) of the host, every address of which must be a public one unless private ones are allowed."""
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    try:
        found = [entry[4][0] for entry in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise RagError(f"{parts.hostname} is not known: check the address and the connection") from error
    for text in found:
        number = ipaddress.ip_address(text.split("%")[0])
        number = getattr(number, "ipv4_mapped", None) or number
        if not allow_private and (not number.is_global or number.is_multicast):
            raise UsageError(f"{parts.hostname} is {number}, an address of a private network: allow it with --allow-private if you mean it")
    return found[0], port


def _ask(parts: SplitResult, place: tuple[str, int], end: float) -> _Reply:
    left = end - time.monotonic()
    try:
        if left <= 0:
            raise TimeoutError
        stream = socket.create_connection(place, timeout=min(left, 20))
        if parts.scheme.lower() == "https":
            stream = ssl.create_default_context().wrap_socket(stream, server_hostname=parts.hostname)
        connection = http.client.HTTPConnection(parts.hostname, place[1], timeout=min(left, 20))
        connection.sock = stream  # to the address that was checked, whatever the name may lead to by now
        try:
            heads = {
                "User-Agent": _AGENT,
                "Accept-Encoding": "identity",
                "Accept": "text/html,application/pdf,*/*;q=0.5",
                "Connection": "close",
            }
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(
                "GET", re.sub(r"[^\x21-\x7e]", lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), target), headers=heads
            )
            answer = connection.getresponse()
            body = _body(parts, answer, stream, end) if answer.status == 200 else b""
            return _Reply(answer.status, answer.headers, body)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        what = "took too long" if isinstance(error, TimeoutError) else f"could not be fetched ({type(error).__name__})"
        raise RagError(f"{parts.geturl()} {what}: try again, or save the page and index the file") from error


def _body(parts: SplitResult, answer: http.client.HTTPResponse, stream: socket.socket, end: float) -> bytes:
    limit = f"{parts.geturl()} is over the limit of {MAX_BYTES / 1e6:.0f} MB: save what you need of it and index that"
    unpack = zlib.decompressobj(47) if answer.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip", "deflate") else None
    made = bytearray()
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        stream.settimeout(min(left, 20))
        block = answer.read1(65_536)
        if not block:
            return bytes(made)
        try:
            made += unpack.decompress(block, MAX_BYTES + 1 - len(made)) if unpack else block
        except zlib.error as error:
            raise ValueError("packed in a way that is not known") from error
        if len(made) > MAX_BYTES:
            raise RagError(limit)


def _kept(address: str, reply: _Reply, folder: Path) -> Path:
    parts = urlsplit(address)
    name = PurePosixPath(unquote(parts.path))
    kind = reply.head.get_content_type()
    suffix = _KINDS.get(kind, "")
    if name.suffix.lower() in SUFFIXES and kind in ("application/octet-stream", "text/plain", "binary/octet-stream"):
        suffix = name.suffix.lower()
    if not suffix:
        raise RagError(f"{address} is of the kind {kind}, which cannot be read: save it in another format and index the file")
    today = date.today().isoformat()
    stem = slug(f"{parts.hostname} {name.parent.name if name.stem in ('', 'index') else name.stem}".replace("www.", ""))[:60]
    query = f"-{zlib.crc32(address.encode()):08x}" if parts.query or len(stem) < len(parts.hostname or "") else ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{stem}{query}-{today}{suffix}"
        partial = file.with_name(f".{file.name}.partial")
        partial.write_bytes(_labelled(reply, suffix))
        partial.replace(file)
        _note_source(folder, file.name, address, f"{parts.hostname} (fetched {today})")
    except OSError as error:
        raise RagError(f"{folder} cannot be written: {error.strerror or error}") from error
    return file


def _labelled(reply: _Reply, suffix: str) -> bytes:
    """The bytes as they came; text whose encoding only the reply's head tells is kept as UTF-8, since the copy has no head."""
    label = reply.head.get_content_charset()
    if not label or label in ("utf-8", "utf8") or suffix not in (".html", ".txt", ".md", ".csv", ".tsv"):
        return reply.body
    if suffix == ".html" and re.search(rb"charset\s*=", reply.body[:4096], re.I):
        return reply.body
    try:
        return (
            b"\xef\xbb\xbf" + reply.body.decode({"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252"}.get(label, label)).encode()
        )
    except (UnicodeDecodeError, LookupError):
        return reply.body


def _note_source(folder: Path, name: str, address: str, publisher: str) -> None:
    file = folder / SOURCES
    known = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    known[name] = {"publisher": publisher, "address": address}
    lines = []
    for entry, values in sorted(known.items()):
        lines += [
            f"[{json.dumps(entry, ensure_ascii=False)}]",
            *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()),
            "",
        ]
    file.write_text("\n".join(lines), encoding="utf-8")
