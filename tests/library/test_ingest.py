"""What an index run makes of changes on disk and of the user's own columns; also if it is killed between any two writes."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.embedding import source
from sonovec.errors import UsageError
from sonovec.library import ingest
from sonovec.library.identity import content_hash
from sonovec.library.lance_table import LanceTable
from sonovec.library.ledger import Ledger
from sonovec.library.store import Store
from tests.library.invariants import check_in_step

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


def write(path: Path, seed: int, title: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", 8000, 1, format="WAV") as file:
        if title:
            file.title = title
        file.write(np.random.default_rng(seed).standard_normal(4000) / 8)
    return path


@pytest.fixture
def sounds(tmp_path):
    for index in range(4):
        write(tmp_path / "sounds" / f"{index}.wav", index)
    return tmp_path / "sounds"


@pytest.fixture
def library(tmp_path):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        yield library


@pytest.fixture
def work(monkeypatch):
    """Files that were really embedded, and files that were hashed."""
    done = {"embedded": [], "hashed": []}
    pool_many, original = sonovec.Encoder.pool_many, content_hash

    def embedding(self, sounds, *more):
        def tap():
            for sound in sounds:
                done["embedded"].append(Path(sound).name)
                yield sound

        return pool_many(self, tap(), *more)

    def hashing(path, check):
        done["hashed"].append(Path(path).name)
        return original(path, check)

    monkeypatch.setattr(sonovec.Encoder, "pool_many", embedding)
    monkeypatch.setattr(ingest, "content_hash", hashing)
    return done


def csv(sounds: Path, text: str) -> Path:
    path = sounds.parent / "mine.csv"
    path.write_text(text)
    return path


def by_name(library) -> dict[str, dict]:
    return {Path(track.path).name: dict(track.fields) for track in library.tracks()}


def column(library, name: str) -> dict[str, object]:
    return {file: fields[name] for file, fields in by_name(library).items()}


# -- what is gone


def test_a_disk_that_is_not_mounted_keeps_its_files(sounds, library):
    library.add(sounds)
    shutil.rmtree(sounds)
    sounds.mkdir()
    for prune in (False, True):
        report = library.add(sounds, prune=prune)
        assert (report.withheld, report.vanished, report.pruned) == ([(str(sounds), 4)], 0, prune)
        assert len(library) == 4
    report = library.add(sounds, prune="all")
    assert (report.withheld, report.vanished, len(library)) == ([], 4, 0)
    check_in_step(library, sounds)


def test_what_is_withheld_can_be_asked_for(tmp_path, library):
    for index in range(3):
        write(tmp_path / "m" / "usb" / f"{index}.wav", index)
        write(tmp_path / "m" / "album" / f"{index}.wav", 10 + index)
    write(tmp_path / "m" / "single.wav", 20)
    library.add(tmp_path / "m")
    for folder in ("usb", "album"):
        shutil.rmtree(tmp_path / "m" / folder)
        (tmp_path / "m" / folder).mkdir()
    (tmp_path / "m" / "single.wav").unlink()
    write(tmp_path / "m" / "new.wav", 21)
    asked = []

    def confirm(place, files):
        asked.append((place.name, files))
        return place.name == "album"

    report = library.add(tmp_path / "m", prune=True, confirm=confirm)
    assert asked == [("album", 3), ("usb", 3)]
    assert report.withheld == [(str(tmp_path / "m" / "usb"), 3)] and report.vanished == 4
    assert sorted(by_name(library)) == ["0.wav", "1.wav", "2.wav", "new.wav"]
    with pytest.raises(UsageError, match="prune='al' is unknown; give one of: True, False, 'all'"):
        library.add(tmp_path / "m", prune="al")


def test_a_folder_that_fails_to_be_listed_is_not_gone(tmp_path, library, monkeypatch):
    write(tmp_path / "m" / "bad" / "1.wav", 1)
    write(tmp_path / "m" / "2.wav", 2)
    library.add(tmp_path / "m")
    shutil.rmtree(tmp_path / "m" / "bad")
    (tmp_path / "m" / "bad").mkdir()
    original = os.scandir

    def failing(path):
        if Path(path).name == "bad":
            raise OSError(errno.EIO, "Input/output error")
        return original(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", failing)
        report = library.add(tmp_path / "m", prune="all")
    assert (report.vanished, report.withheld, len(library)) == (0, [], 2)
    assert [reason for _, reason in report.failures] == ["cannot be read (Input/output error)"]


# -- the same size and time


def test_other_content_of_the_same_size_and_time_is_found(sounds, library, work):
    library.add(sounds)
    before = (sounds / "0.wav").stat()
    write(sounds / "0.wav", 99)
    os.utime(sounds / "0.wav", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert library.add(sounds).counts.indexed == 1
    assert work["embedded"][4:] == ["0.wav"]
    check_in_step(library, sounds)


@posix
def test_new_rights_and_names_are_read_again_and_not_embedded(sounds, library, work):
    library.add(sounds)
    work["hashed"].clear()
    (sounds / "0.wav").chmod(0o600)
    os.link(sounds / "1.wav", sounds / "link.wav")
    report = library.add(sounds)
    assert (report.counts.unchanged, report.copies) == (4, 1)
    assert work["hashed"] == ["0.wav", "1.wav", "link.wav"] and len(work["embedded"]) == 4
    work["hashed"].clear()
    library.add(sounds)
    assert work["hashed"] == []


def test_reread_reads_all_and_embeds_what_differs(sounds, library, work):
    library.add(sounds)
    with sqlite3.connect(library._local.ledger_path) as raw:  # a file system that does not keep the time of a change
        raw.execute("UPDATE files SET ctime_ns = NULL")
    before = (sounds / "0.wav").stat()
    write(sounds / "0.wav", 99)
    os.utime(sounds / "0.wav", ns=(before.st_atime_ns, before.st_mtime_ns))
    with sqlite3.connect(library._local.ledger_path) as raw:
        raw.execute("UPDATE files SET ctime_ns = NULL")
    assert library.add(sounds).counts.unchanged == 4
    work["hashed"].clear()
    assert library.add(sounds, reread=True).counts.indexed == 1
    assert work["hashed"] == ["0.wav", "1.wav", "2.wav", "3.wav"] and work["embedded"][4:] == ["0.wav"]


def test_a_ledger_without_the_other_time_is_filled_in_and_nothing_is_read(sounds, library, work):
    library.add(sounds)
    with sqlite3.connect(library._local.ledger_path) as raw:
        raw.execute("UPDATE files SET ctime_ns = NULL")
    work["hashed"].clear()
    assert library.add(sounds).counts.unchanged == 4
    assert work["hashed"] == []
    assert {entry.ctime_ns for entry in library.ledger.entries()} == {p.stat().st_ctime_ns for p in sounds.iterdir()}


def test_a_file_whose_rights_change_while_it_is_read_is_indexed(sounds, library, monkeypatch):
    take = ingest._Embedding._take

    def taking(self, result):
        if result.path.name == "0.wav":
            os.utime(result.path, ns=(1, 1))
        if result.path.name == "1.wav":
            write(result.path, 50)
        take(self, result)

    monkeypatch.setattr(ingest._Embedding, "_take", taking)
    report = library.add(sounds)
    assert [(Path(path).name, "changed while it was being read" in reason) for path, reason in report.failures] == [
        ("1.wav", True)
    ]
    assert report.counts.indexed == 3


# -- what is left out


def test_what_is_left_out_by_its_name_is_in_the_report(sounds, library, tmp_path):
    sonovec.Library(sounds / "other", model="logmel").add(sounds / "0.wav")
    shutil.copy(sounds / "0.wav", sounds / "x.mp3.part")
    write(sounds / ".Trash-1000" / "1.wav", 1)
    (sounds / "cover.jpg").write_bytes(b"x")
    report = library.add(sounds)
    assert {Path(path).name: reason for path, reason in report.left_out} == {
        ".Trash-1000": "hidden: a waste basket",
        "other": "a library of sonovec",
        "x.mp3.part": "an unfinished download",
    }
    assert (report.counts.indexed, report.counts.skipped) == (4, 4)
    assert library.ledger.lookup(sounds / "other").reason == "a library of sonovec"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["library", "library.db"])
def test_its_own_files_among_the_sounds_are_passed_over(sounds, name):
    with sonovec.Library(sounds / name, model="logmel") as library:
        for _ in range(2):
            report = library.add(sounds)
            assert report.counts.found == 4 and report.left_out == []


# -- the user's own columns


def test_a_column_keeps_its_type_and_an_empty_one_clears(sounds, library):
    library.add(sounds, metadata=csv(sounds, "path,x,n,word\nsounds/0.wav,1.5,3,a\nsounds/1.wav,NA,4,b\n"))
    library.add(sounds, metadata=csv(sounds, "path,x,n,word\nsounds/0.wav,2,5.0,007\nsounds/2.wav,7,,\n"))
    assert column(library, "x") == {"0.wav": 2.0, "1.wav": None, "2.wav": 7.0, "3.wav": None}
    assert column(library, "n") == {"0.wav": 5, "1.wav": 4, "2.wav": None, "3.wav": None}
    assert column(library, "word")["0.wav"] == "007"
    with pytest.raises(UsageError, match=r"mine\.csv, line 2: n='1\.5' must be a whole number"):
        library.add(sounds, metadata=csv(sounds, "path,n,other\nsounds/0.wav,1.5,2\n"))
    assert "other" not in library.tracks()[0].fields
    library.add(sounds, metadata=csv(sounds, "path,word,unknown\nsounds/0.wav,,\nsounds/1.wav,-,\n"))
    assert column(library, "word") == dict.fromkeys(by_name(library))
    assert column(library, "x")["0.wav"] == 2.0 and "unknown" not in library.tracks()[0].fields


def test_the_same_rows_again_write_nothing(sounds, library, monkeypatch):
    rows = csv(sounds, "path,word,title\nsounds/0.wav,a,T\nsounds/1.wav,,\n")
    library.add(sounds, metadata=rows)
    updates = []
    monkeypatch.setattr(Store, "update", lambda self, changes: updates.append(changes) or {})
    library.add(sounds, metadata=rows)
    assert [each for each in updates if each] == []


@pytest.mark.parametrize("ledger", ["as it is", "without what was given"])
def test_columns_survive_other_content_at_the_same_path(sounds, library, ledger):
    write(sounds / "0.wav", 0, title="wrong")
    rows = csv(sounds, "path,word,n,title\nsounds/0.wav,calm,3,right\nsounds/1.wav,wild,,\n")
    library.add(sounds, metadata=rows)
    if ledger != "as it is":  # one of format 1, or of another machine
        with sqlite3.connect(library._local.ledger_path) as raw:
            raw.execute("UPDATE files SET fields = NULL")
    write(sounds / "0.wav", 90, title="new")
    write(sounds / "1.wav", 91, title="new")
    assert library.add(sounds).counts.indexed == 2
    fields = by_name(library)
    assert (fields["0.wav"]["word"], fields["0.wav"]["n"], fields["1.wav"]["word"]) == ("calm", 3, "wild")
    assert fields["0.wav"]["title"] == ("right" if ledger == "as it is" else "new"), (
        "what was corrected stays corrected"
    )
    assert fields["1.wav"]["title"] == "new", "what was not is read anew"
    write(sounds / "0.wav", 92)
    library.add(sounds, metadata=csv(sounds, "path,word\nsounds/0.wav,loud\n"))
    assert (column(library, "word")["0.wav"], column(library, "n")["0.wav"]) == ("loud", 3)
    check_in_step(library, sounds)


def test_columns_go_with_a_file_that_moves(sounds, library):
    library.add(sounds, metadata=csv(sounds, "path,word,title\nsounds/0.wav,calm,right\n"))
    (sounds / "0.wav").rename(sounds / "moved.wav")
    library.add(sounds)
    write(sounds / "moved.wav", 90)
    library.add(sounds)
    fields = by_name(library)["moved.wav"]
    assert (fields["word"], fields["title"]) == ("calm", "right")


def test_the_row_of_a_copy_is_kept_and_used_when_it_takes_over(sounds, library):
    shutil.copy(sounds / "0.wav", sounds / "copy.wav")
    rows = csv(sounds, "path,word,n\nsounds/0.wav,dog,1\nsounds/copy.wav,animal,\nsounds/nope.wav,x,\n")
    report = library.add(sounds, metadata=rows)
    copy, original = str(sounds / "copy.wav"), str(sounds / "0.wav")
    assert report.metadata_copies == [(copy, original)]
    assert report.metadata_unused == ["sounds/nope.wav"]
    assert column(library, "word")["0.wav"] == "dog"
    assert library.ledger.lookup(copy).fields == {"word": "animal", "n": None}
    library.add(sounds)
    (sounds / "0.wav").unlink()
    library.add(sounds, prune=True)
    assert (column(library, "word")["copy.wav"], column(library, "n")["copy.wav"]) == ("animal", None)
    check_in_step(library, sounds)


def test_a_copy_without_a_row_keeps_what_the_track_had(sounds, library):
    shutil.copy(sounds / "0.wav", sounds / "copy.wav")
    library.add(sounds, metadata=csv(sounds, "path,word\nsounds/0.wav,dog\n"))
    (sounds / "0.wav").unlink()
    library.add(sounds, prune=True)
    assert column(library, "word")["copy.wav"] == "dog"


def test_the_order_of_a_copy_and_its_original_does_not_matter(sounds, library):
    shutil.copy(sounds / "3.wav", sounds / "a.wav")
    report = library.add(sounds, metadata=csv(sounds, "path,word\nsounds/3.wav,three\nsounds/a.wav,a\n"))
    assert [Path(path).name for path, _ in report.metadata_copies] == ["a.wav"] and column(library, "word")[
        "3.wav"
    ] == "three"
    shutil.copy(sounds / "3.wav", sounds / "0.first.wav")
    report = library.add(sounds, metadata=csv(sounds, "path,word\nsounds/0.first.wav,first\nsounds/3.wav,third\n"))
    assert len(report.metadata_copies) == 1 and column(library, "word")["3.wav"] == "third"


@posix
def test_the_row_of_a_link_is_kept(sounds, library):
    (sounds / "link.wav").symlink_to(sounds / "0.wav")
    report = library.add(sounds, metadata=csv(sounds, "path,word\nsounds/0.wav,dog\nsounds/link.wav,animal\n"))
    assert report.metadata_unused == [] and len(report.metadata_copies) == 1
    assert library.ledger.lookup(sounds / "link.wav").fields == {"word": "animal"}


def test_the_row_of_a_file_that_fails_is_kept_until_it_does_not(sounds, library):
    (sounds / "0.wav").write_text("no sound")
    report = library.add(sounds, metadata=csv(sounds, "path,word\nsounds/0.wav,calm\n"))
    assert (len(report.failures), report.metadata_unused) == (1, [])
    write(sounds / "0.wav", 7)
    library.add(sounds)
    assert column(library, "word")["0.wav"] == "calm"


def test_the_row_of_a_file_that_fails_today_changes_the_track_that_is_held(sounds, library):
    library.add(sounds)
    (sounds / "0.wav").write_text("no sound")
    library.add(sounds, metadata=csv(sounds, "path,word\nsounds/0.wav,calm\n"))
    assert column(library, "word")["0.wav"] == "calm"


def test_files_that_change_places(sounds, library):
    library.add(sounds, metadata=csv(sounds, "path,word\nsounds/0.wav,zero\nsounds/1.wav,one\n"))
    for old, new in (("0", "x"), ("1", "0"), ("x", "1")):
        (sounds / f"{old}.wav").rename(sounds / f"{new}.wav")
    library.add(sounds)
    check_in_step(library, sounds)
    assert library.add(sounds).counts.unchanged == 4


def test_a_file_that_makes_room_for_another_is_not_embedded_again(sounds, library, work):
    library.add(sounds)
    (sounds / "0.wav").rename(sounds / "z.wav")
    write(sounds / "0.wav", 90)
    library.add(sounds)
    assert work["embedded"][4:] == ["0.wav"]
    check_in_step(library, sounds)


def test_a_lost_ledger_is_made_again_from_the_store(sounds, library, work):
    shutil.copy(sounds / "3.wav", sounds / "a.wav")
    library.add(sounds, metadata=csv(sounds, "path,word\nsounds/0.wav,calm\nsounds/3.wav,dog\nsounds/a.wav,animal\n"))
    library.close()
    for path in Path(library.location.address).glob("ledger.sqlite*"):
        path.unlink()
    library.add(sounds)
    assert len(work["embedded"]) == 4
    assert column(library, "word") == {"0.wav": "calm", "1.wav": None, "2.wav": None, "3.wav": "dog"}
    check_in_step(library, sounds)


def test_a_ledger_that_knows_columns_the_store_does_not(sounds, library):
    """The library was made anew, and its ledger, which may lie elsewhere, was not."""
    library.add(sounds, metadata=csv(sounds, "path,word,n\nsounds/0.wav,calm,1\nsounds/1.wav,wild,2\n"))
    library.close()
    kept = {path.name: path.read_bytes() for path in Path(library.location.address).glob("ledger.sqlite*")}
    shutil.rmtree(library.location.address)
    with sonovec.Library(library.location.address, model="logmel") as new:
        new.add(sounds / "2.wav", metadata=csv(sounds, "path,n\nsounds/2.wav,three\n"))
        new.close()
        for name, content in kept.items():
            Path(new.location.address, name).write_bytes(content)
        new.add(sounds)
        assert column(new, "n") == {"0.wav": None, "1.wav": None, "2.wav": "three", "3.wav": None}


# -- killed between any two writes


class Killed(BaseException):
    """What no code between here and the top catches."""


WRITES = [
    *((Ledger, name) for name in ("begin_run", "mark", "record_many", "forget", "settle", "end_run")),
    *((LanceTable, name) for name in ("upsert", "update", "delete")),
]


@pytest.fixture
def dying(monkeypatch):
    """Let a run die before or after its n-th write; as after a kill, nothing is written from then on."""
    state = {"left": -1, "after": False, "dead": False}

    def deadly(original):
        def wrapped(*arguments, **more):
            if state["dead"]:
                raise Killed
            state["left"] -= 1
            if state["left"] == -1 and not state["after"]:
                state["dead"] = True
                raise Killed
            result = original(*arguments, **more)
            if state["left"] == -1:
                state["dead"] = True
                raise Killed
            return result

        return wrapped

    for owner, name in WRITES:
        monkeypatch.setattr(owner, name, deadly(getattr(owner, name)))

    def arm(left, after):
        state.update(left=left, after=after, dead=False)

    def disarm():
        state.update(left=-1, dead=False)

    return arm, disarm


def changes(sounds: Path) -> None:
    """New content, a new file, moves (one to where another was), copies that come and lose their original, deletions."""
    write(sounds / "0.wav", 90)
    write(sounds / "new.wav", 91)
    (sounds / "1.wav").rename(sounds / "moved.wav")
    (sounds / "original.wav").unlink()
    shutil.copy(sounds / "2.wav", sounds / "copy_of_2.wav")
    (sounds / "3.wav").unlink()
    (sounds / "a.wav").rename(sounds / "b2.wav")
    (sounds / "b.wav").rename(sounds / "a.wav")
    shutil.copy(sounds / "c.wav", sounds / "0_c.wav")
    write(sounds / "c.wav", 92)


BEFORE = "path,word\n" + "".join(
    f"sounds/{name}.wav,{name}\n" for name in ("0", "1", "2", "3", "original", "copy", "c")
)
AFTER = "path,word,n\nsounds/0.wav,zero,1\nsounds/copy_of_2.wav,copy,2\nsounds/2.wav,two,\nsounds/new.wav,new,3\n"


def test_changes_are_followed_on_every_store(tmp_path, location):
    sounds = tmp_path / "sounds"
    for index, name in enumerate(["0", "1", "2", "3", "a", "b", "c", "original"]):
        write(sounds / f"{name}.wav", index)
    shutil.copy(sounds / "original.wav", sounds / "copy.wav")
    with sonovec.Library(location, model="logmel") as library:
        library.add(sounds, metadata=csv(sounds, BEFORE))
        check_in_step(library, sounds)
        changes(sounds)
        library.add(sounds, metadata=csv(sounds, AFTER), prune=True)
        check_in_step(library, sounds)
        assert column(library, "word") == {
            "0.wav": "zero", "2.wav": "two", "new.wav": "new", "moved.wav": "1", "copy.wav": "copy", "c.wav": "c",
            "0_c.wav": "c", "a.wav": None, "b2.wav": None,
        }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("more", ["nothing", "deletions"])
def test_a_run_that_dies_at_any_write_is_repaired_by_the_next(tmp_path, dying, after, more):
    arm, disarm = dying
    here, kept = tmp_path / "here", tmp_path / "kept"
    sounds = here / "sounds"
    for index, name in enumerate(["0", "1", "2", "3", "a", "b", "c", "original"]):
        write(sounds / f"{name}.wav", index)
    shutil.copy(sounds / "original.wav", sounds / "copy.wav")
    with sonovec.Library(here / "library", model="logmel") as library:
        library.add(sounds, metadata=csv(sounds, BEFORE))
        check_in_step(library, sounds)
    here.rename(kept)
    wanted = None
    for left in range(50):
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(kept, here)  # in the same place each time, since the library knows its files by their paths
        with sonovec.Library(here / "library", model="logmel") as library:
            changes(sounds)
            arm(left, after)
            try:
                library.add(sounds, metadata=csv(sounds, AFTER), prune=True)
                died = False
            except Killed:
                died = True
            disarm()
        if more == "deletions":
            for name in ("new", "moved", "b2", "0_c"):
                (sounds / f"{name}.wav").unlink()
            write(sounds / "0.wav", 95)
        with sonovec.Library(here / "library", model="logmel") as library:
            library.add(sounds, metadata=csv(sounds, AFTER), prune="all")
            check_in_step(library, sounds)
            got = {track.path: (track.fields["word"], track.fields.get("n")) for track in library.tracks()}
        wanted = wanted or got
        if more == "nothing":
            assert got == wanted, f"killed at write {left}"
        if not died:
            break
    assert not died and left >= 10, "a run has fewer writes than that, or never ends"


# -- what goes wrong unexpectedly


def _of_decoder(patch, broken):
    patch.setattr(source, "open_mono", broken(source.open_mono))


def _of_hash(patch, broken):
    patch.setattr(ingest, "content_hash", broken(ingest.content_hash))


def _of_tags(patch, broken):
    patch.setattr(ingest, "read_tags", broken(ingest.read_tags))


def _of_parts(patch, broken):
    original = ingest.make_segments
    patch.setattr(ingest, "make_segments", lambda pooled: broken(lambda _: original(pooled))(pooled.path))


@pytest.mark.parametrize("place", [_of_decoder, _of_hash, _of_tags, _of_parts])
@pytest.mark.parametrize(
    "error", [AttributeError("no\nsuch thing"), MemoryError(), UnicodeDecodeError("x", b"", 0, 1, "y")]
)
def test_an_unexpected_error_over_one_file_is_its_failure_with_a_row(
    sounds, library, monkeypatch, caplog, place, error
):
    def broken(original):
        def read(path, *arguments, **options):
            if Path(path).name == "2.wav":
                raise error
            return original(path, *arguments, **options)

        return read

    with monkeypatch.context() as patch:
        place(patch, broken)
        report = library.add(sounds)
    assert (report.counts.indexed, report.counts.failed, len(library)) == (3, 1, 3)
    ((path, reason),) = report.failures
    assert path == str(sounds / "2.wav") and reason.startswith(f"{path}: ") and "\n" not in reason
    entry = library.ledger.lookup(sounds / "2.wav")
    assert (entry.status, entry.reason) == ("failed", reason)
    if isinstance(error, MemoryError):
        assert "not enough memory" in reason and not caplog.records
    else:
        assert f"unexpected {type(error).__name__}" in reason
        assert [record.exc_info[1] for record in caplog.records] == [error]
    assert library.add(sounds).counts.indexed == 1, "the next run tries it again"
    check_in_step(library, sounds)


@pytest.mark.parametrize("method", ["paths", "put_many"])
def test_an_error_of_the_store_is_no_files_and_ends_the_run(sounds, library, monkeypatch, method):
    def broken(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Store, method, broken)
        with pytest.raises(OSError, match="No space left"):
            library.add(sounds)
    assert library.add(sounds).counts.failed == 0
    check_in_step(library, sounds)
