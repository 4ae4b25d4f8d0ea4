"""What a Word file says beside its text: which styles are headings, how runs are set, and the numbers that Word counts itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lxml import etree

from rag.reading.formats.numerals import numeral

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DEEPEST_STYLE = 12


def value_of(node: etree._Element | None, path: str, name: str = "val") -> str | None:
    """An attribute of what stands at a path below a node; None where there is none, "" for a switch without a value."""
    found = node.find("/".join(f"{W}{step}" for step in path.split("/"))) if node is not None else None
    return None if found is None else found.get(f"{W}{name}", "")


def is_on(node: etree._Element | None, path: str) -> bool | None:
    """Whether a switch is on; None where nothing is said."""
    told = value_of(node, path)
    return None if told is None else told.lower() not in ("0", "false", "off", "none")


def count_of(text: str | None, default: int = 0) -> int:
    """A small whole number as Office writes it."""
    return int(text) if text is not None and re.fullmatch(r"\d{1,9}", text) else default


@dataclass(frozen=True, slots=True)
class Look:
    """How a style sets what it is given to; None where it leaves that to the style that it is based on."""

    level: int | None = None
    """Of a heading, from 1; -1 for the title."""
    numbering: tuple[int, int] | None = None
    """(list, level of the list)"""
    struck: bool | None = None
    hidden: bool | None = None
    align: str | None = None
    font: str | None = None


@dataclass(frozen=True, slots=True)
class Styles:
    """The styles of a file by their ids."""

    looks: dict[str, Look] = field(default_factory=dict)
    contents: frozenset[str] = frozenset()
    """Styles of lines in a table of contents."""

    def look(self, style: str | None) -> Look:
        """How a style looks; an unknown one like plain text, but for the ids that Word itself gives to headings."""
        if style in self.looks:
            return self.looks[style]
        heading = re.fullmatch(r"Heading([1-9])", style or "")
        return Look(level=int(heading[1]) if heading else -1 if style == "Title" else None)


def read_styles(root: etree._Element | None) -> Styles:
    """The styles of word/styles.xml. Word's own names are English in files of every language."""
    if root is None:
        return Styles()
    own: dict[str, Look] = {}
    parents: dict[str, str] = {}
    contents = set()
    for style in root.iter(f"{W}style"):
        identity = style.get(f"{W}styleId", "")
        name = (value_of(style, "name") or "").strip().lower()
        if re.fullmatch(r"toc [1-9]|目录 ?[1-9]", name):
            contents.add(identity)
        own[identity] = _own_look(style, name)
        parents[identity] = value_of(style, "basedOn") or ""
    looks = {}
    for identity in own:
        look, parent = own[identity], parents[identity]
        for _ in range(_DEEPEST_STYLE):
            if parent not in own:
                break
            look = _over(look, own[parent])
            parent = parents[parent]
        looks[identity] = look
    return Styles(looks, frozenset(contents))


def _own_look(style: etree._Element, name: str) -> Look:
    heading = re.fullmatch(r"(?:heading|标题)\s*([1-9])", name)
    outline = count_of(value_of(style, "pPr/outlineLvl"), 9)
    level = int(heading[1]) if heading else -1 if name == "title" else outline + 1 if outline < 9 else None
    return Look(level, numbering_of(style.find(f"{W}pPr")), *run_look(style.find(f"{W}rPr")))


def numbering_of(properties: etree._Element | None) -> tuple[int, int] | None:
    """(list, level) that the properties of a paragraph or style name; the list is -1 where only a level is named."""
    if properties is None or properties.find(f"{W}numPr") is None:
        return None
    number = value_of(properties, "numPr/numId")
    return count_of(number, -1), min(count_of(value_of(properties, "numPr/ilvl")), 8)


def run_look(properties: etree._Element | None) -> tuple[bool | None, bool | None, str | None, str | None]:
    """(struck, hidden, raised or lowered, font) of the properties of a run."""
    struck = is_on(properties, "strike")
    double = is_on(properties, "dstrike")
    font = value_of(properties, "rFonts", "ascii") or value_of(properties, "rFonts", "hAnsi") or None
    return (double if struck is None else struck or bool(double)), is_on(properties, "vanish"), value_of(properties, "vertAlign"), font


def _over(look: Look, base: Look) -> Look:
    return Look(*(getattr(base, name) if getattr(look, name) is None else getattr(look, name) for name in Look.__slots__))


@dataclass(slots=True)
class _Level:
    start: int = 1
    style: str = "decimal"
    text: str = ""
    legal: bool = False
    blank: str = " "
    restarts: bool = True


class Numbering:
    """Counts the lists of a file as Word does when it shows them."""

    def __init__(self, root: etree._Element | None):
        self._levels: dict[int, dict[int, _Level]] = {}
        self._abstract: dict[int, int] = {}
        self._overrides: dict[tuple[int, int], int] = {}
        self._counts: dict[int, list[int | None]] = {}
        self._started: set[tuple[int, int]] = set()
        self._styled: dict[str, tuple[int, int]] = {}
        if root is not None:
            self._read(root)

    def _read(self, root: etree._Element) -> None:
        links: dict[str, int] = {}
        for abstract in root.iter(f"{W}abstractNum"):
            identity = count_of(abstract.get(f"{W}abstractNumId"), -1)
            self._levels[identity] = {count_of(level.get(f"{W}ilvl")): _level(level) for level in abstract.findall(f"{W}lvl")}
            if link := value_of(abstract, "styleLink"):
                links[link] = identity
        for abstract in root.iter(f"{W}abstractNum"):
            if (link := value_of(abstract, "numStyleLink")) and link in links:
                self._levels[count_of(abstract.get(f"{W}abstractNumId"), -1)] = self._levels[links[link]]
        for number in root.iter(f"{W}num"):
            identity, abstract_id = count_of(number.get(f"{W}numId"), -1), count_of(value_of(number, "abstractNumId"), -1)
            self._abstract[identity] = abstract_id
            for override in number.findall(f"{W}lvlOverride"):
                at = count_of(override.get(f"{W}ilvl"))
                if (start := value_of(override, "startOverride")) is not None:
                    self._overrides[identity, at] = count_of(start, 1)
                if (level := override.find(f"{W}lvl")) is not None:
                    self._levels[abstract_id] = self._levels.get(abstract_id, {}) | {at: _level(level)}
        for number_id, abstract_id in self._abstract.items():
            abstract = next((node for node in root.iter(f"{W}abstractNum") if node.get(f"{W}abstractNumId") == str(abstract_id)), None)
            for level in abstract.findall(f"{W}lvl") if abstract is not None else ():
                if style := value_of(level, "pStyle"):
                    self._styled.setdefault(style, (number_id, count_of(level.get(f"{W}ilvl"))))

    def of_style(self, style: str | None) -> tuple[int, int] | None:
        """(list, level) of the list that numbers the paragraphs of a style."""
        return self._styled.get(style or "")

    def label(self, number: int, at: int) -> str:
        """What Word shows before the next paragraph of a list, with the blank behind it; empty for bullets and unknown lists."""
        abstract = self._abstract.get(number)
        levels = self._levels.get(abstract, {}) if abstract is not None else {}
        level = levels.get(at)
        if level is None:
            return ""
        counts = self._counts.setdefault(abstract, [None] * 9)  # type: ignore[arg-type]
        count = counts[at]
        if (number, at) in self._overrides and (number, at) not in self._started:
            counts[at] = self._overrides[number, at]
        else:
            counts[at] = level.start if count is None else count + 1
        self._started.add((number, at))
        for deeper in range(at + 1, 9):
            if levels.get(deeper, level).restarts:
                counts[deeper] = None
        for upper in range(at):
            if counts[upper] is None and upper in levels:
                counts[upper] = levels[upper].start
        if level.style == "bullet":
            return ""

        def shown(match: re.Match[str]) -> str:
            part = int(match[1]) - 1
            style = "decimal" if level.legal else levels[part].style if part in levels else "decimal"
            return "" if style == "none" else numeral(counts[part] or 0, style)

        text = re.sub(r"%([1-9])", shown, level.text).strip()
        return text + ("" if not text or re.search(r"[、．。：）]$", text) else level.blank)


def _level(node: etree._Element) -> _Level:
    kind = node.find(f".//{W}numFmt")
    style = kind.get(f"{W}val", "decimal") if kind is not None else "decimal"
    if style == "custom":
        style = "decimalZero" if (kind.get(f"{W}format") or "").startswith("0") else "decimal"  # type: ignore[union-attr]
    return _Level(
        count_of(value_of(node, "start"), 1),
        style,
        (value_of(node, "lvlText") or "")[:60],
        bool(is_on(node, "isLgl")),
        "" if value_of(node, "suff") == "nothing" else " ",
        value_of(node, "lvlRestart") != "0",
    )
