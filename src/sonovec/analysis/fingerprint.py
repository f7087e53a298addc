"""An acoustic fingerprint: one recording has the same in other encodings, at other levels, and with a little cut off.

After Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002: each code has 32 bits, which say whether
the difference of energy between neighbouring bands grows or falls from one frame to the next. Frames are half a second long,
and there are 7.8 codes a second instead of the authors' 86, so that a fingerprint is short enough to be kept with each track.
"""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis import quiet, speeds
from sonovec.analysis.analyser import Analyser, Field, Findings
from sonovec.analysis.likeness import BANDS, HIGHEST, HOP, LEAST, LOWEST, RATE, SAME, Codes, likeness

__all__ = ["RATE", "SAME", "Fingerprint", "likeness"]

WINDOW = 4096
_WEIGHTS = np.hanning(WINDOW)
_EDGES = np.round(np.geomspace(LOWEST, HIGHEST, BANDS + 1) * WINDOW / RATE).astype(int)
#: Only the first two minutes of a recording are told.
MOST = round(120 * RATE / HOP)


class Fingerprint(Analyser):
    """Columns `fingerprint`, text to be compared by `likeness`, and what tells of it where that alone does not.

    By `fingerprint_fine` other speeds are found, and by `fingerprint_levels` recordings that are mostly near silence. All
    are empty for silence, and for less than three seconds.
    """

    name, version, rate = "fingerprint", "3", RATE
    fields = (Field("fingerprint", str), Field("fingerprint_fine", str), Field("fingerprint_levels", str))

    def begin(self, rate: int, channels: int) -> None:
        """Begin with nothing."""
        self._rest = np.empty(0, np.float32)
        self._energies: list[NDArray[np.float64]] = []
        self._fine: list[NDArray[np.float64]] = []
        self._count = 0

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear a block of samples (n,)."""
        if self._count > MOST:
            return
        samples = np.concatenate([self._rest, block])
        count = max(0, (len(samples) - WINDOW) // HOP + 1)
        if count:
            frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[: count * HOP : HOP]
            powers = np.abs(np.fft.rfft(frames * _WEIGHTS)) ** 2
            self._energies.append(_energies(powers))
            if self._count <= speeds.MOST:
                self._fine.append(speeds.energies(powers))
            self._count += count
        self._rest = samples[count * HOP :]

    def finish(self) -> Findings:
        """Give the codes as text."""
        energies = np.concatenate([np.empty((0, BANDS)), *self._energies])[: MOST + 1]
        codes = _codes(energies)
        if len(codes) < LEAST or not energies.any():
            return Findings()
        return Findings(
            {
                "fingerprint": base64.b64encode(codes.astype("<u4").tobytes()).decode(),
                "fingerprint_fine": speeds.text_of(np.concatenate(self._fine)[: speeds.MOST + 1]),
                "fingerprint_levels": quiet.text_of(energies),
            }
        )


def _energies(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energies of the bands (n, 33) of the powers (n, 2049) of frames."""
    return np.asarray(np.add.reduceat(powers, _EDGES, axis=1)[:, :BANDS])


def _codes(energies: NDArray[np.float64]) -> Codes:
    """A code for each frame but the first."""
    bits = np.diff(np.diff(energies, axis=1), axis=0) > 0
    return np.asarray(bits @ (np.uint32(1) << np.arange(BANDS - 1, dtype=np.uint32)), np.uint32)
