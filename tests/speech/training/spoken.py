"""Words that a small network learns in seconds: each letter is a tone of its own, with a short pause behind."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
TONES = {"a": 300.0, "b": 700.0, "c": 1500.0, "d": 3000.0}
#: Seconds of a letter, and of the pause behind it.
LETTER, PAUSE = 0.12, 0.06


def sound(text: str, rng: np.random.Generator) -> np.ndarray:
    """A text as it sounds; a space is a longer pause."""
    parts = []
    for letter in text:
        time = np.arange(round(LETTER * rng.uniform(0.9, 1.2) * RATE)) / RATE
        tone = 0.3 * np.sin(2 * np.pi * TONES.get(letter, 0.0) * rng.uniform(0.97, 1.03) * time)
        parts += [tone, np.zeros(round(PAUSE * RATE))]
    samples = np.concatenate(parts)
    return (samples + 0.003 * rng.standard_normal(len(samples))).astype(np.float32)


def write(folder: Path, count: int = 24, speakers: int = 6, seed: int = 0) -> Path:
    """Recordings of one or two words by some speakers, and the table that lists them."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "text", "speaker"])
        for number in range(count):
            words = ["".join(rng.choice(list(TONES), rng.integers(1, 4))) for _ in range(rng.integers(1, 3))]
            soundfile.write(folder / f"{number:02}.wav", sound(" ".join(words), rng), RATE)
            rows.writerow([f"{number:02}.wav", " ".join(words), f"speaker-{number % speakers}"])
    return folder / "list.csv"
