"""The characters of a page, as PDFium gives them -> runs of text."""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from rag.reading.pdf.runs import DIGITS, RAISED, RAISED_DIGITS, Run

MAX_CHARACTERS = 100_000
"""On one page."""
SAMPLED_PAGES, SAMPLED_EVERY = 24, 20
"""About so many pages, and one in so many of their characters, tell which fonts a file is set in."""
HEAVIEST = 1000
"""Of the weights that fonts can have."""
_BOLD_NAME = re.compile(rb"bold|black|heavy|SimHei|STHei", re.IGNORECASE)


def runs_of(textpage, plain: bytes = b"") -> list[Run]:
    """Stretches of characters that stand side by side, in the order in which the page draws them.

    A character printed twice in one place (false bold) counts once; on a page set sideways the boxes are turned upright.
    """
    from pypdfium2 import raw

    handle, count = textpage.raw, min(textpage.count_chars(), MAX_CHARACTERS)
    unicode_of, box_of = raw.FPDFText_GetUnicode, raw.FPDFText_GetLooseCharBox
    box = raw.FS_RECTF()
    pointer = ctypes.byref(box)
    turn = _usual_turn(handle, count)
    runs: list[Run] = []
    text: list[str] = []
    left = right = bottom = top = size = last_left = 0.0
    started, last_at, high, last = 0, 0, 0, ""
    base, base_size, base_bottom = 0, 0.0, 0.0  # the last character that is not raised

    def close() -> None:
        if text:
            bold = _is_bold(handle, started, plain) and (len(text) < 2 or _is_bold(handle, last_at, plain))
            runs.append(Run("".join(text).strip(), left, right, bottom, top, bold))
            text.clear()

    for at in range(count):
        code = unicode_of(handle, at)
        if code <= 32:
            if code == 2:
                code = 45  # a hyphen at a line's end
            else:
                if code == 32 and text and text[-1] != " ":
                    text.append(" ")
                continue
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
            if text and text[-1] != " ":
                text.append(" ")
            continue
        if not box_of(handle, at, pointer):
            continue
        new_left, new_right, new_bottom, new_top = box.left, box.right, box.bottom, box.top
        if turn:
            new_left, new_right, new_bottom, new_top = _turned(new_left, new_right, new_bottom, new_top, turn)
        if text:
            gap = new_left - right
            if character == last and abs(new_left - last_left) < 0.35 * (new_right - new_left) and abs(new_bottom - bottom) < 0.2 * size:
                continue
            lone = len(text) == 1 or len(text) == 2 and text[1] == " "
            dropped = lone and size > 18 and new_top - new_bottom < 0.55 * size and last.isalpha() and character.isalpha()
            if dropped or not (-0.5 * size < gap < 0.6 * size and abs(new_bottom - bottom) < 0.5 * size):
                close()
            elif gap > 0.2 * size and text[-1] != " ":
                text.append(" ")
            elif character in DIGITS and text[-1] != " " and not turn and gap < 0.15 * base_size:
                smaller = new_top - new_bottom < 0.85 * base_size and new_bottom > base_bottom + 0.1 * base_size
                if smaller and _baseline(handle, at) > _baseline(handle, base) + 0.15 * base_size:
                    character = character.translate(RAISED)
        if not text:
            left, right, bottom, top, started = new_left, new_right, new_bottom, new_top, at
        if character not in RAISED_DIGITS:
            base, base_size, base_bottom = at, new_top - new_bottom, new_bottom
        size = new_top - new_bottom
        if size < 1.0:
            size = 1.0
        if new_right > right:
            right = new_right
        text.append(character)
        last, last_left, last_at = character, new_left, at
    close()
    return _once([run for run in runs if run.text])


def _baseline(handle, at: int) -> float:
    """Height of the line on which a character stands; its box says less, since fonts reach below it by different amounts."""
    x, y = ctypes.c_double(), ctypes.c_double()
    from pypdfium2 import raw

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
