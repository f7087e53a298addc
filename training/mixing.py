"""Mixes: recordings and synthesised sounds, cut, repeated, sped, filtered, put in rooms and laid over each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from sonovec.augment.waveform import even, room, sped, wandering_gains
from training.corpus import RATE, Clip, Corpus
from training.synthesis import synthesise

#: Samples of a mix: three windows of 2 s, and room to move them by up to 0.4 s.
LENGTH = int(6.4 * RATE)
#: How often so many sounds are mixed, beginning with one.
SOUNDS = (0.5, 0.33, 0.17)
SYNTHETIC, FILTERED, IN_ROOM, SPED = 0.15, 0.3, 0.25, 0.4
#: Decibels by which gains of an equaliser deviate.
EQUALISER_DEVIATION = 6.0
#: Sets of which there is much of one kind are drawn less often than their length would have it.
LESS = {"kathleen": 0.35, "picovoice_intent": 0.5, "picovoice_keywords": 0.5, "precise": 0.5, "philharmonia": 0.7}

Floats = NDArray[np.float32]
Rng = np.random.Generator


class Mixer:
    """Makes any number of mixes from the clips that are not held out."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._clips = corpus.part(held_out=False)
        self._cumulated = np.cumsum(shares(self._clips))

    def mix(self, rng: Rng) -> Floats:
        """One mix, shape (LENGTH,), whose level is even: an RMS of -20 dBFS, or less where peaks would be cut off."""
        count = 1 + rng.choice(len(SOUNDS), p=SOUNDS)
        mixed = np.zeros(LENGTH, np.float32)
        for number in range(count):
            sound = self._sound(rng)
            loudness = np.sqrt(np.mean(sound**2)) + 1e-6
            mixed += sound / loudness * np.float32(1 if number == 0 else 10 ** rng.uniform(-1.0, 0.3))
        if rng.random() < FILTERED + IN_ROOM:
            mixed = _filtered(rng, mixed)
        return even(mixed)

    def _sound(self, rng: Rng) -> Floats:
        if rng.random() < SYNTHETIC:
            length = LENGTH if rng.random() < 0.5 else int(rng.uniform(0.1, 1) * LENGTH)
            return _placed(rng, synthesise(rng, length))
        clip = self._clips[int(np.searchsorted(self._cumulated, rng.random() * self._cumulated[-1]))]
        speed = 2 ** rng.uniform(-0.6, 0.6) if rng.random() < SPED else 1.0
        needed = int(LENGTH * speed) + 1
        start = int(rng.integers(0, max(1, clip.length - needed + 1)))
        sound = self._corpus.read(clip, start, needed)
        if speed != 1:
            sound = sped(sound, speed)
        return _placed(rng, sound[:LENGTH])


def shares(clips: Sequence[Clip]) -> NDArray[np.float64]:
    """How often each clip is drawn: sets by the root of their length, clips of a set likewise."""
    weights = np.array([np.sqrt(min(60.0, max(0.3, clip.seconds))) for clip in clips])
    sets = np.array([clip.set for clip in clips])
    for name in np.unique(sets):
        total = sum(min(120.0, clip.seconds) for clip in clips if clip.set == name)
        weights[sets == name] *= np.sqrt(total) * LESS.get(str(name), 1.0) / weights[sets == name].sum()
    return weights / weights.sum()


def _placed(rng: Rng, sound: Floats) -> Floats:
    """A sound of any length in `LENGTH` samples: repeated with or without pauses, or once with silence around it."""
    if len(sound) >= LENGTH:
        return sound[:LENGTH]
    placed = np.zeros(LENGTH, np.float32)
    if rng.random() < 0.5:
        period = len(sound) + int(rng.choice([0, rng.uniform(0, 1) * RATE]))
        starts = range(-int(rng.integers(0, period)), LENGTH, period)
    else:
        starts = range(int(rng.integers(0, LENGTH - len(sound) + 1)), LENGTH, LENGTH)
    for start in starts:
        part = sound[max(0, -start) : LENGTH - start]
        placed[max(0, start) : max(0, start) + len(part)] += part
    return placed


def _filtered(rng: Rng, sound: Floats) -> Floats:
    """Through a random equaliser, a room, or both, by one product of spectra."""
    size = fft.next_fast_len(LENGTH + int(1.5 * RATE), real=True)
    response = (
        fft.rfft(room(rng, RATE), size) if rng.random() < IN_ROOM / (FILTERED + IN_ROOM) else np.ones(1, np.complex64)
    )
    if rng.random() < 0.7:
        response = response * wandering_gains(rng, size // 2 + 1, RATE, EQUALISER_DEVIATION)
    return fft.irfft(fft.rfft(sound, size) * response, size)[:LENGTH]
