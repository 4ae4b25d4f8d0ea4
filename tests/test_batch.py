"""Batches: one line for one line, in order, whatever the lines hold; and a resumed run gives the file that an unbroken one gives."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.batch import run_batch
from rag.errors import UsageError
from rag.reading.records import read_table
from rag.types import Answer, Citation, Claim

ROOT = Path(__file__).resolve().parent.parent


class Scripted:
    """Answers with what it was asked; "boom" breaks, "slow" takes its time. Keeps what came in."""

    def __init__(self):
        self.calls = []
        self.lock = threading.Lock()

    def ask(self, question, *, history=(), only=None):
        with self.lock:
            self.calls.append((question, history, only))
        if question == "boom":
            raise RuntimeError("kaputt")
        if only.reports and "atlas" not in only.reports:
            raise UsageError(f"no report {only.reports[0]!r}: see `rag list`")
        if question == "slow":
            time.sleep(0.05)
        citation = Citation(1, "atlas", "Atlas", "One", None, 0, 3, "abc", "c1", 1.0)
        return Answer(question, question, "en", (Claim(f"Re: {question}.", (1,), "supported"),), (citation,))


def write(path, *lines):
    path.write_bytes(b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines))
    return path


def read(path):
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def test_fields_are_carried_and_the_answer_added(tmp_path):
    source = write(tmp_path / "in", {"id": "a", "question": "Who?", "gold": ["x"], "nested": {"k": None}, "language": "fr", "error": "old"})
    report = run_batch(source, tmp_path / "out", Scripted())
    (record,) = read(tmp_path / "out")
    assert (report.done, report.errors, report.skipped) == (1, 0, 0)
    assert record["id"] == "a" and record["gold"] == ["x"] and record["nested"] == {"k": None}
    assert record["answer"] == "Re: Who?.[1]" and record["citations"][0]["quote"] == "abc"
    assert record["language"] == "en"  # the answer's field wins
    assert "error" not in record


def test_history_and_reports_reach_the_assistant(tmp_path):
    assistant = Scripted()
    history = [{"question": "q1", "answer": "a1"}, {"question": "q2"}]
    source = write(tmp_path / "in", {"question": "x", "history": history, "reports": ["atlas"]}, {"question": "y", "reports": []})
    run_batch(source, tmp_path / "out", assistant)
    (_, turns, only), (_, no_turns, everything) = assistant.calls
    assert [(turn.question, turn.answer) for turn in turns] == [("q1", "a1"), ("q2", "")]
    assert only.reports == ("atlas",)
    assert no_turns == () and everything.reports == ()


def test_every_bad_line_becomes_a_line_with_its_error(tmp_path):
    lines = [
        {"id": 7, "question": "fine"},
        b"{not json",
        b"",
        b"[1, 2]",
        b'"text"',
        b"\xff\xfe",
        b'{"id": "n", "question": NaN}',
        b'{"id": "inf", "question": "x", "score": 1e999}',
        b"[" * 100_000,
        {"id": "none"},
        {"id": "blank", "question": "  "},
        {"id": "number", "question": 5},
        {"id": "h", "question": "x", "history": "before"},
        {"id": "h2", "question": "x", "history": [{"answer": "x"}]},
        {"id": "r", "question": "x", "reports": "atlas"},
        {"id": "u", "question": "x", "reports": ["nowhere"]},
        {"id": "b", "question": "boom"},
        {"id": 7, "question": "the same id again"},
    ]
    report = run_batch(write(tmp_path / "in", *lines), tmp_path / "out", Scripted())
    records = read(tmp_path / "out")
    ids = [7, 2, 3, 4, 5, 6, 7, 8, 9, "none", "blank", "number", "h", "h2", "r", "u", "b", 7]
    assert [record["id"] for record in records] == ids
    assert ["error" in record for record in records] == [False] + [True] * 16 + [False]
    assert (report.done, report.errors) == (18, 16)
    assert "no report 'nowhere'" in records[15]["error"]
    assert records[16]["error"] == "RuntimeError: kaputt" and records[16]["question"] == "boom"


def test_a_record_is_one_line_for_every_reader(tmp_path):
    hostile = "a\u2028b\u2029c\x85d\x0be\x1cf\ud800g"
    run_batch(write(tmp_path / "in", {"id": 1, "question": hostile}), tmp_path / "out", Scripted())
    text = (tmp_path / "out").read_bytes().decode()
    assert len(text.splitlines()) == 1
    assert json.loads(text)["question"] == hostile


def test_the_last_line_needs_no_newline_and_a_mark_is_skipped(tmp_path):
    (tmp_path / "in").write_bytes(b'\xef\xbb\xbf{"id": 1, "question": "a"}\r\n{"id": 2, "question": "b"}')
    run_batch(tmp_path / "in", tmp_path / "out", Scripted())
    assert [(record["id"], record["question"]) for record in read(tmp_path / "out")] == [(1, "a"), (2, "b")]


def test_standard_input(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"id": 1, "question": "a"}\n')))
    assert run_batch("-", tmp_path / "out", Scripted()).done == 1


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_keep_the_order(tmp_path, workers):
    questions = [{"id": n, "question": random.Random(n).choice(["slow", "quick", "boom"])} for n in range(40)]
    seen = []
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    run_batch(write(tmp_path / "in", *questions), tmp_path / "out", Scripted(), workers=workers, progress=progress)
    assert [record["id"] for record in read(tmp_path / "out")] == list(range(40))
    assert seen == [(n, 40) for n in range(41)]


def test_lines_are_written_as_they_are_done(tmp_path):
    sizes = []

    class Watching(Scripted):
        def ask(self, question, **rest):
            sizes.append((tmp_path / "out").read_bytes().count(b"\n"))
            return super().ask(question, **rest)

    run_batch(write(tmp_path / "in", *({"id": n, "question": "q"} for n in range(4))), tmp_path / "out", Watching())
    assert sizes == [0, 1, 2, 3]


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(0, 10_000), workers=st.integers(1, 2))
def test_resuming_after_any_cut_gives_the_unbroken_file(tmp_path_factory, cut, workers):
    folder = tmp_path_factory.mktemp("resume")
    lines = [{"id": "一", "question": "甲"}, b"broken", {"id": 1, "question": "b"}, {"id": 1, "question": "boom"}, {"question": "no id"}]
    source = write(folder / "in", *lines)
    run_batch(source, folder / "whole", Scripted())
    whole = (folder / "whole").read_bytes()
    torn = whole[: cut % (len(whole) + 1)]
    (folder / "out").write_bytes(torn)
    assistant = Scripted()
    report = run_batch(source, folder / "out", assistant, resume=True, workers=workers)
    assert (folder / "out").read_bytes() == whole
    assert report.skipped == torn.count(b"\n") and report.done == 5 - report.skipped


def test_resuming_cuts_a_last_line_of_rubbish(tmp_path):
    source = write(tmp_path / "in", {"id": 1, "question": "a"}, {"id": 2, "question": "b"})
    (tmp_path / "out").write_bytes(b'{"id": 1, "answer": "kept"}\n\x00\x00\x00\x00\n')
    run_batch(source, tmp_path / "out", Scripted(), resume=True)
    assert [(record["id"], record["answer"]) for record in read(tmp_path / "out")] == [(1, "kept"), (2, "Re: b.[1]")]


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (b'{"id": 2}\n', "line 1 has id 2 where the input has 1"),
        (b'{"id": 1}\n{"id": 9}\n', "line 2 has id 9 where the input has 2"),
        (b'{"id": 1}\n{"id": 2}\n{"id": 3}\n', "more lines than the input"),
        (b'rubbish\n{"id": 2}\n', "line 1 has no id"),
    ],
)
def test_resuming_another_file_is_refused_and_leaves_it_alone(tmp_path, out, words):
    source = write(tmp_path / "in", {"id": 1, "question": "a"}, {"id": 2, "question": "b"})
    (tmp_path / "out").write_bytes(out)
    with pytest.raises(UsageError, match=words):
        run_batch(source, tmp_path / "out", Scripted(), resume=True)
    assert (tmp_path / "out").read_bytes() == out


def test_resuming_without_a_file_starts_one(tmp_path):
    report = run_batch(write(tmp_path / "in", {"id": 1, "question": "a"}), tmp_path / "out", Scripted(), resume=True)
    assert (report.done, report.skipped) == (1, 0)


def test_unusable_files_are_refused(tmp_path):
    source = write(tmp_path / "in", {"id": 1, "question": "a"})
    with pytest.raises(UsageError, match="missing cannot be read"):
        run_batch(tmp_path / "missing", tmp_path / "out", Scripted())
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="cannot be written"):
        run_batch(source, tmp_path / "no" / "out", Scripted())
    with pytest.raises(UsageError, match="both input and output"):
        run_batch(source, source, Scripted())
    with pytest.raises(UsageError, match="at least 1"):
        run_batch(source, tmp_path / "out", Scripted(), workers=0)


@pytest.mark.skipif(os.name == "nt", reason="kill -9 needs POSIX")
def test_a_kill_loses_at_most_the_line_in_work(tmp_path):
    source = write(tmp_path / "in", *({"id": n, "question": "slow"} for n in range(40)))
    program = (
        "import sys; sys.path[:0] = ['tests']; from test_batch import Scripted; from rag.batch import run_batch; "
        f"run_batch({str(source)!r}, {str(tmp_path / 'out')!r}, Scripted())"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not ((tmp_path / "out").exists() and (tmp_path / "out").stat().st_size > 1000):
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    written = (tmp_path / "out").read_bytes().count(b"\n")
    report = run_batch(source, tmp_path / "out", Scripted(), resume=True)
    assert 1 <= written < 40
    assert report.skipped == written
    assert [record["id"] for record in read(tmp_path / "out")] == list(range(40))


def test_a_table_becomes_a_table(tmp_path):
    source = tmp_path / "in.csv"
    history = json.dumps([{"question": "q1", "answer": "a1"}]).replace('"', '""')
    text = f'nr,question,history,reports,team\n1,Who?,"{history}",atlas,A\n2,,,,B\n3,boom,,,C\n4,好,not json,,D\n'
    source.write_text(text, encoding="utf-8-sig")
    assistant = Scripted()
    seen = []
    report = run_batch(source, tmp_path / "out.xlsx", assistant, progress=lambda *counts: seen.append(counts))
    rows = read_table(tmp_path / "out.xlsx")
    assert [row["nr"] for row in rows] == ["1", "2", "3", "4"] and [row["team"] for row in rows] == list("ABCD")
    assert rows[0]["answer"] == "Re: Who?.[1]" and rows[0]["sources"] == "[1] Atlas · One" and rows[0]["refused"] == "no"
    assert rows[0]["verdicts"] == "supported" and rows[0]["quotes"] == "[1] abc" and rows[0]["error"] == ""
    assert "must be text and not empty" in rows[1]["error"] and rows[2]["error"] == "RuntimeError: kaputt"
    assert '"history" must be a list' in rows[3]["error"]
    assert (assistant.calls[0][1][0].answer, assistant.calls[0][2].reports) == ("a1", ("atlas",))
    assert (report.done, report.errors, report.answered, seen[-1]) == (4, 3, 1, (4, 4))
    assert report.first_error.startswith("2: ") and report.seconds > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.xlsx"]


def test_lines_and_tables_mix(tmp_path):
    lines = write(tmp_path / "in.jsonl", {"id": "a", "question": "x", "tags": ["one", "two"]})
    run_batch(lines, tmp_path / "out.csv", Scripted())
    (row,) = read_table(tmp_path / "out.csv")
    assert (row["id"], row["question"], row["tags"], row["answer"]) == ("a", "x", '["one", "two"]', "Re: x.[1]")
    run_batch(tmp_path / "out.csv", tmp_path / "again.jsonl", Scripted())
    (record,) = read(tmp_path / "again.jsonl")
    assert record["id"] == "a" and record["answer"] == "Re: x.[1]" and record["claims"]


def test_a_resumed_table_goes_on_from_its_journal(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("id,question\n1,a\n2,b\n3,c\n", encoding="utf-8")
    run_batch(source, tmp_path / "whole.csv", Scripted())
    assistant = Scripted()
    run_batch(write(tmp_path / "two.jsonl", {"id": "1", "question": "a"}, {"id": "2", "question": "b"}), tmp_path / "journal", Scripted())
    (tmp_path / "journal").rename(tmp_path / "out.csv.partial.jsonl")
    report = run_batch(source, tmp_path / "out.csv", assistant, resume=True)
    assert [question for question, *_ in assistant.calls] == ["c"] and report.skipped == 2
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert run_batch(source, tmp_path / "out.csv", assistant, resume=True).skipped == 3  # finished: nothing is asked again
    source.write_text("id,question\n1,a\n", encoding="utf-8")
    with pytest.raises(UsageError, match="3 rows where the input has 1"):
        run_batch(source, tmp_path / "out.csv", assistant, resume=True)


@pytest.mark.parametrize("heading", ["ID,Question", "序号,问题", "No.,QUERY", "编号, 提问 ", "id,ｑｕｅｓｔｉｏｎ"])
def test_headings_are_known_in_any_case_and_in_both_languages(tmp_path, heading):
    (tmp_path / "in.csv").write_text(f"{heading},note\n7,Who?,mine\n", encoding="utf-8")
    assistant = Scripted()
    run_batch(tmp_path / "in.csv", tmp_path / "out.csv", assistant)
    (row,) = read_table(tmp_path / "out.csv")
    assert assistant.calls[0][0] == "Who?" and (row["id"], row["question"], row["note"], row["error"]) == ("7", "Who?", "mine", "")


@pytest.mark.parametrize(("name", "text"), [("in.csv", "id,colour\n1,red\n"), ("in.jsonl", '{"id": 1, "colour": "red"}\n{"id": 2}\n')])
def test_a_file_without_any_question_is_refused_before_anything_is_written(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="colour"):
        run_batch(tmp_path / name, tmp_path / "out.jsonl", Scripted())
    assert not (tmp_path / "out.jsonl").exists()


def test_lines_are_read_by_other_names_of_their_fields_too(tmp_path):
    source = write(tmp_path / "in", {"编号": "a", "问题": "Who?"}, {"Question": "What?"}, {"question": "x", "query": "y"})
    assistant = Scripted()
    run_batch(source, tmp_path / "out", assistant)
    assert [call[0] for call in assistant.calls] == ["Who?", "What?", "x"] and read(tmp_path / "out")[0]["id"] == "a"


KILLS = """
import os, random, signal, sys, time
sys.path[:0] = ["tests"]
from test_batch import Scripted
from rag.batch import run_batch
source, out, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
dice = random.Random(7)
class Hasty(Scripted):
    def ask(self, question, **rest):
        time.sleep(0.0005)
        return super().ask("quick", **rest)
for kill in range(kills):
    child = os.fork()
    if not child:
        run_batch(source, out, Hasty(), resume=True, workers=1 + kill % 2)
        os._exit(0)
    time.sleep(dice.uniform(0.002, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
run_batch(source, out, Hasty(), resume=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_fifty_kills_lose_and_repeat_nothing(tmp_path, name):
    source = write(tmp_path / "in", *({"id": n, "question": "quick"} for n in range(400)))
    run_batch(source, tmp_path / f"whole-{name}", type("Plain", (Scripted,), {})())
    done = subprocess.run([sys.executable, "-c", KILLS, source, tmp_path / name, "50"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
