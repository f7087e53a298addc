"""``sonovec list``: what a library holds, in the forms that people and programs read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import sonovec
from sonovec.cli.main import cli, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("list")
    (folder / "sounds").mkdir()
    rows = ["path,stars,moods"]
    for name, seconds, stars in [("b", 1, 5), ("a", 3, 3), ("c\n d", 2, ""), ("é", 65, 3)]:
        soundfile.write(folder / "sounds" / f"{name}.wav", np.full(seconds * 8000, 0.1), 8000)
        rows.append(f'"sounds/{name}.wav",{stars},')
    (folder / "my.csv").write_text("\n".join(rows), encoding="utf-8")
    with sonovec.Library(folder / "library", model="logmel") as library:
        library.add([folder / "sounds"], metadata=folder / "my.csv")
    return folder


def listed(folder, *options):
    result = CliRunner().invoke(cli, ["list", "-l", str(folder / "library"), *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result


def names(folder, *options):
    return [Path(track["path"]).stem for track in json.loads(listed(folder, "--json", *options).stdout)["tracks"]]


def test_order_filter_and_limit(folder):
    assert names(folder) == ["a", "b", "c\n d", "é"]
    assert names(folder, "--sort", "duration") == ["b", "c\n d", "a", "é"]
    assert names(folder, "--sort", "-duration", "-n", "2") == ["é", "a"]
    assert names(folder, "--sort", "-stars") == ["b", "a", "é", "c\n d"], "those without a value are last"
    assert names(folder, "--sort", "stars")[-1] == "c\n d"
    assert names(folder, "--filter", "stars = 3") == ["a", "é"]
    assert names(folder, "-n", "0") == []


def test_columns(folder):
    found = json.loads(listed(folder, "--json", "--columns", "id, stars").stdout)["tracks"]
    assert [set(track) for track in found] == [{"id", "stars"}] * 4
    assert {"id", "path", "duration", "stars"} <= set(
        json.loads(listed(folder, "--json", "--columns", "all").stdout)["tracks"][0]
    )
    lines = listed(folder).stdout.splitlines()
    assert lines[0].split("\t") == ["path", "title", "artist", "duration"] and len(lines) == 5
    assert lines[4].endswith("1:05.0") and r"c\n d.wav" in lines[3]


def test_forms_for_programs(folder):
    paths = [os.fsencode(folder / "sounds" / f"{name}.wav") for name in ("a", "b", "c\n d", "é")]
    assert listed(folder, "-0").stdout_bytes == b"\0".join(paths) + b"\0"
    lines = listed(folder, "--m3u", "--filter", "stars >= 3").stdout_bytes.splitlines()
    assert lines == [b"#EXTM3U", b"#EXTINF:3,a", paths[0], b"#EXTINF:1,b", paths[1], "#EXTINF:65,é".encode(), paths[3]]


def test_a_playlist_leaves_out_what_it_cannot_hold(folder, caplog):
    lines = listed(folder, "--m3u", "--sort", "-stars").stdout_bytes.splitlines()
    assert len(lines) == 1 + 2 * 3
    assert [record.getMessage().partition(": ")[2][:8] for record in caplog.records] == ["left out"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sort", "loud"], "'loud' is not a column of this library; its columns are: id, path, title"),
        (["--columns", "path,loud"], "'loud' is not a column of this library"),
        (["--json", "--m3u"], "give one of them"),
        (["--filter", "loud > 3"], "loud"),
    ],
)
def test_refusals(folder, capsys, options, message):
    assert run(["list", "-l", str(folder / "library"), *options]) == 2
    assert message in capsys.readouterr().err
