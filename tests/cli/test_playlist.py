"""``sonovec playlist`` and ``sonovec loops``: tables, JSON, and files that players read."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sonovec.cli.main import run
from sonovec.library.playlist.files import XSPF_NAMES
from tests.library.playlist import made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("playlists")
    made.write(folder)
    return folder


@pytest.fixture
def sonovec(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)

    def call(command: str, code: int = 0):
        assert run([*command.split(), "-l", "library"]) == code
        return capsys.readouterr()

    return call


def test_the_table_has_times_tempos_and_keys(sonovec):
    told = sonovec("playlist sounds/04.wav -n 4")
    header, *rows = (line.split("\t") for line in told.out.splitlines())
    assert header == ["#", "start", "path", "length", "tempo", "key", "camelot", "score", "step"] and told.err == ""
    assert rows[0][:2] == ["1", "0:00.0"] and rows[0][3:] == ["0:02.0", "88.0", "D major", "10B", "1.000", ""]
    assert [row[1] for row in rows] == ["0:00.0", "0:02.0", "0:04.0", "0:06.0"]


def test_json_has_the_list_and_the_weights(sonovec):
    told = json.loads(sonovec("playlist --arc energy=up -n 5 --weight key=2 --json").out)
    assert told["weights"] == {"sound": 1.0, "tempo": 1.0, "key": 2.0} and len(told["tracks"]) == 5
    assert {"tempo", "key", "camelot", "seconds", "step"} <= set(told["tracks"][0])


def test_files_are_written_in_every_format_with_relative_paths(sonovec, folder, tmp_path):
    names = ("a.m3u8", "a.xspf", "a.jspf", "a.json")
    targets = " ".join(f"-o {tmp_path / name}" for name in names)
    sonovec(f"playlist sounds/04.wav -n 3 --gapless --title Mine {targets} --relative-to {folder}")
    lines = (tmp_path / "a.m3u8").read_text().splitlines()
    assert "sounds/04.wav" in lines and "#EXTVLCOPT:start-time=0.250" in lines
    root = ElementTree.parse(tmp_path / "a.xspf").getroot()
    assert root.findtext(f"{{{XSPF_NAMES}}}title") == "Mine"
    told = json.loads((tmp_path / "a.jspf").read_text())["playlist"]
    assert told["track"][0]["location"] == ["sounds/04.wav"] and told["title"] == "Mine"
    assert json.loads((tmp_path / "a.json").read_text())["tracks"][0]["path"] == "sounds/04.wav"


def test_m3u_is_printed(sonovec):
    lines = sonovec("playlist sounds/04.wav -n 3 --m3u").out.splitlines()
    assert lines[0] == "#EXTM3U" and lines[1] == "#EXTINF:2,A - Tone 4" and len(lines) == 7


def test_a_history_is_kept_in_a_file(sonovec, tmp_path):
    history = tmp_path / "history.txt"
    for _ in range(2):
        sonovec(f"playlist --arc tempo=up -n 4 --history {history}")
    assert len(history.read_text().splitlines()) == 9


def test_nothing_is_said_to_be_nothing_and_no_file_is_written(sonovec, tmp_path):
    told = sonovec(f"playlist --arc tempo=up --tempo 300..320 -o {tmp_path / 'a.xspf'}")
    assert told.out.startswith("no playlist: of 24 tracks") and "none have a tempo from 300 to 320" in told.out
    assert "a.xspf: not written" in told.err and not (tmp_path / "a.xspf").exists()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("playlist", "nothing says what is to be played"),
        ("playlist sounds/01.wav --json --m3u", "--json and --m3u are different forms"),
        ("playlist sounds/01.wav -o list.pls", ".pls is not a format of playlists"),
        ("playlist sounds/01.wav --weight key", "--weight 'key' is not of the form NAME=NUMBER"),
        ("playlist missing.wav", "missing.wav: no such file"),
        ("playlist sounds/01.wav --tempo fast", "'fast': give two tempos"),
        ("loops sounds/23.wav", "give it, such as --tempo 120"),
        ("loops sounds/01.wav --json --m3u", "--json and --m3u are different forms"),
    ],
)
def test_what_makes_no_sense_is_refused(sonovec, command, told):
    assert told in sonovec(command, code=2).err


def test_loops_say_what_they_need(sonovec):
    told = sonovec("loops sounds/10.wav --max-stretch 5")
    header, *rows = (line.split("\t") for line in told.out.splitlines())
    assert header == ["score", "path", "place", "bars", "tempo", "stretch", "fits", "key", "transpose"]
    assert len(rows) >= 3 and all(row[5].endswith(" %") and row[6] == "beat on beat" for row in rows)
    assert Path(rows[0][1]).exists()


def test_loops_as_json_and_as_a_playlist(sonovec):
    told = json.loads(sonovec("loops sounds/10.wav --json --by-fit").out)
    assert told["tempo"] == 100.0 and told["camelot"] == "8B" and told["hits"]
    assert "#EXTVLCOPT:start-time" in sonovec("loops sounds/10.wav --m3u").out


def test_no_loops_are_said_to_be_none(sonovec):
    assert sonovec("loops sounds/10.wav --tempo 300 --max-stretch 1").out.startswith("no loops: of 24 tracks none come")
