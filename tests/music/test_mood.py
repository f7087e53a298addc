"""The analyser `mood`: in libraries of the built-in encoder, of others, and where MusiCNN was fetched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.analysis.listening import suited
from sonovec.errors import PassportError
from sonovec.music import mood as module
from sonovec.music import musicnn
from sonovec.music.columns import AROUSAL, MOODS, VALENCE
from sonovec.music.mood import WITH_MUSICNN, Mood, MusicnnMood, SoundMood

RATE = 32000


def tune(seconds, beats_per_second=2.0, seed=0):
    """Notes of a plucked string over a bass, which the encoder takes for music."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * RATE), np.float32)
    for place in np.arange(0, seconds, 1 / beats_per_second):
        for hertz in (110.0, 220 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11]) / 12)):
            times = np.arange(min(RATE, len(sound) - round(place * RATE))) / RATE
            note = sum(np.sin(2 * np.pi * hertz * k * times) / k**1.5 for k in range(1, 9)) * np.exp(-3 * times)
            sound[round(place * RATE) :][: len(note)] += (0.1 * note).astype(np.float32)
    return sound


@pytest.fixture
def sounds(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "sounds").mkdir()
    for name, samples in {
        "tune": tune(12),
        "silence": np.zeros(5 * RATE),
        "noise": rng.standard_normal(5 * RATE) / 10,
        "short": tune(0.3),
    }.items():
        soundfile.write(tmp_path / "sounds" / f"{name}.wav", samples, RATE)
    return tmp_path / "sounds"


def columns(library):
    tracks = library.tracks()
    return {Path(each.path).stem: [each.fields[name] for name in (VALENCE, AROUSAL, MOODS)] for each in tracks}


def test_tracks_that_are_there_are_heard_without_their_sound_and_once(tmp_path, sounds):
    with sonovec.Library(tmp_path / "library") as library:
        library.add(sounds)
        for sound in sounds.iterdir():
            sound.unlink()
        assert library.analyse([Mood]).heard == 4
        found = columns(library)
        assert library.analyse([Mood]).heard == 0
        assert all(library.ledger.analyses(track.id)["mood"].version == Mood.version for track in library.tracks())
    valence, arousal, moods = found["tune"]
    assert 0 <= valence <= 1 and 0 <= arousal <= 1 and isinstance(moods, list)
    assert found["silence"] == found["noise"] == [None, None, None], "what is no music has no mood"


def test_libraries_of_other_encoders_hear_the_same_from_the_sound(tmp_path, sounds):
    with sonovec.Library(tmp_path / "library") as library:
        library.add(sounds, analysers=[Mood])
        expected = columns(library)
    with sonovec.Library(tmp_path / "other", model="logmel") as library:
        assert library.add(sounds, analysers=[Mood]).notes == []
        found = columns(library)
        assert len(library.tracks(f"{VALENCE} >= 0")) == sum(each[0] is not None for each in expected.values())
    for name, (valence, arousal, moods) in expected.items():
        assert found[name] == [
            valence and pytest.approx(valence, abs=0.02),
            arousal and pytest.approx(arousal, abs=0.02),
            moods,
        ]


def test_blocks_of_any_size_give_the_same():
    sound = tune(23)
    found = []
    for size in (1000, 77_777, len(sound)):
        heard = SoundMood()
        heard.begin(RATE, 1)
        for first in range(0, len(sound), size):
            heard.push(sound[first : first + size])
        found.append(heard.finish().columns)
    assert found[0] == found[1] == found[2] and found[0][VALENCE] is not None


def test_which_class_hears_what(monkeypatch):
    ours, theirs = sonovec.load("default").passport, sonovec.load("logmel").passport
    monkeypatch.setattr(musicnn, "is_fetched", lambda: False)
    assert suited([Mood], ours) == [Mood] and suited([Mood], theirs) == [SoundMood]
    monkeypatch.setattr(musicnn, "is_fetched", lambda: True)
    assert suited([Mood], ours) == suited([Mood], theirs) == [MusicnnMood]
    assert MusicnnMood.version == WITH_MUSICNN in Mood.as_good, "what MusiCNN heard is not replaced by the head's"
    assert not MusicnnMood.as_good and Mood.version == SoundMood.version
    with pytest.raises(PassportError, match="hears vectors of 'sonovec-1', and these are of 'logmel'"):
        Mood().begin(theirs)


def test_weights_in_the_cache_count_as_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("SONOVEC_CACHE", str(tmp_path))
    assert not musicnn.is_fetched()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / musicnn.WHEEL.name).write_bytes(b"")
    assert musicnn.is_fetched() == (module.musicnn.find_spec("torch") is not None)


def test_a_tune_in_much_speechless_noise_has_no_mood_and_half_of_it_has(tmp_path):
    noise = (np.random.default_rng(0).standard_normal(92 * RATE) / 10).astype(np.float32)
    for seconds, has in ((92, False), (10, True)):
        heard = SoundMood()
        heard.begin(RATE, 1)
        heard.push(tune(10.24))
        heard.push(noise[: seconds * RATE])
        assert (heard.finish().columns != {}) == has


@pytest.mark.data
def test_speech_has_no_mood_and_a_waltz_and_ragtime_have_what_they_are_called(tmp_path, shared_data, monkeypatch):
    monkeypatch.setattr(musicnn, "is_fetched", lambda: False)
    speech = sorted((shared_data / "train" / "kathleen").glob("*.opus"))[:5]
    songs = [next((shared_data / "music").glob(f"*{name}*.ogg")) for name in ("sweet-waltz", "happy-music")]
    assert len(speech) == 5
    with sonovec.Library(tmp_path / "library") as library:
        library.add([*speech, *songs], analysers=[Mood])
        found = columns(library)
    assert all(found[sound.stem] == [None, None, None] for sound in speech)
    waltz, ragtime = (found[song.stem] for song in songs)
    assert "happy" in ragtime[2] and "calm" in waltz[2] and waltz[1] < ragtime[1]
