"""The reports as people change them while the page runs: add files, take a report out, bring the index up to date.

Every change runs in a process of its own, so that a file that crashes its reader or eats memory costs only itself, and questions go on
being answered from the old generation. What it gave up: two changes at once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rag.config import PACKAGE, Config
from rag.errors import IndexBusy, RagError, UsageError
from rag.index.build import build_index, remove_document
from rag.index.manifest import BuildReport, Manifest, Source
from rag.index.snapshot import open_index

FILES_AT_ONCE = 20
LIBRARY_BYTES = 2_000_000_000
"""Of all files that were added here."""
NAME_LENGTH = 100

Status = Literal["added", "changed", "same", "failed"]
_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\\\\/:*?"<>|]')
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_MAGIC = {
    ".pdf": (b"%PDF-",),
    ".msg": (_OLE,),
    ".rtf": (b"{\\rtf",),
    ".png": (b"\x89PNG",),
    ".webp": (b"RIFF",),
    **dict.fromkeys((".jpg", ".jpeg"), (b"\xff\xd8\xff",)),
    **dict.fromkeys((".tif", ".tiff"), (b"II*\0", b"MM\0*")),
    **dict.fromkeys((".docx", ".pptx", ".xlsx", ".xlsm", ".epub", ".odt", ".zip"), (_ZIP,)),
}
_FOREIGN = (b"%PDF-", _ZIP, b"\x7fELF", b"MZ", b"\x89PNG", b"\xff\xd8\xff", b"GIF8")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    file: str
    status: Status
    document: str = ""
    """The id of its report; of the one with the same content where the status is "same"."""
    reason: str = ""
    """Why it could not be added."""


@dataclass(frozen=True, slots=True)
class State:
    """How far a change has come."""

    kind: Literal["add", "remove", "refresh"]
    files: tuple[str, ...] = ()
    stage: str = "read"
    """"read", "encode" or "write"."""
    done: int = 0
    total: int = 0
    outcomes: tuple[Outcome, ...] = ()
    """Of each file, once the change is finished; of files that are refused, at once."""
    report: Mapping[str, Any] | None = None
    """The fields of `rag.index.manifest.BuildReport`, once the change is finished."""
    problem: RagError | None = None
    finished: bool = False

    @property
    def share(self) -> float:
        """How much is done, 0 to 1; the stages count 5, 4 and 1 tenths."""
        before, width = {"read": (0.0, 0.5), "encode": (0.5, 0.4), "write": (0.9, 0.1)}[self.stage]
        return 1.0 if self.finished else before + width * (self.done / self.total if self.total else 0)


class Library:
    """Changes one index. Files that are added are kept in `folder`, which the index mirrors from then on. Safe to use from several threads."""

    def __init__(self, config: Config, folder: Path):
        self.config = config
        self.folder = Path(folder).absolute()
        self._starting = threading.Lock()
        self._state: State | None = None
        self._finished = threading.Event()
        self._finished.set()

    @property
    def state(self) -> State | None:
        """Of the change that runs or, when none does, of the last one; None before the first."""
        return self._state

    @property
    def busy(self) -> bool:
        """Whether a change is running."""
        return not self._finished.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits for the running change at most so long; whether it is finished."""
        return self._finished.wait(seconds)

    def add(self, files: Sequence[tuple[str, Path]]) -> State:
        """Starts to add files, given as (name, where its content lies now); a file of a known name takes the place of the old one.

        Files that are too big or not what their name says are refused one by one. Raises UsageError for too many, IndexBusy while another
        change runs.
        """
        if len(files) > FILES_AT_ONCE:
            raise UsageError(f"{len(files)} files, more than {FILES_AT_ONCE} at once: add them in parts")
        refused, taken = [], {}
        there = sum(path.stat().st_size for path in self._added())
        for given, path in files:
            name = file_name(given)
            reason = refusal(name, path)
            if not reason and there + path.stat().st_size > LIBRARY_BYTES:
                reason = f"no room: files added here may take {LIBRARY_BYTES / 1e9:.0f} GB in all; remove some first"
            if reason:
                refused.append(Outcome(name, "failed", reason=reason))
                continue
            there += path.stat().st_size
            taken[name] = path
        state = State("add", tuple(taken), total=len(taken), outcomes=tuple(refused))
        if not taken:
            return replace(state, finished=True)
        return self._start(state, lambda: self._add(state, taken))

    def remove(self, document: str) -> State:
        """Starts to take a report out. A file that was added here is deleted; any other stays where it is.

        Raises UsageError for an unknown report and for the last one, IndexBusy while another change runs.
        """
        manifest = open_index(self.config.index_dir, verify=False).manifest
        paths = [path for path, source in manifest.sources.items() if source.document == document]
        if not paths:
            raise UsageError(f"no report {document!r} is indexed: see the list again")
        if manifest.documents < 2:
            raise UsageError("this is the only report: add another one before you remove it")
        state = State("remove", (document,))
        return self._start(state, lambda: self._remove(state, document, [Path(path) for path in paths]))

    def refresh(self) -> State:
        """Starts to bring the index up to date with every folder it mirrors. Raises IndexBusy while another change runs."""
        state = State("refresh")
        return self._start(state, lambda: self._run(state, {"action": "refresh"}))

    def source(self, manifest: Manifest, document: str) -> Path | None:
        """The file that a report was read from."""
        return next((Path(path) for path, s in manifest.sources.items() if s.document == document and not s.duplicate), None)

    def _start(self, state: State, work: Callable[[], State]) -> State:
        with self._starting:
            if self.busy:
                raise IndexBusy("the reports are being changed already: wait until that is done")
            self._finished.clear()
            self._state = state

        def whole() -> None:
            try:
                self._state = replace(work(), finished=True)
            except RagError as error:
                self._state = replace(state, problem=error, finished=True)
            except Exception as error:
                self._state = replace(state, problem=RagError(f"the change failed ({type(error).__name__}): try it again"), finished=True)
            finally:
                self._finished.set()

        threading.Thread(target=whole, name="library", daemon=True).start()
        return state

    def _add(self, state: State, taken: Mapping[str, Path]) -> State:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept: dict[Path, Path] = {}  # new file -> the old one of that name, hidden until the change has succeeded
        try:
            for name, path in taken.items():
                target = self.folder / name
                if target.exists():
                    kept[target] = target.rename(self.folder / f".{name}.old")
                shutil.copyfile(path, target)
            ended = self._run(state, {"action": "add", "files": [str(self.folder / name) for name in taken]})
        except BaseException:
            for name in taken:
                (self.folder / name).unlink(missing_ok=True)
            for target, old in kept.items():
                old.replace(target)
            raise
        for outcome in ended.outcomes:
            target = self.folder / outcome.file
            old = kept.get(target)
            if outcome.file in taken and outcome.status == "failed" and old:
                old.replace(target)
            elif outcome.file in taken and outcome.status == "failed":
                target.unlink(missing_ok=True)
            elif old:
                old.unlink(missing_ok=True)
        return ended

    def _remove(self, state: State, document: str, paths: Sequence[Path]) -> State:
        if not all(path.parent == self.folder for path in paths):
            return self._run(state, {"action": "remove", "document": document})
        hidden = {path: path.with_name(f".{path.name}.old") for path in paths}
        for path, aside in hidden.items():
            with suppress(FileNotFoundError):
                path.rename(aside)
        try:
            ended = self._run(state, {"action": "sweep"})
        except BaseException:
            for path, aside in hidden.items():
                with suppress(FileNotFoundError):
                    aside.rename(path)
            raise
        for aside in hidden.values():
            aside.unlink(missing_ok=True)
        return ended

    def _run(self, state: State, job: Mapping[str, Any]) -> State:
        settings = {name: getattr(self.config, name) for name in ("index_dir", "encoder", "target_tokens", "max_tokens", "ocr")}
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))}
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "rag.web.library"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
            encoding="utf-8",
        ) as child:  # fmt: skip
            with suppress(BrokenPipeError):  # a child that ended at once; what it told is read below
                child.stdin.write(json.dumps({"settings": settings, "folder": str(self.folder), **job}))
                child.stdin.close()
            for line in child.stdout:
                try:
                    told = json.loads(line)
                except ValueError:
                    continue
                if "stage" in told:
                    self._state = replace(self._state or state, **told)
                elif "problem" in told:
                    raise _problem(told["kind"], told["problem"])
                else:
                    outcomes = tuple(Outcome(**outcome) for outcome in told["outcomes"])
                    return replace(state, outcomes=(*state.outcomes, *outcomes), report=told["report"])
        raise RagError("reading broke off: one of the files may be damaged; add them one by one")

    def _added(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.is_file()] if self.folder.is_dir() else []


def file_name(given: str) -> str:
    """A name under which a file can be kept, whatever it was called.

    >>> file_name("../../报告 2024.PDF"), file_name("...")
    ('报告 2024.pdf', 'report')
    """
    name = _CONTROL.sub("", unicodedata.normalize("NFC", re.split(r"[\\/]", given)[-1])).strip(" .")
    stem, suffix = Path(name).stem, Path(name).suffix
    while len(stem.encode("utf-8", "replace")) > NAME_LENGTH:
        stem = stem[:-1]
    stem = stem.encode("utf-8", "ignore").decode().strip() or "report"
    name = f"{stem}{suffix.lower()[:12]}"
    return name


def refusal(name: str, path: Path) -> str:
    """Why a file is not even tried; "" when it is."""
    from rag.reading.dispatch import MAX_BYTES, SUFFIXES

    suffix, size = Path(name).suffix, path.stat().st_size
    if suffix not in (*SUFFIXES, ".zip"):
        return f"cannot read {suffix or 'files without a suffix'} ({', '.join(each[1:] for each in SUFFIXES)} and zip can be read)"
    if not size:
        return "empty (0 bytes)"
    if size > MAX_BYTES:
        return f"{size / 1e6:.0f} MB, over the limit of {MAX_BYTES / 1e6:.0f} MB"
    with path.open("rb") as file:
        head = file.read(1024)
    if suffix in _MAGIC and not any(mark in head for mark in _MAGIC[suffix]):
        return f"not what its name says: the content is no {suffix[1:]}"
    foreign = tuple(mark for mark in _FOREIGN if suffix != ".xls" or mark != _ZIP)  # an XLSX may go by the old name
    if suffix not in _MAGIC and head.startswith(foreign):
        return f"not what its name says: the content is no {suffix[1:]}"
    return ""


def _problem(kind: str, text: str) -> RagError:
    known = {each.__name__: each for each in RagError.__subclasses__() if each.__init__ is RagError.__init__}
    return known.get(kind, RagError)(text)


# ---------------------------------------------------------------------------------------------------------------- in the child process


def _work(job: Mapping[str, Any], tell: Callable[[Mapping[str, Any]], None]) -> None:
    from dataclasses import asdict

    from rag.index.encoder import open_encoder

    settings, folder = job["settings"], Path(job["folder"])
    encoder, index_dir = open_encoder(settings["encoder"]), settings["index_dir"]

    def progress(stage: str, done: int, total: int) -> None:
        tell({"stage": stage, "done": done, "total": total})

    def build(paths: Sequence[Path]) -> Any:
        sizes = {name: settings[name] for name in ("target_tokens", "max_tokens")}
        return build_index(paths, index_dir, encoder, recognise=settings["ocr"] == "on", progress=progress, **sizes)

    outcomes: list[Outcome] = []
    if job["action"] == "remove":
        report = remove_document(index_dir, job["document"], encoder)
    elif job["action"] == "refresh":
        report = build(())
        outcomes = [Outcome(Path(path).name, "failed", reason=reason) for path, reason in report.failed]
    elif job["action"] == "sweep":
        report = build([folder])
    else:
        report = build([folder, *map(Path, job["files"])])
        sources = open_index(index_dir, verify=False).manifest.sources
        outcomes = [_outcome(path, sources, report) for path in job["files"]]
    tell({"report": asdict(report), "outcomes": [asdict(outcome) for outcome in outcomes]})


def _outcome(path: str, sources: Mapping[str, Source], report: BuildReport) -> Outcome:
    """What became of a file; of an archive, of all that it holds."""
    inside = [source for name, source in sources.items() if name.startswith(f"{path}/")]
    unread = [(name.removeprefix(f"{path}/"), why) for name, why in report.failed if name.startswith(f"{path}/")]
    if inside:
        told = (
            f"{len(inside)} reports"
            + "".join(f"; {name}: {why}" for name, why in unread[:5])
            + (f"; {len(unread) - 5} more not read" if unread[5:] else "")
        )
        new = any(source.document in report.added for source in inside)
        return Outcome(
            Path(path).name, "added" if new else "changed" if any(s.document in report.changed for s in inside) else "same", reason=told
        )
    source, why = sources.get(path), dict(report.failed).get(path, unread[0][1] if unread else "nothing in it could be indexed")
    if source is None or path in dict(report.failed):
        return Outcome(Path(path).name, "failed", reason=why)
    status: Status = "added" if source.document in report.added else "changed" if source.document in report.changed else "same"
    return Outcome(Path(path).name, "same" if source.duplicate else status, source.document)


def _child() -> int:
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes elsewhere
    with suppress(OSError, AttributeError):
        os.nice(5)  # questions first

    def tell(what: Mapping[str, Any]) -> None:
        out.write(json.dumps(what) + "\n")
        out.flush()

    try:
        _work(json.loads(sys.stdin.read()), tell)
    except RagError as error:
        tell({"problem": str(error), "kind": type(error).__name__})
    return 0


if __name__ == "__main__":
    sys.exit(_child())
