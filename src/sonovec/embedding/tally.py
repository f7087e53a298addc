"""What is heard in a sound, class by class: counted part by part, so that memory stays the same however long it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.embedding.events import THRESHOLD

#: Tags that are kept of a part: at most so many, and none below this score.
MOST_OF_PART, LEAST_OF_PART = 10, 0.05


@dataclass(frozen=True)
class Tag:
    """How a class is heard in a whole sound; silent windows are left out if others sound.

    Attributes
    ----------
    name : str
    score : float
        The highest of its windows.
    mean : float
        The mean of its windows, weighted by coverage.
    share : float
        The part of the time, in [0, 1], in which its score reaches `sonovec.embedding.events.THRESHOLD`.
    part : int
        Which of the parts has the window that scores highest.
    """

    name: str
    score: float
    mean: float
    share: float
    part: int


class Mean:
    """A mean of rows, weighted, of which only the sum is kept.

    Examples
    --------
    >>> mean = Mean()
    >>> mean.add(np.array([[1.0, 0.0]]), np.array([1.0]))
    >>> mean.add(np.array([[0.0, 1.0]]), np.array([0.5]))
    >>> mean.value.tolist()
    [0.6666..., 0.3333...]
    """

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | float = 0.0
        self._weight = 0.0

    def add(self, rows: NDArray[np.floating] | NDArray[np.bool_], weights: NDArray[np.floating]) -> None:
        """Take rows (n, width), with a weight (n,) for each."""
        if len(rows):
            heavy = weights.astype(np.float64)
            self._sum = self._sum + heavy @ rows.astype(np.float64)
            self._weight += float(heavy.sum())

    def __bool__(self) -> bool:
        return self._weight > 0

    @property
    def value(self) -> NDArray[np.float32]:
        """The mean (width,) of what was taken."""
        return np.asarray(self._sum / self._weight, np.float32)


class _Scores:
    """Mean, share of time and maximum of the scores of some windows, and in which part the maximum is."""

    def __init__(self, n_classes: int) -> None:
        self.mean, self.share = Mean(), Mean()
        self.highest = np.full(n_classes, -np.inf, np.float32)
        self.part = np.zeros(n_classes, np.int64)

    def add(self, part: int, scores: NDArray[np.float32], coverage: NDArray[np.float32]) -> None:
        self.mean.add(scores, coverage)
        self.share.add(scores >= THRESHOLD, coverage)
        highest = scores.max(axis=0)
        higher = highest > self.highest
        self.highest[higher], self.part[higher] = highest[higher], part


class Tally:
    """The tags of a sound, of which the scores of its windows are taken part by part.

    Examples
    --------
    >>> tally = Tally(["Dog", "Rain"])
    >>> tally.add(np.array([[0.0, 0.5], [0.0, 0.25]]), np.ones(2), np.zeros(2, bool))
    >>> tally.add(np.array([[0.75, 0.25]]), np.ones(1), np.zeros(1, bool))
    >>> tally.tags()[0]
    Tag(name='Dog', score=0.75, mean=0.25, share=0.333..., part=1)
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._all, self._sounding = _Scores(len(classes)), _Scores(len(classes))
        self._parts = 0

    def add(self, scores: NDArray[np.float32], coverage: NDArray[np.float32], silent: NDArray[np.bool_]) -> None:
        """Take the windows of the next part: scores (n, n_classes), coverage (n,), and which are silent (n,)."""
        self._all.add(self._parts, scores, coverage)
        if not silent.all():
            self._sounding.add(self._parts, scores[~silent], coverage[~silent])
        self._parts += 1

    def tags(self) -> list[Tag]:
        """All classes, best first."""
        found = self._sounding if self._sounding.mean else self._all
        if not found.mean:
            return []
        columns = (found.highest, found.mean.value, found.share.value, found.part)
        rows = zip(self._classes, *(column.tolist() for column in columns), strict=True)
        return sorted((Tag(*row) for row in rows), key=lambda tag: -tag.score)


def best_of_part(scores: NDArray[np.float32], silent: NDArray[np.bool_], classes: Sequence[str]) -> dict[str, float]:
    """The tags of one part, best first: for each class the highest score of its windows that are not silent.

    Examples
    --------
    >>> best_of_part(np.array([[0.5, 0.0, 0.25], [0.25, 0.0, 0.75]]), np.zeros(2, bool), ["Dog", "Cat", "Rain"])
    {'Rain': 0.75, 'Dog': 0.5}
    """
    if not len(classes) or silent.all():
        return {}
    highest = scores[~silent].max(axis=0)
    best = np.argsort(-highest, kind="stable")[:MOST_OF_PART]
    return {classes[place]: float(highest[place]) for place in best if highest[place] >= LEAST_OF_PART}
