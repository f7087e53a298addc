"""Beats: the likeliest way through the onsets at the tempo.

By dynamic programming, after D. P. W. Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36(1),
2007; the tempo that they follow may move.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonovec.music.onsets import CURVE_RATE, OnsetCurve
from sonovec.music.periodicity import onset_places

#: Values of a curve that are summed for the way: beats are 12 ms apart at least.
SUMMED = 2
RATE = CURVE_RATE / SUMMED
#: How much a beat that comes early or late costs, and by which share of a period it may.
TIGHTNESS, EARLY, LATE = 60.0, 0.7, 1.4
#: Seconds over which the strength of onsets is brought to the same deviation.
EVEN = 8.0


def beats(curve: OnsetCurve, path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds of the beats.

    Parameters
    ----------
    curve : OnsetCurve
    path : ndarray, shape (n, 2)
        Seconds, and the tempo there in beats a minute.

    Returns
    -------
    ndarray, shape (n_beats,)
        Between the first onset and the last one.
    """
    strength = _strength(curve)
    if len(strength) < 2 or not len(path):
        return np.empty(0)
    periods = 60 * RATE / np.interp(np.arange(len(strength)) / RATE, path[:, 0], path[:, 1])
    places = _way(strength, periods)
    onsets = onset_places(curve) / CURVE_RATE
    times = places / RATE
    if not len(onsets):
        return np.empty(0)
    half = 0.5 * 60 / path[:, 1].mean()
    within = (times > onsets[0] - half) & (times < onsets[-1] + half) & (times >= 0) & (times < curve.seconds)
    return np.asarray(times[within])


def _strength(curve: OnsetCurve) -> NDArray[np.float64]:
    """Onset strength at `RATE`, of the same deviation everywhere."""
    from scipy.ndimage import gaussian_filter1d

    fine = curve.whole.astype(np.float64)
    whole = np.asarray(fine[: len(fine) // SUMMED * SUMMED].reshape(-1, SUMMED).sum(axis=1), np.float64)
    if not len(whole):
        return whole
    smooth = gaussian_filter1d(whole, 1.2, mode="constant")
    level = smooth - gaussian_filter1d(smooth, EVEN * RATE / 2, mode="nearest")
    deviation = np.sqrt(gaussian_filter1d(level**2, EVEN * RATE / 2, mode="nearest"))
    return np.asarray(level / (deviation + 0.1 * deviation.mean() + 1e-9))


def _way(strength: NDArray[np.float64], periods: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of the beats of most strength that are a period apart, more or less."""
    count = len(strength)
    total, came = strength.copy(), np.full(count, -1)
    known: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
    for place, period in enumerate(np.round(periods).astype(np.int64).tolist()):
        if period not in known:
            steps = np.arange(max(1, int(EARLY * period)), int(LATE * period) + 1)
            known[period] = (steps, -TIGHTNESS * np.log(steps / period) ** 2)
        steps, costs = known[period]
        if place < steps[0]:
            continue
        inside = place - steps[: place - steps[0] + 1] if place < steps[-1] else place - steps
        ways = total[inside] + costs[: len(inside)]
        best = int(ways.argmax())
        if ways[best] > 0:
            total[place] += ways[best]
            came[place] = inside[best]
    last = max(0, count - int(LATE * periods[-1]))
    way = [last + int(total[last:].argmax())]
    while came[way[-1]] >= 0:
        way.append(int(came[way[-1]]))
    return np.array(way[::-1])
