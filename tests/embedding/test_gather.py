from __future__ import annotations

import numpy as np

import sonovec
from sonovec.embedding.gather import times_of
from sonovec.embedding.source import Source


def test_times_of_a_very_long_sound_are_exact():
    passport = sonovec.load("logmel").passport
    hours = 100 * 3600 * passport.rate
    places = np.array([[hours, hours + 1], [hours + 1, hours + 2]])
    times = times_of(places, Source(None, start=0.5), passport)
    np.testing.assert_allclose((times - 0.5) * passport.rate, places, rtol=0, atol=1e-5)
    assert times[0, 1] == times[1, 0]
