"""Tempo of a piece: beats a minute with its probability, other readings, and how it moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.music import octaves, periodicity
from sonovec.music.onsets import CURVE_RATE, OnsetCurve
from sonovec.music.periodicity import GRID
from sonovec.music.tempi import RATIOS

#: Seconds of sound and onsets without which nothing is said.
LEAST_SECONDS, LEAST_ONSETS = 3.5, 6
#: Of the probability of a tempo below which no number is given, and of other readings that are not listed.
LEAST, UNLISTED = 0.2, 0.01
#: A tempo of so much confidence is called sure.
SURE = 0.99
#: A tempo is refined by up to so much either way, in such steps.
REFINED, FINE = 0.03, 0.001
#: Factor either way by which the tempo may leave that of the piece as it moves.
REACH = 1.45
#: Cost of the next window's tempo for each step on the grid between them, and at most (a new piece begins).
MOVING, JUMP = 0.8, 6.0


@dataclass(frozen=True)
class Tempo:
    """The tempo of a piece.

    Attributes
    ----------
    bpm : float or None
        Beats a minute; None where there is no tempo, or none that is likely.
    confidence : float
        Probability that it is right within 4 %, octaves counted as wrong; of the best one, where `bpm` is None.
    alternatives : tuple of (float, float)
        Other readings in beats a minute with their probability, the likeliest first.
    path : ndarray of float, shape (n, 2)
        Middles of windows in seconds, and the tempo there: coarse, for the beats to follow.
    """

    bpm: float | None
    confidence: float
    alternatives: tuple[tuple[float, float], ...]
    path: NDArray[np.float64]


NOTHING = Tempo(None, 0.0, (), np.empty((0, 2)))


def tempo(curve: OnsetCurve) -> Tempo:
    """The tempo of a piece from its onset curves."""
    if curve.seconds < LEAST_SECONDS or len(periodicity.onset_places(curve)) < LEAST_ONSETS:
        return NOTHING
    heard = periodicity.Heard(curve)
    if not heard.windows:
        return NOTHING
    chances = octaves.load().probabilities(heard.features())
    near = np.convolve(chances[:-1], np.ones(2 * octaves.SAME + 1), "same")
    best = int(near.argmax())
    bpm = _refined(heard, _centre(chances[:-1], best))
    confidence = octaves.probability(chances, bpm)
    if confidence < LEAST or chances[-1] > confidence:
        return Tempo(None, confidence, (), np.empty((0, 2)))
    others = ((bpm * ratio, octaves.probability(chances, bpm * ratio)) for ratio in RATIOS)
    listed = sorted(((at, chance) for at, chance in others if chance >= UNLISTED), key=lambda each: -each[1])
    return Tempo(bpm, confidence, tuple(listed), _path(heard, bpm))


def _centre(chances: NDArray[np.float64], best: int) -> float:
    around = slice(max(0, best - octaves.SAME), best + octaves.SAME + 1)
    weights = chances[around]
    return float(np.exp(np.average(np.log(GRID[around]), weights=weights + 1e-12)))


def _refined(heard: periodicity.Heard, bpm: float) -> float:
    """The tempo nearby at whose beats, and at two to eight of them, the piece repeats itself most."""
    tried = bpm * (1 + np.arange(-REFINED, REFINED + FINE / 2, FINE))
    lags = heard.repeats
    scores = np.zeros(len(tried))
    for times in (1, 2, 3, 4, 8):
        places = times * 60 / tried * CURVE_RATE
        if places.max() < len(lags) - 1:
            scores += np.interp(places, np.arange(len(lags)), lags)
    return float(tried[scores.argmax()]) if scores.any() else bpm


def _path(heard: periodicity.Heard, bpm: float) -> NDArray[np.float64]:
    """Tempo of each window: the likeliest way through all of them, near the tempo of the piece."""
    network = octaves.load()
    allowed = np.flatnonzero(np.abs(np.log(GRID / bpm)) < np.log(REACH))
    middles = np.array([(start + end) / 2 / CURVE_RATE for start, end in heard.windows])
    if len(middles) < 2:
        return np.array([[middles[0], bpm]])
    chances = np.array([network.probabilities(heard.features(place))[allowed] for place in range(len(middles))])
    gains = np.log(chances + 1e-6)
    costs = np.minimum(MOVING * np.abs(allowed[:, None] - allowed), JUMP)
    total, came = gains[0], []
    for gain in gains[1:]:
        ways = total[:, None] - costs
        came.append(ways.argmax(axis=0))
        total = ways.max(axis=0) + gain
    way = [int(total.argmax())]
    for from_ in reversed(came):
        way.append(int(from_[way[-1]]))
    tempos = GRID[allowed[way[::-1]]]
    steady = np.abs(np.log(tempos / bpm)) < np.log(1.03)
    return np.stack([middles, np.where(steady, bpm, tempos)], axis=1)
