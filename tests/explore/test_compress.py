"""What vectors are compressed to, how that is fitted, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.compress import FITTED, embedded
from sonovec.errors import PassportError, UsageError
from sonovec.explore import compress, compress_fit, report
from sonovec.explore.compress_kinds import Kind, check, name_of, parse
from sonovec.library.codes import Codes
from sonovec.library.tables import segments_of
from sonovec.vectors import unit32
from tests.explore.stored import PASSPORT, clusters, library_of

EVERY = ["8", "pca-95%", "int8", "binary", "pq-4"]


@settings(max_examples=30, deadline=None)
@given(
    st.one_of(st.none(), st.integers(1, 999).map(str), st.integers(1, 100).map(lambda n: f"pca-{n}%")),
    st.sampled_from(["", "float16", "int8", "binary", "pq-16"]),
)
def test_kinds_are_read_in_either_order(numbers, dtype):
    parts = [part for part in (numbers, dtype) if part]
    if not parts:
        return
    kind, turned = parse("+".join(parts)), parse("+".join(reversed(parts)))
    assert (kind.numbers, kind.share, kind.dtype) == (turned.numbers, turned.share, turned.dtype)
    assert kind.dtype == (dtype or "float32") and kind.is_reduced == (numbers is not None)
    assert name_of(kind, "main", False).replace("_", "").isalnum()


@pytest.mark.parametrize(
    "wrong", ["", "0", "-3", "pca-0%", "pca-101%", "int4", "8+16", "8+pca-9%", "int8+binary", "8+", "pq-0"]
)
def test_what_is_no_kind(wrong):
    with pytest.raises(UsageError, match="give"):
        parse(wrong)


def test_what_makes_nothing_smaller_or_does_not_divide():
    with pytest.raises(UsageError, match="the vectors have 32 numbers"):
        check(parse("32"), 32)
    with pytest.raises(UsageError, match="--to pq-4|--to pq-8"):
        check(parse("pq-5"), 32)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["8", "8+int8", "pca-80%"]))
def test_a_projection_keeps_cosines_and_is_the_same_each_time(seed, to):
    low = np.random.default_rng(seed).standard_normal((60, 6)) @ np.random.default_rng(1).standard_normal((6, 24))
    vectors = low.astype(np.float32)
    if to.startswith("8"):
        to = to.replace("8", "6", 1)
    fitted = compress_fit.fit(parse(to), vectors)
    assert fitted.to_bytes() == compress_fit.fit(parse(to), vectors).to_bytes()
    if not to.startswith("pca"):  # all that there is was kept
        units, moved = unit32(vectors), unit32(fitted.apply(vectors))
        np.testing.assert_allclose(units @ units.T, moved @ moved.T, atol=1e-4)


def test_whitened_directions_have_one_variance():
    vectors, _ = clusters(400)
    moved = compress_fit.fit(parse("8"), vectors, whiten=True).apply(vectors)
    np.testing.assert_allclose(moved.mean(axis=0), 0, atol=1e-4)
    deviations = moved.std(axis=0)
    assert deviations.max() / deviations.min() < 1.2


@pytest.mark.parametrize("to", EVERY)
@pytest.mark.parametrize("count", [1, 2])
def test_one_track_and_two(tmp_path, to, count):
    library = library_of(tmp_path / "library", clusters(count)[0])
    if to.startswith("8"):
        with pytest.raises(UsageError, match=f"span {2 * count} directions, not 8.*--fit-on"):
            compress(library, to)
        return
    space = compress(library, to).space
    id = library.ids()[0]
    assert library.search(id, 1, space=space, rerank="main", include_self=True)[0].id == id


@pytest.mark.parametrize("to", ["1", "pca-95%", "float16", "int8", "binary", "pq-4"])
def test_vectors_that_are_all_alike(tmp_path, to):
    library = library_of(tmp_path / "library", np.ones((6, 16), np.float32))
    space = compress(library, to).space
    hits = library.search(library.ids()[0], 6, space=space, rerank="main", include_self=True)
    assert {hit.score for hit in hits} == {1.0} and len(hits) == 6
    with pytest.raises(UsageError, match="all alike|are alike|span 1 directions"):
        compress(library, "2" if to == "1" else to, whiten=True, name="white")


@pytest.mark.parametrize("to", ["8", "int8", "binary", "pq-4"])
def test_silence_alone(tmp_path, to):
    library = library_of(tmp_path / "library", np.zeros((12, 16), np.float32))
    with pytest.raises(UsageError, match="none of the 24 vectors has a direction: silence"):
        compress(library, to)
    assert list(library.spaces()) == ["main"]


def test_vectors_that_are_not_finite():
    vectors, _ = clusters(40)
    vectors[3, 2], vectors[5, 1] = np.nan, np.inf
    for kind in (parse("8"), parse("int8"), Kind("pq-4", dtype="pq-4")):
        with pytest.raises(UsageError, match="2 of 40 vectors hold a number that is not finite"):
            compress_fit.fit(kind, vectors)


def test_not_a_number_in_imported_vectors(tmp_path):
    vectors, _ = clusters(40)
    library = library_of(tmp_path / "library", vectors)
    table = library._store.table(segments_of(library.spaces()["main"]))
    row = next(table.rows(None, ["id", "track", "index", "start", "end", "coverage", "zero", "tags"]))
    table.upsert([{**row, "vector": np.full(32, np.nan, np.float32)}])
    for ask in (lambda: compress(library, "8"), lambda: compress(library, "int8")):
        with pytest.raises(UsageError, match="NaN"):
            ask()


def test_it_is_fitted_on_another_library_of_the_same_kind(tmp_path):
    library = library_of(tmp_path / "library", clusters(5)[0])
    other = library_of(tmp_path / "other", clusters(100, seed=1)[0])
    assert compress(library, "16", fit_on=other).dim == 16
    with pytest.raises(UsageError, match="learns nothing"):
        compress(library, "int8", fit_on=other)
    odd = library_of(tmp_path / "odd", clusters(100)[0], passport={**PASSPORT, "model": "another"})
    with pytest.raises(PassportError, match="another kind"):
        compress(library, "16", name="odd", fit_on=odd)


def test_an_unknown_space(tmp_path):
    library = library_of(tmp_path / "library", clusters(5)[0])
    for ask in (compress, lambda library, to, space: report(library, space=space)):
        with pytest.raises(UsageError, match="no space 'clap'; it has main"):
            ask(library, "int8", space="clap")


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    vectors, codes = clusters(240)
    library = library_of(tmp_path_factory.mktemp("reported") / "library", vectors, columns=[f"kind-{n}" for n in codes])
    kinds = ["float32", "int8", "16", "4+int8", "binary"]
    return library, report(library, kinds=kinds, labels="folder", queries=20, indices=False)


def test_the_report_tells_what_is_lost(reported):
    library, found = reported
    rows = {row.to: row for row in found.rows}
    assert (found.searched, found.fitted, found.queries, found.labels) == (120, 120, 20, "folder")
    assert rows["float32"].recall_10 == rows["float32"].recall_1 == 1
    assert rows["int8"].recall_10 > 0.97 > rows["4+int8"].recall_10
    assert rows["16"].recall_10 >= rows["4+int8"].recall_10
    for row in found.rows:
        assert row.reason is None and row.reranked_10 >= row.recall_10 and row.queries_per_second > 0
        assert 0 < row.mean_average_precision <= 1 and 0 < row.probe <= 1
    assert rows["float32"].disk_bytes - rows["binary"].disk_bytes > 0.8 * (128 - 4)
    assert sum(row.knee for row in found.rows) == 1
    assert list(library.spaces()) == ["main"]


@pytest.mark.slow
def test_the_report_is_drawn(reported, tmp_path):
    pytest.importorskip("matplotlib")
    from sonovec.explore.compress_chart import draw

    draw(reported[1], tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 10_000


def test_what_cannot_be_reported(tmp_path):
    library = library_of(tmp_path / "library", clusters(3)[0])
    with pytest.raises(UsageError, match="that must be three"):
        report(library)
    silent = library_of(tmp_path / "silent", np.zeros((8, 16), np.float32))
    with pytest.raises(UsageError, match="silence"):
        report(silent)
    some = library_of(tmp_path / "some", clusters(20)[0])
    with pytest.raises(UsageError, match="no such column; give 'labels'"):
        report(some, labels="mood")
    found = report(some, kinds=["16", "int8"], queries=5, indices=False)
    assert "span 10 directions" in found.rows[0].reason and found.rows[1].recall_10 == 1


@pytest.mark.slow
def test_indices_of_stores_are_in_the_same_table(tmp_path):
    library = library_of(tmp_path / "library", clusters(800, dim=64)[0])
    found = report(library, kinds=["float32"], queries=30)
    by_store = {(row.where, row.to): row for row in found.rows}
    assert by_store["lancedb", "IVF_HNSW_SQ"].recall_10 > 0.9
    assert by_store["lancedb", "IVF_PQ"].reranked_10 >= by_store["lancedb", "IVF_PQ"].recall_10
    assert {name for store, name in by_store if store == "lancedb"} >= {"IVF_PQ", "IVF_HNSW_SQ", "IVF_RQ"}


@pytest.mark.slow
@pytest.mark.data
def test_the_built_in_encoder_keeps_what_was_promised(shared_data, tmp_path):
    """Fitted on training clips, searched on ESC-10, as the card says."""
    vectors = embedded("sonovec-1", None, shared_data, tmp_path, FITTED)
    fitting, searched = unit32(vectors["train"]), unit32(vectors["esc"])
    exact = searched @ searched.T
    np.fill_diagonal(exact, -1)
    wanted = np.sort(exact, axis=1)[:, -10:-9] - 1e-6
    for to, least, candidates in (("256+int8", 0.99, 10), ("pq-128", 0.97, 10), ("binary", 0.99, 100)):
        projection = compress_fit.fit(parse(to), fitting)
        moved = projection.apply(searched)
        codes = Codes(parse(to).dtype, moved.shape[1], projection.codebooks)
        scores = unit32(moved) @ unit32(codes.decode(codes.encode(moved))).T
        np.fill_diagonal(scores, -1)
        places = np.argsort(-scores, axis=1)[:, :candidates]
        found = -np.sort(-np.take_along_axis(exact, places, axis=1), axis=1)[:, :10]
        assert (found >= wanted).mean() >= least
