"""Writing a generation: beside the last, verified from disk, and published by renaming one pointer. One writer under a kernel lock.

Limitations: a change of one report writes all files anew, though only its own chunks are embedded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.errors import IndexBusy, IndexDamaged, NothingIndexed, RagError, UsageError
from rag.index.generation import (
    Parts,
    done_mark,
    entries,
    generations,
    inconsistencies,
    load,
    newest_good,
    number_of,
    read_manifest,
    read_pointer,
)
from rag.index.lexical import LexicalRow, build_lexical
from rag.index.manifest import Manifest, StageProgress, manifest_to_json
from rag.index.outline import OUTLINE_VERSION
from rag.index.vectors import build_vectors
from rag.types import FloatMatrix


@dataclass
class Content:
    """A generation before it is written."""

    documents: list[tuple[str, str, str, str]]
    """(id, metadata, text, blocks), in the order of ids."""
    chunks: list[tuple[str, str, int, int, int | None, str, int]]
    """(id, document, start, end, page, section, tokens), in the order of ids: a chunk's row is its position in all three parts."""
    texts: dict[str, str]
    outlines: list[tuple[str, str]] = field(default_factory=list)
    """(document, outline as JSON)."""

    def text(self, row: int) -> str:
        _, document, start, end, *_ = self.chunks[row]
        return self.texts[document][start:end]


def publish(
    index_dir: Path, content: Content, matrix: FloatMatrix, old: Manifest | None, values: dict[str, Any], progress: StageProgress
) -> Manifest:
    """Writes, verifies and publishes the next generation; its manifest. Whatever fails before the last rename leaves the old in place."""
    numbers = [number_of(path.name) for place in (index_dir, index_dir / "quarantine") for path in entries(place)]
    number = max([0, *numbers]) + 1
    folder = index_dir / f"gen-{number:06d}.tmp-{secrets.token_hex(4)}"
    try:
        # 1. All files, in a folder that nobody reads.
        vectors = _write_files(folder, content, matrix, progress)
        # 2. What they are, by size and sha256.
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        files = {name: ((folder / name).stat().st_size, _digest(folder / name)) for name in names}
        counts = {"documents": len(content.documents), "chunks": len(content.chunks), "vectors": vectors}
        created = datetime.now(UTC).isoformat(timespec="seconds")
        parent = old.generation if old else 0
        counts["outline"] = OUTLINE_VERSION
        manifest = Manifest(**values | counts, generation=number, parent=parent, created=created, files=files)
        text = manifest_to_json(manifest, index_dir).encode()
        _write(folder / "MANIFEST.json", text)
        _write(folder / "DONE", done_mark(text))
        _sync(folder / "lexical")
        _sync(folder)
        # 3. Read back from disk: what was written is what will be served.
        with closing(load(index_dir, folder.name, verify=True, number=number)) as parts:
            problems = inconsistencies(parts)
            if parts.ids != [row[0] for row in content.chunks]:
                problems = (*problems, "chunks.sqlite does not hold the chunks that were written")
        if problems:
            raise IndexDamaged(f"the new generation {number} failed its check ({problems[0]}): the old one is kept; run the command again")
        name = f"gen-{number:06d}"
        folder.rename(index_dir / name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # 4. It has its own name; now the pointer. That rename is the commit. From here on nothing is cleaned up after an error: whether the
    # commit took place may not be known, and a generation that nothing points to does no harm.
    _sync(index_dir)
    point(index_dir, name)
    progress("write", 4, 4)
    # 5. Only the new one and the one it came from stay; nothing that goes wrong here can undo the commit.
    with suppress(OSError):
        _tidy(index_dir, keep={number, parent}, newest_good=parent)
    return manifest


def _write_files(folder: Path, content: Content, matrix: FloatMatrix, progress: StageProgress) -> int:
    """Writes the three parts of a generation and syncs them to disk; the number of vectors."""
    progress("write", 0, 4)
    (folder / "lexical").mkdir(parents=True)
    vectors = build_vectors(matrix)
    _write(folder / "vectors.faiss", vectors.to_bytes())
    progress("write", 1, 4)
    _write_chunks(folder / "chunks.sqlite", content)
    progress("write", 2, 4)
    build_lexical(folder / "lexical", _lexical_rows(content))
    progress("write", 3, 4)
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)
    return len(vectors)


def point(index_dir: Path, name: str) -> None:
    _write(index_dir / "CURRENT.tmp", name.encode() + b"\n")
    (index_dir / "CURRENT.tmp").replace(index_dir / "CURRENT")
    _sync(index_dir)


def _lexical_rows(content: Content) -> Iterator[LexicalRow]:
    titles = {row[0]: json.loads(row[1])["title"] for row in content.documents}
    for position, (_, document, _, _, _, section, _) in enumerate(content.chunks):
        yield LexicalRow(position, document, content.text(position), " ".join([titles[document], *json.loads(section)]))


def _write_chunks(path: Path, content: Content) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        # The file is thrown away when anything goes wrong, so it needs no journal.
        database.execute("PRAGMA journal_mode=OFF")
        database.execute("PRAGMA synchronous=OFF")
        database.execute("BEGIN")
        database.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, metadata TEXT, text TEXT, blocks TEXT)")
        database.execute(
            "CREATE TABLE chunks (position INTEGER PRIMARY KEY, id TEXT UNIQUE, document TEXT, start INTEGER, end INTEGER, page INTEGER, "
            "section TEXT, tokens INTEGER)"
        )
        database.execute("CREATE INDEX chunks_by_document ON chunks (document, start)")
        database.executemany("INSERT INTO documents VALUES (?, ?, ?, ?)", content.documents)
        database.execute("CREATE TABLE outlines (document TEXT PRIMARY KEY, outline TEXT)")
        database.executemany("INSERT INTO outlines VALUES (?, ?)", content.outlines)
        rows = ((position, *row) for position, row in enumerate(content.chunks))
        database.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        database.execute("COMMIT")


def _tidy(index_dir: Path, keep: set[int], newest_good: int) -> None:
    """Deletes the generations that nothing needs; a damaged one that is newer than the good one goes to quarantine/ with all its bytes."""
    for name in generations(index_dir):
        if number_of(name) in keep:
            continue
        damaged = False
        if number_of(name) > newest_good:
            try:
                load(index_dir, name, verify=True).close()
            except IndexDamaged:
                damaged = True
        if damaged:
            (index_dir / "quarantine").mkdir(exist_ok=True)
            (index_dir / name).rename(index_dir / "quarantine" / name)
        else:
            shutil.rmtree(index_dir / name, ignore_errors=True)


def base_of(index_dir: Path) -> tuple[Parts | None, str, tuple[str, ...]]:
    """(the generation to build on or None, why all must be made anew or "", the paths known so far). Sweeps what a killed writer left."""
    for path in entries(index_dir):
        if re.fullmatch(r"gen-\d+\.tmp-[0-9a-f]+", path.name):
            shutil.rmtree(path, ignore_errors=True)
    with suppress(FileNotFoundError):
        (index_dir / "CURRENT.tmp").unlink()
    pointer = read_pointer(index_dir)
    parts, problems = newest_good(index_dir, pointer, verify=True)
    if parts:
        return parts, f"{problems[0]}; built on generation {parts.manifest.generation}" if problems else "", parts.manifest.roots
    roots: tuple[str, ...] = ()
    for name in generations(index_dir):
        with suppress(RagError):
            roots = read_manifest(index_dir / name, index_dir).roots
            break
    return None, str(problems[0]) if problems else "", roots


@contextmanager
def writer(index_dir: Path) -> Iterator[None]:
    """The writer's lock. The kernel holds it, so it dies with the process; what stands in the file is for people."""
    index_dir.mkdir(parents=True, exist_ok=True)
    with (index_dir / "LOCK").open("a+", encoding="utf-8") as handle:
        try:
            _lock(handle)
        except OSError as error:
            handle.seek(0)
            holder = handle.read(200).strip() or "unknown"
            raise IndexBusy(f"another process is writing to {index_dir} ({holder}): wait until it is done") from error
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC).isoformat(timespec='seconds')}\n")
        handle.flush()
        yield


def _lock(handle) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def disk_errors(index_dir: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RagError(
            f"cannot write the index at {index_dir} ({reason}): what was there is unchanged; mend that and run it again"
        ) from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _sync(path: Path) -> None:
    """Asks the drive to keep a file, or the names in a folder."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def rollback(index_dir: str | Path) -> str:
    """Points the index back to the newest good generation before the current one; its name. Raises UsageError when there is none."""
    index_dir = Path(index_dir).absolute()
    if not index_dir.is_dir():
        raise NothingIndexed(f"nothing is indexed at {index_dir}: run `rag index PATH... --index {index_dir}`")
    with disk_errors(index_dir), writer(index_dir):
        current = number_of(read_pointer(index_dir))
        for name in generations(index_dir):
            if current and number_of(name) >= current:
                continue
            with suppress(IndexDamaged):
                load(index_dir, name, verify=True).close()
                point(index_dir, name)
                return name
        raise UsageError(f"no earlier generation at {index_dir} to go back to: run `rag index PATH... --index {index_dir}`")
