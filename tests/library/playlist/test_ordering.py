"""Orders: the best one of few, never worse than nearest-next of many."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.library.playlist.ordering import EXACT, length, nearest_next, order


def distances(n, seed):
    places = np.random.default_rng(seed).random((n, 3))
    return np.linalg.norm(places[:, None] - places, axis=2)


ends = st.sampled_from([(None, None), (0, None), (None, 1), (2, 0)])


@settings(max_examples=12)
@given(n=st.integers(3, 7), seed=st.integers(0, 999), ends=ends)
def test_of_few_it_is_the_best_of_all(n, seed, ends):
    first, last = ends
    costs = distances(n, seed)
    found = order(costs, first=first, last=last)
    allowed = [list(each) for each in permutations(range(n)) if first in (None, each[0]) and last in (None, each[-1])]
    assert found in allowed
    assert length(costs, found) == pytest.approx(min(length(costs, each) for each in allowed))


@settings(max_examples=6)
@given(n=st.integers(EXACT + 1, 30), seed=st.integers(0, 999))
def test_of_many_it_is_never_worse_than_nearest_next(n, seed):
    costs = distances(n, seed)
    found = order(costs, first=0)
    assert sorted(found) == list(range(n)) and found[0] == 0
    assert length(costs, found) <= length(costs, nearest_next(costs, 0)) + 1e-9


def test_both_ends_of_many_are_kept():
    found = order(distances(20, 0), first=3, last=7)
    assert (found[0], found[-1]) == (3, 7) and sorted(found) == list(range(20))


def test_the_search_finds_what_is_exact_where_both_can_be_tried(monkeypatch):
    for seed in range(2):
        costs = distances(11, seed)
        exact = length(costs, order(costs))
        monkeypatch.setattr("sonovec.library.playlist.ordering.EXACT", 3)
        assert length(costs, order(costs)) == pytest.approx(exact)
        monkeypatch.undo()


def test_it_is_the_same_each_time_and_a_seed_is_heard():
    costs = distances(60, 1)
    assert order(costs, seed=1) == order(costs, seed=1)
    assert sorted(order(costs, seed=2)) == list(range(60))


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_of_very_few_there_is_an_order_too(n):
    assert sorted(order(np.zeros((n, n)))) == list(range(n))
