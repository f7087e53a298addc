from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonovec.embedding.pooling import pool, segment_bounds


@given(n=st.integers(1, 40), seed=st.integers(0, 1000))
def test_a_constant_pools_to_itself(n, seed):
    coverage = np.random.default_rng(seed).uniform(0.01, 1, n).astype(np.float32)
    row = np.array([0.25, -3, 7], np.float32)
    assert pool(np.tile(row, (n, 1)), coverage).tolist() == row.tolist()


def test_a_window_counts_as_much_as_it_covers():
    windows = np.array([[0.0], [1.0]], np.float32)
    assert pool(windows, np.array([1, 0.25], np.float32))[0] == np.float32(0.2)


@given(n=st.integers(1, 500), size=st.integers(1, 60))
def test_every_window_is_in_exactly_one_segment(n, size):
    bounds = segment_bounds(np.arange(n), size)
    assert [i for first, last in bounds for i in range(first, last)] == list(range(n))
    assert all(0 < last - first <= size for first, last in bounds)
