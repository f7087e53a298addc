"""Files as mono sound of one rate, whatever the size of the blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonovec.audio.mix import mix
from sonovec.audio.resample import resampled_length
from sonovec.audio.stream import load, open_mono
from sonovec.audio.windows import WindowSpec, frame
from sonovec.errors import AudioError, UsageError


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.integers(100, 200_000), ending=st.sampled_from(["wav", "flac", "mp3", "m4a", "ogg"]))
def test_streaming_equals_whole(encoded: Callable[[str], Path], frames: int, ending: str) -> None:
    whole = load(encoded(ending), rate=16000)
    with open_mono(encoded(ending), 16000) as stream:
        streamed = np.concatenate(list(stream.blocks(frames)))
    np.testing.assert_array_equal(streamed, whole.samples)
    assert len(streamed) == resampled_length(stream.source_frames, stream.info.rate, 16000)


def test_streamed_windows_equal_those_of_the_whole(encoded: Callable[[str], Path]) -> None:
    spec = WindowSpec(15600, 7800)
    (whole,) = frame([load(encoded("mp3"), rate=16000).samples], spec)
    with open_mono(encoded("mp3"), 16000) as stream:
        (streamed,) = frame(stream.blocks(777), spec)
    np.testing.assert_array_equal(streamed.samples, whole.samples)


def test_the_mix_is_the_mean_and_then_resampled(encoded: Callable[[str], Path]) -> None:
    sound, _ = soundfile.read(encoded("wav"), dtype="float32")
    expected = soxr.resample(sound.mean(axis=1), 44100, 32000, quality="HQ")
    waveform = load(encoded("wav"), rate=32000)
    np.testing.assert_allclose(waveform.samples, expected, atol=1e-6)
    assert waveform.samples.dtype == np.float32
    assert waveform.duration == pytest.approx(len(sound) / 44100, abs=1e-4)


def test_mix_of_many_channels() -> None:
    block = np.random.default_rng(0).standard_normal((100, 8)).astype(np.float32)
    np.testing.assert_allclose(mix(block), block.mean(axis=1), atol=1e-6)
    loud = np.full((1, 4), np.finfo(np.float32).max, dtype=np.float32)
    assert np.isfinite(mix(loud)).all()


def test_without_a_rate_the_source_keeps_its_own(encoded: Callable[[str], Path]) -> None:
    waveform = load(encoded("flac"), start=1.0, end=2.0)
    assert (waveform.rate, len(waveform.samples)) == (44100, 44100)


def test_info_and_notes_are_those_of_the_file(encoded: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    path.write_bytes(encoded("flac").read_bytes()[:-50000])
    with open_mono(path, 16000) as stream:
        assert stream.info.channels == 2
        assert sum(map(len, stream)) > 0
    assert any("although the header says 3.00 s" in note for note in stream.notes)


def test_errors(tmp_path: Path, encoded: Callable[[str], Path]) -> None:
    with pytest.raises(AudioError, match="no such file"):
        load(tmp_path / "gone.wav")
    with pytest.raises(UsageError, match="rate_out=0"):
        load(encoded("wav"), rate=0)


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_one_sample_gives_one_window(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    soundfile.write(path, np.array([0.25]), 192000)
    with open_mono(path, 16000) as stream:
        (windows,) = frame(stream, WindowSpec(1000, 1000))
    assert len(windows) == 1


@pytest.mark.data
def test_real_clips_are_finite_and_complete(shared_data: Path) -> None:
    for clip in sorted(shared_data.glob("esc10/**/*.ogg"))[::100]:
        waveform = load(clip, rate=16000)
        assert waveform.duration == pytest.approx(5.0, abs=0.05)
        assert np.isfinite(waveform.samples).all()
