"""Files of every readable kind become documents; the others say why not."""

import os
from pathlib import Path

import pytest
from conftest import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_reader import open_tiny

from rag.config import load_config
from rag.errors import UnreadableFile, UsageError
from rag.index.build import build_index, is_stale
from rag.index.encoder import open_encoder
from rag.index.snapshot import open_index
from rag.reading.dispatch import find_files, language_of, links_out, read_document, slug
from rag.reading.formats.encoding import decode
from rag.reading.formats.front_matter import front_matter
from rag.reading.formats.markdown import inline_text

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"

MARKDOWN = """---
id: port-2031
title: "The Port"
publisher: Harbour Office
year: 2031
---
# The Port in 2031

Opening **words** with `code` and a [link](https://example.org/a_(b)).

## Cranes
Cranes lift boxes
and count them.

- first item
- second item
  goes on

### Speed
| Crane | Lifts an hour | Note |
|:--|--:|---|
| North | 40 | new |
| South | 25 | old \\| slow |

## 缩略语

| Term | Meaning |
|---|---|
| TEU | twenty-foot unit |

```
run --fast   now
```
"""


def write(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def pdf(*lines: str, title: str = "") -> bytes:
    """A small PDF made by hand: one page, Helvetica, one line of text below the other."""
    shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
    stream = f"BT /F1 12 Tf 72 720 Td {shown}ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (%s) >>" % title.encode(),
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size 7 /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF" % len(out)
    return out + b"xref\n0 7\n0000000000 65535 f \n" + table + trailer


def test_markdown_keeps_sections_items_and_rows(tmp_path):
    document = read_document(write(tmp_path, "a.md", MARKDOWN))
    found = [(block.kind, document.text[block.start : block.end], block.section) for block in document.blocks]
    assert found == [
        ("heading", "The Port in 2031", ()),
        ("prose", "Opening words with code and a link.", ()),
        ("heading", "Cranes", ("Cranes",)),
        ("prose", "Cranes lift boxes and count them.", ("Cranes",)),
        ("item", "first item", ("Cranes",)),
        ("item", "second item goes on", ("Cranes",)),
        ("heading", "Speed", ("Cranes", "Speed")),
        ("row", "Crane | Lifts an hour | Note", ("Cranes", "Speed")),
        ("row", "Crane: North | Lifts an hour: 40 | Note: new", ("Cranes", "Speed")),
        ("row", "Crane: South | Lifts an hour: 25 | Note: old | slow", ("Cranes", "Speed")),
        ("heading", "缩略语", ("缩略语",)),
        ("row", "Term | Meaning", ("缩略语",)),
        ("abbreviation", "TEU | twenty-foot unit", ("缩略语",)),
        ("prose", "run --fast   now", ("缩略语",)),
    ]
    assert (document.id, document.title, document.publisher, document.year, document.language) == (
        "port-2031",
        "The Port",
        "Harbour Office",
        2031,
        "en",
    )


def test_block_texts_joined_by_newlines_are_the_text(tmp_path):
    document = read_document(write(tmp_path, "a.md", MARKDOWN))
    assert "\n".join(document.text[block.start : block.end] for block in document.blocks) == document.text


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.docx", b"PK", "not a DOCX file"),
        ("a.key", b"PK", "cannot read .key (.pdf,"),
        ("a", b"text", "without a suffix"),
        ("a.txt", b"", "empty"),
        ("a.md", b" \n\t\n", "empty"),
        ("a.pdf", b"", "empty"),
        ("a.pdf", b"%PDF-1.4 nothing", "not a readable PDF"),
        ("a.pdf", pdf(), "page images only, 1 page:"),
        ("a.txt", bytes(range(256)) * 40, "not text"),
        ("a.txt", b"\x89PNG\r\n\x1a\n" + b"\x00\x01\x02" * 500, "not text"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, name, data, reason):
    with pytest.raises(UnreadableFile) as caught:
        read_document(write(tmp_path, name, data))
    assert reason in caught.value.reason and "\n" not in str(caught.value)


def test_a_missing_or_oversized_file_is_unreadable(tmp_path, monkeypatch):
    monkeypatch.setattr("rag.reading.dispatch.MAX_BYTES", 10)
    for path in (tmp_path / "none.txt", write(tmp_path, "big.txt", "x" * 11)):
        with pytest.raises(UnreadableFile):
            read_document(path)


def test_pdf_lines_become_paragraphs_with_pages(tmp_path):
    data = pdf("The harbour opened a second terminal last", "spring, and ships now wait less than a day.", title="Harbour report")
    document = read_document(write(tmp_path, "h.pdf", data))
    assert document.text == "The harbour opened a second terminal last spring, and ships now wait less than a day."
    assert (document.title, document.page_count, document.blocks[0].page, document.language) == ("Harbour report", 1, 1, "en")


SIMPLE = "港口在雨中醒来，吊机的灯一盏一盏亮起。工人开始清点昨夜到的货物，准备装车。"
TRADITIONAL = "港口在雨中醒來，吊機的燈一盞一盞亮起。工人開始清點昨夜到的貨物，準備裝車。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((SIMPLE, name) for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk", "utf-32")),
        *(("港口年报", name) for name in ("gb18030", "utf-16-le", "utf-16-be")),
        ("港口的龘䶮𠮷㐂字很少见，但是也要读得出来。", "gb18030"),
        (SIMPLE * 400, "gb18030"),
        (TRADITIONAL, "big5"),
        ("港口年報", "big5"),
        ("The “harbour” – it’s open… for all of us.", "cp1252"),
        ("Le café est fermé à midi, et le port aussi.", "latin-1"),
    ],
)
def test_encodings_of_text(tmp_path, text, encoding):
    document = read_document(write(tmp_path, "港口.txt", text.encode(encoding)))
    assert (document.text, document.id) == (text, "港口")


@pytest.mark.parametrize("spoiled", [b"\xff", b"\xed\xa0\x80", "港".encode()[:2]])
def test_a_few_spoiled_bytes_do_not_make_a_text_unreadable(tmp_path, spoiled):
    text = read_document(write(tmp_path, "a.txt", SIMPLE.encode() * 3 + spoiled)).text
    assert text.rstrip("\ufffd") == SIMPLE * 3 and text.endswith("\ufffd")
    with pytest.raises(UnreadableFile):
        read_document(write(tmp_path, "b.txt", b"\xff\xfe\xfd\x00\x01\x02" + SIMPLE.encode()[1:40:2]))


WRITTEN = {
    "zero width": "营\u200b业\u200b收\u200b入",
    "soft hyphen": "营业\u00ad收入",
    "radicals": "营业收⼊",
    "no-break": "营业收\u2060入",
    "tag": "营业\U000e0041收入",
    "turned": "\u202a营业收入\u202c",
}


@pytest.mark.parametrize("form", WRITTEN.values(), ids=WRITTEN)
def test_a_question_finds_words_however_they_are_written(tmp_path, form):
    (tmp_path / "r").mkdir()
    write(tmp_path / "r", "a.txt", f"年报说明如下。\n\n东海公司的{form}在当年达到３２亿元。\n\n港口的吊机在雨中停了三天。")
    write(tmp_path / "r", "b.txt", "港口的早晨很安静。\n\n工人的休息时间是一小时。")
    build_index([tmp_path / "r"], tmp_path / "index", open_encoder("builtin"))
    assistant = open_tiny(load_config({"index_dir": str(tmp_path / "index")})[0])
    citation = assistant.ask("东海公司的营业收入达到多少？").citations[0]
    whole = assistant.store.document(citation.document).text
    assert whole[citation.start : citation.end] == citation.quote and "３２亿元" in citation.quote


def test_plain_text_keeps_paragraphs_and_joins_hard_wraps(tmp_path):
    wrapped = (
        "The pier was built of oak long before the\nrailway came, and it still carries carts.\n\nA second paragraph\nwith short lines."
    )
    document = read_document(write(tmp_path, "pier.txt", wrapped))
    kinds = [document.text[block.start : block.end] for block in document.blocks]
    assert kinds[0] == "The pier was built of oak long before the railway came, and it still carries carts."
    assert "".join("".join(kinds).split()) == "".join(wrapped.split())


def test_control_characters_never_reach_the_text(tmp_path):
    document = read_document(write(tmp_path, "a.txt", "one\x00 two\x07 three\u200b four " + "and so on " * 40))
    assert all(ord(character) >= 32 or character == "\n" for character in document.text)
    assert "one two three four" in document.text


def test_year_of_an_edition_wins_over_a_year_in_the_title(tmp_path):
    assert read_document(write(tmp_path, "ports-2031.txt", "港口 2031\n\n2029 版\n\n正文在这里。")).year == 2029
    assert read_document(write(tmp_path, "ports-2024.txt", "Ports and piers\n\nSome words here.")).year == 2024


@pytest.mark.parametrize(("name", "expected"), [("a b/c", "a-b-c"), ("云 2030", "云-2030"), ("...", "document"), ("x" * 300, "x" * 80)])
def test_slug(name, expected):
    assert slug(name) == expected


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_name_gives_a_usable_id_and_any_markup_a_text(name):
    assert 0 < len(slug(name)) <= 80 and "/" not in slug(name)
    assert isinstance(inline_text(name), str)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(data):
    try:
        assert "\x00" not in decode(data)
    except UnreadableFile:
        pass


def test_front_matter_is_simple_or_nothing():
    assert front_matter("---\nnot matter\n---\nx") == ({}, "---\nnot matter\n---\nx")
    assert front_matter("no matter") == ({}, "no matter")
    assert language_of("") == "en"


def test_folders_are_searched_in_order_and_links_out_are_left(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "sub").mkdir(parents=True), (inside / ".git").mkdir(), outside.mkdir()
    for name in ("b.md", "a.txt", "README.md", ".hidden.md", "z.docx", "sub/c.pdf", ".git/d.md"):
        write(inside, name, "x")
    os.symlink(write(outside, "e.md", "x"), inside / "e.md")
    os.mkfifo(inside / "pipe.txt")
    names = [str(path.relative_to(inside)) for path in find_files([inside, inside / "a.txt"])]
    assert names == ["README.md", "a.txt", "b.md", "sub/c.pdf", "z.docx"]
    with pytest.raises(UsageError, match="not there"):
        find_files([tmp_path / "missing"])


def test_links_that_lead_out_are_named_and_not_followed(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir(), outside.mkdir()
    write(outside, "tower.md", "# Tower\n\nThe tower is 91 m high."), write(inside, "own.md", "# Own\n\nThe shed is 12 m high.")
    (inside / "linked").symlink_to(outside)
    (inside / "copy.md").symlink_to(outside / "tower.md")
    (inside / "again.md").symlink_to(inside / "own.md")
    assert [path.name for path in find_files([inside])] == ["again.md", "own.md"]
    assert [path.name for path in links_out([inside])] == ["copy.md", "linked"]
    report = build_index([inside], tmp_path / "index", HashingEncoder())
    assert [(Path(path).name, reason.split(";")[0]) for path, reason in report.failed] == [
        ("copy.md", "a link that leads out of its folder"),
        ("linked", "a link that leads out of its folder"),
    ]
    assert not is_stale([inside], tmp_path / "index", HashingEncoder())
    assert not build_index([inside], tmp_path / "index", HashingEncoder()).changed_anything


def test_files_of_the_same_name_are_reports_of_their_own_unless_skipped(tmp_path):
    for folder, title in (("alpha", "Alpha Survey"), ("beta", "Beta Survey")):
        (tmp_path / "in" / folder).mkdir(parents=True)
        write(tmp_path / "in" / folder, "README.md", f"# {title}\n\nThe {folder} quay is long.")
    build_index([tmp_path / "in"], tmp_path / "index", HashingEncoder())
    assert sorted(document.title for document in open_index(tmp_path / "index").documents()) == ["Alpha Survey", "Beta Survey"]
    write(tmp_path / "in", "sources.toml", '["beta/*"]\nskip = true')
    assert [path.parent.name for path in find_files([tmp_path / "in"])] == ["alpha"]


@pytest.mark.skipif(not (SHARED / "reports").is_dir(), reason="the original reports are not here")
def test_original_reports_read_whole_with_their_sections():
    trends = read_document(SHARED / "reports" / "damo-2023.txt")
    sections = [block.section for block in trends.blocks if block.kind == "heading" and len(block.section) == 2]
    assert len(sections) == 30 and {section[1] for section in sections} == {"摘要", "趋势解读", "专家点评"}
    speakers = {block.speaker.split()[0] for block in trends.blocks if block.speaker and block.section[1:] == ("专家点评",)}
    assert len(speakers) == 13 and all(2 <= len(name) <= 3 for name in speakers)
    cloud = read_document(SHARED / "reports" / "huawei-cloud-2030.txt")
    numbers = [block.section[-1].split()[0] for block in cloud.blocks if block.kind == "heading"]
    assert numbers[:3] == ["1", "2", "2.1"] and numbers[-2:] == ["4", "附录"] and "3.5.5" in numbers
    pages = [block.page for block in cloud.blocks if block.kind not in ("contents",) and block.page]
    assert pages == sorted(pages) and (pages[0], pages[-1]) == (4, 53)
    assert sum(block.kind == "abbreviation" for block in cloud.blocks) == 62
    assert (cloud.title, cloud.year, trends.year) == ("云计算 2030", 2024, 2023)


@pytest.mark.skipif(not (SHARED / "data" / "pdf").is_dir(), reason="the sample PDFs are not here")
def test_a_real_white_paper_has_sections_and_pages():
    document = read_document(SHARED / "data" / "pdf" / "fisco_whitepaper" / "FISCO BCOS Whitepaper.pdf")
    assert (document.language, document.page_count) == ("zh", 35)
    assert any(len(block.section) == 2 and block.section[1].startswith("2.1 ") and block.page == 9 for block in document.blocks)
