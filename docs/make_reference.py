"""Writes docs/python.md, the reference of the public names, from their signatures and docstrings. `--check` only says whether it is up to date.

What is public is `rag.__all__`, the events of a stream, and `rag.batch.run_batch`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
import textwrap
import typing
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import rag  # noqa: E402
import rag.batch  # noqa: E402
import rag.chat  # noqa: E402

PUBLIC = (
    ("rag", [getattr(rag, name) for name in rag.__all__]),
    ("rag.chat", list(typing.get_args(rag.chat.Event))),
    ("rag.batch", [rag.batch.run_batch]),
)


def signature(function: Any) -> str:
    """A function's line as it stands in the source, without its body."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    returns = f" -> {ast.unparse(tree.returns)}" if tree.returns else ""
    return f"{tree.name}({ast.unparse(tree.args)}){returns}".replace("self, ", "").replace("cls, ", "").replace("(self)", "()")


def fields(kind: type) -> list[str]:
    """A line for each field of a dataclass, with the text that stands below it in the source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body  # type: ignore[attr-defined]
    lines = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign):
            told = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            default = f" = {ast.unparse(node.value)}" if node.value else ""
            lines.append(
                f"- `{ast.unparse(node.target)}: {ast.unparse(node.annotation)}{default}`" + (f": {inspect.cleandoc(told)}" if told else "")
            )
    return lines


def entry(thing: Any) -> list[str]:
    """The section of one public name."""
    told = inspect.getdoc(thing) or ""
    if not isinstance(thing, type):
        return [f"### `{signature(thing)}`", "", told, ""]
    lines = [f"### `{thing.__name__}`", "", told, ""]
    if dataclasses.is_dataclass(thing):
        lines += [*fields(thing), ""]
    for name, member in vars(thing).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        head = f"{name} (property)" if isinstance(member, property) else signature(function)
        lines += [f"**`{head}`**", "", inspect.getdoc(function) or "", ""]
    return lines


def reference() -> str:
    """The whole page."""
    lines = ["# Python reference", "", "Made from the docstrings by `make docs`.", ""]
    for module, things in PUBLIC:
        lines += [f"## `{module}`", ""]
        for thing in things:
            lines += entry(thing)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    page = FOLDER / "python.md"
    if "--check" in sys.argv:
        current = page.exists() and page.read_text(encoding="utf-8") == reference()
        print("docs/python.md is up to date" if current else "docs/python.md is not up to date: run `make docs`")
        return 0 if current else 1
    page.write_text(reference(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
