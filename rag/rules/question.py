"""What a question asks: its language, its kind, its content words, and what an answer must hold (years, names, a number of which kind).

Rules in two languages, one table each. Patterns for Chinese never touch Latin letters, so that a name such as PaC survives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.search.question import HAN, LATIN, count_publishers, language_of, names_in, names_of
from rag.text.quantities import QuantityKind, quantities, years
from rag.types import Document

QuestionKind = Literal["abbreviation", "compare", "definition", "why", "entity", "list", "number", "person", "other"]

LONG_KINDS = frozenset({"list", "why", "compare"})
"""Kinds whose answers take several sentences."""


_ACRONYM = r"[A-Z][A-Za-z0-9&/+.-]*[A-Z0-9a-z]|[a-z]+[A-Z][A-Za-z]*"

_WHEN = r"(?:(?:^|[,;] )(?:(?:and|but|so) )?|\b(?:by|since|until) )when(?=[,?]|$| (?:is|are|was|were|will|would|did|do|does|can|could|should|has|have|had|might)\b)|\bwhen exactly\b"
_PLURAL = (
    r"(?!does\b|has\b|was\b|is\b)[\w-]*[^sui\W]s\b(?! (?:is|was|has|the|an?|its|in|on|at|to|up|with|by|most|first|second|best|better)\b)"
)
"""A word that ends as plurals do and that nothing follows which follows verbs."""
_BETWEEN = r"(?:(?!(?:the|an?|of|is|are|was|were|does|do|did|has|have|had|will|would)\b|[\w-]+[^s]s\b)[\w'’-]+ ){0,4}?"
"""Words that may stand between "what" and the measure that it asks for: no verbs."""
_MEASURE = (
    "percentage|percent|share|proportion|portion|fraction|year|month|rate|number|amount|size|accuracy|level|price|cost|salary|revenue|turnover|population|speed|height|length|weight|age|date"
    "|capacity|score|grade|ratio|fee|stipend|valuation|bounty|cut|density|volume|temperature|budget|total|rank"
)

# The first rule that matches wins; the order settles what several would claim ("为什么…多少" asks why).
_KINDS: tuple[tuple[QuestionKind, re.Pattern[str]], ...] = (
    (
        "abbreviation",
        re.compile(
            rf"(?:{_ACRONYM}).{{0,12}}(?:全称|全写|缩写|缩略|简写|代表(?:啥|什么|哪)|各代表|展开)|(?:全称|缩写|缩略语|简称).{{0,10}}(?:{_ACRONYM})"
            r"|\bstands? for\b|\babbreviat|\bacronym|\bfull (?:form|name) of [A-Z]|\bspell(?:ed)? out\b|哪几个(?:英文)?(?:词|单词)"
            rf"|(?:{_ACRONYM})\s?(?:的|用|在)?(?:中文|汉语|英文|英语)[^，。？]{{0,4}}(?:意思|名称?|叫|是|怎么说|全称)|(?:{_ACRONYM})\s?(?:表示|是)(?:什么|哪个|哪种)(?:数据|计量)?单位"
        ),
    ),
    (
        "compare",
        re.compile(
            r"(?:和|与|跟|同)[^，。？！,?]{1,14}(?:一致吗|一样吗|有(?:什么|何)(?:不同|区别|差别|异同)|的(?:区别|差别|异同|不同)|相比)|报告(?:分别|各自)|那边(?:也|怎么)|也有类似|两[份篇个本](?:报告|书)|两家(?:报告|机构|公司)|这几份报告|各份报告|两边|那份和|\b(?:both|two) reports\b|\bcompare[ds]?\b(?! (?:with|to)\b)|\bcontrast\b|\bdiffer(?:s|ence|ences)? between\b"
        ),
    ),
    (
        "definition",
        re.compile(
            r"(?:给.{0,8})?下(?:的|个|一个)?定义|(?:怎么|怎样|如何)(?:定义|理解|解释|界定|说清楚?|讲清楚?)|的?定义(?:是|$|[？?])|怎么一?回事|什么意思|啥意思|含义|指(?:的是)?(?:个)?(?:什么|啥)|指(?:的是)?怎样|指的是|说的是什么|说的是啥|(?:才|能)?算(?:是)?[“\"「]"
            r"|(?:一句话|大白话|通俗)[^，。？]{0,4}(?:解释|说明|介绍|讲|说)|(?:解释|介绍|科普|说明)(?:一)?下"
            r"|\bdefin(?:e|es|ed|ition)\b|\bwhat (?:does|do) .{1,60} mean\b|\bmeant by\b|\bmeaning of\b"
        ),
    ),
    (
        "list",
        re.compile(
            r"(?:分别|各自)[^，。？]{0,6}(?:什么|啥|哪|谁)|都有(?:谁|啥|什么|哪)|有谁|列(?:出|举|一下)|\bname (?:the|all|its|their|some|two|three|four|five|six|seven)\b"
        ),
    ),
    (
        "why",
        re.compile(
            r"为什么|为何|为啥|何以|凭什么|凭啥|干嘛|干吗|图(?:的是|个|的)?(?:什么|啥)|(?:图|为)的是(?:什么|啥)|怎么(?:还|会|就|反而|反倒)|原因|缘由|理由|出于(?:什么|啥|何种|怎样的)|取决于|坎儿|短板|难点|挑战|难在|瓶颈在|卡在|怪到"
            r"|(?:毛病|问题|症结|根子|根源|病根)(?:出|是)?在|(?:好|强|弱|差|错|妙|坏|贵|难)在(?:哪|什么|何处)|惹(?:出|来|上)?(?:什么|啥|哪些)"
            r"|(?:有|带来|起到|产生|造成|引起|引发)(?:了)?(?:什么|何|啥|怎样的)(?:样的)?(?:好处|坏处|优势|劣势|影响|作用|意义|价值|风险|困难|麻烦|难题|问题|帮助|用处|变化|不足|缺点|优点|隐患|局限|后果)"
            r"|\bwhat (?:still |really |exactly )?(?:limits|hinders|hampers|holds back|constrains|prevents|blocks|drives|causes|mak(?:es|e)|made|drove|caused|prompted|persuaded|led|leads|pushed|explains|stands in the way)\b|\bwhat(?:'s| is| was| lies) behind\b|\bwhat for\b|\bon what grounds\b|\bwhy\b|\breasons?\b|\bcauses?\b"
        ),
    ),
    (
        "entity",
        re.compile(
            r"叫什么|叫啥|名字|名称是|什么名|(?:职务|职位|身份|头衔)(?:是|为)|最[^，。？]*是(?:什么|啥)$|(?:认为|觉得)是(?:什么|啥)$|\bcalled\b|\bnamed?\b"
        ),
    ),
    (
        "list",
        re.compile(
            r"(?:有|包括|包含|是|要|具备|分为|分成|涉及|需要|经历|满足|涵盖|列出|列举)?(?:哪些|哪几(?![年天])|哪[两二三四五六七八九十]+|哪\d+)|有些什么|有什么(?:硬性)?(?:特征|特点|方面|步骤|阶段|类|要求|条件)|分(?:成|为)几|几(?:类|种|大|个)(?:阶段|方面|部分|类)|几个方面|[两二三四五六七八九十]\s?(?:项|点|条|类|种|大?方面)$"
            rf"|\bwhat are\b|\bwhich (?:two|three|four|five|six|seven)\b|\bwhich {_BETWEEN}{_PLURAL}|\bwhat (?:about )?(?:its |their |the )?{_BETWEEN}(?:kinds|types|stages|steps|factors|categories|components|features|challenges|technologies|goals|aims|tasks|benefits|advantages|risks|functions|principles|layers|methods|measures|conditions|requirements|areas)\b|(?:^|please |you )list\b"
        ),
    ),
    (
        "number",
        re.compile(
            r"多少|几成|(?<![这那好十百近前])几(?:个月|分之|比|[位个人家台辆架倍年天月次道分页米瓦档度秒岁号届级颗条])|第几|几(?:微米|纳米|毫米|比特|小时|分钟|瓦)|多[大小高低长短久快慢远近宽窄重深浅广准强]|比例|占比|比重|百分之几|增速|增长率|哪一?(?:年|个?月|天)|何时|何年|(?:什么|啥)(?:时候|年代|年份)|几时|到什么(?:级别|规模|程度|水平|地步)|什么(?:规模|水平)|幅度|花费|价格|卖.{0,3}钱"
            r"|(?:数量|总量|总数|总额|得分|规模|容量|月租|份额|总和)$"
            rf"|\bhow (?:many|much|large|big|long|fast|high|often|far|old|tall|small|low|wide|soon|quickly|cheap|few|little|heavy|deep|thick|expensive|frequently|late|early|dense)\b|{_WHEN}|\b(?:what|which) {_BETWEEN}(?:{_MEASURE})\b|\bby what\b"
            rf"|\bwhat(?:'s| is| was| are| were| will be) (?:the |its |their |an? )?{_BETWEEN}(?:{_MEASURE})\b|\bwhat(?:'s| is| was) the (?:longest|shortest|highest|lowest|fastest|fattest)\b|\b(?:what|which) (?:would|does|do|did|will|is|was) .{{2,60}} (?:cost|earn|pay out|weigh|worth)\b"
        ),
    ),
    ("person", re.compile(r"谁|哪位|何人|哪个人|什么头衔|\bwho(?:m|se)?\b")),
    ("entity", re.compile(r"哪(?:一)?[个家款种类项处里儿座份块句本所]")),
    ("why", re.compile(r"怎么(?!样的|一种)|怎样(?!一[个种])|如何|咋|\bhow\b")),
    (
        "definition",
        re.compile(
            r"是(?:个)?什么[？?。！\s]*$|是(?:个)?啥[？?。\s]*$|^什么是|^啥是|什么样的.{0,20}才|怎样一[个种]|怎么一种|^(?:那)?(?:什么|啥)叫|^何[为谓]|是(?:一)?(?:个|种)?(?:什么|啥)(?:样的)?(?:概念|东西|玩意儿?|技术|模式|理念|机制|体系|方法)[？?。\s]*$|是(?:一)?[个种](?:什么|啥)(?:样的)?[\u4e00-\u9fff]{0,4}$|(?:做|干)(?:什么|啥|嘛)(?:用)?的|用来(?:做|干)(?:什么|啥|嘛)|\bwhat (?:is|are|was)\b(?! the\b)|\btell me about\b|\bexplain\b"
        ),
    ),
    ("entity", re.compile(r"哪|什么|啥|\bwhich\b|\bwhat\b|\bwhere\b")),
    ("list", re.compile(rf"\b(?:two|three|four|five|six|seven) (?:[\w-]+ ){{0,2}}?{_PLURAL}")),
)
_OF_THE_WHOLE = frozenset({"abbreviation", "compare"})
"""Kinds that any clause of a question tells, not only the one that asks."""

_ASKED: tuple[tuple[tuple[QuantityKind, ...], re.Pattern[str]], ...] = (
    (("year", "date"), re.compile(rf"哪一?年|何时|何年|(?:什么|啥)(?:时候|年代|年份)|几时|{_WHEN}|\b(?:what|which) year\b")),
    (
        ("percent", "multiple"),
        re.compile(
            r"几成|百分之几|比例|占比|比重|增速|增长率|准确率|概率|幅度|准不准|多大比|\bpercent|\bshare\b|\bproportion\b|\bfraction\b|\bgrowth rate\b|\baccuracy\b"
        ),
    ),
    (("money", "percent"), re.compile(r"市场.{0,6}(?:多少|多大)")),
    (
        ("money",),
        re.compile(
            r"(?:挣|赚)(?:到|得)?多少|(?:开|报|要|出)价[^，。]{0,3}(?:多少|多高|几)|费用?[^，。？]{0,4}(?:是|要|得|怎么|如何)?(?:多少|怎么算)|(?:月薪|年薪|薪水|薪资|工资|营收|营业额|净?利润|票价|身价|市值|学费|租金|融资额?|身家)[^，。]{0,6}(?:多少|多高|几)|多少钱|花费多少|造价|售价|价格|[单报定时]价|收费|年费|多少(?:亿|万)?(?:美元|元|美金)|投资(?:规模|额)|\bhow much (?:(?:do|does|did|would|will|were|was|are|is)\b.{2,60}\b(?:costs?|earn|paid|pay|charge)\b|money|does it cost|will it cost)\b|\bprice\b|\bcosts?\b.{0,10}\bhow much|\b(?:salar(?:y|ies)|wages?|fees?|rent|turnover|valuation|budget)\b|\bwhat (?:would|will|does|do|did)\b.{2,60}\b(?:cost|earn|pay|charge)\b"
        ),
    ),
    (
        ("duration",),
        re.compile(
            r"多久|多长时间|几(?:个)?(?:小时|分钟|秒|天|月)|(?:等|要|再|花|用|过|得|撑|需)(?:上|个|了)?几年|多少(?:个)?(?:小时|分钟|秒|天|周|月|年)|\bhow long\b|\bhow many (?:hours|days|minutes|seconds|months|years|weeks)\b"
        ),
    ),
    (
        ("people", "bare"),
        re.compile(r"多少(?:位|名|人)|几(?:位|名|人)|\bhow many (?:people|persons|experts|users|employees|workers|teachers)\b"),
    ),
    (("length",), re.compile(r"几纳米|多少(?:纳米|微米|毫米|米|公里)|\bnanomet|制程")),
    (("power", "energy"), re.compile(r"多少(?:瓦|千瓦|GW|MW|度电)|功耗|装机|\bwatts?\b|\bGW\b")),
    (("rate",), re.compile(r"带宽|速率|网速|\bbandwidth\b|\bbps\b")),
    (("multiple",), re.compile(r"几倍|多少倍|\bhow many times\b")),
)

# Single characters that also build words (能, 为, 用, 以) stay: a stray one costs little, half of 能源 or 华为 costs the question.
_ZH_PHRASES = re.compile(
    r"(?:这|那)?一(?:章|节|部分)[里中内]?|[章节][里中内]|^(?:那|所谓)?(?:什么|啥)叫|叫(?:做|作)?(?:什么|啥)(?:名字|名称|名)?|是(?:个|一个|一种|种)?(?:什么|啥)(?:样的)?(?:概念|东西|玩意儿?)|用来(?:做|干)(?:什么|啥|嘛)的?|(?<=是)(?:做|干)(?:什么|啥|嘛)(?:用)?的|请问|请告诉我|麻烦(?:帮我)?(?:问|查|列|说)?一下|帮我(?:问|查|列)一下|逐一(?:说明|列出)|[用拿]?(?:一句话|大白话)(?:来)?(?:解释|说明|介绍|讲讲?|说)?(?:一?下)?|(?:解释|介绍|科普|说明)一?下|听(?:着|起来|上去)(?:挺|很|有点)?[\u4e00-\u9fff]{1,2}(?=[，,])|先得弄懂|一词|(?:怎么|怎样|如何)(?:解释|说清楚?|讲清楚?|理解|界定|定义)(?:的|这个概念)?|告诉我|我想(?:知道|了解)|想(?:问|知道|了解)一下|能不能|可不可以|有没有|是不是|说白了|(?:在)?(?:报告)?(?:里|中)?被?定义[成为]|常听人讲|按照?.{0,6}的说法|(?:根据|按照?).{0,6}报告|(?:这|那|两)?(?:份|篇|个)?报告(?:里|中|上)?(?:说|提到|认为|指出|给出|怎么看|所说)?的?|文中|"
    r"(?:(?:19|20)\d\d\s?)?(?:年的?)?[这那]份(?:报告)?|那边|也有类似(?:的)?(?:想法|说法|提法)?|分别是?|是怎么一?回事|怎么一?回事|是什么意思|什么意思|是怎样一[个种]|怎么一种|指的是|说的是|到底|究竟|大概|大约|差不多|一下|分别|各自|这件事|"
    r"为什么|为何|为啥|凭什么|怎么样|怎么|怎样|如何|什么样的|什么样|是什么|什么|啥|有?哪些|哪几[个条种类项位家款]?|哪[两二三四五六七八九十]+[个条种类项位家款样大件]?|哪[个条种类项位家款里儿年]|谁|多少|多大|多高|多长|多久|多快|几[个条种类项位家款成]|几(?=纳米|瓦|年|天|小时)|"
    r"[两三四五六几]个字母|字母|的?(?:全称|全写|缩写|简写|展开)|各?代表(?=[什啥哪 ]|$)|翻译?(?:过来|成中文)|的时候|的话|那么|其中的?|它们?的?|他们?的?|她的?|这个|那个|这些|那些|这块|这类|这种|该|对于|关于|来说|属于|以及|可以|能够?做到|能达到|达到|会达到|将达到|"
    r"有没|吗|呢|吧|呀|啊|嘛|了(?=[？?，。]|$)|^那|的|把|被|是"
)
EN_STOP = frozenset(
    "a an the is are was were be been being do does did will would can could should shall may might must has have had of in on at to from by for with about as into onto than then that this these those "
    "it its they them their there here he she his her we our you your i me my and or but if so not no nor yes how what which who whom whose when where why per each any some such "
    "say says said tell give given report reports according document documents please explain define mean means meant called named name describe compare both between also own very just only more most other".split()
)
"""English words that hold questions together, in lower case."""
_HOW_MUCH = re.compile(r"\bhow (?:much|many|large|big|long|far)\b|\bby how\b|\b(?:much|many)\b", re.IGNORECASE)
_LEFT_OVER = frozenset("和与跟及又也还都就才会能要将在对为到从看讲说提叫搞做用有里中上下请")
"""Characters that are left over from a phrase when they stand alone."""

_COMPARING = re.compile(
    r"(?:19|20)\d\d\s?年?|专家|报告|押注|看法|看待|观点|态度|期待|判断|说法|讲法|提法|一致|差多远|差别|差异|区别|异同|不同|相同|相比|比较|对比|两边|双方|"
    r"(?<![\u4e00-\u9fff])[和与跟说讲看提事搞](?![\u4e00-\u9fff])|(?<=[\u4e00-\u9fff])(?:的事|这事|方面)(?![\u4e00-\u9fff])|"
    r"\b(?:compare[ds]?|comparison|contrast|differ(?:s|ent|ence|ences)?|similar|view|views|position|both|reports?)\b",
    re.IGNORECASE,
)
"""Words of comparing, in what is left of a question without its asking words."""

_SECTION = re.compile(
    r"[“\"「]?([^，。；？“”\"「」在]{2,20}?)[”\"」]?\s?(?:这|那)?(?:一)?(?:章节|章|节|部分)(?:里|中|内|的|，|是|由)"
    r"|\b(?:in|of) the (?:section|chapter|part) (?:on|about|called|titled|named) [“\"]?([\w' -]{3,40}?)[”\"]?(?=[,?.;]|\s(?:what|which|who|how|why|when|where|is|are|does|do)\b)",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(r"^[^：:？?]*(?:我|老板|领导|客户|麻烦)[^：:？?]*[：:](?=[^：:]{8})")
"""What an asker tells of the reason for a question."""
_QUOTED = re.compile(r"“[^“”]*[\u4e00-\u9fff ][^“”]*”|「[^「」]*[\u4e00-\u9fff ][^「」]*」|\"[^\"]*[\u4e00-\u9fff ][^\"]*\"")
"""What a question quotes, but for a name in Latin letters."""
_CLAUSE_ENDS = re.compile(r"[，,；;：:。？?！!]+\s*|(?<=[a-z])\.\s+|\s[-–—]+\s|——")
_ASKING = re.compile(
    r"(?<![没无])什么|啥|谁|哪|多少|(?<![这那好十百近前])几(?![乎何十百千万])|怎|如何|咋|干嘛|干吗|为何|何[以为谓时年人处]|多[大小高低长短久快慢远近宽深广准强]|吗|是否"
    r"|解释|介绍|说明|科普|定义|列[出举一]|说说|讲讲|谈谈"
    r"|\b(?:what|which|who|whom|whose|how|why|where)\b|\bwhat's\b|"
    + _WHEN
    + r"|^(?:please )?(?:name|list|explain|describe|define|tell|give|spell)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"什么|啥|谁|哪|多少|几(?=[个种类家位成项])|怎么|怎样|如何|为何|多[大高长久快低]|吗|是否")
_AND_ASKS = re.compile(r",? and (?=(?:what|which|who|why|how|when|where|by what|at what|in what)\b)|[;?] ", re.IGNORECASE)


_SAYS_WHO = re.compile(r"(?:[A-Z][\w-]*(?:'s)?\s+)+(?:(?:19|20)\d\d\s+)?reports?\b|\baccording to (?:the )?(?:[A-Z][\w-]*\s*)+")
"""Names that only say whose report is meant, which the report itself need not spell out."""

_ONLY_BEFORE = re.compile(
    r"(?:(?:只|仅|就|单)(?:看|查|在|用|限|从|问|说|谈|讲)?|(?:按照?|根据|依据?|据))\s*(?:一下)?\s*$|\b(?:only|just|according to|based on)\b[\w ]{0,14}$",
    re.IGNORECASE,
)
_ONLY_AFTER = re.compile(
    r"\s*(?:20\d\d\s?年?)?(?:的|这|那)?(?:份|篇|本)?\s*(?:报告|白皮书|年报)|\s*(?:又|是|都)?(?:怎么|如何)(?:看|说|讲|判断|评价|预测|定义)|\s*(?:为什么|为何|为啥)?(?:认为|预测|预计|指出|提到|觉得|判断|断言|建议|主张)"
    r"|(?:'s)?\s+(?:\w+\s+){0,2}(?:report|white paper)\b|\s+(?:say|predict|expect|think|forecast|believe|define|see)",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"(?:(?:please|and)\s+)?\bround(?:ed)?\b[^.?;]{0,30}\bto (?:\w+|\d+) (?:decimal places?|significant (?:digits|figures))\.?|\b(?:please )?answer in (?:units of )?[^.?;]{2,40}"
    r"|\(?\bin (?:units of [\w ]{3,14}|(?:USD|US dollars?|EUR|RMB)?\s?(?:thousands|millions|billions))\b\)?|\b(?:please )?answer the (?:following )?question|\bto the best of your (?:abilities|knowledge)\b"
    r"|\bby drawing conclusions from\b|\bthe information (?:stated|provided)\b|\bapproach the question asked by assuming the standpoint of [^.?;]{3,60}?(?= who| that|[.?;])"
    r"|\bif [^.?]{3,80} (?:is|are) not (?:a )?(?:relevant|useful|meaningful)[^.?]*\.?|(?:结果)?(?:保留|精确到|四舍五入到?)[^，。；？]{0,8}小数(?:点后[^，。；？]{1,4}位)?|(?:请)?用一句话(?:回答|概括)?|(?:以|按)[^，。；？]{1,6}为单位",
    re.IGNORECASE,
)
"""How an answer is to be written, which no report says."""
_ONLY_YEAR = re.compile(
    r"(20\d\d)\s?年?(?:的|那|这)?(?:份|篇|本)(?:报告)?|(?:只|仅)(?:看|查|用|限)?\s?(20\d\d)\s?年?的?报告|\b(?:the|only) (20\d\d) report\b"
)
"""What makes the name of a report say who alone may answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, read. `core` is what is left to look for once the asking is taken away."""

    text: str
    language: Literal["zh", "en"]
    kind: QuestionKind
    core: str
    asked: tuple[QuantityKind, ...]
    """Kinds of number that would answer it; empty when no kind of number is asked for in particular."""
    years: frozenset[int]
    names: tuple[str, ...]
    """Latin names and terms of the question, as written."""
    reports: tuple[str, ...]
    """Ids of the documents that the question names by title or publisher."""
    only: tuple[str, ...] = ()
    """Ids of the documents that alone are asked ("华为的报告", "达摩院怎么看", "只看 2023 年的报告"); empty for all."""
    carried: str = ""
    """Content words of the turn before that a follow-up leans on."""


def asking_of(text: str) -> str:
    """The clauses of a question that ask, without what they quote; the whole text where none does.

    >>> asking_of("老板问“卖多少”，我想知道：它叫什么？"), asking_of("When a dam breaks, who pays?"), asking_of("HTAP 全称")
    ('它叫什么', 'who pays', 'HTAP 全称')
    """
    for told in (_QUOTED.sub("“”", text), text):
        asking = [clause for clause in _CLAUSE_ENDS.split(told.strip()) if _ASKING.search(clause)]
        if asking:
            return ("，" if HAN.search(text) else ", ").join(asking)
    return text.strip().rstrip("？?。. ")


def kind_of(text: str, named: int = 0) -> QuestionKind:
    """The kind of a question; `named` is how many different reports it names.

    >>> kind_of("为什么要三条路径？"), kind_of("HTAP 全称"), kind_of("How many vertices?")
    ('why', 'abbreviation', 'number')
    """
    if named > 1:
        return "compare"
    asking = _both_cases(asking_of(text))
    text = _both_cases(text)
    return next((kind for kind, pattern in _KINDS if pattern.search(text if kind in _OF_THE_WHOLE else asking)), "other")


def _both_cases(text: str) -> str:
    """An English text in lower case and, behind that, as it is."""
    return text if HAN.search(text) else f"{text.lower()} {text}"


def strip_asking(text: str) -> str:
    """The question without the words that only ask or say how to write the answer. Falls back to the text when nothing would be left.

    >>> strip_asking("存算一体有哪三条技术路径？")
    '存算一体有 技术路径'
    """
    asked, pieces = text, []
    text = _HOW_MUCH.sub(" ", _FORM.sub(" ", _BACKGROUND.sub("", text)))
    for piece in re.split(r"([0-9]*[A-Za-z][A-Za-z0-9+./&'-]*)", text):
        if LATIN.fullmatch(piece):
            pieces.append(" " if piece.lower() in EN_STOP and piece not in ("IT", "US", "AI") else piece)
        else:
            pieces.append(_ZH_PHRASES.sub(" ", piece))
    core = re.sub(r"[\s，。？！、；：,?!;“”\"「」（）()]+", " ", "".join(pieces)).strip()
    telling = [piece for piece in core.split() if piece not in _LEFT_OVER]
    return " ".join(telling) or core or asked.strip()


def parts_of(text: str) -> tuple[str, ...]:
    """The questions that one text asks, each with a word of asking; one for most texts.

    >>> parts_of("序言是谁写的，什么身份？"), parts_of("Which trend is on tides and what limits it?")
    (('序言是谁写的', '什么身份'), ('Which trend is on tides', 'what limits it'))
    """
    if not HAN.search(text):
        return tuple(part for part in _AND_ASKS.split(text.strip().rstrip("?")) if part)
    parts: list[str] = []
    for clause in filter(None, re.split(r"[，,；;？?。]+", text.strip())):
        if parts and not (_ASKS.search(clause) and _ASKS.search(parts[-1])):
            parts[-1] += f"，{clause}"
        else:
            parts.append(clause)
    return tuple(parts)


def section_named(text: str) -> str:
    """What a question says of the section that is meant to answer it; empty when it says nothing.

    >>> section_named("在“成本”一节里，提到了什么？"), section_named("In the section on tidal cost, what is said?"), section_named("成本是多少？")
    ('成本', 'tidal cost', '')
    """
    match = _SECTION.search(text)
    return next(filter(None, match.groups())).strip() if match else ""


def read_question(text: str, documents: Sequence[Document] = ()) -> Question:
    """Reads a question against the reports that there are, whose titles and publishers it may name."""
    named = {document: found for document in documents if (found := names_in(text, document))}
    reports = tuple(sorted(document.id for document in named))
    kind = kind_of(text, count_publishers(named))
    asked = tuple(dict.fromkeys(kind for kinds, pattern in _ASKED if pattern.search(asking_of(text).lower()) for kind in kinds))
    return Question(
        text=text,
        language=language_of(text),
        kind=kind,
        core=strip_asking(text),
        asked=asked,
        years=years(text),
        names=tuple(
            name for name in dict.fromkeys(LATIN.findall(_SAYS_WHO.sub(" ", _BACKGROUND.sub("", text)))) if name.lower() not in EN_STOP
        ),
        reports=reports,
        only=() if kind == "compare" else _only(text, documents),
    )


def _only(text: str, documents: Sequence[Document]) -> tuple[str, ...]:
    """Ids of the documents whose name stands where a question says who is asked; empty when none or all of them."""
    asked: set[str] = set()
    for document in documents:
        for name in names_of(document):
            for match in re.finditer(_name_pattern(name), text, re.IGNORECASE):
                if _ONLY_BEFORE.search(text[: match.start()]) or _ONLY_AFTER.match(text[match.end() :]):
                    asked.add(document.id)
    named_years = {int(year) for match in _ONLY_YEAR.finditer(text) for year in match.groups() if year}
    asked |= {document.id for document in documents if document.year in named_years}
    return tuple(sorted(asked)) if len(asked) < len(documents) else ()


def without_names(core: str, documents: Sequence[Document]) -> str:
    """`core` without the names of publishers and the words of comparing, which say where to look and not what for.

    Falls back to `core` when nothing else is left.
    """
    stripped = core
    for document in documents:
        for name in sorted(names_of(document), key=lambda name: (-len(name), name)):
            stripped = re.sub(rf"{re.escape(name)}云?(?:的|专家|报告)*(?:和|与|跟)?", " ", stripped, flags=re.IGNORECASE)
    stripped = _COMPARING.sub(" ", stripped)
    if re.search(rf"{HAN.pattern}{{2}}|[A-Za-z0-9]{{2}}", stripped):
        core = stripped
    return re.sub(r"\s+", " ", core).strip() or core


def _name_pattern(name: str) -> str:
    return rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])" if name.isascii() else re.escape(name)


def quantity_answers(question: Question, text: str) -> list[tuple[int, int]]:
    """Spans in `text` of quantities that the question does not itself hold and that are of an asked kind (any kind, if none is asked for)."""
    known = {(quantity.low, quantity.high, quantity.kind) for quantity in quantities(question.text)}
    return [
        (quantity.start, quantity.end)
        for quantity in quantities(text)
        if (quantity.low, quantity.high, quantity.kind) not in known
        and (
            quantity.kind in question.asked
            if question.asked
            else quantity.kind not in ("year", "bare") or quantity.low >= 10 or quantity.low % 1
        )
    ]
