"""Runs of text on a page -> lines in reading order: columns one after the other, tables row by row with their header, footnotes apart.

Everything is judged by where the runs stand. What it gave up: tables whose cells hold running text side by side.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from rag.reading.cleanup import drop_control, page_number, width
from rag.reading.elements import Line

DIGITS = "0123456789"
RAISED_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
RAISED = str.maketrans(DIGITS, RAISED_DIGITS)
_NUMBER = re.compile(
    r"[($€£¥￥+\-–—−]*\s?[\d.,]*\d[\d.,]*\s?[)%％xX]*(?:\s?(?:bps|pts?|[万亿年月倍]|million|billion))?|[—–-]{1,3}|N/?[AM]\.?|NM"
)
_YEAR_CELL = re.compile(r"(?:FY)?\s?(?:19|20)\d\d[AEF年]?")
_MARK = re.compile(r"[$€£¥￥]|US\$|RMB")
_TAIL = re.compile(r"[)%％]+|pts?|bps|x")
_LEADERS = re.compile(r"(?:[.．…·]\s?){4,}")
_NOTE_MARK = re.compile(r"(?:\d{1,3}|[*†‡§①-⑳]|\[\d{1,3}\]|\(\d{1,3}\)|注\s?\d*[：:])\s?(?=\S)")


@dataclass(frozen=True, slots=True)
class Run:
    """Text on one baseline of a page, in points from the lower left corner."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    bold: bool = False

    @property
    def height(self) -> float:
        return self.top - self.bottom


@dataclass(frozen=True, slots=True)
class SetLine:
    """A line as it is set, before sizes are compared over all pages."""

    line: Line
    height: float
    bold: bool
    near: bool = False
    """Not further below the line before than lines of a heading are."""
    odd: int = 0
    """Characters without a meaning: private, unknown, or the name of a glyph."""


# ---------------------------------------------------------------------------------------------------------- one page: reading order


def lines_of_runs(runs: Sequence[Run], number: int, usual: float | None = None) -> list[SetLine]:
    """The lines of page `number` from top to bottom, columns one after the other, rows of a table with their header, footnotes last.

    `usual` is where the second column begins on other pages of the document, for a page that shows it too faintly by itself.
    """
    return laid_out(runs, number, usual)[0]


def laid_out(runs: Sequence[Run], number: int, usual: float | None) -> tuple[list[SetLine], float | None]:
    heights = [run.height for run in runs for _ in range(0, len(run.text), 4)]
    body = median(heights) if heights else 10.0
    rows = _baselines(runs)
    gutter = _gutter(rows, body)
    if gutter is None and usual is not None and _usual_parts(rows, usual, body):
        gutter = usual
    made: list[SetLine] = []
    for stretch in _stretches(rows, body, gutter):
        made += _notes_apart(_set_lines(stretch, body, number), body)
    made = _notes_apart(made, body)
    made.sort(key=lambda s: s.line.kind == "note")
    return made, gutter


def usual_gutter(gutters: dict[int, float], pages: Sequence[Sequence[SetLine]]) -> float | None:
    """The gutter that three tenths of the pages with text have, and two at least."""
    places = Counter(round(gutter / 3) for gutter in gutters.values())
    if not places:
        return None
    place = places.most_common(1)[0][0]
    near = [gutter for gutter in gutters.values() if abs(gutter - 3 * place) < 5]
    return median(near) if len(near) >= max(2, 0.3 * sum(bool(page) for page in pages)) else None


def _baselines(runs: Iterable[Run]) -> list[list[Run]]:
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
                part = _baselines([run for row in band for run in row if (run.right > edge) == on_right])
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
        cells = _cells(row, body)
        left, right = [cell for cell in cells if cell.right <= edge], [cell for cell in cells if cell.right > edge]
        figures = bool(left and right) and all(_is_number(cell.text) for cell in right) and _is_row(cells)
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
    pieces = [_joined(row, 0.55 * body) for row in rows]
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


def _joined(row: Sequence[Run], wide: float) -> list[Run]:
    """Runs of one row put together where no more than `wide` parts them."""
    pieces: list[Run] = []
    for run in row:
        last = pieces[-1] if pieces else None
        if last is None or run.left - last.right > wide:
            pieces.append(run)
            continue
        blank = " " if run.left - last.right > 0.2 * last.height and not last.text.endswith(" ") else ""
        longer = last if len(last.text) >= len(run.text) else run
        raised = run.height < 0.8 * last.height and run.bottom > last.bottom + 0.25 * last.height and run.text.isdecimal() and not blank
        pieces[-1] = Run(
            last.text + blank + (run.text.translate(RAISED) if raised else run.text),
            last.left,
            max(last.right, run.right),
            longer.bottom,
            longer.top,
            last.bold and run.bold,
        )
    return pieces


def _set_lines(rows: Rows, body: float, number: int) -> list[SetLine]:
    """The lines of one stretch; those of a table keep their header."""
    cells = [_cells(row, body) for row in rows]
    tables = dict(_tables(cells, body))
    made: list[SetLine] = []
    before: Run | None = None
    heads: _Heads = []
    at = 0
    while at < len(rows):
        if at in tables:
            found, heads = _table_rows(cells[at : tables[at]], heads)
            for text, run in found:
                made.append(_make(text, run, number, "row", False, False))
            at, before = tables[at], None
            continue
        line = _joined(rows[at], math.inf)[0]
        near = paragraph = False
        if before is not None:
            gap = before.bottom - line.top
            paragraph = gap > 0.9 * max(body, line.height) or gap < -2 * body or line.left > before.left + 1.2 * body
            near = -0.5 * body < gap < 1.1 * line.height
        made.append(_make(line.text, line, number, "", near, paragraph))
        before = line
        at += 1
    return made


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


# ------------------------------------------------------------------------------------------------------------------ one page: tables


def _cells(row: Sequence[Run], body: float) -> list[Run]:
    """The cells of a row: runs parted by a wide blank, and figures by any; currency marks go with the number behind them, signs with the
    one before."""
    cells: list[Run] = []
    held: list[Run] = []

    def close() -> None:
        if not held:
            return
        run = _joined(held, math.inf)[0]
        text, last = run.text.strip(), cells[-1] if cells else None
        held.clear()
        if last is not None and (_MARK.fullmatch(last.text.strip("( ")) or (_TAIL.fullmatch(text) and _NUMBER.fullmatch(last.text))):
            joined = last.text + ("" if _TAIL.fullmatch(text) or last.text.endswith(("$", "(", "¥", "€", "£")) else " ") + text
            cells[-1] = replace(last, text=joined, right=run.right, bold=last.bold and run.bold)
        else:
            cells.append(replace(run, text=text))

    for run in (piece for whole in row for piece in _figures_apart(whole)):
        if held:
            gap = run.left - held[-1].right
            figures = gap > 0.25 * body and _is_number(held[-1].text) and (_is_number(run.text) or _MARK.fullmatch(run.text) is not None)
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
    if len(parts) < 2 or not any(map(_MARK.fullmatch, parts)) or not all(_is_number(part) or _MARK.fullmatch(part) for part in parts):
        return [run]
    step, at, pieces = (run.right - run.left) / len(run.text), 0, []
    for part in parts:
        at = run.text.index(part, at)
        pieces.append(replace(run, text=part, left=run.left + step * at, right=run.left + step * (at + len(part))))
        at += len(part)
    return pieces


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and not _MARK.fullmatch(text)


def _tables(rows: Sequence[Sequence[Run]], body: float) -> Iterator[tuple[int, int]]:
    """(first row, row behind the last) of the tables in a stretch: three or more rows with figures under each other, or of three cells."""
    at = 0
    while at < len(rows):
        if not _is_row(rows[at]):
            at += 1
            continue
        end, gap, count = at, 0, 0
        probe = at
        while probe < len(rows) and gap <= 3:
            if _is_row(rows[probe]):
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
        if count >= 3 and not _is_contents(rows[at:end]):
            yield first, end
        at = end + 1 if end > at else at + 1


def _is_row(cells: Sequence[Run]) -> bool:
    if len(cells) < 2 or any(_LEADERS.search(cell.text) for cell in cells) or sum(len(cell.text) for cell in cells) > 240:
        return False
    numbers = sum(_is_number(cell.text) for cell in cells[1:])
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
    if not all(re.fullmatch(r"\d{1,4}", text) for text in last) or any(sum(_is_number(c.text) for c in row) > 1 for row in table):
        return False
    values = [int(text) for text in last]
    return sum(after >= before for before, after in zip(values, values[1:], strict=False)) >= 0.9 * (len(values) - 1)


_Heads = list[tuple[float, float, str]]
"""(left, right, head) of the columns of a table."""


def _table_rows(rows: Sequence[Sequence[Run]], above: _Heads) -> tuple[list[tuple[str, Run]], _Heads]:
    """Each row as "label | header: value | header: value", with the run that says where it stands; and the heads at its end.

    A table without heads of its own that goes on in the columns of the one above, behind a line of text, has its heads.
    """
    columns = _columns(rows)
    fits = len(above) == len(columns) and all(
        left < high and right > low for (left, right), (low, high, _) in zip(columns, above, strict=True)
    )
    heads = [head for _, _, head in above] if fits else [""] * len(columns)
    inherited = fits
    found: list[tuple[str, Run]] = []
    below = False  # rows of figures have begun
    held: Run | None = None  # a label that may go on in the next row
    for row in rows:
        if held is not None:
            goes_on = row[0].text[:1].islower() and not held.bold and row[0].left < held.left + 3 * held.height
            if goes_on and row[0].left < columns[0][0]:
                row = [replace(row[0], text=f"{held.text} {row[0].text}", left=held.left), *row[1:]]
            elif row[0].left > columns[0][0] - held.height and len(row) == len(columns) and _is_number(row[0].text):
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
            and not _is_number(row[0].text)
        ):
            held = row[0]
            continue
        label = [cell for cell in row if not columns or cell.right <= columns[0][0] + 1]
        values = [cell for cell in row if cell not in label]
        figures = [cell for cell in values if _is_number(cell.text) and not _YEAR_CELL.fullmatch(cell.text)]
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
    figures = [cell for row in rows for cell in row[1:] if _is_number(cell.text)]
    most = max(len(row) for row in rows)
    cells = figures or [cell for row in rows if len(row) == most for cell in row[1:]]
    columns: list[list[float]] = []
    for cell in sorted(cells, key=lambda cell: cell.left):
        if columns and cell.left < columns[-1][1]:
            columns[-1][1] = max(columns[-1][1], cell.right)
        else:
            columns.append([cell.left, cell.right])
    return [(left, right) for left, right in columns]
