"""How good a network is on stretches that are held out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.learn.targets import HEARD, NOT_HEARD


@dataclass(frozen=True)
class Figures:
    """What was measured on held-out stretches, each by the mean of its windows.

    Attributes
    ----------
    average_precision : float
        Mean over the classes that are there.
    loss : float
    accuracy : float or None
        Share whose class has the highest score; None where stretches have none, or several.
    """

    average_precision: float
    loss: float
    accuracy: float | None = None

    def is_better_than(self, other: Figures | None) -> bool:
        """Whether these are better; of equal precisions, the lower loss is."""
        if other is None:
            return True
        mine, theirs = ((each.average_precision, -each.loss) for each in (self, other))
        return mine > theirs

    @property
    def told(self) -> str:
        """In words."""
        right = "" if self.accuracy is None else f", accuracy {self.accuracy:.3f}"
        return f"held out: average precision {self.average_precision:.3f}{right}"

    def to_json(self) -> dict[str, Any]:
        """All by their names."""
        return asdict(self)


def average_precision(scores: NDArray[np.floating], targets: NDArray[np.int8]) -> float:
    """Mean over classes of the average precision: of each that is heard in some rows and not in others.

    Equal scores count as one step, so that their order does not matter.

    Examples
    --------
    >>> average_precision(np.array([[0.9], [0.8], [0.1]]), np.array([[1], [0], [1]], np.int8))
    0.8333...
    """
    found = []
    for scored, wanted in zip(scores.T, targets.T, strict=True):
        known = wanted >= 0
        heard = wanted[known] == HEARD
        if heard.any() and not heard.all():
            found.append(_of_one(scored[known], heard))
    return float(np.mean(found)) if found else 0.0


def _of_one(scores: NDArray[np.floating], heard: NDArray[np.bool_]) -> float:
    order = np.argsort(-scores, kind="stable")
    ordered, right = scores[order], np.cumsum(heard[order])
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    precision, recall = right[ends] / (ends + 1), right[ends] / right[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def accuracy(scores: NDArray[np.floating], targets: NDArray[np.int8]) -> float | None:
    """Share of rows whose class has the highest score; None unless each has exactly one class.

    Examples
    --------
    >>> accuracy(np.array([[0.9, 0.1], [0.2, 0.1]]), np.array([[1, 0], [0, 1]], np.int8))
    0.5
    """
    heard = targets == HEARD
    if not len(targets) or not ((heard.sum(1) == 1) & ((targets == NOT_HEARD).sum(1) == targets.shape[1] - 1)).all():
        return None
    return float((scores.argmax(1) == heard.argmax(1)).mean())
