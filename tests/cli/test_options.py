"""What an option may be: a value that would lose something, or have no effect, is refused in one line that says so."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options")
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 3 * 8000)
    for kind in ("a", "b"):
        (folder / "sounds" / kind).mkdir(parents=True)
        for number in range(2):
            soundfile.write(folder / "sounds" / kind / f"{number}.wav", noise[number:], 8000)
    with sonovec.Library(folder / "made", model="logmel", segment_seconds=2) as library:
        library.add(folder / "sounds")
    return folder


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["index", "sounds", "-l", "new", "--hop", "3"], "would not be heard; give a hop of at most 2"),
        (["index", "sounds", "-l", "made", "-m", "logmel", "--segment", "5"], "-l NEW --segment 5"),
        (["search", "sounds/a/0.wav", "-l", "made", "--text", "dog"], "give either a sound or words"),
        (["search", "--text", "dog", "-l", "made", "--exact"], "--exact is for a sound; leave it out with --text"),
        (["index", "sounds", "-l", "new", "--segment", "0"], "segment_seconds=0.0 is no length"),
        (["index", "sounds", "-l", "new", "--segment", "nan"], "segment_seconds=nan is no length"),
        (["index", "sounds", "-l", "new", "--precision", "bf16"], "card does not allow it"),
        (["index", "sounds", "-l", "new", "-m", "logmel", "--precision", "int8"], "leave precision out"),
        (["embed", "sounds", "-o", "out.npy", "--hop", "2.5"], "0.5 of every 2.5 s of sound would not be heard"),
        (["embed", "sounds", "-o", "out.npy", "--hop", "nan"], "hop=nan"),
        (["tag", "sounds/a/0.wav", "--hop", "2.5"], "would not be heard"),
        (["tag", "sounds/a/0.wav", "--precision", "int8"], "sonovec models quantize"),
        (["evaluate", "sounds", "--precision", "bf16"], "card does not allow it"),
        (["evaluate", "sounds", "-m", "logmel", "--seed", "-1"], "seed=-1 is negative"),
    ],
    ids=" ".join,
)
def test_it_is_refused_and_nothing_is_made(folder, monkeypatch, capsys, command, says):
    monkeypatch.chdir(folder)
    assert run(command) == 2
    said = capsys.readouterr().err
    assert says in said and len(said.splitlines()) == 1
    assert not (folder / "new").exists() and not (folder / "out.npy").exists()
