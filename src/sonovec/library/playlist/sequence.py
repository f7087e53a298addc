"""The best sequence of distinct tracks where each place wants something: a beam search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Beginnings that are kept at each place, and how many of them may end with the same track.
BEAM, OF_A_TRACK = 240, 4


@dataclass(frozen=True, eq=False)
class Course:
    """What a sequence of n out of N tracks follows; what is infinite is not allowed.

    Attributes
    ----------
    own : array, shape (n, N)
        What each track costs at each place.
    step : array, shape (N, N)
        What it costs to go from one to another.
    first, last : int or None
        Tracks at the ends.
    artists : array, shape (N,)
        A number for each artist, -1 for unknown ones.
    artist_limit : int or None
        Of each artist at most so many.
    values : array, shape (N,), and ways : array, shape (n - 1,)
        Where a way is 1 the value may not fall by more than `slack` from one place to the next, where it is -1 not rise.
    """

    own: Floats
    step: Floats
    artists: NDArray[np.intp]
    values: Floats
    ways: NDArray[np.intp]
    slack: float = 0.0
    first: int | None = None
    last: int | None = None
    artist_limit: int | None = None

    def follow(self) -> list[int]:
        """The cheapest sequence that is found; a shorter one where none is long enough, which then lacks `last`."""
        n, size = self.own.shape
        paths = np.empty((1, 0), np.intp)
        costs, used = np.zeros(1), np.zeros((1, size), np.bool_)
        counts = np.zeros((1, int(self.artists.max(initial=-1)) + 1), np.intp)
        if self.last is not None and self.artists[self.last] >= 0:
            counts[0, self.artists[self.last]] = 1
        for place in range(n):
            found = costs[:, None] + self.own[place] + self._going(paths, place)
            found[used | self._full(counts, place, n)] = np.inf
            if place == 0 and self.first is not None:
                found[:, np.arange(size) != self.first] = np.inf
            if self.last is not None:
                found[:, np.arange(size) != self.last if place == n - 1 else self.last] = np.inf
            rows, tracks = _best(found)
            if not len(rows):
                break
            paths = np.concatenate([paths[rows], tracks[:, None]], axis=1)
            costs, used, counts = found[rows, tracks], used[rows].copy(), counts[rows].copy()
            used[np.arange(len(rows)), tracks] = True
            known = np.flatnonzero(self.artists[tracks] >= 0)
            counts[known, self.artists[tracks[known]]] += 1
        return paths[0].tolist() if len(paths) and paths.shape[1] else []

    def _going(self, paths: NDArray[np.intp], place: int) -> Floats:
        """What it costs to go on from each beginning to each track."""
        if not place:
            return np.zeros((1, len(self.values)))
        ends = paths[:, -1]
        cost = self.step[ends].copy()
        way = self.ways[place - 1]
        if way:
            cost[way * (self.values - self.values[ends][:, None]) < -self.slack] = np.inf
        return cost

    def _full(self, counts: NDArray[np.intp], place: int, n: int) -> NDArray[np.bool_]:
        """Tracks of which there are enough of their artist."""
        is_end = self.last is not None and place == n - 1
        if self.artist_limit is None or is_end or (place == 0 and self.first is not None):
            return np.zeros((len(counts), len(self.artists)), np.bool_)
        full = np.zeros((len(counts), len(self.artists)), np.bool_)
        known = self.artists >= 0
        full[:, known] = counts[:, self.artists[known]] >= self.artist_limit
        return full


def _best(costs: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The cheapest beginnings, best first, as rows and tracks; few of each track, so that they stay different."""
    flat = np.argsort(costs, axis=None, kind="stable")
    flat = flat[: int(np.isfinite(costs).sum())]
    rows, tracks = np.divmod(flat, costs.shape[1])
    # How many of the same track come before each: its rank among them.
    by_track = np.argsort(tracks, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(tracks[by_track]) != 0]) if len(tracks) else np.empty(0, np.intp)
    rank = np.empty(len(tracks), np.intp)
    lengths = np.diff(np.r_[starts, len(tracks)])
    rank[by_track] = np.arange(len(tracks)) - np.repeat(starts, lengths)
    kept = np.flatnonzero(rank < OF_A_TRACK)[:BEAM]
    return rows[kept], tracks[kept]
