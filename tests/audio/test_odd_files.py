"""Files that are not what they seem: tags around any sound, files joined together, hidden, encrypted and odd sound."""

from __future__ import annotations

import random
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sonovec.audio.checks import CLIPPED, LOUDEST, Checks
from sonovec.audio.decode import AudioReader, open_audio
from sonovec.audio.isolate import open_isolated
from sonovec.audio.limits import Allowance, memory_for, seconds_for
from sonovec.audio.stream import open_mono
from sonovec.errors import AudioError

Sound = NDArray[np.float32]
Encoded = Callable[[str], Path]


def read(path: Path, frames: int = 65536) -> tuple[Sound, AudioReader]:
    with open_audio(path) as audio:
        return np.concatenate(list(audio.blocks(frames))), audio


def refusal(path: Path) -> str:
    with pytest.raises(AudioError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Tags


def id3(size: int, *, footer: bool = False) -> bytes:
    """An ID3v2 tag with a cover of `size` bytes, among which frames of MPEG audio seem to begin."""
    picture = random.Random(0).randbytes(size)
    payload = b"\0image/jpeg\0\3\0" + picture
    frame = b"APIC" + struct.pack(">I", len(payload)) + b"\0\0" + payload
    length = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    end = b"3DI\4\0\x10" + length if footer else b""
    return b"ID3\4\0" + (b"\x10" if footer else b"\0") + length + frame + end


APE = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 1, 0x80000000) + bytes(8)
TAGS_BEHIND = {
    "ID3v1": b"TAG" + b"title".ljust(125, b"\0"),
    "APE": APE.replace(struct.pack("<I", 0x80000000), struct.pack("<I", 0xA0000000)) + bytes(1968) + APE,
    "APE and ID3v1": APE + bytes(1968) + APE + b"TAG" + bytes(125),
    "Lyrics3": b"LYRICSBEGIN" + b"x" * 500 + b"000511LYRICS200",
}
ENDINGS = ["wav", "flac", "ogg", "opus", "mp3", "aiff", "caf", "w64", "au", "m4a", "webm", "aac", "mp2", "mka", "wma"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("size", [10, 20_000, 1_500_000, 17_000_000])
def test_a_tag_before_any_sound_is_passed_over(encoded: Encoded, tmp_path: Path, ending: str, size: int) -> None:
    expected, _ = read(encoded(ending))
    path = tmp_path / "tagged"
    path.write_bytes(
        id3(size, footer=size == 20_000) + (id3(300) if size == 10 else b"") + encoded(ending).read_bytes()
    )
    sound, audio = read(path)
    np.testing.assert_array_equal(sound, expected)
    assert audio.notes == []
    with open_audio(path, start=1.5, end=2.0) as part:
        rate = audio.info.rate
        np.testing.assert_array_equal(np.concatenate(list(part.blocks())), expected[round(1.5 * rate) : 2 * rate])


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "aac", "mp2", "aiff", "ogg"])
@pytest.mark.parametrize("tag", TAGS_BEHIND)
def test_a_tag_behind_a_sound_is_no_damage(encoded: Encoded, tmp_path: Path, ending: str, tag: str) -> None:
    expected, _ = read(encoded(ending))
    path = tmp_path / "tagged"
    path.write_bytes(encoded(ending).read_bytes() + TAGS_BEHIND[tag])
    sound, audio = read(path)
    assert audio.notes == []
    np.testing.assert_array_equal(sound, expected)


# Joined files


EXACTLY = ["flac", "webm", "mka", "m4a", "mov", "wav", "aiff", "au", "ogg", "opus"]


@pytest.mark.parametrize("ending", EXACTLY)
def test_files_joined_together_are_read_to_the_end(encoded: Encoded, tmp_path: Path, ending: str) -> None:
    one, _ = read(encoded(ending))
    path = tmp_path / "joined"
    path.write_bytes(encoded(ending).read_bytes() * 2)
    sound, audio = read(path)
    np.testing.assert_allclose(sound, np.concatenate([one, one]), atol=2e-6)
    assert len(audio.notes) == 1 and "all of which are read" in audio.notes[0]


@pytest.mark.parametrize("ending", ["flac", "aac", "mp2", "mp3"])
def test_files_joined_with_their_tags_are_read_to_the_end(encoded: Encoded, tmp_path: Path, ending: str) -> None:
    one, _ = read(encoded(ending))
    path = tmp_path / "joined"
    path.write_bytes(2 * (id3(500) + encoded(ending).read_bytes()))
    sound, _ = read(path)
    assert abs(len(sound) - 2 * len(one)) <= (0 if ending == "flac" else 4000)
    part = one[20000:100000, 1]
    spectrum = np.fft.rfft(sound[:, 1]) * np.conj(np.fft.rfft(part, len(sound)))
    likeness = np.fft.irfft(spectrum, len(sound)) / (part**2).sum()
    first, second = likeness[: len(one)].argmax(), len(one) + likeness[len(one) :].argmax()
    assert likeness[first] > 0.95 and likeness[second] > 0.95, "it is heard twice"
    assert second - first == pytest.approx(len(one), abs=4000)


def test_flac_that_counts_too_little_is_read_to_the_end(encoded: Encoded, tmp_path: Path) -> None:
    data = bytearray(encoded("flac").read_bytes())
    whole, _ = read(encoded("flac"))
    for frames, note in ((0, False), (44100, True), (44100 * 3600, True)):
        fields = int.from_bytes(data[18:26], "big") >> 36 << 36 | frames
        data[18:26] = fields.to_bytes(8, "big")
        path = tmp_path / "x.flac"
        path.write_bytes(data)
        sound, audio = read(path)
        np.testing.assert_array_equal(sound, whole)
        assert bool(audio.notes) == note
        np.testing.assert_array_equal(read(path, 1001)[0], whole)


# Sound in disguise


def mux_packets(path: Path, container: str, codec: str, sound: Sound, rate: int, **options: str) -> None:
    layout = {1: "mono", 2: "stereo"}[sound.shape[1]]
    with av.open(str(path), "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        context = stream.codec_context
        resampler = av.AudioResampler(
            format=context.format, layout=layout, rate=rate, frame_size=context.frame_size or 1536
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound).reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))


def burst(seconds: float, at: float, rate: int, channels: int) -> Sound:
    time = np.arange(int(seconds * rate)) / rate
    mono = np.where((time >= at) & (time < at + 0.05), 0.5 * np.sin(2 * np.pi * 1000 * time), 0.0)
    return np.repeat(mono[:, None], channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("silence", [0, 500])
def test_a_stream_for_an_amplifier_inside_a_wav_is_decoded(tmp_path: Path, silence: int) -> None:
    mux_packets(tmp_path / "x.spdif", "spdif", "ac3", burst(3, 1.3, 48000, 2), 48000)
    soundfile.write(tmp_path / "x.wav", np.zeros((silence, 2)), 48000)
    samples = np.frombuffer((tmp_path / "x.spdif").read_bytes(), "<i2")
    with soundfile.SoundFile(tmp_path / "x.wav", "w", 48000, 2, "PCM_16") as file:
        file.write(np.zeros((silence, 2), np.int16))
        file.write(samples[: len(samples) // 2 * 2].reshape(-1, 2))
    sound, audio = read(tmp_path / "x.wav")
    assert audio.info.codec == "ac3"
    loud = np.flatnonzero(np.abs(sound[:, 0]) > 0.2)
    assert loud[0] / 48000 == pytest.approx(1.3, abs=0.02) and np.abs(sound).max() < 0.7


def test_a_mark_of_such_a_stream_in_real_samples_changes_nothing(tmp_path: Path) -> None:
    samples = (np.random.default_rng(2).standard_normal(20000) * 5000).astype(np.int16)
    samples[100:102] = np.frombuffer(bytes.fromhex("fe7f0180"), "<i2")
    soundfile.write(tmp_path / "x.wav", samples, 44100)
    sound, audio = read(tmp_path / "x.wav")
    assert audio.info.codec == "PCM_16"
    np.testing.assert_array_equal(sound[:, 0], samples / np.float32(32768))


def test_mpeg_of_free_format(tmp_path: Path) -> None:
    """Frames of 48 kHz and 320 kbit/s are equally long; without their bit rate they are of free format."""
    sound = burst(4, 1.3, 48000, 1)
    with av.open(
        str(tmp_path / "x.mp3"), "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}
    ) as output:
        stream = output.add_stream("mp3", rate=48000, layout="mono", options={"b": "320000", "reservoir": "0"})
        stream.bit_rate = 320000
        frame = av.AudioFrame.from_ndarray(sound.T.copy(), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        for part in [frame, None]:
            output.mux(stream.encode(part))
    data = bytearray((tmp_path / "x.mp3").read_bytes())
    assert data[2] >> 4 == 14
    for at in range(0, len(data) - 3, 960):
        assert data[at] == 0xFF
        data[at + 2] &= 0x0F
    (tmp_path / "free.mp3").write_bytes(data)
    for path, prefix in ((tmp_path / "free.mp3", b""), (tmp_path / "tagged.mp3", id3(2000))):
        path.write_bytes(prefix + bytes(data))
        decoded, audio = read(path)
        assert audio.info.rate == 48000 and len(decoded) == pytest.approx(4 * 48000, abs=3000)
        assert np.flatnonzero(np.abs(decoded) > 0.2)[0] / 48000 == pytest.approx(1.3, abs=0.03)


@pytest.mark.parametrize("codec", ["aac", "flac", "libopus"])
def test_encrypted_sound_is_refused_as_encrypted(tmp_path: Path, codec: str) -> None:
    mux_packets(
        tmp_path / "x.mp4",
        "mp4",
        codec,
        burst(4, 1.3, 48000, 2),
        48000,
        encryption_scheme="cenc-aes-ctr",
        encryption_key="76a6c65c5ea762046bd749a2e632ccbb",
        encryption_kid="a7e61c373e219033c21091fa607bf3b8",
    )
    assert refusal(tmp_path / "x.mp4").endswith("its sound is encrypted; give a file without copy protection")


def test_the_next_track_is_taken_where_the_first_does_not_decode(tmp_path: Path) -> None:
    """The codec of the first is given a name that nobody knows."""
    sound = burst(3, 1.3, 48000, 1)
    path = tmp_path / "two.mka"
    with av.open(str(path), "w", format="matroska") as output:
        tracks = [output.add_stream(codec, rate=48000, layout="mono") for codec in ("flac", "pcm_s16le")]
        for track in tracks:
            frame = av.AudioFrame.from_ndarray((sound.T * 32767).astype(np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, 0
            output.mux(track.encode(frame))
            output.mux(track.encode(None))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"A_FLAC", b"A_FOOO"))
    decoded, audio = read(path)
    np.testing.assert_allclose(decoded, sound, atol=1e-4)
    assert audio.notes == [
        "2 audio streams, of which number 2 is read; 1 before it cannot be decoded: "
        "no decoder for its codec (one that FFmpeg does not know)"
    ]
    path.write_bytes(data.replace(b"A_FLAC", b"A_FOOO").replace(b"A_PCM/INT/LIT", b"A_FOOOOOOOOOO"))
    assert "no decoder for its codec" in refusal(path)


@pytest.mark.parametrize(
    "tag", [*range(0, 400, 7), 0x0003, 0x0092, 0x2000, 0x2001, 0x674F, 0xA109, 0xF1AC, 0xFFFE, 0xFFFF]
)
@pytest.mark.parametrize("bits", [4, 8, 16, 64])
def test_no_format_tag_of_wav_does_more_than_refuse(tmp_path: Path, tag: int, bits: int) -> None:
    samples = np.random.default_rng(tag).integers(0, 255, 9000, np.uint8).tobytes()
    fmt = struct.pack("<HHIIHHH", tag, 1, 8000, 8000 * bits // 8, max(1, bits // 8), bits, 0)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(samples)) + samples
    path = tmp_path / "x.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    try:
        sound, _ = read(path)
    except AudioError as error:
        assert "\n" not in str(error) and ";" in str(error)
    else:
        assert np.isfinite(sound).all()


def test_whole_numbers_of_64_bits(tmp_path: Path) -> None:
    sound = burst(1, 0.5, 8000, 1)
    mux_packets(tmp_path / "x.wav", "wav", "pcm_s64le", sound, 8000)
    np.testing.assert_allclose(read(tmp_path / "x.wav")[0], sound, atol=1e-6)


@pytest.mark.parametrize(
    "chunks",
    [
        bytes(4 << 20),
        b"aaaa\0\0\0\0" * (1 << 19),
        b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + bytes(4 << 20),
        b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"aaaa\0\0\0\0" * (1 << 19),
    ],
    ids=["zeros", "empty chunks", "zeros behind the format", "empty chunks behind the format"],
)
def test_a_wav_without_sound_takes_no_time(tmp_path: Path, chunks: bytes) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + chunks)
    began = time.thread_time()
    assert "looks like wav" in refusal(path)
    assert time.thread_time() - began < 1, "grows with the file"


@pytest.mark.parametrize("rate", [1, 99])
def test_a_rate_that_no_sound_has_is_refused(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(100), rate)
    assert f"{rate} samples a second is not a supported rate" in refusal(tmp_path / "x.wav")


def test_no_header_of_adx_ends_the_process(tmp_path: Path) -> None:
    """In a child, for FFmpeg divides by zero over some."""
    mux_packets(tmp_path / "x.adx", "adx", "adpcm_adx", burst(1, 0.5, 16000, 2), 16000)
    good = (tmp_path / "x.adx").read_bytes()
    for at in range(12):
        for value in (0, 1, 0x7F, 0x80, 0xFF):
            (tmp_path / "x.adx").write_bytes(good[:at] + bytes([value]) + good[at + 1 :])
            try:
                reader = open_isolated(tmp_path / "x.adx")
                assert sum(map(len, reader.blocks()))
                reader.close()
            except AudioError as error:
                assert "crashed" not in str(error), (at, value)


def test_a_file_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 59.0, 60.0, 63.0])
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    allowance = Allowance("a.ogg", 20_000)
    with allowance.spend():
        pass
    with pytest.raises(AudioError, match=r"a\.ogg: its 20000 bytes took over 61 s to decode"), allowance.spend():
        pass
    assert seconds_for(10**9) > 10**4 and memory_for(10**6) > 10**9


# More than 4 GiB


@pytest.mark.slow
@pytest.mark.parametrize("how", ["all ones", "zero", "wrapped", "half", "RF64", "BW64", "RF64 without its size", "W64"])
def test_more_than_four_gibibytes(tmp_path: Path, how: str) -> None:
    """A sparse file, of which the disk holds a few blocks."""
    fmt = struct.pack("<HHIIHH", 1, 2, 96000, 96000 * 4, 4, 16)
    n = (1 << 32) + 4 * 100_000
    sizes = {"all ones": 0xFFFFFFFF, "zero": 0, "wrapped": n % (1 << 32), "half": 0x7FFFF000}
    chunk = b"fmt " + struct.pack("<I", 16) + fmt
    if how in sizes:
        head = b"RIFF" + struct.pack("<I", sizes[how]) + b"WAVE" + chunk + b"data" + struct.pack("<I", sizes[how])
    elif how == "W64":
        tail = bytes.fromhex("f3acd3118cd100c04f8edb8a")
        head = bytes.fromhex("726966662e91cf11a5d628db04c10000") + struct.pack("<Q", n + 104) + b"wave" + tail
        head += b"fmt " + tail + struct.pack("<Q", 40) + fmt + b"data" + tail + struct.pack("<Q", 24 + n)
    else:
        large = 0 if "without" in how else n
        ds64 = b"ds64" + struct.pack("<IQQQI", 28, large + 80 if large else 0, large, large // 4, 0)
        head = how[:4].encode() + b"\xff\xff\xff\xffWAVE" + ds64 + chunk + b"data\xff\xff\xff\xff"
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + n)
        file.seek(len(head) + n - 4000)
        file.write(np.full(2000, 8000, "<i2").tobytes())
    with open_audio(path, start=(n // 4 - 3000) / 96000) as audio:
        sound = np.concatenate(list(audio.blocks()))
    assert audio.notes == []
    assert len(sound) == 3000
    assert not sound[:2000].any() and (sound[2000:] == np.float32(8000 / 32768)).all()


# Odd samples


def test_channels_that_cancel_are_noted_and_not_mixed(tmp_path: Path) -> None:
    left = burst(3, 1.3, 8000, 1)[:, 0] + 0.01 * np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    both = np.stack([left, -left + 1e-4], axis=1)
    soundfile.write(tmp_path / "x.wav", both, 8000)
    sound, audio = read(tmp_path / "x.wav")
    assert sound.shape == (24000, 2)
    (note,) = audio.notes
    assert note.startswith("the channels cancel each other out from 0.00 to 3.00 s (one is inverted); mixed to one")
    for frames in (65536, 777):
        with open_mono(tmp_path / "x.wav", None) as stream:
            mono = np.concatenate(list(stream.blocks(frames)))
        np.testing.assert_array_equal(mono, sound[:, 0])
        assert stream.notes == audio.notes


def test_channels_that_cancel_for_a_while_are_mixed_for_the_rest(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    left = rng.uniform(-0.5, 0.5, 5 * 8000).astype(np.float32)
    right = rng.uniform(-0.5, 0.5, 5 * 8000).astype(np.float32)
    right[8000:24000] = -left[8000:24000]
    soundfile.write(tmp_path / "x.wav", np.stack([left, right], axis=1), 8000, subtype="FLOAT")
    with open_mono(tmp_path / "x.wav", None) as stream:
        mono = np.concatenate(list(stream.blocks()))
    expected = np.where((np.arange(40000) >= 8000) & (np.arange(40000) < 24000), left, left / 2 + right / 2)
    np.testing.assert_allclose(mono, expected, atol=1e-7)
    assert "from 1.00 to 3.00 s" in stream.notes[0]


@pytest.mark.parametrize("channels", [2, 3, 6, 32])
def test_channels_that_are_merely_unlike_are_mixed(channels: int) -> None:
    checks = Checks(channels, 8000)
    checks.clean(np.random.default_rng(channels).uniform(-0.5, 0.5, (16000, channels)).astype(np.float32))
    assert checks.notes() == []


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda x: x, None),
        (lambda x: x * 0, None),
        (lambda x: x * 4, None),  # too loud, as after an effect; 3 % of the samples are beyond full scale
        (lambda x: x * 32768, "samples reach "),
        (lambda x: np.clip(x * 16, -1, 1), "of the samples are at full scale: the sound is clipped"),
        (lambda x: x / 8 + 0.2, "the samples lie around 0.20 instead of 0"),
        (lambda x: x + 0.01, None),
    ],
)
@pytest.mark.parametrize("block", [1000, 8000, 100_000])
def test_samples_that_are_odd_are_noted(change: Callable[[Sound], Sound], note: str | None, block: int) -> None:
    rng = np.random.default_rng(4)
    sound = change((rng.standard_normal((40000, 1)) * 0.11).astype(np.float32)).astype(np.float32)
    checks = Checks(1, 8000)
    for first in range(0, len(sound), block):
        checks.clean(sound[first : first + block].copy())
    notes = checks.notes()
    assert (notes == []) if note is None else (len(notes) == 1 and note in notes[0]), notes
    assert LOUDEST > 1 > CLIPPED


def test_a_channel_without_numbers_is_named(tmp_path: Path) -> None:
    sound = np.stack([burst(1, 0.5, 8000, 1)[:, 0], np.full(8000, np.nan)], axis=1)
    soundfile.write(tmp_path / "x.wav", sound, 8000, subtype="FLOAT")
    decoded, audio = read(tmp_path / "x.wav")
    assert audio.notes == ["channel 2 of 2 has no sample that is a number and counts as silence"]
    np.testing.assert_array_equal(decoded, np.nan_to_num(sound.astype(np.float32)))


# Other files


PLAYLISTS = {
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n",
    "HLS, encrypted": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"
    '#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:4,\nx.ts\n#EXT-X-ENDLIST\n',
    "M3U": "#EXTM3U\n#EXTINF:3,sound\n{url}\n",
    "PLS": "[playlist]\nFile1={url}\nNumberOfEntries=1\nVersion=2\n",
    "concat": "ffconcat version 1.0\nfile '{url}'\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT3S">'
    '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{url}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{url}\nm=audio 5004 RTP/AVP 0\n",
    "ASX": '<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
    "SMIL": '<smil><body><audio src="{url}"/></body></smil>',
    "RTSP": "RTSPtext\n[Reference]\nRef1={url}\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("tagged", [False, True])
def test_a_playlist_opens_nothing(encoded: Encoded, tmp_path: Path, kind: str, tagged: bool) -> None:
    """Neither a file beside it, nor one on a server."""
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    (tmp_path / "sound.wav").write_bytes(encoded("wav").read_bytes())
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for url in ("sound.wav", str(tmp_path / "sound.wav"), f"http://127.0.0.1:{server.server_port}/sound.wav"):
            path = tmp_path / "list"
            path.write_bytes((id3(100) if tagged else b"") + PLAYLISTS[kind].format(url=url).encode())
            refusal(path)
        server.shutdown()
    assert asked == []
