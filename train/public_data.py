"""The public data that everything in `rag/model` is made from, as texts and pairs of texts. `rag/model/CARD.md` names their licences.

What figures are reported on (CMRC dev, the last articles of SQuAD and XQuAD) is never among what is trained on.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

HAN = re.compile("[\u3400-\u9fff]")
HAN_RUN = re.compile("[\u3400-\u9fff]+")
TRAINED_ARTICLES, TUNED_ARTICLES = 8, 12
"""Of the 24 articles of the SQuAD half (and of XQuAD) the first 8 are trained on, the next 4 tuned on, the last 12 reported."""


def news(data: Path) -> Iterator[str]:
    """Bodies of the news articles."""
    with gzip.open(data / "news_zh" / "articles.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            body = line.split("正文：", 1)[-1].strip()
            if len(body) >= 100:
                yield body


def squad_format(path: Path) -> list[tuple[str, list[str]]]:
    """(passage, its questions), in the order of the file."""
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [(p["context"], [qa["question"] for qa in p["qas"]]) for article in articles for p in article["paragraphs"]]


def csl(data: Path) -> list[tuple[str, str, str]]:
    """(abstract, title, keywords) of Chinese papers; title or keywords may be empty."""
    papers: dict[str, list[str]] = {}
    for part in ("dev", "test"):
        for line in (data / "csl" / "ts" / f"{part}.tsv").read_text(encoding="utf-8").strip().split("\n"):
            _, abstract, title = line.split("\t")
            papers.setdefault(abstract, ["", ""])[0] = title
        for line in (data / "csl" / "kg" / f"{part}.tsv").read_text(encoding="utf-8").strip().split("\n"):
            _, abstract_and_title, keywords = line.split("\t")
            for abstract in papers:
                if abstract_and_title.startswith(abstract[:60]):
                    papers[abstract][1] = keywords.replace("_", " ")
                    break
    return [(abstract, title, keywords) for abstract, (title, keywords) in papers.items()]


def titles(data: Path) -> list[str]:
    """Titles of further Chinese papers."""
    return [line.split("\t")[1] for line in (data / "csl" / "cls_ctg" / "train.tsv").read_text(encoding="utf-8").strip().split("\n")]


def tatoeba(data: Path) -> list[tuple[str, str]]:
    """(English, Chinese) sentences."""
    rows = (line.split("\t") for line in (data / "tatoeba_cmn_en" / "cmn.txt").read_text(encoding="utf-8-sig").split("\n") if "\t" in line)
    return [(row[0], row[1]) for row in rows]


def cedict(data: Path) -> list[tuple[str, list[str]]]:
    """(simplified headword, its English glosses), without references to other entries and measure words."""
    entries = []
    with gzip.open(data / "cedict" / "cedict_ts_utf8.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            match = re.match(r"(\S+) (\S+) \[[^]]*\] /(.*)/\s*$", line)
            if not match:
                continue
            glosses = [re.sub(r"\([^)]*\)|\S*\|?\S*\[[^]]*\]", "", gloss).strip() for gloss in match[3].split("/")]
            glosses = [
                g
                for g in glosses
                if g and not HAN.search(g) and not re.match(r"(CL:|variant of|old variant|see |abbr\. for|surname|also written|also pr)", g)
            ]
            if glosses:
                entries.append((match[2], glosses))
    return entries


def english_words(data: Path, texts: Iterable[str] = ()) -> list[str]:
    """Whole English words of the teacher's vocabulary, frequent ones first: by its own order, which is by frequency, and by that in `texts`."""
    vocabulary = json.loads((data / "weights" / "potion-base-4M-int8" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    known = [word for word, _ in sorted(vocabulary.items(), key=lambda item: item[1]) if re.fullmatch("[a-z]{3,}", word)]
    place = {word: i for i, word in enumerate(known)}
    counts = Counter(word for text in texts if not HAN.search(text) for word in re.findall("[a-z]{3,}", text))
    here = {word: i for i, (word, count) in enumerate(counts.most_common()) if count >= 5}
    return sorted(known, key=lambda word: min(place[word], 2 * here.get(word, len(known))))


def parallel_files(data: Path) -> list[tuple[Path, Path]]:
    """(English file, Chinese file) of the technical texts."""
    base = data / "text_zh_en"
    pairs = [(en, en.with_name(en.name.replace("_origin.md", ".md"))) for en in sorted((base / "d2l_zh").rglob("*_origin.md"))]
    course = base / "hf_course" / "chapters"
    pairs += [(en, course / "zh-CN" / en.relative_to(course / "en")) for en in sorted((course / "en").rglob("*.mdx"))]
    glossary = base / "cncf_glossary" / "content"
    pairs += [(en, glossary / "zh-cn" / en.relative_to(glossary / "en")) for en in sorted((glossary / "en").rglob("*.md"))]
    pairs += [(en, en.with_name(en.name.replace(".en.mdx", ".zh.mdx"))) for en in sorted((base / "prompt_guide").rglob("*.en.mdx"))]
    report = base / "china_open_source_report_2023"
    pairs += [(en, report / en.name) for en in sorted((report / "en").glob("*.md"))]
    return [(en, zh) for en, zh in pairs if en.exists() and zh.exists()]


def markdown_blocks(path: Path) -> list[tuple[str, str]]:
    """(kind, text) of headings ("h1".."h6"), paragraphs ("p") and code ("code"), with markup taken off the prose."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->|^import .*$|^:\w+:`[^`]*`$", "", text, flags=re.S | re.M)
    blocks = []
    for i, part in enumerate(re.split(r"^```.*$|^\$\$.*$", text, flags=re.M)):
        if i % 2:
            blocks.append(("code", part.strip()))
            continue
        for paragraph in re.split(r"\n\s*\n|\n(?=#+ )|(?<=\n)(?=[*-] )", part):
            heading = re.match(r"\s*(#+) (.*)", paragraph)
            body = heading[2] if heading else paragraph
            body = re.sub(r"<[^>]*>|\[\[.*?\]\]|!\[[^\]]*\]\([^)]*\)", " ", body)
            body = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", body)
            body = re.sub(r"[*`>|]+|:\w+:", " ", body)
            body = re.sub(r"\s+", " ", body).strip()
            if re.search(r"\w{2}", body):
                blocks.append((f"h{len(heading[1])}" if heading else "p", body))
    return blocks


def aligned_blocks(data: Path) -> list[tuple[str, str]]:
    """(English, Chinese) paragraphs and headings that stand at the same place of two translations."""
    from difflib import SequenceMatcher

    pairs = []
    for english_file, chinese_file in parallel_files(data):
        english, chinese = markdown_blocks(english_file), markdown_blocks(chinese_file)
        # Code and the levels of headings are the same in both languages and show where they run in step.
        signs = [[block if block[0] == "code" else block[0] for block in blocks] for blocks in (english, chinese)]
        for tag, a, b, c, d in SequenceMatcher(None, *signs, autojunk=False).get_opcodes():
            if tag != "equal":
                continue
            for (kind, left), (_, right) in zip(english[a:b], chinese[c:d], strict=True):
                # A Chinese character says about as much as 3.4 English letters; wide of that, the two are no translations.
                if kind != "code" and HAN.search(right) and not HAN.search(left) and 0.4 < len(left) / (3.4 * len(right) + 1) < 2.2:
                    pairs.append((left, right))
    return pairs


def sections(data: Path) -> list[tuple[str, str, str]]:
    """(file title, heading, paragraph) of the technical texts in both languages."""
    found = []
    for pair in parallel_files(data):
        for path in pair:
            title = heading = ""
            for kind, text in markdown_blocks(path):
                if kind == "h1":
                    title = text
                if kind.startswith("h"):
                    heading = text
                elif kind == "p" and len(text) > 40:
                    found.append((title, heading, text))
    return found


def all_texts(data: Path) -> Iterator[str]:
    """Every text that may be trained on."""
    yield from news(data)
    for passage, questions in squad_format(data / "cmrc2018" / "train.json"):
        yield from (passage, *questions)
    for paper in csl(data):
        yield from paper
    yield from titles(data)
    for pair in tatoeba(data):
        yield from pair
    for headword, glosses in cedict(data):
        yield from (headword, *glosses)
    for pair in parallel_files(data):
        for path in pair:
            yield from (text for kind, text in markdown_blocks(path) if kind != "code")


def english_questions(data: Path) -> list[tuple[str, list[str]]]:
    """(passage, its questions) of the trained articles of SQuAD and of CLAPnq's answerable half."""
    articles = json.loads((data / "squad_half" / "dev_first24articles.json").read_text(encoding="utf-8"))["data"][:TRAINED_ARTICLES]
    found = [(p["context"], [qa["question"] for qa in p["qas"]]) for article in articles for p in article["paragraphs"]]
    for line in (data / "clapnq_half" / "answerable.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.append((row["passages"][0]["text"], [row["input"]]))
    return found


def translated_questions(data: Path) -> list[tuple[str, str]]:
    """(question in one language, passage in the other) of the trained articles of XQuAD."""
    english, chinese = (
        [
            (p["context"], [qa["question"] for qa in p["qas"]])
            for article in json.loads((data / "xquad_half" / f"{language}.json").read_text(encoding="utf-8"))["data"][:TRAINED_ARTICLES]
            for p in article["paragraphs"]
        ]
        for language in ("en", "zh")
    )
    pairs = [(question, right[0]) for left, right in zip(english, chinese, strict=True) for question in left[1]]
    return pairs + [(question, left[0]) for left, right in zip(english, chinese, strict=True) for question in right[1]]
