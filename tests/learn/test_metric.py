"""Directions that count less: what is along them hardly changes an answer, and what is across them stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sonovec
from sonovec.learn.fit import fit
from sonovec.learn.head import Head
from sonovec.learn.metric import PLAIN, Metric, metric
from sonovec.vectors import unit


def drawn(seed: int, factor: float, dim: int = 8, size: int = 3) -> tuple[Metric, np.ndarray]:
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((dim, size)))[0].T.astype(np.float32)
    return Metric(directions, np.full(size, factor, np.float32), "drawn"), rng.standard_normal((5, dim))


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_vectors_have_length_1_and_keep_what_is_across(seed, factor):
    given_metric, vectors = drawn(seed, factor)
    seen = given_metric(vectors)
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, atol=1e-9)
    along = given_metric.directions.astype(np.float64)
    across = [each - each @ along.T @ along for each in (unit(vectors), seen)]
    np.testing.assert_allclose(*map(unit, across), atol=1e-4)
    shares = [np.linalg.norm(each @ along.T, axis=1) / np.linalg.norm(of, axis=1) for each, of in
              zip((unit(vectors), seen), across, strict=True)]  # fmt: skip
    np.testing.assert_allclose(shares[1], factor * shares[0], atol=1e-4)


def test_without_directions_vectors_are_only_brought_to_length_1():
    _, vectors = drawn(0, 1.0)
    assert np.array_equal(PLAIN(vectors), unit(vectors))


def test_a_head_hears_through_its_metric():
    """Two sounds that differ in one direction, in recordings that differ far more in another one."""
    rng = np.random.default_rng(0)
    sound = np.repeat([1.0, -1.0], 30)
    vectors = np.column_stack([sound, rng.normal(0, 3, 60), rng.normal(0, 0.1, (60, 6)), np.ones(60)])
    targets = np.column_stack([sound > 0, sound < 0]).astype(int)
    less = Metric(np.eye(9, dtype=np.float32)[1:2], np.zeros(1, np.float32), "recordings")
    few = [0, 1, 30, 31]
    right = [
        (fit(vectors[few], targets[few], kind="both", metric=each).head.scores(vectors).argmax(1) == (sound < 0)).mean()
        for each in (PLAIN, less)
    ]
    assert right[1] == 1.0 > right[0]
    head = fit(vectors[few], targets[few], kind="both", metric=less).head
    moved = vectors + 50 * np.eye(9)[1]
    assert isinstance(head, Head) and (head.scores(moved).argmax(1) == (sound < 0)).all()


def test_the_built_in_encoder_has_one_whatever_its_hop():
    encoder = sonovec.load("default")
    found = metric(encoder.passport)
    assert found.directions.shape == (128, encoder.dim) and found.id
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(128), atol=2e-3)
    assert (np.diff(found.factors) >= 0).all() and 0 < found.factors[0] < 0.5 and found.factors[-1] <= 1
    assert metric(sonovec.load("default", hop=0.5).passport).id == found.id


@pytest.mark.parametrize("change", [{"model": "logmel"}, {"weights": "of a child"}, {"revision": "2"}])
def test_other_vectors_have_none(change):
    assert metric(replace(sonovec.load("default").passport, **change)) is PLAIN
