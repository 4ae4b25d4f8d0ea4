"""The page: its pure parts, the guard, and a real browser against a scripted assistant (skipped where there is no chromium)."""

from __future__ import annotations

import os
import re
import shutil
import socket
import string
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import FOLLOW, HOSTILE, LIGHTHOUSE, LONG, NASTY, ORCHARD, PEARS, TALL, TEXTS, UNKNOWN, ScriptedAssistant, cite
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
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PANEL_TAGS = ("div", "section", "span", "button", "p", "article", "header", "h3", "i", "b", "blockquote", "mark", "pre")
CHIP = '#chat a[href^="#cite-"]'


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
    assert not [name for name in Reader(page).attributes + Reader(message).attributes if name.startswith("on") or name == "src"]
    assert HOSTILE in Reader(page).text
    assert message.count('href="#cite-') == 1 and "${" not in message and "](" not in message and "://" not in message
    exported = panel.markdown([turn], "en")
    assert "<img" not in exported and "![" not in exported and "[7](" not in exported


def test_half_typed_sentences_are_safe_too():
    turn = asked(NASTY)
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
    "path", ["upload", "file=/etc/passwd", "file/etc/passwd", "proxy=http://example.com", "call/ask", "component_server", "monitoring"]
)
def test_unused_routes_are_closed_with_and_without_prefix(guarded, path):
    assert [guarded.post(f"{prefix}/{path}", content="x").status_code for prefix in ("", "/gradio_api", "//gradio_api/")] == [404] * 3


def test_bodies_are_bounded_and_headers_are_ours(guarded):
    assert guarded.post("/gradio_api/queue/join", content="x" * 1001).status_code == 413
    assert guarded.post("/gradio_api/queue/join", content=iter([b"x"])).status_code == 413  # no length given
    for reply in (guarded.get("/"), guarded.get("/", headers={"host": "example.com"})):
        assert reply.headers.get_list("x-frame-options") == ["DENY"]
        assert reply.headers["x-content-type-options"] == "nosniff" and reply.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]


# ---- a real browser -------------------------------------------------------------------------------------------------------------------


def start(*options: str) -> tuple[subprocess.Popen, str, Path]:
    """The scripted server on a free port, its address and the file with what it wrote."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = Path(os.environ.get("PYTEST_TMP", "/tmp")) / f"veracite-page-{port}.txt"
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["HTTP_PROXY"] = "http://127.0.0.1:9"  # a proxy that is not there must not stop the page
    with said.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "browser.py"), str(port), "--alone", *options], env=environment, stdout=file, stderr=file
        )
    address = f"http://127.0.0.1:{port}/"
    for _ in range(400):
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5).read(1)
            return process, address, said
        except OSError:
            assert process.poll() is None, said.read_text()
            time.sleep(0.15)
    raise AssertionError("the page did not come up")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    process, address, said = start("--warn")
    yield address, said
    process.terminate()
    process.wait(10)
    said.unlink()


@pytest.fixture(scope="module")
def browser(server):
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium, or set CHROMIUM to its path")
    playwright = pytest.importorskip("playwright.sync_api")
    flags = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync"
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=flags.split())
        yield running
        running.close()


@pytest.fixture
def open_page(browser, server):
    """Opens a page; at the end of the test it must have asked nobody else, logged no error and run nothing hostile."""
    contexts, seen = [], []

    def opened(locale: str = "zh-CN", width: int = 1360, height: int = 860, **options):
        context = browser.new_context(locale=locale, viewport={"width": width, "height": height}, **options)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("request", lambda request: seen.append(("request", request.url)))
        page.on("response", lambda reply: seen.append(("status", f"{reply.status} {reply.url}")) if reply.status >= 400 else None)
        page.on("pageerror", lambda error: seen.append(("error", str(error))))
        page.on("console", lambda message: seen.append(("console", message.text)) if message.type == "error" else None)
        page.goto(server[0])
        page.wait_for_selector("#sources .panel", state="attached")
        page.wait_for_function("document.querySelector('#chat .placeholder')?.innerText.includes('3')")
        contexts.append((context, page))
        return page

    yield opened
    for context, page in contexts:
        assert page.evaluate("window.PWNED") is None
        context.close()
    assert [what for what in seen if what[0] != "request"] == []
    assert [url for kind, url in seen if kind == "request" and not url.startswith((server[0], "data:", "blob:"))] == []


def ask(page, question: str) -> None:
    count = page.locator("#chat .answer").count()
    page.fill("#question textarea", question)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "n => document.querySelectorAll('#chat .answer').length > n && [...document.querySelectorAll('#chat .answer')].pop()"
        ".querySelector('.foot, .trouble') && document.querySelector('#question .submit-button')",
        arg=count,
    )


def lit(page) -> str:
    page.wait_for_selector("#sources mark.lit")
    return "".join(page.locator("#sources mark.lit").all_text_contents())


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
    assert page.locator(CHIP).first.get_attribute("aria-label") == "来源 1: 梨园年报, 第二章 四季 / 从花到果 · 第 7 页"
    ask(page, FOLLOW)
    assert page.locator("#chat .query").inner_text() == f"梨园的采摘怎么过？（接着：{PEARS}）"  # history came from the server's own state
    page.locator("#chat .query").click()
    assert page.input_value("#question textarea").startswith("梨园的采摘")
    assert page.locator("#sources .turn.show").get_attribute("data-turn") == "t2"
    page.locator(CHIP).first.click()
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
    page.locator("#reports input").first.check()
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
    assert page.locator(CHIP).count() == 1
    page.locator(CHIP).click()
    assert lit(page) == HOSTILE[:-30]
    page.locator("#tab-reports-button").click()
    page.wait_for_selector("#reports label")
    assert page.locator("#reports b, #reports i, #chat img, #sources img, #sources script").count() == 0
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
    page.wait_for_timeout(400)
    assert page.locator("#chat .answer").count() == 1 and page.input_value("#question textarea") == "ni hao"


def test_stop_freezes_the_answer_and_the_next_question_works(open_page):
    page = open_page("en-US")
    page.fill("#question textarea", LONG)
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#chat .answer')?.innerText.includes('number 2')")
    page.locator("#question .stop-button").click()
    page.wait_for_function("document.querySelector('#chat .answer .foot')?.innerText === 'Stopped'")
    frozen = page.inner_text("#chat .answer")
    page.wait_for_timeout(600)
    assert page.inner_text("#chat .answer") == frozen and "number 20" not in frozen
    ask(page, TALL)
    assert "31 metres" in page.locator("#chat .answer").last.inner_text()


def test_language_theme_copy_and_export(open_page):
    page = open_page("en-US", permissions=["clipboard-read", "clipboard-write"])
    page.wait_for_function("document.querySelector('#new')?.innerText === 'New chat' && document.documentElement.lang === 'en'")
    ask(page, TALL)
    page.locator("#chat .bot-row ~ .message-buttons-left button, #chat .message-buttons-left button").first.click()
    page.wait_for_selector("#chat button.copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert (
        copied.startswith(f"Q: {TALL}")
        and "31 metres tall.[1]" in copied
        and "A Lighthouse Handbook, Harbour Office · 2021, 2 The tower · p. 4" in copied
    )
    with page.expect_download() as waiting:
        page.locator("#export").click()
    exported = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert waiting.value.suggested_filename == "veracite.md" and "[^t1-1]" in exported and "31 metres tall" in exported
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
    page.wait_for_timeout(300)
    top = page.locator("#evidence").bounding_box()
    assert top["y"] > 200 and top["width"] == 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#sheet-close").tap()
    page.wait_for_function("getComputedStyle(document.querySelector('#evidence')).visibility === 'hidden'")


def test_the_server_stays_home_and_offers_no_api(server):
    address, said = server
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert said.read_text().splitlines()[0] == f"Veracite: {address.rstrip('/')}"
    assert "LEFT HOME" not in said.read_text()
    assert opener.open(f"{address}gradio_api/info").read().replace(b" ", b"") == b'{"named_endpoints":{},"unnamed_endpoints":{}}'
    for path in ("openapi.json", "docs", f"gradio_api/file={HERE / 'browser.py'}", "gradio_api/upload", "monitoring"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            opener.open(address + path)
        assert refused.value.code == 404
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(urllib.request.Request(address, headers={"Host": "rebound.example.com"}))
    assert refused.value.code == 403


def test_a_taken_port_gives_the_next_one_and_other_hosts_need_a_login():
    import app

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.free_port("127.0.0.1", port) > port
    with pytest.raises(errors.UsageError, match="0.0.0.0"):
        app.serve(ScriptedAssistant(), "0.0.0.0")
