"""How well files are read: `python -m eval.reading_benchmark --pdf FOLDER [--reports FOLDER] [--json OUT]`.

Of white papers with a Markdown of the same text: sentences found whole and in order, headings that are sections, running heads inside
sentences. Of filings with questions: the page of the answer among the first passages, beside BM25 over pypdf's pages. Of reports that came
out of a PDF as text: sentences of a random sample that the layout broke; `--sheet` makes or renews the sheet of verdicts, `--text` writes the
sentences out for a look by eye. Speed beside pypdf and pdfminer, in seconds of computing. `--only hostile` reads a thousand files of which
twenty are made to do harm, and two huge ones.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import re
import tempfile
import time
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rag.chat import Assistant
from rag.config import load_config
from rag.errors import UnreadableFile
from rag.index.build import build_index
from rag.index.encoder import open_encoder
from rag.index.lexical import terms
from rag.reading.cleanup import is_letter_spaced
from rag.reading.dispatch import MAX_BYTES, read_document
from rag.reading.sandbox import Cut, Sandbox
from rag.text.chunk import chunk_document, sentence_spans
from rag.types import Document


def bare(text: str) -> str:
    """Letters and digits alone, in one form.

    >>> bare("ＡＩ, the 2nd!")
    'aithe2nd'
    """
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).lower()


def longest_rise(values: Sequence[int]) -> int:
    """Length of the longest part of a sequence, gaps allowed, that never falls.

    >>> longest_rise([1, 5, 2, 3])
    3
    """
    tails: list[int] = []
    for value in values:
        at = bisect_left(tails, value + 1)
        tails[at : at + 1] = [value]
    return len(tails)


def sentences_of(document: Document, kinds: frozenset[str] = frozenset({"prose", "item"})) -> list[str]:
    """Sentences of eight letters or more."""
    contents = re.compile(r"目\s*录|table of contents", re.I)
    spans = [
        (start, end)
        for start, end, position in sentence_spans(document)
        if (block := document.blocks[position]).kind in kinds and not any(contents.fullmatch(name) for name in block.section)
    ]
    return [document.text[start:end] for start, end in spans if len(bare(document.text[start:end])) >= 8]


# ------------------------------------------------------------------------------------------------------------------- white papers


def white_paper(pdf: Path, markdown: Path) -> dict[str, Any]:
    """A PDF against the Markdown of the same text. Sentences that the PDF words otherwise, by pypdf's text of it, do not count."""
    import pypdf

    read, told = read_document(pdf), read_document(markdown)
    flat = bare("\n".join(read.text[b.start : b.end] for b in read.blocks if b.kind != "contents"))
    raw = bare("\n".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages))
    headings = [told.text[b.start : b.end] for b in told.blocks if b.kind == "heading" and b.section]
    headings = [text for text in headings if re.match(r"\d[\d.]* ", text) and bare(text) in raw]
    names = {bare(text) for text in headings}
    wanted = sentences_of(told)
    known = [text for text in wanted if bare(text) in raw or bare(text) in flat]
    places = [flat.find(bare(text)) for text in known]
    found = [place for place in places if place >= 0]
    both = sorted((raw.find(bare(text)), place) for text, place in zip(known, places, strict=True) if place >= 0 and bare(text) in raw)
    sections = {bare(name) for block in read.blocks for name in block.section}
    edges = Counter(bare(re.sub(r"\d+", "", line)) for page in pypdf.PdfReader(pdf).pages for line in _edge_lines(page.extract_text()))
    heads = {line for line, times in edges.items() if times >= 5 and len(line) >= 4}
    return {
        "sentences": len(known),
        "worded otherwise": len(wanted) - len(known),
        "whole": len(found) / len(known),
        "in order": longest_rise(found) / len(known),
        "in the order of the PDF": longest_rise([place for _, place in both]) / len(both),
        "headings": len(headings),
        "headings as sections": sum(name in sections for name in names) / len(names),
        "sentences with a running head": sum(any(head in bare(text) for head in heads) for text in sentences_of(read)),
        "headings missing": sorted(names - sections),
        "missing": [text for text, place in zip(known, places, strict=True) if place < 0][:5],
    }


def _edge_lines(text: str) -> list[str]:
    lines = [line for line in text.split("\n") if line.strip()]
    return [*lines[:1], *lines[-1:]]


# ------------------------------------------------------------------------------------------------------------------------ filings


def filings(folder: Path) -> dict[str, Any]:
    """Questions whose page is known: is it among the pages of the first passages? Any of several gold pages counts."""
    questions = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as index:
        report = build_index(sorted(folder.glob("*.pdf")), index, open_encoder("builtin"))
        assistant = Assistant.open(load_config({"index_dir": index})[0])
        store = assistant.store
        documents = {document.id: store.document(document.id) for document in store.documents()}
        sources = {name: Path(document.source).stem for name, document in documents.items()}

        def passages(question: str) -> list[set[tuple[str, int | None]]]:
            found = []
            for hit in assistant.search(question, top_k=10):
                document = documents[hit.chunk.document]
                pages = {document.page_at(hit.chunk.start), document.page_at(hit.chunk.end - 1)}
                found.append({(sources[document.id], page) for page in pages})
            return found

        ours = _ranks(questions, passages)
        own = _ranks_in_filing(questions, assistant, documents, sources)
    return {
        "questions": len(questions),
        "passages": report.chunks,
        "seconds to index": round(report.seconds, 1),
        "ours": _shares(ours),
        "ours, asked of the right filing": _shares(own),
        "BM25 over pypdf pages": _shares(_ranks(questions, _bm25_pages(folder))),
    }


Passages = Callable[[str], list[set[tuple[str, int | None]]]]


def _ranks(questions: Sequence[dict[str, Any]], passages: Passages) -> list[int]:
    """Rank of the first passage on a gold page for each question; 99 for none."""
    ranks = []
    for question in questions:
        gold = {(evidence["doc_name"], evidence["evidence_page_num"] + 1) for evidence in question["evidence"]}
        ranks.append(next((rank for rank, pages in enumerate(passages(question["question"]), 1) if pages & gold), 99))
    return ranks


def _ranks_in_filing(questions, assistant: Assistant, documents: dict[str, Document], sources: dict[str, str]) -> list[int]:
    from rag.types import Filter

    ids = {source: name for name, source in sources.items()}
    ranks = []
    for question in questions:

        def passages(text: str, only: Filter = Filter((ids[question["doc_name"]],))) -> list[set[tuple[str, int | None]]]:
            hits = assistant.search(text, top_k=10, only=only)
            return [
                {(sources[hit.chunk.document], documents[hit.chunk.document].page_at(at)) for at in (hit.chunk.start, hit.chunk.end - 1)}
                for hit in hits
            ]

        ranks += _ranks([question], passages)
    return ranks


def _shares(ranks: Sequence[int]) -> dict[str, float]:
    return {f"first {count}": round(sum(rank <= count for rank in ranks) / len(ranks), 3) for count in (1, 5, 10)}


def _bm25_pages(folder: Path) -> Passages:
    """Plain BM25 (k1 1.2, b 0.75) over the pages that pypdf gives, in our own search terms."""
    import pypdf

    pages = [
        (file.stem, number, Counter(terms(page.extract_text())))
        for file in sorted(folder.glob("*.pdf"))
        for number, page in enumerate(pypdf.PdfReader(file).pages, 1)
    ]
    frequency = Counter(term for _, _, counts in pages for term in counts)
    lengths = [sum(counts.values()) for _, _, counts in pages]
    usual = sum(lengths) / len(lengths)

    def passages(question: str) -> list[set[tuple[str, int | None]]]:
        scores = [0.0] * len(pages)
        for term in set(terms(question)) & set(frequency):
            weight = math.log(1 + (len(pages) - frequency[term] + 0.5) / (frequency[term] + 0.5))
            for at, (_, _, counts) in enumerate(pages):
                if counts[term]:
                    scores[at] += weight * counts[term] * 2.2 / (counts[term] + 1.2 * (0.25 + 0.75 * lengths[at] / usual))
        best = sorted(range(len(pages)), key=lambda at: -scores[at])[:10]
        return [{(pages[at][0], pages[at][1])} for at in best]

    return passages


# ---------------------------------------------------------------------------------------------------------------------- originals


SHEET = ("document", "page", "start", "end", "verdict", "note")


def sample(document: Document, count: int, seed: int = 7) -> list[tuple[int, int]]:
    """(start, end) of random sentences that may be quoted, of twelve characters or more."""
    spans = [(s, e) for s, e, position in sentence_spans(document) if document.blocks[position].kind in ("prose", "item") and e - s >= 12]
    return random.Random(seed).sample(spans, min(count, len(spans)))


def broken_sentences(file: Path, count: int, seed: int = 7) -> dict[str, Any]:
    """A random sample of the sentences that may be quoted, and those that the layout broke, by what gave them away."""
    document, heads = read_document(file), _running_heads(file)
    texts = [document.text[s:e] for s, e in sample(document, count, seed)]
    broken = [(text, why) for text in texts if (why := broken_by(text, heads))]
    return {"sample": len(texts), "broken": len(broken), "share": round(len(broken) / len(texts), 3), "sentences": broken}


def sheet_rows(files: Sequence[Path], known: Sequence[dict[str, str]] = (), count: int = 100) -> list[dict[str, str]]:
    """The sheet of verdicts: places of the sampled sentences, no text of them.

    The script's verdict stands where `known` has none for the same place; what a person judged and noted there is kept.
    """
    judged = {(row["document"], row["start"], row["end"]): row for row in known}
    rows = []
    for file in files:
        document, heads = read_document(file), _running_heads(file)
        for start, end in sorted(sample(document, count)):
            why = broken_by(document.text[start:end], heads)
            page = document.page_at(start)
            values = (
                document.id,
                "" if page is None else str(page),
                str(start),
                str(end),
                "broken" if why else "sound",
                f"script: {why or 'nothing'}",
            )
            rows.append(judged.get((document.id, str(start), str(end)), dict(zip(SHEET, values, strict=True))))
    return rows


def _write_sheet(path: Path, files: Sequence[Path]) -> None:
    known = list(csv.DictReader(path.open(encoding="utf-8", newline=""))) if path.exists() else []
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, SHEET, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sheet_rows(files, known))


def broken_by(text: str, heads: frozenset[str] = frozenset()) -> str:
    """What says that a layout broke a sentence; empty when nothing does.

    >>> broken_by("港口的吊机在雨中。"), broken_by("港 口 的 吊 机 在 雨 中。"), broken_by("的吊机，在雨")
    ('', 'letter-spaced', 'no end')
    """
    if is_letter_spaced(text):
        return "letter-spaced"
    if any(head in text for head in heads):
        return "running head"
    if re.search(r"(?:([^\s\d.…·—=_-])\1){3,}", text):
        return "doubled glyphs"
    if re.match(r"[，。、；：！？）】”]", text):
        return "no beginning"
    signed = len(text) <= 60 and not re.search(r"[，。；]", text)
    if not signed and not re.search(r"[。！？!?；;：:….][”’」』）)】》\"']*$", text) and not text.isascii():
        return "no end"
    return ""


def _running_heads(file: Path) -> frozenset[str]:
    """Lines of a text layer that recur six times or more."""
    lines = Counter(line.strip() for line in file.read_text(encoding="utf-8").split("\n"))
    return frozenset(line for line, times in lines.items() if times >= 6 and 6 <= len(line) <= 30 and not re.search(r"[。，]", line))


# -------------------------------------------------------------------------------------------------------------------------- speed


def speed(files: Sequence[Path]) -> dict[str, Any]:
    """Pages a second of one core: ours with sections, tables and chunks; pypdf and pdfminer with plain text."""
    ways: dict[str, Callable[[Path], int]] = {"ours": _ours, "pypdf": _pypdf}
    try:
        import pdfminer  # noqa: F401

        ways["pdfminer"] = _pdfminer
    except ImportError:
        pass
    found = {}
    for name, way in ways.items():
        started = time.process_time()
        pages = sum(way(file) for file in files)
        found[name] = round(pages / (time.process_time() - started), 1)
    return found


def _ours(file: Path) -> int:
    document = read_document(file)
    chunk_document(document)
    return document.page_count


def _pypdf(file: Path) -> int:
    import pypdf

    return sum(page.extract_text() is not None for page in pypdf.PdfReader(file).pages)


def _pdfminer(file: Path) -> int:
    from pdfminer.high_level import extract_pages

    return sum(1 for _ in extract_pages(file))


def hostile_batch() -> dict[str, Any]:
    """A thousand files, twenty of them made to do harm, indexed under the shipped limits; a PDF of 20,000 pages; one line of 10 MB."""
    import resource
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    import hostile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "reports")
        folder.mkdir()
        for number in range(980):
            (folder / f"{number:04}.md").write_text(
                f"# Pier {number}\n\nThe harbour wakes before pier {number} does. Its cranes lift boxes.\n"
            )
        bad = hostile.twenty(MAX_BYTES)
        for file, data in bad.items():
            (folder / file).write_bytes(data)
        encoder, before = open_encoder("builtin"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report = build_index([folder], Path(name, "index"), encoder)
        found: dict[str, Any] = {"indexed": report.documents, "listed": len(report.failed), "seconds": round(report.seconds, 1)}
        found["as expected"] = sorted(Path(path).name for path, _ in report.failed) == sorted(bad)
        for file, data in {
            "pages.pdf": hostile.many_pages(20_000),
            "line.txt": b"The harbour wakes and its cranes lift forty boxes " * 200_000,
        }.items():
            Path(name, file).write_bytes(data)
            started = time.monotonic()
            with Sandbox(children=1) as sandbox:
                reading = sandbox.read_one(Path(name, file), cut=Cut())
            found[file] = {
                "seconds": round(time.monotonic() - started, 1),
                "passages": len(reading.chunks),
                "notes": reading.document.notes,
            }
        peak, child = (resource.getrusage(who).ru_maxrss // 1000 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return found | {"MB of this process before": before // 1000, "at its highest": peak, "of a child at its highest": child}


def odd_files(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, what reading it says) for hard cases."""
    for file in sorted(folder.glob("*.pdf")):
        try:
            document = read_document(file)
            words = f"{len(document.text)} characters, {len(document.blocks)} blocks, sections {len({b.section for b in document.blocks})}"
            yield file.name, f"{document.title}: {words} {' '.join(document.notes)}"
        except UnreadableFile as error:
            yield file.name, error.reason


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pdf", type=Path, help="folder with fisco_whitepaper, financebench and misc_zh")
    parser.add_argument("--reports", type=Path, help="folder with text layers of reports")
    parser.add_argument(
        "--sheet", type=Path, help="CSV of places and verdicts, made or renewed; verdicts of places that are still sampled stay"
    )
    parser.add_argument("--text", type=Path, help="where the sampled sentences go, for a look by eye")
    parser.add_argument("--only", default="papers,filings,odd,originals,speed")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    wanted, result = set(arguments.only.split(",")), {}

    def keep(name: str, found: Any) -> None:
        """Shows and stores each part when it is done, since the next may take minutes."""
        result[name] = found
        print(json.dumps({name: found}, ensure_ascii=False, indent=1), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    if arguments.pdf and "papers" in wanted:
        papers = arguments.pdf / "fisco_whitepaper"
        pairs = {"zh": ("FISCO BCOS Whitepaper.pdf", "README.md"), "en": ("FISCO BCOS Whitepaper(EN).pdf", "README(EN).md")}
        keep("white papers", {name: white_paper(papers / pdf, papers / markdown) for name, (pdf, markdown) in pairs.items()})
    if arguments.pdf and "odd" in wanted:
        keep("hard cases", dict(odd_files(arguments.pdf / "misc_zh")))
    if arguments.pdf and "speed" in wanted:
        keep("pages a second", speed(sorted((arguments.pdf / "financebench").glob("*.pdf"))[:5]))
    if arguments.reports and "originals" in wanted:
        files = sorted(arguments.reports.glob("*.txt"))
        if arguments.sheet:
            _write_sheet(arguments.sheet, files)
        if arguments.text:
            documents = [read_document(file) for file in files]
            lines = [f"{d.id} {s}:{e} {d.text[s:e]}" for d in documents for s, e in sorted(sample(d, 100))]
            arguments.text.write_text("\n".join(lines) + "\n", encoding="utf-8")
        keep("originals", {file.stem: broken_sentences(file, 100) for file in files})
    if "hostile" in wanted:
        keep("hostile", hostile_batch())
    if arguments.pdf and "filings" in wanted:
        keep("filings", filings(arguments.pdf / "financebench"))


if __name__ == "__main__":
    main()
