"""Libraries of the first format: killed at each step, migrated by two at once, read where they cannot be written."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

import pytest

import sonovec
from sonovec.cli.main import run
from sonovec.errors import LibraryError
from sonovec.library import lance_folder, migrations
from sonovec.library.lance_table import manifests
from sonovec.library.location import lock_path, parse_location
from sonovec.library.lock import Lock
from sonovec.library.open import open_store
from sonovec.library.tables import TRACKS, all_tables
from tests.library.test_former import EXPECTED, FORMER, expected_fields

#: Dies at a moment: when a line of the migration is run for the n-th time. The lines are counted, so that each is a moment.
KILLED = """
import os, signal, sys
from sonovec.library import migrations

moment = int(sys.argv[2])

def count(frame, event, argument):
    global moment
    if frame.f_code.co_filename != migrations.__file__:
        return None
    if event == "line":
        moment -= 1
        if moment == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return count

from sonovec.library.open import open_store
sys.settrace(count)
with open_store(sys.argv[1]) as store:
    store.config()
print("done", moment)
"""

OPENED = """
import json, sys
import sonovec
with sonovec.Library(sys.argv[1]) as library:
    print(json.dumps({track.id: dict(track.fields) for track in library.tracks()}))
"""


def unpack(name, folder):
    archive = "milvus-lite" if name.endswith(".db") else "lance"
    with tarfile.open(FORMER / f"{archive}.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    return folder / name


def expected(name):
    return {track["id"]: expected_fields(track) for track in EXPECTED[name]["tracks"]}


def state(place):
    """What a library holds, whole."""
    with sonovec.Library(place) as library:
        fields = {track.id: dict(track.fields) for track in library.tracks()}
        ids, vectors = library.vectors().numpy()
        tracks, rows = library.vectors(level="segment").numpy()
        return (
            fields,
            sorted(zip(ids, vectors.tolist(), strict=True)),
            sorted(zip(tracks, rows.tolist(), strict=True)),
            {name: (str(column.owner), column.kind) for name, column in library._store.declared().items()},
        )


def search(place, expected):
    with sonovec.Library(place) as library:
        return [
            [(hit.id, hit.score, hit.start, hit.end) for hit in library.search(track, level=level, include_self=True)]
            for track in sorted(expected)
            for level in ("track", "segment")
        ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lance-builtin", pytest.param("lite-logmel.db", marks=pytest.mark.slow)])
def test_a_migration_that_is_killed_at_any_line_is_finished_by_the_next(tmp_path, name):
    whole = unpack(name, tmp_path / "whole")
    untouched = state(whole)
    assert untouched[0] == expected(name)
    moment, last = 1, None
    while last is None:
        place = unpack(name, tmp_path / str(moment))
        run = subprocess.run(
            [sys.executable, "-c", KILLED, str(place), str(moment)], capture_output=True, text=True, check=False
        )
        assert run.returncode in (0, -9), run.stderr
        if run.returncode == 0:
            last = moment
        assert state(place) == untouched, moment
        if name.startswith("lance"):
            assert sorted(path.name for path in place.glob("*.lance")) == []
        shutil.rmtree(tmp_path / str(moment))
        moment += 1 if moment < 8 else 7
    assert last > 40


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_hits_are_the_same_before_and_after(tmp_path, name, monkeypatch):
    """Before: as it is read where it cannot be written."""
    place = unpack(name, tmp_path)
    if place.suffix != ".db":
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "why_not_writable", lambda folder: "a disk that cannot be written")
            before = search(place, expected(name))
        assert json.loads((place / "library.json").read_text())["format"] == 1
        assert search(place, expected(name)) == before
        assert json.loads((place / "library.json").read_text())["format"] == 2
    for level in ("track", "segment"):
        for track in expected(name):
            with sonovec.Library(place) as library:
                assert library.search(track, level=level, exact=True, include_self=True)[0].id == track


@pytest.mark.slow
def test_two_that_migrate_at_once_take_turns(tmp_path):
    for attempt in range(3):
        place = unpack("lance-builtin", tmp_path / str(attempt))
        command = [sys.executable, "-c", OPENED, str(place)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        runs = [subprocess.Popen(command, **pipes) for _ in range(3)]
        told = [run.communicate(timeout=120) for run in runs]
        assert [json.loads(out) for out, _ in told] == [expected("lance-builtin")] * 3, told
        assert not list(place.glob("*.lance")) and not list(place.glob("tables.*"))


@pytest.mark.slow
def test_one_that_cannot_be_written_is_searched_as_it_is(tmp_path, run_as_user, read_only):
    place = unpack("lance-builtin", tmp_path)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    read_only(place)
    run = run_as_user(sys.executable, "-c", OPENED, place)
    assert json.loads(run.stdout) == expected("lance-builtin"), run.stderr
    track = next(iter(expected("lance-builtin")))
    for more in (["--filter", "sound_tags has 'Speech' or year is null"], ["--level", "segment"]):
        run = run_as_user(
            sys.executable, "-m", "sonovec", "search", track, "--include-self", "-l", place, "--json", *more
        )
        hits = json.loads(run.stdout)["hits"]
        assert hits[0]["id"] == track and hits[0]["score"] == pytest.approx(1, abs=1e-4), run.stderr
    run = run_as_user(sys.executable, "-m", "sonovec", "search", "--text", "sine wave", "-l", place, "--json")
    assert json.loads(run.stdout)["hits"], run.stderr
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_one_that_another_process_holds_is_read_as_it_is_and_migrated_when_it_is_written(tmp_path, monkeypatch):
    place = unpack("lance-logmel", tmp_path)
    monkeypatch.setattr(migrations, "WAIT_SECONDS", 0.2)
    library = sonovec.Library(place)
    with Lock(lock_path(parse_location(place)), "held", "wait"):
        assert {track.id: dict(track.fields) for track in library.tracks()} == expected("lance-logmel")
        assert library.search(library.tracks()[0].id, include_self=True)[0].id == library.tracks()[0].id
    (tmp_path / "none").mkdir()
    library.add(tmp_path / "none")
    assert json.loads((place / "library.json").read_text())["format"] == 2
    assert {track.id: dict(track.fields) for track in library.tracks()} == expected("lance-logmel")


def test_an_object_that_reads_it_as_it_is_notices_that_another_migrated_it(tmp_path, monkeypatch):
    place = unpack("lance-logmel", tmp_path)
    monkeypatch.setattr(migrations, "WAIT_SECONDS", 0.2)
    library = sonovec.Library(place)
    with Lock(lock_path(parse_location(place)), "held", "wait"):
        assert len(library) == 7
    state(place)
    assert len(library.tracks()) == 7 and len(library.search(library.tracks()[0].id, include_self=True)) == 7


@pytest.mark.parametrize("name", ["lance-logmel", pytest.param("lite-logmel.db", marks=pytest.mark.slow)])
def test_a_newer_library_is_refused_by_its_number(tmp_path, name):
    place = unpack(name, tmp_path)
    state(place)
    if place.suffix == ".db":
        with open_store(place) as store:
            text = json.loads(store._backend._config_text())
            store._backend.set("config", json.dumps({**text, "format": 7, "colour": "red"}))
    else:
        config = json.loads((place / "library.json").read_text())
        (place / "library.json").write_text(json.dumps({**config, "format": 7, "colour": "red"}))
    with pytest.raises(LibraryError, match="has format 7, and this sonovec reads formats up to 2; use a newer sonovec"):
        len(sonovec.Library(place))


@pytest.mark.parametrize("name", sorted(migrations.LANCE_NAMES))
def test_a_column_with_a_name_of_lances_own_gets_another(tmp_path, name, caplog):
    """The first format let users call a column so, and then neither read nor searched the library."""
    import lance
    import pyarrow as pa

    place = unpack("lance-logmel", tmp_path)
    lance.dataset(str(place / "tracks.lance")).add_columns(pa.field(name, pa.int64()))
    with caplog.at_level(logging.WARNING), sonovec.Library(place) as library:
        better = name.lstrip("_")
        assert len(library) == 7
        assert library._store.columns()[better] is int and name not in library._store.columns()
        assert f"the column {name!r} has a name of Lance's own and is now called {better!r}" in caplog.text
        assert [track.fields[better] for track in library.tracks()] == [None] * 7


def test_a_users_own_column_sound_tags_stays_text(tmp_path):
    """Of an encoder without classes."""
    import lance
    import pyarrow as pa

    place = unpack("lance-logmel", tmp_path)
    old = lance.dataset(str(place / "tracks.lance"))
    old.add_columns(pa.field("sound_tags", pa.string()))
    old.update({"sound_tags": "'dogs; cats'"})
    with sonovec.Library(place) as library:
        assert {track.fields["sound_tags"] for track in library.tracks("sound_tags = 'dogs; cats'")} == {"dogs; cats"}
        assert str(library._store.declared()["sound_tags"].owner) == "user"


def test_nothing_is_left_of_the_copy_that_was_read(tmp_path, monkeypatch):
    place = unpack("lance-logmel", tmp_path / "place")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(migrations, "why_not_writable", lambda folder: "a disk that cannot be written")
    with sonovec.Library(place) as library:
        assert len(library) == 7
    assert list((tmp_path / "temporary").iterdir()) == []


def test_every_table_of_a_migrated_library_is_as_a_new_one_is(tmp_path):
    place = unpack("lance-builtin", tmp_path)
    state(place)
    with open_store(place) as store, open_store(tmp_path / "new") as new:
        new.create(store.config())
        new.declare(column for column in store.declared().values() if column.name not in new.columns())
        for spec in all_tables(new.spaces().values()):
            have, want = store.table(spec).schema(), new.table(spec).schema()
            assert {field.name: (field.type, field.nullable) for field in have} == {
                field.name: (field.type, field.nullable) for field in want
            }
            assert have.field("id").metadata[b"lance-schema:unenforced-primary-key"] == b"true"
            assert store.table(spec).note(lance_folder.COPY)
        assert store.table(TRACKS).count() == 7


@pytest.mark.parametrize("table", ["tracks", "segments"])
def test_a_damaged_library_of_the_first_format_is_repaired_and_migrated(tmp_path, table, capsys):
    place = unpack("lance-builtin", tmp_path)
    newest, *_ = manifests(place / f"{table}.lance")
    newest.write_bytes(b"")
    assert run(["search", next(iter(expected("lance-builtin"))), "-l", str(place)]) == 2
    assert f"sonovec doctor -l {place} --repair" in capsys.readouterr().err
    began = time.monotonic()
    assert run(["doctor", str(place), "--repair"]) == 0, capsys.readouterr().out
    assert time.monotonic() - began < migrations.WAIT_SECONDS
    with sonovec.Library(place) as library:
        assert library.config.format == 2
        fields = expected("lance-builtin")
        assert {track.id: dict(track.fields) for track in library.tracks()}.items() <= fields.items()
