"""The question set loads whole or names the bad line, and the bundled one keeps what its README promises."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from eval.data import KINDS, Exchange, Place, load_questions
from eval.metrics import answer_hit, bare
from rag.config import bundled
from rag.errors import UsageError

BUNDLED = Path(__file__).parent.parent / "eval" / "questions.jsonl"


OF_SHAPE = ("overview", "takeaways", "section", "headings", "library", "talk", "conversation")
"""Kinds of question that no one sentence answers: what is wanted is a kind of answer, of the right reports, of a shape."""


@pytest.fixture(scope="module")
def every():
    return load_questions(BUNDLED)


@pytest.fixture(scope="module")
def questions(every):
    """Those about contents, which one sentence or list of the reports answers."""
    return tuple(question for question in every if question.kind not in OF_SHAPE)


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
        ({"question": "q", "mode": "song"}, "choose one of"),
        ({"question": "q", "reports": [1]}, "list of texts"),
        ({"question": "q", "parts": -1}, "whole number"),
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
    first = [question for question in questions if not question.history]
    answerable = [question for question in questions if question.answerable]
    assert len(questions) == 240 and len(first) == 200
    assert sum(question.kind == "unanswerable" for question in first) == 40
    assert kinds["number"] >= 30 and min(kinds[kind] for kind in KINDS if kind not in ("other", *OF_SHAPE)) >= 10
    assert sum(question.language == "en" for question in answerable) >= 60
    assert sum(question.paraphrased for question in questions) * 2 >= len(questions)
    assert all(question.gold and question.answers for question in answerable)
    assert all(question.note for question in questions if not question.answerable)
    for kind in kinds:
        splits = Counter(question.split for question in first if question.kind == kind)
        assert set(splits) == {"tune", "report"} and abs(splits["tune"] - splits["report"]) <= 1, kind
    assert Counter(question.split for question in questions) == {"tune": 120, "report": 120}


def test_questions_on_whole_reports_and_talk_say_what_they_expect(every):
    shaped = [question for question in every if question.kind in OF_SHAPE]
    kinds = Counter(question.kind for question in shaped)
    assert len(shaped) >= 120 and set(kinds) == set(OF_SHAPE) and min(kinds.values()) >= 12
    for question in shaped:
        assert question.answerable and question.split and (question.mode or question.reports or question.most), question.id
        assert set(question.reports) <= {"damo-2023.zh", "damo-2023.en", "huawei-cloud-2030.zh", "huawei-cloud-2030.en"}, question.id
        assert bool(question.history) == (question.kind == "conversation"), question.id
    for kind in OF_SHAPE:
        assert {question.language for question in shaped if question.kind == kind} == {"zh", "en"}, kind


def words_of(text, language):
    """Pairs of neighbouring Han characters, or English words of four letters and more."""
    if language == "zh":
        runs = re.findall("[\u4e00-\u9fff]+", text)
        return {run[place : place + 2] for run in runs for place in range(len(run) - 1)}
    return set(re.findall("[a-z]{4,}", text.lower()))


def test_paraphrased_questions_use_other_words_than_the_passage(questions, reports):
    shares = []
    for question in questions:
        places = [place for place in question.gold if place.document.endswith(question.language)]
        lines = [line for place in places for line in reports[place.document].splitlines() if place.quote in line]
        asked = words_of(question.question, question.language)
        if question.paraphrased:
            shares.append(len(asked & words_of("\n".join(lines), question.language)) / len(asked))
    assert sum(shares) / len(shares) < 0.2 and max(shares) < 0.5


def test_no_question_stands_twice(questions):
    assert len({(question.question, question.history) for question in questions}) == len(questions)


def test_gold_quotes_stand_in_the_corpus_under_their_section(questions, reports):
    for question in questions:
        for place in question.gold:
            before, found, _ = reports[place.document].partition(place.quote)
            assert found, f"{question.id}: {place.quote!r} is not in {place.document}"
            assert place.section in re.findall(r"^#+ (.+)$", before, re.MULTILINE), f"{question.id}: no section {place.section!r} above"


def test_every_item_is_answered_by_the_gold_quotes_of_either_language(questions):
    for question in questions:
        for language in ("zh", "en") if question.answers else ():
            quotes = [place for place in question.gold if place.document.endswith(language)]
            assert {place.item for place in quotes} == {place.item for place in question.gold}, question.id
            assert answer_hit("\n".join(place.quote for place in quotes), question.answers, question.match), f"{question.id} {language}"


def test_a_table_is_read_as_well(tmp_path):
    file = tmp_path / "own.csv"
    rows = 'question,answers,document,quote,answerable,team\n风从哪里来？,"东|东边\n海上",atlas,风从东边的海上来,,A\nWhere to?,,,,no,B\nJust asking,,,,,C\n'
    file.write_text(rows, encoding="gb18030")
    first, second, third = load_questions(file)
    assert first.answers == (("东", "东边"), ("海上",)) and first.gold == (Place("atlas", "风从东边的海上来"),) and first.answerable
    assert (second.answerable, second.kind) == (False, "unanswerable")
    assert (third.answerable, third.id) == (None, "4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frage\nWas?\n", "no column named question"),
        ("question,answerable\nWhat?,perhaps\n", "must be yes or no"),
        ("question,question\na,b\n", "two columns named 'question'"),
        ("\n", "no first row"),
    ],
)
def test_a_bad_table_is_named(tmp_path, text, message):
    file = tmp_path / "own.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        load_questions(file)


def test_the_two_halves_share_no_passage(questions, reports):
    passages = {"tune": set(), "report": set()}
    for question in questions:
        for place in question.gold:
            passages[question.split] |= {(place.document, line) for line in reports[place.document].splitlines() if place.quote in line}
    assert passages["tune"] and passages["report"]
    assert not passages["tune"] & passages["report"]


ORIGINALS = Path(__file__).parent.parent.parent / "shared" / "reports"


def test_the_set_over_the_originals_holds_no_more_than_places():
    questions = load_questions(BUNDLED.with_name("originals.jsonl"))
    assert len(questions) == 60 and sum(question.answerable is False for question in questions) == 10
    places = [place for question in questions for place in question.gold]
    assert all(len(bare(place.quote)) <= 20 and place.section for place in places)
    if not ORIGINALS.exists():
        pytest.skip(f"{ORIGINALS} is not there: the places are not looked up")
    texts = {file.stem: bare(file.read_text(encoding="utf-8")) for file in ORIGINALS.glob("*.txt")}
    for place in places:
        assert texts[place.document].count(bare(place.quote)) == 1, place


def test_the_talks_grow_turn_by_turn_and_their_answers_stand_in_the_corpus(reports):
    talks: dict[str, list] = {}
    for question in load_questions(BUNDLED.parent / "cases" / "talks.jsonl"):
        talks.setdefault(question.id.rpartition("-")[0], []).append(question)
    assert sorted(talks) == ["talk-en", "talk-mixed", "talk-zh"]
    everything = bare(" ".join(reports.values()))
    for turns in talks.values():
        assert [[told.question for told in turn.history] for turn in turns] == [[t.question for t in turns[:n]] for n in range(10)]
        assert any(not turn.answerable for turn in turns)
        assert all(bare(form) in everything for turn in turns for forms in turn.answers for form in forms)
