"""Candidates are made by rule, answered where they say, marked as made, and the same each time; public sets are read as they are."""

import json

import pytest
from scripted_llm import Reply, ScriptedLLM, failing

from eval.data import load_questions
from eval.make import candidates, make
from eval.metrics import answer_hit
from eval.public import SETS, run_public
from rag.config import Config
from rag.errors import UsageError
from rag.reading.records import read_table

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
    assert "rag eval edit" in capsys.readouterr().out
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


def said(text):
    body = {"choices": [{"message": {"content": text}}]}
    return Reply(raw=json.dumps(body, ensure_ascii=False).encode(), content_type="application/json")


def test_a_language_model_writes_better_ones_that_hold(corpus, tmp_path, capsys):
    def write(asked):
        return said(writes(asked))

    def writes(asked):
        if "<passage>" not in asked.prompt:
            return asked.prompt.split("alone.\n")[-1].split("\n")[0].replace("In 2022", "During 2022")
        if "4,300" in asked.prompt:
            quote = "In 2022 the harbour served 4,300 ships of the QRT line."
            return "Here: " + json.dumps({"question": "How busy was the port?", "answer": "4,300", "quote": quote})
        if "49 万亩" in asked.prompt:
            return json.dumps({"question": "茶园多大？", "answer": "50 万亩", "quote": "到 2021 年，茶园面积达到 50 万亩。"})
        return "no JSON at all {"

    file = tmp_path / "made.jsonl"
    with ScriptedLLM(write) as server:
        assert make(Config(llm_base_url=server.base_url, llm_model="small"), corpus, file, 12) == 0
    questions = {question.question: question for question in load_questions(file)}
    (busy,) = (question for question in questions.values() if question.question == "How busy was the port?")
    assert (busy.answers, busy.kind, busy.paraphrased) == ((("4,300",),), "number", True) and "written by small" in busy.note
    assert "茶园多大？" not in questions  # its answer stands nowhere
    for question in questions.values():
        assert not question.answers or answer_hit(question.gold[0].quote, question.answers)
        assert question.answerable or "small" not in question.note or question.note.split(" does not")[0].split()[-1] in question.question

    with ScriptedLLM(write, failing(500)) as server:
        assert make(Config(llm_base_url=server.base_url, llm_model="small"), corpus, file, 12, force=True) == 0
    assert "stay as the rules made them" in capsys.readouterr().err
    assert len(load_questions(file)) == len(questions)


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
