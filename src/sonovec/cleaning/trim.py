"""Silence at the beginning and at the end of a sound is cut off, by level; what lies between stays, pauses included.

A frame sounds if its level is within `BELOW` decibels of the loudest frame, and it is not digital silence. A stream does not
know its loudest frame yet: the loudest up to `REACH` seconds ahead counts. So a sound of up to that length is cut by its own
loudest frame, wherever it lies. Silence that may be the end is held back for as long at most; of a longer one the last
`REACH` seconds are cut off. Both bound the memory, and the result does not depend on the sizes of the blocks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import SILENCE_PEAK
from sonovec.cleaning.pieces import Pieces
from sonovec.cleaning.step import Step

#: Decibels below the loudest frame from which on a frame is silence.
BELOW = 40.0
#: What the passport calls it.
NAME = f"-{BELOW:.0f}dB"
#: Seconds that are looked ahead, and that are held back.
REACH = 60
#: Seconds of silence that stay before the first sound and behind the last.
MARGIN = 0.1
#: Frames a second.
FRAMES = 50


class Trimmer(Step):
    """Trims one sound.

    Parameters
    ----------
    rate : int
        Samples a second.

    Attributes
    ----------
    start, cut : int
        Samples that were cut off at the beginning, known once the first block was given, and at the end.

    Examples
    --------
    >>> trimmer = Trimmer(8000)
    >>> silence, tone = np.zeros(8000, np.float32), np.sin(np.arange(8000, dtype=np.float32))
    >>> sum(len(block) for block in trimmer.blocks([silence, tone, silence])), trimmer.start, trimmer.cut
    (9600, 7200, 7200)
    >>> trimmer.notes
    ['silence cut off: 0.9 s at the beginning, 0.9 s at the end']
    """

    def __init__(self, rate: int) -> None:
        self.start = self.cut = 0
        self._rate = rate
        self._frame = max(1, rate // FRAMES)
        self._margin = round(MARGIN * rate)
        self._begun = False
        self._held: deque[NDArray[np.float32]] = deque()  # what may be an end
        self._place = 0  # of the first sample that is held
        self._pieces = Pieces(self._frame * FRAMES)
        self._ahead: deque[tuple[NDArray[np.float32], NDArray[np.float64]]] = deque()
        self._loudest = -math.inf

    @property
    def notes(self) -> list[str]:
        """What was cut off; complete behind the last block."""
        if not self._begun:
            return ["silent throughout: not trimmed" + (f", but for its last {REACH} s" if self.start else "")]
        start, cut = (f"{samples / self._rate:.3g} s" for samples in (self.start, self.cut))
        return [f"silence cut off: {start} at the beginning, {cut} at the end"] if self.start or self.cut else []

    def push(self, block: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take the next samples, and give what is left of them; of silence throughout nothing up to its last minute."""
        for piece in self._pieces.push(block):
            yield from self._next(piece)

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Give the rest, without the silence at its end."""
        for piece in self._pieces.finish():
            yield from self._next(piece)
        for piece, levels in self._ahead:
            yield from self._take(piece, levels, self._loudest)
        yield from self._end()

    def _next(self, piece: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        levels = _levels(piece, self._frame)
        self._loudest = max(self._loudest, float(levels.max()))
        self._ahead.append((piece, levels))
        if len(self._ahead) > REACH:
            yield from self._take(*self._ahead.popleft(), self._loudest)

    def _take(
        self, piece: NDArray[np.float32], levels: NDArray[np.float64], loudest: float
    ) -> Iterator[NDArray[np.float32]]:
        """Hold a piece, and give what is known now to be no end."""
        self._held.append(piece)
        sounding = np.flatnonzero(np.isfinite(levels) & (levels >= loudest - BELOW)) * self._frame
        if len(sounding):
            before = len(piece)
            held = np.concatenate(self._held)
            first = len(held) - before + int(sounding[0])
            end = min(len(held), len(held) - before + int(sounding[-1]) + self._frame)
            if self._begun:
                first = 0
            else:
                first = max(0, first - self._margin)
                self._begun, self.start = True, self._place + first
            yield held[first:end]
            self._held = deque([held[end:]])
            self._place += end
        while sum(map(len, self._held)) > REACH * self._rate:
            oldest = self._held.popleft()
            self._place += len(oldest)
            if self._begun:
                yield oldest

    def _end(self) -> Iterator[NDArray[np.float32]]:
        """Give what is kept of what is held when nothing more will come."""
        if not self._held:
            return
        held = np.concatenate(self._held)
        kept = self._margin if self._begun else len(held)
        self.cut = max(0, len(held) - kept)
        if not self._begun:
            self.start = self._place
        if kept and len(held):
            yield held[:kept]


def _levels(piece: NDArray[np.float32], frame: int) -> NDArray[np.float64]:
    """Mean power of each frame in decibels; -inf where it is digital silence."""
    whole = np.pad(piece, (0, -len(piece) % frame)).reshape(-1, frame).astype(np.float64)
    silent = np.abs(whole).max(axis=1) < SILENCE_PEAK
    with np.errstate(divide="ignore"):
        levels = 10 * np.log10(np.mean(np.square(whole), axis=1))
    return np.where(silent, -np.inf, levels)
