"""Sounds from nothing: noises, tones, clicks and grains, so that the teachers are heard far from any recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from sonovec.augment.waveform import log_uniform
from training.corpus import RATE

Floats = NDArray[np.float32]
Rng = np.random.Generator


def synthesise(rng: Rng, length: int) -> Floats:
    """A sound of `length` samples with a peak of 1: one of the kinds below, shaped by a slow or a fast envelope."""
    make = KINDS[rng.integers(len(KINDS))]
    sound = make(rng, length) * _envelope(rng, length)
    return (sound / max(1e-6, float(np.abs(sound).max()))).astype(np.float32)


def coloured_noise(rng: Rng, length: int) -> Floats:
    """Noise whose spectrum falls or rises, within a band."""
    length, wanted = fft.next_fast_len(length, real=True), length
    spectrum = fft.rfft(rng.standard_normal(length, np.float32))
    hertz = fft.rfftfreq(length, 1 / RATE).astype(np.float32) + 1
    low, high = np.sort(log_uniform(rng, 40, 15000, 2))
    shape = hertz ** rng.uniform(-1.2, 0.3) / np.sqrt(1 + (low / hertz) ** 4) / np.sqrt(1 + (hertz / (1.3 * high)) ** 4)
    return fft.irfft(spectrum * shape.astype(np.float32), length)[:wanted]


def harmonic_tone(rng: Rng, length: int) -> Floats:
    """Harmonics of a pitch that wanders, glides or trembles."""
    time = np.arange(length, dtype=np.float32) / RATE
    pitch = log_uniform(rng, 40, 2500) * np.exp2(_wander(rng, length) * np.float32(rng.uniform(0, 1.5)))
    pitch = pitch * (1 + np.float32(rng.uniform(0, 0.08)) * np.sin(np.float32(2 * np.pi * rng.uniform(2, 12)) * time))
    turns = np.cumsum(pitch, dtype=np.float64) / RATE
    phase = (2 * np.pi * (turns % 1)).astype(np.float32)
    slope, odd = rng.uniform(0.3, 2.0), rng.random() < 0.25
    audible = int(min(rng.integers(2, 25), max(2, 15000 / float(pitch.max()))))
    overtones = [n for n in range(1, audible) if not (odd and n % 2 == 0)]
    sound = sum(np.sin(n * phase) * np.float32(n**-slope * rng.uniform(0.3, 1)) for n in overtones)
    return sound + np.float32(rng.uniform(0, 0.1)) * rng.standard_normal(length, np.float32)


def clicks(rng: Rng, length: int) -> Floats:
    """Short resonances, regular as a clock or at random as a crackle."""
    sound = np.zeros(length, np.float32)
    per_second = log_uniform(rng, 0.7, 120)
    count = max(1, int(per_second * length / RATE))
    if rng.random() < 0.5:
        places = (np.arange(count) / per_second * RATE + rng.integers(0, RATE // 4)).astype(int)
    else:
        places = rng.integers(0, length, count)
    grains = [_resonance(rng) for _ in range(4)]
    for place in places[places < length]:
        grain = grains[rng.integers(4)][: length - place]
        sound[place : place + len(grain)] += grain * np.float32(log_uniform(rng, 0.1, 1))
    return sound


def pulses(rng: Rng, length: int) -> Floats:
    """Noise and tone that are switched on and off or throb, as of engines, blades and alarms."""
    time = np.arange(length, dtype=np.float32) / RATE
    rate = log_uniform(rng, 1, 60) * 2 ** (_wander(rng, length) * rng.uniform(0, 0.5))
    throb = 0.5 + 0.5 * np.sin((2 * np.pi * (np.cumsum(rate, dtype=np.float64) / RATE % 1)).astype(np.float32))
    body = coloured_noise(rng, length)
    body = body / max(1e-6, float(np.abs(body).max()))
    tone = np.sin(np.float32(2 * np.pi * log_uniform(rng, 60, 4000)) * time)
    share = rng.random()
    return (throb ** np.float32(log_uniform(rng, 0.5, 12)) * (share * body + (1 - share) * tone)).astype(np.float32)


KINDS = (coloured_noise, harmonic_tone, clicks, pulses)


def _resonance(rng: Rng) -> Floats:
    time = np.arange(int(0.08 * RATE)) / RATE
    decay = np.exp(-time * log_uniform(rng, 60, 1500))
    tone = np.sin(2 * np.pi * log_uniform(rng, 150, 9000) * time)
    return (decay * (tone + rng.uniform(0, 1) * rng.standard_normal(len(time)))).astype(np.float32)


def _envelope(rng: Rng, length: int) -> Floats:
    kind = rng.random()
    if kind < 0.35:
        return np.ones(length, np.float32)
    if kind < 0.7:  # swells
        depth = rng.uniform(0.2, 3)
        return np.exp(depth * _wander(rng, length)).astype(np.float32)
    time = np.arange(length, dtype=np.float32) / RATE  # strokes that die away
    period = log_uniform(rng, 0.2, 4)
    return np.exp(-(time % np.float32(period)) * np.float32(log_uniform(rng, 1, 25)))


def _wander(rng: Rng, length: int) -> Floats:
    """A curve through a few random points, computed a thousand times a second and held between."""
    points = rng.standard_normal(int(rng.integers(3, 14)))
    coarse = np.interp(np.linspace(0, len(points) - 1, length // 32 + 1), np.arange(len(points)), points)
    return np.repeat(coarse.astype(np.float32), 32)[:length]
