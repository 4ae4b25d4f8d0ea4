"""What is laid over a page or attached to the file: form fields with what is filled in, text boxes and comments of readers, other files."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from rag.reading.cleanup import HAN, drop_control, join_lines
from rag.reading.pdf.runs import Run
from rag.reading.pdf.sight import Rectangle

MAX_MARKS = 5_000
"""On one page."""
_HIDDEN = 2 | 32
"""Annotation flags: hidden, not to be viewed."""
_PASSWORD = 1 << 13
"""Field flag: shown as asterisks."""
_TICKED, _UNTICKED = "☒", "☐"
_LINE = 12.0
"""Points: the highest line that is set in a field by itself."""
_NAMELESS = re.compile(r"(?:\w*\.)*(?:undefined|text|field|textfield|fill|check ?box|untitled|topmostsubform|page)?[\W_\d]*", re.I)


@dataclass(slots=True)
class Marks:
    """What is laid over one page."""

    runs: list[Run] = field(default_factory=list)
    """What people see there as text: values of fields, boxes with text."""
    comments: list[str] = field(default_factory=list)
    """What people see when they point at a mark."""


def marks_on(page: Any, forms: Any) -> Marks:
    """The marks of a page; `forms` is the file's form environment, if it has one."""
    from pypdfium2 import raw

    found = Marks()
    comment_kinds = (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT)
    for at in range(min(raw.FPDFPage_GetAnnotCount(page.raw), MAX_MARKS)):
        mark = raw.FPDFPage_GetAnnot(page.raw, at)
        if not mark:
            continue
        try:
            kind, box = raw.FPDFAnnot_GetSubtype(mark), _box(mark)
            if raw.FPDFAnnot_GetFlags(mark) & _HIDDEN:
                continue
            if kind == raw.FPDF_ANNOT_WIDGET and forms is not None:
                found.runs += _field_runs(mark, forms.raw, box)
            elif kind == raw.FPDF_ANNOT_FREETEXT:
                found.runs += _runs_in(box, _string(raw.FPDFAnnot_GetStringValue, mark, b"Contents"), entry=False)
            elif kind not in comment_kinds and (said := _string(raw.FPDFAnnot_GetStringValue, mark, b"Contents").strip()):
                found.comments.append(_comment(said, _string(raw.FPDFAnnot_GetStringValue, mark, b"T").strip()))
        finally:
            raw.FPDFPage_CloseAnnot(mark)
    return found


def _field_runs(mark: Any, forms: Any, box: Rectangle) -> list[Run]:
    from pypdfium2 import raw

    kind = raw.FPDFAnnot_GetFormFieldType(forms, mark)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        left, bottom, right, top = box
        return [Run(_TICKED if raw.FPDFAnnot_IsChecked(forms, mark) else _UNTICKED, left, right, bottom, top)]
    shown = (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)
    if kind not in shown or raw.FPDFAnnot_GetFormFieldFlags(forms, mark) & _PASSWORD:
        return []
    value = _string(raw.FPDFAnnot_GetFormFieldValue, forms, mark)
    name = _string(raw.FPDFAnnot_GetFormFieldAlternateName, forms, mark) or _string(raw.FPDFAnnot_GetFormFieldName, forms, mark)
    return _runs_in(box, value, entry=True, name="" if _NAMELESS.fullmatch(name) else name.strip())


def _runs_in(box: Rectangle, text: str, entry: bool, name: str = "") -> list[Run]:
    """A text in a box as one run at its top; a single line stands in the middle of its height."""
    left, bottom, right, top = box
    lines = [line for line in map(str.strip, drop_control(text.replace("\r", "\n")).split("\n")) if line]
    if not lines:
        return []
    height = min(_LINE, max(top - bottom, 1.0) / len(lines))
    above = top - ((top - bottom) - height) / 2 if len(lines) == 1 else top
    whole = reduce(join_lines, lines)
    end = min(right, left + 0.5 * height * len(whole))
    return [Run(whole, left, max(end, left + 1), above - height, above, entry=entry, name=name)]


def _comment(said: str, who: str) -> str:
    """A comment in one line, with who wrote it.

    >>> _comment("Check this.", "Ann"), _comment("请核对", "")
    ('Comment (Ann): Check this.', '批注：请核对')
    """
    said, who = (" ".join(drop_control(text.replace("\r", " ").replace("\n", " ")).split()) for text in (said, who))
    if re.search(f"[{HAN}]", said):
        return f"批注{f'（{who}）' if who else ''}：{said}"
    return f"Comment{f' ({who})' if who else ''}: {said}"


def attachments(pdf: Any) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name, how to get what is in it) of each file that is attached to a PDF."""
    for at in range(min(pdf.count_attachments(), MAX_MARKS)):
        file = pdf.get_attachment(at)
        yield drop_control(file.get_name()).strip() or f"attachment {at + 1}", lambda file=file: bytes(file.get_data())


def _box(mark: Any) -> Rectangle:
    from pypdfium2 import raw

    box = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(mark, box)
    return min(box.left, box.right), min(box.bottom, box.top), max(box.left, box.right), max(box.bottom, box.top)


def _string(function: Callable[..., int], *arguments: Any) -> str:
    """A text that PDFium writes as UTF-16 into a buffer of the size that it asks for."""
    size = function(*arguments, None, 0)
    if not 2 < size < 2_000_000:
        return ""
    buffer = (ctypes.c_ushort * ((size + 1) // 2))()
    function(*arguments, buffer, size)
    return bytes(buffer).decode("utf-16-le", "replace").split("\0")[0]
