"""What a store keeps: the settings of a library, tracks, and segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sonovec.brief import Brief, shortened
from sonovec.paths import display, from_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sonovec.library.search import Hit

Value = bool | int | float | str | list[str] | list[float] | None

#: Characters that a track keeps of each text that its file says of itself, and of the notes on it: the most that every
#: store can keep together. What the user gives is never cut.
MOST_OF_FILE, MOST_OF_NOTES = 2_000, 4_000


def plain(value: object) -> Any:
    """A number of NumPy's as Python's own; anything else as it is.

    Examples
    --------
    >>> import numpy as np
    >>> plain(np.int64(3)), plain(np.bool_(True)), plain("a")
    (3, True, 'a')
    """
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


@dataclass(frozen=True, repr=False)
class Space(Brief):
    """One kind of vector of a library, as plain JSON values; `MAIN` is the one that a library is made with.

    `level` says what has a vector: "track" the whole tracks alone, "segment" their segments as well. `dtype` is the type of
    the numbers. Of a space that an analyser fills, `model` is its name, and the passport names its version. A compressed
    space is made of another, its `source`.
    """

    name: str
    dim: int
    passport: Mapping[str, object]
    segment_seconds: float
    model: str
    options: Mapping[str, object] = field(default_factory=dict)
    level: Literal["track", "segment"] = "segment"
    dtype: str = "float32"

    @property
    def analyser(self) -> str | None:
        """The name of the analyser that fills it; None where an encoder does."""
        name = self.passport.get("analyser")
        return None if name is None else str(name)

    @property
    def source(self) -> str | None:
        """The space whose vectors it holds in a smaller form; None where it is no compressed space."""
        name = self.passport.get("source")
        return None if name is None else str(name)


#: What fills compressed spaces.
COMPRESSION = "compress"

#: The space that every library has.
MAIN = "main"


@dataclass(frozen=True, repr=False)
class LibraryConfig(Brief):
    """What is fixed when a library is made, as plain JSON values; the store keeps it with the vectors.

    `id` tells the library from one that is made anew in its place; configs that differ in it or in the format are equal.
    """

    dim: int
    passport: Mapping[str, object]
    segment_seconds: float
    model: str
    options: Mapping[str, object] = field(default_factory=dict)
    format: int = field(default=2, compare=False)
    id: str = field(default="", compare=False)

    @property
    def main(self) -> Space:
        """The space that the library was made with."""
        return Space(MAIN, self.dim, self.passport, self.segment_seconds, self.model, self.options)


@dataclass(frozen=True, eq=False, repr=False)
class Segment(Brief):
    """Consecutive windows of a track pooled into one vector `(dim,)`; `start` and `end` in seconds.

    `tags` has the best tags that are heard in it, each with the highest score of its windows.
    """

    index: int
    start: float
    end: float
    coverage: float
    vector: NDArray[np.float32]
    tags: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """Where the tags of a segment were heard: seconds of a track, and the scores of the tags."""

    start: float
    end: float
    tags: Mapping[str, float]


@dataclass(frozen=True, eq=False, repr=False)
class Parts(Brief):
    """The segments of one track in order: their `times`, (n, 2) in seconds, and their `vectors`, (n, dim)."""

    times: NDArray[np.float64]
    vectors: NDArray[np.float32]

    def some(self, which: Sequence[int] | NDArray[np.bool_]) -> Parts:
        """Some of them, by their places or as a mask."""
        return Parts(self.times[which], self.vectors[which])


@dataclass(frozen=True, eq=False, repr=False)
class Track:
    """One audio file: `id` is the hash of its content, `fields` hold the values of its columns.

    `vector` is its clip vector, (dim,); it is empty where none was asked for. ``track["genre"]`` is the value of a column.
    """

    id: str
    vector: NDArray[np.float32]
    fields: Mapping[str, Value]

    @property
    def path(self) -> str:
        """The track's file, as `sonovec.paths.to_text` writes it."""
        return str(self.fields["path"])

    @property
    def title(self) -> str:
        """What the file says is its title, or else the file's name without its ending."""
        return title_of(self.path, self.fields)

    def __getitem__(self, column: str) -> Any:
        return value_of(self, column)

    def __repr__(self) -> str:
        return f"Track({shortened(display(self.path))}, id={self.id[:12]!r})"

    def _repr_html_(self) -> str:
        from sonovec.library.notebook import track_html

        return track_html(self)


def title_of(path: str, fields: Mapping[str, Value]) -> str:
    """What people call a track: its title, or else the name of its file without the ending.

    Examples
    --------
    >>> title_of("music/01 So What.mp3", {"title": "So What"}), title_of("music/01 So What.mp3", {})
    ('So What', '01 So What')
    """
    title = fields.get("title")
    return title if isinstance(title, str) and title.strip() else display(from_text(path).stem)


def value_of(record: Track | Hit, column: str) -> Any:
    """The value of a column of a track or a hit; None where the track has none.

    Raises
    ------
    KeyError
        If the library has no such column; the message names those that it has.
    """
    if column in record.fields:
        return record.fields[column]
    if column in ("id", "path", *record.__dataclass_fields__):
        return getattr(record, column)
    raise KeyError(
        f"{column!r} is not a column; give one of: {', '.join(dict.fromkeys(['id', 'path', *record.fields]))}"
    )


@dataclass(frozen=True)
class Passage:
    """A stretch of a track with text, such as what was said there; `start` and `end` in seconds.

    `source` is who or what gave it, with a version where that is a program, and `time` when, in seconds since 1970.
    """

    track: str
    start: float
    end: float
    text: str
    source: str
    time: float
    language: str = ""


@dataclass(frozen=True)
class Label:
    """A stretch of a track with a class; `start` and `end` in seconds; `source` and `time` as those of a `Passage`.

    `score` is how sure the source is, in [0, 1].
    """

    track: str
    start: float
    end: float
    name: str
    source: str
    time: float
    score: float = 1.0
