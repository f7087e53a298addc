"""Libraries of vectors that are given: no sound is embedded."""

from __future__ import annotations

import numpy as np

from sonovec import Library
from sonovec.library.location import parse_location
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig, Segment, Track

PASSPORT = {
    "model": "given",
    "revision": "1",
    "options": {},
    "weights": "",
    "front_end": "",
    "resampler": "",
    "pooling": "mean",
    "rate": 16000,
    "window": 16000,
    "hop": 16000,
    "tail": "pad",
    "precision": "f32",
}


def clusters(n, dim=32, seed=0, groups=10, noise=0.5):
    """Vectors around centres, and the group of each."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((groups, dim))
    codes = random.integers(groups, size=n)
    return (centres[codes] + noise * random.standard_normal((n, dim))).astype(np.float32), codes


def put(store, vectors, first=0, columns=None):
    store.put_many(
        (
            Track(
                f"{(n * 7919) % 65536:04x}{n:028x}",
                vector,
                {"path": f"/sounds/{'' if columns is None else columns[n - first]}/{n}.wav"},
            ),
            [Segment(0, 0.0, 5.0, 1.0, vector), Segment(1, 5.0, 6.0, 1.0, vector[::-1].copy())],
        )
        for n, vector in enumerate(vectors, start=first)
    )


def library_of(place, vectors, columns=None, passport=PASSPORT):
    with open_store(parse_location(place)) as store:
        store.create(LibraryConfig(vectors.shape[1], passport, 10.0, "given"))
        put(store, vectors, columns=columns)
    return Library(place)
