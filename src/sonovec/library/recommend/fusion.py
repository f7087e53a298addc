"""Rank fusion: one ranking of several, in which what several seeds agree on comes first.

The mean of the vectors of unlike seeds lies between them, where average music is; ranks have no such middle. Reference:
Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: The constant of the paper: the larger, the less the first ranks stand out.
K = 60


def ranks(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Ranks from 1 on by each row of scores (m, n), the highest first; of equal ones the first column.

    Examples
    --------
    >>> ranks(np.array([[0.1, 0.9, 0.9]])).tolist()
    [[3, 1, 2]]
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    found = np.empty_like(order)
    np.put_along_axis(found, order, np.arange(1, scores.shape[1] + 1)[None].repeat(len(scores), 0), axis=1)
    return np.asarray(found, np.int64)


def fused(placed: NDArray[np.int64]) -> NDArray[np.float64]:
    """Fuse m rankings of n tracks, given as ranks (m, n): the mean of reciprocal ranks, 1 for what is first in all.

    The order of the rankings does not matter, to the last bit.

    Examples
    --------
    >>> fused(np.array([[1, 2], [2, 1]])).round(3).tolist(), fused(np.array([[1, 62]])).round(3).tolist()
    ([0.992, 0.992], [1.0, 0.5])
    """
    shares = np.sort((K + 1) / (K + placed.astype(np.float64)), axis=0)
    return np.asarray(shares.mean(axis=0))
