"""What can be searched for, and what is said of what cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec import demo
from sonovec.errors import PassportError, UsageError
from sonovec.library.binding import check_embedding
from sonovec.library.records import Space

WAVEFORM = np.zeros(16_000, np.float32)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return demo.write(tmp_path_factory.mktemp("sounds"), per_kind=1)


@pytest.fixture(scope="module")
def library(paths, tmp_path_factory):
    made = sonovec.Library(tmp_path_factory.mktemp("library") / "l", model="logmel", segment_seconds=2)
    made.add(paths[0].parents[1])
    return made


@pytest.mark.parametrize("level", ["track", "segment"])
def test_an_embedding_finds_what_its_sound_finds(library, paths, level):
    e = library.encoder.embed(paths[3])
    for include_self in (False, True):
        by_sound = library.search(paths[3], 5, level=level, include_self=include_self)
        found = library.search(e, 5, level=level, include_self=include_self)
        assert [hit.to_json() for hit in found] == [hit.to_json() for hit in by_sound]
        assert (by_sound[0].score == 1) == include_self


def test_places_of_an_embedding_are_those_of_its_sound(library, paths):
    for include_self in (False, True):
        found = library.find_places(library.encoder.embed(paths[3]), include_self=include_self)
        assert found == library.find_places(paths[3], include_self=include_self)
        assert any(place.path == str(paths[3]) for place in found.hits) == include_self


def test_an_embedding_of_samples_in_memory_will_do(library):
    samples, _ = demo.clip("bells", 7)
    sound = (samples, demo.RATE)
    expected = [hit.id for hit in library.search(sound, 3)]
    assert [hit.id for hit in library.search(library.encoder.embed(sound), 3)] == expected


@pytest.mark.parametrize("ask", ["search", "find_places"])
def test_an_embedding_of_another_kind_is_refused_with_the_call_that_works(library, paths, ask):
    other = sonovec.load("default").embed(paths[0])
    with pytest.raises(
        PassportError, match=r"model is 'logmel' there and 'sonovec-1' here.*encoder_of\('main'\).embed"
    ):
        getattr(library, ask)(other)
    half = sonovec.load("logmel", hop=0.5).embed(paths[0])
    with pytest.raises(PassportError, match="hop is 16000 there and 8000 here"):
        getattr(library, ask)(half)
    low = replace(half, passport=replace(library.encoder.passport, precision="bf16"))
    assert getattr(library, ask)(low), "a precision in floating point may differ"
    with pytest.raises(UsageError, match=r"start=1.*an embedding has seconds of its own"):
        getattr(library, ask)(library.encoder.embed(paths[0]), start=1)


def test_a_space_of_an_analyser_takes_no_embedding(library):
    space = Space("rhythm", 192, {"analyser": "rhythm", "version": "1"}, 2.0, "rhythm")
    with pytest.raises(UsageError, match="space 'rhythm' is filled by an analyser; search for the sound"):
        check_embedding(space, library.encoder.passport)


@pytest.mark.parametrize("ask", ["search", "find_places"])
@pytest.mark.parametrize(
    "array", [WAVEFORM, np.zeros((2, 16_000)), np.zeros((192, 1)), np.full(192, np.nan), np.float32(3)]
)
def test_a_bare_array_says_what_to_do(library, ask, array):
    with pytest.raises(
        UsageError, match=r"is not a vector of 192 finite numbers.*\(samples, rate\), such as \(x, 16000\)"
    ):
        getattr(library, ask)(array)


@pytest.mark.parametrize("ask", ["search", "find_places"])
@pytest.mark.parametrize(
    "query", [None, 3, [0.1, 0.2], b"a.wav", {"path": "a.wav"}, object()], ids=lambda query: type(query).__name__
)
def test_what_is_no_query_is_refused_with_what_is_one(library, ask, query):
    with pytest.raises(UsageError, match=r"give a path.*a Waveform.*\(samples, rate\)"):
        getattr(library, ask)(query)


def test_vectors_of_other_libraries_for_arrays_will_do(library):
    torch = pytest.importorskip("torch")
    vector = library.tracks(limit=1, vectors=True)[0].vector
    assert library.search(torch.from_numpy(vector.copy()), 3) == library.search(vector, 3)


@pytest.mark.parametrize(
    "sound", [WAVEFORM, (WAVEFORM, 16_000), sonovec.Waveform(WAVEFORM, 16_000), None, [None]], ids=str
)
def test_a_library_takes_files_alone(library, sound):
    with pytest.raises(UsageError, match=r"not a file or folder.*soundfile.write"):
        library.add(sound)


def test_a_library_is_a_collection_of_tracks(library, paths, tmp_path):
    assert {track.id for track in library} == {track.id for track in library.tracks()} and len(list(library)) == len(
        library
    )
    track = next(iter(library))
    assert paths[0] in library and str(paths[0]) in library and track.id in library and track.path in library
    assert tmp_path / "none.wav" not in library and "0" * 32 not in library and 3 not in library and None not in library
    other = tmp_path / "new.wav"
    other.write_bytes(Path(paths[1]).read_bytes() + b"x")
    assert other not in library


def test_a_length_of_segments_is_not_ignored(library, paths):
    with sonovec.Library(library.location.address, segment_seconds=5) as asked:
        for call in (lambda: asked.search(paths[0]), lambda: asked.find_places(paths[0]), lambda: asked.add(paths)):
            with pytest.raises(PassportError, match=r"segment_seconds is 2.* there and 5 here.*-l NEW --segment 5"):
                call()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "5", True])
def test_a_length_of_segments_is_a_number_above_zero(tmp_path, seconds):
    with pytest.raises(UsageError, match="segment_seconds=.* is not a length; give seconds above 0"):
        sonovec.Library(tmp_path / "l", segment_seconds=seconds)


def test_settings_beside_an_encoder_are_refused(library, tmp_path):
    with pytest.raises(UsageError, match=r"hop, jobs: the model is an encoder that is loaded already.*sonovec.load"):
        sonovec.Library(tmp_path / "l", model=library.encoder, hop=0.5, jobs=1)
    with pytest.raises(UsageError, match="weights: the model is an encoder"):
        sonovec.Library(tmp_path / "l", model=library.encoder, weights="w")


def test_a_hop_beyond_the_window_makes_no_library(tmp_path, paths):
    with pytest.raises(UsageError, match="would not be heard; give a hop of at most 1"):
        sonovec.Library(tmp_path / "l", model="logmel", hop=1.5).add(paths[:1])
    assert not (tmp_path / "l").exists()


def test_parts_are_not_shorter_than_a_window_and_that_is_said(tmp_path, paths, caplog):
    with sonovec.Library(tmp_path / "short", model="logmel", segment_seconds=0.25) as library:
        library.add(paths[:1])
        assert "segment_seconds=0.25: a window of 'logmel' is 1 s long" in caplog.text
        _, vectors = library.vectors(level="segment").numpy()
        assert len(vectors) == len(library.encoder.embed(paths[0]).windows)
    caplog.clear()
    with sonovec.Library(tmp_path / "long", model="logmel", segment_seconds=1) as library:
        library.add(paths[:1])
    assert "a window of" not in caplog.text
