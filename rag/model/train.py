"""Makes everything in this folder from public data, on two CPU cores: `python -m rag.model.train --data DATA [--output rag/model]`.

Stages, each kept in `--work` so that an interrupted run goes on where it stopped:
    1. simplified.txt    traditional -> simplified characters, from OpenCC's table
    2. ranks.tiktoken    byte-pair ranks for Chinese and English; tokenizer.json is the same tokenizer for Hugging Face's library
    3. pairs             texts of the data as token ids, and which belongs to which
    4. model.safetensors one vector per token, trained so that a question is close to its passage and a sentence to its translation

It gives up word order: a text is the weighted mean of its tokens. CARD.md has the data, their licences and the measured figures.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
HAN = re.compile("[\u3400-\u9fff]")
SENTENCE_END = re.compile(r"(?<=[。！？；!?;])|(?<=[.] )|\n")


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the weights, besides the data."""

    seed: int = 7
    han_tokens: int = 18000
    other_tokens: int = 7000
    english_words: int = 6500
    dimension: int = 512
    batch: int = 512
    steps: int = 2400
    learning_rate: float = 0.01
    temperature: float = 0.05
    passage_tokens: int = 256
    """Longest passage in training, in tokens."""


# --- 1. characters ---------------------------------------------------------------------------------------------------------------------


def write_simplified(path: Path) -> None:
    """Two lines of equal length, traditional above simplified, each pair final: no right side occurs on the left."""
    import opencc

    source = Path(opencc.__file__).parent / "dictionary" / "TSCharacters.txt"
    pairs = {left: right.split(" ")[0] for left, right in (line.split("\t") for line in source.read_text(encoding="utf-8").splitlines() if line)}
    final = {}
    for left, right in sorted(pairs.items()):
        while right in pairs and pairs[right] != right:
            right = pairs[right]
        if left != right:
            final[left] = right
    path.write_text(
        "# Traditional characters and below each its simplified one. From OpenCC's TSCharacters.txt, first choice, (c) Carbo Kuo and\n"
        "# contributors, Apache License 2.0, by way of opencc-python-reimplemented 0.1.7; chains are followed to their end.\n"
        + "".join(final) + "\n" + "".join(final.values()) + "\n",
        encoding="utf-8",
    )


# --- 2. tokenizer ----------------------------------------------------------------------------------------------------------------------


def byte_letters() -> dict[int, str]:
    """The printable character that byte-level tokenizers write for each byte (the convention of GPT-2)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in printable)}


def train_tokens(texts: Iterable[str], pieces: str, size: int, longest: int, progress: bool = True) -> list[bytes]:
    """`size` byte-pair tokens in the order of their merges, without the 256 bytes; none longer than `longest` bytes."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pieces), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=256 + size,
        min_frequency=5,
        initial_alphabet=sorted(byte_letters().values()),
        max_token_length=longest,
        show_progress=progress,
    )
    tokenizer.train_from_iterator(texts, trainer)
    byte_of = {letter: byte for byte, letter in byte_letters().items()}
    ordered = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return [bytes(byte_of[letter] for letter in token) for token, _ in ordered if len(token) > 1]


def character_tokens(characters: Iterable[str]) -> list[bytes]:
    """Tokens for whole characters, each after the shorter beginnings that its bytes merge through."""
    tokens: dict[bytes, None] = {}
    for character in characters:
        raw = character.encode("utf-8")
        for length in range(2, len(raw) + 1):
            tokens[raw[:length]] = None
    return sorted(tokens, key=lambda token: (_is_whole(token), len(token)))


def _is_whole(token: bytes) -> bool:
    try:
        token.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def merge_of(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes] | None:
    """The two parts that byte-pair merging joins last to make this token, or None when merging does not reach it.

    Inside a token the merges do not depend on what stands around it, so there is only one such pair.
    """
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        candidates = [(ranks.get(parts[i] + parts[i + 1], len(ranks)), i) for i in range(len(parts) - 1)]
        rank, i = min(candidates)
        if rank == len(ranks):
            return None
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts[0], parts[1]


def write_tokenizer(ranks: dict[bytes, int], pieces: str, folder: Path) -> None:
    """ranks.tiktoken, and tokenizer.json that cuts every search form in the same way."""
    letters = byte_letters()
    spell = lambda token: "".join(letters[byte] for byte in token)
    ordered = sorted(ranks, key=ranks.__getitem__)
    (folder / "ranks.tiktoken").write_bytes(b"".join(b"%s %d\n" % (base64.b64encode(token), ranks[token]) for token in ordered))
    merges = [merge_of(token, ranks) for token in ordered if len(token) > 1]
    split = {"type": "Split", "pattern": {"Regex": pieces}, "behavior": "Removed", "invert": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    description = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        # All of a search form but the traditional characters and the invisible ones, for callers that bring raw text.
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}, {"type": "NFKC"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,  # a piece that is a token needs no merging; tiktoken does the same
            "vocab": {spell(token): ranks[token] for token in ordered},
            "merges": [[spell(left), spell(right)] for left, right in filter(None, merges)],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(description, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def make_tokenizer(data: Path, folder: Path, settings: Settings) -> None:
    """Han and everything else are trained apart, so that each has its share of the tokens; pieces never mix them."""
    from rag.textform import search_form
    from rag.tokens import PIECES

    texts = [search_form(text) for text in all_texts(data)]
    characters = Counter(character for text in texts for character in text if ord(character) > 127)
    common = [character for character, count in characters.most_common() if count >= (3 if HAN.match(character) else 50)]
    listed = {character for simplified, _ in cedict(data) for character in search_form(simplified) if HAN.match(character)}
    characters_first = character_tokens([*common, *sorted(listed - set(common))])
    han = train_tokens((" ".join(re.findall("[々〇\u3400-\u9fff]+", text)) for text in texts), PIECES, settings.han_tokens, 15)
    others = train_tokens((re.sub("[々〇\u3400-\u9fff]+", " ", text) for text in texts), PIECES, settings.other_tokens, 20)
    words = [word.encode() for word in english_words(data)[: settings.english_words]]
    ranks: dict[bytes, int] = {}
    for token in [*(bytes([b]) for b in range(256)), *characters_first, *han, *others, *words]:
        ranks.setdefault(token, len(ranks))
    log.info("tokens: %d (characters %d, Han %d, other %d, words %d)", len(ranks), len(characters_first), len(han), len(others), len(words))
    write_tokenizer(ranks, PIECES, folder)


# --- 3. texts and pairs ----------------------------------------------------------------------------------------------------------------


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
            glosses = [g for g in glosses if g and not HAN.search(g) and not re.match(r"(CL:|variant of|old variant|see |abbr\. for|surname|also written|also pr)", g)]
            if glosses:
                entries.append((match[2], glosses))
    return entries


def english_words(data: Path) -> list[str]:
    """Whole English words of the teacher's vocabulary, frequent ones first."""
    vocabulary = json.loads((data / "weights" / "potion-base-4M-int8" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    return [word for word, _ in sorted(vocabulary.items(), key=lambda item: item[1]) if re.fullmatch("[a-z]{3,}", word)]


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
        sign = lambda block: block if block[0] == "code" else block[0]
        for tag, a, b, c, d in SequenceMatcher(None, [sign(x) for x in english], [sign(x) for x in chinese], autojunk=False).get_opcodes():
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
