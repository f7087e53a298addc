"""Arcs: how a column, such as the tempo or the energy, is to change from the beginning of a playlist to its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.music.columns import TEMPO
from sonovec.music.tempi import FASTEST, SLOWEST

Floats = NDArray[np.float64]

#: Arcs by name: points from the low end (0) to the high end (1) of what the tracks have.
SHAPES: Mapping[str, tuple[float, ...]] = {
    "up": (0.0, 1.0),
    "down": (1.0, 0.0),
    "up-down": (0.0, 1.0, 0.0),
    "down-up": (1.0, 0.0, 1.0),
}
#: Shares of the tracks that are below the low end and below the high end: a few odd values say nothing of the others.
LOW, HIGH = 0.1, 0.9
#: A track that is so far from the arc, as a share of the range, costs as much as a step between unrelated tracks.
NEAR = 0.1
#: Against its way an arc may go so far, as a share of its range, where it cannot be followed exactly.
SLACK = 0.05


@dataclass(frozen=True)
class Arc:
    """An arc of a column that holds numbers.

    Attributes
    ----------
    column : str
        Such as ``"tempo"`` or ``"energy"``.
    points : tuple of float
        Values at even distances from the beginning to the end.
    relative : bool
        Points are shares of the range that the tracks have, and no values.

    Examples
    --------
    >>> Arc.parse("energy=up-down")
    Arc(column='energy', points=(0.0, 1.0, 0.0), relative=True)
    >>> Arc.parse("tempo=90,128,100")
    Arc(column='tempo', points=(90.0, 128.0, 100.0), relative=False)
    """

    column: str
    points: tuple[float, ...]
    relative: bool = False

    @classmethod
    def parse(cls, text: str) -> Arc:
        """Read an arc as a column and a shape, or two or more values: ``tempo=up``, ``energy=0.2,0.9,0.4``.

        Raises
        ------
        UsageError
            If it cannot be read.
        """
        column, equals, shape = (part.strip() for part in text.partition("="))
        if column and equals and shape in SHAPES:
            return cls(column, SHAPES[shape], True)
        try:
            points = tuple(float(point) for point in shape.split(","))
        except ValueError:
            points = ()
        if not column or len(points) < 2 or not all(map(math.isfinite, points)):
            raise UsageError(
                f"{text!r} is not an arc; give a column and one of {', '.join(SHAPES)}, such as tempo=up, or two or more "
                "values, such as energy=0.2,0.9,0.4"
            )
        if column == TEMPO and not all(SLOWEST <= point <= FASTEST for point in points):
            raise UsageError(f"{text!r}: tempos are from {SLOWEST:.0f} to {FASTEST:.0f} beats a minute")
        return cls(column, points)

    def scaled(self, values: Sequence[float] | Floats) -> Floats:
        """Values on the scale on which they are compared: tempos in octaves, others as they are."""
        return np.log2(values) if self.column == TEMPO else np.asarray(values, np.float64)

    def targets(self, n: int, values: Floats) -> Floats:
        """What each of n places wants, on the scale of `scaled`, shape (n,), where tracks have these scaled values."""
        low, high = np.quantile(values, (LOW, HIGH))
        points = np.array(self.points)
        ends = low + points * (high - low) if self.relative else self.scaled(points)
        return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(ends)), ends)

    def costs(self, n: int, values: Floats) -> Floats:
        """What each track costs at each place, (n, n_tracks); infinite where too few are left to go on as the arc does."""
        targets = self.targets(n, values)
        away = (values - targets[:, None]) / (NEAR * self.extent(n, values))
        return np.where(_goes_on(ways_of(targets), values), np.square(away), np.inf)

    def extent(self, n: int, values: Floats) -> float:
        """The range of what is wanted and of what there is, never 0."""
        wanted = self.targets(n, values)
        low, high = np.quantile(values, (LOW, HIGH))
        return max(float(np.ptp(wanted)), float(high - low), 1e-6)


def ways_of(targets: Floats) -> NDArray[np.intp]:
    """Whether each step goes up (1), down (-1) or stays (0), shape (n - 1,).

    Examples
    --------
    >>> ways_of(np.array([1.0, 2.0, 2.0, 0.0])).tolist()
    [1, 0, -1]
    """
    return np.sign(np.diff(targets)).astype(np.intp)


def _goes_on(ways: NDArray[np.intp], values: Floats) -> NDArray[np.bool_]:
    """Whether behind a track at a place there are enough tracks that go on the same way, (n, n_tracks)."""
    above = np.array([np.sum(values >= value) for value in values]) - 1
    below = np.array([np.sum(values <= value) for value in values]) - 1
    enough = np.ones((len(ways) + 1, len(values)), np.bool_)
    left = 0
    for place in range(len(ways) - 1, -1, -1):
        left = left + 1 if place + 1 < len(ways) and ways[place] == ways[place + 1] else 1
        if ways[place]:
            enough[place] = (above if ways[place] > 0 else below) >= left
    return enough
