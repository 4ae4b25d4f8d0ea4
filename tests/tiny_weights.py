"""Weights of the reader's shape, two layers of 64 numbers drawn from a seed: a base as `train.reader_base` finds one, and a folder for `Reader`."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from rag.search.reader import KINDS, ReaderInput

WIDTH, LAYERS, HEADS, INNER, POSITIONS = 64, 2, 2, 128, 512
HAN = "潮汐电站装机容量成本蜂巢蜜塔高多少是的有在和年为什么，。？！"
WORDS = ("▁the", "▁tower", "▁is", "▁hive", "▁how", "潮汐", "电站", "成本", "装机容量")
LETTERS = tuple("▁abcdefghijklmnopqrstuvwxyz0123456789.,?'-" + HAN)
PIECES = ("<s>", "<pad>", "</s>", "<unk>", *LETTERS, *WORDS, "<mask>")
INTENTS = ("compare", "content", "greeting", "offtopic")


def write_base(path: Path, seed: int = 7) -> Path:
    """Write a base: sizes, vocabulary and a directory of tensors, word embeddings in 4 bits and the others in float32."""
    draw = np.random.default_rng(seed)
    tensors: dict[str, bytes] = {"emb.word": _four_bits(draw.standard_normal((len(PIECES), WIDTH)).astype(np.float32))}
    counts = {"emb.word": len(PIECES) * WIDTH}

    def add(name: str, *shape: int, scale: float = 0.0, mean: float = 0.0) -> None:
        counts[name] = int(np.prod(shape))
        tensors[name] = (mean + scale * draw.standard_normal(shape)).astype("<f4").tobytes()

    add("emb.pos", POSITIONS, WIDTH, scale=0.3)
    add("emb.type", 1, WIDTH, scale=0.1)
    for norm in ("emb.ln", *(f"l{layer}.{name}" for layer in range(LAYERS) for name in ("aln", "oln"))):
        add(f"{norm}.w", WIDTH, scale=0.1, mean=1.0)
        add(f"{norm}.b", WIDTH, scale=0.1)
    for layer in range(LAYERS):
        for name, out, inner in (*((n, WIDTH, WIDTH) for n in ("q", "k", "v", "ao")), ("fi", INNER, WIDTH), ("fo", WIDTH, INNER)):
            add(f"l{layer}.{name}.w", out, inner, scale=inner**-0.5)
            add(f"l{layer}.{name}.b", out, scale=0.1)
    text = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, text)]).astype("<u4")
    scores = np.array([-2.0 if piece in WORDS else -6.0 for piece in PIECES], "<f4")
    head = b"TINYBASE" + struct.pack("<7i", WIDTH, LAYERS, HEADS, INNER, 0, POSITIONS, 1) + struct.pack("<fi", 1e-12, 0)
    head += struct.pack("<5i", len(PIECES), 0, 0, 0, 0) + struct.pack("<Q", int(ends[-1])) + ends.tobytes() + scores.tobytes()
    head += b"".join(text) + struct.pack("<iI", 0, 0) + struct.pack("<i", len(tensors))
    at = len(head) + sum(2 + len(name) + 21 for name in tensors)
    directory = b""
    for name, data in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, counts[name], at, len(data))
        at += len(data)
    path.write_bytes(head + directory + b"".join(tensors.values()))
    return path


def write_reader(folder: Path, base_path: Path) -> Path:
    """Write what a training on this base would write before its first step."""
    import onnx
    from safetensors.numpy import save_file

    from train.reader_base import cut_vocabulary, model_of, open_base, tokenizer_of
    from train.reader_onnx import build, reaches

    base = open_base(base_path)
    rows = cut_vocabulary(base, {piece for piece, _ in base.pieces})
    folder.mkdir(parents=True)
    model, tokenizer = model_of(base, rows).eval(), tokenizer_of(base, rows)
    read = [
        ReaderInput(tuple(tokenizer.encode(text).ids), (), 0)
        for text in ("how is the tower?", "潮汐电站的成本是多少？", HAN, "the hive 31.")
    ]
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    onnx.save(build(state, base, rows, reaches(model, read)), folder / "model.onnx")
    tokenizer.save(str(folder / "tokenizer.json"))
    draw, heads = np.random.default_rng(11), {}
    for head, size in (("sentence", 1), ("passage", 1), ("support", 3), ("intent", len(INTENTS)), ("kind", len(KINDS))):
        for place, out in ((0, WIDTH), (2, size)):
            heads[f"{head}.{place}.weight"] = (draw.standard_normal((out, WIDTH)) / 4).astype(np.float32)
            heads[f"{head}.{place}.bias"] = (draw.standard_normal(out) / 4).astype(np.float32)
    save_file(heads, folder / "heads.safetensors")
    settings = {
        "revision": "tiny-1",
        "intents": INTENTS,
        "support_shift": [0.5, 0.0, -0.5],
        "mix": [1.0, 0.5, 0.2, -0.1],
        "calibration": {"all": [1.0, 0.5, 0.1, -0.25], "zh-en": [2.0, 0.0, 0.0, 0.0]},
        "thresholds": {"all": {"strict": 0.7, "balanced": 0.5, "open": 0.3}, "zh-en": {"strict": 0.8, "balanced": 0.6, "open": 0.4}},
    }
    (folder / "reader.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def _four_bits(values: np.ndarray) -> bytes:
    """Blocks of 32 values: a scale in 16 bits, then the first and the second half of the codes in the low and the high nibbles."""
    blocks = values.reshape(-1, 32)
    scale = (np.abs(blocks).max(1) / 7).astype("<f2")
    codes = np.clip(np.rint(blocks / scale.astype(np.float32)[:, None]) + 8, 0, 15).astype(np.uint8)
    packed = codes[:, :16] | (codes[:, 16:] << 4)
    return np.concatenate([scale.view(np.uint8).reshape(-1, 2), packed], axis=1).tobytes()
