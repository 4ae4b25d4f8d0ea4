"""The whole product on public question sets: `rag eval public --data DIR`. One command gives the table that the notes quote.

CMRC 2018 dev, half of SQuAD 1.1 dev, its XQuAD translations within and across languages, and half of CLAPnq, whose unanswerable half is asked
beside the passages of the answerable one. Every passage is a report of its own, as hard as it gets; figures are over a sample, evenly spread.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rag.chat import Assistant
from rag.config import Config
from rag.errors import UsageError
from rag.index.build import build_index
from rag.index.encoder import open_encoder

from .data import Place, Question
from .report import Record, figures, written
from .run import ask

SHOWN = (
    "recall_at_1", "recall_at_5", "recall_at_10", "mrr", "answer_hit", "evidence_covered", "first_cited", "claim_recall", "quotes_exact",
    "false_refusal", "false_answer", "refusing_balanced_accuracy", "latency_p50_ms",
)  # fmt: skip
_SENTENCE_END = re.compile(r"[。！？!?\n]|\.(?=\s)")


@dataclass(frozen=True, slots=True)
class PublicSet:
    """Passages by id, and questions whose gold places name them."""

    passages: dict[str, str]
    questions: tuple[Question, ...]


def run_public(config: Config, data: Path, names: Sequence[str] | None = None, count: int = 300, as_json: bool = False) -> int:
    """Prints a table with a column a set; 0 when every question could be asked, else 5. Raises UsageError for an unknown set or missing data."""
    for name in names or ():
        if name not in SETS:
            raise UsageError(f"{name!r} is not a set: choose from {', '.join(SETS)}")
    found: dict[str, list[Record]] = {}
    seconds: dict[str, float] = {}
    for name in names or SETS:
        started = time.perf_counter()
        try:
            loaded = SETS[name](data)
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"the set {name} cannot be read from {data}: {error}") from error
        found[name] = _asked(config, loaded, count)
        seconds[name] = time.perf_counter() - started
    table = {name: {figure.name: figure for figure in figures(records)} for name, records in found.items()}
    if as_json:
        plain = {name: {figure: asdict(value) for figure, value in column.items()} for name, column in table.items()}
        print(json.dumps({"figures": plain, "seconds": seconds, "n": {name: len(records) for name, records in found.items()}}))
    else:
        _show(table, {name: len(records) for name, records in found.items()}, seconds)
    return 5 if any(record["error"] for records in found.values() for record in records) else 0


def _asked(config: Config, loaded: PublicSet, count: int) -> list[Record]:
    step = max(1.0, len(loaded.questions) / count)
    chosen = [loaded.questions[int(place * step)] for place in range(min(count, len(loaded.questions)))]
    with tempfile.TemporaryDirectory(prefix="provenote-public-") as folder:
        reports = Path(folder) / "reports"
        reports.mkdir()
        for name, text in loaded.passages.items():
            (reports / f"{name}.txt").write_text(text, encoding="utf-8")
        own = replace(config, index_dir=str(Path(folder) / "index"))
        build_index([reports], own.index_dir, open_encoder(own.encoder), target_tokens=own.target_tokens, max_tokens=own.max_tokens)
        assistant = Assistant.open(own)
        return [ask(assistant, question) for question in chosen]


def _squad_format(path: Path, stem: str, language: str) -> PublicSet:
    passages: dict[str, str] = {}
    questions = []
    names: dict[str, str] = {}
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            name = names.setdefault(text, f"{stem}-{len(names):04d}")
            passages[name] = text
            for item in paragraph["qas"]:
                forms = tuple(dict.fromkeys(answer["text"] for answer in item["answers"] if answer["text"].strip()))
                place = Place(name, _sentence(text, item["answers"][0]["answer_start"], item["answers"][0]["text"]))
                questions.append(
                    Question(str(item["id"]), item["question"], language, answerable=True, answers=(forms,), gold=(place,)),
                )
    return PublicSet(passages, tuple(questions))


def _sentence(text: str, start: int, answer: str) -> str:
    """The sentence around an answer, so that evidence is the sentence and not the word."""
    if text[start : start + len(answer)] != answer:  # some offsets of these sets are off
        start = max(0, text.find(answer))
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    low = max((end for end in ends if end <= start), default=0)
    high = min((end for end in ends if end >= start + len(answer)), default=len(text))
    return text[low:high].strip() or answer


def _across(asked: PublicSet, found: PublicSet, language: str) -> PublicSet:
    """Questions of one translation over the passages of the other; both are parallel."""
    there = {question.id: question for question in found.questions}
    moved = [
        replace(there[question.id], question=question.question, language=language) for question in asked.questions if question.id in there
    ]
    return PublicSet(found.passages, tuple(moved))


def _clapnq(data: Path) -> PublicSet:
    passages, questions = {}, []
    names: dict[str, str] = {}
    for known in (True, False):
        path = data / "clapnq_half" / f"{'answerable' if known else 'unanswerable'}.jsonl"
        for line in filter(None, path.read_text(encoding="utf-8").split("\n")):
            item = json.loads(line)
            if not known:
                questions.append(Question(str(item["id"]), item["input"], "en", "unanswerable", answerable=False))
                continue
            text = "\n\n".join(passage["text"] for passage in item["passages"])
            name = names.setdefault(text, f"clapnq-{len(names):04d}")
            passages[name] = text
            wanted = item["output"][0]["selected_sentences"]
            gold = tuple(Place(name, sentence, item=place) for place, sentence in enumerate(wanted) if sentence.strip())
            questions.append(Question(str(item["id"]), item["input"], "en", answerable=True, gold=gold))
    return PublicSet(passages, tuple(questions))


SETS: dict[str, Callable[[Path], PublicSet]] = {
    "cmrc": lambda data: _squad_format(data / "cmrc2018" / "dev.json", "cmrc", "zh"),
    "squad": lambda data: _squad_format(data / "squad_half" / "dev_first24articles.json", "squad", "en"),
    "xquad-zh": lambda data: _squad_format(data / "xquad_half" / "zh.json", "xquad", "zh"),
    "xquad-zh-en": lambda data: _across(SETS["xquad-zh"](data), _squad_format(data / "xquad_half" / "en.json", "xquad", "en"), "zh"),
    "xquad-en-zh": lambda data: _across(_squad_format(data / "xquad_half" / "en.json", "xquad", "en"), SETS["xquad-zh"](data), "en"),
    "clapnq": _clapnq,
}
"""Each set by its name. "xquad-zh-en" asks in Chinese about English passages."""


def _show(table: dict[str, dict[str, Any]], asked: dict[str, int], seconds: dict[str, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table("figure", title="Public sets, whole product", title_justify="left")
    for name in table:
        grid.add_column(f"{name}\nn = {asked[name]}", justify="right")
    for figure in SHOWN:
        cells = [f"{written(figure, column[figure].value)} ({column[figure].n})" if figure in column else "" for column in table.values()]
        if any(cells):
            grid.add_row(figure, *cells)
    grid.add_row("seconds", *(f"{value:.0f}" for value in seconds.values()))
    Console(width=max(Console().width, 130)).print(grid)
