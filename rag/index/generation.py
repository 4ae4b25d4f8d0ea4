"""Loading one generation from disk, checked byte by byte before FAISS, SQLite or tantivy sees it.

index/  LOCK  CURRENT -> gen-000042   gen-000042/{MANIFEST.json, vectors.faiss, lexical/, chunks.sqlite, DONE}  gen-000041/  quarantine/
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import stat
import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import IndexDamaged, IndexMismatch, RagError
from rag.index.lexical import LexicalIndex, terms
from rag.index.manifest import Manifest, manifest_from_json
from rag.index.outline import OUTLINE_VERSION
from rag.index.vectors import VectorIndex, read_vectors
from rag.types import Block, Chunk, Document

_GENERATION = re.compile(r"gen-(\d{6,12})")


@dataclass
class Parts:
    """A generation, loaded and checked part by part."""

    manifest: Manifest
    vectors: VectorIndex
    lexical: LexicalIndex
    ids: list[str]
    """Chunk ids in ascending order; an id's place is its position in all three parts."""
    database: sqlite3.Connection
    lock: threading.Lock = field(default_factory=threading.Lock)

    def rows(self, statement: str, *values: object) -> list[tuple]:
        with self.lock:
            return self.database.execute(statement, values).fetchall()

    def position(self, chunk_id: str) -> int | None:
        place = bisect_left(self.ids, chunk_id)
        return place if place < len(self.ids) and self.ids[place] == chunk_id else None

    def outlines(self, documents: Iterable[str]) -> dict[str, str]:
        """The stored outlines of these documents, as JSON; none where they are of another version."""
        if self.manifest.outline != OUTLINE_VERSION:
            return {}
        return dict(row for name in documents for row in self.rows("SELECT document, outline FROM outlines WHERE document = ?", name))

    def close(self) -> None:
        with self.lock:
            self.database.close()


def newest_good(index_dir: Path, pointer: str, verify: bool) -> tuple[Parts | None, list[IndexDamaged]]:
    """(the generation that the pointer names or the newest good one before it, what is wrong with those passed over).

    Without a pointer that can be read, all generations count.
    """
    names = generations(index_dir)
    problems = []
    if pointer:
        names = [pointer, *(name for name in names if number_of(name) < number_of(pointer))]
    elif names:
        problems.append(IndexDamaged("CURRENT does not name a generation"))
    for name in names:
        try:
            return load(index_dir, name, verify), problems
        except IndexDamaged as error:
            problems.append(error)
    return None, problems


def load(index_dir: Path, name: str, verify: bool, number: int | None = None) -> Parts:
    """One generation in memory. Every byte is checked before FAISS, SQLite or tantivy sees it, and they get just these bytes.

    Raises IndexDamaged, naming the file, or IndexMismatch for another format.
    """
    folder = index_dir / name
    manifest = read_manifest(folder, index_dir)
    if manifest.generation != (number_of(name) if number is None else number):
        raise IndexDamaged(f"{name}/MANIFEST.json is of generation {manifest.generation}")
    there = _names_inside(folder)
    unknown, missing = there - {*manifest.files, "MANIFEST.json", "DONE"}, set(manifest.files) - there
    if unknown or missing:
        raise IndexDamaged(f"{name}/{min(unknown or missing)} is {'not in the manifest' if unknown else 'missing'}")
    content: dict[str, bytes] = {}
    for file, (size, digest) in manifest.files.items():
        data = _read_bytes(folder, file, size)
        if verify and hashlib.sha256(data).hexdigest() != digest:
            raise IndexDamaged(f"{name}/{file} has another sha256 than the manifest says")
        content[file] = data
    database = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        vectors = read_vectors(content["vectors.faiss"], manifest.dimension, manifest.vectors)
        lexical = LexicalIndex({file.removeprefix("lexical/"): data for file, data in content.items() if file.startswith("lexical/")})
        database.deserialize(content["chunks.sqlite"])
        database.execute("PRAGMA trusted_schema=OFF")
        database.execute("PRAGMA query_only=ON")
        rows = database.execute("SELECT position, id FROM chunks ORDER BY position").fetchall()
        documents = database.execute("SELECT count(*) FROM documents").fetchone()[0]
        ids = [row[1] for row in rows]
        if [row[0] for row in rows] != list(range(manifest.chunks)) or ids != sorted(set(ids)) or documents != manifest.documents:
            raise IndexDamaged(f"{documents} documents and {len(rows)} chunks, not {manifest.documents} and {manifest.chunks} in order")
        if len(lexical) != manifest.chunks:
            raise IndexDamaged(f"lexical/ has {len(lexical)} chunks, not {manifest.chunks}")
        if manifest.vectors and vectors.positions[-1] >= manifest.chunks:
            raise IndexDamaged("vectors.faiss has a vector without a chunk")
    except OSError as error:
        database.close()
        raise RagError(f"no room to load the index ({error.strerror or error}): set TMPDIR to a folder that can be written") from error
    except Exception as error:
        database.close()
        raise IndexDamaged(f"{name}: {str(error)[:200]}") from error
    return Parts(manifest, vectors, lexical, ids, database)


def _names_inside(folder: Path) -> set[str]:
    """Everything in a folder that is no folder itself, by its path from there. A folder that goes meanwhile has nothing in it."""
    found = set()
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found |= {(Path(place) / name).relative_to(folder).as_posix() for name in (*files, *links)}
    return found


def _read_bytes(folder: Path, file: str, size: int | None = None) -> bytes:
    """Content of a regular file of a generation, of exactly `size` bytes where given. Raises IndexDamaged."""
    path, name = folder / file, f"{folder.name}/{file}"
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            raise IndexDamaged(f"{name} is not a regular file")
        if size is not None and status.st_size != size:
            raise IndexDamaged(f"{name} has {status.st_size} bytes, not {size}")
        return path.read_bytes()
    except OSError as error:
        raise IndexDamaged(f"{name} cannot be read ({error.strerror or error})") from error


def read_manifest(folder: Path, index_dir: Path) -> Manifest:
    """The manifest, if it is whole by the sha256 in DONE. Raises IndexDamaged or IndexMismatch."""
    text = _read_bytes(folder, "MANIFEST.json")
    if _read_bytes(folder, "DONE") != done_mark(text):
        raise IndexDamaged(f"{folder.name}/MANIFEST.json has another sha256 than DONE says")
    try:
        return manifest_from_json(text.decode(), index_dir)
    except IndexMismatch as error:
        raise IndexMismatch(f"{folder.name} {error}: run `rag index PATH... --index {index_dir}`") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IndexDamaged(f"{folder.name}/MANIFEST.json is not a manifest ({type(error).__name__}: {str(error)[:100]})") from error


def done_mark(manifest: bytes) -> bytes:
    return hashlib.sha256(manifest).hexdigest().encode() + b"\n"


def inconsistencies(parts: Parts) -> tuple[str, ...]:
    """What a full comparison of the three parts finds wrong, as lines for people."""
    problems = []
    verdict = parts.rows("PRAGMA integrity_check")[0][0]
    if verdict != "ok":
        problems.append(f"chunks.sqlite: {verdict}")
    if parts.lexical.positions() != list(range(len(parts.ids))):
        problems.append("lexical/ does not hold the chunks of chunks.sqlite")
    texts = dict(parts.rows("SELECT id, text FROM documents"))
    spans = parts.rows("SELECT id, document, start, end FROM chunks ORDER BY position")
    stray = [name for name, document, start, end in spans if not 0 <= start < end <= len(texts.get(document, ""))]
    if stray:
        problems.append(f"chunk {stray[0]} does not lie in its document")
    if len(parts.vectors):
        position = int(parts.vectors.positions[len(parts.vectors) // 2])
        vector = parts.vectors.vectors(np.array([position]))[0]
        best = parts.vectors.search(vector, 1)
        if not best or best[0][1] < 0.99:
            problems.append(f"vectors.faiss does not find chunk {parts.ids[position]} by its own vector")
        _, document, start, end = spans[position]
        words = dict.fromkeys(terms(texts.get(document, "")[start:end]), 1.0)
        if words and not parts.lexical.search(words, 1, frozenset([document])):
            problems.append(f"lexical/ does not find chunk {parts.ids[position]} by its own words")
    return tuple(problems)


def read_pointer(index_dir: Path) -> str:
    """The name of the generation in CURRENT; empty when there is none or it is not one."""
    try:
        with (index_dir / "CURRENT").open(encoding="ascii") as handle:
            name = handle.read(64).strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return name if _GENERATION.fullmatch(name) else ""


def generations(index_dir: Path) -> list[str]:
    """Names of the generations that are there, newest first."""
    return sorted((path.name for path in entries(index_dir) if number_of(path.name)), key=number_of, reverse=True)


def number_of(name: str) -> int:
    match = _GENERATION.fullmatch(name)
    return int(match[1]) if match else 0


def entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


CHUNKS = "SELECT id, document, start, end, page, section, tokens FROM chunks"


def chunk_from_row(row: tuple) -> Chunk:
    chunk_id, document, start, end, page, section, tokens = row
    return Chunk(chunk_id, document, start, end, page, tuple(json.loads(section)), tokens)


def chunk_row(chunk: Chunk) -> tuple:
    return (chunk.id, chunk.document, chunk.start, chunk.end, chunk.page, dump(chunk.section), chunk.tokens)


_TEXT_FIELDS = ("text", "blocks", "pages")


def metadata_of(document: Document) -> dict[str, Any]:
    return {name: getattr(document, name) for name in Document.__slots__ if name not in _TEXT_FIELDS}


def document_from_row(metadata: str, text: str = "", blocks: str = "") -> Document:
    values = json.loads(metadata)
    values |= {"notes": tuple(values["notes"]), "labels": tuple((page, label) for page, label in values.get("labels", ()))}
    unpacked, pages = unpack_blocks(json.loads(blocks)) if blocks else ((), ())
    return Document(**values, text=text, blocks=unpacked, pages=pages)


def pack_blocks(document: Document) -> list:
    """[section paths, rows, pages]: each path once, because thousands of blocks share a few."""
    blocks = document.blocks
    paths = list(dict.fromkeys(block.section for block in blocks))
    numbers = {path: number for number, path in enumerate(paths)}
    return [paths, [[b.start, b.end, b.kind, b.page, numbers[b.section], b.speaker] for b in blocks], document.pages]


def unpack_blocks(packed: list) -> tuple[tuple[Block, ...], tuple[tuple[int, int | None], ...]]:
    paths = [tuple(path) for path in packed[0]]
    blocks = tuple(Block(start, end, kind, page, paths[number], speaker) for start, end, kind, page, number, speaker in packed[1])
    return blocks, tuple((start, page) for start, page in packed[2]) if len(packed) > 2 else ()


def dump(value: object, *, ensure_ascii: bool = True) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"))
