"""Files of playlists: each is read back by a reader of its own format."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.library.playlist import files
from sonovec.library.playlist.cues import Cues
from sonovec.library.playlist.files import Item
from sonovec.paths import to_text

NAMES = {"x": files.XSPF_NAMES, "vlc": files.VLC_NAMES, "own": files.CUES}
CUES = Cues(0.5, 9.5, 0.0, 2.0, 1.0, 7.0)
ITEM = Item(
    "/music/R&B/<one> 50%.mp3",
    {"title": "Me & <You>", "artist": "Ann", "album": "A", "duration": 10.0},
    0.5,
    9.5,
    CUES,
    {files.TEMPO: "120", files.KEY: "A minor"},
)
#: Bytes that names on a disk may hold: all but zero and the slash.
names = st.binary(min_size=1, max_size=12).map(lambda name: name.replace(b"/", b"-").replace(b"\0", b"_"))


def location(track):
    found = track.findtext("x:location", namespaces=NAMES)
    assert found is not None and found.startswith("file:///")
    return unquote_to_bytes(found.removeprefix("file://"))


def test_xspf_holds_texts_cue_points_and_music():
    content, left_out = files.xspf([ITEM], "Mine & yours")
    root = ElementTree.fromstring(content)
    track = root.find("x:trackList/x:track", NAMES)
    assert left_out == [] and root.get("version") == "1"
    assert root.findtext("x:title", namespaces=NAMES) == "Mine & yours"
    assert location(track) == b"/music/R&B/<one> 50%.mp3"
    assert track.findtext("x:title", namespaces=NAMES) == "Me & <You>"
    assert track.findtext("x:duration", namespaces=NAMES) == "9000", "what is heard, in milliseconds"
    assert {each.get("rel"): each.text for each in track.findall("x:meta", NAMES)} == dict(ITEM.about)
    assert track.find("x:extension/own:cues", NAMES).get("fade-out") == "2.000"
    options = [each.text for each in track.findall("x:extension/vlc:option", NAMES)]
    assert options == ["start-time=0.500", "stop-time=9.500"]
    order = [each.tag.partition("}")[2] for each in track]
    assert order == ["location", "title", "creator", "album", "duration", "meta", "meta", "extension", "extension"]


def test_jspf_is_the_same_in_json():
    content, _ = files.jspf([ITEM, Item("/b.wav")], "Mine")
    told = json.loads(content)["playlist"]
    first, second = told["track"]
    assert told["title"] == "Mine" and first["duration"] == 9000 and first["creator"] == "Ann"
    assert first["extension"][files.CUES] == [CUES.to_json()]
    assert {files.TEMPO: "120"} in first["meta"]
    assert second == {"location": ["file:///b.wav"], "title": "b"}


def test_m3u_holds_names_and_cue_points():
    content, _ = files.m3u([ITEM])
    assert content.decode().splitlines() == [
        "#EXTM3U",
        "#EXTINF:9,Ann - Me & <You>",
        "#EXTVLCOPT:start-time=0.500",
        "#EXTVLCOPT:stop-time=9.500",
        "/music/R&B/<one> 50%.mp3",
    ]


@settings(max_examples=40)
@given(name=names)
def test_any_name_comes_back_byte_for_byte(name):
    path = Path("/music", os.fsdecode(name))
    item = Item(to_text(path))
    track = ElementTree.fromstring(files.xspf([item])[0]).find("x:trackList/x:track", NAMES)
    assert location(track) == os.fsencode(path)
    told = json.loads(files.jspf([item])[0])["playlist"]["track"][0]["location"][0]
    assert unquote_to_bytes(told.removeprefix("file://")) == os.fsencode(path)
    content, left_out = files.m3u([item])
    if left_out:
        assert b"\n" in name or b"\r" in name
    else:
        assert content.split(b"\n")[2] == os.fsencode(path)


@pytest.mark.parametrize("name", ["a b.mp3", "1: one.mp3", "#one.mp3", "50%.mp3", "über/ä.mp3"])
def test_relative_paths_lead_back(name):
    path, folder = Path("/music", name), Path("/music/lists")
    found = ElementTree.fromstring(files.xspf([Item(str(path))], relative_to=folder)[0])
    told = found.findtext("x:trackList/x:track/x:location", namespaces=NAMES)
    assert urljoin("file:///music/lists/list.xspf", told) == files.uri(path)
    line = files.m3u([Item(str(path))], relative_to=Path("/music"))[0].decode().splitlines()[2]
    assert not line.startswith("#") and Path("/music", line) == path


def test_control_characters_do_not_break_xml():
    content, _ = files.xspf([Item("/a.wav", {"title": "bell \x07, half \ud800"})], "\x00")
    assert ElementTree.fromstring(content).findtext("x:trackList/x:track/x:title", namespaces=NAMES).startswith("bell")


def test_what_is_on_another_machine_is_left_out(tmp_path):
    left_out = files.write(tmp_path / "list.xspf", [Item("music:/a.wav"), Item("/b.wav")])
    assert [each.path for each in left_out] == ["music:/a.wav"]
    assert b"b.wav" in (tmp_path / "list.xspf").read_bytes()


def test_an_unknown_ending_names_those_that_are_known(tmp_path):
    with pytest.raises(UsageError, match=r"list\.pls: \.pls is not a format of playlists; .*\.xspf"):
        files.write(tmp_path / "list.pls", [ITEM])


def test_the_own_json_has_the_fields(tmp_path):
    files.write(tmp_path / "list.json", [ITEM], "Mine")
    told = json.loads((tmp_path / "list.json").read_text())
    assert told["title"] == "Mine" and told["tracks"][0]["title"] == "Me & <You>"
    assert told["tracks"][0]["cues"]["end"] == 9.5
