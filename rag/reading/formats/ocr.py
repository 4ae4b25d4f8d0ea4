"""Pictures of text -> runs, by rapidocr (the extra `ocr`) or tesseract, whichever a person has installed and asked for.

Used inside the reader's child process, whose limits both keep. What it gave up: handwriting, languages other than Chinese and English, and
any promise that a letter is right: what was recognised is said in the document's notes, and what was recognised badly too.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from statistics import median
from typing import Any

from rag.reading.cleanup import HAN, join_lines
from rag.reading.pdf.runs import Run

INSTALL = "the extra (pip install 'provenote[ocr]') or tesseract (Debian and Ubuntu: apt install tesseract-ocr tesseract-ocr-chi-sim)"
"""What to install, for messages."""
MEMORY = 4_000_000_000
"""Bytes of address space that rapidocr needs, most of which it never touches."""
PIXELS_A_POINT = 300 / 72
MAX_PIXELS = 25_000_000
SECONDS_A_PAGE = 60
_LANGUAGES = ("chi_sim", "chi_tra", "eng")
_SURE = 0.3
"""Confidence, 0 to 1, below which a word is more often dirt than text."""
LOW = 0.8
"""Confidence of a page, 0 to 1, below which it is said to be read badly."""


class RecognitionFailed(Exception):
    """Nothing is installed, or it gave up on a page."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a line of words, in pixels from the upper left corner."""

    line: tuple[int, ...]
    """The same for words of one line."""
    text: str
    left: float
    top: float
    width: float
    height: float
    sure: float
    """Confidence, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What stands on a picture."""

    runs: list[Run]
    sure: float
    """Confidence over all characters, 0 to 1."""


def engine() -> str:
    """What reads pictures here: "rapidocr", else "tesseract", else "" for nothing."""
    if find_spec("rapidocr") and find_spec("onnxruntime"):
        return "rapidocr"
    return "tesseract" if languages() else ""


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Those of Chinese and English that the installed tesseract knows; none where it is not installed."""
    program = shutil.which("tesseract")
    if program is None:
        return ()
    try:
        told = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return ()
    known = set(told.stdout.split())
    return tuple(name for name in _LANGUAGES if name in known)


def recognised_page(pdf: Any, number: int, by: str) -> Recognised:
    """What stands on page `number` (from 1) of a pypdfium2 document. Raises RecognitionFailed."""
    page = pdf[number - 1]
    try:
        width, height = page.get_size()
        scale = min(PIXELS_A_POINT, (MAX_PIXELS / max(width * height, 1.0)) ** 0.5)
        image = page.render(scale=scale, grayscale=by == "tesseract").to_pil()
    finally:
        page.close()
    return recognised(image, scale, by)


def recognised(image: Any, scale: float, by: str) -> Recognised:
    """What stands on a Pillow image that has `scale` pixels a point. Raises RecognitionFailed."""
    words = _by_rapidocr(image) if by == "rapidocr" else _by_tesseract(image, scale)
    letters = sum(len(word.text) for word in words)
    sure = sum(word.sure * len(word.text) for word in words) / letters if letters else 0.0
    return Recognised(runs_of_words(words, image.height / scale, scale), sure)


@lru_cache(maxsize=1)
def _rapidocr() -> Any:
    from rapidocr import RapidOCR

    one = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
    return RapidOCR(params={"Global.log_level": "critical"} | one)


def _by_rapidocr(image: Any) -> list[Word]:
    import numpy as np

    try:
        found = _rapidocr()(np.asarray(image.convert("RGB"))[:, :, ::-1])
    except MemoryError:
        raise
    except Exception as error:  # whatever a model or its runtime raises costs only this page
        raise RecognitionFailed(type(error).__name__) from error
    words = []
    for at, (corners, text, sure) in enumerate(zip(_or_none(found.boxes), _or_none(found.txts), _or_none(found.scores), strict=True)):
        xs, ys = [float(x) for x, _ in corners], [float(y) for _, y in corners]
        if text.strip() and sure >= _SURE:
            words.append(Word((at,), text.strip(), min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys), float(sure)))
    return words


def _or_none(values: Sequence[Any] | None) -> Sequence[Any]:
    return () if values is None else values


def _by_tesseract(image: Any, scale: float) -> list[Word]:
    program = shutil.which("tesseract")
    if not languages() or program is None:
        raise RecognitionFailed("not installed")
    buffer = io.BytesIO()
    image.convert("L").save(buffer, "PNG", compress_level=1)
    command = [program, "stdin", "stdout", "-l", "+".join(languages()), "--dpi", str(round(72 * scale)), "--psm", "3", "tsv"]
    try:
        told = subprocess.run(
            command,
            input=buffer.getvalue(),
            capture_output=True,
            timeout=SECONDS_A_PAGE,
            check=False,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RecognitionFailed(type(error).__name__) from error
    if told.returncode:
        raise RecognitionFailed(f"exit code {told.returncode}")
    return words_of(told.stdout.decode("utf-8", "replace"))


def words_of(table: str) -> list[Word]:
    """The words in tesseract's TSV of which it is at all sure, in its order."""
    words: list[Word] = []
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        try:
            place = (int(row["block_num"]), int(row["par_num"]), int(row["line_num"]))
            left, top, width, height = (float(row[name]) for name in ("left", "top", "width", "height"))
            sure = float(row["conf"]) / 100
        except (KeyError, TypeError, ValueError):
            continue
        text = (row["text"] or "").strip()
        if text and sure >= _SURE and re.search(r"\w|[，。、；：！？（）“”]", text):
            words.append(Word(place, text, left, top, width, height, sure))
    return words


def runs_of_words(words: Iterable[Word], page_height: float, scale: float) -> list[Run]:
    """Words of one line that stand close together as one run, in points from the lower left corner; Han characters close up."""
    lines: dict[tuple[int, ...], list[Word]] = {}
    for word in words:
        lines.setdefault(word.line, []).append(word)
    runs: list[Run] = []
    for line in lines.values():
        top, bottom = min(word.top for word in line), max(word.top + word.height for word in line)
        for group in _close_together(line, bottom - top):
            text = ""
            for word in group:
                text = word.text if not text else text + word.text if _is_wide(text[-1] + word.text[0]) else join_lines(text, word.text)
            left, right = group[0].left, group[-1].left + group[-1].width
            runs.append(Run(text, left / scale, right / scale, page_height - bottom / scale, page_height - top / scale))
    return _evened(runs)


def _evened(runs: Sequence[Run]) -> list[Run]:
    """Runs of about the usual height get that height: what is seen is ink, which is lower where no letter rises or hangs."""
    usual = median(run.height for run in runs) if runs else 0.0
    return [replace(run, top=run.bottom + usual) if 0.6 * usual < run.height < 1.35 * usual else run for run in runs]


def _close_together(line: Sequence[Word], height: float) -> list[list[Word]]:
    groups: list[list[Word]] = []
    for word in sorted(line, key=lambda word: word.left):
        if groups and word.left - (groups[-1][-1].left + groups[-1][-1].width) < 1.2 * height:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _is_wide(two: str) -> bool:
    return bool(re.search(rf"[{HAN}]", two))
