"""Texts to unit vectors: the built-in encoder in numpy, or any sentence-transformers model.

The built-in one is a weighted mean of token vectors, in which a word that is repeated counts by the root of its number. It gives up word
order, and needs neither torch nor a network: it reads int8 rows of `rag/model/`, which sentence-transformers loads as a StaticEmbedding with
the same result for texts in `thinned` form.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import EncoderError
from rag.text.normalize import search_form
from rag.text.tokens import count_tokens, encode_form, encoding
from rag.types import Encoder, FloatMatrix, Progress

MODEL = Path(__file__).parent.parent / "model"
BUILTIN = "builtin"
ADAPTED = "adapted.json"
"""The file that marks a folder as one of `rag adapt`."""


def tokenizer_files() -> bytes:
    """What decides the token ids of a text."""
    return (MODEL / "ranks.tiktoken").read_bytes() + (MODEL / "simplified.txt").read_bytes()


def saturated(counts: np.ndarray) -> FloatMatrix:
    """What a token weighs that stands so many times in a text: about twice the root, as a whole number; float32 of the same shape.

    The tenth mention says less than the first, as in BM25. Whole numbers let a plain mean over a text of repeated words say the same.

    >>> saturated(np.array([0, 1, 2, 4, 9, 100])).tolist()
    [0.0, 2.0, 3.0, 4.0, 6.0, 20.0]
    """
    return np.rint(2 * np.sqrt(counts)).astype(np.float32)


def weighed(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different tokens of a text, ascending, and the weight of each in its mean."""
    distinct, counts = np.unique(tokens, return_counts=True)
    return distinct, saturated(counts)


def thinned(text: str) -> str:
    """A text whose plain mean over tokens is the vector of `text`: each of its tokens apart, as often as it weighs.

    What `SentenceTransformer("rag/model")` is to be given for the vectors of `BuiltinEncoder.encode`.

    >>> thinned("Cloud to cloud")
    'to to cloud cloud cloud'
    """
    tokens, weights = weighed(encode_form(search_form(text)))
    words = (encoding().decode_single_token_bytes(token).decode("utf-8", "ignore") for token in tokens.tolist())
    return " ".join(word for word, weight in zip(words, weights.astype(int), strict=True) for _ in range(weight))


def open_encoder(name: str = BUILTIN) -> Encoder:
    """The encoder of this name: "builtin", a folder (of `rag adapt` or of sentence-transformers), or a sentence-transformers name that is in
    the local cache.

    Raises EncoderError, in one line, when it cannot be had.
    """
    if name == BUILTIN:
        return BuiltinEncoder()
    folder = Path(name).expanduser()
    return BuiltinEncoder(folder, os.path.normpath(folder.absolute())) if (folder / ADAPTED).is_file() else SentenceTransformerEncoder(name)


def open_reranker(name: str) -> Callable[[str, Sequence[str]], list[float]]:
    """A cross-encoder, by folder or sentence-transformers name: (question, texts) to scores that grow with relevance.

    Raises EncoderError, in one line, when it cannot be had, or when it is no reranker.
    """
    model = _load("CrossEncoder", name, "reranker")
    if (labels := int(getattr(model, "num_labels", 1))) != 1:
        raise EncoderError(f"the reranker {name!r} gives {labels} scores for a passage, not one; name a cross-encoder for relevance")

    def rerank(question: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        scores = np.asarray(model.predict([(question, text) for text in texts], batch_size=32, show_progress_bar=False), dtype=np.float64)
        if scores.shape != (len(texts),) or not np.isfinite(scores).all():
            raise EncoderError(f"the reranker {name!r} gave scores that are not finite numbers; name another, or none")
        return scores.tolist()

    return rerank


class BuiltinEncoder:
    """Static token vectors, averaged. Questions and passages are encoded alike."""

    max_tokens = None
    calibrated = True
    """Its mix with BM25 is stored with it (`rag.search.fusion`), so no index needs to estimate one."""

    def __init__(self, folder: Path = MODEL, name: str = BUILTIN):
        self.name = name
        path = folder / "model.safetensors"
        try:
            from safetensors.numpy import load

            raw = path.read_bytes()
            about = (folder / ADAPTED).read_bytes() if (folder / ADAPTED).is_file() else b""
            tensors = load(raw)
            tables = tokenizer_files()
            self._rows, self._scales = tensors["embeddings"], tensors["weights"]
        except Exception as error:
            raise EncoderError(f"the built-in encoder cannot be read from {path} ({error}); install the package again") from error
        made_for = json.loads(about) if about else {}
        if about and made_for.get("tokenizer") != hashlib.sha256(tables).hexdigest():
            raise EncoderError(
                f"{folder} was adapted from another version of the built-in encoder; run `rag adapt` again, or use --encoder builtin"
            )
        if self._rows.dtype != np.int8 or self._rows.ndim != 2 or self._scales.shape != self._rows.shape[:1]:
            raise EncoderError(
                f"{path} holds {self._rows.dtype} rows of shape {self._rows.shape}, not the int8 table of this version; install the package again"
            )
        self.dimension = int(self._rows.shape[1])
        self.revision = hashlib.sha256(raw + tables).hexdigest()[:12]

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> FloatMatrix:
        """float32 (len(texts), dimension), rows of length 1, or of zeros where a text has no word that the table knows."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)

        def encode_range(begin: int) -> int:
            end = min(begin + 256, len(texts))
            for i in range(begin, end):
                vectors[i] = self._mean(search_form(texts[i]))
            return end - begin

        begins = range(0, len(texts), 256)
        done = 0
        with contextlib.ExitStack() as stack:
            # Tokenising and the matrix products leave Python's lock, so two threads are worth it from a few batches on.
            run = stack.enter_context(ThreadPoolExecutor(2)).map if len(begins) > 2 else map
            for count in run(encode_range, begins):
                done += count
                if progress:
                    progress(done, len(texts))
        return vectors

    def _mean(self, form: str) -> np.ndarray:
        total = np.zeros(self.dimension, dtype=np.float32)
        tokens, weights = weighed(encode_form(form))
        weights *= self._scales[tokens]
        # The rows of a text with all tokens of the table are summed in parts, so that memory stays small.
        for begin in range(0, len(tokens), 4096):
            total += weights[begin : begin + 4096] @ self._rows[tokens[begin : begin + 4096]].astype(np.float32)
        length = float(np.linalg.norm(total))
        return total / length if length > 0 else total

    @property
    def size(self) -> int:
        """Number of tokens."""
        return len(self._rows)

    def tokens(self, text: str) -> np.ndarray:
        """int (n,): the tokens of a text in reading order, without those that hold no letter or digit."""
        tokens = encode_form(search_form(text))
        return tokens[self._rows[tokens].any(axis=1)]

    def rows(self, tokens: np.ndarray) -> FloatMatrix:
        """float32 (len(tokens), dimension): what each token adds to a text's sum."""
        return self._rows[tokens].astype(np.float32) * self._scales[tokens][:, None]

    def token_vectors(self, text: str) -> tuple[FloatMatrix, np.ndarray]:
        """What each of the `tokens` of a text says on its own, for token-level similarity, in reading order.

        Returns unit vectors float32 (n, dimension) and weights float32 (n,), the lengths that the tokens have in the mean: rare words weigh
        more.
        """
        vectors = self.rows(self.tokens(text))
        weights = np.linalg.norm(vectors, axis=1)
        return vectors / weights[:, None], weights

    def likeness(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """float64 (len(texts),), 0 to 1: the mean, over a question's tokens by their weight, of each one's best cosine in the text.

        This is late interaction (Khattab and Zaharia, ColBERT, 2020) on static vectors: unlike the cosine of two means it does not fade in a
        long text, and unlike BM25 it sees words of like meaning.
        """
        asked, weights = self.token_vectors(question)
        tokens = [_tokens_again(text) for text in texts]
        filled = [i for i, found in enumerate(tokens) if len(found)]
        result = np.zeros(len(texts))
        if not len(asked) or not filled:
            return result
        # A few hundred different tokens make up all the texts.
        distinct, place = np.unique(np.concatenate([tokens[i] for i in filled]), return_inverse=True)
        rows = self._rows[distinct].astype(np.float32)
        lengths = np.linalg.norm(rows, axis=1)
        cosines = np.maximum(asked @ rows.T / np.where(lengths > 0, lengths, 1), 0)
        borders = np.cumsum([0, *(len(tokens[i]) for i in filled[:-1])])
        result[filled] = weights @ np.maximum.reduceat(cosines[:, place], borders, axis=1) / weights.sum()
        return result


@lru_cache(maxsize=4096)
def _tokens_again(text: str) -> np.ndarray:
    # The same passages are found again and again; four thousand of them take some 12 MB.
    return encode_form(search_form(text))


@cache
def _builtin() -> BuiltinEncoder:
    return BuiltinEncoder()


def word_vectors(encoder: Encoder | None = None) -> BuiltinEncoder:
    """What tells how alike single words are: the encoder itself where it has a vector for each, else the built-in one, which is small."""
    return encoder if isinstance(encoder, BuiltinEncoder) else _builtin()


class SentenceTransformerEncoder:
    """Any sentence-transformers model in a folder or in the local cache; its own prompts for questions and documents are honoured.

    Nothing is downloaded, no code that comes with a model is run, and no pickled weights are read.
    """

    def __init__(self, name: str):
        self._model = _load("SentenceTransformer", name, "encoder")
        self.name = name
        self.dimension = int(self._model.get_embedding_dimension())
        longest = self._model.max_seq_length
        self.max_tokens = int(longest) if longest and longest < 1_000_000 else None
        self.revision = self._fingerprint()

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> FloatMatrix:
        """float32 (len(texts), dimension), rows of length 1, or of zeros for a text without a word.

        Raises EncoderError when the model would read only the beginning of a document; a question may be cut.
        """
        encode = self._model.encode_query if query else self._model.encode_document
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        spoken = [i for i, text in enumerate(texts) if any(map(str.isalnum, search_form(text)))]
        if not query:
            self._refuse_cut([texts[i] for i in spoken])
        for begin in range(0, len(spoken), 256):
            part = spoken[begin : begin + 256]
            vectors[part] = encode([texts[i] for i in part], batch_size=32, show_progress_bar=False, convert_to_numpy=True)
            if progress:
                progress(begin + len(part), len(texts))
        if not np.isfinite(vectors).all():
            raise EncoderError(f"the encoder {self.name!r} gave vectors that are not finite; use another model or --encoder builtin")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if progress and len(spoken) < len(texts):
            progress(len(texts), len(texts))
        return vectors / np.where(lengths > 0, lengths, 1)

    def _refuse_cut(self, texts: Sequence[str]) -> None:
        """Words that a model never reads cannot be found by it, so a passage that is too long is an error and no surprise."""
        if self.max_tokens is None:
            return
        prompts = self._model.prompts or {}
        prompt = prompts.get("document") or prompts.get("passage") or ""
        tokenizer = self._model.tokenizer
        worst, cut = 0.0, 0
        for begin in range(0, len(texts), 1024):
            part = texts[begin : begin + 1024]
            for text, ids in zip(
                part, tokenizer([prompt + text for text in part], truncation=False, verbose=False)["input_ids"], strict=True
            ):
                if len(ids) > self.max_tokens:
                    cut += 1
                    worst = max(worst, len(ids) / max(1, count_tokens(text)))
        if cut:
            fitting = max(16, int(self.max_tokens / worst * 0.9))
            raise EncoderError(
                f"the encoder {self.name!r} reads {self.max_tokens} tokens and {cut} of {len(texts)} passages have more: "
                f"set RAG_MAX_TOKENS={fitting} RAG_TARGET_TOKENS={max(10, fitting * 2 // 3)} for shorter passages, or use --encoder builtin"
            )

    def _fingerprint(self) -> str:
        """The weights' own digest: names alone do not tell one fine-tuning from the next."""
        digest = hashlib.sha256()
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(key.encode())
            # A few rows of each tensor are enough to tell two trainings apart, and quick on a model of gigabytes.
            digest.update(tensor.detach().flatten()[:4096].cpu().float().numpy().tobytes())
        digest.update(repr(sorted((self._model.prompts or {}).items())).encode())
        return digest.hexdigest()[:12]


def _load(kind: str, name: str, role: str) -> Any:
    """A model of sentence-transformers from this machine: no download, no code of its own, no pickles. Raises EncoderError."""
    other = "use --encoder builtin" if role == "encoder" else "leave it out"
    with _offline():
        try:
            import sentence_transformers
        except ImportError as error:
            raise EncoderError(
                f"the {role} {name!r} needs sentence-transformers; install it with: pip install 'provenote[encoders]', or {other}"
            ) from error
        folder = _local_folder(name, role)
        _refuse_pickles(folder)
        try:
            return getattr(sentence_transformers, kind)(
                str(folder), local_files_only=True, trust_remote_code=False, device=_device(), model_kwargs={"use_safetensors": True}
            )
        except Exception as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise EncoderError(f"the {role} {name!r} in {folder} cannot be loaded ({reason}); try another, or {other}") from error


def _device() -> str | None:
    """RAG_DEVICE ("cpu", "cuda", "cuda:1", "mps"); None leaves the choice to the library, which takes a GPU where there is one."""
    return os.environ.get("RAG_DEVICE") or None


def _local_folder(name: str, role: str = "encoder") -> Path:
    """The folder of this name, or the one in Hugging Face's cache where an earlier download of it lies."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:
        raise EncoderError(
            f"the {role} {name!r} is neither a folder nor in the local cache, and nothing is downloaded; "
            f"fetch it once with: hf download {name}, or name a folder" + (", or use --encoder builtin" if role == "encoder" else "")
        ) from error


def _refuse_pickles(folder: Path) -> None:
    """Opening a pickle runs what it says, so each module of a model must have its weights as safetensors."""
    for weights in sorted(folder.rglob("pytorch_model*.bin")):
        if not any(weights.parent.glob("*.safetensors")):
            raise EncoderError(
                f"{weights} is a pickle, which is never opened; convert the weights to safetensors, or use --encoder builtin"
            )


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Hugging Face's libraries without the network and without their chatter, for as long as a model loads."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    level = logging.getLogger("sentence_transformers").level
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.getLogger("sentence_transformers").setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
