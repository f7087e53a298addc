"""Voice activity: the stretches of a sound in which somebody speaks, told while the sound comes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.cleaning.silero import HOP, RATE, Listener
from sonovec.errors import UsageError

#: What passports call it: the network and these rules; the number grows when stretches change.
NAME = "silero-6"

__all__ = ["HOP", "NAME", "RATE", "Rules", "Turns", "Voice"]


@dataclass(frozen=True)
class Rules:
    """What counts as speech.

    Attributes
    ----------
    threshold : float
        The probability from which on somebody speaks.
    release : float
        The probability below which somebody who spoke is silent.
    shortest : float
        Seconds; shorter speech is none.
    pause : float
        Seconds of silence that end a stretch; at least twice `padding`, so that no stretches touch.
    padding : float
        Seconds that are added at both sides.

    Raises
    ------
    UsageError
        A value is out of range.
    """

    threshold: float = 0.5
    release: float = 0.35
    shortest: float = 0.1
    pause: float = 0.4
    padding: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.release <= self.threshold <= 1:
            raise UsageError(f"threshold={self.threshold}, release={self.release}; give 0 <= release <= threshold <= 1")
        if not 0 <= 2 * self.padding <= self.pause:
            raise UsageError(f"padding={self.padding}, pause={self.pause}; give a pause of at least twice the padding")
        if self.shortest < 0:
            raise UsageError(f"shortest={self.shortest} is negative; give seconds, such as shortest=0.1")


class Turns:
    """Probabilities become stretches of speech, with hysteresis: a stretch is told when the pause behind it has lasted.

    Attributes
    ----------
    began : int or None
        Where the stretch began that goes on, in samples, padding included; None while nobody speaks.
    known : int
        Samples up to which all is told: a stretch to come begins there or later.

    Examples
    --------
    >>> turns = Turns(Rules(shortest=0, pause=0.064, padding=0))
    >>> turns.push([0.1, 0.9, 0.4, 0.9, 0.1, 0.1, 0.1]), turns.began, turns.known
    ([(512, 2048)], None, 3584)
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._padding = round(rules.padding * RATE)
        self._pause, self._shortest = rules.pause * RATE, rules.shortest * RATE
        self._heard = 0  # samples
        self._start: int | None = None
        self._end = 0  # of the speech so far, while it goes on
        self._silent = False

    def push(self, probabilities: Iterable[float] | NDArray[np.float32]) -> list[tuple[int, int]]:
        """Take the next probabilities, and give the stretches that are over: start and end in samples."""
        found = []
        for probability in probabilities:
            at = self._heard
            self._heard += HOP
            if probability >= self._rules.threshold:
                if self._start is None:
                    self._start = at
                self._end, self._silent = self._heard, False
            elif self._start is not None:
                self._silent = self._silent or probability < self._rules.release
                if not self._silent:
                    self._end = self._heard
                elif self._heard - self._end >= self._pause:
                    found += self._told()
        return found

    def finish(self, samples: int) -> list[tuple[int, int]]:
        """The stretch that goes on at the end of the sound, if one does; `samples` is the sound's length."""
        return [(start, min(end, samples)) for start, end in self._told()]

    @property
    def began(self) -> int | None:
        """Where the stretch began that goes on."""
        return None if self._start is None else max(0, self._start - self._padding)

    @property
    def known(self) -> int:
        """Up to where all is told."""
        return max(0, self._heard - self._padding) if self._start is None else max(0, self._start - self._padding)

    def _told(self) -> list[tuple[int, int]]:
        if self._start is None:
            return []
        start, end = self._start, self._end
        self._start, self._silent = None, False
        if end - start < self._shortest:
            return []
        return [(max(0, start - self._padding), end + self._padding)]


class Voice:
    """Tells in which stretches of a stream somebody speaks, in seconds, as soon as each is over.

    Parameters
    ----------
    rules : Rules, optional

    Raises
    ------
    MissingExtraError
        When sound is pushed, if the network is not there.

    Examples
    --------
    >>> voice = Voice()
    >>> voice.push(np.zeros(48000, np.float32)), voice.finish()
    ([], [])
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self._listener, self._turns = Listener(), Turns(rules or Rules())
        self._samples = 0

    def push(self, block: NDArray[np.float32]) -> list[tuple[float, float]]:
        """Take samples, float32 ``(n,)`` at 16 kHz, and give the stretches that are over now."""
        self._samples += len(block)
        return _seconds(self._turns.push(self._listener.push(block)))

    def finish(self) -> list[tuple[float, float]]:
        """The stretches that were not told yet, at the end of the stream."""
        told = self._turns.push(self._listener.finish())
        told = [(start, min(end, self._samples)) for start, end in told]
        return _seconds([*told, *self._turns.finish(self._samples)])

    @property
    def known(self) -> float:
        """Seconds up to which all is told: a stretch to come begins there or later."""
        return self._turns.known / RATE


def _seconds(stretches: Iterable[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(start / RATE, end / RATE) for start, end in stretches]
