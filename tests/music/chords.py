"""Chords that are played for tests: progressions in a key, by several timbres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonovec.music.keys import Key
from sonovec.music.part import RATE

#: Amplitudes of the harmonics of a timbre, and seconds in which a tone fades by a factor of e.
TIMBRES = {
    "plucked": ((1.0, 0.5, 0.33, 0.25, 0.1), 0.6),
    "organ": ((1.0, 0.8, 0.3, 0.5), 30.0),
    "hollow": ((1.0, 0.0, 0.5, 0.0, 0.3, 0.0, 0.2), 1.5),
}
#: Chords of a progression, each by the degrees of its tones in semitones above the tonic.
PROGRESSIONS = {
    "major": ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14, 17), (0, 4, 7)),
    "minor": ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7), (8, 12, 15), (5, 8, 12), (7, 11, 14, 17), (0, 3, 7)),
}


def tone(semitones: float, seconds: float, timbre: str = "plucked", a4: float = 440.0) -> NDArray[np.float64]:
    """A tone by its MIDI number."""
    amplitudes, fade = TIMBRES[timbre]
    at = np.arange(int(seconds * RATE)) / RATE
    hertz = a4 * 2 ** ((semitones - 69) / 12)
    waves = sum(a * np.sin(2 * np.pi * hertz * (n + 1) * at) for n, a in enumerate(amplitudes) if a)
    return waves * np.exp(-at / fade) * np.minimum(1, at / 0.005)


def progression(
    key: Key, timbre: str = "plucked", a4: float = 440.0, chord_seconds: float = 1.0, rounds: int = 2
) -> NDArray[np.float32]:
    """A progression in a key: bass and chord, a second each."""
    tonic = 48 + key.tonic
    chords = []
    for degrees in PROGRESSIONS[key.mode] * rounds:
        tones = [tonic - 12 + degrees[0] % 12, *(tonic + degree for degree in degrees)]
        chords.append(sum(tone(each, chord_seconds, timbre, a4) for each in tones))
    return np.asarray(0.08 * np.concatenate(chords), np.float32)


def hits(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Drums without a pitch: bursts of noise, two a second."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(int(seconds * RATE))
    for begin in range(0, len(samples) - RATE // 4, RATE // 2):
        samples[begin : begin + RATE // 4] += rng.standard_normal(RATE // 4) * np.exp(-np.arange(RATE // 4) / 1500)
    return np.asarray(0.2 * samples, np.float32)
