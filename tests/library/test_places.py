"""Every place of a sound: planted sounds are found with their seconds, and what cannot be looked at again is told."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from sonovec import demo
from sonovec.analysis.analyser import Analyser, Findings, SpaceSpec
from sonovec.audio.stream import load
from sonovec.audio.waveform import Waveform
from sonovec.embedding.embedding import Part
from sonovec.errors import UsageError
from sonovec.library.places import cut, usual_least

RATE = 32_000
PLANTED = (7.0, 23.5, 41.0, 62.25, 79.5)
LONG = 2.0


def sound(name: str, number: int, seconds: float) -> np.ndarray:
    samples, _ = demo.clip(name, number)
    return np.resize(samples, int(seconds * demo.RATE)).astype(np.float32)


def planted(path, name="siren", at=PLANTED):
    """A recording of rain, in which one kind of sound is heard now and then."""
    samples = 0.1 * sound("rain", 1, 90.0)
    for start in at:
        begin = int(start * demo.RATE)
        samples[begin : begin + int(LONG * demo.RATE)] += 0.5 * sound(name, 2, LONG)
    soundfile.write(path, samples, demo.RATE)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    (folder / "sounds").mkdir()
    planted(folder / "sounds" / "first.flac")
    planted(folder / "sounds" / "second.wav", at=(30.0,))
    planted(folder / "sounds" / "third.flac", name="bells", at=(12.0, 70.0))
    soundfile.write(folder / "query.wav", 0.5 * sound("siren", 2, LONG), demo.RATE)
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    with sonovec.Library(folder / "library") as library:
        library.add([folder / "sounds"])
    return folder


@pytest.fixture
def library(folder):
    with sonovec.Library(folder / "library") as library:
        yield library


def starts(places, name):
    return sorted(place.start for place in places if place.path.endswith(name))


@pytest.mark.slow
def test_each_place_is_found_with_its_seconds(folder, library):
    found = library.find_places(folder / "query.wav")
    assert found.complete and not found.unread and found.reason is None
    assert len(found.hits) == len(PLANTED) + 1
    for name, expected in (("first.flac", PLANTED), ("second.wav", [30.0]), ("third.flac", [])):
        np.testing.assert_allclose(starts(found.hits, name), expected, atol=1.0)
    assert all(1 <= place.end - place.start <= LONG + 2 for place in found.hits)
    assert all(place.score >= found.min_score for place in found.hits)
    assert [place.score for place in found.hits] == sorted((place.score for place in found.hits), reverse=True)
    assert all((place.query_start, place.query_end) == (0.0, LONG) for place in found.hits)


@pytest.mark.slow
def test_order_and_limits(folder, library):
    everything = library.find_places(folder / "query.wav").hits
    by_time = library.find_places(folder / "query.wav", order="time").hits
    assert by_time == sorted(everything, key=lambda place: (place.path, place.start))
    assert library.find_places(folder / "query.wav", 2).hits == everything[:2]
    one_each = library.find_places(folder / "query.wav", limit_per_track=1).hits
    assert len(one_each) == 2 and len({place.path for place in one_each}) == 2
    few = library.find_places(folder / "query.wav", filter="path contains 'second'").hits
    assert [place.path for place in few] == [place.path for place in everything if "second" in place.path]


@pytest.mark.slow
def test_samples_a_part_of_a_file_and_an_indexed_track_can_be_looked_for(folder, library):
    samples, rate = soundfile.read(folder / "query.wav", dtype="float32")
    expected = library.find_places(folder / "query.wav").hits
    assert library.find_places((samples, rate)).hits == library.find_places(Waveform(samples, rate)).hits == expected
    part = library.find_places(folder / "sounds" / "second.wav", start=30.0, end=32.0)
    assert len(starts(part.hits, "first.flac")) == len(PLANTED)
    whole = library.find_places(folder / "sounds" / "second.wav", min_score=0.99, include_self=True)
    assert starts(whole.hits, "second.wav")[0] == 0.0, "the track itself, from its beginning"


@pytest.mark.slow
def test_the_querys_own_stretch_is_left_out_and_no_other(folder, library, tmp_path):
    copy = tmp_path / "elsewhere.flac"
    copy.write_bytes((folder / "sounds" / "first.flac").read_bytes())
    for first, *others in (PLANTED, PLANTED[::-1]):
        part = {"start": float(first), "end": first + 2.0}
        for query in (folder / "sounds" / "first.flac", copy):
            found = starts(library.find_places(query, **part).hits, "first.flac")
            np.testing.assert_allclose(found, sorted(others), atol=1.0)
        found = library.find_places(copy, **part, include_self=True).hits
        assert len(starts(found, "first.flac")) == len(PLANTED) and found[0].score > 0.9999
    track = library.tracks("path contains 'first'")[0].id
    for query in (copy, track):
        assert not starts(library.find_places(query, min_score=0.5).hits, "first.flac")


@pytest.mark.slow
def test_why_there_are_none(folder, library):
    assert library.find_places(folder / "silent.wav").reason == "the query is silent"
    assert "no track matches the filter" in library.find_places(folder / "query.wav", filter="duration > 1000").reason
    nothing = library.find_places(folder / "query.wav", min_score=0.9999)
    assert nothing.hits == [] and nothing.reason.startswith("nothing that was looked at scores 1.000 or more")
    with pytest.raises(UsageError, match="order='loud' is unknown; give one of: score, time"):
        library.find_places(folder / "query.wav", order="loud")
    for name, wrong in [
        ("effort", 0),
        ("limit", -1),
        ("limit_per_track", 1.5),
        ("min_score", 2),
        ("min_score", np.nan),
    ]:
        with pytest.raises(UsageError, match=f"{name}={wrong}"):
            library.find_places(folder / "query.wav", **{name: wrong})


@pytest.mark.slow
def test_a_file_that_is_gone_or_changed_is_told_and_its_segments_remain(folder, tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    gone, changed = planted(sounds / "gone.wav"), planted(sounds / "changed.wav", at=(30.0,))
    planted(sounds / "there.wav", at=(50.0,))
    with sonovec.Library(tmp_path / "library") as library:
        library.add([sounds])
        gone.unlink()
        planted(changed, at=(70.0,))
        found = library.find_places(folder / "query.wav", min_score=0.3)
    assert set(found.unread) == {str(gone), str(changed)}
    assert found.unread[str(gone)].endswith("no such file on this machine")
    assert "has changed since it was indexed" in found.unread[str(changed)]
    np.testing.assert_allclose(starts(found.hits, "there.wav"), [50.0], atol=1.0)
    coarse = [place for place in found.hits if place.path == str(gone)]
    assert all(place.start % 10 == 0 for place in coarse)


def test_segments_that_are_as_short_as_windows_are_places_themselves(folder, tmp_path):
    file = planted(tmp_path / "gone.wav")
    with sonovec.Library(tmp_path / "library", model="logmel", segment_seconds=1.0) as library:
        library.add([file])
        file.unlink()
        found = library.find_places(folder / "query.wav")
    assert found.hits and not found.unread, "nothing was read again"


class Levels(Analyser):
    """Fills a space of parts and one of whole tracks."""

    name, version, rate = "levels", "1", 8000
    spaces = (SpaceSpec("levels", 2), SpaceSpec("whole", 2, "track"))

    def begin(self, rate, channels):
        self.levels = []

    def push(self, block):
        self.levels += [float(np.abs(part).mean()) for part in np.array_split(block, max(1, len(block) // 8000))]

    def finish(self):
        parts = [Part(n, n + 1.0, 1.0, np.array([level, 0.1])) for n, level in enumerate(self.levels)]
        return Findings(vectors={"levels": parts, "whole": np.array([np.mean(self.levels), 0.1])})


def test_places_in_the_spaces_of_an_analyser(folder, tmp_path):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add([folder / "sounds" / "second.wav"], analysers=[Levels])
        loud = library.find_places(np.array([1.0, 0.1]), space="levels", min_score=0.9)
        assert loud.hits and all(26 <= place.start <= 34 for place in loud.hits), "blocks are not whole seconds"
        with pytest.raises(UsageError, match="the space 'whole' has vectors of whole tracks only, so it has no places"):
            library.find_places(np.array([1.0, 0.1]), space="whole")


@pytest.mark.slow
def test_it_can_be_watched_and_cancelled(folder, library):
    seen = []
    library.find_places(folder / "query.wav", progress=seen.append)
    assert seen and {each.stage for each in seen} == {"looking again"}
    job = sonovec.Job(lambda progress: job.cancel())
    with pytest.raises(sonovec.Cancelled):
        library.find_places(folder / "query.wav", progress=job)
    assert job.state == "cancelled"


@settings(max_examples=20)
@given(
    bounds=st.lists(st.integers(0, 130), min_size=2, max_size=8, unique=True).filter(lambda each: min(each) < 115),
    ending=st.sampled_from(["wav", "flac"]),
)
def test_cut_is_what_the_whole_file_holds(tmp_path_factory, bounds, ending):
    path = tmp_path_factory.mktemp("cut") / f"a.{ending}"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 12 * 8000)
    soundfile.write(path, noise, 8000)
    whole = load(path, 8000).samples
    times = sorted(bound / 10 for bound in bounds)
    stretches = list(zip(times[::2], times[1::2], strict=False))
    for (start, end), found in zip(stretches, cut(path, stretches, 8000), strict=True):
        np.testing.assert_allclose(found, whole[round(start * 8000) : round(end * 8000)], atol=1e-6)


def test_a_part_that_is_like_everything_must_be_more_alike():
    rng = np.random.default_rng(0)
    common = rng.standard_normal(64)
    vectors = (rng.standard_normal((2000, 64)) + 3 * common).astype(np.float32)
    like_all, like_none = usual_least(vectors, np.stack([common, rng.standard_normal(64)]).astype(np.float32))
    assert 0.97 < like_all < 1 and like_none < 0.8
    same = np.ones((5, 64), np.float32)
    assert usual_least(same, -same[:1])[0] > -1, "a library of one kind of sound"
