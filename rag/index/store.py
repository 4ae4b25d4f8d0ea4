"""The index on disk: immutable generations, each written beside the last, verified from disk, and published by renaming one pointer.

    index/  LOCK  CURRENT -> gen-000042   gen-000042/{MANIFEST.json, vectors.faiss, lexical/, chunks.sqlite, DONE}  gen-000041/  quarantine/

One writer under a kernel lock; readers load a whole generation into memory and never look at the disk again. What it gives up: updating
in place (a change of one report writes all files anew, though only its own chunks are embedded) and indexes larger than memory.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import sqlite3
import stat
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import EncoderError, IndexBusy, IndexDamaged, IndexMismatch, NothingIndexed, RagError, UnreadableFile, UsageError
from rag.index.lexical import LEXER_VERSION, LexicalIndex, LexicalRow, build_lexical, terms
from rag.index.vectors import VectorIndex, build_vectors, read_vectors
from rag.index.weighing import estimate_dense_weight
from rag.text.chunk import CHUNKER_VERSION, chunk_document, chunk_id
from rag.types import Block, Chunk, Document, Encoder, FloatMatrix

if TYPE_CHECKING:
    from rag.reading.sandbox import Reading

FORMAT = 1
"""Of the files below; an index of another format is refused."""

StageProgress = Callable[[str, int, int], None]
"""Called with (stage, done, total); stages are "read", "encode" and "write"."""

_GENERATION = re.compile(r"gen-(\d{6,12})")
_INSIDE = "@index/"
"""Begins the name of an encoder that lies in the index's own folder."""
_LEXICAL_FILE = re.compile(r"lexical/[\w.-]{1,120}")


# ---------------------------------------------------------------------------------------------------------------- what is recorded


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read."""

    sha256: str
    document: str
    duplicate: bool = False
    """The same bytes were read from another file before; that one's document stands for both."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation holds and what it was made with. Paths are absolute in memory, relative to the index where they can be on disk."""

    generation: int
    parent: int
    """The generation it was made from; 0 for none."""
    created: str
    encoder: str
    revision: str
    dimension: int
    chunker: str
    target_tokens: int
    max_tokens: int
    lexer: str
    documents: int
    chunks: int
    vectors: int
    """Chunks that have one; a chunk without a word has none."""
    roots: tuple[str, ...]
    """The paths whose content the index mirrors."""
    sources: Mapping[str, Source]
    removed: Mapping[str, str]
    """path -> sha256 of files that were removed by name: they stay out until they change or are named again."""
    failed: Mapping[str, tuple[str, str]]
    """path -> (sha256, reason) of files that could not be read."""
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """name in the generation's folder -> (size in bytes, sha256)."""
    dense_weight: float | None = None
    """What a cosine of this encoder counts beside BM25, estimated from the corpus; None for the built-in one, whose mix is calibrated."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. Ids are of documents, in order."""

    generation: int
    documents: int
    chunks: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    """(file, reason); what was indexed from such a file before is still there."""
    duplicates: tuple[tuple[str, str], ...] = ()
    """(file, id of the document that has the same content)."""
    notes: tuple[tuple[str, str], ...] = ()
    """(file, what was left out of it or repaired) of files that were read now."""
    embedded: int = 0
    """Chunks that were given to the encoder; the vectors of all others were taken over."""
    rebuilt: str = ""
    """Why everything was made anew; empty when it was not."""
    seconds: float = 0.0
    changed_anything: bool = True


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a full check of the index on disk found."""

    ok: bool
    problems: tuple[str, ...]
    generation: int
    documents: int = 0
    chunks: int = 0
    vectors: int = 0


# ------------------------------------------------------------------------------------------------------------------------- reading


class Snapshot:
    """One generation in memory, whatever happens on disk. A `rag.types.Store`; any number of threads may use it."""

    def __init__(self, index_dir: Path, parts: _Parts, pointer: str, warning: str = ""):
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

    def count(self) -> int:
        """Number of chunks."""
        return len(self._parts.ids)

    def documents(self) -> tuple[Document, ...]:
        """All documents, in the order of their ids, with empty `text` and `blocks`."""
        if self._documents is None:
            self._documents = tuple(_document(row[0]) for row in self._parts.rows("SELECT metadata FROM documents ORDER BY id"))
        return self._documents

    def document(self, document_id: str) -> Document:
        """The whole document. Raises KeyError when there is none."""
        return self._document(document_id)

    def chunks(self, ids: Sequence[str]) -> list[Chunk]:
        """The chunks of these ids, in the order given. Raises KeyError for an unknown one."""
        return [_chunk(self._parts.rows(_CHUNKS + " WHERE position = ?", self._position(chunk_id))[0]) for chunk_id in ids]

    def chunks_of(self, document_id: str) -> list[Chunk]:
        """All chunks of a document, in the order of its text."""
        return [_chunk(row) for row in self._parts.rows(_CHUNKS + " WHERE document = ? ORDER BY start, end", document_id)]

    def document_frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many chunks each lexical term occurs; for a term that only section paths have, in the paths of how many."""
        return [self._parts.lexical.document_frequency(term) for term in terms]

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
        return _read_pointer(self.index_dir) == self._pointer

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
        return _document(*rows[0])

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
        pointer = _read_pointer(index_dir)
        try:
            return _open(index_dir, pointer, encoder, verify)
        except (IndexDamaged, NothingIndexed):
            # A writer may have published and cleared away the generation that was being read.
            if _read_pointer(index_dir) == pointer:
                raise
    raise IndexBusy(f"the index at {index_dir} changes faster than it can be read: try again")


def _open(index_dir: Path, pointer: str, encoder: Encoder | None, verify: bool) -> Snapshot:
    again = f"run `rag index PATH... --index {index_dir}`"
    parts, problems = _newest_good(index_dir, pointer, verify)
    if problems and isinstance(problems[0], IndexMismatch):
        raise problems[0]
    if parts is None and problems:
        raise IndexDamaged(f"no generation of the index at {index_dir} is whole ({problems[0]}): {again}")
    if parts is None or not parts.manifest.documents:
        raise NothingIndexed(f"nothing is indexed at {index_dir}: {again}")
    difference = _difference(parts.manifest, encoder)
    if difference:
        name = f" --encoder {encoder.name}" if encoder else ""
        raise IndexMismatch(f"the index at {index_dir} was made with {difference}: {again[:-1]}{name}`")
    warning = f"serving generation {parts.manifest.generation}: {problems[0]}; {again}" if problems else ""
    return Snapshot(index_dir, parts, pointer, warning)


def is_stale(paths: Sequence[str | Path], index_dir: str | Path, encoder: Encoder) -> bool:
    """Whether `build_index` would have something to do: a cheap look at the manifest and at the sha256 of the files.

    A file that could not be read counts only once it changes.
    """
    from rag.reading.dispatch import Sources, digest_of, find_files

    index_dir = Path(index_dir).absolute()
    try:
        manifest = _read_manifest(index_dir / _read_pointer(index_dir), index_dir)
    except RagError:
        return True
    if _difference(manifest, encoder):
        return True
    scope = _Scope(paths, extra=() if paths else manifest.roots)
    known = {path: source.sha256 for path, source in manifest.sources.items() if scope.holds(path)}
    known |= {path: digest for path, digest in manifest.removed.items() if scope.holds(path)}
    known |= {path: digest for path, (digest, _) in manifest.failed.items() if scope.holds(path)}
    found = {str(path) for path in _outside(find_files(scope.paths), index_dir)}
    told = Sources(scope.paths)
    return found != set(known) or any(_stamp(digest_of(Path(path)), told.known(Path(path))) != known[path] for path in found)


def check_index(index_dir: str | Path) -> CheckReport:
    """Reads everything of the current generation and compares its three parts. Writes nothing. Raises NothingIndexed."""
    index_dir = Path(index_dir).absolute()
    pointer = _read_pointer(index_dir)
    if not pointer and not _generations(index_dir):
        raise NothingIndexed(f"nothing is indexed at {index_dir}: run `rag index PATH... --index {index_dir}`")
    number = _number(pointer)
    try:
        with closing(_load(index_dir, pointer or "CURRENT", verify=True)) as parts:
            manifest, problems = parts.manifest, _inconsistencies(parts)
    except IndexDamaged as error:
        return CheckReport(False, (str(error),), number)
    return CheckReport(not problems, problems, number, manifest.documents, manifest.chunks, manifest.vectors)


# ------------------------------------------------------------------------------------------------------------------------ building


def build_index(
    paths: Sequence[str | Path],
    index_dir: str | Path,
    encoder: Encoder,
    *,
    target_tokens: int = 260,
    max_tokens: int = 400,
    recognise: bool = False,
    progress: StageProgress | None = None,
) -> BuildReport:
    """Makes the index mirror these paths: new files are added, changed ones read again, files that are gone removed; the rest stays.

    No paths means those that the index mirrors already. A file that cannot be read is reported and nothing else is lost. Nothing to do
    means no new generation. An index made with another encoder, chunker or lexer is made anew from all paths it knows, and from its own
    texts where those are gone. With `recognise` the page images of PDFs are read by text recognition, those of PDFs that are indexed
    already too. Raises UsageError (no such path), IndexBusy, NothingIndexed, EncoderError, and
    RagError when the disk refuses.
    """
    started = time.perf_counter()
    index_dir = Path(index_dir).absolute()
    progress = progress or (lambda stage, done, total: None)
    with _disk_errors(index_dir), _writer(index_dir):
        base, rebuilt, known_roots = _base(index_dir)
        with closing(base) if base else nullcontext():
            old = base.manifest if base else None
            settings = {
                "encoder": encoder.name,
                "revision": encoder.revision,
                "dimension": encoder.dimension,
                "chunker": CHUNKER_VERSION,
                "target_tokens": target_tokens,
                "max_tokens": max_tokens,
                "lexer": LEXER_VERSION,
            }
            cut = {"target_tokens": target_tokens, "max_tokens": max_tokens}
            differing = [name for name, value in settings.items() if old and getattr(old, name) != value]
            if differing and not rebuilt:
                rebuilt = "; ".join(f"{name} was {getattr(old, name)}, is {settings[name]}" for name in differing)
            read_again = bool({"chunker", "target_tokens", "max_tokens"} & set(differing))

            scope = _Scope(paths, extra=known_roots if read_again or not base or not paths else ())
            reading = _read_files(scope, base, index_dir, cut, read_again, recognise, progress)
            if not reading.sources and not (old and old.documents):
                reasons = "; ".join(f"{path}: {reason}" for path, (_, reason) in list(reading.failed.items())[:3])
                places = ", ".join(map(str, scope.roots)) or "no path"
                raise NothingIndexed(f"nothing to index under {places}" + (f" ({reasons})" if reasons else ": name a folder with reports"))
            records = {
                "roots": _outermost([*known_roots, *scope.given]),
                "sources": reading.sources,
                "removed": reading.removed,
                "failed": reading.failed,
            }
            report = reading.report(old.generation if old else 0, rebuilt)
            if old and not rebuilt and not reading.fresh and all(getattr(old, name) == value for name, value in records.items()):
                return replace(
                    report, documents=old.documents, chunks=old.chunks, seconds=time.perf_counter() - started, changed_anything=False
                )
            content = _assemble(base, reading, partial(chunk_document, **cut) if read_again else None)
            matrix, embedded = _embed(content, base, encoder, progress)
            weight = None
            if not getattr(encoder, "calibrated", False):
                weight = estimate_dense_weight([content.text(row) for row in range(len(content.chunks))], matrix, encoder)
            manifest = _publish(index_dir, content, matrix, old, settings | records | {"dense_weight": weight}, progress)
    seconds = time.perf_counter() - started
    counts = {"generation": manifest.generation, "documents": manifest.documents, "chunks": manifest.chunks}
    return replace(report, **counts, embedded=embedded, seconds=seconds)


def remove_document(index_dir: str | Path, document_id: str, encoder: Encoder) -> BuildReport:
    """Takes one document out of the index. Its file stays out until it changes or is indexed by its own name.

    Raises UsageError (no such document), IndexMismatch, IndexBusy, NothingIndexed, IndexDamaged.
    """
    started = time.perf_counter()
    index_dir = Path(index_dir).absolute()
    open_index(index_dir, encoder=encoder, verify=False).close()
    with _disk_errors(index_dir), _writer(index_dir):
        base, rebuilt, _ = _base(index_dir)
        if base is None:
            raise IndexDamaged(f"the index at {index_dir} is damaged: run `rag index PATH... --index {index_dir}`")
        with closing(base):
            old = base.manifest
            ids = {row[0] for row in base.rows("SELECT id FROM documents")}
            if document_id not in ids:
                near = difflib.get_close_matches(document_id, sorted(ids), n=3, cutoff=0.4)
                raise UsageError(f"no document {document_id!r}: " + (f"did you mean {', '.join(near)}?" if near else "see `rag list`"))
            gone = {path: source.sha256 for path, source in old.sources.items() if source.document == document_id}
            sources = {path: source for path, source in old.sources.items() if path not in gone}
            reading = _Reading(sources=sources, kept=ids - {document_id}, before=ids)
            content = _assemble(base, reading)
            matrix, embedded = _embed(content, base, encoder, lambda stage, done, total: None)
            same = {name: getattr(old, name) for name in Manifest.__slots__ if name not in ("generation", "parent", "created", "files")}
            removed = {**old.removed, **gone}
            manifest = _publish(index_dir, content, matrix, old, same | {"sources": sources, "removed": removed}, lambda *_: None)
    report = reading.report(manifest.generation, rebuilt)
    seconds = time.perf_counter() - started
    return replace(report, documents=manifest.documents, chunks=manifest.chunks, embedded=embedded, seconds=seconds)


def rollback(index_dir: str | Path) -> str:
    """Points the index back to the newest good generation before the current one; its name. Raises UsageError when there is none."""
    index_dir = Path(index_dir).absolute()
    if not index_dir.is_dir():
        raise NothingIndexed(f"nothing is indexed at {index_dir}: run `rag index PATH... --index {index_dir}`")
    with _disk_errors(index_dir), _writer(index_dir):
        current = _number(_read_pointer(index_dir))
        for name in _generations(index_dir):
            if current and _number(name) >= current:
                continue
            with suppress(IndexDamaged):
                _load(index_dir, name, verify=True).close()
                _point(index_dir, name)
                return name
        raise UsageError(f"no earlier generation at {index_dir} to go back to: run `rag index PATH... --index {index_dir}`")


@dataclass(frozen=True, slots=True)
class _Rows:
    """A document and its chunks as the rows that will be written, which take a fraction of the memory of the objects."""

    document: tuple[str, str, str, str]
    chunks: list[tuple]


@dataclass
class _Reading:
    """What the files under the scope came to."""

    sources: dict[str, Source] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    fresh: dict[str, _Rows] = field(default_factory=dict)
    """Documents that were read now, by id."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """(file, note) of what could not be read in a file that is indexed all the same."""
    kept: set[str] = field(default_factory=set)
    """Ids of documents that stay as the base generation has them."""
    before: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    same: set[str] = field(default_factory=set)
    """Ids of `fresh` documents whose file had not changed."""

    def report(self, generation: int, rebuilt: str) -> BuildReport:
        now = self.kept | set(self.fresh)
        return BuildReport(
            generation=generation,
            documents=len(now),
            chunks=0,
            added=tuple(sorted(set(self.fresh) - self.changed - self.same)),
            changed=tuple(sorted(self.changed)),
            unchanged=tuple(sorted(self.kept | self.same)),
            removed=tuple(sorted(self.before - now)),
            failed=tuple(sorted((path, reason) for path, (_, reason) in self.failed.items())),
            duplicates=tuple(sorted((path, source.document) for path, source in self.sources.items() if source.duplicate)),
            notes=tuple(sorted(self.notes)),
            rebuilt=rebuilt,
        )


class _Scope:
    """The given paths, absolute, and what lies under them."""

    def __init__(self, paths: Sequence[str | Path], extra: Iterable[str] = ()):
        self.given = [os.path.normpath(Path(path).absolute()) for path in paths]
        self.roots = _outermost([*self.given, *(path for path in extra if Path(path).exists())])
        self.paths = [Path(path) for path in self.roots]
        self.files = {path for path in self.given if Path(path).is_file()}
        """Paths that name one file: such a file comes back even when it was removed by name."""

    def holds(self, path: str) -> bool:
        return any(_under(path, root) for root in self.roots)


def _under(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Without those that lie under another one.

    >>> _outermost(["/a/b", "/a", "/c"])
    ('/a', '/c')
    """
    unique = sorted(set(paths))
    return tuple(path for path in unique if not any(path != other and _under(path, other) for other in unique))


def _outside(files: Iterable[Path], index_dir: Path) -> list[Path]:
    return [path for path in map(Path.absolute, files) if not _under(str(path), str(index_dir))]


def _read_files(
    scope: _Scope,
    base: _Parts | None,
    index_dir: Path,
    cut: Mapping[str, int],
    read_again: bool,
    recognise: bool,
    progress: StageProgress,
) -> _Reading:
    from rag.reading.dispatch import Sources, digest_of, find_files  # the libraries for reading files are not needed to answer a question
    from rag.reading.sandbox import Cut, Reading, Sandbox

    old = base.manifest if base else None
    before = dict(old.sources) if old else {}
    owners = {source.document: path for path, source in before.items() if not source.duplicate}
    reading = _Reading(before=set(owners))
    reading.sources = {path: source for path, source in before.items() if not scope.holds(path)}
    reading.failed = {path: failure for path, failure in old.failed.items() if not scope.holds(path)} if old else {}
    reading.removed = {path: digest for path, digest in old.removed.items() if not scope.holds(path)} if old else {}
    told = Sources(scope.paths)
    pictured = _with_page_images(base) if base and recognise else frozenset()

    # 1. What has not changed stays.
    candidates: dict[str, str] = {}
    for path in _outside(find_files(scope.paths), index_dir):
        name, digest = str(path), _stamp(digest_of(path), told.known(path))
        source = before.get(name)
        if old and old.removed.get(name) == digest and name not in scope.files:
            reading.removed[name] = digest
        elif source and source.sha256 == digest and not source.duplicate and not read_again and source.document not in pictured:
            reading.sources[name] = source
        else:
            candidates[name] = digest
    # A copy of a file that is gone must be read itself.
    reading.kept = {source.document for source in reading.sources.values() if not source.duplicate}
    for name, source in list(reading.sources.items()):
        if source.document not in reading.kept:
            candidates[name] = reading.sources.pop(name).sha256

    # 2. The rest is read, several files at a time and each content once; packed as it comes, so that few documents are held as objects.
    content = {source.sha256: source.document for source in reading.sources.values()}
    first = {digest: name for name, digest in reversed(candidates.items()) if digest not in content}
    outcomes: dict[str, tuple[str, _Packed] | UnreadableFile] = {}
    waiting = [Path(name) for digest, name in first.items()][::-1]
    total, done = len(candidates), len(candidates) - len(waiting)
    with Sandbox(recognise=recognise) as sandbox:
        while waiting:
            progress("read", done, total)
            for path, outcome in sandbox.read(waiting, cut=Cut(**cut), known=told.known):
                outcomes[str(path)] = _packed(path, outcome) if isinstance(outcome, Reading) else outcome
                done += 1
                progress("read", done, total)
            # Bytes that cannot be read under one name may be readable under another.
            hopeless = {digest for digest, name in first.items() if isinstance(outcomes.get(name), UnreadableFile)}
            waiting = []
            for name, digest in candidates.items():
                if digest in hopeless and name not in outcomes and Path(name).suffix.lower() != Path(first[digest]).suffix.lower():
                    first[digest] = name
                    waiting.append(Path(name))
                    hopeless.discard(digest)

    # 3. They are named in the order of their files, however long each took.
    reserved = {document: name for document, name in owners.items() if name in reading.sources or name in candidates}
    for name, digest in candidates.items():
        source, outcome = before.get(name), outcomes.get(name)
        if outcome is None:
            outcome = outcomes.get(first.get(digest, ""))
        if digest in content:
            reading.sources[name] = Source(digest, content[digest], duplicate=True)
            continue
        if isinstance(outcome, UnreadableFile) or outcome is None:
            reading.failed[name] = (digest, outcome.reason if outcome else "changed while it was read; run `rag index` again")
            if source and not source.duplicate:
                reading.sources[name] = source
                reading.kept.add(source.document)
                content[source.sha256] = source.document
            continue

        def is_taken(document_id: str, name: str = name) -> bool:
            return document_id in reading.fresh or reserved.get(document_id, name) != name

        sha256, packed = outcome
        rows = packed.named(_name_apart(packed.id, sha256, is_taken))
        document_id, stamp = rows.document[0], _stamp(sha256, told.known(Path(name)))
        reading.sources[name] = Source(stamp, document_id)
        reading.fresh[document_id] = rows
        reading.notes += [(name, note) for note in packed.notes]
        content[stamp] = document_id
        if source and not source.duplicate:
            (reading.same if source.sha256 == stamp else reading.changed).add(document_id)
    progress("read", total, total)
    return reading


def _with_page_images(base: _Parts) -> frozenset[str]:
    """Ids of the documents of which some pages gave no text."""
    from rag.reading.pdf.document import NO_TEXT

    found = base.rows("SELECT id, metadata FROM documents")
    return frozenset(name for name, metadata in found if any(NO_TEXT in note for note in json.loads(metadata)["notes"]))


def _stamp(sha256: str, known: Mapping[str, str]) -> str:
    """What changes when a file would be read otherwise: the sha256 of its bytes, mixed with what sources.toml says of it."""
    return hashlib.sha256(f"{sha256}\n{_dump(dict(sorted(known.items())))}".encode()).hexdigest() if known and sha256 else sha256


@dataclass(frozen=True, slots=True)
class _Packed:
    """A document that has its final id not yet."""

    id: str
    metadata: dict[str, Any]
    text: str
    blocks: str
    spans: list[tuple[int, int, int | None, str, int]]
    notes: tuple[str, ...]

    def named(self, document_id: str) -> _Rows:
        chunks = [
            (chunk_id(document_id, start, end, self.text[start:end]), document_id, start, end, page, section, tokens)
            for start, end, page, section, tokens in self.spans
        ]
        return _Rows((document_id, _dump(self.metadata | {"id": document_id}), self.text, self.blocks), chunks)


def _packed(path: Path, reading: Reading) -> tuple[str, _Packed] | UnreadableFile:
    """(sha256 of the file, what it holds), or why that is nothing."""
    document = reading.document
    if not reading.chunks:
        return UnreadableFile(path, "holds no words")
    spans = [(chunk.start, chunk.end, chunk.page, _dump(chunk.section), chunk.tokens) for chunk in reading.chunks]
    blocks = _dump(_packed_blocks(document))
    return document.sha256, _Packed(document.id, _metadata(document), document.text, blocks, spans, document.notes)


def _name_apart(name: str, sha256: str, is_taken: Callable[[str], bool]) -> str:
    """The id, with digits of the file's sha256 behind it when another document has it."""
    apart, length = name, 4
    while is_taken(apart):
        apart, length = f"{name}-{sha256[:length]}", length + 4
    return apart


@dataclass
class _Content:
    """A generation before it is written."""

    documents: list[tuple[str, str, str, str]]
    """(id, metadata, text, blocks), in the order of ids."""
    chunks: list[tuple[str, str, int, int, int | None, str, int]]
    """(id, document, start, end, page, section, tokens), in the order of ids: a chunk's row is its position in all three parts."""
    texts: dict[str, str]

    def text(self, row: int) -> str:
        _, document, start, end, *_ = self.chunks[row]
        return self.texts[document][start:end]


def _assemble(base: _Parts | None, reading: _Reading, chunk: Callable[[Document], list[Chunk]] | None = None) -> _Content:
    """Puts together what is kept and what was read. With `chunk`, kept documents are cut anew from their stored text."""
    documents, chunks = [], []
    for name in sorted(reading.kept):
        row = base.rows("SELECT id, metadata, text, blocks FROM documents WHERE id = ?", name)[0]
        documents.append(row)
        if chunk:
            chunks += map(_chunk_row, chunk(_document(*row[1:])))
        else:
            chunks += base.rows(_CHUNKS + " WHERE document = ?", name)
    for rows in reading.fresh.values():
        documents.append(rows.document)
        chunks += rows.chunks
    return _Content(sorted(documents), sorted(chunks, key=lambda row: row[0]), {row[0]: row[2] for row in documents})


def _embed(content: _Content, base: _Parts | None, encoder: Encoder, progress: StageProgress) -> tuple[FloatMatrix, int]:
    """float32 (chunks, dimension), and how many rows the encoder made. An id covers its chunk's text, so a known id keeps its vector."""
    matrix = np.zeros((len(content.chunks), encoder.dimension), dtype=np.float32)
    old = base.manifest if base else None
    same = old and (old.encoder, old.revision, old.dimension) == (encoder.name, encoder.revision, encoder.dimension)
    places = [base.position(row[0]) if same else None for row in content.chunks]
    known = [row for row, place in enumerate(places) if place is not None]
    new = [row for row, place in enumerate(places) if place is None]
    if known:
        matrix[known] = base.vectors.vectors(np.array([places[row] for row in known]))
    if new:
        vectors = encoder.encode([content.text(row) for row in new], progress=lambda done, total: progress("encode", done, total))
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.shape != (len(new), encoder.dimension):
            raise EncoderError(f"encoder {encoder.name} gave vectors of shape {vectors.shape}, not {(len(new), encoder.dimension)}")
        matrix[new] = vectors
    return matrix, len(new)


# ------------------------------------------------------------------------------------------------------- publishing, step by step


def _publish(
    index_dir: Path, content: _Content, matrix: FloatMatrix, old: Manifest | None, values: dict[str, Any], progress: StageProgress
) -> Manifest:
    """Writes, verifies and publishes the next generation; its manifest. Whatever fails before the last rename leaves the old in place."""
    numbers = [_number(path.name) for place in (index_dir, index_dir / "quarantine") for path in _entries(place)]
    number = max([0, *numbers]) + 1
    folder = index_dir / f"gen-{number:06d}.tmp-{secrets.token_hex(4)}"
    try:
        # 1. All files, in a folder that nobody reads.
        progress("write", 0, 4)
        (folder / "lexical").mkdir(parents=True)
        vectors = build_vectors(matrix)
        _write(folder / "vectors.faiss", vectors.to_bytes())
        progress("write", 1, 4)
        _write_chunks(folder / "chunks.sqlite", content)
        progress("write", 2, 4)
        build_lexical(folder / "lexical", _lexical_rows(content))
        progress("write", 3, 4)
        # 2. What they are, by size and sha256.
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        for name in names:
            _sync(folder / name)
        files = {name: ((folder / name).stat().st_size, _digest(folder / name)) for name in names}
        counts = {"documents": len(content.documents), "chunks": len(content.chunks), "vectors": len(vectors)}
        created = datetime.now(UTC).isoformat(timespec="seconds")
        parent = old.generation if old else 0
        manifest = Manifest(**values | counts, generation=number, parent=parent, created=created, files=files)
        text = _manifest_to_json(manifest, index_dir).encode()
        _write(folder / "MANIFEST.json", text)
        _write(folder / "DONE", _done(text))
        _sync(folder / "lexical")
        _sync(folder)
        # 3. Read back from disk: what was written is what will be served.
        with closing(_load(index_dir, folder.name, verify=True, number=number)) as parts:
            problems = _inconsistencies(parts)
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
    _point(index_dir, name)
    progress("write", 4, 4)
    # 5. Only the new one and the one it came from stay; nothing that goes wrong here can undo the commit.
    with suppress(OSError):
        _tidy(index_dir, keep={number, parent}, newest_good=parent)
    return manifest


def _point(index_dir: Path, name: str) -> None:
    _write(index_dir / "CURRENT.tmp", name.encode() + b"\n")
    (index_dir / "CURRENT.tmp").replace(index_dir / "CURRENT")
    _sync(index_dir)


def _lexical_rows(content: _Content) -> Iterator[LexicalRow]:
    titles = {row[0]: json.loads(row[1])["title"] for row in content.documents}
    for position, (_, document, _, _, _, section, _) in enumerate(content.chunks):
        yield LexicalRow(position, document, content.text(position), " ".join([titles[document], *json.loads(section)]))


def _write_chunks(path: Path, content: _Content) -> None:
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
        rows = ((position, *row) for position, row in enumerate(content.chunks))
        database.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        database.execute("COMMIT")


def _tidy(index_dir: Path, keep: set[int], newest_good: int) -> None:
    """Deletes the generations that nothing needs; a damaged one that is newer than the good one goes to quarantine/ with all its bytes."""
    for name in _generations(index_dir):
        if _number(name) in keep:
            continue
        damaged = False
        if _number(name) > newest_good:
            try:
                _load(index_dir, name, verify=True).close()
            except IndexDamaged:
                damaged = True
        if damaged:
            (index_dir / "quarantine").mkdir(exist_ok=True)
            (index_dir / name).rename(index_dir / "quarantine" / name)
        else:
            shutil.rmtree(index_dir / name, ignore_errors=True)


def _base(index_dir: Path) -> tuple[_Parts | None, str, tuple[str, ...]]:
    """(the generation to build on or None, why all must be made anew or "", the paths known so far). Sweeps what a killed writer left."""
    for path in _entries(index_dir):
        if re.fullmatch(r"gen-\d+\.tmp-[0-9a-f]+", path.name):
            shutil.rmtree(path, ignore_errors=True)
    with suppress(FileNotFoundError):
        (index_dir / "CURRENT.tmp").unlink()
    pointer = _read_pointer(index_dir)
    parts, problems = _newest_good(index_dir, pointer, verify=True)
    if parts:
        return parts, f"{problems[0]}; built on generation {parts.manifest.generation}" if problems else "", parts.manifest.roots
    roots: tuple[str, ...] = ()
    for name in _generations(index_dir):
        with suppress(RagError):
            roots = _read_manifest(index_dir / name, index_dir).roots
            break
    return None, str(problems[0]) if problems else "", roots


@contextmanager
def _writer(index_dir: Path) -> Iterator[None]:
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
def _disk_errors(index_dir: Path) -> Iterator[None]:
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


# ------------------------------------------------------------------------------------------------------------ loading a generation


@dataclass
class _Parts:
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

    def close(self) -> None:
        with self.lock:
            self.database.close()


def _newest_good(index_dir: Path, pointer: str, verify: bool) -> tuple[_Parts | None, list[IndexDamaged]]:
    """(the generation that the pointer names or the newest good one before it, what is wrong with those passed over).

    Without a pointer that can be read, all generations count.
    """
    names = _generations(index_dir)
    problems = []
    if pointer:
        names = [pointer, *(name for name in names if _number(name) < _number(pointer))]
    elif names:
        problems.append(IndexDamaged("CURRENT does not name a generation"))
    for name in names:
        try:
            return _load(index_dir, name, verify), problems
        except IndexDamaged as error:
            problems.append(error)
    return None, problems


def _load(index_dir: Path, name: str, verify: bool, number: int | None = None) -> _Parts:
    """One generation in memory. Every byte is checked before FAISS, SQLite or tantivy sees it, and they get just these bytes.

    Raises IndexDamaged, naming the file, or IndexMismatch for another format.
    """
    folder = index_dir / name
    manifest = _read_manifest(folder, index_dir)
    if manifest.generation != (_number(name) if number is None else number):
        raise IndexDamaged(f"{name}/MANIFEST.json is of generation {manifest.generation}")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}
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
    return _Parts(manifest, vectors, lexical, ids, database)


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


def _read_manifest(folder: Path, index_dir: Path) -> Manifest:
    """The manifest, if it is whole by the sha256 in DONE. Raises IndexDamaged or IndexMismatch."""
    text = _read_bytes(folder, "MANIFEST.json")
    if _read_bytes(folder, "DONE") != _done(text):
        raise IndexDamaged(f"{folder.name}/MANIFEST.json has another sha256 than DONE says")
    try:
        return _manifest_from_json(text.decode(), index_dir)
    except IndexMismatch as error:
        raise IndexMismatch(f"{folder.name} {error}: run `rag index PATH... --index {index_dir}`") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IndexDamaged(f"{folder.name}/MANIFEST.json is not a manifest ({type(error).__name__}: {str(error)[:100]})") from error


def _done(manifest: bytes) -> bytes:
    return hashlib.sha256(manifest).hexdigest().encode() + b"\n"


def _inconsistencies(parts: _Parts) -> tuple[str, ...]:
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


def _difference(manifest: Manifest, encoder: Encoder | None) -> str:
    """How the index differs from what is asked of it, both sides named; empty when it does not."""
    if encoder and (manifest.encoder, manifest.revision, manifest.dimension) != (encoder.name, encoder.revision, encoder.dimension):
        ours, theirs = (manifest.encoder, manifest.revision, manifest.dimension), (encoder.name, encoder.revision, encoder.dimension)
        say = "encoder {} (revision {}, {} dimensions)".format
        return f"{say(*ours)}, not {say(*theirs)}"
    for name, version in (("chunker", CHUNKER_VERSION), ("lexer", LEXER_VERSION)):
        if getattr(manifest, name) != version:
            return f"{name} {getattr(manifest, name)}, not {version}"
    return ""


def _read_pointer(index_dir: Path) -> str:
    """The name of the generation in CURRENT; empty when there is none or it is not one."""
    try:
        with (index_dir / "CURRENT").open(encoding="ascii") as handle:
            name = handle.read(64).strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return name if _GENERATION.fullmatch(name) else ""


def _generations(index_dir: Path) -> list[str]:
    """Names of the generations that are there, newest first."""
    return sorted((path.name for path in _entries(index_dir) if _number(path.name)), key=_number, reverse=True)


def _number(name: str) -> int:
    match = _GENERATION.fullmatch(name)
    return int(match[1]) if match else 0


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _digest_or_nothing(path: Path) -> str:
    try:
        return _digest(path)
    except OSError:
        return ""


# -------------------------------------------------------------------------------------------------------------- to and from plain text


def _dump(value: object, *, ensure_ascii: bool = True) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"))


def _manifest_to_json(manifest: Manifest, index_dir: Path) -> str:
    """Paths beside the index are written relative to its folder, so that both can move together."""

    def short(path: str) -> str:
        beside = str(index_dir.parent)
        return os.path.relpath(path, beside) if _under(path, beside) else path

    values = {name: getattr(manifest, name) for name in Manifest.__slots__}
    if _under(manifest.encoder, str(index_dir)):  # one of `rag adapt` moves with its index
        values["encoder"] = _INSIDE + os.path.relpath(manifest.encoder, index_dir)
    values["roots"] = [short(path) for path in manifest.roots]
    values["sources"] = {short(path): [s.sha256, s.document, s.duplicate] for path, s in manifest.sources.items()}
    values["removed"] = {short(path): digest for path, digest in manifest.removed.items()}
    values["failed"] = {short(path): list(failure) for path, failure in manifest.failed.items()}
    return json.dumps({"format": FORMAT} | values, indent=1)


def _manifest_from_json(text: str, index_dir: Path) -> Manifest:
    values = json.loads(text)
    found = values.pop("format")
    if found != FORMAT:
        raise IndexMismatch(f"has format {found}, this version reads {FORMAT}")

    def full(path: str) -> str:
        return os.path.normpath(index_dir.parent / path)

    if values["encoder"].startswith(_INSIDE):
        values["encoder"] = os.path.normpath(index_dir / values["encoder"].removeprefix(_INSIDE))
    values["roots"] = tuple(full(path) for path in values["roots"])
    values["sources"] = {full(path): Source(str(s[0]), str(s[1]), bool(s[2])) for path, s in values["sources"].items()}
    values["removed"] = {full(path): str(digest) for path, digest in values["removed"].items()}
    values["failed"] = {full(path): (str(digest), str(reason)) for path, (digest, reason) in values["failed"].items()}
    values["files"] = {name: (int(size), str(digest)) for name, (size, digest) in values["files"].items()}
    for name in values["files"]:
        if name not in ("vectors.faiss", "chunks.sqlite") and not _LEXICAL_FILE.fullmatch(name):
            raise ValueError(f"file {name!r}")
    if not {"vectors.faiss", "chunks.sqlite"} <= set(values["files"]):
        raise ValueError("a file is not listed")
    manifest = Manifest(**values)
    for name in ("generation", "parent", "dimension", "documents", "chunks", "vectors"):
        if type(getattr(manifest, name)) is not int or getattr(manifest, name) < 0:
            raise ValueError(f"{name} {getattr(manifest, name)!r}")
    weight = manifest.dense_weight
    if weight is not None and not (type(weight) is float and 0 <= weight <= 100):
        raise ValueError(f"dense_weight {weight!r}")
    return manifest


_CHUNKS = "SELECT id, document, start, end, page, section, tokens FROM chunks"


def _chunk(row: tuple) -> Chunk:
    chunk_id, document, start, end, page, section, tokens = row
    return Chunk(chunk_id, document, start, end, page, tuple(json.loads(section)), tokens)


def _chunk_row(chunk: Chunk) -> tuple:
    return (chunk.id, chunk.document, chunk.start, chunk.end, chunk.page, _dump(chunk.section), chunk.tokens)


_TEXT_FIELDS = ("text", "blocks", "pages")


def _metadata(document: Document) -> dict[str, Any]:
    return {name: getattr(document, name) for name in Document.__slots__ if name not in _TEXT_FIELDS}


def _document(metadata: str, text: str = "", blocks: str = "") -> Document:
    values = json.loads(metadata)
    values |= {"notes": tuple(values["notes"]), "labels": tuple((page, label) for page, label in values.get("labels", ()))}
    unpacked, pages = _unpacked_blocks(json.loads(blocks)) if blocks else ((), ())
    return Document(**values, text=text, blocks=unpacked, pages=pages)


def _packed_blocks(document: Document) -> list:
    """[section paths, rows, pages]: each path once, because thousands of blocks share a few."""
    blocks = document.blocks
    paths = list(dict.fromkeys(block.section for block in blocks))
    numbers = {path: number for number, path in enumerate(paths)}
    return [paths, [[b.start, b.end, b.kind, b.page, numbers[b.section], b.speaker] for b in blocks], document.pages]


def _unpacked_blocks(packed: list) -> tuple[tuple[Block, ...], tuple[tuple[int, int | None], ...]]:
    paths = [tuple(path) for path in packed[0]]
    blocks = tuple(Block(start, end, kind, page, paths[number], speaker) for start, end, kind, page, number, speaker in packed[1])
    return blocks, tuple((start, page) for start, page in packed[2]) if len(packed) > 2 else ()
