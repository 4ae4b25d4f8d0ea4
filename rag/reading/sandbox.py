"""Files are read in child processes that may crash, hang or eat memory without harm: text and numbers come back as JSON, nothing else.

    with Sandbox() as sandbox:
        for path, outcome in sandbox.read(paths): ...        # a Reading, or the UnreadableFile that says why not

One child reads many files, one after the other, and is replaced after a crash. What it gave up: a child may still open any file that its
user may open; without a POSIX system only the time limit holds.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, get_args

from rag.config import PACKAGE
from rag.errors import RagError, UnreadableFile
from rag.reading.dispatch import PICTURES
from rag.reading.formats.ocr import MEMORY, engine
from rag.text.chunk import chunk_id
from rag.types import Block, Chunk, Document, Kind

MAX_FRAME = 256_000_000
"""Bytes of one message from a child."""
MAX_TEXT = 40_000_000
"""Characters of one document."""
MAX_CHILDREN = 8
WORTH_A_CHILD = 300_000
"""Bytes of files for which one more child pays, since its start takes a fifth of a second."""
_ATTEMPTS = 6
"""Children that one PDF may use up, one bad page each, before it is given up."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use."""

    memory: int = 1_100_000_000
    """Bytes of address space."""
    seconds: float = 60
    """Of computing for one file, and twice that on the clock."""
    seconds_per_megabyte: float = 4
    """More of it for each million bytes of the file."""
    seconds_to_recognise: float = 1_800
    """More of it for a PDF whose page images may be read by text recognition."""
    files: int = 50
    """Files that a child reads before a fresh one takes its place."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How documents are cut into chunks."""

    target_tokens: int = 260
    max_tokens: int = 400


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file came to."""

    document: Document
    chunks: tuple[Chunk, ...] = ()
    """None were wanted, or there is no word in it."""

    def named(self, document_id: str) -> Reading:
        """The same under another id; the ids of its chunks change with it."""
        chunks = (
            replace(
                chunk, id=chunk_id(document_id, chunk.start, chunk.end, self.document.text[chunk.start : chunk.end]), document=document_id
            )
            for chunk in self.chunks
        )
        return Reading(replace(self.document, id=document_id), tuple(chunks))


# ------------------------------------------------------------------------------------------------------------------- in this process


class Sandbox:
    """Child processes that read files. Children start with the first file and end with `close`."""

    def __init__(self, limits: Limits | None = None, children: int = 0, recognise: bool = False):
        self.limits = limits or Limits()
        self.recognise = recognise
        self.children = children or min(_cores(), MAX_CHILDREN)
        self._closing = threading.Event()
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read_one(self, path: Path, *, cut: Cut | None = None, known: Mapping[str, str] | None = None) -> Reading:
        """One file. `known` overrides what the file says of itself (title, publisher, year, language, id). Raises UnreadableFile."""
        child = self._take()
        try:
            return child.read(path, cut, known or {})
        finally:
            with self._lock:
                self._idle.append(child)

    def read(
        self, paths: Iterable[Path], *, cut: Cut | None = None, known: Callable[[Path], Mapping[str, str]] | None = None
    ) -> Iterator[tuple[Path, Reading | UnreadableFile]]:
        """Each path with what it came to, in the order in which they are done. At most a few results wait in memory."""
        wanted = list(paths)
        children = max(1, min(self.children, len(wanted), 1 + sum(map(_size, wanted)) // WORTH_A_CHILD))
        todo, done = iter(wanted), queue.Queue[Any](maxsize=2 * self.children)
        stop, taking = threading.Event(), threading.Lock()

        def work() -> None:
            while not stop.is_set():
                with taking:
                    path = next(todo, None)
                if path is None:
                    break
                try:
                    outcome: Reading | BaseException = self.read_one(path, cut=cut, known=known(path) if known else None)
                except BaseException as error:  # handed to the caller's thread
                    outcome = error
                put((path, outcome))
            put(None)

        def put(item: object) -> None:
            while not stop.is_set():
                with suppress(queue.Full):
                    done.put(item, timeout=0.2)
                    return

        threads = [threading.Thread(target=work, name=f"reader-{number}", daemon=True) for number in range(children)]
        for thread in threads:
            thread.start()
        try:
            running = len(threads)
            while running:
                item = done.get()
                if item is None:
                    running -= 1
                    continue
                if isinstance(item[1], BaseException) and not isinstance(item[1], UnreadableFile):
                    raise item[1]
                yield item
        finally:
            stop.set()
            if any(thread.is_alive() for thread in threads):
                self._kill_all()
            for thread in threads:
                thread.join()

    def close(self) -> None:
        """Ends all children."""
        self._closing.set()
        self._kill_all()

    def _take(self) -> _Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            child = _Child(self.limits, self.recognise)
            self._all.add(child)
            return child

    def _kill_all(self) -> None:
        with self._lock:
            children = list(self._all)
        for child in children:
            child.stop()


class _Died(Exception):
    """The child ended, was ended, or broke the protocol. `str` says how, for people."""


class _Child:
    """One child process, started when there is something to read."""

    def __init__(self, limits: Limits, recognise: bool):
        self.limits = limits
        self.recognise = recognise
        self._engine = engine() if recognise else ""
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files = 0
        self._timed_out = False

    def read(self, path: Path, cut: Cut | None, known: Mapping[str, str]) -> Reading:
        request = request_for(path, cut, known)
        allowed = self._seconds(path)
        end = time.monotonic() + 2 * allowed
        by_hand: list[int] = []  # pages on which a child died: the fallback reads them
        lost: list[int] = []  # and pages on which the fallback died too
        for _ in range(_ATTEMPTS):
            page = 0
            try:
                self._send(request | {"seconds": allowed, "by_hand": by_hand, "lost": lost, "recognise": self._engine})
                with _alarm(max(end - time.monotonic(), 1.0), self._time_out):
                    while True:
                        reply = self._receive()
                        if "page" not in reply:
                            break
                        page = _number(reply["page"])
                return self._reading(path, reply, known)
            except _Died as death:
                self.stop()
                if path.suffix.lower() != ".pdf" or time.monotonic() > end or page in lost:
                    raise UnreadableFile(path, f"{death}; it may be damaged or made to do harm, so nothing of it was indexed") from death
                (lost if page in by_hand else by_hand).append(page)
                if 0 in lost:
                    raise UnreadableFile(path, f"{death}; it may be damaged or made to do harm, so nothing of it was indexed") from death
        raise UnreadableFile(
            path, f"reading it failed on pages {', '.join(map(str, sorted(by_hand)))}; it may be damaged or made to do harm"
        )

    def stop(self) -> None:
        """Ends the child and all that it started."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                if os.name == "posix":
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    stream.close()  # type: ignore[union-attr]
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    @property
    def _memory(self) -> int:
        return max(self.limits.memory, MEMORY) if self._engine == "rapidocr" else self.limits.memory

    def _seconds(self, path: Path) -> float:
        more = self.limits.seconds_to_recognise if self.recognise and path.suffix.lower() in (".pdf", *PICTURES) else 0
        return self.limits.seconds + self.limits.seconds_per_megabyte * _size(path) / 1e6 + more

    def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="rag-reader-")
        # No key, no proxy, no setting of the parent's: only what Python itself needs to start.
        kept = {name: os.environ[name] for name in ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV") if name in os.environ}
        environment = kept | {
            "PYTHONPATH": str(PACKAGE.parent),
            "PYTHONIOENCODING": "utf-8",
            "LC_ALL": "C.UTF-8",
            "TMPDIR": self._folder.name,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rag.reading.sandbox"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._folder.name,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise RagError(
                f"cannot start {sys.executable} to read files ({error.strerror or error}): free some memory and try again"
            ) from error
        self._files = 0
        self._write({"memory": self._memory})

    def _send(self, request: dict[str, Any]) -> None:
        if self._files >= self.limits.files:
            self.stop()
        if self._process is None:
            self._start()
        self._timed_out = False
        self._files += 1
        self._write(request)

    def _write(self, message: dict[str, Any]) -> None:
        try:
            send(self._process.stdin, frame(message))  # type: ignore[union-attr, arg-type]
        except (OSError, AttributeError) as error:
            raise _Died("the reader ended before it began") from error

    def _receive(self) -> dict[str, Any]:
        process = self._process
        try:
            reply = read_frame(process.stdout)  # type: ignore[union-attr, arg-type]
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            raise _Died(f"the reader answered out of turn ({type(error).__name__})") from error
        if reply is None:
            raise _Died(self._how_it_ended(process))
        return reply

    def _how_it_ended(self, process: subprocess.Popen[bytes] | None) -> str:
        if self._timed_out or process is None:
            return "took too long to read"
        code = process.wait()
        if code == _OUT_OF_MEMORY:
            return f"needs more than {self._memory / 1e9:.1f} GB of memory to read"
        if code < 0 and -code == getattr(signal, "SIGXCPU", None):
            return "took too long to read"
        name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"
        return f"crashed the reader ({name})"

    def _time_out(self) -> None:
        self._timed_out = True
        process = self._process
        if process is not None:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()

    def _reading(self, path: Path, reply: dict[str, Any], known: Mapping[str, str]) -> Reading:
        if isinstance(reason := reply.get("unreadable"), str):
            raise UnreadableFile(path, " ".join(reason.split())[:500])
        try:
            return unpack(reply)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise _Died(f"the reader gave no document ({type(error).__name__})") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 100_000  # a member of an archive


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _alarm:
    """Calls `action` from another thread unless the block is left within `seconds`."""

    def __init__(self, seconds: float, action: Callable[[], None]):
        self._timer = threading.Timer(seconds, action)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


# ------------------------------------------------------------------------------------------------------------------------ the protocol


def request_for(path: Path, cut: Cut | None = None, known: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a child is asked. Surrogates in the name stand for its odd bytes, so it travels as those."""
    name = os.fsencode(path.absolute()).hex()
    wanted = {"path": name, "cut": asdict(cut) if cut else None, "known": dict(known or {})}
    return wanted | {"seconds": 60, "by_hand": [], "lost": [], "recognise": ""}


def frame(message: Mapping[str, Any]) -> bytes:
    """A message as its length in 8 hexadecimal digits and that many bytes of JSON. Raises UnicodeEncodeError for lone surrogates."""
    data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x" % len(data) + data


def send(stream: BinaryIO, data: bytes) -> None:
    """Writes a frame at once."""
    stream.write(data)
    stream.flush()


def read_frame(stream: BinaryIO, limit: int = MAX_FRAME) -> dict[str, Any] | None:
    """The next message; None when the other side has gone. Raises ValueError for anything but a JSON object of at most `limit` bytes."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    length = int(head, 16)
    if not 0 < length <= limit:
        raise ValueError(f"a message of {length} bytes")
    data = stream.read(length)
    if len(data) < length:
        return None
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ValueError("not an object")
    return message


_PLAIN = tuple(field.name for field in fields(Document) if field.name not in ("text", "blocks", "pages", "labels", "notes"))
_KINDS = frozenset(get_args(Kind))


def pack(reading: Reading) -> dict[str, Any]:
    """A reading as plain lists; section paths once each, since thousands of blocks share a few."""
    document = reading.document
    paths: dict[tuple[str, ...], int] = {}

    def numbered(path: tuple[str, ...]) -> int:
        return paths.setdefault(path, len(paths))

    blocks = [[b.start, b.end, b.kind, b.page, numbered(b.section), b.speaker] for b in document.blocks]
    chunks = [[c.start, c.end, c.page, numbered(c.section), c.tokens] for c in reading.chunks]
    return {
        "document": {name: getattr(document, name) for name in _PLAIN},
        "text": document.text,
        "notes": list(document.notes),
        "pages": list(document.pages),
        "labels": list(document.labels),
        "paths": list(paths),
        "blocks": blocks,
        "chunks": chunks,
    }


def unpack(plain: dict[str, Any]) -> Reading:
    """What `pack` packed, every type and place checked, because the child that sent it may be in the hands of a hostile file.

    Raises KeyError, TypeError, ValueError or IndexError.
    """
    text = _text(plain["text"], MAX_TEXT)
    paths = [tuple(_text(name) for name in path) for path in plain["paths"]]
    values = plain["document"]
    known = {name: _text(values[name], 1000) for name in _PLAIN if name not in ("year", "page_count")}
    year = None if values["year"] is None else _number(values["year"])
    pages = tuple((_number(start), None if page is None else _number(page)) for start, page in plain["pages"])
    labels = tuple((_number(page), _text(label, 100)) for page, label in plain["labels"])
    blocks, last = [], 0
    for start, end, kind, page, section, speaker in plain["blocks"]:
        if not last <= _number(start) <= _number(end) <= len(text) or kind not in _KINDS:
            raise ValueError("a block out of place")
        blocks.append(Block(start, end, kind, None if page is None else _number(page), paths[_number(section)], _text(speaker)))
        last = end
    if any(not 0 <= start <= len(text) for start, _ in pages) or list(pages) != sorted(pages, key=lambda entry: entry[0]):
        raise ValueError("a page out of place")
    document = Document(
        **known,
        text=text,
        blocks=tuple(blocks),
        year=year,
        page_count=_number(values["page_count"]),
        notes=tuple(_text(note) for note in plain["notes"]),
        pages=pages,
        labels=labels,
    )
    chunks = []
    for start, end, page, section, tokens in plain["chunks"]:
        if not 0 <= _number(start) < _number(end) <= len(text):
            raise ValueError("a chunk out of place")
        identity = chunk_id(document.id, start, end, text[start:end])
        number = None if page is None else _number(page)
        chunks.append(Chunk(identity, document.id, start, end, number, paths[_number(section)], _number(tokens)))
    return Reading(document, tuple(chunks))


def _text(value: object, longest: int = 100_000) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise TypeError(f"not a text of at most {longest} characters")
    value.encode()  # lone surrogates are no text
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise TypeError("not a count")
    return value


# ------------------------------------------------------------------------------------------------------------------- in the child


_OUT_OF_MEMORY = 77


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Reads files as they are asked for, until the other side closes."""
    hello = read_frame(requests)
    if hello is None:
        return
    _confine(hello["memory"])
    while (request := read_frame(requests)) is not None:
        _allow_seconds(request["seconds"])
        try:
            reply = reply_to(request, lambda page: send(replies, frame({"page": page})))
        except MemoryError:
            os._exit(_OUT_OF_MEMORY)
        send(replies, reply)


def reply_to(request: dict[str, Any], watch: Callable[[int], None] = lambda page: None) -> bytes:
    """The frame that answers a request, whatever the file does, short of ending the process. Raises MemoryError."""
    try:
        return frame(_answer(request, watch))
    except UnicodeEncodeError:
        return frame({"unreadable": "holds characters that are not Unicode text"})


def _answer(request: dict[str, Any], watch: Callable[[int], None]) -> dict[str, Any]:
    from rag.reading.dispatch import read_document
    from rag.text.chunk import chunk_document

    path = Path(os.fsdecode(bytes.fromhex(request["path"])))
    try:
        asked = {name: request[name] for name in ("known", "by_hand", "lost", "recognise")}
        document = read_document(path, watch=watch, **asked)
        if len(document.text) > MAX_TEXT:
            reason = (
                f"{len(document.text) / 1e6:.0f} million characters, over the limit of {MAX_TEXT / 1e6:.0f}; split it and index the parts"
            )
            return {"unreadable": reason}
        chunks = tuple(chunk_document(document, **request["cut"])) if request["cut"] else ()
        return pack(Reading(document, chunks))
    except UnreadableFile as error:
        return {"unreadable": error.reason}
    except MemoryError:
        raise
    except RecursionError:
        return {"unreadable": "nested too deeply; it may be damaged or made to do harm"}
    except Exception as error:
        return {"unreadable": f"reading failed ({type(error).__name__}: {str(error)[:200]})"}


def _confine(memory: int) -> None:
    """Limits that the system holds this process to, and no network where that can be had."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, value in (("RLIMIT_AS", memory), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 50_000_000), ("RLIMIT_NOFILE", 64)):
        with suppress(ValueError, OSError, AttributeError):
            limit = getattr(resource, name)
            _, hard = resource.getrlimit(limit)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(limit, (value, value))
    with suppress(Exception):
        import ctypes

        new_user, new_network = 0x10000000, 0x40000000
        ctypes.CDLL(None).unshare(new_user | new_network)  # Linux; refused where the system does not allow it


def _allow_seconds(seconds: float) -> None:
    """This many seconds of computing from now on; then the system ends the process."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = time.process_time()
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, hard))


def _main() -> None:
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what a library prints must not come between the messages
        os.dup2(nothing, stream)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    with suppress(BrokenPipeError):
        serve(requests, replies)


if __name__ == "__main__":
    _main()
