"""Repairs of a PDF's text layer: each function on its own, then whole pages; no letter of the body may be lost."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.reading.cleanup import (
    drop_control,
    is_letter_spaced,
    join_lines,
    lines_of_extracted_text,
    looks_extracted,
    running_titles,
    undo_doubling,
    undo_spacing,
    width,
)
from rag.reading.elements import Line
from rag.reading.exponents import lost_exponents
from rag.reading.paragraphs import pieces_from_lines


def letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def pieces(*texts: str, page: int = 0):
    return pieces_from_lines([Line(text, page=page) for text in texts])


@pytest.mark.parametrize(
    ("spaced", "expected"),
    [
        ("开 放 平 台 连 接 各 方", "开放平台连接各方"),
        ("以 新 型 GPU 集 群 为 底 座， 服 务 各 方", "以新型 GPU 集群为底座，服务各方"),
        ("作 为 2 . 5 D 、 3 D 工 艺", "作为2.5D、3D工艺"),
        ("支持 API 网关 5 个", "支持 API 网关 5 个"),
        ("an open platform", "an open platform"),
        ("增长 从 0 到 1 的过程需要各方共同努力", "增长从 0 到 1 的过程需要各方共同努力"),
    ],
)
def test_letter_spacing_goes_and_word_spacing_stays(spaced, expected):
    assert undo_spacing(spaced) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("建设开放", "平台", "建设开放平台"),
        ("an open plat-", "form for all", "an open platform for all"),
        ("the long-", "term view", "the long-term view"),
        ("the Now-", "Casting model", "the Now-Casting model"),
        ("open", "platform", "open platform"),
        ("代码 +", "数据", "代码 + 数据"),
        ("例如 VR/", "AR", "例如 VR/AR"),
    ],
)
def test_lines_join_as_the_language_wants(before, after, expected):
    assert join_lines(before, after, frozenset({"long-term"})) == expected


def test_blank_beside_latin_follows_the_habit_of_the_text():
    assert join_lines("到", "2031 年", spaced=True) == "到 2031 年"
    assert join_lines("到", "2031 年") == "到2031 年"


def test_control_characters_go():
    assert drop_control("a\x00b\u00a0c\u200bd\ue000\n") == "ab cd\n"


@settings(deadline=None)
@given(st.text(max_size=80))
def test_repairs_of_a_line_keep_every_letter(text):
    assert letters(undo_spacing(text)) == letters(text)


@settings(deadline=None)
@given(
    st.text(alphabet=st.sampled_from("云端模型ＡAbB12 。，（\u200b\u00a0\ue000\n"), max_size=60),
    st.sampled_from([drop_control, undo_spacing, undo_doubling]),
)
def test_repairs_of_a_line_done_twice_change_nothing_more(text, repair):
    once = repair(text)
    assert repair(once) == once and set(letters(once)) == set(letters(text))


@settings(deadline=None)
@given(
    st.text(alphabet="云端模型数据协同AIGC", min_size=4, max_size=20).filter(lambda text: len(set(text)) > 2),
    st.text("海风，。123 ", max_size=9),
)
def test_glyphs_printed_twice_are_halved_and_nothing_else_is(text, around):
    doubled = "".join(2 * glyph for glyph in text)
    once, *rest = (undo_doubling(part) for part in (f"{around} {doubled} {around}", text, around))
    assert once in (f"{rest[1]} {text} {rest[1]}", f"{rest[1]} {rest[0]} {rest[1]}")


def test_a_lost_exponent_is_noted_only_where_the_text_spells_the_power():
    assert lost_exponents("The crane lifts 109 tons, a billion tons in all.") == (
        "“109 tons” may be 10⁹ tons, whose raised exponent the text layer lost: the text also says “billion tons”",
    )
    assert lost_exponents("港口有 106 台吊机，投资百万元。") == lost_exponents("数据增长 106 倍，以前是 3百万倍、30 百万倍。") == ()


@settings(deadline=None)
@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_joining_keeps_every_letter(before, after):
    assert letters(join_lines(before, after)) == letters(before + after)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="云端模型数据，。：AB12 ", min_size=1, max_size=24), max_size=25))
def test_pages_keep_every_letter_but_page_numbers(texts):
    lines = [Line(text.strip()) for text in texts if text.strip()]
    whole = Counter("".join(letters(piece.text) for piece in pieces_from_lines(lines)))
    once = (undo_doubling(undo_spacing(line.text)) for line in lines if not line.text.isdigit())  # a glyph printed twice counts once
    assert Counter("".join(map(letters, once))) <= whole
    assert whole <= Counter("".join(letters(line.text) for line in lines))


def test_wrapped_lines_become_one_paragraph_and_a_short_last_line_ends_it():
    result = pieces(
        "分布式账本让互不相识的机构可以共同记录同一件事，",
        "任何一方都不能单独改写已经写下的内容，因此审计",
        "变得简单。",
        "跨境结算是最早的用途，银行用它把原来几天的流程",
        "缩短到几分钟。",
    )
    assert [piece.kind for piece in result] == ["prose", "prose"]
    assert result[0].text.endswith("因此审计变得简单。")
    assert result[1].text.endswith("把原来几天的流程缩短到几分钟。")


def test_drop_capital_on_a_line_of_its_own_joins_its_word():
    result = pieces(
        "上一段在这里结束，没有别的内容留在后面了呢。", "随", "着传感器越来越便宜，工厂里的每一台机器都会说话，", "维修从此提前。"
    )
    assert result[-1].text == "随着传感器越来越便宜，工厂里的每一台机器都会说话，维修从此提前。"


def test_contents_name_headings_and_page_breaks_do_not_cut_sentences():
    lines = [
        Line("目录"),
        Line("1.1 冷链物流：全程看得见 ........ 3"),
        Line("1.2 港口调度 ........ 4"),
        Line("1.3 城市供水 ........ 5"),
        Line("1. 1 冷链物流：全程看得见", page=1),
        Line("疫苗从出厂到接种要经过许多双手，每一次交接都要", page=1),
        Line("记录温度，过去靠人抄写，现在靠标签自己上报，再由", page=1),
        Line("平台核对，只要有一环断链就会立即通知当地的负责", page=2),
        Line("人员。", page=2),
        Line("1.2 港口调度", page=2),
        Line("吊机、卡车与船期由一个模型统一安排，等待时间因此", page=2),
        Line("缩短一半。", page=2),
    ]
    result = pieces_from_lines(lines)
    assert [piece.kind for piece in result] == ["contents"] * 4 + ["heading", "prose", "heading", "prose"]
    assert result[4].text == "1.1 冷链物流：全程看得见"
    assert "再由平台核对" in result[5].text and result[5].section == ("1.1 冷链物流：全程看得见",)
    assert result[7].section == ("1.2 港口调度",)


def test_counted_headings_stand_below_dotted_ones_and_wrap():
    result = pieces(
        "2.1 仓储",
        "仓库是货物停留最久的地方，也是最容易出错的地方。",
        "1) 货架自己报数：盘点从每季一次变成每时每刻",
        "都在做",
        "每个货架底下都有称重板，重量一变就更新库存，账实",
        "从此一致。",
        "2) 搬运机器人：夜里也不停",
        "机器人在人下班之后继续搬运，白天的通道因此空出来，",
        "事故减少。",
    )
    headings = [piece for piece in result if piece.kind == "heading"]
    assert [piece.text for piece in headings] == [
        "2.1 仓储",
        "1) 货架自己报数：盘点从每季一次变成每时每刻都在做",
        "2) 搬运机器人：夜里也不停",
    ]
    assert result[-1].section == ("2.1 仓储", "2) 搬运机器人：夜里也不停")


def test_bullets_are_items_without_their_mark():
    result = pieces("好处有三：", "• 更快：从下单到出库只要十分钟", "• 更准", "• 更省：一个人管三个仓库，夜里可以不开灯")
    assert [piece.kind for piece in result] == ["prose", "item", "item", "item"]
    assert result[2].text == "更准"


def test_chart_labels_are_set_apart_and_the_sentence_around_them_is_whole():
    result = pieces(
        "三年来各地的装机一直在增加，其中以沿海几个城市的",
        "增长最快，到去年底已经占到全国的一半以上，剩下的",
        "东部",
        "中部 35%",
        "西部",
        "2021 2022 2023",
        "部分分布在内陆，差距正在逐年缩小，预计很快会持平。",
    )
    figure = next(piece for piece in result if piece.kind == "figure")
    prose = [piece for piece in result if piece.kind == "prose"]
    assert figure.text == "东部\n中部 35%\n西部\n2021 2022 2023"
    assert len(prose) == 1 and "剩下的部分分布在内陆" in prose[0].text


def test_a_signature_names_the_speaker_of_the_box_above_it():
    lines = [
        Line("预测的精度每年都在提高，但是极端天气仍然难以捉摸，", page=0),
        Line("需要更多观测。"),
        Line("模 型 学 会 了 看 云，"),
        Line("却 还 不 会 看 人。 它", tight=True),
        Line("给出的只是概率。", tight=True),
        Line("林小满"),
        Line("东 海 气 象 研 究 所", tight=False),
        Line("首席科学家", tight=True),
    ]
    result = pieces_from_lines(lines)
    remark = next(piece for piece in result if piece.text.startswith("模型学会"))
    assert remark.text == "模型学会了看云，却还不会看人。它给出的只是概率。"
    assert remark.speaker == "林小满 东海气象研究所首席科学家"
    assert result[0].speaker == ""


def test_rows_of_an_abbreviation_list_are_one_piece_each():
    result = pieces(
        "附录 A：缩略语",
        "缩略语 英文全称 中文全称",
        "QRS Quick Response Store 快速响应商店",
        "LTP Long Term",
        "Plan 长期计划",
        "WMS Warehouse System 仓储系统",
    )
    rows = [piece.text for piece in result if piece.kind == "abbreviation"]
    assert rows == ["QRS Quick Response Store 快速响应商店", "LTP Long Term Plan 长期计划", "WMS Warehouse System 仓储系统"]


def test_running_titles_give_the_parts_their_names():
    texts = ["产业升级 趋势一 海上风电", "海上风电", "产业升级 趋势二 绿色氢能", "绿色氢能", "正文。"]
    assert running_titles(texts) == ({"海上风电": "趋势一 海上风电", "绿色氢能": "趋势二 绿色氢能"}, {"产业升级"})


def test_labels_gather_their_text_wherever_they_stand_on_the_page():
    page_one = [
        "海上风电",
        "趋势一",
        "摘要",
        "海上的风更稳，",
        "发电更多。",
        "过",
        "去十年，风机的叶片越来越长，塔架也越来越高，成本",
        "随之下降。",
    ]
    page_one += ["趋势解读", "产业升级 趋势一 海上风电"]
    page_two = ["绿色氢能", "摘要", "氢是风的仓库，", "可以储存。", "趋势二", "产业升级 趋势二 绿色氢能"]
    lines = [Line(text, page=0) for text in page_one] + [Line(text, page=1) for text in page_two]
    result = pieces_from_lines(lines)
    sections = {piece.text: piece.section for piece in result if piece.kind == "prose"}
    assert sections["海上的风更稳，发电更多。"] == ("趋势一 海上风电", "摘要")
    assert sections["过去十年，风机的叶片越来越长，塔架也越来越高，成本随之下降。"] == ("趋势一 海上风电", "趋势解读")
    assert sections["氢是风的仓库，可以储存。"] == ("趋势二 绿色氢能", "摘要")


def test_heads_and_page_numbers_go_only_where_they_recur():
    lines = []
    for page in range(4):
        lines += [Line(f"港口年报 {page + 1}", page=page), Line("货物在这里换船，船在这里等潮水，人在这里等消息，", page=page)]
        lines += [Line("天天如此。", page=page), Line(str(page + 1), page=page)]
    text = "\n".join(piece.text for piece in pieces_from_lines(lines))
    assert "港口年报" not in text and text.count("天天如此。") == 4 and not re.search(r"\d", text)


def test_printed_page_numbers_count_only_when_they_agree_with_the_breaks():
    body = ["这一页讲的是如何把货物从船上搬到岸上，", "再送到仓库里。", "搬运要快。"]

    def text(last: str) -> str:
        pages = [
            ["04", "港口 2031", *body],
            [" 第二页继续讲同样的事情，没有新的内容，", *body],
            ["06", "港口 2031", *body],
            [last, "港口 2031", *body],
        ]
        return "\n\n".join("\n\n".join(page) for page in pages)

    assert [line.number for line in lines_of_extracted_text(text("07")) if line.text == "搬运要快。"] == [4, 5, 6, 7]
    assert looks_extracted(text("07") + "\n\n" + "\n\n".join(["没有句号的一行"] * 12))


def test_letter_spacing_is_told_from_short_words():
    assert is_letter_spaced("云 端 一 体") and not is_letter_spaced("a b") and width("云 AI") == 5
