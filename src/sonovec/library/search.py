"""Search a library by a sound, a part of one, an indexed track or a vector; every hit says which seconds match which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.embedding.embedding import Embedding
from sonovec.embedding.pooling import pool
from sonovec.errors import UsageError
from sonovec.library import sound_tags
from sonovec.library.filters import Filter
from sonovec.library.records import Segment, Track, Value
from sonovec.library.store import Store, row_count

LEVELS = ("track", "segment")


@dataclass(frozen=True, eq=False)
class Query:
    """What is searched for: a clip vector (dim,), its parts (q, dim), and their times (q, 2) in seconds, if it has any."""

    vector: NDArray[np.float32]
    parts: NDArray[np.float32]
    times: NDArray[np.float64] | None

    @classmethod
    def of_embedding(cls, embedding: Embedding, segment_seconds: float) -> Query:
        """A query of a sound that was just embedded."""
        parts = embedding.parts(segment_seconds)
        times = np.array([(part.start, part.end) for part in parts])
        return cls(embedding.vector, np.stack([part.vector for part in parts]), times)

    @classmethod
    def of_segments(cls, segments: list[Segment]) -> Query:
        """A query of parts that are pooled already; its vector is their mean, weighted by length and coverage."""
        parts = np.stack([segment.vector for segment in segments])
        weights = np.array([(segment.end - segment.start) * segment.coverage for segment in segments], np.float32)
        times = np.array([(segment.start, segment.end) for segment in segments])
        return cls(pool(parts, weights), parts, times)


@dataclass(frozen=True)
class Hit:
    """One search result.

    Attributes
    ----------
    id : str
        The track's id: the hash of its content.
    path : str
        The track's file.
    score : float
        Cosine similarity in [-1, 1], of the whole sounds or, for ``level="segment"``, of the best pair of parts.
    query_start, query_end : float or None
        Seconds of the query that match best; None for a query that is a bare vector.
    start, end : float
        Seconds of the track that match best.
    fields : mapping
        Everything else that is stored with the track.
    """

    id: str
    path: str
    score: float
    query_start: float | None
    query_end: float | None
    start: float
    end: float
    fields: Mapping[str, Value]

    @property
    def tags(self) -> dict[str, float]:
        """What was heard in the track, with the scores, best first; empty if its encoder scores no classes."""
        return sound_tags.read(_told(self.fields))

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values."""
        # A column `tags` of the user's own, which metadata often has, keeps its name; `sound_tags` tells the rest then.
        own = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "fields"}
        tags = [{"tag": tag, "score": score} for tag, score in self.tags.items()]
        return {**own, "tags": tags, **{name: value for name, value in self.fields.items() if name not in own}}


@dataclass(frozen=True)
class TextSearch:
    """What a search for words found, and how.

    Attributes
    ----------
    hits : list of Hit
    by : {"words", "tags"}
        By the vector of the words, or by the tags that they name.
    tags : tuple of str
        Those tags.
    unknown : tuple of str
        Words that name no tag that was heard, and had no say.
    """

    hits: list[Hit]
    by: str
    tags: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def search_tags(store: Store, text: str, limit: int, where: Filter | None) -> TextSearch:
    """Rank tracks by the tags that a text names; see `sonovec.Library.search_text`.

    The score of a hit is the mean, over the words, of the best score that a tag with that word has.
    """
    limit = row_count("limit", limit)
    heard = {track.id: (track, sound_tags.read(_told(track.fields))) for track in store.tracks(where)}
    words = sound_tags.named(text, {name for _, tags in heard.values() for name in tags})
    scored = ((sound_tags.score(tags, words), track) for track, tags in heard.values())
    best = sorted(((value, track) for value, track in scored if value > 0), key=lambda pair: (-pair[0], pair[1].path))
    hits = [_tag_hit(track, value) for value, track in best[:limit]]
    named = tuple(dict.fromkeys(name for names in words.values() for name in names))
    return TextSearch(hits, "tags", named, _unknown(text, words))


def _told(fields: Mapping[str, Value]) -> str | None:
    value = fields.get(sound_tags.COLUMN)
    return None if value is None else str(value)


def _unknown(text: str, words: Mapping[str, list[str]]) -> tuple[str, ...]:
    known = {*words, *(stem for names in words.values() for name in names for stem in sound_tags.words_of(name))}
    return tuple(word for stem, word in sound_tags.words_of(text).items() if stem not in known)


def _tag_hit(track: Track, score: float) -> Hit:
    duration = track.fields.get("duration")
    fields = {name: value for name, value in track.fields.items() if name != "path"}
    return Hit(track.id, track.path, score, None, None, 0.0, float(duration or 0.0), fields)


def search(store: Store, query: Query, limit: int, where: Filter | None, level: str) -> list[Hit]:
    """Find the tracks nearest to a query, best first; see `sonovec.Library.search`."""
    if level not in LEVELS:
        raise UsageError(f"level={level!r} is unknown; give one of: {', '.join(LEVELS)}")
    limit = row_count("limit", limit)
    if limit == 0:
        return []
    ranked = _by_track(store, query, limit, where) if level == "track" else _by_segment(store, query, limit, where)
    tracks = store.get(ranked)
    segments = store.segments(tracks)
    # A track can be removed by another process between the search and this look.
    hits = [_hit(tracks[id], ranked[id], query, segments[id]) for id in ranked if id in tracks and segments.get(id)]
    return sorted(hits, key=lambda hit: (-hit.score, hit.path))


def _by_track(store: Store, query: Query, limit: int, where: Filter | None) -> dict[str, float]:
    return dict(store.search_tracks(query.vector[None], limit, where)[0])


def _by_segment(store: Store, query: Query, limit: int, where: Filter | None) -> dict[str, float]:
    """Best score of any pair of parts for each track; asks for more segments until enough tracks are among them."""
    allowed = None if where is None else [track.id for track in store.tracks(where)]
    total = store.count()[1]
    asked = 4 * limit
    while True:
        best: dict[str, float] = {}
        for matches in store.search_segments(query.parts, min(asked, total), allowed) if total else []:
            for id, _, score in matches:
                best[id] = max(score, best.get(id, -1.0))
        if len(best) >= limit or asked >= total:
            return dict(sorted(best.items(), key=lambda item: -item[1])[:limit])
        asked *= 4


def _hit(track: Track, score: float, query: Query, segments: list[Segment]) -> Hit:
    similarity = _unit(query.parts) @ _unit(np.stack([segment.vector for segment in segments])).T
    i, j = np.unravel_index(int(similarity.argmax()), similarity.shape)
    query_start, query_end = (None, None) if query.times is None else map(float, query.times[i])
    fields = {name: value for name, value in track.fields.items() if name != "path"}
    return Hit(
        track.id, str(track.fields["path"]), score, query_start, query_end, segments[j].start, segments[j].end, fields
    )


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms == 0, 1, norms), np.float32)
