"""One page of a PDF as a picture, with the places where a quote stands on it.

PDFium reads untrusted bytes, so it runs in a child process with limits on memory and time, which gets the bytes and knows no path.
What it gave up: a quote whose words the page holds only as a picture is not marked.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import SequenceMatcher

from rag.config import PACKAGE
from rag.errors import RagError, UsageError

WIDTH = 1100
"""Pixels of a picture."""
SECONDS = 20
MEMORY = 3 * 2**30
_ENOUGH = 0.5
"""Share of a quote's letters that must be found for its place to count."""
_SHORTEST = 6
"""Letters of a stretch that counts."""

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) as shares of the page's width and height, from its upper left corner."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as a picture."""

    jpeg: bytes
    width: int
    height: int
    boxes: tuple[Box, ...]
    """One a line of the quote; none when it was not found."""
    label: str
    """The page number that the PDF itself gives to this page, which may differ from its place in the file; "" when it gives none."""
    pages: int


def picture(pdf: bytes, page: int, quote: str = "", before: str = "") -> Picture:
    """Page `page` (from 1) of a PDF. `before` is the text in front of the quote, which tells two places with the same words apart.

    Raises UsageError for a page that is not there, RagError when the page cannot be drawn.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))}
    asked = json.dumps({"page": page, "quote": quote[:5000], "before": before[-200:]}).encode()
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "rag.reading.page_image"], input=asked + b"\n" + pdf, capture_output=True, env=environment, timeout=SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise RagError(f"page {page} takes more than {SECONDS} s to draw: open the file itself") from error
    head, _, jpeg = child.stdout.partition(b"\n")
    if child.returncode or not head:
        raise RagError(f"page {page} cannot be drawn: open the file itself")
    told = json.loads(head)
    if "problem" in told:
        raise UsageError(told["problem"])
    boxes = tuple(tuple(box) for box in told["boxes"])
    return Picture(jpeg, told["width"], told["height"], boxes, told["label"], told["pages"])


def find(page: str, quote: str, before: str = "") -> list[tuple[int, int]]:
    """Where the letters of a quote stand among the letters of a page, as (start, end); both are compared as `letters` gives them.

    A quote that is not there as a whole is found in stretches, as long as these make up half of it: lines of a page may be drawn in another
    order, and a report's text is mended on reading.

    >>> find("xxabcxxabc", "abc", "xxabcxx")
    [(7, 10)]
    """
    if not quote:
        return []
    places, at = [], page.find(quote)
    while at >= 0:
        places.append(at)
        at = page.find(quote, at + 1)
    if places:
        best = max(places, key=lambda place: len(os.path.commonprefix([page[:place][::-1], before[::-1]])))
        return [(best, best + len(quote))]
    matcher = SequenceMatcher(None, page, quote, autojunk=False)
    found: list[tuple[int, int, int]] = []  # (place in the quote, start, end)

    def stretch(low: int, high: int) -> None:
        block = matcher.find_longest_match(0, len(page), low, high)
        if block.size >= min(_SHORTEST, len(quote)):
            found.append((block.b, block.a, block.a + block.size))
            stretch(low, block.b)
            stretch(block.b + block.size, high)

    stretch(0, len(quote))
    enough = sum(end - start for _, start, end in found) >= _ENOUGH * len(quote)
    return [(start, end) for _, start, end in sorted(found)] if enough else []


def letters(text: str) -> list[tuple[str, int]]:
    """The letters and digits of a text in one form, each with its place in it.

    >>> letters("Ａ-b"), letters("ﬁ")
    ([('a', 0), ('b', 2)], [('f', 0), ('i', 0)])
    """
    return [
        (sign, place)
        for place, character in enumerate(text)
        for sign in unicodedata.normalize("NFKC", character).casefold()
        if sign.isalnum()
    ]


def lines(boxes: Sequence[Box]) -> list[Box]:
    """Boxes of characters in the order of the text, joined to one box a line."""
    made: list[Box] = []
    for box in boxes:
        last = made[-1] if made else None
        if (
            last
            and min(last[3], box[3]) - max(last[1], box[1]) > 0.4 * min(last[3] - last[1], box[3] - box[1])
            and box[0] >= last[0] - 0.005
        ):
            made[-1] = (min(last[0], box[0]), min(last[1], box[1]), max(last[2], box[2]), max(last[3], box[3]))
        else:
            made.append(box)
    return made


# ---------------------------------------------------------------------------------------------------------------- in the child process


def _draw(pdf_bytes: bytes, page_number: int, quote: str, before: str) -> tuple[dict, bytes]:
    import pypdfium2
    from pypdfium2 import raw

    pdf = pypdfium2.PdfDocument(pdf_bytes)
    count = len(pdf)
    if not 1 <= page_number <= count:
        return {"problem": f"there is no page {page_number}: the file has {count}"}, b""
    page = pdf[page_number - 1]
    width, height = page.get_size()
    scale = min(WIDTH / max(width, 1), 3000 / max(height, 1), 6)
    image = page.render(scale=scale).to_pil().convert("RGB")
    textpage = page.get_textpage()
    characters, boxes = [], []
    box = raw.FS_RECTF()
    device_x, device_y = raw.c_int(), raw.c_int()
    for at in range(min(textpage.count_chars(), 100_000) if quote else 0):
        code = raw.FPDFText_GetUnicode(textpage, at)
        if not 0 < code < 0x110000 or 0xD800 <= code < 0xE000 or not raw.FPDFText_GetLooseCharBox(textpage, at, box):
            continue
        corners = []
        for x, y in ((box.left, box.top), (box.right, box.bottom)):  # through the page's own rotation and crop
            raw.FPDF_PageToDevice(page, 0, 0, image.width * 8, image.height * 8, 0, x, y, device_x, device_y)
            corners.append((device_x.value / (image.width * 8), device_y.value / (image.height * 8)))
        (x1, y1), (x2, y2) = corners
        characters.append(chr(code))
        boxes.append((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
    text = letters("".join(characters))
    wanted, context = ("".join(sign for sign, _ in letters(part)) for part in (quote, before))
    found = find("".join(sign for sign, _ in text), wanted, context)
    places = [place for start, end in found for place in dict.fromkeys(place for _, place in text[start:end])]
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    label = pdf.get_page_label(page_number - 1) or ""
    told = {
        "width": image.width,
        "height": image.height,
        "boxes": lines([boxes[place] for place in places]),
        "label": label,
        "pages": count,
    }
    return told, out.getvalue()


def _child() -> int:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    asked = json.loads(sys.stdin.buffer.readline())
    told, jpeg = _draw(sys.stdin.buffer.read(), asked["page"], asked["quote"], asked["before"])
    out.write(json.dumps(told).encode() + b"\n" + jpeg)
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(_child())
