"""What the documentation shows is what happens, and what it lists is what there is."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rag
from rag.config import MEANINGS, Config

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh.md")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def shown(name):
    """(command, what it prints) of each command in the console blocks of a page."""
    for block in re.findall(r"```console\n(.*?)```", read(name), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            yield command, printed


@pytest.mark.parametrize("name", READMES)
def test_console_blocks_print_what_they_say(tmp_path, name):
    """In an empty folder, in order; `...` stands for anything. Spaces at the ends of lines do not count."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAG_")} | {"PYTHONPATH": str(ROOT)}
    for command, printed in shown(name):
        program, *words = command.split()
        assert program == "rag"
        done = subprocess.run([sys.executable, "-m", "rag", *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        pattern = re.escape(printed.rstrip()).replace(re.escape("..."), ".*")
        said = "\n".join(line.rstrip() for line in done.stdout.splitlines())
        assert re.fullmatch(pattern + r"\n*", said, re.DOTALL), f"{command} printed:\n{done.stdout}"


def test_both_readmes_have_the_same_content():
    first, second = map(read, READMES)
    assert list(shown("README.md")) == list(shown("README.zh.md"))
    for mark in (r"^## ", r"^- \*\*", r"^\| `rag ", r"^```"):
        assert len(re.findall(mark, first, re.M)) == len(re.findall(mark, second, re.M)), mark
    assert re.findall(r"```python\n(.*?)```", first, re.S)[0] == re.findall(r"```python\n(.*?)```", second, re.S)[0]
    assert set(re.findall(r"`(--[a-z]+)`", first)) == set(re.findall(r"`(--[a-z]+)`", second))
    assert all(len(text.splitlines()) <= 150 for text in (first, second))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_setting_is_explained_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", read("docs/configuration.md"), re.M))
    for setting in dataclasses.fields(Config):
        default = f"`{setting.default}`" if setting.default != "" else ""
        assert rows[setting.name] == f"{default} | {MEANINGS[setting.name]}"
    assert len(rows) == len(MEANINGS)


def test_the_reference_names_all_that_is_public():
    page = read("docs/python.md")
    assert all(re.search(rf"^### `{name}\b", page, re.M) for name in rag.__all__)


def test_the_newest_change_is_of_this_version():
    assert re.search(r"^## (\S+)", read("CHANGELOG.md"), re.M)[1] == rag.__version__
