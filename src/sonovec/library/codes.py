"""How vectors are kept in fewer bytes: as half-precision, as whole numbers, as signs, or by the nearest of learned pieces.

Libraries compare vectors by cosine, so a code keeps the direction of a vector and may lose its length. `Codes` are written
and read by rows; a row is what a store keeps of one vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError

#: Number types of spaces; one with product quantisation is called by its number of pieces, such as "pq-16".
PLAIN, HALF, WHOLE, SIGNS, PIECES = "float32", "float16", "int8", "binary", "pq"
#: Largest whole number of an int8 code.
MOST = 127
#: Vectors of a codebook: one byte names one of them.
CENTROIDS = 256
#: Rows whose distances to a codebook are held at once.
_ROWS = 4096

Vectors = NDArray[np.float32]


def is_pieces(dtype: str) -> bool:
    """Whether a number type is product quantisation."""
    return dtype.startswith(f"{PIECES}-")


def pieces_of(dtype: str) -> int:
    """The number of pieces of "pq-16" and its like, which is also its bytes.

    Raises
    ------
    UsageError
        There is no number.

    Examples
    --------
    >>> pieces_of("pq-16")
    16
    """
    number = dtype.removeprefix(f"{PIECES}-")
    if not is_pieces(dtype) or not number.isdecimal() or int(number) == 0:
        raise UsageError(f"{dtype!r} names no number of pieces; give one, such as pq-16")
    return int(number)


def code_length(dtype: str, dim: int) -> int:
    """How many numbers of `stored_as` a store keeps of a vector of `dim` numbers.

    Examples
    --------
    >>> code_length("binary", 20), code_length("pq-16", 512), code_length("int8", 512)
    (3, 16, 512)
    """
    if dtype == SIGNS:
        return -(-dim // 8)
    return pieces_of(dtype) if is_pieces(dtype) else dim


def stored_as(dtype: str) -> np.dtype[Any]:
    """The type of the numbers that a store keeps.

    Raises
    ------
    UsageError
        There is no such number type.
    """
    found = {PLAIN: np.float32, HALF: np.float16, WHOLE: np.int8, SIGNS: np.uint8}.get(dtype)
    if found is None and not is_pieces(dtype):
        raise UsageError(f"number type {dtype!r} is unknown; give one of: {PLAIN}, {HALF}, {WHOLE}, {SIGNS}, pq-16")
    return np.dtype(found or np.uint8)


def bytes_of(dtype: str, dim: int) -> int:
    """Bytes that a store keeps of a vector.

    Examples
    --------
    >>> [bytes_of(dtype, 512) for dtype in ("float32", "float16", "int8", "binary", "pq-16")]
    [2048, 1024, 512, 64, 16]
    """
    return code_length(dtype, dim) * stored_as(dtype).itemsize


@dataclass(frozen=True, eq=False)
class Codes:
    """Vectors of `dim` numbers as codes of one number type, and back.

    Parameters
    ----------
    dtype : str
        "float16" and "int8" keep each number; of int8 the largest of a vector is 127. "binary" keeps the sign of each
        number. "pq-M" keeps, of each of M pieces of a vector, which of 256 vectors is the nearest (Jegou, Douze and Schmid
        2011, "Product quantization for nearest neighbor search").
    dim : int
    codebooks : array, shape (M, 256, dim / M), optional
        Of "pq-M".

    Examples
    --------
    >>> codes = Codes("int8", 2)
    >>> codes.encode(np.array([[3, 4]], np.float32)).tolist()
    [[95, 127]]
    >>> Codes("binary", 3).decode(np.array([[0b10100000]], np.uint8)).tolist()
    [[1.0, -1.0, 1.0]]
    """

    dtype: str
    dim: int
    codebooks: Vectors | None = None

    def encode(self, vectors: Vectors) -> NDArray[Any]:
        """What a store keeps of vectors (n, dim): (n, `code_length`) of `stored_as`."""
        given = np.asarray(vectors, np.float32)
        if self.dtype == SIGNS:
            return np.packbits(given > 0, axis=1)
        if is_pieces(self.dtype):
            return self._nearest(given)
        if self.dtype == WHOLE:
            largest = np.abs(given).max(axis=1, keepdims=True, initial=0)
            scaled = given / np.where(largest > 0, largest, 1)
            return np.round(MOST * scaled).astype(np.int8)
        return given.astype(stored_as(self.dtype))

    def decode(self, codes: NDArray[Any], zero: NDArray[np.bool_] | None = None) -> Vectors:
        """The vectors (n, dim), float32, that codes stand for; those marked as `zero` have no direction."""
        if self.dtype == SIGNS:
            found = 2 * np.unpackbits(codes, axis=1, count=self.dim).astype(np.float32) - 1
        elif is_pieces(self.dtype):
            assert self.codebooks is not None
            places = np.arange(len(self.codebooks))
            found = self.codebooks[places, codes].reshape(len(codes), self.dim)
        else:
            found = codes.astype(np.float32)
        if zero is not None and zero.any():
            found[zero] = 0
        return found

    def _nearest(self, vectors: Vectors) -> NDArray[np.uint8]:
        assert self.codebooks is not None
        pieces = vectors.reshape(len(vectors), len(self.codebooks), -1)
        found = [nearest(pieces[:, n], book) for n, book in enumerate(self.codebooks)]
        return np.stack(found, axis=1).astype(np.uint8)


def nearest(vectors: Vectors, centres: Vectors) -> NDArray[np.intp]:
    """For each of (n, d) vectors the place of the nearest of (k, d) centres, by Euclidean distance; of several the first."""
    squares = np.einsum("kd,kd->k", centres, centres)
    parts = [
        (squares - 2 * (vectors[start : start + _ROWS] @ centres.T)).argmin(axis=1)
        for start in range(0, len(vectors), _ROWS)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.intp)
