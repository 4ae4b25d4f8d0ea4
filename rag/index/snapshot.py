"""One generation in memory, as everything that searches sees it.

Readers load a whole generation and never look at the disk again; when the pointer has moved they open the next one.
Limitations: an index larger than memory cannot be opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from rag.errors import IndexBusy, IndexDamaged, IndexMismatch, NothingIndexed
from rag.index.encoder import word_vectors
from rag.index.generation import (
    CHUNKS,
    Parts,
    chunk_from_row,
    document_from_row,
    generations,
    inconsistencies,
    load,
    newest_good,
    number_of,
    read_pointer,
)
from rag.index.manifest import difference_of
from rag.index.outline import Outline, from_json, outline_of
from rag.types import Chunk, Document, Encoder


class Snapshot:
    """One generation in memory, whatever happens on disk. A `rag.types.Store`; any number of threads may use it."""

    def __init__(self, index_dir: Path, parts: Parts, pointer: str, warning: str = ""):
        self.index_dir = index_dir
        self.manifest = parts.manifest
        self.generation = parts.manifest.generation
        self.encoder_name = parts.manifest.encoder
        self.dimension = parts.manifest.dimension
        self.dense_weight = parts.manifest.dense_weight
        self.warning = warning
        """One line for people when an older generation is served because the newest is damaged; else empty."""
        self._parts = parts
        self._pointer = pointer
        self._documents: tuple[Document, ...] | None = None
        # Caches of the instance's own, so that a dropped snapshot takes its texts with it.
        self._document = lru_cache(maxsize=256)(self._find_document)
        self._positions = lru_cache(maxsize=64)(self._find_positions)
        self._outline = lru_cache(maxsize=256)(self._find_outline)

    def count(self) -> int:
        """Number of chunks."""
        return len(self._parts.ids)

    def documents(self) -> tuple[Document, ...]:
        """All documents, in the order of their ids, with empty `text` and `blocks`."""
        if self._documents is None:
            self._documents = tuple(document_from_row(row[0]) for row in self._parts.rows("SELECT metadata FROM documents ORDER BY id"))
        return self._documents

    def document(self, document_id: str) -> Document:
        """The whole document. Raises KeyError when there is none."""
        return self._document(document_id)

    def outline(self, document_id: str) -> Outline:
        """The outline of a document, made now where the generation has none of this version. Raises KeyError when there is no such document."""
        return self._outline(document_id)

    def chunks(self, ids: Sequence[str]) -> list[Chunk]:
        """The chunks of these ids, in the order given. Raises KeyError for an unknown one."""
        return [chunk_from_row(self._parts.rows(CHUNKS + " WHERE position = ?", self._position(chunk_id))[0]) for chunk_id in ids]

    def chunks_of(self, document_id: str) -> list[Chunk]:
        """All chunks of a document, in the order of its text."""
        return [chunk_from_row(row) for row in self._parts.rows(CHUNKS + " WHERE document = ? ORDER BY start, end", document_id)]

    def document_frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many chunks each lexical term occurs; for a term that only section paths have, in the paths of how many."""
        return self._parts.lexical.document_frequencies(terms)

    def lexical(self, terms: dict[str, float], top_k: int, documents: frozenset[str] | None = None) -> list[tuple[str, float]]:
        """(chunk id, BM25 score) best first, ties by id; chunks that share no term are left out."""
        ids = self._parts.ids
        return [(ids[position], score) for position, score in self._parts.lexical.search(terms, top_k, documents)]

    def dense(self, vector: np.ndarray, top_k: int, documents: frozenset[str] | None = None) -> list[tuple[str, float]]:
        """(chunk id, cosine) best first, ties by id; chunks without a vector are left out, a vector of zeros finds nothing."""
        ids, allowed = self._parts.ids, None if documents is None else self._positions(documents)
        return [(ids[position], score) for position, score in self._parts.vectors.search(vector, top_k, allowed)]

    def cosines(self, vector: np.ndarray, ids: Sequence[str]) -> list[float]:
        """The cosine of each of these chunks, 0 for one without a vector. Raises KeyError for an unknown id."""
        positions = np.array([self._position(chunk_id) for chunk_id in ids], dtype=np.int64)
        return self._parts.vectors.cosines(vector, positions).tolist()

    def is_current(self) -> bool:
        """Whether the pointer still stands as it did on opening. Cheap enough to ask before every question."""
        return read_pointer(self.index_dir) == self._pointer

    def close(self) -> None:
        """Frees the chunk store. A snapshot that is still in use elsewhere must not be closed; dropping it is enough."""
        self._parts.close()

    def _position(self, chunk_id: str) -> int:
        position = self._parts.position(chunk_id)
        if position is None:
            raise KeyError(chunk_id)
        return position

    def _find_document(self, document_id: str) -> Document:
        rows = self._parts.rows("SELECT metadata, text, blocks FROM documents WHERE id = ?", document_id)
        if not rows:
            raise KeyError(document_id)
        return document_from_row(*rows[0])

    def _find_outline(self, document_id: str) -> Outline:
        stored = self._parts.outlines([document_id])
        return from_json(stored[document_id]) if stored else outline_of(self.document(document_id), word_vectors())

    def _find_positions(self, documents: frozenset[str]) -> np.ndarray:
        found = [row[0] for name in documents for row in self._parts.rows("SELECT position FROM chunks WHERE document = ?", name)]
        return np.array(sorted(found), dtype=np.int64)


def open_index(index_dir: str | Path, *, encoder: Encoder | None = None, verify: bool = True) -> Snapshot:
    """Loads the current generation into memory, or the newest good one before it, and then `warning` says so.

    With `encoder`, the index must have been made with it. `verify=False` skips the sha256 of each file, not its size.
    Raises NothingIndexed, IndexMismatch, and IndexDamaged when no generation is good.
    """
    index_dir = Path(index_dir).absolute()
    for _ in range(10):
        pointer = read_pointer(index_dir)
        # A writer may publish, and clear away the generation that is being read. What is wrong then is wrong only with what is gone, so
        # trouble counts only while the pointer stands.
        try:
            snapshot = _open(index_dir, pointer, encoder, verify)
        except (IndexDamaged, NothingIndexed):
            if read_pointer(index_dir) == pointer:
                raise
        else:
            if not snapshot.warning or read_pointer(index_dir) == pointer:
                return snapshot
            snapshot.close()
    raise IndexBusy(f"the index at {index_dir} changes faster than it can be read: try again")


def _open(index_dir: Path, pointer: str, encoder: Encoder | None, verify: bool) -> Snapshot:
    again = f"run `rag index PATH... --index {index_dir}`"
    parts, problems = newest_good(index_dir, pointer, verify)
    if problems and isinstance(problems[0], IndexMismatch):
        raise problems[0]
    if parts is None and problems:
        raise IndexDamaged(f"no generation of the index at {index_dir} is whole ({problems[0]}): {again}")
    if parts is None or not parts.manifest.documents:
        raise NothingIndexed(f"nothing is indexed at {index_dir}: {again}")
    difference = difference_of(parts.manifest, encoder)
    if difference:
        name = f" --encoder {encoder.name}" if encoder else ""
        raise IndexMismatch(f"the index at {index_dir} was made with {difference}: {again[:-1]}{name}`")
    warning = f"serving generation {parts.manifest.generation}: {problems[0]}; {again}" if problems else ""
    return Snapshot(index_dir, parts, pointer, warning)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a full check of the index on disk found."""

    ok: bool
    problems: tuple[str, ...]
    generation: int
    documents: int = 0
    chunks: int = 0
    vectors: int = 0


def check_index(index_dir: str | Path) -> CheckReport:
    """Reads everything of the current generation and compares its three parts. Writes nothing. Raises NothingIndexed."""
    index_dir = Path(index_dir).absolute()
    pointer = read_pointer(index_dir)
    if not pointer and not generations(index_dir):
        raise NothingIndexed(f"nothing is indexed at {index_dir}: run `rag index PATH... --index {index_dir}`")
    number = number_of(pointer)
    try:
        with closing(load(index_dir, pointer or "CURRENT", verify=True)) as parts:
            manifest, problems = parts.manifest, inconsistencies(parts)
    except IndexDamaged as error:
        return CheckReport(False, (str(error),), number)
    return CheckReport(not problems, problems, number, manifest.documents, manifest.chunks, manifest.vectors)
