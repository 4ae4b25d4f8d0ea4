"""The chat page: layout and events. What it shows is made in `rag.web.panel`, what it knows comes from `rag.chat.Assistant`.

Everything stays on this machine: no request leaves it at start or later. A conversation lives as long as its browser tab.
"""

from __future__ import annotations

import argparse
import atexit
import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

# before Gradio is imported, which reads them at import: no telemetry, no look-ups, and its own call to itself not through a proxy
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
for _variable in ("NO_PROXY", "no_proxy"):
    os.environ[_variable] = ",".join(filter(None, [os.environ.get(_variable), "127.0.0.1,localhost,::1"]))

import gradio as gr  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402

import rag.web  # noqa: E402
from rag.chat import Assistant, Finished, Rewritten, Said  # noqa: E402
from rag.errors import RagError, UsageError  # noqa: E402
from rag.types import Document, Filter  # noqa: E402
from rag.web.guard import Guard  # noqa: E402
from rag.web.panel import Shown, answer_html, escaped, gather, markdown, panel_html, question_html  # noqa: E402
from rag.web.strings import LANGUAGES, complaint, preferred, say  # noqa: E402

WEB = Path(rag.web.__file__).parent
EXAMPLES = ("存算一体有哪三条技术路径？", "2030 年零售业有多少直播由数字人主持？", "Now-Casting 是什么？", "What does CIPU stand for?")
QUESTION_LIMIT = 2000
"""Characters."""
REMEMBERED = 10
"""Turns handed on as history."""
BEAT = 0.065
"""Seconds between two updates of a message; more often costs the server more than people can see."""
TYPING = 0.9
"""Seconds that typing may add to one answer."""
AT_ONCE = 8
"""Questions answered at the same time."""
LOGO = (
    '<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9"/><path d="M9 9.5h14M9 15h9"/>'
    '<path class="tick" d="m10.5 21.5 3.5 3.5 8.5-9"/></svg>'
)

log = logging.getLogger("veracite.page")


def build(assistant: Assistant, examples: Sequence[str] = EXAMPLES) -> gr.Blocks:
    """The page over one assistant. `examples` are questions offered on the welcome screen."""

    def documents() -> Sequence[Document]:
        try:
            return assistant.documents()
        except RagError as error:
            log.warning("documents: %s", error)
            return ()

    def messages(turns: list[Shown], language: str, typed: int | None = None) -> list[dict[str, str]]:
        made = []
        for turn in turns:
            last = typed if turn is turns[-1] else None
            made += [
                {"role": "user", "content": question_html(turn.question)},
                {"role": "assistant", "content": answer_html(turn, language, last)},
            ]
        return made

    def answer(question: Any, chosen: list[str], turns: list[Shown], language: str) -> Iterator[tuple]:
        """One question from first sign to last; yields (messages, turns, panel, question box, banner)."""
        question, language = str(question or "").strip(), known(language)
        if not question or (turns and turns[-1].running):
            if question:
                gr.Warning(say(language, "busy"))
            yield (gr.skip(),) * 5
            return
        turn = Shown(key=f"t{len(turns) + 1}", question=question[:QUESTION_LIMIT])
        history = [past for shown in turns[-REMEMBERED:] if (past := shown.remembered()) is not None]
        turns.append(turn)
        yield messages(turns, language), turns, gr.skip(), gr.Textbox(value="", submit_btn=False, stop_btn=True), gr.skip()
        drawn: object = None
        try:
            with closing(progress(turn, question, history, Filter(reports=tuple(map(str, chosen or ()))))) as steps:
                for grown, typed in steps:
                    if not turns[-1].running:  # stopped, or a new chat
                        return
                    turns[-1] = grown
                    before, drawn = drawn, (grown.evidence, grown.phase)
                    panel = gr.skip() if drawn == before else panel_html(turns, language)
                    yield messages(turns, language, typed), turns, panel, gr.skip(), gr.skip()
            yield gr.skip(), turns, gr.skip(), gr.Textbox(submit_btn=True, stop_btn=False), banner()
        finally:
            if turns[-1].key == turn.key:  # whoever asked has gone away in the middle
                halt(turns)

    def progress(turn: Shown, question: str, history: list, only: Filter) -> Iterator[tuple[Shown, int | None]]:
        """The turn as it grows, with the number of characters typed of its last sentence; None when that is complete."""
        allowance = TYPING
        try:
            if len(question) > QUESTION_LIMIT:
                yield replace(turn, phase="failed", problem="too_long", detail=f"{len(question)} / {QUESTION_LIMIT}"), None
                return
            with closing(assistant.stream(question, history=history, only=only)) as events:
                for event in events:
                    if isinstance(event, Rewritten):
                        turn = replace(turn, query=event.query)
                        yield turn, None
                    elif isinstance(event, Said):
                        place = len(turn.sentences)
                        cited = [citation for n in event.claim.citations for citation in event.citations if citation.n == n]
                        found = (gather(f"{turn.key}s{place}c{count}", citation, assistant.passage) for count, citation in enumerate(cited))
                        turn = turn.heard(event.claim, tuple(found))
                        length = len(event.claim.text)
                        beats = int(min(allowance, 0.3, length * 0.012) / BEAT)
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
                        turn = replace(turn, phase="done", answer=event.answer, query=event.answer.query or turn.query, nearest=tuple(near))
                        yield turn, None
            if turn.running:
                raise RagError("the answer broke off before its end; ask again")
        except Exception as error:  # whatever went wrong, the page stays up and says so
            log.warning("question failed: %s", error, exc_info=not isinstance(error, RagError))
            yield replace(turn, phase="failed", problem=complaint(error), detail=str(error)), None

    def halt(turns: list[Shown]) -> None:
        if turns and turns[-1].running:
            turns[-1] = replace(turns[-1], phase="stopped")

    def stop(turns: list[Shown], language: str) -> tuple:
        halt(turns)
        return messages(turns, known(language)), turns, panel_html(turns, known(language)), gr.Textbox(submit_btn=True, stop_btn=False)

    def fresh(turns: list[Shown], language: str) -> tuple:
        halt(turns)
        return [], [], panel_html([], known(language)), gr.Textbox(value="", submit_btn=True, stop_btn=False)

    def banner() -> gr.HTML:
        return gr.HTML(f'<p role="status">{escaped(assistant.warning)}</p>' if assistant.warning else "", visible=bool(assistant.warning))

    def scope(chosen: list[str], language: str) -> tuple:
        """What the choice of reports changes: the name of its tab and the hint in the question box."""
        language, total = known(language), len(documents())
        words = {"chosen": len(chosen or ()), "total": total}
        tab = say(language, "reports_chosen", **words) if chosen else say(language, "reports")
        return gr.Tab(label=tab), gr.Textbox(placeholder=say(language, "ask_chosen" if chosen else "ask", **words))

    def labels(language: str, chosen: list[str], turns: list[Shown]) -> tuple:
        """Every component that carries words, in the order of `worded`."""
        found = documents()
        chosen = [name for name in chosen or () if any(name == document.id for document in found)]
        tab, box = scope(chosen, language)
        choices = [(described(document, language), document.id) for document in found]
        return (
            language,
            gr.HTML(head_html(language)),
            *(gr.Button(say(language, name)) for name in ("sources", "new", "export", "other_language", "theme")),
            gr.Tab(label=say(language, "sources")),
            tab,
            box,
            gr.Markdown(say(language, "hint")),
            gr.CheckboxGroup(choices=choices, value=chosen, label=say(language, "choose")),
            gr.Chatbot(
                value=messages(turns, language),
                placeholder=say(language, "welcome", total=len(found)) if found else say(language, "no_reports"),
            ),
            panel_html(turns, language),
            banner(),
        )

    def first(remembered: str, chosen: list[str], turns: list[Shown], request: gr.Request) -> tuple:
        asked = remembered if remembered in LANGUAGES else preferred(request.headers.get("accept-language", ""))
        return labels(asked, chosen, turns)

    def switch(language: str, chosen: list[str], turns: list[Shown]) -> tuple:
        return labels("en" if known(language) == "zh" else "zh", chosen, turns)

    def example(chosen: list[str], turns: list[Shown], language: str, event: gr.SelectData) -> Iterator[tuple]:
        value = event.value.get("text") if isinstance(event.value, dict) else event.value
        yield from answer(value, chosen, turns, language)

    with gr.Blocks(title="Veracite", analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)) as page:
        turns_state, language_state = gr.State([]), gr.State("zh")  # values: a function here would become an endpoint
        remembered, taken = gr.Textbox(visible=False), gr.Textbox(visible=False)
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
                    buttons=["copy"],
                    feedback_options=None,
                    placeholder=say("zh", "welcome", total=len(documents())),
                    examples=[{"text": text} for text in examples],
                    group_consecutive_messages=False,
                    allow_tags=False,
                    latex_delimiters=[],
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
                    hint = gr.Markdown(say("zh", "hint"), elem_id="hint")
            with gr.Column(elem_id="evidence"), gr.Tabs(elem_id="tabs"):
                with gr.Tab(say("zh", "sources"), id="sources", elem_id="tab-sources") as sources_tab:
                    rendered = "window.veracite?.rendered(); watch('value', () => window.veracite?.rendered());"
                    panel = gr.HTML(panel_html([], "zh"), elem_id="sources", js_on_load=rendered, apply_default_css=False)
                with gr.Tab(say("zh", "reports"), id="reports", elem_id="tab-reports") as reports_tab:
                    chosen = gr.CheckboxGroup(choices=[], label=say("zh", "choose"), elem_id="reports")

        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        asking = {**quiet, "concurrency_limit": AT_ONCE, "concurrency_id": "answer"}
        shown = [chat, turns_state, panel, box, notice]
        known_here = [chosen, turns_state, language_state]
        asked = [box.submit(answer, [box, *known_here], shown, **asking), chat.example_select(example, known_here, shown, **asking)]
        box.stop(stop, [turns_state, language_state], [chat, turns_state, panel, box], cancels=asked, queue=False, **quiet)
        new.click(fresh, [turns_state, language_state], [chat, turns_state, panel, box], cancels=asked, queue=False, **quiet)
        chosen.change(scope, [chosen, language_state], [reports_tab, box], **quiet)
        export.click(lambda turns, language: markdown(turns, known(language)), [turns_state, language_state], taken, **quiet).then(
            None, taken, None, js="text => window.veracite.download('veracite.md', text)"
        )
        theme.click(None, None, None, js="() => window.veracite.theme()")
        open_sources.click(None, None, None, js="() => window.veracite.sheet()")
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
            box,
            hint,
            chosen,
            chat,
            panel,
            notice,
        ]
        stored = "(_, ...rest) => [localStorage.getItem('veracite.language') || '', ...rest]"
        other.click(switch, [language_state, chosen, turns_state], worded, **quiet)
        page.load(first, [remembered, chosen, turns_state], worded, js=stored, **quiet)

    page.queue(default_concurrency_limit=AT_ONCE, max_size=64, api_open=False)
    return page


def head_html(language: str) -> str:
    """Name and promise."""
    return f'<div class="head">{LOGO}<div><h1>Veracite</h1><p>{escaped(say(language, "tagline"))}</p></div></div>'


def described(document: Document, language: str) -> str:
    """A report in two lines: its title; publisher, year and language."""
    facts = [document.publisher, str(document.year or ""), say(language, document.language) if document.language in LANGUAGES else ""]
    return f"{document.title or document.id}\n{' · '.join(fact for fact in facts if fact)}"


def known(language: Any) -> str:
    """A language of the page, whatever came in."""
    return language if language in LANGUAGES else LANGUAGES[0]


def serve(
    assistant: Assistant,
    host: str = "127.0.0.1",
    port: int = 7860,
    *,
    examples: Sequence[str] = EXAMPLES,
    names: Sequence[str] = (),
    login: tuple[str, str] | None = None,
    unprotected: bool = False,
    open_browser: bool = False,
) -> None:
    """Serves the page until interrupted, on `port` or the next free one; prints its address in one line.

    `names` are host names it is served under besides localhost and IP addresses. A host that other machines can reach needs a `login`
    (name, password), or `unprotected` where something in front asks for one: raises UsageError without either, and when no port is free.
    """
    if not (login or unprotected or host == "localhost" or _loopback(host)):
        raise UsageError(f"host {host} can be reached from other machines: keep 127.0.0.1, give a login, or say unprotected")
    folder = tempfile.mkdtemp(prefix="veracite-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = folder
    page = build(assistant, examples)
    port = free_port(host, port)
    page.launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        auth=login,
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        # style in the head: given as css= it is added a second time with every selector prefixed, which then wins over rules of state
        head=f"<style>{(WEB / 'app.css').read_text(encoding='utf-8')}</style>",
        js=f"() => {{ {(WEB / 'app.js').read_text(encoding='utf-8')} }}",
        app_kwargs={"middleware": [Middleware(Guard, names=names)], "docs_url": None, "redoc_url": None, "openapi_url": None},
        blocked_paths=[str(Path(__file__).resolve().parent), str(Path.cwd())],
        max_file_size=1,
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
    sys.stdout.write(f"Veracite: http://{f'[{host}]' if ':' in host else host}:{port}\n")
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
