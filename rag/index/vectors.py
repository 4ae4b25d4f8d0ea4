"""Cosine search by FAISS: a flat inner product over unit vectors, exact, in memory, never changed once built.

What it gives up: approximate search. A flat index answers 180,000 vectors of 256 dimensions in some 20 ms and needs no training.
"""

from __future__ import annotations

import threading

import faiss
import numpy as np

from rag.errors import EncoderError, IndexDamaged
from rag.types import FloatMatrix

_READING = threading.Lock()


class VectorIndex:
    """Unit vectors by position. Any number of threads may search it."""

    def __init__(self, index: faiss.IndexIDMap2):
        self._index = index
        self._flat = faiss.downcast_index(index.index)
        self.positions: np.ndarray = faiss.vector_to_array(index.id_map)
        """int64 (vectors,), ascending: the positions that have a vector."""

    def __len__(self) -> int:
        return self._index.ntotal

    @property
    def dimension(self) -> int:
        return self._index.d

    def search(self, vector: np.ndarray, top_k: int, positions: np.ndarray | None = None) -> list[tuple[int, float]]:
        """(position, cosine) best first, ties by position; `positions` (int64) restricts to these. A vector of zeros finds nothing."""
        query = self._query(vector)
        count = min(top_k, len(self), len(self) if positions is None else len(positions))
        if count < 1 or not query.any():
            return []
        only = None if positions is None else faiss.IDSelectorBatch(np.ascontiguousarray(positions, dtype=np.int64))
        scores, found = self._index.search(query[None], count, params=only and faiss.SearchParameters(sel=only))
        hits = [(int(position), float(score)) for position, score in zip(found[0], scores[0], strict=True) if position >= 0]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))

    def cosines(self, vector: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """float32 (len(positions),): the cosine of each, 0 for one without a vector."""
        vectors = self.vectors(positions)
        return vectors @ self._query(vector)

    def vectors(self, positions: np.ndarray) -> FloatMatrix:
        """float32 (len(positions), dimension): a row of zeros for a position without a vector."""
        positions = np.asarray(positions, dtype=np.int64)
        matrix = np.zeros((len(positions), self.dimension), dtype=np.float32)
        if len(self):
            rows = np.minimum(np.searchsorted(self.positions, positions), len(self) - 1)
            there = self.positions[rows] == positions
            if there.any():
                matrix[there] = self._flat.reconstruct_batch(rows[there])
        return matrix

    def to_bytes(self) -> bytes:
        """The index as FAISS writes it."""
        return faiss.serialize_index(self._index).tobytes()

    def _query(self, vector: np.ndarray) -> np.ndarray:
        query = np.ascontiguousarray(vector, dtype=np.float32)
        if query.shape != (self.dimension,) or not np.isfinite(query).all():
            raise EncoderError(
                f"a question's vector must be {self.dimension} finite numbers, not {query.shape}: index again with this encoder"
            )
        return query


def build_vectors(matrix: FloatMatrix) -> VectorIndex:
    """An index of the rows of a matrix (rows, dimension); rows of zeros are left out, a row's number is its position.

    Raises EncoderError when a row is not finite or has another length than 1.
    """
    matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=1)
    wrong = np.flatnonzero(~((np.abs(lengths - 1) < 1e-3) | (lengths == 0)))
    if len(wrong):
        raise EncoderError(f"vector {wrong[0]} has length {lengths[wrong[0]]}, not 1: the encoder must give unit vectors (or zeros)")
    there = np.flatnonzero(lengths)
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(matrix.shape[1]))
    index.add_with_ids(matrix[there], there.astype(np.int64))
    return VectorIndex(index)


def read_vectors(content: bytes, dimension: int, count: int) -> VectorIndex:
    """The index from the bytes of its file, which must hold `count` vectors of this dimension.

    Raises IndexDamaged. FAISS has no checksum: check the file's sha256 before.
    """
    with _READING:  # the limits are global to the process
        # A forged length asks for terabytes unless it is capped by what the file can hold.
        faiss.set_deserialization_vector_byte_limit(max(len(content), 1))
        faiss.set_deserialization_loop_limit(1 << 20)
        try:
            index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
        except (RuntimeError, MemoryError) as error:
            raise IndexDamaged(f"vectors.faiss cannot be read ({str(error).splitlines()[0][-120:]})") from error
    flat = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexIDMap2) else None
    if not isinstance(flat, faiss.IndexFlat) or flat.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise IndexDamaged("vectors.faiss is not a flat inner product index")
    if (index.d, index.ntotal, flat.ntotal) != (dimension, count, count):
        raise IndexDamaged(f"vectors.faiss holds {index.ntotal} vectors of {index.d} dimensions, not {count} of {dimension}")
    vectors = VectorIndex(index)
    if len(vectors.positions) != count or (np.diff(vectors.positions, prepend=-1) <= 0).any():
        raise IndexDamaged("vectors.faiss has positions out of order")
    return vectors
