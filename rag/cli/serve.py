"""`rag serve` and `rag config`."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli import shared
from rag.cli.output import print_json, say
from rag.cli.shared import AsJson, IndexDir, command
from rag.config import MEANINGS, load_config, shown
from rag.errors import UsageError


@command("serve")
def serve(
    index_dir: IndexDir = None,
    host: Annotated[str | None, typer.Option(help="Address of this machine to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; the next free one is taken when it is in use.", show_default="7860")] = None,
    auth_file: Annotated[
        Path | None, typer.Option("--auth-file", metavar="FILE", help="Names and hashed passwords of who may come in; see the README.")
    ] = None,
    root_path: Annotated[str, typer.Option("--root-path", metavar="PATH", help="Path under which a proxy shows the page.")] = "",
    name: Annotated[
        list[str] | None, typer.Option("--name", metavar="HOST", help="Host name it is served under besides localhost and addresses.")
    ] = None,
    mcp: Annotated[bool, typer.Option("--mcp", help="Also offer ask, search and reports to agents at /mcp (extra: mcp).")] = False,
    api: Annotated[bool, typer.Option("--api", help="Also serve /v1/chat/completions and /v1/models to OpenAI clients.")] = False,
) -> None:
    """Serve the chat page; indexes first when the index is missing or older than its files."""
    settings = load_config({"index_dir": index_dir, "host": host, "port": port})
    config, roots = shared.with_index(settings)
    login = None
    if auth_file is not None:
        from rag.web.login import checker, read_users

        login = checker(read_users(auth_file))
    if login is None and not is_loopback(config.host):
        raise UsageError(f"host is {config.host}: other machines could read all reports; use 127.0.0.1, or name people with --auth-file")
    shared.refresh(config, roots)
    shared.import_bundled("app").serve(
        shared.open_assistant(settings),
        config.host,
        config.port,
        names=name or (),
        login=login,
        root_path=root_path,
        mcp=mcp,
        **({"api": True} if api else {}),
    )


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@command("config")
def show_config(index_dir: IndexDir = None, as_json: AsJson = False) -> None:
    """Show every setting: its value, where that came from and what it is for."""
    config, origins = load_config({"index_dir": index_dir})
    values = asdict(config)
    if as_json:
        print_json(
            {name: {"value": _plain(name, value), "origin": origins[name], "meaning": MEANINGS[name]} for name, value in values.items()}
        )
    else:
        lines = (f"{name} = {shown(name, value)}  ({origins[name]})\n    {MEANINGS[name]}" for name, value in values.items())
        say("\n".join(lines))


def _plain(name: str, value: Any) -> Any:
    text = shown(name, value)
    return value if text == str(value) else text
