"""Provenote as a model for programs that speak OpenAI's chat completions: `/v1/models` and `/v1/chat/completions`, streamed and not.

The text of a completion is plain sentences with [n] markers; what makes them checkable stands in the extra field `provenote`, which is
`Answer.to_dict()`. Gave up on everything that steers a model (temperature, tools, several choices): there is one answer, from the reports.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from rag.chat import Assistant, Event, Finished, Said, Withdrawn
from rag.errors import IndexDamaged, NothingIndexed, RagError, UsageError
from rag.llm.stream import plain
from rag.text.tokens import count_tokens
from rag.types import Answer, Claim, Filter, Turn
from rag.web.guard import Throttle

MODEL = "provenote"
"""Answers by extracts."""
WRITTEN = "provenote-llm"
"""Answers that the configured LLM writes."""
AT_ONCE = 8
"""Questions answered at the same time; further ones wait."""
WAITING = 64
"""Questions that may wait; further ones are refused."""
EVERY = 10.0
"""Seconds after which a stream that has nothing to say shows that it lives."""

log = logging.getLogger("provenote.api")


def routes(assistant: Assistant, login: Callable[[str, str], bool] | None = None) -> list[Route]:
    """The two routes over one assistant. With a `login` the key of a request must be "name:password"."""
    server = _Server(assistant, login)
    return [
        Route("/v1/models", server.models, methods=["GET"]),
        Route("/v1/chat/completions", server.completions, methods=["POST"]),
    ]


class Refused(Exception):
    """A request that is answered with an error in OpenAI's form."""

    def __init__(self, status: int, message: str, code: str, kind: str = "invalid_request_error"):
        super().__init__(message)
        self.status, self.code, self.kind = status, code, kind

    def response(self) -> Response:
        body = {"error": {"message": str(self), "type": self.kind, "param": None, "code": self.code}}
        return JSONResponse(body, self.status, headers={"retry-after": "5"} if self.status == 429 else None)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    model: str
    question: str
    history: tuple[Turn, ...]
    only: Filter | None
    stream: bool
    usage: bool
    """Whether a stream ends with the count of its tokens."""

    @classmethod
    def read(cls, body: Any, models: tuple[str, ...]) -> Asked:
        """Raises Refused for what cannot be served; what only steers a model is ignored."""
        if not isinstance(body, dict):
            raise Refused(400, "the body is not a JSON object", "invalid_body")
        model = body.get("model") or MODEL
        if model not in models:
            raise Refused(404, f"the model {str(model)[:60]!r} does not exist; there are {', '.join(models)}", "model_not_found")
        if body.get("n") not in (None, 1):
            raise Refused(400, "n must be 1: there is one answer", "unsupported_value")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refused(400, "messages must be a list that ends with a message of the user", "invalid_messages")
        turns: list[tuple[str, str]] = []
        for message in messages:
            role = message.get("role") if isinstance(message, dict) else None
            if role in ("system", "developer", "tool", "function"):
                continue  # the reports answer, whatever one tells them to be
            if role not in ("user", "assistant"):
                raise Refused(400, f"a message has the role {str(role)[:20]!r}: use user, assistant or system", "invalid_messages")
            text = _text(message.get("content"))
            if role == "user":
                turns.append((text, ""))
            elif turns:
                turns[-1] = (turns[-1][0], text)
        if not turns or messages[-1].get("role") != "user":
            raise Refused(400, "the last message must be of the user", "invalid_messages")
        options = body.get("stream_options")
        return cls(
            model=model,
            question=turns[-1][0],
            history=tuple(Turn(question, _said(answer)) for question, answer in turns[:-1]),
            only=_filter(body.get("provenote")),
            stream=body.get("stream") is True,
            usage=isinstance(options, dict) and options.get("include_usage") is True,
        )


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
        made = [{"id": name, "object": "model", "created": 0, "owned_by": "provenote"} for name in self._models]
        return JSONResponse({"object": "list", "data": made})

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
    content = "".join(pieces(answer))
    return {
        **_head("chat.completion", asked),
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content, "refusal": None}, "finish_reason": "stop", "logprobs": None}
        ],
        "usage": _usage(asked, content),
        "provenote": answer.to_dict(),
    }


def pieces(answer: Answer) -> Iterator[str]:
    """The text of a completion, sentence by sentence: claims with markers, the reason if there is one, and what the markers stand for.

    Nothing of it is a link, an image or a tag, since whoever shows it may well render Markdown.
    """
    zh = answer.language == "zh"
    if answer.abstained:
        yield ("报告中没有找到答案。" if zh else "Not found in the reports. ") + plain(answer.reason)
        return
    for place, claim in enumerate(answer.claims):
        yield ("" if not place else _between(answer)) + sentence(claim, zh)
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
    if claim.verdict in ("quoted", "supported"):
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
    if answer.mode == "extractive":
        return "\n" if len(answer.claims) > 3 else "" if answer.language == "zh" else " "
    return "" if answer.language == "zh" else " "


async def _stream(asked: Asked, first: Event, events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """Server-sent events: a sentence of an LLM as soon as it is checked, never before; an extract whole."""
    head = _head("chat.completion.chunk", asked)

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}], **more})

    yield chunk({"role": "assistant", "content": ""})
    sent, shown, written = time.monotonic(), 0, ""
    try:
        event: Event | None = first
        while event is not None:
            text = ""
            if isinstance(event, Said) and asked.model == WRITTEN:
                zh = _is_zh(asked.question)
                text = ("" if not shown or zh else " ") + sentence(event.claim, zh)
                shown += 1
            elif isinstance(event, Withdrawn):
                text, shown = f"\n\n{plain(event.reason)}\n\n", 0
            elif isinstance(event, Finished):
                for text in list(pieces(event.answer))[shown:]:
                    written += text
                    yield chunk({"content": text})
                usage = {"usage": None} if asked.usage else {}
                yield chunk({}, "stop", provenote=event.answer.to_dict(), **usage)
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
        yield _event({"error": {"message": str(refused), "type": refused.kind, "code": refused.code}})
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


def _text(content: Any) -> str:
    """The text of a message: a string, or the texts of its parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "\n".join(part for part in parts if isinstance(part, str))
    if content is None:
        return ""
    if not isinstance(content, str):
        raise Refused(400, "the content of a message must be text", "invalid_messages")
    return content


def _said(answer: str) -> str:
    """An earlier completion without the list of its sources."""
    return answer.split("\n\n[1] ")[0]


def _filter(wanted: Any) -> Filter | None:
    """The extra field `provenote` of a request: {"reports": [...], "publisher", "year", "language"}."""
    if wanted is None:
        return None
    fits = {"reports": list, "publisher": str, "year": int, "language": str}
    if not isinstance(wanted, dict) or not all(name in fits and isinstance(value, fits[name]) for name, value in wanted.items()):
        raise Refused(400, f"provenote may hold {', '.join(fits)}, reports as a list of ids", "invalid_filter")
    if not all(isinstance(name, str) for name in wanted.get("reports", ())):
        raise Refused(400, "reports must be a list of ids", "invalid_filter")
    return Filter(**{**wanted, "reports": tuple(wanted.get("reports", ()))})


def _is_zh(text: str) -> bool:
    from rag.search.question import language_of

    return language_of(text) == "zh"


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
