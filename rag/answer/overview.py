"""Answers made from the outlines of reports: what one is about, what to take from it, a section, the whole library, its headings, and
sentences of one kind (risks, recommendations, outlook) over all sections.

Gives up: sentences of one kind are looked for among those that the search finds, since reading every sentence of a report would take seconds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from rag.answer.material import Asked, Material, Piece, candidates, edition_note, names_report, quoted, read, scope, short_title
from rag.answer.sections import SURELY, counts_in, is_counted, label, named_part, series_of
from rag.index.lexical import terms
from rag.index.outline import POINTS, Outline, Part, Path, Span
from rag.search.editions import in_language
from rag.search.question import strip_asking, without_names
from rag.search.sentences import Sentence
from rag.types import Answer, Document

MOST_PARTS = 12
"""Parts of a report that an overview of it tells."""
MOST_TAKEAWAYS = 8
MOST_REPORTS = 8
MOST_HEADINGS = 40
MOST_OF_A_KIND, OF_ONE_SECTION = 10, 2
"""Sentences of one kind over all sections, and of each."""
LOOKED_AT, READ, AT_LEAST = 60, 16, 3
"""Sentences that are looked at for one kind, that the reader reads, and that are shown where it finds none for sure."""


# ----------------------------------------------------------------------------------------------------------------- what is told


def of_report(material: Material, asked: Asked) -> Answer:
    """What a report is about: a line or two, then its parts, each with its sentence. Of several reports what the library holds."""
    if found := _section_named(material, asked):
        return section_told(material, asked, *found)
    documents = scope(material, asked)
    if len(documents) != 1:
        return of_library(material, asked)
    document = documents[0]
    outline = material.shelf.outline(document.id)
    parts = outline.main(MOST_PARTS)
    alone = {part.points[0] for part in parts if len(part.points) == 1 and part.section}  # all that a small part has to say stays with it
    pieces = [Piece(document.id, span) for span in outline.lead if span not in alone]
    if parts == [outline.whole]:
        pieces += [Piece(document.id, span) for span in sorted(outline.whole.points[:MOST_TAKEAWAYS])]
    else:
        fresh = {part.section: [span for span in part.points if span not in outline.lead] or part.points for part in parts}
        pieces += [Piece(document.id, fresh[part.section][0], part.section[-1]) for part in parts]
    return quoted(material, asked, pieces, edition_note(asked, documents))


def takeaways(material: Material, asked: Asked) -> Answer:
    """The strongest sentence of each main part, at most eight; of few parts several each."""
    if found := _section_named(material, asked):
        return section_told(material, asked, *found)
    documents = scope(material, asked)
    pieces: list[Piece] = []
    for document in documents[:MOST_REPORTS]:
        outline = material.shelf.outline(document.id)
        most = max(2, MOST_TAKEAWAYS // len(documents))
        parts = outline.main(most)
        above = document.title if len(documents) > 1 else ""
        pieces += [Piece(document.id, span, above) for span in sorted(_by_turns(parts, most))]
    return quoted(material, asked, pieces, edition_note(asked, documents))


def _by_turns(parts: Sequence[Part], most: int) -> list[Span]:
    """The best point of each part, then the second of each, and so on."""
    deepest = max((len(part.points) for part in parts), default=0)
    spans = (part.points[rank] for rank in range(deepest) for part in parts if rank < len(part.points))
    return list(dict.fromkeys(spans))[:most]


def of_section(material: Material, asked: Asked) -> Answer | None:
    """What a section says: its best sentences, then those of the sections below it. Of a message that names no section but a report what that
    is about; None where it names neither.
    """
    if found := section_meant(material, asked):
        return section_told(material, asked, *found)
    return of_report(material, asked) if names_report(material, asked) else None


def section_told(material: Material, asked: Asked, document: Document, part: Part) -> Answer:
    """What one section says."""
    outline = material.shelf.outline(document.id)
    children = [child for child in outline.below(part.section) if child.points and not child.aside]
    if len(children) < 2:
        pieces = [Piece(document.id, span, part.section[-1]) for span in sorted(part.points)]
    else:
        pieces = [Piece(document.id, span) for span in part.points[:1]]
        pieces += [Piece(document.id, child.points[0], child.section[-1]) for child in children[:MOST_PARTS]]
    return quoted(material, asked, pieces, edition_note(asked, [document]))


def section_meant(material: Material, asked: Asked) -> tuple[Document, Part] | None:
    """The section that a message names, of the reports that it may be about, else of any."""
    for documents, least in ((scope(material, asked), 0.0), (material.reports, SURELY)):
        found = [
            (match[0], document, match[1]) for document in documents if (match := named_part(asked, material.shelf.outline(document.id)))
        ]
        found = [entry for entry in found if entry[0] >= least]
        own = [entry for entry in found if entry[1].language == asked.language] or found
        if own:
            _, document, part = max(own, key=lambda entry: entry[0])
            return document, part
    return None


def _section_named(material: Material, asked: Asked) -> tuple[Document, Part] | None:
    """The section of which a message that asks for an overview gives the number or the whole name, outside the titles of reports."""
    text = asked.text
    for document in material.reports:
        text = text.replace(document.title, " ").replace(short_title(document), " ")
    bare = replace(asked, text=text)
    for document in scope(material, asked):
        match = named_part(bare, material.shelf.outline(document.id))
        if match and match[0] >= SURELY:
            return document, match[1]
    return None


def of_library(material: Material, asked: Asked) -> Answer:
    """What each report is about, in a line or two, under its title."""
    documents = in_language(material.reports, material.shelf.document, asked.language)
    pieces = []
    for document in documents[:MOST_REPORTS]:
        outline = material.shelf.outline(document.id)
        lead = outline.lead or outline.whole.points[:2]
        pieces += [Piece(document.id, span, document.title) for span in lead]
    more = len(documents) - MOST_REPORTS
    note = ""
    if more > 0:
        note = f"另外还有 {more} 份报告。" if asked.language == "zh" else f"{more} more reports are there."
    return quoted(material, asked, pieces, note)


def headings(material: Material, asked: Asked) -> Answer:
    """The headings of a report, or of the section that a message names; those of one series ("Trend 1", "Trend 2") where it names that."""
    documents = scope(material, asked)
    pieces: list[Piece] = []
    for document in documents[:MOST_REPORTS]:
        outline = material.shelf.outline(document.id)
        match = named_part(asked, outline)
        top = match[1] if match and outline.below(match[1].section) else outline.whole
        parts = [part for part in outline.below(top.section) if part.heading]
        if len(parts) == 1 and outline.below(parts[0].section):
            parts = outline.below(parts[0].section)
        series = series_of(parts, asked)
        above = document.title if len(documents) > 1 else ""
        for part in (series or parts)[:MOST_HEADINGS]:
            below = [child for child in outline.below(part.section) if child.heading]
            told = not series and 1 < len(below) <= MOST_PARTS and len(parts) <= MOST_PARTS and not _repeated(outline, below)
            if told:
                pieces += [Piece(document.id, child.heading, part.section[-1]) for child in below if child.heading]
            elif part.heading:
                pieces.append(Piece(document.id, part.heading, above))
    return quoted(material, asked, pieces, edition_note(asked, documents))


def series_asked(material: Material, asked: Asked) -> Answer | None:
    """The headings of a series that a message names and counts right ("the ten trends"); None for none."""
    said = asked.text.casefold()
    numbers = counts_in(said)
    for document in scope(material, asked):
        series = series_of(material.shelf.outline(document.id).below(), asked)
        if len(series) > 2 and str(len(series)) in numbers and not any(is_counted(part.section[-1], said) for part in series):
            pieces = [Piece(document.id, part.heading) for part in series if part.heading]
            return quoted(material, asked, pieces, edition_note(asked, [document]))
    return None


def _repeated(outline: Outline, parts: Sequence[Part]) -> bool:
    """Whether other sections have sections of the same names, as "Summary" in every chapter."""
    elsewhere = {part.section[-1] for part in outline.parts if part.section and part.section[:-1] != parts[0].section[:-1]}
    return sum(part.section[-1] in elsewhere for part in parts) * 2 > len(parts)


# ------------------------------------------------------------------------------------------------------------------- of one kind


def of_kind(material: Material, asked: Asked) -> Answer | None:
    """Sentences that a message asks for in all sections (risks, recommendations, what is to come), grouped by section. None for none."""
    documents = scope(material, asked)
    core = without_names(strip_asking(asked.text), material.reports)
    found = candidates(material, core, [document.id for document in documents], LOOKED_AT)
    pieces = [piece for document in documents[:MOST_REPORTS] for piece in _headed(material, asked, document)]
    outlines = {document.id: material.shelf.outline(document.id) for document in documents}
    said = _spread(found, outlines, READ // 2)
    points = (sentence for sentence in _points(material, outlines) if sentence not in said)
    chosen = _read_best(material, asked.text, [*said, *islice(points, READ - len(said))])
    places = {sentence: _main_part(outlines[sentence.document], sentence.section) for sentence in chosen}
    several = len(documents) > 1
    for sentence in sorted(chosen, key=lambda sentence: (sentence.document, sentence.start)):
        heading = " · ".join([short_title(material.shelf.document(sentence.document))] * several + list(places[sentence][-1:]))
        pieces.append(Piece(sentence.document, (sentence.start, sentence.end), heading))
    return quoted(material, asked, pieces, edition_note(asked, documents)) if pieces else None


def _headed(material: Material, asked: Asked, document: Document) -> list[Piece]:
    """What stands under headings that say what is asked for ("Risk factors", "结论"): the best sentences of such a section."""
    outline = material.shelf.outline(document.id)
    words = {term for term in terms(strip_asking(asked.text)) if len(term) > 1}
    pieces: list[Piece] = []
    for part in outline.parts[1:]:
        own = {term for term in terms(label(part.section[-1])) if len(term) > 1}
        if part.aside or not own or 2 * len(own & words) < len(own) or len(part.section) > 2:
            continue
        below = [child for child in outline.below(part.section) if child.points]
        spans = [child.points[0] for child in below] if len(below) > 1 else list(part.points)
        pieces += [Piece(document.id, span, part.section[-1]) for span in spans[: MOST_OF_A_KIND - len(pieces)]]
    return pieces


def _points(material: Material, outlines: dict[str, Outline]) -> Iterator[Sentence]:
    """The sentences that say most of each main part, the best of each part first."""
    for rank in range(POINTS):
        for name, outline in outlines.items():
            document = material.shelf.document(name)
            for part in outline.main(MOST_PARTS):
                if rank < len(part.points):
                    start, end = part.points[rank]
                    yield from material.sentences.within(document, start, end)[:1]


def _spread(sentences: Sequence[Sentence], outlines: dict[str, Outline], most: int) -> list[Sentence]:
    """The first sentences, at most a few of each main part, none that announces or asks."""
    counts: dict[tuple[str, Path], int] = {}
    kept: list[Sentence] = []
    for sentence in sentences:
        part = outlines[sentence.document].part(sentence.section[:1]) if sentence.document in outlines else None
        if part is None or part.aside:
            continue
        key = sentence.document, _main_part(outlines[sentence.document], sentence.section)
        if counts.get(key, 0) < 2 * OF_ONE_SECTION and sentence not in kept:
            counts[key] = counts.get(key, 0) + 1
            kept.append(sentence)
        if len(kept) == most:
            break
    return kept


def _read_best(material: Material, question: str, sentences: Sequence[Sentence]) -> list[Sentence]:
    """The sentences that answer, says the reader, best first and few of one section; the best few where none does for sure."""
    logits = read(material, question, sentences)
    order = sorted(range(len(sentences)), key=lambda place: (-logits[place], place))
    counts: dict[tuple[str, Path], int] = {}
    kept: list[Sentence] = []
    for place in [place for place in order if logits[place] > 0] or order[:AT_LEAST]:
        key = sentences[place].document, sentences[place].section[:2]
        if counts.get(key, 0) < OF_ONE_SECTION and len(kept) < MOST_OF_A_KIND:
            counts[key] = counts.get(key, 0) + 1
            kept.append(sentences[place])
    return kept


def _main_part(outline: Outline, section: Path) -> Path:
    """The section of the first or second level in which a sentence stands: the first one whose parent has several."""
    for depth in range(1, min(len(section), 2) + 1):
        if depth == 2 and not _is_divided(outline, section[:1]):
            break
        if len(outline.below(section[: depth - 1])) > 1 and (depth == 2 or not _is_divided(outline, section[:1])):
            return section[:depth]
    return section[:1]


def _is_divided(outline: Outline, section: Path) -> bool:
    """Whether a section is large and made of sections of its own."""
    below = outline.below(section)
    part = outline.part(section)
    return bool(part) and len(below) > 1 and 4 * part.size > outline.whole.size and not _repeated(outline, below)


# ----------------------------------------------------------------------------------------------------------- what to ask next


def questions(
    material: Material, language: str, documents: Sequence[Document], count: int = 3, told: Collection[str] = ()
) -> tuple[str, ...]:
    """Questions that an outline answers: what a report is about, what to take from it, what one of its sections says; from each report in turn."""
    zh = language == "zh"
    rows = [_questions_of(material, zh, document)[document.id in told :] for document in documents[:MOST_REPORTS]]
    longest = max(map(len, rows), default=0)
    mixed = [rows[(at + rank) % len(rows)] for rank in range(longest) for at in range(len(rows))]
    ranks = [rank for rank in range(longest) for _ in rows]
    return tuple(dict.fromkeys(row[rank] for row, rank in zip(mixed, ranks, strict=True) if rank < len(row)))[:count]


def _questions_of(material: Material, zh: bool, document: Document) -> list[str]:
    title = short_title(document)
    about = f"《{title}》主要讲了什么？" if zh else f"What is “{title}” about?"
    points = f"《{title}》有哪些要点？" if zh else f"What are the key takeaways of “{title}”?"
    outline = material.shelf.outline(document.id)
    parts = [part for part in outline.main(MOST_PARTS) if part.section and len(label(part.section[-1])) <= (16 if zh else 48)]
    largest = sorted(parts, key=lambda part: -part.size)[:2]
    names = [label(part.section[-1]) for part in largest] if document.language == ("zh" if zh else "en") else []
    sections = [f"“{name}”这一部分讲了什么？" if zh else f"What does the section “{name}” say?" for name in names]
    return [about, *sections[:1], points, *sections[1:]]


def with_questions(material: Material, answer: Answer, documents: Sequence[Document], count: int = 3) -> Answer:
    """An answer with questions to go on with, none that was just asked, nor what a report is about of which that was just told."""
    told = {citation.document for citation in answer.citations} if answer.mode == "overview" else set()
    found = questions(material, answer.language, documents, count + 1, told)
    plain = re.sub(r"\W+", "", answer.question).casefold()
    return replace(answer, suggestions=tuple(question for question in found if re.sub(r"\W+", "", question).casefold() != plain)[:count])
