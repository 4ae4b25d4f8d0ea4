"""Bytes of a text file -> text, in whatever encoding it was saved; what no encoding makes readable is refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control, looks_garbled


def decode(data: bytes, path: Path | str = "text") -> str:
    """Bytes as text: byte-order mark, strict UTF-8, UTF-16 without a mark, older Chinese encodings, charset-normalizer.

    Raises UnreadableFile for what is no text, and for text that no encoding makes readable.
    """
    text = None
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data.decode(encoding, "replace")
            if _is_noise(text) or _plausible(text) < 0.05:
                raise UnreadableFile(path, f"not text (it begins like {encoding}, but what follows is binary); give it its own suffix")
            return _clean_newlines(text)
    sample = data[:65_536]
    if sum(sample.count(byte) for byte in _BINARY) <= 0.02 * len(sample):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = _mostly_utf8(data) or _decode_legacy(data)
    elif sample.count(0):
        text = _decode_wide(data)
    if text is None or _is_noise(text) or looks_garbled(text):
        raise UnreadableFile(
            path, "not text, or in an encoding that is not known (binary content); give it its own suffix or save it as UTF-8"
        )
    return _clean_newlines(text)


_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_BINARY = tuple(byte for byte in range(32) if byte not in b"\t\n\r\f\v\x1a\x1b")
_USUAL = re.compile(r"[，。、；：！？“”的一是在不了有和人这中大为与及用這為與個们們会會上到时時,.\sA-Za-z0-9]")


def _plausible(text: str) -> float:
    """Share of characters that every Chinese or English text has many of."""
    sample = text[:20_000]
    return len(_USUAL.findall(sample)) / len(sample) if sample else 0.0


def _is_noise(text: str) -> bool:
    """Whether more than a twentieth of the beginning or the end of a text are characters that no text holds."""
    for part in (text[:65_536], text[-65_536:]):
        odd = sum(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") and c not in "\t\n\r\f\v" or c == "\ufffd" for c in part)
        if odd > 0.05 * len(part):
            return True
    return False


def _mostly_utf8(data: bytes) -> str | None:
    """UTF-8 of which a few bytes are spoiled or cut off, each shown as "�"; None when less than 20 times as many characters are sound."""
    text = data.decode("utf-8", "replace")
    spoiled = text.count("\ufffd")
    sound = len(re.findall(r"[^\x00-\x7f\ufffd]", text))
    return text if sound >= 20 * spoiled else None


def _decode_wide(data: bytes) -> str | None:
    """UTF-16 without a mark, where one byte order gives text."""
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = data[: len(data) // 2 * 2].decode(encoding)
        except UnicodeDecodeError:
            continue
        if _plausible(text) > 0.15 and not _is_noise(text):
            return text
    return None


def _decode_legacy(data: bytes) -> str | None:
    """Text in an older encoding: the Chinese one that reads best, since short samples mislead the detector, which is asked next."""
    found: list[tuple[float, str]] = []
    for encoding in ("gb18030", "big5", "utf-16-le", "utf-16-be"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _is_noise(text):
            usual = _plausible(re.sub(r"[\x00-\x7f]", "", text)) if encoding in ("gb18030", "big5") else _plausible(text)
            found.append((usual, text))
    best = max(found, key=lambda pair: pair[0], default=(0.0, ""))
    if best[0] > 0.08:
        return best[1]
    if found and _is_short_chinese(found[0][1]):
        return found[0][1]
    from charset_normalizer import from_bytes

    guess = from_bytes(data[:262_144]).best()
    names = [guess.encoding] if guess is not None else []
    single = guess is not None and re.match(r"(?!cp(?:932|936|949|950|1361))(?:cp\d|iso8859|latin|mac|hp_roman)", guess.encoding)
    if single and sum(byte < 128 for byte in data) > 0.8 * len(data):
        names.insert(0, "cp1252")  # a few accents or quotes among English: the detector cannot tell the countries of Europe apart
    for name in names:
        try:
            return data.decode(name)
        except (UnicodeDecodeError, LookupError):
            pass
    return next((text for _, text in found), None)


def _is_short_chinese(text: str) -> bool:
    """Whether a few words are nearly all among the 3,755 characters that GB 2312 puts first, being the common ones.

    >>> _is_short_chinese("港口年报"), _is_short_chinese("镟馗叻")
    (True, False)
    """
    wide = [character.encode("gb18030") for character in text if character > "\x7f"]
    return 2 <= len(wide) <= 40 and sum(len(code) == 2 and 0xB0 <= code[0] <= 0xD7 and code[1] >= 0xA1 for code in wide) >= 0.9 * len(wide)


def decode_names(names: Sequence[bytes]) -> list[str]:
    """Names of files from an archive that does not say how they are encoded, all in the one encoding that reads best.

    >>> decode_names(["港口年报.md".encode("gbk")]), decode_names(["Übersicht.md".encode("cp437")]), decode_names(["Año.md".encode("cp1252")])
    (['港口年报.md'], ['Übersicht.md'], ['Año.md'])
    """
    whole = b"\n".join(names)
    high = [byte for byte in whole if byte > 0x7F]
    candidates = {"utf-8": 3.0} if _decodes(whole, "utf-8") else {}
    for encoding in ("gb18030", "big5", "cp932"):
        if _decodes(whole, encoding):
            text = whole.decode(encoding)
            wide = re.sub(r"[\x00-\x7f]", "", text)
            inside_words = len(re.findall(r"(?<=[A-Za-z])[^\x00-\x7f](?=[A-Za-z])|(?<![^\s/])[^\x00-\x7f](?=[a-z])", text))
            candidates[encoding] = _share_of_common(wide, encoding) if 2 * inside_words < len(wide) else 0.0
    candidates["cp437"] = 0.5 * sum(0x80 <= byte <= 0xA5 for byte in high) / max(len(high), 1)
    if _decodes(whole, "cp1252"):
        candidates["cp1252"] = 0.5 * sum(byte >= 0xC0 for byte in high) / max(len(high), 1)
    best = max(candidates, key=lambda name: candidates[name])
    return [name.decode(best, "replace") for name in names]


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        return bool(data.decode(encoding))
    except UnicodeDecodeError:
        return False


def _share_of_common(wide: str, encoding: str) -> float:
    """Share of the characters of a text that the encoding puts first, being the common ones, or that are kana or Chinese marks."""
    first = {"gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6), "cp932": (0x88, 0x97)}[encoding]
    common = 0
    for character in wide:
        code = character.encode(encoding, "ignore")
        common += len(code) == 2 and (
            first[0] <= code[0] <= first[1] and "\u4e00" <= character <= "\u9fff" or "\u3000" <= character <= "\u30ff"
        )
    return common / len(wide) if len(wide) > 1 else 0.0


def _clean_newlines(text: str) -> str:
    """One kind of newline, no control characters. A form feed opens a page, which one leading blank also says (`rag.reading.cleanup`)."""
    text = re.sub(r"\r\n?|[\u2028\u2029\x85]", "\n", text)
    return drop_control(re.sub(r"\n?\f\n*(?=\S)", "\n\n ", text))
