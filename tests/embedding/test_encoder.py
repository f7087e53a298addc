from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from sonovec.audio.waveform import Waveform
from sonovec.embedding.pooling import pool
from sonovec.errors import AudioError, UsageError
from tests.promises import assert_same_vectors


@pytest.fixture(scope="module")
def encoder():
    return sonovec.load("logmel")


def noise(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32) / 8


def test_shapes_types_and_passport(encoder, clips):
    e = encoder.embed(clips[4])
    assert e.windows.dtype == e.vector.dtype == np.float32
    assert e.windows.shape == (len(e.times), encoder.dim) and e.vector.shape == (encoder.dim,)
    assert e.times.dtype == np.float64 and e.times.shape[1] == 2
    assert e.passport == encoder.passport
    assert e.path == clips[4]
    np.testing.assert_array_equal(e.vector, pool(e.windows, e.coverage))


@settings(max_examples=25)
@given(n=st.integers(1, 100_000))
def test_no_clip_yields_nothing_and_times_cover_it(encoder, n):
    e = encoder.embed((noise(n), encoder.rate))
    assert len(e.windows) >= 1
    assert e.times[0, 0] == 0
    assert e.times[-1, 1] == pytest.approx(n / encoder.rate)
    assert ((e.coverage > 0) & (e.coverage <= 1)).all()
    assert (e.times[1:, 0] <= e.times[:-1, 1] + 1e-9).all(), "no gap between windows"
    assert np.isfinite(e.windows).all()


def test_a_file_and_its_samples_give_the_same_vectors(encoder, tmp_path):
    samples = noise(50_000)
    soundfile.write(tmp_path / "a.wav", samples, 22050, subtype="FLOAT")
    file, memory = encoder.embed(tmp_path / "a.wav"), encoder.embed((samples, 22050))
    np.testing.assert_array_equal(file.windows, memory.windows)
    np.testing.assert_array_equal(encoder.embed(Waveform(samples, 22050)).windows, memory.windows)


def test_stereo_samples_are_mixed(encoder):
    samples = noise(32_000)
    mono = encoder.embed((samples, 16000))
    for axis in (0, 1):
        stereo = encoder.embed((np.stack([samples, samples], axis=axis), 16000))
        np.testing.assert_array_equal(stereo.windows, mono.windows)
        assert (stereo.channels, stereo.duration) == (2, mono.duration)


def test_a_range_has_the_times_of_the_whole(encoder, tmp_path):
    samples = noise(10 * 16000)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    whole = encoder.embed(tmp_path / "a.wav")
    part = encoder.embed(tmp_path / "a.wav", start=3.0, end=5.0)
    np.testing.assert_allclose(part.times, whole.times[3:5])
    np.testing.assert_allclose(part.windows, whole.windows[3:5], atol=1e-5)
    memory = encoder.embed((samples, 16000), start=3.0, end=5.0)
    np.testing.assert_array_equal(memory.windows, part.windows)


@pytest.mark.parametrize(("start", "end"), [(-1, None), (2, 2), (3, 1), (np.nan, None), (0, np.nan), (np.inf, None)])
def test_a_range_that_is_none_is_refused(encoder, start, end):
    for embed in (encoder.embed, lambda sound, **given: encoder.embed_many([sound], **given)):
        with pytest.raises(UsageError, match=f"start={start}, end={end} is not a range"):
            embed("x.wav", start=start, end=end)


def test_a_range_of_many(encoder, clips):
    results = list(encoder.embed_many(clips, start=1.5, end=2.5))
    for clip, result in zip(clips, results, strict=True):
        try:
            alone = encoder.embed(clip, start=1.5, end=2.5)
        except UsageError as error:  # it ends before
            assert result.reason == str(error)
        else:
            assert_same_vectors(result.windows, alone.windows)
            np.testing.assert_array_equal(result.times, alone.times)


def test_a_range_beyond_the_end_says_so(encoder, clips):
    with pytest.raises(UsageError, match=r"start=100 is not before the end of .*0\.wav"):
        encoder.embed(clips[0], start=100)


def test_silence_is_marked_and_kept(encoder):
    e = encoder.embed((np.zeros(48_000, np.float32), 16000))
    assert e.silent.all() and len(e.windows) == 3
    assert np.isfinite(e.vector).all()


def test_integers_are_refused_with_the_corrected_call(encoder):
    with pytest.raises(UsageError, match=r"dtype int16 .* 32768"):
        encoder.embed((np.zeros(100, np.int16), 16000))


def test_samples_too_large_for_a_vector_are_a_failure(encoder, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(16000, 3e38) * np.sign(noise(16000)), 16000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav: samples are too large for a vector"):
        encoder.embed(tmp_path / "a.wav")


def test_failures_are_values_in_their_place(encoder, clips, tmp_path):
    (tmp_path / "text.wav").write_text("no sound here")
    results = list(encoder.embed_many([clips[0], tmp_path / "text.wav", clips[1], "missing.ogg"]))
    assert [type(r).__name__ for r in results] == ["Embedding", "Failure", "Embedding", "Failure"]
    assert "text.wav" in results[1].reason and "\n" not in results[1].reason
    assert "missing.ogg" in results[3].reason


def test_hop_and_tail_are_options_and_in_the_passport():
    encoder = sonovec.load("logmel", hop=0.5, tail="drop")
    e = encoder.embed((noise(40_000), 16000))
    np.testing.assert_allclose(np.diff(e.times[:, 0]), 0.5)
    assert (e.coverage == 1).all()
    assert (e.passport.hop, e.passport.tail) == (8000, "drop")
    with pytest.raises(UsageError, match="hop=0"):
        sonovec.load("logmel", hop=0)


def test_parts_hold_every_window_once(encoder):
    e = encoder.embed((noise(25 * 16000), 16000))
    parts = e.parts(10)
    assert [(p.start, p.end) for p in parts] == [(0, 10), (10, 20), (20, 25)]
    weights = np.array([10, 10, 5], np.float32)
    np.testing.assert_allclose(pool(np.stack([p.vector for p in parts]), weights), e.vector, rtol=1e-5)
    assert len(e.parts(0.001)) == len(e.windows)


@pytest.mark.data
def test_real_clips(encoder, shared_data):
    clip = next(shared_data.glob("esc10/*/*.ogg"))
    e = encoder.embed(clip)
    assert e.duration == pytest.approx(5, abs=0.1) and e.codec
