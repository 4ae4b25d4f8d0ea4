"""Tunes the built-in encoder to a corpus, without labels and without torch: `rag adapt`.

Stretches of chunks, headings and neighbouring sentences learn to find their chunk among all others. It is judged on chunks that were held
back, and kept only if it finds them better; a corpus of a few reports is too small for more than a nudge, so rows stay near their origin.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rag.config import Config
from rag.errors import UsageError
from rag.index.build import build_index
from rag.index.encoder import ADAPTED, BUILTIN, MODEL, BuiltinEncoder, tokenizer_files, weighed
from rag.index.manifest import StageProgress
from rag.index.snapshot import Snapshot, open_index
from rag.text.normalize import search_form
from rag.text.tokens import encode_form
from rag.types import FloatMatrix, Progress

FEWEST_CHUNKS = 60
"""Below this there is nothing to learn from and nothing to judge by."""
_SENTENCE = re.compile(r"[^。！？；\n.!?]{8,240}[。！？；.!?\n]?")


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What an adaptation brought. Figures are of held-back sentences that look for the chunk they were taken out of, among all chunks."""

    kept: bool
    folder: str
    """Where the adapted encoder lies; empty when the old one was kept."""
    sentences: int
    recall_before: float
    recall_after: float
    rank_before: float
    """Mean reciprocal rank, first ten."""
    rank_after: float
    steps: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Text:
    """A chunk as token ids of its sentences, with its headings."""

    sentences: list[np.ndarray]
    heading: np.ndarray


def adapt(
    chunks: Sequence[tuple[str, str]],
    folder: Path,
    *,
    base: BuiltinEncoder | None = None,
    steps: int = 200,
    batch: int = 256,
    learning_rate: float = 2e-3,
    pull: float = 0.01,
    seed: int = 5,
    progress: Progress | None = None,
) -> Adaptation:
    """Tunes `base` (default: the built-in encoder as shipped) to (heading, text) of the chunks and writes it into `folder` if it helps.

    A fifth of the chunks is held back: their sentences judge. `pull` draws rows back to where they were, per step. Raises UsageError when
    there are fewer than `FEWEST_CHUNKS` chunks.
    """
    base = base or BuiltinEncoder()
    rng = np.random.default_rng(seed)
    texts = [text for heading, body in chunks if len((text := _tokens(heading, body)).sentences) > 1]
    if len(texts) < FEWEST_CHUNKS:
        raise UsageError(
            f"{len(texts)} passages of several sentences are too few to adapt to; it takes {FEWEST_CHUNKS}: index more reports"
        )
    order = rng.permutation(len(texts))
    held, taught = order[: max(20, len(texts) // 5)], order[max(20, len(texts) // 5) :]
    probes = _probes(texts, held, np.random.default_rng(seed + 1))

    used = np.unique(np.concatenate([ids for text in texts for ids in (*text.sentences, text.heading)]))
    start = base.rows(used)
    table = _Table(start.copy())
    places = np.zeros(int(used.max()) + 1, dtype=np.int64)
    places[used] = np.arange(len(used))
    before = _judge(start, texts, probes, places)
    for step in range(steps):
        lefts, rights = _pairs(texts, rng.choice(taught, min(batch, len(taught)), replace=False), rng)
        gradient = _gradient(table.rows, _weights(lefts, places, len(used)), _weights(rights, places, len(used)))
        table.step(gradient, learning_rate * min(1.0, (step + 1) / 20) * max(0.05, 1 - step / steps))
        table.rows += pull * (start - table.rows)
        if progress:
            progress(step + 1, steps)
    after = _judge(table.rows, texts, probes, places)
    # A gain within chance is none: the standard error of the mean of the differences, sentence by sentence.
    difference = after[1] - before[1]
    chance = float(difference.std() / max(1.0, len(difference) ** 0.5))
    kept = bool(difference.mean() > chance > 0)
    reason = (
        "held-back sentences find their passage better" if kept else "held-back sentences do not find their passage better beyond chance"
    )
    result = Adaptation(
        kept,
        str(folder) if kept else "",
        len(probes),
        float(before[0].mean()),
        float(after[0].mean()),
        float(before[1].mean()),
        float(after[1].mean()),
        steps,
        reason,
    )
    if kept:
        _save(base, used, table.rows, folder, result)
    return result


def adapt_index(config: Config, *, steps: int = 200, progress: StageProgress | None = None) -> Adaptation:
    """Adapts the encoder of an index to it; when that helps, the encoder is kept in the index's folder and the index built anew with it.

    Each run starts from the encoder as shipped. Raises UsageError when the index uses an encoder that is not the built-in one.
    """
    index_dir = Path(config.index_dir).absolute()
    store = open_index(index_dir)
    if store.dense_weight is not None or store.encoder_name != BUILTIN and not (Path(store.encoder_name) / ADAPTED).is_file():
        raise UsageError(
            f"the index uses the encoder {store.encoder_name}; only the built-in one can be adapted: index with --encoder builtin"
        )
    tell = progress or (lambda stage, done, total: None)
    folder = index_dir / f"encoder-{store.generation + 1:06d}"
    result = adapt(chunk_texts(store), folder, steps=steps, progress=lambda done, total: tell("adapt", done, total))
    if result.kept:
        encoder = BuiltinEncoder(folder, os.path.normpath(folder))
        build_index((), index_dir, encoder, target_tokens=config.target_tokens, max_tokens=config.max_tokens, progress=tell)
        # The generation before may be rolled back to, so its encoder stays.
        for old in sorted(index_dir.glob("encoder-*"))[:-2]:
            shutil.rmtree(old, ignore_errors=True)
    return result


def chunk_texts(store: Snapshot) -> list[tuple[str, str]]:
    """(heading, text) of all chunks of an index."""
    found = []
    for document in store.documents():
        text = store.document(document.id).text
        found += [(" ".join(chunk.section), text[chunk.start : chunk.end]) for chunk in store.chunks_of(document.id)]
    return found


class _Table:
    """Rows under Adam."""

    def __init__(self, rows: FloatMatrix):
        self.rows = rows
        self._mean, self._square, self._count = np.zeros_like(rows), np.zeros_like(rows), 0

    def step(self, gradient: FloatMatrix, rate: float) -> None:
        self._count += 1
        self._mean += 0.1 * (gradient - self._mean)
        self._square += 0.02 * (gradient**2 - self._square)
        mean = self._mean / (1 - 0.9**self._count)
        square = self._square / (1 - 0.98**self._count)
        self.rows -= rate * mean / (np.sqrt(square) + 1e-9)


def _tokens(heading: str, body: str) -> _Text:
    sentences = [encode_form(search_form(sentence)).astype(np.int64) for sentence in _SENTENCE.findall(body)]
    return _Text([ids for ids in sentences if len(ids) > 3], encode_form(search_form(heading)).astype(np.int64))


def _probes(texts: Sequence[_Text], held: np.ndarray, rng: np.random.Generator) -> list[tuple[int, int]]:
    """(text, sentence) of up to two sentences of each held-back chunk."""
    return [(int(row), int(place)) for row in held for place in rng.permutation(len(texts[row].sentences))[:2]]


def _pairs(texts: Sequence[_Text], rows: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A sentence of each chunk (or its heading, or half of the sentence's words) and the rest of the chunk."""
    lefts, rights = [], []
    for row in rows:
        text = texts[row]
        place = int(rng.integers(len(text.sentences)))
        kind = rng.random()
        left = text.heading if kind < 0.2 and len(text.heading) else text.sentences[place]
        if kind > 0.6:
            left = left[rng.random(len(left)) < 0.6]
        lefts.append(left)
        rights.append(np.concatenate([ids for i, ids in enumerate(text.sentences) if i != place]))
    return lefts, rights


def _weights(texts: Sequence[np.ndarray], places: np.ndarray, size: int) -> FloatMatrix:
    """(texts, size): what each token weighs in each text."""
    weights = np.zeros((len(texts), size), dtype=np.float32)
    for row, ids in zip(weights, texts, strict=True):
        tokens, row_weights = weighed(ids)
        row[places[tokens]] = row_weights
    return weights


def _unit(vectors: FloatMatrix) -> tuple[FloatMatrix, FloatMatrix]:
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors / lengths, lengths


def _gradient(rows: FloatMatrix, lefts: FloatMatrix, rights: FloatMatrix, temperature: float = 0.05) -> FloatMatrix:
    """Of the contrastive loss in both directions with the other texts of the batch as negatives; (tokens, dimension)."""
    left, left_lengths = _unit(lefts @ rows)
    right, right_lengths = _unit(rights @ rows)
    scores = left @ right.T / temperature
    forth = np.exp(scores - scores.max(axis=1, keepdims=True))
    back = np.exp(scores - scores.max(axis=0, keepdims=True))
    push = (forth / forth.sum(axis=1, keepdims=True) + back / back.sum(axis=0, keepdims=True)) / 2 - np.eye(len(left), dtype=np.float32)
    push /= temperature * len(left)
    to_left, to_right = push @ right, push.T @ left
    to_left -= (to_left * left).sum(axis=1, keepdims=True) * left
    to_right -= (to_right * right).sum(axis=1, keepdims=True) * right
    return lefts.T @ (to_left / left_lengths) + rights.T @ (to_right / right_lengths)


def _judge(
    rows: FloatMatrix, texts: Sequence[_Text], probes: Sequence[tuple[int, int]], places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(found first, reciprocal rank within ten) of each probe, whose chunk has lost its sentence, among all chunks."""

    def total(sentences: Sequence[np.ndarray]) -> np.ndarray:
        tokens, weights = weighed(np.concatenate(sentences))
        return weights @ rows[places[tokens]]

    all_chunks, _ = _unit(np.stack([total(text.sentences) for text in texts]))
    first, reciprocal = [], []
    for row, place in probes:
        sentences = texts[row].sentences
        asked, rest = _unit(np.stack([total([sentences[place]]), total(sentences[:place] + sentences[place + 1 :])]))[0]
        scores = all_chunks @ asked
        rank = 1 + int((np.delete(scores, row) >= rest @ asked).sum())
        first.append(rank == 1)
        reciprocal.append(1 / rank if rank <= 10 else 0.0)
    return np.array(first, dtype=float), np.array(reciprocal)


def _save(base: BuiltinEncoder, used: np.ndarray, rows: FloatMatrix, folder: Path, result: Adaptation) -> None:
    """Writes the folder beside its place and moves it there, so that half an encoder is never opened."""
    from safetensors.numpy import save_file

    everything = base.rows(np.arange(base.size))
    everything[used] = rows
    scales = np.abs(everything).max(axis=1) / 127
    packed = np.round(everything / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    beside = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    save_file({"embeddings": packed, "weights": scales.astype(np.float32)}, beside / "model.safetensors")
    about = asdict(result) | {"tokenizer": hashlib.sha256(tokenizer_files()).hexdigest(), "base": base.revision}
    (beside / ADAPTED).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    for file in ("tokenizer.json", "modules.json", "config_sentence_transformers.json"):
        if (MODEL / file).is_file():
            shutil.copyfile(MODEL / file, beside / file)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
