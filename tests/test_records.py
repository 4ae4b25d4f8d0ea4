"""Tables: what goes in comes out, no cell begins a formula, and a broken file is one line of words."""

import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import UsageError
from rag.reading.records import is_table, read_table, write_table


def test_names_of_tables():
    assert [is_table(name) for name in ("a.csv", "b.TSV", "c.xlsx", "d.jsonl", "-", "csv")] == [True, True, True, False, False, False]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.xlsx"])
def test_what_goes_in_comes_out(tmp_path, name):
    rows = [{"a": "云，计算", "b": 'two\nlines "quoted"'}, {"a": "", "b": None}, {"a": True, "b": 1.5}]
    write_table(tmp_path / name, ("a", "b"), rows)
    assert read_table(tmp_path / name) == [{"a": "云，计算", "b": 'two\nlines "quoted"'}, {"a": "yes", "b": "1.5"}]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx"])
def test_no_cell_begins_a_formula(tmp_path, name):
    evil = ["=HYPERLINK(1)", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "-12.5%", "plain"]
    write_table(tmp_path / name, ("x",), [{"x": text} for text in evil])
    if name == "t.csv":
        assert [row["x"][:2] for row in read_table(tmp_path / name)] == ["'=", "'+", "'-", "'@", "-1", "pl"]
    else:
        sheet = zipfile.ZipFile(tmp_path / name).read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet and [row["x"] for row in read_table(tmp_path / name)] == evil


def test_encodings_and_separators(tmp_path):
    (tmp_path / "gb.csv").write_bytes("问题;编号\n云是什么？;7\n".encode("gb18030"))
    assert read_table(tmp_path / "gb.csv") == [{"问题": "云是什么？", "编号": "7"}]
    (tmp_path / "bom.csv").write_bytes("question,\nWhy?,unnamed\n,\n".encode("utf-8-sig"))
    assert read_table(tmp_path / "bom.csv") == [{"question": "Why?"}]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("t.csv", b"", "no first row"),
        ("t.csv", b"\xff\xff\xff", "neither UTF-8 nor GB 18030"),
        ("t.csv", b"a,a\n1,2\n", "two columns named 'a'"),
        ("t.xlsx", b"not a zip", "cannot be read as a table"),
        ("t.xlsx", b"", "cannot be read as a table"),
    ],
)
def test_a_broken_file_is_told(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=words):
        read_table(tmp_path / name)
    with pytest.raises(UsageError, match="cannot be read"):
        read_table(tmp_path / f"missing-{name}")


def test_a_file_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr("rag.reading.records.MOST_UNPACKED", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 100_000)
    with pytest.raises(UsageError, match="more than 1,000"):
        read_table(tmp_path / "bomb.xlsx")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        write_table(tmp_path / "no" / "t.csv", ("a",), [])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=20).map(lambda text: "x" + text.strip() + "x"), min_size=1)
)
def test_any_text_survives_xlsx(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("xlsx") / "t.xlsx"
    write_table(path, ("a",), [{"a": cell} for cell in cells])
    found = [row["a"] for row in read_table(path)]
    assert len(found) == len(cells) and all(cell.startswith("x") for cell in found)
