"""Tables with drawn lines: the runs inside a grid become the cells of a table, which the page then holds in their place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import groupby
from math import inf
from statistics import median
from typing import Any

from rag.reading.cleanup import join_lines, undo_spacing
from rag.reading.pdf.layout import baselines
from rag.reading.pdf.rules import Cell as Place
from rag.reading.pdf.rules import Grid, grids_in, rules_on
from rag.reading.pdf.runs import Run, join_runs
from rag.reading.pdf.tables import is_number
from rag.reading.table_grid import Table
from rag.reading.table_heads import Cell

_FILLED = 0.4
"""Share of its cells that hold text in a table; lines behind a chart form a grid too."""
_LONG = 400
"""Characters in the usual cell of what is no table but a page with lines between its columns."""


def with_tables(page: Any, runs: Sequence[Run], number: int) -> list[Run]:
    """The runs of a page, those inside each ruled table put together to one that holds it. Lines are looked for only where rows have cells."""
    beside = Counter(round(run.bottom / 3) for run in runs)
    if sum(count > 1 for count in beside.values()) < 2:
        return list(runs)
    left = list(runs)
    found: list[tuple[Grid, Table]] = []
    for grid in sorted(grids_in(*rules_on(page)), key=lambda grid: (grid.xs[-1] - grid.xs[0]) * (grid.ys[0] - grid.ys[-1])):
        inside = [run for run in left if _is_in(run, grid)]
        table = _table(grid, inside, number)
        if table is not None:
            left = [run for run in left if run not in inside]
            found.append((grid, table))
    return left + [Run("", grid.xs[0], grid.xs[-1], grid.ys[-1], grid.ys[0], table=table) for grid, table in _put_together(found, left)]


def _put_together(found: Sequence[tuple[Grid, Table]], left: Sequence[Run]) -> list[tuple[Grid, Table]]:
    """Tables with the same columns and no text between them as one: a row that lines do not reach parts the grid, not the table."""
    whole: list[tuple[Grid, Table]] = []
    for grid, table in sorted(found, key=lambda each: -each[0].ys[0]):
        for at, (above, before) in enumerate(whole):
            same = len(above.xs) == len(grid.xs) and all(abs(a - b) < 3 for a, b in zip(above.xs, grid.xs, strict=True))
            gap = above.ys[-1] - grid.ys[0]
            between = any(
                grid.ys[0] - 1 < run.bottom and run.top < above.ys[-1] + 1 and run.left < grid.xs[-1] and run.right > grid.xs[0]
                for run in left
            )
            if same and -3 < gap < 20 and not between:
                whole[at] = replace(above, ys=above.ys + grid.ys), replace(before, rows=[*before.rows, *table.rows])
                break
        else:
            whole.append((grid, table))
    return whole


def _is_in(run: Run, grid: Grid) -> bool:
    low, bottom, high, top = grid.box
    return low - 1 < (run.left + run.right) / 2 < high + 1 and bottom - 1 < (run.bottom + run.top) / 2 < top + 1 and run.table is None


def _table(grid: Grid, runs: Sequence[Run], number: int) -> Table | None:
    """The table in a grid; None where too little text stands in it, or too much."""
    held: dict[Place, list[Run]] = {}
    for run in runs:
        for part in _split(run, grid):
            place = _place(part, grid)
            if place is not None:
                held.setdefault(place, []).append(part)
    texts = {place: _text(parts) for place, parts in held.items()}
    filled = [text for text in texts.values() if text]
    if len(filled) < max(3, _FILLED * len(grid.cells)) or median(map(len, filled)) > _LONG or any(map(_holds_rows, held.values())):
        return None
    bold = {place for place, parts in held.items() if all(run.bold for run in parts)}
    plain = len(bold) < len(held)
    rows = []
    for _, row in groupby(grid.cells, key=lambda place: place.top):
        places = list(row)
        headed = plain and sum(bool(texts.get(place)) for place in places) > 1
        rows.append(
            [
                Cell(texts.get(place, ""), place.bottom - place.top, place.right - place.left, headed and place in bold, page=number)
                for place in places
            ]
        )
    first = [cell for cell in rows[0] if cell.text and not cell.head]
    again = {cell.text for row in rows[1:] for cell in row}
    headless = (
        any(cell.text in again for cell in first)
        or len(grid.xs) == 3
        and not any(cell.head for cell in rows[0])
        and not any(is_number(row[-1].text) for row in rows)
    )
    return Table(rows, head_rows=0 if headless else None)


def _holds_rows(runs: Sequence[Run]) -> bool:
    """Whether a cell holds figures below each other, or a label with its figure: lines part groups of rows there, not rows."""
    figures = [run for run in runs if is_number(run.text) and re.search(r"\d{2}|\d[.,]", run.text)]
    stacked = len({round(run.bottom / 3) for run in figures}) > 1 and len(figures) > 0.5 * len(runs)
    apart = any(
        0 < 2 * run.height < figure.left - run.right and abs(figure.bottom - run.bottom) < 0.5 * run.height
        for figure in figures
        for run in runs
        if re.search(r"\w", run.text)
    )
    return stacked or apart


def _split(run: Run, grid: Grid) -> list[Run]:
    """A run in parts where it crosses a line: words of two narrow cells may stand as near as words of one."""
    place = _place(run, grid)
    edges = sorted(
        {grid.xs[edge] for cell in grid.cells if place and cell.top <= place.top < cell.bottom for edge in (cell.left, cell.right)}
    )
    parts, rest = [], run
    for edge in edges:
        if rest.places and rest.left + 1 < edge < rest.right - 1:
            at = next((at for at, left in enumerate(rest.places) if left > edge - 1), 0)
            if 0 < at < len(rest.text):
                parts.append(replace(rest, text=rest.text[:at].strip(), right=edge, places=rest.places[:at]))
                rest = replace(rest, text=rest.text[at:].strip(), left=rest.places[at], places=rest.places[at:])
    return [part for part in (*parts, rest) if part.text]


def _place(run: Run, grid: Grid) -> Place | None:
    x, y = (run.left + run.right) / 2, (run.bottom + run.top) / 2
    for cell in grid.cells:
        if grid.xs[cell.left] <= x < grid.xs[cell.right] and grid.ys[cell.bottom] < y <= grid.ys[cell.top]:
            return cell
    return None


def _text(runs: Sequence[Run]) -> str:
    lines = [join_runs(row, inf)[0].text.strip() for row in baselines(runs)]
    return undo_spacing(reduce(join_lines, lines, ""))
