"""What the tracks of a map hold: their columns as arrays, for colours, cards and files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.explore.record import Map
from sonovec.library.records import title_of

if TYPE_CHECKING:
    from sonovec.library.library import Library

#: Values of a text column that are kept, the most frequent ones: the others are one, as colours and in searches.
MOST_VALUES = 1_000
#: Items that are kept of each list, such as the best tags.
MOST_ITEMS = 5
#: A column of whole numbers with at most so many different ones holds names, such as those of clusters.
MOST_NAMES = 24
#: The folder that a track lies in, which no library has as a column.
FOLDER = "folder"
#: Columns that tell nothing as a colour.
_LEFT_OUT = frozenset({"path", "title", "notes"})

#: Codes of a track without a value, and of one whose value is too rare to be kept.
NONE, RARE = 0, 1


@dataclass(frozen=True, eq=False)
class Field:
    """A column as arrays: `numbers`, float32 (n,), with NaN for no value; or `codes` into `values`.

    A list has the codes of track i from ``starts[i]`` to ``starts[i + 1]``. The first two codes are `NONE` and `RARE`.
    `distinct` says how many different values there are, also where only the most frequent were kept.
    """

    name: str
    type: Literal["number", "category", "list"]
    numbers: NDArray[np.float32] | None = None
    codes: NDArray[np.uint32] | None = None
    starts: NDArray[np.uint32] | None = None
    values: Sequence[str] = ()
    distinct: int = 0


@dataclass(frozen=True, eq=False)
class Tracks:
    """The tracks of a map, in its order: paths on this machine, titles, and columns by name."""

    paths: Sequence[str]
    titles: Sequence[str]
    fields: Mapping[str, Field] = field(default_factory=dict)

    def one(self, name: str) -> Field:
        """A column by its name.

        Raises
        ------
        UsageError
            There is none, or no track has a value in it.
        """
        if name not in self.fields:
            raise UsageError(f"{name!r} is no column with values to colour by; give one of: {', '.join(self.fields)}")
        return self.fields[name]

    @property
    def usual(self) -> str | None:
        """The column to colour by where none is asked for."""
        wanted = ("cluster", FOLDER, "genre", "sound_tags")
        some = [name for name in wanted if name in self.fields and self.fields[name].distinct > 1]
        # Of thousands of values, nearly all are one colour.
        few = [name for name in some if self.fields[name].distinct <= MOST_NAMES]
        return next(iter([*few, *some]), None)


def read(library: Library, found: Map) -> Tracks:
    """The columns of the tracks of a map; a track that has left the library meanwhile has none."""
    at = {id: row for row, id in enumerate(found.ids)}
    kinds = {name: column.kind for name, column in library.columns().items() if name not in _LEFT_OUT}
    paths, titles = [""] * len(at), [""] * len(at)
    values: dict[str, list[Any]] = {name: [None] * len(at) for name in kinds}
    for track in library:
        if (row := at.get(track.id)) is None:
            continue
        paths[row], titles[row] = track.path, title_of(track.path, track.fields)
        for name, column in values.items():
            column[row] = track.fields[name]
    made = {FOLDER: _category(FOLDER, [PurePath(path).parent.name or None for path in map(_native, paths)])}
    for name, kind in kinds.items():
        if (column_ := of(name, kind, values.pop(name))) is not None:
            made[name] = column_
    return Tracks(paths, titles, {name: each for name, each in made.items() if each.distinct})


def _native(path: str) -> str:
    return path.replace("\\", "/")


def of(name: str, kind: type | GenericAlias, values: Sequence[Any]) -> Field | None:
    """A column as arrays, or None for one that cannot be a colour or holds nothing.

    Examples
    --------
    >>> of("genre", str, ["folk", None, "jazz", "folk"]).codes.tolist()
    [2, 0, 3, 2]
    >>> of("year", float, [None, None]) is None
    True
    """
    if all(value is None or value == [] for value in values) or kind == list[float]:
        return None
    if isinstance(kind, GenericAlias):
        return _list(name, values)
    known = {value for value in values if value is not None}
    if kind in (int, float) and (kind is float or len(known) > MOST_NAMES):
        numbers = np.array([np.nan if value is None else value for value in values], np.float32)
        return Field(name, "number", numbers=numbers, distinct=len(known))
    return _category(name, [None if value is None else str(value) for value in values])


def _category(name: str, values: Sequence[str | None]) -> Field:
    codes, kept, distinct = _coded(values)
    return Field(name, "category", codes=codes, values=kept, distinct=distinct)


def _list(name: str, values: Sequence[list[str] | None]) -> Field:
    cut = [(value or [])[:MOST_ITEMS] for value in values]
    codes, kept, distinct = _coded([item for items in cut for item in items])
    starts = np.cumsum([0, *map(len, cut)]).astype(np.uint32)
    return Field(name, "list", codes=codes, starts=starts, values=kept, distinct=distinct)


def _coded(values: Iterable[str | None]) -> tuple[NDArray[np.uint32], list[str], int]:
    """Codes of texts, the most frequent first, and what they stand for."""
    listed = list(values)
    counts = Counter(value for value in listed if value is not None)
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    kept = ranked[:MOST_VALUES]
    code = {value: place for place, value in enumerate(kept, start=RARE + 1)}
    codes = [NONE if value is None else code.get(value, RARE) for value in listed]
    return np.array(codes, np.uint32), ["", "(rare)", *kept], len(counts)
