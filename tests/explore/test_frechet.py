"""The Fréchet distance: that of the published formula, safe where covariances have no inverse, and without bias."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from sonovec import demo
from sonovec.errors import PassportError, UsageError
from sonovec.explore import fad
from sonovec.explore.frechet import extrapolated, frechet_distance


def published(a, b):
    """The formula with a matrix root, as Kilgour et al. 2019 and the programs after them have it."""
    linalg = pytest.importorskip("scipy.linalg")
    one, other = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    apart = a.mean(axis=0) - b.mean(axis=0)
    root = linalg.sqrtm(one @ other)
    return float(apart @ apart + np.trace(one) + np.trace(other) - 2 * np.trace(root).real)


def sets(seed, n=400, m=300, dim=16):
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((2, dim, dim)) / 3
    return rng.standard_normal((n, dim)) @ mix[0], rng.standard_normal((m, dim)) @ mix[1] + 0.3 * rng.standard_normal(
        dim
    )


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_published_number(seed):
    a, b = sets(seed)
    assert frechet_distance(a, b) == pytest.approx(published(a, b), rel=1e-6, abs=1e-4)
    assert frechet_distance(a.astype(np.float32), b.astype(np.float32)) == pytest.approx(published(a, b), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 60), st.integers(0, 1000))
def test_it_is_finite_symmetric_and_zero_for_equal_sets(n, m, dim, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, dim)), rng.standard_normal((m, dim)) + 1
    there, back = frechet_distance(a, b), frechet_distance(b, a)
    assert np.isfinite(there) and there >= 0 and there == pytest.approx(back, rel=1e-9, abs=1e-9)
    assert frechet_distance(a, a) == 0 == extrapolated(a, a)[0]
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-9)


def test_covariances_without_an_inverse_cost_no_accuracy():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((10, 200)), rng.standard_normal((12, 200))
    one, other = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(one)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    common = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(one) + np.trace(other) - 2 * common
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-4)
    same = np.tile(a[:1], (9, 1))
    assert frechet_distance(same, same + 1) == pytest.approx(200)


def test_the_correction_takes_the_bias_of_few_vectors_away():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5_000, 12))
    plain, corrected = [], []
    for seed in range(8):
        b = np.random.default_rng(seed + 1).standard_normal((100, 12)) + 0.1
        plain.append(frechet_distance(a, b))
        corrected.append(extrapolated(a, b, seed)[0])
    truth = 12 * 0.01
    assert np.mean(plain) > 2 * truth and abs(np.mean(corrected) - truth) < 0.1


def test_few_vectors_are_told_and_none_is_refused():
    rng = np.random.default_rng(0)
    found = fad(rng.standard_normal((5, 8)), rng.standard_normal((6, 8)))
    assert found.corrected is None and len(found.notes) == 3 and "no inverse" in found.notes[0]
    silent = np.concatenate([rng.standard_normal((20, 8)), np.zeros((3, 8)), np.full((2, 8), np.nan)])
    assert fad(silent, rng.standard_normal((20, 8))).left_out_a == 5
    for bad, words in ((np.zeros((4, 8)), "0 vectors"), ([[1.0] * 8], "1 vectors"), ([1.0, 2.0], "a row for each")):
        with pytest.raises(UsageError, match=words):
            fad(bad, silent)
    with pytest.raises(UsageError, match="of 3 numbers and b of 8"):
        fad(np.ones((4, 3)), silent)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fad")
    demo.write(folder / "sounds", per_kind=2)
    with sonovec.Library(folder / "library", model="logmel", segment_seconds=1) as library:
        library.add(folder / "sounds")
    return folder


def test_libraries_folders_and_files_of_vectors(folder, tmp_path):
    whole = fad(folder / "library", folder / "library")
    assert whole.distance == 0 == whole.corrected and whole.level == "segments of 1 s" and whole.model == "logmel"
    pooled = fad(folder / "library", folder / "sounds")
    assert pooled.distance == pytest.approx(0, abs=1e-6) and pooled.count_a == pooled.count_b
    part = fad(str(folder / "library"), folder / "library", filter_b="path contains 'rain'")
    assert part.distance > 1 and 0 < part.count_b < part.count_a
    windows = fad(folder / "sounds", folder / "sounds" / "rain", model="logmel")
    assert windows.level == "windows" and windows.distance > 1
    encoder = sonovec.load("logmel")
    rows = np.concatenate([encoder.embed(path).windows for path in sorted((folder / "sounds" / "rain").iterdir())])
    np.savez(tmp_path / "a.npz", vectors=rows, passport=json.dumps(encoder.passport.to_json()))
    np.save(tmp_path / "a.npy", rows)
    for name in ("a.npz", "a.npy"):
        assert fad(folder / "sounds", tmp_path / name, model="logmel").distance == pytest.approx(windows.distance)


def test_what_cannot_be_compared_or_read_is_told(folder, tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        fad(folder / "nowhere", folder / "sounds", model="logmel")
    (tmp_path / "bad.npy").write_bytes(b"no array")
    with pytest.raises(UsageError, match="cannot be read as vectors"):
        fad(tmp_path / "bad.npy", tmp_path / "bad.npy")
    with pytest.raises(UsageError, match="filter_a"):
        fad(folder / "sounds", folder / "sounds", filter_a="year > 1", model="logmel")
    passport = {**sonovec.load("logmel").passport.to_json(), "model": "other"}
    np.savez(tmp_path / "other.npz", vectors=np.ones((4, 192)), passport=json.dumps(passport))
    with pytest.raises(PassportError, match="model is"):
        fad(folder / "library", tmp_path / "other.npz")
