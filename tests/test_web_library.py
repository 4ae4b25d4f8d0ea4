"""Changing an index from the page: files added, refused, replaced and removed, each change in a process of its own."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from browser import pdf
from hypothesis import given
from hypothesis import strategies as some

from rag.config import Config
from rag.errors import IndexBusy, UsageError
from rag.index.build import build_index
from rag.index.encoder import open_encoder
from rag.index.snapshot import open_index
from rag.types import Document
from rag.web import library as module
from rag.web import report_views
from rag.web.library import Library, Outcome, State, file_name, refusal


@pytest.fixture
def kept(corpus, tmp_path) -> Library:
    config = Config(index_dir=str(tmp_path / "index"))
    build_index([corpus], config.index_dir, open_encoder("builtin"))
    return Library(config, tmp_path / "kept")


def ended(library: Library) -> State:
    assert library.wait(60) and library.state.finished
    return library.state


def reports(library: Library) -> dict[str, str]:
    store = open_index(library.config.index_dir)
    return {document.id: store.document(document.id).text for document in store.documents()}


def file(folder: Path, name: str, content: str | bytes) -> tuple[str, Path]:
    path = folder / f"upload-{abs(hash(name)) % 10**6}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return name, path


def test_files_are_added_replaced_and_removed(kept, tmp_path):
    old = reports(kept)
    started = kept.add(
        [
            file(tmp_path, "nets.md", "# Nets\n\nNets are mended on Mondays."),
            file(tmp_path, "../../broken.pdf", "%PDF-1.4 nothing"),
            file(tmp_path, "again.txt", (tmp_path / "reports" / "trams.txt").read_bytes()),
            file(tmp_path, "run.exe", "MZ"),
        ]
    )
    assert started.outcomes[0].file == "run.exe" and ".exe" in started.outcomes[0].reason
    with pytest.raises(IndexBusy, match="already"):
        kept.refresh()
    state = ended(kept)
    assert [(outcome.file, outcome.status, outcome.document) for outcome in state.outcomes] == [
        ("run.exe", "failed", ""),
        ("nets.md", "added", "nets"),
        ("broken.pdf", "failed", ""),
        ("again.txt", "same", "trams"),
    ]
    assert sorted(path.name for path in kept.folder.iterdir()) == ["again.txt", "nets.md"]
    assert reports(kept) == old | {"nets": "Nets\nNets are mended on Mondays."}

    kept.add([file(tmp_path, "nets.md", "# Nets\n\nNets are mended on Sundays.")])
    assert ended(kept).outcomes == (Outcome("nets.md", "changed", "nets"),) and "Sundays" in reports(kept)["nets"]
    kept.add([file(tmp_path, "nets.md", b"\0\1\2\3" * 500)])  # unreadable: the one before stays
    assert ended(kept).outcomes[0].status == "failed" and "Sundays" in (kept.folder / "nets.md").read_text()
    assert "Sundays" in reports(kept)["nets"]

    kept.remove("nets")
    assert ended(kept).report["removed"] == ["nets"] and not (kept.folder / "nets.md").exists()
    kept.remove("bees")  # not added here: its file stays where it is
    assert ended(kept).report["removed"] == ["bees"] and (tmp_path / "reports" / "bees.md").exists()
    kept.refresh()
    assert ended(kept).report["changed_anything"] is False
    assert set(reports(kept)) == {"tides", "trams"}


def test_what_cannot_be_done_says_so(kept, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="'moon'"):
        kept.remove("moon")
    with pytest.raises(UsageError, match="21 files"):
        kept.add([("a.md", tmp_path)] * 21)
    monkeypatch.setattr(module, "LIBRARY_BYTES", 10)
    assert "no room" in kept.add([file(tmp_path, "long.md", "# Long\n\nlonger than ten bytes")]).outcomes[0].reason
    for name in ("bees", "trams"):
        kept.remove(name)
        ended(kept)
    with pytest.raises(UsageError, match="only report"):
        kept.remove("tides")


def test_a_change_that_breaks_off_leaves_all_as_it_was(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "nowhere" / "rag")
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    before = reports(kept)
    kept.add([file(tmp_path, "nets.md", "# Nets\n\nNets.")])
    assert "broke off" in str(ended(kept).problem) and list(kept.folder.iterdir()) == [] and reports(kept) == before


@given(some.text(max_size=300))
def test_any_name_becomes_one_that_stays_in_its_folder(name):
    made = file_name(name)
    assert made == Path(made).name and made not in ("", ".", "..") and not made.startswith(".") and len(made.encode()) < 200
    assert file_name(made) == made or made.startswith("added ")


def test_content_must_be_what_the_name_says(tmp_path):
    for name, content, word in (
        ("a.pdf", b"PK\x03\x04", "no pdf"),
        ("a.txt", b"%PDF-1.4", "no txt"),
        ("a.md", b"", "empty"),
        ("a.md", b"# Fine", ""),
        ("a.pdf", pdf([["Fine"]]), ""),
    ):
        path = tmp_path / "given"
        path.write_bytes(content)
        assert word in refusal(name, path) and bool(word) == bool(refusal(name, path))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pdf", b"%PDF-1.4", "PDF 已损坏"),
        ("a.pdf", b"words", "内容不是 PDF"),
        ("a.txt", b"", "文件是空的"),
        ("a.docx", b"", "文件是空的"),
    ],
)
def test_chinese_readers_learn_in_chinese_why_a_file_was_not_read(tmp_path, name, content, words):
    from rag.errors import UnreadableFile
    from rag.reading.dispatch import read_document

    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as refused:
        read_document(path)
    told = refused.value.reason
    outcome = State("add", (name,), finished=True, outcomes=(Outcome(name, "failed", reason=told),))
    assert words in report_views.change_html(outcome, "zh") and words not in report_views.change_html(outcome, "en")


def test_progress_and_lists_are_safe_html():
    nasty = "<img src=x> ${1} \"'"
    state = State("add", (nasty, "b.md"), "read", 1, 2, (Outcome(nasty, "failed", reason=nasty),))
    page = (
        report_views.change_html(state, "en")
        + report_views.change_html(None, "en", nasty)
        + report_views.change_html(State("remove", (nasty,), finished=True), "en")
    )
    page += report_views.reports_html([(Document(nasty, nasty, "", (), "0", nasty, nasty, 2020, "en"), 3)], "zh")
    page += report_views.asks_html(nasty, [nasty], "en")
    assert "<img" not in page and page.count("&lt;img") >= 9
    assert 'value="25"' in report_views.change_html(State("add", ("a.md", "b.md"), "read", 1, 2), "en")
    assert report_views.change_html(State("add", ("a.md", "b.md"), "read", 0, 2), "en").count("Waiting") == 1


def packed(**members: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "."), text)
    return made.getvalue()


def test_an_archive_is_added_whole_and_goes_whole(kept, tmp_path):
    kept.add(
        [file(tmp_path, "set.zip", packed(nets_md="# Nets\n\nNets are mended on Mondays.", ropes_txt="Ropes are tarred.", run_exe="MZ"))]
    )
    (outcome,) = ended(kept).outcomes
    assert (outcome.file, outcome.status) == ("set.zip", "added") and outcome.reason.startswith("2 reports; run.exe: cannot read .exe")
    assert {"nets", "ropes"} < set(reports(kept)) and (kept.folder / "set.zip").exists()
    kept.add([file(tmp_path, "bad.zip", packed(run_exe="MZ"))])
    (outcome,) = ended(kept).outcomes
    assert outcome.status == "failed" and "cannot read .exe" in outcome.reason and not (kept.folder / "bad.zip").exists()


@pytest.mark.parametrize(
    ("name", "content", "refused"),
    [
        ("a.csv", b"Quay,t\nNorth,412\n", False), ("a.csv", b"PK\x03\x04", True), ("a.xls", b"PK\x03\x04", False), ("a.xls", b"%PDF-1.4", True),
        ("a.xlsx", b"Quay,t\n", True), ("a.eml", b"Subject: x\n\ny", False), ("a.msg", b"Subject: x", True), ("a.rtf", b"{\\rtf1 x}", False),
        ("a.zip", b"PK\x03\x04", False),
        ("a.png", b"\x89PNG\r\n", False),
        ("a.png", b"\xff\xd8\xff", True),
        ("a.jpg", b"\xff\xd8\xff", False),
        ("a.tiff", b"II*\0", False), ("a.odt", b"<x/>", True),
    ],
)  # fmt: skip
def test_sheets_mails_and_archives_must_be_what_they_are_called(tmp_path, name, content, refused):
    (tmp_path / "given").write_bytes(content)
    assert bool(refusal(name, tmp_path / "given")) is refused


def test_a_card_tells_what_was_left_out():
    document = Document("a", "A", "", (), "0", "a.xlsx", notes=("charts not read: 2", "<b>: 1", "c: 1", "d: 1", "e: 1"))
    card = report_views.reports_html([(document, 3)], "en")
    assert ">Left out or repaired: charts not read: 2; &lt;b&gt;: 1; c: 1; d: 1</small>" in card and "e: 1" in card
