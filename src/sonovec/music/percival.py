"""Tempo by Percival and Tzanetakis: autocorrelation, then cross-correlation with pulses.

After G. Percival and G. Tzanetakis, "Streamlined tempo estimation based on autocorrelation and cross-correlation with
pulses", IEEE/ACM Transactions on Audio, Speech, and Language Processing 22(12), 2014, without its last step, a classifier of
octaves: `sonovec.music.octaves` is one of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Seconds of a window and between windows.
WINDOW, STEP = 5.944, 0.3715
#: Beats a minute between which beats are looked for.
SLOWEST, FASTEST = 50.0, 210.0
#: Power of the spectrum's magnitude of which the generalised autocorrelation is made.
POWER = 0.5
#: Peaks of the autocorrelation that are tried in each window.
PEAKS = 10
#: Pulses of a train, and what its pulses, those at double the period, and at one and a half weigh.
PULSES = 4
TRAINS = ((1.0, 1.0), (2.0, 0.5), (1.5, 0.5))
#: Seconds: spread of the vote of a window.
SPREAD = 0.029


def votes(curve: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """What the windows of an onset curve say of each period.

    Parameters
    ----------
    curve : ndarray, shape (n,)
        Onset strength, low-passed.
    rate : float
        Its values a second.

    Returns
    -------
    ndarray, shape (p,)
        The sum of the votes for a period of so many values of the curve, 0 to p - 1. Empty where the curve is shorter than
        two of the longest periods.
    """
    longest, shortest = int(np.ceil(60 * rate / SLOWEST)), int(60 * rate / FASTEST)
    size = min(round(WINDOW * rate), len(curve))
    if size < 2 * longest:
        return np.empty(0)
    windows = np.lib.stride_tricks.sliding_window_view(curve, size)[:: round(STEP * rate)]
    periods = np.concatenate([_periods(part, shortest, longest) for part in _parts(windows)])
    at = np.arange(longest + 1)
    counts = np.bincount(periods[periods > 0], minlength=longest + 1)
    return np.asarray(np.exp(-0.5 * ((at[:, None] - at) / (SPREAD * rate)) ** 2) @ counts)


def tempo(curve: NDArray[np.float64], rate: float) -> float | None:
    """Beats a minute by most votes; None where there are none. Octaves are as they come."""
    said = votes(curve, rate)
    return 60 * rate / int(said.argmax()) if len(said) and said.any() else None


def _parts(windows: NDArray[np.float64], at_once: int = 256) -> list[NDArray[np.float64]]:
    return [windows[first : first + at_once] for first in range(0, len(windows), at_once)]


def _periods(windows: NDArray[np.float64], shortest: int, longest: int) -> NDArray[np.int64]:
    """The best period of each window (n, size); 0 of one in which nothing changes."""
    enhanced = _enhanced(windows, 4 * longest + 1)
    between = enhanced[:, shortest : longest + 1]
    peak = np.zeros(between.shape, bool)
    peak[:, 1:-1] = (between[:, 1:-1] > between[:, :-2]) & (between[:, 1:-1] >= between[:, 2:])
    heights = np.where(peak, between, -np.inf)
    best = np.argsort(-heights, axis=1, kind="stable")[:, :PEAKS]
    held = np.isfinite(np.take_along_axis(heights, best, axis=1))
    lags = best + shortest
    highest, spread = np.zeros(lags.shape), np.zeros(lags.shape)
    for lag in np.unique(lags[held]):
        rows, columns = np.nonzero(held & (lags == lag))
        trains = _against_pulses(windows[rows], int(lag))
        highest[rows, columns], spread[rows, columns] = trains.max(axis=1), trains.var(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = highest / highest.sum(axis=1, keepdims=True) + spread / spread.sum(axis=1, keepdims=True)
    scores = np.where(held, np.nan_to_num(scores, nan=-1.0), -1.0)
    chosen = scores.argmax(axis=1)
    rows = np.arange(len(lags))
    return np.asarray(np.where(scores[rows, chosen] > 0, lags[rows, chosen], 0), np.int64)


def _enhanced(windows: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Generalised autocorrelation (n, lags), to which itself at double and fourfold lag is added."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = next_fast_len(2 * windows.shape[1], real=True)
    plain = irfft(np.abs(rfft(windows, length, axis=1)) ** POWER, length, axis=1)[:, : windows.shape[1]]
    plain = np.pad(plain, ((0, 0), (0, max(0, lags - plain.shape[1]))))[:, :lags]
    enhanced = plain.copy()
    for times in (2, 4):
        stretched = plain[:, ::times]
        enhanced[:, : stretched.shape[1]] += stretched
    return np.asarray(enhanced)


def _against_pulses(windows: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    """Cross-correlation (n, lag) of windows with the pulse trains of a period, by the place of the first pulse."""
    size = windows.shape[1]
    total = np.zeros((len(windows), lag))
    for times, weight in TRAINS:
        for pulse in range(PULSES):
            first = round(pulse * times * lag)
            part = windows[:, first : min(first + lag, size)]
            total[:, : part.shape[1]] += weight * part
    return total
