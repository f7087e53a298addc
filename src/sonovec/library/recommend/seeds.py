"""Seeds: what is recommended for, and what is not wanted, with their vectors and what is known of their music."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.library.records import title_of
from sonovec.library.search import Query
from sonovec.music import columns
from sonovec.music.keys import Key
from sonovec.music.settled import settled_key, settled_tempo


@dataclass(frozen=True, eq=False)
class Seed:
    """A sound that is recommended for: its `name` for people, its vectors, and the fields of its track, if it is one.

    `track` is the id of its content; `stored` says whether the library has it, so that nothing was embedded.
    """

    name: str
    query: Query
    fields: Mapping[str, Any]
    stored: bool

    @property
    def track(self) -> str | None:
        """The id of its content, where that is known."""
        return self.query.track

    def tempo(self, prefer: str) -> float | None:
        """In beats a minute."""
        return settled_tempo(self.fields, prefer)

    def key(self, prefer: str) -> Key | None:
        """The key, or None."""
        return key_in(self.fields, prefer)

    def number(self, column: str) -> float | None:
        """The number in a column."""
        return number_in(self.fields, column)

    def to_json(self, prefer: str) -> dict[str, Any]:
        """What is known of it as one flat object of JSON values."""
        key = self.key(prefer)
        return {
            "name": self.name,
            "id": self.track if self.stored else None,
            "embedded": not self.stored,
            "tempo": self.tempo(prefer),
            "key": None if key is None else str(key),
            "energy": self.number(columns.ENERGY),
        }


def name_of(path: str, fields: Mapping[str, Any]) -> str:
    """Artist and title, or the name of the file."""
    artist, title = fields.get("artist"), title_of(path, fields)
    return f"{artist} - {title}" if artist and fields.get("title") else title


def key_in(fields: Mapping[str, Any], prefer: str) -> Key | None:
    """The key of a track; see `sonovec.music.settled.settled_key`."""
    heard, claimed = (
        text if isinstance(text := fields.get(name), str) else None for name in (columns.KEY, columns.FILE_KEY)
    )
    return _key(heard, claimed, prefer)


@lru_cache(maxsize=1024)  # there are few keys, and many tracks
def _key(heard: str | None, claimed: str | None, prefer: str) -> Key | None:
    return settled_key({columns.KEY: heard, columns.FILE_KEY: claimed}, prefer)


def number_in(fields: Mapping[str, Any], column: str) -> float | None:
    """The number in a column; None where there is none."""
    value = fields.get(column)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def moods_in(fields: Mapping[str, Any]) -> list[str]:
    """The moods that are heard in a track, the strongest first."""
    moods = fields.get(columns.MOODS)
    return moods if isinstance(moods, list) else []


def vectors_of(seeds: Sequence[Seed], dim: int) -> NDArray[np.float32]:
    """The clip vectors of seeds, (n, dim)."""
    return np.stack([seed.query.vector for seed in seeds]) if seeds else np.empty((0, dim), np.float32)
