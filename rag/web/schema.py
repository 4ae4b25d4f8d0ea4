"""The answer object as JSON Schema, and whether a schema that a client asks for is a part of it.

A client that wants JSON gets the fields it names out of the one object that every door gives. Gave up on schemas of any other shape: the
reports answer in sentences, and nothing here fills in a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def _object(**properties: Schema) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(items: Schema) -> dict[str, Any]:
    return {"type": "array", "items": items}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer"}
CITATION = _object(
    n=COUNT,
    document=TEXT,
    title=TEXT,
    section=TEXT,
    page={"type": ["integer", "null"]},
    start=COUNT,
    end=COUNT,
    quote=TEXT,
    chunk=TEXT,
    score={"type": "number"},
)
CLAIM = _object(
    text=TEXT,
    citations=_list(COUNT),
    verdict={"type": "string", "enum": ["quoted", "supported", "partial", "unsupported", "uncited", "own"]},
    why=TEXT,
    emphasis={"type": ["array", "null"], "items": COUNT},
    heading=TEXT,
)
ANSWER = _object(
    question=TEXT,
    query=TEXT,
    language=TEXT,
    answer=TEXT,
    abstained={"type": "boolean"},
    reason=TEXT,
    mode=TEXT,
    confidence=TEXT,
    code=TEXT,
    model=TEXT,
    layout=TEXT,
    suggestions=_list(TEXT),
    claims=_list(CLAIM),
    citations=_list(CITATION),
    nearest=_list(CITATION),
    timings_ms={"type": "object", "properties": {}, "additionalProperties": {"type": "number"}},
)
"""`Answer.to_dict()`."""

_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$schema", "$id", "$comment", "$defs", "definitions", "strict"})
_KNOWN = _ANNOTATIONS | {"type", "properties", "required", "additionalProperties", "items", "enum", "$ref", "anyOf", "oneOf", "allOf"}
DEEPEST = 24
"""Levels of a schema that are followed; one that refers to itself ends there."""


def misfit(asked: Any, ours: Schema = ANSWER, whole: Any = None, path: str = "", depth: int = 0) -> str:
    """Why values of `ours` need not satisfy the schema that is asked for; "" when they always do.

    >>> misfit({"type": "object", "properties": {"answer": {"type": "string"}}})
    ''
    >>> misfit({"type": "object", "properties": {"capacity": {"type": "number"}}})
    "there is no field 'capacity'"
    """
    whole = asked if whole is None else whole
    place = f" of {path}" if path else ""
    if asked is True:
        return ""
    if not isinstance(asked, Mapping) or depth > DEEPEST:
        return f"the schema{place} cannot be followed"
    if unknown := next((name for name in asked if name not in _KNOWN), None):
        return f"{str(unknown)[:40]!r}{place} cannot be promised"
    if "$ref" in asked:
        return misfit(_resolved(asked["$ref"], whole), ours, whole, path, depth + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        options = asked.get(word)
        if options is not None:
            if not isinstance(options, list) or not options:
                return f"{word}{place} is no list"
            found = [misfit(option, ours, whole, path, depth + 1) for option in options]
            # each of our types may take an option of its own: text or null is text in one and null in the other
            split = [{**ours, "type": kind} for kind in _types(ours)] if word != "allOf" else []
            each = split and all(any(not misfit(option, one, whole, path, depth + 1) for option in options) for one in split)
            return "" if each or (not any(found) if word == "allOf" else not all(found)) else next(filter(None, found))
    mine, wanted = _types(ours), _types(asked)
    if wanted and not all(kind in wanted or (kind == "integer" and "number" in wanted) for kind in mine):
        return f"{path or 'the answer'} is {' or '.join(mine)}, not {' or '.join(wanted)}"
    if "enum" in asked and not set(ours.get("enum", ["\x00"])) <= set(map(str, asked["enum"] if isinstance(asked["enum"], list) else ())):
        return f"{path or 'the answer'} may have other values than those listed"
    if "array" in mine and "items" in asked:
        return misfit(asked["items"], ours.get("items", {}), whole, f"{path}[]", depth + 1)
    return _missing(asked, ours, whole, path, depth) if "object" in mine else ""


def _missing(asked: Schema, ours: Schema, whole: Any, path: str, depth: int) -> str:
    properties, own = asked.get("properties", {}), ours.get("properties", {})
    if not isinstance(properties, Mapping):
        return f"properties{f' of {path}' if path else ''} is no object"
    required = asked.get("required", [])
    for name in [*properties, *(required if isinstance(required, list) else ())]:
        if name not in own:
            return f"there is no field {str(name)[:40]!r}{f' in {path}' if path else ''}"
    for name, value in properties.items():
        if why := misfit(value, own[name], whole, f"{path}.{name}".lstrip("."), depth + 1):
            return why
    return ""


def chosen(asked: Any, value: Any, whole: Any = None, depth: int = 0) -> Any:
    """The part of a value that the schema names; a schema that names no property means all of it.

    >>> chosen({"properties": {"claims": {"items": {"properties": {"text": {}}}}}}, {"answer": "a", "claims": [{"text": "t", "why": ""}]})
    {'claims': [{'text': 't'}]}
    """
    whole = asked if whole is None else whole
    if not isinstance(asked, Mapping) or depth > DEEPEST:
        return value
    if "$ref" in asked:
        return chosen(_resolved(asked["$ref"], whole), value, whole, depth + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        for option in asked.get(word) or ():
            option = _resolved(option["$ref"], whole) if isinstance(option, Mapping) and "$ref" in option else option
            if isinstance(option, Mapping) and ("properties" in option or "items" in option):
                return chosen(option, value, whole, depth + 1)
    if isinstance(value, list) and "items" in asked:
        return [chosen(asked["items"], each, whole, depth + 1) for each in value]
    properties = asked.get("properties")
    if isinstance(value, dict) and properties:
        return {name: chosen(properties[name], value[name], whole, depth + 1) for name in properties if name in value}
    return value


def _types(schema: Schema) -> tuple[str, ...]:
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(str(each) for each in kind) if isinstance(kind, list) else ()


def _resolved(reference: Any, whole: Any) -> Any:
    """What `#/$defs/Name` names; None for what leads elsewhere."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found = whole
    for part in reference.lstrip("#/").split("/") if reference.strip("#/") else ():
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found
