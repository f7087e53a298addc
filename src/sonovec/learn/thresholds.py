"""Thresholds: the probability from which on a class counts as heard."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Where nothing is known of a class.
UNKNOWN = 0.5


@dataclass(frozen=True)
class Threshold:
    """A threshold, and what it gives on rows that were not trained on.

    Attributes
    ----------
    value : float
    precision, recall, f1 : float
        NaN where nothing is known.
    note : str
        What was wanted and not reached, or empty.
    """

    value: float
    precision: float
    recall: float
    f1: float
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: null for what is not known."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


def choose(
    probabilities: ArrayLike, targets: ArrayLike, *, precision: float | None = None, weights: ArrayLike | None = None
) -> Threshold:
    """Choose the threshold of one class.

    Without `precision`, the one of the best F1. With it, the one of the highest recall among those with such a precision; if
    none has it, the one of the highest precision, with a note. It lies halfway between two probabilities that occur, so that
    no row is at the edge.

    Parameters
    ----------
    probabilities : array, shape (n,)
        Of rows that the head did not hear in training; NaN is left out.
    targets : array, shape (n,)
        1 heard, 0 not heard, -1 not known.
    precision : float, optional
        Above 0, to 1.
    weights : array, shape (n,), optional
        How much each row counts.

    Returns
    -------
    Threshold

    Examples
    --------
    >>> choose([0.1, 0.4, 0.6, 0.9], [0, 1, 0, 1])
    Threshold(value=0.25, precision=0.6666666666666666, recall=1.0, f1=0.8, note='')
    >>> choose([0.1, 0.4, 0.6, 0.9], [0, 1, 0, 1], precision=0.9).value
    0.75
    """
    said, heard = np.asarray(probabilities, np.float64), np.asarray(targets)
    each = np.ones(len(said)) if weights is None else np.asarray(weights, np.float64)
    known = np.isfinite(said) & (heard >= 0) & (each > 0)
    said, heard, each = said[known], heard[known] == 1, each[known]
    if not heard.any():
        nan = float("nan")
        return Threshold(UNKNOWN, nan, nan, nan, "no example of it was left to test on; the threshold is a guess")
    order = np.argsort(-said, kind="stable")
    said, right, all_ = said[order], (each * heard)[order].cumsum(), each[order].cumsum()
    last = np.flatnonzero(np.append(said[1:] != said[:-1], True))  # of rows that are equally probable
    precisions, recalls = right[last] / all_[last], right[last] / right[-1]
    f1 = 2 * precisions * recalls / np.maximum(precisions + recalls, 1e-12)
    best, note = int(f1.argmax()), ""
    if precision is not None:
        reached = np.flatnonzero(precisions >= precision)
        if len(reached):
            best = int(reached[recalls[reached].argmax()])
        else:
            best = int(precisions.argmax())
            note = f"a precision of {precision:.0%} is not reached; the best is {precisions[best]:.0%}"
    above, at = said[last[best]], last[best] + 1
    below = said[at] if at < len(said) else 0.0
    return Threshold(float((above + below) / 2), float(precisions[best]), float(recalls[best]), float(f1[best]), note)


def held_out(
    probabilities: ArrayLike, targets: ArrayLike, folds: ArrayLike, *, precision: float | None = None
) -> NDArray[np.float64]:
    """The threshold by which each row is to be judged: chosen, as by `choose`, on the rows of all other folds.

    A threshold that was chosen on the rows that it is judged by looks better than it is.

    Parameters
    ----------
    probabilities, targets : array, shape (n, n_classes)
    folds : array, shape (n,)
    precision : float, optional

    Returns
    -------
    array, shape (n, n_classes)

    Examples
    --------
    >>> held_out([[0.1], [0.9], [0.3], [0.5]], [[0], [1], [0], [1]], [0, 0, 1, 1]).tolist()
    [[0.4], [0.4], [0.5], [0.5]]
    """
    said, heard, parts = np.asarray(probabilities, np.float64), np.asarray(targets), np.asarray(folds)
    found = np.empty(said.shape)
    for fold in np.unique(parts):
        rest = parts != fold
        found[~rest] = [
            choose(*column, precision=precision).value for column in zip(said[rest].T, heard[rest].T, strict=True)
        ]
    return found
