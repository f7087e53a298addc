"""Real sounds, encoded by real encoders, for all tests of audio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

RATE = 44100

# Ending -> what soundfile writes.
SOUNDFILE = {
    "wav": {"format": "WAV", "subtype": "PCM_16"},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    "ogg": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"format": "MP3"},
    "aiff": {"format": "AIFF", "subtype": "PCM_16"},
    "caf": {"format": "CAF", "subtype": "PCM_16"},
    "w64": {"format": "W64", "subtype": "PCM_16"},
    "au": {"format": "AU", "subtype": "PCM_16"},
    "rf64": {"format": "RF64", "subtype": "PCM_16"},
}
# Ending -> container and codec of FFmpeg.
FFMPEG = {
    "m4a": ("ipod", "aac"),
    "mp4": ("mp4", "aac"),
    "wma": ("asf", "wmav2"),
    "webm": ("webm", "libopus"),
    "aac": ("adts", "aac"),
    "mp2": ("mp2", "mp2"),
    "mov": ("mov", "pcm_s24le"),
    "mka": ("matroska", "flac"),
}


def encode(path: Path, sound: NDArray[np.float32], rate: int, container: str, codec: str) -> None:
    """Encode `(n, channels)` with FFmpeg, with a picture stream where the container is one of video."""
    layout = {1: "mono", 2: "stereo", 8: "7.1", 16: "hexadecagonal"}[sound.shape[1]]
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.layout = layout
        if codec == "wmav2":
            stream.bit_rate = 128000
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout=layout, rate=rate, frame_size=stream.codec_context.frame_size
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound).reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))


@pytest.fixture(scope="session")
def sound() -> NDArray[np.float32]:
    """Three seconds and 17 samples of a chirp on the left and of a tone with noise on the right, `(n, 2)`."""
    time = np.arange(3 * RATE + 17) / RATE
    noise = np.random.default_rng(7).standard_normal(len(time))
    left = 0.4 * np.sin(2 * np.pi * (200 * time + 300 * time**2))
    right = 0.2 * np.sin(2 * np.pi * 440 * time) + 0.02 * noise
    return np.stack([left, right], axis=1).astype(np.float32)


@pytest.fixture(scope="session")
def encoded(tmp_path_factory: pytest.TempPathFactory, sound: NDArray[np.float32]) -> Callable[[str], Path]:
    """Give `sound` in a file of any ending in `SOUNDFILE` or `FFMPEG`, encoded once."""
    folder = tmp_path_factory.mktemp("encoded")

    def file(ending: str) -> Path:
        path = folder / f"sound.{ending}"
        rate = 48000 if ending in ("opus", "webm") else RATE
        if path.exists():
            return path
        if ending in SOUNDFILE:
            soundfile.write(path, sound, rate, **SOUNDFILE[ending])
        else:
            encode(path, sound, rate, *FFMPEG[ending])
        return path

    return file


@pytest.fixture(scope="session")
def encode_as() -> Callable[[Path, NDArray[np.float32], int, str, str], None]:
    return encode
