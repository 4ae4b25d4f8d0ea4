"""Whether a text says a word, in itself, by a word of like meaning or by a translation: by the dictionary, since vectors cannot tell like from related.

Gives up: word sense; a word of many meanings is said by a word for any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rag.rules.question import EN_STOP
from rag.search.question import HAN
from rag.search.translate import source_words, synonyms, translations

SURELY = 3.0
"""A word counts so many times as much as its translation is probable, at most 1: any of several good ones will do."""


@lru_cache(maxsize=256)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text as the dictionary knows them, without lone characters and words that only hold sentences together.

    >>> words_of("光伏装机多大"), words_of("the cost of tides")
    (('光伏', '装机', '多大'), ('cost', 'tide'))
    """
    return tuple(word for word in source_words(text) if word not in EN_STOP and (len(word) > 1 or not HAN.match(word)))


def says(word: str, text: str, there: frozenset[str], *, across: bool = False) -> float:
    """How surely a text, given in lower case and as its lexical terms, says a word of `words_of`; 0 to 1. `across`: it is in the other language.

    >>> says("行家", "近百位专家", frozenset()), says("行家", "三座电站", frozenset())
    (1.0, 0.0)
    """
    if _stands(word, text, there):
        return 1.0
    others: Mapping[str, float] = translations(word) if across else synonyms(word)
    found = max((share for other, share in others.items() if len(other) > 1 and _stands(other, text, there)), default=0.0)
    return min(1.0, SURELY * found) if across else found


def _stands(word: str, text: str, there: frozenset[str]) -> bool:
    return word in text if HAN.match(word) else there.issuperset(word.split(" "))
