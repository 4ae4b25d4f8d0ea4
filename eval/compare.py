"""Two runs over the same questions, side by side: which figures moved, which questions changed sides, and whether that may be merged.

The product is deterministic, so every difference is the change's own; the intervals say whether it would hold on other questions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag.config import Config
from rag.errors import UsageError

from .metrics import paired_interval, sign_test
from .page import page
from .report import LESS_IS_BETTER, MEANS, Figure, Record, console, figures, outcome, written
from .run import Setting, measure_all

BASELINE = Path(__file__).with_name("baseline.json")
GATED = (
    "recall_at_1", "recall_at_5", "recall_at_10", "mrr", "ndcg_at_10", "answer_hit", "as_expected", "token_f1", "evidence_covered", "citation_precision",
    "first_cited", "claims_cited", "claims_supported", "claim_recall", "claim_precision", "tampering_caught", "quotes_exact", "dense_used",
    "false_refusal", "false_answer", "refusing_balanced_accuracy",
)  # fmt: skip
"""Figures that must not get worse. Latency is left out: it belongs to the machine."""
PARTS = {
    "as_expected": "overviews, the library or talk are not what was wanted: see rag/answer/respond.py and the intent head of the reader",
    "dense_used": "the encoder says nothing: see rag/index/encoder.py and the index",
    "tampering_caught": "the check lets changed figures pass: see rag/answer/verify.py",
    "claims_supported": "sentences are no longer supported by what they cite: see rag/answer/compose.py and rag/answer/verify.py",
    "claim_recall": "sentences are no longer supported by what they cite: see rag/answer/compose.py and rag/answer/verify.py",
    "claims_cited": "sentences without a citation: see rag/answer/compose.py",
    "quotes_exact": "citations do not stand at their place: see rag/text/chunk.py and rag/answer/compose.py",
    "false_answer": "it answers what the reports do not say: see refusing in rag/answer/compose.py",
    "false_refusal": "it refuses what the reports do say: see refusing in rag/answer/compose.py",
    "recall_at_1": "passages: see fusion in rag/search/retrieve.py",
    "recall_at_5": "passages: see fusion in rag/search/retrieve.py",
    "recall_at_10": "passages: see candidates and fusion in rag/search/retrieve.py",
    "mrr": "order of passages: see fusion in rag/search/retrieve.py",
    "ndcg_at_10": "order of passages: see fusion in rag/search/retrieve.py",
    "first_cited": "order of sentences: see rag/search/reader.py",
    "citation_precision": "choice of sentences: see rag/search/reader.py and rag/answer/compose.py",
}
"""Where to look first when a figure falls."""
SCALE_SHIFT = 2.0
"""Factor between the median best scores of two runs from which the fusion itself must have changed."""
KEPT = (
    "id",
    "question",
    "kind",
    "language",
    "split",
    "answerable",
    "paraphrased",
    "error",
    "refused",
    "confidence",
    "milliseconds",
    "figures",
)
"""What a baseline keeps of a record."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of two runs over the questions that both have it for."""

    name: str
    before: float
    after: float
    n: int
    low: float | None
    high: float | None
    """95 % interval of after - before, paired; None for figures that are no mean over questions."""
    better: int
    worse: int

    @property
    def drop(self) -> float:
        """How much worse it became; negative for better."""
        return self.after - self.before if self.name in LESS_IS_BETTER else self.before - self.after


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs between two runs."""

    n: int
    """Questions that both runs were asked."""
    left_out: int
    """Questions of only one run, or with another wording."""
    changes: tuple[Change, ...]
    sides: tuple[tuple[str, str, str, str], ...]
    """(id, question, what was wrong before, what is wrong after) of the questions that changed sides; "" is right."""
    signals: tuple[str, ...]
    settings: tuple[str, ...]
    """Settings, versions and reports that differ, in words."""


def load_run(path: Path) -> tuple[dict[str, Any], list[Record]]:
    """(run.json, records) of a run's folder or of a stored baseline. Raises UsageError when it is neither."""
    try:
        if path.is_dir():
            lines = (path / "records.jsonl").read_text(encoding="utf-8").split("\n")
            return json.loads((path / "run.json").read_text(encoding="utf-8")), [json.loads(line) for line in lines if line]
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["run"], found["records"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no run ({type(error).__name__}: {error}): name a folder that `rag eval` made, or a baseline"
        ) from error


def compare(before: tuple[Mapping[str, Any], Sequence[Record]], after: tuple[Mapping[str, Any], Sequence[Record]]) -> Comparison:
    """Raises UsageError when the runs share no question."""
    old = {(record["id"], record["question"]): record for record in before[1]}
    new = {(record["id"], record["question"]): record for record in after[1]}
    shared = [name for name in old if name in new]
    if not shared:
        raise UsageError("the runs share no question: compare runs of the same file")
    first, second = [old[name] for name in shared], [new[name] for name in shared]
    sides = [
        (a["id"], a["question"], outcome(a), outcome(b)) for a, b in zip(first, second, strict=True) if bool(outcome(a)) != bool(outcome(b))
    ]
    return Comparison(
        len(shared),
        len(old) + len(new) - 2 * len(shared),
        tuple(_changes(first, second)),
        tuple(sides),
        tuple(_signals(first, second)),
        tuple(_settings(before[0], after[0])),
    )


def _changes(first: Sequence[Record], second: Sequence[Record]) -> list[Change]:
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if not a["error"] and not b["error"]]
    whole = [{figure.name: figure for figure in figures([pair[side] for pair in pairs])} for side in (0, 1)]
    found = []
    for name, figure in whole[0].items():
        if name in MEANS:
            values = [(a["figures"][name], b["figures"][name]) for a, b in pairs if name in a["figures"] and name in b["figures"]]
            if values:
                olds, news = [value[0] for value in values], [value[1] for value in values]
                _, low, high = paired_interval(olds, news)
                ups, downs = sum(b > a for a, b in values), sum(b < a for a, b in values)
                found.append(Change(name, sum(olds) / len(olds), sum(news) / len(news), len(values), low, high, ups, downs))
        elif name in whole[1] and not (name.startswith("latency") and not figure.value):  # a stored baseline keeps no times
            found.append(Change(name, figure.value, whole[1][name].value, _least(figure, whole[1][name]), None, None, 0, 0))
    return found


def _least(first: Figure, second: Figure) -> int:
    return min(first.n, second.n)


def _signals(first: Sequence[Record], second: Sequence[Record]) -> list[str]:
    """What points at a part without being a figure."""
    best = [sorted(record["confidence"] for record in side if not record["error"]) for side in (first, second)]
    scores = [sorted(_best_score(record) for record in side if not record["error"]) for side in (first, second)]
    found = []
    for what, values, part in (("sentences", best, "rag/search/reader.py"), ("passages", scores, "the fusion in rag/search/retrieve.py")):
        if all(values):
            old, new = (side[len(side) // 2] for side in values)
            if old > 0 and not 1 / SCALE_SHIFT <= new / old <= SCALE_SHIFT:
                found.append(f"the best {what} score {new:.3f} in the median where they scored {old:.3f}: see {part}")
    return found


def _best_score(record: Record) -> float:
    return record["hits"][0]["fused"] if record.get("hits") else record.get("best_passage", 0.0)


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    found = []
    for title in ("setting", "config", "corpus", "versions"):
        old, new = before.get(title, {}), after.get(title, {})
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name) and name != "index_dir":
                shown = [str(side.get(name, "absent"))[:12] if title == "corpus" else str(side.get(name, "absent")) for side in (old, new)]
                found.append(f"{title} {name}: {shown[0] or 'none'} -> {shown[1] or 'none'}")
    return found


def verdicts(comparison: Comparison, max_drop: float, records: Sequence[Record]) -> list[str]:
    """Why the gate stays shut, one line a reason, worst first; empty when it opens."""
    fallen = sorted(
        (change for change in comparison.changes if change.name in GATED and change.drop > max_drop + 1e-9), key=lambda c: -c.drop
    )
    lines = []
    for change in fallen:
        part = f": {PARTS[change.name]}" if change.name in PARTS else ""
        lines.append(f"{change.name} {written(change.name, change.before)} -> {written(change.name, change.after)} (n = {change.n}){part}")
    errors = [record["id"] for record in records if record["error"]]
    return lines + ([f"{len(errors)} questions could not be asked: {', '.join(errors[:8])}"] if errors else [])


def show(comparison: Comparison, as_json: bool = False) -> None:
    """Prints a comparison for people or programs."""
    if as_json:
        print(json.dumps(asdict(comparison), ensure_ascii=False))
        return
    from rich.table import Table
    from rich.text import Text

    printer = console()
    grid = Table(title=f"Over the {comparison.n} questions of both runs", title_justify="left")
    grid.add_column("figure", no_wrap=True)
    for name in ("before", "after", "change", "95 % interval", "better", "worse", "n"):
        grid.add_column(name, justify="right")
    grid.add_column("as uneven by chance")
    for change in comparison.changes:
        if change.before == change.after and not change.better and not change.worse:
            continue
        interval = "" if change.low is None or change.high is None else f"{change.low:+.3f} to {change.high:+.3f}"
        chance = f"{sign_test(change.better, change.worse):.3f}" if change.better or change.worse else ""
        moved = written(change.name, change.after - change.before)
        sign = "+" if change.after > change.before else ""
        counts = [str(change.better), str(change.worse)] if change.low is not None else ["", ""]
        sides = [written(change.name, value) for value in (change.before, change.after)]
        grid.add_row(change.name, *sides, sign + moved, interval, *counts, str(change.n), chance)
    printer.print(grid if grid.row_count else Text("no figure moved"))
    for title, chosen in (
        ("went wrong", [side for side in comparison.sides if side[3]]),
        ("came right", [side for side in comparison.sides if not side[3]]),
    ):
        if chosen:
            printer.print(Text(f"{title} ({len(chosen)})", style="bold"))
            for name, question, old, new in chosen:
                printer.print(Text(f"  {name}: {question}  [{old or 'right'} -> {new or 'right'}]"))
    for line in (*comparison.signals, *comparison.settings):
        printer.print(Text(line, style="dim"))
    if comparison.left_out:
        printer.print(Text(f"{comparison.left_out} questions of only one run were left out", style="dim"))


def compare_runs(before: Path, after: Path, as_json: bool = False) -> int:
    """`rag eval compare`."""
    show(compare(load_run(before), load_run(after)), as_json)
    return 0


def gate(
    config: Config, against: Path | None = None, max_drop: float = 0.02, output: Path | None = None, setting: Setting | None = None,
    run: Path | None = None, refresh: bool = False,
) -> int:  # fmt: skip
    """`rag eval gate`: 0 when no figure of `GATED` fell by more than `max_drop` and every question could be asked, else 1.

    Without `run` the bundled questions of one half (tune, unless said) are asked now. `refresh` stores the run as the new baseline.
    """
    against = against or BASELINE
    if not 0 <= max_drop <= 1:
        raise UsageError(f"max-drop is {max_drop}: it must be 0 to 1")
    baseline = None if refresh else load_run(against)
    if run:
        folder, (saved, records) = run, load_run(run)
    else:
        folder, saved, records = measure_all(config, None, output, setting or Setting(split="tune"))
    if baseline is None:
        against.write_text(_baseline(saved, records), encoding="utf-8")
        print(f"baseline of {len(records)} questions written to {against}")
        return 0
    comparison = compare(baseline, (saved, records))
    show(comparison)
    reasons = verdicts(comparison, max_drop, records)
    reasons += comparison.signals  # scores on another scale are another fusion, even where the figures hold by luck
    for reason in reasons:
        print(f"gate: {reason}")
    print(f"gate: {'shut' if reasons else 'open'}, {comparison.n} questions against {against.name}, drops above {max_drop} count")
    if run is None:
        (folder / "report.html").write_text(page(saved, records, reasons), encoding="utf-8")
        print(f"report: {folder / 'report.html'}")
    return 1 if reasons else 0


def _baseline(saved: Mapping[str, Any], records: Sequence[Record]) -> str:
    """One record a line, so that a refreshed baseline shows in a diff which questions moved."""
    run = {name: saved[name] for name in ("questions", "corpus", "setting", "config", "versions") if name in saved}
    lines = []
    for record in records:
        kept = {name: record[name] for name in KEPT if name in record and name != "milliseconds"} | {"milliseconds": 0.0, "history": []}
        kept["best_passage"] = _best_score(record)
        lines.append(json.dumps(kept, ensure_ascii=False))
    return '{"run": ' + json.dumps(run, ensure_ascii=False) + ',\n"records": [\n' + ",\n".join(lines) + "\n]}\n"
