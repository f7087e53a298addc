"""A sound of any length is cut into stretches that a recogniser hears at once, and only where somebody speaks.

Turns of speech that follow each other are put into one stretch as long as they fit; a long pause between them is
shortened. A turn that is longer than a stretch is cut where speech is least probable; if nobody pauses there, the
two parts overlap, and `sonovec.speech.stitching` joins what was heard in them. Where the cuts are depends on the sound alone,
not on the blocks that it comes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonovec.cleaning.silero import HOP, RATE, Listener
from sonovec.cleaning.voice import Rules, Turns

#: Turns end at such pauses, in seconds; they are padded here, where the sound behind them is known.
RULES = Rules(pause=0.3, padding=0.0)
#: Samples of silence that stay before and behind a turn.
EDGE = round(0.3 * RATE)
#: Samples that two parts of a turn that does not pause have in common, at each side of the cut: a second.
OVERLAP = 32 * HOP
#: Samples that are let go of at once.
FORGOTTEN = 10 * RATE
#: Probabilities that are averaged to find where speech is least probable: a pause of 160 ms.
SMOOTH = 5

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """A turn, or a part of one, in a stretch; all in samples.

    Attributes
    ----------
    offset, length : int
        Where it lies in the stretch.
    start : int
        Where that is in the sound.
    begins, ends : int
        Where the speech in it begins and ends in the sound.
    """

    offset: int
    length: int
    start: int
    begins: int
    ends: int


@dataclass(frozen=True, eq=False)
class Stretch:
    """What a recogniser hears at once.

    Attributes
    ----------
    samples : array, float32, shape (n,)
        At 16 kHz.
    places : tuple of Place
        What it is made of, in the order of time.
    joins : int or None
        Where it was cut while somebody spoke, in samples of the sound: the next stretch holds the seconds around it, too.
    """

    samples: Samples
    places: tuple[Place, ...]
    joins: int | None = None


@dataclass(frozen=True)
class _Turn:
    """Speech from one place to another, in samples, the sound that is heard with it, and where it was cut in a word."""

    begins: int
    ends: int
    start: int
    end: int
    joins: int | None = None


class Cutter:
    """Cuts one sound.

    Parameters
    ----------
    longest : float
        Seconds of a stretch.
    together : bool
        Put several turns into one stretch where they fit; without it each is a stretch of its own, as soon as it is over.

    Examples
    --------
    >>> cutter = Cutter(30.0)
    >>> cutter.push(np.zeros(64000, np.float32)), cutter.finish()
    ([], [])
    """

    def __init__(self, longest: float, together: bool = True) -> None:
        self._longest = int(longest * RATE)
        self._together = together
        self._listener, self._turns = Listener(), Turns(RULES)
        self._sound = _Kept()
        self._probabilities: list[float] = []  # since the turn that goes on began
        self._heard = 0  # samples with a probability
        self._cut_at: int | None = None  # where the turn that goes on begins, if it was cut there
        self._open: list[tuple[_Turn, Samples]] = []  # of the stretch that is not full yet

    def push(self, block: Samples, listened: Samples | None = None) -> list[Stretch]:
        """Take samples, float32 ``(n,)`` at 16 kHz, and give the stretches that are complete.

        Voices are listened for in `listened`, as many samples, where that is another sound than the one that is cut.
        """
        self._sound.add(block)
        return list(self._taken(self._listener.push(block if listened is None else listened)))

    def finish(self) -> list[Stretch]:
        """The rest, at the end of the sound."""
        found = list(self._taken(self._listener.finish()))
        for begins, ends in self._turns.finish(self._sound.end):
            found += self._with(self._turn(begins, ends))
        return found + self._complete()

    @property
    def seconds(self) -> float:
        """Of sound that came."""
        return self._sound.end / RATE

    def _taken(self, probabilities: Samples) -> Iterator[Stretch]:
        for probability in probabilities.tolist():
            self._heard += HOP
            for begins, ends in self._turns.push((probability,)):
                yield from self._with(self._turn(begins, ends))
            began = self._turns.began
            if began is None:
                self._probabilities.clear()
                self._cut_at = None
                continue
            self._probabilities.append(probability)
            if self._heard - began + 2 * EDGE >= self._longest:
                yield from self._with(self._part(began))
        began = self._turns.began
        self._sound.forget((self._heard if began is None else began) - EDGE)

    def _turn(self, begins: int, ends: int) -> _Turn:
        """A turn that is over."""
        start = begins if begins == self._cut_at else begins - EDGE
        return _Turn(begins, ends, max(0, start), min(ends + EDGE, self._sound.end))

    def _part(self, began: int) -> _Turn:
        """The first part of the turn that goes on: it is cut in its second half, where speech is least probable."""
        means = np.convolve(self._probabilities, np.full(SMOOTH, 1 / SMOOTH), "same")
        count, shared = len(means), OVERLAP // HOP
        at = count // 2 + int(np.argmin(means[count // 2 : count - shared - SMOOTH]))
        if means[at] < RULES.release:
            shared = 0
        turn = self._turn(began, began + (at + shared) * HOP)
        self._cut_at = began + (at - shared) * HOP
        self._turns.cut(self._cut_at)
        del self._probabilities[: at - shared]
        return replace(turn, end=turn.ends, joins=began + at * HOP if shared else None)

    def _with(self, turn: _Turn) -> list[Stretch]:
        """Put a turn into the stretch that is not full yet, or else into the next one."""
        length = sum(len(samples) for _, samples in self._open)
        complete = self._complete() if length + turn.end - turn.start > self._longest else []
        start = max(turn.start, self._open[-1][0].end) if self._open else turn.start
        turn = replace(turn, start=start)
        self._open.append((turn, self._sound.between(turn.start, turn.end)))
        if turn.joins is not None or not self._together:
            complete += self._complete()
        return complete

    def _complete(self) -> list[Stretch]:
        """The stretch that is not full yet, if there is one: nothing more is put into it."""
        if not self._open:
            return []
        places, offset = [], 0
        for turn, samples in self._open:
            places.append(Place(offset, len(samples), turn.start, turn.begins, turn.ends))
            offset += len(samples)
        joins = self._open[-1][0].joins
        samples = np.concatenate([samples for _, samples in self._open])
        self._open = []
        return [Stretch(samples, tuple(places), joins)]


class _Kept:
    """The last part of a sound, by its place in the whole."""

    def __init__(self) -> None:
        self.start = self.end = 0
        self._blocks: list[Samples] = []

    def add(self, block: Samples) -> None:
        """Take the next samples."""
        self._blocks.append(block)
        self.end += len(block)

    def between(self, start: int, end: int) -> Samples:
        """The samples from one place to another."""
        self._blocks = [np.concatenate(self._blocks)]
        return self._blocks[0][start - self.start : end - self.start].copy()

    def forget(self, place: int) -> None:
        """Let go of what lies before a place, from time to time."""
        while self._blocks and self.start + len(self._blocks[0]) <= place:
            self.start += len(self._blocks.pop(0))
        if self._blocks and place - self.start > FORGOTTEN:
            self._blocks[0] = self._blocks[0][place - self.start :].copy()
            self.start = place
