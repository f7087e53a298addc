"""The metric of an encoder: the directions in which recordings of one sound differ count less.

Where there are few examples, they cannot tell what of their vectors is the sound and what is the recording. Pairs of other
recordings can: the covariance within many sounds says in which directions they differ (within-class covariance
normalisation; Hatch, Kajarekar and Stolcke 2006).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.brief import Brief
from sonovec.embedding.passport import Passport
from sonovec.learn import shipped
from sonovec.vectors import unit

ENDING = ".metric.npz"


@dataclass(frozen=True, eq=False, repr=False)
class Metric(Brief):
    """Directions that count less.

    Attributes
    ----------
    directions : array, shape (k, dim), float32
        Orthonormal; none of them leaves vectors as they are.
    factors : array, shape (k,), float32
        What each counts, from 0 to 1.
    id : str
        Digits that are equal only where both are; empty without directions.

    Examples
    --------
    >>> half = Metric(np.array([[1.0, 0.0]], np.float32), np.array([0.75], np.float32), "")
    >>> half([[0.8, 0.6]]).round(3).tolist()
    [[0.707, 0.707]]
    """

    directions: NDArray[np.float32]
    factors: NDArray[np.float32]
    id: str

    def __call__(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Vectors (n, dim) as this metric sees them: at length 1."""
        return weighed(vectors, self.directions, self.factors)


def weighed(vectors: ArrayLike, directions: NDArray[np.floating], factors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Vectors (n, dim) at length 1, in which some directions (k, dim) count by factors (k,)."""
    seen = unit(vectors)
    if not len(factors):
        return seen
    along = np.asarray(directions, np.float64)
    return unit(seen - (seen @ along.T * (1 - np.asarray(factors, np.float64))) @ along)


#: All directions count the same.
PLAIN = Metric(np.empty((0, 0), np.float32), np.empty(0, np.float32), "")


def metric(passport: Passport) -> Metric:
    """The metric for vectors of a passport, whatever their hop; ``training/metric.py`` makes one.

    Examples
    --------
    >>> import sonovec
    >>> encoder = sonovec.load("default")
    >>> metric(encoder.passport).directions.shape
    (128, 512)
    """
    found = shipped.read(passport, ENDING)
    return PLAIN if found is None else Metric(found.arrays["directions"], found.arrays["factors"], found.id)
