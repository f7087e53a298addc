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


def fused(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fuse m rankings of n tracks: the mean of reciprocal ranks, each times how alike the two are.

    Ranks alone would say the same of the third of three thousand and of the third of three.

    Parameters
    ----------
    scores : float64 (m, n)
        Similarities, from -1 to 1.

    Returns
    -------
    float64 (n,)
        From 0 to 1; 1 for what is first in all rankings, and equal. The order of the rankings changes no bit of it.

    Examples
    --------
    >>> fused(np.array([[1.0, 0.5], [0.5, 1.0]])).round(3).tolist(), fused(np.array([[1.0, 0.0]])).round(3).tolist()
    ([0.869, 0.869], [1.0, 0.492])
    """
    likeness = (1 + np.clip(scores, -1, 1)) / 2
    shares = np.sort((K + 1) / (K + ranks(scores)) * likeness, axis=0)
    return np.asarray(shares.mean(axis=0))
