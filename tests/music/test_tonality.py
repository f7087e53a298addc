from __future__ import annotations

import numpy as np
import pytest

from sonovec.music import columns
from sonovec.music.keys import Key, parse
from sonovec.music.part import RATE
from sonovec.music.tonality import Tonality

from . import chords

NONE = dict.fromkeys((columns.KEY, columns.KEY_CONFIDENCE, columns.CAMELOT))
KEYS = [Key(tonic, mode) for mode in ("major", "minor") for tonic in range(12)]


def heard(samples):
    tonality = Tonality()
    tonality.push(np.asarray(samples, np.float32))
    return tonality.finish()


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_every_key(key):
    timbre = sorted(chords.TIMBRES)[key.tonic % 3]
    found = heard(chords.progression(key, timbre, chord_seconds=0.7))
    assert found[columns.KEY] == str(key) and found[columns.CAMELOT] == key.camelot
    assert 0.3 <= found[columns.KEY_CONFIDENCE] <= 1
    assert found[columns.TUNING] == pytest.approx(440, abs=1)


@pytest.mark.parametrize("timbre", sorted(chords.TIMBRES))
def test_every_timbre_at_432_hz(timbre):
    found = heard(chords.progression(parse("Bb minor"), timbre, a4=432.0))
    assert found[columns.KEY] == "Bb minor" and found[columns.TUNING] == pytest.approx(432, abs=0.6)


def test_chroma_is_twelve_numbers_of_which_the_highest_is_1():
    numbers = [float(each) for each in heard(chords.progression(parse("C major")))[columns.CHROMA].split()]
    assert len(numbers) == 12 and max(numbers) == 1 and min(numbers) >= 0


RNG = np.random.default_rng(1)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(10 * RATE),
        chords.hits(20),
        0.1 * RNG.standard_normal(20 * RATE),  # rain
        np.concatenate([chords.hits(0.6), np.zeros(10 * RATE)]),  # one hit
        np.concatenate([chords.tone(60, 1.0), np.zeros(10 * RATE)]),
        chords.progression(parse("C major"))[: 3 * RATE],
        np.empty(0),
    ],
    ids=["silence", "drums", "rain", "one hit", "one tone", "3 s", "nothing"],
)
def test_no_key_at_all(samples):
    found = heard(samples)
    assert {name: found[name] for name in NONE} == NONE


def test_speech_has_no_key(speechlike):
    assert heard(speechlike)[columns.KEY] is None


@pytest.fixture
def speechlike():
    """Voiced syllables whose pitch glides."""
    at = np.arange(20 * RATE) / RATE
    hertz = 130 * 2 ** (0.4 * np.sin(2 * np.pi * 0.9 * at) + 0.2 * np.sin(2 * np.pi * 2.3 * at))
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20))
    return 0.1 * voice * (np.sin(2 * np.pi * 4 * at) > -0.3)
