"""Containers and codecs, each made by FFmpeg's encoders: the length, the place in time and the level of what is decoded.

What is compared with is FFmpeg itself, by the shortest way through it: every frame of the audio stream, one after another.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from sonovec.audio.decode import open_audio

Sound = NDArray[np.float32]


class Variant(NamedTuple):
    container: str
    codec: str
    rate: int = 44100
    channels: int = 2
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return "-".join([self.container, self.codec, str(self.rate), str(self.channels), *(v for _, v in self.options)])


STRICT = (("strict", "-2"),)
PCM = ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_s64le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw")
VARIANTS = [
    *(Variant("wav", codec) for codec in PCM),
    *(Variant("wav", "pcm_s16le", rate, 1) for rate in (8000, 11025, 96000, 192000)),
    Variant("wav", "pcm_s16le", 48000, 6),
    Variant("wav", "adpcm_ms"),
    Variant("wav", "adpcm_ima_wav"),
    Variant("wav", "adpcm_yamaha"),
    Variant("wav", "g726", 8000, 1),
    Variant("wav", "mp3"),
    Variant("w64", "pcm_s24le"),
    Variant("wav", "pcm_s16le", 44100, 2, (("rf64", "always"),)),
    *(Variant("aiff", codec) for codec in ("pcm_s16be", "pcm_s24be", "pcm_f32be", "pcm_alaw", "adpcm_ima_qt")),
    *(Variant("au", codec) for codec in ("pcm_s16be", "pcm_mulaw", "pcm_f32be")),
    *(Variant("caf", codec) for codec in ("pcm_s16le", "pcm_f32be", "alac")),
    *(Variant("flac", "flac", rate, channels) for rate, channels in ((8000, 1), (44100, 2), (96000, 6))),
    Variant("wv", "wavpack"),
    Variant("wv", "wavpack", 48000, 6),
    Variant("tta", "tta"),
    *(Variant("mp3", "mp3", rate) for rate in (16000, 22050, 44100, 48000)),
    Variant("mp3", "mp3", 44100, 1, (("b", "320000"),)),
    Variant("mp2", "mp2"),
    *(Variant("adts", "aac", rate, channels) for rate, channels in ((16000, 1), (44100, 2), (48000, 6))),
    *(Variant("ipod", codec) for codec in ("aac", "alac", "ac3")),
    *(Variant("mp4", codec, 48000) for codec in ("aac", "libopus", "flac", "ac3", "eac3", "mp3")),
    *(Variant("mov", codec) for codec in ("pcm_s16le", "pcm_s24be", "pcm_f32le", "alac", "aac", "adpcm_ima_qt")),
    Variant("3gp", "aac", 16000, 1),
    Variant("3gp", "libopencore_amrnb", 8000, 1),
    Variant("amr", "libopencore_amrnb", 8000, 1),
    *(Variant("ogg", codec, 48000) for codec in ("libopus", "flac")),
    Variant("ogg", "vorbis", 44100, 2, STRICT),
    Variant("opus", "libopus", 48000, 1),
    Variant("webm", "libopus", 48000, 6),
    *(
        Variant("matroska", codec, 48000)
        for codec in (
            "aac",
            "libopus",
            "flac",
            "ac3",
            "eac3",
            "mp3",
            "mp2",
            "pcm_s16le",
            "pcm_f32le",
            "alac",
            "wavpack",
        )
    ),
    *(Variant("avi", codec, 48000) for codec in ("pcm_s16le", "mp3", "mp2", "ac3", "wmav2")),
    *(Variant("mpegts", codec, 48000) for codec in ("aac", "mp2", "ac3", "mp3", "libopus")),
    *(Variant("vob", codec, 48000) for codec in ("mp2", "ac3")),
    *(Variant("flv", codec) for codec in ("aac", "mp3", "adpcm_swf", "pcm_s16le")),
    Variant("flv", "nellymoser", 22050, 1),
    *(Variant("asf", codec) for codec in ("wmav1", "wmav2", "pcm_s16le", "mp3")),
    *(Variant(codec, codec, 48000) for codec in ("ac3", "eac3")),
    *(Variant("nut", codec) for codec in ("pcm_s16le", "mp3")),
    Variant("adx", "adpcm_adx"),
    Variant("voc", "pcm_u8", 22050, 1),
    Variant("sox", "pcm_s32le"),
    Variant("ircam", "pcm_s16le"),
    Variant("wtv", "mp2", 48000),
]


# By how many decibels codecs change the level that cut off what people hardly hear.
LEVELS = {"mp3": 0.7, "libopencore_amrnb": 3.5, "libopus": 1.5, "nellymoser": 1.5, "g726": 1.5}


def make(path: Path, variant: Variant, seconds: float = 3.0) -> Sound:
    """Encode noise with a rhythm, by which any shift in time shows, and give what was encoded."""
    rng = np.random.default_rng(11)
    frames = int(seconds * variant.rate) + 13
    time = np.arange(frames) / variant.rate
    loudness = 0.12 + 0.1 * np.sin(2 * np.pi * 1.7 * time) * np.sin(2 * np.pi * 0.6 * time)
    band = min(3000, variant.rate / 4)
    tones = sum(
        np.sin(2 * np.pi * (f + 40 * np.sin(2 * np.pi * 0.9 * time)) * time) for f in (band / 7, band / 3, band / 2)
    )
    mono = loudness * (tones / 3 + 0.1 * rng.standard_normal(frames))
    gains = 1 - 0.4 * np.arange(variant.channels) / variant.channels
    sound = (mono[:, None] * gains).astype(np.float32)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[variant.channels]
    with av.open(str(path), "w", format=variant.container, options=dict(variant.options)) as output:
        stream = output.add_stream(variant.codec, rate=variant.rate, options=dict(variant.options))
        stream.layout = layout
        if variant.codec == "g726":
            stream.bit_rate = 32000
        elif variant.codec.startswith("wma"):
            stream.bit_rate = 128000
        context = stream.codec_context
        resampler = av.AudioResampler(
            format=context.format, layout=layout, rate=variant.rate, frame_size=context.frame_size
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound).reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = variant.rate, 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return sound


def by_ffmpeg(path: Path) -> tuple[Sound, int]:
    """Every frame of the first audio stream, through FFmpeg alone."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    first = frames[0]
    resampler = av.AudioResampler(format="flt", layout=first.layout, rate=first.sample_rate)
    for frame in frames:
        frame.pts = None
    parts = [part for frame in [*frames, None] for part in resampler.resample(frame)]
    joined = np.concatenate([part.to_ndarray().reshape(-1, first.layout.nb_channels) for part in parts])
    return joined.astype(np.float32), first.sample_rate


def lag(a: Sound, b: Sound) -> int:
    """By how many samples `a` is later than `b`."""
    n = min(len(a), len(b))
    size = 1 << (2 * n - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(a[:n], size) * np.conj(np.fft.rfft(b[:n], size)), size)
    at = int(product.argmax())
    return at - size if at > size // 2 else at


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_length_place_and_level_are_those_of_ffmpeg(tmp_path: Path, variant: Variant) -> None:
    path = tmp_path / "sound"
    sound = make(path, variant)
    expected, rate = by_ffmpeg(path)
    with open_audio(path) as audio:
        decoded = np.concatenate(list(audio.blocks()))
    assert audio.notes == []
    assert (audio.info.rate, decoded.shape[1]) == (rate, expected.shape[1])
    # Where libsndfile decodes, it drops what the encoder put at the ends; FFmpeg's own way keeps some of it.
    assert abs(len(decoded) - len(expected)) <= (0 if audio.info.decoder == "FFmpeg" else 1024)
    assert lag(decoded[:, 0], expected[:, 0]) == 0
    n = min(len(decoded), len(expected))
    level = np.sqrt(np.mean(decoded[:n] ** 2) / np.mean(expected[:n] ** 2))
    assert 20 * abs(np.log10(level)) < 0.05
    # And the sound itself: its encoders are late by a frame or two at most, and none changes the level much.
    assert abs(lag(decoded[:, 0], sound[:, 0])) < 0.1 * rate
    loud = np.sqrt(np.mean(decoded[:, 0] ** 2) / np.mean(sound[:, 0] ** 2))
    assert 20 * abs(np.log10(loud)) < LEVELS.get(variant.codec, 0.5)
    with open_audio(path) as audio:
        np.testing.assert_array_equal(np.concatenate(list(audio.blocks(1000))), decoded)
