"""Lookups over a table that need arithmetic: the row with the greatest or smallest value, and how much a value changed.

Rows are told as `Station: Northquay | Output 2023 (GWh): 455`. Which table answers is the reader's choice; here its cells are compared exactly, and what
was compared is said. Nothing is guessed: a column must be named by the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.index.lexical import terms
from rag.search.question import Question
from rag.search.sentences import Sentence
from rag.text.quantities import years

_GREATEST = re.compile(r"最[高大多强长快贵]|\b(?:highest|largest|biggest|most|greatest|longest|maximum)\b", re.IGNORECASE)
_SMALLEST = re.compile(r"最[低小少弱短慢便]|\b(?:lowest|smallest|least|fewest|shortest|minimum)\b", re.IGNORECASE)
_CHANGE = re.compile(
    r"增长|增加|减少|下降|变化|上升|差多少|多了|少了|\b(?:chang\w*|gr[eo]w\w*|increas\w*|decreas\w*|r[io]se\w*|f[ae]ll\w*|differ\w*)\b",
    re.IGNORECASE,
)
_VALUE = re.compile(r"\(?-?[$€£¥]?\s?\d[\d,]*(?:\.\d+)?\)?")
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its sentence and its cells by the name of their column."""

    sentence: Sentence
    cells: dict[str, str]

    def value(self, column: str) -> float | None:
        """Return the number of a cell; None for a cell that is more or less than one number. Brackets mean less than nought."""
        written = self.cells.get(column, "").strip()
        match = _VALUE.match(written)
        if not match or re.search(r"\d", written[match.end() :]):
            return None
        number = float(re.sub(r"[^\d.]", "", match[0]))
        return -number if match[0].startswith(("(", "-")) else number


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a lookup found: the rows that answer, and what was compared, for people."""

    sentences: tuple[Sentence, ...]
    note: str


def look_up(question: Question, found: Sequence[Sentence], sentences: Sequence[Sentence]) -> Lookup | None:
    """Answer from the table that the first row among `found` stands in; None where the question asks for no arithmetic over it."""
    first = next((sentence for sentence in found if sentence.kind == "row"), None)
    if first is None:
        return None
    rows = rows_around(sentences, first)
    if (top := _GREATEST.search(question.text)) or _SMALLEST.search(question.text):
        return _extremum(question, rows, greatest=bool(top))
    if _CHANGE.search(question.text) and len(question.years) == 2:
        return _change(question, _labelled(question, rows))
    return None


def rows_around(sentences: Sequence[Sentence], row: Sentence) -> list[Row]:
    """Return the rows of the table that a row stands in: those beside it with a column in common."""
    here = _read(row)
    low = high = row.position
    while low > 0 and _is_beside(sentences[low - 1], row):
        low -= 1
    while high + 1 < len(sentences) and _is_beside(sentences[high + 1], row):
        high += 1
    read = map(_read, sentences[low : high + 1])
    return [one for one in read if one.cells and (not here.cells or one.cells.keys() & here.cells.keys())]


def _is_beside(other: Sentence, row: Sentence) -> bool:
    return other.kind == "row" and other.section == row.section


def _read(sentence: Sentence) -> Row:
    cells = (cell.partition(": ") for cell in sentence.text.strip().strip("|").split(" | "))
    return Row(sentence, {name.strip(): value.strip() for name, colon, value in cells if colon and value.strip()})


def _columns(rows: Sequence[Row]) -> list[str]:
    """Return the names of columns that hold a number in two rows or more, in order."""
    names = dict.fromkeys(name for row in rows for name in row.cells)
    return [name for name in names if sum(row.value(name) is not None for row in rows) > 1]


def _named(question: Question, columns: Sequence[str]) -> str | None:
    """Return the column that the question names best; of several years the one it names, else the latest. None where it names none."""
    asked = set(terms(question.text))

    def fit(column: str) -> tuple[int, int, int]:
        own = {term for term in terms(_YEAR.sub(" ", column)) if len(term) > 1}
        there = years(column) | {int(year) for year in _YEAR.findall(column)}
        return len(own & asked), int(bool(there & question.years)), max(there, default=0)

    best = max(columns, key=fit, default=None)
    return best if best is not None and (fit(best)[0] or fit(best)[1] or len(columns) == 1) else None


def _labelled(question: Question, rows: Sequence[Row]) -> Row | None:
    """Return the row whose first cell the question names, the longest such; None where it names none."""
    asked = question.text.lower()
    named = [(len(label), row) for row in rows if (label := next(iter(row.cells.values()), "").lower()) and label in asked]
    return max(named, key=lambda pair: pair[0])[1] if named else None


def _extremum(question: Question, rows: Sequence[Row], greatest: bool) -> Lookup | None:
    column = _named(question, _columns(rows))
    if column is None:
        return None
    values = [(value, row) for row in rows if (value := row.value(column)) is not None]
    chosen = max(values, key=lambda pair: pair[0]) if greatest else min(values, key=lambda pair: pair[0])
    same = [row for value, row in values if value == chosen[0]]
    written = chosen[1].cells[column]
    if question.language == "zh":
        note = f"比较了 {len(values)} 行的“{column}”：最{'大' if greatest else '小'}的是 {written}。"
    else:
        note = f'Compared "{column}" over {len(values)} rows: {written} is the {"greatest" if greatest else "smallest"}.'
    return Lookup(tuple(row.sentence for row in same), note)


def _change(question: Question, row: Row | None) -> Lookup | None:
    if row is None:
        return None
    before, after = sorted(question.years)
    columns = {year: [name for name in row.cells if str(year) in name and row.value(name) is not None] for year in (before, after)}
    pairs = [(old, new) for old in columns[before] for new in columns[after] if old.replace(str(before), "") == new.replace(str(after), "")]
    named = _named(question, [old for old, _ in pairs])
    pair = next(((old, new) for old, new in pairs if old == named), pairs[0] if len(pairs) == 1 else None)
    if pair is None:
        return None
    old, new = row.value(pair[0]), row.value(pair[1])
    assert old is not None and new is not None  # the columns were chosen by their values
    share = f" ({(new - old) / abs(old):+.1%})" if old else ""
    difference = f"{new - old:+,.10g}"
    written = f"{row.cells[pair[0]]} → {row.cells[pair[1]]}: {difference}{share}"
    return Lookup((row.sentence,), f"计算：{written}。" if question.language == "zh" else f"Computed: {written}.")
