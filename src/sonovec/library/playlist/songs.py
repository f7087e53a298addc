"""A track that may go into a playlist, with its vector, tempo and key."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.library.records import Track, Value
from sonovec.music import columns
from sonovec.music.keys import Key
from sonovec.music.settled import settled_key, settled_tempo


@dataclass(frozen=True, eq=False)
class Song:
    """What is known of a track: `path` as `sonovec.paths.to_text` writes it; `tempo` and `key` are those that count."""

    id: str
    path: str
    fields: Mapping[str, Value]
    vector: NDArray[np.float32]
    tempo: float | None
    key: Key | None

    @classmethod
    def of(cls, track: Track, path: str, prefer: str) -> Song:
        """A track of a library whose path on this machine is `path`."""
        fields = {name: value for name, value in track.fields.items() if name != "path"}
        return cls.of_fields(track.id, path, fields, track.vector, prefer)

    @classmethod
    def of_fields(
        cls, id: str, path: str, fields: Mapping[str, Value], vector: NDArray[np.float32], prefer: str
    ) -> Song:
        """The same of values of columns."""
        return cls(id, path, fields, vector, settled_tempo(fields, prefer), settled_key(fields, prefer))

    @property
    def seconds(self) -> float:
        """How long it is; 0 where that is not known."""
        return self.number("duration") or 0.0

    @property
    def artist(self) -> str | None:
        """The artist in one spelling: upper and lower case, spaces and forms of Unicode are no difference."""
        text = self.fields.get("artist")
        name = unicodedata.normalize("NFKC", text).casefold() if isinstance(text, str) else ""
        return " ".join(name.split()) or None

    def number(self, column: str) -> float | None:
        """The value of a column, where that is a finite number; of `tempo` the one that counts."""
        if column == columns.TEMPO:
            return self.tempo
        value = self.fields.get(column)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
        return float(value) if is_number else None  # type: ignore[arg-type]  # it is one then


def vectors_of(songs: Sequence[Song]) -> NDArray[np.float32]:
    """Their vectors, shape (n, dim)."""
    return np.stack([song.vector for song in songs])


def artists_of(songs: Iterable[Song]) -> NDArray[np.intp]:
    """A number for each artist, and -1 where none is known, shape (n,)."""
    numbers: dict[str, int] = {}
    return np.array(
        [-1 if song.artist is None else numbers.setdefault(song.artist, len(numbers)) for song in songs], np.intp
    )
