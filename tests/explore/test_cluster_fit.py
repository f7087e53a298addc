"""Clusters of vectors: found where there are some, chosen by what holds, and never an error for odd sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.explore.cluster_fit import OUTLIER, best, fit, placed, trials
from sonovec.vectors import unit

pytest.importorskip("sklearn")


def blobs(count, each, spread=0.05, dim=12, seed=0):
    """So many groups of rows of length 1, and which each row is of."""
    rng = np.random.default_rng(seed)
    middles = unit(rng.standard_normal((count, dim)))
    truth = np.repeat(np.arange(count), each)
    return unit(middles[truth] + spread * rng.standard_normal((len(truth), dim))), truth


def agree(labels, truth):
    pairs = {(a, b) for a, b in zip(labels.tolist(), truth.tolist(), strict=True)}
    return len(pairs) == len(set(labels.tolist())) == len(set(truth.tolist()))


def test_the_number_is_found_and_both_methods_find_the_groups():
    rows, truth = blobs(5, 30)
    tried = trials(rows, 0, 9)
    assert best(tried) == 5 and [trial.count for trial in tried] == list(range(2, 10))
    chosen = next(trial for trial in tried if trial.count == 5)
    assert chosen.stability > 0.95 and chosen.silhouette > 0.6
    assert agree(fit(rows, "kmeans", 5, None, 0).labels, truth)
    assert agree(fit(rows, "hdbscan", None, 10, 0).labels, truth)


def test_a_seed_gives_the_same_and_the_largest_comes_first():
    rows = np.concatenate([blobs(1, 20)[0], blobs(1, 50, seed=1)[0]])
    one, other = (fit(rows, "kmeans", 2, None, 3) for _ in range(2))
    assert np.array_equal(one.labels, other.labels) and np.array_equal(one.membership, other.membership)
    assert np.bincount(one.labels).tolist() == [50, 20]
    assert one.labels[one.medoids].tolist() == [0, 1]


def test_memberships_are_shares_and_follow_the_distances():
    rows, _ = blobs(3, 20)
    found = fit(rows, "kmeans", 3, None, 0)
    assert found.membership.sum(axis=1) == pytest.approx(1) and (found.membership >= 0).all()
    assert np.array_equal(found.membership.argmax(axis=1), found.labels)
    between = unit((found.centres[:1] + found.centres[1:2]) / 2)
    shares = placed(between, found.centres)[1][0]
    assert shares[0] == pytest.approx(shares[1], abs=0.2) and shares[2] < shares[0]


def test_what_lies_far_out_is_told():
    rows, _ = blobs(2, 40, spread=0.02)
    stranger = unit(-rows.mean(axis=0)[None])
    found = fit(np.concatenate([rows, stranger]), "kmeans", 2, None, 0)
    assert found.far[-1] and found.far.sum() < 8
    dense = fit(np.concatenate([rows, stranger]), "hdbscan", None, 5, 0)
    assert dense.labels[-1] == OUTLIER and dense.far[-1]


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_equal_vectors_are_one_cluster(method):
    rows = np.tile(unit(np.ones((1, 6))), (12, 1))
    assert trials(rows, 0) == [] and best([]) == 1
    assert set(fit(rows, method, 1 if method == "kmeans" else None, None, 0).labels.tolist()) == {0}
    assert len(fit(rows, "kmeans", 3, None, 0).centres) == 1


def test_one_and_two_rows_are_one_cluster_and_more_clusters_than_rows_are_refused():
    rows, _ = blobs(2, 1)
    for few in (rows[:1], rows):
        assert trials(few, 0) == [] and fit(few, "kmeans", best([]), None, 0).labels.tolist() == [0] * len(few)
    with pytest.raises(UsageError, match="3 clusters of 2 tracks: give 2 or fewer"):
        fit(rows, "kmeans", 3, None, 0)
    with pytest.raises(UsageError, match="of 2 tracks"):
        fit(rows, "hdbscan", None, None, 0)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 1000))
def test_every_row_is_in_one_cluster_whose_centre_is_nearest(n, count, seed):
    rows = unit(np.random.default_rng(seed).standard_normal((n, 4)))
    found = fit(rows, "kmeans", min(count, n), None, seed)
    assert found.labels.min() == 0 and (found.labels >= 0).all() and found.membership.shape == (n, len(found.centres))
    assert np.bincount(found.labels).tolist() == sorted(np.bincount(found.labels), reverse=True)
