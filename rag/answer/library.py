"""Questions about the reports themselves: which there are, who published them and when, how long they are, whether one speaks of something.

All facts of the reports meant are told in one list, so that no question is taken for another. What is no fact in the metadata is looked up:
the sections that speak of it are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from rag.answer.material import Asked, Material, candidates, cite, editions, offered, scope
from rag.answer.overview import MOST_REPORTS, with_questions
from rag.answer.talk import line, nearest
from rag.index.lexical import terms
from rag.search.editions import says_the_same
from rag.search.question import names_of, read_question, strip_asking
from rag.text.quantities import quantities
from rag.types import Answer, Citation, Claim, Document

LANGUAGES = {"zh": ("中文", "Chinese"), "en": ("英文", "English")}
"""What the languages of reports are called, in Chinese and English."""
LISTED = 12
SPEAKING = 0.3
"""BM25 of a passage, as a share of what holds every word, from which a report speaks of something."""
LOOKED_AT = 40
PLACES = 3
"""Sections named for each report that speaks of something."""
ABOUT = {
    "topic": (
        "有没有关于医疗的报告", "有涉及碳排放的内容吗", "机器人有吗", "哪份报告提到了芯片", "有没有讲教育的", "is there anything about health care", "do you have a report on farming", "有没有讲农业的报告", "do you have anything on energy",
        "any report on robots", "does any report mention chips", "got something about education",
    ),
    "facts": (
        "有哪些报告", "一共收录了几份报告", "上传了几个文件", "这份报告是谁发布的", "什么时候发布的", "哪几份是英文的", "有多长", "多少页", "哪份最新", "标题是什么", "which reports do you have",
        "how many reports are loaded", "list all documents", "who published this", "when was it published", "which ones are in English", "how long is it", "how many pages", "which one is the newest",
        "what is the title", "are there any reports in French", "have you got the 2024 edition",
    ),
}  # fmt: skip


def about_reports(material: Material, asked: Asked) -> Answer:
    """What is known of the reports that a message means, or which of them speak of what it asks for."""
    if nearest(material.words, asked.text, ABOUT, least=0.0) == "topic" and (answer := speaking_of(material, asked)):
        return answer
    documents = meant(material, asked)
    zh = asked.language == "zh"
    listed = documents[:LISTED]
    claims = [Claim(_count(material, documents, zh), verdict="own")] if len(documents) != 1 else []
    claims += [Claim(_facts(material, document, zh), verdict="own") for document in listed]
    note = ""
    if len(documents) > len(listed):
        note = f"只列出前 {LISTED} 份，其余在“报告”里。" if zh else f"The first {LISTED} are listed; the rest stand under Reports."
    answer = Answer(asked.text, asked.text, asked.language, tuple(claims), reason=note, mode="library", layout="list")
    return with_questions(material, answer, documents if len(documents) == 1 else offered(material, asked))


def meant(material: Material, asked: Asked) -> list[Document]:
    """The reports with a value that a message names: a title, a publisher, a year, a language; else all, those first that the talk is about."""
    reports = list(material.reports)
    said = asked.text.casefold()
    years = {int(quantity.low) for quantity in quantities(asked.text) if quantity.low == quantity.high}
    languages = {code for code, names in LANGUAGES.items() if any(name.casefold() in said for name in names)}
    by_value = [
        document for document in reports if (document.year in years) or (document.language in languages and len(languages) < len(LANGUAGES))
    ]
    named = read_question(asked.text, reports).reports
    if named:
        meant_here = editions(material, named)
        return [document for document in by_value or reports if document in meant_here] or by_value
    if by_value:
        return by_value
    about = scope(material, asked) if material.open_report or asked.history else []
    return [*about, *(document for document in reports if document not in about)]


def speaking_of(material: Material, asked: Asked) -> Answer | None:
    """Which reports speak of what a message asks for, with the sections that say most; None where it names nothing."""
    core = strip_asking(asked.text)
    known = {term for names in ABOUT.values() for example in names for term in terms(example)} - _own_terms(material)
    subject = [term for term in terms(core) if len(term) > 1 and term not in known]
    if not subject:
        return None
    zh = asked.language == "zh"
    found = [
        (document, _places(material, asked, document, set(subject)))
        for document in scope(replace(material, open_report=""), Asked(asked.text))
    ]
    told = [(document, places) for document, places in found if places]
    if not told:
        none = line(
            asked, "收录的报告里没有找到谈到这个的内容。", "I did not find anything on that in the reports that are loaded.", "library"
        )
        return with_questions(material, none, offered(material, asked))
    claims: list[Claim] = []
    citations: list[Citation] = []
    for document, places in told[:MOST_REPORTS]:
        for span in places:
            citation = cite(material, document.id, span, len(citations) + 1)
            citations.append(citation)
            claims.append(Claim(citation.quote, (citation.n,), "quoted", heading=document.title))
    note = f"{len(told)} 份报告谈到。" if zh else f"{len(told)} of the reports speak{'s' if len(told) == 1 else ''} of it."
    answer = Answer(asked.text, asked.text, asked.language, tuple(claims), tuple(citations), reason=note, mode="library")
    return with_questions(material, answer, [document for document, _ in told])


def _own_terms(material: Material) -> set[str]:
    """Terms of titles and publishers, which always name something."""
    return {term for document in material.reports for term in terms(f"{document.title} {' '.join(names_of(document))}")}


def _places(material: Material, asked: Asked, document: Document, subject: set[str]) -> list[tuple[int, int]]:
    """The best sentences of different sections of a report that speak of what is asked for: in its words, where it is in their language."""
    if not any(hit.lexical >= SPEAKING for hit in material.hits(asked.text, [document.id], PLACES)):
        return []
    chosen: dict[tuple[str, ...], tuple[int, int]] = {}
    for sentence in candidates(material, asked.text, [document.id], LOOKED_AT):
        if document.language == asked.language and 2 * len(subject & set(terms(sentence.text))) < len(subject):
            continue
        chosen.setdefault(sentence.section, (sentence.start, sentence.end))
        if len(chosen) == PLACES:
            break
    return list(chosen.values())


def _count(material: Material, documents: Sequence[Document], zh: bool) -> str:
    """How many reports there are, by language, and of how many works."""
    counts = Counter(document.language for document in documents if document.language in LANGUAGES)
    by_language = [f"{LANGUAGES[code][not zh]} {n}" for code, n in sorted(counts.items(), reverse=True)]
    whole = [material.shelf.document(document.id) for document in documents]
    works = sum(not any(says_the_same(one, other) for other in whole[:place]) for place, one in enumerate(whole))
    inside = ("，" if zh else ", ").join(by_language)
    if zh:
        editions = f"，其中有不同语言的版本，共 {works} 种" if works < len(documents) else ""
        return f"共 {len(documents)} 份报告（{inside}）{editions}：" if inside else f"共 {len(documents)} 份报告："
    editions = f"; not counting the same report in the other language, {works}" if works < len(documents) else ""
    plural = "reports" if len(documents) != 1 else "report"
    return f"{len(documents)} {plural} ({inside}){editions}:" if inside else f"{len(documents)} {plural}:"


def _facts(material: Material, document: Document, zh: bool) -> str:
    """Everything that is known of a report, in a line."""
    whole = material.shelf.document(document.id)
    parts = material.shelf.outline(document.id).below()
    facts = [document.publisher, str(document.year or "")]
    if document.language in LANGUAGES:
        facts.append(LANGUAGES[document.language][not zh])
    if document.page_count:
        facts.append(f"{document.page_count} 页" if zh else f"{document.page_count} pages")
    if document.language == "zh":
        facts.append(f"约 {len(whole.text):,} 字" if zh else f"about {len(whole.text):,} characters")
    else:
        words = len(whole.text.split())
        facts.append(f"约 {words:,} 词" if zh else f"about {words:,} words")
    if len(parts) > 1:
        facts.append(f"{len(parts)} 章" if zh else f"{len(parts)} chapters")
    facts.append(PurePath(document.source).name)
    said = [fact for fact in facts if fact]
    return f"《{document.title}》：{'，'.join(said)}" if zh else f"“{document.title}”: {', '.join(said)}"
