"""Spreadsheets as reports: what stands on their sheets, found and told as people see it."""

import io
import zipfile
from datetime import date, datetime, time

import pytest
from openpyxl import Workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.comments import Comment
from openpyxl.styles import Font

from rag.errors import UnreadableFile
from rag.reading.dispatch import read_document
from rag.reading.formats.spreadsheet import tables
from rag.reading.formats.spreadsheet.tables import Sheet, Span, sheet_pieces

COMMA, BRACKETS = "#,##0", "#,##0.0_);(#,##0.0)"


def saved(tmp_path, book, name="ports.xlsx"):
    book.save(tmp_path / name)
    return tmp_path / name


def filled(book, name, rows):
    sheet = book.create_sheet(name)
    for row in rows:
        sheet.append(row)
    return sheet


def lines(document, section=None):
    wanted = [block for block in document.blocks if section is None or block.section == section]
    return [document.text[block.start : block.end] for block in wanted if block.kind != "heading"]


def sheet(*rows, spans=()):
    return Sheet("", {at: {column: text for column, text in enumerate(row) if text} for at, row in enumerate(rows) if any(row)}, spans)


def told(*rows, spans=()):
    return [(piece.kind, piece.text) for piece in sheet_pieces(sheet(*rows, spans=spans))]


@pytest.fixture
def ports(tmp_path):
    """Two sheets and a hidden one: a title, a head of two rows with merged cells, formats, a second table below, and a formula."""
    book = Workbook()
    book.remove(book.active)
    rows = [
        ["Port traffic (thousand t)"],
        ["Region", "Quay", "Tonnage", None, "Change", "Surveyed"],
        [None, None, "2022", "2023"],
        ["Alderhaven", "North", 1412, 1398.25, -0.0099, date(2023, 6, 5)],
        [None, "South", 87, -91.5, 0.046, datetime(2023, 6, 5, 13, 30)],
        [],
        ["Crane", "Lifts"],
        ["Big", 40],
        ["Small", 25],
        ["All", "=B8+B9"],
    ]
    traffic = filled(book, "Traffic", rows)
    for stretch in ("A1:F1", "A2:A3", "B2:B3", "C2:D2", "E2:E3", "F2:F3", "A4:A5"):
        traffic.merge_cells(stretch)
    for row in (4, 5):
        traffic.cell(row, 3).number_format, traffic.cell(row, 4).number_format, traffic.cell(row, 5).number_format = COMMA, BRACKETS, "0.0%"
    traffic["F4"].number_format, traffic["F5"].number_format = "yyyy-mm-dd", "d mmm yyyy hh:mm"
    filled(book, "Depths", [["Station", "Depth (m)"], ["Low Marsh", 3.25]])
    filled(book, "Old figures", [["Station", "Depth (m)"], ["Low Marsh", 3.75]]).sheet_state = "hidden"
    return saved(tmp_path, book)


def test_sheets_are_sections_and_rows_tell_values_as_shown(ports):
    document = read_document(ports)
    assert lines(document, ("Traffic",)) == [
        "Port traffic (thousand t)",
        "Region | Quay | Tonnage (thousand t), 2022 | Tonnage (thousand t), 2023 | Change | Surveyed",
        "Region: Alderhaven | Quay: North | Tonnage (thousand t), 2022: 1,412 | Tonnage (thousand t), 2023: 1,398.3 | Change: -1.0% | Surveyed: 2023-06-05",
        "Region: Alderhaven | Quay: South | Tonnage (thousand t), 2022: 87 | Tonnage (thousand t), 2023: (91.5) | Change: 4.6% | Surveyed: 5 Jun 2023 13:30",
        "Crane | Lifts",
        "Crane: Big | Lifts: 40",
        "Crane: Small | Lifts: 25",
        "Crane: All | Lifts: …",
    ]
    assert lines(document, ("Depths",)) == ["Station | Depth (m)", "Station: Low Marsh | Depth (m): 3.25"]
    assert lines(document, ("Old figures (hidden)",)) == ["Station | Depth (m)", "Station: Low Marsh | Depth (m): 3.75"]
    assert document.notes == (
        "formulas without a saved value (open and save the file in a spreadsheet program): 1",
        "hidden sheets, read and marked: 1",
    )


def edited(path, part, *changes):
    """The workbook with a part of its XML changed, as another program would have written it."""
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            text = old.read(item).decode() if item.filename == part else old.read(item)
            for before, after in changes if item.filename == part else ():
                assert before in text
                text = text.replace(before, after)
            new.writestr(item, text)
    path.write_bytes(made.getvalue())
    return path


def test_a_formula_tells_its_saved_value(ports):
    document = read_document(edited(ports, "xl/worksheets/sheet1.xml", ("<f>B8+B9</f><v></v>", "<f>B8+B9</f><v>65</v>")))
    assert "Crane: All | Lifts: 65" in lines(document)
    assert document.notes == ("hidden sheets, read and marked: 1",)


def test_numbers_dates_and_truths_of_all_kinds(tmp_path):
    book = Workbook()
    rows = [
        ["What", "Value"],
        ["true", True],
        ["error", "=1/0"],
        ["time", time(7, 5)],
        ["general", 0.30000000000000004],
        ["long", 123456789012],
    ]
    for row in rows:
        book.active.append(row)
    book.active["A8"], book.active["B8"] = "euro", -1234.5
    book.active["B8"].number_format = "[$€-407] #,##0.00;[Red]-[$€-407] #,##0.00"
    path = edited(
        saved(tmp_path, book),
        "xl/worksheets/sheet1.xml",
        ('<c r="B3"><f>1/0</f><v></v></c>', '<c r="B3" t="e"><f>1/0</f><v>#DIV/0!</v></c>'),
    )
    assert lines(read_document(path))[1:] == [
        "What: true | Value: TRUE", "What: error | Value: #DIV/0!", "What: time | Value: 7:05:00", "What: general | Value: 0.3",
        "What: long | Value: 1.23457E+11", "What: euro | Value: -€ 1,234.50",
    ]  # fmt: skip


def test_struck_and_raised_text_comments_and_hidden_rows(tmp_path):
    book = Workbook()
    page = book.active
    page.title = "Prices"
    for row in (["Berth", "Fee"], ["North", "old"], ["South", 12], ["West", 9]):
        page.append(row)
    page["B2"] = CellRichText(
        TextBlock(InlineFont(strike=True), "80 "), TextBlock(InlineFont(), "95 × 10"), TextBlock(InlineFont(vertAlign="superscript"), "6")
    )
    page["B3"].font = Font(strike=True)
    page["A4"].comment = Comment("Closed in winter", "Mara")
    page.row_dimensions[4].hidden = True
    document = read_document(saved(tmp_path, book))
    assert lines(document) == [
        "Berth | Fee",
        "Berth: North | Fee: 95 × 10⁶",
        "Berth: South | Fee: …",
        "Berth: West | Fee: 9",
        "A4: Closed in winter",
    ]
    assert document.notes == ("hidden rows, read too: 1", "struck-out cells left out: 1")


def test_days_from_1904(tmp_path):
    book = Workbook()
    book.active.append(["When", "What"])
    book.active.append([43620, "survey"])
    book.active["A2"].number_format = "yyyy-mm-dd"
    path = edited(saved(tmp_path, book), "xl/workbook.xml", ("<workbookPr/>", '<workbookPr date1904="1"/>'))
    assert lines(read_document(path))[1] == "When: 2023-06-05 | What: survey"


def test_one_unnamed_sheet_is_no_section_and_the_title_is_the_files(tmp_path):
    book = Workbook()
    book.active.append(["Station", "Depth"])
    book.active.append(["Low Marsh", 3])
    book.properties.title = "Depths of the marsh"
    document = read_document(saved(tmp_path, book, "depths.xlsx"))
    assert [block.section for block in document.blocks] == [(), ()] and document.title == "Depths of the marsh"


# -------------------------------------------------------------------------------------------------------------------- tables of a sheet


def test_tables_side_by_side_are_told_apart_and_a_spacer_column_is_not():
    beside = told(["Crane", "Lifts", "", "Truck", "Trips"], ["North", "40", "", "T1", "9"], ["South", "25", "", "T2", "7"])
    assert [text for _, text in beside] == [
        "Crane | Lifts", "Crane: North | Lifts: 40", "Crane: South | Lifts: 25", "Truck | Trips", "Truck: T1 | Trips: 9", "Truck: T2 | Trips: 7",
    ]  # fmt: skip
    spaced = told(["", "", "2022", "", "2023"], ["Net sales", "", "412", "", "398"], ["Costs", "", "87", "", "91"])
    assert [text for _, text in spaced][1:] == ["Net sales | 2022: 412 | 2023: 398", "Costs | 2022: 87 | 2023: 91"]


def test_a_title_apart_gives_its_unit_and_notes_below_stay_lines():
    found = told(
        ["Table 2: Revenue (million EUR)"], [], ["Year", "Sales"], ["2022", "12.5"], ["2023", "13.1"], [], ["Source: harbour office"]
    )
    assert found == [
        ("figure", "Table 2: Revenue (million EUR)"),
        ("row", "Year | Sales (million EUR)"),
        ("row", "Year: 2022 | Sales (million EUR): 12.5"),
        ("row", "Year: 2023 | Sales (million EUR): 13.1"),
        ("prose", "Source: harbour office"),
    ]


def test_an_empty_row_within_a_table_does_not_take_its_head_away():
    found = told(["Quay", "Tonnage"], ["North", "412"], [], ["South", "87"], ["West", "91"], [], ["Crew", "Ship"], ["Mara", "Gull"])
    assert [text for _, text in found] == [
        "Quay | Tonnage", "Quay: North | Tonnage: 412", "Quay: South | Tonnage: 87", "Quay: West | Tonnage: 91", "Crew | Ship", "Crew: Mara | Ship: Gull",
    ]  # fmt: skip


def test_merged_cells_reach_over_rows_and_columns():
    rows = (["Region", "Quay", "t"], ["Alderhaven", "North", "412"], ["", "South", "87"], ["closed", "", "3"])
    found = told(*rows, spans=(Span(1, 0, 2, 0), Span(3, 0, 3, 1)))
    assert [text for _, text in found][1:] == [
        "Region: Alderhaven | Quay: North | t: 412", "Region: Alderhaven | Quay: South | t: 87", "Region / Quay: closed | t: 3",
    ]  # fmt: skip


def test_a_long_table_is_told_in_parts_as_it_would_be_at_once(monkeypatch):
    rows = [["Traffic (t)", "", ""], ["Region", "Quay", "Tonnage"]]
    for number in range(500):
        rows.append([f"Region {number // 3}" if number % 3 == 0 else "", f"Quay {number}", str(100 + number)])
    whole = told(*rows)
    monkeypatch.setattr(tables, "_AT_ONCE", 20)
    assert told(*rows) == whole
    assert whole[-1] == ("row", "Region: Region 166 | Quay: Quay 499 | Tonnage (t): 599")
    plain = [[f"k{number}", str(number)] for number in range(100)]
    assert [text for _, text in told(*plain)] == [f"k{number} | {number}" for number in range(100)]


def test_a_sparse_sheet_and_a_vast_merge_cost_nothing():
    far = Sheet("", {0: {0: "first"}, 1_048_575: {900: "last"}}, [Span(0, 0, 1_048_575, 999)])
    assert [piece.text for piece in sheet_pieces(far)] == ["first", "last"]


# ------------------------------------------------------------------------------------------------------------------------------ CSV, TSV


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ports.csv", b"Quay,Tonnage,Remark\nNorth,\"1,412\",\"closed; rebuilt\"\nSouth,87,\n"),
        ("ports.csv", "\ufeffQuay;Tonnage;Remark\r\nNorth;1,412;\"closed; rebuilt\"\r\nSouth;87;\r\n".encode()),
        ("ports.csv", b"sep=|\nQuay|Tonnage|Remark\nNorth|1,412|closed; rebuilt\nSouth|87|\n"),
        ("ports.tsv", b"Quay\tTonnage\tRemark\nNorth\t1,412\tclosed; rebuilt\nSouth\t87\t\n"),
        ("ports.csv", "Quay\tTonnage\tRemark\nNorth\t1,412\tclosed; rebuilt\nSouth\t87\t\n".encode("utf-16")),
        ("ports.xls", b"Quay\tTonnage\tRemark\nNorth\t1,412\tclosed; rebuilt\nSouth\t87\t\n"),
    ],
)  # fmt: skip
def test_delimiters_quotes_and_encodings(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert lines(read_document(tmp_path / name)) == [
        "Quay | Tonnage | Remark", "Quay: North | Tonnage: 1,412 | Remark: closed; rebuilt", "Quay: South | Tonnage: 87",
    ]  # fmt: skip


def test_chinese_csv_of_an_old_spreadsheet(tmp_path):
    (tmp_path / "港口.csv").write_bytes("港口,吞吐量（万吨）,备注\n北港,1412,这是和去年不同的统计口径\n南港,87,在建\n".encode("gb18030"))
    document = read_document(tmp_path / "港口.csv")
    assert lines(document)[2] == "港口: 南港 | 吞吐量（万吨）: 87 | 备注: 在建" and document.language == "zh"


def test_a_csv_of_one_column_is_a_list_of_lines(tmp_path):
    (tmp_path / "names.csv").write_text("Gull\nHeron\nTern\n")
    assert lines(read_document(tmp_path / "names.csv")) == ["Gull", "Heron", "Tern"]


# ----------------------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.xlsx", b"PK\x05\x06" + b"\0" * 18, "not a workbook"),
        ("a.xlsx", b"Quay,Tonnage\n", "not a XLSX file"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old or password-protected"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "save it as .xlsx"),
        ("a.xlsb", b"PK\x03\x04", "save it as .xlsx"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as .docx or PDF"),
        ("a.ppt", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as .pptx or PDF"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableFile, match=reason):
        read_document(tmp_path / name)


def test_too_many_cells_are_refused(ports, monkeypatch):
    from rag.reading.formats.spreadsheet import xlsx

    monkeypatch.setattr(xlsx, "MAX_CELLS", 10)
    with pytest.raises(UnreadableFile, match="over 10 filled cells"):
        read_document(ports)


# ---------------------------------------------------------------------------------------------------------------------------------- XLS


def test_an_old_workbook_tells_the_same(tmp_path):
    xlwt = pytest.importorskip("xlwt", reason="xlwt is not installed")
    book = xlwt.Workbook()
    page, look = book.add_sheet("Traffic"), lambda code: xlwt.easyxf(num_format_str=code)
    page.write_merge(0, 1, 0, 0, "Region")
    page.write_merge(0, 0, 1, 2, "Tonnage")
    page.write(1, 1, "2022")
    page.write(1, 2, "2023")
    for row, (region, before, after) in enumerate([("Alderhaven", 1412, -0.0099), ("Brinemouth", -87, 0.046)], 2):
        page.write(row, 0, region)
        page.write(row, 1, before, look(BRACKETS))
        page.write(row, 2, after, look("0.0%"))
    page.write(4, 0, "Surveyed")
    page.write(4, 1, date(2023, 6, 5), look("yyyy-mm-dd"))
    page.write(4, 2, "old", xlwt.easyxf("font: struck_out true"))
    hidden = book.add_sheet("Old")
    hidden.visibility = 1
    hidden.write(0, 0, "Only a line")
    book.save(str(tmp_path / "old.xls"))
    document = read_document(tmp_path / "old.xls")
    assert lines(document, ("Traffic",)) == [
        "Region | Tonnage, 2022 | Tonnage, 2023",
        "Region: Alderhaven | Tonnage, 2022: 1,412.0 | Tonnage, 2023: -1.0%",
        "Region: Brinemouth | Tonnage, 2022: (87.0) | Tonnage, 2023: 4.6%",
        "Region: Surveyed | Tonnage, 2022: 2023-06-05 | Tonnage, 2023: …",
    ]
    assert lines(document, ("Old (hidden)",)) == ["Only a line"]
    assert document.notes == ("hidden sheets, read and marked: 1", "struck-out cells left out: 1")


def test_a_page_exported_under_the_name_of_a_workbook_is_read_as_a_page(tmp_path):
    (tmp_path / "export.xls").write_text(
        "<html><body><table><tr><th>Quay</th><th>t</th></tr><tr><td>North</td><td>412</td></tr></table></body></html>"
    )
    assert lines(read_document(tmp_path / "export.xls")) == ["Quay | t", "Quay: North | t: 412"]
