"""`rag ask`, `rag chat`, `rag search` and `rag batch`: one question, a conversation, passages, a file of questions."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rag.cli import shared
from rag.cli.output import explained, hit_record, hit_text, note, print_json, progress_bars, say
from rag.cli.shared import AsJson, ByModel, IndexDir, Language, Publisher, Reports, RerankerName, Words, Year, command
from rag.config import load_config
from rag.errors import RagError
from rag.types import Turn


@command("ask")
def ask(
    question: Words,
    index_dir: IndexDir = None,
    report: Reports = None,
    publisher: Publisher = None,
    year: Year = None,
    language: Language = None,
    reranker: RerankerName = None,
    llm: ByModel = None,
    as_json: AsJson = False,
) -> None:
    """Answer one question; every sentence with the numbers of its sources."""
    settings = load_config({"index_dir": index_dir, "reranker": reranker})
    by_model = settings[0].writes if llm is None else llm
    answer = shared.open_assistant(settings).ask(
        " ".join(question), only=shared.filter_of(report, publisher, year, language), **({"llm": True} if by_model else {})
    )
    if as_json:
        print_json(answer.to_dict())
    else:
        say(str(answer))


@command("chat")
def chat(
    index_dir: IndexDir = None,
    report: Reports = None,
    publisher: Publisher = None,
    year: Year = None,
    language: Language = None,
    llm: ByModel = None,
) -> None:
    """Talk with the reports in the terminal: a follow-up is understood as the question meant. `/new` starts over, Ctrl-D ends it."""
    settings = load_config({"index_dir": index_dir})
    assistant, by_model = shared.open_assistant(settings), settings[0].writes if llm is None else llm
    only, turns = shared.filter_of(report, publisher, year, language), list[Turn]()
    note(f"{len(assistant.documents())} reports; /new starts over, Ctrl-D ends")
    for line in _lines():
        if line == "/new":
            turns.clear()
            continue
        try:
            answer = assistant.ask(line, history=tuple(turns), only=only, **({"llm": True} if by_model else {}))
        except RagError as error:  # of this question; the next one may be better
            note(f"error: {error}")
            continue
        say(f"{answer}\n")
        cited = dict.fromkeys((citation.document, tuple(citation.section.split(" / "))) for citation in answer.citations)
        turns.append(Turn(answer.question, answer.answer, answer.query, tuple(cited)))


def _lines() -> Iterator[str]:
    """What is typed, or piped in, until there is no more; empty lines are passed over."""
    with suppress(ImportError):
        import readline  # noqa: F401  a line can be edited, and earlier ones come back
    while True:
        try:
            line = input("> ") if sys.stdin.isatty() else next(sys.stdin)
        except (EOFError, StopIteration):
            return
        if line.strip():
            yield line.strip()


@command("search")
def search(
    question: Words,
    count: Annotated[int, typer.Option("-k", "--count", min=1, max=1000, help="How many passages.")] = 10,
    index_dir: IndexDir = None,
    report: Reports = None,
    publisher: Publisher = None,
    year: Year = None,
    language: Language = None,
    reranker: RerankerName = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the best passages without composing an answer."""
    asked = " ".join(question)
    assistant = shared.open_assistant(load_config({"index_dir": index_dir, "reranker": reranker}))
    only = shared.filter_of(report, publisher, year, language)
    reasons = assistant.explain(asked, top_k=count, only=only) if explain else []
    hits = [reason.hit for reason in reasons] if explain else assistant.search(asked, top_k=count, only=only)
    titles = {document.id: document.title for document in assistant.documents()}
    if as_json:
        records = [hit_record(hit, titles) for hit in hits]
        for record, reason in zip(records, reasons, strict=False):
            record["why"] = {name: value for name, value in asdict(reason).items() if name != "hit"}
        print_json({"question": asked, "hits": records})
    elif hits:
        shown_reasons = [explained(reason) for reason in reasons] or [""] * len(hits)
        say("\n\n".join(hit_text(number, hit, titles, why) for number, (hit, why) in enumerate(zip(hits, shown_reasons, strict=True), 1)))
    else:
        note("no passage shares a word with the question")


@command("batch")
def batch(
    input: Annotated[str, typer.Argument(metavar="IN", help="JSONL, CSV or XLSX with questions; - is JSONL from standard input.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="JSONL, CSV or XLSX; a line of answer for each line of IN.")
    ],
    index_dir: IndexDir = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Questions answered at the same time.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the lines that OUT has and go on behind them.")] = False,
    as_json: AsJson = False,
) -> int:
    """Answer a file of questions, one line for each. Exit code 5 when not one of them could be answered."""
    from rag.batch import run_batch

    assistant = shared.open_assistant(load_config({"index_dir": index_dir}))
    with progress_bars() as show:
        report = run_batch(input, output, assistant, workers=workers, resume=resume, progress=functools.partial(show, "answer"))
    if as_json:
        print_json(asdict(report))
    else:
        kept = f", {report.skipped} kept from before" if report.skipped else ""
        rate = f" in {report.seconds:.1f} s ({report.done / report.seconds:.1f} a second)" if report.done and report.seconds else ""
        note(
            f"{report.done} lines written to {output}{rate}: {report.answered} answered, {report.refused} refused, {report.errors} errors{kept}"
        )
        if report.first_error:
            note(f"first error: {report.first_error}")
    return 5 if report.errors and report.errors == report.done else 0
