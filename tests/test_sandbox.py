"""No file can hurt: whatever is given to the readers, this process lives, its memory stays, and the other files are read.

What is given, and the test that gives it (here, else in the file named):

    empty, a head alone, noise, another kind than the name says     test_what_is_no_report_says_why_and_the_others_are_read
    a PDF cut off, or with bytes changed, 200 times                 test_damaged_pdfs_give_their_readable_pages_or_a_reason
    a PDF with a password; one that only its owner may change       test_pdf.py: test_locked_and_unlocked_files
    a page that unpacks to 400 MB                                   test_a_bomb_never_takes_more_memory_than_allowed
    forms that call ten forms each; loops of pages, forms, tables   test_bombs_loops_and_laughs_end_at_their_limit
    a font that maps 2^31 codes; 300,000 operators on a page        test_a_font_that_maps_everything_and_a_page_that_never_ends
    more pages than are read                                        test_pdf.py: test_a_long_file_is_cut_off_and_says_so
    bombs, entities, overlaps, damage in packed files; deep HTML    test_packed_files_are_judged_before_they_are_unpacked
    links to the network in every format                            test_nothing_that_a_file_names_is_fetched
    encodings, spoiled bytes, controls                              test_dispatch.py: test_encodings_of_text
    names that climb, hide, repeat or are no text; links, pipes     test_odd_names_are_data
    names that climb out of an archive                              test_formats.py: test_members_of_an_archive_are_files
    endless lines, runs and blanks; special tokens; 100 MB          test_odd_texts_are_read_in_linear_time
    invisible, full-width, radical and turned characters            test_dispatch.py: test_a_question_finds_words_however_they_are_written
    images only, images in part, fonts without characters           test_pdf.py: test_pages_without_text_and_broken_fonts_are_said
    two columns drawn row by row under a running head               test_pdf.py: test_two_columns_are_read_one_after_the_other
    a thousand files, twenty of them all of the above               test_a_thousand_files_with_twenty_hostile_ones
"""

import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import hostile
import pytest
from conftest import HashingEncoder

from rag.errors import UnreadableFile
from rag.index.build import build_index
from rag.index.snapshot import open_index
from rag.reading.dispatch import MAX_BYTES
from rag.reading.pdf.glyphs import MAX_CHARACTERS
from rag.reading.sandbox import Cut, Limits, Reading, Sandbox, frame, pack, read_frame, unpack
from rag.types import Block, Chunk, Document

GOOD = "The harbour wakes before the town does. Its cranes lift forty boxes an hour."


def outcomes(folder: Path, files: dict[str, bytes], limits: Limits | None = None) -> dict[str, Reading | UnreadableFile]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with Sandbox(limits or Limits(), children=2) as sandbox:
        return {path.name: outcome for path, outcome in sandbox.read([folder / name for name in files], cut=Cut())}


def reasons(found: dict[str, Reading | UnreadableFile]) -> dict[str, str]:
    return {name: outcome.reason if isinstance(outcome, UnreadableFile) else "read" for name, outcome in found.items()}


@pytest.fixture(autouse=True)
def no_child_is_left():
    before = _children()
    yield
    assert _children() <= before


def _children() -> set[str]:
    own = str(os.getpid())
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[1] == own and fields[0] != "Z":
            found.add(status.parent.name)
    return found


def _peak() -> int:
    """Memory of this process at its highest, in kilobytes."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def test_what_is_no_report_says_why_and_the_others_are_read(tmp_path):
    found = reasons(
        outcomes(
            tmp_path,
            {
                "good.md": GOOD.encode(),
                "empty.pdf": b"",
                "head.pdf": b"%PDF-1.7",
                "random.pdf": os.urandom(5000),
                "really.docx": hostile.small_pdf(),
                "really.pdf": hostile.docx("<w:p/>"),
                "old.docx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
                "wordless.txt": b"... --- ...",
                "bom.txt": b"\xff\xfe" + os.urandom(4000),
                "good.pdf": hostile.small_pdf(),
            },
        )
    )
    expected = {
        "good.md": "read",
        "empty.pdf": "empty",
        "head.pdf": "not a readable PDF",
        "random.pdf": "not a PDF",
        "really.docx": "it is a PDF",
        "really.pdf": "not a PDF (it is a ZIP",
        "old.docx": "password-protected Office",
        "wordless.txt": "read",
        "bom.txt": "begins like utf-16",
        "good.pdf": "read",
    }
    assert all(part in found[name] for name, part in expected.items()), found


def test_damaged_pdfs_give_their_readable_pages_or_a_reason(tmp_path):
    whole = hostile.pages_pdf([hostile.shown(*hostile.BODY) for _ in range(6)])
    files = {f"cut{percent}.pdf": whole[: len(whole) * percent // 100] for percent in (1, 10, 50, 99)}
    files |= {f"flip{seed:03}.pdf": hostile.flipped(whole, seed) for seed in range(200)}
    found = outcomes(tmp_path, files)
    assert set(found) == set(files)
    read = [outcome for outcome in found.values() if isinstance(outcome, Reading)]
    assert len(read) > 120 and all(reading.chunks for reading in read)


def test_bombs_loops_and_laughs_end_at_their_limit(tmp_path):
    files = {
        "bomb.pdf": hostile.flate_bomb(400_000_000),
        "laughs.pdf": hostile.billion_laughs(),
        **hostile.looping_pdfs(),
        "good.md": GOOD.encode(),
    }
    ended = outcomes(tmp_path, files, Limits(memory=700_000_000, seconds=3))
    found = reasons(ended)
    assert found.pop("good.md") == "read"
    assert all(found[name] == "read" for name in ("count.pdf", "prev.pdf", "arrays.pdf"))
    # A slow machine gives up on the forms that call forms; a fast one has time for pypdf, which follows a few thousand of a thousand million.
    laughed = ended["laughs.pdf"]
    assert "too long" in found["laughs.pdf"] if isinstance(laughed, UnreadableFile) else len(laughed.document.text) < MAX_CHARACTERS
    assert all(found[name] != "read" for name in ("bomb.pdf", "kids.pdf", "self.pdf", "nested.pdf"))


def test_a_bomb_never_takes_more_memory_than_allowed(tmp_path):
    (tmp_path / "bomb.pdf").write_bytes(hostile.flate_bomb(400_000_000))
    program = """
import re, resource, sys
from pathlib import Path
from rag.errors import UnreadableFile
from rag.reading.sandbox import Cut, Limits, Sandbox
with Sandbox(Limits(memory=700_000_000, seconds=3), children=1) as sandbox:
    try:
        sandbox.read_one(Path(sys.argv[1]), cut=Cut())
    except UnreadableFile:
        pass
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    # In a process of its own, because children of other tests would be counted too.
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path / "bomb.pdf")], capture_output=True, text=True, check=True)
    own, child = map(int, ran.stdout.split())  # kilobytes
    assert own < 150_000 and child < 700_000


def test_memory_of_a_child_is_limited(tmp_path):
    (tmp_path / "a.txt").write_text("The harbour of the town. " * 1_000_000)
    with Sandbox(Limits(memory=300_000_000), children=1) as sandbox:
        with pytest.raises(UnreadableFile, match="needs more than 0.3 GB|crashed"):
            sandbox.read_one(tmp_path / "a.txt", cut=Cut())
        (tmp_path / "b.md").write_text(GOOD)
        assert sandbox.read_one(tmp_path / "b.md").document.text == GOOD


def test_packed_files_are_judged_before_they_are_unpacked(tmp_path):
    outside = tmp_path / "secret"
    outside.write_text("canary-7431")
    entity = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{outside}">]>'
    laughs = (
        '<!DOCTYPE a [<!ENTITY a "ha">'
        + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        + "]>"
    )
    body = f'<w:document xmlns:w="{hostile.WORD}"><w:body><w:p><w:r><w:t>&{{}};</w:t></w:r></w:p></w:body></w:document>'
    files = {
        "bomb.docx": hostile.docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 1_500_000),
        "entity.docx": hostile.zipped({"word/document.xml": entity + body.format("x")}),
        "laughs.docx": hostile.zipped({"word/document.xml": laughs + body.format("i")}),
        "many.zip": hostile.zipped({f"{number}.txt": "x" for number in range(5_000)}),
        "overlap.zip": hostile.overlapping_zip(),
        "cut.docx": hostile.docx(f"<w:p><w:r><w:t>{GOOD}</w:t></w:r></w:p>")[:-40],
        "other.docx": hostile.zipped({"a.txt": GOOD}),
        "entity.html": f"{entity}<html><body><p>&x; {GOOD}</p></body></html>".encode(),
        "deep.html": b"<div>" * 50_000 + GOOD.encode() + b"</div>" * 50_000,
    }
    found = outcomes(tmp_path, files)
    said = reasons(found)
    assert "refused as a bomb" in said["bomb.docx"] and "limit of 2000" in said["many.zip"] and "overlap" in said["overlap.zip"]
    assert all(said[name] != "read" for name in ("entity.docx", "laughs.docx", "cut.docx", "other.docx"))
    assert said["entity.html"] == "read" and "canary" not in found["entity.html"].document.text


def test_odd_texts_are_read_in_linear_time(tmp_path):
    wrapped = "港口在雨中醒来的时候没有人说话，大家在等船和潮水到来\n\n" * 40  # reads like the text layer of a PDF
    files = {
        "control.txt": b"The harbour wakes. <|endoftext|> It rains.\x00\x07" + b" The cranes are quiet." * 9,
        "run.txt": ("港口在雨中醒来" * 20_000).encode(),
        "blanks.txt": b" " * 3_000_000 + b"harbour",
        "letters.txt": b"a" * 1_000_000,
        "dots.md": b"ab" + b"." * 200_000 + b"x",
        "ticks.md": b"a `" * 100_000,
        "comments.md": b"a <!--" * 100_000,
        "leaders.txt": (wrapped + "x" + ". " * 100_000).encode(),
        "words.txt": (wrapped + "copyright " * 100_000).encode(),
        "page.pdf": hostile.many_operators(MAX_CHARACTERS),
    }
    found = outcomes(tmp_path, files, Limits(seconds=20, seconds_per_megabyte=4))  # what grew with the square would take minutes
    assert set(reasons(found).values()) == {"read"} and "<|endoftext|>" in found["control.txt"].document.text
    assert all(chunk.tokens <= Cut().max_tokens for reading in found.values() for chunk in reading.chunks)
    big = tmp_path / "big.txt"
    with big.open("wb") as file:
        file.truncate(100_000_000)
    with Sandbox() as sandbox, pytest.raises(UnreadableFile, match="over the limit of 50 MB"):
        sandbox.read_one(big)


def test_odd_names_are_data(tmp_path, encoder):
    folder = tmp_path / "reports"
    folder.mkdir()
    names = [
        b"-rf.md",
        b"CON.md",
        b"dot.md.",
        b"A.md",
        b"a.md",
        "\u202egnp.md".encode(),
        b"bad\xff\xfe.md",
        b"x" * 240 + b".md",
        b"new\nline.md",
    ]
    for number, name in enumerate(names):
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_text(f"{GOOD} It is number {number}.")
    (folder / "folder.pdf").mkdir()
    os.mkfifo(folder / "pipe.md")
    os.symlink("/etc/passwd", folder / "out.md")
    report = build_index([folder], tmp_path / "index", encoder)
    assert report.documents == len(names) - 1 and [Path(file).name for file, _ in report.failed] == ["dot.md.", "out.md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "reports"]


def test_a_thousand_files_with_twenty_hostile_ones(tmp_path):
    folder = tmp_path / "reports"
    folder.mkdir()
    for number in range(980):
        (folder / f"{number:04}.md").write_text(f"# Pier {number}\n\n{GOOD} It is pier {number}.\n")
    bad = hostile.twenty(MAX_BYTES)
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _peak()
    seen: list[tuple[int, int]] = []
    limits = Limits(memory=700_000_000, seconds=2, seconds_per_megabyte=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rag.reading.sandbox.Limits", lambda: limits)
        report = build_index(
            [folder], tmp_path / "index", HashingEncoder(), progress=lambda stage, *done: stage == "read" and seen.append(done)
        )
    assert report.documents == 980 and sorted(Path(file).name for file, _ in report.failed) == sorted(bad)
    assert all(reason for _, reason in report.failed) and seen[-1] == (1000, 1000) and seen == sorted(seen)
    assert _peak() - before < 200_000
    assert len(open_index(tmp_path / "index").documents()) == 980


def test_a_font_that_maps_everything_and_a_page_that_never_ends(tmp_path):
    found = outcomes(tmp_path, {"map.pdf": hostile.endless_map_pdf(), "operators.pdf": hostile.many_operators(3 * MAX_CHARACTERS)})
    assert isinstance(found["map.pdf"], Reading) and isinstance(found["operators.pdf"], Reading)
    assert f"page 1: cut off after {MAX_CHARACTERS} characters" in found["operators.pdf"].document.notes
    assert 0 < len(found["operators.pdf"].document.text) <= MAX_CHARACTERS  # what runs off the page is left out too


def test_nothing_that_a_file_names_is_fetched(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        link = f'<Relationship Id="r1" Type="attachedTemplate" Target="{url}" TargetMode="External"/>'
        relations = f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{link}</Relationships>'
        page = (
            f'<html><head><link rel="stylesheet" href="{url}"><base href="{url}"></head><body><p>{GOOD}</p><img src="{url}"></body></html>'
        )
        chapter = f'<!DOCTYPE html PUBLIC "x" "{url}"><html><body><p>{GOOD}</p><img src="{url}"/></body></html>'
        action = b"<< /Type /Action /S /URI /URI (%s) >>" % url.encode()
        files = {
            "a.html": page.encode(),
            "c.epub": hostile.zipped(
                {
                    "META-INF/container.xml": '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>',
                    "b.opf": '<package><manifest><item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/></spine></package>',
                    "a.xhtml": chapter,
                }
            ),
            "d.pdf": hostile.pdf_of(
                [
                    b"<< /Type /Catalog /Pages 2 0 R /OpenAction 6 0 R >>",
                    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                    hostile.page(4),
                    hostile.stream(hostile.shown(*hostile.BODY)),
                    hostile.FONT,
                    action,
                ]
            ),
            "e.md": f"![x]({url})\n\n{GOOD}\n".encode(),
        }
        document = f'<w:document xmlns:w="{hostile.WORD}"><w:body><w:p><w:r><w:t>{GOOD}</w:t></w:r></w:p></w:body></w:document>'
        files["b.docx"] = hostile.zipped({"word/document.xml": document, "word/_rels/document.xml.rels": relations})
        assert set(reasons(outcomes(tmp_path, files)).values()) == {"read"}
        with pytest.raises(TimeoutError):
            server.accept()


def test_ids_do_not_depend_on_which_file_is_read_first(tmp_path, encoder):
    for folder in ("a", "b", "c"):
        (tmp_path / "r" / folder).mkdir(parents=True)
        (tmp_path / "r" / folder / "tide.md").write_text(f"{GOOD} {folder}" * (900 if folder == "a" else 1))
    builds = [build_index([tmp_path / "r"], tmp_path / name, HashingEncoder()).added for name in ("one", "two")]
    assert builds[0] == builds[1] and sorted(builds[0])[0] == "tide" and len(builds[0]) == 3
    assert open_index(tmp_path / "one").document("tide").text.startswith(f"{GOOD} a")


def test_the_environment_does_not_reach_a_child(tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_LLM_API_KEY", "canary-9917")
    (tmp_path / "a.md").write_text(GOOD)
    with Sandbox(children=1) as sandbox:
        sandbox.read_one(tmp_path / "a.md")
        (child,) = sandbox._all
        environment = Path(f"/proc/{child._process.pid}/environ").read_bytes()
    assert b"canary" not in environment and b"PYTHONPATH" in environment


def test_a_child_that_lies_is_not_believed():
    document = Document(
        "d", "t", "One harbour.\nTwo cranes.", (Block(0, 12), Block(13, 24, "item", 2, ("A",))), "0" * 64, "d.md", pages=((0, 1), (13, 2))
    )
    whole = Reading(document, (Chunk("", "d", 0, 24, 1, ("A",), 6),))
    plain = json.loads(frame(pack(whole))[8:])
    assert unpack(plain).document == document and unpack(plain).named("e").chunks[0].document == "e"
    spoiled = [
        {"blocks": [[0, 99, "prose", None, 0, ""]]},
        {"blocks": [[5, 9, "prose", None, 0, ""], [0, 4, "prose", None, 0, ""]]},
        {"blocks": [[0, 4, "script", None, 0, ""]]},
        {"chunks": [[0, 99, 1, 0, 1]]},
        {"chunks": [[0, 4, 1, 77, 1]]},
        {"pages": [[99, 1]]},
        {"pages": [["0", 1]]},
        {"text": 5},
        {"text": "\ud800"},
        {"document": plain["document"] | {"year": "2030"}},
        {"document": {}},
    ]
    for change in spoiled:
        with pytest.raises((KeyError, TypeError, ValueError, IndexError)):
            unpack(plain | change)
    for data in (b"zzzzzzzz", b"ffffffff{}", b"00000002[]", b"00000003{]}"):
        with pytest.raises(ValueError):
            read_frame(io.BytesIO(data))
    assert read_frame(io.BytesIO(b"")) is None and read_frame(io.BytesIO(b"00000009{}")) is None


def test_stopping_early_leaves_nothing_behind(tmp_path):
    for number in range(20):
        (tmp_path / f"{number}.md").write_text(GOOD)
    threads = threading.active_count()
    with Sandbox(replace(Limits(), files=3), children=2) as sandbox:
        for _ in sandbox.read(sorted(tmp_path.iterdir())):
            break
    assert threading.active_count() == threads and not list(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"rag-reader-{os.getpid()}-*"))
