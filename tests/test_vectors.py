"""FAISS against the plain matrix product, and files that lie."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import EncoderError, IndexDamaged
from rag.index.vectors import build_vectors, read_vectors


def unit_rows(rows: int, dimension: int = 16, seed: int = 0, zeros: tuple[int, ...] = ()) -> np.ndarray:
    matrix = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix[list(zeros)] = 0
    return matrix


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 1000), st.integers(1, 70), st.data())
def test_search_is_the_matrix_product(rows, seed, top_k, data):
    zeros = tuple(data.draw(st.sets(st.integers(0, rows - 1), max_size=3)))
    allowed = data.draw(st.none() | st.sets(st.integers(0, rows - 1)))
    matrix, query = unit_rows(rows, seed=seed, zeros=zeros), unit_rows(1, seed=seed + 1)[0]
    positions = None if allowed is None else np.array(sorted(allowed), dtype=np.int64)
    found = build_vectors(matrix).search(query, top_k, positions)
    candidates = [row for row in range(rows) if row not in zeros and (allowed is None or row in allowed)]
    expected = sorted(((row, float(matrix[row] @ query)) for row in candidates), key=lambda hit: (-hit[1], hit[0]))[:top_k]
    assert [row for row, _ in found] == [row for row, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-5)


@pytest.mark.parametrize("top_k", [1, 5, 99, 100, 150])
def test_ties_go_by_position_even_at_the_cut(top_k):
    matrix = unit_rows(300)
    matrix[40:240] = matrix[40]
    assert [row for row, _ in build_vectors(matrix).search(matrix[40], top_k)] == list(range(40, 40 + top_k))


def test_cosines_and_vectors_of_rows_without_one_are_zero():
    matrix, query = unit_rows(8, zeros=(0, 3)), unit_rows(1, seed=5)[0]
    index = build_vectors(matrix)
    wanted = np.array([7, 3, 0, 1, 7])
    assert len(index) == 6 and index.positions.tolist() == [1, 2, 4, 5, 6, 7]
    assert np.array_equal(index.vectors(wanted), matrix[wanted])
    assert index.cosines(query, wanted) == pytest.approx(matrix[wanted] @ query, abs=1e-6)
    assert index.cosines(query, np.array([], dtype=np.int64)).shape == (0,)


def test_a_question_without_a_word_finds_nothing():
    index = build_vectors(unit_rows(4))
    assert index.search(np.zeros(16, dtype=np.float32), 3) == []
    assert index.search(unit_rows(1)[0], 3, np.array([], dtype=np.int64)) == []
    assert index.search(unit_rows(1)[0], 0) == []


@pytest.mark.parametrize("query", [np.ones(15), np.full(16, np.nan), np.ones((1, 16))])
def test_a_vector_that_does_not_fit_is_refused(query):
    with pytest.raises(EncoderError, match="16 finite numbers"):
        build_vectors(unit_rows(4)).search(query, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0, 1e-3])
def test_rows_that_are_not_of_length_one_are_refused(value):
    matrix = unit_rows(4)
    matrix[2] *= value
    with pytest.raises(EncoderError, match="vector 2 "):
        build_vectors(matrix)


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_written_and_read_is_the_same(rows):
    matrix = unit_rows(rows) if rows else np.zeros((0, 16), dtype=np.float32)
    index = read_vectors(build_vectors(matrix).to_bytes(), 16, rows)
    assert np.array_equal(index.vectors(np.arange(rows)), matrix)
    assert len(index.search(unit_rows(1, seed=3)[0], 9)) == rows


def test_what_does_not_fit_the_manifest_is_refused():
    content = build_vectors(unit_rows(7)).to_bytes()
    for dimension, count in ((15, 7), (16, 6), (16, 8)):
        with pytest.raises(IndexDamaged, match="not"):
            read_vectors(content, dimension, count)


def test_truncated_and_foreign_bytes_are_refused():
    import faiss

    content = build_vectors(unit_rows(7)).to_bytes()
    for bad in (b"", b"IxM2", content[:-1], content[: len(content) // 2], b"not an index at all" * 9):
        with pytest.raises(IndexDamaged):
            read_vectors(bad, 16, 7)
    other = faiss.IndexFlatL2(16)
    other.add(unit_rows(7))
    with pytest.raises(IndexDamaged, match="not a flat inner product"):
        read_vectors(faiss.serialize_index(other).tobytes(), 16, 7)


def test_a_forged_length_is_refused_before_it_allocates():
    content = build_vectors(unit_rows(7)).to_bytes()
    lengths = [place for place in range(len(content) - 8) if struct.unpack_from("<Q", content, place)[0] in (7, 7 * 16, 7 * 16 * 4)]
    assert len(lengths) >= 3
    for place in lengths:
        with pytest.raises(IndexDamaged):
            read_vectors(content[:place] + struct.pack("<Q", 1 << 34) + content[place + 8 :], 16, 7)
