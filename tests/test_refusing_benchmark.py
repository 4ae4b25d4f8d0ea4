"""Our questions with and without an answer, and the benchmark that asks them."""

from collections import Counter

from conftest import TIDES

from eval.refusing_benchmark import assistant_for, refused
from train.train_topic import own_questions, turns_of

LINES = own_questions()


def test_half_of_the_questions_have_no_answer_for_one_of_five_reasons():
    assert len({line["id"] for line in LINES}) == len({(line["question"], str(line.get("history"))) for line in LINES}) == len(LINES)
    assert Counter(line["answerable"] for line in LINES) == {True: 450, False: 450}
    assert {line["category"] for line in LINES if not line["answerable"]} == {"year", "detail", "premise", "topic", "offtopic"}
    assert {line["corpus"] for line in LINES} == {"digests", "china_open_source_report_2023", "technical"}


def test_turns_come_oldest_first():
    line = next(line for line in LINES if line.get("history"))
    assert [(turn.question, turn.answer) for turn in turns_of(line)] == [(turn["question"], turn["answer"]) for turn in line["history"]]
    assert turns_of({"question": "成本是多少？"}) == ()


def test_what_is_answered_and_what_is_refused(tmp_path):
    (tmp_path / "tides.md").write_text(TIDES, encoding="utf-8")
    assistant = assistant_for([tmp_path / "tides.md"], tmp_path / "index", "balanced")
    asked = [("每度电的成本是多少？", ()), ("2035 年每度电的成本是多少？", ()), ("红烧肉怎么做才不腻？", ())]
    assert refused(assistant, asked) == [False, True, True]
