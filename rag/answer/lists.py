"""Enumerations among the sentences of a report: which sentences are the entries of one list, and which one leads in to it.

Three forms: bullets; numbers and words of order inside a text ("1）…；2）…", "一是…二是…", "首先…其次…"); paragraphs that open with a label each
("近海：…", "远海：…"). Gives up: entries that share nothing but their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.search.sentences import Sentence
from rag.text.quantities import DIGITS

APART = 4
"""Sentences that may stand between two numbers of a list at most."""

_BULLET_NUMBERED = re.compile(r"[（(]?\d{1,2}[)）.、]")
LABEL = re.compile(r"(?P<label>[^，。；：:！？!?]{2,30})[：:]\s*\S")
_AT = r"(?:^|(?<=[：:；;，,。、\s]))"
_ORDINALS: tuple[re.Pattern[str], ...] = (
    re.compile(rf"{_AT}[（(]?(?P<n>\d{{1,2}})\s?[)）](?!\d)"),
    re.compile(r"(?P<n>[①②③④⑤⑥⑦⑧⑨⑩])"),
    re.compile(rf"{_AT}(?P<n>[一二三四五六七八九])是"),
    re.compile(rf"{_AT}第(?P<n>[一二三四五六七八九])[，,是]|第(?P<m>[一二三四五六七八九])(?:个|种|类|条|阶段|步|方面)"),
    re.compile(rf"{_AT}(?P<n>首先|其次|再次|最后)"),
    re.compile(r"(?:^|(?<=[.;:] ))(?P<n>First(?:ly)?|Second(?:ly)?|Third(?:ly)?|Fourth(?:ly)?|Finally)\b"),
)
"""Each form of numbering inside a text."""
_PLACES = {"首先": 1, "其次": 2, "再次": 3, "first": 1, "second": 2, "third": 3, "fourth": 4}


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A list in a report."""

    lead: Sentence | None
    """The sentence right before it, or the one that holds both its lead and its first entry; None for none in the section."""
    entries: tuple[tuple[Sentence, ...], ...]
    """Each with its sentences; entries that share a sentence are one."""
    count: int
    """Of entries."""
    form: Literal["bullets", "numbers", "labels"]

    @property
    def sentences(self) -> list[Sentence]:
        """All, in order, the lead in front."""
        lead = [self.lead] if self.lead and self.lead != self.entries[0][0] else []
        return [*lead, *(sentence for entry in self.entries for sentence in entry)]

    @property
    def heads(self) -> list[Sentence]:
        """The lead and the first sentence of each entry."""
        lead = [self.lead] if self.lead and self.lead != self.entries[0][0] else []
        return [*lead, *(entry[0] for entry in self.entries)]


def enumeration_at(sentences: Sequence[Sentence], place: int) -> Enumeration | None:
    """The list that a sentence belongs to or leads in to; None when there is none of two entries at least."""
    found = (form(sentences, start) for start in (place, place + 1) for form in (_numbered, _bullets, _labelled))
    return next((one for one in found if one and one.count > 1 and place in {sentence.position for sentence in one.sentences}), None)


def _section(sentences: Sequence[Sentence], place: int, like: Sentence) -> bool:
    return 0 <= place < len(sentences) and sentences[place].section == like.section and sentences[place].document == like.document


def _before(sentences: Sequence[Sentence], first: int) -> Sentence | None:
    """The sentence that leads in to a list which begins at a place."""
    lead = sentences[first - 1] if first and _section(sentences, first - 1, sentences[first]) else None
    return lead if lead and lead.kind == "prose" else None


def _bullets(sentences: Sequence[Sentence], start: int) -> Enumeration | None:
    """The run of bullets of one style around a place."""

    def inside(place: int) -> bool:
        return _section(sentences, place, sentences[start]) and sentences[place].kind == "item"

    def opening(place: int) -> int:
        while inside(place - 1) and sentences[place - 1].block == sentences[place].block:
            place -= 1
        return place

    def alike(place: int) -> bool:
        return inside(place) and bool(_BULLET_NUMBERED.match(sentences[opening(place)].text)) == numbered

    if start >= len(sentences) or not inside(start):
        return None
    numbered = bool(_BULLET_NUMBERED.match(sentences[opening(start)].text))
    first = last = start
    while alike(first - 1):
        first -= 1
    while alike(last + 1):
        last += 1
    entries = _by_block(sentences[first : last + 1])
    return Enumeration(_before(sentences, first), entries, len(entries), "bullets")


def _by_block(sentences: Sequence[Sentence]) -> tuple[tuple[Sentence, ...], ...]:
    blocks: dict[int, list[Sentence]] = {}
    for sentence in sentences:
        blocks.setdefault(sentence.block, []).append(sentence)
    return tuple(map(tuple, blocks.values()))


def _labelled(sentences: Sequence[Sentence], start: int) -> Enumeration | None:
    """The run of paragraphs around a place that open with a label each."""
    if start >= len(sentences):
        return None
    here = sentences[start]
    low = high = start
    while _section(sentences, low - 1, here) and sentences[low - 1].kind == "prose":
        low -= 1
    while _section(sentences, high + 1, here) and sentences[high + 1].kind == "prose":
        high += 1
    blocks = _by_block(sentences[low : high + 1])
    at = next((i for i, block in enumerate(blocks) if here in block), None)

    def opens(i: int) -> bool:
        return 0 <= i < len(blocks) and blocks[i][0].kind == "prose" and bool(LABEL.match(blocks[i][0].text))

    if at is None or not opens(at):
        return None
    first = last = at
    while opens(first - 1):
        first -= 1
    while opens(last + 1):
        last += 1
    entries = tuple(blocks[first : last + 1])
    return Enumeration(_before(sentences, entries[0][0].position), entries, len(entries), "labels")


def _numbered(sentences: Sequence[Sentence], start: int) -> Enumeration | None:
    """The list numbered inside the text that a place is part of."""
    if start >= len(sentences):
        return None
    here = sentences[start]
    low = start
    while low > 0 and start - low < 3 * APART and _section(sentences, low - 1, here):
        low -= 1
    for form in _ORDINALS:
        for first in range(start, low - 1, -1):
            if 1 in _numbers(form, sentences[first].text):
                found = _counted(sentences, first, form)
                if found and found.sentences[-1].position >= start:
                    return found
                break
    return None


def _numbers(form: re.Pattern[str], text: str) -> list[int]:
    return list(_read(form, text))


def _read(form: re.Pattern[str], text: str) -> Iterator[int]:
    """The numbers of a form in a text; 99 for a word that only says "last"."""
    for match in form.finditer(text):
        written = next(filter(None, match.groups())).lower().removesuffix("ly")
        if written.isdecimal():
            yield int(written)
        elif written in "①②③④⑤⑥⑦⑧⑨⑩":
            yield "①②③④⑤⑥⑦⑧⑨⑩".index(written) + 1
        else:
            yield _PLACES.get(written) or DIGITS.get(written) or 99


def _counted(sentences: Sequence[Sentence], first: int, form: re.Pattern[str]) -> Enumeration | None:
    """The list whose first number stands in a sentence."""
    entries: list[list[Sentence]] = []
    reached = count = 0
    place, since = first, 0
    while _section(sentences, place, sentences[first]) and since <= APART:
        sentence = sentences[place]
        following = [n for n in _numbers(form, sentence.text) if n > reached and (n <= reached + 2 or n == 99)]
        if place > first and 1 in _numbers(form, sentence.text):
            break
        if following:
            entries.append([sentence])
            count += len(following)
            reached, since = following[-1], 0
            if reached == 99:
                break
        else:
            entries[-1].append(sentence)
            since += 1
        place += 1
    if count < 2:
        return None
    last = entries[-1][0]
    entries[-1] = [sentence for sentence in entries[-1] if sentence.block == last.block][:1]
    opens = _first_at(form, sentences[first].text)
    lead = sentences[first] if opens > 0 else _before(sentences, first)
    return Enumeration(lead, tuple(map(tuple, entries)), count, "numbers")


def _first_at(form: re.Pattern[str], text: str) -> int:
    match = form.search(text)
    return match.start() if match else 0
