"""Tracks that are one recording are one hit, which counts them; different recordings never are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec import demo
from sonovec.cli.main import run
from sonovec.library.records import Track
from sonovec.library.versions import SPARE, fold

RATE = demo.RATE


def sound(seed, seconds=8):
    rng = np.random.default_rng(seed)
    kind = list(demo.KINDS.values())[seed % len(demo.KINDS)]
    parameters = {name: rng.uniform(*bounds) for name, bounds in kind.ranges.items()}
    samples = kind.synth(rng, np.arange(seconds * RATE) / RATE, **parameters)
    return 0.5 * samples / np.abs(samples).max()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight recordings; of the first four versions, of the second two, and one that only another tag makes another file."""
    folder = tmp_path_factory.mktemp("versions")
    (folder / "sounds").mkdir()

    def write(name, samples, **how):
        soundfile.write(folder / "sounds" / name, samples, RATE, **how)

    for seed in range(8):
        write(f"{seed}.wav", sound(seed))
    write("0 quiet.flac", 0.1 * sound(0))
    write("0.mp3", sound(0), format="MP3")
    write("0 cut.wav", sound(0)[RATE:])
    write("1.ogg", sound(1))
    with soundfile.SoundFile(folder / "sounds" / "2 tagged.wav", "w", RATE, 1) as file:
        file.title = "another title"
        file.write(sound(2))
    write("short.wav", sound(3)[:RATE])
    for name in ("with", "without"):
        with sonovec.Library(folder / name) as library:
            library.add(folder / "sounds", analysers=["fingerprint"] if name == "with" else [])
    return folder


def names(hits):
    return {Path(hit.path).name for hit in hits}


ZERO = {"0.wav", "0 quiet.flac", "0.mp3", "0 cut.wav"}


@pytest.mark.parametrize("level", ["track", "segment"])
def test_versions_are_one_hit_that_counts_them(folder, level):
    with sonovec.Library(folder / "with") as library:
        hits = library.search(folder / "sounds" / "7.wav", 20, level=level)
        everything = library.search(folder / "sounds" / "7.wav", 20, level=level, all_versions=True)
        assert len(everything) == len(library) - 1 and all(hit.versions == () for hit in everything)
        assert len(hits) == 8, "the recordings but for that of the query, and the short one"
        of_each = {frozenset(names([hit, *hit.versions])) for hit in hits if hit.versions}
        assert of_each == {frozenset(ZERO), frozenset({"1.wav", "1.ogg"}), frozenset({"2.wav", "2 tagged.wav"})}
        scores = {hit.id: hit.score for hit in everything}
        for hit in hits:
            best_first = [hit.score, *(version.score for version in hit.versions)]
            assert best_first == sorted(best_first, reverse=True)
            assert all(scores[each.id] == each.score for each in (hit, *hit.versions))


def test_a_limit_gives_so_many_recordings(folder):
    with sonovec.Library(folder / "with") as library:
        query = folder / "sounds" / "0.wav"
        folded = library.search(query, 20)
        for limit in (1, 2, 5):
            assert [hit.id for hit in library.search(query, limit)] == [hit.id for hit in folded[:limit]]
        assert names([folded[0], *folded[0].versions]) == ZERO - {"0.wav"}, "of the query's recording are others"


def test_without_fingerprints_only_the_same_samples_are_one(folder):
    with sonovec.Library(folder / "without") as library:
        hits = library.search(folder / "sounds" / "7.wav", 20)
        assert {frozenset(names([hit, *hit.versions])) for hit in hits if hit.versions} == {
            frozenset({"2.wav", "2 tagged.wav"})
        }
        assert library.search(folder / "sounds" / "7.wav", 20, all_versions=True) != hits


def test_words_find_recordings_too(folder):
    with sonovec.Library(folder / "with") as library:
        tag = next(iter(library.search(folder / "sounds" / "0.mp3", 1, include_self=True)[0].tags))
        one, every = (library.search_text(tag, 50, all_versions=all_versions).hits for all_versions in (False, True))
        folded = {version.id for hit in one for version in hit.versions}
        assert folded and {hit.id for hit in one} | folded == {hit.id for hit in every}
        assert [hit.id for hit in library.search_text(tag, 2).hits] == [hit.id for hit in one[:2]]


def test_the_command_counts_and_shows_them(folder, capsys):
    command = ["search", str(folder / "sounds" / "7.wav"), "-l", str(folder / "with"), "-n", "20"]
    assert run([*command, "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    (zero,) = [hit for hit in hits if len(hit["versions"]) == 3]
    assert {Path(each["path"]).name for each in [zero, *zero["versions"]]} == ZERO
    assert set(zero["versions"][0]) == {"id", "path", "score"}
    assert run(command) == 0
    header, *lines = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    place = header.index("versions")
    assert sorted(line[place] for line in lines if line[place]) == ["+1", "+1", "+3"]
    assert run([*command, "--all-versions"]) == 0
    header, *lines = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert "versions" not in header and len(lines) == 13


def test_more_versions_than_are_spared_do_not_take_the_place_of_other_recordings(tmp_path):
    (tmp_path / "sounds").mkdir()
    for level in range(2 * SPARE):
        soundfile.write(tmp_path / "sounds" / f"same {level:02}.wav", sound(0, 4) * 0.97**level, RATE)
    for seed in range(1, 4):
        soundfile.write(tmp_path / "sounds" / f"{seed}.wav", sound(seed, 4), RATE)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(tmp_path / "sounds", analysers=["fingerprint"])
        hits = library.search(tmp_path / "sounds" / "same 00.wav", 4)
        assert len(hits) == 4 and len(hits[0].versions) == 2 * SPARE - 2
        assert [hit.versions for hit in hits[1:]] == [()] * 3


def track(vector, **fields):
    return Track("id", np.array(vector, np.float32), {"path": "p", **fields})


def test_equal_vectors_are_one_recording_only_of_sounds_of_one_length():
    same = track([1, 2, 3], duration=5.0)
    assert fold([same, same]) == [[0, 1]]
    for other in (
        track([1, 2, 3], duration=5.01),
        track([1, 2, 3.1], duration=5.0),
        track([1, 2, 3], duration=5.0, silent=True),
        track([1, 2, 3]),
    ):
        assert fold([same, other, same]) == [[0, 2], [1]]
    long, silent, nothing = track([1, 2, 3], duration=600.0), track([1, 2, 3], duration=5.0, silent=True), track([0, 0])
    for one in (long, silent, nothing):
        assert fold([one, one]) == [[0], [1]]
    assert fold([]) == []


def test_a_column_of_the_users_own_that_is_called_fingerprint_says_nothing():
    assert fold([track([1, 0], fingerprint="thumb"), track([0, 1], fingerprint="thumb")]) == [[0], [1]]
