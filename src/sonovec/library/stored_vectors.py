"""The stored vectors of a library, read out for others to use: exports, maps, detectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True)
class StoredVectors:
    """Vectors as a stream: each `for` reads them anew, one Arrow record batch after the other, and holds one at a time.

    `dim` is their length.
    """

    _read: Callable[[], Iterator[pa.RecordBatch]] = field(repr=False)
    dim: int

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._read()

    def arrays(self) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """The same as NumPy: for each batch the ids of its tracks and a float32 array (n, dim)."""
        for batch in self._read():
            vectors = batch.column("vector").flatten().to_numpy()
            yield batch.column(0).to_pylist(), vectors.reshape(len(batch), self.dim)

    def numpy(self) -> tuple[list[str], NDArray[np.float32]]:
        """All at once: the ids of the tracks, one for each row, and a float32 array (n, dim)."""
        import numpy as np

        ids: list[str] = []
        parts = [np.empty((0, self.dim), np.float32)]
        for some, vectors in self.arrays():
            ids += some
            parts.append(vectors)
        return ids, np.concatenate(parts)
