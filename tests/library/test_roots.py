"""A path is a root's alias and what lies below it: roots that move, get other names, and mean other folders elsewhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from sonovec.errors import UsageError
from sonovec.library import ingest, local, place
from sonovec.library.filters import Compare, Contains, In, StartsWith
from sonovec.library.follow import Follower
from sonovec.library.identity import content_hash
from sonovec.library.roots import Roots, alias_in, default_alias, fault
from sonovec.paths import display, from_text, to_text
from tests.library.invariants import check_in_step
from tests.library.test_ingest import csv, write


@pytest.fixture
def music(tmp_path):
    for index in range(4):
        write(tmp_path / "music" / "album" / f"{index}.wav", index)
    return tmp_path / "music"


@pytest.fixture
def library(tmp_path):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        yield library


@pytest.fixture
def hashed(monkeypatch):
    """Files that were read for their content."""
    done = []

    def hashing(path, check):
        done.append(path.name)
        return content_hash(path, check)

    monkeypatch.setattr(ingest, "content_hash", hashing)
    return done


def kept(library) -> list[str]:
    return sorted(track.path for track in library._store.tracks())


def shown(library) -> list[str]:
    return sorted(track.path for track in library.tracks())


def names(library, filter: str) -> list[str]:
    return sorted(Path(track.path).name for track in library.tracks(filter))


def test_a_root_that_moves_keeps_its_tracks_on_every_store(tmp_path, location, hashed):
    old, new = tmp_path / "music", tmp_path / "disk" / "songs"
    for index in range(4):
        write(old / "album" / f"{index}.wav", index)
    with sonovec.Library(location, model="logmel") as library:
        library.add(old, metadata=csv(old, "path,word\nmusic/album/0.wav,calm\n"))
        assert kept(library) == [f"music:/album/{index}.wav" for index in range(4)]
        assert shown(library) == [str(old / "album" / f"{index}.wav") for index in range(4)]
        new.parent.mkdir()
        old.rename(new)
        root = library.move_root(str(old), new)
        assert (root.alias, root.folder, root.files) == ("music", new, 4)
        assert [(r.alias, r.folder, r.files) for r in library.roots()] == [("music", new, 4)]
        assert kept(library) == [f"music:/album/{index}.wav" for index in range(4)]
        check_in_step(library, new)
        hits = library.search(new / "album" / "2.wav", limit=4, include_self=True)
        assert hits[0].path == hits[0].to_json()["path"] == str(new / "album" / "2.wav") and hits[0].score == 1
        hashed.clear()
        report = library.add(new, prune=True)
        assert (report.counts.unchanged, report.vanished, hashed) == (4, 0, [])
        assert names(library, f"path startswith '{new}/album/' and word = 'calm'") == ["0.wav"]


def test_within_a_root_no_other_is_made_and_around_it_one_is(tmp_path, library, music):
    write(tmp_path / "more" / "x.wav", 20)
    library.add(music / "album" / "0.wav")
    assert [root.alias for root in library.roots()] == ["album"]
    library.add(music)
    assert [root.alias for root in library.roots()] == ["album", "music"]
    library.add(music / "album")
    library.add([tmp_path / "more", music])
    assert [root.alias for root in library.roots()] == ["album", "more", "music"]
    assert kept(library) == [*(f"album:/{index}.wav" for index in range(4)), "more:/x.wav"]
    check_in_step(library, tmp_path)


def test_roots_of_one_name_are_told_apart(tmp_path, library, music):
    write(tmp_path / "b" / "music" / "album" / "0.wav", 30)
    library.add([music, tmp_path / "b" / "music"])
    assert [(root.alias, root.files) for root in library.roots()] == [("music", 4), ("music-2", 1)]
    assert "music-2:/album/0.wav" in kept(library)


def test_roots_within_one_that_moves_go_along_and_rows_that_are_there_stay(tmp_path, library, music):
    library.add([music / "album", music])
    write(music / "b.wav", 9)
    library.add(music)
    music.rename(tmp_path / "new")
    library.add(tmp_path)  # before anyone says that it moved
    assert library.ledger.lookup(tmp_path / "new" / "b.wav").held
    moved = library.move_root("music", tmp_path / "new")
    assert moved.folder == tmp_path / "new"
    assert {r.alias: r.folder for r in library.roots()} == {
        "music": tmp_path / "new", "album": tmp_path / "new" / "album", tmp_path.name: tmp_path,
    }  # fmt: skip
    check_in_step(library, tmp_path)
    assert library.add(tmp_path, prune=True).counts.unchanged == 5
    check_in_step(library, tmp_path)
    assert set(kept(library)) == {"music:/b.wav", *(f"album:/{index}.wav" for index in range(4))}


def test_a_root_gets_another_name(library, music):
    library.add(music)
    assert library.rename_root("music", "Töne & Lärm").alias == "Töne & Lärm"
    assert kept(library)[0] == "Töne & Lärm:/album/0.wav"
    check_in_step(library, music)
    assert library.add(music).counts.unchanged == 4
    assert library.rename_root("Töne & Lärm", "music").alias == "music"
    assert kept(library)[0] == "music:/album/0.wav"
    check_in_step(library, music)


def test_a_move_that_is_killed_before_the_store_follows_is_finished_by_the_next_run(library, music, monkeypatch):
    library.add(music)
    with monkeypatch.context() as patch:
        patch.setattr(Follower, "settle", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            library.rename_root("music", "other")
    assert kept(library)[0] == "music:/album/0.wav"
    assert shown(library) == [str(music / "album" / f"{index}.wav") for index in range(4)], "by the ledger"
    library.add(music)
    assert kept(library)[0] == "other:/album/0.wav"
    check_in_step(library, music)


def test_what_cannot_be_moved_or_renamed_is_told(tmp_path, library, music):
    library.add(music)
    write(tmp_path / "bb" / "1.wav", 30)
    library.add(tmp_path / "bb")
    for call, message in (
        (lambda: library.move_root("nope", tmp_path), r"no root 'nope'; the roots are 'bb', 'music'"),
        (
            lambda: library.move_root("music", tmp_path / "nope"),
            r"nope: no such folder; give the folder where the files",
        ),
        (lambda: library.move_root("music", tmp_path / "bb"), r"bb is the root 'bb' already"),
        (lambda: library.move_root("music", music / "album"), r"lie in one another"),
        (lambda: library.rename_root("music", "b"), r"alias 'b' is too short.*call it 'root-b'"),
        (lambda: library.rename_root("bb", "music"), r"alias 'music' is taken"),
        (lambda: library.rename_root("music", "a/b"), r"alias 'a/b' has a slash.*call it 'a-b'"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
    check_in_step(library, tmp_path)


def test_a_lost_ledger_finds_its_root_again(library, music, hashed):
    library.add(music)
    library.close()
    for path in Path(library.location.address).glob("ledger.sqlite*"):
        path.unlink()
    assert [(root.alias, root.folder) for root in library.roots()] == [("music", None)]
    assert shown(library)[0] == "music:/album/0.wav"
    report = library.add(music)
    assert (report.counts.unchanged, report.copies) == (4, 0)
    assert [(root.alias, root.folder) for root in library.roots()] == [("music", music)]
    check_in_step(library, music)


@pytest.mark.skipif(os.name != "posix", reason="names that are not UTF-8")
def test_names_that_are_no_text(tmp_path, library):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xf6"))
    write(tmp_path / "a.wav", 1)
    (folder / "x").mkdir(parents=True)
    (tmp_path / "a.wav").rename(folder / "x" / os.fsdecode(b"\xe9 1%.wav"))
    library.add(folder)
    ((path,), (text,)) = kept(library), shown(library)
    assert alias_in(path) == default_alias(folder) and path.endswith("://x/%E9%201%25.wav")
    assert from_text(text) == folder / "x" / os.fsdecode(b"\xe9 1%.wav")
    assert library.search(text, limit=1, include_self=True)[0].path == text
    assert shown(library) == [track.path for track in library.tracks("path startswith 'file://'")]
    check_in_step(library, folder)


# -- two machines


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """Two machines with a ledger each, and one library that both reach, as one on a server."""
    for module in (place, local):
        monkeypatch.setattr(module, "ledger_path", lambda location: tmp_path / os.environ["MACHINE"] / "ledger.sqlite")

    def on(machine):
        monkeypatch.setenv("MACHINE", machine)
        (tmp_path / machine).mkdir(exist_ok=True)
        return sonovec.Library(tmp_path / "shared", model="logmel")

    return on


def test_two_machines_with_folders_of_one_name_leave_each_others_paths_alone(tmp_path, machines):
    a, b = tmp_path / "a" / "music", tmp_path / "b" / "music"
    for folder, files in ((a, {"x": 1, "y": 2}), (b, {"other": 1, "z": 3, "x": 4})):
        for name, seed in files.items():
            write(folder / f"{name}.wav", seed)
    with machines("A") as library:
        library.add(a)
    with machines("B") as library:
        report = library.add(b)
        assert (report.counts.indexed, report.copies) == (2, 1)
        assert library.ledger.lookup(b / "other.wav").reason == "same content as music:/x.wav"
        assert kept(library) == ["music-2:/x.wav", "music-2:/z.wav", "music:/x.wav", "music:/y.wav"]
        assert shown(library) == sorted([*(str(b / f"{n}.wav") for n in ("other", "x", "z")), "music:/y.wav"])
        assert [(root.alias, root.folder) for root in library.roots()] == [("music-2", b), ("music", None)]
        hit = library.search(b / "other.wav", limit=1, include_self=True)[0]
        assert (hit.path, hit.score) == (str(b / "other.wav"), 1)
    with machines("A") as library:
        assert library.add(a, prune=True).counts.unchanged == 2
        assert shown(library) == sorted(["music-2:/x.wav", "music-2:/z.wav", str(a / "x.wav"), str(a / "y.wav")])
    (b / "other.wav").unlink()
    (b / "z.wav").unlink()
    with machines("B") as library:
        assert library.add(b, prune=True).vanished == 2
        assert kept(library) == ["music-2:/x.wav", "music:/x.wav", "music:/y.wav"], "its own track went, and no other"
        assert library.ledger.unsettled() == []
        shutil.copytree(a, tmp_path / "b" / "copy")
        assert library.move_root("music", tmp_path / "b" / "copy").folder == tmp_path / "b" / "copy"
        assert str(tmp_path / "b" / "copy" / "y.wav") in shown(library)


def test_two_machines_with_the_same_files_share_a_root(tmp_path, machines):
    a, b = tmp_path / "a" / "music", tmp_path / "b" / "music"
    for index in range(3):
        write(a / f"{index}.wav", index)
    shutil.copytree(a, b)
    for _ in range(2):
        for machine, folder, indexed in (("A", a, 3), ("B", b, 0)):
            with machines(machine) as library:
                report = library.add(folder, prune=True)
                assert report.counts.indexed in (indexed, 0) and report.copies == 0
                assert kept(library) == [f"music:/{index}.wav" for index in range(3)]
                assert shown(library) == [str(folder / f"{index}.wav") for index in range(3)]
                check_in_step(library, folder)


# -- texts and filters

NAMES = st.text(st.sampled_from("ab /.é%\udce9"), min_size=1, max_size=6)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join).map(lambda name: Path("/home", name.strip("/") or "a"))
ROOTS = Roots(
    {"home": Path("/home"), "music": Path("/home/a"), "ab": Path("/home/a/b b"), "no text": Path("/home/b\udce9")},
    former={"old": Path("/home/a")},
)


@settings(max_examples=300)
@given(PATHS)
def test_a_path_comes_back_from_what_is_kept(path):
    path = Path(os.path.normpath(path))
    assert ROOTS.local(ROOTS.stored(path)) == path
    assert ROOTS.shown(ROOTS.stored(path)) == to_text(path)
    assert all(ROOTS.local(text) == path for text in ROOTS.texts(path) if text != display(path))
    assert all(ROOTS.is_of(text, path) for text in ROOTS.texts(path)) and not ROOTS.is_of("nas:/a", path)


@settings(max_examples=300)
@given(PATHS, st.data())
@pytest.mark.slow
def test_a_filter_on_paths_means_those_of_this_machine(path, data):
    path = Path(os.path.normpath(path))
    text, stored = to_text(path), ROOTS.stored(path)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    part = data.draw(
        st.one_of(st.just(text[start:end]), st.just(text[:end]), NAMES).filter(lambda part: part.isprintable() and part)
    )
    for condition in (
        Compare("path", "=", text),
        In("path", (part, text)),
        StartsWith("path", part),
        Compare("path", "=", part),
    ):
        assert condition.matches({"path": text}) == ROOTS.translated(condition).matches({"path": stored}), condition
    contains = Contains("path", part)
    assert ROOTS.translated(contains).matches({"path": stored}) == (part in text or part in stored)


def test_aliases():
    for folder in ("/", "/home/Music", "/m/C:", "/m/file", "/m/x", "/m/a\nb", "/m/" + "x" * 300):
        alias = default_alias(Path(folder))
        assert fault(alias) is None and alias_in(f"{alias}:/x.wav") == alias
    assert fault("b") and fault("http") and fault("a:b") and fault("")
