"""Bringing an index up to date with its files: what changed is read, cut and encoded; all else is taken over from the last generation."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import EncoderError, IndexDamaged, NothingIndexed, RagError, UnreadableFile, UsageError
from rag.index.encoder import word_vectors
from rag.index.generation import CHUNKS, Parts, chunk_row, document_from_row, dump, metadata_of, pack_blocks, read_manifest, read_pointer
from rag.index.manifest import VERSIONS, BuildReport, Manifest, Source, StageProgress, difference_of, is_under, outermost
from rag.index.outline import outline_of, to_json
from rag.index.publish import Content, base_of, disk_errors, publish, writer
from rag.index.snapshot import open_index
from rag.index.weighing import estimate_dense_weight
from rag.text.chunk import chunk_document, chunk_id
from rag.types import Chunk, Document, Encoder, FloatMatrix

if TYPE_CHECKING:
    from rag.reading.dispatch import Sources
    from rag.reading.sandbox import Reading


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
    with disk_errors(index_dir), writer(index_dir):
        base, rebuilt, known_roots = base_of(index_dir)
        with closing(base) if base else nullcontext():
            old = base.manifest if base else None
            settings = _settings(encoder, target_tokens, max_tokens)
            cut = {"target_tokens": target_tokens, "max_tokens": max_tokens}
            differing = [name for name, value in settings.items() if old and getattr(old, name) != value]
            if differing and not rebuilt:
                rebuilt = "; ".join(f"{name} was {getattr(old, name)}, is {settings[name]}" for name in differing)
            read_again = bool({"chunker", "target_tokens", "max_tokens"} & set(differing))

            scope = _Scope(paths, extra=known_roots if read_again or not base or not paths else ())
            reading = _read_files(scope, base, index_dir, cut, read_again, recognise, progress)
            if not reading.sources and not (old and old.documents):
                raise _nothing_found(scope, reading)
            records = {
                "roots": outermost([*known_roots, *scope.given]),
                "sources": reading.sources,
                "removed": reading.removed,
                "failed": reading.failed,
            }
            report = reading.report(old.generation if old else 0, rebuilt)
            if old and not rebuilt and not reading.fresh and all(getattr(old, name) == value for name, value in records.items()):
                seconds = time.perf_counter() - started
                return replace(report, documents=old.documents, chunks=old.chunks, seconds=seconds, changed_anything=False)
            content = _assemble(base, reading, partial(chunk_document, **cut) if read_again else None)
            matrix, embedded = _embed(content, base, encoder, progress)
            weight = None
            if not getattr(encoder, "calibrated", False):
                weight = estimate_dense_weight([content.text(row) for row in range(len(content.chunks))], matrix, encoder)
            manifest = publish(index_dir, content, matrix, old, settings | records | {"dense_weight": weight}, progress)
    seconds = time.perf_counter() - started
    counts = {"generation": manifest.generation, "documents": manifest.documents, "chunks": manifest.chunks}
    return replace(report, **counts, embedded=embedded, seconds=seconds)


def _settings(encoder: Encoder, target_tokens: int, max_tokens: int) -> dict[str, Any]:
    """What an index is made with: fields of its manifest. Where one differs, all is made anew."""
    return {
        "encoder": encoder.name,
        "revision": encoder.revision,
        "dimension": encoder.dimension,
        "target_tokens": target_tokens,
        "max_tokens": max_tokens,
        **VERSIONS,
    }


def _nothing_found(scope: _Scope, reading: _Reading) -> NothingIndexed:
    reasons = "; ".join(f"{path}: {reason}" for path, (_, reason) in list(reading.failed.items())[:3])
    places = ", ".join(map(str, scope.roots)) or "no path"
    return NothingIndexed(f"nothing to index under {places}" + (f" ({reasons})" if reasons else ": name a folder with reports"))


def remove_document(index_dir: str | Path, document_id: str, encoder: Encoder) -> BuildReport:
    """Takes one document out of the index. Its file stays out until it changes or is indexed by its own name.

    Raises UsageError (no such document), IndexMismatch, IndexBusy, NothingIndexed, IndexDamaged.
    """
    started = time.perf_counter()
    index_dir = Path(index_dir).absolute()
    open_index(index_dir, encoder=encoder, verify=False).close()
    with disk_errors(index_dir), writer(index_dir):
        base, rebuilt, _ = base_of(index_dir)
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
            manifest = publish(index_dir, content, matrix, old, same | {"sources": sources, "removed": removed}, lambda *_: None)
    report = reading.report(manifest.generation, rebuilt)
    seconds = time.perf_counter() - started
    return replace(report, documents=manifest.documents, chunks=manifest.chunks, embedded=embedded, seconds=seconds)


def is_stale(paths: Sequence[str | Path], index_dir: str | Path, encoder: Encoder) -> bool:
    """Whether `build_index` would have something to do: a cheap look at the manifest and at the sha256 of the files.

    A file that could not be read counts only once it changes.
    """
    from rag.reading.dispatch import Sources, digest_of, find_files, links_out

    index_dir = Path(index_dir).absolute()
    try:
        manifest = read_manifest(index_dir / read_pointer(index_dir), index_dir)
    except RagError:
        return True
    if difference_of(manifest, encoder):
        return True
    scope = _Scope(paths, extra=() if paths else manifest.roots)
    known = {path: source.sha256 for path, source in manifest.sources.items() if scope.holds(path)}
    known |= {path: digest for path, digest in manifest.removed.items() if scope.holds(path)}
    known |= {path: digest for path, (digest, _) in manifest.failed.items() if scope.holds(path)}
    found = {str(path) for path in _outside(find_files(scope.paths), index_dir)}
    told = Sources(scope.paths)
    return found | set(map(str, links_out(scope.paths))) != set(known) or any(
        _stamp(digest_of(Path(path)), told.known(Path(path))) != known[path] for path in found
    )


def _assemble(base: Parts | None, reading: _Reading, chunk: Callable[[Document], list[Chunk]] | None = None) -> Content:
    """Puts together what is kept and what was read. With `chunk`, kept documents are cut anew from their stored text."""
    documents, chunks = [], []
    for name in sorted(reading.kept):
        row = base.rows("SELECT id, metadata, text, blocks FROM documents WHERE id = ?", name)[0]
        documents.append(row)
        if chunk:
            chunks += map(chunk_row, chunk(document_from_row(*row[1:])))
        else:
            chunks += base.rows(CHUNKS + " WHERE document = ?", name)
    for rows in reading.fresh.values():
        documents.append(rows.document)
        chunks += rows.chunks
    known = base.outlines(reading.kept) if base else {}
    outlines = [
        (row[0], known.get(row[0]) or to_json(outline_of(document_from_row(*row[1:]), word_vectors()))) for row in sorted(documents)
    ]
    return Content(sorted(documents), sorted(chunks, key=lambda row: row[0]), {row[0]: row[2] for row in documents}, outlines)


def _embed(content: Content, base: Parts | None, encoder: Encoder, progress: StageProgress) -> tuple[FloatMatrix, int]:
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
        self.roots = outermost([*self.given, *(path for path in extra if Path(path).exists())])
        self.paths = [Path(path) for path in self.roots]
        self.files = {path for path in self.given if Path(path).is_file()}
        """Paths that name one file: such a file comes back even when it was removed by name."""

    def holds(self, path: str) -> bool:
        return any(is_under(path, root) for root in self.roots)


def _outside(files: Iterable[Path], index_dir: Path) -> list[Path]:
    return [path for path in map(Path.absolute, files) if not is_under(str(path), str(index_dir))]


def _read_files(
    scope: _Scope,
    base: Parts | None,
    index_dir: Path,
    cut: Mapping[str, int],
    read_again: bool,
    recognise: bool,
    progress: StageProgress,
) -> _Reading:
    from rag.reading.dispatch import Sources  # the libraries for reading files are not needed to answer a question

    told = Sources(scope.paths)
    again = (_with_page_images(base) if base and recognise else frozenset()) if not read_again else None
    reading, candidates = _unchanged(scope, base.manifest if base else None, index_dir, told, again)
    # Each content is read once; a copy of something that stays is not read at all.
    content = {source.sha256: source.document for source in reading.sources.values()}
    first = {digest: name for name, digest in reversed(candidates.items()) if digest not in content}
    outcomes = _read_candidates(candidates, first, told, cut, recognise, progress)
    _settle(reading, candidates, first, outcomes, base.manifest if base else None, content, told)
    progress("read", len(candidates), len(candidates))
    return reading


def _unchanged(
    scope: _Scope, old: Manifest | None, index_dir: Path, told: Sources, again: frozenset[str] | None
) -> tuple[_Reading, dict[str, str]]:
    """What stays as the base generation has it, and (file -> stamp) all that has to be read.

    `again` are ids of documents to read again though their files have not changed; None means all of them.
    """
    from rag.reading.dispatch import LINK_LEFT_OUT, digest_of, find_files, links_out

    before = dict(old.sources) if old else {}
    reading = _Reading(before={source.document for source in before.values() if not source.duplicate})
    reading.sources = {path: source for path, source in before.items() if not scope.holds(path)}
    reading.failed = {path: failure for path, failure in old.failed.items() if not scope.holds(path)} if old else {}
    reading.failed |= {str(link): ("", LINK_LEFT_OUT) for link in links_out(scope.paths)}
    reading.removed = {path: digest for path, digest in old.removed.items() if not scope.holds(path)} if old else {}
    candidates: dict[str, str] = {}
    for path in _outside(find_files(scope.paths), index_dir):
        name, digest = str(path), _stamp(digest_of(path), told.known(path))
        source = before.get(name)
        if old and old.removed.get(name) == digest and name not in scope.files:
            reading.removed[name] = digest
        elif source and source.sha256 == digest and not source.duplicate and again is not None and source.document not in again:
            reading.sources[name] = source
        else:
            candidates[name] = digest
    # A copy of a file that is gone must be read itself.
    reading.kept = {source.document for source in reading.sources.values() if not source.duplicate}
    for name, source in list(reading.sources.items()):
        if source.document not in reading.kept:
            candidates[name] = reading.sources.pop(name).sha256
    return reading, candidates


def _read_candidates(
    candidates: Mapping[str, str], first: dict[str, str], told: Sources, cut: Mapping[str, int], recognise: bool, progress: StageProgress
) -> dict[str, tuple[str, _Packed] | UnreadableFile]:
    """file -> what it holds, several at a time; packed as it comes, so that few documents are held as objects.

    `first` (stamp -> the file that is read for it) is changed where another file of the same bytes could be read instead.
    """
    from rag.reading.sandbox import Cut, Reading, Sandbox

    outcomes: dict[str, tuple[str, _Packed] | UnreadableFile] = {}
    waiting = [Path(name) for name in first.values()][::-1]
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
    return outcomes


def _settle(
    reading: _Reading,
    candidates: Mapping[str, str],
    first: Mapping[str, str],
    outcomes: Mapping[str, tuple[str, _Packed] | UnreadableFile],
    old: Manifest | None,
    content: dict[str, str],
    told: Sources,
) -> None:
    """Adds to `reading` what was read, and names it in the order of the files, however long each took. `content` is stamp -> document."""
    before = old.sources if old else {}
    owners = {source.document: path for path, source in before.items() if not source.duplicate}
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


def _with_page_images(base: Parts) -> frozenset[str]:
    """Ids of the documents of which some pages gave no text."""
    from rag.reading.pdf.document import NO_TEXT

    found = base.rows("SELECT id, metadata FROM documents")
    return frozenset(name for name, metadata in found if any(NO_TEXT in note for note in json.loads(metadata)["notes"]))


def _stamp(sha256: str, known: Mapping[str, str]) -> str:
    """What changes when a file would be read otherwise: the sha256 of its bytes, mixed with what sources.toml says of it."""
    return hashlib.sha256(f"{sha256}\n{dump(dict(sorted(known.items())))}".encode()).hexdigest() if known and sha256 else sha256


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
        return _Rows((document_id, dump(self.metadata | {"id": document_id}), self.text, self.blocks), chunks)


def _packed(path: Path, reading: Reading) -> tuple[str, _Packed] | UnreadableFile:
    """(sha256 of the file, what it holds), or why that is nothing."""
    document = reading.document
    if not reading.chunks:
        return UnreadableFile(path, "holds no words")
    spans = [(chunk.start, chunk.end, chunk.page, dump(chunk.section), chunk.tokens) for chunk in reading.chunks]
    blocks = dump(pack_blocks(document))
    return document.sha256, _Packed(document.id, metadata_of(document), document.text, blocks, spans, document.notes)


def _name_apart(name: str, sha256: str, is_taken: Callable[[str], bool]) -> str:
    """The id, with digits of the file's sha256 behind it when another document has it."""
    apart, length = name, 4
    while is_taken(apart):
        apart, length = f"{name}-{sha256[:length]}", length + 4
    return apart
