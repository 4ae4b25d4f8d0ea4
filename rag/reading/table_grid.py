"""A table of any format, its spans laid out, and its rows told once: `Region: Alderhaven | Quay: South | Tonnage (thousand t), 2022: 87`.

A reader hands over the cells as the file has them, row by row, each only where it begins, and gets pieces for its `Content`:

    rows = [
        [Cell("Region", row_span=2, head=True), Cell("Quay", row_span=2, head=True), Cell("Tonnage", column_span=2, head=True)],
        [Cell("2022", head=True), Cell("2023", head=True)],
        [Cell("Alderhaven", row_span=2), Cell("North"), Cell("412"), Cell("398", marks=("a",))],
        [Cell("South"), Cell("87"), Cell("91")],
    ]
    pieces += table_pieces(Table(rows, caption="Port traffic (thousand t)"), section)

- `head` marks what the file itself calls a head (th, a repeated head row); where nothing is marked, the first rows are looked at.
- `caption` is the line over the table, which the reader tells as a piece of its own; a unit in it goes to the columns of bare numbers.
- `marks` are footnote marks, kept apart from the text, so that a raised 1 never makes 41 of 4.
- `page` is the page on which a cell begins. A table cut by a page turn goes through `continued` first.
- `render` gives the rows with the place of every cell, in their text and in the table, for whoever reckons with them.

What it gave up: heads that stand under or right of their values, and units that stand in a row of their own under the heads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from rag.reading.elements import Piece
from rag.reading.inline import raised
from rag.reading.table_heads import (
    LONGEST_NAME,
    Cell,
    Grid,
    Slot,
    breadth,
    column_names,
    count_heads,
    cut,
    flat,
    is_number,
    lay_out,
    looks_like_body,
    marked_heads,
    only_cell,
    row_texts,
)

LONGEST_LABEL = 200
"""Characters of a cell that spans rows, where it is told again."""
_LONG_CELL = 120
"""Characters from which the only row of a table is no row but paragraphs side by side."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a reader knows of a table."""

    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    head_rows: int | None = None
    """How many rows are heads; None where they are to be found out."""


class Place(NamedTuple):
    """A cell in the text of its row, `row.text[start:end]`, and in the table, rows and columns counted from 0."""

    start: int
    end: int
    row: int
    column: int
    name: str
    """Of its column, with the unit."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row in words; `kind` is "title", "head", "band" (a line over the rows below it), or "body"."""

    text: str
    kind: str
    cells: tuple[Place, ...] = ()
    page: int | None = None


def table_pieces(table: Table, section: tuple[str, ...] = (), page: int | None = None) -> list[Piece]:
    """A table as pieces: one a row. A single column, or a single row of long cells, is layout, and its cells are paragraphs.

    >>> [piece.text for piece in table_pieces(Table([cells("Crane", "Lifts", "Note"), cells("North", "40", "")]))]
    ['Crane | Lifts | Note', 'Crane: North | Lifts: 40']
    """
    filled = [[cell for cell in row if cell.text.strip()] for row in table.rows]
    filled = [row for row in filled if row]
    one_column = all(len(row) == 1 for row in filled)
    one_row = len(filled) == 1 and any(len(cell.text) > _LONG_CELL for cell in filled[0])
    if one_column or one_row:
        return [Piece("prose", _told(cell), cell.page or page, section) for row in filled for cell in row]
    kinds = {"title": "figure"}
    return [Piece(kinds.get(row.kind, "row"), row.text, row.page or page, section) for row in render(table)]  # type: ignore[arg-type]


def cells(*texts: str, head: bool = False) -> list[Cell]:
    """A row of plain cells.

    >>> cells("a", "b")[1].text
    'b'
    """
    return [Cell(text, head=head) for text in texts]


def render(table: Table) -> list[Row]:
    """The rows of a table in order, each cell behind the name of its column; a label that spans rows is told with each of them."""
    grid = lay_out(table.rows)
    top = next((at for at, line in enumerate(grid) if any(row_texts(line))), 0)
    first = top
    rows: list[Row] = []
    while top < len(grid) and (title := only_cell(grid, top)) and top + 1 < len(grid) and breadth(grid[top + 1]) > 1:
        rows.append(_plain(grid, top, title, "title"))
        top += 1
    heads = table.head_rows - top if table.head_rows is not None else count_heads(grid, top)
    heads = min(max(heads, 0), len(grid) - top)
    over = " ".join([table.caption, *(row.text for row in rows)])
    if not heads:
        rows, top = [], first  # what stands over rows without a head is a band of theirs
    body = [row_texts(line) for line in grid[top + heads :]]
    names = column_names(grid[top : top + heads], body, over)
    if heads:
        rows.append(_head(grid, top, heads, names))
    return rows + list(_body(grid, top, heads, body, names))


def continued(before: Table, after: Table) -> Table | None:
    """One table of two that a page turn parted, the head of the first kept for both; None where they do not fit together.

    They fit when they have as many columns and the second repeats the head of the first, or has none of its own.

    >>> head, rest = Table([cells("Crane", "Lifts"), cells("North", "40")]), Table([cells("South", "25")])
    >>> [row.text for row in render(continued(head, rest))]
    ['Crane | Lifts', 'Crane: North | Lifts: 40', 'Crane: South | Lifts: 25']
    """
    first, second = lay_out(before.rows), lay_out(after.rows)
    if not first or not second or len(first[0]) != len(second[0]):
        return None
    heads = before.head_rows if before.head_rows is not None else count_heads(first)
    own = after.head_rows if after.head_rows is not None else marked_heads(second) or int(not looks_like_body(second))
    repeated = 0
    while repeated < min(heads, len(second)) and row_texts(second[repeated]) == row_texts(first[repeated]):
        repeated += 1
    if heads and own > repeated:
        return None
    return replace(before, rows=[*before.rows, *after.rows[repeated:]], head_rows=heads)


_NAMES_TABLE = re.compile(
    r"(?:table|tab\.|exhibit|schedule|figure|chart|表|图|附表)\s*[\dA-Z一二三四五六七八九十]|(?:单位|單位|units?)\s*[:：]", re.I
)


def caption_of(pieces: Sequence[Piece]) -> str:
    """The line right over a table that names it, of the pieces so far; empty where the last one is a text of its own.

    >>> caption_of([Piece("prose", "Port traffic (thousand t):")]), caption_of([Piece("prose", "The quay was built in 1901.")])
    ('Port traffic (thousand t):', '')
    """
    last = pieces[-1] if pieces else None
    if last is None or last.kind == "row" or len(last.text) > 160:
        return ""
    named = last.kind == "figure" or _NAMES_TABLE.match(last.text) or re.search(r"[)）]\s*[:：.]?$|[:：]$", last.text)
    return last.text if named else ""


# ------------------------------------------------------------------------------------------------------------------------------- rows


def _told(cell: Cell) -> str:
    return _marked(flat(cell.text), cell)


def _marked(text: str, cell: Cell) -> str:
    return f"{text} {''.join(map(raised, cell.marks))}" if cell.marks and text else text


def _plain(grid: Grid, at: int, slot: Slot, kind: str) -> Row:
    text = _told(slot.cell)
    return Row(text, kind, (Place(0, len(text), slot.row, slot.column, ""),), slot.cell.page)


def _head(grid: Grid, top: int, heads: int, names: Sequence[str]) -> Row:
    """The names of all columns in one line."""
    text, places = "", []
    for column, name in enumerate(names):
        if not name or (column and name == names[column - 1] and grid[top + heads - 1][column] is grid[top + heads - 1][column - 1]):
            continue
        text += " | " if text else ""
        slot = grid[top + heads - 1][column]
        places.append(Place(len(text), len(text) + len(name), slot.row if slot else top, column, name))
        text += name
    page = next((slot.cell.page for slot in grid[top] if slot and slot.cell.page is not None), None)
    return Row(text, "head", tuple(places), page)


def _body(grid: Grid, top: int, heads: int, texts: list[list[str]], names: Sequence[str]) -> Iterator[Row]:
    """The rows under the heads: with the band over them, blank labels filled from above, and heads that a page repeats left out."""
    head_texts = [row_texts(line) for line in grid[top : top + heads]]
    bands: list[Slot] = []
    told_band = False
    labels = _label_columns(texts)
    above: tuple[list[Slot | None], list[str]] = [], []
    for number, line_texts in enumerate(texts):
        at = top + heads + number
        nothing_new = not any(slot and slot.row == at and text for slot, text in zip(grid[at], line_texts, strict=True))
        if nothing_new or (head_texts and line_texts in head_texts):
            continue
        only = only_cell(grid, at)
        if only is not None and (only.cell.column_span >= len(line_texts) or _heads_rows(texts, number)):
            bands = [*bands, only] if told_band else [only]
            told_band = True
            yield _plain(grid, at, only, "band")
            continue
        told_band = False
        blank = labels and not line_texts[0]
        above = _labelled(grid[at], line_texts, above, labels) if blank else (grid[at], line_texts)
        yield _row(*above, at, bands, names)


def _labelled(
    line: list[Slot | None], texts: list[str], above: tuple[list[Slot | None], list[str]], labels: int
) -> tuple[list[Slot | None], list[str]]:
    """A row whose blank labels on the left repeat those above it, where another label, no number, stands beside them."""
    first = next((column for column, text in enumerate(texts) if text), 0)
    if first > min(labels, len(above[0])) or first >= len(texts) - 1 or is_number(texts[first]):
        return line, texts
    return above[0][:first] + line[first:], above[1][:first] + texts[first:]


def _heads_rows(texts: Sequence[Sequence[str]], number: int) -> bool:
    """Whether the next row that is not empty has more than one cell."""
    below = next((at for at in range(number + 1, len(texts)) if any(texts[at])), None)
    return below is not None and sum(map(bool, texts[below])) > 1


def _label_columns(texts: Sequence[Sequence[str]]) -> int:
    """How many columns on the left may hold labels that go on below: all but the last, and none that holds numbers."""
    width = max(map(len, texts), default=0)
    count = 0
    for column in range(width - 1):
        filled = [line[column] for line in texts if line[column]]
        if not filled or sum(map(is_number, filled)) > len(filled) / 2:
            break
        count += 1
    return count if width > 2 else 0


def _row(line: Sequence[Slot | None], texts: Sequence[str], at: int, bands: Sequence[Slot], names: Sequence[str]) -> Row:
    told = [(band, "", _told(band.cell)) for band in bands]
    page = None
    for column, (slot, text) in enumerate(zip(line, texts, strict=True)):
        if not text or slot is None or (column and slot is line[column - 1]):
            continue
        name = names[column] if names else ""
        if slot.cell.column_span > 1:
            name = _joined_names(list(dict.fromkeys(names[at] for at in range(column, len(names)) if line[at] is slot and names[at])))
        if slot.row != at:
            text = cut(text, LONGEST_LABEL)
        elif page is None:
            page = slot.cell.page
        told.append((slot, "" if name == text else name, _marked(text, slot.cell)))
    places, parts, length = [], [], 0
    for slot, name, text in told:
        start = length + (3 if parts else 0) + (len(name) + 2 if name else 0)
        length = start + len(text)
        parts.append(f"{name}: {text}" if name else text)
        places.append(Place(start, length, slot.row, slot.column, name))
    return Row(" | ".join(parts), "body", tuple(places), page)


def _joined_names(covered: Sequence[str]) -> str:
    """The name of a cell that covers several columns: what their heads share once.

    >>> _joined_names(["Tonnage, 2022", "Tonnage, 2023"]), _joined_names(["Region", "Quay"])
    ('Tonnage, 2022 / 2023', 'Region / Quay')
    """
    if len(covered) < 2:
        return "".join(covered)
    split = [name.split(", ") for name in covered]
    shared = 0
    while all(len(parts) > shared + 1 and parts[shared] == split[0][shared] for parts in split):
        shared += 1
    name = ", ".join([*split[0][:shared], " / ".join(", ".join(parts[shared:]) for parts in split)])
    return cut(name, LONGEST_NAME)
