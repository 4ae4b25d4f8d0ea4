"""The few functions of PDFium that are called once a character or once an object, without the checks that take half of their time."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Calls:
    """They take addresses as `address` gives them, and give addresses."""

    unicode_of: Callable[[int, int], int]
    box_of: Callable[[int, int, int], int]
    text_object_of: Callable[[int, int], int | None]
    object_at: Callable[[int, int], int | None]
    kind_of: Callable[[int], int]
    render_mode_of: Callable[[int], int]
    fill_of: Callable[[int, int, int, int, int], int]


@lru_cache(maxsize=1)
def calls() -> Calls:
    """The functions, looked up on first use, since PDFium is imported only where a PDF is read."""
    from pypdfium2 import raw

    pointer, number = ctypes.c_void_p, ctypes.c_int

    def plain(function: Any, result: Any, *arguments: Any) -> Any:
        return ctypes.PYFUNCTYPE(result, *arguments)(ctypes.cast(function, pointer).value)

    return Calls(
        plain(raw.FPDFText_GetUnicode, ctypes.c_uint, pointer, number),
        plain(raw.FPDFText_GetLooseCharBox, number, pointer, number, pointer),
        plain(raw.FPDFText_GetTextObject, pointer, pointer, number),
        plain(raw.FPDFPage_GetObject, pointer, pointer, number),
        plain(raw.FPDFPageObj_GetType, number, pointer),
        plain(raw.FPDFTextObj_GetTextRenderMode, number, pointer),
        plain(raw.FPDFPageObj_GetFillColor, number, pointer, pointer, pointer, pointer, pointer),
    )


def address(handle: Any) -> int:
    """Where a handle of PDFium points."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def object_handle(where: int) -> Any:
    """The page object at an address, for the checked functions."""
    from pypdfium2 import raw

    return ctypes.cast(where, raw.FPDF_PAGEOBJECT)
