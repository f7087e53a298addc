"""Search without an index: every row is compared with every query, in one pass over the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.library.arrow_rows import rows_of
from sonovec.library.backend import Hit
from sonovec.vectors import unit32

if TYPE_CHECKING:
    import pyarrow as pa

Vectors = NDArray[np.float32]


def stored(batch: pa.RecordBatch) -> Vectors:
    """The column `vector` of a batch, (n, dim)."""
    flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(len(batch), -1)


def compared(
    batches: Iterable[pa.RecordBatch],
    queries: Vectors,
    limit: int,
    columns: Sequence[str],
    vectors_of: Callable[[pa.RecordBatch], Vectors] = stored,
) -> list[list[Hit]]:
    """For each query the nearest rows, the best first, and their cosine similarity; 0 with a vector of zeros.

    Parameters
    ----------
    batches : iterable of RecordBatch
        With the `columns`, and what `vectors_of` reads.
    queries : float32 (q, dim)
        Unit vectors.
    limit : int
        At least 1.
    columns : sequence of str
        What the row of a hit holds.
    vectors_of : callable
        Gives the vectors (n, dim) of a batch.
    """
    import pyarrow as pa

    hits: list[list[Hit]] = [[] for _ in queries]
    for batch in batches:
        rest = batch.select(list(columns))
        for place, found in enumerate(scores(queries, vectors_of(batch))):
            best = _highest(found, limit, above=hits[place][-1][1] if len(hits[place]) == limit else None)
            if len(best):
                joined = [*hits[place], *zip(rows_of(rest.take(pa.array(best))), found[best].tolist(), strict=True)]
                hits[place] = sorted(joined, key=lambda hit: -hit[1])[:limit]
    return hits


def scores(queries: Vectors, rows: Vectors) -> Vectors:
    """Cosines (q, n) of unit vectors (q, dim) with rows (n, dim) of any length."""
    return np.asarray(np.clip(queries @ unit32(rows).T, -1, 1))


def _highest(found: Vectors, limit: int, above: float | None) -> NDArray[np.intp]:
    """Places of the `limit` highest, of those that are above a score."""
    places = np.arange(len(found)) if above is None else np.flatnonzero(found > above)
    return places if len(places) <= limit else places[np.argpartition(-found[places], limit - 1)[:limit]]
