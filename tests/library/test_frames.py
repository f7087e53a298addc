from __future__ import annotations

import sys

import numpy as np
import pytest

import sonovec
from sonovec import demo


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    paths = demo.write(folder, per_kind=1)
    (folder / "mine.csv").write_text(f"path,stars,liked\n{paths[0]},5,true\n{paths[1]},,\n")
    made = sonovec.Library(tmp_path_factory.mktemp("library") / "l", model="logmel")
    made.add(folder, metadata=folder / "mine.csv")
    return made


def test_a_table_has_a_row_for_each_track_and_types_that_know_gaps(library):
    table = library.to_pandas()
    assert table.index.name == "id" and set(table.index) == {track.id for track in library}
    assert set(table.columns) == set(library.columns())
    types = {name: str(table.dtypes[name]) for name in ("path", "duration", "rate", "silent", "stars", "liked")}
    assert types == {
        "path": "string",
        "duration": "Float64",
        "rate": "Int64",
        "silent": "boolean",
        "stars": "Int64",
        "liked": "boolean",
    }
    assert table["stars"].sum() == 5 and table["stars"].isna().sum() == len(library) - 1
    track = library.tracks("stars = 5")[0]
    assert table.loc[track.id, "title"] == track.title and table.loc[track.id, "duration"] == track["duration"]


def test_vectors_are_those_of_the_tracks(library):
    table = library.to_pandas("genre = 'music'", vectors=True)
    tracks = library.tracks("genre = 'music'", vectors=True)
    assert 0 < len(table) == len(tracks) < len(library)
    for track in tracks:
        assert track.vector.shape == (192,) and track.vector.dtype == np.float32
        np.testing.assert_array_equal(table.loc[track.id, "vector"], track.vector)
    assert library.tracks(limit=1)[0].vector.shape == (0,)
    assert library.tracks(limit=0, vectors=True) == [] and len(library.tracks(limit=2, offset=1, vectors=True)) == 2


def test_nothing_makes_an_empty_table(library):
    table = library.to_pandas("duration > 1000", vectors=True)
    assert len(table) == 0 and {"path", "vector"} <= set(table.columns)


def test_without_pandas_it_says_what_to_install(library, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(sonovec.MissingExtraError, match=r"pip install 'sonovec\[pandas\]'"):
        library.to_pandas()
