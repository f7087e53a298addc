"""Playlists of a library: what is in them, and in which order."""

from __future__ import annotations

import shutil
from itertools import pairwise

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import LibraryError, UsageError
from sonovec.library.playlist.steps import Steps, Weights
from sonovec.music.keys import compatible
from tests.library.playlist.made import COUNT, RATE, number_of, tone


def path(folder, number):
    return folder / "sounds" / f"{number:02}.wav"


def numbers(made):
    return [number_of(track) for track in made]


def no_repeats(made):
    assert len({track.id for track in made}) == len(made)
    return made


def test_a_seed_is_followed_by_what_is_near_it(folder, library):
    made = no_repeats(library.playlist(path(folder, 10), limit=5))
    assert numbers(made)[0] == 10 and made.tracks[0].score == 1.0 and len(made) == 5
    assert set(numbers(made)) == {10, *(number_of(hit) for hit in library.search(path(folder, 10), 4))}
    assert made.tracks[0].step is None and all(track.step.cost >= 0 for track in made.tracks[1:])
    assert made == library.playlist(path(folder, 10), limit=5), "the same each time"


def test_seeds_are_not_averaged(folder, library):
    made = no_repeats(library.playlist([path(folder, 1), path(folder, 20)], limit=8))
    near = [{number_of(hit) for hit in library.search(path(folder, n), 6)} for n in (1, 20)]
    found = set(numbers(made)) - {1, 20}
    assert len(found) == 6 and found <= near[0] | near[1] and found & near[0] and found & near[1]


def test_seeds_can_be_left_out(folder, library):
    assert 10 not in numbers(library.playlist(path(folder, 10), limit=5, with_seeds=False))


def test_a_way_has_its_ends_and_even_steps(folder, library):
    made = no_repeats(library.playlist(path(folder, 2), to=path(folder, 20), limit=7, weights={"tempo": 0, "key": 0}))
    assert numbers(made)[0] == 2 and numbers(made)[-1] == 20 and len(made) == 7
    assert numbers(made) == sorted(numbers(made)), "tones get higher all along"
    steps = [track.step.sound for track in made.tracks[1:]]
    direct = Steps.of([_song(library, 2), _song(library, 20)], 1.0)
    assert max(steps) < 3 * np.mean(steps) and direct.sound[0, 1] > 0


def _song(library, number):
    from sonovec.library.playlist.songs import Song

    track = library.tracks(f"path contains '{number:02}.wav'", vectors=True)[0]
    return Song.of(track, track.path, "heard")


@pytest.mark.parametrize("shape", ["up", "down"])
def test_an_arc_of_tempo_goes_one_way(library, shape):
    made = no_repeats(library.playlist(arc=f"tempo={shape}", limit=10))
    tempos = [track.tempo for track in made]
    assert tempos == sorted(tempos, reverse=shape == "down") and tempos[0] != tempos[-1] and len(made) == 10


def test_an_arc_of_energy_goes_up_and_down(library):
    made = no_repeats(library.playlist(arc="energy=up-down", limit=9))
    energies = [track.fields["energy"] for track in made]
    top = energies.index(max(energies))
    assert 2 <= top <= 6
    assert energies[:top] == sorted(energies[:top]) and energies[top:] == sorted(energies[top:], reverse=True)


def test_an_arc_of_values_comes_near_them_and_says_where_it_cannot(library):
    made = library.playlist(arc="tempo=82,120,90", limit=9)
    tempos = [track.tempo for track in made]
    assert tempos[0] == pytest.approx(82, abs=4) and tempos[4] == pytest.approx(120, abs=6) and not made.notes
    far = library.playlist(arc="tempo=90,200", limit=5)
    assert any("asks for tempo 200" in note for note in far.notes)


def test_harmonic_mixing_goes_from_key_to_compatible_key(folder, library):
    made = no_repeats(library.playlist(path(folder, 0), harmonic=True, limit=8))
    assert len(made) == 8 and all(compatible(one.key, other.key) for one, other in pairwise(made))


def test_keys_that_do_not_mix_end_a_list_with_the_reason(folder, library):
    made = library.playlist(path(folder, 8), harmonic=True, filter="key in ('F# major', 'C major')", limit=9)
    assert {str(track.key) for track in made} == {"F# major"}
    assert any("no other track mixes with F# major (2B)" in note for note in made.notes)


def test_a_length_in_minutes_is_met(folder, library):
    made = no_repeats(library.playlist(path(folder, 10), minutes=0.2))
    assert made.seconds == pytest.approx(12, abs=2.1)
    assert library.playlist(arc="tempo=up", minutes=0.3).seconds == pytest.approx(18, abs=2.1)


def test_what_is_too_short_is_given_and_said(folder, library):
    made = no_repeats(library.playlist(path(folder, 10), minutes=30))
    assert len(made) == COUNT and any("minutes instead of 30" in note for note in made.notes)
    made = library.playlist(path(folder, 10), limit=50)
    assert len(made) == COUNT and any(f"{COUNT} tracks instead of 50" in note for note in made.notes)


def test_artists_have_a_limit(folder, library):
    for how in ({}, {"harmonic": True}, {"arc": "tempo=up"}, {"to": path(folder, 3)}):
        made = no_repeats(library.playlist(path(folder, 10), artist_limit=2, limit=6, **how))
        artists = [track.fields["artist"] for track in made]
        assert len(made) >= 4 and max(artists.count(each) for each in artists) <= 2, how


def test_a_list_grows_until_nothing_fits(folder, library):
    made = library.playlist(path(folder, 3), grow=True)
    assert made.min_score is not None and 1 < len(made) < COUNT
    assert all(track.score >= made.min_score for track in made)
    wider = library.playlist(path(folder, 3), grow=True, min_score=made.min_score - 0.02)
    assert set(numbers(made)) < set(numbers(wider))


def test_a_history_keeps_tracks_from_coming_again(folder, library, tmp_path):
    history = tmp_path / "played.txt"
    first, second = (library.playlist(arc="tempo=up", limit=8, history=history) for _ in range(2))
    assert not {track.id for track in first} & {track.id for track in second}
    assert len(history.read_text().splitlines()) == 1 + 16
    third = library.playlist(arc="tempo=up", limit=20, history=history)
    assert len(third) == COUNT - 1 - 16 and "not in the history" in third.notes[0]


def test_a_file_that_is_no_history_is_left_alone(folder, library, tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("Buy milk\n")
    with pytest.raises(UsageError, match=r"notes\.txt: is not a history of playlists \(line 1"):
        library.playlist(path(folder, 1), history=other)
    assert other.read_text() == "Buy milk\n"


def test_weights_change_the_order_and_are_shown(folder, library):
    by_key = library.playlist(path(folder, 0), limit=10, weights={"sound": 0, "tempo": 0})
    by_tempo = library.playlist(path(folder, 0), limit=10, weights={"sound": 0, "key": 0})
    assert by_key.weights == {"sound": 0.0, "tempo": 0.0, "key": 1.0}
    tempo = sum(track.step.tempo for track in by_tempo.tracks[1:])
    assert tempo < sum(track.step.tempo for track in by_key.tracks[1:])
    assert tempo == pytest.approx(sum(track.step.cost for track in by_tempo.tracks[1:]), abs=0.01)


def test_a_range_of_tempos_is_kept(folder, library):
    made = library.playlist(path(folder, 10), tempo="96..104", with_seeds=False)
    assert sorted(numbers(made)) == [8, 9, 11, 12]


def test_gapless_lists_have_cue_points(folder, library):
    made = library.playlist(path(folder, 10), gapless=True, limit=3)
    cues = made.tracks[0].cues
    assert (cues.start, cues.end, cues.fade_out, cues.last_downbeat) == (0.25, 1.75, 0.1, 1.5)
    assert made.tracks[0].seconds == 1.5 and made.tracks[0].item.start == 0.25


def test_a_seed_that_is_not_in_the_library_is_embedded_and_played(folder, library, tmp_path):
    soundfile.write(tmp_path / "new.wav", tone(7)[: -RATE // 4], RATE)
    made = library.playlist(tmp_path / "new.wav", limit=4)
    assert made.tracks[0].path == str(tmp_path / "new.wav") and made.tracks[0].seconds == pytest.approx(1.75)
    nearest = number_of(library.search(tmp_path / "new.wav", 1)[0])
    assert nearest in numbers(made.tracks[1:])
    assert any("embedded now" in note for note in made.notes)


def test_samples_are_seeds_that_cannot_be_played(folder, library):
    sound = (tone(7).astype(np.float32), RATE)
    made = library.playlist(sound, limit=4)
    assert set(numbers(made)) == {number_of(hit) for hit in library.search(sound, 4)}
    with pytest.raises(UsageError, match="neither a file nor a track"):
        library.playlist((tone(7).astype(np.float32), RATE), to=path(folder, 3))


def test_of_versions_of_one_recording_one_is_played(folder, tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for number in (1, 2, 3):
        shutil.copy(path(folder, number), sounds)
    soundfile.write(sounds / "02 again.flac", soundfile.read(path(folder, 2))[0], RATE)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds)
        assert len(library.playlist(sounds / "01.wav")) == 3


def test_the_condition_that_left_nothing_is_said(folder, library):
    made = library.playlist(arc="energy=up", filter="artist = 'A'", tempo="300..320")
    assert not made.tracks
    assert made.reason == (
        "of 24 tracks 6 match the filter \"artist = 'A'\"; of these none have a tempo from 300 to 320"
    )


def test_a_library_without_music_says_what_to_run(folder):
    with sonovec.Library(folder / "plain") as plain:
        made = plain.playlist(path(folder, 3), limit=4)
        assert len(made) == 4 and "--music" in made.notes[0] and "by sound alone" in made.notes[0]
        for how in ({"harmonic": True}, {"arc": "tempo=up"}, {"tempo": "90..100"}, {"arc": "energy=up"}):
            with pytest.raises(LibraryError, match=r"to hear it: sonovec index .* --music"):
                plain.playlist(path(folder, 3), **how)
        with pytest.raises(LibraryError, match="cue points"):
            plain.playlist(path(folder, 3), gapless=True)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({}, "nothing says what is to be played"),
        ({"limit": 5, "minutes": 5, "arc": "tempo=up"}, "two lengths of one list"),
        ({"minutes": -1}, "minutes=-1"),
        ({"minutes": float("nan")}, "minutes=nan"),
        ({"limit": 0}, "limit=0"),
        ({"arc": "tempo"}, "is not an arc"),
        ({"arc": "tempo=sideways"}, "is not an arc"),
        ({"arc": "tempo=5,500"}, "tempos are from 20 to 400"),
        ({"arc": "tempo=90,140", "tempo": "80..100"}, "the arc asks for a tempo of 140"),
        ({"grow": True}, "needs seeds"),
        ({"to": "x.wav"}, "begins at one seed"),
        ({"arc": "tempo=up", "artist_limit": 0}, "artist_limit=0"),
        ({"arc": "tempo=up", "weights": {"mood": 1}}, "there is no 'mood'"),
        ({"arc": "tempo=up", "weights": {"key": -1}}, "key=-1"),
        ({"arc": "tempo=up", "prefer": "mine"}, "prefer='mine'"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(library, how, told):
    with pytest.raises(UsageError, match=told):
        library.playlist(**how)


def test_a_way_needs_two_tracks(folder, library):
    with pytest.raises(UsageError, match="give limit=2"):
        library.playlist(path(folder, 1), to=path(folder, 2), limit=1)
    assert numbers(library.playlist(path(folder, 1), to=path(folder, 5), limit=2)) == [1, 5]


def test_all_weights_at_zero_are_refused():
    with pytest.raises(UsageError, match="all are 0"):
        Weights.of({"sound": 0, "tempo": 0, "key": 0})
