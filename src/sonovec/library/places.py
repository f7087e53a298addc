"""Every place in a library where a sound occurs: not one hit a track, but each stretch that matches.

The stored segments say where to look. Where they are longer than the encoder's windows, a short sound is a small part of
what their vector is the mean of; so the most likely stretches are read again, and cut into windows that overlap.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.stream import open_mono
from sonovec.brief import shortened
from sonovec.embedding.embedding import Embedding, Failure
from sonovec.embedding.silence import warnings_of
from sonovec.errors import AudioError, SonovecError, UsageError
from sonovec.jobs import Tell
from sonovec.library.backend import Effort
from sonovec.library.filters import Filter
from sonovec.library.hits import few_of_each
from sonovec.library.queries import Asked, Queries, expanded, is_vector
from sonovec.library.records import Parts, Track, Value
from sonovec.library.search import DECIMALS, Query
from sonovec.library.store import Store, row_count
from sonovec.paths import display, from_text
from sonovec.vectors import unit32

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder

Floats = NDArray[np.float64]

#: So many of the likeliest segments are looked at; a larger effort looks at more.
LOOKED_AT = 300
#: If there are places in the last part of them, there may be more behind.
LAST = 10
#: Windows begin each quarter of a window where a stretch is read again, so that one of them holds a short sound whole.
OVERLAP = 4
#: A place scores so many deviations more than the library does at its median; see docs/places.md for what it finds.
DEVIATIONS = 8.0
#: A library of one kind of sound has hardly any deviation; this is that of the built-in encoder in one of many kinds.
LEAST_DEVIATION = 0.05
#: Segments that say what the library scores.
SAMPLE = 2_000
#: A score of 1 has no place on the scale of deviations.
MOST_COSINE = 1 - 1e-6
#: A window is full from this coverage on; of the last one of a file so much must be sound.
FULL, LEAST_COVERAGE = 0.999, 0.5
#: From when to when a query is that is all of its track.
WHOLE = (0.0, math.inf)
#: Stretches with no more than so many seconds between them touch.
TOUCH = 1e-6


@dataclass(frozen=True, repr=False)
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
    fields : mapping
        Everything else that is stored with the track.
    """

    id: str
    path: str
    start: float
    end: float
    score: float
    query_start: float | None
    query_end: float | None
    fields: Mapping[str, Value] = field(default_factory=dict, compare=False, repr=False)

    def __repr__(self) -> str:
        return f"Place({self.score:.3f}, {shortened(display(self.path))}, {self.start:.1f}-{self.end:.1f} s)"

    def is_in(self, stretches: Floats) -> bool:
        """Whether its middle is within one of some stretches, (n, 2)."""
        middle = (self.start + self.end) / 2
        return bool(((stretches[:, 0] <= middle) & (middle < stretches[:, 1])).any())

    def to_json(self) -> dict[str, Any]:
        """All of it but `fields` as one flat object of JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "fields"}


@dataclass(frozen=True, repr=False)
class PlaceSearch:
    """What a search for places found, and how.

    Attributes
    ----------
    hits : list of Place
    min_score : float
        What each of them scores at least; of a query with several windows, the lowest of what theirs ask for.
    complete : bool
        False where places were found among the least likely of the segments that were looked at: a larger effort may find
        more.
    unread : mapping of str to str
        Paths of tracks that could not be read again, with the reason: their places are whole segments.
    reason : str or None
        Why there are no hits, where there are none.
    notes : tuple of str
        What there is to know of the answer, such as that the query is nearly silent; they are logged as warnings too.
    """

    hits: list[Place]
    min_score: float
    complete: bool = True
    unread: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        if not self.hits:
            return f"PlaceSearch(no places: {self.reason})"
        found = f"{len(self.hits)} places in {len({place.id for place in self.hits})} tracks"
        return f"PlaceSearch({found}, min_score={self.min_score}, complete={self.complete})"

    def _repr_html_(self) -> str:
        from sonovec.library.notebook import places_html

        return places_html(self.hits, self.reason)


@dataclass(frozen=True, eq=False)
class Sought:
    """What is looked for: the vectors of some parts, (q, dim), their times, (q, 2), if they have any, and the least scores.

    `least` is, for each part, what a stretch must score to be a place of it, (q,). `own` is the stretch that the query is
    itself, which is no place of it: a track, and its seconds.
    """

    parts: NDArray[np.float32]
    times: Floats | None
    least: Floats
    own: tuple[str, float, float] | None = None

    @property
    def without(self) -> list[str]:
        """Tracks that are the query itself, all of it."""
        return [self.own[0]] if self.own is not None and self.own[1:] == WHOLE else []

    def seconds(self, part: int) -> tuple[float, float] | tuple[None, None]:
        """Where a part begins and ends, if that is known."""
        return (None, None) if self.times is None else (float(self.times[part, 0]), float(self.times[part, 1]))

    def others(self, track: str, parts: Parts, around: float = 0.0) -> Parts:
        """Those parts of a track that hear nothing of the query itself; each hears so many seconds around its own."""
        if self.own is None or self.own[0] != track:
            return parts
        _, start, end = self.own
        return parts.some((parts.times[:, 1] + around <= start) | (parts.times[:, 0] - around >= end))


@dataclass(frozen=True, eq=False)
class _Scored:
    """Stretches of one track, (n, 2) in seconds: what each scores, which part is nearest, and whether it is a place."""

    times: Floats
    scores: Floats
    parts: NDArray[np.intp]
    good: NDArray[np.bool_]


ORDERS: Mapping[str, Callable[[Place], tuple[object, ...]]] = {
    "score": lambda place: (-place.score, place.path, place.start),
    "time": lambda place: (place.path, place.start),
}


def query_of(queries: Queries, encoder: Encoder | None, query: Asked, start: float, end: float | None) -> Query:
    """A query whose parts are the encoder's own windows, but for those that are silent, or mostly padding.

    Of a track whose file is gone, and in a space that an analyser fills, the parts are those that are stored there.
    """
    sound: Any = expanded(from_text(os.fspath(query))) if isinstance(query, str | os.PathLike) else query
    if isinstance(sound, Embedding):
        embedding = queries.comparable(sound, start, end)
    elif encoder is None or is_vector(sound) or (isinstance(sound, Path) and not sound.exists()):
        return queries.query(query, start, end)
    else:
        embedding = encoder.embed(sound, start, end)
    heard = ~embedding.silent
    full = heard & (embedding.coverage >= LEAST_COVERAGE)
    wanted = full if full.any() else heard
    # Windows that are silent are not looked for, so that those of a sound that is mostly silent are none the worse.
    notes = tuple(note for note in warnings_of(embedding.silence) if "mostly silent" not in note)
    return Query(embedding.vector, embedding.windows[wanted], embedding.times[wanted], queries.content_of(sound), notes)


def find_places(
    queries: Queries,
    encoder: Encoder | None,
    query: Query,
    shown: Callable[[str, str], str],
    *,
    where: Filter | None = None,
    min_score: float | None = None,
    limit: int | None = None,
    limit_per_track: int | None = None,
    order: str = "score",
    effort: float = 1.0,
    own: tuple[float, float] | None = None,
    progress: Tell | None = None,
) -> PlaceSearch:
    """Find the places of a query; see `sonovec.Library.find_places`.

    Without an encoder nothing is read again. `shown` gives a track's path on this machine. `own` are the seconds of the
    query's track that are no places: those of the query itself.
    """
    if order not in ORDERS:
        raise UsageError(f"order={order!r} is unknown; give one of: {', '.join(ORDERS)}")
    limit = None if limit is None else row_count("limit", limit)
    limit_per_track = None if limit_per_track is None else row_count("limit_per_track", limit_per_track)
    if min_score is not None and not -1 <= min_score <= 1:
        raise UsageError(
            f"min_score={min_score} is not a cosine similarity; give a number from -1 to 1, for example 0.5"
        )
    store, space = queries.store, queries.space
    if space.level == "track":
        raise UsageError(
            f"the space {space.name!r} has vectors of whole tracks only, so it has no places; use another space, "
            "such as the main one"
        )
    if not len(query.parts):
        return PlaceSearch([], 1.0, reason="the query is silent", notes=query.notes)
    if min_score is None:
        least = usual_least(store.sample(SAMPLE, space.name), query.parts)
    else:
        least = np.full(len(query.parts), float(min_score))
    itself = None if own is None or query.track is None else (query.track, *own)
    sought = Sought(query.parts, query.times, least, itself)
    most = round(LOOKED_AT * effort)
    likely = _likely(store, sought, most, where, space.name, Effort(times=effort))
    tracks = {
        id: replace(track, fields={**track.fields, "path": shown(id, track.path)})
        for id, track in store.get({id for id, _ in likely}).items()
    }
    stored = store.parts(tracks, space.name)
    coarse = _some(stored, likely)
    scored: dict[str, list[_Scored]] = {}
    unread: dict[str, str] = {}
    for id, parts, around in _fine(queries, encoder, coarse, tracks, unread, progress):
        scored.setdefault(id, []).append(_score(sought.others(id, parts, around), sought))
    found = sorted((p for id, each in scored.items() for p in _places(tracks[id], each, sought)), key=ORDERS["score"])
    last = _some(stored, likely[-most // LAST :]) if len(likely) == most else {}
    lowest = round(float(least.min()), DECIMALS)
    return PlaceSearch(
        hits=sorted(islice(few_of_each(found, limit_per_track), limit), key=ORDERS[order]),
        min_score=lowest,
        complete=not any(place.is_in(last[place.id].times) for place in found if place.id in last),
        unread=unread,
        notes=query.notes,
        reason=None
        if found
        else f"nothing that was looked at scores {lowest:.3f} or more; min_score sets another score",
    )


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
    [0.4]
    """
    median, deviation = spread(vectors, parts)
    return np.asarray(np.tanh(median + DEVIATIONS * deviation))


def spread(vectors: NDArray[np.float32], parts: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """The median and the deviation, (q,), of what vectors score against each part, on Fisher's scale."""
    scale = fisher(vectors, parts)
    median = np.median(scale, axis=0)
    return median, np.maximum(1.4826 * np.median(np.abs(scale - median), axis=0), LEAST_DEVIATION)


def fisher(vectors: NDArray[np.float32], parts: NDArray[np.float32]) -> Floats:
    """Cosine similarity of n vectors with q parts on Fisher's scale, (n, q)."""
    cosines = np.clip(unit32(vectors) @ unit32(parts).T, -MOST_COSINE, MOST_COSINE)
    return np.asarray(np.arctanh(cosines.astype(np.float64)))


def _likely(
    store: Store, sought: Sought, limit: int, where: Filter | None, space: str, effort: Effort
) -> list[tuple[str, int]]:
    """The stored segments that are most like any of the parts, the likeliest first: their tracks and indices."""
    best: dict[tuple[str, int], float] = {}
    found = store.search_segments(sought.parts, limit, without=sought.without, filter=where, space=space, effort=effort)
    for least, hits in zip(sought.least.tolist(), found, strict=True):
        for id, index, score in hits:
            best[id, index] = max(best.get((id, index), -math.inf), score - least)
    return sorted(best, key=lambda segment: (-best[segment], segment))[:limit]


def _some(stored: Mapping[str, Parts], segments: Iterable[tuple[str, int]]) -> dict[str, Parts]:
    """Some of the segments that are stored, by track and in order; another process may have changed a track meanwhile."""
    indices: dict[str, list[int]] = {}
    for id, index in sorted(segments):
        if id in stored and index < len(stored[id].times):
            indices.setdefault(id, []).append(index)
    return {id: stored[id].some(some) for id, some in indices.items()}


def _fine(
    queries: Queries,
    encoder: Encoder | None,
    coarse: Mapping[str, Parts],
    tracks: Mapping[str, Track],
    unread: dict[str, str],
    progress: Tell | None,
) -> Iterator[tuple[str, Parts, float]]:
    """The same stretches by the encoder's own windows, where those are shorter; `unread` gets what is not, and why.

    With each come the seconds around its times that its vectors hear as well.
    """
    window = math.inf if encoder is None else encoder.window.length / encoder.rate
    if encoder is None or window >= queries.space.segment_seconds:
        yield from ((id, parts, 0.0) for id, parts in coarse.items())
        return
    stretches: list[tuple[str, float, float]] = []
    files: dict[str, Path] = {}
    for id, parts in coarse.items():
        try:
            files[id] = queries.file_of(tracks[id])
        except AudioError as error:
            unread[tracks[id].path] = str(error)
            yield id, parts, 0.0
            continue
        # As much around a stretch that no sound is cut.
        wide = ((max(0.0, start - window), end + window) for start, end in parts.times.tolist())
        stretches += [(id, start, end) for start, end in _merged(wide)]
    listener = encoder.with_hop(window / OVERLAP)
    try:
        sounds = _sounds(files, stretches, encoder)
        for (id, start, end), heard in zip(stretches, listener.embed_many(sounds, progress=progress), strict=True):
            if isinstance(heard, Failure):
                unread[tracks[id].path] = heard.reason
                yield id, coarse[id].some((coarse[id].times[:, 0] >= start) & (coarse[id].times[:, 1] <= end)), 0.0
            else:
                yield id, _windows(heard, start, end, window), window * (1 - 1 / OVERLAP) / 2
    finally:
        listener.close()


def _sounds(
    files: Mapping[str, Path], stretches: Iterable[tuple[str, float, float]], encoder: Encoder
) -> Iterator[Any]:
    """The samples of stretches with their rate, that of the encoder, or the error of their file.

    Each file is read once, for most formats have no exact seek.
    """
    for id, group in groupby(stretches, key=itemgetter(0)):
        wanted = [(start, end) for _, start, end in group]
        given = 0
        try:
            for samples in cut(files[id], wanted, encoder.rate, encoder.isolate):
                given += 1
                yield samples, encoder.rate
        except SonovecError as error:
            yield from [error] * (len(wanted) - given)


def cut(
    path: Path, stretches: Sequence[tuple[float, float]], rate: int, isolate: bool = False
) -> Iterator[NDArray[np.float32]]:
    """The samples of stretches of a file, in order and apart, in seconds; in one reading.

    Parameters
    ----------
    path : Path
    stretches : sequence of (start, end)
    rate : int
        Samples a second of what is given.
    isolate : bool
        See `sonovec.audio.stream.open_mono`.

    Yields
    ------
    array, shape (n,), float32
        One for each stretch; shorter, or empty, where the file ends before.
    """
    first = stretches[0][0]
    left = [(round((start - first) * rate), round((end - first) * rate)) for start, end in stretches]
    with open_mono(path, rate, first, stretches[-1][1], isolate=isolate) as stream:
        position, held = 0, list[NDArray[np.float32]]()
        for block in stream:
            position += len(block)
            held.append(block)
            while left and position >= left[0][1]:
                start, end = left.pop(0)
                joined = np.concatenate(held)
                begun = position - len(joined)
                yield joined[start - begun : end - begun]
                held = [joined[end - begun :]]
            if left and position <= left[0][0]:
                held = []
        joined = np.concatenate([np.empty(0, np.float32), *held])
        begun = position - len(joined)
        for start, end in left:
            yield joined[max(start - begun, 0) : max(end - begun, 0)]


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


def _windows(embedding: Embedding, start: float, end: float, window: float) -> Parts:
    """The windows of a stretch, but for those that are silent or cut where the stretch ends.

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
    return Parts(start + cells[wanted], embedding.windows[wanted])


def _score(parts: Parts, sought: Sought) -> _Scored:
    scores = (unit32(parts.vectors) @ unit32(sought.parts).T).astype(np.float64)
    nearest = (scores - sought.least).argmax(axis=1)
    best = scores[np.arange(len(scores)), nearest]
    return _Scored(parts.times, best, nearest, best >= sought.least[nearest])


def _places(track: Track, looks: Sequence[_Scored], sought: Sought) -> Iterator[Place]:
    """Stretches of a track that score enough, those that touch as one."""
    times, scores, parts = (
        np.concatenate([getattr(look, name)[look.good] for look in looks]) for name in ("times", "scores", "parts")
    )
    order = np.argsort(times[:, 0], kind="stable")
    starts, ends = times[order, 0], np.maximum.accumulate(times[order, 1])
    for run in np.split(np.arange(len(order)), np.flatnonzero(starts[1:] > ends[:-1] + TOUCH) + 1):
        if len(run):
            best = order[run[scores[order[run]].argmax()]]
            began, ended = sought.seconds(int(parts[best]))
            score = round(float(scores[best]), DECIMALS)
            start, end = float(starts[run[0]]), float(ends[run[-1]])
            yield Place(track.id, track.path, start, end, score, began, ended, track.fields)
