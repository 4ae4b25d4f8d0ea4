"""What programs can ask of the server, as OpenAPI at `/openapi.json` and as a page for people at `/docs`; both made here, nothing fetched."""

from __future__ import annotations

import html
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

import rag
from rag.web.schema import ANSWER

_STYLE = """:root{color-scheme:light dark}body{font:15px/1.6 system-ui,sans-serif;max-width:58rem;margin:2rem auto;padding:0 1.2rem}
h2{margin-top:2.4rem;font-size:1.1rem}code,pre{font:13px/1.5 ui-monospace,monospace}pre{padding:.8rem 1rem;border-radius:8px;overflow:auto;
background:color-mix(in srgb,currentColor 7%,transparent)}b{display:inline-block;min-width:3.2rem}td,th{padding:.2rem .8rem .2rem 0;
text-align:left;vertical-align:top}"""

_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_MODEL = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
    },
}
_MESSAGE = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {
        "role": {"enum": ["user", "assistant", "system", "developer", "tool"]},
        "content": {"description": "Text, or a list of parts of the type text."},
    },
}
_ASKED = {
    "type": "object",
    "required": ["messages"],
    "properties": {
        "model": {"type": "string", "description": "One of /v1/models; by default the one that quotes."},
        "messages": {
            "type": "array",
            "items": _MESSAGE,
            "description": "The conversation, whose last message apart from those of the system is of the user. System messages change nothing.",
        },
        "stream": {"type": "boolean", "default": False},
        "stream_options": {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
        "response_format": {
            "type": "object",
            "description": "text; json_object for the whole answer object; json_schema for a part of it (see Answer).",
        },
        "provenote": {
            "type": "object",
            "description": "Narrows down which reports may answer.",
            "properties": {
                "reports": {"type": "array", "items": {"type": "string"}},
                "publisher": {"type": "string"},
                "year": {"type": "integer"},
                "language": {"enum": ["zh", "en"]},
            },
        },
    },
}
_COMPLETION = {
    "type": "object",
    "description": "OpenAI's chat completion, or its chunks as server-sent events; the last chunk carries the answer object too.",
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "chat.completion"},
        "model": {"type": "string"},
        "choices": {"type": "array", "items": {"type": "object"}},
        "usage": {"type": "object"},
        "provenote": {"$ref": "#/components/schemas/Answer"},
    },
}


def document(login: bool) -> dict[str, Any]:
    """The whole description; with a `login` every route but /health needs a key."""

    def reply(what: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"description": what, "content": {"application/json": {"schema": schema}}}

    failed = {code: reply(what, {"$ref": "#/components/schemas/Error"}) for code, what in _FAILURES.items() if login or code != "401"}
    name = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    ask = {
        "operationId": "createChatCompletion",
        "summary": "Answer the last question of a conversation from the reports",
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Request"}}}},
        "responses": {"200": reply("The answer", {"$ref": "#/components/schemas/Completion"})} | failed,
    }
    models = {"type": "object", "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _MODEL}}}
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Provenote", "version": rag.__version__, "description": "Answers from your reports, every sentence cited."},
        "paths": {
            "/v1/chat/completions": {"post": ask},
            "/v1/models": {"get": {"operationId": "listModels", "summary": "The models", "responses": {"200": reply("A list", models)}}},
            "/v1/models/{model}": {
                "get": {
                    "operationId": "retrieveModel",
                    "summary": "One model",
                    "parameters": [name],
                    "responses": {"200": reply("A model", _MODEL), "404": failed["404"]},
                }
            },
            "/health": {
                "get": {
                    "operationId": "health",
                    "summary": "Whether questions can be answered now",
                    "security": [],
                    "responses": {
                        code: reply(
                            what,
                            {
                                "type": "object",
                                "properties": {"status": {"enum": ["ok", "degraded", "down"]}, "version": {"type": "string"}},
                            },
                        )
                        for code, what in (("200", "Yes"), ("503", "No"))
                    },
                }
            },
        },
        "components": {"schemas": {"Answer": ANSWER, "Request": _ASKED, "Completion": _COMPLETION, "Error": _ERROR}},
    }
    if login:
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "name:password"}}
        made["security"] = [{"key": []}]
    return made


_FAILURES = {
    "400": "The request cannot be served",
    "401": "The key is wrong",
    "404": "No such model or route",
    "429": "Too many questions at once",
    "503": "The index cannot answer now",
}


def page(described: dict[str, Any]) -> str:
    """The description as HTML without a script."""
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><title>Provenote API</title><style>{_STYLE}</style><h1>Provenote API</h1>"]
    parts.append("<p>The protocol of OpenAI's chat completions over your reports. As JSON: <a href='openapi.json'>openapi.json</a>.</p>")
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2><b>{method.upper()}</b> <code>{html.escape(path)}</code></h2><p>{html.escape(operation['summary'])}.</p>")
            if "requestBody" in operation:
                parts.append(_pretty(described["components"]["schemas"]["Request"]))
            rows = (f"<tr><th>{code}<td>{html.escape(reply['description'])}" for code, reply in operation["responses"].items())
            parts.append(f"<table>{''.join(rows)}</table>")
    for name in ("Answer", "Error"):
        parts.append(f"<h2>{name}</h2>{_pretty(described['components']['schemas'][name])}")
    return "".join(parts)


def _pretty(schema: dict[str, Any]) -> str:
    return f"<pre>{html.escape(json.dumps(schema, ensure_ascii=False, indent=1))}</pre>"


def routes(login: bool) -> list[Route]:
    """`/openapi.json` and `/docs`."""
    described = document(login)
    whole = page(described)

    async def as_json(_: Request) -> Response:
        return JSONResponse(described)

    async def as_page(_: Request) -> Response:
        return HTMLResponse(whole)

    return [Route("/openapi.json", as_json, methods=["GET"]), Route("/docs", as_page, methods=["GET"])]
