"""What raised, lowered and broken text of any format becomes on one line: 10⁶, km², CO₂, note marks apart from figures."""

from __future__ import annotations

import re

from rag.reading.cleanup import HAN

_RAISED = str.maketrans("0123456789+-−=()abcdefghijklmnoprstuvwxyz", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")
_LOWERED = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_NOTE = re.compile(
    r"[\[(（【]?\s*((?:注|note\s?)?(?:\d{1,3}|[a-z]{1,2}|[ivx]{1,5})(?:\s?[,;，、–-]\s?(?:\d{1,3}|[a-z]))*|[*†‡§¶#]{1,3})\s*[\])）】]?",
    re.I,
)


def raised(text: str) -> str:
    """Digits, signs and single letters as raised ones.

    >>> raised("-12"), raised("n")
    ('⁻¹²', 'ⁿ')
    """
    return text.translate(_RAISED)


def superscript(text: str, before: str, linked: bool = False) -> str:
    """How raised text goes behind `before`: digits and single letters raised, ordinals and trade marks as they are, the rest behind "^".

    >>> "10" + superscript("6", "10"), "40" + superscript("1", "40"), "19" + superscript("th", "19"), "2" + superscript("x+y/2", "2")
    ('10⁶', '40¹', '19th', '2^(x+y/2)')
    """
    text = " ".join(text.split())
    if not text:
        return ""
    if linked and (note := _NOTE.fullmatch(text)):
        return raised(note[1])
    if re.fullmatch(r"\[\d{1,3}\]", text):
        return raised(text[1:-1])
    if re.fullmatch(r"[\d+−=()-]+|[a-z]|[\d+−n()x-]{1,6}", text) or re.fullmatch(r"\d{1,3}(?:[,，、]\s?\d{1,3})+", text):
        return raised(text)
    if re.fullmatch(r"[^\W\d]+\.?|[^\w\s]+|°\s?[CF]?", text):
        return text
    if not before or before[-1].isspace() or len(text) > 20:
        return f" {text} "
    return f"^({text})" if len(text) > 1 else f"^{text}"


def subscript(text: str) -> str:
    """Lowered digits as such; words as they are.

    >>> "CO" + subscript("2"), "V" + subscript("max")
    ('CO₂', 'Vmax')
    """
    text = " ".join(text.split())
    return text.translate(_LOWERED) if re.fullmatch(r"[\d+−=()-]+|[\dn+-]{1,4}|[xijkmn]", text) else text


def is_note_mark(text: str, before: str, linked: bool = False) -> bool:
    """Whether a raised text behind `before` is the mark of a note and no exponent.

    >>> is_note_mark("1", "412"), is_note_mark("6", "10"), is_note_mark("2", "km"), is_note_mark("3", "Alderhaven"), is_note_mark("a", "7.5")
    (True, False, False, True, True)
    """
    text, before = text.strip(), before.rstrip()
    if not text or not _NOTE.fullmatch(text):
        return False
    if linked or text[0] in "[(（【*†‡§¶#" or not before:
        return True
    if not text.isdigit():
        return bool(re.search(r"[\d%)）]$", before)) and re.fullmatch(r"[a-m]", text) is not None
    if re.search(r"(?<![\d.,])10$|(?:^|[^\d.,])[2e]$", before):
        return False
    unit = re.search(r"(?:^|[\d\s/·(（])(?:[kcdmμn]?m|ft|in|s|h|yd|米|公里|千米|厘米)$", before)
    return not (unit and text in ("2", "3"))


def join_wrapped(text: str) -> str:
    """A text whose line breaks mean nothing on one line: no blank between Han characters, none behind a hyphen, else one.

    >>> join_wrapped("港口在雨中\\n醒来，the\\nlong-\\nterm plan")
    '港口在雨中醒来，the long-term plan'
    """
    wide = f"{HAN}，。、；：！？（）《》「」“”"
    text = re.sub(rf"(?<=[{wide}])[^\S\n]*\n\s*(?=[{wide}])", "", text)
    text = re.sub(r"(?<=[^\W\d_]-)\n[^\S\n]*(?=[^\W\d_])", "", text)
    return " ".join(text.split())
