"""The local outlier factor, held against that of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.explore.density import factors, novelties
from sonovec.vectors import unit

neighbors = pytest.importorskip("sklearn.neighbors")


@settings(max_examples=15, deadline=None)
@given(st.integers(5, 80), st.integers(1, 10), st.integers(0, 1000))
def test_it_is_that_of_scikit_learn(n, count, seed):
    rows = unit(np.random.default_rng(seed).standard_normal((n, 5)))
    theirs = neighbors.LocalOutlierFactor(min(count, n - 1), algorithm="brute").fit(rows)
    found, near = factors(rows, count)
    assert found == pytest.approx(-theirs.negative_outlier_factor_, rel=1e-3)
    assert np.array_equal(near, theirs.kneighbors(n_neighbors=1, return_distance=False)[:, 0])
    new = unit(np.random.default_rng(seed + 1).standard_normal((7, 5)))
    theirs = neighbors.LocalOutlierFactor(min(count, n - 1), algorithm="brute", novelty=True).fit(rows)
    assert novelties(rows, new, count)[0] == pytest.approx(-theirs.score_samples(new), rel=1e-3)


def test_few_and_equal_vectors_are_no_outliers():
    assert factors(np.empty((0, 3)), 5)[0].tolist() == []
    assert factors(np.eye(3)[:1], 5)[0].tolist() == [1] and factors(np.eye(3)[:1], 5)[1].tolist() == [-1]
    assert factors(np.eye(3)[:2], 5)[1].tolist() == [1, 0]
    assert factors(np.tile(np.eye(3)[:1], (9, 1)), 5)[0] == pytest.approx(1)
