"""Which tempo of the grid it is, octaves included: a small network over candidates, whose probabilities are calibrated.

Each tempo of the grid gets a score by the same network, from how strongly the piece repeats itself at that tempo and at
multiples of it; one more score says that there is no tempo. training/tempo.py fits it; docs/music.md tells what it learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.music.periodicity import GRID

WEIGHTS = "tempo.npz"
#: Neighbours on the grid that count as the same tempo: 4 % either way.
SAME = 2


@dataclass(frozen=True)
class Octaves:
    """The networks, whose probabilities are averaged.

    Attributes
    ----------
    mean, scale : ndarray, shape (n_features,)
        By which features are brought to mean 0 and deviation 1.
    first, second, score, none : tuple of ndarray
        Weights (networks, in, out) and offsets (networks, out) of two layers, of the score of a tempo from the second one,
        and of the score of none from its highest and mean values over the grid.
    temperature : float
        By which scores are divided.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    first: tuple[NDArray[np.float32], NDArray[np.float32]]
    second: tuple[NDArray[np.float32], NDArray[np.float32]]
    score: tuple[NDArray[np.float32], NDArray[np.float32]]
    none: tuple[NDArray[np.float32], NDArray[np.float32]]
    temperature: float

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of each tempo of the grid and, behind them, of none, (len(GRID) + 1,), from features (len(GRID), n)."""
        inputs = np.clip((features - self.mean) / self.scale, -5, 5)
        hidden = np.maximum(inputs @ self.first[0] + self.first[1][:, None], 0)
        hidden = np.maximum(hidden @ self.second[0] + self.second[1][:, None], 0)
        scores = (hidden @ self.score[0])[..., 0] + self.score[1]
        pooled = np.concatenate([hidden.max(axis=1), hidden.mean(axis=1)], axis=1)
        none = (pooled[:, None] @ self.none[0])[:, 0] + self.none[1]
        scores = np.concatenate([scores, none], axis=1).astype(np.float64) / self.temperature
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray((shares / shares.sum(axis=1, keepdims=True)).mean(axis=0))


LAYERS = ("first", "second", "score", "none")


def of(kept: Mapping[str, NDArray[Any]]) -> Octaves:
    """The networks of a file's arrays."""
    layers = {
        name: (kept[f"{name}_weights"].astype(np.float32), kept[f"{name}_offsets"].astype(np.float32))
        for name in LAYERS
    }
    return Octaves(kept["mean"], kept["scale"], temperature=float(kept["temperature"]), **layers)


@cache
def load() -> Octaves:
    """The networks that the package has."""
    with files("sonovec.music").joinpath(WEIGHTS).open("rb") as file, np.load(file) as kept:
        return of(kept)


def probability(probabilities: NDArray[np.float64], bpm: float) -> float:
    """Of a tempo within 4 %, from the probabilities of the grid (len(GRID) + 1,).

    Examples
    --------
    >>> import numpy as np
    >>> sure = np.zeros(len(GRID) + 1)
    >>> sure[50] = 1.0
    >>> probability(sure, GRID[50]), probability(sure, GRID[50] * 2)
    (1.0, 0.0)
    """
    near = np.abs(np.log(GRID / bpm)) < (SAME + 0.5) * np.log(GRID[1] / GRID[0])
    return float(probabilities[:-1][near].sum())
