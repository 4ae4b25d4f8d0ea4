"""The sentences of a report, each with what stands around it."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass

from rag.text.chunk import sentence_spans
from rag.types import Document, Kind

# Reports whose sentences are kept; a server that sees many versions of a report must not keep them all.
KEPT_DOCUMENTS = 64


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a document: `document.text[start:end] == text`."""

    document: str
    # Number of the sentence in its document.
    position: int
    start: int
    end: int
    text: str
    kind: Kind
    block: int
    page: int | None
    section: tuple[str, ...]
    speaker: str


class SentenceIndex:
    """Cuts documents into sentences once and keeps the last KEPT_DOCUMENTS of them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[Sentence, ...]] = OrderedDict()

    def of(self, document: Document) -> tuple[Sentence, ...]:
        """Return all sentences of a document, in order."""
        key = (document.id, document.sha256)
        if key not in self._kept:
            self._kept[key] = tuple(_sentences(document))
            if len(self._kept) > KEPT_DOCUMENTS:
                self._kept.popitem(last=False)
        return self._kept[key]

    def within(self, document: Document, start: int, end: int) -> tuple[Sentence, ...]:
        """Return the sentences that begin in [start, end), in characters."""
        sentences = self.of(document)
        low, high = (bisect_left(sentences, place, key=lambda sentence: sentence.start) for place in (start, end))
        return sentences[low:high]


def _sentences(document: Document) -> list[Sentence]:
    spans = list(sentence_spans(document))
    texts = [document.text[start:end] for start, end, _ in spans]
    blocks = [document.blocks[number] for _, _, number in spans]
    kinds: list[Kind] = [block.kind for block in blocks]
    for i in range(len(spans) - 1):
        if kinds[i] == kinds[i + 1] == "row" and _names_columns(texts[i], texts[i + 1]):
            kinds[i] = "heading"
    return [
        Sentence(document.id, position, start, end, text, kind, number, document.page_at(start), block.section, block.speaker)
        for position, ((start, end, number), text, kind, block) in enumerate(zip(spans, texts, kinds, blocks, strict=True))
    ]


def _names_columns(row: str, below: str) -> bool:
    """Tell whether a row of a table holds nothing but the names of the columns that the row below it repeats: "A | B" over "A: 1 | B: 2"."""
    names = [cell.strip() for cell in row.strip().strip("|").split("|")]
    told = {cell.partition(": ")[0].strip() for cell in below.strip().strip("|").split("|") if ": " in cell}
    return len(told) > 1 and told <= set(names)
