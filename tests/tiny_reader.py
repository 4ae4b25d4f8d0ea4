"""A reader without weights: what shares a question's words answers it. Deterministic, in no language, and with the methods of `rag.search.reader.Reader`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rag.chat import Assistant
from rag.config import Config
from rag.index.encoder import BuiltinEncoder
from rag.index.lexical import terms
from rag.index.snapshot import open_index
from rag.search.question import strip_asking
from rag.search.reader import FOLDER, KINDS, Passage, Reading
from rag.types import Turn

# The question before is read along where the question itself has fewer than FEW terms; its terms then have this share of the whole.
FEW, CARRIED = 6, 0.3
# Share of a question's terms at which a sentence is as likely to answer as not, and how steep the logit rises.
EVEN, SLOPE = 0.55, 10.0

# What the openers of a whole report or a section ask for.
WISHES = {
    "》主要讲了什么": "report_overview",
    "” about?": "report_overview",
    "这一部分讲了什么": "section_overview",
    "What does the section": "section_overview",
}

needs_weights = pytest.mark.skipif(not (FOLDER / "model.onnx").is_file(), reason=f"there are no weights in {FOLDER}")


class TinyReader:
    """`kinds` and `intents` map a piece of a question to what it is; the first that it holds counts, else `kind` and `intent`."""

    revision = "tiny"

    def __init__(
        self,
        kinds: Mapping[str, str] | None = None,
        intents: Mapping[str, str] | None = None,
        kind: str = "entity",
        intent: str = "content",
    ):
        self._kinds = {**(kinds or {}), "": kind}
        self._intents = {**(intents or {}), "": intent}
        self.intents = tuple(sorted(set(self._intents.values())))

    def read(self, question: str, passages: Sequence[Passage], history: Sequence[Turn] = ()) -> list[Reading]:
        weights = _weights(strip_asking(question))
        if history and len(weights) < FEW:
            before = _weights(strip_asking(history[-1].query or history[-1].question))
            weights = {term: CARRIED * weight for term, weight in before.items()} | {
                term: (1 - CARRIED) * weight for term, weight in weights.items()
            }
        found = []
        for passage in passages:
            scores = tuple(_logit({} if self._echoes(question, sentence) else weights, sentence) for sentence in passage.sentences)
            around = _logit(weights, " ".join((passage.heading, *passage.sentences)))
            found.append(Reading((max(scores, default=-SLOPE) + around) / 2, scores))
        return found

    def _echoes(self, question: str, sentence: str) -> bool:
        """Whether a sentence only repeats the question."""
        return set(terms(sentence)) <= set(terms(question))

    def sentence_chance(self, sentence: float, passage: float, overlap: float) -> float:
        return 1 / (1 + math.exp(-sentence)) * math.sqrt(1 / (1 + math.exp(-passage)))

    def confidence(self, answers: float, best: float, overlap: float, pair: str) -> float:
        return 1 / (1 + math.exp(-(answers + best) / 2))

    def threshold(self, strictness: str, pair: str) -> float:
        return {"strict": 0.7, "balanced": 0.5, "open": 0.2}[strictness]

    def support(self, claim: str, evidence: Sequence[str]) -> tuple[float, float, float]:
        shared = _share(_weights(claim), " ".join(evidence))
        partial = min(0.15, 1 - shared)
        return shared, partial, 1 - shared - partial

    def intent(self, message: str, after_answer: bool) -> dict[str, float]:
        return {name: float(name == _first(self._intents, message)) for name in self.intents}

    def kind(self, question: str) -> dict[str, float]:
        return {name: float(name == _first(self._kinds, question)) for name in KINDS}


def open_tiny(config: Config, kinds: Mapping[str, str] | None = None, intents: Mapping[str, str] | None = None) -> Assistant:
    """Opens an index with the built-in encoder and a tiny reader."""
    encoder = BuiltinEncoder()
    return Assistant(config, encoder, open_index(Path(config.index_dir), encoder=encoder), TinyReader(kinds, intents))


def _weights(text: str) -> dict[str, float]:
    """Weigh each term alike, 1 in all; single characters that are no digits only where there is nothing else."""
    found = dict.fromkeys(terms(text))
    longer = [term for term in found if len(term) > 1 or term.isdigit()] or list(found)
    return dict.fromkeys(longer, 1 / max(1, len(longer)))


def _share(weights: Mapping[str, float], text: str) -> float:
    """Weight of the terms that a text holds over that of all."""
    held = set(terms(text))
    return math.fsum(weight for term, weight in weights.items() if term in held) / (math.fsum(weights.values()) or 1.0)


def _logit(weights: Mapping[str, float], text: str) -> float:
    return SLOPE * (_share(weights, text) - EVEN)


def _first(pieces: Mapping[str, str], text: str) -> str:
    return next(name for piece, name in pieces.items() if piece in text)
