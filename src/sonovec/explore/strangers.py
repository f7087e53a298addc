"""Tracks that do not belong: unlike all others, or, of those that are new, unlike what was there before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sonovec.errors import UsageError
from sonovec.explore.density import factors, novelties
from sonovec.explore.tracks import gather
from sonovec.jobs import Progress, Watched, running
from sonovec.library.records import MAIN, Track

if TYPE_CHECKING:
    from sonovec.library.library import Library

#: Neighbours of each, as its authors and most programs take.
NEIGHBOURS = 20
#: What is so many deviations, of those of the median of the logarithm, above the median stands out.
STANDS_OUT = 3.5
#: Fewer tracks have nothing to be unlike.
FEWEST = 3


@dataclass(frozen=True, eq=False)
class Stranger:
    """A track and how little it belongs.

    Attributes
    ----------
    track : Track
    factor : float
        Its local outlier factor: about 1 for one that lies as densely as its neighbours do.
    stands_out : bool
        Whether the factor is far above those of the others.
    nearest : Track or None
        What is most like it.
    cosine : float
        How like that is.
    arrived : float or None
        When it came into the library, in seconds since 1970, as this machine's ledger knows it.
    """

    track: Track
    factor: float
    stands_out: bool
    nearest: Track | None
    cosine: float
    arrived: float | None

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "id": self.track.id,
            "path": self.track.path,
            "factor": self.factor,
            "stands_out": self.stands_out,
            "nearest": None if self.nearest is None else self.nearest.path,
            "cosine": self.cosine,
            "arrived": self.arrived,
        }


@dataclass(frozen=True, eq=False)
class Outliers:
    """The strangers of a library, the strangest first.

    Attributes
    ----------
    strangers : list of Stranger
        All tracks that were looked at, or with `since` the new ones.
    compared : int
        Tracks that they were compared with.
    neighbours : int
    since : float or None
    without : list of Track
        Tracks without a direction: silence, or no vector in the space.
    reason : str or None
        Why there are none.
    """

    strangers: list[Stranger]
    compared: int
    neighbours: int
    since: float | None
    without: list[Track]
    reason: str | None = None


def outliers(
    library: Library,
    *,
    filter: str | None = None,
    since: float | None = None,
    neighbours: int = NEIGHBOURS,
    space: str = MAIN,
    progress: Watched = None,
) -> Outliers:
    """Find what does not belong, or, with `since`, which new tracks are unlike all that were there before.

    Parameters
    ----------
    library : Library
    filter : str, optional
        Only tracks that match, and compared with these alone.
    since : float, optional
        Seconds since 1970. Tracks that came later, by this machine's ledger, are compared with those that came before;
        those that other machines added count as older.
    neighbours : int
        That each is compared with; fewer where there are not so many.
    space : str
    progress : True, callable or Job, optional
        See `sonovec.Job`.

    Returns
    -------
    Outliers

    Raises
    ------
    UsageError
        `neighbours` is below 1, or there is no such space or field.

    Notes
    -----
    The local outlier factor compares the density around a track with that around its neighbours (Breunig, Kriegel, Ng and
    Sander, SIGMOD 2000), by distances that follow the cosine similarity. A track stands out if the logarithm of its factor
    is 3.5 median absolute deviations above the median.
    """
    if neighbours < 1:
        raise UsageError(f"neighbours={neighbours}: give 1 or more, such as {NEIGHBOURS}")
    with running(progress) as job:
        job.report(Progress("reading the tracks"))
        found = gather(library, filter, space)
        arrivals = library.arrivals()
        job.report(Progress("comparing"))

        def tell(done: int, rows: int) -> None:
            job.report(Progress("comparing", done, rows, "tracks"))

        times = np.array([arrivals.get(track.id, -np.inf) for track in found.tracks])
        new = np.flatnonzero(times >= (-np.inf if since is None else since))
        old = np.arange(len(times)) if since is None else np.flatnonzero(times < since)
        if (why := _why_none(len(new), len(old), since)) is not None:
            return Outliers([], len(old), 0, since, list(found.without), why)
        used = min(neighbours, len(old) - 1)
        if since is None:
            scores, near = factors(found.rows, used, tell)
        else:
            scores, near = novelties(found.rows[old], found.rows[new], used)
        limit = _limit(factors(found.rows[old], used)[0] if since is not None else scores)
    strangers = [
        Stranger(
            found.tracks[n],
            round(float(score), 4),
            bool(score > limit),
            found.tracks[int(old[other])],
            round(float(found.rows[n] @ found.rows[int(old[other])]), 4),
            arrivals.get(found.tracks[n].id),
        )
        for n, score, other in zip(new.tolist(), scores, near.tolist(), strict=True)
    ]
    ranked = sorted(strangers, key=lambda each: (-each.factor, each.track.path))
    return Outliers(ranked, len(old), used, since, list(found.without))


def _why_none(new: int, old: int, since: float | None) -> str | None:
    if since is not None and not new:
        return "no track came since then"
    if old < FEWEST:
        older = "older " if since is not None else ""
        return f"{old} {older}tracks have a vector with a direction, and it takes {FEWEST} to say what is unlike them"
    return None


def _limit(usual: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """The factor above which a track stands out, by those of the tracks that it is compared with."""
    logarithms = np.log(np.maximum(usual, 1e-12))
    middle = float(np.median(logarithms))
    spread = 1.4826 * float(np.median(np.abs(logarithms - middle)))
    return float(np.exp(middle + STANDS_OUT * max(spread, 0.01)))
