"""What is kept of the page: conversations by owner, opinions with their trace, exports."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import replace

import pytest
from browser import FOLLOW, NASTY, PEARS, TALL, UNKNOWN, ScriptedAssistant
from test_app import asked

from rag.web import panel
from rag.web.conversations import KEPT, Feedback, Talks, from_plain, to_plain
from rag.web.scope import narrowed

MINE, YOURS = "a" * 32, "b" * 32


@pytest.mark.parametrize("question", [TALL, PEARS, FOLLOW, UNKNOWN, NASTY])
def test_turns_come_back_from_json_as_they_were(question):
    turn = replace(asked(question), followups=("And then?",), rating="good")
    assert from_plain(json.loads(json.dumps(to_plain(turn)))) == turn


def test_a_conversation_belongs_to_its_owner(tmp_path):
    talks = Talks(tmp_path / "data" / "talks.sqlite")
    assert talks.all(MINE) == [] and talks.load(MINE, "x") is None and not talks.file.exists()
    first = talks.save(MINE, "", [asked(TALL)])
    assert talks.save(MINE, first, [asked(TALL), asked(PEARS, "t2")]) == first
    second = talks.save(MINE, "", [asked(NASTY)])
    assert [(talk.id, talk.title, talk.turns) for talk in talks.all(MINE)] == [(second, NASTY, 1), (first, TALL, 2)]
    assert talks.all(YOURS) == [] and talks.load(YOURS, first) is None
    talks.rename(YOURS, first, "stolen")
    talks.delete(YOURS, first)
    assert talks.save(YOURS, first, [asked(NASTY)]) != first  # somebody else's id opens a conversation of one's own
    assert [turn.question for turn in talks.load(MINE, first)] == [TALL, PEARS]
    talks.rename(MINE, first, "  Towers \n and pears ")
    talks.rename(MINE, first, " ")
    assert {talk.title for talk in talks.all(MINE)} == {NASTY, "Towers and pears"}
    talks.delete(MINE, first)
    assert [talk.id for talk in talks.all(MINE)] == [second]
    assert stat.S_IMODE(talks.file.stat().st_mode) == 0o600
    assert MINE.encode() not in talks.file.read_bytes() and TALL.encode() not in talks.file.read_bytes()  # erased for good


def test_owners_that_are_no_key_keep_nothing_and_old_conversations_go(tmp_path):
    talks = Talks(tmp_path / "talks.sqlite")
    for owner in ("", "short", "Z" * 32, "a" * 65, "' OR 1=1 --"):
        assert talks.save(owner, "", [asked(TALL)]) == "" and talks.all(owner) == []
    assert talks.save(MINE, "", [panel.Shown("t1", "running")]) == ""
    stopped = panel.Shown("t1", "q", phase="stopped")
    ids = [talks.save(MINE, "", [stopped]) for _ in range(KEPT + 3)]
    assert [talk.id for talk in talks.all(MINE)] == ids[:2:-1]


def test_a_file_that_cannot_be_written_only_means_that_nothing_is_kept(tmp_path):
    (tmp_path / "data").write_text("in the way")
    talks, feedback = Talks(tmp_path / "data" / "talks.sqlite"), Feedback(tmp_path / "data" / "feedback.jsonl")
    assert talks.save(MINE, "", [asked(TALL)]) == "" and talks.all(MINE) == []
    assert feedback.note(asked(TALL), "good", {}) is False
    (tmp_path / "broken.sqlite").write_bytes(b"no database" * 100)
    assert Talks(tmp_path / "broken.sqlite").all(MINE) == []


def test_opinions_are_lines_with_a_trace(tmp_path):
    feedback = Feedback(tmp_path / "feedback.jsonl")
    assert feedback.note(asked(TALL), "wrong", {"generation": 3}) and feedback.note(asked(PEARS), "", {})
    assert not feedback.note(asked(TALL), "splendid", {})
    first, second = map(json.loads, feedback.file.read_text(encoding="utf-8").splitlines())
    assert (first["rating"], first["generation"], first["answer"]["question"]) == ("wrong", 3, TALL)
    assert first["turn"]["evidence"][0][0]["passage"]["text"] and second["rating"] == ""


def test_exports_hold_every_citation():
    turns = [asked(PEARS), asked(UNKNOWN, "t2"), asked(NASTY, "t3")]
    saved = json.loads(panel.as_json(turns, "zh"))
    assert [turn["question"] for turn in saved["turns"]] == [PEARS, UNKNOWN, NASTY]
    assert saved["turns"][0]["citations"][0]["quote"] in saved["turns"][0]["passages"][0]["text"]
    entries = panel.references(turns, "zh")
    assert re.findall(r"@misc\{(\S+),", entries) == ["orchard.zh-t1-1", "orchard.zh-t1-2", "orchard.zh-t1-3", "hostile.en-t3-1"]
    assert (
        "pages = {7}" in entries
        and r"\$\{Reflect" in entries
        and entries.count("{") - entries.count(r"\{") == entries.count("}") - entries.count(r"\}")
    )


def test_folded_passages_keep_all_words_and_marks():
    turn = asked(UNKNOWN)
    near = replace(
        turn.nearest[0],
        passage=replace(turn.nearest[0].passage, start=0, text="前" * 300 + "果园" + "后" * 300),
        citation=replace(turn.nearest[0].citation, start=300, end=302, quote="果园"),
    )
    page = panel.panel_html([replace(turn, nearest=(near,))], "zh")
    shown = re.sub(r'<span class="(?:far|gap)">.*?</span>', "", re.search("<blockquote.*?</blockquote>", page, re.S)[0])
    assert re.sub("<.*?>", "", shown) == "前" * 60 + "果园" + "后" * 60 and page.count("前") == 300 and "展开全文" in page


@pytest.mark.parametrize(
    "text, found",
    [
        ("只看山谷合作社：花期多长？", ("山谷合作社", ("orchard.zh",), "花期多长？")),
        ("只看《梨园年报》", ("梨园年报", ("orchard.zh",), "")),
        ("只看2021年的报告，塔多高？", ("2021年的", ("lighthouse.en",), "塔多高？")),
        ("only lighthouse: how tall is it?", ("lighthouse", ("lighthouse.en",), "how tall is it?")),
        ("只看英文", ("英文", ("hostile.en", "lighthouse.en"), "")),
        ("只看全部", ("全部", ("hostile.en", "lighthouse.en", "orchard.zh"), "")),
        ("只看月亮", ("月亮", (), "")),
        ("Only the keeper knows how the lamp is lit and nobody else in the town?", None),
        ("灯塔多高？", None),
    ],
)
def test_narrowing_down_by_typing(text, found):
    assert narrowed(text, ScriptedAssistant().documents()) == found
