"""Numbers with their units in Chinese and English text: where they stand, how much they say, and of what kind they are.

One scanner serves three readers: the ranker (has this sentence a number of the asked kind?), the abstention (is the asked year there?) and
the check of a claim (does the source say 1500 万 where the claim says 15 million?). It knows forms, not meanings: "5G" and "3.1.2" are no quantities.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

QuantityKind = Literal[
    "year",
    "percent",
    "money",
    "people",
    "duration",
    "multiple",
    "date",
    "rate",
    "length",
    "power",
    "energy",
    "data",
    "compute",
    "count",
    "bare",
]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a text. `low == high` unless it is a range such as 20%到80%."""

    start: int
    end: int
    low: float
    high: float
    unit: str
    """As written, lower case; "%" for every form of per cent."""
    kind: QuantityKind


DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
SMALL = {"十": 10, "百": 100, "千": 1000}
LARGE = {"万": 10**4, "亿": 10**8, "兆": 10**12}
ENGLISH_MAGNITUDES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "hundred": 1e2}

_UNITS: tuple[tuple[QuantityKind, str], ...] = (
    ("percent", r"%|percent|per cent|个百分点|百分点|percentage points?"),
    ("money", r"(?:亿|万)?(?:美元|美金|欧元|日元|港元|人民币|元)|\$|usd|dollars?|euros?|yuan|rmb|cny"),
    ("people", r"位|名|人次|人|people|persons?|users?|experts?|employees|teachers|visitors?"),
    (
        "duration",
        r"个?小时|分钟|秒钟?|毫秒|微秒|纳秒|个?星期|周|天|日内|个?月|年(?:时间|内|间|来|以上|左右)?|年期|ms|μs|us|ns|hours?|minutes?|seconds?|milliseconds?|days?|weeks?|months?|years?|h(?![a-z])",
    ),
    ("multiple", r"倍|个?数量级|times|fold|orders? of magnitude|x(?![a-z])"),
    ("rate", r"[tgmk]?bps|[tgmk]bit/s|[tgmk]?b/s|[tgmk]hz|hz|fps|次/秒|tps|qps"),
    ("length", r"纳米|nm|微米|μm|um|毫米|mm|厘米|cm|公里|千米|km|平方公里|平方千米|平方毫米|平方米|米|m(?![a-z])|平方"),
    ("power", r"[tgmk]w(?![a-z])|瓦|千瓦|兆瓦|吉瓦|watts?|w(?![a-z])"),
    ("energy", r"[tgmk]wh|千瓦时|度电|度|焦耳|joules?|j/bit|pj/bit"),
    ("data", r"[zeptgmk]b(?![a-z/])|字节|bytes?|比特|bits?|tokens?"),
    ("compute", r"[zeptgm]?flops?(?:/s)?|[tp]?ops|算力卡|卡|张|gpus?|cores?|核"),
    (
        "count",
        r"个|家|辆|架|台|部|种|条|项|类|款|座|次|吨|件|份|亿次|层|代|所|门|场|篇|点|步|级|路|维|倍率|亿|参数|parameters?|units?|vehicles?|phones?|drones?|robots?|satellites?|vertices|items?|companies|enterprises|countries|categories|stages?|steps?|layers?|qubits?|量子比特|行|片|块|颗|只|套|对|帧|轮|届|例",
    ),
)
_UNIT = "|".join(f"(?P<u{i}>{pattern})" for i, (_, pattern) in enumerate(_UNITS))
_ARABIC = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_MAGNITUDE = r"(?:\s?(?:(?:[百千万亿]|兆(?!瓦|赫|字节|比特|焦))+|thousand|million|billion|trillion|hundred))?"
_HAN_NUMBER = (
    r"[零〇一二三四五六七八九两十百千万亿几数]*[十百千万亿](?:分之)?[零〇一二三四五六七八九两十百千万亿]*|[零〇一二三四五六七八九两]+"
)
_RANGE = r"(?:\s?(?:%|倍|万|亿)?\s?(?:~|-|–|—|到|至|to)\s?)"
_NUMBER = re.compile(
    rf"(?P<money>[$￥¥€£]\s?)?(?P<a>{_ARABIC})(?P<ma>{_MAGNITUDE})(?:(?P<pa>%)?{_RANGE}(?P<b>{_ARABIC})(?P<mb>{_MAGNITUDE}))?\s?(?P<plus>\+|余|多)?\s?(?:{_UNIT})?",
    re.IGNORECASE,
)
_HAN = re.compile(rf"(?P<h>{_HAN_NUMBER})\s?(?P<plus>余|多)?(?:{_UNIT})?", re.IGNORECASE)
_FRACTION = re.compile(rf"百分之(?P<h>{_HAN_NUMBER}|{_ARABIC})")
_TENTHS = re.compile(r"(?P<h>[一二三四五六七八九\d])成(?![为本功就分立熟果员])")
_YEAR = re.compile(
    r"(?<![\d.,])(?P<y>(?:1[89]|20)\d{2}|1\d{3}(?=\s?年))(?:\s?(?:-|~|–|—|至|到)\s?(?P<z>(?:1[89]|20)\d{2}))?\s?(?P<n>年(?!期|内|时间))?(?![\d,]*\d|\.\d|\s?(?:万|亿|个|位|人|家|%|倍|million|billion))"
)
_HAN_YEAR = re.compile(r"(?<![零〇一二三四五六七八九十])(?P<h>[一二][零〇一二三四五六七八九]{3})年(?!期|内|时间)")
_DATE = re.compile(
    r"(?<![个\d])(?:\d{1,2}|十[一二]?|[一二三四五六七八九])(?:\s?(?:至|到|-|~|、)\s?(?:\d{1,2}|十[一二]?|[一二三四五六七八九]))?\s?月(?!球|亮|光)(?:\s?(?:\d{1,2}|[一二三四五六七八九十]{1,3})\s?[日号]|份|底|初|中旬|上旬|下旬|末)?"
    r"|[春夏秋冬](?:季|天)|(?:\d{1,2}|[一二三四五六七八九十]{1,3})\s?世纪|[1-9]0\s?年代|[一二三四五六七八九]十年代|(?:周|星期)[一二三四五六日天末]|平日|假日"
    r"|\b(?:January|February|March|April|May|June|July|August|September|October|November|December|spring|summer|autumn|winter)\b(?:\s\d{1,2}(?!\d))?"
)
_RATIO = re.compile(r"(?<![\d:：.])(?P<a>\d+(?:\.\d+)?)\s?[:：比]\s?(?P<b>\d+(?:\.\d+)?)(?![\d:：.])")
_NOT_A_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?:\d+(?:\.\d+){2,}|[A-Za-z]+[-_]?\d+(?:\.\d+)?|\d+(?:\.\d+)?(?:g|d|c|b)(?![A-Za-z/])(?:-[A-Za-z])?)(?![A-Za-z0-9_])",
    re.IGNORECASE,
)
_IDIOMS = re.compile(
    r"一(?:些|样|般|定|直|旦|致|体|起|种|个|项|方面|系列|步|站式|朵|键|下|切|同|次性|代|线|流|道|点|半|场|层|位|家|条|名|部分)|十分(?!钟|之)|千行(?:万|百)[业态]|万物|万千|百姓|百业|千家万户|第[一二三四五六七八九十]+|[一二三四五六七八九十]+是|统一|唯一|单一|同一|之一|逐一|不一|万一|三维|二维|四维|多模|千差万别|亿万"
)


_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


def han_value(text: str) -> float:
    """The value of a Chinese number: "三千五百万" -> 35000000, "百" -> 100; "几" and "数" count as 1."""
    total = section = digit = 0.0
    seen = False
    positional = not set(text) & (SMALL.keys() | LARGE.keys())
    for character in text:
        if character in DIGITS:
            digit, seen = (digit * 10 if positional else 0) + DIGITS[character], True
        elif character in "几数":
            digit, seen = 1, True
        elif character in SMALL:
            section += (digit if seen and digit else 1) * SMALL[character]
            digit, seen = 0, False
        elif character in LARGE:
            # 万亿 multiplies what stands before it; 三亿五千万 adds a smaller section to it.
            section += digit
            total = total + section * LARGE[character] if section else (total or 1) * LARGE[character]
            section, digit, seen = 0.0, 0.0, False
    return total + section + digit


def _magnitude(text: str) -> float:
    text = text.strip().lower()
    if not text:
        return 1.0
    if text in ENGLISH_MAGNITUDES:
        return ENGLISH_MAGNITUDES[text]
    value = 1.0
    for character in text:
        value *= SMALL.get(character, LARGE.get(character, 1))
    return value


def _unit(match: re.Match[str]) -> tuple[str, QuantityKind | None]:
    for i, (kind, _) in enumerate(_UNITS):
        if found := match.group(f"u{i}"):
            return found.lower(), kind
    return "", None


def quantities(text: str) -> list[Quantity]:
    """All quantities of a text in order, without overlap.

    >>> [(q.low, q.high, q.unit, q.kind) for q in quantities("到2030年，有20%到80%的 1500 万教师")]
    [(2030.0, 2030.0, '年', 'year'), (20.0, 80.0, '%', 'percent'), (15000000.0, 15000000.0, '', 'bare')]
    """
    plain = text.translate(_HALF_WIDTH)  # keeps the number of characters
    found: list[Quantity] = []

    def blank(start: int, end: int) -> None:
        # What one pass has read is no part of what the next one reads: "2023 to 1.5亿" is not a range.
        nonlocal plain
        plain = plain[:start] + "\x00" * (end - start) + plain[end:]

    def take(start: int, end: int, low: float, high: float, unit: str, kind: QuantityKind) -> None:
        blank(start, end)
        found.append(Quantity(start, end, min(low, high), max(low, high), unit, kind))

    for match in _FRACTION.finditer(plain):
        number = match["h"]
        value = float(number.replace(",", "")) if number[0].isdigit() else han_value(number)
        take(*match.span(), value, value, "%", "percent")
    for match in _TENTHS.finditer(plain):
        value = 10 * (float(match["h"]) if match["h"].isdigit() else DIGITS[match["h"]])
        take(*match.span(), value, value, "%", "percent")
    for match in _HAN_YEAR.finditer(plain):
        value = han_value(match["h"])
        take(*match.span(), value, value, "年", "year")
    for match in _YEAR.finditer(plain):
        take(*match.span(), float(match["y"]), float(match["z"] or match["y"]), "年", "year")
    for match in _DATE.finditer(plain):
        first = re.match(r"\d+", match[0])
        value = float(first[0]) if first else han_value(re.match(r"[一二三四五六七八九十]*", match[0])[0])
        take(*match.span(), value, value, re.sub(r"[\d\s]", "", match[0]), "date")
    for match in _RATIO.finditer(plain):
        if float(match["b"]):
            take(*match.span(), float(match["a"]) / float(match["b"]), float(match["a"]) / float(match["b"]), ":", "percent")
    for match in _NOT_A_NUMBER.finditer(plain):
        blank(*match.span())
    for match in _NUMBER.finditer(plain):
        start, end = match.span()
        while end > start and plain[end - 1].isspace():
            end -= 1
        if start and (plain[start - 1].isalpha() and plain[start - 1].isascii()):
            continue
        unit, kind = _unit(match)
        low = float(match["a"].replace(",", ""))
        high = float(match["b"].replace(",", "")) if match["b"] else low
        magnitude_low, magnitude_high = _magnitude(match["ma"]), _magnitude(match["mb"] or "")
        if match["b"] and not match["ma"].strip():
            magnitude_low = magnitude_high
        if not match["b"]:
            magnitude_high = magnitude_low
        if unit and kind == "money" and unit[0] in LARGE:
            magnitude_low, magnitude_high, unit = magnitude_low * LARGE[unit[0]], magnitude_high * LARGE[unit[0]], unit[1:]
        if match["money"] and kind in (None, "count"):
            unit, kind = match["money"].strip(), "money"
        if kind == "duration" and unit == "年" and 1800 <= low <= 2100:
            kind = "year"
        take(start, end, low * magnitude_low, high * magnitude_high, unit, kind or "bare")
    for match in _IDIOMS.finditer(plain):
        blank(*match.span())
    for match in _HAN.finditer(plain):
        start, end = match.span()
        unit, kind = _unit(match)
        number = match["h"]
        if not kind and (len(number) < 2 or not set(number) & LARGE.keys()):
            continue
        if number in ("几", "数"):
            continue
        value = han_value(number)
        take(start, end, value, value, unit, kind or "bare")
    return sorted(found, key=lambda quantity: quantity.start)


def years(text: str) -> frozenset[int]:
    """The calendar years that a text names, both ends of a span of years."""
    return frozenset(int(value) for quantity in quantities(text) if quantity.kind == "year" for value in (quantity.low, quantity.high))
