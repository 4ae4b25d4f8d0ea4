"""From the records of a run to its figures, and the figures as a table for people.

Works on plain records, so that a saved run can be scored again without asking anything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .metrics import (
    area_under_risk,
    auroc,
    balanced_accuracy,
    bootstrap_interval,
    false_answer,
    false_refusal,
    percentile,
    risk_coverage,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Record = Mapping[str, Any]

MEANS = {
    "recall_at_1": "gold among the best passage",
    "recall_at_5": "gold among the best 5 passages",
    "recall_at_10": "gold among the best 10 passages",
    "mrr": "mean reciprocal rank of the first gold passage",
    "ndcg_at_10": "gold early among the best 10 passages",
    "answer_hit": "answer holds the accepted forms",
    "as_expected": "overviews, talk and the like: right kind of answer, right reports, as many parts as it takes, no wall",
    "token_f1": "shared tokens of answer and accepted forms, where answered",
    "evidence_covered": "gold places that the citations show",
    "citation_precision": "citations that show a gold place",
    "first_cited": "first citation shows a gold place",
    "claims_cited": "sentences with a citation",
    "claims_supported": "groundedness: sentences that the product calls supported",
    "claim_recall": "sentences that their citations support, says the judge",
    "claim_precision": "citations that their sentence needs, says the judge",
    "tampering_caught": "changed sentences that the check does not call supported",
    "quotes_exact": "quotes that stand at their place, letter for letter",
    "dense_used": "questions for which the encoder said anything",
}
"""Figures that are means over questions, with what they say."""
SIZES = {"characters": "length of an answer", "sentences": "sentences of an answer"}
"""Means without a better or worse."""
OTHERS = {
    "refused": "questions refused, rightly or wrongly",
    "false_refusal": "answerable questions refused; less is better",
    "false_answer": "unanswerable questions answered; less is better",
    "refusing_balanced_accuracy": "1 - mean of the two errors; 0.5 is chance",
    "refusing_auroc": "an answerable question stands above an unanswerable one: answered first, then by score",
    "score_auroc": "the same by the score of the best sentence alone; 0.5 is chance",
    "area_under_risk": "share of wrong answers, mean over all cuts of confidence; less is better",
    "latency_p50_ms": "whole answer, one question at a time",
    "latency_p95_ms": "whole answer, one question at a time",
}
MEANINGS = MEANS | SIZES | OTHERS
LESS_IS_BETTER = frozenset({"false_refusal", "false_answer", "area_under_risk", "latency_p50_ms", "latency_p95_ms"})

GROUPINGS: dict[str, Callable[[Record], str]] = {
    "kind": lambda record: record["kind"],
    "language": lambda record: record["language"],
    "split": lambda record: record["split"],
    "wording": lambda record: "" if record["answerable"] is not True else "paraphrased" if record["paraphrased"] else "as in the report",
    "turn": lambda record: "follow-up" if record["history"] else "first",
}
GROUP_FIGURES = ("right", "recall_at_5", "mrr", "answer_hit", "as_expected", "evidence_covered", "refused")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number over `n` questions with its 95 % interval, where it has one."""

    name: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None


def figures(records: Sequence[Record]) -> tuple[Figure, ...]:
    """All figures that these records allow, in the order of the table. Records with an error count in none."""
    asked = [record for record in records if not record["error"]]
    found = [
        _mean(name, [record["figures"][name] for record in asked if name in record["figures"]]) for name in (*MEANS, *SIZES, "refused")
    ]
    refused = {known: [record["refused"] for record in asked if record["answerable"] is known] for known in (True, False)}
    if refused[True]:
        low, high = bootstrap_interval(refused[True])
        found.append(Figure("false_refusal", false_refusal(refused[True]), len(refused[True]), low, high))
    if refused[False]:
        low, high = bootstrap_interval([not value for value in refused[False]])
        found.append(Figure("false_answer", false_answer(refused[False]), len(refused[False]), low, high))
    if refused[True] and refused[False]:
        low, high = bootstrap_interval([not value for value in refused[True]], refused[False])
        n = len(refused[True]) + len(refused[False])
        found.append(Figure("refusing_balanced_accuracy", balanced_accuracy(refused[True], refused[False]), n, low, high))
        stands = {known: [standing(record) for record in asked if record["answerable"] is known] for known in (True, False)}
        scores = {known: [record["confidence"] for record in asked if record["answerable"] is known] for known in (True, False)}
        found.append(Figure("refusing_auroc", auroc(stands[True], stands[False]), n))
        found.append(Figure("score_auroc", auroc(scores[True], scores[False]), n))
    if points := risk(asked):
        share = points[-1][0]
        found.append(
            Figure("area_under_risk", area_under_risk(points) / share, round(share * len([1 for record in asked if _known(record)])))
        )
    times = [record["milliseconds"] for record in asked]
    found += [Figure(f"latency_p{share}_ms", percentile(times, share / 100), len(times)) for share in (50, 95) if times]
    return tuple(figure for figure in found if figure)


def standing(record: Record) -> float:
    """A number that puts every answered question above every refused one, and within both sides goes by the score."""
    return record["confidence"] + (0.0 if record["refused"] else 1e6)


def risk(records: Sequence[Record]) -> list[tuple[float, float]]:
    """(share of the questions answered, share of those answers that are wrong), from the most confident answers to all that were given.

    Over questions of which it is known what would be right; refused ones count in the share and are never wrong.
    """
    known = [record for record in records if not record["error"] and _known(record)]
    given = [record for record in known if not record["refused"]]
    points = risk_coverage([record["confidence"] for record in given], [bool(outcome(record)) for record in given])
    return [(coverage * len(given) / len(known), wrong) for coverage, wrong in points]


def is_answered(record: Record) -> bool:
    """Whether an answer was given of which it is known what would be right."""
    return not record["error"] and not record["refused"] and _known(record)


def predictions(records: Sequence[Record]) -> list[tuple[float, bool]]:
    """(score of the answer, whether it was right) of the answers whose score is a share; empty where scores are none."""
    given = [(record["confidence"], not outcome(record)) for record in records if is_answered(record)]
    return given if all(0 <= score <= 1 for score, _ in given) else []


def refusals(records: Sequence[Record]) -> dict[str, tuple[int, int, int]]:
    """For each code of a refusal, the most frequent first: how many were of answerable questions, of unanswerable ones, and of others."""
    found: dict[str, list[int]] = {}
    for record in records:
        if not record["error"] and record["refused"] and (code := record["answer"].get("code")):
            found.setdefault(code, [0, 0, 0])[{True: 0, False: 1}.get(record["answerable"], 2)] += 1
    return {code: (a, b, c) for code, (a, b, c) in sorted(found.items(), key=lambda pair: (-sum(pair[1]), pair[0]))}


def _known(record: Record) -> bool:
    return record["answerable"] is False or "answer_hit" in record["figures"]


RUNGS = ("asked", "retrieved", "selected", "cited", "right")
"""How far a question came; see `ladder`."""


def ladder(records: Sequence[Record]) -> dict[str, tuple[int, ...]]:
    """For "all" and each kind of answerable question with gold: how many were asked, had gold among the best 10 passages, among the
    sentences chosen (cited or named as nearest), among the citations, and were answered right. Each rung counts only those of the rung before.
    """
    found: dict[str, list[int]] = {}
    for record in records:
        reached = rung(record)
        if reached:
            for group in ("all", record["kind"]):
                counts = found.setdefault(group, [0] * len(RUNGS))
                for place in range(reached):
                    counts[place] += 1
    return {group: tuple(counts) for group, counts in found.items()}


def rung(record: Record) -> int:
    """How many rungs of the ladder a question has climbed, 1 to 5; 0 for one without gold or with an error."""
    if record["error"] or "recall_at_10" not in record["figures"]:
        return 0
    values = record["figures"]
    steps = (values["recall_at_10"], values["evidence_selected"], values["evidence_covered"], values.get("answer_hit", 1.0))
    return 1 + next((place for place, value in enumerate(steps) if not value), len(steps))


def groups(records: Sequence[Record]) -> dict[str, dict[str, tuple[Figure, ...]]]:
    """For each grouping and each of its values, in order of appearance, a few figures. Groupings of one value are left out."""
    asked = [record for record in records if not record["error"]]
    found: dict[str, dict[str, tuple[Figure, ...]]] = {}
    for grouping, value_of in GROUPINGS.items():
        values = [value for value in dict.fromkeys(map(value_of, asked)) if value]
        if len(values) > 1:
            found[grouping] = {value: _group_figures([record for record in asked if value_of(record) == value]) for value in values}
    return found


def failures(records: Sequence[Record]) -> dict[str, list[str]]:
    """Ids of the questions that went wrong, by how. "other evidence": the answer holds what it should but cites no gold place."""
    found: dict[str, list[str]] = {}
    for record in records:
        how = outcome(record)
        if how:
            found.setdefault(how, []).append(record["id"])
    return found


def outcome(record: Record) -> str:
    """What went wrong with a question, in words; "" when nothing did."""
    if record["error"]:
        return "failed to be asked"
    if record["answerable"] is False:
        return "" if record["refused"] else "wrongly answered"
    if record["answerable"] and record["refused"]:
        return "wrongly refused"
    if record["figures"].get("as_expected", 1.0) < 1:
        return "wrong kind of answer"
    if record["figures"].get("answer_hit", 1.0) < 1:
        return "wrong answer"
    return "other evidence" if record["figures"].get("evidence_covered", 1.0) == 0 else ""


def written(name: str, value: float) -> str:
    """A figure as people read it."""
    return f"{value:.1f}" if name.endswith("_ms") or name in SIZES else f"{value:.3f}"


def interval_of(figure: Figure) -> str:
    """Its 95 % interval as people read it, "" for none."""
    if figure.low is None or figure.high is None:
        return ""
    return f"{written(figure.name, figure.low)} to {written(figure.name, figure.high)}"


def console() -> Console:
    """Where tables are printed: as wide as the terminal, or wide enough for every column where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 140)


def table(records: Sequence[Record]) -> RenderableType:
    """The figures, their break-down and the failed questions for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    overall = Table(title="Evaluation", title_justify="left")
    overall.add_column("figure", no_wrap=True)
    for name in ("value", "95 % interval", "n"):
        overall.add_column(name, justify="right")
    overall.add_column("what it is", style="dim")
    for figure in figures(records):
        interval = interval_of(figure)
        value = written(figure.name, figure.value)
        overall.add_row(figure.name, value, interval, str(figure.n), MEANINGS[figure.name])
    broken_down = Table(title="Broken down", title_justify="left")
    for name in ("by", "group"):
        broken_down.add_column(name, no_wrap=True)
    by_group = groups(records)
    told = {figure.name for members in by_group.values() for values in members.values() for figure in values}
    columns = [name for name in GROUP_FIGURES if name in told]
    for name in ("n", *columns):
        broken_down.add_column(name, justify="right")
    for grouping, members in by_group.items():
        for position, (member, values) in enumerate(members.items()):
            found = {figure.name: figure for figure in values}
            cells = [f"{found[name].value:.3f}" if name in found else "" for name in columns]
            last = position == len(members) - 1
            broken_down.add_row("" if position else grouping, member, str(found["refused"].n), *cells, end_section=last)
    rungs = ladder(records).get("all")
    climbed = [Text("  >  ".join(f"{name} {count}" for name, count in zip(RUNGS, rungs, strict=True)))] if rungs else []
    lines = climbed + [Text(f"{how} ({len(ids)}): {', '.join(ids)}") for how, ids in failures(records).items()]
    return Group(overall, *([broken_down] if by_group else []), *lines)


def _group_figures(records: Sequence[Record]) -> tuple[Figure, ...]:
    right = _mean("right", [float(not outcome(record)) for record in records if record["answerable"] is not None])
    found = (_mean(name, [record["figures"][name] for record in records if name in record["figures"]]) for name in GROUP_FIGURES)
    return tuple(figure for figure in (right, *found) if figure)


def _mean(name: str, values: Sequence[float]) -> Figure | None:
    if not values:
        return None
    return Figure(name, sum(values) / len(values), len(values), *bootstrap_interval(values))
