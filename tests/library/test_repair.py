"""Libraries that a power cut has damaged: a clear line from every command, and a repair that loses no more than it must."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli import main
from sonovec.errors import LibraryError
from sonovec.library import consistency, lance_backend, lance_folder, lance_table, repair
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig, Segment, Track


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Sounds of two runs and their library; the second run added two of five. Tests work on copies."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "sounds").mkdir()
    library = sonovec.Library(folder / "library", model="logmel")
    for seed in range(5):
        samples = np.random.default_rng(seed).standard_normal(16000 * (15 if seed == 4 else 1)) / 8
        soundfile.write(folder / "sounds" / f"{seed}.wav", samples, 16000)
        if seed in (2, 4):
            library.add(folder / "sounds")
    library.close()
    return folder


@pytest.fixture
def library(made, tmp_path):
    folder = tmp_path / "library"
    shutil.copytree(made / "library", folder)
    return folder


def run(capsys, *arguments):
    capsys.readouterr()
    code = main.run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def manifests(folder, table="tracks"):
    return lance_table.manifests(folder / "tables" / f"{table}.lance")


def newest_data(folder, table):
    return max((folder / "tables" / f"{table}.lance" / "data").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def empty(path):
    path.write_bytes(b"")


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("ledger.")
    }


# -- which damage; the last good version holds three of the five tracks

READ = ("tracks", "main.tracks", "main.segments")
DAMAGES = {
    f"{kind.__name__} manifest of {table}": lambda folder, kind=kind, table=table: kind(manifests(folder, table)[0])
    for kind in (empty, zeros, noise, half)
    for table in READ
} | {
    f"{kind.__name__} data of {table}": lambda folder, kind=kind, table=table: kind(newest_data(folder, table))
    for kind in (empty, half, Path.unlink)
    for table in READ
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_last_good_version_comes_back_and_what_is_lost_is_said_and_embedded_again(made, library, capsys, damage):
    DAMAGES[damage](library)
    commands = [["search", made / "sounds" / "0.wav"], ["index", made / "sounds"]]
    for command in commands[: 1 if "of main." in damage else 2]:  # a run that finds nothing new reads none
        code, told = run(capsys, *command, "-l", library)
        assert code == 2 and told.count("\n") == 1 and f"sonovec doctor -l {library} --repair" in told, told
    before = content(library)
    with sonovec.Library(library) as opened:
        assert any("cannot be read" in detail for _, state, detail in repair.examine(opened) if state == "failed")
    assert content(library) == before, "to look changes nothing"
    code, told = run(capsys, "doctor", "-l", library, "--repair", "--json")
    findings = json.loads(told)["findings"]
    assert code == 0 and not [finding for finding in findings if finding["state"] == "failed"], findings
    with sonovec.Library(library) as opened:
        there = {Path(track.path).name for track in opened.tracks()}
        assert there == {"0.wav", "1.wav", "2.wav"}
        lost = {f"{seed}.wav" for seed in range(5)} - there
        said = " ".join(finding["detail"] for finding in findings if finding["check"] == "lost")
        assert {name for name in lost if name in said} == lost and bool(said) == bool(lost)
        report = opened.add(made / "sounds")
        assert (report.counts.indexed, report.counts.unchanged) == (len(lost), 5 - len(lost))
        for seed in range(5):
            hit = opened.search(made / "sounds" / f"{seed}.wav", limit=1, include_self=True)[0]
            assert hit.score == pytest.approx(1, abs=1e-4)
    moved = list((library / "damaged").rglob("*.manifest"))
    assert moved, "nothing is deleted"
    with sonovec.Library(library) as opened:
        assert repair.examine(opened) == []


def test_an_old_version_that_cannot_be_read_is_moved_and_nothing_is_undone(made, library, capsys):
    empty(manifests(library)[1])
    assert "an old version is damaged" in run(capsys, "doctor", "-l", library)[1]
    code, told = run(capsys, "doctor", "-l", library, "--repair")
    assert code == 0 and "undone" not in told and "lost" not in told
    with sonovec.Library(library) as opened:
        assert opened.add(made / "sounds").counts.unchanged == 5


def test_a_table_that_is_missing_is_made_anew_and_filled_by_the_next_run(made, library, capsys):
    shutil.rmtree(library / "tables" / "main.segments.lance")
    code, told = run(capsys, "doctor", "-l", library, "--repair")
    assert code == 0 and "main.segments: it is missing; an empty one was made" in told and "of 5 files" in told
    with sonovec.Library(library) as opened:
        assert opened.add(made / "sounds").counts.indexed == 5


def test_where_no_version_can_be_read_that_is_said_and_nothing_is_moved(library, capsys):
    for path in manifests(library):
        empty(path)
    before = content(library)
    code, told = run(capsys, "doctor", "-l", library, "--repair")
    assert code == 1 and "nor can any before it; put it back from a backup" in told
    assert content(library) == before


def test_a_library_without_damage_is_left_as_it_is(library, capsys):
    before = content(library)
    code, told = run(capsys, "doctor", "-l", library, "--repair")
    assert code == 0 and "nothing is damaged" in told
    assert content(library) == before


def test_a_repair_needs_a_library(tmp_path, capsys):
    assert "--repair needs a library; run: sonovec doctor -l LIBRARY --repair" in run(capsys, "doctor", "--repair")[1]
    code, told = run(capsys, "doctor", "-l", tmp_path / "none", "--repair")
    assert code == 1 and "no library here" in told and not (tmp_path / "none").exists()


def test_a_repair_that_is_killed_is_finished_by_the_next(made, library, monkeypatch):
    """After each of its steps; the tracks whose segments were lost must not be taken for whole."""
    noise(manifests(library, "main.segments")[0])
    steps = 0

    def stopping(original, at):
        def step(*arguments, **options):
            nonlocal steps
            steps += 1
            if steps > at:
                raise KeyboardInterrupt
            return original(*arguments, **options)

        return step

    for at in range(20):
        steps = 0
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", stopping(Path.rename, at))
            patch.setattr(repair, "write_config", stopping(repair.write_config, at))
            patch.setattr(repair, "_reconcile", stopping(repair._reconcile, at))
            try:
                with sonovec.Library(library) as opened:
                    repair.repair(opened)
                break
            except KeyboardInterrupt:
                continue
    assert at >= 2
    with sonovec.Library(library) as opened:
        assert opened.add(made / "sounds").counts.indexed == 2
        assert [*consistency.examine(opened._store, opened.ledger).faults()] == []
        assert opened.search(made / "sounds" / "4.wav", limit=1, include_self=True)[0].score == pytest.approx(
            1, abs=1e-4
        )


def test_an_open_object_goes_on_after_a_repair(made, library):
    opened = sonovec.Library(library)
    assert len(opened) == 5
    empty(manifests(library)[0])
    with pytest.raises(LibraryError, match="sonovec doctor"):
        opened.tracks()
    repair.repair(sonovec.Library(library))
    assert len(opened) == len(opened.tracks()) == 3
    opened.add(made / "sounds")
    assert len(opened) == 5 and len(sonovec.Library(library)) == 5


@pytest.mark.parametrize("tables", [["tracks"], ["tracks", "main.tracks", "main.segments"]])
def test_moves_and_removals_that_were_undone_are_done_again_or_told(made, tmp_path, capsys, tables):
    sounds, own = tmp_path / "sounds", tmp_path / "own"
    shutil.copytree(made / "sounds", sounds)
    with sonovec.Library(own, model="logmel") as opened:
        opened.add(sounds)
        before = {table: set(manifests(own, table)) for table in tables}
        (sounds / "0.wav").rename(sounds / "moved.wav")
        (sounds / "1.wav").unlink()
        opened.add(sounds, prune=True)
    for table in tables:
        for path in set(manifests(own, table)) - before[table]:
            empty(path)
    code, told = run(capsys, "doctor", "-l", own, "--repair")
    with sonovec.Library(own) as opened:
        names = sorted(Path(track.path).name for track in opened.tracks())
    assert code == 0 and set(names) - {"1.wav"} == {"2.wav", "3.wav", "4.wav", "moved.wav"}
    if tables == ["tracks"]:  # its segments are gone
        assert "1 tracks lacked segments and were removed" in told and "1.wav" not in names
    else:
        assert "1 tracks that no file held have a row in the ledger again" in told and "1.wav" in told
        with sonovec.Library(own) as opened:
            assert opened.add(sounds, prune=True).vanished == 1
            assert "1.wav" not in {Path(track.path).name for track in opened.tracks()}


def test_a_damaged_index_is_dropped_and_nothing_is_lost(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lance_table, "INDEX_ROWS", 500)
    rows = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
    passport = sonovec.load("logmel").passport.to_json()
    with open_store(tmp_path / "l") as store:
        store.create(LibraryConfig(dim=8, passport=passport, segment_seconds=10.0, model="logmel"))
        part = Segment(0, 0.0, 1.0, 1.0, rows[0])
        store.put_many([(Track(f"{n:032x}", row, {"path": f"/{n}"}), [part]) for n, row in enumerate(rows)])
        store.optimize()
    files = [
        path for path in (tmp_path / "l" / "tables" / "main.tracks.lance" / "_indices").rglob("*") if path.is_file()
    ]
    assert files
    for path in files:
        noise(path)
    assert "an index is damaged" in run(capsys, "doctor", "-l", tmp_path / "l")[1]
    assert run(capsys, "doctor", "-l", tmp_path / "l", "--repair")[0] == 0
    with open_store(tmp_path / "l") as store:
        assert store.count() == (600, 600)
        assert store.search_tracks(rows[7:8], 1)[0][0][0] == f"{7:032x}"


# -- the config


@pytest.mark.parametrize("fault", ["is missing", "is damaged", "is of another library"])
def test_a_lost_config_is_an_error_and_comes_back_from_the_copy(made, library, tmp_path, capsys, fault):
    path = library / lance_folder.CONFIG
    good = path.read_bytes()
    if fault == "is missing":
        path.unlink()
    elif fault == "is damaged":
        empty(path)
    else:
        sonovec.Library(tmp_path / "other", model="logmel", hop=0.25).add(made / "sounds")
        shutil.copy(tmp_path / "other" / lance_folder.CONFIG, path)
    for command in (["search", made / "sounds" / "0.wav"], ["index", made / "sounds", "--hop", "0.25"]):
        code, told = run(capsys, *command, "-l", library)
        assert code == 2 and f"library.json {fault}" in told and f"sonovec doctor -l {library} --repair" in told
    code, told = run(capsys, "doctor", "-l", library, "--repair")
    assert code == 0 and f"library.json {fault}" in told
    assert json.loads(path.read_bytes()) == json.loads(good)
    with sonovec.Library(library) as opened:
        assert opened.add(made / "sounds").counts.unchanged == 5


def test_a_config_without_a_copy_can_only_be_put_back(made, library, capsys, monkeypatch):
    """A library that was made before there were copies."""
    for module in (lance_backend, lance_folder, repair):
        monkeypatch.setattr(module, "COPY", b"elsewhere")
    path = library / lance_folder.CONFIG
    good = path.read_bytes()
    assert run(capsys, "search", made / "sounds" / "0.wav", "-l", library)[0] == 0
    path.unlink()
    code, told = run(capsys, "index", made / "sounds", "-l", library)
    assert code == 2 and "put it back from a backup, or index into another library" in told
    code, told = run(capsys, "doctor", "-l", library, "--repair")
    assert code == 1 and "put it back from a backup" in told and not path.exists()
    path.write_bytes(good)
    assert run(capsys, "doctor", "-l", library)[0] == 0


# -- the ledger


@pytest.mark.parametrize("kind", [zeros, noise])
@pytest.mark.parametrize("inside", [False, True])
def test_a_damaged_ledger_is_moved_and_written_again_without_embedding(made, library, capsys, kind, inside):
    path = library / "ledger.sqlite"
    if inside:
        raw = bytearray(path.read_bytes())
        raw[4096:] = b"\xff" * (len(raw) - 4096)
        path.write_bytes(raw)
    else:
        kind(path)
    code, told = run(capsys, "index", made / "sounds", "-l", library)
    assert code == 2 and "move it aside and index again" in told and "doctor" in told
    code, told = run(capsys, "search", made / "sounds" / "0.wav", "-l", library, "--include-self", "--json")
    assert code == 0 and json.JSONDecoder().raw_decode(told)[0]["hits"][0]["score"] > 0.9999
    assert run(capsys, "doctor", "-l", library)[0] == 1
    code, told = run(capsys, "doctor", "-l", library, "--repair")
    assert code == 0 and "embeds nothing again" in told
    with sonovec.Library(library) as opened:
        assert opened.add(made / "sounds").counts.unchanged == 5
        assert opened.ledger.fault() is None


def test_a_ledger_of_another_format_is_not_taken_for_damaged(library, capsys):
    with sqlite3.connect(library / "ledger.sqlite") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    code, told = run(capsys, "doctor", "-l", library, "--repair")
    assert code == 1 and "use the version of sonovec that wrote it" in told
    assert (library / "ledger.sqlite").exists() and not (library / "damaged").exists()


@pytest.mark.slow
def test_the_doctor_of_a_library_that_cannot_be_written_looks_and_does_not_repair(library, run_as_user, read_only):
    import sys

    empty(manifests(library)[0])
    before = content(library)
    read_only(library)
    look = run_as_user(sys.executable, "-m", "sonovec", "doctor", "-l", library)
    assert look.returncode == 1 and "3 rows can be brought back" in look.stdout, look.stderr
    mend = run_as_user(sys.executable, "-m", "sonovec", "doctor", "-l", library, "--repair")
    assert mend.returncode == 1 and "cannot be written (Permission denied); repair a copy" in mend.stdout
    assert content(library) == before
