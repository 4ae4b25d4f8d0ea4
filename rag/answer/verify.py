"""Is this claim supported by that evidence? Figures, dates and Latin names exactly; meaning by the reader.

Pure functions of two texts. Without a reader the share of the claim's content terms that the evidence holds takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.exact import Compared, differing, figures, names, same_statement
from rag.search.question import HAN, language_of
from rag.types import Support, Verdict

# Shares of the claim's content terms that the evidence must hold where no reader judges.
SUPPORTED_COVERAGE, PARTIAL_COVERAGE = 0.6, 0.35
# Probabilities of support, and of support at least in part, from which on a claim is called so.
SUPPORTED, PARTIAL = 0.5, 0.5
# Jaccard similarity of two clauses' terms, figures aside, from which on they make the same statement.
SAME_STATEMENT = 0.75

_ZH = {
    "figure": "数字 {said} 不在所引原文中",
    "figure_other": "数字 {said} 不在所引原文中，原文写 {there}",
    "figure_place": "数字 {said} 在原文里说的是另一件事，这里原文写 {there}",
    "name": "所引原文没有提到 {said}",
    "partly": "所引原文只支持其中一部分",
    "other": "所引原文没有这个意思",
}
_EN = {
    "figure": "the figure {said} is not in the cited text",
    "figure_other": "the figure {said} is not in the cited text, which says {there}",
    "figure_place": "the figure {said} belongs to something else in the cited text, which says {there} here",
    "name": "the cited text does not mention {said}",
    "partly": "the cited text supports only part of this",
    "other": "the cited text does not say this",
}


def check(claim: str, evidence: Sequence[str], about: str = "", support: Support | None = None) -> tuple[Verdict, str]:
    """Return the verdict on a claim against the quotes that it cites, and a reason for people in the claim's language ("" when supported).

    `about` is what else is known of the source (title, publisher, year, section, speaker): names and years may come from there.
    `support` reads the claim beside the evidence.

    >>> check("渗透率达到 70%。", ["预计渗透率达到 70%。"])[0], check("渗透率达到 80%。", ["预计渗透率达到 70%。"])
    ('supported', ('unsupported', '数字 80% 不在所引原文中，原文写 70%'))
    """
    if not evidence:
        return "uncited", ""
    if claim in evidence:
        return "supported", ""
    said, source = Compared(claim), Compared("\n".join(evidence), about)
    words = _ZH if language_of(claim) == "zh" else _EN
    if problem := next((problem for problems in (figures, names) for problem in problems(said, source)), None):
        return "unsupported", words[problem[0]].format(**problem[1])
    if support is not None:
        whole, part, _ = support(claim, evidence)
        verdict: Verdict = "supported" if whole >= SUPPORTED else "partial" if whole + part >= PARTIAL else "unsupported"
    else:
        covered = _covered(said, source)
        verdict = "supported" if covered >= SUPPORTED_COVERAGE else "partial" if covered >= PARTIAL_COVERAGE else "unsupported"
    return verdict, {"supported": "", "partial": words["partly"], "unsupported": words["other"]}[verdict]


def unfounded(claim: str, evidence: Sequence[str], about: str = "", language: str = "") -> str:
    """Return what a claim names (a figure with its unit, a date, a name) that no evidence holds, as a reason in `language`; "" for nothing.

    >>> unfounded("The rate is 1.5%.", ["The rate reached 80% in 2022."]), unfounded("80% in 2022", ["The rate reached 80% in 2022."])
    ('the figure 1.5% is not in the cited text, which says 80%', '')
    """
    said, source = Compared(claim), Compared("\n".join(evidence), about)
    words = _ZH if (language or language_of(claim)) == "zh" else _EN
    for name, values in (*figures(said, source), *names(said, source)):
        if name != "figure_place":
            return words["figure" if name == "figure_other" and values["there"].count("、") > 2 else name].format(**values)
    return ""


def figures_at_odds(one: str, other: str) -> tuple[str, str] | None:
    """Return the figures, as written, in which two texts differ that otherwise say the same of the same year; None where they do not.

    >>> figures_at_odds("到 2030 年，全球渗透率将达到 70%。", "预计 2030 年全球渗透率将达到 35%，远超今天。")
    ('70%', '35%')
    >>> figures_at_odds("2030 年渗透率将达到 70%。", "2025 年渗透率将达到 35%。"), figures_at_odds("全球渗透率达到 70%。", "中国渗透率达到 35%。")
    (None, None)
    """
    if bool(HAN.search(one)) != bool(HAN.search(other)):
        return None
    said, source = Compared(one), Compared(other)
    if all(next(names(*pair), None) for pair in ((said, source), (source, said))):
        return None  # each names something that the other does not: they speak of two things
    return differing(said, source, lambda mine, theirs: same_statement(mine, theirs, SAME_STATEMENT))


def _covered(said: Compared, source: Compared) -> float:
    """Return the share of the claim's content terms that the source holds."""
    return sum(term in source.known for term in said.content) / len(said.content) if said.content else float(said.bare in source.bare)
