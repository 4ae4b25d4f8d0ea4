"""XLS (Excel 97 to 2003) -> sheets, by xlrd, with its cells' formats, merged cells, comments and hidden sheets.

What it gave up: text boxes and charts, which xlrd does not give; formats of runs inside a cell.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control
from rag.reading.elements import Content, counted_notes
from rag.reading.formats.spreadsheet.number_format import shown
from rag.reading.formats.spreadsheet.tables import MAX_CELLS, MISSING, Sheet, Span, content_of
from rag.reading.table_heads import MAX_COLUMNS


def read_xls(path: Path, data: bytes) -> Content:
    """The sheets of an old workbook. Raises UnreadableFile."""
    import xlrd

    try:
        with Path(os.devnull).open("w") as nowhere:
            book = xlrd.open_workbook(file_contents=data, formatting_info=True, logfile=nowhere)
            left_out: Counter[str] = Counter()
            sheets = [_sheet(path, book, sheet, left_out) for sheet in book.sheets()]
    except xlrd.XLRDError as error:
        locked = "encrypted" in str(error).lower()
        reason = (
            "locked with a password; save an open copy" if locked else f"not an XLS workbook that can be read ({error}); save it as .xlsx"
        )
        raise UnreadableFile(path, reason) from error
    except UnreadableFile:
        raise
    except MemoryError:
        raise
    except Exception as error:  # xlrd raises almost anything over a damaged file
        raise UnreadableFile(path, f"damaged ({type(error).__name__}); save it as .xlsx") from error
    return content_of(sheets, notes=counted_notes(left_out))


def _sheet(path, book, sheet, left_out: Counter[str]) -> Sheet:
    import xlrd

    rows: dict[int, dict[int, str]] = {}
    cells = 0
    for number in range(sheet.nrows):
        row = {}
        for column, cell in enumerate(sheet.row(number)[:MAX_COLUMNS]):
            if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
                continue
            look = book.xf_list[cell.xf_index]
            if book.font_list[look.font_index].struck_out:
                left_out["struck-out cells left out"] += 1
                row[column] = MISSING
                continue
            if cell.ctype == xlrd.XL_CELL_TEXT:
                text = cell.value
            elif cell.ctype == xlrd.XL_CELL_BOOLEAN:
                text = "TRUE" if cell.value else "FALSE"
            elif cell.ctype == xlrd.XL_CELL_ERROR:
                text = xlrd.error_text_from_code.get(cell.value, "#ERROR")
            else:
                text = shown(cell.value, book.format_map[look.format_key].format_str, book.datemode == 1)
            if text := drop_control(text).strip():
                row[column] = text
        if row:
            rows[number] = row
            cells += len(row)
            if cells > MAX_CELLS:
                raise UnreadableFile(path, f"over {MAX_CELLS:,} filled cells; split it and index the parts")
    left_out["hidden rows, read too"] += sum(bool(info.hidden) for number, info in sheet.rowinfo_map.items() if number in rows)
    used = {column for row in rows.values() for column in row}
    left_out["hidden columns, read too"] += sum(bool(info.hidden) for column, info in sheet.colinfo_map.items() if column in used)
    hidden = sheet.visibility != 0
    left_out["hidden sheets, read and marked"] += hidden and bool(rows)
    spans = [Span(top, left, bottom - 1, right - 1) for top, bottom, left, right in sheet.merged_cells]
    remarks = [
        f"{xlrd.formula.cellname(*place)}: {drop_control(note.text).strip()}"
        for place, note in sorted(sheet.cell_note_map.items())
        if note.text.strip()
    ]
    return Sheet(sheet.name, rows, spans, hidden, remarks)
