"""Which class of sound is heard from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError

if TYPE_CHECKING:
    from sonovec.embedding.embedding import Embedding


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


def events(embedding: Embedding, threshold: float = 0.2) -> list[Event]:
    """Join the windows in which a class scores `threshold` or more, where they touch or overlap.

    Parameters
    ----------
    embedding : Embedding
        Its `times` (n_windows, 2), `scores` (n_windows, n_tags) and `tags` are read.
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
    >>> import sonovec
    >>> hiss = np.random.default_rng(0).standard_normal(160_000).astype(np.float32) / 10
    >>> heard = events(sonovec.load("default").embed((hiss, 16000)), threshold=0.1)
    >>> any("noise" in event.tag for event in heard)
    True
    >>> heard[0].start, heard[0].end
    (0.0, 10.0)
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold={threshold} is no score; give one from 0 to 1, such as threshold=0.2")
    times, scores = embedding.times, embedding.scores
    reached = scores >= threshold
    found = [
        event
        for column in np.flatnonzero(reached.any(axis=0)).tolist()
        for event in _of_one(times[reached[:, column]], scores[reached[:, column], column], embedding.tags[column])
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
