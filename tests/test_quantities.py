"""Numbers with units: where they stand, what they are worth, what is no number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.quantities import han_value, quantities, years


def values(text: str) -> list[tuple[str, float, float, str]]:
    return [(text[q.start : q.end], q.low, q.high, q.kind) for q in quantities(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("增长 20%到80%", [("20%到80%", 20, 80, "percent")]),
        ("周转率提高 2.5~4 倍", [("2.5~4 倍", 2.5, 4, "multiple")]),
        ("1500 万名教师", [("1500 万名", 15_000_000, 15_000_000, "people")]),
        ("15 million teachers", [("15 million teachers", 15_000_000, 15_000_000, "people")]),
        ("花费 2000 亿 $", [("2000 亿 $", 2e11, 2e11, "money")]),
        ("$200 billion a year", [("$200 billion", 2e11, 2e11, "money")]),
        ("损失 2.8 万亿美元", [("2.8 万亿美元", 2.8e12, 2.8e12, "money")]),
        ("走访百位渔民", [("百位", 100, 100, "people")]),
        ("三亿五千万吨", [("三亿五千万吨", 3.5e8, 3.5e8, "count")]),
        ("百分之三十", [("百分之三十", 30, 30, "percent")]),
        ("省下九成", [("九成", 90, 90, "percent")]),
        (
            "从 30 million in 2023 to 1.5亿架",
            [("30 million", 3e7, 3e7, "bare"), ("2023 ", 2023, 2023, "year"), ("1.5亿架", 1.5e8, 1.5e8, "count")],
        ),
        ("2000年至2019年", [("2000年", 2000, 2000, "year"), ("2019年", 2019, 2019, "year")]),
        ("带宽达到10Gbps", [("10Gbps", 10, 10, "rate")]),
        ("２０％ 的份额", [("２０％", 20, 20, "percent")]),
        ("见 3.1.2 节，5G-A 与 Wi-Fi6 并存，一些人统一千行万业", []),
    ],
)
def test_reads_value_range_and_kind(text, expected):
    found = values(text)
    assert [(a.strip(), b, c, d) for a, b, c, d in found] == [(a.strip(), b, c, d) for a, b, c, d in expected]


@pytest.mark.parametrize(
    ("text", "value"),
    [("十", 10), ("二十三", 23), ("一百零五", 105), ("三千五百万", 35e6), ("万亿", 1e12), ("二〇二三", 2023), ("两亿", 2e8)],
)
def test_chinese_numbers(text, value):
    assert han_value(text) == value


def test_years_of_a_span():
    assert years("1998-2003 年间，以及 2030") == {1998, 2003, 2030}
    assert years("共 2030 家企业、2,030 元") == frozenset()


@given(st.text(alphabet="0123456789.,%年万亿倍个至到-~ 美元百十五零abG/+", max_size=40))
def test_spans_are_in_order_and_inside(text):
    found = quantities(text)
    assert all(0 <= q.start < q.end <= len(text) and q.low <= q.high for q in found)
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
