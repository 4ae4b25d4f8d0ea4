"""A scripted assistant goes through a whole run: records, figures, failures apart, table and JSON."""

import json
from types import SimpleNamespace

import pytest

from eval import run as eval_run
from eval.data import load_questions
from eval.report import failures, figures, groups, table
from eval.run import ask, run
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


def test_figures_of_a_run(records):
    found = {figure.name: figure for figure in figures(records)}
    values = {name: round(figure.value, 3) for name, figure in found.items() if not name.startswith("latency")}
    assert values == {
        "recall_at_1": 0.333,  # three asked with gold, found at ranks 1, 2, 3
        "recall_at_5": 1.0,
        "recall_at_10": 1.0,
        "mrr": 0.611,
        "answer_hit": 0.5,  # right and next, of right, wrong, refused and next
        "evidence_covered": 0.333,
        "citation_precision": 0.5,
        "claims_cited": 1.0,
        "claims_supported": 1.0,
        "quotes_exact": 1.0,
        "refused": 0.333,
        "false_refusal": 0.25,
        "false_answer": 0.5,
        "refusing_balanced_accuracy": 0.625,
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
    assert lines[0]["hits"][0] == {"chunk": "c0", "document": "tower", "start": 0, "end": 6}
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
    assert set(names) == {"claims_cited", "claims_supported", "quotes_exact", "refused", "latency_p50_ms", "latency_p95_ms"}
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


def test_the_bundled_questions_get_an_index_of_their_own(tmp_path, capsys):
    config = Config(index_dir=str(tmp_path / "never-made"))
    assert run(config, None, tmp_path / "runs", as_json=True) == 0
    assert not (tmp_path / "never-made").exists()
    result = json.loads(capsys.readouterr().out)
    assert result["n"] >= 44 and result["errors"] == 0
    assert result["figures"]["quotes_exact"]["value"] == 1.0
