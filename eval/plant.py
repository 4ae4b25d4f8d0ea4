"""Faults to plant, one part of the product taken out at a time: what an evaluation must notice if it is to be trusted.

`rag eval --plant encoder` runs with one; the run says so in its settings. Nothing here is used otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np

import rag.rules.verify
import rag.search.retrieve
from rag.chat import Assistant
from rag.index.encoder import BuiltinEncoder
from rag.types import Answer, Claim

RANK_CONSTANT = 60
"""Of reciprocal rank fusion, Cormack et al. 2009."""


@contextmanager
def planted(fault: str, assistant: Assistant) -> Iterator[Any]:
    """An assistant with that fault while the context lasts; "" plants nothing. `FAULTS` has the names."""
    with ExitStack() as stack:
        yield FAULTS[fault](assistant, stack) if fault else assistant


class _Changed:
    """An assistant whose answers go through a function."""

    def __init__(self, assistant: Assistant, change: Callable[[Answer], Answer]):
        self._assistant, self._change = assistant, change

    def ask(self, question: str, **options: Any) -> Answer:
        return self._change(self._assistant.ask(question, **options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._assistant, name)


def _without_encoder(assistant: Assistant, stack: ExitStack) -> Any:
    def nothing(texts: Sequence[str], **options: Any) -> np.ndarray:
        return np.zeros((len(texts), assistant.encoder.dimension), dtype=np.float32)

    stack.enter_context(patch.object(assistant.encoder, "encode", nothing))
    stack.enter_context(patch.object(BuiltinEncoder, "likeness", lambda self, question, texts: np.zeros(len(texts))))
    return assistant


def _without_verifier(assistant: Assistant, stack: ExitStack) -> Any:
    _patch_everywhere(stack, rag.rules.verify.check, lambda claim, evidence, *more, **options: ("supported", ""))
    return assistant


def _without_abstention(assistant: Assistant, stack: ExitStack) -> Any:
    def insist(answer: Answer) -> Answer:
        if not answer.abstained or not answer.nearest:
            return answer
        citations = tuple(replace(citation, n=n) for n, citation in enumerate(answer.nearest, 1))
        claims = tuple(Claim(citation.quote, (citation.n,), "quoted") for citation in citations)
        return replace(answer, abstained=False, reason="", nearest=(), claims=claims, citations=citations)

    return _Changed(assistant, insist)


def _plain_rank_fusion(assistant: Assistant, stack: ExitStack) -> Any:
    original = rag.search.retrieve.explained_search

    def fused(*arguments: Any, **options: Any) -> list[Any]:
        found = original(*arguments, **options | {"top_k": 4 * options.get("candidates", 60)})
        ranks: dict[str, float] = {}
        for score in ("lexical", "dense"):
            listed = [one.hit for one in found if getattr(one.hit, score)]
            for rank, hit in enumerate(sorted(listed, key=lambda hit: (-getattr(hit, score), hit.chunk.id)), 1):
                ranks[hit.chunk.id] = ranks.get(hit.chunk.id, 0.0) + 1 / (RANK_CONSTANT + rank)
        mixed = [replace(one, hit=replace(one.hit, fused=ranks.get(one.hit.chunk.id, 0.0))) for one in found]
        return sorted(mixed, key=lambda one: (-one.hit.fused, one.hit.chunk.id))[: options.get("top_k", 12)]

    _patch_everywhere(stack, original, fused)
    return assistant


def _patch_everywhere(stack: ExitStack, original: Any, planted: Any) -> None:
    """Puts `planted` wherever a module of the package has taken `original` in by name."""
    for name, module in list(sys.modules.items()):
        if name == "rag" or name.startswith("rag."):
            for attribute, value in list(vars(module).items()):
                if value is original:
                    stack.enter_context(patch.object(module, attribute, planted))


FAULTS: dict[str, Callable[[Assistant, ExitStack], Any]] = {
    "encoder": _without_encoder,
    "verifier": _without_verifier,
    "abstention": _without_abstention,
    "rank-fusion": _plain_rank_fusion,
}
"""Parts that can be taken out, or in the last case put back to the textbook form."""
