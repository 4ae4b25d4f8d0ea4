"""Is this claim supported by that evidence? Pure functions of two texts, used for extracts and for a model's prose alike.

Figures, names and direction words are compared form by form; the rest by coverage of content terms. It gives up entailment: a claim that keeps
every word but turns their relation round can pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.lexical import terms
from rag.quantities import Quantity, quantities
from rag.question import language_of
from rag.types import Verdict

SUPPORTED_COVERAGE = 0.6
PARTIAL_COVERAGE = 0.35
"""Shares of the claim's content terms that the evidence must hold."""

_NAME = re.compile(r"(?<![A-Za-z])(?:[A-Z][A-Za-z]*[A-Z0-9][A-Za-z0-9-]*|[A-Z][a-z]+[A-Z]\w*|[A-Z]{2,})(?![A-Za-z])")
_OPPOSITES = (
    (
        r"提升|提高|增加|增长|上升|扩大|\b(?:increas|rais|grow|ris|improv)\w*",
        r"降低|减少|下降|缩短|缩小|下滑|\b(?:decreas|reduc|lower|declin|shrink|fall)\w*",
    ),
    (r"高于|超过|多于|以上|\b(?:more than|above|over|exceed\w*)\b", r"低于|不足|少于|以下|\b(?:less than|below|under)\b"),
    (r"最先|率先|首先|\bfirst\b", r"最后|最终|\blast\b"),
)
_NEGATION = re.compile(
    r"(?:不是|没有|并非|并未|无法|不能|不会|未能|尚未|不再|不需要?|无需|避免)|\b(?:not|no|never|cannot|without|n't)\b", re.IGNORECASE
)
_PUNCTUATION = re.compile(r"[\W_]+")


def check(claim: str, evidence: Sequence[str]) -> tuple[Verdict, str]:
    """The verdict on a claim against the quotes that it cites, and a reason for people in the claim's language ("" when supported).

    >>> check("渗透率达到 70%。", ["预计渗透率达到 70%。"])[0], check("渗透率达到 80%。", ["预计渗透率达到 70%。"])
    ('supported', ('unsupported', '数字 80% 不在所引原文中，原文写 70%'))
    """
    if not evidence:
        return "uncited", ""
    text = "\n".join(evidence)
    if _PUNCTUATION.sub("", claim.lower()) in _PUNCTUATION.sub("", text.lower()):
        return "supported", ""
    zh = language_of(claim) == "zh"
    there = quantities(text)
    for quantity in quantities(claim):
        if not any(_agree(quantity, other) for other in there):
            written = claim[quantity.start : quantity.end].strip()
            alike = "、".join(text[other.start : other.end].strip() for other in there if other.kind == quantity.kind)
            if zh:
                return "unsupported", f"数字 {written} 不在所引原文中" + (f"，原文写 {alike}" if alike else "")
            return "unsupported", f"the figure {written} is not in the cited text" + (f", which says {alike}" if alike else "")
    lowered = text.lower()
    for name in dict.fromkeys(_NAME.findall(claim)):
        if name.lower() not in lowered:
            return "unsupported", f"所引原文没有提到 {name}" if zh else f"the cited text does not mention {name}"
    for up, down in _OPPOSITES:
        for one, other in ((up, down), (down, up)):
            said = re.search(one, claim, re.IGNORECASE)
            if said and not re.search(one, text, re.IGNORECASE) and re.search(other, text, re.IGNORECASE):
                return "unsupported", f"所引原文与“{said[0]}”方向相反" if zh else f'the cited text says the opposite of "{said[0]}"'
    if bool(_NEGATION.search(claim)) != bool(_NEGATION.search(text)) and len(evidence) == 1 and len(text) < 3 * len(claim):
        return "partial", "所引原文的肯定或否定与此不同" if zh else "the cited text differs in negation"
    wanted = set(terms(claim))
    covered = len(wanted & set(terms(text))) / len(wanted) if wanted else 0.0
    if covered >= SUPPORTED_COVERAGE:
        return "supported", ""
    if covered >= PARTIAL_COVERAGE:
        return "partial", "所引原文只支持其中一部分" if zh else "the cited text supports only part of this"
    return "unsupported", "所引原文没有这个意思" if zh else "the cited text does not say this"


def _agree(said: Quantity, there: Quantity) -> bool:
    """Whether two quantities say the same: equal values (to rounding), and kinds that do not exclude one another."""
    loose = {"bare", "count", "people"}
    kinds = (
        said.kind == there.kind
        or (said.kind in loose and there.kind in loose)
        or "bare" in (said.kind, there.kind)
        and "year" not in (said.kind, there.kind)
    )
    close = all(abs(a - b) <= 1e-6 * max(abs(a), abs(b), 1.0) for a, b in ((said.low, there.low), (said.high, there.high)))
    inside = said.low == said.high and said.low in (there.low, there.high)
    return kinds and (close or inside)
