"""Beats of songs whose tempo is given."""

from __future__ import annotations

import numpy as np
import pytest

from sonovec.music.beats import beats

from . import played
from .played import hear


def hits(found, truth):
    return np.mean([np.abs(found - beat).min() < 0.07 for beat in truth])


@pytest.mark.parametrize("bpm", [70.0, 104.0, 150.0])
@pytest.mark.parametrize("play", [played.drums, played.chords])
def test_beats(bpm, play):
    truth = played.beats_at(bpm, 20)
    found = beats(hear(play(truth)), np.array([[0.0, bpm]]))
    assert hits(found, truth) > 0.95 and len(found) <= len(truth) + 2 and np.all(np.diff(found) > 0)


def test_beats_follow_a_tempo_that_moves():
    periods = 60 / np.linspace(90, 120, 60)
    truth = 0.3 + np.concatenate([[0], np.cumsum(periods)])
    path = np.stack([truth[:-1], 60 / periods], axis=1)
    assert hits(beats(hear(played.drums(truth)), path), truth) > 0.9


def test_no_beats_in_silence():
    assert len(beats(hear(np.zeros(44100, np.float32)), np.array([[0.0, 100.0]]))) == 0
    assert len(beats(hear(np.zeros(0, np.float32)), np.array([[0.0, 100.0]]))) == 0
