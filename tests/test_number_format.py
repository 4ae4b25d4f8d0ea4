"""Numbers as a spreadsheet shows them, against what spreadsheet programs print for these codes."""

import pytest

from rag.reading.formats.spreadsheet.number_format import BUILT_IN, is_date_code, shown


@pytest.mark.parametrize(
    ("value", "code", "wanted"),
    [
        (1234567.891, "General", "1234567.891"),
        (0.1 + 0.2, "General", "0.3"),
        (5, "General", "5"),
        (12345678901234, "General", "1.23457E+13"),
        (1234567.891, "#,##0", "1,234,568"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (2.5, "0", "3"),  # halves go up, not to the even digit
        (1.005, "0.00", "1.01"),
        (7, "000", "007"),
        (0.5, "#.##", ".5"),
        (0, "#,##0", "0"),
        (0.0468, "0.0%", "4.7%"),
        (-0.0468, "0.0%", "-4.7%"),
        (1.5, "0%", "150%"),
        (-91.5, "#,##0.0_);(#,##0.0)", "(91.5)"),
        (91.5, "#,##0.0_);(#,##0.0)", "91.5"),
        (-1234, "#,##0;[Red]#,##0", "-1,234"),  # only a colour says that it is negative
        (-1234, "#,##0;[Red](#,##0)", "(1,234)"),
        (-1234, "#,##0;-#,##0", "-1,234"),
        (-1234, '[$€-407]#,##0.00;[Red]-[$€-407]#,##0.00', "-€1,234.00"),
        (0, '#,##0;(#,##0);"-"', "-"),
        (0, "0.00;-0.00;", ""),
        (2500000, '0.0,,"M"', "2.5M"),
        (123456, '#,##0,"k"', "123k"),
        (3.5, '0.0 "km"', "3.5 km"),
        (3.5, "0.0\\ \\k\\m", "3.5 km"),
        (12300000, "0.00E+00", "1.23E+07"),
        (0.00012, "0.0E+00", "1.2E-04"),
        (12300000, "##0.0E+0", "123.0E+5"),
        (2.25, "# ?/?", "2 1/4"),
        (0.3333333, "# ?/?", "1/3"),
        (150, '[>=100]"high";[<10]"low";0', "high"),
        (50, '[>=100]"high";[<10]"low";0', "50"),
        (-0.0001, "0.00", "0.00"),
        (42, "@", "42"),
        (1e300, "#,##0", "1" + ",000" * 100),
        (4.5, '¥#,##0.00', "¥4.50"),
        (45082, "yyyy-mm-dd", "2023-06-05"),
        (45082, "d-mmm-yy", "5-Jun-23"),
        (45082, 'yyyy"年"m"月"d"日"', "2023年6月5日"),
        (45082, "dddd, d mmmm yyyy", "Monday, 5 June 2023"),
        (45082.5625, "yyyy-mm-dd hh:mm", "2023-06-05 13:30"),
        (0.5625, "h:mm AM/PM", "1:30 PM"),
        (0.0, "h:mm AM/PM", "12:00 AM"),
        (1.5, "[h]:mm", "36:00"),
        (0.001, "mm:ss", "01:26"),
        (0.0010012, "mm:ss.0", "01:26.5"),
        (45082, "mmm-yy", "Jun-23"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (-3, "yyyy-mm-dd", "-3"),
        (1e12, "yyyy-mm-dd", "1E+12"),
    ],
)  # fmt: skip
def test_a_number_is_shown_as_its_code_says(value, code, wanted):
    assert shown(value, code) == wanted


def test_days_may_count_from_1904():
    assert shown(43620, "yyyy-mm-dd", since_1904=True) == "2023-06-05"


@pytest.mark.parametrize(
    "code", [*BUILT_IN.values(), "", ";;;", "[", '"', "\\", "_", "*", "0" * 600, "[>", "E+", "?/?", "h:", "...", "#,,,", "%%%%"]
)
@pytest.mark.parametrize("value", [0.0, -1.5, 1e-320, 1e308, 45082.7, float("inf"), float("nan")])
def test_no_code_and_no_value_breaks_it(code, value):
    assert isinstance(shown(value, code), str)


def test_dates_are_told_from_numbers():
    assert [is_date_code(code) for code in ("yyyy", "h:mm", "[mm]:ss", "0.00", '"day" 0', "[Red]#,##0")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
