"""Compare quantities: the same measure in other units, a rounded figure, a date in either language."""

from __future__ import annotations

import re

from rag.index.lexical import stem
from rag.text.quantities import Quantity, han_value

# How far a figure called approximate may be from the one that it is held against.
ROUNDING = 0.03
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
# Units with their dimension and their size in its base unit.
_SCALES: dict[str, tuple[str, float]] = {}
for _dimension, _pairs in {
    "W": "w 1 瓦 1 watt 1 watts 1 kw 1e3 千瓦 1e3 mw 1e6 兆瓦 1e6 gw 1e9 吉瓦 1e9 tw 1e12",
    "Wh": "kwh 1e3 千瓦时 1e3 度电 1e3 度 1e3 mwh 1e6 gwh 1e9 twh 1e12 wh 1",
    "m": "nm 1e-9 纳米 1e-9 μm 1e-6 um 1e-6 微米 1e-6 mm 1e-3 毫米 1e-3 cm 1e-2 厘米 1e-2 m 1 米 1 km 1e3 公里 1e3 千米 1e3",
    "m2": "平方毫米 1e-6 平方米 1 平方 1 平方公里 1e6 平方千米 1e6",
    "s": "ns 1e-9 纳秒 1e-9 us 1e-6 μs 1e-6 微秒 1e-6 ms 1e-3 毫秒 1e-3 millisecond 1e-3 milliseconds 1e-3 秒 1 秒钟 1 second 1 seconds 1 "
    "分 60 分钟 60 minute 60 minutes 60 小时 3600 个小时 3600 hour 3600 hours 3600 h 3600 天 86400 日内 86400 day 86400 days 86400 "
    "周 604800 星期 604800 个星期 604800 week 604800 weeks 604800 月 2629800 个月 2629800 month 2629800 months 2629800 "
    "年 31557600 年内 31557600 年期 31557600 年间 31557600 年来 31557600 年时间 31557600 年以上 31557600 年左右 31557600 year 31557600 years 31557600",
    "B": "字节 1 byte 1 bytes 1 kb 1e3 mb 1e6 gb 1e9 tb 1e12 pb 1e15 eb 1e18 zb 1e21",
    "bps": "bps 1 kbps 1e3 mbps 1e6 gbps 1e9 tbps 1e12 gbit/s 1e9 tbit/s 1e12 mbit/s 1e6 gb/s 8e9 tb/s 8e12",
    "Hz": "hz 1 khz 1e3 mhz 1e6 ghz 1e9 thz 1e12",
    "CNY": "元 1 人民币 1 yuan 1 rmb 1 cny 1 ￥ 1 ¥ 1",
    "USD": "美元 1 美金 1 $ 1 usd 1 dollar 1 dollars 1",
    "EUR": "欧元 1 euro 1 euros 1 € 1",
    "%": "% 1 percent 1 百分点 1 个百分点 1",
    "times": "倍 1 times 1 fold 1 x 1",
    "people": "人 1 位 1 名 1 人次 1 people 1 person 1 persons 1",
}.items():
    _words = _pairs.split()
    _SCALES |= {unit: (_dimension, float(scale)) for unit, scale in zip(_words[::2], _words[1::2], strict=True)}
_ANY_UNIT = frozenset({"个", "项", "units", "unit", "items"})
_LOOSE = frozenset({"bare", "count", "people"})


def agree(said: Quantity, there: Quantity, approximate: bool = False) -> bool:
    """Tell whether two quantities say the same: equal values in comparable units; one end of a range may stand for it."""
    if (said.kind == "year") != (there.kind == "year"):
        return False
    mine, other = _measure(said), _measure(there)
    if mine is None or other is None:
        return False
    (dimension, low, high), (other_dimension, other_low, other_high) = mine, other
    if {dimension, other_dimension} == {"%", "times"}:  # 200% more is 2 times more
        low, high = (low / 100, high / 100) if dimension == "%" else (low, high)
        other_low, other_high = (other_low / 100, other_high / 100) if other_dimension == "%" else (other_low, other_high)
    elif dimension != other_dimension and not _comparable(said, there, dimension, other_dimension):
        return False
    near = ROUNDING if approximate and said.kind != "year" else 1e-6

    def equal(a: float, b: float) -> bool:
        return abs(a - b) <= near * max(abs(a), abs(b))

    if said.low == said.high and there.low != there.high:
        return equal(low, other_low) or equal(low, other_high)
    return equal(low, other_low) and equal(high, other_high)


def _measure(quantity: Quantity) -> tuple[str, float, float] | None:
    unit = quantity.unit.strip().lower()
    unit = unit.removeprefix("个") if unit.removeprefix("个") in _SCALES else unit
    if quantity.kind == "year":
        return "year", quantity.low, quantity.high
    if unit in _SCALES:
        dimension, scale = _SCALES[unit]
        return dimension, quantity.low * scale, quantity.high * scale
    return quantity.kind if quantity.kind in _LOOSE else f"{quantity.kind}:{stem(unit)}", quantity.low, quantity.high


def _comparable(said: Quantity, there: Quantity, mine: str, other: str) -> bool:
    """A figure without a unit may stand for a number of things or people, never for per cent, money, time or a measure."""
    if said.kind in _LOOSE and there.kind in _LOOSE:
        things = [quantity.unit for quantity in (said, there) if quantity.kind == "count"]
        return "people" not in (mine, other) or not things or things[0] in _ANY_UNIT
    bare = said if said.kind == "bare" else there if there.kind == "bare" else None
    measured = other if bare is said else mine
    return bare is not None and measured not in ("%", "times", "CNY", "USD", "EUR", "s", "W", "Wh", "m", "m2")


def date_parts(written: str) -> frozenset[str]:
    """Return the parts of a date without a year, in either language.

    >>> date_parts("10 月 16 日") == date_parts("October 16"), date_parts("十月") < date_parts("10 月 16 日")
    (True, True)
    """
    named = re.sub(rf"({'|'.join(_MONTHS)})\w*\s?", lambda match: f"{_MONTHS.index(match[1].lower()) + 1}月", written, flags=re.IGNORECASE)
    plain = re.sub(r"[一二三四五六七八九十]+", lambda match: str(int(han_value(match[0]))), named)
    return frozenset(re.findall(r"\d+(?=\s?月)|(?<=月)\s?\d+|\d+|[春夏秋冬末底初旬世纪周]", plain.replace(" ", "")))


def same_measure(one: Quantity, other: Quantity) -> bool:
    """Tell whether two quantities measure the same kind of thing, whatever their values."""
    mine, theirs = _measure(one), _measure(other)
    comparable = "bare" not in (one.kind, other.kind) and mine and theirs and _comparable(one, other, mine[0], theirs[0])
    return bool(comparable or (mine and theirs and mine[0] == theirs[0]))
