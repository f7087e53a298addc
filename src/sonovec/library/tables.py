"""The tables of a library, each described once; every store makes and opens them by that.

`tracks` has the fields of tracks. Each space has a table of clip vectors, and one of segments, such as `main.tracks` and
`main.segments`, so that a space is added and dropped without touching the tracks. `passages` and `labels` are stretches of
tracks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sonovec.library.codes import PLAIN, code_length
from sonovec.library.columns import TRACK_COLUMNS, Column
from sonovec.library.records import MAIN, Space

#: Marks vectors that have no direction: stores leave them out of a search by cosine, or give them no number.
ZERO = "zero"


@dataclass(frozen=True)
class TableSpec:
    """A table: its columns beside the text `id`, by which a row is replaced, and the length of its vectors, if it has any.

    An `open` table may get further columns. `dtype` is the number type of the vectors; `dim` is then how many numbers are
    kept of each, see `sonovec.library.codes`.
    """

    name: str
    columns: tuple[Column, ...]
    dim: int | None = None
    open: bool = False
    dtype: str = PLAIN

    @property
    def indices(self) -> Mapping[str, str]:
        """The columns that are indexed, with the kind of index."""
        wanted = {column.name: column.index for column in self.columns if column.index != "none"}
        return {"id": "scalar", **wanted}


TRACKS = TableSpec("tracks", TRACK_COLUMNS, open=True)
_STRETCH = (Column("track", str, index="scalar"), Column("start", float), Column("end", float))
_ORIGIN = (Column("source", str), Column("time", float))
PASSAGES = TableSpec("passages", (*_STRETCH, Column("text", str, index="text"), Column("language", str), *_ORIGIN))
LABELS = TableSpec("labels", (*_STRETCH, Column("name", str, index="scalar"), Column("score", float), *_ORIGIN))

#: The tags of a segment, as `sonovec.library.sound_tags.to_text` writes them: the main space's encoder hears them.
TAGS = "tags"

_SEGMENT = (
    Column("track", str, index="scalar"),
    Column("index", int),
    Column("start", float),
    Column("end", float),
    Column("coverage", float),
    Column(ZERO, bool),
)


def with_columns(spec: TableSpec, columns: Iterable[Column]) -> TableSpec:
    """An open table with further columns from the start."""
    return replace(spec, columns=(*spec.columns, *columns))


def vectors_of(space: Space) -> TableSpec:
    """The table of a space's clip vectors, one for each track."""
    return TableSpec(
        f"{space.name}.tracks", (Column(ZERO, bool),), code_length(space.dtype, space.dim), dtype=space.dtype
    )


def segments_of(space: Space) -> TableSpec:
    """The table of a space's segments."""
    heard = (Column(TAGS, str),) if space.name == MAIN else ()
    length = code_length(space.dtype, space.dim)
    return TableSpec(f"{space.name}.segments", (*_SEGMENT, *heard), length, dtype=space.dtype)


def tables_of(space: Space) -> tuple[TableSpec, ...]:
    """The tables of a space."""
    return (vectors_of(space), segments_of(space)) if space.level == "segment" else (vectors_of(space),)


def all_tables(spaces: Iterable[Space]) -> tuple[TableSpec, ...]:
    """Every table of a library with these spaces; that of the tracks comes first."""
    return (TRACKS, *(table for space in spaces for table in tables_of(space)), PASSAGES, LABELS)
