"""The command ``tag`` with the built-in encoder and real clips."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec import demo
from sonovec.cli.main import run
from sonovec.embedding.encoder import load


@pytest.fixture(scope="module")
def clips(shared_data: Path) -> list[str]:
    folders = ("001 - Dog bark", "002 - Rain", "004 - Baby cry")
    return [str(sorted((shared_data / "esc10" / folder).glob("*.ogg"))[4]) for folder in folders]


def test_hears_a_dog_rain_and_a_baby(clips: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tag", *clips, "--json", "--top", "5", "--windows"]) == 0
    told = json.loads(capsys.readouterr().out)
    for sound, word in zip(told["sounds"], ("dog", "rain", "baby"), strict=True):
        assert any(word in each["tag"].lower() for each in sound["tags"]), sound["tags"]
        assert [each["score"] for each in sound["tags"]] == sorted(
            (each["score"] for each in sound["tags"]), reverse=True
        )
        assert sound["events"]
        assert all(0 <= event["start"] < event["end"] <= sound["duration"] + 0.001 for event in sound["events"])
        assert [window["start"] for window in sound["windows"]] == [0, 1, 2, 3, 4], (
            "windows of 2 s that overlap by half"
        )


def test_prints_tags_and_times(clips: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tag", clips[1], "--threshold", "0.1", "--hop", "1"]) == 0
    out = capsys.readouterr().out
    assert "Rain" in out
    assert "0:00.0-0:05.0" in out


def test_writes_a_table_and_labels(clips: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["tag", clips[0], "--csv", str(tmp_path / "e.csv"), "--labels", str(tmp_path / "e.txt"), "--json"]
    assert run(arguments) == 0
    events = json.loads(capsys.readouterr().out)["sounds"][0]["events"]
    with (tmp_path / "e.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["tag"] for row in rows] == [event["tag"] for event in events]
    lines = (tmp_path / "e.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[2] for line in lines] == [event["tag"] for event in events]


def test_a_broken_file_is_named_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).standard_normal(16000) / 10, 16000)
    (tmp_path / "b.wav").write_bytes(b"RIFF....WAVE")
    assert run(["tag", str(tmp_path), "--json", "--threshold", "0"]) == 1
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert [Path(sound["path"]).name for sound in told["sounds"]] == ["a.wav"]
    assert "b.wav" in captured.err
    assert len(told["sounds"][0]["events"]) == 527, "every class reaches a threshold of nothing, once"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "logmel"], "'logmel' scores no classes; leave --model out"),
        (["--threshold", "2"], "--threshold 2.0 is not a score"),
        (["--top", "0"], "--top 0: give 1 or more"),
        (["--windows"], "--windows works only with --json; add --json"),
        (["--start", "3", "--end", "2"], "--start 3.0 --end 2.0 is not a range of seconds; give 0 <= start < end"),
        (["--csv", "."], ".: cannot be written"),
    ],
)
def test_usage(arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 8000)
    assert run(["tag", str(tmp_path / "a.wav"), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_part_of_each_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hiss = np.random.default_rng(0).standard_normal(5 * 16000) / 10
    soundfile.write(tmp_path / "long.wav", hiss, 16000)
    soundfile.write(tmp_path / "short.wav", hiss[:16000], 16000)
    part = ["--start", "1.5", "--end", "4", "--threshold", "0.1"]
    assert run(["tag", str(tmp_path), *part, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [Path(failure["path"]).name for failure in told["failures"]] == ["short.wav"]
    (sound,) = told["sounds"]
    assert (min(e["start"] for e in sound["events"]), max(e["end"] for e in sound["events"])) == (1.5, 4)
    assert run(["tag", str(tmp_path / "long.wav"), *part, "--threshold", "1"]) == 0
    assert "nothing reaches the threshold" in capsys.readouterr().out


def test_events_of_yamnet_are_those_of_its_windows(shared_data: Path, clips: list[str], tmp_path: Path) -> None:
    """Its windows overlap, and the last is cut short where the sound ends."""
    weights = shared_data / "weights" / "yamnet.tflite"
    table = tmp_path / "e.csv"
    assert run(["tag", *clips, "--model", "yamnet", "--weights", str(weights), "--csv", str(table)]) == 0
    encoder = load("yamnet", weights=weights)
    expected = [
        (clip, str(event.start), str(event.end), event.tag, str(event.score))
        for clip in clips
        for event in encoder.embed(clip).events()
    ]
    with table.open(newline="", encoding="utf-8") as file:
        assert [tuple(row.values()) for row in csv.DictReader(file)] == expected
    assert max(float(end) for _, _, end, _, _ in expected) == pytest.approx(5.0, abs=0.002)


def test_labels_are_of_one_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.zeros(800), 8000)
    assert run(["tag", str(tmp_path), "--labels", str(tmp_path / "l.txt")]) == 2
    assert "2 sounds; give one" in capsys.readouterr().err
    assert run(["tag", str(tmp_path / "none")]) != 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of speech and of drums, in folders of their own, with a name twice and one sound of nothing."""
    folder = tmp_path_factory.mktemp("tagged")
    for kind, place in (("speech", "a/one.flac"), ("drums", "b/one.flac"), ("drums", "b/one.wav")):
        (folder / place).parent.mkdir(exist_ok=True)
        samples, _ = demo.clip(kind)
        soundfile.write(folder / place, np.concatenate([samples, np.zeros(20 * demo.RATE), samples]) / 2, demo.RATE)
    soundfile.write(folder / "b" / "quiet.wav", np.zeros(8000), 8000)
    (folder / "b" / "x.mp3.part").write_bytes(b"...")
    return folder


def test_a_short_sound_on_the_edge_of_two_windows_is_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of three quarters of a second of drums half lies before and half behind the second 4, in which a window of 2 s ends."""
    samples, _ = demo.clip("drums")
    length, at = demo.RATE * 3 // 4, 4 * demo.RATE
    sound = np.random.default_rng(0).standard_normal(8 * demo.RATE) / 1000
    sound[at - length // 2 : at - length // 2 + length] += samples[:length] / 10
    soundfile.write(tmp_path / "a.wav", sound, demo.RATE)
    asked = [tmp_path / "a.wav", "--class", "Drum machine"]
    assert told_of(capsys, *asked, "--hop", "2")["sounds"][0]["events"] == []
    (event,) = told_of(capsys, *asked)["sounds"][0]["events"]
    assert 3 <= event["start"] < 4 < event["end"] <= 5


def told_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert run(["tag", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_only_some_classes_are_told_over_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    everything = told_of(capsys, folder)
    told = told_of(capsys, folder, "--class", "speech", "--class", "Drum machine")
    assert (told["classes"], told["min_duration"]) == (["Drum machine", "Speech"], 0)
    for sound, whole in zip(told["sounds"], everything["sounds"], strict=True):
        assert sound["events"] == [each for each in whole["events"] if each["tag"] in ("Drum machine", "Speech")]
        assert sound["tags"] == whole["tags"], "of the whole sound all are told"
    counts = {Path(sound["path"]).parent.name: len(sound["events"]) for sound in told["sounds"] if sound["events"]}
    assert counts == {"a": 2, "b": 2}
    assert [Path(each["path"]).name for each in told["left_out"]] == ["x.mp3.part"], "as by sonovec index"


def test_what_was_asked_for_and_is_not_heard_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tag", str(folder / "a"), "--class", "Drum machine"]) == 0
    assert "nothing that was asked for reaches the threshold at any time" in capsys.readouterr().out


def test_only_what_lasts_is_told_over_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lengths = [e["end"] - e["start"] for sound in told_of(capsys, folder)["sounds"] for e in sound["events"]]
    least = sorted(lengths)[len(lengths) // 2]
    told = told_of(capsys, folder, "--min-duration", least)
    kept = [e["end"] - e["start"] for sound in told["sounds"] for e in sound["events"]]
    assert sorted(kept) == sorted(length for length in lengths if length >= least) and len(kept) < len(lengths)


def test_one_file_for_all_sounds(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("all.csv", "all.jsonl", "all.selections.txt")
    told = told_of(capsys, folder, *(word for name in names for word in ("-o", tmp_path / name)))
    events = [(s["path"], e["start"], e["end"], e["tag"], e["score"]) for s in told["sounds"] for e in s["events"]]
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [tuple(row.values()) for row in rows] == [tuple(map(str, event)) for event in events]
    assert list(rows[0]) == ["path", "start", "end", "label", "score"]
    lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == events
    assert len((tmp_path / "all.selections.txt").read_text(encoding="utf-8").splitlines()) == 1 + len(events)


@pytest.mark.parametrize(("format", "ending"), [(None, ".csv"), ("audacity", ".txt"), ("cue", ".cue"), ("raven", None)])
def test_a_file_for_each_sound(format: str | None, ending: str | None, folder: Path, tmp_path: Path, capsys) -> None:
    chosen = [] if format is None else ["--format", format]
    only = ["--class", "Speech", "--class", "Drum machine"]
    told = told_of(capsys, folder, *only, "--out-folder", tmp_path / "labels", *chosen)
    ending = ending or ".selections.txt"
    written = {
        str(path.relative_to(tmp_path / "labels")) for path in (tmp_path / "labels").rglob("*") if path.is_file()
    }
    places = ("a/one", "b/one", "b/one-2", "b/quiet")
    assert written == {str(Path(f"{place}{ending}")) for place in places}, "as the sounds lie in their folder"
    assert (tmp_path / "labels" / f"b/quiet{ending}").read_bytes() == b"", "nothing is heard there"
    if format == "audacity":
        labels = (tmp_path / "labels" / "a" / "one.txt").read_text(encoding="utf-8").splitlines()
        assert [line.split("\t")[2].rsplit(" ", 1)[0] for line in labels] == [
            e["tag"] for e in told["sounds"][0]["events"]
        ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--class", "Dgo"], "class 'Dgo': none of the 527 classes of 'sonovec-1'; the nearest are: 'Dog'"),
        (["--class", "barking dogs"], "the nearest are: 'Bark', 'Canidae, dogs, wolves', 'Dog'"),
        (["--class", "qqq"], "give one such as: 'Speech', "),
        (["--min-duration", "-1"], "--min-duration -1.0 is not a length; give seconds, such as 0.5"),
        (["--format", "raven"], "--format raven is of the files in --out-folder; add --out-folder FOLDER"),
        (["-o", "labels.doc"], "labels.doc: give a name with one of these endings: .csv (csv)"),
    ],
)
def test_usage_of_files_and_classes(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tag", str(folder), *arguments]) == 2
    assert message in capsys.readouterr().err
