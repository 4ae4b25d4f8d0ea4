"""`/health`: whether questions can be answered now, for load balancers and monitors. It needs no login and tells nothing of the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import rag
from rag.errors import RagError

if TYPE_CHECKING:
    from rag.chat import Assistant


def route(assistant: Assistant) -> Route:
    """200 {"status": "ok"}, "degraded" where an older index is served, or 503 {"status": "down"}; each with the version."""

    async def health(_: Request) -> Response:
        try:
            passages = await run_in_threadpool(lambda: assistant.store.count())
        except (RagError, OSError):
            passages = 0
        status = "down" if not passages else "degraded" if assistant.warning else "ok"
        return JSONResponse({"status": status, "version": rag.__version__}, 200 if passages else 503, headers={"cache-control": "no-store"})

    return Route("/health", health, methods=["GET"])
