"""The index on disk: what a build changes, what it survives, and that nothing damaged is ever served as if it were whole."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import BEES, TIDES, HashingEncoder

import rag.index.manifest
from rag.errors import EncoderError, IndexBusy, IndexDamaged, IndexMismatch, NothingIndexed, RagError, UnreadableFile, UsageError
from rag.index.build import build_index, is_stale, remove_document
from rag.index.lexical import terms
from rag.index.publish import rollback
from rag.index.snapshot import check_index, open_index
from rag.types import Block, Chunk, Document, Store, content_id

pytestmark = pytest.mark.usefixtures("inline_sandbox")

QUESTIONS = ("潮汐电站的装机容量", "维护费用", "honey from city hives", "passengers an hour", "treated mites")


def answers(snapshot) -> list:
    """What a snapshot says to some questions, by both indexes."""
    encoder = HashingEncoder()
    return [
        (snapshot.lexical(dict.fromkeys(terms(question), 1.0), 9), snapshot.dense(encoder.encode([question])[0], 9))
        for question in QUESTIONS
    ]


def texts(snapshot, document: str) -> list[str]:
    return [snapshot.document(document).text[chunk.start : chunk.end] for chunk in snapshot.chunks_of(document)]


@pytest.fixture
def place(tmp_path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def built(corpus, place, encoder) -> Path:
    build_index([corpus], place, encoder)
    encoder.encoded.clear()
    return place


# ------------------------------------------------------------------------------------------------------------------- what is in it


def test_a_snapshot_is_a_store_that_gives_back_what_was_read(corpus, built, encoder):
    from rag.reading.dispatch import read_document
    from rag.text.chunk import chunk_document

    snapshot = open_index(built, encoder=encoder)
    assert all(hasattr(snapshot, name) for name in (*Store.__annotations__, *(n for n in vars(Store) if not n.startswith("_"))))
    assert [document.id for document in snapshot.documents()] == ["bees", "tides", "trams"]
    assert (snapshot.generation, snapshot.warning, snapshot.encoder_name, snapshot.dimension) == (1, "", "hashing", 64)
    chunks = []
    for name in ("bees.md", "tides.md", "trams.txt"):
        document = read_document(corpus / name)
        assert snapshot.document(document.id) == document
        assert snapshot.chunks_of(document.id) == chunk_document(document)
        chunks += snapshot.chunks_of(document.id)
    assert snapshot.count() == len(chunks) and snapshot.chunks([chunk.id for chunk in chunks]) == chunks
    assert snapshot.documents()[1] == dataclasses.replace(snapshot.document("tides"), text="", blocks=())


def test_search_finds_by_words_and_by_vector(built, encoder):
    snapshot = open_index(built, encoder=encoder)
    for question, document in (("装机容量", "tides"), ("honey in the city", "bees"), ("tram passengers", "trams")):
        weights, vector = dict.fromkeys(terms(question), 1.0), encoder.encode([question])[0]
        (first, *_), (nearest, *_) = snapshot.lexical(weights, 3), snapshot.dense(vector, 3)
        assert snapshot.chunks([first[0], nearest[0]])[0].document == snapshot.chunks([nearest[0]])[0].document == document
        assert snapshot.cosines(vector, [nearest[0]]) == pytest.approx([nearest[1]])
    assert snapshot.lexical({"zebra": 1.0}, 5) == []
    assert snapshot.document_frequencies(["电站", "zebra"]) == [1, 0]


def test_filters_restrict_both_sides(built, encoder):
    snapshot, vector = open_index(built), encoder.encode(["the honey of the night"])[0]
    for allowed in ({"bees"}, {"bees", "trams"}, set()):
        for hits in (snapshot.lexical({"the": 1.0, "were": 1.0}, 9, frozenset(allowed)), snapshot.dense(vector, 9, frozenset(allowed))):
            assert {chunk.document for chunk in snapshot.chunks([name for name, _ in hits])} == allowed


def test_an_index_does_not_hold_the_name_of_the_product(built):
    """So one that was made under the first name, Veracite, opens under the second."""
    content = b"".join(path.read_bytes() for path in built.rglob("*") if path.is_file()).lower()
    assert b"hashing" in content  # the name of the encoder is there
    assert b"provenote" not in content and b"veracite" not in content


def test_unknown_ids_are_key_errors(built):
    snapshot = open_index(built)
    for call in (lambda: snapshot.document("nope"), lambda: snapshot.chunks(["nope"]), lambda: snapshot.cosines(np.zeros(64), ["nope"])):
        with pytest.raises(KeyError):
            call()


def test_blocks_pages_speakers_and_odd_text_survive(tmp_path, place, encoder, monkeypatch):
    text = "甲𠀀\x00e\u0301\u200d 一句话。\nsecond \ufffe line"
    blocks = (Block(0, 10, "heading", 3, ("一", "1.1")), Block(11, len(text), "item", None, ("一",), "某人"))
    document = Document("odd", "odd", text, blocks, "0" * 64, "odd.txt", "出版", 1999, "zh", 7, ("a note",))
    (tmp_path / "odd.txt").write_text("x")
    monkeypatch.setattr("rag.reading.dispatch.read_document", lambda path, **options: document)
    build_index([tmp_path / "odd.txt"], place, encoder)
    assert open_index(place).document("odd") == document


def test_a_chunk_without_a_word_has_no_vector_and_tops_nothing(corpus, place, encoder, monkeypatch):
    def cut(document: Document, **_) -> list[Chunk]:
        spans = [(0, 10), (10, len(document.text))]
        return [Chunk(content_id(document.id, str(a)), document.id, a, b, None, (), b - a) for a, b in spans]

    (corpus / "joiners.txt").write_text("x")
    blank = Document("joiners", "j", "\u200d" * 10 + "word", (), "1" * 64, "joiners.txt")
    read = rag.reading.dispatch.read_document
    monkeypatch.setattr("rag.reading.dispatch.read_document", lambda path, **options: blank if path.name == "joiners.txt" else read(path))
    monkeypatch.setattr("rag.text.chunk.chunk_document", cut)
    build_index([corpus], place, encoder)
    snapshot = open_index(place)
    empty = snapshot.chunks_of("joiners")[0].id
    assert snapshot.manifest.vectors == snapshot.count() - 1
    vector = encoder.encode(["word"])[0]
    assert empty not in dict(snapshot.dense(vector, 99)) and snapshot.cosines(vector, [empty]) == [0.0]
    assert snapshot.dense(np.zeros(64, dtype=np.float32), 5) == []
    assert check_index(place).ok


# -------------------------------------------------------------------------------------------------------------- what a build changes


def test_an_unchanged_corpus_is_a_no_op(corpus, built, encoder):
    before = sorted((path, path.stat().st_mtime_ns) for path in built.rglob("*") if path.name != "LOCK")
    report = build_index([corpus], built, encoder)
    assert (report.changed_anything, report.generation, report.unchanged) == (False, 1, ("bees", "tides", "trams"))
    assert (report.documents, report.chunks) == (3, open_index(built).count()) and encoder.encoded == []
    assert sorted((path, path.stat().st_mtime_ns) for path in built.rglob("*") if path.name != "LOCK") == before


def test_only_what_changed_is_embedded(corpus, built, encoder):
    before = open_index(built)
    (corpus / "bees.md").write_text(BEES.replace("14 kilograms", "15 kilograms"))
    report = build_index([corpus], built, encoder)
    after = open_index(built)
    assert (report.changed, report.unchanged, report.embedded) == (("bees",), ("tides", "trams"), 1)
    assert encoder.encoded == [text for text in texts(after, "bees") if "15 kilograms" in text]
    assert [c.id for c in after.chunks_of("tides")] == [c.id for c in before.chunks_of("tides")]
    assert after.lexical({"15": 1.0}, 5) and not after.lexical({"14": 1.0}, 5)
    assert before.lexical({"14": 1.0}, 5) and not before.lexical({"15": 1.0}, 5)
    assert answers(after) == answers(_fresh(corpus, built.parent / "again", encoder))


def _fresh(corpus, place, encoder):
    build_index([corpus], place, encoder)
    return open_index(place)


def test_a_file_that_is_gone_leaves_both_indexes(corpus, built, encoder):
    (corpus / "bees.md").unlink()
    report = build_index([corpus], built, encoder)
    snapshot = open_index(built)
    assert (report.removed, report.documents, encoder.encoded) == (("bees",), 2, [])
    assert snapshot.lexical({"honey": 1.0}, 5) == [] and "bees" not in {d.id for d in snapshot.documents()}
    found = snapshot.dense(encoder.encode(["honey from city hives"])[0], 99)
    assert {chunk.document for chunk in snapshot.chunks([name for name, _ in found])} == {"tides", "trams"}


def test_other_paths_stay(corpus, built, encoder, tmp_path):
    other = tmp_path / "more" / "owls.txt"
    other.parent.mkdir()
    other.write_text("Owls hunt at dusk and rest by day.")
    report = build_index([other.parent], built, encoder)
    assert (report.added, report.unchanged) == (("owls",), ("bees", "tides", "trams"))
    (corpus / "bees.md").unlink()
    assert not build_index([other.parent], built, encoder).changed_anything
    assert build_index([], built, encoder).removed == ("bees",)
    assert open_index(built).manifest.roots == (str(other.parent), str(corpus))


def test_one_file_of_a_known_folder_is_no_new_root(corpus, built, encoder):
    (corpus / "bees.md").write_text(BEES + "\nMore honey was sold in May.\n")
    (corpus / "tides.md").write_text(TIDES + "\n又一句。\n")
    report = build_index([corpus / "bees.md"], built, encoder)
    assert (report.changed, report.removed, open_index(built).manifest.roots) == (("bees",), (), (str(corpus),))
    assert build_index([corpus], built, encoder).changed == ("tides",)


def test_a_bad_file_costs_nothing_else(corpus, built, encoder):
    (corpus / "sheet.xyz").write_text("numbers")
    (corpus / "empty.txt").write_text("")
    (corpus / "bees.md").write_bytes(b"")
    report = build_index([corpus], built, encoder)
    assert [Path(path).name for path, _ in report.failed] == ["bees.md", "empty.txt", "sheet.xyz"]
    assert all(reason and name not in reason for name, reason in report.failed)
    assert report.unchanged == ("bees", "tides", "trams") and open_index(built).lexical({"honey": 1.0}, 5)
    assert not build_index([corpus], built, encoder).changed_anything and not is_stale([corpus], built, encoder)
    (corpus / "bees.md").write_text(BEES.replace("City", "Town"))
    assert is_stale([corpus], built, encoder) and build_index([corpus], built, encoder).changed == ("bees",)


@pytest.mark.parametrize("error", [RuntimeError("boom"), MemoryError(), RecursionError("deep"), UnreadableFile("x", "encrypted")])
def test_a_reader_that_breaks_is_a_reason(corpus, place, encoder, monkeypatch, error):
    def read(path, **options):
        if path.name == "bees.md":
            raise error
        return original(path)

    original = rag.reading.dispatch.read_document
    monkeypatch.setattr("rag.reading.dispatch.read_document", read)
    report = build_index([corpus], place, encoder)
    assert report.added == ("tides", "trams") and len(report.failed) == 1


def test_text_that_is_not_unicode_is_a_reason(corpus, place, encoder, monkeypatch):
    original = rag.reading.dispatch.read_document
    spoil = lambda path, **options: dataclasses.replace(original(path), **({"title": "\ud800"} if path.name == "bees.md" else {}))  # noqa: E731
    monkeypatch.setattr("rag.reading.dispatch.read_document", spoil)
    assert [reason for _, reason in build_index([corpus], place, encoder).failed] == ["holds characters that are not Unicode text"]


def test_nothing_to_read_is_an_error_with_reasons(tmp_path, place, encoder):
    (tmp_path / "folder").mkdir()
    with pytest.raises(NothingIndexed, match="name a folder"):
        build_index([tmp_path / "folder"], place, encoder)
    (tmp_path / "folder" / "a.txt").write_text("")
    with pytest.raises(NothingIndexed, match=r"a\.txt: empty"):
        build_index([tmp_path / "folder"], place, encoder)
    with pytest.raises(UsageError):
        build_index([tmp_path / "not there"], place, encoder)
    with pytest.raises(NothingIndexed, match="rag index"):
        open_index(place)
    with pytest.raises(NothingIndexed, match="rag index"):
        check_index(tmp_path / "nowhere")
    assert is_stale([tmp_path / "folder"], place, encoder)


def test_the_same_content_twice_is_indexed_once(corpus, built, encoder):
    shutil.copy(corpus / "bees.md", corpus / "zoo.md")
    report = build_index([corpus], built, encoder)
    assert report.duplicates == ((str(corpus / "zoo.md"), "bees"),) and report.documents == 3
    assert not build_index([corpus], built, encoder).changed_anything
    (corpus / "bees.md").unlink()
    report = build_index([corpus], built, encoder)
    assert (report.added, report.removed, report.duplicates) == (("zoo",), ("bees",), ())


def test_no_folder_for_temporary_files_is_said(built, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(RagError, match="No space left.*TMPDIR") as caught:
        open_index(built)
    assert not isinstance(caught.value, IndexDamaged)


def test_two_files_with_one_id_are_told_apart(corpus, built, encoder):
    (corpus / "deeper").mkdir()
    (corpus / "deeper" / "bees.md").write_text(BEES.replace("City", "Village"))
    (added,) = build_index([corpus], built, encoder).added
    snapshot = open_index(built)
    assert added == f"bees-{snapshot.document(added).sha256[:4]}" and "Village" in snapshot.document(added).text
    assert "City" in snapshot.document("bees").text and check_index(built).ok
    assert not build_index([corpus], built, encoder).changed_anything


def test_removed_stays_removed_until_it_changes_or_is_named(corpus, built, encoder):
    with pytest.raises(UsageError, match="did you mean bees"):
        remove_document(built, "bee", encoder)
    report = remove_document(built, "bees", encoder)
    assert (report.removed, report.documents, encoder.encoded) == (("bees",), 2, [])
    assert not build_index([corpus], built, encoder).changed_anything and not is_stale([corpus], built, encoder)
    assert build_index([corpus / "bees.md"], built, encoder).added == ("bees",)
    remove_document(built, "bees", encoder)
    (corpus / "bees.md").write_text(BEES.replace("City", "Town"))
    assert build_index([corpus], built, encoder).added == ("bees",)
    for name in ("bees", "tides", "trams"):
        remove_document(built, name, encoder)
    with pytest.raises(NothingIndexed):
        open_index(built)


def test_is_stale_sees_each_kind_of_change(corpus, built, encoder):
    assert not is_stale([corpus], built, encoder)
    assert is_stale([corpus], built, HashingEncoder(revision="2"))
    for change in (
        lambda: (corpus / "new.txt").write_text("One more owl."),
        lambda: (corpus / "new.txt").write_text("Two more owls."),
        lambda: (corpus / "new.txt").unlink(),
    ):
        change()
        assert is_stale([corpus], built, encoder)
        build_index([corpus], built, encoder)
        assert not is_stale([corpus], built, encoder)


# ------------------------------------------------------------------------------------------------------ another encoder, other versions


@pytest.mark.parametrize("other", [HashingEncoder("other"), HashingEncoder(revision="2"), HashingEncoder(dimension=32)])
def test_another_encoder_is_refused_by_search_and_obeyed_by_a_build(corpus, built, encoder, other, tmp_path):
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "owls.txt").write_text("Owls hunt at dusk and rest by day.")
    build_index([tmp_path / "gone"], built, encoder)
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(
        IndexMismatch, match=rf"encoder hashing \(revision 1.*, not encoder {other.name}.*rag index .*--encoder {other.name}"
    ):
        open_index(built, encoder=other)
    with pytest.raises(IndexMismatch):
        remove_document(built, "bees", other)
    report = build_index([corpus], built, other)
    assert report.rebuilt and report.embedded == report.chunks and report.unchanged == ("bees", "owls", "tides", "trams")
    assert open_index(built, encoder=other).dimension == other.dimension


def test_another_chunker_reads_all_known_paths_again(corpus, built, encoder, tmp_path, monkeypatch):
    for name in ("near", "gone"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").write_text(f"Owls of {name} hunt at dusk.")
        build_index([tmp_path / name], built, encoder)
    shutil.rmtree(tmp_path / "gone")
    (tmp_path / "near" / "near.txt").write_text("Owls of here hunt at dawn.")
    monkeypatch.setitem(rag.index.manifest.VERSIONS, "chunker", "next")
    with pytest.raises(IndexMismatch, match="chunker .*, not next"):
        open_index(built)
    report = build_index([corpus], built, encoder)
    assert "chunker" in report.rebuilt and report.changed == ("near",) and report.unchanged == ("bees", "gone", "tides", "trams")
    assert texts(open_index(built), "gone") == ["Owls of gone hunt at dusk."]


def test_other_sizes_cut_anew_but_do_not_close_the_index(corpus, built, encoder):
    report = build_index([corpus], built, encoder, target_tokens=10, max_tokens=12)
    assert "target_tokens was 260, is 10" in report.rebuilt and report.chunks > 5
    assert not build_index([corpus], built, encoder, target_tokens=10, max_tokens=12).changed_anything
    assert open_index(built, encoder=encoder).count() == report.chunks


def test_another_format_is_named(built, encoder, monkeypatch, corpus):
    monkeypatch.setattr(rag.index.manifest, "FORMAT", 2)
    with pytest.raises(IndexMismatch, match="format 1, this version reads 2.*rag index"):
        open_index(built)
    report = build_index([corpus], built, encoder)
    assert "format 1" in report.rebuilt and open_index(built).count() == report.chunks


def test_an_encoder_that_misbehaves_changes_nothing(corpus, built, encoder):
    (corpus / "bees.md").write_text(BEES.replace("City", "Town"))
    for bad in (lambda n: np.zeros((n, 3)), lambda n: np.full((n, 64), np.nan), lambda n: np.ones((n, 64))):
        broken = HashingEncoder()
        broken.encode = lambda texts, bad=bad, **_: bad(len(texts))
        with pytest.raises(EncoderError):
            build_index([corpus], built, broken)
    assert open_index(built).generation == 1 and sorted(path.name for path in built.iterdir()) == ["CURRENT", "LOCK", "gen-000001"]


# ------------------------------------------------------------------------------------------------------------------------------ damage


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[random.Random(path.name).randrange(len(content))] ^= 0x10
    path.write_bytes(content)


def _link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


DAMAGE = {
    "flip": _flip,
    "truncate": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "zero tail": lambda path: path.write_bytes(path.read_bytes()[:-9] + b"\1" * 9),
    "delete": lambda path: path.unlink(),
    "link": _link,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_every_damage_to_every_file_is_seen(built, kind, tmp_path):
    files = [path.relative_to(built) for path in sorted((built / "gen-000001").rglob("*")) if path.is_file()]
    assert len(files) >= 8
    for file in files:
        copy = tmp_path / "copy"
        shutil.copytree(built, copy)
        DAMAGE[kind](copy / file)
        with pytest.raises(IndexDamaged, match="rag index") as caught:
            open_index(copy)
        assert "gen-000001" in str(caught.value)
        report = check_index(copy)
        assert not report.ok and report.problems
        shutil.rmtree(copy)


def test_a_foreign_file_or_swapped_files_are_seen(built):
    folder = built / "gen-000001"
    (folder / "model.pkl").write_bytes(b"anything")
    with pytest.raises(IndexDamaged, match="model.pkl is not in the manifest"):
        open_index(built)
    (folder / "model.pkl").unlink()
    (folder / "vectors.faiss").rename(folder / "x")
    (folder / "chunks.sqlite").rename(folder / "vectors.faiss")
    (folder / "x").rename(folder / "chunks.sqlite")
    with pytest.raises(IndexDamaged, match=r"chunks\.sqlite has|vectors\.faiss has"):
        open_index(built)


def test_a_manifest_that_lies_with_a_good_hash_is_seen(built):
    import hashlib

    path = built / "gen-000001" / "MANIFEST.json"
    good = json.loads(path.read_text())
    size_and_hash = good["files"]["vectors.faiss"]
    lies = [
        {"chunks": good["chunks"] + 1},
        {"vectors": 10**12},
        {"vectors": -1},
        {"documents": 2},
        {"generation": 7},
        {"dimension": 32},
        {"files": good["files"] | {"../../etc": size_and_hash}},
        {"files": {"vectors.faiss": size_and_hash}},
        {"sources": 3},
        {"surprise": 1},
    ]
    for text in [*(json.dumps(good | lie) for lie in lies), "", "[]", "[" * 100_000, '{"format": 1}', "\x00"]:
        path.write_text(text)
        (built / "gen-000001" / "DONE").write_text(hashlib.sha256(text.encode()).hexdigest() + "\n")
        with pytest.raises(IndexDamaged):
            open_index(built)


@pytest.mark.parametrize("pointer", ["", "garbage", "gen-1", "gen-000009", "../gen-000001", "gen-000001/..", "\xff", "x" * 10**6, None])
def test_a_bad_pointer_never_opens_something_else(built, pointer):
    if pointer is None:
        (built / "CURRENT").unlink()
    else:
        (built / "CURRENT").write_text(pointer, encoding="latin-1")
    snapshot = open_index(built)
    assert snapshot.generation == 1 and "serving generation 1" in snapshot.warning
    assert not check_index(built).ok


def test_a_damaged_generation_is_passed_over_and_kept(corpus, built, encoder):
    old = answers(open_index(built))
    (corpus / "bees.md").write_text(BEES.replace("honey", "wax"))
    build_index([corpus], built, encoder)
    _flip(built / "gen-000002" / "vectors.faiss")
    snapshot = open_index(built)
    assert snapshot.generation == 1 and answers(snapshot) == old and snapshot.is_current()
    assert (
        snapshot.warning.startswith("serving generation 1: gen-000002/vectors.faiss has another sha256") and "rag index" in snapshot.warning
    )
    report = build_index([corpus], built, encoder)
    assert (report.generation, report.changed) == (3, ("bees",)) and "gen-000002" in report.rebuilt
    assert sorted(path.name for path in built.iterdir()) == ["CURRENT", "LOCK", "gen-000001", "gen-000003", "quarantine"]
    assert [path.name for path in (built / "quarantine").iterdir()] == ["gen-000002"] and not open_index(built).warning
    assert not snapshot.is_current()


def test_when_all_is_damaged_a_build_starts_from_the_files(corpus, built, encoder):
    _flip(built / "gen-000001" / "chunks.sqlite")
    (corpus / "owls.txt").write_text("Owls hunt at dusk.")
    report = build_index([corpus / "owls.txt"], built, encoder)
    assert report.added == ("bees", "owls", "tides", "trams") and "chunks.sqlite" in report.rebuilt
    assert (built / "quarantine" / "gen-000001" / "chunks.sqlite").exists() and check_index(built).ok


def test_check_reports_and_rollback_goes_back(corpus, built, encoder):
    with pytest.raises(UsageError, match="no earlier generation"):
        rollback(built)
    (corpus / "bees.md").unlink()
    build_index([corpus], built, encoder)
    report = check_index(built)
    assert (report.ok, report.problems, report.generation, report.documents) == (True, (), 2, 2)
    assert report.chunks == report.vectors == open_index(built).count()
    newer = open_index(built)
    assert rollback(built) == "gen-000001" and not newer.is_current() and open_index(built).generation == 1
    assert build_index([corpus], built, encoder).generation == 3
    assert sorted(path.name for path in built.iterdir() if path.is_dir()) == ["gen-000001", "gen-000003"]


def test_a_loaded_index_outlives_its_files(built):
    snapshot = open_index(built)
    before = answers(snapshot)
    for path in built.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    assert answers(snapshot) == before and "City hives" in snapshot.document("bees").text


def test_index_and_reports_can_move_together(corpus, built, encoder, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.move(corpus, moved / "reports")
    shutil.move(built, moved / "index")
    assert not build_index([moved / "reports"], moved / "index", encoder).changed_anything
    assert str(tmp_path) not in (moved / "index" / "gen-000001" / "MANIFEST.json").read_text()


def test_a_folder_that_cannot_be_written_can_be_read(built):
    folders = [built, *(path for path in built.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert open_index(built).count() == 5
        assert check_index(built).ok
    finally:
        for folder in folders:
            folder.chmod(0o755)


# ------------------------------------------------------------------------------------------------------- errors and kills in a build


def _fail_at(monkeypatch, number: int, error: int) -> list[int]:
    """Lets the n-th call among fsync, rename and replace fail; the count of calls so far."""
    calls = [0]
    for name in ("fsync", "rename", "replace"):

        def call(*arguments, original=getattr(os, name), **keywords):
            calls[0] += 1
            if calls[0] == number:
                raise OSError(error, os.strerror(error))
            return original(*arguments, **keywords)

        monkeypatch.setattr(os, name, call)
    return calls


def test_an_error_at_any_step_leaves_the_old_or_the_new_whole(corpus, built, encoder, monkeypatch):
    old = answers(open_index(built))
    (corpus / "bees.md").write_text(BEES.replace("honey", "wax").replace("14", "16"))
    new = answers(_fresh(corpus, built.parent / "reference", encoder))
    assert new != old
    served = []
    for number in range(1, 100):
        place = built.parent / "copy"
        shutil.copytree(built, place)
        with monkeypatch.context() as patch:
            calls = _fail_at(patch, number, (5, 28, 13, 24)[number % 4])
            try:
                build_index([corpus], place, encoder)
                failed = False
            except RagError as error:
                assert "cannot write the index" in str(error) and "\n" not in str(error)
                failed = True
        snapshot = open_index(place)
        assert snapshot.warning == "" and check_index(place).ok
        assert answers(snapshot) == (old if snapshot.generation == 1 else new)
        served.append(snapshot.generation)
        if number % 3 == 0 or snapshot.generation != 1:
            again = build_index([corpus], place, encoder)
            assert again.changed_anything == (snapshot.generation == 1) and answers(open_index(place)) == new
            assert not [path for path in place.iterdir() if "tmp" in path.name]
        shutil.rmtree(place)
        if calls[0] < number:
            assert not failed
            break
        assert failed
    assert number > 15 and served == sorted(served) and set(served) == {1, max(served)}


def test_ctrl_c_leaves_the_old(corpus, built, encoder):
    (corpus / "bees.md").unlink()

    def stop(stage, done, total):
        if (stage, done) == ("write", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index([corpus], built, encoder, progress=stop)
    assert open_index(built).generation == 1 and sorted(path.name for path in built.iterdir()) == ["CURRENT", "LOCK", "gen-000001"]


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = [str(Path("tests").resolve()), str(Path(".").resolve())]
from conftest import HashingEncoder
from rag.text.chunk import chunk_document
from rag.errors import NothingIndexed
from rag.index.build import build_index
from rag.index.snapshot import check_index, open_index
from rag.reading.dispatch import read_document

corpus, place, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
ledger = place.parent / "acknowledged"
chance = random.Random(seed)

def write_for_ever(first, steps):
    for version in range(first, 10**9):
        for name in "abc":
            (corpus / f"{name}.txt").write_text(f"Report {name} is of version{version} and holds a few words.")
        build_index([corpus], place, HashingEncoder(), progress=lambda *step: os.write(steps, b"."))
        with ledger.open("a") as lines:
            lines.write(f"{version}\\n")

def last_acknowledged():
    return int(([0] + ledger.read_text().split())[-1])

def look():
    acknowledged = last_acknowledged()
    try:
        snapshot = open_index(place)
    except NothingIndexed:
        assert acknowledged == 0
        return
    versions = {snapshot.document(d.id).text.split("version")[1].split()[0] for d in snapshot.documents()}
    assert len(snapshot.documents()) == 3 and len(versions) == 1, versions
    assert int(min(versions)) in (acknowledged, acknowledged + 1), (versions, acknowledged)
    assert snapshot.lexical({f"version{min(versions)}": 1.0}, 9), versions
    assert check_index(place).ok or not acknowledged

def in_child(task, *arguments):
    child = os.fork()
    if child == 0:
        try:
            task(*arguments)
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    return child

# Tables are loaded before the first fork; faiss and tantivy are not called, since their threads would not survive it.
warm = corpus / "warm.txt"
warm.write_text("Measured passages warm the tables.")
chunk_document(read_document(warm))
HashingEncoder().encode(["measured"])
warm.unlink()
ledger.touch()
for turn in range(10):
    # Each step that a build reports is a byte in a pipe: the kill comes at one of the steps of the first three builds, or soon after it,
    # however slow the machine is.
    steps, report = os.pipe()
    child = in_child(write_for_ever, last_acknowledged() + 1, report)
    os.close(report)
    for _ in range(chance.randrange(1, 36)):
        assert os.read(steps, 1), "the writer ended by itself"
    time.sleep(chance.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(steps)
    assert os.waitpid(in_child(look), 0)[1] == 0, turn
print("whole", last_acknowledged())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_kill_9_at_any_moment_leaves_one_version_whole(tmp_path):
    (tmp_path / "reports").mkdir()
    root = Path(rag.__file__).parents[1]
    command = [sys.executable, "-c", KILLED, str(tmp_path / "reports"), str(tmp_path / "index"), "7"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert result.stdout.startswith("whole"), result.stderr[-2000:]
    assert int(result.stdout.split()[1]) >= 3  # some builds got through, so the kills were not all before the first
    assert len([path for path in (tmp_path / "index").iterdir() if path.name.startswith("gen-")]) <= 4


# --------------------------------------------------------------------------------------------------------------- several at once


def test_two_writers_and_the_second_is_told_at_once(corpus, built, encoder):
    (corpus / "bees.md").unlink()
    seen = []

    def while_writing(stage, done, total):
        if stage == "write" and not seen:
            for call in (lambda: build_index([corpus], built, HashingEncoder()), lambda: rollback(built)):
                with pytest.raises(IndexBusy, match=f"process {os.getpid()} on ") as caught:
                    call()
                seen.append(caught.value)

    build_index([corpus], built, encoder, progress=while_writing)
    assert len(seen) == 2 and open_index(built).generation == 2


def test_readers_keep_their_snapshot_while_others_are_published(corpus, built, encoder):
    wrong: list[object] = []
    stop = threading.Event()

    def read() -> None:
        vector = HashingEncoder().encode(["honey version"])[0]
        while not stop.is_set():
            try:
                snapshot = open_index(built)
                for _ in range(5):
                    (name, _), *_ = snapshot.lexical({"honey": 1.0}, 1)
                    (chunk,) = snapshot.chunks([name])
                    text = snapshot.document(chunk.document).text[chunk.start : chunk.end]
                    found = [snapshot.chunks([i])[0] for i, _ in snapshot.dense(vector, 9)]
                    if "honey" not in text or len(found) != snapshot.count() or snapshot.warning:
                        wrong.append((text, snapshot.warning))
            except Exception as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(8):
        (corpus / "bees.md").write_text(BEES.replace("14", str(version)))
        build_index([corpus], built, encoder)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == [] and open_index(built).generation == 9


def test_an_open_goes_on_to_the_generation_that_has_taken_the_place_of_the_one_it_was_reading(corpus, built, encoder, tmp_path):
    """Generations made before are moved in and cleared away far faster than builds could, one for each that a reader has opened.

    No name comes twice, as none does in an index.
    """
    for version in range(24):
        (corpus / "bees.md").write_text(BEES.replace("14", str(version)))
        build_index([corpus], built, encoder)
        newest = next(path for path in built.iterdir() if path.name == f"gen-{version + 2:06d}")
        shutil.copytree(newest, tmp_path / "made" / newest.name)
    made = sorted(path.name for path in (tmp_path / "made").iterdir())
    opened, wrong, stop = threading.Semaphore(0), [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                snapshot = open_index(built)
                if snapshot.warning:
                    wrong.append(snapshot.warning)
            except Exception as error:
                wrong.append(error)
            opened.release()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for before, name in pairwise(made[:-1]):
        shutil.copytree(tmp_path / "made" / name, built / "gen.tmp-moving")
        (built / "gen.tmp-moving").rename(built / name)
        (built / "CURRENT.tmp").write_text(name + "\n")
        (built / "CURRENT.tmp").replace(built / "CURRENT")
        for path in built.glob("gen-0*"):
            if path.name not in (name, before):
                shutil.rmtree(path)
        opened.acquire()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_one_snapshot_serves_many_threads(built):
    snapshot = open_index(built)
    expected, wrong = answers(snapshot), []

    def ask() -> None:
        for _ in range(20):
            if answers(snapshot) != expected or len(texts(snapshot, "bees")) != 2:
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_progress_is_told_in_order(corpus, place, encoder):
    told = []
    build_index([corpus], place, encoder, progress=lambda *step: told.append(step))
    stages = [stage for stage, _, _ in told]
    assert stages == sorted(stages, key=["read", "encode", "write"].index)
    assert [told[stages.index(stage, 0)] for stage in ("read", "write")] == [("read", 0, 3), ("write", 0, 4)]
    assert told[-1] == ("write", 4, 4) and ("read", 3, 3) in told and ("encode", 5, 5) in told
