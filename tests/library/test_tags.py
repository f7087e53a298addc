from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sonovec.library.tags import parse_year, read_tags

SAMPLES = (0.1 * np.sin(np.arange(48000) / 20)).astype(np.float32)
EXPECTED = {"title": "Blåbær", "artist": "Ann; Bob", "album": "Berries", "genre": "Ambient", "year": 2003}
EMPTY = dict.fromkeys(EXPECTED)
EASY = {"title": "Blåbær", "artist": ["Ann", "Bob"], "album": "Berries", "genre": "Ambient", "date": "2003-05-01"}


def write(path: Path, **options: object) -> Path:
    soundfile.write(path, SAMPLES, 48000, **options)
    return path


def write_av(path: Path, codec: str, container: str, metadata: dict[str, str] | None = None) -> Path:
    import av

    with av.open(str(path), "w", format=container) as output:
        output.metadata.update(metadata or {})
        stream = output.add_stream(codec, rate=48000, layout="mono")
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=48000, frame_size=960)
        frame = av.AudioFrame.from_ndarray((SAMPLES[None] * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = 48000
        for part in [*resampler.resample(frame), None]:
            output.mux(stream.encode(part))
    return path


def tag_easily(path: Path) -> Path:
    import mutagen

    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    for name, value in EASY.items():
        file[name] = value
    file.save()
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mp3", {}), ("a.flac", {}), ("a.ogg", {}), ("a.opus", {"format": "OGG", "subtype": "OPUS"})],
)
def test_formats_of_soundfile(tmp_path, name, options):
    path = write(tmp_path / name, **options)
    assert read_tags(path) == EMPTY
    assert read_tags(tag_easily(path)) == EXPECTED


def test_mp4(tmp_path):
    path = write_av(tmp_path / "a.m4a", "aac", "mp4")
    assert read_tags(tag_easily(path)) == EXPECTED


@pytest.mark.parametrize("suffix", ["wav", "aiff"])
def test_id3_in_chunks(tmp_path, suffix):
    import mutagen
    from mutagen.id3 import TALB, TCON, TDRC, TIT2, TPE1

    path = write(tmp_path / f"a.{suffix}")
    assert read_tags(path) == EMPTY
    file = mutagen.File(path)
    file.add_tags()
    frames = [TIT2(3, "Blåbær"), TPE1(3, ["Ann", "Bob"]), TALB(3, "Berries"), TCON(3, "(26)"), TDRC(3, "2003-05-01")]
    for frame in frames:
        file.tags.add(frame)
    file.save()
    assert read_tags(path) == EXPECTED


def test_windows_media(tmp_path):
    import mutagen

    path = write_av(tmp_path / "a.wma", "pcm_s16le", "asf")
    file = mutagen.File(path)
    file.tags.clear()
    file["Title"] = "Blåbær"
    file["Author"] = ["Ann", "Bob"]
    file["WM/AlbumTitle"] = "Berries"
    file["WM/Genre"] = "Ambient"
    file["WM/Year"] = "2003"
    file.save()
    assert read_tags(path) == EXPECTED


def test_ape(tmp_path):
    from mutagen.apev2 import APEv2

    path = write(tmp_path / "a.mp3")
    tags = APEv2()
    names = {"Title": "title", "Artist": "artist", "Album": "album", "Genre": "genre", "Year": "date"}
    for name, easy in names.items():
        tags[name] = EASY[easy]
    tags.save(path)
    assert read_tags(path) == EXPECTED


def test_containers_that_mutagen_does_not_know(tmp_path):
    path = write_av(tmp_path / "a.webm", "libopus", "webm", {"title": "Blåbær", "artist": "Ann", "date": "1999"})
    assert read_tags(path) == {**EMPTY, "title": "Blåbær", "artist": "Ann", "year": 1999}


def test_wav_info(tmp_path):
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", 48000, 1) as file:
        file.title, file.artist, file.album, file.genre, file.date = "Blåbær", "Ann; Bob", "Berries", "Ambient", "2003"
        file.write(SAMPLES)
    assert read_tags(path) == EXPECTED


def info(items: dict[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2) for name, text in items.items()
    )
    return b"LIST" + struct.pack("<I", 4 + len(body)) + b"INFO" + body


def test_wav_info_in_an_old_encoding_and_cut_short(tmp_path):
    path = write(tmp_path / "a.wav")
    whole = path.read_bytes() + info({b"INAM": b"Bl\xe5b\xe6r\0", b"IART": b"Ann"})
    path.write_bytes(whole)
    assert read_tags(path) == {**EMPTY, "title": "Blåbær", "artist": "Ann"}
    path.write_bytes(whole[:-2])
    tags = read_tags(path)
    assert tags["title"] == "Blåbær"


def test_id3_wins_over_info_and_info_fills_its_gaps(tmp_path):
    import mutagen
    from mutagen.id3 import TIT2

    path = write(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes() + info({b"INAM": b"short name", b"IGNR": b"Ambient"}))
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(TIT2(3, "A long name"))
    file.save()
    assert read_tags(path) == {**EMPTY, "title": "A long name", "genre": "Ambient"}


def test_control_characters_and_repeats(tmp_path):
    import mutagen

    path = write(tmp_path / "a.flac")
    file = mutagen.File(path)
    file["title"] = "One\0Two\x07\r\nthree\x1b[31m"
    file["artist"] = ["Ann", "Ann", " ", "Bob "]
    file.save()
    tags = read_tags(path)
    assert (tags["title"], tags["artist"]) == ("One; Two three [31m", "Ann; Bob")


def test_names_that_are_not_utf8(tmp_path):
    path = tag_easily(write(tmp_path / "a.mp3"))
    other = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp3"))
    try:
        path.rename(other)
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    assert read_tags(other) == EXPECTED
    webm = write_av(tmp_path / "a.webm", "libopus", "webm", {"title": "x"})
    assert read_tags(webm.rename(other.with_suffix(".webm")))["title"] == "x"


def test_id3_is_read_where_the_sound_is_broken(tmp_path):
    path = tag_easily(write(tmp_path / "a.mp3"))
    content = path.read_bytes()
    header = content[: content.index(b"\xff\xfb") if b"\xff\xfb" in content else 2048]
    path.write_bytes(header + b"\0" * 4000)
    tags = read_tags(path)
    assert {name: tags[name] for name in EXPECTED} == EXPECTED
    assert str(tags["notes"]).startswith("tags not read: ")


def test_a_truncated_file_does_not_raise(tmp_path):
    for name in ("a.mp3", "a.flac", "a.ogg", "a.wav"):
        path = write(tmp_path / name)
        whole = path.read_bytes()
        for size in (0, 1, 3, 11, 20, 60, 200):
            path.write_bytes(whole[:size])
            assert set(read_tags(path)) - {"notes"} == set(EXPECTED)


@given(
    head=st.sampled_from([b"ID3\x04\0\0", b"fLaC\0", b"OggS\0", b"RIFF\x90\0\0\0WAVELIST", b"\0\0\0\x20ftypM4A "]),
    rest=st.binary(),
)
def test_rubbish_does_not_raise(tmp_path_factory, head, rest):
    path = tmp_path_factory.getbasetemp() / "rubbish.bin"
    path.write_bytes(head + rest)
    tags = read_tags(path)
    assert set(tags) - {"notes"} == set(EXPECTED)
    assert "\n" not in str(tags.get("notes"))


def test_a_missing_file_is_a_note(tmp_path):
    assert read_tags(tmp_path / "none.wav") == {**EMPTY, "notes": "tags not read: No such file or directory"}


@pytest.mark.parametrize(
    ("text", "year"),
    [("2003", 2003), ("2003-05-01T10:00", 2003), ("20030501", 2003), ("1.5.2003", 2003), ("℗ 1978, 2011", 1978)]
    + [(text, None) for text in (None, "", "0000", "99", "12345", "20039999", "soon")],
)
def test_years(text, year):
    assert parse_year(text) == year
