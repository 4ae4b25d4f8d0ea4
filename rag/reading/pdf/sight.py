"""What a reader of the page sees: not what lies outside its box, is drawn invisibly, or has the colour of what is behind it."""

from __future__ import annotations

import ctypes
from typing import Any

from rag.reading.pdf.pdfium import address, calls, object_handle

_INVISIBLE = 3
"""Text render mode: neither filled nor stroked."""
_WHITE = 245
"""Of 255, in each colour: from here on text needs something darker behind it."""
_CONTRAST = 24
"""Of 255, between the lightest and the darkest pixel where a character stands, for it to be seen."""
_SCAN = 0.5
"""Share of a page that its pictures cover when its invisible text is what was recognised on them."""
_MARGIN = 1.0
"""Points by which the middle of a character may lie outside the box of the page."""

Rectangle = tuple[float, float, float, float]
"""(left, bottom, right, top) in points."""


def visible_box(page: Any) -> Rectangle:
    """The part of the page that is shown: its crop box inside its media box."""
    left, bottom, right, top = page.get_mediabox()
    crop = page.get_cropbox()
    box = max(left, crop[0]), max(bottom, crop[1]), min(right, crop[2]), min(top, crop[3])
    shown = box if box[0] < box[2] and box[1] < box[3] else (left, bottom, right, top)
    return shown[0] - _MARGIN, shown[1] - _MARGIN, shown[2] + _MARGIN, shown[3] + _MARGIN


class Sight:
    """Tells whether the text objects of a page are seen; each is judged once."""

    def __init__(self, page: Any, textpage: Any):
        self._page = page
        self._textpage = address(textpage.raw)
        self._seen: dict[int, bool] = {}
        self._pixels: Any = None
        self._scanned: bool | None = None
        self._calls = calls()
        self._fill = (ctypes.c_uint * 4)()
        self._fill_at = [ctypes.addressof(self._fill) + part * ctypes.sizeof(ctypes.c_uint) for part in range(4)]

    def sees(self, at: int, left: float, bottom: float, right: float, top: float) -> bool:
        """Whether the character at a place of the text, which stands in this box, is seen."""
        found = self._calls.text_object_of(self._textpage, at)
        if not found:
            return True
        seen = self._seen.get(found)
        if seen is None:
            seen = self._seen[found] = self._is_seen(found, (left, bottom, right, top))
        return seen

    def _is_seen(self, found: int, box: Rectangle) -> bool:
        mode = self._calls.render_mode_of(found)
        if mode == _INVISIBLE:
            return self._is_scan()
        if mode != 0 or not self._calls.fill_of(found, *self._fill_at):
            return True
        red, green, blue, opaque = self._fill
        if opaque == 0:
            return self._is_scan()
        return red < _WHITE or green < _WHITE or blue < _WHITE or self._stands_out(box)

    def _is_scan(self) -> bool:
        """Whether pictures cover most of the page, so that its invisible text is what they show."""
        from pypdfium2 import raw

        if self._scanned is None:
            width, height = self._page.get_size()
            covered = 0.0
            for at in range(raw.FPDFPage_CountObjects(self._page.raw)):
                found = calls().object_at(address(self._page.raw), at)
                if found and calls().kind_of(found) == raw.FPDF_PAGEOBJ_IMAGE:
                    left, bottom, right, top = bounds(object_handle(found))
                    covered += max(0.0, right - left) * max(0.0, top - bottom)
            self._scanned = covered > _SCAN * width * height
        return self._scanned

    def _stands_out(self, box: Rectangle) -> bool:
        """Whether the page, drawn small, shows more than one colour where a white character stands."""
        from pypdfium2 import raw

        if self._pixels is None:
            self._pixels = self._page.render(scale=min(1.0, 1500 / max(*self._page.get_size(), 1.0)), grayscale=True).to_numpy()
        height, width = self._pixels.shape[:2]
        x, y = ctypes.c_int(), ctypes.c_int()
        corners = []
        for point in ((box[0], box[3]), (box[2], box[1])):
            raw.FPDF_PageToDevice(self._page.raw, 0, 0, width, height, 0, *point, x, y)
            corners.append((x.value, y.value))
        (left, top), (right, bottom) = (tuple(map(min, *corners)), tuple(map(max, *corners)))
        part = self._pixels[max(top, 0) : bottom + 1, max(left, 0) : right + 1]
        return part.size == 0 or int(part.max()) - int(part.min()) >= _CONTRAST


def bounds(handle: Any) -> Rectangle:
    """The box of a page object."""
    from pypdfium2 import raw

    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    raw.FPDFPageObj_GetBounds(handle, left, bottom, right, top)
    return left.value, bottom.value, right.value, top.value
