"""``sonovec duplicates``: a table, JSON, and paths for other programs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import sonovec
from sonovec.cli.main import run

RATE = 16000


def noise(seed):
    return np.random.default_rng(seed).standard_normal(5 * RATE) / 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recording in two encodings and a copy, with a line break in a name, and one that is there once."""
    folder = tmp_path_factory.mktemp("duplicates")
    (folder / "sounds").mkdir()
    soundfile.write(folder / "sounds" / "a.wav", noise(0), RATE)
    soundfile.write(folder / "sounds" / "a\nb.flac", noise(0), RATE)
    shutil.copy(folder / "sounds" / "a.wav", folder / "sounds" / "copy.wav")
    soundfile.write(folder / "sounds" / "other.wav", noise(1), RATE)
    with sonovec.Library(folder / "library", model="logmel") as library:
        library.add(folder / "sounds", analysers=["fingerprint"])
    return folder


def test_the_table_shows_which_to_keep(folder, capsys):
    assert run(["duplicates", "-l", str(folder / "library")]) == 0
    told = capsys.readouterr()
    header, *lines = (line.split("\t") for line in told.out.splitlines())
    assert header == ["group", "", "path", "duration", "speed", "codec", "bandwidth", "kbit/s"] and told.err == ""
    assert [line[:2] for line in lines] == [["1", "keep"], ["1", "copy"], ["1", ""]]
    assert {line[2] for line in lines[:2]} == {str(folder / "sounds" / name) for name in ("a.wav", "copy.wav")}
    assert lines[2][2].endswith(r"a\nb.flac") and lines[0][3:] == ["0:05.0", "", "PCM_16", "", "256"]


def test_a_terminal_shows_paths_below_the_root(folder, tmp_path, capsys, monkeypatch):
    sounds = tmp_path / "sounds"
    shutil.copytree(folder / "sounds", sounds)
    with soundfile.SoundFile(sounds / "titled.flac", "w", RATE, 1) as file:
        file.title, file.artist = "Hiss", "Ann"
        file.write(noise(0))
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds, analysers=["fingerprint"])
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(["duplicates", "-l", str(tmp_path / "library")]) == 0
    heading, _, *rows = (line.split() for line in capsys.readouterr().out.splitlines() if line.strip())
    assert heading == ["group", "path", "duration", "codec", "kbit/s"]
    assert {" ".join(row[1:-3]) for row in rows} == {"keep a.wav", "copy copy.wav", r"a\nb.flac", "titled.flac"}


def test_json_has_the_documented_shape(folder, capsys):
    assert run(["duplicates", "-l", str(folder / "library"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {
        "library",
        "tracks",
        "without_fingerprint",
        "with_former_fingerprint",
        "groups",
        "overlaps",
    }
    assert (told["tracks"], told["without_fingerprint"], told["overlaps"]) == (3, 0, [])
    ((first, second),) = told["groups"]
    fields = {"id", "path", "copies", "duration", "codec", "lossless", "rate", "size", "bitrate"}
    fields |= {"bandwidth", "speed", "keeps_pitch", "offset"}
    assert set(first) == set(second) == fields
    assert len(first["copies"]) == 1 and Path(second["path"]).name == "a\nb.flac"


def test_paths_are_those_of_all_but_the_one_to_keep(folder, capfdbinary):
    assert run(["duplicates", "-l", str(folder / "library"), "-0"]) == 0
    *paths, end = capfdbinary.readouterr().out.split(b"\0")
    kept = {folder / "sounds" / name for name in ("a.wav", "copy.wav")} - {Path(os.fsdecode(path)) for path in paths}
    assert end == b"" and len(paths) == 2 and len(kept) == 1
    assert run(["duplicates", "-l", str(folder / "library"), "-0", "--json"]) == 2


def test_paths_leave_out_what_is_at_another_speed(tmp_path, capfdbinary):
    """They go to programs that delete, and whether it is one recording has to be heard."""
    sounds, sound = tmp_path / "sounds", noise(2)
    sounds.mkdir()
    for name, samples in (
        ("a.wav", sound),
        ("again.flac", sound),
        ("slower.wav", soxr.resample(sound, 0.96 * RATE, RATE)),
    ):
        soundfile.write(sounds / name, samples, RATE)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds, analysers=["fingerprint"])
        (group,) = library.duplicates().groups
        kept = Path(group[0].path).name
        assert len(group) == 3
    assert run(["duplicates", "-l", str(tmp_path / "library"), "-0"]) == 0
    names = {Path(os.fsdecode(path)).name for path in capfdbinary.readouterr().out.split(b"\0") if path}
    assert names == ({"again.flac", "a.wav"} - {kept} if kept != "slower.wav" else set())


def test_it_says_what_to_run_where_there_are_no_fingerprints(folder, tmp_path, capsys):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(folder / "sounds")
    assert run(["duplicates", "-l", str(tmp_path / "library"), "--filter", "path contains 'other'"]) == 0
    told = capsys.readouterr()
    assert told.out == "no duplicates\n"
    assert told.err.startswith("1 of 1 tracks have no fingerprint, ")
    assert f"sonovec index FOLDER -l {tmp_path / 'library'} --analyser fingerprint" in told.err
    assert run(["duplicates", "-l", str(tmp_path / "nowhere")]) == 2
    assert "no library here" in capsys.readouterr().err


def test_a_playlist_has_the_groups(folder, capsys):
    assert run(["duplicates", "-l", str(folder / "library"), "--m3u"]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0] == "#EXTM3U" and lines[2] in {str(folder / "sounds" / name) for name in ("a.wav", "copy.wav")}
    assert "line break" in told.err, "a name that a playlist cannot hold is told"
    assert run(["duplicates", "-l", str(folder / "library"), "--m3u", "--json"]) == 2


def test_speeds_and_parts_are_shown(tmp_path, capsys):
    (tmp_path / "sounds").mkdir()
    long = np.concatenate([noise(seed) for seed in range(4)])
    soundfile.write(tmp_path / "sounds" / "long.wav", long, RATE)
    soundfile.write(tmp_path / "sounds" / "part.wav", noise(2), RATE)
    soundfile.write(tmp_path / "sounds" / "a.wav", noise(9), RATE)
    soundfile.write(tmp_path / "sounds" / "faster.flac", soxr.resample(noise(9), RATE * 1.033, RATE), RATE)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(tmp_path / "sounds", analysers=["fingerprint", "bandwidth"])
    assert run(["duplicates", "-l", str(tmp_path / "library")]) == 0
    _, first, second, _, part = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert (Path(first[2]).name, Path(second[2]).name) == ("a.wav", "faster.flac") and first[4] == ""
    assert float(second[4].removesuffix(" %")) == pytest.approx(3.3, abs=0.5) and second[6] == "8.0 kHz"
    assert [Path(part[0]).name, Path(part[2]).name] == ["long.wav", "part.wav"] and part[4] == "whole"
    assert part[1].startswith("0:10.") and part[3].startswith("0:00.")
