"""The figures, dates and Latin names of one text, held against another: what both ways of judging a claim compare exactly.

Pure functions of two texts, read clause by clause. Gives up meaning: whether the words around a figure say the same is for the caller.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.answer.measures import agree, date_parts, same_measure
from rag.index.lexical import stem, terms
from rag.search.question import EN_STOP, HAN
from rag.text.normalize import search_form
from rag.text.quantities import Quantity, han_value, quantities

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

Problem = tuple[str, dict[str, str]]


class Compared:
    """A text as the comparisons need it; what is costly is made once. A subclass may say which of its terms have content."""

    function_words = EN_STOP

    def __init__(self, text: str, about: str = "") -> None:
        self.text = _NUMBER_WORD.sub(lambda match: _NUMBER_WORDS.get(match[0].lower(), "1"), text)
        self.about = about
        self.form = search_form(self.text)

    @classmethod
    def content_of(cls, text: str) -> frozenset[str]:
        """Return the content terms of a text: pairs of Han characters and words that are no function words."""
        return frozenset(term for term in terms(text) if len(term) > 1 and term not in cls.function_words)

    @cached_property
    def bare(self) -> str:
        """Letters, digits, decimal points and per cent signs of the form."""
        return re.sub(r"(?!(?<=\d)\.(?=\d)|%)[\W_]", "", self.form)

    @cached_property
    def quantities(self) -> list[Quantity]:
        return quantities(self.text)

    @cached_property
    def content(self) -> frozenset[str]:
        return self.content_of(self.text)

    @cached_property
    def known(self) -> frozenset[str]:
        """Content terms of the text and of what is known about it."""
        return self.content | frozenset(terms(self.about))

    @cached_property
    def clauses(self) -> list[Clause]:
        made, start = [], 0
        for end, following in [*((match.start(), match.end()) for match in _SPLIT.finditer(self.text)), (len(self.text), len(self.text))]:
            text = self.text[start:end]
            if re.search(r"\w", text):
                made.append(Clause(start, end, text, self.content_of(re.sub(r"\d[\d,.]*", " ", text))))
            start = following
        return made

    def clause_of(self, quantity: Quantity) -> Clause | None:
        """Return the clause that a quantity of this text stands in."""
        return next((clause for clause in self.clauses if clause.start <= quantity.start < clause.end), None)


@dataclass(frozen=True)
class Clause:
    """A clause, its place in its text, in characters, and its content terms, figures aside."""

    start: int
    end: int
    text: str
    content: frozenset[str]

    def shared(self, other: Clause) -> float:
        """Return the share of the smaller clause's terms that both have."""
        return len(self.content & other.content) / max(1, min(len(self.content), len(other.content)))


def differing(said: Compared, source: Compared, same: Callable[[Clause, Clause], bool]) -> tuple[str, str] | None:
    """Return the figures, as written, in which two texts of the same year differ in clauses that say the `same`; None for none."""
    mine, theirs = (frozenset(each.low for each in text.quantities if each.kind == "year") for text in (said, source))
    if mine and theirs and not mine & theirs:
        return None
    for quantity in said.quantities:
        clause = said.clause_of(quantity)
        if (
            quantity.kind in ("year", "date")
            or clause is None
            or said.text[: quantity.start].endswith("第")
            or any(agree(quantity, each) for each in source.quantities)
        ):
            continue
        for rival in source.quantities:
            place = source.clause_of(rival)
            if place is None or not same_measure(quantity, rival) or any(agree(each, rival) for each in said.quantities):
                continue
            if same(clause, place):
                return said.text[quantity.start : quantity.end].strip(), source.text[rival.start : rival.end].strip()
    return None


def same_statement(one: Clause, other: Clause, share: float) -> bool:
    """Return whether two clauses share two terms, and `share` of all terms of both, figures aside."""
    return len(one.content & other.content) >= max(2, share * len(one.content | other.content))


def figures(said: Compared, source: Compared) -> Iterator[Problem]:
    """Yield quantities of the claim that the source does not hold, or holds for something else."""
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


def _misplaced(said: Compared, quantity: Quantity, source: Compared, same: Sequence[Quantity]) -> str:
    """What the source says in the place where the claim has this figure; "" when the figure is in its place.

    A place is a clause. The figure is out of place when another clause of the source shares clearly more with the claim's clause and
    holds another figure of that kind.
    """
    clause = said.clause_of(quantity)
    if not same or clause is None or len(clause.content) < 2:
        return ""
    homes = [home for other in same if (home := source.clause_of(other))]
    if not homes or any(len(home.content) < 2 for home in homes):
        return ""
    at_home = max(len(clause.content & home.content) for home in homes) / len(clause.content)
    for other in source.quantities:
        if other.kind == quantity.kind and not agree(quantity, other) and (place := source.clause_of(other)) and place not in homes:
            shared = len(clause.content & place.content) / len(clause.content)
            if shared >= at_home + (0.3 if shared < 0.85 else 0.1):
                return source.text[other.start : other.end].strip()
    return ""


def _crossed(said: Compared, source: Compared) -> dict[str, str] | None:
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


def _beside(reading: Compared, quantity: Quantity) -> frozenset[tuple[str, str]]:
    """The content terms before and behind a figure, up to the next figure or clause but one, each with its side."""
    before = max((other.end for other in reading.quantities if other.end <= quantity.start), default=0)
    behind = min((other.start for other in reading.quantities if other.start >= quantity.end), default=len(reading.text))
    left = reading.text[max(before, quantity.start - BESIDE) : quantity.start]
    right = reading.text[quantity.end : min(behind, quantity.end + BESIDE)]
    return frozenset({("before", term) for term in reading.content_of(left)} | {("behind", term) for term in reading.content_of(right)})


def names(said: Compared, source: Compared) -> Iterator[Problem]:
    """Yield Latin names and terms of the claim that the source does not hold in any spelling."""
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
        if (
            form in said.function_words
            or _initials(word, said, source)
            or any(part in source.known for part in (stem(form), stem(form.rstrip("s"))))
        ):
            continue
        if translated and not marked and not (inside and _untranslated(form, source)):
            continue
        if marked or inside or (chinese and len(form) > 2):
            yield "name", {"said": word}


def _untranslated(form: str, source: Compared) -> bool:
    """Whether the dictionary knows a name and none of its Chinese forms is there."""
    from rag.search.translate import translations

    options = translations(stem(form.removesuffix("'s")))
    return bool(options) and not any(option in source.form for option in options)


def _initials(word: str, said: Compared, source: Compared) -> bool:
    """Whether a word in capitals abbreviates words that follow one another in the source or stand in brackets beside it in the claim."""
    letters = re.sub(r"[^A-Za-z]", "", word).lower()
    firsts = "".join(found[0] for found in re.findall(r"[a-z]+", source.form))
    return word.isupper() and len(letters) > 1 and letters in firsts
