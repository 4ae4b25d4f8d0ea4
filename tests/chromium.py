"""A real browser before the page of the real server: fixtures and steps that several test files share."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync".split()
LEAVING = re.compile("AbortError: (?:signal is|BodyStreamBuffer was) aborted|Connection errored out")
"""What the framework says when a page is left while it still listens."""
CHIP = '#chat a[href^="#cite-"]'


def start(folder: Path, *options: str) -> tuple[subprocess.Popen, str, Path]:
    """The server on a free port over reports in `folder`, its address and the file with what it wrote."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = folder / "said.txt"
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["HTTP_PROXY"] = "http://127.0.0.1:9"  # a proxy that is not there must not stop the page
    with said.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "browser.py"), str(port), str(folder), "--alone", *options],
            env=environment,
            stdout=file,
            stderr=file,
        )
    address = f"http://127.0.0.1:{port}/"
    for _ in range(600):
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5).read(1)
            return process, address, said
        except urllib.error.HTTPError:
            return process, address, said
        except OSError:
            assert process.poll() is None, said.read_text()
            time.sleep(0.15)
    raise AssertionError("the page did not come up")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    process, address, said = start(tmp_path_factory.mktemp("page"), "--warn")
    yield address, said
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def browser(server):
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium, or set CHROMIUM to its path")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def open_page(browser, server):
    """Opens a page; at the end of the test it must have asked nobody else, logged no error and run nothing hostile."""
    contexts, seen = [], []

    def opened(locale: str = "zh-CN", width: int = 1360, height: int = 860, beside=None, script: str = "", **options):
        context = beside.context if beside else browser.new_context(locale=locale, viewport={"width": width, "height": height}, **options)
        page = context.new_page()
        page.set_default_timeout(60_000)
        if script:  # runs before those of the page
            page.add_init_script(script)
        page.on("request", lambda request: seen.append(("request", request.url)))
        page.on("response", lambda reply: seen.append(("status", f"{reply.status} {reply.url}")) if reply.status >= 400 else None)
        page.on("pageerror", lambda error: seen.append(("error", str(error))))
        page.on(
            "console",
            lambda message: (
                seen.append(("console", message.text)) if message.type == "error" and not LEAVING.search(message.text) else None
            ),
        )
        page.goto(server[0])
        page.wait_for_function(
            "document.querySelector('#chat .placeholder')?.innerText.includes('8') || document.querySelector('#chat .answer')"
        )
        page.wait_for_selector("#sources > *", state="attached")
        contexts.append((context, page))
        return page

    yield opened
    for _, page in contexts:
        assert page.evaluate("window.PWNED") is None
    for context in {context for context, _ in contexts}:
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


def chosen_tab(page, name: str, inside: str) -> None:
    page.locator(f"#tab-{name}-button").click()
    page.wait_for_selector(inside)
