"""What a question demands of its evidence: years, names, a person, a number of a kind, and the words of ending or beginning that it presumes.

Whether reports answer a question cannot be read off scores: askers paraphrase what is there and repeat the report's words for what is not. So each
demand is looked for where it must stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rag.lexical import stem, terms
from rag.premises import DOWN, UP
from rag.quantities import quantities, years
from rag.question import HAN, Question, quantity_answers
from rag.translate import proper_names, segment, source_words, translations
from rag.verify import alike

_ALSO = {"中国": ("我国", "国内", "全国"), "美国": ("美方", "中美"), "全球": ("世界",)}
_TELLING = re.compile(r"[A-Z]|\d")

_TITLE = re.compile(r"《([^《》]{2,40})》")

_PRESUMED: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    # What the question presumes, and what must then stand in the evidence.
    (re.compile(r"最先|率先|最早|首先|第一个|\bfirst\b|\bearliest\b"), re.compile(r"最先|率先|最早|首先|首个|首次|首度|第一|先|起步|早期|\bfirst\b|\bearl(?:y|iest)\b|\binitial", re.IGNORECASE)),
    (re.compile(r"最后一|\blast\b"), re.compile(r"最后|最终|末|\blast\b|\bfinal", re.IGNORECASE)),
    (
        re.compile(r"退回|倒退|回到|退出|放弃|取消|停止|拒绝|反对|否认|失败|\b(?:abandon|give up|stop|reject|revert|withdraw|fail|no longer)\w*"),
        re.compile(r"退|倒退|回到|放弃|取消|停|不再|拒绝|反对|否|失败|无需|消失|淘汰|替代|取代|告别|\b(?:abandon|give|stop|reject|revert|withdr|fail|no longer|not|replac|end)\w*", re.IGNORECASE),
    ),
    (
        re.compile(r"淘汰|取代|替代|代替|消失|过时|\b(?:replac|obsolet|disappear|eliminat|supersed|die out)\w*"),
        re.compile(r"淘汰|取代|替代|代替|替换|消失|过时|颠覆|退出|告别|去除|不再|\b(?:replac|obsolet|disappear|eliminat|supersed|die|no longer|displac)\w*", re.IGNORECASE),
    ),
    (
        re.compile(r"雇佣|雇用|聘用|员工人数|\b(?:employs?|employees|staff|headcount|workforce)\b"),
        re.compile(r"雇|聘|员工|人员|职工|\b(?:employ|staff|headcount|work)\w*", re.IGNORECASE),
    ),
)  # fmt: skip


_COUNTED = re.compile(r"多少(?:个|家|位|名|块|张|辆|台|架|种|项|条|款|座|颗|份|部|次|套|支|间|艘|本|件)?(?P<noun>[\u4e00-\u9fff]{2,8})")
_NO_NOUN = re.compile(
    r"[钱人年天月周倍岁元次分度米瓦卡]|小时|秒|美元|以上|以下|左右|时间|公里|平方|[会能要将被是在才成呢了的受可由变增减提下上高低]|比例|百分|万|亿|吨|兆|像素|级别|规模"
)
"""What may follow "how many" without naming what is counted."""
_PERSONS = "员师家者人工生"
"""What Chinese words for people end with."""


_SUBJECT = re.compile(r"^(?P<what>[^，。；？]{2,12}?)(?:为什么|为何|为啥|凭什么)")
"""What a question for reasons is about, where it stands in front."""
_USED = re.compile(
    r"多少(?:人|家|企业|公司|用户)[会将能在要]?(?:用上|使用|采用|拥有|购买|参加|加入|接受|患上|实施|部署)过?了?(?P<what>[\u4e00-\u9fff]{2,12})"
)
"""What those who are counted use or have."""
_RANKED = re.compile(r"[把将](?P<what>[^，。；？]{2,12}?)(?:[列选归][进入为到]|纳入|算作|评为|当作|视为)")
"""What is said to be put among others."""
_PERSON_ASKED = re.compile(
    r"哪[位名]|(?:作者|发明者|发明人|提出者|创始人|负责人|设计者|主持人)(?:是谁|叫什么|是哪)|谁(?:来)?(?:发明|提出|创立|创办|设计|命名)"
    r"|\bwhich (?:scholar|scientist|researcher|engineer|professor|expert|author|person|inventor)s?\b|\bwho (?:first )?(?:invented|coined|proposed|founded|designed|discovered|developed)\b",
    re.IGNORECASE,
)
_MADE = re.compile(
    r"发明|提出|创立|创办|命名|设计出|第一作者|论文|\b(?:invent|coin|propos|found|design|discover|develop)(?:ed|or|er)\b", re.IGNORECASE
)
"""What a person did of whom a signature below a remark says nothing."""
_PERSON_NAMED = re.compile(
    r"[\u4e00-\u9fff]{1,6}·[\u4e00-\u9fff]{1,6}|(?:院士|教授|博士|先生|女士|研究员|科学家|学者|创始人|工程师)[\u4e00-\u9fff]{2,3}(?=[，。、在]|提出|发明|首)"
    r"|[\u4e00-\u9fff]{2,4}(?:院士|教授|博士|先生|女士|等人)|\b[A-Z][a-z]+ (?:[A-Z]\. )?[A-Z][a-z]+\b"
)


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


def _translated(name: str) -> tuple[str, ...]:
    """Likely translations of a name, in lower case; English ones as stems, which begin the word as it is written."""
    key = name if HAN.search(name) else stem(name)
    return tuple(word.split(" ")[0] for word, probability in translations(key).items() if probability >= 0.2 and len(word) > 1)


def _speaks_of(subject: str, text: str) -> bool:
    """Whether a text holds half of the terms of a subject."""
    wanted = set(terms(subject))
    return len(wanted & set(terms(text))) >= 0.5 * len(wanted)


def _touches(subject: str, text: str) -> bool:
    """Whether a text holds a third of the words and pairs of characters of a subject, so that it may call it otherwise."""
    wanted = {term for term in terms(subject) if len(term) > 1}
    return len(wanted & set(terms(text))) * 3 >= len(wanted)


def _tells_person(question: Question, around: Surroundings) -> bool:
    """Whether somebody is named beside a sentence, or has signed it where no more than that is asked."""
    if around.speaker and not _MADE.search(question.text):
        return True
    named = _PERSON_NAMED.search(around.window)
    return bool(named) and (around.language == "en" or bool(HAN.match(named[0])))


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
    if noun[-1] in _PERSONS and re.search(rf"[\d十百千万亿%％]\s?(?:的|名|位|个)?[\u4e00-\u9fff]{{0,6}}[{_PERSONS}]", text):
        return True  # people by another name of what they do
    return (
        noun[-2:] in text
        or any(word in text or any(alike(word, other) for other in there) for word in words)
        or re.search(rf"[\d十百千万亿余多]\s?(?:[\u4e00-\u9fff]{{0,2}})[{''.join(words)}]", text) is not None
    )


def unmet(question: Question, around: Surroundings) -> str | None:
    """The first demand that the evidence does not meet, told in the question's language; None when all are met."""
    zh = question.language == "zh"
    near = f"{around.place} {around.before} {around.sentence}"
    known_years = years(around.place) | {around.year}
    for year in sorted(question.years - known_years):
        if str(year) not in around.window and not (not years(around.window) and str(year) in around.section):
            return f"报告没有给出 {year} 年的相关内容。" if zh else f"The reports give nothing on this for {year}."
    told_in = f"{around.place} {around.section}"
    for title in _TITLE.findall(question.text) if around.language != "en" else ():
        if not _speaks_of(title, told_in):
            return f"报告没有提到《{title}》。" if zh else f"The reports do not mention {title}."
    subjects = [piece for piece in question.core.split() if len(piece) > 1] or [question.core]
    if question.kind == "definition" and question.language == around.language and not any(_speaks_of(piece, told_in) for piece in subjects):
        return f"报告没有解释“{subjects[0]}”。" if zh else f'The reports do not explain "{subjects[0]}".'
    if question.carried and question.years and not _speaks_of(question.carried, f"{around.place} {around.window}"):
        # A turn that only changes the year still asks about the subject of the turn before.
        year = max(question.years)
        return f"报告没有给出 {year} 年的相关内容。" if zh else f"The reports give nothing on this for {year}."
    exact = question.kind == "number"
    scope = (near if exact else f"{around.place} {around.section}").lower()
    for name in question.names:
        told = name.lower().removesuffix("'s")
        # A capital at the front is a name too, which a report in the same language writes alike; the first word of a sentence has one anyway.
        front = not zh and name[0].isupper() and not question.text.startswith(name)
        forms = (told, told.rstrip("s"), *(_translated(told) if around.language == "zh" else ()))
        if front and around.language == "zh" and len(forms) == 2 and not _TELLING.search(name[1:]):
            continue  # no translation is known, so its absence says nothing
        if (front or _TELLING.search(name if zh else name[1:])) and not any(form in scope for form in forms):
            return f"报告的相关内容没有提到 {name}。" if zh else f"The reports do not mention {name} in this context."
    for name in names_in(question.text) if HAN.search(question.text) else ():
        people = (name.removesuffix("人"),) if name.removesuffix("人") in proper_names() else ()
        forms = (name, *people, *_ALSO.get(name, ()), *(_translated(name) if around.language == "en" else ()))
        if around.language == "en" and len(forms) == 1:
            continue
        if not any(form in f"{around.place} {around.window}".lower() for form in forms):
            return f"报告的相关内容没有提到{name}。" if zh else f"The reports do not mention {name} in this context."
    if exact and not quantity_answers(question, around.window):
        return "报告谈到了这个话题，但没有给出所问的数字。" if zh else "The reports speak of this but do not give the figure asked for."
    if _PERSON_ASKED.search(question.text) and not _tells_person(question, around):
        return "报告没有说是谁。" if zh else "The reports do not say who it is."
    if question.language == around.language:
        for pattern in (_SUBJECT, _USED, _RANKED):
            if (match := pattern.search(question.text)) and not _touches(match["what"], told_in):
                return f"报告的相关内容没有谈到“{match['what']}”。"
    counted = _COUNTED.search(question.text) if exact and around.language == "zh" else None
    if (
        counted
        and not _NO_NOUN.match(counted["noun"])
        and not _is_counted(counted["noun"], f"{' '.join(around.place.split())} {around.window}")
    ):
        noun = next(word for word in segment(counted["noun"]) if len(word) > 1)
        return f"报告的相关内容没有给出“{noun}”的数量。"
    if question.kind == "why":
        for said, opposite in ((UP, DOWN), (DOWN, UP)):
            if (word := said.search(question.text)) and not said.search(near + around.window) and opposite.search(around.sentence):
                return f"报告的说法与“{word[0]}”相反。" if zh else f'The reports say the opposite of "{word[0]}".'
    for presumed, needed in _PRESUMED:
        if (said := presumed.search(question.text)) and not needed.search(f"{around.place} {around.window}"):
            return f"报告没有“{said[0]}”这样的说法。" if zh else f'The reports do not say "{said[0]}" of this.'
    for quantity in quantities(question.text):
        written = question.text[quantity.start : quantity.end].strip()
        if quantity.kind in ("percent", "money", "people", "multiple") and not any(
            (other.low, other.high) == (quantity.low, quantity.high)
            or (other.kind == quantity.kind and other.low <= quantity.low and quantity.high <= other.high)
            for other in quantities(f"{around.place} {around.section}")
        ):
            return f"报告的相关内容没有 {written} 这个数字。" if zh else f"The reports do not give the figure {written} in this context."
    return None
