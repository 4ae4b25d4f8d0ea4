"""The tokenizer and the characters that it reads: `simplified.txt`, `ranks.tiktoken`, and `tokenizer.json`, which cuts alike.

`train.train` calls it. Chinese is cut into the dictionary's words where it can be, English has its frequent words whole.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.text.normalize import search_form
from rag.text.tokens import PIECES
from train.public_data import HAN, HAN_RUN, all_texts, english_words
from train.train_translation import dictionary_words, word_costs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many tokens of each kind there are, besides the 256 bytes."""

    han_characters: int = 4600
    han_words: int = 8000
    other_tokens: int = 2300
    english_words: int = 9600


def write_simplified(path: Path) -> None:
    """Two lines of equal length, traditional above simplified, each pair final: no right side occurs on the left.

    The table is OpenCC's; where the package opencc-python-reimplemented is not installed, the file stays as it is.
    """
    try:
        import opencc
    except ImportError:
        log.info("%s stays as it is: opencc-python-reimplemented is not installed", path)
        return
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
    return sorted(tokens, key=lambda token: (is_whole(token), len(token)))


def is_whole(token: bytes) -> bool:
    """Whether these bytes are whole characters."""
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

    # The same most probable cut as `rag.search.translate.segment`, in compiled code: 50 million characters.
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
    tokens = [token for token in train_tokens(repeated, pieces, 2 * count + 8000, 15) if is_whole(token) and len(token.decode()) > 1]
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


def make_tokenizer(data: Path, folder: Path, sizes: Sizes) -> None:
    """Han and everything else are trained apart, so that each has its share of the tokens; pieces never mix them."""
    texts = [search_form(text) for text in all_texts(data)]
    characters = Counter(character for text in texts for character in text if ord(character) > 127)
    han = [character for character, _ in characters.most_common() if HAN.match(character)][: sizes.han_characters]
    others = [character for character, count in characters.most_common() if not HAN.match(character) and count >= 200]
    costs = word_costs(data, list(dictionary_words(data)))
    log.info("segmenting")
    words = han_words(texts, costs, sizes.han_words, PIECES)
    pieces = train_tokens((re.sub("[々〇\u3400-\u9fff]+", " ", text) for text in texts), PIECES, sizes.other_tokens, 20)
    english = [word.encode() for word in english_words(data, texts)[: sizes.english_words]]
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
