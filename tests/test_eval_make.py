"""Candidates are made by rule, answered where they say, marked as made, and the same each time; public sets are read as they are."""

import json

import pytest

from eval.data import load_questions
from eval.make import candidates, make
from eval.metrics import answer_hit
from eval.public import SETS, run_public
from rag.config import Config
from rag.errors import UsageError
from rag.tables import read_table

HARBOUR = """---
id: harbour
title: The harbour year
publisher: Port Office
year: 2022
language: en
---
# The harbour year

## Traffic

In 2022 the harbour served 4,300 ships of the QRT line. The new crane has four tasks: lifting, weighing, sorting and stacking.
It was painted green.

## Words

A lighter is a flat boat that carries cargo between ship and shore. Dredging costs rose by 12% against the year before.
"""


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "harbour.md").write_text(HARBOUR, encoding="utf-8")
    (tmp_path / "in" / "tea.md").write_text(
        "# 茶\n\n茶多酚是指茶叶中的多种酚类。到 2021 年，茶园面积达到 49 万亩。\n\n茶有三类：红茶、绿茶、白茶。\n", encoding="utf-8"
    )
    return tmp_path / "in"


def test_every_candidate_is_answered_by_its_own_quote(corpus, tmp_path, capsys):
    file = tmp_path / "made.jsonl"
    assert make(Config(), corpus, file, 12) == 0
    assert "made by rule" in capsys.readouterr().out
    questions = load_questions(file)
    assert all(question.note.startswith("made by rule") for question in questions)
    text = {"harbour": HARBOUR, "tea": (corpus / "tea.md").read_text(encoding="utf-8")}
    for question in questions:
        for place in question.gold:
            assert place.quote in text[place.document]
            assert not question.answers or answer_hit(place.quote, question.answers), question
    asked = {question.question for question in questions}
    assert "什么是茶多酚？" in asked and "茶有三类，分别是什么？" in asked
    assert "The new crane has four tasks: which are they?" in asked
    assert {"number", "definition", "list", "unanswerable"} <= {question.kind for question in questions}
    for question in questions:
        if question.answerable is False:
            what = question.note.split(" does not occur")[0].split()[-1]
            assert what in question.question and all(what not in report for report in text.values())


def test_the_same_reports_give_the_same_candidates(corpus, tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        make(Config(), corpus, tmp_path / name, 8)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_table_to_edit_is_a_question_file(corpus, tmp_path):
    make(Config(), corpus, tmp_path / "made.xlsx", 8)
    make(Config(), corpus, tmp_path / "made.jsonl", 8)
    table, lines = load_questions(tmp_path / "made.xlsx"), load_questions(tmp_path / "made.jsonl")
    assert [(question.id, question.question, question.answers, question.answerable) for question in table] == [
        (question.id, question.question, question.answers, question.answerable) for question in lines
    ]
    assert read_table(tmp_path / "made.xlsx")[0]["note"].startswith("made by rule")


def test_nothing_is_written_over_and_nothing_is_made_of_nothing(corpus, tmp_path):
    file = tmp_path / "made.jsonl"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="say --force"):
        make(Config(), corpus, file)
    assert make(Config(), corpus, file, 4, force=True) == 0
    with pytest.raises(UsageError, match="is not there"):
        make(Config(), tmp_path / "nowhere", tmp_path / "x.jsonl")
    assert candidates([], 5) == []


SQUAD = {"data": [{"title": "t", "paragraphs": [
    {"context": "The ferry left at noon. It carried nine horses and a piano.",
     "qas": [{"id": 1, "question": "What did the ferry carry?", "answers": [{"text": "nine horses", "answer_start": 35}]}]},
    {"context": "Snow fell on the pass for eleven days.",
     "qas": [{"id": 2, "question": "How long did snow fall?", "answers": [{"text": "eleven days", "answer_start": 999}]}]},
]}]}  # fmt: skip


def test_a_public_set_is_asked_whole(tmp_path, capsys):
    (tmp_path / "squad_half").mkdir()
    (tmp_path / "squad_half" / "dev_first24articles.json").write_text(json.dumps(SQUAD), encoding="utf-8")
    loaded = SETS["squad"](tmp_path)
    assert [question.gold[0].quote for question in loaded.questions] == [
        "It carried nine horses and a piano.", "Snow fell on the pass for eleven days.",
    ]  # fmt: skip
    assert run_public(Config(), tmp_path, ["squad"], as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == {"squad": 2} and found["figures"]["squad"]["recall_at_5"]["value"] == 1
    assert run_public(Config(), tmp_path, ["squad"], 1) == 0 and "n = 1" in capsys.readouterr().out
    with pytest.raises(UsageError, match="cannot be read"):
        run_public(Config(), tmp_path, ["cmrc"])
    with pytest.raises(UsageError, match="is not a set"):
        run_public(Config(), tmp_path, ["trivia"])
