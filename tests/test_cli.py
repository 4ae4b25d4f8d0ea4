"""The command line: what stands on which stream, and the exit codes."""

import dataclasses
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import HashingEncoder
from tiny_reader import needs_weights

import rag.cli as cli
from rag.cli import shared
from rag.cli.serve import is_loopback
from rag.config import MEANINGS, Config
from rag.errors import EncoderError, IndexBusy, IndexDamaged, NothingIndexed, UsageError
from rag.search.fusion import Mix
from rag.search.retrieve import Explained
from rag.types import Answer, Chunk, Citation, Claim, Document, Hit

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Commands see neither the settings of this machine nor the index of this checkout."""
    for name in [name for name in os.environ if name.startswith("RAG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rag(capsys, tiny_reader):
    def command(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


CITATION = Citation(1, "atlas", "Atlas of Rivers", "North / Bridges", 12, 3, 20, "The  bridge\nis new.", "c1", 0.9)
FOUND = Answer("Is it new?", "Is it new?", "en", (Claim("The bridge is new.", (1,), "supported"),), (CITATION,))


class Scripted:
    warning = ""

    def __init__(self, answer=FOUND):
        self.answer, self.asked, self.talked = answer, [], []

    def ask(self, question, *, history=(), only=None):
        self.asked.append((question, only))
        self.talked.append((question, history))
        return self.answer

    def search(self, question, *, top_k=10, only=None):
        chunk = Chunk("c1", "atlas", 3, 20, 12, ("North", "Bridges"), 5)
        return [Hit(chunk, "The bridge is new.", 0.5, 0.25, 0.625)][:top_k]

    def explain(self, question, *, top_k=10, only=None):
        mix = Mix(0.5, sentence=0.5, likeness=1.5)
        return [Explained(hit, mix, False, {"bridg": 1.0}, 0.0, 1.0, 0.2) for hit in self.search(question, top_k=top_k, only=only)]

    def documents(self):
        return (Document("atlas", "Atlas of Rivers", "", (), "0" * 64, "atlas.md"),)


@pytest.fixture
def scripted(monkeypatch):
    assistant = Scripted()
    monkeypatch.setattr(shared, "open_assistant", lambda settings: assistant)
    return assistant


# ---------------------------------------------------------------- streams, words, exit codes


def test_an_answer_for_people_has_markers_and_sources(rag, scripted):
    code, out, err = rag("ask", "Is it new?")
    assert (code, err) == (0, "")
    assert out == "The bridge is new.[1]\n\nSources\nAtlas of Rivers · North / Bridges · p. 12\n  [1] The bridge is new.\n"


def test_an_answer_for_programs_is_the_contract_and_nothing_else(rag, scripted):
    code, out, err = rag("ask", "Is it new?", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert list(record) == list(FOUND.to_dict())
    assert record["citations"][0]["quote"] == CITATION.quote


def test_the_rewritten_question_and_weak_claims_are_shown(rag, scripted):
    scripted.answer = Answer("它呢？", "桥呢？", "zh", (Claim("桥是新的。", (1,), "partial", "年份不在引文中"),), (CITATION,))
    _, out, _ = rag("ask", "它呢？")
    assert out.startswith("检索的问题：桥呢？\n\n桥是新的。[1]\n")
    assert "! 原文只支持一部分：桥是新的。（年份不在引文中）" in out and "第 12 页" in out


def test_a_question_needs_no_quotes(rag, scripted):
    assert rag("ask", "is", "it", "new?", "--year", "2024") == rag("ask", "is it new?", "--year", "2024")
    assert [asked for asked, _ in scripted.asked] == ["is it new?"] * 2


def test_a_talk_in_the_terminal_remembers_until_told_otherwise(rag, scripted, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Is it new?\n\nand then?\n/new\nIs it new?\n"))
    code, out, err = rag("chat")
    assert code == 0 and out.count("The bridge is new.[1]") == 3 and err.startswith("1 reports; /new starts over")
    assert [(asked, len(turns)) for asked, turns in scripted.talked] == [("Is it new?", 0), ("and then?", 1), ("Is it new?", 0)]
    (turn,) = scripted.talked[1][1]
    assert (turn.question, turn.answer, turn.sections) == ("Is it new?", "The bridge is new.[1]", (("atlas", ("North", "Bridges")),))


def test_one_bad_question_does_not_end_a_talk(rag, scripted, monkeypatch):
    def ask(question, **rest):
        raise UsageError("too long")

    monkeypatch.setattr(scripted, "ask", ask)
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nb\n"))
    code, out, err = rag("chat")
    assert (code, out) == (0, "") and err.count("error: too long") == 2


def test_not_found_says_why_and_what_came_near(rag, scripted):
    scripted.answer = Answer("Why?", "Why?", "en", abstained=True, reason="no passage names a cause", nearest=(CITATION,))
    code, out, _ = rag("ask", "Why?")
    assert code == 0
    assert out.startswith("Not found in the reports: no passage names a cause\n\nNearest passages (not used)\nAtlas of Rivers")


def test_filters_reach_the_assistant(rag, scripted):
    rag("ask", "x", "--report", "a", "--report", "b", "--publisher", "P", "--year", "2024", "--language", "zh")
    (_, only) = scripted.asked[0]
    assert (only.reports, only.publisher, only.year, only.language) == (("a", "b"), "P", 2024, "zh")
    code, _, err = rag("ask", "x", "--language", "fr")
    assert code == 2 and "'fr'" in err


def test_a_report_cannot_drive_the_terminal(rag, scripted):
    evil = Citation(1, "atlas", "A\x1b]0;owned\x07", "\u202eB", None, 0, 1, "q\x1b[2J\x9b1m", "c", 1.0)
    scripted.answer = Answer("x", "x", "en", (Claim("ok \x1b[31m", (1,), "supported"),), (evil,))
    _, out, _ = rag("ask", "x")
    assert not any(character in out for character in "\x1b\x07\x9b\u202e")


def test_search_for_people_and_programs(rag, scripted):
    code, out, _ = rag("search", "bridge")
    assert code == 0 and out == "1. 0.625  Atlas of Rivers · North / Bridges · p. 12\n   The bridge is new.\n"
    _, out, _ = rag("search", "bridge", "--explain")
    assert "lexical 0.500 + 0.50 x cosine 0.250 + 0.50 x best sentence 1.000 + 1.50 x likeness 0.200 = 1.425" in out
    assert "words: bridg 100%" in out and "chunk c1, 5 tokens" in out
    _, out, _ = rag("search", "bridge", "--explain", "--json")
    assert json.loads(out)["hits"][0]["why"]["terms"] == {"bridg": 1.0}
    _, out, _ = rag("search", "bridge", "--json", "-k", "1")
    (hit,) = json.loads(out)["hits"]
    assert (hit["document"], hit["section"], hit["start"], hit["end"], hit["score"]) == ("atlas", ["North", "Bridges"], 3, 20, 0.625)


def test_batch_says_what_it_did_on_standard_error(rag, scripted, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"id": "a", "question": "Is it new?"}\n{"id": "b"}\n', encoding="utf-8")
    code, out, err = rag("batch", "in.jsonl", "-o", "out.jsonl", "--workers", "2")
    assert (code, out) == (0, "") and "2 lines written to out.jsonl in " in err
    assert "1 answered, 0 refused, 1 errors" in err and "first error: b: " in err
    assert [json.loads(line)["id"] for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()] == ["a", "b"]
    code, out, _ = rag("batch", "in.jsonl", "-o", "out.jsonl", "--resume", "--json")
    report = json.loads(out)
    assert code == 0 and (report["done"], report["errors"], report["skipped"], report["refused"]) == (0, 0, 2, 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("a\nb"), 2), (IndexDamaged("x"), 3), (NothingIndexed("x"), 4), (IndexBusy("x"), 5), (EncoderError("x"), 5)],
)
def test_each_error_is_one_line_with_its_exit_code(rag, monkeypatch, error, code):
    def fail(settings):
        raise error

    monkeypatch.setattr(shared, "open_assistant", fail)
    got, out, err = rag("ask", "x", "--json")
    assert (got, out) == (code, "")
    assert err == f"error: {' '.join(str(error).split())}\n"


def test_the_unexpected_is_one_line_too_unless_debugging(rag, monkeypatch):
    monkeypatch.setattr(shared, "open_assistant", lambda settings: 1 / 0)
    code, out, err = rag("ask", "x")
    assert (code, out) == (5, "") and err == "error: ZeroDivisionError: division by zero (run with RAG_DEBUG=1 for the traceback)\n"
    monkeypatch.setenv("RAG_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli.run(["ask", "x"])


def test_an_interrupt_has_its_own_code(rag, monkeypatch):
    def interrupt(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(shared, "open_assistant", interrupt)
    code, out, _ = rag("ask", "x")
    assert (code, out) == (130, "")


@pytest.mark.parametrize("line", ["aks x", "ask", "ask x --nope", "search x -k 0", "search x -k few"])
def test_a_wrong_call_is_one_line_and_code_2(rag, line):
    code, out, err = rag(*line.split())
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["list"], ["doctor"], ["ask", "x"], ["search", "x"]])
def test_without_an_index_the_code_is_4_and_the_line_says_what_to_run(rag, arguments):
    code, out, err = rag(*arguments)
    assert (code, out) == (4, "") and "rag index" in err and err.count("\n") == 1


def test_config_shows_origins_and_hides_the_key(rag, monkeypatch, tmp_path):
    monkeypatch.setenv("RAG_LLM_API_KEY", "sk-hidden")
    (tmp_path / "rag.toml").write_text("top_k = 3\n", encoding="utf-8")
    _, out, _ = rag("config", "--json", "--index", "here")
    values = json.loads(out)
    assert values["index_dir"] == {"value": "here", "origin": "flag", "meaning": MEANINGS["index_dir"]}
    assert values["top_k"] == {"value": 3, "origin": str(tmp_path / "rag.toml"), "meaning": MEANINGS["top_k"]}
    assert values["llm_api_key"] == {"value": "set", "origin": "RAG_LLM_API_KEY", "meaning": MEANINGS["llm_api_key"]}
    code, out, _ = rag("config")
    assert code == 0 and "not set" not in out and "sk-hidden" not in out
    assert f"\nstrictness = balanced  (default)\n    {MEANINGS['strictness']}\n" in out


def test_every_setting_has_a_meaning():
    assert list(MEANINGS) == [setting.name for setting in dataclasses.fields(Config)]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", "::"])
def test_serving_other_machines_needs_a_word(rag, host):
    code, _, err = rag("serve", "--host", host)
    assert code == 2 and host in err and "--auth-file" in err


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_loopback(host):
    assert is_loopback(host)


def test_help_names_every_command(rag):
    code, out, _ = rag()
    assert code == 0
    commands = "ask chat search batch index list show inspect remove doctor rollback adapt serve eval config llm".split()
    assert [line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.strip()] == commands


def test_inspect_goes_on_behind_what_it_cannot_read(rag, tmp_path):
    with zipfile.ZipFile(tmp_path / "reports.zip", "w") as archive:
        archive.writestr("a.pdf", b"%PDF-1.7 nothing more")
        archive.writestr("b.md", "# Harbour\n\nCranes turn.")
    code, out, err = rag("inspect", tmp_path / "reports.zip")
    assert code == 0 and "Cranes turn." in out and "a.pdf: not a readable PDF" in err and len(err.strip().splitlines()) == 1
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.7 nothing more")
    assert rag("inspect", tmp_path / "c.pdf")[0] != 0


# ---------------------------------------------------------------- the whole way, on the built-in encoder


def test_index_ask_list_remove_doctor_rollback(rag, corpus):
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
    code, out, err = rag("index", corpus, "--json")
    report = json.loads(out)
    assert code == 0 and err == ""
    assert (report["documents"], len(report["added"]), [Path(file).name for file, _ in report["failed"]]) == (3, 3, ["broken.pdf"])

    code, out, _ = rag("index")  # the paths it knows
    assert code == 0 and "nothing to do" in out and "broken.pdf" in out

    code, out, _ = rag("ask", "How much honey did each city hive give?", "--json")
    answer = json.loads(out)
    assert code == 0 and not answer["abstained"] and "14 kilograms" in answer["answer"]
    assert answer["citations"][0]["title"] == "Urban Bees"

    _, out, _ = rag("list", "--json")
    documents = json.loads(out)["documents"]
    assert sorted(document["source"] for document in documents) == ["bees.md", "tides.md", "trams.txt"]
    assert all("text" not in document for document in documents)
    code, out, _ = rag("list")
    assert code == 0 and "3 reports" in out and "潮汐发电年报" in out

    bees = next(document["id"] for document in documents if document["source"] == "bees.md")
    code, _, err = rag("remove", bees[:-1])
    assert code == 2 and bees in err
    assert rag("remove", bees)[0] == 0
    code, _, err = rag("ask", "honey", "--report", bees)
    assert code == 2 and bees in err

    assert rag("rollback")[0] == 0
    assert rag("ask", "honey", "--report", bees)[0] == 0
    code, out, _ = rag("doctor", "--json")
    assert code == 0 and json.loads(out)["ok"] is True


def test_a_damaged_index_is_code_3(rag, corpus, tmp_path):
    rag("index", corpus)
    generation = tmp_path / "index" / (tmp_path / "index" / "CURRENT").read_text(encoding="utf-8").strip()
    store = generation / "chunks.sqlite"
    content = bytearray(store.read_bytes())
    content[len(content) // 2] ^= 1
    store.chmod(0o644)
    store.write_bytes(content)
    for arguments in (["doctor"], ["ask", "honey"]):
        code, _, err = rag(*arguments)
        assert code == 3 and "chunks.sqlite" in err
    assert rag("index")[0] == 0  # built anew from the paths that the damaged one knew
    assert rag("doctor")[0] == 0


def test_the_index_remembers_its_encoder(rag, corpus, monkeypatch):
    encoders = {"hashing": HashingEncoder(), "builtin": HashingEncoder("builtin", dimension=32)}
    monkeypatch.setattr("rag.index.encoder.open_encoder", encoders.__getitem__)
    monkeypatch.setattr("rag.chat.open_encoder", encoders.__getitem__)
    assert rag("index", corpus, "--encoder", "hashing")[0] == 0
    code, out, _ = rag("index", "--json")
    assert code == 0 and not json.loads(out)["changed_anything"]
    assert rag("search", "honey")[0] == 0
    monkeypatch.setenv("RAG_ENCODER", "builtin")  # asked for by name, it is refused
    code, _, err = rag("search", "honey")
    assert code == 3 and "hashing" in err and "builtin" in err
    code, out, _ = rag("index", "--json")
    assert code == 0 and json.loads(out)["rebuilt"]
    assert rag("search", "honey")[0] == 0


def test_a_folder_that_is_gone_keeps_its_reports(rag, corpus):
    rag("index", corpus)
    corpus.rename(corpus.with_name("moved"))
    code, out, err = rag("index", "--json")
    assert code == 0 and "not there any more" in err
    assert json.loads(out)["documents"] == 3


def test_serve_indexes_first_and_only_when_needed(rag, corpus, monkeypatch):
    served = []
    page = SimpleNamespace(serve=lambda assistant, host, port, **others: served.append((len(assistant.documents()), host, port)))
    monkeypatch.setattr(shared, "import_bundled", lambda module: page)
    monkeypatch.setattr(shared, "bundled", lambda name: corpus)
    code, out, err = rag("serve", "--port", "8123")
    assert (code, out) == (0, "") and err.startswith("indexing ") and "indexed 3 reports" in err
    assert rag("serve")[2] == ""
    (corpus / "trams.txt").unlink()
    assert "indexed 2 reports" in rag("serve")[2]
    assert served == [(3, "127.0.0.1", 8123), (3, "127.0.0.1", 7860), (2, "127.0.0.1", 7860)]


def test_a_missing_path_is_a_usage_error(rag, tmp_path):
    code, _, err = rag("index", tmp_path / "nowhere")
    assert code == 2 and "nowhere is not there" in err
    (tmp_path / "empty").mkdir()
    code, _, err = rag("index", tmp_path / "empty")
    assert code == 4 and "nothing to index" in err


@needs_weights
def test_the_process_is_small_and_speaks_utf8(corpus):
    """`rag ask --json` as a process: nothing heavy is imported, and standard output holds one JSON value in UTF-8 whatever the locale."""
    assert cli.run(["index", str(corpus)]) == 0
    program = "import atexit, sys, rag.cli; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); rag.cli.main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", program, "ask", "每度电的成本是多少？", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True)
    answer = json.loads(done.stdout.decode("utf-8"))
    assert done.returncode == 0 and answer["language"] == "zh" and "0.31" in answer["answer"]
    assert not set(done.stderr.decode().split()) & {"torch", "gradio", "sentence_transformers", "transformers", "pandas", "scipy", "rich"}


@pytest.mark.parametrize("program", ["rag", "provenote"])
def test_a_shell_completes_commands_and_reports(corpus, program):
    assert cli.run(["index", str(corpus)]) == 0
    call = f"import sys; sys.argv = [{program!r}]; import rag.cli; rag.cli.main()"

    def completed(*words):
        asked = {f"_{program.upper()}_COMPLETE": "complete_bash", "COMP_WORDS": " ".join((program, *words)), "COMP_CWORD": str(len(words))}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **asked}
        return subprocess.run([sys.executable, "-c", call], env=environment, capture_output=True, text=True).stdout.split()

    assert completed("do") == ["doctor"]
    assert completed("show", "t") == ["tides", "trams"]
    assert completed("ask", "--report", "b") == ["bees"]


@pytest.mark.skipif(os.name == "nt", reason="pipes that break need POSIX")
def test_a_reader_may_hang_up(corpus):
    assert cli.run(["index", str(corpus)]) == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run([sys.executable, "-m", "rag", "list"], env=environment, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (process.returncode, process.stderr) == (0, b"")
