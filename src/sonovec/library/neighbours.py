"""The nearest of many vectors to each of them, in time that does not grow as the square of their number."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.vectors import unit32

#: Up to so many are compared each with each, in blocks of rows.
EXACT, BLOCK = 20_000, 1024
#: More are put into cells around some of them, so many times the square root of their number; each looks into so many cells.
CELLS, PROBES = 4, 12

Tell = Callable[[int, int], object]


def silent(done: int, rows: int) -> None:
    """Tell nobody."""


def nearest(
    vectors: ArrayLike, count: int, *, exact: int = EXACT, seed: int = 0, tell: Tell = silent
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each row the others that are most like it by cosine, the nearest first.

    Parameters
    ----------
    vectors : array, shape (n, dim)
        A row of zeros has cosine 0 with all.
    count : int
        Neighbours of each; fewer where there are not so many others.
    exact : int
        Up to so many rows all are compared. Of more, rows are put into cells, and each is compared with those of the
        12 cells whose middles are nearest, in time that grows as n to the power of 1.5: few neighbours are missed.
    seed : int
        Of the choice of the middles.
    tell : callable, optional
        Called with the rows that are done and with all of them; what it raises ends the call.

    Returns
    -------
    indices : array, shape (n, k), int64
        -1 where nothing was found.
    cosines : array, shape (n, k), float32
        -inf there.

    Examples
    --------
    >>> indices, cosines = nearest([[1, 0], [0, 1], [1, 0.1]], 1)
    >>> indices[:, 0].tolist()
    [2, 2, 0]
    """
    rows = unit32(np.asarray(vectors, np.float32))
    count = min(count, len(rows) - 1)
    if count <= 0:
        return np.empty((len(rows), 0), np.int64), np.empty((len(rows), 0), np.float32)
    if len(rows) <= exact:
        return _among_all(rows, count, tell)
    return _among_cells(rows, count, seed, tell)


def _among_all(rows: NDArray[np.float32], count: int, tell: Tell) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    indices, cosines = _empty(len(rows), count)
    everyone = np.arange(len(rows))
    for begin in range(0, len(rows), BLOCK):
        tell(begin, len(rows))
        own = everyone[begin : begin + BLOCK]
        indices[own], cosines[own] = _best(rows, own, everyone, count)
    return indices, cosines


def _among_cells(
    rows: NDArray[np.float32], count: int, seed: int, tell: Tell
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    indices, cosines = _empty(len(rows), count)
    middles = rows[np.random.default_rng(seed).permutation(len(rows))[: CELLS * math.isqrt(len(rows))]]
    probes = np.concatenate(
        [_highest(rows[begin : begin + BLOCK] @ middles.T, PROBES) for begin in range(0, len(rows), BLOCK)]
    )
    order = np.argsort(probes[:, 0], kind="stable")
    bounds = np.searchsorted(probes[order, 0], np.arange(len(middles) + 1))
    looking = np.argsort(probes.ravel(), kind="stable") // probes.shape[1]
    cells = np.sort(probes.ravel())
    asked = np.searchsorted(cells, np.arange(len(middles) + 1))
    for cell in range(len(middles)):
        if cell % PROBES == 0:
            tell(cell * len(rows) // len(middles), len(rows))
        members, own = order[bounds[cell] : bounds[cell + 1]], looking[asked[cell] : asked[cell + 1]]
        if len(members) and len(own):
            found, alike = _best(rows, own, members, count)
            both, scores = np.hstack([indices[own], found]), np.hstack([cosines[own], alike])
            best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
            indices[own], cosines[own] = (np.take_along_axis(each, best, axis=1) for each in (both, scores))
    return indices, cosines


def _empty(n: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    return np.full((n, count), -1, np.int64), np.full((n, count), -np.inf, np.float32)


def _best(
    rows: NDArray[np.float32], own: NDArray[np.int64], others: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest of some rows to some, never a row itself; filled up with -1."""
    cosines = rows[own] @ rows[others].T
    cosines[own[:, None] == others] = -np.inf
    best = _highest(cosines, count)
    scores = np.take_along_axis(cosines, best, axis=1)
    indices = np.where(np.isfinite(scores), others[best], -1)
    missing = ((0, 0), (0, count - indices.shape[1]))
    return np.pad(indices, missing, constant_values=-1), np.pad(scores, missing, constant_values=-np.inf)


def _highest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The places of the highest scores of each row, the highest first; of equal ones the first."""
    count = min(count, scores.shape[1])
    some = np.sort(np.argpartition(-scores, count - 1, axis=1)[:, :count], axis=1)
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)
