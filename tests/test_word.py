"""Word files: what Word shows, with the numbers that it counts, and a count of what was left out."""

import hostile
import pytest

from rag.reading.dispatch import read_document

W, M = hostile.WORD, "http://schemas.openxmlformats.org/officeDocument/2006/math"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def word(tmp_path, body: str, relations: dict[str, str] | None = None, **parts: str):
    """A document of this body; parts are named `word__styles`, relations lead from an id to a part."""
    spaces = (
        f'xmlns:w="{W}" xmlns:m="{M}" xmlns:r="{R}" xmlns:wp="wp" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
        'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
        'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
    )
    files = {"word/document.xml": f"<w:document {spaces}><w:body>{body}</w:body></w:document>"}
    for name, text in parts.items():
        files[name.replace("__", "/") + ".xml"] = text.replace(">", f" {spaces}>", 1)
    links = "".join(f'<Relationship Id="{identity}" Target="{target}"/>' for identity, target in (relations or {}).items())
    files["word/_rels/document.xml.rels"] = f"<Relationships>{links}</Relationships>"
    (tmp_path / "a.docx").write_bytes(hostile.zipped(files))
    return read_document(tmp_path / "a.docx")


def texts(document) -> list[str]:
    return [document.text[block.start : block.end] for block in document.blocks]


def p(*runs: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{''.join(runs)}</w:p>"


def r(text: str, look: str = "") -> str:
    return f'<w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def cell(text: str, properties: str = "", turn: bool = False) -> str:
    mark = "<w:r><w:lastRenderedPageBreak/></w:r>" if turn else ""
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(mark, r(text))}</w:tc>"


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def test_cells_merged_down_and_across(tmp_path):
    down, on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    table = (
        row(cell("Depot", down), cell("Vehicles", '<w:gridSpan w:val="2"/>'))
        + row(cell("", on), cell("2022"), cell("2023"))
        + row(cell("East", down), cell("5"), cell("6"))
        + row(cell("", on), cell("118"), cell("120"))
        + f"<w:sdt><w:sdtContent>{row(cell('West'), cell('7'), cell('8'))}</w:sdtContent></w:sdt>"
        + row(cell("gone"), cell("1"), cell("2"), properties="<w:del/>")
    )
    assert texts(word(tmp_path, f"<w:tbl>{table}</w:tbl>")) == [
        "Depot | Vehicles, 2022 | Vehicles, 2023",
        "Depot: East | Vehicles, 2022: 5 | Vehicles, 2023: 6",
        "Depot: East | Vehicles, 2022: 118 | Vehicles, 2023: 120",
        "Depot: West | Vehicles, 2022: 7 | Vehicles, 2023: 8",
    ]


def test_the_line_over_a_table_gives_its_unit_and_a_repeated_head_names_columns(tmp_path):
    head = row(cell("Port"), cell("2022"), properties="<w:tblHeader/>")
    document = word(tmp_path, p(r("表1 吞吐量（单位：万吨）")) + f"<w:tbl>{head}{row(cell('Ash'), cell('31'))}</w:tbl>")
    assert texts(document)[1:] == ["Port | 2022 (万吨)", "Port: Ash | 2022 (万吨): 31"]


def test_pages_turn_once_for_all_cells_of_a_row(tmp_path):
    table = row(cell("Bridge"), cell("State")) + row(cell("Long", turn=True), cell("poor", turn=True)) + row(cell("Old"), cell("fair"))
    document = word(
        tmp_path, p(r("Before.")) + f"<w:tbl>{table}</w:tbl>" + p(r("After."), "<w:r><w:lastRenderedPageBreak/></w:r>", r("Last."))
    )
    assert [block.page for block in document.blocks] == [1, 1, 2, 2, 2] and document.page_count == 3
    assert document.page_at(document.text.index("Last")) == 3


NUMBERING = """<w:numbering><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="{0}"/><w:lvlText w:val="{1}"/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>
<w:num w:numId="3"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="4"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num></w:numbering>"""


@pytest.mark.parametrize(
    ("style", "form", "labels"),
    [
        ("decimal", "%1.", ["1. ", "1.a) ", "1.b) ", "2. ", "2.a) ", "7. "]),
        ("upperRoman", "%1.", ["I. ", "I.a) ", "I.b) ", "II. ", "II.a) ", "VII. "]),
        ("chineseCounting", "第%1章", ["第一章 ", "一.a) ", "一.b) ", "第二章 ", "二.a) ", "第七章 "]),
        ("japaneseCounting", "%1、", ["一、", "一.a) ", "一.b) ", "二、", "二.a) ", "七、"]),
        ("bullet", "", ["", "0.a) ", "0.b) ", "", "0.a) ", ""]),
    ],
)
def test_numbers_that_word_counts(tmp_path, style, form, labels):
    def item(number: int, level: int) -> str:
        return p(r("x"), properties=f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')

    body = item(3, 0) + item(3, 1) + item(3, 1) + item(3, 0) + item(3, 1) + item(4, 0)
    found = texts(word(tmp_path, body, word__numbering=NUMBERING.format(style, form)))
    if style == "bullet":
        assert [text for text in found if text == "x"] == ["x"] * 3
    else:
        assert found == [f"{label}x" for label in labels]


def test_headings_carry_the_numbers_of_their_style(tmp_path):
    styles = '<w:styles><w:style w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr></w:style></w:styles>'
    heading = p(r("Cranes"), properties='<w:pStyle w:val="H1"/>')
    unnumbered = p(r("Ships"), properties='<w:pStyle w:val="H1"/><w:numPr><w:numId w:val="0"/></w:numPr>')
    document = word(
        tmp_path, heading + p(r("They lift.")) + unnumbered, word__styles=styles, word__numbering=NUMBERING.format("decimal", "%1.")
    )
    assert texts(document) == ["1. Cranes", "They lift.", "Ships"] and document.blocks[1].section == ("1. Cranes",)


def test_text_boxes_stand_apart_and_once(tmp_path):
    box = f"<w:txbxContent>{p(r('Key figure'))}{p(r('18 percent'))}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice><w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent>"
    document = word(tmp_path, p(f"<w:r>{both}</w:r>", r("The museum had visitors.")) + p(f"<w:r><w:pict>{box}</w:pict></w:r>"))
    assert texts(document) == ["The museum had visitors.", "Key figure", "18 percent", "Key figure", "18 percent"]


RAISED, LOWERED = '<w:vertAlign w:val="superscript"/>', '<w:vertAlign w:val="subscript"/>'


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (r("10") + r("1", RAISED) + r("2", RAISED) + r(" cells"), "10¹² cells"),
        (r("CO") + r("2", LOWERED) + r(" fell"), "CO₂ fell"),
        (r("It costs ") + r("12", "<w:strike/>") + r("15 euros"), "It costs 15 euros"),
        (r("kept ") + r("on", '<w:strike w:val="0"/>'), "kept on"),
        (
            r("was ") + "<m:oMath><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath>",
            "was x²",
        ),
        (
            "<m:oMathPara><m:oMath><m:rad><m:deg/><m:e><m:r><m:t>2gh</m:t></m:r></m:e></m:rad><m:r><m:t>=v</m:t></m:r></m:oMath></m:oMathPara>",
            "√(2gh)=v",
        ),
        ('<w:r><w:t>x </w:t><w:sym w:font="Symbol" w:char="F0B3"/><w:t> 3</w:t></w:r>', "x ≥ 3"),
        (r("\uf0fc done", '<w:rFonts w:ascii="Wingdings"/>').replace(" done", "") + r(" done"), "✓ done"),
        (
            "<w:r><w:ruby><w:rt><w:r><w:t>gang</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>港</w:t></w:r></w:rubyBase></w:ruby></w:r>"
            + r("口"),
            "港口",
        ),
        ("<w:r><w:fldChar><w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData></w:fldChar></w:r>" + r("paid"), "☑ paid"),
        ("<w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:ins>" + r("new") + "</w:ins>", "new"),
        (r("co") + "<w:r><w:noBreakHyphen/><w:t>op</w:t><w:tab/><w:t>7</w:t></w:r>", "co-op 7"),
    ],
)
def test_runs_that_carry_meaning(tmp_path, runs, expected):
    assert texts(word(tmp_path, p(runs))) == [expected]


def test_notes_heads_feet_and_comments(tmp_path):
    body = p(r("It cost 40"), '<w:r><w:footnoteReference w:id="2"/></w:r>', r(" thousand."))
    document = word(
        tmp_path,
        body,
        {"a": "header1.xml", "b": "footer1.xml"},
        word__footnotes=f'<w:footnotes><w:footnote w:id="2">{p(r("Without boats."))}</w:footnote></w:footnotes>',
        word__header1=f"<w:hdr>{p(r('River Board'))}</w:hdr>",
        word__footer1=f"<w:ftr>{p(r('Page 3 of 9'))}{p(r('Valid from 1 May'))}</w:ftr>",
        word__comments=f'<w:comments><w:comment w:author="Ana">{p(r("Is this so?"))}</w:comment></w:comments>',
    )
    assert texts(document) == ["It cost 40¹ thousand.", "¹ Without boats.", "Valid from 1 May", "River Board", "[Ana] Is this so?"]
    assert document.blocks[-1].speaker == "Ana" and document.notes == ("comments read as notes: 1",)


def test_marks_of_notes_in_tables_stand_apart_from_figures(tmp_path):
    marked = f"<w:tc>{p(r('412'), r('1', RAISED))}</w:tc>"
    table = row(cell("Port"), cell("Boxes")) + row(cell("Ash"), marked)
    assert texts(word(tmp_path, f"<w:tbl>{table}</w:tbl>"))[-1] == "Port: Ash | Boxes: 412 ¹"


def test_charts_diagrams_and_pictures(tmp_path):
    series = "<c:ser><c:tx><c:v>2023</c:v></c:tx><c:cat><c:pt idx='0'><c:v>Ash</c:v></c:pt></c:cat><c:val><c:pt idx='0'><c:v>412</c:v></c:pt></c:val></c:ser>"
    chart = f"<c:chartSpace><c:chart><c:title><a:t>Boxes (thousand t)</a:t></c:title>{series}</c:chart></c:chartSpace>"
    diagram = "<dgm:dataModel><dgm:pt><dgm:t><a:p><a:t>Lift</a:t></a:p></dgm:t></dgm:pt><dgm:pt><dgm:t><a:p><a:t>Count</a:t></a:p></dgm:t></dgm:pt></dgm:dataModel>"
    drawings = ['<c:chart r:id="c"/>', '<dgm:relIds r:dm="d"/>', '<wp:docPr descr="A crane at dusk"/><a:blip/>', "<wp:docPr/><a:blip/>"]
    body = "".join(p(f"<w:r><w:drawing>{drawing}</w:drawing></w:r>") for drawing in drawings)
    document = word(tmp_path, body, {"c": "chart1.xml", "d": "data1.xml"}, word__chart1=chart, word__data1=diagram)
    assert texts(document) == [
        "Boxes (thousand t)",
        "2023 (thousand t)",
        "Ash | 2023 (thousand t): 412",
        "Lift",
        "Count",
        "A crane at dusk",
    ]
    assert document.notes == ("pictures not read: 1",)
