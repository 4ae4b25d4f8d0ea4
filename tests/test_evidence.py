"""Question to evidence: comparisons take from each report, follow-ups stay where the last answer stood."""

import pytest
from rag.search.followup import rewrite
from rag.search.rank import SentenceRanker

from rag.index.build import build_index
from rag.index.encoder import BuiltinEncoder
from rag.index.snapshot import open_index
from rag.search.evidence import Finder, in_one_edition
from rag.types import Document, Filter, Turn

TIDES = """---
id: tides
title: 潮汐报告
publisher: 海风研究社
year: 2022
---
# 潮汐报告

## 一 东岸

东岸电站的装机容量是 4 GW。东岸电站的成本是 3 元。

## 二 西岸

西岸电站的装机容量是 9 GW。西岸电站的成本是 7 元。
"""
WINDS = TIDES.replace("tides", "winds").replace("潮汐", "风能").replace("海风研究社", "陆风学会").replace("4 GW", "5 GW")


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "tides.md").write_text(TIDES, encoding="utf-8")
    (folder / "corpus" / "winds.md").write_text(WINDS, encoding="utf-8")
    encoder = BuiltinEncoder()
    build_index([folder / "corpus"], folder / "index", encoder)
    return Finder(open_index(folder / "index", encoder=encoder), encoder, SentenceRanker(encoder), 60, 12)


def find(finder, question, history=(), only=None):
    return finder.find(rewrite(question, history), question, history, only, finder.store.documents())


def test_the_sentence_that_says_it_comes_first(finder):
    best = find(finder, "西岸电站的成本是多少？", only=Filter(("tides",))).sentences[0].sentence
    assert (best.document, best.section, best.text) == ("tides", ("二 西岸",), "西岸电站的成本是 7 元。")


@pytest.mark.parametrize(
    ("question", "section"), [("在“西岸”一节里，装机容量是多少？", "二 西岸"), ("东岸那一章里说的装机容量是多少？", "一 东岸")]
)
def test_a_section_that_is_named_as_such_answers(finder, question, section):
    assert find(finder, question, only=Filter(("tides",))).sentences[0].sentence.section == (section,)


def test_a_comparison_has_chunks_of_each_named_report_and_drops_their_names(finder):
    found = find(finder, "海风研究社和陆风学会怎么看东岸电站的装机容量？")
    assert found.question.kind == "compare" and {hit.chunk.document for hit in found.hits} == {"tides", "winds"}
    assert "海风" not in found.question.core and "装机容量" in found.question.core


def test_a_report_that_is_named_as_the_one_asked_alone_answers(finder):
    found = find(finder, "只看陆风学会的报告，东岸电站的装机容量是多少？")
    assert {item.sentence.document for item in found.sentences} == {"winds"} and "5 GW" in found.sentences[0].sentence.text


def test_a_follow_up_stays_in_the_section_of_the_last_answer(finder):
    only = Filter(("tides",))
    for history in (
        [Turn("西岸电站的装机容量是多少？", "9 GW。")],
        [Turn("装机容量是多少？", "9 GW。", sections=(("tides", ("二 西岸",)),))],
    ):
        best = find(finder, "那成本呢？", history, only).sentences[0].sentence
        assert best.text == "西岸电站的成本是 7 元。"


def test_a_follow_up_inherits_the_kind_and_the_report(finder):
    found = find(finder, "那西岸呢？", [Turn("海风研究社说东岸电站的成本是多少？", "3 元。")])
    assert (found.question.kind, found.question.reports, found.question.carried != "") == ("number", ("tides",), True)


def test_turning_to_another_report_compares(finder):
    found = find(finder, "那陆风学会呢？", [Turn("海风研究社对西岸电站的说法是什么？", "…")])
    assert found.question.kind == "compare" and set(found.question.reports) == {"tides", "winds"}


def test_of_two_editions_the_one_in_the_language_of_the_question_answers():
    def report(name, language):
        return Document(name, name, "", (), "", "", language=language)

    reports = (report("bees", "en"), report("tides.en", "en"), report("tides.zh", "zh"))
    assert in_one_edition(None, reports, "zh") == Filter(("bees", "tides.zh"))
    assert in_one_edition(Filter(year=2022), reports, "en") == Filter(("bees", "tides.en"), year=2022)
    assert in_one_edition(None, reports[:2], "zh") is None


def test_a_row_that_spells_out_a_name_is_found_wherever_it_stands(tmp_path):
    rows = "\n".join(f"| T{chr(65 + number)}X | Tidal {number} Thing | 潮汐{number} |" for number in range(26))
    glossary = f"# 附录 缩略语\n\n| 缩略语 | 英文全称 | 中文全称 |\n|---|---|---|\n{rows}\n| OTEC | Ocean Thermal Energy Conversion | 海洋温差发电 |\n"
    prose = "\n\n".join(f"第 {number} 座 OTEC 电站的中文资料很多，意思是它运行良好，单位也表示满意。" for number in range(40))
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "ocean.md").write_text(f"# 海洋\n\n{prose}\n\n{glossary}", encoding="utf-8")
    (tmp_path / "corpus" / "tides.md").write_text(TIDES, encoding="utf-8")
    encoder = BuiltinEncoder()
    build_index([tmp_path / "corpus"], tmp_path / "index", encoder, target_tokens=120, max_tokens=160)
    finder = Finder(open_index(tmp_path / "index", encoder=encoder), encoder, SentenceRanker(encoder), 10, 4)
    found = find(finder, "OTEC 的中文意思")
    assert [item.sentence.text for item in found.sentences if item.sentence.kind == "abbreviation"] == [
        "OTEC | Ocean Thermal Energy Conversion | 海洋温差发电"
    ]
    assert not [item for item in find(finder, "OTEC 的中文意思", only=Filter(("tides",))).sentences if item.sentence.kind == "abbreviation"]
    assert not [item for item in find(finder, "OTE 的中文意思").sentences if item.sentence.text.startswith("OTEC |")]
