"""The characters of a page, as PDFium gives them -> runs of text."""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rag.reading.pdf.pdfium import address, calls
from rag.reading.pdf.runs import RAISABLE, RAISED, RAISED_DIGITS, Run
from rag.reading.pdf.sight import Rectangle, Sight, visible_box

MAX_CHARACTERS = 100_000
"""On one page."""
SAMPLED_PAGES, SAMPLED_EVERY = 24, 20
"""About so many pages, and one in so many of their characters, tell which fonts a file is set in."""
HEAVIEST = 1000
"""Of the weights that fonts can have."""
_LINE_END_HYPHEN = 2
"""What PDFium gives for the hyphen that ends a line."""
_BOLD_NAME = re.compile(rb"bold|black|heavy|SimHei|STHei", re.IGNORECASE)


@dataclass(slots=True)
class Glyphs:
    """The text of a page as runs, and how much of it a reader does not see."""

    runs: list[Run] = field(default_factory=list)
    whole: bool = True
    """Whether it was read to its end."""
    outside: int = 0
    """Characters outside the box of the page, left out."""
    hidden: int = 0
    """Characters drawn so that nobody sees them, left out."""


def glyphs_of(page: Any, plain: bytes = b"") -> Glyphs:
    """Stretches of characters that stand side by side, in the order in which the page draws them; those that nobody sees are counted.

    A character printed twice in one place (false bold) counts once, but not the letters of a ligature; on a page set sideways the boxes are
    turned upright.
    """
    textpage = page.get_textpage()
    try:
        seen = Glyphs(whole=textpage.count_chars() <= MAX_CHARACTERS)
        seen.runs = _once([run for run in _runs(page, textpage, plain, seen) if run.text])
        return seen
    finally:
        textpage.close()


Placed = tuple[int, str, float, float, float, float]
"""(place in the text, character, left, right, bottom, top)."""


def _characters(textpage: Any, turn: int, shown: Rectangle, seen: Glyphs) -> Iterator[Placed]:
    """The characters inside the box of the page; any kind of white space is a blank without a place."""
    from pypdfium2 import raw

    where, unicode_of, box_of = address(textpage.raw), calls().unicode_of, calls().box_of
    box = raw.FS_RECTF()
    pointer = ctypes.addressof(box)
    lowest_x, lowest_y, highest_x, highest_y = shown
    high = 0
    for at in range(min(textpage.count_chars(), MAX_CHARACTERS)):
        code = unicode_of(where, at)
        if code <= 32:
            if code == 32:
                yield at, " ", 0.0, 0.0, 0.0, 0.0
            if code != _LINE_END_HYPHEN:
                continue
            code = 45
        if 0xD800 <= code < 0xE000:
            if code < 0xDC00:
                high = code
                continue
            if not high:
                continue
            code, high = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00), 0
        if code >= 0x110000:
            continue
        character = chr(code)
        if code >= 0x80 and character.isspace():
            yield at, " ", 0.0, 0.0, 0.0, 0.0
            continue
        if not box_of(where, at, pointer):
            continue
        left, right, bottom, top = box.left, box.right, box.bottom, box.top
        if not (lowest_x < (left + right) / 2 < highest_x and lowest_y < (bottom + top) / 2 < highest_y):
            seen.outside += 1
        elif turn:
            yield at, character, *_turned(left, right, bottom, top, turn)
        else:
            yield at, character, left, right, bottom, top


def _runs(page: Any, textpage: Any, plain: bytes, seen: Glyphs) -> Iterator[Run]:
    handle = textpage.raw
    turn = _usual_turn(handle, min(textpage.count_chars(), MAX_CHARACTERS))
    sight, visible = Sight(page, textpage), True
    text: list[str] = []
    places: list[float] = []
    left = right = bottom = top = size = last_left = last_right = 0.0
    started, last_at, last = 0, 0, ""
    base, base_size, base_bottom = 0, 0.0, 0.0  # the last character that is not raised

    def made() -> Run:
        bold = _is_bold(handle, started, plain) and (len(text) < 2 or _is_bold(handle, last_at, plain))
        whole = "".join(text).strip()
        run = Run(whole, left, right, bottom, top, bold, places=tuple(places[: len(whole)]))
        text.clear()
        places.clear()
        return run

    for at, character, new_left, new_right, new_bottom, new_top in _characters(textpage, turn, visible_box(page), seen):
        if character == " ":
            if text and text[-1] != " ":
                text.append(" ")
                places.append(right)
            continue
        if not visible or text and text[-1] == " ":  # judged once a word
            visible = bool(turn) or sight.sees(at, new_left, new_bottom, new_right, new_top)
            if text and not visible:
                yield made()
        if text and not (new_left == last_left and new_right == last_right and _is_ligature(textpage, last_at, at)):
            gap = new_left - right
            if character == last and abs(new_left - last_left) < 0.35 * (new_right - new_left) and abs(new_bottom - bottom) < 0.2 * size:
                continue
            lone = len(text) == 1 or len(text) == 2 and text[1] == " "
            dropped = lone and size > 18 and new_top - new_bottom < 0.55 * size and last.isalpha() and character.isalpha()
            if dropped or not (-0.5 * size < gap < 0.6 * size and abs(new_bottom - bottom) < 0.5 * size):
                yield made()
            elif gap > 0.2 * size and text[-1] != " ":
                text.append(" ")
                places.append(right)
            elif character in RAISABLE and not turn and text[-1] != " " and gap < 0.15 * base_size:
                place = new_top - new_bottom, base_size, new_bottom - base_bottom
                character = character.translate(RAISED) if _is_raised(handle, at, base, *place) else character
        if not text:
            visible = bool(turn) or sight.sees(at, new_left, new_bottom, new_right, new_top)
        if not visible:
            seen.hidden += 1
            continue
        if not text:
            left, right, bottom, top, started = new_left, new_right, new_bottom, new_top, at
        if character not in RAISED_DIGITS:
            base, base_size, base_bottom = at, new_top - new_bottom, new_bottom
        size = max(new_top - new_bottom, 1.0)
        if new_right > right:
            right = new_right
        text.append(character)
        places.append(new_left)
        last, last_left, last_right, last_at = character, new_left, new_right, at
    if text:
        yield made()


def _is_ligature(textpage: Any, before: int, at: int) -> bool:
    """Whether two characters in one place are letters of one glyph: they belong to one text object, as false bold does not."""
    of = calls().text_object_of
    return at == before + 1 and of(address(textpage.raw), before) == of(address(textpage.raw), at)


def _is_raised(handle: Any, at: int, base: int, height: float, base_height: float, rise: float) -> bool:
    """Whether a digit or sign is an exponent or a note's mark: small and above the line, or of any size far above it."""
    small, far = height < 0.85 * base_height and rise > 0.1 * base_height, height < 1.05 * base_height and rise > 0.3 * base_height
    return (small or far) and _baseline(handle, at) > _baseline(handle, base) + 0.15 * base_height


def _baseline(handle: Any, at: int) -> float:
    """Height of the line on which a character stands; its box says less, since fonts reach below it by different amounts."""
    from pypdfium2 import raw

    x, y = ctypes.c_double(), ctypes.c_double()
    return y.value if raw.FPDFText_GetCharOrigin(handle, at, x, y) else 0.0


def _usual_turn(handle, count: int) -> int:
    """Quarter turns (0 to 3) by which most of the characters of a page are turned."""
    from pypdfium2 import raw

    turns: Counter[int] = Counter()
    for at in range(0, count, max(1, count // 40)):
        angle = raw.FPDFText_GetCharAngle(handle, at)
        if angle >= 0:
            turns[round(angle / (math.pi / 2)) % 4] += 1
    return turns.most_common(1)[0][0] if turns else 0


def _turned(left: float, right: float, bottom: float, top: float, turn: int) -> tuple[float, float, float, float]:
    if turn == 3:
        return bottom, top, -right, -left
    if turn == 2:
        return -right, -left, -top, -bottom
    return -top, -bottom, left, right


def _is_bold(handle, at: int, plain: bytes = b"") -> bool:
    """Whether a character is bold by its weight or font; where its weight tells nothing, whether its font is another than `plain`."""
    from pypdfium2 import raw

    weight, name = raw.FPDFText_GetFontWeight(handle, at), _font(handle, at)
    if _BOLD_NAME.search(name):
        return True
    return bool(plain) and name != plain if weight > HEAVIEST else weight >= 600


def _font(handle, at: int) -> bytes:
    """The name of a character's font; empty for one that the page does not draw."""
    from pypdfium2 import raw

    name = ctypes.create_string_buffer(80)
    raw.FPDFText_GetFontInfo(handle, at, name, 80, ctypes.c_int())
    return name.value


def plain_font(pdf, watch: Callable[[int], None], untouched: Collection[int]) -> bytes:
    """The font of most of the text that has an impossible weight; empty in a file without such.

    Some writers give every font a weight of some thousands and call them F1, F2: a heading can then only be told by being in another font.
    """
    import pypdfium2
    from pypdfium2 import raw

    fonts: Counter[bytes] = Counter()
    for page in range(1, len(pdf) + 1, max(1, len(pdf) // SAMPLED_PAGES)):
        if page in untouched:
            continue
        watch(page)
        try:
            textpage = pdf[page - 1].get_textpage()
        except pypdfium2.PdfiumError:
            continue
        for at in range(0, min(textpage.count_chars(), MAX_CHARACTERS), SAMPLED_EVERY):
            if raw.FPDFText_GetFontWeight(textpage.raw, at) > HEAVIEST:
                fonts[_font(textpage.raw, at)] += 1
        textpage.close()
    return fonts.most_common(1)[0][0] if fonts else b""


def _once(runs: Sequence[Run]) -> list[Run]:
    """Without runs that are printed a second time in the same place, as shadows are."""
    seen: set[tuple[str, int, int]] = set()
    kept = []
    for run in runs:
        places = [(run.text, round(run.left / 3) + dx, round(run.bottom / 3) + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        if any(place in seen for place in places):
            continue
        seen.add(places[4])
        kept.append(run)
    return kept
