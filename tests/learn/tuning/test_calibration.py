from __future__ import annotations

import numpy as np
import pytest

from sonovec.learn.head import Head
from sonovec.learn.tuning.calibration import calibrated, thresholds

ONE = np.ones(1, np.float32)


def head(weight: float) -> Head:
    """Scores the first number of vectors of two."""
    return Head(
        np.zeros(2, np.float32), np.ones(2, np.float32), np.array([[weight, 0]], np.float32), 0 * ONE, ONE, 0 * ONE
    )


@pytest.mark.parametrize("weight", [0.3, 5.0, 80.0])
def test_probabilities_are_shares_however_sure_the_head_was(weight):
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, np.pi, 4000)
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    heard = rng.random(4000) < 1 / (1 + np.exp(-(3 * vectors[:, 0] - 1)))
    found = calibrated(head(weight), vectors, heard[:, None].astype(np.int8)).probabilities(vectors)[:, 0]
    for low in np.arange(0, 1, 0.2):
        inside = (found >= low) & (found < low + 0.2)
        if inside.sum() > 100:
            assert abs(heard[inside].mean() - found[inside].mean()) < 0.06


def test_a_class_that_was_not_held_out_stays_as_it_is():
    found = calibrated(head(2.0), np.ones((3, 2), np.float32), np.array([[0], [0], [-1]], np.int8))
    assert (found.slope, found.offset) == (1, 0)


def test_what_is_told_apart_perfectly_has_finite_probabilities():
    vectors = np.array([[1, 0], [1, 0.1], [-1, 0], [-1, 0.1]], np.float32)
    found = calibrated(head(50.0), vectors, np.array([[1], [1], [0], [0]], np.int8)).probabilities(vectors)[:, 0]
    assert np.isfinite(found).all() and 0.5 < found[0] < 0.999 and found[2] < 0.5


def test_thresholds_have_the_best_f1_and_lie_between():
    said = np.array([[0.9], [0.8], [0.7], [0.7], [0.1]])
    assert thresholds(said, np.array([[1], [1], [0], [0], [0]], np.int8))[0] == pytest.approx(0.75)
    # Equal ones cannot be parted.
    assert thresholds(said, np.array([[1], [1], [1], [0], [0]], np.int8))[0] == pytest.approx(0.4)
    assert thresholds(said, np.array([[0]] * 5, np.int8))[0] == pytest.approx(0.5)
