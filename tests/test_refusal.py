"""Words for a refusal: in both languages, with what was asked, and never with more than was checked."""

import re
import string
from typing import get_args

import pytest

from rag.answer.refusal import WORDS, Code, Refusal


@pytest.mark.parametrize("code", get_args(Code))
def test_every_code_has_words_in_both_languages_that_name_the_same(code):
    names = [{name for _, name, _, _ in string.Formatter().parse(WORDS[language][code]) if name} for language in ("zh", "en")]
    assert names[0] == names[1] <= {"value"} and bool(names[0]) == code.endswith("_in_evidence")
    told = [Refusal(code, {"value": "XQ-77"}).words(language) for language in ("zh", "en")]
    assert re.search("[\u4e00-\u9fff]", told[0]) and told[0].endswith("。") and told[1].isascii() and told[1].endswith(".")
    assert all(("XQ-77" in words) == bool(names[0]) and "{" not in words for words in told)


def test_words_tell_what_was_looked_at_and_not_what_the_reports_hold():
    for words in WORDS.values():
        assert not any(re.search(r"报告(?:没有|里没有|不)|reports? (?:do|does) not", sentence) for sentence in words.values())


def test_another_language_is_told_in_english_and_braces_in_a_value_are_text():
    assert Refusal("nothing_found").words("fr") == Refusal("nothing_found").words("en")
    assert "{0.__class__}" in Refusal("name_not_in_evidence", {"value": "{0.__class__}"}).words("en")
