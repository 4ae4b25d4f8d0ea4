"""Rows of runs -> the rows of tables, each cell with the head of its column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from rag.reading.cleanup import width
from rag.reading.pdf.runs import LEADERS, MARK, NUMBER, TAIL, YEAR_CELL, Run, join_runs
from rag.reading.table_grid import Table, continued, render
from rag.reading.table_heads import Cell, count_heads, lay_out

_TOP = 3
"""Rows that may stand above the rest of a table on its next page: running heads, a repeated title."""
Heads = Sequence[tuple[float, float, str]]
"""(left, right, head) of the columns of a table."""


def cells_of(row: Sequence[Run], body: float) -> list[Run]:
    """The cells of a row: runs parted by a wide blank, and figures by any; currency marks go with the number behind them, signs with the
    one before."""
    cells: list[Run] = []
    held: list[Run] = []

    def close() -> None:
        if not held:
            return
        run = join_runs(held, math.inf)[0]
        text, last = run.text.strip(), cells[-1] if cells else None
        held.clear()
        if last is not None and (MARK.fullmatch(last.text.strip("( ")) or (TAIL.fullmatch(text) and NUMBER.fullmatch(last.text))):
            joined = last.text + ("" if TAIL.fullmatch(text) or last.text.endswith(("$", "(", "¥", "€", "£")) else " ") + text
            cells[-1] = replace(last, text=joined, right=run.right, bold=last.bold and run.bold)
        else:
            cells.append(replace(run, text=text))

    for run in (piece for whole in row for piece in _figures_apart(whole)):
        if held:
            gap = run.left - held[-1].right
            figures = gap > 0.25 * body and is_number(held[-1].text) and (is_number(run.text) or MARK.fullmatch(run.text) is not None)
            if gap > 1.0 * body or figures:
                close()
        held.append(run)
    close()
    return cells


def _figures_apart(run: Run) -> list[Run]:
    """Figures and currency marks that stand no further apart than letters do, one by one; any other run as it is.

    >>> [piece.text for piece in _figures_apart(Run("5,727 $ 2,539 $", 0, 90, 0, 10))]
    ['5,727', '$', '2,539', '$']
    """
    parts = run.text.split()
    if len(parts) < 2 or not any(map(MARK.fullmatch, parts)) or not all(is_number(part) or MARK.fullmatch(part) for part in parts):
        return [run]
    step, at, pieces = (run.right - run.left) / len(run.text), 0, []
    for part in parts:
        at = run.text.index(part, at)
        pieces.append(replace(run, text=part, left=run.left + step * at, right=run.left + step * (at + len(part))))
        at += len(part)
    return pieces


def is_number(text: str) -> bool:
    return bool(NUMBER.fullmatch(text)) and not MARK.fullmatch(text)


def tables_in(rows: Sequence[Sequence[Run]], body: float, above: Heads = ()) -> Iterator[tuple[int, int]]:
    """(first row, row behind the last) of the tables in a stretch: three or more rows with figures under each other, or of three cells.

    One row is enough at the top of a page in the columns of the table `above`, with which the page before ends.
    """
    at = 0
    while at < len(rows):
        if not is_row(rows[at]):
            at += 1
            continue
        end, gap, count = at, 0, 0
        probe = at
        while probe < len(rows) and gap <= 3:
            if is_row(rows[probe]):
                end, gap, count = probe + 1, 0, count + 1
            elif _is_prose(rows[probe], rows, body):
                break
            else:
                gap += 1
            probe += 1
        first = probe = at
        labels = min((left for left, _ in _columns(rows[at:end])), default=0.0)
        while probe > 0 and at - probe < 6:  # heads, also above the names of groups
            probe -= 1
            if _is_head(rows[probe], rows[at:end], body):
                first = probe
            elif len(rows[probe]) > 1 or rows[probe][0].right > labels or len(rows[probe][0].text) > 60:
                break
        goes_on = is_top(rows[:at]) and bool(_heads_from(above, _columns(rows[at:end])))
        if count >= (1 if goes_on else 3) and not _is_contents(rows[at:end]):
            yield first, end
        at = end + 1 if end > at else at + 1


def is_top(rows: Sequence[Sequence[Run]]) -> bool:
    """Whether nothing but what a page turn brings stands in these rows: a few, none of which reads like a text.

    >>> is_top([[Run("Harbour Yearbook", 0, 90, 800, 810)]]), is_top([[Run("The cranes are these:", 0, 90, 800, 810)]])
    (True, False)
    """
    return len(rows) <= _TOP and not any(len(run.text) > 80 or re.search(r"[.。:：;；,，]$", run.text) for row in rows for run in row)


def is_row(cells: Sequence[Run]) -> bool:
    if len(cells) < 2 or any(LEADERS.search(cell.text) for cell in cells) or sum(len(cell.text) for cell in cells) > 240:
        return False
    numbers = sum(is_number(cell.text) for cell in cells[1:])
    if numbers:
        return numbers >= 0.5 * (len(cells) - 1) and not re.fullmatch(r"[●•◆■▪·*-]|\(?[\da-zA-Z]{1,3}[.)]", cells[0].text)
    return len(cells) >= 3 and all(len(cell.text) <= 40 for cell in cells)


def _is_prose(cells: Sequence[Run], rows: Sequence[Sequence[Run]], body: float) -> bool:
    """A row that runs over most of the width and reads like a sentence."""
    room = max(row[-1].right for row in rows) - min(row[0].left for row in rows)
    text = " ".join(cell.text for cell in cells)
    return len(cells) == 1 and (cells[0].right - cells[0].left > 0.75 * room or len(text) > 110 or bool(re.search(r"[。.]$", text)))


def _is_head(cells: Sequence[Run], table: Sequence[Sequence[Run]], body: float) -> bool:
    """A row above a table that stands over its columns: neither over its labels nor in the middle of the whole, as a title does."""
    columns = _columns(table)
    if not columns or any(len(cell.text) > 60 or cell.left < columns[0][0] - 7 * body for cell in cells):
        return False
    left, right = min(row[0].left for row in table), max(row[-1].right for row in table)
    middle, own = (left + right) / 2, (columns[0][0] + columns[-1][1]) / 2
    centre = (cells[0].left + cells[-1].right) / 2
    return not (len(cells) == 1 and len(columns) > 1 and abs(centre - middle) < abs(centre - own) and abs(centre - middle) < 4 * body)


def _is_contents(table: Sequence[Sequence[Run]]) -> bool:
    """Whether the only figures are whole numbers that grow: page numbers of a table of contents."""
    last = [row[-1].text for row in table if len(row) > 1]
    if not all(re.fullmatch(r"\d{1,4}", text) for text in last) or any(sum(is_number(c.text) for c in row) > 1 for row in table):
        return False
    values = [int(text) for text in last]
    return sum(after >= before for before, after in zip(values, values[1:], strict=False)) >= 0.9 * (len(values) - 1)


def table_rows(rows: Sequence[Sequence[Run]], above: Heads) -> tuple[list[tuple[str, Run]], Heads]:
    """Each row as "label | header: value | header: value", with the run that says where it stands; and the heads at its end.

    A table without heads of its own that goes on in the columns of the one above, behind a line of text, has its heads.
    """
    columns = _columns(rows)
    rows, known = _groups_named(rows, columns), _heads_from(above, columns)
    heads, inherited = known or [""] * len(columns), bool(known)
    found: list[tuple[str, Run]] = []
    below = False  # rows of figures have begun
    held: Run | None = None  # a label that may go on in the next row
    for row in rows:
        if held is not None:
            goes_on = row[0].text[:1].islower() and not held.bold and row[0].left < held.left + 3 * held.height
            if goes_on and row[0].left < columns[0][0]:
                row = [replace(row[0], text=f"{held.text} {row[0].text}", left=held.left), *row[1:]]
            elif row[0].left > columns[0][0] - held.height and len(row) == len(columns) and is_number(row[0].text):
                row = [held, *row]  # a label that stands a little higher than its figures
            else:
                found.append((held.text, held))
            held = None
        if (
            len(row) == 1
            and below
            and columns
            and row[0].right < columns[-1][0]
            and not row[0].text.endswith((":", "："))
            and not is_number(row[0].text)
        ):
            held = row[0]
            continue
        label = [cell for cell in row if not columns or cell.right <= columns[0][0] + 1]
        values = [cell for cell in row if cell not in label]
        figures = [cell for cell in values if is_number(cell.text) and not YEAR_CELL.fullmatch(cell.text)]
        is_head = columns and values and not figures and (not below or not label)
        if is_head:
            if below or inherited:
                heads = [""] * len(columns)
                below = inherited = False
            if len(values) == 1 and len(columns) > 1 and not label and not any(heads) and _spans(values[0], columns):
                found.append((values[0].text, values[0]))  # once for all columns, not once in every cell
                continue
            for cell in [head for value in values for head in _heads_apart(value, columns)]:
                for column, (left, right) in enumerate(columns):
                    if cell.left < right and cell.right > left and len(heads[column]) < 80:
                        heads[column] = f"{heads[column]} {cell.text}".strip()
            if label and not below:
                found.append((" ".join(cell.text for cell in row), row[0]))
            continue
        below = below or bool(figures)
        parts = [" ".join(cell.text for cell in label)] if label else []
        for cell in values:
            head = next((heads[column] for column, (left, right) in enumerate(columns) if cell.left < right and cell.right > left), "")
            parts.append(f"{head.rstrip(':：')}: {cell.text}" if head else cell.text)
        found.append((" | ".join(parts), row[0]))
    if held is not None:
        found.append((held.text, held))
    if not below and not inherited and any(heads):
        found.append((" | ".join(heads), rows[0][0]))
    return found, [(left, right, head) for (left, right), head in zip(columns, heads, strict=True)]


def _groups_named(rows: Sequence[Sequence[Run]], columns: Sequence[tuple[float, float]]) -> Sequence[Sequence[Run]]:
    """Rows with the name of their group, which a cell over several rows tells only once: where two columns of labels stand side by side.

    >>> port, north, south = Run("Port", 0, 30, 20, 30), Run("North", 50, 80, 20, 30), Run("South", 50, 80, 0, 10)
    >>> bay, east, figure = Run("Bay", 0, 30, -20, -10), Run("East", 50, 80, -20, -10), Run("41", 100, 110, 0, 10)
    >>> [[cell.text for cell in row] for row in _groups_named([[port, north, figure], [south, figure], [bay, east, figure]], [(100, 110)])]
    [['Port', 'North', '41'], ['Port', 'South', '41'], ['Bay', 'East', '41']]
    """
    if not columns:
        return rows
    labels = [[cell for cell in row if cell.right <= columns[0][0] + 1] for row in rows]
    both = [cells for cells in labels if len(cells) == 2]
    if len(both) < 2:
        return rows
    group, inner = median(cells[0].left for cells in both), median(cells[1].left for cells in both)
    slack = both[0][0].height
    if sum(abs(cells[0].left - group) < slack and abs(cells[1].left - inner) < slack for cells in both) < 0.8 * len(both):
        return rows
    named: list[Sequence[Run]] = []
    name: Run | None = None
    for row, cells in zip(rows, labels, strict=True):
        figures = any(is_number(cell.text) and not YEAR_CELL.fullmatch(cell.text) for cell in row[len(cells) :])
        if len(cells) == 1 and name is not None and figures and abs(cells[0].left - inner) < slack:
            row = [replace(name, bottom=cells[0].bottom, top=cells[0].top), *row]
        elif cells and abs(cells[0].left - group) < slack:
            numbered = re.search(r"\d[.)]?$", cells[0].text)
            name = cells[0] if figures and len(cells) == 2 and not numbered else None
        named.append(row)
    return named


def _heads_from(above: Heads, columns: Sequence[tuple[float, float]]) -> list[str]:
    """The heads of a table above for columns that stand in its places, of which one may be empty; none where they do not."""
    if len(columns) != len(above) and not 2 <= len(columns) == len(above) - 1:
        return []
    found = []
    for left, right in columns:
        over = [head for low, high, head in above if left < high and right > low]
        if len(over) != 1:
            return []
        found += over
    return found if any(found) else []


def told(table: Table, caption: str, above: Table | None, page: int) -> tuple[list[str], Table]:
    """The rows of a ruled table in words, and what a table on the next page needs to go on with it: its heads and its last row.

    `above` is the table with which the page before ends, `caption` the line over this one.
    """
    whole = continued(above, table) if above is not None else None
    if whole is not None:
        rows = [row for row in render(whole) if row.page == page and row.kind != "head"]
    else:
        whole = replace(table, caption=caption)
        rows = render(whole)
    grid = lay_out(whole.rows)
    heads = min(whole.head_rows if whole.head_rows is not None else count_heads(grid), len(grid) - 1)
    last = [Cell(slot.cell.text if slot else "") for slot in grid[-1]]
    return [row.text for row in rows], replace(whole, rows=[*whole.rows[:heads], last], head_rows=heads)


def _heads_apart(cell: Run, columns: Sequence[tuple[float, float]]) -> list[Run]:
    """Heads that stand no further apart than words do, one for each column; the cell as it is when its words do not fit the columns.

    >>> head, columns = Run("Lifts (n) Share", 100, 190, 0, 10), [(110, 130), (165, 185)]
    >>> [run.text for run in _heads_apart(head, columns)]
    ['Lifts (n)', 'Share']
    """
    under = [column for column in columns if cell.left < column[1] and cell.right > column[0]]
    words = cell.text.split()
    if len(under) < 2 or len(words) < len(under):
        return [cell]
    middles = [(left + right) / 2 for left, right in under]
    step = (cell.right - cell.left) / max(1, width(cell.text))
    heads: list[Run] = []
    at = cell.left
    owners = []
    for word in words:
        end = at + step * width(word)
        owner = min(range(len(under)), key=lambda column: abs((at + end) / 2 - middles[column]))
        if owners and owner == owners[-1]:
            heads[-1] = replace(heads[-1], text=f"{heads[-1].text} {word}", right=end)
        else:
            heads.append(replace(cell, text=word, left=at, right=end))
            owners.append(owner)
        at = end + step
    fits = owners == list(range(len(under)))
    return (
        heads if fits and all(abs((h.left + h.right) / 2 - m) < 1.2 * cell.height for h, m in zip(heads, middles, strict=True)) else [cell]
    )


def _spans(cell: Run, columns: Sequence[tuple[float, float]]) -> bool:
    """Whether a head stands over the middle of all columns."""
    middle = (columns[0][0] + columns[-1][1]) / 2
    return abs((cell.left + cell.right) / 2 - middle) < 0.12 * (columns[-1][1] - columns[0][0])


def _columns(rows: Sequence[Sequence[Run]]) -> list[tuple[float, float]]:
    """(left, right) of the columns of a table behind its labels: the stretches that its figures, or else its cells, cover."""
    figures = [cell for row in rows for cell in row[1:] if is_number(cell.text)]
    most = max(len(row) for row in rows)
    cells = figures or [cell for row in rows if len(row) == most for cell in row[1:]]
    columns: list[list[float]] = []
    for cell in sorted(cells, key=lambda cell: cell.left):
        if columns and cell.left < columns[-1][1]:
            columns[-1][1] = max(columns[-1][1], cell.right)
        else:
            columns.append([cell.left, cell.right])
    return [(left, right) for left, right in columns]
