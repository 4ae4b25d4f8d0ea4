"""Names by their sound: what a Latin name may be called in Chinese and the other way round, where no dictionary has it.

A foreign name is cut into chunks of letters, each the sound of a character that names are written with; a Chinese one is spelled in pinyin.
Only what the corpus contains comes of it: every pair of neighbouring characters, or the word as spelled. Gives up what is translated by
meaning, and names of one character.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, product
from pathlib import Path

from rag.index.lexical import stem

TABLE = Path(__file__).parent / "model" / "sounds.txt"
LONGEST_CHUNK = 6
"""Letters that one syllable may stand for."""
BEAM = 30
"""Beginnings that are followed up from one letter on."""
SPELLINGS = 400
"""Spellings of a Chinese name that are tried."""
KEPT = 5
"""Names that are found for one, at most."""
PROBABLE = -1.5
"""Log probability a letter that a name needs."""
UNSEEN = 0.3
"""What a chunk that was never seen counts by its first letter."""
FURTHER = 0.1
"""And by every letter after it."""
CHARACTER = 0.5
"""Exponent on a character's share among those that write a syllable in names."""

Holding = Callable[[Iterable[str]], Mapping[str, int]]
"""In how many chunks of the corpus each lexical term stands."""


@dataclass(frozen=True, slots=True)
class _Sound:
    """One syllable of Mandarin."""

    written: Mapping[str, float]
    """The characters that write it in foreign names, with their shares."""
    read: str
    """All characters that are read so."""
    chunks: Mapping[str, float]
    """Letters that it stands for, with their probabilities."""
    firsts: Mapping[str, float]
    """Their first letters."""


@cache
def _table() -> tuple[str, Mapping[str, _Sound]]:
    """(surnames, sound by syllable)."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    sounds = {}
    for line in lines[1:]:
        syllable, written, read, spelled = line.split("\t")
        chunks = {chunk: int(share) / 1000 for chunk, share in re.findall(r"([a-z]+)(\d+)", spelled)}
        firsts: Counter[str] = Counter()
        for chunk, share in chunks.items():
            firsts[chunk[0]] += share
        sounds[syllable] = _Sound({c: int(share) / 100 for c, share in re.findall(r"(\D)(\d+)", written)}, read, chunks, firsts)
    return lines[0].split("\t")[1], sounds


def letters_of(name: str) -> str:
    """The letters a to z of a name, without accents; x as ks, since it takes two syllables.

    >>> letters_of("Félix")
    'feliks'
    """
    plain = unicodedata.normalize("NFKD", name.lower().replace("ø", "o").replace("ł", "l").replace("ß", "ss").replace("æ", "ae"))
    letters = "".join(letter for letter in plain if "a" <= letter <= "z")
    return letters[:1] + letters[1:].replace("x", "ks")


@lru_cache(maxsize=1 << 14)
def _characters(chunk: str) -> tuple[tuple[str, float], ...]:
    """(character, log probability) of those that a chunk of letters may be written with, likely ones first."""
    found: dict[str, float] = {}
    for sound in _table()[1].values():
        value = sound.chunks.get(chunk, 0.0) + UNSEEN * sound.firsts.get(chunk[0], 0.0) * FURTHER ** (len(chunk) - 1)
        if value >= 0.004:
            for character, share in sound.written.items():
                found[character] = max(found.get(character, -99.0), math.log(value) + CHARACTER * math.log(share))
    return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:60])


def chinese_names(name: str, holding: Holding) -> dict[str, float]:
    """Chinese names that sound like a Latin one, with how probable they are, a letter: those whose pairs of characters the corpus has."""
    letters = letters_of(name)
    size = len(letters)
    begun: list[dict[str, float]] = [{"": 0.0}, *({} for _ in letters)]
    for at in range(size):
        ways = [
            (to, run, run + character, value + step)
            for run, value in sorted(begun[at].items(), key=lambda item: (-item[1], item[0]))[:BEAM]
            for to in range(at + 1, min(at + LONGEST_CHUNK, size) + 1)
            for character, step in _characters(letters[at:to])
            if value + step > (PROBABLE - 0.6) * to
        ]
        there = holding({longer[-2:] for _, _, longer, _ in ways})
        for to, _, longer, value in ways:
            if there[longer[-2:]] and value > begun[to].get(longer, -math.inf):
                begun[to][longer] = value
    whole = [(value / size, run) for run, value in begun[size].items() if len(run) > 1 and value >= PROBABLE * size]
    return {run: math.exp(value) for value, run in sorted(whole, key=lambda item: (-item[0], item[1]))[:KEPT]}


@lru_cache(maxsize=1 << 12)
def syllables_of(word: str) -> tuple[str, ...]:
    """The syllables of a word in pinyin, few rather than many; none when it is not pinyin.

    >>> syllables_of("jiamin"), syllables_of("xian"), syllables_of("smith")
    (('jia', 'min'), ('xian',), ())
    """
    known = _table()[1]
    best: list[tuple[str, ...] | None] = [()]
    for end in range(1, len(word) + 1):
        options = [
            (*before, word[start:end])
            for start in range(max(0, end - 6), end)
            if (before := best[start]) is not None and word[start:end] in known
        ]
        best.append(min(options, key=lambda cut: (len(cut), cut), default=None))
    return best[-1] or ()


def persons(names: Sequence[str], holding: Holding) -> dict[str, float]:
    """The Chinese persons whom one to three words in pinyin may name, family name first or last, of whose names the corpus has every pair.

    Each counts the less the more of them there are.
    """
    words = [syllables_of(name.lower().replace("'", "").replace("-", "")) for name in names]
    if not all(words) or not 2 <= sum(map(len, words)) <= 4:
        return {}
    surnames, sounds = _table()
    found: list[str] = []
    for order in dict.fromkeys((tuple(words), (words[-1], *words[:-1]))):
        syllables = [syllable for word in order for syllable in word]
        runs = [character for character in sounds[syllables[0]].read if len(words) == 1 or character in surnames]
        for syllable in syllables[1:]:
            longer = [run + character for run in runs for character in sounds[syllable].read]
            there = holding({run[-2:] for run in longer})
            runs = [run for run in longer if there[run[-2:]]]
        found += runs
    return dict.fromkeys(found[:20], 1 / len(found)) if found else {}


@lru_cache(maxsize=1 << 12)
def _letters(character: str) -> tuple[tuple[str, float], ...]:
    """(chunk of letters, log probability) of what a character stands for in names, likely ones first."""
    found = {chunk: p for sound in _table()[1].values() if character in sound.written for chunk, p in sound.chunks.items()}
    return tuple((chunk, math.log(p)) for chunk, p in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:20])


@lru_cache(maxsize=1 << 12)
def _spelled(run: str) -> tuple[tuple[str, float], ...]:
    """(letters, log probability) that a run of characters may be the sound of, likely ones first."""
    if not run:
        return (("", 0.0),)
    best: dict[str, float] = {}
    for word, value in _spelled(run[:-1]):
        for chunk, step in _letters(run[-1]):
            best[word + chunk] = max(best.get(word + chunk, -math.inf), value + step)
    return tuple(sorted(best.items(), key=lambda item: (-item[1], item[0]))[:SPELLINGS])


@lru_cache(maxsize=1 << 12)
def _readings(character: str) -> tuple[str, ...]:
    return tuple(syllable for syllable, sound in _table()[1].items() if character in sound.read)


@lru_cache(maxsize=1 << 10)
def _spellings(run: str) -> Mapping[str, float]:
    """Stems of the words that a run of Chinese characters may stand for by sound, and those that it is in pinyin, with probabilities a letter."""
    words = {word: math.exp(value / len(word)) for word, value in _spelled(run) if len(word) > 3 and value >= PROBABLE * len(word)}
    words |= {word.replace("ks", "x"): p for word, p in words.items() if "ks" in word}
    words |= {"".join(syllables): 1.0 for syllables in islice(product(*map(_readings, run)), 16)} if len(run) < 4 else {}
    stems: dict[str, float] = {}
    for word, p in words.items():
        if len(word) > 3:
            stems[stem(word)] = max(stems.get(stem(word), 0.0), p)
    return stems


def latin_names(run: str, holding: Holding) -> dict[str, float]:
    """Latin words of the corpus, as lexical terms, that a run of Chinese characters may be the sound of, or spell in pinyin."""
    stems = _spellings(run)
    there = holding(stems)
    best = sorted(((p, word) for word, p in stems.items() if there[word]), key=lambda item: (-item[0], item[1]))[:KEPT]
    return {word: p for p, word in best}
