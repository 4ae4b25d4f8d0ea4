"""Calibrates the reader's refusals: `python -m train.reader_calibrate --data DATA [--output rag/model/reader]` writes reader.json.

Each held-back question is read beside its own passage and the passages most like the question among all, as a search would bring them. A logistic curve
turns the logits of the best passage into a probability: its slopes are shared, its offset is each pair of languages' own. A strictness is the share of
answerable questions that may be refused.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from rag.search.reader import Passage, Reader
from train.reader_rows import HELD_BACK, HELD_BACK_CLAIMS, ClaimRow, QuestionRow, claim_rows, is_held_back, message_rows, question_rows

# Share of supported claims that may be called unsupported, and of answerable questions that each strictness may refuse.
FALSE_ALARMS = 0.07
REFUSED = {"strict": 0.14, "balanced": 0.06, "open": 0.02}
# Passages beside its own that a question is read with, and rows that a pair of languages needs for thresholds of its own.
BESIDE, ENOUGH = 4, 60


def nearest(rows: list[QuestionRow], passages: list[str], count: int) -> list[list[int]]:
    """Find, for each question, the passages that share most character pairs or words with it and its own passage, by TF-IDF."""
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True, max_features=200_000)
    table = vectorizer.fit_transform(passages)
    scores = (vectorizer.transform([f"{row.question} {row.passage.text[:200]}" for row in rows]) @ table.T).toarray()
    return [
        [int(i) for i in np.argsort(-line, kind="stable")[: count + 1] if passages[i] != row.passage.text][:count]
        for line, row in zip(scores, rows, strict=True)
    ]


def logits(reader: Reader, rows: list[QuestionRow], passages: list[str], sentences: dict[str, tuple[str, ...]]) -> np.ndarray:
    """Read each question beside its passages: (rows, 2) of the best passage's logit and the best sentence's of the two best passages."""
    read = np.zeros((len(rows), 2))
    for number, (row, near) in enumerate(zip(rows, nearest(rows, passages, BESIDE), strict=True)):
        lot = [Passage("", tuple(row.passage.sentences())), *(Passage("", sentences[passages[i]]) for i in near)]
        readings = sorted(reader.read(row.question, lot, row.history), key=lambda reading: -reading.answers)
        read[number] = readings[0].answers, max(max(reading.sentences) for reading in readings[:2])
    return read


def calibrate(read: np.ndarray, truth: np.ndarray, pairs: list[str]) -> tuple[dict[str, list[float]], dict[str, dict[str, float]]]:
    """Fit the curve and choose the thresholds, for "all" and for each pair of languages with rows enough."""
    curve = LogisticRegression(C=1.0).fit(read, truth)
    slopes = curve.coef_[0]
    calibration = {"all": [*slopes.round(4).tolist(), round(float(curve.intercept_[0]), 4)]}
    thresholds = {"all": _thresholds(_probability(read, calibration["all"]), truth)}
    for pair in sorted(set(pairs)):
        mine = np.array([each == pair for each in pairs])
        if min(truth[mine].sum(), (1 - truth[mine]).sum()) >= ENOUGH / 2 and truth[mine].sum() >= ENOUGH:
            offset = LogisticRegression(C=1.0).fit((read[mine] @ slopes)[:, None], truth[mine])
            scale, bias = float(offset.coef_[0][0]), float(offset.intercept_[0])
            calibration[pair] = [*(scale * slopes).round(4).tolist(), round(bias, 4)]
            thresholds[pair] = _thresholds(_probability(read[mine], calibration[pair]), truth[mine])
    return calibration, thresholds


def _probability(read: np.ndarray, curve: list[float]) -> np.ndarray:
    return 1 / (1 + np.exp(-(read @ np.array(curve[:2]) + curve[2])))


def _thresholds(probability: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {name: round(float(np.quantile(probability[truth == 1], share)), 4) for name, share in REFUSED.items()}


def support_shift(reader: Reader, rows: list[ClaimRow]) -> float:
    """Return what is added to the logit of "unsupported", so that FALSE_ALARMS of the held-back supported claims reach one half."""
    margins = []
    for row in rows:
        if row.label == 0 and is_held_back(row.passage.text, HELD_BACK_CLAIMS):
            supported, partial, unsupported = (max(chance, 1e-6) for chance in reader.support(row.claim, row.passage.sentences()))
            margins.append(np.log(unsupported) - np.log(supported + partial))
    return -float(np.quantile(margins, 1 - FALSE_ALARMS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--own", type=Path, default=Path(__file__).parent / "rows")
    parser.add_argument("--output", type=Path, default=Path("rag/model/reader"))
    parser.add_argument("--limit", type=int, default=100_000, help="held-back questions at most")
    options = parser.parse_args()
    rows = question_rows(options.data, options.own)
    passages = list(dict.fromkeys(row.passage.text for row in rows))
    sentences = {row.passage.text: tuple(row.passage.sentences()) for row in rows}
    held = [row for row in rows if is_held_back(row.passage.text, HELD_BACK)][: options.limit]
    settings = json.loads((options.output / "reader.json").read_text(encoding="utf-8"))
    settings |= {
        "intents": sorted({row.intent for row in message_rows(options.data)}),
        "calibration": {"all": [0.5, 0.5, 0.0]},
        "thresholds": {"all": dict.fromkeys(REFUSED, 0.5)},
    }
    (options.output / "reader.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    reader = Reader(options.output)
    pairs = [f"{row.language}-{row.passage.language}" for row in held]
    truth = np.array([int(row.answerable) for row in held])
    read = logits(reader, held, passages, sentences)
    settings["calibration"], settings["thresholds"] = calibrate(read, truth, pairs)
    settings["support_shift"] = [0.0, 0.0, round(support_shift(reader, claim_rows(options.data, options.own)), 4)]
    (options.output / "reader.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    for name, least in settings["thresholds"]["all"].items():
        chance = np.array(
            [
                _probability(r[None], settings["calibration"].get(p, settings["calibration"]["all"]))[0]
                for r, p in zip(read, pairs, strict=True)
            ]
        )
        bounds = np.array([settings["thresholds"].get(p, settings["thresholds"]["all"])[name] for p in pairs])
        refused = chance < bounds
        print(
            f"{name}: all {least}; refused of answerable {refused[truth == 1].mean():.3f}, of unanswerable {refused[truth == 0].mean():.3f}"
        )


if __name__ == "__main__":
    main()
