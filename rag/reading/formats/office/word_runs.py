"""The runs of a Word paragraph -> text as Word shows it, with what it carries along: page turns, text boxes, charts, marks of notes.

Deleted, struck and hidden runs are left out and counted; of ruby the base is kept, of a formula its text on one line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from lxml import etree

from rag.reading.cleanup import drop_control
from rag.reading.formats.formula import linear_formula
from rag.reading.formats.office.symbols import symbol, with_symbols
from rag.reading.formats.office.word_styles import Look, Styles, W, count_of, is_on, run_look, value_of
from rag.reading.inline import is_note_mark, raised, subscript, superscript

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_SKIPPED = frozenset(
    f"{W}{name}" for name in ("instrText", "delText", "rPr", "pPr", "rt", "rubyPr", "sdtPr", "annotationRef", "footnoteRef")
)
_DELETED = frozenset((f"{W}del", f"{W}moveFrom"))


class Part(NamedTuple):
    """A piece of a paragraph."""

    kind: Literal["text", "raised", "lowered", "note", "turn", "box", "chart", "diagram"]
    text: str = ""
    node: etree._Element | None = None


@dataclass
class Paragraph:
    """A paragraph as it is shown."""

    text: str = ""
    turns: list[int] = field(default_factory=list)
    """Characters of `text` before which a page begins."""
    marks: list[str] = field(default_factory=list)
    """Marks of notes that were kept apart."""
    inserted: list[Part] = field(default_factory=list)
    """Text boxes, charts and diagrams anchored in it."""


class Runs:
    """Reads the runs of one file; notes are counted in the order of their marks."""

    def __init__(self, styles: Styles, left_out: Counter[str]):
        self._styles, self._left_out = styles, left_out
        self.notes: dict[tuple[str, str], int] = {}
        """(footnote or endnote, its id) -> the number that its mark shows."""

    def paragraph(self, node: etree._Element, apart: bool = False) -> Paragraph:
        """What a paragraph shows; `apart` keeps marks of notes out of its text."""
        told = Paragraph()
        parts = list(self._parts(node))
        for at, part in enumerate(parts):
            if part.kind == "turn":
                told.turns.append(len(told.text))
            elif part.kind in ("box", "chart", "diagram"):
                told.inserted.append(part)
            elif part.kind == "note" and apart:
                told.marks.append(part.text)
            elif part.kind in ("raised", "lowered") and at and parts[at - 1].kind == part.kind:
                continue  # told with the run before it
            elif part.kind in ("raised", "lowered"):
                end = next((later for later in range(at, len(parts)) if parts[later].kind != part.kind), len(parts))
                text = "".join(run.text for run in parts[at:end])
                if part.kind == "raised" and apart and told.text.strip() and is_note_mark(text, told.text):
                    told.marks.append(text.strip(" []()（）"))
                else:
                    told.text += superscript(text, told.text) if part.kind == "raised" else subscript(text)
            else:
                told.text += raised(part.text) if part.kind == "note" else part.text
        return told

    def _parts(self, node: etree._Element) -> Iterator[Part]:
        stack = [node]
        while stack:
            current = stack.pop()
            tag = current.tag
            if not isinstance(tag, str) or tag in _SKIPPED or tag == f"{_MC}Fallback":
                continue
            if tag in _DELETED:
                self._left_out["tracked deletions left out"] += 1
            elif tag == f"{W}r":
                yield from self._run(current)
            elif tag == f"{_M}oMath":
                yield Part("text", drop_control(linear_formula(current)))
            elif tag == f"{W}lastRenderedPageBreak":
                yield Part("turn")
            else:
                stack.extend(reversed(current))

    def _run(self, run: etree._Element) -> Iterator[Part]:
        properties = run.find(f"{W}rPr")
        styled = self._styles.look(value_of(properties, "rStyle")) if value_of(properties, "rStyle") else Look()
        own = run_look(properties)
        inherited = (styled.struck, styled.hidden, styled.align, styled.font)
        struck, hidden, align, font = (base if told is None else told for told, base in zip(own, inherited, strict=True))
        if hidden or struck:
            if any((node.text or "").strip() for node in run.iter(f"{W}t")):
                self._left_out["hidden parts left out" if hidden else "struck-out passages left out"] += 1
            yield from (Part("turn") for _ in run.iter(f"{W}lastRenderedPageBreak"))
            return
        kind: Literal["text", "raised", "lowered"] = {"superscript": "raised", "subscript": "lowered"}.get(align or "", "text")  # type: ignore[assignment]
        for child in run:
            yield from self._child(child, kind, font or "")

    def _child(self, node: etree._Element, kind: Literal["text", "raised", "lowered"], font: str) -> Iterator[Part]:
        tag = node.tag if isinstance(node.tag, str) else ""
        name = tag.removeprefix(W)
        if tag in _SKIPPED or not tag:
            return
        if name == "t":
            text = with_symbols(node.text or "", font)
            yield Part(kind, drop_control(re.sub("[\uf020-\uf0ff]", lambda match: symbol(ord(match[0]), font or "Symbol"), text)))
        elif name == "tab" or name == "ptab":
            yield Part("text", " ")
        elif name in ("br", "cr"):
            yield Part("text", "" if node.get(f"{W}type") in ("page", "column") else "\n")
        elif name == "noBreakHyphen":
            yield Part(kind, "-")
        elif name == "sym":
            code = node.get(f"{W}char", "")
            shown = symbol(int(code, 16), node.get(f"{W}font", "")) if re.fullmatch(r"[0-9A-Fa-f]{1,5}", code) else "□"
            self._left_out["symbols without a known character"] += shown == "□"
            yield Part(kind, shown)
        elif name == "lastRenderedPageBreak":
            yield Part("turn")
        elif name in ("footnoteReference", "endnoteReference"):
            key = (name.removesuffix("Reference"), node.get(f"{W}id", ""))
            yield Part("note", str(self.notes.setdefault(key, sum(kind == key[0] for kind, _ in self.notes) + 1)))
        elif name == "fldChar":
            yield Part("text", self._form_field(node))
        elif name == "ruby":
            for base in node.findall(f"{W}rubyBase"):
                yield from self._parts(base)
        elif name in ("drawing", "pict", "object") or tag == f"{_MC}AlternateContent":
            yield from self._inserted(node)

    def _form_field(self, node: etree._Element) -> str:
        """What a box to tick or a list to choose from shows."""
        data = node.find(f"{W}ffData")
        if data is None:
            return ""
        if data.find(f"{W}checkBox") is not None:
            ticked = is_on(data, "checkBox/checked")
            return "☑ " if (is_on(data, "checkBox/default") if ticked is None else ticked) else "☐ "
        if data.find(f"{W}ddList") is not None:
            entries = [entry.get(f"{W}val", "") for entry in data.findall(f"{W}ddList/{W}listEntry")]
            chosen = count_of(value_of(data, "ddList/result"), count_of(value_of(data, "ddList/default")))
            return entries[chosen] if chosen < len(entries) else ""
        return ""

    def _inserted(self, node: etree._Element) -> Iterator[Part]:
        """Text boxes, charts, diagrams and pictures, of two forms of the same the first."""
        choices = node.findall(f"{_MC}Choice") or node.findall(f"{_MC}Fallback") if node.tag == f"{_MC}AlternateContent" else [node]
        if len(choices) and not any(len(choice) for choice in choices):
            choices = node.findall(f"{_MC}Fallback") or choices
        found = False
        stack = choices[:1]
        told = ""
        while stack:
            current = stack.pop()
            tag = current.tag if isinstance(current.tag, str) else ""
            if tag == f"{W}txbxContent":
                found = True
                yield Part("box", node=current)
                continue
            if tag.startswith(f"{_DRAWING}chart}}") and tag.endswith("}chart"):
                found = True
                yield Part("chart", current.get(f"{_R}id", ""))
            elif tag.startswith(f"{_DRAWING}diagram}}") and tag.endswith("}relIds"):
                found = True
                yield Part("diagram", current.get(f"{_R}dm", ""))
            elif tag.endswith("}docPr"):
                told = current.get("descr") or ""
            elif tag.endswith(("}oMath",)):
                found = True
                yield Part("text", drop_control(linear_formula(current)))
                continue
            if tag != f"{_MC}Fallback" or current is (choices[:1] or [None])[0]:
                stack.extend(reversed(current))
        if not found and (told := " ".join(drop_control(told).split())):
            yield Part("box", told)
        elif not found and node.tag == f"{W}object":
            self._left_out["embedded objects and drawings not read"] += 1
        elif not found and next(node.iter("{*}blip", "{*}imagedata"), None) is not None:
            self._left_out["pictures not read"] += 1
