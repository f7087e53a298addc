from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sonovec.vectors import TINY, cosines, nearest_others, similarity, unit, unit32

ROWS = arrays.arrays(
    np.float64, st.tuples(st.integers(2, 8), st.integers(1, 6)), elements=st.floats(-1e3, 1e3, width=32)
)


@given(ROWS, st.floats(-290, 290))
def test_length_is_1_whatever_it_was(rows, power):
    rows[np.abs(rows) < 1e-3] = 0
    units = unit(rows * 10.0**power, least=0)
    lengths = np.linalg.norm(units, axis=1)
    np.testing.assert_allclose(lengths, rows.any(axis=1), rtol=1e-12)
    np.testing.assert_allclose(units, unit(rows, least=0), atol=1e-9)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_a_library_takes_for_zero(kind):
    rows = np.array([[TINY / 2, 0], [2 * TINY, 0], [0, 0], [3e38, 3e38]], kind)
    np.testing.assert_allclose(unit(rows), [[0, 0], [1, 0], [0, 0], [0.5**0.5] * 2])


@given(ROWS, st.floats(-20, 30))
def test_float32_keeps_the_direction_whatever_the_length_was(rows, power):
    rows = (rows * 10.0**power).astype(np.float32)
    found = unit32(rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, unit(rows), atol=3e-7)
    np.testing.assert_array_equal(unit32(rows.astype(np.float64)), unit(rows.astype(np.float64)).astype(np.float32))


@given(ROWS)
def test_cosines_are_the_diagonal_of_similarity(rows):
    other = rows[::-1]
    np.testing.assert_allclose(cosines(rows, other), np.diag(similarity(rows, other)), atol=1e-12)
    assert (np.abs(cosines(rows, other)) <= 1 + 1e-12).all()


@given(ROWS)
def test_nearest_is_never_itself(rows):
    found = nearest_others(rows)
    assert (found != np.arange(len(rows))).all()
    for row, at in enumerate(found):
        others = np.delete(similarity(rows, rows)[row], row)
        assert similarity(rows, rows)[row, at] == others.max()


def test_no_rows():
    assert unit(np.empty((0, 3))).shape == (0, 3)
    assert similarity(np.empty((0, 3)), np.ones((2, 3))).shape == (0, 2)
