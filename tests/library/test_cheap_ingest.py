"""An index run reads files in threads, holds few of them at a time, and does little where nothing is new."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

import sonovec
from sonovec.audio.tags.read import read_tags
from sonovec.embedding import results
from sonovec.library import ingest, readers, selection
from sonovec.library import ledger as ledger_module
from sonovec.library.identity import content_hash
from sonovec.library.pending import Pending
from sonovec.library.store import Store
from sonovec.library.walk import Walk
from tests.library.invariants import check_in_step
from tests.library.test_ingest import write

posix = pytest.mark.skipif(os.name != "posix", reason="hard links")


@pytest.fixture
def sounds(tmp_path):
    for index in range(12):
        write(tmp_path / "sounds" / f"{index:02}.wav", index)
    return tmp_path / "sounds"


@pytest.fixture
def library(tmp_path):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        yield library


@pytest.mark.parametrize(("name", "original"), [("content_hash", content_hash), ("read_tags", read_tags)])
def test_files_are_read_by_several_threads_at_once_and_under_no_lock(sounds, library, monkeypatch, name, original):
    meeting, locks = threading.Barrier(2, timeout=60), []
    monkeypatch.setattr(library.encoder, "jobs", 2)
    begin = ingest._Embedding.run

    def run(self):
        locks.append(self._changed)
        begin(self)

    monkeypatch.setattr(ingest._Embedding, "run", run)

    def read(path, *check):
        meeting.wait()  # never comes back where files are read one after the other
        with locks[-1]:  # nor where the reader's caller holds the run's lock until it is read
            return original(path, *check)

    monkeypatch.setattr(ingest, name, read)
    assert library.add(sounds).counts.indexed == 12
    check_in_step(library, sounds)


def test_what_changes_after_it_was_hashed_is_not_taken_for_what_it_was(sounds, library, monkeypatch):
    read = threading.Event()

    def change(path):
        tags = read_tags(path)
        if path.name == "03.wav":  # hashed and chosen, perhaps decoded, and not committed
            write(path, 99)
            read.set()
        return tags

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "read_tags", change)
        report = library.add(sounds)
    assert read.is_set()
    assert [(Path(path).name, "changed while it was being read" in why) for path, why in report.failures] == [
        ("03.wav", True)
    ]
    assert library.add(sounds).counts.indexed == 1
    check_in_step(library, sounds)


def test_a_file_that_cannot_be_decoded_since_it_changed_is_told_as_changed(sounds, library, monkeypatch):
    hashed = ingest.content_hash

    def change(path, *check):
        content = hashed(path, *check)
        if path.name == "03.wav":
            path.write_bytes(b"no sound")
        return content

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "content_hash", change)
        report = library.add(sounds)
    assert [(Path(path).name, "changed while it was being read" in why) for path, why in report.failures] == [
        ("03.wav", True)
    ]


def test_few_files_are_held_at_a_time(tmp_path, library, monkeypatch):
    for index in range(150):
        write(tmp_path / "sounds" / f"{index:03}.wav", index)
    monkeypatch.setattr(ingest, "LOOK_UP", 8)
    monkeypatch.setattr(readers, "AHEAD", 4)
    monkeypatch.setattr(results, "AHEAD", 4)
    most, walks = [0], []
    begun, settle = Walk.__enter__, Pending.settle

    def enter(walk):
        walks.append(walk)
        return begun(walk)

    def settling(pending, outcome):
        most[0] = max(most[0], walks[0]._walked - pending.settled)
        settle(pending, outcome)

    monkeypatch.setattr(Walk, "__enter__", enter)
    monkeypatch.setattr(Pending, "settle", settling)
    assert library.add(tmp_path / "sounds").counts.indexed == 150
    assert 0 < most[0] <= 8 + 4 + 4 + 8


@posix
def test_the_work_for_copies_grows_as_their_number(sounds, library, monkeypatch):
    """Not as its square, which it does if all the holders of a content are looked at for each."""
    for number in range(1500):
        os.link(sounds / "00.wav", sounds / f"x{number:04}.wav")
    entry, made = ledger_module._entry, [0]

    def counted(*arguments):
        made[0] += 1
        return entry(*arguments)

    monkeypatch.setattr(ledger_module, "_entry", counted)
    monkeypatch.setattr(ingest, "MOST_COPIES", 50)
    monkeypatch.setattr(ingest, "PATIENCE", 0.01)
    for counts in ((12, 0, 1500), (0, 12, 1500)):
        made[0] = 0
        report = library.add(sounds)
        assert (report.counts.indexed, report.counts.unchanged, report.copies) == counts
        assert made[0] < 6 * 1512
    # The file whose path the track has goes; the first that is met takes its place, and the others are copies of it.
    (sounds / "00.wav").unlink()
    made[0] = 0
    report = library.add(sounds, prune=True)
    assert (report.counts.unchanged, report.copies, report.vanished) == (11, 1500, 1)
    assert made[0] < 6 * 1512
    check_in_step(library, sounds)


def test_a_run_that_finds_nothing_new_reads_no_file_and_asks_the_store_by_the_thousand(sounds, library, monkeypatch):
    library.add(sounds)
    asked = []
    paths = Store.paths

    def counted(self, ids):
        asked.append(len(ids))
        return paths(self, ids)

    def never(*arguments, **more):
        raise AssertionError("nothing is new")

    monkeypatch.setattr(Store, "paths", counted)
    monkeypatch.setattr(ingest, "content_hash", never)
    for method in ("put_many", "get", "delete", "update"):
        monkeypatch.setattr(Store, method, lambda self, given, method=method: never() if list(given) else {})
    assert library.add(sounds).counts.unchanged == 12
    assert asked == [12]


@pytest.mark.slow
def test_an_interrupt_while_files_are_read_leaves_no_row_that_is_wrong(sounds, library, monkeypatch):
    first, reading = [], threading.Event()

    def slow(path, check):
        if path.name > "05.wav":
            reading.wait(0.3)
        return content_hash(path, check)

    def interrupt(progress):
        if progress.done and not first:
            first.append(progress)
            raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "content_hash", slow)
    monkeypatch.setattr(readers, "AHEAD", 4)
    with pytest.raises(KeyboardInterrupt):
        library.add(sounds, progress=interrupt)
    assert library.ledger.summary().failed == 0
    assert library.add(sounds).counts.found == 12
    check_in_step(library, sounds)


def test_progress_ends_with_all_that_was_found(sounds, library):
    (sounds / "words.txt").write_text("no sound")
    told = []
    for _ in range(2):
        report = library.add(sounds, progress=told.append)
        assert (told[-1].done, told[-1].total, told[-1].unit) == (13, 13, "files") and report.counts.found == 13
        assert all(each.done <= each.total for each in told)


def test_the_living_file_of_many_copies_is_looked_for_again_when_it_gets_other_content(sounds, library, monkeypatch):
    monkeypatch.setattr(ingest, "LOOK_UP", 2)
    for number in range(8):
        shutil.copy(sounds / "00.wav", sounds / f"x{number}.wav")
    library.add(sounds)
    write(sounds / "00.wav", 77)
    for path in sounds.glob("x*"):
        path.touch()
    library.add(sounds)
    check_in_step(library, sounds)
    assert selection.REMEMBERED >= 100
