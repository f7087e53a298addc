"""What files tell of their tempo and key stays beside what analysers hear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.analysis.analyser import Analyser, Field, Findings
from tests.audio.tags import tag_writers

RATE = 16000


class Hears(Analyser):
    name, version = "hears", "1"
    fields = (Field("tempo", float),)
    file_tags = (Field("file_tempo", float, "scalar"), Field("file_key", str))

    def push(self, block):
        pass

    def finish(self):
        return Findings({"tempo": 60.0})


class Fails(Hears):
    def push(self, block):
        raise RuntimeError("of its own")


@pytest.fixture
def sounds(tmp_path):
    (tmp_path / "sounds").mkdir()
    for index in range(2):
        soundfile.write(tmp_path / "sounds" / f"{index}.flac", np.sin(np.arange(RATE) * (0.1 + index / 9)), RATE)
    tag_writers.tag(tmp_path / "sounds" / "0.flac", {"BPM": ["120"], "KEY": ["8A"], "title": ["Stir"]})
    return tmp_path / "sounds"


@pytest.fixture
def library(tmp_path):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        yield library


def columns(library):
    return {
        Path(track.path).name: tuple(track.fields.get(name) for name in ("tempo", "file_tempo", "file_key"))
        for track in library.tracks()
    }


def test_they_stay_beside_what_is_heard(sounds, library):
    assert not library.add(sounds, analysers=[Hears]).failures
    assert columns(library) == {"0.flac": (60.0, 120.0, "8A"), "1.flac": (60.0, None, None)}
    assert [track.fields["title"] for track in library.tracks("file_tempo > 100")] == ["Stir"]


def test_tracks_that_were_there_get_them_later(sounds, library):
    library.add(sounds)
    assert columns(library)["0.flac"] == (None, None, None)
    assert not library.add(sounds, analysers=[Hears]).failures
    assert columns(library) == {"0.flac": (60.0, 120.0, "8A"), "1.flac": (60.0, None, None)}


def test_they_are_kept_where_the_analyser_fails(sounds, library):
    assert library.add(sounds, analysers=[Fails]).notes
    assert columns(library)["0.flac"] == (None, 120.0, "8A")
