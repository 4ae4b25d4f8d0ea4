"""The question set: one JSON object a line, or one row of a CSV or XLSX file, loaded whole and checked field by field.

A bad line ends the load with its number. Gave up on keeping unknown fields of JSON: a misspelt "gold" would silently measure nothing, so it
is refused; a table's further columns are the asker's own business and are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from rag.errors import UsageError
from rag.reading.records import is_table, read_table
from rag.types import Mode

Match = Literal["any", "all"]
Split = Literal["tune", "report", ""]

KINDS = (
    "number", "entity", "definition", "list", "why", "compare", "abbreviation", "contradiction", "premise", "unanswerable", "other",
    "overview", "takeaways", "section", "headings", "library", "talk", "conversation",
)  # fmt: skip
"""What a question asks for. A "contradiction" wants both of two figures at odds; a "premise" takes for granted what the reports deny."""

_HAN = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report says it. `quote` stands word for word in the report's file."""

    document: str
    quote: str
    section: str = ""
    """The heading under which the quote stands, or one above that."""
    item: int = 0
    """Places of the same item are alternatives, each is enough; every item is wanted."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier question of the conversation and what was answered."""

    question: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what is known of its answer. Only `question` is needed; what is not known is not measured."""

    id: str
    question: str
    language: str
    kind: str = "other"
    split: Split = ""
    """"tune" for questions that settings may be fitted on, "report" for those that only figures are drawn from."""
    answerable: bool | None = None
    """None when the file does not say."""
    match: Match = "all"
    """Whether any item of `answers` makes the answer right, or only all of them."""
    answers: tuple[tuple[str, ...], ...] = ()
    """Each item is a tuple of accepted forms."""
    gold: tuple[Place, ...] = ()
    mode: str = ""
    """The kind of answer that is wanted (`rag.types.Mode`); a talk or an overview has no single right sentence."""
    reports: tuple[str, ...] = ()
    """Ids of the reports that the answer must cite, and no others."""
    parts: int = 0
    """Sections that the answer must cite at least."""
    most: int = 0
    """Sentences that it may have; 0 for any number."""
    asks: int = 0
    """Questions that it must offer to go on with."""
    without: tuple[str, ...] = ()
    """Forms that must not stand in it."""
    paraphrased: bool = False
    """Asks in words that the report does not use."""
    history: tuple[Exchange, ...] = ()
    note: str = ""


def load_questions(path: Path) -> tuple[Question, ...]:
    """All questions of the file, in order; empty lines are skipped, a question without an id gets its line number.

    A table has a column "question" and may have "id", "kind", "split", "language", "match", "note", "answers" (a line of the cell an item,
    its accepted forms parted by |), "document" and "quote" (where it stands), "answerable" (yes or no).
    Raises UsageError with file:line and what is wrong, and for a file that cannot be read or holds no question.
    """
    questions: dict[str, Question] = {}
    for number, line in _lines(path):
        try:
            question = read_question(line, number)
            if question.id in questions:
                raise UsageError(f'"id" {question.id!r} was used before: give each question its own')
        except UsageError as error:
            raise UsageError(f"{path}:{number}: {error}") from None
        questions[question.id] = question
    if not questions:
        raise UsageError(f'{path} holds no question: write one JSON object a line, such as {{"question": "..."}}')
    return tuple(questions.values())


def _lines(path: Path) -> list[tuple[int, str]]:
    """(number, JSON) of each line or row that holds something."""
    if is_table(path):
        rows = read_table(path)
        if "question" not in rows[0] if rows else False:
            raise UsageError(f"{path} has no column named question: there are {', '.join(rows[0])}")
        return [(number, json.dumps(from_row(row, f"{path}:{number}"), ensure_ascii=False)) for number, row in enumerate(rows, 2)]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}; name a UTF-8 file with one JSON object a line, or a CSV or XLSX file") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def from_row(row: Mapping[str, str], where: str) -> dict[str, Any]:
    """The fields of a table's row that mean something here, as an object of JSON has them. Raises UsageError that names `where`."""
    found: dict[str, Any] = {name: row[name] for name in ("id", "question", "kind", "split", "language", "match", "note") if row.get(name)}
    items = [[form.strip() for form in line.split("|") if form.strip()] for line in row.get("answers", "").splitlines()]
    if any(items):
        found["answers"] = [forms for forms in items if forms]
    if row.get("document") and row.get("quote"):
        found["gold"] = [{"document": row["document"], "quote": row["quote"]}]
    if said := row.get("answerable", "").lower():
        if said not in _YES_NO:
            raise UsageError(f'{where}: "answerable" is {said!r}: it must be yes or no')
        found["answerable"] = _YES_NO[said]
    return found


_YES_NO = {"yes": True, "true": True, "1": True, "是": True, "no": False, "false": False, "0": False, "否": False}


def read_question(line: str, number: int) -> Question:
    """The question of one line. Raises UsageError that says what is wrong, without the place."""
    try:
        value = json.loads(line)
    except RecursionError:
        raise UsageError("nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"not JSON: {error}") from None
    found = _object(value, {field.name for field in fields(Question)}, "the line")
    question = _text(found, "question", needed=True)
    gold = tuple(_place(place, f'"gold" {position}') for position, place in enumerate(_list(found, "gold"), 1))
    answers = tuple(_forms(forms, f'"answers" {position}') for position, forms in enumerate(_list(found, "answers"), 1))
    answerable = found.get("answerable")
    if answerable is None:
        answerable = True if gold or answers else None
    elif not isinstance(answerable, bool):
        raise UsageError(f'"answerable" is {answerable!r}: it must be true or false')
    if answerable is False and (gold or answers):
        raise UsageError('"answerable" is false, yet there are "answers" or "gold": drop one or the other')
    paraphrased = found.get("paraphrased", False)
    if not isinstance(paraphrased, bool):
        raise UsageError(f'"paraphrased" is {paraphrased!r}: it must be true or false')
    return Question(
        id=_text(found, "id") or str(number),
        question=question,
        language=_choice(found, "language", ("zh", "en"), "zh" if _HAN.search(question) else "en"),
        kind=_choice(found, "kind", KINDS, "unanswerable" if answerable is False else "other"),
        split=_choice(found, "split", get_args(Split), ""),
        answerable=answerable,
        match=_choice(found, "match", get_args(Match), "all"),
        answers=answers,
        gold=gold,
        mode=_choice(found, "mode", ("", *get_args(Mode)), ""),
        reports=_texts(found, "reports"),
        parts=_count(found, "parts"),
        most=_count(found, "most"),
        asks=_count(found, "asks"),
        without=_texts(found, "without"),
        paraphrased=paraphrased,
        history=tuple(_exchange(turn, f'"history" {position}') for position, turn in enumerate(_list(found, "history"), 1)),
        note=_text(found, "note"),
    )


def _place(value: Any, where: str) -> Place:
    found = _object(value, {field.name for field in fields(Place)}, where)
    item = found.get("item", 0)
    if not isinstance(item, int) or isinstance(item, bool) or item < 0:
        raise UsageError(f'"item" of {where} is {item!r}: it must be a whole number from 0')
    return Place(_text(found, "document", needed=True), _text(found, "quote", needed=True), _text(found, "section"), item)


def _exchange(value: Any, where: str) -> Exchange:
    found = _object(value, {field.name for field in fields(Exchange)}, where)
    return Exchange(_text(found, "question", needed=True), _text(found, "answer"))


def _forms(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(form, str) and form.strip() for form in value):
        raise UsageError(f'{where} is {value!r}: it must be a list of accepted forms, such as ["90%", "ninety percent"]')
    return tuple(value)


def _object(value: Any, known: set[str], where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f'{where} is {str(value)[:60]!r}: it must be an object such as {{"question": "..."}}')
    for name in value:
        if name not in known:
            raise UsageError(f"{name!r} is not a field of {where}; the fields are {', '.join(sorted(known))}")
    return value


def _list(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found.get(name) or []
    if not isinstance(value, list):
        raise UsageError(f'"{name}" is {value!r}: it must be a list')
    return value


def _texts(found: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = _list(found, name)
    if not all(isinstance(value, str) and value for value in values):
        raise UsageError(f'"{name}" is {values!r}: it must be a list of texts')
    return tuple(values)


def _count(found: Mapping[str, Any], name: str) -> int:
    value = found.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f'"{name}" is {value!r}: it must be a whole number from 0')
    return value


def _text(found: Mapping[str, Any], name: str, needed: bool = False) -> str:
    value = found.get(name, "")
    if not isinstance(value, str) or (needed and not value.strip()):
        raise UsageError(f'"{name}" is {value!r}: it must be text and not empty' if name in found else f'"{name}" is missing')
    return value


def _choice(found: Mapping[str, Any], name: str, choices: tuple[str, ...], default: str) -> Any:
    value = found.get(name, default)
    if value not in choices:
        raise UsageError(f'"{name}" is {value!r}: choose one of {", ".join(choice for choice in choices if choice)}')
    return value
