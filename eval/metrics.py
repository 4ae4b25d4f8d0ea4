"""The figures, as plain functions on values: each with its formula, where the formula comes from and nothing else.

Answers are compared as strings and evidence by its letters; what a sentence means is not judged here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from .data import Match, Place

SHORTEST_EVIDENCE = 4
"""Letters that a citation inside a gold quote must have to count: a lone name or figure shows nothing."""


def squeeze(text: str) -> str:
    """NFKC, lower case, no white space save between digits, no commas between thousands.

    White space between digits stays since "2030 70" is two numbers.

    >>> squeeze("ＡＩ 市场 1,500 万")
    'ai市场1500万'
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", folded))


def bare(text: str) -> str:
    """The letters and digits of the squeezed text: what is left when punctuation and markup are ignored."""
    return "".join(character for character in squeeze(text) if character.isalnum())


def answer_hit(answer: str, answers: Sequence[Sequence[str]], match: Match = "all") -> bool:
    """Whether the answer holds an accepted form of every item ("all") or of one item ("any"), compared squeezed.

    answer_hit = all / any over items ( any over forms ( form in answer ) ); a form that begins or ends with a digit must not stand
    inside a longer number. This is the containment match of open-domain question answering (Chen et al. 2017, "has answer"), item by item.
    """
    squeezed = squeeze(answer)
    found = [any(_stands_in(squeeze(form), squeezed) for form in forms) for forms in answers]
    return bool(found) and (all(found) if match == "all" else any(found))


def _stands_in(form: str, text: str) -> bool:
    before = r"(?<!\d)(?<!\d\.)" if form[:1].isdigit() else ""
    after = r"(?!\d|\.\d)" if form[-1:].isdigit() else ""
    return bool(form) and re.search(before + re.escape(form) + after, text) is not None


def overlaps(quote: str, gold: str) -> bool:
    """Whether a cited or retrieved text shows the gold quote, white space and punctuation ignored.

    True when the longest run of letters that both share is at least half of the gold quote, or the whole of `quote` lies within it. A half
    is also what ERASER (DeYoung et al. 2020) asks of a highlighted rationale; here it must be one run of letters.
    """
    quote, gold = bare(quote), bare(gold)
    if not gold:
        return False
    if gold in quote or (len(quote) >= SHORTEST_EVIDENCE and quote in gold):
        return True
    return 2 * SequenceMatcher(None, quote, gold, autojunk=False).find_longest_match().size >= len(gold)


def items_shown(text: str, document: str, gold: Sequence[Place]) -> frozenset[int]:
    """The items of the gold that this text of this document shows."""
    return frozenset(place.item for place in gold if place.document == document and overlaps(text, place.quote))


def recall_at_k(shown: Sequence[frozenset[int]], items: frozenset[int], k: int) -> float:
    """Share of the wanted items that the first k results show: |items ∩ (shown_1 ∪ … ∪ shown_k)| / |items|.

    `shown` holds, for each result from the best, the items that it shows. (Manning, Raghavan and Schütze 2008, section 8.3.)
    Raises ValueError when no item is wanted.
    """
    if not items:
        raise ValueError("recall of nothing: give at least one item")
    return len(items & frozenset().union(*shown[:k])) / len(items)


def reciprocal_rank(shown: Sequence[frozenset[int]], items: frozenset[int]) -> float:
    """1 / rank of the first result that shows a wanted item, 0 when none does (Voorhees 1999, TREC-8). Its mean is MRR."""
    return next((1 / rank for rank, found in enumerate(shown, 1) if found & items), 0.0)


def evidence_covered(cited: Sequence[frozenset[int]], items: frozenset[int]) -> float:
    """Share of the wanted items that the citations show, in any order: citation recall (ALCE, Gao et al. 2023) on gold places."""
    return recall_at_k(cited, items, len(cited))


def citation_precision(cited: Sequence[frozenset[int]]) -> float:
    """Share of the citations that show a wanted item. A lower bound: a report may say a thing where no gold place was noted.

    Raises ValueError when nothing is cited.
    """
    if not cited:
        raise ValueError("precision of nothing: give at least one citation")
    return sum(bool(items) for items in cited) / len(cited)


def false_refusal(refused: Sequence[bool]) -> float:
    """Refused answerable questions / answerable questions (the miss rate of answering). `refused` is of the answerable ones only."""
    return sum(refused) / len(refused)


def false_answer(refused: Sequence[bool]) -> float:
    """Answered unanswerable questions / unanswerable questions (the false-alarm rate). `refused` is of the unanswerable ones only."""
    return 1 - sum(refused) / len(refused)


def balanced_accuracy(refused_answerable: Sequence[bool], refused_unanswerable: Sequence[bool]) -> float:
    """1 - (false refusal + false answer) / 2: always refusing and never refusing both give 0.5 (Brodersen et al. 2010)."""
    return 1 - (false_refusal(refused_answerable) + false_answer(refused_unanswerable)) / 2


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile: the smallest value that at least `share` (above 0, up to 1) of the values do not exceed."""
    return sorted(values)[max(0, int(np.ceil(share * len(values))) - 1)]


def bootstrap_interval(*groups: Sequence[float], level: float = 0.95, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of the mean of the groups' means; with one group that is its mean (Efron and Tibshirani 1993, chapter 13).

    Each group is resampled with replacement to its own size, so a figure over two kinds of question keeps both sizes. The same
    values and seed give the same interval. Groups must not be empty.
    """
    generator = np.random.default_rng(seed)
    means = np.zeros(resamples)
    for values in groups:
        sample = np.asarray(values, dtype=np.float64)
        means += sample[generator.integers(0, len(sample), (resamples, len(sample)))].mean(axis=1)
    low, high = np.quantile(means / len(groups), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
