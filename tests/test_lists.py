"""Lists of a report by their three forms, and which sentences belong to them."""

import pytest
from rag.search.rank import Sentence

from rag.answer.lists import enumeration_at
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


def test_a_question_that_names_a_label_is_about_that_entry():
    there = sentences(("prose", "海上有两种电站。"), ("prose", "近海电站：打桩。"), ("prose", "远海电站：漂浮。"))
    found = enumeration_at(there, 1)
    assert found.is_about("近海有哪些做法？", 1) and not found.is_about("电站有哪些做法？", 1) and not found.is_about("近海有哪些做法？", 2)


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
