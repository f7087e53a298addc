"""Tempo of songs of our own synthesis, and of what has none."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from sonovec.audio.stream import load
from sonovec.music import octaves
from sonovec.music.part import RATE
from sonovec.music.periodicity import GRID, Heard
from sonovec.music.tempo import SURE, tempo

from . import played


def hear(samples):
    return tempo(played.hear(np.asarray(samples, np.float32)))


def noise(seconds, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))


@pytest.mark.parametrize("bpm", [84.0, 100.0, 127.0])
def test_drums(bpm):
    found = hear(played.drums(played.beats_at(bpm, 20)))
    assert found.bpm == pytest.approx(bpm, rel=0.01) and found.confidence > 0.5


@pytest.mark.parametrize("bpm", [66.0, 80.0, 95.0])
def test_chords_but_for_the_octave(bpm):
    found = hear(played.chords(played.beats_at(bpm, 20)))
    assert min(abs(found.bpm / (bpm * octave) - 1) for octave in (0.5, 1, 2)) < 0.02


def test_other_readings_have_probabilities():
    found = hear(played.chords(played.beats_at(90, 20)))
    chances = [chance for _, chance in found.alternatives]
    assert chances == sorted(chances, reverse=True) and found.confidence + sum(chances) <= 1.001


def test_five_four():
    found = hear(played.drums(played.beats_at(120, 25), bar=5))
    assert found.bpm == pytest.approx(120, rel=0.02)


def test_tempo_and_level():
    song = played.drums(played.beats_at(112, 15))
    loud, quiet = hear(song), hear(song * 0.05)
    assert quiet.bpm == pytest.approx(loud.bpm, rel=0.002) and quiet.confidence == pytest.approx(
        loud.confidence, abs=0.1
    )


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0),
        np.zeros(20 * RATE),
        np.full(10 * RATE, 0.5),
        noise(20),
        played.drums(played.beats_at(120, 3))[: 3 * RATE],
        np.pad(played.kick(), (RATE, 12 * RATE)),
        np.sin(2 * np.pi * 220 * np.arange(15 * RATE) / RATE),
    ],
    ids=["nothing", "silence", "constant", "noise", "three seconds", "one hit", "tone"],
)
def test_no_tempo(samples):
    found = hear(samples)
    assert found.bpm is None and found.confidence < SURE and found.alternatives == ()


def test_random_hits_have_no_sure_tempo():
    rng = np.random.default_rng(3)
    samples = noise(20) * 0.01
    for second in np.cumsum(rng.exponential(0.4, 45)):
        first = int(second * RATE)
        part = played.kick()[: max(0, len(samples) - first)]
        samples[first : first + len(part)] += part
    assert hear(samples).confidence < 0.5


def test_path_follows_a_change():
    slow = played.beats_at(96, 32)
    fast = slow[-1] + 0.5 * np.arange(1, 60)
    found = hear(played.drums(np.concatenate([slow, fast])))
    assert found.path[0, 1] == pytest.approx(96, rel=0.03) and found.path[-1, 1] == pytest.approx(120, rel=0.03)


def test_probabilities_are_some():
    heard = Heard(played.hear(played.drums(played.beats_at(100, 10))))
    chances = octaves.load().probabilities(heard.features())
    assert chances.shape == (len(GRID) + 1,) and chances.min() >= 0 and chances.sum() == pytest.approx(1)


@pytest.mark.data
@pytest.mark.parametrize("name", ["kathleen", "blanket"])
def test_speech_and_rain(name, shared_data):
    with (shared_data / "train" / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == name]
    paths = [shared_data / "train" / row["path"] for row in rows[-6:]]
    samples = np.concatenate([load(path, RATE).samples[: 6 * RATE] for path in paths])
    found = hear(samples)
    assert found.confidence < SURE and found.bpm is None
