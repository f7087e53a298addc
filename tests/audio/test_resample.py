"""Resampling block by block gives what resampling in one piece gives."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.audio.resample import RESAMPLER, Resampler, resampled_length
from sonovec.errors import UsageError

RATES = [8000, 11025, 16000, 22050, 32000, 44100, 44101, 48000, 96000, 192000]


def resample(sound, rate_in: int, rate_out: int, sizes) -> np.ndarray:
    resampler = Resampler(rate_in, rate_out)
    out, at = [], 0
    for size in sizes:
        out.append(resampler.process(sound[at : at + size]))
        at += size
    return np.concatenate([*out, resampler.process(sound[at:]), resampler.flush()])


@settings(max_examples=150)
@given(
    n=st.integers(0, 20000),
    rates=st.tuples(st.sampled_from(RATES), st.sampled_from(RATES)),
    sizes=st.lists(st.integers(0, 4000), max_size=8),
)
def test_blocks_equal_the_whole_and_the_length_is_the_documented_one(n: int, rates: tuple[int, int], sizes) -> None:
    sound = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    out = resample(sound, *rates, sizes)
    assert out.dtype == np.float32
    assert len(out) == resampled_length(n, *rates)
    whole = soxr.resample(sound, *rates, quality="HQ") if n else sound
    shared = min(len(out), len(whole))
    assert abs(len(whole) - len(out)) <= 1
    np.testing.assert_allclose(out[:shared], whole[:shared], atol=1e-6)


def test_equal_rates_change_nothing() -> None:
    sound = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    np.testing.assert_array_equal(resample(sound, 44100, 44100, [1, 500]), sound)


def test_no_drift_and_no_clicks_in_a_long_tone() -> None:
    time = np.arange(44100 * 20) / 44100
    tone = np.sin(2 * np.pi * 441 * time).astype(np.float32)
    out = resample(tone, 44100, 16000, [4097] * 200)
    expected = np.sin(2 * np.pi * 441 * np.arange(len(out)) / 16000)
    np.testing.assert_allclose(out[1000:-1000], expected[1000:-1000], atol=1e-4)


@pytest.mark.parametrize("rates", [(192000, 8000), (44100, 16000)])
def test_one_sample_stays_one(rates: tuple[int, int]) -> None:
    assert resample(np.array([0.5], np.float32), *rates, []).tolist() == [0.5]


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((0, 16000), "rate_in=0"),
        ((16000, 44100.5), "rate_out=44100.5"),
        ((413756438838859, 16000), "rate_in=413756438838859"),
    ],
)
def test_impossible_rates(rates, words: str) -> None:
    with pytest.raises(
        UsageError, match=f"{words} must be a positive whole number of Hz, at most 4294967295; for example"
    ):
        Resampler(*rates)


def test_the_name_is_fixed() -> None:
    # Stored vectors carry it: change it only together with the samples.
    assert RESAMPLER == "soxr-hq-1"
