"""Tempo and key as files tell them."""

from __future__ import annotations

import struct

import pytest

from sonovec.audio.tags.read import read_tags
from tests.audio.tags import tag_writers
from tests.audio.tags.tag_writers import atom
from tests.audio.tags.test_read import blank

SAID = {"file_tempo": 128.0, "file_key": "8A"}


def said(path):
    return {name: value for name, value in read_tags(path).items() if name.startswith("file_")}


@pytest.mark.parametrize(("version", "tempo", "key"), [(2, "TBP", "TKE"), (3, "TBPM", "TKEY"), (4, "TBPM", "TKEY")])
def test_id3(tmp_path, version, tempo, key):
    path = blank(tmp_path / "a.mp3")
    frames = [tag_writers.id3_frame(version, n, tag_writers.id3_text([v])) for n, v in ((tempo, "128"), (key, "8A"))]
    path.write_bytes(tag_writers.id3_tag(version, b"".join(frames)) + path.read_bytes())
    assert said(path) == SAID


@pytest.mark.parametrize("names", [("BPM", "INITIALKEY"), ("bpm", "KEY")])
@pytest.mark.parametrize("ending", [".flac", ".ogg", ".wv"])
def test_vorbis_and_ape(tmp_path, ending, names):
    path = tag_writers.tag(blank(tmp_path / f"a{ending}"), dict(zip(names, (["128.00"], ["8A"]), strict=True)))
    assert said(path) == SAID


@pytest.mark.parametrize("key", ["initialkey", "INITIALKEY", "KEY"])
def test_mp4(tmp_path, key):
    def data(kind, content):
        return atom("data", struct.pack(">II", kind, 0) + content)

    mean, name = atom("mean", bytes(4) + b"com.apple.iTunes"), atom("name", bytes(4) + key.encode())
    items = atom("tmpo", data(21, (128).to_bytes(2, "big"))) + atom("----", mean + name + data(1, b"8A"))
    handler = atom("hdlr", struct.pack(">II4s4s9x", 0, 0, b"mdir", b"appl"))
    path = blank(tmp_path / "a.m4a")
    udta = atom("udta", atom("meta", bytes(4) + handler + atom("ilst", items)))
    path.write_bytes(tag_writers.mp4(path.read_bytes(), udta))
    assert said(path) == SAID


@pytest.mark.parametrize(("text", "tempo"), [("0", None), ("fast", None), ("87,5", 87.5), ("4000", None)])
def test_what_is_no_tempo(tmp_path, text, tempo):
    path = tag_writers.tag(blank(tmp_path / "a.flac"), {"BPM": [text]})
    assert said(path).get("file_tempo") == tempo


def test_files_that_tell_nothing(tmp_path):
    assert said(blank(tmp_path / "a.flac")) == {}
    long = tag_writers.tag(blank(tmp_path / "b.flac"), {"KEY": ["C" * 101]})
    assert said(long) == {}


def with_acid(path, tempo, flags=0, size=24):
    content = struct.pack("<IHHfIHHf", flags, 60, 0x8000, 0.0, 8, 4, 4, tempo)[:size]
    path.write_bytes(tag_writers.chunk(path.read_bytes(), b"acid", content))
    return path


@pytest.mark.parametrize(
    ("tempo", "flags", "size", "expected"),
    [
        (122.0, 0, 24, 122.0),
        (97.25, 4, 24, 97.25),
        (122.0, 1, 24, None),  # played once
        (float("nan"), 0, 24, None),
        (float("inf"), 0, 24, None),
        (0.0, 0, 24, None),
        (122.0, 0, 20, None),  # cut off
    ],
)
def test_loops_of_samplers(tmp_path, tempo, flags, size, expected):
    path = with_acid(blank(tmp_path / "a.wav"), tempo, flags, size)
    assert said(path).get("file_tempo") == expected and "notes" not in read_tags(path)


def test_a_tag_wins_over_the_chunk_and_both_over_the_name(tmp_path):
    path = with_acid(blank(tmp_path / "loop 140 BPM Am.wav"), 122.0)
    assert said(path) == {"file_tempo": 122.0, "file_key": "A m"}
    frame = tag_writers.id3_frame(4, "TBPM", tag_writers.id3_text(["128"]))
    path.write_bytes(tag_writers.chunk(path.read_bytes(), b"id3 ", tag_writers.id3_tag(4, frame)))
    assert said(path) == {"file_tempo": 128.0, "file_key": "A m"}


@pytest.mark.parametrize(
    ("name", "tempo", "key"),
    [
        ("beats_909beat01_-_122_BPM", 122.0, None),
        ("Bass 87,5bpm Ebmaj", 87.5, "Eb maj"),
        ("BPM 095 - F# minor keys", 95.0, "F# minor"),
        ("A minor thing 140 BPM", 140.0, "A minor"),
        ("1200 BPM", None, None),
        ("999bpm", None, None),
        ("12 Bpmx", None, None),
        ("I Am Here", None, None),
        ("120", None, None),
    ],
)
def test_names_of_files(tmp_path, name, tempo, key):
    found = said(blank(tmp_path / f"{name}.flac"))
    assert (found.get("file_tempo"), found.get("file_key")) == (tempo, key)
