"""How often search brings the passage that answers among its first: `python -m eval.candidates --data DATA [--reports FOLDER --gold FILE]`.

Whatever reads passages afterwards can only choose among these. Sets: CMRC dev; every sixth article of the SQuAD half, among all its passages;
the last half of the XQuAD articles across languages; written questions over one library of reports, courses, filings, news and encyclopedia, by
pair of languages; and, with `--gold`, questions over the reports of `--reports`. A question counts by the first hit that holds half of a
sentence that answers it. Of each set a sample is asked, evenly spread. Gives up: whether another passage says it too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rag.config import Config
from rag.index.build import build_index
from rag.index.encoder import Encoder, open_encoder
from rag.index.snapshot import Snapshot, open_index
from rag.search.question import read_question
from rag.search.retrieve import search
from rag.text.normalize import search_form

from .public import PublicSet, _across, _squad_format

DEPTHS = (1, 5, 8, 20)
NEWS = 300
"""Articles of news that stand beside those that are asked about, at least."""
OPEN_SOURCE = "text_zh_en/china_open_source_report_2023"
"""A report that is there in both languages."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the file name of the report that answers it, and the sentences that do; any of them will do."""

    set: str
    question: str
    report: str
    passage: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """What is indexed together: folders and files as they are, texts by file name; and what is asked about it."""

    name: str
    paths: tuple[Path, ...]
    texts: Mapping[str, str]
    asked: tuple[Asked, ...]


def squeezed(text: str) -> tuple[str, list[int]]:
    """A text without all that is no letter or digit, and where each of its characters stands; so that marked-up text finds its plain form.

    >>> squeezed("It *fell* by 5%")
    ('itfellby5', [0, 1, 4, 5, 6, 7, 10, 11, 13])
    """
    places = [place for place, character in enumerate(text) if character.isalnum()]
    return "".join(text[place].lower()[0] for place in places), places


def spans_of(text: str, asked: Asked) -> list[tuple[int, int]]:
    """Where the evidence stands in a report's text, from the passage on; empty when it does not."""
    plain, places = squeezed(text)
    begin = max(0, plain.find(squeezed(asked.passage)[0][:60]))
    spans = []
    for quote in asked.evidence:
        wanted = squeezed(quote)[0]
        at = plain.find(wanted, begin) if wanted else -1
        at = plain.find(wanted) if at < 0 and wanted else at
        if at >= 0:
            spans.append((places[at], places[at + len(wanted) - 1] + 1))
    return spans


def rank_of(store: Snapshot, encoder: Encoder, asked: Asked, document: str, config: Config) -> int | None:
    """The place of the first hit with half of a sentence that answers, from 1; 0 for none, None where the report does not have the sentence."""
    spans = spans_of(store.document(document).text, asked)
    if not spans:
        return None
    question = read_question(asked.question, store.documents())
    named = frozenset(question.reports)
    hits = search(store, encoder, question.core, named=named, candidates=config.candidates, top_k=max(DEPTHS), asked=asked.question)
    for place, hit in enumerate(hits, 1):
        chunk = hit.chunk
        if chunk.document == document and any(2 * (min(chunk.end, end) - max(chunk.start, start)) >= end - start for start, end in spans):
            return place
    return 0


def measured(library: Library, count: int, folder: Path) -> dict[str, dict[str, float]]:
    """Figures of each set of a library, which is indexed in `folder` unless it is there already."""
    started = time.perf_counter()
    config = replace(Config(), index_dir=str(folder / library.name / "index"))
    texts = folder / library.name / "texts"
    texts.mkdir(parents=True, exist_ok=True)
    for name, text in library.texts.items():
        if not (texts / name).exists():
            (texts / name).write_text(text, encoding="utf-8")
    encoder = open_encoder(config.encoder)
    paths = [*library.paths, *([texts] if library.texts else [])]
    build_index(paths, config.index_dir, encoder, target_tokens=config.target_tokens, max_tokens=config.max_tokens)
    store = open_index(config.index_dir, encoder=encoder)
    roots = (texts, *library.paths)
    documents = {_name_in(path, roots): source.document for path, source in store.manifest.sources.items()}
    indexed, found = time.perf_counter() - started, dict[str, dict[str, float]]()
    for name in dict.fromkeys(asked.set for asked in library.asked):
        started = time.perf_counter()
        chosen = spread([asked for asked in library.asked if asked.set == name], count)
        ranks = [rank_of(store, encoder, asked, documents[asked.report], config) if asked.report in documents else None for asked in chosen]
        found[name] = figures([rank for rank in ranks if rank is not None], len(chosen)) | {
            "seconds": round(time.perf_counter() - started, 1),
            "indexed_in": round(indexed, 1),
        }
    return found


def figures(ranks: Sequence[int], asked: int) -> dict[str, float]:
    """Recall at each depth and mean reciprocal rank, from ranks of 1 or more and 0 for what was not found.

    >>> figures([1, 0, 4, 2], 5)
    {'n': 4, 'unplaced': 1, 'recall_at_1': 0.25, 'recall_at_5': 0.75, 'recall_at_8': 0.75, 'recall_at_20': 0.75, 'mrr': 0.4375}
    """
    n = len(ranks)
    recalls = {f"recall_at_{depth}": sum(0 < rank <= depth for rank in ranks) / max(1, n) for depth in DEPTHS}
    return {"n": n, "unplaced": asked - n, **recalls, "mrr": sum(1 / rank for rank in ranks if rank) / max(1, n)}


def spread(rows: Sequence[Any], count: int) -> list[Any]:
    """At most `count` of the rows, evenly spread.

    >>> spread("abcdefgh", 3)
    ['a', 'c', 'f']
    """
    step = max(1.0, len(rows) / count)
    return [rows[int(place * step)] for place in range(min(count, len(rows)))]


def _name_in(path: str, roots: Iterable[Path]) -> str:
    """The name of a file below the root that it was found under."""
    for root in roots:
        if Path(path) == root or root in Path(path).parents:
            return Path(path).name if Path(path) == root else str(Path(path).relative_to(root))
    return path


def _public(name: str, loaded: PublicSet, wanted: frozenset[str] | None = None) -> Library:
    """A set in SQuAD's form, asked by the questions about passages `wanted`, or all."""
    texts = {f"{passage}.txt": text for passage, text in loaded.passages.items()}
    asked = [
        Asked(name, item.question, f"{item.gold[0].document}.txt", item.gold[0].quote, (item.gold[0].quote,))
        for item in loaded.questions
        if wanted is None or loaded.passages[item.gold[0].document] in wanted
    ]
    return Library(name.replace(" ", "-"), (), texts, tuple(asked))


def _articles(path: Path, numbers: Iterable[int]) -> frozenset[str]:
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return frozenset(paragraph["context"] for number in numbers for paragraph in articles[number]["paragraphs"])


def public_libraries(data: Path) -> Iterator[Library]:
    """CMRC, SQuAD and XQuAD; every passage is a report."""
    yield _public("cmrc", _squad_format(data / "cmrc2018" / "dev.json", "cmrc", "zh"))
    squad = data / "squad_half" / "dev_first24articles.json"
    yield _public("squad", _squad_format(squad, "squad", "en"), _articles(squad, range(5, 24, 6)))
    files = {language: data / "xquad_half" / f"{language}.json" for language in ("en", "zh")}
    sets = {language: _squad_format(path, "xquad", language) for language, path in files.items()}
    for asking, told in (("zh", "en"), ("en", "zh")):
        yield _public(f"xquad {asking} to {told}", _across(sets[asking], sets[told], asking), _articles(files[told], range(12, 24)))


def written_library(data: Path) -> Library:
    """The written questions over one library: reports, courses and filings as whole files, the rest a passage or an article a file.

    A question in one language about the open source report in the other is left out: its own edition answers it.
    """
    rows = [
        json.loads(line) for path in sorted((data / "questions").glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()
    ]
    rows = [row for row in rows if row["answerable"] and row["evidence"]]
    texts: dict[str, str] = {}
    articles = _news(data, [row["passage"] for row in rows if row["file"].startswith("news_zh/")])
    names = {passage: f"news-{number:04d}.txt" for passage, number in articles[1].items()}
    texts |= {f"news-{number:04d}.txt": article for number, article in enumerate(articles[0])}
    asked, paths = [], {data / OPEN_SOURCE: None}
    for row in rows:
        file, passage = row["file"], row["passage"]
        if file.startswith("news_zh/"):
            report = names[passage]
        elif file.startswith(("cmrc2018/", "squad_half/", "csl/")):
            report = names.setdefault(passage, f"passage-{len(names):04d}.txt")
            texts[report] = passage
        elif file.startswith(OPEN_SOURCE):
            report = str(Path(file).relative_to(OPEN_SOURCE))
        else:  # two files of one name in different folders would be one name here, so they are copied under their whole path
            report = re.sub(r"[^\w.]+", "-", file)
            texts.setdefault(report, (data / file).read_text(encoding="utf-8"))
        told = "zh" if re.search("[\u4e00-\u9fff]", search_form("".join(row["evidence"]))) else "en"
        if told != row["language"] and file.startswith(OPEN_SOURCE):
            continue
        kind = "filings" if file.startswith("filings_text") else f"{row['language']} to {told}"
        asked.append(Asked(f"written {kind}", row["question"], report, passage, tuple(row["evidence"])))
    return Library("written", tuple(paths), texts, tuple(sorted(asked, key=lambda one: one.set)))


def _news(data: Path, passages: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """(articles, the article of each passage): those that hold the passages, and others besides."""
    missing, articles, owner = set(passages), list[str](), dict[str, int]()
    others = NEWS
    with gzip.open(data / "news_zh" / "articles.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            inside = {passage for passage in missing if passage[:200] in line}
            if inside or (others > 0 and len(line) > 300):
                others -= not inside
                owner |= dict.fromkeys(inside, len(articles))
                missing -= inside
                articles.append(line.split("正文：", 1)[-1])
            if not missing and others <= 0:
                break
    for passage in missing:  # a passage that was joined from several lines is a report of its own
        owner[passage] = len(articles)
        articles.append(passage)
    return articles, owner


def gold_library(reports: Path, gold: Path) -> Library:
    """Questions with line places over reports that are indexed as they are."""
    rows = [json.loads(line) for line in gold.read_text(encoding="utf-8").splitlines()]
    asked = [
        Asked("gold", row["question"], f"{row['evidence'][0]['report']}.txt", "", tuple(place["quote"] for place in row["evidence"]))
        for row in rows
        if row["answerable"] and row["evidence"]
    ]
    return Library("gold", (reports,), {}, tuple(asked))


def main() -> None:
    """Prints a table, or with `--json` one object: set -> figure -> value."""
    parser = argparse.ArgumentParser(prog="python -m eval.candidates", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with cmrc2018/, squad_half/, xquad_half/ and questions/")
    parser.add_argument("--reports", type=Path, help="folder of the reports that --gold asks about")
    parser.add_argument("--gold", type=Path, help="JSON Lines of question, answerable and evidence (report, quote)")
    parser.add_argument("--only", nargs="*", default=(), help="libraries to measure: cmrc, squad, xquad-zh-to-en, ..., written, gold")
    parser.add_argument("--count", type=int, default=150, help="questions of a set")
    parser.add_argument("--indexes", type=Path, help="where the indexes are kept for the next run; nowhere unless given")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    table: dict[str, dict[str, float]] = {}
    names = ("n", "unplaced", *(f"recall_at_{depth}" for depth in DEPTHS), "mrr", "seconds", "indexed_in")
    say = (lambda line: None) if options.json else partial(print, flush=True)
    say(f"{'set':<18}" + "".join(f"{name:>13}" for name in names))
    with nullcontext(str(options.indexes)) if options.indexes else tempfile.TemporaryDirectory(prefix="candidates-") as folder:
        libraries = [*public_libraries(options.data), written_library(options.data)]
        libraries += [gold_library(options.reports, options.gold)] if options.gold and options.reports else []
        for library in libraries:
            if options.only and library.name not in options.only:
                continue
            for name, row in measured(library, options.count, Path(folder)).items():
                table[name] = row
                say(f"{name:<18}" + "".join(f"{value:>13.3f}" if isinstance(value, float) else f"{value:>13}" for value in row.values()))
    if options.json:
        print(json.dumps(table))


if __name__ == "__main__":
    main()
