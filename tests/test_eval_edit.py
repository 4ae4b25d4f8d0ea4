"""Questions are kept, mended and struck out, each step is on disk at once, and the page does it in a real browser."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eval.data import load_questions
from eval.edit import Desk, load_drafts, mended
from eval.make import UNCHECKED
from rag.errors import UsageError
from rag.reading.records import read_table

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ROOT = Path(__file__).resolve().parent.parent
LINES = [
    {"id": "a", "question": "How tall is the tower?", "kind": "number", "answerable": True, "answers": [["41 metres", "41 m"]],
     "gold": [{"document": "towers", "section": "Height", "quote": "The tower is 41 metres tall."}], "note": f"made by rule: {UNCHECKED}"},
    {"id": "b", "question": "Who built it?", "note": f"made by rule: {UNCHECKED}", "split": "tune"},
    {"id": "c", "question": "How tall is the Zantelium?", "answerable": False, "note": f"made by rule: {UNCHECKED}"},
]  # fmt: skip
WORDS = ("How high is the tower?", "41 metres | forty-one metres\n", "number", "yes", "The tower is 41 metres tall.")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "made.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)), encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "made.csv"
    path.write_text(
        f'id,team,question,answers,document,quote,note\na,A,Who?,Ann|Anna,d,Ann did.,"x; {UNCHECKED}"\nb,B,When?,,,,\n', "utf-8"
    )
    return path


def test_a_kept_question_is_on_disk_with_the_words_of_the_person(file):
    desk = Desk(file)
    assert desk.keep(0, *WORDS) == (1, "Saved.")
    first, second, third = load_questions(file)
    assert (first.question, first.answers) == ("How high is the tower?", (("41 metres", "forty-one metres"),))
    assert first.gold[0].section == "Height" and first.note == "made by rule: checked"
    assert (second.split, second.note, third.answerable) == ("tune", f"made by rule: {UNCHECKED}", False)
    assert "1 checked, 2 left, 0 struck out" in desk.progress(1)


def test_an_answer_that_the_sentence_lacks_is_pointed_out(file):
    assert Desk(file).keep(0, WORDS[0], "42 metres", *WORDS[2:])[1] == "Saved, but the sentence does not hold the answer."


def test_a_wrong_field_is_refused_and_nothing_is_written(file):
    before = file.read_bytes()
    with pytest.raises(UsageError, match='"question" is'):
        Desk(file).keep(0, " ", *WORDS[1:])
    with pytest.raises(UsageError, match="drop one or the other"):
        Desk(file).keep(0, *WORDS[:3], "no", WORDS[4])
    assert file.read_bytes() == before


def test_what_is_struck_out_leaves_the_file_and_can_come_back(file):
    desk = Desk(file)
    assert desk.strike(1) == (2, "Struck out: it is not in the file any more.")
    assert [question.id for question in load_questions(file)] == ["a", "c"]
    desk.strike(1)
    assert [question.id for question in load_questions(file)] == ["a", "b", "c"]
    for place, draft in enumerate(desk.drafts):
        desk.keep(place, draft.question.question, "", "other", "?", "")
    assert desk.progress(2).endswith("All are checked. The file is ready: rag eval made.jsonl")


def test_a_file_that_another_program_changed_is_left_alone(file):
    desk = Desk(file)
    file.write_text(json.dumps({"question": "mine"}), encoding="utf-8")
    with pytest.raises(UsageError, match="changed by another program"):
        desk.strike(0)
    assert [question.question for question in load_questions(file)] == ["mine"]


def test_a_table_keeps_its_columns(table):
    drafts = load_drafts(table)
    assert [draft.open for draft in drafts] == [True, False]
    desk = Desk(table)
    desk.keep(0, "Who was it?", "Ann\nBob", "entity", "yes", "Ann and Bob did.")
    row = read_table(table)[0]
    assert (row["team"], row["question"], row["answers"], row["kind"], row["note"]) == (
        "A",
        "Who was it?",
        "Ann\nBob",
        "entity",
        "x; checked",
    )
    assert load_questions(table)[0].gold[0].quote == "Ann and Bob did."
    assert mended(drafts[1], True, "When?", "", "other", "no", "").question.answerable is False


def test_a_person_goes_through_the_file_in_a_browser(file):
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium, or set CHROMIUM to its path")
    playwright = pytest.importorskip("playwright.sync_api")
    served = subprocess.Popen([sys.executable, "-m", "rag", "eval", "edit", str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        address = served.stdout.readline().split()[-1]
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 900, "height": 900})
            elsewhere = []
            page.on("request", lambda request: request.url.startswith((address, "data:", "blob:")) or elsewhere.append(request.url))
            page.goto(address)
            expect = playwright.expect
            question = page.get_by_label("Question", exact=True)
            expect(question).to_have_value("How tall is the tower?", timeout=30_000)
            question.fill("How high is the tower?")
            page.get_by_role("button", name="Keep").click()
            expect(page.get_by_text("Saved.")).to_be_visible(timeout=30_000)
            expect(question).to_have_value("Who built it?")
            page.get_by_role("button", name="Strike out").click()
            expect(question).to_have_value("How tall is the Zantelium?", timeout=30_000)
            question.fill(" ")
            page.get_by_role("button", name="Keep").click()
            expect(page.get_by_text("not empty")).to_be_visible(timeout=30_000)
            browser.close()
    finally:
        served.terminate()
        served.wait()
        served.stdout.close()
    assert [(each.id, each.question) for each in load_questions(file)] == [("a", "How high is the tower?"), ("c", LINES[2]["question"])]
    assert elsewhere == []
