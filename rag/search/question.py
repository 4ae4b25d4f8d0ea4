"""What a question says of itself: its language, its content words, the years and the reports that it names.

What kind of answer it wants is told by the reader (`rag.search.reader`), not here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rag.index.lexical import stem
from rag.search.translate import named_in_latin, translations
from rag.text.lexicon import proper_names
from rag.text.quantities import years
from rag.types import Document

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")

# English words that hold questions together, in lower case; left out of what is searched.
EN_STOP = frozenset(
    "a an the is are was were be been being do does did will would can could should shall may might must has have had of in on at to from by for with about as into onto then than that this these those "
    "it its they them their there here he she his her we our you your i me my and or but if so not no nor yes how what which who whom whose when where why per each any some such "
    "say says said tell give given report reports according document documents please explain define mean means meant called named name describe compare both between also own very just only more most other "
    "much many large big long far".split()
)
# The same in Chinese. Single characters that also build words (能, 为, 用, 以) stay: half of 能源 would cost the question.
_ZH_ASKING = re.compile(
    r"请问|我想知道|告诉我|说说|讲讲|谈谈|解释一下|介绍一下|为什么|为何|为啥|凭什么|怎么样|怎么|怎样|如何|什么样的?|什么时候|什么|啥|有?哪些|有?哪几?[个条种类项位家款年]?|"
    r"多少|有没有|是不是|是否|能不能|可不可以|到底|究竟|分别|各自|报告[里中]?|文[中里]|根据|按照|这份|那么|它们?的?|他们?的?|这个|那个|这些|那些|"
    r"吗|呢|吧|呀|啊|嘛|了(?=[？?，。]|$)|^那|的|被|是"
)
LATIN = re.compile(r"[0-9]*[A-Za-z][A-Za-z0-9]*(?:[-+./&'][A-Za-z0-9]+)*\+*")
_MARKUP = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|$)|<!--.*?(?:-->|$)|</?[A-Za-z][^<>]*>", re.DOTALL | re.IGNORECASE)
_LEGAL_FORM = re.compile(
    r"(?:the|inc|incorporated|corp|corporation|company|co|ltd|limited|llc|plc|ag|se|gmbh|group|holdings?|&|and|of)[.,]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question, read. `core` is what is left to search for once the asking words are taken away."""

    text: str
    language: Literal["zh", "en"]
    core: str
    years: frozenset[int]
    # Latin names and terms of the question, as written.
    names: tuple[str, ...]
    # Ids of the documents that the question names by title or publisher.
    reports: tuple[str, ...]
    # How many publishers these stand for; editions of one report count as one.
    publishers: int = 0


def language_of(text: str) -> Literal["zh", "en"]:
    """Tell "zh" from "en": "zh" as soon as Han characters outnumber Latin words, which names inside Chinese cannot do.

    >>> language_of("CIPU 是什么？"), language_of("What does 存算一体 mean in the DAMO report?")
    ('zh', 'en')
    """
    han = len(HAN.findall(text))
    words = len(LATIN.findall(text))
    return "zh" if han and han >= words else "en"


def strip_asking(text: str) -> str:
    """Return the question without words that only ask; the text itself when nothing would be left.

    >>> strip_asking("存算一体有哪三条技术路径？"), strip_asking("What is CIPU?")
    ('存算一体 三条技术路径', 'CIPU')
    """
    pieces = []
    for piece in re.split(r"([0-9]*[A-Za-z][A-Za-z0-9+./&'-]*)", text):
        if LATIN.fullmatch(piece):
            pieces.append(" " if piece.lower() in EN_STOP and piece not in ("IT", "US", "AI") else piece)
        else:
            pieces.append(_ZH_ASKING.sub(" ", piece))
    core = re.sub(r"[\s，。？！、；：,?!;“”\"「」（）()]+", " ", "".join(pieces)).strip()
    return " ".join(piece for piece in core.split() if len(piece) > 1 or not HAN.match(piece)) or core or text.strip()


def without_markup(text: str) -> str:
    """Return the text without HTML, which says nothing of what is asked; the text as it is where nothing else is in it.

    >>> without_markup("<b>What</b> is <img src=x onerror=a()> CIPU?<script>b()</script>"), without_markup("is 3 < 5 > 4"), without_markup("<b>")
    ('What is CIPU?', 'is 3 < 5 > 4', '<b>')
    """
    bare = re.sub(r"\s+", " ", _MARKUP.sub(" ", text)).replace(" ?", "?").strip()
    bare = re.sub(rf"(?<={HAN.pattern}) (?={HAN.pattern})", "", bare)
    return bare if bare != text and any(sign.isalnum() for sign in bare) and _MARKUP.search(text) else text


def read_question(text: str, documents: Sequence[Document] = ()) -> Question:
    """Read a question against the reports that there are, whose titles and publishers it may name."""
    named = {document: found for document in documents if (found := names_in(text, document))}
    return Question(
        text=text,
        language=language_of(text),
        core=strip_asking(text),
        years=years(text),
        names=tuple(name for name in dict.fromkeys(LATIN.findall(text)) if name.lower() not in EN_STOP),
        reports=tuple(sorted(document.id for document in named)),
        publishers=count_publishers(named),
    )


def without_names(core: str, documents: Sequence[Document]) -> str:
    """Return `core` without the names of publishers, which say where to look and not what for; `core` when nothing else is left."""
    stripped = core
    for document in documents:
        for name in sorted(names_of(document), key=lambda name: (-len(name), name)):
            stripped = re.sub(re.escape(name), " ", stripped, flags=re.IGNORECASE)
    return re.sub(r"\s+", " ", stripped).strip() if re.search(rf"{HAN.pattern}{{2}}|[A-Za-z0-9]{{2}}", stripped) else core


@lru_cache(maxsize=1 << 10)
def _aliases(publisher: str, title: str, identity: str) -> frozenset[str]:
    """Short forms by which a report is named: "阿里巴巴达摩院" is also 阿里 and 达摩院, "huawei-2030" is Huawei's and 华为's."""
    pieces: set[str] = set()
    for part in re.split(r"[（()）,，/]", publisher):
        part = part.strip()
        if HAN.match(part):
            pieces |= {part, part[:2], part[-3:] if len(part) > 4 else ""}
            pieces |= {name for length in (2, 3, 4) if (name := part[:length]) in proper_names()}
        else:
            words = [word for word in part.split() if not _LEGAL_FORM.fullmatch(word)]
            pieces |= {" ".join(words)} | {word for word in words if len(word) > 3 and not _is_common(word)}
            pieces |= {word for word in words[:1] if len(word) > 3 and len(translations(stem(word.lower()))) == 1}
    pieces |= set(re.findall(r"^[\u4e00-\u9fff]{1,10}(?:院|所|公司|集团|协会|联盟|大学|银行)", title))
    for word in re.findall(r"(?<![A-Za-z])[A-Za-z]{4,}(?![A-Za-z])", identity):
        if named := named_in_latin(word):
            pieces |= {word, named}
        elif not _is_common(word):
            pieces.add(word)
    spelled = {form for piece in pieces if HAN.match(piece) for form, p in translations(piece).items() if p >= 0.5 and len(form) > 3}
    return frozenset(pieces | spelled) - {""}


def names_of(document: Document) -> frozenset[str]:
    """The forms by which a question may name a report, other than its title."""
    return _aliases(document.publisher, re.sub(r"[（(].*?[)）]", "", document.title).strip(), document.id)


def names_in(text: str, document: Document) -> frozenset[str]:
    """The names of a report that a question has: forms of its publisher, its title; empty when it names another or none."""
    title = re.sub(r"[（(].*?[)）]", "", document.title).strip()
    word = title.isascii() and title.isalpha() and _is_common(title)  # of "harbour.pdf"
    told = {title} if len(title) > 5 and not word and title.lower() in text.lower() else set()
    return frozenset(told | {name for name in names_of(document) if _is_named(name, text)})


def _is_named(name: str, text: str) -> bool:
    """Whether a text has a name, however its words are joined; one that is also a common word must be written as a name.

    >>> _is_named("FOOTLOCKER", "Does Foot Locker's CEO stay?"), _is_named("Square", "How big is the square?"), _is_named("Square", "What is Square's revenue?")
    (True, False, True)
    """
    if not name.isascii():
        return name.lower() in text.lower()
    words = re.findall(r"[a-z0-9]+", re.sub(r"['’]s(?![a-z])", "", text, flags=re.IGNORECASE).lower())
    squeezed = re.sub(r"[^a-z0-9]", "", name.lower())
    if not any(squeezed == "".join(words[i : i + n]) for n in range(1, 5) for i in range(len(words) - n + 1)):
        return False
    if not name.isalpha() or not _is_common(name):
        return True
    return bool(re.search(rf"(?<=[^.?!\s] )(?:{name.capitalize()}|{name.upper()})(?![a-z])", text))


def _is_common(word: str) -> bool:
    """Whether a Latin word is one of the language, also in British spelling, so that its capital alone makes it a name."""
    lowered = word.lower()
    spelled = (lowered, lowered.replace("our", "or"), re.sub("tre$", "ter", lowered))
    return not named_in_latin(lowered) and any(translations(stem(form)) for form in spelled)


def count_publishers(named: Mapping[Document, frozenset[str]]) -> int:
    """How many different ones a question names; reports that share a name, or are editions of one, count as one."""
    groups: list[set[str]] = []
    for document, names in named.items():
        own = {name.lower() for name in names} | {document.id.split(".")[0]}
        for group in [group for group in groups if group & own]:
            groups.remove(group)
            own |= group
        groups.append(own)
    return len(groups)
