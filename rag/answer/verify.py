"""Is this claim supported by that evidence? Figures, dates and Latin names exactly; meaning by the reader.

Pure functions of two texts. Without a reader the share of the claim's content terms that the evidence holds takes its place.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.answer.measures import agree, date_parts, same_measure
from rag.index.lexical import stem, terms
from rag.search.question import EN_STOP, HAN, language_of
from rag.text.normalize import search_form
from rag.text.quantities import Quantity, han_value, quantities
from rag.types import Support, Verdict

# Shares of the claim's content terms that the evidence must hold where no reader judges.
SUPPORTED_COVERAGE, PARTIAL_COVERAGE = 0.6, 0.35
# Probabilities of support, and of support at least in part, from which on a claim is called so.
SUPPORTED, PARTIAL = 0.5, 0.5
# Share of a clause's terms from which on a clause of the evidence is about the same thing, and Jaccard similarity, figures aside, of the same statement.
SAME_CLAUSE, SAME_STATEMENT = 0.5, 0.75
# By how many terms two figures must fit each other's surroundings better than their own to count as exchanged, and how many characters surround one.
CROSSED, BESIDE = 2, 24

_LATIN = re.compile(r"[A-Za-z0-9]+(?:[-+./&'][A-Za-z0-9]+)*[+#]*")
_ORDINAL = re.compile(r"第[一二三四五六七八九十百\d]+(?:[、和与至到][一二三四五六七八九十\d]+)?")
_NUMBER_WORDS = {
    name: str(value)
    for value, name in enumerate(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split(),
        2,
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90"}
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b|\bone(?= (?:hundred|thousand|million|billion|trillion)\b)", re.IGNORECASE)
_APPROXIMATE = re.compile(r"(?:大?约|近|接近|左右|上下|大概|将近|about|around|approximately|nearly|roughly|almost|some)\s*$", re.IGNORECASE)
_SPLIT = re.compile(r"[，。；：！？\n]|[,:](?!\d)|[;!?]|\.(?=\s|$)|\s(?:but|whereas|while|although|though)\s", re.IGNORECASE)

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
Problem = tuple[str, dict[str, str]]


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
    said, source = _Reading(claim), _Reading("\n".join(evidence), about)
    words = _ZH if language_of(claim) == "zh" else _EN
    if problem := next((problem for problems in (_figures, _names) for problem in problems(said, source)), None):
        return "unsupported", words[problem[0]].format(**problem[1])
    if support is not None:
        whole, part, _ = support(claim, evidence)
        verdict: Verdict = "supported" if whole >= SUPPORTED else "partial" if whole + part >= PARTIAL else "unsupported"
    else:
        covered = said.covered_by(source)
        verdict = "supported" if covered >= SUPPORTED_COVERAGE else "partial" if covered >= PARTIAL_COVERAGE else "unsupported"
    return verdict, {"supported": "", "partial": words["partly"], "unsupported": words["other"]}[verdict]


def unfounded(claim: str, evidence: Sequence[str], about: str = "", language: str = "") -> str:
    """Return what a claim names (a figure with its unit, a date, a name) that no evidence holds, as a reason in `language`; "" for nothing.

    >>> unfounded("The rate is 1.5%.", ["The rate reached 80% in 2022."]), unfounded("80% in 2022", ["The rate reached 80% in 2022."])
    ('the figure 1.5% is not in the cited text, which says 80%', '')
    """
    said, source = _Reading(claim), _Reading("\n".join(evidence), about)
    words = _ZH if (language or language_of(claim)) == "zh" else _EN
    for name, values in (*_figures(said, source), *_names(said, source)):
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
    said, source = _Reading(one), _Reading(other)
    mine, theirs = (frozenset(each.low for each in text.quantities if each.kind == "year") for text in (said, source))
    if (mine and theirs and not mine & theirs) or all(next(_names(*pair), None) for pair in ((said, source), (source, said))):
        return None  # each names something that the other does not: they speak of two things
    for quantity in said.quantities:
        clause = _clause_of(said, quantity)
        if (
            quantity.kind in ("year", "date")
            or clause is None
            or said.text[: quantity.start].endswith("第")
            or any(agree(quantity, each) for each in source.quantities)
        ):
            continue
        for rival in source.quantities:
            place = _clause_of(source, rival)
            if place is None or not same_measure(quantity, rival) or any(agree(each, rival) for each in said.quantities):
                continue
            alike = len(clause.content & place.content) >= max(2, SAME_STATEMENT * len(clause.content | place.content))
            if alike:
                return said.text[quantity.start : quantity.end].strip(), source.text[rival.start : rival.end].strip()
    return None


class _Reading:
    """A text as the comparisons need it; what is costly is made once."""

    def __init__(self, text: str, about: str = "") -> None:
        self.text = _NUMBER_WORD.sub(lambda match: _NUMBER_WORDS.get(match[0].lower(), "1"), text)
        self.about = about
        self.form = search_form(self.text)

    @cached_property
    def bare(self) -> str:
        """Letters, digits, decimal points and per cent signs of the form."""
        return re.sub(r"(?!(?<=\d)\.(?=\d)|%)[\W_]", "", self.form)

    @cached_property
    def quantities(self) -> list[Quantity]:
        return quantities(self.text)

    @cached_property
    def known(self) -> frozenset[str]:
        """Content terms of the text and of what is known about it."""
        return _content(self.text) | frozenset(terms(self.about))

    @cached_property
    def clauses(self) -> list[_Clause]:
        made, start = [], 0
        for end, following in [*((match.start(), match.end()) for match in _SPLIT.finditer(self.text)), (len(self.text), len(self.text))]:
            if re.search(r"\w", self.text[start:end]):
                made.append(_Clause(start, end, self.text[start:end]))
            start = following
        return made

    def covered_by(self, source: _Reading) -> float:
        """Return the share of this text's content terms that the source holds."""
        wanted = _content(self.text)
        return sum(term in source.known for term in wanted) / len(wanted) if wanted else float(self.bare in source.bare)


def _content(text: str) -> frozenset[str]:
    """Content terms: pairs of Han characters and words that are no function words."""
    return frozenset(term for term in terms(text) if len(term) > 1 and term not in EN_STOP)


@dataclass(frozen=True)
class _Clause:
    start: int
    end: int
    text: str

    @cached_property
    def content(self) -> frozenset[str]:
        return _content(re.sub(r"\d[\d,.]*", " ", self.text))

    def shared(self, other: _Clause) -> float:
        """Return the share of the smaller clause's terms that both have."""
        return len(self.content & other.content) / max(1, min(len(self.content), len(other.content)))


def _figures(said: _Reading, source: _Reading) -> Iterator[Problem]:
    """Quantities of the claim that the source does not hold, or holds for something else."""
    there = source.quantities + [quantity for quantity in quantities(source.about) if quantity.kind == "year"]
    texts = {id(quantity): source.text if quantity in source.quantities else source.about for quantity in there}
    for quantity in said.quantities:
        written = said.text[quantity.start : quantity.end].strip()
        if written.startswith("一") and quantity.low == 1:  # an article more often than a figure
            continue
        approximate = bool(_APPROXIMATE.search(said.text[: quantity.start]))
        if quantity.kind == "date":
            dates = [other for other in there if other.kind == "date"]
            same = [other for other in dates if date_parts(written) <= date_parts(texts[id(other)][other.start : other.end])]
        else:
            same = [other for other in there if agree(quantity, other, approximate)]
        if (
            not same
            and source.bare.find(re.sub(r"[\W_]+", "", search_form(written))) >= 0
            and quantity.kind == "count"
            and quantity.high < 10
        ):
            continue
        if not same:
            others = "、".join(
                dict.fromkeys(texts[id(other)][other.start : other.end].strip() for other in there if other.kind == quantity.kind)
            )
            yield ("figure_other", {"said": written, "there": others}) if others else ("figure", {"said": written})
        elif elsewhere := _misplaced(said, quantity, source, [other for other in same if other in source.quantities]):
            yield "figure_place", {"said": written, "there": elsewhere}
    if crossed := _crossed(said, source):
        yield "figure_place", crossed
    ordinals = set(_ORDINAL.findall(_digits(source.text + source.about)))
    for ordinal in _ORDINAL.findall(_digits(said.text)):
        if ordinal not in ordinals and ordinals:
            yield "figure_other", {"said": ordinal, "there": "、".join(sorted(ordinals))}


def _digits(text: str) -> str:
    return re.sub(r"(?<=第)[一二三四五六七八九十百]+", lambda match: str(int(han_value(match[0]))), text)


def _misplaced(said: _Reading, quantity: Quantity, source: _Reading, same: Sequence[Quantity]) -> str:
    """What the source says in the place where the claim has this figure; "" when the figure is in its place.

    A place is a clause. The figure is out of place when another clause of the source shares clearly more with the claim's clause and
    holds another figure of that kind.
    """
    clause = _clause_of(said, quantity)
    if not same or clause is None or len(clause.content) < 2:
        return ""
    homes = [home for other in same if (home := _clause_of(source, other))]
    if not homes or any(len(home.content) < 2 for home in homes):
        return ""
    at_home = max(len(clause.content & home.content) for home in homes) / len(clause.content)
    for other in source.quantities:
        if other.kind == quantity.kind and not agree(quantity, other) and (place := _clause_of(source, other)) and place not in homes:
            shared = len(clause.content & place.content) / len(clause.content)
            if shared >= at_home + (0.3 if shared < 0.85 else 0.1):
                return source.text[other.start : other.end].strip()
    return ""


def _crossed(said: _Reading, source: _Reading) -> dict[str, str] | None:
    """Two figures of one kind that the claim has in each other's place, known by the words before and behind each; None where all is well."""
    homes = {}
    for quantity in said.quantities:
        same = [other for other in source.quantities if agree(quantity, other)]
        if len(same) == 1 and quantity.kind != "date":
            homes[quantity] = same[0]
    for one, other in itertools.combinations(homes, 2):
        if one.kind != other.kind or homes[one] is homes[other] or agree(one, other):
            continue
        (here, there), (first, second) = (
            tuple(_beside(text, quantity) for quantity in pair)
            for text, pair in ((said, (one, other)), (source, (homes[one], homes[other])))
        )
        straight, across = len(here & first) + len(there & second), len(here & second) + len(there & first)
        if across >= straight + CROSSED and across >= 2 * straight:
            written = homes[other]
            return {"said": said.text[one.start : one.end].strip(), "there": source.text[written.start : written.end].strip()}
    return None


def _beside(reading: _Reading, quantity: Quantity) -> frozenset[tuple[str, str]]:
    """The content terms before and behind a figure, up to the next figure or clause but one, each with its side."""
    before = max((other.end for other in reading.quantities if other.end <= quantity.start), default=0)
    behind = min((other.start for other in reading.quantities if other.start >= quantity.end), default=len(reading.text))
    left = reading.text[max(before, quantity.start - BESIDE) : quantity.start]
    right = reading.text[quantity.end : min(behind, quantity.end + BESIDE)]
    return frozenset({("before", term) for term in _content(left)} | {("behind", term) for term in _content(right)})


def _clause_of(reading: _Reading, quantity: Quantity) -> _Clause | None:
    return next((clause for clause in reading.clauses if clause.start <= quantity.start < clause.end), None)


def _names(said: _Reading, source: _Reading) -> Iterator[Problem]:
    """Latin names and terms of the claim that the source does not hold in any spelling."""
    chinese, translated = bool(HAN.search(said.text)), not HAN.search(said.text) and bool(HAN.search(source.text))
    there = f"{source.form} {search_form(source.about)}"
    squeezed = re.sub(r"[\W_]+", "", there)
    figures = [(quantity.start, quantity.end) for quantity in said.quantities]
    for match in _LATIN.finditer(said.text):
        word = match[0]
        form = search_form(word).strip("'").removesuffix("'s")
        if (
            len(form) < 2
            or any(start <= match.start() and match.end() <= end for start, end in figures)
            or not re.search(r"[A-Za-z]", word)
        ):
            continue
        if any(start < match.end() and match.start() < end for start, end in figures) and not re.search(r"[A-Za-z]{3,}", word):
            continue
        if re.sub(r"[\W_]+", "", form) in squeezed and re.search(rf"(?<![a-z0-9]){re.escape(form)}|{re.escape(form)}(?![a-z0-9])", there):
            continue
        marked = bool(re.search(r"[A-Z].*[A-Z0-9]|\d", word))
        inside = word[0].isupper() and match.start() > 0 and not re.search(r"[.!?。：:“\"(（]\s*$", said.text[: match.start()])
        if form in EN_STOP or _initials(word, said, source) or any(part in source.known for part in (stem(form), stem(form.rstrip("s")))):
            continue
        if translated and not marked and not (inside and _untranslated(form, source)):
            continue
        if marked or inside or (chinese and len(form) > 2):
            yield "name", {"said": word}


def _untranslated(form: str, source: _Reading) -> bool:
    """Whether the dictionary knows a name and none of its Chinese forms is there."""
    from rag.search.translate import translations

    options = translations(stem(form.removesuffix("'s")))
    return bool(options) and not any(option in source.form for option in options)


def _initials(word: str, said: _Reading, source: _Reading) -> bool:
    """Whether a word in capitals abbreviates words that follow one another in the source or stand in brackets beside it in the claim."""
    letters = re.sub(r"[^A-Za-z]", "", word).lower()
    firsts = "".join(found[0] for found in re.findall(r"[a-z]+", source.form))
    return word.isupper() and len(letters) > 1 and letters in firsts
