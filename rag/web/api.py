"""The reports as a model for programs that speak OpenAI's chat completions: `/v1/models` and `/v1/chat/completions`, streamed and not.

The text of a completion is plain sentences with [n] markers; what makes them checkable stands in the extra field `provenote`, which is
`Answer.to_dict()`. Gave up on everything that steers a model (temperature, tools, several choices): there is one answer, from the reports.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from rag.chat import Assistant, Event, Finished, Said, Withdrawn
from rag.errors import IndexDamaged, NothingIndexed, RagError, UsageError
from rag.llm.text import plain
from rag.text.tokens import count_tokens
from rag.types import SOUND, Answer, Claim
from rag.web import health, openapi
from rag.web.asked import FORMER, LONGEST_NAME, MODEL, WRITTEN, Asked, Refused, no_model
from rag.web.guard import Throttle
from rag.web.schema import chosen

AT_ONCE = 8
"""Questions answered at the same time; further ones wait."""
WAITING = 64
"""Questions that may wait; further ones are refused."""
EVERY = 10.0
"""Seconds after which a stream that has nothing to say shows that it lives."""

OPEN = ("v1", "health", "docs", "openapi.json")
"""First parts of the paths that are served."""
METHODS = {"/v1/models": "GET", "/v1/models/{model}": "GET", "/v1/chat/completions": "POST"}
log = logging.getLogger("provenote.api")


def routes(assistant: Assistant, login: Callable[[str, str], bool] | None = None) -> list[Route]:
    """Everything for programs over one assistant. With a `login` the key of a request must be "name:password"."""
    server = _Server(assistant, login)
    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return [
        health.route(assistant),
        *openapi.routes(login is not None),
        Route("/v1/models", server.models, methods=["GET"]),
        Route("/v1/models/{model:path}", server.model, methods=["GET"]),
        Route("/v1/chat/completions", server.completions, methods=["POST"]),
        Route("/v1", server.unknown, methods=every),
        Route("/v1/{rest:path}", server.unknown, methods=every),
    ]


class _Server:
    def __init__(self, assistant: Assistant, login: Callable[[str, str], bool] | None):
        self._assistant, self._login = assistant, login
        self._throttle, self._known = Throttle(), set[bytes]()
        self._turns, self._waiting = anyio.Semaphore(AT_ONCE), 0

    @property
    def _models(self) -> tuple[str, ...]:
        return (MODEL, WRITTEN) if self._assistant.model else (MODEL,)

    async def models(self, request: Request) -> Response:
        try:
            await self._admit(request)
        except Refused as refused:
            return refused.response()
        return JSONResponse({"object": "list", "data": [_model(name) for name in self._models]})

    async def model(self, request: Request) -> Response:
        try:
            await self._admit(request)
            name = FORMER.get(request.path_params["model"], request.path_params["model"])
            if name not in self._models:
                raise no_model(name, self._models)
        except Refused as refused:
            return refused.response()
        return JSONResponse(_model(name))

    async def unknown(self, request: Request) -> Response:
        """What is not served, in OpenAI's form: another method for a route that there is, or no such route."""
        try:
            await self._admit(request)
        except Refused as refused:
            return refused.response()
        path = "/" + request.url.path.strip("/")
        route = "/v1/models/{model}" if path.startswith("/v1/models/") else path
        if route in METHODS and request.method != METHODS[route]:
            return Refused(405, f"{route} takes {METHODS[route]}, not {request.method}", "method_not_allowed").response(
                allow=METHODS[route]
            )
        known = ", ".join(f"{method} {name}" for name, method in METHODS.items())
        return Refused(404, f"there is no {request.method} {path[:LONGEST_NAME]}; there are {known}", "unknown_url").response()

    async def completions(self, request: Request) -> Response:
        try:
            await self._admit(request)
            try:
                body = json.loads(await request.body())
            except (ValueError, RecursionError):
                raise Refused(400, "the body is not JSON", "invalid_body") from None
            asked = Asked.read(body, self._models)
            if self._waiting >= WAITING:
                raise Refused(429, "too many questions are waiting: ask again in a moment", "overloaded", "rate_limit_error")
            events = self._events(request, asked)
            try:
                first = await anext(events)  # what is wrong with the question shows before the first byte
            except Exception as error:
                raise _refusal(error) from None
            if asked.stream:
                return StreamingResponse(
                    _stream(asked, first, events), media_type="text/event-stream", headers={"cache-control": "no-store"}
                )
            try:
                answer = first.answer if isinstance(first, Finished) else None
                async for event in events:
                    answer = event.answer if isinstance(event, Finished) else answer
            except Exception as error:
                raise _refusal(error) from None
            if answer is None:  # whoever asked has gone away
                return Response(status_code=499)
            return JSONResponse(completion(asked, answer))
        except Refused as refused:
            return refused.response()

    async def _admit(self, request: Request) -> None:
        """Raises Refused for a key that is wrong. A key that was right once costs no scrypt again."""
        if self._login is None:
            return
        client = request.client.host if request.client else ""
        key = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        if digest in self._known:
            return
        if self._throttle.holds(client):
            raise Refused(429, "too many wrong keys: wait a few minutes", "rate_limit_exceeded", "rate_limit_error")
        name, _, password = key.partition(":")
        right = bool(password) and await anyio.to_thread.run_sync(self._login, name, password)
        self._throttle.note(client, right)
        if not right:
            raise Refused(401, "the key must be name:password of someone who may read the reports", "invalid_api_key")
        self._known.add(digest)

    async def _events(self, request: Request, asked: Asked) -> AsyncIterator[Event]:
        """The assistant's events; ends early, and ends an LLM's request, when whoever asked has gone away."""
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        wanted = {"llm": True} if asked.model == WRITTEN else {}
        events = self._assistant.stream(asked.question, history=asked.history, only=asked.only, **wanted)
        try:
            while (event := await anyio.to_thread.run_sync(next, events, None)) is not None:
                yield event
                if await request.is_disconnected():
                    return
        finally:
            events.close()  # type: ignore[attr-defined]
            self._turns.release()


def completion(asked: Asked, answer: Answer) -> dict[str, Any]:
    """A whole completion."""
    content = "".join(_content(asked, answer))
    return {
        **_head("chat.completion", asked),
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content, "refusal": None}, "finish_reason": "stop", "logprobs": None}
        ],
        "usage": _usage(asked, content),
        "provenote": answer.to_dict(),
    }


def _content(asked: Asked, answer: Answer) -> Iterator[str]:
    """The text of a completion as it is asked for: prose, or the answer object as JSON."""
    if asked.schema is None:
        yield from pieces(answer)
        return
    made = chosen(asked.schema, answer.to_dict())
    if answer.abstained and "answer" in made and not made.keys() & {"abstained", "reason"}:
        made["answer"] = "".join(pieces(answer))  # whoever asks for nothing but the answer must be told that there is none
    yield json.dumps(made, ensure_ascii=False)


def pieces(answer: Answer) -> Iterator[str]:
    """The text of a completion, sentence by sentence: claims with markers, the reason if there is one, and what the markers stand for.

    Nothing of it is a link, an image or a tag, since whoever shows it may well render Markdown.
    """
    zh = answer.language == "zh"
    if answer.abstained:
        yield ("报告中没有找到答案。" if zh else "Not found in the reports. ") + plain(answer.reason)
        return
    headed = any(claim.heading for claim in answer.claims)
    above = ""
    for place, claim in enumerate(answer.claims):
        heading = f"{plain(claim.heading)}\n" if claim.heading and claim.heading != above else ""
        above = claim.heading
        item = "- " if headed and above else ""
        yield ("" if not place else "\n" if headed else _between(answer)) + heading + item + sentence(claim, zh)
    if answer.reason:
        yield f"\n\n{plain(answer.reason)}"
    if answer.citations:
        yield "\n"
    for citation in answer.citations:
        page = "" if citation.page is None else f"第 {citation.page} 页" if zh else f"p. {citation.page}"
        yield f"\n[{citation.n}] " + " · ".join(part for part in (plain(citation.title), plain(citation.section), page) if part)


def sentence(claim: Claim, zh: bool) -> str:
    """A claim as text: struck through when its source does not support it, with the reason.

    >>> sentence(Claim("It is 80 m tall.", (1,), "unsupported", "the figure 80 m is not there"), False)
    '~~It is 80 m tall.~~[1] (not supported: the figure 80 m is not there)'
    """
    text = plain(claim.text) + "".join(f"[{n}]" for n in claim.citations)
    if claim.verdict in SOUND:
        return text
    word = {
        "unsupported": "原文不支持" if zh else "not supported",
        "partial": "部分有据" if zh else "partly supported",
        "uncited": "没有引用" if zh else "no source",
    }[claim.verdict]
    if claim.verdict == "unsupported":
        text = f"~~{plain(claim.text)}~~" + "".join(f"[{n}]" for n in claim.citations)
    why = f"：{claim.why}" if zh and claim.why else f": {claim.why}" if claim.why else ""
    return f"{text}（{word}{why}）" if zh else f"{text} ({word}{why})"


def _between(answer: Answer) -> str:
    return "\n" if answer.listed else "" if answer.language == "zh" else " "


async def _stream(asked: Asked, first: Event, events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """Server-sent events: a sentence of an LLM as soon as it is checked, never before; an extract whole."""
    head = _head("chat.completion.chunk", asked) | ({"usage": None} if asked.usage else {})
    aloud = asked.model == WRITTEN and asked.schema is None

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}], **more})

    yield chunk({"role": "assistant", "content": ""})
    sent, shown, written = time.monotonic(), 0, ""
    try:
        event: Event | None = first
        while event is not None:
            text = ""
            if isinstance(event, Said) and aloud:
                zh = _is_zh(asked.question)
                text = ("" if not shown or zh else " ") + sentence(event.claim, zh)
                shown += 1
            elif isinstance(event, Withdrawn) and aloud:
                text, shown = f"\n\n{plain(event.reason)}\n\n", 0
            elif isinstance(event, Finished):
                for text in list(_content(asked, event.answer))[shown:]:
                    written += text
                    yield chunk({"content": text})
                yield chunk({}, "stop", provenote=event.answer.to_dict())
                if asked.usage:
                    yield _event({**head, "choices": [], "usage": _usage(asked, written)})
                yield b"data: [DONE]\n\n"
                return
            if text:
                written, sent = written + text, time.monotonic()
                yield chunk({"content": text})
            elif time.monotonic() - sent > EVERY:
                sent = time.monotonic()
                yield b": waiting\n\n"
            event = await anext(events, None)
    except Exception as error:
        refused = _refusal(error)
        yield _event(refused.body)
    finally:
        await events.aclose()  # type: ignore[attr-defined]


def _refusal(error: Exception) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, UsageError):
        return Refused(400, str(error), "invalid_question")
    if isinstance(error, IndexDamaged | NothingIndexed):
        return Refused(503, "the index cannot answer now: run rag doctor", "index_unavailable", "server_error")
    log.warning("question failed: %s", error, exc_info=not isinstance(error, RagError))
    return Refused(500, "no answer this time: the details are in the log", "internal_error", "server_error")


def _is_zh(text: str) -> bool:
    from rag.search.question import language_of

    return language_of(text) == "zh"


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "provenote"}


def _head(kind: str, asked: Asked) -> dict[str, Any]:
    now = time.time()
    return {"id": f"chatcmpl-{int(now * 1e6):x}", "object": kind, "created": int(now), "model": asked.model}


def _usage(asked: Asked, content: str) -> dict[str, int]:
    """By our own count of tokens."""
    prompt = count_tokens("\n".join([asked.question, *(f"{turn.question}\n{turn.answer}" for turn in asked.history)]))
    written = count_tokens(content)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode("utf-8", "replace")
