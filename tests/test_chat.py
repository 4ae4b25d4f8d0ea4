"""One question through the whole pipeline, on small reports of our own, with the built-in encoder and a tiny reader."""

from dataclasses import replace

import pytest
from tiny_reader import open_tiny

from rag.chat import Assistant, Finished, Rewritten, Said
from rag.config import Config
from rag.errors import NothingIndexed, UsageError
from rag.index.build import build_index
from rag.index.encoder import BuiltinEncoder
from rag.types import Filter, Turn

TIDES = """---
id: tides
title: 潮汐能年度报告
publisher: 海风研究社
year: 2022
language: zh
---
# 潮汐能年度报告

## 一 现状

潮汐能是指利用涨潮与落潮的水位差来发电的能源。全国潮汐电站的装机容量在 2022 年达到 4.2 GW。东岸的三座电站贡献了其中的 60%。

## 二 成本

潮汐电站每度电的成本降到 0.31 元，比上一年低 18%。成本偏高的原因在于海水腐蚀设备，因此维护费用占到总成本的四成。

潮汐发电有三条技术路线：

- 拦坝式，在河口筑坝蓄水。
- 潮流式，在海底架设水轮机。
- 泻湖式，围出人工湖再发电。

## 三 专家点评

### 林澜，海风研究社首席工程师

泻湖式对生态的影响最小。

## 附录 缩略语

| 缩略语 | 英文 | 中文 |
| --- | --- | --- |
| TSG | Tidal Stream Generator | 潮流发电机 |
| LCOE | Levelised Cost of Energy | 平准化度电成本 |
"""
BEES = """---
id: bees
title: Urban Bees 2021
publisher: Bee Institute
year: 2021
language: en
---
# Urban Bees 2021

## 1 Numbers

Cities counted 1,250 hives per square kilometre in 2021. Hive losses fell to 12% because beekeepers treated mites early.

## 2 Tides of flowers

Lime trees feed most colonies in June. The Bee Institute expects 40 new roof gardens by 2030.
"""


KINDS = {
    "两份报告": "compare",
    "哪三条": "list",
    "为什么": "why",
    "Why": "why",
    "是什么": "definition",
    "多少": "number",
    "多大": "number",
    "How many": "number",
}


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chat")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "tides.md").write_text(TIDES, encoding="utf-8")
    (folder / "corpus" / "bees.md").write_text(BEES, encoding="utf-8")
    config = Config(index_dir=str(folder / "index"))
    build_index([folder / "corpus"], folder / "index", BuiltinEncoder(), target_tokens=config.target_tokens, max_tokens=config.max_tokens)
    return open_tiny(config, KINDS)


def whole(assistant, answer):
    """Every citation is the slice that it says it is, every claim is cited, numbers run from 1."""
    for citation in (*answer.citations, *answer.nearest):
        assert assistant._current().document(citation.document).text[citation.start : citation.end] == citation.quote
        passage = assistant.passage(citation)
        assert passage.text[citation.start - passage.start : citation.end - passage.start] == citation.quote
    assert [citation.n for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert all(claim.citations and claim.verdict == "quoted" for claim in answer.claims)
    return answer


@pytest.mark.parametrize(
    ("question", "wanted", "section"),
    [
        ("潮汐电站的装机容量有多大？", "4.2 GW", "一 现状"),
        ("潮汐能是什么？", "水位差", "一 现状"),
        ("成本偏高的原因为什么在于海水？", "海水腐蚀设备", "二 成本"),
        ("泻湖式对生态有什么影响？", "生态的影响最小", "三 专家点评 / 林澜，海风研究社首席工程师"),
        ("Levelised Cost of Energy 是什么？", "LCOE", "附录 缩略语"),
        ("How many hives were there per square kilometre?", "1,250", "1 Numbers"),
        ("Why did hive losses fall?", "treated mites", "1 Numbers"),
    ],
)
def test_answers_with_the_right_sentence_first(assistant, question, wanted, section):
    answer = whole(assistant, assistant.ask(question))
    assert not answer.abstained and wanted in answer.claims[0].text and answer.citations[0].section == section
    assert answer.confidence in ("sure", "likely", "perhaps") and answer.code == ""


def test_a_list_gives_every_bullet_in_order(assistant):
    answer = whole(assistant, assistant.ask("潮汐发电有哪三条技术路线？"))
    assert [claim.text[:3] for claim in answer.claims] == ["潮汐发", "拦坝式", "潮流式", "泻湖式"]


def test_the_number_asked_for_is_emphasised(assistant):
    claim = assistant.ask("潮汐电站每度电的成本降到多少？").claims[0]
    assert claim.emphasis and claim.text[slice(*claim.emphasis)] == "0.31 元"


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("2035 年潮汐电站的装机容量是多少？", "year_not_in_evidence"),
        ("火星上有几座寺庙？", "not_answered"),
        ("Who won the football championship in Brazil?", "not_answered"),
        ("TX-77 潮汐电站的装机容量是多少？", "name_not_in_evidence"),
    ],
)
def test_refuses_what_the_reports_do_not_say(assistant, question, code):
    answer = whole(assistant, assistant.ask(question))
    assert answer.abstained and answer.code == code and answer.reason and answer.confidence == ""
    assert not answer.claims and not answer.citations and answer.answer == ""
    assert answer.to_dict()["code"] == code


def test_reason_names_the_year_and_nearest_came_close(assistant):
    answer = assistant.ask("2035 年潮汐电站的装机容量是多少？")
    assert "2035" in answer.reason and any("4.2 GW" in citation.quote for citation in answer.nearest)


def test_strictness_moves_the_bar(assistant):
    def abstained(question: str) -> list[bool]:
        config = assistant.config
        return [
            Assistant(replace(config, strictness=name), assistant.encoder, assistant.store, assistant.reader).ask(question).abstained
            for name in ("strict", "balanced", "open")
        ]

    assert abstained("潮汐电站的装机容量由谁核定？") == [True, False, False]
    assert abstained("Who counted hives in castles and towns?") == [True, True, False]


def test_a_follow_up_is_read_with_the_turn_before(assistant):
    before = Turn("潮汐电站的装机容量有多大？", "4.2 GW。")
    answer = whole(assistant, assistant.ask("那东岸呢？", history=[before]))
    assert "60%" in answer.claims[0].text
    assert assistant.ask("那西岸呢？", history=[before]).abstained


def test_filter_by_report_and_unknown_report(assistant):
    assert {citation.document for citation in assistant.ask("2021 年的数字是多少？", only=Filter(reports=("bees",))).citations} <= {"bees"}
    with pytest.raises(UsageError, match="no report 'whales'"):
        assistant.ask("多少？", only=Filter(reports=("whales",)))


def test_stream_ends_with_what_ask_gives(assistant):
    events = list(assistant.stream("潮汐能是什么？"))
    assert isinstance(events[0], Rewritten) and isinstance(events[-1], Finished)
    said = [event.claim for event in events if isinstance(event, Said)]
    assert tuple(said) == events[-1].answer.claims
    again = assistant.ask("潮汐能是什么？")
    assert replace(again, timings_ms={}) == replace(events[-1].answer, timings_ms={})


@pytest.mark.parametrize("question", ["", "  ", "？？！", "\u200b\u200d", "潮" * 4001])
def test_hopeless_questions_are_usage_errors(assistant, question):
    with pytest.raises(UsageError):
        assistant.ask(question)


@pytest.mark.parametrize("question", ["潮", "a", '" OR (NEAR x* -y', "{0.__class__} %s $(x)", "\ud800潮汐", "潮汐" * 1900])
def test_odd_questions_get_an_answer_or_a_refusal(assistant, question):
    whole(assistant, assistant.ask(question))


def test_nothing_indexed(tmp_path):
    with pytest.raises(NothingIndexed):
        Assistant.open(Config(index_dir=str(tmp_path / "none")))


def test_a_new_generation_is_seen_at_the_next_question(assistant, tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "tides.md").write_text(TIDES, encoding="utf-8")
    config = Config(index_dir=str(tmp_path / "index"))
    encoder = BuiltinEncoder()
    build_index([folder], tmp_path / "index", encoder, target_tokens=config.target_tokens, max_tokens=config.max_tokens)
    late = open_tiny(config)
    assert late.ask("How many hives were there per square kilometre?").abstained
    (folder / "bees.md").write_text(BEES, encoding="utf-8")
    build_index([folder], tmp_path / "index", encoder, target_tokens=config.target_tokens, max_tokens=config.max_tokens)
    assert "1,250" in late.ask("How many hives were there per square kilometre?").answer
