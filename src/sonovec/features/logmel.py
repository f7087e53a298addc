"""Log-mel front ends described as data, and the one implementation that computes them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sonovec.errors import UsageError

#: Code version of the implementation, for the passport.
VERSION = "logmel-2"

Array = NDArray[np.float64]


def _htk(hertz: Array) -> Array:
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))


def _slaney(hertz: Array) -> Array:
    """Linear to 1 kHz, then 27 steps for a factor of 6.4 (Slaney's Auditory Toolbox)."""
    logarithmic = 15.0 + 27.0 * np.log(np.maximum(hertz, 1.0) / 1000.0) / np.log(6.4)
    return np.where(hertz < 1000.0, hertz * 3.0 / 200.0, logarithmic)


MEL_FORMULAS: dict[str, Callable[[Array], Array]] = {"htk": _htk, "slaney": _slaney}


@dataclass(frozen=True)
class LogMel:
    """A log-mel front end; call it with samples to get spectrograms.

    Frames are taken without padding: frame i starts at sample ``i * hop_length`` and the last one ends within the
    samples. Each is weighted by a periodic Hann window and padded with zeros to `fft_length`.

    Parameters
    ----------
    rate : int
        Sample rate in Hz.
    window_length, hop_length, fft_length : int
        In samples.
    n_mels : int
    f_min, f_max : float
        Range of the mel bands in Hz.
    mel : {"htk", "slaney"}
        Formula of the mel scale. The bands are triangles in mel.
    power : {1, 2}
        1 for the magnitude of the spectrum, 2 for its power.
    log_offset : float
        ``log(x + log_offset)``, so that silence is finite.
    shift, scale : float
        Normalisation: ``(log_mel - shift) / scale``.

    Examples
    --------
    >>> patch = VGGISH(np.zeros((2, 15600), np.float32))
    >>> patch.shape, patch.dtype
    ((2, 96, 64), dtype('float32'))
    >>> round(float(patch[0, 0, 0]), 4)
    -4.6052
    """

    rate: int
    window_length: int
    hop_length: int
    fft_length: int
    n_mels: int
    f_min: float
    f_max: float
    mel: str = "htk"
    power: int = 1
    log_offset: float = 0.01
    shift: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.mel not in MEL_FORMULAS:
            raise UsageError(f"mel={self.mel!r} is unknown; give one of: {', '.join(MEL_FORMULAS)}")
        if self.power not in (1, 2):
            raise UsageError(f"power={self.power} is unknown; give 1 (magnitude) or 2 (power)")
        if not 0 < self.hop_length <= self.window_length <= self.fft_length:
            raise UsageError(
                f"hop_length={self.hop_length}, window_length={self.window_length}, fft_length={self.fft_length} do not "
                "fit; give 0 < hop_length <= window_length <= fft_length"
            )
        if not 0 <= self.f_min < self.f_max <= self.rate / 2:
            raise UsageError(
                f"f_min={self.f_min}, f_max={self.f_max} do not fit rate={self.rate}; "
                f"give 0 <= f_min < f_max <= {self.rate / 2}"
            )

    def frames(self, n_samples: int) -> int:
        """How many frames fit in so many samples."""
        return max(0, 1 + (n_samples - self.window_length) // self.hop_length)

    def describe(self) -> str:
        """A stable line of text for the passport: the implementation's version and every field."""
        values = ", ".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))
        return f"{VERSION}({values})"

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute spectrograms.

        Parameters
        ----------
        samples : array, shape (n, length), float32

        Returns
        -------
        array, shape (n, frames, n_mels), float32
            A row does not depend on the others: it is bit-identical in any batch.
        """
        window, bank, first, last = _tables(self)
        result = np.empty((len(samples), self.frames(samples.shape[1]), self.n_mels), np.float32)
        # One row at a time: what it needs stays in the cache, and its bits cannot depend on the batch.
        for row, out in zip(np.ascontiguousarray(samples, np.float32), result, strict=True):
            if not len(out):
                break
            # float64: NumPy transforms it no slower, and float32 misses the weak bands beside a strong tone by over 1e-4.
            framed = sliding_window_view(row, self.window_length)[:: self.hop_length] * window
            with np.errstate(over="ignore", invalid="ignore"):  # absurdly loud: the vector is checked to be finite
                spectrum = np.fft.rfft(framed, self.fft_length)[:, first:last]
                energy = spectrum.real**2 + spectrum.imag**2
                np.matmul((energy if self.power == 2 else np.sqrt(energy)).astype(np.float32), bank, out=out)
        np.log(result + np.float32(self.log_offset), out=result)
        if (self.shift, self.scale) != (0.0, 1.0):
            result -= np.float32(self.shift)
            result /= np.float32(self.scale)
        return result


@lru_cache(maxsize=32)
def _tables(front: LogMel) -> tuple[Array, NDArray[np.float32], int, int]:
    """The Hann window, the mel bank (used bins, n_mels), and the range of bins that any band uses."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(front.window_length) / front.window_length)
    to_mel = MEL_FORMULAS[front.mel]
    bins = to_mel(np.linspace(0.0, front.rate / 2, front.fft_length // 2 + 1))
    low, high = to_mel(np.array([front.f_min, front.f_max], np.float64))
    edges = np.linspace(low, high, front.n_mels + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - lower) / (centre - lower)
    falling = (upper - bins[:, None]) / (upper - centre)
    bank = np.maximum(0.0, np.minimum(rising, falling))
    bank[0] = 0.0  # a constant offset is no sound
    used = np.flatnonzero(bank.any(axis=1))
    first, last = int(used[0]), int(used[-1]) + 1
    return window, np.ascontiguousarray(bank[first:last], np.float32), first, last


#: VGGish's front end (https://github.com/tensorflow/models/tree/master/research/audioset/vggish): 96 frames of 64 bands
#: from 15,600 samples.
VGGISH = LogMel(
    rate=16000, window_length=400, hop_length=160, fft_length=512, n_mels=64, f_min=125.0, f_max=7500.0, log_offset=0.01
)
