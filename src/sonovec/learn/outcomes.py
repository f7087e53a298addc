"""What heads said of labelled stretches whose groups they had not heard: the material of every figure of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief

#: What the confusion and the messages call a stretch in which none of the classes is heard.
NONE = "none of them"


@dataclass(frozen=True, eq=False, repr=False)
class Outcomes(Brief):
    """Labelled stretches, and the probability of each class there by heads that were fitted without the stretch's group.

    Attributes
    ----------
    classes : tuple of str
    targets : array, shape (n, n_classes), int8
        1 heard, 0 not heard, -1 not known.
    probabilities : array, shape (n, n_classes), float64
        NaN where a class could not be held out, such as a class of one group.
    groups : tuple of str, length n
    paths : tuple of str, length n
    times : array, shape (n, 2), float64
        Start and end in seconds.
    """

    classes: tuple[str, ...]
    targets: NDArray[np.int8]
    probabilities: NDArray[np.float64]
    groups: tuple[str, ...]
    paths: tuple[str, ...]
    times: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where there is a target and a probability: shape (n, n_classes)."""
        return (self.targets >= 0) & np.isfinite(self.probabilities)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Where a class is heard and has a probability: shape (n, n_classes)."""
        return np.asarray(self.known & (self.targets == 1))

    @property
    def negative(self) -> NDArray[np.bool_]:
        """Where a class is not heard and has a probability: shape (n, n_classes)."""
        return np.asarray(self.known & (self.targets == 0))

    @property
    def exclusive(self) -> bool:
        """Whether each stretch in which something is heard has exactly one class, and that is known of all classes."""
        heard = (self.targets == 1).sum(axis=1)
        return len(self.classes) > 1 and bool((heard <= 1).all() and (self.targets >= 0).all())

    def label(self, row: int) -> str:
        """What the labels say is heard in a stretch."""
        names = [name for name, target in zip(self.classes, self.targets[row], strict=True) if target == 1]
        return " + ".join(names) or NONE


def by_stretch(
    classes: Sequence[str],
    stretches: NDArray[np.int64],
    targets: NDArray[np.int8],
    probabilities: NDArray[np.float64],
    groups: Sequence[str],
    paths: Sequence[str],
    times: NDArray[np.float64],
    weights: NDArray[np.floating],
) -> Outcomes:
    """Count rows by the stretch that they come from, whose probability is the weighted mean of theirs.

    So a long stretch counts no more than a short one.

    Parameters
    ----------
    classes : sequence of str
    stretches : array, shape (n_rows,), int64
        The stretch of each row.
    targets, probabilities : array, shape (n_rows, n_classes)
        Of a stretch, the first row has the targets; groups and paths are the same for all.
    groups, paths : sequence of str, length n_rows
    times : array, shape (n_rows, 2)
    weights : array, shape (n_rows,)

    Returns
    -------
    Outcomes
        By the number of the stretch.

    Examples
    --------
    >>> times = np.array([[0.0, 2.0], [1.0, 3.0], [0.0, 2.0]])
    >>> counted = by_stretch(
    ...     ["dog"], np.array([4, 4, 7]), np.int8([[1], [1], [0]]), np.array([[0.9], [0.5], [0.2]]), "aab", "aab",
    ...     times, np.array([3, 1, 1]),
    ... )
    >>> counted.probabilities.tolist(), counted.times.tolist(), counted.groups
    ([[0.8], [0.2]], [[0.0, 3.0], [0.0, 2.0]], ('a', 'b'))
    """
    _, first, rows = np.unique(stretches, return_index=True, return_inverse=True)
    starts, ends = np.full(len(first), np.inf), np.full(len(first), -np.inf)
    np.minimum.at(starts, rows, times[:, 0])
    np.maximum.at(ends, rows, times[:, 1])
    return Outcomes(
        tuple(classes),
        targets[first],
        mean_by(rows, probabilities, weights),
        tuple(groups[row] for row in first.tolist()),
        tuple(paths[row] for row in first.tolist()),
        np.stack([starts, ends], axis=1),
    )


def mean_by(
    rows: NDArray[np.int64], values: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Weighted mean of the values of each stretch; `rows`, shape (n,), has the stretches as indices without gaps.

    Examples
    --------
    >>> mean_by(np.array([0, 0, 1]), np.array([[1.0], [3.0], [5.0]]), np.array([1, 3, 1])).tolist()
    [[2.5], [5.0]]
    """
    sums = np.zeros((rows.max() + 1, values.shape[1]))
    np.add.at(sums, rows, values * np.asarray(weights, np.float64)[:, None])
    return np.asarray(sums / np.bincount(rows, weights)[:, None])
