from __future__ import annotations

import io
import os
import struct
import threading
import wave

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sonovec.audio.pipe import ENCODINGS, Layout, open_pipe
from sonovec.audio.stream import load
from sonovec.errors import AudioError, UsageError

TONE = (np.sin(np.arange(24_000) * 0.1) / 2).astype(np.float32)


class Dribble(io.RawIOBase):
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes, self._turn = data, sizes or [1 << 16], 0

    def read1(self, count: int) -> bytes:
        size = min(count, self._sizes[self._turn % len(self._sizes)])
        self._turn += 1
        given, self._data = self._data[:size], self._data[size:]
        return given


def written(encoding: str, samples: np.ndarray) -> bytes:
    subtype = {
        "u8": "PCM_U8",
        "s16le": "PCM_16",
        "s24le": "PCM_24",
        "s32le": "PCM_32",
        "f32le": "FLOAT",
        "f64le": "DOUBLE",
    }
    out = io.BytesIO()
    soundfile.write(out, samples, 8000, subtype[encoding], format="RAW", endian="LITTLE")
    return out.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_samples_without_a_header_are_those_that_libsndfile_wrote(encoding: str) -> None:
    samples = np.stack([TONE, -TONE / 2], axis=1)
    sound = open_pipe(io.BytesIO(written(encoding, samples)), Layout(8000, 2, encoding))
    found = np.concatenate(list(sound))
    assert found.shape == samples.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, samples, atol=2**-7 if encoding == "u8" else 2**-15)
    assert sound.notes == []


@given(st.lists(st.integers(1, 50), max_size=5), st.integers(0, 400), st.integers(1, 3))
def test_samples_do_not_depend_on_how_the_bytes_come(sizes: list[int], count: int, channels: int) -> None:
    data = TONE.tobytes()[:count]
    sound = open_pipe(Dribble(data, sizes), Layout(8000, channels, "f32le"))
    found = np.concatenate([np.empty((0, channels), np.float32), *sound])
    whole = count // (4 * channels)
    assert found.tobytes() == data[: whole * 4 * channels]
    left = count - whole * 4 * channels
    assert [str(left) in note and "left out" in note for note in sound.notes] == ([True] if left else [])


def streamed(size: int | None, extra: bytes = b"", samples: np.ndarray = TONE) -> bytes:
    """WAV whose header gives a size of the samples, or the right one."""
    data = (samples * 32767).astype("<i2").tobytes()
    count = len(data) if size is None else size
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    listed = b"LIST" + struct.pack("<I", 5) + b"INFOx\0"
    head = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return head + listed + b"data" + struct.pack("<I", count) + data + extra


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_header_that_does_not_know_the_length(size: int | None) -> None:
    sound = open_pipe(Dribble(streamed(size), [7, 100]))
    assert (sound.rate, sound.channels) == (8000, 1)
    np.testing.assert_allclose(np.concatenate(list(sound))[:, 0], TONE, atol=2**-14)
    assert sound.notes == []


def test_what_stands_behind_the_samples_is_no_sound() -> None:
    sound = open_pipe(io.BytesIO(streamed(None, extra=b"LIST\x04\0\0\0abcd")))
    assert sum(map(len, sound)) == len(TONE)


def test_a_stream_that_ends_before_its_header_says() -> None:
    sound = open_pipe(io.BytesIO(streamed(None)[:-9]))
    assert sum(map(len, sound)) == len(TONE) - 5
    assert sound.notes == [
        "the stream ended within a sample: the last 1 byte was left out",
        "the stream ended after 3.00 s, and its header says 3.00 s",
    ]


@pytest.mark.parametrize(
    ("format", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", None), ("WAV", "ULAW"), ("AIFF", None)]
)
def test_what_ffmpeg_reads_from_a_pipe(format: str, subtype: str | None, tmp_path) -> None:
    path = tmp_path / "a.bin"
    samples = np.stack([TONE, TONE / 2], axis=1)
    soundfile.write(path, samples, 16000, subtype, format=format)
    sound = open_pipe(Dribble(path.read_bytes(), [1000]))
    assert (sound.rate, sound.channels) == (16000, 2)
    found = np.concatenate(list(sound))
    whole = load(path).samples
    assert len(found) >= len(whole), "it does not know what an encoder added"
    aligned = max(range(len(found) - len(whole) + 1), key=lambda at: found[at : at + len(whole)].mean(axis=1) @ whole)
    np.testing.assert_allclose(found[aligned : aligned + len(whole)].mean(axis=1), whole, atol=0.02)


def test_a_damaged_stream_ends_with_what_was_heard(tmp_path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).standard_normal(80_000) / 10, 16000)
    content = path.read_bytes()
    sound = open_pipe(io.BytesIO(content[: len(content) // 2]))
    assert 20_000 < sum(map(len, sound)) < 60_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "nothing came"),
        (b"no sound at all" * 100, "is no sound that can be decoded from a pipe"),
        (streamed(None)[:30], "the header of WAV ends before any samples"),
    ],
)
def test_no_sound(data: bytes, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        open_pipe(io.BytesIO(data))


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": 8000, "channels": 0}, {"rate": 8000, "encoding": "s16"}])
def test_layouts_that_are_none(wrong) -> None:
    with pytest.raises(UsageError, match=f"{list(wrong)[-1]}="):
        Layout(**wrong)


def test_blocks_come_while_the_pipe_is_open() -> None:
    """A tenth of a second is given although the writer goes on."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as file, os.fdopen(writer, "wb", buffering=0) as out:
        sound = iter(open_pipe(file, Layout(8000)))
        out.write(bytes(1600))
        got: list[int] = []

        def take() -> None:
            while sum(got) < 800:
                got.append(len(next(sound)))

        thread = threading.Thread(target=take)
        thread.start()
        thread.join(10)
        assert sum(got) == 800
        out.close()
        assert list(sound) == []


def test_wav_of_python_itself(tmp_path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 3, 44100, 0, "NONE", ""))
        file.writeframes(bytes(6 * 10))
    sound = open_pipe(io.BytesIO((tmp_path / "a.wav").read_bytes()))
    assert (sound.rate, sound.channels, sum(map(len, sound))) == (44100, 2, 10)
