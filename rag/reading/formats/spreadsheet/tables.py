"""A sheet -> pieces: the tables that stand on it, parted by empty rows and columns, each row told with the names of its columns.

An empty column parts two tables only where the right one has labels of its own, since many a statement leaves a column empty between its years.
What it gave up: tables that touch, and titles that stand beside their table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rag.reading.elements import Content, Piece
from rag.reading.table_grid import Table, render, table_pieces
from rag.reading.table_heads import MAX_COLUMNS, Cell, flat, is_number, lay_out, looks_like_body

MAX_CELLS = 2_000_000
"""Filled cells of one file."""
CUT_ROWS = f"rows cut behind their first {MAX_COLUMNS:,} columns"
MISSING = "…"
"""What stands for a value that the file does not hold or that was struck out, so that its row is not taken for a line over others."""
_AT_ONCE = 1_000
"""Rows of a table that are laid out at a time, so that memory does not grow with its length."""
_SAMPLE = 200
"""Rows by which a long column or table is judged."""
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Span:
    """Merged cells: from the first row and column through the last."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file holds on one sheet, rows and columns counted from 0, empty cells left out."""

    name: str
    rows: Mapping[int, Mapping[int, str]]
    spans: Sequence[Span] = ()
    hidden: bool = False
    remarks: Sequence[str] = ()
    """Comments and text boxes, which stand on no cell of the grid."""


@dataclass(slots=True)
class _Block:
    """A rectangle of cells without an empty row or a parting column."""

    rows: list[int]
    columns: list[int]
    cells: list[list[Cell]] = field(default_factory=list)

    @property
    def is_table(self) -> bool:
        return any(sum(bool(cell.text) for cell in line) > 1 for line in self.cells)


def content_of(sheets: Sequence[Sheet], title: str = "", notes: Sequence[str] = (), matter: Mapping[str, str] | None = None) -> Content:
    """All sheets in order, each a section unless there is but one with a name that a program gave it."""
    told = [sheet for sheet in sheets if sheet.rows or sheet.remarks]
    pieces: list[Piece] = []
    for sheet in told:
        name = flat(sheet.name) + (" (hidden)" if sheet.hidden else "")
        section = () if len(told) == 1 and not sheet.hidden and _is_given(sheet.name) else (name,)
        pieces += [Piece("heading", name, None, section)] if section else []
        pieces += sheet_pieces(sheet, section)
    opening = "\n".join(piece.text for piece in pieces[:12])[:3000]
    return Content(pieces, title, matter or {}, opening, notes=tuple(notes))


def _is_given(name: str) -> bool:
    """Whether a program named the sheet: a word and a number.

    >>> _is_given("Sheet1"), _is_given("工作表 1"), _is_given("Port traffic")
    (True, True, False)
    """
    word = name.rstrip("0123456789 ").lower()
    return word in ("", "sheet", "工作表", "工作表单", "table", "表", "表格", "tabelle", "feuil", "hoja", "list")


def sheet_pieces(sheet: Sheet, section: tuple[str, ...] = ()) -> list[Piece]:
    """The tables and lines of a sheet in reading order, then its remarks."""
    pieces: list[Piece] = []
    captions: list[str] = []
    last = -1
    blocks = list(_joined(_blocks(sheet)))
    for block, following in [*pairwise(blocks), *([(blocks[-1], None)] if blocks else [])]:
        if captions and block.rows[0] - last > 3:
            captions = []
        if block.is_table:
            pieces += _long_table(block.cells, " ".join(captions), section)
            captions = []
            continue
        lines = [cell.text for line in block.cells for cell in line if cell.text]
        captions = lines if following and following.is_table and len(lines) <= 3 and max(map(len, lines)) <= _LONGEST_TITLE else []
        last = block.rows[-1]
        pieces += [Piece("figure" if captions else "prose", line, None, section) for line in lines]
    return pieces + [Piece("prose", flat(remark), None, section) for remark in sheet.remarks]


# ------------------------------------------------------------------------------------------------------------------------------ blocks


def _blocks(sheet: Sheet) -> Iterator[_Block]:
    covered: dict[int, set[int]] = {}
    anchors: dict[tuple[int, int], Span] = {}
    left = MAX_CELLS
    for span in sheet.spans:
        size = (span.bottom - span.top + 1) * (span.right - span.left + 1)
        if sheet.rows.get(span.top, {}).get(span.left) and size <= left:
            left -= size
            anchors[span.top, span.left] = span
            for row in range(span.top, span.bottom + 1):
                covered.setdefault(row, set()).update(range(span.left, span.right + 1))
    filled = {row: sheet.rows.get(row, {}).keys() | covered.get(row, set()) for row in {*sheet.rows, *covered}}
    rows = sorted(row for row, columns in filled.items() if columns)
    for block in _cut(sheet, rows, None, filled):
        block.cells = [_line(sheet, block, row, anchors, covered.get(row, set())) for row in block.rows]
        yield block


def _cut(sheet: Sheet, rows: list[int], columns: set[int] | None, filled: Mapping[int, set[int]]) -> Iterator[_Block]:
    """Cut at empty rows, then at empty columns that part tables, and again, until nothing is left to cut."""
    for band in _runs(rows):
        used: set[int] = set()
        for row in band:
            used |= filled[row] if columns is None else filled[row] & columns
        groups = _groups(sheet, sorted(used), band)
        if len(groups) == 1:
            yield _Block(band, groups[0])
            continue
        for group in groups:
            own = set(group)
            yield from _cut(sheet, [row for row in band if filled[row] & own], own, filled)


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Numbers that follow one another.

    >>> _runs([1, 2, 5, 6, 9])
    [[1, 2], [5, 6], [9]]
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _groups(sheet: Sheet, columns: list[int], band: list[int]) -> list[list[int]]:
    """The columns of each table in a band. A run of columns is a table of its own where its first column names each of its rows."""
    runs = _runs(columns)
    groups = [runs[0]]
    for run in runs[1:]:
        if len(run) > 1 and len(groups[-1]) > 1 and _names_rows(sheet, band[:_SAMPLE], run):
            groups.append(run)
        else:
            groups[-1] = groups[-1] + run
    return groups


def _names_rows(sheet: Sheet, band: Sequence[int], run: Sequence[int]) -> bool:
    """Whether the first of these columns is filled wherever the others are, with words that differ."""
    lines = [[sheet.rows.get(row, {}).get(column, "") for column in run] for row in band]
    labels = [line[0] for line in lines if sum(map(bool, line)) > 1]
    return len(labels) > 1 and all(labels) and len({*labels}) == len(labels) and 2 * sum(map(is_number, labels)) < len(labels)


def _joined(blocks: Iterator[_Block]) -> Iterator[_Block]:
    """Tables that an empty row parted are one where the second stands in the same columns and has no head of its own, or the same one."""
    held: _Block | None = None
    for block in blocks:
        if held is not None and held.is_table and block.is_table and held.columns == block.columns and block.rows[0] - held.rows[-1] == 2:
            repeated = [cell.text for cell in held.cells[0]] == [cell.text for cell in block.cells[0]]
            if repeated or len(block.cells) == 1 or looks_like_body(lay_out(block.cells[:_SAMPLE])):
                held = _Block(held.rows + block.rows, held.columns, held.cells + block.cells[repeated:])
                continue
        if held is not None:
            yield held
        held = block
    if held is not None:
        yield held


def _line(sheet: Sheet, block: _Block, row: int, anchors: Mapping[tuple[int, int], Span], covered: set[int]) -> list[Cell]:
    """The cells that begin in a row of a block."""
    texts = sheet.rows.get(row, {})
    if not covered:
        return [Cell(texts.get(column, "")) for column in block.columns]
    line = []
    for column in block.columns:
        span = anchors.get((row, column))
        if span:
            height = sum(span.top <= other <= span.bottom for other in block.rows[: block.rows.index(row) + span.bottom - span.top + 1])
            line.append(Cell(texts[column], height, sum(span.left <= other <= span.right for other in block.columns)))
        elif column not in covered:
            line.append(Cell(texts.get(column, "")))
    return line


# ------------------------------------------------------------------------------------------------------------------------------ tables


def _long_table(cells: Sequence[Sequence[Cell]], caption: str, section: tuple[str, ...]) -> list[Piece]:
    """The pieces of a table of any length: laid out some rows at a time, each time under the same head."""
    if len(cells) <= 2 * _AT_ONCE:
        return table_pieces(Table(cells, caption), section)
    rows = render(Table(cells[:_SAMPLE], caption))
    titles = [row.text for row in rows if row.kind == "title"]
    has_head = any(row.kind == "head" for row in rows)
    body = next((max(place.row for place in row.cells) for row in rows if row.kind == "body"), 0) if has_head else 0
    head, over = cells[len(titles) : body], " ".join([caption, *titles])
    cuts = _cuts(cells, body)
    pieces = table_pieces(Table(cells[: cuts[1]], caption, body), section)
    for start, end in pairwise(cuts[1:]):
        pieces += table_pieces(Table([*head, *cells[start:end]], over, len(head)), section)[int(has_head) :]
    return pieces


def _cuts(cells: Sequence[Sequence[Cell]], first: int) -> list[int]:
    """Rows at which a long table may be cut: each begins with a label of its own, and no cell reaches over it."""
    cuts, reach = [first], 0
    for at, line in enumerate(cells):
        if at - cuts[-1] >= _AT_ONCE and reach <= at and line and line[0].text:
            cuts.append(at)
        reach = max(reach, *(at + cell.row_span for cell in line)) if line else reach
    return [*cuts, len(cells)]
