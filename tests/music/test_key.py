from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.music.key import PUBLISHED, Profiles, best, correlate, logits, probabilities, trained

CLASSES = st.lists(st.floats(0.01, 1), min_size=12, max_size=12).map(lambda each: np.array([each]) / np.sum(each))


@given(CLASSES, st.integers(0, 11))
def test_transposing_transposes_every_probability(classes, up):
    told = probabilities(logits(classes, trained()))
    turned = probabilities(logits(np.roll(classes, up, axis=1), trained()))
    np.testing.assert_allclose(np.roll(told, up, axis=2), turned, atol=1e-12)
    assert told.sum() == pytest.approx(1)


@given(CLASSES, st.integers(0, 11), st.sampled_from(sorted(PUBLISHED)))
def test_published_profiles_too(classes, up, name):
    told = correlate(classes, PUBLISHED[name])
    np.testing.assert_allclose(np.roll(told, up, axis=2), correlate(np.roll(classes, up, axis=1), PUBLISHED[name]))
    assert np.abs(told).max() <= 1 + 1e-12


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_profile_finds_itself(name):
    for mode, weights in zip(("major", "minor"), PUBLISHED[name].weights, strict=True):
        assert [str(key) for key in best(correlate(np.roll(weights, 4)[None], PUBLISHED[name]))] == [f"E {mode}"]


def test_a_table_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "key.csv"
    trained().save(path)
    read = Profiles.load(path)
    np.testing.assert_array_equal(read.weights, trained().weights)
    assert read.minor == trained().minor
