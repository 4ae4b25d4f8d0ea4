"""What a model is given and told, as both sides of the conversation need it: passages, and the words for "no answer"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.search.sentences import Sentence

NO_ANSWER = {"zh": "所给段落没有回答这个问题。", "en": "The passages do not answer this question."}
"""What the model is told to write when it finds no answer."""
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff\ud800-\udfff]")
"""What nobody sees and a model reads."""


@dataclass(frozen=True, slots=True)
class Source:
    """A passage as a model gets it: numbered, with the sentences that may be cited."""

    number: int
    heading: str
    """Title, publisher, year and section, for the model and for the check of names."""
    chunk: str
    score: float
    sentences: tuple[Sentence, ...]
    title: str = ""

    @property
    def text(self) -> str:
        """What the model reads: nothing invisible, one line a paragraph."""
        lines: list[str] = []
        block = None
        for sentence in self.sentences:
            if sentence.kind == "heading":
                continue
            said = " ".join(INVISIBLE.sub("", sentence.text).split())
            if sentence.speaker and sentence.block != block:
                said = f"（{sentence.speaker}）{said}"
            if sentence.block == block:
                lines[-1] += said if not said[:1].isascii() else f" {said}"
            else:
                lines.append(said)
            block = sentence.block
        return "\n".join(lines)
