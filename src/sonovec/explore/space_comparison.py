"""What changes if the encoder changes: two spaces of a library compared, without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.evaluation.metrics import Score, agreement_by_chance, interval, neighbours
from sonovec.jobs import Progress, Watched, running
from sonovec.vectors import unit

if TYPE_CHECKING:
    from sonovec.library.library import Library

Floats = NDArray[np.float64]

#: Tracks that are compared, at most, and those of them whose distances are compared pair by pair.
MOST_TRACKS, MOST_PAIRWISE = 20_000, 2_000
#: Tracks to listen to.
TOLD = 10


@dataclass(frozen=True)
class Disagreement:
    """A track of which two spaces say something different.

    Attributes
    ----------
    id, path : str
    overlap : float
        Share of its nearest that both spaces name.
    nearest_a, nearest_b : tuple of str
        Paths of the three nearest tracks in either.
    """

    id: str
    path: str
    overlap: float
    nearest_a: tuple[str, ...]
    nearest_b: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "nearest_a": list(self.nearest_a), "nearest_b": list(self.nearest_b)}


@dataclass(frozen=True, repr=False)
class SpaceComparison(Brief):
    """How alike two spaces are.

    Attributes
    ----------
    a, b : str
    tracks : int
        That both hold and that were compared.
    only_a, only_b : int
        Tracks that one lacks.
    k : int
    overlap : Score
        Mean share of the `k` nearest that both have in common.
    by_chance : float
        What two spaces have in common that know nothing of each other.
    same_nearest : Score
        Share of the tracks whose nearest is the same.
    cka : float
        Centred kernel alignment with linear kernels, debiased: 1 where one space is the other, turned and scaled; about 0
        where they have nothing in common.
    pearson, spearman : float or None
        Correlation of the cosines of all pairs, and of their ranks; None where one space has no two cosines that differ.
    disagreements : tuple of Disagreement
        Tracks with the least in common.
    """

    a: str
    b: str
    tracks: int
    only_a: int
    only_b: int
    k: int
    overlap: Score
    by_chance: float
    same_nearest: Score
    cka: float | None
    pearson: float | None
    spearman: float | None
    disagreements: tuple[Disagreement, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **values,
            "overlap": self.overlap.to_json(),
            "same_nearest": self.same_nearest.to_json(),
            "disagreements": [each.to_json() for each in self.disagreements],
        }


def compare_spaces(
    library: Library, a: str, b: str, *, k: int = 10, told: int = TOLD, seed: int = 0, progress: Watched = None
) -> SpaceComparison:
    """Compare two spaces of a library by the tracks that both hold.

    Parameters
    ----------
    library : Library
    a, b : str
        Names of spaces.
    k : int
        Nearest tracks that are compared; fewer where there are not so many.
    told : int
        Tracks that are told of, those first with the least in common.
    seed : int
        Of the tracks that are drawn where there are more than 20,000, and the intervals.
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    SpaceComparison

    Raises
    ------
    UsageError
        A space is unknown, both are one, they share fewer than four tracks, or a vector is not finite.
    LibraryError
        There is no library here.

    References
    ----------
    Kornblith, Norouzi, Lee and Hinton 2019, "Similarity of neural network representations revisited"; the debiased estimate
    of Song, Smola, Gretton, Bedo and Borgwardt 2012, "Feature selection via dependence maximization".
    """
    if a == b:
        raise UsageError(f"{a!r} and {b!r} are one space; give two, of those that `sonovec library spaces` lists")
    if k < 1 or told < 0:
        raise UsageError(f"k={k}, told={told}: give k=1 or more, and told=0 or more")
    with running(progress) as job:
        vectors: dict[str, dict[str, NDArray[np.float32]]] = {}
        for name in (a, b):
            job.report(Progress("reading vectors", note=name))
            ids, rows = library.vectors(name).numpy()
            vectors[name] = dict(zip(ids, rows, strict=True))
        shared = sorted(vectors[a].keys() & vectors[b].keys())
        if len(shared) < 4:
            raise UsageError(
                f"{library.location}: the spaces {a!r} and {b!r} share {len(shared)} tracks, and to compare them needs four; "
                f"fill the other one: sonovec index PATH -l {library.location} --space {b}"
            )
        chosen = np.sort(np.random.default_rng(seed).permutation(len(shared))[:MOST_TRACKS])
        ids = [shared[n] for n in chosen]
        first, second = (np.stack([vectors[name][id] for id in ids]) for name in (a, b))
        nearest = min(k, len(ids) - 2)
        job.report(Progress("comparing neighbours", 0, len(ids), "tracks"))
        of_a, of_b = _neighbours(first, a, nearest), _neighbours(second, b, nearest)
        common = np.array([len(np.intersect1d(x, y)) / nearest for x, y in zip(of_a, of_b, strict=True)])
        same = (of_a[:, 0] == of_b[:, 0]).astype(np.float64)
        job.report(Progress("comparing distances", 0, min(len(ids), MOST_PAIRWISE), "tracks"))
        few = np.sort(np.random.default_rng(seed).permutation(len(ids))[:MOST_PAIRWISE])
        gram_a, gram_b = (unit(rows[few]) @ unit(rows[few]).T for rows in (first, second))
        upper = np.triu_indices(len(few), 1)
        pearson = _correlation(gram_a[upper], gram_b[upper])
        spearman = None if pearson is None else _correlation(_ranks(gram_a[upper]), _ranks(gram_b[upper]))
        worst = np.argsort(common, kind="stable")[:told]
        named = library.paths_of({ids[m] for n in worst for m in (n, *of_a[n][:3], *of_b[n][:3])})
    disagreements = tuple(
        Disagreement(
            ids[n],
            named[ids[n]],
            float(common[n]),
            tuple(named[ids[m]] for m in of_a[n][:3]),
            tuple(named[ids[m]] for m in of_b[n][:3]),
        )
        for n in worst
        if common[n] < 1
    )
    return SpaceComparison(
        a,
        b,
        len(ids),
        len(vectors[a]) - len(shared),
        len(vectors[b]) - len(shared),
        nearest,
        Score(float(common.mean()), *interval(common, seed), len(common)),
        agreement_by_chance(len(ids), nearest),
        Score(float(same.mean()), *interval(same, seed), len(same)),
        cka(gram_a, gram_b),
        pearson,
        spearman,
        disagreements,
    )


def _neighbours(rows: NDArray[np.float32], space: str, k: int) -> NDArray[np.int64]:
    try:
        return neighbours(rows, k)
    except UsageError as error:
        raise UsageError(f"space {space!r}: {error}") from error


def cka(a: Floats, b: Floats) -> float | None:
    """Debiased centred kernel alignment of two (n, n) kernels; None where one has no variance.

    Examples
    --------
    >>> rows = np.random.default_rng(0).standard_normal((50, 8))
    >>> round(cka(rows @ rows.T, (3 * rows) @ (3 * rows).T), 6)
    1.0
    >>> other = np.random.default_rng(1).standard_normal((50, 8))
    >>> abs(cka(rows @ rows.T, other @ other.T)) < 0.2
    True
    """
    if len(a) < 4:
        return None
    x, y = _hollow(a), _hollow(b)
    both, one, other = _dependence(x, y), _dependence(x, x), _dependence(y, y)
    smallest = 1e-12 * len(a) ** 2
    return None if min(one, other) <= smallest else float(both / np.sqrt(one * other))


def _hollow(kernel: Floats) -> Floats:
    found = np.array(kernel, np.float64)
    np.fill_diagonal(found, 0)
    return found


def _dependence(a: Floats, b: Floats) -> float:
    """The Hilbert-Schmidt independence criterion of kernels with an empty diagonal, without bias, times n (n - 3)."""
    n = len(a)
    sums_a, sums_b = a.sum(axis=0), b.sum(axis=0)
    whole = sums_a.sum() * sums_b.sum() / ((n - 1) * (n - 2))
    return float((a * b).sum() + whole - 2 / (n - 2) * sums_a @ sums_b)


def _correlation(a: Floats, b: Floats) -> float | None:
    x, y = a - a.mean(), b - b.mean()
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    return None if lengths < 1e-12 * len(x) else float(np.clip(x @ y / lengths, -1, 1))


def _ranks(values: Floats) -> Floats:
    """Ranks, those of equal values the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    return np.asarray((ends - (counts - 1) / 2)[places], np.float64)
