"""Clusters of a library: named, stored, and joined by tracks that come later."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from sonovec import Library
from sonovec.errors import UsageError
from sonovec.explore import clusters, place_new
from sonovec.explore.cluster_chart import draw_clusters
from tests.explore.grouped import DIM, KINDS, make, put, vectors

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("clusters") / "library"
    make(place).close()
    return place


@pytest.fixture
def library(made, tmp_path):
    shutil.copytree(made, tmp_path / "library")
    with Library(tmp_path / "library") as library:
        yield library


def kinds_of(found):
    return {track.path.split("/")[2] for track in found}


@pytest.mark.slow
def test_groups_are_found_named_and_stored_with_their_run(library, tmp_path):
    found = clusters(library)
    assert {name for each in found.clusters for name in kinds_of(each.tracks)} == set(KINDS)
    assert all(
        len(kinds_of(each.tracks)) == 1 and each.name.lower() in kinds_of(each.tracks) for each in found.clusters
    )
    assert all(each.representative in each.tracks for each in found.clusters)
    assert sorted({track.fields["cluster"] for track in library.tracks()}) == ["dogs", "rain", "wind"]
    assert len(library.tracks("cluster = 'rain' and cluster_share > 0.5")) == 20
    id = library.tracks(limit=1)[0].id
    assert library.ledger.analyses(id)["clusters"].version == f"kmeans-{found.run}"
    assert clusters(library, column=None).run == found.run, "the same gives the same"
    draw_clusters(found, tmp_path / "why.png")
    assert (tmp_path / "why.png").stat().st_size > 10_000


def test_new_tracks_are_placed_and_old_ones_stay(library):
    clusters(library, 3)
    before = {track.id: track.fields["cluster"] for track in library.tracks()}
    new = put(library, vectors(4, 1, seed=5), "wind", first=100)
    silent = put(library, np.zeros((1, DIM), np.float32), "silence")
    assert place_new(library) == dict.fromkeys(new, "wind") and place_new(library) == {}
    after = {track.id: track.fields["cluster"] for track in library.tracks()}
    assert {id: after[id] for id in before} == before and after[silent[0]] is None


def test_a_filter_and_another_column_leave_the_rest_alone(library):
    clusters(library, 3)
    clusters(library, 2, filter="genre = 'Rain' or genre = 'Wind'", column="weather")
    tracks = library.tracks()
    assert all((track.fields["weather"] is None) == (track.fields["genre"] == "Dogs") for track in tracks)
    assert all(track.fields["cluster"] for track in tracks)
    clusters(library, 2, filter="genre = 'Dogs'")
    assert {track.fields["genre"] for track in library.tracks("cluster != ''")} == {"Dogs"}, (
        "a new run replaces the old"
    )


def test_hdbscan_says_what_belongs_nowhere_and_silence_is_left_out(library):
    lone = put(library, -sum(vectors(1, kind) for kind in range(3)), "lone")
    put(library, np.zeros((2, DIM), np.float32), "silence")
    found = clusters(library, method="hdbscan", least=8)
    assert [track.id for track in found.outliers] == lone and len(found.clusters) == 3
    assert library.tracks("cluster = 'outlier'")[0].id == lone[0]
    assert kinds_of(found.without) == {"silence"}
    assert found.to_json()["outliers"][0]["id"] == lone[0]


def test_coordinates_of_a_map_may_stand_for_vectors(library):
    ids = sorted(track.id for track in library.tracks())
    places = np.array([[index % 2 * 10.0, index / 100] for index in range(len(ids))])
    places[0] = np.nan
    found = clusters(library, 2, coordinates=(ids, places), column=None)
    assert [len(each.tracks) for each in found.clusters] == [30, 29] and [t.id for t in found.without] == [ids[0]]
    with pytest.raises(UsageError, match=r"shape \(3, 2\)"):
        clusters(library, 2, coordinates=(ids, places[:3]))


def test_what_is_wrong_is_told_and_nothing_is_written(library):
    for wrong, words in (
        ({"count": 61}, "61 clusters of 60 tracks"),
        ({"count": 0}, "count=0"),
        ({"method": "dbscan"}, "dbscan"),
        ({"count": 2, "method": "hdbscan"}, "HDBSCAN finds"),
        ({"least": 4}, "least=4"),
        ({"filter": "genre = 'none'"}, "no track has a vector"),
        ({"count": 2, "column": "genre"}, "genre"),
    ):
        with pytest.raises(UsageError, match=words):
            clusters(library, **wrong)
    assert "cluster" not in library.columns()
    with pytest.raises(UsageError, match="no clusters are stored"):
        place_new(library)


@pytest.mark.parametrize("count", [1, 2])
def test_one_and_two_tracks_are_one_cluster(tmp_path, count):
    with make(tmp_path / "library", each=0) as library:
        put(library, vectors(count, 0), "rain")
        (only,) = clusters(library).clusters
        assert len(only.tracks) == count
