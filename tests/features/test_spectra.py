from __future__ import annotations

import numpy as np
import pytest

from sonovec.features.spectra import Spectra


@pytest.mark.parametrize("n", [1, 7, 20])
def test_what_is_computed_again_does_not_depend_on_what_was_before(n):
    random = np.random.default_rng(0)
    window, hop = np.hanning(50), 20
    long, short = (random.standard_normal((k - 1) * hop + 50).astype(np.float32) for k in (20, n))
    again, fresh = (Spectra(window, hop, 64, slice(3, 30), at_once=20) for _ in range(2))
    again.power(long)
    np.testing.assert_array_equal(again.power(short), fresh.power(short))
    frames = np.lib.stride_tricks.sliding_window_view(short, 50)[::hop]
    wanted = np.abs(np.fft.rfft(frames * window, 64))[:, 3:30] ** 2
    np.testing.assert_allclose(again.power(short), wanted, rtol=1e-5, atol=1e-5)


def test_weak_bands_beside_a_strong_tone_are_exact():
    """A transform in float32 would miss them."""
    t = np.arange(1024)
    strong, weak = np.sin(2 * np.pi * 100 * t / 1024), 1e-6 * np.sin(2 * np.pi * 400 * t / 1024)
    samples = (strong + weak).astype(np.float32)
    power = Spectra(np.hanning(1024), 1, 1024, slice(0, 513), at_once=1).power(samples)
    wanted = np.abs(np.fft.rfft(samples.astype(np.float64) * np.hanning(1024))) ** 2
    np.testing.assert_allclose(power[0, 390:410], wanted[390:410], rtol=1e-5)
