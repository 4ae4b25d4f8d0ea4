"""Exact checks of a question against a sentence and what stands around it: years, periods, figures and identifiers.

They stand beside the reader because a model compares meanings, not digits. Each may only refuse; `CONSTRAINTS` names them, so that an evaluation can
take one out and show what it is worth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rag.answer.refusal import Refusal
from rag.search.question import Question
from rag.search.sentences import Sentence, SentenceIndex
from rag.text.normalize import search_form
from rag.text.quantities import Quantity, quantities, years
from rag.types import Document

# Kinds of figures that a question can only have from a report.
QUOTED_FIGURES = ("percent", "money", "people", "multiple")
_PERIODS: tuple[tuple[str, re.Pattern[str]], ...] = (
    *((f"Q{n}", re.compile(rf"\bQ{n}\b|第?{han}季度?|\b{word} quarter", re.IGNORECASE)) for n, han, word in zip("1234", "一二三四", ("first", "second", "third", "fourth"), strict=True)),
    ("H1", re.compile(r"\bH1\b|上半年|\bfirst half\b", re.IGNORECASE)),
    ("H2", re.compile(r"\bH2\b|下半年|\bsecond half\b", re.IGNORECASE)),
)  # fmt: skip
# A name that must be found letter for letter: with a digit, or with a capital behind its first letter.
_IDENTIFIER = re.compile(r"(?=.*[A-Za-z])(?:.*\d|.[^\s]*[A-Z]).*")


@dataclass(frozen=True, slots=True)
class SentenceContext:
    """A sentence and the texts around it: with one neighbour on each side, its section, the headings and titles above it."""

    sentence: str
    window: str
    section: str
    place: str
    # Of the report.
    year: int | None


def context_of(sentence: Sentence, document: Document, index: SentenceIndex) -> SentenceContext:
    """Collect what stands around a sentence in its document."""
    sentences = index.of(document)
    first = last = sentence.position
    while first > 0 and sentences[first - 1].section == sentence.section:
        first -= 1
    while last + 1 < len(sentences) and sentences[last + 1].section == sentence.section:
        last += 1
    low, high = max(first, sentence.position - 1), min(last, sentence.position + 1)
    return SentenceContext(
        sentence.text,
        document.text[sentences[low].start : sentences[high].end],
        document.text[sentences[first].start : sentences[last].end],
        " ".join((document.title, document.publisher, *sentence.section)),
        document.year,
    )


def unmet(question: Question, context: SentenceContext, without: frozenset[str] = frozenset()) -> Refusal | None:
    """Return the first constraint that a sentence does not meet; None when it meets all but those left out."""
    checks = (check for name, check in CONSTRAINTS.items() if name not in without)
    return next((refusal for check in checks if (refusal := check(question, context))), None)


def _year(question: Question, context: SentenceContext) -> Refusal | None:
    """A year of the question stands near, or is the report's; of several one is enough, since each sentence tells of its own."""
    there = years(context.window) or years(context.section)
    told = there | years(context.place) | ({context.year} if context.year else set())
    if not question.years or any(year in told or str(year) in context.window for year in question.years):
        return None
    return Refusal("year_not_in_evidence", {"value": str(min(question.years))})


def _period(question: Question, context: SentenceContext) -> Refusal | None:
    """A quarter or half of a year that is asked for is told where the nearest text names any."""
    texts = (context.sentence, context.window, f"{context.place} {context.section}")
    there = next((found for text in texts if (found := {name for name, form in _PERIODS if form.search(text)})), set())
    for name, form in _PERIODS:
        if (said := form.search(question.text)) and there and name not in there:
            return Refusal("period_not_in_evidence", {"value": said[0].strip()})
    return None


def _figure(question: Question, context: SentenceContext) -> Refusal | None:
    """A figure that the question takes from a report stands there."""
    there = quantities(context.section)
    for quantity in quantities(question.text):
        if quantity.kind in QUOTED_FIGURES and not any(_holds(other, quantity) for other in there):
            return Refusal("figure_not_in_evidence", {"value": question.text[quantity.start : quantity.end].strip()})
    return None


def _holds(other: Quantity, quantity: Quantity) -> bool:
    same = (other.low, other.high) == (quantity.low, quantity.high)
    return same or (other.kind == quantity.kind and other.low <= quantity.low and quantity.high <= other.high)


def _name(question: Question, context: SentenceContext) -> Refusal | None:
    """An identifier stands in the section or above it, whatever its case, hyphens and blanks. "Q2" is none: `_period` knows its other forms."""
    there = _letters(f"{context.place} {context.section}")
    for name in question.names:
        if any(form.fullmatch(name) for _, form in _PERIODS):
            continue
        if _IDENTIFIER.fullmatch(name) and len(name) > 1 and _letters(name.removesuffix("'s")).removesuffix("s") not in there:
            return Refusal("name_not_in_evidence", {"value": name})
    return None


def _letters(text: str) -> str:
    """Letters and digits alone, in the form in which search compares them."""
    return re.sub(r"[\W_]+", "", search_form(text))


CONSTRAINTS: Mapping[str, Callable[[Question, SentenceContext], Refusal | None]] = {
    "year": _year,
    "period": _period,
    "figure": _figure,
    "name": _name,
}
