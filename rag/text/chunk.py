"""A document cut into sentences and into chunks with exact spans: `document.text[chunk.start:chunk.end]` is the chunk.

Chunks keep to sentences and never cross a change of section, except that very short sections join their next sibling. Contents lines are
left out. What it gave up: overlap between chunks, since the answer step looks at neighbours itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from rag.text.tokens import count_tokens
from rag.types import Block, Chunk, Document, content_id

CHUNKER_VERSION = "10"
"""Part of every index's manifest; changes whenever reading or chunking would give other texts or spans."""

LONG_SENTENCE = 60
"""Characters above which a Chinese semicolon ends a sentence."""
SHORT_SECTION = 60
"""Tokens below which a section joins its next sibling."""
ROWS_IN_CHUNK = 12
"""Rows of a list of abbreviations in one chunk."""

_CLOSERS = "”’」』）)】》〉\"'］]"
_BOUNDARY = re.compile(rf"[。！？!?…]+[{re.escape(_CLOSERS)}]*|；|(?<!\.)\.+[{re.escape(_CLOSERS)}]*(?=\s|$)|\n")
_ABBREVIATIONS = re.compile(
    r"etc|al|vol|eds?|inc|ltd|co|corp|jr|sr|dept|est|avg|max|min|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|bros|assn|ave|blvd|"
    r"(?:[a-z]{1,2}\.)+[a-z]{1,2}"
)
"""Words that a full stop shortens, and that can end a sentence all the same."""
_NEVER_LAST = re.compile(
    r"e\.g|i\.e|vs|cf|figs?|dr|mrs?|ms|messrs|mme|prof|st|mt|ca|approx|incl|excl|viz|resp|gov|sen|gen|capt|lt|sgt|maj|adm|hon|supt|col|rep"
)
"""Words that a full stop shortens, and that something always follows; titles among them stand with a capital."""
_BEFORE_FIGURES = re.compile(
    r"nos?|nr|arts?|secs?|sects?|pp?|pgs?|paras?|pars?|ch|chap|cl|vols?|pts?|eqs?|tabs?|app|ex|reg|res|ver|rev|ed|op|abs|tel|ext|fax|min|max|avg|est|temp|"
    r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|c|v|s|n|d|b|r"
)
"""Words that a full stop shortens before a figure: "No. 7", "max. 40", "Art. 7"."""
_MONTH = re.compile(r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec")
_TITLES = re.compile(r"gov|sen|gen|capt|lt|sgt|maj|adm|hon|supt|col|rep|mt|st|resp")
_TIME_OF_DAY = re.compile(r"(?!(?:[A-Z]{2,}|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b)[A-Z]")
_OPENER = re.compile(
    r"(?:The|This|That|These|Those|It|In|On|At|We|They|He|She|But|And|However|For|An?|As|By|To|When|While|If|Our|Its|There)\b"
)
_WORD = re.compile(r"\w")
_PIECE = re.compile(r"\s+|[A-Za-z]+|\d+|[\u3400-\u9fff]{1,16}|.", re.DOTALL)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a text, in order; together they hold every character that is not white space.

    Closing quotes and brackets stay with their sentence, a newline ends one, "2.1", "e.g." and "U.S." do not, and a full-width semicolon
    does only when the sentence up to it is long.

    >>> [("甲是一。乙是“二。”丙")[start:end] for start, end in split_sentences("甲是一。乙是“二。”丙")]
    ['甲是一。', '乙是“二。”', '丙']
    """
    spans, start = [], 0
    for match in _BOUNDARY.finditer(text):
        mark, end = match.group(), match.end()
        if mark == "；" and end - start <= LONG_SENTENCE:
            continue
        if mark[0] == "." and not _full_stop_ends(text, start, match.start(), end, mark):
            continue
        if mark[0] in "!?" and end < len(text) and text[end].isascii() and text[end].isalnum():
            continue
        if mark[0] == "…" and _goes_on(text, end):
            continue
        if mark[0] in "。！？!?" and end < len(text) and text[end] in "，、；：,;:":
            continue
        spans.append(_trim(text, start, end))
        start = end
    spans.append(_trim(text, start, len(text)))
    return [(start, end) for start, end in _join_strays(text, spans) if start < end]


def sentence_spans(document: Document) -> list[tuple[int, int, int]]:
    """(start, end, position of the block) of every sentence; sentences never cross blocks."""
    return [
        (block.start + start, block.start + end, position)
        for position, block in enumerate(document.blocks)
        for start, end in split_sentences(document.text[block.start : block.end])
    ]


def chunk_document(
    document: Document,
    *,
    target_tokens: int = 260,
    max_tokens: int = 400,
    tokens_of: Callable[[str], int] = count_tokens,
) -> list[Chunk]:
    """The chunks of a document, in order, without overlap; none for a text without any word.

    A chunk is filled with whole sentences up to `target_tokens`; list items and their lead-in, or a table, may fill it up to `max_tokens`.
    Longer than `max_tokens` is only a single piece that cannot be cut. Headings stand at the start of the chunk that they head.
    """
    tokens_of = lru_cache(maxsize=1 << 17)(tokens_of)  # a block is counted when it is grouped, cut and packed
    chunks = []
    for group in _short_sections_joined(_groups(document, tokens_of), document, max_tokens, tokens_of):
        for start, end, page in _packed(document, group, target_tokens, max_tokens, tokens_of):
            text = document.text[start:end]
            if not _WORD.search(text):
                continue
            chunks.append(Chunk(chunk_id(document.id, start, end, text), document.id, start, end, page, group.section, tokens_of(text)))
    return chunks


def chunk_id(document_id: str, start: int, end: int, text: str) -> str:
    """The id of a chunk with this text: the same place with the same words has the same id everywhere."""
    return content_id(document_id, str(start), str(end), text)


@dataclass(frozen=True, slots=True)
class _Group:
    """Consecutive blocks of one section and one manner of filling."""

    blocks: tuple[Block, ...]
    section: tuple[str, ...]
    manner: str
    """"text", "figure" or "abbreviation"."""
    tokens: int


def _full_stop_ends(text: str, start: int, dot: int, end: int, mark: str) -> bool:
    """Whether the full stop at `dot` ends a sentence: not after an abbreviation, an initial, a list number, nor before a small letter."""
    following = text[end:].lstrip(" \t")[:1]
    if mark.startswith("..") and _goes_on(text, end):
        return False
    before = re.search(r"[\w.]+$", text[start:dot])
    word = before.group() if before else ""
    if (word.isdigit() or len(word) == 1) and before.start() == len(text[start:dot]) - len(text[start:dot].lstrip()):
        return False  # "1. First item": the number opens the sentence
    if following and following.islower():
        return False
    lowered = word.lower().rstrip(".")
    if not following:
        return True
    if _NEVER_LAST.fullmatch(lowered) and (word[0].isupper() or not _TITLES.fullmatch(lowered)):
        return False
    if following.isdigit() and _BEFORE_FIGURES.fullmatch(lowered):
        return False
    counted = before and re.search(r"\d[)\s\u00a0-]?$", text[max(start, start + before.start() - 3) : start + before.start()])
    if counted and word.isalpha() and len(word) <= 4 and not _MONTH.fullmatch(lowered):
        return True  # "12 m. Costs rose": a unit is no initial
    opens = bool(_OPENER.match(text[end:].lstrip()))
    if lowered in ("a.m", "p.m"):
        return opens or bool(_TIME_OF_DAY.match(text[end:].lstrip()))
    # After "Inc." or "U.S." only a word that commonly opens a sentence says that a new one begins; so it does after an initial.
    vowelless = len(word) > 1 and word[1:].islower() and not re.search(r"[aeiouy\d]", lowered)
    shortened = vowelless or _ABBREVIATIONS.fullmatch(lowered) or re.fullmatch(r"[A-Za-z]", word)
    return not shortened or opens


def _goes_on(text: str, end: int) -> bool:
    """Whether the text after an ellipsis carries on: a comma or a small letter, or nothing but a blank before a Han character."""
    following = text[end : end + 2].lstrip(" ")[:1]
    return bool(following) and (
        following.islower() or following in "，、,;；：" or ("一" <= following <= "鿿" and text[end : end + 1] != " ")
    )


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _join_strays(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """A span without any word joins the span before it on the same line, so that no stray bracket is a sentence."""
    held: tuple[int, int] | None = None
    for start, end in spans:
        if start == end:
            continue
        if held and not _WORD.search(text[start:end]) and "\n" not in text[held[1] : start]:
            held = (held[0], end)
            continue
        if held:
            yield held
        held = (start, end)
    if held:
        yield held


def _groups(document: Document, tokens_of: Callable[[str], int]) -> list[_Group]:
    """Blocks gathered by section and manner; contents lines are left out. A heading goes with what follows it."""
    groups: list[_Group] = []
    run: list[Block] = []

    def close() -> None:
        if run:
            body = next((block for block in run if block.kind != "heading"), run[0])
            tokens = sum(tokens_of(document.text[block.start : block.end]) for block in run)
            groups.append(_Group(tuple(run), run[0].section, _manner(body), tokens))
            run.clear()

    for block in document.blocks:
        if block.kind == "contents":
            close()
            continue
        if run and not (run[-1].section == block.section and _same_manner(run, block) and _adjacent(document, run[-1], block)):
            close()
        run.append(block)
    close()
    return groups


def _manner(block: Block) -> str:
    return block.kind if block.kind in ("figure", "abbreviation") else "text"


def _same_manner(run: list[Block], block: Block) -> bool:
    """Headings come first in a run, and what follows them is of one manner, so its last block speaks for the rest."""
    if run[-1].kind == "heading":
        return True
    return block.kind != "heading" and _manner(run[-1]) == _manner(block)


def _adjacent(document: Document, before: Block, after: Block) -> bool:
    return not document.text[before.end : after.start].strip()


def _short_sections_joined(groups: list[_Group], document: Document, max_tokens: int, tokens_of: Callable[[str], int]) -> Iterator[_Group]:
    """A section of few tokens joins the next group when both are text, adjacent and of one parent, or when it only heads the next one."""
    held: _Group | None = None
    for group in groups:
        if held is not None and _may_join(held, group, document, max_tokens):
            section = group.section[: len(held.section)] if group.section[: len(held.section)] == held.section else held.section[:-1]
            only_headings = all(block.kind == "heading" for block in held.blocks)
            held = replace(
                group,
                blocks=held.blocks + group.blocks,
                section=group.section if only_headings else section or held.section,
                tokens=held.tokens + group.tokens,
            )
            continue
        if held is not None:
            yield held
        held = group
    if held is not None:
        yield held


def _may_join(held: _Group, group: _Group, document: Document, max_tokens: int) -> bool:
    if not _adjacent(document, held.blocks[-1], group.blocks[0]) or held.tokens >= SHORT_SECTION:
        return False
    child = len(group.section) > len(held.section) and group.section[: len(held.section)] == held.section
    sibling = len(held.section) > 1 and len(group.section) == len(held.section) and group.section[:-1] == held.section[:-1]
    if all(block.kind == "heading" for block in held.blocks):
        return child or group.section == held.section
    return (
        held.manner == group.manner == "text" and (sibling and held.section != group.section) and held.tokens + group.tokens <= max_tokens
    )


def _packed(
    document: Document, group: _Group, target_tokens: int, max_tokens: int, tokens_of: Callable[[str], int]
) -> Iterator[tuple[int, int, int | None]]:
    """(start, end, page) of the chunks of one group."""
    start = end = -1
    page: int | None = None
    units = rows = most = 0
    sealed = False  # the chunk so far ends in a heading or a lead-in, which the next unit belongs to
    for unit_start, unit_end, block in _units(document, group, max_tokens, tokens_of):
        most += tokens_of(document.text[unit_start:unit_end])  # joined text never has more tokens than its parts
        if start >= 0:
            wanted = max_tokens if sealed or block.kind in ("item", "row") else target_tokens
            size = most if most <= wanted else tokens_of(document.text[start:unit_end])
            full = rows >= ROWS_IN_CHUNK if group.manner == "abbreviation" else size > wanted
            if full or size > max_tokens or (block.kind == "heading" and not sealed and units > 0):
                yield start, end, page
                start, units, rows = -1, 0, 0
        if start < 0:
            start, page, most = unit_start, document.page_at(unit_start), tokens_of(document.text[unit_start:unit_end])
        end = unit_end
        units += block.kind != "heading"
        rows += block.kind == "abbreviation"
        sealed = block.kind == "heading" or document.text[unit_end - 1] in "：:"
    if start >= 0:
        yield start, end, page


def _units(document: Document, group: _Group, max_tokens: int, tokens_of: Callable[[str], int]) -> Iterator[tuple[int, int, Block]]:
    """What a chunk is filled with: a whole heading, row or short item, else sentences; longer ones are cut between words."""
    for block in group.blocks:
        text = document.text[block.start : block.end]
        whole = block.kind in ("heading", "row", "abbreviation", "item") and tokens_of(text) <= max_tokens
        for start, end in [_trim(text, 0, len(text))] if whole else split_sentences(text):
            for piece_start, piece_end in _cut(text, start, end, max_tokens, tokens_of):
                yield block.start + piece_start, block.start + piece_end, block


def _cut(text: str, start: int, end: int, max_tokens: int, tokens_of: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    """A sentence over `max_tokens` in pieces of at most that many, cut between words; no character but white space is lost."""
    if start < end and tokens_of(text[start:end]) <= max_tokens:
        yield start, end
        return
    piece_start, piece_end, tokens = start, start, 0
    for match in _PIECE.finditer(text, start, end):
        # The sum over pieces is never below the count of the joined text, so the bound holds without counting again.
        size = tokens_of(match.group())
        if size > max_tokens and len(match.group()) > 1 and not match.group().isspace():
            if piece_end > piece_start:
                yield _trim(text, piece_start, piece_end)
            yield from _halves(text, match.start(), match.end(), max_tokens, tokens_of)
            piece_start, piece_end, tokens = match.end(), match.end(), 0
            continue
        if tokens + size > max_tokens and piece_end > piece_start:
            yield _trim(text, piece_start, piece_end)
            piece_start, tokens = match.start(), 0
        piece_end, tokens = match.end(), tokens + size
    if piece_end > piece_start:
        trimmed = _trim(text, piece_start, piece_end)
        if trimmed[0] < trimmed[1]:
            yield trimmed


def _halves(text: str, start: int, end: int, max_tokens: int, tokens_of: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    """A run without a blank in pieces of at most `max_tokens`; longer is only a single character."""
    if end - start < 2 or tokens_of(text[start:end]) <= max_tokens:
        yield start, end
        return
    middle = (start + end) // 2
    yield from _halves(text, start, middle, max_tokens, tokens_of)
    yield from _halves(text, middle, end, max_tokens, tokens_of)
