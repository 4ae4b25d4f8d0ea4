"""The front door: open an index once, then ask, stream and search.

`Assistant` holds finished parts and hands them on; what happens to a question stands in `stream`, step by step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from rag.answer.compose import ExtractiveAnswerer
from rag.answer.material import Asked, Material, names_report
from rag.answer.overview import questions
from rag.answer.respond import respond, wanted
from rag.config import Config
from rag.errors import EncoderError, RagError, UsageError
from rag.index.encoder import BuiltinEncoder, open_encoder, open_reranker, word_vectors
from rag.index.snapshot import Snapshot, open_index
from rag.rules.answering import RuleAnswerer
from rag.search.editions import in_language
from rag.search.evidence import Evidence, Retriever
from rag.search.overlap import Overlap
from rag.search.question import read_question, without_markup
from rag.search.reader import Reader
from rag.search.retrieve import Explained
from rag.search.sentences import SentenceIndex
from rag.types import Answer, Citation, Claim, Document, Encoder, Filter, Hit, Support, Turn

if TYPE_CHECKING:
    from rag.llm.client import Writer
    from rag.llm.failures import Failure

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
    stage: Literal["", "reading", "thinking"] = ""
    """What is waited for, as long as the model has not begun to write."""
    seconds: float | None = None
    """After how long the first word is expected, by the speed that the endpoint has shown; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """The extract, complete and final in itself, to be shown while an LLM is waited for: its prose takes the place if it holds."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Everything said so far is void: the LLM failed and extracts follow, or nothing that it said had support."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer; always the last event."""

    answer: Answer


Event: TypeAlias = Rewritten | Quoted | Writing | Said | Withdrawn | Finished


class Assistant:
    """Answers questions from one index. Safe to use from several threads; sees a newly published generation at the next question."""

    def __init__(
        self,
        config: Config,
        encoder: Encoder,
        snapshot: Snapshot,
        reader: Reader | None = None,
        support: Support | None = None,
        *,
        rules: bool | None = None,
    ):
        """`support` reads an LLM's sentence beside what it cites: by default the reader, or the model that the setting `checker` names.

        `rules` says whether the setting `answerer` may choose them; a reader that is given answers itself unless that is said.
        """
        self.config = config
        self.encoder = encoder
        self.reader = reader or Reader()
        self._snapshot = snapshot
        self._swapping = threading.Lock()
        self._sentences = SentenceIndex()
        self._overlap = Overlap(word_vectors(encoder), self._sentences)
        self._writer: Writer | None = None
        self._reranker = open_reranker(config.reranker) if config.reranker else None
        by_rules = config.answerer == "rules" and (reader is None if rules is None else rules)
        self._support = support or (None if by_rules else self.reader.support)
        self._rules = (
            RuleAnswerer(encoder, self._sentences, self._overlap, config.candidates, config.top_k, self._reranker) if by_rules else None
        )

    @classmethod
    def open(cls, config: Config, *, support: Support | None = None) -> Assistant:
        """Opens the index and the encoder that the configuration names. Raises NothingIndexed, IndexDamaged, IndexMismatch, EncoderError."""
        try:
            encoder = open_encoder(config.encoder)
        except EncoderError:
            open_index(Path(config.index_dir))  # where nothing is indexed, that is the news
            raise
        return cls(config, encoder, open_index(Path(config.index_dir), encoder=encoder), support=support)

    def reconfigure(self, config: Config) -> None:
        """Takes over settings of answering and of the LLM from the next question on; those of the index need a new Assistant."""
        self.config, self._writer = config, None

    @property
    def warning(self) -> str:
        """What people should know about the index that is served, such as an older generation after damage; empty when all is well."""
        return self._snapshot.warning

    @property
    def model(self) -> str:
        """The LLM that may write answers; empty when none is configured."""
        return self.config.llm_model if self.config.llm_base_url else ""

    def ask(
        self, question: str, *, history: Sequence[Turn] = (), only: Filter | None = None, llm: bool = False, open_report: str = ""
    ) -> Answer:
        """The whole answer. Raises UsageError for an empty or over-long question, a filter that no report passes, or an LLM not configured.

        `open_report` is the id of the report that "this report" means where nothing else says so.
        """
        for event in self.stream(question, history=history, only=only, llm=llm, open_report=open_report):
            if isinstance(event, Finished):
                return event.answer
        raise AssertionError("a stream ends with Finished")

    def stream(
        self, question: str, *, history: Sequence[Turn] = (), only: Filter | None = None, llm: bool = False, open_report: str = ""
    ) -> Iterator[Event]:
        """Rewritten, then Said for each sentence, then Finished. Raises as `ask` does.

        With `llm` the extract comes first as Quoted, then a model writes the sentences and Writing shows them growing, also before
        Rewritten; whether there is an answer at all is still decided by the evidence. Whatever goes wrong at the endpoint, and prose of which
        nothing is supported, ends in extracts. Closing the iterator ends the model's request.
        """
        started = time.perf_counter()
        text = self._checked(question)
        store = self._current()
        reports = self._reports(store, only)

        writer = self._open_writer() if llm else None

        other = self._other(store, text, history, reports, open_report)
        if isinstance(other, Answer):
            yield Rewritten(other.query)
            if writer and other.mode == "overview":
                hits = _hits_of(store, other.citations)
                outline = Evidence(read_question(text), other.query, "summary", tuple(hits), (), ())
                other, _ = yield from self._write(writer, store, outline, other, history, None)
            if other.mode != "llm":
                yield from _said(other)
            seconds = time.perf_counter() - started
            yield Finished(replace(other, question=question, timings_ms={"answer": 1000 * seconds, "total": 1000 * seconds}))
            return

        (evidence, ruled), failure, rewriting = self._found(store, text, history, only, reports), None, 0.0
        if writer and history and evidence.query != text:  # a question that stands alone is left as it is
            began = time.perf_counter()
            standalone, failure = yield from _rewritten(writer, text, history)
            rewriting = time.perf_counter() - began
            evidence, ruled = self._found(store, standalone, (), only, reports) if standalone else (evidence, ruled)
        yield Rewritten(evidence.query)
        after_search = time.perf_counter()

        answer = ruled or self._answerer(store).answer(evidence, reports)
        checking = 0.0
        if writer and not answer.abstained:
            answer, checking = yield from self._write(writer, store, evidence, answer, history, failure)
        finished = time.perf_counter()
        if answer.mode != "llm":
            yield from _said(answer)
        timings = {
            "rewrite": rewriting,
            "search": after_search - started - rewriting,
            "answer": finished - after_search - checking,
            "verify": checking,
            "total": finished - started,
        }
        yield Finished(replace(answer, question=question, timings_ms={name: 1000 * seconds for name, seconds in timings.items()}))

    def _other(self, store: Snapshot, text: str, history: Sequence[Turn], reports: tuple[Document, ...], open_report: str) -> Answer | None:
        """The answer to a message that is no question about contents; None for what is to be searched."""
        turns = tuple(history)
        after_answer = any(turn.answer or turn.claims for turn in turns)
        material, asked = self._material(store, reports, open_report), Asked(text, turns)
        wish = wanted(self.reader.intent(text, after_answer), after_answer, names_report(material, asked))

        def recalled(turn: Turn) -> Answer:
            return self.ask(turn.question, history=turns[: turns.index(turn)], only=Filter(tuple(document.id for document in reports)))

        return respond(material, asked, wish, recalled)

    def _material(self, store: Snapshot, reports: tuple[Document, ...], open_report: str = "") -> Material:
        retriever, within = self._retriever(store), Filter(tuple(document.id for document in reports))

        def hits(question: str, ids: Sequence[str], top_k: int) -> list[Hit]:
            only = Filter(tuple(ids or (document.id for document in reports)))
            return [one.hit for one in retriever.explained(read_question(question, reports), "", only, top_k, explain=False)]

        def ask(question: str) -> Answer:
            evidence, ruled = found(question)
            return ruled or self._answerer(store).answer(evidence, reports)

        found = partial(self._found, store, before=(), only=within, reports=reports)
        words = word_vectors(self.encoder)
        return Material(store, words, self._sentences, hits, lambda asked: found(asked)[0], ask, reports, self.reader, open_report)

    def openers(self, language: str, count: int = 4, only: Filter | None = None) -> tuple[str, ...]:
        """Questions to begin with that the outlines of the reports answer."""
        store = self._current()
        material = self._material(store, self._reports(store, only))
        return questions(material, language, in_language(material.reports, store.document, language), count)

    def _found(
        self, store: Snapshot, asked: str, before: Sequence[Turn], only: Filter | None, reports: Sequence[Document]
    ) -> tuple[Evidence, Answer | None]:
        """Evidence for a question after earlier turns, and its answer where the rules give one or a table does."""
        if self._rules is None:
            return self._retriever(store).find(asked, before, only, reports), None
        ruled = self._rules.answer(store, asked, before, only, reports, self.config.strictness)
        found = ruled.evidence(read_question(asked, reports))
        return found, self._answerer(store).looked_up(found) or ruled.answer

    def _write(
        self, writer: Writer, store: Snapshot, evidence: Evidence, extract: Answer, history: Sequence[Turn], failure: Failure | None
    ) -> Generator[Event, None, tuple[Answer, float]]:
        """The model's answer to what `extract` answers, or `extract` with the reason why not; and the seconds spent on checking."""
        from rag.llm.draft import Draft
        from rag.llm.failures import Failure, told
        from rag.llm.stream import sources_of

        sources = sources_of(evidence.hits, self._sentences.of, store.document, extract.query, extract.citations)
        best = [(citation.document, citation.start) for citation in extract.citations]
        best += [(scored.sentence.document, scored.sentence.start) for scored in evidence.sentences]
        encode = self.encoder.encode if isinstance(self.encoder, BuiltinEncoder) else None
        draft = Draft(sources, extract, self.config.strictness, self._support, encode)
        yield Quoted(extract)
        try:
            if failure:
                raise failure
            prompt = writer.prompt(extract.query, sources, history, extract.language, best)
            smaller = partial(writer.prompt, extract.query, sources, history, extract.language, best, 0.5)
            with closing(writer.write(prompt, smaller)) as pieces:
                for made in draft.follow(prompt, pieces):
                    yield Withdrawn("") if made is None else Said(*made) if isinstance(made, tuple) else Writing(*made)
        except Failure as error:
            reason = told(error, extract.language)
        else:
            if (written := draft.answer(writer.model)) is not None:
                return written, draft.seconds
            reason = draft.shortfall
        if draft.said:
            yield Withdrawn(reason)
        if draft.refused:
            return replace(extract, claims=(), citations=(), abstained=True, reason=reason, mode="llm", model=writer.model,
                           nearest=extract.citations[:3]), draft.seconds  # fmt: skip
        return replace(extract, reason=f"{reason} {extract.reason}".strip()), draft.seconds

    def _open_writer(self) -> Writer:
        if self._writer is None:
            from rag.llm.client import Writer  # with rag.llm.stream a tenth of a second that extracts need not spend

            if self.config.checker:
                from rag.llm.checker import open_checker

                self._support = open_checker(self.config.checker)
            self._writer = Writer.from_config(self.config)
        return self._writer

    def search(self, question: str, *, top_k: int = 10, only: Filter | None = None) -> list[Hit]:
        """The best chunks, best first. Raises as `ask` does."""
        store = self._current()
        reports = self._reports(store, only)
        text = self._checked(question)
        if self._rules is not None:
            return [one.hit for one in self._rules.explained(store, text, only, reports, top_k, explain=False)]
        return self._retriever(store).search(read_question(text, reports), only, top_k)

    def explain(self, question: str, *, top_k: int = 10, only: Filter | None = None) -> list[Explained]:
        """As `search`, before the reader has read, with what each score is made of."""
        store = self._current()
        reports = self._reports(store, only)
        text = self._checked(question)
        if self._rules is not None:
            return self._rules.explained(store, text, only, reports, top_k)
        return self._retriever(store).explained(read_question(text, reports), "", only, top_k)

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
        allowed = tuple((only or Filter()).passing(documents))
        if only:
            for name in only.reports:
                if not any(Filter((name,)).allows(document) for document in documents):
                    raise UsageError(f"no report {name!r} is indexed; there are {', '.join(document.id for document in documents[:8])}")
            if not allowed:
                raise UsageError("no report passes the filter: loosen it, or see `rag list`")
        return allowed

    def _answerer(self, store: Snapshot) -> ExtractiveAnswerer:
        return ExtractiveAnswerer(self.reader, self._sentences, store.document, self.config.strictness)

    def _retriever(self, store: Snapshot) -> Retriever:
        return Retriever(
            store, self.encoder, self.reader, self._sentences, self._overlap, self.config.candidates, self.config.top_k, self._reranker
        )


def _said(answer: Answer) -> Iterator[Said]:
    for claim in answer.claims:
        yield Said(claim, tuple(citation for citation in answer.citations if citation.n in claim.citations))


def _hits_of(store: Snapshot, citations: Sequence[Citation]) -> list[Hit]:
    """The passages that hold what is cited."""
    ids = dict.fromkeys(citation.chunk for citation in citations if citation.chunk)
    return [Hit(chunk, store.document(chunk.document).text[chunk.start : chunk.end], 0.0, 0.0, 1.0) for chunk in store.chunks(list(ids))]


def _rewritten(writer: Writer, question: str, history: Sequence[Turn]) -> Generator[Event, None, tuple[str, Failure | None]]:
    """The model's standalone question where it passes the check, else ""; and the fault, if the endpoint failed."""
    from rag.llm.failures import Failure
    from rag.llm.prompts import standalone

    pieces: list[str] = []
    try:
        with closing(writer.rewrite(question, history)) as written:
            for piece in written:
                pieces.append(piece)
                yield Writing("")
    except Failure as failure:
        return "", failure
    return standalone("".join(pieces), question, history), None
