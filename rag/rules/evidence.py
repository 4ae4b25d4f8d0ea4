"""Question to evidence: the best chunks, and their sentences ranked.

A comparison searches each report on its own; a follow-up leans towards the section in which the question before was answered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.index.lexical import terms
from rag.rules.followup import Rewrite
from rag.rules.question import Question, read_question, section_named, without_names
from rag.rules.rank import Scored, SentenceRanker
from rag.search.editions import in_language
from rag.search.retrieve import Explained, Reranker, explained_search, weigh_terms, weigh_translated
from rag.search.sentences import Sentence
from rag.search.translate import Language, shares_of
from rag.types import Document, Encoder, Filter, Hit, Store, Turn

SECTION_PRIOR = 0.15
"""In a follow-up, sentences of the section that answered the question before gain this share of the best score."""
SECTION_NAMED = 0.3
"""What a sentence gains, as a share of the best score, that stands in the section which the question names as such."""
ANSWER_READ = 120
"""Characters of the answer before that tell where it stands."""
WITHOUT_OWN = 0.15
"""What a sentence that only speaks of the turn before loses against one that speaks of the new turn."""
COMPARED_REPORTS = 4
GLOSSED = ("abbreviation", "definition", "entity")
"""Kinds of question that a row of a list of abbreviations may answer."""
GLOSSARY_CHUNKS = 200
"""Passages with an abbreviation among which its row is looked for."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found for a question: chunks and sentences, both best first."""

    question: Question
    hits: tuple[Hit, ...]
    sentences: tuple[Scored, ...]


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds evidence in one store. `candidates` and `top_k` are as in `rag.config.Config`."""

    store: Store
    encoder: Encoder
    ranker: SentenceRanker
    candidates: int
    top_k: int
    reranker: Reranker | None = None

    def in_one_edition(self, only: Filter | None, reports: Sequence[Document], language: str) -> Filter | None:
        """`only`, without the reports in another language than the question of which there is an edition in its own."""
        kept = in_language(reports, self.store.document, language)
        return only if len(kept) == len(reports) else replace(only or Filter(), reports=tuple(document.id for document in kept))

    def hits(self, question: Question, carried: str, only: Filter | None, top_k: int) -> list[Hit]:
        """The best chunks for a question that is read."""
        return [found.hit for found in self.explained(question, carried, only, top_k, explain=False)]

    def explained(self, question: Question, carried: str, only: Filter | None, top_k: int, *, explain: bool = True) -> list[Explained]:
        """The best chunks with what their scores are made of."""
        return explained_search(
            self.store,
            self.encoder,
            question.core,
            carried=carried,
            only=only,
            named=frozenset(question.reports),
            candidates=max(self.candidates, top_k),
            top_k=top_k,
            reranker=self.reranker,
            asked=question.text,
            explain=explain,
        )

    def find(self, rewritten: Rewrite, asked: str, history: Sequence[Turn], only: Filter | None, reports: Sequence[Document]) -> Evidence:
        """Evidence for a question as asked and as rewritten, from the reports that may answer."""
        question = read_question(asked if rewritten.carried else rewritten.query, reports)
        question = replace(question, core=rewritten.core)
        if question.only:  # ids of reports that pass the filter, so they only narrow it
            reports = [document for document in reports if document.id in question.only]
            only = replace(only or Filter(), reports=question.only)
        only = self.in_one_edition(only, reports, question.language)
        if not rewritten.carried:
            return self._rank(question, "", only, reports)
        before = read_question(rewritten.leaned_on, reports)
        found = self._rank(replace(_inherit(question, before), carried=rewritten.carried), rewritten.carried, only, reports)
        sections = self._sections(before, history, only, reports)
        return replace(found, sentences=_lean(found.sentences, sections, frozenset(term for term in terms(question.core) if len(term) > 1)))

    def _rank(self, question: Question, carried: str, only: Filter | None, reports: Sequence[Document]) -> Evidence:
        if question.kind == "compare":  # what is compared stands in either turn; who is compared does not help to find it
            question, carried = replace(question, core=without_names(f"{carried} {question.core}".strip(), reports)), ""
        hits = self.hits(question, carried, only, self.top_k)
        if question.kind == "compare":
            return self._compare(question, hits)
        ranked = _in_section(self._sentences(question, carried, hits), section_named(question.text))
        if question.kind in GLOSSED and not any(item.sentence.kind == "abbreviation" for item in ranked if spells(item.sentence, question)):
            ranked += self._glossary(question, only)
        return Evidence(question, tuple(hits), tuple(ranked))

    def _glossary(self, question: Question, only: Filter | None) -> list[Scored]:
        """The rows of lists of abbreviations that spell out a name of the question, wherever they stand: such a row shares one word with it."""
        allowed = frozenset(document.id for document in (only or Filter()).passing(self.store.documents()))
        found: dict[str, Hit] = {}
        for name in question.names:
            if not re.search("[A-Z]{2}|[A-Z].*[0-9]", name):
                continue
            ids = [chunk_id for chunk_id, _ in self.store.lexical(dict.fromkeys(terms(name), 1.0), GLOSSARY_CHUNKS, allowed)]
            found |= {chunk.id: Hit(chunk, "", 0.0, 0.0, 0.0) for chunk in self.store.chunks(ids)}
        hits = [
            hit
            for hit in found.values()
            if any(
                sentence.kind == "abbreviation" and hit.chunk.start <= sentence.start < hit.chunk.end and spells(sentence, question)
                for sentence in self.ranker.sentences(self.store.document(hit.chunk.document))
            )
        ]
        return [item for item in self._sentences(question, "", hits) if spells(item.sentence, question)]

    def _sentences(self, question: Question, carried: str, hits: Sequence[Hit]) -> list[Scored]:
        """The sentences of the hits, best first; those of reports in the other language are matched with the translated question."""
        other: Language = "en" if question.language == "zh" else "zh"
        foreign = [hit for hit in hits if self.store.document(hit.chunk.document).language == other]
        own = [hit for hit in hits if hit not in foreign]
        ranked: list[Scored] = []
        if own:
            ranked += self.ranker.rank(question, weigh_terms(self.store, question.core, carried), own, self.store.document, carried)
        if foreign:
            shares = shares_of(weigh_translated(self.store, other, question.core, carried))
            ranked += self.ranker.rank(question, shares, foreign, self.store.document, carried)
        return sorted(ranked, key=lambda item: (-item.score, item.sentence.document, item.sentence.position))

    def _compare(self, question: Question, found: Sequence[Hit]) -> Evidence:
        """Each report on its own; what the best of them says, in its words, helps to find what the others say."""
        named = list(dict.fromkeys([*question.reports, *(hit.chunk.document for hit in found)]))[:COMPARED_REPORTS]
        each = max(4, self.top_k // max(1, len(named)))

        def ranked(document: str, carried: str) -> tuple[list[Hit], list[Scored]]:
            hits = self.hits(question, carried, Filter((document,)), each)
            return hits, self._sentences(question, carried, hits)

        alone = {document: ranked(document, "") for document in named}
        best = max(
            ((scored[0].score, document, scored[0].sentence.text) for document, (_, scored) in alone.items() if scored),
            default=(0.0, "", ""),
        )
        both = {document: parts if document == best[1] else ranked(document, best[2]) for document, parts in alone.items()}
        hits = tuple(hit for part, _ in both.values() for hit in part)
        sentences = sorted(
            (item for _, scored in both.values() for item in scored),
            key=lambda item: (-item.score, item.sentence.document, item.sentence.position),
        )
        return Evidence(question, hits, tuple(sentences))

    def _sections(
        self, before: Question, history: Sequence[Turn], only: Filter | None, reports: Sequence[Document]
    ) -> frozenset[tuple[str, tuple[str, ...]]]:
        """Where the question before was answered: what its answer cited, or, for a history without places, where it is answered best now."""
        if history and history[-1].sections:
            return frozenset(history[-1].sections)
        if history and history[-1].answer:  # what was answered says best where it stands
            before = replace(before, core=f"{before.core} {history[-1].answer[:ANSWER_READ]}")
        ranked = [item.sentence for item in self._rank(before, "", only, reports).sentences if item.sentence.kind != "heading"]
        return frozenset((sentence.document, sentence.section) for sentence in ranked[:3])


def spells(sentence: Sentence, question: Question) -> bool:
    """Whether a sentence is the row of a list of abbreviations whose key is a name of the question, letter for letter."""
    if sentence.kind != "abbreviation":
        return False
    row = sentence.text.lstrip("| ")
    return any(re.match(rf"{re.escape(name)}(?![A-Za-z0-9])", row) for name in question.names)


def _in_section(scored: list[Scored], named: str) -> list[Scored]:
    """The sentences, best first, those raised whose headings have most of what the question calls the section."""
    wanted = {term for term in terms(named) if len(term) > 1}
    if not wanted or not scored:
        return scored
    gain = SECTION_NAMED * scored[0].score
    raised = [
        replace(item, score=item.score + gain) if 3 * len(wanted & set(terms(" ".join(item.sentence.section)))) >= 2 * len(wanted) else item
        for item in scored
    ]
    return sorted(raised, key=lambda item: (-item.score, item.sentence.document, item.sentence.position))


def _lean(scored: Sequence[Scored], sections: frozenset[tuple[str, tuple[str, ...]]], own: frozenset[str]) -> tuple[Scored, ...]:
    """Sentences of a follow-up, reordered: those of `sections` gain, those without any of the turn's `own` terms lose."""
    best = max((item.score for item in scored), default=0.0)
    # Where the section of the last answer has the new words, it is they that are asked about; where it has not, they paraphrase.
    spoken = any(
        (item.sentence.document, item.sentence.section) in sections and not own.isdisjoint(terms(item.sentence.text)) for item in scored
    )

    def score(item: Scored) -> float:
        sentence = item.sentence
        gain = SECTION_PRIOR * best if (sentence.document, sentence.section) in sections else 0.0
        return item.score + gain - (WITHOUT_OWN * best if spoken and own.isdisjoint(terms(sentence.text)) else 0.0)

    return tuple(
        sorted(
            (replace(item, score=score(item)) for item in scored),
            key=lambda item: (-item.score, item.sentence.document, item.sentence.position),
        )
    )


def _inherit(question: Question, before: Question) -> Question:
    """A follow-up that does not say what kind of answer it wants takes the kind of the question before; so do names of reports.

    One that turns to another report than the question before compares the two.
    """
    kind = before.kind if question.kind == "other" else question.kind
    turned = bool(question.reports) and bool(before.reports) and set(question.reports) != set(before.reports)
    return replace(
        question,
        kind="compare" if turned and kind in ("other", "entity", "definition") else kind,
        asked=question.asked or (before.asked if question.kind == "other" else ()),
        reports=tuple(dict.fromkeys([*before.reports, *question.reports])),
    )
