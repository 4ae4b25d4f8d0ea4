"""What messages are taken for, measured: F1 by hand, lost contents, and files that are wrong."""

from __future__ import annotations

import json

import pytest
from scripted_reader import ScriptedReader

from eval.intents import Message, measure, read_messages, run
from rag.errors import UsageError


def test_figures_are_those_worked_out_by_hand():
    reader = ScriptedReader({"hi": "greeting", "hello": "greeting", "sum up": "takeaways", "risk of rust?": "takeaways"})
    messages = [
        Message("hi", "greeting"), Message("hello", "greeting"), Message("sum up", "takeaways"), Message("risk of rust?", "content"),
        Message("how tall?", "content"),
    ]  # fmt: skip
    report = measure(messages, reader.intent)
    # takeaways: 1 hit, 1 wrongly taken; content: 1 hit, 1 missed
    assert report.f1 == {"content": pytest.approx(2 / 3), "greeting": 1.0, "takeaways": pytest.approx(2 / 3)}
    assert report.macro_f1 == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert report.content_lost == 0.5 and report.accuracy == 0.8
    assert report.confusion["content"] == {"content": 1, "takeaways": 1}


def test_an_operation_counts_only_after_an_answer():
    reader = ScriptedReader({"shorter": "op_shorter"})
    report = measure([Message("shorter", "op_shorter", True), Message("shorter", "op_shorter", False)], reader.intent)
    assert report.confusion["op_shorter"] == {"content": 1, "op_shorter": 1}


def test_what_is_printed_for_programs(tmp_path, capsys):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": "1", "language": "en", "text": "hi", "history": false, "intent": "greeting"}\n\n', encoding="utf-8")
    assert run(file, as_json=True, reader=ScriptedReader({"hi": "greeting"})) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["macro_f1"] == 1.0 and told["content_lost"] == 0.0 and told["confusion"] == {"greeting": {"greeting": 1}} and told["n"] == 1
    assert run(file, reader=ScriptedReader()) == 0
    assert "macro F1 0.000" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["[1]", '{"text": "hi"}', "no json", ""])
def test_a_bad_file_says_where(tmp_path, line):
    file = tmp_path / "rows.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(UsageError, match=r"rows\.jsonl"):
        read_messages(file)
