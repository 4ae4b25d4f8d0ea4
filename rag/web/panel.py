"""What the page shows of a question: safe HTML of the answer and of the sources panel, plain text and Markdown to take away.

Pure functions from values to strings. All text of files, users and models is escaped here and nowhere else, so it can be tested without
a browser; the price is that answers are HTML we write ourselves, without a model's own lists and tables.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from rag.chat import Passage
from rag.types import SOUND, Answer, Citation, Claim, Turn
from rag.web.strings import LANGUAGES, say
from rag.web.strings import reason as told_why

Phase = Literal["searching", "answering", "done", "stopped", "failed"]
RATINGS = ("good", "bad", "wrong")
ACTIONS = ("copy", "retry", "edit", *RATINGS)

_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+\-.!|~$:/@=^]")
_EMPTY_WORDS = frozenset(
    "a an and are as at be by can did do does for from had has have how in is it its of on or that the their there this to was were what when "
    "where which who why will with stand about than 什么 哪些 多少 如何 怎么 为什 么是 有哪 是什 几个 的是 有多".split()
)
NEAR = (60, 160)
"""Characters kept beside a marked span where a passage is folded: of one that was not used, and of one that was."""
_BOLD = re.compile(r"\*\*(\S(?:[^*\n]*\S)?)\*\*")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One use of a citation in an answer: the chip that stands for it, what it cites, and the text around that for reading."""

    key: str
    """Names the chip, such as "t1s0c2": first turn, its first sentence, its third citation. The same source cited thrice has three keys."""
    citation: Citation
    passage: Passage

    @property
    def span(self) -> tuple[int, int]:
        """Where the cited words stand in `passage.text`."""
        return self.citation.start - self.passage.start, self.citation.end - self.passage.start


@dataclass(frozen=True, slots=True)
class Card:
    """One passage with everything an answer cites from it."""

    evidence: tuple[Evidence, ...]
    passage: Passage

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of its citations, each once, in the order of the answer."""
        return tuple(dict.fromkeys(item.citation.n for item in self.evidence))

    @property
    def score(self) -> float:
        """Of its best citation; higher is better, 1 and more is very good."""
        return max((item.citation.score for item in self.evidence if math.isfinite(item.citation.score)), default=0.0)

    @property
    def spans(self) -> list[tuple[int, int, str]]:
        """(start, end, key) in `passage.text`."""
        shift = self.passage.start
        return [(item.citation.start - shift, item.citation.end - shift, item.key) for item in self.evidence]


@dataclass(frozen=True, slots=True)
class Shown:
    """One question as the page knows it, while it is being answered and after. `sentences[i]` has the chips `evidence[i]`."""

    key: str
    question: str
    query: str = ""
    sentences: tuple[Claim, ...] = ()
    evidence: tuple[tuple[Evidence, ...], ...] = ()
    nearest: tuple[Evidence, ...] = ()
    answer: Answer | None = None
    phase: Phase = "searching"
    problem: str = ""
    """Why it failed: a key of the strings of the page, "" when it did not."""
    detail: str = ""
    """What the words of the problem quote."""
    draft: str = ""
    """What a model is writing and nobody has checked yet."""
    note: str = ""
    """Why what was said was taken back."""
    quoted: bool = False
    """Whether what is shown is the extract, until a model's prose takes its place."""
    waiting: str = ""
    """What is waited for while a model has not begun to write: "reading" or "thinking"."""
    seconds: float | None = None
    """How long that is expected to take."""
    followups: tuple[str, ...] = ()
    """Questions that the reports answer as well."""
    rating: str = ""
    """What people thought of it: one of RATINGS, or ""."""

    @property
    def running(self) -> bool:
        """Whether more is to come."""
        return self.phase in ("searching", "answering")

    def heard(self, claim: Claim, evidence: tuple[Evidence, ...]) -> Shown:
        """With one sentence more."""
        return replace(self, phase="answering", draft="", sentences=(*self.sentences, claim), evidence=(*self.evidence, evidence))

    def withdrawn(self, reason: str) -> Shown:
        """Without anything that was said."""
        return replace(self, phase="searching", draft="", sentences=(), evidence=(), quoted=False, note=reason)

    def remembered(self) -> Turn | None:
        """The turn as history for the next question; None when nothing was understood of it.

        One that was stopped is what the next question leans on all the same.
        """
        if self.answer is None:
            return Turn(self.question, query=self.query) if self.phase == "stopped" and self.query else None
        return replace(Turn.of(self.answer), question=self.question)


def section_path(section: str) -> tuple[str, ...]:
    """The headings of a citation's section, from the outermost.

    >>> section_path("2 Water / 2.1 Rivers")
    ('2 Water', '2.1 Rivers')
    """
    return tuple(part for part in section.split(" / ") if part)


def gather(key: str, citation: Citation, passage_of: Callable[[Citation], Passage]) -> Evidence:
    """The citation with its passage. A passage that does not hold the quote at its place is not shown: the quote stands alone instead."""
    try:
        passage = passage_of(citation)
        start, end = citation.start - passage.start, citation.end - passage.start
        fits = 0 <= start < end and passage.text[start:end] == citation.quote
    except (KeyError, OSError):
        fits = False
    if not fits:
        place = {"section": citation.section, "page": citation.page, "start": citation.start, "text": citation.quote}
        passage = Passage(document=citation.document, title=citation.title, publisher="", year=None, language="", **place)
    return Evidence(key, citation, passage)


def cards(evidence: Iterable[Evidence]) -> list[Card]:
    """Passages in the order in which they are first cited; those that overlap under one heading and page become one card."""
    made: list[Card] = []
    for item in evidence:
        for place, card in enumerate(made):
            if (joined := _joined(card, item)) is not None:
                made[place] = Card((*card.evidence, item), joined)
                break
        else:
            made.append(Card((item,), item.passage))
    return made


def _joined(card: Card, item: Evidence) -> Passage | None:
    here, there = (card.passage, item.passage) if card.passage.start <= item.passage.start else (item.passage, card.passage)
    first, second = card.evidence[0].citation, item.citation
    gap = there.start - here.start
    shared = min(len(here.text) - gap, len(there.text))
    if (first.document, first.section, first.page) != (second.document, second.section, second.page) or shared < 0:
        return None
    if here.text[gap : gap + shared] != there.text[:shared]:
        return None
    return replace(here, text=here.text + there.text[shared:], publisher=here.publisher or there.publisher, year=here.year or there.year)


def pieces(text: str, spans: Sequence[tuple[int, int, str]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The text cut at every border of a span, each piece with the keys of the spans over it.

    >>> list(pieces("abcd", [(0, 3, "x"), (2, 4, "y")]))
    [('ab', ('x',)), ('c', ('x', 'y')), ('d', ('y',))]
    """
    inside = [(min(max(start, 0), len(text)), min(max(end, 0), len(text)), key) for start, end, key in spans]
    cuts = sorted({0, len(text), *(start for start, _, _ in inside), *(end for _, end, _ in inside)})
    for start, end in zip(cuts, cuts[1:], strict=False):
        yield text[start:end], tuple(key for first, last, key in inside if first <= start and end <= last)


def visible(text: str) -> str:
    """The text with each character that cannot or must not be shown (controls, reversals of direction, halves of pairs) as U+FFFD."""
    return _UNSHOWABLE.sub("\ufffd", text)


def escaped(text: str) -> str:
    """Safe inside an element or a quoted attribute of plain HTML."""
    return html.escape(visible(text), quote=True)


def literal(text: str) -> str:
    """Safe inside a chat message, which is Markdown with HTML: every character means itself, also those that Markdown would read.

    >>> literal("[1](#x) <b>")
    '&#91;1&#93;&#40;&#35;x&#41; &lt;b&gt;'
    """
    text = visible(text)
    parts = _MARKDOWN.split(text)
    signs = [f"&#{ord(sign)};" for sign in _MARKDOWN.findall(text)]
    return "".join(html.escape(part, quote=True) + sign for part, sign in zip(parts, [*signs, ""], strict=True)).replace("\n", "<br>")


def sentence(claim: Claim, shown: int | None = None) -> str:
    """The first `shown` characters of a claim, its short answer in bold; `**bold**` of a model counts where there is no short answer."""
    text, bold = claim.text, []
    if claim.emphasis:
        bold = [(*claim.emphasis, "bold")]
    elif "**" in text:
        clear, at = "", 0
        for match in _BOLD.finditer(text):
            clear += text[at : match.start()]
            bold.append((len(clear), len(clear) + len(match[1]), "bold"))
            clear, at = clear + match[1], match.end()
        text = clear + text[at:]
    spans = [(start, end, key) for start, end, key in bold if shown is None or start < shown]
    return "".join(f"<strong>{literal(part)}</strong>" if keys else literal(part) for part, keys in pieces(text[:shown], spans))


def question_html(question: str) -> str:
    """A question as a chat message: exactly what was typed."""
    return literal(question.strip())


def answer_html(turn: Shown, language: str, typed: int | None = None) -> str:
    """An answer as a chat message: one line of HTML. `typed` shows only so many characters of the last sentence, without its chips."""
    return f'<div class="answer" id="answer-{turn.key}">{"".join(_answer_parts(turn, language, typed))}</div>'


def _answer_parts(turn: Shown, language: str, typed: int | None) -> Iterator[str]:
    if turn.query and turn.query.strip() != turn.question.strip():
        title = escaped(say(language, "edit_query"))
        link = f'<a class="query" href="#query-{turn.key}" title="{title}">{literal(turn.query)}</a>'
        yield f'<p class="searched">{literal(say(language, "searched_as"))}{link}</p>'
    if turn.phase == "searching":
        yield f'<p class="searching">{literal(say(language, "searching"))}<span class="dots"></span></p>'
    if turn.phase == "failed":
        yield f'<div class="trouble">{literal(say(language, turn.problem, detail=told_why(language, turn.detail)))}</div>'
    answer = turn.answer
    if answer is not None and answer.abstained:
        own = answer.language if answer.language in LANGUAGES else language  # in one language throughout, that of the question
        near = say(own, "nearest") if turn.nearest else ""
        reason = f"<p>{literal(answer.reason)}</p>" if answer.reason else ""
        yield f'<div class="missing"><strong>{literal(say(own, "not_found"))}</strong>{reason}'
        yield f"<p>{literal(say(own, 'not_found_help') + ('' if own == 'zh' else ' ') + near)}</p></div>"
    elif turn.sentences:
        yield from _said(turn, language, typed)
        if answer is not None and answer.reason:
            yield f'<p class="remark">{literal(answer.reason)}</p>'
    if turn.waiting and turn.running:
        if turn.waiting == "reading" and turn.seconds is not None:
            waited = say(language, "waiting_reading", seconds=duration(1000 * max(1, round(turn.seconds)), language))
        else:
            waited = say(language, "waiting_thinking" if turn.waiting == "thinking" else "waiting_first")
        yield f'<p class="searching" role="status">{literal(waited)}<span class="dots"></span></p>'
    if turn.draft and turn.running:
        yield f'<p class="draft" title="{escaped(say(language, "draft"))}">{literal(turn.draft)}</p>'
    if turn.phase == "stopped":
        yield f'<p class="foot">{literal(say(language, "stopped"))}</p>'
    elif answer is not None:
        words = [] if answer.abstained else [say(language, answer.mode, model=answer.model or "LLM")]
        if "total" in answer.timings_ms:
            words.append(duration(answer.timings_ms["total"], language))
        yield f'<p class="foot">{literal(" · ".join(words))}</p>'
    if not turn.running:
        yield f'<p class="acts">{"".join(_action(turn, name, language) for name in ACTIONS)}</p>'
    if turn.followups:
        asks = "".join(f'<a class="ask" href="#ask-{turn.key}">{literal(question)}</a>' for question in turn.followups)
        yield f'<p class="more">{asks}</p>'


def duration(milliseconds: float, language: str) -> str:
    """A time as people say it.

    >>> duration(12.4, "en"), duration(4321, "zh"), duration(22307, "en"), duration(125_000, "zh")
    ('12 ms', '4.3 秒', '22 s', '2 分 5 秒')
    """
    second, minute = ("秒", "分") if language == "zh" else ("s", "min")
    if milliseconds < 995:
        return f"{milliseconds:.0f} {'毫秒' if language == 'zh' else 'ms'}"
    if milliseconds < 59_500:
        return f"{milliseconds / 1000:.{1 if milliseconds < 9950 else 0}f} {second}"
    return f"{round(milliseconds / 1000) // 60} {minute} {round(milliseconds / 1000) % 60} {second}"


def _said(turn: Shown, language: str, typed: int | None) -> Iterator[str]:
    """The sentences so far: running, a line each, or under the headings of their parts."""
    headed = any(claim.heading for claim in turn.sentences)
    listed = headed or (turn.answer is not None and turn.answer.listed)
    yield f'<div class="{"lines" if listed else "flow"}{" parts" if headed else ""}">'
    above = ""
    for place, claim in enumerate(turn.sentences):
        if claim.heading and claim.heading != above:
            yield f'<p class="part" role="heading" aria-level="3">{literal(claim.heading)}</p> '
        above = claim.heading
        writing = typed is not None and place == len(turn.sentences) - 1
        chips = "" if writing else _chips(turn.evidence[place]) + _verdict(claim, language)
        said = sentence(claim, typed if writing else None)
        said = f"<s>{said}</s>" if claim.verdict == "unsupported" else said
        yield f'<p class="say{"" if above or not headed else " lead"}{" own" if claim.verdict == "own" else ""}">{said}{chips}</p> '
    yield "</div>"


def _action(turn: Shown, name: str, language: str) -> str:
    title = escaped(say(language, f"do_{name}"))
    on = " on" if turn.rating == name else ""
    return f'<a class="act {name}{on}" role="button" href="#do-{name}-{turn.key}" title="{title}"><span class="unseen">{title}</span></a>'


def _chips(evidence: Sequence[Evidence]) -> str:
    # U+2060 keeps a chip on the line of the word before it
    return "".join(f'\u2060<a class="chip" href="#cite-{item.key}">{item.citation.n}</a>' for item in evidence)


def _verdict(claim: Claim, language: str) -> str:
    if claim.verdict == "own":
        return ""
    words = say(language, claim.verdict)
    title = escaped(f"{words}: {claim.why}" if claim.why else words)
    if claim.verdict == "quoted":
        return f'\u2060<span class="verdict quoted" role="img" title="{title}">❝</span>'
    if claim.verdict == "supported":
        return f'\u2060<span class="verdict supported" role="img" title="{title}">✓</span>'
    return f'\u2060<span class="verdict {claim.verdict}" role="note" title="{title}">⚠ {literal(words)}</span>'


def panel_html(turns: Sequence[Shown], language: str, *, whole: bool = True, drawn: frozenset[str] = frozenset()) -> str:
    """The sources of every turn, or of the last one only, which the page adds to what it has.

    `drawn` holds the ids of the reports whose pages can be shown as pictures.
    """
    active = turns[-1].key if turns else ""
    body = "".join(_section(turn, language, turn.key == active, drawn) for turn in (turns if whole else turns[-1:]))
    if not turns:
        body = (
            f'<div class="empty"><strong>{escaped(say(language, "no_sources"))}</strong>{escaped(say(language, "no_sources_help"))}</div>'
        )
    kind = ' data-whole="1"' if whole else ""
    return f'<div class="panel" data-active="{active}" data-language="{language}"{kind}>{body}</div>'


def _section(turn: Shown, language: str, active: bool, drawn: frozenset[str]) -> str:
    used = [item for items in turn.evidence for item in items]
    unused = turn.answer is not None and turn.answer.abstained
    found = cards(turn.nearest if unused else used)
    title = escaped(turn.question)
    parts = [f'<section class="turn{" show" if active else ""}{" unused" if unused else ""}" data-turn="{turn.key}">']
    parts.append(f'<div class="bar"><span class="asked" title="{title}">{title}</span>')
    if used and not unused:
        for step, name, arrow in ((-1, "previous", "↑"), (1, "next", "↓")):
            label = escaped(say(language, name))
            parts.append(f'<button type="button" data-step="{step}" aria-label="{label}" title="{label}">{arrow}</button>')
    parts.append("</div>")
    if unused:
        parts.append(f'<p class="note">{escaped(say(language, "unused_help" if found else "unused_none"))}</p>')
    parts += [_card(card, turn, language, unused, drawn) for card in found]
    parts.append(f'<pre class="plain" hidden>{escaped(plain(turn, language))}</pre>')
    parts.append(f'<span class="question" hidden>{title}</span></section>')
    return "".join(parts)


def _card(card: Card, turn: Shown, language: str, unused: bool, drawn: frozenset[str]) -> str:
    passage, citation = card.passage, card.evidence[0].citation
    numbers = " ".join(map(str, card.numbers))
    badge = say(language, "unused") if unused else _ranges(card.numbers)
    lang = {"zh": "zh-CN", "en": "en"}.get(passage.language, "")
    meter = 100 * min(max(card.score, 0.0), 1.0)
    relevance = escaped(say(language, "relevance"))
    text, cut = _marked(card, unused)
    words = shared(turn.query or turn.question, " ".join(item.citation.quote for item in card.evidence))
    why = (
        f'<p class="why">{escaped(say(language, "why", words="、".join(words) if language == "zh" else ", ".join(words)))}</p>'
        if words
        else ""
    )
    more = (
        f'<button type="button" data-more="{escaped(say(language, "less"))}" aria-expanded="false">{escaped(say(language, "more"))}</button>'
        if cut
        else ""
    )
    see = ""
    if citation.page is not None and citation.document in drawn:
        see = f'<button type="button" data-see="{card.evidence[0].key}">{escaped(say(language, "see"))}</button>'
    return (
        f'<article class="card" data-numbers="{"" if unused else numbers}"><header><span class="number">{escaped(badge)}</span>'
        f'<div class="about"><h3 lang="{lang}">{escaped(passage.title or citation.title)}</h3>'
        f'<p class="from">{escaped(_published(passage))}</p><p class="place" lang="{lang}">{escaped(_place(citation, language))}</p></div>'
        f'<div class="score">{relevance} {meter:.0f}%<i><b style="width:{meter:.0f}%"></b></i></div></header>'
        f'<blockquote lang="{lang}">{text}</blockquote>{why}<p class="tools">{more}{see}</p></article>'
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers as people write them down.

    >>> _ranges([1, 2, 3, 5, 8, 9])
    '1–3 5 8 9'
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else " ".join(map(str, run)) for run in runs)


def _marked(card: Card, unused: bool) -> tuple[str, bool]:
    """The passage with its spans marked, and whether text far from all of them is folded away."""
    several = len(card.numbers) > 1 and not unused
    number_at: dict[int, list[str]] = {}
    for item in card.evidence if several else ():
        number = str(item.citation.n)
        if number not in (numbers := number_at.setdefault(item.citation.end - card.passage.start, [])):
            numbers.append(number)
    made, at, cut = [], 0, False
    parts = list(pieces(card.passage.text, card.spans))
    reach = NEAR[0] if unused else NEAR[1]
    for place, (part, keys) in enumerate(parts):
        at += len(part)
        if not keys:
            head = reach if place else 0
            tail = reach if place < len(parts) - 1 else 0
            if len(parts) > 1 and len(part) > head + tail + 40:
                cut = True
                end = len(part) - tail
                made.append(
                    f'{escaped(part[:head])}<span class="gap"> … </span><span class="far">{escaped(part[head:end])}</span>{escaped(part[end:])}'
                )
            else:
                made.append(escaped(part))
            continue
        number = f' data-number="{" ".join(number_at[at])}"' if at in number_at else ""
        made.append(f'<mark data-keys="{" ".join(keys)}"{number}>{escaped(part)}</mark>')
    return "".join(made), cut


def shared(question: str, quote: str, most: int = 6) -> list[str]:
    """Words of the question that a quote holds too: why it was taken. Han characters count in runs of two and more.

    >>> shared("零售业有多少直播？", "零售：99% 直播由数字人主持"), shared("What does CIPU stand for?", "A CIPU is a unit")
    (['零售', '直播'], ['CIPU'])
    """
    found: list[str] = []
    there = quote.casefold()
    for run in re.findall(r"[\u3400-\u9fff]+|[A-Za-z0-9][\w.%-]*", question):
        if not "\u3400" <= run[0] <= "\u9fff":
            if run.casefold() not in _EMPTY_WORDS and re.search(rf"(?<![a-z0-9]){re.escape(run.casefold())}", there):
                found.append(run)
            continue
        at = 0
        while at < len(run) - 1:
            end = at + 2
            if run[at:end] not in there or run[at:end] in _EMPTY_WORDS:
                at += 1
                continue
            while end < len(run) and run[at : end + 1] in there:
                end += 1
            found.append(run[at:end])
            at = end
    return list(dict.fromkeys(found))[:most]


def _published(passage: Passage) -> str:
    return " · ".join(str(part) for part in (passage.publisher, passage.year) if part)


def _place(citation: Citation, language: str) -> str:
    page = say(language, "page", page=citation.page) if citation.page is not None else ""
    return " · ".join(part for part in (citation.section, page) if part)


def plain(turn: Shown, language: str) -> str:
    """Question, answer with [n] and the list of sources as plain text, for the clipboard."""
    lines = [f"{say(language, 'question')}: {turn.question}"]
    if turn.query and turn.query.strip() != turn.question.strip():
        lines.append(f"({say(language, 'searched_as').strip()} {turn.query})")
    if turn.answer is not None and turn.answer.abstained:
        lines += ["", f"{say(language, 'answer')}: {say(language, 'not_found')}. {turn.answer.reason}".rstrip()]
        return visible("\n".join(lines))
    said, above = [], ""
    for claim, items in zip(turn.sentences, turn.evidence, strict=True):
        if claim.heading and claim.heading != above:
            said.append(f"\n{claim.heading}")
        above = claim.heading
        said.append(claim.text.strip() + "".join(f"[{item.citation.n}]" for item in items) + _doubt(claim, language))
    lines += ["", f"{say(language, 'answer')}: " + "\n".join(said), ""]
    for _, item in _distinct(turn):
        about = ", ".join(part for part in (item.citation.title, _published(item.passage), _place(item.citation, language)) if part)
        lines.append(f"[{item.citation.n}] {about}: “{item.citation.quote}”")
    return visible("\n".join(lines).rstrip())


def markdown(turns: Sequence[Shown], language: str) -> str:
    """The whole conversation as a Markdown file with a footnote for each span cited."""
    lines = ["# Provenote", ""]
    for turn in turns:
        lines += [f"## {_inert(turn.question)}", ""]
        if turn.query and turn.query.strip() != turn.question.strip():
            lines += [f"*{_inert(say(language, 'searched_as') + turn.query)}*", ""]
        if turn.problem:
            lines += [_inert(say(language, turn.problem, detail=turn.detail)), ""]
        if turn.answer is not None and turn.answer.abstained:
            lines += [f"**{say(language, 'not_found')}** {_inert(turn.answer.reason)}", ""]
            continue
        notes = _distinct(turn)
        label = {(item.citation.n, item.citation.document, item.citation.start, item.citation.end): name for name, item in notes}
        above = ""
        for claim, items in zip(turn.sentences, turn.evidence, strict=True):
            if claim.heading and claim.heading != above:
                lines += [f"### {_inert(claim.heading)}", ""]
            above = claim.heading
            marks = "".join(f"[^{label[i.citation.n, i.citation.document, i.citation.start, i.citation.end]}]" for i in items)
            lines += [f"{_inert(claim.text)}{marks}{_doubt(claim, language)}", ""]
        for name, item in notes:
            about = ", ".join(part for part in (item.citation.title, _published(item.passage), _place(item.citation, language)) if part)
            lines.append(f"[^{name}]: {_inert(about)}: “{_inert(item.citation.quote)}”")
        lines.append("")
    return "\n".join(lines)


def as_json(turns: Sequence[Shown], language: str) -> str:
    """The whole conversation as JSON: for each turn the answer in the form of `rag ask --json`, with the passages around its citations."""
    made = []
    for turn in turns:
        record = turn.answer.to_dict() if turn.answer else {"question": turn.question, "query": turn.query, "problem": turn.problem}
        passages = {
            item.passage.document + f":{item.passage.start}": item.passage for items in (*turn.evidence, turn.nearest) for item in items
        }
        made.append({**record, "passages": [asdict(passage) for passage in passages.values()], "rating": turn.rating})
    return json.dumps({"provenote": 1, "language": language, "turns": made}, ensure_ascii=False, indent=1)


def references(turns: Sequence[Shown], language: str) -> str:
    """Every span cited as an entry for reference managers: one @misc each, with quote, section and page."""
    entries = []
    for turn in turns:
        for name, item in _distinct(turn):
            passage, citation = item.passage, item.citation
            values = {
                "title": passage.title or citation.title,
                "author": f"{{{_braced(passage.publisher)}}}" if passage.publisher else "",
                "year": str(passage.year or ""),
                "chapter": citation.section.split(" / ")[-1],
                "pages": str(citation.page or ""),
                "note": f"{say(language, 'question')}: {turn.question}",
                "annote": citation.quote,
            }
            lines = [f"  {key} = {{{value if key == 'author' else _braced(value)}}}" for key, value in values.items() if value]
            key = re.sub(r"[^A-Za-z0-9.-]", "", citation.document) or "report"
            entries.append(f"@misc{{{key}-{name},\n" + ",\n".join(lines) + "\n}")
    return "\n\n".join(entries) + "\n" * bool(entries)


def _braced(text: str) -> str:
    """One line that TeX reads as itself."""
    names = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(names.get(sign, "\\" + sign if sign in "{}%$&#_" else sign) for sign in " ".join(visible(text).split()))


def _doubt(claim: Claim, language: str) -> str:
    return "" if claim.verdict in SOUND else f" ({say(language, claim.verdict)})"


def _distinct(turn: Shown) -> list[tuple[str, Evidence]]:
    """Each span that is cited, once, with a name for its footnote."""
    seen: dict[tuple[int, str, int, int], Evidence] = {}
    for item in (item for items in turn.evidence for item in items):
        seen.setdefault((item.citation.n, item.citation.document, item.citation.start, item.citation.end), item)
    return [(f"{turn.key}-{place}", item) for place, item in enumerate(seen.values(), 1)]


def _inert(text: str) -> str:
    """One line in which Markdown and HTML mean themselves."""
    return re.sub(r"([\\`*_\[\]#|~!$])", r"\\\1", html.escape(" ".join(visible(text).split()), quote=False))
