"""The chat page: layout and events. What it shows is made in `rag.web.panel`, what it knows comes from `rag.chat.Assistant`.

Everything stays on this machine: no request leaves it at start or later. What people leave behind (files they add, conversations, opinions)
is kept in a folder beside the index.
"""

from __future__ import annotations

import argparse
import atexit
import base64
import gc
import hashlib
import json
import logging
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import rag.web
from rag.chat import Assistant, Finished, Quoted, Rewritten, Said, Withdrawn, Writing
from rag.config import SECRETS
from rag.errors import RagError, UsageError
from rag.reading.dispatch import MAX_BYTES, SUFFIXES
from rag.reading.page_image import Picture, picture
from rag.types import Citation, Claim, Document, Filter
from rag.web import health
from rag.web.conversations import Feedback, Talks
from rag.web.explore import key_terms, outline
from rag.web.framework import Middleware, draft, gr
from rag.web.guard import Guard
from rag.web.library import Library, State
from rag.web.panel import (
    RATINGS,
    Shown,
    answer_html,
    as_json,
    escaped,
    gather,
    markdown,
    panel_html,
    question_html,
    references,
)
from rag.web.report_views import (
    ReportCard,
    Side,
    asks_html,
    change_html,
    contrast_html,
    map_html,
    read_runs,
    report_card,
    reports_html,
    scores_html,
    talks_html,
)
from rag.web.scope import narrowed
from rag.web.settings import Settings
from rag.web.strings import LANGUAGES, complaint, preferred, reason, say
from rag.web.suggest import about_report, about_section, about_term, follow_ups, openers, topic
from rag.web.tools import Tools, functions, told

WEB = Path(rag.web.__file__).parent
QUESTION_LIMIT = 2000
"""Characters."""
REMEMBERED = 10
"""Turns handed on as history."""
BEAT = 0.065
"""Seconds between two updates of a message; more often costs the server more than people can see."""
TYPED_AT_ONCE = 3
"""Answers that are typed at the same time; where more people ask, each gets whole sentences, and so its answer sooner."""
TYPING = 0.9
"""Seconds that typing may add to one answer."""
REMEMBERED_VIEWS = 60
"""Lists, maps and page pictures that are kept for the next who looks."""
CARDS = 3
"""Reports just added that are shown on a card."""
MAPPED = 40
"""Reports drawn on the map."""
AT_ONCE = 16
"""Questions answered at the same time."""
LOGO = (
    '<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9"/><path d="M9 9.5h14M9 15h9"/>'
    '<path class="tick" d="m10.5 21.5 3.5 3.5 8.5-9"/></svg>'
)

log = logging.getLogger("provenote.page")


def build(assistant: Assistant, *, data: Path | None = None, runs: Path | None = None, admins: Sequence[str] | None = None) -> gr.Blocks:
    """The page over one assistant.

    Under `data` it keeps the files that people add, their conversations and opinions, by default beside the index; `runs` is where
    `rag eval` keeps its runs. `admins` are who may change settings; None where there is no login.
    """
    settings = Settings(assistant, Path.cwd(), admins)
    data = data or Path(f"{assistant.config.index_dir}-data")
    library = Library(assistant.config, data / "reports")
    talks, feedback = Talks(data / "conversations.sqlite"), Feedback(data / "feedback.jsonl")
    runs = runs or Path("runs")
    seen: dict[tuple, Any] = {}
    seeing = threading.Lock()

    def once(key: str, *about: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once for each generation of the index."""
        generation = assistant.store.generation
        with seeing:
            for old in [each for each in seen if each[0] != generation]:
                del seen[old]
            while len(seen) > REMEMBERED_VIEWS:
                del seen[next(iter(seen))]
            if (generation, key, *about) in seen:
                return seen[generation, key, *about]
        made = make()
        with seeing:
            return seen.setdefault((generation, key, *about), made)

    def documents() -> Sequence[Document]:
        try:
            return assistant.documents()
        except RagError as error:
            log.warning("documents: %s", error)
            return ()

    def drawn() -> frozenset[str]:
        """Reports whose pages can be shown."""
        return frozenset(document.id for document in documents() if document.source.lower().endswith(".pdf"))

    def welcome(language: str) -> list[dict[str, str]]:
        return [{"text": text} for text in once("welcome", language, make=lambda: openers(assistant, language))]

    def messages(turns: list[Shown], language: str, typed: int | None = None) -> list[dict[str, str]]:
        made = []
        for turn in turns:
            last = typed if turn is turns[-1] else None
            made += [
                {"role": "user", "content": question_html(turn.question)},
                {"role": "assistant", "content": answer_html(turn, language, last)},
            ]
        return made

    def sources(turns: list[Shown], language: str, *, whole: bool = True, chosen: Sequence[str] | None = None) -> str:
        page = panel_html(turns, language, whole=whole, drawn=drawn())
        if chosen is None:
            return page
        return page.replace("<div ", f'<div data-chosen="{escaped(json.dumps(list(chosen)))}" ', 1)

    # ---- asking

    def answer(question: Any, given: Any, turns: list[Shown], language: str, talk: str, request: gr.Request) -> Iterator[tuple]:
        """One question from first sign to last; yields (messages, turns, panel, question box, banner, conversation)."""
        question, language, sent = str(question or "").strip(), known(language), Given.read(given, request)
        if not question or (turns and turns[-1].running):
            if question:
                gr.Warning(say(language, "busy"), duration=6, title="Provenote")
            yield (gr.skip(),) * 6
            return
        chosen: Sequence[str] | None = None
        if (wish := narrowed(question, documents())) is not None:
            name, found, rest = wish
            if not found:
                gr.Warning(say(language, "only_unknown", name=name), duration=6, title="Provenote")
                yield (gr.skip(),) * 6
                return
            chosen = () if len(found) == len(documents()) else found
            gr.Info(say(language, "only_set", chosen=len(found)), duration=4, title="Provenote")
            if not rest:
                yield gr.skip(), gr.skip(), sources(turns, language, chosen=chosen), gr.update(value=""), gr.skip(), gr.skip()
                return
            question, sent = rest, replace(sent, chosen=tuple(chosen))
        before = [turn.key for turn in turns]
        if sent.replaced in before:
            del turns[before.index(sent.replaced) :]
        turn = Shown(key=f"t{len(turns) + 1}", question=question[:QUESTION_LIMIT])
        history = [past for shown in turns[-REMEMBERED:] if (past := shown.remembered()) is not None]
        turns.append(turn)
        first_panel = sources(turns, language, chosen=chosen) if sent.replaced or chosen is not None else gr.skip()
        yield messages(turns, language), turns, first_panel, gr.update(value="", submit_btn=False, stop_btn=True), gr.skip(), gr.skip()
        drawn_before: object = None
        try:
            with closing(progress(turn, question, history, Filter(reports=sent.chosen), sent)) as steps:
                for grown, typed in steps:
                    if not turns or not turns[-1].running:  # stopped, or a new chat
                        return
                    turns[-1] = grown
                    state = (grown.evidence, grown.phase)
                    panel = gr.skip() if drawn_before == state else sources(turns, language, whole=False)
                    drawn_before = state
                    yield messages(turns, language, typed), turns, panel, gr.skip(), gr.skip(), gr.skip()
            talk = talks.save(sent.owner, talk_id(talk), turns)
            yield gr.skip(), turns, gr.skip(), gr.update(submit_btn=True, stop_btn=False), banner(), marked(talk)
        finally:
            if turns and turns[-1].key == turn.key:  # whoever asked has gone away in the middle
                halt(turns)

    def heard(turn: Shown, claim: Claim, citations: Sequence[Citation]) -> Shown:
        place = len(turn.sentences)
        cited = [citation for n in claim.citations for citation in citations if citation.n == n]
        found = (gather(f"{turn.key}s{place}c{count}", citation, assistant.passage) for count, citation in enumerate(cited))
        return turn.heard(claim, tuple(found))

    answering: set[object] = set()
    opened: dict[str, str] = {}
    """The report that each owner has added last."""

    def progress(turn: Shown, question: str, history: list, only: Filter, sent: Given) -> Iterator[tuple[Shown, int | None]]:
        """The turn as it grows, with the number of characters typed of its last sentence; None when that is complete."""
        allowance, drafted, here, crowded = TYPING, 0.0, object(), False
        held: list[Said] = []
        answering.add(here)
        try:
            if len(question) > QUESTION_LIMIT:
                yield replace(turn, phase="failed", problem="too_long", detail=f"{len(question)} / {QUESTION_LIMIT}"), None
                return
            wanted: dict[str, Any] = {"llm": True} if sent.llm and assistant.model else {}
            if open_report := opened.get(sent.owner, ""):  # only of use where the message names no report and the talk is about none
                wanted["open_report"] = open_report
            with closing(assistant.stream(question, history=history, only=only, **wanted)) as events:
                for event in events:
                    if isinstance(event, Rewritten):
                        turn = replace(turn, query=event.query)
                        yield turn, None
                    elif isinstance(event, Quoted):  # shown until prose that holds takes its place
                        for claim in event.answer.claims:
                            turn = heard(turn, claim, event.answer.citations)
                        turn = replace(turn, quoted=True)
                        yield turn, None
                    elif isinstance(event, Writing):
                        if time.monotonic() - drafted >= BEAT:
                            turn = replace(turn, draft=event.text, waiting=event.stage, seconds=event.seconds)
                            drafted = time.monotonic()
                            yield turn, None
                    elif isinstance(event, Withdrawn):
                        turn, held = turn.withdrawn(event.reason), []
                        yield turn, None
                    elif isinstance(event, Said):
                        held.append(event)
                        if turn.quoted and event.claim.verdict not in ("quoted", "supported", "partial"):
                            continue
                        turn = replace(turn, sentences=(), evidence=(), quoted=False) if turn.quoted else turn
                        for each in held:
                            turn = heard(turn, each.claim, each.citations)
                        held = []
                        length = len(event.claim.text)
                        crowded = crowded or len(answering) > TYPED_AT_ONCE
                        beats = int(min(allowance, 0.3, length * 0.012) / BEAT) if not (sent.llm or crowded) else 0
                        for beat in range(1, beats + 1):
                            yield turn, length * beat // (beats + 1)
                            time.sleep(BEAT)
                        allowance -= beats * BEAT
                        yield turn, None
                    elif isinstance(event, Finished):
                        near = (
                            gather(f"{turn.key}n{place}", citation, assistant.passage)
                            for place, citation in enumerate(event.answer.nearest)
                        )
                        turn = replace(
                            turn,
                            phase="done",
                            draft="",
                            quoted=False,
                            answer=event.answer,
                            followups=event.answer.suggestions,
                            query=event.answer.query or turn.query,
                            nearest=tuple(near),
                        )
                        yield turn, None
            if turn.running:
                raise RagError("the answer broke off before its end; ask again")
        except Exception as error:  # whatever went wrong, the page stays up and says so
            log.warning("question failed: %s", error, exc_info=not isinstance(error, RagError))
            yield replace(turn, phase="failed", draft="", problem=complaint(error), detail=str(error)), None
        finally:
            answering.discard(here)

    def lead_on(given: Any, turns: list[Shown], language: str, talk: str, request: gr.Request) -> tuple:
        """Questions to go on with, once an answer stands."""
        sent = Given.read(given, request)
        if not turns or turns[-1].answer is None or turns[-1].followups:
            return gr.skip(), gr.skip()
        turn = turns[-1]
        try:
            found = follow_ups(assistant, turn.answer, Filter(reports=sent.chosen))
        except Exception as error:  # a page without suggestions is a page all the same
            log.warning("suggestions: %s", error)
            return gr.skip(), gr.skip()
        if not found or turns[-1] is not turn:
            return gr.skip(), gr.skip()
        turns[-1] = replace(turn, followups=found)
        talks.save(sent.owner, talk_id(talk), turns)
        return messages(turns, known(language)), turns

    def halt(turns: list[Shown]) -> None:
        if turns and turns[-1].running:
            turns[-1] = replace(turns[-1], phase="stopped", draft="")

    def stop(turns: list[Shown]) -> tuple:
        halt(turns)
        return turns, gr.update(submit_btn=True, stop_btn=False)

    def stopped(turns: list[Shown], language: str) -> tuple:
        return messages(turns, known(language)), sources(turns, known(language))

    def fresh(turns: list[Shown], language: str) -> tuple:
        halt(turns)
        return [], [], sources([], known(language)), gr.update(value="", submit_btn=True, stop_btn=False), marked("")

    def rate(given: Any, turns: list[Shown], language: str, request: gr.Request) -> tuple:
        """Keeps what people think of an answer, with everything needed to see what happened."""
        language, sent = known(language), Given.read(given, request)
        for place, turn in enumerate(turns):
            if turn.key == sent.turn and not turn.running and sent.rating in RATINGS:
                rating = "" if turn.rating == sent.rating else sent.rating
                turns[place] = replace(turn, rating=rating)
                trace = {
                    "generation": assistant.store.generation,
                    "config": {name: value for name, value in asdict(assistant.config).items() if name not in SECRETS},
                    "history": [past.question for past in turns[:place]],
                }
                if feedback.note(turns[place], rating, trace):
                    gr.Info(say(language, "rated"), duration=3, title="Provenote")
                return messages(turns, language), turns
        return gr.skip(), gr.skip()

    def see(given: Any, turns: list[Shown], language: str, request: gr.Request) -> str:
        """A page of a report as a picture: that of a citation, with its words marked, or another page of the same report."""
        language, sent = known(language), Given.read(given, request)
        shown_here = (item for turn in turns for items in (*turn.evidence, turn.nearest) for item in items)
        item = next((item for item in shown_here if item.key == sent.evidence), None)
        if item is None or item.citation.page is None:
            return page_html(None, language, "", 0)
        page = min(max(sent.page, 1), 100_000) if sent.page else item.citation.page
        try:
            picture = draw(item.citation.document, page, item.citation if page == item.citation.page else None)
        except (RagError, KeyError, OSError) as error:
            log.warning("page: %s", error)
            picture = None
        return page_html(picture, language, item.citation.title, page, item.key)

    def draw(document: str, page: int, citation: Citation | None) -> Picture | None:
        """By the id of a report and a page only; the file must be the one that was indexed."""
        store = assistant.store
        report, file = store.document(document), library.source(store.manifest, document)
        if file is None or file.suffix.lower() != ".pdf":
            return None
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != report.sha256:
            return None
        quote, before = ("", "") if citation is None else (citation.quote, report.text[max(0, citation.start - 80) : citation.start])
        return once("page", document, page, quote, before, make=lambda: picture(content, page, quote, before))

    # ---- reports

    def reports(language: str) -> str:
        def make() -> str:
            store = assistant.store
            counted = [(document, len(store.chunks_of(document.id))) for document in documents()]
            cards = {document.id: report_card(store.document(document.id), store.outline(document.id)) for document, _ in counted[:MAPPED]}
            return reports_html(counted, language, cards)

        return once("reports", language, make=make)

    def change(start: Callable[[], State], language: str) -> Iterator[tuple]:
        """Runs a change of the reports and shows how far it is: (progress, list of reports, box for files)."""
        language = known(language)
        try:
            state = start()
        except RagError as error:
            yield change_html(None, language, reason(language, str(error))), gr.skip(), gr.update(value=None)
            return
        if state.finished:
            yield change_html(state, language), gr.skip(), gr.update(value=None)
            return
        yield change_html(library.state, language), gr.skip(), gr.update(value=None)
        shown_state = None
        while not library.wait(0.15):
            if library.state != shown_state:
                shown_state = library.state
                yield change_html(shown_state, language), gr.skip(), gr.skip()
        state = library.state
        if state.problem is not None:
            log.warning("change of reports: %s", state.problem)
        problem = say(language, complaint(state.problem), detail=reason(language, str(state.problem))) if state.problem else ""
        yield change_html(state, language, problem, arrived(state)), reports(language), gr.skip()

    def arrived(state: State) -> list[ReportCard]:
        """The cards of the reports that a change brought in."""
        found = []
        for outcome in state.outcomes[:CARDS] if state.kind == "add" else ():
            if outcome.document and outcome.status != "failed":
                try:
                    report, outline = assistant.store.document(outcome.document), assistant.store.outline(outcome.document)
                    found.append(report_card(report, outline, about_report(assistant, outcome.document)))
                except (RagError, KeyError) as error:
                    log.warning("card: %s", error)
        return found

    def add(given: Any, files: list[str] | None, language: str, request: gr.Request) -> Iterator[tuple]:
        owner = Given.read(given, request).owner
        paths = [Path(file) for file in files or ()]
        if paths:
            try:
                yield from change(lambda: library.add([(path.name, path) for path in paths]), language)
            finally:
                came = [outcome.document for outcome in library.state.outcomes if outcome.document] if library.state else []
                if came and owner:
                    opened[owner] = came[-1]
                for path in paths:
                    path.unlink(missing_ok=True)

    def remove(given: Any, language: str, request: gr.Request) -> Iterator[tuple]:
        document = Given.read(given, request).document
        yield from change(lambda: library.remove(document), language)

    def refresh(language: str) -> Iterator[tuple]:
        yield from change(library.refresh, language)

    def shelf(language: str) -> tuple:
        return reports(known(language)), change_html(library.state, known(language)) if library.busy else gr.skip()

    def scope(given: Any, language: str, request: gr.Request) -> tuple:
        """What the choice of reports changes: the name of its tab and the hint in the question box."""
        return scoped_words(Given.read(given, request).chosen, known(language))

    def scoped_words(chosen: Sequence[str], language: str) -> tuple:
        words = {"chosen": len(chosen), "total": len(documents())}
        tab = say(language, "reports_chosen", **words) if chosen else say(language, "reports")
        return gr.update(label=tab), gr.update(placeholder=say(language, "ask_chosen" if chosen else "ask", **words))

    # ---- conversations

    def listed(given: Any, language: str, talk: str, request: gr.Request) -> str:
        return talks_html(talks.all(Given.read(given, request).owner), talk_id(talk), known(language))

    def turn_to(given: Any, turns: list[Shown], language: str, talk: str, request: gr.Request) -> tuple:
        """Opens, renames or deletes a conversation: (messages, turns, panel, conversation, list, question box)."""
        language, sent, talk = known(language), Given.read(given, request), talk_id(talk)
        result: tuple = (gr.skip(),) * 4
        if sent.action == "open" and (opened := talks.load(sent.owner, sent.talk)) is not None:
            halt(turns)
            result, talk = (messages(opened, language), opened, sources(opened, language), marked(sent.talk)), sent.talk
        elif sent.action == "rename":
            talks.rename(sent.owner, sent.talk, sent.title)
        elif sent.action == "delete":
            talks.delete(sent.owner, sent.talk)
            if sent.talk == talk:
                halt(turns)
                result, talk = ([], [], sources([], language), marked("")), ""
        box = gr.update(submit_btn=True, stop_btn=False) if sent.action != "rename" else gr.skip()
        return *result, talks_html(talks.all(sent.owner), talk, language), box

    def take_away(given: Any, turns: list[Shown], language: str, request: gr.Request) -> str:
        kind, language = Given.read(given, request).kind, known(language)
        make = {"json": as_json, "bib": references}.get(kind, markdown)
        name = {"json": "provenote.json", "bib": "provenote.bib"}.get(kind, "provenote.md")
        return json.dumps({"name": name, "text": make(turns, language)})

    # ---- map and evaluation

    def chart(language: str) -> str:
        def make() -> str:
            own = sorted(documents(), key=lambda document: document.language != known(language))  # of the reader's language first
            whole = [assistant.store.document(document.id) for document in own[:MAPPED]]
            terms = once_terms(whole)
            return map_html([(document, outline(document)) for document in whole], terms, known(language))

        return once("map", known(language), make=make)

    def once_terms(whole: Sequence[Document]) -> dict[str, list[tuple[str, int]]]:
        generation = assistant.store.generation
        if terms_of.get("generation") != generation:
            terms_of.update(generation=generation, terms=key_terms(whole))
        return terms_of["terms"]

    terms_of: dict[str, Any] = {}

    def probe(given: Any, language: str, request: gr.Request) -> str:
        """What a section or a word can be asked for, or what two reports say on a topic."""
        language, sent = known(language), Given.read(given, request)
        try:
            if sent.topic and sent.pair:
                known_reports = {document.id: document for document in documents()}
                sides = []
                for name in dict.fromkeys(sent.pair):
                    said = assistant.ask(sent.topic, only=Filter((name,)))
                    hits = assistant.search(sent.topic, top_k=50, only=Filter((name,)))
                    sides.append(Side(known_reports[name], said, sum(hit.lexical > 0.3 for hit in hits)))
                return contrast_html(sent.topic, sides, language)
            if sent.term:
                found = about_term(assistant, sent.document, sent.term)
                return asks_html(sent.term, found, language)
            if sent.document:
                name = topic(sent.section) or " / ".join(sent.section[-1:]) or assistant.store.document(sent.document).title
                return asks_html(name, about_section(assistant, sent.document, sent.section), language)
        except (RagError, KeyError, IndexError) as error:
            log.warning("map: %s", error)
        return ""

    def scores(language: str) -> str:
        return scores_html(read_runs(runs), known(language))

    # ---- the whole page

    def banner() -> dict[str, Any]:
        return gr.update(
            value=f'<p role="status">{escaped(assistant.warning)}</p>' if assistant.warning else "", visible=bool(assistant.warning)
        )

    def marked(talk: str) -> str:
        return f'<i data-talk="{talk}"></i>'

    def labels(
        language: str, chosen: Sequence[str], turns: list[Shown], request: gr.Request, soft: bool = False, loaded: bool = False
    ) -> tuple:
        """What changes of every component that carries words, in the order of `worded`. `soft` leaves alone what may have been asked meanwhile."""
        found = documents()
        tab, box = scoped_words([name for name in chosen if any(name == document.id for document in found)], language)
        return (
            language,
            gr.update(value=head_html(language)),
            *(gr.update(value=say(language, name)) for name in ("sources", "new", "export", "other_language", "theme")),
            gr.update(label=say(language, "sources")),
            tab,
            *(gr.update(label=say(language, name)) for name in ("explore", "talks", "scores")),
            box,
            gr.update(value=say(language, "hint")),
            gr.update(
                **({} if soft else {"value": messages(turns, language)}),
                placeholder=say(language, "welcome", total=len(found)) if found else say(language, "no_reports"),
                examples=welcome(language) if found else [],
            ),
            sources(turns, language).replace("<div ", '<div data-soft="1" ', 1) if soft else sources(turns, language),
            banner(),
            reports(language),
            gr.update(label=add_label(language)),
            gr.update(value=say(language, "refresh")),
            gr.update(
                label=say(language, "llm_switch", model=assistant.model),
                visible=bool(assistant.model),
                **({"value": assistant.config.writes} if loaded else {}),
            ),
            gr.update(label=say(language, "settings"), visible=settings.may(request)),
            *settings.words(language, request),
        )

    def first(remembered: str, given: Any, turns: list[Shown], request: gr.Request) -> tuple:
        language = remembered if remembered in LANGUAGES else preferred(request.headers.get("accept-language", ""))
        sent = Given.read(given, request)
        if not turns and (kept := talks.load(sent.owner, sent.talk)):
            return *labels(language, sent.chosen, kept, request, loaded=True), kept, marked(sent.talk)
        return *labels(language, sent.chosen, turns, request, soft=True, loaded=True), gr.skip(), gr.skip()

    def switch(language: str, given: Any, turns: list[Shown], request: gr.Request) -> tuple:
        return labels("en" if known(language) == "zh" else "zh", Given.read(given, request).chosen, turns, request)

    def example(given: Any, turns: list[Shown], language: str, talk: str, event: gr.SelectData, request: gr.Request) -> Iterator[tuple]:
        value = event.value.get("text") if isinstance(event.value, dict) else event.value
        yield from answer(value, given, turns, language, talk, request)

    with draft(), gr.Blocks(title="Provenote", analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)) as page:
        turns_state, language_state = gr.State([]), gr.State("zh")  # values: a function here would become an endpoint
        remembered, taken, given = (gr.Textbox(visible=False) for _ in range(3))
        with gr.Row(elem_id="top"):
            head = gr.HTML(head_html("zh"), elem_id="brand")
            open_sources = gr.Button(say("zh", "sources"), elem_id="open-sources")
            new = gr.Button(say("zh", "new"), elem_id="new")
            export = gr.Button(say("zh", "export"), elem_id="export")
            other = gr.Button(say("zh", "other_language"), elem_id="language")
            theme = gr.Button(say("zh", "theme"), elem_id="theme")
        notice = gr.HTML("", elem_id="banner", visible=False)
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="talk"):
                chat = gr.Chatbot(
                    elem_id="chat",
                    height=None,
                    show_label=False,
                    container=False,
                    layout="bubble",
                    buttons=[],
                    feedback_options=None,
                    placeholder=say("zh", "welcome", total=len(documents())),
                    examples=[],
                    group_consecutive_messages=False,
                    allow_tags=False,
                    latex_delimiters=[],
                    autoscroll=False,  # to the end of an answer; its beginning is what people read first, see `follow` in the script
                )
                with gr.Column(elem_id="composer"):
                    box = gr.Textbox(
                        elem_id="question",
                        show_label=False,
                        label="question",
                        container=False,
                        lines=1,
                        max_lines=7,
                        max_length=QUESTION_LIMIT,
                        submit_btn=True,
                        placeholder=say("zh", "ask"),
                        autofocus=True,
                    )
                    with gr.Row(elem_id="below"):
                        llm = gr.Checkbox(
                            label=say("zh", "llm_switch", model=assistant.model),
                            elem_id="llm",
                            visible=bool(assistant.model),
                            value=assistant.config.writes,
                            interactive=True,
                        )
                        hint = gr.Markdown(say("zh", "hint"), elem_id="hint")
                viewer = watched("", "viewer", "paged")
            with gr.Column(elem_id="evidence"), gr.Tabs(elem_id="tabs"):
                with gr.Tab(say("zh", "sources"), id="sources", elem_id="tab-sources") as sources_tab:
                    gr.HTML('<div id="sources" class="panel"></div>', js_on_load=None, apply_default_css=False)
                    panel = watched(panel_html([], "zh"), "incoming", "rendered")
                with gr.Tab(say("zh", "reports"), id="reports", elem_id="tab-reports") as reports_tab:
                    upload = gr.File(
                        label=add_label("zh"),
                        elem_id="add",
                        file_count="multiple",
                        file_types=[*SUFFIXES, ".zip"],
                        type="filepath",
                        height=96,
                    )
                    changing = gr.HTML("", elem_id="changing", apply_default_css=False)
                    shelves = watched("", "reports", "shelved")
                    renew = gr.Button(say("zh", "refresh"), elem_id="refresh")
                with gr.Tab(say("zh", "explore"), id="explore", elem_id="tab-explore") as explore_tab:
                    overview = gr.HTML("", elem_id="explore", apply_default_css=False)
                    found_here = watched("", "found", "found")
                with gr.Tab(say("zh", "talks"), id="talks", elem_id="tab-talks") as talks_tab:
                    history = gr.HTML("", elem_id="talks", apply_default_css=False)
                with gr.Tab(say("zh", "scores"), id="scores", elem_id="tab-scores") as scores_tab:
                    measured = gr.HTML("", elem_id="scores", apply_default_css=False)
                with gr.Tab(say("zh", "settings"), id="settings", elem_id="tab-settings", visible=admins is None) as settings_tab:
                    settings.draw()
        talk_mark = watched(marked(""), "talk-mark", "talked")
        # pressed by the page's own script, which says in `given` what is meant
        press = {
            name: gr.Button(name, elem_id=f"do-{name}", visible="hidden")
            for name in ("rate", "see", "remove", "scope", "turn", "take", "probe")
        }

        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        asking = {**quiet, "concurrency_limit": AT_ONCE, "concurrency_id": "answer"}
        changes = {**quiet, "concurrency_limit": 4, "concurrency_id": "change"}
        telling = "window.provenote ? window.provenote.given() : ''"
        shown = [chat, turns_state, panel, box, notice, talk_mark]
        known_here = [given, turns_state, language_state, talk_mark]
        with_question = "(question, _, ...rest) => [question, window.provenote ? window.provenote.given(true) : '', ...rest]"
        with_example = "(_, ...rest) => [window.provenote ? window.provenote.given(true) : '', ...rest]"
        with_given = f"(_, ...rest) => [{telling}, ...rest]"
        asked = [
            # "multiple": a question sent while the last words of an answer are still on their way would be dropped without a sign
            box.submit(answer, [box, *known_here], shown, js=with_question, trigger_mode="multiple", **asking),
            chat.example_select(example, known_here, shown, js=with_example, **asking),
        ]
        for event in asked:
            event.then(lead_on, known_here, [chat, turns_state], js=with_given, **quiet)
        # Words that the answer has sent may still be on their way when it is stopped; what is drawn through the same queue comes after them.
        halted = box.stop(stop, turns_state, [turns_state, box], cancels=asked, queue=False, **quiet)
        halted.then(stopped, [turns_state, language_state], [chat, panel], **quiet)
        new.click(fresh, [turns_state, language_state], [chat, turns_state, panel, box, talk_mark], cancels=asked, queue=False, **quiet)
        press["rate"].click(rate, [given, turns_state, language_state], [chat, turns_state], js=with_given, **quiet)
        press["see"].click(see, [given, turns_state, language_state], viewer, js=with_given, concurrency_limit=2, **quiet)
        press["scope"].click(scope, [given, language_state], [reports_tab, box], js=with_given, **quiet)
        press["probe"].click(probe, [given, language_state], found_here, js=with_given, **quiet)

        changed = [changing, shelves, upload]
        upload.upload(add, [given, upload, language_state], changed, js=with_given, **changes)
        press["remove"].click(remove, [given, language_state], changed, js=with_given, **changes)
        renew.click(refresh, language_state, changed, **changes)
        reports_tab.select(shelf, language_state, [shelves, changing], **quiet)

        talks_tab.select(listed, [given, language_state, talk_mark], history, js=with_given, **quiet)
        conversation = [chat, turns_state, panel, talk_mark, history, box]
        press["turn"].click(turn_to, known_here, conversation, js=with_given, **quiet)
        for button in (export, press["take"]):
            button.click(take_away, [given, turns_state, language_state], taken, js=with_given, **quiet).then(
                None, taken, None, js="file => window.provenote.download(file)"
            )
        explore_tab.select(chart, language_state, overview, **quiet)
        scores_tab.select(scores, language_state, measured, **quiet)
        settings.wire(settings_tab, language_state, llm, quiet)
        theme.click(None, None, None, js="() => window.provenote.theme()")
        open_sources.click(None, None, None, js="() => window.provenote.sheet()")
        worded = [
            language_state,
            head,
            open_sources,
            new,
            export,
            other,
            theme,
            sources_tab,
            reports_tab,
            explore_tab,
            talks_tab,
            scores_tab,
            box,
            hint,
            chat,
            panel,
            notice,
            shelves,
            upload,
            renew,
            llm,
            settings_tab,
            *settings.worded,
        ]
        kept = """(_, __, ...rest) => [localStorage.getItem('provenote.language') || '', JSON.stringify({
            owner: localStorage.getItem('provenote.owner') || '', talk: sessionStorage.getItem('provenote.talk') || ''}), ...rest]"""
        other.click(
            switch, [language_state, given, turns_state], worded, js=f"(language, _, ...rest) => [language, {telling}, ...rest]", **quiet
        )
        page.load(first, [remembered, given, turns_state], [*worded, turns_state, talk_mark], js=kept, **quiet)
        for function in functions(assistant):
            gr.api(
                told(function, partial(gr.Error, print_exception=False)),
                api_name=function.__name__,
                concurrency_limit=AT_ONCE,
                concurrency_id="program",
            )

    def prepare() -> None:
        """What the first visitor would wait for."""
        for language in LANGUAGES:
            try:
                welcome(language), reports(language)
            except Exception as error:
                log.warning("preparing: %s", error)

    page.prepare = prepare
    with draft():
        page.queue(default_concurrency_limit=AT_ONCE, max_size=64, api_open=False)
    return page


@dataclass(frozen=True, slots=True)
class Given:
    """What the page's script tells with an event: read from JSON that anyone could have sent, so every field is checked."""

    owner: str = ""
    chosen: tuple[str, ...] = ()
    llm: bool = False
    replaced: str = ""
    turn: str = ""
    rating: str = ""
    evidence: str = ""
    page: int = 0
    document: str = ""
    section: tuple[str, ...] = ()
    term: str = ""
    pair: tuple[str, ...] = ()
    topic: str = ""
    action: str = ""
    talk: str = ""
    title: str = ""
    kind: str = ""

    @classmethod
    def read(cls, sent: Any, request: gr.Request | None = None) -> Given:
        """Fields of the wrong type or size are as if they had not been sent. A name that has signed in owns its conversations."""
        try:
            values = json.loads(sent) if isinstance(sent, str) and len(sent) < 100_000 else {}
        except (ValueError, RecursionError):
            values = {}
        kept: dict[str, Any] = {}
        for field in fields(cls):
            value = values.get(field.name) if isinstance(values, dict) else None
            if isinstance(field.default, tuple):
                if isinstance(value, list) and len(value) <= 1000 and all(isinstance(each, str) and len(each) <= 500 for each in value):
                    kept[field.name] = tuple(value)
            elif type(value) is type(field.default) and (not isinstance(value, str) or len(value) <= 500):
                kept[field.name] = value
        if request is not None and getattr(request, "username", None):
            kept["owner"] = f"user:{request.username}"
        elif kept.get("owner", "").startswith("user:"):
            del kept["owner"]
        return cls(**kept)


def talk_id(mark: Any) -> str:
    """The id of the conversation out of the element that carries it."""
    match = re.fullmatch(r'<i data-talk="([0-9a-f]{16})"></i>', mark if isinstance(mark, str) else "")
    return match[1] if match else ""


def watched(value: str, name: str, call: str) -> gr.HTML:
    """HTML of which the page's script is told when it has changed."""
    tell = f"window.provenote?.{call}?.(); watch('value', () => window.provenote?.{call}?.());"
    return gr.HTML(value, elem_id=name, js_on_load=tell, apply_default_css=False)


def page_html(picture: Picture | None, language: str, title: str, page: int, key: str = "") -> str:
    """A page of a report with the cited words marked, over the conversation; the sources stay beside it."""
    close = escaped(say(language, "close"))
    serial = time.monotonic_ns()  # the same page twice must count as a change
    parts = [
        f'<div class="leaf" data-serial="{serial}" data-key="{escaped(key)}" role="dialog" aria-label="{escaped(say(language, "page_shown"))}">'
    ]
    if picture is None:
        return "".join(
            [
                *parts,
                f'<header><p>{escaped(say(language, "page_gone"))}</p><button type="button" data-leaf="close" aria-label="{close}">✕</button></header></div>',
            ]
        )
    place = say(language, "page_of", page=page, pages=picture.pages)
    if picture.label and picture.label != str(page):
        place += f" ({say(language, 'page_label', label=picture.label)})"
    found = say(language, "page_marked" if picture.boxes else "page_unmarked")
    marks = "".join(
        f'<i class="box" style="left:{100 * left:.2f}%;top:{100 * top:.2f}%;width:{100 * (right - left):.2f}%;height:{100 * (bottom - top):.2f}%"></i>'
        for left, top, right, bottom in picture.boxes
    )
    steps = "".join(
        f'<button type="button" data-leaf="{number}" aria-label="{escaped(say(language, "page", page=number))}"{"" if 1 <= number <= picture.pages else " disabled"}>{arrow}</button>'
        for number, arrow in ((page - 1, "‹"), (page + 1, "›"))
    )
    data = base64.b64encode(picture.jpeg).decode()
    parts.append(
        f"<header><p><b>{escaped(title)}</b><small>{escaped(place)} · {escaped(found)}</small></p>{steps}"
        f'<button type="button" data-leaf="close" aria-label="{close}">✕</button></header>'
        f'<div class="paper" tabindex="0" role="group" aria-label="{escaped(place)}"><div class="print"><img alt="{escaped(title)}, {escaped(place)}" width="{picture.width}" height="{picture.height}" '
        f'src="data:image/jpeg;base64,{data}">{marks}</div></div></div>'
    )
    return "".join(parts)


def add_label(language: str) -> str:
    """What may be added, in words."""
    kinds = [suffix[1:] for suffix in (*SUFFIXES, ".zip") if suffix not in (".text", ".markdown", ".htm", ".xhtml", ".xlsm")]
    return say(language, "add", kinds=" ".join(kinds), size=MAX_BYTES // 1_000_000)


def head_html(language: str) -> str:
    """Name and promise."""
    return f'<div class="head">{LOGO}<div><h1>{say(language, "name")}</h1><p>{escaped(say(language, "tagline"))}</p></div></div>'


def known(language: Any) -> str:
    """A language of the page, whatever came in."""
    return language if language in LANGUAGES else LANGUAGES[0]


def serve(
    assistant: Assistant,
    host: str = "127.0.0.1",
    port: int = 7860,
    *,
    names: Sequence[str] = (),
    login: Callable[[str, str], bool] | None = None,
    unprotected: bool = False,
    root_path: str = "",
    mcp: bool = False,
    api: bool = False,
    admins: Sequence[str] = (),
    data: Path | None = None,
    runs: Path | None = None,
    open_browser: bool = False,
) -> None:
    """Serves the page until interrupted, on `port` or the next free one; prints its address in one line.

    `names` are host names it is served under besides localhost and IP addresses, `root_path` the path under which a proxy shows it. A host
    that other machines can reach needs a `login` (name, password -> whether they belong together), or `unprotected` where something in front
    asks for one, and then only `admins` may change settings: raises UsageError without either, and when no port is free. With `mcp` agents find it at /mcp, with
    `api` programs that speak OpenAI's protocol find it at /v1.
    """
    if not (login or unprotected or host == "localhost" or _loopback(host)):
        raise UsageError(f"host {host} can be reached from other machines: keep 127.0.0.1, or name people with --auth-file")
    if root_path and not re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)+/?", root_path):
        raise UsageError(f"root path {root_path!r} is not a path such as /provenote")
    guard: dict[str, Any] = {"names": names, "root": root_path}
    if mcp:
        guard["tools"] = Tools(assistant, login)
    if api:
        from rag.web.api import OPEN
        from rag.web.api import routes as api_routes

        routes, guard["also"] = api_routes(assistant, login), OPEN
    else:
        routes, guard["also"] = [health.route(assistant)], ("health",)
    folder = tempfile.mkdtemp(prefix="provenote-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = folder
    page = build(assistant, data=data, runs=runs, admins=admins if login or unprotected else None)
    port = free_port(host, port)
    page.launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        auth=login,
        root_path=root_path.rstrip("/") or None,
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        # style in the head: given as css= it is added a second time with every selector prefixed, which then wins over rules of state
        head=f"<style>{(WEB / 'app.css').read_text(encoding='utf-8')}</style>",
        js=f"() => {{ {(WEB / 'app.js').read_text(encoding='utf-8')} }}",
        app_kwargs={"routes": routes, "middleware": [Middleware(Guard, **guard)], "docs_url": None, "redoc_url": None, "openapi_url": None}
        | ({"lifespan": guard["tools"].lifespan} if mcp else {}),
        # a second wall, since the guard closes the route for files; it must not shut out the folder for uploads
        blocked_paths=[str(wall) for wall in (Path(__file__).resolve().parent, Path.cwd()) if not Path(folder).is_relative_to(wall)],
        max_file_size=MAX_BYTES,
        footer_links=[],
        favicon_path=str(WEB / "icon.svg"),
        share=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
        show_error=False,
        strict_cors=True,
        state_session_capacity=1000,
        prevent_thread_lock=True,
        quiet=True,
    )
    gc.freeze()  # what stands now stays: no need to look through it again at every collection
    threading.Thread(target=page.prepare, name="prepare", daemon=True).start()
    sys.stdout.write(f"Provenote: http://{f'[{host}]' if ':' in host else host}:{port}{root_path.rstrip('/')}\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        page.close(verbose=False)


def free_port(host: str, port: int, tries: int = 100) -> int:
    """The first free port from `port` on. Raises UsageError when there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + tries, 65536)):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except socket.gaierror as error:
                raise UsageError(f"host {host!r} is not an address of this machine: use 127.0.0.1") from error
            except OSError:
                continue
            return candidate
    raise UsageError(f"no free port on {host} from {port} on: name another with --port")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def main() -> int:
    """`python app.py`: the page over the index that the configuration names."""
    from rag.config import load_config

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", help="first port to try (default 7860)")
    parser.add_argument("--index", dest="index_dir", help="folder of the index")
    try:
        config, _ = load_config(vars(parser.parse_args()))
        serve(Assistant.open(config), config.host, config.port)
    except RagError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
