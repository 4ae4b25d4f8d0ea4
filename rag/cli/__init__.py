"""The `rag` command: tables for people, plain JSON on standard output for programs, one line on standard error when something is wrong.

Everything heavy is imported inside the command that needs it, so that `rag ask` starts in a fraction of a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rag.cli import ask, evaluate, index, serve  # noqa: F401  each registers its commands
from rag.cli.output import fail, say
from rag.cli.shared import app
from rag.errors import RagError

PROGRAMS = ("rag", "provenote")
"""Names of the command; a shell completes each by itself."""


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    program = Path(sys.argv[0]).stem
    raise SystemExit(run(sys.argv[1:], program if program in PROGRAMS else PROGRAMS[0]))


def run(arguments: Sequence[str], program: str = PROGRAMS[0]) -> int:
    """Runs one command; the exit code: 0 good, 2 usage, 3 damaged index, 4 nothing indexed, 5 other, 130 interrupted."""
    try:
        return app(list(arguments), prog_name=program, standalone_mode=False) or 0
    except RagError as error:
        return fail(str(error), error.exit_code)
    except typer.TyperException as error:
        return fail(f"{error.format_message()} (see: {program} --help)", 2)
    except (KeyboardInterrupt, typer.Abort):
        return fail("interrupted", 130)
    except Exception as error:
        if os.environ.get("RAG_DEBUG"):
            raise
        return fail(f"{type(error).__name__}: {error} (run with RAG_DEBUG=1 for the traceback)", 5)


@app.callback(invoke_without_command=True)
def _start(context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from rag import __version__

        say(f"provenote {__version__}")
    elif context.invoked_subcommand is None:
        say(context.get_help())
