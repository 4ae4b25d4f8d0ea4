"""BM25 over characters and pairs of characters of Chinese and stemmed words of English, by tantivy; both sides use the same `terms`.

What it gives up: no phrases, no query language (whatever a user types is terms and nothing else), no word segmentation of Chinese.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import tantivy

from rag.text.normalize import search_form

LEXER_VERSION = "1"
"""Changes when `terms` or the fields do; an index made with another version is refused."""

HEADING_WEIGHT = 0.5
"""What a term in the section path counts against one in the text."""

LONGEST_TERM = 64

HAN_TERM = 1 / 3
"""What a term of a question counts against a Latin word where it is Chinese: a word of two characters is three terms, the pair and both by themselves."""

_HAN = "々〇\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U000323af"
"""Scripts that are written without blanks or with endings glued on: Han, and kana and Hangul so that they are found at all."""

_LETTER = rf"(?:(?![{_HAN}])[^\W_])"
_JOINED = rf"(?:[-_./&'’]{_LETTER}++)*+"
_IN_HAN = re.compile(f"[{_HAN}]")
_PIECE = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    rf"|(?P<number>(?:\d{{1,3}}(?:,\d{{3}})++(?!\d)(?:\.\d++)?+|\d++(?:\.\d++)*+))(?:(?P<percent>%)|(?P<unit>{_LETTER}++)(?P<rest>{_JOINED}))?"
    rf"|(?P<word>(?:(?<![\w.])\.)?{_LETTER}++{_JOINED}(?:(?:\+{{1,2}}|\#)(?!{_LETTER}))?)"
)
_JOINT = re.compile(r"[-_./&'’+#]+")


def terms(text: str) -> list[str]:
    """The lexical terms of a text in reading order, repeats included.

    >>> terms("云计算 2.5 GB")
    ['云', '云计', '计', '计算', '算', '2.5', 'gb']
    >>> terms("5G-A costs 1,500 or 80%")
    ['5g-a', '5g', 'cost', '1500', 'or', '80%', '80']
    """
    found: list[str] = []
    for match in _PIECE.finditer(search_form(text)):
        if run := match["han"]:
            for first, second in pairwise(run):
                found += (first, first + second)
            found.append(run[-1])
        elif match["number"]:
            found.extend(_number_terms(match["number"].replace(",", ""), match["percent"], match["unit"], match["rest"]))
        else:
            found.extend(_word_terms(match["word"]))
    return found


def term_weight(term: str) -> float:
    """What a term of a question counts beside its idf, so that a word counts the same in either script.

    >>> [term_weight(term) for term in ("chiplet", "挑战", "2030")] == [1.0, HAN_TERM, 1.0]
    True
    """
    return HAN_TERM if _IN_HAN.match(term) else 1.0


def _number_terms(number: str, percent: str | None, unit: str | None, rest: str | None) -> list[str]:
    """A figure as it stands; with its unit glued on, also without: "10gbps" is found by "10 Gbps", while "5g" stays a word."""
    if percent:
        return _distinct([number + percent, number])
    if not unit:
        return _distinct([number])
    apart = [number, stem(unit)] if len(unit) > 1 else [number + unit]
    return _distinct([number + unit + rest, *apart, *_parts(rest)])


def _word_terms(word: str) -> list[str]:
    """A plain word as its stem; a word with joints whole and in its parts; dotted initials without their dots."""
    word = word.replace("’", "'").removesuffix("'s")
    parts = [part for part in _JOINT.split(word) if part]
    if parts == [word]:
        return _distinct([stem(word)])
    if len(parts) > 1 and all(len(part) == 1 for part in parts) and set(word) - set("".join(parts)) == {"."}:
        return _distinct(["".join(parts)])
    return _distinct([word, *_parts(word)])


def _parts(word: str) -> list[str]:
    return [stem(part) for part in _JOINT.split(word) if len(part) > 1 or part.isdecimal()]


def _distinct(words: list[str]) -> list[str]:
    return list(dict.fromkeys(word[:LONGEST_TERM] for word in words if word))


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The Snowball stem of an English word of more than three letters; any other word as it is.

    >>> stem("measured"), stem("5g"), stem("café")
    ('measur', '5g', 'café')
    """
    if not 3 < len(word) <= LONGEST_TERM or not (word.isascii() and word.isalpha()):
        return word
    with _STEMMING:  # a stemmer keeps the word it works on in itself
        return _stemmer().stemWord(word)


_STEMMING = threading.Lock()


@cache
def _stemmer():
    import snowballstemmer  # 60 ms, not needed for a Chinese question

    return snowballstemmer.stemmer("english")


@dataclass(frozen=True, slots=True)
class LexicalRow:
    """One chunk as it goes into the index. Rows are added in the order of their positions, which also breaks ties."""

    position: int
    document: str
    body: str
    heading: str = ""


def build_lexical(folder: Path, rows: Iterable[LexicalRow]) -> None:
    """Writes a new index into an empty folder."""
    fields = tantivy.SchemaBuilder()
    for name in ("body", "heading"):
        # "whitespace" is built into tantivy, so there is no tokenizer of ours that a reload could miss.
        fields.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    fields.add_text_field("document", tokenizer_name="raw", index_option="basic")
    fields.add_unsigned_field("position", fast=True)
    making = folder / "making"
    making.mkdir()
    index = tantivy.Index(fields.build(), path=str(making))
    writer = index.writer(heap_size=256_000_000, num_threads=1)  # one thread keeps positions in order
    for row in rows:
        document = tantivy.Document()
        document.add_text("body", " ".join(terms(row.body)))
        document.add_text("heading", " ".join(terms(row.heading)))
        document.add_text("document", row.document)
        document.add_unsigned("position", row.position)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    for file in making.iterdir():
        if file.suffix != ".lock":
            file.rename(folder / file.name)
    # tantivy tidies up on a thread of its own that nothing waits for, and may still put a lock where it worked; not where that is gone.
    while making.exists():
        shutil.rmtree(making, ignore_errors=True)


class LexicalIndex:
    """An index in memory that never changes. Any number of threads may search it."""

    def __init__(self, files: Mapping[str, bytes]):
        """`files`: name -> content of each file that `build_lexical` wrote. Raises ValueError or OSError when they are not an index."""
        # tantivy maps files and wants to write a lock beside them, so it gets a private copy: what was checked is what is
        # searched, and nothing that happens to the index folder can reach a running search.
        with tempfile.TemporaryDirectory(prefix="rag-lexical-", ignore_cleanup_errors=True) as folder:
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            try:
                index = tantivy.Index.open(folder)
                index.config_reader(reload_policy="Manual")
                self._searcher = index.searcher()
            except BaseException as error:
                # tantivy panics over some damaged files, and a panic is no Exception.
                if isinstance(error, Exception) or type(error).__name__ != "PanicException":
                    raise
                raise ValueError(f"lexical/ is not an index ({str(error)[:100]})") from error
        self._schema = index.schema

    @classmethod
    def open(cls, folder: Path) -> LexicalIndex:
        """Loads an index from a folder, which may be changed or deleted afterwards."""
        return cls({path.name: path.read_bytes() for path in sorted(folder.iterdir())})

    def __len__(self) -> int:
        return self._searcher.num_docs

    def positions(self) -> list[int]:
        """The positions of all rows, ascending."""
        return sorted(position for position, _ in self._run(tantivy.Query.all_query(), len(self)))

    def document_frequencies(self, names: Sequence[str]) -> list[int]:
        """In how many rows each term occurs: in the text, or for a term that only headings have, in the headings."""
        held = self._searcher.doc_freq
        return [held("body", name) or held("heading", name) for name in names]

    def search(self, weights: Mapping[str, float], top_k: int, documents: frozenset[str] | None = None) -> list[tuple[int, float]]:
        """(position, BM25) best first, ties by position: the weighted sum over text and, at `HEADING_WEIGHT`, section path.

        Rows that share no term are left out; terms without a positive weight count for nothing.
        """
        either, both = tantivy.Occur.Should, tantivy.Occur.Must
        parts = [
            (either, tantivy.Query.boost_query(tantivy.Query.term_query(self._schema, field, term, "freq"), weight * share))
            for term, weight in weights.items()
            if weight > 0
            for field, share in (("body", 1.0), ("heading", HEADING_WEIGHT))
        ]
        if not parts or top_k < 1 or not len(self):
            return []
        query = tantivy.Query.boolean_query(parts)
        if documents is not None:
            allowed = tantivy.Query.term_set_query(self._schema, "document", sorted(documents))
            query = tantivy.Query.boolean_query([(both, query), (both, tantivy.Query.const_score_query(allowed, 0.0))])
        return self._run(query, top_k)

    def _run(self, query: tantivy.Query, top_k: int) -> list[tuple[int, float]]:
        if top_k < 1:
            return []
        hits = self._searcher.search(query, min(top_k, len(self)), count=False).hits
        if not hits:
            return []
        positions = self._searcher.fast_field_values("position", [address for _, address in hits])
        found = zip(positions, (float(score) for score, _ in hits), strict=True)
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))
