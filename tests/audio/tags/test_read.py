from __future__ import annotations

import io
import os
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonovec.audio.decode import open_audio
from sonovec.audio.tags.read import parse_year, read_tags
from tests.audio.tags import tag_writers
from tests.audio.tags.tag_writers import tag

SAMPLES = (0.1 * np.sin(np.arange(48000) / 20)).astype(np.float32)
EXPECTED = {"title": "Blåbær", "artist": "Ann; Bob", "album": "Berries", "genre": "Ambient", "year": 2003}
EMPTY = dict.fromkeys(EXPECTED)
FIELDS = {"title": ["Blåbær"], "artist": ["Ann", "Bob"], "album": ["Berries"], "genre": ["Ambient"], "date": ["2003"]}


def sound_of_mp3() -> bytes:
    memory = io.BytesIO()
    soundfile.write(memory, SAMPLES, 48000, format="MP3")
    return memory.getvalue()


SOUND_OF_MP3 = sound_of_mp3()


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


#: Endings that soundfile does not write, and by which encoder and container PyAV does.
BY_AV = {
    ".m4a": ("aac", "mp4"),
    ".wma": ("pcm_s16le", "asf"),
    ".aac": ("aac", "adts"),
    ".wv": ("wavpack", "wv"),
    ".tta": ("tta", "tta"),
}


def blank(path: Path) -> Path:
    """A file of the ending's format without tags."""
    if path.suffix in BY_AV:
        return write_av(path, *BY_AV[path.suffix])
    return write(path, **({"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}))


@pytest.mark.parametrize("ending", tag_writers.INTO)
def test_every_format_with_a_cover_before_its_texts(tmp_path, ending):
    path = blank(tmp_path / f"a{ending}")
    assert read_tags(path) == EMPTY
    samples = load(path)
    assert read_tags(tag(path, FIELDS)) == EXPECTED
    np.testing.assert_array_equal(load(path), samples)  # what the test wrote is a file of that format still
    assert peak_of(lambda: read_tags(path)) < MOST_HELD


#: Bytes: some pages of Ogg, and less than a cover in any other format.
MOST_HELD = 1_500_000


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that Python held at most meanwhile."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def load(path: Path) -> np.ndarray:
    with open_audio(path) as audio:
        return np.concatenate(list(audio.blocks()))


def test_dsf(tmp_path):
    path = tmp_path / "a.dsf"
    path.write_bytes(tag_writers.dsf(tag_writers.id3(FIELDS, 3, 1)))
    assert read_tags(path) == EXPECTED
    path.write_bytes(tag_writers.dsf(b""))
    assert read_tags(path) == EMPTY


# ID3

UNSYNCHRONISED = tag_writers.UNSYNCHRONISED


@pytest.mark.parametrize("flags", [0, UNSYNCHRONISED])
@pytest.mark.parametrize(("version", "encoding"), [(2, 0), (2, 1), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2), (4, 3)])
def test_id3_of_all_versions_and_encodings(tmp_path, version, encoding, flags):
    path = write(tmp_path / "a.mp3")
    fields = {**FIELDS, "title": ["Bl\xff\xe5"], "genre": ["(26)"]}
    cover = tag_writers.id3_cover(version, 200_000) if version < 4 or not flags else b""
    if version == 4 and flags:
        frames = b"".join(
            tag_writers.id3_frame(
                4, tag_writers.ID3[4][name], tag_writers.unsynchronised(tag_writers.id3_text(values, encoding)), 2
            )
            for name, values in fields.items()
        )
        made = tag_writers.id3_tag(4, frames, flags)
    else:
        made = tag_writers.id3(fields, version, encoding, before=cover, flags=flags)
    path.write_bytes(made + path.read_bytes())
    assert read_tags(path) == {**EXPECTED, "title": "Bl\xff\xe5"}


def tagged(tmp_path: Path, tag: bytes) -> Path:
    path = write(tmp_path / "a.mp3")
    path.write_bytes(tag + path.read_bytes())
    return path


@pytest.mark.parametrize("version", [3, 4])
def test_id3_with_a_header_of_its_own_and_frames_that_are_packed_and_grouped(tmp_path, version):
    text = tag_writers.id3_text(["Blåbær"])
    packed = zlib.compress(text)
    count = tag_writers.synchsafe(len(text)) if version == 4 else struct.pack(">I", len(text))
    grouped = b"G" + count + packed if version == 4 else count + b"G" + packed
    frame = tag_writers.id3_frame(version, "TIT2", grouped, 0x49 if version == 4 else 0xA0)
    hidden = tag_writers.id3_frame(version, "TALB", b"\1" + bytes(30), 0x04 if version == 4 else 0x40)
    extension = tag_writers.synchsafe(6) + b"\1\0" if version == 4 else struct.pack(">I", 6) + bytes(6)
    path = tagged(tmp_path, tag_writers.id3_tag(version, extension + hidden + frame, 0x40))
    assert read_tags(path) == {**EMPTY, "title": "Blåbær"}


def test_id3_whose_sizes_are_written_as_in_the_version_before(tmp_path):
    """As old versions of iTunes did."""
    frames = [
        tag_writers.id3_frame(3, name, tag_writers.id3_text([text]))
        for name, text in (("TALB", "a" * 300), ("TIT2", "b"))
    ]
    tags = read_tags(tagged(tmp_path, tag_writers.id3_tag(4, b"".join(frames))))
    assert (tags["album"], tags["title"]) == ("a" * 300, "b")


@pytest.mark.parametrize(
    ("text", "genre"),
    [("26", "Ambient"), ("(26)(17)", "Ambient; Rock"), ("(26)My own", "Ambient; My own"), ("RX", "Remix"), ("(CR)", "Cover"),
     ("((26) not", "(26) not"), ("Drum & Bass", "Drum & Bass"), ("255", "255"), ("1984 and after", "1984 and after")],
)  # fmt: skip
def test_genres_of_id3(tmp_path, text, genre):
    assert read_tags(tagged(tmp_path, tag_writers.id3({"genre": [text]})))["genre"] == genre


def test_id3_of_version_1(tmp_path):
    path = write(tmp_path / "a.mp3")
    path.write_bytes(path.read_bytes() + tag_writers.id3v1({**FIELDS, "artist": ["Ann"]}, genre=26))
    assert read_tags(path) == {**EXPECTED, "artist": "Ann"}


def test_where_tags_differ_the_one_that_cuts_nothing_off_wins(tmp_path):
    path = write(tmp_path / "a.mp3")
    old = tag_writers.id3v1({"title": ["c"], "artist": ["c"], "album": ["c"]})
    path.write_bytes(path.read_bytes() + tag_writers.ape({"title": ["b"], "artist": ["b"]}) + old)
    path.write_bytes(tag_writers.id3({"title": ["a"]}) + path.read_bytes())
    assert read_tags(path) == {**EMPTY, "title": "a", "artist": "b", "album": "c"}


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("behind", [b"", tag_writers.id3v1({})])
def test_ape(tmp_path, header, behind):
    path = write(tmp_path / "a.mp3")
    path.write_bytes(path.read_bytes() + tag_writers.ape(FIELDS, header=header) + behind)
    assert read_tags(path) == EXPECTED


def test_a_short_ape_tag_is_not_taken_for_id3_of_version_1(tmp_path):
    """Its own "TAG" can stand 128 bytes before the end."""
    path = write(tmp_path / "a.mp3")
    for letters in range(1, 60):
        made = tag_writers.ape({"title": ["x" * letters]})
        path.write_bytes(SOUND_OF_MP3 + made)
        assert read_tags(path) == {**EMPTY, "title": "x" * letters}


# Containers


def test_a_genre_of_mp4_that_is_a_number(tmp_path):
    path = write_av(tmp_path / "a.m4a", "aac", "mp4")
    path.write_bytes(tag_writers.mp4(path.read_bytes(), tag_writers.ilst({"title": ["x"]}, genre=27)))
    assert read_tags(path) == {**EMPTY, "title": "x", "genre": "Ambient"}


@pytest.mark.parametrize("metadata", [{"title": "Blåbær", "artist": "Ann", "date": "1999"}])
@pytest.mark.parametrize(
    ("codec", "container"),
    [
        *(("libopus", "webm"), ("pcm_s16le", "matroska"), ("pcm_s16le", "avi"), ("aac", "mp4"), ("pcm_s16le", "asf")),
        *(("libmp3lame", "mp3"), ("libopus", "ogg"), ("flac", "flac"), ("pcm_s16le", "wav")),
    ],
)  # fmt: skip
def test_what_ffmpeg_writes(tmp_path, codec, container, metadata):
    path = write_av(tmp_path / "a.bin", codec, container, metadata)
    assert read_tags(path) == {**EMPTY, "title": "Blåbær", "artist": "Ann", "year": 1999}


def test_a_playlist_opens_no_other_file(tmp_path):
    other = write_av(tmp_path / "other.mkv", "pcm_s16le", "matroska", {"title": "secret"})
    path = tmp_path / "a.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n")
    tags = read_tags(path)
    assert tags["title"] is None and str(tags["notes"]).startswith("tags not read: ")


def test_wav_info(tmp_path):
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", 48000, 1) as file:
        file.title, file.artist, file.album, file.genre, file.date = "Blåbær", "Ann; Bob", "Berries", "Ambient", "2003"
        file.write(SAMPLES)
    assert read_tags(path) == EXPECTED


def test_wav_info_in_an_old_encoding_and_cut_short(tmp_path):
    path = write(tmp_path / "a.wav")
    whole = path.read_bytes() + tag_writers.info({b"INAM": b"Bl\xe5b\xe6r\0", b"IART": b"Ann"})
    path.write_bytes(whole)
    assert read_tags(path) == {**EMPTY, "title": "Blåbær", "artist": "Ann"}
    path.write_bytes(whole[:-2])
    tags = read_tags(path)
    assert tags["title"] == "Blåbær"


def test_id3_wins_over_info_and_info_fills_its_gaps(tmp_path):
    path = write(tmp_path / "a.wav")
    short = path.read_bytes() + tag_writers.info({b"INAM": b"short name", b"IGNR": b"Ambient"})
    path.write_bytes(tag_writers.chunk(short, b"id3 ", tag_writers.id3({"title": ["A long name"]})))
    assert read_tags(path) == {**EMPTY, "title": "A long name", "genre": "Ambient"}


def test_control_characters_and_repeats(tmp_path):
    path = write(tmp_path / "a.flac")
    tag(path, {"title": ["One\0Two\x07\r\nthree\x1b[31m"], "artist": ["Ann", "Ann", " ", "Bob "]})
    tags = read_tags(path)
    assert (tags["title"], tags["artist"]) == ("One; Two three [31m", "Ann; Bob")


def test_names_that_are_not_utf8(tmp_path):
    path = tag(write(tmp_path / "a.mp3"), FIELDS)
    other = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp3"))
    try:
        path.rename(other)
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    assert read_tags(other) == EXPECTED
    webm = write_av(tmp_path / "a.webm", "libopus", "webm", {"title": "x"})
    assert read_tags(webm.rename(other.with_suffix(".webm")))["title"] == "x"


def test_id3_is_read_where_the_sound_is_broken(tmp_path):
    path = tag(write(tmp_path / "a.mp3"), FIELDS)
    content = path.read_bytes()
    path.write_bytes(content[: -len(SOUND_OF_MP3)] + b"\0" * 4000)
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


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ending=st.sampled_from(sorted(tag_writers.INTO)),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
    near=st.sampled_from([200, 2000, 10**9]),
    cut=st.floats(0, 1),
)
@pytest.mark.slow
def test_damaged_tags_take_bounded_time_and_memory(whole_files, tmp_path, ending, places, near, cut):
    content = bytearray(whole_files[ending])
    for place, byte in places:
        zone = min(near, len(content) - 1)
        content[round(place * zone)] = byte
    path = tmp_path / "a.bin"
    path.write_bytes(content if cut < 0.5 else content[: round(cut * len(content))])
    began = time.thread_time()
    tags = read_tags(path)
    assert time.thread_time() - began < 5
    assert set(tags) - {"notes"} == set(EXPECTED)
    assert "\n" not in str(tags.get("notes"))


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return {ending: tag(blank(folder / f"a{ending}"), FIELDS).read_bytes() for ending in tag_writers.INTO}


def first_pages_of_ogg(count: int) -> bytes:
    pages = [tag_writers.Page(2, 0, serial, 0, b"\x08", b"OpusHead") for serial in range(count)]
    return b"".join(page.to_bytes() for page in pages)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        first_pages_of_ogg(5_000),
        tag_writers.id3(
            {"title": ["x" * 900_000]}, before=tag_writers.id3_frame(4, "TALB", b"\3" + b"y" * 900_000) * 30
        ),
        b"ID3\x03\0\x80" + tag_writers.synchsafe(2**28 - 1) + b"TIT2\x7f\xff\xff\xff" + bytes(5_000_000),
        tag_writers.id3(
            {}, 3, before=tag_writers.id3_frame(3, "TIT2", b"\0\1\0\0" + zlib.compress(b"\3" + bytes(2**26)), 0x80) * 50
        ),
        tag_writers.id3({"genre": ["(1)" * 300_000]}),
        SOUND_OF_MP3 + tag_writers.ape({f"title{n}": ["x"] for n in range(50_000)}),
        b"fLaC" + b"\x01\0\0\0" * 200_000,
        b"\0\0\0\x08ftyp" + b"\0\0\0\x08moov" * 200_000,
        b"RIFF\xff\xff\xff\x7fWAVE" + b"id3 \0\0\0\0" * 200_000,
    ],
    ids=["streams of Ogg", "texts", "a claim", "packed zeros", "genres", "items", "blocks", "atoms", "chunks"],
)
def test_tags_that_are_made_to_take_long_do_not(tmp_path, content):
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    began = time.thread_time()
    assert peak_of(lambda: read_tags(path)) < 50e6
    assert time.thread_time() - began < 10


def test_what_was_read_before_the_damage_counts(tmp_path):
    frames = tag_writers.id3_frame(4, "TIT2", tag_writers.id3_text(["x"])) + b"TALB\x0f\x7f\x7f\x7f\0\0\3y"
    tags = read_tags(tagged(tmp_path, tag_writers.id3_tag(4, frames, padding=0)))
    assert tags["title"] == "x" and "TALB takes 33554431 bytes" in str(tags["notes"])


def test_a_missing_file_is_a_note(tmp_path):
    assert read_tags(tmp_path / "none.wav") == {**EMPTY, "notes": "tags not read: No such file or directory"}


@pytest.mark.parametrize(
    ("text", "year"),
    [("2003", 2003), ("2003-05-01T10:00", 2003), ("20030501", 2003), ("1.5.2003", 2003), ("℗ 1978, 2011", 1978)]
    + [(text, None) for text in (None, "", "0000", "99", "12345", "20039999", "soon")],
)
def test_years(text, year):
    assert parse_year(text) == year
