"""The times that containers give: gaps and late beginnings become silence, and times that are wrong do no harm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sonovec.audio.decode import AudioReader, open_audio
from sonovec.audio.timeline import JITTER, Timeline

Sound = NDArray[np.float32]
RATE = 48000
BURSTS = (1.3, 5.3, 7.3)

#: What keeps times, and codecs that go into it.
TIMED = [
    ("webm", "libopus"),
    ("matroska", "aac"),
    ("matroska", "flac"),
    ("matroska", "mp3"),
    ("matroska", "pcm_s16le"),
    ("mp4", "aac"),
    ("mp4", "libopus"),
    ("mp4", "flac"),
    ("mov", "aac"),
    ("mpegts", "aac"),
    ("mpegts", "mp2"),
    ("mpegts", "libopus"),
    ("vob", "mp2"),
    ("flv", "aac"),
    ("asf", "wmav2"),
    ("nut", "aac"),
]


def bursts_of(seconds: float, places: Iterable[float] = BURSTS) -> Sound:
    """Quiet noise with bursts of 1 kHz, 50 ms long, mono."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound = 0.003 * np.random.default_rng(3).standard_normal(len(time))
    for place in places:
        inside = (time >= place) & (time < place + 0.05)
        sound[inside] += 0.5 * np.sin(2 * np.pi * 1000 * time[inside])
    return sound.astype(np.float32)


def places(sound: Sound, rate: int = RATE) -> list[float]:
    """Where bursts begin, in seconds."""
    loud = np.abs(sound) > 0.15
    starts = np.flatnonzero(loud)
    return [float(at / rate) for at in starts[np.diff(starts, prepend=-rate) > rate // 5]]


def packets_of(codec: str, sound: Sound) -> tuple[list[av.Packet], av.AudioCodecContext, Fraction]:
    """Encode, with times in samples."""
    context = av.CodecContext.create(codec, "w")
    context.rate, context.layout = RATE, "mono"
    context.format = {"libopus": "s16", "flac": "s16", "mp3": "fltp", "mp2": "s16", "pcm_s16le": "s16"}.get(
        codec, "fltp"
    )
    context.time_base = Fraction(1, RATE)
    if codec == "wmav2":
        context.bit_rate = 96000
    context.flags |= av.codec.context.Flags.global_header
    context.open()
    resampler = av.AudioResampler(
        format=context.format, layout="mono", rate=RATE, frame_size=context.frame_size or 1024
    )
    frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    packets = []
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        packets += context.encode(part)
    return [*packets, *context.encode(None)], context, Fraction(1, RATE)


def mux(
    path: Path,
    container: str,
    codec: str,
    sound: Sound,
    change: Callable[[float], float | None],
    film: float = 0.0,
) -> None:
    """Put packets into a container at times that `change` makes of their own, None for none; a film has a picture first."""
    packets, context, base = packets_of(codec, sound)
    with av.open(str(path), "w", format=container) as output:
        video = None
        if film:
            video = output.add_stream({"flv": "flv", "vob": "mpeg2video"}.get(container, "mpeg4"), rate=25)
            video.width = video.height = 16
            video.pix_fmt = "yuv420p"
        stream = output.add_stream(codec, rate=RATE, layout="mono")
        if codec == "wmav2":
            stream.bit_rate = 96000
        stream.codec_context.extradata = context.extradata
        if video is not None:
            for _ in range(int(film * 25)):
                picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
                output.mux(video.encode(picture))
            output.mux(video.encode(None))
        for packet in packets:
            begins = change(float(packet.pts * base))
            if begins is None:
                continue
            packet.stream = stream
            packet.time_base = base
            packet.pts = packet.dts = round(begins * RATE)
            output.mux(packet)


def read(path: Path, frames: int = 65536) -> tuple[Sound, AudioReader]:
    with open_audio(path) as audio:
        return np.concatenate(list(audio.blocks(frames)))[:, 0], audio


@pytest.mark.parametrize(("container", "codec"), TIMED, ids=lambda value: value)
def test_what_follows_a_gap_keeps_its_place(tmp_path: Path, container: str, codec: str) -> None:
    path = tmp_path / "gap"
    mux(path, container, codec, bursts_of(10), lambda t: None if 3 <= t < 5 else t)
    sound, audio = read(path)
    assert places(sound, audio.info.rate) == pytest.approx(BURSTS, abs=0.05 if container == "asf" else 0.03)
    assert len(sound) / audio.info.rate == pytest.approx(10, abs=0.15)
    (note,) = audio.notes
    assert note.startswith(("no sound is stored from 3.0", "no sound is stored from 2.9"))
    quiet = sound[int(3.2 * audio.info.rate) : int(4.8 * audio.info.rate)]
    assert not quiet.any()
    np.testing.assert_array_equal(read(path, 1000)[0], sound)


@pytest.mark.parametrize(("container", "codec"), [pair for pair in TIMED if pair[0] not in ("webm", "nut")])
def test_sound_that_begins_late_in_a_film_keeps_its_place(tmp_path: Path, container: str, codec: str) -> None:
    path = tmp_path / "film"
    mux(path, container, codec, bursts_of(8), lambda t: t + 2, film=10)
    sound, audio = read(path)
    # FFmpeg's decoder of WMA gives its first frames late.
    near = 0.1 if container == "asf" else 0.06
    assert places(sound, audio.info.rate) == pytest.approx([place + 2 for place in BURSTS], abs=near)
    assert any(note.startswith("the sound begins at ") for note in audio.notes)


@pytest.mark.parametrize(("container", "codec"), TIMED, ids=lambda value: value)
def test_times_without_a_gap_leave_no_note(tmp_path: Path, container: str, codec: str) -> None:
    path = tmp_path / "whole"
    mux(path, container, codec, bursts_of(8), lambda t: t)
    sound, audio = read(path)
    assert audio.notes == []
    assert places(sound, audio.info.rate) == pytest.approx(BURSTS, abs=0.05)


def wavering(seed: int, seconds: float) -> Callable[[float], float]:
    rng = np.random.default_rng(seed)
    return lambda t: max(0.0, t + rng.uniform(0, seconds))


WRONG: dict[str, Callable[[float], float]] = {
    "one time far ahead": lambda t: t + 40 if 3.0 <= t < 3.02 else t,
    "one time behind": lambda t: 0.5 if 3.0 <= t < 3.02 else t,
    "times waver": wavering(1, 0.03),
    "times begin again": lambda t: t if t < 3 else t - 3,
    "times jump by a day": lambda t: t if t < 3 else t + 95443,
    "times are too slow": lambda t: 0.98 * t,
}


@pytest.mark.parametrize("fault", WRONG)
def test_times_that_are_wrong_move_nothing(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "wrong"
    packets = sorted_mux(path, bursts_of(8), WRONG[fault])
    assert packets > 300
    sound, _ = read(path)
    assert places(sound) == pytest.approx(BURSTS, abs=0.03)
    assert len(sound) == pytest.approx(8 * RATE, abs=3000)


def sorted_mux(path: Path, sound: Sound, change: Callable[[float], float]) -> int:
    """A WebM by hand, as muxers refuse times that fall back: clusters of one packet each."""
    packets, context, base = packets_of("libopus", sound)
    path.write_bytes(webm(bytes(context.extradata), [(change(float(p.pts * base)), bytes(p)) for p in packets]))
    return len(packets)


def element(name: str, content: bytes) -> bytes:
    """An element of EBML, with a size of eight bytes."""
    return bytes.fromhex(name) + (len(content) | 1 << 56).to_bytes(8, "big") + content


def webm(head: bytes, packets: list[tuple[float, bytes]]) -> bytes:
    def number(name: str, value: int) -> bytes:
        return element(name, value.to_bytes(8, "big"))

    audio = element("e1", element("b5", np.float64(RATE).byteswap().tobytes()) + number("9f", 1))
    track = number("d7", 1) + number("73c5", 1) + number("83", 2) + element("86", b"A_OPUS") + audio
    track += element("63a2", head)
    clusters = b"".join(
        element("1f43b675", number("e7", max(0, round(begins * 1000))) + element("a3", b"\x81\x00\x00\x80" + data))
        for begins, data in packets
    )
    info = element("1549a966", number("2ad7b1", 1_000_000))
    segment = element("18538067", info + element("1654ae6b", element("ae", track)) + clusters)
    return element("1a45dfa3", element("4282", b"webm")) + segment


def test_many_small_gaps_are_one_note(tmp_path: Path) -> None:
    """As where nothing is sent while nobody speaks."""
    path = tmp_path / "pauses.webm"
    mux(
        path,
        "webm",
        "libopus",
        bursts_of(10),
        lambda t: None if 0.2 <= t % 1 < 0.8 and int(t * 10) not in (13, 53, 73) else t,
    )
    sound, audio = read(path)
    assert len(audio.notes) == 1 and audio.notes[0].startswith("no sound is stored at ")
    assert len(sound) == pytest.approx(10 * RATE, abs=0.1 * RATE)


def test_a_recording_of_a_live_stream_begins_with_its_sound(tmp_path: Path) -> None:
    for container, codec in (("mpegts", "aac"), ("matroska", "aac")):
        path = tmp_path / f"live.{container}"
        mux(path, container, codec, bursts_of(8), lambda t: t + 36_000)
        sound, audio = read(path)
        assert places(sound) == pytest.approx(BURSTS, abs=0.05)
        assert audio.notes == []


def test_a_range_counts_in_the_time_of_the_film(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    mux(path, "mp4", "aac", bursts_of(8), lambda t: t + 2, film=10)
    whole, _ = read(path)
    with open_audio(path, start=9.2, end=9.5) as audio:
        part = np.concatenate(list(audio.blocks()))[:, 0]
    np.testing.assert_array_equal(part, whole[round(9.2 * RATE) : round(9.5 * RATE)])
    assert places(part) == pytest.approx([0.1], abs=0.03)


@given(
    lengths=st.lists(st.floats(0.001, 0.1), min_size=2, max_size=60),
    gaps=st.lists(st.one_of(st.just(0.0), st.floats(0.2, 5)), min_size=60, max_size=60),
    jitter=st.lists(st.floats(-0.02, 0.02), min_size=60, max_size=60),
)
def test_true_gaps_are_found_whatever_the_jitter(lengths: list[float], gaps: list[float], jitter: list[float]) -> None:
    begins, at = [], 0.0
    for length, gap in zip(lengths, gaps, strict=False):
        at += gap
        begins.append(at)
        at += length
    told = [max(0.0, b + j) for b, j in zip(begins, jitter, strict=False)]
    timeline = Timeline(longest=3600)
    for index, length in enumerate(lengths):
        following = told[index + 1] if index + 1 < len(told) else None
        gap = timeline.gap_before(told[index], length, following)
        assert gap >= 0
        assert abs(timeline.at - length - begins[index]) <= JITTER + 0.02


@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(allow_nan=False)), st.floats(0, 1)), max_size=40))
def test_no_time_of_any_kind_takes_sound_away(pieces: list[tuple[float | None, float]]) -> None:
    timeline = Timeline(longest=100)
    before = 0.0
    for index, (begins, length) in enumerate(pieces):
        following = pieces[index + 1][0] if index + 1 < len(pieces) else None
        gap = timeline.gap_before(begins, length, following)
        assert 0 <= gap <= 100
        assert timeline.at == pytest.approx(before + gap + length)
        before = timeline.at
    assert all(isinstance(note, str) for note in timeline.notes())
