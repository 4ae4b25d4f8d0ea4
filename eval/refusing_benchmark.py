"""How often the product refuses what its reports answer, and what they do not: `python -m eval.refusing_benchmark --data DATA [--reports FOLDER]`.

Our 900 questions on the bundled digests, a report on open source and technical texts (`train/questions.jsonl`), half of them without an answer:
another year or place, a detail that is missing, a false premise, a neighbouring topic, off-topic. Then off-topic questions of CMRC dev and SQuAD,
put to the digests or to `--reports`. Rules were written with the 900 in view; of the off-topic ones none was looked at.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rag.chat import Assistant
from rag.config import Config, bundled
from rag.index.build import build_index
from rag.index.encoder import open_encoder
from rag.types import Turn
from train.public_data import TUNED_ARTICLES
from train.train_ranker import read_questions
from train.train_topic import corpora, own_questions, read_articles, turns_of

OFF_TOPIC = 150
"""Questions of each language."""


def assistant_for(reports: list[Path], folder: Path, strictness: str) -> Assistant:
    """An assistant over an index of its own in `folder`."""
    config = replace(Config(), index_dir=str(folder), strictness=strictness)
    build_index(reports, folder, open_encoder(config.encoder), target_tokens=config.target_tokens, max_tokens=config.max_tokens)
    return Assistant.open(config)


def refused(assistant: Assistant, questions: Iterable[tuple[str, Sequence[Turn]]]) -> list[bool]:
    """Whether each question, with the turns before it, is refused."""
    return [assistant.ask(text, history=history).abstained for text, history in questions]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cmrc2018/, squad_half/ and text_zh_en/")
    parser.add_argument("--reports", type=Path, help="where off-topic questions are put; the digests unless given")
    parser.add_argument("--strictness", choices=("strict", "balanced", "open"), default="balanced")
    options = parser.parse_args()
    asked, said_no = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for corpus, reports in corpora(options.data, folder).items():
            lines = [line for line in own_questions() if line["corpus"] == corpus]
            assistant = assistant_for(reports, folder / f"index-{corpus}", options.strictness)
            found = refused(assistant, [(line["question"], turns_of(line)) for line in lines])
            for line, no in zip(lines, found, strict=True):
                group = "answerable" if line["answerable"] else f"no answer: {line['category']}"
                asked[group] += 1
                said_no[group] += no
        assistant = assistant_for([options.reports or bundled("corpus")], folder / "index-off-topic", options.strictness)
        chance = random.Random(7)
        zh = [question for _, _, question, _ in read_questions(options.data / "cmrc2018" / "dev.json")]
        articles = read_articles(options.data / "squad_half" / "dev_first24articles.json")[TUNED_ARTICLES:]
        for language, questions in (("zh", zh), ("en", [question for _, part in articles for question in part])):
            group = f"public, off-topic, {language}"
            found = refused(assistant, [(question, ()) for question in chance.sample(questions, OFF_TOPIC)])
            asked[group], said_no[group] = len(found), sum(found)
    for group, count in asked.items():
        print(f"{group:<28}{said_no[group]:>4} of {count:<4} refused  {said_no[group] / count:.3f}")


if __name__ == "__main__":
    main()
