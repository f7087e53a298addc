"""Rows that are drawn by chance while they come: no more of them are kept than are wanted, however many come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Sample:
    """So many rows, drawn from all that come, each as probable as any other; the same rows on every run.

    Parameters
    ----------
    most : int
        Rows that are kept.
    seed : sequence of int
        What decides which.

    Examples
    --------
    >>> sample = Sample(2, [0])
    >>> for first in range(0, 100, 10):
    ...     sample.add(np.arange(first, first + 10), np.zeros((10, 3)))
    >>> numbers, rows = sample.columns()
    >>> numbers.shape, rows.shape, bool((np.diff(numbers) > 0).all())
    ((2,), (2, 3), True)
    """

    def __init__(self, most: int, seed: list[int]) -> None:
        self._most = most
        self._rng = np.random.default_rng(seed)
        self._parts: list[tuple[NDArray[np.float64], tuple[NDArray[np.generic], ...]]] = []
        self._count = 0

    def add(self, *columns: NDArray[np.generic]) -> None:
        """Take rows, given as columns of one length; always the same columns."""
        count = len(columns[0])
        if count:
            self._parts.append((self._rng.random(count), columns))
            self._count += count
            if self._count > 2 * self._most:
                self._prune()

    def columns(self) -> tuple[NDArray[np.generic], ...]:
        """The rows that were drawn, in the order in which they came; nothing where none came."""
        self._prune()
        return self._parts[0][1] if self._parts else ()

    def _prune(self) -> None:
        if not self._parts:
            return
        draws = np.concatenate([drawn for drawn, _ in self._parts])
        columns = [np.concatenate(pieces) for pieces in zip(*(given for _, given in self._parts), strict=True)]
        kept = np.sort(np.argsort(draws, kind="stable")[: self._most])
        self._parts = [(draws[kept], tuple(column[kept] for column in columns))]
        self._count = len(kept)
