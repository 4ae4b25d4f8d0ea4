"""What commands print: tables for people, plain JSON for programs, bars while something takes long.

Reports are untrusted: nothing that could drive a terminal passes.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from rag.config import Config

if TYPE_CHECKING:
    from rag.index.manifest import BuildReport
    from rag.search.retrieve import Explained
    from rag.types import Hit

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What could move the cursor, colour the terminal or turn the text around: reports are not trusted with that."""


def hit_record(hit: Hit, titles: dict[str, str]) -> dict[str, Any]:
    chunk = hit.chunk
    return {
        "chunk": chunk.id,
        "document": chunk.document,
        "title": titles.get(chunk.document, ""),
        "section": list(chunk.section),
        "page": chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "text": hit.text,
        "score": round(hit.fused, 6),
        "lexical": round(hit.lexical, 6),
        "dense": round(hit.dense, 6),
    }


def hit_text(number: int, hit: Hit, titles: dict[str, str], why: str) -> str:
    page = f"p. {hit.chunk.page}" if hit.chunk.page is not None else ""
    place = " · ".join(part for part in (titles.get(hit.chunk.document, ""), " / ".join(hit.chunk.section), page) if part)
    text = " ".join(hit.text.split())
    return f"{number}. {hit.fused:.3f}  {place}{why}\n   {text if why or len(text) <= 240 else text[:239] + '…'}"


def explained(reason: Explained) -> str:
    """What a score is made of, as the sum that it is."""
    hit, mix = reason.hit, reason.mix
    total = f"lexical {hit.lexical:.3f} + {mix.dense:.2f} x cosine {hit.dense:.3f}"
    total += f" + {mix.sentence:.2f} x best sentence {reason.sentence:.3f}" if mix.sentence else ""
    total += f" + {mix.likeness:.2f} x likeness {reason.likeness:.3f}" if mix.likeness else ""
    if (mix.scale, mix.offset) != (1.0, 0.0):
        total = f"{mix.scale:.2f} x ({total}) {'+' if mix.offset >= 0 else '-'} {abs(mix.offset):.2f}"
    total += f" + {reason.bonus:.2f} for the report named" if reason.bonus else ""
    total += f" = {mix.fused(hit.lexical, hit.dense, reason.sentence, reason.likeness) + reason.bonus:.3f}"
    total += f", reranked {reason.reranked:.3f}" if reason.reranked is not None else ""
    found = ", ".join(f"{term} {share:.0%}" for term, share in sorted(reason.terms.items(), key=lambda pair: -pair[1])[:8])
    words = f"\n   {'translated ' if reason.translated else ''}words: {found}" if found else ""
    return f"\n   {total}{words}\n   chunk {hit.chunk.id}, {hit.chunk.tokens} tokens"


def report_rows(report: BuildReport, config: Config) -> list[tuple[str, str]]:
    rows = [
        ("reports", f"{report.documents}"),
        ("passages", f"{report.chunks}"),
        *((name, f"{len(getattr(report, name))}") for name in ("added", "changed", "unchanged", "removed")),
        ("not read", f"{len(report.failed)}"),
        *(("same as", f"{name}: {path}") for path, name in report.duplicates),
        ("generation", f"{report.generation}" + ("" if report.changed_anything else " (nothing to do)")),
        ("seconds", f"{report.seconds:.2f}"),
        ("folder", config.index_dir),
    ]
    return [*rows, ("built anew", report.rebuilt)] if report.rebuilt else rows


def say(text: str) -> None:
    typer.echo(CONTROL.sub("", text))


def note(text: str) -> None:
    typer.echo(CONTROL.sub("", text), err=True)


def fail(message: str, code: int) -> int:
    typer.echo(f"error: {CONTROL.sub('', ' '.join(message.split()))}", err=True)
    return code


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", show_header=any(columns), box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(CONTROL.sub("", str(cell))) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 160)
    with console.capture() as captured:
        console.print(table)
    typer.echo(captured.get(), nl=False)  # rich would end the process when the reader hangs up


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A callback (stage, done, total) that draws on standard error: only on a terminal and only after the first second."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    start, tasks, bars = time.monotonic(), {}, None

    def show(stage: str, done: int, total: int) -> None:
        nonlocal bars
        if bars is None:
            if time.monotonic() - start < 1:
                return
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
            )
            bars = Progress(*columns, console=Console(stderr=True), transient=True)
            bars.start()
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total or None, rate="")
        speed = bars.tasks[tasks[stage]].speed
        bars.update(tasks[stage], completed=done, total=total or None, rate=f"{speed:.1f}/s" if speed else "")

    try:
        yield show
    finally:
        if bars:
            bars.stop()
