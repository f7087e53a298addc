"""The commands ``detect`` and ``index --detector``, with detectors of tones on the encoder `logmel`."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec import Library
from sonovec.cli.stretch_files import FORMATS
from sonovec.learn.analyser import COARSE
from tests.learn.detectors import BEEP, BUZZ, RATE, scene, tones

EVENTS = [(3.0, 3.6, BEEP), (8.0, 12.0, BUZZ), (10.0, 13.0, BEEP), (20.0, 22.0, BEEP)]


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    tones().save(tmp_path / "tones.detector")
    return tmp_path / "tones.detector"


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    (folder / "deep").mkdir(parents=True)
    soundfile.write(folder / "a.wav", scene(25, EVENTS), RATE)
    soundfile.write(folder / "deep" / "b.wav", scene(25, [(4, 9, BUZZ)], seed=4), RATE)
    soundfile.write(folder / "hiss.wav", scene(8, [], seed=5), RATE)
    return folder


def test_files_as_json_and_in_every_format(sonovec, sounds: Path, detector: Path, tmp_path: Path) -> None:
    outs = [word for each in FORMATS.values() for word in ("-o", str(tmp_path / f"out{each.ending}"))]
    code, out, err = sonovec("detect", sounds, "-d", detector, "--json", *outs)
    assert code == 0, err
    told = json.loads(out)
    assert [Path(sound["path"]).name for sound in told["sounds"]] == ["a.wav", "b.wav", "hiss.wav"]
    assert [len(sound["events"]) for sound in told["sounds"]] == [4, 1, 0]
    first = told["sounds"][0]["events"][0]
    assert first["class"] == "beep" and first["detector"] == tones().source == "@".join(
        told["detectors"][0][key] for key in ("name", "version")
    )
    assert first["start"] == pytest.approx(3, abs=0.5) and first["probability"] >= first["mean"]
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 and float(rows[0]["score"]) == first["probability"] and rows[0]["label"] == "beep"
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["start"] for line in lines] == [float(row["start"]) for row in rows]
    subtitles = (tmp_path / "out.a.srt").read_text().split("\n\n")
    assert subtitles[0].splitlines() == ["1", "00:00:02,875 --> 00:00:03,750", f"beep {first['probability']:.3f}"]
    assert len((tmp_path / "out.selections.txt").read_text().splitlines()) == 6
    assert (tmp_path / "out.b.txt").read_text().endswith(f"buzz {told['sounds'][1]['events'][0]['probability']:.3f}\n")


def test_tables_say_why(sonovec, sounds: Path, detector: Path) -> None:
    code, out, err = sonovec(
        "detect", sounds / "a.wav", sounds / "hiss.wav", "-d", detector, "--explain", "--class", "BUZZ"
    )
    assert code == 0, err
    assert "nearest example" in out and "train.wav 0:" in out and "beep" not in out
    assert "nothing was detected; try a lower --threshold" in out


def test_one_file_for_each_sound(sonovec, sounds: Path, detector: Path, tmp_path: Path) -> None:
    code, _, err = sonovec("detect", sounds, "-d", detector, "--out-folder", tmp_path / "out", "--format", "srt")
    assert code == 0 and "3 files in" in err
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.srt")} == {
        "a.srt",
        "deep/b.srt",
        "hiss.srt",
    }


def test_rules_of_the_command_line(sonovec, sounds: Path, detector: Path) -> None:
    def events(*options: str) -> list[dict]:
        code, out, err = sonovec("detect", sounds / "a.wav", "-d", detector, "--json", *options)
        assert code == 0, err
        return json.loads(out)["sounds"][0]["events"]

    assert [each["class"] for each in events("--min-duration", "1")] == ["buzz", "beep", "beep"]
    assert len(events("--gap", "10", "--class", "beep")) == 1
    assert events("--threshold", "1") == []
    assert len(events("--start", "18")) == 1
    assert all("examples" in each and len(each["examples"]) == 3 for each in events("--explain"))


def test_a_broken_file_is_named(sonovec, sounds: Path, detector: Path) -> None:
    (sounds / "bad.wav").write_bytes(b"RIFF....WAVE")
    code, out, err = sonovec("detect", sounds, "-d", detector, "--json")
    assert code == 1 and "bad.wav" in err
    assert len(json.loads(out)["sounds"]) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-", "a.wav"], "- is a stream of sound, which is heard alone"),
        (["-", "--start", "3"], "--start is of files; leave it out for a stream"),
        (["-", "--channels", "2"], "--channels and --encoding are of samples without a header; give --rate too"),
        (["-", "--rate", "8000", "--format", "cue"], "--format cue: give one of: csv, jsonl"),
        (["a.wav", "--rate", "8000"], "are of a stream; give - in place of files"),
        (["a.wav", "--threshold", "2"], "threshold=2.0 is not a probability"),
        (["a.wav", "-l", "library"], "leave the files out"),
        (["a.wav", "--format", "srt"], "add --out-folder FOLDER"),
        (["a.wav", "--class", "bee"], "class 'bee': none of the 2 classes of the detectors; the nearest are: 'beep'"),
        (["a.wav", "-o", "out.xyz"], "give a name with one of these endings"),
        ([], "no paths"),
    ],
)
def test_usage(sonovec, sounds: Path, detector: Path, words: list[str], message: str, monkeypatch) -> None:
    monkeypatch.chdir(sounds)
    code, _, err = sonovec("detect", *words, "-d", detector)
    assert code == 2 and message in err


def fed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))


def wav(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, RATE, format="WAV")
    return out.getvalue()


@pytest.mark.parametrize("format", ["csv", "jsonl", "audacity", "raven", "srt"])
def test_a_stream_is_printed_in_a_format(sonovec, detector: Path, format: str, monkeypatch, tmp_path: Path) -> None:
    fed(monkeypatch, wav(scene(25, EVENTS)))
    out_file = tmp_path / f"out{FORMATS[format].ending}"
    code, out, err = sonovec("detect", "-", "-d", detector, "--format", format, "-o", out_file)
    assert code == 0, err
    assert out_file.read_text() == out
    assert "standard input: 0:25.0 heard, 4 events" in err


def test_a_stream_without_a_header(sonovec, detector: Path, monkeypatch) -> None:
    data = (np.stack([scene(25, EVENTS)] * 2, axis=1) * 32767).astype("<i2").tobytes()
    fed(monkeypatch, data[:-1])
    code, out, err = sonovec("detect", "-", "-d", detector, "--rate", RATE, "--channels", 2, "--begins", "--json")
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    schema = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "detect.json").read_text("utf-8"))
    jsonschema = pytest.importorskip("jsonschema")
    for row in rows:
        jsonschema.validate(row, {**schema["$defs"]["event"], "$defs": schema["$defs"]})
    assert sum(row["end"] is None for row in rows) == 4 and len(rows) == 8
    assert "the stream ended within a frame of all channels: the last 3 bytes were left out" in err
    fed(monkeypatch, data)
    code, out, _ = sonovec("detect", "-", "-d", detector, "--rate", RATE, "--channels", 2)
    assert out.splitlines()[0].split("\t")[1] == "beep" and len(out.splitlines()) == 4


def test_a_stream_of_nothing(sonovec, detector: Path, monkeypatch) -> None:
    fed(monkeypatch, b"")
    code, _, err = sonovec("detect", "-", "-d", detector)
    assert code == 2 and "standard input: nothing came" in err


# -- libraries


@pytest.fixture
def library(sonovec, sounds: Path, tmp_path: Path) -> Path:
    code, _, err = sonovec("index", sounds, "-l", tmp_path / "library", "-m", "logmel", "--segment", 2)
    assert code == 0, err
    return tmp_path / "library"


def test_a_detector_hears_while_sounds_are_indexed(sonovec, sounds: Path, detector: Path, tmp_path: Path) -> None:
    code, _, err = sonovec("index", sounds, "-l", tmp_path / "new", "-m", "logmel", "--detector", detector)
    assert code == 0, err
    with Library(tmp_path / "new") as opened:
        labels = opened.labels.get(source=tones().source)
        assert [each.name for each in labels if each.start < 5] and len(labels) == 5
        assert all(0.5 <= each.score <= 1 for each in labels)
        names = {Path(track.path).name for track in opened.tracks("tones has 'buzz'")}
        assert names == {"a.wav", "b.wav"}
        assert {Path(track.path).name for track in opened.tracks("tones has 'beep' >= 0.5")} == {"a.wav"}
        (hiss,) = [track for track in opened if "hiss" in track.path]
        assert hiss["tones"] in ([], None)


def test_a_detector_hears_what_is_there_and_another_version_replaces_it(
    sonovec, library: Path, sounds: Path, detector: Path
) -> None:
    assert sonovec("index", sounds, "-l", library, "--detector", detector)[0] == 0
    other = replace(tones(), thresholds=np.full(2, 0.6, np.float32))
    other.save(detector)
    code, out, _ = sonovec("index", sounds, "-l", library, "--detector", detector)
    assert code == 0 and "analysers heard 3 tracks" in out
    with Library(library) as opened:
        sources = {each.source for each in opened.labels.get()}
        assert sources == {other.source} != {tones().source}


def test_a_library_without_its_sounds_is_heard_from_its_segments(
    sonovec, library: Path, sounds: Path, detector: Path
) -> None:
    for path in sounds.rglob("*.wav"):
        path.unlink()
    code, out, err = sonovec("detect", "-l", library, "-d", detector, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["heard"] == 3 and told["detectors"] == [
        {"detector": "tones", "version": tones().version + COARSE, "labels": told["detectors"][0]["labels"]}
    ]
    assert "parts of 2 s: short sounds may be missed" in err
    with Library(library) as opened:
        assert {Path(track.path).name for track in opened.tracks("tones has 'buzz'")} == {"a.wav", "b.wav"}
        spans = [
            (each.start, each.end) for each in opened.labels.get(source=tones().source + COARSE) if each.name == "buzz"
        ]
        assert np.abs(np.subtract(sorted(spans), [(4, 9), (8, 12)])).max() <= 2


def test_segments_leave_what_windows_gave(sonovec, library: Path, sounds: Path, detector: Path) -> None:
    assert sonovec("index", sounds, "-l", library, "--detector", detector)[0] == 0
    code, out, _ = sonovec("detect", "-l", library, "-d", detector, "--json")
    assert code == 0 and json.loads(out)["heard"] == 0
    with Library(library) as opened:
        assert {each.source for each in opened.labels.get()} == {tones().source}


def test_a_detector_of_another_encoder_is_refused(sonovec, library: Path, sounds: Path, tmp_path: Path) -> None:
    replace(tones(), name="other", passport=replace(tones().passport, model="sonovec-1")).save(
        tmp_path / "other.detector"
    )
    for command in (["index", sounds, "-l", library, "--detector"], ["detect", "-l", library, "-d"]):
        code, _, err = sonovec(*command, tmp_path / "other.detector")
        assert code == 2 and "detector 'other' takes vectors with model='sonovec-1', and these have 'logmel'" in err
    with Library(library) as opened:
        assert "other" not in opened.columns()
