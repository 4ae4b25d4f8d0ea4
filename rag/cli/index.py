"""`rag index` and the commands that look into an index or mend it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rag.cli import shared
from rag.cli.output import note, print_json, progress_bars, report_rows, say, table
from rag.cli.shared import AsJson, DocumentId, IndexDir, command, config_of
from rag.config import load_config
from rag.errors import UnreadableFile, UsageError


@command("index")
def index(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH...]", help="Files and folders of reports, or web addresses, each of one page or file."),
    ] = None,
    index_dir: IndexDir = None,
    encoder: Annotated[str | None, typer.Option(metavar="NAME", help="'builtin' or a sentence-transformers name or folder.")] = None,
    ocr: Annotated[
        bool, typer.Option("--ocr", help="Read pictures, and page images in PDFs, by text recognition (needs the extra ocr or tesseract).")
    ] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Web addresses may lead into a private network or to this machine.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Index reports, or bring an index up to date. Without PATH: the paths it was made from, at first the bundled corpus.

    A web address is fetched once; its copy is kept beside the index, with the address and the day, and is what gets cited.
    """
    from rag.reading.fetch import fetch, is_address

    config, roots = shared.with_index(load_config({"index_dir": index_dir, "encoder": encoder, "ocr": "on" if ocr else None}))
    named = [path if is_address(path) else Path(path) for path in paths or ()]
    for path in named:
        if isinstance(path, Path) and not path.exists():
            raise UsageError(f"{path} is not there: name a file or folder of reports")
    copies = Path(f"{Path(config.index_dir).absolute()}-web")
    files = [path if isinstance(path, Path) else fetch(path, copies, allow_private=allow_private) for path in named]
    report = shared.build(config, files or roots)
    if as_json:
        print_json(asdict(report))
        return 0
    table("Index", ("", ""), report_rows(report, config))
    if report.notes:
        told: dict[str, list[str]] = {}
        for name, text in report.notes:
            told.setdefault(name, []).append(text)
        table("Read in part", ("file", "note"), [(name, "; ".join(texts)) for name, texts in told.items()])
    if report.failed:
        table("Not read", ("file", "reason"), report.failed)
    return 0


@command("list")
def list_reports(index_dir: IndexDir = None, as_json: AsJson = False) -> None:
    """List the indexed reports."""
    from rag.index.snapshot import open_index

    snapshot = open_index(config_of(index_dir=index_dir).index_dir)
    documents = snapshot.documents()
    if as_json:
        hidden = {"text", "blocks"}
        print_json({"documents": [{key: value for key, value in asdict(one).items() if key not in hidden} for one in documents]})
    else:
        columns = ("id", "title", "publisher", "year", "language", "pages", "file")
        rows = [(d.id, d.title, d.publisher, d.year or "", d.language, d.page_count or "", d.source) for d in documents]
        table(f"{len(rows)} reports, {snapshot.count()} passages", columns, rows)


@command("show")
def show(
    document: DocumentId,
    page: Annotated[int | None, typer.Option(min=1, help="Only this page of the file.")] = None,
    span: Annotated[str | None, typer.Option(metavar="A:B", help="These characters, marked, with what stands around them.")] = None,
    outline: Annotated[bool, typer.Option("--outline", help="Its sections, each with the sentences that say most of it.")] = False,
    index_dir: IndexDir = None,
    as_json: AsJson = False,
) -> None:
    """Print the text of an indexed report as it is searched and quoted (whole, one page, or a span with its surroundings), or its outline."""
    from rag.index.outline import shown_lines
    from rag.index.snapshot import open_index
    from rag.reading.inspect import named, page_span, parse_span, shown_text

    store = open_index(config_of(index_dir=index_dir).index_dir)
    found = named(store, document)
    if outline:
        made = store.outline(found.id)
        if as_json:
            print_json(made.to_dict(found))
        else:
            say("\n".join(shown_lines(made, found)))
        return
    start, end = page_span(found, page) if page is not None else (0, len(found.text))
    marked = parse_span(span, found) if span else None
    if marked and page is None:
        start, end = max(0, marked[0] - 400), min(len(found.text), marked[1] + 400)
    if as_json:
        quoted = marked or (start, end)
        place = {"document": found.id, "title": found.title, "page": found.page_at(quoted[0]), "start": quoted[0], "end": quoted[1]}
        print_json(place | {"text": found.text[quoted[0] : quoted[1]]})
    else:
        say(shown_text(found, start, end, marked))


@command("inspect")
def inspect_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A report; nothing is indexed.")],
    ocr: Annotated[
        bool, typer.Option("--ocr", help="Read pictures, and page images in PDFs, by text recognition (needs the extra ocr or tesseract).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the reader makes of a file: what it says of itself, repairs and losses, and every block with page, kind and section.

    What cannot be read in an archive or a folder is named; the rest is shown.
    """
    from rag.reading.dispatch import Sources, find_files
    from rag.reading.inspect import block_lines
    from rag.reading.sandbox import Cut, Sandbox, pack

    recognise = shared.recognises(load_config({"ocr": "on" if ocr else None})[0])
    paths = list(find_files([file.absolute()]))
    with Sandbox(children=1, recognise=recognise) as sandbox:
        for path in paths:
            try:
                reading = sandbox.read_one(path, cut=Cut(), known=Sources([file.absolute()]).known(path))
            except UnreadableFile as error:
                if len(paths) == 1:
                    raise
                note(f"{path}: {error.reason}")
                continue
            found = reading.document
            if as_json:
                print_json(pack(reading))
                continue
            rows = [(name, getattr(found, name)) for name in ("id", "title", "publisher", "year", "language", "page_count", "sha256")]
            rows += [("text", f"{len(found.text)} characters, {len(found.blocks)} blocks, {len(reading.chunks)} passages")]
            rows += [("note", note) for note in found.notes]
            table(str(path), ("", ""), [(name, value if value is not None else "") for name, value in rows])
            say("\n".join(block_lines(found)))


@command("remove")
def remove(
    document: DocumentId,
    index_dir: IndexDir = None,
    as_json: AsJson = False,
) -> None:
    """Take one report out of the index; its file stays."""
    from rag.index.build import remove_document

    config, _ = shared.with_index(load_config({"index_dir": index_dir}))
    report = remove_document(config.index_dir, document, shared.encoder_of(config))
    if as_json:
        print_json(asdict(report))
    else:
        note(f"removed {document}; {report.documents} reports and {report.chunks} passages are left")


@command("doctor")
def doctor(index_dir: IndexDir = None, as_json: AsJson = False) -> int:
    """Check every part of the index. Changes nothing; exit code 3 when something is damaged."""
    from rag.index.snapshot import check_index

    config = config_of(index_dir=index_dir)
    report = check_index(config.index_dir)
    if as_json:
        print_json(asdict(report))
    else:
        rows = [(name, value) for name, value in asdict(report).items() if name not in ("problems", "ok")]
        table("Sound" if report.ok else "Damaged", ("", ""), rows)
        for problem in report.problems:
            note(f"problem: {problem}")
        if not report.ok:
            note(f"next: `rag rollback --index {config.index_dir}` serves the generation before, `rag index` builds a new one")
    return 0 if report.ok else 3


@command("rollback")
def rollback(index_dir: IndexDir = None) -> None:
    """Serve the generation before the current one again."""
    from rag.index.publish import rollback as roll_back

    config = config_of(index_dir=index_dir)
    note(f"{config.index_dir} now serves {roll_back(config.index_dir)}")


@command("adapt")
def adapt_encoder(
    index_dir: IndexDir = None,
    steps: Annotated[int, typer.Option(min=10, max=10_000, help="How long to tune; the default takes a minute or two.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Tune the built-in encoder to the indexed reports, and keep that only if it finds held-back sentences better."""
    from rag.index.adapt import adapt_index

    config = shared.with_index(load_config({"index_dir": index_dir}))[0]
    with progress_bars() as show:
        result = adapt_index(config, steps=steps, progress=show)
    if as_json:
        print_json(asdict(result))
        return
    rows = [
        ("passage found first", f"{result.recall_before:.3f}", f"{result.recall_after:.3f}"),
        ("mean reciprocal rank", f"{result.rank_before:.3f}", f"{result.rank_after:.3f}"),
    ]
    table(f"{result.sentences} held-back sentences", ("", "before", "after"), rows)
    note(f"{'kept: the index now uses ' + result.folder if result.kept else 'not kept'}; {result.reason}")
