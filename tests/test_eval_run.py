"""A scripted assistant goes through a whole run: records, figures, failures apart, table and JSON."""

import json
import os
import re
import shutil
from types import SimpleNamespace

import pytest

from eval import run as eval_run
from eval.data import Question, load_questions
from eval.page import page
from eval.report import failures, figures, groups, ladder, predictions, refusals, risk, rung, table
from eval.run import Setting, ask, expectations, measure_all, run
from rag.config import Config
from rag.errors import UsageError
from rag.types import Answer, Chunk, Citation, Claim, Document, Hit

TEXT = "塔高三百米。塔在河的北岸，由石头砌成。鸽子住在塔顶。"


def gold(quote):
    return [{"document": "tower", "quote": quote}]


QUESTIONS = [
    {"id": "right", "question": "塔有多高？", "kind": "number", "answers": [["三百米"]], "gold": gold("塔高三百米")},
    {"id": "wrong", "question": "塔用什么砌成？", "kind": "entity", "answers": [["石头"]], "gold": gold("由石头砌成")},
    {"id": "refused", "question": "鸽子住哪儿？", "answers": [["塔顶"]], "gold": gold("鸽子住在塔顶")},
    {"id": "off", "question": "海有多深？", "answerable": False},
    {"id": "made-up", "question": "塔何时倒的？", "answerable": False},
    {"id": "broken", "question": "炸", "answers": [["x"]], "gold": gold("塔高三百米")},
    {"id": "next", "question": "它在哪？", "history": [{"question": "塔有多高？", "answer": "三百米。"}], "answers": [["北岸"]]},
]
SAYS = {
    "塔有多高？": "塔高三百米。",
    "塔用什么砌成？": "塔高三百米。",
    "塔何时倒的？": "鸽子住在塔顶。",
    "它在哪？": "塔在河的北岸，由石头砌成。",
}


class ScriptedAssistant:
    """Says what the script says, cites exactly where it stands, refuses the rest; finds the report's sentences in their order."""

    warning = ""

    def __init__(self):
        self.histories = []

    def ask(self, question, *, history=(), only=None):
        if question == "炸":
            raise RuntimeError("boom")
        self.histories.append([turn.question for turn in history])
        said = SAYS.get(question)
        if not said:
            return Answer(question, question, "zh", abstained=True, reason="not found")
        start = TEXT.index(said)
        citation = Citation(1, "tower", "塔", "", None, start, start + len(said), said, "chunk", 1.0)
        return Answer(question, question, "zh", (Claim(said, (1,), "supported"),), (citation,))

    def search(self, question, *, top_k=10, only=None):
        sentences = [part + "。" for part in TEXT.split("。") if part][:top_k]
        starts = [TEXT.index(sentence) for sentence in sentences]
        chunks = [Chunk(f"c{at}", "tower", at, at + len(text), None, (), 5) for at, text in zip(starts, sentences, strict=True)]
        return [Hit(chunk, text, 1.0, 1.0, 1.0) for chunk, text in zip(chunks, sentences, strict=True)]

    def documents(self):
        return (Document("tower", "塔", "", (), "0" * 64, "tower.md"),)

    def passage(self, citation):
        return SimpleNamespace(start=citation.start - min(3, citation.start), text=TEXT[max(0, citation.start - 3) :])


@pytest.fixture
def scripted(monkeypatch):
    assistant = ScriptedAssistant()
    monkeypatch.setattr(eval_run.Assistant, "open", lambda config: assistant)
    return assistant


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in QUESTIONS), encoding="utf-8")
    return path


@pytest.fixture
def records(scripted, file):
    return [ask(scripted, question) for question in load_questions(file)]


@pytest.mark.parametrize(
    ("wanted", "unmet"),
    [
        ({"mode": "overview"}, []), ({"mode": "talk"}, ["mode"]), ({"reports": ("a",)}, []), ({"reports": ("a", "b")}, ["reports"]), ({"parts": 2}, []),
        ({"parts": 3}, ["parts"]), ({"most": 2}, []), ({"most": 1}, ["most"]), ({"asks": 1}, []), ({"asks": 2}, ["asks"]),
        ({"without": ("rain",)}, []), ({"without": ("tide",)}, ["without"]),
    ],
)  # fmt: skip
def test_expectations_of_the_shape_of_an_answer(wanted, unmet):
    citations = tuple(Citation(n, "a", "A", f"Part {n}", None, 0, 4, "tide", "", 1.0) for n in (1, 2))
    claims = tuple(Claim("tide", (n,), "quoted", heading=f"Part {n}") for n in (1, 2))
    answer = Answer("q", "q", "en", claims, citations, mode="overview", suggestions=("And then?",))
    question = Question("1", "q", "en", **wanted)
    assert [name for name, failed in expectations(question, answer, "tide").items() if failed] == unmet
    assert expectations(Question("1", "q", "en"), answer, "tide") == {}


def test_figures_of_a_run(records):
    found = {figure.name: figure for figure in figures(records)}
    values = {name: round(figure.value, 3) for name, figure in found.items() if not name.startswith("latency")}
    assert values == {
        "recall_at_1": 0.333,  # three asked with gold, found at ranks 1, 2, 3
        "recall_at_5": 1.0,
        "recall_at_10": 1.0,
        "mrr": 0.611,
        "ndcg_at_10": 0.710,  # (1 + 1/log2(3) + 1/2) / 3
        "answer_hit": 0.5,  # right and next, of right, wrong, refused and next
        "token_f1": 0.353,  # of right 6/8, of wrong 0, of next 4/13
        "evidence_covered": 0.333,
        "citation_precision": 0.5,
        "first_cited": 0.333,
        "claims_cited": 1.0,
        "claims_supported": 1.0,
        "claim_recall": 1.0,
        "claim_precision": 1.0,
        "quotes_exact": 1.0,
        "dense_used": 1.0,
        "characters": 8.0,
        "sentences": 1.0,
        "refused": 0.333,
        "false_refusal": 0.25,
        "false_answer": 0.5,
        "refusing_balanced_accuracy": 0.625,
        "refusing_auroc": 0.625,
        "score_auroc": 0.625,
        "area_under_risk": 0.5,
    }
    assert found["false_refusal"].n == 4 and found["mrr"].n == 3
    assert all(figure.low <= figure.value <= figure.high for figure in found.values() if figure.low is not None)


def test_failures_are_sorted_by_how(records):
    assert failures(records) == {
        "wrong answer": ["wrong"],
        "wrongly refused": ["refused"],
        "wrongly answered": ["made-up"],
        "failed to be asked": ["broken"],
    }


def test_groups_hold_their_own_questions(records):
    by_kind = groups(records)["kind"]
    assert list(by_kind) == ["number", "entity", "other", "unanswerable"]
    assert [figure.value for figure in by_kind["entity"] if figure.name == "mrr"] == [0.5]
    assert [figure.value for figure in by_kind["unanswerable"] if figure.name == "right"] == [0.5]  # one refused, one made up
    assert "language" not in groups(records)  # all are Chinese


def test_history_reaches_the_assistant(scripted, records):
    assert scripted.histories[-1] == ["塔有多高？"]
    assert scripted.histories[0] == []


def test_a_run_leaves_records_and_figures(scripted, file, tmp_path, capsys):
    assert run(Config(llm_api_key="geheim"), file, tmp_path / "runs", as_json=True) == 5  # one question could not be asked
    printed = json.loads(capsys.readouterr().out)
    (folder,) = (tmp_path / "runs").iterdir()
    saved = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert printed["folder"] == str(folder)
    assert saved["figures"] == printed["figures"] and saved["errors"] == 1 and saved["n"] == 7
    assert saved["corpus"] == {"tower": "0" * 64} and "geheim" not in json.dumps(saved)
    lines = [json.loads(line) for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == [line["id"] for line in QUESTIONS]
    assert lines[5]["error"] == "RuntimeError: boom" and "figures" not in lines[5]
    assert lines[0]["hits"][0] == {
        "chunk": "c0", "document": "tower", "section": "", "start": 0, "end": 6, "lexical": 1.0, "dense": 1.0, "fused": 1.0,
        "shows": [0], "text": "塔高三百米。",
    }  # fmt: skip
    assert lines[0]["wanted"]["answers"] == [["三百米"]] and lines[0]["confidence"] == 1.0
    assert (folder / "report.html").is_file()
    assert {figure.name: figure.value for figure in figures(lines)}["mrr"] == pytest.approx(saved["figures"]["mrr"]["value"], abs=1e-4)


def test_the_table_names_figures_and_failures(scripted, file, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    run(Config(), file, tmp_path / "runs")
    shown = capsys.readouterr().out
    assert "answer_hit" in shown and "0.500" in shown and "95 % interval" in shown
    assert "wrongly answered (1): made-up" in shown and "failed to be asked (1): broken" in shown


def test_questions_alone_give_what_can_be_told(scripted, tmp_path):
    file = tmp_path / "bare.jsonl"
    file.write_text('{"question": "塔有多高？"}\n{"question": "海有多深？"}\n', encoding="utf-8")
    records = [ask(scripted, question) for question in load_questions(file)]
    names = {figure.name: figure.value for figure in figures(records)}
    assert set(names) == {
        "claims_cited", "claims_supported", "claim_recall", "claim_precision", "quotes_exact", "dense_used", "characters", "sentences",
        "refused", "latency_p50_ms", "latency_p95_ms",
    }  # fmt: skip
    assert names["refused"] == 0.5 and failures(records) == {}
    assert table(records)


def test_a_run_in_which_nothing_could_be_asked_still_ends(scripted, tmp_path, capsys):
    file = tmp_path / "all-broken.jsonl"
    file.write_text('{"question": "炸"}\n', encoding="utf-8")
    assert run(Config(), file, tmp_path / "runs") == 5
    assert "failed to be asked (1): 1" in capsys.readouterr().out


def test_a_gold_place_in_a_report_that_is_not_indexed_is_refused(scripted, tmp_path):
    file = tmp_path / "other.jsonl"
    file.write_text(json.dumps({"question": "q", "gold": [{"document": "bridge", "quote": "桥长一里"}]}), encoding="utf-8")
    with pytest.raises(UsageError, match="'bridge'; indexed are tower"):
        run(Config(), file, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_the_ladder_counts_only_who_took_the_step_before(records):
    assert ladder(records)["all"] == (3, 3, 1, 1, 1)  # right came through, wrong cites another place, refused names nothing near
    assert [rung(record) for record in records] == [5, 2, 2, 0, 0, 0, 0]


def test_risk_goes_up_to_what_was_answered(records):
    assert risk(records) == [(pytest.approx(4 / 6), 0.5)]  # wrong and made-up, of four answers of the same score to six questions


def coded(record):
    """The record as it is when a refusal carries a code and an answer a word of how sure it is."""
    if record["error"]:
        return record
    more = {"code": "no_such_year" if record["answerable"] else "<not_answered>"} if record["refused"] else {"confidence": "likely"}
    return {**record, "answer": {**record["answer"], **more}}


def test_refusals_are_counted_by_code_and_by_what_was_right(records):
    assert refusals(records) == {}  # without a code there is nothing to count by
    assert refusals([coded(record) for record in records]) == {"<not_answered>": (0, 1, 0), "no_such_year": (1, 0, 0)}
    unknown = [{**coded(record), "answerable": None} for record in records]
    assert refusals(unknown) == {"<not_answered>": (0, 0, 1), "no_such_year": (0, 0, 1)}


def test_predictions_are_of_answers_and_only_where_scores_are_shares(records):
    assert predictions(records) == [(1.0, True), (1.0, False), (1.0, False), (1.0, True)]  # right, wrong, made-up, next
    assert predictions([{**record, "confidence": 7.5} for record in records if not record["error"]]) == []


def test_the_page_draws_calibration_and_tells_refusals_by_code(records, tmp_path):
    run = {"questions": {"file": "own.jsonl"}, "corpus": {}, "started": "2026-01-01"}
    said = page(run, [coded(record) for record in records])
    assert "Expected calibration error 0.500 over 4 answers" in said  # all say 1, half are right
    assert "<td>0.9 to 1.0</td><td class=n>1.00</td><td class=n>0.50</td><td class=n>4</td>" in said
    assert "<td>likely</td><td class=n>0.50</td><td class=n>4</td>" in said
    assert "<code>&lt;not_answered&gt;</code></td><td class=n>1</td><td class=n>0</td><td class=n>1</td><td class=n>0</td>" in said
    bare = page(run, [{**record, "confidence": 7.5} for record in records if not record["error"]])
    assert "Calibration" not in bare and "Refusals by reason" not in bare


def test_one_half_can_be_asked_alone(scripted, tmp_path):
    file = tmp_path / "halves.jsonl"
    lines = [{"question": "塔有多高？", "split": "tune"}, {"question": "海有多深？", "split": "report"}]
    file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    _, saved, records = measure_all(Config(), file, tmp_path / "runs", Setting(split="report"))
    assert [record["question"] for record in records] == ["海有多深？"] and saved["setting"]["split"] == "report"
    with pytest.raises(UsageError, match="cannot be planted: choose one of encoder"):
        measure_all(Config(), file, tmp_path / "runs", Setting(plant="roses"))
    with pytest.raises(UsageError, match="is not a judge"):
        measure_all(Config(), file, tmp_path / "runs", Setting(judge="oracle"))


TOWERS = """---
id: towers
title: Towers of the coast
publisher: Harbour Office
year: 2021
language: en
---
# Towers of the coast

## Height

The old lighthouse is 41 metres tall. It was built of granite in 1870. The new mast is 96 metres tall and made of steel.

## Birds

Gulls nest on the mast in May. The keepers count them every week, since the birds warn of storms.
"""
TOWER_QUESTIONS = [
    {"id": "tall", "question": "How tall is the old lighthouse?", "kind": "number", "split": "tune", "answers": [["41 metres"]],
     "gold": [{"document": "towers", "quote": "The old lighthouse is 41 metres tall."}]},
    {"id": "nest", "question": "Which birds nest on the mast?", "kind": "entity", "split": "tune", "answers": [["gulls"]],
     "gold": [{"document": "towers", "quote": "Gulls nest on the mast in May."}]},
    {"id": "none", "question": "Who won the chess championship of Norway in 1999?", "split": "tune", "answerable": False},
]  # fmt: skip


@pytest.fixture
def towers(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "towers.md").write_text(TOWERS, encoding="utf-8")
    (tmp_path / "towers.jsonl").write_text("\n".join(map(json.dumps, TOWER_QUESTIONS)), encoding="utf-8")
    return tmp_path / "reports", tmp_path / "towers.jsonl"


def test_two_runs_give_the_same_records_but_for_times(towers, tmp_path):
    corpus, file = towers
    runs = [measure_all(Config(), file, tmp_path / "runs", Setting(), corpus)[2] for _ in range(2)]

    def untimed(record):
        return {name: value for name, value in record.items() if name != "milliseconds"} | {"answer": record["answer"] | {"timings_ms": {}}}

    assert [untimed(record) for record in runs[0]] == [untimed(record) for record in runs[1]]
    assert not any(record["error"] for record in runs[0])


def test_planted_faults_show(towers, tmp_path):
    corpus, file = towers

    def measured(plant):
        _, saved, records = measure_all(Config(), file, tmp_path / "runs", Setting(plant=plant), corpus)
        return saved, records, {figure.name: figure.value for figure in figures(records)}

    _, sound, figure = measured("")
    assert (figure["dense_used"], figure["tampering_caught"], figure["false_answer"]) == (1.0, 1.0, 0.0)
    saved, records, figure = measured("encoder")
    assert figure["dense_used"] == 0 and not any(record["error"] for record in records)
    assert "A fault was planted for this run: encoder" in page(saved, records)
    assert measured("verifier")[2]["tampering_caught"] == 0
    assert measured("abstention")[2]["false_answer"] == 1
    records = measured("rank-fusion")[1]
    assert records[0]["hits"][0]["fused"] == pytest.approx(2 / 61, abs=1e-4)
    assert sound[0]["hits"][0]["fused"] > 0.1
    assert measured("")[2]["tampering_caught"] == 1  # what was planted is gone


def test_the_page_needs_nothing_else_and_escapes_everything(scripted, tmp_path):
    file = tmp_path / "evil.jsonl"
    line = {"id": "<i>", "question": "<script>alert(1)</script>塔？", "answers": [["<b>"]], "gold": gold("塔<img src=x>"), "note": "</div>"}
    file.write_text(json.dumps(line, ensure_ascii=False), encoding="utf-8")
    folder, _, _ = measure_all(Config(), file, tmp_path / "runs", Setting())
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html and "<img" not in html and "&lt;script&gt;" in html and "&lt;img src=x&gt;" in html
    assert not re.search(r"""<[^>]*(?:src|href)=(?!"data:)|url\(|@import|https?://""", html)
    assert "default-src 'none'" in html


def test_the_page_tells_where_each_question_stopped(records, tmp_path):
    run = {"questions": {"file": "own.jsonl"}, "corpus": {"tower": "0"}, "started": "now", "setting": {}}
    html = page(run, records)
    for words in (
        "wrongly refused (1)",
        "Of 3 answerable questions 1 came through",
        "found, but its sentence was not chosen",
        "RuntimeError: boom",
    ):
        assert words in html, words


CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_the_page_opens_without_a_request_and_fits_the_screen(scripted, file, tmp_path, width, scheme):
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium, or set CHROMIUM to its path")
    playwright = pytest.importorskip("playwright.sync_api")
    folder, _, _ = measure_all(Config(), file, tmp_path / "runs", Setting())
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        asked, said = [], []
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("console", lambda message: said.append(message.text))
        opened.goto((folder / "report.html").as_uri())
        assert [url for url in asked if not url.startswith("data:")] == [(folder / "report.html").as_uri()] and said == []
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        trace = opened.locator("details", has_text="塔用什么砌成？")
        assert not trace.locator(".sides").is_visible()
        trace.locator("summary").click()
        boxes = [trace.locator(".side").nth(place).bounding_box() for place in (0, 1)]
        beside = boxes[0]["y"] == boxes[1]["y"]
        assert beside == (width > 700)  # wanted and given stand side by side where there is room
        browser.close()
