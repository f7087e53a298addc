"""A library of short sounds whose tempo, key, energy, artist and cue points are given by a table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import sonovec

RATE, SECONDS, COUNT = 16_000, 2.0, 24
KEYS = ("C major", "A minor", "G major", "E minor", "D major", "B minor", "F major", "D minor", "F# major", "Eb minor")


def tone(number: int, seconds: float = SECONDS) -> np.ndarray:
    """A sound that is the more like another, the nearer their numbers are."""
    noise = np.fft.rfft(np.random.default_rng(number).standard_normal(round(seconds * RATE)))
    places = np.log(np.maximum(np.fft.rfftfreq(round(seconds * RATE), 1 / RATE), 1) / 150) / np.log(1.15)
    shaped = np.fft.irfft(noise * np.exp(-np.square((places - number) / 6)), round(seconds * RATE))
    return 0.3 * shaped / np.abs(shaped).max()


def rows() -> list[dict[str, Any]]:
    """What is known of the sounds: tempos 80 to 126, energies all over, four artists, and one without any of it."""
    found: list[dict[str, Any]] = [
        {
            "path": f"{number:02}.wav",
            "title": f"Tone {number}",
            "artist": "ABCD"[number % 4],
            "tempo": 80.0 + 2 * number,
            "key": KEYS[number % len(KEYS)],
            "energy": round((7 * number % COUNT) / COUNT, 3),
            "sound_start": 0.25,
            "sound_end": 1.75,
            "fade_out": 0.1,
            "downbeats": "0.00 0.50 1.00 1.50",
        }
        for number in range(COUNT)
    ]
    found[-1] |= dict.fromkeys(("tempo", "key", "energy", "sound_start", "sound_end", "fade_out", "downbeats"), "")
    return found


def write(folder: Path) -> None:
    """Write `sounds`, `table.csv`, and a library `library` of them."""
    sounds = folder / "sounds"
    sounds.mkdir(parents=True)
    for number in range(COUNT):
        soundfile.write(sounds / f"{number:02}.wav", tone(number), RATE)
    table = folder / "table.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows()[0]))
        writer.writeheader()
        writer.writerows(rows())
    with sonovec.Library(folder / "library", model="logmel") as library:
        library.add(sounds, metadata=table)


def number_of(track: Any) -> int:
    """Which of the sounds a track is."""
    return int(Path(track.path).stem)
