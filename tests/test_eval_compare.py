"""Two runs side by side, and a gate that shuts for what got worse and says where to look."""

import json

import pytest

from eval import compare as module
from eval.compare import compare, compare_runs, gate, load_run, verdicts
from eval.run import Setting
from rag.config import Config
from rag.errors import UsageError

RUN = {
    "questions": {"file": "q.jsonl"},
    "corpus": {"a": "0"},
    "config": {"top_k": 12},
    "setting": {"split": "tune"},
    "versions": {"python": "3"},
}


def record(number, hit, refused=False, answerable=True, score=1.0, error=""):
    figures = {"refused": float(refused)}
    if answerable:
        figures |= {"answer_hit": float(hit), "evidence_covered": float(hit)}
    return {
        "id": f"q{number}", "question": f"Q{number}?", "kind": "number", "language": "en", "split": "tune", "answerable": answerable,
        "paraphrased": False, "history": [], "error": error, "refused": refused, "confidence": score, "milliseconds": 5.0,
        "figures": figures, "hits": [{"fused": score}],
    }  # fmt: skip


BEFORE = [record(n, hit=n != 3) for n in range(10)] + [record(n, False, refused=True, answerable=False) for n in range(10, 14)]


def folder(path, records, run=RUN):
    path.mkdir()
    (path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    (path / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_what_moved_and_who_changed_sides():
    after = [record(n, hit=n not in (0, 1)) for n in range(10)] + BEFORE[10:]
    found = compare((RUN, BEFORE), (RUN | {"config": {"top_k": 4}}, after))
    change = {change.name: change for change in found.changes}["answer_hit"]
    assert (change.before, change.after, change.n, change.better, change.worse) == (0.9, 0.8, 10, 1, 2)
    assert change.low < -0.1 < change.high and change.drop == pytest.approx(0.1)
    assert found.sides == (("q0", "Q0?", "", "wrong answer"), ("q1", "Q1?", "", "wrong answer"), ("q3", "Q3?", "wrong answer", ""))
    assert found.settings == ("config top_k: 12 -> 4",) and found.signals == () and found.n == 14


def test_only_the_same_questions_are_compared():
    found = compare((RUN, BEFORE), (RUN, [BEFORE[0], BEFORE[1] | {"question": "reworded"}]))
    assert found.n == 1 and found.left_out == 14
    with pytest.raises(UsageError, match="share no question"):
        compare((RUN, BEFORE), (RUN, []))


def test_the_gate_names_what_fell_and_where_to_look():
    answered = BEFORE[:10] + [record(n, False, answerable=False) for n in range(10, 12)] + BEFORE[12:]
    reasons = verdicts(compare((RUN, BEFORE), (RUN, answered)), 0.02, answered)
    assert (
        reasons[0] == "false_answer 0.000 -> 0.500 (n = 4): it answers what the reports do not say: see refusing in rag/answer/compose.py"
    )
    assert reasons[1].startswith("refusing_balanced_accuracy 1.000 -> 0.750")
    assert verdicts(compare((RUN, BEFORE), (RUN, BEFORE)), 0.0, BEFORE) == []
    assert verdicts(compare((RUN, answered), (RUN, BEFORE)), 0.0, BEFORE) == []  # better is no reason
    broken = [BEFORE[0] | {"error": "boom", "figures": {}}, *BEFORE[1:]]
    assert verdicts(compare((RUN, BEFORE), (RUN, broken)), 0.02, broken) == ["1 questions could not be asked: q0"]


def test_another_scale_of_scores_is_a_signal():
    small = [record(n, hit=n != 3, score=0.03) for n in range(10)] + BEFORE[10:]
    found = compare((RUN, BEFORE), (RUN, small))
    assert any("the best passages score 0.030 in the median where they scored 1.000: see the fusion" in signal for signal in found.signals)


def test_a_baseline_is_stored_and_opens_or_shuts_the_gate(tmp_path, monkeypatch, capsys):
    measured = {"records": BEFORE}

    def measure_all(config, questions, output, setting, corpus=None):
        run = RUN | {"started": "now", "corpus": {"a": "0"}, "questions": {"file": "q.jsonl"}}
        return folder(tmp_path / f"run{len(list(tmp_path.iterdir()))}", measured["records"], run), run, measured["records"]

    monkeypatch.setattr(module, "measure_all", measure_all)
    monkeypatch.setattr(module, "page", lambda run, records, reasons: "; ".join(reasons))
    baseline = tmp_path / "baseline.json"
    with pytest.raises(UsageError, match=r"baseline\.json is no run"):
        gate(Config(), baseline)
    assert gate(Config(), baseline, refresh=True) == 0
    assert len(load_run(baseline)[1]) == 14 and "Q3?" in baseline.read_text(encoding="utf-8")
    assert gate(Config(), baseline) == 0 and "gate: open" in capsys.readouterr().out
    measured["records"] = [record(n, hit=n > 4) for n in range(10)] + BEFORE[10:]
    assert gate(Config(), baseline) == 1
    shown = capsys.readouterr().out
    assert "gate: answer_hit 0.900 -> 0.500 (n = 10)" in shown and "went wrong (4)" in shown and "came right" not in shown.split("went")[0]
    assert gate(Config(), baseline, max_drop=0.5) == 0
    saved = folder(tmp_path / "saved", BEFORE)
    assert gate(Config(), baseline, run=saved) == 0 and gate(Config(), saved, run=saved, setting=Setting()) == 0
    with pytest.raises(UsageError, match="it must be 0 to 1"):
        gate(Config(), baseline, max_drop=2)


def test_runs_on_disk_are_compared(tmp_path, capsys):
    first, second = folder(tmp_path / "a", BEFORE), folder(tmp_path / "b", [record(0, hit=False), *BEFORE[1:]])
    assert compare_runs(first, second) == 0
    assert "q0: Q0?  [right -> wrong answer]" in capsys.readouterr().out
    assert compare_runs(first, second, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["sides"][0] == ["q0", "Q0?", "", "wrong answer"]
    assert compare_runs(first, first) == 0 and "no figure moved" in capsys.readouterr().out
    with pytest.raises(UsageError, match="is no run"):
        compare_runs(first, tmp_path / "none")
