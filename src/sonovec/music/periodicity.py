"""How strongly a piece repeats itself at each tempo of a grid and at multiples of it: what tempo is decided by."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sonovec.music import percival
from sonovec.music.onsets import BANDS, CURVE_RATE, CURVES, HARMONY, OnsetCurve, low_pass

#: The grid of tempos, in beats a minute: neighbours are 2 % apart.
GRID = 36.0 * 1.02 ** np.arange(109)
#: Seconds of a window and between windows.
WINDOW, STEP = 16.0, 8.0
#: Periods, as multiples of the beat, at which a curve is compared with itself.
LAGS = (1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
#: Frequencies, as multiples of the beat's, whose strength is measured.
FREQUENCIES = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 4.0, 6.0, 8.0)
#: Periods at which the votes of Percival and Tzanetakis are read.
VOTES = (1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0)
#: Pairs of curves that are compared with each other: drums often take turns.
PAIRS = ((0, 2), (0, 3), (0, 4), (2, 4))
#: A lag or frequency is taken with what is so near.
NEAR = (0.985, 1.0, 1.015)
WHOLE = CURVES  # place of the sum of the bands behind the curves
#: Of the mean square: a window of less power has nothing to say.
SILENCE = 1e-10


def windows(curve: OnsetCurve, window: float = WINDOW, step: float = STEP) -> Iterator[tuple[int, int]]:
    """Starts and ends, in values of the curve, of its windows; the last one ends with it."""
    count, size, hop = curve.curves.shape[1], round(window * CURVE_RATE), round(step * CURVE_RATE)
    starts = list(range(0, max(count - size, 0) + 1, hop))
    if starts[-1] + size < count:
        starts.append(count - size)
    for start in starts:
        yield start, min(start + size, count)


def repetition(curves: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """How strongly the curves of one window repeat themselves.

    Parameters
    ----------
    curves : ndarray, shape (CURVES + 1, n)
        Low-passed; the last one is the sum of the bands.

    Returns
    -------
    by_lag : ndarray, shape (CURVES + 1 + len(PAIRS), len(LAGS), len(GRID))
        Correlation with itself, or of a pair, in [-1, 1]; 0 where the lag is too long for the window.
    by_frequency : ndarray, shape (CURVES + 1, len(FREQUENCIES), len(GRID))
        Logarithm of the spectrum's magnitude over its mean.
    repeats : ndarray, shape (n,)
        Correlation of the sum of the bands with itself, by lag.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    size = curves.shape[1]
    level = curves - curves.mean(axis=1, keepdims=True)
    length = next_fast_len(2 * size, real=True)
    spectra = rfft(level, length, axis=1)
    power = np.abs(spectra) ** 2
    crossed = [spectra[one] * np.conj(spectra[other]) for one, other in PAIRS]
    lags = irfft(np.concatenate([power, np.real(crossed)]), length, axis=1)[:, :size]
    zero = lags[: len(level), 0]
    scale = np.concatenate([zero, [math.sqrt(zero[one] * zero[other]) for one, other in PAIRS]])
    overlap = np.maximum(1 - np.arange(size) / size, 0.25)
    lags = lags / (scale[:, None] + 1e-12) / overlap
    beats = 60 / GRID * CURVE_RATE
    by_lag = _nearest(lags, np.multiply.outer(LAGS, beats), 0.8 * size)
    magnitude = np.sqrt(power)
    mean = magnitude[:, int(0.3 / CURVE_RATE * length) : int(16 / CURVE_RATE * length) + 2].mean(axis=1, keepdims=True)
    logs = np.log1p(magnitude / (mean + 1e-9))
    places = np.multiply.outer(FREQUENCIES, GRID / 60) / CURVE_RATE * length
    return by_lag, _nearest(logs, places, 16 / CURVE_RATE * length), lags[WHOLE]


def _nearest(values: NDArray[np.float64], places: NDArray[np.float64], last: float) -> NDArray[np.float64]:
    """The highest of values (k, n) near each place (r, g), interpolated: (k, r, g); 0 beyond the last place."""
    at = np.multiply.outer(np.array(NEAR), places)
    within = places <= min(last, values.shape[1] - 2)
    at = np.where(within, at, 0.0).clip(0, values.shape[1] - 2)
    below = at.astype(np.int64)
    part = at - below
    found = values[:, below] * (1 - part) + values[:, below + 1] * part
    return np.asarray(np.where(within, found.max(axis=1), 0.0))


class Heard:
    """How strongly a piece repeats itself, window by window.

    Parameters
    ----------
    curve : OnsetCurve

    Attributes
    ----------
    windows : list of (int, int)
        Starts and ends, in values of the curves, of windows that are not silent.
    repeats : ndarray, shape (n,)
        Correlation of the sum of the bands with itself by the lag in values of the curve: the mean of all windows.
    """

    def __init__(self, curve: OnsetCurve) -> None:
        self._curve = curve
        self._slow = low_pass(np.concatenate([curve.curves, curve.whole[None]]))
        self.windows = [
            (start, end)
            for start, end in windows(curve)
            if end - start > CURVE_RATE and curve.powers[start:end].mean() > SILENCE
        ]
        heard = [repetition(self._slow[:, start:end]) for start, end in self.windows]
        self._by_lag = [lag for lag, _, _ in heard]
        self._by_frequency = [frequency for _, frequency, _ in heard]
        self.repeats = np.mean([repeats for _, _, repeats in heard], axis=0) if heard else np.empty(0)

    def features(self, window: int | None = None) -> NDArray[np.float32]:
        """What tells how well each tempo of the grid fits the piece, or one window: (len(GRID), n_features)."""
        some = slice(None) if window is None else slice(window, window + 1)
        start, end = (0, self._slow.shape[1]) if window is None else self.windows[window]
        slow = self._slow[:, start:end]
        by_lag, by_frequency = self._by_lag[some], self._by_frequency[some]
        steady = np.std([lag[WHOLE] for lag in by_lag], axis=0)[[LAGS.index(1.0)]]
        octave = np.log2(GRID / 100)
        rows = [
            np.mean(by_lag, axis=0).reshape(-1, len(GRID)),
            np.mean(by_frequency, axis=0).reshape(-1, len(GRID)),
            steady,
            _votes(slow[WHOLE]),
            octave[None],
            octave[None] ** 2,
        ]
        part = self._curve if window is None else self._curve.part(start, end)
        general = np.repeat(np.array(overall(part, slow, len(by_lag)))[:, None], len(GRID), axis=1)
        return np.asarray(np.concatenate([*rows, general]).T, np.float32)


def _votes(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    said = percival.votes(curve, CURVE_RATE)
    if not len(said) or not said.any():
        return np.zeros((len(VOTES), len(GRID)))
    places = np.multiply.outer(VOTES, 60 / GRID * CURVE_RATE)
    return np.asarray(np.where(places < len(said), np.interp(places, np.arange(len(said)), said / said.max()), 0.0))


def overall(curve: OnsetCurve, slow: NDArray[np.float64], count: int) -> list[float]:
    """What does not depend on the tempo: onsets a second, how sharp they are, where in frequency, how long the piece is."""
    whole = slow[WHOLE]
    bands = slow[:BANDS].mean(axis=1)
    share = bands / (bands.sum() + 1e-9)
    sharp = whole.std() / (whole.mean() + 1e-9)
    harmony = slow[HARMONY].mean() / (bands.sum() + 1e-9)
    return [
        math.log1p(onset_density(curve)),
        *share,
        float(sharp),
        *(slow[:BANDS].std(axis=1) / (bands + 1e-9)),
        float(harmony),
        math.log(min(curve.seconds, 60.0) + 1.0),
        float(count > 1),
    ]


def onset_density(curve: OnsetCurve) -> float:
    """Onsets a second, from where sound starts to where it ends."""
    sounding = np.flatnonzero(curve.powers > SILENCE)
    return len(onset_places(curve)) / ((sounding[-1] + 1 - sounding[0]) / CURVE_RATE) if len(sounding) else 0.0


#: Values of a curve around a peak that are lower, and over which a mean is taken; what a peak is above that mean, at least.
PEAK, MEAN, ABOVE = 5, 17, 0.5


def onset_places(curve: OnsetCurve) -> NDArray[np.int64]:
    """Places of onsets, as values of the curve: what is highest around, and stands out of the mean."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    whole = curve.whole.astype(np.float64)
    if not len(whole):
        return np.empty(0, np.int64)
    smooth = uniform_filter1d(whole, 3, mode="constant")
    highest = maximum_filter1d(smooth, 2 * PEAK + 1, mode="constant")
    mean = uniform_filter1d(smooth, 2 * MEAN + 1, mode="nearest")
    found = (smooth >= highest) & (smooth > mean + ABOVE) & (curve.powers > SILENCE)
    return np.flatnonzero(found)
