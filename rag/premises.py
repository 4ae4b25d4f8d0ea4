"""What a question for reasons takes for granted, held against what the best sentences say.

Askers turn a report's own words round, so no score tells a false premise. Each rule looks for one form in which a premise is told (a comparison,
a change from one thing to another, the direction of something, what comes first, what alone counts) and for that form turned round in the
sentences. Gives up: premises told in other forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag.lexical import stem, terms
from rag.question import HAN, Question
from rag.translate import segment, source_words, translations
from rag.verify import alike, contradicted

UP = re.compile(
    r"提升|提高|增加|增长|增大|上升|扩大|变多|变大|上涨|激增|猛增|飙升|跃升|攀升|增至|升至|更贵|变贵|加剧|加重|推高|抬高|\b(?:increas|rais|grow|rise|rising|improv|boost|expand|leap|surg|soar|climb|jump|doubl)\w*|\b(?:more expensive|dearer|costlier)\b|\bgoes? up\b",
    re.IGNORECASE,
)
DOWN = re.compile(
    r"降低|减少|下降|缩短|缩小|下滑|变少|变小|下跌|骤减|锐减|更便宜|变便宜|萎缩|降至|降到|消除|节省|省去|削减|减轻|压低|\b(?:decreas|reduc|lower|declin|shrink|fall|drop|cut|sav|halv)\w*|\b(?:less expensive|cheaper)\b|\bgoes? down\b",
    re.IGNORECASE,
)
"""What rises and what falls."""
LIKELY = 0.2
"""A translation at least so probable may stand for a word of a question in the other language."""
CLEARLY = 2
"""By so many terms another sentence must say more of what comes first than the one that says what does."""

_WHY = re.compile(r"为什么|为何|为啥|凭什么|怎么会|\bwhy\b", re.IGNORECASE)
_WHETHER = re.compile(
    r"吗|是否|是不是|会不会|能不能|有没有|还是|^(?:is|are|does|do|did|will|would|can|could|has|have|was|were)\b", re.IGNORECASE
)
_SAYING = re.compile(
    r"(?:报告|专家)?(?:里|中)?(?:认为|预测|预计|说|觉得|宣称|声称|断言)|到底|究竟|^(?:\w+ )?(?:do|does|did|will|would) (?=the\b)|\breports?\b"
)
_COMPARED = re.compile(
    r"(?P<a>[^，。；？,;?]{2,14})比(?![例较如重赛])(?P<b>[^，。；？,;?]{2,14}?)(?:更加?|还要?)(?P<how>[\u4e00-\u9fff]{1,3})"
    r"|\b(?P<c>[\w -]{3,40}?) (?:is|are|be|being) (?:more (?P<said>\w+)|(?P<er>\w{3,}er)) than (?P<d>[\w -]{3,40})",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"从(?P<a>[^，。；？]{1,30}?)(?:(?:逐步|逐渐|全面|加速)?(?:转变|转化|演变|演进|退化|退回|升级|迁移|发展|过渡|切换|扩展|转|变|走|退|回)回?(?:到|向|为|成|至)|[转退变换]回|回到|回归|到|向|至)(?P<b>[^，。；？]{1,30})"
    r"|\bfrom (?P<c>[\w -]{2,50}?) (?:back )?(?:in)?to(?:wards?)? (?P<d>[\w -]{2,50})",
    re.IGNORECASE,
)
_FIRST = re.compile(r"最先|率先|最早|首先|优先|第一个|\bfirst\b|\bearliest\b", re.IGNORECASE)
_AFTER_FIRST = re.compile(r"(?:最先|率先|最早|首先|优先)(?:会|将|能|要)?(?:被|在|于|从)?(?P<what>[^，。；？]{3,30})")
_ONLY = re.compile(
    r"(?<![不非])(?<!不能)(?<!不再)(?:只|仅|单单)(?:看|靠|有|能|会|需要?|用|由|凭|算|考虑|依赖|剩|是)(?P<what>[\u4e00-\u9fff]{2,6})"
)
_ALONE = re.compile(r"只|仅|唯一|单一")
_DENIED = re.compile(r"[不非未]")
_DENIAL = re.compile(r"(?:不[会能再]?|没有|无法|并未)(?P<verb>[\u4e00-\u9fff]{2})(?P<what>[^，。；？]{2,16})")
DENIED_BEFORE = 8
"""So many characters before a word a "not" takes it back."""
_GLUE = frozenset(
    "的 了 着 和 与 及 在 是 以 为 会 将 要 能 可 更 最 从 到 向 对 被 把 上 下 中 里 其 各 中心 the a an of in and will be".split()
)
_POLES = "高低大小多少快慢强弱长短早晚"
"""Pairs of opposites, side by side."""
_DESCRIBED = re.compile(rf"(?P<what>[\u4e00-\u9fff]{{2}})(?:水平|程度)?(?:较|更|最|很|相对)?(?P<how>[{_POLES}])的")
_NO_OBJECT = re.compile(r"(?:to|by|in|from|until|on|at|for)\b|\d|[一二三四五六七八九十两]", re.IGNORECASE)
"""What may follow a word of direction without being what moves."""
_PRICED = re.compile(r"贵|便宜|expensive|dear|costl|cheap", re.IGNORECASE)
_NEEDLESS = re.compile(r"不再需要|不需要|用不着|不必再?用?|\bno longer (?:needs?|requires?)|\b(?:do|does|will) not need", re.IGNORECASE)
_WITHOUT = re.compile(r"不再|不需|无需|不必|去掉?|取消|取代|替代|没有|\b(?:no longer|without|not need|replac\w+|do away)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[，。；、！？,;]|\.(?=\s|$)")


def false_premise(question: Question, sentences: Sequence[str], names: frozenset[str]) -> str:
    """The words of a question that asks for reasons whose opposite the best sentences state; empty when none.

    `sentences` begin with the best one; `names` of the report say who is asked.
    """
    if not _WHY.search(question.text) or _WHETHER.search(question.text):
        return ""
    premise = _SAYING.sub("", _WHY.sub("", question.text))
    for name in sorted(names, key=len, reverse=True):
        premise = premise.strip().removeprefix(name)
    premise = premise.strip(" ？?。")
    if said := contradicted(premise, sentences[0]):
        return said
    rules: tuple[Callable[[str, Sequence[str]], str], ...] = (_compared, _changed, _directed, _denied, _described, _needless, _first, _only)
    return next((said for rule in rules if (said := rule(premise, sentences))), "")


def _forms(word: str, text: str) -> tuple[str, ...]:
    """A word as a text may have it: as it is, or, for a text in the other language, its likely translations."""
    if bool(HAN.search(word)) == bool(HAN.search(text)):
        return (word.lower(),)
    key = word if HAN.search(word) else stem(word.lower())
    return (word.lower(), *(form for form, p in translations(key).items() if p >= LIKELY))


def _has(word: str, text: str) -> bool:
    lowered = text.lower()
    return any(form in lowered for form in _forms(word, text))


def _telling(phrase: str) -> list[str]:
    """The words of a phrase that carry its meaning: Latin ones, and Chinese ones of two characters at least, by the dictionary or left over by it."""
    found: list[str] = []
    for run in re.findall(rf"{HAN.pattern}+|[A-Za-z0-9]+(?:[-.][A-Za-z0-9]+)*", phrase):
        if not HAN.match(run):
            found.append(run.lower())
            continue
        unknown = ""
        for word in [*segment(run), ""]:
            if len(word) == 1 and word not in _GLUE:
                unknown += word
                continue
            found += [piece for piece in (unknown, word) if len(piece) > 1]
            unknown = ""
    return [word for word in found if word not in _GLUE]


def _compared(premise: str, sentences: Sequence[str]) -> str:
    """ "A is more so than B", where a sentence says that B is and does not speak of A.

    >>> _compared("集中式制冷比分布式制冷更可靠", ["分布式制冷灵活，可靠性更高。"]), _compared("分布式制冷比集中式更可靠", ["分布式制冷灵活，可靠性更高。"])
    ('更可靠', '')
    """
    match = _COMPARED.search(premise)
    if not match:
        return ""
    one, other = (_telling(match[group] or match[latin] or "") for group, latin in (("a", "c"), ("b", "d")))
    how = match["how"] or match["said"] or match["er"].removesuffix("er")
    mine, theirs = ([word for word in words if word not in rest] for words, rest in ((one, other), (other, one)))
    for sentence in sentences:
        said = any(_has(form, sentence) for form in ({how, how[:2]} if HAN.match(how) else {how}))
        if mine and theirs and said and all(_has(word, sentence) for word in theirs) and not any(_has(word, sentence) for word in mine):
            return f"更{how}" if HAN.match(how) else match[0][match[0].lower().find(how.lower()) :].split(" than")[0]
    return ""


def _changed(premise: str, sentences: Sequence[str]) -> str:
    """ "From A to B", where a sentence says from B to A.

    >>> _changed("电站要从分布式转到集中式", ["未来将从集中式走向分布式。"]), _changed("电站要从集中式转到分布式", ["未来将从集中式走向分布式。"])
    ('从分布式转到集中式', '')
    """
    asked = _CHANGE.search(premise)
    if not asked:
        return ""

    def ends(match: re.Match[str], like: str) -> tuple[set[str], set[str]]:
        parts = [match["a"] or match["c"], match["b"] or match["d"]]
        sides = [{form for word in _telling(part) for form in _forms(word, like)} for part in parts]
        return sides[0] - sides[1], sides[1] - sides[0]

    for sentence in sentences:
        for told in _CHANGE.finditer(sentence):
            (a, b), (before, after) = ends(asked, sentence), ends(told, sentence)
            if len(a & after) + len(b & before) > len(a & before) + len(b & after) + 1:
                return asked[0].strip()
    return ""


def _directed(premise: str, sentences: Sequence[str]) -> str:
    """Something said to rise of which every sentence that says where it goes says that it falls, or the other way round.

    >>> _directed("芯粒会提高制造成本", ["芯粒可以提高良率，降低制造成本。"]), _directed("芯粒会提高良率", ["芯粒可以提高良率，降低制造成本。"])
    ('提高制造成本', '')
    >>> _directed("the number of qubits will shrink to 1000", ["Qubits will leap to 10000."])
    'shrink'
    """
    for same, opposite in ((UP, DOWN), (DOWN, UP)):
        match = same.search(premise)
        if not match:
            continue
        behind = _CLAUSE.split(premise[match.end() :])[0].lstrip("了着到至为 ")
        moved = _telling(behind) if behind and not _NO_OBJECT.match(behind) else []
        words = (
            ["成本" if HAN.search(premise) else "cost"]
            if _PRICED.search(match[0])
            else moved or _telling(_CLAUSE.split(premise[: match.start()])[-1])
        )
        if not words:
            continue
        clauses = [clause for sentence in sentences for clause in _CLAUSE.split(sentence) if _has(words[-1].removesuffix("s"), clause)]
        if any(opposite.search(clause) and not same.search(clause) for clause in clauses) and not any(map(same.search, clauses)):
            return f"{match[0]}{behind if moved else ''}"
    return ""


def _needless(premise: str, sentences: Sequence[str]) -> str:
    """Something said to be needed no more, where no sentence that speaks of it says that it goes.

    >>> _needless("电站不再需要水轮机", ["未来的水轮机更好。"]), _needless("电站不再需要水轮机", ["未来的电站去掉水轮机。"])
    ('不再需要', '')
    """
    match = _NEEDLESS.search(premise)
    words = _telling(_CLAUSE.split(premise[match.end() :])[0]) if match else []
    spoken = [sentence for sentence in sentences if words and _has(words[-1], sentence)]
    return match[0] if match and spoken and not any(map(_WITHOUT.search, spoken)) else ""


def _denied(premise: str, sentences: Sequence[str]) -> str:
    """Something denied that a sentence says of the same thing, and none denies.

    >>> _denied("浮筒不适合通用场景", ["浮筒不仅好看，也适用于通用场景。"]), _denied("浮筒不适合通用场景", ["浮筒不适用于通用场景。"])
    ('不适合', '')
    """
    match = _DENIAL.search(premise)
    words = _telling(_CLAUSE.split(match["what"])[0]) if match else []
    if not words:
        return ""
    clauses = [clause for sentence in sentences for clause in _CLAUSE.split(sentence) if all(word in clause for word in words[-2:])]
    affirming = [clause for clause in clauses if any(len(word) > 1 and alike(match["verb"], word) for word in source_words(clause))]
    return match[0].removesuffix(match["what"]) if affirming and not any(map(_DENIED.search, affirming)) else ""


def _described(premise: str, sentences: Sequence[str]) -> str:
    """Something said to be high of which the sentences say that it is low, or the like.

    >>> _described("AI 会先进入收入低的行业", ["AI 会进入收入水平高的行业场景。"]), _described("AI 会进入收入高的行业", ["AI 会进入收入水平高的行业场景。"])
    ('收入低', '')
    """
    for match in _DESCRIBED.finditer(premise):
        told = re.compile(rf"{match['what']}(?:水平|程度)?(?:较|更|最|很|相对)?(?P<how>[{_POLES}])")
        hows = {found["how"] for sentence in sentences for found in told.finditer(sentence)}
        if _opposite(match["how"]) in hows and match["how"] not in hows:
            return match[0].removesuffix("的")
    return ""


def _opposite(pole: str) -> str:
    place = _POLES.index(pole)
    return _POLES[place - 1 if place % 2 else place + 1]


def _first(premise: str, sentences: Sequence[str]) -> str:
    """Something said to come first, where what does come first is something else.

    >>> _first("浮筒会最先在深水海域落地", ["浮筒将优先在近岸的浅水港湾落地。", "未来，随着浮筒在深水海域落地，成本会降低。"])
    '最先'
    """
    match = _AFTER_FIRST.search(premise)
    if not match:
        return ""
    wanted = set(terms(match["what"]))
    told = [len(wanted & set(terms(sentence))) for sentence in sentences if _FIRST.search(sentence)]
    others = [len(wanted & set(terms(sentence))) for sentence in sentences if not _FIRST.search(sentence)]
    return match[0][:2] if told and max(others, default=0) >= max(told) + CLEARLY else ""


def _only(premise: str, sentences: Sequence[str]) -> str:
    """Something said to count alone, where the sentences that speak of it say of nothing that it does.

    >>> _only("成本只看人力", ["成本不再以衡量单一要素“人力”为主。"]), _only("成本只看人力", ["成本仅看人力。"])
    ('只', '')
    """
    match = _ONLY.search(premise)
    if not match:
        return ""
    spoken = [sentence for sentence in sentences if any(word in sentence for word in _telling(match["what"]))]
    alone = any(
        not _DENIED.search(sentence[max(0, found.start() - DENIED_BEFORE) : found.start()])
        for sentence in spoken
        for found in _ALONE.finditer(sentence)
    )
    return match[0][0] if spoken and not alone else ""
