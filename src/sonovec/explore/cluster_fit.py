"""Clusters of vectors: k-means or HDBSCAN, how many there are, and how much each vector belongs to each.

Vectors are compared by their direction, as in searches: rows are brought to length 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.extras import require

Method = Literal["kmeans", "hdbscan"]
METHODS: tuple[Method, ...] = ("kmeans", "hdbscan")
Rows = NDArray[np.float64]
Labels = NDArray[np.int64]
Tell = Callable[[int, int], object]

#: Vectors that clusters are fitted to at most, and that numbers of clusters are tried on; the others are placed.
FITTED, TRIED = 20_000, 2_000
#: Numbers of clusters that are tried, and pairs of half samples for each.
FEWEST, MOST, PAIRS = 2, 24, 5
#: HDBSCAN sees so many principal components: in more, all distances are alike.
COMPONENTS = 20
#: HDBSCAN's label of what belongs to no cluster.
OUTLIER = -1
#: What is so many deviations, of those of the median, farther from its centre than its cluster's median is no good member.
FAR = 3.5


@dataclass(frozen=True)
class Trial:
    """A number of clusters that was tried.

    Attributes
    ----------
    count : int
    silhouette : float
        Rousseeuw 1987, by cosine distance, in [-1, 1]: how much nearer vectors are to their own cluster than to the next.
    stability : float
        Mean adjusted Rand index of clusterings of two half samples, as both place all vectors: 1 if they agree, about 0 by
        chance.
    """

    count: int
    silhouette: float
    stability: float

    @property
    def score(self) -> float:
        """What the number is chosen by: silhouette times stability, where neither is negative."""
        return max(self.silhouette, 0.0) * max(self.stability, 0.0)


@dataclass(frozen=True, eq=False)
class Fit:
    """Clusters, the largest first.

    Attributes
    ----------
    labels : array, shape (n,)
        The cluster of each row; -1 for those that HDBSCAN finds in none.
    centres : array, shape (k, dim)
        Means of the members.
    membership : array, shape (n, k)
        How much each row belongs to each, rows of sum 1: as of fuzzy c-means (Bezdek 1981, m = 2), in which shares are
        inverse to squared distances from the centres.
    far : array of bool, shape (n,)
        Rows of no cluster, and those that lie far out in theirs.
    medoids : array, shape (k,)
        The row of each cluster that is nearest to its centre.
    """

    labels: Labels
    centres: Rows
    membership: Rows
    far: NDArray[np.bool_]
    medoids: Labels


def fit(rows: Rows, method: Method, count: int | None, least: int | None, seed: int) -> Fit:
    """Clusters of rows of length 1, (n, dim); `count` is for k-means, and `least`, members of a cluster, for HDBSCAN.

    Raises
    ------
    UsageError
        There are fewer rows than clusters, or than members of one.

    Examples
    --------
    >>> found = fit(np.repeat(np.eye(3), 4, axis=0), "kmeans", 3, None, 0)
    >>> np.unique(found.labels, return_counts=True)[1].tolist()
    [4, 4, 4]
    """
    require("sklearn", "clustering", "explore")
    if method == "kmeans":
        return _ordered(rows, _kmeans(rows, count or 1, seed))
    return _ordered(rows, _hdbscan(rows, least, seed))


def placed(rows: Rows, centres: Rows) -> tuple[Labels, Rows]:
    """The nearest of some centres to each row, and its memberships.

    Examples
    --------
    >>> labels, membership = placed(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0], [0.9, 0.1]]))
    >>> labels.tolist(), membership.round(2).tolist()
    ([1], [[0.01, 0.99]])
    """
    distances = _squared(rows, centres)
    return distances.argmin(axis=1), _membership(distances)


def _squared(rows: Rows, centres: Rows) -> Rows:
    squares = np.square(rows).sum(axis=1)[:, None] - 2 * rows @ centres.T + np.square(centres).sum(axis=1)
    return np.asarray(np.maximum(squares, 0.0))


def _membership(squared: Rows) -> Rows:
    inverse = 1 / np.maximum(squared, 1e-12)
    return np.asarray(inverse / inverse.sum(axis=1, keepdims=True))


def _sample(n: int, most: int, seed: int) -> NDArray[np.int64]:
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(seed).permutation(n)[:most])


def _kmeans(rows: Rows, count: int, seed: int, starts: int = 5) -> Labels:
    from sklearn.cluster import KMeans

    if count > len(rows):
        raise UsageError(f"{count} clusters of {len(rows)} tracks: give {len(rows)} or fewer")
    if count == 1:
        return np.zeros(len(rows), np.int64)
    sample = rows[_sample(len(rows), max(FITTED, count), seed)]
    distinct = len(np.unique(sample.round(7), axis=0))
    made = KMeans(min(count, distinct), n_init=starts, random_state=seed).fit(sample)
    return np.asarray(made.predict(rows), np.int64)


def _hdbscan(rows: Rows, least: int | None, seed: int) -> Labels:
    from sklearn.cluster import HDBSCAN
    from sklearn.decomposition import PCA

    least = least or max(5, len(rows) // 50)
    if least < 2:
        raise UsageError(f"a cluster of {least}: give 2 members or more")
    chosen = _sample(len(rows), FITTED, seed)
    if len(chosen) < least:
        raise UsageError(f"clusters of {least} tracks or more, of {len(rows)} tracks: give {len(rows)} or fewer")
    if np.ptp(rows, axis=0).max() < 1e-6:  # all are one point, in which there is no density to compare
        return np.zeros(len(rows), np.int64)
    components = PCA(min(COMPONENTS, len(chosen), rows.shape[1]), random_state=seed).fit(rows[chosen])
    some = components.transform(rows[chosen])
    labels = HDBSCAN(min_cluster_size=least, copy=True).fit(some).labels_.astype(np.int64)
    if len(chosen) == len(rows) or (labels < 0).all():
        found = np.full(len(rows), OUTLIER, np.int64)
        found[chosen] = labels
        return found
    # The others are placed where the nearest of those that were clustered is.
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=1).fit(some)
    nearest = index.kneighbors(components.transform(rows), return_distance=False)[:, 0]
    found = np.asarray(labels[nearest], np.int64)
    found[chosen] = labels
    return found


def _ordered(rows: Rows, labels: Labels) -> Fit:
    """The fit of labels, with the largest cluster first."""
    names, counts = np.unique(labels[labels != OUTLIER], return_counts=True)
    ranked = names[np.argsort(-counts, kind="stable")]
    new = np.full(len(labels), OUTLIER, np.int64)
    for place, name in enumerate(ranked):
        new[labels == name] = place
    if not len(ranked):
        empty = np.empty((len(rows), 0))
        return Fit(new, np.empty((0, rows.shape[1])), empty, np.ones(len(rows), bool), np.empty(0, np.int64))
    centres = np.stack([rows[new == place].mean(axis=0) for place in range(len(ranked))])
    squared = _squared(rows, centres)
    far, medoids = new == OUTLIER, np.empty(len(ranked), np.int64)
    for place in range(len(ranked)):
        members = np.flatnonzero(new == place)
        own = np.sqrt(squared[members, place])
        medoids[place] = members[own.argmin()]
        spread = 1.4826 * np.median(np.abs(own - np.median(own)))
        far[members] = own > np.median(own) + FAR * max(spread, 1e-6)
    return Fit(new, centres, _membership(squared), far, medoids)


def trials(rows: Rows, seed: int, most: int = MOST, tell: Tell = lambda done, of: None) -> list[Trial]:
    """Try numbers of clusters of k-means, on 2,000 rows at most; none where there are fewer than six rows.

    Parameters
    ----------
    rows : array, shape (n, dim)
        Of length 1.
    seed : int
    most : int
        The largest number that is tried; no more than a third of the rows.
    tell : callable, optional
        Called with the numbers that are done and with all of them; what it raises ends the call.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = np.repeat(np.eye(4), 10, axis=0) + 0.05 * rng.standard_normal((40, 4))
    >>> best(trials(rows, 0, 6))
    4
    """
    require("sklearn", "clustering", "explore")
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    rows = rows[_sample(len(rows), TRIED, seed)]
    most = min(most, len(rows) // 3, len(np.unique(rows.round(7), axis=0)) - 1)
    rng, found = np.random.default_rng(seed), []
    halves = [np.sort(rng.permutation(len(rows))[: -(-len(rows) // 2)]) for _ in range(2 * PAIRS)]
    for count in range(FEWEST, most + 1):
        tell(count - FEWEST, most + 1 - FEWEST)
        labels = _kmeans(rows, count, seed)
        silhouette = float(silhouette_score(rows, labels, metric="sqeuclidean"))
        told = [_placed_by(rows, half, count, seed) for half in halves]
        agreed = [adjusted_rand_score(one, other) for one, other in zip(told[::2], told[1::2], strict=True)]
        found.append(Trial(count, silhouette, float(np.mean(agreed))))
    return found


def _placed_by(rows: Rows, half: NDArray[np.int64], count: int, seed: int) -> Labels:
    labels = _kmeans(rows[half], min(count, len(half)), seed, starts=2)
    centres = np.stack([rows[half][labels == each].mean(axis=0) for each in np.unique(labels)])
    return placed(rows, centres)[0]


def best(tried: Sequence[Trial]) -> int:
    """The number with the highest score; 1 where none was tried, or nothing holds together.

    Examples
    --------
    >>> best([Trial(2, 0.2, 0.9), Trial(3, 0.3, 0.8), Trial(4, 0.3, 0.5)]), best([])
    (3, 1)
    """
    chosen = max(tried, key=lambda trial: (trial.score, -trial.count), default=None)
    return chosen.count if chosen is not None and chosen.score > 0 else 1
