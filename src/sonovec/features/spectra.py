"""Power spectra of overlapping frames, some frames at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Spectra:
    """Computes power spectra in memory that is used again, so that it stays in the processor's cache.

    Not for two threads at once. The transform is in float64: NumPy's is no slower than in float32, which misses weak bands
    beside a strong tone by over 1e-4.

    Parameters
    ----------
    window : array, shape (window_length,), float64
        What each frame is weighted with.
    hop_length, fft_length : int
        In samples; frames are padded with zeros to the latter.
    bins : slice
        Which bins of the transform are wanted, with both its ends.
    at_once : int
        How many frames are computed at once at most.
    kaldi_emphasis : float, optional
        Take the mean off each frame, and then the sample before, multiplied by this, off each sample, as Kaldi does; the
        first sample of a frame counts as the one before itself.

    Examples
    --------
    >>> spectra = Spectra(np.ones(4), hop_length=2, fft_length=4, bins=slice(0, 3), at_once=10)
    >>> spectra.power(np.array([1, 1, 1, 1, -1, 1, -1], np.float32))
    array([[16.,  0.,  0.],
           [ 4.,  4.,  4.]], dtype=float32)
    """

    def __init__(
        self,
        window: Array,
        hop_length: int,
        fft_length: int,
        bins: slice,
        at_once: int,
        kaldi_emphasis: float | None = None,
    ) -> None:
        self._window, self._hop, self._fft_length, self._bins = window, hop_length, fft_length, bins
        self.at_once, self._emphasis = at_once, kaldi_emphasis
        self._signal = np.empty((at_once - 1) * hop_length + len(window))
        self._weighted = np.empty((at_once, len(window)))
        self._transform = np.empty((at_once, fft_length // 2 + 1), np.complex128)
        self._parts = np.empty((at_once, 2 * (bins.stop - bins.start)), np.float32)
        self._power = np.empty((at_once, bins.stop - bins.start), np.float32)

    def power(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The squared magnitudes of as many frames as fit in the samples, (frames, bins); the next call overwrites them."""
        n = 1 + (len(samples) - len(self._window)) // self._hop
        transform = np.fft.rfft(self._frames(samples, n), self._fft_length, out=self._transform[:n])
        # Real and imaginary parts side by side: one pass over them each, and no array of the size of the spectrum is made.
        parts = self._parts[:n]
        np.copyto(parts, transform[:, self._bins].view(np.float64), casting="same_kind")
        np.square(parts, out=parts)
        return np.add(parts[:, ::2], parts[:, 1::2], out=self._power[:n])

    def _frames(self, samples: NDArray[np.float32], n: int) -> Array:
        """The frames, weighted by the window (n, window_length)."""
        signal, weighted = self._signal[: len(samples)], self._weighted[:n]
        signal[:] = samples
        step = signal.itemsize
        frames: Array = np.ndarray(weighted.shape, signal.dtype, signal, 0, (self._hop * step, step))  # a view
        if self._emphasis is None:
            return np.multiply(frames, self._window, out=weighted)
        # To emphasise the signal and then take the emphasised mean off its frames is the same, but for first samples.
        rest = 1 - self._emphasis
        mean = rest * frames.mean(axis=1, keepdims=True)
        first = rest * frames[:, :1] - mean
        signal[1:] -= self._emphasis * signal[:-1]
        np.subtract(frames, mean, out=weighted)
        weighted[:, :1] = first
        weighted *= self._window
        return weighted
