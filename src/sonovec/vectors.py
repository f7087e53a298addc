"""How like vectors are: cosine similarity, and which are nearest. A vector of zeros has cosine 0 with everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: A vector that is shorter than this has no direction in a library: squares of such numbers vanish in float32.
TINY = 1e-15
#: Between these float32 holds the square of a length as exactly as any number.
USUAL = 1e-20, 1e30


def unit(vectors: ArrayLike, least: float = TINY) -> Floats:
    """The rows at length 1.

    Parameters
    ----------
    vectors : array, shape (n, dim)
        Finite, of any size that their type can hold.
    least : float
        Rows that are shorter than this are all zeros; 0 keeps the direction of all that have one.

    Returns
    -------
    array, shape (n, dim), float64

    Examples
    --------
    >>> unit([[3, 4], [0, 0], [0, 1e-300]]).tolist()
    [[0.6, 0.8], [0.0, 0.0], [0.0, 0.0]]
    >>> unit([[0, 1e-300]], least=0).tolist()
    [[0.0, 1.0]]
    """
    given = np.asarray(vectors)
    rows = given.astype(np.float64)
    if given.dtype == np.float32:  # whose squares float64 can hold
        largest = np.ones((len(rows), 1))
    else:
        largest = np.abs(rows).max(axis=1, keepdims=True, initial=0)
        rows /= np.where(largest == 0, 1, largest)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    directed = (lengths > 0) & (lengths * largest >= least)
    return np.where(directed, rows / np.where(directed, lengths, 1), 0.0)


def unit32(vectors: ArrayLike) -> NDArray[np.float32]:
    """The same in float32, where products of many are to be fast; float32 vectors of usual sizes stay in it.

    Parameters
    ----------
    vectors : array, shape (n, dim)

    Returns
    -------
    array, shape (n, dim), float32

    Examples
    --------
    >>> unit32(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    given = np.asarray(vectors)
    if given.dtype == np.float32:
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            squares = np.einsum("nd,nd->n", given, given)
            inverse = np.where(squares > 0, 1 / np.sqrt(squares), 0).astype(np.float32)
        if ((squares > USUAL[0]) & (squares < USUAL[1]) | ~given.any(axis=1)).all():
            return np.asarray(given * inverse[:, None])
    return np.asarray(unit(given), np.float32)


def cosines(a: ArrayLike, b: ArrayLike) -> Floats:
    """Cosine similarity of each row of one with the same row of the other.

    Parameters
    ----------
    a, b : array, shape (n, dim)

    Returns
    -------
    array, shape (n,), float64

    Examples
    --------
    >>> cosines([[1, 0], [1, 1], [0, 0]], [[2, 0], [1, -1], [1, 1]]).tolist()
    [1.0, 0.0, 0.0]
    """
    return np.asarray(np.einsum("nd,nd->n", unit(a), unit(b)))


def similarity(a: ArrayLike, b: ArrayLike) -> Floats:
    """Cosine similarity of each row of one with each of the other.

    Parameters
    ----------
    a : array, shape (n, dim)
    b : array, shape (m, dim)

    Returns
    -------
    array, shape (n, m), float64

    Examples
    --------
    >>> similarity([[1, 0]], [[1, 0], [0, 1], [-3, 0]]).tolist()
    [[1.0, 0.0, -1.0]]
    """
    return np.asarray(unit(a) @ unit(b).T)


def nearest_others(vectors: ArrayLike) -> NDArray[np.intp]:
    """For each row the index of the row, other than itself, that is most like it; of several the first.

    Parameters
    ----------
    vectors : array, shape (n, dim)
        Two rows or more.

    Returns
    -------
    array, shape (n,)

    Examples
    --------
    >>> nearest_others([[1, 0], [0, 1], [2, 1]]).tolist()
    [2, 2, 0]
    """
    found = similarity(vectors, vectors)
    np.fill_diagonal(found, -np.inf)
    return np.asarray(found.argmax(axis=1))
