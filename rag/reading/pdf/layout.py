"""Runs of text on a page -> lines in reading order: columns one after the other, tables row by row with their header, footnotes apart.

Everything is judged by where the runs stand. What it gave up: tables whose cells hold running text side by side.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

from rag.reading.cleanup import drop_control, page_number
from rag.reading.elements import Line
from rag.reading.pdf.runs import Run, SetLine, join_runs
from rag.reading.pdf.tables import Heads, cells_of, is_number, is_row, is_top, table_rows, tables_in, told
from rag.reading.table_grid import Table

_ASIDE = 3
"""Rows that may stand between a table and the turn of the page: running heads and feet, page numbers."""
_NOTE_MARK = re.compile(r"(?:\d{1,3}|[*†‡§①-⑳]|\[\d{1,3}\]|\(\d{1,3}\)|注\s?\d*[：:])\s?(?=\S)")

# ---------------------------------------------------------------------------------------------------------- one page: reading order


@dataclass(frozen=True, slots=True)
class Above:
    """The table with which a page ends, which may go on on the next one."""

    heads: Heads = field(default_factory=list)
    """Of a table without lines: where its columns stand, and their heads."""
    table: Table | None = None
    """A ruled table, with its heads and its last row."""
    page: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """A page in lines."""

    lines: list[SetLine]
    gutter: float | None
    """Where its second column begins."""
    below: Above


def lines_of_runs(runs: Sequence[Run], number: int, usual: float | None = None) -> list[SetLine]:
    """The lines of page `number` from top to bottom, columns one after the other, rows of a table with their header, footnotes last.

    `usual` is where the second column begins on other pages of the document, for a page that shows it too faintly by itself.
    """
    return laid_out(runs, number, usual).lines


def laid_out(runs: Sequence[Run], number: int, usual: float | None = None, above: Above | None = None) -> Layout:
    """The same with the gutter, and the table at the foot; `above` is that of the page before."""
    heights = [run.height for run in runs for _ in range(0, len(run.text), 4)]
    body = median(heights) if heights else 10.0
    rows = baselines(runs)
    gutter = _gutter(rows, body)
    if gutter is None and usual is not None and _usual_parts(rows, usual, body):
        gutter = usual
    made: list[SetLine] = []
    carried = above or Above()
    for stretch in _stretches(rows, body, gutter):
        lines, carried = _set_lines(stretch, body, number, carried)
        made += _notes_apart(lines, body)
    made = _notes_apart(made, body)
    made.sort(key=lambda s: s.line.kind == "note")
    return Layout(made, gutter, carried)


def usual_gutter(gutters: dict[int, float], pages: Sequence[Sequence[SetLine]]) -> float | None:
    """The gutter that three tenths of the pages with text have, and two at least."""
    places = Counter(round(gutter / 3) for gutter in gutters.values())
    if not places:
        return None
    place = places.most_common(1)[0][0]
    near = [gutter for gutter in gutters.values() if abs(gutter - 3 * place) < 5]
    return median(near) if len(near) >= max(2, 0.3 * sum(bool(page) for page in pages)) else None


def baselines(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs gathered to rows that share most of their height, rows from top to bottom, runs from left to right.

    A drop capital goes with the first of the lines that it reaches over.
    """
    capitals, others = _drop_capitals(list(runs))
    rows: list[list[Run]] = []
    for run in sorted(others, key=lambda run: (-run.top, run.left)):
        for row in reversed(rows[-4:]):
            shared = min(run.top, row[0].top) - max(run.bottom, row[0].bottom)
            if shared > 0.5 * min(run.height, row[0].height):
                row.append(run)
                break
        else:
            rows.append([run])
    for capital, beside in capitals:
        row = next(row for row in rows if beside in row)
        row.append(replace(beside, text=capital.text, left=capital.left, right=beside.left))
    return [sorted(row, key=lambda run: run.left) for row in rows]


def _drop_capitals(runs: list[Run]) -> tuple[list[tuple[Run, Run]], list[Run]]:
    """((capital, the first line beside it) of each drop capital, the other runs): one large letter with two lines or more on its right.

    >>> large, lines = Run("T", 0, 20, 0, 30), [Run("he ships wait", 22, 90, 18, 28), Run("for the tide", 22, 90, 4, 14)]
    >>> [(capital.text, beside.text) for capital, beside in _drop_capitals([large, *lines])[0]]
    [('T', 'he ships wait')]
    """
    usual = median(run.height for run in runs) if runs else 0.0
    found = []
    for run in runs:
        if len(run.text) == 1 and run.text.isalpha() and run.height > 1.8 * usual:
            beside = [
                other
                for other in runs
                if other is not run
                and other.height < 0.7 * run.height
                and -0.1 * run.height < other.left - run.right < 0.8 * run.height
                and run.bottom - 0.1 * run.height < (other.bottom + other.top) / 2 < run.top + 0.1 * run.height
            ]
            if len(beside) >= 2:
                found.append((run, max(beside, key=lambda other: other.top)))
    capitals = [capital for capital, _ in found]
    return found, [run for run in runs if run not in capitals]


Rows = list[list[Run]]


def _stretches(rows: Rows, body: float, edge: float | None, depth: int = 0) -> list[Rows]:
    """Rows in stretches to read one after the other: where a gutter parts the page, first all of its left, then all of its right."""
    if edge is None:
        return [rows] if rows else []
    result: list[Rows] = []
    whole: Rows = []
    band: Rows = []  # rows that the gutter parts, since the last one that runs across it

    def close() -> None:
        nonlocal whole, band
        if len(band) < 2:  # a blank between two words of a whole line that happens to stand there
            whole += band
        else:
            if whole:
                result.append(whole)
            whole = []
            for on_right in (False, True):
                part = baselines([run for row in band for run in row if (run.right > edge) == on_right])
                result.extend(_stretches(part, body, _gutter(part, body) if depth < 3 else None, depth + 1))
        band = []

    wide = _wide_rows(rows, edge, body)
    for at, row in enumerate(rows):
        if at in wide or any(_crosses(run, edge, body) for run in row) or _is_centred(row, edge, rows, body):
            close()
            whole.append(row)
        else:
            band.append(row)
    close()
    if whole:
        result.append(whole)
    return result


def _crosses(run: Run, edge: float, body: float) -> bool:
    return run.left < edge - 0.6 * body and run.right > edge - 0.2 * body


def _wide_rows(rows: Rows, edge: float, body: float) -> set[int]:
    """Positions of the rows of a table that lies across the gutter: two or more below each other, so that a lone mark is none.

    Nothing but figures stands on their right, or cells on both sides of which none begins where the right column does.
    """
    likely = []
    for row in rows:
        cells = cells_of(row, body)
        left, right = [cell for cell in cells if cell.right <= edge], [cell for cell in cells if cell.right > edge]
        figures = bool(left and right) and all(is_number(cell.text) for cell in right) and is_row(cells)
        across = len(left) >= 2 and len(right) >= 2 and all(abs(cell.left - edge) > 2.5 for cell in right)
        likely.append(figures or across)
    return {at for at, row in enumerate(likely) if row and (at and likely[at - 1] or at + 1 < len(likely) and likely[at + 1])}


def _usual_parts(rows: Rows, edge: float, body: float) -> bool:
    """Whether the gutter of other pages parts this page too: both sides hold lines that keep apart, and few run across."""
    wide = _wide_rows(rows, edge, body)
    across = begin = close = left = 0
    for at, row in enumerate(rows):
        if at in wide:
            continue
        if any(_crosses(run, edge, body) for run in row):
            across += 1
            continue
        sides = [run for run in row if run.right <= edge], [run for run in row if run.right > edge]
        begin += bool(sides[1]) and -2.5 < sides[1][0].left - edge < 3 * body
        left += bool(sides[0])
        close += bool(sides[0]) and sides[0][-1].right > edge - 0.4 * body
    return begin >= 3 and left >= 3 and across <= begin and close <= 1 + 0.1 * left


def _is_centred(row: Sequence[Run], edge: float, rows: Rows, body: float) -> bool:
    """A short row in the middle of the page, such as a page number, that lies beside the gutter but in neither column's place."""
    if len(row) > 1 or row[0].right - row[0].left > 12 * body:
        return False
    lefts, rights = [run.left for other in rows for run in other], [run.right for other in rows for run in other]
    middle = (min(lefts) + max(rights)) / 2
    slack = 2.5 if page_number(row[0].text) is not None else 0.5  # a page number stands in the middle of the sheet, not of the text
    centred = abs((row[0].left + row[0].right) / 2 - middle) < slack * body
    return centred and (row is rows[0] or row is rows[-1])


def _gutter(rows: Rows, body: float) -> float | None:
    """The left edge of a second column of running text, if there is one: an edge at which many lines begin and that few others cross."""
    if len(rows) < 6:
        return None
    pieces = [join_runs(row, 0.55 * body) for row in rows]
    start = min(row[0].left for row in pieces)
    end = max(run.right for row in pieces for run in row)
    lefts = Counter(
        round(run.left) for row in pieces for run in row if start + 0.15 * (end - start) < run.left < end - 0.12 * (end - start)
    )
    best, best_score = None, 0
    for edge, _ in lefts.most_common(12):
        near = sum(count for left, count in lefts.items() if abs(left - edge) <= 1)
        if near < 5:
            continue
        score = _parted(pieces, edge - 0.5, start, end, body)
        if score > best_score:
            best, best_score = edge - 0.5, score
    return best


def _parted(pieces: Rows, edge: float, start: float, end: float, body: float) -> int:
    """Characters on the poorer side of an edge, where both sides read like columns of running text; else 0."""
    sides: tuple[Rows, Rows] = ([], [])
    crossing = 0
    for row in pieces:
        if any(_crosses(run, edge, body) for run in row):
            crossing += sum(len(run.text) for run in row)
            continue
        for right, side in enumerate(sides):
            part = [run for run in row if (run.right > edge) == bool(right)]
            if part:
                side.append(part)
    counts = [sum(len(run.text) for row in side for run in row) for side in sides]
    if min(counts) < 90 or min(map(len, sides)) < 4 or crossing > 1.6 * sum(counts):
        return 0
    for side, room in ((sides[0], edge - start), (sides[1], end - edge)):
        text = "".join(run.text for row in side for run in row)
        if room < 9 * body or sum(character.isdigit() for character in text) > 0.3 * len(text):
            return 0
        wide = sum(
            len(run.text)
            for row in side
            if row[-1].right - row[0].left > 0.55 * room
            and all(after.left - before.right < 2.5 * body for before, after in zip(row, row[1:], strict=False))
            for run in row
        )
        if wide < 0.55 * len(text):
            return 0
    # A gutter stays open all the way: beside each other, the two sides keep apart; but for a page number, say.
    close = sum(row[-1].right > edge - 0.4 * body for row in sides[0])
    return min(counts) if close <= 1 + 0.04 * len(sides[0]) else 0


def _set_lines(rows: Rows, body: float, number: int, above: Above) -> tuple[list[SetLine], Above]:
    """The lines of one stretch, and the table at its foot; rows of a table keep their heads, also over the turn of a page."""
    made: list[SetLine] = []
    plain: Rows = []
    for row in [*rows, None]:
        tables = [run for run in row if run.table is not None] if row is not None else []
        if row is not None and not tables:
            plain.append(row)
            continue
        lines, heads = _text_lines(plain, body, number, above.heads)
        if plain:
            above = Above(heads, above.table if len(plain) <= _ASIDE else None, above.page)
        made, plain = made + lines, []
        for run in tables:
            over = made[-1].line.text if made and len(made[-1].line.text) <= 120 else ""
            texts, below = told(run.table, over, above.table if above.page < number else None, number)
            made += [_make(text, replace(run, top=run.bottom + body), number, "row", False, False) for text in texts]
            above = Above([], below, number)
        beside = [run for run in row or () if run.table is None]
        if tables and beside:
            lines, heads = _text_lines(baselines(beside), body, number, [])
            made += lines
    return made, above


def _text_lines(rows: Rows, body: float, number: int, above: Heads) -> tuple[list[SetLine], Heads]:
    """Rows without ruled tables as lines, and the heads of the table that stands at their foot."""
    cells = [cells_of(row, body) for row in rows]
    tables = dict(tables_in(cells, body, above))
    made: list[SetLine] = []
    before: Run | None = None
    heads, at, since = above, 0, 0
    while at < len(rows):
        if at in tables:
            if since == at and not is_top(cells[:at]):
                heads = []  # too far from what stands on the page before
            found, heads = table_rows(cells[at : tables[at]], heads)
            for text, run in found:
                made.append(_make(text, run, number, "row", False, False))
            at, before, since = tables[at], None, 0
            continue
        line = join_runs(rows[at], math.inf)[0]
        near = paragraph = False
        if before is not None:
            gap = before.bottom - line.top
            paragraph = gap > 0.9 * max(body, line.height) or gap < -2 * body or line.left > before.left + 1.2 * body
            near = -0.5 * body < gap < 1.1 * line.height
        filled = any(run.entry for run in rows[at])
        made.append(_make(_filled(rows[at]) if filled else line.text, line, number, "row" if filled else "", near, paragraph))
        before = line
        at, since = at + 1, since + 1
    return made, heads if since <= _ASIDE else []


def _filled(row: Sequence[Run]) -> str:
    """A row of a form: each value behind its label, or else behind the name of its field.

    >>> _filled([Run("Applicant:", 0, 50, 0, 10), Run("Larch Works", 60, 120, 0, 10, entry=True)])
    'Applicant: Larch Works'
    """
    parts: list[str] = []
    label = ""
    for run in row:
        if not run.entry:
            label = f"{label} {run.text}".strip()
            continue
        name = (label or run.name).rstrip(":： ")
        parts.append(f"{name}: {run.text}" if name else run.text)
        label = ""
    return " | ".join([*parts, *([label] if label else [])])


def _make(text: str, run: Run, number: int, kind: Literal["", "row"], near: bool, paragraph: bool) -> SetLine:
    whole = re.sub(r"\s+", " ", text).strip()
    clean = drop_control(whole).strip()
    odd = sum(unicodedata.category(character) in ("Co", "Cn") for character in whole) if not whole.isascii() else 0
    odd += whole.count("\ufffd") + 6 * len(re.findall(r"\(cid:\d+\)", whole))
    return SetLine(Line(clean, False, number - 1, number, paragraph, 0, kind), run.height, run.bold, near, odd)


def _notes_apart(made: list[SetLine], body: float) -> list[SetLine]:
    """Lines of small type at the foot of a stretch that open with a mark are footnotes; they stand behind everything else of the page."""
    kinds = [s.line.kind for s in made]
    at = len(made)
    while at > 0 and not kinds[at - 1] and (made[at - 1].height < 0.9 * body or page_number(made[at - 1].line.text) is not None):
        at -= 1
    opened, marked = False, []
    for position in range(at, len(made)):
        opened = opened or bool(_NOTE_MARK.match(made[position].line.text)) and page_number(made[position].line.text) is None
        small = made[position].height < 0.9 * body and page_number(made[position].line.text) is None
        if opened and small and len(made[position].line.text) > 3:
            marked.append(position)
    if not marked or marked[0] == 0:
        return made
    return [replace(s, line=replace(s.line, kind="note")) if position in marked else s for position, s in enumerate(made)]
