"""The page: its pure parts, the guard, and a real browser against the real engine over the bundled corpus (skipped without chromium)."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import string
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from browser import CRANE, FOLLOW, HOSTILE, LIGHTHOUSE, LONG, NASTY, ORCHARD, PEARS, TALL, TEXTS, UNKNOWN, ScriptedAssistant, cite
from chromium import CHIP, ask, chosen_tab, lit
from chromium import start as start_page
from hypothesis import given, settings
from hypothesis import strategies as some
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from rag import errors
from rag.chat import Finished, Passage, Said
from rag.types import Answer, Claim
from rag.web import panel, strings
from rag.web.guard import Guard

HERE = Path(__file__).resolve().parent
AXE = HERE.parent / ".axe" / "node_modules" / "axe-core" / "axe.min.js"
PANEL_TAGS = ("div", "section", "span", "button", "p", "article", "header", "h3", "i", "b", "blockquote", "mark", "pre")


# ---- words ----------------------------------------------------------------------------------------------------------------------------


def test_both_languages_have_the_same_phrases_with_the_same_fields():
    fields = {
        language: {key: {name for _, name, _, _ in string.Formatter().parse(text) if name} for key, text in table.items()}
        for language, table in strings.STRINGS.items()
    }
    assert fields["zh"] == fields["en"]


@pytest.mark.parametrize(
    "header, language",
    [("", "zh"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-US,en;q=0.9", "en"), ("fr;q=1, en;q=0.2, zh;q=0.7", "zh"), ("en;q=x,*", "zh")],
)
def test_language_follows_the_browser(header, language):
    assert strings.preferred(header) == language


def test_errors_become_one_friendly_line():
    assert strings.complaint(errors.UsageError("empty")) == "UsageError"
    assert strings.complaint(errors.IndexMismatch("x")) == "IndexMismatch"
    assert strings.complaint(errors.UnreadableFile("a.pdf", "x")) == "RagError"
    assert strings.complaint(ZeroDivisionError("secret")) == "unexpected"
    assert "secret" not in strings.say("en", "unexpected", detail="secret")


# ---- safe text ------------------------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """The text and the tags that a browser would see."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.text, self.tags, self.attributes = "", [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.text += data


@given(some.text(max_size=60))
def test_escaped_and_literal_text_reads_as_itself_and_makes_no_tag(text):
    plain = Reader(panel.escaped(text))
    assert plain.tags == [] and plain.text == panel.visible(text)
    message = Reader(panel.literal(text))
    assert set(message.tags) <= {"br"} and message.text == panel.visible(text).replace("\n", "")
    assert not set("*[]`_$\n") & set(panel.literal(text))


def test_what_cannot_be_shown_is_replaced_one_for_one():
    assert panel.visible("a\x00b\u202ec\ud800d\te\n") == "a\ufffdb\ufffdc\ufffdd\te\n"


@given(some.text(max_size=40), some.lists(some.tuples(some.integers(-3, 45), some.integers(-3, 45), some.sampled_from("xyz")), max_size=5))
def test_pieces_join_to_the_text_and_each_span_to_its_slice(text, spans):
    spans = [(min(a, b), max(a, b), f"{key}{i}") for i, (a, b, key) in enumerate(spans)]
    made = list(panel.pieces(text, spans))
    assert "".join(part for part, _ in made) == text
    for start, end, key in spans:
        assert "".join(part for part, keys in made if key in keys) == text[max(start, 0) : max(end, 0)]


# ---- answers and the panel ------------------------------------------------------------------------------------------------------------


def asked(question: str, key: str = "t1") -> panel.Shown:
    """A whole turn as the page would build it."""
    assistant = ScriptedAssistant()
    turn = panel.Shown(key, question)
    for event in assistant.stream(question):
        if isinstance(event, Said):
            place = len(turn.sentences)
            turn = turn.heard(
                event.claim, tuple(panel.gather(f"{key}s{place}c{i}", c, assistant.passage) for i, c in enumerate(event.citations))
            )
        elif isinstance(event, Finished):
            near = tuple(panel.gather(f"{key}n{i}", c, assistant.passage) for i, c in enumerate(event.answer.nearest))
            turn = replace(turn, phase="done", answer=event.answer, query=event.answer.query, nearest=near)
    return turn


def marked(page: str, key: str) -> str:
    return "".join(
        Reader(text).text for keys, text in re.findall(r'<mark data-keys="([^"]*)"[^>]*>(.*?)</mark>', page, re.S) if key in keys.split()
    )


def test_three_sentences_that_cite_one_source_have_three_spans_on_one_card():
    turn = asked(PEARS)
    page = panel.panel_html([turn], "zh")
    assert page.count("<article") == 1
    quotes = [items[0].citation.quote for items in turn.evidence]
    assert [marked(page, f"t1s{i}c0") for i in range(3)] == quotes and len(set(quotes)) == 3
    assert panel.answer_html(turn, "zh").count('href="#cite-t1s') == 3


def test_overlapping_spans_keep_their_own_words():
    first, second = cite(1, "orchard.zh", ORCHARD[4:20]), cite(2, "orchard.zh", ORCHARD[10:30])
    passage = ScriptedAssistant().passage
    turn = panel.Shown("t1", "q").heard(
        Claim("a", (1, 2), "supported"), (panel.gather("t1s0c0", first, passage), panel.gather("t1s0c1", second, passage))
    )
    page = panel.panel_html([turn], "zh")
    assert (marked(page, "t1s0c0"), marked(page, "t1s0c1")) == (ORCHARD[4:20], ORCHARD[10:30])
    assert 'data-numbers="1 2"' in page and page.count('data-number="') == 2


@settings(max_examples=60)
@given(
    some.lists(some.tuples(some.integers(0, 80), some.integers(1, 12), some.integers(0, 30), some.integers(0, 30)), min_size=1, max_size=5)
)
def test_joined_passages_are_stretches_of_the_report_and_hold_every_quote(places):
    text = TEXTS["orchard.zh"]

    def passage_of(citation):
        before, after = widths[citation.n - 1]
        start, end = max(citation.start - before, 0), min(citation.end + after, len(text))
        return Passage("orchard.zh", "梨园年报", "", None, "zh", "", None, start, text[start:end])

    spans = [(start % (len(text) - 13), length) for start, length, _, _ in places]
    widths = [(before, after) for _, _, before, after in places]
    base = cite(1, "orchard.zh", ORCHARD[:1])
    made = [replace(base, n=i, start=s, end=s + w, quote=text[s : s + w]) for i, (s, w) in enumerate(spans, 1)]
    cards = panel.cards(panel.gather(f"k{c.n}", c, passage_of) for c in made)
    for card in cards:
        assert text[card.passage.start : card.passage.start + len(card.passage.text)] == card.passage.text
        for (start, end, _), item in zip(card.spans, card.evidence, strict=True):
            assert card.passage.text[start:end] == item.citation.quote
    assert sorted(item.citation.n for card in cards for item in card.evidence) == [c.n for c in made]


def test_a_passage_that_does_not_hold_the_quote_is_not_shown():
    citation = cite(1, "lighthouse.en", "31 metres tall")
    wrong = replace(ScriptedAssistant().passage(citation), start=3)
    assert panel.gather("k", citation, lambda _: wrong).passage.text == "31 metres tall"

    def gone(_):
        raise KeyError("lighthouse.en")

    assert panel.gather("k", citation, gone).span == (0, len("31 metres tall"))


def test_hostile_text_is_inert_in_every_output():
    turn = asked(NASTY)
    page, message = panel.panel_html([turn], "en"), panel.answer_html(turn, "en")
    assert set(Reader(page).tags) <= set(PANEL_TAGS)
    assert set(Reader(message).tags) <= {"div", "p", "a", "span", "strong", "br"}
    assert "wrong" in message and all(href.startswith("#") for href in re.findall(r'href="([^"]*)"', message))
    assert not [name for name in Reader(page).attributes + Reader(message).attributes if name.startswith("on") or name == "src"]
    assert HOSTILE in Reader(page).text
    assert message.count('href="#cite-') == 1 and "${" not in message and "](" not in message and "://" not in message
    exported = panel.markdown([turn], "en")
    assert "<img" not in exported and "![" not in exported and "[7](" not in exported


def test_half_typed_sentences_are_safe_too():
    turn = replace(asked(NASTY), phase="answering", answer=None)
    for typed in range(len(turn.sentences[0].text) + 1):
        assert set(Reader(panel.answer_html(turn, "en", typed)).tags) <= {"div", "p", "strong"}


def test_short_answer_stands_out_and_verdicts_are_visible():
    message = panel.answer_html(asked(TALL), "en")
    assert "<strong>31 metres</strong>" in message
    assert message.count('class="verdict supported"') == 1
    assert "⚠ Partly supported" in message and 'title="Partly supported: the distance is not repeated"' in message
    assert "⚠ Not supported by its source" in message
    assert Reader(panel.sentence(Claim("a **b c** d"))).text == "a b c d"


def test_not_found_has_no_chip_and_its_passages_are_marked_unused():
    turn = asked(UNKNOWN)
    message, page = panel.answer_html(turn, "zh"), panel.panel_html([turn], "zh")
    assert "没有一段文字提到月亮。" in Reader(message).text and "#cite-" not in message
    assert "未采用" in page and "data-step" not in page and marked(page, "t1n0") == "为三千棵梨树授粉"


def test_page_number_only_where_there_is_one_and_languages_differ():
    assert "第 7 页" in panel.panel_html([asked(PEARS)], "zh") and "p. 7" in panel.panel_html([asked(PEARS)], "en")
    assert "None" not in panel.panel_html([asked(FOLLOW), asked(NASTY)], "en")


def test_many_extracts_are_listed_and_prose_of_a_model_flows():
    claims = tuple(Claim(f"Fact {n}.", (), "supported") for n in range(4))
    turn = panel.Shown("t1", "q", "q", claims, ((),) * 4, (), Answer("q", "q", "en", claims), "done")
    assert 'class="lines"' in panel.answer_html(turn, "en")
    assert 'class="flow"' in panel.answer_html(replace(turn, answer=replace(turn.answer, mode="llm")), "en")


def test_plain_text_and_markdown_carry_their_sources():
    turn = asked(PEARS)
    copied = panel.plain(turn, "zh")
    assert "花期约十二天。[1]" in copied and "[1] 梨园年报, 山谷合作社 · 2022, 第二章 四季 / 从花到果 · 第 7 页: “果园在四月" in copied
    exported = panel.markdown([turn, asked(UNKNOWN, "t2")], "zh")
    assert re.findall(r"\[\^([^\]]+)\](?!:)", exported) == ["t1-1", "t1-2", "t1-3"] == re.findall(r"^\[\^([^\]]+)\]:", exported, re.M)
    assert exported.count("报告里没有找到依据") == 1


def test_a_turn_is_remembered_with_what_it_cited():
    turn = asked(PEARS).remembered()
    assert (turn.question, turn.query) == (PEARS, PEARS)
    assert turn.sections == (("orchard.zh", ("第二章 四季", "从花到果")),)
    assert panel.Shown("t1", "stopped", phase="stopped").remembered() is None
    assert panel.Shown("t1", "stopped", "searched", phase="stopped").remembered().query == "searched"  # the next question leans on it


# ---- the guard ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded() -> TestClient:
    async def hello(request):
        await request.body()
        return PlainTextResponse("hello", headers={"x-frame-options": "ALLOWALL"})

    inner = Starlette(routes=[Route("/{path:path}", hello, methods=["GET", "POST"])])
    return TestClient(Guard(inner, names=["reports.example.org"], body_limit=1000), base_url="http://127.0.0.1:7860")


@pytest.mark.parametrize(
    "host, status",
    [
        ("127.0.0.1:7860", 200),
        ("localhost:7860", 200),
        ("LOCALHOST", 200),
        ("[::1]:7860", 200),
        ("192.168.1.5:7860", 200),
        ("reports.example.org", 200),
        ("rebound.example.com:7860", 403),
        ("127.0.0.1.example.com", 403),
        ("localhost@example.com", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_only_our_own_hosts_are_answered(guarded, host, status):
    assert guarded.get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    "origin, status",
    [
        ("http://127.0.0.1:7860", 200),
        ("https://reports.example.org", 200),
        ("http://127.0.0.1:9999", 403),
        ("http://localhost:7860", 403),
        ("https://example.com", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_only_our_own_page_may_post(guarded, origin, status):
    assert guarded.post("/gradio_api/queue/join", content="{}", headers={"origin": origin}).status_code == status


def test_cross_site_fetches_are_refused_but_links_are_followed(guarded):
    cross = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert guarded.get("/config", headers=cross).status_code == 403
    assert guarded.get("/", headers=cross | {"sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["file=/etc/passwd", "file/etc/passwd", "proxy=http://example.com", "call/ask", "component_server", "monitoring"]
)
def test_unused_routes_are_closed_with_and_without_prefix(guarded, path):
    assert [guarded.post(f"{prefix}/{path}", content="x").status_code for prefix in ("", "/gradio_api", "//gradio_api/")] == [404] * 3


def test_bodies_are_bounded_and_headers_are_ours(guarded):
    assert guarded.post("/gradio_api/queue/join", content="x" * 1001).status_code == 413
    assert guarded.post("/gradio_api/queue/join", content=iter([b"x"])).status_code == 413  # no length given
    assert guarded.post("/gradio_api/upload", content="x" * 1001).status_code == 200  # files may be larger
    for reply in (guarded.get("/"), guarded.get("/", headers={"host": "example.com"})):
        assert reply.headers.get_list("x-frame-options") == ["DENY"]
        assert reply.headers["x-content-type-options"] == "nosniff" and reply.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]


# ---- a real browser -------------------------------------------------------------------------------------------------------------------


def test_each_chip_lights_exactly_its_span_and_old_turns_stay_alive(open_page):
    page = open_page()
    ask(page, PEARS)
    for number, quote in enumerate(
        ("果园在四月开花，花期约为十二天。", "蜜蜂每天飞行六公里，为三千棵梨树授粉。", "采摘从九月开始，全程由二十名工人完成")
    ):
        page.locator(CHIP).nth(number).click()
        page.wait_for_selector(f'#chat a.lit[href="#cite-t1s{number}c0"]')
        assert lit(page) == quote
    assert page.url.endswith("/") and page.evaluate("scrollY") == 0
    page.wait_for_selector(f"{CHIP}[aria-label]")  # named a moment after each redraw
    assert page.locator(CHIP).first.get_attribute("aria-label") == "来源 1: 梨园年报, 第二章 四季 / 从花到果 · 第 7 页"
    ask(page, FOLLOW)
    assert page.locator("#chat .query").inner_text() == f"梨园的采摘怎么过？（接着：{PEARS}）"  # history came from the server's own state
    page.locator("#chat .query").click()
    assert page.input_value("#question textarea").startswith("梨园的采摘")
    assert page.locator("#sources .turn.show").get_attribute("data-turn") == "t2"
    page.locator(CHIP).first.click()
    page.wait_for_selector('#chat a.lit[href="#cite-t1s0c0"]')
    assert lit(page) == "果园在四月开花，花期约为十二天。"
    assert page.locator("#sources .turn.show").get_attribute("data-turn") == "t1"
    page.locator("#new").click()
    page.wait_for_selector("#chat .example")
    assert page.locator(CHIP).count() == 0 and page.locator("#sources .empty").is_visible()


def test_not_found_errors_and_the_choice_of_reports(open_page):
    page = open_page()
    ask(page, UNKNOWN)
    assert "没有一段文字提到月亮。" in page.inner_text("#chat .missing") and page.locator(CHIP).count() == 0
    assert page.inner_text("#sources .turn.show .number") == "未采用"
    ask(page, "break the model")
    assert page.locator("#chat .trouble").last.inner_text() == strings.say("zh", "LLMError")
    ask(page, "impossible")
    assert page.locator("#chat .trouble").last.inner_text() == strings.say("zh", "unexpected")
    page.locator("#tab-reports-button").click()
    page.locator('#reports [data-report="hostile.en"]').check()
    page.wait_for_function("document.querySelector('#question textarea').placeholder.includes('1')")
    assert "山谷合作社 · 2022 · 中文" in page.inner_text("#reports")
    ask(page, "nothing")
    assert "no report answers to 'nothing'" in page.locator("#chat .trouble").last.inner_text()
    ask(page, NASTY)  # the process lives
    assert page.locator(CHIP).count() == 1


def test_hostile_text_is_shown_and_does_nothing(open_page):
    page = open_page("en-US")
    ask(page, NASTY)
    ask(page, "<img src=x onerror='window.PWNED=6'> [1](#cite-t1s0c0) **x** ${window.PWNED=7}")
    assert (
        page.locator("#chat .user-row .prose").last.inner_text()
        == "<img src=x onerror='window.PWNED=6'> [1](#cite-t1s0c0) **x** ${window.PWNED=7}"
    )
    assert page.locator("#chat .user-row a").count() == 0 and page.locator('#chat a[href^="#cite-t1"]').count() == 1
    page.locator(CHIP).first.click()
    assert lit(page) == HOSTILE[:-30]
    page.locator("#tab-reports-button").click()
    page.wait_for_selector("#reports label")
    assert "Log <b>of</b> ${storms}" in page.inner_text("#reports")
    assert page.locator("#reports b b, #reports small i, #chat img, #sources img, #sources script").count() == 0
    assert page.inner_text("#banner") == "An <older> generation is served."


def test_the_keyboard_reaches_everything(open_page):
    page = open_page("en-US")
    ask(page, TALL)
    chip = page.locator(CHIP).first
    chip.focus()
    assert page.locator("#hover.show").is_visible()
    page.keyboard.press("Enter")
    assert lit(page) == LIGHTHOUSE.split("\n")[1].split(" Ships")[0]
    page.keyboard.press("Alt+ArrowDown")
    page.wait_for_selector('#chat a.lit[href="#cite-t1s1c0"]')
    assert lit(page) == "18 miles away"
    page.focus("#question textarea")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#cite-t1s1c0"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    page.fill("#question textarea", "ni hao")
    page.dispatch_event("#question textarea", "keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    page.dispatch_event("#question textarea", "keypress", {"key": "Enter", "isComposing": True, "bubbles": True})
    assert page.input_value("#question textarea") == "ni hao"
    ask(page, PEARS)
    assert page.locator("#chat .answer").count() == 2 and page.locator("#chat .user-row").last.inner_text() == PEARS


def test_stop_freezes_the_answer_and_the_next_question_works(open_page):
    page = open_page("en-US")
    page.fill("#question textarea", LONG)
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#chat .answer')?.innerText.includes('number 2')")
    page.locator("#question .stop-button").click()
    page.wait_for_function("document.querySelector('#chat .answer .foot')?.innerText === 'Stopped'")
    frozen = page.inner_text("#chat .answer")
    assert "number 20" not in frozen
    ask(page, TALL)
    assert page.locator("#chat .answer").first.inner_text() == frozen
    assert "31 metres" in page.locator("#chat .answer").last.inner_text()


def test_language_theme_copy_and_export(open_page):
    page = open_page("en-US", permissions=["clipboard-read", "clipboard-write"])
    page.wait_for_function("document.querySelector('#new')?.innerText === 'New chat' && document.documentElement.lang === 'en'")
    ask(page, TALL)
    page.locator("#chat a.act.copy").click()
    page.wait_for_selector("#chat a.copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert (
        copied.startswith(f"Q: {TALL}")
        and "31 metres tall.[1]" in copied
        and "A Lighthouse Handbook, Harbour Office · 2021, 2 The tower · p. 4" in copied
    )
    with page.expect_download() as waiting:
        page.locator("#export").click()
    exported = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert waiting.value.suggested_filename == "provenote.md" and "[^t1-1]" in exported and "31 metres tall" in exported
    page.locator("#language").click()
    page.wait_for_function("document.documentElement.lang === 'zh-CN'")
    page.wait_for_function("document.querySelector('#new')?.innerText === '新对话'")
    assert "部分有据" in page.inner_text("#chat .answer")
    page.locator("#theme").click()
    assert page.evaluate("document.body.classList.contains('dark')")
    page.reload()
    page.wait_for_function("document.querySelector('#new')?.innerText === '新对话' && document.body.classList.contains('dark')")


def test_on_a_phone_the_sources_are_a_sheet(open_page):
    page = open_page(width=390, height=844, has_touch=True, is_mobile=True)
    assert not page.locator("#evidence").is_visible()
    ask(page, PEARS)
    page.locator(CHIP).nth(1).tap()
    page.wait_for_selector("body.sheet #sources mark.lit")
    page.wait_for_function("document.querySelector('#evidence').getAnimations().length === 0")
    top = page.locator("#evidence").bounding_box()
    assert top["y"] > 200 and top["width"] == 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#sheet-close").tap()
    page.wait_for_function("getComputedStyle(document.querySelector('#evidence')).visibility === 'hidden'")


def test_a_page_of_a_pdf_is_shown_with_the_cited_words_marked(open_page):
    page = open_page("en-US")
    ask(page, "How many tonnes of granite does the harbour crane lift?")
    assert "75 tonnes" in page.inner_text("#chat .answer")
    page.locator(CHIP).first.click()
    assert lit(page) == CRANE[1]
    page.locator("#sources .card.lit [data-see]").click()
    page.wait_for_function("document.querySelector('#viewer img')?.naturalWidth > 500")
    assert "p. 2 of 2" in page.inner_text("#viewer header") and page.locator("#viewer .box").count() == 1
    paper, box = page.locator("#viewer .print").bounding_box(), page.locator("#viewer .box").bounding_box()
    middle = (box["y"] + box["height"] / 2 - paper["y"]) / paper["height"]
    assert abs(middle - (842 - 664) / 842) < 0.01  # its line stands 660 points above the foot of the page
    assert page.locator("#viewer img").get_attribute("src").startswith("data:image/jpeg;base64,")
    page.locator('#viewer [data-leaf="1"]').click()
    page.wait_for_function("document.querySelector('#viewer header').innerText.includes('p. 1 of 2')")
    assert page.locator("#viewer .box").count() == 0
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()


def test_reports_are_added_asked_updated_and_removed_while_the_page_is_open(open_page, tmp_path):
    page, other = open_page("en-US"), open_page("en-US")
    files = {
        "bees.md": "# Bees of the Quay\n\nThe quay has forty hives, and each hive gave 14 kilograms of honey.",
        "broken.pdf": "%PDF-1.4 nothing",
        "<img src=x onerror=window.PWNED=8>.md": "# Nets\n\nNets are mended on Mondays by three people.",
        "page.txt": "%PDF-1.4 under a wrong name",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    chosen_tab(page, "reports", "#reports li")
    before = page.locator("#reports li").count()
    page.set_input_files("#add input[type=file]", [str(tmp_path / name) for name in files])
    page.wait_for_function("n => document.querySelectorAll('#reports li').length === n", arg=before + 2, timeout=60_000)
    told = page.inner_text("#changing")
    assert "Added: bees" in told and told.count("Not added") == 2 and "not what its name says" in told
    ask(other, "How much honey did each hive give?")  # a session that was open before
    assert "14 kilograms" in other.inner_text("#chat .answer") and "Bees of the Quay" in other.inner_text("#sources .turn.show")
    (tmp_path / "bees.md").write_text(files["bees.md"].replace("14", "17"), encoding="utf-8")
    page.set_input_files("#add input[type=file]", str(tmp_path / "bees.md"))
    page.wait_for_function("document.querySelector('#changing').innerText.includes('Updated: bees')", timeout=60_000)
    ask(other, "How much honey did each hive give?")
    assert "17 kilograms" in other.locator("#chat .answer").last.inner_text()
    page.fill("#sift", "quay")
    assert page.locator("#reports li:visible").count() == 1
    page.locator('[data-choose="shown"]').click()
    page.wait_for_function("document.querySelector('#tab-reports-button').innerText.includes('1/')")
    page.locator('#reports [data-remove="bees"]').click()
    assert page.locator('#reports [data-remove="bees"]').inner_text() == "Really remove?"
    page.locator('#reports [data-remove="bees"]').click()
    page.wait_for_function("document.querySelector('#changing').innerText.includes('Removed: bees')", timeout=60_000)
    assert page.locator("#reports li").count() == before + 1
    page.locator("#refresh").click()
    page.wait_for_function("document.querySelector('#changing').innerText.includes('nothing has changed')", timeout=60_000)
    page.locator("#reports li", has_text="Nets").locator("[data-remove]").click()
    page.locator("#reports li", has_text="Nets").locator("[data-remove]").click()
    page.wait_for_function("n => document.querySelectorAll('#reports li').length === n", arg=before, timeout=60_000)


def test_what_the_browser_kept_under_the_first_name_is_taken_over(open_page):
    page = open_page("en-US")
    page.evaluate(
        "localStorage.clear(); localStorage.setItem('veracite.owner', 'a'.repeat(32)); localStorage.setItem('veracite.language', 'zh')"
    )
    page.reload()
    page.wait_for_selector("#brand h1:text('有据')")
    assert page.evaluate("[localStorage.getItem('provenote.owner'), localStorage.getItem('veracite.owner')]") == ["a" * 32, None]


def test_conversations_outlive_a_reload_and_are_listed_renamed_exported_and_deleted(open_page):
    page = open_page("en-US")
    ask(page, TALL)
    page.wait_for_function("sessionStorage.getItem('provenote.talk')")
    page.reload()
    page.wait_for_selector("#chat .answer .foot")
    page.locator(CHIP).nth(1).click()
    assert lit(page) == "18 miles away"
    ask(page, FOLLOW.replace("？", "?"))  # the conversation goes on
    assert page.locator("#chat .answer").count() == 2
    page.locator("#new").click()
    page.wait_for_selector("#chat .example")
    ask(page, NASTY)
    chosen_tab(page, "talks", "#talks li")
    assert page.locator("#talks .open b").all_inner_texts() == [NASTY, TALL]
    page.once("dialog", lambda dialog: dialog.accept("<b>Towers</b> ${1}"))
    page.locator("#talks li", has_text=TALL).locator("[data-rename]").click()
    page.wait_for_function("document.querySelector('#talks').innerText.includes('Towers')")
    assert page.locator("#talks .open b").last.inner_text() == "<b>Towers</b> ${1}" and page.locator("#talks b b").count() == 0
    page.locator("#talks li", has_text="Towers").locator(".open").click()
    page.wait_for_function("document.querySelector('#chat').innerText.includes('31 metres')")
    for kind, name, words in (
        ("json", "provenote.json", '"verdict": "supported"'),
        ("bib", "provenote.bib", "annote = {The tower is 31 metres"),
    ):
        with page.expect_download() as waiting:
            page.locator(f'[data-export="{kind}"]').click()
        assert waiting.value.suggested_filename == name and words in Path(waiting.value.path()).read_text(encoding="utf-8")
    stranger = open_page("en-US")  # another browser sees nothing of it
    stranger.locator("#tab-talks-button").click()
    stranger.wait_for_selector("#talks .lead")
    assert stranger.locator("#talks li").count() == 0
    for _ in range(2):
        page.locator("#talks li", has_text="Towers").locator("[data-delete]").click()
    page.wait_for_function("document.querySelectorAll('#talks li').length === 1")
    page.wait_for_selector("#chat .example")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_of_wcag_a_or_aa(open_page, scheme):
    if not AXE.is_file():
        pytest.skip("no axe-core: npm install --prefix .axe axe-core")
    page = open_page("en-US", color_scheme=scheme)

    def violations() -> list[str]:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
        assert len(found["passes"]) > 10
        return [f"{each['id']}: {node['html'][:160]}" for each in found["violations"] for node in each["nodes"]]

    assert violations() == []
    ask(page, TALL)
    page.locator(CHIP).first.click()
    lit(page)
    assert violations() == []
    ask(page, UNKNOWN)
    assert violations() == []
    for tab, there in (("reports", "#reports li"), ("explore", "#explore .field"), ("talks", "#talks li"), ("scores", "#scores .lead")):
        chosen_tab(page, tab, there)
        assert violations() == []


def test_retry_edit_and_opinions(open_page, server):
    page = open_page("en-US")
    ask(page, TALL)
    ask(page, PEARS)
    page.locator("#chat a.act.retry").last.click()
    page.wait_for_function("document.querySelectorAll('#chat .answer').length === 2 && document.querySelector('#question .stop-button')")
    page.wait_for_function(
        "document.querySelector('#question .submit-button') && document.querySelectorAll('#chat .answer .foot').length === 2"
    )
    assert page.locator("#chat .user-row").all_inner_texts()[-1].strip() == PEARS
    page.locator("#chat a.act.edit").first.click()
    assert page.input_value("#question textarea") == TALL and page.locator("body.editing").count() == 1
    page.fill("#question textarea", NASTY)
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#chat .answer').length === 1 && document.querySelector('#chat .answer .foot')")
    assert page.locator("#chat .user-row").inner_text().strip() == NASTY and page.locator("body.editing").count() == 0
    page.locator("#chat a.act.wrong").click()
    page.wait_for_selector("#chat a.act.wrong.on")
    lines = (server[1].parent / "index-data" / "feedback.jsonl").read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[-1])
    assert (
        record["rating"] == "wrong" and record["answer"]["question"] == NASTY and record["answer"]["citations"][0]["quote"] == HOSTILE[:-30]
    )
    assert record["config"]["encoder"] == "builtin" and record["generation"] >= 1


def test_every_suggestion_is_answered_and_the_map_leads_to_questions(open_page):
    page = open_page()
    ask(page, "存算一体有哪三条技术路径？")
    page.wait_for_selector("#chat a.ask")
    suggestions = page.locator("#chat a.ask").all_inner_texts()
    page.locator("#chat a.ask").first.click()
    page.wait_for_function(
        "document.querySelectorAll('#chat .answer .foot').length === 2 && document.querySelector('#question .submit-button')"
    )
    assert page.locator("#chat .user-row").last.inner_text().strip() == suggestions[0]
    assert page.locator("#chat .missing").count() == 0
    chosen_tab(page, "explore", "#explore .field")
    assert page.locator("#explore details").count() == 8 and page.locator("#explore .term").count() > 20
    page.locator("#explore .field", has_text="存算一体").first.click()
    page.wait_for_selector("#found .pill")
    page.locator("#explore select[name=a]").select_option("damo-2023.zh")
    page.locator("#explore select[name=b]").select_option("huawei-cloud-2030.zh")
    page.fill("#explore [name=topic]", "芯片")
    page.locator("#explore .contrast button").click()
    page.wait_for_selector("#found .sides li")
    assert page.locator("#found .sides h4").count() == 2 and "芯片" in page.inner_text("#found .sides")
    page.locator("#found .pill").click()
    page.wait_for_function("document.querySelectorAll('#chat .answer .foot').length === 3")
    chosen_tab(page, "scores", "#scores .lead")
    assert "rag eval" in page.inner_text("#scores")


def test_only_these_reports_by_typing(open_page):
    page = open_page()
    ask(page, "只看华为：2030 年零售业有多少直播由数字人主持？")
    assert "99%" in page.inner_text("#chat .answer") and page.locator("#chat .user-row").inner_text().strip().startswith("2030")
    page.wait_for_function("document.querySelector('#tab-reports-button').innerText.includes('1/8')")
    ask(page, "存算一体有哪三条技术路径？")
    assert "达摩院" not in page.inner_text("#sources .turn.show")
    page.fill("#question textarea", "只看全部")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#tab-reports-button').innerText === '报告'")


def test_programs_find_three_typed_endpoints(server):
    address, said = server
    client = pytest.importorskip("gradio_client").Client(address, verbose=False)
    assert list(client.view_api(return_format="dict", print_info=False)["named_endpoints"]) == ["/ask", "/search", "/reports"]
    answer = client.predict("What does CIPU stand for?", api_name="/ask")
    assert answer["citations"] and not answer["abstained"] and answer["claims"][0]["verdict"] == "quoted"
    assert client.predict("How tall are the clouds?", ["orchard.zh"], api_name="/ask")["abstained"]
    assert [hit["document"] for hit in client.predict("梨园", 1, ["orchard.zh"], api_name="/search")] == ["orchard.zh"]
    assert len(client.predict(api_name="/reports")) == 8
    with pytest.raises(Exception, match="no report 'nothing' is indexed"):
        client.predict("What?", ["nothing"], api_name="/ask")


@pytest.mark.parametrize(("needed", "prints"), [("gradio_client", 2), ("mcp", 1)])
def test_the_examples_of_the_documentation_work_as_they_stand(server, needed, prints):
    pytest.importorskip(needed)
    blocks = re.findall(r"```python\n(.*?)```", (HERE.parent / "docs" / "deployment.md").read_text(encoding="utf-8"), re.DOTALL)
    (code,) = (block for block in blocks if f"import {needed}\n" in block or f"from {needed} import" in block)
    assert "http://127.0.0.1:7860" in code
    said = []
    names = {"print": lambda *words: said.extend(words), "__name__": "example"}
    with ThreadPoolExecutor(1) as aside:  # the browser's driver has a loop in this thread
        aside.submit(exec, code.replace("http://127.0.0.1:7860", server[0].rstrip("/")), names).result()
    assert len(said) == prints and all("cloud infrastructure processing unit" in words for words in said)


def test_agents_find_the_same_as_tools(server):
    mcp = pytest.importorskip("mcp")

    async def talk() -> list:
        async with mcp.Client(f"{server[0]}mcp") as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            answer = await client.call_tool("ask", {"question": "What does CIPU stand for?"})
            empty = await client.call_tool("ask", {"question": "?"})
            return [names, answer, empty]

    with ThreadPoolExecutor(1) as aside:  # the browser's driver has a loop in this thread
        names, answer, empty = aside.submit(asyncio.run, talk()).result()
    assert names == ["ask", "search", "reports"] and answer.structured_content["citations"]
    assert empty.is_error and "the question is empty" in empty.content[0].text


def test_the_server_stays_home_and_private_events_take_nothing_on_trust(server):
    address, said = server
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert f"Provenote: {address.rstrip('/')}" in said.read_text()
    assert "LEFT HOME" not in said.read_text()
    for path in ("openapi.json", "docs", f"gradio_api/file={HERE / 'browser.py'}", "monitoring", "gradio_api/call/ask"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            opener.open(address + path)
        assert refused.value.code == 404
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(urllib.request.Request(address, headers={"Host": "rebound.example.com"}))
    assert refused.value.code == 403


def test_a_login_guards_everything_and_slows_guessing_down(tmp_path):
    process, address, said = start_page(tmp_path, "--login")
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())

        def status(path: str, form: dict[str, str] | None = None, **headers: str) -> int:
            body = urllib.parse.urlencode(form).encode() if form else None
            try:
                return opener.open(urllib.request.Request(address + path, data=body, headers=headers)).status
            except urllib.error.HTTPError as error:
                return error.code

        assert [status(path) for path in ("config", "gradio_api/info", "reports/config", "gradio_api/queue/data?session_hash=x")] == [
            401
        ] * 4
        right = base64.b64encode(b"ada:correct horse").decode()
        assert status("mcp", {"x": "y"}) == 401 and status("mcp", {"x": "y"}, Authorization=f"Basic {right}") not in (401, 404)
        assert status("login", {"username": "ada", "password": "correct horse"}) == 200
        assert status("config") == 200 and "/reports" in opener.open(address).read().decode()
        guesses = [status("login", {"username": "ada", "password": f"guess {number}"}) for number in range(7)]
        assert guesses == [400] * 5 + [429] * 2
        assert status("login", {"username": "ada", "password": "correct horse"}) == 429
    finally:
        process.terminate()
        process.wait(10)


def test_a_taken_port_gives_the_next_one_and_other_hosts_need_a_login():
    import app

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.free_port("127.0.0.1", port) > port
    with pytest.raises(errors.UsageError, match="0.0.0.0"):
        app.serve(ScriptedAssistant(), "0.0.0.0")
    with pytest.raises(errors.UsageError, match="not a path"):
        app.serve(ScriptedAssistant(), root_path="reports?")


def test_what_the_script_sends_is_checked_field_by_field():
    import app

    sent = json.dumps({"owner": "user:ada", "chosen": ["a", 1], "page": "7", "turn": "t1", "llm": 1, "section": ["x"], "title": "y" * 501})
    assert app.Given.read(sent) == app.Given(turn="t1", section=("x",))
    assert app.Given.read("[1]") == app.Given.read(None) == app.Given.read("[" * 90_000) == app.Given()
    assert app.Given.read("{}", SimpleNamespace(username="ada")).owner == "user:ada"
    assert app.talk_id('<i data-talk="0123456789abcdef"></i>') == "0123456789abcdef" and app.talk_id('<i data-talk="x"></i>') == ""
