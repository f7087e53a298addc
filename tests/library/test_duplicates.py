"""Recordings that are there several times: in files with one content, in other encodings, and never by mistake."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import sonovec
from sonovec.analysis.fingerprint import Fingerprint
from sonovec.analysis.likeness import likeness
from sonovec.analysis.speeds import Sped
from sonovec.errors import UsageError
from sonovec.jobs import Job
from sonovec.library import duplicates
from sonovec.library.duplicates import find
from sonovec.library.records import Track
from tests.analysis.test_quiet import words
from tests.library.test_versions import RATE, sound


def write_sounds(folder):
    """Five recordings, three of which are there several times."""
    folder.mkdir()

    def write(name, samples, **how):
        soundfile.write(folder / name, samples, RATE, **how)

    for seed in range(5):
        write(f"{seed}.wav", sound(seed))
    shutil.copy(folder / "0.wav", folder / "0 copy.wav")
    write("0 beginning.flac", sound(0)[: 5 * RATE])
    write("0 quiet.ogg", 0.3 * sound(0))
    write("0.mp3", sound(0), format="MP3", compression_level=0.9)
    write("1.flac", sound(1))
    shutil.copy(folder / "2.wav", folder / "2 again.wav")
    write("short.wav", sound(4)[:RATE])
    write("silent.wav", np.zeros(5 * RATE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("duplicates")
    write_sounds(folder / "sounds")
    for name, analysers in (("with", ["fingerprint"]), ("without", [])):
        with sonovec.Library(folder / name, model="logmel") as library:
            library.add(folder / "sounds", analysers=analysers)
    return folder


def names(group):
    return [(Path(each.path).name, *(Path(copy).name for copy in each.copies)) for each in group]


def test_groups_have_the_one_to_keep_first(folder):
    with sonovec.Library(folder / "with") as library:
        found = library.duplicates()
        zero, one, two = map(names, found.groups)
        assert sorted(zero[0]) == ["0 copy.wav", "0.wav"], "whole, and lossless"
        assert {name for (name,) in zero[1:3]} == {"0 quiet.ogg", "0.mp3"}
        assert zero[3] == ("0 beginning.flac",), "what is cut comes last, though it is lossless"
        bits = [each.bitrate for each in found.groups[0][1:3]]
        assert bits == sorted(bits, reverse=True)
        assert one == [("1.wav",), ("1.flac",)] and found.groups[1][0].lossless, (
            "of two without loss that with more bits"
        )
        assert [sorted(each) for each in two] == [["2 again.wav", "2.wav"]]
        assert (found.unknown, found.tracks) == (0, len(library)), "short and silent sounds have not a fingerprint"
        flac = found.groups[1][1]
        assert flac.codec == "flac" and flac.size == (folder / "sounds" / "1.flac").stat().st_size
        assert flac.bitrate == pytest.approx(8 * flac.size / 8, rel=0.01)
        assert flac.to_json()["copies"] == [] and flac.to_json()["bitrate"] == flac.bitrate


def test_without_fingerprints_files_with_one_content_are_found_and_the_others_counted(folder):
    with sonovec.Library(folder / "without") as library:
        found = library.duplicates()
        assert [sorted(each) for group in found.groups for each in names(group)] == [
            ["0 copy.wav", "0.wav"],
            ["2 again.wav", "2.wav"],
        ]
        assert found.unknown == len(library) - 2


def test_a_filter_chooses_among_the_tracks(folder):
    with sonovec.Library(folder / "with") as library:
        found = library.duplicates("path contains '0' and path not contains 'wav'")
        assert {name for each in names(found.groups[0]) for name in each} == {
            "0 beginning.flac",
            "0 quiet.ogg",
            "0.mp3",
        }
        assert len(found.groups) == 1
        with pytest.raises(UsageError, match="nope"):
            library.duplicates("nope = 1")


def test_nothing_is_removed(folder):
    before = {path: path.read_bytes() for path in (folder / "sounds").iterdir()}
    with sonovec.Library(folder / "with") as library:
        tracks = len(library)
        library.duplicates()
        assert len(library) == tracks
    assert {path: path.read_bytes() for path in (folder / "sounds").iterdir()} == before


def test_an_empty_library_has_none(tmp_path):
    assert find([], [], Job()).groups == []


def test_tracks_without_facts_are_no_error():
    tracks = [Track(id, np.empty(0, np.float32), {"path": id}) for id in "ab"]
    assert find(tracks, [], Job()).groups == []


def test_speeds_starts_and_parts(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    noises = [np.random.default_rng(seed).standard_normal(8 * RATE) / 9 for seed in range(4)]
    soundfile.write(sounds / "a.wav", noises[0], RATE)
    soundfile.write(sounds / "a slower.wav", soxr.resample(noises[0], 0.96 * RATE, RATE), RATE)
    soundfile.write(sounds / "b.wav", noises[1], RATE)
    soundfile.write(sounds / "b later.wav", np.concatenate([np.zeros(4 * RATE), noises[1]]), RATE)
    soundfile.write(sounds / "c within.wav", np.concatenate([*noises[2:], noises[2][::-1], noises[3][::-1]]), RATE)
    soundfile.write(sounds / "c.wav", noises[3], RATE)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds, analysers=["fingerprint"])
        found = library.duplicates()
        assert sorted(sorted(Path(each.path).name for each in group) for group in found.groups) == [
            ["a slower.wav", "a.wav"],
            ["b later.wav", "b.wav"],
        ]
        by_name = {Path(each.path).name: each for group in found.groups for each in group}
        speeds = by_name["a.wav"].speed, by_name["a slower.wav"].speed
        assert sorted(speeds) in (pytest.approx([1, 1.04], abs=0.01), pytest.approx([0.96, 1], abs=0.01))
        assert by_name["b.wav"].offset == pytest.approx(4, abs=0.2) and by_name["b.wav"].speed == 1
        (part,) = found.overlaps
        assert [Path(path).name for path in (part.path, part.other_path)] == ["c within.wav", "c.wav"] and part.within
        assert (part.start, part.end) == (pytest.approx(8, abs=0.3), pytest.approx(16, abs=0.6))
        assert part.other_start == 0 and part.to_json()["within"] is True


def test_at_one_speed_what_is_less_alike_is_one_recording_only_if_it_is_as_long(monkeypatch):
    """A poor encoding leaves a sound as long as it was; two takes of a phrase are not as long."""
    monkeypatch.setattr(duplicates, "overlaps", lambda *given: [])  # which these have, and takes have not
    rng = np.random.default_rng(0)
    clean, noise = rng.standard_normal((2, 9 * RATE)) / 9

    def track(id, samples):
        analyser = Fingerprint()
        analyser.begin(RATE, 1)
        analyser.push(samples.astype(np.float32))
        fields = {**analyser.finish().columns, "path": id, "duration": len(samples) / RATE}
        return Track(id, np.ones(4, np.float32), fields)

    one = track("one", clean[: 8 * RATE])
    poor = next(
        clean + gain * noise
        for gain in np.linspace(0.2, 1.5, 40)
        if likeness(
            one.fields["fingerprint"], track("", (clean + gain * noise)[: 8 * RATE]).fields["fingerprint"]
        ) < 0.73
    )  # fmt: skip
    for seconds, count in ((8, 1), (8.5, 0)):
        other = track("other", poor[: round(seconds * RATE)])
        assert 0.69 < likeness(one.fields["fingerprint"], other.fields["fingerprint"]) < 0.75
        assert len(find([one, other], [], Job()).groups) == count


@pytest.mark.parametrize(("faster", "keeps_pitch", "count"), [(1.05, True, 1), (1.08, True, 0), (1.08, False, 1)])
def test_a_tempo_alone_that_is_less_alike_needs_the_length_that_goes_with_it(monkeypatch, faster, keeps_pitch, count):
    """Phrases of the same notes in two articulations are as alike, and not as long; a speed may have cut ends."""
    speed = {"one": 1.05, "other": 1 / 1.05}
    monkeypatch.setattr(duplicates, "at_another_speed", lambda codes, fine: Sped(speed[fine], keeps_pitch, 0.71, 0.0))
    monkeypatch.setattr(duplicates, "_fine_in", lambda fields: {"one": "other", "other": "one"}[fields["path"]])
    monkeypatch.setattr(duplicates, "codes_in", lambda fields: np.full(30, len(fields["path"]), np.uint32))
    tracks = [
        Track(id, np.ones(4, np.float32), {"path": id, "duration": seconds})
        for id, seconds in (("one", 9.0), ("other", 9.0 / faster))
    ]
    assert len(find(tracks, [], Job()).groups) == count


def test_poor_copies_of_a_few_words_between_pauses(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for seed in range(3):
        soundfile.write(sounds / f"{seed}.wav", words(seed), 16000)
        soundfile.write(sounds / f"{seed} quiet.wav", 0.1 * words(seed), 16000)
        soundfile.write(sounds / f"{seed}.mp3", words(seed), 16000, format="MP3", compression_level=0.99)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds, analysers=["fingerprint"])
        found = library.duplicates()
        groups = [sorted(Path(each.path).name for each in group) for group in found.groups]
        assert sorted(groups) == [[f"{n} quiet.wav", f"{n}.mp3", f"{n}.wav"] for n in range(3)]
        assert {(each.speed, each.offset) for group in found.groups for each in group} == {(1.0, 0.0)}
        former = [
            replace(track, fields={**track.fields, "fingerprint_levels": None})
            for track in library.tracks(vectors=True)
        ]
    found = find(former, [], Job())
    assert found.coarse == len(former) and all(len(group) < 3 for group in found.groups), "missed without levels"


def test_what_has_all_its_treble_is_kept_rather_than_what_is_lossless(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    soundfile.write(sounds / "full.ogg", sound(0), RATE)
    soundfile.write(sounds / "dull.wav", soxr.resample(soxr.resample(sound(0), RATE, 8000), 8000, RATE), RATE)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds, analysers=["fingerprint", "bandwidth"])
        ((first, second),) = library.duplicates().groups
        assert first.path.endswith("full.ogg") and second.bandwidth < 0.9 * first.bandwidth


def test_a_fingerprint_of_an_earlier_version_is_told(folder):
    with sonovec.Library(folder / "with") as library:
        tracks = library.tracks(vectors=True)
    told = sum(track.fields["fingerprint"] is not None for track in tracks)
    for column in ("fingerprint_fine", "fingerprint_levels"):
        found = find([replace(track, fields={**track.fields, column: None}) for track in tracks], [], Job())
        assert found.coarse == told > 0
    assert find(tracks, [], Job()).coarse == 0
