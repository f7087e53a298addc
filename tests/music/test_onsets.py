"""Onset strength: it rises where something begins, and neither blocks nor levels change it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.music.onsets import CURVE_RATE, CURVES, HOP, Onsets, low_pass
from sonovec.music.part import RATE
from sonovec.music.periodicity import onset_density, onset_places

from . import played

SONG = played.drums(played.beats_at(110, 4))


def hear(samples, sizes=()):
    onsets = Onsets()
    first = 0
    for size in sizes:
        onsets.push(samples[first : first + size])
        first += size
    onsets.push(samples[first:])
    return onsets.finish()


@settings(max_examples=8)
@given(st.lists(st.integers(0, 40_000), max_size=12))
def test_blocks_of_any_size_give_the_same_bits(sizes):
    whole, parts = hear(SONG), hear(SONG, sizes)
    assert whole.curves.tobytes() == parts.curves.tobytes() and whole.powers.tobytes() == parts.powers.tobytes()
    assert whole.seconds == parts.seconds == len(SONG) / RATE


@settings(max_examples=10)
@given(st.integers(0, 3000))
def test_a_value_for_each_hop(count):
    curve = hear(np.zeros(count, np.float32))
    assert curve.curves.shape == (CURVES, -(-count // HOP)) and not curve.whole.any()


def test_onsets_are_where_hits_are():
    beats = played.beats_at(110, 4)
    found = onset_places(hear(SONG)) / CURVE_RATE
    assert all(np.abs(found - beat).min() < 0.03 for beat in beats)
    assert onset_density(hear(SONG)) == pytest.approx(2 * 110 / 60, rel=0.2)


@pytest.mark.parametrize("gain", [0.01, 0.1, 1.9])
def test_level_changes_little(gain):
    loud, quiet = hear(SONG).whole, hear(SONG * np.float32(gain)).whole
    assert np.corrcoef(loud, quiet)[0, 1] > 0.99


def test_memory_is_that_of_the_curves():
    onsets = Onsets()
    for _ in range(50):
        onsets.push(np.zeros(RATE, np.float32))
    assert sum(len(block) for block in onsets._waiting) < RATE


def test_low_pass_keeps_what_is_slow():
    at = np.arange(2000) / CURVE_RATE
    slow, fast = (np.sin(2 * np.pi * hertz * at)[None].astype(np.float32) for hertz in (2.0, 40.0))
    middle = slice(100, -100)
    assert np.abs(low_pass(slow)[0, middle] - slow[0, middle]).max() < 0.05
    assert np.abs(low_pass(fast)[0, middle]).max() < 0.02
