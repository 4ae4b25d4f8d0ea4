"""Search forms: folding, and the way back to the text."""

import sys
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.text.normalize import search_form, search_form_with_offsets, source_span

# Text as it comes out of files: any character, with those that combine, fold or vanish more often than chance would have it.
awkward = st.sampled_from(
    list(
        "e\u0301H\u0331Tz\u0308㎏ﬁ½①ＡＩ！　臺灣乾薴著雲\u200b\u200d\u00ad\ufeff\ue000\x00\x1b\n\r\t\u2028ς Σİß한\u1112\u1161\u11abｶﾞが\u3099\u09c7\u09be😀👩🏽\ufe0f𠮷𝐀\ufdfa"
    )
)
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


@settings(deadline=None)
@given(texts)
def test_a_form_is_its_own_form(text: str) -> None:
    assert search_form(search_form(text)) == search_form(text)


def test_every_character_alone_is_stable_and_visible() -> None:
    dense = [
        *range(0x3400),
        *range(0x9FF0, 0xAC10),
        *range(0xD7A0, 0xD810),
        *range(0xDFF0, 0xE010),
        *range(0xF8F0, 0x13500),
        *range(0x1BC90, 0x1BCB0),
    ]
    dense += [*range(0x1D100, 0x1D800), *range(0x1EE00, 0x20010), *range(0x2F7F0, 0x2FA20), *range(0xDFFF0, 0xE1010)]
    for code in [*dense, *range(0x3400, sys.maxunicode + 1, 97), sys.maxunicode]:
        character = chr(code)
        form = search_form(character)
        if form:
            assert search_form(form) == form, hex(code)
            assert all(
                unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} and (c == " " or not c.isspace()) for c in form
            ), hex(code)


@settings(deadline=None)
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


@settings(deadline=None)
@given(texts, st.data())
def test_a_span_of_the_form_is_in_the_form_of_its_source(text: str, data: st.DataObject) -> None:
    form, offsets = search_form_with_offsets(text)
    start = data.draw(st.integers(0, len(form)))
    end = data.draw(st.integers(start, len(form)))
    first, last = source_span(offsets, start, end, len(text))
    assert form[start:end] in search_form(text[first:last])


def test_long_text_is_quick() -> None:
    text = ("云端運算 Cloud，" * 10000) + "e\u0301" * 10000
    began = time.process_time()
    form, offsets = search_form_with_offsets(text)
    assert time.process_time() - began < 3
    assert form[offsets.searchsorted(text.index("e\u0301"))] == "é"
