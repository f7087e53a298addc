"""What a query is itself is left out of its answer, however it is given, and the answer is as long as ever."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run
from sonovec.embedding.encoder import Encoder

RATE = 16000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six sounds of noise, one in two places, and a copy of another that lies outside what is indexed."""
    folder = tmp_path_factory.mktemp("queries")
    (folder / "sounds").mkdir()
    for seed in range(6):
        noise = np.random.default_rng(seed).standard_normal(12 * RATE) / 9
        soundfile.write(folder / "sounds" / f"{seed}.wav", noise, RATE)
    shutil.copy(folder / "sounds" / "1.wav", folder / "sounds" / "also 1.wav")
    shutil.copy(folder / "sounds" / "2.wav", folder / "elsewhere.wav")
    with sonovec.Library(folder / "library", model="logmel", segment_seconds=2) as library:
        library.add(folder / "sounds")
    return folder


@pytest.fixture
def library(folder):
    with sonovec.Library(folder / "library") as library:
        yield library


def names(hits):
    return [Path(hit.path).name for hit in hits]


@pytest.mark.parametrize("level", ["track", "segment"])
@pytest.mark.parametrize("part", [{}, {"start": 2.0, "end": 6.0}])
def test_the_query_is_left_out_unless_it_is_asked_for(folder, library, level, part):
    (track,) = (track.id for track in library.tracks("path contains '2.wav'"))
    queries = [folder / "sounds" / "2.wav", folder / "elsewhere.wav", *([] if part else [track])]
    for query in queries:
        for limit in (1, 3, 5, 9):
            found = library.search(query, limit, level=level, **part)
            everything = library.search(query, limit + 1, level=level, include_self=True, **part)
            assert everything[0].id == track
            assert [hit.id for hit in found] == [hit.id for hit in everything if hit.id != track]
            assert len(found) == min(limit, 5)


def test_a_copy_of_the_query_under_another_name_is_the_query(folder, library):
    for name in ("1.wav", "also 1.wav"):
        assert set(names(library.search(folder / "sounds" / name))) == {"0.wav", "2.wav", "3.wav", "4.wav", "5.wav"}


def test_samples_and_vectors_are_of_no_track(folder, library):
    samples = soundfile.read(folder / "sounds" / "3.wav", dtype="float32")
    vector = library.encoder.embed(samples).vector
    assert names(library.search(samples, 1)) == names(library.search(vector, 1)) == ["3.wav"]


def test_a_file_with_a_content_that_is_indexed_is_not_embedded(folder, library, monkeypatch):
    monkeypatch.setattr(Encoder, "embed", None)
    found = library.search(folder / "elsewhere.wav", include_self=True)
    assert names(found[:1]) == ["2.wav"] and found[0].score == 1.0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_what_can_be_read_only_once_is_not_read_for_its_hash(tmp_path, library, monkeypatch):
    from sonovec.library import queries

    monkeypatch.setattr(queries, "content_hash", None)
    os.mkfifo(tmp_path / "pipe")
    assert library._queries("main").content_of(tmp_path / "pipe") is None


def test_the_only_track_is_no_answer_to_itself_and_the_reason_says_so(folder, tmp_path, capsys):
    place = tmp_path / "library"
    with sonovec.Library(place, model="logmel") as library:
        library.add(folder / "sounds" / "0.wav")
    query = str(folder / "sounds" / "0.wav")
    assert run(["search", query, "-l", str(place), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["hits"] == [] and told["reason"].startswith("no track but the query itself; ")
    assert "--include-self" in told["reason"]
    assert run(["search", query, "-l", str(place), "--include-self"]) == 0
    assert "1.000" in capsys.readouterr().out
    assert run(["search", "--text", "rain", "-l", str(place), "--include-self"]) == 2
    assert "--include-self is for a sound" in capsys.readouterr().err
