"""What a request in OpenAI's form asks for, and how it is refused: pure functions of the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from rag.types import Filter, Turn
from rag.web.schema import ANSWER, misfit

MODEL = "provenote"
"""Answers by extracts."""
WRITTEN = "provenote-llm"
"""Answers that the configured LLM writes."""
FORMER = {"veracite": MODEL, "veracite-llm": WRITTEN}
"""Names of before, under which programs may go on asking."""
LONGEST_NAME = 60
"""Characters of what a client sent that an error repeats."""


class Refused(Exception):
    """A request that is answered with an error in OpenAI's form. `param` names the field that is to blame."""

    def __init__(self, status: int, message: str, code: str, kind: str = "invalid_request_error", param: str | None = None):
        super().__init__(message)
        self.status, self.code, self.kind, self.param = status, code, kind, param

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}

    def response(self, **headers: str) -> Response:
        return JSONResponse(self.body, self.status, headers={"retry-after": "5"} | headers if self.status == 429 else headers)


def _unsupported(param: str, message: str) -> Refused:
    return Refused(400, message, "unsupported_value", param=param)


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
    schema: dict[str, Any] | None = None
    """What of the answer object is wanted as JSON; None for prose."""

    @classmethod
    def read(cls, body: Any, models: tuple[str, ...]) -> Asked:
        """Raises Refused for what cannot be served; what only steers a model is ignored."""
        if not isinstance(body, dict):
            raise Refused(400, "the body is not a JSON object", "invalid_body")
        model = body.get("model") or MODEL
        model = FORMER.get(model, model) if isinstance(model, str) else model
        if model not in models:
            raise no_model(model, models)
        if body.get("n") not in (None, 1):
            raise _unsupported("n", "n must be 1: there is one answer")
        if body.get("stream") not in (None, True, False):
            raise Refused(400, "stream must be true or false", "invalid_type", param="stream")
        choice = body.get("tool_choice") or body.get("function_call")
        if choice == "required" or isinstance(choice, dict):
            raise _unsupported("tool_choice", "no tool is ever called: the reports answer in text")
        modalities = body.get("modalities")
        if isinstance(modalities, list) and modalities != ["text"]:
            raise _unsupported("modalities", "answers are text: leave modalities out")
        turns = _turns(body.get("messages"))
        options = body.get("stream_options")
        return cls(
            model=model,
            question=turns[-1][0],
            history=tuple(Turn(question, _said(answer)) for question, answer in turns[:-1]),
            only=_filter(body.get("provenote", body.get("veracite"))),
            stream=body.get("stream") is True,
            usage=isinstance(options, dict) and options.get("include_usage") is True,
            schema=_schema(body.get("response_format")),
        )


def _turns(messages: Any) -> list[tuple[str, str]]:
    """(question, answer) of a conversation, of which the last has no answer; messages of the system may stand anywhere."""
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "messages must be a list that ends with a message of the user", "invalid_messages", param="messages")
    turns: list[tuple[str, str]] = []
    role = None
    for place, message in enumerate(messages):
        given = message.get("role") if isinstance(message, dict) else None
        if given in ("system", "developer", "tool", "function"):
            continue  # the reports answer, whatever one tells them to be
        role, param = given, f"messages[{place}]"
        if role not in ("user", "assistant"):
            raise Refused(
                400, f"a message has the role {str(role)[:20]!r}: use user, assistant or system", "invalid_messages", param=f"{param}.role"
            )
        text = _text(message.get("content"), param)
        if role == "user":
            turns.append((text, ""))
        elif turns:
            turns[-1] = (turns[-1][0], text)
    if not turns or role != "user":
        raise Refused(400, "the last message, apart from those of the system, must be of the user", "invalid_messages", param="messages")
    return turns


def _schema(wanted: Any) -> dict[str, Any] | None:
    """What a response_format asks for. Raises Refused where it is no part of the answer object."""
    if wanted is None or (isinstance(wanted, dict) and wanted.get("type") == "text"):
        return None
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        return ANSWER
    given = wanted.get("json_schema") if kind == "json_schema" else None
    schema = given.get("schema") if isinstance(given, dict) else None
    if not isinstance(schema, dict):
        raise _unsupported("response_format", "response_format must be text, json_object, or json_schema with a schema")
    if schema.get("type", "object") != "object":
        raise _unsupported("response_format", "the schema must describe an object")
    if why := misfit(schema):
        raise _unsupported(
            "response_format", f"the schema is no part of the answer object: {why}; its fields are {', '.join(ANSWER['properties'])}"
        )
    return schema


def no_model(model: Any, models: tuple[str, ...]) -> Refused:
    known = ", ".join(models)
    return Refused(404, f"the model {str(model)[:LONGEST_NAME]!r} does not exist; there are {known}", "model_not_found", param="model")


def _text(content: Any, param: str) -> str:
    """The text of a message: a string, or the texts of its parts. Raises Refused for pictures, sound and files, which would go unread."""
    if isinstance(content, list):
        kinds = [part.get("type") for part in content if isinstance(part, dict)]
        if unread := next((kind for kind in kinds if kind not in ("text", "refusal")), None):
            raise _unsupported(f"{param}.content", f"a message has a part of the type {str(unread)[:20]!r}: only text is read")
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "\n".join(part for part in parts if isinstance(part, str))
    if content is None:
        return ""
    if not isinstance(content, str):
        raise Refused(400, "the content of a message must be text", "invalid_messages", param=f"{param}.content")
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
