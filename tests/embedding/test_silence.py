"""A sound that is silent, nearly silent or mostly silent is known as such by the levels of its windows."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.audio.stream import load
from sonovec.cli.main import run
from sonovec.embedding.silence import QUIET

RATE = 16000
RNG = np.random.default_rng(0)


def noise(level, seconds=6.0):
    """White noise of a mean power in dB of full scale."""
    return 10 ** (level / 20) * RNG.standard_normal(int(seconds * RATE))


def hum(level, seconds=6.0):
    return 10 ** (level / 20) * np.sqrt(2) * np.sin(2 * np.pi * 50 * np.arange(int(seconds * RATE)) / RATE)


def dither(seconds=6.0):
    count = int(seconds * RATE)
    return np.round(RNG.random(count) + RNG.random(count) - 1) / 32768 * 6


def click(level, seconds=6.0):
    samples = np.zeros(int(seconds * RATE))
    samples[len(samples) // 2] = 10 ** (level / 20)
    return samples


KINDS = {
    "zeros": (np.zeros(6 * RATE), "silent"),
    "dither at -80 dBFS": (dither(), "nearly silent"),
    "a hum at -75 dBFS": (hum(-75), "nearly silent"),
    "a click that is hardly there": (click(-40), "nearly silent"),
    "one click in silence": (click(-6), "mostly silent"),
    "a sound in silence": (np.concatenate([noise(-20, 2), np.zeros(8 * RATE)]), "mostly silent"),
    "a sound with silence behind it": (np.concatenate([noise(-20, 6), np.zeros(4 * RATE)]), None),
    "a quiet sound": (noise(-60), None),
    "a hum": (hum(-60), None),
}


@pytest.fixture(scope="module")
def encoder():
    return sonovec.load("default")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The kinds as files, and a library of them and of noise."""
    folder = tmp_path_factory.mktemp("silence")
    (folder / "sounds").mkdir()
    for name, (samples, _) in KINDS.items():
        soundfile.write(folder / "sounds" / f"{name}.wav", samples, RATE, subtype="FLOAT")
    with sonovec.Library(folder / "library") as library:
        library.add(folder / "sounds")
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_known(encoder, name):
    samples, expected = KINDS[name]
    told = encoder.embed((samples.astype(np.float32), RATE)).silence
    assert told == expected if expected in (None, "silent") else told.startswith(f"{expected} (")


def test_levels_are_those_of_the_windows(encoder):
    levels = encoder.embed((np.concatenate([noise(-30, 4), hum(-50, 4), np.zeros(3 * RATE)]), RATE)).levels
    np.testing.assert_allclose(levels[[0, 1, 2, 3]], [-30, -30, -50, -50], atol=0.5)
    assert levels[5] == -np.inf
    half = encoder.embed((noise(-30, 1), RATE)).levels
    np.testing.assert_allclose(half, -30, atol=0.5)  # what is padding does not count


@pytest.mark.parametrize("name", KINDS)
def test_a_search_says_so_of_a_file_of_a_track_and_of_samples(folder, name, caplog):
    samples, expected = KINDS[name]
    with sonovec.Library(folder / "library") as library:
        (track,) = (track.id for track in library.tracks(f"path contains '/{name}.wav'"))
        for query in (folder / "sounds" / f"{name}.wav", track, (samples.astype(np.float32), RATE)):
            caplog.clear()
            notes = library.search(query).notes
            told = [record.getMessage() for record in caplog.records if "the query is" in record.getMessage()]
            assert list(notes) == told and len(notes) == (expected is not None)
            assert all(note.startswith(f"the query is {expected}") for note in notes)


def test_a_silent_part_of_a_sound_says_so(folder):
    with sonovec.Library(folder / "library") as library:
        sound = folder / "sounds" / "a sound in silence.wav"
        assert library.search(sound, end=2.0).notes == ()
        assert library.search(sound, start=4.0).notes[0].startswith("the query is silent: ")
        assert library.find_places(sound, start=4.0).notes[0].startswith("the query is silent: ")
        assert library.find_places(sound).notes == (), "only its sound is looked for"
        quiet = library.find_places(folder / "sounds" / "a hum at -75 dBFS.wav", min_score=0.0)
        assert quiet.notes[0].startswith("the query is nearly silent (-75 dBFS at the loudest): ")


@pytest.mark.parametrize("more", [[], ["--places"]])
def test_the_command_warns_and_json_has_notes(folder, capsys, more):
    command = ["search", "-l", str(folder / "library"), *more, "--json"]
    assert run([*command, str(folder / "sounds" / "dither at -80 dBFS.wav")]) == 0
    told = capsys.readouterr()
    (note,) = json.loads(told.out)["notes"]
    assert note.startswith("the query is nearly silent (-8") and told.err.count(note) == 1
    assert run([*command, str(folder / "sounds" / "a quiet sound.wav")]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []


@pytest.mark.data
def test_below_the_threshold_vectors_are_less_and_less_of_their_sounds(shared_data, encoder):
    """Which is why it lies there: 10 dB above it a vector hardly moved, 20 dB below it has little of it left."""
    paths = sorted((shared_data / "train" / "berklee").glob("*.opus"))[::120][:16]
    sounds = [load(path, encoder.rate).samples[: 4 * encoder.rate] for path in paths]

    def likeness(level):
        found = []
        for sound in sounds:
            scaled = [sound * 10 ** (to / 20) / np.sqrt(np.mean(sound**2)) for to in (-20, level)]
            loud, quiet = (encoder.embed((each.astype(np.float32), encoder.rate)).vector for each in scaled)
            found.append(loud @ quiet / np.linalg.norm(loud) / np.linalg.norm(quiet))
        return np.median(found)

    assert likeness(QUIET + 10) > 0.9 > 0.7 > likeness(QUIET - 20)
