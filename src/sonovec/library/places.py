"""Every place in a library where a sound occurs: not one hit a track, but each stretch that matches.

The stored segments say where to look. Where they are longer than the encoder's windows, a short sound is a small part of
what their vector is the mean of; so the most likely stretches are read again, and cut into windows that overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import AudioError, SonovecError, UsageError
from sonovec.library.backend import Effort
from sonovec.library.filters import Filter
from sonovec.library.records import Track
from sonovec.library.search import DECIMALS, Query
from sonovec.library.store import Store
from sonovec.vectors import unit32

if TYPE_CHECKING:
    from sonovec.embedding.embedding import Embedding
    from sonovec.library.queries import Queries

Floats = NDArray[np.float64]

#: Stored segments that are read again; a larger effort reads more of them.
MOST_READ = 200
#: Windows begin each quarter of a window where a stretch is read again, so that one of them holds a short sound whole.
OVERLAP = 4
#: A place scores so many deviations more than the library does at its median; see docs/places.md for what it finds.
DEVIATIONS = 8.0
#: Segments that say what the library scores.
SAMPLE = 2_000
#: A score of 1 has no place on the scale of deviations.
MOST_COSINE = 1 - 1e-6
#: A window is full from this coverage on; of the last one of a file so much must be sound.
FULL, LEAST_COVERAGE = 0.999, 0.5
#: Stretches with no more than so many seconds between them touch.
TOUCH = 1e-6


@dataclass(frozen=True)
class Place:
    """A stretch of a track that sounds like the query.

    Attributes
    ----------
    id, path : str
        The track, as in a `Hit`.
    start, end : float
        Seconds of the track.
    score : float
        Cosine similarity in [-1, 1], to six decimals, of the best pair of windows.
    query_start, query_end : float or None
        Seconds of the query that match best; None for a query that is a bare vector.
    """

    id: str
    path: str
    start: float
    end: float
    score: float
    query_start: float | None
    query_end: float | None

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class PlaceSearch:
    """What a search for places found, and how.

    Attributes
    ----------
    hits : list of Place
    min_score : float
        What each of them scores at least; of a query with several windows, the lowest of what theirs ask for.
    unread : mapping of str to str
        Paths of tracks that could not be read again, with the reason: their places are whole segments.
    reason : str or None
        Why there are no hits, where there are none.
    """

    hits: list[Place]
    min_score: float
    unread: Mapping[str, str]
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Sought:
    """What is looked for: the vectors of some parts, (q, dim), their times, (q, 2), if they have any, and the least scores.

    `least` is, for each part, what a stretch must score to be a place of it, (q,).
    """

    parts: NDArray[np.float32]
    times: Floats | None
    least: Floats

    def seconds(self, part: int) -> tuple[float, float] | tuple[None, None]:
        """Where a part begins and ends, if that is known."""
        return (None, None) if self.times is None else (float(self.times[part, 0]), float(self.times[part, 1]))


@dataclass(frozen=True, eq=False)
class _Scored:
    """Stretches of one track, (n, 2) in seconds: what each scores, and which part is nearest."""

    times: Floats
    scores: Floats
    parts: NDArray[np.intp]


ORDERS: Mapping[str, Callable[[Place], tuple[object, ...]]] = {
    "score": lambda place: (-place.score, place.path, place.start),
    "time": lambda place: (place.path, place.start),
}


def find_places(
    queries: Queries,
    query: Query,
    shown: Callable[[str, str], str],
    *,
    where: Filter | None = None,
    min_score: float | None = None,
    limit: int | None = None,
    limit_per_track: int | None = None,
    order: str = "score",
    effort: float = 1.0,
) -> PlaceSearch:
    """Find the places of a query; see `sonovec.Library.find_places`. `shown` gives a track's path on this machine."""
    if order not in ORDERS:
        raise UsageError(f"order={order!r} is unknown; give one of: {', '.join(ORDERS)}")
    store, space = queries.store, queries.space
    if space.level == "track":
        raise UsageError(f"the space {space.name!r} holds whole tracks alone; its places cannot be found")
    if not len(query.parts):
        return PlaceSearch([], 1.0, {}, "the query is silent")
    if min_score is None:
        least = usual_least(store.sample(SAMPLE, space.name), query.parts)
    else:
        least = np.full(len(query.parts), float(min_score))
    sought = Sought(query.parts, query.times, least)
    found = _likely(store, sought, where, space.name, Effort(times=effort))
    tracks = {
        id: replace(track, fields={**track.fields, "path": shown(id, track.path)})
        for id, track in store.get(found).items()
    }
    scored, unread = _read_again(queries, {id: found[id] for id in tracks}, tracks, sought)
    best = sorted((p for id, each in scored.items() for p in _places(tracks[id], each, sought)), key=ORDERS["score"])
    hits = sorted(islice(_few_of_each(best, limit_per_track), limit), key=ORDERS[order])
    lowest = round(float(least.min()), DECIMALS)
    reason = None if hits else f"nothing that was looked at scores {lowest:.3f} or more; min_score sets another score"
    return PlaceSearch(hits, lowest, unread, reason)


def _few_of_each(places: Iterable[Place], limit: int | None) -> Iterator[Place]:
    """At most so many places of each track, the first ones."""
    seen: Counter[str] = Counter()
    for place in places:
        seen[place.id] += 1
        if limit is None or seen[place.id] <= limit:
            yield place


def usual_least(vectors: NDArray[np.float32], parts: NDArray[np.float32]) -> Floats:
    """What a stretch should score to be a place of each part, (q,): far more than the library does at its median.

    Cosines are compared on Fisher's scale, the inverse hyperbolic tangent, on which encoders whose vectors are all much
    alike have room for what is more alike. The spread is the median absolute deviation, which the places themselves do
    not widen. Each part has a median of its own: one that is mere noise is like all the noise of a library.

    Parameters
    ----------
    vectors : (n, dim)
        Some of those that the library holds.
    parts : (q, dim)

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((2000, 512)).astype(np.float32)
    >>> usual_least(noise, noise[:1]).round(1).tolist()
    [0.3]
    """
    scale = np.arctanh(np.clip(unit32(vectors) @ unit32(parts).T, -MOST_COSINE, MOST_COSINE).astype(np.float64))
    median = np.median(scale, axis=0)
    deviation = 1.4826 * np.median(np.abs(scale - median), axis=0)
    return np.asarray(np.tanh(median + DEVIATIONS * deviation))


def _likely(store: Store, sought: Sought, where: Filter | None, space: str, effort: Effort) -> dict[str, _Scored]:
    """The stored segments that are most like any of the parts, by track."""
    most = round(MOST_READ * effort.times)
    found = store.search_segments(sought.parts, most, filter=where, space=space, effort=effort)
    best: dict[tuple[str, int], float] = {}
    for least, hits in zip(sought.least.tolist(), found, strict=True):
        for id, index, score in hits:
            best[id, index] = max(best.get((id, index), -2.0), score - least)
    chosen = sorted(best, key=lambda segment: (-best[segment], segment))[:most]
    stored = store.parts({id for id, _ in chosen}, space)
    indices: dict[str, list[int]] = {}
    for id, index in sorted(chosen):
        if id in stored and index < len(stored[id].times):  # another process may have changed it meanwhile
            indices.setdefault(id, []).append(index)
    return {id: _score(stored[id].times[some], stored[id].vectors[some], sought) for id, some in indices.items()}


def _score(times: Floats, vectors: NDArray[np.float32], sought: Sought) -> _Scored:
    scores = (unit32(vectors) @ unit32(sought.parts).T).astype(np.float64)
    parts = (scores - sought.least).argmax(axis=1)
    return _Scored(times, scores[np.arange(len(scores)), parts], parts)


def _read_again(
    queries: Queries, coarse: Mapping[str, _Scored], tracks: Mapping[str, Track], sought: Sought
) -> tuple[dict[str, _Scored], dict[str, str]]:
    """The same stretches by the encoder's own windows, where those are shorter; and what could not be read, and why."""
    found, unread = dict(coarse), dict[str, str]()
    if not coarse:
        return found, unread
    encoder = queries.encoder()
    window = encoder.window.length / encoder.rate
    if window >= queries.space.segment_seconds:
        return found, unread
    listener = encoder.with_hop(window / OVERLAP)
    try:
        begun = {}
        for id, scored in coarse.items():
            try:
                file = queries.file_of(tracks[id])
            except AudioError as error:
                unread[tracks[id].path] = str(error)
                continue
            # As much around a stretch that no sound is cut.
            wide = _merged((max(0.0, start - window), end + window) for start, end in scored.times.tolist())
            begun[id] = [(start, end, listener.submit(file, start, end)) for start, end in wide]
        for id, futures in begun.items():
            try:
                heard = [_cells(future.result(), start, end, window) for start, end, future in futures]
            except SonovecError as error:
                unread[tracks[id].path] = str(error)
                continue
            times, vectors = (np.concatenate(each) for each in zip(*heard, strict=True))
            found[id] = _score(times, vectors, sought)
    finally:
        listener.close()
    return found, unread


def _merged(stretches: Iterable[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Stretches in order, those that touch as one.

    Examples
    --------
    >>> list(_merged([(0.0, 12.0), (10.0, 22.0), (40.0, 50.0)]))
    [(0.0, 22.0), (40.0, 50.0)]
    """
    last: tuple[float, float] | None = None
    for start, end in stretches:
        if last is not None and start <= last[1]:
            last = last[0], max(last[1], end)
        else:
            if last is not None:
                yield last
            last = start, end
    if last is not None:
        yield last


def _cells(embedding: Embedding, start: float, end: float, window: float) -> tuple[Floats, NDArray[np.float32]]:
    """Times and vectors of the windows of a stretch, but for those that are silent or cut where the stretch ends.

    The time of a window is what is nearer to its middle than to the middle of any other, so that a sound that is shorter than
    a window has edges of its own; the first begins where the file does, and the last ends with the file.
    """
    middles = embedding.times[:, 0] + window / 2
    cells = np.stack([middles - window / OVERLAP / 2, middles + window / OVERLAP / 2], axis=1)
    whole = embedding.coverage > FULL
    if start == 0:
        cells[0, 0] = 0.0
    if embedding.duration < end - start - window / 2:  # the file ended before
        cells = np.minimum(cells, embedding.times[-1, 1])
        cells[-1, 1] = embedding.times[-1, 1]
        whole |= (embedding.coverage >= LEAST_COVERAGE) | (len(cells) == 1)
    wanted = whole & ~embedding.silent
    return cells[wanted], embedding.windows[wanted]


def _places(track: Track, scored: _Scored, sought: Sought) -> Iterator[Place]:
    """Stretches of a track that score enough, those that touch as one."""
    good = np.flatnonzero(scored.scores >= sought.least[scored.parts])
    good = good[np.argsort(scored.times[good, 0], kind="stable")]
    starts, ends = scored.times[good].T
    for run in np.split(np.arange(len(good)), np.flatnonzero(starts[1:] > ends[:-1] + TOUCH) + 1):
        if len(run):
            best = good[run[scored.scores[good[run]].argmax()]]
            score = round(float(scored.scores[best]), DECIMALS)
            query = sought.seconds(int(scored.parts[best]))
            yield Place(track.id, track.path, float(starts[run[0]]), float(ends[run[-1]]), score, *query)
