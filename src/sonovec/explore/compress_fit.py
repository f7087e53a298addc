"""Fit what compresses vectors: a principal component analysis, a rotation, codebooks. The same input gives the same result.

A library compares vectors by cosine, so the projection keeps cosines: it is fitted to unit vectors around zero, not around
their mean. On 3,000 clips of the built-in encoder, 256 numbers that were fitted so kept .996 of the 10 nearest, and .943
around the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.explore.compress_kinds import Kind, check_pieces
from sonovec.library.codes import CENTROIDS, SIGNS, WHOLE, is_pieces, nearest, pieces_of
from sonovec.library.projections import Projection
from sonovec.vectors import unit32

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]

#: A direction whose variance is a smaller part of the largest than this is rounding.
ROUNDING = 1e-9
#: What is added to each variance before whitening, as a part of their mean: directions that hold next to nothing are noise.
SHRINK = 1e-2
#: Vectors that codebooks are fitted to, at most, and rounds of k-means.
MOST_FOR_BOOKS, ROUNDS = 4_096, 12


def fit(
    kind: Kind,
    vectors: NDArray[np.floating],
    *,
    whiten: bool = False,
    seed: int = 0,
    check: Callable[[], Any] = lambda: None,
) -> Projection:
    """Fit a projection to vectors.

    Parameters
    ----------
    kind : Kind
    vectors : array, shape (n, source)
        Those without a direction are left out.
    whiten : bool
        Give every kept direction the same variance, around the mean of the vectors. That changes which sounds are near:
        tags and classes may be found better, the neighbours are not those of the full vectors.
    seed : int
        Of the rotation and the codebooks.
    check : callable
        Called between the steps; what it raises ends the fit.

    Raises
    ------
    UsageError
        A vector is not finite, none has a direction, or they span fewer directions than are asked for.
    """
    units = _directed(vectors)
    mean = units.mean(axis=0, dtype=np.float64).astype(np.float32) if whiten else None
    matrix = _matrix(kind, units, mean) if kind.is_reduced or whiten or is_pieces(kind.dtype) else None
    check()
    dim = units.shape[1] if matrix is None else matrix.shape[1]
    check_pieces(kind, dim)
    if is_pieces(kind.dtype):
        return _with_books(kind, units, mean, matrix, seed, check)
    if kind.dtype == SIGNS or (kind.dtype == WHOLE and matrix is not None):
        # A few directions hold most of it; turned, all numbers are alike, and each sign or step tells as much.
        turn = rotation(dim, seed)
        matrix = turn if matrix is None else (matrix @ turn).astype(np.float32)
    return Projection(mean, matrix)


def _directed(vectors: NDArray[np.floating]) -> Vectors:
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors).all(axis=1)).sum())
        raise UsageError(
            f"{bad} of {len(vectors)} vectors hold a number that is not finite (NaN); look for damage with: sonovec doctor "
            "-l LIBRARY, and import or index those tracks again"
        )
    units = unit32(np.asarray(vectors, np.float32))
    directed = units[units.any(axis=1)]
    if not len(directed):
        what = (
            "there are no vectors"
            if not len(vectors)
            else f"none of the {len(vectors)} vectors has a direction: silence"
        )
        raise UsageError(f"{what}; index sounds that can be heard first: sonovec index PATH -l LIBRARY")
    return directed


def _matrix(kind: Kind, units: Vectors, mean: Vectors | None) -> Vectors:
    """The kept directions as columns, the strongest first."""
    variances, directions = _principal(units if mean is None else units - mean)
    rank = max(int((variances > ROUNDING * max(variances[0], 1e-30)).sum()), 1)
    if mean is not None and variances[0] < ROUNDING:
        raise UsageError(f"--whiten: all {len(units)} vectors are alike, and have no variance; leave --whiten out")
    count = kind.numbers
    if count is None:
        count = rank if kind.share is None else min(_count_of(kind.share, units), rank)
    if count > rank:
        raise UsageError(
            f"--to {kind.text}: the {len(units)} vectors that it is fitted to span {rank} directions, not {count}; give "
            f"--to {kind.text.replace(str(count), str(rank), 1)}, or fit it to more sounds: --fit-on LIBRARY"
        )
    if kind.numbers is None and kind.share is None and mean is None:
        count = len(variances)  # codebooks take all numbers, turned
    kept = directions[:, :count]
    if mean is not None:
        kept = kept / np.sqrt(variances[:count] + SHRINK * variances[:rank].mean())
    return kept.astype(np.float32)


def _principal(rows: Vectors) -> tuple[Floats, Floats]:
    """Variances around zero, the largest first, and their directions as columns, each with its largest number positive."""
    squares = rows.T.astype(np.float64) @ rows.astype(np.float64) / len(rows)
    variances, directions = np.linalg.eigh(squares)
    variances, directions = np.maximum(variances[::-1], 0), directions[:, ::-1]
    largest = np.abs(directions).argmax(axis=0)
    return variances, directions * np.where(directions[largest, np.arange(len(variances))] < 0, -1, 1)


def _count_of(share: float, units: Vectors) -> int:
    """How many directions hold a share of the variance around the mean."""
    variances, _ = _principal(units - units.mean(axis=0, dtype=np.float64).astype(np.float32))
    total = variances.sum()
    if total < ROUNDING:
        return 1
    return int(np.searchsorted(variances.cumsum() / total, share - 1e-12)) + 1


def rotation(dim: int, seed: int) -> Vectors:
    """A random rotation, drawn evenly from all.

    Examples
    --------
    >>> turn = rotation(4, 0)
    >>> bool(np.allclose(turn @ turn.T, np.eye(4), atol=1e-6))
    True
    """
    turned, upper = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))
    return np.asarray(turned * np.sign(np.diag(upper)), np.float32)


def _with_books(
    kind: Kind, units: Vectors, mean: Vectors | None, matrix: Vectors | None, seed: int, check: Callable[[], Any]
) -> Projection:
    assert matrix is not None
    pieces = pieces_of(kind.dtype)
    sample = units[np.unique(np.linspace(0, len(units) - 1, min(len(units), MOST_FOR_BOOKS)).astype(int))]
    rows = (sample if mean is None else sample - mean) @ matrix
    order = _balanced(np.square(rows, dtype=np.float64).mean(axis=0), pieces)
    parts = rows[:, order].reshape(len(rows), pieces, -1)
    books = []
    for n in range(pieces):
        check()
        books.append(_centres(np.ascontiguousarray(parts[:, n]), seed + n))
    return Projection(mean, np.ascontiguousarray(matrix[:, order]), np.stack(books))


def _balanced(variances: Floats, pieces: int) -> NDArray[np.intp]:
    """An order of directions in which each piece holds as much: the next goes where the product of variances is least.

    Ge, He, Ke and Sun 2013, "Optimized product quantization" (its parametric solution).
    """
    size = len(variances) // pieces
    filled: list[list[int]] = [[] for _ in range(pieces)]
    held = np.zeros(pieces)
    weights = np.log(np.maximum(variances / max(variances.max(), 1e-30), 1e-9) / 1e-9)
    for direction, weight in enumerate(weights):
        place = int(np.argmin(np.where([len(each) < size for each in filled], held, np.inf)))
        filled[place].append(direction)
        held[place] += weight
    return np.array([direction for each in filled for direction in each])


def _centres(rows: Vectors, seed: int) -> Vectors:
    """256 centres by k-means (Lloyd 1982); of fewer vectors each is a centre."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[:CENTROIDS]
    centres = rows[chosen]
    if len(rows) > CENTROIDS:
        for _ in range(ROUNDS):
            places = nearest(rows, centres)
            counts = np.bincount(places, minlength=CENTROIDS)
            sums = np.stack([np.bincount(places, column, CENTROIDS) for column in rows.T], axis=1)
            found = sums / np.maximum(counts, 1)[:, None]
            centres = np.where(counts[:, None] > 0, found, centres).astype(np.float32)
    return np.concatenate([centres, np.repeat(centres[-1:], CENTROIDS - len(centres), axis=0)])
