"""No file and no function grows beyond what can be read at a sitting. The exceptions have names, and only ever become fewer."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted([*(ROOT / "rag").rglob("*.py"), ROOT / "app.py"])
LINES, FUNCTION = 450, 60
LONG_FILES = {
    "app.py", "rag/reading/dispatch.py", "rag/rules/compose.py", "rag/rules/premises.py", "rag/rules/verify.py", "rag/reading/sandbox.py", "rag/web/panel.py", "rag/web/strings.py",
}  # fmt: skip
LONG_FUNCTIONS = {
    "app.py:build", "app.py:progress", "app.py:serve", "rag/index/adapt.py:adapt", "rag/text/quantities.py:quantities",
}  # fmt: skip


def test_no_file_is_too_long_but_for_those_named():
    found = {file.relative_to(ROOT).as_posix() for file in FILES if len(file.read_text(encoding="utf-8").splitlines()) > LINES}
    assert found - LONG_FILES == set(), f"over {LINES} lines: split it"
    assert LONG_FILES - found == set(), "no longer too long: take it out of LONG_FILES"


def test_no_function_is_too_long_but_for_those_named():
    found = {
        f"{file.relative_to(ROOT).as_posix()}:{node.name}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > FUNCTION
    }
    assert found - LONG_FUNCTIONS == set(), f"over {FUNCTION} lines: split it"
    assert LONG_FUNCTIONS - found == set(), "no longer too long: take it out of LONG_FUNCTIONS"


def test_what_type_checking_leaves_out_is_still_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (left_out,) = [override["module"] for override in project["tool"]["mypy"]["overrides"] if override.get("ignore_errors")]
    assert left_out == sorted(left_out)
    for name in left_out:
        place = ROOT.joinpath(*name.split("."))
        assert place.with_suffix(".py").exists() or (place / "__init__.py").exists(), f"{name} is gone: take it out of the list"
