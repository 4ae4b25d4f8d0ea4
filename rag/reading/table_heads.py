"""The places of a table and what they are: spans laid out, the rows that are heads, the units that a caption gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rag.text.quantities import quantities

MAX_COLUMNS = 1_000
MAX_SPANNED = 2_000_000
"""Places that spans may fill in one table; in a table that asks for more they count for one cell."""
LONGEST_NAME = 120
"""Characters of a column's name, which every row repeats."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell where it begins, with the rows and columns that it covers."""

    text: str = ""
    row_span: int = 1
    column_span: int = 1
    head: bool = False
    marks: tuple[str, ...] = ()
    """Footnote marks behind the text."""
    page: int | None = None


# ----------------------------------------------------------------------------------------------------------------------------- layout


class Slot(NamedTuple):
    """A place of the grid: the cell that covers it and where that begins."""

    cell: Cell
    row: int
    column: int


Grid = list[list[Slot | None]]
"""Rows of equal length; None where the file has no cell."""


def lay_out(rows: Sequence[Sequence[Cell]]) -> Grid:
    """Every place of a table with the cell that covers it. A span ends with the table and gives way to a cell that begins in it.

    >>> [[slot.cell.text if slot else "" for slot in row] for row in lay_out([[Cell("a", row_span=2), Cell("b")], [Cell("c")]])]
    [['a', 'b'], ['a', 'c']]
    """
    wanted = sum(max(cell.row_span, 1) * max(cell.column_span, 1) for row in rows for cell in row)
    spans = wanted <= MAX_SPANNED + sum(map(len, rows))
    grid: Grid = []
    reaching: dict[int, tuple[Slot, int]] = {}  # column -> what reaches down into the next rows, and through which row
    for at, row in enumerate(rows):
        line: list[Slot | None] = []
        for cell in row:
            while reaching and (held := reaching.get(len(line))) and held[1] >= at:
                line.append(held[0])
            if len(line) >= MAX_COLUMNS:
                break
            slot = Slot(cell, at, len(line))
            for _ in range(max(min(cell.column_span, MAX_COLUMNS - len(line)), 1) if spans else 1):
                if spans and cell.row_span > 1:
                    reaching[len(line)] = slot, at + cell.row_span - 1
                line.append(slot)
        reaching = {column: held for column, held in reaching.items() if held[1] >= at} if reaching else reaching
        for column in range(len(line), max(reaching, default=-1) + 1):
            line.append(reaching[column][0] if column in reaching else None)
        grid.append(line)
    width = max(map(len, grid), default=0)
    return [line + [None] * (width - len(line)) for line in grid] if width else []


def cut(text: str, longest: int) -> str:
    """A text of at most so many characters, "…" for the rest."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def row_texts(line: Sequence[Slot | None]) -> list[str]:
    """What stands in each place of a row, a cell that covers several in each of them."""
    return [flat(slot.cell.text) if slot else "" for slot in line]


def flat(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


def breadth(line: Sequence[Slot | None]) -> int:
    """How many cells of a row hold text."""
    return len({(slot.row, slot.column) for slot in line if slot and slot.cell.text.strip()})


def only_cell(grid: Grid, at: int) -> Slot | None:
    """The cell that has a row for itself: it covers the whole row, or the others are empty; its text is no number."""
    slot = grid[at][0] if len(grid[at]) > 1 else None
    if slot is None or slot.row != at or any(other and other is not slot and other.cell.text.strip() for other in grid[at]):
        return None
    text, whole = flat(slot.cell.text), slot.cell.column_span >= len(grid[at])
    return slot if text and not is_number(text) and (whole or slot.cell.row_span <= 1) else None


# ------------------------------------------------------------------------------------------------------------------------------ heads

_NUMBER = re.compile(r"[^\w%‰]*\d[\d,.\s'’]*(?:\s?[%‰]|\s?[^\W\d_]{1,6}[²³]?|\s?[^\W\d_]{1,3}/[^\W\d_]{1,3})?[)）*]?")
_BARE = re.compile(r"[^\w%‰]*\d[\d,.\s'’]*[)）*]?|[-–—−./…]+|n/?a", re.I)
_YEAR = re.compile(r"\D{0,3}(?:1[89]|20)\d{2}(?:\s?[-–—/]\s?\d{2,4})?\s?(?:年度?|e|f|p)?[)）*]?", re.I)


def is_number(text: str) -> bool:
    """Whether a text is a number, alone or with a sign, a currency and a short unit.

    >>> [text for text in ("412", "(1,850)", "12 ha", "€5.3", "North 4", "Q3 2022") if is_number(text)]
    ['412', '(1,850)', '12 ha', '€5.3']
    """
    return bool(_NUMBER.fullmatch(text))


def _is_year(text: str) -> bool:
    return bool(_YEAR.fullmatch(text))


def count_heads(whole: Grid, top: int = 0) -> int:
    """How many rows from `top` on are heads: those that the file marks, else the first where it looks like one, with the rows that part it."""
    grid = whole[top:]
    if len(grid) < 2:
        return 0
    heads = marked_heads(grid)
    if not heads:
        if _row_heads_only(grid) or looks_like_body(grid):
            return 0
        heads = 1
    while heads < len(grid) - 1 and _is_parted(whole, top + heads) and not _holds_measures(grid[heads]):
        heads += 1
    return heads if heads < len(grid) else max(heads - 1, 1)


def marked_heads(grid: Grid) -> int:
    """The rows at the top of which the file calls every filled cell a head."""
    count = 0
    for line in grid:
        filled = [slot for slot in line if slot and slot.cell.text.strip()]
        if not filled or not all(slot.cell.head for slot in filled):
            break
        count += 1
    return count


def _row_heads_only(grid: Grid) -> bool:
    """Whether heads are marked in the first column alone, from the first row on: the names of rows."""
    columns = {slot.column for line in grid for slot in line if slot and slot.cell.head and slot.cell.text.strip()}
    return columns == {0} and grid[0][0] is not None and grid[0][0].cell.head


def _is_parted(grid: Grid, at: int) -> bool:
    """Whether a head in the row before covers several columns, which the row at `at` names one by one."""
    above = [slot for slot in grid[at - 1] if slot and 1 < slot.cell.column_span < len(grid[at - 1]) and slot.row == at - 1]
    below = {(slot.row, slot.column): slot for slot in grid[at] if slot and slot.row == at and slot.cell.text.strip()}
    return any(len([1 for _, column in below if slot.column <= column < slot.column + slot.cell.column_span]) > 1 for slot in above)


def _holds_measures(line: Sequence[Slot | None]) -> bool:
    return any(is_number(text) and not _is_year(text) for text in row_texts(line))


def looks_like_body(grid: Grid) -> bool:
    """Whether the first row of a table without marks is no head: it holds measures, years over years, or a name with a colon."""
    first, below = row_texts(grid[0]), [row_texts(line) for line in grid[1:]]
    names = [line[0] for line in (first, *below) if line[0]]
    if len(first) == 2 and sum(name.endswith((":", "：")) for name in names) > len(names) / 2:
        return True
    for column, text in enumerate(first):
        under = [line[column] for line in below if line[column]]
        if _is_year(text) and (column or len(first) > 1) and under and all(map(_is_year, under)):
            return True
        if is_number(text) and not _is_year(text):
            return True
    return not any(first)


def column_names(heads: Grid, body: Sequence[Sequence[str]], caption: str) -> list[str]:
    """The name of each column: the heads over it from the top down, and the unit of the caption where its numbers stand bare."""
    unit = unit_in(caption)
    names = []
    for column in range(len(heads[0]) if heads else 0):
        parts: list[str] = []
        for line in heads:
            slot = line[column]
            text = flat(slot.cell.text).rstrip(":：") if slot else ""
            if text and text not in parts[-1:]:
                parts.append(text)
        if unit and parts and column and not re.search(r"[(（%‰]", "".join(parts)) and _is_bare(line[column] for line in body):
            parts[0] = f"{parts[0]} ({unit})"
        names.append(cut(", ".join(parts), LONGEST_NAME))
    return names


def _is_bare(texts: Iterable[str]) -> bool:
    """Whether most cells of a column are numbers without a unit, and not all of them years."""
    filled = [text for text in texts if text]
    return bool(filled) and sum(bool(_BARE.fullmatch(text)) for text in filled) > len(filled) / 2 and not all(map(_is_year, filled))


_UNIT_LABEL = re.compile(r"(?:单位|單位|\bunits?)\s*[:：]\s*([^\s.，,。;；()（）][^.，,。;；()（）\n]{0,30})", re.I)
_BRACKET = re.compile(r"[(（]([^()（）]{1,60})[)）]")
_SYMBOLS = re.compile(
    r"(?:(?:thousand|million|billion|hundred|[千百十万亿]+)s?\s+(?:of\s+)?)?(?:k?t|Mt|kg|tonn?es?|tons?|[kMGT]?Wh?|[kMGTP]J|ha|hectares?|k?m[²³23]?|mm|cm|"
    r"litres?|liters?|[mk]?l|°[CF]|US\$|USD|EUR|GBP|CNY|RMB|[$€£¥]\s?(?:m|mn|million|bn|billion|thousand|000s?)?|%|‰|percent|per cent)(?:\s?/\s?\w+)?"
)


def unit_in(caption: str) -> str:
    """The unit that the caption of a table gives for its numbers; empty where there is none.

    >>> unit_in("Port traffic (thousand t)"), unit_in("表3 收入（单位：万元）"), unit_in("Sales (in millions, except shares)"), unit_in("Ports (2022)")
    ('thousand t', '万元', 'in millions, except shares', '')
    """
    if label := _UNIT_LABEL.search(caption):
        return label[1].strip()
    for match in _BRACKET.finditer(caption):
        text = match[1].strip()
        if re.match(r"in\s+(?![12]\d{3}\b)", text, re.I) or _SYMBOLS.fullmatch(text):
            return text
        told = quantities(f"1 {text}") if not re.search(r"\d", text) else []
        if told and told[0].start == 0 and told[0].end == len(text) + 2 and (told[0].unit or told[0].low != 1):
            return text
    return ""
