"""The music head: its file, and whose vectors it takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import sonovec
from sonovec.models.musicnn import MSD, MTT
from sonovec.music import head as module
from sonovec.music.head import Scale, logit, read, write


def test_the_file_is_small_and_has_the_tags_of_musicnn_first():
    head = read()
    assert module.FILE.stat().st_size < 200_000
    assert head.tags[:100] == (*(f"mtt:{tag}" for tag in MTT), *(f"msd:{tag}" for tag in MSD))
    assert head.weights.shape == (512, len(head.tags)) and np.isfinite(head.weights).all()
    for scale in head.scales.values():
        assert (scale.spread > 0).all()


def test_it_takes_vectors_of_the_built_in_encoder_in_any_precision_and_hop_and_no_others():
    passport = sonovec.load("default").passport
    assert read().takes(passport)
    assert read().takes(replace(passport, hop=passport.hop // 2, precision="bf16"))
    assert not read().takes(replace(passport, weights="0" * 64))
    assert not read().takes(sonovec.load("logmel").passport)


def test_what_was_written_is_read(tmp_path):
    write(read(), tmp_path / "head.npz")
    again = read(tmp_path / "head.npz")
    assert again.tags == read().tags and again.passport == read().passport
    assert (again.weights == read().weights).all() and (again.offsets == read().offsets).all()
    assert again.scales.keys() == read().scales.keys()


def test_the_length_of_a_vector_says_nothing():
    vectors = np.random.default_rng(0).standard_normal((3, 512)).astype(np.float32)
    np.testing.assert_allclose(read().logits(vectors), read().logits(100 * vectors), atol=1e-3)


@given(st.lists(st.floats(1e-4, 1 - 1e-4), min_size=1))
def test_logits_lead_back(probabilities):
    np.testing.assert_allclose(1 / (1 + np.exp(-logit(np.array(probabilities)))), probabilities, rtol=1e-6)


def test_a_scale_makes_mean_0_and_spread_1():
    numbers = np.random.default_rng(0).normal(3, 5, (50, 4))
    scaled = Scale.over(numbers).of(numbers)
    np.testing.assert_allclose([scaled.mean(axis=0), scaled.std(axis=0)], [[0] * 4, [1] * 4], atol=1e-9)
