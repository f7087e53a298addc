"""Windows in which nobody speaks are left out; the others keep their places."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.resample import Resampler
from sonovec.audio.windows import Windows
from sonovec.cleaning.silero import HOP, RATE, Listener
from sonovec.cleaning.voice import Rules, Turns
from sonovec.words import counted


class Voiced:
    """Listens for voices in one sound while it is decoded, and lets windows through in which somebody speaks.

    Of a sound without speech the loudest window is let through, so that no sound yields nothing.

    Parameters
    ----------
    rate : int
        Samples a second of the sound.

    Attributes
    ----------
    notes : list of str
        How many windows were left out; complete behind the last window.
    """

    def __init__(self, rate: int) -> None:
        self.notes: list[str] = []
        self._rate = rate
        self._resampler = Resampler(rate, RATE)
        self._listener, self._rules = Listener(), Rules()
        self._turns = Turns(self._rules)
        self._taken = self._heard = 0  # samples at `RATE`
        self._speech: deque[tuple[float, float]] = deque()  # that is over, and may lie in windows to come; seconds
        self._going: tuple[float, float] | None = None  # speech that goes on, as far as it is sure
        self._known = 0.0  # seconds up to which all is known
        self._waiting: deque[Windows] = deque()
        self._count = self._kept = 0
        self._loudest: Windows | None = None

    def hear(self, block: NDArray[np.float32]) -> None:
        """Listen to the next samples of the sound."""
        self._hear(self._resampler.process(block))

    def end(self) -> None:
        """Know that the sound has ended."""
        self._hear(self._resampler.flush())
        self._take(self._listener.finish())
        self._tell(self._turns.finish(self._taken))
        self._going, self._known = None, math.inf

    def _hear(self, block: NDArray[np.float32]) -> None:
        self._taken += len(block)
        self._take(self._listener.push(block))

    def _take(self, probabilities: NDArray[np.float32]) -> None:
        """Note what is known of speech; of one that goes on without a pause, too, for it may do so for hours."""
        self._tell(self._turns.push(probabilities))
        self._heard += len(probabilities) * HOP
        began, sure = self._turns.began, self._heard / RATE - self._rules.pause
        going = began is not None and sure - began / RATE >= self._rules.shortest + self._rules.padding
        self._going = (began / RATE, sure) if going and began is not None else None
        self._known = sure if going else self._turns.known / RATE

    def _tell(self, stretches: Iterable[tuple[int, int]]) -> None:
        self._speech.extend((start / RATE, end / RATE) for start, end in stretches)

    def push(self, group: Windows) -> Iterator[Windows]:
        """Take the next windows of what was heard, and let those through that are known to have speech."""
        self._waiting.append(group)
        while self._waiting and self._waiting[0].ends[-1] <= self._known * self._rate:
            yield from self._let(self._waiting.popleft())

    def finish(self) -> Iterator[Windows]:
        """Give the rest, when the sound has ended and no windows follow."""
        while self._waiting:
            yield from self._let(self._waiting.popleft())
        if not self._kept and self._loudest is not None:
            yield self._loudest
            kept_one = f": of {counted(self._count, 'window')} only the loudest is kept" if self._count > 1 else ""
            self.notes.append(f"nobody speaks in it{kept_one}")
        elif self._kept < self._count:
            left_out = self._count - self._kept
            self.notes.append(f"{left_out} of {counted(self._count, 'window')} left out: nobody speaks in them")

    def _let(self, group: Windows) -> Iterator[Windows]:
        """Let windows through in which somebody speaks; all is known of them."""
        self._count += len(group)
        if not self._kept:
            best = group.cut(np.array([np.argmax(group.levels)]))
            if self._loudest is None or best.levels[0] > self._loudest.levels[0]:
                self._loudest = best
        spoken = self._spoken(group)
        if spoken.any():
            self._kept += int(spoken.sum())
            yield group.cut(spoken)

    def _spoken(self, group: Windows) -> NDArray[np.bool_]:
        """Which windows somebody speaks in; windows to come begin behind those."""
        starts, ends = group.starts / self._rate, group.ends / self._rate
        spoken = np.zeros(len(group), np.bool_)
        for start, end in [*self._speech, *([self._going] if self._going else [])]:
            spoken |= (starts < end) & (ends > start)
        while self._speech and self._speech[0][1] <= starts[-1]:
            self._speech.popleft()
        return spoken
