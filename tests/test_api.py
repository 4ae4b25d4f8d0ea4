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
from test_llm import GOOD, QUESTION, WRONG, by_words, opened  # noqa: F401  (a fixture)

import rag
from rag.chat import Assistant
from rag.types import Answer, Citation, Claim
from rag.web import api
from rag.web.guard import Guard
from rag.web.schema import ANSWER, CITATION, CLAIM

openai = pytest.importorskip("openai")


@contextmanager
def serving(assistant, login=None):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = Starlette(routes=api.routes(assistant, login), middleware=[Middleware(Guard, also=api.OPEN)])
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
            serving(Assistant(config, opened.encoder, opened.store, opened.reader, by_words)) as address,
            openai.OpenAI(base_url=address, api_key="any", max_retries=0) as client,
        ):
            yield client, upstream


def user(text):
    return [{"role": "user", "content": text}]


def schema(**properties):
    made = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": made}}


def fetched(client, path, method="GET", body=b""):
    """(status, JSON or text) of a route below the root of the server."""
    root = str(client.base_url).removesuffix("v1/")
    request = urllib.request.Request(root + path, body if method == "POST" else None, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            status, said = reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        status, said = error.code, error.read().decode()
    return status, json.loads(said) if said.startswith("{") else said


def test_models(plainly, opened):  # noqa: F811
    assert [model.id for model in plainly.models.list()] == ["provenote"]
    with written(opened, GOOD) as (client, _):
        assert [model.id for model in client.models.list()] == ["provenote", "provenote-llm"]


def test_one_model_can_be_looked_up(plainly):
    assert plainly.models.retrieve("provenote").id == "provenote"
    with pytest.raises(openai.NotFoundError) as caught:
        plainly.models.retrieve("provenote-llm")
    assert caught.value.code == "model_not_found" and caught.value.param == "model"


def test_system_messages_may_stand_anywhere(plainly):
    order = {"role": "system", "content": "Answer from the reports only."}
    plain = plainly.chat.completions.create(model="provenote", messages=user(QUESTION)).choices[0].message.content
    for messages in ([order, *user(QUESTION)], [*user(QUESTION), order], [order, *user(QUESTION), {**order, "role": "developer"}]):
        assert plainly.chat.completions.create(model="provenote", messages=messages).choices[0].message.content == plain


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("v1/embeddings", "POST", 404, "unknown_url"),
        ("v1/completions", "POST", 404, "unknown_url"),
        ("v1", "GET", 404, "unknown_url"),
        ("v1/chat/completions", "GET", 405, "method_not_allowed"),
        ("v1/models", "POST", 405, "method_not_allowed"),
        ("v1/models/provenote", "DELETE", 405, "method_not_allowed"),
        ("v1/models/nobody/else", "GET", 404, "model_not_found"),
    ],
)
def test_what_is_not_served_is_told_in_openais_form(plainly, path, method, status, code):
    told, said = fetched(plainly, path, method, b"{}")
    assert told == status and said["error"]["code"] == code and said["error"]["message"] and said["error"]["type"]


def test_a_request_that_the_guard_stops_is_told_in_openais_form_too(plainly):
    status, said = fetched(plainly, "v1/chat/completions", "POST", b" " * 300_000)
    assert status == 413 and said["error"]["message"] == "too large"


def test_json_is_the_part_of_the_answer_object_that_is_asked_for(plainly):
    pydantic = pytest.importorskip("pydantic")

    class Said(pydantic.BaseModel):
        text: str
        citations: list[int]

    class Wanted(pydantic.BaseModel):
        answer: str
        abstained: bool
        claims: list[Said]

    made = plainly.chat.completions.parse(model="provenote", messages=user(QUESTION), response_format=Wanted).choices[0].message
    assert "4.2 GW" in made.parsed.claims[0].text and made.parsed.claims[0].citations == [1] and not made.parsed.abstained
    assert set(json.loads(made.content)) == {"answer", "abstained", "claims"} and set(json.loads(made.content)["claims"][0]) == {
        "text",
        "citations",
    }
    whole = plainly.chat.completions.create(model="provenote", messages=user(QUESTION), response_format={"type": "json_object"})
    assert json.loads(whole.choices[0].message.content)["citations"] == whole.model_extra["provenote"]["citations"]
    lone = {"model": "provenote", "response_format": schema(answer={"type": "string"})}
    refused = plainly.chat.completions.create(messages=user("火星上有几座寺庙？"), **lone)
    assert json.loads(refused.choices[0].message.content)["answer"].startswith("报告中没有找到答案。")
    streamed = plainly.chat.completions.create(messages=user(QUESTION), stream=True, **lone)
    content = "".join(chunk.choices[0].delta.content or "" for chunk in streamed)
    assert list(json.loads(content)) == ["answer"] and "4.2 GW" in content


def test_the_schema_of_the_answer_is_that_of_answers(opened):  # noqa: F811
    for question in (QUESTION, "火星上有几座寺庙？"):
        answer = json.loads(json.dumps(opened.ask(question).to_dict()))
        assert set(answer) == set(ANSWER["properties"])
        for name, kind in (("claims", CLAIM), ("citations", CITATION), ("nearest", CITATION)):
            assert all(set(each) == set(kind["properties"]) for each in answer[name])


def test_a_stream_that_is_to_count_says_so_in_every_chunk(plainly):
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(plainly.chat.completions.create(model="provenote", messages=user(QUESTION), **options))
    assert all("usage" in chunk.to_dict() and chunk.usage is None for chunk in chunks[:-1]) and chunks[-1].choices == []
    plain = list(plainly.chat.completions.create(model="provenote", messages=user(QUESTION), stream=True))
    assert all(chunk.usage is None for chunk in plain) and plain[-1].choices[0].finish_reason == "stop"


def test_health_and_the_description_of_the_routes(plainly):
    assert fetched(plainly, "health") == (200, {"status": "ok", "version": rag.__version__})
    status, described = fetched(plainly, "openapi.json")
    assert status == 200 and set(described["paths"]) == {"/v1/chat/completions", "/v1/models", "/v1/models/{model}", "/health"}
    status, page = fetched(plainly, "docs")
    assert (
        status == 200
        and "POST" in page
        and "/v1/chat/completions" in page
        and "http" not in page.replace("https", "").split("<h1>")[1][:200]
    )


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
        ({"model": "provenote", "messages": [{"role": "system", "content": "x"}]}, 400),
        ({"model": "provenote", "messages": [*user("x"), {"role": "assistant", "content": "y"}, {"role": "system", "content": "z"}]}, 400),
        ({"model": "provenote", "messages": user("x"), "stream": "yes"}, 400),
        ({"model": "provenote", "messages": user("x"), "tool_choice": "required"}, 400),
        ({"model": "provenote", "messages": user("x"), "modalities": ["audio"]}, 400),
        ({"model": "provenote", "messages": user([{"type": "image_url", "image_url": {"url": "http://x"}}])}, 400),
        ({"model": "provenote", "messages": user("x"), "response_format": {"type": "xml"}}, 400),
        ({"model": "provenote", "messages": user("x"), "response_format": schema(colour={"type": "string"})}, 400),
        ({"model": "provenote", "messages": user("x"), "response_format": schema(answer={"type": "integer"})}, 400),
        ({"model": "provenote", "messages": user("x"), "response_format": schema(answer={"type": "string", "maxLength": 3})}, 400),
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
