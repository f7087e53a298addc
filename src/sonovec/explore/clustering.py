"""Clusters of a library: found, named, and stored as a column."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.errors import UsageError
from sonovec.explore import cluster_fit
from sonovec.explore.cluster_fit import METHODS, OUTLIER, Fit, Method, Trial
from sonovec.explore.cluster_names import Term, names_of, over_represented, terms_of
from sonovec.explore.tracks import Gathered, gather
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.library.columns import Column, Owner
from sonovec.library.records import MAIN, Track, Value

if TYPE_CHECKING:
    from sonovec.library.library import Library

#: The column of clusters where no name is given, what it has for tracks of none, and the ending of that of shares.
COLUMN, NONE, SHARE = "cluster", "outlier", "_share"
#: Who owns columns of clusters; the version names how they are filled.
OWNER = "clusters"
#: What there is to do where too few tracks have vectors.
FEW = "index more sounds, or take a wider filter"


@dataclass(frozen=True, eq=False)
class Cluster:
    """Tracks that are alike.

    Attributes
    ----------
    name : str
    terms : list of Term
        What its tracks have more often than others, the most telling first.
    representative : Track
        The medoid: the track that is nearest to the mean of all.
    tracks : list of Track
        The nearest to the mean first.
    outliers : list of Track
        Those of them that lie far out.
    """

    name: str
    terms: list[Term]
    representative: Track
    tracks: list[Track]
    outliers: list[Track]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of a library.

    Attributes
    ----------
    column : str or None
        Where they are stored.
    method : {"kmeans", "hdbscan"}
    clusters : list of Cluster
        The largest first.
    outliers : list of Track
        Of no cluster, as HDBSCAN finds them.
    without : list of Track
        Tracks without a direction: silence, or no vector in this space. They are in no cluster.
    trials : list of Trial
        The numbers of clusters that were tried; none where a number was given.
    ids : list of str
    membership : array, shape (n, k)
        How much each of `ids` belongs to each cluster; see `sonovec.explore.cluster_fit.Fit`.
    run : str
        A fingerprint of what was clustered and how.
    """

    column: str | None
    method: Method
    clusters: list[Cluster]
    outliers: list[Track]
    without: list[Track]
    trials: list[Trial]
    ids: list[str] = field(repr=False)
    membership: NDArray[np.float64] = field(repr=False)
    run: str = ""

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        rows = dict(zip(self.ids, self.membership.round(4).tolist(), strict=True))
        return {
            "column": self.column,
            "method": self.method,
            "run": self.run,
            "trials": [
                {"count": each.count, "silhouette": each.silhouette, "stability": each.stability, "score": each.score}
                for each in self.trials
            ],
            "clusters": [
                {
                    "name": each.name,
                    "size": len(each.tracks),
                    "representative": _told(each.representative),
                    "terms": [term.__dict__ for term in each.terms[:10]],
                    "tracks": [{**_told(track), "membership": rows[track.id]} for track in each.tracks],
                    "outliers": [_told(track) for track in each.outliers],
                }
                for each in self.clusters
            ],
            "outliers": [_told(track) for track in self.outliers],
            "without_direction": [_told(track) for track in self.without],
        }


def _told(track: Track) -> dict[str, Any]:
    return {"id": track.id, "path": track.path}


def clusters(
    library: Library,
    count: int | None = None,
    *,
    method: Method = "kmeans",
    least: int | None = None,
    filter: str | None = None,
    space: str = MAIN,
    coordinates: tuple[Sequence[str], ArrayLike] | None = None,
    column: str | None = COLUMN,
    seed: int = 0,
    progress: Watched = None,
) -> Clusters:
    """Find groups of tracks that are alike, name them, and store them as a column.

    Parameters
    ----------
    library : Library
    count : int, optional
        How many, for k-means. Without it, 2 to 24 are tried, and the one is taken for which silhouette times stability
        over half samples is highest; `Clusters.trials` has them all.
    method : {"kmeans", "hdbscan"}
        HDBSCAN finds their number itself, and leaves tracks in no cluster that lie in no dense region.
    least : int, optional
        Tracks that a cluster of HDBSCAN has at least; by default a fiftieth of all, and five or more.
    filter : str, optional
        Only tracks that match, such as ``"genre = 'Jazz'"``.
    space : str
    coordinates : (ids, array of shape (n, dims)), optional
        Places on a map, to be clustered in place of vectors.
    column : str, optional
        Where the names of the clusters are stored, in place of what is there; a second one, whose name ends in ``_share``,
        has how much each track belongs to its cluster. None stores nothing.
    seed : int
    progress : True, callable or Job, optional
        See `sonovec.Job`.

    Returns
    -------
    Clusters

    Raises
    ------
    UsageError
        There are fewer tracks than clusters, no track has a direction, or the column is somebody else's.
    MissingExtraError
        If scikit-learn is not installed.
    """
    if method not in METHODS:
        raise UsageError(f"method={method!r} is unknown; give one of: {', '.join(METHODS)}")
    if count is not None and (method != "kmeans" or count < 1):
        raise UsageError(f"count={count}: give 1 or more, for method='kmeans'; HDBSCAN finds the number itself")
    if least is not None and method != "hdbscan":
        raise UsageError(f"least={least} is for method='hdbscan'; leave it out")
    with running(progress) as job:
        job.report(Progress("reading the tracks"))
        found = gather(library, filter, space, coordinates)
        if not found.tracks:
            raise UsageError(f"{library.location}: no track has a vector with a direction to cluster; {FEW}")
        tried = _trials(found, seed, job) if method == "kmeans" and count is None else []
        chosen = count or cluster_fit.best(tried)
        job.report(Progress("clustering"))
        made = cluster_fit.fit(found.rows, method, chosen, least, seed)
        result = _named(found, made, method, tried, column, frozenset(filter_columns(library)))
        if column is not None:
            job.report(Progress("storing"))
            store(library, column, _values(column, result), f"{method}-{result.run}", job, clear=True)
    return result


def _trials(found: Gathered, seed: int, job: Job) -> list[Trial]:
    def tell(done: int, of: int) -> None:
        job.report(Progress("trying numbers of clusters", done, of, "numbers"))

    return cluster_fit.trials(found.rows, seed, tell=tell)


def filter_columns(library: Library) -> list[str]:
    """The columns of clusters that a library has, which name no other cluster."""
    return [name for name, column in library.columns().items() if column.owner.name == OWNER]


def _named(
    found: Gathered, made: Fit, method: Method, tried: list[Trial], column: str | None, leave_out: frozenset[str]
) -> Clusters:
    terms = [terms_of(track.fields, leave_out) for track in found.tracks]
    numbers = range(len(made.centres))
    telling = [
        over_represented(
            [each for each, label in zip(terms, made.labels, strict=True) if label == number],
            [each for each, label in zip(terms, made.labels, strict=True) if label != number],
        )
        for number in numbers
    ]
    groups = []
    for number, name in zip(numbers, names_of(telling), strict=True):
        members = np.flatnonzero(made.labels == number)
        apart = np.square(found.rows[members] - made.centres[number]).sum(axis=1)
        nearest = members[np.argsort(apart, kind="stable")].tolist()
        groups.append(
            Cluster(
                name,
                telling[number],
                found.tracks[int(made.medoids[number])],
                [found.tracks[n] for n in nearest],
                [found.tracks[n] for n in nearest if made.far[n]],
            )
        )
    digest = hashlib.sha256(found.rows.round(6).tobytes() + made.labels.tobytes())
    return Clusters(
        column,
        method,
        groups,
        [found.tracks[n] for n in np.flatnonzero(made.labels == OUTLIER).tolist()],
        list(found.without),
        tried,
        [track.id for track in found.tracks],
        made.membership,
        digest.hexdigest()[:12],
    )


def _values(column: str, result: Clusters) -> dict[str, dict[str, Value]]:
    """What is stored of each track."""
    rows = dict(zip(result.ids, result.membership, strict=True))
    values: dict[str, dict[str, Value]] = {
        track.id: {column: each.name, column + SHARE: round(float(rows[track.id][number]), 4)}
        for number, each in enumerate(result.clusters)
        for track in each.tracks
    }
    return values | {track.id: {column: NONE, column + SHARE: None} for track in result.outliers}


def store(
    library: Library, column: str, values: dict[str, dict[str, Value]], run: str, job: Job, *, clear: bool = False
) -> None:
    """Write clusters of tracks, with what made them."""
    owner = Owner(OWNER, "1")
    columns = [Column(column, str, owner, "scalar"), Column(column + SHARE, float, owner, "scalar")]
    library.fill(columns, values, run, clear=clear, progress=lambda progress: job.check())


def place_new(
    library: Library,
    *,
    filter: str | None = None,
    space: str = MAIN,
    column: str = COLUMN,
    progress: Watched = None,
) -> dict[str, str]:
    """Place tracks that are new since into clusters that are stored, which stay as they are.

    Each gets the cluster whose members' mean is nearest to it.

    Parameters
    ----------
    library : Library
    filter : str, optional
        Of the tracks that were clustered, where there was one: others are not placed.
    space : str
        The space that was clustered.
    column : str
    progress : True, callable or Job, optional

    Returns
    -------
    dict
        The cluster of each track that was placed, by its id.

    Raises
    ------
    UsageError
        The library has no such column of clusters.
    """
    with running(progress) as job:
        job.report(Progress("reading the tracks"))
        if column not in filter_columns(library):
            raise UsageError(
                f"{library.location}: no clusters are stored in a column {column!r}; make them: sonovec cluster "
                f"-l {library.location}"
            )
        found = gather(library, filter, space)
        told = np.array([str(track.fields.get(column) or "") for track in found.tracks])
        names = sorted(set(told) - {"", NONE})
        new = np.flatnonzero(told == "")
        if not names or not len(new):
            return {}
        centres = np.stack([found.rows[told == name].mean(axis=0) for name in names])
        labels, membership = cluster_fit.placed(found.rows[new], centres)
        values: dict[str, dict[str, Value]] = {
            found.tracks[n].id: {column: names[label], column + SHARE: round(float(shares[label]), 4)}
            for n, label, shares in zip(new.tolist(), labels.tolist(), membership, strict=True)
        }
        store(library, column, values, "placed", job)
    return {id: str(each[column]) for id, each in values.items()}
