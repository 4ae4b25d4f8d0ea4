"""The `rag` command: tables for people, plain JSON on standard output for programs, one line on standard error when something is wrong.

Everything heavy is imported inside the command that needs it, so that `rag ask` starts in a fraction of a second.
"""

from __future__ import annotations

import functools
import importlib
import ipaddress
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.config import Config, bundled, load_config, shown
from rag.errors import IndexDamaged, IndexMismatch, NothingIndexed, RagError, UnreadableFile, UsageError

if TYPE_CHECKING:
    from rag.chat import Assistant
    from rag.index.store import BuildReport
    from rag.search.retrieve import Explained
    from rag.types import Answer, Citation, Encoder, Filter, Hit

app = typer.Typer(
    help="Answers from your reports, every sentence cited to its exact span.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

IndexDir = Annotated[str | None, typer.Option("--index", metavar="DIR", help="Folder of the index.", show_default="index")]
AsJson = Annotated[bool, typer.Option("--json", help="Plain JSON on standard output.")]
Reports = Annotated[list[str] | None, typer.Option("--report", metavar="ID", help="Only this report; may be given again.")]
Publisher = Annotated[str | None, typer.Option("--publisher", metavar="NAME", help="Only reports of this publisher.")]
Year = Annotated[int | None, typer.Option("--year", help="Only reports of this year.")]
RerankerName = Annotated[
    str | None,
    typer.Option("--reranker", metavar="NAME", help="A cross-encoder (sentence-transformers name or folder) that reads the best passages."),
]
Language = Annotated[str | None, typer.Option("--language", metavar="zh|en", help="Only reports in this language.")]
ByModel = Annotated[bool, typer.Option("--llm", help="Let the configured LLM write; every sentence is checked against its source.")]

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What could move the cursor, colour the terminal or turn the text around: reports are not trusted with that."""

WORDS = {
    "zh": ("来源", "报告中没有找到答案", "最接近的段落（未采用）", "检索的问题", "第 {} 页"),
    "en": ("Sources", "Not found in the reports", "Nearest passages (not used)", "Searched for", "p. {}"),
}
VERDICTS = {
    True: {"partial": "原文只支持一部分", "unsupported": "原文不支持", "uncited": "没有找到出处"},
    False: {"partial": "supported in part", "unsupported": "not supported", "uncited": "no source found"},
}
"""What a sentence that is not supported is called, in Chinese (True) and English."""


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    raise SystemExit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """One command; the exit code: 0 good, 2 usage, 3 damaged index, 4 nothing indexed, 5 other, 130 interrupted."""
    try:
        return app(list(arguments), prog_name="rag", standalone_mode=False) or 0
    except RagError as error:
        return _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        return _fail(f"{error.format_message()} (see: rag --help)", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except Exception as error:
        if os.environ.get("RAG_DEBUG"):
            raise
        return _fail(f"{type(error).__name__}: {error} (run with RAG_DEBUG=1 for the traceback)", 5)


def _command(name: str, group: typer.Typer = app) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
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


@app.callback(invoke_without_command=True)
def _start(context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from importlib.metadata import version as version_of

        _say(f"veracite {version_of('veracite')}")
    elif context.invoked_subcommand is None:
        _say(context.get_help())


@_command("index")
def index(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="[PATH...]", help="Files and folders of reports.")] = None,
    index_dir: IndexDir = None,
    encoder: Annotated[str | None, typer.Option(metavar="NAME", help="'builtin' or a sentence-transformers name or folder.")] = None,
    ocr: Annotated[bool, typer.Option("--ocr", help="Read page images in PDFs by text recognition (needs tesseract).")] = False,
    as_json: AsJson = False,
) -> int:
    """Index reports, or bring an index up to date. Without PATH: the paths it was made from, at first the bundled corpus."""
    config, roots = _with_index(load_config({"index_dir": index_dir, "encoder": encoder, "ocr": "on" if ocr else None}))
    for path in paths or ():
        if not path.exists():
            raise UsageError(f"{path} is not there: name a file or folder of reports")
    report = _build(config, paths or roots)
    if as_json:
        _print_json(asdict(report))
        return 0
    _table("Index", ("", ""), _report_rows(report, config))
    if report.notes:
        _table("Read in part", ("file", "note"), report.notes)
    if report.failed:
        _table("Not read", ("file", "reason"), report.failed)
    return 0


@_command("ask")
def ask(
    question: Annotated[str, typer.Argument(help="In Chinese or English.")],
    index_dir: IndexDir = None,
    report: Reports = None,
    publisher: Publisher = None,
    year: Year = None,
    language: Language = None,
    reranker: RerankerName = None,
    llm: ByModel = False,
    as_json: AsJson = False,
) -> None:
    """Answer one question; every sentence with the numbers of its sources."""
    assistant = _assistant(load_config({"index_dir": index_dir, "reranker": reranker}))
    answer = assistant.ask(question, only=_only(report, publisher, year, language), **({"llm": True} if llm else {}))
    if as_json:
        _print_json(answer.to_dict())
    else:
        _say(_answer_text(answer))


@_command("search")
def search(
    question: Annotated[str, typer.Argument(help="In Chinese or English.")],
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
    assistant = _assistant(load_config({"index_dir": index_dir, "reranker": reranker}))
    only = _only(report, publisher, year, language)
    reasons = assistant.explain(question, top_k=count, only=only) if explain else []
    hits = [reason.hit for reason in reasons] if explain else assistant.search(question, top_k=count, only=only)
    titles = {document.id: document.title for document in assistant.documents()}
    if as_json:
        records = [_hit_record(hit, titles) for hit in hits]
        for record, reason in zip(records, reasons, strict=False):
            record["why"] = {name: value for name, value in asdict(reason).items() if name != "hit"}
        _print_json({"question": question, "hits": records})
    elif hits:
        shown_reasons = [_why(reason) for reason in reasons] or [""] * len(hits)
        _say("\n\n".join(_hit_text(number, hit, titles, why) for number, (hit, why) in enumerate(zip(hits, shown_reasons, strict=True), 1)))
    else:
        _note("no passage shares a word with the question")


@_command("adapt")
def adapt_encoder(
    index_dir: IndexDir = None,
    steps: Annotated[int, typer.Option(min=10, max=10_000, help="How long to tune; the default takes a minute or two.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Tune the built-in encoder to the indexed reports, and keep that only if it finds held-back sentences better."""
    from rag.index.adapt import adapt_index

    config = _with_index(load_config({"index_dir": index_dir}))[0]
    with _bars() as show:
        result = adapt_index(config, steps=steps, progress=show)
    if as_json:
        _print_json(asdict(result))
        return
    rows = [
        ("passage found first", f"{result.recall_before:.3f}", f"{result.recall_after:.3f}"),
        ("mean reciprocal rank", f"{result.rank_before:.3f}", f"{result.rank_after:.3f}"),
    ]
    _table(f"{result.sentences} held-back sentences", ("", "before", "after"), rows)
    _note(f"{'kept: the index now uses ' + result.folder if result.kept else 'not kept'}; {result.reason}")


@_command("batch")
def batch(
    input: Annotated[str, typer.Argument(metavar="IN", help="JSONL, CSV or XLSX with questions; - is JSONL from standard input.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="JSONL, CSV or XLSX; a line of answer for each line of IN.")
    ],
    index_dir: IndexDir = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Questions answered at the same time.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the lines that OUT has and go on behind them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Answer a file of questions, one line for each."""
    from rag.batch import run_batch

    assistant = _assistant(load_config({"index_dir": index_dir}))
    with _bars() as show:
        report = run_batch(input, output, assistant, workers=workers, resume=resume, progress=functools.partial(show, "answer"))
    if as_json:
        _print_json(asdict(report))
    else:
        kept = f", {report.skipped} kept from before" if report.skipped else ""
        rate = f" in {report.seconds:.1f} s ({report.done / report.seconds:.1f} a second)" if report.done and report.seconds else ""
        _note(
            f"{report.done} lines written to {output}{rate}: {report.answered} answered, {report.refused} refused, {report.errors} errors{kept}"
        )
        if report.first_error:
            _note(f"first error: {report.first_error}")


@_command("list")
def list_reports(index_dir: IndexDir = None, as_json: AsJson = False) -> None:
    """List the indexed reports."""
    from rag.index.store import open_index

    snapshot = open_index(_config(index_dir=index_dir).index_dir)
    documents = snapshot.documents()
    if as_json:
        hidden = {"text", "blocks"}
        _print_json({"documents": [{key: value for key, value in asdict(one).items() if key not in hidden} for one in documents]})
    else:
        columns = ("id", "title", "publisher", "year", "language", "pages", "file")
        rows = [(d.id, d.title, d.publisher, d.year or "", d.language, d.page_count or "", d.source) for d in documents]
        _table(f"{len(rows)} reports, {snapshot.count()} passages", columns, rows)


@_command("show")
def show(
    document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="Its id, as `rag list` shows it.")],
    page: Annotated[int | None, typer.Option(min=1, help="Only this page of the file.")] = None,
    span: Annotated[str | None, typer.Option(metavar="A:B", help="These characters, marked, with what stands around them.")] = None,
    index_dir: IndexDir = None,
    as_json: AsJson = False,
) -> None:
    """Print the text of an indexed report as it is searched and quoted: whole, one page, or a span with its surroundings."""
    from rag.index.store import open_index
    from rag.reading.inspect import named, page_span, parse_span, shown_text

    found = named(open_index(_config(index_dir=index_dir).index_dir), document)
    start, end = page_span(found, page) if page is not None else (0, len(found.text))
    marked = parse_span(span, found) if span else None
    if marked and page is None:
        start, end = max(0, marked[0] - 400), min(len(found.text), marked[1] + 400)
    if as_json:
        quoted = marked or (start, end)
        place = {"document": found.id, "title": found.title, "page": found.page_at(quoted[0]), "start": quoted[0], "end": quoted[1]}
        _print_json(place | {"text": found.text[quoted[0] : quoted[1]]})
    else:
        _say(shown_text(found, start, end, marked))


@_command("inspect")
def inspect_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A report; nothing is indexed.")],
    ocr: Annotated[bool, typer.Option("--ocr", help="Read page images in PDFs by text recognition (needs tesseract).")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the reader makes of a file: what it says of itself, repairs and losses, and every block with page, kind and section.

    What cannot be read in an archive or a folder is named; the rest is shown.
    """
    from rag.reading.dispatch import Sources, find_files
    from rag.reading.inspect import block_lines
    from rag.reading.sandbox import Cut, Sandbox, pack

    recognise = _recognises(load_config({"ocr": "on" if ocr else None})[0])
    paths = list(find_files([file.absolute()]))
    with Sandbox(children=1, recognise=recognise) as sandbox:
        for path in paths:
            try:
                reading = sandbox.read_one(path, cut=Cut(), known=Sources([file.absolute()]).known(path))
            except UnreadableFile as error:
                if len(paths) == 1:
                    raise
                _note(f"{path}: {error.reason}")
                continue
            found = reading.document
            if as_json:
                _print_json(pack(reading))
                continue
            rows = [(name, getattr(found, name)) for name in ("id", "title", "publisher", "year", "language", "page_count", "sha256")]
            rows += [("text", f"{len(found.text)} characters, {len(found.blocks)} blocks, {len(reading.chunks)} passages")]
            rows += [("note", note) for note in found.notes]
            _table(str(path), ("", ""), [(name, value if value is not None else "") for name, value in rows])
            _say("\n".join(block_lines(found)))


@_command("remove")
def remove(
    document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="Its id, as `rag list` shows it.")],
    index_dir: IndexDir = None,
    as_json: AsJson = False,
) -> None:
    """Take one report out of the index; its file stays."""
    from rag.index.store import remove_document

    config, _ = _with_index(load_config({"index_dir": index_dir}))
    report = remove_document(config.index_dir, document, _encoder(config))
    if as_json:
        _print_json(asdict(report))
    else:
        _note(f"removed {document}; {report.documents} reports and {report.chunks} passages are left")


@_command("doctor")
def doctor(index_dir: IndexDir = None, as_json: AsJson = False) -> int:
    """Check every part of the index. Changes nothing; exit code 3 when something is damaged."""
    from rag.index.store import check_index

    config = _config(index_dir=index_dir)
    report = check_index(config.index_dir)
    if as_json:
        _print_json(asdict(report))
    else:
        rows = [(name, value) for name, value in asdict(report).items() if name not in ("problems", "ok")]
        _table("Sound" if report.ok else "Damaged", ("", ""), rows)
        for problem in report.problems:
            _note(f"problem: {problem}")
        if not report.ok:
            _note(f"next: `rag rollback --index {config.index_dir}` serves the generation before, `rag index` builds a new one")
    return 0 if report.ok else 3


@_command("rollback")
def rollback(index_dir: IndexDir = None) -> None:
    """Serve the generation before the current one again."""
    from rag.index.store import rollback as roll_back

    config = _config(index_dir=index_dir)
    _note(f"{config.index_dir} now serves {roll_back(config.index_dir)}")


@_command("serve")
def serve(
    index_dir: IndexDir = None,
    host: Annotated[str | None, typer.Option(help="Address of this machine to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; the next free one is taken when it is in use.", show_default="7860")] = None,
    auth_file: Annotated[
        Path | None, typer.Option("--auth-file", metavar="FILE", help="Names and hashed passwords of who may come in; see the README.")
    ] = None,
    root_path: Annotated[str, typer.Option("--root-path", metavar="PATH", help="Path under which a proxy shows the page.")] = "",
    name: Annotated[
        list[str] | None, typer.Option("--name", metavar="HOST", help="Host name it is served under besides localhost and addresses.")
    ] = None,
    mcp: Annotated[bool, typer.Option("--mcp", help="Also offer ask, search and reports to agents at /mcp (extra: mcp).")] = False,
    api: Annotated[bool, typer.Option("--api", help="Also serve /v1/chat/completions and /v1/models to OpenAI clients.")] = False,
) -> None:
    """Serve the chat page; indexes first when the index is missing or older than its files."""
    settings = load_config({"index_dir": index_dir, "host": host, "port": port})
    config, roots = _with_index(settings)
    login = None
    if auth_file is not None:
        from rag.web.login import checker, read_users

        login = checker(read_users(auth_file))
    if login is None and not _is_loopback(config.host):
        raise UsageError(f"host is {config.host}: other machines could read all reports; use 127.0.0.1, or name people with --auth-file")
    _refresh(config, roots)
    _import_bundled("app").serve(
        _assistant(settings),
        config.host,
        config.port,
        names=name or (),
        login=login,
        root_path=root_path,
        mcp=mcp,
        **({"api": True} if api else {}),
    )


class _RunByDefault(typer.core.TyperGroup):
    """`rag eval [QUESTIONS]` runs; a first word that is a command of its own wins over a file of that name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


evaluation = typer.Typer(cls=_RunByDefault, help="Measure answers, citations and refusals; see whether a change helped.")
app.add_typer(evaluation, name="eval")

Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="DIR", help="Records go to a new folder in it.", show_default="runs")
]
Split = Annotated[str, typer.Option(metavar="tune|report", help="One half of the questions.")]
Judge = Annotated[str, typer.Option(metavar="NAME", help="Who judges support: builtin, nli:MODEL or llm:MODEL.")]
Plant = Annotated[str, typer.Option(metavar="FAULT", help="Take a part out, to see whether the figures notice.")]


@_command("run", evaluation)
def evaluate(
    questions: Annotated[Path | None, typer.Argument(metavar="[QUESTIONS]", help="JSONL, CSV or XLSX; by default the bundled set.")] = None,
    output: Output = None,
    index_dir: IndexDir = None,
    corpus: Annotated[Path | None, typer.Option(metavar="DIR", help="Make an index of this folder for the run.")] = None,
    split: Split = "",
    judge: Judge = "builtin",
    plant: Plant = "",
    as_json: AsJson = False,
) -> int:
    """Ask a set of questions; the default, so that `rag eval FILE` is enough."""
    settings = load_config({"index_dir": index_dir})
    config = _with_index(settings)[0] if questions and not corpus else settings[0]
    run = _import_bundled("eval.run")
    return run.run(config, questions, output, as_json, run.Setting(split, judge, plant), corpus)


@_command("compare", evaluation)
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="Folder of a run, or a baseline.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Folder of a run, or a baseline.")],
    as_json: AsJson = False,
) -> int:
    """Two runs side by side: figures with paired intervals, and the questions that changed sides."""
    return _import_bundled("eval.compare").compare_runs(before, after, as_json)


@_command("gate", evaluation)
def gate(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="Folder of a run; by default one is made now.")] = None,
    against: Annotated[Path | None, typer.Option(metavar="BASELINE", help="A baseline or a run.", show_default="the stored one")] = None,
    max_drop: Annotated[float, typer.Option(min=0, max=1, help="How far a figure may fall.")] = 0.02,
    refresh: Annotated[bool, typer.Option("--refresh", help="Store what is measured now as the new baseline.")] = False,
    output: Output = None,
    split: Split = "tune",
    plant: Plant = "",
) -> int:
    """Exit 1 when a figure fell against the baseline by more than is allowed."""
    module = _import_bundled("eval.compare")
    return module.gate(_config(), against, max_drop, output, module.Setting(split, plant=plant), run, refresh)


@_command("make", evaluation)
def make_questions(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="A report or a folder of reports.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="JSONL, CSV or XLSX.")] = Path("questions.jsonl"),
    count: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many questions.")] = 100,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> int:
    """Write candidate questions over reports of your own, by rule, for a person to edit."""
    return _import_bundled("eval.make").make(_config(), corpus, output, count, force)


@_command("edit", evaluation)
def edit_questions(
    questions: Annotated[Path, typer.Argument(metavar="QUESTIONS", help="A file that `rag eval make` wrote, or one of your own.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="First port to try.")] = 7870,
) -> int:
    """Go through questions one by one in a browser on this machine: keep, mend or strike out; each step is saved."""
    return _import_bundled("eval.edit").edit(questions, port)


@_command("public", evaluation)
def public(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Where the public sets are.")],
    sets: Annotated[list[str] | None, typer.Option("--set", metavar="NAME", help="Only this set; may be given again.")] = None,
    count: Annotated[int, typer.Option("-n", min=1, help="Questions of each set, evenly spread.")] = 300,
    as_json: AsJson = False,
) -> int:
    """Measure on public question sets: CMRC, SQuAD, XQuAD, CLAPnq."""
    return _import_bundled("eval.public").run_public(_config(), data, sets, count, as_json)


@_command("reader", evaluation)
def reader(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSONL of questions or claims, each with its passage.")],
    as_json: AsJson = False,
) -> int:
    """Measure the reader alone: what a passage answers, the best sentence, unsupported claims."""
    return _import_bundled("eval.reader").run_reader(files, as_json)


@_command("config")
def show_config(index_dir: IndexDir = None, as_json: AsJson = False) -> None:
    """Show every setting, its value and where that came from."""
    config, origins = load_config({"index_dir": index_dir})
    values = asdict(config)
    if as_json:
        _print_json({name: {"value": _plain(name, value), "origin": origins[name]} for name, value in values.items()})
    else:
        _table("Settings", ("setting", "value", "from"), [(name, shown(name, value), origins[name]) for name, value in values.items()])


# ---------------------------------------------------------------- what the commands share


Settings = tuple[Config, dict[str, str]]
"""As `load_config` gives them: the values and where each came from."""


def _config(**flags: Any) -> Config:
    return load_config(flags)[0]


def _with_index(settings: Settings) -> tuple[Config, list[Path]]:
    """The configuration with the encoder that the index remembers, unless one was named, and the paths that the index mirrors."""
    from rag.index.store import open_index

    config, origins = settings
    try:
        manifest = open_index(config.index_dir, verify=False).manifest
    except NothingIndexed:
        return config, [bundled("corpus")]
    except IndexDamaged:
        return config, []  # a build finds the paths in what is left
    gone = [root for root in manifest.roots if not Path(root).exists()]
    if gone:
        _note(f"warning: {', '.join(gone)} is not there any more; what was indexed from it stays")
    remembered = replace(config, encoder=manifest.encoder) if origins["encoder"] == "default" else config
    return remembered, [Path(root) for root in manifest.roots if root not in gone]


def _plain(name: str, value: Any) -> Any:
    text = shown(name, value)
    return value if text == str(value) else text


def _encoder(config: Config) -> Encoder:
    from rag.index.encoder import open_encoder

    return open_encoder(config.encoder)


def _assistant(settings: Settings) -> Assistant:
    from rag.chat import Assistant

    try:
        assistant = Assistant.open(settings[0])
    except IndexMismatch:
        remembered, _ = _with_index(settings)
        if remembered == settings[0]:
            raise
        assistant = Assistant.open(remembered)
    if assistant.warning:
        _note(f"warning: {assistant.warning}")
    return assistant


def _only(reports: list[str] | None, publisher: str | None, year: int | None, language: str | None) -> Filter:
    from rag.types import Filter

    if language not in (None, "zh", "en"):
        raise UsageError(f"language is {language!r}: choose zh or en")
    return Filter(tuple(reports or ()), publisher or "", year, language or "")


def _build(config: Config, roots: Sequence[Path]) -> BuildReport:
    from rag.index.store import build_index

    with _bars() as show:
        return build_index(
            roots,
            config.index_dir,
            _encoder(config),
            target_tokens=config.target_tokens,
            max_tokens=config.max_tokens,
            recognise=_recognises(config),
            progress=show,
        )


def _recognises(config: Config) -> bool:
    """Whether page images are to be read. Raises UsageError where that is wanted but nothing can do it."""
    if config.ocr == "off":
        return False
    from rag.reading.formats.ocr import INSTALL, languages

    if not languages():
        raise UsageError(f"ocr is on, but no tesseract that knows Chinese or English is installed: install {INSTALL}")
    return True


def _refresh(config: Config, roots: Sequence[Path]) -> None:
    """Builds the index when it is missing or older than its files."""
    from rag.index.store import is_stale

    if is_stale(roots, config.index_dir, _encoder(config)):
        _note(f"indexing {', '.join(map(str, roots)) or 'anew'} into {config.index_dir} ...")
        report = _build(config, roots)
        unread = f", {len(report.failed)} files could not be read (`rag index` lists them)" if report.failed else ""
        _note(f"indexed {report.documents} reports, {report.chunks} passages in {report.seconds:.1f} s{unread}")


def _import_bundled(module: str) -> Any:
    """`app` or a module of `eval`, which live beside the package in a checkout and inside it when installed."""
    folder = str(bundled("app.py").parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(module)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


# ---------------------------------------------------------------- words for people


def _answer_text(answer: Answer) -> str:
    sources, not_found, nearest, searched, _ = WORDS["zh" if answer.language == "zh" else "en"]
    lines = []
    if answer.query and answer.query != answer.question.strip():
        lines += [f"{searched}: {answer.query}", ""]
    if answer.abstained:
        lines += [f"{not_found}: {answer.reason}" if answer.reason else not_found]
        if answer.nearest:
            lines += ["", nearest, *_source_lines(answer.nearest, answer.language)]
        return "\n".join(lines)
    lines += [answer.answer]
    zh = answer.language == "zh"
    for claim in answer.claims:
        if claim.verdict != "supported":
            colon, why = ("：", f"（{claim.why}）") if zh else (": ", f" ({claim.why})")
            lines += [f"  ! {VERDICTS[zh][claim.verdict]}{colon}{claim.text}{why if claim.why else ''}"]
    lines += ["", answer.reason] if answer.reason else []
    lines += ["", sources, *_source_lines(answer.citations, answer.language)]
    return "\n".join(lines)


def _source_lines(citations: Sequence[Citation], language: str) -> Iterator[str]:
    """Each place once, with the quotes that follow one another there."""
    last = ""
    for citation in citations:
        place = _place(citation.title, citation.section, citation.page, language)
        if place != last:
            yield place
        last = place
        yield f"  [{citation.n}] {' '.join(citation.quote.split())}"


def _place(title: str, section: str, page: int | None, language: str) -> str:
    page_text = WORDS["zh" if language == "zh" else "en"][-1].format(page) if page is not None else ""
    return " · ".join(part for part in (title, section, page_text) if part)


def _hit_record(hit: Hit, titles: dict[str, str]) -> dict[str, Any]:
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


def _hit_text(number: int, hit: Hit, titles: dict[str, str], why: str) -> str:
    place = _place(titles.get(hit.chunk.document, ""), " / ".join(hit.chunk.section), hit.chunk.page, "en")
    text = " ".join(hit.text.split())
    return f"{number}. {hit.fused:.3f}  {place}{why}\n   {text if why or len(text) <= 240 else text[:239] + '…'}"


def _why(reason: Explained) -> str:
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


def _report_rows(report: BuildReport, config: Config) -> list[tuple[str, str]]:
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


def _say(text: str) -> None:
    typer.echo(CONTROL.sub("", text))


def _note(text: str) -> None:
    typer.echo(CONTROL.sub("", text), err=True)


def _fail(message: str, code: int) -> int:
    typer.echo(f"error: {CONTROL.sub('', ' '.join(message.split()))}", err=True)
    return code


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
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
def _bars() -> Iterator[Callable[[str, int, int], None]]:
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
