"""`rag serve` and `rag config`."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli import shared
from rag.cli.output import note, print_json, say, table
from rag.cli.shared import AsJson, IndexDir, app, command
from rag.config import MEANINGS, load_config, shown
from rag.errors import UsageError


class _ShowByDefault(typer.core.TyperGroup):
    """`rag config` shows; `rag config set NAME VALUE` writes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


configuration = typer.Typer(cls=_ShowByDefault, help="Show every setting, its value and where that came from; or set one.")
app.add_typer(configuration, name="config")
endpoint = typer.Typer(help="The LLM's endpoint: its models, and how fast it is.")
app.add_typer(endpoint, name="llm")

BaseUrl = Annotated[str | None, typer.Option("--base-url", metavar="URL", help="Another endpoint than the configured one.")]
ModelName = Annotated[str | None, typer.Option("--model", metavar="NAME", help="Another model than the configured one.")]


@command("serve")
def serve(
    index_dir: IndexDir = None,
    host: Annotated[str | None, typer.Option(help="Address of this machine to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; the next free one is taken when it is in use.", show_default="7860")] = None,
    auth_file: Annotated[
        Path | None, typer.Option("--auth-file", metavar="FILE", help="Names and hashed passwords of who may come in; see the README.")
    ] = None,
    admin: Annotated[
        list[str] | None,
        typer.Option("--admin", metavar="NAME", help="Who of them may change settings; by default the first of the file."),
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
    login, admins = None, list(admin or ())
    if auth_file is not None:
        from rag.web.login import checker, read_users

        users = read_users(auth_file)
        if unknown := [name for name in admins if name not in users]:
            raise UsageError(f"--admin {unknown[0]!r} is nobody in {auth_file}: it names {', '.join(users)}")
        login, admins = checker(users), admins or [next(iter(users))]
    elif admins:
        raise UsageError("--admin needs --auth-file: without a login whoever reaches the page may change settings")
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
        **({"admins": admins} if admins else {}),
    )


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@command("show", configuration)
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


@command("set", configuration)
def set_config(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    value: Annotated[
        str | None, typer.Argument(metavar="[VALUE]", help="Without one the setting is taken out; a secret is asked for.")
    ] = None,
) -> None:
    """Write a setting to rag.toml in this folder, a secret to rag.secrets.toml, which only you can read."""
    from rag.cli.llm import set_setting

    note(set_setting(name, value))


@command("models", endpoint)
def llm_models(base_url: BaseUrl = None, as_json: AsJson = False) -> None:
    """List the endpoint's models."""
    from rag.cli.llm import models_of

    found = models_of(base_url)
    if as_json:
        print_json({"models": found})
    else:
        table(f"{len(found)} models", ("model", "context"), [(str(model["id"]), model["context"] or "") for model in found])


@command("test", endpoint)
def llm_test(base_url: BaseUrl = None, model: ModelName = None, as_json: AsJson = False) -> None:
    """Ask the endpoint one short question and say what was measured."""
    from rag.cli.llm import measured

    values, rows = measured(base_url, model)
    if as_json:
        print_json(values)
    else:
        table("Endpoint", ("", ""), rows)


def _plain(name: str, value: Any) -> Any:
    text = shown(name, value)
    return value if text == str(value) else text
