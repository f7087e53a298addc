"""Projections to two or three numbers: fitted to a sample, and then a place for any vector, one at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sonovec.errors import UsageError
from sonovec.explore import basis as bases
from sonovec.explore.neighbours import Floats32
from sonovec.explore.projection import Method, Projection, Settings, padded
from sonovec.jobs import Job, Progress

#: Principal components that t-SNE and UMAP see: distances in them are those of the vectors without most of the noise.
COMPONENTS = 50
#: Fewer tracks than this have no neighbourhood.
FEWEST = 4
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
        same = f"all {len(vectors)} vectors are the same: every track has the same place"
        return replace(fitted, notes=(same if len(vectors) > 1 else "fewer than two tracks have a direction",))
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


def place(fitted: Projection, vectors: Floats32, job: Job) -> Floats32:
    """A place for each of the unit vectors, (n, dims); that of one does not depend on the others."""
    reduced = fitted.basis.apply(vectors)
    if fitted.method == "pca" or not len(fitted.sample):
        return padded(reduced, fitted.dims)
    return _method(fitted.method).place(fitted, reduced, job)
