from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.music.chroma import Chroma, Tuning
from sonovec.music.keys import Key
from sonovec.music.part import RATE

from . import chords

SONG = chords.progression(Key(0, "major"))


def heard(samples, *cuts):
    chroma = Chroma()
    for block in np.split(samples, sorted(cuts)):
        chroma.push(block)
    chroma.finish()
    return chroma


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(0, len(SONG)), max_size=6))
def test_blocks_of_any_size_give_the_same(cuts):
    whole, parts = heard(SONG), heard(SONG, *cuts)
    np.testing.assert_array_equal(whole.classes, parts.classes)
    assert whole.tuning.hertz == parts.tuning.hertz and whole.sounding == parts.sounding


@pytest.mark.parametrize("a4", [428.0, 432.0, 440.0, 446.0])
def test_tuning_is_heard_and_does_not_change_the_chroma(a4):
    tuned, here = heard(SONG), heard(chords.progression(Key(0, "major"), a4=a4))
    assert here.tuning.hertz == pytest.approx(a4, abs=0.5)
    assert np.corrcoef(tuned.classes, here.classes)[0, 1] > 0.99


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 11), st.sampled_from(sorted(chords.TIMBRES)))
def test_transposing_rotates(up, timbre):
    low = heard(chords.progression(Key(0, "minor"), timbre, rounds=1))
    high = heard(chords.progression(Key(up, "minor"), timbre, rounds=1))
    assert np.corrcoef(np.roll(low.classes, up), high.classes)[0, 1] > 0.95


def test_level_does_not_matter():
    quiet = heard(SONG * np.float32(0.01))
    assert np.corrcoef(heard(SONG).classes, quiet.classes)[0, 1] > 0.999


def test_noise_has_no_tuning():
    noise = np.random.default_rng(0).standard_normal(10 * RATE).astype(np.float32)
    assert heard(noise).tuning.clarity < 0.1 < 0.6 < heard(SONG).tuning.clarity


def test_silence_and_nothing():
    assert heard(np.zeros(5 * RATE, np.float32)).sounding == 0
    assert not heard(np.empty(0, np.float32)).classes.any()
    assert Tuning().clarity == 0 and Tuning().hertz == 440.0


def test_samples_are_not_kept():
    chroma = Chroma()
    for _ in range(30):
        chroma.push(SONG[: 10 * RATE])
    assert len(chroma._finder._rest) < 20 * RATE
