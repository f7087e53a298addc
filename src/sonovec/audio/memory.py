"""Samples in memory as a stream, like those of a file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.decode import BLOCK, AudioInfo
from sonovec.audio.stream import MonoStream
from sonovec.audio.waveform import Waveform
from sonovec.errors import AudioError

NAME = "samples in memory"


class MemoryReader:
    """Reads a waveform as an `AudioReader` reads a file."""

    def __init__(self, waveform: Waveform, start: float, end: float | None) -> None:
        first = round(start * waveform.rate)
        last = None if end is None else max(first + 1, round(end * waveform.rate))
        samples = waveform.samples[first:last]
        if not len(samples):
            raise AudioError(
                f"{NAME}: none from {start} s on, of {waveform.duration:.2f} s; give samples, and a range in them"
            )
        bad = ~np.isfinite(samples)
        if bad.all():
            raise AudioError(f"{NAME}: no sample is a number (all NaN or infinite); give samples within -1..1")
        self._samples = np.where(bad, np.float32(0), samples) if bad.any() else samples
        self.notes = [f"{bad.sum()} sample(s) were NaN or infinite and were set to 0"] if bad.any() else []
        self.info = AudioInfo(NAME, waveform.rate, 1, "float32", "memory")
        self.position = 0

    def blocks(self, frames: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Give what is left of the samples, block by block, float32 (n, 1)."""
        while self.position < len(self._samples):
            block = self._samples[self.position : self.position + frames, None]
            self.position += len(block)
            yield block

    def close(self) -> None:
        """Nothing is held open."""


def open_waveform(waveform: Waveform, rate: int, start: float = 0.0, end: float | None = None) -> MonoStream:
    """Open samples in memory as a stream of mono blocks at `rate`; the counterpart of `open_mono`.

    Examples
    --------
    >>> with open_waveform(Waveform(np.zeros(8000, np.float32), 8000), 16000, end=0.5) as stream:
    ...     sum(len(block) for block in stream)
    8000
    """
    return MonoStream(MemoryReader(waveform, start, end), rate)
