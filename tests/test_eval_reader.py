"""The reader measured alone: rows as they are loaded, windows over long passages, and each figure by hand."""

import json

import pytest

from eval.reader import Outcome, Row, covered, figures, groups, load_rows, outcome, run_reader
from rag.errors import UsageError
from rag.search.reader import FOLDER, Reading
from rag.types import Turn

QUAY = "The quay was built in 1931. It holds nine cranes. Nobody lives there."


def question(text="How many cranes are there?", passage=QUAY, **fields):
    return {
        "question": text,
        "passage": passage,
        "answerable": True,
        "evidence": ["It holds nine cranes."],
        "support": [],
        "kind": "number",
    } | fields


def written(tmp_path, *rows):
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8")
    return file


class SharedWords:
    """Goes by the words that question and sentence share."""

    revision = "words"

    def read(self, asked, passages, history=()):
        shared = [tuple(float(len(words(asked) & words(sentence))) for sentence in passage.sentences) for passage in passages]
        return [Reading(max(scores) - 1.5, scores) for scores in shared]

    def support(self, claim, evidence):
        share = max(len(words(claim) & words(sentence)) / len(words(claim)) for sentence in evidence)
        return share, 0.0, 1 - share


def words(text):
    return set(text.lower().strip(".?").split())


def test_rows_keep_their_form_and_mark_the_sentences_of_the_answer(tmp_path):
    talk = question("And in 1931?", history=[{"question": "How big is it?", "answer": "Big."}], answerable=False, evidence=[], why="year")
    claim = {"claim": "码头有九台起重机。", "passage": QUAY, "label": "unsupported", "how": "number"}
    first, second, third = load_rows([written(tmp_path, question(support=["The quay was   built in 1931."]), talk, claim)])
    assert (first.gold, first.pair, first.sentences[1]) == (frozenset({0, 1}), "en-en", "It holds nine cranes.")
    assert (second.history, second.reason, second.gold) == ((Turn("How big is it?", "Big."),), "year", frozenset())
    assert (third.label, third.how, third.pair, third.answerable) == ("unsupported", "number", "zh-en", None)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"passage": QUAY, "answerable": True}, "'question' is missing"),
        (question(passage=" "), "passage is empty"),
        (question(answerable="yes"), "neither true nor false"),
        ({"claim": "x", "passage": QUAY, "label": "true"}, "label is 'true'"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path, row, told):
    with pytest.raises(UsageError, match=f"rows.jsonl:2.*{told}"):
        load_rows([written(tmp_path, question(), row)])


def test_no_row_and_no_file_are_told(tmp_path):
    with pytest.raises(UsageError, match="no row"):
        load_rows([written(tmp_path)])
    with pytest.raises(UsageError, match="cannot be read"):
        load_rows([tmp_path / "none.jsonl"])


def test_a_quote_marks_sentences_by_their_greater_part():
    spans = [(0, 27), (28, 49), (50, 69)]
    assert covered(QUAY, spans, ["built in 1931. It holds nine cranes."]) == {0, 1}
    assert covered(QUAY, spans, ["1931. It holds nine cranes.", "not there"]) == {1}


def test_a_row_is_read_and_its_best_sentence_told(tmp_path):
    (row,) = load_rows([written(tmp_path, question("It holds how many cranes?"))])
    found = outcome(SharedWords(), row)
    assert found.best == 1 and found.best in row.gold and found.answers == pytest.approx(1 / (1 + 2.718281828**-1.5))


@pytest.mark.parametrize(("claim", "alarm"), [("It holds nine cranes.", False), ("It holds ten lamps.", True)])
def test_a_claim_is_called_unsupported_from_one_half_on(tmp_path, claim, alarm):
    (row,) = load_rows([written(tmp_path, {"claim": claim, "passage": QUAY, "label": "supported"})])
    found = outcome(SharedWords(), row)
    assert found.alarm is alarm and sum(found.support) == pytest.approx(1)


def asked(answers, answerable, best=0, gold=(0,), **fields):
    row = Row("Where is it?", QUAY, ((0, 27),), frozenset(gold if answerable else ()), answerable, **fields)
    return Outcome(row, answers, best)


def claimed(unsupported, label, alarm, how=""):
    return Outcome(Row("It is 桥。桥。", QUAY, ((0, 27),), label=label, how=how), support=(1 - unsupported, 0.0, unsupported), alarm=alarm)


OUTCOMES = [
    asked(0.9, True, kind="place"), asked(0.4, True, best=1, kind="place"), asked(0.5, False, kind="place", reason="year"),
    asked(0.2, False, kind="why", reason="scope"),
    claimed(0.1, "supported", False, "summary"), claimed(0.7, "supported", True, "summary"), claimed(0.6, "unsupported", True, "number"),
    claimed(0.8, "unsupported", True, "number"), claimed(0.3, "unsupported", False, "year"), claimed(0.9, "partial", True, "year"),
]  # fmt: skip


def test_figures_by_hand():
    found = figures(OUTCOMES)
    assert {name: figure["value"] for name, figure in found.items()} == {
        "auroc": 0.75,  # of four pairs the one of .4 and .5 stands wrong
        "best_sentence": 0.5,
        "calibration_error": pytest.approx((0.1 + 0.6 + 0.5 + 0.2) / 4, abs=1e-4),
        "caught": pytest.approx(2 / 3, abs=1e-4),
        "false_alarms": 0.5,
        "caught_at_08": pytest.approx(1 / 3, abs=1e-4),  # no alarm may be false: only .8 stands above .7
    }
    assert (found["auroc"]["n"], found["caught"]["n"]) == (4, 3) and found["best_sentence"]["low"] == 0.0


def test_groups_hold_a_reason_against_all_answerable_and_a_manner_against_all_supported():
    found = groups(OUTCOMES)
    assert list(found) == ["pair", "kind", "turn", "reason", "how"]
    assert {name: told["auroc"]["value"] for name, told in found["reason"].items()} == {"scope": 1.0, "year": 0.5}
    assert found["how"]["number"]["caught_at_08"] == {"value": 0.5, "n": 4}
    assert found["how"]["summary"]["false_alarms"]["value"] == 0.5 and "caught" not in found["how"]["summary"]
    assert found["pair"]["en-en"]["auroc"]["n"] == 4 and found["pair"]["zh-en"]["caught"]["n"] == 3
    assert "auroc" not in found["kind"]["why"]


@pytest.mark.skipif(not (FOLDER / "model.onnx").exists(), reason="the reader's weights are not here")
def test_the_shipped_reader_is_measured(tmp_path, capsys):
    claims = [{"claim": "The quay has nine cranes.", "passage": QUAY, "label": "supported", "how": "paraphrase"}]
    file = written(tmp_path, question(), question("谁是市长？", answerable=False, evidence=[], why="scope"), *claims)
    assert run_reader([file], as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["questions"], told["claims"], told["figures"]["auroc"]["n"]) == (2, 1, 2)
    assert told["auroc"] in (0.0, 0.5, 1.0) and told["best_sentence"] in (0.0, 1.0)
    assert sum(each["n"] for each in told["calibration"]) == 2
    assert run_reader([file]) == 0 and "false_alarms" in capsys.readouterr().out
