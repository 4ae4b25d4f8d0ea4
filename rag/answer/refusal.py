"""Why there is no answer: a code with its fields, and the words for it, which never state more than was checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Code = Literal[
    "nothing_found", "not_answered", "year_not_in_evidence", "period_not_in_evidence", "figure_not_in_evidence", "name_not_in_evidence"
]

WORDS: Mapping[str, Mapping[Code, str]] = {
    "zh": {
        "nothing_found": "没有检索到与这个问题相关的内容。",
        "not_answered": "检索到的段落没有回答这个问题。",
        "year_not_in_evidence": "检索到的段落里没有找到 {value} 年的内容。",
        "period_not_in_evidence": "检索到的段落里没有找到“{value}”的内容。",
        "figure_not_in_evidence": "检索到的段落里没有找到 {value} 这个数字。",
        "name_not_in_evidence": "检索到的段落里没有找到 {value}。",
    },
    "en": {
        "nothing_found": "I did not find anything on this question.",
        "not_answered": "I did not find an answer in the passages that came closest.",
        "year_not_in_evidence": "I did not find anything for {value} in the passages that came closest.",
        "period_not_in_evidence": 'I did not find "{value}" in the passages that came closest.',
        "figure_not_in_evidence": "I did not find the figure {value} in the passages that came closest.",
        "name_not_in_evidence": "I did not find {value} in the passages that came closest.",
    },
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason not to answer: its code and what fills the words for it."""

    code: Code
    fields: Mapping[str, str] = field(default_factory=dict)

    def words(self, language: str) -> str:
        """Say it to a person.

        >>> Refusal("year_not_in_evidence", {"value": "2031"}).words("en")
        'I did not find anything for 2031 in the passages that came closest.'
        """
        return WORDS["zh" if language == "zh" else "en"][self.code].format(**self.fields)
