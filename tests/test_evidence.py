"""Question to evidence: what is read, in which order, from which report, and what a follow-up is read with."""

from dataclasses import replace

import pytest
from tiny_reader import TinyReader

from rag.answer.compose import ExtractiveAnswerer
from rag.index.build import build_index
from rag.index.encoder import BuiltinEncoder
from rag.index.snapshot import open_index
from rag.search.evidence import READ_EACH, READ_FIRST, READ_MORE, SURE, Retriever
from rag.search.overlap import Overlap
from rag.search.question import read_question
from rag.search.sentences import SentenceIndex
from rag.types import Filter, Turn

TIDES = """---
id: tides
title: 潮汐报告
publisher: 海风研究社
year: 2022
---
# 潮汐报告

## 一 东岸

东岸电站的装机容量是 4 GW。东岸电站的成本是 3 元。

## 二 西岸

西岸电站的装机容量是 9 GW。西岸电站的成本是 7 元。
"""
WINDS = TIDES.replace("tides", "winds").replace("潮汐", "风能").replace("海风研究社", "陆风学会").replace("4 GW", "5 GW")
KINDS = {"怎么看": "compare", "多少": "number"}
# A report of many sections that are all alike, but for their numbers.
PIERS = "# 码头\n\n" + "\n\n".join(
    f"## 第 {n} 号码头\n\n第 {n} 号码头的吊机能吊 {100 + n} 吨。它建于 {1900 + n} 年。" for n in range(1, 31)
)


class WatchedReader(TinyReader):
    """Notes the passages and the history that it is given."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.given: list[tuple[str, int, int]] = []

    def read(self, question, passages, history=()):
        self.given.append((question, len(passages), len(history)))
        return super().read(question, passages, history)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    encoder = BuiltinEncoder()
    for name, reports in (("coast", {"tides": TIDES, "winds": WINDS}), ("piers", {"piers": PIERS})):
        (folder / name).mkdir()
        for report, text in reports.items():
            (folder / name / f"{report}.md").write_text(text, encoding="utf-8")
        build_index([folder / name], folder / f"{name}-index", encoder, target_tokens=24, max_tokens=60)
    return {name: (open_index(folder / f"{name}-index", encoder=encoder), encoder) for name in ("coast", "piers")}


def retriever_of(store, encoder, reader, top_k):
    sentences = SentenceIndex()
    return Retriever(store, encoder, reader, sentences, Overlap(encoder, sentences), 60, top_k)


@pytest.fixture
def retriever(opened):
    store, encoder = opened["coast"]
    return retriever_of(store, encoder, WatchedReader(KINDS), 12)


@pytest.fixture
def piers(opened):
    store, encoder = opened["piers"]
    return retriever_of(store, encoder, WatchedReader(KINDS), 30)


def find(retriever, question, history=(), only=None):
    return retriever.find(question, history, only, retriever.store.documents())


def test_the_sentence_that_says_it_comes_first(retriever):
    found = find(retriever, "西岸电站的成本是多少？", only=Filter(("tides",)))
    best = found.sentences[0]
    assert (best.sentence.document, best.sentence.section, best.sentence.text) == ("tides", ("二 西岸",), "西岸电站的成本是 7 元。")
    assert best.hit == found.hits[0] == found.passages[0].hit and (found.kind, found.query) == ("number", "西岸电站的成本是多少？")


def test_passages_and_sentences_are_in_the_readers_order_and_each_stands_once(retriever):
    found = find(retriever, "东岸电站的装机容量是多少？")
    answers, scores = [p.confidence for p in found.passages], [s.score for s in found.sentences]
    assert answers == sorted(answers, reverse=True) and scores == sorted(scores, reverse=True)
    places = [(s.sentence.document, s.sentence.position) for s in found.sentences]
    assert len(places) == len(set(places)) and len({hit.chunk.id for hit in found.hits}) == len(found.hits)
    assert not [s for s in found.sentences if s.sentence.kind == "heading"]
    best = next(p for p in found.passages if p.hit == found.sentences[0].hit)
    assert scores[0] == pytest.approx(retriever.reader.sentence_chance(best.best, best.answers, best.overlap))


def test_no_more_is_read_where_the_first_passages_leave_no_doubt(piers):
    sure = find(piers, "第 7 号码头的吊机能吊多少吨？")
    assert "107 吨" in sure.sentences[0].sentence.text and sure.passages[0].confidence >= SURE
    assert piers.reader.given == [("第 7 号码头的吊机能吊多少吨？", READ_FIRST, 0)]
    piers.reader.given.clear()
    doubt = find(piers, "谁在码头上卖鱼和面包？")
    assert doubt.passages[0].confidence < SURE and [count for _, count, _ in piers.reader.given] == [READ_FIRST, READ_MORE]


def test_a_shorter_search_is_the_head_of_a_longer_one(piers):
    question = read_question("第 7 号码头的吊机能吊多少吨？", piers.store.documents())
    long = piers.search(question, None, 12)
    assert len(long) == 12 == len({hit.chunk.id for hit in long}) and "107 吨" in long[0].text
    for top_k in (1, 3, 10):
        assert piers.search(question, None, top_k) == long[:top_k]


def test_the_reader_sees_heading_and_title_and_no_heading_among_the_sentences(piers):
    seen = []
    piers.reader.read = lambda question, passages, history=(): seen.extend(passages) or TinyReader().read(question, passages, history)
    find(piers, "第 7 号码头的吊机能吊多少吨？")
    assert seen[0].heading == "第 7 号码头 · 码头" and seen[0].sentences == ("第 7 号码头的吊机能吊 107 吨。", "它建于 1907 年。")


# ---- comparisons ----


def test_a_comparison_reads_each_named_report(retriever):
    found = find(retriever, "海风研究社和陆风学会怎么看东岸电站的装机容量？")
    assert found.kind == "compare" and {hit.chunk.document for hit in found.hits} == {"tides", "winds"}
    counts = [sum(p.hit.chunk.document == name for p in found.passages) for name in ("tides", "winds")]
    assert max(counts) <= READ_EACH and min(counts) > 0 and len(retriever.reader.given) == 1


def test_naming_two_publishers_compares_whatever_the_reader_calls_it(retriever):
    assert find(retriever, "海风研究社和陆风学会写的装机容量是多少？").kind == "compare"
    assert find(retriever, "海风研究社写的装机容量是多少？").kind == "number"
    documents = retriever.store.documents()[:1]
    assert retriever.find("两份报告怎么看成本？", (), Filter(("tides",)), documents).kind == "compare"
    assert len(retriever.reader.given[-1:]) == 1


def test_a_comparison_is_answered_from_both(retriever):
    found = find(retriever, "海风研究社和陆风学会怎么看东岸电站的装机容量？")
    retriever.reader.threshold = lambda strictness, pair: 0.01  # names of publishers share no term with what they say
    answerer = ExtractiveAnswerer(retriever.reader, retriever.sentences, retriever.store.document)
    answer = answerer.answer(found, retriever.store.documents())
    assert {citation.document for citation in answer.citations} == {"tides", "winds"} and answer.reason == ""
    assert "4 GW" in answer.answer and "5 GW" in answer.answer


# ---- follow-ups ----


def test_a_follow_up_is_read_with_the_turn_before(retriever):
    found = find(retriever, "那成本呢？", [Turn("西岸电站的装机容量是多少？", "9 GW。")], Filter(("tides",)))
    assert found.sentences[0].sentence.text == "西岸电站的成本是 7 元。"
    assert retriever.reader.given == [("那成本呢？", len(found.passages), 1)]


def test_a_follow_up_is_searched_both_with_and_without_the_turn_before(piers):
    before = Turn("第 7 号码头的吊机能吊多少吨？", "107 吨。")
    found = find(piers, "那么它建于哪一年？", [before])
    assert "1907" in found.hits[0].text
    fresh = find(piers, "第 21 号码头的吊机能吊多少吨？", [before])
    assert "121 吨" in fresh.sentences[0].sentence.text and fresh.query == "第 21 号码头的吊机能吊多少吨？"


def test_the_query_tells_when_the_turn_before_was_needed(piers):
    found = find(piers, "它建于哪一年？", [Turn("那里呢？", "107 吨。", query="第 7 号码头的吊机能吊多少吨？")])
    assert found.query in ("它建于哪一年？", "第 7 号码头的吊机能吊多少吨；它建于哪一年？")
    own = [one.hit.chunk.id for one in piers.explained(read_question("它建于哪一年？"), "", None, 30, explain=False)][:READ_FIRST]
    assert (found.hits[0].chunk.id in own) == (found.query == "它建于哪一年？")


# ---- filters ----


def test_a_filter_is_strict(retriever):
    found = find(retriever, "东岸电站的装机容量是多少？", only=Filter(("winds",)))
    assert {s.sentence.document for s in found.sentences} == {"winds"} and "5 GW" in found.sentences[0].sentence.text
    nothing = find(retriever, "东岸电站的装机容量是多少？", only=Filter(("whales",)))
    assert (nothing.hits, nothing.passages, nothing.sentences) == ((), (), ())


def test_a_reranker_chooses_what_is_read(retriever):
    turned = replace(retriever, reranker=lambda question, texts: [float("西岸" in text) for text in texts])
    asked = read_question("东岸电站的装机容量？")
    assert ["西岸" in one.hit.text for each in (turned, retriever) for one in each.explained(asked, "", None, 1)] == [True, False]


def test_copies_stand_behind_what_else_is_said_however_well_they_answer(tmp_path):
    asked = "How many hives stand on the roofs of the old harbour?"
    for n, note in enumerate(("Copied on Monday.", "Taken from a wall.", "For the file.", "Seen twice.")):
        (tmp_path / f"memo{n}.md").write_text(f"# Memo {n}\n\nOn the roofs of the old harbour stand 90 hives. {note}\n", encoding="utf-8")
    (tmp_path / "bees.md").write_text("# Bees\n\nThe harbour has 40 hives, most of them on roofs.\n", encoding="utf-8")
    encoder = BuiltinEncoder()
    build_index([tmp_path], tmp_path / "index", encoder)
    found = retriever_of(open_index(tmp_path / "index", encoder=encoder), encoder, TinyReader(), 12)
    texts = [hit.text for hit in found.search(read_question(asked), None, 5)]
    assert ["90 hives" in text for text in texts] == [True, False, True, True, True]
