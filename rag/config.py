"""Every setting in one frozen dataclass of plain values: flags over RAG_* environment over rag.toml over defaults."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from rag.errors import UsageError

PACKAGE = Path(__file__).resolve().parent

CHOICES: dict[str, tuple[str, ...]] = {"strictness": ("strict", "balanced", "open")}
SECRETS = frozenset({"llm_api_key"})
"""Taken from the environment or rag.toml only, never a flag; never printed."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the product can be told. Saved values are plain; nothing is opened or created by making one."""

    # where things are
    index_dir: str = "index"

    # building
    encoder: str = "builtin"
    target_tokens: int = 260
    max_tokens: int = 400

    # searching
    reranker: str = ""
    candidates: int = 60
    """Chunks taken from each of the two searches before fusion."""
    top_k: int = 12
    """Chunks whose sentences compete for the answer."""

    # answering
    strictness: str = "balanced"
    max_question_chars: int = 4000

    # an LLM, if wanted
    llm_base_url: str = ""
    llm_model: str = ""
    llm_api_key: str = ""

    # serving
    host: str = "127.0.0.1"
    port: int = 7860


def bundled(name: str) -> Path:
    """The bundled `corpus`, `eval` or `app.py`: beside the package in a checkout, inside it when installed from a wheel."""
    inside = PACKAGE / "bundled" / name
    return inside if inside.exists() else PACKAGE.parent / name


def load_config(flags: Mapping[str, Any] | None = None, folder: Path | None = None) -> tuple[Config, dict[str, str]]:
    """The effective configuration and where each value came from ("flag", "RAG_PORT", a file's path, "default").

    `flags` whose value is None were not given. Raises UsageError for an unknown key in rag.toml or a value of the wrong type.
    """
    file = (folder or Path.cwd()) / "rag.toml"
    values, origins = {}, {}
    from_file = _read_toml(file)
    for field in dataclasses.fields(Config):
        variable = f"RAG_{field.name.upper()}"
        if flags and flags.get(field.name) is not None:
            value, origin = flags[field.name], "flag"
        elif variable in os.environ:
            value, origin = os.environ[variable], variable
        elif field.name in from_file:
            value, origin = from_file[field.name], str(file)
        else:
            value, origin = field.default, "default"
        values[field.name], origins[field.name] = _typed(field.name, value, origin), origin
    config = Config(**values)
    if config.max_tokens < config.target_tokens:
        raise UsageError(f"max_tokens is {config.max_tokens}, below target_tokens {config.target_tokens}: raise the first or lower the second")
    return config, origins


def shown(name: str, value: Any) -> str:
    """A value as people may see it: secrets only as set or not set."""
    return ("set" if value else "not set") if name in SECRETS else str(value)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    known = {field.name for field in dataclasses.fields(Config)}
    for name in values:
        if name not in known:
            raise UsageError(f"{file}: unknown setting {name!r}; known ones are {', '.join(sorted(known))}")
    return values


def _typed(name: str, value: Any, origin: str) -> Any:
    kind = get_type_hints(Config)[name]
    kind = (get_args(kind) or (kind,))[0]
    if kind is int and isinstance(value, str | int) and not isinstance(value, bool):
        try:
            number = int(value)
        except ValueError:
            raise UsageError(f"{name} is {value!r} ({origin}): it must be a whole number") from None
        if number < 1:
            raise UsageError(f"{name} is {number} ({origin}): it must be at least 1")
        if name == "port" and number > 65535:
            raise UsageError(f"port is {number} ({origin}): it must be at most 65535")
        return number
    if not isinstance(value, kind):
        raise UsageError(f"{name} is {value!r} ({origin}): it must be of type {kind.__name__}")
    if name in CHOICES and value not in CHOICES[name]:
        raise UsageError(f"{name} is {value!r} ({origin}): choose one of {', '.join(CHOICES[name])}")
    return value
