"""Pooling while the windows come gives what pooling of all of them gives."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from sonovec import demo
from sonovec.embedding.gather import Facts, Heard, Vectors
from sonovec.embedding.pooled import Pooling
from sonovec.embedding.source import Source
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
        (embedding,), (pooled,) = encoder.embed_many([(samples, 16000)]), encoder.pool_many([(samples, 16000)], 4)
        heard = embedding.silent if embedding.silent.all() else ~embedding.silent
        scores = dict(zip(embedding.classes, embedding.scores[heard].T, strict=True))
        means = dict(embedding.top_tags(len(scores)))
        assert [tag.score for tag in pooled.tags] == sorted((tag.score for tag in pooled.tags), reverse=True)
        assert {tag.name: tag.score for tag in pooled.tags} == {name: float(row.max()) for name, row in scores.items()}
        for tag in pooled.tags:
            assert tag.mean == pytest.approx(means[tag.name], rel=1e-5)
            assert tag.share == pytest.approx(np.average(scores[tag.name] >= 0.2, weights=embedding.coverage[heard]))
        assert [part.tags for part in pooled.parts] == [part.tags for part in embedding.parts(4)]


def test_the_part_of_a_tag_is_where_it_scores_highest():
    """Of a sound in four parts of which the third is another's, and the last is digital silence."""
    rng = np.random.default_rng(0)
    (speech, _), rate = demo.clip("speech"), demo.RATE
    noise = [rng.standard_normal(rate * 4).astype(np.float32) / 50 for _ in range(2)]
    sound = np.concatenate([*noise, np.resize(speech, rate * 4).astype(np.float32), np.zeros(rate * 4, np.float32)])
    (pooled,) = sonovec.load("default").pool_many([(sound, rate)], 4)
    (tag,) = [tag for tag in pooled.tags if tag.name == "Speech"]
    assert tag.part == 2 and pooled.parts[2].tags["Speech"] == tag.score > 0.2
    assert tag.share == pytest.approx(1 / 3, abs=0.17) and tag.mean < tag.score
    assert pooled.parts[3].tags == {}, "silent windows are left out"


@pytest.mark.parametrize(("dim", "count"), [(512, 180_000), (6144, 8_000)])
def test_memory_stays_the_same_however_many_windows(encoder, dim, count):
    """At a hop of 20 ms; all vectors would take 370 MB, and 200 MB where each is as long as one of OpenL3."""
    rows = np.random.default_rng(0).standard_normal((32, dim)).astype(np.float32)
    heard = Heard(replace(encoder.passport, rate=16000, hop=320), dim, ())
    pooling = Pooling(Source(None), heard, 10)
    starts = np.arange(32) * 320
    tracemalloc.start()
    for first in range(0, count, 32):
        at = starts + first * 320
        pooling.push(
            Vectors(at, at + 16000, np.ones(32, np.float32), np.zeros(32, bool), np.zeros(32, np.float32), rows.copy())
        )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    pooled = pooling.finish(Facts(16000, 1, "wav", count / 50, ()))
    kept = count // 500 * dim * 4
    assert len(pooled.parts) == count // 500 and peak < kept + 8 * 500 * dim * 4


def test_failures_are_those_of_embed_many(encoder):
    (failure,) = encoder.pool_many(["missing.wav"], 10)
    assert "missing.wav: no such file" in failure.reason
