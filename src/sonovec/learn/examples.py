"""Examples: the vectors of labelled stretches, with what is heard in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.embedding.passport import Passport

#: What a target says of a class: it is heard, it is not, or nobody knows.
HEARD, NOT_HEARD, UNKNOWN = 1, 0, -1


@dataclass(frozen=True, eq=False, repr=False)
class Examples(Brief):
    """Vectors to learn from.

    Attributes
    ----------
    vectors : array, shape (n, dim), float32
    targets : array, shape (n, n_classes), int8
        1 where the class is heard, 0 where it is not, -1 where nobody knows.
    classes : tuple of str
    groups : tuple of str, length n
        What must never be split over training and test.
    stretches : array, shape (n,), int64
        The labelled stretch that a row comes from: what figures count.
    paths : tuple of str, length n
    times : array, shape (n, 2), float64
        Seconds of the recording.
    weights : array, shape (n,), float32
    passport : Passport
    notes : tuple of str
        What was left out, and why.
    """

    vectors: NDArray[np.float32]
    targets: NDArray[np.int8]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    stretches: NDArray[np.int64]
    paths: tuple[str, ...]
    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    passport: Passport
    notes: tuple[str, ...] = ()
