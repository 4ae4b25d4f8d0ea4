"""A stand-in for the trained reader that gives what a test says, so that a test is about what follows from a reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.index.lexical import terms
from rag.search.reader import Passage, Reading
from rag.types import Turn


class ScriptedReader:
    """`intents` maps a message to what it wants, "content" for any other; sentences with a word of `likes` belong to the answer."""

    def __init__(self, intents: Mapping[str, str] | None = None, likes: Sequence[str] = (), kind: str = "entity"):
        self.intents, self.likes, self.asked_kind = dict(intents or {}), tuple(likes), kind
        self.read_with: list[str] = []

    def intent(self, message: str, after_answer: bool) -> dict[str, float]:
        wish = self.intents.get(message, "content")
        return {wish: 0.9, "content" if wish != "content" else "takeaways": 0.1}

    def confidence(self, answers: float, best: float, pair: str) -> float:
        return 0.9 if best > 0 or not self.likes else 0.1

    def threshold(self, strictness: str, pair: str) -> float:
        return 0.5

    def support(self, claim: str, evidence: Sequence[str]) -> tuple[float, float, float]:
        return 1.0, 0.0, 0.0

    def kind(self, question: str) -> dict[str, float]:
        return {self.asked_kind: 1.0}

    def read(self, question: str, passages: Sequence[Passage], history: Sequence[Turn] = ()) -> list[Reading]:
        self.read_with.append(question)
        return [Reading(1.0, tuple(self._like(question, sentence) for sentence in passage.sentences)) for passage in passages]

    def _like(self, question: str, sentence: str) -> float:
        """4 for a sentence with a word of `likes`; without such words the more, the more terms a sentence shares with the question."""
        if self.likes:
            return 4.0 if any(word in sentence for word in self.likes) else -4.0
        asked = {term for term in terms(question) if len(term) > 1}
        return 4.0 * len(asked & set(terms(sentence))) / max(1, len(asked)) - 1.0
