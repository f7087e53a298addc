"""What heads said of labelled stretches whose groups they had not heard: the material of every figure of a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.learn.examples import Examples

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


def by_stretch(examples: Examples, probabilities: NDArray[np.float64]) -> Outcomes:
    """Count stretches and not rows, so that a long one counts no more than a short one.

    The first row of a stretch is its clip vector (see `sonovec.learn.examples.embed`), and its probability the stretch's.
    The mean of the windows' probabilities would be none: a bark in five seconds of silence is one sure window of three.

    Parameters
    ----------
    examples : Examples
    probabilities : array, shape (n_rows, n_classes)
        Of each row.

    Returns
    -------
    Outcomes
        By the number of the stretch.
    """
    first = first_rows(examples)
    return Outcomes(
        examples.classes,
        examples.targets[first],
        probabilities[first],
        tuple(examples.groups[row] for row in first.tolist()),
        tuple(examples.paths[row] for row in first.tolist()),
        examples.times[first],
    )


def first_rows(examples: Examples) -> NDArray[np.int64]:
    """The first row of each stretch, by the number of the stretch: shape (n_stretches,)."""
    return np.asarray(np.unique(examples.stretches, return_index=True)[1], np.int64)
