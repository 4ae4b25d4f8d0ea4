"""Scored sentences to an answer without an LLM: the right sentences, each cited to its exact span, or an honest refusal.

The reader decides which sentences answer and whether any does. Here stand the shapes on top of its scores: how long an answer is, whole lists, a
part for each report in a comparison, figures that are at odds, and the exact constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rag.answer.conflicts import describe_conflict, find_conflicts
from rag.answer.constraints import context_of, unmet
from rag.answer.lists import Enumeration, enumeration_at
from rag.answer.quoting import distinct, first_clause, length
from rag.answer.refusal import Refusal
from rag.answer.tables import Lookup, look_up
from rag.search.evidence import LONG_KINDS, Evidence, ScoredSentence
from rag.search.question import Question
from rag.search.reader import Reader
from rag.search.sentences import Sentence, SentenceIndex
from rag.text.quantities import quantities
from rag.types import Answer, Citation, Claim, Document

# Characters and sentences of an answer, by kind of question; every other kind is a fact.
BUDGET = {"list": 700, "why": 640, "how": 640, "summary": 700, "compare": 720, "definition": 290}
FACT_BUDGET = 270
MOST_SENTENCES = {"list": 8, "why": 5, "how": 5, "summary": 6, "compare": 8, "definition": 3}
FACT_SENTENCES = 3
# A further sentence joins the best one when its score is at least this share of the best one's, and this high.
COMPANY = {
    "list": (0.4, 0.2),
    "why": (0.5, 0.25),
    "how": (0.5, 0.25),
    "summary": (0.4, 0.2),
    "compare": (0.6, 0.25),
    "definition": (0.6, 0.3),
}
FACT_COMPANY = (0.7, 0.35)
# A list is shown whole when it holds the best sentence and its entries have this mean score.
LISTED = 0.25
# Sentences that may take the place of the best one when that one does not meet a constraint, and their least share of its score where they stand in
# another section.
CONTENDERS, CONTENDER_SHARE = 12, 0.4
# In a comparison a report is silent whose best passage answers with less than this share of the threshold.
SILENT = 0.5
# Best sentences among which a row of a table is looked for, where arithmetic is asked for.
LOOKED_UP = 3
# Kinds whose short answer is a number, which is set off in the text.
NUMBERS = ("number", "date")
# Probability that an answer is right from which on it is called so.
SURE, LIKELY = 0.8, 0.55


@dataclass(frozen=True, slots=True)
class ExtractiveAnswerer:
    """Builds answers from evidence. `document` returns a report by its id."""

    reader: Reader
    sentences: SentenceIndex
    document: Callable[[str], Document]
    strictness: str = "balanced"
    # Names of constraints that are left out, for measuring what they are worth.
    without: frozenset[str] = frozenset()

    def answer(self, evidence: Evidence, reports: Sequence[Document]) -> Answer:
        """Return the answer to a question from its evidence; `reports` are those that may answer."""
        found = [one for one in evidence.sentences if one.sentence.text.strip() != one.sentence.speaker]
        confidence = evidence.passages[0].confidence if evidence.passages else 0.0
        refusal, found = self._decide(evidence, found, confidence)
        if refusal:
            return self._refused(replace(evidence, sentences=tuple(found)), refusal)
        note = ""
        if evidence.kind == "compare":
            chosen, note = self._compare(evidence, found, reports)
        else:
            chosen, note = self._choose(evidence, self._in_one_language(found))
        return self._told(evidence, chosen, note, "sure" if confidence >= SURE else "likely" if confidence >= LIKELY else "perhaps")

    def looked_up(self, evidence: Evidence) -> Answer | None:
        """Return the answer to a question that asks for arithmetic over the table of the best sentences; None for any other."""
        lookup = self._lookup(evidence.question, evidence.sentences)
        return self._told(evidence, lookup.sentences, lookup.note, "likely") if lookup else None

    def _lookup(self, question: Question, found: Sequence[ScoredSentence]) -> Lookup | None:
        near = [one.sentence for one in found[:LOOKED_UP] if one.sentence.document == found[0].sentence.document]
        return look_up(question, near, self.sentences.of(self.document(near[0].document))) if near else None

    def _told(self, evidence: Evidence, chosen: Sequence[Sentence], note: str, confidence: Literal["sure", "likely", "perhaps"]) -> Answer:
        """Make the answer that quotes these sentences."""
        question, citations = evidence.question, self._cite(chosen, evidence)
        claims = tuple(
            Claim(citation.quote, (citation.n,), "quoted", "", _emphasis(evidence, citation.quote) if citation.n == 1 else None)
            for citation in citations
        )
        return Answer(
            question.text,
            evidence.query,
            question.language,
            claims=claims,
            citations=tuple(citations),
            reason=" ".join(filter(None, (note, self._foreign_note(question, chosen)))),
            confidence=confidence,
        )

    def _refused(self, evidence: Evidence, refusal: Refusal) -> Answer:
        """Return the refusal to answer, with the sentences that came nearest."""
        question, nearest = evidence.question, [one.sentence for one in distinct(evidence.sentences)[:3]]
        return Answer(
            question.text,
            evidence.query,
            question.language,
            abstained=True,
            reason=refusal.words(question.language),
            code=refusal.code,
            nearest=tuple(self._cite(nearest, evidence)),
        )

    def _pair(self, evidence: Evidence) -> str:
        language = self.document(evidence.passages[0].hit.chunk.document).language
        return f"{evidence.question.language}-{language or evidence.question.language}"

    def _decide(self, evidence: Evidence, found: list[ScoredSentence], confidence: float) -> tuple[Refusal | None, list[ScoredSentence]]:
        """Return a reason to refuse, or none and the sentences with the first one in front that meets every constraint."""
        if not found:
            return Refusal("nothing_found"), []
        if confidence < self.reader.threshold(self.strictness, self._pair(evidence)):
            return Refusal("not_answered"), found
        if evidence.kind == "compare":
            return None, found
        question = evidence.question
        checked = [(one, self._unmet(question, one)) for one in found[:CONTENDERS]]
        meeting = [one for one, refusal in checked if not refusal]
        if meeting and (meeting[0].score >= CONTENDER_SHARE * found[0].score or _stand_together(meeting[0], found[0])):
            # What does not meet a constraint does not join an answer either.
            return None, [*meeting, *found[CONTENDERS:]]
        return (None if self.strictness == "open" else checked[0][1]), found

    def _unmet(self, question: Question, one: ScoredSentence) -> Refusal | None:
        return unmet(question, context_of(one.sentence, self.document(one.sentence.document), self.sentences), self.without)

    def _in_one_language(self, found: list[ScoredSentence]) -> list[ScoredSentence]:
        """Keep sentences in the language of the first: reports in two languages say the same thing twice."""
        language = self.document(found[0].sentence.document).language
        return [one for one in found if self.document(one.sentence.document).language == language]

    def _foreign_note(self, question: Question, chosen: Sequence[Sentence]) -> str:
        """Say so where sentences are quoted in another language than the question's."""
        if all(self.document(sentence.document).language in (question.language, "") for sentence in chosen):
            return ""
        return "报告原文是英文，以下按原文引用。" if question.language == "zh" else "The report is in Chinese and is quoted as it stands."

    def _choose(self, evidence: Evidence, found: list[ScoredSentence]) -> tuple[list[Sentence], str]:
        """Choose the sentences of an answer, in the order in which they are read, and a note for the reader."""
        kind, best = evidence.kind, found[0]
        budget = BUDGET.get(kind, FACT_BUDGET)
        if lookup := self._lookup(evidence.question, found):
            return list(lookup.sentences), lookup.note
        if kind in LONG_KINDS and (entries := self._whole_list(found, budget)):
            return entries, ""
        if kind not in LONG_KINDS and (rivals := find_conflicts(found)):
            documents = [self.document(sentence.document) for sentence in (best.sentence, *(rival.sentence for rival in rivals))]
            note = describe_conflict(evidence.question.language, best.sentence, rivals, documents)
            return [best.sentence, *(rival.sentence for rival in rivals)], note
        if len(each := self._for_each_year(evidence.question, found)) > 1:
            return each, ""
        share, least = COMPANY.get(kind, FACT_COMPANY)
        most = MOST_SENTENCES.get(kind, FACT_SENTENCES)
        chosen = [best.sentence]
        for one in distinct(found)[1:]:
            fits = len(chosen) < most and length([*chosen, one.sentence]) <= budget
            if fits and one.score >= max(least, share * best.score) and one.sentence not in chosen:
                chosen.append(one.sentence)
        return self._with_announced(_reading_order(chosen), budget), ""

    def _for_each_year(self, question: Question, found: Sequence[ScoredSentence]) -> list[Sentence]:
        """Return the best sentence on each year of a question that names several, in the order of the years."""
        chosen: list[Sentence] = []
        for year in sorted(question.years) if len(question.years) > 1 else ():
            own = replace(question, years=frozenset({year}))
            best = next((one.sentence for one in found[:CONTENDERS] if not self._unmet(own, one)), None)
            if best and best not in chosen:
                chosen.append(best)
        return chosen

    def _whole_list(self, found: Sequence[ScoredSentence], budget: int) -> list[Sentence]:
        """Return the whole of the list that the best sentence belongs to or leads in to, where the reader takes its entries for the answer too."""
        best = found[0].sentence
        made = enumeration_at(self.sentences.of(self.document(best.document)), best.position)
        scores = {(one.sentence.document, one.sentence.position): one.score for one in found}
        if not made:
            return []
        entries = [max(scores.get((best.document, sentence.position), 0.0) for sentence in entry) for entry in made.entries]
        if best != made.lead and sum(entries) / len(entries) < LISTED:
            return []
        return _shortened(made, budget)

    def _with_announced(self, chosen: Sequence[Sentence], budget: int) -> list[Sentence]:
        """Let every sentence that only announces ("for three reasons:") be followed by what it announces, or leave it out where that does not fit."""
        made: list[Sentence] = []
        for sentence in chosen:
            if sentence in made:
                continue
            if not sentence.text.rstrip().endswith(("：", ":")):
                made.append(sentence)
                continue
            announced = enumeration_at(self.sentences.of(self.document(sentence.document)), sentence.position)
            named = announced.heads[1:] if announced and announced.lead == sentence != announced.entries[0][0] else []
            rest = [other for other in made if other not in named]
            if named and (not rest or length([*rest, sentence, *named]) <= budget):
                made = [*rest, sentence, *named]
        return made or list(chosen[:1])

    def _compare(self, evidence: Evidence, found: Sequence[ScoredSentence], reports: Sequence[Document]) -> tuple[list[Sentence], str]:
        """Return a part for each report that answers, and a note that names those that do not."""
        threshold = SILENT * self.reader.threshold(self.strictness, self._pair(evidence))
        read = list(dict.fromkeys(passage.hit.chunk.document for passage in evidence.passages))
        asked = [name for name in evidence.question.reports if name in read] or read
        share, least = COMPANY["compare"]
        speaking: dict[str, list[ScoredSentence]] = {}
        for name in asked:
            passages = [passage for passage in evidence.passages if passage.hit.chunk.document == name]
            own = [one for one in found if one.sentence.document == name]
            sure = max((passage.confidence for passage in passages), default=0.0)
            if own and (sure >= threshold or own[0].score >= share * found[0].score):
                speaking[name] = own
        speaking = speaking or {found[0].sentence.document: list(found)}
        chosen: list[Sentence] = []
        for own in speaking.values():
            part: list[Sentence] = []
            for one in distinct(own):
                fits = len(part) < max(1, MOST_SENTENCES["compare"] // len(speaking)) and (
                    not part or length([*part, one.sentence]) <= BUDGET["compare"] // len(speaking)
                )
                if fits and (not part or one.score >= max(least, share * own[0].score)):
                    part.append(one.sentence)
            chosen += sorted(part, key=lambda sentence: sentence.position)
        silent = [document.title for document in reports if document.id in asked and document.id not in speaking]
        zh = evidence.question.language == "zh"
        note = ("没有在这些报告里找到相关内容：" if zh else "Nothing found in: ") + ("、" if zh else ", ").join(silent) if silent else ""
        return chosen, note

    def _cite(self, sentences: Sequence[Sentence], evidence: Evidence) -> list[Citation]:
        """Number the sentences and say where each stands."""
        scored = {(one.sentence.document, one.sentence.position): one for one in evidence.sentences}
        citations = []
        for n, sentence in enumerate(sentences, 1):
            document = self.document(sentence.document)
            one = scored.get((sentence.document, sentence.position))
            chunk = one.hit.chunk.id if one else next((hit.chunk.id for hit in evidence.hits if hit.chunk.document == document.id), "")
            citations.append(
                Citation(
                    n=n,
                    document=document.id,
                    title=document.title,
                    section=" / ".join(sentence.section),
                    page=sentence.page,
                    start=sentence.start,
                    end=sentence.end,
                    quote=document.text[sentence.start : sentence.end],
                    chunk=chunk,
                    score=round(one.score, 4) if one else 0.0,
                )
            )
        return citations


def _stand_together(one: ScoredSentence, other: ScoredSentence) -> bool:
    """Tell whether two sentences stand in the same section of the same report."""
    return (one.sentence.document, one.sentence.section) == (other.sentence.document, other.sentence.section)


def _shortened(made: Enumeration, budget: int) -> list[Sentence]:
    """Return a list as far as the budget goes: whole, or the first sentence of each entry, or their first clauses."""
    if length(made.sentences) <= budget:
        return made.sentences
    heads = made.heads
    if length(heads) > budget:
        heads = [first_clause(head) for head in heads]
    while len(heads) > 1 and length(heads) > budget:
        heads.pop()
    return heads


def _emphasis(evidence: Evidence, text: str) -> tuple[int, int] | None:
    """Return the span of the number that a question asks for: the one nearest to the question's words that the question does not hold itself."""
    if evidence.kind not in NUMBERS:
        return None
    known = {(quantity.low, quantity.high) for quantity in quantities(evidence.question.text)}
    spans = [(q.start, q.end) for q in quantities(text) if (q.low, q.high) not in known and (q.kind == "year") == (evidence.kind == "date")]
    pairs = {evidence.question.core[i : i + 2] for i in range(len(evidence.question.core) - 1)}
    places = [i for i in range(len(text) - 1) if text[i : i + 2] in pairs]
    return min(spans, key=lambda span: (min((abs(span[0] - place) for place in places), default=0), span[0]), default=None)


def _reading_order(chosen: Sequence[Sentence]) -> list[Sentence]:
    """Order sentences as they stand in their section, the best sentence's section first; the best sentence leads its own."""
    best = chosen[0]
    order = {(sentence.document, sentence.section): place for place, sentence in reversed(list(enumerate(chosen)))}
    here = (best.document, best.section)
    return sorted(
        chosen,
        key=lambda one: (
            order[(one.document, one.section)],
            (one.document, one.section) == here and one.position < best.position,
            one.position,
        ),
    )
