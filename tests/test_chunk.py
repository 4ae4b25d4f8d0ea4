"""Sentences and chunks: exact spans, nothing lost, nothing twice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.text.chunk import ROWS_IN_CHUNK, chunk_document, sentence_spans, split_sentences
from rag.types import Block, Document, content_id


def count(text: str) -> int:
    """A stand-in for the tokenizer: one token a Han character or mark, one a word."""
    import re

    return len(re.findall(r"[A-Za-z0-9]+|[^\sA-Za-z0-9]", text))


def document(*blocks: tuple[str, str, tuple[str, ...]]) -> Document:
    at, made = 0, []
    for position, (kind, text, section) in enumerate(blocks):
        made.append(Block(at, at + len(text), kind, position + 1, section))
        at += len(text) + 1
    return Document("d", "t", "\n".join(text for _, text, _ in blocks), tuple(made), "0", "d.md")


def texts(doc: Document, **options) -> list[str]:
    return [doc.text[chunk.start : chunk.end] for chunk in chunk_document(doc, tokens_of=count, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("第一句。第二句！第三句？", ["第一句。", "第二句！", "第三句？"]),
        ("他说：“走吧。”然后走了。", ["他说：“走吧。”", "然后走了。"]),
        ("版本 2.1 已发布。容量 3.5TB。", ["版本 2.1 已发布。", "容量 3.5TB。"]),
        ("It costs $2.50, e.g. for two. Next one.", ["It costs $2.50, e.g. for two.", "Next one."]),
        ("The U.S. market grew. Dr. Li agreed.", ["The U.S. market grew.", "Dr. Li agreed."]),
        ("Sold by Acme Inc. The price rose.", ["Sold by Acme Inc.", "The price rose."]),
        ("Wait... then go. (It went.) Done!", ["Wait... then go.", "(It went.)", "Done!"]),
        ("1. Open the valve. 2. Close it.", ["1. Open the valve.", "2. Close it."]),
        ("短；短。", ["短；短。"]),
        ("很长的前半句" * 11 + "；后半句。", ["很长的前半句" * 11 + "；", "后半句。"]),
        ("一行\n二行", ["一行", "二行"]),
        ("语音、动作 ...）实现访问。", ["语音、动作 ...）实现访问。"]),
        ("见 https://a.org/b.html 一文。好。", ["见 https://a.org/b.html 一文。", "好。"]),
        ("Visit Yahoo!Mail now. Yes.", ["Visit Yahoo!Mail now.", "Yes."]),
        ("The bog lost ca. 1,200 tonnes. It fell by max. 40 cm.", ["The bog lost ca. 1,200 tonnes.", "It fell by max. 40 cm."]),
        ("Under Art. 7 and Sec. 4.2 see No. 7. Costs rose.", ["Under Art. 7 and Sec. 4.2 see No. 7.", "Costs rose."]),
        ("Mt. Harrow is 845 m. Costs of Gov. Hale rose.", ["Mt. Harrow is 845 m.", "Costs of Gov. Hale rose."]),
        ("The hall is 12 m. Output incl. VAT fell.", ["The hall is 12 m.", "Output incl. VAT fell."]),
        (
            "She weighs 60 kg. Dec. 5 is late. On 5 Dec. 2023 it rained.",
            ["She weighs 60 kg.", "Dec. 5 is late.", "On 5 Dec. 2023 it rained."],
        ),
        ("A. The quay is long. B. It is new.", ["A. The quay is long.", "B. It is new."]),
        ("The answer was no. Costs rose.", ["The answer was no.", "Costs rose."]),
        ("Franklin D. Roosevelt chose plan B. The plan held.", ["Franklin D. Roosevelt chose plan B.", "The plan held."]),
        ("It opens at 9 a.m. Trains leave at 5 p.m. Monday.", ["It opens at 9 a.m.", "Trains leave at 5 p.m. Monday."]),
        ("Ask Bldg. Services or Nr. Eins. All is well.", ["Ask Bldg. Services or Nr. Eins.", "All is well."]),
        ("   ", []),
    ],
)
def test_sentences(text, expected):
    assert [text[start:end] for start, end in split_sentences(text)] == expected


@settings(deadline=None)
@given(st.text(alphabet="云端。！？；…“”）)( .,!?;:\n1a2bTe.g", max_size=120))
def test_sentences_hold_every_character_in_order(text):
    spans = split_sentences(text)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())


KINDS = st.sampled_from(["heading", "prose", "item", "row", "figure", "contents", "abbreviation"])
SECTIONS = st.sampled_from([(), ("甲",), ("甲", "一"), ("甲", "二"), ("乙",)])
BLOCKS = st.lists(
    st.tuples(KINDS, st.text(alphabet="云端模型数据。，；ab cd. 12", min_size=1, max_size=90).filter(str.strip), SECTIONS), max_size=12
)


@settings(max_examples=150, deadline=None)
@given(BLOCKS, st.integers(8, 40))
def test_chunks_hold_each_sentence_once_in_exact_spans(blocks, target):
    doc = document(*[(kind, text.strip(), section) for kind, text, section in blocks])
    maximum = 2 * target
    chunks = chunk_document(doc, target_tokens=target, max_tokens=maximum, tokens_of=count)
    assert chunks == chunk_document(doc, target_tokens=target, max_tokens=maximum, tokens_of=count)
    assert all(0 <= chunk.start < chunk.end <= len(doc.text) for chunk in chunks)
    assert all(before.end <= after.start for before, after in zip(chunks, chunks[1:], strict=False))
    for chunk in chunks:
        text = doc.text[chunk.start : chunk.end]
        assert text == text.strip() and chunk.tokens == count(text) <= maximum
        assert chunk.id == content_id("d", str(chunk.start), str(chunk.end), text)
    for start, end, position in sentence_spans(doc):
        assert doc.blocks[position].start <= start < end <= doc.blocks[position].end
        covering = [chunk for chunk in chunks if chunk.start < end and start < chunk.end]
        if doc.blocks[position].kind == "contents":
            assert not covering
        elif any(character.isalnum() for character in doc.text[start:end]) and count(doc.text[start:end]) <= maximum:
            assert len(covering) == 1 or doc.blocks[position].kind in ("item", "row", "heading", "abbreviation")
            assert covering[0].start <= start or len(covering) > 1


def test_a_heading_stands_in_the_chunk_that_it_heads():
    doc = document(
        ("heading", "甲", ("甲",)),
        ("prose", "水库在山里。" * 12, ("甲",)),
        ("heading", "乙", ("乙",)),
        ("prose", "水厂在城里。" * 12, ("乙",)),
    )
    first, second = chunk_document(doc, tokens_of=count)
    assert doc.text[first.start :].startswith("甲\n水库") and first.section == ("甲",)
    assert doc.text[second.start :].startswith("乙\n水厂") and (second.section, second.page) == (("乙",), 3)


def test_a_heading_alone_goes_with_its_first_child():
    doc = document(("heading", "甲", ("甲",)), ("heading", "一", ("甲", "一")), ("prose", "水库在山里。" * 12, ("甲", "一")))
    (only,) = chunk_document(doc, tokens_of=count)
    assert (doc.text[only.start : only.start + 3], only.section) == ("甲\n一", ("甲", "一"))


def test_items_stay_with_their_lead_in_while_they_fit():
    doc = document(("prose", "背景在此。" * 4 + "好处有三：", ("甲",)), *[("item", f"第{n}个好处很多", ("甲",)) for n in "一二三"])
    assert len(texts(doc, target_tokens=30, max_tokens=60)) == 1


def test_short_siblings_share_a_chunk_under_their_parent():
    doc = document(("prose", "水。", ("甲", "一")), ("prose", "火。", ("甲", "二")), ("prose", "土。", ("乙", "三")))
    chunks = chunk_document(doc, tokens_of=count)
    assert [(doc.text[chunk.start : chunk.end], chunk.section) for chunk in chunks] == [("水。\n火。", ("甲",)), ("土。", ("乙", "三"))]


def test_abbreviations_and_figures_are_chunked_apart():
    rows = [("abbreviation", f"A{n} Alpha Number 名称", ("附录",)) for n in range(ROWS_IN_CHUNK + 3)]
    doc = document(("prose", "正文在此。", ("附录",)), ("figure", "东部\n西部", ("附录",)), *rows)
    lines = [text.count("\n") + 1 for text in texts(doc)]
    assert lines == [1, 2, ROWS_IN_CHUNK, 3]


def test_text_without_a_word_gives_no_chunk_and_a_long_sentence_is_cut_whole():
    assert texts(document(("prose", "\u200d\u200d…—", ()))) == []
    long = "数据" * 300
    parts = texts(document(("prose", long, ())), target_tokens=50, max_tokens=80)
    assert "".join(parts) == long and max(map(count, parts)) <= 80
