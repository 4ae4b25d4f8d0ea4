"""Rows of a CSV or XLSX file as plain dictionaries of text, and back: what people who live in spreadsheets bring and take away.

Gives up types, formulas and more than the first sheet. What is written can hold text of strangers, so no cell begins a formula.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.errors import UsageError

SUFFIXES = (".csv", ".tsv", ".xlsx")
MOST_UNPACKED = 500_000_000
"""Bytes that the parts of an XLSX file may unpack to: more is no table of questions."""
LONGEST_CELL = 32_767
"""Characters that a spreadsheet keeps in one cell."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*%?")


def is_table(path: Path | str) -> bool:
    """Whether the name is that of a table: .csv, .tsv or .xlsx."""
    return str(path).lower().endswith(SUFFIXES)


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows under the first one, which names the columns; empty rows and unnamed columns are left out, cells are stripped text.

    CSV may be UTF-8 or GB 18030, with comma, semicolon or tab. Raises UsageError for a file that cannot be read or names no column.
    """
    try:
        rows = _read_xlsx(path) if path.suffix.lower() == ".xlsx" else _read_csv(path)
        names = [cell.strip() for cell in next(iter(rows), [])]
    except UsageError:
        raise
    except Exception as error:  # a damaged archive raises almost anything
        raise UsageError(f"{path} cannot be read as a table: {error or type(error).__name__}; save it anew as CSV or XLSX") from error
    if not any(names):
        raise UsageError(f"{path} has no first row with the names of its columns: add one, such as question")
    if repeated := sorted({name for name in names if name and names.count(name) > 1}):
        raise UsageError(f"{path} has two columns named {repeated[0]!r}: rename one")
    found = [{name: cell.strip() for name, cell in zip(names, row, strict=False) if name} for row in rows[1:]]
    return [row for row in found if any(row.values())]


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes a CSV or XLSX file whole: a reader sees the old file or the new one. Raises UsageError when it cannot be written."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        if path.suffix.lower() == ".xlsx":
            _write_xlsx(partial, columns, rows)
        else:
            with partial.open("w", encoding="utf-8-sig", newline="") as file:  # the mark tells spreadsheets that it is UTF-8
                writer = csv.writer(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", lineterminator="\r\n")
                writer.writerow([_harmless(column) for column in columns])
                writer.writerows([_harmless(_cell(row.get(column))) for column in columns] for row in rows)
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _read_csv(path: Path) -> list[list[str]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is neither UTF-8 nor GB 18030: save it anew as UTF-8") from error
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    before = csv.field_size_limit(10_000_000)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    finally:
        csv.field_size_limit(before)


def _read_xlsx(path: Path) -> list[list[str]]:
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    if unpacked > MOST_UNPACKED:
        raise UsageError(f"{path} unpacks to {unpacked:,} bytes, more than {MOST_UNPACKED:,}: save the questions alone")
    book = load_workbook(path, read_only=True, data_only=True)
    try:
        return [[_shown(value) for value in row] for row in book.worksheets[0].iter_rows(values_only=True)]
    finally:
        book.close()


def _write_xlsx(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("answers")
    for values in ([*columns], *([_cell(row.get(column)) for column in columns] for row in rows)):
        cells = []
        for value in values:
            cell = WriteOnlyCell(sheet, value=_UNPRINTABLE.sub("", value)[:LONGEST_CELL])
            cell.data_type = "s"  # never a formula
            cells.append(cell)
        sheet.append(cells)
    with path.open("wb") as file:
        book.save(file)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: one that begins like it gets an apostrophe, unless it is a number."""
    text = _UNPRINTABLE.sub("", text)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
