"""Lists of a report by their three forms, and which sentences belong to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.lists import enumeration_at
from rag.search.sentences import Sentence
from rag.text.chunk import sentence_spans
from rag.types import Block, Document


def sentences(*rows: tuple[str, str]) -> list[Sentence]:
    """Of (kind, text) blocks in one section."""
    text, blocks = "", []
    for kind, row in rows:
        blocks.append(Block(len(text), len(text) + len(row), kind, 1, ("一 现状",)))
        text += row + "\n"
    document = Document("d", "潮汐", text, tuple(blocks), "d", "d.md")
    return [
        Sentence("d", n, start, end, text[start:end], blocks[block].kind, block, 1, ("一 现状",), "")
        for n, (start, end, block) in enumerate(sentence_spans(document))
    ]


def heads(found) -> list[str]:
    return [sentence.text[:4] for sentence in found.heads]


@pytest.mark.parametrize("place", range(4))
def test_paragraphs_with_labels_are_one_list_wherever_it_is_met(place):
    there = sentences(
        ("prose", "海上有三种电站。"),
        ("prose", "近海：打桩。用得多。"),
        ("prose", "远海：漂浮。"),
        ("prose", "深海：还没有。"),
        ("prose", "完。"),
    )
    found = enumeration_at(there, place)
    assert (heads(found), found.count, found.form) == (["海上有三", "近海：打", "远海：漂", "深海：还"], 3, "labels")
    assert [sentence.text for sentence in found.sentences][2] == "用得多。"
    assert enumeration_at(there, 5) is None


@pytest.mark.parametrize(
    ("text", "count", "entries"),
    [
        ("挑战有三个：1）腐蚀。2）维护，很贵；3）并网。后来好了。", 3, ["挑战有三个：1）腐蚀。", "2）维护，很贵；3）并网。"]),
        ("局限有：一是慢，二是贵。后来好了。", 2, ["局限有：一是慢，二是贵。"]),
        ("首先打桩。桩要深。其次装机。最后并网。", 3, ["首先打桩。", "其次装机。", "最后并网。"]),
        ("分两步。第一阶段打桩。桩要深。目前进入第二阶段，装机。", 2, ["第一阶段打桩。", "目前进入第二阶段，装机。"]),
        ("First, build. Second, connect.", 2, ["First, build.", "Second, connect."]),
    ],
)
def test_numbers_inside_a_text(text, count, entries):
    there = sentences(("prose", text))
    start = next(sentence.position for sentence in there if sentence.text == entries[0])
    found = enumeration_at(there, start)
    assert (found.count, [entry[0].text for entry in found.entries], found.form) == (count, entries, "numbers")


def test_a_number_alone_or_far_from_the_next_is_no_list():
    assert enumeration_at(sentences(("prose", "首先打桩。后来装机。")), 0) is None
    assert enumeration_at(sentences(("prose", "首先打桩。" + "桩很深。" * 6 + "其次装机。")), 0) is None


def test_bullets_come_with_the_sentence_that_leads_in():
    found = enumeration_at(sentences(("prose", "要点："), ("item", "便宜。"), ("item", "可靠。很好。")), 0)
    assert (heads(found), found.count, found.form) == (["要点：", "便宜。", "可靠。"], 2, "bullets")


def test_bullets_of_two_styles_are_two_lists():
    there = sentences(("item", "拦坝式。"), ("item", "潮流式。"), ("item", "1. 先勘测。"), ("item", "2. 再打桩。"))
    assert [[s.text for s in enumeration_at(there, place).sentences] for place in (0, 3)] == [
        ["拦坝式。", "潮流式。"],
        ["1. 先勘测。", "2. 再打桩。"],
    ]


def test_a_bullet_that_announces_a_list_of_its_own_is_not_one_of_its_neighbours():
    there = sentences(
        ("item", "1. 建设：分三个阶段：勘测（2024）：看海底。"),
        ("prose", "施工（2025）：打桩。"),
        ("prose", "并网（2026）：接电。"),
        ("item", "2. 运营：每周巡检。"),
    )
    found = enumeration_at(there, 1)
    assert (found.form, [s.text for s in found.sentences]) == ("labels", ["施工（2025）：打桩。", "并网（2026）：接电。"])


@given(
    st.lists(
        st.tuples(st.sampled_from(["prose", "item"]), st.text(alphabet="甲乙。：1）①一是首先其次；", min_size=1, max_size=24)),
        min_size=1,
        max_size=8,
    )
)
def test_a_list_holds_the_sentence_it_was_asked_for_and_two_entries_in_order(rows):
    there = sentences(*rows)
    for place in range(len(there)):
        found = enumeration_at(there, place)
        if found:
            positions = [s.position for s in found.sentences]
            assert place in positions and positions == sorted(set(positions)) and found.count > 1
            assert set(found.heads) <= set(found.sentences)
