"""CSV and TSV -> one sheet: the delimiter by what parts the lines alike, values as they stand."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control
from rag.reading.elements import Content, counted_notes
from rag.reading.formats.encoding import decode
from rag.reading.formats.spreadsheet.tables import CUT_ROWS, MAX_CELLS, Sheet, content_of
from rag.reading.table_heads import MAX_COLUMNS

_SAMPLE = 50
_LONGEST_FIELD = 1_000_000


def read_delimited(path: Path, data: bytes) -> Content:
    """The rows of a CSV or TSV file. Raises UnreadableFile."""
    text = decode(data, path)
    lines, _, rest = text.partition("\n")
    told = lines.strip().lower()
    if told.startswith("sep=") and len(told) <= 5:  # a line that only tells spreadsheet programs the delimiter
        text, delimiter = rest, lines.strip()[4:] or "\t"
    else:
        delimiter = "\t" if path.suffix.lower() == ".tsv" and "\t" in text else delimiter_of(text)
    rows: dict[int, dict[int, str]] = {}
    cells = wide = 0
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        for number, fields in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)):
            row = {column: value for column, field in enumerate(fields[:MAX_COLUMNS]) if (value := drop_control(field).strip())}
            wide += len(fields) > MAX_COLUMNS
            if row:
                rows[number] = row
                cells += len(row)
            if cells > MAX_CELLS:
                raise UnreadableFile(path, f"over {MAX_CELLS:,} filled cells; split it and index the parts")
    except csv.Error as error:
        raise UnreadableFile(path, f"not a table that can be read ({error}); save it anew as CSV") from error
    return content_of([Sheet("", rows)], notes=counted_notes({CUT_ROWS: wide}))


def delimiter_of(text: str) -> str:
    r"""The mark that parts most lines into as many fields.

    >>> delimiter_of("a;b;c\n1,5;2;3"), delimiter_of("a\tb\n1\t2"), delimiter_of('x,y\n"1;2;3",4'), delimiter_of("one word")
    (';', '\t', ',', ',')
    """
    best, most = ",", (0.0, 0)
    lines = text.split("\n", _SAMPLE)[:_SAMPLE]
    for delimiter in ",;\t|":
        try:
            widths = [len(fields) for fields in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter) if len(fields) > 1]
        except csv.Error:
            continue
        if widths:
            usual = max(sorted({*widths}), key=widths.count)
            score = widths.count(usual) / max(len(lines), 1), usual
            best, most = (delimiter, score) if score > most else (best, most)
    return best
