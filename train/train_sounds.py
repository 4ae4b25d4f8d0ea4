"""Makes sounds.txt, the table of `rag.sounds`: `python -m train.train_sounds --data DATA [--output rag/model]`.

From the names of CC-CEDICT (CC BY-SA 4.0) that are written by their sound, Amsterdam as 阿姆斯特丹: which letters a syllable of Mandarin
stands for, by expectation maximisation over the ways to cut a name's letters into one chunk a syllable, and which characters write it.
Names that are translated and not written by sound fall out by themselves, since no cut of them is probable. Ten seconds, no randomness.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from rag.config import PACKAGE
from rag.sounds import LONGEST_CHUNK, letters_of
from train.public_data import HAN, news

log = logging.getLogger(__name__)

_ENTRY = re.compile(r"\S+ (\S+) \[([^\]]+)\] /(.*)/")
_NAME = r"[A-ZÀ-ÖØ-ÞŁ][\w'’-]+"
_NAMES = re.compile(rf"((?:{_NAME})(?: (?:{_NAME}|de|van|von|da|al|la|le))*)(?=$|,| \()")
# With what letters a syllable may begin, to begin with: enough to tell which cuts are worth counting.
_INITIALS = {
    "zh": "jgdzct", "ch": "ctqsh", "sh": "scxjt", "b": "bp", "p": "pb", "m": "m", "f": "fvp", "d": "dt", "t": "tdz", "n": "n", "l": "lr", "g": "gjck",
    "k": "kcgqx", "h": "hjgw", "j": "jgdckz", "q": "cgkjt", "x": "sxhcjz", "z": "zsjdtc", "c": "ctsz", "s": "sczt", "r": "rjl", "w": "wvuoh",
    "y": "yijaeug", "a": "aeoh", "e": "eaoh", "o": "oau",
}  # fmt: skip
ROUNDS = 8
IMPROBABLE = -1.6
"""Log probability a letter below which a name is taken to be no matter of sound."""
PERCENT = 0.5
"""Least share, of a syllable's chunks in percent, that is kept."""
COMMON = 0.5
"""A character belongs to names when its share of their characters is this part of its share of news, at least: 的 is no sound."""

Pair = tuple[str, tuple[str, ...], str]
"""(characters, syllables, letters)."""


def syllable(reading: str) -> str:
    """A reading of CC-CEDICT without its tone."""
    return re.sub(r"\d", "", reading.lower().replace("u:", "v"))


def entries(data: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """(simplified headword, readings with their tones, glosses)."""
    with gzip.open(data / "cedict" / "cedict_ts_utf8.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            if match := _ENTRY.match(line):
                yield match[1], match[2].split(), match[3].split("/")


def name_pairs(data: Path) -> list[Pair]:
    """Names and parts of names that stand as one or several capitalised words at the beginning of a gloss; not those in pinyin."""
    found: dict[tuple[str, str], Pair] = {}
    for head, readings, glosses in entries(data):
        words = re.split("[·・]", head)
        sounds = [part.split() for part in re.split(r" ?[·・] ?", " ".join(readings))]
        if not any(reading[0].isupper() for reading in readings) or [len(part) for part in words] != [len(part) for part in sounds]:
            continue
        named = next((match[1].split(" ") for gloss in glosses if (match := _NAMES.match(gloss))), [])
        if len(named) != len(words):
            continue
        for word, sound, name in zip(words, sounds, named, strict=True):
            syllables, letters = tuple(map(syllable, sound)), letters_of(name)
            fits = len(word) > 1 and len(word) <= len(letters) <= LONGEST_CHUNK * len(word)
            if fits and all(map(HAN.match, word)) and "".join(syllables).replace("v", "u") != letters:
                found[word, letters] = (word, syllables, letters)
    return list(found.values())


def _starting(sound: str, chunk: str) -> float:
    initial = sound[:2] if sound[:2] in _INITIALS else sound[0]
    return (1.0 if chunk[0] in _INITIALS.get(initial, "") else 0.05) * 0.3 ** abs(len(chunk) - 2.2)


def cuts(syllables: Sequence[str], letters: str, table: dict[str, dict[str, float]]) -> tuple[float, Counter[tuple[str, str]]]:
    """Over all cuts of the letters into one chunk a syllable: log of their probability, and the expected uses of (syllable, chunk)."""

    def p(sound: str, chunk: str) -> float:
        return table[sound].get(chunk, 10.0 ** (-3 - len(chunk))) if sound in table else _starting(sound, chunk)

    count, size = len(syllables), len(letters)
    ahead = [[0.0] * (size + 1) for _ in range(count + 1)]
    behind = [[0.0] * (size + 1) for _ in range(count + 1)]
    ahead[0][0] = behind[count][size] = 1.0
    steps = [
        [(at, to, p(sound, letters[at:to])) for at in range(size) for to in range(at + 1, min(at + LONGEST_CHUNK, size) + 1)]
        for sound in syllables
    ]
    for i in range(count):
        for at, to, value in steps[i]:
            ahead[i + 1][to] += ahead[i][at] * value
    for i in reversed(range(count)):
        for at, to, value in steps[i]:
            behind[i][at] += value * behind[i + 1][to]
    total = ahead[count][size]
    uses: Counter[tuple[str, str]] = Counter()
    for i in range(count):
        for at, to, value in steps[i]:
            if (share := ahead[i][at] * value * behind[i + 1][to] / total) > 1e-4:
                uses[syllables[i], letters[at:to]] += share
    return math.log(total), uses


def learn(pairs: Sequence[Pair]) -> tuple[dict[str, dict[str, float]], list[Pair]]:
    """(chunks of letters by syllable with their probabilities, the names that are written by sound)."""
    table: dict[str, dict[str, float]] = {}
    kept = list(pairs)
    for number in range(ROUNDS):
        uses: Counter[tuple[str, str]] = Counter()
        kept = []
        for pair in pairs:
            value, used = cuts(pair[1], pair[2], table)
            # The first rounds know too little to judge.
            if number < 3 or value >= IMPROBABLE * len(pair[2]):
                kept.append(pair)
                uses += used
        counts: dict[str, dict[str, float]] = {}
        for (sound, chunk), value in sorted(uses.items()):
            counts.setdefault(sound, {})[chunk] = value
        table = {sound: {c: v / (sum(found.values()) + 2.0) for c, v in found.items() if v > 0.05} for sound, found in counts.items()}
        log.info("round %d: %d of %d names", number, len(kept), len(pairs))
    return table, kept


def make_table(data: Path) -> list[str]:
    """The lines: the surnames; then by syllable its characters in names with percents, its other characters, and its chunks."""
    table, names = learn(name_pairs(data))
    written: dict[str, Counter[str]] = {}
    for word, syllables, _ in names:
        for character, sound in zip(word, syllables, strict=True):
            written.setdefault(sound, Counter())[character] += 1
    usual = Counter(character for body in islice(news(data), 0, None, 64) for character in body[:1500] if HAN.match(character))
    in_names = sum(written.values(), Counter())
    share = {character: count / in_names.total() / max(usual[character] / usual.total(), 1e-7) for character, count in in_names.items()}
    surnames, readings = set[str](), dict[str, set[str]]()
    for head, sounds, glosses in entries(data):
        if len(head) == 1 and HAN.match(head) and len(sounds) == 1:
            if any(gloss.startswith("surname ") for gloss in glosses):
                surnames.add(head)
            if usual[head] >= 3 or head in surnames:
                readings.setdefault(syllable(sounds[0]), set()).add(head)
    lines = ["surnames\t" + "".join(sorted(surnames))]
    for sound in sorted(readings.keys() | table.keys()):
        found = [(count, c) for c, count in written.get(sound, Counter()).items() if count >= 3 and share[c] >= COMMON]
        total = sum(written.get(sound, Counter()).values()) or 1
        ordered = sorted(found, key=lambda item: (-item[0], item[1]))
        characters = "".join(f"{c}{max(1, round(100 * count / total))}" for count, c in ordered)
        chunks = sorted(
            ((p, chunk) for chunk, p in table.get(sound, {}).items() if 100 * p >= PERCENT), key=lambda item: (-item[0], item[1])
        )
        spelled = " ".join(f"{chunk}{round(1000 * p)}" for p, chunk in chunks) if found else ""
        lines.append(f"{sound}\t{characters}\t{''.join(sorted(readings.get(sound, ())))}\t{spelled}")
    return lines


def main() -> None:
    """Writes the table."""
    parser = argparse.ArgumentParser(prog="python -m train.train_sounds", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with cedict/ and news_zh/")
    parser.add_argument("--output", type=Path, default=PACKAGE / "model")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    lines = make_table(options.data)
    header = "# Sounds of names, learned from CC-CEDICT, CC BY-SA 4.0, https://www.mdbg.net/chinese/dictionary?page=cedict"
    text = unicodedata.normalize("NFC", "\n".join([header, *lines]) + "\n")
    (options.output / "sounds.txt").write_text(text, encoding="utf-8")
    log.info("%d lines, %d kB", len(lines), len(text.encode()) // 1000)


if __name__ == "__main__":
    main()
