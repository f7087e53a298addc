"""What it costs to go from one track to the next: how far their sounds, tempos and keys lie apart, each by its weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.library.playlist.songs import Song, vectors_of
from sonovec.vectors import similarity

Floats = NDArray[np.float64]

#: Tempos cannot lie farther apart, in octaves, where a tempo and its double are alike.
FARTHEST_TEMPO = 0.5
#: Steps on the Camelot wheel from which on keys are as foreign as any.
FARTHEST_KEY = 4
#: Places on the Camelot wheel.
HOURS = 12
#: What a step costs where a tempo or key is not known: neither near nor far.
UNKNOWN = 0.5


@dataclass(frozen=True)
class Weights:
    """How much each distance counts.

    Attributes
    ----------
    sound : float
        Of the cosine distance of the vectors, 1 for two tracks of the library that have nothing to do with each other.
    tempo : float
        Of the distance of the tempos, 1 for half an octave; a tempo and its double are alike.
    key : float
        Of the steps on the Camelot wheel, 1 for four or more.

    Examples
    --------
    >>> Weights.of({"key": 2})
    Weights(sound=1.0, tempo=1.0, key=2.0)
    >>> Weights.of({"mood": 1})
    Traceback (most recent call last):
    sonovec.errors.UsageError: weights: there is no 'mood'; give some of sound, tempo, key, such as key=2
    """

    sound: float = 1.0
    tempo: float = 1.0
    key: float = 1.0

    @classmethod
    def of(cls, given: Mapping[str, float] | None) -> Weights:
        """The usual ones, but for those that are given.

        Raises
        ------
        UsageError
            A name is unknown, or a weight is no finite number from 0 on, or all of them are 0.
        """
        names = [each.name for each in fields(cls)]
        for name, weight in (given or {}).items():
            if name not in names:
                raise UsageError(f"weights: there is no {name!r}; give some of {', '.join(names)}, such as key=2")
            if not (math.isfinite(weight) and weight >= 0):
                raise UsageError(f"weights: {name}={weight}: give a number from 0 on, such as {name}=2")
        weights = cls(**{name: float(weight) for name, weight in (given or {}).items()})
        if not any(asdict(weights).values()):
            raise UsageError("weights: all are 0, so every order is as good; give one of them more, such as sound=1")
        return weights


@dataclass(frozen=True, eq=False)
class Steps:
    """The distances of some songs: `sound`, `tempo` and `key`, each (n, n), nan where one of them is not known.

    `compatible` (n, n) says which keys mix, as disc jockeys have it; unknown ones do not.
    """

    sound: Floats
    tempo: Floats
    key: Floats
    compatible: NDArray[np.bool_]

    @classmethod
    def of(cls, songs: Sequence[Song], unrelated: float) -> Steps:
        """The distances of songs; `unrelated` is the cosine distance of any two tracks of the library."""
        vectors = vectors_of(songs)
        sound = np.maximum(0.0, 1 - similarity(vectors, vectors)) / unrelated
        np.fill_diagonal(sound, 0.0)
        octaves = np.log2([song.tempo if song.tempo is not None else np.nan for song in songs])
        apart = np.abs(octaves[:, None] - octaves)
        tempo = np.abs(apart - np.round(apart)) / FARTHEST_TEMPO
        wheel = _wheel(songs)
        return cls(sound, tempo, np.minimum(1.0, wheel / FARTHEST_KEY), wheel <= 1)

    def cost(self, weights: Weights) -> Floats:
        """What each step costs, (n, n)."""
        terms = ((weights.sound, self.sound), (weights.tempo, self.tempo), (weights.key, self.key))
        cost = np.sum([weight * np.where(np.isnan(term), UNKNOWN, term) for weight, term in terms], axis=0)
        np.fill_diagonal(cost, 0.0)
        return np.asarray(cost)


def _wheel(songs: Sequence[Song]) -> Floats:
    """`sonovec.music.keys.distance` of all pairs, (n, n)."""
    hours = np.array([np.nan if song.key is None else song.key.hour for song in songs])
    is_minor = np.array([song.key is not None and song.key.mode == "minor" for song in songs])
    apart = np.abs(hours[:, None] - hours)
    return np.asarray(np.minimum(apart, HOURS - apart) + (is_minor[:, None] != is_minor), np.float64)
