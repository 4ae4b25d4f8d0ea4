"""Asks every question, keeps one record each, prints and saves the figures: `rag eval`, or `python -m eval.run`.

One question after the other, so that latencies are those of a lone user; a question that raises is counted apart from a wrong answer.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from rag.chat import Assistant
from rag.config import SECRETS, Config, bundled, load_config
from rag.encoder import open_encoder
from rag.errors import RagError, UsageError
from rag.index import build_index
from rag.types import Answer, Citation, Hit, Turn, content_id

from .data import Question, load_questions
from .metrics import answer_hit, citation_precision, evidence_covered, items_shown, recall_at_k, reciprocal_rank
from .report import Record, failures, figures, groups, table

BUNDLED_QUESTIONS = Path(__file__).with_name("questions.jsonl")
RANKS = (1, 5, 10)
PACKAGES = ("veracite", "numpy", "faiss-cpu", "tantivy", "tiktoken")


def run(config: Config, questions: Path | None = None, output: Path | None = None, as_json: bool = False) -> int:
    """Measures and prints; 0 when every question could be asked, else 5. Records and figures are saved in a new folder under `output`.

    Without a file the bundled questions are asked of the bundled corpus, in an index of its own, whatever else is indexed; a file of
    one's own is asked of the configured index. Raises RagError as the front door does, UsageError for a bad question file.
    """
    file = questions or BUNDLED_QUESTIONS
    asked = load_questions(file)
    started = datetime.now(UTC)
    with _bundled_index(config) if questions is None else nullcontext(config) as configured:
        assistant = Assistant.open(configured)
        _check_documents(asked, assistant, file)
        setting = {
            "questions": {"file": file.name, "hash": content_id(repr(asked)), "n": len(asked)},
            "corpus": {document.id: document.sha256 for document in assistant.documents()},
            "config": {name: value for name, value in asdict(config).items() if name not in SECRETS},
            "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        }
        folder = _new_folder(output or Path("runs"), started, content_id(json.dumps(setting, sort_keys=True), length=8))
        with (folder / "records.jsonl").open("w", encoding="utf-8") as sink:
            records = _ask_all(assistant, asked, sink)
    result = _summary(records) | {"folder": str(folder)}
    saved = {"started": started.isoformat(timespec="seconds")} | setting | result
    (folder / "run.json").write_text(json.dumps(saved, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        from rich.console import Console

        console = Console()
        console.print(table(records))
        console.print(f"records: {folder}", highlight=False, soft_wrap=True)
    return 5 if result["errors"] else 0


def ask(assistant: Assistant, question: Question) -> Record:
    """The record of one question. Any exception becomes its "error" and leaves it without figures."""
    record: dict[str, Any] = {
        "id": question.id,
        "question": question.question,
        "kind": question.kind,
        "language": question.language,
        "split": question.split,
        "answerable": question.answerable,
        "paraphrased": question.paraphrased,
        "history": [asdict(exchange) for exchange in question.history],
        "error": "",
    }
    try:
        started = time.perf_counter()
        answer = assistant.ask(question.question, history=[Turn(exchange.question, exchange.answer) for exchange in question.history])
        milliseconds = 1000 * (time.perf_counter() - started)
        hits = assistant.search(answer.query, top_k=max(RANKS))
        measured = measure(question, answer, hits, [_is_exact(assistant, citation) for citation in answer.citations])
    except Exception as error:  # whatever it is, it is a fault of the system, not a wrong answer
        return record | {"error": f"{type(error).__name__}: {error}"}
    return record | {
        "refused": answer.abstained,
        "milliseconds": round(milliseconds, 2),
        "figures": measured,
        "hits": [{"chunk": hit.chunk.id, "document": hit.chunk.document, "start": hit.chunk.start, "end": hit.chunk.end} for hit in hits],
        "answer": answer.to_dict(),
    }


def measure(question: Question, answer: Answer, hits: Sequence[Hit], exact: Sequence[bool]) -> dict[str, float]:
    """The figures of one question, by name; what cannot be told of it is left out.

    `exact` says of each citation whether its quote stands at its place.
    """
    found: dict[str, float] = {"refused": float(answer.abstained)}
    if question.gold:
        items = frozenset(place.item for place in question.gold)
        retrieved = [items_shown(hit.text, hit.chunk.document, question.gold) for hit in hits]
        cited = [items_shown(citation.quote, citation.document, question.gold) for citation in answer.citations]
        found |= {f"recall_at_{k}": recall_at_k(retrieved, items, k) for k in RANKS}
        found |= {"mrr": reciprocal_rank(retrieved, items), "evidence_covered": evidence_covered(cited, items)}
        if cited:
            found["citation_precision"] = citation_precision(cited)
    if question.answers:
        said = "\n".join(claim.text for claim in answer.claims)  # without the [n] markers, whose digits answer nothing
        found["answer_hit"] = float(not answer.abstained and answer_hit(said, question.answers, question.match))
    if answer.claims:
        found["claims_cited"] = sum(bool(claim.citations) for claim in answer.claims) / len(answer.claims)
        found["claims_supported"] = sum(claim.verdict == "supported" for claim in answer.claims) / len(answer.claims)
    if exact:
        found["quotes_exact"] = sum(exact) / len(exact)
    return found


def _ask_all(assistant: Assistant, questions: Sequence[Question], sink: IO[str]) -> list[Record]:
    """Asks in order and writes each record as soon as it is there, so that a run that is cut short leaves what it had."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    records = []
    for question in track(questions, "asking", console=console, transient=True, disable=not console.is_terminal):
        records.append(ask(assistant, question))
        sink.write(json.dumps(records[-1], ensure_ascii=False) + "\n")
        sink.flush()
    return records


def _summary(records: Sequence[Record]) -> dict[str, Any]:
    """What run.json and --json say of the records."""
    failed = failures(records)
    return {
        "n": len(records),
        "errors": sum(bool(record["error"]) for record in records),
        "figures": {figure.name: _plain(figure) for figure in figures(records)},
        "groups": {
            grouping: {member: {figure.name: _plain(figure) for figure in values} for member, values in members.items()}
            for grouping, members in groups(records).items()
        },
        "failures": failed,
    }


def _plain(figure: Any) -> dict[str, float]:
    values = {name: value for name, value in asdict(figure).items() if name != "name" and value is not None}
    return {name: round(value, 4) for name, value in values.items()}


def _is_exact(assistant: Assistant, citation: Citation) -> bool:
    passage = assistant.passage(citation)
    start = citation.start - passage.start
    return start >= 0 and bool(citation.quote) and passage.text[start : start + citation.end - citation.start] == citation.quote


def _check_documents(questions: Sequence[Question], assistant: Assistant, file: Path) -> None:
    indexed = [document.id for document in assistant.documents()]
    for question in questions:
        for place in question.gold:
            if place.document not in indexed:
                known = ", ".join(indexed[:8])
                raise UsageError(f"{file}: question {question.id!r} names the report {place.document!r}; indexed are {known}")


@contextmanager
def _bundled_index(config: Config) -> Iterator[Config]:
    """The configuration with an index of nothing but the bundled corpus, which lasts as long as the run."""
    with tempfile.TemporaryDirectory(prefix="veracite-eval-") as folder:
        own = replace(config, index_dir=str(Path(folder) / "index"))
        encoder = open_encoder(own.encoder)
        build_index([bundled("corpus")], own.index_dir, encoder, target_tokens=own.target_tokens, max_tokens=own.max_tokens)
        yield own


def _new_folder(parent: Path, started: datetime, name: str) -> Path:
    folder = parent / f"{started:%Y%m%d-%H%M%S-%f}-{name}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}; name another folder for the output") from error
    return folder


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def main() -> int:
    """`python -m eval.run`: the same as `rag eval`."""
    parser = argparse.ArgumentParser(prog="python -m eval.run", description="Measure answers against known ones.")
    parser.add_argument("questions", nargs="?", type=Path, help="a file of questions of your own, asked of the configured index")
    parser.add_argument("--index", help="where the index is (for questions of your own)")
    parser.add_argument("--output", type=Path, help="where runs are kept (default: runs)")
    parser.add_argument("--json", action="store_true", help="print the figures for programs")
    given = parser.parse_args()
    try:
        config, _ = load_config({"index_dir": given.index})
        return run(config, given.questions, given.output, given.json)
    except RagError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
