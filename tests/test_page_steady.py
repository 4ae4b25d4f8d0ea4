"""The page under load and to the letter: a real browser, the real engine, the bundled corpus."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser import LONG, TALL, UNKNOWN
from chromium import CHIP, ask, chosen_tab, lit

from rag.index.snapshot import open_index

PEOPLE = (
    ("zh-CN", "2030 年零售业有多少直播由数字人主持？", "99%"),
    ("en-US", "What does CIPU stand for?", "cloud infrastructure processing unit"),
    ("zh-CN", "存算一体有哪三条技术路径？", "近存计算"),
    ("en-US", "How many live streams in retail will digital humans host in 2030?", "99%"),
    ("zh-CN", "梨树有多少棵？", "三千棵"),
)
"""(locale, question, words of its answer and of no other)."""
READ = (
    ("zh-CN", ("存算一体有哪三条技术路径？", "云原生安全面临哪些挑战？", "Chiplet 有什么好处？", "2030 年零售业有多少直播由数字人主持？")),
    ("en-US", ("What does CIPU stand for?", "What are the challenges of cloud-native security?", "What is expected of retail in 2030?")),
)


def test_ten_people_at_once_are_all_answered_each_with_their_own(open_page):
    pages = [(open_page(locale), question, words) for locale, question, words in PEOPLE * 2]
    for page, question, _ in pages:
        page.fill("#question textarea", question)
    for page, _, _ in pages:
        page.keyboard.press("Enter")
    for page, question, words in pages:
        page.wait_for_function("document.querySelector('#chat .answer .foot') && document.querySelector('#question .submit-button')")
        assert page.locator("#chat .user-row").all_inner_texts() == [question]
        said = page.inner_text("#chat .answer")
        assert words in said and not [other for _, _, other in PEOPLE if other != words and other in said]
        assert page.locator(CHIP).count() >= 1 and page.locator("#sources .turn.show .card").count() >= 1


def test_enter_that_ends_a_composition_does_not_send_and_the_next_one_does(open_page):
    listen = """window.composing = [];
        window.addEventListener('compositionstart', () => composing.push('start'), true);
        window.addEventListener('keydown', event => event.key === 'Enter' && composing.push(event.isComposing), true);"""
    page = open_page(script=listen)
    method = page.context.new_cdp_session(page)
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    page.focus("#question textarea")
    method.send("Input.imeSetComposition", {"text": "lishu", "selectionStart": 5, "selectionEnd": 5})
    method.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})  # picks the first candidate
    method.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
    method.send("Input.insertText", {"text": "梨树有多少棵？"})
    # what other input methods send for the same key: its code says that they have handled it
    page.dispatch_event("#question textarea", "keydown", {"key": "Enter", "keyCode": 229, "bubbles": True})
    page.dispatch_event("#question textarea", "keypress", {"key": "Enter", "keyCode": 229, "bubbles": True})
    assert page.evaluate("composing").count("start") == 1 and page.evaluate("composing")[:2] == ["start", True]
    assert page.input_value("#question textarea").endswith("梨树有多少棵？")
    page.fill("#question textarea", "梨树有多少棵？")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chat .answer .foot")
    assert "三千棵" in page.inner_text("#chat .answer") and page.locator("#chat .user-row").count() == 1


@pytest.mark.parametrize(("locale", "questions"), READ)
def test_every_sentence_shown_is_the_text_of_the_report_at_its_span(open_page, server, locale, questions):
    page = open_page(locale)
    store = open_index(server[1].parent / "index")
    for question in questions:
        ask(page, question)
    with page.expect_download() as waiting:
        chosen_tab(page, "talks", "#talks li")
        page.locator('[data-export="json"]').click()
    turns = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))["turns"]
    assert [turn["question"] for turn in turns] == list(questions)
    shown = page.locator("#chat .say").count()
    assert shown == sum(len(turn["claims"]) for turn in turns) >= len(questions)
    place = 0
    for turn in turns:
        places = {citation["n"]: citation for citation in turn["citations"]}
        for claim in turn["claims"]:
            paragraph = page.locator("#chat .say").nth(place)
            said = paragraph.evaluate(
                "p => { const copy = p.cloneNode(true); copy.querySelectorAll('.chip, .verdict').forEach(part => part.remove()); return copy.textContent; }"
            ).replace("\u2060", "")
            quotes = [store.document(places[n]["document"]).text[places[n]["start"] : places[n]["end"]] for n in claim["citations"]]
            assert said.strip() == " ".join(quotes).strip() and claim["verdict"] == "quoted"
            chips = paragraph.locator('a[href^="#cite-"]')
            assert chips.count() == len(quotes)
            for number, quote in enumerate(quotes):
                chips.nth(number).click()
                page.wait_for_selector(f'#chat a.lit[href="{chips.nth(number).get_attribute("href")}"]')
                assert lit(page) == quote
                page.wait_for_function(  # scrolled to, with the address as it was
                    """() => { const box = document.querySelector('#sources mark.lit').getBoundingClientRect();
                        return box.height > 0 && box.top >= 0 && box.top < innerHeight && location.hash === ''; }"""
                )
            place += 1


def test_an_export_holds_footnotes_with_their_pages_and_a_refusal_no_footnote(open_page):
    page = open_page("en-US")
    ask(page, TALL)
    ask(page, UNKNOWN)
    with page.expect_download() as waiting:
        page.locator("#export").click()
    exported = Path(waiting.value.path()).read_text(encoding="utf-8")
    notes = [line for line in exported.splitlines() if line.startswith("[^")]
    assert notes and all(note.startswith("[^t1-") and "p. 4" in note for note in notes)


def test_markup_in_a_question_is_shown_and_neither_searched_nor_carried_on(open_page):
    page = open_page()
    ask(page, "<b onclick='window.PWNED=1'>2030 年零售业</b>有多少直播由数字人主持？")
    assert page.inner_text("#chat .user-row").strip() == "<b onclick='window.PWNED=1'>2030 年零售业</b>有多少直播由数字人主持？"
    assert "99%" in page.inner_text("#chat .answer") and page.inner_text("#chat .query") == "2030 年零售业有多少直播由数字人主持？"
    ask(page, "那能源行业呢？")
    assert page.locator("#chat .query").last.inner_text() == "2030 年零售业有多少直播由数字人主持；那能源行业呢？"


def test_each_refusal_and_complaint_is_in_one_language(open_page):
    page = open_page("zh-CN")
    ask(page, "\U0001f600\U0001f600")
    assert page.locator("#chat .trouble").last.inner_text() == "这个问题没法处理：问题里没有文字，请至少写一个词"
    ask(page, "谁赢得了 2022 年世界杯？")
    assert not re.search("[A-Za-z]{2}", page.locator("#chat .missing").last.inner_text())
    ask(page, "Who won the 2022 World Cup?")
    assert not re.search("[\u4e00-\u9fff]", page.locator("#chat .missing").last.inner_text())
    ask(page, "达摩院和华为对芯片的看法有什么不同？")
    assert not re.search("Nothing found|digest", page.locator("#chat .answer").last.inner_text())


def test_a_long_answer_is_read_from_its_question_on_and_scrolling_is_left_alone(open_page):
    page = open_page(width=390, height=700, has_touch=True, is_mobile=True)
    ask(page, "梨树有多少棵？")
    ask(page, "存算一体有哪三条技术路径？")
    page.wait_for_selector("#chat a.ask")
    places = "() => [...document.querySelectorAll('#chat .bubble-wrap, #chat .user-row')].map(part => part.getBoundingClientRect().top)"
    chat, _, last = page.evaluate(places)
    assert 0 <= last - chat < 40 and page.evaluate("document.querySelector('#chat .bubble-wrap').scrollHeight") > 800
    page.fill("#question textarea", LONG)
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#chat').innerText.includes('number 1')")
    page.dispatch_event("#chat .bubble-wrap", "wheel", {"bubbles": True})
    page.evaluate("document.querySelector('#chat .bubble-wrap').scrollTop = 0")
    page.wait_for_function("document.querySelector('#chat').innerText.includes('number 5')")
    assert page.evaluate("document.querySelector('#chat .bubble-wrap').scrollTop") == 0
    page.locator("#question .stop-button").click()
    page.wait_for_function("[...document.querySelectorAll('#chat .answer .foot')].pop().innerText === '已停止'")


# the last test: it leaves reports behind
def test_questions_during_a_long_change_are_answered_from_the_reports_as_they_were(open_page, tmp_path):
    page, other = open_page("en-US"), open_page("en-US")
    chosen_tab(page, "reports", "#reports li")
    chosen_tab(other, "reports", "#reports li")
    before = page.locator("#reports li").count()
    files = []
    for number in range(3):
        facts = (
            f"Kiln {number * 2000 + line} was fired on {line % 28 + 1} May and held {line % 90 + 9} jars of glaze." for line in range(700)
        )
        files.append(tmp_path / f"kilns-{number}.md")
        files[-1].write_text(
            f"# Kiln Register {number}\n\nThe wexford kiln gave {600 + number} jugs.\n\n" + "\n\n".join(facts), encoding="utf-8"
        )
    page.set_input_files("#add input[type=file]", [str(file) for file in files])
    page.wait_for_selector("#changing progress")
    ask(other, "How many jugs did the wexford kiln give?")
    ask(other, "What does CIPU stand for?")
    assert page.locator("#changing progress").count() == 1  # still at it
    during = other.locator("#chat .answer").all_inner_texts()
    assert "Not found" in during[0] and "cloud infrastructure processing unit" in during[1]
    assert other.locator("#reports li").count() == before == page.locator("#reports li").count()
    page.wait_for_function("n => document.querySelectorAll('#reports li').length === n", arg=before + 3, timeout=120_000)
    ask(other, "How many jugs did the wexford kiln give in register 2?")
    assert "602 jugs" in other.locator("#chat .answer").last.inner_text()
