"""``show``, ``remove``, ``history`` and ``stats``: what is in a library, and what happened to it."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run
from tests.cli.terminal import on_terminal


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number, name in enumerate(("rain", "wind", "bell")):
        noise = np.random.default_rng(number).standard_normal(8000 * 12) / 9
        soundfile.write(folder / f"{name}.wav", noise, 8000)
    (folder / "broken.wav").write_bytes(b"RIFF....WAVE")
    return folder


@pytest.fixture
def library(folder, tmp_path):
    place = str(tmp_path / "library")
    with sonovec.Library(place, model="logmel") as library:
        library.add(folder)
    return place


@pytest.fixture
def answer(capsys, library):
    def ask(command, *arguments, code=0):
        capsys.readouterr()
        assert run([command, "-l", library, "--json", *map(str, arguments)]) == code
        return json.loads(capsys.readouterr().out)

    return ask


@pytest.fixture
def lines(capsys, library):
    def ask(command, *arguments, code=0):
        capsys.readouterr()
        assert run([command, "-l", library, *map(str, arguments)]) == code
        out, err = capsys.readouterr()
        return (out + err).splitlines()

    return ask


def test_show(answer, lines, folder):
    found = answer("show", folder / "rain.wav")
    assert set(found) == {
        *("library", "id", "fields", "segments", "spaces", "analyses", "passages", "labels", "files"),
    }
    assert found["fields"]["path"] == str(folder / "rain.wav") and found["fields"]["duration"] == 12
    assert found["segments"] == [{"start": 0, "end": 10}, {"start": 10, "end": 12}]
    assert [(space["name"], space["model"]) for space in found["spaces"]] == [("main", "logmel")]
    assert [(file["path"], file["status"], file["run"]) for file in found["files"]] == [
        (str(folder / "rain.wav"), "indexed", 1)
    ]
    assert answer("show", found["id"][:6]) == found
    told = lines("show", found["id"])
    assert f"path\t{folder / 'rain.wav'}" in told and "segments\t2: 0:00.0-0:10.0 0:10.0-0:12.0" in told
    assert "no track has this path or id" in lines("show", "nowhere", code=2)[0]


def test_remove(answer, lines, folder, library):
    (refused,) = lines("remove", folder / "rain.wav", code=2)
    assert refused == "sonovec: this removes 1 track; to do it, add --yes; to see more, add --dry-run"
    assert lines("remove", "--filter", "duration = 12", "--dry-run")[-1] == "would remove 3 tracks"
    found = answer("remove", folder / "rain.wav", "--yes")
    assert [track["path"] for track in found["removed"]] == found["files"] == [str(folder / "rain.wav")]
    assert not found["dry_run"] and found["kept"] == []
    told = lines("remove", "--filter", "path contains 'wind'", "--yes")
    assert told == [
        f"  {folder / 'wind.wav'}",
        "removed 1 track",
        "the files are still on the disk: `sonovec index` of their folder adds them again",
    ]
    with sonovec.Library(library) as opened:
        assert [track.path for track in opened.tracks()] == [str(folder / "bell.wav")]


def test_history(answer, lines, folder, library):
    (first,) = answer("history")["runs"]
    assert (first["run"], first["found"], first["indexed"], first["failed"]) == (1, 4, 3, 1)
    assert first["started"] <= first["finished"] and first["options"]["paths"] == [str(folder)]
    told = answer("history", "--run", 1)
    (failure,) = told["failures"]
    assert failure["path"] == str(folder / "broken.wav") and failure["reason"] and told["met_again"] == 0
    with sonovec.Library(library) as opened:
        opened.add(folder)
        opened.remove(folder / "rain.wav")
    assert [each["run"] for each in answer("history")["runs"]] == [3, 2, 1]
    assert [each["run"] for each in answer("history", "-n", 1)["runs"]] == [3]
    assert answer("history", "--run", 1)["met_again"] == 1, "the second run met the file again"
    assert [each["run"] for each in answer("history", "--failed")["failures"]] == [2]
    heading, latest, second, _ = (line.split("\t") for line in lines("history"))
    assert heading[:5] == ["run", "date", "time", "took", "what"]
    assert heading[5:] == ["found", "indexed", "unchanged", "skipped", "failed"]
    assert latest[4] == "remove 1 tracks" and second[4:] == [f"index {folder}", "4", "0", "3", "0", "1"]
    assert lines("history", "--run", 1) == [
        "1 more failed in this run; a later run met these files again, and tells of them now"
    ]
    assert lines("history", "--run", 3) == ["nothing failed"]
    assert "--run 9: no such run" in lines("history", "--run", 9, code=2)[0]
    assert "give one of them" in lines("history", "--run", 1, "--failed", code=2)[0]


def test_stats(answer, lines, library):
    found = answer("stats")
    assert (found["tracks"], found["audio_seconds"], found["silent"]) == (3, 36, 0)
    assert found["rates"] == {"8000": 3} and found["channels"] == {"1": 3} and list(found["formats"].values()) == [3]
    assert found["files"] == {"found": 4, "indexed": 3, "unchanged": 0, "skipped": 0, "failed": 1}
    (space,) = found["spaces"]
    assert (space["model"], space["tracks"], space["segments"]) == ("logmel", 3, 6)
    assert found["years"] is None and found["bytes"] > 10_000 and len(found["indexed"]) == 2
    assert "space main\tlogmel, 192 numbers: 3 tracks, 6 segments of 10 s" in lines("stats")


def test_export_and_import(answer, lines, capsys, library, folder, tmp_path):
    out, copy = tmp_path / "shared", str(tmp_path / "copy")
    assert run(["export", library, str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"tracks": 3, "main.tracks": 3, "main.segments": 6, "passages": 0, "labels": 0}
    assert set(told["files"]) == {f"{name}.parquet" for name in told["counts"]} and told["bytes"] > 1000
    assert run(["export", library, str(out)]) == 2
    assert "exists already; give a new folder" in capsys.readouterr().err
    assert run(["import", str(out), "-l", copy, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["tracks"], told["imported"], told["present"], told["failures"]) == (3, 3, 0, [])
    assert run(["import", str(out), "-l", copy]) == 0
    assert capsys.readouterr().out == f"0 tracks of {out} imported, 3 were there; 3 in all\n"
    assert run(["search", str(folder / "rain.wav"), "-l", copy, "-n", "1", "--m3u", "--include-self"]) == 0
    out, err = capsys.readouterr()
    assert out == "#EXTM3U\n"
    assert "sounds: sonovec does not know where this root is on this machine; run: sonovec library move-root" in err
    assert "sounds:/rain.wav: left out: the file is not on this machine" in err


@pytest.mark.skipif(os.name == "nt", reason="a terminal of Unix")
@pytest.mark.parametrize(("answered", "code", "left"), [("n", 2, 3), ("y", 0, 2)])
def test_remove_asks_on_a_terminal(library, folder, answered, code, left):
    done = on_terminal("remove", folder / "rain.wav", "-l", library, answer=answered)
    told = done.stdout.decode()
    assert done.returncode == code and "Remove 1 track? [y/N]: " in told
    assert ("nothing was removed" in told) == (answered == "n")
    with sonovec.Library(library) as opened:
        assert len(opened) == left
