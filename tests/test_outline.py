"""The outline of a report: its sections, the sentences that say most of each, and where it is kept."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import InlineSandbox  # noqa: F401

from rag.cli import run
from rag.index.build import build_index
from rag.index.encoder import BuiltinEncoder
from rag.index.outline import OUTLINE_VERSION, from_json, outline_of, to_json
from rag.index.snapshot import open_index
from rag.types import Block, Document

CHAPTERS = ("Harbour cranes", "Tidal locks", "Night ferries", "Fishing nets")


def document(parts: list[tuple[str, tuple[str, ...], str]], language: str = "en") -> Document:
    """A report of (kind, section, text) blocks."""
    text, blocks = "", []
    for kind, section, said in parts:
        blocks.append(Block(len(text), len(text) + len(said), kind, None, section))
        text += said + "\n"
    return Document("port.en", "The port", text, tuple(blocks), "0" * 64, "port.md", language=language)


def port() -> Document:
    parts = [("heading", ("What is in it",), "What is in it")]
    parts += [
        ("item", ("What is in it",), f"The chapter on {name.lower()} begins on page {page}.") for page, name in enumerate(CHAPTERS, 3)
    ]
    for name in CHAPTERS:
        parts += [("heading", (name,), name), ("heading", (name, "In short"), "In short")]
        parts += [("prose", (name, "In short"), f"{name} are the heart of the port and of its trade.")]
        parts += [("heading", (name, "Details"), "Details")]
        parts += [
            (
                "prose",
                (name, "Details"),
                f"The {name.lower()} are painted blue. They cost 40 million dollars in all. Is that dear? Reasons:",
            )
        ]
        parts += [("prose", (name, "Details"), f"Old {name.lower()} stand in the museum of the port, behind glass and far from water.")]
    return document(parts)


@pytest.fixture(scope="module")
def words() -> BuiltinEncoder:
    return BuiltinEncoder()


def said(made: Document, spans: tuple[tuple[int, int], ...]) -> list[str]:
    return [made.text[start:end] for start, end in spans]


def test_each_chapter_is_told_by_the_summary_that_its_author_wrote(words):
    made = port()
    outline = outline_of(made, words)
    for name in CHAPTERS:
        assert said(made, outline.part((name,)).points)[0] == f"{name} are the heart of the port and of its trade."


def test_a_table_of_contents_is_an_aside_and_no_main_part(words):
    outline = outline_of(port(), words)
    assert [part.section for part in outline.parts if part.aside] == [("What is in it",)]
    assert [part.section for part in outline.main(8)] == [(name,) for name in CHAPTERS]


def test_questions_and_announcements_are_no_points(words):
    made = port()
    every = [text for part in outline_of(made, words).parts for text in said(made, part.points)]
    assert every and not any(text.endswith(("?", ":")) for text in every)


def test_figures_stand_out(words):
    made = port()
    assert said(made, outline_of(made, words).part(("Tidal locks", "Details")).figures) == ["They cost 40 million dollars in all."]


def test_a_heading_has_its_exact_place(words):
    made = port()
    for part in outline_of(made, words).parts[1:]:
        start, end = part.heading
        assert made.text[start:end] == part.section[-1]


def test_a_large_part_gives_way_to_those_below_it_while_they_fit(words):
    made = document(
        [("prose", ("Small",), "A short note on the weather of the port in spring.")]
        + [("prose", ("Large", f"Part {n}"), f"Pier {n} holds {n} thousand tonnes of grain for the winter. " * 4) for n in range(1, 5)]
    )
    outline = outline_of(made, words)
    assert [part.section[-1] for part in outline.main(5)] == ["Small", "Part 1", "Part 2", "Part 3", "Part 4"]
    assert [part.section[-1] for part in outline.main(4)] == ["Small", "Large"]


def test_a_report_without_headings_is_one_part(words):
    made = document([("prose", (), "The night tram carried 1,500 passengers an hour. Its drivers measured the noise at every stop.")])
    outline = outline_of(made, words)
    assert outline.main(8) == [outline.whole]
    assert len(said(made, outline.whole.points)) == 2


def test_an_empty_report_has_an_outline(words):
    made = document([])
    assert outline_of(made, words).parts == ()


def test_it_survives_being_stored(words):
    outline = outline_of(port(), words)
    assert from_json(to_json(outline)) == outline


def test_a_generation_holds_outlines_and_an_index_from_before_makes_them_when_asked(corpus, tmp_path, encoder, inline_sandbox):
    index = tmp_path / "index"
    build_index([corpus], index, encoder)
    store = open_index(index)
    assert store.manifest.outline == OUTLINE_VERSION
    names = [document.id for document in store.documents()]
    stored = {name: store.outline(name) for name in names}
    assert all(stored[name].parts for name in names)
    database = sqlite3.connect(":memory:")
    database.deserialize((index / f"gen-{store.generation:06d}" / "chunks.sqlite").read_bytes())
    assert database.execute("SELECT count(*) FROM outlines").fetchone() == (len(names),)
    store._parts.manifest = replace(store.manifest, outline="")  # as a generation without them reads
    store._outline.cache_clear()
    assert {name: store.outline(name) for name in names} == stored


def test_a_kept_report_keeps_its_outline(corpus, tmp_path, encoder, inline_sandbox, monkeypatch):
    index = tmp_path / "index"
    build_index([corpus], index, encoder)
    made = []
    monkeypatch.setattr("rag.index.build.outline_of", lambda document, words: made.append(document.id) or outline_of(document, words))
    (corpus / "new.md").write_text("# New\n\n## One\n\nThe lighthouse was painted white in 2021 by two people.\n", encoding="utf-8")
    build_index([corpus], index, encoder)
    assert made == ["new"]


def test_the_outline_on_the_command_line(corpus, tmp_path, encoder, inline_sandbox, capsys):
    index = tmp_path / "index"
    build_index([corpus], index, BuiltinEncoder())
    assert run(["show", "bees", "--outline", "--index", str(index)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.strip() == "Honey" for line in lines)
    assert run(["show", "bees", "--outline", "--json", "--index", str(index)]) == 0
    told = json.loads(capsys.readouterr().out)
    text = open_index(index).document("bees").text
    points = [point for part in told["parts"] for point in part["points"]]
    assert points and all(text[point["start"] : point["end"]] == point["text"] for point in points)
    assert run(["show", "missing", "--outline", "--index", str(Path(index))]) == 2
