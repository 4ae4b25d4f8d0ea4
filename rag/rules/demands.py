"""What a question demands of its evidence: years, names, a person, a number of a kind, and the words of ending or beginning that it presumes.

Whether reports answer a question cannot be read off scores: askers paraphrase what is there and repeat the report's words for what is not. So each
demand is looked for where it must stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from rag.index.lexical import stem, terms
from rag.rules.likeness import says, words_of
from rag.rules.premises import DOWN, UP
from rag.rules.question import Question, quantity_answers
from rag.rules.verify import alike
from rag.rules.who import unnamed
from rag.search.question import HAN
from rag.search.translate import segment, source_words, translations
from rag.text.lexicon import proper_names
from rag.text.quantities import quantities, years

_ALSO = {"中国": ("我国", "国内", "全国"), "美国": ("美方", "中美"), "全球": ("世界",)}
_GENERAL = frozenset({"AI", "IT", "ICT"})
"""Names of whole fields, which a section need not repeat."""
_TELLING = re.compile(r"[A-Z]|\d")

_TITLE = re.compile(r"《([^《》]{2,40})》")

_PRESUMED: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    # What the question presumes, and what must then stand in the evidence.
    (re.compile(r"最先|率先|最早|首先|第一个|\bfirst\b|\bearliest\b"), re.compile(r"最先|率先|最早|首先|首个|首次|首度|第一|先|起步|早期|\bfirst\b|\bearl(?:y|iest)\b|\binitial", re.IGNORECASE)),
    (re.compile(r"最后一|\blast\b"), re.compile(r"最后|最终|末|\blast\b|\bfinal", re.IGNORECASE)),
    (
        re.compile(r"退回|倒退|回到|退出|\b(?:revert|withdraw|returns? to|go(?:es)? back)\w*"),
        re.compile(r"退|倒退|回到|回归|重回|\b(?:revert|withdr|return|back)\w*", re.IGNORECASE),
    ),
    (re.compile("失败"), re.compile("失败|成功率|不成功|未能|没能|受挫|夭折|难|缺")),
    (
        re.compile(r"放弃|取消|停止|拒绝|反对|否认|\b(?:abandon|give up|stop|reject|fail|no longer)\w*"),
        re.compile(r"放弃|取消|停|不再|拒绝|反对|否|失败|中断|无需|消失|淘汰|替代|取代|告别|\b(?:abandon|give|stop|reject|fail|no longer|not|replac|end)\w*", re.IGNORECASE),
    ),
    (
        re.compile(r"淘汰|取代|替代|代替|消失|过时|\b(?:replac|obsolet|disappear|eliminat|supersed|die out)\w*"),
        re.compile(r"淘汰|取代|替代|代替|替换|消失|过时|颠覆|退出|告别|去除|不再|\b(?:replac|obsolet|disappear|eliminat|supersed|die|no longer|displac)\w*", re.IGNORECASE),
    ),
    (
        re.compile(r"雇佣|雇用|聘用|员工人数|\b(?:employs?|employees|staff|headcount|workforce)\b"),
        re.compile(r"雇|聘|员工|人员|职工|\b(?:employ|staff|headcount|work)\w*", re.IGNORECASE),
    ),
    *((re.compile(word, re.IGNORECASE),) * 2 for word in (r"地址|\baddress(?:es)?\b", r"电话|\bphone numbers?\b", r"邮箱|\be-?mails?\b", r"网址|官网|\bwebsites?\b", "年龄|几岁|多大年纪", "国籍|哪国人", "学历|毕业", "身高", "生日|出生")),
)  # fmt: skip


_VERSION = re.compile(
    r"\b(?P<name>[A-Z][A-Za-z]*[A-Za-z](?: [A-Z][a-z]+)?)[ -]?(?P<version>\d(?:\.\d+)?)(?![\d.]*\d|\s?[年月日%个倍万亿种项条位家名台款]|[-–~]\d)"
)
"""A name with the number of its edition: "Gemma 2"."""
_ORDINAL = re.compile(r"第(?P<number>[二三四五六七八九十])(?P<what>个?[阶代期轮波级步][段次]?)")
_PARTS = tuple(
    (re.compile(asked, re.IGNORECASE), re.compile(other, re.IGNORECASE))
    for asked, other in (
        (r"上半年|\bfirst half\b", r"下半年|\bsecond half\b"),
        (r"下半年|\bsecond half\b", r"上半年|\bfirst half\b"),
        (r"国内|我国|全国|中国|\bChin(?:a|ese)\b", r"全球|全世界|世界各|\bglobal|\bworldwide\b"),
    )
)
"""What is asked for, and what a report tells of instead."""
_TITLED_YEAR = re.compile(
    r"(?:19|20)\d\d\s?(?:年)?(?:的|那|这|年度)?(?:版|份|期|报告|十大|年报|度)|\b(?:19|20)\d\d (?:report|edition|survey)", re.IGNORECASE
)
"""A year that only says which report is meant."""
_SWAPPED = re.compile(
    r"^(?:那|那么|还有|再)?(?:放到|换成|换到|到了?|在|对)?(?P<what>[^，,；;？?]{2,16}?)呢(?:[？?。\s]*$|[，,])"
    r"|^(?:and|what about|how about)\s+(?:what about |for |in |about )?(?P<en>[\w'’ -]{2,40}?)[?.\s]*$",
    re.IGNORECASE,
)
"""What a follow-up puts in the place of the last question's subject."""
_ROUGH = re.compile(r"几|余|多|来|上百|上千|some|about|around|nearly", re.IGNORECASE)
"""A figure that is only told roughly need not stand in the report."""
_FIRST_OF_ALL = re.compile(r"最早(?:到底|究竟)?(?:是|由|在|从|为|什么|哪|来|出)")
"""Asks how something began, and presumes no order."""
_SOON = re.compile(r"次日|翌日|隔天|当[天日晚]|第二天|一夜|the next day|overnight|the same day", re.IGNORECASE)
"""Durations without a number."""

_IT = re.compile(r"[它她他其该]|\b(?:its?|they|them|their)\b", re.IGNORECASE)
_COUNTED = re.compile(r"多少(?:个|家|位|名|块|张|辆|台|架|种|项|条|款|座|颗|份|部|次|套|支|间|艘|本|件)?(?P<noun>[\u4e00-\u9fff]{2,8})")
_NO_NOUN = re.compile(
    r"[钱人年天月周倍岁元次分度米瓦卡]|小时|秒|美元|以上|以下|左右|时间|公里|平方|[会能要将被是在才成呢了的受可由变增减提下上高低]|比例|百分|万|亿|吨|兆|像素|级别|规模"
)
"""What may follow "how many" without naming what is counted."""
SWAPPED = 0.3
"""A word says what a follow-up asks about if it is at least so much like it."""
NEAR = 10
"""Characters between a number and what it counts at most."""
_PERSONS = "员师家者人工生手"
"""What Chinese words for people end with."""
_SHARE_OF_PEOPLE = re.compile(
    rf"[%％成]\s?的?[\u4e00-\u9fff]{{0,6}}[{_PERSONS}]|(?:percent|%) of (?:all )?(?:the )?(?:\w+ ){{0,2}}\w+(?:ers|ors|ists|ents|people)\b"
)
"""Answers how many people as well as a number of them does."""


_SUBJECT = re.compile(r"^(?P<what>[^，。；？]{2,12}?)(?:为什么|为何|为啥|凭什么)")
"""What a question for reasons is about, where it stands in front."""
_USED = re.compile(
    r"多少(?:人|家|企业|公司|用户)[会将能在要]?(?:用上|使用|采用|拥有|购买|参加|加入|接受|患上|实施|部署)过?了?(?P<what>[\u4e00-\u9fff]{2,12})"
)
"""What those who are counted use or have."""
_RANKED = re.compile(r"[把将](?P<what>[^，。；？]{2,12}?)(?:[列选归][进入为到]|纳入|算作|评为|当作|视为)")
"""What is said to be put among others."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A sentence and the texts around it, from the nearest to the widest."""

    sentence: str
    before: str
    """The two sentences before it in its section."""
    window: str
    """The sentence with one neighbour on each side."""
    section: str
    place: str
    """Titles of report and sections, and the publisher."""
    year: int | None
    """Of the report."""
    language: str
    """Of the report."""
    speaker: str = ""
    """Who signed the sentence; empty for nobody."""
    headings: tuple[str, ...] = ()
    """Of the section, from the outermost."""

    @property
    def told_in(self) -> str:
        """The section with its place."""
        return f"{self.place} {self.section}"


def _translated(name: str) -> tuple[str, ...]:
    """Likely translations of a name, in lower case; English ones as stems, which begin the word as it is written."""
    key = name if HAN.search(name) else stem(name)
    return tuple(word.split(" ")[0] for word, probability in translations(key).items() if probability >= 0.2 and len(word) > 1)


def _forms(name: str, told: str, language: str) -> tuple[str, ...]:
    """How a text of a language may have a Latin name, all in lower case: itself, its parts that tell, the word that it stands for, translations.

    Empty where the absence of a name says nothing.
    """
    forms = [told, told.rstrip("s"), *(_translated(told) if language == "zh" else ())]
    parts = re.split(r"[-/&]|(?:-to-)", name)
    if len(parts) > 1:
        telling = [part.lower() for part in parts if len(part) > 1 and _TELLING.search(part)]
        if not telling and (language == "zh" or "&" in name):
            return tuple(form for form in forms if HAN.search(form))
        forms += telling
    elif len(told) > 4 and told[0] != name[0] and not _TELLING.search(name[1:]):
        forms.append(told[:-2] if told.endswith(("an", "se", "sh")) and len(told) > 6 else told.removesuffix("n"))
    if short := re.fullmatch(r"([a-z])(\d{1,2})([a-z])", told):  # "K8s" is a K, eight letters and an s
        forms.append(rf"\b{short[1]}[a-z]{{{short[2]}}}{short[3]}\b")
    return tuple(forms)


def _stands(form: str, text: str) -> bool:
    return bool(re.search(form, text)) if form.startswith("\\b") else form in text


def _speaks_of(subject: str, text: str) -> bool:
    """Whether a text holds half of the terms of a subject."""
    wanted = set(terms(subject))
    return len(wanted & set(terms(text))) >= 0.5 * len(wanted)


def _touches(subject: str, text: str) -> bool:
    """Whether a text holds a third of the words and pairs of characters of a subject, so that it may call it otherwise."""
    wanted = {term for term in terms(subject) if len(term) > 1}
    return len(wanted & set(terms(text))) * 3 >= len(wanted)


def names_in(text: str) -> tuple[str, ...]:
    """The proper names of a Chinese text, longest first, without those inside a longer one or across the border of two words.

    >>> names_in("清华大学在中国"), names_in("从理论上证明")
    (('清华大学', '中国'), ())
    """
    known = proper_names()
    found: list[str] = []
    taken: set[int] = set()
    for length in range(min(8, len(text)), 1, -1):
        for start in range(len(text) - length + 1):
            end = start + length
            if text[start:end] in known and not taken & set(range(start, end)) and {start, end} <= _borders(text):
                found.append(text[start:end])
                taken |= set(range(start, end))
    return tuple(found)


@lru_cache(maxsize=16)
def _borders(text: str) -> frozenset[int]:
    """Places between two words of a text."""
    places = {0}
    for run in re.finditer(rf"{HAN.pattern}+|.", text, re.DOTALL):
        for word in segment(run[0]):
            places.add(max(places) + len(word))
    return frozenset(places)


def _is_counted(noun: str, text: str) -> bool:
    """Whether a text speaks of what a question counts, of something that means nearly the same, or of so many of its kind ("36 寨")."""
    words = [word for word in segment(noun) if len(word) > 1][:2]
    if not words:
        return True
    there = {word for word in source_words(text) if len(word) > 1 and HAN.match(word)}
    if any(word[-1] in _PERSONS for word in (noun, *words)) and re.search(
        rf"[\d十百千万亿%％]\s?(?:的|名|位|个)?[\u4e00-\u9fff]{{0,6}}[{_PERSONS}]", text
    ):
        return True  # people by another name of what they do
    return (
        noun[-2:] in text
        or any(word in text or any(alike(word, other) and _beside_a_number(other, text) for other in there) for word in words)
        or re.search(rf"[\d十百千万亿余多]\s?(?:[\u4e00-\u9fff]{{0,2}})[{''.join(words)}]", text) is not None
    )


def _beside_a_number(word: str, text: str) -> bool:
    """Whether a word stands right behind a number, or right before one."""
    number = r"[\d一二两三四五六七八九十百千万亿]"
    return bool(re.search(rf"{number}[^，。；]{{0,{NEAR}}}{re.escape(word)}|{re.escape(word)}[^，。；]{{0,{NEAR}}}{number}", text))


def unmet(question: Question, around: Surroundings) -> str | None:
    """The first demand that the evidence does not meet, told in the question's language; None when all are met."""
    demands: tuple[Callable[[Question, Surroundings], str | None], ...] = (
        _years_told, _titles_told, _subject_told, _swapped_told, _names_told, _editions_told, _number_told, _who_told, _presumed_told, _figures_told
    )  # fmt: skip
    return next((failure for demand in demands if (failure := demand(question, around))), None)


def _in(question: Question, zh: str, en: str) -> str:
    return zh if question.language == "zh" else en


def _years_told(question: Question, around: Surroundings) -> str | None:
    told = years(around.place) | {around.year}
    if (there := years(around.sentence)) and not _TITLED_YEAR.search(question.text):
        told = there  # a sentence that names its own year does not speak of the report's
    for year in sorted(question.years - told):
        if str(year) not in around.window and not (not years(around.window) and str(year) in around.section):
            return _in(question, f"没有找到 {year} 年的相关内容。", f"I did not find anything on this for {year}.")
    same = bool(HAN.search(question.carried)) == (around.language == "zh")
    if question.carried and same and question.years and not _speaks_of(question.carried, f"{around.place} {around.window}"):
        # A turn that only changes the year still asks about the subject of the turn before.
        year = max(question.years)
        return _in(question, f"没有找到 {year} 年的相关内容。", f"I did not find anything on this for {year}.")
    return None


def _titles_told(question: Question, around: Surroundings) -> str | None:
    for title in _TITLE.findall(question.text) if around.language != "en" else ():
        if not _speaks_of(title, around.told_in) and not any(form in around.told_in.lower() for form in _translated(title)):
            return _in(question, f"没有找到《{title}》。", f"I did not find {title} in the reports.")
    return None


def _subject_told(question: Question, around: Surroundings) -> str | None:
    """What a definition or a reason is asked of, or what is counted or ranked, is spoken of in the section."""
    if question.language != around.language:
        return None
    subjects = [piece for piece in question.core.split() if len(piece) > 1] or [question.core]
    if question.kind == "definition" and not any(_speaks_of(piece, around.told_in) for piece in subjects):
        return _in(question, f"没有找到对“{subjects[0]}”的解释。", f'I did not find an explanation of "{subjects[0]}".')
    for pattern in (_SUBJECT, _USED, _RANKED):
        if (match := pattern.search(question.text)) and not _touches(match["what"], around.told_in):
            return f"在最接近的内容里没有找到“{match['what']}”。"
    return None


def _names_told(question: Question, around: Surroundings) -> str | None:
    """Latin names and names of places, companies and persons."""
    zh = question.language == "zh"
    near = f"{around.place} {around.before} {around.sentence}"
    scope = (near if question.kind == "number" else around.told_in).lower()
    for name in question.names:
        if name in _GENERAL:
            continue
        told = name.lower().removesuffix("'s")
        # A capital at the front is a name too, which a report in the same language writes alike; the first word of a sentence has one anyway.
        front = not zh and name[0].isupper() and not question.text.startswith(name)
        forms = _forms(name, told, around.language)
        if front and around.language == "zh" and not any(map(HAN.search, forms)) and not _TELLING.search(name[1:]):
            continue  # no translation is known, so its absence says nothing
        if (front or _TELLING.search(name if zh else name[1:])) and forms and not any(_stands(form, scope) for form in forms):
            return _in(question, f"在最接近的内容里没有找到 {name}。", f"I did not find {name} in the passages that came closest.")
    for name in names_in(question.text) if HAN.search(question.text) else ():
        people = (name.removesuffix("人"),) if name.removesuffix("人") in proper_names() else ()
        forms = (name, *people, *_ALSO.get(name, ()), *(_translated(name) if around.language == "en" else ()))
        if around.language == "en" and len(forms) == 1:
            continue
        if not any(form in f"{around.place} {around.window}".lower() for form in forms):
            return _in(question, f"在最接近的内容里没有找到{name}。", f"I did not find {name} in the passages that came closest.")
    if (
        not question.names and question.carried and _IT.search(question.text)
    ):  # a turn that names nothing asks about what the last one names
        for name in re.findall(r"[A-Za-z][A-Za-z0-9-]*[A-Z0-9][A-Za-z0-9-]*", question.carried):
            if name.lower() not in around.told_in.lower():
                return _in(question, f"在最接近的内容里没有找到 {name}。", f"I did not find {name} in the passages that came closest.")
    return None


def _swapped_told(question: Question, around: Surroundings) -> str | None:
    """What a follow-up asks about instead of the last question's subject stands near, or what means the same."""
    match = _SWAPPED.match(question.text.strip()) if question.carried else None
    if not match or question.language != around.language or _IT.search(match[0]):
        return None
    what = match["what"] or match["en"]
    near = f"{' '.join(around.headings)} {around.before} {around.window}".lower()
    there = frozenset(terms(near))
    words = [word for word in words_of(what) if word not in {str(year) for year in question.years}]
    if words and not any(says(word, near, there) >= SWAPPED for word in words):
        return _in(question, f"在最接近的内容里没有找到“{what}”。", f'I did not find "{what}" in the passages that came closest.')
    return None


def _editions_told(question: Question, around: Surroundings) -> str | None:
    """The edition of a named thing, the place in an order, and the half of a year."""
    for match in _VERSION.finditer(question.text):
        name, version = match["name"], match["version"]
        others = re.findall(rf"(?<![A-Za-z]){re.escape(name)}\W{{0,2}}(\d+(?:\.\d+)?)?", around.told_in, re.IGNORECASE)
        if others and version not in others and not any(other.startswith(f"{version}.") for other in others):
            return _in(question, f"在最接近的内容里没有找到 {match[0]}。", f"I did not find {match[0]} in the passages that came closest.")
    for match in _ORDINAL.finditer(question.text):
        told = set(re.findall(rf"第([一二三四五六七八九十]){re.escape(match['what'][:2])}", around.told_in))
        if told and match["number"] not in told:
            return _in(question, f"没有找到{match[0]}。", f"I did not find {match[0]}.")
    for asked, other in _PARTS:
        if (said := asked.search(question.text)) and not asked.search(f"{around.place} {around.window}") and other.search(around.sentence):
            return _in(question, f"在最接近的内容里没有找到{said[0]}。", f"I did not find the {said[0]} in the passages that came closest.")
    return None


def _number_told(question: Question, around: Surroundings) -> str | None:
    if question.kind != "number":
        return None
    if "duration" in question.asked and _SOON.search(around.window):
        return None
    if not quantity_answers(question, around.window) and not ("people" in question.asked and _SHARE_OF_PEOPLE.search(around.window)):
        return _in(question, "找到了关于这个话题的内容，但没有找到所问的数字。", "I found passages on this, but not the figure asked for.")
    counted = _COUNTED.search(question.text) if around.language == "zh" else None
    there = f"{' '.join(around.place.split())}。{around.window}"
    if counted and not _NO_NOUN.match(counted["noun"]) and not _is_counted(counted["noun"], there):
        return f"在最接近的内容里没有找到“{next(word for word in segment(counted['noun']) if len(word) > 1)}”的数量。"
    return None


def _who_told(question: Question, around: Surroundings) -> str | None:
    if unnamed(question.text, around.window, around.speaker, around.headings):
        return _in(question, "没有找到是谁。", "I did not find who it is.")
    return None


def _presumed_told(question: Question, around: Surroundings) -> str | None:
    """Words of direction, order and ending that a question presumes."""
    if question.kind == "why":
        near = f"{around.place} {around.before} {around.sentence} {around.window}"
        for said, opposite in ((UP, DOWN), (DOWN, UP)):
            if (word := said.search(question.text)) and not said.search(near) and opposite.search(around.sentence):
                return _in(
                    question, f"最接近的内容说的与“{word[0]}”相反。", f'The passages that came closest say the opposite of "{word[0]}".'
                )
    for presumed, needed in _PRESUMED:
        text = _FIRST_OF_ALL.sub(" ", question.text)
        if (found := presumed.search(text)) and not needed.search(f"{around.place} {around.window}"):
            return _in(question, f"没有找到“{found[0]}”这样的说法。", f'I did not find "{found[0]}" said of this.')
    return None


def _figures_told(question: Question, around: Surroundings) -> str | None:
    """Shares, sums and the like that a question takes from the report."""
    there = quantities(around.told_in)
    for quantity in quantities(question.text):
        written = question.text[quantity.start : quantity.end].strip()
        if (
            quantity.kind in ("percent", "money", "people", "multiple")
            and not _ROUGH.search(written)
            and not any(
                (other.low, other.high) == (quantity.low, quantity.high)
                or (other.kind == quantity.kind and other.low <= quantity.low and quantity.high <= other.high)
                for other in there
            )
        ):
            return _in(
                question,
                f"在最接近的内容里没有找到 {written} 这个数字。",
                f"I did not find the figure {written} in the passages that came closest.",
            )
    return None
