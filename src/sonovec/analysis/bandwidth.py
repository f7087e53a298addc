"""How far up a sound really reaches, whatever its format says: a lossless file may be made of a lossy one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Analyser, Field, Findings

WINDOW = 4096
#: Neighbouring bins whose mean counts, about 100 Hz.
SMOOTH = 9
#: The power of the steps of 16 bits, all frequencies together; what is to count as sound has so many times more: 6 dB.
STEPS, ABOVE = (2 / 65536) ** 2 / 12, 4.0
_WEIGHTS = np.hanning(WINDOW)


class Bandwidth(Analyser):
    """Column `bandwidth`: the highest frequency, in Hz, at which the mean spectrum is 6 dB above the noise of 16 bits.

    Lossy encoders cut off what is above 11 to 20 kHz, by their bit rate; so the column tells a CD from a lossless file that
    was made of an MP3. It is a measure of copies of one recording: dull recordings have low ones too. Empty for silence and
    for less than 4096 samples.
    """

    name, version = "bandwidth", "1"
    fields = (Field("bandwidth", float, "scalar"),)

    def begin(self, rate: int, channels: int) -> None:
        """Begin with nothing."""
        self._rate = rate
        self._rest = np.empty((0, channels), np.float32)
        self._power, self._count = np.zeros(WINDOW // 2 + 1), 0

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear a block (n, channels)."""
        samples = np.concatenate([self._rest, block])
        count = len(samples) // WINDOW
        frames = samples[: count * WINDOW].reshape(count, WINDOW, samples.shape[1])
        for frame in frames:
            self._power += np.square(np.abs(np.fft.rfft(frame.T * _WEIGHTS))).mean(axis=0)
        self._count += count
        self._rest = samples[count * WINDOW :]

    def finish(self) -> Findings:
        """Find the highest frequency."""
        if not self._count:
            return Findings()
        density = 2 * self._power / (self._count * WINDOW * np.square(_WEIGHTS).sum())
        smooth = np.convolve(density, np.full(SMOOTH, 1 / SMOOTH), "same")
        loud = np.flatnonzero(smooth > ABOVE * STEPS / (WINDOW / 2))
        return Findings({"bandwidth": float(loud[-1] * self._rate / WINDOW)}) if len(loud) else Findings()
