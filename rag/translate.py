"""Questions in one language as lexical terms of the other: a packed table of word translations, used as a structured query.

Each word or phrase of the question becomes a weighted bag of those translations that the corpus contains. It gives up grammar and word
sense: a passage in which several of the bags meet is what disambiguates.
"""

from __future__ import annotations

import gzip
import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

from rag.lexical import terms
from rag.textform import search_form

Language: TypeAlias = Literal["zh", "en"]

TABLE = Path(__file__).parent / "model" / "translations.txt.gz"
NAMES = Path(__file__).parent / "model" / "proper_names.txt"
LONGEST_WORD = 8
"""Characters of the longest Chinese word of the table."""
LONGEST_PHRASE = 3
"""Words of the longest English phrase of the table."""
UNKNOWN_CHARACTER = 14.0
"""What a character outside every known word costs in segmentation, in nats; the rarest word of the table costs about as much."""
LONE_CHARACTER = 0.5
"""What a Chinese word of one character counts: it has many meanings, and is often half of a name."""
DOUBT = 0.3
"""Exponent on the probability of the best translation: a word of many meanings counts less."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One word or phrase of the question with what it may be called in the other language."""

    source: str
    """The lexical term, the phrase of terms joined by spaces, or the Chinese word."""
    bag: dict[str, float]
    """Lexical terms that the corpus contains, with weights up to 1."""
    weight: float
    """What it counts among the question's concepts: its idf, lowered for doubtful translations."""


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"


@lru_cache(maxsize=1)
def _lines() -> list[str]:
    """Lines "key TAB cost TAB translation:percent ...", sorted."""
    return gzip.decompress(TABLE.read_bytes()).decode("utf-8").splitlines()


@lru_cache(maxsize=1 << 14)
def _entry(key: str) -> tuple[float, dict[str, float]] | None:
    """(cost in segmentation, translation -> probability) of a key."""
    lines = _lines()
    at = bisect_left(lines, key + "\t")
    if at == len(lines) or not lines[at].startswith(key + "\t"):
        return None
    _, cost, found = lines[at].split("\t")
    pairs = (pair.rsplit(":", 1) for pair in found.split("|") if pair)
    return float(cost), {translation: int(percent) / 100 for translation, percent in pairs}


def translations(word: str) -> dict[str, float]:
    """Translations of a Chinese word (simplified) or of an English lexical term or phrase of terms, with probabilities; empty when unknown."""
    entry = _entry(word)
    return entry[1] if entry else {}


@lru_cache(maxsize=1)
def proper_names() -> frozenset[str]:
    """Chinese names of places, companies and persons, two to eight characters."""
    return frozenset(line for line in NAMES.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))


def named_in_latin(token: str) -> str:
    """The Chinese proper name that a Latin word spells, where the table knows one; else empty.

    >>> named_in_latin("huawei"), named_in_latin("cloud")
    ('华为', '')
    """
    best = max(translations(token.lower()).items(), key=lambda pair: pair[1], default=("", 0.0))
    return best[0] if best[1] >= 0.5 and best[0] in proper_names() else ""


def segment(run: str, cost: Callable[[str], float | None] = lambda word: (_entry(word) or (None,))[0]) -> list[str]:
    """The most probable cut of a run of Han characters into words that `cost` knows; other characters stay single."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(run) + 1):
        options = [(best[end - 1][0] + UNKNOWN_CHARACTER, end - 1)]
        for start in range(max(0, end - LONGEST_WORD), end):
            price = cost(run[start:end])
            if price is not None:
                options.append((best[start][0] + price, start))
        best.append(min(options))
    cuts, end = [], len(run)
    while end:
        start = best[end][1]
        cuts.append(run[start:end])
        end = start
    return cuts[::-1]


def source_words(text: str) -> list[str]:
    """The keys under which the table may know a text: words of Chinese, lexical terms of the rest, known phrases of them whole.

    Repeats are left out.
    """
    found: list[str] = []
    form = search_form(text)
    begin = 0
    while begin < len(form):
        end = begin
        han = _is_han(form[begin])
        while end < len(form) and _is_han(form[end]) == han:
            end += 1
        found += segment(form[begin:end]) if han else _phrases(terms(form[begin:end]))
        begin = end
    return list(dict.fromkeys(found))


def _phrases(words: Sequence[str]) -> list[str]:
    found, at = [], 0
    while at < len(words):
        size = next((n for n in range(min(LONGEST_PHRASE, len(words) - at), 1, -1) if _entry(" ".join(words[at : at + n]))), 1)
        found.append(" ".join(words[at : at + size]))
        at += size
    return found


def lexical_terms(translation: str) -> dict[str, float]:
    """How the lexical index knows a translation: a long Chinese word by its pairs of characters, in equal parts."""
    if not _is_han(translation[0]):
        words = translation.split(" ")
        return dict.fromkeys(words, 1 / len(words))
    pairs = [first + second for first, second in pairwise(translation)] or [translation]
    return dict.fromkeys(pairs, 1 / len(pairs))


def concepts(text: str, target: Language, frequencies: Callable[[Sequence[str]], Mapping[str, int]], count: int) -> list[Concept]:
    """The question's concepts in the words of the `target` language, "zh" or "en".

    `frequencies` tells in how many of the `count` chunks of the corpus each lexical term occurs. A concept of which the corpus has nothing
    keeps an empty bag and the weight of a term that occurs nowhere, since it is still part of what was asked.
    """
    options = {word: translations(word) if _is_han(word[0]) == (target == "en") else {} for word in source_words(text)}
    # Names, numbers and quoted words stay as they are.
    spelled = {word: lexical_terms(word) for word in options if not (_is_han(word[0]) and target == "en")}
    parts = {translation: lexical_terms(translation) for found in options.values() for translation in found}
    known = frequencies(list(dict.fromkeys(term for part in (*parts.values(), *spelled.values()) for term in part)))
    result = []
    for word, found in options.items():
        bag = {term: part for term, part in spelled.get(word, {}).items() if known[term]}
        occurring = float(min((known[term] for term in spelled[word]), default=0)) if word in spelled and not found else 0.0
        there = {translation: p for translation, p in found.items() if all(known[term] for term in parts[translation])}
        best, total = max(there.values(), default=1.0), sum(there.values())
        for translation, probability in there.items():
            occurring += probability / total * min(known[term] for term in parts[translation])
            for term, part in parts[translation].items():
                bag[term] = max(bag.get(term, 0.0), probability / best * part)
        weight = math.log1p((count - occurring + 0.5) / (occurring + 0.5))
        weight *= max(found.values(), default=1.0) ** DOUBT
        weight *= LONE_CHARACTER if len(word) == 1 and _is_han(word) else 1.0
        result.append(Concept(word, bag, weight))
    return result


def translated_shares(
    text: str, target: Language, frequencies: Callable[[Sequence[str]], Mapping[str, int]], count: int
) -> dict[str, float]:
    """The question as lexical terms of the target language with their shares of the question's weight; where all is found, the best
    translations sum to 1."""
    found = concepts(text, target, frequencies, count)
    total = sum(concept.weight for concept in found) or 1.0
    shares: dict[str, float] = {}
    for concept in found:
        for term, weight in concept.bag.items():
            shares[term] = shares.get(term, 0.0) + weight * concept.weight / total
    return shares
