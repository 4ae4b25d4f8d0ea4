"""Questions in one language as lexical terms of the other: a packed table of word translations, used as a structured query.

Each word or phrase of the question becomes a concept: the weighted ways to say it that the corpus contains. It gives up grammar and word
sense: a passage in which several of the concepts meet is what disambiguates. It gives up names that no dictionary has.
"""

from __future__ import annotations

import gzip
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from os.path import commonprefix
from pathlib import Path
from typing import Literal, TypeAlias

from rag.index.lexical import terms
from rag.text.lexicon import proper_names
from rag.text.normalize import search_form

Language: TypeAlias = Literal["zh", "en"]

TABLE = Path(__file__).parent.parent / "model" / "translations.txt.gz"
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
MIDDLING = 8.0
"""How rare English words count that the table knows, in nats."""
SYNONYM = 0.05
"""Words that are less alike than this, of what the word is to itself, are no synonyms."""
_SPELLINGS = (("e", "ae"), ("e", "oe"), ("ae", "e"), ("or", "our"), ("our", "or"), ("iz", "is"), ("is", "iz"), ("er", "re"), ("yz", "ys"))
"""American and British."""
_ROMAN = re.compile(r"(?=..)(xl|l?x{0,3})(ix|iv|v?i{0,3})")
_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50}


@dataclass(frozen=True, slots=True)
class Concept:
    """One word or phrase of the question with what it may be called in the other language."""

    source: str
    """The lexical term, the phrase of terms joined by spaces, or the Chinese word."""
    ways: tuple[dict[str, float], ...]
    """Each way to say it as lexical terms that the corpus contains; what they weigh together is how good a way it is, up to 1."""
    weight: float
    """Its share of the question's weight: its idf, lowered for doubtful translations."""

    @property
    def bag(self) -> dict[str, float]:
        """The lexical terms of all ways, each with the most that it weighs in one."""
        bag: dict[str, float] = {}
        for way in self.ways:
            for term, part in way.items():
                bag[term] = max(bag.get(term, 0.0), part)
        return bag

    def said(self, there: frozenset[str]) -> float:
        """How well these lexical terms say it, 0 to 1: by the best of its ways, since two names for a thing say no more than one."""
        return max((sum(part for term, part in way.items() if term in there) for way in self.ways), default=0.0)


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


def rarity(word: str) -> float:
    """How rare a Chinese word is, in nats; of English, where the table does not tell, every word that it knows is as rare as the next."""
    entry = _entry(word)
    return (entry[0] or MIDDLING) if entry else UNKNOWN_CHARACTER


@lru_cache(maxsize=1 << 12)
def synonyms(word: str) -> Mapping[str, float]:
    """Words of the same language that mean about the same, by what is translated alike: 0 to 1, 1 for those as close as the word is to itself.

    >>> synonyms("行家")["专家"], "金星" in synonyms("行家")
    (1.0, False)
    """
    found: dict[str, float] = {}
    for meaning, probability in translations(word).items():
        for back, share in translations(meaning).items():
            found[back] = found.get(back, 0.0) + probability * share
    itself = found.pop(word, 0.0) or max(found.values(), default=1.0)
    return {other: min(1.0, share / itself) for other, share in found.items() if share >= SYNONYM * itself}


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


class _Corpus:
    """How many chunks hold a term, asked once for each term."""

    def __init__(self, frequencies: Callable[[Sequence[str]], Mapping[str, int]]):
        self._frequencies, self._known = frequencies, dict[str, int]()

    def ask(self, names: Iterable[str]) -> Mapping[str, int]:
        """All answers so far; many at once are quicker."""
        if missing := [name for name in dict.fromkeys(names) if name not in self._known]:
            self._known |= self._frequencies(missing)
        return self._known

    def holding(self, way: Mapping[str, float]) -> int:
        """In how many chunks the rarest term of a way stands."""
        self.ask(way)
        return min((self._known[term] for term in way), default=0)


def concepts(text: str, target: Language, frequencies: Callable[[Sequence[str]], Mapping[str, int]], count: int) -> list[Concept]:
    """The question's concepts in the words of the `target` language, "zh" or "en"; their weights sum to 1.

    `frequencies` tells in how many of the `count` chunks of the corpus each lexical term occurs. Of what the corpus does not contain under
    any of its translations the parts are looked for: the words of a phrase, the shorter words in a long one. A concept of which the corpus
    has nothing keeps no ways and the weight of a term that occurs nowhere, since it is still part of what was asked.
    """
    corpus = _Corpus(frequencies)
    words = source_words(text)
    corpus.ask(term for word in words for way in (word, *_meanings(word, target)) for term in lexical_terms(way))
    found = [concept for word in words for concept in _concepts(word, target, corpus, count)]
    total = sum(concept.weight for concept in found) or 1.0
    return [replace(concept, weight=concept.weight / total) for concept in found]


def _meanings(word: str, target: Language) -> dict[str, float]:
    return translations(word) if _is_han(word[0]) == (target == "en") else {}


def _concepts(word: str, target: Language, corpus: _Corpus, count: int) -> list[Concept]:
    """One concept, or those of the word's parts."""
    found = _meanings(word, target)
    # Names, numbers and quoted words stay as they are.
    itself = lexical_terms(word) if not (_is_han(word[0]) and target == "en") else {}
    here = corpus.holding(itself) > 0
    there = _found(found, corpus)
    if not there and not here and _is_han(word[0]) == (target == "en"):
        if parts := _parts(word):
            return [concept for part in parts for concept in _concepts(part, target, corpus, count)]
        found = found or _relatives(word)
        there = _found(found, corpus)
    return [_concept(word, found, there, itself, corpus, count)]


def _concept(
    word: str, found: Mapping[str, float], there: Mapping[str, float], itself: Mapping[str, float], corpus: _Corpus, count: int
) -> Concept:
    """A concept of a word that `found` translates, `there` by what the corpus contains, and that may stand there as `itself`."""
    best, total = max(there.values(), default=1.0), sum(there.values())
    ways = [
        {term: probability / best * part for term, part in lexical_terms(translation).items()} for translation, probability in there.items()
    ]
    occurring = sum(probability / total * corpus.holding(lexical_terms(translation)) for translation, probability in there.items())
    if not found:
        occurring = float(corpus.holding(itself))
    if own := {term: part for term, part in itself.items() if corpus.holding({term: 1.0})}:
        ways.append(own)
    weight = math.log1p((count - occurring + 0.5) / (occurring + 0.5))
    weight *= max(found.values(), default=1.0) ** DOUBT
    weight *= LONE_CHARACTER if len(word) == 1 and _is_han(word) else 1.0
    return Concept(word, tuple(ways), weight)


def _found(translations: Mapping[str, float], corpus: _Corpus) -> dict[str, float]:
    """Those of the translations that the corpus contains."""
    corpus.ask(term for translation in translations for term in lexical_terms(translation))
    return {translation: p for translation, p in translations.items() if corpus.holding(lexical_terms(translation))}


def _parts(word: str) -> list[str]:
    """The words of a phrase; the shorter words of a long Chinese word."""
    if not _is_han(word[0]):
        return word.split(" ") if " " in word else []
    parts = segment(word, lambda part: None if part == word else (_entry(part) or (None,))[0])
    return parts if len(word) > 2 and max(map(len, parts)) > 1 else []


def _relatives(word: str) -> dict[str, float]:
    """What an English word that the table lacks may mean: a figure in Roman numerals, a word in the other spelling, or one of the same stem.

    >>> _relatives("xlix"), max(_relatives("septicemia"))
    ({'49': 1.0}, '败血症')
    """
    if _ROMAN.fullmatch(word):
        values = [_DIGITS[letter] for letter in word]
        return {str(sum(value if value >= max(values[i:]) else -value for i, value in enumerate(values))): 1.0}
    for one, other in _SPELLINGS:
        for match in re.finditer(one, word):
            if found := translations(word[: match.start()] + other + word[match.end() :]):
                return found
    lines, at = _lines(), bisect_left(_lines(), word)
    near = {line.split("\t", 1)[0] for line in lines[max(0, at - 3) : at + 3]}
    shared = {key: len(commonprefix((key, word))) for key in near}
    alike = [key for key, size in shared.items() if size >= max(5, len(word) - 3, len(key) - 3) and " " not in key]
    return translations(max(sorted(alike), key=lambda key: (shared[key], -len(key)))) if alike else {}


def shares_of(asked: Sequence[Concept]) -> dict[str, float]:
    """Concepts as one weighted query: lexical terms with their shares; where all is found, the best translations sum to 1."""
    shares: dict[str, float] = {}
    for concept in asked:
        for term, part in concept.bag.items():
            shares[term] = shares.get(term, 0.0) + part * concept.weight
    return shares
