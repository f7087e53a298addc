"""A head: what a detector computes from a vector; linear, with one calibrated score for each class."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.brief import Brief
from sonovec.vectors import unit


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
        A vector is brought to length 1, then ``(x - center) / scale`` is what the weights see.
    weights : array, shape (n_classes, dim), float32
    bias : array, shape (n_classes,), float32
    slope, offset : array, shape (n_classes,), float32
        Calibration (Platt 1999): the probability is ``sigmoid(slope * score + offset)``.

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

    def scores(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Scores before calibration: shape (n, n_classes)."""
        seen = (unit(vectors) - self.center) / self.scale
        return np.asarray(seen @ self.weights.T.astype(np.float64) + self.bias)

    def probabilities(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """How probable it is that each class is heard: shape (n, n_classes), in 0 to 1."""
        return sigmoid(self.scores(vectors) * self.slope + self.offset)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The arrays by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
