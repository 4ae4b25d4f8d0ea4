"""Reports call the same thing by several names: a question finds them by any."""

import pytest

from rag.index.build import build_index
from rag.index.snapshot import open_index
from rag.search.expansion import other_names
from rag.search.retrieve import search


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("What was the FY2023Q1 revenue?", "net sales total net revenues 2023"),
        ("Using the balance sheet of fiscal 2021", "balance sheets statement of financial position 2021"),
        ("2030 年的营收和净利是多少？", "营业收入 净利润"),
        ("净利润是多少？", ""),
        ("港口有几台吊机？", ""),
    ],
)
def test_names_of_statements_lines_and_years(question, names):
    assert other_names(question) == names


def test_a_line_is_found_by_its_other_name(tmp_path, encoder):
    lines = {"a": "Purchases of property and equipment: 412", "b": "The chart of capex is blue.", "c": "Fees of the quay: 31"}
    for name, text in lines.items():
        (tmp_path / f"{name}.md").write_text(f"{text}\n")
    build_index([tmp_path], tmp_path / "index", encoder)
    store = open_index(tmp_path / "index")
    found = {hit.chunk.document: hit.lexical for hit in search(store, encoder, "capex in 2030")}
    assert min(found["a"], found["b"]) > 0.1 > found["c"]
