"""Slides: tables with spans, raised and struck runs, numbers that PowerPoint counts, charts, feet, and a count of what was left out."""

import io

import pytest

from rag.reading.dispatch import read_document

pptx = pytest.importorskip("pptx")


def read(tmp_path, deck):
    buffer = io.BytesIO()
    deck.save(buffer)
    (tmp_path / "a.pptx").write_bytes(buffer.getvalue())
    return read_document(tmp_path / "a.pptx")


def texts(document) -> list[str]:
    return [document.text[block.start : block.end] for block in document.blocks]


def blank():
    deck = pptx.Presentation()
    return deck, deck.slides.add_slide(deck.slide_layouts[6])


def box(slide):
    return slide.shapes.add_textbox(0, 0, 5_000_000, 500_000).text_frame


def test_spans_of_tables_on_slides(tmp_path):
    deck, slide = blank()
    table = slide.shapes.add_table(4, 3, 0, 0, 3_000_000, 1_000_000).table
    for at, text in enumerate(("Depot", "Vehicles", "", "", "2022", "2023", "East", "5", "6", "", "118", "120")):
        table.cell(at // 3, at % 3).text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(0, 0).merge(table.cell(1, 0))
    table.cell(2, 0).merge(table.cell(3, 0))
    assert texts(read(tmp_path, deck)) == [
        "Depot | Vehicles, 2022 | Vehicles, 2023",
        "Depot: East | Vehicles, 2022: 5 | Vehicles, 2023: 6",
        "Depot: East | Vehicles, 2022: 118 | Vehicles, 2023: 120",
    ]


def test_runs_that_carry_meaning(tmp_path):
    deck, slide = blank()
    paragraph = box(slide).paragraphs[0]
    for text, look in (
        ("10", {}),
        ("6", {"baseline": "30000"}),
        (" cells cost ", {}),
        ("12", {"strike": "sngStrike"}),
        ("15 euros of CO", {}),
        ("2", {"baseline": "-25000"}),
    ):
        run = paragraph.add_run()
        run.text = text
        for name, value in look.items():
            run._r.get_or_add_rPr().set(name, value)
    document = read(tmp_path, deck)
    assert texts(document) == ["10⁶ cells cost 15 euros of CO₂"] and document.notes == ("struck-out passages left out: 1",)


def test_numbers_that_powerpoint_counts(tmp_path):
    deck, slide = blank()
    frame = box(slide)
    for text, kind, level in (
        ("a", "arabicPeriod", 0),
        ("x", "alphaLcParenR", 1),
        ("y", "alphaLcParenR", 1),
        ("b", "arabicPeriod", 0),
        ("", "", 0),
        ("c", "ea1ChsPeriod", 0),
    ):
        paragraph = frame.add_paragraph()
        paragraph.text, paragraph.level = text, level
        if kind:
            numbered = paragraph._p.get_or_add_pPr().makeelement(
                "{http://schemas.openxmlformats.org/drawingml/2006/main}buAutoNum", {"type": kind}
            )
            paragraph._p.get_or_add_pPr().append(numbered)
    assert texts(read(tmp_path, deck)) == ["1. a", "a) x", "b) y", "2. b", "一. c"]


def test_charts_are_tables_and_pictures_are_told_or_counted(tmp_path):
    from PIL import Image
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    deck, slide = blank()
    data = CategoryChartData()
    data.categories = ["Ash", "Birch"]
    data.add_series("2022", (412, 87))
    data.add_series("2023", (398, None))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 3_000_000, 2_000_000, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Boxes (thousand t)"
    picture = io.BytesIO()
    Image.new("RGB", (4, 4)).save(picture, "PNG")
    for told in ("A crane at dusk", ""):
        shape = slide.shapes.add_picture(picture, 0, 3_000_000)
        shape._element.nvPicPr.cNvPr.set("descr", told)
    document = read(tmp_path, deck)
    assert texts(document) == [
        "Boxes (thousand t)",
        "2022 (thousand t) | 2023 (thousand t)",
        "Ash | 2022 (thousand t): 412 | 2023 (thousand t): 398",
        "Birch | 2022 (thousand t): 87",
        "A crane at dusk",
    ]
    assert document.notes == ("pictures not read: 1",)
