"""Every setting in one frozen dataclass of plain values: flags over RAG_* environment over rag.toml over defaults.

Gave up on nesting: a setting has one name, the same in a flag, in the environment and in the file.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import UsageError

PACKAGE = Path(__file__).resolve().parent

CHOICES: dict[str, tuple[str, ...]] = {"strictness": ("strict", "balanced", "open"), "ocr": ("off", "on")}
SECRETS = frozenset({"llm_api_key"})
"""Taken from the environment or rag.toml only, never a flag; never printed."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the product can be told. Values are plain text and whole numbers; nothing is opened or created by making one."""

    # where things are
    index_dir: str = "index"

    # building
    encoder: str = "builtin"
    target_tokens: int = 260
    max_tokens: int = 400
    ocr: str = "off"
    """Whether page images in PDFs are read by tesseract, where that is installed."""

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
    llm_api_key: str = field(default="", repr=False)
    llm_context: int = 8192
    """Tokens that the model reads and writes in all."""
    llm_timeout: int = 120
    """Seconds for a whole answer; a quarter of it for the first word."""
    checker: str = ""
    """A cross-encoder for entailment (name or folder) that a supported sentence of an LLM must pass as well."""

    # serving
    host: str = "127.0.0.1"
    port: int = 7860


def bundled(name: str) -> Path:
    """The bundled `corpus`, `eval` or `app.py`: inside the package when installed from a wheel, beside it in a checkout."""
    inside = PACKAGE / "bundled" / name
    return inside if inside.exists() else PACKAGE.parent / name


def load_config(flags: Mapping[str, Any] | None = None, folder: Path | None = None) -> tuple[Config, dict[str, str]]:
    """The effective configuration and where each value came from: "flag", the variable's name, the file's path or "default".

    A flag that is None was not given. `folder` is where rag.toml is looked for, by default the current one.
    Raises UsageError for an unknown setting in `flags` or rag.toml and for a value of the wrong type or out of range.
    """
    flags = {name: value for name, value in (flags or {}).items() if value is not None}
    file = (folder or Path.cwd()) / "rag.toml"
    from_file = _read_toml(file)
    _refuse_unknown(flags, "flag")
    values, origins = {}, {}
    for setting in dataclasses.fields(Config):
        name, variable = setting.name, f"RAG_{setting.name.upper()}"
        if name in flags:
            value, origin = flags[name], "flag"
        elif variable in os.environ:
            value, origin = os.environ[variable], variable
        elif name in from_file:
            value, origin = from_file[name], str(file)
        else:
            value, origin = setting.default, "default"
        values[name], origins[name] = _checked(name, value, origin), origin
    config = Config(**values)
    if config.max_tokens < config.target_tokens:
        raise UsageError(
            f"max_tokens is {config.max_tokens} ({origins['max_tokens']}), below target_tokens {config.target_tokens} "
            f"({origins['target_tokens']}): raise the first or lower the second"
        )
    return config, origins


def shown(name: str, value: object) -> str:
    """A value as people may see it: a secret only as set or not set."""
    return ("set" if value else "not set") if name in SECRETS else str(value)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} cannot be read as TOML: {error}") from error
    _refuse_unknown(values, str(file))
    return values


def _refuse_unknown(values: Mapping[str, Any], origin: str) -> None:
    known = [setting.name for setting in dataclasses.fields(Config)]
    for name in values:
        if name not in known:
            raise UsageError(f"{name!r} is not a setting ({origin}); the settings are {', '.join(known)}")


def _checked(name: str, value: Any, origin: str) -> Any:
    """The value in the type of its default. Environment values are text, so digits count as a number."""
    told = f"{name} is {'<hidden>' if name in SECRETS else repr(value)} ({origin})"
    if isinstance(getattr(_DEFAULTS, name), int):
        try:
            number = int(value) if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)) else None
        except ValueError:
            number = None
        if number is None:
            raise UsageError(f"{told}: it must be a whole number")
        if not 1 <= number <= (65535 if name == "port" else 10**9):
            raise UsageError(f"{told}: it must be {'1 to 65535' if name == 'port' else 'at least 1 and at most 1,000,000,000'}")
        return number
    if not isinstance(value, str):
        raise UsageError(f"{told}: it must be text")
    if name in CHOICES and value not in CHOICES[name]:
        raise UsageError(f"{told}: choose one of {', '.join(CHOICES[name])}")
    if not value and getattr(_DEFAULTS, name):
        raise UsageError(f"{told}: it must not be empty")
    return value


_DEFAULTS = Config()

MEANINGS: dict[str, str] = {
    "index_dir": "folder of the index",
    "encoder": "what turns text into vectors: builtin, or a sentence-transformers name or folder on this machine (extra: encoders)",
    "target_tokens": "size that a passage is cut to, in tokens; changing it makes the index anew",
    "max_tokens": "size that a passage never exceeds; changing it makes the index anew",
    "ocr": "on: pages of PDFs without a text layer are read by tesseract, where that is installed",
    "reranker": "a cross-encoder that reads the best passages again, by name or folder (extra: encoders)",
    "candidates": "passages taken from each of the two searches, by words and by meaning",
    "top_k": "passages whose sentences compete for the answer",
    "strictness": "how much must speak for an answer before it is given: strict, balanced or open",
    "max_question_chars": "longest question, in characters",
    "llm_base_url": "address of an OpenAI-compatible endpoint, such as http://127.0.0.1:11434/v1",
    "llm_model": "name of the model there",
    "llm_api_key": "its key; never a flag, never printed",
    "llm_context": "tokens that the model reads and writes in all",
    "llm_timeout": "seconds for a whole answer of the model",
    "checker": "a cross-encoder for entailment that sentences of the model must pass as well, by name or folder (extra: encoders)",
    "host": "address that the page listens on; another than this machine's needs a login",
    "port": "port of the page; the next free one where it is taken",
}
"""What each setting is for, in a line that `rag config` shows and docs/configuration.md repeats."""
