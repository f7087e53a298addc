"""The rows of Arrow's batches as a library holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from sonovec.library.backend import Row


def rows_of(batch: pa.RecordBatch) -> Iterator[Row]:
    """The rows of a batch of Arrow."""
    for row in zip(*map(values_of, batch.columns), strict=True):
        yield dict(zip(batch.schema.names, row, strict=True))


def values_of(column: pa.Array) -> list[Any]:
    """The values of a column of Arrow as rows hold them: vectors as arrays, the rest as Python's own."""
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(column.type):
        return list(column.to_pylist())
    return list(column.flatten().to_numpy().reshape(len(column), -1))
