"""The sheet of sentences read by eye: places and verdicts alone, made anew from the same seed."""

import csv
from pathlib import Path

import pytest

from eval.reading_benchmark import SHEET, broken_by, sheet_rows

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT.parent / "shared" / "reports"


def rows() -> list[dict[str, str]]:
    with (ROOT / "eval" / "originals_reading.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_sheet_holds_two_hundred_verdicts_and_no_text():
    found = rows()
    assert len(found) == 200 and all(tuple(row) == SHEET for row in found)
    assert {row["verdict"] for row in found} <= {"sound", "broken"} and all(row["note"].isascii() for row in found)
    assert sum(row["verdict"] == "broken" for row in found) < 4


@pytest.mark.skipif(not REPORTS.is_dir(), reason="the original reports are not here")
def test_the_sheet_is_of_the_reports_as_they_are_read_today():
    assert sheet_rows(sorted(REPORTS.glob("*.txt")), rows()) == rows()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("港口年鉴 2031港口的吊机在雨中。", "running head"),
        ("智智能能协协同同的港口。", "doubled glyphs"),
        ("，在雨中醒来的港口。", "no beginning"),
        ("The harbour wakes.", ""),
    ],
)
def test_what_a_layout_does_to_a_sentence_is_seen(text, why):
    assert broken_by(text, frozenset({"港口年鉴 2031"})) == why


def test_a_sheet_is_made_and_keeps_what_was_judged(tmp_path):
    report = tmp_path / "tide.txt"
    report.write_text("".join(f"港口的第{number}台吊机在雨中醒来，开始搬运箱子。" for number in range(9)), encoding="utf-8")
    made = sheet_rows([report], count=5)
    assert len(made) == 5 and all(row["verdict"] == "sound" and row["note"] == "script: nothing" for row in made)
    judged = made[2] | {"verdict": "broken", "note": "by eye"}
    assert sheet_rows([report], [judged], count=5) == [*made[:2], judged, *made[3:]]
