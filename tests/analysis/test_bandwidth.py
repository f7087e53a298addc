"""How far up a sound reaches, whatever the rate and the format of its file say."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.analysis.bandwidth import Bandwidth

RATE = 44100
NOISE = 0.1 * np.random.default_rng(0).standard_normal((2 * RATE, 2))


def heard(samples, rate=RATE, block=10_000):
    analyser = Bandwidth()
    analyser.begin(rate, samples.shape[1])
    for start in range(0, len(samples), block):
        analyser.push(samples[start : start + block].astype(np.float32))
    return analyser.finish().columns.get("bandwidth")


def below(hertz):
    return soxr.resample(soxr.resample(NOISE, RATE, 2 * hertz), 2 * hertz, RATE)[: len(NOISE)]


@pytest.mark.parametrize("hertz", [4000, 11_000, 16_000])
def test_what_was_cut_off_is_missing_also_in_sixteen_bits(hertz):
    for samples in (below(hertz), np.round(below(hertz) * 32767) / 32767, 0.1 * below(hertz)):
        assert heard(samples) == pytest.approx(hertz, rel=0.06)
    assert heard(NOISE) == pytest.approx(RATE / 2, rel=0.01)


def test_silence_and_a_moment_have_none():
    assert heard(np.zeros((RATE, 1))) is None and heard(NOISE[:100]) is None and heard(NOISE[:0]) is None


@settings(max_examples=10, deadline=None)
@given(st.integers(100, 50_000))
def test_blocks_of_any_size_give_the_same(block):
    assert heard(NOISE[:20_000], block=block) == heard(NOISE[:20_000], block=20_000)
