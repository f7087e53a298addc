"""Pool window vectors to clip and segment vectors, each window weighted by its coverage."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError

#: Name and code version of the pooling, for the passport.
POOLING = "coverage-mean-1"


def pool(windows: NDArray[np.float32], coverage: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mean of window vectors, weighted by how much of each window is sound and not padding.

    Parameters
    ----------
    windows : array, shape (n, dim), float32
    coverage : array, shape (n,)
        Each in (0, 1].

    Returns
    -------
    array, shape (dim,), float32

    Examples
    --------
    >>> pool(np.array([[1, 0], [0, 1]], dtype=np.float32), np.array([1, 0.5], dtype=np.float32)).tolist()
    [0.6666..., 0.3333...]
    """
    weights = coverage.astype(np.float64)
    return np.asarray(weights @ windows.astype(np.float64) / weights.sum(), np.float32)


def windows_per_segment(seconds: float, hop_seconds: float) -> int:
    """How many windows make a segment of about `seconds`; never less than one.

    Raises
    ------
    UsageError
        If `seconds` is not a length.

    Examples
    --------
    >>> windows_per_segment(10, 2.0), windows_per_segment(1, 2.0)
    (5, 1)
    """
    check_seconds("seconds", seconds)
    return max(1, round(seconds / hop_seconds))


def is_number(value: object) -> bool:
    """Whether a value is a finite number; ``True`` is not taken for 1."""
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def check_seconds(name: str, seconds: Any) -> None:
    """Refuse what is not a length.

    Examples
    --------
    >>> check_seconds("seconds", -1)
    Traceback (most recent call last):
    sonovec.errors.UsageError: seconds=-1 is not a length; give seconds above 0, such as seconds=10
    """
    if not is_number(seconds) or seconds <= 0:
        raise UsageError(f"{name}={seconds!r} is not a length; give seconds above 0, such as {name}=10")


def segment_bounds(numbers: NDArray[np.integer], windows_per_segment: int) -> list[tuple[int, int]]:
    """Index ranges of windows that make one segment each; one before a gap, and the last, may be shorter.

    Parameters
    ----------
    numbers : array, shape (n_windows,)
        Of the windows, in order, one for each hop; where windows were left out, there is a gap.
    windows_per_segment : int

    Examples
    --------
    >>> segment_bounds(np.arange(5), 2)
    [(0, 2), (2, 4), (4, 5)]
    >>> segment_bounds(np.array([3, 4, 5, 9]), 2)
    [(0, 2), (2, 3), (3, 4)]
    """
    gaps = (np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()
    return [
        (first, min(first + windows_per_segment, end))
        for begin, end in pairwise([0, *gaps, len(numbers)])
        for first in range(begin, end, windows_per_segment)
    ]
