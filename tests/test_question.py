"""What a question asks: kind, language, content words, demands."""

import pytest

from rag.search.question import (
    kind_of,
    language_of,
    names_of,
    parts_of,
    quantity_answers,
    read_question,
    section_named,
    strip_asking,
    without_markup,
    without_names,
)
from rag.types import Document


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("潮汐电站为什么要建三座，成本多少？", "why"),
        ("HTAP 全称", "abbreviation"),
        ("SRE 的中文意思", "abbreviation"),
        ("EB 表示什么单位？", "abbreviation"),
        ("What does ZTNA stand for?", "abbreviation"),
        ("潮汐能是什么？", "definition"),
        ("报告里说的“蓝碳”指的是怎样一个过程？", "definition"),
        ("How does the report define blue carbon?", "definition"),
        ("它有哪三条路径？", "list"),
        ("Which three routes are there, and what are the stages?", "list"),
        ("海上风电 2030 年能占几成？", "number"),
        ("How many turbines will there be?", "number"),
        ("这一章的点评专家是谁？", "person"),
        ("互连联盟叫什么名字？", "entity"),
        ("关于渔业，两份报告各自怎么说？", "compare"),
        ("珊瑚白化如何缓解？", "why"),
        ("潮汐电站有什么好处？", "why"),
        ("电站并网难在什么地方？", "why"),
        ("时延能压到多低？", "number"),
        ("蓝碳是什么概念？", "definition"),
        ("什么叫蓝碳？", "definition"),
        ("水轮机是做什么的？", "definition"),
        ("Which trend deals with tides?", "entity"),
        ("Which coastal towns were flooded?", "list"),
        ("What happens when a dam breaks?", "entity"),
        ("When was the dam built?", "number"),
        ("蓝碳，一句话解释下", "definition"),
        ("谈水轮机之前先得弄懂：“转子”一词报告里是怎么解释的？", "definition"),
        ("“潮汐栅”听着挺玄，它到底是个什么系统？", "definition"),
        ("潮汐电站喊了这么多年还没铺开，毛病出在哪？", "why"),
        ("渔民愿意交出数据，图的是什么？", "why"),
        ("每座塔都自己发电，会惹出什么麻烦？", "why"),
        ("What makes tidal plants so costly?", "why"),
        ("浮筒没什么含义可言，为什么还要造？", "why"),
        ("三种浮筒各自好在哪儿？三条都列一下。", "list"),
        ("Name the four stages of a dam.", "list"),
        ("Which bare-metal parts does a turbine share?", "list"),
        ("Which town hosts the office?", "entity"),
        ("靠“多久涨一次潮”来发电的，是哪一种电站？", "entity"),
        ("渔业最常碰上的麻烦是什么？", "entity"),
        ("潮汐能离成熟还得等几年？", "number"),
        ("那座塔排第几？", "number"),
        ("这几年塔为什么贵？", "why"),
        ("What portion of towers was rebuilt?", "number"),
        ("When the dam breaks, which town pays the bill?", "entity"),
        ("By which year will the dam be built?", "number"),
        ("Two weeks on, how many towers stood, compared with dams?", "number"),
    ],
)
def test_kind(text, kind):
    assert kind_of(text) == kind


def test_names_of_two_reports_make_a_comparison():
    def report(name: str, publisher: str) -> Document:
        return Document(name, name, "", (), "", "", publisher)

    reports = (report("tides", "海风研究社"), report("bees", "Bee Institute"))
    question = read_question("海风研究社和 Bee Institute 怎么看授粉？", reports)
    assert (question.kind, question.reports) == ("compare", ("bees", "tides"))
    assert read_question("海风研究社怎么看授粉？", reports).reports == ("tides",)


def test_language_follows_the_words_not_the_names():
    assert [language_of(text) for text in ("CIPU 是什么？", "What does 蓝碳 mean in this report?", "HTAP 全称")] == ["zh", "en", "zh"]


def test_asking_words_go_and_latin_names_stay():
    assert strip_asking("那 PaC 的全称是什么呢？") == "PaC"
    assert "能源" in strip_asking("那能源这块呢，华为怎么看？") and "华为" in strip_asking("那能源这块呢，华为怎么看？")
    assert strip_asking("What is the growth rate of the market?") == "growth rate market"
    assert strip_asking("什么是？") == "什么是？"
    assert strip_asking("那什么叫蓝碳？") == strip_asking("蓝碳是什么概念？") == "蓝碳"
    assert strip_asking("How large are the risks of large models?") == "risks large models"


def test_the_reason_for_a_question_is_not_searched():
    assert strip_asking("老板让我算笔账：潮汐电站的装机容量有多大？") == strip_asking("潮汐电站的装机容量有多大？")
    assert strip_asking("潮汐电站：装机容量有多大？") == "潮汐电站 装机容量有"
    assert strip_asking("蓝碳，用一句话解释一下") == strip_asking("“蓝碳”一词是怎么解释的？") == "蓝碳"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("在“成本”一节里，提到了什么？", "成本"),
        ("东岸那章的点评专家是谁？", "东岸"),
        ("In the chapter on tidal cost, what is said?", "tidal cost"),
        ("其中海上的那部分呢？", ""),
        ("成本是多少？", ""),
    ],
)
def test_the_section_that_is_meant(text, named):
    assert section_named(text) == named


def test_parts_each_ask():
    assert parts_of("按报告的说法，潮汐能是什么，多久能用上？") == ("按报告的说法，潮汐能是什么", "多久能用上")
    assert parts_of("潮汐能是什么？") == ("潮汐能是什么",)
    assert parts_of("How large is it, and by when? What limits it?") == ("How large is it, and by when", "What limits it")


def test_demands():
    question = read_question("到 2035 年，5G-A 的 API 占比是多少？")
    assert (question.years, question.names, question.asked) == (frozenset({2035}), ("5G-A", "API"), ("percent", "multiple"))


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("潮汐能离成熟还得等几年？", ("duration",)),
        ("靠“哪一年涨潮”记账的那座塔有多高？", ()),
        ("When the dam broke, how many towns were flooded?", ()),
        ("By when will it be built?", ("year", "date")),
    ],
)
def test_the_clause_that_asks_tells_the_kind_of_number(text, asked):
    assert read_question(text).asked == asked


def test_a_fraction_without_a_unit_answers_but_a_small_count_does_not():
    text = "供需比低于 0.4，排在 3 之后。"
    assert [text[a:b] for a, b in quantity_answers(read_question("人才供需比是什么水平？"), text)] == ["0.4"]


def test_a_number_of_the_question_does_not_answer_it():
    question = read_question("到 2030 年占比多少？")
    text = "到 2030 年，占比为 70%，共 12 家。"
    assert [text[a:b] for a, b in quantity_answers(question, text)] == ["70%"]


def test_what_is_compared_is_left_without_names_and_words_of_comparing():
    tides = Document("a", "潮汐年报", "", (), "a", "a.md", "海风研究社", 2022, "zh")
    assert without_names("海风研究社 和 港务局 成本 看法 不同", (tides,)) == "港务局 成本"
    assert without_names("both reports differ cost", (tides,)) == "cost"
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
    assert read_question("How much did Coca-Cola sell?", (one, other, third)).kind == "number"
    assert read_question("How much did Coca-Cola and Lockheed Martin sell?", (one, other, third)).kind == "compare"


def test_how_the_answer_is_to_be_written_is_not_searched():
    asked = "What is Acme's revenue growth (in units of percents and round to one decimal place)? Answer in USD millions."
    assert strip_asking(asked) == "Acme's revenue growth ."
    assert strip_asking("装机容量是多少？结果保留两位小数。") == "装机容量"


@pytest.mark.parametrize(
    ("text", "only"),
    [
        ("只看海风研究社的报告，潮汐能有多少？", ("tides",)),
        ("海风研究社怎么看潮汐能？", ("tides",)),
        ("陆风学会预测风电会怎样？", ("winds",)),
        ("2022 年那份报告说潮汐能有多少？", ("tides",)),
        ("According to Coast Watch, how much is there?", ("coast",)),
        ("海风研究社在哪个城市？", ()),
        ("海风研究社和陆风学会怎么看潮汐能？", ()),
    ],
)
def test_who_is_named_as_the_one_asked_alone_answers(text, only):
    reports = [
        Document("tides", "潮汐", "", (), "", "", publisher="海风研究社", year=2022),
        Document("winds", "风能", "", (), "", "", publisher="陆风学会", year=2021),
        Document("coast", "Coasts", "", (), "", "", publisher="Coast Watch", year=2020, language="en"),
    ]
    assert read_question(text, reports).only == only


def test_a_word_of_the_language_names_a_report_only_with_its_capital_letter():
    def report(name: str, publisher: str) -> Document:
        return Document(name, name, "", (), "", f"{name}.pdf", publisher)

    reports = (report("harbour", "Quay Press"), report("light", "Harbour Office"))
    asked = read_question("How many tonnes of granite does the harbour crane lift?", reports)
    assert (asked.kind, asked.reports) == ("number", ())
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
