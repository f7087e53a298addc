"""``sonovec map``: what it prints, writes and refuses."""

from __future__ import annotations

import json

import pytest

from tests.explore import made


@pytest.fixture
def place(tmp_path):
    made.make(tmp_path / "library", made.groups(30)[0]).close()
    return tmp_path / "library"


def test_a_map_is_made_and_written_in_one_call(sonovec, place, tmp_path):
    code, out, err = sonovec(
        "map", place, "--method", "pca", "-o", tmp_path / "map.html", "--export", tmp_path / "map.parquet"
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("map pca: 30 tracks by pca in 2 dimensions; trustworthiness 0.")
    assert lines[1:] == [f"written to {tmp_path / 'map.html'}", f"written to {tmp_path / 'map.parquet'}"]
    assert (tmp_path / "map.html").exists() and (tmp_path / "map.parquet").exists()


def test_it_says_what_is_new_and_what_moved(sonovec, place):
    assert sonovec("map", place, "--method", "pca")[0] == 0
    library = made.sonovec.Library(place)
    made.add(library, made.groups(50, seed=1)[0], first=30)
    library.close()
    code, out, err = sonovec("map", place, "--method", "pca")
    assert code == 0 and "50 new tracks were placed; no other moved" in out
    assert "was fitted when there were 30 tracks, and there are 80" in err and "--refit" in err
    code, out, err = sonovec("map", place, "--method", "pca", "--refit")
    assert "laid onto the former map by 80 tracks" in out and err == ""
    told = json.loads(sonovec("map", place, "--method", "pca", "--refit", "--json")[1])
    assert told["moved"]["tracks"] == 80 and told["placed"] == 0


def test_maps_are_listed_and_dropped(sonovec, place):
    assert sonovec("map", place, "--list")[1] == "no maps\n"
    sonovec("map", place, "--method", "pca", "--name", "mine")
    assert sonovec("map", place, "--list")[1].splitlines()[1].startswith("mine\tpca\t2\tmain\t30\t")
    assert sonovec("map", place, "--drop", "mine")[:2] == (0, "no maps\n")
    code, _, err = sonovec("map", place, "--drop", "mine")
    assert code == 2 and "no map 'mine'" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "map.gif"], "a map is written as .html, .png, .svg or .pdf; give a name such as map.html"),
        (["-o", "map.png", "--thumbnails"], "--thumbnails are for the cards of a page; give -o map.html"),
        (["--export", "map.csv"], "a map is exported as .parquet"),
        (["-o", "no/such/../folder/map.html", "--color", "moood", "--method", "pca"], "'moood' is no column"),
        (["--space", "none"], "no space 'none'"),
    ],
)
def test_what_cannot_be_is_refused(sonovec, place, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = sonovec("map", place, *arguments)
    assert code == 2 and message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library"]


def test_a_place_without_a_library_is_refused(sonovec, tmp_path):
    code, _, err = sonovec("map", tmp_path / "none")
    assert code == 2 and "no library here" in err
