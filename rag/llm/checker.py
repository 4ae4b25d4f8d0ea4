"""A cross-encoder that people name in the settings as the function that tells whether evidence supports a claim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.errors import EncoderError
from rag.types import Support


def open_checker(name: str) -> Support:
    """A cross-encoder for entailment, by sentence-transformers name or folder; what is not entailed counts as not supported.

    Raises EncoderError when it is not on this machine or tells nothing of entailment.
    """
    from rag.index.encoder import _local_folder, _offline, _refuse_pickles

    with _offline():
        folder = _local_folder(name)
        _refuse_pickles(folder)
        try:
            from sentence_transformers import CrossEncoder
        except ImportError as error:
            raise EncoderError(
                f"checker {name!r} needs sentence-transformers; pip install 'provenote[encoders]', or unset checker"
            ) from error
        try:
            model = CrossEncoder(str(folder), local_files_only=True, trust_remote_code=False, model_kwargs={"use_safetensors": True})
        except Exception as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise EncoderError(f"checker {name!r} in {folder} cannot be loaded ({reason}); name another, or unset checker") from error
    labels = {str(label).lower(): place for place, label in (getattr(model.model.config, "id2label", None) or {}).items()}
    place = next((place for label, place in labels.items() if "entail" in label and "not" not in label and "contra" not in label), None)
    if place is None and len(labels) > 1:
        raise EncoderError(f"checker {name!r} has the labels {', '.join(labels)} and none for entailment: name an NLI cross-encoder")

    def support(claim: str, evidence: Sequence[str]) -> tuple[float, float, float]:
        pair = ("\n".join(evidence), claim)
        scores = np.atleast_1d(np.asarray(model.predict([pair], convert_to_numpy=True, show_progress_bar=False)[0], dtype=float))
        if place is None:
            entailed = float(scores[0])
        else:
            odds = np.exp(scores - scores.max())
            entailed = float(odds[place] / odds.sum())
        return entailed, 0.0, 1.0 - entailed

    return support
