"""The words of the pipeline, each with one meaning: Document, Block, Chunk, Hit, Citation, Claim, Answer, Turn; and its seams.

Everything is frozen; places are (start, end) in characters of `Document.text`, end exclusive. Slicing is the contract:
`document.text[chunk.start:chunk.end]` is the chunk, `document.text[citation.start:citation.end] == citation.quote`, always.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

FloatMatrix: TypeAlias = np.ndarray
"""float32, shape (rows, dimension)."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, total)."""

Kind = Literal["heading", "prose", "item", "row", "figure", "contents", "abbreviation"]
"""What a block is: a heading; a paragraph; one bullet or numbered item; one table row; chart or caption text; a line of a table of contents; a row of a list of abbreviations."""

Mode = Literal["extractive", "overview", "library", "talk", "llm"]
"""What an answer is made of: sentences found for a question, the outline of reports, what is known of the reports themselves, words of our own
about the tool or the talk, or what an LLM wrote."""

Verdict = Literal["quoted", "supported", "partial", "unsupported", "uncited", "own"]
"""What is known of a claim: quoted word for word, checked against its source with one of three results, without a source, or words of our own
about the reports or the tool, which no report could bear out."""

SOUND: frozenset[Verdict] = frozenset({"quoted", "supported", "own"})
"""Verdicts that say nothing against a claim."""

Support: TypeAlias = Callable[[str, Sequence[str]], tuple[float, float, float]]
"""(claim, evidence) to the probabilities that the evidence supports the claim, supports part of it, does not support it."""


def content_id(*parts: str, length: int = 12) -> str:
    """The same parts give the same id everywhere: `length` hexadecimal digits of a sha256.

    >>> content_id("a", "b") == content_id("a", "b") != content_id("ab")
    True
    """
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:length]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a document with one page and one section path. Blocks of a document are in order and do not overlap."""

    start: int
    end: int
    kind: Kind = "prose"
    page: int | None = None
    """Page of the file, from 1; None where the format has no pages."""
    section: tuple[str, ...] = ()
    """Headings from the outermost to the innermost, without the title of the report. A heading's own path ends with itself."""
    speaker: str = ""
    """Who says this, with title and organisation, where the report signs an expert's remark."""


@dataclass(frozen=True, slots=True)
class Document:
    """One report as normalised text plus metadata."""

    id: str
    title: str
    text: str
    blocks: tuple[Block, ...]
    sha256: str
    """Of the source file's bytes."""
    source: str
    """Name of the source file, without its folder."""
    publisher: str = ""
    year: int | None = None
    language: str = ""
    """"zh" or "en": the language of most of the text."""
    page_count: int = 0
    """Pages of the file; 0 where the format has none."""
    notes: tuple[str, ...] = ()
    """What the reader repaired or could not read, for people."""
    pages: tuple[tuple[int, int | None], ...] = ()
    """(character, page) where the page changes, in order, also inside a block; empty where blocks alone tell."""
    labels: tuple[tuple[int, str], ...] = ()
    """(page, what is printed on it) where that is known and differs from the count of the file's pages."""

    def page_at(self, offset: int) -> int | None:
        """The page on which a character stands; None where there is none."""
        if not self.pages:
            at = bisect_right(self.blocks, offset, key=lambda block: block.start)
            return self.blocks[at - 1].page if at else None
        at = bisect_right(self.pages, offset, key=lambda entry: entry[0])
        return self.pages[at - 1][1] if at else None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A retrievable stretch of a document."""

    id: str
    document: str
    start: int
    end: int
    page: int | None
    section: tuple[str, ...]
    tokens: int
    """By our own tiktoken ranks."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk with its scores. All scores grow with relevance."""

    chunk: Chunk
    text: str
    lexical: float
    """BM25, divided by the question's total idf: 0 when no term is shared, about 1 when all are."""
    dense: float
    """Cosine of question and chunk, -1 to 1; 0 where the encoder has nothing to say."""
    fused: float
    """The calibrated mix by which hits are ordered."""


@dataclass(frozen=True, slots=True)
class Citation:
    """An exact place in a report. `document.text[start:end] == quote`."""

    n: int
    document: str
    title: str
    section: str
    page: int | None
    start: int
    end: int
    quote: str
    chunk: str
    score: float
    """0 to 1, higher is more relevant; comparable within one answer."""

    def place(self, language: str) -> str:
        """Report, section and page in one line."""
        page = "" if self.page is None else f"第 {self.page} 页" if language == "zh" else f"p. {self.page}"
        return " · ".join(part for part in (self.title, self.section, page) if part)


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer with the numbers of its citations and what the check said."""

    text: str
    citations: tuple[int, ...] = ()
    verdict: Verdict = "uncited"
    why: str = ""
    emphasis: tuple[int, int] | None = None
    """Where in `text` the short answer stands (a number, a name), if there is one."""
    heading: str = ""
    """What stands above it in an answer of several parts; the claims of one part follow one another."""


_PRINTED = {
    "zh": ("来源", "报告中没有找到答案", "最接近的段落（未采用）", "检索的问题", "："),
    "en": ("Sources", "Not found in the reports", "Nearest passages (not used)", "Searched for", ": "),
}
_DOUBTED = {
    True: {"partial": "原文只支持一部分", "unsupported": "原文不支持", "uncited": "没有找到出处"},
    False: {"partial": "supported in part", "unsupported": "not supported", "uncited": "no source found"},
}
"""What a sentence that is not supported is called, in Chinese (True) and English."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question. `to_dict` is the contract of `rag ask --json`, `rag batch` and the page."""

    question: str
    query: str
    """The standalone question that was searched."""
    language: str
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    abstained: bool = False
    reason: str = ""
    nearest: tuple[Citation, ...] = ()
    """When abstained: what came close and was not used."""
    mode: Mode = "extractive"
    confidence: Literal["sure", "likely", "perhaps", ""] = ""
    """How likely the answer is right, in words whose meaning is measured; empty where nothing was claimed."""
    code: str = ""
    """Of a refusal: why, for programs (`rag.answer.refusal.Code`)."""
    model: str = ""
    layout: Literal["", "list", "running"] = ""
    """How the claims are set where someone asked for that: a line each, or one after the other."""
    suggestions: tuple[str, ...] = ()
    """Questions that can be asked next."""
    timings_ms: dict[str, float] = field(default_factory=dict)

    @property
    def answer(self) -> str:
        """The text with [n] markers behind each claim; ~~struck through~~ what its source does not support."""
        lines = [
            (f"~~{claim.text}~~" if claim.verdict == "unsupported" else claim.text) + "".join(f"[{n}]" for n in claim.citations)
            for claim in self.claims
        ]
        if any(claim.heading for claim in self.claims):
            return "\n".join(_under_headings(self.claims, lines))
        return ("\n" if self.listed else "" if self.language == "zh" else " ").join(lines)

    @property
    def listed(self) -> bool:
        """Whether each claim stands on a line of its own."""
        if self.layout:
            return self.layout == "list"
        return self.mode != "llm" and (len(self.claims) > 3 or any("\n" in claim.text for claim in self.claims))

    def __str__(self) -> str:
        """The answer for people: its text, what is wrong with it, and its sources with their quotes."""
        sources, not_found, nearest, searched, colon = _PRINTED["zh" if self.language == "zh" else "en"]
        lines = [f"{searched}{colon}{self.query}", ""] if self.query and self.query != self.question.strip() else []
        if self.abstained:
            lines += [f"{not_found}{colon}{self.reason}" if self.reason else not_found]
            return "\n".join([*lines, *(("", nearest, *self._quoted(self.nearest)) if self.nearest else ())])
        lines += [self.answer]
        zh = self.language == "zh"
        for claim in self.claims:
            if claim.verdict not in SOUND:
                why = (f"（{claim.why}）" if zh else f" ({claim.why})") if claim.why else ""
                lines += [f"  ! {_DOUBTED[zh][claim.verdict]}{colon}{claim.text}{why}"]
        lines += ["", self.reason] if self.reason else []
        lines += ["", sources, *self._quoted(self.citations)] if self.citations else []
        return "\n".join([*lines, *(("", *(f"> {question}" for question in self.suggestions)) if self.suggestions else ())])

    def _quoted(self, citations: Sequence[Citation]) -> Iterator[str]:
        """Each place once, with the quotes that follow one another there."""
        last = ""
        for citation in citations:
            if (place := citation.place(self.language)) != last:
                yield place
            last = place
            yield f"  [{citation.n}] {' '.join(citation.quote.split())}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values in the order of the contract."""
        return {
            "question": self.question,
            "query": self.query,
            "language": self.language,
            "answer": self.answer,
            "abstained": self.abstained,
            "reason": self.reason,
            "mode": self.mode,
            "confidence": self.confidence,
            "code": self.code,
            "model": self.model,
            "layout": self.layout,
            "suggestions": list(self.suggestions),
            "claims": [asdict(claim) for claim in self.claims],
            "citations": [asdict(citation) for citation in self.citations],
            "nearest": [asdict(citation) for citation in self.nearest],
            "timings_ms": {name: round(value, 2) for name, value in self.timings_ms.items()},
        }


def _under_headings(claims: Sequence[Claim], lines: Sequence[str]) -> Iterator[str]:
    """The lines of claims, as items below the heading of their part."""
    above = ""
    for claim, line in zip(claims, lines, strict=True):
        if claim.heading and claim.heading != above:
            yield claim.heading
        above = claim.heading
        yield f"- {line}" if above else line


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer, as history for the next question."""

    question: str
    answer: str = ""
    query: str = ""
    """The standalone question of that turn; empty when it is not known."""
    sections: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(document id, section path) of what that answer cited."""
    claims: tuple[Claim, ...] = ()
    """What was said, claim by claim; empty where only the text of the answer is known."""
    citations: tuple[Citation, ...] = ()
    mode: Mode | None = None
    """Of that answer; None where it is not known."""

    @classmethod
    def of(cls, answer: Answer) -> Turn:
        """The turn that an answer makes."""
        cited = dict.fromkeys((c.document, tuple(part for part in c.section.split(" / ") if part)) for c in answer.citations)
        return cls(answer.question, answer.answer, answer.query, tuple(cited), answer.claims, answer.citations, answer.mode)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents may answer. An empty field allows all."""

    reports: tuple[str, ...] = ()
    """Document ids, or the beginning of one up to a dot: "damo-2023" allows "damo-2023.zh" and "damo-2023.en"."""
    publisher: str = ""
    year: int | None = None
    language: str = ""

    def allows(self, document: Document) -> bool:
        """Whether this document may answer."""
        return bool(self.passing([document]))

    def passing(self, documents: Iterable[Document]) -> list[Document]:
        """The documents that may answer, in their order; however many are named, each costs the same."""
        names = frozenset(self.reports)
        return [document for document in documents if (not names or _is_named(document.id, names)) and self._describes(document)]

    def _describes(self, document: Document) -> bool:
        return (
            (not self.publisher or self.publisher.lower() in document.publisher.lower())
            and (self.year is None or document.year == self.year)
            and (not self.language or document.language == self.language)
        )


def _is_named(document: str, names: frozenset[str]) -> bool:
    """Whether an id is among the names, or begins with one up to a dot."""
    return document in names or any(document[:at] in names for at, letter in enumerate(document) if letter == ".")


@runtime_checkable
class Encoder(Protocol):
    """Texts in, unit vectors out."""

    name: str
    revision: str
    """Changes when the vectors would."""
    dimension: int
    max_tokens: int | None
    """Longest input in the encoder's own tokens; None when there is no limit."""

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> FloatMatrix:
        """float32 (len(texts), dimension), rows of length 1; a text without a word gives a row of zeros, never NaN."""


class Store(Protocol):
    """What a search needs from an index: ids, vectors, terms, text and filters. It knows nothing of answers.

    Two things implement it: the embedded index (`rag.index.snapshot.Snapshot`) and a distributed engine (`rag.cluster`).
    """

    encoder_name: str
    dimension: int

    def count(self) -> int:
        """Number of chunks."""

    def documents(self) -> tuple[Document, ...]:
        """All documents, in the order of their ids, with empty `text` and `blocks`."""

    def document(self, document_id: str) -> Document:
        """The whole document. Raises KeyError when there is none."""

    def chunks(self, ids: Sequence[str]) -> list[Chunk]:
        """The chunks of these ids, in the order given."""

    def document_frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many chunks each lexical term occurs."""

    def lexical(self, terms: dict[str, float], top_k: int, documents: frozenset[str] | None = None) -> list[tuple[str, float]]:
        """(chunk id, BM25 score) best first, ties by id. `terms` maps a lexical term to its weight; chunks that share no term are left out;
        `documents` restricts to these document ids."""

    def dense(self, vector: np.ndarray, top_k: int, documents: frozenset[str] | None = None) -> list[tuple[str, float]]:
        """(chunk id, cosine) best first, ties by id; chunks without a vector are left out."""

    def cosines(self, vector: np.ndarray, ids: Sequence[str]) -> list[float]:
        """The cosine of each of these chunks, 0 for one without a vector."""
