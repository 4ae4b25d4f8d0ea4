"""The question set loads whole or names the bad line, and the bundled one keeps what its README promises."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from eval.data import Exchange, Place, load_questions
from eval.metrics import answer_hit
from rag.config import bundled
from rag.errors import UsageError

BUNDLED = Path(__file__).parent.parent / "eval" / "questions.jsonl"


@pytest.fixture(scope="module")
def questions():
    return load_questions(BUNDLED)


@pytest.fixture(scope="module")
def reports():
    return {file.stem: file.read_text(encoding="utf-8") for file in bundled("corpus").glob("*.md")}


def write(tmp_path, *lines):
    file = tmp_path / "q.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    return file


def test_a_file_of_bare_questions_is_enough(tmp_path):
    first, second = load_questions(
        write(tmp_path, {"question": "风从哪里来？"}, "", {"question": "Where to?", "history": [{"question": "Hm?"}]})
    )
    assert (first.id, first.language, first.answerable, first.gold, first.kind) == ("1", "zh", None, (), "other")
    assert (second.id, second.language, second.history) == ("3", "en", (Exchange("Hm?"),))


def test_all_fields_are_read(tmp_path):
    line = {
        "id": "a",
        "question": "几成？",
        "match": "any",
        "answers": [["30%", "三成"]],
        "gold": [{"document": "d", "quote": "占 30%", "item": 1}],
    }
    (question,) = load_questions(write(tmp_path, line))
    assert question.answerable is True
    assert question.answers == (("30%", "三成"),)
    assert question.gold == (Place("d", "占 30%", "", 1),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "must be an object"),
        ("[" * 100_000, "nested too deeply"),
        ({"id": "x"}, '"question" is missing'),
        ({"question": " "}, "not empty"),
        ({"question": "q", "golds": []}, "'golds' is not a field"),
        ({"question": "q", "match": "some"}, "choose one of any, all"),
        ({"question": "q", "kind": "riddle"}, "choose one of number"),
        ({"question": "q", "answers": ["90%"]}, "list of accepted forms"),
        ({"question": "q", "answers": [[]]}, "list of accepted forms"),
        ({"question": "q", "gold": [{"document": "d"}]}, '"quote" is missing'),
        ({"question": "q", "gold": [{"document": "d", "quote": "w", "item": True}]}, "whole number"),
        ({"question": "q", "answerable": "no"}, "true or false"),
        ({"question": "q", "answerable": False, "answers": [["a"]]}, "drop one or the other"),
        ({"question": "q", "history": [{"answer": "a"}]}, '"question" is missing'),
        ({"question": "q", "id": "1"}, "used before"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        load_questions(write(tmp_path, {"question": "fine"}, line))
    assert "q.jsonl:2: " in str(caught.value)


def test_a_file_without_questions_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no question"):
        load_questions(write(tmp_path, ""))
    with pytest.raises(UsageError, match="cannot be read"):
        load_questions(tmp_path / "none.jsonl")


def test_the_bundled_set_has_its_shape(questions):
    kinds = Counter(question.kind for question in questions)
    answerable = [question for question in questions if question.answerable]
    assert len(answerable) >= 34
    assert kinds["unanswerable"] >= 10
    assert kinds["number"] >= 8 and kinds["entity"] >= 6 and min(kinds.values()) >= 2
    assert sum(question.language == "en" for question in answerable) >= 6
    assert sum(bool(question.history) for question in questions) >= 4
    assert sum(question.paraphrased for question in answerable) * 2 >= len(answerable)
    assert all(question.gold and question.answers for question in answerable)
    splits = Counter(question.split for question in questions)
    assert set(splits) == {"tune", "report"} and splits["tune"] == splits["report"]


def test_gold_quotes_stand_in_the_corpus_under_their_section(questions, reports):
    for question in questions:
        for place in question.gold:
            before, found, _ = reports[place.document].partition(place.quote)
            assert found, f"{question.id}: {place.quote!r} is not in {place.document}"
            assert place.section in re.findall(r"^#+ (.+)$", before, re.MULTILINE), f"{question.id}: no section {place.section!r} above"


def test_every_item_is_answered_by_the_gold_quotes_themselves(questions):
    for question in questions:
        if question.answers:
            said = "\n".join(place.quote for place in question.gold)
            assert answer_hit(said, question.answers, question.match), question.id


def test_the_two_halves_share_no_passage(questions, reports):
    passages = {"tune": set(), "report": set()}
    for question in questions:
        for place in question.gold:
            passages[question.split] |= {(place.document, line) for line in reports[place.document].splitlines() if place.quote in line}
    assert passages["tune"] and passages["report"]
    assert not passages["tune"] & passages["report"]
