"""A fitted projection, and what its methods share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from sonovec.brief import Brief
from sonovec.explore.basis import Basis
from sonovec.explore.neighbours import Floats, Floats32
from sonovec.jobs import Job, Progress

Settings = Mapping[str, float]
Watch = Callable[[int], object]


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


class Method(Protocol):
    """How neighbours become places."""

    def fit(self, rows: Floats32, dims: int, settings: Settings, job: Job) -> Floats32:
        """Places of rows, (n, dims)."""

    def place(self, fitted: Projection, rows: Floats32, job: Job) -> Floats32:
        """Places of other rows, each for itself, among those that were fitted."""

    def settle(self, count: int, settings: Settings) -> tuple[Settings, list[str]]:
        """The settings as they can be for so many rows, and what is to be said of that."""


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


def watch(job: Job, stage: str, total: int, unit: str = "tracks") -> Watch:
    """What reports to a job how many are done, and ends the call where the job was cancelled."""

    def tell(done: int) -> None:
        job.report(Progress(stage, done, total, unit))
        job.check()

    return tell
