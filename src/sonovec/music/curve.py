"""How the tempo of a piece moves, read from its beats."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

#: Intervals between beats whose median is the tempo there: two bars.
SMOOTHED = 9
#: A change is told where the tempo has left the last one that was told by so much, for so many beats.
MOVED, LASTING = 0.04, 4


def local_tempo(beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tempo in beats a minute at each beat but the last, (n - 1,), from the seconds of beats (n,): a running median."""
    intervals = np.diff(beats)
    if not len(intervals):
        return np.empty(0)
    padded = np.pad(intervals, SMOOTHED // 2, mode="edge")
    return np.asarray(60 / np.median(sliding_window_view(padded, SMOOTHED), axis=1))


def tempo_curve(beats: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Seconds and the tempo from there on; empty where it stays within 4 %.

    Parameters
    ----------
    beats : ndarray, shape (n,)
        In seconds.

    Examples
    --------
    >>> slow, fast = np.arange(0, 20, 0.6), 20.1 + np.arange(0, 20, 0.5)
    >>> tempo_curve(np.concatenate([slow, fast]))
    [(0.0, 100.0), (19.8, 120.0)]
    >>> tempo_curve(slow)
    []
    """
    local = local_tempo(beats)
    if len(local) < 2 * LASTING:
        return []
    told = [(float(beats[0]), float(np.median(local[:LASTING])))]
    place = 0
    while place + LASTING <= len(local):
        ahead = local[place : place + LASTING]
        if np.all(np.abs(np.log(ahead / told[-1][1])) > np.log(1 + MOVED)):
            told.append((float(beats[place]), float(np.median(ahead))))
            place += LASTING
        else:
            place += 1
    rounded = [(round(second, 2), round(bpm, 1)) for second, bpm in told]
    return rounded if len(rounded) > 1 else []
