"""Setting up an endpoint: where the usual servers listen, which models one has, and how fast it turns out to be."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from rag.errors import UsageError
from rag.llm.address import Forbidden, TooMuch
from rag.llm.client import Writer, loop
from rag.llm.failures import Failure
from rag.text.tokens import count_tokens

PRESETS: Mapping[str, str] = {
    "Ollama": "http://127.0.0.1:11434/v1",
    "llama.cpp": "http://127.0.0.1:8080/v1",
    "vLLM": "http://127.0.0.1:8000/v1",
    "LM Studio": "http://127.0.0.1:1234/v1",
    "OpenAI": "https://api.openai.com/v1",
    "DeepSeek": "https://api.deepseek.com/v1",
    "Qwen / DashScope": "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "OpenRouter": "https://openrouter.ai/api/v1",
}
"""Servers by name; any other address will do as well."""
MOST_MODELS = 1000
LONGEST_ID = 200
LIST_SECONDS = 15.0
TEST_TOKENS = 64
_CONTEXTS = ("loaded_context_length", "max_model_len", "context_length", "context_window", "max_context_length", "n_ctx", "n_ctx_train")
"""How servers call the length of a model's context, what holds now before what it was made for."""
_FACTS = "\n".join(f"Station {number} has {number * 7 % 50 + 3} turbines and was built in {1950 + number}." for number in range(1, 33))
_ASKED, _RIGHT = "In one short sentence: how many turbines has station 7?", "52"


@dataclass(frozen=True, slots=True)
class Model:
    """One model of an endpoint; `context` in tokens, None where the server does not say."""

    id: str
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a short question to an endpoint showed."""

    first_word: float
    """Seconds."""
    reads: float
    """Tokens a second, by our own count, with the way there and back."""
    writes: float
    """The same of what it wrote; 0 where too little came to tell."""
    context: int | None
    right: bool
    """Whether it gave the figure that it was asked for."""


def list_models(writer: Writer) -> tuple[Model, ...]:
    """The models of the writer's endpoint, as /models tells them. Raises Failure."""
    try:
        found = asyncio.run_coroutine_threadsafe(_models(writer), loop()).result(LIST_SECONDS + 5)
    except TimeoutError:
        raise Failure("slow", host=writer.host, what="first", seconds=LIST_SECONDS) from None
    entries = found.get("data", found.get("models")) if isinstance(found, dict) else found
    if not isinstance(entries, list):
        raise Failure("garbage", host=writer.host)
    made = []
    for entry in entries[:MOST_MODELS]:
        name = entry.get("id") or entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and name.isprintable() and len(name) <= LONGEST_ID:
            made.append(Model(name, _context(entry)))
    return tuple(sorted(made, key=lambda model: model.id.lower()))


async def _models(writer: Writer) -> Any:
    import openai

    try:
        async with asyncio.timeout(LIST_SECONDS), writer.client() as client:
            return await client.get("/models", cast_to=object)
    except TimeoutError:
        raise Failure("slow", host=writer.host, what="first", seconds=LIST_SECONDS) from None
    except openai.APIStatusError as error:
        raise writer.failure_of(error) from None
    except (openai.APIConnectionError, Forbidden, TooMuch) as error:
        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
        name = "forbidden" if isinstance(cause, Forbidden) else "endless" if isinstance(cause, TooMuch) else "unreachable"
        raise Failure(name, host=writer.host) from None
    except Exception:  # JSON that is none, and whatever a library makes of an odd endpoint
        raise Failure("garbage", host=writer.host) from None


def measure(writer: Writer) -> Measured:
    """Asks one question over some four hundred tokens. Raises Failure."""
    started, first, text = time.perf_counter(), 0.0, ""
    with closing(writer.say(f"{_FACTS}\n\n{_ASKED}", TEST_TOKENS)) as pieces:
        for piece in pieces:
            if piece and piece.isprintable():
                first = first or time.perf_counter()
                text += piece
    ended = time.perf_counter()
    first = first or ended
    try:
        context = next((model.context for model in list_models(writer) if model.id == writer.model), None)
    except (Failure, UsageError):  # several servers have no list
        context = None
    written = count_tokens(text)
    return Measured(
        first_word=first - started,
        reads=count_tokens(_FACTS + _ASKED) / max(first - started, 1e-3),
        writes=written / (ended - first) if ended - first > 0.05 and written > 4 else 0.0,
        context=context,
        right=bool(re.search(rf"\b{_RIGHT}\b", text)),
    )


def _context(entry: Mapping[str, Any]) -> int | None:
    """The context of a model in the list, under whichever name and up to one level deep."""
    inner = [entry, *(value for value in entry.values() if isinstance(value, dict))]
    for name in _CONTEXTS:
        for place in inner:
            value = place.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**8:
                return value
    return None
