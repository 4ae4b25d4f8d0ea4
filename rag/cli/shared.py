"""What the commands have in common: the application, its options, and opening index and encoder as configured."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.output import note, progress_bars
from rag.config import Config, bundled, load_config
from rag.errors import IndexDamaged, IndexMismatch, NothingIndexed, RagError, UsageError

if TYPE_CHECKING:
    from rag.chat import Assistant
    from rag.index.manifest import BuildReport
    from rag.types import Encoder, Filter

app = typer.Typer(
    help="Answers from your reports, every sentence cited to its exact span.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def document_ids(incomplete: str) -> list[str]:
    """Ids of indexed reports that begin so, for the shell's completion; none where there is no index."""
    from rag.index.snapshot import open_index

    with suppress(RagError):
        documents = open_index(load_config()[0].index_dir, verify=False).documents()
        return [document.id for document in documents if document.id.startswith(incomplete)]
    return []


IndexDir = Annotated[str | None, typer.Option("--index", metavar="DIR", help="Folder of the index.", show_default="index")]
AsJson = Annotated[bool, typer.Option("--json", help="Plain JSON on standard output.")]
Words = Annotated[list[str], typer.Argument(metavar="QUESTION...", help="In Chinese or English; quotes are not needed.")]
DocumentId = Annotated[str, typer.Argument(metavar="DOCUMENT", autocompletion=document_ids, help="Its id, as `rag list` shows it.")]
Reports = Annotated[
    list[str] | None, typer.Option("--report", metavar="ID", autocompletion=document_ids, help="Only this report; may be given again.")
]
Publisher = Annotated[str | None, typer.Option("--publisher", metavar="NAME", help="Only reports of this publisher.")]
Year = Annotated[int | None, typer.Option("--year", help="Only reports of this year.")]
RerankerName = Annotated[
    str | None,
    typer.Option("--reranker", metavar="NAME", help="A cross-encoder (sentence-transformers name or folder) that reads the best passages."),
]
Language = Annotated[str | None, typer.Option("--language", metavar="zh|en", help="Only reports in this language.")]
ByModel = Annotated[
    bool | None,
    typer.Option(
        "--llm/--no-llm", help="Let the configured LLM write; every sentence is checked against its source.", show_default="default_mode"
    ),
]


def command(name: str, group: typer.Typer = app) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Registers a command; a reader that hangs up early, such as `head`, is no error."""

    def register(function: Callable[..., int | None]) -> Callable[..., int | None]:
        @functools.wraps(function)
        def quiet(*arguments: Any, **options: Any) -> int | None:
            try:
                code = function(*arguments, **options)
                sys.stdout.flush()
                return code
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 0

        group.command(name)(quiet)
        return function

    return register


Settings = tuple[Config, dict[str, str]]
"""As `load_config` gives them: the values and where each came from."""


def config_of(**flags: Any) -> Config:
    return load_config(flags)[0]


def with_index(settings: Settings) -> tuple[Config, list[Path]]:
    """The configuration with the encoder that the index remembers, unless one was named, and the paths that the index mirrors."""
    from rag.index.snapshot import open_index

    config, origins = settings
    try:
        manifest = open_index(config.index_dir, verify=False).manifest
    except NothingIndexed:
        return config, [bundled("corpus")]
    except IndexDamaged:
        return config, []  # a build finds the paths in what is left
    gone = [root for root in manifest.roots if not Path(root).exists()]
    if gone:
        note(f"warning: {', '.join(gone)} is not there any more; what was indexed from it stays")
    remembered = replace(config, encoder=manifest.encoder) if origins["encoder"] == "default" else config
    return remembered, [Path(root) for root in manifest.roots if root not in gone]


def encoder_of(config: Config) -> Encoder:
    from rag.index.encoder import open_encoder

    return open_encoder(config.encoder)


def open_assistant(settings: Settings) -> Assistant:
    from rag.chat import Assistant

    try:
        assistant = Assistant.open(settings[0])
    except IndexMismatch:
        remembered, _ = with_index(settings)
        if remembered == settings[0]:
            raise
        assistant = Assistant.open(remembered)
    if assistant.warning:
        note(f"warning: {assistant.warning}")
    return assistant


def filter_of(reports: list[str] | None, publisher: str | None, year: int | None, language: str | None) -> Filter:
    from rag.types import Filter

    if language not in (None, "zh", "en"):
        raise UsageError(f"language is {language!r}: choose zh or en")
    return Filter(tuple(reports or ()), publisher or "", year, language or "")


def build(config: Config, roots: Sequence[Path]) -> BuildReport:
    from rag.index.build import build_index

    with progress_bars() as show:
        return build_index(
            roots,
            config.index_dir,
            encoder_of(config),
            target_tokens=config.target_tokens,
            max_tokens=config.max_tokens,
            recognise=recognises(config),
            progress=show,
        )


def recognises(config: Config) -> bool:
    """Whether page images are to be read. Raises UsageError where that is wanted but nothing can do it."""
    if config.ocr == "off":
        return False
    from rag.reading.formats.ocr import INSTALL, engine

    if not engine():
        raise UsageError(f"ocr is on, but nothing that recognises Chinese or English is installed: install {INSTALL}")
    return True


def refresh(config: Config, roots: Sequence[Path]) -> None:
    """Builds the index when it is missing or older than its files."""
    from rag.index.build import is_stale

    if is_stale(roots, config.index_dir, encoder_of(config)):
        note(f"indexing {', '.join(map(str, roots)) or 'anew'} into {config.index_dir} ...")
        report = build(config, roots)
        unread = f", {len(report.failed)} files could not be read (`rag index` lists them)" if report.failed else ""
        note(f"indexed {report.documents} reports, {report.chunks} passages in {report.seconds:.1f} s{unread}")


def import_bundled(module: str) -> Any:
    """`app` or a module of `eval`, which live beside the package in a checkout and inside it when installed."""
    folder = str(bundled("app.py").parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(module)
