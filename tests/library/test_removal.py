"""Removing tracks and files: the store and the ledger agree afterwards, also after a kill in between."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import UsageError
from sonovec.library import removal
from sonovec.library.consistency import examine


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number, name in enumerate("abcd"):
        noise = np.random.default_rng(number).standard_normal(8000 * (number + 1)) / 9
        soundfile.write(folder / f"{name}.wav", noise, 8000)
    shutil.copy(folder / "a.wav", folder / "copy of a.wav")
    return folder


@pytest.fixture
def library(folder, local_location):
    with sonovec.Library(local_location, model="logmel") as library:
        library.add(folder)
        yield library


def agree(library):
    """Nothing of a track is left, and the counts of every run are still the sum of its outcomes."""
    state = examine(library._store, library.ledger)
    assert not list(state.faults())
    assert list(library.ledger.unsettled()) == []
    held = {entry.content_hash for entry in library.ledger.entries() if entry.held}
    assert held == {track.id for track in library.tracks()}
    assert library.ledger.summary().found == sum(1 for _ in library.ledger.entries())


def names(library):
    return sorted(track.path.rpartition("/")[2] for track in library.tracks())


def test_by_path_digits_and_filter(library, folder):
    ids = {track.path: track.id for track in library.tracks()}
    b, c = str(folder / "b.wav"), str(folder / "c.wav")
    planned = library.remove([b, ids[c][:8]], dry_run=True)
    assert planned.tracks == {ids[b]: b, ids[c]: c} and len(library) == 4
    assert library.remove([b, ids[c][:8]]) == planned
    assert planned.files == (folder / "b.wav", folder / "c.wav")
    assert names(library) == ["a.wav", "d.wav"]
    assert list(library.remove(filter="duration > 3").tracks.values()) == [str(folder / "d.wav")]
    agree(library)
    assert library.search(str(folder / "a.wav"), include_self=True)[0].score == 1.0
    report = library.add(folder)
    assert (report.counts.indexed, report.counts.unchanged, report.counts.skipped) == (3, 1, 1)
    agree(library)


def test_a_file_goes_and_its_copy_takes_over(library, folder):
    found = library.remove(folder / "a.wav")
    assert not found.tracks and list(found.kept.values()) == [str(folder / "a.wav")]
    assert names(library) == ["b.wav", "c.wav", "copy of a.wav", "d.wav"]
    agree(library)
    assert list(library.remove(folder / "copy of a.wav").tracks.values()) == [str(folder / "copy of a.wav")]
    assert names(library) == ["b.wav", "c.wav", "d.wav"]
    agree(library)


def test_a_track_goes_with_all_its_copies(library, folder):
    id = library.show(folder / "copy of a.wav").id
    assert library.remove(id).files == (folder / "a.wav", folder / "copy of a.wav")
    agree(library)


def test_what_is_no_track_removes_nothing(library, folder):
    with pytest.raises(UsageError, match="'nowhere.wav': no track has this path or id"):
        library.remove([folder / "b.wav", "nowhere.wav"])
    with pytest.raises(UsageError, match="nothing to remove; give tracks"):
        library.remove()
    assert len(library) == 4


@pytest.mark.parametrize("step", ["mark", "forget", "delete", "settle"])
def test_a_removal_that_was_killed_is_repaired_by_the_next_run(library, folder, monkeypatch, step):
    """After each of its steps: the file is there still, so the library holds it again, whole."""
    owner = library._store if step == "delete" else library.ledger
    done = getattr(owner, step)

    def killed(*arguments):
        done(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, killed)
        with pytest.raises(KeyboardInterrupt):
            library.remove(folder / "b.wav")
    library.add(folder)
    assert names(library) == ["a.wav", "b.wav", "c.wav", "d.wav"]
    agree(library)


def test_a_plan_without_a_ledger_has_no_files(library):
    ids = [track.id for track in library.tracks()]
    planned = removal.plan(library._store, None, lambda id, path: path, ids, [])
    assert planned.tracks.keys() == set(ids) and planned.files == ()
