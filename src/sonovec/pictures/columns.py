"""As many columns as a picture has room for, of a stream of any length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Columns:
    """Keeps a stream of rows in a bounded number of columns: whenever there are too many, each two become one.

    Parameters
    ----------
    most : int
        Bound of the number of columns.
    join : callable
        Rows (n, k, width) to one of each k (n, width), such as ``lambda rows: rows.max(axis=1)``. To join what was joined
        must be the same as to join all at once.

    Attributes
    ----------
    step : int
        How many rows of the stream are in a column; the last one may hold fewer.

    Examples
    --------
    >>> columns = Columns(2, lambda rows: rows.max(axis=1))
    >>> for value in (1, 5, 2, 3, 4):
    ...     columns.add(np.array([[value]], np.float32))
    >>> columns.rows.tolist(), columns.step
    ([[5.0], [4.0]], 4)
    """

    def __init__(self, most: int, join: Callable[[NDArray[np.float32]], Floats]) -> None:
        self._most, self._join = most, join
        self.step = 1
        self._full: Floats | None = None
        self._rest: Floats | None = None

    def add(self, rows: Floats) -> None:
        """Take rows (n, width), in order."""
        waiting = rows if self._rest is None else np.concatenate([self._rest, rows])
        whole = len(waiting) // self.step * self.step
        joined = self._joined(waiting[:whole], self.step)
        self._full = joined if self._full is None else np.concatenate([self._full, joined])
        self._rest = waiting[whole:].copy()
        while len(self._full) > self._most or (len(self._full) == self._most and len(self._rest)):
            self._halve()

    def _halve(self) -> None:
        """Join each two columns; an odd one out waits, with what waits already, for those that follow."""
        assert self._full is not None and self._rest is not None
        even = len(self._full) // 2 * 2
        odd = self._full[even:]
        if len(odd):  # it stands for `step` rows, and joins them again as the same
            self._rest = np.concatenate([np.repeat(odd, self.step, axis=0), self._rest])
        self._full = self._joined(self._full[:even], 2)
        self.step *= 2

    def _joined(self, rows: Floats, size: int) -> Floats:
        return self._join(rows.reshape(-1, size, rows.shape[1])) if len(rows) else rows

    @property
    def rows(self) -> Floats:
        """The columns so far (n, width), at most `most`, the last of what is left."""
        if self._full is None or self._rest is None:
            return np.empty((0, 0), np.float32)
        return np.concatenate([self._full, self._joined(self._rest, max(1, len(self._rest)))])
