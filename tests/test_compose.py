"""Scored sentences to an answer: how many, which, in which order, and when none. The scores are given, so that no reader is needed to choose them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_reader import TinyReader

from rag.answer.compose import BUDGET, FACT_BUDGET, FACT_SENTENCES, ExtractiveAnswerer
from rag.search.evidence import Evidence, ReadPassage, ScoredSentence
from rag.search.question import read_question
from rag.search.sentences import SentenceIndex
from rag.types import Answer, Block, Chunk, Document, Hit

# Logit of a passage that answers beyond doubt, and of one that does not.
YES, NO = 6.0, -6.0


def report(*rows: tuple[str, str], name: str = "d", title: str = "潮汐报告", section: tuple[str, ...] = ("一 现状",)) -> Document:
    """A document of (kind, text) blocks in one section."""
    text, blocks = "", []
    for kind, row in rows:
        blocks.append(Block(len(text), len(text) + len(row), kind, 3, section))
        text += row + "\n"
    return Document(name, title, text, tuple(blocks), name, f"{name}.md", "海风研究社", 2022, "zh")


def answer(
    question: str,
    scores: dict[str, float],
    *documents: Document,
    kind: str = "entity",
    logits: tuple[float, ...] = (YES,),
    **settings,
) -> Answer:
    """Composes from sentences whose scores are given by their beginnings; the others get 0.05. A logit for each document's passage."""
    index, by_name = SentenceIndex(), {document.id: document for document in documents}
    scored, passages = [], []
    for document, logit in zip(documents, logits + logits[-1:] * len(documents), strict=False):
        hit = Hit(Chunk(f"c-{document.id}", document.id, 0, len(document.text), 3, ("一 现状",), 1), document.text, 1, 1, 1)
        passages.append(ReadPassage(hit, logit, logit, 0.0, TinyReader().confidence(logit, logit, 0.0, "zh-zh")))
        for sentence in index.of(document):
            if sentence.kind != "heading":
                score = next((value for start, value in scores.items() if sentence.text.startswith(start)), 0.05)
                scored.append(ScoredSentence(sentence, score, hit))
    scored.sort(key=lambda one: (-one.score, one.sentence.document, one.sentence.position))
    passages.sort(key=lambda passage: -passage.confidence)
    asked = read_question(question, documents)
    evidence = Evidence(asked, question, kind, tuple(p.hit for p in passages), tuple(passages), tuple(scored))
    return ExtractiveAnswerer(TinyReader(), index, by_name.__getitem__, **settings).answer(evidence, documents)


def said(result: Answer) -> list[str]:
    return [claim.text for claim in result.claims]


def test_a_fact_is_one_sentence_unless_another_is_as_good():
    tides = report(("prose", "装机容量为 4.2 GW。东岸的电站最多。成本是 0.31 元。"))
    assert said(answer("装机容量有多大？", {"装机": 0.9, "东岸": 0.4}, tides)) == ["装机容量为 4.2 GW。"]
    assert said(answer("装机容量有多大？", {"装机": 0.9, "东岸": 0.8}, tides)) == ["装机容量为 4.2 GW。", "东岸的电站最多。"]
    assert said(answer("装机容量有多大？", {"装机": 0.3, "东岸": 0.3}, tides)) == ["装机容量为 4.2 GW。"]  # as good, and not good


def test_every_citation_is_its_slice_with_section_and_page():
    tides = report(("prose", "装机容量为 4.2 GW。"))
    result = answer("装机容量有多大？", {"装机": 0.9}, tides, kind="number")
    (citation,) = result.citations
    assert tides.text[citation.start : citation.end] == citation.quote == "装机容量为 4.2 GW。"
    assert (citation.section, citation.page, citation.document, citation.n, citation.score) == ("一 现状", 3, "d", 1, 0.9)
    assert result.answer == "装机容量为 4.2 GW。[1]" and result.claims[0].verdict == "quoted" and result.claims[0].why == ""
    assert result.claims[0].text[slice(*result.claims[0].emphasis)] == "4.2 GW"
    assert answer("装机容量有多大？", {"装机": 0.9}, tides).claims[0].emphasis is None  # no number is asked for


def test_the_number_that_the_question_does_not_hold_itself_is_emphasised():
    tides = report(("prose", "到 2030 年，占比为 70%，共 12 家电站。"))
    for question, kind, number in (("到 2030 年占比多少？", "number", "70%"), ("占比何时到 70%？", "date", "2030 年")):
        claim = answer(question, {"到": 0.9}, tides, kind=kind).claims[0]
        assert claim.text[slice(*claim.emphasis)] == number


@pytest.mark.parametrize(("logit", "words"), [(6.0, "sure"), (1.0, "likely"), (0.1, "perhaps")])
def test_confidence_is_told_in_words(logit, words):
    assert answer("装机？", {"装机": 0.9}, report(("prose", "装机容量为 4.2 GW。")), logits=(logit,)).confidence == words


def test_a_reason_starts_with_the_best_sentence_and_goes_on_in_report_order():
    tides = report(("prose", "背景很多。成本偏高是因为腐蚀。因此要常常维护。维护占四成。"))
    scores = {"成本": 0.9, "因此": 0.5, "维护": 0.6, "背景": 0.46}
    assert said(answer("成本为什么偏高？", scores, tides, kind="why")) == [
        "成本偏高是因为腐蚀。",
        "因此要常常维护。",
        "维护占四成。",
        "背景很多。",
    ]


def test_a_list_is_the_whole_run_of_bullets_whichever_was_found():
    tides = report(
        ("prose", "路线有三条："), ("item", "拦坝式，筑坝。"), ("item", "潮流式，水轮机。"), ("item", "泻湖式，人工湖。"), ("prose", "完。")
    )
    whole = ["路线有三条：", "拦坝式，筑坝。", "潮流式，水轮机。", "泻湖式，人工湖。"]
    entries = {"拦坝": 0.3, "泻湖": 0.3}
    assert said(answer("有哪三条路线？", {"潮流": 0.9, **entries}, tides, kind="list")) == whole
    assert said(answer("有哪三条路线？", {"路线": 0.9}, tides, kind="list")) == whole  # the lead is the best
    assert said(answer("哪条用水轮机？", {"潮流": 0.9, **entries}, tides)) == ["潮流式，水轮机。"]  # no list is wanted
    alone = said(answer("有哪些路线？", {"潮流": 0.5}, tides, kind="list"))  # the reader takes the other entries for no answer
    assert alone == ["潮流式，水轮机。"]


def test_a_long_list_keeps_the_first_sentence_of_each_bullet():
    rows = [("item", f"第{n}条。" + "解释很长" * 40 + "。") for n in "一二三四五六"]
    result = answer("有哪些路线？", {"路线": 0.9}, report(("prose", "路线如下："), *rows), kind="list")
    assert said(result) == ["路线如下：", "第一条。", "第二条。", "第三条。", "第四条。", "第五条。", "第六条。"]


def test_entries_that_are_too_long_are_quoted_up_to_their_first_rest():
    rows = [("prose", f"{name}：在{name}的海面上建造很多电站，" + "很长" * 100 + "。") for name in ("近海", "中海", "远海", "深海")]
    tides = report(("prose", "海上有四种电站。"), *rows)
    result = answer("海上有哪四种电站？", {"海上": 0.9}, tides, kind="list")
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
    found = answer("成本为什么高？", {"成本因为": 0.9, "成本高": 0.8}, tides, kind="why")
    assert said(found) == ["成本因为腐蚀而高。", "成本高的原因有两个：", "海水腐蚀叶片。", "维护要等退潮。"]
    # A definition, which has less room, leaves out an announcement whose list is too long for it.
    long = report(("prose", "潮汐电站是一种电站。"), ("prose", "要点如下："), *(("item", f"第{n}点" + "很长" * 60) for n in "一二三"))
    assert said(answer("潮汐电站是什么？", {"潮汐": 0.9, "要点": 0.8}, long, kind="definition")) == ["潮汐电站是一种电站。"]


def test_what_is_said_twice_is_quoted_once():
    tides = report(("prose", "装机容量达到四成以上。"), ("prose", "东岸最多。"))
    again = report(("prose", "装机容量达到四成以上了。"), name="e")
    assert said(answer("装机容量？", {"装机": 0.9, "东岸": 0.8}, tides, again)) == ["装机容量达到四成以上。", "东岸最多。"]


@given(st.lists(st.tuples(st.integers(4, 160), st.floats(0.01, 0.99)), min_size=1, max_size=14), st.sampled_from([*BUDGET, "number"]))
def test_budgets_hold_and_the_best_sentence_is_there(rows, kind):
    numbered = [(f"{chr(0x4E00 + 7 * n)}{chr(0x6000 + n) * length}。", score) for n, (length, score) in enumerate(rows)]
    tides = report(("prose", "".join(text for text, _ in numbered)))
    result = answer("有多长？", {text[:2]: score for text, score in numbered}, tides, kind=kind)
    best = max(numbered, key=lambda row: row[1])
    assert [citation.n for citation in result.citations] == list(range(1, len(result.claims) + 1))
    assert any(citation.score == round(best[1], 4) for citation in result.citations)
    assert len(result.claims) == 1 or sum(len(text) + 4 for text in said(result)) <= BUDGET.get(kind, FACT_BUDGET)
    assert kind != "number" or len(result.claims) <= FACT_SENTENCES


# ---- two languages, several reports ----


def test_an_answer_keeps_to_one_language():
    zh, en = report(("prose", "装机容量为 4.2 GW。")), report(("prose", "The capacity is 4.2 GW."), name="e")
    assert said(answer("装机容量有多大？", {"装机": 0.9, "The": 0.88}, zh, replace(en, language="en"))) == ["装机容量为 4.2 GW。"]


def test_an_answer_in_another_language_says_so():
    tides = replace(report(("prose", "The tide is 4 GW.")), language="en")
    assert answer("潮汐是什么？", {"The": 0.9}, tides).reason == "报告原文是英文，以下按原文引用。"
    chinese = report(("prose", "潮汐是涨落。"))
    assert answer("潮汐是什么？", {"潮汐": 0.9}, chinese).reason == ""
    assert answer("What is a tide?", {"潮汐": 0.9}, chinese).reason == "The report is in Chinese and is quoted as it stands."


def test_a_comparison_has_a_part_for_each_report_and_names_the_silent_one():
    tides = report(("prose", "成本是 3 元。成本会下降。"))
    winds = replace(report(("prose", "成本是 5 元。"), name="w", title="风能报告"), publisher="陆风学会")
    waves = replace(report(("prose", "海浪很高。"), name="x", title="海浪报告"), publisher="波浪协会")
    asked = "海风研究社、陆风学会和波浪协会怎么看成本？"
    result = answer(asked, {"成本": 0.9}, tides, winds, waves, kind="compare", logits=(YES, YES, NO))
    assert said(result) == ["成本是 3 元。", "成本会下降。", "成本是 5 元。"]
    assert [citation.document for citation in result.citations] == [
        "d",
        "d",
        "w",
    ] and result.reason == "没有在这些报告里找到相关内容：海浪报告"


# ---- refusals ----


def test_what_the_passages_do_not_answer_is_refused_with_what_came_near():
    tides = report(("prose", "装机容量为 4.2 GW。成本是 0.31 元。东岸最多。西岸最少。"))
    result = answer("谁设计了它？", {"装机": 0.2}, tides, logits=(NO,))
    assert result.abstained and result.code == "not_answered" and result.reason == "检索到的段落没有回答这个问题。"
    assert result.claims == () and result.confidence == "" and result.answer == ""
    assert [citation.quote for citation in result.nearest] == ["装机容量为 4.2 GW。", "成本是 0.31 元。", "东岸最多。"]


def test_strictness_moves_the_bar():
    tides = report(("prose", "装机容量为 4.2 GW。"))
    refused = {
        name: answer("装机容量有多大？", {"装机": 0.9}, tides, logits=(0.5,), strictness=name).abstained
        for name in ("strict", "balanced", "open")
    }
    assert refused == {"strict": True, "balanced": False, "open": False}


def test_nothing_to_quote():
    result = answer("How large?", {}, report(("heading", "一 现状")))
    assert (result.abstained, result.code, result.nearest) == (True, "nothing_found", ())
    assert result.reason == "I did not find anything on this question."


def test_a_signature_is_no_sentence_of_an_answer():
    text, signer = "潮汐很重要。王海 海风研究社社长", "王海 海风研究社社长"
    blocks = (Block(0, 6, "prose", 1, ("序言",), signer), Block(6, len(text), "prose", 1, ("序言",), signer))
    signed = Document("d", "潮汐报告", text, blocks, "d", "d.md", language="zh")
    assert said(answer("潮汐为什么重要？", {"王海": 0.9, "潮汐": 0.6}, signed)) == ["潮汐很重要。"]


def test_the_first_sentence_that_meets_every_constraint_leads():
    rows = ("prose", "2021 年装机容量为 3 GW。"), ("prose", "成本下降。" * 3), ("prose", "2022 年装机容量为 4 GW。")
    parts = replace(
        report(*rows), blocks=tuple(replace(block, section=(f"{n}",)) for n, block in enumerate(report(*rows).blocks)), year=None
    )
    scores = {"2021": 0.9, "2022": 0.8}
    assert said(answer("2022 年装机容量有多大？", scores, parts))[0] == "2022 年装机容量为 4 GW。"
    refused = answer("2023 年装机容量有多大？", scores, parts)
    assert (refused.abstained, refused.code, refused.reason) == (True, "year_not_in_evidence", "检索到的段落里没有找到 2023 年的内容。")
    assert not answer("2023 年装机容量有多大？", scores, parts, strictness="open").abstained
    assert not answer("2023 年装机容量有多大？", scores, parts, without=frozenset({"year"})).abstained
    # A sentence that is far behind the best one does not lead because it meets the year.
    assert answer("2022 年装机容量有多大？", {"2021": 0.9, "2022": 0.2}, parts).code == "year_not_in_evidence"


# ---- figures at odds ----


def test_a_figure_at_odds_stands_beside_the_best_one_and_is_said():
    tides = report(("prose", "全国潮汐电站的装机容量达到 4.2 GW。"))
    other = report(("prose", "编者按。全国潮汐电站的装机容量达到 9.9 GW。"), name="e", title="另一份")
    result = answer("全国潮汐电站的装机容量有多大？", {"全国": 0.9}, tides, other, kind="number")
    assert said(result) == ["全国潮汐电站的装机容量达到 4.2 GW。", "全国潮汐电站的装机容量达到 9.9 GW。"]
    assert result.reason == "各处的数字不一致：《潮汐报告》写 4.2 GW，《另一份》写 9.9 GW。"
    assert result.claims[0].text[slice(*result.claims[0].emphasis)] == "4.2 GW"


def test_what_does_not_meet_a_constraint_does_not_join_and_its_section_may_answer_instead():
    ferry = report(
        ("prose", "2022年第三季度运送旅客8.1万人次。"), ("prose", "四季度运送旅客3.9万人次。"), ("prose", "上半年运送旅客10.2万人次。")
    )
    result = answer("第四季度运送旅客多少？", {"2022": 0.9, "四季度": 0.2, "上半年": 0.8}, ferry, kind="number")
    assert said(result) == ["四季度运送旅客3.9万人次。"]


def test_each_of_several_years_gets_its_own_sentence():
    staff = report(*(("prose", f"{year} 年公司有 {count} 名员工。") for year, count in ((2021, 640), (2022, 655), (2023, 671))))
    parts = replace(staff, blocks=tuple(replace(block, section=(f"{n}",)) for n, block in enumerate(staff.blocks)), year=None)
    scores = {"2023": 0.9, "2022": 0.5, "2021": 0.3}
    assert said(answer("2021 年和 2023 年公司有多少员工？", scores, parts, kind="number")) == [
        "2021 年公司有 640 名员工。",
        "2023 年公司有 671 名员工。",
    ]
