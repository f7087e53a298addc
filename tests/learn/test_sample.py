from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonovec.learn.sample import Sample


@given(st.integers(1, 20), st.lists(st.integers(0, 60), max_size=8), st.integers(1, 7))
def test_what_is_drawn_does_not_depend_on_how_rows_come(most: int, sizes: list[int], step: int) -> None:
    total = sum(sizes)
    one, other = Sample(most, [3]), Sample(most, [3])
    ends = np.cumsum(sizes)
    for end, size in zip(ends, sizes, strict=True):
        one.add(np.arange(end - size, end), np.arange(end - size, end) * 2.0)
    for first in range(0, total, step):
        other.add(np.arange(first, min(first + step, total)), np.arange(first, min(first + step, total)) * 2.0)
    if total == 0:
        assert one.columns() == other.columns() == ()
        return
    (numbers, doubled), (again, _) = one.columns(), other.columns()
    assert len(numbers) == min(most, total) and (np.diff(numbers) > 0).all()
    np.testing.assert_array_equal(doubled, numbers * 2.0)
    np.testing.assert_array_equal(numbers, again)


def test_every_row_is_as_probable_as_any_other() -> None:
    drawn = np.zeros(100)
    for seed in range(800):
        sample = Sample(10, [seed])
        for first in range(0, 100, 7):
            sample.add(np.arange(first, min(first + 7, 100)))
        drawn[sample.columns()[0]] += 1
    assert np.abs(drawn / 800 - 0.1).max() < 0.053  # five deviations


def test_memory_is_bounded() -> None:
    sample = Sample(10, [0])
    for _ in range(500):
        sample.add(np.zeros((8, 4)))
        assert sum(len(columns[0]) for _, columns in sample._parts) <= 28
