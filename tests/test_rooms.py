"""The rooms of the package import one way, also inside functions; what only a type checker sees does not count."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = "types errors config text reading index search answer rules llm chat batch web cli".split()
"""Each imports itself and what stands before it. `rag` itself opens `chat` when a question is asked, and `__main__` starts `cli`."""


def imports(file: Path) -> Iterator[str]:
    """The modules of this checkout that a file imports, in full."""
    tree: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while tree:
        node = tree.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield node.module
            if node.module == "rag":
                yield from (
                    f"rag.{alias.name}"
                    for alias in node.names
                    if (ROOT / "rag" / alias.name).exists() or (ROOT / "rag" / f"{alias.name}.py").exists()
                )
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            tree += node.orelse
        else:
            tree += ast.iter_child_nodes(node)


def room_of(file: Path) -> str:
    return file.relative_to(ROOT / "rag").with_suffix("").parts[0]


FILES = sorted((ROOT / "rag").rglob("*.py"))


def test_every_file_has_a_place():
    assert {room_of(file) for file in FILES} - {"__init__", "__main__"} == set(ORDER)


@pytest.mark.parametrize("place", ORDER)
def test_a_room_imports_only_rooms_before_it(place):
    allowed = set(ORDER[: ORDER.index(place) + 1])
    for file in FILES:
        if room_of(file) == place:
            asked = {name.split(".")[1] for name in imports(file) if name.startswith("rag.")}
            assert asked <= allowed, f"{file.relative_to(ROOT)} imports {sorted(asked - allowed)}"


def test_the_package_imports_neither_training_nor_evaluation():
    """The command line opens `eval` by name where a command asks for it (`rag.cli.shared.import_bundled`)."""
    for file in FILES:
        assert not {name.split(".")[0] for name in imports(file)} & {"train", "eval", "tests", "app"}, file
