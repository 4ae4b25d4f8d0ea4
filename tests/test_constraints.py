"""Exact checks of a question against a sentence and what stands around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.constraints import CONSTRAINTS, SentenceContext, context_of, unmet
from rag.answer.refusal import Refusal
from rag.search.question import read_question
from rag.search.sentences import SentenceIndex
from rag.types import Block, Document


def around(sentence: str, *, window: str = "", section: str = "", place: str = "潮汐报告", year: int | None = None) -> SentenceContext:
    return SentenceContext(sentence, window or sentence, section or window or sentence, place, year)


def refused(question: str, context: SentenceContext, without: frozenset[str] = frozenset()) -> tuple[str, str] | None:
    refusal = unmet(read_question(question), context, without)
    return (refusal.code, refusal.fields["value"]) if refusal else None


@pytest.mark.parametrize(
    ("context", "met"),
    [
        (around("2035 年装机容量为 9 GW。"), True),
        (around("装机容量为 9 GW。", window="到 2035 年有计划。装机容量为 9 GW。"), True),
        (around("装机容量为 9 GW。", section="展望 2035 年。很多。装机容量为 9 GW。"), True),
        (around("装机容量为 9 GW。", year=2035), True),
        (around("装机容量为 9 GW。", place="2035 年潮汐报告"), True),
        (around("装机容量为 9 GW。"), False),
        (around("2030 年装机容量为 9 GW。", section="2035 年另说。很多。2030 年装机容量为 9 GW。"), False),  # its own years count first
    ],
)
def test_a_year_of_the_question_stands_near(context, met):
    assert refused("2035 年装机容量有多大？", context) == (None if met else ("year_not_in_evidence", "2035"))


def test_of_two_missing_years_the_first_is_named():
    assert refused("2031 和 2029 年的差别？", around("2030 年。")) == ("year_not_in_evidence", "2029")


@pytest.mark.parametrize(
    ("question", "section", "value"),
    [
        ("Revenue of Q2?", "Q3 revenue was 4.", "Q2"),
        ("第二季度收入？", "第三季度收入为 4。", "第二季度"),
        ("Revenue of the second quarter?", "Second quarter revenue was 4.", None),
        ("Q2 收入？", "二季度收入为 4。", None),
        ("上半年收入？", "下半年收入为 4。", "上半年"),
        ("Revenue of Q2?", "Revenue was 4.", None),  # nothing there speaks of a period
    ],
)
def test_a_period_is_not_taken_for_another(question, section, value):
    assert refused(question, around(section)) == (value and ("period_not_in_evidence", value))


@pytest.mark.parametrize(
    ("question", "section", "value"),
    [
        ("为什么下降了 18%？", "成本下降 18%，因为维护。", None),
        ("为什么下降了 25%？", "成本下降 18%，因为维护。", "25%"),
        ("Why did it fall by 18 percent?", "Costs fell 18% on mites.", None),
        ("有 3 座电站吗？", "有 5 座电站。", None),  # a plain count may be the asker's own
    ],
)
def test_a_figure_that_the_question_quotes_stands_there(question, section, value):
    assert refused(question, around(section)) == (value and ("figure_not_in_evidence", value))


@pytest.mark.parametrize(
    ("question", "section", "value"),
    [
        ("XQ-77 的装机容量？", "XQ77 型的装机容量为 9 GW。", None),
        ("XQ-77 的装机容量？", "XQ-78 型的装机容量为 9 GW。", "XQ-77"),
        ("What do APIs cost?", "An API costs 4.", None),
        ("What does TSG's rotor cost?", "The tsg rotor costs 4.", None),
        ("What does Rotor cost?", "It costs 4.", None),  # an ordinary word with a capital is no identifier
    ],
)
def test_an_identifier_stands_letter_for_letter(question, section, value):
    assert refused(question, around(section, place="")) == (value and ("name_not_in_evidence", value))


def test_an_identifier_may_stand_above_the_sentence():
    assert refused("XQ-77 的装机容量？", around("装机容量为 9 GW。", place="第三章 XQ-77 型")) is None


def test_each_can_be_left_out_by_name():
    context = around("Q3 revenue fell 18%.", place="")
    asked = "Why did XQ-77 revenue fall 25% in Q2 of 2035?"
    left_out, codes = set(), []
    for name in CONSTRAINTS:
        codes.append(refused(asked, context, frozenset(left_out))[0])
        left_out.add(name)
    assert codes == ["year_not_in_evidence", "period_not_in_evidence", "figure_not_in_evidence", "name_not_in_evidence"]
    assert refused(asked, context, frozenset(CONSTRAINTS)) is None


@given(st.text(alphabet="潮汐装机年季度第二Q2 035%GWxX-7.,？", max_size=40))
def test_a_question_is_met_by_a_section_that_repeats_it(text):
    assert not isinstance(unmet(read_question(text), around(text, place="")), Refusal)


def test_the_context_is_one_section_and_one_neighbour_on_each_side():
    text, blocks = "", []
    for section, part in (("一", "甲一。"), ("二", "乙一。乙二。乙三。乙四。"), ("三", "丙一。")):
        blocks.append(Block(len(text), len(text) + len(part), section=(section,)))
        text += part + "\n"
    document, index = Document("d", "潮汐报告", text, tuple(blocks), "d", "d.md", "海风研究社", 2022), SentenceIndex()
    found = {sentence.text: context_of(sentence, document, index) for sentence in index.of(document)}
    assert found["乙二。"] == SentenceContext("乙二。", "乙一。乙二。乙三。", "乙一。乙二。乙三。乙四。", "潮汐报告 海风研究社 二", 2022)
    assert (found["乙一。"].window, found["乙四。"].window) == ("乙一。乙二。", "乙三。乙四。")
    assert found["甲一。"].section == "甲一。" and found["丙一。"].window == "丙一。"
