"""The check of a claim against the text that it cites."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rag.answer.verify import check, figures_at_odds, unfounded


def SURELY(claim, evidence):
    return 1.0, 0.0, 0.0


SOURCE = "到 2030 年，海上风电的渗透率预计提升到 70%，东岸将新建 1500 万千瓦装机，由 OSPAR 牵头。"


def test_the_text_itself_is_supported_however_it_is_set():
    assert check(" 到2030年，海上风电的渗透率预计提升到70%", [SOURCE]) == ("supported", "")
    assert check("到２０３０年，海上風電的滲透率預計提升到７０％。", [SOURCE]) == ("supported", "")


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("到 2030 年，海上风电的渗透率预计提升到 80%。", "数字 80% 不在所引原文中，原文写 70%"),
        ("到 2035 年，海上风电的渗透率预计提升到 70%。", "数字 2035 年 不在所引原文中，原文写 2030 年"),
        ("海上风电由 IRENA 牵头，渗透率提升到 70%。", "所引原文没有提到 IRENA"),
        ("珊瑚礁正在大面积白化。", "所引原文没有这个意思"),
        ("海上风电的渗透率预计提升到 70 倍。", "数字 70 倍 不在所引原文中"),
    ],
)
def test_what_is_not_there_is_named(claim, reason):
    assert check(claim, [SOURCE]) == ("unsupported", reason)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("15 million teachers will have assistants by 2030.", "By 2030, 1500 万 teachers will have assistants."),
        ("全国有 1,500 万名教师。", "全国有 1500 万名教师。"),
        ("效率是原来的 3 倍，提高 200%。", "效率是原来的 3 倍，提高 2 倍。"),
        ("装机达到 4200 兆瓦。", "装机达到 4.2 GW。"),
        ("耗时约 90 分钟。", "耗时 1.5 小时。"),
        ("大约 1.4 亿人使用。", "1.38 亿人使用。"),
        ("最高提升 80% 的性能。", "有 20% 到 80% 的性能提升。"),
        ("Twelve stations were built.", "12 stations were built."),
        ("会议于 10 月 16 日举行。", "会议在 10 月 16 日举行。"),
        ("百分之七十的家庭用上了它。", "70% 的家庭用上了它。"),
    ],
)
def test_the_same_figure_in_another_form(claim, source):
    assert check(claim, [source], support=SURELY) == ("supported", "")


@pytest.mark.parametrize(
    ("claim", "source", "reason"),
    [
        ("装机达到 4.2 MW。", "装机达到 4.2 GW。", "数字 4.2 MW 不在所引原文中，原文写 4.2 GW"),
        ("市场规模为 500 亿人民币。", "市场规模为 500 亿美元。", "数字 500 亿人民币 不在所引原文中，原文写 500 亿美元"),
        ("处理器主频为 26GHz。", "处理器主频为 2.6GHz。", "数字 26GHz 不在所引原文中，原文写 2.6GHz"),
        ("第三阶段实现全面智能。", "第二阶段实现全面智能。", "数字 第3 不在所引原文中，原文写 第2"),
        (
            "The meeting is on October 13.",
            "The meeting is on October 16.",
            "the figure October 13 is not in the cited text, which says October 16",
        ),
        ("It gained five sites.", "It gained 7 sites.", "the figure 5 is not in the cited text, which says 7"),
    ],
)
def test_units_magnitudes_dates_and_ordinals(claim, source, reason):
    assert check(claim, [source]) == ("unsupported", reason)


def test_a_figure_of_something_else_is_named_with_the_right_one():
    source = "北岸电站的年发电量为 30 亿度，南岸电站的年发电量为 12 亿度。"
    verdict, why = check("南岸电站的年发电量为 30 亿度。", [source])
    assert verdict == "unsupported" and "12 亿度" in why


def test_the_source_may_be_known_by_its_title_and_speaker():
    assert check("According to Ann Lee, hives doubled.", ["Hives doubled."], "Ann Lee, Bee Institute")[0] == "supported"
    assert check("According to Bob Ray, hives doubled.", ["Hives doubled."], "Ann Lee, Bee Institute")[0] == "unsupported"


@pytest.mark.parametrize(
    ("chances", "verdict", "reason"),
    [
        ((0.6, 0.3, 0.1), "supported", ""),
        ((0.3, 0.4, 0.3), "partial", "the cited text supports only part of this"),
        ((0.2, 0.2, 0.6), "unsupported", "the cited text does not say this"),
    ],
)
def test_meaning_is_the_readers_to_judge(chances, verdict, reason):
    asked = []
    found = check("The firm sank two ships.", ["The company purchased 2 ships."], support=lambda *pair: asked.append(pair) or chances)
    assert found == (verdict, reason) and asked == [("The firm sank two ships.", ["The company purchased 2 ships."])]


def test_a_wrong_figure_is_no_matter_of_opinion():
    found = check("The firm has 3 ships.", ["The firm has 2 ships."], support=lambda claim, evidence: (1.0, 0.0, 0.0))
    assert found == ("unsupported", "the figure 3 is not in the cited text, which says 2")


def test_what_no_evidence_holds_is_named():
    assert unfounded("The rate is 1.5%.", ["The rate reached 80%."]) == "the figure 1.5% is not in the cited text, which says 80%"
    assert unfounded("由 IRENA 牵头。", [SOURCE]) == "所引原文没有提到 IRENA"
    assert unfounded("The rate reached 80%.", ["The rate reached 80%."]) == ""


def test_several_quotes_together():
    quotes = ["装机容量达到 4.2 GW。", "东岸贡献了其中的 60%。"]
    assert check("装机容量达到 4.2 GW，其中东岸贡献了 60%。", quotes)[0] == "supported"
    assert check("装机容量达到 4.2 GW，其中东岸贡献了 60%。", quotes[:1])[0] == "unsupported"


def test_no_evidence():
    assert check("任何话。", []) == ("uncited", "")


@given(some.text(max_size=40), some.lists(some.text(max_size=60), max_size=3))
def test_any_text_gets_a_verdict_and_itself_is_never_refuted(claim, evidence):
    verdict, why = check(claim, evidence)
    assert verdict in ("supported", "partial", "unsupported", "uncited") and bool(why) == (verdict in ("partial", "unsupported"))
    if any(character.isalnum() for character in claim):
        assert check(claim, [claim])[0] == "supported"


@pytest.mark.parametrize(
    ("claim", "source", "reason"),
    [
        (
            "故障可做到 10 分钟发现、5 分钟响应、1 分钟恢复。",
            "故障可做到 1 分钟发现、5 分钟响应、10 分钟恢复。",
            "数字 10 分钟 在原文里说的是另一件事，这里原文写 1 分钟",
        ),
        (
            "AI 替代 9700 万个岗位、创造 4 亿个岗位。",
            "AI 替代 4 亿个岗位、创造 9700 万个岗位。",
            "数字 9700 万个 在原文里说的是另一件事，这里原文写 4 亿个",
        ),
        (
            "The north plant holds 20 turbines and the south plant 35 turbines.",
            "The north plant holds 35 turbines and the south plant 20 turbines.",
            "the figure 20 belongs to something else in the cited text, which says 35 here",
        ),
    ],
)
def test_figures_in_each_others_place(claim, source, reason):
    assert check(claim, [source]) == ("unsupported", reason)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("其中 5 分钟响应，1 分钟发现，10 分钟恢复。", "故障可做到 1 分钟发现、5 分钟响应、10 分钟恢复。"),
        ("It created 97 million jobs and replaced 400 million jobs.", "It replaced 400 million jobs and created 97 million jobs."),
        ("从 12ZB 增至 28ZB。", "全球存储总量预计从 12ZB 增至 28ZB。"),
    ],
)
def test_figures_in_another_order_keep_their_place(claim, source):
    assert check(claim, [source], support=SURELY) == ("supported", "")


# ---- figures at odds ----


@pytest.mark.parametrize(
    ("one", "other", "figures"),
    [
        ("到 2030 年，全球渗透率将达到 70%。", "预计 2030 年全球渗透率将达到 35%，远超今天。", ("70%", "35%")),
        ("Installed capacity reached 4.2 GW in 2022.", "In 2022 installed capacity reached 9.9 GW.", ("4.2 GW", "9.9 GW")),
        ("Twelve stations were built on the coast.", "14 stations were built on the coast.", ("12", "14")),
        ("2030 年渗透率将达到 70%。", "2025 年渗透率将达到 35%。", None),
        ("全球渗透率达到 70%。", "中国渗透率达到 35%。", None),
        ("装机达到 4.2 GW。", "装机达到 4200 兆瓦。", None),
        ("渗透率达到 70%。", "装机达到 9 GW。", None),
        ("渗透率达到 70%。", "Penetration reaches 35%.", None),
        ("渗透率很高。", "渗透率达到 35%。", None),
    ],
)
def test_two_texts_that_differ_in_a_figure(one, other, figures):
    assert figures_at_odds(one, other) == figures
    assert figures_at_odds(other, one) == (figures and figures[::-1])
