"""One recording at another speed is found with its speed; others never are."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from sonovec.analysis.fingerprint import RATE, Fingerprint
from sonovec.analysis.likeness import codes_of
from sonovec.analysis.speeds import at_another_speed, fine_of
from sonovec.errors import UsageError
from tests.analysis.test_fingerprint import load_at_rate, tone, tune


def heard(samples):
    analyser = Fingerprint()
    analyser.begin(RATE, 1)
    analyser.push(samples.astype(np.float32))
    columns = analyser.finish().columns
    return codes_of(columns["fingerprint"]), fine_of(columns["fingerprint_fine"])


def sped(samples, percent):
    return soxr.resample(samples, RATE * (1 + percent / 100), RATE)


@pytest.fixture(scope="module")
def tunes():
    return [load_at_rate(tune(seed)) for seed in range(4)]


@pytest.mark.parametrize("percent", [-5, -3.1, -1, 0, 0.6, 2.5, 4.2, 5])
def test_a_speed_is_found_from_either_side(tunes, percent):
    (codes, fine), (other_codes, other) = heard(tunes[0]), heard(sped(tunes[0], percent))
    there, back = at_another_speed(codes, other), at_another_speed(other_codes, fine)
    assert there is not None and there.speed == pytest.approx(1 + percent / 100, abs=0.01) and not there.keeps_pitch
    assert back is not None and back.speed == pytest.approx(1 / (1 + percent / 100), abs=0.01)


def test_a_start_that_is_cut_off_is_told(tunes):
    codes, _ = heard(tunes[0])
    _, cut = heard(sped(tunes[0][RATE:], 3))
    found = at_another_speed(codes, cut)
    assert found is not None and -found.offset * found.speed == pytest.approx(1, abs=0.2)


def test_a_tempo_without_its_pitch_is_told():
    rng, frames = np.random.default_rng(0), 120
    bands = 0.3 + rng.random((frames, 12))
    pitches = 320 * 1.16 ** np.arange(12)

    def played(seconds):
        """The same pitches, whose levels move along in so many seconds."""
        time = np.arange(int(seconds * RATE)) / RATE
        levels = [np.interp(time, np.linspace(0, seconds, frames), band) for band in bands.T]
        noise = np.random.default_rng(1).standard_normal((12, len(time)))
        tones = [
            np.sin(2 * np.pi * pitch * time + 0.002 * np.cumsum(n)) for pitch, n in zip(pitches, noise, strict=True)
        ]
        return 0.05 * sum(level * each for level, each in zip(levels, tones, strict=True))

    found = at_another_speed(heard(played(15))[0], heard(played(15 / 1.04))[1])
    assert found is not None and found.keeps_pitch and found.speed == pytest.approx(1.04, abs=0.012)


def test_other_tunes_and_tones_are_not_one_recording(tunes):
    told = [heard(each) for each in tunes]
    assert all(at_another_speed(a[0], b[1]) is None for n, a in enumerate(told) for b in told[n + 1 :])
    assert at_another_speed(heard(tone(440))[0], heard(tone(455))[1]) is None


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA"])
def test_what_is_no_fine_fingerprint_is_named(text):
    with pytest.raises(UsageError, match="fingerprint_fine"):
        fine_of(text)
