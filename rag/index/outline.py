"""What a report says, section by section: the sentences that say most of each, found by counting and vectors alone.

A sentence counts by how close it is to all that its section says, by where it stands and by the figures it holds; a heading that opens many
sections alike ("Summary") marks the author's own summaries, whatever its language. Gives up: no sentence is written, only chosen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rag.index.encoder import BuiltinEncoder
from rag.index.lexical import terms
from rag.text.chunk import sentence_spans
from rag.text.quantities import quantities
from rag.types import Block, Document, FloatMatrix

OUTLINE_VERSION = "1"
"""Part of every index's manifest; changes whenever another outline would be made of the same report."""

Span = tuple[int, int]
Path = tuple[str, ...]

DEEPEST = 5
"""Levels of headings that are outlined."""
MOST_PARTS = 600
MOST_SENTENCES = 12_000
"""Of a longer report every second sentence is read, or every third."""
POINTS, POINTS_OF_WHOLE, FIGURES, LEAD = 3, 10, 2, 2
SHORTEST, FITTING = 12, (80, 220)
"""Characters of a sentence that can stand alone, and above which it is long: in Chinese, in English."""
OPENS_SECTION, OPENS_BLOCK, OWN_SUMMARY, WITH_FIGURE = 0.10, 0.06, 0.15, 0.04
"""What a sentence gains, in cosines."""
TOO_LONG, SIGNED, ROW = 0.20, 0.15, 0.15
"""What a sentence loses."""
ALIKE = 0.9
"""Cosine above which one sentence says what another has said."""
TELLING = frozenset({"percent", "money", "multiple", "people", "duration", "rate", "power", "energy", "data", "compute"})
"""Kinds of figure that stand out."""
POINTS_AT = 0.6
"""A section that repeats this share of the other headings of its level, and three at least, is a table of contents."""


@dataclass(frozen=True, slots=True)
class Part:
    """One section with all that stands below it. Places are characters of the report's text."""

    section: Path
    """Empty for the report as a whole."""
    start: int
    end: int
    size: int
    """Characters of its blocks."""
    heading: Span | None = None
    points: tuple[Span, ...] = ()
    """The sentences that say most of it, the best first."""
    figures: tuple[Span, ...] = ()
    """Sentences with figures that stand out."""
    aside: bool = False
    """Whether it only leads elsewhere, as contents and lists of abbreviations do."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a report says: its `parts` in the order of the text, the whole first."""

    document: str
    lead: tuple[Span, ...] = ()
    """What says in a line or two what the report is about."""
    parts: tuple[Part, ...] = ()

    @property
    def whole(self) -> Part:
        """The report as one part."""
        return self.parts[0] if self.parts else Part((), 0, 0, 0)

    def part(self, section: Path) -> Part | None:
        """The part of a section, None where there is none."""
        return next((part for part in self.parts if part.section == section), None)

    def below(self, section: Path = ()) -> list[Part]:
        """The parts right below a section."""
        return [part for part in self.parts if len(part.section) == len(section) + 1 and part.section[: len(section)] == section]

    def main(self, most: int) -> list[Part]:
        """The parts that make up the report, at most so many, in order: a large one gives way to those below it while that fits.

        Where there are more, those stay that are divided themselves, where these make up most of the text, and of them the largest. The whole
        where a report has no parts.
        """
        chosen = self._told(self.whole)
        while len(chosen) == 1 and self._told(chosen[0]):
            chosen = self._told(chosen[0])
        divided = [part for part in chosen if self._told(part)]
        if len(chosen) > most and 2 * sum(part.size for part in divided) > sum(part.size for part in chosen):
            chosen = divided
        while chosen:
            splits = [(part, self._told(part)) for part in sorted(chosen, key=lambda part: -part.size)]
            split = next(
                (pair for pair in splits if 1 < len(pair[1]) <= most - len(chosen) + 1 and 4 * pair[0].size > self.whole.size), None
            )
            if split is None:
                break
            at = chosen.index(split[0])
            chosen[at : at + 1] = split[1]
        if len(chosen) > most:
            largest = sorted(chosen, key=lambda part: -part.size)[:most]
            chosen = [part for part in chosen if part in largest]
        return [part for part in chosen if part.points] or [self.whole]

    def _told(self, part: Part) -> list[Part]:
        return [child for child in self.below(part.section) if not child.aside]

    def to_dict(self, document: Document) -> dict[str, Any]:
        """The outline with its texts, for programs."""

        def said(spans: Sequence[Span]) -> list[dict[str, Any]]:
            return [{"start": start, "end": end, "page": document.page_at(start), "text": document.text[start:end]} for start, end in spans]

        about = {name: getattr(document, name) for name in ("id", "title", "publisher", "year", "language", "page_count")}
        parts = [
            {"section": list(part.section), "start": part.start, "end": part.end, "aside": part.aside}
            | {"points": said(part.points), "figures": said(part.figures)}
            for part in self.parts
        ]
        return {**about, "version": OUTLINE_VERSION, "lead": said(self.lead), "parts": parts}


def to_json(outline: Outline) -> str:
    """One line, as it is stored."""
    return json.dumps(asdict(outline), ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> Outline:
    """The outline that `to_json` gave. Raises ValueError, KeyError or TypeError for anything else."""

    def spans(values: Any) -> tuple[Span, ...]:
        return tuple((int(start), int(end)) for start, end in values)

    value = json.loads(text)
    parts = tuple(
        Part(
            section=tuple(map(str, part["section"])),
            start=int(part["start"]),
            end=int(part["end"]),
            size=int(part["size"]),
            heading=spans([part["heading"]])[0] if part["heading"] else None,
            points=spans(part["points"]),
            figures=spans(part["figures"]),
            aside=bool(part["aside"]),
        )
        for part in value["parts"]
    )
    return Outline(str(value["document"]), spans(value["lead"]), parts)


@dataclass(frozen=True, slots=True)
class _Read:
    """A report's sentences, and what each says."""

    document: Document
    spans: list[tuple[int, int, int]]
    """(start, end, position of the block)."""
    vectors: FloatMatrix
    worth: np.ndarray
    """float64 (sentences,): what each gains and loses wherever it stands; -inf for what cannot stand alone."""
    figured: np.ndarray = field(repr=False)
    """bool (sentences,): whether it holds a figure that stands out."""


def outline_of(document: Document, words: BuiltinEncoder) -> Outline:
    """The outline of one report."""
    sections = _sections(document)
    read = _read(document, words)
    rows_of: dict[int, list[int]] = {}
    for row, (_, _, position) in enumerate(read.spans):
        rows_of.setdefault(position, []).append(row)
    inside = {path: [row for position in blocks for row in rows_of.get(position, ())] for path, blocks in sections.items()}
    contents = _tables_of_contents(document, sections)
    summaries = _own_summaries(list(sections))
    aside = {path for path in sections if path and (path in contents or _only_rows(document, sections[path]))}
    parts = []
    for path, blocks in sections.items():
        rows = [row for row in inside[path] if path or not _is_below(read.document.blocks[read.spans[row][2]].section, aside)]
        points = _points(read, rows, summaries, POINTS if path else POINTS_OF_WHOLE)
        heading = next((block for block in (document.blocks[i] for i in blocks) if block.kind == "heading" and block.section == path), None)
        parts.append(
            Part(
                section=path,
                start=document.blocks[blocks[0]].start,
                end=document.blocks[blocks[-1]].end,
                size=sum(document.blocks[i].end - document.blocks[i].start for i in blocks),
                heading=_trimmed(document.text, heading) if path and heading else None,
                points=tuple(read.spans[row][:2] for row in points),
                figures=tuple(read.spans[row][:2] for row in _figures(read, rows)),
                aside=path in aside,
            )
        )
    return Outline(document.id, _lead(read, words, aside), tuple(parts))


def _sections(document: Document) -> dict[Path, list[int]]:
    """The positions of the blocks of each section and of all below it; the whole report first. The deepest go where there are too many."""
    found: dict[Path, list[int]] = {(): []}
    for position, block in enumerate(document.blocks):
        for depth in range(min(len(block.section), DEEPEST) + 1):
            found.setdefault(block.section[:depth], []).append(position)
    deepest = DEEPEST
    while len(found) > MOST_PARTS and deepest > 1:
        deepest -= 1
        found = {path: blocks for path, blocks in found.items() if len(path) <= deepest}
    return {path: blocks for place, (path, blocks) in enumerate(found.items()) if blocks and place < MOST_PARTS}


def _read(document: Document, words: BuiltinEncoder) -> _Read:
    spans = [span for span in sentence_spans(document) if document.blocks[span[2]].kind in ("prose", "item", "row")]
    spans = spans[:: 1 + len(spans) // MOST_SENTENCES]
    texts = [document.text[start:end] for start, end, _ in spans]
    vectors = words.encode(texts) if texts else np.zeros((0, words.dimension), np.float32)
    worth, figured = np.zeros(len(spans)), np.zeros(len(spans), bool)
    fitting = FITTING[document.language != "zh"]
    for row, ((start, _, position), text) in enumerate(zip(spans, texts, strict=True)):
        block = document.blocks[position]
        if len(text) < SHORTEST or text.rstrip()[-1:] in "：:？?":
            worth[row] = -np.inf
            continue
        figured[row] = any(quantity.kind in TELLING for quantity in quantities(text)) if any(map(str.isdigit, text)) else False
        worth[row] += OPENS_BLOCK * (start == block.start and block.kind == "prose") + WITH_FIGURE * figured[row]
        worth[row] -= TOO_LONG * min(1.0, max(0.0, len(text) / fitting - 1)) + SIGNED * bool(block.speaker) + ROW * (block.kind == "row")
    return _Read(document, spans, vectors, worth, figured)


def _points(read: _Read, rows: Sequence[int], summaries: frozenset[str], most: int) -> list[int]:
    """The sentences that say most of what these say, the best first, none that says another's again."""
    chosen: list[int] = []
    scores = _central(read, rows)
    if not len(scores):
        return chosen
    opened: set[Path] = set()
    for place, row in enumerate(rows):
        section = read.document.blocks[read.spans[row][2]].section
        if np.isfinite(scores[place]) and section not in opened:
            opened.add(section)
            scores[place] += OPENS_SECTION
        scores[place] += OWN_SUMMARY * (section[-1:] != () and section[-1] in summaries)
    for place in np.argsort(-scores, kind="stable").tolist():
        if len(chosen) == most or not np.isfinite(scores[place]):
            break
        row = rows[place]
        if not chosen or float((read.vectors[chosen] @ read.vectors[row]).max()) < ALIKE:
            chosen.append(row)
    return chosen


def _central(read: _Read, rows: Sequence[int]) -> np.ndarray:
    """float64 (rows,): how close each sentence is to all of them together, with what it is worth anywhere."""
    if not rows:
        return np.zeros(0)
    vectors = read.vectors[rows]
    centre = vectors.sum(axis=0)
    return vectors @ (centre / (np.linalg.norm(centre) or 1.0)) + read.worth[list(rows)]


def _figures(read: _Read, rows: Sequence[int]) -> list[int]:
    telling = [row for row in rows if read.figured[row]]
    scores = _central(read, telling)
    return [telling[place] for place in np.argsort(-scores, kind="stable").tolist()[:FIGURES] if np.isfinite(scores[place])]


def _lead(read: _Read, words: BuiltinEncoder, aside: set[Path]) -> tuple[Span, ...]:
    """What the report is about: early sentences that are close to its title and to all of it."""
    rows = [row for row, (_, _, position) in enumerate(read.spans) if not _is_below(read.document.blocks[position].section, aside)]
    if not rows:
        return ()
    title = words.encode([read.document.title])[0]
    early = np.exp(-4.0 * np.arange(len(rows)) / max(len(rows), 24))
    scores = _central(read, rows) + 1.5 * (read.vectors[rows] @ title) + 0.4 * early
    chosen: list[int] = []
    for place in np.argsort(-scores, kind="stable").tolist():
        if len(chosen) == LEAD or not np.isfinite(scores[place]):
            break
        if not chosen or float((read.vectors[[rows[i] for i in chosen]] @ read.vectors[rows[place]]).max()) < ALIKE:
            chosen.append(place)
    return tuple(read.spans[rows[place]][:2] for place in sorted(chosen))


def _own_summaries(paths: Sequence[Path]) -> frozenset[str]:
    """Headings that come first below at least three sections of one level: what an author calls the summary of each."""
    first: dict[Path, str] = {}
    for path in paths:
        if len(path) > 1:
            first.setdefault(path[:-1], path[-1])
    counts = Counter((len(parent), name) for parent, name in first.items())
    return frozenset(name for (_, name), count in counts.items() if count >= 3)


def _tables_of_contents(document: Document, sections: dict[Path, list[int]]) -> set[Path]:
    """Small sections that consist of lines of contents, or name a good part of the headings that stand elsewhere."""
    outer = [path for path in sections if len(path) == 1]
    names = Counter(path[-1] for path in sections if path)
    telling = {
        path: {term for term in terms(path[-1]) if len(term) > 1} for path in sections if 0 < len(path) <= 2 and names[path[-1]] == 1
    }
    found: set[Path] = set()
    for path in outer:
        blocks = [document.blocks[i] for i in sections[path] if document.blocks[i].kind != "heading"]
        if not blocks:
            continue
        if all(block.kind == "contents" for block in blocks):
            found.add(path)
        if len(outer) * sum(block.end - block.start for block in blocks) > len(document.text):
            continue
        own = telling.get(path, set())
        there = set(terms("\n".join(document.text[block.start : block.end] for block in blocks)))
        for level in (1, 2):
            others = [words for other, words in telling.items() if len(other) == level and words and other[:1] != path and not words <= own]
            if sum(len(words & there) >= 0.6 * len(words) for words in others) >= max(3, POINTS_AT * len(others)):
                found.add(path)
    return found


def _only_rows(document: Document, blocks: Sequence[int]) -> bool:
    """Whether a section is a list of abbreviations."""
    kinds = [document.blocks[i].kind for i in blocks if document.blocks[i].kind != "heading"]
    return bool(kinds) and sum(kind == "abbreviation" for kind in kinds) > 0.5 * len(kinds)


def _is_below(section: Path, paths: set[Path]) -> bool:
    return any(section[:depth] in paths for depth in range(1, len(section) + 1))


def _trimmed(text: str, block: Block) -> Span:
    said = text[block.start : block.end]
    start = block.start + len(said) - len(said.lstrip())
    return start, start + len(said.strip())


def shown_lines(outline: Outline, document: Document) -> Iterator[str]:
    """The outline as text for people: headings by depth, the best sentence of each with its place."""
    for start, end in outline.lead:
        yield f"{document.text[start:end]}  [{start}:{end}]"
    for part in outline.parts[1:] or outline.parts:
        depth = "  " * (len(part.section) - 1)
        if part.section:
            yield f"{depth}{part.section[-1]}" + ("  (contents)" if part.aside else "")
        for start, end in part.points[: 1 if part.section else POINTS_OF_WHOLE]:
            yield f"{depth}  {document.text[start:end]}  [{start}:{end}]"
