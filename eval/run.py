"""Asks every question, keeps one record each, saves figures and a report: `rag eval`, or `python -m eval.run`.

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
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from rag import __version__
from rag.chat import Assistant
from rag.config import SECRETS, Config, bundled, load_config
from rag.errors import RagError, UsageError
from rag.index.build import build_index
from rag.index.encoder import open_encoder
from rag.types import SOUND, Answer, Citation, Hit, Turn, content_id

from .data import Question, load_questions
from .judge import builtin_judge, open_judge, tampered
from .metrics import (
    Judge,
    answer_hit,
    citation_precision,
    claim_precision,
    claim_recall,
    evidence_covered,
    items_shown,
    ndcg_at_k,
    recall_at_k,
    reciprocal_rank,
    token_f1,
)
from .page import page
from .plant import FAULTS, planted
from .report import Record, console, failures, figures, groups, ladder, table

BUNDLED_QUESTIONS = Path(__file__).with_name("questions.jsonl")
ORIGINAL_QUESTIONS = Path(__file__).with_name("originals.jsonl")
RANKS = (1, 5, 10)
PACKAGES = ("numpy", "faiss-cpu", "tantivy", "tiktoken")
TRACED_CHARACTERS = 600
"""Of each passage found, what a record keeps for reading."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How to ask: which half ("" is both), who judges, a fault to plant (see `eval.plant`), and whether the LLM writes."""

    split: str = ""
    judge: str = "builtin"
    plant: str = ""
    llm: bool = False


def run(
    config: Config, questions: Path | None = None, output: Path | None = None, as_json: bool = False, setting: Setting | None = None,
    corpus: Path | None = None,
) -> int:  # fmt: skip
    """Measures and prints; 0 when every question could be asked, else 5. Records, figures and report.html are saved in a new folder
    under `output`.

    Without a file the bundled questions are asked of the bundled corpus, in an index of its own, whatever else is indexed; a file of
    one's own is asked of the configured index. With `corpus` an index of that folder is made for the run; with that and no file the
    questions are those over the two original reports. Raises RagError as the front door does, UsageError for a bad question file.
    """
    folder, saved, records = measure_all(config, questions, output, setting or Setting(), corpus)
    if as_json:
        print(json.dumps({name: saved[name] for name in ("n", "errors", "figures", "groups", "failures", "folder")}, ensure_ascii=False))
    else:
        printer = console()
        printer.print(table(records))
        printer.print(f"records: {folder}\nreport:  {folder / 'report.html'}", highlight=False, soft_wrap=True)
    return 5 if saved["errors"] else 0


def measure_all(
    config: Config, questions: Path | None, output: Path | None, setting: Setting, corpus: Path | None = None
) -> tuple[Path, dict[str, Any], list[Record]]:
    """(folder, what run.json says, records) of a whole run, saved."""
    file = questions or (ORIGINAL_QUESTIONS if corpus else BUNDLED_QUESTIONS)
    asked = [question for question in load_questions(file) if not setting.split or question.split == setting.split]
    if not asked:
        raise UsageError(f'{file} has no question with "split" {setting.split!r}: leave out --split')
    if setting.plant and setting.plant not in FAULTS:
        raise UsageError(f"{setting.plant!r} cannot be planted: choose one of {', '.join(FAULTS)}")
    judge = open_judge(setting.judge, config)
    started = datetime.now(UTC)
    own = _index_of(config, corpus or bundled("corpus")) if corpus or questions is None else nullcontext(config)
    with own as configured:
        opened = Assistant.open(configured)
        _check_documents(asked, opened, file)
        about = {
            "questions": {"file": file.name, "hash": content_id(repr(asked)), "n": len(asked)},
            "corpus": {document.id: document.sha256 for document in opened.documents()},
            "setting": asdict(setting),
            "config": {name: value for name, value in asdict(config).items() if name not in SECRETS},
            "versions": {"provenote": __version__, "python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        }
        folder = _new_folder(output or Path("runs"), started, content_id(json.dumps(about, sort_keys=True), length=8))
        with (folder / "records.jsonl").open("w", encoding="utf-8") as sink, planted(setting.plant, opened) as assistant:
            records = _ask_all(assistant, asked, sink, judge, setting.llm)
    saved = {"started": started.isoformat(timespec="seconds")} | about | _summary(records) | {"folder": str(folder)}
    (folder / "run.json").write_text(json.dumps(saved, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(page(saved, records), encoding="utf-8")
    return folder, saved, records


def ask(assistant: Assistant, question: Question, judge: Judge = builtin_judge, llm: bool = False) -> Record:
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
        "wanted": {"match": question.match, "answers": question.answers, "gold": [asdict(place) for place in question.gold]}
        | {name: value for name in ("mode", "reports", "parts", "most", "asks", "without") if (value := getattr(question, name))},
        "note": question.note,
        "error": "",
    }
    try:
        started = time.perf_counter()
        history = [Turn(exchange.question, exchange.answer) for exchange in question.history]
        answer = assistant.ask(question.question, history=history, **({"llm": True} if llm else {}))
        milliseconds = 1000 * (time.perf_counter() - started)
        hits = assistant.search(answer.query, top_k=max(RANKS))
        measured = measure(question, answer, hits, [_is_exact(assistant, citation) for citation in answer.citations], judge)
    except Exception as error:  # whatever it is, it is a fault of the system, not a wrong answer
        return record | {"error": f"{type(error).__name__}: {error}"}
    return record | {
        "refused": answer.abstained,
        "confidence": max((citation.score for citation in answer.citations or answer.nearest), default=0.0),
        "milliseconds": round(milliseconds, 2),
        "figures": {name: round(value, 6) for name, value in measured.items()},
        "hits": [_traced(hit, question) for hit in hits],
        "answer": answer.to_dict(),
    }


def _traced(hit: Hit, question: Question) -> dict[str, Any]:
    chunk = hit.chunk
    return {
        "chunk": chunk.id,
        "document": chunk.document,
        "section": " / ".join(chunk.section),
        "start": chunk.start,
        "end": chunk.end,
        "lexical": round(hit.lexical, 4),
        "dense": round(hit.dense, 4),
        "fused": round(hit.fused, 4),
        "shows": sorted(items_shown(hit.text, chunk.document, question.gold)),
        "text": hit.text[:TRACED_CHARACTERS],
    }


def measure(
    question: Question, answer: Answer, hits: Sequence[Hit], exact: Sequence[bool], judge: Judge = builtin_judge
) -> dict[str, float]:
    """The figures of one question, by name; what cannot be told of it is left out.

    `exact` says of each citation whether its quote stands at its place.
    """
    found: dict[str, float] = {"refused": float(answer.abstained)}
    # without the [n] markers, whose digits answer nothing
    said = "\n".join(f"{claim.heading}\n{claim.text}" if claim.heading else claim.text for claim in answer.claims)
    if question.gold:
        items = frozenset(place.item for place in question.gold)
        retrieved = [items_shown(hit.text, hit.chunk.document, question.gold) for hit in hits]
        cited = [items_shown(citation.quote, citation.document, question.gold) for citation in answer.citations]
        selected = [items_shown(citation.quote, citation.document, question.gold) for citation in answer.citations or answer.nearest]
        found |= {f"recall_at_{k}": recall_at_k(retrieved, items, k) for k in RANKS}
        found |= {"mrr": reciprocal_rank(retrieved, items), "ndcg_at_10": ndcg_at_k(retrieved, items, 10)}
        found |= {"evidence_selected": evidence_covered(selected, items), "evidence_covered": evidence_covered(cited, items)}
        found["first_cited"] = float(bool(cited) and bool(cited[0]))
        if cited:
            found["citation_precision"] = citation_precision(cited)
    if question.answers:
        found["answer_hit"] = float(not answer.abstained and answer_hit(said, question.answers, question.match))
        if not answer.abstained:
            found["token_f1"] = token_f1(said, question.answers)
    if unmet := expectations(question, answer, said):
        found["as_expected"] = float(not any(unmet.values()))
    if hits:
        found["dense_used"] = float(any(hit.dense for hit in hits))
    if answer.claims:
        quotes = {citation.n: citation.quote for citation in answer.citations}
        cites = [[quotes[n] for n in claim.citations if n in quotes] for claim in answer.claims]
        judged = [(claim.text, texts) for claim, texts in zip(answer.claims, cites, strict=True)]
        own = [claim.verdict == "own" for claim in answer.claims]
        if not all(own):
            found["claims_cited"] = sum(bool(texts) for texts, ours in zip(cites, own, strict=True) if not ours) / own.count(False)
        found["claims_supported"] = sum(claim.verdict in SOUND for claim in answer.claims) / len(answer.claims)
        borne = [claim_recall(text, texts, judge) for (text, texts), ours in zip(judged, own, strict=True) if not ours]
        if borne:
            found["claim_recall"] = sum(borne) / len(borne)
        precisions = [claim_precision(text, texts, judge) for text, texts in judged if texts]
        if precisions:
            found["claim_precision"] = sum(precisions) / len(precisions)
        changed = [(text, texts) for claim, texts in judged if texts for text in tampered(claim)]
        if changed:
            found["tampering_caught"] = sum(not builtin_judge(text, texts) for text, texts in changed) / len(changed)
        found |= {"characters": float(len(said)), "sentences": float(len(answer.claims))}
    if exact:
        found["quotes_exact"] = sum(exact) / len(exact)
    return found


def expectations(question: Question, answer: Answer, said: str) -> dict[str, bool]:
    """What a question expects of the kind and shape of its answer, and whether it is not met; empty where it expects nothing.

    What a person would see at once: another kind of answer, another report, too few sections, a wall of text, nothing to go on with,
    something that is not asked for.
    """
    cited = {citation.document for citation in answer.citations}
    sections = {(citation.document, citation.section) for citation in answer.citations}
    checks = {
        "mode": (question.mode, answer.mode != question.mode or answer.abstained),
        "reports": (question.reports, cited != set(question.reports)),
        "parts": (question.parts, len(sections) < question.parts),
        "most": (question.most, len(answer.claims) > question.most),
        "asks": (question.asks, len(answer.suggestions) < question.asks),
        "without": (question.without, any(form in said for form in question.without)),
    }
    return {name: failed for name, (wanted, failed) in checks.items() if wanted}


def _ask_all(assistant: Assistant, questions: Sequence[Question], sink: IO[str], judge: Judge, llm: bool = False) -> list[Record]:
    """Asks in order and writes each record as soon as it is there, so that a run that is cut short leaves what it had."""
    from rich.console import Console
    from rich.progress import track

    terminal = Console(stderr=True)
    records = []
    for question in track(questions, "asking", console=terminal, transient=True, disable=not terminal.is_terminal):
        line = json.dumps(ask(assistant, question, judge, llm), ensure_ascii=False)
        records.append(json.loads(line))  # as a reader of the file will see it
        sink.write(line + "\n")
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
        "ladder": {rung: list(counts) for rung, counts in ladder(records).items()},
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
        if question.gold and not any(place.document in indexed for place in question.gold):
            named, known = question.gold[0].document, ", ".join(indexed[:8])
            raise UsageError(f"{file}: question {question.id!r} names the report {named!r}; indexed are {known}")


@contextmanager
def _index_of(config: Config, corpus: Path) -> Iterator[Config]:
    """The configuration with an index of nothing but that corpus, which lasts as long as the run."""
    if not corpus.exists():
        raise UsageError(f"{corpus} is not there: name a folder of reports")
    with tempfile.TemporaryDirectory(prefix="provenote-eval-") as folder:
        own = replace(config, index_dir=str(Path(folder) / "index"))
        encoder = open_encoder(own.encoder)
        build_index([corpus], own.index_dir, encoder, target_tokens=own.target_tokens, max_tokens=own.max_tokens)
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
    parser.add_argument("--corpus", type=Path, help="make an index of this folder for the run; alone: the questions over the originals")
    parser.add_argument("--split", default="", choices=("tune", "report"), help="one half of the questions")
    parser.add_argument("--judge", default="builtin", help="builtin, nli:MODEL or llm:MODEL")
    parser.add_argument("--plant", default="", choices=tuple(FAULTS), help="take a part out, to see whether the figures notice")
    parser.add_argument("--json", action="store_true", help="print the figures for programs")
    given = parser.parse_args()
    try:
        config, _ = load_config({"index_dir": given.index})
        setting = Setting(given.split, given.judge, given.plant)
        return run(config, given.questions, given.output, given.json, setting, given.corpus)
    except RagError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
