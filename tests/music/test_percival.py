"""The published method on what it must find."""

from __future__ import annotations

import numpy as np
import pytest

from sonovec.music import percival

RATE = 172.27


def pulses(bpm, seconds=20.0):
    at = np.arange(int(seconds * RATE)) / RATE
    phase = at * bpm / 60 % 1
    return np.exp(-0.5 * (np.minimum(phase, 1 - phase) * 60 / bpm / 0.02) ** 2)


@pytest.mark.parametrize("bpm", [61.0, 83.0, 117.0, 145.0, 199.0])
def test_pulses(bpm):
    found = percival.tempo(pulses(bpm), RATE)
    assert min(abs(found / (bpm * octave) - 1) for octave in (0.5, 1, 2)) < 0.02


@pytest.mark.parametrize("curve", [np.zeros(5000), np.zeros(0), pulses(100, 1.0)])
def test_nothing_to_find(curve):
    assert percival.tempo(curve, RATE) is None


def test_a_vote_for_each_window():
    said = percival.votes(pulses(100), RATE)
    assert said.argmax() == pytest.approx(0.6 * RATE, abs=2) and said.min() >= 0
