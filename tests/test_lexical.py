"""The lexer on the things that reports and questions hold, and BM25 against a slow count."""

from __future__ import annotations

import math
import random
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.lexical import HEADING_WEIGHT, LexicalIndex, LexicalRow, build_lexical, stem, terms
from rag.text.normalize import search_form

ROWS = [
    LexicalRow(0, "a", "储能电站的成本下降", "成本"),
    LexicalRow(1, "a", "电站建在海边", "选址"),
    LexicalRow(2, "b", "Storage costs fell by 12%", "Costs"),
    LexicalRow(3, "b", "\u200d\u200b", ""),
    LexicalRow(4, "c.d e", "海边的电站", "成本"),
    LexicalRow(5, "c.d e", "海边的电站", "成本"),
]


@pytest.fixture
def index(tmp_path: Path) -> LexicalIndex:
    build_lexical(tmp_path, ROWS)
    return LexicalIndex.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("云", ["云"]),
        ("储能站", ["储", "储能", "能", "能站", "站"]),
        ("雲端", ["云", "云端", "端"]),
        ("云,端", ["云", "端"]),
        ("用AI算", ["用", "ai", "算"]),
        ("2.5 倍", ["2.5", "倍"]),
        ("1,500 and 12,345.6", ["1500", "and", "12345.6"]),
        ("1,50", ["1", "50"]),
        ("80%", ["80%", "80"]),
        ("８０％", ["80%", "80"]),
        ("10Gbps", ["10gbps", "10", "gbps"]),
        ("10 Gbps", ["10", "gbps"]),
        ("5G-A", ["5g-a", "5g"]),
        ("GPT-4", ["gpt-4", "gpt", "4"]),
        ("C++ and c# on .NET", ["c++", "and", "c#", "on", ".net", "net"]),
        ("end.Start", ["end.start", "end", "start"]),
        ("the U.S. economy's state-of-the-art", ["the", "us", "economi", "state-of-the-art", "state", "of", "the", "art"]),
        ("R&D", ["r&d"]),
        ("measured measures measuring", ["measur"] * 3),
        ("2023-2024", ["2023", "2024"]),
        ("！？……  \u200d", []),
        ("", []),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


@given(st.text(alphabet=st.sampled_from("云计雲算abC5，,.+-#%&'’/_ 19\u200d１Ａ\n"), max_size=60))
def test_terms_are_clean_and_depend_on_the_search_form_only(text):
    found = terms(text)
    assert found == terms(search_form(text))
    assert all(term and not any(c.isspace() for c in term) and len(term) <= 64 for term in found)
    assert bool(found) == any(c.isalnum() for c in search_form(text))


@pytest.mark.parametrize("piece", ["a-", "1,", "1.1", "云", "1,111", "+", ".a", "'s", "x" * 70])
def test_hostile_runs_are_linear(piece):
    started = time.process_time()
    terms(piece * 50_000)
    assert time.process_time() - started < 3


def test_stems_from_many_threads_agree():
    words = [f"{a}{b}{c}" for a in ("walk", "sing", "measur") for b in ("ing", "ings", "ed") for c in ("", "ly", "ness")]
    stem.cache_clear()
    alone = {word: stem(word) for word in words}
    stem.cache_clear()
    wrong = []

    def work(seed: int) -> None:
        mixed = random.Random(seed).sample(words, len(words))
        wrong.extend(word for word in mixed if stem(word) != alone[word])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def _bm25(weights: dict[str, float]) -> list[tuple[int, float]]:
    """The same sum, counted slowly."""
    scores = dict.fromkeys(range(len(ROWS)), 0.0)
    for field, share in (("body", 1.0), ("heading", HEADING_WEIGHT)):
        lexed = [terms(getattr(row, field)) for row in ROWS]
        mean = sum(map(len, lexed)) / len(lexed)
        for term, weight in weights.items():
            holding = sum(term in row for row in lexed)
            idf = math.log(1 + (len(ROWS) - holding + 0.5) / (holding + 0.5))
            for position, row in enumerate(lexed):
                frequency = row.count(term)
                norm = 1.2 * (1 - 0.75 + 0.75 * len(row) / mean)
                scores[position] += share * weight * idf * frequency * 2.2 / (frequency + norm)
    return sorted(((p, s) for p, s in scores.items() if s > 0), key=lambda hit: (-hit[1], hit[0]))


def test_scores_are_bm25_over_text_and_heading(index):
    weights = {"成": 1.0, "成本": 2.0, "电站": 0.5, "fell": 1.0}
    found, expected = index.search(weights, 10), _bm25(weights)
    assert [position for position, _ in found] == [position for position, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], rel=1e-4)


def test_nothing_shared_gives_nothing(index):
    assert index.search({"zebra": 1.0}, 10) == []
    assert index.search({}, 10) == []
    assert index.search({"电站": 0.0}, 10) == []
    assert index.search({"电站": 1.0}, 0) == []
    assert index.search({"电站": 1.0}, 10, frozenset()) == []


def test_ties_go_by_position_even_at_the_cut(index):
    (first, high), (second, same) = index.search({"的电": 1.0}, 10)
    assert (first, second) == (4, 5) and high == same
    assert [position for position, _ in index.search({"的电": 1.0}, 1)] == [4]


def test_filter_restricts_and_keeps_the_scores(index):
    everywhere = dict(index.search({"电站": 1.0}, 10))
    assert set(everywhere) == {0, 1, 4, 5}
    for documents in ({"a"}, {"c.d e"}, {"a", "c.d e", "no such"}):
        found = index.search({"电站": 1.0}, 10, frozenset(documents))
        assert dict(found) == {p: s for p, s in everywhere.items() if ROWS[p].document in documents}


def test_document_frequencies(index):
    assert index.document_frequencies(["电站", "cost", "选址", "zebra", "cost"]) == [4, 1, 1, 0, 1]
    assert index.positions() == [0, 1, 2, 3, 4, 5]


def test_query_syntax_is_only_text(index):
    question = ('body:"电站" AND (heading:* OR NOT [a TO z]) ^5 ~2 \\ + - && || ! { } / <|endoftext|> ' * 80)[:5000]
    assert [position for position, _ in index.search(dict.fromkeys(terms(question), 1.0), 10)] == [4, 5, 1, 0]
    assert index.search({'body:"电站"': 1.0, "*": 1.0, "电站 OR 成本": 1.0}, 10) == []


def test_reload_keeps_the_chinese_ranking(tmp_path):
    build_lexical(tmp_path, ROWS)
    weights = dict.fromkeys(terms("海边电站的成本"), 1.0)
    first = LexicalIndex.open(tmp_path).search(weights, 10)
    again = LexicalIndex.open(tmp_path).search(weights, 10)
    assert first == again and [position for position, _ in first] == [0, 4, 5, 1]
    assert not list(tmp_path.glob(".tantivy-*.lock"))


def test_search_goes_on_when_the_files_are_gone(tmp_path, index):
    before = index.search({"电站": 1.0}, 10)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    assert index.search({"电站": 1.0}, 10) == before


def test_empty_index(tmp_path):
    build_lexical(tmp_path, [])
    index = LexicalIndex.open(tmp_path)
    assert (len(index), index.positions(), index.search({"a": 1.0}, 5), index.document_frequencies(["a"])) == (0, [], [], [0])


def test_damaged_files_are_an_error_of_ours_and_not_a_panic(tmp_path):
    build_lexical(tmp_path, ROWS)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name, content in files.items():
        for damaged in (b"", content[:-1], bytes(len(content)), content[len(content) // 2 :]):
            try:
                LexicalIndex(files | {name: damaged})
            except (ValueError, OSError):
                pass  # caught; what tantivy does not notice is caught by the sha256 of the index
