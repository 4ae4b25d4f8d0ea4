"""What a message wants, and who answers it: the search, an overview, the library, talk, or an operation on the last answer.

The reader's probabilities decide, and nothing else. A question about contents that is taken for something else costs most, so the search
answers wherever two readings are near.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rag.answer.library import about_reports
from rag.answer.material import Asked, Material, offered
from rag.answer.operations import Before, operate
from rag.answer.overview import headings, of_kind, of_library, of_report, of_section, series_asked, takeaways, with_questions
from rag.answer.talk import about_tool, small_talk
from rag.types import Answer, Turn

SEARCHED = "content"
"""The group of wishes that the search answers, and the plainest of them."""
OPERATIONS = frozenset(
    "op_nth op_more op_shorter op_simpler op_example op_translate op_sure op_repeat op_format correction".split()
)  # fmt: skip
GROUPS: Mapping[str, frozenset[str]] = {
    SEARCHED: frozenset({"content", "offtopic", "compare"}),
    "overview": frozenset(
        "library_overview report_overview section_overview takeaways risks_challenges conclusions_recommendations outlook headings_list".split()
    ),
    "library": frozenset({"library_facts"}),
    "talk": frozenset("tool greeting thanks_bye complaint_praise meta_instruction".split()),
    "operation": OPERATIONS,
}
"""Intents that one part answers. Those that it cannot tell apart do not take the answer away from it."""
LEAD = 0.55
"""How much more likely than the search another reading must be to win."""


def wanted(probabilities: Mapping[str, float], after_answer: bool, one_report: bool = False) -> str:
    """The intent to act on. An operation only where there is an answer to operate on, an overview of all reports only where not one is named.

    >>> wanted({"content": 0.3, "takeaways": 0.55}, False), wanted({"content": 0.1, "takeaways": 0.6, "outlook": 0.3}, False)
    ('content', 'takeaways')
    >>> wanted({"op_more": 0.9, "content": 0.1}, False), wanted({"op_more": 0.9, "content": 0.1}, True)
    ('content', 'op_more')
    """
    possible = {name: p for name, p in probabilities.items() if after_answer or name not in OPERATIONS}
    sums = {group: sum(possible.get(name, 0.0) for name in names) for group, names in GROUPS.items()}
    best = max(GROUPS, key=lambda group: sums[group])
    if sums[best] < sums[SEARCHED] + LEAD:
        best = SEARCHED
    # A named report takes "all reports" out of the choice, but what spoke for it still speaks for an overview.
    fitting = GROUPS[best] & possible.keys() - ({"library_overview"} if one_report else set())
    return max(fitting, key=lambda name: (possible[name], name), default=SEARCHED)


OVERVIEWS: Mapping[str, Callable[[Material, Asked], Answer | None]] = {
    "library_overview": of_library,
    "report_overview": of_report,
    "section_overview": of_section,
    "takeaways": takeaways,
    "risks_challenges": of_kind,
    "conclusions_recommendations": of_kind,
    "outlook": of_kind,
    "headings_list": headings,
}


def respond(material: Material, asked: Asked, wish: str, recalled: Callable[[Turn], Answer]) -> Answer | None:
    """The answer to a message that wants something else than the search gives; None for what is to be searched.

    `recalled` gives the answer of a turn of which only the text is known.
    """
    if wish in GROUPS[SEARCHED]:
        # In a talk "which three" counts what was spoken of, not the chapters.
        counted = not asked.history and _most_likely(material.reader.kind(asked.text)) == "list"
        answer = series_asked(material, asked) if counted else None
        return with_questions(material, answer, offered(material, asked)) if answer else None
    if wish in OVERVIEWS:
        answer = OVERVIEWS[wish](material, asked)
        return with_questions(material, answer, offered(material, asked)) if answer and answer.claims else None
    if wish == "library_facts":
        return about_reports(material, asked)
    if wish == "tool":
        return about_tool(material, asked)
    if wish in GROUPS["talk"]:
        return small_talk(material, asked, wish)
    if wish in OPERATIONS:
        before = _before(asked, recalled)
        return operate(material, asked, wish, before) if before else None
    return None


def _most_likely(probabilities: Mapping[str, float]) -> str:
    return max(probabilities, key=lambda name: probabilities[name], default="")


def _before(asked: Asked, recalled: Callable[[Turn], Answer]) -> Before | None:
    """The last answer that quoted something."""
    for turn in reversed(asked.history):
        if turn.mode in ("talk", "library") or not (turn.claims or turn.answer):
            continue
        if turn.claims:
            answer = Answer(
                turn.question, turn.query or turn.question, asked.language, turn.claims, turn.citations, mode=turn.mode or "extractive"
            )
        else:
            answer = recalled(turn)
        if answer.citations:
            return Before(turn, answer)
    return None
