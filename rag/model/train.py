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
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
HAN = re.compile("[\u3400-\u9fff]")
HAN_RUN = re.compile("[\u3400-\u9fff]+")
SENTENCE_END = re.compile(r"(?<=[。！？；!?;])|(?<=[.] )|\n")


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the weights, besides the data."""

    seed: int = 7
    han_characters: int = 4600
    han_words: int = 8000
    other_tokens: int = 2300
    english_words: int = 9600
    dimension: int = 768
    batch: int = 1024
    steps: int = 450
    learning_rate: float = 0.0015
    temperature: float = 0.05
    passage_tokens: int = 224
    """Longest passage in training, in tokens."""
    identity: float = 2.0
    """Length of the random part of a first vector beside the teacher's part of length 1."""
    translation: float = 1.0
    """How much the random part of a Chinese word has of its translations', beside its own."""
    frequent: float = 5e-4
    """Share of the text at which a token's first weight is halved."""
    trained: float = 0.5
    """Share of the trained vectors in the result, the rest being the first ones: what the teacher knew of words that training met rarely."""
    sharing: float = 1.0
    """How strongly the vectors of characters, stems and pieces are shared by the words that hold them; 0 for not at all."""


# --- 1. characters ---------------------------------------------------------------------------------------------------------------------


def write_simplified(path: Path) -> None:
    """Two lines of equal length, traditional above simplified, each pair final: no right side occurs on the left."""
    import opencc

    source = Path(opencc.__file__).parent / "dictionary" / "TSCharacters.txt"
    pairs = {
        left: right.split(" ")[0] for left, right in (line.split("\t") for line in source.read_text(encoding="utf-8").splitlines() if line)
    }
    final = {}
    for left, right in sorted(pairs.items()):
        while right in pairs and pairs[right] != right:
            right = pairs[right]
        if left != right:
            final[left] = right
    path.write_text(
        "# Traditional characters and below each its simplified one. From OpenCC's TSCharacters.txt, first choice, (c) Carbo Kuo and\n"
        "# contributors, Apache License 2.0, by way of opencc-python-reimplemented 0.1.7; chains are followed to their end.\n"
        + "".join(final)
        + "\n"
        + "".join(final.values())
        + "\n",
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

    def spell(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

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


def han_words(texts: Sequence[str], costs: dict[str, float], count: int, pieces: str) -> list[bytes]:
    """Byte-pair tokens of Han that lie inside dictionary words, those first whose characters rarely stand side by side otherwise.

    Merges are learned on words cut out by their frequency, so that none crosses a border between words. Merging at run time knows no borders
    but takes the smallest rank first, hence the order.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    # The same most probable cut as `rag.translate.segment`, in compiled code: 50 million characters.
    singles = {character for text in texts for character in text}
    vocabulary = [("?", -30.0), *((word, -cost) for word, cost in costs.items() if word not in singles)]
    vocabulary += [(character, -min(costs.get(character, 12.0), 12.0)) for character in sorted(singles)]
    cutter = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    cutter.pre_tokenizer = pre_tokenizers.Split(Regex("[\u3400-\u9fff]+"), "removed", invert=True)
    words: Counter[str] = Counter()
    raw: Counter[str] = Counter()
    for begin in range(0, len(texts), 1000):
        for cut in cutter.encode_batch(texts[begin : begin + 1000], add_special_tokens=False):
            words.update(cut.tokens)
    repeated = (word for word, number in words.items() if len(word) > 1 and number >= 3 for _ in range(max(1, round(number**0.75))))
    tokens = [token for token in train_tokens(repeated, pieces, 2 * count + 8000, 15) if _is_whole(token) and len(token.decode()) > 1]
    # How often a token stands inside a word, and how often its characters stand together at all.
    wanted = {token.decode(): token for token in tokens}
    inside: Counter[str] = Counter()
    for word, number in words.items():
        for start in range(len(word)):
            for end in range(start + 2, len(word) + 1):
                if word[start:end] in wanted:
                    inside[word[start:end]] += number
    sample = texts[:: max(1, len(texts) // 12000)]
    for text in sample:
        for run in HAN_RUN.findall(text):
            raw.update(run[i : i + size] for size in (2, 3, 4) for i in range(len(run) - size + 1))
    share = sum(len(text) for text in sample) / sum(len(text) for text in texts)
    usual = sorted(wanted, key=lambda token: -inside[token])[:count]
    # A token needs the shorter ones that it is merged from.
    ranks = {bytes([b]): b for b in range(256)}
    for token in [*character_tokens(sorted(singles)), *tokens]:
        ranks.setdefault(token, len(ranks))
    needed: set[bytes] = set()
    waiting = [wanted[token] for token in usual]
    while waiting:
        token = waiting.pop()
        if token not in needed and len(token) > 3:
            needed.add(token)
            waiting += [part for part in merge_of(token, ranks) or () if len(part) > 3]
    cohesion = {
        token: (inside[token.decode()] * share + 1) / (max(raw[token.decode()], inside[token.decode()] * share) + 4) for token in needed
    }
    ordered: dict[bytes, None] = {}

    def append(token: bytes) -> None:
        if token in needed and token not in ordered:
            for part in merge_of(token, ranks) or ():
                append(part)
            ordered[token] = None

    for token in sorted(needed, key=lambda token: (-cohesion[token], token)):
        append(token)
    # In the new order merging may take another way and miss a token.
    final = {bytes([b]): b for b in range(256)}
    for token in [*character_tokens(sorted(singles)), *ordered]:
        final.setdefault(token, len(final))
    return [token for token in ordered if merge_of(token, final)]


def make_tokenizer(data: Path, folder: Path, settings: Settings) -> None:
    """Han and everything else are trained apart, so that each has its share of the tokens; pieces never mix them."""
    from rag.model.train_translation import dictionary_words, word_costs
    from rag.textform import search_form
    from rag.tokens import PIECES

    texts = [search_form(text) for text in all_texts(data)]
    characters = Counter(character for text in texts for character in text if ord(character) > 127)
    han = [character for character, _ in characters.most_common() if HAN.match(character)][: settings.han_characters]
    others = [character for character, count in characters.most_common() if not HAN.match(character) and count >= 200]
    costs = word_costs(data, list(dictionary_words(data)))
    log.info("segmenting")
    words = han_words(texts, costs, settings.han_words, PIECES)
    pieces = train_tokens((re.sub("[々〇\u3400-\u9fff]+", " ", text) for text in texts), PIECES, settings.other_tokens, 20)
    english = [word.encode() for word in english_words(data, texts)[: settings.english_words]]
    ranks: dict[bytes, int] = {}
    for token in [*(bytes([b]) for b in range(256)), *character_tokens([*han, *others]), *words, *pieces, *english]:
        ranks.setdefault(token, len(ranks))
    log.info(
        "tokens: %d (Han characters %d, Han words %d, other %d, English words %d)",
        len(ranks),
        len(han),
        len(words),
        len(pieces),
        len(english),
    )
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


@dataclass(frozen=True)
class Ragged:
    """Many token sequences in one array: row i is `ids[starts[i]:starts[i + 1]]`."""

    ids: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, rows: np.ndarray, longest: int, rng: np.random.Generator) -> list[np.ndarray]:
        """These rows, each cut to a random window of at most `longest` tokens."""
        taken = []
        for row in rows:
            start, end = self.starts[row], self.starts[row + 1]
            if end - start > longest:
                start += rng.integers(end - start - longest + 1)
                end = start + longest
            taken.append(self.ids[start:end])
        return taken

    def take_halves(self, rows: np.ndarray, longest: int, rng: np.random.Generator) -> list[np.ndarray]:
        """A window of the first half of each row, then of the second half of each."""
        middle = (self.starts[rows] + self.starts[rows + 1]) // 2
        parts = [*zip(self.starts[rows], middle, strict=True), *zip(middle, self.starts[rows + 1], strict=True)]
        taken = []
        for start, end in parts:
            if end - start > longest:
                start += rng.integers(end - start - longest + 1)
                end = start + longest
            taken.append(self.ids[start:end])
        return taken


def tokenised(texts: Iterable[str]) -> Ragged:
    """Search forms as token ids, without the tokens that hold no letter or digit."""
    from rag.textform import search_form
    from rag.tokens import encode_form

    wordless = ~tokens_with_words()
    rows = [encode_form(search_form(text)).astype(np.int32) for text in texts]
    rows = [row[~wordless[row]] for row in rows]
    return Ragged(np.concatenate(rows), np.concatenate([[0], np.cumsum([len(row) for row in rows])]))


def tokens_with_words() -> np.ndarray:
    """bool (tokens,): whether a token holds a letter or digit as a whole character. The others get no vector."""
    from rag.tokens import read_ranks

    ranks = read_ranks()
    return np.array([_is_whole(token) and any(c.isalnum() for c in token.decode()) for token in sorted(ranks, key=ranks.__getitem__)])


@dataclass(frozen=True)
class Source:
    """One kind of pairs. Pair k is (left[pairs[k, 0]], right[pairs[k, 1]]); share is its part of the training steps."""

    name: str
    share: float
    left: Ragged
    right: Ragged
    pairs: np.ndarray
    cloze: bool = False
    """The left side is a stretch of the right one, which mostly loses it."""
    longest_left: int = 64
    whole: bool = False
    """The right sides stay whole: what is asked for may stand anywhere."""
    halves: bool = False
    """Both halves of each right side are in the batch: the other half of an article is the hardest stretch to tell apart."""
    translated: float = 0.0
    """In this share of the batches the words of the left side are replaced by dictionary translations."""


TRAINED_ARTICLES, TUNED_ARTICLES = 8, 12
"""Of the 24 articles of the SQuAD half (and of XQuAD) the first 8 are trained on, the next 4 tuned on, the last 12 reported."""


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


def make_sources(data: Path) -> list[Source]:
    """All training pairs. What figures are reported on (CMRC dev, the last articles of SQuAD and XQuAD) is not among them."""

    def one_to_one(count: int) -> np.ndarray:
        return np.stack([np.arange(count)] * 2, axis=1)

    def questions(name: str, share: float, found: list[tuple[str, list[str]]], translated: float) -> Source:
        owners = np.repeat(np.arange(len(found)), [len(asked) for _, asked in found])
        pairs = np.stack([np.arange(len(owners)), owners], axis=1)
        left, right = tokenised(q for _, asked in found for q in asked), tokenised(passage for passage, _ in found)
        return Source(name, share, left, right, pairs, whole=True, translated=translated)

    cmrc = questions("cmrc", 0.18, squad_format(data / "cmrc2018" / "train.json"), 0.4)
    sources = [
        cmrc,
        Source("cmrc cloze", 0.05, cmrc.right, cmrc.right, one_to_one(len(cmrc.right)), cloze=True, translated=0.3),
        questions("english questions", 0.1, english_questions(data), 0.35),
    ]
    across = translated_questions(data)
    sources.append(
        Source("xquad", 0.04, tokenised(q for q, _ in across), tokenised(p for _, p in across), one_to_one(len(across)), whole=True)
    )
    articles = tokenised(islice(news(data), 0, None, 2))
    sources.append(Source("news cloze", 0.22, articles, articles, one_to_one(len(articles)), cloze=True, halves=True, translated=0.35))
    papers = csl(data)
    abstracts = [abstract for abstract, _, _ in papers]
    short = [(i, text) for i, paper in enumerate(papers) for text in paper[1:] if text]
    sources.append(
        Source(
            "papers",
            0.04,
            tokenised(t for _, t in short),
            tokenised(abstracts),
            np.array([[k, i] for k, (i, _) in enumerate(short)]),
            translated=0.3,
        )
    )
    placed = sections(data)
    headings = tokenised(f"{title} {heading}" for title, heading, _ in placed)
    paragraphs = tokenised(text for _, _, text in placed)
    sources.append(Source("headings", 0.04, headings, paragraphs, one_to_one(len(placed)), translated=0.3))
    sources.append(Source("technical cloze", 0.08, paragraphs, paragraphs, one_to_one(len(placed)), cloze=True, translated=0.3))
    blocks = aligned_blocks(data)
    english, chinese = tokenised(e for e, _ in blocks), tokenised(c for _, c in blocks)
    sources.append(Source("translated blocks", 0.05, english, chinese, one_to_one(len(blocks)), longest_left=256))
    pairs = tatoeba(data)
    sources.append(
        Source("translated sentences", 0.07, tokenised(e for e, _ in pairs), tokenised(c for _, c in pairs), one_to_one(len(pairs)))
    )
    entries = cedict(data)
    glosses = [(i, gloss) for i, (_, meanings) in enumerate(entries) for gloss in meanings[:4]]
    sources.append(
        Source(
            "dictionary",
            0.12,
            tokenised(g for _, g in glosses),
            tokenised(h for h, _ in entries),
            np.array([[k, i] for k, (i, _) in enumerate(glosses)]),
        )
    )
    for source in sources:
        log.info("%-22s %7d pairs, %9d tokens", source.name, len(source.pairs), len(source.right.ids))
    return sources


def token_translations(data: Path) -> dict[int, list[np.ndarray]]:
    """Token of a whole word -> its dictionary translations as tokens, in both directions; at most six each."""
    from rag.textform import search_form
    from rag.tokens import encode_form

    found: dict[int, list[np.ndarray]] = {}
    for headword, glosses in cedict(data):
        word = encode_form(search_form(headword)).astype(np.int32)
        for gloss in glosses[:3]:
            plain = re.sub(r"^(?:to be|to|a|an|the) ", "", search_form(gloss))
            if not re.fullmatch(r"[a-z]+(?:[ -][a-z]+){0,2}", plain):
                continue
            other = encode_form(plain.replace("-", " ")).astype(np.int32)
            if len(word) == 1 and len(headword) > 1:
                found.setdefault(int(word[0]), []).append(other)
            if len(other) == 1 and len(word) <= 3 and len(headword) > 1:
                found.setdefault(int(other[0]), []).append(word)
    rng = np.random.default_rng(0)
    return {token: [options[i] for i in rng.permutation(len(options))[:6]] for token, options in found.items()}


def translated(tokens: np.ndarray, table: dict[int, list[np.ndarray]], share: float, rng: np.random.Generator) -> np.ndarray:
    """The tokens with those that have a translation replaced by it, each with this probability."""
    turned = [
        options[int(draw * len(options))] if (options := table.get(token)) and chance < share else [token]
        for token, draw, chance in zip(tokens.tolist(), rng.random(len(tokens)), rng.random(len(tokens)), strict=True)
    ]
    return np.concatenate([*turned, np.zeros(0, np.int32)]).astype(np.int32)


def draw(
    source: Source, settings: Settings, table: dict[int, list[np.ndarray]], rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One batch: left sides and right sides."""
    size = settings.batch // 2 if source.halves else settings.batch
    pairs = source.pairs[rng.permutation(len(source.pairs))[:size]]
    turn = float(rng.choice([0.5, 1.0])) if rng.random() < source.translated else 0.0
    if source.cloze:
        lefts, rights = [], []
        question_like = rng.random() < 0.6
        longest = int(rng.integers(64, settings.passage_tokens + 1))
        passages = source.right.take_halves(pairs[:, 1], longest, rng) if source.halves else source.right.take(pairs[:, 1], longest, rng)
        for passage in passages:
            size = min(int(rng.integers(6, 24) if question_like else rng.integers(4, 48)), max(1, len(passage) // 2))
            start = int(rng.integers(max(1, len(passage) - size + 1)))
            left = passage[start : start + size]
            # A question repeats some words of its passage and leaves others out.
            lefts.append(left[rng.random(len(left)) < (0.6 if question_like else 0.85)])
            rights.append(passage if rng.random() < 0.5 else np.concatenate([passage[:start], passage[start + size :]]))
    else:
        longest = int(rng.integers(settings.passage_tokens // 4, settings.passage_tokens + 1))
        longest = 2 * settings.passage_tokens if source.whole else longest
        lefts, rights = source.left.take(pairs[:, 0], source.longest_left, rng), source.right.take(pairs[:, 1], longest, rng)
    if turn:
        lefts = [translated(left, table, turn, rng) for left in lefts]
    return lefts, rights


def alike(texts: Sequence[np.ndarray]) -> np.ndarray:
    """bool (texts, texts): which are the same, token for token."""
    numbers: dict[bytes, int] = {}
    names = np.array([numbers.setdefault(text.tobytes(), len(numbers)) for text in texts])
    return names[:, None] == names[None, :]


# --- 4. vectors ------------------------------------------------------------------------------------------------------------------------


def first_table(data: Path, sources: list[Source], settings: Settings) -> np.ndarray:
    """float32 (tokens, dimension): English from the teacher, Chinese from the teacher's vectors of its dictionary glosses, the rest random.

    The teacher fills the first 128 dimensions; the others are random, so that every token keeps an identity of its own. The length of a row
    is its weight in a text, by frequency (smooth inverse frequency); for English words the teacher's own.
    """
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    from rag.tokens import encoding

    teacher_folder = data / "weights" / "potion-base-4M-int8"
    teacher = load_file(teacher_folder / "model.safetensors")["embeddings"].astype(np.float32)
    teacher_tokens = Tokenizer.from_file(str(teacher_folder / "tokenizer.json"))

    def teach(text: str) -> np.ndarray:
        return teacher[teacher_tokens.encode(text, add_special_tokens=False).ids].sum(0)

    rng = np.random.default_rng(settings.seed)
    size = encoding().n_vocab
    known = np.zeros((size, teacher.shape[1]), dtype=np.float32)
    weight = np.zeros(size, dtype=np.float32)
    meanings: dict[str, list[str]] = {}
    for headword, glosses in cedict(data):
        meanings.setdefault(headword, []).extend(glosses[:3])
    for token in range(size):
        text = encoding().decode_single_token_bytes(token).decode("utf-8", "ignore")
        if re.fullmatch("[a-z]{2,}", text):
            known[token] = teach(text)
            weight[token] = np.linalg.norm(known[token])
        elif text in meanings:
            known[token] = sum(teach(re.sub(r"^to ", "", gloss)) for gloss in meanings[text])
    english = weight > 0
    length = np.linalg.norm(known, axis=1, keepdims=True)
    known /= np.where(length > 0, length, 1)
    table = rng.standard_normal((size, settings.dimension)).astype(np.float32)
    table[:, : known.shape[1]] = 0
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    table = _with_translations(table, settings.translation)
    table *= settings.identity / np.linalg.norm(table, axis=1, keepdims=True)
    table[:, : known.shape[1]] = known
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    counts = sum(np.bincount(source.right.ids, minlength=size) for source in sources if not source.cloze or source.name == "news cloze")
    share = counts / counts.sum()
    frequency_weight = settings.frequent / (settings.frequent + share)
    # The teacher's weights of English words, on the scale of the others.
    scale = np.quantile(weight[english], 0.9)
    table *= np.where(english, np.minimum(weight / scale, 1.2), frequency_weight)[:, None]
    table[~tokens_with_words()] = 0
    return table.astype(np.float32)


def _with_translations(table: np.ndarray, strength: float) -> np.ndarray:
    """Adds to the row of each Chinese word those of its English translations, by their probability, in the table of `rag.translate`."""
    import snowballstemmer

    from rag.tokens import encoding
    from rag.translate import translations

    stem = snowballstemmer.stemmer("english").stemWord
    texts = [encoding().decode_single_token_bytes(token).decode("utf-8", "ignore") for token in range(len(table))]
    stems: dict[str, list[int]] = {}
    for token, text in enumerate(texts):
        if re.fullmatch("[a-z]{3,}", text):
            stems.setdefault(stem(text), []).append(token)
    # Inflections of a word share a part from the start.
    together = {name: table[tokens].mean(axis=0) / np.linalg.norm(table[tokens].mean(axis=0)) for name, tokens in stems.items()}
    result = table.copy()
    for name, tokens in stems.items():
        if len(tokens) > 1:
            result[tokens] += strength * together[name]
    for token, text in enumerate(texts):
        if HAN.match(text):
            for translation, probability in translations(text).items():
                if translation in together:
                    result[token] += strength * probability**0.5 * together[translation]
    return result / np.linalg.norm(result, axis=1, keepdims=True)


def shared_parts() -> tuple[np.ndarray, np.ndarray, int]:
    """(token, part) of every part that a token shares with others, and the number of parts: a Chinese word's characters; an English
    word's stem and first letters."""
    import snowballstemmer

    from rag.tokens import encoding

    stem = snowballstemmer.stemmer("english").stemWord
    parts: dict[str, list[int]] = {}
    for token in range(encoding().n_vocab):
        text = encoding().decode_single_token_bytes(token).decode("utf-8", "ignore")
        if HAN.match(text):
            for character in set(text):
                parts.setdefault(character, []).append(token)
        elif re.fullmatch("[a-z]{3,}", text):
            for part in {"stem " + stem(text), "start " + text[:5]}:
                parts.setdefault(part, []).append(token)
    shared = [tokens for tokens in parts.values() if len(tokens) > 1]
    tokens = np.concatenate([np.array(tokens) for tokens in shared])
    return tokens, np.repeat(np.arange(len(shared)), [len(tokens) for tokens in shared]), len(shared)


@dataclass(frozen=True)
class Check:
    """Questions that decide between settings; none is trained on or reported."""

    name: str
    questions: Ragged
    passages: Ragged
    owners: np.ndarray


def make_checks(data: Path) -> list[Check]:
    """CMRC trial, and the tuned articles of SQuAD and XQuAD among all passages of their sets."""
    trial = squad_format(data / "cmrc2018" / "trial.json")
    checks = [
        Check(
            "cmrc",
            tokenised(question for _, asked in trial for question in asked),
            tokenised(passage for passage, _ in trial),
            np.repeat(np.arange(len(trial)), [len(asked) for _, asked in trial]),
        )
    ]

    def articles(file: Path) -> tuple[list[str], list[tuple[int, str]]]:
        passages, asked = [], []
        for number, article in enumerate(json.loads(file.read_text(encoding="utf-8"))["data"]):
            for paragraph in article["paragraphs"]:
                if TRAINED_ARTICLES <= number < TUNED_ARTICLES:
                    asked += [(len(passages), qa["question"]) for qa in paragraph["qas"]]
                passages.append(paragraph["context"])
        return passages, asked

    squad, english, chinese = (
        articles(data / file) for file in ("squad_half/dev_first24articles.json", "xquad_half/en.json", "xquad_half/zh.json")
    )
    for name, asked, found in (("squad", squad, squad), ("zh", chinese, chinese), ("en-zh", english, chinese), ("zh-en", chinese, english)):
        checks.append(Check(name, tokenised(q for _, q in asked[1]), tokenised(found[0]), np.array([owner for owner, _ in asked[1]])))
    return checks


def question_recall(table: np.ndarray, questions: Ragged, passages: Ragged, owners: np.ndarray) -> float:
    """Share of the questions whose own passage is the nearest of all."""

    def embed(texts: Ragged) -> np.ndarray:
        rows = np.stack([table[texts.ids[a:b]].sum(0) for a, b in zip(texts.starts[:-1], texts.starts[1:], strict=True)])
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    return float(((embed(questions) @ embed(passages).T).argmax(1) == owners).mean())


def train(data: Path, work: Path, settings: Settings) -> np.ndarray:
    """The trained table, float32 (tokens, dimension)."""
    import torch
    from safetensors.torch import load_file, save_file
    from tqdm import tqdm

    torch.manual_seed(settings.seed)
    sources, checks, dictionary = make_sources(data), make_checks(data), token_translations(data)
    first = first_table(data, sources, settings)
    own = torch.nn.Parameter(torch.from_numpy(first.copy()))
    tokens, parts, count = shared_parts()
    sharing = torch.sparse_coo_tensor(
        torch.from_numpy(np.stack([tokens, parts])), torch.ones(len(tokens)) * settings.sharing, (len(own), count)
    ).coalesce()
    part = torch.nn.Parameter(torch.zeros(count, settings.dimension))
    parameters = [own, part] if settings.sharing else [own]
    optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-9, fused=True)
    kept = work / "training.safetensors"
    begin = 0
    if kept.exists():
        state = load_file(kept)
        begin = int(state["step"].item())
        for i, parameter in enumerate(parameters):
            parameter.data.copy_(state[f"value{i}"])
            optimiser.state[parameter] = {"step": state["step"].clone(), "exp_avg": state[f"mean{i}"], "exp_avg_sq": state[f"square{i}"]}
    shares = np.array([source.share for source in sources])

    def folded() -> torch.Tensor:
        return own + torch.sparse.mm(sharing, part) if settings.sharing else own

    def recalls() -> str:
        table = folded().detach().numpy()
        return " ".join(f"{check.name} {question_recall(table, check.questions, check.passages, check.owners):.3f}" for check in checks)

    log.info("recall@1 at step %d: %s", begin, recalls())
    losses: dict[str, float] = {}
    bar = tqdm(range(begin, settings.steps), initial=begin, total=settings.steps, mininterval=20)
    for step in bar:
        rng = np.random.default_rng([settings.seed, step])  # the same batch at the same step, also after a resume
        source = sources[rng.choice(len(sources), p=shares / shares.sum())]
        lefts, rights = draw(source, settings, dictionary, rng)
        texts = [*lefts, *rights]
        starts = np.concatenate([[0], np.cumsum([len(text) for text in texts])[:-1]])
        vectors = torch.nn.functional.embedding_bag(
            torch.from_numpy(np.concatenate(texts).astype(np.int64)), folded(), torch.from_numpy(starts.astype(np.int64)), mode="sum"
        )
        vectors = torch.nn.functional.normalize(vectors, dim=1)
        scores = vectors[: len(lefts)] @ vectors[len(lefts) :].T / settings.temperature
        # The same text twice in a batch is no negative: a passage with two questions, a heading with two paragraphs.
        same = torch.from_numpy(alike(lefts) | alike(rights))
        same.fill_diagonal_(False)
        scores = scores.masked_fill(same, -1e4)
        target = torch.arange(len(lefts))
        loss = (torch.nn.functional.cross_entropy(scores, target) + torch.nn.functional.cross_entropy(scores.T, target)) / 2
        optimiser.zero_grad()
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * min(1, (step + 1) / 50) * max(0.02, 1 - step / settings.steps)
        optimiser.step()
        losses[source.name] = 0.9 * losses.get(source.name, loss.item()) + 0.1 * loss.item()
        if (step + 1) % 50 == 0 or step + 1 == settings.steps:
            log.info("step %d: recall@1 %s, losses %s", step + 1, recalls(), {k: round(v, 2) for k, v in losses.items()})
            state = {"step": optimiser.state[own]["step"].reshape(1)}
            for i, parameter in enumerate(parameters):
                moments = optimiser.state[parameter]
                state |= {f"value{i}": parameter.data, f"mean{i}": moments["exp_avg"], f"square{i}": moments["exp_avg_sq"]}
            save_file(state, kept)
    return settings.trained * folded().detach().numpy() + (1 - settings.trained) * first


def write_weights(table: np.ndarray, folder: Path) -> None:
    """model.safetensors: int8 rows and their scales, in the layout that sentence-transformers reads as a StaticEmbedding; plus its module list."""
    from safetensors.numpy import save_file

    table = np.where(tokens_with_words()[:, None], table, 0)
    scale = np.abs(table).max(axis=1) / 127
    rows = np.round(table / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8)
    save_file({"embeddings": rows, "weights": scale.astype(np.float32)}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    modules = [
        {"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"},
        {"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")
    about = {"prompts": {"query": "", "document": ""}, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Runs the stages that `--work` does not hold yet."""
    parser = argparse.ArgumentParser(prog="python -m rag.model.train", description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with cmrc2018/, news_zh/, csl/, tatoeba_cmn_en/, cedict/, text_zh_en/ and weights/"
    )
    parser.add_argument("--output", type=Path, default=HERE, help="folder for the model (default: this package)")
    parser.add_argument("--work", type=Path, default=Path("build/encoder"), help="folder for what an interrupted run goes on from")
    parser.add_argument("--keep-tokenizer", action="store_true", help="train vectors for the tokenizer that is there")
    for name, value in asdict(Settings()).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings(**{name: getattr(options, name) for name in asdict(Settings())})
    import torch

    import rag.tokens

    torch.set_num_threads(2)
    rag.tokens.RANKS = options.output / "ranks.tiktoken"
    options.output.mkdir(parents=True, exist_ok=True)
    work = options.work / hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
    work.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    if not options.keep_tokenizer and not (work / "tokenizer-done").exists():
        write_simplified(options.output / "simplified.txt")
        make_tokenizer(options.data, options.output, settings)
        (work / "tokenizer-done").touch()
    write_weights(train(options.data, work, settings), options.output)
    log.info("done in %.0f minutes", (time.perf_counter() - began) / 60)


if __name__ == "__main__":
    main()
