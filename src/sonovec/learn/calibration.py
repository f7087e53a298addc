"""Calibration: from scores to probabilities that mean what they say, and how far they do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.learn.head import sigmoid

Floats = NDArray[np.float64]

#: How far calibration may go from the usual one, and a class's own from what all classes share: deviations of a Gaussian
#: prior on the factor of the slope and on the offset.
SHARED, OWN = (1.0, 2.0), (0.2, 0.5)
#: The least factor of a slope, so that the order of the scores stays.
FLATTEST = 0.02
#: Steps of Newton's method, and the change at which it ends.
STEPS, CHANGE = 100, 1e-10
#: Bins of a calibration curve.
BINS = 10


def platt(
    scores: ArrayLike,
    targets: ArrayLike,
    weights: ArrayLike | None = None,
    usual: tuple[float, float] = (1.0, 0.0),
) -> tuple[Floats, Floats]:
    """Slope and offset of each class, so that ``sigmoid(slope * score + offset)`` is how probable it is.

    Platt's method (1999, with the targets that keep few examples from certainty, and Newton's method as by Lin, Lin and
    Weng 2007) finds one slope and one offset for all classes. Each class then goes from them as far as its own examples
    push it, against a Gaussian prior: with few examples the order of the classes stays as the scores have it.

    Parameters
    ----------
    scores : array, shape (n, n_classes)
        Of rows that the head did not hear in training; NaN where there is none.
    targets : array, shape (n, n_classes)
        1 heard, 0 not heard, -1 not known.
    weights : array, shape (n,), optional
        How much each row counts; 1 without it.
    usual : (float, float)
        Slope and offset that such scores usually have: what is taken where there are none, and held to where there are few.

    Returns
    -------
    slope, offset : array, shape (n_classes,)

    Examples
    --------
    >>> scores = np.array([[-2.0], [-1.0], [-0.5], [0.5], [1.0], [2.0]])
    >>> slope, offset = platt(scores, [[0], [0], [1], [0], [1], [1]])
    >>> slope.round(2).tolist(), abs(offset.round(2)).tolist()
    ([0.76], [0.0])
    """
    values, heard, total = _counted(scores, targets, weights)
    n_classes = values.shape[1]
    if not total.any():
        return np.full(n_classes, usual[0]), np.full(n_classes, usual[1])
    # As the usual calibration has them, they are logits, in which priors mean the same for every kind of head.
    logits = usual[0] * values + usual[1]
    slope, offset = _newton(logits.ravel(), heard.ravel(), total.ravel(), SHARED)
    shared = slope * logits + offset
    own = np.array([_newton(*each, OWN) for each in zip(shared.T, heard.T, total.T, strict=True)])
    if n_classes == 1:
        own[:] = 1.0, 0.0
    slopes = own[:, 0] * slope
    return slopes * usual[0], slopes * usual[1] + own[:, 0] * offset + own[:, 1]


def _counted(scores: ArrayLike, targets: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """Scores, and how much of each row is heard, and is known at all; both with Platt's targets."""
    values, said = np.asarray(scores, np.float64), np.asarray(targets)
    each = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    known = np.where(np.isfinite(values) & (said >= 0), each[:, None], 0.0)
    positives = float((known * (said == 1)).sum())
    negatives = float((known * (said == 0)).sum())
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    return np.nan_to_num(values), known * np.where(said == 1, high, low), known


def _newton(scores: Floats, heard: Floats, total: Floats, deviations: tuple[float, float]) -> tuple[float, float]:
    """Slope and offset that are most probable, by Newton's method with halved steps; without examples, 1 and 0.

    Scores that go against what is heard tell next to nothing: then the slope is `FLATTEST`, and the offset alone is fitted.
    """
    prior, precision = np.array([1.0, 0.0]), np.array(deviations) ** -2.0

    def loss(at: Floats) -> float:
        logits = at[0] * scores + at[1]
        return float(
            (total * np.logaddexp(0, logits) - heard * logits).sum() + 0.5 * (precision * (at - prior) ** 2).sum()
        )

    at, value = prior.copy(), loss(prior)
    for _ in range(STEPS):
        chance = sigmoid(at[0] * scores + at[1])
        error, curve = total * chance - heard, total * chance * (1 - chance)
        slope = np.array([(error * scores).sum(), error.sum()]) + precision * (at - prior)
        cross = float((curve * scores).sum())
        hessian = np.array([[(curve * scores**2).sum(), cross], [cross, curve.sum()]]) + np.diag(precision)
        step, size = np.linalg.solve(hessian, slope), 1.0
        while size > 1e-10 and not loss(at - size * step) <= value:
            size /= 2
        moved = at - size * step
        improved = loss(moved)
        if not improved <= value or value - improved < CHANGE * (1 + abs(value)):
            at = moved if improved <= value else at
            break
        at, value = moved, improved
    if at[0] < FLATTEST:
        return FLATTEST, _newton(np.zeros_like(scores), heard, total, deviations)[1] if scores.any() else float(at[1])
    return float(at[0]), float(at[1])


@dataclass(frozen=True)
class Bin:
    """Rows of similar probability: their mean probability, the share in which the class is heard, and their number."""

    probability: float
    share: float
    count: int


@dataclass(frozen=True)
class Calibration:
    """Whether a probability is one.

    Attributes
    ----------
    bins : tuple of Bin
        Those of the ten that are not empty, from the least probable on.
    error : float
        Expected calibration error (Naeini et al. 2015): the mean distance of probability and share, weighted by count; NaN
        without rows.
    """

    bins: tuple[Bin, ...]
    error: float

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return asdict(self)


def measured(probabilities: ArrayLike, targets: ArrayLike) -> Calibration:
    """Compare probabilities with how often it was so, in bins that part the range from 0 to 1 evenly.

    Bins of equally many rows would put nearly all of them where nothing is heard: of ten classes nine are not, mostly.

    Parameters
    ----------
    probabilities : array
        NaN is left out.
    targets : array, of the same shape
        1 heard, 0 not heard, -1 not known.

    Examples
    --------
    >>> measured([0.75, 0.75, 0.75, 0.75], [1, 1, 1, 0]).error
    0.0
    >>> measured([0.95, 0.95, 0.05, 0.05], [1, 0, 0, 0]).bins[1]
    Bin(probability=0.95, share=0.5, count=2)
    """
    said, heard = _pairs(probabilities, targets)
    places = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    bins = tuple(
        Bin(float(said[inside].mean()), float(heard[inside].mean()), int(inside.sum()))
        for inside in (places == place for place in range(BINS))
        if inside.any()
    )
    distance = sum(each.count * abs(each.probability - each.share) for each in bins)
    return Calibration(bins, float(distance / len(said)) if len(said) else float("nan"))


def error(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """The error of `measured`.

    Examples
    --------
    >>> error([0.95, 0.95, 0.05, 0.05], [1, 0, 0, 0])
    0.25
    """
    return measured(probabilities, targets).error


def brier(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """Brier score (1950): the mean squared distance of a probability from what was heard, 1 or 0; NaN without rows.

    Examples
    --------
    >>> round(brier([0.8, 0.4], [1, 0]), 3)
    0.1
    """
    said, heard = _pairs(probabilities, targets)
    return float(((said - heard) ** 2).mean()) if len(said) else float("nan")


def _pairs(probabilities: ArrayLike, targets: ArrayLike) -> tuple[Floats, Floats]:
    """What was said and what was heard, flat, where both are known."""
    said, heard = np.asarray(probabilities, np.float64).ravel(), np.asarray(targets, np.float64).ravel()
    known = np.isfinite(said) & (heard >= 0)
    return said[known], heard[known]
