"""``sonovec search --said`` and ``sonovec index --transcribe`` at the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run
from sonovec.library.records import Passage


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two sounds, in which Ann has written down what is said."""
    folder = tmp_path_factory.mktemp("said")
    for seed, name in enumerate("ab"):
        soundfile.write(folder / f"{name}.wav", 0.1 * np.random.default_rng(seed).standard_normal(32000), 16000)
    with sonovec.Library(folder / "library", model="logmel") as library:
        library.add([folder / "a.wav", folder / "b.wav"])
        ids = {track.title: track.id for track in library.tracks()}
        library.passages.put(
            [
                Passage(ids["a"], 0.0, 1.0, "Open the door.", "Ann", 1.0, "en"),
                Passage(ids["b"], 0.5, 1.5, "The doors are\topen.", "Ann", 1.0, "en"),
            ]
        )
    return folder


def said(folder, *arguments):
    return run(["search", "-l", str(folder / "library"), *map(str, arguments)])


def test_the_table_and_the_reason(folder, capsys):
    assert said(folder, "--said", "open the door") == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["score", "path", "said at", "said"]
    assert lines[1][0] == "1.000" and lines[1][2:] == ["0:00.0-0:01.0", "Open the door."] and len(lines) == 3
    assert said(folder, "--said", "zebra") == 0
    assert capsys.readouterr().out == "no hits: nobody says 'zebra' in what was transcribed\n"


def test_files_and_a_playlist(folder, capsys, tmp_path):
    assert (
        said(folder, "--said", "door", "-o", tmp_path / "f.selections.txt", "-o", tmp_path / "f.jsonl", "--by-time")
        == 0
    )
    rows = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text("utf-8").splitlines()]
    assert [row["label"] for row in rows] == ["Open the door.", "The doors are\topen."]
    assert "text" not in rows[0] and rows[0]["score"] == 1.0
    assert "\tThe doors are open.\t0.9" in (tmp_path / "f.selections.txt").read_text("utf-8")
    assert said(folder, "--said", "door", "-n", 1, "-o", tmp_path / "f.srt") == 0
    assert "00:00:00,000 --> 00:00:01,000\nOpen the door. 1.000" in (tmp_path / "f.srt").read_text("utf-8")
    capsys.readouterr()
    assert said(folder, "--said", "doors", "-n", 1, "--m3u") == 0
    assert "#EXTVLCOPT:start-time=0.500\n#EXTVLCOPT:stop-time=1.500\n" in capsys.readouterr().out


def test_a_sound_among_those_that_say_it(folder, capsys):
    assert said(folder, folder / "a.wav", "--said", "doors", "--include-self", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["said"] == "doors" and [hit["said"]["start"] for hit in found["hits"]] == [0.0, 0.5]
    assert said(folder, folder / "a.wav", "--said", '"open the door"') == 0
    assert "no other track says all of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--said", "door", "--text", "dog"], "--said goes with a sound, or alone; leave --text out"),
        (["a.wav", "--said", "door", "--places"], "--said goes with a sound, or alone; leave --places out"),
        (["--said", "door", "--exact"], "--exact does not go with --said alone"),
        (["--said", "door", "--space", "voice"], "--space does not go with --said alone"),
        (["--said", "?"], "said='?' has no word"),
        (["--said", "door", "-o", "x.doc"], "give a name with one of these endings"),
        ([], "for what was said sonovec search --said 'open the door'"),
    ],
)
def test_what_does_not_go_together(folder, capsys, arguments, message):
    assert said(folder, *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--language en", "--language en works only with --transcribe; add --transcribe MODEL"),
        ("--beam 5", "--beam 5 works only with --transcribe; add --transcribe MODEL"),
        ("--lm words.arpa --alpha 0.25", "--lm words.arpa works only with --transcribe; add --transcribe MODEL"),
        ("--hot-word Tilney", "--hot-word Tilney works only with --transcribe; add --transcribe MODEL"),
        ("--transcribe tiny --alpha 0.25", "--alpha 0.25 works only with --lm; add --lm FILE"),
        ("--transcribe tiny --beta 0", "--beta 0 works only with --lm; add --lm FILE"),
        ("--transcribe tiny --hot-weight 2", "--hot-weight 2 works only with --hot-word; add --hot-word WORD"),
        ("--transcribe no-such-model", "recogniser 'no-such-model' is no folder"),
    ],
)
def test_options_of_a_recogniser_without_what_they_need_are_refused(folder, capsys, tmp_path, options, complaint):
    assert run(["index", str(folder / "a.wav"), "-l", str(tmp_path / "new"), *options.split()]) == 2
    assert complaint in capsys.readouterr().err and not (tmp_path / "new").exists()
