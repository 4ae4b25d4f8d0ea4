"""What programs can ask of the page's server: three functions with types, and an MCP server that offers them to agents (extra `mcp`)."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from rag.chat import Assistant
from rag.errors import RagError, UsageError
from rag.types import Filter, Turn

MOST_TURNS = 10
MOST_PASSAGES = 50


def functions(assistant: Assistant) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """`ask`, `search` and `reports`. They raise RagError with one line for people."""

    def ask(question: str, reports: list[str] | None = None, history: list[dict[str, str]] | None = None) -> dict[str, Any]:
        """Answers a question from the reports, every sentence cited to its exact place, or says that the reports do not tell.

        Args:
            question: In Chinese or English.
            reports: Ids of the reports that may answer, as `reports` lists them; none means all.
            history: Earlier turns as {"question", "answer"}, the oldest first.
        """
        turns = [Turn(str(turn.get("question", "")), str(turn.get("answer", ""))) for turn in (history or [])[-MOST_TURNS:]]
        return assistant.ask(str(question), history=turns, only=_only(reports)).to_dict()

    def search(question: str, count: int = 10, reports: list[str] | None = None) -> list[dict[str, Any]]:
        """Finds the passages of the reports that are closest to a question, best first, without composing an answer.

        Args:
            question: In Chinese or English.
            count: How many passages, 1 to 50.
            reports: Ids of the reports to search, as `reports` lists them; none means all.
        """
        hits = assistant.search(str(question), top_k=min(max(int(count), 1), MOST_PASSAGES), only=_only(reports))
        titles = {document.id: document.title for document in assistant.documents()}
        return [
            {
                "document": hit.chunk.document,
                "title": titles.get(hit.chunk.document, ""),
                "section": " / ".join(hit.chunk.section),
                "page": hit.chunk.page,
                "text": hit.text,
                "score": round(hit.fused, 4),
            }
            for hit in hits
        ]

    def reports() -> list[dict[str, Any]]:
        """Lists the reports that can be asked: id, title, publisher, year, language and pages."""
        names = ("id", "title", "publisher", "year", "language", "page_count")
        return [{name: getattr(document, name) for name in names} for document in assistant.documents()]

    return ask, search, reports


def _only(reports: list[str] | None) -> Filter:
    return Filter(tuple(str(name) for name in reports or ()))


class Tools:
    """The functions as an MCP server: an ASGI application for the path /mcp, which needs `lifespan` to run around it.

    With `login` every request must carry a name and password as HTTP Basic. Raises UsageError where the extra is not installed.
    """

    def __init__(self, assistant: Assistant, login: Callable[[str, str], bool] | None = None):
        try:
            from mcp.server import MCPServer
            from mcp.server.mcpserver.exceptions import ToolError
            from mcp.server.transport_security import TransportSecuritySettings
        except ImportError as error:
            raise UsageError("--mcp needs an extra: run `pip install 'provenote[mcp]'`") from error
        self.login = login
        server = MCPServer(
            "provenote",
            log_level="WARNING",
            instructions="Answers from a collection of reports; every sentence is cited to its exact place.",
        )
        for function in functions(assistant):
            server.tool()(told(function, ToolError))
        # the guard has checked Host and Origin by the time a request comes here
        self.app = server.streamable_http_app(
            stateless_http=True, json_response=True, transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
        )
        self.sessions = server.session_manager

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """Runs the server while the page's application runs."""
        async with self.sessions.run():
            yield

    def allows(self, headers: dict[bytes, list[str]]) -> bool:
        """Whether a request may come in."""
        if self.login is None:
            return True
        kind, _, given = (headers.get(b"authorization") or [""])[0].partition(" ")
        try:
            name, colon, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return kind.lower() == "basic" and bool(colon) and self.login(name, password)

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        await self.app({**scope, "path": "/mcp", "raw_path": b"/mcp", "root_path": ""}, receive, send)


def told(function: Callable[..., Any], failure: type[Exception]) -> Callable[..., Any]:
    """The function with its one-line errors as another kind of error."""

    @functools.wraps(function)
    def friendly(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except RagError as error:
            raise failure(str(error)) from error

    return friendly
