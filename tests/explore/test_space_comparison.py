"""Two spaces of a library, compared without labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.cli.main import run
from sonovec.errors import UsageError
from sonovec.explore import compare_spaces
from sonovec.explore.compress_fit import rotation
from sonovec.explore.space_comparison import cka
from tests.explore.stored import clusters, library_of


def with_second(place, vectors, second):
    library = library_of(place, vectors)
    library._store.add_space(replace(library.spaces()["main"], name="second", dim=second.shape[1], level="track"))
    ids = sorted(library.ids(), key=lambda id: id[4:])
    library._store.put_vectors([(id, row, []) for id, row in zip(ids, second, strict=False)], "second")
    return library


def test_a_space_that_is_only_turned_is_the_same(tmp_path):
    vectors, _ = clusters(50)
    found = compare_spaces(with_second(tmp_path / "library", vectors, vectors @ rotation(32, 1)), "main", "second")
    assert found.overlap.value > 0.99 and found.same_nearest.value > 0.95
    assert found.cka == pytest.approx(1, abs=1e-4) and found.pearson == pytest.approx(1, abs=1e-4)
    assert found.spearman == pytest.approx(1, abs=1e-3)


def test_spaces_that_know_nothing_of_each_other(tmp_path, capsys):
    vectors, _ = clusters(80)
    noise = np.random.default_rng(5).standard_normal((78, 16)).astype(np.float32)
    library = with_second(tmp_path / "library", vectors, noise)
    found = compare_spaces(library, "main", "second", k=5, told=3)
    assert abs(found.overlap.value - found.by_chance) < 0.08 and abs(found.cka) < 0.2 and abs(found.pearson) < 0.1
    assert (found.tracks, found.only_a, found.only_b) == (78, 2, 0)
    assert len(found.disagreements) == 3 and found.disagreements[0].overlap <= found.overlap.value
    assert found.disagreements[0].path.endswith(".wav")
    assert run(["compare-spaces", str(tmp_path / "library"), "main", "second", "-n", "2", "--m3u"]) == 0
    assert capsys.readouterr().out.count(".wav") == 6


def test_a_space_of_one_vector_has_no_correlation(tmp_path):
    vectors, _ = clusters(20)
    found = compare_spaces(with_second(tmp_path / "library", vectors, np.ones((20, 4), np.float32)), "main", "second")
    assert found.pearson is None and found.spearman is None and found.cka is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_alignment_does_not_see_turns_and_scales(seed, scale):
    rows = np.random.default_rng(seed).standard_normal((20, 6))
    turned = scale * rows @ rotation(6, seed)
    assert cka(rows @ rows.T, turned @ turned.T) == pytest.approx(1, abs=1e-5)


def test_what_cannot_be_compared(tmp_path):
    library = with_second(tmp_path / "library", clusters(20)[0], np.ones((3, 4), np.float32))
    for a, b, said in (
        ("main", "main", "one space"),
        ("main", "clap", "no space 'clap'"),
        ("main", "second", "share 3 tracks"),
    ):
        with pytest.raises(UsageError, match=said):
            compare_spaces(library, a, b)
    with pytest.raises(UsageError, match="k=0"):
        compare_spaces(library, "main", "second", k=0)
