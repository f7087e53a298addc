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

    def listened(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Give blocks on, and listen to them."""
        for block in blocks:
            self._hear(self._resampler.process(block))
            yield block
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

    def kept(self, groups: Iterable[Windows]) -> Iterator[Windows]:
        """Let windows through that were cut out of what was listened to."""
        count = kept = 0
        loudest: Windows | None = None
        for group in self._settled(groups):
            count += len(group)
            if not kept:
                best = group.cut(np.array([np.argmax(group.levels)]))
                loudest = best if loudest is None or best.levels[0] > loudest.levels[0] else loudest
            spoken = self._spoken(group)
            if spoken.any():
                kept += int(spoken.sum())
                yield group.cut(spoken)
        if not kept and loudest is not None:
            yield loudest
            kept_one = f": of {counted(count, 'window')} only the loudest is kept" if count > 1 else ""
            self.notes.append(f"nobody speaks in it{kept_one}")
        elif kept < count:
            self.notes.append(f"{count - kept} of {counted(count, 'window')} left out: nobody speaks in them")

    def _settled(self, groups: Iterable[Windows]) -> Iterator[Windows]:
        """Give groups as soon as all is known of the speech in them."""
        waiting: deque[Windows] = deque()
        for group in groups:
            waiting.append(group)
            while waiting and waiting[0].ends[-1] <= self._known * self._rate:
                yield waiting.popleft()
        yield from waiting

    def _spoken(self, group: Windows) -> NDArray[np.bool_]:
        """Which windows somebody speaks in; windows to come begin behind those."""
        starts, ends = group.starts / self._rate, group.ends / self._rate
        spoken = np.zeros(len(group), np.bool_)
        for start, end in [*self._speech, *([self._going] if self._going else [])]:
            spoken |= (starts < end) & (ends > start)
        while self._speech and self._speech[0][1] <= starts[-1]:
            self._speech.popleft()
        return spoken
