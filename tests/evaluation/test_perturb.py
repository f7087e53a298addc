from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.evaluation.perturb import PERTURBATIONS

RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000]


def sound(rate: int, seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    """Noise that is louder below than above, as most sounds are."""
    white = np.random.default_rng(seed).standard_normal(round(rate * seconds))
    smooth = np.convolve(white, np.exp(-np.arange(12) / 3), "same")
    return (smooth / np.abs(smooth).max() / 2).astype(np.float32)


def perturbed(name: str, samples: np.ndarray, rate: int, level: float, seed: int = 1) -> np.ndarray:
    return PERTURBATIONS[name].apply(samples, rate, level, np.random.default_rng(seed))


def band(samples: np.ndarray, rate: int, low: float, high: float) -> float:
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float(power[(hertz >= low) & (hertz < high)].sum())


@pytest.mark.parametrize("name", PERTURBATIONS)
@settings(max_examples=12)
@given(rate=st.sampled_from(RATES), seconds=st.floats(0.02, 1.5))
def test_same_length_finite_and_the_same_for_its_seed(name: str, rate: int, seconds: float) -> None:
    samples = sound(rate, seconds)
    before = samples.copy()
    for level in PERTURBATIONS[name].levels:
        heard = perturbed(name, samples, rate, level)
        assert heard.dtype == np.float32
        assert np.isfinite(heard).all()
        np.testing.assert_array_equal(heard, perturbed(name, samples, rate, level))
        np.testing.assert_array_equal(samples, before)
        if name == "start":
            assert len(heard) == len(samples) - min(round(level * rate), len(samples) // 2)
        else:
            assert len(heard) == len(samples)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_silence_stays_silence(name: str) -> None:
    for level in PERTURBATIONS[name].levels:
        assert np.abs(perturbed(name, np.zeros(20_000, np.float32), 16000, level)).max() < 1e-4


@given(level=st.sampled_from(PERTURBATIONS["noise"].levels), rate=st.sampled_from(RATES), seed=st.integers(0, 99))
def test_noise_is_as_far_below_the_sound_as_it_says(level: float, rate: int, seed: int) -> None:
    samples = sound(rate, 0.5, seed)
    added = perturbed("noise", samples, rate, level, seed) - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(added**2)) == pytest.approx(level, abs=0.1)


@given(level=st.sampled_from([-6.0, -20.0, -40.0]))
def test_gain_is_exact(level: float) -> None:
    samples = sound(16000)
    np.testing.assert_allclose(perturbed("gain", samples, 16000, level), samples * 10 ** (level / 20), rtol=1e-6)


def test_gain_upwards_is_cut_off_at_full_scale() -> None:
    loud = np.array([0.9, -0.9, 0.1], np.float32)
    np.testing.assert_allclose(perturbed("gain", loud, 16000, 6.0), [1, -1, 0.1 * 10**0.3], rtol=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_a_telephone_leaves_its_band_alone(rate: int) -> None:
    white = np.random.default_rng(0).standard_normal(rate * 2).astype(np.float32) / 10
    heard = perturbed("telephone", white, rate, 8000.0)
    assert band(heard, rate, 500, 3000) == pytest.approx(band(white, rate, 500, 3000), rel=0.1)
    assert band(heard, rate, 0, 150) < 0.01 * band(white, rate, 0, 150)
    if rate > 8000:
        assert band(heard, rate, 4200, rate / 2) < 1e-3 * band(white, rate, 4200, rate / 2)


@pytest.mark.parametrize("rate", [*RATES, 96000])
def test_mp3_keeps_its_place(rate: int) -> None:
    """No encoder's delay: the best alignment with the original is none."""
    samples = sound(rate, 2)
    heard = perturbed("mp3", samples, rate, 32.0)
    size = 2 * len(samples)
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(samples, size)))
    assert int(np.argmax(match)) == 0
    assert 0.5 < np.corrcoef(samples, heard)[0, 1] < 0.9999


@pytest.mark.parametrize("level", PERTURBATIONS["reverberation"].levels)
def test_a_room_keeps_the_level_and_goes_on_after_the_sound(level: float) -> None:
    samples = np.zeros(32000, np.float32)
    samples[1000:2000] = sound(16000)[:1000]
    heard = perturbed("reverberation", samples, 16000, level)
    assert np.mean(heard**2) == pytest.approx(np.mean(samples**2), rel=1e-3)
    assert np.abs(heard[:999]).max() < 1e-4, "nothing is heard before it sounds"
    # 60 dB less after `level` seconds.
    early, late = (np.mean(heard[at : at + 800] ** 2) for at in (2000, 2000 + int(0.5 * level * 16000)))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=6)
