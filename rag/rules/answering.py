"""Answers by rules, whole: a follow-up rewritten, evidence found and ranked, an answer composed of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.index.encoder import word_vectors
from rag.rules.compose import Composer
from rag.rules.evidence import Finder
from rag.rules.followup import rewrite
from rag.rules.question import QuestionKind, parts_of, read_question
from rag.rules.rank import Scored, SentenceRanker
from rag.search.evidence import Evidence, ScoredSentence
from rag.search.overlap import Overlap
from rag.search.question import Question
from rag.search.retrieve import Explained, Reranker
from rag.search.sentences import SentenceIndex
from rag.types import Answer, Document, Encoder, Filter, Hit, Store, Turn


@dataclass(frozen=True, slots=True)
class Ruled:
    """An answer with the evidence that it was made of, both best first."""

    answer: Answer
    hits: tuple[Hit, ...]
    sentences: tuple[Scored, ...]

    def evidence(self, question: Question) -> Evidence:
        """Return what was found in the form in which all who answer take it."""
        scored = tuple(ScoredSentence(one.sentence, one.score, one.hit) for one in self.sentences)
        return Evidence(question, self.answer.query, "", self.hits, (), scored)


class RuleAnswerer:
    """Answers questions over any store."""

    def __init__(
        self, encoder: Encoder, index: SentenceIndex, overlap: Overlap, candidates: int, top_k: int, reranker: Reranker | None
    ) -> None:
        self._encoder, self._candidates, self._top_k, self._reranker = encoder, candidates, top_k, reranker
        self._ranker = SentenceRanker(word_vectors(encoder), index, overlap)

    def explained(
        self, store: Store, text: str, only: Filter | None, reports: Sequence[Document], top_k: int, *, explain: bool = True
    ) -> list[Explained]:
        """Return the best passages for a question as the answering reads it, with what their scores are made of."""
        question = read_question(text, reports)
        finder = self._finder(store)
        return finder.explained(question, "", finder.in_one_edition(only, reports, question.language), top_k, explain=explain)

    def _finder(self, store: Store) -> Finder:
        return Finder(store, self._encoder, self._ranker, self._candidates, self._top_k, self._reranker)

    def answer(
        self, store: Store, text: str, history: Sequence[Turn], only: Filter | None, reports: Sequence[Document], strictness: str
    ) -> Ruled:
        """Answer a question after the turns of `history` from the reports that may answer."""
        finder = self._finder(store)
        composer = Composer(self._ranker, store.document, strictness)
        rewritten = rewrite(text, history)
        evidence = finder.find(rewritten, text, history, only, reports)
        answer = composer.compose(evidence.question, rewritten.query, evidence.sentences, reports)
        if not answer.abstained and evidence.question.kind != "compare" and len(parts_of(text)) > 1:
            answer = self._with_parts(finder, composer, answer, text, evidence.question.kind, only, reports)
        quoted = tuple(replace(claim, verdict="quoted", why="") for claim in answer.claims)
        made = replace(
            answer, claims=quoted, confidence="" if answer.abstained else "likely", code="not_answered" if answer.abstained else ""
        )
        return Ruled(made, evidence.hits, evidence.sentences)

    def _with_parts(
        self,
        finder: Finder,
        composer: Composer,
        answer: Answer,
        text: str,
        kind: QuestionKind,
        only: Filter | None,
        reports: Sequence[Document],
    ) -> Answer:
        """Complete an answer to a text that asks several kinds of thing with the best sentence of the same chapter on the others."""
        chapter = answer.citations[0].document, answer.citations[0].section.split(" / ")[0]
        before: tuple[Turn, ...] = ()
        for part in parts_of(text):
            rewritten = rewrite(part, before)
            found = finder.find(rewritten, part, before if rewritten.carried else (), only, reports)
            before = (Turn(part, ""),)
            if found.question.kind in ("entity", "other", kind):
                continue
            near = [item for item in found.sentences if (item.sentence.document, *item.sentence.section[:1]) == chapter]
            more = composer.compose(found.question, rewritten.query, near, reports)
            answer = composer.completed(answer, more, "" if found.question.kind == "definition" else rewritten.core)
        return answer
