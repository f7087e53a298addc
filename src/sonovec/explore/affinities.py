"""How near neighbours are, by the perplexity of t-SNE: weights that add up to 1."""

from __future__ import annotations

import numpy as np

from sonovec.explore.neighbours import Floats

_STEPS = 60


def weights(distances: Floats, perplexity: float) -> Floats:
    """Gaussian weights of neighbours, with the entropy of `perplexity` equal ones (van der Maaten and Hinton, 2008).

    Parameters
    ----------
    distances : float64 (n, k)
        The nearest first.
    perplexity : float
        Below k.

    Returns
    -------
    float64 (n, k)
        Each row adds up to 1.

    Examples
    --------
    >>> weights(np.array([[1.0, 1.0, 9.0]]), 2.0).round(3).tolist()
    [[0.5, 0.5, 0.0]]
    """
    squares = distances**2 - distances[:, :1] ** 2
    scale = squares.mean(axis=1, keepdims=True)
    squares = squares / np.where(scale > 0, scale, 1)
    low, high = np.full((len(squares), 1), -40.0), np.full((len(squares), 1), 40.0)
    wanted = np.log(perplexity)
    for _ in range(_STEPS):  # the entropy falls as the precision grows, so halving finds it
        middle = (low + high) / 2
        found = _normed(squares, middle)
        entropy = -(found * np.log(np.maximum(found, 1e-300))).sum(axis=1, keepdims=True)
        low, high = np.where(entropy > wanted, middle, low), np.where(entropy > wanted, high, middle)
    return _normed(squares, (low + high) / 2)


def _normed(squares: Floats, precision: Floats) -> Floats:
    found = np.exp(-np.exp2(precision) * squares)
    return np.asarray(found / found.sum(axis=1, keepdims=True))
