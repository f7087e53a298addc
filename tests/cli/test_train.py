"""The command ``train``: what it writes, prints and refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec.cli.main import run
from sonovec.learn.detector import Detector

RATE = 16_000


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones, and hiss: eight of each, of 1 s."""
    folder = tmp_path_factory.mktemp("train") / "beeps"
    for kind in ("hiss", "tone"):
        (folder / kind).mkdir(parents=True)
        for take in range(8):
            rng = np.random.default_rng([take, kind == "tone"])
            tone = np.sin(2 * np.pi * rng.uniform(900, 1100) * np.arange(RATE) / RATE) / 4
            soundfile.write(
                folder / kind / f"{take}.wav", tone * (kind == "tone") + rng.standard_normal(RATE) / 20, RATE
            )
    return folder


def test_it_writes_a_detector_and_a_picture_and_says_how_good_it_is(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        run(["train", str(sounds), "-m", "logmel", "--plot", "report.png", "--false-alarms", str(sounds.parent)]) == 2
    )
    assert "the detector was trained on them" in capsys.readouterr().err
    soundfile.write("pool.wav", np.random.default_rng(9).standard_normal(20 * RATE) / 20, RATE)
    assert run(["train", str(sounds), "-m", "logmel", "--plot", "report.png", "--false-alarms", "pool.wav"]) == 0
    out = capsys.readouterr().out
    detector = Detector.load("beeps.detector")
    assert detector.classes == ("hiss", "tone")
    assert out.startswith(f"beeps.detector: version {detector.version}, logmel, 2 classes; 16 examples in 16 groups")
    for part in (
        "precision %",
        "accuracy 100.0 (",
        "calibration error",
        "Chosen for you:",
        "- head: ",
        "false alarms per hour",
    ):
        assert part in out
    hiss = next(line for line in out.splitlines() if line.startswith("hiss\t") and line.count("\t") == 4)
    assert float(hiss.split("\t")[2].split()[0]) >= 180, "20 s of noise are one event at least: 180 an hour"
    assert Path("report.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["beeps.detector", "pool.wav", "report.png"]


def test_json_has_what_the_detector_keeps(sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "b.detector"
    assert run(["train", str(sounds), "-m", "logmel", "-o", str(target), "--precision", "0.9", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    detector = Detector.load(target)
    assert (told["detector"], told["name"], told["version"]) == (str(target), "b", detector.version)
    assert told["report"] == detector.report
    assert told["settings"]["precision"] == 0.9


def test_a_library_with_labels_is_trained_on(sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "-o", str(tmp_path / "x.detector")]) == 2
    assert "sonovec train -l LIBRARY" in capsys.readouterr().err
    assert run(["train", str(sounds), "-l", str(tmp_path), "-o", str(tmp_path / "x.detector")]) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["missing"], "no such file or folder"),
        (["SOUNDS", "--precision", "95"], "precision=95.0 is not a share"),
        (["SOUNDS", "--plot", "report.jpg"], "report.png"),
        (["SOUNDS", "--group", "("], "not a regular expression"),
        (["SOUNDS", "--background", "nowhere"], "nowhere"),
        (["SOUNDS", "--false-alarms", "nowhere"], "false_alarms='nowhere': no such folder"),
        (["SOUNDS", "-o", "SOUNDS"], "is no detector"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    sounds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(sounds) if each == "SOUNDS" else each for each in arguments]
    assert run(["train", *given, "-m", "logmel"]) == 2
    assert reason in capsys.readouterr().err
    assert not [each for each in tmp_path.iterdir() if not each.name.endswith(".part")]


def test_broken_files_of_a_pool_are_named_and_the_detector_is_there(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    shutil.copy(sounds / "hiss" / "0.wav", pool)
    soundfile.write(pool / "a.wav", np.random.default_rng(9).standard_normal(RATE) / 20, RATE)
    (pool / "b.wav").write_bytes(b"RIFF....WAVE")
    arguments = ["-m", "logmel", "-o", str(tmp_path / "c.detector"), "--false-alarms", str(pool)]
    assert run(["train", str(sounds), *arguments]) == 1
    assert "b.wav" in capsys.readouterr().err
    assert Detector.load(tmp_path / "c.detector").report["false_alarms"]["sounds"] == 1


def test_recordings_that_fail_are_named_and_the_others_are_trained_on(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{path},0,1,{path.parent.name}" for path in sorted(sounds.rglob("*.wav"))]
    (tmp_path / "broken.wav").write_bytes(b"RIFF....WAVE")
    rows = ["path,start,end,label", *lines, "broken.wav,0,1,tone", "nowhere.wav,0,1,hiss"]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    target = tmp_path / "d.detector"
    assert run(["train", str(tmp_path / "labels.csv"), "--no-rest", "-m", "logmel", "-o", str(target), "--json"]) == 1
    out, err = capsys.readouterr()
    assert len(json.loads(out)["failures"]) == 2
    assert "nowhere.wav: no such recording" in err and "broken.wav" in err
    assert Detector.load(target).report["stretches"] == 16
