"""Ogg files of several streams, and such as lost pages: nothing is heard twice, and what is left keeps its place."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sonovec.audio.decode import AudioReader, open_audio

Sound = NDArray[np.float32]
RATE = 48000
CODECS = ["vorbis", "opus", "flac"]


def _register(value: int) -> int:
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


TABLE = [_register(value << 24) for value in range(256)]


@cache
def checksum(data: bytes) -> int:
    register = 0
    for byte in data:
        register = (register << 8 & 0xFFFFFFFF) ^ TABLE[register >> 24 ^ byte]
    return register


@dataclass(frozen=True, repr=False)
class Page:
    flags: int
    granule: int
    serial: int
    number: int
    lacing: bytes
    body: bytes

    def __repr__(self) -> str:
        return f"Page({self.number})"

    def to_bytes(self) -> bytes:
        head = struct.pack("<4sBBqIII", b"OggS", 0, self.flags, self.granule, self.serial, self.number, 0)
        page = head + bytes([len(self.lacing)]) + self.lacing + self.body
        return page[:22] + struct.pack("<I", checksum(page)) + page[26:]


def pages_of(data: bytes) -> list[Page]:
    pages, at = [], 0
    while at < len(data):
        flags, granule, serial, number, _, pieces = struct.unpack_from("<5xBqIIIB", data, at)
        lacing = data[at + 27 : at + 27 + pieces]
        body = at + 27 + pieces
        at = body + sum(lacing)
        pages.append(Page(flags, granule, serial, number, lacing, data[body:at]))
    return pages


def to_bytes(pages: Sequence[Page]) -> bytes:
    return b"".join(page.to_bytes() for page in pages)


def ticking(seconds: float, first: int = 0) -> Sound:
    """A burst at each quarter second, each of a pitch of its own, over quiet noise; mono."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound = 0.002 * np.random.default_rng(first).standard_normal(len(time))
    for tick in range(int(seconds * 4)):
        inside = (time >= tick / 4 + 0.1) & (time < tick / 4 + 0.15)
        sound[inside] += 0.5 * np.sin(2 * np.pi * (400 + 100 * (tick + first)) * time[inside])
    return sound.astype(np.float32)


def encode(sound: Sound, codec: str, path: Path) -> list[Page]:
    """Encode, with many pages of several packets each."""
    if codec == "flac":
        with av.open(str(path), "w", format="ogg", options={"page_duration": "100000"}) as output:
            stream = output.add_stream("flac", rate=RATE, layout="mono")
            frame = av.AudioFrame.from_ndarray((sound[None] * 32767).astype(np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=1024)
            for part in [*resampler.resample(frame), None]:
                output.mux(stream.encode(part))
        return pages_of(path.read_bytes())
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 1, format="OGG", subtype=codec.upper()) as output:
        for at in range(0, len(sound), 4800):
            output.write(sound[at : at + 4800])
    return pages_of(file.getvalue())


@pytest.fixture(scope="module", params=CODECS)
def stream(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Page]]:
    pages = encode(ticking(10), request.param, tmp_path_factory.mktemp("ogg") / "made.ogg")
    assert sum(page.granule > 0 for page in pages) > 8
    return request.param, pages


def read(path: Path, data: bytes, frames: int = 65536) -> tuple[Sound, AudioReader]:
    path.write_bytes(data)
    with open_audio(path) as audio:
        return np.concatenate(list(audio.blocks(frames)))[:, 0], audio


def renumbered(pages: Sequence[Page], serial: int, granule: int = 0) -> list[Page]:
    return [replace(page, serial=serial, granule=page.granule + (granule if page.granule > 0 else 0)) for page in pages]


@pytest.mark.parametrize("serials", [(7, 7), (7, 8), (7, 8, 7)], ids=["equal", "other", "returning"])
def test_chained_streams_are_read_to_the_end(
    tmp_path: Path, stream: tuple[str, list[Page]], serials: tuple[int, ...]
) -> None:
    _, pages = stream
    one, _ = read(tmp_path / "one.ogg", to_bytes(pages))
    data = b"".join(to_bytes(renumbered(pages, serial)) for serial in serials)
    sound, audio = read(tmp_path / "chain.ogg", data)
    assert audio.notes == [f"{len(serials)} streams one behind another, all of which are read"]
    assert len(sound) == len(serials) * len(one)
    for index in range(len(serials)):
        np.testing.assert_allclose(sound[index * len(one) :][: len(one)], one, atol=2e-6)
    np.testing.assert_array_equal(read(tmp_path / "chain.ogg", data, 777)[0], sound)


def test_chained_streams_of_other_rates_and_channels(tmp_path: Path) -> None:
    data = b""
    for rate, channels in ((48000, 1), (24000, 2), (16000, 1)):
        file = io.BytesIO()
        sound = np.tile(ticking(2)[:: 48000 // rate, None], (1, channels))
        soundfile.write(file, sound, rate, format="OGG", subtype="VORBIS")
        data += to_bytes(renumbered(pages_of(file.getvalue()), len(data) + 1))
    sound, audio = read(tmp_path / "chain.ogg", data)
    assert audio.info.rate == 48000 and len(sound) == pytest.approx(6 * 48000, abs=200)
    loud = np.flatnonzero(np.abs(sound) > 0.15)
    starts = loud[np.diff(loud, prepend=-9999) > 4800] / 48000
    np.testing.assert_allclose(starts, np.arange(24) / 4 + 0.1, atol=0.01)


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_left_keeps_its_place_whatever_pages_are_lost(
    tmp_path: Path, stream: tuple[str, list[Page]], data: st.DataObject
) -> None:
    codec, pages = stream
    whole, _ = read(tmp_path / "whole.ogg", to_bytes(pages))
    first = next(index for index, page in enumerate(pages) if page.granule > 0)
    # Where the last page alone follows a loss, what its end leaves out of its last packet is not known.
    losable = range(first + 1, len(pages) - 2)
    lost = data.draw(st.sets(st.sampled_from(losable), min_size=1, max_size=len(losable) // 2), label="lost pages")
    how = data.draw(st.sampled_from(["missing", "damaged", "emptied"]), label="how")
    sound, audio = read(
        tmp_path / "lossy.ogg", b"".join(_lose(page, index in lost, how) for index, page in enumerate(pages))
    )
    assert len(sound) == len(whole)
    assert sum("no sound is stored" in note for note in audio.notes) == 1
    # What stands there is what was there, or silence and what a codec needs to come to itself; never something else.
    size = RATE // 100
    frames = len(whole) // size
    there = np.sqrt(np.mean(whole[: frames * size].reshape(frames, size) ** 2, axis=1))
    now = np.sqrt(np.mean(sound[: frames * size].reshape(frames, size) ** 2, axis=1))
    assert (now <= there * 1.5 + 0.02).all()
    kept = np.ones(len(whole), bool)
    for index in lost:
        begins = max((page.granule for page in pages[:index]), default=0)
        kept[max(0, begins - 6000) : pages[index].granule + 6000] = False
    np.testing.assert_allclose(sound[kept], whole[kept], atol=0.02 if codec == "opus" else 1e-5)


def _lose(page: Page, lost: bool, how: str) -> bytes:
    raw = page.to_bytes()
    if not lost:
        return raw
    if how == "missing":
        return b""
    if how == "emptied":
        return bytes(len(raw))
    return raw[:40] + bytes([raw[40] ^ 0x55]) + raw[41:]


def test_a_page_that_is_there_twice_is_heard_once(tmp_path: Path, stream: tuple[str, list[Page]]) -> None:
    _, pages = stream
    whole, _ = read(tmp_path / "whole.ogg", to_bytes(pages))
    at = len(pages) // 2
    sound, audio = read(tmp_path / "twice.ogg", to_bytes([*pages[: at + 1], pages[at], *pages[at + 1 :]]))
    np.testing.assert_allclose(sound, whole, atol=2e-6)
    assert audio.notes == ["1 page(s) occur twice; each was read once"]


def test_pages_that_are_not_numbered_are_read_as_they_come(tmp_path: Path, stream: tuple[str, list[Page]]) -> None:
    _, pages = stream
    whole, _ = read(tmp_path / "whole.ogg", to_bytes(pages))
    sound, audio = read(tmp_path / "zero.ogg", to_bytes([replace(page, number=0) for page in pages]))
    np.testing.assert_allclose(sound, whole, atol=2e-6)
    assert audio.notes == []


@pytest.mark.parametrize("start", [48000 * 600, 2**40])
def test_a_stream_that_was_joined_late_begins_with_its_sound(
    tmp_path: Path, stream: tuple[str, list[Page]], start: int
) -> None:
    _, pages = stream
    whole, _ = read(tmp_path / "whole.ogg", to_bytes(pages))
    late = to_bytes(renumbered(pages, 5, start))
    sound, _ = read(tmp_path / "late.ogg", late)
    assert len(sound) == pytest.approx(len(whole), abs=1100)
    n = min(len(sound), len(whole))
    shift = len(sound) - len(whole)
    np.testing.assert_allclose(sound[shift:n] if shift > 0 else sound[:n], whole[: n - max(0, shift)], atol=2e-6)
    np.testing.assert_array_equal(read(tmp_path / "late.ogg", late, 1000)[0], sound)


def test_junk_between_pages_is_noted(tmp_path: Path, stream: tuple[str, list[Page]]) -> None:
    _, pages = stream
    whole, _ = read(tmp_path / "whole.ogg", to_bytes(pages))
    at = len(pages) // 2
    junk = np.random.default_rng(1).bytes(5000)
    sound, audio = read(tmp_path / "junk.ogg", to_bytes(pages[:at]) + junk + to_bytes(pages[at:]))
    np.testing.assert_allclose(sound, whole, atol=2e-6)
    assert audio.notes == ["5000 damaged bytes were left out"]


def test_a_stream_without_checksums_is_read(tmp_path: Path, stream: tuple[str, list[Page]]) -> None:
    _, pages = stream
    whole, _ = read(tmp_path / "whole.ogg", to_bytes(pages))
    data = b"".join((raw := page.to_bytes())[:22] + bytes(4) + raw[26:] for page in pages)
    np.testing.assert_allclose(read(tmp_path / "sums.ogg", data)[0], whole, atol=2e-6)


def test_two_streams_at_once_give_the_first(tmp_path: Path, stream: tuple[str, list[Page]]) -> None:
    _, pages = stream
    whole, _ = read(tmp_path / "whole.ogg", to_bytes(pages))
    other = renumbered(pages, 99)
    mixed = [pages[0], other[0], *(page for pair in zip(pages[1:], other[1:], strict=True) for page in pair)]
    sound, audio = read(tmp_path / "two.ogg", to_bytes(mixed))
    np.testing.assert_allclose(sound, whole, atol=2e-6)
    assert audio.notes == ["2 audio streams, of which number 1 is read"]
