"""Downbeats of songs whose beats are given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.music.downbeats import FEATURES, FOUR, at_moments, begins, downbeats
from sonovec.music.onsets import CURVE_RATE, CURVES, OnsetCurve

from . import played
from .played import hear


@pytest.mark.parametrize("bar", [3, 4, 5])
def test_bars(bar):
    truth = played.beats_at(110, 25)
    times, found = downbeats(hear(played.chords(truth, bar)), truth)
    assert found == bar and np.array_equal(times, truth[::bar])


@pytest.mark.parametrize("bpm", [84.0, 104.0, 132.0])
@pytest.mark.parametrize("missing", [0, 1, 2, 3])
def test_no_bar_of_drums_begins_on_the_snare(bpm, missing):
    truth = played.beats_at(bpm, 25)
    times, found = downbeats(hear(played.drums(truth)), truth[missing:])
    places = {int(np.abs(truth - time).argmin()) % 2 for time in times}
    assert found == 4 and places == {0}


def test_too_few_beats_make_no_bar():
    assert downbeats(hear(played.drums(played.beats_at(110, 4))), np.array([0.3, 0.8])) == (pytest.approx([]), None)


@settings(deadline=None, max_examples=30)
@given(st.integers(8, 40), st.integers(0, 2**32 - 1))
def test_each_begin_is_what_the_next_one_is_a_beat_later(n_beats, seed):
    heard = np.random.default_rng(seed).exponential(size=(4, CURVES, n_beats))
    found = begins(heard).reshape(FOUR, FOUR, -1)
    assert found.shape[0] * found.shape[2] == FEATURES and np.isfinite(found).all()
    assert all(np.array_equal(found[begin], np.roll(found[0], -begin, axis=0)) for begin in range(FOUR))


def test_silence_says_nothing_and_beats_beyond_the_end_are_heard_at_the_end():
    curve = OnsetCurve(np.zeros((CURVES, 200), np.float32), 200 / CURVE_RATE, np.zeros(200, np.float32))
    times = np.arange(0.0, 6.0, 0.5)
    assert not at_moments(curve, times).any()
    found, bar = downbeats(curve, times)
    assert bar in (3, 4, 5) and set(found) <= set(times)
