"""Pages that hold only a picture -> runs of text, by tesseract where a person has installed it and asked for it.

Used inside the reader's child process, whose limits tesseract inherits. What it gave up: handwriting, languages other than Chinese and
English, and any promise that a letter is right: what was recognised is said in the document's notes.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from statistics import median

from rag.reading.cleanup import HAN, join_lines
from rag.reading.pdf.runs import Run

INSTALL = "tesseract (Debian and Ubuntu: apt install tesseract-ocr tesseract-ocr-chi-sim)"
"""What to install, for messages."""
PIXELS_A_POINT = 300 / 72
MAX_PIXELS = 25_000_000
SECONDS_A_PAGE = 60
_LANGUAGES = ("chi_sim", "chi_tra", "eng")
_SURE = 30.0
"""Confidence, 0 to 100, below which a word is more often dirt than text."""


class RecognitionFailed(Exception):
    """tesseract is not there, or gave up on a page."""


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


def recognised(pdf, number: int) -> list[Run]:
    """What stands on page `number` (from 1) of a pypdfium2 document. Raises RecognitionFailed."""
    known = languages()
    program = shutil.which("tesseract")
    if not known or program is None:
        raise RecognitionFailed("not installed")
    page = pdf[number - 1]
    try:
        width, height = page.get_size()
        scale = min(PIXELS_A_POINT, (MAX_PIXELS / max(width * height, 1.0)) ** 0.5)
        image = io.BytesIO()
        page.render(scale=scale, grayscale=True).to_pil().save(image, "PNG", compress_level=1)
    finally:
        page.close()
    command = [program, "stdin", "stdout", "-l", "+".join(known), "--dpi", str(round(72 * scale)), "--psm", "3", "tsv"]
    try:
        told = subprocess.run(
            command,
            input=image.getvalue(),
            capture_output=True,
            timeout=SECONDS_A_PAGE,
            check=False,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RecognitionFailed(type(error).__name__) from error
    if told.returncode:
        raise RecognitionFailed(f"exit code {told.returncode}")
    return runs_of_words(words_of(told.stdout.decode("utf-8", "replace")), height, scale)


Word = tuple[tuple[int, int, int], str, float, float, float, float]
"""((block, paragraph, line), text, left, top, width, height), in pixels from the upper left corner."""


def words_of(table: str) -> list[Word]:
    """The words in tesseract's TSV of which it is at all sure, in its order."""
    words: list[Word] = []
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        try:
            place = (int(row["block_num"]), int(row["par_num"]), int(row["line_num"]))
            left, top, width, height = (float(row[name]) for name in ("left", "top", "width", "height"))
            sure = float(row["conf"])
        except (KeyError, TypeError, ValueError):
            continue
        text = (row["text"] or "").strip()
        if text and sure >= _SURE and re.search(r"\w|[，。、；：！？（）“”]", text):
            words.append((place, text, left, top, width, height))
    return words


def runs_of_words(words: Iterable[Word], page_height: float, scale: float) -> list[Run]:
    """Words of one line that stand close together as one run, in points from the lower left corner; Han characters close up."""
    lines: dict[tuple[int, int, int], list[Word]] = {}
    for word in words:
        lines.setdefault(word[0], []).append(word)
    runs: list[Run] = []
    for line in lines.values():
        top, bottom = min(word[3] for word in line), max(word[3] + word[5] for word in line)
        for group in _close_together(line, bottom - top):
            text = ""
            for _, said, *_ in group:
                text = said if not text else text + said if _is_wide(text[-1] + said[0]) else join_lines(text, said)
            left, right = group[0][2], group[-1][2] + group[-1][4]
            runs.append(Run(text, left / scale, right / scale, page_height - bottom / scale, page_height - top / scale))
    return _evened(runs)


def _evened(runs: Sequence[Run]) -> list[Run]:
    """Runs of about the usual height get that height: what is seen is ink, which is lower where no letter rises or hangs."""
    usual = median(run.height for run in runs) if runs else 0.0
    return [replace(run, top=run.bottom + usual) if 0.6 * usual < run.height < 1.35 * usual else run for run in runs]


def _close_together(line: Sequence[Word], height: float) -> list[list[Word]]:
    groups: list[list[Word]] = []
    for word in sorted(line, key=lambda word: word[2]):
        if groups and word[2] - (groups[-1][-1][2] + groups[-1][-1][4]) < 1.2 * height:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _is_wide(two: str) -> bool:
    return bool(re.search(rf"[{HAN}]", two))
