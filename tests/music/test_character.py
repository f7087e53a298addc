from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.music.character import Character, median_of_nine
from sonovec.music.keys import Key
from sonovec.music.part import RATE

from . import chords

SONG = chords.progression(Key(2, "major"))
NAMES = ("dynamic_range", "energy", "brightness", "percussiveness")


def heard(samples, *cuts):
    character = Character()
    for block in np.split(np.asarray(samples, np.float32), sorted(cuts)):
        character.push(block)
    return character.finish()


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, len(SONG)), max_size=6))
def test_blocks_of_any_size_give_the_same(cuts):
    assert heard(SONG, *cuts) == heard(SONG)


@settings(max_examples=6, deadline=None)
@given(st.floats(0.01, 1))
def test_level_does_not_matter(level):
    changed = heard(SONG * np.float32(level))
    assert all(changed[name] == pytest.approx(value, abs=0.02) for name, value in heard(SONG).items())


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=9, max_size=9))
def test_median_of_nine(values):
    assert median_of_nine([np.float32([each]) for each in values])[0] == np.median(np.float32(values))


def test_drums_are_percussive_and_chords_are_not():
    drums, organ = heard(chords.hits(15)), heard(chords.progression(Key(0, "minor"), "organ"))
    assert drums["percussiveness"] > 0.5 > 0.3 > organ["percussiveness"]
    both = heard(chords.hits(15) + SONG[: 15 * RATE])
    assert heard(SONG)["percussiveness"] < both["percussiveness"] < drums["percussiveness"]
    assert heard(SONG)["energy"] < both["energy"]


def test_brightness_follows_the_spectrum():
    at = np.arange(5 * RATE) / RATE
    dark, bright = (heard(0.1 * np.sin(2 * np.pi * hertz * at))["brightness"] for hertz in (200, 3900))
    assert dark < 0.1 and bright > 0.9
    middle = heard(0.1 * np.sin(2 * np.pi * 1000 * at))["brightness"]
    assert middle == pytest.approx(0.5, abs=0.03)


def test_dynamic_range_by_its_formula():
    rng = np.random.default_rng(3)
    square = 0.25 * np.sign(rng.standard_normal(30 * RATE))
    assert heard(square)["dynamic_range"] == pytest.approx(0, abs=0.01)
    spikes = square.copy()
    spikes[:: 3 * RATE] = 1.0
    assert heard(spikes)["dynamic_range"] == pytest.approx(12.04, abs=0.05)


@pytest.mark.parametrize("samples", [np.zeros(5 * RATE), SONG[: RATE // 2], np.empty(0)])
def test_silence_and_half_a_second_have_none(samples):
    assert heard(samples) == dict.fromkeys(NAMES)


@pytest.mark.parametrize("seconds", [1.5, 4.0, 12.0])
def test_values_lie_in_their_ranges(seconds):
    found = heard(0.3 * np.random.default_rng(0).standard_normal(int(seconds * RATE)))
    assert all(0 <= found[name] <= 1 for name in NAMES[1:])
    assert (found["dynamic_range"] is None) == (seconds < 3)
