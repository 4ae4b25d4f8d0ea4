"""Follow-ups: which turns lean on the last one, and what comes along."""

import pytest

from rag.search.followup import leans, rewrite
from rag.types import Turn


@pytest.mark.parametrize(
    "text",
    [
        "那能源行业呢？",
        "它有哪三条路径？",
        "and by when?",
        "其中海上部分占多少？",
        "准不准？",
        "What about its cost?",
        "再往后呢？",
        "它是什么？",
        "原因是什么？",
    ],
)
def test_leaning_turns(text):
    assert leans(text)


@pytest.mark.parametrize(
    "text",
    [
        "潮汐发电的装机容量是多少？",
        "What is the capacity of tidal plants?",
        "HTAP 全称",
        "蓝碳交易市场有哪些参与方？",
        "潮汐能是什么",
        "什么是潮汐能？",
        "潮汐能指的是什么？",
    ],
)
def test_turns_that_stand_alone(text):
    assert not leans(text)


def test_a_fresh_question_is_untouched_by_the_last_one():
    asked = rewrite("潮汐发电的装机容量是多少？", [Turn("蜜蜂为什么减少？", "因为农药。")])
    assert (asked.query, asked.carried) == ("潮汐发电的装机容量是多少？", "")


def test_the_last_question_comes_along_and_its_year_is_replaced():
    asked = rewrite("那 2025 年呢？", [Turn("2030 年潮汐发电的成本是多少？", "0.31 元。")])
    assert "潮汐发电" in asked.carried and "2030" not in asked.carried
    assert asked.query == "2030 年潮汐发电的成本是多少；那 2025 年呢？"


def test_announced_change_of_topic():
    assert rewrite("换个话题：它呢？", [Turn("潮汐是什么？", "")]).carried == ""


def test_chain_of_short_turns_keeps_the_topic():
    asked = rewrite("它呢？", [Turn("潮汐发电成本多少？"), Turn("那东岸呢？")])
    assert "潮汐发电" in asked.carried and "东岸" in asked.carried


def test_one_thing_after_another_in_the_same_place_leaves_only_the_last():
    turns = [Turn("零售业有什么变化？", query="零售业有什么变化？"), Turn("那医疗行业呢？", query="零售业有什么变化；那医疗行业呢？")]
    asked = rewrite("那能源行业呢？", turns)
    assert asked.query == "零售业有什么变化；那能源行业呢？" and "医疗" not in asked.carried
    asked = rewrite("And energy?", [Turn("And healthcare?", query="What is expected of retail; And healthcare?")])
    assert asked.query == "What is expected of retail; And energy?"
    asked = rewrite("And its cost?", [Turn("And healthcare?", query="What is expected of retail; And healthcare?")])
    assert asked.query == "What is expected of retail; And healthcare; And its cost?"


@pytest.mark.parametrize(
    ("before", "turn", "leaned_on"),
    [
        # what named the subject, and the last question
        ("潮汐能是什么；它有几条路线；哪条最贵", "还要多久？", "潮汐能是什么；哪条最贵"),
        ("潮汐能是什么；哪条最贵；那蓝碳呢", "它有多少？", "哪条最贵；那蓝碳呢"),
        ("哪条最贵；那蓝碳呢；它有多少", "它在哪里？", "那蓝碳呢；它有多少"),
        # another thing in the place of the subject, but not another year
        ("潮汐能是什么；它有几条路线", "那蓝碳呢？", "它有几条路线"),
        ("潮汐能有多少；它有几条路线", "那 2025 年呢？", "潮汐能有多少；它有几条路线"),
        ("What is a tide; Why is it high", "What about waves?", "Why is it high"),
        ("What is a tide; Why is it high", "And who measured it?", "What is a tide; Why is it high"),
    ],
)
def test_of_a_long_talk_come_the_subject_and_the_last_question(before, turn, leaned_on):
    last = before.replace("; ", "；").split("；")[-1]
    assert rewrite(turn, [Turn(last, query=before)]).leaned_on == leaned_on


def test_thanks_are_no_part_of_a_question():
    assert rewrite("谢谢，那它呢？", [Turn("潮汐是什么？")]).query == "潮汐是什么；那它呢？"
    assert rewrite("Thanks! What is a tide?", []).query == "What is a tide?"
