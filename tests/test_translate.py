"""Questions in the words of the other language: segmentation, names, phrases, and only what the corpus contains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.lexical import terms
from rag.search.translate import TABLE, concepts, lexical_terms, segment, shares_of, source_words, translations


def corpus(*texts):
    """(frequencies, count) of a small corpus of one text a chunk."""
    chunks = [set(terms(text)) for text in texts]
    return (lambda names: {name: sum(name in chunk for chunk in chunks) for name in names}), len(chunks)


def best(question, target, texts):
    frequencies, count = corpus(*texts)
    shares = shares_of(concepts(question, target, frequencies, count))
    return max(texts, key=lambda text: sum(share for term, share in shares.items() if term in terms(text)))


CHINESE = ["这座桥横跨大河，长两公里。", "存储器的价格今年下跌。", "医院为病人提供新的疫苗。"]
ENGLISH = [
    "The bridge over the river is two kilometres long.",
    "Memory prices fell this year.",
    "The hospital gives patients a new vaccine.",
]


@pytest.mark.parametrize("row", range(3))
def test_a_sentence_finds_its_translation(row):
    assert best(ENGLISH[row], "zh", CHINESE) == CHINESE[row]
    assert best(CHINESE[row], "en", ENGLISH) == ENGLISH[row]


def test_the_table_is_small():
    assert TABLE.stat().st_size < 5_000_000
    assert max(translations("医院"), key=translations("医院").get) == "hospit"
    assert translations("no such key") == {}


def test_words_are_cut_where_they_are_most_probable():
    costs = {"云": 9.0, "计": 9.0, "算": 9.0, "云计": 12.0, "计算": 6.0, "算法": 7.0, "法": 8.0}
    assert segment("云计算", costs.get) == ["云", "计算"]
    assert segment("计算法", costs.get) == ["计算", "法"]
    assert segment("鑫云", costs.get) == ["鑫", "云"]
    assert segment("", costs.get) == []


@given(st.text(alphabet="云计算医院疫苗鑫龘的", max_size=30))
def test_a_cut_loses_nothing(run):
    assert "".join(segment(run)) == run


@given(st.text(max_size=60))
def test_any_text_is_a_question(text):
    frequencies, count = corpus("医院 hospital 2030")
    for target in ("zh", "en"):
        shares = shares_of(concepts(text, target, frequencies, count))
        assert all(share > 0 for share in shares.values())


def test_names_and_numbers_stay_as_they_are():
    frequencies, count = corpus("到 2030 年，Kubernetes 将更普及。", "其他")
    assert {"2030", "kubernet"} <= set(shares_of(concepts("Will Kubernetes grow by 2030?", "zh", frequencies, count)))
    frequencies, count = corpus("Kubernetes will grow until 2030.", "others")
    assert {"2030", "kubernet"} <= set(shares_of(concepts("Kubernetes 到 2030 年会怎样？", "en", frequencies, count)))


def test_only_what_the_corpus_contains_is_looked_for_and_the_rest_still_counts():
    frequencies, count = corpus("The hospital is new.", "Nothing here.")
    found = {concept.source: concept for concept in concepts("医院的疫苗", "en", frequencies, count)}
    assert set(found["医院"].bag) == {"hospit"} and found["疫苗"].bag == {} and found["疫苗"].weight > 0
    shares = shares_of(concepts("医院的疫苗", "en", frequencies, count))
    assert set(shares) == {"hospit"} and 0 < shares["hospit"] < 1


def test_phrases_are_translated_whole():
    assert "how mani" in source_words("How many bridges are there?")
    assert "多少" in translations("how mani")
    assert lexical_terms("机器学习") == {"机器": pytest.approx(1 / 3), "器学": pytest.approx(1 / 3), "学习": pytest.approx(1 / 3)}
    assert lexical_terms("云") == {"云": 1.0}


def test_traditional_characters_are_the_same_words():
    assert source_words("醫院與疫苗") == source_words("医院与疫苗")


@pytest.mark.parametrize(
    ("question", "target", "text"),
    [
        ("What is septicemia?", "zh", "败血症是一种感染。"),
        ("Who won Super Bowl XLIX?", "zh", "第 49 届比赛的结果。"),
    ],
)
def test_what_the_table_lacks_is_found_by_its_spelling(question, target, text):
    frequencies, count = corpus(text, "另一个", "another one")
    assert any(set(concept.bag) & set(terms(text)) for concept in concepts(question, target, frequencies, count))


def test_a_concept_counts_once_by_its_best_way():
    frequencies, count = corpus("The hospital and clinic.", "Nothing.")
    found = concepts("医院", "en", frequencies, count)
    assert sum(concept.weight for concept in found) == pytest.approx(1.0)
    assert found[0].said(frozenset({"hospit"})) == 1.0 == found[0].said(frozenset({"hospit", "clinic"}))
