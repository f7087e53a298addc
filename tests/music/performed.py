"""Performances that people played, as MIDI in the real data, rendered by the project's own synthesis."""

from __future__ import annotations

from functools import cache

import numpy as np

from bench.songs import DRUMS, Score
from sonovec.music.part import RATE

from . import played
from .played import Samples

#: Drums of General MIDI, and those beside that the drummers of groove played.
KICKS, SNARES, HATS = {35, 36}, {37, 38, 39, 40}, {22, 26, 42, 44, 46}
TOMS = {41: 80.0, 43: 95.0, 45: 110.0, 47: 130.0, 48: 150.0, 50: 175.0, 58: 90.0}


def tom(hertz: float) -> Samples:
    at = np.arange(int(0.3 * RATE)) / RATE
    return np.asarray(np.sin(2 * np.pi * hertz * (at + 0.02 * np.exp(-at * 30))) * np.exp(-at * 10), np.float32)


def cymbal(rng: np.random.Generator) -> Samples:
    at = np.arange(int(0.9 * RATE)) / RATE
    return np.asarray(np.diff(rng.standard_normal(len(at) + 1)) * np.exp(-at * 5) * 0.2, np.float32)


@cache
def sound_of(channel: int, note: int) -> Samples:
    """What a note sounds like."""
    rng = np.random.default_rng(note)
    if channel != DRUMS:
        return played.pluck(440.0 * 2 ** ((note - 69) / 12))
    if note in KICKS:
        return played.kick()
    if note in SNARES:
        return played.snare(rng)
    if note in TOMS:
        return tom(TOMS[note])
    return played.hat(rng) if note in HATS else cymbal(rng)


def render(score: Score) -> Samples:
    """Samples at `RATE`, up to a second behind the last event."""
    samples = np.zeros(int((score.events[-1].second + 1) * RATE), np.float32)
    for event in score.events:
        message = event.message
        if message["type"] == "note_on" and message["velocity"] > 0:
            first = int(event.second * RATE)
            part = sound_of(message["channel"], message["note"])[: len(samples) - first]
            samples[first : first + len(part)] += np.float32((message["velocity"] / 127) ** 1.5) * part
    return samples / max(1.0, float(np.abs(samples).max()))
