"""Ranked sentences to an answer: how many, which, in which order, and when none."""

from dataclasses import replace

import pytest
from rag.search.rank import FEATURES, Scored, SentenceRanker

from rag.answer.compose import BUDGET, FACT_BUDGET, Composer
from rag.search.question import read_question
from rag.types import Block, Chunk, Document, Hit

ON_TOPIC = {"window_cosine": 0.6, "chunk_cosine": 0.6}


def report(*rows: tuple[str, str], name: str = "d", title: str = "潮汐报告", section: tuple[str, ...] = ("一 现状",)) -> Document:
    """A document of (kind, text) blocks in one section."""
    text, blocks = "", []
    for kind, row in rows:
        blocks.append(Block(len(text), len(text) + len(row), kind, 3, section))
        text += row + "\n"
    return Document(name, title, text, tuple(blocks), name, f"{name}.md", "海风研究社", 2022, "zh")


def answer(
    question: str, scores: dict[str, float], *documents: Document, features: dict[str, float] = ON_TOPIC, strictness: str = "balanced"
):
    """Composes from sentences whose scores are given by their beginnings; the others get 0.1."""
    by_name = {document.id: document for document in documents}
    ranker = SentenceRanker(None)
    row = tuple(features.get(name, 0.0) for name in FEATURES)
    scored = []
    for document in documents:
        hit = Hit(Chunk(f"c-{document.id}", document.id, 0, len(document.text), 3, ("一 现状",), 1), document.text, 1, 1, 1)
        for sentence in ranker.sentences(document):
            score = next((value for start, value in scores.items() if sentence.text.startswith(start)), 0.1)
            scored.append(Scored(sentence, score, hit, row))
    scored.sort(key=lambda item: (-item.score, item.sentence.document, item.sentence.position))
    composer = Composer(ranker, by_name.__getitem__, strictness)
    return composer.compose(read_question(question, documents), question, scored, documents)


def said(result) -> list[str]:
    return [claim.text for claim in result.claims]


def test_a_fact_is_one_sentence_unless_another_is_as_good():
    tides = report(("prose", "装机容量为 4.2 GW。另一处说 4.1 GW。成本是 0.31 元。"))
    assert said(answer("装机容量有多大？", {"装机": 3.0, "另一": 1.0}, tides)) == ["装机容量为 4.2 GW。"]
    assert said(answer("装机容量有多大？", {"装机": 3.0, "另一": 2.9}, tides)) == ["装机容量为 4.2 GW。", "另一处说 4.1 GW。"]


def test_every_citation_is_its_slice_with_section_and_page():
    tides = report(("prose", "装机容量为 4.2 GW。"))
    result = answer("装机容量有多大？", {"装机": 3.0}, tides)
    (citation,) = result.citations
    assert tides.text[citation.start : citation.end] == citation.quote == "装机容量为 4.2 GW。"
    assert (citation.section, citation.page, citation.document, citation.n) == ("一 现状", 3, "d", 1)
    assert result.answer == "装机容量为 4.2 GW。[1]" and result.claims[0].verdict == "supported"
    assert result.claims[0].text[slice(*result.claims[0].emphasis)] == "4.2 GW"


def test_a_reason_starts_with_the_best_sentence_and_goes_on_in_report_order():
    tides = report(("prose", "背景很多。成本偏高是因为腐蚀。因此要常常维护。维护占四成。"))
    assert said(answer("成本为什么偏高？", {"成本": 3.0, "因此": 2.0, "维护": 1.9}, tides)) == [
        "成本偏高是因为腐蚀。",
        "因此要常常维护。",
        "维护占四成。",
    ]


def test_a_list_is_the_whole_run_of_bullets_whichever_was_found():
    tides = report(
        ("prose", "路线有三条："), ("item", "拦坝式，筑坝。"), ("item", "潮流式，水轮机。"), ("item", "泻湖式，人工湖。"), ("prose", "完。")
    )
    whole = ["路线有三条：", "拦坝式，筑坝。", "潮流式，水轮机。", "泻湖式，人工湖。"]
    assert said(answer("有哪三条路线？", {"潮流": 3.0}, tides)) == whole
    assert said(answer("有哪三条路线？", {"路线": 3.0}, tides)) == whole


def test_a_long_list_keeps_the_first_sentence_of_each_bullet():
    rows = [("item", f"第{n}条。" + "解释很长" * 40 + "。") for n in "一二三四五六"]
    result = answer("有哪些路线？", {"第一": 3.0}, report(("prose", "路线如下："), *rows))
    assert said(result) == ["路线如下：", "第一条。", "第二条。", "第三条。", "第四条。", "第五条。", "第六条。"]


def test_a_list_of_as_many_entries_as_asked_for_is_quoted_though_its_neighbour_was_found():
    tides = report(("prose", "浮筒的挑战不少。挑战包括：1）腐蚀。2）并网。"), ("prose", "还有人说，浮筒很贵。"))
    assert said(answer("浮筒有哪两项挑战？", {"浮筒": 3.0, "挑战": 2.5}, tides)) == ["挑战包括：1）腐蚀。", "2）并网。"]
    assert said(answer("浮筒有哪些挑战？", {"浮筒": 3.0, "挑战": 1.0}, tides))[0] == "浮筒的挑战不少。"


def test_entries_that_are_too_long_are_quoted_up_to_their_first_rest():
    rows = [("prose", f"{name}：在{name}的海面上建造很多电站，" + "很长" * 100 + "。") for name in ("近海", "中海", "远海", "深海")]
    tides = report(("prose", "海上有四种电站。"), *rows)
    result = answer("海上有哪四种电站？", {"海上": 3.0}, tides)
    assert said(result)[1:] == [f"{name}：在{name}的海面上建造很多电站" for name in ("近海", "中海", "远海", "深海")]
    assert all(tides.text[citation.start : citation.end] == citation.quote for citation in result.citations)


def test_an_announcement_never_stands_without_what_it_announces():
    tides = report(
        ("prose", "成本因为腐蚀而高。"),
        ("prose", "成本高的原因有两个："),
        ("item", "海水腐蚀叶片。"),
        ("item", "维护要等退潮。"),
        ("prose", "别的原因：见下。"),
    )
    assert said(answer("成本为什么高？", {"成本因为": 3.0, "成本高": 2.9}, tides))[:4] == [
        "成本因为腐蚀而高。",
        "成本高的原因有两个：",
        "海水腐蚀叶片。",
        "维护要等退潮。",
    ]
    # A definition, which has less room, leaves out an announcement whose list is too long for it.
    long = report(("prose", "潮汐电站是一种电站。"), ("prose", "要点如下："), *(("item", f"第{n}点" + "很长" * 60) for n in "一二三"))
    assert said(answer("潮汐电站是什么？", {"潮汐": 3.0, "要点": 2.9}, long)) == ["潮汐电站是一种电站。"]


def test_a_bullet_that_announces_a_list_of_its_own_is_not_one_of_its_neighbours():
    tides = report(
        ("item", "1. 建设：分三个阶段：勘测（2024）：看海底。"),
        ("prose", "施工（2025）：打桩。"),
        ("prose", "并网（2026）：接电。"),
        ("item", "2. 运营：每周巡检。"),
    )
    assert said(answer("建设有哪三个阶段？", {"1. 建设": 3.0}, tides))[:3] == [
        "1. 建设：分三个阶段：勘测（2024）：看海底。",
        "施工（2025）：打桩。",
        "并网（2026）：接电。",
    ]


def test_bullets_of_two_styles_are_two_lists():
    tides = report(("item", "拦坝式。"), ("item", "潮流式。"), ("item", "1. 先勘测。"), ("item", "2. 再打桩。"))
    assert said(answer("有哪些路线？", {"拦坝": 3.0}, tides)) == ["拦坝式。", "潮流式。"]
    assert said(answer("有哪些步骤？", {"2. 再": 3.0}, tides)) == ["1. 先勘测。", "2. 再打桩。"]


@pytest.mark.parametrize("question", ["TSG 的全称是什么？", "What does TSG stand for?"])
def test_an_abbreviation_without_a_row_is_the_sentence_that_says_what_it_is(question):
    tides = report(("prose", "装置以 TSG 为中心。"), ("prose", "TSG 是潮流发电机。"))
    assert said(answer(question, {"装置": 3.0, "TSG": 1.0}, tides)) == ["TSG 是潮流发电机。"]


@pytest.mark.parametrize("question", ["TSG 的全称是什么？", "What does TSG stand for?"])
def test_an_abbreviation_is_its_row_letter_for_letter(question):
    rows = report(("abbreviation", "TSGX | Tidal Something"), ("abbreviation", "TSG | Tidal Stream Generator | 潮流发电机"))
    assert said(answer(question, {"TSGX": 3.0}, rows)) == ["TSG | Tidal Stream Generator | 潮流发电机"]


def test_a_definition_spells_out_an_acronym_that_it_leaves_unexplained():
    tides = report(("prose", "TSG 是一种装置。"), ("prose", "潮流发电机（TSG）装在海底。"))
    assert said(answer("TSG 是什么？", {"TSG": 3.0, "潮流": 1.0}, tides)) == ["TSG 是一种装置。", "潮流发电机（TSG）装在海底。"]


def test_a_comparison_gives_each_report_its_share_and_names_the_silent_one():
    one, two = report(("prose", "潮汐成本低。"), name="a", title="甲报告"), report(("prose", "潮汐成本高。"), name="b", title="乙报告")
    result = answer("两份报告各自怎么看成本？", {"潮汐成本低": 3.0, "潮汐成本高": 2.5}, one, two)
    assert [citation.document for citation in result.citations] == ["a", "b"] and result.reason == ""
    result = answer("两份报告各自怎么看成本？", {"潮汐成本低": 3.0, "潮汐成本高": 0.5}, one, two)
    assert [citation.document for citation in result.citations] == ["a"] and "乙报告" in result.reason


def test_a_comparison_prefers_what_sums_up_a_section_and_experts_where_they_are_asked_for():
    text = "发电很贵。两年后改用浮筒发电。"
    tides = Document(
        "d", "潮汐报告", text + "浮筒很好。", (Block(0, len(text), "prose", 1, ("一 现状", "改用浮筒")), Block(len(text), len(text) + 5, "prose", 1, ("二 点评",), "王海 教授")), "d", "d.md", "海风研究社"
    )  # fmt: skip
    winds = replace(tides, id="e", publisher="陆风学会", sha256="e")
    scores = {"发电": 3.0, "两年后": 2.4, "浮筒": 2.3}
    plain = answer("海风研究社和陆风学会怎么看发电？", scores, tides, winds)
    assert [claim.text for claim in plain.claims][:2] == ["发电很贵。", "两年后改用浮筒发电。"]
    by_expert = answer("发电这件事，海风研究社和陆风学会的专家怎么看？", scores, tides, winds)
    assert "浮筒很好。" in said(by_expert)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("2035 年装机容量有多大？", "报告没有给出 2035 年的相关内容。"),
        ("XQ-77 的装机容量有多大？", "报告的相关内容没有提到 XQ-77。"),
        ("电站雇用了多少人？", "报告谈到了这个话题，但没有给出所问的数字。"),
    ],
)
def test_refuses_for_what_the_question_demands_and_says_so(question, reason):
    result = answer(question, {"装机": 3.0}, report(("prose", "装机容量为 4.2 GW。")))
    assert (result.abstained, result.reason, result.claims) == (True, reason, ())
    assert [citation.quote for citation in result.nearest] == ["装机容量为 4.2 GW。"]


def test_a_sentence_that_meets_the_demand_moves_up():
    tides = report(("prose", "装机容量很大。"), ("prose", "背景。"), ("prose", "背景。"), ("prose", "2035 年装机容量为 9 GW。"))
    assert said(answer("2035 年装机容量有多大？", {"装机": 3.0, "2035": 2.5}, tides))[0] == "2035 年装机容量为 9 GW。"


def test_off_topic_by_strictness():
    features = {"window_cosine": 0.2, "chunk_cosine": 0.25, "coverage": 0.4}
    tides = report(("prose", "装机容量为 4.2 GW。"))
    refused = {
        name: answer("装机容量有多大？", {"装机": 1.3}, tides, features=features, strictness=name).abstained
        for name in ("strict", "balanced", "open")
    }
    assert refused == {"strict": True, "balanced": False, "open": False}


def test_nothing_to_quote():
    result = answer("装机容量有多大？", {}, report(("heading", "一 现状")))
    assert result.abstained and result.nearest == ()


def test_budgets_hold():
    tides = report(("prose", "".join(f"第{n}句因为{'很长' * 40}。" for n in range(12))))
    for question, budget in (("为什么很长？", BUDGET["why"]), ("有多长？", FACT_BUDGET)):
        result = answer(question, {"第": 2.0}, tides, strictness="open")
        assert sum(len(text) + 4 for text in said(result)) <= budget


def test_an_answer_keeps_to_one_language():
    zh, en = report(("prose", "装机容量为 4.2 GW。")), report(("prose", "The capacity is 4.2 GW."), name="e")
    assert said(answer("装机容量有多大？", {"装机": 3.0, "The": 2.9}, zh, replace(en, language="en"))) == ["装机容量为 4.2 GW。"]


def test_a_definition_of_the_very_subject_comes_first_and_strings_of_labels_last():
    tides = report(("prose", "混合潮汐很常见。潮汐是指海面的涨落。"), ("prose", "潮汐 / 海流 / 波浪 / 温差 / 盐差"))
    assert said(answer("报告里讲的“潮汐”是什么？", {"潮汐 /": 3.5, "混合": 3.0, "潮汐是": 2.6}, tides))[0] == "潮汐是指海面的涨落。"


@pytest.mark.parametrize(
    ("question", "text", "first"),
    [
        ("潮流电站是什么？", "潮流电站的用处很多。潮流电站利用海流，是发电的新技术。", "潮流电站利用海流，是发电的新技术。"),
        ("潮流电站是什么？", "它是海上的设备。潮流电站装在海底。", "潮流电站装在海底。"),
        ("潮流电站是什么概念？", "潮流电站很贵。这样的工程被称为潮流电站。", "这样的工程被称为潮流电站。"),
        ("What is a tidal fence?", "进展来自潮汐栅（tidal fence）的应用。潮汐栅是一排水轮机。要造潮汐栅。", "潮汐栅是一排水轮机。"),
    ],
)
def test_a_definition_is_of_the_subject_and_not_of_what_belongs_to_it(question, text, first):
    assert said(answer(question, {text[:4]: 3.0, text.split("。")[1][:4]: 2.8}, report(("prose", text))))[0] == first


def test_a_definition_of_what_has_none_is_of_what_its_heading_joins_it_with():
    headed = report(("prose", "专家谈潮流融合。新型电站是海上的系统。"), section=("趋势六 潮流融合的新型电站",))
    assert said(answer("潮流融合是什么？", {"专家": 3.0, "新型": 2.6}, headed))[0] == "新型电站是海上的系统。"


def test_what_leans_on_the_sentence_before_comes_with_it():
    text = "浮筒分开制造。同时，它的面积更小，成本更低。浮筒很轻。"
    assert said(answer("浮筒为什么便宜？", {"同时": 3.0}, report(("prose", text))))[:2] == ["同时，它的面积更小，成本更低。", "浮筒很轻。"]
    assert "浮筒分开制造。" in said(answer("浮筒为什么便宜？", {"同时": 3.0}, report(("prose", text))))


def test_an_abbreviation_that_nothing_spells_out_is_refused():
    tides = report(("prose", "TSG 芯片更是雨后春笋般出现。"))
    assert answer("TSG 中文叫什么？", {"TSG": 3.0}, tides).reason == "报告没有写出 TSG 代表什么。"
    assert answer("What does TSG stand for?", {"TSG": 3.0}, tides).reason == "The reports do not spell out TSG."


def test_who_wrote_a_stretch_is_its_signature():
    text = "潮汐很重要。王海 海风研究社社长"
    signed = Document("d", "潮汐报告", text, (Block(0, 6, "prose", 1, ("序言",), "王海 海风研究社社长"), Block(6, len(text), "prose", 1, ("序言",), "王海 海风研究社社长")), "d", "d.md", language="zh")  # fmt: skip
    assert said(answer("序言是谁写的？", {"潮汐": 3.0}, signed)) == ["王海 海风研究社社长"]


def test_an_answer_in_another_language_says_so():
    tides = report(("prose", "The tide is 4 GW."))
    made = answer("潮汐是什么？", {"The": 3.0}, replace(tides, language="en"))
    assert made.reason == "报告原文是英文，以下按原文引用。"
    assert answer("潮汐是什么？", {"潮汐": 3.0}, report(("prose", "潮汐是涨落。"))).reason == ""


def test_a_row_answers_where_nothing_else_speaks_of_the_topic():
    rows = report(("abbreviation", "TSGX | Tidal Something"), ("abbreviation", "TSG | Tidal Stream Generator | 潮流发电机"))
    off_topic = {"window_cosine": -2.0, "chunk_cosine": -2.0}
    for question in ("TSG 的中文意思", "TSG 是什么？"):
        assert said(answer(question, {"TSGX": 0.2}, rows, features=off_topic)) == ["TSG | Tidal Stream Generator | 潮流发电机"]
    assert answer("TSG 为什么重要？", {"TSGX": 0.2}, rows, features=off_topic).abstained


# ---- figures at odds ----


def test_a_figure_at_odds_stands_beside_the_best_one_and_is_said():
    tides = report(("prose", "全国潮汐电站的装机容量达到 4.2 GW。"))
    other = report(("prose", "编者按。全国潮汐电站的装机容量达到 9.9 GW。"), name="e", title="另一份")
    result = answer("全国潮汐电站的装机容量有多大？", {"全国": 3.0, "编者": 0.2}, tides, other)
    assert said(result) == ["全国潮汐电站的装机容量达到 4.2 GW。", "全国潮汐电站的装机容量达到 9.9 GW。"]
    assert result.reason == "各处的数字不一致：《潮汐报告》写 4.2 GW，《另一份》写 9.9 GW。"
    assert result.claims[0].text[slice(*result.claims[0].emphasis)] == "4.2 GW"


def test_figures_at_odds_within_a_report_name_the_sections_and_across_years_the_years():
    tides = report(("prose", "全国潮汐电站的装机容量达到 4.2 GW。"), ("prose", "全国潮汐电站的装机容量达到 4.4 GW。"))
    result = answer("全国潮汐电站的装机容量有多大？", {"全国": 3.0}, tides)
    assert result.reason == "各处的数字不一致：《潮汐报告 / 一 现状》写 4.2 GW，《潮汐报告 / 一 现状》写 4.4 GW。"
    later = replace(report(("prose", "Tidal plants reached 9.9 GW of capacity."), name="e", title="Later"), year=2024, language="en")
    first = replace(report(("prose", "Tidal plants reached 4.2 GW of capacity."), title="First"), language="en")
    result = answer("How much capacity do tidal plants have?", {"Tidal plants reached 4": 3.0, "Tidal": 1.0}, first, later)
    assert result.reason == 'The figures differ: "First" (2022) has 4.2 GW, "Later" (2024) has 9.9 GW.'


@pytest.mark.parametrize(
    "other",
    [
        "2030 年全国潮汐电站的装机容量达到 9 GW。",
        "东岸潮汐电站的装机容量达到 9 GW。",
        "成本是 0.31 元。",
        "全国潮汐电站的装机容量达到 4200 兆瓦。",
    ],
)
def test_what_is_said_of_something_else_is_not_at_odds(other):
    tides = report(("prose", "2022 年全国潮汐电站的装机容量达到 4.2 GW。"), ("prose", other))
    assert answer("全国潮汐电站的装机容量有多大？", {"2022": 3.0}, tides).reason == ""


def test_an_echo_of_the_question_is_not_its_answer():
    tides = report(("prose", "潮汐电站的装机容量有多大？"), ("prose", "装机容量为 4.2 GW。"))
    assert said(answer("潮汐电站的装机容量有多大？", {"潮汐": 3.0, "装机": 1.0}, tides)) == ["装机容量为 4.2 GW。"]


def test_a_number_that_stands_in_the_next_sentence_comes_with_the_one_that_leads_up_to_it():
    tides = report(("prose", "电站按发电量收费。这适合小镇，定价为每度 0.31 元。塔很高。"))
    assert said(answer("电站定价是多少？", {"电站": 3.0}, tides)) == ["电站按发电量收费。", "这适合小镇，定价为每度 0.31 元。"]
    assert said(answer("电站定价是多少？", {"这适合": 3.0}, tides)) == ["这适合小镇，定价为每度 0.31 元。"]
