"""Downbeats: which beats begin a bar, told by how the onsets of each place in the bar differ.

Bars have 4, 3 or 5 beats. Where they have 4, a small network that `training/downbeats.py` fits to songs says which of the
four beats is the first; bars of 3 and 5 begin where the bass and the harmony change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.music.onsets import CURVE_RATE, CURVES, OnsetCurve, low_pass

Array = NDArray[np.float64]
WEIGHTS = "downbeats.npz"
#: Beats a bar, and what speaks for each before anything is heard.
BARS = ((4, 0.0), (3, -0.12), (5, -0.25))
#: What the accent of a beat is made of: rises of each band and of harmony. What speaks against a downbeat is the snare drum.
ACCENTS = (1.0, 0.3, 0.0, -0.6, 0.0, 0.5)
#: Beats without which no bar is heard.
LEAST_BEATS = 8
#: Beats of the bars that the network hears, and the moments of each beat, as shares of the way to the next one.
FOUR = 4
MOMENTS = (0.0, 0.25, 0.5, 0.75)
#: Features of a begin: of each place in the bar the curves at each moment, the accent, and the first beat that is heard.
FEATURES = FOUR * (len(MOMENTS) * CURVES + 2)
#: Values of a curve on either side of a moment, of which the highest counts.
AROUND = 4


def downbeats(curve: OnsetCurve, times: Array) -> tuple[Array, int | None]:
    """Beats that begin a bar, and how many beats it has; none where there are less than two bars.

    Parameters
    ----------
    curve : OnsetCurve
    times : ndarray, shape (n_beats,)
        Seconds of the beats.
    """
    if len(times) < LEAST_BEATS:
        return np.empty(0), None
    heard = at_moments(curve, times)
    accents = _accents(heard[0])
    found: list[tuple[float, int, int]] = []
    for bar, before in BARS:
        means = _by_place(accents, bar)
        spread = np.sort(means)
        found.append((before + spread[-1] - spread[:-1].mean(), bar, int(means.argmax())))
    _, bar, phase = max(found)
    if bar == FOUR:
        phase = int(load().scores(begins(heard)).argmax())
    return times[phase::bar], bar


def at_moments(curve: OnsetCurve, times: Array) -> Array:
    """The onsets at each moment of each beat: shape (moments, curves, n_beats)."""
    slow = low_pass(curve.curves)
    last = slow.shape[1] - 1
    steps = np.diff(times, append=2 * times[-1] - times[-2])
    places = np.round((times + np.array(MOMENTS)[:, None] * steps) * CURVE_RATE).astype(np.int64)
    around = np.clip(np.clip(places, 0, last)[..., None] + np.arange(-AROUND, AROUND + 1), 0, last)
    return np.asarray(slow[:, around].max(axis=-1).swapaxes(0, 1))


def begins(heard: Array) -> Array:
    """What is known of the piece if its bars of four beats begin with its first, second, third or fourth beat.

    Parameters
    ----------
    heard : ndarray, shape (moments, curves, n_beats)

    Returns
    -------
    ndarray, shape (4, `FEATURES`)
        For each such begin: of each place in the bar the mean of each curve at each moment (moment by moment), where a curve
        has mean 0 and deviation 1 over the piece; its mean accent; and whether the first beat that is heard has this place.
    """
    rows = np.concatenate([_even(heard, (0, 2)).reshape(-1, heard.shape[2]), _accents(heard[0])[None]])
    beats = np.column_stack([_by_place(rows, FOUR), np.eye(FOUR)[0]])
    return np.stack([np.roll(beats, -begin, axis=0).ravel() for begin in range(FOUR)])


def _by_place(rows: Array, bar: int) -> Array:
    """Means of values (..., n_beats) over the beats that have the same place in a bar: shape (bar, ...)."""
    return np.stack([rows[..., place::bar].mean(axis=-1) for place in range(bar)])


def _accents(heard: Array) -> Array:
    """How strong each beat is, of mean 0 and deviation 1, by its curves (curves, n_beats)."""
    accents = np.array(ACCENTS) @ _even(heard, 1)
    return np.asarray(accents / (accents.std() + 1e-9))


def _even(values: Array, axis: int | tuple[int, ...]) -> Array:
    """The same with mean 0 and deviation 1 along axes."""
    mean, deviation = values.mean(axis=axis, keepdims=True), values.std(axis=axis, keepdims=True)
    return np.asarray((values - mean) / (deviation + 1e-9))


@dataclass(frozen=True)
class Network:
    """Networks of one hidden layer, whose scores are averaged.

    Attributes
    ----------
    weights, offsets : ndarray, shapes (networks, `FEATURES`, units) and (networks, 1, units)
        Of the hidden layer.
    score : ndarray, shape (networks, units)
    """

    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    score: NDArray[np.float32]

    def scores(self, features: Array) -> Array:
        """What speaks for each begin: (n,) from (n, `FEATURES`)."""
        hidden = np.tanh(features @ self.weights + self.offsets)
        return np.asarray((hidden @ self.score[..., None])[..., 0].mean(axis=0))


def of(kept: Mapping[str, NDArray[Any]]) -> Network:
    """The networks of a file's arrays."""
    return Network(*(kept[name].astype(np.float32) for name in ("weights", "offsets", "score")))


@cache
def load() -> Network:
    """The networks that the package has."""
    with files("sonovec.music").joinpath(WEIGHTS).open("rb") as file, np.load(file) as kept:
        return of(kept)
