"""``sonovec plot``."""

from __future__ import annotations

import json

import pytest

from sonovec import demo
from sonovec.cli.main import run


@pytest.mark.slow
def test_a_sound_is_drawn_and_told_of(tmp_path, capsys):
    sound = next(path for path in demo.write(tmp_path, per_kind=1) if path.parent.name == "birds")
    target = tmp_path / "birds.svg"
    arguments = ["plot", str(sound), "-o", str(target)]
    assert run(arguments) == 0
    assert capsys.readouterr().out.startswith(f"{sound} (") and target.read_text("utf-8").lstrip().startswith("<?xml")
    assert run([*arguments, "-m", "logmel", "--start", "0:01", "--end", "2.5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "path": str(sound),
        "output": str(target),
        "model": "logmel",
        "start": 1.0,
        "end": 2.5,
        "notes": [],
        "panels": ["waveform", "spectrogram", "similarity"],
        "own_spectrogram": True,
    }
    assert run([*arguments, "--panels", "similarity, waveform", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["panels"] == ["similarity", "waveform"]


def test_what_is_wrong_is_said_before_the_sound_is_heard(tmp_path, capsys):
    assert run(["plot", "missing.wav", "-o", str(tmp_path / "a.gif")]) == 2
    assert "a.gif: a picture is written as PNG or SVG; give a name such as a.png" in capsys.readouterr().err
    assert run(["plot", "missing.wav", "-o", str(tmp_path / "a.png")]) == 2
    assert "missing.wav: no such file" in capsys.readouterr().err and not (tmp_path / "a.png").exists()
