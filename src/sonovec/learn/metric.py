"""A metric: in which directions of an encoder's vectors a difference matters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.vectors import unit

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Metric:
    """Vectors as a head is to see them: brought to length 1, then ``(x - center) @ map``.

    Attributes
    ----------
    center : array, shape (dim,)
    map : array, shape (dim, k)
    """

    center: Floats
    map: Floats

    def __call__(self, vectors: ArrayLike) -> Floats:
        """The vectors, shape (n, k)."""
        return np.asarray((unit(vectors) - self.center) @ self.map)


def plain(vectors: ArrayLike, heard: Floats, not_heard: Floats) -> Metric:
    """The metric where nothing is known of an encoder: all directions alike, around the mean of the means of the classes.

    Parameters
    ----------
    vectors : array, shape (n, dim)
    heard, not_heard : array, shape (n, n_classes)
        The weight of each row where a class is heard, and where it is not.
    """
    units = unit(vectors)
    # A row in which no class is heard belongs to a class of its own.
    none = np.where((heard > 0).any(axis=1), 0.0, not_heard.max(axis=1, initial=0))
    shares = np.column_stack([heard, none])
    shares = shares[:, shares.sum(axis=0) > 0]
    shares = shares / shares.sum(axis=0)
    return Metric((shares.T @ units).mean(axis=0), np.eye(units.shape[1]))
