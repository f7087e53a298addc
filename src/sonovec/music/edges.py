"""Where a piece starts and ends, and how long it fades: for mixing, and for playing without gaps.

What is kept is when the level first and last passed each decibel, so that memory does not grow with the piece.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Field
from sonovec.music import columns
from sonovec.music.part import RATE

Array = NDArray[np.float64]

#: Samples of a step, 11 ms, and steps of a block, 0.4 s.
STEP, BLOCK = 245, 36
#: Levels in dB of full scale that are watched, lowest first.
LEVELS = np.arange(-100.0, 4.0)
#: Sound is above this, and at most so many dB below the level of the piece.
SILENCE, DEPTH = -80.0, 50.0
#: A fade goes over so many dB, to so many below the level of the piece, and takes at least so many seconds.
FADE_DEPTH, FADE_TOP, LEAST_FADE = 30.0, 3.0, 1.5
#: How far it may be from even, in shares of its length; the level of a piece that begins softly jumps.
MOST_UNEVEN = 0.35
#: What is this much softer than the loudest block does not tell the level of a piece, in dB.
GATE = 20.0


class _Passed:
    """First and last number of a row of levels that was at or above each of `LEVELS`; -1 for none."""

    def __init__(self) -> None:
        self.first = np.full(len(LEVELS), -1)
        self.last = np.full(len(LEVELS), -1)

    def hear(self, powers: Array, begin: int) -> None:
        """Take the next powers (n,), the first of which has the number `begin`."""
        if not len(powers):
            return
        reached = np.searchsorted(LEVELS, decibels(powers), side="right")
        for levels, turned, numbers in (
            (self.first, np.maximum.accumulate(reached), begin + np.arange(len(powers))),
            (self.last, np.maximum.accumulate(reached[::-1]), begin + np.arange(len(powers))[::-1]),
        ):
            place = np.searchsorted(turned, np.arange(1, len(LEVELS) + 1))
            found = place < len(powers)
            new = found & (levels < 0) if levels is self.first else found
            levels[new] = numbers[place[new]]


def decibels(powers: Array) -> Array:
    """Powers in dB of full scale.

    Examples
    --------
    >>> decibels(np.array([1.0, 0.01, 0.0])).tolist()
    [0.0, -20.0, -200.0]
    """
    return np.asarray(10 * np.log10(np.maximum(powers, 1e-20)))


class Edges:
    """Columns `sound_start`, `sound_end`, `fade_in` and `fade_out`, in seconds; empty for silence.

    The level of a piece is the mean power of its blocks of 0.4 s that are at most 20 dB below the loudest one. Sound starts
    and ends where 11 ms are first and last within 50 dB of that level, and above -80 dB of full scale.

    A fade goes from the start until blocks are first within 3 dB of the level of the piece, and likewise to the end. It is
    one if it takes 1.5 s or more from 33 dB below that level on, and is even, in dB or in amplitude. A soft beginning is
    none, for the level jumps there. A last chord that dies away is one.

    Examples
    --------
    >>> edges = Edges()
    >>> edges.push(np.concatenate([np.zeros(RATE), 0.1 * np.ones(3 * RATE), np.zeros(RATE)]).astype(np.float32))
    >>> edges.finish()
    {'sound_start': 1.0, 'sound_end': 4.0, 'fade_in': 0.0, 'fade_out': 0.0}
    """

    fields: ClassVar[tuple[Field, ...]] = tuple(
        Field(name, float, "scalar")
        for name in (columns.SOUND_START, columns.SOUND_END, columns.FADE_IN, columns.FADE_OUT)
    )

    def __init__(self) -> None:
        self._rest = np.empty(0, np.float32)
        self._steps, self._samples = 0, 0
        self._powers = np.empty(0)  # of the steps of the block that is not full yet
        self._of_steps, self._of_blocks = _Passed(), _Passed()
        self._sums, self._counts = np.zeros(len(LEVELS) + 1), np.zeros(len(LEVELS) + 1, int)

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear the next samples (n,), of any number."""
        self._samples += len(block)
        samples = np.concatenate([self._rest, block])
        count = len(samples) // STEP
        self._rest = samples[count * STEP :]
        self._hear((samples[: count * STEP].reshape(count, STEP).astype(np.float64) ** 2).mean(axis=1))

    def _hear(self, powers: Array) -> None:
        self._of_steps.hear(powers, self._steps)
        begin = self._steps // BLOCK
        self._steps += len(powers)
        held = np.concatenate([self._powers, powers])
        count = len(held) // BLOCK
        self._powers = held[count * BLOCK :]
        blocks = held[: count * BLOCK].reshape(count, BLOCK).mean(axis=1)
        self._of_blocks.hear(blocks, begin)
        place = np.searchsorted(LEVELS, decibels(blocks), side="right")
        np.add.at(self._sums, place, blocks)
        np.add.at(self._counts, place, 1)

    def finish(self) -> Mapping[str, Any]:
        """Say where it starts and ends."""
        if len(self._rest):
            self._hear(np.array([(self._rest.astype(np.float64) ** 2).sum() / STEP]))
        if len(self._powers):
            self._hear(np.zeros(BLOCK - len(self._powers)))
        names = [field.name for field in self.fields]
        if not self._sums[1:].any():
            return dict.fromkeys(names)
        level = self._level()
        least = np.searchsorted(LEVELS, max(SILENCE, level - DEPTH))
        first, last = (int(each[least]) for each in (self._of_steps.first, self._of_steps.last))
        if first < 0:
            return dict.fromkeys(names)
        start = first * STEP / RATE
        end = min((last + 1) * STEP, self._samples) / RATE
        block, top = BLOCK * STEP / RATE, np.searchsorted(LEVELS, level - FADE_TOP)
        into, out = self._of_blocks.first, self._of_blocks.last
        fades = (
            max(0.0, into[top] * block - start) if _is_even(into, level) else 0.0,
            max(0.0, end - (out[top] + 1) * block) if _is_even(-out, level) else 0.0,
        )
        return dict(zip(names, (round(float(each), 3) for each in (start, end, *fades)), strict=True))

    def _level(self) -> float:
        """The level of the piece, in dB."""
        loudest = int(np.flatnonzero(self._counts)[-1])
        among = slice(max(1, loudest - int(GATE)), None)
        return float(decibels(self._sums[among].sum() / self._counts[among].sum()))


def _is_even(passed: NDArray[np.int64], level: float) -> bool:
    """Whether blocks pass the levels of a fade evenly, by their numbers, which grow with the levels."""
    top = int(np.searchsorted(LEVELS, level - FADE_TOP))
    bottom = max(0, int(np.searchsorted(LEVELS, level - FADE_TOP - FADE_DEPTH)))
    times = passed[bottom : top + 1] * (BLOCK * STEP / RATE)
    length = float(times[-1] - times[0])
    if len(times) < FADE_DEPTH or length < LEAST_FADE:
        return False
    share = (times - times[0]) / length
    even = np.linspace(0, 1, len(share))
    in_amplitude = (10 ** (even * FADE_DEPTH / 20) - 1) / (10 ** (FADE_DEPTH / 20) - 1)
    return min(float(np.abs(share - shape).max()) for shape in (even, in_amplitude)) <= MOST_UNEVEN
