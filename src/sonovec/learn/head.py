"""A head: what a detector computes from a vector; linear, with one calibrated score for each class."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.brief import Brief
from sonovec.learn.metric import weighed


def sigmoid(logits: NDArray[Any]) -> NDArray[Any]:
    """The probability that logits stand for, of their shape and type; no size of them overflows.

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.asarray(0.5 * (1 + np.tanh(logits / 2)))


@dataclass(frozen=True, eq=False, repr=False)
class Head(Brief):
    """One score for each class, against all the rest, so that classes may sound at once and none may.

    Attributes
    ----------
    center, scale : array, shape (dim,), float32
        What the weights see of a vector is ``(x - center) / scale``.
    weights : array, shape (n_classes, dim), float32
    bias : array, shape (n_classes,), float32
    slope, offset : array, shape (n_classes,), float32
        Calibration (Platt 1999): the probability is ``sigmoid(slope * score + offset)``.
    directions : array, shape (k, dim), float32
    factors : array, shape (k,), float32
        How vectors are brought to length 1: see `sonovec.learn.metric.Metric`. Without them all directions count the same.

    Examples
    --------
    >>> one = np.ones(1, np.float32)
    >>> flat = np.zeros(2, np.float32), np.ones(2, np.float32)
    >>> head = Head(*flat, np.array([[2.0, 0.0]], np.float32), 0 * one, one, 0 * one)
    >>> head.scores([[3.0, 0.0], [0.0, 1.0]]).tolist(), head.probabilities([[0.0, 1.0]]).tolist()
    ([[2.0], [0.0]], [[0.5]])
    """

    center: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    slope: NDArray[np.float32]
    offset: NDArray[np.float32]
    directions: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    factors: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    def scores(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Scores before calibration: shape (n, n_classes)."""
        seen = (weighed(vectors, self.directions, self.factors) - self.center) / self.scale
        return np.asarray(seen @ self.weights.T.astype(np.float64) + self.bias)

    def probabilities(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """How probable it is that each class is heard: shape (n, n_classes), in 0 to 1."""
        return sigmoid(self.scores(vectors) * self.slope + self.offset)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The arrays by their names."""
        return {each.name: getattr(self, each.name) for each in fields(self)}
