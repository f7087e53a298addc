"""How like any two tracks of a library are: by that the likeness of others is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sonovec.library.store import Store
from sonovec.vectors import similarity

#: Tracks that say it.
SAMPLE = 500
#: Tracks are never taken for less different than this: in a library of one sound nothing is unrelated.
LEAST_UNRELATED = 0.02
#: A track fits another if they are more alike than this share of all pairs.
FITS = 0.95


@dataclass(frozen=True)
class Usual:
    """`unrelated` is the cosine distance of pairs of tracks at the median, `fits` the similarity from which on one fits."""

    unrelated: float
    fits: float


def usual_of(store: Store, space: str) -> Usual:
    """What is usual in a space of a library, by tracks from all over it."""
    vectors = store.sample(SAMPLE, space, "track")
    pairs = similarity(vectors, vectors)[np.triu_indices(len(vectors), 1)]
    if not len(pairs):
        return Usual(1.0, 0.0)
    distance = 1 - float(np.median(pairs))
    return Usual(max(distance, LEAST_UNRELATED), round(float(np.quantile(pairs, FITS)), 3))
