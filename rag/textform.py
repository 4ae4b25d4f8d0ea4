"""The form of a text in which search compares it: compatibility forms folded, lower case, simplified characters, nothing invisible.

What it gives up: the form is for matching, never for showing. `search_form_with_offsets` leads back to the text that is shown.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np

_TABLE = Path(__file__).parent / "model" / "simplified.txt"

# What a reader cannot see: controls (Cc), formats (Cf), private use (Co), lone surrogates (Cs), noncharacters, variation selectors and
# the fillers that Unicode calls default ignorable. White space among the controls is kept, as a space.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
    + "".join(chr(plane * 0x10000 + 0xFFFE) + "-" + chr(plane * 0x10000 + 0xFFFF) for plane in range(1, 15))
    + "]"
)
_SPACES = dict.fromkeys(map(ord, "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\u1680\u2028\u2029"), " ")

# Characters that become exactly one character and never join a neighbour, whatever stands around them.
_OTHER_THAN_PLAIN = re.compile("[^\t\n\r\x20-\x7e\u2014\u2018\u2019\u201c\u201d\u3001-\u3029\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e]+")


def _translations() -> dict[int, str]:
    lines = [line for line in _TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    # The word-final sigma is a matter of spelling; folding it keeps lower case free of context.
    return dict(zip(map(ord, lines[0]), lines[1], strict=True)) | _SPACES | {ord("ς"): "σ"}


_TRANSLATIONS = _translations()


def search_form(text: str) -> str:
    """NFKC, lower case, simplified characters, all white space as plain spaces, nothing invisible. Applying it twice changes nothing.

    >>> search_form("ＡＩ　雲端運算\\n２０２３")
    'ai 云端运算 2023'
    """
    if text.isascii():
        return _INVISIBLE.sub("", text).lower().translate(_SPACES)
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).lower()
    # Lower case can open a composition that upper case does not have (H with a macron below), hence a second NFKC.
    return unicodedata.normalize("NFKC", folded).translate(_TRANSLATIONS)


def search_form_with_offsets(text: str) -> tuple[str, np.ndarray]:
    """`search_form(text)` and, for each of its characters, the index in `text` of the character that it came from.

    The offsets are int64, shape (length of the form,), and never decrease. Where several characters of the text fuse into one, it points
    at the first of them.

    >>> form, offsets = search_form_with_offsets("a\\u200b㎏")
    >>> form, offsets.tolist()
    ('akg', [0, 2, 2])
    """
    kept = np.ones(len(text), dtype=bool)
    for match in _INVISIBLE.finditer(text):
        kept[match.start()] = False
    sources = np.flatnonzero(kept)
    visible = text if len(sources) == len(text) else _INVISIBLE.sub("", text)
    pieces: list[str] = []
    offsets: list[np.ndarray] = []
    done = 0

    def keep_plain(end: int) -> None:
        pieces.append(search_form(visible[done:end]))
        offsets.append(sources[done:end])

    for match in _OTHER_THAN_PLAIN.finditer(visible):
        # The run may open with a mark that belongs to the plain character before it.
        start = max(match.start() - 1, done)
        keep_plain(start)
        for first, last in _clusters(visible, start, match.end()):
            form = search_form(visible[first:last])
            pieces.append(form)
            offsets.append(np.full(len(form), sources[first]))
        done = match.end()
    keep_plain(len(visible))
    return "".join(pieces), np.concatenate(offsets).astype(np.int64)


def _clusters(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Cuts a stretch into the smallest parts that normalise independently: a base with its marks, a Hangul syllable of jamo."""
    starts = [i for i in range(start, end) if i == start or not _joins_the_one_before(text[i])]
    return list(zip(starts, [*starts[1:], end], strict=True))


def _joins_the_one_before(character: str) -> bool:
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.category(first)[0] == "M" or "\u1161" <= first <= "\u11ff"


def source_span(offsets: np.ndarray, start: int, end: int, length: int) -> tuple[int, int]:
    """The stretch of the text, `length` characters long, that the stretch [start, end) of its search form came from.

    It takes whole what the form took apart or fused, together with invisible characters behind it.
    """
    if start >= end:
        here = int(offsets[start]) if start < len(offsets) else length
        return here, here
    following = int(np.searchsorted(offsets, offsets[end - 1], side="right"))
    return int(offsets[start]), int(offsets[following]) if following < len(offsets) else length
