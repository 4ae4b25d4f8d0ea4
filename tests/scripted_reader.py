"""A tiny reader that takes whole messages for what a test says, so that a test is about what follows from a reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tiny_reader import TinyReader

from rag.search.reader import Passage, Reading
from rag.types import Turn


class ScriptedReader(TinyReader):
    """`wishes` maps a message to its intent, "content" for any other; with `likes`, only sentences with one of these words belong to an answer."""

    def __init__(self, wishes: Mapping[str, str] | None = None, likes: Sequence[str] = (), kind: str = "entity"):
        super().__init__(kind=kind)
        self.wishes, self.likes = dict(wishes or {}), tuple(likes)

    def intent(self, message: str, after_answer: bool) -> dict[str, float]:
        wish = self.wishes.get(message, "content")
        return {wish: 0.9, "content" if wish != "content" else "takeaways": 0.1}

    def read(self, question: str, passages: Sequence[Passage], history: Sequence[Turn] = ()) -> list[Reading]:
        if not self.likes:
            return super().read(question, passages, history)
        return [
            Reading(4.0, tuple(4.0 if any(word in sentence for word in self.likes) else -4.0 for sentence in passage.sentences))
            for passage in passages
        ]
