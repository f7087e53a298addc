"""A stream in pieces of one length, so that what is done to a piece does not depend on how the stream came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


def pieces(blocks: Iterable[NDArray[np.float32]], length: int) -> Iterator[NDArray[np.float32]]:
    """Cut a stream into pieces of `length` samples; the last one may be shorter, and none is empty.

    Examples
    --------
    >>> [piece.tolist() for piece in pieces([np.arange(2), np.arange(3)], 2)]
    [[0, 1], [0, 1], [2]]
    """
    waiting: list[NDArray[np.float32]] = []
    have = 0
    for block in blocks:
        waiting.append(block)
        have += len(block)
        if have >= length:
            together = np.concatenate(waiting)
            whole = have - have % length
            yield from np.split(together[:whole], range(length, whole, length))
            waiting, have = [together[whole:]], have - whole
    if have:
        yield np.concatenate(waiting)
