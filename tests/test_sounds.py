"""Names by their sound, both ways, as far as the corpus has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.lexical import terms
from rag.sounds import TABLE, chinese_names, latin_names, letters_of, persons, syllables_of


def holding(*texts):
    there = [set(terms(text)) for text in texts]
    return lambda names: {name: sum(name in chunk for chunk in there) for name in names}


TOWNS = holding("火车从哥德堡开往林迪斯法恩，途经鹿特丹，科瓦尔斯基在场。", "他们的马拉松从这里出发，一人得了银牌。")
PEOPLE = holding("吴嘉敏与沈括谈了话。", "天空下起了雨。")
ENGLISH = holding("The train runs from Lindisfarne to Rotterdam, past Tyne.", "Professor Wu Jiamin met Luke.")


@pytest.mark.parametrize(("name", "found"), [("Kowalski", "科瓦尔斯基"), ("Lindisfarne", "林迪斯法恩"), ("Göteborg", "哥德堡")])
def test_a_latin_name_is_found_as_it_sounds(name, found):
    assert found in chinese_names(name, TOWNS)


def test_what_the_corpus_lacks_is_not_made_up():
    assert chinese_names("Rotterdam", PEOPLE) == {} and latin_names("鹿特丹", holding("Nothing here.")) == {}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["Wu", "Jiamin"], ["吴嘉敏"]),
        (["Jiamin", "Wu"], ["吴嘉敏"]),
        (["Shen", "Kuo"], ["沈括"]),
        (["Wu", "Kuo"], []),
        (["Smith", "Kuo"], []),
    ],
)
def test_a_person_in_pinyin_in_either_order(words, found):
    assert list(persons(words, PEOPLE)) == found


@pytest.mark.parametrize(("run", "found"), [("林迪斯法恩", "lindisfarn"), ("卢克", "luke"), ("泰恩", "tyne"), ("嘉敏", "jiamin")])
def test_a_chinese_name_is_found_as_it_is_spelled(run, found):
    assert found in latin_names(run, ENGLISH)


def test_pinyin_is_cut_into_syllables():
    assert syllables_of("zhangwei") == ("zhang", "wei") and syllables_of("bridge") == syllables_of("") == ()


def test_letters_are_plain():
    assert letters_of("Łódź") == "lodz" and letters_of("Xerxes") == "xerkses"


@given(st.text(max_size=15))
def test_any_text_may_be_asked_for(text):
    for found in (chinese_names(text, TOWNS), latin_names(text, ENGLISH), persons([text], PEOPLE)):
        assert all(0 < probability <= 1 for probability in found.values())


def test_the_table_is_small():
    assert TABLE.stat().st_size < 60_000
