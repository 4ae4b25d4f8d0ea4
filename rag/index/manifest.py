"""What a generation of the index holds and what it was made with, as records and as the JSON on disk."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import IndexMismatch
from rag.index.lexical import LEXER_VERSION
from rag.text.chunk import CHUNKER_VERSION
from rag.types import Encoder

VERSIONS = {"chunker": CHUNKER_VERSION, "lexer": LEXER_VERSION}
"""Of the code that an index was made with; where one has changed, all is made anew."""

FORMAT = 1
"""Of the files below; an index of another format is refused."""


_INSIDE = "@index/"
"""Begins the name of an encoder that lies in the index's own folder."""


_LEXICAL_FILE = re.compile(r"lexical/[\w.-]{1,120}")


StageProgress = Callable[[str, int, int], None]
"""Called with (stage, done, total); stages are "read", "encode" and "write"."""


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
    outline: str = ""
    """The version of the outlines in it; "" for a generation from before there were any."""


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


def manifest_to_json(manifest: Manifest, index_dir: Path) -> str:
    """Paths beside the index are written relative to its folder, so that both can move together."""

    def short(path: str) -> str:
        beside = str(index_dir.parent)
        return os.path.relpath(path, beside) if is_under(path, beside) else path

    values = {name: getattr(manifest, name) for name in Manifest.__slots__}
    if is_under(manifest.encoder, str(index_dir)):  # one of `rag adapt` moves with its index
        values["encoder"] = _INSIDE + os.path.relpath(manifest.encoder, index_dir)
    values["roots"] = [short(path) for path in manifest.roots]
    values["sources"] = {short(path): [s.sha256, s.document, s.duplicate] for path, s in manifest.sources.items()}
    values["removed"] = {short(path): digest for path, digest in manifest.removed.items()}
    values["failed"] = {short(path): list(failure) for path, failure in manifest.failed.items()}
    return json.dumps({"format": FORMAT} | values, indent=1)


def manifest_from_json(text: str, index_dir: Path) -> Manifest:
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
    if not isinstance(manifest.outline, str):
        raise ValueError(f"outline {manifest.outline!r}")
    weight = manifest.dense_weight
    if weight is not None and not (type(weight) is float and 0 <= weight <= 100):
        raise ValueError(f"dense_weight {weight!r}")
    return manifest


def difference_of(manifest: Manifest, encoder: Encoder | None) -> str:
    """How the index differs from what is asked of it, both sides named; empty when it does not."""
    if encoder and (manifest.encoder, manifest.revision, manifest.dimension) != (encoder.name, encoder.revision, encoder.dimension):
        ours, theirs = (manifest.encoder, manifest.revision, manifest.dimension), (encoder.name, encoder.revision, encoder.dimension)
        say = "encoder {} (revision {}, {} dimensions)".format
        return f"{say(*ours)}, not {say(*theirs)}"
    for name, version in VERSIONS.items():
        if getattr(manifest, name) != version:
            return f"{name} {getattr(manifest, name)}, not {version}"
    return ""


def is_under(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Without those that lie under another one.

    >>> outermost(["/a/b", "/a", "/c"])
    ('/a', '/c')
    """
    unique = sorted(set(paths))
    return tuple(path for path in unique if not any(path != other and is_under(path, other) for other in unique))
