"""Songs of the project's own synthesis, whose beats are known: drums, and chords of plucked tones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sonovec.music.onsets import OnsetCurve, Onsets
from sonovec.music.part import RATE

Samples = NDArray[np.float32]


def _add(samples: Samples, second: float, sound: Samples, gain: float = 1.0) -> None:
    first = round(second * RATE)
    part = sound[: max(0, len(samples) - first)]
    samples[first : first + len(part)] += np.float32(gain) * part


def kick() -> Samples:
    at = np.arange(int(0.25 * RATE)) / RATE
    return np.asarray(np.sin(2 * np.pi * (50 * at + 4 * (1 - np.exp(-at * 40)))) * np.exp(-at * 14), np.float32)


def snare(rng: np.random.Generator) -> Samples:
    at = np.arange(int(0.2 * RATE)) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 190 * at) * np.exp(-at * 25)
    return np.asarray(tone + 0.4 * rng.standard_normal(len(at)) * np.exp(-at * 22), np.float32)


def hat(rng: np.random.Generator) -> Samples:
    at = np.arange(int(0.05 * RATE)) / RATE
    return np.asarray(np.diff(rng.standard_normal(len(at) + 1)) * np.exp(-at * 90) * 0.15, np.float32)


def pluck(hertz: float) -> Samples:
    at = np.arange(int(0.8 * RATE)) / RATE
    tones = [np.sin(2 * np.pi * hertz * k * at) * np.exp(-at * 3 * k) / k for k in range(1, 7)]
    return np.asarray(np.sum(tones, axis=0) * np.minimum(1, at * 200), np.float32)


def beats_at(bpm: float, seconds: float, first: float = 0.3) -> NDArray[np.float64]:
    return np.arange(first, seconds - 0.3, 60 / bpm)


def drums(beats: Sequence[float] | NDArray[np.float64], bar: int = 4, seed: int = 0) -> Samples:
    """Kick on the first and the third beat of a bar, snare on the others, hats on and between them."""
    rng = np.random.default_rng(seed)
    beats = np.asarray(beats)
    samples = np.zeros(int((beats[-1] + 1.5) * RATE), np.float32)
    for place, (beat, period) in enumerate(zip(beats, np.diff(beats, append=2 * beats[-1] - beats[-2]), strict=True)):
        if place % bar == 0:
            _add(samples, beat, kick())
        elif place % bar == 2 and bar == 4:
            _add(samples, beat, kick(), 0.7)
        else:
            _add(samples, beat, snare(rng), 0.5)
        for half in (0.0, 0.5):
            _add(samples, beat + half * period, hat(rng), rng.uniform(0.6, 1.0))
    return samples / np.float32(2)


def chords(beats: Sequence[float] | NDArray[np.float64], bar: int = 4) -> Samples:
    """A broken chord over a bass that changes with the bar."""
    beats = np.asarray(beats)
    samples = np.zeros(int((beats[-1] + 1.5) * RATE), np.float32)
    roots = (0, 9, 5, 7)
    for place, beat in enumerate(beats):
        root = roots[place // bar % 4]
        if place % bar == 0:
            _add(samples, beat, pluck(65.4 * 2 ** (root / 12)), 1.0)
        for third in (0, 4, 7)[: 3 if place % bar == 0 else 1]:
            _add(samples, beat, pluck(261.6 * 2 ** ((root + third) / 12)), 0.4)
    return samples / np.float32(4)


def hear(samples: Samples) -> OnsetCurve:
    """The onset curves of samples."""
    onsets = Onsets()
    onsets.push(samples)
    return onsets.finish()
