"""Rows that the reader learns from: questions, conversations, claims and messages over public texts, read where they lie.

Rows of one passage are held back together: `is_held_back` decides by the passage, so that no text stands on both sides.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from rag.search.reader import LABELS
from rag.text.chunk import split_sentences
from rag.types import Turn

HELD_BACK = 0.07
HELD_BACK_CLAIMS = 0.15
# Characters of a passage that one window shows, Chinese and other.
WINDOW_ZH, WINDOW_EN = 330, 950
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A text cut into sentences: `spans` are (start, end) in characters."""

    heading: str
    text: str
    spans: tuple[tuple[int, int], ...]
    language: str

    def sentences(self, low: int = 0, high: int | None = None) -> list[str]:
        return [self.text[start:end] for start, end in self.spans[low:high]]


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question, the passage it is held against and what of each sentence belongs to the answer (0 to 1)."""

    question: str
    language: str
    passage: Passage
    labels: tuple[float, ...]
    answerable: bool
    kind: str = ""
    why: str = ""
    history: tuple[Turn, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim, its passage, the sentences that bear on it (numbers) and the label, an index into LABELS."""

    claim: str
    language: str
    passage: Passage
    evidence: tuple[int, ...]
    label: int
    how: str = ""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """What a person typed, whether an answer came before, and its intent."""

    text: str
    language: str
    after_answer: bool
    intent: str
    block: int


def language_of(text: str) -> str:
    """Tell "zh" from "en" by the share of Han characters."""
    return "zh" if len(_HAN.findall(text)) > 0.15 * len(text) else "en"


@cache
def passage_of(text: str, heading: str = "") -> Passage:
    """Join hard-wrapped lines and cut into sentences as the product does."""
    lines, out = text.split("\n"), []
    for line in lines:
        wrapped = (
            out and len(out[-1]) > 30 and line.strip() and " | " not in line + out[-1] and out[-1].rstrip()[-1:] not in ".!?。！？:：;；|"
        )
        if wrapped and language_of(out[-1]) == "en" and not re.match(r"\s*(?:[-*#•]|\d+[.)])", line):
            out[-1] = out[-1].rstrip() + " " + line.strip()
        else:
            out.append(line)
    joined = "\n".join(out)
    return Passage(heading, joined, tuple(split_sentences(joined)), language_of(joined))


def labels_of(passage: Passage, quotes: Sequence[str], value: float) -> np.ndarray:
    """Mark the sentences that a quote covers by more than half of the shorter of the two; white space does not count."""
    labels = np.zeros(len(passage.spans), np.float32)
    letters = [i for i, c in enumerate(passage.text) if not c.isspace()]
    packed = "".join(passage.text[i] for i in letters)
    for quote in quotes:
        bare = re.sub(r"\s+", "", quote)
        at = packed.find(bare) if bare else -1
        if at < 0:
            continue
        start, end = letters[at], letters[at + len(bare) - 1] + 1
        for number, (low, high) in enumerate(passage.spans):
            if min(high, end) - max(low, start) > 0.5 * min(high - low, end - start):
                labels[number] = value
    return labels


def is_held_back(text: str, share: float = HELD_BACK) -> bool:
    """Tell by the first letters of a passage whether its rows are kept for measuring."""
    return int(hashlib.sha256(re.sub(r"\s+", "", text)[:60].encode()).hexdigest()[:8], 16) < share * 2**32


def read_lines(path: Path) -> Iterator[dict]:
    """Read the objects of a file, one a line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def our_rows(folder: Path | None, data: Path, name: str) -> Iterator[dict]:
    """Read rows of our own, which name the place of their passage (`file`, `start`, `end`) and quote by places within it.

    `file` is the beginning of the sha256 of the path within the data.
    """
    paths = {
        hashlib.sha256(path.relative_to(data).as_posix().encode()).hexdigest()[:12]: path for path in data.rglob("*") if path.is_file()
    }
    for path in sorted(folder.glob(f"{name}*.jsonl")) if folder else ():
        for row in read_lines(path):
            passage = _source(paths[row["file"]])[row["start"] : row["end"]]
            quotes = {key: [passage[low:high] for low, high in row[key]] for key in ("evidence", "support") if key in row}
            yield {**row, "passage": passage, **quotes}


@cache
def _source(path: Path) -> str:
    return read_text(path)


def question_rows(data: Path, own: Path | None = None) -> list[QuestionRow]:
    """Read the hand-written questions and conversations, those of the data and our own."""
    rows = []
    paths = [*sorted((data / "questions").glob("*.jsonl")), data / "conversations" / "talks.jsonl"]
    for source, found in [*((path.stem, read_lines(path)) for path in paths), ("ours", our_rows(own, data, "questions"))]:
        for row in found:
            passage = passage_of(row["passage"])
            labels = np.maximum(labels_of(passage, row["evidence"], 1.0), labels_of(passage, row["support"], 0.5))
            history = tuple(Turn(turn["question"], turn["answer"]) for turn in row.get("history", ()))
            if row["answerable"] and labels.max(initial=0) < 1:
                continue
            rows.append(
                QuestionRow(
                    row["question"],
                    language_of(row["question"]),
                    passage,
                    tuple(labels.tolist()),
                    row["answerable"],
                    row["kind"],
                    row["why"],
                    history,
                    row.get("source", source),
                )
            )
    return rows


def clapnq_rows(data: Path) -> list[QuestionRow]:
    """Questions with whole passages and gold sentences; those without an answer keep their nearest passage."""
    rows = []
    for name, answerable in (("answerable", True), ("unanswerable", False)):
        for row in read_lines(data / "clapnq_half" / f"{name}.jsonl"):
            for found in row["passages"]:
                passage = passage_of(found["text"].strip(), found["title"])
                gold = [s for out in row.get("output", ()) for s in out.get("selected_sentences", ())] if answerable else []
                labels = labels_of(passage, gold, 1.0)
                if not answerable or labels.any():
                    rows.append(QuestionRow(row["input"], "en", passage, tuple(labels.tolist()), answerable, source="clapnq"))
    return rows


@dataclass(frozen=True, slots=True)
class Factoid:
    """A question whose answer is a few words: the number of its passage, the labels of its sentences, and the words."""

    question: str
    passage: int
    labels: tuple[float, ...]
    words: str


@dataclass(frozen=True, slots=True)
class FactoidSet:
    """Passages and questions of one reading set and, a question, passages that look alike."""

    passages: tuple[Passage, ...]
    questions: tuple[Factoid, ...]
    neighbours: tuple[tuple[int, ...], ...]
    name: str


def factoid_set(path: Path, articles=lambda number: True) -> tuple[list[Passage], list[Factoid]]:
    """Read a set in SQuAD's form; the sentence that holds an answer is its label."""
    passages, questions = [], []
    for number, article in enumerate(json.loads(path.read_text(encoding="utf-8"))["data"]):
        if not articles(number):
            continue
        for paragraph in article["paragraphs"]:
            passage = Passage(
                (article.get("title") or "").replace("_", " "),
                paragraph["context"],
                tuple(split_sentences(paragraph["context"])),
                language_of(paragraph["context"]),
            )
            passages.append(passage)
            for asked in paragraph["qas"]:
                labels = np.zeros(len(passage.spans), np.float32)
                for answer in asked["answers"]:
                    start = answer["answer_start"]
                    if passage.text[start : start + len(answer["text"])] != answer["text"]:
                        start = passage.text.find(answer["text"])
                    for i, (low, high) in enumerate(passage.spans):
                        if low <= start < high:
                            labels[i] = 1
                if labels.any():
                    questions.append(Factoid(asked["question"], len(passages) - 1, tuple(labels.tolist()), asked["answers"][0]["text"]))
    return passages, questions


def neighbours(
    questions: Sequence[str], passages: Sequence[str], own: Sequence[int], language: str, count: int = 8
) -> list[tuple[int, ...]]:
    """Find, for each question, the passages most like it other than its own, by TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    form = {"analyzer": "char", "ngram_range": (1, 2)} if language == "zh" else {"stop_words": "english"}
    vectorizer = TfidfVectorizer(sublinear_tf=True, **form)
    table = vectorizer.fit_transform(passages)
    found = []
    for low in range(0, len(questions), 512):
        scores = (vectorizer.transform(questions[low : low + 512]) @ table.T).toarray()
        for row, mine in zip(scores, own[low : low + 512], strict=True):
            best = np.argpartition(-row, min(count + 1, len(row) - 1))[: count + 1]
            found.append(tuple(int(i) for i in best[np.argsort(-row[best], kind="stable")] if i != mine and row[i] > 0)[:count])
    return found


def near_passages(rows: Sequence[QuestionRow], count: int = 4) -> dict[tuple[str, str], list[Passage]]:
    """Find the passages that a search would bring for each answerable question in the language of its own passage, other than that one."""
    found: dict[tuple[str, str], list[Passage]] = {}
    for language in ("zh", "en"):
        passages = list({row.passage.text: row.passage for row in rows if row.passage.language == language}.values())
        place = {passage.text: number for number, passage in enumerate(passages)}
        asked = [row for row in rows if row.answerable and row.language == row.passage.language == language]
        if asked:
            near = neighbours(
                [row.question for row in asked], [p.text for p in passages], [place[row.passage.text] for row in asked], language, count
            )
            found |= {(row.question, row.passage.text): [passages[n] for n in own] for row, own in zip(asked, near, strict=True) if own}
    return found


def training_article(number: int) -> bool:
    """Tell whether an article of SQuAD's or XQuAD's half may be trained on: every sixth is kept for measuring."""
    return number % 6 != 5


def factoid_sets(data: Path) -> list[FactoidSet]:
    """CMRC train, the SQuAD half, and the XQuAD half across languages, without the articles kept for measuring."""
    sets = []
    for path, name, articles in (
        ("cmrc2018/train.json", "cmrc", lambda n: True),
        ("squad_half/dev_first24articles.json", "squad", training_article),
    ):
        passages, questions = factoid_set(data / path, articles)
        near = neighbours([q.question for q in questions], [p.text for p in passages], [q.passage for q in questions], passages[0].language)
        sets.append(FactoidSet(tuple(passages), tuple(questions), tuple(near), name))
    zh, zh_asked = factoid_set(data / "xquad_half" / "zh.json", training_article)
    en, en_asked = factoid_set(data / "xquad_half" / "en.json", training_article)
    if len(zh) == len(en):
        by_place = [
            {(place, n): item for place, items in _by_passage(asked).items() for n, item in enumerate(items)}
            for asked in (zh_asked, en_asked)
        ]
        both = [key for key in by_place[0] if key in by_place[1]]
        for side, passages, language, name in ((0, zh, "zh", "xquad en-zh"), (1, en, "en", "xquad zh-en")):
            own_words = [by_place[side][key] for key in both]
            asked = [replace(mine, question=by_place[1 - side][key].question) for key, mine in zip(both, own_words, strict=True)]
            near = neighbours([q.question for q in own_words], [p.text for p in passages], [q.passage for q in asked], language)
            sets.append(FactoidSet(tuple(passages), tuple(asked), tuple(near), name))
    return sets


def _by_passage(questions):
    grouped: dict[int, list] = {}
    for item in questions:
        grouped.setdefault(item.passage, []).append(item)
    return grouped


def claim_rows(data: Path, own: Path | None = None) -> list[ClaimRow]:
    """Read the hand-written claims, those of the data and our own."""
    rows = []
    for found in (read_lines(data / "claims" / "claims.jsonl"), our_rows(own, data, "claims")):
        for row in found:
            passage = passage_of(row["passage"])
            evidence = np.flatnonzero(labels_of(passage, row["evidence"], 1.0))
            rows.append(
                ClaimRow(row["claim"], language_of(row["claim"]), passage, tuple(evidence.tolist()), LABELS.index(row["label"]), row["how"])
            )
    return rows


def message_rows(data: Path) -> list[MessageRow]:
    """Read what people type to a report chatbot; `block` groups ideas that both languages share."""
    rows = []
    for row in read_lines(data / "intents" / "intents.jsonl"):
        number = int(re.search(r"(\d+)$", row["id"]).group())
        rows.append(MessageRow(row["text"], row["language"], bool(row["history"]), row["intent"], number // 6))
    return rows


def pair_rows(data: Path) -> list[tuple[str, str]]:
    """Read sentence pairs (English, Chinese), the longer ones, in an order drawn once."""
    pairs = []
    with (data / "tatoeba_cmn_en" / "cmn.txt").open(encoding="utf-8") as file:
        for line in file:
            en, _, zh = line.lstrip("\ufeff").partition("\tCC-BY")[0].strip().partition("\t")
            if len(en.split()) >= 7:
                pairs.append((en, zh))
    random.Random(5).shuffle(pairs)
    return pairs


def read_text(path: Path) -> str:
    """Read a text file, gzipped or not."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return file.read()
    return path.read_text(encoding="utf-8", errors="replace")


def window(passage: Passage, labels: Sequence[float], draw: random.Random, share: float = 1.0) -> tuple[list[str], list[float]]:
    """Cut a stretch of a passage that holds every marked sentence, at a place drawn; whole when it is short.

    `share` of the usual length, where fewer tokens an example buy more examples.
    """
    spans, count = passage.spans, len(passage.spans)
    budget = share * (WINDOW_ZH if passage.language == "zh" else WINDOW_EN)
    marked = [i for i in range(count) if labels[i]]
    low, high = (min(marked), max(marked)) if marked else (draw.randrange(count),) * 2
    size = spans[high][1] - spans[low][0]
    while low > 0 or high < count - 1:
        left = low > 0 and (high == count - 1 or draw.random() < 0.5)
        size += (spans[low - 1][1] - spans[low - 1][0]) if left else (spans[high + 1][1] - spans[high + 1][0])
        if size > budget:
            break
        low, high = (low - 1, high) if left else (low, high + 1)
    return passage.sentences(low, high + 1), list(labels[low : high + 1])
