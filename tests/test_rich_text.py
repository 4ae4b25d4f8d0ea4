"""ODT and RTF: text, headings, tables, notes, and what is left out, counted."""

import io
import zipfile

import pytest

from rag.errors import UnreadableFile
from rag.reading.dispatch import read_document

SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{value}:1.0"'
    for name, value in (("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"))
)


def lines(document):
    return [document.text[block.start : block.end] for block in document.blocks]


def odt(tmp_path, body, name="a.odt", **parts):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(
            "content.xml",
            f"<office:document-content {SPACES}><office:body><office:text>{body}</office:text></office:body></office:document-content>",
        )
        for part, text in parts.items():
            archive.writestr(part.replace("__", "/") + ".xml", text)
    (tmp_path / name).write_bytes(made.getvalue())
    return tmp_path / name


def rtf(tmp_path, text):
    (tmp_path / "a.rtf").write_bytes(text if isinstance(text, bytes) else text.encode("ascii"))
    return tmp_path / "a.rtf"


def test_an_odt_tells_headings_lists_tables_and_notes(tmp_path):
    body = """
    <text:p text:style-name="Title">Ports of the coast</text:p>
    <text:h text:outline-level="1">Traffic</text:h>
    <text:p>The quay<text:s/>holds nine<text:line-break/>cranes<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Counted in May.</text:p>
    </text:note-body></text:note>.</text:p>
    <text:list><text:list-item><text:p>North</text:p><text:list><text:list-item><text:p>Berth 2</text:p></text:list-item></text:list></text:list-item></text:list>
    <table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>Region</text:p></table:table-cell><table:table-cell><text:p>Quay</text:p>
    </table:table-cell><table:table-cell><text:p>t</text:p></table:table-cell></table:table-row></table:table-header-rows>
    <table:table-row><table:table-cell table:number-rows-spanned="2"><text:p>Alderhaven</text:p></table:table-cell><table:table-cell><text:p>North</text:p>
    </table:table-cell><table:table-cell><text:p>412</text:p></table:table-cell></table:table-row>
    <table:table-row><table:covered-table-cell/><table:table-cell><text:p>South</text:p></table:table-cell><table:table-cell><text:p>87</text:p></table:table-cell>
    </table:table-row></table:table>
    <text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion></text:changed-region></text:tracked-changes>"""
    document = read_document(odt(tmp_path, body))
    assert lines(document) == [
        "Ports of the coast", "Traffic", "The quay holds nine", "cranes.", "North", "Berth 2", "Region | Quay | t", "Region: Alderhaven | Quay: North | t: 412",
        "Region: Alderhaven | Quay: South | t: 87", "1 Counted in May.",
    ]  # fmt: skip
    assert [block.kind for block in document.blocks[4:7]] == ["item", "item", "row"] and document.blocks[-1].section == ("Traffic",)
    assert (document.title, document.notes) == ("Ports of the coast", ("deletions of tracked changes left out: 1",))


def test_a_locked_odt_and_another_archive_are_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="password"):
        read_document(odt(tmp_path, "", **{"META-INF__manifest": "<m><encryption-data/></m>"}))
    (tmp_path / "b.odt").write_bytes(b"PK\x05\x06" + b"\0" * 18)
    with pytest.raises(UnreadableFile):
        read_document(tmp_path / "b.odt")


def test_an_rtf_tells_paragraphs_tables_and_signs(tmp_path):
    text = (
        r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset134 SimSun;}}{\colortbl;\red0;}{\*\generator x}{\info{\title Ports}}"
        r"\pard The quay\rquote s crane {\b lifts} 40\~t.\par {\f1 \'b8\'db\'bf\'da}\u24180?\u25253?\par {\strike 80} 95 {\v hidden} left\par"
        r"\trowd\cellx1\cellx2\intbl Crane\cell Lifts\cell\row\intbl North\cell 40\cell\row\pard After \u-10179?\u-8694?.\par}"
    )
    document = read_document(rtf(tmp_path, text))
    assert lines(document) == [
        "The quay’s crane lifts 40 t.",
        "港口年报",
        "95 left",
        "Crane | Lifts",
        "Crane: North | Lifts: 40",
        "After 😊.",
    ]
    assert (document.title, document.notes) == ("Ports", ("hidden or deleted stretches left out: 1", "struck-out stretches left out: 1"))


@pytest.mark.parametrize(
    "text", ["{\\rtf1 " + "{" * 2000, "{\\rtf1 \\u", "{\\rtf1 \\'", "{\\rtf1 }}}}} text", "{\\rtf1 \\uc99999 \\u5 x\\f-1 \\ansicpg7 y}"]
)
def test_broken_rtf_ends_in_words_or_an_error_but_ends(tmp_path, text):
    try:
        read_document(rtf(tmp_path, text))
    except (UnreadableFile, RecursionError):
        pass
