"""What is beside the harms that are measured, for which see tests/evaluation/test_perturb.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.augment.waveform import equaliser, even, mixed, room, sped, varied


def noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(length).astype(np.float32) / 10


@settings(max_examples=60)
@given(st.integers(1, 9000), st.sampled_from([8000, 16000, 32000, 44100]), st.integers(0, 1000))
def test_a_sound_that_is_varied_keeps_its_length_and_is_the_same_for_its_seed(length, rate, seed):
    samples = noise(length)
    before = samples.copy()
    found = varied(samples, rate, 1.0, np.random.default_rng(seed))
    assert found.shape == samples.shape and found.dtype == np.float32 and np.isfinite(found).all()
    np.testing.assert_array_equal(found, varied(samples, rate, 1.0, np.random.default_rng(seed)))
    np.testing.assert_array_equal(samples, before)


def test_silence_that_is_varied_stays_silence():
    assert np.abs(varied(np.zeros(8000, np.float32), 16000, 1.0, np.random.default_rng(0))).max() < 1e-6


@pytest.mark.parametrize("level", [0.0, 6.0, 20.0])
def test_the_other_sound_is_as_quiet_as_it_says(level):
    one, other = noise(16000), 7 * noise(16000, 1)
    added = mixed(one, other, level) - one
    assert 10 * np.log10(np.mean(one**2) / np.mean(added**2)) == pytest.approx(level, abs=0.01)
    np.testing.assert_array_equal(mixed(one, np.zeros_like(one), level), one)


def test_an_equaliser_deviates_as_far_as_it_says():
    samples = noise(32000)
    assert np.allclose(equaliser(samples, 32000, 0.0, np.random.default_rng(0)), samples, atol=1e-5)
    power = np.abs(np.fft.rfft(samples)) ** 2
    changes = []
    for seed in range(40):
        changed = np.abs(np.fft.rfft(equaliser(samples, 32000, 4.0, np.random.default_rng(seed)))) ** 2
        changes.append(10 * np.log10(changed[1000] / power[1000]))
    assert 1.5 < np.std(changes) < 5


def test_speed_moves_pitch():
    tone = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000).astype(np.float32)
    fast = sped(tone, 1.5)
    assert len(fast) == pytest.approx(16000 / 1.5, abs=2)
    assert np.abs(np.fft.rfft(fast)).argmax() * 16000 / len(fast) == pytest.approx(750, abs=2)


def test_a_room_begins_with_the_direct_sound_and_dies_away():
    for seed in range(20):
        response = room(np.random.default_rng(seed), 16000)
        assert np.isfinite(response).all() and response[0] > 0.3
        quarter = len(response) // 4
        assert np.square(response[-quarter:]).sum() < np.square(response[1:quarter]).sum()


@given(st.floats(1e-3, 10))
def test_an_even_level_is_that_of_full_speech(gain):
    samples = gain * noise(16000)
    found = even(samples)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(0.1, rel=1e-3) or np.abs(found).max() == pytest.approx(
        0.9, rel=1e-3
    )
