"""Powers of ten whose raised exponent a text layer lost."""

from __future__ import annotations

import re

from rag.reading.cleanup import HAN

_POWERS = {3: "千", 4: "万", 5: "十万", 6: "百万", 7: "千万", 8: "亿", 9: "十亿", 10: "百亿", 11: "千亿", 12: "万亿"}
_POWERS_ENGLISH = {3: "thousand", 6: "million", 9: "billion", 12: "trillion"}


def lost_exponents(text: str) -> tuple[str, ...]:
    """Notes on powers of ten whose exponent came out as further digits: "106 times" where the text elsewhere says "a million times".

    >>> lost_exponents("数据量是现在的 106 倍。训练数据增长百万倍。"), lost_exponents("价格是去年的 106 倍。")
    (('“106 倍” may be 10⁶ 倍, whose raised exponent the text layer lost: the text also says “百万倍”',), ())
    """
    notes = {}
    for match in re.finditer(rf"(?<![\d.,])10([3-9]|1[0-2])\s?([{HAN}]|[a-z]{{4,12}}\b)", text):
        exponent, unit = int(match[1]), match[2]
        word = _POWERS.get(exponent, "") if re.match(rf"[{HAN}]", unit) else _POWERS_ENGLISH.get(exponent, "")
        spelled = f"{word}{unit}" if word in _POWERS.values() else f"{word}[ -](?:{unit}|fold)"
        said = re.search(rf"(?<![\d十百千万])(?<!\d ){spelled}", text) if word else None
        if said:
            power = "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
            notes[match[0]] = (
                f"“{match[0]}” may be {power} {unit}, whose raised exponent the text layer lost: the text also says “{said[0].strip()}”"
            )
    return tuple(notes.values())
