"""Learns the weights of the sentence ranker on public questions: `python -m train.train_ranker --data FOLDER`.

Each question of CMRC 2018 train is searched among all passages of that set; the candidates are the sentences of the best chunks, and a
sentence is right when it holds the answer in the passage that the question was written for. Loss: softmax over the candidates of a question.
Features that this set hardly shows (bullets, reasons, figures) stay near the values set by hand, towards which the weights are shrunk.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from rag.config import PACKAGE, Config
from rag.index.build import build_index
from rag.index.encoder import BuiltinEncoder
from rag.index.snapshot import Snapshot, open_index
from rag.search.question import read_question
from rag.search.rank import FEATURES, SentenceRanker
from rag.search.retrieve import search, weigh_terms

HAND_SET = {
    "bm25_sentence": 0.4, "bm25_window": 0.2, "bm25_heading": 1.1, "bm25_chunk": 0.75, "coverage": 0.3, "maxsim_sentence": 0.6, "maxsim_heading": 1.7,
    "window_cosine": 0.43, "chunk_cosine": 0.3, "has_asked_number": 0.35, "lacks_number": -0.3, "person": 0.3, "defining": 0.15, "defining_opens": 0.3,
    "enumerates": 0.15, "causal": 0.6, "names": 0.3, "short": -0.2, "heading": -0.5, "figure": -0.25, "first_hit": 0.05,
}  # fmt: skip
WEIGHTS_FILE = PACKAGE / "model" / "ranker.json"
TOP_CHUNKS = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One question: features (candidates, FEATURES) and which candidates hold the answer (candidates,)."""

    features: np.ndarray
    right: np.ndarray


def read_questions(file: Path) -> list[tuple[str, str, str, list[str]]]:
    """(passage id, passage, question, answers) of a CMRC file, in either of its two layouts."""
    found = []
    content = json.loads(file.read_text(encoding="utf-8"))
    for entry in content["data"] if isinstance(content, dict) else content:
        for paragraph in entry.get("paragraphs", [entry]):
            passage = paragraph.get("context") or paragraph["context_text"]
            name = paragraph.get("id") or paragraph["context_id"]
            title = entry.get("title", "")
            for question in paragraph["qas"]:
                text = question["question"]
                if not text.strip():  # CMRC trial has some without a text
                    continue
                answers = [answer["text"] if isinstance(answer, dict) else answer for answer in question["answers"]]
                found.append((name, f"# {name}\n\n## {title}\n\n{passage}\n", text, answers))
    return found


def index_passages(questions: list[tuple[str, str, str, list[str]]], folder: Path, encoder: BuiltinEncoder) -> Snapshot:
    """An index with a document for each passage, whose id is that of the passage in lower case."""
    (folder / "passages").mkdir()
    for name, passage in {name: passage for name, passage, _, _ in questions}.items():
        (folder / "passages" / f"{name}.md").write_text(passage, encoding="utf-8")
    config = Config()
    build_index([folder / "passages"], folder / "index", encoder, target_tokens=config.target_tokens, max_tokens=config.max_tokens)
    return open_index(folder / "index", encoder=encoder)


def examples(
    questions: list[tuple[str, str, str, list[str]]], store: Snapshot, encoder: BuiltinEncoder
) -> Iterator[tuple[Example | None, list[bool]]]:
    """For each question an example (None when no candidate is right) and whether each ranked sentence is right, best first."""
    ranker = SentenceRanker(encoder)
    for name, _, text, answers in questions:
        question = read_question(text)
        shares = weigh_terms(store, question.core)
        hits = search(store, encoder, question.core, top_k=TOP_CHUNKS)
        scored = ranker.rank(question, shares, hits, store.document)
        scored = [item for item in scored if item.sentence.kind != "heading"]
        right = [item.sentence.document == name and any(answer in item.sentence.text for answer in answers) for item in scored]
        example = Example(np.array([item.features for item in scored]), np.array(right)) if any(right) else None
        yield example, right


def fit(training: list[Example], start: np.ndarray, shrink: float) -> np.ndarray:
    """Weights (FEATURES,) that minimise the mean loss plus `shrink` times the squared distance from `start`, at a learned temperature."""

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights, temperature = parameters[:-1], np.exp(parameters[-1])
        total, gradient, slope = 0.0, np.zeros_like(weights), 0.0
        for example in training:
            raw = example.features @ weights
            scores = temperature * raw
            scores -= scores.max()
            shares = np.exp(scores) / np.exp(scores).sum()
            wanted = shares * example.right / max((shares * example.right).sum(), 1e-12)
            total -= np.log(max(shares[example.right].sum(), 1e-12))
            difference = shares - wanted
            gradient += temperature * (example.features.T @ difference)
            slope += temperature * float(difference @ raw)
        n = len(training)
        away = weights - start
        return total / n + shrink * float(away @ away), np.append(gradient / n + 2 * shrink * away, slope / n)

    result = minimize(loss, np.append(start, np.log(5.0)), jac=True, method="L-BFGS-B")
    return result.x[:-1]


def accuracy(ranked: list[list[bool]], top: int) -> float:
    """Share of questions with a right sentence among the first `top`; a question whose passage was not found counts as missed."""
    return float(np.mean([any(right[:top]) for right in ranked]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cmrc2018/train.json and trial.json")
    parser.add_argument("--questions", type=int, default=2500)
    parser.add_argument("--shrink", type=float, default=0.02)
    parser.add_argument("--output", type=Path, default=WEIGHTS_FILE)
    options = parser.parse_args()
    encoder = BuiltinEncoder()
    start = np.array([HAND_SET[name] for name in FEATURES])
    with tempfile.TemporaryDirectory() as folder:
        questions = read_questions(options.data / "cmrc2018" / "train.json")
        store = index_passages(questions, Path(folder), encoder)
        chosen = random.Random(20231122).sample(questions, min(options.questions, len(questions)))
        found = [example for example, _ in examples(chosen, store, encoder)]
        training = [example for example in found if example]
    weights = fit(training, start, options.shrink)
    content = {
        "trained_on": f"CMRC 2018 train, {len(training)} of {len(chosen)} questions (CC BY-SA 4.0)",
        "weights": {name: round(float(weight), 4) for name, weight in zip(FEATURES, weights, strict=True)},
    }
    options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        trial = read_questions(options.data / "cmrc2018" / "trial.json")
        store = index_passages(trial, Path(folder), encoder)
        before = [right for _, right in examples(trial, store, encoder)]
        print(
            f"trial, {len(trial)} questions, weights in use: @1 {accuracy(before, 1):.3f}, @3 {accuracy(before, 3):.3f}; written: {options.output}"
        )


if __name__ == "__main__":
    main()
