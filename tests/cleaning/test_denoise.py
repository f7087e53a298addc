"""Steady noise goes, what stands out of it stays, and the result does not depend on how the sound came."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sonovec
from sonovec.cleaning.denoise import BLOCK, Denoiser
from sonovec.errors import MissingExtraError

RATE = 8000


def denoised(samples: NDArray[np.float32], rate: int = RATE, size: int = 10**9) -> NDArray[np.float32]:
    blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
    return np.concatenate([np.empty(0, np.float32), *Denoiser(rate).blocks(blocks)])


def scene(seconds: float, rate: int = RATE, snr: float = 10.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Short tones with pauses, without noise and in white noise."""
    time = np.arange(round(seconds * rate)) / rate
    tones = np.where(time % 1 < 0.5, np.sin(2 * np.pi * (300 + 200 * (time // 1 % 5)) * time), 0) / 4
    hiss = np.random.default_rng(0).standard_normal(len(time)) * np.sqrt(np.mean(tones**2) / 10 ** (snr / 10))
    return tones.astype(np.float32), (tones + hiss).astype(np.float32)


@settings(max_examples=10)
@given(st.floats(0.001, 9), st.integers(100, 40_000))
def test_the_result_does_not_depend_on_the_blocks(seconds: float, size: int) -> None:
    _, samples = scene(seconds)
    whole = denoised(samples)
    np.testing.assert_array_equal(denoised(samples, size=size), whole)
    assert whole.shape == samples.shape and whole.dtype == np.float32 and np.isfinite(whole).all()


def test_what_comes_later_than_the_next_block_changes_nothing() -> None:
    _, samples = scene(12)
    first = round(2 * BLOCK * RATE)
    np.testing.assert_array_equal(denoised(samples)[:first], denoised(samples[: first + round(BLOCK * RATE)])[:first])


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_noise_goes_and_tones_stay_in_their_places(rate: int) -> None:
    clean, samples = scene(8, rate, snr=5)
    gained = denoised(samples, rate)
    assert np.corrcoef(gained, clean)[0, 1] > 0.9 > np.corrcoef(samples, clean)[0, 1]
    pauses = np.arange(len(clean)) / rate % 1 > 0.6
    assert np.std(gained[pauses]) < np.std(samples[pauses]) / 3


@pytest.mark.parametrize(
    ("samples", "note"),
    [
        (np.zeros(3 * RATE, np.float32), "not denoised: without 0.5 s of sound at a stretch"),
        (np.full(100, 0.5, np.float32), "not denoised: shorter than 0.5 s"),
        (np.full(1, 0.5, np.float32), "not denoised: shorter than 0.5 s"),
    ],
)
def test_where_there_is_nothing_to_do_the_sound_stays_and_it_is_said(samples: NDArray[np.float32], note: str) -> None:
    denoiser = Denoiser(RATE)
    np.testing.assert_array_equal(np.concatenate(list(denoiser.blocks([samples]))), samples)
    assert denoiser.notes == [note]


def test_digital_silence_is_not_taken_for_the_noise() -> None:
    _, samples = scene(8)
    padded = np.concatenate([np.zeros(5 * RATE, np.float32), samples])
    gained = denoised(padded)[5 * RATE :]
    pauses = np.arange(len(samples)) / RATE % 1 > 0.6
    assert np.std(gained[pauses][RATE:]) < np.std(samples[pauses][RATE:]) / 3


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "sonovec.cleaning.denoise.find_spec", lambda name: None if name == "noisereduce" else found(name)
    )
    with pytest.raises(MissingExtraError, match=r"pip install 'sonovec\[denoise\]'"):
        sonovec.load("logmel", denoise=True)
