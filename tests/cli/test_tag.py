"""The command ``tag`` with the built-in encoder and real clips."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

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
        assert [window["start"] for window in sound["windows"]] == [0, 2, 4]


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
        (["--threshold", "2"], "--threshold 2.0 is no score"),
        (["--top", "0"], "--top 0 tells nothing"),
        (["--windows"], "--windows is told in JSON; add --json"),
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
