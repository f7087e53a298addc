"""Jobs of a library: a cancel at any moment loses nothing, and the ledger says what became of each."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run
from sonovec.errors import Cancelled, LibraryError, LibraryLockedError
from sonovec.library.job_records import ENDED, Process, this_process
from tests.library.invariants import check_in_step


def write(path, seed, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).standard_normal(round(seconds * 8000)) / 8, 8000)


@pytest.fixture
def sounds(tmp_path):
    for number in range(4):
        write(tmp_path / "sounds" / f"{number}.wav", number)
    return tmp_path / "sounds"


@pytest.fixture
def library(tmp_path, sounds):
    with sonovec.Library(tmp_path / "library", model="logmel") as made:
        made.add(sounds)
        yield made


def change(sounds):
    """Something of all that a run finds: other content, a new file, a copy, one that was moved, and one that is gone."""
    write(sounds / "0.wav", 100)
    write(sounds / "new" / "5.wav", 5)
    shutil.copy(sounds / "1.wav", sounds / "copy.wav")
    (sounds / "2.wav").rename(sounds / "moved.wav")
    (sounds / "3.wav").unlink()


def state(library, root):
    """What a library holds and says, wherever it lies."""
    tracks = {
        track.id: {name: value for name, value in track.fields.items() if name != "path"}
        | {"path": track.path[len(root) :]}
        for track in library.tracks()
    }
    ids, vectors = library.vectors().numpy()
    by_id = {id: vector.tobytes() for id, vector in zip(ids, vectors, strict=True)}
    _, parts = library.vectors(level="segment").numpy()
    held = {str(entry.path)[len(root) :]: entry.content_hash for entry in library.ledger.entries()}
    return tracks, by_id, len(parts), held


STOPS = {"cancel": (Cancelled, "cancelled"), "error": (ZeroDivisionError, "failed")}


def stopping(number, error, reached):
    """A job that is stopped by its report of that number, whose stage is noted."""
    told = []

    def tell(progress):
        told.append(progress)
        if len(told) == number:
            reached.add(progress.stage)
            if error is not Cancelled:
                raise error
            job.cancel()

    job = sonovec.Job(tell)
    return job


@pytest.mark.parametrize(
    ("how", "step"),
    [
        ("cancel", 7),
        pytest.param("cancel", 1, marks=pytest.mark.slow),
        pytest.param("error", 1, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_stopped_at_any_report_is_taken_up(tmp_path, sounds, library, how, step):
    error, expected = STOPS[how]
    change(sounds)
    library.close()
    wanted = {"prune": True, "analysers": ["fingerprint"]}

    def copied(name):
        home = tmp_path / name
        shutil.copytree(tmp_path / "library", home / "library")
        shutil.copytree(sounds, home / "sounds")
        copy = sonovec.Library(home / "library")
        copy.move_root(str(sounds), home / "sounds")
        return home, copy

    home, whole = copied("whole")
    told = []
    with whole:
        whole.add(home / "sounds", progress=told.append, **wanted)
        check_in_step(whole, home / "sounds")
        after = state(whole, str(home))
    stages = {each.stage for each in told}
    assert len(told) > 12 and len(stages) > 5, stages
    reached, number = set(), 1 - step
    while True:
        number += step
        home, copy = copied(str(number))
        job = stopping(number, error, reached)
        with copy:
            try:
                copy.add(home / "sounds", progress=job, **wanted)
            except error:
                assert job.state == expected == copy.jobs()[0].state and copy.jobs()[0].kind == "index"
            else:
                break
            report = copy.add(home / "sounds", **wanted)
            assert report.failures == [] and copy.jobs()[0].state == "done"
            assert state(copy, str(home)) == after
            check_in_step(copy, home / "sounds")
        shutil.rmtree(home)
    assert number >= len(told) - 3, "what is waited for differs by a few ticks"
    assert reached == stages or step > 1


@pytest.mark.slow
def test_a_cancel_ends_the_reading_of_a_large_file_within_a_second(tmp_path, library):
    """While it is hashed and while it is decoded, and also in a space."""
    large = tmp_path / "more" / "large.wav"
    write(large, 7, 4800)
    for seconds in (0.02, 0.3):
        job, began = sonovec.Job(), time.monotonic()
        threading.Timer(seconds, job.cancel).start()
        with pytest.raises(Cancelled, match=r"cancelled while indexing: 0 of [01] files were done"):
            library.add(large.parent, progress=job)
        assert time.monotonic() - began < seconds + 2
    assert library.ledger.lookup(large) is None
    told = []
    library.add(large.parent, progress=told.append)
    inside = [each.audio_seconds for each in told if each.stage == "indexing" and each.done == 0]
    assert len({*inside}) > 2 and inside == sorted(inside)
    assert told[-1].audio_seconds == pytest.approx(4800, abs=1)


@pytest.mark.slow
def test_analysers_that_catch_up_can_be_cancelled(tmp_path, library):
    write(tmp_path / "more" / "large.wav", 7, 1200)
    library.add(tmp_path / "more")

    def tell(progress):
        if progress.stage.startswith("listening") and progress.audio_seconds > 100:
            job.cancel()

    job = sonovec.Job(tell)
    with pytest.raises(Cancelled, match="cancelled while listening to tracks that were there: 0 of 1 tracks were done"):
        library.add(tmp_path / "more", analysers=["fingerprint"], progress=job)
    assert library.add(tmp_path / "more", analysers=["fingerprint"]).heard == 1


# -- the ledger


@pytest.mark.slow
def test_the_ledger_has_every_job_of_every_kind(tmp_path, sounds, library, capsys):
    with sonovec.Library(library.location.address, model="sonovec-1") as other:
        other.add(sounds, space="second")
    library.drop_space("second")
    library.rename_root(str(sounds), "music")
    shutil.move(sounds, tmp_path / "there")
    library.move_root("music", tmp_path / "there")
    capsys.readouterr()
    assert run(["doctor", "-l", library.location.address, "--repair"]) == 0
    found = library.jobs()
    kinds = ["index", "space", "drop-space", "rename-root", "move-root", "repair"]
    assert [job.kind for job in found][::-1] == kinds and {job.state for job in found} == {"done"}
    assert [job.id for job in found] == sorted((job.id for job in found), reverse=True)
    first = found[-1]
    assert first.started <= first.ended and first.error is None and first.process == this_process()
    assert (first.progress.done, first.progress.total, first.progress.unit) == (4, 4, "files")
    assert first.progress.audio_seconds == pytest.approx(4)

    capsys.readouterr()
    assert run(["library", "jobs", library.location.address, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["jobs"]
    assert set(told[0]) == {
        *("id", "kind", "state", "started", "ended", "error"),
        *("stage", "done", "total", "unit", "audio_seconds", "note"),
    }
    assert [each["kind"] for each in told][::-1] == kinds
    assert run(["library", "jobs", library.location.address]) == 0
    assert capsys.readouterr().out.count("done") >= 6
    with pytest.raises(LibraryError, match="no library here"):
        sonovec.Library(tmp_path / "none").jobs()


def test_a_job_that_failed_says_why(tmp_path, library, sounds):
    write(sounds / "new.wav", 9)

    def tell(progress):
        raise ZeroDivisionError("of the\nlistener")

    with pytest.raises(ZeroDivisionError):
        library.add(sounds, progress=tell)
    record = library.jobs()[0]
    assert (record.state, record.error) == ("failed", "of the listener") and record.ended is not None


@pytest.mark.slow
def test_a_job_that_runs_is_seen_from_another_process_and_another_job_is_refused(library, sounds):
    write(sounds / "new.wav", 9)
    told, seen = [], []

    def tell(progress):
        told.append(progress)
        if len(told) == 2:  # what the first said is in the ledger by now
            command = [sys.executable, "-c", "from sonovec.cli.main import main; main()", "library", "jobs"]
            done = subprocess.run([*command, library.location.address, "--json"], capture_output=True, check=True)
            seen.append(json.loads(done.stdout)["jobs"][0])
            with pytest.raises(LibraryLockedError):
                sonovec.Library(library.location.address).add(sounds)

    library.add(sounds, progress=tell)
    assert (seen[0]["state"], seen[0]["stage"], seen[0]["ended"]) == ("running", "indexing", None)
    assert [job.state for job in library.jobs()] == ["done", "done"], "what was refused is no job of the library"


KILLED = """
import os, signal, sys, sonovec
sonovec.Library(sys.argv[1]).add(sys.argv[2], progress=lambda progress: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.slow
def test_a_job_whose_process_was_killed_has_failed(library, sounds):
    write(sounds / "new.wav", 9)
    killed = subprocess.run([sys.executable, "-c", KILLED, library.location.address, sounds], check=False)
    assert killed.returncode == -signal.SIGKILL
    record = library.jobs()[0]
    assert (record.state, record.error, record.ended) == ("failed", ENDED, None)
    library.add(sounds)
    latest, record, _ = library.jobs()
    assert (record.state, record.error) == ("failed", ENDED) and record.started < record.ended <= latest.started


def test_a_process_is_told_from_one_that_had_its_number_before():
    here = this_process()
    assert not here.is_gone() and here.pid == os.getpid()
    assert Process(here.host, here.pid, here.started - 100).is_gone()
    assert not Process("another", here.pid, here.started - 100).is_gone(), "of another host nothing is known"
