"""The reader alone: does it tell what a passage answers, point at the sentence, and catch what a passage does not support? `rag eval reader FILE...`

Rows are questions (with `history` where they lean on earlier turns) and claims, each with the passage it is held against. No search, no answer: a
passage is read as it stands, in windows that overlap by a sentence where it is longer than one input, and the window that says most counts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag.errors import UsageError
from rag.search.reader import FOLDER, LABELS, Passage, Reader
from rag.text.chunk import split_sentences
from rag.types import Turn

from .metrics import auroc, bootstrap_interval, caught_at, expected_calibration_error, reliability
from .report import console

ALARM = 0.5
"""Probability of "unsupported" from which on a claim is called so; the reader's is calibrated for it."""
FALSE_ALARMS = 0.08
"""Share of supported claims that may be called unsupported, at which `caught_at_08` is taken."""
MEANINGS = {
    "auroc": "a question that its passage answers stands above one that it does not; 0.5 is chance",
    "best_sentence": "answerable questions whose best sentence belongs to the answer",
    "calibration_error": "mean distance of P(answers) from the share that is answered; less is better",
    "caught": "unsupported claims called unsupported",
    "false_alarms": "supported claims called unsupported; less is better",
    "caught_at_08": "unsupported claims caught where .08 of the supported ones are called so too",
}
_HAN = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Row:
    """A question or a claim beside its passage, cut into sentences."""

    text: str
    passage: str
    spans: tuple[tuple[int, int], ...]
    gold: frozenset[int] = frozenset()
    """Sentences that belong to the answer."""
    answerable: bool | None = None
    """None for a claim."""
    label: str = ""
    """Of a claim: one of `rag.search.reader.LABELS`."""
    kind: str = ""
    reason: str = ""
    """Why a question is not answerable."""
    how: str = ""
    """How a claim was made from its evidence."""
    history: tuple[Turn, ...] = ()

    @property
    def pair(self) -> str:
        """Languages of the text and of its passage: "en-zh" asks in English about a Chinese passage."""
        return f"{language_of(self.text)}-{language_of(self.passage)}"

    @property
    def sentences(self) -> list[str]:
        """The passage, sentence by sentence."""
        return [self.passage[start:end] for start, end in self.spans]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the reader said of a row."""

    row: Row
    answers: float = 0.0
    """Of a question: how likely its passage answers it, 0 to 1."""
    best: int = -1
    """Of a question: the sentence that the reader puts first."""
    support: tuple[float, float, float] | None = None
    """Of a claim."""
    alarm: bool = False
    """Of a claim: called unsupported."""


# -------------------------------------------------------------------------------------------------------------------------------- rows


def load_rows(files: Sequence[Path]) -> list[Row]:
    """The rows of all files, in order. Raises UsageError with file:line for what is no question and no claim."""
    rows = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    rows.append(_row(json.loads(line)))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    told = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
                    raise UsageError(f"{file}:{number}: neither a question nor a claim with its passage ({told})") from error
    if not rows:
        raise UsageError(f"{', '.join(map(str, files))}: no row; name JSONL files of questions or claims with their passages")
    return rows


def _row(found: Mapping[str, Any]) -> Row:
    passage = found["passage"]
    spans = tuple(split_sentences(passage))
    if not spans:
        raise ValueError("its passage is empty")
    if "claim" in found:
        if found["label"] not in LABELS:
            raise ValueError(f"label is {found['label']!r}: choose {', '.join(LABELS)}")
        return Row(found["claim"], passage, spans, label=found["label"], how=found.get("how", ""))
    if not isinstance(found["answerable"], bool):
        raise ValueError("answerable is neither true nor false")
    return Row(
        found["question"],
        passage,
        spans,
        gold=covered(passage, spans, [*found.get("evidence", ()), *found.get("support", ())]),
        answerable=found["answerable"],
        kind=found.get("kind", ""),
        reason=found.get("why", ""),
        history=tuple(Turn(turn["question"], turn.get("answer", "")) for turn in found.get("history", ())),
    )


def covered(passage: str, spans: Sequence[tuple[int, int]], quotes: Sequence[str]) -> frozenset[int]:
    """The sentences that a quote covers by more than half of the shorter of the two; white space does not count.

    >>> sorted(covered("It rained. The quay  held. Nobody came.", [(0, 10), (11, 26), (27, 39)], ["quay held."]))
    [1]
    """
    letters = [at for at, character in enumerate(passage) if not character.isspace()]
    packed = "".join(passage[at] for at in letters)
    found = set()
    for quote in quotes:
        bare = "".join(quote.split())
        at = packed.find(bare) if bare else -1
        if at < 0:
            continue
        start, end = letters[at], letters[at + len(bare) - 1] + 1
        found |= {n for n, (low, high) in enumerate(spans) if min(high, end) - max(low, start) > 0.5 * min(high - low, end - start)}
    return frozenset(found)


def language_of(text: str) -> str:
    """ "zh" where more than a seventh of the characters are Han, else "en".

    >>> language_of("Chiplet 面临哪些挑战？"), language_of("what is 云?")
    ('zh', 'en')
    """
    return "zh" if 7 * len(_HAN.findall(text)) > len(text) else "en"


# ----------------------------------------------------------------------------------------------------------------------------- reading


def outcome(reader: Reader, row: Row) -> Outcome:
    """Read one row."""
    if row.answerable is None:
        support = reader.support(row.text, row.sentences)
        return Outcome(row, support=support, alarm=support[2] >= ALARM)
    reading = reader.read(row.text, [Passage("", tuple(row.sentences))], row.history)[0]
    best = max(range(len(reading.sentences)), key=reading.sentences.__getitem__)
    return Outcome(row, 1 / (1 + math.exp(-max(-60.0, min(60.0, reading.answers)))), best)


# ----------------------------------------------------------------------------------------------------------------------------- figures


def figures(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """Each figure that these rows allow, with how many rows it is over and, for a share, its 95 % interval."""
    asked = [one for one in outcomes if one.row.answerable is not None]
    there = {known: [one.answers for one in asked if one.row.answerable is known] for known in (True, False)}
    hits = [float(one.best in one.row.gold) for one in asked if one.row.answerable and one.row.gold]
    alarms = {label: [float(one.alarm) for one in outcomes if one.row.label == label] for label in LABELS}
    doubts = {label: [one.support[2] for one in outcomes if one.support and one.row.label == label] for label in LABELS}
    found = {}
    if there[True] and there[False]:
        found["auroc"] = {"value": auroc(there[True], there[False]), "n": len(asked)}
    for name, values in (("best_sentence", hits), ("caught", alarms["unsupported"]), ("false_alarms", alarms["supported"])):
        if values:
            low, high = bootstrap_interval(values)
            found[name] = {"value": sum(values) / len(values), "n": len(values), "low": low, "high": high}
    if doubts["supported"] and doubts["unsupported"]:
        value = caught_at(FALSE_ALARMS, doubts["unsupported"], doubts["supported"])
        found["caught_at_08"] = {"value": value, "n": len(doubts["unsupported"]) + len(doubts["supported"])}
    if asked:
        bins = reliability([(one.answers, bool(one.row.answerable)) for one in asked])
        found["calibration_error"] = {"value": expected_calibration_error(bins), "n": len(asked)}
    return {name: {key: round(value, 4) for key, value in found[name].items()} for name in MEANINGS if name in found}


def groups(outcomes: Sequence[Outcome]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """The figures by pair of languages, kind, turn, reason, and how a claim was made.

    The unanswerable questions of a reason stand against all answerable ones, the unsupported claims of a manner against all supported ones.
    """
    members: dict[str, Callable[[Outcome], str]] = {
        "pair": lambda one: one.row.pair,
        "kind": lambda one: one.row.kind,
        "turn": lambda one: "" if one.row.answerable is None else "follow-up" if one.row.history else "first",
        "reason": lambda one: one.row.reason,
        "how": lambda one: one.row.how,
    }
    against: dict[str, tuple[str, list[Outcome]]] = {
        "reason": ("auroc", [one for one in outcomes if one.row.answerable]),
        "how": ("caught_at_08", [one for one in outcomes if one.row.label == "supported"]),
    }
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for grouping, member_of in members.items():
        for name in sorted({member_of(one) for one in outcomes} - {""}):
            own = [one for one in outcomes if member_of(one) == name]
            told = {} if grouping == "reason" else figures(own)
            if grouping in against:
                figure, others = against[grouping]
                wrong = [one for one in own if one.row.answerable is False or one.row.label == "unsupported"]
                told |= {key: value for key, value in figures([*others, *wrong]).items() if key == figure}
            if told:
                found.setdefault(grouping, {})[name] = told
    return found


def run_reader(files: Sequence[Path], as_json: bool = False, folder: Path = FOLDER) -> int:
    """Measure the reader on files of rows and print the figures; always 0. Raises UsageError for a bad file, EncoderError without a reader."""
    rows = load_rows(files)
    reader = Reader(folder)
    outcomes = list(_followed(reader, rows))
    overall = figures(outcomes)
    if as_json:
        asked = [one for one in outcomes if one.row.answerable is not None]
        bins = reliability([(one.answers, bool(one.row.answerable)) for one in asked])
        plain = {
            "reader": reader.revision,
            "questions": len(asked),
            "claims": len(outcomes) - len(asked),
            **{name: figure["value"] for name, figure in overall.items()},
            "figures": overall,
            "groups": groups(outcomes),
            "calibration": [{key: round(value, 4) for key, value in asdict(each).items()} for each in bins],
        }
        print(json.dumps(plain, ensure_ascii=False))
    else:
        _show(reader.revision, overall, groups(outcomes))
    return 0


def _followed(reader: Reader, rows: Sequence[Row]) -> Iterator[Outcome]:
    from rich.console import Console
    from rich.progress import track

    terminal = Console(stderr=True)
    for row in track(rows, "reading", console=terminal, transient=True, disable=not terminal.is_terminal):
        yield outcome(reader, row)


def _show(revision: str, overall: Mapping[str, Mapping[str, float]], by_group: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    from rich.table import Table

    grid = Table("figure", title=f"Reader {revision}", title_justify="left")
    for name in ("value", "95 % interval", "n"):
        grid.add_column(name, justify="right")
    grid.add_column("what it is", style="dim")
    for name, figure in overall.items():
        interval = f"{figure['low']:.3f} to {figure['high']:.3f}" if "low" in figure else ""
        grid.add_row(name, f"{figure['value']:.3f}", interval, str(figure["n"]), MEANINGS[name])
    broken_down = Table("by", "group", title="Broken down", title_justify="left")
    for name in overall:
        broken_down.add_column(name, justify="right")
    for grouping, members in by_group.items():
        for place, (member, told) in enumerate(members.items()):
            cells = [f"{told[name]['value']:.3f} ({told[name]['n']})" if name in told else "" for name in overall]
            broken_down.add_row("" if place else grouping, member, *cells, end_section=place == len(members) - 1)
    printer = console()
    printer.print(grid)
    printer.print(broken_down)
