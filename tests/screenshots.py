"""Pictures of every state of the page: `python tests/screenshots.py FOLDER`, or `make screenshots`. Needs chromium and the reader's weights."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from browser import LONG, TALL, UNKNOWN
from chromium import CHIP, CHROMIUM, FLAGS, ask, start
from playwright.sync_api import Page, sync_playwright

FIRST = "存算一体有哪三条技术路径？"


def save_run(folder: Path) -> None:
    """Two invented runs of the evaluation, so that its tab has something to draw."""
    for number, value in enumerate((0.71, 0.78), 1):
        run = folder / "runs" / f"run-{number}"
        run.mkdir(parents=True)
        names = ("answer_hit", "recall_at_5", "evidence_covered", "claims_supported", "false_refusal")
        figures = {name: {"value": value - 0.1 * (name == "false_refusal") * 6, "n": 2, "low": 0.6, "high": 0.9} for name in names}
        saved = {
            "started": f"2030-01-0{number}T08:00:00",
            "n": 2,
            "questions": {"hash": "x"},
            "figures": figures,
            "failures": {"wrong answer": ["a"]},
        }
        (run / "run.json").write_text(json.dumps(saved))
        (run / "records.jsonl").write_text(json.dumps({"id": "a", "question": TALL}))


def main() -> int:
    """Writes the pictures and says where."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots").absolute()
    if not CHROMIUM:
        sys.stderr.write("no chromium: apt-get install chromium, or set CHROMIUM to its path\n")
        return 1
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        process, address, _ = start(Path(folder), "--shipped")
        save_run(Path(folder))
        shots = 0

        def shot(page: Page, name: str) -> None:
            nonlocal shots
            shots += 1
            page.wait_for_timeout(500)
            page.screenshot(path=target / f"{shots:02d}_{name}.png")

        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)

        def opened(**options) -> Page:
            options = {"viewport": {"width": 1360, "height": 860}, "locale": "zh-CN", **options}
            page = browser.new_context(**options).new_page()
            page.goto(address)
            page.wait_for_selector("#chat .example")
            page.wait_for_timeout(1500)
            return page

        try:
            page = opened()
            shot(page, "home")
            page.fill("#question textarea", FIRST)
            page.keyboard.press("Enter")
            page.wait_for_selector("#chat .say")
            page.screenshot(path=target / "00_streaming.png")
            page.wait_for_selector("#chat a.ask")
            shot(page, "answer")
            page.locator(CHIP).nth(3).click()
            shot(page, "citation")
            page.locator(CHIP).nth(5).hover()
            shot(page, "hover")
            ask(page, UNKNOWN)
            shot(page, "not_found")
            ask(page, "break the model")
            shot(page, "trouble")
            page.locator("#new").click()
            ask(page, "How many tonnes of granite does the harbour crane lift?")
            page.locator(CHIP).first.click()
            page.locator("#sources [data-see]").first.click()
            page.wait_for_selector("#viewer img")
            shot(page, "page_of_a_pdf")
            page.keyboard.press("Escape")
            page.locator("#tab-reports-button").click()
            page.wait_for_selector("#reports li")
            shot(page, "reports")
            added = Path(folder) / "nets.md"
            added.write_text("# 渔网年报\n\n每周一由三个人补网，每年补四百张。\n" * 40, encoding="utf-8")
            broken = Path(folder) / "broken.pdf"
            broken.write_text("%PDF-1.4")
            page.set_input_files("#add input[type=file]", [str(added), str(broken)])
            page.wait_for_selector("#changing progress")
            shot(page, "adding")
            page.wait_for_selector("#changing .bad", timeout=60_000)
            shot(page, "added")
            page.locator("#tab-explore-button").click()
            page.wait_for_selector("#explore .field")
            shot(page, "explore")
            page.fill("#explore [name=topic]", "芯片")
            page.locator("#explore .contrast button").click()
            page.wait_for_selector("#found .sides")
            shot(page, "contrast")
            page.locator("#tab-talks-button").click()
            page.wait_for_selector("#talks li")
            shot(page, "history")
            page.locator("#tab-scores-button").click()
            page.wait_for_selector("#scores li")
            shot(page, "scores")
            english = opened(locale="en-US", color_scheme="dark")
            shot(english, "home_english_dark")
            ask(english, TALL)
            shot(english, "verdicts_english_dark")
            english.fill("#question textarea", LONG)
            english.keyboard.press("Enter")
            english.wait_for_function("document.querySelector('#chat').innerText.includes('number 3')")
            english.locator("#question .stop-button").click()
            shot(english, "stopped")
            phone = opened(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
            shot(phone, "phone_home")
            ask(phone, FIRST)
            shot(phone, "phone_answer")
            phone.locator(CHIP).first.tap()
            shot(phone, "phone_sheet")
        finally:
            process.terminate()
            process.wait(10)
        browser.close()
    sys.stdout.write(f"{shots + 1} pictures in {target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
