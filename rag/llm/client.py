"""Passages to streamed prose through any OpenAI-compatible endpoint. Nothing it sends back is believed here: see `rag.llm.stream`.

A request runs on an event loop in a thread of its own, so that a total deadline and Stop work at any moment, also before the first byte.
Gave up on tools, images, several choices and every retry that could bill twice: a request is sent again only when nothing of an answer came.
"""

from __future__ import annotations

import asyncio
import json
import queue
import random
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from rag.config import Config
from rag.errors import UsageError
from rag.llm.address import Forbidden, TooMuch, host_of, transport_class
from rag.llm.failures import Failure
from rag.llm.patience import KNOWN, Patience, Speed
from rag.llm.prompts import CUT, REWRITE, TURNS, Prompt, conversation, kept, token_counter
from rag.llm.text import THINKING, VOID, Sieve
from rag.text.tokens import count_tokens
from rag.types import Turn

if TYPE_CHECKING:
    import openai

    from rag.llm.prompts import Source

ANSWER_TOKENS = 900
"""Most tokens that an answer may have."""
THOUGHT_TOKENS = 6000
"""The same for a model that has been seen to think first, at most half of its context."""
QUESTION_TOKENS = 160
"""Most tokens that a rewritten question may have."""
MOST_CHARACTERS = 10_000
"""Of one answer; a model that goes on is broken. At three bytes a character it stays below 32 kB."""
MOST_RECEIVED = 60_000
"""The same with what it thinks aloud."""
TRIES = 3
BEAT = 0.2
"""Seconds after which a waiting caller gets control."""

_OVERFLOW = re.compile(r"context|too (?:long|many tokens)|maximum.{0,20}(?:length|tokens)|max_model_len|n_ctx|exceed", re.IGNORECASE)
_UNWANTED = re.compile(
    r"unsupported|not supported|does not support|unrecognized|unknown|only the default|not permitted|use '", re.IGNORECASE
)


class Writer:
    """Writes answers and rewrites questions with one model at one endpoint. Safe to use from several threads."""

    def __init__(self, base_url: str, model: str, key: str = "", *, context: int = 8192, patience: Patience = Patience()):
        """`context` is how many tokens the model reads and writes in all. Raises UsageError when the address is none that may be asked."""
        self.host = host_of(base_url)
        self.base_url, self.model = base_url, model
        self.context, self.patience = context, patience
        self.name = (base_url, model)
        self._key = key
        self._count = token_counter(model)

    @classmethod
    def from_config(cls, config: Config) -> Writer:
        """The writer that the configuration names. Raises UsageError that says what to set."""
        for name in ("llm_base_url", "llm_model"):
            if not getattr(config, name):
                raise UsageError(f"{name} is not set: name it in rag.toml or as RAG_{name.upper()}, or ask without an LLM")
        patience = Patience.of(config.llm_timeout, config.llm_wait)
        return cls(config.llm_base_url, config.llm_model, config.llm_api_key, context=config.llm_context, patience=patience)

    def __repr__(self) -> str:
        return f"Writer({self.model!r} at {self.host})"

    @property
    def speed(self) -> Speed | None:
        """What the endpoint has shown in this process; None before its first answer."""
        return KNOWN.speed(self.name)

    def prompt(
        self,
        question: str,
        sources: Sequence[Source],
        history: Sequence[Turn],
        language: str,
        best: Sequence[tuple[str, int]] = (),
        share: float = 1.0,
    ) -> Prompt:
        """What the model is sent: as much as its context holds and its speed allows. Raises Failure when nothing fits; `share` halves the room.

        `best` are the places (document, start) of sentences, best first, that go in where there is no room for whole passages.
        """
        speed = self.speed
        rooms = ((share * (self.context - self._answer_tokens()), self._count), (share * self.patience.room(speed), count_tokens))
        messages = conversation(question, sources, history if share == 1 else (), language, rooms=rooms, best=best)
        if messages is None:  # however slow it is, one passage must go in
            messages = conversation(question, sources, (), language, rooms=rooms[:1], best=best[:1])
        if messages is None:
            raise Failure("context", host=self.host)
        return self._sized(messages)

    def write(self, prompt: Prompt, smaller: Callable[[], Prompt] | None = None) -> Iterator[str]:
        """The answer as it comes, piece by piece, with "" every now and then while nothing comes. Closing it ends the request.

        Raises Failure, also after some pieces. `smaller` makes the prompt that is tried once where the first does not fit.
        """
        try:
            yield from self._pieces(prompt, self._answer_tokens())
        except Failure as failure:
            if failure.name == "context" and smaller:
                yield from self._pieces(smaller(), self._answer_tokens())
            elif failure.name == "thought" and not KNOWN.manners(self.name).thinks:
                KNOWN.learn(self.name, thinks=True)
                yield from self._pieces(prompt, self._answer_tokens())
            else:
                raise

    def rewrite(self, question: str, history: Sequence[Turn]) -> Iterator[str]:
        """The question as it would be asked without the turns before it; pieces as of `write`."""
        from rag.search.question import language_of

        language = language_of(question)
        lines = [f"{'问' if language == 'zh' else 'Q'}: {turn.query or turn.question}\n{kept(turn.answer)}" for turn in history[-TURNS:]]
        messages = (
            {"role": "system", "content": REWRITE[language]},
            {"role": "user", "content": "\n\n".join([*lines, f"{'最后一个问题' if language == 'zh' else 'Last question'}: {question}"])},
        )
        thinks = KNOWN.manners(self.name).thinks
        yield from self._pieces(self._sized(messages), self._answer_tokens() if thinks else QUESTION_TOKENS)

    def say(self, text: str, most_tokens: int) -> Iterator[str]:
        """What the model says to one message; pieces as of `write`."""
        yield from self._pieces(self._sized(({"role": "user", "content": text},)), most_tokens)

    def _sized(self, messages: tuple[dict[str, str], ...]) -> Prompt:
        tokens, speed = sum(count_tokens(message["content"]) for message in messages), self.speed
        return Prompt(messages, tokens, tokens / speed.reads if speed else None)

    def _answer_tokens(self) -> int:
        return min(THOUGHT_TOKENS, self.context // 2) if KNOWN.manners(self.name).thinks else ANSWER_TOKENS

    def _pieces(self, prompt: Prompt, most_tokens: int) -> Iterator[str]:
        """Runs one request on the loop and hands over what it puts into the inbox; closing this cancels the request at once."""
        inbox: queue.SimpleQueue[str | Failure | None] = queue.SimpleQueue()
        running = asyncio.run_coroutine_threadsafe(self._request(prompt, most_tokens, inbox.put), loop())
        try:
            while True:
                try:
                    item = inbox.get(timeout=BEAT)
                except queue.Empty:
                    yield ""
                    continue
                if item is None:
                    return
                if isinstance(item, Failure):
                    raise item
                yield item
        finally:
            running.cancel()

    async def _request(self, prompt: Prompt, most_tokens: int, put: Callable[[str | Failure | None], None]) -> None:
        """Puts pieces, then None or the Failure."""
        patience = self.patience.expecting(prompt.seconds)
        try:
            async with asyncio.timeout(patience.total):
                await self._tries(prompt, patience, most_tokens, put)
            put(None)
        except TimeoutError:
            put(Failure("slow", host=self.host, what="total", seconds=self.patience.total))
        except Failure as failure:
            put(failure)
        except Exception:  # whatever a library made of an odd endpoint; its words may quote the request
            put(Failure("garbage", host=self.host))

    async def _tries(self, prompt: Prompt, patience: Patience, most_tokens: int, put: Callable[[str], None]) -> None:
        import httpx2
        import openai

        async with self.client() as client:
            for attempt in range(TRIES):
                try:
                    return await self._once(client, prompt, patience, most_tokens, put)
                except (TooMuch, Forbidden) as error:
                    raise Failure("endless" if isinstance(error, TooMuch) else "forbidden", host=self.host) from None
                except openai.APITimeoutError as error:
                    connecting = isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
                    what = "connect" if connecting else "first"
                    raise Failure("slow", host=self.host, what=what, seconds=getattr(patience, what)) from None
                except openai.APIStatusError as error:
                    failure, asked = self.failure_of(error), _seconds(error.response.headers.get("retry-after"))
                    again = error.status_code == 429 or error.status_code >= 500
                    if self._learnt(error):
                        again, asked = True, 0.0
                except openai.APIConnectionError as error:
                    if isinstance(error.__cause__, TooMuch | Forbidden):
                        name = "endless" if isinstance(error.__cause__, TooMuch) else "forbidden"
                        raise Failure(name, host=self.host) from None
                    connecting = isinstance(error.__cause__, httpx2.ConnectError)
                    failure, asked = Failure("unreachable" if connecting else "cut", host=self.host), None
                    again = connecting
                except openai.APIError:
                    raise Failure("failed", host=self.host) from None
                except (httpx2.HTTPError, httpx2.StreamError):
                    raise Failure("cut", host=self.host) from None
                except (ValueError, TypeError, AttributeError, KeyError):  # JSON and UTF-8 that are none, fields of another shape
                    raise Failure("garbage", host=self.host) from None
                pause = asked if asked is not None else self.patience.pause * 2**attempt * random.uniform(0.75, 1.25)
                if not again or attempt == TRIES - 1 or pause > self.patience.pause_asked:
                    raise failure
                await asyncio.sleep(pause)

    def _learnt(self, error: openai.APIStatusError) -> bool:
        """Whether a refusal names a parameter that can be left out or called otherwise from now on."""
        said, manners = json.dumps(error.body, default=str)[:2000], KNOWN.manners(self.name)
        if error.status_code not in (400, 422) or not _UNWANTED.search(said):
            return False
        if "max_completion_tokens" in said and manners.limit == "max_tokens":
            KNOWN.learn(self.name, limit="max_completion_tokens")
        elif "temperature" in said and manners.temperature:
            KNOWN.learn(self.name, temperature=False)
        else:
            return False
        return True

    def failure_of(self, error: openai.APIStatusError) -> Failure:
        status = error.status_code
        if status in (400, 413, 422) and _OVERFLOW.search(json.dumps(error.body, default=str)[:2000]):
            return Failure("context", host=self.host)
        if 300 <= status < 400:
            return Failure("moved", host=self.host)
        name = {401: "key", 403: "key", 404: "missing", 429: "busy"}.get(status, "broken" if status >= 500 else "refused")
        return Failure(name, host=self.host, status=status, model=self.model)

    async def _once(
        self, client: openai.AsyncOpenAI, prompt: Prompt, patience: Patience, most_tokens: int, put: Callable[[str], None]
    ) -> None:
        """One request from its first to its last byte."""
        manners, heard, sieve = KNOWN.manners(self.name), _Heard(), Sieve()
        limit: dict[str, Any] = {manners.limit: most_tokens} | ({"temperature": 0} if manners.temperature else {})
        async with _within(patience.first, lambda: Failure("slow", host=self.host, what="first", seconds=patience.first)):
            stream = await client.chat.completions.create(model=self.model, messages=list(prompt.messages), stream=True, **limit)
        try:
            chunks: AsyncIterator[Any] = aiter(stream) if _streams(stream) else _whole(stream)
            while True:
                seconds, what = (patience.gap, "gap") if heard.first else (patience.first, "first")
                async with _within(seconds, lambda what=what, seconds=seconds: Failure("slow", host=self.host, what=what, seconds=seconds)):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                for choice in chunk.choices[:1]:
                    for part in heard.delta(choice, sieve, self.host):
                        put(part)
                heard.began = True
            for part in heard.counted(sieve.finish(), self.host):
                put(part)
        finally:
            with suppress(Exception):
                await stream.close()
        if heard.ended == "content_filter":
            raise Failure("filtered", host=self.host)
        if not heard.written:
            thought = heard.ended == "length" and (heard.reasoned or sieve.thought)
            raise Failure("thought" if thought else "silent" if heard.began else "garbage", host=self.host)
        if not heard.ended and not stream.response.extensions.get("heard"):  # several servers end with [DONE] and give no reason
            raise Failure("cut", host=self.host)
        KNOWN.measured(self.name, heard.speed(prompt.tokens), prompt.tokens, count_tokens(heard.text))
        if heard.ended == "length":
            put(CUT)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[openai.AsyncOpenAI]:
        """A client that goes to the configured origin and nowhere else: no proxy of the environment, no redirect."""
        import httpx2
        import openai

        secure = self.base_url.startswith("https")
        wait = httpx2.Timeout(self.patience.total, connect=self.patience.connect)
        transport = transport_class()(verify=_certificates() if secure else False, trust_env=False)
        http = httpx2.AsyncClient(transport=transport, timeout=wait, follow_redirects=False, trust_env=False)
        client = openai.AsyncOpenAI(base_url=self.base_url, api_key=self._key or "none", max_retries=0, timeout=wait, http_client=http)
        client.organization = client.project = None  # of the environment, and meant for another endpoint
        async with client:
            yield client


@dataclass(slots=True)
class _Heard:
    """What has come of one answer."""

    sent: float = 0.0
    first: float = 0.0
    """When the first word came, of thoughts too: some servers send an empty chunk before they read the prompt."""
    began: bool = False
    received: int = 0
    written: int = 0
    reasoned: bool = False
    ended: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        self.sent = time.perf_counter()

    def delta(self, choice: Any, sieve: Sieve, host: str) -> list[str]:
        """What of one chunk is handed on. Raises Failure for one of another shape and for too much."""
        self.ended = choice.finish_reason or self.ended
        text = choice.delta.content if choice.delta else None
        if text is not None and not isinstance(text, str):
            raise Failure("garbage", host=host)
        more = (getattr(choice.delta, "model_extra", None) or {}) if choice.delta else {}
        thinks = bool(more.get("reasoning_content") or more.get("reasoning")) and not self.reasoned
        self.reasoned = self.reasoned or thinks
        if text or thinks:
            self.first = self.first or time.perf_counter()
        self.received += len(text or "")
        self.text += text or ""
        if self.received > MOST_RECEIVED:
            raise Failure("endless", host=host)
        return self.counted([*([THINKING] if thinks else ()), *(sieve.feed(text) if text else ())], host)

    def counted(self, parts: list[str], host: str) -> list[str]:
        """The same parts. Raises Failure where there are too many of them."""
        for part in parts:
            self.written = 0 if part == VOID else self.written + (0 if part == THINKING else len(part.strip()))
        if self.written > MOST_CHARACTERS:
            raise Failure("endless", host=host)
        return parts

    def speed(self, tokens: int) -> Speed:
        """What this answer tells of the endpoint."""
        writing = time.perf_counter() - self.first
        written = count_tokens(self.text)
        return Speed(tokens / max(self.first - self.sent, 1e-3), written / writing if writing > 0.05 and written > 8 else 0.0)


def _streams(stream: Any) -> bool:
    return not str(stream.response.headers.get("content-type", "")).lower().startswith("application/json")


async def _whole(stream: Any) -> AsyncIterator[Any]:
    """The one chunk that a server sends which does not stream. Raises ValueError, KeyError or TypeError for one of another shape."""
    from openai.types.chat import ChatCompletionChunk

    choice = json.loads(await stream.response.aread())["choices"][0]
    stream.response.extensions["heard"] = True
    made = {"index": 0, "delta": {"content": choice["message"]["content"]}, "finish_reason": choice.get("finish_reason")}
    yield ChatCompletionChunk.model_validate({"id": "", "object": "chat.completion.chunk", "created": 0, "model": "", "choices": [made]})


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After header in seconds; None when it is absent or a date."""
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None


@asynccontextmanager
async def _within(seconds: float, failure: Callable[[], Failure]) -> AsyncIterator[None]:
    """Turns only its own time-out into the failure; the one of the whole request passes through."""
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            yield
    except TimeoutError:
        if clock.expired():
            raise failure() from None
        raise


@cache
def loop() -> asyncio.AbstractEventLoop:
    """The loop on which all requests run, in a thread that ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="llm", daemon=True).start()
    return loop


@cache
def _certificates() -> Any:
    import ssl

    return ssl.create_default_context()
