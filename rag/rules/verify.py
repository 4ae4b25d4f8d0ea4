"""Is this claim supported by that evidence? Pure functions of two texts, used for extracts and for a model's prose alike.

Figures, names, speakers, direction and negation are compared clause by clause; then wording: what is left over on both sides of one frame,
and the share of content terms. It gives up entailment: a claim that keeps every word but turns their relation round can pass.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher
from functools import cache, cached_property
from typing import Any

from rag.answer.exact import Clause, Compared, Problem, differing, figures, names, same_statement
from rag.index.lexical import stem, terms
from rag.search.question import HAN, language_of
from rag.text.normalize import search_form
from rag.types import Verdict

SUPPORTED_COVERAGE = 0.6
PARTIAL_COVERAGE = 0.35
"""Shares of the claim's content terms that the evidence must hold."""
SAME_CLAUSE = 0.5
"""Share of a clause's terms from which on a clause of the evidence is about the same thing."""
SAME_STATEMENT = 0.6
"""Jaccard similarity of two clauses, figures aside, from which on they say the same thing."""
FRAME = 4
"""Characters that must agree around a word for it to count as replaced by another."""
REPLACED = 3
"""Words that may be replaced at once; where more differ, the sentence is built anew and only coverage tells."""
NEGATED = 6
"""Terms behind a negation that say what it denies."""
SYNONYMS = 0.07
"""Share of their translations that two words of one meaning have in common."""
ROUND_TRIP = 2.0
"""What the probability of getting from one word to the other through the other language counts beside that."""
TRANSLATED_COVERAGE = 0.4
"""Share of the claim's words whose translation the evidence must hold, where that is in the other language."""

# ---- words ----


class _Late:
    """A regular expression that is compiled when it is first used: a start that only quotes needs none of these."""

    def __init__(self, pattern: str, flags: int = 0):
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(*self._given), name)
        setattr(self, name, value)
        return value


_OPENING = _Late(
    r"^\s*(?:(?:根据|依据|按照?)(?:所给|提供的|上述|以上|给出的|相关)?(?:的)?(?:段落|资料|报告|材料|原文|内容|信息)(?:内容)?[，,]?|(?:报告|资料|段落|原文|文中)(?:中)?(?:还)?(?:指出|提到|显示|认为|表示|称|说)[，,:：]?"
    r"|(?:此外|另外|同时|其中|因此|所以|总之|总的来说|综上所述|具体来说|值得注意的是|需要注意的是|也就是说|换言之|首先|其次|最后|然而|不过|但是)[，,:：]"
    r"|(?:according to|based on) the (?:given |provided )?(?:passages?|reports?|text|documents?|information),?"
    r"|the (?:passages?|reports?|text) (?:also )?(?:says?|states?|notes?|mentions?|indicates?) that"
    r"|(?:in addition|additionally|furthermore|moreover|also|therefore|thus|however|overall|in summary|specifically|notably|in other words|for example|finally|first|second),)\s*",
    re.IGNORECASE,
)
_OPPOSITES = tuple(
    (_Late(up, re.IGNORECASE), _Late(down, re.IGNORECASE))
    for up, down in (
        (
            r"提升|提高|增加|增长|增大|增多|增强|上升|上涨|上调|扩大|扩张|攀升|升至|升高|加快|加速|翻番|延长|走高|回升|\b(?:increas|rais|grow|grew|ris|rose|improv|climb|expand|gain|accelerat|boost|lengthen|doubl|surg|upward)\w*",
            r"降低|减少|下降|缩短|缩小|缩减|下滑|下跌|下调|减小|减弱|减半|降至|降到|跌至|放缓|减慢|削弱|走低|回落|萎缩|\b(?:decreas|reduc|lower|declin|shrink|shrank|fall|fell|drop|slow|shorten|halv|diminish|weaken|cut|downward)\w*",
        ),
        (
            r"高于|超过|多于|大于|以上|至少|不少于|不低于|超出|逾|优于|强于|领先|快于|\b(?:more|greater|higher|longer|above|over|exceed\w*|at least|outperform\w*|faster than|better than)\b",
            r"低于|不足|少于|小于|以下|至多|不超过|不到|不高于|未达|逊于|弱于|落后|慢于|\b(?:less|fewer|shorter|below|under|at most|up to|underperform\w*|slower than|worse than)\b",
        ),
        (r"最先|率先|首先|最早|第一个|首个|首次|\b(?:first|earliest)\b", r"最后|最终|最晚|末尾|\b(?:last|latest|final(?:ly)?)\b"),
        (
            r"最大|最高|最多|最强|最快|最长|\b(?:largest|highest|most|biggest|fastest|strongest|longest|maximum)\b",
            r"最小|最低|最少|最弱|最慢|最短|\b(?:smallest|lowest|least|slowest|weakest|shortest|minimum)\b",
        ),
        (r"之前|以前|早于|\b(?:before|earlier than|prior to)\b", r"之后|以后|晚于|\b(?:after|later than|following)\b"),
        (
            r"支持|赞成|允许|可以|能够|有利|有助|促进|推动|\b(?:support|allow|enabl|encourag|promot|help|permit|benefi)\w*",
            r"反对|禁止|阻止|阻碍|不利|抑制|妨碍|限制|\b(?:oppos|forbid|prevent|hinder|prohibit|imped|restrict|discourag|ban)\w*",
        ),
        (
            r"优势|优点|成功|盈利|顺差|进口|流入|正相关|\b(?:advantage|success|profit|import|inflow|positive)\w*",
            r"劣势|缺点|失败|亏损|逆差|出口|流出|负相关|\b(?:disadvantage|fail|loss|export|outflow|negative)\w*",
        ),
        (r"上游|东部|南部|北方|\b(?:upstream|eastern|southern)\b", r"下游|西部|北部|南方|\b(?:downstream|western|northern)\b"),
        (r"昂贵|困难|复杂|\b(?:expensive|difficult|complex)\b", r"廉价|便宜|容易|简单|\b(?:cheap|easy|simple)\b"),
        (r"集中式|中心化(?!程度)|\bcentrali[sz]ed\b", r"分布式|去中心化|\bdecentrali[sz]ed|distributed\b"),
        (r"闭源|私有|\b(?:closed|private)\b", r"开源|公有|公开|\b(?:open|public)\b"),
    )
)
_NOT_NEGATED = _Late(
    r"不断|不仅|不但|不只|不同|不少|不管|不论|不等|不止|不妨|不禁|不愧|不得不|不可或缺|必不可少|不足|不到|不超过|不少于|不低于|不高于|差不多|无论|无人|无线|无疑|无数|无限|无缝|无损|无感|无源|无机|无尘|无服务器|未来|非常|非凡|除非|无非|莫过|莫大|并不仅|不一|不胜|不可思议|没落|特别|区别|类别|级别|识别|分别|个别|别的|别人|不过|何不"
    r"|\bnot (?:only|just|least|merely|to mention)\b|\bno (?:doubt|matter|longer than|more than|less than|fewer than|later than|one)\b|\bno\. ?\d|\bnotwithstanding\b|\bnothing but\b",
    re.IGNORECASE,
)
_NEGATION = _Late(
    r"[不没未勿莫]|并非|非(?!洲)|无(?!锡)|难以|\b(?:not|no|never|cannot|without|none|neither|nor|nothing|nobody|hardly|unable|impossible)\b|n[’']t\b|\b(?:un(?:like|necess|need|avail)\w*)",
    re.IGNORECASE,
)
_SPEECH_ZH = _Late(
    r"(?:据|根据|按照?)?(?P<who>[^，。；：、“”\s]{2,24}?)(?:在[^，。；]{2,20}中)?(?:就?(?:认为|指出|表示|强调|预测|预计|预言|解释|提出|坦言|透露|宣布|称|说(?!明)|谈到|提到|写道))"
)
_SPEECH_EN = _Late(
    r"\b(?:according to (?P<by>(?:[A-Z][\w.&'-]*)(?: (?:of |the |and )?[A-Z][\w.&'-]*){0,4})|(?P<who>(?:[A-Z][\w.&'-]*)(?: (?:of |the |and )?[A-Z][\w.&'-]*){0,4}) "
    r"(?:says?|said|argues?|argued|predicts?|predicted|expects?|expected|notes?|noted|believes?|believed|claims?|claimed|states?|stated|reports?|reported|announced|warns?|warned|estimates?|estimated|forecasts?))\b"
)
_NO_SPEAKER = _Late(
    r"^(?:报告|资料|原文|文中|段落|本文|作者|专家|业界|人们|有人|研究|数据|结果|可以|一般|通常|普遍|有望|外界|我们|他们?|她|其|并|也|还|又|则|将|已|曾|均|都|年|到|the|this|it|we|they|he|she|reports?|experts?|researchers?)",
    re.IGNORECASE,
)
_CLAUSE = _Late(r"[，。；：！？、\n]|[,:](?!\d)|[;!?]|\.(?=\s|$)|\s(?:but|whereas|while|although|though)\s", re.IGNORECASE)
_STOP_EN = frozenset(
    "a an the is are was were be been being do does did will would can could should may might must has have had of in on at to from by for with about as into onto than then that this these those it its they them their there "
    "here he she his her we our you your i me my and or but if so not no nor yes also very which who whom whose when where how what while such other some any each both more most s".split()
)
_GLUE_ZH = frozenset(
    "的了着过地得是在有和与及或而且并也都就还又将会要能可被把由从到向对为以其这那该此之所个种些等上中下内里间年月日时后前们他她它我你于则即让使令给但因如若只更最较很已经曾正再各每某本"
)
_DEGREES = _Late(r"大约|左右|上下|大概|高达|多达|可达|约有|将近|最高|最多|至多|[约近超达逾](?=\s?0)")
_DEGREE = frozenset("最高 最多 至多 高达 多达 可达 达到 大约 左右 共 共计 总共 一共 其中 例如 比如 同时 另外 此外 并且 以及".split())
"""Words of degree and joints, which opposites and figures have been seen to."""
_ALIKE = tuple(
    frozenset(group.split())
    for group in (
        "预计 预期 有望 预测 估计 料将 将 将会 会 可望 预估 or-expected",
        "达到 达 至 到 为 高达 达成 实现 接近 升至 提升至 提升到 增至 提高到 提高至 降至 降到 降低到 下降到 是 有 约为",
        "使用 采用 利用 运用 借助 通过 依靠 凭借 用 应用 采取",
        "大约 约 近 大概 左右 将近 差不多 接近 上下 约有",
        "超过 逾 多于 高于 以上 超出 突破 大于 超",
        "目前 当前 现在 如今 现阶段 眼下 现今 当下 今天 现",
        "因此 所以 因而 故 从而 于是 由此",
        "因为 由于 鉴于 原因是 是因为 缘于 源于 得益于",
        "但 但是 然而 不过 可是 却 而",
        "提升 提高 增加 增长 上升 增大 改善 增强 升高 加大 上涨 扩大 攀升",
        "降低 减少 下降 缩减 减小 下滑 降 压缩 缩短 缩小 削减 下跌 减",
        "重要 关键 核心 主要 重大 首要 重点 要紧",
        "能够 可以 能 可 得以 足以 可能",
        "需要 必须 须 需 要 要求 应 应当 应该 得",
        "包括 包含 涵盖 含有 含 涉及 分为 有 即",
        "解决 克服 应对 处理 破解 消除",
        "构建 建立 建设 搭建 打造 组建 建成 建 形成 构筑 新建",
        "提供 给出 带来 给予 供给 赋予 给",
        "推动 促进 推进 带动 助力 驱动 加速 拉动",
        "企业 公司 厂商 机构",
        "问题 难题 挑战 困难 瓶颈 难点",
        "方式 方法 手段 途径 路径 办法 路线 做法",
        "领域 方面 行业 方向 产业 范围",
        "特点 特征 特性 特色",
        "优势 长处 优点 好处 益处",
        "成为 变成 变为 作为 是 转变为 演变为 称为",
        "认为 指出 表示 强调 提出 称 说 提到 谈到 解释 看来 写道",
        "完成 做完 实现 达成 结束",
        "开始 启动 起步 着手 展开",
        "迅速 快速 飞快 高速 急速 很快",
        "持续 不断 继续 一直 长期",
        "大量 众多 许多 很多 海量 诸多 多 大批",
        "显著 明显 大幅 大大 极大 大幅度 可观",
        "全部 所有 一切 全体 整个 全",
        "以及 和 与 及 并 还有 同 跟 并且 而且",
        "例如 比如 如 譬如 诸如 像",
        "研究 研制 研发 开发 探索",
        "出现 涌现 产生 诞生 问世 形成 浮现",
        "获得 取得 得到 拿到 赢得 收获",
        "导致 造成 引起 引发 致使 使得 带来",
        "制造 生产 制作 制成 产出",
        "花费 耗费 耗时 用时 需要 耗资 投入 花",
        "拥有 具有 具备 有 持有 享有",
        "进行 开展 实施 做 展开 从事 执行",
        "不能 无法 不可 难以 不会 没法 不足以",
        "没有 无 并无 未 没 不存在 缺乏",
        "人类 人",
        "增速 增长率 增幅",
        "减半 降低一半 缩短一半",
        "发展 演进 进步 进展",
        "每年 一年 年均 年",
        "有 存在 拥有 设有 具有",
        "首次 第一次 首度",
        "正 正在 在",
        "全球 世界 全世界",
        "我国 中国 国内",
        "发布 公布 推出 发表",
        "increase increases increased rise rises rose grow grows grew climb climbed go goes went",
        "decrease decreases decreased fall falls fell drop dropped decline declined reduce reduced",
        "use uses used using employ employs employed utilize utilise utilized apply applied via through",
        "about around approximately roughly nearly almost some circa",
        "show shows showed shown indicate indicates demonstrate demonstrates reveal reveals suggest suggests",
        "big large huge great major substantial considerable significant significantly greatly strongly much",
        "small little minor slight tiny",
        "begin begins began start starts started commence",
        "reach reaches reached hit hits attain attained amount total to be is are was were stand stood",
        "company companies firm firms business businesses enterprise enterprises",
        "important key crucial critical essential main major vital primary chief principal",
        "make makes made produce produces produced create creates created build builds built manufacture manufactured generate",
        "expect expected forecast projected predicted anticipated estimated likely will would",
        "because since as due owing",
        "help helps helped aid assist assists enable enables allow allows let lets",
        "many numerous several multiple various",
        "get gets got obtain obtains obtained receive receives received gain acquire acquired",
        "need needs needed require requires required must",
        "include includes included contain contains contained comprise comprises cover covers consist consists involve",
        "say says said state states stated note notes noted report reported argue argued believe believes explain explained",
        "fast quick rapid quickly rapidly swift swiftly fast-paced",
        "also too additionally furthermore moreover besides",
        "method methods approach approaches way ways technique techniques",
        "problem problems issue issues challenge challenges difficulty",
        "people persons individuals",
        "buy buys bought purchase purchased acquire",
        "end ends ended finish finished complete completed conclude concluded",
        "whole entire total full all",
        "current currently now today present presently",
        "give gives gave provide provides provided offer offers offered supply",
        "area areas field fields domain region sector",
        "give given name named call called known",
        "where which that who in",
    )
)


@cache
def _alike_stemmed() -> tuple[frozenset[str], ...]:
    return tuple(frozenset(map(stem, group)) for group in _ALIKE)


def check(claim: str, evidence: Sequence[str], about: str = "") -> tuple[Verdict, str]:
    """The verdict on a claim against the quotes that it cites, and a reason for people in the claim's language ("" when supported).

    `about` is what else is known of the source (title, publisher, year, section, speaker): names and years may come from there.

    >>> check("渗透率达到 70%。", ["预计渗透率达到 70%。"])[0], check("渗透率达到 80%。", ["预计渗透率达到 70%。"])
    ('supported', ('unsupported', '数字 80% 不在所引原文中，原文写 70%'))
    """
    if not evidence:
        return "uncited", ""
    if claim in evidence:
        return "supported", ""
    said, source = _Reading(_OPENING.sub("", claim) or claim), _Reading("\n".join(evidence), about)
    words = _ZH if language_of(claim) == "zh" else _EN
    if _verbatim(said, source):
        return "supported", ""
    across = bool(HAN.search(said.form)) != bool(HAN.search(source.form))
    for problems in (figures, names) if across else (figures, names, _places, _speakers, _opposites, _negations):
        if problem := next(problems(said, source), None):
            name, values = problem
            return "unsupported", words[name].format(**values)
    if across:
        return _across(said, source, words)
    if problem := next(_replaced(said, source), None):
        return "partial", words["replaced"].format(**problem[1])
    covered = said.covered_by(source)
    if covered >= SUPPORTED_COVERAGE:
        return "supported", ""
    if covered >= PARTIAL_COVERAGE:
        return "partial", words["partly"]
    return "unsupported", words["other"]


def contradicted(claim: str, evidence: str) -> str:
    """The words of a claim of which one text says the opposite: a direction, a denial, an antonym in the same place; empty when none.

    Unlike `check` it asks for no support, so that a claim may be worded freely.

    >>> contradicted("AI 会首先进入收入低的行业", "AI 会首先进入收入高的行业。"), contradicted("AI 首先进入金融业", "AI 会首先进入收入高的行业。")
    ('低', '')
    >>> contradicted("潮汐能会取代风能", "潮汐能不会取代风能，两者并存。"), contradicted("浮筒最不成熟", "较成熟的是浮筒。")
    ('取代', '不成熟')
    """
    if bool(HAN.search(claim)) != bool(HAN.search(evidence)):
        return ""
    said, source = _Reading(claim), _Reading(evidence)
    if problem := next(_opposites(said, source), None):
        return problem[1]["said"]
    if denied := _denied(said, source):
        return denied
    replaced = (problem[1] for problem in _replaced(said, source))
    return next((pair["said"] for pair in replaced if _antonyms(pair["said"], pair["there"])), "")


def figures_at_odds(one: str, other: str) -> tuple[str, str] | None:
    """The figures, as written, in which two texts differ that otherwise say the same of the same year; None where they do not.

    >>> figures_at_odds("到 2030 年，全球渗透率将达到 70%。", "预计 2030 年全球渗透率将达到 35%，远超今天。")
    ('70%', '35%')
    >>> figures_at_odds("2030 年渗透率将达到 70%。", "2025 年渗透率将达到 35%。"), figures_at_odds("全球渗透率达到 70%。", "中国渗透率达到 35%。")
    (None, None)
    """
    if bool(HAN.search(one)) != bool(HAN.search(other)):
        return None
    said, source = _Reading(one), _Reading(other)
    if all(next(_names_of(*pair), None) for pair in ((said, source), (source, said))):
        return None  # each names something that the other does not: they speak of two things
    return differing(said, source, _same_statement)


def _same_statement(one: Clause, other: Clause) -> bool:
    return same_statement(one, other, SAME_STATEMENT) and not any(_replaced(_Reading(one.text), _Reading(other.text)))


def _names_of(said: _Reading, source: _Reading) -> Iterator[Problem]:
    yield from names(said, source)
    yield from _places(said, source)


_DENIAL = _Late(r"(?:不[会能再是]|并?不|并非|没有|没|未)(?:完全|必|一定|会|能|被)?(?P<what>[\u4e00-\u9fff]{2})")


def _denied(said: _Reading, source: _Reading) -> str:
    """A word that one of the two denies and the other, which speaks of the same, affirms; empty when none."""
    for clause, place in _aligned(said, source):
        mine, theirs = (_NOT_NEGATED.sub(" ", each.text) for each in (clause, place))
        for denying, affirming, ours in ((mine, theirs, True), (theirs, mine, False)):
            if not ours and clause.shared(place) < SAME_CLAUSE:
                continue
            for match in _DENIAL.finditer(denying):
                word = match["what"]
                others = [other for other in _words(affirming) if len(other) > 1 and alike(word, other)]
                if others and not _DENIAL.search(affirming) and not _NEGATION.search(affirming):
                    return match[0] if ours else others[0]
    return ""


_POLES = tuple(
    frozenset(pair.split("|"))
    for pair in "高|低 大|小 多|少 快|慢 长|短 强|弱 早|晚 先|后 前|后 上|下 新|旧 易|难 开始|结束 延长|结束 延长|缩短 加入|退出 公开|封闭 开放|封闭 增加|减少 支持|停止 优先|最后 集中|分散 上升|下降 进口|出口 内部|外部 有|无 云|端 云端|端侧 输给|超过 落后|领先 线上|线下".split()
)


def _antonyms(one: str, other: str) -> bool:
    return any(frozenset(pair) in _POLES for pair in ((one, other), _trimmed(one, other)))


_ZH = {
    "figure": "数字 {said} 不在所引原文中",
    "figure_other": "数字 {said} 不在所引原文中，原文写 {there}",
    "figure_place": "数字 {said} 在原文里说的是另一件事，这里原文写 {there}",
    "name": "所引原文没有提到 {said}",
    "speaker": "所引原文没有说这是{said}讲的",
    "speaker_other": "所引原文里说这话的是{there}，不是{said}",
    "opposite": "所引原文与“{said}”方向相反",
    "negated": "所引原文的肯定或否定与此相反",
    "replaced": "所引原文写“{there}”，不是“{said}”",
    "partly": "所引原文只支持其中一部分",
    "other": "所引原文没有这个意思",
    "across": "原文是另一种语言，只有一部分对得上",
}
_EN = {
    "figure": "the figure {said} is not in the cited text",
    "figure_other": "the figure {said} is not in the cited text, which says {there}",
    "figure_place": "the figure {said} belongs to something else in the cited text, which says {there} here",
    "name": "the cited text does not mention {said}",
    "speaker": "the cited text does not say that this comes from {said}",
    "speaker_other": "in the cited text {there} says this, not {said}",
    "opposite": 'the cited text says the opposite of "{said}"',
    "negated": "the cited text affirms what this denies, or denies what it affirms",
    "replaced": 'the cited text says "{there}", not "{said}"',
    "partly": "the cited text supports only part of this",
    "other": "the cited text does not say this",
    "across": "the cited text is in another language and only part of this can be found in it",
}


class _Reading(Compared):
    """A text as the rules compare it: single characters count unless they are glue."""

    function_words = _STOP_EN

    @classmethod
    def content_of(cls, text: str) -> frozenset[str]:
        return frozenset(term for term in terms(text) if term not in cls.function_words and not (len(term) == 1 and term in _GLUE_ZH))

    @cached_property
    def masked(self) -> str:
        """The text with every quantity as a lone 0, without words of degree, at the same length: both are compared elsewhere."""
        text = self.text
        for quantity in self.quantities:
            text = text[: quantity.start] + "0".ljust(quantity.end - quantity.start) + text[quantity.end :]
        return _DEGREES.sub(lambda match: " " * len(match[0]), text)

    def covered_by(self, source: _Reading) -> float:
        """Return the share of this text's content terms that the source holds, synonyms counted."""
        wanted = self.content_of(self.masked) - {"0"}
        if not wanted:
            return float(bool(self.quantities) or self.bare in source.bare)
        return sum(term in source.known or _alike_any(term, source) for term in wanted) / len(wanted)


def _alike_any(term: str, source: _Reading) -> bool:
    return any(
        term in group and any(other in source.form for other in group if len(other) > 1 or other in source.known) for group in _ALIKE
    )


def _verbatim(said: _Reading, source: _Reading) -> bool:
    """Whether the claim stands in the source letter for letter, as whole clauses: a piece cut from behind a "not" does not count."""
    place = source.bare.find(said.bare) if said.bare else -1
    if place < 0 or (said.bare[-1].isdigit() and re.match(r"[a-z0-9.%万亿千百十兆倍]", source.bare[place + len(said.bare) :])):
        return False
    if place == 0:
        return True
    before = _before(source.form, place)
    return not before or not (_NEGATION.search(_NOT_NEGATED.sub("", before)) or re.search(r"\d$|[a-z]$", before))


def _before(form: str, place: int) -> str:
    """What stands in front of the `place`-th letter of the bare form within its clause."""
    kept = [match.start() for match in re.finditer(r"[^\W_]|%|(?<=\d)\.(?=\d)", form)]
    return _CLAUSE.split(form[: kept[place]])[-1]


# ---- speakers ----


def _speakers(said: _Reading, source: _Reading) -> Iterator[Problem]:
    """Who the claim says it is from, where the source does not know them or has somebody else say it."""
    there = search_form(f"{source.text} {source.about}")
    for who in _spoken_by(said.text):
        if _is_there(who, there):
            clause = _best_speech(said.text, source.text)
            if (
                clause
                and not _is_there(who, search_form(clause))
                and _NO_SPEAKER.match(clause) is None
                and len(list(_spoken_by(source.text))) > 1
            ):
                yield "speaker_other", {"said": who, "there": clause}
        else:
            yield "speaker", {"said": who}


def _spoken_by(text: str) -> Iterator[str]:
    for match in _SPEECH_ZH.finditer(text):
        who = re.sub(r"^.*?(?:据|根据|按照?)", "", match["who"])
        if not _NO_SPEAKER.match(who) and not re.search(r"\d|[的了将被]", who):
            yield who
    for match in _SPEECH_EN.finditer(text):
        who = match["by"] or match["who"]
        who = re.sub(r"^(?:The|In|By|As|And|But)\s+", "", who)
        if who and not _NO_SPEAKER.match(who):
            yield who


def _best_speech(claim: str, source: str) -> str:
    """The speaker of the sentence of the source that shares most with the claim; "" for none."""
    wanted = set(terms(claim))
    sentences = [sentence for sentence in re.split(r"(?<=[。！？；\n])|(?<=[.!?])\s", source) if sentence.strip()]
    best = max(sentences, key=lambda sentence: len(wanted & set(terms(sentence))), default="")
    return next(_spoken_by(best), "")


def _is_there(who: str, there: str) -> bool:
    """A speaker is known when most of the name is there: titles come and go."""
    form = search_form(who)
    if HAN.search(form):
        return (
            form in there
            or any(form[i : i + 3] in there for i in range(len(form) - 2))
            or (len(form) <= 3 and form[:2] in there and len(form) < 3)
        )
    words = [word for word in re.findall(r"[a-z]+", form) if len(word) > 1 and word not in _STOP_EN]
    return not words or sum(word in there for word in words) >= max(1, len(words) - 1)


# ---- direction and negation ----


def _opposites(said: _Reading, source: _Reading) -> Iterator[Problem]:
    """Direction words of the claim whose opposite stands in the place that the claim speaks of."""
    for clause, place in _aligned(said, source):
        for up, down in _OPPOSITES:
            for one, other in ((up, down), (down, up)):
                word = one.search(clause.text)
                if word and _more(one, clause, place) and _more(other, place, clause):
                    yield "opposite", {"said": word[0]}


def _more(pattern: _Late, here: Clause, there: Clause) -> bool:
    return len(pattern.findall(here.text)) > len(pattern.findall(there.text))


def _negations(said: _Reading, source: _Reading) -> Iterator[Problem]:
    """Clauses that deny what the source affirms, or the other way round."""
    for clause, place in _aligned(said, source):
        mine, theirs = (len(_NEGATION.findall(_NOT_NEGATED.sub(" ", each.text))) for each in (clause, place))
        if (mine > 0) != (theirs > 0) and clause.shared(place) >= SAME_CLAUSE:
            longer = place if theirs else clause
            shorter = clause if theirs else place
            # a negation in a part of the longer clause that the shorter one leaves out says nothing against it
            if _negation_in_common_part(longer, shorter):
                yield "negated", {}


def _negation_in_common_part(longer: Clause, shorter: Clause) -> bool:
    """Whether the negated word of the longer clause is one that the shorter clause has."""
    text = _NOT_NEGATED.sub(lambda match: " " * len(match[0]), longer.text)
    for match in _NEGATION.finditer(text):
        after = [term for term in terms(longer.text[match.end() :]) if term not in _STOP_EN and term not in _GLUE_ZH]
        before = [term for term in terms(longer.text[: match.start()]) if term not in _STOP_EN and term not in _GLUE_ZH]
        near = after[:NEGATED] or before[-NEGATED:]
        if near and sum(term in shorter.content for term in near) >= len(near) / 3:
            return True
    return False


def _aligned(said: _Reading, source: _Reading) -> Iterator[tuple[Clause, Clause]]:
    """Each clause of the claim with the clause of the source that says most of it: words in common, and figures, which count double."""

    figures_in = {
        clause: frozenset(re.findall(r"\d+(?:\.\d+)?", clause.text.replace(",", ""))) for clause in (*said.clauses, *source.clauses)
    }

    def common(clause: Clause, place: Clause) -> int:
        return len(clause.content & place.content) + 2 * len(figures_in[clause] & figures_in[place])

    for clause in said.clauses:
        best = max(source.clauses, key=lambda place: (common(clause, place), -len(place.content)), default=None)
        if best and common(clause, best) >= max(2, 0.4 * min(len(clause.content), len(best.content))):
            yield clause, best


# ---- wording ----


def _places(said: _Reading, source: _Reading) -> Iterator[Problem]:
    """Chinese names of the claim, known by their endings or by a short list, that the source does not hold."""
    there = source.form + search_form(source.about)
    for name in _places_in(said.form):
        if name not in there and not any(name in group and any(other in there for other in group) for group in _SAME_NAMES):
            yield "name", {"said": name}


def _places_in(form: str) -> Iterator[str]:
    """The listed names of a text that do not begin or end inside another word, as 中东 does in 其中东岸."""
    from rag.search.translate import segment

    for run in re.finditer(f"{HAN.pattern}+", form):
        if _NAMES_ZH.search(run[0]):
            borders = {0, *itertools.accumulate(map(len, segment(run[0])))}
            yield from (match[0] for match in _NAMES_ZH.finditer(run[0]) if {match.start(), match.end()} <= borders)


_SAME_NAMES = (
    frozenset({"中国", "我国", "国内"}),
    frozenset({"美国", "美"}),
    frozenset({"欧洲", "欧盟"}),
    frozenset({"阿里", "阿里云", "阿里巴巴", "达摩院"}),
)
_NAMES_ZH = _Late(
    "中国|美国|日本|韩国|德国|法国|英国|印度|俄罗斯|加拿大|澳大利亚|巴西|新加坡|以色列|荷兰|瑞士|瑞典|芬兰|挪威|丹麦|意大利|西班牙|葡萄牙|墨西哥|阿根廷|南非|埃及|沙特|阿联酋|土耳其|越南|泰国|马来西亚|印度尼西亚|印尼|菲律宾|蒙古|朝鲜|"
    "乌克兰|波兰|捷克|匈牙利|奥地利|比利时|希腊|爱尔兰|新西兰|智利|秘鲁|哥伦比亚|伊朗|伊拉克|巴基斯坦|欧盟|欧洲|亚洲|非洲|北美|南美|拉美|东南亚|中东|台湾|香港|澳门|北京|上海|天津|重庆|广东|广州|深圳|浙江|杭州|江苏|南京|苏州|山东|济南|青岛|四川|成都|"
    "湖北|武汉|湖南|长沙|福建|厦门|福州|安徽|合肥|河南|郑州|河北|雄安|陕西|西安|山西|太原|辽宁|沈阳|大连|吉林|长春|黑龙江|哈尔滨|江西|南昌|广西|南宁|海南|海口|云南|昆明|贵州|贵阳|甘肃|兰州|青海|西宁|宁夏|银川|新疆|西藏|拉萨|内蒙古|东京|首尔|纽约|伦敦|巴黎|柏林|"
    "硅谷|旧金山|华盛顿|莫斯科|阿里巴巴|阿里云|阿里|达摩院|腾讯|百度|华为|字节跳动|京东|美团|小米|联想|中兴|比亚迪|宁德时代|蔚来|商汤|科大讯飞|寒武纪|海思|中芯国际|台积电|三星|英特尔|英伟达|高通|微软|谷歌|苹果公司|亚马逊|脸书|特斯拉|甲骨文|思科|索尼|丰田|波音|空客|西门子|"
    "博世|阿斯麦|清华大学|清华|北京大学|北大|复旦大学|复旦|浙江大学|浙大|上海交通大学|中国科学院|中科院|工信部|发改委|科技部|财政部|教育部|世界银行|联合国|世卫组织|麦肯锡|高德纳|国际能源署|国家统计局|中国移动|中国电信|中国联通|国家电网|麻省理工|斯坦福|哈佛|剑桥|牛津"
)


def _across(said: _Reading, source: _Reading, words: dict[str, str]) -> tuple[Verdict, str]:
    """Between Chinese and English, once figures and Latin names have passed: coverage by way of the dictionary."""
    covered = _as_translated(said, source)
    if covered >= TRANSLATED_COVERAGE:
        return "supported", ""
    return ("partial", words["across"]) if covered >= TRANSLATED_COVERAGE / 2 else ("unsupported", words["other"])


_WORD = _Late(rf"{HAN.pattern}+|[a-z0-9]+(?:[-.'/][a-z0-9]+)*")


def _replaced(said: _Reading, source: _Reading) -> Iterator[Problem]:
    """A word of the claim that stands where the source has another one, between words that both share."""
    for clause in said.clauses:
        best = max(source.clauses, key=lambda place: len(clause.content & place.content), default=None)
        if not best or len(clause.content & best.content) < 0.3 * max(1, len(clause.content)):
            continue
        mine, theirs = _words(said.masked[clause.start : clause.end]), _words(source.masked[best.start : best.end])
        blocks = [Match(0, 0, 0), *SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()]
        for left, right in zip(blocks, blocks[1:], strict=False):
            a, b = mine[left.a + left.size : right.a], theirs[left.b + left.size : right.b]
            around = sum(map(len, (*mine[left.a : left.a + left.size], *mine[right.a : right.a + right.size])))
            if not a or not b or len(a) > REPLACED or len(b) > REPLACED or around < FRAME:
                continue
            gap = " " if a[0].isascii() else ""
            one, other = gap.join(a), gap.join(b)
            odd = [word for word in a if not _innocent(word, b, said, source)]
            if odd and any(_telling(word) and word not in said.form for word in b) and not alike(*_trimmed(one, other)):
                yield "replaced", {"said": one, "there": other}


def _trimmed(one: str, other: str) -> tuple[str, str]:
    """Two Chinese wordings without the characters that both begin or end with."""
    if not HAN.match(one):
        return one, other
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    one, other = one[start:], other[start:]
    end = next((i for i, (a, b) in enumerate(zip(one[::-1], other[::-1], strict=False)) if a != b), min(len(one), len(other)))
    return one[: len(one) - end], other[: len(other) - end]


def _words(text: str) -> list[str]:
    """Words of a clause in search form, Chinese ones by the dictionary."""
    from rag.search.translate import segment  # reads its table when first needed: extracts never come here

    found: list[str] = []
    for match in _WORD.finditer(search_form(text)):
        found += segment(match[0]) if HAN.match(match[0]) else [match[0]]
    return found


def _telling(word: str) -> bool:
    return word not in _STOP_EN and word not in _DEGREE and not (len(word) == 1 and word in _GLUE_ZH)


def _innocent(word: str, there: Sequence[str], said: _Reading, source: _Reading) -> bool:
    """Whether a word need not differ in meaning from those in its place: a function word, one that stands elsewhere, a synonym."""
    if not _telling(word) or re.search(r"\d", word):  # figures have been compared
        return True
    if word in source.form or word in search_form(source.about) or stem(word) in source.known:
        return True
    return any(alike(word, other) for other in there)


def alike(one: str, other: str) -> bool:
    """Whether two words may stand for one another: one of the groups above, or the dictionary translates them alike.

    >>> alike("预期", "预计"), alike("化解", "解决"), alike("上海", "北京")
    (True, True, False)
    """
    from rag.search.translate import translations

    one, other = stem(one), stem(other)
    if any(one in group and other in group for group in _alike_stemmed()) or one in other or other in one:
        return True
    mine, theirs = translations(one), translations(other)
    shared = sum(min(mine[word], theirs[word]) for word in mine.keys() & theirs.keys() if not word.isdigit())
    there = sum(p * translations(word).get(other, 0.0) for word, p in mine.items())
    back = sum(p * translations(word).get(one, 0.0) for word, p in theirs.items())
    related = len(one) == len(other) == 2 and bool(HAN.match(one)) and bool(set(one) & set(other))
    return max(shared, ROUND_TRIP * there, ROUND_TRIP * back) >= (SYNONYMS / 2 if related else SYNONYMS)


def _as_translated(said: _Reading, source: _Reading) -> float:
    """Share of the claim's words that the source holds in the other language."""
    from rag.search.translate import lexical_terms, source_words, translations

    total = found = 0.0
    for word in source_words(_OPENING.sub("", said.text)):
        if not _telling(word) or word.isdigit():
            continue
        options = translations(word)
        if not options and HAN.match(word):
            continue
        held = max((p for option, p in options.items() if all(term in source.known for term in lexical_terms(option))), default=0.0)
        weight = 0.4 if len(word) == 1 else 1.0
        total += weight
        found += weight * (1.0 if word in source.known or held >= 0.08 else 0.0)
    return found / total if total else 0.0
