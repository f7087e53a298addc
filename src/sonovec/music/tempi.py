"""Tempos: how far they lie apart, ranges of them, and the ratios that listeners and programs confuse."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from sonovec.errors import UsageError

#: Slowest and fastest that is heard or asked for, in beats a minute.
SLOWEST, FASTEST = 20.0, 400.0
#: What a tempo is taken for where it is not heard as itself.
RATIOS = (1 / 2, 2.0, 2 / 3, 3 / 2, 3 / 4, 4 / 3, 4 / 5)
_RANGE = re.compile(r"([\d.]+)\s*(?:\.\.|-)\s*([\d.]+)")


class TempoRange(NamedTuple):
    """A range of tempos in beats a minute, both ends included."""

    slowest: float
    fastest: float

    def __contains__(self, tempo: object) -> bool:
        return isinstance(tempo, int | float) and self.slowest <= tempo <= self.fastest


def distance(one: float, other: float, octaves: bool = False) -> float:
    """How far two tempos lie apart, in octaves: 1 between a tempo and its double; 0 there, too, with `octaves`.

    Examples
    --------
    >>> distance(60, 120), distance(60, 120, octaves=True), round(distance(118, 126), 3)
    (1.0, 0.0, 0.095)
    """
    apart = abs(math.log2(one / other))
    return abs(apart - round(apart)) if octaves else apart


def parse_range(text: str) -> TempoRange:
    """Read a range such as ``118..126``.

    Raises
    ------
    UsageError
        If the text is no range, its ends are the wrong way round, or nothing has such a tempo.

    Examples
    --------
    >>> parse_range("118..126")
    TempoRange(slowest=118.0, fastest=126.0)
    >>> parse_range("126..118")
    Traceback (most recent call last):
    sonovec.errors.UsageError: '126..118': give two tempos from 20 to 400, the slower one first, such as 118..126
    """
    found = _RANGE.fullmatch(text.strip())
    try:
        slowest, fastest = (float(each) for each in found.groups()) if found else (0.0, 0.0)
    except ValueError:
        slowest = fastest = 0.0
    if not SLOWEST <= slowest <= fastest <= FASTEST:
        raise UsageError(
            f"{text!r}: give two tempos from {SLOWEST:.0f} to {FASTEST:.0f}, the slower one first, such as 118..126"
        )
    return TempoRange(slowest, fastest)
