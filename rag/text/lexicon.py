"""The names that a text may hold, and the English words, by lists that are kept with the model.

What it gives up: names and words that the lists lack. What they are called in the other language is for `rag.search.translate`.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path

TRANSLATIONS = Path(__file__).parent.parent / "model" / "translations.txt.gz"
"""Its entries begin with the stem of a word."""
NAMES = Path(__file__).parent.parent / "model" / "proper_names.txt"


@lru_cache(maxsize=1)
def proper_names() -> frozenset[str]:
    """Chinese names of places, companies and persons, two to eight characters."""
    return frozenset(line for line in NAMES.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))


@lru_cache(maxsize=1)
def _english_stems() -> frozenset[str]:
    with gzip.open(TRANSLATIONS, "rt", encoding="utf-8") as lines:
        heads = (line.partition("\t")[0] for line in lines)
        return frozenset(head for head in heads if len(head) > 1 and head.isascii() and head.isalpha())


@lru_cache(maxsize=4096)
def is_english_word(word: str) -> bool:
    """Whether the dictionary has a word, in any of its forms; none has fewer than three letters.

    >>> is_english_word("workshops"), is_english_word("longterm"), is_english_word("ment")
    (True, False, False)
    """
    if len(word) < 3:
        return False
    import snowballstemmer  # 60 ms, not needed for a Chinese text

    return snowballstemmer.stemmer("english").stemWord(word.lower()) in _english_stems()
