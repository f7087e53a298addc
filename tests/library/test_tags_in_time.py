"""A short sound in a long recording is found by words, with its seconds; libraries of former versions are brought there."""

from __future__ import annotations

import importlib.util
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec import demo
from sonovec.cli.main import run
from sonovec.errors import LibraryError, UsageError
from sonovec.library.store import Store

FORMER = Path(__file__).parent / "former"
#: Where the voice is in the long recording, in seconds.
SPOKEN = 127.0
HEARD = ("sound_tags", "sound_tags_scores", "sound_tags_means", "sound_tags_shares")


def noise(seconds, seed, level=0.005):
    samples = np.random.default_rng(seed).standard_normal(int(seconds * demo.RATE))
    return (level * samples).astype(np.float32)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Four minutes of noise with one voice in them, and a short noise."""
    folder = tmp_path_factory.mktemp("long")
    speech, _ = demo.clip("speech")
    long = noise(240, 0)
    at = int(SPOKEN * demo.RATE)
    long[at : at + len(speech)] += speech
    soundfile.write(folder / "long.flac", long, demo.RATE)
    soundfile.write(folder / "hiss.flac", noise(4, 1), demo.RATE)
    return folder


def numbers_of(fields, tag):
    place = fields["sound_tags"].index(tag)
    return [fields[name][place] for name in HEARD[1:]]


@pytest.mark.slow
def test_a_short_sound_in_a_long_one_is_found_by_words_with_its_seconds(location, sounds, capsys):
    with sonovec.Library(location) as library:
        library.add(sounds)
        (hit,) = [hit for hit in library.search_text("speech").hits if hit.score > 0.2]
        assert Path(hit.path).name == "long.flac"
        assert (hit.start, hit.end) == (120, 130), "the segment of 10 s in which it begins, and is loudest"
        score, mean, share = numbers_of(hit.fields, "Speech")
        assert hit.score == score == hit.tags["Speech"] and mean < 0.05
        assert share == pytest.approx(len(range(126, 132, 2)) / 120, abs=1e-5), "3.2 s touch three windows of 2 s"
        assert [Path(track.path).name for track in library.tracks("sound_tags has 'Speech' > 0.2")] == ["long.flac"]
        assert library.tracks(f"sound_tags has 'Speech' > {score}") == []
        assert library.search_text("speech").advice is None
    assert run(["search", "--text", "speech", "-l", location, "--json", "-n", "1"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["hits"]
    assert (told["start"], told["end"], told["score"]) == (120, 130, score)


def test_segments_of_hits_alone_are_read(sounds, tmp_path, monkeypatch):
    asked = []
    moments = Store.moments
    with sonovec.Library(tmp_path / "library") as library:
        library.add(sounds)
        monkeypatch.setattr(Store, "moments", lambda store, ids: moments(store, asked.append(list(ids)) or asked[-1]))
        (hit,) = library.search_text("noise", limit=1).hits
    assert asked == [[hit.id]]


# -- libraries of former versions


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_former", FORMER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["lance-builtin", "lite-json.db"])
def former(request, maker, tmp_path):
    """A library that a former version made with tags, and the folder of its sounds."""
    archive = "lance" if request.param == "lance-builtin" else "lite-json"
    with tarfile.open(FORMER / f"{archive}.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    maker.write_sounds(tmp_path / "music")
    return tmp_path / request.param, tmp_path / "music"


def test_a_former_library_answers_as_before_and_says_once_what_to_run(former, capsys):
    place, music = former
    with sonovec.Library(place) as library:
        before = library.search_text("sine wave")
        assert [hit.score for hit in before.hits] == sorted(
            (hit.tags["Sine wave"] for hit in before.hits), reverse=True
        )
        assert all((hit.start, hit.end) == (0, hit.fields["duration"]) for hit in before.hits)
        assert library.add(music).counts.indexed == 0, "nothing is embedded again unasked"
        again = library.search_text("sine wave")
        assert [(hit.id, hit.score) for hit in again.hits] == [(hit.id, hit.score) for hit in before.hits]
    assert run(["search", "--text", "sine wave", "-l", str(place)]) == 0
    err = capsys.readouterr().err
    assert err.count("--retag") == 1 and f"-l {place} --retag" in err and str(music) in err


def test_what_it_says_brings_the_tags_in_time_and_touches_nothing_else(former, capsys):
    place, music = former
    with sonovec.Library(place) as library:
        library.add(music)
        before = {track.id: track.fields for track in library.tracks()}
    assert run(["index", str(music), "-l", str(place), "--retag", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["indexed"] == len(before)
    with sonovec.Library(place) as library:
        after = {track.id: track.fields for track in library.tracks()}
        for id, fields in after.items():
            assert {name: value for name, value in fields.items() if name not in HEARD} == {
                name: value for name, value in before[id].items() if name not in HEARD
            }
            assert len({len(fields[name]) for name in HEARD}) == 1
        found = library.search_text("sine wave")
        assert found.advice is None and found.hits
        long = next(hit for hit in found.hits if hit.path.endswith("s4.wav"))
        if place.suffix != ".db":  # a collection keeps the fields that it was made with
            assert long.end - long.start <= 10 < long.fields["duration"]
        assert (library.retag(music).counts.indexed, library.add(music).counts.indexed) == (0, 0)


def test_a_retag_that_was_killed_before_its_last_step_is_taken_up(former, monkeypatch):
    place, music = former

    def killed(store, changes):
        raise LibraryError("killed")

    with sonovec.Library(place) as library:
        library.add(music)
        with monkeypatch.context() as patch, pytest.raises(LibraryError, match="killed"):
            patch.setattr(Store, "update", killed)
            library.retag(music)
        assert library.search_text("sine wave").advice
        assert library.retag(music).counts.indexed == 7
        assert library.search_text("sine wave").advice is None


def test_usage_of_retag(sounds, tmp_path, capsys):
    place = tmp_path / "library"
    assert run(["index", str(sounds), "-l", str(place), "--retag"]) == 2
    assert "no library here" in capsys.readouterr().err and not place.exists()
    assert run(["index", str(sounds), "-l", str(place), "--retag", "--prune"]) == 2
    assert "run it alone" in capsys.readouterr().err
    with sonovec.Library(place, model="logmel") as library:
        library.add(sounds / "hiss.flac")
        with pytest.raises(UsageError, match="'logmel' scores no classes"):
            library.retag(sounds)


def test_words_and_sounds_that_find_nothing_end_with_the_same_codes(sounds, tmp_path, capsys):
    """As docs/tags.md has it in a table."""
    place, sound = str(tmp_path / "library"), str(sounds / "hiss.flac")
    with sonovec.Library(place) as library:
        library.add(sounds)
    none = ["--filter", "duration > 9999"]
    for asked in (["--text", "noise", *none], [sound, *none], ["--text", "theremin"]):
        assert run(["search", *asked, "-l", place]) == 0
        assert capsys.readouterr().out.startswith("no hits: ")
    for asked in (["--text", "qqq"], [str(sounds / "gone.flac")]):
        assert run(["search", *asked, "-l", place]) == 2
        assert capsys.readouterr().out == ""


@pytest.mark.parametrize("target", ["other", pytest.param("other.db", marks=pytest.mark.slow)])
def test_tags_of_segments_are_exported_and_imported(target, sounds, tmp_path):
    with sonovec.Library(tmp_path / "library") as library:
        library.add(sounds)
        library.export(tmp_path / "export")
        (before, *_) = library.search_text("speech").hits
    with sonovec.Library(tmp_path / target) as other:
        other.import_(tmp_path / "export")
        (after, *_) = other.search_text("speech").hits
    assert (after.id, after.score, after.start, after.end) == (before.id, before.score, before.start, before.end)


@pytest.mark.parametrize("target", ["other", pytest.param("other.db", marks=pytest.mark.slow)])
@pytest.mark.parametrize("indexed", [False, True])
def test_a_former_library_is_exported_and_imported_without_them(former, indexed, target, tmp_path):
    place, music = former
    with sonovec.Library(place) as library:
        if indexed:
            library.add(music)
        library.export(tmp_path / "export")
        before = [hit.id for hit in library.search_text("sine wave").hits]
    with sonovec.Library(tmp_path / target) as other:
        other.import_(tmp_path / "export")
        found = other.search_text("sine wave")
        assert [hit.id for hit in found.hits] == before and found.advice
