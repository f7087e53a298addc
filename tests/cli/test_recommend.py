"""``sonovec recommend``: a table, JSON, a playlist, and what is liked and disliked."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import soundfile

import sonovec as package
from sonovec.cli.recommend import weights_of
from sonovec.errors import UsageError

RATE = 16000
ROWS = """path,tempo,key,energy
a.wav,120,C major,0.5
b.wav,121,A minor,0.6
c.wav,90,F# major,0.2
d.wav,240,G major,0.9
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recommend") / "sounds"
    folder.mkdir()
    time = np.arange(2 * RATE) / RATE
    for n, name in enumerate("abcd"):
        soundfile.write(folder / f"{name}.wav", 0.3 * np.sin(2 * np.pi * (300 + 60 * n) * time), RATE)
    (folder / "rows.csv").write_text(ROWS)
    with package.Library(folder.parent / "library", model="logmel") as library:
        library.add(folder, metadata=folder / "rows.csv")
    return folder


@pytest.fixture
def place(folder):
    return folder.parent / "library"


def names(paths):
    return [os.path.basename(path)[0] for path in paths]  # noqa: PTH119


def test_the_table_has_a_column_for_each_term(folder, place, sonovec):
    code, out, err = sonovec("recommend", folder / "a.wav", "-l", place)
    heading, *rows = (line.split("\t") for line in out.splitlines())
    assert code == 0 and err == "" and len(rows) == 3
    assert heading == ["score", "path", "alike", "tempo", "key", "energy", "match these"]
    cells = {row[1][-5]: row for row in rows}
    assert cells["b"][3:6] == ["121.0 BPM (+0.8 %)", "A minor (8A), 1 step from 8B", "energy 0.60 (+0.10)"]
    assert cells["d"][3] == "240.0 BPM (double, +0.0 %)"


def test_options_are_conditions(folder, place, sonovec):
    for options, expected in (
        (("--tempo", "118..126"), {"b"}),
        (("--tempo-like", "--octaves"), {"b", "d"}),
        (("--key-compatible",), {"b", "d"}),
        (("--energy", "up"), {"b", "d"}),
        (("--from", "tempo < 100"), {"c"}),
        (("--not", folder / "b.wav"), {"c", "d"}),
    ):
        code, out, _ = sonovec("recommend", folder / "a.wav", "-l", place, "--json", *options)
        assert code == 0 and set(names(each["path"] for each in json.loads(out)["recommendations"])) == expected
    code, out, _ = sonovec("recommend", folder / "a.wav", "-l", place, "-n", 1, "--weight", "tempo=40")
    assert code == 0 and out.splitlines()[1].split("\t")[1].endswith("b.wav")


def test_what_leaves_nothing_is_said(folder, place, sonovec):
    code, out, _ = sonovec("recommend", folder / "a.wav", "-l", place, "--tempo", "118..126", "--energy", "down")
    assert code == 0 and out == (
        "no tracks: of 3 tracks, 1 has a tempo of 118 to 126 BPM; of this none has an energy below 0.50: leave --energy down "
        "out, or widen it\n"
    )


def test_json_shows_all_terms(folder, place, sonovec):
    code, out, _ = sonovec("recommend", folder / "a.wav", "-l", place, "--json")
    told = json.loads(out)
    assert code == 0 and told["reason"] is None and told["weights"]["sound"] == 1.0
    assert told["seeds"][0] | {"id": None} == {
        "name": "a", "id": None, "embedded": False, "tempo": 120.0, "key": "C major", "energy": 0.5,
    }  # fmt: skip
    first = told["recommendations"][0]
    assert set(first["terms"]) == {"sound", "tempo", "key", "energy"}
    assert set(first["terms"]["tempo"]) == {"value", "weight", "distance", "said"}
    weighed = [(term["weight"], term["value"]) for term in first["terms"].values()]
    assert first["score"] == pytest.approx(sum(w * v for w, v in weighed) / sum(w for w, _ in weighed), abs=1e-5)


def test_other_forms(folder, place, sonovec):
    code, out, _ = sonovec("recommend", folder / "a.wav", "-l", place, "--m3u", "-n", 2)
    lines = out.splitlines()
    assert code == 0 and lines[0] == "#EXTM3U" and len(lines) == 5 and lines[2].endswith(".wav")
    code, out, _ = sonovec("recommend", folder / "a.wav", "-l", place, "--explain", "-n", 1)
    assert code == 0 and out.startswith("1. ") and "   tempo " in out and "   seconds " in out and " of a\n" in out
    code, _, err = sonovec("recommend", folder / "a.wav", "-l", place, "--explain", "--json")
    assert code == 2 and "different forms of one answer" in err


def test_a_file_that_is_not_in_the_library(folder, place, sonovec, tmp_path):
    time = np.arange(2 * RATE) / RATE
    soundfile.write(tmp_path / "new.wav", 0.3 * np.sin(2 * np.pi * 365 * time), RATE)
    code, out, _ = sonovec("recommend", tmp_path / "new.wav", folder / "a.wav", "-l", place, "--json")
    told = json.loads(out)
    assert code == 0 and [seed["embedded"] for seed in told["seeds"]] == [True, False]
    assert names(each["path"] for each in told["recommendations"])[0] == "b"
    assert sonovec("recommend", tmp_path / "missing.wav", "-l", place)[0] == 2


def test_likes_are_kept_shown_and_forgotten(folder, place, sonovec):
    code, out, _ = sonovec("recommend", "-l", place, "--history")
    assert code == 0 and out.startswith("nothing is liked or disliked yet")
    code, out, _ = sonovec(
        "recommend", "-l", place, "--like", folder / "b.wav", "--dislike", folder / "c.wav", "--who", "ann"
    )
    heading, *rows = (line.split("\t") for line in out.splitlines())
    assert code == 0 and heading == ["verdict", "path", "who", "when"]
    assert {(row[0], row[1][-5], row[2]) for row in rows} == {("liked", "b", "ann"), ("disliked", "c", "ann")}
    code, out, _ = sonovec("recommend", folder / "a.wav", "-l", place, "--json")
    told = json.loads(out)["recommendations"]
    assert set(names(each["path"] for each in told)) == {"b", "d"}
    code, out, _ = sonovec("recommend", folder / "a.wav", "-l", place, "--json", "--no-history")
    assert len(json.loads(out)["recommendations"]) == 3
    code, out, _ = sonovec("recommend", "-l", place, "--forget", folder / "b.wav", "--who", "ann", "--json")
    assert [each["verdict"] for each in json.loads(out)["history"]] == ["disliked"]
    code, out, _ = sonovec("recommend", "-l", place, "--forget-all", "--who", "ann")
    assert code == 0 and out.startswith("nothing is liked")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "no seeds"),
        (("a.wav", "--octaves"), "give tempo_like=True"),
        (("a.wav", "--tempo", "fast"), "'fast': give two tempos"),
        (("a.wav", "--mood", "happy"), "has no column 'moods'"),
        (("a.wav", "--weight", "tempo"), "not of the form TERM=NUMBER"),
        (("a.wav", "--weight", "loudness=1"), "weights have no term 'loudness'"),
        (("a.wav", "--variety", "2"), "variety=2.0"),
        (("a.wav", "--artist-limit", "0"), "artist_limit=0 leaves nothing"),
        (("a.wav", "--from", "bpm > 3"), "bpm"),
        (("a.wav", "--not", "a.wav"), "a seed and among those that are not wanted"),
        (("a.wav", "--history"), "--history prints what is liked"),
        (("--like", "a.wav", "--dislike", "a.wav"), "is given with --like and with --dislike"),
        (("--like", "missing.wav"), "missing.wav"),
    ],
)
def test_what_is_wrong_is_said(folder, place, sonovec, monkeypatch, options, told):
    monkeypatch.chdir(folder)
    code, _, err = sonovec("recommend", *options, "-l", place)
    assert code == 2 and told in err


def test_weights():
    assert weights_of(["tempo=1", "sound=0.25"]) == {"tempo": 1.0, "sound": 0.25}
    with pytest.raises(UsageError, match="--weight '=1'"):
        weights_of(["=1"])
