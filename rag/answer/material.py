"""What a message is answered from where it is no question to be searched: the reports it is about, and places of them to be quoted.

Every quote is cited to its span here and nowhere else. Gives up: no sentence joins two others, so what is quoted reads as notes, not as prose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, Protocol

from rag.index.encoder import BuiltinEncoder
from rag.index.lexical import terms
from rag.index.outline import Outline, Span
from rag.search.editions import in_language, says_the_same
from rag.search.evidence import Evidence
from rag.search.question import language_of, read_question
from rag.search.reader import Passage, Reader
from rag.search.sentences import Sentence, SentenceIndex
from rag.types import Answer, Chunk, Citation, Claim, Document, Hit, Turn

PASSAGES = 16
"""Passages whose sentences are looked at."""
TOGETHER = 8
"""Sentences that the reader reads at once."""
SHORTEST = 12
"""Characters of a sentence that can stand alone."""
CHARACTERS = {"zh": 1100, "en": 2800}
"""An overview is not longer, by language."""


class Shelf(Protocol):
    """What an index gives beside passages."""

    def documents(self) -> tuple[Document, ...]:
        """All documents, without their texts."""

    def document(self, document_id: str) -> Document:
        """The whole document."""

    def outline(self, document_id: str) -> Outline:
        """Its outline."""

    def document_frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many chunks each term occurs."""

    def chunks_of(self, document_id: str) -> list[Chunk]:
        """Its chunks, in the order of its text."""


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to answer a message from."""

    shelf: Shelf
    words: BuiltinEncoder
    sentences: SentenceIndex
    hits: Callable[[str, Sequence[str], int], list[Hit]]
    """The best passages for a question in the reports of these ids, all for none, that nobody has read yet."""
    evidence: Callable[[str], Evidence]
    """What the search finds for a question, read."""
    ask: Callable[[str], Answer]
    """The answer to a question about contents that stands alone."""
    reports: tuple[Document, ...]
    """Those that may answer, without their texts."""
    reader: Reader
    open_report: str = ""
    """Id of the report that a person has in front of them, such as one just added."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message and what came before it."""

    text: str
    history: tuple[Turn, ...] = ()

    @property
    def language(self) -> Literal["zh", "en"]:
        """Of the message."""
        return language_of(self.text)


@dataclass(frozen=True, slots=True)
class Piece:
    """A place to be quoted, under a heading."""

    document: str
    span: Span
    heading: str = ""


def quoted(material: Material, asked: Asked, pieces: Iterable[Piece], reason: str = "") -> Answer:
    """An overview that quotes these places in their order, each once, as far as there is room; without claims for none."""
    claims: list[Claim] = []
    citations: list[Citation] = []
    seen: set[tuple[str, Span]] = set()
    room = CHARACTERS[asked.language]
    for piece in pieces:
        if (piece.document, piece.span) in seen:
            continue
        seen.add((piece.document, piece.span))
        citation = cite(material, piece.document, piece.span, len(citations) + 1)
        room -= len(citation.quote) + len(piece.heading)
        if claims and room < 0:
            break
        citations.append(citation)
        claims.append(Claim(citation.quote, (citation.n,), "quoted", heading=piece.heading))
    return Answer(asked.text, asked.text, asked.language, tuple(claims), tuple(citations), reason=reason, mode="overview")


def cite(material: Material, document_id: str, span: Span, n: int) -> Citation:
    """A place as a citation."""
    document = material.shelf.document(document_id)
    start, end = span
    block = next((block for block in document.blocks if block.start <= start < block.end), None)
    chunk = next((chunk.id for chunk in material.shelf.chunks_of(document_id) if chunk.start <= start < chunk.end), "")
    return Citation(
        n=n,
        document=document.id,
        title=document.title,
        section=" / ".join(block.section) if block else "",
        page=document.page_at(start),
        start=start,
        end=end,
        quote=document.text[start:end],
        chunk=chunk,
        score=1.0,
    )


def scope(material: Material, asked: Asked) -> list[Document]:
    """The reports that a message is about: those it names, else the open one, else those of the talk so far, else all; each once, in the
    edition of the message's language where there is one.
    """
    reports = material.reports
    named = read_question(asked.text, reports).reports
    if not named and material.open_report:
        named = (material.open_report,)
    if not named:
        cited = (
            [citation.document for citation in turn.citations] or [name for name, _ in turn.sections] for turn in reversed(asked.history)
        )
        named = tuple(next((dict.fromkeys(names) for names in cited if names), ()))
    chosen = editions(material, named) or list(reports)
    return in_language(chosen, material.shelf.document, asked.language)


def names_report(material: Material, asked: Asked) -> bool:
    """Whether a message names one report."""
    named = read_question(asked.text, material.reports).reports
    return bool(named) and {document.id for document in editions(material, named[:1])} >= set(named)


def editions(material: Material, names: Sequence[str]) -> list[Document]:
    """The reports of these ids with those that say the same in the other language, in the order of the library."""
    whole = [material.shelf.document(document.id) for document in material.reports]
    named = [document for document in whole if document.id in names]
    wanted = {document.id for document in whole if document in named or any(says_the_same(document, one) for one in named)}
    return [document for document in material.reports if document.id in wanted]


def offered(material: Material, asked: Asked) -> list[Document]:
    """The reports that questions may be offered on, in the edition of the message's language: those that it is about first."""
    own = in_language(material.reports, material.shelf.document, asked.language)
    about = scope(material, asked)
    return [*about, *(document for document in own if document not in about)]


def edition_note(asked: Asked, documents: Sequence[Document]) -> str:
    """A line that says so where the reports are in another language than the message."""
    if not documents or any(document.language in (asked.language, "") for document in documents):
        return ""
    return "报告原文是英文，以下按原文引用。" if asked.language == "zh" else "The report is in Chinese and is quoted as it stands."


def short_title(document: Document) -> str:
    """A title without what stands in brackets at its end.

    >>> from rag.types import Document
    >>> short_title(Document("t", "Tides (digest)", "", (), "", ""))
    'Tides'
    """
    return re.sub(r"\s*[（(][^（）()]*[)）]\s*$", "", document.title) or document.title or PurePath(document.source).stem


def claims_of(answer: Answer) -> Iterator[tuple[Claim, tuple[Citation, ...]]]:
    """Each claim with what it cites."""
    for claim in answer.claims:
        yield claim, tuple(citation for citation in answer.citations if citation.n in claim.citations)


def candidates(material: Material, question: str, ids: Sequence[str], most: int) -> list[Sentence]:
    """Sentences that may answer a question in the reports of these ids, before anything has read them: of the best passages, by the share of
    the question's terms that they hold and by likeness.
    """
    found: dict[Sentence, float] = {}
    for hit in material.hits(question, ids, PASSAGES):
        document = material.shelf.document(hit.chunk.document)
        for sentence in material.sentences.within(document, hit.chunk.start, hit.chunk.end):
            if sentence.kind in ("prose", "item", "row") and len(sentence.text) >= SHORTEST and sentence.text.rstrip()[-1:] not in "：:？?":
                found.setdefault(sentence, hit.fused)
    if not found:
        return []
    likeness = material.words.encode([sentence.text for sentence in found]) @ material.words.encode([question])[0]
    wanted = {term for term in terms(question) if len(term) > 1}
    held = [len(wanted & set(terms(sentence.text))) / len(wanted) if wanted else 0.0 for sentence in found]
    scores = {sentence: held[place] + float(likeness[place]) for place, sentence in enumerate(found)}
    return sorted(found, key=lambda sentence: (-scores[sentence], sentence.document, sentence.position))[:most]


def read(material: Material, question: str, sentences: Sequence[Sentence]) -> list[float]:
    """The reader's logit for each sentence that it belongs to the answer. Sentences of one report are read together, a few at a time."""
    packs = [sentences[start : start + TOGETHER] for start in range(0, len(sentences), TOGETHER)]
    readings = material.reader.read(question, [Passage("", tuple(sentence.text for sentence in pack)) for pack in packs]) if packs else []
    return [logit for reading in readings for logit in reading.sentences]
