"""A pipe as mono sound of one rate, while it comes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.checks import Checks
from sonovec.audio.mix import mix_or_first
from sonovec.audio.pipe import Piped
from sonovec.audio.resample import Resampler


class LiveMono:
    """Mono blocks of a pipe at one rate, once.

    Parameters
    ----------
    sound : Piped
        See `sonovec.audio.pipe.open_pipe`.
    rate : int, optional
        Samples a second of the blocks, in Hz; None keeps the rate of the pipe.

    Examples
    --------
    >>> import io
    >>> from sonovec.audio.pipe import Layout, open_pipe
    >>> live = LiveMono(open_pipe(io.BytesIO(bytes(16000)), Layout(8000)), 16000)
    >>> sum(len(block) for block in live), live.seconds
    (16000, 1.0)
    """

    def __init__(self, sound: Piped, rate: int | None = None) -> None:
        self._sound = sound
        self._resampler = Resampler(sound.rate, sound.rate if rate is None else rate)
        self._checks = Checks(sound.channels, sound.rate)
        self._frames = 0

    @property
    def seconds(self) -> float:
        """Seconds of sound that came so far."""
        return self._frames / self._sound.rate

    @property
    def notes(self) -> list[str]:
        """What is odd about the stream; complete once it has ended."""
        return [*self._sound.notes, *self._checks.notes()]

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for block in self._sound:
            self._checks.clean(block)
            self._frames += len(block)
            yield self._resampler.process(mix_or_first(block))
        yield self._resampler.flush()
