"""The front door: open an index once, then ask, stream and search.

`Assistant` holds finished parts and hands them on; what happens to a question stands in `stream`, step by step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rag.types import Answer, Citation, Claim, Document, Filter, Hit, Turn


@dataclass(frozen=True, slots=True)
class Passage:
    """What a person needs to see of a source: a readable stretch of the report around a citation.

    `citation.start - passage.start` is where the cited span begins inside `text`.
    """

    document: str
    title: str
    publisher: str
    year: int | None
    language: str
    section: str
    page: int | None
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The standalone question that is being searched."""

    query: str


@dataclass(frozen=True, slots=True)
class Said:
    """One finished sentence of the answer with its citations; numbers are final."""

    claim: Claim
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer; always the last event."""

    answer: Answer


Event: TypeAlias = Rewritten | Said | Finished


class Assistant:
    """Answers questions from one index. Safe to use from several threads; sees a newly published generation at the next question."""

    warning: str
    """What people should know about the index that is served, such as an older generation after damage; empty when all is well."""

    @classmethod
    def open(cls, config: "Config") -> "Assistant":
        """Opens the index and the encoder that the configuration names."""

    def ask(self, question: str, *, history: Sequence[Turn] = (), only: Filter = Filter()) -> Answer:
        """The whole answer. Raises UsageError for an empty or over-long question."""

    def stream(self, question: str, *, history: Sequence[Turn] = (), only: Filter = Filter()) -> Iterator[Event]:
        """Rewritten, then Said for each sentence, then Finished."""

    def search(self, question: str, *, top_k: int = 10, only: Filter = Filter()) -> list[Hit]:
        """The best chunks, best first."""

    def documents(self) -> tuple[Document, ...]:
        """All reports, without their texts."""

    def passage(self, citation: Citation) -> Passage:
        """The text around a citation, for reading."""
