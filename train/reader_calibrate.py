"""Calibrates the reader: `python -m train.reader_calibrate --data DATA [--output rag/model/reader]` writes reader.json.

All passages of the rows become an index of their own, and each held-back question is searched and read in it as the product does. Three logistic curves are
fitted on what was read: how a sentence's logit, its passage's and its overlap say that it belongs to the answer (`mix`); how a passage's logits and overlap
say that it answers; and, by pair of languages, what the best passage's says of the whole question (`calibration`). A strictness is the share of answerable
questions that may be refused.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from rag.index.build import build_index
from rag.index.encoder import BuiltinEncoder
from rag.index.snapshot import open_index
from rag.search.evidence import READ_FIRST, READ_MORE, Retriever
from rag.search.overlap import Overlap
from rag.search.question import read_question
from rag.search.reader import Reader
from rag.search.sentences import SentenceIndex
from train.reader_rows import HELD_BACK, HELD_BACK_CLAIMS, ClaimRow, QuestionRow, claim_rows, is_held_back, message_rows, question_rows

# Share of supported claims that may be called unsupported, and of answerable questions that each strictness may refuse.
FALSE_ALARMS = 0.07
REFUSED = {"strict": 0.15, "balanced": 0.06, "open": 0.02}
# Answerable questions that a pair of languages needs for a curve of its own.
ENOUGH = 40


@dataclass(frozen=True, slots=True)
class Read:
    """What was read for a question: features of its passages with which of them is its own, and of their sentences with which are gold."""

    pair: str
    answerable: bool
    # (passages, 3): logit of the passage, best logit of a sentence, best overlap.
    passages: np.ndarray
    own: np.ndarray
    # (sentences, 3): logit of the sentence, of its passage, overlap.
    sentences: np.ndarray
    gold: np.ndarray


def read_all(reader: Reader, rows: list[QuestionRow], texts: list[str], folder: Path) -> list[Read]:
    """Search and read each question in an index of all passages; their order in `texts` is the name of their file."""
    for number, text in enumerate(texts):
        (folder / "reports").mkdir(exist_ok=True)
        (folder / "reports" / f"p{number:05}.txt").write_text(text, encoding="utf-8")
    encoder = BuiltinEncoder()
    build_index([folder / "reports"], folder / "index", encoder)
    store, index = open_index(folder / "index", encoder=encoder), SentenceIndex()
    retriever = Retriever(store, encoder, reader, index, Overlap(encoder, index), 60, 12)
    numbers = {text: f"p{number:05}" for number, text in enumerate(texts)}
    found = []
    for row in rows:
        question = read_question(row.question)
        hits = [one.hit for one in retriever.explained(question, "", None, 12, explain=False)][: READ_FIRST + READ_MORE]
        lots = [(hit, retriever._lot(hit)) for hit in hits]
        readings = reader.read(row.question, [passage for _, (passage, _) in lots], row.history)
        overlaps = retriever._overlaps(question, "", [(hit, sentences) for hit, (_, sentences) in lots])
        gold = [_packed(s) for s, label in zip(row.passage.sentences(), row.labels, strict=True) if label == 1]
        passages, own, sentences, marks = [], [], [], []
        for (hit, (_, lot)), reading, overlap in zip(lots, readings, overlaps, strict=True):
            if not lot:
                continue
            mine = hit.chunk.document.startswith(numbers[row.passage.text]) and row.answerable
            labels = [
                mine and any(_packed(sentence.text) in quote or quote in _packed(sentence.text) for quote in gold) for sentence in lot
            ]
            passages.append((reading.answers, max(reading.sentences), max(overlap)))
            own.append(any(labels))
            sentences += [(logit, reading.answers, share) for logit, share in zip(reading.sentences, overlap, strict=True)]
            marks += labels
        if passages:
            pair = f"{row.language}-{row.passage.language}"
            found.append(Read(pair, row.answerable, np.array(passages), np.array(own), np.array(sentences), np.array(marks)))
    return found


def _packed(text: str) -> str:
    return re.sub(r"\W+", "", text)


def fit(features: np.ndarray, truth: np.ndarray) -> list[float]:
    """Fit a logistic curve: its slopes, then its offset."""
    curve = LogisticRegression(C=1.0, max_iter=1000).fit(features, truth)
    return [*curve.coef_[0].round(4).tolist(), round(float(curve.intercept_[0]), 4)]


def chances(features: np.ndarray, curve: list[float]) -> np.ndarray:
    return 1 / (1 + np.exp(-(features @ np.array(curve[:-1]) + curve[-1])))


def calibrate(read: list[Read]) -> dict[str, object]:
    """Fit the three curves and choose the thresholds, for "all" and for each pair of languages with questions enough."""
    answered = [one for one in read if one.answerable]
    mix = fit(np.concatenate([one.sentences for one in answered]), np.concatenate([one.gold for one in answered]))
    slopes = np.array(fit(np.concatenate([one.passages for one in read]), np.concatenate([one.own for one in read]))[:-1])
    best = np.array([(one.passages @ slopes).max() for one in read])
    truth, pairs = np.array([one.answerable for one in read]), [one.pair for one in read]
    calibration, thresholds = {}, {}
    for pair in ("all", *sorted(set(pairs))):
        mine = np.array([pair in ("all", each) for each in pairs])
        if pair == "all" or min(truth[mine].sum(), (~truth[mine]).sum()) >= ENOUGH:
            scale, offset = fit(best[mine][:, None], truth[mine])
            calibration[pair] = [*(scale * slopes).round(4).tolist(), offset]
            likely = chances(best[mine][:, None], [scale, offset])
            thresholds[pair] = {name: round(float(np.quantile(likely[truth[mine]], share)), 4) for name, share in REFUSED.items()}
            for name, least in thresholds[pair].items():
                print(
                    f"{pair} {name} {least}: unanswerable refused {(likely[~truth[mine]] < least).mean():.3f} of {(~truth[mine]).sum()}",
                    flush=True,
                )
    hits = [one.gold[int(chances(one.sentences, mix).argmax())] for one in answered if one.gold.any()]
    print(
        f"mix {mix}; first sentence is gold {np.mean(hits):.3f} of {len(hits)}; gold is read {np.mean([one.gold.any() for one in answered]):.3f}"
    )
    for name, alone in (("reader", [1, 0.5, 0, 0]), ("overlap", [0, 0, 1, 0])):
        print(
            name,
            "alone",
            round(float(np.mean([one.gold[int(chances(one.sentences, alone).argmax())] for one in answered if one.gold.any()])), 3),
        )
    return {"mix": mix, "calibration": calibration, "thresholds": thresholds}


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
    texts = list(dict.fromkeys(row.passage.text for row in rows))
    held = [row for row in rows if is_held_back(row.passage.text, HELD_BACK) and not row.history][: options.limit]
    path = options.output / "reader.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings |= {
        "intents": sorted({row.intent for row in message_rows(options.data)}),
        "mix": [1.0, 0.5, 0.0, 0.0],
        "calibration": {"all": [0.5, 0.5, 0.0, 0.0]},
        "thresholds": {"all": dict.fromkeys(REFUSED, 0.5)},
        "support_shift": [0.0, 0.0, 0.0],
    }
    path.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    reader = Reader(options.output)
    settings["support_shift"][2] = round(support_shift(reader, claim_rows(options.data, options.own)), 4)
    with tempfile.TemporaryDirectory() as folder:
        settings |= calibrate(read_all(reader, held, texts, Path(folder)))
    path.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
