"""Learns how the built-in encoder mixes with BM25: `python -m rag.model.calibrate --data DATA [--output rag/model]` writes fusion.json.

Within a language the weight of the cosine is chosen by mean reciprocal rank (CMRC trial; four articles of SQuAD). Across languages also a
scale and an offset, by which the scores of both languages mean the same: two logistic curves of being the right passage are laid over each
other (four articles of XQuAD). None of these questions is trained on or reported.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag.encoder import BuiltinEncoder
from rag.fusion import bm25
from rag.lexical import terms
from rag.model.train import TRAINED_ARTICLES, TUNED_ARTICLES, squad_format
from rag.question import strip_asking
from rag.translate import translated_shares

WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Of the cosine beside BM25 over the total idf; within a language it is not to outweigh the words of a question that are there."""
WEIGHTS_ACROSS = (0.3, 0.5, 0.8, 1.0, 1.25, 1.5)
OWN_LANGUAGE = 0.1
"""What a passage in the question's own language has ahead of an equally good one in the other."""

Asked = tuple[list[str], list[str], np.ndarray]
"""(questions, passages, the passage of each question)."""


def tuned_articles(file: Path) -> Asked:
    """Questions of the tuned articles, all passages of the file."""
    questions, passages, owners = [], [], []
    for number, article in enumerate(json.loads(file.read_text(encoding="utf-8"))["data"]):
        for paragraph in article["paragraphs"]:
            if TRAINED_ARTICLES <= number < TUNED_ARTICLES:
                questions += [qa["question"] for qa in paragraph["qas"]]
                owners += [len(passages)] * len(paragraph["qas"])
            passages.append(paragraph["context"])
    return questions, passages, np.array(owners)


def trial(file: Path) -> Asked:
    """CMRC trial."""
    found = squad_format(file)
    owners = np.repeat(np.arange(len(found)), [len(asked) for _, asked in found])
    return [question for _, asked in found for question in asked], [passage for passage, _ in found], owners


def lexical_scores(asked: Asked, target: str | None) -> np.ndarray:
    """(questions, passages); `target` is the passages' language when it is not the questions'."""
    questions, passages, _ = asked
    split = [terms(passage) for passage in passages]
    if target is None:
        return bm25([terms(strip_asking(question)) for question in questions], split)
    holding: dict[str, int] = {}
    for passage in split:
        for term in set(passage):
            holding[term] = holding.get(term, 0) + 1

    def frequencies(names):
        return {name: holding.get(name, 0) for name in names}

    return bm25([translated_shares(strip_asking(question), target, frequencies, len(passages)) for question in questions], split)


def cosines(encoder: BuiltinEncoder, asked: Asked) -> np.ndarray:
    """(questions, passages)."""
    return encoder.encode([strip_asking(question) for question in asked[0]], query=True) @ encoder.encode(asked[1]).T


def reciprocal_rank(scores: np.ndarray, owners: np.ndarray) -> float:
    """Mean over the questions, first ten."""
    ranks = (scores >= scores[np.arange(len(owners)), owners][:, None]).sum(axis=1)
    return float(np.where(ranks <= 10, 1 / ranks, 0).mean())


def best_weight(weights: Sequence[float], *sets: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    """For (lexical, cosines, owners) of each set: the largest weight within 0.003 of the best mean reciprocal rank.

    The curve is flat on top, and these questions were written with the passage in sight; people who ask without it use other words, which
    only the cosine sees.
    """
    curve = {
        weight: float(np.mean([reciprocal_rank(lexical + weight * dense, owners) for lexical, dense, owners in sets])) for weight in weights
    }
    return max(weight for weight, value in curve.items() if value >= max(curve.values()) - 0.003)


def logistic(scores: np.ndarray, owners: np.ndarray) -> tuple[float, float]:
    """(slope, intercept) of the log odds that a passage is the right one, by Newton's method with a little shrinkage."""
    right = np.zeros(scores.shape)
    right[np.arange(len(owners)), owners] = 1
    x, y = np.stack([scores.ravel(), np.ones(scores.size)], axis=1), right.ravel()
    beta = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(2)
        beta += np.linalg.solve(hessian, x.T @ (y - p) - 1e-3 * beta)
    return float(beta[0]), float(beta[1])


def calibrate(data: Path, encoder: BuiltinEncoder) -> dict[str, dict[str, float]]:
    """The mixes by "language of the question to language of the report"."""
    english, chinese = (tuned_articles(data / "xquad_half" / f"{language}.json") for language in ("en", "zh"))
    within = {"zh": trial(data / "cmrc2018" / "trial.json"), "en": tuned_articles(data / "squad_half" / "dev_first24articles.json")}
    mixes: dict[str, dict[str, float]] = {}
    for language, asked in within.items():
        mixes[f"{language} to {language}"] = {
            "dense": best_weight(WEIGHTS, (lexical_scores(asked, None), cosines(encoder, asked), asked[2]))
        }
    pairs = {("zh", "en"): (chinese, english), ("en", "zh"): (english, chinese)}
    scored = {}
    for (question, target), (own, other) in pairs.items():
        across = (own[0], other[1], own[2])
        scored[question, target] = lexical_scores(across, target), cosines(encoder, across), own[2]
    # One weight for both directions: there are too few questions for two.
    weight = best_weight(WEIGHTS_ACROSS, *scored.values())
    for (question, target), (own, _) in pairs.items():
        lexical, dense, owners = scored[question, target]
        home = lexical_scores(own, None) + mixes[f"{question} to {question}"]["dense"] * cosines(encoder, own)
        slope, intercept = logistic(home, owners)
        slope_across, intercept_across = logistic(lexical + weight * dense, owners)
        mixes[f"{question} to {target}"] = {
            "dense": weight,
            "scale": round(slope_across / slope, 3),
            "offset": round((intercept_across - intercept) / slope - OWN_LANGUAGE, 3),
        }
    return mixes


def main() -> None:
    """Writes fusion.json."""
    parser = argparse.ArgumentParser(prog="python -m rag.model.calibrate", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with cmrc2018/, squad_half/ and xquad_half/")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    mixes = calibrate(options.data, BuiltinEncoder())
    (options.output / "fusion.json").write_text(json.dumps({"mixes": mixes}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
