"""How far a map can be trusted: whether neighbours on it are neighbours in the space, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.explore.neighbours import Floats32, Watch, blocks, squared_distances, squared_lengths

#: Neighbours that are looked at.
NEIGHBOURS = 10
#: Tracks that neighbours are looked for among, at most: the cost of a track does not grow with the library.
MOST = 2_000


@dataclass(frozen=True, eq=False, repr=False)
class Trust(Brief):
    """Of each track its `trustworthiness` and `continuity`, float32 (n,), from 0 to 1; by chance they are about 0.5."""

    trustworthiness: Floats32
    continuity: Floats32


def measure(
    vectors: Floats32,
    places: Floats32,
    reference: NDArray[np.intp],
    own: NDArray[np.intp],
    watch: Watch = lambda done: None,
) -> Trust:
    """Trustworthiness and continuity of each row (Venna and Kaski, 2001), among the rows of `reference`.

    A row is trusted less for each of its neighbours on the map that is no neighbour in the space, the less the farther that
    one is there by rank. Continuity is the same with map and space exchanged.

    Parameters
    ----------
    vectors : float32 (n, dim)
    places : float32 (n, dims)
    reference : array of int (m,)
        Which rows neighbours are looked for among.
    own : array of int (k,)
        The rows to measure.

    Returns
    -------
    Trust
        Of the rows of `own`, NaN where there are too few others for neighbours: fewer than 3.
    """
    found = np.full((2, len(own)), np.nan, np.float32)
    at = np.full(len(vectors), -1)
    at[reference] = np.arange(len(reference))
    k = min(NEIGHBOURS, (len(reference) - 1) // 2)
    if k > 0:
        spaces = [(each[own], each[reference]) for each in (vectors, places)]
        squares = [squared_lengths(among) for _, among in spaces]
        both = zip(*(blocks(rows) for rows, _ in spaces), strict=True)
        for (start, count, there), (_, _, here) in both:
            mine = at[own[start : start + count]]
            ranks = [
                _ranks(squared_distances(block, among, square)[:count], mine)
                for block, (_, among), square in zip((there, here), spaces, squares, strict=True)
            ]
            others = len(reference) - (mine >= 0)
            found[0, start : start + count] = _kept(ranks[1], ranks[0], k, others)
            found[1, start : start + count] = _kept(ranks[0], ranks[1], k, others)
            watch(start + count)
    return Trust(*found)


def _ranks(distances: Floats32, mine: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many are nearer than each, from 1; of a row itself a rank behind all."""
    there = np.flatnonzero(mine >= 0)
    distances[there, mine[there]] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, distances.shape[1] + 1)[None], axis=1)
    return ranks


def _kept(near: NDArray[np.intp], far: NDArray[np.intp], k: int, others: NDArray[np.intp]) -> Floats32:
    """1 less what the k nearest by one ranking lack in the other, as a part of the most that they can lack."""
    excess = np.where(near <= k, np.maximum(far - k, 0), 0).sum(axis=1)
    most = k * (2 * others - 3 * k + 1) / 2  # of n points there are n - 1 others
    return np.asarray(1 - excess / most, np.float32)
