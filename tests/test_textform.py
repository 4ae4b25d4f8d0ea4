"""Search forms: folding, and the way back to the text."""

import sys
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.textform import search_form, search_form_with_offsets, source_span

# Text as it comes out of files: any character, with those that combine, fold or vanish more often than chance would have it.
awkward = st.sampled_from(list("e\u0301H\u0331Tz\u0308㎏ﬁ½①ＡＩ！　臺灣乾薴著雲\u200b\u200d\u00ad\ufeff\ue000\x00\x1b\n\r\t\u2028ς Σİß한\u1112\u1161\u11abｶﾞが\u3099\u09c7\u09be😀👩🏽\ufe0f𠮷𝐀\ufdfa"))
texts = st.lists(awkward | st.characters(), max_size=40).map("".join)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("ＡＩ　雲端運算\n２０２３年", "ai 云端运算 2023年"),
        ("The CLOUD\tis\r\nhere", "the cloud is  here"),
        ("臺灣與中國", "台湾与中国"),
        ("云\u200b计\u2060算\ufeff\xad\ue123\x00", "云计算"),
        ("5 ㎏、½、①、ﬁne", "5 kg、1⁄2、1、fine"),
        ("e\u0301té", "été"),
        ("H\u0331", "ẖ"),
        ("ΛΌΓΟΣ", "λόγοσ"),
        ("\ud800a", "a"),
        ("\u200b\u200d", ""),
        ("", ""),
    ],
)
def test_known_forms(text: str, form: str) -> None:
    assert search_form(text) == form


@given(texts)
def test_a_form_is_its_own_form(text: str) -> None:
    assert search_form(search_form(text)) == search_form(text)


def test_every_character_alone_is_stable_and_visible() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        form = search_form(character)
        if form:
            assert search_form(form) == form, hex(code)
            assert all(unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} and (c == " " or not c.isspace()) for c in form), hex(code)


@given(texts)
@example("a\u200b\u0301\u0302b")
@example("e\u0301" * 3)
@example("\u1112\u1161\u11ab한\u11a8")
def test_offsets_lead_back(text: str) -> None:
    form, offsets = search_form_with_offsets(text)
    assert form == search_form(text)
    assert len(offsets) == len(form)
    assert (offsets[1:] >= offsets[:-1]).all()
    for i in range(len(form)):
        start, end = source_span(offsets, i, i + 1, len(text))
        assert 0 <= offsets[i] == start < end <= len(text)
        # The source of one form character, on its own, gives at least that character.
        assert form[i] in search_form(text[start:end])


@given(texts, st.data())
def test_a_span_of_the_form_is_in_the_form_of_its_source(text: str, data: st.DataObject) -> None:
    form, offsets = search_form_with_offsets(text)
    start = data.draw(st.integers(0, len(form)))
    end = data.draw(st.integers(start, len(form)))
    first, last = source_span(offsets, start, end, len(text))
    assert form[start:end] in search_form(text[first:last])


def test_long_text_is_quick() -> None:
    text = ("云端運算 Cloud，" * 20000) + "e\u0301" * 20000
    began = time.perf_counter()
    form, offsets = search_form_with_offsets(text)
    assert time.perf_counter() - began < 3
    assert form[offsets.searchsorted(text.index("e\u0301"))] == "é"
