"""The figures, as plain functions on values: each with its formula, where the formula comes from and nothing else.

Answers are compared as strings and evidence by its letters; what a sentence means is not judged here.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .data import Match, Place

Judge = Callable[[str, Sequence[str]], bool]
"""Whether the texts together support the claim."""

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


@lru_cache(maxsize=50_000)
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
    half = (len(gold) + 1) // 2
    return any(gold[start : start + half] in quote for start in range(len(gold) - half + 1))


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


def ndcg_at_k(shown: Sequence[frozenset[int]], items: frozenset[int], k: int) -> float:
    """sum over the first k results of (share of the wanted items that no result before it shows) / log2(rank + 1); best is 1.

    The ideal is a first result that shows everything. With one wanted item this is nDCG with one relevant result (Järvelin and
    Kekäläinen 2002). Raises ValueError when no item is wanted.
    """
    if not items:
        raise ValueError("nDCG of nothing: give at least one item")
    gain, seen = 0.0, frozenset[int]()
    for rank, found in enumerate(shown[:k], 1):
        gain += len((found & items) - seen) / len(items) / math.log2(rank + 1)
        seen |= found
    return gain


def answer_tokens(text: str) -> list[str]:
    """Han characters singly, other letters and digits in runs: the units of token F1 for both languages.

    >>> answer_tokens("约 70% 的云资源, cloud")
    ['约', '70', '的', '云', '资', '源', 'cloud']
    """
    return re.findall(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+", unicodedata.normalize("NFKC", text).lower())


def token_f1(answer: str, answers: Sequence[Sequence[str]]) -> float:
    """2PR / (P + R) of the tokens that answer and reference share, counted with repetition (SQuAD, Rajpurkar et al. 2016).

    The reference is, for each item, the accepted form that the answer comes closest to. Whole sentences score low by their length:
    the figure compares two runs, it does not stand alone. Raises ValueError without accepted forms.
    """
    if not answers:
        raise ValueError("F1 against nothing: give at least one accepted form")
    said = answer_tokens(answer)
    reference = [token for forms in answers for token in answer_tokens(max(forms, key=lambda form: _f1(said, answer_tokens(form))))]
    return _f1(said, reference)


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def claim_recall(claim: str, quotes: Sequence[str], judge: Judge) -> float:
    """1 when the quotes that a claim cites, taken together, support it, else 0; 0 without a quote (ALCE, Gao et al. 2023, section 3.3)."""
    return float(bool(quotes) and judge(claim, quotes))


def claim_precision(claim: str, quotes: Sequence[str], judge: Judge) -> float:
    """Share of a claim's citations that are not irrelevant; 0 when the claim is not supported by all of them together (ALCE).

    A citation is irrelevant when it does not support the claim alone and the others support it without it.
    Raises ValueError when nothing is cited.
    """
    if not quotes:
        raise ValueError("precision of nothing: give at least one citation")
    if not claim_recall(claim, quotes, judge):
        return 0.0
    rest = [[*quotes[:at], *quotes[at + 1 :]] for at in range(len(quotes))]
    irrelevant = [bool(others) and not judge(claim, [quote]) and judge(claim, others) for quote, others in zip(quotes, rest, strict=True)]
    return 1 - sum(irrelevant) / len(quotes)


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


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """P(score of a positive > score of a negative) + half of P(equal): the area under the ROC curve (Hanley and McNeil 1982).

    0.5 is chance. Raises ValueError when one side is empty.
    """
    if not positive or not negative:
        raise ValueError("AUROC needs scores of both sides")
    above = np.asarray(positive)[:, None] - np.asarray(negative)[None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def caught_at(alarms: float, positive: Sequence[float], negative: Sequence[float]) -> float:
    """Share of the positives above the lowest limit that at most this share of the negatives exceed: the true positive rate at a false positive rate.

    >>> caught_at(0.25, [9, 7, 2], [8, 3, 1, 0])
    0.6666666666666666
    """
    limit = sorted(negative, reverse=True)[min(int(alarms * len(negative) + 1e-9), len(negative) - 1)]
    return sum(score > limit for score in positive) / len(positive)


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of like probability: how many, what they said on average, and how often it came true."""

    low: float
    high: float
    n: int
    said: float
    happened: float


def reliability(predictions: Sequence[tuple[float, bool]], bins: int = 10) -> list[Bin]:
    """(probability, whether it came true) sorted into bins of equal width, empty ones left out (DeGroot and Fienberg 1983).

    >>> [(each.low, each.n, each.happened) for each in reliability([(0.95, True), (1.0, False), (0.1, False)])]
    [(0.1, 1, 0.0), (0.9, 2, 0.5)]
    """
    sorted_in: dict[int, list[tuple[float, bool]]] = {}
    for probability, happened in predictions:
        sorted_in.setdefault(min(int(probability * bins + 1e-9), bins - 1), []).append((probability, happened))
    return [
        Bin(at / bins, (at + 1) / bins, len(those), sum(p for p, _ in those) / len(those), sum(h for _, h in those) / len(those))
        for at, those in sorted(sorted_in.items())
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """sum over bins of n / N x |said - happened|; 0 is calibrated, less is better (Naeini et al. 2015).

    >>> expected_calibration_error([Bin(0.0, 0.5, 3, 0.25, 0.25), Bin(0.5, 1.0, 1, 0.75, 0.25)])
    0.125
    """
    total = sum(each.n for each in bins)
    return sum(each.n * abs(each.said - each.happened) for each in bins) / total if total else 0.0


def risk_coverage(confidence: Sequence[float], wrong: Sequence[bool]) -> list[tuple[float, float]]:
    """(share of questions answered, share of those that are wrong) when only the most confident are answered, one point for each
    distinct confidence (El-Yaniv and Wiener 2010). Questions of equal confidence are answered together.

    >>> risk_coverage([3, 2, 2, 1], [False, True, False, True])
    [(0.25, 0.0), (0.75, 0.3333333333333333), (1.0, 0.5)]
    """
    order = sorted(zip(confidence, wrong, strict=True), key=lambda pair: -pair[0])
    points, errors = [], 0
    for position, (value, error) in enumerate(order, 1):
        errors += error
        if position == len(order) or order[position][0] != value:
            points.append((position / len(order), errors / position))
    return points


def area_under_risk(points: Sequence[tuple[float, float]]) -> float:
    """sum of risk x (coverage - coverage before): the mean risk over all coverages, less is better (AURC, Geifman et al. 2019)."""
    before, area = 0.0, 0.0
    for coverage, risk in points:
        area += risk * (coverage - before)
        before = coverage
    return area


def paired_interval(first: Sequence[float], second: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """(mean of second - first over the same questions, its 95 % bootstrap interval). Resamples questions, so both stay together."""
    differences = [after - before for before, after in zip(first, second, strict=True)]
    return (sum(differences) / len(differences), *bootstrap_interval(differences, seed=seed))


def sign_test(better: int, worse: int) -> float:
    """Two-sided exact probability of so uneven a split if each change were a coin toss (McNemar 1947, exact form); 1.0 for no change.

    >>> sign_test(5, 0), sign_test(3, 3)
    (0.0625, 1.0)
    """
    n, most = better + worse, max(better, worse)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(most, n + 1)) / 2**n) if n else 1.0


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
