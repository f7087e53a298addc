"""One map laid onto another: turned, mirrored, scaled and moved, so that the same tracks lie near the same places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sonovec.brief import Brief
from sonovec.explore.neighbours import Floats, Floats32

#: A track that moved farther than this part of the map's width has moved.
FAR = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class Alignment(Brief):
    """What turns places into others: ``scale * places @ turn + offset``."""

    turn: Floats
    scale: float
    offset: Floats

    def apply(self, places: Floats32) -> Floats32:
        """The places there; each for itself."""
        turned = np.einsum("nd,de->ne", places.astype(np.float64), self.turn)
        return np.asarray(self.scale * turned + self.offset, np.float32)


def none(dims: int) -> Alignment:
    """The one that leaves places where they are."""
    return Alignment(np.eye(dims), 1.0, np.zeros(dims))


def procrustes(places: Floats32, onto: Floats32) -> Alignment:
    """The turn, mirroring, scale and move that bring places nearest to others, row by row (Schönemann, 1966).

    Parameters
    ----------
    places, onto : float32 (n, dims)

    Examples
    --------
    >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    >>> turned = 3 * square @ np.array([[0, 1], [-1, 0]], np.float32) + 7
    >>> bool(np.abs(procrustes(turned, square).apply(turned) - square).max() < 1e-5)
    True
    """
    dims = places.shape[1]
    if not len(places):
        return none(dims)
    source, target = places.astype(np.float64), onto.astype(np.float64)
    middle, aim = source.mean(axis=0), target.mean(axis=0)
    left, sizes, right = np.linalg.svd((source - middle).T @ (target - aim))
    spread = float(((source - middle) ** 2).sum())
    scale = float(sizes.sum()) / spread if spread and sizes.sum() else 1.0
    turn = left @ right
    return Alignment(turn, scale, aim - scale * middle @ turn)


@dataclass(frozen=True)
class Moved:
    """How far the tracks moved that two maps have both, in parts of the map's width.

    `tracks` says how many they are, `median` how far the one in the middle moved, `far` how many moved more than a tenth.
    """

    tracks: int
    median: float
    far: int

    def __str__(self) -> str:
        if not self.tracks:
            return "it has no track of the former map"
        return (
            f"laid onto the former map by {self.tracks} tracks that both have: half of them moved less than "
            f"{self.median:.1%} of its width, and {self.far} more than {FAR:.0%}"
        )


def moved(places: Floats32, onto: Floats32) -> Moved:
    """How far each row is from the same row of another map.

    Examples
    --------
    >>> moved(np.zeros((2, 2), np.float32), np.array([[0, 0], [1, 0]], np.float32)).far
    1
    """
    if not len(places):
        return Moved(0, 0.0, 0)
    width = float(np.ptp(onto, axis=0).max()) or 1.0
    found = np.linalg.norm(places.astype(np.float64) - onto, axis=1) / width
    return Moved(len(places), float(np.median(found)), int((found > FAR).sum()))
