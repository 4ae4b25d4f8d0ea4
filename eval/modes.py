"""Both ways of answering on the same questions, side by side: `rag eval --llm`.

First extracts, then the configured LLM; figures as of any run (with ALCE's citation recall and precision by the judge), paired intervals,
and what only prose has: how often it fell back to extracts and why, tokens sent and received, seconds. The LLM's latency is what a lone user
waits for; tokens are by our own count, and what they cost is for the asker's price list.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rag.config import Config
from rag.llm.client import Writer
from rag.llm.patience import KNOWN

from .compare import compare, show
from .report import Record, console
from .run import Setting, measure_all


def run_both(
    config: Config, questions: Path | None, output: Path | None, as_json: bool, setting: Setting, corpus: Path | None = None
) -> int:
    """Measures both, prints them side by side and leaves two folders; 0 when every question could be asked, else 5.

    Raises UsageError, before anything is asked, where no LLM is configured.
    """
    writer = Writer.from_config(config)
    quoted = measure_all(config, questions, output, replace(setting, llm=False), corpus)
    before = KNOWN.spent(writer.name)
    written = measure_all(config, questions, output, replace(setting, llm=True), corpus)
    spent = [after - earlier for after, earlier in zip(KNOWN.spent(writer.name), before, strict=True)]
    found = compare((quoted[1], quoted[2]), (written[1], written[2]))
    told = costs(written[2], spent)
    if as_json:
        changes = [asdict(change) for change in found.changes]
        folders = {"extracts": str(quoted[0]), "llm": str(written[0])}
        print(json.dumps({"n": found.n, "figures": changes, "llm": told, "folders": folders}, ensure_ascii=False))
    else:
        show(found)
        printer = console()
        for name, value in told.items():
            printer.print(f"{name.replace('_', ' ')}: {value}", highlight=False, soft_wrap=True)
        printer.print(f"extracts: {quoted[0]}\nllm:      {written[0]}", highlight=False, soft_wrap=True)
    return 5 if quoted[1]["errors"] or written[1]["errors"] else 0


def costs(records: Sequence[Record], spent: Sequence[int]) -> dict[str, Any]:
    """What prose cost: questions that it answered, that fell back and why, that were refused; requests and tokens; median and slow seconds.

    >>> answer = {"mode": "llm", "abstained": False, "reason": ""}
    >>> costs([{"error": "", "answer": answer, "milliseconds": 2000.0}], (1, 900, 60))["written"]
    1
    """
    asked = [record for record in records if not record["error"]]
    answered = [record for record in asked if not record["answer"]["abstained"]]
    fallen = [record["answer"]["reason"] for record in answered if record["answer"]["mode"] != "llm"]
    seconds = sorted(record["milliseconds"] / 1000 for record in asked)
    requests, sent, received = spent
    return {
        "written": len(answered) - len(fallen),
        "fell_back": len(fallen),
        "why": dict(Counter(fallen).most_common(5)),
        "refused": len(asked) - len(answered),
        "requests": requests,
        "tokens_sent": sent,
        "tokens_received": received,
        "seconds_median": round(seconds[len(seconds) // 2], 2) if seconds else 0.0,
        "seconds_p95": round(seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))], 2) if seconds else 0.0,
    }
