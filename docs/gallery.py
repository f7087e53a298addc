"""Makes the pictures of docs/gallery.md again: ``python docs/gallery.py``. The sounds are those of ``sonovec demo``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import sonovec
from sonovec import demo

FOLDER = Path(__file__).parent / "gallery"
RATE = demo.RATE


def joined(*names: str, pause: float = 0.5) -> tuple[np.ndarray, int]:
    """Clips of several kinds, one after the other."""
    silence = np.zeros(round(pause * RATE), np.float32)
    return np.concatenate([part for name in names for part in (demo.clip(name)[0], silence)]), RATE


def long() -> tuple[np.ndarray, int]:
    """Half an hour of rain, with a siren in each fifth minute."""
    rain = np.concatenate([demo.clip("rain", number)[0] for number in range(1, 9)])
    samples = np.resize(rain, 30 * 60 * RATE) / 3
    siren, _ = demo.clip("siren")
    for minute in range(3, 30, 5):
        samples[minute * 60 * RATE :][: len(siren)] += siren
    return samples.astype(np.float32), RATE


def make(folder: Path) -> None:
    """Write all pictures to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    song = joined("bells", "drums", "organ", "drums", "bells", "drums")
    sonovec.plot(song, folder / "song.png")
    sonovec.plot(joined("birds", "rain"), folder / "part.png", start=2.0, end=7.0, panels=["spectrogram", "tags"])
    sonovec.plot(
        joined("speech", "plucked"), folder / "logmel.png", encoder="logmel", panels=["waveform", "spectrogram"]
    )
    sonovec.plot(long(), folder / "long.png", panels=["waveform", "spectrogram", "tags"])

    for picture in folder.glob("*.png"):  # a page of the site should be small
        with Image.open(picture) as image:
            image.convert("RGB").quantize(96).save(picture, optimize=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
