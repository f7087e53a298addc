"""Which class of sound is heard from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError


@dataclass(frozen=True)
class Event:
    """A stretch in which a class is heard.

    Attributes
    ----------
    start, end : float
        Seconds of the source.
    tag : str
    score : float
        The highest of its windows.
    """

    start: float
    end: float
    tag: str
    score: float


def events(
    times: NDArray[np.float64], scores: NDArray[np.float32], tags: Sequence[str], threshold: float = 0.2
) -> list[Event]:
    """Join the windows in which a class scores `threshold` or more, where they touch or overlap.

    Parameters
    ----------
    times : array, shape (n, 2)
        Start and end of each window in seconds, by start.
    scores : array, shape (n, n_tags)
    tags : sequence of str
    threshold : float
        From 0 to 1.

    Returns
    -------
    list of Event
        By start, then by score, best first. Events of one class neither overlap nor touch.

    Raises
    ------
    UsageError
        If `threshold` is not within 0 and 1.

    Examples
    --------
    >>> times = np.array([[0, 2], [2, 4], [4, 6]])
    >>> scores = np.array([[0.5, 0.1], [0.75, 0.1], [0.0, 0.25]], np.float32)
    >>> events(times, scores, ["Dog", "Rain"])
    [Event(start=0.0, end=4.0, tag='Dog', score=0.75), Event(start=4.0, end=6.0, tag='Rain', score=0.25)]
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold={threshold} is no score; give one from 0 to 1, such as threshold=0.2")
    found = [
        event
        for column in np.flatnonzero((scores >= threshold).any(axis=0)).tolist()
        for event in _of_one(times, scores[:, column], tags[column], threshold)
    ]
    return sorted(found, key=lambda event: (event.start, -event.score, event.tag))


def _of_one(times: NDArray[np.float64], scores: NDArray[np.float32], tag: str, threshold: float) -> list[Event]:
    joined: list[Event] = []
    for row in np.flatnonzero(scores >= threshold):
        start, end, score = float(times[row, 0]), float(times[row, 1]), float(scores[row])
        if joined and start <= joined[-1].end:
            last = joined.pop()
            start, end, score = last.start, max(end, last.end), max(score, last.score)
        joined.append(Event(start, end, tag, score))
    return joined
