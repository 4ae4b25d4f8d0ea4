"""What stands above a text between two lines of three marks: YAML (---) or TOML (+++), whatever language its keys are in."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import yaml

LONGEST = 20_000
_FIELDS = {
    "id": ("id", "identifier", "slug"),
    "title": ("title", "标题", "题目", "題目", "標題", "报告名称", "名称", "name", "titel", "titre", "título"),
    "publisher": ("publisher", "出版者", "发布机构", "发布者", "发布单位", "出版单位", "机构", "發布機構", "出版", "organization", "organisation", "institution"),
    "year": ("year", "年份", "年度", "年", "jahr", "année", "año"),
    "date": ("date", "日期", "发布日期", "出版日期", "時間", "时间", "published", "publish_date", "pubdate", "datum", "created"),
    "language": ("language", "lang", "语言", "語言"),
}  # fmt: skip
_FIELD_OF = {name: field for field, names in _FIELDS.items() for name in names}


def front_matter(text: str) -> tuple[dict[str, str], str]:
    """What a text says of itself above its first line, by the names of `Document`, and the text below it; other keys keep their own.

    >>> front_matter("---\\ntitle: A\\n年份: 2024\\n---\\nBody")
    ({'title': 'A', 'year': '2024'}, 'Body')
    """
    match = re.match(r"\s*(?:---[ \t]*\n(?P<yaml>.*?)\n(?:---|\.\.\.)|\+\+\+[ \t]*\n(?P<toml>.*?)\n\+\+\+|;;;[ \t]*\n(?P<json>.*?)\n;;;)[ \t]*(?:\n|$)", text, re.DOTALL)  # fmt: skip
    if not match or len(match[0]) > LONGEST:
        return {}, text
    values = (
        _toml(match["toml"]) if match["toml"] is not None else _yaml(match["yaml"]) if match["yaml"] is not None else _json(match["json"])
    )
    if values is None:
        return {}, text
    told: dict[str, str] = {}
    for key, value in values.items():
        shown = _shown(value)
        name = str(key).strip().lower()
        told.setdefault(_FIELD_OF.get(name, name), shown)
    return told, text[match.end() :]


def _yaml(text: str) -> dict[Any, Any] | None:
    """YAML as plain texts, so that a date stays as it is written; single lines of it where the whole is no YAML, as in `title: A: B`."""
    if re.search(r"(?:^|[\s\[{,])[&*][\w-]+", text):  # anchors, by which a few lines can unfold into millions
        return _lines(text)
    try:
        values = yaml.load(text, Loader=yaml.BaseLoader)  # knows texts, lists and tables alone
    except (yaml.YAMLError, RecursionError, ValueError):
        return _lines(text)
    return values if isinstance(values, dict) else {} if values is None else _lines(text)


def _lines(text: str) -> dict[Any, Any] | None:
    values: dict[Any, Any] = {}
    for line in text.split("\n"):
        pair = re.match(r"([\w\u4e00-\u9fff][\w -]{0,40}?)\s*[:：]\s*(.*)$", line)
        if pair:
            value = pair[2].strip()
            quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
            values[pair[1]] = value[1:-1] if quoted else value
        elif line.strip() and not line.lstrip().startswith(("#", "-")) and not line.startswith((" ", "\t")):
            return None
    return values


def _toml(text: str) -> dict[Any, Any] | None:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _json(text: str) -> dict[Any, Any] | None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(entry) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(entry)}" for key, entry in value.items())
    return "" if value is None else " ".join(str(value).split())
