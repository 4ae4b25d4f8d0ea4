"""Learns when reports speak of a topic at all: `python -m train.train_topic --data FOLDER` writes topic.json.

Our own questions (`questions.jsonl`, and the half of the bundled ones that settings may be fitted on), two thirds of them in other words than the
text's, are put to what answers them: the bundled digests, a report on open source, technical texts. Questions of CMRC train and SQuAD are put
there too, where they are off-topic; questions in one language on texts in the other, also of XQuAD, are cases of their own. A logistic curve over
a few features of the best sentences parts the two. The thresholds lose a given share of the questions that are answered.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from rag.answer.compose import Composer, quotable
from rag.config import Config, bundled
from rag.index.build import build_index
from rag.index.encoder import BuiltinEncoder
from rag.index.snapshot import open_index
from rag.search.evidence import Finder
from rag.search.followup import rewrite
from rag.search.rank import SentenceRanker
from rag.topic import FEATURES, TOPIC_FILE, languages_of, topic_features
from rag.types import Turn
from train.public_data import TRAINED_ARTICLES, parallel_files
from train.train_ranker import read_questions

QUESTIONS_FILE = Path(__file__).parent / "questions.jsonl"
OFF_TOPIC = {"zh": 200, "en": 100}
"""Questions on something else that are put to each set of reports."""
SHRINK = 0.02
"""On half the squared weights, beside the summed loss."""
LOST = {
    "zh to zh": {"strict": 0.06, "balanced": 0.02, "open": 0.005},
    "en to en": {"strict": 0.1, "balanced": 0.03, "open": 0.01},
    "zh to en": {"strict": 0.15, "balanced": 0.08, "open": 0.03},
    "en to zh": {"strict": 0.15, "balanced": 0.08, "open": 0.03},
}
"""Share of the answerable questions that each strictness refuses by topic alone, by the languages of question and text: the less the two are seen
to share, the more must be lost for as many off-topic questions to be refused."""

Asked = tuple[str, tuple[Turn, ...]]
"""A question and the turns before it."""


@dataclass(frozen=True, slots=True)
class Case:
    """Questions put to one set of reports."""

    reports: list[Path]
    answered: list[Asked]
    off_topic: list[Asked]


def own_questions() -> list[dict[str, Any]]:
    """The lines of `questions.jsonl`: id, corpus, language, kind, answerable, category, question, and the turns before it, if any."""
    return [json.loads(line) for line in QUESTIONS_FILE.read_text(encoding="utf-8").splitlines()]


def bundled_questions() -> list[dict[str, Any]]:
    """Those of the evaluation's questions that settings may be fitted on, as questions on the digests."""
    lines = map(json.loads, (bundled("eval") / "questions.jsonl").read_text(encoding="utf-8").splitlines())
    return [line | {"corpus": "digests"} for line in lines if line["split"] == "tune"]


def turns_of(line: dict[str, Any]) -> tuple[Turn, ...]:
    """The turns before one of our questions, oldest first."""
    return tuple(Turn(turn["question"], turn.get("answer", "")) for turn in line.get("history", ()))


def corpora(data: Path, folder: Path) -> dict[str, list[Path]]:
    """What our questions are asked of, as paths to index by the name of the corpus; what has to be written is written into `folder`."""
    technical = [path for pair in parallel_files(data) for path in pair if "d2l" not in str(path) and "china_open_source" not in str(path)]
    return {
        "digests": [bundled("corpus")],
        "china_open_source_report_2023": [data / "text_zh_en" / "china_open_source_report_2023"],
        "technical": written(folder / "technical", [path.read_text(encoding="utf-8") for path in technical]),
    }


def cases(data: Path, folder: Path) -> Iterator[Case]:
    """A case for each corpus, and two for questions in one language on texts in the other: of the digests and of XQuAD."""
    chance = random.Random(3)
    zh = [question for _, _, question, _ in read_questions(data / "cmrc2018" / "train.json")]
    squad = read_articles(data / "squad_half" / "dev_first24articles.json")[:TRAINED_ARTICLES]
    elsewhere = {"zh": zh, "en": [question for _, asked in squad for question in asked]}
    for name, reports in corpora(data, folder).items():
        own = [line for line in own_questions() + bundled_questions() if line["corpus"] == name and line["answerable"]]
        answered = [(line["question"], turns_of(line)) for line in own]
        off_topic = [(question, ()) for language, count in OFF_TOPIC.items() for question in chance.sample(elsewhere[language], count)]
        yield Case(reports, answered, off_topic)
    for language, other in (("zh", "en"), ("en", "zh")):
        lines = [line for line in own_questions() if line["corpus"] == "digests" and line["language"] == language and line["answerable"]]
        off_topic = [(question, ()) for question in chance.sample(elsewhere[language], 100)]
        yield Case(sorted(bundled("corpus").glob(f"*.{other}.md")), [(line["question"], turns_of(line)) for line in lines], off_topic)
        told, asked = (read_articles(data / "xquad_half" / f"{each}.json")[:TRAINED_ARTICLES] for each in (other, language))
        half = TRAINED_ARTICLES // 2
        reports = written(folder / f"xquad-{other}", [text for texts, _ in told[:half] for text in texts])
        there, outside = ([(question, ()) for _, part in halves for question in part] for halves in (asked[:half], asked[half:]))
        yield Case(reports, chance.sample(there, min(100, len(there))), chance.sample(outside, min(100, len(outside))))


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
    """Features (questions, FEATURES), whether each is answered there (questions,), and the languages of question and text (questions,)."""
    build_index(case.reports, folder, encoder)
    store, config = open_index(folder, encoder=encoder), Config()
    ranker = SentenceRanker(encoder)
    finder, composer = Finder(store, encoder, ranker, config.candidates, config.top_k), Composer(ranker, store.document)
    rows = []
    for answered, asked in [(True, item) for item in case.answered] + [(False, item) for item in case.off_topic]:
        found = finder.find(rewrite(*asked), *asked, None, store.documents())
        if sentences := quotable(found.question, found.sentences):
            features = topic_features(found.question, sentences, lambda item: composer.surroundings(item.sentence))
            rows.append((features, answered, languages_of(found.question, composer.surroundings(sentences[0].sentence))))
    features, answers, languages = zip(*rows, strict=True)
    return np.array(features), np.array(answers), np.array(languages)


def fit(features: np.ndarray, answered: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and offset of a logistic curve; both answers count the same in sum."""
    signs = np.where(answered, 1.0, -1.0)
    counts = np.where(answered, 1 / answered.sum(), 1 / (~answered).sum()) * len(answered) / 2

    def loss(parameters: np.ndarray) -> float:
        margins = signs * (features @ parameters[:-1] + parameters[-1])
        return float(counts @ np.logaddexp(0, -margins)) + SHRINK * float(parameters[:-1] @ parameters[:-1])

    found = minimize(loss, np.zeros(features.shape[1] + 1), method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cmrc2018/, squad_half/, xquad_half/ and text_zh_en/")
    parser.add_argument("--output", type=Path, default=TOPIC_FILE)
    options = parser.parse_args()
    encoder = BuiltinEncoder()
    with tempfile.TemporaryDirectory() as name:
        asked = [ask(case, Path(name) / f"index-{number}", encoder) for number, case in enumerate(cases(options.data, Path(name)))]
    weights, offset = fit(*(np.concatenate([case[part] for case in asked]) for part in (0, 1)))
    answered, languages = (np.concatenate([case[part] for case in asked]) for part in (1, 2))
    scores = np.concatenate([case[0] for case in asked]) @ weights + offset
    thresholds = {}
    for language in LOST:
        here = languages == language
        on_topic, off_topic = scores[here & answered], scores[here & ~answered]
        thresholds[language] = {name: round(float(np.quantile(on_topic, share)), 3) for name, share in LOST[language].items()}
        refused = {name: f"{np.mean(off_topic < threshold):.3f}" for name, threshold in thresholds[language].items()}
        print(f"{language}: of {len(off_topic)} off-topic questions refused: {refused}")
    content = {
        "trained_on": "our questions on the digests and on public texts, CMRC 2018 train, SQuAD and XQuAD (CC BY-SA 4.0)",
        "weights": {name: round(float(weight), 3) for name, weight in zip(FEATURES, weights, strict=True)},
        "offset": round(offset, 3),
        "thresholds": thresholds,
    }
    options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"written: {options.output}")


if __name__ == "__main__":
    main()
