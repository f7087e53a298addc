"""Search a table of vectors for the nearest of the tracks that match, whatever the store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.library.backend import BATCH, EXACT, Effort, Hit, Table, VectorTable
from sonovec.library.batches import batches
from sonovec.library.filters import Compare, Filter, In, Not, all_of
from sonovec.library.tables import ZERO
from sonovec.vectors import unit32

if TYPE_CHECKING:
    import pyarrow as pa

#: Where at most so many tracks match a filter, their vectors alone are compared; where more do, more hits are asked for than
#: are wanted, and those that match are taken. If these are too few, the share that matched says how many to ask for.
FEW = 5_000
OVERSAMPLE, MARGIN = 5, 1.3
#: Where the store makes long lists quickly, from so many tracks that match on a list is quicker than to compare them all.
HANDFUL = 1_000
#: More hits than this are not asked for so; then every vector of what matches is compared.
MOST_ASKED = 4_096
#: Of the hits of a rough list that match, so many times as many as are wanted are compared as they are stored.
COMPARED = 1.5
#: Vectors of a query that are compared at once with a batch of rows.
QUERIES_AT_ONCE = 256


class Nearest:
    """A search in `vectors`, whose rows belong to tracks by their column `key`; rows without a track are not found.

    For a caller who reads the tracks anyway it can be left `unchecked` whether they are there; `more` are columns that hits
    have besides.
    """

    def __init__(
        self,
        tracks: Table,
        vectors: VectorTable,
        key: str,
        effort: Effort,
        unchecked: bool = False,
        more: Sequence[str] = (),
    ) -> None:
        self._tracks, self._vectors = tracks, vectors
        self._key, self._effort, self._unchecked = key, effort, unchecked
        self._columns = list(dict.fromkeys(["id", key, *(["index"] if key == "track" else []), *more]))

    def search(
        self,
        queries: NDArray[np.float64],
        limit: int,
        where: Filter | None,
        ids: Iterable[str] | None = None,
        without: Sequence[str] = (),
    ) -> list[list[Hit]]:
        """For each query the `limit` nearest rows, best first; a list that is shorter holds all that there are.

        Parameters
        ----------
        queries : (q, dim)
        limit : int
        where : Filter, optional
            Of tracks.
        ids, without : ids of tracks, optional
            Only these tracks, and none of those.
        """
        if limit == 0:
            return [[] for _ in queries]
        allowed = list(self._passing(ids, where)) if ids is not None else self._few(where)
        if allowed is None or (ids is None and self._rough and len(allowed) > HANDFUL):
            found = self._among_all(queries, limit, where, without, allowed)
            if found is not None:
                return found
        if allowed is None:
            allowed = self._tracks.ids(where)
        left_out = set(without)
        return self._among(queries, limit, self._key, [id for id in allowed if id not in left_out])

    @property
    def _rough(self) -> bool:
        return self._vectors.rough and not self._effort.exact

    def _few(self, where: Filter | None) -> list[str] | None:
        """The tracks that match, or None where they are more than a few."""
        if where is None:
            return None
        found = self._tracks.ids(where, FEW + 1)
        return found if len(found) <= FEW else None

    def _passing(self, ids: Iterable[str], where: Filter | None) -> Iterator[str]:
        """Those of some tracks that are there and match."""
        for batch in batches(ids, BATCH):
            yield from self._tracks.ids(all_of(In("id", tuple(batch)), where))

    def _among_all(
        self,
        queries: NDArray[np.float64],
        limit: int,
        where: Filter | None,
        without: Sequence[str],
        allowed: Sequence[str] | None,
    ) -> list[list[Hit]] | None:
        """Take those that match from longer and longer lists; None where that would take too many.

        `allowed` are the tracks that match, where they are known.
        """
        rest = Not(In(self._key, tuple(without))) if without else None
        if self._unchecked and where is None:
            return self._ranked(queries, limit, rest, self._effort)
        rough = self._rough and where is not None
        effort = replace(self._effort, rough=rough)
        asked = self._asked_first(limit, where, allowed)
        passing = set(allowed or ())
        checked: set[str] = set()
        while asked <= max(MOST_ASKED, limit):
            found = self._ranked(queries, asked, rest, effort)
            if allowed is None:
                new = {row[self._key] for hits in found for row, _ in hits} - checked
                passing.update(self._passing(new, where))
                checked |= new
            kept = [[hit for hit in hits if hit[0][self._key] in passing] for hits in found]
            if all(len(some) >= limit or len(hits) < asked for some, hits in zip(kept, found, strict=True)):
                return self._compared(queries, limit, kept) if rough else [hits[:limit] for hits in kept]
            asked = max(asked + 1, int(MARGIN * asked * limit / max(1, min(map(len, kept)))))
        return None

    def _asked_first(self, limit: int, where: Filter | None, allowed: Sequence[str] | None) -> int:
        if where is None:
            return limit
        if allowed is None:
            return OVERSAMPLE * limit
        return math.ceil(MARGIN * limit * self._tracks.count() / len(allowed))

    def _compared(self, queries: NDArray[np.float64], limit: int, rough: Sequence[Sequence[Hit]]) -> list[list[Hit]]:
        """The best of rough lists, by the vectors as they are stored."""
        most = math.ceil(COMPARED * limit)
        return [
            self._among(query[None], limit, "id", [row["id"] for row, _ in hits[:most]])[0]
            for query, hits in zip(queries, rough, strict=True)
        ]

    def _among(self, queries: NDArray[np.float64], limit: int, key: str, ids: Sequence[str]) -> list[list[Hit]]:
        """The nearest of the rows that have some values of `key`."""
        hits: list[list[Hit]] = [[] for _ in queries]
        for batch in batches(ids, FEW):
            more = self._ranked(queries, limit, In(key, tuple(batch)), EXACT)
            hits = [_best(a + b, limit) for a, b in zip(hits, more, strict=True)]
        return hits

    def _ranked(
        self, queries: NDArray[np.float64], limit: int, where: Filter | None, effort: Effort
    ) -> list[list[Hit]]:
        """The nearest rows of the table, those whose vector is zero included: they score 0."""
        table = self._vectors
        columns = [name for name in self._columns if not (effort.rough and name == "vector")]
        units = unit32(queries)
        directed = np.any(units, axis=1)
        units = units[directed]
        found = iter(table.search(units, limit, where, columns, effort) if len(units) else [])
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


def best_in_groups(
    batches: Iterable[pa.RecordBatch], queries: NDArray[np.float64], allowed: set[str] | None
) -> dict[str, float]:
    """The best cosine similarity that any query has with any row of each group.

    Parameters
    ----------
    batches : iterable of RecordBatch
        With the columns `track`, which is the group, and `vector`.
    queries : (q, dim)
    allowed : set of str, optional
        The groups that count.
    """
    import pyarrow.compute as pc

    best: dict[str, float] = {}
    units = unit32(queries)
    for batch in batches:
        groups = pc.dictionary_encode(batch.column("track"))
        rows = unit32(batch.column("vector").flatten().to_numpy().reshape(len(batch), -1))
        scores = np.full(len(rows), -1.0, np.float32)
        for start in range(0, len(units), QUERIES_AT_ONCE):
            np.maximum(scores, (rows @ units[start : start + QUERIES_AT_ONCE].T).max(axis=1), out=scores)
        names = groups.dictionary.to_pylist()
        highest = np.full(len(names), -1.0, np.float32)
        np.maximum.at(highest, groups.indices.to_numpy(), scores)
        for name, score in zip(names, highest.tolist(), strict=True):
            if allowed is None or name in allowed:
                best[name] = max(score, best.get(name, -1.0))
    return best


def _best(hits: list[Hit], limit: int) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]["id"]))[:limit]
