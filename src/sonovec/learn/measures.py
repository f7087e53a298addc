"""How good held-out probabilities are, class by class: precision, recall, F1, average precision, calibration, confusion.

Each figure has a 95 % interval by bootstrap (Efron and Tibshirani 1993, An Introduction to the Bootstrap): whole groups are
drawn with replacement 1,000 times, since what belongs to one recording is right or wrong together (Field and Welsh 2007,
Bootstrapping clustered data). Where every draw gives 100 %, or 0 %, the interval is that of as many trials. Each stretch is
judged by a threshold of its own: one that was chosen without its fold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.evaluation.metrics import CONFIDENCE, DRAWS, Score
from sonovec.learn import calibration
from sonovec.learn.calibration import Calibration
from sonovec.learn.outcomes import NONE, Outcomes

Floats = NDArray[np.float64]

# Draws are made in blocks, so that memory stays bounded.
_BLOCK_CELLS = 1 << 22


@dataclass(frozen=True)
class ClassFigures:
    """How well one class is detected.

    Attributes
    ----------
    name : str
    stretches, groups : int
        Stretches in which it is heard, and the groups that they are from.
    threshold : float
        Of the detector.
    precision, recall, f1, average_precision : Score or None
        None where the class could not be held out; precision also where it is never detected.
    calibration : Calibration or None
    """

    name: str
    stretches: int
    groups: int
    threshold: float
    precision: Score | None = None
    recall: Score | None = None
    f1: Score | None = None
    average_precision: Score | None = None
    calibration: Calibration | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        figures = ("precision", "recall", "f1", "average_precision", "calibration")
        told = {name: getattr(self, name) for name in figures}
        return {
            "class": self.name,
            "stretches": self.stretches,
            "groups": self.groups,
            "threshold": self.threshold,
            **{name: None if figure is None else figure.to_json() for name, figure in told.items()},
        }


def class_figures(
    outcomes: Outcomes, thresholds: Sequence[float], seed: int = 0, judged_by: ArrayLike | None = None
) -> tuple[list[ClassFigures], Score | None]:
    """The figures of each class, and the mean of the average precisions over the classes that have one.

    Parameters
    ----------
    outcomes : Outcomes
    thresholds : sequence of float, length n_classes
        Of the detector.
    seed : int
        Of the bootstrap.
    judged_by : array, shape (n, n_classes), optional
        The threshold of each stretch (see `sonovec.learn.thresholds.held_out`); that of the detector without it.

    Returns
    -------
    figures : list of ClassFigures
    mean_average_precision : Score or None
    """
    detected = outcomes.known & (outcomes.probabilities >= np.asarray(thresholds if judged_by is None else judged_by))
    right = detected & outcomes.positive
    precision = ratios(right, detected, outcomes.groups, seed)
    recall = ratios(right, outcomes.positive, outcomes.groups, seed)
    f1 = ratios(2.0 * right, 1.0 * detected + outcomes.positive, outcomes.groups, seed)
    average, mean = average_precisions(outcomes, seed)
    groups = np.array(outcomes.groups)
    figures = []
    for column, name in enumerate(outcomes.classes):
        heard = outcomes.targets[:, column] == 1
        counts = (name, int(heard.sum()), len(np.unique(groups[heard])), float(thresholds[column]))
        if average[column] is None:
            figures.append(ClassFigures(*counts))
            continue
        curve = calibration.measured(outcomes.probabilities[:, column], outcomes.targets[:, column])
        figures.append(ClassFigures(*counts, precision[column], recall[column], f1[column], average[column], curve))
    return figures, mean


def accuracy(outcomes: Outcomes, seed: int = 0) -> Score | None:
    """Share of stretches whose most probable class is the one that is heard; None unless the classes are exclusive.

    Stretches in which none is heard, and those of classes that could not be held out, are not counted.
    """
    heard = np.asarray(outcomes.positive.any(axis=1))
    if not outcomes.exclusive or not heard.any():
        return None
    best = np.where(np.isnan(outcomes.probabilities), -1, outcomes.probabilities).argmax(axis=1)
    right = np.take_along_axis(outcomes.targets, best[:, None], 1)[:, 0] == 1
    [score] = ratios((right & heard)[:, None], heard[:, None], outcomes.groups, seed)
    return score


def confidence_calibration(outcomes: Outcomes) -> Calibration | None:
    """Calibration of the most probable class alone (Guo et al. 2017); None unless the classes are exclusive."""
    heard = np.asarray(outcomes.positive.any(axis=1))
    if not outcomes.exclusive or not heard.any():
        return None
    probabilities = np.where(np.isnan(outcomes.probabilities), -1, outcomes.probabilities)[heard]
    best = probabilities.argmax(axis=1)
    targets = outcomes.targets[heard]
    return calibration.measured(probabilities.max(axis=1), np.take_along_axis(targets, best[:, None], 1)[:, 0])


# -- with intervals


def ratios(numerators: ArrayLike, denominators: ArrayLike, groups: Sequence[str], seed: int = 0) -> list[Score | None]:
    """Sum by sum, with the interval of each ratio when groups are drawn with replacement.

    Parameters
    ----------
    numerators, denominators : array, shape (n, n_figures)
    groups : sequence of str, length n
    seed : int

    Returns
    -------
    list of Score or None, length n_figures
        None where the denominators sum to 0. `Score.n` counts the rows whose denominator is not 0.

    Examples
    --------
    >>> [score] = ratios([[1], [1], [0], [1]], [[1], [1], [1], [1]], ["a", "a", "b", "c"])
    >>> score.value, score.low, score.high, score.n
    (0.75, 0.0, 1.0, 4)
    """
    tops, bottoms = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    codes, count = _coded(groups)
    sums = np.zeros((count, 2 * tops.shape[1]))
    np.add.at(sums, codes, np.concatenate([tops, bottoms], axis=1))
    above, below = np.split(np.concatenate([weights @ sums for weights in _draws(count, seed)]), 2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = above / below
    return [
        None if total == 0 else _score(top / total, share[under > 0], int((column != 0).sum()))
        for top, total, share, under, column in zip(
            tops.sum(axis=0), bottoms.sum(axis=0), shares.T, below.T, bottoms.T, strict=True
        )
    ]


def average_precisions(outcomes: Outcomes, seed: int = 0) -> tuple[list[Score | None], Score | None]:
    """Average precision of each class, and their mean, with intervals by groups.

    It is the sum of the precision at each distinct probability, weighted by the recall that is gained there. None where a
    class has no stretch that is heard and was held out.
    """
    values, drawn = _drawn_precisions(outcomes, seed)
    counts = zip(outcomes.known.sum(axis=0).tolist(), outcomes.positive.sum(axis=0).tolist(), strict=True)
    scores = [
        None if np.isnan(value) else _score(value, column[np.isfinite(column)], n, heard)
        for value, column, (n, heard) in zip(values, drawn.T, counts, strict=True)
    ]
    if np.isnan(values).all():
        return scores, None
    return scores, _score(float(np.nanmean(values)), _means(drawn), len(outcomes))


def gain(fewer: Outcomes, more: Outcomes, seed: int = 0) -> Score | None:
    """How much the mean average precision of the same stretches grew, with its interval by groups; n is their number.

    None where one of them has no class to be counted.
    """
    (before, drawn_before), (after, drawn_after) = (_drawn_precisions(each, seed) for each in (fewer, more))
    both = np.isfinite(before) & np.isfinite(after)
    if not both.any():
        return None
    # The draws are the same, so that the difference is one of the same stretches.
    grown = drawn_after[:, both] - drawn_before[:, both]
    low, high = np.quantile(_means(grown), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Score(float((after - before)[both].mean()), float(low), float(high), len(more))


def _drawn_precisions(outcomes: Outcomes, seed: int) -> tuple[Floats, Floats]:
    """Average precision of each class, and of each draw of groups: (n_classes,) and (DRAWS, n_classes), NaN without any."""
    codes, count = _coded(outcomes.groups)
    drawn = np.full((DRAWS, len(outcomes.classes)), np.nan)
    values = np.full(len(outcomes.classes), np.nan)
    for column in np.flatnonzero(outcomes.positive.any(axis=0)).tolist():
        ranking = _Ranking.of(outcomes, column)
        values[column] = ranking.average_precision(np.ones((1, len(outcomes))))[0]
        # Blocks of draws with a weight for each row, as memory allows.
        drawn[:, column] = np.concatenate(
            [
                ranking.average_precision(np.take(weights, codes, axis=1))
                for weights in _draws(count, seed, len(outcomes))
            ]
        )
    return values, drawn


def _means(drawn: Floats) -> Floats:
    """Means over the classes that each draw has; draws without any are left out."""
    return np.asarray(np.nanmean(drawn[np.isfinite(drawn).any(axis=1)], axis=1))


def precision_recall(outcomes: Outcomes, column: int) -> tuple[Floats, Floats]:
    """Recall and precision of a class at each probability at which one more is found, highest first: shape (m,) both."""
    found, counted = _Ranking.of(outcomes, column).cumulated(np.ones((1, len(outcomes))))
    return found[0] / found[0, -1], found[0] / counted[0]


@dataclass(frozen=True, eq=False)
class _Ranking:
    """Stretches from the most probable on, in steps: each ends behind those of one probability of which some are heard.

    `rows` are all down to the last that is heard, and `heard` those that are; `starts` and `heard_starts` tell where in them
    each step begins.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    heard: NDArray[np.int64]
    heard_starts: NDArray[np.int64]

    @classmethod
    def of(cls, outcomes: Outcomes, column: int) -> _Ranking:
        """Of a class that is heard in one of them at least."""
        known = np.flatnonzero(outcomes.known[:, column])
        order = known[np.argsort(-outcomes.probabilities[known, column], kind="stable")]
        ranked, places = outcomes.probabilities[order, column], np.flatnonzero(outcomes.targets[order, column] == 1)
        ends = np.append(np.flatnonzero(np.diff(ranked)), len(order) - 1) + 1
        steps = np.unique(ends[np.searchsorted(ends, places, side="right")])
        starts = np.concatenate([[0], steps[:-1]])
        return cls(order[: steps[-1]], starts, order[places], np.searchsorted(places, starts))

    def cumulated(self, weights: Floats) -> tuple[Floats, Floats]:
        """The weight of the heard, and of all, down to each step: shape (draws, n_steps), of weights (draws, n)."""
        found = np.add.reduceat(np.take(weights, self.heard, axis=1), self.heard_starts, axis=1)
        counted = np.add.reduceat(np.take(weights, self.rows, axis=1), self.starts, axis=1)
        return found.cumsum(axis=1), counted.cumsum(axis=1)

    def average_precision(self, weights: Floats) -> Floats:
        """Of each draw, shape (draws,); NaN where none that is heard was drawn."""
        found, counted = self.cumulated(weights)
        gained = np.diff(found, axis=1, prepend=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(counted > 0, found / counted, 0)
            return np.asarray((precision * gained).sum(axis=1) / found[:, -1])


def _score(value: float, drawn: Floats, n: int, trials: int = 0) -> Score:
    """A figure with its interval; `trials` are those that it is a share of, if they are not `n`."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    # Where all draws agree, that is no certainty: what so many trials tell (Clopper and Pearson 1934).
    least = tail ** (1 / max(1, trials or n))
    if drawn.min() == drawn.max() == value == 1:
        low = least
    if drawn.min() == drawn.max() == value == 0:
        high = 1 - least
    return Score(float(value), float(low), float(high), n)


def _coded(groups: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    names, codes = np.unique(np.array(groups, object).astype(str), return_inverse=True)
    return codes.astype(np.int64), len(names)


def _draws(count: int, seed: int, width: int = 0) -> Iterator[Floats]:
    """How often each of `count` groups was drawn, in blocks of draws: shape (draws, count); the same for the same seed."""
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK_CELLS // max(count, width))
    for first in range(0, DRAWS, step):
        yield rng.multinomial(count, np.full(count, 1 / count), size=min(step, DRAWS - first)).astype(np.float64)


# -- what is taken for what


def confusion(outcomes: Outcomes, thresholds: ArrayLike) -> NDArray[np.int64]:
    """What is detected where a class is heard: shape (n_classes + 1, n_classes + 1), the last row and column for none.

    For each class that is heard in a stretch, the most probable of those that reach their threshold is counted; others
    that are heard there as well do not compete with it. The last row has the stretches in which none is heard.

    Examples
    --------
    >>> outcomes = Outcomes(
    ...     ("cat", "dog"),
    ...     np.int8([[1, 0], [0, 1], [0, 0]]),
    ...     np.array([[0.9, 0.6], [0.7, 0.4], [0.1, 0.2]]),
    ...     ("a", "b", "c"), ("a", "b", "c"), np.zeros((3, 2)),
    ... )
    >>> confusion(outcomes, [0.5, 0.5]).tolist()
    [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    """
    n_classes = len(outcomes.classes)
    reached = np.where(outcomes.probabilities >= np.asarray(thresholds), outcomes.probabilities, -1.0)
    reached[~np.isfinite(outcomes.probabilities)] = -1.0
    counts = np.zeros((n_classes + 1, n_classes + 1), np.int64)
    heard = outcomes.targets == 1
    for column in range(n_classes):
        rows = np.flatnonzero(outcomes.positive[:, column])
        others = heard[rows]
        others[:, column] = False
        _count(counts[column], np.where(others, -1.0, reached[rows]))
    _count(
        counts[n_classes],
        reached[(outcomes.targets == 0).all(axis=1) & np.isfinite(outcomes.probabilities).any(axis=1)],
    )
    return counts


def _count(row: NDArray[np.int64], reached: Floats) -> None:
    best = np.where((reached >= 0).any(axis=1), reached.argmax(axis=1), reached.shape[1])
    row += np.bincount(best, minlength=len(row))


def mistakes(counts: NDArray[np.int64], classes: Sequence[str]) -> list[tuple[str, str, int]]:
    """What is taken for what, the most frequent first: (heard, detected, stretches)."""
    names = [*classes, NONE]
    pairs = [
        (names[row], names[column], int(counts[row, column]))
        for row, column in zip(*np.nonzero(counts), strict=True)
        if row != column
    ]
    return sorted(pairs, key=lambda pair: -pair[2])
