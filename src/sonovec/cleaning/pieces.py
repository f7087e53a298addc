"""A stream in pieces of one length, so that what is done to a piece does not depend on how the stream came."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class Pieces:
    """Cuts a stream into pieces of `length` samples; the last one may be shorter, and none is empty.

    Examples
    --------
    >>> pieces = Pieces(2)
    >>> [piece.tolist() for block in ([0, 1], [0, 1, 2]) for piece in pieces.push(np.array(block, np.float32))]
    [[0.0, 1.0], [0.0, 1.0]]
    >>> [piece.tolist() for piece in pieces.finish()]
    [[2.0]]
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._waiting: list[NDArray[np.float32]] = []
        self._have = 0

    def push(self, block: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take the next block, and give the pieces that are complete."""
        self._waiting.append(block)
        self._have += len(block)
        if self._have >= self._length:
            together = np.concatenate(self._waiting)
            whole = self._have - self._have % self._length
            self._waiting, self._have = [together[whole:]], self._have - whole
            yield from np.split(together[:whole], range(self._length, whole, self._length))

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """What is left at the end of the stream."""
        if self._have:
            yield np.concatenate(self._waiting)
