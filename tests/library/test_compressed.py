"""A compressed space follows its source, opens without a fit, and says so when its projection was changed."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonovec import Library
from sonovec.errors import PassportError, UsageError
from sonovec.explore import compress, compress_fit
from sonovec.jobs import Cancelled, Job
from sonovec.library import consistency
from sonovec.library.codes import Codes, bytes_of
from sonovec.library.location import parse_location
from sonovec.library.open import open_store
from sonovec.library.projections import Projection, fingerprint
from sonovec.library.tables import vectors_of
from tests.explore.stored import clusters, library_of, put

EVERY = ["pca-90%", "float16", "int8", "binary", "pq-8", "16+int8"]


def exact(vectors, query, k):
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return (units @ units[query]).argsort()[::-1][:k]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A library with a space of each kind, its vectors and its ids."""
    vectors, _ = clusters(120)
    library = library_of(tmp_path_factory.mktemp("filled") / "library", vectors)
    spaces = {to: compress(library, to).space for to in EVERY}
    return library, vectors, sorted(library.ids(), key=lambda id: id[4:]), spaces


@pytest.mark.parametrize("to", EVERY)
def test_each_kind_is_searched_by_tracks_and_segments_and_ranked_by_full_vectors(filled, to):
    library, vectors, ids, spaces = filled
    wanted = {ids[n] for n in exact(vectors, 3, 5)}
    for how in ({}, {"exact": True}):
        found = library.search(ids[3], 20, space=spaces[to], include_self=True, **how)
        assert wanted & {hit.id for hit in found}
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    for level in ("track", "segment"):
        again = library.search(ids[3], 5, space=spaces[to], rerank="main", include_self=True, level=level)
        plain = library.search(ids[3], 5, include_self=True, level=level)
        assert [(hit.id, hit.score) for hit in again] == [(hit.id, hit.score) for hit in plain]


@pytest.mark.parametrize("to", EVERY)
def test_what_is_stored_is_the_code_of_the_projected_vector(filled, to):
    library, vectors, ids, spaces = filled
    space = library.spaces()[spaces[to]]
    found, rows = library.vectors(space.name).numpy()
    projection = library._store.projection(space)
    codes = projection.codes(space)
    moved = projection.apply(vectors[[ids.index(id) for id in found]])
    np.testing.assert_allclose(rows, codes.decode(codes.encode(moved)), atol=1e-6)
    assert rows.shape == (120, space.dim)


def test_files_are_smaller(filled):
    library, _, _, spaces = filled
    folder = library.location.address

    def bytes_in(space):
        table = Path(folder, "tables", f"{space}.tracks.lance", "data")
        return sum(path.stat().st_size for path in table.iterdir())

    saved = bytes_in("main") - bytes_in(spaces["binary"])
    assert saved > 0.8 * 120 * (bytes_of("float32", 32) - bytes_of("binary", 32))


def test_it_follows_what_is_written_into_its_source_and_what_is_removed(tmp_path):
    vectors, _ = clusters(60)
    library = library_of(tmp_path / "library", vectors[:40])
    made = [compress(library, to).space for to in ("int8", "8")]
    with open_store(parse_location(tmp_path / "library")) as store:
        put(store, vectors[40:], first=40)
        new = sorted(set(store.ids()))[-1]
    assert library.tracks_in_spaces() == dict.fromkeys(["main", *made], 60)
    again = Library(tmp_path / "library")
    assert again.search(new, 1, space=made[1], rerank="main", include_self=True)[0].id == new
    again.remove(new)
    assert library.tracks_in_spaces() == dict.fromkeys(["main", *made], 59)
    state = consistency.examine(again._store, None)
    assert not state.orphans and not state.duplicates


def test_a_killed_run_is_taken_up_and_nothing_is_fitted_again(tmp_path, monkeypatch):
    monkeypatch.setattr("sonovec.library.compressed.BATCH", 10)
    library = library_of(tmp_path / "library", clusters(40)[0])
    job = Job(lambda progress: progress.stage == "compressing" and progress.done >= 20 and job.cancel())
    with pytest.raises(Cancelled):
        compress(library, "8", progress=job)
    have = library.tracks_in_spaces()["main_8"]
    assert 0 < have < 40
    monkeypatch.setattr(compress_fit, "fit", None)  # it would fail
    done = compress(Library(tmp_path / "library"), "8")
    assert (done.tracks, done.present, done.fitted) == (40 - have, have, 0)


def test_another_space_of_that_name_is_left_alone(tmp_path):
    library = library_of(tmp_path / "library", clusters(40)[0])
    compress(library, "8", name="small")
    with pytest.raises(UsageError, match="drop-space"):
        compress(library, "4", name="small")
    with pytest.raises(UsageError, match="has a space 'main' already"):
        compress(library, "4", name="main")
    with pytest.raises(UsageError, match="letters, digits"):
        compress(library, "4", name="../small")
    assert not (tmp_path / "small.npz").exists()
    with pytest.raises(UsageError, match="compressed already"):
        compress(library, "4", space="small")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-200] + bytes(200)), "was changed"),
        (lambda file: file.unlink(), "is gone"),
        (lambda file: file.write_bytes(b"not a projection"), "was changed"),
    ],
)
def test_a_projection_that_was_tampered_with(tmp_path, change, said):
    library = library_of(tmp_path / "library", clusters(40)[0])
    space, id = compress(library, "8").space, library.ids()[0]
    [file] = (tmp_path / "library").rglob("*.npz")
    change(file)
    with pytest.raises(PassportError, match=f"(?s){said}.*sonovec compress"):
        Library(tmp_path / "library").search(id, space=space)


def test_a_projection_whose_fingerprint_fits_and_whose_shapes_do_not(tmp_path):
    library = library_of(tmp_path / "library", clusters(40)[0])
    name = compress(library, "8").space
    space = library.spaces()[name]
    content = Projection(matrix=np.ones((3, 8), np.float32)).to_bytes()
    odd = Projection.from_bytes(content)
    assert not odd.fits(32, space) and library._store.projection(space).fits(32, space)
    assert fingerprint(content) != space.passport["projection"]
    with pytest.raises(ValueError):
        Projection.from_bytes(b"PK\x03\x04 cut")
    pickled = np.array([{"a": 1}], object)
    file = io.BytesIO()
    np.savez(file, matrix=pickled)
    with pytest.raises(ValueError, match="(?i)pickle"):
        Projection.from_bytes(file.getvalue())


def test_a_source_is_not_dropped_before_what_is_made_of_it(tmp_path):
    library = library_of(tmp_path / "library", clusters(40)[0])
    other = replace(library.spaces()["main"], name="other")
    library._store.add_space(other)
    library._store.put_vectors([(id, np.ones(32, np.float32) + n, []) for n, id in enumerate(library.ids())], "other")
    small = compress(library, "int8", space="other").space
    with pytest.raises(UsageError, match=f"drop that one first.*{small}"):
        library.drop_space("other")
    library.drop_space(small)
    library.drop_space("other")
    assert list(library.spaces()) == ["main"]


def test_a_compressed_space_has_no_encoder_and_no_places(tmp_path):
    library = library_of(tmp_path / "library", clusters(40)[0])
    space = compress(library, "8").space
    with pytest.raises(UsageError, match="encoder_of\\('main'\\)"):
        library.encoder_of(space)
    with pytest.raises(UsageError, match="space='main'"):
        library.find_places(library.ids()[0], space=space)
    with pytest.raises(UsageError, match="rerank"):
        library.search(library.ids()[0], space=space, rerank=space)


def test_vectors_of_either_length_are_searched_for(tmp_path):
    vectors, _ = clusters(40)
    library = library_of(tmp_path / "library", vectors)
    space = compress(library, "8").space
    by_source = library.search(vectors[5], 3, space=space)
    small = library._store.projection(library.spaces()[space]).apply(vectors[5][None])[0]
    assert [hit.id for hit in library.search(small, 3, space=space)] == [hit.id for hit in by_source]
    with pytest.raises(UsageError, match="shape \\(8,\\) is not of that space"):
        library.search(small, 3, space=space, rerank="main")


def test_silence_stays_without_a_direction(tmp_path):
    vectors, _ = clusters(40)
    vectors[0] = 0
    library = library_of(tmp_path / "library", vectors)
    silent = next(id for id in library.ids() if int(id[4:], 16) == 0)
    for to in ("8", "binary"):
        space = compress(library, to).space
        ids, rows = library.vectors(space).numpy()
        assert not rows[ids.index(silent)].any()
        other = next(id for id in ids if id != silent)
        [score] = [hit.score for hit in library.search(other, 40, space=space) if hit.id == silent] or [0.0]
        assert score == 0


def test_an_export_leaves_it_out_and_says_so(tmp_path, caplog):
    library = library_of(tmp_path / "library", clusters(40)[0])
    compress(library, "8")
    library.export(tmp_path / "out")
    assert "sonovec compress LIBRARY --to 8" in caplog.text
    copy = Library(tmp_path / "copy")
    copy.import_(tmp_path / "out")
    assert list(copy.spaces()) == ["main"] and compress(copy, "8").tracks == 40


@pytest.mark.slow
def test_milvus_keeps_fewer_numbers_and_refuses_others(tmp_path):
    pytest.importorskip("milvus_lite")
    library = library_of(str(tmp_path / "library.db"), clusters(40)[0])
    ids = library.ids()
    made = compress(library, "8")
    assert made.tracks == 40
    with pytest.raises(UsageError, match="int8.*--to 128"):
        compress(library, "int8")
    library.close()
    again = Library(str(tmp_path / "library.db"))
    hits = again.search(ids[0], 3, space=made.space, rerank="main", include_self=True)
    assert hits[0].id == ids[0]
    again.drop_space(made.space)
    assert again._store._backend.attachment("main_8.npz") is None
    again.close()


@pytest.mark.slow
def test_a_large_space_of_signs_gets_an_index_and_is_searched_by_it(tmp_path, monkeypatch):
    monkeypatch.setattr("sonovec.library.lance_table.INDEX_ROWS", 2_000)
    vectors, _ = clusters(3_000, dim=64, groups=100)
    library = library_of(tmp_path / "library", vectors)
    for to in ("binary", "float16", "int8"):
        space = compress(library, to).space
        known = library.index_state(space)[1]
        assert known == (None if to == "int8" else 3_000)
        id = library.ids()[7]
        found = library.search(id, 10, space=space, rerank="main")
        wanted = library.search(id, 10, exact=True)
        assert len({hit.id for hit in found} & {hit.id for hit in wanted}) >= 9
    spec = vectors_of(library.spaces()["main_binary"])
    assert library._store.table(spec).health().stale == ()
    assert Codes("binary", 64).encode(vectors[:1]).nbytes == 8
