"""The sentences of a report: where they stand, and how many reports are kept."""

from hypothesis import given
from hypothesis import strategies as st

from rag.search.sentences import KEPT_DOCUMENTS, SentenceIndex
from rag.types import Block, Document


def report(*parts: tuple[str, str, str], name: str = "d", sha256: str = "d") -> Document:
    """Of (kind, section, text); each block on a page of its own, signed where the section is "点评"."""
    text, blocks = "", []
    for page, (kind, section, part) in enumerate(parts, 1):
        blocks.append(Block(len(text), len(text) + len(part), kind, page, (section,), "王海" if section == "点评" else ""))
        text += part + "\n"
    return Document(name, "潮汐报告", text, tuple(blocks), sha256, f"{name}.md")


TIDES = report(("heading", "现状", "现状"), ("prose", "现状", "装机容量为 4.2 GW。成本是 3 元。"), ("item", "点评", "拦坝很贵。"))


def test_a_sentence_knows_its_place():
    found = SentenceIndex().of(TIDES)
    assert [(s.text, s.kind, s.block, s.page, s.section, s.speaker) for s in found] == [
        ("现状", "heading", 0, 1, ("现状",), ""),
        ("装机容量为 4.2 GW。", "prose", 1, 2, ("现状",), ""),
        ("成本是 3 元。", "prose", 1, 2, ("现状",), ""),
        ("拦坝很贵。", "item", 2, 3, ("点评",), "王海"),
    ]
    assert [s.position for s in found] == [0, 1, 2, 3] and all(s.document == "d" for s in found)


@given(st.lists(st.text(alphabet="潮汐电站。！？. aB\u200b1,；", min_size=1, max_size=60), min_size=1, max_size=6), st.data())
def test_sentences_are_slices_in_order_and_a_range_gives_those_that_begin_in_it(parts, data):
    document, index = report(*(("prose", "甲", part) for part in parts)), SentenceIndex()
    found = index.of(document)
    assert all(document.text[s.start : s.end] == s.text != "" for s in found)
    assert all(one.end <= other.start for one, other in zip(found, found[1:], strict=False))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(document.text))] * 2)))
    assert index.within(document, start, end) == tuple(s for s in found if start <= s.start < end)


def test_only_the_last_reports_are_kept_and_a_changed_one_is_cut_anew():
    index = SentenceIndex()
    first = index.of(TIDES)
    assert index.of(TIDES) is first
    changed = report(("prose", "现状", "装机容量为 5 GW。"), sha256="e")
    assert [s.text for s in index.of(changed)] == ["装机容量为 5 GW。"]
    for n in range(KEPT_DOCUMENTS):
        index.of(report(("prose", "甲", "甲。"), name=f"n{n}"))
    assert len(index._kept) == KEPT_DOCUMENTS and index.of(TIDES) is not first and index.of(TIDES) == first


def test_a_row_that_only_names_columns_is_no_row():
    table = report(*(("row", "t", text) for text in ("Ferry | Built", "Ferry: Petrel | Built: 1998", "Auk | 1989", "Tern | 2015")))
    assert [sentence.kind for sentence in SentenceIndex().of(table)] == ["heading", "row", "row", "row"]
