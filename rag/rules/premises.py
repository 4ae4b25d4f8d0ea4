"""What a question takes for granted, held against what the best sentences say.

Askers turn a report's own words round, so no score tells a false premise. Each rule looks for one form in which a premise is told (a comparison,
a change from one thing to another, a direction, an order, who did it, what alone counts) and for that form turned round in the sentences.
A rule gives up where any sentence bears the premise out. Gives up altogether: premises told in other forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from rag.index.lexical import stem, terms
from rag.rules.question import Question
from rag.rules.verify import alike, contradicted
from rag.search.question import HAN
from rag.search.translate import segment, source_words, translations
from rag.text.lexicon import proper_names
from rag.text.quantities import Quantity, quantities

UP = re.compile(
    r"提升|提高|增加|增长|增大|上升|扩大|变多|变大|上涨|激增|猛增|飙升|跃升|攀升|增至|升至|更贵|变贵|加剧|加重|推高|抬高|\b(?:increas|rais|grow|rise|rising|improv|boost|expand|leap|surg|soar|climb|jump|doubl)\w*|\b(?:more expensive|dearer|costlier)\b|\bgoes? up\b",
    re.IGNORECASE,
)
DOWN = re.compile(
    r"降低|减少|下降|缩短|缩小|下滑|变少|变小|下跌|骤减|锐减|更便宜|变便宜|萎缩|降至|降到|消除|节省|省去|削减|减轻|压低|\b(?:decreas|reduc|lower|declin|shrink|fall|drop|cut|sav|halv)\w*|\b(?:less expensive|cheaper)\b|\bgoes? down\b",
    re.IGNORECASE,
)
"""What rises and what falls."""
_RISES = re.compile(rf"{UP.pattern}|涨|多了|扩建|扩容|越来越[多高大快]|走高|回升|\b(?:gain\w*|enhanc\w*|accelerat\w*)\b", re.IGNORECASE)
_FALLS = re.compile(
    rf"{DOWN.pattern}|跌|少了|缩减|缩至|越来越[少低小慢]|缩水|减小|掉[了到至]|滑落|衰退|走低|恶化|变差|退步|放缓"
    r"|\b(?:worse\w*|los(?:e|es|ing|t)|dwindl\w*|slump\w*|plung\w*|sank|sink\w*|weaken\w*|slow\w*)\b",
    re.IGNORECASE,
)
"""The same with what is only said in passing, which is too weak for what a question demands."""
LIKELY = 0.2
"""A translation at least so probable may stand for a word of a question in the other language."""
CLEARLY = 2
"""By so many terms another sentence must say more of what comes first than the one that says what does."""

_WHY = re.compile(r"为什么|为何|为啥|凭什么|怎么会|\bwhy\b", re.IGNORECASE)
_WHETHER = re.compile(
    r"吗|是否|是不是|会不会|能不能|有没有|(?:是|选|用)[^，。？]{1,20}还是|^(?:is|are|does|do|did|will|would|can|could|has|have|was|were)\b",
    re.IGNORECASE,
)
_SAYING = re.compile(
    r"(?:报告|专家)?(?:里|中)?(?:认为|预测|预计|说|觉得|宣称|声称|断言)|到底|究竟|^(?:\w+ )?(?:do|does|did|will|would) (?=the\b)|\breports?\b"
)
_COMPARED = re.compile(
    r"(?P<a>[^，。；？,;?]{2,14})比(?![例较如重赛])(?P<b>[^，。；？,;?]{2,14}?)(?:更加?|还要?)(?P<how>[\u4e00-\u9fff]{1,3})"
    r"|(?P<makes>\bmakes? )?\b(?P<c>[\w -]{3,40}?) (?(makes)|(?:is|are|be|being) )(?:more (?P<said>\w+)|(?P<er>\w{3,}er)) than (?P<d>[\w -]{3,40})",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"[从由](?P<a>[^，。；？]{1,30}?)(?:(?:逐步|逐渐|全面|加速)?(?:转变|转化|演变|演进|退化|退回|升级|迁移|发展|过渡|切换|扩展"
    r"|重写|替换|提高|降低|增加|减少|[改换转变走退回升降跌涨掉增减])了?回?[到向为成至]|[转退变换改]回|回到|回归|[到向至])了?(?P<b>[^，。；？]{1,30})"
    r"|\bfrom (?P<c>[\w. -]{2,50}?) (?:back )?(?:in)?to(?:wards?)? (?P<d>[\w. -]{2,50})",
    re.IGNORECASE,
)
_CHANGED_TO = re.compile(
    r"(?:改[回成为]|换[回成为]|重写[成为]|回到|[退转]回)了?(?P<b>[^，。；？]{2,20})|\bback (?:on|to|in) (?P<d>[\w -]{2,40})", re.IGNORECASE
)
"""A change of which only the end is told."""
_FIRST = re.compile(r"最先|率先|最早|首先|优先|第一个|\bfirst\b|\bearliest\b", re.IGNORECASE)
_AFTER_FIRST = re.compile(r"(?:最先|率先|最早|首先|优先)(?:会|将|能|要)?(?:被|在|于|从)?(?P<what>[^，。；？]{3,30})")
_ONLY = re.compile(
    r"(?<![不非])(?<!不能)(?<!不再)(?:只|仅|单单)(?:看|靠|有|能|会|需要?|要|用|由|凭|算|考虑|依赖|剩|是|适合|适用于?|支持)(?![多几哪什])(?P<what>[\u4e00-\u9fff]{2,6})"
    r"|\b(?:runs?|works?|available|used|sold|allowed) only (?:on|in|for|by|with|through|to) (?P<that>\w+)|\b(?:on|in|for|by|with|through|to) (?P<this>\w+) only\b",
    re.IGNORECASE,
)
_ALONE = re.compile(r"只|仅|唯一|单一|\b(?:only|alone|sole\w*)\b", re.IGNORECASE)
_TOGETHER = re.compile(r"、|以及|同时|[还也]|不[再只仅]|单一")
"""What tells that something does not count alone."""
_SEVERAL = re.compile(r"[有在当]{0,2}(?:[两二三四五六七八九十\d]+|几|多|同时|全部)")
"""What follows "only" where several things count together."""
_DENIED = re.compile(r"[不非未]")
_DENIAL = re.compile(r"(?:不[会能再]?|没有|无法|并未|难以|很难)(?P<verb>[\u4e00-\u9fff]{2})(?P<what>[^，。；？]{2,16})")
RELATED = 6
"""Letters that related words begin with."""
DENIED_BEFORE = 8
"""So many characters before a word a "not" takes it back."""
_GLUE = frozenset(
    "的 了 着 和 与 及 在 是 以 为 会 将 要 能 可 更 最 从 到 向 对 被 把 上 下 中 里 其 各 中心 反而 反倒 居然 到底 究竟 并 还 也 都 就 才 又 让 使 给 由 用 做 有 没 没有 这 那 "
    "哪 哪些 什么 怎么 如何 多少 几 个 种 类 等 比 之 或 而 但 因为 所以 为什么 一个 这个 那个 这些 他们 我们 它们 可以 能够 进行 方面 情况 "
    "the a an of in and is are was were be been being do does did will would can could should may might must has have had on at by for with about as into onto than then "
    "that this these those it its they them their there he his she her we our you your or but if so not no what which who whom whose when where how why also any some such "
    "most more less very only just own per each both between while from to".split()
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
_STATEMENT = re.compile(r"[，。；？！;?!：]|[,:](?!\d)|\.(?=\s|$)|\s(?:but|whereas|while|although|though)\s")

_OPPOSITES = tuple(
    (re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE))
    for one, other in (
        (r"大型|更大|较大|最大|\b(?:large(?:r|st)?|big(?:ger|gest)?)\b", r"小型|初创|更小|较小|最小|微型|轻量级?|\b(?:small(?:er|est)?|tin(?:y|ier))\b"),
        (r"强(?![化调制迫])|\bstrong(?:er|est|ly)?\b", r"弱(?!点)|\bweak(?:er|est|ly)?\b"),
        (r"[较更最很]高|高昂|居高|高(?=[的，、。；]|$)|\bhigh(?:er|est)?\b", r"[较更最很]低|低廉|低(?=[的，、。；]|$)|\blow(?:er|est)?\b"),
        (r"更多|最多|\bmore\b|\bmost\b", r"更少|最少|\b(?:less|least|fewer|fewest)\b"),
        (r"更快|最快|\bfast(?:er|est)?\b", r"更慢|最慢|\bslow(?:er|est)?\b"),
        (r"更长|最长|\blong(?:er|est)\b", r"更短|最短|\bshort(?:er|est)\b"),
        (r"早期|较早|早早|\bearl(?:y|ier|iest)\b", r"晚期|较晚|迟迟|\blate[rt]?\b"),
        (r"私有|闭源|封闭|\b(?:private|closed|proprietary)\b", r"开源|开放|公开|\b(?:open|public)\b"),
        (r"固定|静态|不变|\b(?:fixed|static)\b", r"动态|可变|\b(?:dynamic\w*|changing)\b"),
        (r"永久|长期|\b(?:permanent\w*|long-term)\b", r"临时|短期|暂时|\b(?:temporar\w*|short-term)\b"),
        (r"无害|\bharmless\b", r"有害|危害|\bharm(?:s|ful)?\b"),
        (r"自上而下|\btop[- ]down\b", r"自下而上|\bbottom[- ]up\b"),
        (r"英文|英语|\bEnglish\b", r"中文|汉语|\bChinese\b"),
        (r"海外|国外|境外|\b(?:overseas|foreign)\b", r"本土|国内|本地|\b(?:local|domestic)\b"),
        (r"之上|上面|上一层|\babove\b", r"之下|下面|下一层|\bbelow\b"),
        (r"简单|容易|\b(?:easy|easier|easily|simple|simpler|simply)\b", r"复杂|困难|\b(?:harder|difficult|complex)\b"),
        (r"集中|(?<!去)中心化|\bcentrali[sz]ed\b", r"分散|分布|去中心化|\b(?:decentrali[sz]ed|distributed)\b"),
        (r"免费|\bfree\b", r"付费|付款|(?:[管使]用|托管|订阅|年)费|\b(?:paid|paying|payments?|fees?)\b"),
        (r"[第头][一][个家次种]|首[个家次]|\bthe first\b", r"第二[个家次种]|\bthe second\b"),
        (r"(?<!不)(?:同义|等同|一回事)|(?<!not )the same\b|\bsynonym\w*\b", r"不等同|不同于|不是一回事|\bnot the same\b|\bdistinct\b"),
        (r"弄清|搞清|摸透|\bwell understood\b", r"不清楚|不明确|很不够|\b(?:unclear|not (?:well )?understood)\b"),
        (r"自动|\bautomat\w*\b", r"手动|人工(?!智能)|\bmanual\w*\b"),
        (r"主动|\bproactive\w*\b", r"被动|\bpassive\w*\b"),
        (r"内部|\binternal\w*\b", r"外部|\bexternal\w*\b"),
        (r"垂直|纵向|\bvertical\w*\b", r"水平(?![较更高低])|横向|\bhorizontal\w*\b"),
        (r"线上|在线|\bonline\b", r"线下|离线|\boffline\b"),
        (r"昂贵|[更最很]贵|\b(?:dear(?:er|est)|costlier|expensive)\b", r"便宜|廉价|\bcheap(?:er|est)?\b"),
        (r"乐观|\boptimis\w*\b", r"悲观|\bpessimis\w*\b"),
        (r"多数|过半|\bmajority\b", r"少数|极少|\bminority\b"),
        (r"同步|\bsynchronous\w*\b", r"异步|\basynchronous\w*\b"),
        (r"宽松|\bpermissive\b", r"严格|\brestrictive\b"),
    )
)  # fmt: skip
"""What is said of a thing, and the opposite."""
_ACTS = tuple(
    (re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE))
    for one, other in (
        (r"成功|\b(?:success\w*|succeed\w*)\b", r"失败|惨败|\b(?:fail\w*|defeat\w*)\b"),
        (r"赞成|支持|拥护|\b(?:in favou?r|support(?:s|ed)?|welcom\w*)\b", r"反对|抵制|\b(?:oppos\w*|against|reject\w*)\b"),
        (r"看好|赞扬|称赞|\bprais\w*\b", r"看衰|看空|批评|\bcriticis\w*|\bcriticiz\w*"),
        (r"(?<!不)满意|\bsatisf(?:ied|y)\b", r"不满|\bdissatisf\w*\b"),
        (r"(?<!不)信任|\btrust(?:s|ed)?\b", r"不信任|怀疑|\bdistrust\w*\b"),
        (r"(?<!不)允许|\b(?:allow\w*|permit(?:s|ted)?)\b", r"禁止|\b(?:forbid\w*|forbade|prohibit\w*|ban(?:s|ned)?)\b"),
        (r"成立|创办|创立|\b(?:founded|launch(?:ed|es)?|set up)\b", r"关闭|解散|关停|\b(?:closed down|shut(?:s|ting)? down|dissolved)\b"),
        (r"加入|\bjoin(?:s|ed)?\b", r"退出|离开|\b(?:leav(?:e|es|ing)|left|quit\w*)\b"),
        (r"继续|坚持|\b(?:carries|carried|kept|goes|went) on\b", r"放弃|\b(?:abandon\w*|gave up|gives? up)\b"),
    )
)
"""What is done, and the opposite; who does it often stands in the clause before."""
_ACTED = frozenset(pair for both in _ACTS for pair in (both, both[::-1]))
_ONES = re.compile(r" ones?\b|的(?=[能会要有是为，。]|$)")
"""What follows a word of kind where the thing itself has been named before."""
_AROUND = {True: 10, False: 40}
"""Characters on each side of a word within which stands what it is said of; True for Chinese."""

_AHEAD = (
    ("rank", re.compile(
        r"超过|超越|压过|赶超|反超|赢了?(?![得家])|胜过|优于|强于|高于|领先于?|击败|打败|甩[在开]|比下去|挤[下掉]|高出|\b(?:beat(?:s|en|ing)?|outperform\w*|outpac\w*|surpass\w*"
        r"|overt(?:ake|ook|aking)\w*|exceed\w*|outrank\w*|defeat\w*|ahead of|superior to)\b|\b(?:knock|push)\w*(?= .{2,30} off\b)", re.IGNORECASE)),
    ("sue", re.compile(r"起诉|状告|\bsu(?:e[sd]?|ing)\b|\b(?:take|took)(?= .{2,50} to court\b)", re.IGNORECASE)),
    ("buy", re.compile(r"收购|并购|买下|\b(?:buy(?:s|ing)?|bought|acquir(?:e[sd]?|ing)|tak(?:e|es|ing) over|took over)\b", re.IGNORECASE)),
    ("replace", re.compile(r"取代|替代|\b(?:replac\w+|supersed\w+)\b", re.IGNORECASE)),
)  # fmt: skip
_BEHIND = re.compile(
    r"输给?了?(?![出入送])|落后于?|不如|不及|逊于|弱于|低于|次于|败给"
    r"|\b(?:f[ae]ll\w* behind|lag\w* behind|trail\w*|second(?: next)? (?:to|behind)|inferior to|los(?:es?|ing|t) (?:out |ground |the lead )?to)\b",
    re.IGNORECASE,
)
"""Verbs by which one of two comes before the other or does something to it, in groups; and those that say it the other way round."""
_THAN = re.compile(
    r"(?P<a>[^，。；]{2,16}?)比(?![例较如重赛])(?P<b>[^，。；]{2,16}?)(?:更加?|还要?|要)?(?P<how>高出?|[多大强好快早低少小差慢弱晚])"
    r"|(?P<c>[\w ,'-]{0,60}?\b(?P<more>more|greater|better|larger|higher|less|fewer|lower|smaller)\b[^.;?!]{0,90}?) than (?P<d>[^.;?!]{2,60})",
    re.IGNORECASE,
)
_SCALES = {"多": "many", "少": "many", "大": "size", "小": "size", "快": "speed", "慢": "speed", "早": "time", "晚": "time"}
_UPPER = re.compile(r"[高多大强好快早]|more|greater|better|larger|higher", re.IGNORECASE)
_IT = re.compile(r"\W*(?:(?:它们?|其|该)|(?:it|they|this)\b)", re.IGNORECASE)
_ADJUNCTS = frozenset("表现 仍然 已经 预计 预测 大幅 明显 许多 很多 基准 测试 一度".split())
"""Words before a verb that say nothing of who does it."""
LEAST_SHARED = 4
"""So many words of a premise a sentence must have where only "more ... than" compares in both."""

_ORDER = re.compile(
    r"(?:先|首先|最先)(?:是|要|做到?|进入)?(?P<a>[^，。；？]{2,16}?)[，、]?\s?(?:然后再?|再|后|最后才?|接着|随后|才)(?:[是往向到做]|走向?)*(?P<b>[^，。；？]{2,16})"
    r"|从(?P<c>[^，。；？]{2,16}?)(?:起步|开始|做起|入手|打头)[，、]?(?:然后再?|再|后|最后才?|接着|才)*(?:[是往向到做]|走向?)*(?P<d>[^，。；？]{2,16})"
    r"|\b(?P<e>[\w -]{3,50}?) (?:first )?before (?P<f>[\w -]{3,50})|\b(?P<g>[\w -]{3,50}?) (?:prepares? for|leads? on to|precedes?) (?P<h>[\w -]{3,50})"
    r"|(?P<j>[^，。；？]{2,12}?)[排放]在(?P<i>[^，。；？]{2,12}?)(?:之后|后面)",
    re.IGNORECASE,
)
_ORDERED = re.compile(
    r"先|再|然后|最后|接着|依次|阶段|步骤|[两三四五]步|从.*到|->|→|\b(?:then|finally|first|stages?|steps?|before|after)\b", re.IGNORECASE
)
_STAGES = tuple(
    re.compile(rf"第{han}(?:阶段|步)|(?:阶段|步骤)\s?[{han}{n}]|\b{word} (?:stage|step|phase)|\b(?:stage|step|phase) (?:{n}|{cardinal})\b", re.IGNORECASE)
    for n, (han, word, cardinal) in enumerate(
        zip("一二三四五", "first second third fourth fifth".split(), "one two three four five".split(), strict=True), 1
    )
)  # fmt: skip

_REFUSED = re.compile(
    r"(?:并不|并未|并非|不再|不能|不会|不需|没有|尚未|还未|还没|无需|无须|不用|无法|不支持|不提供|非(?!常|洲|凡|法)|[不未没])(?:[是有被会再必要])?"
    r"|(?:\b(?:not|never|cannot|without|no longer)|n['’]t) (?:yet |been )*|\bno (?!longer|doubt|more|less|fewer|matter)",
    re.IGNORECASE,
)
_NOT_REFUSED = re.compile(
    r"永不|不等(?!同)|不断|不仅|不但|不只|不同|不少|不管|不论|不止|不得不|必不可少|不足|不到|不超过|不错|不久|不低于|不高于|不一|不确定|不可|不良|不过|差不多|未来|没落|并非没|\bnot (?:only|just|least|merely)\b",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"[不没未无禁]|非(?![常洲])|(?<![分个特级区识类性差])别|难(?!题)|(?<![至多])少|拒绝|放弃|取消|去掉|摆脱|避免|防止|克服|\b(?:not?|never|without|cannot|hardly|few|fail\w*|refus\w*|lack\w*|avoid\w*|prevent\w*|risk)\b|n['’]t",
    re.IGNORECASE,
)
"""What takes a premise back by itself."""
_OFFERED = re.compile(r"\s*(?:支持|提供|开放|support|available|allowed|possible|offered|provided)", re.IGNORECASE)
"""What is refused of whatever stands before it."""
REFUSED_WORDS = 4
"""Telling words behind a "not" that say what it takes back."""
REACH_DENIED = 6
"""So many characters further than around other words these are looked for."""
_NONE_LEFT = re.compile(r"(?P<a>[\u4e00-\u9fff]{2,3})都没有|\bno (?P<b>\w+) at all\b")

_NAME = re.compile(r"[A-Z][A-Za-z0-9]*(?:[-.&][A-Za-z0-9]+)*(?: [A-Z0-9][A-Za-z0-9]*(?:[-.&][A-Za-z0-9]+)*)*|[a-z]+[A-Z]\w*")
_NO_NAME = frozenset(
    "AI IT ICT API SDK GPU CPU LLM SaaS GB TB MB KB How What Which Who Whose Whom When Where Why Is In On By The Does Do Did If And Of For A An This That From At As With To Under After Before Since Until Name List Give Tell".split()
)
_SPEAKING = r"(?:认为|预测|预计|指出|表示|强调|提出|称|说|谈到|判断|建议|批评|警告|推荐|劝)"
_SAID = re.compile(
    rf"^(?P<a>[A-Za-z][\w.-]*(?: [A-Z][\w.-]*)*|[\u4e00-\u9fff·]{{2,8}}?)(?:\s?[在就曾又还也][^，。；？]{{0,12}}?|为什么|怎么)?\s?{_SPEAKING}(?P<b>[^，。；？]{{2,40}})"
    r"|\b(?:do|does|did|made|makes?) (?P<c>[A-Z][\w.'-]*(?: [A-Z][\w.'-]*){0,3}) (?:\w+ly )?"
    r"(?:say|think|judge|predict|forecast|expect|recommend|warn|call|critici[sz]e|single out|hold up|believe|argue|claim|estimate|suggest)\b(?P<d>.{3,80})"
)
_SPEAKERS = re.compile(
    rf"(?:据|根据)\s?(?P<a>[A-Za-z\u4e00-\u9fff·]{{2,14}}?)\s?(?:的?报告|的?数据|{_SPEAKING})|(?:^|[，。；])(?P<b>[A-Za-z\u4e00-\u9fff·]{{2,10}}?)\s?[也则还]?{_SPEAKING}"
    r"|\b[Aa]ccording to (?P<c>[A-Z]\w+(?: [A-Z]\w+)*)"
    r"|\b(?P<d>[A-Z]\w+(?: [A-Z]\w+)*) (?:says|said|thinks|predict|forecast|judge|expect|recommend|warn|believe|advise)"
)
_LED = re.compile(
    r"由(?P<a>[^，。；？由]{2,12}?)(?:来|所)?(?:继续)?(?:主导|牵头|领导|领衔|说了算|作主|做主)|\b(?:led|dominated|headed|run) by (?P<b>[\w -]{3,40})",
    re.IGNORECASE,
)
_NO_FIGURES = frozenset({"year", "date", "bare"})


def false_premise(question: Question, sentences: Sequence[str], names: frozenset[str]) -> str:
    """The words of a question whose opposite the best sentences state; empty when none, and for a question whether something is so.

    `sentences` begin with the best one; `names` of the report say who is asked.
    """
    if _WHETHER.search(question.text):
        return ""
    premise, told = _SAYING.sub("", _WHY.sub("", question.text)), question.text
    for name in sorted(names, key=len, reverse=True):
        premise, told = premise.strip().removeprefix(name), told.replace(name, " ")
    premise = premise.strip(" ？?。")
    reasons = bool(_WHY.search(question.text))
    if reasons and (said := contradicted(premise, sentences[0]) or _directed(premise, sentences) or _needless(premise, sentences)):
        return said
    return next((said for rules, text in ((_RULES, premise), (_WHO, told)) for rule in rules if (said := rule(text, sentences))), "")


# ---- words ----


@lru_cache(maxsize=1 << 14)
def _forms(word: str, chinese: bool) -> tuple[str, ...]:
    """A word as a text may have it: as it is, or, for a text in the other language, its likely translations."""
    if bool(HAN.search(word)) == chinese:
        return (word.lower(),)
    key = word if HAN.search(word) else stem(word.lower())
    return (word.lower(), *(form for form, p in translations(key).items() if p >= LIKELY))


@lru_cache(maxsize=1 << 11)
def _stems(text: str) -> frozenset[str]:
    """The terms of a text, and of long ones the beginning, which related words share."""
    found = frozenset(terms(text))
    return found | {f"{term[:RELATED]}-" for term in found if len(term) >= RELATED and term.isascii() and term.isalpha()}


def _has(word: str, text: str) -> bool:
    """Whether a text says a word, in its own language or the other; Latin ones in any ending.

    >>> _has("subscribers", "by subscription"), _has("成本", "lower costs"), _has("rise", "an enterprise")
    (True, True, False)
    """
    for form in _forms(word, bool(HAN.search(text))):
        if HAN.search(form):
            if form in text:
                return True
        elif {stem(form), f"{form[:RELATED]}-" if len(form) > RELATED + 1 else ""} & _stems(text) or (" " in form and form in text.lower()):
            return True
    return False


def _held(words: Sequence[str], text: str) -> int:
    """How many of the words a text has."""
    return sum(_has(word, text) for word in words)


@lru_cache(maxsize=1 << 11)
def _telling(phrase: str) -> tuple[str, ...]:
    """The words of a phrase that carry its meaning: Latin ones, and Chinese ones of two characters at least, by the dictionary or left over by it.

    >>> _telling("在 2030 年的 AI 芯片")
    ('2030', 'ai', '芯片')
    """
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
    return tuple(dict.fromkeys(word for word in found if word not in _GLUE))


def _apart(one: str, other: str) -> tuple[list[str], list[str]]:
    """The telling words that only the one and only the other of two phrases has."""
    mine, theirs = _telling(one), _telling(other)
    return [word for word in mine if word not in theirs], [word for word in theirs if word not in mine]


@lru_cache(maxsize=1 << 11)
def _statements(text: str) -> tuple[tuple[int, str], ...]:
    """The parts of a text between signs of rest, each with its place."""
    parts, start = [], 0
    for match in [*_STATEMENT.finditer(text), None]:
        end = match.start() if match else len(text)
        if text[start:end].strip():
            parts.append((start, text[start:end]))
        start = match.end() if match else end
    return tuple(parts)


@lru_cache(maxsize=1 << 11)
def _figures(text: str) -> tuple[Quantity, ...]:
    """Quantities that measure or count; "一个" is an article."""
    return tuple(
        quantity
        for quantity in quantities(text)
        if quantity.kind not in _NO_FIGURES and not text[quantity.start :].lstrip().startswith("一")
    )


# ---- one thing more, earlier or other than another ----


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
    for sentence in (cell for text in sentences for cell in text.split(" | ")):
        said = any(_has(form, sentence) for form in ({how, how[:2]} if HAN.match(how) else {how}))
        if mine and theirs and said and all(_has(word, sentence) for word in theirs) and not any(_has(word, sentence) for word in mine):
            return f"更{how}" if HAN.match(how) else match[0][match[0].lower().find(how.lower()) :].split(" than")[0]
    return ""


def _changed(premise: str, sentences: Sequence[str]) -> str:
    """ "From A to B", or only "to B", where a sentence says from B to A.

    >>> _changed("电站要从分布式转到集中式", ["未来将从集中式走向分布式。"]), _changed("电站要从集中式转到分布式", ["未来将从集中式走向分布式。"])
    ('从分布式转到集中式', '')
    >>> _changed("电站以后要改成集中式", ["未来将从集中式走向分布式。"])
    '改成集中式'
    """
    whole = _CHANGE.search(premise)
    asked = whole or _CHANGED_TO.search(premise)
    if not asked:
        return ""
    before, after = (asked[1] or asked[3], asked[2] or asked[4]) if whole else ("", asked[1] or asked[2])
    one, other = _apart(before, after)
    straight = turned = False
    for told in (match for sentence in sentences for match in _CHANGE.finditer(sentence)):
        start, end = told[1] or told[3], told[2] or told[4]
        across, along = _held(one, end) + _held(other, start), _held(one, start) + _held(other, end)
        straight = straight or along > across
        turned = turned or across > along + bool(whole and not (_held(one, end) and _held(other, start)))
    return asked[0].strip() if turned and not straight else ""


class _Relation(NamedTuple):
    """Two things and what is told of them."""

    far: str
    """What the sentence says before the clause."""
    near: str
    """What the clause says before the verb."""
    behind: str
    ahead: bool
    """Whether what stands before is ahead, or does it."""
    group: str
    said: str


@lru_cache(maxsize=1 << 10)
def _relations(text: str) -> tuple[_Relation, ...]:
    """Where a text sets two things against each other.

    >>> [(found.near, found.behind, found.ahead) for found in _relations("浮筒把拦坝甩在后面，拦坝被浮筒取代")]
    [('浮筒', '拦坝', True), ('拦坝', '浮筒', False)]
    """
    return tuple(_relations_in(text))


def _relations_in(text: str) -> Iterator[_Relation]:
    for clause in re.finditer(r"[^，。；？！,;?!]+", text):
        far, told = text[: clause.start()], clause[0]
        if compared := [match for match in _THAN.finditer(told) if match["a"]]:
            for match in compared:
                how = match["how"]
                yield _Relation(far, match["a"], match["b"], bool(_UPPER.match(how)), _SCALES.get(how, "rank"), how)
            continue
        for group, pattern, ahead in (*((group, pattern, True) for group, pattern in _AHEAD), ("rank", _BEHIND, False)):
            for match in pattern.finditer(told):
                before, behind, passive = told[: match.start()], told[match.end() :], False
                if re.search(r"[不没未][^，]?$|\bnot $|n['’]t $", before):
                    continue
                by = re.match(r"[\w ]{0,40}?\sby\b", behind)
                if by and re.search(r"\b(?:is|are|was|were|been|be|being)\s(?:\w+ly )?$", before):
                    behind, passive = behind[by.end() :], True
                elif taken := re.search(r"被(?P<who>[^，。]{2,20})$", before):
                    before, behind, passive = before[: taken.start()], taken["who"], True
                elif moved := re.search(r"[把将](?P<whom>[^，。；把将]{2,20}?)$", before):
                    before, behind = before[: moved.start()], moved["whom"]
                yield _Relation(far, before, behind.split("、")[0], ahead != passive, group, match[0])
    for match in _THAN.finditer(text):
        if match["c"]:
            yield _Relation("", match["c"], match["d"], bool(_UPPER.match(match["more"])), "than", match["more"])


def _side(words: Sequence[str], told: _Relation) -> int:
    """-1 where a relation has the words before its verb, 1 behind it, 0 where it has them nowhere or on both sides."""
    lone = all(word in _ADJUNCTS for word in _telling(told.near))  # the one who does it stands in a clause before
    before, behind = _held(words, told.far + told.near if lone else told.near), _held(words, told.behind)
    if before != behind:
        return -1 if before > behind else 1
    return int(lone and behind > 0) or -int(_held(words, told.far) > 0 and not behind)


def _outdone(premise: str, sentences: Sequence[str]) -> str:
    """One thing set before another, or doing something to it, where the sentences tell it with the two in each other's place.

    >>> _outdone("浮筒输给了拦坝", ["浮筒在许多地方优于拦坝。"]), _outdone("浮筒超过了拦坝", ["浮筒在许多地方优于拦坝。"])
    ('输给了', '')
    >>> _outdone("Cisco took the foundation to court", ["Cisco was sued by the foundation in 2008."])
    'took'
    """
    for asked in _relations(premise):
        one, other = _apart(asked.near if _telling(asked.near) else asked.far, asked.behind)
        one, other = _named_first(one, asked.near), _named_first(other, asked.behind)
        straight = turned = False
        for sentence in sentences if one and other else ():
            if asked.group == "than" and _held(_telling(premise), sentence) < LEAST_SHARED:
                continue
            for told in _relations(sentence):
                if told.group != asked.group:
                    continue
                mine, theirs = _side(one, told), _side(other, told)
                if not mine and theirs == 1 and _IT.match(told.near):
                    mine = -1
                if mine * theirs < 0:
                    same = (mine < 0) == (told.ahead == asked.ahead)
                    straight, turned = straight or same, turned or not same
        if turned and not straight:
            return asked.said
    return ""


def _named_first(words: list[str], phrase: str) -> list[str]:
    """Of the words of a phrase those of its names, if it has any."""
    named = [word for word in words if any(word in _telling(name) for name in _names(phrase))]
    return named or words


def _ordered(premise: str, sentences: Sequence[str]) -> str:
    """ "First A, then B", where the sentences tell B before A.

    >>> _ordered("先建浮筒，再建拦坝", ["先建拦坝，最后建浮筒。"]), _ordered("先建拦坝，再建浮筒", ["先建拦坝，最后建浮筒。"])
    ('先建浮筒，再建拦坝', '')
    >>> _ordered("floats precede dams", ["First stage: dams", "Second stage: floats"])
    'floats precede dams'
    """
    match = _ORDER.search(premise)
    if not match:
        return ""
    first, then = next((match[a], match[b]) for a, b in ("ab", "cd", "ef", "gh", "ij") if match[a])
    one, other = _apart(first, then)
    if match["e"]:
        one, other = one[-1:], other[-1:]
    elif match["g"]:
        one, other = one[-2:], other[:2]
    if not one or not other:
        return ""
    stages: dict[int, set[int]] = {-1: set(), 1: set()}
    straight = turned = False
    for sentence in sentences:
        stage = next((place for place, pattern in enumerate(_STAGES) if pattern.search(sentence)), None)
        here, there = (_held(words, sentence) == len(words) for words in (one, other))
        if stage is not None and here != there:
            stages[-1 if here else 1].add(stage)
        if here and there and (places := _places(one, other, sentence)):
            near, far = sorted(places)
            beside = re.fullmatch(r"\W{1,4}", sentence[near + len("".join(other if places[1] < places[0] else one)) : far])
            if beside or _ORDERED.search(sentence):
                straight, turned = straight or places[0] < places[1], turned or places[1] < places[0]
    if stages[-1] and stages[1]:
        straight, turned = straight or min(stages[-1]) < min(stages[1]), turned or min(stages[1]) < min(stages[-1])
    return match[0] if turned and not straight else ""


def _places(one: Sequence[str], other: Sequence[str], text: str) -> tuple[int, int] | None:
    """Where the words of the one and of the other begin in a text that has all of them; None where one of them stands there in another form."""
    lowered, chinese = text.lower(), bool(HAN.search(text))
    found = []
    for words in (one, other):
        starts = [max(lowered.find(form if HAN.search(form) else stem(form)) for form in _forms(word, chinese)) for word in words]
        if min(starts) < 0:
            return None
        found.append(min(starts))
    return found[0], found[1]


# ---- directions, degrees and figures ----


def _directed(premise: str, sentences: Sequence[str]) -> str:
    """Something said to rise of which every sentence that says where it goes says that it falls, or the other way round.

    >>> _directed("芯粒会提高制造成本", ["芯粒可以提高良率，降低制造成本。"]), _directed("芯粒会提高良率", ["芯粒可以提高良率，降低制造成本。"])
    ('提高制造成本', '')
    >>> _directed("the number of qubits will shrink to 1000", ["Qubits will leap to 10000."])
    'shrink'
    """
    for same, opposite in ((_RISES, _FALLS), (_FALLS, _RISES)):
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


def _moved(premise: str, sentences: Sequence[str]) -> str:
    """A figure by which something rises, where the sentences that have it say that something falls by it, or the other way round.

    >>> _moved("浮筒的产量少了 850 吨", ["浮筒将带动 850 吨产量增长。"]), _moved("浮筒的产量多了 850 吨", ["浮筒将带动 850 吨产量增长。"])
    ('少了', '')
    """
    for figure, rises in _movements(premise).items():
        told = [(movements[figure], sentence) for sentence in sentences if figure in (movements := _movements(sentence))]
        if told and all(there != rises for there, _ in told) and any(_held(_telling(premise), sentence) > 1 for _, sentence in told):
            word = (_RISES if rises else _FALLS).search(premise)
            return word[0] if word else ""
    return ""


@lru_cache(maxsize=1 << 10)
def _movements(text: str) -> dict[str, bool]:
    """Figures of two digits at least, with whether the clause says that something rises."""
    found: dict[str, bool] = {}
    for clause in _CLAUSE.split(text):
        rises, falls = bool(_RISES.search(clause)), bool(_FALLS.search(clause))
        for figure in re.findall(r"\d[\d,.]*\d", clause) if rises != falls else ():
            if not re.fullmatch(r"(?:19|20)\d\d", figure):
                found[figure] = rises
    return found


def _opposed(premise: str, sentences: Sequence[str]) -> str:
    """Something of a kind or degree ("larger", "private", "强") of which a sentence says the opposite.

    >>> _opposed("为什么潮汐对月相的依赖特别强", ["潮汐的特点是对月相的依赖性弱。"]), _opposed("为什么潮汐对月相的依赖弱", ["潮汐的特点是对月相的依赖性弱。"])
    ('强', '')
    """
    for same, opposite in (pair for both in (*_OPPOSITES, *_ACTS) for pair in (both, both[::-1])):
        if opposite.search(premise):
            continue
        for match in same.finditer(premise):
            before, after = _STATEMENT.split(premise[: match.start()])[-1], _STATEMENT.split(premise[match.end() :])[0]
            around = [word for word in (*_telling(before)[-3:], *_telling(after)[:2]) if not same.search(word)]
            words = [word for word in _telling(premise) if not same.search(word)]
            against = _vouched(opposite, same, around, words, sentences)
            elided = any(_ONES.match(sentence, found.end()) for sentence in sentences for found in same.finditer(sentence))
            if elided or against < CLEARLY or against < _vouched(same, opposite, around, words, sentences) + CLEARLY:
                continue
            if (same, opposite) not in _ACTED or not any(same.search(sentence) for sentence in sentences):
                return match[0]
    return ""


def _vouched(
    pattern: re.Pattern[str], opposite: re.Pattern[str], around: Sequence[str], words: Sequence[str], sentences: Sequence[str]
) -> int:
    """How many `words` the best sentence has that says what `pattern` stands for of something `around` it."""
    best = 0
    for sentence in sentences:
        for _, clause in _statements(sentence) if pattern.search(sentence) else ():
            reach = _AROUND[bool(HAN.search(clause))]
            for match in pattern.finditer(clause) if not opposite.search(clause) else ():
                if _held(around, clause[max(0, match.start() - reach) : match.end() + reach]):
                    best = max(best, _held(words, sentence))
    return best


def _misplaced(premise: str, sentences: Sequence[str]) -> str:
    """A figure of which the sentences say that it is something else's, while what it is said of has another one.

    >>> _misplaced("为什么浮筒占 30% 的产量", ["浮筒占 70% 的产量，拦坝占 30%。"]), _misplaced("为什么浮筒占 70% 的产量", ["浮筒占 70% 的产量，拦坝占 30%。"])
    ('30%', '')
    """
    for figure in _figures(premise):
        clause = next((part for start, part in _statements(premise) if start <= figure.start < start + len(part)), "")
        if _HEDGED.search(clause):
            continue
        written = premise[figure.start : figure.end].strip()
        words = _telling(clause.replace(written, " "))
        own, others = [-1], [-1]
        for there, said in ((there, said) for sentence in sentences for there, said in _figured(sentence)):
            if there.kind == figure.kind:
                same = (there.low, there.high, there.unit.strip()) == (figure.low, figure.high, figure.unit.strip())
                (own if same else others).append(_held(words, said))
        if max(own) >= 0 and max(others) > max(own) and max(others) >= max(CLEARLY, (max(own) > 0) * len(words) / 2):
            return written
    return ""


@lru_cache(maxsize=1 << 10)
def _figured(text: str) -> tuple[tuple[Quantity, str], ...]:
    """Figures, each with what is said in its clause, and in the one before where that has none."""
    found = []
    before, figures = "", _figures(text)
    for start, clause in _statements(text):
        inside = [figure for figure in figures if start <= figure.start < start + len(clause)]
        found += [(figure, f"{before} {clause}") for figure in inside]
        before = "" if inside else clause
    return tuple(found)


# ---- what is denied ----


def _needless(premise: str, sentences: Sequence[str]) -> str:
    """Something said to be needed no more, where no sentence that speaks of it says that it goes.

    >>> _needless("电站不再需要水轮机", ["未来的水轮机更好。"]), _needless("电站不再需要水轮机", ["未来的电站去掉水轮机。"])
    ('不再需要', '')
    """
    match = _NEEDLESS.search(premise)
    words = _telling(_CLAUSE.split(premise[match.end() :])[0]) if match else ()
    spoken = [sentence for sentence in sentences if words and _has(words[-1], sentence)]
    return match[0] if match and spoken and not any(map(_WITHOUT.search, spoken)) else ""


def _denied(premise: str, sentences: Sequence[str]) -> str:
    """Something denied that a sentence says of the same thing, and none denies.

    >>> _denied("浮筒不适合通用场景", ["浮筒不仅好看，也适用于通用场景。"]), _denied("浮筒不适合通用场景", ["浮筒不适用于通用场景。"])
    ('不适合', '')
    >>> _denied("浮筒里传感器都没有", ["浮筒里仍有传感器。"])
    '传感器都没有'
    """
    if none := _NONE_LEFT.search(premise):
        what = re.escape(none["a"] or none["b"].removesuffix("s"))
        left = re.compile(rf"[仍还](?:然|旧)?有[^，。]{{0,4}}{what}|\bstill (?:has|have|are|is|uses?) (?:\w+ )?{what}", re.IGNORECASE)
        return none[0] if any(map(left.search, sentences)) else ""
    match = _DENIAL.search(premise)
    words = _telling(_CLAUSE.split(match["what"])[0]) if match else ()
    if not match or not words:
        return ""
    clauses = [clause for sentence in sentences for clause in _CLAUSE.split(sentence) if all(word in clause for word in words[-2:])]
    affirming = [clause for clause in clauses if any(len(word) > 1 and alike(match["verb"], word) for word in source_words(clause))]
    return match[0].removesuffix(match["what"]) if affirming and not any(map(_DENIED.search, affirming)) else ""


def _refuted(premise: str, sentences: Sequence[str]) -> str:
    """Something affirmed that one of the best sentences denies of the same thing, and none that says as much affirms.

    >>> _refuted("官方在哪一版里把浮筒修好", ["浮筒目前还没有被官方修复。"]), _refuted("浮筒用了哪些传感器", ["浮筒并不便宜，用了传感器。"])
    ('修好', '')
    >>> _refuted("Which tides can floats already predict for sailors", ["Tides for sailors are not supported by floats."])
    'floats'
    """
    words = _telling(premise)
    held = [_held(words, sentence) for sentence in sentences]
    for sentence, count in zip(sentences, held, strict=True):
        if bool(HAN.search(sentence)) != bool(HAN.search(premise)):
            continue  # what "not" takes back is told by words side by side
        about = count >= max(2, max(held) - 1, 0.4 * len(words))
        for before, denied, offered in _denials(sentence) if count > 1 else ():
            of = _held(words, before)
            said = [word for word in words if any(_is_form(word, other) for other in denied)]
            by_verb = any(_is_form(word, denied[0]) for word in said)
            objects = sum(any(_is_form(word, other) for word in words) for other in denied)
            if not ((offered and of > 1) or (about and of and (by_verb or objects > 1))):
                continue
            said = said or [word for word in words if _has(word, before)]
            hedged = any(_HEDGED.search(part) for _, part in _statements(premise) if any(word in part.lower() for word in said))
            affirmed = any(
                there >= count and _held(said, other) == len(said) and not _REFUSED.search(other)
                for other, there in zip(sentences, held, strict=True)
            )
            beside = by_verb and any(_has(denied[0], part) and not _REFUSED.search(part) for _, part in _statements(sentence))
            if not hedged and not affirmed and not beside:
                return said[-1]
    return ""


def _denials(sentence: str) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """For each "not": what stands before it (all, where it makes a kind, as in 非金属), the telling words behind, whether it only denies an offer."""
    for start, clause in _statements(sentence) if _REFUSED.search(sentence) else ():
        reach = _AROUND[bool(HAN.search(clause))] + REACH_DENIED
        for match in _REFUSED.finditer(_NOT_REFUSED.sub(lambda found: "~" * len(found[0]), clause)):
            before = sentence if match[0].startswith("非") else sentence[: start + match.start()]
            behind = clause[match.end() :]
            yield before, _telling(behind[:reach])[:REFUSED_WORDS], bool(_OFFERED.match(behind))


def _is_form(word: str, other: str) -> bool:
    """Whether two words are one, or one holds the other; two Chinese ones also where they share a character and a meaning."""
    if bool(HAN.search(word)) != bool(HAN.search(other)) or not HAN.search(word):
        return _has(word, other)
    return word in other or other in word or (bool(set(word) & set(other)) and alike(word, other))


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
    words = _telling(match["what"] or match["that"] or match["this"]) if match else ()
    spoken = [sentence for sentence in sentences if any(_has(word, sentence) for word in words)]
    alone = any(
        not _DENIED.search(sentence[max(0, found.start() - DENIED_BEFORE) : found.start()])
        for sentence in spoken
        for found in _ALONE.finditer(sentence)
        if not _SEVERAL.match(sentence[found.end() :])
    )
    listed = re.compile(
        "|".join(rf"{word}\s?(?:[、和与及]|,? and\b)|(?:[、和与及]|\band)\s?{word}" for word in map(re.escape, words)), re.IGNORECASE
    )
    several = any(_TOGETHER.search(sentence) or listed.search(sentence) for sentence in spoken)
    return (re.findall(r"只|仅|单单|only", match[0]) or [match[0]])[0] if match and several and not alone else ""


# ---- who did it ----


@lru_cache(maxsize=1 << 11)
def _names(text: str) -> tuple[str, ...]:
    """Latin names, without a first word that has its capital anyway, and Chinese ones that are known.

    >>> _names("How did IDC and Open Sea get to 北京?")
    ('IDC', 'Open Sea', '北京')
    """
    found: list[str] = []
    for match in _NAME.finditer(text):
        words = [word for word in match[0].split() if word not in _NO_NAME]
        first = match.start() == 0 and len(words) == 1 and not re.search(r"[A-Z0-9]", words[0][1:]) and not HAN.search(text)
        if words and len(" ".join(words)) > 1 and not first:
            found.append(" ".join(words))
    for run in re.findall(rf"{HAN.pattern}+", text):
        found += [word for word in segment(run) if len(word) > 1 and word in proper_names()]
    return tuple(dict.fromkeys(found))


def _is_named(name: str, text: str) -> bool:
    """Whether a text has a name, or one that differs from it in the last letter only.

    >>> _is_named("Indian", "India's ministry"), _is_named("GPT-4", "GPT-3 and GPT-5")
    (True, False)
    """
    if HAN.search(name):
        return any(form in text.lower() for form in _forms(name, bool(HAN.search(text))))
    told = name.lower()[: -1 if name.isalpha() and len(name) > 4 else None]
    return told in text.lower() or _held(name.split(), text) == len(name.split())


def _led(premise: str, sentences: Sequence[str]) -> str:
    """Who leads something that a sentence says is led by somebody else.

    >>> _led("浮筒以后要由船厂说了算", ["浮筒仍将由港口主导。"]), _led("浮筒以后要由港口说了算", ["浮筒仍将由港口主导。"])
    ('船厂', '')
    """
    match = _LED.search(premise)
    if not match:
        return ""
    who = match["a"] or match["b"]
    rest = _telling(premise.replace(match[0], " "))
    told = [(found["a"] or found["b"], _held(rest, sentence)) for sentence in sentences for found in _LED.finditer(sentence)]
    leaders = [leader for leader, held in told if held]
    return who.strip() if leaders and not any(_held(_telling(who), leader) or _held(_telling(leader), who) for leader in leaders) else ""


def _told_by(question: str, sentences: Sequence[str]) -> str:
    """Who is said to say something that a sentence tells of somebody else, or of whom it is never told.

    >>> _told_by("IDC 在哪份报告里说浮筒会有 5 亿个？", ["据 Gartner 报告，浮筒会有 5 亿个。", "IDC 预测，拦坝会有 3 座。"])
    'IDC'
    """
    match = _SAID.search(question)
    if not match:
        return ""
    who = match["a"] or match["c"]
    what = [word for word in _telling(match["b"] or match["d"]) if word not in _telling(who)][:8]
    own = [sentence for sentence in sentences if _is_named(who, sentence)]
    if not own or not what:
        return ""
    most = max(_held(what, sentence) for sentence in own)
    for sentence in sentences:
        others = [name for name in _speakers(sentence) if not _is_named(name, question)]
        if sentence not in own and others and _held(what, sentence) > max(most, 1):
            return who
    known = any(_held(what[:2], sentence) == len(what[:2]) for sentence in sentences)
    says = any(_is_named(who, name) for sentence in own for name in _speakers(sentence))
    return who if known and says and not any(_held(what[:2], sentence) for sentence in own) else ""


def _speakers(sentence: str) -> list[str]:
    return [name for match in _SPEAKERS.finditer(sentence) for name in match.groups() if name]


_RULES: tuple[Callable[[str, Sequence[str]], str], ...] = (
    _compared, _changed, _outdone, _ordered, _moved, _opposed, _described, _misplaced, _denied, _refuted, _first, _only
)  # fmt: skip
_WHO: tuple[Callable[[str, Sequence[str]], str], ...] = (_led, _told_by)
"""Rules that hold names against the sentences, but for those of the report, which only say who is asked."""
