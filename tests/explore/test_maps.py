"""Maps: what they show, that they do not jump, how far they can be trusted, and what becomes of bad input."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness

import sonovec
from sonovec import explore
from sonovec.errors import Cancelled, LibraryError, PassportError, UsageError
from sonovec.explore import affinities, alignment, basis, trust
from sonovec.explore.mapping import read
from sonovec.explore.neighbours import nearest
from sonovec.library.open import open_store
from sonovec.library.tables import vectors_of
from tests.explore import made

METHODS = ["pca", "tsne", pytest.param("umap", marks=pytest.mark.slow)]


def kinds_of(found: explore.Map, library: sonovec.Library) -> np.ndarray:
    """The kind of each track of a map, by its folder."""
    paths = {track.id: track.path for track in library}
    return np.array([int(paths[id].split("kind ")[1][0]) for id in found.ids])


def own_kind(places: np.ndarray, kind: np.ndarray, among: np.ndarray | None = None) -> float:
    """How many of the rows have a nearest neighbour of their own kind."""
    far = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(far, np.inf)
    if among is not None:
        far[:, ~among] = np.inf
    return float((kind[far.argmin(axis=1)] == kind).mean())


@pytest.mark.parametrize(
    ("method", "dims"), [("pca", 2), ("pca", 3), ("tsne", 2), pytest.param("tsne", 3, marks=pytest.mark.slow)]
)
def test_a_map_keeps_kinds_together_and_is_the_same_in_every_run(tmp_path, method, dims):
    vectors, _ = made.groups(80)
    one = made.make(tmp_path / "one", vectors)
    found = explore.map(one, method, dims)
    assert found.places.shape == (80, dims) and found.places.dtype == np.float32
    assert own_kind(found.places, kinds_of(found, one)) > (0.95 if method == "tsne" else 0.85)
    # The same tracks, written in another order.
    other = made.make(tmp_path / "other", vectors[:40])
    made.add(other, vectors[40:], first=40)
    again = explore.map(other, method, dims)
    assert again.ids == found.ids and np.array_equal(again.places, found.places)


@pytest.mark.slow
def test_a_map_by_umap_keeps_kinds_together_and_places_new_tracks_among_them(tmp_path):
    library = made.make(tmp_path / "library", made.groups(150)[0])
    found = explore.map(library, "umap")
    assert own_kind(found.places, kinds_of(found, library)) > 0.95
    again = explore.map(library, "umap", name="again", seed=0)
    assert np.array_equal(again.places, found.places)
    made.add(library, made.groups(40, seed=1)[0], first=150)
    later = explore.map(library, "umap")
    assert later.placed == 40 and own_kind(later.places, kinds_of(later, library)) > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_a_thousand_new_tracks_move_no_old_one_and_have_the_places_that_each_has_alone(tmp_path, method):
    vectors, later = made.groups(100)[0], made.groups(1000, seed=1)[0]
    library = made.make(tmp_path / "library", vectors)
    before = explore.map(library, method)
    shutil.copytree(tmp_path / "library", tmp_path / "bit by bit")
    made.add(library, later, first=100)
    after = explore.map(library, method)
    assert after.placed == 1000 and len(after) == 1100 and after.name == before.name
    at = {id: row for row, id in enumerate(after.ids)}
    old = [at[id] for id in before.ids]
    assert np.array_equal(after.places[old], before.places)
    assert np.array_equal(after.trustworthiness[old], before.trustworthiness)
    kind, is_old = kinds_of(after, library), np.isin(np.arange(1100), old)
    assert own_kind(after.places, kind, is_old) > (0.95 if method != "pca" else 0.85)
    assert "100 tracks, and there are 1100" in after.advice

    other = sonovec.Library(tmp_path / "bit by bit")
    for start, end in [(0, 1), (1, 300), (300, 1000)]:
        made.add(other, later[start:end], first=100 + start)
        grown = explore.map(other, method)
        assert grown.placed == end - start
    assert grown.ids == after.ids and np.array_equal(grown.places, after.places)


def test_a_large_library_is_fitted_by_a_sample_and_the_rest_is_placed(tmp_path):
    library = made.make(tmp_path / "library", made.groups(200)[0])
    found = explore.map(library, sample=80)
    assert len(found.projection.sample) == 80 and found.has_place.all()
    assert own_kind(found.places, kinds_of(found, library)) > 0.95
    other = explore.map(library, name="other", sample=80, seed=1)
    assert not np.array_equal(other.projection.sample, found.projection.sample)


def test_a_map_is_kept_and_read_as_it_is(tmp_path):
    library = made.make(tmp_path / "library", made.groups(30)[0])
    found = explore.map(library, "tsne", perplexity=5)
    kept = read(sonovec.Library(tmp_path / "library"), "tsne")
    for name in ("places", "trustworthiness", "continuity", "reference"):
        assert np.array_equal(getattr(kept, name), getattr(found, name))
    assert kept.ids == found.ids and kept.projection.settings == found.projection.settings
    assert "places=<float32 (30, 2)>" in repr(kept)
    again = explore.map(library)
    assert np.array_equal(again.places, found.places) and again.placed == 0 and again.made == found.made


def test_tracks_that_are_gone_are_left_out_and_the_others_stay(tmp_path):
    library = made.make(tmp_path / "library", made.groups(40)[0])
    found = explore.map(library, "pca")
    library.remove(found.ids[3])
    fewer = explore.map(library, "pca")
    assert len(fewer) == 39 and found.ids[3] not in fewer.ids
    assert np.array_equal(fewer.places, np.delete(found.places, 3, axis=0))


def test_several_maps_have_names_of_their_own(tmp_path):
    library = made.make(tmp_path / "library", made.groups(30)[0])
    explore.map(library, "pca")
    explore.map(library, "pca", 3)
    explore.map(library, "pca", name="mine")
    assert explore.maps(library) == ["mine", "pca", "pca-3d"]
    assert explore.map(library, name="pca-3d").dims == 3
    with pytest.raises(UsageError, match=r"'mine' was made with method='pca', and method='tsne' is asked for.*--refit"):
        explore.map(library, "tsne", name="mine")
    explore.drop_map(library, "mine")
    assert explore.maps(library) == ["pca", "pca-3d"]
    with pytest.raises(UsageError, match="no map 'mine'; it has pca, pca-3d"):
        explore.drop_map(library, "mine")


def test_a_refit_is_laid_onto_the_former_map_and_says_how_much_moved(tmp_path):
    library = made.make(tmp_path / "library", made.groups(80)[0])
    first = explore.map(library, "tsne")
    same = explore.map(library, refit=True)
    assert same.method == "tsne" and same.moved.tracks == 80 and same.moved.median < 1e-5 and same.moved.far == 0
    made.add(library, made.groups(40, seed=2)[0], first=80)
    refit = explore.map(library, refit=True)
    assert refit.placed == 0 and refit.moved.tracks == 80 and 0 < refit.moved.median < 0.3
    assert "laid onto the former map by 80 tracks" in str(refit.moved)
    # Nearer to the former map than what PCA and t-SNE give by themselves.
    at = {id: row for row, id in enumerate(refit.ids)}
    rows = [at[id] for id in first.ids]
    bare = refit.projection.sample_places[rows]
    assert np.linalg.norm(refit.places[rows] - first.places) <= np.linalg.norm(bare - first.places)
    # What comes later is laid there too.
    made.add(library, made.groups(8, seed=3)[0], first=120)
    later = explore.map(library)
    assert own_kind(later.places, kinds_of(later, library)) > 0.9


@given(st.integers(0, 1000), st.sampled_from([2, 3]), st.floats(0.1, 50))
def test_procrustes_undoes_any_turn_mirroring_scale_and_move(seed, dims, scale):
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((20, dims)).astype(np.float32)
    turn, _ = np.linalg.qr(rng.standard_normal((dims, dims)))
    other = (scale * places @ turn + rng.standard_normal(dims)).astype(np.float32)
    laid = alignment.procrustes(other, places).apply(other)
    assert np.abs(laid - places).max() < 1e-4
    assert alignment.moved(laid, places).far == 0


@pytest.mark.parametrize("count", [40, 300])
def test_trust_is_that_of_scikit_learn(count):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((count, 8)).astype(np.float32)
    places = (vectors[:, :2] + 0.3 * rng.standard_normal((count, 2))).astype(np.float32)
    everything = np.arange(count)
    found = trust.measure(vectors, places, everything, everything)
    assert found.trustworthiness.mean() == pytest.approx(trustworthiness(vectors, places, n_neighbors=10), abs=1e-6)
    assert found.continuity.mean() == pytest.approx(trustworthiness(places, vectors, n_neighbors=10), abs=1e-6)


def test_points_whose_neighbourhood_lies_are_faint(tmp_path):
    vectors = made.groups(200)[0]
    places = vectors[:, :2].copy()
    places[:5] = places[[7, 10, 13, 16, 19]]  # put among others
    everything = np.arange(200)
    measured = trust.measure(vectors, places, everything, everything)
    assert np.median(measured.trustworthiness[:5]) < np.median(measured.trustworthiness)
    found = explore.map(made.make(tmp_path / "library", vectors), "pca")
    assert found.strength.min() >= 0.15 and found.strength.max() <= 1
    order = np.argsort(found.trustworthiness)
    assert (np.diff(found.strength[order]) >= 0).all()


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 600), st.integers(1, 6))
def test_neighbours_are_those_of_all_distances(seed, count, k):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 5, (count, 3)).astype(np.float32)  # with many that are as far
    k = min(k, count - 1)
    indices, distances = nearest(rows, rows, k, own=np.arange(count))
    whole = np.linalg.norm(rows[:, None].astype(float) - rows[None], axis=2)
    np.fill_diagonal(whole, np.inf)
    assert np.allclose(distances, np.sort(whole, axis=1)[:, :k], atol=1e-6)
    assert (indices != np.arange(count)[:, None]).all()


@given(st.integers(0, 1000), st.floats(1.5, 9))
def test_weights_have_the_perplexity_that_is_asked_for(seed, perplexity):
    distances = np.sort(np.random.default_rng(seed).uniform(0.1, 5, (7, 30)), axis=1)
    found = affinities.weights(distances, perplexity)
    entropy = -(found * np.log(np.maximum(found, 1e-300))).sum(axis=1)
    assert np.allclose(found.sum(axis=1), 1) and np.allclose(np.exp(entropy), perplexity, rtol=1e-6)


def test_principal_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    rows = made.groups(200)[0]
    ours, theirs = basis.fit(rows, 3), PCA(3).fit(rows)
    assert np.allclose(np.abs(ours.axes @ theirs.components_.T), np.eye(3), atol=1e-5)
    assert np.allclose(ours.shares, theirs.explained_variance_ratio_, atol=1e-6)
    assert np.allclose(np.abs(ours.apply(rows)), np.abs(theirs.transform(rows)), atol=1e-4)


# -- bad input


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_tracks_have_places_and_it_is_said(tmp_path, method, count):
    vectors = made.groups(4)[0]
    library = made.make(tmp_path / "library", vectors[:count])
    found = explore.map(library, method)
    assert found.has_place.all() and len(np.unique(found.places, axis=0)) == count
    assert found.trust == (None, None) or count > 2
    assert found.notes or (method, count) == ("pca", 3)
    made.add(library, vectors[count:], first=count)
    assert len(explore.map(library, method)) == 4


@pytest.mark.parametrize("method", METHODS)
def test_vectors_that_are_all_the_same_have_one_place(tmp_path, method):
    library = made.make(tmp_path / "library", np.tile(made.groups(1)[0], (20, 1)))
    found = explore.map(library, method)
    assert len(np.unique(found.places, axis=0)) == 1
    assert "all 20 vectors are the same" in found.notes[0]


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_many_copies_of_some_sounds_are_no_obstacle(tmp_path, method):
    library = made.make(tmp_path / "library", np.repeat(made.groups(5)[0], 12, axis=0))
    found = explore.map(library, method)
    assert found.has_place.all() and np.isfinite(found.trust).all()


def test_silence_has_no_place_and_it_is_said(tmp_path):
    vectors = made.groups(30)[0]
    vectors[[4, 9]] = 0
    library = made.make(tmp_path / "library", vectors)
    found = explore.map(library, "tsne")
    assert (~found.has_place).sum() == 2 and np.isnan(found.trustworthiness).sum() == 2
    assert any("2 of 30 tracks have no place" in note for note in found.notes)
    made.add(library, np.zeros((1, made.DIM), np.float32), first=30)
    assert (~explore.map(library).has_place).sum() == 3


def test_silence_alone_is_a_map_without_places(tmp_path):
    found = explore.map(made.make(tmp_path / "library", np.zeros((5, made.DIM), np.float32)))
    assert not found.has_place.any() and found.trust == (None, None)


def test_a_vector_that_is_no_number_has_no_place(tmp_path):
    """The store refuses one; a library that another program wrote, or that was damaged, may hold it."""
    vectors = made.groups(20)[0]
    library = made.make(tmp_path / "library", vectors)
    broken = vectors[0].copy()
    broken[3] = np.nan
    with open_store(library.location) as store:
        id = next(iter(library)).id
        store.table_to_write(vectors_of(store.space())).upsert([{"id": id, "vector": broken, "zero": False}])
    found = explore.map(library, "pca")
    assert [id_ for id_, there in zip(found.ids, found.has_place, strict=True) if not there] == [id]
    assert np.isfinite(found.places[found.has_place]).all()


def test_a_perplexity_that_is_too_much_is_reduced_and_it_is_said(tmp_path):
    library = made.make(tmp_path / "library", made.groups(16)[0])
    found = explore.map(library, "tsne", perplexity=50)
    assert found.projection.settings["perplexity"] == 5
    assert found.notes == ("perplexity=50 is too much for 16 tracks; 5 was used",)
    assert explore.map(library, "tsne", perplexity=50).placed == 0  # the same call again is no contradiction


@pytest.mark.slow
def test_neighbours_that_are_too_many_are_reduced_and_it_is_said(tmp_path):
    found = explore.map(made.make(tmp_path / "library", made.groups(8)[0]), "umap")
    assert found.notes == ("neighbours=15 are too many for 8 tracks; 7 were used",)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_rank_below_the_dimensions_leaves_axes_empty_and_it_is_said(tmp_path, dims):
    one = np.zeros((12, made.DIM), np.float32)
    one[:, 0] = np.linspace(-1, 1, 12) > 0
    one[:, 1] = 1 - one[:, 0]
    found = explore.map(made.make(tmp_path / "library", one), "pca", dims)
    assert (found.places[:, 1:] == 0).all() and np.ptp(found.places[:, 0]) > 0
    assert f"vary in 1 of {dims} directions" in found.notes[0]


def test_a_map_of_another_passport_is_refused_with_the_field(tmp_path):
    library = made.make(tmp_path / "library", made.groups(12)[0])
    other = made.make(tmp_path / "other", made.groups(12)[0], model="default")
    explore.map(library, "pca")
    shutil.copytree(tmp_path / "library" / "attachments", tmp_path / "other" / "attachments")
    with pytest.raises(PassportError, match=r"model was 'logmel' and is '.*refit=True"):
        explore.map(other, "pca")
    assert explore.map(other, "pca", refit=True).passport["model"] != "logmel"


def test_a_damaged_map_is_told_and_made_anew(tmp_path):
    library = made.make(tmp_path / "library", made.groups(12)[0])
    explore.map(library, "pca")
    file = tmp_path / "library" / "attachments" / "map-pca.npz"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(LibraryError, match="map 'pca': is damaged"):
        explore.map(library, "pca")
    assert explore.map(library, "pca", refit=True).moved is None
    assert explore.map(library, "pca").has_place.all()


def test_a_library_that_may_not_be_written_has_its_map_and_it_is_said(tmp_path, run_as_user, read_only):
    import sys

    made.make(tmp_path / "library", made.groups(12)[0])
    read_only(tmp_path / "library")
    code = (
        "import sonovec, sonovec.explore as e; found = e.map(sonovec.Library('library'), 'pca'); "
        "print(found.places.shape, found.notes)"
    )
    done = run_as_user(sys.executable, "-c", code, cwd=tmp_path)
    assert "(12, 2)" in done.stdout and "was not kept" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "tsme"}, "method='tsme' is unknown; give one of: pca, tsne, umap"),
        ({"dims": 4}, "dims=4: a map has 2 or 3"),
        ({"space": "none"}, "no space 'none'; it has main"),
        ({"name": "a/b"}, "name='a/b': a map is called by letters"),
        ({"perplexity": 0}, "perplexity=0: give a number from 1 on"),
        ({"neighbours": 1}, "neighbours=1: give a whole number from 2 on"),
        ({"sample": 2}, "sample=2: give a whole number from 4 on"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, message):
    library = made.make(tmp_path / "library", made.groups(6)[0])
    with pytest.raises(UsageError, match=message):
        explore.map(library, **arguments)
    assert explore.maps(library) == []


def test_an_empty_library_has_no_map(tmp_path):
    library = made.make(tmp_path / "library", np.zeros((0, made.DIM), np.float32))
    with pytest.raises(UsageError, match="the space 'main' holds no vectors; index some sounds first"):
        explore.map(library)
    with pytest.raises(LibraryError, match="no library here"):
        explore.map(sonovec.Library(tmp_path / "nothing"))


def test_a_map_can_be_watched_and_cancelled(tmp_path):
    library = made.make(tmp_path / "library", made.groups(60)[0])
    stages: list[str] = []
    job = sonovec.Job(lambda progress: (stages.append(progress.stage), progress.stage == "t-SNE" and job.cancel()))
    with pytest.raises(Cancelled):
        explore.map(library, progress=job)
    assert stages[0] == "reading the vectors" and "t-SNE" in stages
    assert explore.maps(library) == []
