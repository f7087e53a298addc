"""Libraries of made-up vectors, in groups that a test knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import sonovec
from sonovec.library.location import parse_location
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig, Segment, Track

DIM = 24
KINDS = ("rain", "wind", "dogs")


def vectors(count: int, kind: int, seed: int = 0, spread: float = 0.15) -> np.ndarray:
    middle = np.random.default_rng(99).standard_normal((len(KINDS), DIM))[kind]
    return (middle + spread * np.random.default_rng(seed + 7 * kind).standard_normal((count, DIM))).astype(np.float32)


def put(library: sonovec.Library, rows: np.ndarray, folder: str, first: int = 0) -> list[str]:
    """Further tracks below a folder; gives their ids."""
    items = []
    for at, vector in enumerate(rows, start=first):
        path = f"/sounds/{folder}/{at}.wav"
        id = f"{abs(hash_of(path)):032x}"
        fields = {"path": path, "duration": 5.0, "genre": folder.title()}
        items.append((Track(id, vector, fields), [Segment(0, 0.0, 5.0, 1.0, vector)]))
    with open_store(library.location) as store:
        store.put_many(items)
    return [track.id for track, _ in items]


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode()[-12:], "big")


def make(place: Path, each: int = 20) -> sonovec.Library:
    """A library of three groups, with one silent track and one whose vector is not finite left to the caller."""
    encoder = sonovec.load("logmel")
    with open_store(parse_location(place)) as store:
        store.create(LibraryConfig(DIM, encoder.passport.to_json(), 10.0, encoder.card.name), [])
    library = sonovec.Library(place)
    for kind, folder in enumerate(KINDS):
        put(library, vectors(each, kind), folder)
    return library
