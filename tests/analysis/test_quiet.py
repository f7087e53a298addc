"""A few words between long pauses: poor copies change the noise of the pauses, and are one recording all the same."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.analysis.fingerprint import Fingerprint
from sonovec.analysis.likeness import HOP, RATE, codes_of, same_recording
from sonovec.analysis.quiet import begins_at, levels_of, loud_part, pairs
from sonovec.analysis.recordings import FEW
from sonovec.analysis.speeds import at_another_speed, fine_of
from sonovec.audio.stream import load
from sonovec.errors import UsageError


def words(seed: int, seconds: float = 14.0, rate: int = 16000, pause: float = 3e-5) -> np.ndarray:
    """Three seconds of syllables on a moving pitch, and near silence before and after them, 84 dB below their peak."""
    rng, time = np.random.default_rng(seed), np.arange(3 * rate) / rate
    pitch = np.interp(time, np.linspace(0, 3, 8), rng.uniform(90, 240, 8))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    levels = rng.uniform(0, 1, (12, 16)) ** 3  # of the overtones, syllable by syllable
    voice = sum(
        np.interp(time, np.linspace(0, 3, 16), level) * np.sin(n * phase) for n, level in enumerate(levels, start=1)
    )
    samples = pause * rng.standard_normal(int(seconds * rate))
    samples[2 * rate : 5 * rate] += voice / np.abs(voice).max() / 2
    return samples


def heard(samples: np.ndarray, rate: int = 16000) -> dict[str, str]:
    import soxr

    analyser = Fingerprint()
    analyser.begin(RATE, 1)
    analyser.push(soxr.resample(samples, rate, RATE).astype(np.float32))
    return analyser.finish().columns


def part(columns):
    return loud_part(codes_of(columns["fingerprint"]), levels_of(columns["fingerprint_levels"]))


def plainly(one, other):
    return same_recording(*(codes_of(each["fingerprint"]) for each in (one, other)))


def quieter(samples, rate=16000):
    """20 dB lower, in 16 bits, of which the pauses then fill less than one."""
    return np.round(0.1 * samples * 32767) / 32767


def poor_mp3(samples, folder):
    soundfile.write(folder / "a.mp3", samples, 16000, format="MP3", compression_level=0.99)
    return load(folder / "a.mp3", 16000).samples


@pytest.mark.parametrize("seed", range(4))
def test_poor_copies_are_one_recording_where_it_is_loud(tmp_path, seed):
    samples = words(seed)
    one = heard(samples)
    for other in (heard(quieter(samples)), heard(poor_mp3(samples, tmp_path))):
        assert not plainly(one, other), "this kind was missed before"
        assert begins_at(part(one), part(other)) == begins_at(part(other), part(one)) == 0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), gain=st.floats(0.05, 1), cut=st.integers(0, 14))
def test_other_noise_in_the_pauses_another_level_and_start_change_nothing(seed, gain, cut):
    """The start is cut at a code; between two codes fewer bits agree."""
    samples = words(seed, pause=0)
    noises = 1e-4 * np.random.default_rng(seed + 1).standard_normal((2, len(samples)))
    begin = cut * HOP * 16000 // RATE
    one, other = heard(samples + noises[0]), heard(gain * (samples + noises[1])[begin:])
    assert begins_at(part(one), part(other)) == cut


def test_other_words_are_other_recordings():
    parts = [part(heard(words(seed))) for seed in range(8)]
    assert all(begins_at(a, b) is None for a, b in combinations(parts, 2))


def test_one_chord_struck_twice_is_two_recordings():
    """Of tones most bits agree wherever they lie."""

    def struck(seed):
        time, rng = np.arange(3 * 16000) / 16000, np.random.default_rng(seed)
        chord = sum(np.sin(2 * np.pi * hertz * time + rng.uniform(0, 6)) for hertz in (330, 415, 494, 660, 830, 990))
        samples = 1e-5 * rng.standard_normal(9 * 16000)
        samples[16000 : 4 * 16000] += 0.1 * chord * np.exp(-time)
        return part(heard(samples))

    assert begins_at(struck(0), struck(1)) is None


def test_at_another_speed_the_loud_part_tells_the_speed():
    import soxr

    samples = words(0)
    one, other = heard(samples), heard(quieter(soxr.resample(samples, 16000 * 1.03, 16000)))
    found = at_another_speed(part(one), fine_of(other["fingerprint_fine"]), loud=True)
    assert found is not None and found.speed == pytest.approx(1.03, abs=0.01)
    found = at_another_speed(part(one), fine_of(heard(quieter(samples))["fingerprint_fine"]), loud=True)
    assert found is not None and found.speed == 1


def test_what_is_loud_all_along_or_hardly_ever_has_no_loud_part():
    noise = np.random.default_rng(0).standard_normal(9 * 16000)
    assert part(heard(0.1 * noise)) is None
    noise[8000:] *= 1e-5
    assert part(heard(0.1 * noise)) is None


def test_of_many_those_with_a_place_in_common_are_looked_up():
    rng = np.random.default_rng(0)
    parts = [np.concatenate([rng.integers(1, 2**32, 20, np.uint32), np.zeros(40, np.uint32)]) for _ in range(FEW)]
    parts.append(parts[7] ^ np.where(parts[7] != 0, np.uint32(0x0400), np.uint32(0)).astype(np.uint32))
    assert (7, FEW) in set(pairs(parts)) and len(set(pairs(parts))) < 10
    assert len(set(pairs(parts[:10]))) == 45


def test_levels_are_those_of_the_louder_of_two_frames():
    levels = levels_of(heard(words(0))["fingerprint_levels"])
    codes = codes_of(heard(words(0))["fingerprint"])
    assert len(levels) == len(codes) and levels.min() == 0
    assert (levels[:10] > 55).all() and (levels[18:36] < 40).all() and (levels[41:] > 55).all()


@pytest.mark.parametrize("text", ["", "no base64!"])
def test_what_are_no_levels_is_named(text):
    with pytest.raises(UsageError, match="fingerprint_levels"):
        levels_of(text)


def test_levels_of_another_track_are_an_error():
    with pytest.raises(UsageError, match="3 levels for 5 codes"):
        loud_part(np.ones(5, np.uint32), np.zeros(3, np.uint8))
