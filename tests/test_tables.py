"""Lookups over tables: the extremum of a column, the change between two years, and what is left alone."""

import pytest

from rag.answer.tables import look_up, rows_around
from rag.search.question import read_question
from rag.search.sentences import Sentence

ROWS = (
    "Station | Region | Output 2022 (GWh) | Output 2023 (GWh)",
    "Station: Northquay | Region: Alder | Output 2022 (GWh): 412 | Output 2023 (GWh): 455",
    "Station: Southquay | Region: Alder | Output 2022 (GWh): 87 | Output 2023 (GWh): 91",
    "Station: Millbrook | Region: Brine | Output 2022 (GWh): 1,204 | Output 2023 (GWh): 1,150",
)


def sentences(rows=ROWS, section=("Output",)):
    return tuple(
        Sentence("energy", place, 100 * place, 100 * place + len(text), text, "row", place, None, section, "")
        for place, text in enumerate(rows)
    )


def answer(question, rows=ROWS, found=2):
    made = sentences(rows)
    lookup = look_up(read_question(question), [made[found]], made)
    return lookup and ([sentence.text[:18] for sentence in lookup.sentences], lookup.note)


@pytest.mark.parametrize(
    ("question", "row", "written"),
    [
        ("Which station has the highest output?", "Station: Millbrook", "1,150 is the greatest"),
        ("Which station had the lowest output in 2022?", "Station: Southquay", "87 is the smallest"),
        ("2022 年 Output 最高的是哪个？", "Station: Millbrook", "最大的是 1,204"),
    ],
)
def test_an_extremum_is_compared_over_all_rows(question, row, written):
    rows, note = answer(question)
    assert rows == [row]
    assert written in note and "3" in note


def test_a_change_is_computed_within_the_row_that_the_question_names():
    assert answer("How much did the output of Redcliff change from 2022 to 2023?") is None
    assert answer("How much did the output of Millbrook change from 2022 to 2023?", found=1) == (
        ["Station: Millbrook"],
        "Computed: 1,204 → 1,150: -54 (-4.5%).",
    )


def test_rows_that_share_the_greatest_value_are_all_shown():
    rows = (*ROWS, "Station: Far Head | Region: Brine | Output 2022 (GWh): 3 | Output 2023 (GWh): 1,150")
    assert answer("Which station has the highest output?", rows)[0] == ["Station: Millbrook", "Station: Far Head "]


@pytest.mark.parametrize("question", ["What was the output of Northquay?", "Which station is the highest?", "How did it change?"])
def test_without_a_column_or_two_years_nothing_is_reckoned(question):
    assert answer(question) is None


def test_a_table_ends_where_its_section_ends():
    made = (*sentences(ROWS[:3]), *(sentence for sentence in sentences(ROWS, ("Other",))[3:]))
    assert [row.sentence.position for row in rows_around(made, made[1])] == [1, 2]


@pytest.mark.parametrize(("cell", "value"), [("1,204", 1204.0), ("(87)", -87.0), ("$ 3.5", 3.5), ("12 to 15", None), ("n/a", None)])
def test_a_cell_counts_when_it_is_one_number(cell, value):
    row = rows_around(*(lambda made: (made, made[0]))(sentences((f"A: x | B: {cell}",))))[0]
    assert row.value("B") == value
