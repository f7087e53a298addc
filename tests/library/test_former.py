"""Libraries that former versions made open, give the hits that they gave, and take what is new; see `former/make.py`."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import tarfile
from pathlib import Path

import pytest

import sonovec
from sonovec.library import sound_tags
from sonovec.paths import from_text

FORMER = Path(__file__).parent / "former"
EXPECTED = json.loads((FORMER / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_former", FORMER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.slow if name.endswith(".db") else ()) for name in EXPECTED]
)
def former(request, tmp_path):
    """The name of a library, and where it was unpacked."""
    archive = "milvus-lite" if request.param.endswith(".db") else "lance"
    with tarfile.open(FORMER / f"{archive}.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    return request.param, tmp_path / request.param


def expected_fields(track):
    """The fields of a track as they are now: the first format kept tags as text."""
    fields = {name: value for name, value in track.items() if name != "id"}
    if "sound_tags" in fields:
        fields |= dict(zip(("sound_tags", "sound_tags_scores"), sound_tags.lists(fields["sound_tags"]), strict=True))
    return fields


def test_it_opens_and_gives_the_hits_that_it_gave(former):
    name, place = former
    with sonovec.Library(place) as library:
        tracks = {track.id: dict(track.fields) for track in library.tracks()}
        assert tracks == {each["id"]: expected_fields(each) for each in EXPECTED[name]["tracks"]}
        ids = {Path(fields["path"]).name: id for id, fields in tracks.items()}
        for query, expected in EXPECTED[name]["hits"].items():
            # The former version pooled the vector of an indexed file of several parts anew, and with wrong weights.
            long = query.startswith(("s2", "s4"))
            sound, level = query.split("/")
            hits = library.search(
                ids["copy.wav" if sound == "s1.wav" else sound], limit=10, level=level, include_self=True
            )
            assert {Path(hit.path).name for hit in hits} == {each[0] for each in expected}
            assert hits[0].score == pytest.approx(1, abs=1e-5)
            if level == "segment" or not long:
                assert [hit.score for hit in hits] == pytest.approx([each[1] for each in expected], abs=2e-4)


def test_it_takes_what_is_new_and_embeds_nothing_twice(former, maker, tmp_path):
    _, place = former
    music = tmp_path / "music"
    maker.write_sounds(music)
    maker.soundfile.write(music / "new.wav", maker.tone(1000, 2, 77), 8000)
    with sonovec.Library(place) as library:
        before = {track.id for track in library.tracks()}
        report = library.add(music)
        assert report.counts.indexed == 1, report
        assert len(library) == len(before) + 1
        assert report.counts.found == 11 and report.counts.failed == 1
        paths = {from_text(track.path) for track in library.tracks()}
        assert all(path.exists() and path.parent == music for path in paths), "moved"
        assert [track.path for track in library.tracks("stars >= 5")] == [str(music / "s0.wav")]
        assert all(track.path.startswith(("music:/", "music://")) for track in library._store.tracks()), "by its alias"
        assert library.add(music).counts.indexed == 0


def test_absolute_paths_stay_until_their_folder_is_indexed_again_and_then_go_by_an_alias(former, maker, tmp_path):
    """As where nothing moved: the files lie where the library says, and only what it keeps for their paths changes."""
    _, place = former
    music = tmp_path / "music"
    maker.write_sounds(music)
    with sonovec.Library(place) as library:
        library.add(music)
    with sonovec.Library(place) as library:
        here = {track.id: track.path for track in library.tracks()}
        library._store.update({id: {"path": path} for id, path in here.items()})  # as it was kept
        with sqlite3.connect(library._local.ledger_path) as raw:
            raw.executescript(
                "DROP TRIGGER files_arrive; DROP TABLE arrivals; DROP TABLE roots; DROP TABLE analyses; DROP TABLE jobs;"
                "PRAGMA user_version = 2"
            )
    with sonovec.Library(place) as library:
        assert {track.id: track.path for track in library.tracks()} == here and library.roots() == []
        assert len(library.tracks(f"path startswith '{music}/s'")) == 4
        report = library.add(music)
        assert (report.counts.indexed, report.counts.unchanged) == (0, 7)
        assert {track.id: track.path for track in library.tracks()} == here
        assert all(track.path.startswith(("music:/", "music://")) for track in library._store.tracks())
        assert [(root.alias, root.folder, root.files) for root in library.roots()] == [("music", music, 8)]
