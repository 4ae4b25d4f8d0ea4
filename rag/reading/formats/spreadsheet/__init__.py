"""Spreadsheets as reports: XLSX, XLS, CSV and TSV to sheets, the tables of a sheet found, values as people see them."""

from __future__ import annotations

from pathlib import Path

from rag.reading.elements import Content


def read_spreadsheet(path: Path, data: bytes) -> Content:
    """The sheets of a file, by its suffix. What is called .xls may be text, a web page or an XLSX inside. Raises UnreadableFile."""
    if path.suffix.lower() in (".csv", ".tsv"):
        from rag.reading.formats.spreadsheet.delimited import read_delimited

        return read_delimited(path, data)
    if data.startswith(b"PK"):
        from rag.reading.formats.spreadsheet.xlsx import read_xlsx

        return read_xlsx(path, data)
    if data.startswith(b"\xd0\xcf\x11\xe0") or data[:2] == b"\x09\x08":
        from rag.reading.formats.spreadsheet.xls import read_xls

        return read_xls(path, data)
    if b"<" in data[:200].lstrip()[:3] or b"<html" in data[:2000].lower():  # many programs export a page under this name
        from rag.reading.formats.html import read_html

        return read_html(path, data)
    from rag.reading.formats.spreadsheet.delimited import read_delimited

    return read_delimited(path, data)
