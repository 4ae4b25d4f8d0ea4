"""The page and the command line with a language model that is scripted: what it invents is struck, and Stop reaches it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from chromium import CHROMIUM, FLAGS
from scripted_llm import Reply, ScriptedLLM
from test_llm import GOOD, QUESTION, WRONG, opened  # noqa: F401  (a fixture)
from tiny_reader import needs_weights

pytestmark = needs_weights  # the real program answers

ROOT = Path(__file__).resolve().parent.parent
TRUE_TOO = "泻湖式对生态的影响最小[3]。"
TOLD = "数字 80% 不在所引原文中，原文写 60%"


def environment(upstream: ScriptedLLM) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and not name.startswith("RAG_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "RAG_LLM_BASE_URL": upstream.base_url,
        "RAG_LLM_MODEL": "tiny",
        "RAG_TARGET_TOKENS": "120",
        "RAG_MAX_TOKENS": "160",
    }


def command(opened, *words: str) -> list[str]:  # noqa: F811
    return [sys.executable, "-m", "rag", *words, "--index", str(opened.config.index_dir)]


def test_the_command_line_strikes_exactly_the_false_sentence(opened, tmp_path):  # noqa: F811
    with ScriptedLLM(GOOD + WRONG + TRUE_TOO) as upstream:
        ran = subprocess.run(
            command(opened, "ask", QUESTION, "--llm"), env=environment(upstream), cwd=tmp_path, capture_output=True, text=True, check=True
        )
    assert ran.stdout.count("~~") == 2 and "~~东岸的三座电站贡献了其中的 80%。~~[2]" in ran.stdout
    assert [line.strip() for line in ran.stdout.splitlines() if line.startswith("  !")] == [
        f"! 原文不支持：东岸的三座电站贡献了其中的 80%。（{TOLD}）"
    ]


@contextmanager
def a_page(opened, environment: dict[str, str], folder: Path):  # noqa: F811
    """The page of the real program in a real browser, started in a folder, where its log stays too."""
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium, or set CHROMIUM to its path")
    playwright = pytest.importorskip("playwright.sync_api")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command(opened, "serve", "--port", str(port)), env=environment, cwd=folder, stdout=said, stderr=said)
    try:
        while "http://" not in (folder / "said.txt").read_text():
            assert process.poll() is None, (folder / "said.txt").read_text()
            time.sleep(0.1)
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
            page = browser.new_context(locale="zh-CN").new_page()
            page.set_default_timeout(60_000)
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector("#sources > *", state="attached")
            yield page
            browser.close()
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def served(opened, tmp_path):  # noqa: F811
    """The model behind the page: a false number among true sentences, then one that never ends."""
    slow = Reply([GOOD, "东岸", *("的" for _ in range(500))], pause=0.1)
    with ScriptedLLM(GOOD + WRONG + TRUE_TOO, slow) as upstream, a_page(opened, environment(upstream), tmp_path) as page:
        yield page, upstream


def test_the_page_strikes_exactly_the_false_sentence_and_stop_reaches_the_model(served):
    page, upstream = served
    page.locator("#llm input").check()
    page.fill("#question textarea", QUESTION)
    page.keyboard.press("Enter")
    page.wait_for_selector("#chat .answer .foot")
    answer = page.locator("#chat .answer").last
    assert answer.locator("s").all_inner_texts() == ["东岸的三座电站贡献了其中的 80%。"]
    assert "4.2 GW" in answer.inner_text() and "泻湖式对生态的影响最小" in answer.inner_text()
    assert TOLD in page.locator("#chat .answer").last.evaluate("answer => answer.outerHTML")

    page.locator("#new").click()  # without a turn before it, so that it is a question and nothing else
    page.wait_for_selector("#chat .answer", state="detached")
    page.fill("#question textarea", QUESTION)
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#chat .answer .draft')?.innerText.includes('东岸')")
    page.locator("#question .stop-button").click()
    assert upstream.requests[-1].closed.wait(10)
    page.wait_for_function("[...document.querySelectorAll('#chat .answer .foot')].pop().innerText.includes('已停止')")


def test_the_extract_stands_until_prose_takes_its_place_and_the_wait_is_shown(opened, tmp_path):  # noqa: F811
    with ScriptedLLM(Reply([GOOD], delay=8)) as upstream, a_page(opened, environment(upstream), tmp_path) as page:
        page.locator("#llm input").check()
        page.fill("#question textarea", QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_function(
            "['4.2 GW', '模型正在读段落'].every(text => document.querySelector('#chat .answer')?.innerText.includes(text))"
        )
        answer = page.locator("#chat .answer").last
        page.wait_for_selector("#chat .answer .foot")
        assert "由 tiny 撰写" in answer.inner_text() and "模型正在读段落" not in answer.inner_text()


def test_the_llm_is_set_up_in_the_page(opened, tmp_path):  # noqa: F811
    words = Reply(["Station 7", " has 52", " turbines", ", as", " the list says."], delay=0.1, pause=0.05)
    with ScriptedLLM(lambda asked: words if "station 7" in asked.prompt else GOOD) as upstream:
        bare = {name: value for name, value in environment(upstream).items() if not name.startswith("RAG_LLM")}
        upstream.models = {"data": [{"id": "tiny", "max_model_len": 4096}]}
        with a_page(opened, bare, tmp_path) as page:
            assert not page.locator("#llm").is_visible()
            page.locator("#tab-settings-button").click()
            page.locator("#set-url :is(textarea, input)").fill(upstream.base_url)
            page.locator("#set-key input").fill("sk-canary-9")
            page.locator("#set-list").click()
            page.wait_for_function("document.querySelector('#settings-told').innerText.includes('找到 1 个模型')")
            page.locator("#set-test").click()
            page.wait_for_function("document.querySelector('#settings-told').innerText.includes('小题答对了')")
            page.locator("#set-save").click()
            page.wait_for_function("document.querySelector('#settings-told').innerText.includes('已保存')")
            assert page.locator("#set-key input").input_value() == "" and page.locator("#set-context input").input_value() == "4096"
            page.locator("#llm input").check()
            page.fill("#question textarea", QUESTION)
            page.keyboard.press("Enter")
            page.wait_for_function("document.querySelector('#chat')?.innerText.includes('由 tiny 撰写')")
            assert "canary" not in page.content()
    held = {file.name: file.read_text() for file in tmp_path.iterdir() if file.is_file()}
    assert [name for name, text in held.items() if "canary" in text] == ["rag.secrets.toml"]
    assert (tmp_path / "rag.secrets.toml").stat().st_mode & 0o777 == 0o600
