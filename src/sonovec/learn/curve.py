"""The learning curve: how good the same heads are with fewer examples, and so whether more would help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.evaluation.metrics import Score
from sonovec.learn.examples import Examples
from sonovec.learn.measures import average_precisions, gain
from sonovec.learn.outcomes import Outcomes, by_stretch

#: Shares of the groups that are trained on, beside all of them.
FRACTIONS = (0.25, 0.5, 0.75)
#: Groups that a training set must have.
LEAST = 4
#: A gain from twice the examples that is worth the work.
WORTH = 0.01

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Point:
    """What a share of the groups gives: stretches that were trained on (mean of the folds), mean average precision."""

    fraction: float
    stretches: int
    mean_average_precision: Score


@dataclass(frozen=True)
class LearningCurve:
    """Points from the fewest examples to all, what twice the examples gained, and what to do, in words."""

    points: tuple[Point, ...]
    gain: Score
    advice: str

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        points = [
            {
                "fraction": point.fraction,
                "stretches": point.stretches,
                "mean_average_precision": point.mean_average_precision.to_json(),
            }
            for point in self.points
        ]
        return {"points": points, "gain": self.gain.to_json(), "advice": self.advice}


def learning_curve(
    examples: Examples,
    full: Outcomes,
    folds: Rows,
    predict: Callable[[Rows, Rows], NDArray[np.float64]],
    seed: int = 0,
    tell: Callable[[int, int], object] = lambda done, total: None,
) -> LearningCurve | None:
    """Train on a quarter, a half and three quarters of the groups of each training set, and predict the same folds.

    Parameters
    ----------
    examples : Examples
    full : Outcomes
        With all groups.
    folds : array, shape (n_rows,), int64
    predict : callable
        Gives, for the rows to train on and those to test, the probabilities of the latter.
    seed : int
    tell : callable
        Called before each training with the number of those that are done and of all.

    Returns
    -------
    LearningCurve or None
        None where a training set has too few groups to leave some out.
    """
    parts = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]
    groups, stretches = np.array(examples.groups, object).astype(str), examples.stretches
    if len(parts) < 2 or min(len(np.unique(groups[train])) for train, _ in parts) < LEAST:
        return None
    points, half = [], full
    for number, fraction in enumerate(FRACTIONS):
        held_out = np.full(examples.targets.shape, np.nan)
        sizes = []
        for place, (train, test) in enumerate(parts):
            tell(number * len(parts) + place, len(FRACTIONS) * len(parts))
            chosen = _chosen(examples.targets[train], groups[train], fraction, seed)
            some = train[np.isin(groups[train], chosen)]
            held_out[test] = predict(some, test)
            sizes.append(len(np.unique(stretches[some])))
        outcomes = by_stretch(examples, held_out)
        if fraction == 0.5:
            half = outcomes
        mean = average_precisions(outcomes, seed)[1]
        if mean is not None:
            points.append(Point(fraction, round(float(np.mean(sizes))), mean))
    all_of_them = average_precisions(full, seed)[1]
    grown = gain(half, full, seed)
    if all_of_them is None or grown is None:
        return None
    whole = round(float(np.mean([len(np.unique(stretches[train])) for train, _ in parts])))
    return LearningCurve((*points, Point(1.0, whole, all_of_them)), grown, advice(grown, all_of_them))


def advice(grown: Score, now: Score) -> str:
    """Whether more examples would help, in words.

    Examples
    --------
    >>> advice(Score(0.04, 0.02, 0.06, 100), Score(0.9, 0.88, 0.92, 100))
    'more examples would help: twice as many gave +4.0 points of mean average precision'
    >>> advice(Score(0.001, -0.01, 0.01, 100), Score(0.995, 0.98, 1.0, 100))
    'more examples of the same kind would help little: twice as many gave +0.1 points of mean average precision'
    """
    gave = f"twice as many gave {100 * grown.value:+.1f} points of mean average precision"
    if grown.value >= WORTH and grown.low > 0:
        return f"more examples would help: {gave}"
    if grown.value >= WORTH:
        return (
            f"more examples may help: {gave}, which may be chance ({100 * grown.low:+.1f} to {100 * grown.high:+.1f})"
        )
    weak = "" if now.value >= 0.9 else "; other recordings, or another encoder (--model), may help more"
    return f"more examples of the same kind would help little: {gave}{weak}"


def _chosen(targets: NDArray[np.int8], groups: NDArray[np.str_], fraction: float, seed: int) -> NDArray[np.str_]:
    """A share of the groups, of each class as nearly the same as can be; a smaller share is a part of a larger one."""
    names, codes = np.unique(groups, return_inverse=True)
    heard = np.zeros((len(names), targets.shape[1] + 1), bool)
    np.logical_or.at(heard[:, :-1], codes, targets == 1)
    # A group counts as one of its rarest class; one without any is background.
    rarity = np.where(heard, heard.sum(axis=0), np.iinfo(np.int64).max)
    kinds = np.where(heard.any(axis=1), rarity.argmin(axis=1), targets.shape[1])
    order = np.random.default_rng(seed).permutation(len(names))
    places = np.empty(len(names))
    for kind in np.unique(kinds):
        members = order[kinds[order] == kind]
        places[members] = np.arange(len(members)) / len(members)
    return np.asarray(names[places < fraction - 1e-9])
