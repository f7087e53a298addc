"""``sonovec search --places`` and the files that it writes."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import sonovec
from sonovec.cli import stretch_files
from sonovec.cli.main import cli, run
from sonovec.errors import UsageError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two recordings of noise with a tone in each third of them, indexed in seconds."""
    folder = tmp_path_factory.mktemp("places")
    rng = np.random.default_rng(0)
    tone = 0.5 * np.sin(2 * np.pi * 880 * np.arange(16000) / 16000)
    (folder / "sounds").mkdir()
    for name in ("a", "b"):
        samples = 1e-4 * rng.standard_normal(30 * 16000)
        for start in (5, 15, 25):
            samples[start * 16000 : (start + 1) * 16000] += tone
        soundfile.write(folder / "sounds" / f"{name}.wav", samples, 16000)
    soundfile.write(folder / "tone.wav", tone, 16000)
    with sonovec.Library(folder / "library", model="logmel", segment_seconds=1.0) as library:
        library.add([folder / "sounds"])
    return folder


def places(folder, *options):
    arguments = ["search", str(folder / "tone.wav"), "-l", str(folder / "library"), "--places", "--min-score", "0.95"]
    return CliRunner().invoke(cli, [*arguments, *map(str, options)], catch_exceptions=False)


def test_json_has_the_documented_shape(folder):
    found = json.loads(places(folder, "--json", "--by-time").stdout)
    assert set(found) == {"query", "library", "min_score", "complete", "unread", "reason", "notes", "hits"}
    fields = {"id", "path", "start", "end", "score", "query_start", "query_end"}
    assert [set(hit) for hit in found["hits"]] == [fields] * 6
    assert [hit["start"] for hit in found["hits"]] == [5, 15, 25] * 2
    assert len(json.loads(places(folder, "--json", "-n", 2, "--limit-per-track", 1).stdout)["hits"]) == 2


def test_the_table_and_the_reason(folder):
    lines = places(folder, "--by-time").stdout.splitlines()
    assert lines[0].split("\t") == ["score", "path", "place", "matches these seconds"] and len(lines) == 7
    assert "0:05.0-0:06.0" in lines[1]
    assert places(folder, "--filter", "duration > 99").stdout.startswith("no places: no track matches the filter")


def test_files_of_every_format(folder, tmp_path):
    targets = [tmp_path / f"out{each.ending}" for each in stretch_files.FORMATS.values()]
    result = places(folder, "--by-time", *(word for target in targets for word in ("--out", target)))
    assert result.exit_code == 0
    names = {"out.csv", "out.jsonl", "out.selections.txt", "out.tasks.json"}
    names |= {f"out.{sound}.{kind}" for sound in "ab" for kind in ("txt", "srt", "cue")}
    assert {path.name for path in tmp_path.iterdir()} == names
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    assert [float(row["start"]) for row in rows] == [5, 15, 25] * 2 and rows[0]["label"] == "tone"
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["path"] for line in lines] == [row["path"] for row in rows]
    raven = list(csv.DictReader((tmp_path / "out.selections.txt").open(encoding="utf-8"), delimiter="\t"))
    assert [float(row["Begin Time (s)"]) for row in raven] == [5, 15, 25] * 2
    assert Path(raven[0]["Begin Path"]) == folder / "sounds" / "a.wav"
    tasks = json.loads((tmp_path / "out.tasks.json").read_text(encoding="utf-8"))
    assert [task["data"]["audio"].rpartition("/")[2] for task in tasks] == ["a.wav", "b.wav"]
    regions = tasks[0]["predictions"][0]["result"]
    assert [region["value"]["start"] for region in regions] == [5, 15, 25]
    labels = (tmp_path / "out.a.txt").read_text().splitlines()
    assert re.fullmatch(r"5\.000000\t6\.000000\ttone \d\.\d{3}", labels[0]) and len(labels) == 3
    cue = (tmp_path / "out.b.cue").read_text()
    assert cue.startswith('FILE "b.wav" WAVE\n') and re.findall(r"INDEX 01 (\S+)", cue) == [
        "00:05:00",
        "00:15:00",
        "00:25:00",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "places.xyz"], "places.xyz: give a name with one of these endings: .csv (csv)"),
        (["--text", "a dog"], "give either a sound or words"),
        (["--level", "segment"], "--places is for a sound, and looks at its parts"),
    ],
)
def test_refusals(folder, capsys, options, message):
    arguments = ["search", str(folder / "tone.wav"), "-l", str(folder / "library"), "--places", *options]
    assert run(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--min-score", "0"], ["--by-time"], ["--limit-per-track", "2"], ["-o", "a.csv"]])
def test_what_is_for_places_is_refused_elsewhere(folder, capsys, option):
    assert run(["search", str(folder / "tone.wav"), "-l", str(folder / "library"), *option]) == 2
    assert "works only with --places; add --places" in capsys.readouterr().err


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TIMES = st.floats(0, 1e5)


@given(st.lists(st.tuples(TEXT, TIMES, TIMES), min_size=1, max_size=5))
def test_a_stretch_is_one_line_whatever_it_is_called(tmp_path_factory, given_ones):
    folder = tmp_path_factory.mktemp("formats")
    rows = [{"path": "/a.wav", "start": a, "end": a + b, "score": 0.5, "label": label} for label, a, b in given_ones]
    for kind in ("audacity", "raven", "jsonl"):
        target = folder / f"x{stretch_files.FORMATS[kind].ending}"
        assert stretch_files.write(target, rows) == [target]
        assert len(target.read_bytes().decode().split("\n")) == len(rows) + 1 + (kind == "raven")


def test_sounds_of_one_name_have_files_of_their_own(tmp_path):
    rows = [{"path": f"/{n}/a.wav", "start": 0.0, "end": 1.0, "score": 0.5, "label": "x"} for n in range(3)]
    written = stretch_files.write(tmp_path / "x.txt", rows)
    assert [path.name for path in written] == ["x.a.txt", "x.a-2.txt", "x.a-3.txt"]
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        stretch_files.write(tmp_path / "file" / "x.csv", rows)
