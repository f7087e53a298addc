"""A table whose vectors are kept as codes, seen as one of float32 vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.library.backend import USUAL, Effort, Hit, Row, VectorTable
from sonovec.library.brute_force import compared, scores
from sonovec.library.codes import HALF, SIGNS, Codes, stored_as
from sonovec.library.filters import Filter
from sonovec.library.tables import ZERO

if TYPE_CHECKING:
    import pyarrow as pa

#: Of signs the store finds those that differ least from the query's signs; so many times as many are then compared with the
#: query's numbers, which tell more.
OVERSAMPLE, LEAST = 4, 100

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class CodedTable:
    """See `sonovec.library.backend.VectorTable`. What a store cannot search by itself is compared here, row by row."""

    table: VectorTable
    codes: Codes

    @property
    def rough(self) -> bool:
        """Whether a rough search for thousands of rows costs little."""
        return self.codes.dtype == HALF and self.table.rough

    def has(self, column: str) -> bool:
        """Whether the table keeps a column."""
        return self.table.has(column)

    def upsert(self, rows: Sequence[Row]) -> None:
        """Write whole rows."""
        if rows:
            coded = self.codes.encode(np.stack([row["vector"] for row in rows]))
            self.table.upsert([{**row, "vector": code} for row, code in zip(rows, coded, strict=True)])

    def delete(self, where: Filter) -> None:
        """Remove the rows that match."""
        self.table.delete(where)

    def rows(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None, offset: int = 0
    ) -> Iterator[Row]:
        """Rows that match."""
        if "vector" not in columns:
            yield from self.table.rows(where, columns, limit, offset)
            return
        asked = list(dict.fromkeys([*columns, ZERO]))
        for row in self.table.rows(where, asked, limit, offset):
            vector = self.codes.decode(row["vector"][None], np.array([bool(row[ZERO])]))[0]
            yield {name: vector if name == "vector" else row[name] for name in columns}

    def batches(self, where: Filter | None, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The same as Arrow batches."""
        if "vector" not in columns:
            return self.table.batches(where, columns)
        return self._decoded(self.table.batches(where, list(dict.fromkeys([*columns, ZERO]))), columns)

    def sample(self, limit: int, columns: Sequence[str]) -> Iterable[pa.RecordBatch]:
        """At most `limit` rows from all over the table."""
        return self._decoded(self.table.sample(limit, list(dict.fromkeys([*columns, ZERO]))), columns)

    def _decoded(self, batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            flat = pa.array(self._vectors(batch).reshape(-1))
            vectors = pa.FixedSizeListArray.from_arrays(flat, self.codes.dim)
            made = [vectors if name == "vector" else batch.column(name) for name in columns]
            yield pa.RecordBatch.from_arrays(made, list(columns))

    def _vectors(self, batch: pa.RecordBatch) -> Vectors:
        flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
        codes = flat.astype(stored_as(self.codes.dtype), copy=False).reshape(len(batch), -1)
        return self.codes.decode(codes, batch.column(ZERO).to_numpy(zero_copy_only=False).astype(bool))

    def search(
        self,
        vectors: Vectors,
        limit: int,
        where: Filter | None,
        columns: Sequence[str],
        effort: Effort = USUAL,
    ) -> list[list[Hit]]:
        """For each unit vector the nearest rows that match, by the cosine with what their codes stand for."""
        if self.codes.dtype == HALF:
            return self.table.search(vectors, limit, where, columns, effort)
        if self.codes.dtype != SIGNS or effort.exact:
            asked = list(dict.fromkeys([*columns, "vector", ZERO]))
            return compared(self.table.batches(where, asked), vectors, limit, columns, self._vectors)
        return [self._by_signs(vector, limit, where, columns, effort) for vector in vectors]

    def _by_signs(
        self, vector: Vectors, limit: int, where: Filter | None, columns: Sequence[str], effort: Effort
    ) -> list[Hit]:
        asked = list(dict.fromkeys([*columns, "vector", ZERO]))
        signs = self.codes.encode(vector[None])
        most = max(LEAST, int(OVERSAMPLE * effort.times * limit))
        [found] = self.table.search(signs, most, where, asked, effort)
        if not found:
            return []
        codes = np.stack([np.asarray(row["vector"], np.uint8) for row, _ in found])
        decoded = self.codes.decode(codes, np.array([bool(row[ZERO]) for row, _ in found]))
        return _best([row for row, _ in found], scores(vector[None], decoded)[0], limit, columns)


def _best(rows: Sequence[Row], found: NDArray[np.float32], limit: int, columns: Sequence[str]) -> list[Hit]:
    order = np.argsort(-found, kind="stable")[:limit].tolist()
    return [({name: rows[n][name] for name in columns}, float(found[n])) for n in order]
