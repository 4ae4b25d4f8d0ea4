"""Candidate questions one by one in a browser, to keep, mend or strike out: `rag eval edit FILE`. Every step is saved at once.

A small page of its own on this machine, for one person; the file can as well be edited by hand. Gave up showing the report around the quote:
the file of questions is all that it opens.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError
from rag.reading.records import is_table, read_table, write_table

from .data import KINDS, Question, from_row, load_questions, read_question
from .make import UNCHECKED
from .metrics import answer_hit

if TYPE_CHECKING:
    import gradio

CHECKED = "checked"
"""What the note says in place of `UNCHECKED` once a person has kept the question."""
ANSWERABLE = {True: "yes", False: "no", None: "?"}
WORDS = {
    "en": {
        "question": "Question", "answers": "Answers: an item a line, accepted forms parted by |", "kind": "Kind",
        "answerable": "Do the reports answer it?", "quote": "The sentence that answers it, word for word", "source": "Where it stands",
        "keep": "Keep", "strike": "Strike out", "restore": "Put back", "back": "Back", "next": "Next", "saved": "Saved.",
        "struck": "Struck out: it is not in the file any more.", "missing": "Saved, but the sentence does not hold the answer.",
        "all": "All are checked. The file is ready: rag eval", "yes": "yes", "no": "no", "?": "not known", "done": "checked", "left": "left", "out": "struck out",
    },
    "zh": {
        "question": "问题", "answers": "答案：一行一项，可接受的写法用 | 隔开", "kind": "类型",
        "answerable": "报告能回答吗？", "quote": "给出答案的原句，一字不差", "source": "出处",
        "keep": "保留", "strike": "划掉", "restore": "恢复", "back": "上一题", "next": "下一题", "saved": "已保存。",
        "struck": "已划掉：文件里不再有这道题。", "missing": "已保存，但原句里没有这个答案。",
        "all": "全部看过了，文件可以用了：rag eval", "yes": "能", "no": "不能", "?": "不清楚", "done": "已看", "left": "未看", "out": "已划掉",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Draft:
    """One question as its file has it: `row` is the JSON object, or the row of a table."""

    row: Mapping[str, Any]
    question: Question
    struck: bool = False

    @property
    def open(self) -> bool:
        """Whether nobody has looked at it yet."""
        return not self.struck and UNCHECKED in self.question.note


def load_drafts(path: Path) -> list[Draft]:
    """Every question of the file, in order. Raises UsageError as `load_questions` does."""
    questions = load_questions(path)
    if is_table(path):
        rows: list[Mapping[str, Any]] = list(read_table(path))
    else:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    return [Draft(row, question) for row, question in zip(rows, questions, strict=True)]


def mended(draft: Draft, table: bool, question: str, answers: str, kind: str, answerable: str, quote: str) -> Draft:
    """The draft with a person's words, marked as checked; fields that the page does not show stay. Raises UsageError for what is wrong.

    `answers` has an item a line with its forms parted by |, `answerable` is "yes", "no" or "?".
    """
    note = draft.question.note.replace(UNCHECKED, CHECKED)
    if table:
        said = {"yes": "yes", "no": "no"}.get(answerable, "")
        row = {**draft.row, "question": question, "answers": answers, "kind": kind, "answerable": said, "quote": quote, "note": note}
        line = json.dumps(from_row(row, "the row"), ensure_ascii=False)
    else:
        items = [[form.strip() for form in line.split("|") if form.strip()] for line in answers.splitlines() if line.strip(" |")]
        places = [dict(place) for place in draft.row.get("gold", ())]
        places = [places[0] | {"quote": quote}, *places[1:]] if places and quote else []
        row = {**draft.row, "question": question, "answers": items, "kind": kind, "gold": places, "note": note}
        row["answerable"] = {"yes": True, "no": False}.get(answerable)
        row = {name: value for name, value in row.items() if value not in ([], None, "")}
        line = json.dumps(row, ensure_ascii=False)
    read = read_question(line, 0)
    return Draft(row, replace(read, id=draft.question.id))


def save_drafts(path: Path, drafts: Sequence[Draft]) -> None:
    """Writes the file anew without what was struck out, whole or not at all."""
    kept = [draft.row for draft in drafts if not draft.struck]
    if is_table(path):
        write_table(path, list(dict.fromkeys(name for draft in drafts for name in draft.row)), kept)
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


class Desk:
    """The drafts of one file and the steps of the page; each step is saved before it is shown."""

    def __init__(self, path: Path):
        self.path, self.drafts, self.stamp = path, load_drafts(path), _stamp(path)
        languages = Counter(draft.question.language for draft in self.drafts)
        self.words = WORDS["zh" if languages["zh"] > languages["en"] else "en"]
        self.lock = threading.Lock()

    def keep(self, place: int, *said: str) -> tuple[int, str]:
        """(the next place to look at, what to say): the question as the page has it is kept."""
        with self.lock:
            draft = mended(self.drafts[place], is_table(self.path), *said)
            self._put(place, draft)
            held = not draft.question.answers or not draft.question.gold
            held = held or answer_hit("\n".join(at.quote for at in draft.question.gold), draft.question.answers, draft.question.match)
            return self.next_open(place), self.words["saved" if held else "missing"]

    def strike(self, place: int) -> tuple[int, str]:
        """Strikes the question out, or puts it back."""
        with self.lock:
            draft = self.drafts[place]
            self._put(place, replace(draft, struck=not draft.struck))
            return (place, self.words["saved"]) if draft.struck else (self.next_open(place), self.words["struck"])

    def next_open(self, place: int) -> int:
        """The next question that nobody has looked at, from the start again behind the end; else the one behind this."""
        order = [*range(place + 1, len(self.drafts)), *range(place + 1)]
        return next((other for other in order if self.drafts[other].open), order[0])

    def progress(self, place: int) -> str:
        """How far the work is, in one line."""
        struck = sum(draft.struck for draft in self.drafts)
        left = sum(draft.open for draft in self.drafts)
        counts = f"{len(self.drafts) - struck - left} {self.words['done']}, {left} {self.words['left']}, {struck} {self.words['out']}"
        return f"{place + 1} / {len(self.drafts)} · {counts}" + ("" if left else f" · {self.words['all']} {self.path.name}")

    def _put(self, place: int, draft: Draft) -> None:
        if _stamp(self.path) != self.stamp:
            raise UsageError(f"{self.path} was changed by another program: start `rag eval edit` again")
        drafts = [*self.drafts[:place], draft, *self.drafts[place + 1 :]]
        save_drafts(self.path, drafts)
        self.drafts, self.stamp = drafts, _stamp(self.path)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def build(desk: Desk) -> gradio.Blocks:
    """The page: one question at a time."""
    import gradio as gr

    words = desk.words

    def shown(place: int, message: str = "", good: bool = True) -> list[Any]:
        draft = desk.drafts[place]
        question = draft.question
        where = " · ".join(part for at in question.gold[:1] for part in (at.document, at.section) if part) or question.note
        answers = "\n".join(" | ".join(forms) for forms in question.answers)
        quote = question.gold[0].quote if question.gold else ""
        said = f'<p role="status" style="color:{"#1f7a4d" if good else "#b3372f"}">{escape(message)}</p>' if message else ""
        heading = f"<h2>{escape(question.id)}</h2><p>{escape(desk.progress(place))}</p>"
        button = gr.Button(words["restore" if draft.struck else "strike"])
        return [place, heading, question.question, answers, question.kind, ANSWERABLE[question.answerable], quote, where, button, said]

    def kept(place: int, *said: str) -> list[Any]:
        try:
            return shown(*desk.keep(place, *said))
        except UsageError as error:
            return [*([gr.skip()] * 9), f'<p role="alert" style="color:#b3372f">{escape(str(error))}</p>']

    def struck(place: int) -> list[Any]:
        try:
            return shown(*desk.strike(place))
        except UsageError as error:
            return shown(place, str(error), good=False)

    with gr.Blocks(title=f"Provenote · {desk.path.name}") as page:
        place = gr.State(desk.next_open(-1))
        head = gr.HTML()
        question = gr.Textbox(label=words["question"], lines=2)
        answers = gr.Textbox(label=words["answers"], lines=2)
        quote = gr.Textbox(label=words["quote"], lines=3)
        source = gr.Textbox(label=words["source"], interactive=False)
        with gr.Row():
            kind = gr.Dropdown(list(KINDS), label=words["kind"])
            answerable = gr.Radio([(words[value], value) for value in ANSWERABLE.values()], label=words["answerable"])
        with gr.Row():
            back, strike = gr.Button(words["back"]), gr.Button(words["strike"], variant="stop")
            keep, following = gr.Button(words["keep"], variant="primary"), gr.Button(words["next"])
        status = gr.HTML()
        fields = [question, answers, kind, answerable, quote]
        everything = [place, head, *fields, source, strike, status]
        page.load(shown, place, everything, show_progress="hidden")
        keep.click(kept, [place, *fields], everything, show_progress="hidden")
        strike.click(struck, place, everything, show_progress="hidden")
        back.click(lambda at: shown((at - 1) % len(desk.drafts)), place, everything, show_progress="hidden")
        following.click(lambda at: shown((at + 1) % len(desk.drafts)), place, everything, show_progress="hidden")
    return page


def edit(path: Path, port: int) -> int:
    """Serves the page on 127.0.0.1 until interrupted. Raises UsageError for a file that holds no questions."""
    desk = Desk(path)
    page, address = launch(desk, port)
    print(f"{len(desk.drafts)} questions: {address}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        page.close(verbose=False)
    return 0


def launch(desk: Desk, port: int) -> tuple[gradio.Blocks, str]:
    """The served page and its address, on `port` or the next free one."""
    import gradio as gr
    from starlette.middleware import Middleware

    import app  # it tells Gradio to stay on this machine, which must come before the import of that
    from rag.web.guard import Guard

    page = build(desk)
    port = app.free_port("127.0.0.1", port)
    page.launch(
        server_name="127.0.0.1",
        server_port=port,
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        app_kwargs={"middleware": [Middleware(Guard)], "docs_url": None, "redoc_url": None, "openapi_url": None},
        favicon_path=str(app.WEB / "icon.svg"),
        footer_links=[],
        share=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
        show_error=False,
        strict_cors=True,
        prevent_thread_lock=True,
        quiet=True,
    )
    return page, f"http://127.0.0.1:{port}"
