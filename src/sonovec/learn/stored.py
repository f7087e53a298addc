"""The stored background of an encoder: windows of many sounds, which come with it, to train detectors against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.embedding.passport import Passport
from sonovec.learn import shipped

ENDING = ".background.npz"


@dataclass(frozen=True, eq=False, repr=False)
class Stored(Brief):
    """A background: vectors of length 1, shape (n, dim), float32, and digits that are equal only where they are.

    An encoder without one has no vectors, and an empty id.
    """

    vectors: NDArray[np.float32]
    id: str


def stored(passport: Passport, dim: int) -> Stored:
    """The stored background for vectors of a passport, whatever their hop; ``training/background.py`` makes one.

    Examples
    --------
    >>> import sonovec
    >>> encoder = sonovec.load("default")
    >>> stored(encoder.passport, encoder.dim).vectors.shape
    (256, 512)
    """
    found = shipped.read(passport, ENDING)
    return Stored(np.empty((0, dim), np.float32), "") if found is None else Stored(found.arrays["vectors"], found.id)
