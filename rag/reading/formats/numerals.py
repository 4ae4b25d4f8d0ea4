"""Numbers of lists and headings as the program that shows them writes them: Arabic, Roman, letters, Chinese."""

from __future__ import annotations

_ROMAN = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)
_HAN = "〇一二三四五六七八九"
_HAN_FORMAL = "零壹贰叁肆伍陆柒捌玖"
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"


def numeral(number: int, style: str) -> str:
    """A number in a style by its Word or CSS name; Arabic where the style is not known or cannot write it.

    >>> [numeral(4, style) for style in ("decimal", "lowerRoman", "upper-alpha", "chineseCounting", "decimalEnclosedCircle", "decimalZero")]
    ['4', 'iv', 'D', '四', '④', '04']
    """
    style = style.replace("-", "").lower()
    if not 0 < number < 10_000:
        return str(number)
    if style in ("lowerroman", "upperroman"):
        return _cased(_roman(number), style)
    if style in ("lowerletter", "upperletter", "loweralpha", "upperalpha", "lowerlatin", "upperlatin"):
        return _cased(chr(97 + (number - 1) % 26) * ((number - 1) // 26 + 1), style) if number <= 26 * 20 else str(number)
    if style in ("chinesecounting", "chinesecountingthousand", "ideographdigital", "japanesecounting", "taiwanesecounting", "taiwanesecountingthousand", "cjkideographic", "simpchineseinformal", "tradchineseinformal", "cjkdecimal", "japanesedigitaltenthousand", "koreancounting"):  # fmt: skip
        return "".join(_HAN[int(digit)] for digit in str(number)) if style in ("ideographdigital", "cjkdecimal") else _han(number)
    if style in ("chineselegalsimplified", "ideographlegaltraditional", "simpchineseformal", "tradchineseformal"):
        return _han(number, _HAN_FORMAL, "拾佰仟")
    if style in ("decimalenclosedcircle", "decimalenclosedcirclechinese") and number <= 20:
        return chr(0x2460 + number - 1)
    if style == "decimalenclosedparen" and number <= 20:
        return chr(0x2474 + number - 1)
    if style in ("ideographtraditional", "cjkheavenlystem") and number <= 10:
        return _STEMS[number - 1]
    if style in ("ideographzodiac", "cjkearthlybranch") and number <= 12:
        return _BRANCHES[number - 1]
    if style in ("decimalzero", "decimalleadingzero"):
        return f"{number:02d}"
    if style == "decimalfullwidth":
        return "".join(chr(ord(digit) + 0xFEE0) for digit in str(number))
    if style == "ordinal":
        return f"{number}{'th' if number % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
    return str(number)


def _cased(text: str, style: str) -> str:
    return text.upper() if style.startswith("upper") else text


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        text += letters * (number // value)
        number %= value
    return text


def _han(number: int, digits: str = _HAN, places: str = "十百千") -> str:
    """A number up to 9999 in Chinese.

    >>> _han(10), _han(12), _han(105), _han(320)
    ('十', '十二', '一百零五', '三百二十')
    """
    text, gap = "", False
    for at, digit in enumerate(str(number)):
        place = len(str(number)) - at - 1
        if digit == "0":
            gap = bool(text)
            continue
        text += ("零" if gap else "") + digits[int(digit)] + (places[place - 1] if place else "")
        gap = False
    return text[1:] if text.startswith("一十") else text
