"""Our own tiktoken ranks: counts, spans, windows, and the same cuts by Hugging Face's tokenizer."""

import socket
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.text.normalize import search_form
from rag.text.tokens import RANKS, count_tokens, encode_form, encode_tokens, encoding, form_spans, read_ranks, token_spans, token_windows

words = st.sampled_from(
    "云计算 人工智能 的 technology Cloud 2030 10万 aaaa 哈哈哈哈 1001001 abababab <|endoftext|> 😀 한국 カタカナ é ， -- 臺灣".split(" ")
)
texts = st.lists(words | st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=6), max_size=12).map("".join)


def test_ranks_are_a_byte_pair_vocabulary() -> None:
    ranks = read_ranks()
    assert all(ranks[bytes([byte])] == byte for byte in range(256))
    assert sorted(ranks.values()) == list(range(len(ranks)))
    assert 20_000 <= len(ranks) <= 64_000


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n\t", 0),
        ("\u200b", 0),
        ("云计算", 2),
        ("人工智能", 1),
        ("technology", 1),
        ("Cloud", 1),
        ("2030", 1),
        ("cloud computing", 2),
    ],
)
def test_common_words_are_one_token(text: str, count: int) -> None:
    assert count_tokens(text) == count


def test_control_tokens_are_only_text() -> None:
    assert count_tokens("<|endoftext|>") > 2
    assert encoding().decode(encode_tokens("<|endoftext|>").tolist()) == "<|endoftext|>"


@settings(deadline=None)
@given(texts)
def test_tokens_are_the_search_form_without_spaces(text: str) -> None:
    assert encoding().decode(encode_tokens(text).tolist()) == search_form(text).replace(" ", "")


@settings(deadline=None)
@given(texts)
@example("ab\u0301 臺\u200b灣")
@example("\U0002000b x")
def test_spans_hold_their_tokens(text: str) -> None:
    form = search_form(text)
    tokens = encode_form(form)
    spans = form_spans(form, tokens)
    assert len(spans) == len(tokens)
    for token, (start, end) in zip(tokens, spans, strict=True):
        assert start < end
        assert encoding().decode_single_token_bytes(int(token)) in form[start:end].encode().replace(b" ", b"")
    in_text = token_spans(text)
    assert len(in_text) == len(tokens)
    assert all(0 <= start < end <= len(text) for start, end in in_text)
    assert in_text == sorted(in_text)


@settings(deadline=None)
@given(texts, st.integers(1, 12))
def test_windows_are_the_text_and_within_the_size(text: str, size: int) -> None:
    windows = token_windows(text, size)
    assert "".join(text[start:end] for start, end in windows) == text
    for start, end in windows:
        assert count_tokens(text[start:end]) <= size or len(set(token_spans(text[start:end]))) == 1


def test_windows_need_a_size() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        token_windows("云", 0)


@pytest.mark.parametrize("character", ["a", "云", "0", "-", "😀", " ", "\n", "\u0301", "가"])
def test_a_million_of_one_character_is_linear(character: str) -> None:
    began = time.process_time()
    count_tokens(character * 1_000_000)
    assert time.process_time() - began < 3


@pytest.fixture(scope="module")
def hugging_face_tokenizer():
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    return tokenizers.Tokenizer.from_file(str(Path(RANKS).with_name("tokenizer.json")))


@settings(deadline=None)
@given(text=texts)
@example(text="aaaaaaa 哈哈哈 1001001 banana abababab")
@example(text="")
def test_hugging_face_cuts_the_same(hugging_face_tokenizer, text: str) -> None:
    form = search_form(text)
    assert hugging_face_tokenizer.encode(form, add_special_tokens=False).ids == encode_form(form).tolist()


def test_hugging_face_cuts_a_long_text_the_same(hugging_face_tokenizer) -> None:
    form = search_form("".join(chr(0x4E00 + i * 7919 % 20000) for i in range(5000)) + "中国人民银行关于cloud native技术的报告，" * 200)
    assert hugging_face_tokenizer.encode(form, add_special_tokens=False).ids == encode_form(form).tolist()


def test_no_connection_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the tokenizer wanted the network"))
    encoding.cache_clear()
    assert count_tokens("云计算") == 2
