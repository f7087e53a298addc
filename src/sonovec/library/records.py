"""What a store keeps: the settings of a library, tracks, and segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Value = bool | int | float | str | None

#: Characters that a track keeps of each text that its file says of itself, and of the notes on it: the most that every
#: store can keep together. What the user gives is never cut.
MOST_OF_FILE, MOST_OF_NOTES = 2_000, 4_000

#: Columns that every track has, with their types; the user's own columns may not use these names.
TRACK_FIELDS: Mapping[str, type] = {
    "path": str,
    "title": str,
    "artist": str,
    "album": str,
    "genre": str,
    "year": int,
    "duration": float,
    "rate": int,
    "channels": int,
    "codec": str,
    "silent": bool,
    "notes": str,
}

#: Further names that stores use themselves.
RESERVED = frozenset(
    {"id", "vector", "zero", "score", "track", "index", "start", "end", "coverage", "query_start", "query_end"}
)


def plain(value: object) -> Any:
    """A number of NumPy's as Python's own; anything else as it is.

    Examples
    --------
    >>> import numpy as np
    >>> plain(np.int64(3)), plain(np.bool_(True)), plain("a")
    (3, True, 'a')
    """
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


@dataclass(frozen=True)
class LibraryConfig:
    """What is fixed when a library is made, as plain JSON values; the store keeps it with the vectors."""

    dim: int
    passport: Mapping[str, object]
    segment_seconds: float
    model: str
    options: Mapping[str, object] = field(default_factory=dict)
    format: int = 1


@dataclass(frozen=True, eq=False)
class Segment:
    """Consecutive windows of a track pooled into one vector `(dim,)`; `start` and `end` in seconds."""

    index: int
    start: float
    end: float
    coverage: float
    vector: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Track:
    """One audio file: `id` is the hash of its content, `fields` hold `TRACK_FIELDS` and the user's own columns."""

    id: str
    vector: NDArray[np.float32]
    fields: Mapping[str, Value]

    @property
    def path(self) -> str:
        """The track's file, as `sonovec.paths.to_text` writes it."""
        return str(self.fields["path"])
