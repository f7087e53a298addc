"""The map: a fitted projection of a space, with a place for each track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.explore.alignment import Alignment, Moved
from sonovec.explore.neighbours import Floats32
from sonovec.explore.projection import Projection

#: A library that has grown by this factor since its map was fitted should have it fitted anew.
GROWN = 2
#: A trustworthiness that neighbours by chance have, and one from which on a track is drawn in full.
CHANCE, FULL = 0.5, 0.9


@dataclass(frozen=True, eq=False, repr=False)
class Map(Brief):
    """A fitted projection of a space, with a place for each track; made by `sonovec.explore.map`.

    Attributes
    ----------
    name, space : str
        What the map is called, and the space that it shows.
    passport : mapping
        That of the space's vectors.
    projection : Projection
        Its `method`, `dims`, `settings` and what had to be done otherwise than it was asked for.
    ids : list of str
        The tracks, sorted.
    places : float32 (n, dims)
        NaN for tracks that have no place: their vectors have no direction (silence), or hold what is no number.
    trustworthiness, continuity : float32 (n,)
        Of each track, from 0 to 1 (Venna and Kaski, 2001): whether its neighbours on the map are its neighbours in the
        space, and the other way round. Neighbours by chance have about 0.5. NaN where there are too few tracks.
    fitted : int
        How many tracks there were when it was fitted.
    made : float
        When, in seconds since 1970.
    placed : int
        How many tracks this call has placed into the map that was there.
    moved : Moved or None
        After a refit: how far the tracks moved.
    notes : tuple of str
        What else there is to know.
    """

    name: str
    space: str
    passport: Mapping[str, object]
    projection: Projection
    alignment: Alignment
    ids: Sequence[str]
    places: Floats32
    trustworthiness: Floats32
    continuity: Floats32
    reference: NDArray[np.intp]
    fitted: int
    made: float
    placed: int = 0
    moved: Moved | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def method(self) -> str:
        """How it was fitted: "pca", "tsne" or "umap"."""
        return self.projection.method

    @property
    def dims(self) -> int:
        """2 or 3."""
        return self.projection.dims

    @property
    def has_place(self) -> NDArray[np.bool_]:
        """Which tracks have a place, bool (n,)."""
        return placed(self.places)

    @property
    def trust(self) -> tuple[float | None, float | None]:
        """Trustworthiness and continuity of the whole map: the means of its tracks; None where there are too few."""
        return _mean(self.trustworthiness), _mean(self.continuity)

    @property
    def strength(self) -> Floats32:
        """How strongly each track is drawn, (n,), from 0.15 to 1: those whose neighbourhood lies are faint."""
        shown = np.clip((self.trustworthiness - CHANCE) / (FULL - CHANCE), 0.15, 1)
        return np.asarray(np.where(np.isnan(shown), 1, shown), np.float32)

    @property
    def advice(self) -> str | None:
        """What to do where the library has outgrown the map, or None."""
        if len(self.ids) <= GROWN * self.fitted:
            return None
        return (
            f"the map {self.name!r} was fitted when there were {self.fitted} tracks, and there are {len(self.ids)}: what is "
            "new may have no good place on it; fit it anew with --refit (refit=True)"
        )


def placed(places: Floats32) -> NDArray[np.bool_]:
    """Which rows are places: numbers all."""
    return np.asarray(np.isfinite(places).all(axis=1))


def _mean(values: Floats32) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else None
