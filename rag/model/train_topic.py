"""Learns when reports speak of a topic at all: `python -m rag.model.train_topic --data FOLDER` writes topic.json.

Questions are put to reports that answer them and to reports on something else: the bundled digests (the half of the bundled questions that
settings may be fitted on), passages of CMRC train and of SQuAD, and Chinese passages of XQuAD asked about in English. A logistic curve over
a few features of the best sentences parts the two. The thresholds are quantiles of off-topic questions put to the digests.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from rag.answer import TOPIC_FEATURES, TOPIC_FILE, quotable, topic_features
from rag.config import Config, bundled
from rag.encoder import BuiltinEncoder
from rag.evidence import Finder
from rag.followup import rewrite
from rag.index import build_index, open_index
from rag.model.train_ranker import read_questions
from rag.rank import SentenceRanker
from rag.types import Turn

PASSAGES = 200
"""Of CMRC that are indexed; as many others lend the questions that are off-topic there."""
ASKED = 200
"""Questions of each kind put to each set of passages."""
ARTICLES = 6
"""Of SQuAD and XQuAD that are indexed; the next ones lend the questions that are off-topic there."""
OWN_WEIGHT = 3.0
"""What an answerable question on the digests counts: its words are its asker's, those of the public sets the passage's."""
SHRINK = 0.5
"""On half the squared weights, beside the summed loss."""
REFUSED = {"zh": {"strict": 0.97, "balanced": 0.91, "open": 0.8}, "en": {"strict": 0.93, "balanced": 0.83, "open": 0.65}}
"""Share of off-topic questions that each strictness refuses by topic alone; demands refuse more. English ones are harder to tell apart."""

Asked = tuple[str, tuple[str, ...]]
"""A question and the questions before it."""


@dataclass(frozen=True, slots=True)
class Case:
    """Questions put to one set of reports."""

    reports: list[Path]
    answered: list[Asked]
    off_topic: list[Asked]
    own: bool = False
    """Whether these are the bundled digests."""


def cases(data: Path, folder: Path) -> Iterator[Case]:
    """The four sets; what has to be written for them is written into `folder`."""
    chance = random.Random(3)

    def alone(questions: Sequence[str], count: int = ASKED) -> list[Asked]:
        return [(question, ()) for question in chance.sample(list(questions), min(count, len(questions)))]

    passages: dict[str, list[str]] = {}
    for _, passage, question, _ in read_questions(data / "cmrc2018" / "train.json"):
        passages.setdefault(passage, []).append(question)
    chosen = chance.sample(list(passages), 2 * PASSAGES)
    inside, outside = ([chance.choice(passages[passage]) for passage in part] for part in (chosen[:PASSAGES], chosen[PASSAGES:]))
    squad = read_articles(data / "squad_half" / "dev_first24articles.json")
    own, own_questions = bundled("corpus"), (bundled("eval") / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [line for line in map(json.loads, own_questions) if line["split"] == "tune" and line["answerable"]]
    yield Case(
        [own],
        [(line["question"], tuple(turn["question"] for turn in line.get("history", ()))) for line in lines],
        alone(outside) + alone([question for _, asked in squad[2 * ARTICLES :] for question in asked]),
        own=True,
    )
    yield Case(written(folder / "cmrc", chosen[:PASSAGES]), alone(inside), alone(outside))
    zh, en = (read_articles(data / "xquad_half" / f"{language}.json") for language in ("zh", "en"))
    for name, told, asked in (("squad", squad, squad), ("xquad", zh, en)):
        reports = written(folder / name, [f"# {name}\n\n{text}" for texts, _ in told[:ARTICLES] for text in texts])
        there, elsewhere = ([q for _, questions in part for q in questions] for part in (asked[:ARTICLES], asked[ARTICLES : 2 * ARTICLES]))
        yield Case(reports, alone(there), alone(elsewhere))


def read_articles(file: Path) -> list[tuple[list[str], list[str]]]:
    """(passages, questions) of each article of a file in SQuAD's format."""
    return [
        ([part["context"] for part in article["paragraphs"]], [qa["question"] for part in article["paragraphs"] for qa in part["qas"]])
        for article in json.loads(file.read_text(encoding="utf-8"))["data"]
    ]


def written(folder: Path, texts: Sequence[str]) -> list[Path]:
    """A folder with a file for each text, as a list of paths to index."""
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number:04}.md").write_text(text, encoding="utf-8")
    return [folder]


def ask(case: Case, folder: Path, encoder: BuiltinEncoder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (questions, TOPIC_FEATURES), whether each is answered there (questions,), and whether it is in English (questions,)."""
    build_index(case.reports, folder, encoder)
    store, config = open_index(folder, encoder=encoder), Config()
    finder = Finder(store, encoder, SentenceRanker(encoder), config.candidates, config.top_k)
    rows = []
    for answered, asked in [(True, item) for item in case.answered] + [(False, item) for item in case.off_topic]:
        history = [Turn(question=question, answer="") for question in asked[1]]
        found = finder.find(rewrite(asked[0], history), asked[0], history, None, store.documents())
        if sentences := quotable(found.question, found.sentences):
            rows.append((topic_features(sentences), answered, found.question.language == "en"))
    features, answers, english = zip(*rows, strict=True)
    return np.array(features), np.array(answers), np.array(english)


def fit(features: np.ndarray, answered: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and offset of a logistic curve; both answers count the same in sum."""
    signs = np.where(answered, 1.0, -1.0)
    counts = counts * np.where(answered, 1 / counts[answered].sum(), 1 / counts[~answered].sum()) * len(counts) / 2

    def loss(parameters: np.ndarray) -> float:
        margins = signs * (features @ parameters[:-1] + parameters[-1])
        return float(counts @ np.logaddexp(0, -margins)) + SHRINK * float(parameters[:-1] @ parameters[:-1])

    found = minimize(loss, np.zeros(features.shape[1] + 1), method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cmrc2018/, squad_half/ and xquad_half/")
    parser.add_argument("--output", type=Path, default=TOPIC_FILE)
    options = parser.parse_args()
    encoder = BuiltinEncoder()
    features, answered, counts = [], [], []
    own: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    with tempfile.TemporaryDirectory() as name:
        for number, case in enumerate(cases(options.data, Path(name))):
            found = ask(case, Path(name) / f"index-{number}", encoder)
            features.append(found[0])
            answered.append(found[1])
            counts.append(np.where(found[1] & case.own, OWN_WEIGHT, 1.0))
            own = found if case.own else own
    weights, offset = fit(np.concatenate(features), np.concatenate(answered), np.concatenate(counts))
    assert own is not None
    thresholds = {}
    for language, english in (("zh", False), ("en", True)):
        here = own[2] == english
        off_topic, on_topic = (own[0][here & (own[1] == answer)] @ weights + offset for answer in (False, True))
        thresholds[language] = {name: round(float(np.quantile(off_topic, share)), 3) for name, share in REFUSED[language].items()}
        lost = {name: f"{np.mean(on_topic < threshold):.3f}" for name, threshold in thresholds[language].items()}
        print(f"{language}: of {len(on_topic)} answerable questions on the digests refused: {lost}")
    content = {
        "trained_on": "bundled questions (tune half), CMRC 2018 train, SQuAD and XQuAD (CC BY-SA 4.0)",
        "weights": {name: round(float(weight), 3) for name, weight in zip(TOPIC_FEATURES, weights, strict=True)},
        "offset": round(offset, 3),
        "thresholds": thresholds,
    }
    options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"written: {options.output}")


if __name__ == "__main__":
    main()
