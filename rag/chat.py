"""The front door: open an index once, then ask, stream and search.

`Assistant` holds finished parts and hands them on; what happens to a question stands in `stream`, step by step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from rag.answer import Composer
from rag.config import Config
from rag.encoder import BuiltinEncoder, open_encoder
from rag.errors import EncoderError, RagError, UsageError
from rag.followup import rewrite
from rag.index import Snapshot, open_index
from rag.question import Question, read_question, without_names
from rag.rank import Scored, SentenceRanker
from rag.search import search, weigh_terms
from rag.types import Answer, Citation, Claim, Document, Encoder, Filter, Hit, Turn

SECTION_PRIOR = 1.15
"""In a follow-up, sentences of a section that the last answer cited count this much more."""
PASSAGE_CHARACTERS = 700
"""A passage for reading grows beyond its chunk's sentence to at most about this size."""


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

    def __init__(self, config: Config, encoder: Encoder, snapshot: Snapshot, words: BuiltinEncoder | None = None):
        self.config = config
        self.encoder = encoder
        self._snapshot = snapshot
        self._swapping = threading.Lock()
        # Likeness of sentences is judged by token vectors, which only the built-in encoder has; it is small enough to be always there.
        words = words or (encoder if isinstance(encoder, BuiltinEncoder) else BuiltinEncoder())
        self._ranker = SentenceRanker(words.token_vectors)

    @classmethod
    def open(cls, config: Config) -> Assistant:
        """Opens the index and the encoder that the configuration names. Raises NothingIndexed, IndexDamaged, IndexMismatch, EncoderError."""
        try:
            encoder = open_encoder(config.encoder)
        except EncoderError:
            open_index(Path(config.index_dir))  # where nothing is indexed, that is the news
            raise
        return cls(config, encoder, open_index(Path(config.index_dir), encoder=encoder))

    @property
    def warning(self) -> str:
        """What people should know about the index that is served, such as an older generation after damage; empty when all is well."""
        return self._snapshot.warning

    def ask(self, question: str, *, history: Sequence[Turn] = (), only: Filter | None = None) -> Answer:
        """The whole answer. Raises UsageError for an empty or over-long question, or a filter that no report passes."""
        for event in self.stream(question, history=history, only=only):
            if isinstance(event, Finished):
                return event.answer
        raise AssertionError("a stream ends with Finished")

    def stream(self, question: str, *, history: Sequence[Turn] = (), only: Filter | None = None) -> Iterator[Event]:
        """Rewritten, then Said for each sentence, then Finished. Raises as `ask` does."""
        started = time.perf_counter()
        text = self._checked(question)
        store = self._current()
        reports = self._reports(store, only)

        rewritten = rewrite(text, history)
        asked = (
            read_question(rewritten.query, reports)
            if not rewritten.carried
            else _with_kind(read_question(text, reports), rewritten.leaned_on, reports)
        )
        asked = replace(asked, core=rewritten.core)
        yield Rewritten(rewritten.query)
        after_rewrite = time.perf_counter()

        hits = self._search(store, asked, rewritten.carried, only, self.config.top_k)
        if asked.kind == "compare":
            asked = replace(asked, core=without_names(asked.core, reports))
            hits = self._search_each(store, asked, rewritten.carried, reports, only, hits)
        after_search = time.perf_counter()

        shares = weigh_terms(store, asked.core, rewritten.carried)
        scored = self._ranker.rank(asked, shares, hits, store.document, rewritten.carried)
        scored = _prefer_sections(scored, history) if rewritten.carried else scored
        answer = Composer(self._ranker, store.document, self.config.strictness).compose(asked, rewritten.query, scored, reports)
        finished = time.perf_counter()
        for claim in answer.claims:
            yield Said(claim, tuple(citation for citation in answer.citations if citation.n in claim.citations))
        timings = {
            "rewrite": after_rewrite - started,
            "search": after_search - after_rewrite,
            "answer": finished - after_search,
            "verify": 0.0,
            "total": finished - started,
        }
        yield Finished(replace(answer, question=question, timings_ms={name: 1000 * seconds for name, seconds in timings.items()}))

    def search(self, question: str, *, top_k: int = 10, only: Filter | None = None) -> list[Hit]:
        """The best chunks, best first. Raises as `ask` does."""
        store = self._current()
        asked = read_question(self._checked(question), self._reports(store, only))
        return self._search(store, asked, "", only, top_k)

    def documents(self) -> tuple[Document, ...]:
        """All reports, without their texts."""
        return self._current().documents()

    def passage(self, citation: Citation) -> Passage:
        """The text around a citation, for reading. Raises KeyError when the report is no longer indexed."""
        document = self._current().document(citation.document)
        sentences = self._ranker.sentences(document)
        inside = [i for i, sentence in enumerate(sentences) if sentence.start < citation.end and sentence.end > citation.start]
        first, last = (inside[0], inside[-1]) if inside else (0, 0)
        section = sentences[first].section if sentences else ()
        grown = True
        while grown:
            grown = False
            for side in (first - 1, last + 1):
                if 0 <= side < len(sentences) and sentences[side].section == section:
                    low, high = min(first, side), max(last, side)
                    if sentences[high].end - sentences[low].start <= PASSAGE_CHARACTERS:
                        first, last, grown = low, high, True
        start = min(sentences[first].start, citation.start) if sentences else citation.start
        end = max(sentences[last].end, citation.end) if sentences else citation.end
        return Passage(
            document.id,
            document.title,
            document.publisher,
            document.year,
            document.language,
            citation.section,
            citation.page,
            start,
            document.text[start:end],
        )

    def _checked(self, question: str) -> str:
        text = question.strip()
        if not any(character.isalnum() for character in text):
            raise UsageError("the question is empty: ask something with at least one word")
        if len(text) > self.config.max_question_chars:
            raise UsageError(f"the question has {len(text)} characters, more than {self.config.max_question_chars}: ask a shorter one")
        return text

    def _current(self) -> Snapshot:
        """The newest good generation. One that fails to open leaves the old one in service."""
        snapshot = self._snapshot
        if not snapshot.is_current() and self._swapping.acquire(blocking=False):
            try:
                self._snapshot = open_index(Path(self.config.index_dir), encoder=self.encoder)
            except RagError:
                pass
            finally:
                self._swapping.release()
        return self._snapshot

    def _reports(self, store: Snapshot, only: Filter | None) -> tuple[Document, ...]:
        documents = store.documents()
        allowed = tuple(document for document in documents if only is None or only.allows(document))
        if only:
            for name in only.reports:
                if not any(Filter((name,)).allows(document) for document in documents):
                    raise UsageError(f"no report {name!r} is indexed; there are {', '.join(document.id for document in documents[:8])}")
            if not allowed:
                raise UsageError("no report passes the filter: loosen it, or see `rag list`")
        return allowed

    def _search(self, store: Snapshot, asked: Question, carried: str, only: Filter | None, top_k: int) -> list[Hit]:
        return search(
            store,
            self.encoder,
            asked.core,
            carried=carried,
            only=only,
            named=frozenset(asked.reports),
            candidates=max(self.config.candidates, top_k),
            top_k=top_k,
        )

    def _search_each(
        self, store: Snapshot, asked: Question, carried: str, reports: Sequence[Document], only: Filter | None, hits: list[Hit]
    ) -> list[Hit]:
        """For a comparison: the best chunks of each report that is named, or of the reports that the first search found."""
        found = list(dict.fromkeys([*asked.reports, *(hit.chunk.document for hit in hits)]))[:4]
        each = max(4, self.config.top_k // max(1, len(found)))
        return [
            hit for document in reports if document.id in found for hit in self._search(store, asked, carried, Filter((document.id,)), each)
        ]


def _with_kind(asked: Question, leaned_on: str, reports: Sequence[Document]) -> Question:
    """A follow-up that does not say what kind of answer it wants takes the kind of the question before; so do names of reports."""
    before = read_question(leaned_on, reports)
    named = tuple(dict.fromkeys([*before.reports, *asked.reports]))
    kind = before.kind if asked.kind == "other" else asked.kind
    if len({name.split(".")[0] for name in asked.reports}) == 1 and asked.reports != before.reports and before.reports:
        kind = "compare" if asked.kind in ("other", "entity") else kind
    return replace(asked, kind=kind, asked=asked.asked or (before.asked if asked.kind == "other" else ()), reports=named)


def _prefer_sections(scored: list[Scored], history: Sequence[Turn]) -> list[Scored]:
    """Sentences of the sections that the last answer cited come a little forward."""
    cited = set(history[-1].sections) if history else set()
    if not cited:
        return scored
    raised = [
        replace(item, score=item.score * SECTION_PRIOR) if (item.sentence.document, item.sentence.section) in cited else item
        for item in scored
    ]
    return sorted(raised, key=lambda item: (-item.score, item.sentence.document, item.sentence.position))
