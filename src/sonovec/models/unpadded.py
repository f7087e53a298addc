"""Windows at the length of what they hold, for models that take any length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cut(samples: NDArray[np.float32], coverage: NDArray[np.float32], least: int = 1) -> list[NDArray[np.float32]]:
    """Cut windows to their own length.

    Parameters
    ----------
    samples : array, shape (n, length), float32
    coverage : array, shape (n,)
        How much of each row is sound; what follows is padding.
    least : int
        Keep at least so many samples, padded with zeros where a row has fewer.

    Returns
    -------
    list of n arrays, each of its own length

    Examples
    --------
    >>> rows = cut(np.ones((3, 4), np.float32), np.array([1, 0.5, 0.25], np.float32), least=2)
    >>> [len(row) for row in rows]
    [4, 2, 2]
    """
    lengths = np.maximum(least, np.rint(coverage.astype(np.float64) * samples.shape[1]).astype(int))
    return [np.pad(row[:n], (0, max(0, n - len(row)))) for row, n in zip(samples, lengths, strict=True)]
