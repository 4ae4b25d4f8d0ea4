"""Text recognition: only when asked for, said in the notes, by rapidocr or by `tesseract`, for which a scripted program stands in."""

import io
import os
import shutil
import sys

import hostile
import pytest

import rag.reading.formats.ocr
from rag.cli import run
from rag.errors import UnreadableFile
from rag.index.build import build_index
from rag.index.snapshot import open_index
from rag.reading.formats.ocr import runs_of_words, words_of
from rag.reading.sandbox import Sandbox

HEAD = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"


def row(line: int, left: int, top: int, text: str, sure: float = 90, block: int = 1) -> str:
    return f"5\t1\t{block}\t1\t{line}\t1\t{left}\t{top}\t{24 * len(text)}\t40\t{sure}\t{text}\n"


TABLE = (
    HEAD
    + row(1, 300, 300, "港口")
    + row(1, 350, 300, "在")
    + row(1, 380, 300, "雨中醒来。")
    + row(2, 300, 380, "Cranes")
    + row(2, 460, 380, "lift")
)
TABLE += row(2, 570, 380, "boxes.") + row(3, 300, 460, "~.", 95) + row(4, 300, 520, "dirt", 12)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program named tesseract first on the path, which answers with TABLE when it is given a PNG."""

    def install(answer: str = TABLE, code: int = 0) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "answer.tsv").write_text(answer, encoding="utf-8")
        script = f"""#!{sys.executable}
import sys
if "--list-langs" in sys.argv:
    print("List of available languages (2):\\nchi_sim\\neng")
    sys.exit()
assert sys.stdin.buffer.read(4) == bytes([137]) + b"PNG" and "chi_sim+eng" in sys.argv
sys.stdout.buffer.write(open({str(folder / "answer.tsv")!r}, "rb").read())
sys.exit({code})
"""
        (folder / "tesseract").write_text(script)
        (folder / "tesseract").chmod(0o755)
        monkeypatch.setattr(rag.reading.formats.ocr, "find_spec", lambda name: None)  # without the extra
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    rag.reading.formats.ocr.languages.cache_clear()
    yield install
    rag.reading.formats.ocr.languages.cache_clear()


def test_words_become_runs_in_points():
    runs = runs_of_words(words_of(TABLE), page_height=842, scale=2)
    assert [run.text for run in runs] == ["港口在雨中醒来。", "Cranes lift boxes."]
    assert (runs[0].left, runs[0].top, runs[0].height) == (150, 692, 20)
    far_apart = HEAD + row(1, 100, 100, "left") + row(1, 900, 100, "right")
    assert [run.text for run in runs_of_words(words_of(far_apart), 842, 2)] == ["left", "right"]
    assert words_of("no table") == words_of(HEAD + "5\tx\n") == []


def test_page_images_are_read_only_when_asked_for(tmp_path, program):
    program()
    pages = hostile.pages_pdf([b"", hostile.shown(*hostile.BODY)])
    (tmp_path / "scan.pdf").write_bytes(hostile.pages_pdf([b"", b""]))
    (tmp_path / "half.pdf").write_bytes(pages)
    with Sandbox(children=1) as sandbox:
        with pytest.raises(UnreadableFile, match="page images only, 2 pages: install the extra .*tesseract-ocr-chi-sim.*--ocr"):
            sandbox.read_one(tmp_path / "scan.pdf")
        assert sandbox.read_one(tmp_path / "half.pdf").document.notes == ("page 1: no text: empty or images only",)
    with Sandbox(children=1, recognise=True) as sandbox:
        scan, half = (sandbox.read_one(tmp_path / name).document for name in ("scan.pdf", "half.pdf"))
    assert scan.text.replace("\n", "") == 2 * "港口在雨中醒来。Cranes lift boxes." and {page for _, page in scan.pages} == {1, 2}
    assert scan.notes == ("pages 1-2: read by text recognition, so letters and figures may be wrong",)
    assert half.text.startswith("港口在雨中醒来。") and "second terminal" in half.text and half.notes[0].startswith("page 1: read by")


def test_an_index_reads_the_images_of_reports_that_it_has(tmp_path, program, encoder):
    program()
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "half.pdf").write_bytes(hostile.pages_pdf([b"", hostile.shown(*hostile.BODY)]))
    assert build_index([tmp_path / "r"], tmp_path / "index", encoder).added == ("half",)
    assert not build_index([], tmp_path / "index", encoder).changed_anything
    assert build_index([], tmp_path / "index", encoder, recognise=True).documents == 1
    assert "港口" in open_index(tmp_path / "index").document("half").text
    assert not build_index([], tmp_path / "index", encoder, recognise=True).changed_anything


def test_a_recogniser_that_fails_costs_only_its_pages(tmp_path, program):
    program(code=1)
    (tmp_path / "half.pdf").write_bytes(hostile.pages_pdf([b"", hostile.shown(*hostile.BODY)]))
    with Sandbox(children=1, recognise=True) as sandbox:
        found = sandbox.read_one(tmp_path / "half.pdf").document
    assert found.notes == ("page 1: empty, or images in which nothing can be recognised",) and "second terminal" in found.text


def test_asking_without_a_recogniser_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(rag.reading.formats.ocr, "find_spec", lambda name: None)
    rag.reading.formats.ocr.languages.cache_clear()
    (tmp_path / "a.md").write_text("The harbour wakes.")
    assert run(["index", str(tmp_path), "--index", str(tmp_path / "index"), "--ocr"]) == 2
    assert "apt install tesseract-ocr tesseract-ocr-chi-sim" in capsys.readouterr().err and not (tmp_path / "index").exists()
    rag.reading.formats.ocr.languages.cache_clear()


def picture(*lines: str, size: tuple[int, int] = (1240, 500), form: str = "PNG") -> bytes:
    """A white picture with lines of large type; for TIFF one frame a line."""
    from PIL import Image, ImageDraw, ImageFont

    frames = []
    for shown in [lines] if form != "TIFF" else [(line,) for line in lines]:
        frame = Image.new("RGB", size, "white")
        for at, line in enumerate(shown):
            ImageDraw.Draw(frame).text((80, 60 + 90 * at), line, fill="black", font=ImageFont.load_default(size=44))
        frames.append(frame)
    buffer = io.BytesIO()
    frames[0].save(buffer, form, **({"save_all": True, "append_images": frames[1:]} if form == "TIFF" else {}))
    return buffer.getvalue()


@pytest.mark.parametrize("suffix, form", [(".png", "PNG"), (".jpg", "JPEG"), (".webp", "WEBP"), (".tif", "TIFF")])
def test_pictures_are_read_when_asked_for(tmp_path, program, suffix, form):
    program()
    file = tmp_path / f"photo{suffix}"
    file.write_bytes(picture("one", "two", form=form))
    with Sandbox(children=1) as sandbox, pytest.raises(UnreadableFile, match="a picture: install .* and index it with --ocr"):
        sandbox.read_one(file)
    with Sandbox(children=1, recognise=True) as sandbox:
        document = sandbox.read_one(file).document
    pages = 2 if form == "TIFF" else 1
    assert document.page_count == pages and document.text.count("Cranes lift boxes.") == pages
    assert document.notes == (f"page{'s 1-2' if pages == 2 else ' 1'}: read by text recognition, so letters and figures may be wrong",)


def test_a_page_of_which_the_recogniser_is_not_sure_is_said(tmp_path, program):
    program(HEAD + row(1, 300, 300, "Cranes", 55) + row(1, 480, 300, "lift", 60))
    (tmp_path / "scan.pdf").write_bytes(hostile.pages_pdf([b""]))
    with Sandbox(children=1, recognise=True) as sandbox:
        notes = sandbox.read_one(tmp_path / "scan.pdf").document.notes
    assert notes[-1] == "page 1: recognised badly: check them against the file"


def test_damaged_and_oversized_pictures_are_refused(tmp_path, program):
    program()
    whole = picture("one")
    for name, data in {"cut.png": whole[:200], "text.jpg": b"no picture at all", "pdf.png": b"GIF89a" + whole}.items():
        (tmp_path / name).write_bytes(data)
        with Sandbox(children=1, recognise=True) as sandbox, pytest.raises(UnreadableFile, match="not a readable picture"):
            sandbox.read_one(tmp_path / name)


def test_the_extra_reads_words_and_figures(tmp_path):
    pytest.importorskip("rapidocr", reason="the extra ocr is not installed")
    (tmp_path / "gate.png").write_bytes(picture("The harbour has 41 cranes", "and 12 tugs in 2031."))
    with Sandbox(children=1, recognise=True) as sandbox:
        document = sandbox.read_one(tmp_path / "gate.png").document
    assert " ".join(document.text.split()) == "The harbour has 41 cranes and 12 tugs in 2031."
