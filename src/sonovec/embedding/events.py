"""Which class of sound is heard from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError

#: The score from which a class counts as heard.
THRESHOLD = 0.2


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
    times: NDArray[np.float64], scores: NDArray[np.float32], classes: Sequence[str], threshold: float = THRESHOLD
) -> list[Event]:
    """Join the windows in which a class scores `threshold` or more, where they touch or overlap.

    Parameters
    ----------
    times : array, shape (n_windows, 2)
        Start and end of each window in seconds, in order.
    scores : array, shape (n_windows, n_classes)
    classes : sequence of str
        Their names.
    threshold : float
        From 0 to 1.

    Returns
    -------
    list of Event
        By start, then by score, best first; empty if the model scores no classes. Times are those of the windows. Events
        of one class neither overlap nor touch.

    Raises
    ------
    UsageError
        If `threshold` is not within 0 and 1.

    Examples
    --------
    >>> times = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    >>> events(times, np.array([[0.5], [0.75], [0], [0.25]]), ["Dog"])
    [Event(start=0, end=2, tag='Dog', score=0.75), Event(start=3, end=4, tag='Dog', score=0.25)]
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold={threshold} is not a score; give a number from 0 to 1, such as threshold=0.2")
    reached = scores >= threshold
    found = [
        event
        for column in np.flatnonzero(reached.any(axis=0)).tolist()
        for event in _of_one(times[reached[:, column]], scores[reached[:, column], column], classes[column])
    ]
    return sorted(found, key=lambda event: (event.start, -event.score, event.tag))


def _of_one(times: NDArray[np.float64], scores: NDArray[np.float32], tag: str) -> list[Event]:
    """Events of one class, from those of its windows that count."""
    joined: list[Event] = []
    for (start, end), score in zip(times.tolist(), scores.tolist(), strict=True):
        if joined and start <= joined[-1].end:
            last = joined[-1]
            joined[-1] = Event(last.start, max(end, last.end), tag, max(score, last.score))
        else:
            joined.append(Event(start, end, tag, score))
    return joined
