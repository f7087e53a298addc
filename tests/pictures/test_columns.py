"""A stream in a bounded number of columns, however it is cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonovec.pictures.columns import Columns


@given(st.lists(st.integers(0, 70), max_size=12), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_columns_are_the_extremes_of_their_stretch_however_the_stream_is_cut(sizes, most, seed):
    values = np.random.default_rng(seed).standard_normal((sum(sizes), 3)).astype(np.float32)
    columns = Columns(most, lambda rows: rows.max(axis=1))
    for block in np.split(values, np.cumsum(sizes)[:-1]):
        columns.add(block)
    found, step = columns.rows, columns.step
    assert len(found) == -(-len(values) // step) <= most
    expected = [values[first : first + step].max(axis=0) for first in range(0, len(values), step)]
    assert np.array_equal(found, np.reshape(expected, found.shape)) if len(values) else not found.size
    # No coarser than it must be.
    assert step == 1 or len(values) > most * (step // 2)
