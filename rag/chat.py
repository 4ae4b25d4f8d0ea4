"""The front door: open an index once, then ask, stream and search.

`Assistant` holds finished parts and hands them on; what happens to a question stands in `stream`, step by step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rag.answer.compose import ExtractiveAnswerer
from rag.config import Config
from rag.errors import EncoderError, RagError, UsageError
from rag.index.encoder import open_encoder, open_reranker
from rag.index.snapshot import Snapshot, open_index
from rag.search.evidence import Retriever
from rag.search.question import read_question, without_markup
from rag.search.reader import Reader
from rag.search.retrieve import Explained
from rag.search.sentences import SentenceIndex
from rag.types import Answer, Citation, Claim, Document, Encoder, Filter, Hit, Turn

if TYPE_CHECKING:
    from rag.llm.client import Failure, Writer

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
class Writing:
    """What an LLM has written so far of the sentence that is not finished; unchecked, to be shown as such or not at all.

    It also comes while nothing does, several times a second, so that whoever listens can stop.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Everything said so far is void: the LLM failed and extracts follow, or nothing that it said had support."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer; always the last event."""

    answer: Answer


Event: TypeAlias = Rewritten | Writing | Said | Withdrawn | Finished


class Assistant:
    """Answers questions from one index. Safe to use from several threads; sees a newly published generation at the next question."""

    def __init__(self, config: Config, encoder: Encoder, snapshot: Snapshot, reader: Reader | None = None):
        self.config = config
        self.encoder = encoder
        self.reader = reader or Reader()
        self._snapshot = snapshot
        self._swapping = threading.Lock()
        self._sentences = SentenceIndex()
        self._writer: Writer | None = None
        self._judge: Callable[[str, str], float] | None = None
        self._reranker = open_reranker(config.reranker) if config.reranker else None

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

    @property
    def model(self) -> str:
        """The LLM that may write answers; empty when none is configured."""
        return self.config.llm_model if self.config.llm_base_url else ""

    def ask(self, question: str, *, history: Sequence[Turn] = (), only: Filter | None = None, llm: bool = False) -> Answer:
        """The whole answer. Raises UsageError for an empty or over-long question, a filter that no report passes, or an LLM not configured."""
        for event in self.stream(question, history=history, only=only, llm=llm):
            if isinstance(event, Finished):
                return event.answer
        raise AssertionError("a stream ends with Finished")

    def stream(self, question: str, *, history: Sequence[Turn] = (), only: Filter | None = None, llm: bool = False) -> Iterator[Event]:
        """Rewritten, then Said for each sentence, then Finished. Raises as `ask` does.

        With `llm` a model writes the sentences and Writing shows them growing, also before Rewritten; whether there is an answer at all is
        still decided by the evidence. Whatever goes wrong at the endpoint ends in extracts. Closing the iterator ends the model's request.
        """
        started = time.perf_counter()
        text = self._checked(question)
        store = self._current()
        reports = self._reports(store, only)

        writer = self._open_writer() if llm else None

        failure = None
        if writer and history:
            standalone, failure = yield from _rewritten(writer, text, history)
            text, history = (standalone, ()) if standalone else (text, history)
        after_rewrite = time.perf_counter()

        evidence = self._retriever(store).find(text, history, only, reports)
        yield Rewritten(evidence.query)
        hits = evidence.hits
        after_search = time.perf_counter()

        answer = ExtractiveAnswerer(self.reader, self._sentences, store.document, self.config.strictness).answer(evidence, reports)
        checking = 0.0
        if writer and not answer.abstained:
            answer, checking = yield from self._write(writer, store, hits, answer, history, failure)
        finished = time.perf_counter()
        if answer.mode == "extractive":
            for claim in answer.claims:
                yield Said(claim, tuple(citation for citation in answer.citations if citation.n in claim.citations))
        timings = {
            "rewrite": after_rewrite - started,
            "search": after_search - after_rewrite,
            "answer": finished - after_search - checking,
            "verify": checking,
            "total": finished - started,
        }
        yield Finished(replace(answer, question=question, timings_ms={name: 1000 * seconds for name, seconds in timings.items()}))

    def _write(
        self, writer: Writer, store: Snapshot, hits: Sequence[Hit], extract: Answer, history: Sequence[Turn], failure: Failure | None
    ) -> Generator[Event, None, tuple[Answer, float]]:
        """The model's answer to what `extract` answers, or `extract` with the reason why not; and the seconds spent on checking."""
        from rag.llm.client import CUT, Failure, told
        from rag.llm.stream import Prose, sources_of

        zh = extract.language == "zh"
        sources = sources_of(hits, self._sentences.of, store.document, extract.query, extract.citations)
        prose = Prose(sources, extract.language, strict=self.config.strictness == "strict", judge=self._judge)
        seconds, cut = 0.0, False

        def checked(found: Iterator[tuple[Claim, tuple[Citation, ...]]]) -> Iterator[Event]:
            nonlocal seconds
            while True:
                began = time.perf_counter()
                pair = next(found, None)
                seconds += time.perf_counter() - began
                if pair is None:
                    return
                yield Said(*pair)

        try:
            if failure:
                raise failure
            with closing(writer.write(extract.query, sources, history, extract.language)) as pieces:
                for piece in pieces:
                    cut = cut or piece == CUT
                    if piece != CUT:
                        yield from checked(prose.feed(piece))
                        yield Writing(prose.draft)
            yield from checked(prose.finish(cut))
        except Failure as error:
            reason = told(error, extract.language)
            if prose.claims:
                yield Withdrawn(reason)
            return replace(extract, reason=f"{reason} {extract.reason}".strip()), seconds
        written = replace(extract, mode="llm", model=writer.model, claims=tuple(prose.claims), citations=tuple(prose.citations))
        enough = ("supported",) if self.config.strictness == "strict" else ("supported", "partial")
        if any(claim.verdict in enough for claim in prose.claims):
            note = ("回答到了长度上限，后面的没有写完。" if zh else "The answer reached its limit of length and ends early.") if cut else ""
            return replace(written, reason=f"{note} {extract.reason}".strip()), seconds
        if prose.declined:
            reason = "语言模型没有在找到的段落里看到答案。" if zh else "The language model saw no answer in the passages that were found."
        else:
            reason = "语言模型写的话没有一句得到原文支持。" if zh else "Nothing that the language model wrote is supported by the reports."
        if prose.claims:
            yield Withdrawn(reason)
        return replace(written, claims=(), citations=(), abstained=True, reason=reason, nearest=extract.citations[:3]), seconds

    def _open_writer(self) -> Writer:
        if self._writer is None:
            from rag.llm.client import Writer  # with rag.llm.stream a tenth of a second that extracts need not spend
            from rag.llm.stream import open_judge

            self._writer = Writer.from_config(self.config)
            self._judge = open_judge(self.config.checker) if self.config.checker else None
        return self._writer

    def search(self, question: str, *, top_k: int = 10, only: Filter | None = None) -> list[Hit]:
        """The best chunks, best first. Raises as `ask` does."""
        store = self._current()
        reports = self._reports(store, only)
        asked = read_question(self._checked(question), reports)
        return self._retriever(store).search(asked, only, top_k)

    def explain(self, question: str, *, top_k: int = 10, only: Filter | None = None) -> list[Explained]:
        """As `search`, before the reader has read, with what each score is made of."""
        store = self._current()
        reports = self._reports(store, only)
        asked = read_question(self._checked(question), reports)
        return self._retriever(store).explained(asked, "", only, top_k)

    @property
    def store(self) -> Snapshot:
        """The newest good generation of the index."""
        return self._current()

    def documents(self) -> tuple[Document, ...]:
        """All reports, without their texts."""
        return self._current().documents()

    def passage(self, citation: Citation) -> Passage:
        """The text around a citation, for reading. Raises KeyError when the report is no longer indexed."""
        document = self._current().document(citation.document)
        sentences = self._sentences.of(document)
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
        text = without_markup(question.strip())
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

    def _retriever(self, store: Snapshot) -> Retriever:
        return Retriever(store, self.encoder, self.reader, self._sentences, self.config.candidates, self.config.top_k, self._reranker)


def _rewritten(writer: Writer, question: str, history: Sequence[Turn]) -> Generator[Event, None, tuple[str, Failure | None]]:
    """The model's standalone question where it passes the check, else ""; and the fault, if the endpoint failed."""
    from rag.llm.client import Failure, standalone

    pieces: list[str] = []
    try:
        with closing(writer.rewrite(question, history)) as written:
            for piece in written:
                pieces.append(piece)
                yield Writing("")
    except Failure as failure:
        return "", failure
    return standalone("".join(pieces), question, history), None
