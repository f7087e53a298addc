from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonovec.learn.overlap import overlap

#: In steps that floats hold exactly, so that halves are halves.
TIMES = st.integers(0, 400).map(lambda steps: steps / 8)
LENGTHS = st.integers(0, 100).map(lambda steps: steps / 8)


@given(TIMES, st.integers(1, 40), st.integers(1, 40), TIMES, LENGTHS)
def test_a_window_hears_a_stretch_by_the_rule(first: float, window: int, hop: int, start: float, length: float) -> None:
    begins = first + np.arange(20) * hop / 8
    times = np.stack([begins, begins + window / 8], axis=1)
    heard, touched = overlap(times, [start], [start + length])
    for (begin, end), is_heard, is_touched in zip(times, heard[:, 0], touched[:, 0], strict=True):
        shared = max(0.0, min(end, start + length) - max(begin, start))
        holds_moment = length == 0 and begin <= start < end
        assert is_touched == (shared > 0 or holds_moment)
        covers_half = shared >= (end - begin) / 2
        holds_half = length < end - begin and shared >= length / 2
        assert is_heard == (is_touched and (covers_half or holds_half))


@given(st.integers(1, 40), st.integers(0, 300), st.integers(0, 100))
def test_windows_without_gaps_hear_every_stretch_in_them(window: int, start: int, length: int) -> None:
    begins = np.arange(0, 500, window) / 8
    times = np.stack([begins, begins + window / 8], axis=1)
    heard, touched = overlap(times, [start / 8], [(start + length) / 8])
    assert heard.any() and not (heard & ~touched).any()


def test_a_whole_recording_is_heard_by_all_windows() -> None:
    heard, _ = overlap([[0, 2], [2, 4], [4, 4.1]], [0], [np.inf])
    assert heard.all()
