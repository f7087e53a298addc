"""The one interface to a vector store, with all that is the same for all of them.

What is checked before a write, the order of writes that makes a killed one repeatable, batching, and the merging of
results. What differs is behind the protocols of `sonovec.library.backend`.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Self, TypeVar, cast

from sonovec.errors import LibraryError, UsageError
from sonovec.library import columns
from sonovec.library.backend import BATCH, TINY, ZERO, Backend, Hit, Row, Table
from sonovec.library.filters import MAX_INT, And, Compare, Filter, In, Not, all_of, any_of
from sonovec.library.location import Location
from sonovec.library.records import TRACK_FIELDS, LibraryConfig, Segment, Track, Value, plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: More hits than any store gives; some refuse to be asked for more.
MOST = 2**31 - 1

#: More rows than this are never asked for: a number that every store can read.
MOST_ROWS = 2**31 - 1

Item = TypeVar("Item")


class Store:
    """Tracks and their segments in a vector store; made by `open_store`.

    Scores are cosine similarities in [-1, 1] of the stored float32 vectors, higher is nearer; a vector of zeros
    scores 0 against everything. A write is visible to its writer, and to whoever opens the store later, when the call
    returns; readers that have a server's library open already see it within a moment, those of a folder at once.
    """

    def __init__(self, location: Location, backend: Backend) -> None:
        self.location = location
        self._backend = backend
        self._config: LibraryConfig | None = None
        self._stamp: object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def config(self) -> LibraryConfig | None:
        """What was fixed when the library was made, or None where there is no library yet."""
        if self._config is None:
            self._stamp = self._backend.stamp()  # first: what is made anew in between is noticed later
            self._config = self._backend.config()
        return self._config

    def is_current(self) -> bool:
        """Whether the library is still the one that this store opened, and was not deleted or made anew since."""
        return self._config is None or self._backend.stamp() == self._stamp

    def _check_current(self) -> None:
        """Refuse to write rows of one library into another."""
        if not self.is_current():
            raise LibraryError(
                f"{self.location}: was deleted or made anew by someone else since it was opened; nothing was written to "
                "the new one; run it again"
            )

    def create(self, config: LibraryConfig) -> None:
        """Make an empty library.

        Raises
        ------
        LibraryError
            There is one already, or it cannot be written.
        """
        if self.config() is not None:
            raise LibraryError(f"{self.location}: there is a library already; open it, or choose another place")
        self._backend.create(config)
        self.config()

    def columns(self) -> dict[str, type]:
        """Names and types (bool, int, float or str) of all fields of a track: `TRACK_FIELDS`, then the user's own."""
        return {**TRACK_FIELDS, **self._backend.columns()}

    def add_columns(self, columns: Mapping[str, type]) -> None:
        """Add columns of the user's own, of type bool, int, float or str; those that exist already are left alone.

        Raises
        ------
        UsageError
            A name is not an identifier, is reserved, or exists with another type.
        """
        self._check_current()
        have = self.columns()
        for name, kind in columns.items():
            self._check_column(name, kind, have)
        self._backend.add_columns({name: kind for name, kind in columns.items() if name not in have})

    @staticmethod
    def _check_column(name: str, kind: type, have: Mapping[str, type]) -> None:
        if name not in have and (why := columns.fault(name, have)):
            raise UsageError(f"column {name!r} {why}")
        if kind not in (bool, int, float, str):
            raise UsageError(f"column {name!r}: type {kind.__name__} cannot be stored; give bool, int, float or str")
        if have.get(name, kind) is not kind:
            raise UsageError(
                f"column {name!r} holds {have[name].__name__} and cannot take {kind.__name__}; rename it, or give "
                f"{have[name].__name__} values"
            )

    def put(self, track: Track, segments: Sequence[Segment]) -> None:
        """Write one track; see `put_many`."""
        self.put_many([(track, segments)])

    def put_many(self, items: Iterable[tuple[Track, Sequence[Segment]]]) -> None:
        """Write tracks with their segments, in place of those of the same ids.

        The segments are written first and the track last, so a track that is there is complete, and a write that
        was killed is repaired by repeating it.

        Parameters
        ----------
        items : iterable of (Track, segments)
            Vectors are float32 `(dim,)`. Fields that are left out are null.

        Raises
        ------
        UsageError
            A vector has another dim or is not finite, a field is unknown or of another type, or the store cannot keep the
            fields (see `refusal`). Nothing was written.
        LibraryError
            The store failed, or was deleted or made anew since it was opened.
        """
        self._check_current()
        columns = self.columns()
        rows, parts = {}, {}
        for track, segments in items:
            fields = _checked(track.fields, columns)
            if reason := self._backend.refusal(fields):
                raise UsageError(f"{fields.get('path') or track.id}: {reason}")
            rows[track.id] = {**self._row(track.id, track.vector), **fields}
            parts[track.id] = [self._part(track.id, segment) for segment in segments]
        for batch in _batches(part for each in parts.values() for part in each):
            self._backend.segments().upsert(batch)
        for ids in _batches(parts):
            self._backend.segments().delete(_beyond({id: len(parts[id]) for id in ids}))
        for batch in _batches(rows.values()):
            self._backend.tracks().upsert(batch)

    def _row(self, id: str, vector: NDArray[np.float32]) -> Row:
        import numpy as np

        vector = np.asarray(vector, np.float32)
        if vector.shape != (self._dim,):
            raise UsageError(f"track {id}: a vector of shape {vector.shape}; this library holds ({self._dim},)")
        with np.errstate(over="ignore"):
            norm = float(np.linalg.norm(vector))
        if not math.isfinite(norm):
            raise UsageError(f"track {id}: a vector that is not finite; leave the track out")
        return {"id": id, "vector": vector, ZERO: norm < TINY}

    def _part(self, id: str, segment: Segment) -> Row:
        return {
            **self._row(id, segment.vector),
            "id": f"{id}:{segment.index:06}",
            "track": id,
            "index": int(segment.index),
            **{name: float(getattr(segment, name)) for name in ("start", "end", "coverage")},
        }

    @property
    def _dim(self) -> int:
        config = self.config()
        if config is None:
            raise LibraryError(f"{self.location}: there is no library; index into it first")
        return config.dim

    def existing(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that are in the library."""
        tracks = self._backend.tracks()
        return {row["id"] for batch in _batches(ids) for row in tracks.rows(In("id", tuple(batch)), ["id"])}

    def paths(self, ids: Iterable[str]) -> dict[str, str]:
        """The paths of those of the ids that are in the library."""
        tracks = self._backend.tracks()
        rows = (row for batch in _batches(ids) for row in tracks.rows(In("id", tuple(batch)), ["id", "path"]))
        return {row["id"]: row["path"] for row in rows}

    def refusal(self, fields: Mapping[str, Value]) -> str | None:
        """Why this store cannot keep a track with these fields, all of them, and what to do; None where it can."""
        return self._backend.refusal({name: plain(value) for name, value in fields.items()})

    def update(self, changes: Mapping[str, Mapping[str, Value]]) -> dict[str, str]:
        """Change fields of tracks, given as {id: {field: value}}; ids that are not in the library are left out.

        Returns
        -------
        dict
            Tracks that are as they were since the store cannot keep their new fields, with the reason.

        Raises
        ------
        UsageError
            A field is unknown or of another type. Nothing was written.
        """
        self._check_current()
        columns = self.columns()
        checked = {id: _checked(fields, columns) for id, fields in changes.items()}
        names = ["id", "vector", ZERO, *columns]
        refused: dict[str, str] = {}
        for batch in _batches(checked):
            rows = [{**row, **checked[row["id"]]} for row in self._backend.tracks().rows(In("id", tuple(batch)), names)]
            for row in rows:
                if reason := self._backend.refusal({name: row[name] for name in columns}):
                    refused[row["id"]] = reason
            if kept := [row for row in rows if row["id"] not in refused]:
                self._backend.tracks().upsert(kept)
        return refused

    def delete(self, ids: Iterable[str]) -> None:
        """Remove tracks and their segments; ids that are not in the library are left out."""
        self._check_current()
        for batch in _batches(ids):
            # The track first: without it its segments are not found, whatever happens next.
            self._backend.tracks().delete(In("id", tuple(batch)))
            self._backend.segments().delete(In("track", tuple(batch)))

    def get(self, ids: Iterable[str], vectors: bool = False) -> dict[str, Track]:
        """Tracks by id; those that are not in the library are left out. Without `vectors`, `Track.vector` is empty."""
        found = (track for batch in _batches(ids) for track in self._tracks(In("id", tuple(batch)), vectors=vectors))
        return {track.id: track for track in found}

    def tracks(
        self, filter: Filter | None = None, limit: int | None = None, offset: int = 0, vectors: bool = False
    ) -> Iterator[Track]:
        """Iterate over tracks, in an order that stays the same until something is written.

        Raises
        ------
        UsageError
            `limit` or `offset` is no whole number, or negative.
        """
        limit = None if limit is None else row_count("limit", limit)
        return iter(()) if limit == 0 else self._tracks(filter, limit, row_count("offset", offset), vectors)

    def _tracks(
        self, where: Filter | None, limit: int | None = None, offset: int = 0, vectors: bool = False
    ) -> Iterator[Track]:
        import numpy as np

        fields = list(self.columns())
        nothing = np.empty(0, np.float32)
        columns = ["id", *(["vector"] if vectors else []), *fields]
        for row in self._backend.tracks().rows(where, columns, limit, offset):
            yield Track(row["id"], row.get("vector", nothing), {name: row.get(name) for name in fields})

    def ids(self, filter: Filter | None = None) -> list[str]:
        """Ids of all tracks, or of those that match."""
        return [row["id"] for row in self._backend.tracks().rows(filter, ["id"])]

    def segments(self, ids: Iterable[str]) -> dict[str, list[Segment]]:
        """Segments of tracks, by track and in the order of their `index`."""
        found: dict[str, list[Segment]] = {}
        columns = ["vector", "track", "index", "start", "end", "coverage"]
        for batch in _batches(ids):
            for row in self._backend.segments().rows(In("track", tuple(batch)), columns):
                segment = Segment(row["index"], row["start"], row["end"], row["coverage"], row["vector"])
                found.setdefault(row["track"], []).append(segment)
        return {id: sorted(parts, key=lambda part: part.index) for id, parts in found.items()}

    def incomplete(self, counts: Mapping[str, int]) -> list[str]:
        """Tracks that lack segments.

        Parameters
        ----------
        counts : mapping
            How many segments tracks should have, where that is known; of others none may be missing before the last.
        """
        found: dict[str, list[int]] = {}
        for row in self._backend.segments().rows(None, ["track", "index"]):
            found.setdefault(row["track"], []).append(row["index"])
        ids = (row["id"] for row in self._backend.tracks().rows(None, ["id"]))
        return [
            id
            for id in ids
            if sorted(found.get(id, [])) != list(range(counts.get(id, max(found.get(id, []), default=0) + 1)))
        ]

    def count(self) -> tuple[int, int]:
        """How many tracks and segments there are."""
        return self._backend.tracks().count(), self._backend.segments().count()

    def search_tracks(
        self, vectors: NDArray[np.float32], limit: int, filter: Filter | None = None
    ) -> list[list[tuple[str, float]]]:
        """Find the tracks nearest to each vector.

        Parameters
        ----------
        vectors : float32 (q, dim)
        limit : int
            At most this many for each vector.
        filter : Filter, optional
            See `sonovec.library.filters.parse`; applied before the search, so `limit` hits come back if as many match.

        Returns
        -------
        list of list of (id, score)
            One list for each vector, best first.
        """
        found = self._search(self._backend.tracks(), vectors, limit, filter, ["id"])
        return [[(row["id"], score) for row, score in hits] for hits in found]

    def search_segments(
        self,
        vectors: NDArray[np.float32],
        limit: int,
        track_ids: Iterable[str] | None = None,
        without: Iterable[str] = (),
    ) -> list[list[tuple[str, int, float]]]:
        """Find the segments nearest to each vector, of all tracks or of those in `track_ids`.

        Parameters
        ----------
        vectors : float32 (q, dim)
        limit : int
            A list that is shorter holds all segments that there are.
        track_ids, without : iterable of str, optional
            Only segments of these tracks, and none of those.

        Returns
        -------
        list of list of (track id, segment index, score)
            One list for each vector, best first.
        """
        skipped = dict.fromkeys(without)
        allowed = None if track_ids is None else [id for id in track_ids if id not in skipped]
        found: list[list[Hit]] = [[] for _ in vectors]
        for where in _of_tracks(allowed, tuple(skipped)):
            more = self._search(self._backend.segments(), vectors, limit, where, ["id", "track", "index"])
            found = [_best(a + b, limit) for a, b in zip(found, more, strict=True)]
        # A write that was killed leaves segments without their track, until it is repeated.
        tracks = {row["track"] for hits in found for row, _ in hits}
        if orphans := tracks - self.existing(tracks):
            return self.search_segments(vectors, limit, allowed, {*skipped, *orphans})
        return [[(row["track"], row["index"], score) for row, score in hits] for hits in found]

    def _search(
        self, table: Table, vectors: NDArray[np.float32], limit: int, where: Filter | None, columns: Sequence[str]
    ) -> list[list[Hit]]:
        """Search a table, vectors of zeros included."""
        import numpy as np

        vectors = np.asarray(vectors, np.float64)
        if vectors.ndim != 2 or vectors.shape[1] != self._dim or not np.isfinite(vectors).all():
            raise UsageError(f"vectors of shape {vectors.shape}; give finite numbers of shape (q, {self._dim})")
        limit = min(row_count("limit", limit), MOST)
        if limit == 0:
            return [[] for _ in vectors]
        norms = np.linalg.norm(vectors, axis=1)
        directed = norms >= TINY
        units = (vectors[directed] / norms[directed, None]).astype(np.float32)
        found = iter(table.search(units, limit, where, columns) if len(units) else [])
        hits = [
            next(found) if ok else [(row, 0.0) for row in table.rows(where, columns, limit)] for ok in directed.tolist()
        ]
        if all(len(each) == limit and each[-1][1] >= 0 for each in hits):
            return [_best(each, limit) for each in hits]
        zeros = list(table.rows(all_of(Compare(ZERO, "=", True), where), columns, limit))
        ids = {row["id"] for row in zeros}
        return [
            _best([*(hit for hit in each if hit[0]["id"] not in ids), *((row, 0.0) for row in zeros)], limit)
            for each in hits
        ]

    def optimize(self) -> None:
        """Compact the store and bring its indexes up to date where the size calls for it; cheap where it does not."""
        self._backend.tracks().optimize()
        self._backend.segments().optimize()

    def close(self) -> None:
        """Release what is held; the store cannot be used afterwards."""
        self._backend.close()


def row_count(name: str, value: object) -> int:
    """A number of rows as every store takes it.

    Raises
    ------
    UsageError
        It is negative, or no whole number.

    Examples
    --------
    >>> row_count("limit", 10**30) == MOST_ROWS
    True
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{name}={value!r} is no whole number; give one, such as {name}=10") from None
    if count < 0:
        raise UsageError(f"{name}={count} is negative; give 0 or more")
    return min(count, MOST_ROWS)


def _checked(fields: Mapping[str, Value], columns: Mapping[str, type]) -> dict[str, Value]:
    """The fields as every store keeps them alike."""
    return {name: _checked_value(name, value, columns) for name, value in fields.items()}


def _checked_value(name: str, value: Value, columns: Mapping[str, type]) -> Value:
    if name not in columns:
        raise UsageError(f"field {name!r} is unknown; add it with Store.add_columns({{{name!r}: str}})")
    kind = columns[name]
    value = cast(Value, plain(value))
    if value is None:
        return None
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise UsageError(f"field {name!r}: {value!r} is not of type {kind.__name__}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UsageError(f"field {name!r}: {value} is not finite; give None where a value is missing")
        return value + 0.0  # stores that order floats bit by bit tell a negative zero from zero
    if type(value) is int and abs(value) > MAX_INT:
        raise UsageError(f"field {name!r}: {value} is beyond 64 bits; store it as text")
    if isinstance(value, str) and not value.isascii() and re.search("[\ud800-\udfff]", value):
        raise UsageError(f"field {name!r}: {value!r} is not Unicode text; use sonovec.paths.to_text for paths")
    return value


def _beyond(counts: Mapping[str, int]) -> Filter:
    """Segments that tracks had before and have no more, given how many each has now."""
    groups = groupby(sorted(counts, key=counts.__getitem__), key=counts.__getitem__)
    return any_of([And((In("track", tuple(ids)), Compare("index", ">=", count))) for count, ids in groups])


def _of_tracks(ids: Sequence[str] | None, without: tuple[str, ...]) -> list[Filter | None]:
    """Conditions on segments, of which each meets one at most: of some tracks, or of all but some."""
    if ids is not None:
        return [In("track", tuple(batch)) for batch in _batches(ids)]
    return [Not(In("track", without)) if without else None]


def _best(hits: list[Hit], limit: int) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]["id"]))[:limit]


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
