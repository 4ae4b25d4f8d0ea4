"""The page and the command line with a language model that is scripted: what it invents is struck, and Stop reaches it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
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


@pytest.fixture(scope="module")
def served(opened, tmp_path_factory):  # noqa: F811
    """A page of the real program, and the model behind it: a false number among true sentences, then one that never ends."""
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium, or set CHROMIUM to its path")
    playwright = pytest.importorskip("playwright.sync_api")
    folder = tmp_path_factory.mktemp("served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    slow = Reply([GOOD, "东岸", *("的" for _ in range(500))], pause=0.1)
    with ScriptedLLM(GOOD + WRONG + TRUE_TOO, slow) as upstream:
        process = subprocess.Popen(
            command(opened, "serve", "--port", str(port)),
            env=environment(upstream),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            for line in process.stdout:
                if line.startswith("Provenote: "):
                    break
            with playwright.sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
                page = browser.new_context(locale="zh-CN").new_page()
                page.set_default_timeout(60_000)
                page.goto(f"http://127.0.0.1:{port}/")
                page.wait_for_selector("#sources > *", state="attached")
                yield page, upstream
                browser.close()
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()


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

    page.fill("#question textarea", QUESTION)
    page.keyboard.press("Enter")
    page.wait_for_function("[...document.querySelectorAll('#chat .answer')].pop().innerText.includes('东岸')")
    page.locator("#question .stop-button").click()
    assert upstream.requests[-1].closed.wait(10)
    page.wait_for_function("[...document.querySelectorAll('#chat .answer .foot')].pop().innerText.includes('已停止')")
