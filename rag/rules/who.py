"""Questions for a person or an institution, and whether a text names one of the kind that is asked for.

Gives up: who exactly it is; a text that names somebody else of that kind passes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.rules.verify import alike
from rag.search.question import HAN
from rag.search.translate import segment, source_words, translations
from rag.text.lexicon import proper_names

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
_ROLE = re.compile(
    r"(?:^|[的，,\s]|(?P<whose>[它他她其]))(?P<role>[\u4e00-\u9fff]{2,5})(?:是谁|是哪位|叫什么名字)"
    r"|谁(?:是|担任)[^，,？?]{0,20}?的?(?P<held>[\u4e00-\u9fff]{2,5})\s*[？?。]?$"
    r"|\bwho (?:is|was|are|were) (?:the |its |his |her |their )?(?P<of>[a-z][a-z -]{2,30}?) (?:of|at|for)\b",
    re.IGNORECASE,
)
"""What the person does who is asked for."""
_INSTITUTION_ASKED = re.compile(
    r"哪(?:几|些|[一两二三四五])?(?:家|所|个|些)?(?P<kind>公司|企业|机构|厂商|厂家|供应商|品牌|团队|媒体|期刊|大学|高校|银行|出版社|研究所|实验室|医院|基金|协会|国家|城市|省份)(?!里|内|中)"
    r"|\bwhich (?:\w+ )?(?P<word>compan(?:y|ies)|firms?|banks?|universit(?:y|ies)|publishers?|institutes?|hospitals?|agenc(?:y|ies)|vendors?|suppliers?|investors?|manufacturers?|brands?|teams?|organi[sz]ations?|laborator(?:y|ies)|countr(?:y|ies)|cit(?:y|ies))\b",
    re.IGNORECASE,
)
_ANY_INSTITUTION = re.compile(
    r"公司|企业|机构|厂商|厂家|供应商|品牌|团队|媒体|期刊|协会|compan|firm|institut|agenc|vendor|supplier|investor|manufacturer|brand|team|organi",
    re.IGNORECASE,
)
"""Kinds of institution whose name need not say of what kind it is."""
_PLACE = re.compile(r"国家|城市|省份|countr|cit", re.IGNORECASE)
_KINDS = {
    "laborator": "实验室|laborator",
    "高校": "大学|学院",
    "大学": "大学|学院",
    "universit": "大学|学院|universit",
    "bank": "银行|bank",
    "publisher": "出版社|publish",
    "hospital": "医院|hospital",
}
_INSTITUTION_NAMED = re.compile(
    r"(?![多各几两数][家所个])(?:[\u4e00-\u9fff]{2,}(?:有限公司|股份公司|集团|研究院|研究所|实验室|委员会|达摩院)|[\u4e00-\u9fff]{2}(?:大学|学院|协会|联盟|学会|银行))|(?<![A-Za-z])(?<!^)(?<![.!?|:] )[A-Z][A-Za-z&.-]+|阿里云|华为云|腾讯云",
    re.MULTILINE,
)
_GLOSS = re.compile(r"[（(][^（）()]*[)）]")
"""What a name is in full, or in the other language."""
_SIGNED = re.compile(r"^[\u4e00-\u9fff·]{2,8}[，,、 ]\s?[\u4e00-\u9fff]{2,}")
"""A heading that names somebody and the office that he holds."""


def unnamed(question: str, text: str, speaker: str = "", headings: Sequence[str] = ()) -> bool:
    """Whether a question asks for a person or an institution of which a text, its headings and its `speaker` name none.

    >>> unnamed("浮筒是哪位工程师发明的？", "浮筒装在海底。", "王海 教授"), unnamed("浮筒那章是哪位专家点评的？", "浮筒装在海底。", "王海 教授")
    (True, False)
    """
    text = " ".join((*headings, text))
    speaker = speaker or next(filter(_SIGNED.match, headings), "")
    return _no_person(question, text, speaker) or _no_role(question, f"{text} {speaker}") or _no_institution(question, f"{text} {speaker}")


def _no_person(question: str, text: str, speaker: str) -> bool:
    if not _PERSON_ASKED.search(question) or (speaker and not _MADE.search(question)):
        return False
    return not any(HAN.match(match[0]) or not HAN.search(text) for match in _PERSON_NAMED.finditer(text))


def _no_role(question: str, text: str) -> bool:
    match = _ROLE.search(question)
    if not match:
        return False
    if match["of"]:
        words = [word for word in source_words(match["of"]) if len(word) > 3]
        forms = [form for word in words for form in (word, *translations(word))]
        return bool(words) and not any(form.lower() in text.lower() for form in forms)
    words = [word for word in segment(match["role"] or match["held"]) if len(word) > 1][-1:]
    there = {word for word in source_words(text) if len(word) > 1 and HAN.match(word)}
    return bool(words) and not any(word in text or any(alike(word, other) for other in there) for word in words)


def _no_institution(question: str, text: str) -> bool:
    match = _INSTITUTION_ASKED.search(question)
    if not match:
        return False
    kind = match["kind"] or match["word"].lower()
    if _PLACE.match(kind):
        return not any(word in proper_names() and word not in question for word in source_words(text))
    if not _ANY_INSTITUTION.match(kind):
        wanted = next((forms for word, forms in _KINDS.items() if kind.startswith(word)), kind)
        return not re.search(wanted, text, re.IGNORECASE)
    text = _GLOSS.sub(" ", text)
    words = {word.lower() for word in re.findall(r"[A-Za-z&.-]+", question)}
    named = (found[0] for found in _INSTITUTION_NAMED.finditer(text) if found[0].lower() not in words and found[0] not in question)
    return not any(named) and not any(word in proper_names() and word not in question for word in source_words(text))
