from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.music.edges import Edges
from sonovec.music.part import RATE

NOISE = 0.1 * np.random.default_rng(0).standard_normal(30 * RATE).astype(np.float32)


def heard(samples, *cuts):
    edges = Edges()
    for block in np.split(np.asarray(samples, np.float32), sorted(cuts)):
        edges.push(block)
    return edges.finish()


def gain(decibels):
    return NOISE * 10 ** (np.asarray(decibels) / 20)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 5000), st.integers(0, 5000))
def test_silence_before_and_behind(before, behind):
    before, behind = before * RATE // 1000, behind * RATE // 1000
    found = heard(np.concatenate([np.zeros(before), NOISE[: 4 * RATE], np.zeros(behind)]))
    assert found["sound_start"] == pytest.approx(before / RATE, abs=0.012)
    assert found["sound_end"] == pytest.approx(before / RATE + 4, abs=0.012)
    assert found["fade_in"] == found["fade_out"] == 0


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, len(NOISE)), max_size=8), st.floats(0.5, 5))
def test_blocks_and_level_do_not_matter(cuts, level):
    faded = gain(np.minimum(0, np.linspace(-60, 240, len(NOISE))))
    assert heard(faded, *cuts) == heard(faded)
    louder = heard(faded * np.float32(level))
    assert all(louder[name] == pytest.approx(value, abs=0.9) for name, value in heard(faded).items())


@pytest.mark.parametrize("seconds", [3, 8])
def test_fades(seconds):
    at = np.arange(len(NOISE)) / RATE
    linear = np.minimum(1, at / seconds)
    found = heard(NOISE * linear)
    assert 0.5 * seconds < found["fade_in"] <= seconds and found["fade_out"] == 0
    found = heard(NOISE * linear[::-1])
    assert 0.5 * seconds < found["fade_out"] <= seconds and found["fade_in"] == 0


def test_a_soft_beginning_is_no_fade():
    soft = np.where(np.arange(len(NOISE)) < 10 * RATE, -25.0, 0.0)
    assert heard(gain(soft))["fade_in"] == 0


def test_hiss_before_the_music_is_not_its_beginning():
    hiss = np.where(np.arange(len(NOISE)) < 5 * RATE, -60.0, 0.0)
    assert heard(gain(hiss))["sound_start"] == pytest.approx(5, abs=0.012)


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.empty(0)])
def test_silence_has_no_edges(samples):
    assert heard(samples) == dict.fromkeys(("sound_start", "sound_end", "fade_in", "fade_out"))


def test_the_end_lies_within_the_piece():
    found = heard(NOISE[: RATE + 7])
    assert found["sound_start"] == 0 and found["sound_end"] == pytest.approx((RATE + 7) / RATE, abs=0.001)
