"""Sequences in which each place wants something: an arc, a way between two tracks, keys that mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sonovec.library.playlist import arcs
from sonovec.library.playlist.sequence import Course
from sonovec.library.playlist.songs import Song, artists_of, vectors_of
from sonovec.library.playlist.steps import Steps
from sonovec.library.playlist.wishes import Wish
from sonovec.vectors import similarity

Floats = NDArray[np.float64]

#: What a place of a list costs where its track is as far from all seeds as any.
LIKENESS = 1.0
#: Taken off for a seed, which is to be played where the arc has a place for it.
WANTED = 5.0
#: What a place of a way between two tracks costs where it is a whole step ahead or behind.
EVENNESS = 0.25
#: Added where an arc would forbid a track, on a way whose ends are fixed whatever they have.
AGAINST = 1e3


@dataclass(frozen=True, eq=False)
class Courses:
    """The best sequences of any number of some songs.

    Attributes
    ----------
    songs : sequence of Song
        The first `n_own` are those of the seeds; the last is the end of a way, if `is_way`.
    steps : Steps
    scores : sequence of float
        How like each song is to the nearest seed; empty without seeds.
    unrelated : float
        The cosine distance of any two tracks of the library.
    """

    songs: Sequence[Song]
    steps: Steps
    scores: Sequence[float]
    unrelated: float
    wish: Wish
    n_own: int
    is_way: bool
    _step: Floats = field(init=False)
    _values: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_step", self._allowed())
        object.__setattr__(self, "_values", self._on_the_arc())

    def of(self, n: int) -> list[Song]:
        """The best sequence of n songs; a shorter one where there is none, and none where a way does not arrive."""
        n = max(n, 2 if self.is_way else 1)
        best: list[int] = []
        for slack in self._slacks(n):
            path = self._course(n, slack).follow()
            best = path if len(path) > len(best) else best
            if len(best) == n:
                break
        return [] if self.is_way and len(best) < n else [self.songs[each] for each in best]

    def _allowed(self) -> Floats:
        """What steps cost, infinite where keys do not mix and are to."""
        cost = self.steps.cost(self.wish.weights)
        if self.is_way:
            cost = np.square(cost)  # two even steps cost less than a short and a long one
        if not self.wish.harmonic:
            return cost
        # An unknown key at an end that was asked for is no reason to have no list.
        known = np.array([song.key is not None for song in self.songs])
        return np.where(self.steps.compatible | ~(known[:, None] & known), cost, np.inf)

    def _on_the_arc(self) -> Floats:
        """The songs on the scale of the arc; an end whose value is not known is in the middle."""
        arc = self.wish.arc
        if arc is None:
            return np.zeros(len(self.songs))
        found = [song.number(arc.column) for song in self.songs]
        middle = float(np.median([value for value in found if value is not None] or [1.0]))
        return arc.scaled([middle if value is None else value for value in found])

    def _slacks(self, n: int) -> tuple[float, ...]:
        arc = self.wish.arc
        return (0.0,) if arc is None or self.is_way else (0.0, arcs.SLACK * arc.extent(n, self._values))

    def _course(self, n: int, slack: float) -> Course:
        arc, size = self.wish.arc, len(self.songs)
        first = 0 if self.n_own and (arc is None or self.is_way) else None
        own = np.repeat(self._unlikeness()[None], n, axis=0)
        values, ways = np.zeros(size), np.zeros(n - 1, np.intp)
        if self.is_way:
            values, ways = self._progress(), np.ones(n - 1, np.intp)
            own = np.square((values - np.linspace(0, 1, n)[:, None]) * (n - 1)) * EVENNESS
        if arc is not None:
            wanted = arc.costs(n, self._values)
            if self.is_way:
                wanted[[0, -1]] = 0.0
                wanted = np.where(np.isfinite(wanted), wanted, AGAINST)
            else:
                values, ways = self._values, arcs.ways_of(arc.targets(n, self._values))
            own = own + wanted
        last = size - 1 if self.is_way else None
        artists = artists_of(self.songs)
        return Course(own, self._step, artists, values, ways, slack, first, last, self.wish.artist_limit)

    def _unlikeness(self) -> Floats:
        """What each song costs for being unlike all seeds; less than nothing for the seeds themselves."""
        if not len(self.scores):
            return np.zeros(len(self.songs))
        cost = LIKENESS * (1 - np.array(self.scores, np.float64)) / self.unrelated
        cost[: self.n_own] -= WANTED
        return cost

    def _progress(self) -> Floats:
        """How far each song is on the way from the first to the last, 0 to 1: its angle to the one, of those to both."""
        vectors = vectors_of(self.songs)
        angles = np.arccos(np.clip(similarity(vectors, vectors[[0, -1]]), -1, 1))
        found = angles[:, 0] / np.maximum(angles.sum(axis=1), 1e-9)
        found[0], found[-1] = 0.0, 1.0
        return np.asarray(found)
