"""A file of questions in, a file of answers out, one for one and in order, resumable after a kill: JSON lines, CSV or XLSX.

Tables are read whole and written whole at the end; until then the answers stand as JSON lines in a journal beside OUT, and a resumed run
goes on from there. Gave up on retrying lines that hold an error when resuming: they stay where they are, so OUT always mirrors IN.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rag.errors import RagError, UsageError
from rag.reading.records import is_table, read_table, write_table
from rag.text.normalize import search_form
from rag.types import Filter, Progress, Turn

if TYPE_CHECKING:
    from rag.chat import Assistant

WINDOW = 4
"""Questions in work or waiting for their turn to be written, a worker."""

LINE_BREAKERS = re.compile("[\x85\u2028\u2029]")
"""Characters that JSON leaves alone and that many a line reader takes for the end of a line."""


HEADINGS = {
    "id": ("序号", "编号", "no", "no.", "number", "#"),
    "question": ("问题", "提问", "问句", "questions", "query", "q", "prompt"),
    "history": ("历史", "对话历史", "conversation"),
    "reports": ("报告", "报告范围", "report"),
}
"""What people call the fields that are read, in any case, besides their names."""

TABLE_COLUMNS = ("answer", "refused", "reason", "verdicts", "sources", "quotes", "error")
"""What a table says of an answer, behind the asker's own columns."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """Lines written by this run, how they went, and how many an earlier run had left."""

    done: int
    errors: int
    skipped: int
    refused: int = 0
    seconds: float = 0.0
    first_error: str = ""
    """The first line that holds an error, with its id."""

    @property
    def answered(self) -> int:
        """Lines with an answer that is no refusal."""
        return self.done - self.errors - self.refused


def run_batch(
    input: Path | str,
    output: Path | str,
    assistant: Assistant,
    *,
    workers: int = 1,
    resume: bool = False,
    progress: Progress | None = None,
) -> BatchReport:
    """Answers every line of `input` ("-" is standard input) into the line of the same number of `output`.

    A line that cannot be answered becomes `{"id", ..., "error"}`; a line without an id gets its number, from 1. With `resume` the
    whole lines that `output` has are kept and a torn last one is cut. `progress` gets (lines written, lines in all or 0 when unknown).
    A name that ends in .csv, .tsv or .xlsx is a table: its rows are lines, `history` may hold JSON and `reports` ids with commas between.
    Raises UsageError when a file cannot be used, before anything is written when none of its lines has a question, and, on resuming, when
    the ids of the two files differ.
    """
    if workers < 1:
        raise UsageError(f"workers is {workers}: it must be at least 1")
    started = time.monotonic()
    output = Path(output)
    if input != "-" and _same_file(Path(input), output):
        raise UsageError(f"{output} is both input and output: name another output")
    if input != "-" and not is_table(input):
        _refuse_without_questions(Path(input))
    journal = output.with_name(f"{output.name}.partial.jsonl") if is_table(output) else output
    if resume and journal != output and output.exists() and not journal.exists():
        return BatchReport(0, 0, _finished(Path(input), output))
    with ExitStack() as stack:
        source = _table_lines(Path(input)) if is_table(input) else stack.enter_context(_open_input(input))
        total = len(source) if isinstance(source, list) else 0 if input == "-" else _count_lines(Path(input))
        lines = enumerate(source, 1)
        skipped = _keep_finished(journal, lines) if resume else 0
        sink = stack.enter_context(_open_output(journal, append=resume))
        done = errors = refused = 0
        first_error = ""
        if progress:
            progress(skipped, total)
        for record in _in_order(lambda numbered: answer_line(*numbered, assistant), lines, workers):
            sink.write(_encoded(record))
            sink.flush()
            done += 1
            errors += "error" in record
            refused += "error" not in record and bool(record.get("abstained"))
            if "error" in record and not first_error:
                first_error = f"{record.get('id')}: {record['error']}"
            if progress:
                progress(skipped + done, total)
    if journal != output:
        _tabulate(journal, output)
    return BatchReport(done, errors, skipped, refused, time.monotonic() - started, first_error)


def _finished(input: Path, output: Path) -> int:
    """Rows of a table that an earlier run has finished. Raises UsageError when they are not those of the input."""
    kept = len(read_table(output))
    wanted = len(read_table(input)) if is_table(input) else _count_lines(input)
    if kept != wanted:
        raise UsageError(f"{output} has {kept} rows where the input has {wanted}: name another output or leave out --resume")
    return kept


def _table_lines(path: Path) -> list[bytes]:
    """The rows of a table as the JSON lines that they stand for. Raises UsageError when no column holds questions."""
    rows = read_table(path)
    names = field_names(rows[0]) if rows else {}
    if rows and "question" not in names.values():
        raise UsageError(f"{path} has no column of questions: its columns are {', '.join(list(rows[0])[:8])}; name one of them question")
    renamed = [{names.get(name, name): value for name, value in row.items()} for row in rows]
    return [json.dumps(_unpacked(row), ensure_ascii=False).encode("utf-8", "surrogatepass") for row in renamed]


def field_names(found: Iterable[str]) -> dict[str, str]:
    """Names as people write them to the fields that they mean; each field is given once, to the name that is most like it.

    >>> field_names(["ID", "Question", "note"]), field_names(["序号", "问题"]), field_names(["Query", "question"])
    ({'ID': 'id', 'Question': 'question'}, {'序号': 'id', '问题': 'question'}, {'question': 'question'})
    """
    written = {name: search_form(name).strip() for name in found}
    meant: dict[str, str] = {}
    for field, others in HEADINGS.items():
        ranked = sorted((0 if name == field else 1 if form == field else 2, place, name) for place, (name, form) in enumerate(written.items())
                        if form == field or form in others)  # fmt: skip
        if ranked:
            meant[ranked[0][2]] = field
    return meant


def _refuse_without_questions(path: Path) -> None:
    """Raises UsageError for a file of JSON lines of which none has a question under any name: answering it would only make errors."""
    known, seen = False, ""
    with _open_input(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                fields = _parsed(number, line)
            except UsageError:
                continue
            seen = seen or ", ".join(name for name in list(fields)[:8] if name != "id")
            known = known or bool(fields.get("question"))
            if known:
                return
    if seen:
        raise UsageError(f'{path} has no line with a "question": the first has {seen}; name that field question')


def _unpacked(row: dict[str, str]) -> dict[str, Any]:
    """A row whose `history` and `reports` are lists; what cannot be read stays text, which the line's own error then names."""
    fields: dict[str, Any] = {name: value for name, value in row.items() if value or name == "question"}
    if "reports" in fields:
        fields["reports"] = [name.strip() for name in re.split(r"[,，;；]", row["reports"]) if name.strip()]
    if "history" in fields:
        try:
            fields["history"] = json.loads(row["history"])
        except (ValueError, RecursionError):
            pass
    return fields


def _tabulate(journal: Path, output: Path) -> None:
    """Writes the finished journal as a table and takes the journal away."""
    with journal.open("rb") as file:
        records = [json.loads(line) for line in file]
    answered = {
        "query",
        "language",
        "answer",
        "abstained",
        "reason",
        "mode",
        "model",
        "claims",
        "citations",
        "nearest",
        "timings_ms",
        "error",
    }
    own = dict.fromkeys(name for record in records for name in record if name not in answered)
    columns = [name for name in ("id", "question") if name in own] + [name for name in own if name not in ("id", "question")]
    columns += [name for name in TABLE_COLUMNS if name not in columns]
    write_table(output, columns, (_row(record) for record in records))
    journal.unlink()


def _row(record: dict[str, Any]) -> dict[str, Any]:
    """What a table says of one record: the asker's columns, the answer, and where each sentence stands."""
    citations = record.get("citations", ())
    said = {
        "refused": record.get("abstained") if "abstained" in record else "",
        "verdicts": ", ".join(claim["verdict"] for claim in record.get("claims", ())),
        "sources": "\n".join(_source(citation) for citation in citations),
        "quotes": "\n".join(f"[{citation['n']}] {citation['quote']}" for citation in citations),
    }
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value for name, value in record.items()
    } | said


def _source(citation: dict[str, Any]) -> str:
    parts = (citation["title"], citation["section"], f"p. {citation['page']}" if citation["page"] is not None else "")
    return f"[{citation['n']}] " + " · ".join(part for part in parts if part)


def answer_line(number: int, line: bytes, assistant: Assistant) -> dict[str, Any]:
    """The OUT record of one IN line: its own fields, then the answer's, which win; or its own fields and "error"."""
    fields: dict[str, Any] = {"id": number}
    try:
        fields = _parsed(number, line)
        fields.pop("error", None)  # a record of an earlier run may be asked again
        answer = assistant.ask(*_question(fields), history=_history(fields), only=_filter(fields))
        return fields | answer.to_dict()
    except RagError as error:
        return fields | {"error": str(error)}
    except Exception as error:  # one line must not end the run
        return fields | {"error": f"{type(error).__name__}: {error}"}


def _parsed(number: int, line: bytes) -> dict[str, Any]:
    """The fields of one line, with an id. Raises UsageError for anything but an object of valid JSON."""
    try:
        fields = json.loads(line.decode("utf-8-sig"), parse_constant=_refuse_constant)
        json.dumps(fields, allow_nan=False)  # 1e999 reads as infinity, which JSON cannot say
    except RecursionError:
        raise UsageError(f"line {number} is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"line {number} is not JSON: {error}" if line.strip() else f"line {number} is empty") from None
    if not isinstance(fields, dict):
        raise UsageError(f'line {number} is not an object such as {{"id": "1", "question": "..."}}')
    names = {} if "question" in fields else field_names(fields)
    return {"id": number} | {names.get(name, name): value for name, value in fields.items()}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _question(fields: dict[str, Any]) -> tuple[str]:
    question = fields.get("question")
    if not isinstance(question, str) or not question.strip():
        raise UsageError('"question" is missing' if question is None else f'"question" is {question!r}: it must be text and not empty')
    return (question,)


def _history(fields: dict[str, Any]) -> tuple[Turn, ...]:
    turns = fields.get("history") or []
    if not isinstance(turns, list) or not all(
        isinstance(turn, dict) and isinstance(turn.get("question"), str) and isinstance(turn.get("answer") or "", str) for turn in turns
    ):
        raise UsageError('"history" must be a list of {"question": text, "answer": text}')
    return tuple(Turn(turn["question"], turn.get("answer") or "") for turn in turns)


def _filter(fields: dict[str, Any]) -> Filter:
    reports = fields.get("reports") or []
    if not isinstance(reports, list) or not all(isinstance(report, str) for report in reports):
        raise UsageError('"reports" must be a list of report ids')
    return Filter(reports=tuple(reports))


def _in_order(work: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
    """`map(work, items)` on threads, reading no further ahead than a small window."""
    if workers == 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= WINDOW * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _keep_finished(output: Path, lines: Iterator[tuple[int, bytes]]) -> int:
    """Takes as many of `lines` as `output` has whole records, cuts what follows them, and returns their number."""
    kept = end = 0
    try:
        with output.open("r+b") as file:
            for record, following in _with_next(file):
                identity = _identity(record) if record.endswith(b"\n") else None
                if identity is None and following is None:
                    break
                number, line = next(lines, (0, b""))
                if not number:
                    raise UsageError(f"{output} has more lines than the input: name another output or leave out --resume")
                if identity != (expected := (_expected_id(number, line),)):
                    found = "no id" if identity is None else f"id {identity[0]!r}"
                    raise UsageError(
                        f"{output} line {number} has {found} where the input has {expected[0]!r}: name another output or leave out --resume"
                    )
                kept, end = number, end + len(record)
            file.truncate(end)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError(f"{output} cannot be resumed: {error.strerror or error}") from error
    return kept


def _with_next(file: IO[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    line = file.readline()
    while line:
        following = file.readline()
        yield line, following or None
        line = following


def _identity(record: bytes) -> tuple[Any] | None:
    """(id,) of a written record, None when it is not one."""
    try:
        fields = json.loads(record)
        return (fields["id"],)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _expected_id(number: int, line: bytes) -> Any:
    try:
        return _parsed(number, line)["id"]
    except UsageError:
        return number


def _encoded(record: dict[str, Any]) -> bytes:
    text = LINE_BREAKERS.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(record, ensure_ascii=False))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _open_input(input: Path | str) -> Any:
    if input == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(input).open("rb")
    except OSError as error:
        raise UsageError(f"{input} cannot be read: {error.strerror or error}") from error


def _open_output(output: Path, append: bool) -> IO[bytes]:
    try:
        return output.open("ab" if append else "wb")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror or error}") from error


def _count_lines(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _same_file(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)
