"""Judges say yes or no by name, and what was tampered with is not what it was."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.judge import builtin_judge, open_judge, tampered
from rag.config import Config
from rag.errors import EncoderError, LLMError, UsageError


def test_the_builtin_judge_is_the_products_own_check():
    assert builtin_judge("The dam holds 70% of the water.", ["In May the dam holds 70% of the water."])
    assert not builtin_judge("The dam holds 80% of the water.", ["In May the dam holds 70% of the water."])
    assert open_judge("builtin", Config()) is builtin_judge


@pytest.mark.parametrize("name", ["", "nli:", "llm:", "oracle", "nli"])
def test_other_names_are_refused(name):
    with pytest.raises(UsageError, match="is not a judge"):
        open_judge(name, Config())


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(EncoderError, match="missing"):
        open_judge(f"nli:{tmp_path / 'missing'}", Config())
    with pytest.raises(UsageError, match="RAG_LLM_BASE_URL"):
        open_judge("llm:small", Config())


def test_a_cross_encoder_judges_all_quotes_together_and_is_asked_once(monkeypatch):
    asked = []

    def opened(model):
        assert model == "small-nli"
        return lambda evidence, claim: asked.append((evidence, claim)) or (0.5 if "rain" in evidence else 0.49)

    monkeypatch.setattr("eval.judge.open_cross_encoder", opened)
    judge = open_judge("nli:small-nli", Config())
    assert judge("it is wet", ["it was Monday", "rain fell"]) and judge("it is wet", ["it was Monday", "rain fell"])
    assert not judge("it is wet", ["it was Monday"])
    assert asked == [("it was Monday\nrain fell", "it is wet"), ("it was Monday", "it is wet")]


class Endpoint(BaseHTTPRequestHandler):
    """Says yes when the claim stands in the passages; counts its calls."""

    calls = []

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][0]["content"]
        self.calls.append(asked)
        passages, claim = asked.split("</passages>")
        said = "perhaps" if "riddle" in claim else "Yes." if claim.split("<claim>")[1].split("</claim>")[0].strip() in passages else "no"
        body = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def endpoint():
    Endpoint.calls = []
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_language_model_judges_and_is_asked_once(endpoint):
    judge = open_judge("llm:small", Config(llm_base_url=endpoint))
    assert judge("it rains", ["on Monday it rains"]) and not judge("it snows", ["on Monday it rains"])
    assert judge("it rains", ["on Monday it rains"]) and len(Endpoint.calls) == 2
    with pytest.raises(LLMError, match="where yes or no was asked for"):
        judge("a riddle", ["x"])


def test_the_key_follows_no_redirect(endpoint):
    from scripted_llm import Reply, ScriptedLLM

    with ScriptedLLM(Reply(status=302, raw=b"", headers={"location": f"{endpoint}/chat/completions"})) as server:
        judge = open_judge("llm:small", Config(llm_base_url=server.base_url, llm_api_key="secret"))
        with pytest.raises(LLMError, match="gave no answer") as caught:
            judge("it rains", ["it rains"])
        assert [asked.headers["authorization"] for asked in server.requests] == ["Bearer secret"]
    assert Endpoint.calls == [] and "secret" not in str(caught.value)


def test_an_endpoint_that_is_not_there():
    with pytest.raises(LLMError, match="gave no answer"):
        open_judge("llm:small", Config(llm_base_url="http://127.0.0.1:9/v1"))("a", ["b"])


def test_tampering_changes_the_first_figure_and_the_first_direction():
    assert tampered("成本降低 90%+，时间缩短到 3 天") == ["成本降低 103%+，时间缩短到 3 天", "成本降低 90%+，时间延长到 3 天"]
    assert tampered("Nothing to count here.") == []
    assert tampered("GPT-4 and 3D are names") == []
    assert tampered("it cut costs by 2.5 times") == ["it cut costs by 15.5 times", "it increase costs by 2.5 times"]


@given(st.text())
def test_tampering_never_gives_the_claim_back(claim):
    assert claim not in tampered(claim)
