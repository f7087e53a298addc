"""Fingerprints: of one recording they are alike in any encoding, of others they are not."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from sonovec.analysis.fingerprint import Fingerprint
from sonovec.analysis.likeness import RATE, SAME, codes_of, likeness, same_recording
from sonovec.analysis.recordings import groups
from sonovec.audio.stream import load
from sonovec.errors import UsageError


def tune(seed: int, seconds: float = 12.0, rate: int = 44100) -> np.ndarray:
    """Notes with overtones, at random times."""
    rng, samples = np.random.default_rng(seed), np.zeros(int(seconds * rate))
    time = np.arange(rate) / rate
    for start in np.arange(0, seconds - 1, 0.2):
        pitch = 220 * 2 ** (rng.integers(24) / 12)
        note = sum(np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 6)) * np.exp(-3 * time)
        samples[int(start * rate) :][:rate] += note
    return (samples / np.abs(samples).max() / 2).astype(np.float32)


def heard(samples: np.ndarray, block: int = 5000) -> str | None:
    analyser = Fingerprint()
    analyser.begin(RATE, 1)
    for start in range(0, len(samples), block):
        analyser.push(samples[start : start + block])
    return analyser.finish().columns.get("fingerprint")


def encode(path, samples, codec, bits, rate=44100):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000 if codec == "libopus" else rate)
        stream.bit_rate, stream.layout = bits, "mono"
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        convert = av.AudioResampler(format=stream.format, layout="mono", rate=stream.rate)
        frames = [*convert.resample(frame), *convert.resample(None)]
        container.mux([packet for each in [*frames, None] for packet in stream.encode(each)])
    return path


@pytest.mark.parametrize(
    ("name", "codec", "bits"),
    [("a.mp3", "libmp3lame", 48_000), ("a.opus", "libopus", 24_000), ("a.m4a", "aac", 64_000), ("a.flac", "flac", 0)],
)
def test_other_encodings_are_one_recording(tmp_path, name, codec, bits):
    samples = tune(0)
    soundfile.write(tmp_path / "a.wav", samples, 44100)
    encode(tmp_path / name, samples, codec, bits)
    one, other = (heard(load(tmp_path / each, RATE).samples) for each in ("a.wav", name))
    assert likeness(one, other) >= SAME


def test_other_levels_and_cuts_are_one_recording_and_others_are_not():
    samples = load_at_rate(tune(0))
    one = heard(samples)
    assert likeness(one, heard(0.05 * samples)) > 0.99
    for seconds in (0.03, 0.4, 1.5):
        cut = heard(samples[int(seconds * RATE) :])
        assert likeness(one, cut) >= SAME and likeness(cut, one) == likeness(one, cut)
    others = [heard(load_at_rate(tune(seed))) for seed in range(1, 6)]
    assert max(likeness(one, other) for other in others) < SAME


def load_at_rate(samples: np.ndarray) -> np.ndarray:
    import soxr

    return soxr.resample(samples, 44100, RATE)


@settings(max_examples=20)
@given(st.integers(1, 30_000))
def test_blocks_of_any_size_give_the_same(block):
    samples = np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    assert heard(samples, block) == heard(samples, len(samples))


def test_silence_and_short_sounds_have_none():
    assert heard(np.zeros(10 * RATE, np.float32)) is None
    assert heard(np.ones(2 * RATE, np.float32)) is None
    assert heard(np.empty(0, np.float32)) is None


def test_of_long_sounds_the_first_two_minutes_count():
    samples = np.random.default_rng(0).standard_normal(150 * RATE).astype(np.float32)
    one = heard(samples)
    assert one == heard(samples[: 130 * RATE]) and len(one) < 6000


@pytest.mark.parametrize("text", ["", "no base64!", "AAA"])
def test_what_is_no_fingerprint_is_named(text):
    with pytest.raises(UsageError, match="not a fingerprint"):
        likeness(text, text)


def test_a_library_keeps_them(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    soundfile.write(sounds / "a.wav", tune(0), 44100)
    encode(sounds / "b.mp3", tune(0), "libmp3lame", 64_000)
    soundfile.write(sounds / "c.wav", tune(1), 44100)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds, analysers=["fingerprint"])
        a, b, c = (track.fields["fingerprint"] for track in library.tracks())
        assert likeness(a, b) >= SAME > likeness(a, c)


# -- alike for the wrong reason


def same(one: np.ndarray, other: np.ndarray) -> bool:
    texts = heard(one.astype(np.float32)), heard(other.astype(np.float32))
    return None not in texts and same_recording(*map(codes_of, texts))


def tone(hertz: float, seconds: float = 8.0, phase: float = 0.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE + phase)


def clicks(seed: int, count: int = 1) -> np.ndarray:
    rng, samples = np.random.default_rng(seed), np.zeros(8 * RATE)
    samples[rng.integers(0, len(samples), count)] = 0.5
    return samples


def low_noise(seed: int, scale: float = 1e-4) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_normal(8 * RATE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (tone(500), tone(1000)),  # whose frames are all alike, so that no code has a bit
        (tone(440), tone(880)),
        (tone(440), tone(443)),
        (tone(440) + tone(660), tone(440) + tone(550)),
        (clicks(0), clicks(1)),
        (clicks(0, 3), clicks(1, 3)),
        (low_noise(0), low_noise(1)),
        (np.round(low_noise(0) * 32767) / 32767, np.round(low_noise(1) * 32767) / 32767),
        (np.concatenate([tone(440, 2), np.zeros(6 * RATE)]), np.concatenate([tone(880, 2), np.zeros(6 * RATE)])),
        (tone(440) * (1 + tone(2)), tone(700) * (1 + tone(2))),
        (tone(50) + low_noise(0, 1e-3), tone(50) + low_noise(1, 1e-3)),
    ],
)
def test_tones_clicks_noise_and_silence_are_not_one_recording(one, other):
    assert not same(one, other)
    assert likeness(heard(one.astype(np.float32)), heard(other.astype(np.float32))) < 1


def test_notes_of_one_instrument_are_not_one_recording_and_other_levels_of_one_are():
    samples = load_at_rate(tune(0))
    assert same(samples, 0.05 * samples) and same(samples, samples[3000:])
    held = [load_at_rate(tune(seed))[:RATE] for seed in (0, 1)]
    one, other = (np.tile(each[: RATE // 2], 12) for each in held)
    assert not same(one, other)


@pytest.mark.data
@pytest.mark.slow
def test_of_real_sounds_only_copies_are_one_recording(shared_data):
    """Of the 79,800 pairs of ESC-10, two are one recording under two numbers."""
    paths = sorted((shared_data / "esc10").glob("*/*.ogg"))
    codes = [codes_of(text) for path in paths if (text := heard(load(path, RATE).samples))]
    found = [{paths[n].name for n in group} for group in groups(codes) if len(group) > 1]
    assert found == [{"3-151080-A.ogg", "5-151085-A.ogg"}, {"2-28314-A.ogg", "2-30322-A.ogg"}]
