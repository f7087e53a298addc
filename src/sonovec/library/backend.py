"""What differs between stores: the two protocols that `lance_backend` and `milvus_backend` implement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sonovec.errors import LibraryError
from sonovec.library.columns import Column
from sonovec.library.filters import Filter
from sonovec.library.location import Location
from sonovec.library.records import LibraryConfig, Space, Value
from sonovec.library.tables import TableSpec

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

#: Rows that travel in one request, and ids that one condition names.
BATCH = 1000

Row = dict[str, Any]
Hit = tuple[Row, float]


@dataclass(frozen=True)
class Effort:
    """How hard an approximate index is searched: `exact` compares with every row, a larger `times` looks at more of them.

    A `rough` search may give scores as the index rounds them.
    """

    exact: bool = False
    times: float = 1.0
    rough: bool = False


USUAL, EXACT = Effort(), Effort(exact=True)


@dataclass(frozen=True)
class Health:
    """What `Table.health` found: rows that repeat an id, and indices that are missing, broken or far behind."""

    duplicates: int
    stale: tuple[str, ...] = ()


class VectorTable(Protocol):
    """Rows with a text `id`, the columns of a `TableSpec` and a float32 `vector`, in one store."""

    @property
    def rough(self) -> bool:
        """Whether a rough search for thousands of rows costs little."""

    def has(self, column: str) -> bool:
        """Whether the table keeps a column: one that a former version made may lack some of its `TableSpec`'s."""

    def upsert(self, rows: Sequence[Row]) -> None:
        """Write whole rows; those of the same `id` are replaced. Visible to every reader on return.

        What the table does not keep is left out.
        """

    def delete(self, where: Filter) -> None:
        """Remove the rows that match."""

    def rows(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None, offset: int = 0
    ) -> Iterator[Row]:
        """Rows that match, with the given columns, in an order that stays the same until something is written."""

    def batches(self, where: Filter | None, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The same as Arrow batches; a vector is a list of `dim` float32."""

    def sample(self, limit: int, columns: Sequence[str]) -> Iterable[pa.RecordBatch]:
        """At most `limit` rows from all over the table, always the same ones of the same table."""

    def search(
        self,
        vectors: NDArray[np.float32],
        limit: int,
        where: Filter | None,
        columns: Sequence[str],
        effort: Effort = USUAL,
    ) -> list[list[Hit]]:
        """For each of the (q, dim) unit vectors, the `limit` nearest rows that match and their cosine similarity.

        Rows whose vector is zero may be missing.
        """


class Table(VectorTable, Protocol):
    """Rows with a text `id` and the columns of a `TableSpec`, in one store; with a `vector` where that says so.

    A vector has the number type of the `TableSpec`, and is float32 without one.
    """

    def update(self, rows: Sequence[Row]) -> None:
        """Change some columns of rows that are there, the same of each, given with their `id`."""

    def ids(self, where: Filter | None, limit: int | None = None) -> list[str]:
        """The ids of rows that match, of at most `limit` of them."""

    def find(
        self, words: str, limit: int, where: Filter | None, columns: Sequence[str], every: Sequence[str] = ()
    ) -> list[Hit]:
        """Rows that hold any of the words in the column with the index "text", the best first, by a score above 0.

        With `every`, only rows that hold, of each of these texts, any word.
        """

    def scores(self, items: Sequence[str], column: str, where: Filter | None) -> tuple[pa.Array, NDArray[np.float64]]:
        """The ids of n rows, and (n, items) scores of the items in their list `column`, 0 for one that is not in it.

        Among them are all rows that match and hold any of the items.
        """

    def items(self, column: str) -> Iterable[str]:
        """All items that the lists of a column hold, each once."""

    def count(self) -> int:
        """Number of rows."""

    def indexed(self) -> int | None:
        """How many rows the approximate index of the vectors knows; None where there is none."""

    def optimize(self) -> None:
        """Compact, and build or extend indices where the size calls for it."""

    def health(self) -> Health:
        """Look for duplicates and for indices that are out of date."""

    def mend(self) -> None:
        """Remove duplicates, all but one of each, and build indices that `health` tells of."""


class Backend(Protocol):
    """One library in one store: its config, its columns, its spaces and its tables."""

    #: Bytes that one text may have, but for those of tracks (see `refusal`); None for any length.
    most_text: int | None
    #: Whether it keeps vectors in other number types than float32; see `sonovec.library.codes`.
    keeps_codes: bool

    def config(self) -> LibraryConfig | None:
        """The config, or None where no library is; rows that have lost their config are an error."""

    def refusal(self, fields: Mapping[str, Value]) -> str | None:
        """Why the fields of one track cannot be kept, and what to do; None where they can."""

    def stamp(self) -> object:
        """What changes when the library is made anew, and is None where there is none; asked at every commit."""

    def create(self, config: LibraryConfig, columns: Sequence[Column]) -> None:
        """Make the tables, that of tracks with further columns, then keep the config: a library with a config is complete."""

    def upgrade(self) -> None:
        """Bring a library of a former format, which was opened as it is, to this one; the caller holds its lock."""

    def complete(self) -> None:
        """Add columns that segments lack in a library of a former version, where the store can; the caller holds its lock."""

    def columns(self) -> dict[str, Column]:
        """The columns of tracks, those of the core first."""

    def add_columns(self, columns: Sequence[Column]) -> None:
        """Add columns that are not there yet; existing rows hold null in them."""

    def spaces(self) -> dict[str, Space]:
        """The spaces, the main one first."""

    def add_space(self, space: Space) -> None:
        """Make the tables of a space, then keep it."""

    def drop_space(self, name: str) -> None:
        """Forget a space, then drop its tables."""

    def table(self, spec: TableSpec) -> Table:
        """Open a table."""

    def attachments(self) -> list[str]:
        """The names of what is kept beside the tables."""

    def attachment(self, name: str) -> bytes | None:
        """What is kept under a name, or None."""

    def attach(self, name: str, content: bytes) -> None:
        """Keep some bytes under a name, in place of what is there: as a whole or not at all."""

    def detach(self, name: str) -> None:
        """Forget what is kept under a name."""

    def close(self) -> None:
        """Release what is held."""


def encode_config(config: LibraryConfig) -> str:
    """The config as JSON."""
    return json.dumps(asdict(config), indent=1)


def decode_config(text: str | bytes, location: Location) -> LibraryConfig:
    """Read a config that was kept as JSON, of this format or of an earlier one.

    Raises
    ------
    LibraryError
        It is damaged or of a later version.
    """
    try:
        values = json.loads(text)
        if values.get("format", 1) > LibraryConfig.format:
            raise LibraryError(
                f"{location}: the library has format {values['format']}, and this sonovec reads formats up to "
                f"{LibraryConfig.format}; use a newer sonovec: pip install -U sonovec"
            )
        values.pop("spaces", None)
        return LibraryConfig(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise LibraryError(
            f"{location}: the library's config is damaged, or of another version of sonovec ({error}); "
            "use the version that made it, or index into another library"
        ) from error
