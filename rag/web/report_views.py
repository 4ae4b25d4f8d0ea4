"""The tabs beside the sources as HTML: reports, conversations, a map of the collection, evaluation. Pure functions; all text is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag.index.outline import Outline
from rag.types import Answer, Document
from rag.web.conversations import Talk
from rag.web.explore import Field
from rag.web.library import Outcome, State
from rag.web.panel import escaped
from rag.web.strings import LANGUAGES, STRINGS, reason, say
from rag.web.suggest import topic

MAIN_FIGURES = ("answer_hit", "recall_at_5", "evidence_covered", "claims_supported", "false_refusal", "false_answer", "latency_p50_ms")
CARD_PARTS = 10
"""Parts of a report that its card tells."""
UNFOLDED = 2
"""Reports of the map that show their sections at once."""
NOTES = 4
"""Of what was left out of a report or repaired, what its card says at once."""
RUNS = 12
"""The last so many runs make the trend."""


@dataclass(frozen=True, slots=True)
class ReportCard:
    """What a report says at a glance: a line or two, and its parts, each with the sentence that says most of it."""

    document: Document
    lead: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]
    """(heading, sentence)."""
    questions: tuple[str, ...] = ()
    """Questions that it answers."""


def report_card(report: Document, outline: Outline, questions: Sequence[str] = ()) -> ReportCard:
    """The card of a report from its outline."""
    lead = outline.lead or outline.whole.points[:2]
    parts = [part for part in outline.main(CARD_PARTS) if part.section]
    said = tuple((part.section[-1], report.text[slice(*part.points[0])]) for part in parts)
    return ReportCard(replace(report, text="", blocks=()), tuple(report.text[start:end] for start, end in lead), said, tuple(questions))


def card_html(card: ReportCard, language: str) -> str:
    """What was read of a report, what it is about, and what it can be asked: shown once a file has been added."""
    document = card.document
    facts = [document.publisher, str(document.year or ""), say(language, document.language) if document.language in LANGUAGES else ""]
    facts.append(say(language, "pages_count", n=document.page_count) if document.page_count else "")
    facts.append(say(language, "parts_count", n=len(card.parts)) if card.parts else "")
    lang = {"zh": "zh-CN", "en": "en"}.get(document.language, "")
    lead = "".join(f"<p>{escaped(line)}</p>" for line in card.lead)
    asks = "".join(
        f'<button type="button" class="pill" data-question="{escaped(question)}">{escaped(question)}</button>'
        for question in card.questions
    )
    return (
        f'<article class="glance"><h4 lang="{lang}">{escaped(document.title)}</h4><p class="soft">{escaped(" · ".join(filter(None, facts)))}</p>'
        f'<div lang="{lang}">{lead}</div><div class="found">{asks}</div></article>'
    )


def _outline_html(card: ReportCard, language: str) -> str:
    lang = {"zh": "zh-CN", "en": "en"}.get(card.document.language, "")
    lead = "".join(f"<p>{escaped(line)}</p>" for line in card.lead)
    parts = "".join(f"<dt>{escaped(heading)}</dt><dd>{escaped(text)}</dd>" for heading, text in card.parts)
    return f'<details class="glance"><summary>{escaped(say(language, "at_a_glance"))}</summary><div lang="{lang}">{lead}<dl>{parts}</dl></div></details>'


def reports_html(documents: Sequence[tuple[Document, int]], language: str, cards: Mapping[str, ReportCard] | None = None) -> str:
    """The list of (report, number of passages) with what they can be filtered by, what they say at a glance and a button to remove each."""
    most = max([1, *(passages for _, passages in documents)])
    rows = []
    for document, passages in documents:
        facts = [document.publisher, str(document.year or ""), say(language, document.language) if document.language in LANGUAGES else ""]
        sizes = [say(language, "pages_count", n=document.page_count) if document.page_count else ""]
        sizes.append(say(language, "passages_count", n=passages))
        name = escaped(document.title or document.id)
        about = escaped(" · ".join(fact for fact in (*facts, *sizes) if fact))
        key = escaped(document.id)
        lang = {"zh": "zh-CN", "en": "en"}.get(document.language, "")
        told = escaped(say(language, "left_out", notes="; ".join(document.notes[:NOTES]))) if document.notes else ""
        notes = f'<small class="notes" title="{escaped("; ".join(document.notes)[:2000])}">{told}</small>' if told else ""
        rows.append(
            f'<li data-words="{escaped(" ".join([document.title, document.id, document.source, *facts]).casefold())}">'
            f'<label><input type="checkbox" data-report="{key}"><span><b lang="{lang}">{name}</b><small>{about}</small>{notes}'
            f'<i class="size"><i style="width:{100 * passages / most:.0f}%"></i></i></span></label>'
            f'<button type="button" class="remove" data-remove="{key}" data-sure="{escaped(say(language, "remove_sure"))}" '
            f'aria-label="{escaped(say(language, "remove"))}: {name}" title="{escaped(say(language, "remove"))}">✕</button>'
            f"{_outline_html(cards[document.id], language) if cards and document.id in cards else ''}</li>"
        )
    hint = escaped(say(language, "filter"))
    return (
        f'<div class="shelf" data-total="{len(documents)}"><p class="lead">{escaped(say(language, "choose"))}</p>'
        f'<div class="sift"><input type="search" id="sift" placeholder="{hint}" aria-label="{hint}">'
        f'<button type="button" data-choose="shown">{escaped(say(language, "choose_shown"))}</button>'
        f'<button type="button" data-choose="none">{escaped(say(language, "choose_none"))}</button></div>'
        f"<ul>{''.join(rows)}</ul></div>"
    )


def change_html(state: State | None, language: str, problem: str = "", cards: Sequence[ReportCard] = ()) -> str:
    """How far a change of the reports has come, file by file, or what became of it, with a card of each report that came in."""
    if problem:
        return f'<div class="change" role="status"><p class="bad">{escaped(problem)}</p></div>'
    if state is None:
        return ""
    known = {outcome.file: outcome for outcome in state.outcomes}
    rows = "".join(_file(known[name], language) for name in known)
    if not state.finished:
        for place, name in enumerate(state.files if state.kind == "add" else ()):
            reading = state.stage == "read" and place == state.done
            waiting = state.stage == "read" and place > state.done
            words = say(language, "file_waiting" if waiting else "file_reading") if waiting or reading else "✓"
            rows += f"<li><span>{escaped(name)}</span><small>{escaped(words)}</small></li>"
        count = f" {min(state.done + (state.stage == 'read'), state.total)}/{state.total}" if state.total else ""
        label = escaped(say(language, f"stage_{state.stage}") + count)
        return (
            f'<div class="change" role="status"><p>{label}</p><progress max="100" value="{100 * state.share:.0f}" aria-label="{label}"></progress>'
            f"<ul>{rows}</ul><p class='soft'>{escaped(say(language, 'changing'))}</p></div>"
        )
    report = state.report or {}
    line = ""
    if state.kind == "remove":
        line = say(language, "report_removed", name=", ".join(state.files))
    elif state.kind == "refresh" and report:
        counts = {name: len(report.get(name, ())) for name in ("added", "changed", "removed")}
        line = say(language, "updated", **counts) if report.get("changed_anything") else say(language, "nothing_new")
    lead = f"<p>{escaped(line)}</p>" if line else ""
    return f'<div class="change" role="status">{lead}<ul>{rows}</ul>{"".join(card_html(card, language) for card in cards)}</div>'


def _file(outcome: Outcome, language: str) -> str:
    bad = ' class="bad"' if outcome.status == "failed" else ""
    words = say(language, f"file_{outcome.status}")
    detail = reason(language, outcome.reason) if outcome.reason else outcome.document
    return f"<li{bad}><span>{escaped(outcome.file)}</span><small>{escaped(words)}{': ' + escaped(detail) if detail else ''}</small></li>"


def talks_html(talks: Sequence[Talk], current: str, language: str) -> str:
    """The conversations of one owner."""
    rows = []
    for talk in talks:
        when = talk.changed[:16].replace("T", " ")
        here = ' class="here" aria-current="true"' if talk.id == current else ""
        rows.append(
            f'<li{here}><button type="button" class="open" data-talk="{talk.id}"><b>{escaped(talk.title)}</b>'
            f"<small>{escaped(say(language, 'turns_count', n=talk.turns))} · "
            f'<time datetime="{escaped(talk.changed)}">{escaped(when)}</time></small></button>'
            f'<button type="button" data-rename="{talk.id}" data-ask="{escaped(say(language, "talk_name"))}" '
            f'aria-label="{escaped(say(language, "talk_rename"))}: {escaped(talk.title)}" title="{escaped(say(language, "talk_rename"))}">✎</button>'
            f'<button type="button" class="remove" data-delete="{talk.id}" data-sure="{escaped(say(language, "talk_sure"))}" '
            f'aria-label="{escaped(say(language, "talk_delete"))}: {escaped(talk.title)}" title="{escaped(say(language, "talk_delete"))}">✕</button></li>'
        )
    lead = say(language, "talks_help" if talks else "talks_none")
    kinds = "".join(
        f'<button type="button" data-export="{kind}">{escaped(say(language, f"export_{kind}"))}</button>' for kind in ("md", "json", "bib")
    )
    export = f'<div class="kinds"><span>{escaped(say(language, "export"))}</span>{kinds}</div>' if talks else ""
    return f'<div class="shelf talks"><p class="lead">{escaped(lead)}</p>{export}<ul>{"".join(rows)}</ul></div>'


# --------------------------------------------------------------------------------------------------------------------------------- map


def map_html(reports: Sequence[tuple[Document, Sequence[Field]]], terms: Mapping[str, Sequence[tuple[str, int]]], language: str) -> str:
    """Each report as bars, one a section and as long as it is, with the words that are its own; the first ones are unfolded."""
    parts = [f'<div class="shelf map"><p class="lead">{escaped(say(language, "explore_help"))}</p>']
    for place, (document, fields) in enumerate(reports):
        most = max([1, *(field.characters for field in fields)])
        total = sum(field.characters for field in fields) or 1
        lang = {"zh": "zh-CN", "en": "en"}.get(document.language, "")
        bars = []
        for field in fields:
            name = topic(field.section) or " / ".join(field.section[-1:]) or document.title
            path = escaped(json.dumps(list(field.section), ensure_ascii=False))
            share = 100 * field.characters / total
            bars.append(
                f'<button type="button" class="field" title="{escaped(" / ".join(field.section) or document.title)}" '
                f'data-document="{escaped(document.id)}" data-section="{path}"><span>{escaped(name)}</span>'
                f'<i><i style="width:{100 * field.characters / most:.0f}%"></i></i><small>{share:.0f}%</small></button>'
            )
        words = "".join(
            f'<button type="button" class="term" data-term="{escaped(term)}" data-only="{escaped(document.id)}">{escaped(term)}<small>{times}</small></button>'
            for term, times in terms.get(document.id, ())
        )
        own = f'<p class="soft">{escaped(say(language, "key_terms"))}</p><div class="terms" lang="{lang}">{words}</div>' if words else ""
        parts.append(
            f'<details class="report"{" open" if place < UNFOLDED else ""}><summary lang="{lang}">{escaped(document.title)}</summary>'
            f'<div class="bars" lang="{lang}">{"".join(bars)}</div>{own}</details>'
        )
    options = "".join(f'<option value="{escaped(document.id)}">{escaped(document.title)}</option>' for document, _ in reports)
    second = options.replace("<option", "<option selected", 2).replace("<option selected", "<option", 1) if len(reports) > 1 else options
    title, topic_words = escaped(say(language, "contrast")), escaped(say(language, "contrast_topic"))
    if len(reports) > 1:
        parts.append(
            f'<form class="contrast"><h3>{title}</h3><select name="a" aria-label="{title} 1">{options}</select>'
            f'<select name="b" aria-label="{title} 2">{second}</select><input name="topic" maxlength="80" placeholder="{topic_words}" aria-label="{topic_words}">'
            f'<button type="submit">{escaped(say(language, "contrast_go"))}</button></form>'
        )
    return "".join(parts) + "</div>"


def asks_html(name: str, questions: Sequence[str], language: str) -> str:
    """Questions that a section answers, to click."""
    lead = say(language, "section_asks" if questions else "section_none", name=name)
    asks = "".join(
        f'<button type="button" class="pill" data-question="{escaped(question)}">{escaped(question)}</button>' for question in questions
    )
    return f'<div class="found" role="status"><p>{escaped(lead)}</p>{asks}</div>'


@dataclass(frozen=True, slots=True)
class Side:
    """What one report says on a topic."""

    document: Document
    answer: Answer
    passages: int
    """That mention the topic."""


def contrast_html(subject: str, sides: Sequence[Side], language: str) -> str:
    """What two reports say on a topic, side by side, with how much each has on it."""
    most = max([1, *(side.passages for side in sides)])
    made = []
    for side in sides:
        lang = {"zh": "zh-CN", "en": "en"}.get(side.document.language, "")
        said = "".join(f"<li>{escaped(claim.text)}</li>" for claim in side.answer.claims[:3])
        if side.answer.abstained or not said:
            said = f'<li class="soft">{escaped(say(language, "contrast_none"))}</li>'
        made.append(
            f'<div><h4 lang="{lang}">{escaped(side.document.title)}</h4><p class="soft">{escaped(say(language, "contrast_count", n=side.passages))}</p>'
            f'<i class="size"><i style="width:{100 * side.passages / most:.0f}%"></i></i><ul lang="{lang}">{said}</ul></div>'
        )
    names = [side.document.title for side in sides]
    question = say(language, "contrast_question", a=names[0], b=names[-1], topic=subject)
    return (
        f'<div class="found" role="status"><div class="sides">{"".join(made)}</div>'
        f'<button type="button" class="pill" data-question="{escaped(question)}">{escaped(say(language, "contrast_ask"))}</button></div>'
    )


# -------------------------------------------------------------------------------------------------------------------------- evaluation


@dataclass(frozen=True, slots=True)
class Run:
    """One saved run of `rag eval`."""

    when: str
    questions: int
    file: str
    figures: Mapping[str, Mapping[str, float]]
    failures: tuple[tuple[str, str], ...]
    """(question, what went wrong)."""


def read_runs(folder: Path, most: int = RUNS) -> list[Run]:
    """The last runs under a folder that asked the same questions as the newest, oldest first. What cannot be read is left out."""
    found: list[tuple[str, Path, dict[str, Any]]] = []
    for file in sorted(folder.glob("*/run.json"))[-200:] if folder.is_dir() else ():
        try:
            saved = json.loads(file.read_text(encoding="utf-8"))
            found.append((str(saved["started"]), file, saved))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    found.sort(key=lambda each: each[0])
    made = []
    for place, (when, file, saved) in enumerate(found):
        try:
            asked = saved.get("questions", {})
            same = asked.get("hash") == found[-1][2].get("questions", {}).get("hash")
            figures = {str(name): value for name, value in saved["figures"].items() if isinstance(value, dict) and "value" in value}
            failed = _failures(file, saved) if place == len(found) - 1 else ()
            if same:
                made.append(Run(when, int(saved.get("n", 0)), str(asked.get("file", "")), figures, failed))
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
    return made[-most:]


def _failures(file: Path, saved: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    wrong = {str(name): how for how, names in saved.get("failures", {}).items() for name in names}
    found = []
    try:
        with (file.parent / "records.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if str(record.get("id")) in wrong and record.get("question"):
                    found.append((str(record["question"]), wrong[str(record["id"])]))
    except (OSError, ValueError, AttributeError):
        pass
    return tuple(found[:200])


def scores_html(runs: Sequence[Run], language: str) -> str:
    """The main figures of the last run with their trend, and its failures."""
    if not runs:
        return f'<div class="shelf scores"><p class="lead">{escaped(say(language, "scores_none"))}</p></div>'
    last = runs[-1]
    lead = say(language, "scores_help", when=last.when[:16].replace("T", " "), n=last.questions)
    rows = []
    for name in (name for name in MAIN_FIGURES if name in last.figures):
        values = [run.figures[name]["value"] for run in runs if name in run.figures]
        figure = last.figures[name]
        unit = name.endswith("_ms")
        shown = f"{figure['value']:.1f} ms" if unit else f"{figure['value']:.3f}"
        width = 0 if unit else 100 * min(max(float(figure["value"]), 0.0), 1.0)
        between = f" ({figure['low']:.2f}–{figure['high']:.2f})" if "low" in figure and not unit else ""
        meter = "" if unit else f'<i class="size"><i style="width:{width:.0f}%"></i></i>'
        title, meaning = say(language, f"figure_{name}").split("|")
        rows.append(
            f"<li><div><b>{escaped(title)}</b><small>{escaped(meaning)}</small>{meter}</div>{_line(values)}"
            f'<span class="value">{shown}<small>{escaped(between)}</small></span></li>'
        )
    failed = "".join(
        f'<button type="button" class="pill" data-question="{escaped(question)}">{escaped(question)}<small>{escaped(_told(how, language))}</small></button>'
        for question, how in last.failures
    )
    head = say(language, "scores_failures" if failed else "no_failures")
    return f'<div class="shelf scores"><p class="lead">{escaped(lead)}</p><ul>{"".join(rows)}</ul><h3>{escaped(head)}</h3><div class="found">{failed}</div></div>'


def _told(how: str, language: str) -> str:
    key = f"failed_{how}"
    return say(language, key) if key in STRINGS[language] else how


def _line(values: Sequence[float], width: int = 90, height: int = 26) -> str:
    """The values of several runs as a small line; nothing for a lone one."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = width / max(1, len(values) - 1)
    points = [
        (4 + place * (width - 8) / width * step, height - 4 - (height - 8) * ((value - low) / span)) for place, value in enumerate(values)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    label = escaped(", ".join(f"{value:.3f}" for value in values))
    return (
        f'<svg class="trend" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{label}">'
        f'<polyline points="{path}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"/></svg>'
    )
