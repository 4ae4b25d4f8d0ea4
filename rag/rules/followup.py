"""A follow-up to a question that stands alone, by rules: when the new turn leans on the last one, the last one's content words come along.

Of a long talk come the question that named what is spoken of and the last one; more would drown what is asked. Gives up: no grammar. A rewritten
question is these and the new one side by side, which people can read and edit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.index.lexical import terms
from rag.rules.question import strip_asking
from rag.search.question import HAN
from rag.types import Turn

_LEANS = re.compile(
    r"^(?:那|那么|其中|它|他|她|这|该|此|再|还有|另外|前者|后者|两者|上述|第[一二三四五六七八九十\d]+[个条项种步线]?)|呢[？?。\s]*$|^[^，。；？]{0,3}它|(?:它|他|她)们?(?:的|有|是|会|还|又|跟|和|在|能|将|对|靠|为)|这类|这种|这些|那些|那边|这个|这一?[章节篇项条]|其(?:中|他|余)|上面|前面|刚才"
    r"|^(?:and|what about|how about|then|also|so)\b|\b(?:it|its|they|them|their|this one|that one|those|these|the former|the latter|there)\b",
    re.IGNORECASE,
)
_SWAPS = re.compile(
    r"^(?:那|那么|还有)?(?!(?:它|他|她|这|那|此|其|前者|后者|两者))[^，,；;？?]{2,24}呢(?:[？?。\s]*$|[，,])"
    r"|^(?:and|what about|how about)\s+(?!(?:it|its|they|them|that|this|those|these|who|what|which|why|how|when|where|by|is|are|does|do|did|will|can)\b)[\w'’ -]{2,40}[?.\s]*$",
    re.IGNORECASE,
)
"""A question that only puts another thing in the place of the last one's."""
_ASKS_WHAT_IS = re.compile(
    r"^(?:什么是|啥是|何谓)[\u4e00-\u9fff]{3,}[？?。\s]*$|^[\u4e00-\u9fff]{3,}?(?:是(?:个)?(?:什么|啥)|是(?:什么|啥)意思|指(?:的是)?(?:什么|啥))[？?。\s]*$"
)
"""A question for what a named thing is: short, but it needs no other."""
_THANKS = re.compile(r"^(?:谢谢|多谢|好的?|嗯|明白了?|知道了|ok(?:ay)?|thanks|thank you|i see|got it)[，,。.!！ ]+(?=\S)", re.IGNORECASE)
_FRESH = re.compile(r"^(?:换个(?:话题|问题)|另一个问题|新问题|by the way|another question|new question)[，,：: ]*", re.IGNORECASE)
_JOINT = re.compile(r"；|; ")
"""What stands between the questions of a rewritten one."""
SHORT = 6
"""A question of at most so many content characters (Han) or words leans on the last one even without a pronoun."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What to search for: `query` for people, `core` and `carried` for the search (see `rag.search.retrieve`)."""

    query: str
    core: str
    carried: str
    """Content words of the turn before; empty for a question that stands alone."""
    leaned_on: str
    """The question that was leaned on; empty for none."""


def leans(question: str) -> bool:
    """Whether a question needs the one before it.

    >>> leans("那能源行业呢？"), leans("and by when?"), leans("存算一体有哪三条技术路径？")
    (True, True, False)
    """
    if _LEANS.search(question):
        return True
    if _ASKS_WHAT_IS.match(question):
        return False
    core = strip_asking(question)
    names = re.search(r"[A-Za-z]{2,}|\d", core)
    return not names and (len(HAN.findall(core)) <= SHORT if HAN.search(question) else len(terms(core)) < 2)


def rewrite(question: str, history: Sequence[Turn]) -> Rewrite:
    """The standalone form of a question after the turns of `history`, oldest first. A question that stands alone is left as it is."""
    polite = _THANKS.sub("", question.strip())
    fresh = _FRESH.sub("", polite)
    core = strip_asking(fresh)
    if not history or fresh != polite or not leans(fresh):
        return Rewrite(fresh, core, "", "")
    previous = _leaned_on(history, fresh)
    carried = strip_asking(previous)
    new_years = re.findall(r"(?:19|20)\d\d", fresh)
    if new_years:  # the new turn's year replaces the old one
        carried = re.sub(r"(?:19|20)\d\d\s?年?", " ", carried).strip()
    tail = previous.strip().rstrip("？?。. ")
    joiner = "；" if HAN.search(fresh) else "; "
    return Rewrite(f"{tail}{joiner}{fresh}", core, carried, previous)


def _leaned_on(history: Sequence[Turn], fresh: str) -> str:
    """Of the questions that led to the last answer those that a new turn needs: what named the subject, and the last one."""
    asked = (history[-1].query or _standalone(history)).strip()
    *before, last = [piece for piece in _JOINT.split(asked) if piece] or [asked]
    swaps, swapped = bool(_SWAPS.search(fresh)), bool(_SWAPS.search(last))
    if not before:
        return asked
    if swaps and not re.search(r"\d", fresh):  # another thing in the place of the last one
        return before[-1] if swapped else last
    if swapped:
        return _joined(before[-1], last)
    return _joined(next((piece for piece in reversed(before) if _SWAPS.search(piece)), before[0]), last)


def _joined(first: str, second: str) -> str:
    """Two questions, or the one that both are."""
    return first if first == second else f"{first.rstrip('？?。. ')}{'；' if HAN.search(second) else '; '}{second}"


def _standalone(history: Sequence[Turn]) -> str:
    """The last question, with the one that it leans on itself when its own words are too few."""
    last = history[-1].question
    if len(history) > 1 and leans(last):
        return f"{strip_asking(history[-2].query or history[-2].question)} {last}"
    return last
