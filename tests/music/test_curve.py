"""The curve of the tempo: it tells changes, and nothing of what stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.music.curve import local_tempo, tempo_curve


@settings(max_examples=15)
@given(st.floats(40, 220), st.integers(0, 60), st.integers(0, 2**16))
def test_a_steady_tempo_has_none(bpm, count, seed):
    jitter = np.random.default_rng(seed).uniform(-0.004, 0.004, count)
    assert tempo_curve(np.arange(count) * 60 / bpm + jitter) == []


@settings(max_examples=15)
@given(st.floats(50, 120), st.floats(1.1, 1.7))
def test_a_change_is_told_where_it_is(bpm, factor):
    slow = np.arange(24) * 60 / bpm
    fast = slow[-1] + np.arange(1, 40) * 60 / (bpm * factor)
    curve = tempo_curve(np.concatenate([slow, fast]))
    assert curve[0] == (0.0, pytest.approx(bpm, rel=0.01)) and curve[-1][1] == pytest.approx(bpm * factor, rel=0.02)
    assert all(abs(second - slow[-1]) < 6 * 60 / bpm for second, _ in curve[1:])


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_beats(count):
    beats = np.arange(count) * 0.5
    assert tempo_curve(beats) == [] and len(local_tempo(beats)) == max(0, count - 1)
