"""The tracks of a library with their vectors, as clusters and outliers need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.errors import UsageError
from sonovec.library.records import MAIN, Track
from sonovec.vectors import unit

if TYPE_CHECKING:
    from sonovec.library.library import Library


@dataclass(frozen=True, eq=False)
class Gathered:
    """Tracks, by path, with their vectors at length 1; and those that have none, or one without a direction (silence).

    `rows` are (n, dim), float64.
    """

    tracks: Sequence[Track]
    rows: NDArray[np.float64]
    without: Sequence[Track]


def gather(
    library: Library,
    filter: str | None = None,
    space: str = MAIN,
    coordinates: tuple[Sequence[str], ArrayLike] | None = None,
) -> Gathered:
    """The tracks that match, with the vectors of a space, or with coordinates of a map in their place.

    Parameters
    ----------
    library : Library
    filter : str, optional
    space : str
    coordinates : (ids, array of shape (n, dims)), optional
        Taken as they are: places on a map have no length that tells nothing.

    Raises
    ------
    UsageError
        There is no such space, the filter cannot be read, or there are not as many ids as coordinates.
    """
    tracks = sorted(library.tracks(filter), key=lambda track: track.path)
    if coordinates is None:
        ids, vectors = library.vectors(space).numpy()
        rows = unit(np.where(np.isfinite(vectors), vectors, np.nan)) if len(vectors) else np.empty((0, 1))  # NaN: zeros
        told = np.asarray(np.isfinite(rows).all(axis=1) & rows.any(axis=1))
    else:
        ids, rows = list(coordinates[0]), np.asarray(coordinates[1], np.float64)
        if rows.ndim != 2 or len(rows) != len(ids):
            raise UsageError(
                f"coordinates of {len(ids)} tracks have shape {rows.shape}; give an array ({len(ids)}, dims), a row each"
            )
        told = np.asarray(np.isfinite(rows).all(axis=1))
    places = {id: place for place, id in enumerate(ids) if told[place]}
    there = [track for track in tracks if track.id in places]
    chosen = rows[[places[track.id] for track in there]] if there else np.empty((0, rows.shape[1]))
    return Gathered(there, chosen, [track for track in tracks if track.id not in places])
