"""Numbers of a spreadsheet as people see them in it, by the cell's format code: `#,##0.0_);(#,##0.0)` shows -91.5 as (91.5).

Codes are those of ECMA-376, part 1, section 18.8.31. What it gave up: fractions beyond `# ?/?`, calendars other than the Gregorian one, and the
order of day and month that a country would give the codes that leave it to the reader: those dates are shown as 2023-06-05.
"""

from __future__ import annotations

import math
import operator
import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "$#,##0;-$#,##0", 6: "$#,##0;-$#,##0", 7: "$#,##0.00;-$#,##0.00", 8: "$#,##0.00;-$#,##0.00",
    9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 27: "yyyy-mm-dd", 30: "yyyy-mm-dd", 31: 'yyyy"年"m"月"d"日"', 36: "yyyy-mm-dd",
    37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 41: "#,##0;(#,##0);-", 42: "$#,##0;($#,##0);-",
    43: "#,##0.00;(#,##0.00);-", 44: "$#,##0.00;($#,##0.00);-", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@", 57: 'yyyy"年"m"月"',
}  # fmt: skip
"""Codes that a file names by number alone; any other is General."""

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?:.|$)|\*(?:.|$)|\[(?P<bracket>[^\]]*)\]|(?P<half>AM/PM|A/P|上午/下午)|(?P<general>General)'
    r"|(?P<exponent>E[+-])|(?P<digits>[0#?](?:[0#?,]*[0#?])?|[.])|(?P<scale>,)|(?P<date>y+|m+|d+|h+|s+|b+|e+(?![+-])|g+)|(?P<percent>%)|(?P<text>@)|(?P<other>.)",
    re.I | re.DOTALL,
)
_COLOUR = re.compile(r"black|blue|cyan|green|magenta|red|white|yellow|colou?r\s?\d+", re.I)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?)")
_COMPARE = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "=": operator.eq, "<>": operator.ne}
_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


class Part(NamedTuple):
    """One piece of a format section: its kind and its text."""

    kind: str
    text: str


class Section(NamedTuple):
    """One of the parts of a code that semicolons separate."""

    parts: tuple[Part, ...]
    condition: tuple[str, float] | None
    coloured: bool

    @property
    def is_date(self) -> bool:
        """Whether it shows a date or a time."""
        return any(part.kind in ("date", "elapsed", "half") for part in self.parts)


def shown(value: float, code: str = "General", since_1904: bool = False) -> str:
    """A number as its format shows it; dates count days from 1900, or from 1904 where the file says so.

    >>> shown(0.0468, "0.0%"), shown(-1234.5, "#,##0_);(#,##0)"), shown(45082, "yyyy-mm-dd"), shown(2.5e6, '0.0,,"M"')
    ('4.7%', '(1,235)', '2023-06-05', '2.5M')
    """
    if not math.isfinite(value):
        return str(value)
    sections = _sections(code or "General")
    section, negative = _chosen(sections, value)
    if section.is_date:
        try:
            return _dated(value, section.parts, since_1904)
        except (OverflowError, ValueError):
            return _general(value)
    return _numbered(value, section, negative)


def is_date_code(code: str) -> bool:
    """Whether a code shows dates or times.

    >>> is_date_code("d-mmm-yy"), is_date_code('0.0 "days"'), is_date_code("[Red]0.00")
    (True, False, False)
    """
    return _sections(code)[0].is_date


@lru_cache(maxsize=2_000)
def _sections(code: str) -> tuple[Section, ...]:
    sections: list[Section] = []
    parts: list[Part] = []
    condition, coloured = None, False
    for match in [*_TOKEN.finditer(code[:500]), None]:
        if match is None or match.group() == ";":
            sections.append(Section(tuple(_minutes(parts)), condition, coloured))
            parts, condition, coloured = [], None, False
            continue
        kind, text = match.lastgroup or "blank", match[match.lastgroup] if match.lastgroup else ""
        if kind == "bracket":
            if found := _CONDITION.fullmatch(text.strip()):
                condition = found[1], float(found[2])
            elif _COLOUR.fullmatch(text.strip()):
                coloured = True
            elif re.fullmatch(r"h+|m+|s+", text, re.I):
                parts.append(Part("elapsed", text.lower()))
            elif text.startswith("$"):
                parts.append(Part("literal", text[1:].split("-")[0]))
        elif kind in ("quoted", "escaped", "other"):
            parts.append(Part("literal", text))
        elif kind != "blank":
            parts.append(Part(kind, text.lower() if kind == "date" else text))
    return tuple(sections[:4])


def _minutes(parts: list[Part]) -> list[Part]:
    """ "m" means minutes behind hours and before seconds, months elsewhere."""
    times = [at for at, part in enumerate(parts) if part.kind in ("date", "elapsed")]
    made = list(parts)
    for place, at in enumerate(times):
        before = made[times[place - 1]].text[0] if place else ""
        after = parts[times[place + 1]].text[0] if place + 1 < len(times) else ""
        if parts[at].kind == "date" and parts[at].text in ("m", "mm") and (before == "h" or after == "s"):
            made[at] = Part("date", "M" * len(parts[at].text))
    return made


def _chosen(sections: tuple[Section, ...], value: float) -> tuple[Section, bool]:
    """The section for a value, and whether a minus sign has to be shown by us."""
    numeric = sections[:3]
    if any(section.condition for section in numeric):
        for section in numeric:
            if section.condition is None or _COMPARE[section.condition[0]](value, section.condition[1]):
                return section, value < 0
        return numeric[-1], value < 0
    if value < 0 and len(numeric) > 1:
        own = numeric[1]
        literals = "".join(part.text for part in own.parts if part.kind == "literal")
        return own, own.coloured and not re.search(r"[-−(（△▲]", literals)  # a colour alone says minus, and words have none
    if value == 0 and len(numeric) > 2:
        return numeric[2], False
    return numeric[0], value < 0


def _general(value: float) -> str:
    """A number without a format: at most eleven digits, no exponent between a billionth and a hundred billion.

    >>> _general(0.1 + 0.2), _general(1e15), _general(-3.0)
    ('0.3', '1E+15', '-3')
    """
    if value == int(value) and abs(value) < 1e11:
        return str(int(value))
    if 1e-9 <= abs(value) < 1e11:
        whole = len(str(int(abs(value))))
        return f"{value:.{max(0, 10 - whole)}f}".rstrip("0").rstrip(".")
    mantissa, _, exponent = f"{value:.5E}".partition("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{exponent}"


def _numbered(value: float, section: Section, negative: bool) -> str:
    parts = section.parts
    kinds = [part.kind for part in parts]
    minus = "-" if negative else ""
    if "general" in kinds:
        return minus + "".join(_general(abs(value)) if part.kind == "general" else part.text for part in parts if part.kind != "scale")
    if "text" in kinds and "digits" not in kinds:
        return minus + _general(abs(value))
    if "digits" not in kinds:  # words alone, such as "-" for nothing
        return "".join(part.text for part in parts if part.kind in ("literal", "percent"))
    slash = next((at for at, part in enumerate(parts) if part == Part("literal", "/")), 0)
    if slash and kinds[slash - 1] == "digits":
        return minus + _fraction(abs(value), len(parts[slash - 1].text))
    digits = [at for at, kind in enumerate(kinds) if kind == "digits"]
    point = next((at for at in digits if parts[at].text == "."), None)
    exponent = next((at for at, kind in enumerate(kinds) if kind == "exponent"), None)
    end = exponent if exponent is not None else len(parts)
    whole = "".join(parts[at].text for at in digits if at < (point if point is not None else end))
    decimals = "".join(parts[at].text for at in digits if point is not None and point < at < end)
    number = Decimal(repr(abs(value))).scaleb(2 * kinds.count("percent") - 3 * _scales(parts, digits, end))
    power = 0
    if exponent is not None and number:
        power = number.adjusted() - (len(whole.replace(",", "")) - 1 if whole else 0)
        number = number.scaleb(-power)
    text = _digits(number, whole, decimals)
    if not text.strip("0.,"):
        minus = ""
    made, told = [], False
    for at, part in enumerate(parts):
        if part.kind == "digits":
            if not told:
                made.append(text)
                told = True
        elif part.kind == "exponent":
            sign = "-" if power < 0 else "+" if part.text.endswith("+") else ""
            made.append(f"E{sign}{abs(power):0{sum(len(parts[n].text) for n in digits if n > at)}d}")
        elif part.kind in ("literal", "percent"):
            made.append(part.text)
    return minus + " ".join("".join(made).split())


def _scales(parts: tuple[Part, ...], digits: list[int], end: int) -> int:
    """Commas behind the last digit: each divides by a thousand."""
    last = max((at for at in digits if at < end), default=0)
    count = 0
    for part in parts[last + 1 :]:
        if part.kind != "scale":
            break
        count += 1
    return count


def _digits(number: Decimal, whole: str, decimals: str) -> str:
    places = min(len(decimals), 30)
    rounded = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) if number.adjusted() + places < 27 else number
    before, _, after = f"{rounded:f}".partition(".")
    least = whole.count("0")
    before = before.lstrip("0").rjust(least, "0") if before.strip("0") or least else ""
    if "," in whole:
        before = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", before)
    wanted = max((at + 1 for at, mark in enumerate(decimals) if mark == "0"), default=0)
    after = after[:wanted] + after[wanted:].rstrip("0")
    return f"{before}.{after}" if after else before or ("" if decimals else "0" if not whole else "")


def _fraction(value: float, size: int) -> str:
    whole, rest = divmod(value, 1)
    near = Fraction(rest).limit_denominator(10 ** min(size, 4) - 1)
    if near == 1:
        whole, near = whole + 1, Fraction(0)
    parts = ([str(int(whole))] if whole or not near else []) + ([f"{near.numerator}/{near.denominator}"] if near else [])
    return " ".join(parts)


def _dated(value: float, parts: tuple[Part, ...], since_1904: bool) -> str:
    """A serial number of days as a date or time, to the second. Raises ValueError or OverflowError outside the calendar."""
    if value < 0:
        raise ValueError("before the calendar")
    hundredths = any(part.kind == "digits" for part in parts)
    seconds = round(value * 86_400, 2 if hundredths else 0)
    start = (
        datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 31) if value < 60 else datetime(1899, 12, 30)
    )  # 1900 had no 29 February
    moment = start + timedelta(seconds=seconds)
    half = any(part.kind == "half" for part in parts)
    made = []
    for at, part in enumerate(parts):
        if part.kind == "elapsed":
            made.append(f"{int(seconds // {'h': 3600, 'm': 60, 's': 1}[part.text[0]]):0{len(part.text)}d}")
        elif part.kind == "half":
            made.append(("上午", "下午")[moment.hour >= 12] if "午" in part.text else ("AM", "PM")[moment.hour >= 12])
        elif part.kind == "date":
            made.append(_date_part(moment, part.text, half))
        elif part.kind == "digits" and part.text != ".":
            made.append(f"{moment.microsecond:06d}"[: len(part.text)])
        elif part.kind == "digits" and at + 1 < len(parts) and parts[at + 1].kind == "digits":
            made.append(".")
        elif part.kind in ("literal", "digits", "scale"):
            made.append(part.text if part.kind != "scale" else ",")
    return " ".join("".join(made).split())


def _date_part(moment: datetime, code: str, half: bool) -> str:
    hour = (moment.hour - 1) % 12 + 1 if half else moment.hour
    numbers = {"m": moment.month, "d": moment.day, "h": hour, "M": moment.minute, "s": moment.second}
    if code[0] in "yeb":
        return f"{moment.year % 100:02d}" if code in ("y", "yy") else str(moment.year)
    if code[0] == "g":
        return ""
    if code[0] == "m" and len(code) > 2:
        name = _MONTHS[moment.month - 1]
        return name[:3] if len(code) == 3 else name[0] if len(code) == 5 else name
    if code[0] == "d" and len(code) > 2:
        name = _DAYS[moment.weekday()]
        return name[:3] if len(code) == 3 else name
    return f"{numbers[code[0]]:02d}" if len(code) > 1 else str(numbers[code[0]])
