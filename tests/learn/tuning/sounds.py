"""Examples made of a folder by class without what reads labels, and a folder of short sounds that differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from sonovec.embedding.encoder import Encoder
from sonovec.learn.examples import Examples
from sonovec.paths import to_text


def write(folder: Path, per_class: int = 6, seconds: float = 2.5, seed: int = 0) -> Path:
    """Three classes: low tones, high tones and noise, each in a folder of its own."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * 16000)) / 16000
    for name, hertz in (("low", 200.0), ("high", 2500.0), ("noise", 0.0)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            tone = np.sin(2 * np.pi * hertz * rng.uniform(0.7, 1.4) * time) if hertz else rng.standard_normal(len(time))
            sound = 0.2 * tone + 0.05 * rng.standard_normal(len(time))
            soundfile.write(folder / name / f"{number}.wav", sound.astype(np.float32), 16000)
    return folder


def examples(folder: Path, encoder: Encoder) -> Examples:
    """All windows of all sounds, each sound a stretch and a group."""
    paths = sorted(folder.glob("*/*.wav"))
    classes = tuple(sorted({path.parent.name for path in paths}))
    found = [encoder.embed(path) for path in paths]
    counts = [len(each.windows) for each in found]
    stretches = np.repeat(np.arange(len(paths)), counts)
    targets = np.array([[path.parent.name == name for name in classes] for path in paths], np.int8)
    return Examples(
        vectors=np.concatenate([each.windows for each in found]),
        targets=targets[stretches],
        classes=classes,
        groups=tuple(str(number) for number in stretches),
        stretches=stretches,
        paths=tuple(to_text(paths[number]) for number in stretches),
        times=np.concatenate([each.times for each in found]),
        weights=np.repeat(1 / np.array(counts), counts).astype(np.float32),
        passport=encoder.passport,
    )
