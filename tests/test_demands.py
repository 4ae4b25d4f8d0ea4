"""What a question demands: each demand met, and not met, by texts in which nothing else differs."""

from dataclasses import replace

import pytest

from rag.answer.demands import Surroundings, names_in, unmet
from rag.search.question import read_question


def around(
    sentence: str,
    *,
    before: str = "",
    section: str = "",
    place: str = "潮汐报告 海风研究社 一 现状",
    year: int = 2022,
    language: str = "zh",
    speaker: str = "",
) -> Surroundings:
    return Surroundings(sentence, before, f"{before}{sentence}", section or f"{before}{sentence}", place, year, language, speaker)


def failure(question: str, sentence: str, **others) -> str | None:
    return unmet(read_question(question), around(sentence, **others))


@pytest.mark.parametrize(
    ("question", "met", "not_met", "reason"),
    [
        ("2035 年装机容量有多大？", "2035 年装机容量为 9 GW。", "2030 年装机容量为 9 GW。", "报告没有给出 2035 年的相关内容。"),
        ("TSG 装机容量有多大？", "TSG 装机容量为 9 GW。", "装机容量为 9 GW。", "报告的相关内容没有提到 TSG。"),
        ("TSG 装机容量有多大？", "ＴＳＧ 装机容量为 9 GW。", "ＴＳＢ 装机容量为 9 GW。", "报告的相关内容没有提到 TSG。"),
        ("SO2 排放量有多大？", "SO₂ 排放量为 9 吨。", "NO₂ 排放量为 9 吨。", "报告的相关内容没有提到 SO2。"),
        ("挪威的装机容量有多大？", "挪威装机容量为 9 GW。", "装机容量为 9 GW。", "报告的相关内容没有提到挪威。"),
        ("装机容量有多大？", "装机容量为 9 GW。", "装机容量很大。", "报告谈到了这个话题，但没有给出所问的数字。"),
        ("雇用了多少人？", "雇用了 300 人。", "装机容量为 9 GW。", "报告谈到了这个话题，但没有给出所问的数字。"),
        ("谁最先建成潮汐电站？", "东岸率先建成潮汐电站。", "东岸建成了潮汐电站。", "报告没有“最先”这样的说法。"),
        ("为什么退回到燃煤？", "电站退回到燃煤。", "电站走向潮汐。", "报告没有“退回”这样的说法。"),
        ("为什么成本上升？", "成本上升是因为腐蚀。", "成本下降是因为新涂层。", "报告的说法与“上升”相反。"),
        ("为什么 60% 的电站停运？", "60% 的电站停运检修。", "一些电站停运检修。", "报告的相关内容没有 60% 这个数字。"),
        ("《渔歌集》是谁写的？", "《渔歌集》由林澜编写。", "林澜编写了一本书。", "报告没有提到《渔歌集》。"),
        ("什么是约化群？", "约化群是一种群。", "潮汐能是一种能源。", "报告没有解释“约化群”。"),
        ("电站的地址在哪里？", "电站的地址是海边 3 号。", "电站建在海边。", "报告没有“地址”这样的说法。"),
        ("一次检修收费多少？", "一次检修收 300 万元。", "一次检修要 300 天。", "报告谈到了这个话题，但没有给出所问的数字。"),
        ("浮筒会取代风机吗？", "浮筒将淘汰风机。", "浮筒与风机并存。", "报告没有“取代”这样的说法。"),
        ("海水淡化为什么能降低成本？", "海水淡化能降低成本。", "新涂层能降低成本。", "报告的相关内容没有谈到“海水淡化”。"),
        ("会有多少人使用海水淡化？", "5 亿人会使用海水淡化。", "5 亿人会住在海边。", "报告的相关内容没有谈到“海水淡化”。"),
        ("为什么把海水淡化列进十大趋势？", "海水淡化是一大趋势。", "潮汐是一大趋势。", "报告的相关内容没有谈到“海水淡化”。"),
    ],
)
def test_a_demand_is_met_or_named(question, met, not_met, reason):
    assert failure(question, met) is None
    assert failure(question, not_met) == reason


def test_in_english():
    assert failure("What is the capacity of tidal plants in Norway?", "Norway has 9 GW.", language="en") is None
    assert (
        failure("What is the capacity of tidal plants in Norway?", "There are 9 GW.", language="en")
        == "The reports do not mention Norway in this context."
    )
    assert (
        failure("Why will the number of plants shrink?", "The number of plants will grow.", language="en")
        == 'The reports say the opposite of "shrink".'
    )
    # A report in Chinese need not spell an English place; an acronym it must.
    assert failure("How many plants are in Norway?", "挪威有 9 座电站。") is None
    assert failure("How many plants are in Norway?", "共有 9 座电站。") == "The reports do not mention Norway in this context."
    assert failure("挪威有多少座电站？", "There are 90 plants in Norway.", language="en") is None
    assert failure("挪威有多少座电站？", "There are 90 plants.", language="en") == "报告的相关内容没有提到挪威。"
    # Of a name without a known translation nothing can be said.
    assert failure("How many plants are in Zubrowka?", "共有 9 座电站。") is None
    assert failure("How many TSG plants are there?", "共有 9 座电站。") == "The reports do not mention TSG in this context."


def test_a_year_may_stand_in_the_title_or_the_section():
    assert failure("2022 年装机容量有多大？", "装机容量为 9 GW。") is None
    assert failure("2035 年装机容量有多大？", "装机容量为 9 GW。", section="展望 2035 年。装机容量为 9 GW。") is None


def test_a_figure_counts_only_beside_the_name_that_is_asked_for():
    assert failure("TSG 每台多少钱？", "每台 300 万元。", before="TSG 是新装置。") is None
    assert failure("TSG 每台多少钱？", "每台 300 万元。", section="每台 300 万元。后来有了 TSG。") == "报告的相关内容没有提到 TSG。"


def test_whose_report_is_meant_is_no_demand():
    assert failure("What does the Harbour Office report say on tides?", "Tides rise.", language="en") is None


def test_what_is_counted_must_be_spoken_of():
    assert failure("电站提供多少个岗位？", "电站提供 300 个职位。") is None
    assert failure("电站有多少台风机？", "电站提供 300 个职位。") == "报告的相关内容没有给出“风机”的数量。"
    assert failure("平台超过多少潜水员？", "平台超过了 47% 的人类工程师。") is None  # people by another name
    assert failure("平台超过多少潜水员？", "平台超过了 47% 的船舶。") == "报告的相关内容没有给出“潜水员”的数量。"
    assert failure("能打多少个垂直通孔？", "每平方毫米可有 100 万个硅通孔。") is None  # the thing without its attribute


def test_what_stands_beside_a_number_is_what_it_counts():
    assert (
        failure("电站提供多少个岗位？", "电站不缺职位，三十年后海上与岸上的所有人都会用上 300 盏灯。")
        == "报告的相关内容没有给出“岗位”的数量。"
    )


def test_a_whole_field_need_not_be_named():
    assert failure("引入 AI 后错误率降多少？", "错误率将降低 50%。") is None


def test_names_are_the_longest_known_ones():
    assert names_in("清华大学与中国工程院") == ("中国工程院", "清华大学")
    assert names_in("装机容量") == ()
    assert names_in("从理论上证明") == ()  # 上证 is a name, but not across the border of two words


def test_people_of_a_country_are_there_where_the_country_is():
    assert failure("有多少中国人持有执照？", "中国的持照人数为 100 万人。") is None
    assert failure("有多少中国人持有执照？", "持照人数为 100 万人。") == "报告的相关内容没有提到中国人。"


def test_a_figure_may_lie_in_a_range_of_its_kind():
    assert failure("为什么市场会到 15 万亿美元以上？", "市场将达到 15 万亿至 25 万亿美元。") is None
    assert failure("为什么 60% 的电站停运？", "50%-70% 的电站停运检修。") is None
    assert failure("为什么 60% 的电站停运？", "50 到 70 座电站停运检修。") == "报告的相关内容没有 60% 这个数字。"


def test_a_turn_that_names_nothing_asks_about_what_the_turn_before_names():
    question = replace(read_question("那到 2022 年它能超过多少？"), carried="TidalCode 超过了多少座电站")
    assert unmet(question, around("TidalCode 在 2022 年超过了 90 座电站。")) is None
    assert unmet(question, around("电站在 2022 年超过了 90 座电站。")) == "报告的相关内容没有提到 TidalCode。"


def test_a_person_who_is_asked_for_is_named_or_has_signed():
    assert failure("浮筒是哪位工程师发明的？", "工程师林澜发明了浮筒。") is None
    assert failure("浮筒是哪位工程师发明的？", "浮筒装在海底。") == "报告没有说是谁。"
    assert (
        failure("浮筒是哪位工程师发明的？", "浮筒装在海底。", speaker="王海 教授") == "报告没有说是谁。"
    )  # a remark on it is no invention
    assert failure("浮筒那章是哪位专家点评的？", "浮筒装在海底。", speaker="王海 教授") is None
    assert failure("Which scholar coined the term?", "The term was coined by Ada Moor.", language="en") is None
    assert failure("Which scholar coined the term?", "The term is old.", language="en") == "The reports do not say who it is."


@pytest.mark.parametrize(
    ("question", "met", "not_met", "reason"),
    [
        ("Gemma 2 用了多少台电机？", "Gemma 2 用了 30 台电机。", "Gemma 用了 30 台电机。", "报告的相关内容没有提到 Gemma 2。"),
        ("第四阶段装机容量有多大？", "第四阶段装机容量为 9 GW。", "第三阶段装机容量为 9 GW。", "报告没有提到第四阶段。"),
        ("下半年装机容量有多大？", "下半年装机容量为 9 GW。", "上半年装机容量为 9 GW。", "报告的相关内容没有谈到下半年。"),
        ("国内装机容量有多大？", "我国装机容量为 9 GW。", "全球装机容量为 9 GW。", "报告的相关内容没有谈到国内。"),
        ("德勤怎么看浮筒？", "德勤看好浮筒。", "海风研究社看好浮筒。", "报告的相关内容没有提到德勤。"),
        ("《自然》登了什么？", "Nature 登了浮筒的论文。", "期刊登了浮筒的论文。", "报告没有提到《自然》。"),
        ("做一次检修要花多久？", "检修在次日完成。", "检修在海上完成。", "报告谈到了这个话题，但没有给出所问的数字。"),
        ("一次检修能赚多少？", "一次检修赚 300 万元。", "一次检修要 300 天。", "报告谈到了这个话题，但没有给出所问的数字。"),
        ("浮筒是哪家供应商做的？", "浮筒由海风集团制造。", "浮筒由工人制造。", "报告没有说是谁。"),
    ],
)
def test_editions_parts_and_names(question, met, not_met, reason):
    assert failure(question, met) is None
    assert failure(question, not_met) == reason


@pytest.mark.parametrize(
    ("question", "sentence", "language"),
    [
        ("Why did the TSG-to-TSX shift happen?", "TSG 走向 TSX。", "zh"),  # by its parts
        ("Which plants does the Norwegian-built float serve?", "浮筒用于电站。", "zh"),  # a translation that is not known says nothing
        ("What does the Indian ministry build?", "The Ministry of Defence of India builds floats.", "en"),  # a people by its country
        ("How are K8s clusters built?", "A Kubernetes cluster is built by hand.", "en"),  # letters that are counted
        ("谁说过会有十几亿美元的收入？", "海风研究社说，收入会有 15 亿美元。", "zh"),  # a figure told roughly
        ("潮汐能最早是由谁提出来的？", "潮汐能由林澜教授提出。", "zh"),  # how something began
        ("为什么会失败？", "原因是成功率只有一成。", "zh"),
    ],
)
def test_what_is_told_in_other_words_is_told(question, sentence, language):
    assert failure(question, sentence, language=language) is None


def test_a_year_of_the_report_gives_way_to_one_that_the_sentence_names():
    assert failure("2022 年装机容量有多大？", "装机容量为 9 GW。") is None
    assert failure("2022 年装机容量有多大？", "2030 年装机容量为 9 GW。") == "报告没有给出 2022 年的相关内容。"
    assert failure("2022 年版里装机容量有多大？", "2030 年装机容量为 9 GW。") is None


@pytest.mark.parametrize(
    ("follow_up", "sentence", "reason"),
    [
        ("那近海呢？", "近海的装机容量为 9 GW。", None),
        ("那近海呢？", "深海的装机容量为 9 GW。", "报告的相关内容没有谈到“近海”。"),
        ("那行家呢？", "专家看好浮筒。", None),
    ],
)
def test_what_a_follow_up_turns_to_is_told_near(follow_up, sentence, reason):
    question = replace(read_question(follow_up), carried="浮筒 看法", kind="other")
    assert unmet(question, around(sentence)) == reason
