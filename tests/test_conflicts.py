"""Figures at odds: which sentences are, how many are shown, and how it is said."""

from dataclasses import replace

import pytest

from rag.answer.conflicts import SHOWN, Conflict, describe_conflict, find_conflicts
from rag.search.evidence import ScoredSentence
from rag.search.sentences import Sentence
from rag.types import Chunk, Document, Hit

HIT = Hit(Chunk("c", "d", 0, 1, None, (), 1), "", 1, 1, 1)
REPORT = Document("d", "潮汐报告", "", (), "d", "d.md", year=2022, language="zh")


def sentences(*texts: str) -> list[ScoredSentence]:
    """In order, best first."""
    return [ScoredSentence(Sentence("d", n, 0, len(text), text, "prose", n, 1, (f"第 {n} 章",), ""), 1 / (n + 1), HIT) for n, text in enumerate(texts)]  # fmt: skip


def at_odds(*texts: str) -> list[tuple[str, str]]:
    return [(conflict.figure, conflict.rival) for conflict in find_conflicts(sentences(*texts))]


def test_the_same_said_with_another_figure():
    assert at_odds("全国潮汐电站的装机容量达到 4.2 GW。", "成本是 3 元。", "全国潮汐电站的装机容量达到 9.9 GW。") == [("4.2 GW", "9.9 GW")]
    assert at_odds("Tidal plants reached 4.2 GW of capacity.", "Tidal plants reached 9.9 GW of capacity.") == [("4.2 GW", "9.9 GW")]


@pytest.mark.parametrize(
    "other",
    [
        "2030 年全国潮汐电站的装机容量达到 9 GW。",
        "东岸潮汐电站的装机容量达到 9 GW。",
        "成本是 0.31 元。",
        "全国潮汐电站的装机容量达到 4200 兆瓦。",
        "",
    ],
)
def test_what_is_said_of_something_else_is_not_at_odds(other):
    assert at_odds("2022 年全国潮汐电站的装机容量达到 4.2 GW。", other) == []


def test_nothing_is_at_odds_with_a_sentence_without_figures():
    assert at_odds("全国潮汐电站很多。", "全国潮汐电站有 3 座。") == []


def test_each_other_figure_is_shown_once_the_best_first():
    said = [f"全国潮汐电站的装机容量达到 {figure} GW。" for figure in ("4.2", "9.9", "9.9", "7.7", "5.5")]
    found = at_odds(*said)
    assert found == [("4.2 GW", "9.9 GW"), ("4.2 GW", "7.7 GW")] and len(found) == SHOWN


def test_reports_are_named_sections_where_those_are_one_and_years_where_they_differ():
    best, rival = (one.sentence for one in sentences("甲 4 GW。", "甲 9 GW。"))
    rivals = [Conflict(rival, "4 GW", "9 GW")]
    other = replace(REPORT, id="e", title="另一份")
    assert describe_conflict("zh", best, rivals, [REPORT, other]) == "各处的数字不一致：《潮汐报告》写 4 GW，《另一份》写 9 GW。"
    assert describe_conflict("zh", best, rivals, [REPORT, REPORT]) == (
        "各处的数字不一致：《潮汐报告 / 第 0 章》写 4 GW，《潮汐报告 / 第 1 章》写 9 GW。"
    )
    later = replace(other, title="Later", year=2024)
    assert describe_conflict("en", best, rivals, [replace(REPORT, title="First"), later]) == (
        'The figures differ: "First" (2022) has 4 GW, "Later" (2024) has 9 GW.'
    )
    assert describe_conflict("zh", best, rivals, [REPORT, replace(other, year=None)]).startswith(
        "各处的数字不一致：《潮汐报告》（2022 年）写"
    )
