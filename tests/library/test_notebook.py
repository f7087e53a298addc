from __future__ import annotations

import shutil

import pytest
import soundfile

import sonovec
from sonovec import demo
from sonovec.library.hits import Hits
from sonovec.library.notebook import PLAYED

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    demo.write(folder, per_kind=1)
    samples, _ = demo.clip("bells", 2)
    with soundfile.SoundFile(folder / f"{HOSTILE}.flac", "w", demo.RATE, 1, format="FLAC") as file:
        file.title = HOSTILE
        file.write(samples)
    return folder


@pytest.fixture(scope="module")
def library(sounds, tmp_path_factory):
    made = sonovec.Library(tmp_path_factory.mktemp("library") / "l")
    made.add(sounds)
    return made


@pytest.fixture(scope="module")
def bell(sounds):
    return sounds / "bells" / "bells-01.flac"


def test_a_prompt_shows_a_hit_a_line(library, bell):
    hits = library.search(bell, 3, include_self=True)
    lines = repr(hits).splitlines()
    assert len(lines) == 5 and all(len(line) < 220 for line in lines) and "Hit(1.000, " in lines[1]
    assert repr(library.search(bell, 0)) == "Hits([])"
    track = library.tracks("title = 'Bells 1'")[0]
    assert repr(track) == f"Track({track.path}, id={track.id[:12]!r})" or "..." in repr(track)


def test_hits_are_a_list(library, bell):
    hits = library.search(bell, 3, include_self=True)
    assert isinstance(hits, list) and isinstance(hits, Hits) and isinstance(hits[:2], Hits) and len(hits[:2]) == 2
    assert hits[:2] == [hits[0], hits[1]] and not isinstance(hits[0], Hits)
    assert isinstance(library.search_text("bell").hits, Hits)


def test_a_title_is_that_of_the_file_or_its_name(library, bell, tmp_path):
    hit, track = library.search(bell, 1, include_self=True)[0], library.tracks("title = 'Bells 1'")[0]
    assert hit.title == track.title == "Bells 1"
    soundfile.write(tmp_path / "no title.wav", demo.clip("wind")[0], demo.RATE)
    with sonovec.Library(tmp_path / "l", model="logmel") as other:
        other.add(tmp_path / "no title.wav")
        assert next(iter(other)).title == "no title"
        assert other.search(tmp_path / "no title.wav", include_self=True)[0].title == "no title"


def test_columns_are_read_by_their_name(library, bell):
    hit, track = library.search(bell, 1, include_self=True)[0], library.tracks("title = 'Bells 1'")[0]
    assert hit["genre"] == track["genre"] == "music" and hit["artist"] is None
    assert (hit["score"], hit["path"], track["id"]) == (hit.score, hit.path, track.id)
    for record in (hit, track):
        with pytest.raises(KeyError, match=r"'gener' is not a column; give one of: id, path, title.*genre"):
            record["gener"]


def test_pages_escape_what_files_say(library, sounds):
    hostile = library.search(sounds / f"{HOSTILE}.flac", 2, include_self=True)
    records = [
        hostile,
        hostile[0],
        library,
        library.find_places(hostile[0].path, include_self=True),
        library.search_text("bell"),
    ]
    for record in [*records, *library.tracks("title contains 'img'")]:
        page = record._repr_html_()
        assert HOSTILE not in page and "<img src=x" not in page
    assert "&lt;img src=x" in hostile._repr_html_()


def test_a_page_of_a_hit_plays_a_small_file_that_is_there(library, bell, tmp_path):
    copy = tmp_path / "here.flac"
    shutil.copy(bell, copy)
    with sonovec.Library(tmp_path / "l", model="logmel") as other:
        other.add(copy)
        hit = other.search(copy, include_self=True)[0]
        assert "<audio" in hit._repr_html_() and "<audio" in other.tracks()[0]._repr_html_()
        assert "<audio" not in other.search(copy, include_self=True)._repr_html_()
        with copy.open("ab") as file:
            file.truncate(PLAYED + 1)
        assert "<audio" not in hit._repr_html_()
        copy.unlink()
        assert "<audio" not in hit._repr_html_() and "1.000" in hit._repr_html_()


def test_a_page_of_a_library_counts_and_says_why_it_cannot(library, tmp_path):
    page = library._repr_html_()
    assert f">{len(library)}<" in page and "sonovec-1" in page and ">main<" in page
    assert "no library here yet" in sonovec.Library(tmp_path / "none")._repr_html_()
    assert len(repr(library)) < 300
    broken = tmp_path / "broken"
    (broken / "tracks.lance").mkdir(parents=True)
    (broken / "sonovec.json").write_text("no JSON")
    assert "Library" in sonovec.Library(broken)._repr_html_()


def test_places_are_a_table_or_say_why_there_are_none(library, bell):
    found = library.find_places(bell, include_self=True)
    assert "0.0-" in found._repr_html_() and repr(found).startswith(f"PlaceSearch({len(found.hits)} places in ")
    none = library.find_places(bell, filter="duration > 1000")
    assert "no places: " in none._repr_html_() and repr(none).startswith("PlaceSearch(no places: no track matches")
