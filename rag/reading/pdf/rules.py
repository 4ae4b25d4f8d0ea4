"""Lines drawn on a page -> grids, whose cells may span rows and columns."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rag.reading.pdf.pdfium import address, calls, object_handle
from rag.reading.pdf.sight import Rectangle

MAX_RULES = 4_000
MAX_POINTS = 20_000
"""Of the paths of a page; one with more is a drawing."""
MAX_CELLS = 5_000
_THIN = 2.5
"""Points: a filled box no thicker is a line."""
_SHORTEST = 5.0
_NEAR = 2.5
"""Points by which lines that meet may miss each other."""

Rule = tuple[float, float, float]
"""(where it stands across its direction, from, to)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a grid: rows and columns from the upper left, ends exclusive."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the columns and rows of a ruled table begin and end."""

    xs: tuple[float, ...]
    """From left to right."""
    ys: tuple[float, ...]
    """From top to bottom."""
    cells: tuple[Cell, ...]

    @property
    def box(self) -> Rectangle:
        return self.xs[0], self.ys[-1], self.xs[-1], self.ys[0]


# -------------------------------------------------------------------------------------------------------------------- lines of a page


def rules_on(page: Any) -> tuple[list[Rule], list[Rule]]:
    """(horizontal, vertical) lines of a page: strokes along an axis, sides of stroked boxes, and thin filled boxes."""
    from pypdfium2 import raw

    horizontal: list[Rule] = []
    vertical: list[Rule] = []
    where, points = address(page.raw), 0
    for at in range(raw.FPDFPage_CountObjects(page.raw)):
        found = calls().object_at(where, at)
        if not found or calls().kind_of(found) != raw.FPDF_PAGEOBJ_PATH:
            continue
        handle = object_handle(found)
        points += raw.FPDFPath_CountSegments(handle)
        if points > MAX_POINTS or len(horizontal) + len(vertical) > MAX_RULES:
            break
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        raw.FPDFPath_GetDrawMode(handle, fill, stroke)
        for outline in _outlines(handle):
            _add_rules(outline, bool(stroke.value), bool(fill.value), horizontal, vertical)
    return horizontal, vertical


def _outlines(handle: Any) -> Iterator[list[tuple[float, float]]]:
    """The corners of each part of a path, in points of the page; a part with a curve is none."""
    from pypdfium2 import raw

    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(handle, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    part: list[tuple[float, float]] = []
    curved = False
    for at in range(raw.FPDFPath_CountSegments(handle)):
        segment = raw.FPDFPath_GetPathSegment(handle, at)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            if len(part) > 1 and not curved:
                yield part
            part, curved = [], False
        curved = curved or kind == raw.FPDF_SEGMENT_BEZIERTO
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        part.append((matrix.a * x.value + matrix.c * y.value + matrix.e, matrix.b * x.value + matrix.d * y.value + matrix.f))
        if raw.FPDFPathSegment_GetClose(segment) and part[0] != part[-1]:
            part.append(part[0])
    if len(part) > 1 and not curved:
        yield part


def _add_rules(part: Sequence[tuple[float, float]], stroked: bool, filled: bool, horizontal: list[Rule], vertical: list[Rule]) -> None:
    xs, ys = [x for x, _ in part], [y for _, y in part]
    left, right, bottom, top = min(xs), max(xs), min(ys), max(ys)
    if min(right - left, top - bottom) <= _THIN and max(right - left, top - bottom) >= _SHORTEST:
        if right - left > top - bottom:
            horizontal.append(((bottom + top) / 2, left, right))
        else:
            vertical.append(((left + right) / 2, bottom, top))
    elif stroked:
        for (x0, y0), (x1, y1) in pairwise(part):
            if abs(y0 - y1) < 0.5 and abs(x0 - x1) >= _SHORTEST:
                horizontal.append(((y0 + y1) / 2, min(x0, x1), max(x0, x1)))
            elif abs(x0 - x1) < 0.5 and abs(y0 - y1) >= _SHORTEST:
                vertical.append(((x0 + x1) / 2, min(y0, y1), max(y0, y1)))


# ----------------------------------------------------------------------------------------------------------------------------- grids


def grids_in(horizontal: Sequence[Rule], vertical: Sequence[Rule]) -> list[Grid]:
    """The grids that lines form where they meet, each of two rows and two columns at least.

    >>> [cell for grid in grids_in([(0, 0, 90), (20, 40, 90), (40, 0, 90)], [(0, 0, 40), (40, 0, 40), (90, 0, 40)]) for cell in grid.cells]
    [Cell(top=0, bottom=2, left=0, right=1), Cell(top=0, bottom=1, left=1, right=2), Cell(top=1, bottom=2, left=1, right=2)]
    """
    across, down = _merged(horizontal), _merged(vertical)
    grids = []
    for rows, columns in _meeting(across, down):
        ys = sorted(_steps([y for y, _, _ in rows] + [end for _, low, high in columns for end in (low, high)]), reverse=True)
        xs = _steps([x for x, _, _ in columns] + [end for _, low, high in rows for end in (low, high)])
        if len(xs) > 2 and len(ys) > 2 and (len(xs) - 1) * (len(ys) - 1) <= MAX_CELLS:
            cells = _cells(xs, ys, rows, columns)
            if cells is not None:
                grids.append(Grid(tuple(xs), tuple(ys), cells))
    return grids


def _merged(rules: Sequence[Rule]) -> list[Rule]:
    """Rules that go on in one another as one."""
    merged: list[list[float]] = []
    for place, low, high in sorted(rules):
        for known in reversed(merged[-60:]):
            if place - known[0] <= 1.5 and low <= known[2] + _NEAR and high >= known[1] - _NEAR:
                known[1], known[2] = min(known[1], low), max(known[2], high)
                break
        else:
            merged.append([place, low, high])
    return [(place, low, high) for place, low, high in merged]


def _meeting(across: Sequence[Rule], down: Sequence[Rule]) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """(horizontal, vertical) rules that hang together."""
    parents = list(range(len(across) + len(down)))

    def root(at: int) -> int:
        while parents[at] != at:
            parents[at] = parents[parents[at]]
            at = parents[at]
        return at

    for row, (y, low, high) in enumerate(across):
        for column, (x, bottom, top) in enumerate(down, len(across)):
            if low - _NEAR <= x <= high + _NEAR and bottom - _NEAR <= y <= top + _NEAR:
                parents[root(column)] = root(row)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for at in range(len(parents)):
        side = at >= len(across)
        groups.setdefault(root(at), ([], []))[side].append(down[at - len(across)] if side else across[at])
    for rows, columns in groups.values():
        if rows and columns:
            yield rows, columns


def _steps(values: Sequence[float]) -> list[float]:
    """Values in order, those that are near each other once."""
    steps: list[float] = []
    for value in sorted(values):
        if not steps or value - steps[-1] > 1.2 * _NEAR:
            steps.append(value)
    return steps


def _cells(xs: Sequence[float], ys: Sequence[float], rows: Sequence[Rule], columns: Sequence[Rule]) -> tuple[Cell, ...] | None:
    """The cells between lines; None where what is left open is no box."""
    wide, high = len(xs) - 1, len(ys) - 1
    owner = list(range(wide * high))

    def root(at: int) -> int:
        while owner[at] != at:
            at = owner[at]
        return at

    def is_drawn(rules: Sequence[Rule], place: float, low: float, end: float) -> bool:
        covered = sum(max(0.0, min(b, end) - max(a, low)) for where, a, b in rules if abs(where - place) <= 1.2 * _NEAR)
        return covered > 0.6 * (end - low)

    for row in range(high):
        for column in range(wide):
            at = row * wide + column
            if column + 1 < wide and not is_drawn(columns, xs[column + 1], ys[row + 1], ys[row]):
                owner[root(at + 1)] = root(at)
            if row + 1 < high and not is_drawn(rows, ys[row + 1], xs[column], xs[column + 1]):
                owner[root(at + wide)] = root(at)
    members: dict[int, list[int]] = {}
    for at in range(wide * high):
        members.setdefault(root(at), []).append(at)
    cells = []
    for parts in members.values():
        top, bottom = min(parts) // wide, max(parts) // wide + 1
        left, right = min(at % wide for at in parts), max(at % wide for at in parts) + 1
        if (bottom - top) * (right - left) != len(parts):
            return None
        cells.append(Cell(top, bottom, left, right))
    return tuple(sorted(cells, key=lambda cell: (cell.top, cell.left)))
