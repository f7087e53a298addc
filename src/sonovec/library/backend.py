"""What differs between stores: the two protocols that `sonovec.library.lance` and `sonovec.library.milvus` implement."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sonovec.errors import LibraryError
from sonovec.library.filters import Filter
from sonovec.library.location import Location
from sonovec.library.records import LibraryConfig, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Rows that travel in one request, and ids that one condition names.
BATCH = 1000

Row = dict[str, Any]
Hit = tuple[Row, float]


class Table(Protocol):
    """Rows with a text `id`, a float32 `vector` and further columns, in one store."""

    def upsert(self, rows: Sequence[Row]) -> None:
        """Write whole rows; those of the same `id` are replaced. Visible to every reader on return."""

    def delete(self, where: Filter) -> None:
        """Remove the rows that match."""

    def rows(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None, offset: int = 0
    ) -> Iterator[Row]:
        """Rows that match, with the given columns, in an order that stays the same until something is written."""

    def search(
        self, vectors: NDArray[np.float32], limit: int, where: Filter | None, columns: Sequence[str]
    ) -> list[list[Hit]]:
        """For each of the (q, dim) unit vectors, the `limit` nearest rows that match and their cosine similarity.

        Rows whose vector is zero may be missing.
        """

    def count(self) -> int:
        """Number of rows."""

    def optimize(self) -> None:
        """Compact, and build or extend indexes where the size calls for it."""


class Backend(Protocol):
    """One library in one store: its config, its columns and its two tables."""

    def config(self) -> LibraryConfig | None:
        """The config, or None where no library is; rows that have lost their config are an error."""

    def refusal(self, fields: Mapping[str, Value]) -> str | None:
        """Why the fields of one track cannot be kept, and what to do; None where they can."""

    def stamp(self) -> object:
        """What changes when the library is made anew, and is None where there is none; asked at every commit."""

    def create(self, config: LibraryConfig) -> None:
        """Make the tables, then keep the config: a library with a config is complete."""

    def columns(self) -> dict[str, type]:
        """The user's own columns."""

    def add_columns(self, columns: Mapping[str, type]) -> None:
        """Add columns that are not there yet; existing rows hold null in them."""

    def tracks(self) -> Table:
        """The table of tracks: `id`, `vector`, `zero`, the fields."""

    def segments(self) -> Table:
        """The table of segments: `id`, `vector` and `SEGMENT_FIELDS`."""

    def close(self) -> None:
        """Release what is held."""


#: Marks vectors that have no direction: stores leave them out of a search by cosine, or give them no number.
ZERO = "zero"

#: Columns of a segment beside `id` and `vector`.
SEGMENT_FIELDS: Mapping[str, type] = {
    "track": str,
    "index": int,
    "start": float,
    "end": float,
    "coverage": float,
    ZERO: bool,
}

#: A vector whose norm is below this counts as zero: squares of such numbers vanish in float32.
TINY = 1e-15


def decode_config(text: str | bytes, location: Location) -> LibraryConfig:
    """Read a config that was kept as JSON.

    Raises
    ------
    LibraryError
        It is damaged or of another version.
    """
    try:
        config = LibraryConfig(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise LibraryError(
            f"{location}: the library's config is damaged, or of another version of sonovec ({error}); "
            "use the version that made it, or index into another library"
        ) from error
    if config.format != LibraryConfig.format:
        raise LibraryError(
            f"{location}: the library has format {config.format}, this sonovec reads {LibraryConfig.format}; "
            "use the version that made it, or index into another library"
        )
    return config
