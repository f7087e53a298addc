"""Decoding: every format, every lie of a header, every bad input, through real decoders."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sonovec.audio.decode import AudioReader, open_audio
from sonovec.errors import AudioError, UsageError

Sound = NDArray[np.float32]
Encoded = Callable[[str], Path]

PCM = ("wav", "aiff", "caf", "w64", "au", "rf64", "flac")
GAPLESS = (*PCM, "ogg", "opus", "mp3", "mov", "mka", "webm")
PADDED = ("m4a", "mp4", "wma", "aac", "mp2")


@pytest.fixture(autouse=True)
def silence(capfd: pytest.CaptureFixture[str]):
    """No decoder writes to the terminal, and NumPy does not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    assert capfd.readouterr() == ("", "")


def read(path: str | bytes | os.PathLike[str], frames: int = 65536, **range_: float) -> tuple[Sound, AudioReader]:
    with open_audio(path, **range_) as audio:
        sound = np.concatenate(list(audio.blocks(frames)))
    assert audio.position == len(sound)
    assert sound.dtype == np.float32
    return sound, audio


def refusal(path: str | bytes | os.PathLike[str], **range_: float) -> str:
    with pytest.raises(AudioError) as caught:
        read(path, **range_)
    message = str(caught.value)
    assert "\n" not in message
    assert Path(os.fsdecode(path)).name in message
    assert ";" in message, "no remedy"
    return message


def similarity(a: Sound, b: Sound) -> float:
    n = min(len(a), len(b))
    return float((a[:n] * b[:n]).sum() / np.sqrt((a[:n] ** 2).sum() * (b[:n] ** 2).sum()))


@pytest.mark.parametrize("ending", GAPLESS)
def test_gapless_formats_give_exactly_the_samples_that_went_in(encoded: Encoded, sound: Sound, ending: str) -> None:
    decoded, audio = read(encoded(ending))
    assert decoded.shape == sound.shape
    assert similarity(decoded, sound) > (0.9999 if ending in (*PCM, "mov", "mka") else 0.99)
    assert audio.notes == []


@pytest.mark.parametrize("ending", PADDED)
def test_padded_formats_give_at_least_the_samples_that_went_in(encoded: Encoded, sound: Sound, ending: str) -> None:
    decoded, audio = read(encoded(ending))
    # The encoder of WMA leaves out the last frame that is not full.
    assert len(sound) - (2048 if ending == "wma" else 100) <= len(decoded) <= len(sound) + 8192
    assert audio.info.decoder == "FFmpeg"
    assert audio.notes == []


@pytest.mark.parametrize("ending", ["wav", "flac", "m4a", "mp3", "ogg"])
@pytest.mark.parametrize("frames", [1000, 4099, 1_000_000])
def test_blocks_of_any_size_give_the_same_samples(encoded: Encoded, ending: str, frames: int) -> None:
    whole, _ = read(encoded(ending))
    with open_audio(encoded(ending)) as audio:
        blocks = list(audio.blocks(frames))
    assert all(len(block) == frames for block in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize(("content", "name"), [("wav", "x.mp3"), ("m4a", "x.wav"), ("mp3", "x.flac"), ("flac", "x")])
def test_the_name_does_not_choose_the_decoder(encoded: Encoded, tmp_path: Path, content: str, name: str) -> None:
    (tmp_path / name).write_bytes(encoded(content).read_bytes())
    np.testing.assert_array_equal(read(tmp_path / name)[0], read(encoded(content))[0])


@pytest.mark.parametrize("ending", [*GAPLESS, "m4a", "wma"])
def test_a_range_is_exact_to_the_sample(encoded: Encoded, ending: str) -> None:
    whole, audio = read(encoded(ending))
    rate = audio.info.rate
    part, _ = read(encoded(ending), frames=5000, start=1.2345, end=2.5)
    np.testing.assert_array_equal(part, whole[round(1.2345 * rate) : round(2.5 * rate)])
    rest, audio = read(encoded(ending), start=2.7)
    np.testing.assert_array_equal(rest, whole[round(2.7 * rate) :])
    assert audio.notes == []


def test_an_end_behind_the_end_gives_what_there_is(encoded: Encoded, sound: Sound) -> None:
    assert len(read(encoded("wav"), end=99)[0]) == len(sound)


@pytest.mark.parametrize(
    ("range_", "words"),
    [
        ({"start": -1}, "start=-1 must be 0 or more"),
        ({"start": float("nan")}, "start=nan"),
        ({"start": 2, "end": 2}, "end=2 must be more seconds than start=2"),
        ({"start": 3.5}, "start=3.5 is not before the end"),
        ({"start": 3600}, "start=3600 is not before the end"),
    ],
)
@pytest.mark.parametrize("ending", ["wav", "mp3"])
def test_a_bad_range_is_a_usage_error(encoded: Encoded, ending: str, range_: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read(encoded(ending), **range_)


def test_blocks_need_a_size(encoded: Encoded) -> None:
    with open_audio(encoded("wav")) as audio, pytest.raises(UsageError, match="frames=0"):
        next(audio.blocks(0))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "MS_ADPCM"])
def test_all_encodings_of_wav(tmp_path: Path, sound: Sound, subtype: str) -> None:
    soundfile.write(tmp_path / "x.wav", sound, 22050, subtype=subtype)
    decoded, audio = read(tmp_path / "x.wav")
    assert audio.info.codec == subtype
    assert similarity(decoded, sound) > 0.99
    assert audio.notes == []
    part, _ = read(tmp_path / "x.wav", start=1.0, end=1.5)
    np.testing.assert_array_equal(part, decoded[22050:33075])


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "alac"])
def test_all_sample_types_of_ffmpeg_have_one_scale(tmp_path: Path, sound: Sound, encode_as, codec: str) -> None:
    path = tmp_path / "x.mov"
    encode_as(path, sound, 44100, "mov", codec)
    decoded, audio = read(path)
    assert audio.info.decoder == "FFmpeg"
    np.testing.assert_allclose(decoded, sound, atol=0.01 if codec == "pcm_u8" else 4e-5)


@pytest.mark.parametrize("channels", [8, 16])
def test_many_channels_at_96_khz(tmp_path: Path, channels: int) -> None:
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, (30000, channels)).astype(np.float32)
    soundfile.write(tmp_path / "x.wav", sound, 96000, subtype="FLOAT")
    np.testing.assert_array_equal(read(tmp_path / "x.wav")[0], sound)


@pytest.mark.parametrize(
    ("container", "codec", "channels"),
    [("matroska", "flac", 8), ("ipod", "aac", 8), ("matroska", "libopus", 8), ("matroska", "pcm_s16le", 16)],
)
def test_many_channels_through_ffmpeg(tmp_path: Path, encode_as, container: str, codec: str, channels: int) -> None:
    gains = np.arange(1, channels + 1) / (2 * channels)
    sound = (gains * np.sin(np.arange(96000) / 10)[:, None]).astype(np.float32)
    encode_as(tmp_path / "x", sound, 48000, container, codec)
    decoded, audio = read(tmp_path / "x")
    assert (audio.info.decoder, audio.info.channels) == ("FFmpeg", channels)
    assert audio.notes == []
    loud = np.abs(decoded[10000:80000]).max(axis=0)
    full = np.arange(channels) != 3 if codec in ("aac", "libopus") else np.full(channels, True)  # 3 is for low tones
    np.testing.assert_allclose(loud[full], gains[full], rtol=0.2)


@pytest.mark.parametrize("ending", ["wav", "flac", "aiff", "ogg"])
def test_one_sample(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    soundfile.write(path, np.array([0.25]), 16000)
    assert read(path)[0].shape == (1, 1)


def test_opus_in_webm_and_in_ogg_are_the_same_sound(encoded: Encoded) -> None:
    ogg, webm = read(encoded("opus"))[0], read(encoded("webm"))[0]
    # Different encoders, so not the same samples; FFmpeg's own Opus decoder would not come near.
    assert similarity(ogg, webm) > 0.98


# Damage


CUT = [*(set(GAPLESS) - {"mov"}), "wma", "mp2", "aac"]


@pytest.mark.parametrize("ending", sorted(CUT))
def test_what_is_cut_off_keeps_what_decodes_and_says_so(encoded: Encoded, tmp_path: Path, ending: str) -> None:
    data = encoded(ending).read_bytes()
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(data[: len(data) * 6 // 10])
    whole, _ = read(encoded(ending))
    decoded, audio = read(path)
    assert 0.3 * len(whole) < len(decoded) < 0.7 * len(whole)
    assert similarity(decoded[:-5000], whole) > 0.99
    if ending != "mp2":  # it has no header and was cut between two frames
        assert audio.notes


@pytest.mark.parametrize("ending", ["m4a", "mov", "mp4"])
def test_what_lost_its_index_is_refused(encoded: Encoded, tmp_path: Path, ending: str) -> None:
    data = encoded(ending).read_bytes()
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(data[: len(data) * 6 // 10])
    assert "looks like mp4 but nothing of it decodes" in refusal(path)


@pytest.mark.parametrize("ending", ["mp3", "flac", "ogg", "opus", "m4a", "wma", "webm", "caf", "mka", "aac", "mp2"])
def test_a_beginning_alone_is_refused(encoded: Encoded, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"beginning.{ending}"
    path.write_bytes(encoded(ending).read_bytes()[:100])
    assert "decode" in refusal(path)


@pytest.mark.parametrize("ending", ["mp3", "flac", "ogg", "m4a", "aac"])
def test_noise_in_the_middle_costs_only_its_surroundings(encoded: Encoded, tmp_path: Path, ending: str) -> None:
    data = bytearray(encoded(ending).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1500] = np.random.default_rng(3).bytes(1500)
    path = tmp_path / f"noise.{ending}"
    path.write_bytes(data)
    whole, _ = read(encoded(ending))
    decoded, audio = read(path)
    assert len(decoded) > 0.6 * len(whole)
    assert audio.notes


@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), b"APETAGEX" + bytes(3000), bytes(20000), b"junk!" * 4000])
def test_mp3_with_something_behind_it(encoded: Encoded, tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(encoded("mp3").read_bytes() + tail)
    whole, _ = read(encoded("mp3"))
    decoded, _ = read(path)
    assert len(whole) <= len(decoded) <= len(whole) + 1152
    np.testing.assert_array_equal(decoded[: len(whole) - 2000], whole[:-2000])


def test_mp3_behind_a_tag(encoded: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x4e\x10" + bytes(10000) + encoded("mp3").read_bytes())
    decoded, audio = read(path)
    np.testing.assert_array_equal(decoded, read(encoded("mp3"))[0])
    assert audio.notes == []


def test_joined_mp3_files_are_read_to_the_end(encoded: Encoded, tmp_path: Path, sound: Sound) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(encoded("mp3").read_bytes() * 2)
    decoded, audio = read(path)
    assert len(decoded) >= 2 * len(sound)
    assert any("although the header says" in note for note in audio.notes)


def test_chained_ogg_is_read_to_the_end(tmp_path: Path, sound: Sound) -> None:
    data = b""
    for _ in range(2):  # each encoder run draws the number of its stream at random
        file = io.BytesIO()
        soundfile.write(file, sound, 44100, format="OGG", subtype="VORBIS")
        data += _with_serial(file.getvalue(), len(data) + 1)
    path = tmp_path / "radio.ogg"
    path.write_bytes(data)
    decoded, audio = read(path)
    assert audio.info.decoder == "FFmpeg"
    assert abs(len(decoded) - 2 * len(sound)) < 1024
    assert similarity(decoded[-44100:], sound[-44100:]) > 0.9


def _with_serial(data: bytes, serial: int) -> bytes:
    """Renumber the stream of all pages of an Ogg file."""
    table = []
    for value in range(256):
        register = value << 24
        for _ in range(8):
            register = (register << 1 ^ (0x04C11DB7 if register & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(register)
    out = bytearray()
    at = 0
    while at < len(data):
        segments = data[at + 26]
        size = 27 + segments + sum(data[at + 27 : at + 27 + segments])
        page = bytearray(data[at : at + size])
        page[14:18] = struct.pack("<I", serial)
        page[22:26] = bytes(4)
        crc = 0
        for byte in page:
            crc = (crc << 8 & 0xFFFFFFFF) ^ table[crc >> 24 ^ byte]
        page[22:26] = struct.pack("<I", crc)
        out += page
        at += size
    return bytes(out)


def test_a_change_of_rate_in_the_middle_is_converted_and_noted(tmp_path: Path, sound: Sound, encode_as) -> None:
    encode_as(tmp_path / "a.aac", sound, 44100, "adts", "aac")
    encode_as(tmp_path / "b.aac", sound[:22050, :1], 22050, "adts", "aac")
    path = tmp_path / "both.aac"
    path.write_bytes((tmp_path / "a.aac").read_bytes() + (tmp_path / "b.aac").read_bytes())
    decoded, audio = read(path)
    assert abs(len(decoded) - len(sound) - 44100) < 8192
    assert audio.notes == ["changes to 22050 Hz, 1 channel(s); converted to 44100 Hz, 2 channel(s)"]


# Headers that lie


def wav_with(data: bytes, size: int) -> bytes:
    at = data.index(b"data") + 4
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


@pytest.mark.parametrize(
    ("size", "frames", "note"),
    [
        (0, None, None),
        (0xFFFFFFFF, None, None),
        (0x7FFFFFFF, None, None),
        (0x7FFFF000, None, None),
        (3 * 4 * 132317, None, "decoded 3.00 s although the header says 9.00 s"),
        (4 * 44100, 44100, "the header counts 1.00 s of audio; "),
    ],
)
def test_wav_with_a_wrong_length(
    encoded: Encoded, tmp_path: Path, size: int, frames: int | None, note: str | None
) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav_with(encoded("wav").read_bytes(), size))
    decoded, audio = read(path)
    np.testing.assert_array_equal(decoded, read(encoded("wav"))[0][:frames])
    assert len(audio.notes) == (note is not None)
    assert note is None or audio.notes[0].startswith(note)


def test_a_range_says_nothing_of_the_length(encoded: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav_with(encoded("wav").read_bytes(), 3 * 4 * 132317))
    assert read(path, end=1.0)[1].notes == []
    assert read(path, start=1.0)[1].notes == ["decoded 3.00 s although the header says 9.00 s"]


@pytest.mark.parametrize("rate", [0, 0xFFFFFFFF])
def test_wav_with_an_impossible_rate_is_refused(encoded: Encoded, tmp_path: Path, rate: int) -> None:
    data = encoded("wav").read_bytes()
    path = tmp_path / "x.wav"
    path.write_bytes(data[:24] + struct.pack("<I", rate) + data[28:])
    assert "looks like wav but nothing of it decodes" in refusal(path)


def test_wav_without_channels_is_refused(encoded: Encoded, tmp_path: Path) -> None:
    data = encoded("wav").read_bytes()
    path = tmp_path / "x.wav"
    path.write_bytes(data[:22] + bytes(2) + data[24:])
    assert "looks like wav but nothing of it decodes" in refusal(path)


# Samples that are no numbers


def test_nan_and_infinity_become_zero_and_are_counted(tmp_path: Path, sound: Sound) -> None:
    bad = sound.copy()
    bad[100, 0], bad[70000, 1], bad[70001] = np.nan, np.inf, -np.inf
    soundfile.write(tmp_path / "x.wav", bad, 44100, subtype="FLOAT")
    decoded, audio = read(tmp_path / "x.wav")
    np.testing.assert_array_equal(decoded, np.where(np.isfinite(bad), bad, 0))
    assert audio.notes == ["4 sample(s) were NaN or infinite and were set to 0"]


def test_the_loudest_finite_samples_stay(tmp_path: Path) -> None:
    loud = np.full((1000, 2), np.finfo(np.float32).max)
    soundfile.write(tmp_path / "x.wav", loud, 44100, subtype="FLOAT")
    np.testing.assert_array_equal(read(tmp_path / "x.wav")[0], loud)


def test_nothing_but_nan_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.full((100, 2), np.nan), 44100, subtype="FLOAT")
    assert "all its samples are NaN or infinite" in refusal(tmp_path / "x.wav")


# Bad inputs


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file (0 bytes); copy or download it again"),
        (b"hello world\n", "not audio (begins with b'hello wo'); give a file that libsndfile or FFmpeg can decode"),
        (("\ufeff" + "hello world" * 100).encode("utf-16-le"), "not audio"),
        (b"\xff\xfb", "decode"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x10" + bytes(16), "decode"),
        (b"RIFF\x24\x00\x00\x00WAVE", "looks like wav but nothing of it decodes"),
        (bytes(10000), "not audio"),
        (np.random.default_rng(5).bytes(100_000), "not audio"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/etc/hostname\n#EXT-X-ENDLIST\n", "not audio"),
        (b"ffconcat version 1.0\nfile '/etc/hostname'\n", "not audio"),
        (b"%PDF-1.4\n%" + bytes(range(256)) * 20, "not audio"),
    ],
)
def test_what_is_not_audio_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "notes.wav"
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_playlist_reaches_no_other_file(encoded: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{encoded('aac')}\n#EXT-X-ENDLIST\n")
    refusal(path)


def test_no_samples_are_refused(tmp_path: Path) -> None:
    for ending in ("wav", "caf", "aiff"):
        soundfile.write(tmp_path / f"x.{ending}", np.zeros(0), 16000)
        assert "decode" in refusal(tmp_path / f"x.{ending}")


def test_a_picture_is_refused(tmp_path: Path) -> None:
    import av

    path = tmp_path / "picture.png"
    with av.open(str(path), "w", format="image2") as output:
        stream = output.add_stream("png", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb24"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")))
        output.mux(stream.encode(None))
    assert "no audio stream (png_pipe); give a file with sound in it" in refusal(path)


def test_a_film_gives_its_sound_and_a_silent_film_is_refused(tmp_path: Path, sound: Sound) -> None:
    import av

    for name, layouts in (("film.mp4", ["stereo"]), ("silent.mp4", []), ("dubbed.mp4", ["stereo", "mono"])):
        with av.open(str(tmp_path / name), "w") as output:
            video = output.add_stream("mpeg4", rate=10)
            video.width = video.height = 16
            video.pix_fmt = "yuv420p"
            tracks = [output.add_stream("aac", rate=44100, layout=layout) for layout in layouts]
            for _ in range(60):
                output.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")))
            output.mux(video.encode(None))
            for track in tracks:
                planes = np.ascontiguousarray(sound[:, : track.layout.nb_channels].T)
                frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=track.layout.name)
                frame.sample_rate, frame.pts = 44100, 0
                output.mux(track.encode(frame))
                output.mux(track.encode(None))
    decoded, audio = read(tmp_path / "film.mp4")
    assert similarity(decoded, sound) > 0.95
    assert audio.notes == []
    assert read(tmp_path / "dubbed.mp4")[1].notes == ["2 audio streams, of which number 1 is read"]
    assert "no audio stream" in refusal(tmp_path / "silent.mp4")


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: a folder; give the audio files in it"
    assert refusal(tmp_path / "gone.wav").endswith("gone.wav: no such file; check the path")
    (tmp_path / "file").touch()
    assert "no such file" in refusal(tmp_path / "file" / "x.wav")
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    assert "a link that leads to itself" in refusal(tmp_path / "loop.wav")
    assert "too long" in refusal(tmp_path / ("x" * 300))


def test_impossible_names_are_refused() -> None:
    for name in ("nul\0.wav", "half\ud800.wav"):
        with pytest.raises(AudioError, match="a file cannot have this name; check the path") as caught:
            open_audio(name)
        assert str(caught.value).isprintable()


@pytest.mark.skipif(os.name != "posix", reason="POSIX files")
def test_pipes_sockets_and_devices_do_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    server = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
    server.bind("socket.wav")
    for path in (tmp_path / "pipe.wav", tmp_path / "socket.wav", Path("/dev/zero"), Path("/dev/null")):
        assert "a pipe, socket or device; write its audio to a file and give that" in refusal(path)
    server.close()


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_an_unreadable_file_is_refused(encoded: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "secret.wav"
    path.write_bytes(encoded("wav").read_bytes())
    path.chmod(0)
    if os.geteuid() != 0:
        assert "may not be read" in refusal(path)
        return
    for folder in [tmp_path, *tmp_path.parents[:-2]]:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o711)
    code = (
        "import os, sys\n"
        "from sonovec.audio.decode import open_audio\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: open_audio(sys.argv[1])\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}: may not be read; allow it with chmod u+r, or run as its owner\n"
    assert done.stderr == ""


NAMES = [
    "two words.wav",
    'it\'s "quoted".wav',
    "two\nlines.wav",
    "tab\tand\rreturn.wav",
    "naïve 音.wav",
    "-rf.wav",
    "%s.wav",
]


@pytest.mark.parametrize("name", [*map(os.fsencode, NAMES), b"latin-\xe9\xff.wav"])
@pytest.mark.parametrize("ending", ["wav", "m4a"])
def test_names_of_all_kinds(encoded: Encoded, tmp_path: Path, ending: str, name: bytes) -> None:
    path = os.fsencode(tmp_path / os.fsdecode(name))
    Path(os.fsdecode(path)).write_bytes(encoded(ending).read_bytes())
    for given in (path, os.fsdecode(path), Path(os.fsdecode(path))):
        with open_audio(given, end=0.1) as audio:
            assert sum(map(len, audio.blocks())) == 4410
        assert audio.info.path.isprintable()
    Path(os.fsdecode(path)).write_bytes(b"hello")
    with pytest.raises(AudioError) as caught:
        open_audio(path)
    assert str(caught.value).isprintable()


def test_no_file_stays_open(encoded: Encoded, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("text")
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("needs /proc")
    read(encoded("m4a")), read(encoded("wav"))
    before = len(list(descriptors.iterdir()))
    for _ in range(5):
        read(encoded("m4a")), read(encoded("wav")), refusal(tmp_path / "text.wav")
    assert len(list(descriptors.iterdir())) == before


def test_reading_goes_on_where_it_stopped(encoded: Encoded) -> None:
    with open_audio(encoded("flac")) as audio:
        first = next(audio.blocks(1000))
        rest = np.concatenate(list(audio.blocks()))
        assert list(audio.blocks()) == []
    np.testing.assert_array_equal(np.concatenate([first, rest]), read(encoded("flac"))[0])


@pytest.mark.data
def test_real_clips_agree_with_libsndfile(shared_data: Path) -> None:
    clips = [*sorted(shared_data.glob("esc10/**/*.ogg"))[::80], *sorted(shared_data.glob("fsdd/**/*.flac"))[::600]]
    clips += sorted(shared_data.glob("train/**/*.opus"))[::2000]
    assert len(clips) > 10
    for clip in clips:
        decoded, audio = read(clip)
        expected, rate = soundfile.read(clip, dtype="float32", always_2d=True)
        assert audio.info.rate == rate
        assert audio.notes == []
        np.testing.assert_allclose(decoded, expected, atol=1e-6)


@pytest.mark.data
def test_opus_through_ffmpeg_is_the_reference_decoder(shared_data: Path, tmp_path: Path) -> None:
    import av

    clip = sorted(shared_data.glob("train/berklee/*.opus"))[0]
    path = tmp_path / "clip.mka"
    with av.open(str(clip)) as source, av.open(str(path), "w", format="matroska") as output:
        copied = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = copied
                output.mux(packet)
    decoded, audio = read(path)
    assert (audio.info.decoder, audio.info.codec) == ("FFmpeg", "opus")
    expected = soundfile.read(clip, dtype="float32", always_2d=True)[0]
    n = min(len(decoded), len(expected))
    assert n > 0.9 * len(expected)
    np.testing.assert_allclose(decoded[:n], expected[:n], atol=1e-4)
