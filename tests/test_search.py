"""Hybrid search: the arithmetic of the mix, filters, and what matches nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from test_editions import CITIES

from rag.index.encoder import open_reranker
from rag.index.weighing import GRID, bm25, estimate_dense_weight
from rag.search.fusion import Mix, best_sentence, mix_for
from rag.search.retrieve import (
    BRIEF,
    HEADING_BONUS,
    NAMED_REPORT_BONUS,
    RERANKED,
    explained_search,
    inverse_frequencies,
    search,
    weigh_terms,
)
from rag.types import Chunk, Document, Filter


class PaperStore:
    """Three chunks with scores written down, so that the mix can be worked out by hand."""

    encoder_name, dimension = "paper", 2
    bm25 = {"a": 6.0, "b": 3.0}
    cosine = {"a": 0.1, "b": 0.9, "c": 0.5}
    text = "甲乙丙"
    languages = {"x": "", "y": ""}

    def count(self):
        return 3

    def documents(self):
        return tuple(Document(name, name, "", (), "", "", language=self.languages[name]) for name in ("x", "y"))

    def document(self, document_id):
        return Document(document_id, document_id, self.text, (), "", "")

    def chunks(self, ids):
        places = {"a": ("x", 0), "b": ("x", 1), "c": ("y", 2)}
        return [Chunk(id, places[id][0], places[id][1], places[id][1] + 1, None, (), 1) for id in ids]

    def document_frequencies(self, terms):
        return [1 for _ in terms]

    def lexical(self, terms, top_k, documents=None):
        return sorted(((id, score) for id, score in self.bm25.items() if self._allowed(id, documents)), key=lambda pair: -pair[1])

    def dense(self, vector, top_k, documents=None):
        return sorted(((id, score) for id, score in self.cosine.items() if self._allowed(id, documents)), key=lambda pair: -pair[1])

    def _allowed(self, id, documents):
        return documents is None or ("y" if id == "c" else "x") in documents

    def cosines(self, vector, ids):
        return [self.cosine[id] for id in ids]


class PaperEncoder:
    name, revision, dimension, max_tokens = "paper", "1", 2, None

    def encode(self, texts, *, query=False, progress=None):
        return np.array([[1.0, 0.0]] * len(texts), dtype=np.float32)


def test_scores_mix_as_written():
    # Two terms with the same idf, so each has half of the total; the store's BM25 is taken as it comes.
    found = explained_search(PaperStore(), PaperEncoder(), "wind tide")
    mix = mix_for("en", "en")
    alike = {one.hit.chunk.id: mix.likeness * one.likeness for one in found}  # no sentence has either word
    assert [(one.hit.chunk.id, pytest.approx(one.hit.fused)) for one in found] == [
        ("a", 6 + mix.dense * 0.1 + alike["a"]),
        ("b", 3 + mix.dense * 0.9 + alike["b"]),
        ("c", mix.dense * 0.5 + alike["c"]),
    ]
    assert [one.hit.fused for one in found] == [hit.fused for hit in search(PaperStore(), PaperEncoder(), "wind tide")]


class ReadStore(PaperStore):
    """Three passages that BM25 and cosine cannot tell apart."""

    bm25, cosine = {"a": 0.5, "b": 0.5, "c": 0.5}, {"a": 0.3, "b": 0.3, "c": 0.3}
    texts = ("The harbour froze. The ferry sank.", "The harbour froze and the ferry ran.", "Boats crossed the bay in winter.")

    def document(self, document_id):
        return Document(document_id, document_id, "".join(f"{text:<60}" for text in self.texts), (), "", "")

    def chunks(self, ids):
        return [Chunk(id, "x", 60 * (at := "abc".index(id)), 60 * at + len(self.texts[at]), None, (), 9) for id in ids]


def test_the_best_are_read_sentence_by_sentence_and_word_by_word():
    found = {one.hit.chunk.id: one for one in explained_search(ReadStore(), PaperEncoder(), "harbour ferry")}
    assert list(found) == ["b", "a", "c"]  # said in one sentence, in two, in other words
    assert (found["a"].sentence, found["b"].sentence, found["c"].sentence) == (pytest.approx(0.5), pytest.approx(1.0), 0.0)
    assert found["a"].likeness == pytest.approx(1.0, abs=1e-5) and 0 < found["c"].likeness < 0.9
    assert found["b"].terms == {"harbour": pytest.approx(0.5), "ferri": pytest.approx(0.5)} and found["c"].terms == {}
    for one in found.values():
        assert one.hit.fused == pytest.approx(one.mix.fused(0.5, 0.3, one.sentence, one.likeness))


class HeadedStore(ReadStore):
    """The same under headings."""

    headings = {"a": ("Report", "Harbour ferry traffic (in thousands)"), "b": ("Report", "Harbour"), "c": ("Weather", "(in thousands)")}

    def chunks(self, ids):
        return [replace(chunk, section=self.headings[chunk.id]) for chunk in super().chunks(ids)]


def test_a_heading_that_the_question_names_counts_by_the_share_that_is_named():
    found = {one.hit.chunk.id: one.bonus for one in explained_search(HeadedStore(), PaperEncoder(), "harbour ferry traffic winter")}
    idf = math.log1p((3 - 1 + 0.5) / 1.5)
    assert found["a"] == pytest.approx(HEADING_BONUS * 3 * idf / (3 * idf + BRIEF))
    assert found["b"] == pytest.approx(HEADING_BONUS * idf / (idf + BRIEF)) and found["c"] == 0
    # units are no heading, the one above them is; a statement is known by its other name
    assert explained_search(HeadedStore(), PaperEncoder(), "weather")[0].hit.chunk.id == "c"


def test_a_named_report_is_read_even_where_others_crowd_it_out():
    store = PaperStore()
    store.lexical = lambda weights, top_k, documents=None: [("c", 0.1)] if documents == {"y"} else [("a", 6.0), ("b", 3.0)]
    store.dense = lambda vector, top_k, documents=None: []
    assert [hit.chunk.id for hit in search(store, PaperEncoder(), "wind")] == ["a", "b"]
    assert "c" in [hit.chunk.id for hit in search(store, PaperEncoder(), "wind", named=frozenset({"y"}))]


class LongStore(PaperStore):
    """Ninety chunks, each other one a copy, of which words and meaning each know their best."""

    texts = [f"Ferry {number // 2} reached harbour {number // 2} in the year {1900 + number // 2}." for number in range(90)]

    def document(self, document_id):
        return Document(document_id, document_id, "".join(f"{text:<60}" for text in self.texts), (), "", "")

    def chunks(self, ids):
        return [Chunk(id, "x", 60 * int(id), 60 * int(id) + len(self.texts[int(id)]), None, (), 9) for id in ids]

    def lexical(self, terms, top_k, documents=None):
        return sorted(((f"{number:02}", number * 37 % 90 / 90) for number in range(90)), key=lambda pair: -pair[1])[:top_k]

    def dense(self, vector, top_k, documents=None):
        return sorted(((f"{number:02}", number * 53 % 90 / 90) for number in range(90)), key=lambda pair: -pair[1])[:top_k]

    def cosines(self, vector, ids):
        return [int(id) * 53 % 90 / 90 for id in ids]


@pytest.mark.parametrize("reranker", [None, lambda question, texts: [-len(text) for text in texts]])
def test_the_first_hits_do_not_depend_on_how_many_are_asked_for(reranker):
    def ids(count):
        return [hit.chunk.id for hit in search(LongStore(), PaperEncoder(), "harbour ferry", candidates=40, top_k=count, reranker=reranker)]

    longest = ids(90)
    assert len(longest) == len(set(longest)) > 40
    for count in (1, 3, 12, 29, 31, 50):
        assert ids(count) == longest[:count]


def test_of_a_report_in_two_languages_the_one_in_the_questions_comes_first():
    names = CITIES[:15]
    store = PaperStore()
    store.languages = {"x": "zh", "y": "en"}
    texts = {"x": "、".join(names) + " 都有电站。", "y": ", ".join(names) + " have plants, all of them."}
    store.document = lambda name: Document(name, name, texts[name], (), "", "", language=store.languages[name])
    assert [hit.chunk.id for hit in search(store, PaperEncoder(), "wind tide")] == ["c", "a", "b"]
    texts["x"] = "、".join(names[:9]) + " 以及 Kazan、Perm、Lodz、Brno、Pecs 都有电站。"
    assert [hit.chunk.id for hit in search(store, PaperEncoder(), "wind tide")] == ["a", "b", "c"]


def test_a_chinese_word_counts_as_one_word():
    shares = weigh_terms(PaperStore(), "chiplet 挑战")  # all terms are equally rare
    assert shares["chiplet"] == pytest.approx(0.5) and sum(shares[term] for term in ("挑", "挑战", "战")) == pytest.approx(0.5)


def test_the_share_of_the_best_sentence():
    shares = {"云计": 0.25, "计算": 0.25, "成本": 0.5}
    assert best_sentence(shares, "云计算发展很快。成本下降。") == 0.5
    assert best_sentence(shares, "云计算的成本下降。") == 1.0
    assert best_sentence(shares, "") == best_sentence({}, "云计算。") == 0.0


def test_a_follow_up_is_read_beside_the_turn_before():
    plain, carried = (
        {one.hit.chunk.id: one.likeness for one in explained_search(ReadStore(), PaperEncoder(), "ferry", carried=before)}
        for before in ("", "winter bay boats")
    )
    assert carried["c"] > plain["c"] and carried["a"] < plain["a"] == pytest.approx(1.0, abs=1e-5)


def test_boosts_turn_bm25_into_a_share_of_the_total_idf():
    store = PaperStore()
    asked = {}
    store.lexical = lambda weights, top_k, documents=None: asked.update(weights) or []
    search(store, PaperEncoder(), "wind tide")
    idf = math.log1p((3 - 1 + 0.5) / 1.5)
    assert asked == {"wind": pytest.approx(0.5 / idf), "tide": pytest.approx(0.5 / idf)}


def test_named_report_is_preferred_and_filter_is_strict():
    plain = {hit.chunk.id: hit.fused for hit in search(PaperStore(), PaperEncoder(), "wind")}
    named = {hit.chunk.id: hit.fused for hit in search(PaperStore(), PaperEncoder(), "wind", named=frozenset({"y"}))}
    assert named["c"] - plain["c"] == pytest.approx(NAMED_REPORT_BONUS) and named["a"] == plain["a"]
    assert [hit.chunk.id for hit in search(PaperStore(), PaperEncoder(), "wind", only=Filter(reports=("y",)))] == ["c"]
    assert search(PaperStore(), PaperEncoder(), "wind", only=Filter(reports=("nowhere",))) == []


def test_a_filter_names_reports_whole_or_up_to_a_dot():
    reports = [Document(name, name, "", (), "", "") for name in ("damo-2023.zh", "damo-2023.en.v2", "damo-20234", "huawei")]

    def named(*names):
        return [report.id for report in Filter(names).passing(reports)]

    assert named("damo-2023") == ["damo-2023.zh", "damo-2023.en.v2"] and named("damo-2023.en") == ["damo-2023.en.v2"]
    assert named("huawei", "damo-2023.zh") == ["damo-2023.zh", "huawei"] and named("damo") == [] and len(named()) == 4


def test_a_follow_up_gives_its_own_words_half_and_shares_the_rest():
    assert weigh_terms(PaperStore(), "tide") == {"tide": pytest.approx(1.0)}
    assert weigh_terms(PaperStore(), "tide", "wind sun moon") == pytest.approx(
        {"tide": 0.5 + 0.125, "wind": 0.125, "sun": 0.125, "moon": 0.125}
    )
    assert inverse_frequencies(PaperStore(), ["tide"]) == {"tide": pytest.approx(math.log1p(2.5 / 1.5))}


def test_a_mix_is_a_line_in_both_scores():
    assert Mix(0.5).fused(0.6, 0.4) == pytest.approx(0.8)
    assert Mix(0.5, 2.0, -0.1).fused(0.6, 0.4) == pytest.approx(1.5)
    assert Mix(0.5, 2.0, -0.1, sentence=0.5, likeness=1.5).fused(0.6, 0.4, 0.2, 0.8) == pytest.approx(4.1)


def test_reports_in_the_other_language_are_scored_by_a_mix_of_their_own():
    store = PaperStore()
    store.languages = {"x": "zh", "y": "en"}
    found = {one.hit.chunk.id: one for one in explained_search(store, PaperEncoder(), "wind tide")}
    assert [found[id].translated for id in "abc"] == [True, True, False]
    assert found["a"].mix == mix_for("en", "zh") and found["c"].mix == mix_for("en", "en")
    for one in found.values():
        assert one.hit.fused == pytest.approx(one.mix.fused(one.hit.lexical, one.hit.dense, one.sentence, one.likeness) + one.bonus)


def test_a_report_in_an_unknown_language_counts_as_the_questions():
    assert mix_for("zh", "") == mix_for("zh", "zh") == mix_for("zh", "ja")


def test_an_estimated_weight_replaces_the_built_in_one():
    store = PaperStore()
    store.dense_weight = 0.125
    found = {one.hit.chunk.id: one.mix for one in explained_search(store, PaperEncoder(), "wind tide")}
    assert found["a"] == replace(mix_for("en", "en"), dense=0.125)
    own, across = mix_for("en", "en"), mix_for("en", "zh")
    assert mix_for("en", "zh", own.dense / 2).dense == pytest.approx(across.dense / 2)
    assert mix_for("en", "zh", own.dense * 2) == across  # more within a language is no reason for more across


def test_bm25_in_memory_counts_by_shares():
    scores = bm25([["sun", "moon"], {"moon": 0.5}, []], [["sun", "sun"], ["moon", "sea"]])
    assert scores[0, 0] > scores[0, 1] > 0 and scores[1].tolist() == [0.0, pytest.approx(0.5 * 2.2 / (1 + 1.2))]
    assert not scores[2].any()


class WordEncoder:
    """Knows which chunk a text comes from (by a number in it) as far as `skill` goes."""

    name, revision, dimension, max_tokens = "words", "1", 64, None

    def __init__(self, skill):
        self.skill = skill

    def encode(self, texts, *, query=False, progress=None):
        rng = np.random.default_rng(1)
        rows = rng.standard_normal((len(texts), 64)).astype(np.float32)
        for row, text in zip(rows, texts, strict=True):
            at = next((int(word[1:]) for word in text.replace(".", " ").split() if word[0] == "k" and word[1:].isdecimal()), None)
            if at is not None:
                row += self.skill * 8 * np.random.default_rng(at).standard_normal(64)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_estimate_trusts_an_encoder_as_far_as_it_knows():
    rng = np.random.default_rng(3)
    common = [f"word{i}" for i in range(30)]
    texts = [f"k{i} {' '.join(rng.choice(common, 12))} k{i} k{i} k{i} k{i} k{i} end." for i in range(60)]
    weights = [estimate_dense_weight(texts, WordEncoder(skill).encode(texts), WordEncoder(skill)) for skill in (0, 1)]
    assert weights[0] < weights[1] and set(weights) <= set(GRID)
    assert estimate_dense_weight(texts[:10], np.zeros((10, 64)), WordEncoder(1)) is None


def test_a_reranker_decides_the_order_of_the_best():
    read = []

    def by_length(question, texts):
        read.append((question, list(texts)))
        return [0.1 * i for i in range(len(texts))]

    hits = search(PaperStore(), PaperEncoder(), "wind", top_k=2, reranker=by_length)
    assert [hit.chunk.id for hit in hits] == ["c", "b"] and hits[0].fused == pytest.approx(0.2)
    assert read == [("wind", ["甲", "乙", "丙"])] and RERANKED >= 3


@pytest.mark.parametrize("saved_by", ["transformers", "sentence_transformers"])
def test_a_cross_encoder_from_a_folder_decides_the_order(tmp_path, saved_by):
    """A real one, small and untrained, as the hub keeps them; what it ought to say is computed without sentence-transformers."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "wind", "甲", "乙", "丙"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    torch.manual_seed(2)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 16}
    model = transformers.BertForSequenceClassification(
        transformers.BertConfig(vocab_size=len(words), num_labels=1, initializer_range=1.0, **size)
    ).eval()
    tokenizer = transformers.BertTokenizerFast(str(tmp_path / "vocab.txt"))
    folder = tmp_path / "reranker"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if saved_by == "sentence_transformers":
        sentence_transformers.CrossEncoder(str(folder), local_files_only=True, device="cpu").save_pretrained(str(tmp_path / "again"))
        folder = tmp_path / "again"
    with torch.no_grad():
        logits = model(**tokenizer(["wind"] * 3, ["甲", "乙", "丙"], return_tensors="pt")).logits[:, 0]
    expected = dict(zip("甲乙丙", torch.sigmoid(logits).tolist(), strict=True))
    best = sorted(expected, key=lambda text: -expected[text])
    found = explained_search(PaperStore(), PaperEncoder(), "wind", reranker=open_reranker(str(folder)))
    assert [one.hit.text for one in found] == best
    assert best != ["甲乙丙"[hit.chunk.start] for hit in search(PaperStore(), PaperEncoder(), "wind")]
    assert [one.reranked for one in found] == pytest.approx([expected[text] for text in best], abs=1e-5)
    assert [one.hit.fused for one in found] == [one.reranked for one in found]
