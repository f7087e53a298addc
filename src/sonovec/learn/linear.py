"""The kinds of linear heads: how weights are found for one score a class, each class against all the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.learn.head import sigmoid

Floats = NDArray[np.float64]

#: What the cosine with a centroid weighs beside a logistic regression's logits.
CENTROID = 12.0
#: Iterations of the logistic regression, and the gradient at which it ends.
ITERATIONS, GRADIENT = 200, 1e-5


@dataclass(frozen=True, eq=False)
class Rows:
    """What a head is fitted to.

    Attributes
    ----------
    seen : array, shape (n, dim)
        Vectors at length 1, around a center.
    heard, not_heard : array, shape (n, n_classes)
        The weight of each row where the class is heard, and where it is not; 0 in both where nobody knows.
    """

    seen: Floats
    heard: Floats
    not_heard: Floats

    @property
    def possible(self) -> NDArray[np.bool_]:
        """Which classes have a row in which they are heard, and one in which they are not."""
        return np.asarray((self.heard > 0).any(axis=0) & (self.not_heard > 0).any(axis=0))


def centroid(rows: Rows) -> Floats:
    """The direction of the mean of what is heard: shape (n_classes, dim), of length 1.

    Each row counts by its direction alone. It needs nothing but examples of the class, and is hard to beat with few.
    """
    lengths = np.linalg.norm(rows.seen, axis=1, keepdims=True)
    directions = rows.seen / np.where(lengths > 0, lengths, 1)
    sums = rows.heard.T @ directions
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.where(lengths > 0, lengths, 1))


def logistic(rows: Rows, strength: float) -> tuple[Floats, Floats]:
    """Logistic regression of each class against the rest with an L2 penalty of 1 / `strength`; the bias is free."""
    from scipy.optimize import minimize

    # The weights are a sum of rows, so that coordinates in the space of the rows are enough, and fewer where rows are few.
    basis, seen = np.linalg.qr(rows.seen.T)
    seen = seen.T
    n_classes, size = rows.heard.shape[1], seen.shape[1]
    weighed = rows.heard + rows.not_heard

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights, bias = flat[: n_classes * size].reshape(n_classes, size), flat[n_classes * size :]
        scores = seen @ weights.T + bias
        errors = weighed * sigmoid(scores) - rows.heard
        value = (weighed * np.logaddexp(0, scores) - rows.heard * scores).sum() + (weights**2).sum() / (2 * strength)
        return float(value), np.concatenate([(errors.T @ seen + weights / strength).ravel(), errors.sum(axis=0)])

    heard, not_heard = rows.heard.sum(axis=0), rows.not_heard.sum(axis=0)
    prior = np.log(np.maximum(heard, 1e-3) / np.maximum(not_heard, 1e-3))
    start = np.concatenate([np.zeros(n_classes * size), prior])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS, "gtol": GRADIENT}).x
    return found[: n_classes * size].reshape(n_classes, size) @ basis.T, found[n_classes * size :]


def both(rows: Rows, strength: float) -> tuple[Floats, Floats]:
    """The sum of a logistic regression and of what a centroid says, which keeps it from trusting few examples too much."""
    weights, bias = logistic(rows, strength)
    return weights + CENTROID * centroid(rows), bias


#: Kinds by name, and the strengths that are tried.
KINDS: Mapping[str, Callable[[Rows, float], tuple[Floats, Floats]]] = {"both": both, "logistic": logistic}
#: The first is taken where a kind is given, or where there is too little to choose by: it trusts few examples least.
STRENGTHS: Mapping[str, tuple[float, ...]] = {"both": (100.0, 1000.0), "logistic": (100.0, 1000.0)}
#: Slope and offset that calibrate the scores of a kind, where nothing else is known: measured on tasks of ten classes.
USUAL: Mapping[str, tuple[float, float]] = {"both": (0.2, -1.4), "logistic": (0.3, -0.7)}
