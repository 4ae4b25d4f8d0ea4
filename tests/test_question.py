"""What a question says of itself: language, content words, years, names and the reports that it names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.search.question import language_of, names_of, read_question, strip_asking, without_markup, without_names
from rag.types import Document


def test_reports_that_are_named_and_how_many_publishers_these_are():
    def report(name: str, publisher: str) -> Document:
        return Document(name, name, "", (), "", "", publisher)

    reports = (report("tides", "海风研究社"), report("bees", "Bee Institute"))
    question = read_question("海风研究社和 Bee Institute 怎么看授粉？", reports)
    assert (question.reports, question.publishers) == (("bees", "tides"), 2)
    question = read_question("海风研究社怎么看授粉？", reports)
    assert (question.reports, question.publishers) == (("tides",), 1)
    assert (read_question("授粉是什么？", reports).reports, read_question("授粉是什么？", reports).publishers) == ((), 0)


def test_language_follows_the_words_not_the_names():
    assert [language_of(text) for text in ("CIPU 是什么？", "What does 蓝碳 mean in this report?", "HTAP 全称")] == ["zh", "en", "zh"]


def test_asking_words_go_and_latin_names_stay():
    assert strip_asking("那 PaC 的全称是什么呢？") == "PaC 全称"
    assert "能源" in strip_asking("那能源这块呢，华为怎么看？") and "华为" in strip_asking("那能源这块呢，华为怎么看？")
    assert strip_asking("What is the growth rate of the market?") == "growth rate market"
    assert strip_asking("什么是？") == "什么是？"
    assert strip_asking("请问蓝碳到底是什么？") == strip_asking("那蓝碳是什么呢？") == "蓝碳"


def test_years_and_latin_names_are_read_off():
    question = read_question("到 2035 年，5G-A 的 API 占比是多少？")
    assert (question.years, question.names, question.language) == (frozenset({2035}), ("5G-A", "API"), "zh")
    assert read_question("What is the share of API and API calls?").names == ("share", "API", "calls")


def test_what_is_compared_is_left_without_names():
    tides = Document("a", "潮汐年报", "", (), "a", "a.md", "海风研究社", 2022, "zh")
    assert without_names("海风研究社 和 港务局 成本", (tides,)) == "和 港务局 成本"
    assert without_names("cost", (tides,)) == "cost"
    assert without_names("海风研究社", (tides,)) == "海风研究社"


def test_a_report_is_known_by_its_file_its_publisher_and_their_short_forms():
    assert {"华为", "huawei"} <= names_of(Document("huawei-cloud", "云计算", "", (), "", ""))
    assert "cloud" not in names_of(Document("huawei-cloud", "云计算", "", (), "", ""))
    assert {"阿里", "阿里巴巴", "水利院"} <= names_of(Document("d", "趋势", "", (), "", "", publisher="阿里巴巴水利院"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Are Best Buy's margins steady?", ("bestbuy",)),
        ("Which company has the best margins to buy?", ()),
        ("Does Foot Locker's new CEO know Footlocker?", ("FOOTLOCKER_2022",)),
        ("What is Square's revenue?", ("square",)),
        ("How big is the square?", ()),
        ("Coca Cola's assets?", ("cola",)),
        ("What is Lockheed's revenue, in general?", ("lockheed",)),
    ],
)
def test_a_publisher_is_named_by_its_whole_name_or_a_word_that_is_no_other(text, named):
    reports = [
        Document("bestbuy", "Form 10-K", "", (), "", "", publisher="BEST BUY CO., INC."),
        Document("FOOTLOCKER_2022", "Form 8-K", "", (), "", ""),
        Document("square", "Form 10-K", "", (), "", "", publisher="SQUARE, INC."),
        Document("cola", "Form 10-K", "", (), "", "", publisher="The Coca-Cola Company"),
        Document("lockheed", "Form 10-K", "", (), "", "", publisher="LOCKHEED MARTIN CORPORATION"),
        Document("mills", "Form 10-K", "", (), "", "", publisher="GENERAL MILLS, INC."),
    ]
    assert read_question(text, reports).reports == named


def test_two_reports_of_one_publisher_are_no_comparison():
    one, other = (Document(f"cola{year}", "10-K", "", (), "", "", publisher="Coca-Cola", year=year) for year in (2020, 2021))
    third = Document("lockheed", "10-K", "", (), "", "", publisher="Lockheed Martin")
    assert read_question("How much did Coca-Cola sell?", (one, other, third)).publishers == 1
    assert read_question("How much did Coca-Cola and Lockheed Martin sell?", (one, other, third)).publishers == 2


def test_a_word_of_the_language_names_a_report_only_with_its_capital_letter():
    def report(name: str, publisher: str) -> Document:
        return Document(name, name, "", (), "", f"{name}.pdf", publisher)

    reports = (report("harbour", "Quay Press"), report("light", "Harbour Office"))
    asked = read_question("How many tonnes of granite does the harbour crane lift?", reports)
    assert (asked.publishers, asked.reports) == (0, ())
    assert read_question("How tall is the tower, says the Harbour Office?", reports).reports == ("light",)
    assert read_question("how do huawei and light differ?", (*reports, report("x", "Huawei"))).reports == ("x",)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("<b>How</b> tall is the <i>tower</i>?", "How tall is the tower?"),
        ("<img src=x onerror='alert(1)'> 塔有多高？", "塔有多高？"),
        ("塔有多高？<script>alert('塔')</script>", "塔有多高？"),
        ("<!-- a --> 塔有多高？", "塔有多高？"),
        ("is 3 < 5 and 7 > 4?", "is 3 < 5 and 7 > 4?"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("how  wide?", "how  wide?"),
    ],
)
def test_markup_is_no_part_of_a_question(text, bare):
    assert without_markup(text) == bare


@given(st.text(max_size=80))
def test_any_text_is_a_question_with_something_to_search(text):
    question = read_question(text, (Document("tides", "潮汐", "", (), "", "", publisher="海风研究社"),))
    assert question.language in ("zh", "en") and question.text == text
    assert question.core or not text.strip()
    assert strip_asking(question.core) or not question.core
