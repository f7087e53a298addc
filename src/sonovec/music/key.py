"""The key of a piece, by how much each pitch class sounds in it: profiles of the degrees of major and minor, rotated."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec.music.keys import Key, Mode
from sonovec.paths import atomic

Array = NDArray[np.float64]
MODES: tuple[Mode, Mode] = "major", "minor"
_TABLE = Path(__file__).with_name("key.csv")


@dataclass(frozen=True)
class Profiles:
    """Weights of the twelve degrees from the tonic on, of major and of minor, and what minor gets beside.

    Attributes
    ----------
    weights : array, shape (2, 12), float64
    minor : float
        Added to the scores of all minor keys.
    """

    weights: Array
    minor: float = 0.0

    @staticmethod
    def rotated(classes: Array) -> Array:
        """Pitch classes (n, 12) as degrees of each tonic (n, 12 tonics, 12 degrees).

        Examples
        --------
        >>> Profiles.rotated(np.arange(12.0)[None])[0, 2, :3].tolist()
        [2.0, 3.0, 4.0]
        """
        tonic, degree = np.arange(12)[:, None], np.arange(12)
        return classes[:, (tonic + degree) % 12]

    def save(self, path: Path) -> None:
        """Write a table with a row for each mode."""
        with atomic(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["mode", "added", *range(12)])
            for mode, added, weights in zip(MODES, (0.0, self.minor), self.weights, strict=True):
                rows.writerow([mode, f"{added:.5g}", *(f"{weight:.5g}" for weight in weights)])

    @staticmethod
    def load(path: Path) -> Profiles:
        """Read such a table."""
        with path.open(newline="", encoding="utf-8") as file:
            major, minor = csv.DictReader(file)
        weights = np.array([[float(row[str(degree)]) for degree in range(12)] for row in (major, minor)])
        return Profiles(weights, float(minor["added"]))


@cache
def trained() -> Profiles:
    """Our own, which `training/key.py` fits to songs."""
    return Profiles.load(_TABLE)


def _published(major: str, minor: str) -> Profiles:
    """Profiles that are correlated with pitch classes."""
    weights = np.array([[float(number) for number in mode.split()] for mode in (major, minor)])
    return Profiles(weights)


#: What others found, for comparison; each is to be correlated with pitch classes (`correlate`).
PUBLISHED: Mapping[str, Profiles] = {
    # Krumhansl and Kessler, 1982: how well listeners find that a tone fits
    "krumhansl": _published(
        "6.35 2.23 3.48 2.33 4.38 4.09 2.52 5.19 2.39 3.66 2.29 2.88",
        "6.33 2.68 3.52 5.38 2.60 3.53 2.54 4.75 3.98 2.69 3.34 3.17",
    ),
    # Temperley, "Music and Probability", 2007: how many stretches of classical music have the tone
    "temperley": _published(
        ".748 .060 .488 .082 .670 .460 .096 .715 .104 .366 .057 .400",
        ".712 .084 .474 .618 .049 .460 .105 .747 .404 .067 .133 .330",
    ),
    # Albrecht and Shanahan, "The use of large corpora to train a new type of key-finding algorithm", 2013
    "albrecht-shanahan": _published(
        ".238 .006 .111 .006 .137 .094 .016 .214 .009 .080 .008 .081",
        ".220 .006 .104 .123 .019 .103 .012 .214 .062 .022 .061 .052",
    ),
}


def correlate(classes: Array, profiles: Profiles) -> Array:
    """Correlations (n, 2, 12) of pitch classes (n, 12) with profiles of all keys, after Krumhansl and Schmuckler."""
    weights = profiles.weights - profiles.weights.mean(axis=1, keepdims=True)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    rotated = Profiles.rotated(classes - classes.mean(axis=1, keepdims=True))
    length = np.maximum(np.linalg.norm(rotated, axis=2, keepdims=True), 1e-12)
    return np.asarray(np.einsum("ntd,md->nmt", rotated / length, weights))


def logits(classes: Array, profiles: Profiles) -> Array:
    """Scores (n, 2, 12) of keys, major and minor by tonic, for pitch classes (n, 12) that sum to 1."""
    scores = np.einsum("ntd,md->nmt", Profiles.rotated(classes), profiles.weights)
    return np.asarray(scores + np.array([0.0, profiles.minor])[:, None])


def probabilities(scores: Array) -> Array:
    """Softmax over the keys of each row, shape (n, 2, 12)."""
    raised = np.exp(scores - scores.max(axis=(1, 2), keepdims=True))
    return np.asarray(raised / raised.sum(axis=(1, 2), keepdims=True))


def best(scores: Array) -> list[Key]:
    """The keys with the highest of scores (n, 2, 12).

    Examples
    --------
    >>> chords = np.array([[1.0, 0, 0.3, 0, 0.8, 0.3, 0, 0.9, 0, 0.4, 0, 0.3]])
    >>> [str(best(correlate(np.roll(chords, up), PUBLISHED["krumhansl"]))[0]) for up in (0, 6)]
    ['C major', 'F# major']
    """
    places = scores.reshape(len(scores), -1).argmax(axis=1)
    return [Key(int(place % 12), MODES[place // 12]) for place in places]
