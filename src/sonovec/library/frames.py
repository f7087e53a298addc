"""The tracks of a library as a table of Pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sonovec.errors import MissingExtraError
from sonovec.library.columns import Column
from sonovec.library.records import Track

if TYPE_CHECKING:
    from pandas import DataFrame

#: Types of Pandas that know gaps; lists stay objects.
_TYPES: Mapping[object, str] = {bool: "boolean", int: "Int64", float: "Float64", str: "string"}


def frame(tracks: Iterable[Track], columns: Mapping[str, Column], vectors: bool) -> DataFrame:
    """A row for each track, by its id, with all columns, and with its vector if that is wanted.

    Raises
    ------
    MissingExtraError
        If Pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise MissingExtraError("to_pandas needs Pandas: pip install 'sonovec[pandas]'") from None
    found = list(tracks)
    made = pandas.DataFrame(
        {
            name: pandas.Series([track.fields.get(name) for track in found], dtype=_TYPES.get(column.kind, "object"))
            for name, column in columns.items()
        }
    )
    if vectors:
        made["vector"] = pandas.Series([track.vector for track in found], dtype="object")
    return made.set_index(pandas.Index([track.id for track in found], name="id", dtype="object"))
