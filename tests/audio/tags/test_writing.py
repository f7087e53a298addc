"""A tempo and a key are written into files of each format: the sound and all other tags stay, to the bit."""

from __future__ import annotations

import hashlib
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from sonovec.audio.tags.read import read_tags
from sonovec.audio.tags.writing.pieces import NotWrittenError, Said
from sonovec.audio.tags.writing.write import prove, write_tags
from tests.audio.tags import tag_writers
from tests.audio.test_ogg import pages_of

RATE = 48000
CODECS = {
    ".mp3": ("mp3", "s16p"),
    ".aac": ("aac", "fltp"),
    ".flac": ("flac", "s16"),
    ".ogg": ("libvorbis", "fltp"),
    ".opus": ("libopus", "s16"),
    ".m4a": ("aac", "fltp"),
    ".wav": ("pcm_s16le", "s16"),
    ".aiff": ("pcm_s16be", "s16"),
}
TAGS = {"title": ["Stir"], "artist": ["Ann", "Bob"], "album": ["Löwe"]}


def sound(path, seconds=2.0, **options):
    """A file of noise without tags of its own."""
    noise = np.random.default_rng(1).normal(0, 3000, round(seconds * RATE)).astype(np.int16)
    if path.suffix == ".ogg":
        soundfile.write(path, noise, RATE)
        return path
    codec, kind = CODECS[path.suffix]
    forms = {".m4a": "ipod", ".aac": "adts"}
    with av.open(str(path), "w", format=forms.get(path.suffix), options=options) as container:
        stream = container.add_stream(codec, rate=RATE, layout="mono")
        stream.format = kind
        frame = av.AudioFrame.from_ndarray(noise[None], "s16", "mono")
        frame.rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    if path.suffix == ".mp3":  # FFmpeg puts a tag before it
        data = path.read_bytes()
        path.write_bytes(data[10 + tag_size(data) :] if data.startswith(b"ID3") else data)
    return path


def tag_size(data):
    return data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]


def samples(path):
    with av.open(str(path)) as container:
        return hashlib.sha256(b"".join(f.to_ndarray().tobytes() for f in container.decode(audio=0))).hexdigest()


def texts(path):
    with av.open(str(path)) as container:
        found = dict(container.metadata) | dict(container.streams.audio[0].metadata)
    return {name.lower(): text for name, text in found.items()}


def without_what_was_said(tags):
    return {name: value for name, value in tags.items() if not name.startswith("file_")}


@pytest.mark.parametrize("ending", CODECS)
def test_all_else_stays(tmp_path, ending):
    path = tag_writers.tag(sound(tmp_path / f"a{ending}"), TAGS)
    before, heard, old = read_tags(path), samples(path), path.read_bytes()
    ffmpeg = texts(path)
    assert write_tags(path, tempo=128.0, key="F#m") == Said(128.0, "F#m")
    after = read_tags(path)
    assert (after["file_tempo"], after["file_key"]) == (128.0, "F#m")
    assert without_what_was_said(after) == before and before["artist"] is not None
    assert samples(path) == heard
    assert ffmpeg.items() <= texts(path).items()
    assert 0 <= len(path.read_bytes()) - len(old) < 400
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", CODECS)
def test_a_second_time_changes_nothing(tmp_path, ending):
    path = sound(tmp_path / f"a{ending}")
    heard = samples(path)
    assert write_tags(path, tempo=87.46, key="C") == Said(87.46, "C")
    written, at = path.read_bytes(), path.stat().st_mtime_ns
    assert read_tags(path)["file_tempo"] == (87.5 if ending in (".flac", ".ogg", ".opus") else 87.0)
    assert samples(path) == heard
    assert write_tags(path, tempo=120.0, key="Am") == Said()
    assert path.read_bytes() == written and path.stat().st_mtime_ns == at


def test_only_what_is_missing_is_written(tmp_path):
    path = tag_writers.tag(sound(tmp_path / "a.flac"), {"BPM": ["0"], "title": ["Stir"]})
    assert write_tags(path, tempo=120.0, key="Am") == Said(None, "Am")
    assert b"BPM=0" in path.read_bytes() and b"BPM=120" not in path.read_bytes()


@pytest.mark.parametrize("version", [2, 3, 4])
def test_padding_of_id3_is_used(tmp_path, version):
    path = sound(tmp_path / "a.mp3")
    tag = tag_writers.id3({"title": ["Stir"]}, version, encoding=1, before=tag_writers.id3_cover(version, 1000))
    path.write_bytes(tag + path.read_bytes() + tag_writers.id3v1({"title": ["Stir"]}))
    size = path.stat().st_size
    write_tags(path, tempo=128.0, key="F#m")
    assert path.stat().st_size == size
    found = read_tags(path)
    assert (found["title"], found["file_tempo"], found["file_key"]) == ("Stir", 128.0, "F#m")


def test_own_chunks_and_frames_stay(tmp_path):
    path = sound(tmp_path / "a.wav")
    path.write_bytes(tag_writers.chunk(path.read_bytes(), b"cue ", b"anything"))
    old = path.read_bytes()
    write_tags(path, tempo=128.0)
    new = path.read_bytes()
    assert new[8 : len(old)] == old[8:] and struct.unpack("<I", new[4:8])[0] == len(new) - 8
    song = sound(tmp_path / "a.mp3")
    frame = tag_writers.id3_frame(3, "GEOB", b"\0marks of a program\xff\xe0")
    song.write_bytes(tag_writers.id3_tag(3, frame, padding=0) + song.read_bytes() + tag_writers.ape(TAGS))
    sounds = song.read_bytes()[10 + len(frame) :]
    write_tags(song, key="Bbm")
    assert frame in song.read_bytes() and song.read_bytes().endswith(sounds)


def test_mp4_whose_header_comes_first(tmp_path):
    path = sound(tmp_path / "a.m4a", movflags="faststart")
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")
    heard = samples(path)
    write_tags(path, tempo=128.0, key="F#m")
    assert samples(path) == heard and read_tags(path)["file_key"] == "F#m"


def header_pieces(data):
    """Pieces of the three packets that Vorbis begins with, but the first."""
    pieces, packets = 0, 0
    for page in pages_of(data)[1:]:
        pieces, packets = pieces + len(page.lacing), packets + sum(length < 255 for length in page.lacing)
        if packets >= 2:
            return pieces
    raise AssertionError("no headers")


def test_ogg_whose_headers_need_another_page(tmp_path):
    data = sound(tmp_path / "a.ogg").read_bytes()

    def tagged(size):
        return tag_writers.ogg(data, tag_writers.comments({"title": ["x" * size]}))

    size = 255 * (-header_pieces(tagged(0)) % 255)
    full = (tagged(size + more) for more in range(-255, 255, 10) if grows(tagged, size + more))
    path = tmp_path / "b.ogg"
    path.write_bytes(next(full))
    before, heard = len(pages_of(path.read_bytes())), samples(path)
    write_tags(path, tempo=128.0, key="F#m")
    assert len(pages_of(path.read_bytes())) == before + 1
    assert samples(path) == heard and read_tags(path)["file_tempo"] == 128.0
    assert [page.number for page in pages_of(path.read_bytes())] == list(range(before + 1))


def grows(tagged, size, by=29):
    """Whether the headers fill their pages, and need another one with so many bytes more."""
    now = header_pieces(tagged(size))
    return now % 255 == 0 and header_pieces(tagged(size + by)) > now


def test_a_new_file_that_differs_is_refused(tmp_path):
    old, new = sound(tmp_path / "a.wav"), sound(tmp_path / "b.wav")
    data = bytearray(new.read_bytes())
    data[5000] ^= 1
    new.write_bytes(data)
    with pytest.raises(NotWrittenError, match="sound"):
        prove(old, new, Said(), lambda: None)
    song, cover = sound(tmp_path / "a.mp3"), tag_writers.id3_cover(3, 1000)
    data = song.read_bytes()
    song.write_bytes(tag_writers.id3({"title": ["Stir"]}, 3, before=cover) + data)
    new.write_bytes(tag_writers.id3({"title": ["Stir"]}, 3) + data)
    with pytest.raises(NotWrittenError, match="pictures"):
        prove(song, new, Said(), lambda: None)
    new.write_bytes(tag_writers.id3({"title": ["Other"]}, 3, before=cover) + data)
    with pytest.raises(NotWrittenError, match="title"):
        prove(song, new, Said(), lambda: None)


def refused(path, **said):
    old = path.read_bytes()
    names = sorted(path.parent.iterdir())
    with pytest.raises(NotWrittenError) as caught:
        write_tags(path, **(said or {"tempo": 128.0}))
    assert path.read_bytes() == old and sorted(path.parent.iterdir()) == names
    return str(caught.value)


def test_what_is_left_alone(tmp_path):
    song = sound(tmp_path / "a.flac")
    link = tmp_path / "link.flac"
    link.symlink_to(song)
    assert "link" in refused(link)
    link.unlink()
    os.link(song, tmp_path / "hard.flac")
    assert "hard links" in refused(song)
    (tmp_path / "hard.flac").unlink()
    import fcntl

    with song.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "locked" in refused(song)
    raw = tmp_path / "a.txt"
    raw.write_bytes(b"no sound" * 100)
    assert "none of them" in refused(raw) or "cannot be read" in refused(raw)


def test_read_only(tmp_path):
    song = sound(tmp_path / "a.flac")
    song.chmod(0o444)
    assert "may not be written" in refused(song)


def test_damaged_files_are_left_alone(tmp_path):
    wav = sound(tmp_path / "a.wav")
    wav.write_bytes(wav.read_bytes()[:-1001])
    assert "length" in refused(wav)
    ogg = sound(tmp_path / "a.ogg")
    ogg.write_bytes(ogg.read_bytes() * 2)
    assert "several streams" in refused(ogg)
    song = sound(tmp_path / "a.mp3")
    song.write_bytes(tag_writers.id3(TAGS, 3, flags=tag_writers.UNSYNCHRONISED) + song.read_bytes())
    assert "unsynchronised" in refused(song)
    mp4 = sound(tmp_path / "a.m4a", movflags="frag_keyframe+empty_moov")
    assert "fragments" in refused(mp4)


def test_damage_inside_the_sound_stays(tmp_path):
    song = sound(tmp_path / "a.flac")
    data = bytearray(song.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20000] = bytes(20000)
    song.write_bytes(data)
    heard = samples(song)
    write_tags(song, tempo=128.0)
    assert samples(song) == heard and song.read_bytes().endswith(data[-60000:])


def test_sound_that_does_not_decode(tmp_path):
    wav = sound(tmp_path / "a.wav")
    wav.write_bytes(wav.read_bytes().replace(b"fmt \x10\0\0\0\1\0", b"fmt \x10\0\0\0\x99\x99"))
    assert "decode" in refused(wav)


def test_a_file_that_changes_meanwhile_is_left_alone(tmp_path):
    song = sound(tmp_path / "a.flac")
    old = song.read_bytes()

    def change():
        song.write_bytes(old + b"more")

    with pytest.raises(NotWrittenError):
        write_tags(song, tempo=128.0, check=change)
    assert song.read_bytes() == old + b"more" and list(tmp_path.iterdir()) == [song]


KILLED = """
import os, signal, sys
from sonovec.audio.tags.writing.write import prove, write_tags

left = [int(sys.argv[2])]
def check():
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
write_tags(sys.argv[1], tempo=128.0, key="Am", check=check)
"""


@pytest.mark.parametrize("checks", [1, 40])
def test_a_kill_leaves_the_old_file(tmp_path, checks):
    song = sound(tmp_path / "a.flac", 10.0)
    old = song.read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, song, str(checks)], check=False)
    assert done.returncode == -signal.SIGKILL and song.read_bytes() == old
    assert write_tags(song, tempo=128.0, key="Am") == Said(128.0, "Am")


def test_rights_and_time(tmp_path):
    song = sound(tmp_path / "a.flac")
    song.chmod(0o640)
    os.utime(song, (1e9, 1e9))
    write_tags(Path(song), tempo=128.0)
    assert song.stat().st_mode & 0o777 == 0o640 and song.stat().st_mtime > 1.7e9
