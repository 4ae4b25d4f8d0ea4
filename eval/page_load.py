"""Figures of the chat page on this machine: `python -m eval.page_load`. Starts it over the bundled corpus, in a folder of its own.

First byte from the start of the process, first words of an answer, ten people asking at once, memory over 300 questions, weight of the page.
Nothing here is a test: a busy machine gives other figures.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from rag.config import bundled
from rag.index.build import build_index
from rag.index.encoder import open_encoder

QUESTIONS = (
    "存算一体有哪三条技术路径？",
    "2030 年零售业有多少直播由数字人主持？",
    "Now-Casting 是什么？",
    "What does CIPU stand for?",
    "云原生安全面临哪些挑战？",
    "What is expected of retail in 2030?",
    "谁赢得了 2022 年世界杯？",
    "Chiplet 有什么好处？",
    "What does the report say about digital twins?",
    "大模型的参数规模会怎么变化？",
)


def main() -> None:
    """Measures and prints one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=int, default=300, help="questions in a row for the memory figure")
    many = parser.parse_args().many
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        build_index([bundled("corpus")], index, open_encoder("builtin"))
        process, address, seconds = start(index, Path(folder))
        try:
            print(f"first byte after start: {seconds:.2f} s")
            weigh(address)
            asked = asker(address)
            asked(QUESTIONS[0])
            firsts = sorted(asked(question)[0] for question in QUESTIONS)
            print(f"one person: first words after {median(firsts):.2f} s (median), {firsts[-1]:.2f} s (longest)")
            together(address)
            growth(process.pid, asked, many)
        finally:
            process.terminate()
            process.wait(10)


def start(index: Path, folder: Path) -> tuple[subprocess.Popen, str, float]:
    """The server's process, its address and the seconds until its first byte."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    began = time.perf_counter()
    command = shutil.which("rag", path=str(Path(sys.executable).parent)) or "rag"
    process = subprocess.Popen([command, "serve", "--index", str(index), "--port", str(port)], cwd=folder, env=environment)
    address = f"http://127.0.0.1:{port}/"
    while process.poll() is None:
        try:
            opener().open(address, timeout=5).read(1)
            return process, address, time.perf_counter() - began
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the page did not start")


def opener() -> urllib.request.OpenerDirector:
    """Opens addresses without a proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def weigh(address: str) -> None:
    """Bytes of the page itself and of what its HTML names, as sent with compression."""

    def size(path: str) -> int:
        with opener().open(urllib.request.Request(address + path, headers={"Accept-Encoding": "br, gzip"})) as reply:
            return len(reply.read())

    html = opener().open(address).read().decode()
    named = sorted(set(re.findall(r'(?:src|href)="\.?/?((?:assets|static|theme)[^"]+)"', html)))
    own = [bundled("app.py").parent / "rag" / "web" / name for name in ("app.css", "app.js")]
    print(
        f"page: {size('') / 1024:.0f} kB of HTML sent, {sum(map(size, named)) / 1024:.0f} kB in {len(named)} files that it names; ", end=""
    )
    print(f"our style and script are {sum(file.stat().st_size for file in own if file.exists()) / 1024:.0f} kB of it before compression")


def asker(address: str) -> Callable[[str], tuple[float, float]]:
    """A function from a question to (seconds to the first words, seconds to the end), in a conversation that begins anew each time.

    It speaks as the page's own script does: joins the queue and reads the stream of what changes.
    """
    config = json.loads(opener().open(address + "config").read())
    box = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "question")
    event = next(each["id"] for each in config["dependencies"] if [box, "submit"] in [list(target) for target in each["targets"]])

    new = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "new")
    anew = next(each["id"] for each in config["dependencies"] if [new, "click"] in [list(target) for target in each["targets"]])
    session = os.urandom(8).hex()

    def asked(question: str) -> tuple[float, float]:
        send(address, session, anew, [None, None])
        body = json.dumps({"data": [question, "{}", None, None, ""], "fn_index": event, "session_hash": session}).encode()
        began, first = time.perf_counter(), 0.0
        joining = urllib.request.Request(address + "gradio_api/queue/join", data=body, headers={"Content-Type": "application/json"})
        opener().open(joining).read()
        with opener().open(f"{address}gradio_api/queue/data?session_hash={session}") as stream:
            for line in stream:
                if not first and (b"say" in line or b"missing" in line) and b"class" in line:
                    first = time.perf_counter() - began
                if b"process_completed" in line:
                    assert first, f"no words in answer to {question}: {line[:300]!r}"
                    return first, time.perf_counter() - began
        raise SystemExit(f"the stream ended before the answer to {question}")

    return asked


def send(address: str, session: str, event: int, data: list[Any]) -> None:
    """Runs an event that does not wait in the queue."""
    body = json.dumps({"data": data, "fn_index": event, "session_hash": session}).encode()
    opener().open(
        urllib.request.Request(address + "gradio_api/run/predict", data=body, headers={"Content-Type": "application/json"})
    ).read()


def together(address: str, people: int = 10) -> None:
    """Several people who ask at the same time."""
    askers, waits = [asker(address) for _ in range(people)], []

    def one(place: int) -> None:
        waits.append(askers[place](QUESTIONS[place % len(QUESTIONS)]))

    threads = [threading.Thread(target=one, args=(place,)) for place in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    firsts, ends = ([wait[at] for wait in waits] for at in (0, 1))
    print(
        f"{len(waits)} of {people} at once answered: first words {median(firsts):.2f} s (median), {max(firsts):.2f} s (longest); ", end=""
    )
    print(f"whole answer {median(ends):.2f} s (median), {max(ends):.2f} s (longest)")


def growth(pid: int, asked: Callable[[str], Any], many: int) -> None:
    """Memory before and after many questions."""

    def resident() -> float:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    for question in QUESTIONS * 2:
        asked(question)
    before = resident()
    for place in range(many):
        asked(f"{QUESTIONS[place % len(QUESTIONS)]} {place}")
    after = resident()
    print(f"memory: {before:.0f} MB, after {many} more questions {after:.0f} MB, growth {after - before:+.1f} MB")


if __name__ == "__main__":
    main()
