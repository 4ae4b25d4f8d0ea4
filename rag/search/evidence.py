"""Question to evidence: candidates by BM25 and vectors, then the reader over the best of them.

The reader orders passages and scores their sentences. A comparison reads the best passages of each report; a follow-up searches both with and without
the turn before, and the reader sees that turn. Reading stops early where the first passages leave no doubt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.search.dedupe import Told, copies_last
from rag.search.overlap import Overlap
from rag.search.question import Question, read_question, strip_asking, without_names
from rag.search.reader import Passage, Reader
from rag.search.retrieve import Explained, Reranker, explained_search, weigh_terms, weigh_translated
from rag.search.sentences import Sentence, SentenceIndex
from rag.search.translate import Language, shares_of
from rag.types import Document, Encoder, Filter, Hit, Store, Turn

# Passages that are read at first, and those that are read where the first ones leave doubt.
READ_FIRST, READ_MORE = 5, 5
# Confidence in a passage from which on no further one is read.
SURE = 0.9
# Reports that a comparison sets side by side, and passages that are read of each.
COMPARED_REPORTS, READ_EACH = 4, 3
# Characters of the question before that are searched with a follow-up.
CARRIED_CHARACTERS = 120
# Kinds of question whose answers take several sentences that stand together.
LONG_KINDS = frozenset({"list", "why", "how", "summary"})


@dataclass(frozen=True, slots=True)
class ScoredSentence:
    """A sentence that competes for the answer; `score` is the probability that it belongs to it, 0 to 1."""

    sentence: Sentence
    score: float
    hit: Hit


@dataclass(frozen=True, slots=True)
class ReadPassage:
    """A hit and what the reader made of it. `answers` and `best` are logits, of the passage and of its best sentence, `overlap` the best overlap of a
    sentence with the question; `confidence` is the probability that the passage answers, made of the three.
    """

    hit: Hit
    answers: float
    best: float
    overlap: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found for a question: passages and sentences, each best first."""

    question: Question
    # What was searched, for people.
    query: str
    # The kind of answer that is wanted, one of `rag.search.reader.KINDS`.
    kind: str
    hits: tuple[Hit, ...]
    passages: tuple[ReadPassage, ...]
    sentences: tuple[ScoredSentence, ...]


@dataclass(frozen=True, slots=True)
class Retriever:
    """Finds evidence in one store. `candidates` and `top_k` are as in `rag.config.Config`."""

    store: Store
    encoder: Encoder
    reader: Reader
    sentences: SentenceIndex
    overlap: Overlap
    candidates: int
    top_k: int
    reranker: Reranker | None = None

    def explained(self, question: Question, carried: str, only: Filter | None, top_k: int, *, explain: bool = True) -> list[Explained]:
        """Return the best candidates with what their scores are made of; `carried` holds words of the turn before."""
        return explained_search(
            self.store,
            self.encoder,
            question.core,
            carried=carried,
            only=only,
            named=frozenset(question.reports),
            candidates=self.candidates,
            top_k=top_k,
            reranker=self.reranker,
            asked=question.text,
            explain=explain,
        )

    def search(self, question: Question, only: Filter | None, top_k: int) -> list[Hit]:
        """Return the best passages in the reader's order, then those that it did not read, then copies of a better one; a shorter list is the head of a longer one."""
        explained = self.explained(question, "", only, max(top_k, READ_FIRST + READ_MORE), explain=False)
        found = [one.hit for one in explained]
        asked = {one.hit.chunk.id: one.terms for one in explained}
        passages, _ = self._read(question, "", found[: READ_FIRST + READ_MORE], (), patient=True)
        read = [passage.hit for passage in passages]
        ordered = [*read, *(hit for hit in found if hit not in read)]
        return copies_last(ordered, lambda hit: Told.of(hit.chunk.document, hit.text, asked[hit.chunk.id]), top_k)

    def find(self, text: str, history: Sequence[Turn], only: Filter | None, reports: Sequence[Document]) -> Evidence:
        """Find evidence for a question after the turns of `history`, in the reports that may answer."""
        question = read_question(text, reports)
        kind = _likeliest(self.reader.kind(text))
        if (kind == "compare" or question.publishers > 1) and len(reports) > 1:
            return self._compare(question, history, only, reports)
        own = [one.hit for one in self.explained(question, "", only, self.top_k, explain=False)]
        hits, query, carried = own, text, ""
        if history:
            before = history[-1].query or history[-1].question
            carried = strip_asking(before)[-CARRIED_CHARACTERS:]
            joined = [one.hit for one in self.explained(question, carried, only, self.top_k, explain=False)]
            hits = _interleaved(joined, own)
        passages, sentences = self._read(question, carried, hits, history)
        if history and passages and passages[0].hit.chunk.id not in {hit.chunk.id for hit in own[:READ_FIRST]}:
            query = f"{before.rstrip('？?。. ')}{'；' if question.language == 'zh' else '; '}{text}"
        hits = [*(passage.hit for passage in passages), *hits]
        return Evidence(question, query, kind, tuple(dict.fromkeys(hits)), tuple(passages), tuple(sentences))

    def _compare(self, question: Question, history: Sequence[Turn], only: Filter | None, reports: Sequence[Document]) -> Evidence:
        """Read the best passages of each report that the question names, or of those that candidates come from."""
        bare = replace(question, core=without_names(question.core, reports))
        carried = strip_asking(history[-1].query or history[-1].question)[-CARRIED_CHARACTERS:] if history else ""
        found = [one.hit for one in self.explained(bare, carried, only, self.top_k, explain=False)]
        allowed = {document.id for document in reports if document.language == question.language} or {document.id for document in reports}
        compared = question.reports if question.publishers > 1 else [hit.chunk.document for hit in found]
        named = [name for name in dict.fromkeys(compared) if name in allowed][:COMPARED_REPORTS]
        hits = [one.hit for name in named for one in self.explained(bare, carried, Filter((name,)), READ_EACH, explain=False)[:READ_EACH]]
        passages, sentences = self._read(bare, carried, hits, history, patient=True)
        ordered = [passage.hit for passage in passages]
        return Evidence(question, question.text, "compare", tuple(ordered), tuple(passages), tuple(sentences))

    def _read(
        self, question: Question, carried: str, hits: Sequence[Hit], history: Sequence[Turn], *, patient: bool = False
    ) -> tuple[list[ReadPassage], list[ScoredSentence]]:
        """Read passages in their order, each sentence once; `patient` reads them all."""
        read: list[ReadPassage] = []
        scored: dict[tuple[str, int], ScoredSentence] = {}
        rounds = [hits] if patient else [hits[:READ_FIRST], hits[READ_FIRST : READ_FIRST + READ_MORE]]
        for part in rounds:
            if not part or max((passage.confidence for passage in read), default=0.0) >= SURE:
                break
            lots = [self._lot(hit) for hit in part]
            readings = self.reader.read(question.text, [passage for passage, _ in lots], history)
            overlaps = self._overlaps(question, carried, [(hit, sentences) for hit, (_, sentences) in zip(part, lots, strict=True)])
            for hit, (_, sentences), reading, overlap in zip(part, lots, readings, overlaps, strict=True):
                best, most = max(reading.sentences, default=-math.inf), max(overlap, default=0.0)
                pair = f"{question.language}-{self.store.document(hit.chunk.document).language or question.language}"
                read.append(ReadPassage(hit, reading.answers, best, most, self.reader.confidence(reading.answers, best, most, pair)))
                for sentence, logit, own in zip(sentences, reading.sentences, overlap, strict=True):
                    key, score = (sentence.document, sentence.position), self.reader.sentence_chance(logit, reading.answers, own)
                    if key not in scored or scored[key].score < score:
                        scored[key] = ScoredSentence(sentence, score, hit)
        read.sort(key=lambda passage: (-passage.confidence, passage.hit.chunk.id))
        order = sorted(scored.values(), key=lambda one: (-one.score, one.sentence.document, one.sentence.position))
        return read, order

    def _overlaps(self, question: Question, carried: str, lots: Sequence[tuple[Hit, tuple[Sentence, ...]]]) -> list[list[float]]:
        """Return the overlap of each sentence of each lot with the question, in the words of the report's language."""
        other: Language = "en" if question.language == "zh" else "zh"
        asked, scores = f"{carried} {question.core}".strip(), list[list[float]]([[] for _ in lots])
        foreign = [self.store.document(hit.chunk.document).language == other for hit, _ in lots]
        for translated in (False, True):
            mine = [number for number, is_foreign in enumerate(foreign) if is_foreign == translated]
            rows = [(sentence, lots[number][0]) for number in mine for sentence in lots[number][1]]
            if not rows:
                continue
            weights = weigh_terms(self.store, question.core, carried)
            shares = shares_of(weigh_translated(self.store, other, question.core, carried)) if translated else weights
            found = iter(self.overlap.scores(asked, shares, rows, self.store.document).tolist())
            for number in mine:
                scores[number] = [next(found) for _ in lots[number][1]]
        return scores

    def _lot(self, hit: Hit) -> tuple[Passage, tuple[Sentence, ...]]:
        """Make what is read of a hit: its heading, and its sentences without headings."""
        document = self.store.document(hit.chunk.document)
        sentences = tuple(
            sentence
            for sentence in self.sentences.within(document, hit.chunk.start, hit.chunk.end)
            if sentence.kind not in ("heading", "contents")
        )
        heading = " · ".join(filter(None, (*hit.chunk.section[-1:], document.title)))
        return Passage(heading, tuple(sentence.text for sentence in sentences)), sentences


def _likeliest(chances: dict[str, float]) -> str:
    return max(chances, key=lambda name: chances[name])


def _interleaved(first: Sequence[Hit], second: Sequence[Hit]) -> list[Hit]:
    """Merge two rankings by turns, each chunk once."""
    merged: dict[str, Hit] = {}
    for place in range(max(len(first), len(second))):
        for hits in (first, second):
            if place < len(hits):
                merged.setdefault(hits[place].chunk.id, hits[place])
    return list(merged.values())
