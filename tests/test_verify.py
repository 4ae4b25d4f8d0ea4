"""The check of a claim against the text that it cites."""

import pytest

from rag.verify import check

SOURCE = "到 2030 年，海上风电的渗透率预计提升到 70%，东岸将新建 1500 万千瓦装机，由 OSPAR 牵头。"


def test_the_text_itself_is_supported_however_it_is_set():
    assert check(" 到2030年，海上风电的渗透率预计提升到70%", [SOURCE]) == ("supported", "")


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("到 2030 年，海上风电的渗透率预计提升到 80%。", "数字 80% 不在所引原文中，原文写 70%"),
        ("到 2035 年，海上风电的渗透率预计提升到 70%。", "数字 2035 年 不在所引原文中，原文写 2030 年"),
        ("海上风电的渗透率预计降低到 70%。", "所引原文与“降低”方向相反"),
        ("海上风电由 IRENA 牵头，渗透率提升到 70%。", "所引原文没有提到 IRENA"),
        ("珊瑚礁正在大面积白化。", "所引原文没有这个意思"),
    ],
)
def test_what_is_not_there_is_named(claim, reason):
    assert check(claim, [SOURCE]) == ("unsupported", reason)


def test_same_figure_in_another_form():
    assert check("15 million teachers will have assistants by 2030.", ["By 2030, 1500 万 teachers will have assistants."])[0] == "supported"


def test_paraphrase_that_keeps_the_words_is_supported():
    assert check("海上风电 2030 年渗透率预计将提升到 70%。", [SOURCE])[0] == "supported"


def test_no_evidence():
    assert check("任何话。", []) == ("uncited", "")
