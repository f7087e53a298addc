from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.learn.tuning.measure import Figures, accuracy, average_precision

metrics = pytest.importorskip("sklearn.metrics")


@given(st.integers(0, 10_000), st.integers(2, 30), st.booleans())
def test_average_precision_is_scikit_learns(seed, n, ties):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (n, 3)).astype(float) if ties else rng.standard_normal((n, 3))
    targets = rng.integers(-1, 2, (n, 3)).astype(np.int8)
    expected = [
        metrics.average_precision_score(wanted[wanted >= 0], scored[wanted >= 0])
        for scored, wanted in zip(scores.T, targets.T, strict=True)
        if (wanted == 1).any() and (wanted == 0).any()
    ]
    assert average_precision(scores, targets) == pytest.approx(np.mean(expected) if expected else 0.0)


def test_accuracy_is_of_stretches_of_one_class_alone():
    scores = np.array([[0.9, 0.1], [0.2, 0.4]])
    assert accuracy(scores, np.array([[1, 0], [1, 0]], np.int8)) == 0.5
    assert accuracy(scores, np.array([[1, 0], [0, 0]], np.int8)) is None
    assert accuracy(scores, np.array([[1, 0], [1, -1]], np.int8)) is None
    assert accuracy(np.empty((0, 2)), np.empty((0, 2), np.int8)) is None


def test_of_equal_precisions_the_lower_loss_is_better():
    assert Figures(0.5, 0.1).is_better_than(None)
    assert Figures(0.5, 0.1).is_better_than(Figures(0.5, 0.2))
    assert not Figures(0.4, 0.1).is_better_than(Figures(0.5, 0.2))
    assert not Figures(0.5, 0.1).is_better_than(Figures(0.5, 0.1))
