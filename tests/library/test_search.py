"""Search is right: what every store finds is what brute force finds, and a track finds itself however it is named."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sonovec
from sonovec.audio.windows import WindowSpec, frame
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooling import pool, segment_bounds, windows_per_segment
from sonovec.errors import AudioError, UsageError
from sonovec.library.filters import Compare
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig, Segment, Track
from sonovec.library.search import Query, search, sound_in
from sonovec.library.tables import segments_of

DIM = 4


@pytest.fixture(scope="module")
def emptied(any_location):
    """A store that each example fills anew."""
    with open_store(any_location) as store:
        store.create(LibraryConfig(dim=DIM, passport={}, segment_seconds=10.0, model="test"))
        yield store


def fill(store, tracks):
    """Tracks given as arrays of their segments' vectors; every third is of the year 1990, the others of 2000."""
    store.delete(store.ids())
    store.put_many(
        (
            Track(f"{n:04}", rows.mean(axis=0), {"path": f"/{n:04}", "year": 1990 if n % 3 == 0 else 2000}),
            [Segment(i, 10.0 * i, 10.0 * i + 10, 1.0, row) for i, row in enumerate(rows)],
        )
        for n, rows in enumerate(tracks)
    )


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    return np.divide(a @ b.T, norms, out=np.zeros_like(norms), where=norms > 0)


def query_of(parts):
    return Query(parts.mean(axis=0), parts, np.array([(5.0 * i, 5.0 * i + 5) for i in range(len(parts))]))


def check(store, tracks, parts, limit, level="segment", year=None):
    """Compare with brute force over all pairs; return the hits."""
    query = query_of(parts)
    where = None if year is None else Compare("year", "=", year)
    hits = search(store, query, limit, where, level)
    chosen = [n for n in range(len(tracks)) if year in (None, 1990 if n % 3 == 0 else 2000)]
    pairs = {n: cosines(parts, tracks[n]) for n in chosen}
    exact = {
        n: pairs[n].max() if level == "segment" else cosines(query.vector[None], tracks[n].mean(axis=0)[None])[0, 0]
        for n in chosen
    }
    found = [int(hit.id) for hit in hits]
    assert len(set(found)) == len(found) == min(limit, len(chosen))
    scores = [hit.score for hit in hits]
    np.testing.assert_allclose(scores, sorted(exact.values(), reverse=True)[:limit], atol=2e-6)
    np.testing.assert_allclose(scores, [exact[n] for n in found], atol=2e-6)
    assert [(hit.score, hit.path) for hit in hits] == sorted(
        ((h.score, h.path) for h in hits), key=lambda p: (-p[0], p[1])
    )
    for hit, n in zip(hits, found, strict=True):
        place = pairs[n][round(hit.query_start / 5), round(hit.start / 10)]
        assert place == pytest.approx(pairs[n].max(), abs=2e-6)
        assert (hit.query_end, hit.end) == (hit.query_start + 5, hit.start + 10)
    return hits


#: Few directions, so that scores tie, and lengths that change nothing; one is zero.
DIRECTIONS = np.array(
    [(x, y, z, 0.5 * (x + 2)) for x, y, z in itertools.product((-1, 0, 1), repeat=3)] + [(0, 0, 0, 0)], np.float32
)
ROW = st.tuples(st.integers(0, len(DIRECTIONS) - 1), st.sampled_from([0.5, 1.0, 3.0])).map(
    lambda pair: DIRECTIONS[pair[0]] * np.float32(pair[1])
)
ROWS = st.lists(ROW, min_size=1, max_size=4).map(np.stack)
#: One track of many segments that are alike crowds out the others.
CROWD = st.tuples(ROW, st.integers(5, 60), st.integers(0, 2**32 - 1)).map(
    lambda drawn: drawn[0] + 0.01 * np.random.default_rng(drawn[2]).standard_normal((drawn[1], DIM)).astype(np.float32)
)
ANYTHING = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).standard_normal((seed % 7 + 1, DIM)).astype(np.float32)
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tracks=st.lists(st.one_of(ROWS, ROWS, CROWD, ANYTHING), min_size=1, max_size=12),
    parts=st.one_of(ROWS, ANYTHING),
    limit=st.integers(1, 15),
    year=st.sampled_from([None, None, 1990, 2000]),
)
def test_search_is_brute_force_over_all_pairs(emptied, tracks, parts, limit, year):
    fill(emptied, tracks)
    for level in ("segment", "track"):
        check(emptied, tracks, parts, limit, level, year)


@pytest.mark.parametrize("limit", [1, 3, 10, 60, 1000, 2**70])
def test_long_tracks_do_not_crowd_out_others(emptied, limit):
    """Two recordings of hours fill the list of one part of the query; what is near to it comes after them."""
    rng = np.random.default_rng(0)
    near = np.array([1, 0, 0, 0], np.float32)

    def around(spread, n):
        return (near + spread * rng.standard_normal((n, DIM))).astype(np.float32)

    tracks = [around(0.01, 700), around(0.02, 400), *(around(0.1 + 0.01 * n, 1) for n in range(12))]
    tracks += [rng.standard_normal((rng.integers(1, 6), DIM)).astype(np.float32) for _ in range(40)]
    parts = np.stack([near, *rng.standard_normal((2, DIM)).astype(np.float32)])
    fill(emptied, tracks)
    hits = check(emptied, tracks, parts, limit)
    assert {int(hit.id) for hit in hits[:2]} <= {0, 1} or limit == 1
    check(emptied, tracks, parts, limit, year=1990)


def test_of_tracks_that_tie_the_same_are_found_each_time(emptied):
    """Copies of one sound with other tags have other ids and the same vectors."""
    row = np.ones((1, DIM), np.float32)
    tracks = [row] * 30 + [-row] * 5
    fill(emptied, tracks)
    for level in ("segment", "track"):
        hits = search(emptied, query_of(row), 4, None, level)
        assert [(hit.path, hit.score) for hit in hits] == [(f"/{n:04}", 1.0) for n in range(4)]


def test_a_query_of_nothing_is_answered_without_looking_at_all(emptied, monkeypatch):
    """A vector of zeros scores 0 with everything, so that any tracks will do."""
    fill(emptied, [np.ones((2, DIM), np.float32)] * 200)
    looked_at = []
    segments = type(emptied).segments

    def look(store, ids, space):
        looked_at.extend(ids)
        return segments(store, list(ids), space)

    monkeypatch.setattr(type(emptied), "segments", look)
    hits = search(emptied, query_of(np.zeros((1, DIM), np.float32)), 3, None, "segment")
    assert len(hits) == 3 and {hit.score for hit in hits} == {0.0} and len(looked_at) < 50


def test_segments_without_their_track_take_no_place(emptied):
    """A write that was killed leaves them; here more than a list is long."""
    row = np.ones((1, DIM), np.float32)
    tracks = [row * 1.0, row + np.float32([[1, 0, 0, 0]])]
    fill(emptied, tracks)
    emptied.table(segments_of(emptied.space())).upsert(
        [
            {"id": f"x:{n:06}", "track": "x", "index": n, "start": 0.0, "end": 1.0, "coverage": 1.0, "zero": False,
             "tags": "", "vector": row[0]}
            for n in range(50)
        ]
    )  # fmt: skip
    check(emptied, tracks, row, 1)
    check(emptied, tracks, row, 10)
    emptied.delete(["x"])


# -- what is stored of a track is the track


SPECS = st.builds(
    lambda length, hop, tail: WindowSpec(length, hop, tail),
    st.integers(1, 50),
    st.integers(1, 70),
    st.sampled_from(["pad", "drop"]),
)


@given(spec=SPECS, samples=st.integers(1, 2000), segment_seconds=st.floats(0.01, 300), seed=st.integers(0, 99))
def test_the_mean_of_all_segments_is_the_clip_vector(spec, samples, segment_seconds, seed):
    rate = 10
    groups = list(frame([np.ones(samples, np.float32)], spec))
    coverage = np.concatenate([group.coverage for group in groups])
    times = np.concatenate([np.stack([group.starts, group.ends], axis=1) for group in groups]) / rate
    vectors = np.random.default_rng(seed).standard_normal((len(times), 3)).astype(np.float32)
    bounds = segment_bounds(np.arange(len(times)), windows_per_segment(segment_seconds, spec.hop / rate))
    segments = [
        Segment(n, times[a, 0], times[b - 1, 1], float(coverage[a:b].mean()), pool(vectors[a:b], coverage[a:b]))
        for n, (a, b) in enumerate(bounds)
    ]
    passport = Passport("", "", {}, "", "", "", "", rate, spec.length, spec.hop, spec.tail, "f32")
    weights = sound_in(segments, passport)
    np.testing.assert_allclose(weights, [coverage[a:b].sum() for a, b in bounds], rtol=1e-5)
    np.testing.assert_allclose(
        pool(np.stack([segment.vector for segment in segments]), weights), pool(vectors, coverage), atol=1e-5
    )


def varied(rng, rate, seconds):
    """Sound that changes on its way, so that each part weighs in the vector of the whole."""
    n = int(seconds * rate)
    t = np.arange(n) / rate
    pieces = [
        rng.uniform(0.05, 0.3)
        * np.sin(2 * np.pi * rng.uniform(80, 3000) * t)
        * (1 + np.sin(2 * np.pi * rng.uniform(1, 9) * t))
        + rng.uniform(0.001, 0.2) * rng.standard_normal(n)
        for _ in range(3)
    ]  # fmt: skip
    return np.choose(np.minimum(3 * np.arange(n) // max(n, 1) + (np.arange(n) > n - rate), 2), pieces) / 4


@pytest.fixture(scope="module", params=[{}, {"hop": 0.7, "segment_seconds": 4.0}, {"tail": "drop"}])
def of_all_lengths(request, tmp_path_factory):
    """A library of sounds of 0.3 to 60 s, whose last windows are covered more and less."""
    folder = tmp_path_factory.mktemp("lengths")
    rng = np.random.default_rng(7)
    rate = 16000
    lengths = [0.3, 1.9, 2.0, 9.99, 10.0, 10.01, 11.0, 12.5, 20.0, 21.99, *rng.uniform(0.3, 60, 8)]
    (folder / "sounds").mkdir()
    for n, seconds in enumerate(lengths):
        soundfile.write(folder / "sounds" / f"{n:02}.flac", varied(rng, rate, seconds), rate)
    with sonovec.Library(folder / "library", **request.param) as library:
        library.add(folder / "sounds")
        yield library


@pytest.mark.slow
def test_a_track_is_found_alike_by_path_by_samples_by_id_and_by_vector(of_all_lengths):
    library = of_all_lengths
    vectors = {track.id: track.vector for track in library._store.tracks(vectors=True)}
    for track in library.tracks():
        samples, rate = soundfile.read(track.path, dtype="float32")
        by_path = library.search(track.path, limit=30, include_self=True)
        assert (by_path[0].id, by_path[0].score) == (track.id, 1.0)
        assert len(by_path) == len(vectors)
        for other in (track.id, vectors[track.id], (samples, rate)):
            hits = library.search(other, limit=30, include_self=True)
            scores = {hit.id: hit.score for hit in hits}
            np.testing.assert_allclose([scores[hit.id] for hit in by_path], [hit.score for hit in by_path], atol=2e-5)
            assert [hit.id for hit in hits] == [hit.id for hit in by_path]
        for level in ("track", "segment"):
            assert library.search(track.path, limit=1, level=level, include_self=True)[0].score == 1.0


@pytest.mark.slow
def test_some_seconds_of_a_file_that_is_gone_are_the_windows_of_its_segments(of_all_lengths, tmp_path):
    library = of_all_lengths
    sound = tmp_path / "gone.flac"
    soundfile.write(sound, varied(np.random.default_rng(99), 16000, 47.3), 16000)
    library.add(sound)
    embedding = library.encoder.embed(sound)
    passport = embedding.passport
    each = windows_per_segment(library.config.segment_seconds, passport.hop / passport.rate)
    bounds = segment_bounds(np.arange(len(embedding.windows)), each)
    sound.unlink()
    for start, end in ((0.0, 5.0), (12.0, 29.0), (25.0, None), (0.0, 100.0), (44.0, 45.5)):
        inside = [
            n
            for first, last in bounds
            if embedding.times[last - 1, 1] > start and (end is None or embedding.times[first, 0] < end)
            for n in range(first, last)
        ]
        expected = pool(embedding.windows[inside], embedding.coverage[inside])
        hits = library.search(sound, start=start, end=end, limit=30, include_self=True)
        by_vector = {hit.id: hit.score for hit in library.search(expected, limit=30)}
        np.testing.assert_allclose([hit.score for hit in hits], [by_vector[hit.id] for hit in hits], atol=2e-5)
    with pytest.raises(AudioError, match="no sound from 60"):
        library.search(sound, start=60.0)
    with pytest.raises(UsageError, match=r"start=5.0, end=2.0 is not a range"):
        library.search(sound, start=5.0, end=2.0)
    library.add(tmp_path, prune=True)


@pytest.mark.slow
def test_a_vector_has_no_seconds(of_all_lengths):
    with pytest.raises(UsageError, match="a vector has no seconds"):
        of_all_lengths.search(np.ones(of_all_lengths.encoder.dim, np.float32), start=1.0)


@pytest.mark.slow
def test_on_real_sounds_search_is_brute_force(shared_data, tmp_path):
    """Clips of ten kinds, one recording of twenty minutes of one of them, and queries of two kinds each."""
    clips = {
        kind.name: [read(clip) for clip in sorted(kind.glob("*.ogg"))[:24]]
        for kind in sorted((shared_data / "esc10").glob("*/"))
    }
    (tmp_path / "sounds").mkdir()
    for kind, sounds in clips.items():
        for n, sound in enumerate(sounds[:6]):
            soundfile.write(tmp_path / "sounds" / f"{kind} {n}.flac", sound, 32000)
    rain = np.concatenate([sound for _ in range(10) for sound in clips["002 - Rain"][12:]])
    soundfile.write(tmp_path / "sounds" / "rain for long.flac", rain, 32000)
    library = sonovec.Library(tmp_path / "library", segment_seconds=2.0)
    library.add(tmp_path / "sounds")
    stored = {
        id: np.stack([s.vector for s in parts]) for id, parts in library._store.segments(library._store.ids()).items()
    }
    paths = {track.id: track.path for track in library.tracks()}
    for kind, sounds in clips.items():
        query = np.concatenate([sounds[7], clips["002 - Rain"][8]])
        parts = np.stack([part.vector for part in library.encoder.embed((query, 32000)).parts(2.0)])
        exact = {id: cosines(parts, rows).max() for id, rows in stored.items()}
        for limit in (3, 20):
            hits = library.search((query, 32000), limit=limit, level="segment")
            # Digital silence, which many of the clips end with, is like itself: those tie, and come in the order of paths.
            best = sorted(exact, key=lambda id: (-round(exact[id], 6), paths[id]))[:limit]
            assert [hit.id for hit in hits] == best, kind
            np.testing.assert_allclose([hit.score for hit in hits], [exact[id] for id in best], atol=2e-6)


def read(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, 32000)


def test_two_long_tracks_are_a_complete_answer(emptied, monkeypatch):
    """They are all that there is: no list of segments is asked for, longer and longer, until there are ten tracks."""
    emptied.delete(emptied.ids())
    rows = np.random.default_rng(0).standard_normal((2, 500, DIM)).astype(np.float32)
    fill(emptied, list(rows))
    with monkeypatch.context() as patch:
        patch.setattr(type(emptied), "search_segments", None)
        hits = search(emptied, query_of(rows[1, :50]), 10, None, "segment")
    assert len(hits) == 2 and hits[0].score == 1.0
    check(emptied, list(rows), rows[0, 7:9], 1)


def test_many_long_tracks_are_compared_whole_where_lists_would_be_too_many(emptied, monkeypatch):
    from sonovec.library import search as module

    emptied.delete(emptied.ids())
    rows = np.random.default_rng(1).standard_normal((12, 60, DIM)).astype(np.float32)
    rows[:3] = rows[0, :1] + rows[:3] / 1000  # three tracks crowd out the others
    fill(emptied, list(rows))
    for name in ("MOST_ROUNDS", "MOST_KNOWN"):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, 1)
            check(emptied, list(rows), rows[0, :3], 5)


def test_an_indexed_sound_that_is_given_as_a_new_one_is_itself(tmp_path):
    """The library's vectors are of full batches, and that of a query is of the small shape."""
    (tmp_path / "sounds").mkdir()
    for index in range(3):
        noise = np.random.default_rng(index).standard_normal(5 * 16000) / 10
        soundfile.write(tmp_path / "sounds" / f"{index}.wav", noise, 16000)
    with sonovec.Library(tmp_path / "library") as library:
        library.add(tmp_path / "sounds")
        for path in sorted((tmp_path / "sounds").iterdir()):
            first = library.search(path, limit=1, exact=True, include_self=True)[0]
            assert first.path == str(path) and first.score > 0.999999


def test_a_silent_query_says_so(tmp_path, caplog):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16000), 16000)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add([tmp_path / "a.wav"])
        assert library.search((np.full(16000, 0.1), 16000)) and not caplog.records
        assert library.search((np.zeros(16000), 16000))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["the query is silent"]
