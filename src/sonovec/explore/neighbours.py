"""The nearest neighbours of rows by Euclidean distance, exactly, in blocks of one shape.

A row's neighbours do not depend on the rows beside it: every block has the same shape, so that the bits of a row's distances
are those that it has alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

#: Rows of a block; a block that is not full is filled up with zeros.
BLOCK = 256

Floats32 = NDArray[np.float32]
Floats = NDArray[np.float64]
Watch = Callable[[int], object]


def blocks(rows: Floats32) -> Iterator[tuple[int, int, Floats32]]:
    """Blocks of one shape: where each begins, how many of its rows count, and the rows.

    Examples
    --------
    >>> [(start, count, block.shape) for start, count, block in blocks(np.ones((300, 2), np.float32))]
    [(0, 256, (256, 2)), (256, 44, (256, 2))]
    """
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        block = np.zeros((BLOCK, rows.shape[1]), np.float32)
        block[: len(part)] = part
        yield start, len(part), block


def squared_distances(block: Floats32, among: Floats32, squares: Floats32) -> Floats32:
    """Squared distances of the rows of a block to others, whose squared lengths are given; shape (rows, others), float32."""
    found = -2 * (block @ among.T)
    found += squares
    found += np.einsum("nd,nd->n", block, block)[:, None]
    return np.asarray(found, np.float32)


def squared_lengths(rows: Floats32) -> Floats32:
    """The squared length of each row."""
    return np.asarray(np.einsum("nd,nd->n", rows, rows), np.float32)


def nearest(
    rows: Floats32, among: Floats32, k: int, *, own: NDArray[np.intp] | None = None, watch: Watch = lambda done: None
) -> tuple[NDArray[np.intp], Floats]:
    """The `k` nearest of other rows for each row, the nearest first; of those that are as near, the first.

    Parameters
    ----------
    rows : float32 (n, dim)
    among : float32 (m, dim)
    k : int
        At most m, or, with `own`, at most m - 1.
    own : array of int (n,), optional
        The place of each row itself in `among`, which is not its own neighbour; -1 for one that is not there.
    watch : callable, optional
        Called with the number of rows that are done.

    Returns
    -------
    indices, distances
        Arrays of shape (n, k), int and float64.

    Examples
    --------
    >>> line = np.array([[0.0], [1.0], [3.0]], np.float32)
    >>> indices, distances = nearest(line, line, 1, own=np.arange(3))
    >>> indices.ravel().tolist(), distances.ravel().tolist()
    ([1, 0, 1], [1.0, 1.0, 2.0])
    """
    indices, distances = np.empty((len(rows), k), np.intp), np.empty((len(rows), k))
    squares = squared_lengths(among)
    for start, count, block in blocks(rows):
        found = squared_distances(block, among, squares)[:count]
        if own is not None:
            there = np.flatnonzero(own[start : start + count] >= 0)
            found[there, own[start : start + count][there]] = np.inf
        # A few more than are asked for: their exact distances decide which are nearest.
        some = min(k + 8, found.shape[1])
        chosen = np.argpartition(found, some - 1, axis=1)[:, :some] if some < found.shape[1] else _all(found)
        exact = np.linalg.norm(among[chosen].astype(np.float64) - block[:count, None].astype(np.float64), axis=2)
        exact[~np.isfinite(np.take_along_axis(found, chosen, axis=1))] = np.inf
        order = np.lexsort([chosen, exact], axis=1)[:, :k]
        indices[start : start + count] = np.take_along_axis(chosen, order, axis=1)
        distances[start : start + count] = np.take_along_axis(exact, order, axis=1)
        watch(start + count)
    return indices, distances


def _all(found: Floats32) -> NDArray[np.intp]:
    return np.broadcast_to(np.arange(found.shape[1]), found.shape)
