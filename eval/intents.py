"""Whether messages are taken for what they want: macro F1 over the intents, contents that are lost, and a table of confusions.

A row is {"text", "intent", "history": whether an answer came before, "id", "language"}. What counts is the intent that the product acts on
(`rag.answer.respond.wanted`), so its mask and its preference for contents are measured with the reader.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag.answer.respond import GROUPS, SEARCHED, wanted
from rag.errors import UsageError
from rag.search.reader import Reader

from .report import console

MOST_CONFUSED = 20


@dataclass(frozen=True, slots=True)
class Message:
    """One message and what it wants."""

    text: str
    intent: str
    history: bool = False


@dataclass(frozen=True, slots=True)
class IntentReport:
    """How well messages were understood."""

    n: int
    macro_f1: float
    """Mean F1 over the intents of the file."""
    accuracy: float
    content_lost: float
    """Share of the questions about contents that something else than the search would have answered."""
    f1: Mapping[str, float]
    confusion: Mapping[str, Mapping[str, int]]
    """Intent -> what it was taken for -> how often."""


def read_messages(file: Path) -> list[Message]:
    """The rows of a file. Raises UsageError with the line that is wrong."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append(Message(str(row["text"]), str(row["intent"]), bool(row.get("history", False))))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f'{file}:{number}: not an object with "text" and "intent" ({type(error).__name__})') from None
    if not found:
        raise UsageError(f'{file} holds no message: write one JSON object a line, such as {{"text": "hi", "intent": "greeting"}}')
    return found


def measure(messages: Sequence[Message], intent: Callable[[str, bool], Mapping[str, float]]) -> IntentReport:
    """What the reader's `intent` and the decision on it make of messages."""
    pairs = [(message.intent, wanted(intent(message.text, message.history), message.history)) for message in messages]
    confusion: dict[str, Counter[str]] = {}
    for truth, taken in pairs:
        confusion.setdefault(truth, Counter())[taken] += 1
    scores = {name: _f1(name, pairs) for name in sorted(confusion)}
    searched = [taken for truth, taken in pairs if truth == SEARCHED]
    return IntentReport(
        n=len(pairs),
        macro_f1=sum(scores.values()) / len(scores),
        accuracy=sum(truth == taken for truth, taken in pairs) / len(pairs),
        content_lost=sum(taken not in GROUPS[SEARCHED] for taken in searched) / len(searched) if searched else 0.0,
        f1=scores,
        confusion={truth: dict(sorted(taken.items(), key=lambda pair: (-pair[1], pair[0]))) for truth, taken in sorted(confusion.items())},
    )


def _f1(name: str, pairs: Sequence[tuple[str, str]]) -> float:
    hits = sum(truth == taken == name for truth, taken in pairs)
    wrong = sum((truth == name) != (taken == name) for truth, taken in pairs)
    return 2 * hits / (2 * hits + wrong) if hits else 0.0


def run(file: Path, as_json: bool = False, reader: Reader | None = None) -> int:
    """`rag eval intents`: prints the report."""
    report = measure(read_messages(file), (reader or Reader()).intent)
    if as_json:
        print(json.dumps(_rounded(asdict(report)), ensure_ascii=False))
        return 0
    from rich.table import Table

    printer = console()
    printer.print(
        f"{report.n} messages  macro F1 {report.macro_f1:.3f}  accuracy {report.accuracy:.3f}  contents lost {report.content_lost:.3f}",
        highlight=False,
    )
    table = Table(title="By intent", title_justify="left")
    table.add_column("intent")
    table.add_column("F1", justify="right")
    table.add_column("taken for something else")
    for name, score in sorted(report.f1.items(), key=lambda pair: pair[1]):
        others = [f"{taken} {count}" for taken, count in report.confusion[name].items() if taken != name]
        table.add_row(name, f"{score:.3f}", ", ".join(others[:MOST_CONFUSED]))
    printer.print(table)
    return 0


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    return {name: _rounded(each) for name, each in value.items()} if isinstance(value, dict) else value
