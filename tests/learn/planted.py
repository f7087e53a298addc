"""Recordings with planted events: an ambience as long as is wanted, and in it sounds whose beginning and end are known.

The sounds are takes of dogs (doggy_daycare) and of crying babies (donateacry), the ambience is that of games and of apps.
Half of the recordings are to train on, and the other half to test on.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.stream import load

RATE = 32_000
#: What is ambience, by the sets and the beginnings of names.
AMBIENCE = {
    "blanket": "", "calendaria": "", "quietsleep": "", "modern_alarm_clock": "", "wbot": "", "dsurround": "outside|weather",
    "red_eclipse": "ambience", "doggy_daycare": "src_assets_sounds_background",
}  # fmt: skip
#: A sound lies between what is within so many dB of its loudest, where no pause is longer than so many seconds.
RANGE, PAUSE = 30.0, 0.5
SHORTEST, LONGEST = 0.3, 8.0
STEP = 0.02  # seconds of a frame whose level is measured


@dataclass(frozen=True)
class Planted:
    """What is heard from when to when."""

    start: float
    end: float
    name: str


@dataclass(frozen=True)
class Takes:
    """Files by class, and those of ambience."""

    sounds: dict[str, list[Path]]
    ambience: list[Path]


def takes(data: Path, half: int) -> Takes:
    """The files of one half, 0 or 1: no recording is in both."""
    with (data / "train" / "index.csv").open(encoding="utf-8", newline="") as file:
        paths = [data / "train" / row["path"] for row in csv.DictReader(file)]
    dogs = [path for path in paths if "dog_playing_barking" in path.name or "dog_excited" in path.name]
    cries = [path for path in paths if path.parent.name == "donateacry"]
    ambience = [
        path for path in paths if (begins := AMBIENCE.get(path.parent.name)) is not None and re.match(begins, path.name)
    ]
    sounds = {"dog": _half(dogs, half), "cry": _half(cries, half)}
    return Takes(sounds, _half([path for path in ambience if "police-dog" not in path.name], half))


def _half(paths: list[Path], half: int) -> list[Path]:
    """Every other recording: takes of one share the number or the date that their names begin with."""
    groups = sorted({_recording(path) for path in paths})
    mine = set(groups[half::2])
    return [path for path in sorted(paths) if _recording(path) in mine]


def _recording(path: Path) -> str:
    found = re.search(r"\d{5,}_|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}|2024\d{4}", path.name)
    return found.group() if found else path.name


def active(samples: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Stretches of samples in which something sounds."""
    size = int(STEP * RATE)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    levels = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-12)
    loud = np.flatnonzero(levels > levels.max() - RANGE)
    cuts = np.flatnonzero(np.diff(loud) * STEP > PAUSE) + 1
    return [(int(part[0]) * size, int(part[-1] + 1) * size) for part in np.split(loud, cuts)]


def mix(
    files: Takes, seconds: float, each: int, seed: int, snr: tuple[float, float] = (0.0, 15.0)
) -> tuple[NDArray[np.float32], list[Planted]]:
    """Ambience with `each` events of every class, at an SNR within a range in dB; and where they are."""
    rng = np.random.default_rng(seed)
    samples = _ambience(files.ambience, round(seconds * RATE), rng)
    sounds = [(name, sound) for name, paths in files.sounds.items() for sound in _drawn(paths, each, rng)]
    rng.shuffle(sounds)  # type: ignore[arg-type]
    room = len(samples) // len(sounds)
    planted = []
    for place, (name, sound) in enumerate(sounds):
        first = place * room + int(rng.integers(room - len(sound)))
        here = samples[first : first + len(sound)]
        level = np.sqrt(np.square(here).mean()) * 10 ** (rng.uniform(*snr) / 20)
        here += sound * level / np.sqrt(np.square(sound).mean())
        planted.append(Planted(first / RATE, (first + len(sound)) / RATE, name))
    assert all(one.end < other.start for one, other in pairwise(planted))
    return np.clip(samples, -1, 1), planted


def _drawn(paths: list[Path], count: int, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    found: list[NDArray[np.float32]] = []
    while len(found) < count:
        for path in rng.permutation(np.array(paths, object)):
            samples = _samples(path)
            stretches = [
                (first, last) for first, last in active(samples) if SHORTEST <= (last - first) / RATE <= LONGEST
            ]
            if stretches and len(found) < count:
                first, last = stretches[int(rng.integers(len(stretches)))]
                found.append(samples[first:last])
    return found


@lru_cache(maxsize=200)
def _samples(path: Path) -> NDArray[np.float32]:
    """A minute of a file at most."""
    return load(path, RATE, end=60.0).samples


def _ambience(paths: list[Path], length: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Files in any order, each for a minute at most, at a level of its own; they fade into each other for a second."""
    out = np.zeros(length + RATE, np.float32)
    at = 0
    while at < length:
        samples = _samples(paths[int(rng.integers(len(paths)))]).copy()
        if len(samples) < 4 * RATE or not samples.any():
            continue
        samples *= 10 ** (rng.uniform(-45, -30) / 20) / np.sqrt(np.square(samples).mean())
        fade = np.linspace(0, 1, RATE, dtype=np.float32)
        samples[:RATE] *= fade
        samples[-RATE:] *= fade[::-1]
        end = min(at + len(samples), len(out))
        out[at:end] += samples[: end - at]
        at += len(samples) - RATE
    return out[:length]
