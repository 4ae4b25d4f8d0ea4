"""Texts to unit vectors: the built-in encoder in numpy, or any sentence-transformers model.

The built-in one is a weighted mean of token vectors. It gives up word order, and needs neither torch nor a network: it reads int8 rows of
`rag/model/`, which sentence-transformers loads as a StaticEmbedding with the same result for texts in search form.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from rag.errors import EncoderError
from rag.textform import search_form
from rag.tokens import encode_form
from rag.types import Encoder, FloatMatrix, Progress

MODEL = Path(__file__).parent / "model"
BUILTIN = "builtin"


def open_encoder(name: str = BUILTIN) -> Encoder:
    """The encoder of this name: "builtin", a folder, or a sentence-transformers name that is in the local cache.

    Raises EncoderError, in one line, when it cannot be had.
    """
    return BuiltinEncoder() if name == BUILTIN else SentenceTransformerEncoder(name)


class BuiltinEncoder:
    """Static token vectors, averaged. Questions and passages are encoded alike."""

    name = BUILTIN
    max_tokens = None

    def __init__(self, folder: Path = MODEL):
        path = folder / "model.safetensors"
        try:
            from safetensors.numpy import load

            raw = path.read_bytes()
            tensors = load(raw)
            tables = (folder / "ranks.tiktoken").read_bytes() + (folder / "simplified.txt").read_bytes()
            self._rows, self._scales = tensors["embeddings"], tensors["weights"]
        except Exception as error:
            raise EncoderError(f"the built-in encoder cannot be read from {path} ({error}); install the package again") from error
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
        # A text of millions of tokens is summed in parts, so that memory stays small.
        total = np.zeros(self.dimension, dtype=np.float32)
        tokens = encode_form(form)
        for begin in range(0, len(tokens), 4096):
            part = tokens[begin : begin + 4096]
            total += self._scales[part] @ self._rows[part].astype(np.float32)
        length = float(np.linalg.norm(total))
        return total / length if length > 0 else total

    def token_vectors(self, text: str) -> tuple[FloatMatrix, np.ndarray]:
        """What each token of a text says on its own, for token-level similarity, in reading order.

        Returns unit vectors float32 (n, dimension) and weights float32 (n,), the lengths that the tokens have in the mean: rare words weigh
        more. Tokens without a letter or digit are left out.
        """
        tokens = encode_form(search_form(text))
        vectors = self._rows[tokens].astype(np.float32) * self._scales[tokens][:, None]
        weights = np.linalg.norm(vectors, axis=1)
        spoken = weights > 0
        return vectors[spoken] / weights[spoken][:, None], weights[spoken]


class SentenceTransformerEncoder:
    """Any sentence-transformers model in a folder or in the local cache; its own prompts for questions and documents are honoured.

    Nothing is downloaded, no code that comes with a model is run, and no pickled weights are read.
    """

    def __init__(self, name: str):
        with _offline():
            try:
                from sentence_transformers import SentenceTransformer
            except ImportError as error:
                raise EncoderError(
                    f"the encoder {name!r} needs sentence-transformers; install it with: pip install 'veracite[encoders]', or use --encoder builtin"
                ) from error
            folder = _local_folder(name)
            _refuse_pickles(folder)
            try:
                self._model = SentenceTransformer(
                    str(folder),
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
            except Exception as error:
                reason = str(error).strip().split("\n")[0][:200]
                raise EncoderError(
                    f"the encoder {name!r} in {folder} cannot be loaded ({reason}); try another, or use --encoder builtin"
                ) from error
        self.name = name
        self.dimension = int(self._model.get_embedding_dimension())
        longest = self._model.max_seq_length
        self.max_tokens = int(longest) if longest and longest < 1_000_000 else None
        self.revision = self._fingerprint()

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> FloatMatrix:
        """float32 (len(texts), dimension), rows of length 1, or of zeros for a text without a word."""
        encode = self._model.encode_query if query else self._model.encode_document
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        spoken = [i for i, text in enumerate(texts) if any(map(str.isalnum, search_form(text)))]
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

    def _fingerprint(self) -> str:
        """The weights' own digest: names alone do not tell one fine-tuning from the next."""
        digest = hashlib.sha256()
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(key.encode())
            # A few rows of each tensor are enough to tell two trainings apart, and quick on a model of gigabytes.
            digest.update(tensor.detach().flatten()[:4096].cpu().float().numpy().tobytes())
        digest.update(repr(sorted((self._model.prompts or {}).items())).encode())
        return digest.hexdigest()[:12]


def _local_folder(name: str) -> Path:
    """The folder of this name, or the one in Hugging Face's cache where an earlier download of it lies."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:
        raise EncoderError(
            f"the encoder {name!r} is neither a folder nor in the local cache, and nothing is downloaded; "
            f"fetch it once with: hf download {name}, or name a folder, or use --encoder builtin"
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
