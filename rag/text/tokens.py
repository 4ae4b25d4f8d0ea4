"""Counts and cuts text in tokens, with tiktoken on byte-pair ranks of our own: no download, so sizes and ids are the same everywhere.

Tokens are those of the text's search form, which is what the built-in encoder reads; white space costs nothing. What it gives up: an LLM's
own count differs (`rag.llm.client` budgets with that), and a text's upper case cannot be recovered from its tokens.
"""

from __future__ import annotations

import binascii
from functools import lru_cache
from pathlib import Path

import numpy as np
import tiktoken

from rag.text.normalize import search_form, search_form_with_offsets, source_span

RANKS = Path(__file__).parent.parent / "model" / "ranks.tiktoken"


def _piece_pattern() -> str:
    """Runs of one kind of character, capped so that a million of one letter stays linear, without a character class that engines read differently."""
    kinds = {
        "々〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af": 20,  # Han
        "a-zß-öø-\u02af\u0370-\u03ff\u0400-\u052f\u0531-\u0587\u1e00-\u1fff\u0300-\u036f": 20,  # Latin, Greek, Cyrillic, Armenian
        "0-9": 4,
        "\u3040-\u30ff": 16,  # kana
        "\uac00-\ud7a3": 8,  # Hangul
    }
    known = "".join(kinds)
    return "|".join(f"[{characters}]{{1,{cap}}}" for characters, cap in kinds.items()) + f"|[^ {known}]{{1,8}}"


PIECES = _piece_pattern()
"""Regular expression for the pieces inside which byte pairs merge; what it does not match (spaces) gives no token."""


def read_ranks(path: Path | None = None) -> dict[bytes, int]:
    """Token bytes -> rank, from lines of base64 and number (tiktoken's own format); by default those in use."""
    words = (path or RANKS).read_bytes().split()
    return dict(zip(map(binascii.a2b_base64, words[::2]), map(int, words[1::2]), strict=True))


@lru_cache(maxsize=1)
def encoding() -> tiktoken.Encoding:
    """The tokenizer, read on first use."""
    return tiktoken.Encoding(name="provenote", pat_str=PIECES, mergeable_ranks=read_ranks(), special_tokens={})


def encode_form(form: str) -> np.ndarray:
    """Token ids of a text that is in search form already, uint32."""
    return encoding().encode_to_numpy(form, disallowed_special=())


def encode_tokens(text: str) -> np.ndarray:
    """Token ids of any text, uint32. Nothing in it is a control token: `<|endoftext|>` is so many characters.

    >>> encode_tokens("ＡＩ").tolist() == encode_tokens("ai").tolist()
    True
    """
    return encode_form(search_form(text))


def count_tokens(text: str) -> int:
    """Number of tokens of any text."""
    return len(encode_tokens(text))


def form_spans(form: str, tokens: np.ndarray | None = None) -> np.ndarray:
    """Where each token stands: int64 (tokens, 2) of start and end characters in `form`. A token inside one character has that character's span."""
    tokens = encode_form(form) if tokens is None else tokens
    if not len(tokens):
        return np.zeros((0, 2), dtype=np.int64)
    # The tokens' bytes, laid end to end, are the form's bytes without its spaces.
    ends = np.cumsum(_token_lengths()[tokens])
    codes = np.frombuffer(form.encode("utf-32-le"), dtype=np.uint32)
    places = np.flatnonzero(codes != 32)
    codes = codes[places]
    widths = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    owners = np.repeat(places, widths)
    starts = np.concatenate([[0], ends[:-1]])
    return np.stack([owners[starts], owners[ends - 1] + 1], axis=1)


@lru_cache(maxsize=1)
def _token_lengths() -> np.ndarray:
    return np.array([len(encoding().decode_single_token_bytes(i)) for i in range(encoding().n_vocab)], dtype=np.int64)


def token_spans(text: str) -> list[tuple[int, int]]:
    """Where each token of `encode_tokens(text)` stands in `text`, in characters, end exclusive."""
    form, offsets = search_form_with_offsets(text)
    return [source_span(offsets, int(start), int(end), len(text)) for start, end in form_spans(form)]


def token_windows(text: str, size: int) -> list[tuple[int, int]]:
    """Cuts a text into consecutive stretches of at most `size` tokens each; together they are the text.

    For text that has no better place to cut. A single character of more than `size` tokens stays whole.

    >>> text = "云计算" * 50
    >>> windows = token_windows(text, 10)
    >>> "".join(text[start:end] for start, end in windows) == text
    True
    """
    if size < 1:
        raise ValueError(f"size must be at least 1 token, not {size}")
    starts = sorted({start for start, _ in token_spans(text)})
    windows: list[tuple[int, int]] = []
    begin = position = 0
    while position < len(starts):
        # A stretch cut out of its surroundings can take a token more than it had in them, so the count decides.
        stop = min(position + size, len(starts))
        while True:
            end = starts[stop] if stop < len(starts) else len(text)
            excess = count_tokens(text[begin:end]) - size
            if excess <= 0 or stop == position + 1:
                break
            stop = max(position + 1, stop - excess)
        windows.append((begin, end))
        begin, position = end, stop
    return windows or ([(0, len(text))] if text else [])
