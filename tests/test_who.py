"""Persons and institutions that are asked for, beside texts that name one of the kind and texts that do not."""

import pytest

from rag.who import unnamed


@pytest.mark.parametrize(
    ("question", "named", "not_named"),
    [
        ("浮筒是哪位工程师发明的？", "工程师林澜发明了浮筒。", "浮筒装在海底。"),
        ("浮筒的创始人是谁？", "创始人戈登·摩尔画了浮筒。", "浮筒装在海底。"),
        ("Which scholar coined the term?", "The term was coined by Ada Moor.", "The term is old."),
        ("她的导师是谁？", "她的导师是王海。", "她认为潮汐电站进了深水区。"),
        ("谁是海港的首席执行官？", "首席执行官是王海。", "海港是海风研究社的报告。"),
        ("Who is the chief executive of the harbour?", "The chief executive signed it.", "The harbour is old."),
        ("电站由哪几家公司建造？", "电站由华为建造。", "电站由多家公司建造。"),
        ("哪家银行给的钱？", "钱来自商业银行。", "钱来自海风研究社。"),
        ("哪些城市在试点？", "试点有北京和上海。", "城市在试点。"),
        ("Which country has the most plants?", "中国的电站最多。", "电站很多。"),
        ("浮筒由哪个实验室测试？", "浮筒由海洋实验室测试。", "浮筒已经测试。"),
        ("Which bank was first?", "A bank from Oslo.", "The harbour was first."),
    ],
)
def test_one_of_the_kind_is_named(question, named, not_named):
    assert not unnamed(question, named)
    assert unnamed(question, not_named)


def test_a_signature_names_who_remarks_and_not_who_made():
    assert not unnamed("浮筒那章是哪位专家点评的？", "浮筒装在海底。", "王海 教授")
    assert unnamed("浮筒是哪位专家提出的？", "浮筒装在海底。", "王海 教授")
    assert not unnamed("浮筒那章是哪位专家点评的？", "浮筒装在海底。", headings=("三 点评", "林澜，海风研究社首席工程师"))
    assert not unnamed("潮汐电站有几座？", "浮筒装在海底。")
