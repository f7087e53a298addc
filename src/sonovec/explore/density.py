"""How lonely vectors are among others: the local outlier factor, of a set itself or of new ones among older ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonovec.library.neighbours import Tell, nearest, silent

Rows = NDArray[np.float64]
#: Distances of equal vectors count as this much, so that no density is infinite.
LEAST = 1e-6
BLOCK = 1024


def factors(rows: Rows, count: int, tell: Tell = silent) -> tuple[Rows, NDArray[np.int64]]:
    """The local outlier factor of each row, and the row nearest to it.

    Parameters
    ----------
    rows : array, shape (n, dim)
        Of length 1; distances are Euclidean, so they follow the cosines.
    count : int
        Neighbours of each; fewer where there are not so many others.
    tell : callable, optional

    Returns
    -------
    array, shape (n,)
        About 1 where a vector lies as densely as its neighbours do, and more where it lies alone (Breunig, Kriegel, Ng and
        Sander, SIGMOD 2000). All 1 where there are fewer than three rows.
    array, shape (n,)
        -1 where there is no other.

    Examples
    --------
    >>> angles = np.array([0, 0.01, 0.02, 0.03, 1.0])
    >>> found, _ = factors(np.stack([np.cos(angles), np.sin(angles)], axis=1), 2)
    >>> int(found.argmax()), bool(found.max() > 10)
    (4, True)
    """
    if len(rows) < 3:
        return np.ones(len(rows)), np.arange(len(rows))[::-1] if len(rows) == 2 else np.full(len(rows), -1)
    indices, cosines = nearest(rows, min(count, len(rows) - 1), tell=tell)
    distances = _distances(cosines)
    densities = _densities(indices, distances, distances[:, -1])
    return _told(indices, densities, densities), indices[:, 0]


def novelties(rows: Rows, new: Rows, count: int) -> tuple[Rows, NDArray[np.int64]]:
    """The local outlier factor of new rows among older ones, which do not know of them, and the older row nearest to each.

    Parameters
    ----------
    rows : array, shape (n, dim)
        The older ones, three or more, of length 1.
    new : array, shape (m, dim)
    count : int

    Examples
    --------
    >>> old = np.stack([np.cos(np.arange(9) / 50), np.sin(np.arange(9) / 50)], axis=1)
    >>> found, near = novelties(old, np.array([[np.cos(0.05), np.sin(0.05)], [0.0, 1.0]]), 3)
    >>> bool(found[0] < 1.5), bool(found[1] > 10)
    (True, True)
    """
    count = min(count, len(rows) - 1)
    theirs, cosines = nearest(rows, count)
    distances = _distances(cosines)
    reaches = distances[:, -1]
    densities = _densities(theirs, distances, reaches)
    parts = [_nearest_old(rows, new[begin : begin + BLOCK], count) for begin in range(0, len(new), BLOCK)]
    if not parts:
        return np.empty(0), np.empty(0, np.int64)
    indices, apart = (np.concatenate(each) for each in zip(*parts, strict=True))
    return _told(indices, _densities(indices, apart, reaches), densities), indices[:, 0]


def _nearest_old(rows: Rows, new: Rows, count: int) -> tuple[NDArray[np.int64], Rows]:
    cosines = new @ rows.T
    indices = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return indices, _distances(np.take_along_axis(cosines, indices, axis=1))


def _distances(cosines: NDArray[np.floating]) -> Rows:
    return np.asarray(np.sqrt(np.maximum(2 - 2 * cosines.astype(np.float64), LEAST**2)))


def _densities(indices: NDArray[np.int64], distances: Rows, reaches: Rows) -> Rows:
    """The inverse of the mean distance by which the neighbours, whose own reach counts at least, are reached."""
    return np.asarray(1 / np.maximum(distances, reaches[indices]).mean(axis=1))


def _told(indices: NDArray[np.int64], own: Rows, others: Rows) -> Rows:
    return np.asarray(others[indices].mean(axis=1) / own)
