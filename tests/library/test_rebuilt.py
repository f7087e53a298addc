"""Two kinds of vectors never mix: a library that is made anew, deleted, or made by someone else is noticed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import LibraryError, LibraryLockedError, PassportError
from sonovec.library import lance_folder
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig, Segment, Track

ADD = "import sys, json, sonovec; sonovec.Library(sys.argv[1], **json.loads(sys.argv[3])).add(sys.argv[2])"


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A folder of three sounds, with another beside it, `more`, of one."""
    folder = tmp_path_factory.mktemp("sounds")
    for name in ("some/0", "some/1", "some/2", "more/3"):
        (folder / name).parent.mkdir(exist_ok=True)
        samples = np.random.default_rng(int(name[-1])).standard_normal(16000) / 8
        soundfile.write(folder / f"{name}.wav", samples, 16000)
    return folder / "some"


def add_elsewhere(location, sounds, **settings):
    """Index in another process."""
    command = [sys.executable, "-c", ADD, str(location), str(sounds), json.dumps({"model": "logmel", **settings})]
    subprocess.run(command, check=True)


def passports(folder):
    with sonovec.Library(folder) as library:
        return library.config.passport


@pytest.fixture
def opened(tmp_path, sounds):
    """An object that has been used, as in a service."""
    library = sonovec.Library(tmp_path / "library", model="logmel")
    library.add(sounds)
    library.search(sounds / "0.wav")
    library.ledger.summary()
    yield library
    library.close()


USES = {
    "add": lambda library, sounds: library.add(sounds.parent / "more"),
    "search": lambda library, sounds: library.search(sounds / "0.wav"),
    "search by samples": lambda library, sounds: library.search(
        (np.random.default_rng(0).standard_normal(16000).astype(np.float32) / 8, 16000)
    ),
    "search by vector": lambda library, sounds: library.search(np.ones(192, np.float32)),
    "tracks": lambda library, sounds: library.tracks(),
    "len": lambda library, sounds: len(library),
    "config": lambda library, sounds: library.config,
    "ledger": lambda library, sounds: library.ledger,
}


OTHERS = {
    "hop was 16000 and is 4000": {"hop": 0.25},
    "segment_seconds was 10.0 and is 3.0": {"segment_seconds": 3.0},
    "model was 'logmel' and is 'sonovec-1'": {"model": "sonovec-1"},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use", "says"),
    [(use, next(iter(OTHERS))) for use in ("add", "search", "search by vector", "tracks")]
    + [("add", says) for says in list(OTHERS)[1:]],
)
def test_a_library_that_was_made_anew_with_other_settings_is_refused(opened, sounds, use, says):
    folder = Path(opened.location.address)
    shutil.rmtree(folder)
    add_elsewhere(folder, sounds, **OTHERS[says])
    for _ in range(2):  # it stays refused
        with pytest.raises(
            PassportError, match=f"made anew with other settings since it was opened.*{says}.*open it again"
        ):
            USES[use](opened, sounds)
    with sonovec.Library(folder) as library:
        assert library.add(sounds).counts.unchanged == len(library) == len(library.tracks()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("use", ["add", "search", "ledger"])
def test_one_that_was_made_anew_with_the_same_settings_is_opened_again(opened, sounds, use):
    folder = Path(opened.location.address)
    shutil.rmtree(folder)
    add_elsewhere(folder, sounds / "2.wav")
    USES[use](opened, sounds)
    assert "2.wav" in {Path(track.path).name for track in opened.tracks()}
    with sonovec.Library(folder) as library:
        held = sorted(entry.path.name for entry in library.ledger.entries())
        assert held == sorted(Path(track.path).name for track in library.tracks())
        assert held == (["2.wav", "3.wav"] if use == "add" else ["2.wav"])


@pytest.mark.parametrize("use", USES)
def test_one_that_was_deleted_is_an_error_and_nothing_is_made(opened, sounds, use):
    folder = Path(opened.location.address)
    shutil.rmtree(folder)
    with pytest.raises(
        LibraryError, match=r"was deleted since it was opened; to make a new one, open it again: sonovec.Lib"
    ):
        USES[use](opened, sounds)
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("again", [{}, {"hop": 0.25}, None], ids=["the same", "another hop", "deleted"])
def test_one_that_is_made_anew_in_the_middle_of_a_run_gets_nothing_of_it(tmp_path, sounds, opened, again):
    folder = Path(opened.location.address)

    def rebuild(progress):
        if folder.exists() and not (tmp_path / "moved").exists():
            folder.rename(tmp_path / "moved")
            if again is not None:
                add_elsewhere(folder, sounds / "2.wav", **again)

    # By the write, or by a look that comes before, for what it holds.
    told = "deleted or made anew by someone else since it was opened; nothing was written|was deleted or moved while it was"
    with pytest.raises(LibraryError, match=told):
        opened.add(sounds.parent / "more", progress=rebuild)
    if again is None:
        assert not (folder / "tables").exists()
    else:
        assert [Path(track.path).name for track in sonovec.Library(folder).tracks()] == ["2.wav"]


def test_one_that_another_process_made_between_two_steps_is_held_to_its_passport(tmp_path, sounds):
    """The encoder is loaded before the library is there."""
    first = sonovec.Library(tmp_path / "library", model="logmel")
    assert first.encoder.window.hop == 16000 and first.config is None
    add_elsewhere(tmp_path / "library", sounds, hop=0.25)
    with pytest.raises(PassportError, match="hop is 4000 there and 16000 here"):
        first.add(sounds.parent / "more")
    with pytest.raises(PassportError, match="hop is 4000 there and 16000 here"):
        first.search(sounds.parent / "more" / "3.wav")
    assert passports(tmp_path / "library")["hop"] == 4000 and len(sonovec.Library(tmp_path / "library")) == 3


@pytest.mark.parametrize("rows", ["tracks", "main.tracks", "main.segments"])
def test_rows_without_a_config_are_not_taken_over(tmp_path, sounds, rows, opened):
    folder = Path(opened.location.address)
    opened.close()
    (folder / lance_folder.CONFIG).unlink()
    for table in lance_folder.existing_tables(folder):
        if table.path.stem != rows:
            table.dataset.delete("true")
    for settings in ({}, {"hop": 0.25}, {"model": "sonovec-1"}):
        with pytest.raises(LibraryError, match=r"library\.json is missing.*sonovec doctor -l .*library --repair"):
            sonovec.Library(folder, **{"model": "logmel", **settings}).add(sounds)
    assert not (folder / lance_folder.CONFIG).exists()


@pytest.mark.parametrize("model", ["logmel", "sonovec-1"])
def test_empty_tables_of_a_run_that_was_killed_are_made_anew(tmp_path, sounds, model):
    """Also for an encoder with another length of vectors."""
    with open_store(tmp_path / "library") as store:
        store.create(LibraryConfig(dim=192, passport={}, segment_seconds=10.0, model="logmel"))
    (tmp_path / "library" / lance_folder.CONFIG).unlink()
    with sonovec.Library(tmp_path / "library", model=model) as library:
        assert library.add(sounds).counts.indexed == 3
        assert library.search(sounds / "0.wav", limit=1, include_self=True)[0].score == pytest.approx(1, abs=1e-4)


# -- the same for every store


def item(number, dim=8):
    vector = np.random.default_rng(number).standard_normal(dim).astype(np.float32)
    return Track(f"{number:032x}", vector, {"path": f"/{number}"}), [Segment(0, 0.0, 1.0, 1.0, vector)]


def config(dim=8, **passport):
    return LibraryConfig(dim=dim, passport=passport, segment_seconds=10.0, model="test")


def test_a_store_whose_config_has_changed_is_not_written(location):
    with open_store(location) as store:
        store.create(config(hop=1))
        store.put_many([item(1)])
        if location.endswith("library"):
            lance_folder.write_config(Path(location), config(hop=2))
        else:
            store._backend.set(
                "config", json.dumps({**json.loads(store._backend._config_text()), "passport": {"hop": 2}})
            )
        assert not store.is_current()
        for write in (
            lambda: store.put_many([item(2)]),
            lambda: store.update({item(1)[0].id: {"title": "x"}}),
            lambda: store.delete([item(1)[0].id]),
            lambda: store.add_columns({"mood": str}),
        ):
            with pytest.raises(LibraryError, match="deleted or made anew by someone else since it was opened"):
                write()
        assert [track.fields["title"] for track in store.tracks()] == [None] and "mood" not in store.columns()


def test_a_store_that_lost_its_config_is_not_made_anew_over_its_rows(location):
    with open_store(location) as store:
        store.create(config())
        store.put_many([item(1)])
        forget_config(store)
    with open_store(location) as store:
        with pytest.raises(LibraryError, match="missing"):
            store.config()
        with pytest.raises(LibraryError, match="missing"):
            store.create(config(hop=2))


@pytest.mark.parametrize("dim", [8, 16])
def test_a_store_that_was_killed_while_it_was_made_is_finished(location, dim):
    with open_store(location) as store:
        store.create(config())
        forget_config(store)
    with open_store(location) as store:
        assert store.config() is None
        store.create(config(dim))
        store.put_many([item(1, dim)])
        assert store.count() == (1, 1)


def forget_config(store):
    if store.location.kind == "lance":
        Path(store.location.address, lance_folder.CONFIG).unlink()
    else:
        from sonovec.library import milvus_backend
        from sonovec.library.filters import In

        store.table(milvus_backend._SETTINGS).delete(In("id", ("config",)))


# -- who holds a lock


@pytest.mark.slow
def test_a_lock_that_this_process_holds_says_so(tmp_path, sounds):
    with sonovec.Library(tmp_path / "library.db", model="logmel") as first:
        first.add(sounds)
        with pytest.raises(
            LibraryLockedError, match=r"this same process \(\d+\) has held it since .* close the Library obj"
        ):
            len(sonovec.Library(tmp_path / "library.db"))
    with sonovec.Library(tmp_path / "library.db") as second:
        assert len(second) == 3


def test_two_threads_that_index_into_one_library_are_told_apart(tmp_path, sounds):
    library, said = sonovec.Library(tmp_path / "library", model="logmel"), []

    def second():
        try:
            sonovec.Library(tmp_path / "library", model="logmel").add(sounds)
        except LibraryLockedError as error:
            said.append(str(error))

    def progress(_):
        if not said:
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

    library.add(sounds, progress=progress)
    assert "cannot index: this same process" in said[0] and "wait until that call ends" in said[0]
