"""Tables of any format: spans laid out, heads found, rows told with the names of their columns."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.reading.table_grid import Cell, Table, cells, continued, render, table_pieces
from rag.reading.table_heads import MAX_COLUMNS, lay_out, unit_in


def told(*rows, **known) -> list[str]:
    return [row.text for row in render(Table(list(rows), **known))]


def test_spans_of_rows_and_columns_name_every_value():
    rows = [
        [Cell("Region", row_span=2, head=True), Cell("Quay", row_span=2, head=True), Cell("Tonnage", column_span=2, head=True)],
        [Cell("2022", head=True), Cell("2023", head=True)],
        [Cell("Alderhaven", row_span=2), Cell("North"), Cell("412"), Cell("398", marks=("1",))],
        [Cell("South"), Cell("87"), Cell("91")],
        [Cell("Brinemouth", column_span=2), Cell("closed", column_span=2)],
    ]
    found = render(Table(rows, caption="Port traffic (thousand t)"))
    assert [row.text for row in found] == [
        "Region | Quay | Tonnage (thousand t), 2022 | Tonnage (thousand t), 2023",
        "Region: Alderhaven | Quay: North | Tonnage (thousand t), 2022: 412 | Tonnage (thousand t), 2023: 398 ¹",
        "Region: Alderhaven | Quay: South | Tonnage (thousand t), 2022: 87 | Tonnage (thousand t), 2023: 91",
        "Region / Quay: Brinemouth | Tonnage (thousand t), 2022 / 2023: closed",
    ]
    south = found[2]
    assert [(south.text[place.start : place.end], place.row, place.column) for place in south.cells] == [
        ("Alderhaven", 2, 0),
        ("South", 3, 1),
        ("87", 3, 2),
        ("91", 3, 3),
    ]


def test_a_second_head_row_is_found_without_marks():
    rows = [[Cell("County"), Cell("Wells", column_span=2), Cell("Note")], cells("", "dug", "dry", ""), cells("Ash", "14", "2", "old")]
    assert told(*rows) == ["County | Wells, dug | Wells, dry | Note", "County: Ash | Wells, dug: 14 | Wells, dry: 2 | Note: old"]


@pytest.mark.parametrize(
    "rows",
    [
        [cells("Founded", "1901"), cells("Closed", "1950")],
        [cells("Length", "120 m"), cells("Width", "30 m")],
        [cells("Name:", "Larch"), cells("Place:", "Ash")],
        [[Cell("Name", head=True), Cell("Larch")], [Cell("Area", head=True), Cell("12 ha")]],
    ],
)
def test_names_beside_values_have_no_head(rows):
    assert told(*rows) == [" | ".join(cell.text for cell in row) for row in rows]


def test_years_over_figures_are_heads():
    assert told(cells("Station", "2021", "2022"), cells("Low Marsh", "720", "588")) == [
        "Station | 2021 | 2022",
        "Station: Low Marsh | 2021: 720 | 2022: 588",
    ]


def test_a_line_over_rows_goes_with_each_of_them():
    rows = [
        cells("", "2022", "2023"),
        cells("Electricity", "", ""),
        cells("Households", "12", "13"),
        [Cell("Gas", column_span=3)],
        cells("Households", "8", "7"),
        [Cell("Source: the office.", column_span=3)],
    ]
    assert told(*rows)[1:] == [
        "Electricity",
        "Electricity | Households | 2022: 12 | 2023: 13",
        "Gas",
        "Gas | Households | 2022: 8 | 2023: 7",
        "Source: the office.",
    ]


def test_blank_labels_repeat_the_label_above_but_totals_do_not():
    rows = [cells("Depot", "Vehicle", "Number"), cells("East", "Trams", "5"), cells("", "Buses", "118"), cells("", "", "123")]
    assert told(*rows)[2:] == ["Depot: East | Vehicle: Buses | Number: 118", "Number: 123"]


def test_a_title_in_the_table_gives_the_unit():
    rows = [[Cell("表3 收入（单位：万元）", column_span=3)], cells("项目", "2022", "增长率（%）"), cells("货运", "31", "4.5")]
    assert told(*rows) == ["表3 收入（单位：万元）", "项目 | 2022 (万元) | 增长率（%）", "项目: 货运 | 2022 (万元): 31 | 增长率（%）: 4.5"]
    assert [piece.kind for piece in table_pieces(Table(rows))] == ["figure", "row", "row"]


@pytest.mark.parametrize(
    ("caption", "unit"),
    [
        ("Port traffic (thousand t)", "thousand t"),
        ("Output (GWh)", "GWh"),
        ("Cost (in millions of euros)", "in millions of euros"),
        ("Unit: hectares. Source: the office", "hectares"),
        ("产量（万吨）", "万吨"),
        ("Ports in 2022 (continued)", ""),
        ("Ports (in 2022)", ""),
        ("Ports", ""),
    ],
)
def test_units_of_captions(caption, unit):
    assert unit_in(caption) == unit


def test_a_table_over_a_page_keeps_its_head():
    head, first, second = cells("Bridge", "Built", head=True), cells("Long", "3"), cells("Old", "4")
    again = continued(Table([head, first]), Table([head, second]))
    without = continued(Table([head, first]), Table([second]))
    assert again is not None and without is not None
    assert told(*again.rows, head_rows=again.head_rows) == told(*without.rows, head_rows=1)
    assert told(*without.rows, head_rows=1)[-1] == "Bridge: Old | Built: 4"
    assert continued(Table([head, first]), Table([cells("Ship", "Crew", head=True), cells("Tern", "9")])) is None
    assert continued(Table([head, first]), Table([cells("a", "b", "c")])) is None


def test_layout_tables_are_paragraphs():
    assert [(piece.kind, piece.text) for piece in table_pieces(Table([cells("The tide."), cells("The quay.")]))] == [
        ("prose", "The tide."),
        ("prose", "The quay."),
    ]
    assert [piece.kind for piece in table_pieces(Table([cells("The tide comes in. " * 10, "Menu")]))] == ["prose", "prose"]


def test_pages_of_rows():
    rows = [cells("Bridge", "State"), [Cell("Long", page=2), Cell("good", page=2)], [Cell("Old", page=3), Cell("poor", page=3)]]
    assert [piece.page for piece in table_pieces(Table(rows), page=1)] == [1, 2, 3]


def test_rows_that_are_empty_or_covered_from_above_tell_nothing():
    rows = [[], cells("", ""), cells("Bridge", "State"), [Cell("Long", row_span=2), Cell("good", row_span=2)], [], cells("Old", "poor")]
    assert told(*rows) == ["Bridge | State", "Bridge: Long | State: good", "Bridge: Old | State: poor"]


def test_hostile_spans_stay_small_and_fast():
    started = time.process_time()
    huge = [[Cell("x" * 1000, row_span=65_000, column_span=1000), Cell("y")]] + [[Cell("z")] for _ in range(20_000)]
    assert sum(len(text) for text in told(*huge)) < 10_000_000
    assert len(lay_out([[Cell("a")] * 5000])[0]) == MAX_COLUMNS
    assert time.process_time() - started < 10


SPANS = st.integers(-2, 6)
GRIDS = st.lists(st.lists(st.builds(Cell, st.text("ab1 |:\n", max_size=4), SPANS, SPANS, st.booleans()), max_size=5), max_size=6)


@settings(deadline=None)
@given(GRIDS)
def test_no_cell_is_lost_and_every_place_holds_its_cell(rows):
    found = render(Table(rows))
    laid = lay_out(rows)
    assert len({len(line) for line in laid}) <= 1
    whole = " ".join(" ".join(row.text.split()) for row in found)
    for row in rows:
        for cell in row:
            text = " ".join(cell.text.split()).rstrip(":").rstrip()
            assert text in whole or text == ""
    for row in found:
        for place in row.cells:
            slot = laid[place.row][place.column]
            if row.kind != "head":
                assert row.text[place.start : place.end] == " ".join(slot.cell.text.split())


def test_a_head_of_two_rows_is_found_below_a_title():
    rows = [
        [Cell("Port traffic", column_span=3)],
        [Cell("Region", row_span=2), Cell("Tonnage", column_span=2)],
        [Cell("North"), Cell("South")],
        [Cell("Alderhaven"), Cell("412"), Cell("87")],
    ]
    assert told(*rows)[1:] == [
        "Region | Tonnage, North | Tonnage, South",
        "Region: Alderhaven | Tonnage, North: 412 | Tonnage, South: 87",
    ]
