"""Where names of groups can stand in a picture, so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sonovec.explore.neighbours import Floats

#: How far from its group a name may stand, in rings of its own height, and the directions that are tried in each.
RINGS, DIRECTIONS = 14, 16


def spread(anchors: Floats, sizes: Floats, points: Floats, bounds: tuple[float, float, float, float]) -> list[Floats]:
    """The middles of boxes near their anchors that neither overlap nor leave the picture, and cover few points.

    Boxes are placed one after the other, each at the best of the places in rings about its anchor; if there is none that is
    free, at the one that overlaps least.

    Parameters
    ----------
    anchors, sizes : float64 (n, 2)
        In one unit, such as pixels; sizes are width and height.
    points : float64 (m, 2)
        What should not be covered.
    bounds : (left, right, low, high)

    Returns
    -------
    list of n arrays (2,)

    Examples
    --------
    >>> same = np.zeros((2, 2)) + 50
    >>> a, b = spread(same, np.full((2, 2), [20.0, 6.0]), np.zeros((0, 2)), (0, 100, 0, 100))
    >>> bool(abs(a - b)[0] >= 20 or abs(a - b)[1] >= 6)
    True
    """
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    left, right, low, high = bounds
    taken: list[tuple[Floats, Floats]] = []
    for anchor, size in zip(anchors, sizes, strict=True):
        steps = size[1] * np.arange(1, RINGS + 1)
        # Wide boxes have to go farther aside than up.
        reach = around * [1 + 0.5 * size[0] / max(size[1], 1e-9) / 3, 1.0]
        places = np.concatenate([anchor[None], *(anchor + step * reach for step in steps)])
        half = size / 2
        places = np.clip(places, np.array([left, low]) + half, np.array([right, high]) - half)
        far = np.linalg.norm(places - anchor, axis=1) / size[1]
        overlaps = sum((_overlap(places, size, *other) for other in taken), np.zeros(len(places)))
        covered = _covered(places, half, points)
        best = int(np.argmin(1e6 * overlaps / size.prod() + far + covered))
        taken.append((places[best], size))
    return [place for place, _ in taken]


def _overlap(places: Floats, size: Floats, other: Floats, other_size: Floats) -> Floats:
    """The area that boxes share with another."""
    shared = np.maximum((size + other_size) / 2 - np.abs(places - other), 0)
    return np.asarray(shared.prod(axis=1))


def _covered(places: Floats, half: Floats, points: Floats) -> Floats:
    if not len(points):
        return np.zeros(len(places))
    return np.array([np.count_nonzero((np.abs(points - place) < half).all(axis=1)) for place in places], np.float64)


def middle_of(points: Floats) -> Floats:
    """Where the most of a group is: the point that is nearest to all of it by the median of each axis."""
    middle = np.median(points, axis=0)
    return np.asarray(points[np.linalg.norm(points - middle, axis=1).argmin()])


def shortened(names: Sequence[str], most: int = 28) -> list[str]:
    """Names for a picture."""
    return [name if len(name) <= most else f"{name[: most - 1]}…" for name in names]
