"""Web pages, books and Markdown: what a reader sees, with the tables, marks and numbers that carry meaning."""

import hostile
import pytest

from rag.reading.dispatch import read_document


def page(tmp_path, body: str, name: str = "a.html", encoding: str = "utf-8", head: str = '<meta charset="utf-8">'):
    data = f"<html><head>{head}<title>Tide</title></head><body>{body}</body></html>" if name.endswith("html") else body
    (tmp_path / name).write_bytes(data.encode(encoding))
    return read_document(tmp_path / name)


def texts(document) -> list[str]:
    return [document.text[block.start : block.end] for block in document.blocks]


def test_spans_and_feet_of_tables(tmp_path):
    body = """<p>Traffic (thousand t)</p><table><thead><tr><th rowspan=2>Port<th colspan=2>Tonnage</tr><tr><th>2022<th>2023</tr></thead>
    <tfoot><tr><td>Total<td>499<td>510</tr></tfoot><tbody><tr><td rowspan=0>Ash<td>412<sup>a</sup><td>398</tr><tr><td>87<td>112</tr></tbody></table>"""
    assert texts(page(tmp_path, body))[1:] == [
        "Port | Tonnage (thousand t), 2022 | Tonnage (thousand t), 2023",
        "Port: Ash | Tonnage (thousand t), 2022: 412 ᵃ | Tonnage (thousand t), 2023: 398",
        "Port: Ash | Tonnage (thousand t), 2022: 87 | Tonnage (thousand t), 2023: 112",
        "Port: Total | Tonnage (thousand t), 2022: 499 | Tonnage (thousand t), 2023: 510",
    ]


def test_a_table_that_lays_out_a_page_is_no_table(tmp_path):
    inner = "<table><tr><th>Crane<th>Lifts</tr><tr><td>North<td>40</tr></table>"
    found = texts(page(tmp_path, f"<table><tr><td>Menu of the day<td><h2>Cranes</h2><p>They lift.</p>{inner}</tr></table>"))
    assert found == ["Menu of the day", "Cranes", "They lift.", "Crane | Lifts", "Crane: North | Lifts: 40"]


def test_rows_made_of_other_elements(tmp_path):
    row = '<div role="row"><span role="{0}">{1}</span><span role="{0}">{2}</span></div>'
    body = f'<div role="table">{row.format("columnheader", "Crane", "Lifts")}{row.format("cell", "North", "40")}</div>'
    assert texts(page(tmp_path, body)) == ["Crane | Lifts", "Crane: North | Lifts: 40"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("10<sup>6</sup> cells on 35 km<sup>2</sup>", "10⁶ cells on 35 km²"),
        ("about 40<sup>1</sup> thousand on the 19<sup>th</sup>", "about 40¹ thousand on the 19th"),
        ('in 2023.<sup><a href="#n1">[12]</a></sup> Next', "in 2023.¹² Next"),
        ("CO<sub>2</sub> and V<sub>max</sub>", "CO₂ and Vmax"),
        ("<ruby>港<rp>(</rp><rt>gǎng</rt><rp>)</rp>口<rt>kǒu</rt></ruby>开放", "港口开放"),
        ("<math><mi>P</mi><mo>=</mo><mfrac><mi>a</mi><msup><mi>b</mi><mn>2</mn></msup></mfrac></math> holds", "P=a/b² holds"),
        ("It costs <span style='text-decoration: line-through'>12</span> 15 euros", "It costs 15 euros"),
        ("<clerks>41</clerks><posts>7</posts> in all", "41 7 in all"),
        ("港口在雨中\n醒来，工人来了", "港口在雨中醒来，工人来了"),
        ("a long-\nterm plan", "a long-term plan"),
        ("He said <q>go</q>", "He said “go”"),
        ('where <img alt="x > 3" src="f.png"> holds', "where x > 3 holds"),
    ],
)
def test_marks_that_carry_meaning(tmp_path, body, expected):
    assert texts(page(tmp_path, f"<p>{body}</p>")) == [expected]


def test_numbers_of_lists(tmp_path):
    body = "<ol start=3 type=a><li><p>Drain</p><p>slowly</p><li value=7>Close<ol reversed><li>x<li>y</ol></ol><ul><li>dot</ul>"
    assert texts(page(tmp_path, body)) == ["c. Drain", "slowly", "g. Close", "2. x", "1. y", "dot"]


def test_forms_that_hold_a_page_and_forms_that_do_not(tmp_path):
    search = "<form><label>Search</label><input name=q><button>Go</button></form>"
    body = '<form><h1>Permit</h1><p>Holder: <input value="Larch Works"></p><p><input type=checkbox checked> paid</p></form>'
    filled = '<form><label>Area</label><input value="1850"></form>'
    assert texts(page(tmp_path, search + body + filled)) == ["Permit", "Holder: Larch Works", "☑ paid", "Area 1850"]


def test_what_was_left_out_is_counted(tmp_path):
    body = "<p>Seen <s>old</s><del>older</del></p><p hidden>secret</p><iframe src=x></iframe><main></main>"
    assert page(tmp_path, body).notes == (
        "embedded objects and drawings not read: 1",
        "hidden parts left out: 1",
        "struck-out passages left out: 2",
    )


@pytest.mark.parametrize(
    ("label", "encoding", "text"),
    [
        ("iso-8859-1", "cp1252", "€5 million – “a turning point”"),
        ("us-ascii", "cp1252", "the quay’s 5 €"),
        ("iso-8859-1", "utf-8", "€5 million – “a turning point”"),
        ("utf-8", "gb18030", "港口在雨中的早晨，工人和船在等待潮水的到来。"),
        ("iso-8859-1", "gb18030", "港口在雨中的早晨，工人和船在等待潮水的到来。"),
        ("gbk", "gb18030", "港口㐀在雨中的早晨"),
        ("shift_jis", "cp932", "港の朝①"),
    ],
)
def test_labels_of_encodings_are_read_as_browsers_do_and_checked(tmp_path, label, encoding, text):
    assert texts(page(tmp_path, f"<p>{text}</p>", encoding=encoding, head=f'<meta charset="{label}">')) == [text]


def test_books_with_declarations_and_notes_beside_the_spine(tmp_path):
    doctype = '<!DOCTYPE package PUBLIC "+//ISBN 0-9//DTD OEB 1.2 Package//EN" "http://x.invalid/oeb.dtd">'
    files = {
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>',
        "book.opf": f"<?xml version='1.0'?>{doctype}<package><manifest><item id='n' href='n.xhtml'/><item id='a' href='a.xhtml'/></manifest>"
        "<spine><itemref idref='n' linear='no'/><itemref idref='a'/></spine></package>",
        "a.xhtml": "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head><title/><script/></head><body><p>The tide.</p></body></html>",
        "n.xhtml": "<html><body><p>1. A note.</p></body></html>",
    }
    (tmp_path / "a.epub").write_bytes(hostile.zipped(files))
    assert texts(read_document(tmp_path / "a.epub")) == ["The tide.", "1. A note."]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Lead was <LOD in 12 and >LOD in 3, List<Sample> and a<b.", ["Lead was <LOD in 12 and >LOD in 3, List<Sample> and a<b."]),
        ("Line<br>two <b>bold</b> <!-- no --> end", ["Line two bold end"]),
        ("It costs ~~18~~ 24 euros.", ["It costs 24 euros."]),
        ("CO~2~ and 10^6^ and H<sub>2</sub>O", ["CO₂ and 10⁶ and H₂O"]),
        ("See [[Harbour Report|the report]] and ==this==.", ["See the report and this."]),
        ("> [!NOTE] Tides\n> The tide comes in.", ["Tides The tide comes in."]),
        ("The tide[^1] turns.\n\n[^1]: At noon.", ["The tide¹ turns.", "1. At noon."]),
        ("3. three\n4. four\n\n- [x] done\n- [ ] open", ["3. three", "4. four", "☑ done", "open"]),
        ("Term\n: what it means", ["Term", "what it means"]),
        ("    indented paragraph\n    goes on", ["indented paragraph goes on"]),
        ("港口在雨中\n醒来。", ["港口在雨中醒来。"]),
        ("| a | b |\n|---|---|\n| 1 | x \\| y | 3 |", ["a | b", "a: 1 | b: x | y | 3"]),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>4</td></tr></table>", ["a | b", "a: c | b: 4"]),
        ("```\n~~kept~~ <LOD\n```", ["~~kept~~ <LOD"]),
        ("$5 and $6, 2 * 3 * 4, snake_case_name", ["$5 and $6, 2 * 3 * 4, snake_case_name"]),
    ],
)
def test_markdown_and_its_dialects(tmp_path, source, expected):
    assert texts(page(tmp_path, source, name="a.md")) == expected


def test_blank_labels_of_a_markdown_table_repeat_the_one_above(tmp_path):
    source = "| Depot | Kind | Number |\n|---|---|---|\n| East | Trams | 5 |\n| | Buses | 118 |"
    assert texts(page(tmp_path, source, name="a.md"))[-1] == "Depot: East | Kind: Buses | Number: 118"


@pytest.mark.parametrize(
    ("matter", "title", "year"),
    [
        ("+++\ntitle = 'Heat: a Report'\ndate = 2021-05-01\n+++", "Heat: a Report", 2021),
        ("---\n标题：供热年报\n年份：2022\n---", "供热年报", 2022),
        ("---\ntitle: |-\n  Snow\n  Report\ndate: 2020-01-02\ntags: [a, b]\n---", "Snow Report", 2020),
        ("---\ntitle: Ice: a Report\nyear: 2019\n...", "Ice: a Report", 2019),
        (';;;\n{"title": "Fog", "year": 2018}\n;;;', "Fog", 2018),
        ("---\nTITLE: &a Rain\nyear: '2017'\n---", "&a Rain", 2017),
    ],
)
def test_front_matter_of_all_dialects(tmp_path, matter, title, year):
    document = page(tmp_path, f"{matter}\n\nThe tide comes in.", name="a.md")
    assert (document.title, document.year, texts(document)) == (title, year, ["The tide comes in."])


def test_tables_made_to_hurt_are_read_in_time(tmp_path):
    wide = "|" + "a|" * 5000 + "\n|" + "-|" * 5000 + "\n" + ("|" + "1|" * 5000 + "\n") * 20
    assert len(texts(page(tmp_path, wide, name="wide.md"))) < 30
    spans = "<table>" + "<tr><td rowspan=65534 colspan=1000>x</td><td>y</td></tr>" * 2000 + "</table>"
    assert len(page(tmp_path, spans).text) < 5_000_000
