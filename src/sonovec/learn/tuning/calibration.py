"""A calibrated head and its thresholds, by what was held out while it was trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sonovec.learn.examples import HEARD
from sonovec.learn.head import Head

#: Steps of Newton's method; it converges in about ten.
STEPS = 50
#: The threshold of a class of which nothing was held out.
UNTOLD = 0.5


def calibrated(head: Head, vectors: NDArray[np.float32], targets: NDArray[np.int8]) -> Head:
    """The head with slopes and offsets that make probabilities of its scores (Platt 1999, with his targets short of 0 and 1).

    A class keeps its slope of 1 where nothing that is heard, or nothing that is not, is among `targets`.
    """
    scores = replace(head, slope=np.ones_like(head.slope), offset=np.zeros_like(head.offset)).scores(vectors)
    slope, offset = np.ones_like(head.slope), np.zeros_like(head.offset)
    for number, wanted in enumerate(targets.T):
        known = wanted >= 0
        heard = wanted[known] == HEARD
        if heard.any() and not heard.all():
            slope[number], offset[number] = _platt(scores[known, number], heard)
    return replace(head, slope=slope, offset=offset)


def _platt(scores: NDArray[np.float64], heard: NDArray[np.bool_]) -> tuple[float, float]:
    n_heard, n_not = heard.sum(), (~heard).sum()
    wanted = np.where(heard, (n_heard + 1) / (n_heard + 2), 1 / (n_not + 2))
    deviation = max(float(scores.std()), 1e-9)
    inputs = np.stack([(scores - scores.mean()) / deviation, np.ones_like(scores)], axis=1)
    found = np.array([1.0, np.log((n_heard + 1) / (n_not + 1))])
    for _ in range(STEPS):
        said = 0.5 * (1 + np.tanh(inputs @ found / 2))
        curvature = (inputs * (said * (1 - said))[:, None]).T @ inputs + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, inputs.T @ (said - wanted))
        found = found - step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    slope = max(float(found[0]), 1e-3) / deviation  # a higher score is never less probable
    return slope, float(found[1] - slope * scores.mean())


def thresholds(probabilities: NDArray[np.float64], targets: NDArray[np.int8]) -> NDArray[np.float32]:
    """The threshold of each class with the best F1; the middle between the last that is taken and the first that is not.

    Examples
    --------
    >>> thresholds(np.array([[0.9], [0.6], [0.2]]), np.array([[1], [1], [0]], np.int8)).tolist()
    [0.4...]
    """
    found = np.full(targets.shape[1], UNTOLD, np.float32)
    for number, wanted in enumerate(targets.T):
        known = wanted >= 0
        said, heard = probabilities[known, number], wanted[known] == HEARD
        if heard.any() and not heard.all():
            order = np.argsort(-said, kind="stable")
            said, right = said[order], np.cumsum(heard[order])
            f1 = 2 * right / (np.arange(1, len(said) + 1) + right[-1])
            f1[:-1][said[:-1] == said[1:]] = -1.0  # between equal ones there is no threshold
            best = int(f1.argmax())
            following = said[best + 1] if best + 1 < len(said) else 0.0
            found[number] = (said[best] + following) / 2
    return found
