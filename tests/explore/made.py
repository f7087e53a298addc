"""Libraries of vectors that are made up, so that a test knows what a map of them must show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import sonovec
from sonovec.library.columns import TRACK_FIELDS, USER, Column
from sonovec.library.location import parse_location
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig, Segment, Track

DIM = 24


def groups(count: int, kinds: int = 4, seed: int = 0, spread: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Vectors about the middles of some kinds, which are the same for every seed, and the kind of each."""
    middles = np.random.default_rng(99).standard_normal((kinds, DIM))
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % kinds
    return (middles[kind] + spread * rng.standard_normal((count, DIM))).astype(np.float32), kind


def make(
    place: Path | str, vectors: np.ndarray, columns: Mapping[str, Sequence[object]] | None = None, model: str = "logmel"
) -> sonovec.Library:
    """A library of tracks with these vectors and columns; `path` and `title` may be among them."""
    encoder = sonovec.load(model)
    config = LibraryConfig(vectors.shape[1], encoder.passport.to_json(), 10.0, encoder.card.name)
    given = {name: values for name, values in (columns or {}).items() if name not in TRACK_FIELDS}
    kinds = {name: type(next(value for value in values if value is not None)) for name, values in given.items()}
    own = [Column(name, list[str] if kind is list else kind, USER) for name, kind in kinds.items()]
    with open_store(parse_location(place)) as store:
        store.create(config, own)
    library = sonovec.Library(place)
    add(library, vectors, columns)
    return library


def add(
    library: sonovec.Library,
    vectors: np.ndarray,
    columns: Mapping[str, Sequence[object]] | None = None,
    first: int = 0,
) -> None:
    """Further tracks, numbered on from `first`."""
    items = []
    for at, vector in enumerate(vectors):
        fields = {"path": f"/sounds/kind {at % 4}/{first + at}.wav", "duration": 5.0}
        fields |= {name: values[at] for name, values in (columns or {}).items()}
        # Numbers of no order, as hashes have none.
        id = f"{(first + at) * 2654435761 % 2**32:08x}{first + at:024x}"
        items.append((Track(id, vector, fields), [Segment(0, 0.0, 5.0, 1.0, vector)]))
    with open_store(library.location) as store:
        store.put_many(items)
