"""Makes translations.txt.gz, the table of `rag.search.translate`: `python -m train.train_translation --data DATA [--output rag/model]`.

IBM Model 1 in both directions over sentences of Tatoeba, aligned paragraphs of technical texts and the entries of CC-CEDICT, whose glosses
count as sentences; a translation is as good as both directions say it is. Chinese is cut into the dictionary's words by their frequency in
news. Two minutes, no randomness.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from rag.config import PACKAGE
from rag.index.lexical import terms
from rag.search.translate import LONGEST_PHRASE, LONGEST_WORD, segment
from rag.text.normalize import search_form
from train.public_data import HAN_RUN, aligned_blocks, cedict, news, tatoeba

log = logging.getLogger(__name__)

LATIN = re.compile(r"[a-z][a-z0-9+.-]+")
"""Words that have translations; figures and single letters stand for themselves."""
# Words of grammar translate into grammar, which tells no passage from another.
FUNCTION_WORDS = frozenset(
    "a an the of to in on at for by with from as is are be was were been am and or not it its this that he she they his her their you your i we my our me him them "
    "do doe did have has had will would can could may might shall should must sb sth etc eg ie one's somebod someth there so if but than then ll re ve nd rd th st don "
    "的 了 在 是 我 你 他 她 它 们 这 那 和 与 也 就 都 而 及 着 之 于 吗 呢 吧 啊 我们 你们 他们 她们 它们 一个 这个 那个".split()
)
KEPT = 16
"""Translations of a word at most."""
LEAST = 0.01
"""Probability below which a translation is dropped."""
RARITY = {"zh": 0.2, "en": 0.3}
"""Exponent on the frequency of a translation: a dictionary lists common and rare words alike, and a rare one was seen beside one word only."""


def dictionary_words(data: Path) -> dict[str, list[str]]:
    """Chinese word (simplified, search form) -> its glosses."""
    words: dict[str, list[str]] = {}
    for headword, glosses in cedict(data):
        form = search_form(headword)
        if HAN_RUN.fullmatch(form) and len(form) <= LONGEST_WORD:
            words.setdefault(form, []).extend(glosses)
    return words


def word_costs(data: Path, words: Sequence[str], articles: int = 4000) -> dict[str, float]:
    """Minus log of each word's share of news text, by counting twice: first with equal costs for all words, then with those found."""
    runs = [run for body in islice(news(data), 0, None, 16) for run in HAN_RUN.findall(search_form(body[:1500]))][: articles * 60]
    costs = dict.fromkeys(words, 10.0)
    for _ in range(2):
        counts = Counter(word for run in runs for word in segment(run, costs.get))
        total = sum(counts.values()) + len(costs)
        costs = {word: -math.log((counts[word] + (0.5 if len(word) > 1 else 0.05)) / total) for word in costs}
    return costs


def model_1(pairs: Sequence[tuple[list[str], list[str]]], weights: np.ndarray, rounds: int = 6) -> dict[str, dict[str, float]]:
    """IBM Model 1: for each word of the left sides, the probabilities of the words of the right sides. Nothing (left 0) takes what is left over."""
    left_names = {name: i for i, name in enumerate(dict.fromkeys(["", *(word for left, _ in pairs for word in left)]))}
    right_names = {name: i for i, name in enumerate(dict.fromkeys(word for _, right in pairs for word in right))}
    lefts, rights, groups, shares = [], [], [], []
    group = 0
    for (left, right), weight in zip(pairs, weights, strict=True):
        a = np.array([0, *(left_names[word] for word in left)])
        b = np.array([right_names[word] for word in right])
        lefts.append(np.tile(a, len(b)))
        rights.append(np.repeat(b, len(a)))
        groups.append(np.repeat(np.arange(group, group + len(b)), len(a)))
        shares.append(np.full(len(a) * len(b), weight, dtype=np.float32))
        group += len(b)
    left, right, groups, shares = map(np.concatenate, (lefts, rights, groups, shares))
    cells, place = np.unique(left.astype(np.int64) * len(right_names) + right, return_inverse=True)
    cell_left = cells // len(right_names)
    probability = np.ones(len(cells))
    for _ in range(rounds):
        fit = probability[place]
        fit *= shares / np.maximum(np.bincount(groups, fit, minlength=group), 1e-12)[groups]
        counts = np.bincount(place, fit, minlength=len(cells))
        probability = counts / np.maximum(np.bincount(cell_left, counts), 1e-12)[cell_left]
    names_left, names_right = list(left_names), list(right_names)
    table: dict[str, dict[str, float]] = {}
    for cell in np.flatnonzero((probability >= 0.002) & (cell_left > 0)):
        table.setdefault(names_left[cell_left[cell]], {})[names_right[cells[cell] % len(right_names)]] = float(probability[cell])
    return table


def english_words(text: str) -> list[str]:
    """Lexical terms of a text without those of grammar."""
    return [term for term in dict.fromkeys(terms(text)) if term not in FUNCTION_WORDS and LATIN.fullmatch(term)]


def sentence_pairs(data: Path, costs: dict[str, float]) -> tuple[list[tuple[list[str], list[str]]], np.ndarray]:
    """(English terms, Chinese words) of everything that is parallel, and how much each pair counts."""

    def chinese_words(text: str) -> list[str]:
        runs = HAN_RUN.findall(search_form(text))
        return [word for word in dict.fromkeys(word for run in runs for word in segment(run, costs.get)) if word not in FUNCTION_WORDS]

    pairs, weights = [], []
    for source, weight in ((tatoeba(data), 1.0), (aligned_blocks(data), 1.0)):
        for english, chinese in source:
            english_sentences = [s for s in re.split(r"(?<=[.!?])\s+", english) if s.strip()]
            chinese_sentences = [s for s in re.split(r"(?<=[。！？])", chinese) if s.strip()]
            if len(english_sentences) != len(chinese_sentences):
                english_sentences, chinese_sentences = [english], [chinese]
            for e, c in zip(english_sentences, chinese_sentences, strict=True):
                left, right = english_words(e), chinese_words(c)
                # A name that stays as it is explains itself, and no word that happens to stand beside it.
                right += [term for term in english_words(c) if term in left]
                if left and right and len(left) * len(right) <= 2500:
                    pairs.append((left, right))
                    weights.append(weight)
    for word, glosses in dictionary_words(data).items():
        for gloss in glosses[:6]:
            if left := english_words(gloss)[:6]:
                pairs.append((left, [word]))
                weights.append(1.0 / len(left) ** 0.5)
        # A compound teaches its parts as well: "marine biology" is the sea's biology.
        parts = [
            part
            for part in segment(word, lambda part, whole=word: None if part == whole else costs.get(part))
            if part not in FUNCTION_WORDS
        ]
        if len(word) > 2 and len(parts) > 1 and max(map(len, parts)) > 1:
            for gloss in glosses[:3]:
                if 2 <= len(left := english_words(gloss)) <= 6:
                    pairs.append((left, parts))
                    weights.append(1.0)
    return pairs, np.array(weights, dtype=np.float32)


def phrases(data: Path) -> dict[str, Counter[str]]:
    """English phrases of two or three terms that are a gloss as a whole -> Chinese words, counted."""
    found: dict[str, Counter[str]] = {}
    for word, glosses in dictionary_words(data).items():
        for gloss in glosses:
            gloss = re.sub(r"^(?:to|a|an|the) ", "", gloss.lower())
            if re.fullmatch(r"[a-z -]+", gloss):
                key = terms(gloss.replace("-", " "))
                if 2 <= len(key) <= LONGEST_PHRASE and not FUNCTION_WORDS & set(key) and len(word) > 1:
                    found.setdefault(" ".join(key), Counter())[word] += 1
    return found


def agreed(there: dict[str, dict[str, float]], back: dict[str, dict[str, float]], word: str) -> dict[str, float]:
    """How good each translation of a word is: the geometric mean of what either direction says, so that a word which only ever stood beside it
    falls behind one that means it."""
    return {other: math.sqrt(p * max(back.get(other, {}).get(word, 0.0), 1e-4)) for other, p in there.get(word, {}).items()}


def pruned(table: dict[str, float]) -> str:
    """translation:percent, best first, what is kept of it sums to 1."""
    ranked = sorted(((p, w) for w, p in table.items() if w not in FUNCTION_WORDS), key=lambda item: (-item[0], item[1]))
    total = sum(p for p, _ in ranked)
    best = [(p, word) for p, word in ranked[:KEPT] if p >= LEAST * total]
    total = sum(p for p, _ in best)
    return "|".join(f"{word}:{max(1, round(100 * p / total))}" for p, word in best)


def make_table(data: Path) -> list[str]:
    """The lines of the table, sorted."""
    words = dictionary_words(data)
    costs = word_costs(data, list(words))
    log.info("%d Chinese words", len(costs))
    pairs, weights = sentence_pairs(data, costs)
    log.info("%d pairs", len(pairs))
    to_chinese = model_1(pairs, weights)
    log.info("English to Chinese: %d words", len(to_chinese))
    to_english = model_1([(right, left) for left, right in pairs], weights)
    log.info("Chinese to English: %d words", len(to_english))
    seen = Counter(term for left, _ in pairs for term in left)
    lines = []
    for word, cost in costs.items():
        found = pruned({term: p * seen[term] ** RARITY["en"] for term, p in agreed(to_english, to_chinese, word).items()})
        # A word without a translation still matters where a sentence is cut.
        if found or cost < 12:
            lines.append(f"{word}\t{cost:.1f}\t{found}")
    by_meaning = phrases(data)
    for key, counts in by_meaning.items():
        # Among words for the same thing the frequent ones come first.
        frequency = {word: count * math.exp(-costs[word] / 3) for word, count in counts.items()}
        lines.append(f"{key}\t0\t{pruned({word: value / sum(frequency.values()) for word, value in frequency.items()})}")
    for term in to_chinese:
        # What Chinese texts write in Latin letters has no translation.
        if max(to_chinese[term].items(), key=lambda item: (item[1], item[0]))[0] == term:
            continue
        common = {
            word: p * math.exp(-RARITY["zh"] * costs.get(word, 14.0))
            for word, p in agreed(to_chinese, to_english, term).items()
            if word != term
        }
        if term not in FUNCTION_WORDS and (text := pruned(common)):
            lines.append(f"{term}\t0\t{text}")
    return sorted(lines)


def main() -> None:
    """Writes the table."""
    parser = argparse.ArgumentParser(prog="python -m train.train_translation", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with tatoeba_cmn_en/, cedict/, text_zh_en/ and news_zh/")
    parser.add_argument("--output", type=Path, default=PACKAGE / "model")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    lines = make_table(options.data)
    packed = gzip.compress("\n".join(lines).encode("utf-8"), 9, mtime=0)
    (options.output / "translations.txt.gz").write_bytes(packed)
    log.info("%d lines, %.1f MB", len(lines), len(packed) / 1e6)


if __name__ == "__main__":
    main()
