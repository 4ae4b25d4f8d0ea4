"""Questions that the reports answer: drafted from headings and from what is defined, kept only when an answer with citations came back.

No model writes them, so they are plain; each one has been asked before it is offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rag.chat import Assistant
from rag.errors import RagError
from rag.index.lexical import stem
from rag.search.translate import translations
from rag.types import Answer, Document, Filter

TRIES = 8
"""Drafts that are asked at most for one set of suggestions."""
_GENERIC = re.compile(
    r"摘要|目录|前言|后记|附录.*|结语|倡议|专家点评|趋势解读|方法论.*|参考文献|序言?.*|卷首语.*|致谢|缩略语.*|summary|contents|foreword.*|"
    r"preface.*|abstract|appendix.*|methodology|expert comments?|interpretation|references|introduction|initiatives?|conclusions?|overview|"
    r"abbreviations.*",
    re.I,
)
_NUMBER = re.compile(
    r"^(?:(?:趋势|第)[一二三四五六七八九十百\d]+[章节部分篇]?|(?:trend|chapter|section|part)\s+\d+|[一二三四五六七八九十]+(?=[、.．])|"
    r"[\d.]+(?=[\s、.．]|[^\d年%A-Za-z]))[\s、.．:：]*",
    re.I,
)
_DEFINED = {
    "zh": re.compile(
        r"(?:^|[。！？；\n])([A-Za-z][A-Za-z0-9.+\-]{1,18}|[\u4e00-\u9fff]{2,8})(?:（[^（）]{1,40}）)?是(?:一种|一个|指|由|把|利用)"
    ),
    "en": re.compile(r"(?:^|[.!?]\s+|\n)(?:(An?|The) )?([A-Za-z][A-Za-z0-9+\-]*(?: [a-z][a-z\-]*){0,2}) (is|are) (?:an?|the) "),
}
_NO_NAME = {
    "zh": re.compile(
        r"^(?:这|那|它|其|他|她|我|你|但|而|也|就|都|不|还|更|可以|因此|所以|同时|目前|如果|若|由于|因为|随着|当|在|对|通过|作为|本|该|各|每|其中|例如|一个|一种)"
        r"|[的了着过地得于]$|[我你他]"
    ),
    "en": re.compile(
        r"^(?:it|this|that|there|he|she|they|we|you|what|which|who|these|those|one|each|every|here|if|when|while|where|as|since|because|"
        r"although|though|but|and|or|so|for|in|on|at|by|with|from|to|of|such|some|many|most|all|both|its|their|our|his|her|another|other|not|no|"
        r"also|however|thus|then|now|today|first|second|third|finally|only|how|why)(?:$| )",
        re.I,
    ),
}
"""What begins like a definition and names nothing."""
_DRAFTS: dict[str, tuple[tuple[str, str], ...]] = {
    "zh": (
        ("挑战", "{}面临哪些挑战？"),
        ("应用", "{}有哪些应用？"),
        ("预计|2030|将", "{}预计会有什么变化？"),
        ("", "关于{}，报告说了什么？"),
    ),
    "en": (
        ("challenge", "What are the challenges of {}?"),
        ("appli|used (?:in|for)", "What are the uses of {}?"),
        ("expected|2030|will ", "What is expected of {}?"),
        ("", "What does the report say about {}?"),
    ),
}
"""(what a section must speak of, the question): the question is drafted for sections that do."""
_DEFINITION = {"zh": "{}是什么？", "en": "What is {}?"}
_MOTTO = re.compile(
    r"无[处所不]|皆|\w \b(?:is|are|was|were|will|can|must|should|has|have|reach(?:es)?|use[sd]?|makes?|drives?|enables?|reshapes?|becomes?|brings?|meets?|needs?)\b"
)
_QUOTED = {"zh": "关于“{}”，报告说了什么？", "en": "What does the report say about “{}”?"}
"""For a heading that is no name, such as a motto."""
_PEOPLE = re.compile(r"专家|点评|序言|卷首语|expert|preface|foreword", re.I)

Draft = tuple[str, str, tuple[str, ...]]
"""(question, id of the report, section that should answer it)."""


def follow_ups(assistant: Assistant, answer: Answer, only: Filter | None = None, count: int = 3) -> tuple[str, ...]:
    """Questions in the language of an answer that lead on from what it cites: other things of the same section, then its neighbours.

    For a refusal, what the passages that came nearest can answer.
    """
    places = list(dict.fromkeys((c.document, tuple(c.section.split(" / "))) for c in (answer.citations or answer.nearest)))[:2]
    language = "zh" if answer.language == "zh" else "en"
    drafts: list[Draft] = []
    for document, section in places:
        try:
            report = assistant.store.document(document)
        except KeyError:
            continue
        if report.language in ("", language):
            drafts += _definitions(report, section)[:2] + _by_sections(report, section, language)[: TRIES // 2]
    asked = {_plain(answer.question), _plain(answer.query)}
    return tuple(answerable(assistant, [draft for draft in drafts if _plain(draft[0]) not in asked], only, count))


def about_section(assistant: Assistant, document: str, section: tuple[str, ...], count: int = 3) -> tuple[str, ...]:
    """Questions that one section of a report answers. Raises KeyError for an unknown report."""
    report = assistant.store.document(document)
    language = "zh" if report.language == "zh" else "en"
    inside = [path for path in _paths(report) if path[: len(section)] == section]
    drafts = [draft for path in inside[:6] for draft in _drafts(report, path, language)][: TRIES - 2] + _definitions(report, section)[:2]
    return tuple(answerable(assistant, drafts, Filter((document,)), count))


def about_term(assistant: Assistant, document: str, term: str, count: int = 3) -> tuple[str, ...]:
    """Questions on a word of a report that it answers. Raises KeyError for an unknown report."""
    language = "zh" if assistant.store.document(document).language == "zh" else "en"
    questions = [_DEFINITION[language], *(question for _, question in _DRAFTS[language])]
    drafts: list[Draft] = [(_filled(question, term), document, ()) for question in questions]
    return tuple(answerable(assistant, drafts, Filter((document,)), count))


def openers(assistant: Assistant, language: str, count: int = 4) -> tuple[str, ...]:
    """Questions to begin with, from as many reports as possible: half of them on a whole report or a section, which its outline answers."""
    whole = assistant.openers(language, count // 2)
    asked = [*whole, *_particular(assistant, language, count - len(whole))]
    return tuple(dict.fromkeys(asked))[:count]


def about_report(assistant: Assistant, document: str, count: int = 3) -> tuple[str, ...]:
    """Questions that one report answers, such as one just added: what it is about, a section, and something particular."""
    report = assistant.store.document(document)
    language = "zh" if report.language == "zh" else "en"
    whole = assistant.openers(language, count - 1, Filter((document,)))
    drafts = _definitions(report, ()) + [draft for path in _paths(report)[:TRIES] for draft in _drafts(report, path, language)[:1]]
    return (*whole, *answerable(assistant, drafts, Filter((document,)), count - len(whole)))


def _particular(assistant: Assistant, language: str, count: int) -> tuple[str, ...]:
    known = assistant.documents()
    reports = [document for document in known if document.language == language] or list(known)
    share = -(-count // max(1, min(len(reports), count)))
    found: list[str] = []
    for document in reports[:count]:
        report = assistant.store.document(document.id)
        own = "zh" if report.language == "zh" else "en"
        paths = _paths(report)
        spread = paths[:: max(1, len(paths) // 4)]
        drafts = _definitions(report, ())[:3] + [draft for path in spread for draft in _drafts(report, path, own)[:1]]
        found += answerable(assistant, drafts, None, share)
    return tuple(found)[:count]


def answerable(assistant: Assistant, drafts: Iterable[Draft], only: Filter | None, count: int) -> Iterator[str]:
    """Those drafts, at most `count`, whose answer begins with a supported sentence that cites the section it was drafted for."""
    kept = 0
    distinct = {draft[0]: draft for draft in reversed(list(drafts))}  # the first of its words counts
    for tries, (question, document, section) in enumerate(reversed(distinct.values())):
        if kept >= count or tries >= TRIES:
            return
        try:
            answer = assistant.ask(question, only=only)
        except RagError:
            continue
        cited = [(citation.document, tuple(citation.section.split(" / "))) for citation in answer.citations]
        fits = any(name == document and path[: len(section)] == section for name, path in cited)
        if not answer.abstained and fits and answer.confidence in ("sure", "likely"):
            kept += 1
            yield question


def topic(section: Sequence[str]) -> str:
    """What a section is about: its innermost heading that says something, without its number and without what follows a colon.

    >>> topic(("2 未来行业场景", "2.6 零售：端到端数智化")), topic(("Trend 2: Chiplet", "Summary")), topic(("Contents",))
    ('零售', 'Chiplet', '')
    """
    for heading in reversed(section):
        name = _NUMBER.sub("", heading.strip()).strip()
        name = re.split(r"[：:，,；;]|(?:——)| - ", name)[0].strip(" “”\"'。.")
        name = re.sub(r"（[^（）]*）|\([^()]*\)", "", name).strip()
        if 2 <= len(name) <= (14 if re.search(r"[\u4e00-\u9fff]", name) else 50) and not _GENERIC.fullmatch(name):
            return name
    return ""


def defined(text: str, language: str) -> list[str]:
    """Names that a text says something of in the form "X is a ...", each once, in its order, with the article that a question needs.

    >>> defined("A chiplet is a small die. It is a part. If chips are the core, all is well. Heat pumps are the rule.", "en")
    ['a chiplet', 'heat pumps']
    """
    if language != "en":
        names = [match[1] for match in _DEFINED["zh"].finditer(text)]
        return list(dict.fromkeys(name for name in names if not _NO_NAME["zh"].search(name)))
    found = []
    for article, name, verb in _DEFINED["en"].findall(text):
        name = _within(name, text)
        plural = name.endswith("s") and not name.endswith("ss")
        ordinary = name.isalpha() and name[1:].islower() and (name.islower() or bool(translations(stem(name.lower()))))
        bare = ordinary and article not in ("A", "An")  # "Education is the ...": no definition
        if not (_NO_NAME["en"].match(name) or bare or (verb == "are") != plural):
            found.append(f"{article.lower()} {name}".strip())
    return list(dict.fromkeys(found))


def _within(name: str, text: str) -> str:
    """An English name as it is written inside a sentence: its first word small where the text itself writes it so.

    >>> _within("Heat pump", "The heat of a pump."), _within("CLIP", "a clip"), _within("Copilot", "With Copilot.")
    ('heat pump', 'CLIP', 'Copilot')
    """
    first = re.match(r"[A-Z][a-z]+(?:-[a-z]+)*(?![A-Za-z])", name)
    if first and (
        re.search(rf"(?<![A-Za-z]){first[0].lower()}(?![A-Za-z])", text) or (" " in name and translations(stem(first[0].lower())))
    ):
        return name[0].lower() + name[1:]
    return name


def _filled(question: str, name: str) -> str:
    """The question with a name in it, and spaces between its Latin and the question's Han characters.

    >>> _filled("{}面临哪些挑战？", "生成式 AI")
    '生成式 AI 面临哪些挑战？'
    """
    text = question.format(name)
    return re.sub(r"(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])|(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])", " ", text) if "？" in question else text


def _definitions(report: Document, section: Sequence[str]) -> list[Draft]:
    language = "zh" if report.language == "zh" else "en"
    top = tuple(section[:1])
    drafts: list[Draft] = []
    for name in defined(_text_of(report, top), language):
        plural = language == "en" and re.search(rf"\b{re.escape(name)} are\b", report.text, re.I)
        drafts.append((_filled("What are {}?" if plural and name.endswith("s") else _DEFINITION[language], name), report.id, top))
    return drafts


def _by_sections(report: Document, here: tuple[str, ...], language: str) -> list[Draft]:
    """One draft for each section beside a place, the nearest first."""
    paths = _paths(report)
    at = next((place for place, path in enumerate(paths) if path == here), 0)
    near = sorted(range(len(paths)), key=lambda place: (abs(place - at), place < at))
    return [draft for place in near if paths[place] != here for draft in _drafts(report, paths[place], language)[:1]]


def _drafts(report: Document, section: tuple[str, ...], language: str) -> list[Draft]:
    name = topic(section)
    if not name:
        return []
    if language == "en":
        name = _within(name, report.text)
    running = "\n".join(report.text[block.start : block.end] for block in report.blocks if block.kind != "heading")
    if _MOTTO.search(name) or running.lower().count(name.lower()) < 2:  # a heading that the text does not use as a name
        return [(_filled(_QUOTED[language], name), report.id, section)]
    text = _text_of(report, section)
    return [(_filled(question, name), report.id, section) for clue, question in _DRAFTS[language] if re.search(clue, text)]


def _paths(report: Document) -> list[tuple[str, ...]]:
    """The sections of a report that speak of things, in order: not its table of contents, not what people are quoted with."""
    paths = dict.fromkeys(block.section for block in report.blocks if block.section and block.kind != "contents" and not block.speaker)
    return [
        path for path in paths if not any(_PEOPLE.search(heading) for heading in path) and not _GENERIC.fullmatch(topic(path) or "目录")
    ]


def _text_of(report: Document, section: Sequence[str]) -> str:
    """The text of a section with all below it."""
    depth = len(section)
    inside = (block for block in report.blocks if block.section[:depth] == tuple(section) and not block.speaker)
    return "\n".join(report.text[block.start : block.end] for block in inside)


def _plain(question: str) -> str:
    return re.sub(r"\W+", "", question).casefold()
