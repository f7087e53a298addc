"""Projections to two or three numbers: fitted to a sample, and then a place for any vector, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.explore import basis as bases
from sonovec.explore.basis import Basis
from sonovec.explore.neighbours import Floats, Floats32
from sonovec.jobs import Job, Progress

#: Principal components that t-SNE and UMAP see: distances in them are those of the vectors without most of the noise.
COMPONENTS = 50
#: Directions of fewer numbers than this make no neighbourhood.
FEWEST = 4

Settings = Mapping[str, float]


@dataclass(frozen=True, eq=False, repr=False)
class Projection(Brief):
    """A fitted projection; it does not change any more.

    Attributes
    ----------
    method : {"pca", "tsne", "umap"}
    dims : int
    basis : Basis
        The principal components of the vectors.
    sample : float32 (m, k)
        The vectors that it was fitted to, by the basis; none for PCA.
    sample_places : float32 (m, dims)
        Where it put them.
    settings : mapping
        What it was fitted with: perplexity or neighbours, and the seed.
    notes : tuple of str
        What had to be done otherwise than it was asked for.
    """

    method: str
    dims: int
    basis: Basis
    sample: Floats32
    sample_places: Floats32
    settings: Settings = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def place(self, vectors: Floats32, job: Job) -> Floats32:
        """A place for each of the unit vectors, (n, dims); that of one does not depend on the others."""
        reduced = self.basis.apply(vectors)
        if self.method == "pca" or not len(self.sample):
            return padded(reduced, self.dims)
        return _method(self.method).place(self, reduced, job)


class Method(Protocol):
    """How neighbours become places."""

    def fit(self, rows: Floats32, dims: int, settings: Settings, job: Job) -> Floats32:
        """Places of rows, (n, dims)."""

    def place(self, fitted: Projection, rows: Floats32, job: Job) -> Floats32:
        """Places of other rows, each for itself, among those that were fitted."""

    def settle(self, count: int, settings: Settings) -> tuple[Settings, list[str]]:
        """The settings as they can be for so many rows, and what is to be said of that."""


METHODS = ("pca", "tsne", "umap")


def _method(name: str) -> Method:
    # Each brings a library of its own, which is imported for it alone.
    if name == "tsne":
        from sonovec.explore.tsne import Tsne

        return Tsne()
    from sonovec.explore.umap import Umap

    return Umap()


def check(method: str, dims: int) -> None:
    """Refuse a method or a number of dimensions that there is not.

    Raises
    ------
    UsageError
    MissingExtraError
        The package of the method is not installed.

    Examples
    --------
    >>> check("tsme", 2)
    Traceback (most recent call last):
    sonovec.errors.UsageError: method='tsme' is unknown; give one of: pca, tsne, umap
    """
    if method not in METHODS:
        raise UsageError(f"method={method!r} is unknown; give one of: {', '.join(METHODS)}")
    if dims not in (2, 3):
        raise UsageError(f"dims={dims!r}: a map has 2 or 3 dimensions; give dims=2 or dims=3")
    if method != "pca":
        _method(method)


def fit(vectors: Floats32, method: str, dims: int, settings: Settings, job: Job) -> Projection:
    """Fit a projection to vectors.

    Parameters
    ----------
    vectors : float32 (n, dim)
        Of length 1, so that distances are those of the cosine.
    method : {"pca", "tsne", "umap"}
    dims : {2, 3}
    settings : mapping
        ``perplexity`` (t-SNE), ``neighbours`` (UMAP), ``seed``.
    job : Job
    """
    job.report(Progress("finding the principal components"))
    found = bases.fit(vectors, dims if method == "pca" else COMPONENTS)
    empty = np.zeros((0, len(found.axes)), np.float32)
    fitted = Projection(method, dims, found, empty, np.zeros((0, dims), np.float32), settings)
    rank = len(found.axes)
    if rank == 0:
        return replace(fitted, notes=(f"all {len(vectors)} vectors are the same: every track has the same place",))
    notes = [f"the vectors vary in {rank} of {dims} directions: the other axes are 0"] if rank < dims else []
    if method != "pca" and len(vectors) < FEWEST:
        flat = replace(found, axes=found.axes[:dims], shares=found.shares[:dims])
        notes.append(f"{len(vectors)} tracks are too few for {method}, which needs {FEWEST}: they lie as by PCA")
        return replace(fitted, basis=flat, sample=empty[:, : len(flat.axes)], notes=tuple(notes))
    if method == "pca":
        return replace(fitted, notes=tuple(notes))
    chosen = _method(method)
    settled, said = chosen.settle(len(vectors), settings)
    rows = found.apply(vectors)
    job.check()
    places = chosen.fit(rows, dims, settled, job)
    return replace(fitted, sample=rows, sample_places=places, settings=settled, notes=(*said,))


def padded(rows: Floats32, dims: int) -> Floats32:
    """The first `dims` numbers of each row, and zeros where there are fewer.

    Examples
    --------
    >>> padded(np.ones((1, 1), np.float32), 2).tolist()
    [[1.0, 0.0]]
    """
    found = np.zeros((len(rows), dims), np.float32)
    found[:, : rows.shape[1]] = rows[:, :dims]
    return found


def start_of(rows: Floats32, dims: int, size: float) -> Floats:
    """Where the descent of a method begins: the first principal components, small, as wide as `size` in the first."""
    first = padded(rows, dims).astype(np.float64)
    spread = first[:, 0].std()
    return first / (spread or 1.0) * size


Watch = Callable[[int], object]


def watch(job: Job, stage: str, total: int, unit: str = "tracks") -> Watch:
    """What reports to a job how many are done, and ends the call where the job was cancelled."""

    def tell(done: int) -> None:
        job.report(Progress(stage, done, total, unit))
        job.check()

    return tell
