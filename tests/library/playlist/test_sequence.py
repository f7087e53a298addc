"""Sequences in which each place wants something."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.library.playlist.arcs import SHAPES, Arc, ways_of
from sonovec.library.playlist.sequence import Course


def course(n, size, seed=0, **more):
    random = np.random.default_rng(seed)
    places = random.random(size)
    given = {
        "own": random.random((n, size)),
        "step": np.abs(places[:, None] - places),
        "artists": np.arange(size) % 3,
        "values": np.zeros(size),
        "ways": np.zeros(n - 1, np.intp),
    }
    return Course(**{**given, **more})


def cost(of, path):
    return sum(of.own[n, each] for n, each in enumerate(path)) + sum(of.step[a, b] for a, b in pairwise(path))


def every_sequence(n, size):
    return permutations(range(size), n)


@settings(max_examples=30)
@given(n=st.integers(2, 4), size=st.integers(4, 6), seed=st.integers(0, 99), limit=st.sampled_from([None, 1, 2]))
def test_it_finds_the_cheapest_of_few(n, size, seed, limit):
    of = course(n, size, seed, artist_limit=limit)
    allowed = [
        each for each in every_sequence(n, size) if limit is None or max(np.bincount(of.artists[list(each)])) <= limit
    ]
    found = of.follow()
    if not allowed:
        assert len(found) < n
        return
    assert len(set(found)) == n
    assert cost(of, found) <= min(cost(of, each) for each in allowed) * 1.0000001


def test_ends_are_kept_and_come_once():
    found = course(5, 9, first=4, last=8).follow()
    assert (found[0], found[-1]) == (4, 8) and len(set(found)) == 5


def test_what_cannot_go_on_ends_early():
    of = course(4, 6)
    step = np.full((6, 6), np.inf)
    step[0, 1] = step[1, 2] = 0.0
    found = Course(of.own, step, of.artists, of.values, of.ways, first=0).follow()
    assert found == [0, 1, 2]


@settings(max_examples=20)
@given(
    shape=st.sampled_from(["up", "down"]),
    n=st.integers(2, 10),
    extra=st.integers(0, 10),
    seed=st.integers(0, 99),
)
def test_an_arc_goes_its_way_whatever_there_is(shape, n, extra, seed):
    values = np.random.default_rng(seed).random(n + extra)
    arc = Arc("energy", SHAPES[shape], True)
    of = course(n, n + extra, seed, own=arc.costs(n, values), values=values, ways=ways_of(arc.targets(n, values)))
    found = of.follow()
    assert len(set(found)) == n
    rises = np.diff(values[found])
    assert (rises >= 0).all() if shape == "up" else (rises <= 0).all()
