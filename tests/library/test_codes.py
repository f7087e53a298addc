"""Codes keep the direction of vectors in fewer bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonovec.errors import UsageError
from sonovec.library.codes import Codes, bytes_of, code_length, nearest, pieces_of, stored_as
from sonovec.vectors import cosines

VECTORS = arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 40)), elements=st.floats(-8, 8, width=16))


@settings(max_examples=50, deadline=None)
@given(VECTORS, st.sampled_from(["float16", "int8"]))
def test_numbers_keep_the_direction(vectors, dtype):
    codes = Codes(dtype, vectors.shape[1])
    stored = codes.encode(vectors)
    assert stored.dtype == stored_as(dtype) and stored.nbytes == len(vectors) * bytes_of(dtype, vectors.shape[1])
    found = codes.decode(stored)
    is_some = np.abs(vectors).max(axis=1) > 1e-3
    # The largest error of a number is half a step of 127, so that of a vector is at most that times the root of its length.
    assert (cosines(vectors, found)[is_some] > 1 - vectors.shape[1] / 254**2 * 4).all()
    assert not found[~vectors.any(axis=1)].any()


@settings(max_examples=50, deadline=None)
@given(VECTORS)
def test_signs_are_kept_bit_for_bit(vectors):
    codes = Codes("binary", vectors.shape[1])
    stored = codes.encode(vectors)
    assert stored.shape == (len(vectors), code_length("binary", vectors.shape[1]))
    zero = ~vectors.any(axis=1)
    found = codes.decode(stored, zero)
    assert ((found > 0) == (vectors > 0))[~zero].all() and not found[zero].any()


def test_pieces_are_the_nearest_of_their_books():
    books = np.random.default_rng(0).standard_normal((4, 256, 2)).astype(np.float32)
    codes = Codes("pq-4", 8, books)
    vectors = np.random.default_rng(1).standard_normal((50, 8)).astype(np.float32)
    found = codes.decode(codes.encode(vectors))
    for piece in range(4):
        mine = vectors[:, 2 * piece : 2 * piece + 2]
        distances = ((mine[:, None] - books[piece][None]) ** 2).sum(axis=2).min(axis=1)
        np.testing.assert_allclose(
            ((found[:, 2 * piece : 2 * piece + 2] - mine) ** 2).sum(axis=1), distances, atol=1e-5
        )
    assert codes.encode(vectors).shape == (50, 4)


def test_of_equally_near_centres_the_first_is_taken():
    assert nearest(np.zeros((1, 2), np.float32), np.array([[1, 0], [0, 1]], np.float32)).tolist() == [0]


@pytest.mark.parametrize("wrong", ["pq-", "pq-0", "pq-x", "pq"])
def test_a_number_of_pieces_that_is_none(wrong):
    with pytest.raises(UsageError, match="pq-16"):
        pieces_of(wrong)


def test_an_unknown_number_type():
    with pytest.raises(UsageError, match="int4"):
        stored_as("int4")
