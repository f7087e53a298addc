"""Principal components: the directions in which vectors vary most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.explore.neighbours import Floats, Floats32, blocks

#: Components whose variance is below this part of the largest are noise of float32: the vectors do not vary there.
LEAST_SHARE = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class Basis(Brief):
    """A mean, (dim,), and orthonormal axes, (k, dim), the one with the most variance first; both float64.

    `shares` has the part of the whole variance that each axis holds.
    """

    mean: Floats
    axes: Floats
    shares: Floats

    def apply(self, rows: Floats32) -> Floats32:
        """The rows by these axes, shape (n, k), float32; a row's bits do not depend on the rows beside it."""
        found = np.empty((len(rows), len(self.axes)), np.float32)
        for start, count, block in blocks(rows):
            found[start : start + count] = ((block - self.mean) @ self.axes.T)[:count]
        return found


def fit(rows: Floats32, most: int) -> Basis:
    """The principal components of rows (Pearson, 1901), by the eigenvectors of their covariance.

    Each axis points to where its largest number is positive, so that the signs are the same in every run.

    Parameters
    ----------
    rows : float32 (n, dim)
    most : int
        At most so many axes; there are fewer where the rows have a lower rank.

    Examples
    --------
    >>> basis = fit(np.array([[0, 0, 1], [2, 0, 1], [4, 0, 1]], np.float32), 2)
    >>> basis.axes.tolist(), basis.mean.tolist()
    ([[1.0, 0.0, 0.0]], [2.0, 0.0, 1.0])
    """
    mean = rows.sum(axis=0, dtype=np.float64) / max(len(rows), 1)
    scatter = np.zeros((rows.shape[1], rows.shape[1]))
    for _, count, block in blocks(rows):
        centred = block[:count] - mean
        scatter += centred.T @ centred
    variances, vectors = np.linalg.eigh(scatter)
    variances, axes = np.maximum(variances[::-1], 0), vectors.T[::-1]
    largest = variances[0] if len(variances) else 0.0
    # Equal vectors differ from their mean by the last bit alone.
    real = _has_spread(largest, rows) & (variances > largest * LEAST_SHARE)
    kept = np.flatnonzero(real)[:most]
    axes = axes[kept]
    signs = np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)) if len(axes) else 1.0
    whole = float(variances.sum()) or 1.0
    return Basis(mean, np.ascontiguousarray(axes * signs), variances[kept] / whole)


def _has_spread(largest: float, rows: Floats32) -> NDArray[np.bool_] | bool:
    sizes = float(np.einsum("nd,nd->", rows.astype(np.float64), rows.astype(np.float64)))
    return largest > sizes * float(np.finfo(np.float32).eps) ** 2
