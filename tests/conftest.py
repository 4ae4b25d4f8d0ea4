"""What the tests share: an encoder that needs no model, and a corpus of three small reports."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rag.errors import UnreadableFile
from rag.index.lexical import terms
from rag.reading.sandbox import Reading, Sandbox, read_frame, reply_to, request_for, unpack
from rag.types import FloatMatrix, Progress

pytest.register_assert_rewrite("chromium")
from chromium import browser, open_page, server  # noqa: E402, F401  (fixtures for every file)


class HashingEncoder:
    """Words and pairs of Han characters hashed to 64 dimensions, so that texts which share words are close. Counts what it encodes."""

    max_tokens = None

    def __init__(self, name: str = "hashing", revision: str = "1", dimension: int = 64):
        self.name, self.revision, self.dimension = name, revision, dimension
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> FloatMatrix:
        matrix = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            self.encoded.append(text)
            for term in terms(text):
                place = int.from_bytes(hashlib.sha256(term.encode()).digest()[:4], "big")
                matrix[row, place % self.dimension] += 1
            if progress:
                progress(row + 1, len(texts))
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        return matrix / np.where(lengths > 0, lengths, 1)


class InlineSandbox(Sandbox):
    """Reads in this process, over the same messages, where a test replaces a part of the readers or builds a hundred times."""

    def read_one(self, path, *, cut=None, known=None) -> Reading:
        try:
            reply = read_frame(io.BytesIO(reply_to(request_for(path, cut, known))))
            if "unreadable" in reply:
                raise UnreadableFile(path, reply["unreadable"])
            return unpack(reply)
        except MemoryError as error:
            raise UnreadableFile(path, "needs too much memory") from error


@pytest.fixture
def inline_sandbox(monkeypatch) -> None:
    monkeypatch.setattr("rag.reading.sandbox.Sandbox", InlineSandbox)


@pytest.fixture
def tiny_reader(monkeypatch) -> None:
    """What opens an `Assistant` in this process gets a reader without weights."""
    from tiny_reader import TinyReader

    monkeypatch.setattr("rag.chat.Reader", TinyReader)


@pytest.fixture
def encoder() -> HashingEncoder:
    return HashingEncoder()


TIDES = """---
title: 潮汐发电年报
publisher: 海风研究社
year: 2022
---
# 潮汐发电年报

## 第一章 装机容量

全国潮汐电站的装机容量在 2022 年达到 4.2 GW。东岸的三座电站贡献了其中的六成。

## 第二章 成本

每度电的成本下降到 0.31 元，比上一年低 18%。维护费用是成本中最大的一项。
"""

BEES = """# Urban Bees

## Honey

City hives gave 14 kilograms of honey each, and rooftop gardens doubled the yield. Lime trees were the main source of nectar.

## Losses

Winter losses fell to 9 percent after beekeepers treated mites in August.
"""

TRAMS = """Night trams

The night tram carried 1,500 passengers an hour on Fridays. Its drivers measured the noise at every stop.
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with tides.md (zh), bees.md (en) and trams.txt (en)."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for name, text in (("tides.md", TIDES), ("bees.md", BEES), ("trams.txt", TRAMS)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder
