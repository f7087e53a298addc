"""A small library of real sounds whose classes are known by their paths: for tests that label."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import soundfile

import sonovec
from sonovec import demo

KINDS, EACH = ("bells", "rain", "siren"), 6


def make(folder: Path) -> Path:
    """Write `sounds` into a folder, with a silent one among them, and index them into `library`."""
    for kind in KINDS:
        (folder / "sounds" / kind).mkdir(parents=True)
        for number in range(1, EACH + 1):
            samples, _ = demo.clip(kind, number)
            soundfile.write(folder / "sounds" / kind / f"{kind}-{number}.wav", samples[: 2 * demo.RATE], demo.RATE)
    soundfile.write(folder / "sounds" / "silent.wav", np.zeros(2 * demo.RATE, np.float32), demo.RATE)
    with sonovec.Library(folder / "library", model="logmel") as library:
        library.add(folder / "sounds")
    return folder


def copy(made: Path, folder: Path) -> Path:
    """A library of its own, which a test may write."""
    return Path(shutil.copytree(made / "library", folder / "library"))
