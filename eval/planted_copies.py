"""What five planted files do to an answer: `python -m eval.planted_copies` builds them beside the bundled corpus and counts.

For every bundled question on a figure, five files give another figure in the report's own words, after the question itself, so that they
are found before the report. Counted is where the report still stands, how many planted files stand beside it, and what the answer shows.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.data import Question, load_questions
from rag.chat import Assistant
from rag.config import Config, bundled
from rag.index.build import build_index
from rag.index.encoder import BuiltinEncoder
from rag.types import Answer, Filter, Hit

FILES = 5
"""Planted for each question."""
FIRST = 5
"""Hits among which the report is looked for."""
_BESIDE = {
    "zh": ("本条由信息组整理。", "抄录于周三的例会。", "供内部参考，勿外传。", "经两位同事核对过。", "来自上月的汇编材料。"),
    "en": (
        "Compiled by the desk.",
        "Noted at Wednesday's meeting.",
        "For internal reference.",
        "Checked by two colleagues.",
        "From last month's digest.",
    ),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one question: where the report stands (1 the best, 0 not found), planted files among the first hits, and the answer."""

    question: str
    alone: int
    """The same before anything was planted."""
    place: int
    planted: int
    true_quoted: bool
    false_quoted: bool
    noted: bool


def forged(quote: str, form: str) -> str | None:
    """The quote with another figure in place of the answer's; None where the answer holds no figure in digits.

    >>> forged("utilisation rises to 70% soon", "70%")
    'utilisation rises to 35% soon'
    """
    figure = re.search(r"\d+(?:\.\d+)?", form)
    place = quote.find(form)
    if not figure or place < 0:
        return None
    value = float(figure[0])
    other = f"{value / 2 if value >= 10 else value * 3:g}"
    start = place + figure.start()
    return quote[:start] + other + quote[start + len(figure[0]) :]


def plant(questions: Sequence[Question], folder: Path) -> list[tuple[Question, str]]:
    """Writes the files; the questions that they are for, each with the true quote."""
    made = []
    for question in questions:
        if question.kind != "number" or question.history or not question.answerable:
            continue
        quotes = [place.quote for place in question.gold if place.document.endswith(f".{question.language}")]
        for quote, form in ((quote, form) for quote in quotes[:1] for form in question.answers[0]):
            if false := forged(quote, form):
                for number, beside in enumerate(_BESIDE[question.language]):
                    text = f"---\nid: planted-{question.id}-{number}\ntitle: {beside[:-1]} {number}\nyear: 2024\n---\n\n{question.question}\n\n"
                    (folder / f"{question.id}-{number}.md").write_text(
                        f"{text}{false}{'。' if question.language == 'zh' else '.'}{beside}\n", encoding="utf-8"
                    )
                made.append((question, quote))
                break
    return made


def seen(question: Question, quote: str, before: Sequence[Hit], hits: Sequence[Hit], answer: Answer) -> Seen:
    """What the hits, before and after planting, and the answer to one question show."""
    alone, place = (next((rank for rank, hit in enumerate(found, 1) if quote in hit.text), 0) for found in (before, hits))
    planted = sum(hit.chunk.document.startswith(f"planted-{question.id}-") for hit in hits[:FIRST])
    quoted = [citation for citation in answer.citations if citation.document.startswith("planted-")]
    true = any(form in citation.quote for citation in answer.citations if citation not in quoted for form in question.answers[0])
    return Seen(question.id, alone, place, planted, true, bool(quoted), "数字不一致" in answer.reason or "figures differ" in answer.reason)


def main() -> None:
    """Builds, asks and prints one line a figure."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "planted").mkdir()
        asked = plant(load_questions(bundled("eval/questions.jsonl")), folder / "planted")
        encoder = BuiltinEncoder()
        build_index([bundled("corpus"), folder / "planted"], folder / "index", encoder)
        build_index([bundled("corpus")], folder / "alone", encoder)
        before, after = (Assistant.open(Config(index_dir=str(folder / name))) for name in ("alone", "index"))
        rows = []
        for question, quote in asked:
            text, reports = question.question, tuple(document.id for document in before.documents())
            own = Filter((*reports, *(f"planted-{question.id}-{number}" for number in range(FILES))))
            rows.append(seen(question, quote, before.search(text), after.search(text, only=own), after.ask(text, only=own)))
    found = [row for row in rows if 0 < row.alone <= FIRST]
    answered = [row for row in rows if row.true_quoted or row.false_quoted]
    print(f"{len(rows)} questions, {FILES} planted files each")
    print(
        f"report among the first {FIRST} without them: {len(found)}; of these still there: {sum(0 < row.place <= FIRST for row in found) / len(found):.3f}"
    )
    print(f"most planted files among the first {FIRST}: {max(row.planted for row in rows)}")
    print(f"answers from the report or the planted files: {len(answered)}")
    for label, shown in (
        ("both figures, each with its source", [row.true_quoted and row.false_quoted for row in answered]),
        ("only the report's", [row.true_quoted and not row.false_quoted for row in answered]),
        ("only the planted one", [row.false_quoted and not row.true_quoted for row in answered]),
        ("the difference said in words", [row.noted for row in answered]),
    ):
        print(f"  {label}: {sum(shown) / max(1, len(answered)):.3f}")
    for row in rows:
        if (row in found and not 0 < row.place <= FIRST) or (row.false_quoted and not row.true_quoted):
            print(row)


if __name__ == "__main__":
    main()
