"""The form of a text in which search compares it: compatibility forms folded, lower case, simplified characters, nothing invisible.

What it gives up: the form is for matching, never for showing. `search_form_with_offsets` leads back to the text that is shown.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np

_TABLE = Path(__file__).parent.parent / "model" / "simplified.txt"

# What a reader cannot see: controls (Cc), formats (Cf), private use (Co), lone surrogates (Cs), noncharacters, variation selectors and
# the fillers that Unicode calls default ignorable. White space among the controls is kept, as a space.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
    + "".join(chr(plane * 0x10000 + 0xFFFE) + "-" + chr(plane * 0x10000 + 0xFFFF) for plane in range(1, 15))
    + "]"
)
_SPACES = dict.fromkeys("\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\u1680\u2028\u2029", " ")


def _translations() -> dict[int, str]:
    lines = [line for line in _TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    # The word-final sigma is a matter of spelling; folding it keeps lower case free of context.
    return str.maketrans(dict(zip(lines[0], lines[1], strict=True)) | _SPACES | {"ς": "σ"})


_TRANSLATIONS = _translations()


def search_form(text: str) -> str:
    """NFKC, lower case, simplified characters, all white space as plain spaces, nothing invisible. Applying it twice changes nothing.

    >>> search_form("ＡＩ　雲端運算\\n２０２３")
    'ai 云端运算 2023'
    """
    special = _special(text)
    if any(map(_joins, special)):
        return _normalised(text)
    # Without a character that joins its neighbour each one has its own form, and most texts change in a few of them only.
    changed = {character: _form_of(character) for character in special}
    if len(changed) > 60:
        return text.translate(str.maketrans(changed))
    for character, form in changed.items():
        text = text.replace(character, form)
    return text


def search_form_with_offsets(text: str) -> tuple[str, np.ndarray]:
    """`search_form(text)` and, for each of its characters, the index in `text` of the character that it came from.

    The offsets are int64, shape (length of the form,), and never decrease. Where several characters of the text fuse into one, it points
    at the first of them.

    >>> form, offsets = search_form_with_offsets("a\\u200b㎏")
    >>> form, offsets.tolist()
    ('akg', [0, 2, 2])
    """
    special = _special(text)
    if any(map(_joins, special)):
        clusters = _clusters(text)
        forms = [_normalised(text[start:end]) for start, end in clusters]
        starts = np.array([start for start, _ in clusters], dtype=np.int64)
        return "".join(forms), np.repeat(starts, [len(form) for form in forms])
    lengths = np.ones(len(text), dtype=np.int64)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    for character in special:
        if (length := len(_form_of(character))) != 1:
            lengths[codes == ord(character)] = length
    return search_form(text), np.repeat(np.arange(len(text), dtype=np.int64), lengths)


def _normalised(text: str) -> str:
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).lower()
    # Lower case can open a composition that upper case does not have (H with a macron below), hence a second NFKC.
    return unicodedata.normalize("NFKC", folded).translate(_TRANSLATIONS)


@lru_cache(maxsize=1 << 16)
def _form_of(character: str) -> str:
    return _normalised(character)


_plain: set[str] = set()


def _special(text: str) -> set[str]:
    """The characters of a text that change or may fuse. Those found plain are remembered, so that most texts cost one set difference."""
    special = set(text) - _plain
    plain = {character for character in special if _form_of(character) == character and not _joins(character)}
    _plain.update(plain)
    return special - plain


@lru_cache(maxsize=1 << 16)
def _joins(character: str) -> bool:
    """Whether a character may fuse with the one before it: marks and the inner letters of a Hangul syllable."""
    first = unicodedata.normalize("NFKD", character)[0]
    return (unicodedata.category(first)[0] == "M" or "\u1161" <= first <= "\u11ff") and not _INVISIBLE.match(character)


def _clusters(text: str) -> list[tuple[int, int]]:
    """Cuts a text into the smallest parts that normalise independently: a base with its marks, whatever invisible stands between."""
    starts = [i for i, character in enumerate(text) if i == 0 or not (_joins(character) or _INVISIBLE.match(character))]
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def source_span(offsets: np.ndarray, start: int, end: int, length: int) -> tuple[int, int]:
    """The stretch of the text, `length` characters long, that the stretch [start, end) of its search form came from.

    It takes whole what the form took apart or fused, together with invisible characters behind it.
    """
    if start >= end:
        here = int(offsets[start]) if start < len(offsets) else length
        return here, here
    following = int(np.searchsorted(offsets, offsets[end - 1], side="right"))
    return int(offsets[start]), int(offsets[following]) if following < len(offsets) else length
