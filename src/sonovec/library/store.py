"""The one interface to a vector store, with all that is the same for all of them.

What is checked before a write (values by `sonovec.library.values`), the order of writes that makes a killed one repeatable,
batching, and the merging of results. What differs is behind the protocols of `sonovec.library.backend`.
"""

from __future__ import annotations

import logging
import math
import operator
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Self

from sonovec.errors import LibraryError, PassportError, UsageError
from sonovec.library import sound_tags
from sonovec.library.backend import BATCH, USUAL, Backend, Effort, Row, Table, VectorTable
from sonovec.library.batches import batches
from sonovec.library.coded_table import CodedTable
from sonovec.library.codes import PLAIN
from sonovec.library.columns import TRACK_COLUMNS, USER, Column, Kind, check_new
from sonovec.library.filters import And, Compare, Filter, In, any_of
from sonovec.library.location import Location
from sonovec.library.nearest import Nearest, best_in_groups
from sonovec.library.projections import Projection, fingerprint, projection_file
from sonovec.library.records import MAIN, LibraryConfig, Moment, Parts, Segment, Space, Track, Value, plain
from sonovec.library.tables import TAGS, TRACKS, ZERO, TableSpec, all_tables, segments_of, vectors_of
from sonovec.library.values import checked
from sonovec.models.defaults import SPACES
from sonovec.vectors import TINY

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)

#: More rows than this are never asked for: a number that every store can read.
MOST_ROWS = 2**31 - 1


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
        self._projections: dict[str, tuple[str, Projection]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def config(self) -> LibraryConfig | None:
        """What was fixed when the library was made, or None where there is no library yet."""
        while self._config is None:
            self._stamp = self._backend.stamp()
            self._config = self._backend.config()
            if self._backend.stamp() == self._stamp:
                break
            self._config = None  # it was migrated by this very look, or made anew meanwhile
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

    def create(self, config: LibraryConfig, columns: Iterable[Column] = ()) -> None:
        """Make an empty library.

        Parameters
        ----------
        config : LibraryConfig
        columns : iterable of Column
            Those that it has from the start; see `declare`. Milvus keeps them better than those that are added later.

        Raises
        ------
        LibraryError
            There is one already, or it cannot be written.
        """
        if self.config() is not None:
            raise LibraryError(f"{self.location}: there is a library already; open it, or choose another place")
        wanted = _new_columns(columns, {column.name: column for column in TRACK_COLUMNS})
        self._backend.create(replace(config, id=config.id or uuid.uuid4().hex, format=LibraryConfig.format), wanted)
        self.config()

    def upgrade(self) -> None:
        """Bring a library of a former format, which was opened as it is, to this one; the caller holds its lock."""
        config = self.config()
        if config is not None and config.format < LibraryConfig.format:
            self._backend.upgrade()
            self._config = None
            config = self.config()
        if config is not None:
            self._backend.complete()

    # -- columns

    def columns(self) -> dict[str, Kind]:
        """Names and types of all fields of a track: `TRACK_FIELDS`, then those of analysers and the user's own."""
        return {name: column.kind for name, column in self._backend.columns().items()}

    def declared(self) -> dict[str, Column]:
        """The columns of tracks, with their owners."""
        return self._backend.columns()

    def add_columns(self, columns: Mapping[str, Kind]) -> None:
        """Add columns of the user's own, of type bool, int, float, str or ``list[str]``; see `declare`."""
        self.declare(Column(name, kind, USER) for name, kind in columns.items())

    def declare(self, columns: Iterable[Column]) -> None:
        """Add columns; those that their owner has already are left alone.

        Raises
        ------
        UsageError
            A name is not an identifier, is reserved, is another owner's, or exists with another type.
        """
        self._check_current()
        if new := _new_columns(columns, self._backend.columns()):
            self._backend.add_columns(new)

    # -- spaces

    def spaces(self) -> dict[str, Space]:
        """The spaces, the main one first."""
        return self._backend.spaces()

    def space(self, name: str = MAIN) -> Space:
        """One of them.

        Raises
        ------
        UsageError
            There is none of that name.
        """
        config = self.config()
        if config is None:
            raise LibraryError(f"{self.location}: there is no library; index into it first")
        if name == MAIN:
            return config.main
        spaces = self.spaces()
        if name not in spaces:
            model = "" if name in SPACES else " -m MODEL"
            raise UsageError(
                f"{self.location}: no space {name!r}; it has {', '.join(spaces)}; make one with: "
                f"sonovec index PATH -l {self.location} --space {name}{model}"
            )
        return spaces[name]

    def add_space(self, space: Space) -> None:
        """Add an empty space.

        Raises
        ------
        UsageError
            The name is taken, or is no name.
        """
        self._check_new(space)
        self._backend.add_space(space)

    def add_compressed(self, space: Space, content: bytes | None) -> None:
        """Add an empty compressed space, with the file of its projection, if it has one.

        Raises
        ------
        UsageError
            The name is taken, or is no name; or this store does not keep such numbers.
        """
        self._check_new(space)
        if content is not None:  # before the space, which needs it
            self._backend.attach(projection_file(space.name), content)
        self._backend.add_space(space)

    def _check_new(self, space: Space) -> None:
        self._check_current()
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", space.name):
            raise UsageError(
                f"space {space.name!r}: give at most 40 letters, digits and underscores, a letter first, such as 'clap'"
            )
        for other in self.spaces():
            if other.lower() == space.name.lower():
                raise UsageError(f"{self.location}: has a space {other!r} already; give another name, or drop it first")
        if space.dtype != PLAIN and not self._backend.keeps_codes:
            raise UsageError(
                f"{self.location}: Milvus keeps vectors of a library as float32, not as {space.dtype}; give fewer numbers, "
                "such as --to 128 or --to pca-95%, or use a library in a folder (LanceDB)"
            )

    def drop_space(self, name: str) -> None:
        """Remove a space with its vectors; the tracks are not touched.

        Raises
        ------
        UsageError
            There is none of that name, or it is the main one.
        """
        self._check_current()
        if self.space(name).name == MAIN:
            raise UsageError(f"the space {MAIN!r} is the library's own; delete the library {self.location} instead")
        if made := [space.name for space in self.spaces().values() if space.source == name]:
            raise UsageError(
                f"{self.location}: the space {made[0]!r} is made of {name!r}; drop that one first: "
                f"sonovec library drop-space {self.location} {made[0]}"
            )
        self._backend.drop_space(name)
        self._backend.detach(projection_file(name))

    def put_vectors(self, items: Iterable[tuple[str, NDArray[np.float32], Sequence[Segment]]], space: str) -> None:
        """Write vectors of tracks into a space, given as (track id, clip vector, segments), in place of what it has of them.

        The segments come first and the clip vector last, so a track that the space holds is complete there.
        """
        self._check_current()
        self._put_vectors({id: (vector, segments) for id, vector, segments in items}, self.space(space))

    def _put_vectors(self, items: Mapping[str, tuple[NDArray[np.float32], Sequence[Segment]]], space: Space) -> None:
        # Those that are made of them come first: a track that is complete in a space is complete in what follows it.
        for small in self.spaces().values() if items else ():
            if small.source == space.name:
                self._put_vectors(dict(self._smaller(items, small)), small)
        rows = {id: {**_vector_row(id, vector, space), "id": id} for id, (vector, _) in items.items()}
        if space.level == "segment":
            parts = {id: [_part(id, segment, space) for segment in segments] for id, (_, segments) in items.items()}
            table = self._segments(space)
            for batch in batches((part for each in parts.values() for part in each), BATCH):
                table.upsert(batch)
            for ids in batches(parts, BATCH):
                table.delete(_beyond({id: len(parts[id]) for id in ids}))
        for batch in batches(rows.values(), BATCH):
            self._vectors(space).upsert(batch)

    def _smaller(
        self, items: Mapping[str, tuple[NDArray[np.float32], Sequence[Segment]]], space: Space
    ) -> Iterator[tuple[str, tuple[NDArray[np.float32], Sequence[Segment]]]]:
        """Vectors of tracks and of their segments as a compressed space takes them."""
        import numpy as np

        apply = self.projection(space).apply
        for id, (vector, segments) in items.items():
            rows = apply(np.stack([np.asarray(vector, np.float32), *(segment.vector for segment in segments)]))
            made = [replace(segment, vector=row) for segment, row in zip(segments, rows[1:], strict=True)]
            yield id, (rows[0], made)

    def compress(self, ids: Sequence[str], space: str) -> None:
        """Write into a compressed space what its source holds of tracks."""
        self._check_current()
        wanted = self.space(space)
        source = str(wanted.source)
        rows = self._vectors(self.space(source)).rows(In("id", tuple(ids)), ["id", "vector"])
        vectors = {row["id"]: row["vector"] for row in rows}
        segments = self.segments(vectors, source) if wanted.level == "segment" else {}
        items = {id: (vector, segments.get(id, [])) for id, vector in vectors.items()}
        self._put_vectors(dict(self._smaller(items, wanted)), wanted)

    def projection(self, space: Space) -> Projection:
        """What makes the vectors of a compressed space of those of its source.

        Raises
        ------
        PassportError
            Its file is gone, or is not the one that the space was made with.
        """
        wanted = space.passport.get("projection")
        if wanted is None:
            return Projection()
        known = self._projections.get(space.name)
        if known is None or known[0] != wanted:
            known = self._projections[space.name] = str(wanted), self._read_projection(space, str(wanted))
        return known[1]

    def _read_projection(self, space: Space, wanted: str) -> Projection:
        name = projection_file(space.name)
        again = (
            f"put it back from a backup, or make the space again: sonovec library drop-space {self.location} {space.name}, "
            f"then sonovec compress {self.location} --to {space.passport.get('to')}"
        )
        what = f"{self.location}, space {space.name!r}: the projection that made it ({name})"
        content = self._backend.attachment(name)
        if content is None:
            raise PassportError(f"{what} is gone; {again}")
        if fingerprint(content) != wanted:
            raise PassportError(
                f"{what} was changed: its fingerprint is {fingerprint(content)} and not {wanted}; {again}"
            )
        try:
            found = Projection.from_bytes(content)
        except ValueError as error:
            raise PassportError(f"{what} cannot be read ({error}); {again}") from error
        if not found.fits(self.space(str(space.source)).dim, space):
            raise PassportError(f"{what} has other shapes than the space needs; {again}")
        return found

    def _vectors(self, space: Space) -> VectorTable:
        return self._coded(self._backend.table(vectors_of(space)), space)

    def _segments(self, space: Space) -> VectorTable:
        return self._coded(self._backend.table(segments_of(space)), space)

    def _coded(self, table: VectorTable, space: Space) -> VectorTable:
        return table if space.dtype == PLAIN else CodedTable(table, self.projection(space).codes(space))

    def holds(self, ids: Iterable[str], space: str = MAIN) -> set[str]:
        """Those of the ids that have vectors in a space."""
        table = self._vectors(self.space(space))
        return {row["id"] for batch in batches(ids, BATCH) for row in table.rows(In("id", tuple(batch)), ["id"])}

    def vectors(self, space: str = MAIN, level: str = "track") -> Iterator[pa.RecordBatch]:
        """Stored vectors as Arrow record batches, one after the other; see `sonovec.Library.vectors`."""
        wanted = self.space(space)
        if level == "track":
            return self._vectors(wanted).batches(None, ["id", "vector"])
        if level != "segment":
            raise UsageError(f"level={level!r} is unknown; give one of: track, segment")
        if wanted.level == "track":
            raise UsageError(f"the space {space!r} holds no segments; give level='track'")
        return self._segments(wanted).batches(None, ["track", "index", "start", "end", "vector"])

    # -- tracks

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
        columns, space = self.columns(), self.space()
        rows, vectors = {}, {}
        for track, segments in items:
            fields = checked(track.fields, columns)
            if reason := self._backend.refusal(fields):
                raise UsageError(f"{fields.get('path') or track.id}: {reason}")
            rows[track.id] = {"id": track.id, **fields}
            vectors[track.id] = track.vector, segments
        self._put_vectors(vectors, space)
        for batch in batches(rows.values(), BATCH):
            self._tracks_table.upsert(batch)

    @property
    def _tracks_table(self) -> Table:
        return self._backend.table(TRACKS)

    def existing(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that are in the library."""
        tracks = self._tracks_table
        return {row["id"] for batch in batches(ids, BATCH) for row in tracks.rows(In("id", tuple(batch)), ["id"])}

    def paths(self, ids: Iterable[str]) -> dict[str, str]:
        """The paths of those of the ids that are in the library."""
        tracks = self._tracks_table
        rows = (row for batch in batches(ids, BATCH) for row in tracks.rows(In("id", tuple(batch)), ["id", "path"]))
        return {row["id"]: row["path"] for row in rows}

    def refusal(self, fields: Mapping[str, Value]) -> str | None:
        """Why this store cannot keep a track with these fields, all of them, and what to do; None where it can."""
        return self._backend.refusal({name: plain(value) for name, value in fields.items()})

    def update(self, changes: Mapping[str, Mapping[str, Value]]) -> dict[str, str]:
        """Change fields of tracks, given as {id: {field: value}}; ids that are not in the library are left out.

        Columns that are not given, and vectors, are not written; nor is a track that has the values already.

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
        given = {id: checked(fields, columns) for id, fields in changes.items()}
        refused: dict[str, str] = {}
        for batch in batches(given, BATCH):
            changed: dict[tuple[str, ...], list[Row]] = {}
            for row in self._tracks_table.rows(In("id", tuple(batch)), ["id", *columns]):
                new = {name: value for name, value in given[row["id"]].items() if row[name] != value}
                if reason := self._backend.refusal({**{name: row[name] for name in columns}, **new}):
                    refused[row["id"]] = reason
                elif new:
                    changed.setdefault(tuple(sorted(new)), []).append({"id": row["id"], **new})
            for rows in changed.values():
                self._tracks_table.update(rows)
        return refused

    def delete(self, ids: Iterable[str]) -> None:
        """Remove tracks with their vectors, passages and labels; ids that are not in the library are left out."""
        self._check_current()
        spaces = self.spaces().values()
        for batch in batches(ids, BATCH):
            # The track first: without it nothing else of it is found, whatever happens next.
            self._tracks_table.delete(In("id", tuple(batch)))
            self._delete_parts(batch, spaces)

    def _delete_parts(self, ids: Sequence[str], spaces: Iterable[Space]) -> None:
        for spec in all_tables(spaces)[1:]:
            key = "track" if any(column.name == "track" for column in spec.columns) else "id"
            self._backend.table(spec).delete(In(key, tuple(ids)))

    def get(self, ids: Iterable[str], vectors: bool = False, space: str = MAIN) -> dict[str, Track]:
        """Tracks by id; those that are not in the library are left out. Without `vectors`, `Track.vector` is empty."""
        wanted = list(ids)
        found = {track.id: track for batch in batches(wanted, BATCH) for track in self._tracks(In("id", tuple(batch)))}
        return {track.id: track for track in self._with_vectors(found.values(), space)} if vectors else found

    def _with_vectors(self, tracks: Iterable[Track], space: str) -> Iterator[Track]:
        """The tracks of which the space has a vector, with it."""
        table = self._vectors(self.space(space))
        for batch in batches(tracks, BATCH):
            rows = table.rows(In("id", tuple(track.id for track in batch)), ["id", "vector"])
            vectors = {row["id"]: row["vector"] for row in rows}
            yield from (Track(track.id, vectors[track.id], track.fields) for track in batch if track.id in vectors)

    def clip_vectors(self, ids: Iterable[str], space: str = MAIN) -> dict[str, NDArray[np.float32]]:
        """The clip vectors (dim,) of those of the ids that a space has."""
        wanted = self.space(space)
        table = self._vectors(wanted)
        found: dict[str, NDArray[np.float32]] = {}
        for some in batches(ids, BATCH):
            for batch in table.batches(In("id", tuple(some)), ["id", "vector"]):
                vectors = batch.column("vector").flatten().to_numpy().reshape(len(batch), wanted.dim)
                found.update(zip(batch.column("id").to_pylist(), vectors, strict=True))
        return found

    def tracks(
        self, filter: Filter | None = None, limit: int | None = None, offset: int = 0, vectors: bool = False
    ) -> Iterator[Track]:
        """Iterate over tracks, in an order that stays the same until something is written.

        Raises
        ------
        UsageError
            `limit` or `offset` is not a whole number, or negative.
        """
        limit = None if limit is None else row_count("limit", limit)
        offset = row_count("offset", offset)
        if limit == 0:
            return iter(())
        found = self._tracks(filter, limit, offset)
        return self._with_vectors(found, MAIN) if vectors else found

    def _tracks(self, where: Filter | None, limit: int | None = None, offset: int = 0) -> Iterator[Track]:
        import numpy as np

        fields = list(self.columns())
        nothing = np.empty(0, np.float32)
        for row in self._tracks_table.rows(where, ["id", *fields], limit, offset):
            yield Track(row["id"], nothing, {name: row.get(name) for name in fields})

    def ids(self, filter: Filter | None = None, limit: int | None = None) -> list[str]:
        """Ids of all tracks, or of those that match; at most `limit` of them."""
        return self._tracks_table.ids(filter, limit)

    def segments(self, ids: Iterable[str], space: str = MAIN) -> dict[str, list[Segment]]:
        """Segments of tracks, by track and in the order of their `index`; none in a space of whole tracks."""
        found: dict[str, list[Segment]] = {}
        wanted = self.space(space)
        if wanted.level == "track":
            return found
        table = self._segments(wanted)
        columns = ["vector", "track", "index", "start", "end", "coverage", *([TAGS] if table.has(TAGS) else [])]
        for batch in batches(ids, BATCH):
            for row in table.rows(In("track", tuple(batch)), columns):
                tags = sound_tags.from_text(row.get(TAGS))
                segment = Segment(row["index"], row["start"], row["end"], row["coverage"], row["vector"], tags)
                found.setdefault(row["track"], []).append(segment)
        return {id: sorted(parts, key=lambda part: part.index) for id, parts in found.items()}

    def parts(self, ids: Iterable[str], space: str = MAIN) -> dict[str, Parts]:
        """The same segments as arrays, by track: of an hour in seconds there are thousands."""
        wanted = self.space(space)
        if wanted.level == "track":
            return {}
        table = self._segments(wanted)
        columns = ["track", "index", "start", "end", "vector"]
        found = [
            batch
            for some in batches(ids, BATCH)
            for batch in table.batches(In("track", tuple(some)), columns)
            if len(batch)
        ]
        return _parts_by_track(found, wanted.dim) if found else {}

    def moments(self, ids: Iterable[str]) -> dict[str, list[Moment]]:
        """The segments of tracks that were stored with tags, by track and in the order of time; without vectors."""
        table = self._backend.table(segments_of(self.space()))
        found: dict[str, list[Moment]] = {}
        if table.has(TAGS):
            columns = ["track", "start", "end", TAGS]
            for batch in batches(ids, BATCH):
                for row in table.rows(In("track", tuple(batch)), columns):
                    if row[TAGS]:
                        moment = Moment(row["start"], row["end"], sound_tags.from_text(row[TAGS]))
                        found.setdefault(row["track"], []).append(moment)
        return {id: sorted(moments, key=lambda moment: moment.start) for id, moments in found.items()}

    def count(self) -> tuple[int, int]:
        """How many tracks, and segments of the main space, there are."""
        return self._tracks_table.count(), self._backend.table(segments_of(self.space())).count()

    # -- search

    def search_tracks(
        self,
        vectors: NDArray[np.float32],
        limit: int,
        filter: Filter | None = None,
        *,
        space: str = MAIN,
        effort: Effort = USUAL,
    ) -> list[list[tuple[str, float]]]:
        """Find the tracks nearest to each vector.

        Parameters
        ----------
        vectors : float32 (q, dim)
        limit : int
            At most this many for each vector.
        filter : Filter, optional
            See `sonovec.library.filters.parse`; `limit` hits come back if as many match.
        space : str
            The space that the vectors are of.
        effort : Effort
            How hard an approximate index is searched.

        Returns
        -------
        list of list of (id, score)
            One list for each vector, best first.
        """
        wanted = self.space(space)
        found = Nearest(self._tracks_table, self._vectors(wanted), "id", effort).search(
            _queries(vectors, wanted), row_count("limit", limit), filter
        )
        return [[(row["id"], score) for row, score in hits] for hits in found]

    def candidates(
        self, vectors: NDArray[np.float32], limit: int, filter: Filter | None = None
    ) -> list[dict[str, NDArray[np.float32]]]:
        """The same in the main space with the clip vector (dim,) of each, best first; some may lack their track.

        To look up what was found costs more than the search, so who reads the tracks anyway does it once.
        """
        main = self.space()
        nearest = Nearest(self._tracks_table, self._vectors(main), "id", USUAL, unchecked=True, more=["vector"])
        found = nearest.search(_queries(vectors, main), row_count("limit", limit), filter)
        return [{row["id"]: row["vector"] for row, _ in hits} for hits in found]

    def search_segments(
        self,
        vectors: NDArray[np.float32],
        limit: int,
        track_ids: Iterable[str] | None = None,
        without: Iterable[str] = (),
        filter: Filter | None = None,
        *,
        space: str = MAIN,
        effort: Effort = USUAL,
    ) -> list[list[tuple[str, int, float]]]:
        """Find the segments nearest to each vector, of all tracks, of those in `track_ids`, or of those that match.

        Parameters
        ----------
        vectors : float32 (q, dim)
        limit : int
            A list that is shorter holds all segments that there are.
        track_ids, without : iterable of str, optional
            Only segments of these tracks, and none of those.
        filter, space, effort
            See `search_tracks`.

        Returns
        -------
        list of list of (track id, segment index, score)
            One list for each vector, best first.
        """
        wanted = self.space(space)
        if wanted.level == "track":
            raise UsageError(f"the space {space!r} holds no segments; search it with level='track'")
        nearest = Nearest(self._tracks_table, self._segments(wanted), "track", effort)
        ids = None if track_ids is None else list(track_ids)
        found = nearest.search(_queries(vectors, wanted), row_count("limit", limit), filter, ids, tuple(without))
        return [[(row["track"], row["index"], score) for row, score in hits] for hits in found]

    def sample(self, limit: int, space: str = MAIN, level: str = "segment") -> NDArray[np.float32]:
        """Vectors of at most `limit` segments of a space, or of its tracks, from all over it, (n, dim)."""
        import numpy as np

        wanted = self.space(space)
        table = self._vectors(wanted) if level == "track" or wanted.level == "track" else self._segments(wanted)
        batches = table.sample(limit, ["vector"])
        vectors = [batch.column("vector").flatten().to_numpy() for batch in batches]
        return np.concatenate([np.empty(0, np.float32), *vectors]).reshape(-1, wanted.dim)

    def best_in_tracks(
        self, vectors: NDArray[np.float32], filter: Filter | None, space: str = MAIN
    ) -> dict[str, float]:
        """The best cosine similarity that any of the (q, dim) vectors has with any segment, for each track that matches.

        Every segment is looked at.
        """
        wanted = self.space(space)
        table = self._segments(wanted)
        allowed = None if filter is None else set(self.ids(filter))
        return best_in_groups(table.batches(None, ["track", "vector"]), _queries(vectors, wanted), allowed)

    def tag_scores(
        self, items: Sequence[str], column: str, filter: Filter | None
    ) -> tuple[pa.Array, NDArray[np.float64]]:
        """Ids of n tracks, and (n, items) scores of the items in their list `column`; see `Table.scores`."""
        return self._tracks_table.scores(items, column, filter)

    def items(self, column: str) -> set[str]:
        """All that the lists of a column hold."""
        return set(self._tracks_table.items(column))

    @property
    def most_text(self) -> int | None:
        """Bytes that a text of a passage or a label may have; None where any length is kept."""
        return self._backend.most_text

    def table_to_write(self, spec: TableSpec) -> Table:
        """One of the library's tables, to be written to now.

        Raises
        ------
        LibraryError
            The library was deleted or made anew since it was opened.
        """
        self._check_current()
        return self._backend.table(spec)

    # -- beside the tables

    def attachments(self) -> list[str]:
        """The names of what is kept beside the tables."""
        return self._backend.attachments()

    def attachment(self, name: str) -> bytes | None:
        """What is kept under a name, or None."""
        return self._backend.attachment(name)

    def attach(self, name: str, content: bytes) -> None:
        """Keep some bytes under a name, in place of what is there: as a whole or not at all."""
        self._check_current()
        self._backend.attach(name, content)

    def detach(self, name: str) -> None:
        """Forget what is kept under a name."""
        self._check_current()
        self._backend.detach(name)

    # -- upkeep

    def table(self, spec: TableSpec) -> Table:
        """One of the library's tables as it is, for its upkeep."""
        return self._backend.table(spec)

    def optimize(self, tell: Callable[[str], object] = lambda table: None) -> None:
        """Compact the store and bring its indices up to date where the size calls for it; cheap where it does not.

        With the name of each table `tell` is called before it is looked at; what that raises ends it.
        """
        for spec in all_tables(self.spaces().values()):
            tell(spec.name)
            began = time.monotonic()
            self._backend.table(spec).optimize()
            _LOG.debug("%s: %s was brought up to date in %.2f s", self.location, spec.name, time.monotonic() - began)

    def close(self) -> None:
        """Release what is held; the store cannot be used afterwards."""
        self._backend.close()


def _new_columns(columns: Iterable[Column], have: Mapping[str, Column]) -> list[Column]:
    """Those of the columns that a library has not yet; see `Store.declare`."""
    new: dict[str, Column] = {}
    for column in columns:
        if check_new(column, {**have, **new}):
            new[column.name] = column
    return list(new.values())


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
        raise UsageError(f"{name}={value!r} is not a whole number; give one, such as {name}=10") from None
    if count < 0:
        raise UsageError(f"{name}={count} is negative; give 0 or more")
    return min(count, MOST_ROWS)


def _beyond(counts: Mapping[str, int]) -> Filter:
    """Segments that tracks had before and have no more, given how many each has now."""
    groups = groupby(sorted(counts, key=counts.__getitem__), key=counts.__getitem__)
    return any_of([And((In("track", tuple(ids)), Compare("index", ">=", count))) for count, ids in groups])


def _parts_by_track(batches: Sequence[pa.RecordBatch], dim: int) -> dict[str, Parts]:
    import numpy as np
    import pyarrow as pa

    table = pa.Table.from_batches(batches)
    tracks = table["track"].combine_chunks().dictionary_encode()
    codes = tracks.indices.to_numpy()
    order = np.lexsort([table["index"].to_numpy(), codes])
    ends = np.cumsum(np.bincount(codes))
    times = np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)
    vectors = np.concatenate([batch.column("vector").flatten().to_numpy() for batch in batches]).reshape(-1, dim)
    of_each = zip(tracks.dictionary.to_pylist(), np.split(order, ends[:-1]), strict=True)
    return {track: Parts(times[rows], vectors[rows]) for track, rows in of_each}


def _queries(vectors: NDArray[np.float32], space: Space) -> NDArray[np.float64]:
    import numpy as np

    made = np.asarray(vectors, np.float64)
    if made.ndim != 2 or made.shape[1] != space.dim or not np.isfinite(made).all():
        raise UsageError(f"vectors of shape {made.shape}; give finite numbers of shape (q, {space.dim})")
    return made


def _vector_row(id: str, vector: NDArray[np.float32], space: Space) -> Row:
    import numpy as np

    vector = np.asarray(vector, np.float32)
    if vector.shape != (space.dim,):
        raise UsageError(f"track {id}: a vector of shape {vector.shape}; this library holds ({space.dim},)")
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(vector))
    if not math.isfinite(norm):
        raise UsageError(f"track {id}: a vector that is not finite; leave the track out")
    return {"vector": vector, ZERO: norm < TINY}


def _part(id: str, segment: Segment, space: Space) -> Row:
    return {
        **_vector_row(id, segment.vector, space),
        "id": f"{id}:{segment.index:06}",
        "track": id,
        "index": int(segment.index),
        **{name: float(getattr(segment, name)) for name in ("start", "end", "coverage")},
        **({TAGS: sound_tags.to_text(segment.tags)} if space.name == MAIN else {}),
    }
