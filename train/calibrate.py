"""Learns how the built-in encoder mixes with BM25: `python -m train.calibrate --data DATA [--output rag/model]` writes fusion.json.

Within a language the weights are chosen by mean reciprocal rank (CMRC trial and four articles of XQuAD; four articles of SQuAD). Across
languages also a scale and an offset, by which the scores of both languages mean the same: two logistic curves of being the right passage are
laid over each other (four articles of XQuAD). None of these questions is trained on or reported.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from rag.config import PACKAGE
from rag.index.encoder import BuiltinEncoder, word_vectors
from rag.index.lexical import terms
from rag.index.weighing import bm25, idf_shares
from rag.search.fusion import Mix, best_sentence
from rag.search.question import strip_asking
from rag.search.retrieve import READ
from rag.search.translate import Concept, Language, concepts, shares_of
from rag.types import Encoder
from train.public_data import TRAINED_ARTICLES, TUNED_ARTICLES, squad_format

WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.8, 1.0)
"""Of the cosine beside BM25 over the total idf; within a language it is not to outweigh the words of a question that are there."""
WEIGHTS_ACROSS = (0.3, 0.5, 0.8, 1.0, 1.25, 1.5)
WEIGHTS_READ = (0.0, 0.2, 0.4, 0.8, 1.2, 1.6, 2.2)
"""Of the best sentence and of likeness."""
OWN_LANGUAGE = 0.25
"""What a passage in the question's own language has ahead of an equally good one in the other."""

Asked = tuple[list[str], list[str], np.ndarray]
"""(questions, passages, the passage of each question)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What search knows of each passage for each question; four arrays (questions, passages)."""

    lexical: np.ndarray
    cosine: np.ndarray
    sentence: np.ndarray
    """NaN where the passage is not among the best and would not be read closely."""
    likeness: np.ndarray

    def mixed(self, mix: Mix) -> np.ndarray:
        """The order of search: those that are not read closely stand below the others."""
        first = mix.fused(self.lexical, self.cosine)
        return np.where(np.isnan(self.sentence), first - 100, mix.fused(self.lexical, self.cosine, self.sentence, self.likeness))


def measure(
    encoder: Encoder, questions: Sequence[str], passages: Sequence[str], target: Language | None, dense: float, read: int = READ
) -> Scores:
    """Scores as `rag.search.retrieve` computes them, over a small set in memory.

    `target` is the passages' language when it is not the questions'; `dense` weighs the cosine when it is chosen which `read` are read closely.
    """
    cores = [strip_asking(question) for question in questions]
    split = [terms(passage) for passage in passages]
    holding = Counter(term for passage in split for term in set(passage))

    def frequencies(names: Sequence[str]) -> dict[str, int]:
        return {name: holding[name] for name in names}

    asked: list[Mapping[str, float] | list[Concept]] = [
        concepts(core, target, frequencies, len(passages)) if target else idf_shares(terms(core), holding, len(passages)) for core in cores
    ]
    lexical = bm25([shares_of(question) if isinstance(question, list) else question for question in asked], split)
    cosine = encoder.encode(cores, query=True) @ encoder.encode(passages).T
    sentence, likeness = np.full(lexical.shape, np.nan), np.full(lexical.shape, np.nan)
    words = word_vectors(encoder)
    for row, (core, weights) in enumerate(zip(cores, asked, strict=True)):
        places = np.argsort(-(lexical[row] + dense * cosine[row]), kind="stable")[:read]
        texts = [passages[place] for place in places]
        sentence[row, places] = [best_sentence(weights, text) for text in texts]
        likeness[row, places] = words.likeness(core, texts)
    return Scores(lexical, cosine, sentence, likeness)


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


def reciprocal_rank(scores: np.ndarray, owners: np.ndarray) -> float:
    """Mean over the questions, first ten."""
    ranks = (scores >= scores[np.arange(len(owners)), owners][:, None]).sum(axis=1)
    return float(np.where(ranks <= 10, 1 / ranks, 0).mean())


def best_mix(weights: Sequence[float], sets: Sequence[tuple[Scores, np.ndarray]]) -> Mix:
    """For (scores, owners) of each set: of the weights within 0.002 of the best mean reciprocal rank those with the largest of the cosine, and
    of these the ones that trust both of what is read closely alike.

    The curve is flat on top, and these questions were written with the passage in sight; people who ask without it use other words, which
    only the cosine sees. Which of so many equals is best by a hair is chance, and over questions
    in other words (the tune half of the bundled ones) trusting one part alone found less.
    """
    curve = {
        Mix(dense, sentence=sentence, likeness=likeness): float(
            np.mean([reciprocal_rank(scores.mixed(Mix(dense, sentence=sentence, likeness=likeness)), owners) for scores, owners in sets])
        )
        for dense, sentence, likeness in product(weights, WEIGHTS_READ, WEIGHTS_READ)
    }
    good = [mix for mix, value in curve.items() if value >= max(curve.values()) - 0.002]
    return max(good, key=lambda mix: (mix.dense, -abs(mix.sentence - mix.likeness), curve[mix]))


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
    within = {
        "zh": (trial(data / "cmrc2018" / "trial.json"), chinese),
        "en": (tuned_articles(data / "squad_half" / "dev_first24articles.json"),),
    }
    mixes: dict[str, Mix] = {}
    for language, sets in within.items():
        scored = [(measure(encoder, asked[0], asked[1], None, max(WEIGHTS)), asked[2]) for asked in sets]
        mixes[f"{language} to {language}"] = best_mix(WEIGHTS, scored)
    pairs: dict[tuple[Language, Language], tuple[Asked, Asked]] = {("zh", "en"): (chinese, english), ("en", "zh"): (english, chinese)}
    everything = len(english[1])
    across = {
        (question, target): measure(encoder, own[0], other[1], target, max(WEIGHTS_ACROSS), everything)
        for (question, target), (own, other) in pairs.items()
    }
    # The same weights for both directions: there are too few questions for two.
    shared = best_mix(WEIGHTS_ACROSS, [(across[pair], own[2]) for pair, (own, _) in pairs.items()])
    for (question, target), (own, _) in pairs.items():
        home = measure(encoder, own[0], own[1], None, max(WEIGHTS), everything).mixed(mixes[f"{question} to {question}"])
        slope, intercept = logistic(home, own[2])
        slope_across, intercept_across = logistic(across[question, target].mixed(shared), own[2])
        scale, offset = slope_across / slope, (intercept_across - intercept) / slope - OWN_LANGUAGE
        mixes[f"{question} to {target}"] = replace(shared, scale=round(scale, 3), offset=round(offset, 3))
    return {name: asdict(mix) for name, mix in mixes.items()}


def main() -> None:
    """Writes fusion.json."""
    parser = argparse.ArgumentParser(prog="python -m train.calibrate", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with cmrc2018/, squad_half/ and xquad_half/")
    parser.add_argument("--output", type=Path, default=PACKAGE / "model")
    options = parser.parse_args()
    mixes = calibrate(options.data, BuiltinEncoder())
    (options.output / "fusion.json").write_text(json.dumps({"mixes": mixes}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
