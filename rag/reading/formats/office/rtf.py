"""RTF -> pieces: paragraphs and tables with the bytes of each font's code page; pictures, styles and deleted text left out.

What it gave up: headings, since an RTF names them only by style sheets that few programs keep; merged cells of tables.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control
from rag.reading.elements import Content, Piece, counted_notes
from rag.reading.table_grid import Table, cells, table_pieces

MAX_DEPTH = 500
_TOKEN = re.compile(rb"\\([a-z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)")
_CODE_PAGES = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254", 177: "cp1255", 178: "cp1256",
    186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
"""Code page by the character set that a font names."""
_UNSEEN = frozenset(
    b"colortbl stylesheet info generator listtable listoverridetable rsidtbl themedata colorschememapping datastore latentstyles xmlnstbl pict objdata "
    b"fldinst header headerl headerr headerf footer footerl footerr footerf ftnsep ftnsepc aftnsep aftnsepc template filetbl revtbl pgptbl mmathPr".split()
)
_SIGNS = {
    b"emdash": "—", b"endash": "–", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"bullet": "•", b"tab": " ", b"emspace": " ",
    b"enspace": " ", b"line": "\n", b"lbr": "\n",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _State:
    """What a group inherits from the one around it."""

    unseen: bool = False
    fonts: bool = False
    """In the table of fonts."""
    font: int = 0
    skip: int = 1
    """Characters that stand for a Unicode sign where that is not known."""
    in_table: bool = False


class _Reader:
    """Reads an RTF file token by token."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.left_out: Counter[str] = Counter()
        self._state, self._stack = _State(), []
        self._default, self._pages = "cp1252", {}  # code page by font
        self._words: list[str] = []
        self._bytes = bytearray()
        self._cells: list[str] = []
        self._rows: list[list[str]] = []
        self._swallow = 0

    def read(self, data: bytes) -> None:
        for match in _TOKEN.finditer(data):
            word, number, code, sign, brace, text = match.groups()
            if brace:
                self._group(brace)
            elif word:
                self._word(word, int(number) if number else None)
            elif code:
                self._byte(bytes([int(code, 16)]))
            elif sign:
                self._sign(sign)
            elif text:
                self._byte(text)
        self._paragraph()
        self._close_table()

    def _group(self, brace: bytes) -> None:
        self._flush()
        if brace == b"{":
            if len(self._stack) > MAX_DEPTH:
                raise RecursionError
            self._stack.append(self._state)
        elif self._stack:
            self._state = self._stack.pop()

    def _sign(self, sign: bytes) -> None:
        if sign == b"*":
            self._state = replace(self._state, unseen=True)
        elif sign in b"~_-":
            self._add({b"~": " ", b"_": "-", b"-": ""}[sign])
        elif sign in b"\\{}":
            self._byte(sign)
        elif sign in b"\r\n":
            self._paragraph()

    def _byte(self, data: bytes) -> None:
        if self._swallow:
            taken = min(self._swallow, len(data))
            self._swallow -= taken
            data = data[taken:]
        if not self._state.unseen and not self._state.fonts:
            self._bytes += data

    def _flush(self) -> None:
        if self._bytes:
            page = self._pages.get(self._state.font, self._default)
            self._words.append(self._bytes.decode(page, "replace"))
            self._bytes.clear()

    def _add(self, text: str) -> None:
        self._flush()
        if not self._state.unseen and not self._state.fonts:
            self._words.append(text)

    def _word(self, word: bytes, number: int | None) -> None:
        state = self._state
        if word == b"u" and number is not None:
            self._flush()
            if not state.unseen:
                self._words.append(chr(number % 65_536))
            self._swallow = state.skip
            return
        self._swallow = 0
        if word in _SIGNS:
            self._add(_SIGNS[word])
        elif word in (b"par", b"sect", b"page"):
            self._paragraph()
        elif word == b"cell":
            self._add("")
            self._cells.append(self._taken())
        elif word == b"row":
            self._rows.append(self._cells)
            self._cells = []
        elif word in _UNSEEN:
            self.left_out["pictures not read"] += word == b"pict" and not state.unseen
            self._state = replace(state, unseen=True)
        elif word in (b"v", b"deleted", b"strike"):
            self._flush()
            kind = "struck-out stretches left out" if word == b"strike" else "hidden or deleted stretches left out"
            self.left_out[kind] += number != 0 and not state.unseen
            self._state = replace(state, unseen=number != 0)
        elif word in (b"plain", b"pard"):
            self._flush()
            self._state = replace(state, unseen=False if word == b"plain" and not self._hidden_around() else state.unseen)
            self._state = replace(self._state, in_table=False) if word == b"pard" else self._state
        else:
            self._setting(word, number)

    def _hidden_around(self) -> bool:
        return bool(self._stack) and self._stack[-1].unseen

    def _setting(self, word: bytes, number: int | None) -> None:
        if word == b"fonttbl":
            self._state = replace(self._state, fonts=True)
        elif word == b"f" and number is not None:
            self._flush()
            self._state = replace(self._state, font=number)
        elif word == b"fcharset" and self._state.fonts and number in _CODE_PAGES:
            self._pages[self._state.font] = _CODE_PAGES[number]
        elif word == b"ansicpg" and number:
            self._default = {936: "gb18030", 65001: "utf-8"}.get(number, f"cp{number}")
            try:
                codecs.lookup(self._default)
            except LookupError:
                self._default = "cp1252"
        elif word == b"uc" and number is not None:
            self._state = replace(self._state, skip=max(0, min(number, 10)))
        elif word == b"intbl":
            self._state = replace(self._state, in_table=True)

    def _taken(self) -> str:
        self._flush()
        text = "".join(self._words).encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # two halves of one sign meet here
        self._words.clear()
        return " ".join(drop_control(text).replace("\n", " ").split())

    def _paragraph(self) -> None:
        self._flush()
        if self._state.in_table or self._cells:
            self._words.append(" ")
            return
        self._close_table()
        if text := self._taken():
            self.pieces.append(Piece("prose", text))

    def _close_table(self) -> None:
        if self._rows:
            self.pieces += table_pieces(Table([cells(*row) for row in self._rows]))
            self._rows = []


def read_rtf(path: Path, data: bytes) -> Content:
    """The text of a rich-text file. Raises UnreadableFile."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise UnreadableFile(path, "not an RTF file; give it its own suffix")
    reader = _Reader()
    reader.read(data)
    title = re.search(rb"\\info\b.{0,2000}?\{\\title ([^\\{}]{1,200})\}", data[:100_000], re.DOTALL)
    name = title[1].decode("cp1252", "replace").strip() if title else ""
    return Content(
        reader.pieces, name, opening="\n".join(piece.text for piece in reader.pieces[:12])[:3000], notes=counted_notes(reader.left_out)
    )
