"""Why a detector hears what it hears: the examples of its training that are nearest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.learn.detector import Detector
from sonovec.vectors import unit


@dataclass(frozen=True)
class Example:
    """An example that a detector was trained on, and how near it is to what was heard.

    Attributes
    ----------
    path : str
    start, end : float
        Seconds of the recording.
    heard : bool or None
        Whether the class is heard in it; None where its label does not say.
    cosine : float
    """

    path: str
    start: float
    end: float
    heard: bool | None
    cosine: float


def nearest(detector: Detector, vector: NDArray[np.float32], place: int, count: int) -> tuple[Example, ...]:
    """The training examples that are nearest to a vector by cosine, best first, whatever their labels say.

    Examples without the class are worth seeing too: where they are nearest, the event is a doubtful one.

    Parameters
    ----------
    detector : Detector
    vector : array, shape (dim,)
        Of the window in which the class is heard best.
    place : int
        Of the class in ``detector.classes``.
    count : int
    """
    known = detector.exemplars
    cosines = known.vectors.astype(np.float64) @ unit(vector[None])[0]
    best = np.argsort(-cosines, kind="stable")[:count]
    return tuple(
        Example(
            known.paths[row],
            float(known.times[row, 0]),
            float(known.times[row, 1]),
            heard={1: True, 0: False}.get(int(known.targets[row, place])),
            cosine=float(cosines[row]),
        )
        for row in best
    )
