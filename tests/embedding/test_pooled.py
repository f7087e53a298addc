"""Pooling while the windows come gives what pooling of all of them gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from tests.promises import assert_same_vectors


@pytest.fixture(scope="module")
def encoder():
    return sonovec.load("logmel")


@settings(max_examples=25)
@given(st.integers(1, 60 * 16000), st.sampled_from([0.1, 1, 3, 10, 1000]), st.sampled_from([None, 0.25]))
def test_parts_are_those_of_an_embedding(n, seconds, hop):
    encoder = sonovec.load("logmel", hop=hop)
    sound = ((np.random.default_rng(n).standard_normal(n) / 10).astype(np.float32), 16000)
    embedding = encoder.embed(sound)
    (pooled,) = encoder.pool_many([sound], seconds)
    expected = embedding.parts(seconds)
    assert len(pooled.parts) == len(expected)
    for found, wanted in zip(pooled.parts, expected, strict=True):
        assert (found.start, found.end, found.coverage) == (wanted.start, wanted.end, wanted.coverage)
        np.testing.assert_array_equal(found.vector, wanted.vector)
    assert_same_vectors(pooled.vector, embedding.vector)
    assert (pooled.duration, pooled.rate, pooled.silent) == (embedding.duration, embedding.rate, embedding.silent.all())


def test_tags_are_those_of_an_embedding():
    encoder = sonovec.load("default")
    sound = (np.random.default_rng(0).standard_normal(16000 * 9) / 10).astype(np.float32)
    sound[16000 * 4 : 16000 * 7] = 0
    for samples in (sound, np.zeros_like(sound)):
        (embedding,), (pooled,) = encoder.embed_many([(samples, 16000)]), encoder.pool_many([(samples, 16000)], 10)
        assert [name for name, _ in pooled.tags[:5]] == [name for name, _ in embedding.top_tags(5)]
        np.testing.assert_allclose([s for _, s in pooled.tags[:5]], [s for _, s in embedding.top_tags(5)], rtol=1e-5)


def test_failures_are_those_of_embed_many(encoder):
    (failure,) = encoder.pool_many(["missing.wav"], 10)
    assert "missing.wav: no such file" in failure.reason
