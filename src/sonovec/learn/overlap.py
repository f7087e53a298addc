"""Which windows hear a labelled stretch: the one rule by which stretches become windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bools = NDArray[np.bool_]

#: What decides is this share of the window or of the stretch, whichever is shorter.
LEAST = 0.5
#: Seconds by which rounding may change a time.
ROUNDING = 1e-9


def overlap(times: ArrayLike, starts: ArrayLike, ends: ArrayLike) -> tuple[Bools, Bools]:
    """Which windows hear each stretch, and which touch it at all.

    A window hears a stretch that covers at least half of the window. It also hears a shorter stretch of which it holds at
    least half. A window that only touches a stretch says nothing of its class. A stretch without length is a moment: the
    window that holds it hears it.

    Parameters
    ----------
    times : array, shape (n, 2)
        Start and end of each window in seconds.
    starts, ends : array, shape (m,)
        Of each stretch, in seconds; an end may be infinite.

    Returns
    -------
    heard, touched : array, shape (n, m), bool

    Examples
    --------
    >>> windows = [[0, 2], [2, 4], [4, 6]]
    >>> heard, touched = overlap(windows, [1.5, 3.5], [5.0, 3.7])
    >>> heard.T.tolist()
    [[False, True, True], [False, True, False]]
    >>> touched.T.tolist()
    [[True, True, True], [False, True, False]]
    """
    windows, first, last = np.asarray(times, np.float64), np.asarray(starts, np.float64), np.asarray(ends, np.float64)
    begin, end = windows[:, :1], windows[:, 1:]
    shared = np.minimum(end, last) - np.maximum(begin, first)
    moment = (first == last) & (begin <= first) & (first < end)
    touched = (shared > ROUNDING) | moment
    shorter = np.minimum(end - begin, last - first)
    return touched & (shared >= LEAST * shorter - ROUNDING), touched
