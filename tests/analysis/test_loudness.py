"""Loudness, by the requirements that EBU Tech 3341 and 3342 set with signals that they describe."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.analysis.loudness import Loudness, k_weighting

RATE = 48000


def tone(*parts, rate=RATE, channels=2, hertz=1000.0, phase=0.0):
    """A sine of which each part has a level in dB of full scale and seconds; levels of channels may differ."""
    pieces = []
    for level, seconds in parts:
        levels = np.broadcast_to(np.asarray(level, float), (channels,))
        times = np.arange(round(seconds * rate)) / rate
        pieces.append(np.sin(2 * np.pi * hertz * times + phase)[:, None] * 10 ** (levels / 20))
    return np.concatenate(pieces).astype(np.float32)


def heard(samples, rate=RATE, block=65536):
    loudness = Loudness()
    loudness.begin(rate, samples.shape[1])
    for first in range(0, len(samples), block):
        loudness.push(samples[first : first + block])
    return loudness.finish().columns


@pytest.mark.parametrize(
    ("signal", "lufs"),
    [
        (tone((-23, 20)), -23),
        (tone((-33, 20)), -33),
        (tone((-36, 10), (-23, 60), (-36, 10)), -23),
        (tone((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)), -23),
        (tone((-26, 20), (-20, 20.1), (-26, 20)), -23),
        (tone(([-28, -28, -24, -30, -30], 20), channels=5), -23),
    ],
)
def test_integrated_loudness_of_ebu_3341(signal, lufs):
    assert heard(signal)["loudness"] == pytest.approx(lufs, abs=0.1)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 96000])
def test_the_rate_changes_little(rate):
    assert heard(tone((-23, 5), rate=rate), rate)["loudness"] == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    ("parts", "units"),
    [
        (((-20, 20), (-30, 20)), 10),
        (((-20, 20), (-15, 20)), 5),
        (((-40, 20), (-20, 20)), 20),
        (((-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)), 15),
    ],
)
def test_loudness_range_of_ebu_3342(parts, units):
    assert heard(tone(*parts))["loudness_range"] == pytest.approx(units, abs=1)


@pytest.mark.parametrize(("divisor", "degrees"), [(4, 0), (4, 45), (6, 60), (8, 67.5)])
def test_true_peak_of_ebu_3341(divisor, degrees):
    signal = tone((-6.02, 1), hertz=RATE / divisor, phase=np.radians(degrees))
    signal *= np.minimum(1, np.minimum(np.arange(RATE), np.arange(RATE)[::-1]) / 2000)[:, None].astype(np.float32)
    assert -6.4 <= heard(signal)["true_peak"] <= -5.8


def test_the_filters_are_those_of_the_standard():
    """The tables of ITU-R BS.1770 for 48 kHz."""
    shelf, high_pass = k_weighting(RATE)
    np.testing.assert_allclose(
        shelf,
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
        atol=1e-9,
    )
    np.testing.assert_allclose(high_pass, [1, -2, 1, 1, -1.99004745483398, 0.99007225036621], atol=1e-9)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=8), st.sampled_from([11025, 44100, 48000]))
def test_blocks_of_any_size_give_the_same(sizes, rate):
    samples = np.random.default_rng(1).standard_normal((sum(sizes), 2)).astype(np.float32) / 10
    whole = heard(samples, rate, len(samples))
    loudness = Loudness()
    loudness.begin(rate, 2)
    for piece in np.split(samples, np.cumsum(sizes)[:-1]):
        loudness.push(piece)
    for name, value in loudness.finish().columns.items():
        assert value == (None if whole[name] is None else pytest.approx(whole[name], abs=1e-3))


@pytest.mark.parametrize("samples", [np.zeros((RATE, 2)), np.zeros((3, 1)), np.full((RATE * 4, 1), 1e-5)])
def test_silence_and_short_sounds_have_no_loudness(samples):
    columns = heard(samples.astype(np.float32))
    assert columns["loudness"] is None and columns["loudness_range"] is None


def test_samples_are_never_kept():
    loudness, block = Loudness(), np.random.default_rng(0).standard_normal((RATE, 2)).astype(np.float32) / 10
    loudness.begin(RATE, 2)
    loudness.push(block)
    tracemalloc.start()
    for _ in range(60):
        loudness.push(block)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 1 << 20
