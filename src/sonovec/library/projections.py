"""What makes the vectors of a compressed space of those of its source: a fitted projection, and codebooks.

It is kept with the library as a small file of NumPy (npz) without pickled objects, whose fingerprint stands in the passport
of the space. So the space opens without a new fit, and a file that was changed is noticed.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.library.codes import Codes
from sonovec.library.records import Space
from sonovec.vectors import unit32

Vectors = NDArray[np.float32]

#: The arrays of the file; any may be missing.
_ARRAYS = ("mean", "matrix", "codebooks")


@dataclass(frozen=True, eq=False)
class Projection:
    """Takes unit vectors of a source, (n, source), to those of a compressed space, (n, dim), before they become codes.

    Parameters
    ----------
    mean : array, shape (source,), optional
        Is taken away first.
    matrix : array, shape (source, dim), optional
        Is multiplied with; without it all numbers are kept.
    codebooks : array, shape (pieces, 256, dim / pieces), optional
        See `sonovec.library.codes.Codes`.

    Examples
    --------
    >>> Projection(matrix=np.array([[1], [0]], np.float32)).apply(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [[0.6000000238418579], [0.0]]
    """

    mean: Vectors | None = None
    matrix: Vectors | None = None
    codebooks: Vectors | None = None

    def apply(self, vectors: NDArray[np.floating]) -> Vectors:
        """The vectors before they become codes; one without a direction stays one."""
        units = unit32(np.asarray(vectors, np.float32))
        directed = units.any(axis=1, keepdims=True)
        moved = units if self.mean is None else units - self.mean
        made = moved if self.matrix is None else moved @ self.matrix
        return np.where(directed, made, np.float32(0))

    def codes(self, space: Space) -> Codes:
        """What turns them into codes and back."""
        return Codes(space.dtype, space.dim, self.codebooks)

    def fits(self, source: int, space: Space) -> bool:
        """Whether its arrays have the shapes that a space of a source of that length needs, and finite numbers."""
        dim = source if self.matrix is None else self.matrix.shape[-1]
        wanted = {"mean": (source,), "matrix": (source, dim)}
        shapes = all(
            array is None or array.shape == wanted[name]
            for name, array in (("mean", self.mean), ("matrix", self.matrix))
        )
        books = self.codebooks
        whole = books is None or (books.ndim == 3 and books.shape[0] * books.shape[2] == dim)
        finite = all(array is None or np.isfinite(array).all() for array in (self.mean, self.matrix, books))
        return shapes and whole and finite and dim == space.dim

    def to_bytes(self) -> bytes:
        """The file; the same projection gives the same bytes."""
        arrays = {name: np.asarray(value, np.float32) for name in _ARRAYS if (value := getattr(self, name)) is not None}
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its stubs take the names for its own arguments
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Projection:
        """Read the file.

        Raises
        ------
        ValueError
            It is no such file.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                if odd := set(file.files).difference(_ARRAYS):
                    raise ValueError(f"unknown arrays: {', '.join(sorted(odd))}")
                return cls(**{name: np.asarray(file[name], np.float32) for name in file.files})
        except (OSError, EOFError, KeyError) as error:
            raise ValueError(str(error)) from error
        except Exception as error:  # zipfile has errors of its own, one for each way to be damaged
            raise ValueError(f"{type(error).__name__}: {error}") from error


def projection_file(space: str) -> str:
    """The name of the file of a space."""
    return f"{space}.npz"


def fingerprint(content: bytes) -> str:
    """Sixteen hexadecimal digits of a file's content."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()
