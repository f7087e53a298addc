"""What a sound needs to fit another: how much it is stretched, by how many semitones it is moved, and its whole bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from sonovec.music.keys import Key, compatible, distance

#: A loop of twice or half the tempo fits beat on beat.
OCTAVES = (1.0, 0.5, 2.0)
#: Semitones in an octave; more than half of them is the other way round.
SEMITONES = 12
#: A length that is so near to a whole number of beats, in beats, is one.
NEAR_BEAT = 0.1


class Stretch(NamedTuple):
    """How a tempo becomes another.

    `percent` is how much faster it is played, negative where it is slower. `ratio` is what it then is of the wanted tempo:
    1, or 0.5 or 2 where it fits at half or double tempo.
    """

    percent: float
    ratio: float


def stretch(tempo: float, wanted: float) -> Stretch:
    """The least that a tempo is stretched to be the wanted one, its half or its double.

    Examples
    --------
    >>> stretch(100, 103), stretch(70, 140), stretch(61, 120).ratio, round(stretch(61, 120).percent, 2)
    (Stretch(percent=3.0, ratio=1.0), Stretch(percent=0.0, ratio=0.5), 0.5, -1.64)
    """
    found = [Stretch(round(100 * (ratio * wanted / tempo - 1), 6), ratio) for ratio in OCTAVES]
    return min(found, key=lambda each: abs(math.log(1 + each.percent / 100)))


def transposition(key: Key, wanted: Key) -> int:
    """The fewest semitones that a key is moved to mix with another, negative downwards; 0 where it mixes as it is.

    Of two that are as few, the one that comes nearer on the Camelot wheel counts.

    Examples
    --------
    >>> from sonovec.music.keys import parse
    >>> [transposition(parse(each), parse("A minor")) for each in ("C", "E minor", "G# minor", "Bb minor", "F# major")]
    [0, 0, 1, -1, 6]
    """
    found = [move for move in range(-(SEMITONES // 2 - 1), SEMITONES // 2 + 1) if compatible(moved(key, move), wanted)]
    return min(found, key=lambda move: (abs(move), distance(moved(key, move), wanted), -move))


def moved(key: Key, semitones: int) -> Key:
    """A key, so many semitones higher.

    Examples
    --------
    >>> str(moved(Key(11, "minor"), 2))
    'C# minor'
    """
    return Key((key.tonic + semitones) % SEMITONES, key.mode)


def whole_beats(seconds: float, tempo: float) -> int | None:
    """How many beats a length holds, where that is a whole number from 1 on; None otherwise.

    Examples
    --------
    >>> whole_beats(8.0, 120), whole_beats(8.2, 120), whole_beats(0.1, 120)
    (16, None, None)
    """
    beats = seconds * tempo / 60
    nearest = round(beats)
    return nearest if nearest >= 1 and abs(beats - nearest) <= NEAR_BEAT else None


def seconds_in(text: object) -> list[float]:
    """Seconds of a column such as `beats`, in order; none where it holds no such text.

    Examples
    --------
    >>> seconds_in("0.50 1.00 1.50"), seconds_in(None), seconds_in("none")
    ([0.5, 1.0, 1.5], [], [])
    """
    try:
        return sorted(float(each) for each in text.split()) if isinstance(text, str) else []
    except ValueError:
        return []


def bar_range(downbeats: Sequence[float], start: float, end: float) -> tuple[float, float, int] | None:
    """The whole bars nearest to some seconds, and how many they are; None where there is not one.

    Examples
    --------
    >>> bar_range([0.0, 2.0, 4.0, 6.0], 1.7, 6.2), bar_range([0.0, 2.0], 5.0, 9.0), bar_range([], 0, 4)
    ((2.0, 6.0, 2), None, None)
    """
    if len(downbeats) < 2:
        return None
    first = min(range(len(downbeats)), key=lambda n: (abs(downbeats[n] - start), n))
    last = min(range(len(downbeats)), key=lambda n: (abs(downbeats[n] - end), n))
    return (downbeats[first], downbeats[last], last - first) if last > first else None
