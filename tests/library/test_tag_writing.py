"""Tempo and key go into files' tags, and the tracks follow with all that belongs to them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.analysis.analyser import Analyser, Field, Findings
from sonovec.audio.tags.read import read_sources, read_tags
from sonovec.errors import UsageError
from sonovec.library.records import Label, Passage
from tests.audio.tags import tag_writers
from tests.library.invariants import check_in_step

RATE = 16000


class Hears(Analyser):
    """Hears the first sample: below zero surely, else not."""

    name, version, rate = "hears", "1", RATE
    fields = (
        *(Field(name, float) for name in ("tempo", "tempo_confidence", "key_confidence")),
        Field("key", str),
    )
    file_tags = (Field("file_tempo", float, "scalar"), Field("file_key", str))

    def begin(self, rate, channels):
        self._first = None

    def push(self, block):
        self._first = float(block[0]) if self._first is None else self._first

    def finish(self):
        confidence = 0.99 if (self._first or 0) < 0 else 0.5
        found = {"tempo": 60.0, "tempo_confidence": confidence, "key": "F# minor", "key_confidence": confidence}
        return Findings(found)


def write(path, first=-0.5, seed=0):
    samples = np.random.default_rng(seed).normal(0, 0.1, RATE)
    samples[0] = first
    soundfile.write(path, samples, RATE)
    return path


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    write(folder / "sure.wav", seed=1)
    write(folder / "unsure.wav", 0.5, seed=2)
    tag_writers.tag(write(folder / "told.wav", seed=3), {"title": ["Stir"]})
    return folder


@pytest.fixture
def library(local_location):
    with sonovec.Library(local_location, model="logmel") as library:
        yield library


def names(paths):
    return sorted(path.rpartition("/")[2] for path, *_ in paths)


def test_the_tracks_follow(sounds, library):
    library.add(sounds, analysers=[Hears])
    before = {track.fields["path"]: track for track in library.tracks()}
    [sure] = [track for track in before.values() if "/sure" in track.path]
    library.labels.put([Label(sure.id, 0.0, 1.0, "rain", "Ann", 1.0, 1.0)])
    library.passages.put([Passage(sure.id, 0.0, 1.0, "A word.", "Ann", 1.0, "en")])
    done = library.write_tags(sounds)
    assert names(done.written) == ["sure.wav", "told.wav"] and done.unsure == 1 and not done.left
    check_in_step(library, sounds)
    after = {track.fields["path"]: track for track in library.tracks()}
    assert after.keys() == before.keys()
    told = read_tags(sounds / "told.wav")
    assert (told["title"], told["file_tempo"], told["file_key"]) == ("Stir", 60.0, "F#m")
    for path, track in after.items():
        former = before[path]
        if "/unsure" in path:
            assert track.id == former.id
            continue
        assert track.id != former.id
        assert track.fields == {**former.fields, "file_tempo": 60.0, "file_key": "F#m"}
        if "/sure" in path:
            assert [each.name for each in library.labels.get(track.id)] == ["rain"]
            assert [each.text for each in library.passages.get(track.id)] == ["A word."]
    assert library.labels.get(sure.id) == []


def test_a_tempo_that_only_the_name_tells_is_written(sounds, library):
    path = write(sounds / "loop 60 BPM.wav", seed=4)
    library.add(sounds, analysers=[Hears])
    assert [track.fields["file_tempo"] for track in library.tracks("path contains 'BPM'")] == [60.0]
    assert "loop 60 BPM.wav" in names(library.write_tags(sounds).written)
    sources, _ = read_sources(path)
    assert [source["TBPM"] for source in sources if "TBPM" in source] == [["60"]]
    check_in_step(library, sounds)
    assert library.write_tags(sounds).written == []


def test_nothing_is_embedded_heard_or_written_again(sounds, library):
    library.add(sounds, analysers=[Hears])
    library.write_tags(sounds)
    written = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in sounds.iterdir()}
    report = library.add(sounds, analysers=[Hears])
    assert (report.counts.unchanged, report.counts.found, report.heard) == (3, 3, 0)
    again = library.write_tags(sounds)
    assert (again.written, again.left, again.there, again.unsure) == ([], [], 2, 1)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in sounds.iterdir()} == written
    assert library.add(sounds, reread=True).counts.unchanged == 3


def test_vectors_are_the_same(sounds, library):
    library.add(sounds, analysers=[Hears])
    [before] = [track.id for track in library.tracks() if "/sure" in track.path]
    vector, segment = library._store.clip_vectors([before])[before], library._store.segments([before])[before][0]
    library.write_tags(sounds / "sure.wav")
    [after] = [track.id for track in library.tracks() if "/sure" in track.path]
    assert np.array_equal(library._store.clip_vectors([after])[after], vector)
    assert np.array_equal(library._store.segments([after])[after][0].vector, segment.vector)
    assert library._store.clip_vectors([before]) == {}


def test_copies_of_a_file(sounds, library):
    shutil.copy(sounds / "sure.wav", sounds / "copy.wav")
    library.add(sounds, analysers=[Hears])
    done = library.write_tags(sounds)
    assert names(done.written) == ["copy.wav", "sure.wav", "told.wav"]
    check_in_step(library, sounds)
    assert library.add(sounds).counts.indexed == 0 and len(library) == 3


def test_one_of_two_copies(sounds, library):
    shutil.copy(sounds / "sure.wav", sounds / "copy.wav")
    library.add(sounds, analysers=[Hears])
    for name in ("sure.wav", "copy.wav"):
        library.write_tags(sounds / name)
        check_in_step(library, sounds)


def test_what_is_left_alone_is_named(sounds, library):
    library.add(sounds, analysers=[Hears])
    write(sounds / "told.wav", seed=9)
    (sounds / "sure.wav").chmod(0o444)
    old = (sounds / "sure.wav").read_bytes()
    done = library.write_tags(sounds)
    assert done.written == [] and names(done.left) == ["sure.wav", "told.wav"]
    notes = {path.rpartition("/")[2]: note for path, note in done.left}
    assert "may not be written" in notes["sure.wav"] and "index it first" in notes["told.wav"]
    assert (sounds / "sure.wav").read_bytes() == old


def test_a_library_without_music(sounds, library):
    library.add(sounds)
    with pytest.raises(UsageError, match="--music"):
        library.write_tags(sounds)


KILLED = """
import os, signal, sys
import sonovec
from sonovec.audio.tags.writing import write
from sonovec.library import tag_writing
from sonovec.library.ledger import Ledger
from sonovec.paths import atomic

def die(*args, **named):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[3] == "before":
    write._refuse_changed = lambda path, before, seen=[]: seen.append(1) or (len(seen) == 2 and die())
else:
    Ledger.record_many = die
sonovec.Library(sys.argv[1]).write_tags(sys.argv[2])
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_the_replacement(tmp_path, sounds, when):
    folder = tmp_path / "library"
    with sonovec.Library(folder, model="logmel") as library:
        library.add(sounds, analysers=[Hears])
        library.labels.put([Label(track.id, 0.0, 1.0, "rain", "Ann", 1.0, 1.0) for track in library.tracks()])
    old = {path: path.read_bytes() for path in sounds.iterdir()}
    done = subprocess.run([sys.executable, "-c", KILLED, folder, sounds, when], check=False)
    assert done.returncode == -signal.SIGKILL
    changed = [path for path, content in old.items() if path.read_bytes() != content]
    assert len(changed) == (when == "after")
    with sonovec.Library(folder) as library:
        unsure = sounds / "unsure.wav"
        library.write_tags(unsure)  # brings in line what it finds, and leaves what an index run will take
        report = library.add(sounds, analysers=[Hears])
        assert report.counts.unchanged == 3 and report.heard == 0
        check_in_step(library, sounds)
        assert len(library.write_tags(sounds).written) == 2 - len(changed)
        check_in_step(library, sounds)
        assert [each.name for track in library.tracks() for each in library.labels.get(track.id)] == ["rain"] * 3
