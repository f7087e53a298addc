"""``sonovec cluster``, ``outliers`` and ``fad``: tables, playlists, and what is said of wrong use."""

from __future__ import annotations

import numpy as np
import pytest

from sonovec.cli.main import run
from tests.explore.grouped import DIM, make, put, vectors

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("groups") / "library"
    with make(place) as library:
        put(library, -sum(vectors(1, kind) for kind in range(3)), "lone")
        put(library, np.zeros((1, DIM), np.float32), "silence")
    return str(place)


def test_cluster_shows_names_and_representatives(place, tmp_path, capsys):
    assert run(["cluster", place, "-k", "3", "--picture", str(tmp_path / "why.png")]) == 0
    told = capsys.readouterr()
    header, *rows = (line.split("\t") for line in told.out.splitlines())
    assert header == ["cluster", "tracks", "far out", "representative", "more often than elsewhere"]
    assert {row[0] for row in rows} >= {"wind", "dogs"} and (tmp_path / "why.png").is_file()
    assert "1 track without a direction" in told.err
    assert run(["cluster", place, "--new"]) == 0 and capsys.readouterr().out == "no track is new\n"
    assert run(["cluster", place, "-k", "2", "--dry-run", "--m3u"]) == 0
    assert capsys.readouterr().out.count("#EXTINF:5,") == 2
    assert run(["list", "-l", place, "--filter", "cluster = 'wind'", "-0"]) == 0
    assert capsys.readouterr().out.count("\0") == 20


def test_outliers_shows_what_stands_out(place, capsys):
    assert run(["outliers", place]) == 0
    header, first, *_ = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header == ["factor", "stands out", "path", "nearest", "cosine", "came"]
    assert first[1:3] == ["yes", "/sounds/lone/0.wav"]
    assert run(["outliers", place, "-n", "2", "--m3u"]) == 0 and capsys.readouterr().out.count("#EXTINF") == 2
    assert run(["outliers", place, "--since", "1d"]) == 0
    assert capsys.readouterr().out == "none: no track came since then\n"


def test_fad_prints_both_distances(place, capsys):
    assert run(["fad", place, place, "--within-other", "genre != 'Dogs'"]) == 0
    plain, corrected, what = capsys.readouterr().out.splitlines()
    assert plain.startswith("FAD   ") and corrected.startswith("FAD corrected") and what.startswith("61 and 41 vectors")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("cluster {} --new -k 3", "--new only places"),
        ("cluster {} -k 99", "99 clusters of 61 tracks"),
        ("cluster {} --picture why.jpg", "PNG"),
        ("cluster {} --json --m3u", "different forms"),
        ("outliers {} --since yesterday", "is not a time"),
        ("outliers {} --space voice", "voice"),
        ("fad {} nowhere.npz", "cannot be read"),
        ("cluster nowhere", "no library here"),
    ],
)
def test_what_is_wrong_is_told(place, command, words, capsys):
    assert run(command.format(place).split()) == 2
    assert words in capsys.readouterr().err
