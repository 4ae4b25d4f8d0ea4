"""Every setting in one frozen dataclass of plain values: flags over RAG_* environment over rag.toml over defaults.

Gave up on nesting: a setting has one name, the same in a flag, in the environment and in the file.
"""

from __future__ import annotations

import dataclasses
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import UsageError

PACKAGE = Path(__file__).resolve().parent

CHOICES: dict[str, tuple[str, ...]] = {
    "answerer": ("rules", "reader"),
    "strictness": ("strict", "balanced", "open"),
    "ocr": ("off", "on"),
    "default_mode": ("extracts", "llm"),
}
SECRETS = frozenset({"llm_api_key"})
"""Taken from the environment or a file only, never a flag; never printed."""
FILE = "rag.toml"
SECRET_FILE = "rag.secrets.toml"
"""Where `rag config set` and the page keep settings, in the folder where `rag` runs; the second, for secrets, only its owner may read."""


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
    answerer: str = "rules"
    strictness: str = "balanced"
    max_question_chars: int = 4000

    # an LLM, if wanted
    llm_base_url: str = ""
    llm_model: str = ""
    llm_api_key: str = field(default="", repr=False)
    llm_context: int = 8192
    """Tokens that the model reads and writes in all."""
    llm_timeout: int = 120
    """Seconds for a whole answer."""
    llm_wait: int = 15
    """Seconds for the first word that prompts are fitted to, by the speed that the endpoint has shown."""
    default_mode: str = "extracts"
    """Whether answers are quoted or written by the LLM where nobody says."""
    checker: str = ""
    """A cross-encoder for entailment (name or folder) that a supported sentence of an LLM must pass as well."""

    # serving
    host: str = "127.0.0.1"
    port: int = 7860

    @property
    def writes(self) -> bool:
        """Whether the LLM writes where nobody says."""
        return self.default_mode == "llm" and bool(self.llm_base_url and self.llm_model)


def bundled(name: str) -> Path:
    """The bundled `corpus`, `eval` or `app.py`: inside the package when installed from a wheel, beside it in a checkout."""
    inside = PACKAGE / "bundled" / name
    return inside if inside.exists() else PACKAGE.parent / name


def load_config(flags: Mapping[str, Any] | None = None, folder: Path | None = None) -> tuple[Config, dict[str, str]]:
    """The effective configuration and where each value came from: "flag", the variable's name, the file's path or "default".

    A flag that is None was not given. `folder` is where rag.toml and rag.secrets.toml are looked for, by default the current one.
    Raises UsageError for an unknown setting in `flags` or a file and for a value of the wrong type or out of range.
    """
    flags = {name: value for name, value in (flags or {}).items() if value is not None}
    files = {folder_file: _read_toml(folder_file) for name in (SECRET_FILE, FILE) if (folder_file := (folder or Path.cwd()) / name)}
    _refuse_unknown(flags, "flag")
    values, origins = {}, {}
    for setting in dataclasses.fields(Config):
        name, variable = setting.name, f"RAG_{setting.name.upper()}"
        if name in flags:
            value, origin = flags[name], "flag"
        elif variable in os.environ:
            value, origin = os.environ[variable], variable
        elif file := next((file for file, held in files.items() if name in held), None):
            value, origin = files[file][name], str(file)
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


def save_settings(changes: Mapping[str, Any], folder: Path | None = None) -> None:
    """Writes settings to rag.toml, and secrets to rag.secrets.toml, which only its owner may read; None takes a setting out.

    Comments and the other lines stay. Raises UsageError, before anything is written, for what `load_config` would refuse and where a
    file cannot be written.
    """
    _refuse_unknown(changes, "settings")
    for name, value in changes.items():
        if value is not None:
            changes = {**changes, name: _checked(name, value, "settings")}
    for file_name, secret in ((FILE, False), (SECRET_FILE, True)):
        own = {name: value for name, value in changes.items() if (name in SECRETS) == secret}
        if own:
            _rewrite((folder or Path.cwd()) / file_name, own, secret)
    if plain_secrets := {name: None for name in changes if name in SECRETS}:
        _rewrite((folder or Path.cwd()) / FILE, plain_secrets, False)  # one that stood there would go on standing there


def _rewrite(file: Path, changes: Mapping[str, Any], secret: bool) -> None:
    _read_toml(file)  # what cannot be read is not written over
    lines = file.read_text(encoding="utf-8-sig").splitlines() if file.exists() else []
    written = {
        name: f"{name} = {value if isinstance(value, int) else _quoted(value)}" for name, value in changes.items() if value is not None
    }
    kept = []
    for line in lines:
        name = line.partition("=")[0].strip().strip("\"'")
        if name not in changes:
            kept.append(line)
        elif name in written:
            kept.append(written.pop(name))
    text = "".join(f"{line}\n" for line in [*kept, *written.values()])
    if not text and not file.exists():
        return
    partial = file.with_name(f".{file.name}.partial")
    try:
        mode = 0o600 if secret else (file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask())
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as sink:
            sink.write(text)
        partial.chmod(mode)
        _read_toml(partial)
        partial.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _quoted(value: str) -> str:
    """A TOML string that holds any text."""
    return '"' + "".join(f"\\{sign}" if sign in '"\\' else sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in value) + '"'


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
    if file.name == SECRET_FILE and os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise UsageError(f"{file} can be read by other users of this machine: run `chmod 600 {file}`")
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
    "answerer": "who chooses the sentences of an answer and refuses: rules, or the trained reader",
    "strictness": "how much must speak for an answer before it is given: strict, balanced or open",
    "max_question_chars": "longest question, in characters",
    "llm_base_url": "address of an OpenAI-compatible endpoint, such as http://127.0.0.1:11434/v1",
    "llm_model": "name of the model there",
    "llm_api_key": "its key; never a flag, never printed",
    "llm_context": "tokens that the model reads and writes in all",
    "llm_timeout": "seconds for a whole answer of the model",
    "llm_wait": "seconds for the first word of a model whose speed is not known yet",
    "default_mode": "who writes where nobody says: extracts, or llm",
    "checker": "a cross-encoder for entailment that sentences of the model must pass as well, by name or folder (extra: encoders)",
    "host": "address that the page listens on; another than this machine's needs a login",
    "port": "port of the page; the next free one where it is taken",
}
"""What each setting is for, in a line that `rag config` shows and docs/configuration.md repeats."""
