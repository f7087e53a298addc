"""Loops that fit: what they need to come to a tempo and a key, and which seconds they are."""

from __future__ import annotations

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from sonovec.errors import LibraryError, UsageError
from sonovec.music.fitting import moved, stretch, transposition, whole_beats
from sonovec.music.keys import Key, compatible
from tests.library.playlist.made import RATE, number_of, tone
from tests.library.playlist.test_playlists import path

tempos = st.floats(20, 400)
keys = st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor"]))


@given(tempo=tempos, wanted=tempos)
def test_a_stretch_comes_to_the_tempo_its_half_or_its_double(tempo, wanted):
    found = stretch(tempo, wanted)
    assert tempo * (1 + found.percent / 100) == pytest.approx(wanted * found.ratio, rel=1e-5)


@settings(max_examples=40)
@given(key=keys, wanted=keys)
def test_a_transposition_mixes_and_no_smaller_one_does(key, wanted):
    found = transposition(key, wanted)
    assert compatible(moved(key, found), wanted)
    smaller = range(-abs(found) + 1, abs(found))
    assert not any(compatible(moved(key, each), wanted) for each in smaller)


def test_loops_are_near_in_tempo_and_say_what_they_need(folder, library):
    found = library.loops(path(folder, 10), max_stretch=5)
    assert found.tempo == 100 and str(found.key) == "C major" and len(found) >= 3
    for loop in found:
        assert abs(loop.stretch) <= 5 and abs(loop.transpose or 0) <= 2
        assert loop.tempo * (1 + loop.stretch / 100) == pytest.approx(100 * loop.ratio, rel=1e-3)
    assert 10 not in [number_of(loop) for loop in found]
    assert 10 in [number_of(loop) for loop in library.loops(path(folder, 10), include_self=True)]
    scores = [loop.score for loop in found]
    assert scores == sorted(scores, reverse=True)


def test_half_and_double_tempo_fit(folder, library):
    found = library.loops(path(folder, 0), tempo=200, key="C major", max_stretch=1, max_transpose=6)
    assert {(number_of(loop), loop.ratio) for loop in found} == {(10, 0.5)}


def test_what_needs_least_comes_first_where_that_is_asked_for(folder, library):
    found = library.loops(path(folder, 10), order="fit", max_transpose=6)
    needs = [(abs(loop.transpose or 0), abs(loop.stretch)) for loop in found]
    assert needs == sorted(needs) and len(found) > 3


def test_bars_tell_the_tempo_and_are_whole_by_the_downbeats(folder, library):
    found = library.loops(path(folder, 10), start=0, end=1.5, bars=1, key="C major", max_transpose=6, max_stretch=50)
    assert found.tempo == 160
    assert len(found) and all(loop.bars and loop.end - loop.start in (0.5, 1.0) for loop in found)


def test_a_part_is_answered_by_parts_of_as_many_bars(folder, library):
    found = library.loops(path(folder, 10), start=0, end=1.9, tempo=126, key="C major", max_transpose=6, max_stretch=20)
    assert len(found) and {loop.bars for loop in found} == {1.0}
    assert {round(loop.end - loop.start, 3) for loop in found} == {0.5}


def test_drums_without_a_key_fit_any(tmp_path):
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "drums.wav", tone(3), RATE)
    (tmp_path / "table.csv").write_text("path,tempo\ndrums.wav,120\n")
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(tmp_path / "sounds", metadata=tmp_path / "table.csv")
        (loop,) = library.loops(tmp_path / "sounds" / "drums.wav", key="A minor", include_self=True)
    assert loop.key is None and loop.transpose is None
    assert (loop.start, loop.end, loop.bars) == (0.0, 2.0, 1.0), "all of it is four beats"


@pytest.mark.parametrize(("seconds", "expected"), [(2.0, (0.0, 2.0, 1.0)), (1.9, (0.5, 1.5, 1.0))])
def test_a_loop_is_taken_whole_wherever_a_bar_is_heard_to_begin(tmp_path, seconds, expected):
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "loop.wav", tone(3, seconds), RATE)
    (tmp_path / "table.csv").write_text("path,tempo,downbeats\nloop.wav,120,0.50 1.50\n")
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(tmp_path / "sounds", metadata=tmp_path / "table.csv")
        (loop,) = library.loops(tmp_path / "sounds" / "loop.wav", key="A minor", include_self=True)
    assert (loop.start, loop.end, loop.bars) == expected


def test_a_query_that_is_not_in_the_library_is_told_its_tempo(folder, library, tmp_path):
    soundfile.write(tmp_path / "new.wav", tone(5)[:-100], RATE)
    with pytest.raises(UsageError, match=r"give it, such as --tempo 120"):
        library.loops(tmp_path / "new.wav")
    found = library.loops(tmp_path / "new.wav", tempo=90)
    assert 5 in [number_of(loop) for loop in found] and "keys do not matter" in found.notes[-1]


def test_the_condition_that_left_nothing_is_said(folder, library):
    assert "none come to 300 beats a minute" in library.loops(path(folder, 1), tempo=300, max_stretch=1).reason
    found = library.loops(path(folder, 10), tempo=96, key="Bb minor", max_stretch=0.1, max_transpose=0)
    assert not found.hits and "none mix with Bb minor (3A)" in found.reason


def test_a_library_without_tempos_says_what_to_run(folder):
    with sonovec.Library(folder / "plain") as plain, pytest.raises(LibraryError, match="--music"):
        plain.loops(path(folder, 1))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"tempo": 5}, "tempo=5"),
        ({"key": "H moll"}, "is not a key"),
        ({"max_stretch": 99}, "max_stretch=99"),
        ({"max_transpose": 9}, "max_transpose=9"),
        ({"bars": 0}, "bars=0"),
        ({"bars": 64}, "which no music has"),
        ({"order": "size"}, "order='size'"),
        ({"limit": -1}, "limit=-1"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(folder, library, how, told):
    with pytest.raises(UsageError, match=told):
        library.loops(path(folder, 1), **how)


def test_a_length_holds_whole_beats_or_none():
    assert whole_beats(4.0, 120) == 8 and whole_beats(4.1, 120) is None
