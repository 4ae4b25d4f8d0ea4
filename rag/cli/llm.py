"""`rag llm`: which models an endpoint has and how fast it is; `rag config set`: settings written to the file that is read."""

from __future__ import annotations

import getpass
import sys
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

from rag.config import FILE, SECRET_FILE, SECRETS, Config, load_config, save_settings
from rag.errors import UsageError

if TYPE_CHECKING:
    from rag.llm.client import Writer


def set_setting(name: str, value: str | None) -> str:
    """Writes one setting; without a value it is taken out, and a secret is read from standard input. Returns what to tell people."""
    if name not in (known := [field.name for field in fields(Config)]):
        raise UsageError(f"{name!r} is not a setting; the settings are {', '.join(known)}")
    if name in SECRETS:
        if value is not None:
            raise UsageError(
                f"{name} is a secret and would stay in the history of the shell: run `rag config set {name}` and type it there"
            )
        value = (getpass.getpass(f"{name} (empty takes it out): ") if sys.stdin.isatty() else sys.stdin.readline()).strip() or None
    if name == "llm_base_url" and value:
        from rag.llm.address import host_of

        host_of(value)
    save_settings({name: value})
    file = SECRET_FILE if name in SECRETS else FILE
    return f"{name} is set in {file}" if value is not None else f"{name} is taken out of {file}"


def writer_of(base_url: str | None, model: str | None, *, named: bool = True) -> Writer:
    """The configured endpoint, or the one named; the stored key goes only to the endpoint that it is stored for."""
    from rag.llm.address import host_of
    from rag.llm.client import Writer

    config, stored = load_config({"llm_base_url": base_url, "llm_model": model})[0], load_config()[0]
    if base_url and (not stored.llm_base_url or host_of(stored.llm_base_url) != host_of(base_url)):
        config = replace(config, llm_api_key="")
    if not named and config.llm_base_url and not config.llm_model:
        return Writer(config.llm_base_url, "", config.llm_api_key)
    return Writer.from_config(config)


def models_of(base_url: str | None) -> list[dict[str, object]]:
    """The endpoint's models as plain values."""
    from rag.llm.endpoint import list_models

    return [asdict(model) for model in list_models(writer_of(base_url, None, named=False))]


def measured(base_url: str | None, model: str | None) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """What a test of the endpoint showed: for programs, and as rows for people."""
    from rag.llm.endpoint import measure

    writer = writer_of(base_url, model)
    found = measure(writer)
    rows = [
        ("endpoint", f"{writer.model} at {writer.host}"),
        ("first word", f"{found.first_word:.1f} s"),
        ("reads", f"{found.reads:.0f} tokens a second"),
        ("writes", f"{found.writes:.0f} tokens a second" if found.writes else "too little came to tell"),
        ("context", f"{found.context} tokens" if found.context else "the server does not say"),
        ("test question", "answered rightly" if found.right else "not answered rightly: expect many sentences to be struck"),
    ]
    if found.context and found.context < load_config()[0].llm_context:
        rows.append(("advice", f"rag config set llm_context {found.context}"))
    return asdict(found), rows
