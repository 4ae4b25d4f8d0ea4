"""The OpenAI-compatible server, asked by the real client over a real socket."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace

import pytest
import uvicorn
from scripted_llm import Reply, ScriptedLLM
from starlette.applications import Starlette
from starlette.middleware import Middleware
from test_llm import GOOD, QUESTION, WRONG, opened  # noqa: F401  (a fixture)

from rag.chat import Assistant
from rag.types import Answer, Citation, Claim
from rag.web import api
from rag.web.guard import Guard

openai = pytest.importorskip("openai")


@contextmanager
def serving(assistant, login=None):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = Starlette(routes=api.routes(assistant, login), middleware=[Middleware(Guard, also=("v1",))])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def plainly(opened):  # noqa: F811
    with serving(opened) as address, openai.OpenAI(base_url=address, api_key="any", max_retries=0) as client:
        yield client


@contextmanager
def written(opened, *scripts):  # noqa: F811
    """A client of a server whose assistant has a scripted LLM, and that LLM."""
    with ScriptedLLM(*scripts) as upstream:
        config = replace(opened.config, llm_base_url=upstream.base_url, llm_model="tiny", llm_timeout=4)
        with (
            serving(Assistant(config, opened.encoder, opened.store, opened.reader)) as address,
            openai.OpenAI(base_url=address, api_key="any", max_retries=0) as client,
        ):
            yield client, upstream


def user(text):
    return [{"role": "user", "content": text}]


def test_models(plainly, opened):  # noqa: F811
    assert [model.id for model in plainly.models.list()] == ["provenote"]
    with written(opened, GOOD) as (client, _):
        assert [model.id for model in client.models.list()] == ["provenote", "provenote-llm"]


def test_an_answer_carries_its_citations_in_the_extra_field(plainly, opened):  # noqa: F811
    made = plainly.chat.completions.create(model="provenote", messages=user(QUESTION))
    answer = opened.ask(QUESTION)
    assert made.choices[0].finish_reason == "stop" and made.usage.total_tokens > 10
    assert made.choices[0].message.content.startswith(f"{answer.claims[0].text}[1]")
    assert "\n[1] 潮汐能年度报告 · 一 现状" in made.choices[0].message.content
    extra = made.model_extra["provenote"]
    assert {**extra, "timings_ms": 0} == json.loads(json.dumps({**answer.to_dict(), "timings_ms": 0}))
    citation = extra["citations"][0]
    assert opened._current().document(citation["document"]).text[citation["start"] : citation["end"]] == citation["quote"]


def test_a_stream_says_the_same_and_ends_with_the_citations(plainly):
    whole = plainly.chat.completions.create(model="provenote", messages=user(QUESTION))
    chunks = list(
        plainly.chat.completions.create(model="provenote", messages=user(QUESTION), stream=True, stream_options={"include_usage": True})
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert (
        chunks[-2].choices[0].finish_reason == "stop"
        and chunks[-2].model_extra["provenote"]["claims"] == whole.model_extra["provenote"]["claims"]
    )
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_a_false_number_is_the_only_sentence_struck(opened):  # noqa: F811
    with written(opened, list(GOOD + WRONG + "泻湖式对生态的影响最小[3]。")) as (client, _):
        made = client.chat.completions.create(model="provenote-llm", messages=user(QUESTION))
        streamed = list(client.chat.completions.create(model="provenote-llm", messages=user(QUESTION), stream=True))
    content = made.choices[0].message.content
    struck = "~~东岸的三座电站贡献了其中的 80%。~~[2]（原文不支持：数字 80% 不在所引原文中，原文写 60%）"
    assert struck in content and content.count("~~") == 2
    assert [claim["verdict"] for claim in made.model_extra["provenote"]["claims"]] == ["supported", "unsupported", "supported"]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == content
    assert [bool(chunk.choices[0].delta.content) for chunk in streamed].count(True) >= 4  # sentence by sentence


def test_a_failing_llm_gives_extracts_and_the_reason(opened):  # noqa: F811
    with written(opened, Reply([GOOD, "东"], cut=True)) as (client, _):
        made = client.chat.completions.create(model="provenote-llm", messages=user(QUESTION))
        chunks = list(client.chat.completions.create(model="provenote-llm", messages=user(QUESTION), stream=True))
    assert made.model_extra["provenote"]["mode"] == "extractive" and "语言模型这次没有用上" in made.choices[0].message.content
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].model_extra["provenote"]["mode"] == "extractive" and "4.2 GW" in text and "中途断开" in text


def test_a_client_that_hangs_up_ends_the_request_upstream(opened):  # noqa: F811
    with written(opened, Reply([GOOD, "东"], hang=30)) as (client, upstream):
        stream = client.chat.completions.create(model="provenote-llm", messages=user(QUESTION), stream=True)
        for chunk in stream:
            if "4.2 GW" in (chunk.choices[0].delta.content or ""):
                break
        stream.close()
        assert upstream.requests[0].closed.wait(20)


def test_follow_ups_and_filters(plainly):
    history = [*user(QUESTION), {"role": "assistant", "content": "4.2 GW。[1]\n\n[1] 潮汐能年度报告"}, *user("那东岸呢？")]
    made = plainly.chat.completions.create(model="provenote", messages=[{"role": "system", "content": "You are a pirate."}, *history])
    assert "60%" in made.choices[0].message.content
    alone = plainly.chat.completions.create(model="provenote", messages=user("西岸呢？"))
    assert alone.model_extra["provenote"]["abstained"] and alone.model_extra["provenote"]["code"] == "not_answered"
    narrowed = {"provenote": {"reports": ["bees"]}}
    made = plainly.chat.completions.create(model="provenote", messages=user(QUESTION), extra_body=narrowed)
    assert made.model_extra["provenote"]["abstained"] and made.choices[0].message.content.startswith("报告中没有找到答案。")
    parts = [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
    assert "4.2 GW" in plainly.chat.completions.create(model="provenote", messages=parts).choices[0].message.content


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "gpt-4o", "messages": user("x")}, 404),
        ({"model": "provenote-llm", "messages": user("x")}, 404),
        ({"model": "provenote"}, 400),
        ({"model": "provenote", "messages": []}, 400),
        ({"model": "provenote", "messages": "x"}, 400),
        ({"model": "provenote", "messages": [3]}, 400),
        ({"model": "provenote", "messages": [{"role": "assistant", "content": "x"}]}, 400),
        ({"model": "provenote", "messages": [{"role": "user", "content": 3}]}, 400),
        ({"model": "provenote", "messages": user("？？")}, 400),
        ({"model": "provenote", "messages": user("x" * 5000)}, 400),
        ({"model": "provenote", "messages": user("x"), "n": 2}, 400),
        ({"model": "provenote", "messages": user("x"), "stream": True, "provenote": {"reports": ["whales"]}}, 400),
        ({"model": "provenote", "messages": user("x"), "provenote": {"path": "/etc"}}, 400),
        ([1], 400),
    ],
)
def test_what_cannot_be_served_is_told_in_openais_form(plainly, body, status):
    request = urllib.request.Request(f"{plainly.base_url}chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    error = json.loads(caught.value.read())["error"]
    assert caught.value.code == status and error["message"] and error["code"] and "Traceback" not in error["message"]


def test_the_real_client_raises_its_own_errors(plainly):
    with pytest.raises(openai.NotFoundError, match="there are provenote"):
        plainly.chat.completions.create(model="gpt-4o", messages=user("x"))


def test_foreign_pages_are_refused(plainly):
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}):
        request = urllib.request.Request(f"{plainly.base_url}models", headers=headers)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == 403


def test_with_a_login_the_key_is_name_and_password(opened):  # noqa: F811
    asked = []

    def login(name, password):
        asked.append(name)
        return (name, password) == ("ann", "secret:word")

    with serving(opened, login) as address:
        for key, right in (("ann:secret:word", True), ("ann:wrong", False), ("ann", False), ("ann:secret:word", True)):
            with openai.OpenAI(base_url=address, api_key=key, max_retries=0) as client:
                if right:
                    assert client.models.list().data
                else:
                    with pytest.raises(openai.AuthenticationError):
                        client.chat.completions.create(model="provenote", messages=user("x"))
    assert asked == ["ann", "ann"]


def test_text_of_reports_cannot_become_a_link_or_an_image():
    nasty = "See ![x](http://canary.example/?q=1) and [more](http://canary.example) <img src=x>."
    citation = Citation(1, "log", "[t](http://canary.example)", "![s](http://canary.example)", 3, 0, 9, nasty, "c", 1.0)
    answer = Answer("q", "q", "en", (Claim(nasty, (1,), "supported"),), (citation,), reason="<b>http://canary.example</b>")
    text = "".join(api.pieces(answer))
    assert "canary" not in text and "](" not in text and "<" not in text and text.startswith("See x and more .[1]")
