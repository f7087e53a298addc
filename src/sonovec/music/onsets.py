"""Onset strength: how much begins at each moment, in bands of frequency, as a curve that rhythm is read from.

It streams: frames of 23 ms at a rate of 172 a second, the rise of their logarithmic spectrum, summed over a band. What is
kept is the curves, 4 KB for a second, and never the samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import MissingExtraError
from sonovec.music.part import RATE

FRAME, HOP = 512, 128
#: Values of a curve in a second.
CURVE_RATE = RATE / HOP
#: Frames that are worked on at a time, always the same ones, so that the sizes of the blocks change no bit.
CHUNK = 64
#: Upper ends of the bands, in Hz; the last one has the rest.
EDGES = (150.0, 500.0, 1600.0, 5000.0)
BANDS = len(EDGES) + 1
#: The curve behind those of the bands: changes of harmony.
HARMONY = BANDS
CURVES = BANDS + 1
#: Compression of magnitudes, where 1 is all power of the loudest frame of late.
COMPRESSION = 400.0
#: That loudest frame is forgotten by so many nepers of power a second; its mean square is at least that of -90 dB.
FORGETTING, FLOOR = 0.3, 1e-9
#: Power of a frame's windowed spectrum over N, where the mean square is 1.
UNIT = 0.1875 * FRAME
#: Frames for harmony: their length and hop in samples, and the steps over which means are compared; the lowest tone in Hz,
#: and how many semitones.
LONG_FRAME, LONG_HOP, LONG_STEPS = 2048, 512, 6
LOWEST_TONE, TONES = 82.41, 54
#: Taps of the low pass, and where it cuts, in Hz.
TAPS, CUT = 29, 7.0


@dataclass(frozen=True)
class OnsetCurve:
    """Onset strength of a piece.

    Attributes
    ----------
    curves : ndarray of float32, shape (CURVES, n)
        `CURVE_RATE` values a second; value i belongs to second i / `CURVE_RATE`. First the bands, from low to high, then
        harmony.
    seconds : float
        Of the piece.
    powers : ndarray of float32, shape (n,)
        Mean square of each frame, in which 1 is full scale.
    """

    curves: NDArray[np.float32]
    seconds: float
    powers: NDArray[np.float32]

    @property
    def whole(self) -> NDArray[np.float32]:
        """The sum of the bands, (n,)."""
        return np.asarray(self.curves[:BANDS].sum(axis=0), np.float32)

    def part(self, start: int, end: int) -> OnsetCurve:
        """The values from one to another."""
        return OnsetCurve(self.curves[:, start:end], (end - start) / CURVE_RATE, self.powers[start:end])


class Onsets:
    """Hears the samples of a piece at `RATE`, block by block, and gives its onset curves.

    Blocks of any size give the same bits.

    Examples
    --------
    >>> import numpy as np
    >>> onsets = Onsets()
    >>> click = np.zeros(22050, np.float32)
    >>> click[11025:11125] = 0.5
    >>> onsets.push(click)
    >>> curve = onsets.finish()
    >>> float(round(curve.whole.argmax() / CURVE_RATE, 2))
    0.49
    """

    def __init__(self) -> None:
        try:
            from scipy.fft import rfft
        except ImportError:
            raise MissingExtraError("tempo needs SciPy: pip install 'sonovec[music]'") from None
        self._rfft = rfft
        self._short, self._long = (np.hanning(n + 1)[:-1].astype(np.float32) for n in (FRAME, LONG_FRAME))
        self._tones = _tones()
        # Half a frame of silence stands before the piece, so that a frame belongs to its middle.
        self._waiting = [np.zeros(LONG_FRAME // 2, np.float32)]
        self._count = LONG_FRAME // 2
        self._samples = 0
        self._loudest = np.log(FLOOR * UNIT)
        self._before = np.zeros(FRAME // 2 + 1, np.float32)
        self._curves: list[NDArray[np.float32]] = []
        self._harmonies: list[NDArray[np.float32]] = []
        self._powers: list[NDArray[np.float32]] = []

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear the next samples (n,) in [-1, 1]."""
        self._samples += len(block)
        self._take(block)

    def _take(self, block: NDArray[np.float32]) -> None:
        self._waiting.append(np.asarray(block, np.float32))
        self._count += len(block)
        step, need = CHUNK * HOP, (CHUNK - 1) * HOP + LONG_FRAME
        if self._count < need:
            return
        samples = np.concatenate(self._waiting)
        first = 0
        while len(samples) - first >= need:
            self._chunk(samples[first : first + need])
            first += step
        self._waiting, self._count = [samples[first:].copy()], len(samples) - first

    def _chunk(self, samples: NDArray[np.float32]) -> None:
        """Take `CHUNK` frames: both lengths have the same middles."""
        early = (LONG_FRAME - FRAME) // 2
        short = np.lib.stride_tricks.sliding_window_view(samples[early : len(samples) - early], FRAME)[::HOP]
        spectra = np.abs(self._rfft(short * self._short, axis=-1)) * np.float32(1 / FRAME)
        powers = np.einsum("ij,ij->i", spectra, spectra) * FRAME
        levels = self._levels(powers)
        logs = np.log1p(
            spectra * (COMPRESSION / FRAME**0.5 / levels)[:, None].astype(np.float32) * np.float32(FRAME**0.5)
        )
        rises = np.maximum(np.diff(logs, axis=0, prepend=self._before[None]), 0)
        self._before = logs[-1]
        self._curves.append(np.asarray(np.add.reduceat(rises, _BOUNDS, axis=1) / _SIZES, np.float32))
        self._powers.append(np.asarray(powers / UNIT, np.float32))
        long = np.lib.stride_tricks.sliding_window_view(samples, LONG_FRAME)[::LONG_HOP]
        tones = np.abs(self._rfft(long * self._long, axis=-1))[:, : len(self._tones)] @ self._tones
        ratio = np.float32(COMPRESSION / LONG_FRAME)
        self._harmonies.append(np.log1p(tones * ratio / levels[:: LONG_HOP // HOP, None].astype(np.float32)))

    def _levels(self, powers: NDArray[np.float32]) -> NDArray[np.float64]:
        """Root of the power of the loudest frame so far, which fades with time; its mean magnitude is the unit."""
        steps = np.arange(1, len(powers) + 1) * (FORGETTING / CURVE_RATE)
        heard = np.log(np.maximum(powers.astype(np.float64), FLOOR * UNIT)) + steps
        loudest = np.maximum.accumulate(np.concatenate([[self._loudest], heard]))[1:] - steps
        loudest = np.maximum(loudest, np.log(FLOOR * UNIT))
        self._loudest = float(loudest[-1])
        return np.asarray(np.exp(loudest / 2) / FRAME**0.5)

    def finish(self) -> OnsetCurve:
        """Give the curves, behind the last block; the object is not used any more."""
        wanted = -(-self._samples // HOP)
        padding = np.zeros((CHUNK - 1) * HOP + LONG_FRAME, np.float32)
        while len(self._curves) * CHUNK < wanted:
            self._take(padding)
        bands = np.concatenate(self._curves or [np.empty((0, BANDS), np.float32)])[:wanted].T
        powers = np.concatenate(self._powers or [np.empty(0, np.float32)])[:wanted]
        curves = np.empty((CURVES, bands.shape[1]), np.float32)
        curves[:BANDS] = bands
        curves[HARMONY] = self._harmony(bands.shape[1])
        return OnsetCurve(curves, self._samples / RATE, powers)

    def _harmony(self, count: int) -> NDArray[np.float32]:
        """Rise of the mean spectrum of tones from some steps before to some steps behind, at the moments of the others."""
        if not self._harmonies:
            return np.empty(0, np.float32)
        tones = np.concatenate(self._harmonies)
        sums = np.cumsum(np.concatenate([np.zeros((1, TONES)), tones]), axis=0)
        at = np.arange(len(tones))
        before, behind = np.maximum(at - LONG_STEPS, 0), np.minimum(at + LONG_STEPS, len(tones))
        past = (sums[at] - sums[before]) / np.maximum(at - before, 1)[:, None]
        rise = np.maximum((sums[behind] - sums[at]) / (behind - at)[:, None] - past, 0).mean(axis=1)
        finer = np.interp(np.arange(count), at * (LONG_HOP // HOP), rise)
        return np.asarray(finer, np.float32)


def _bounds() -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """First bins of the bands, and how many bins they have."""
    bins = FRAME // 2 + 1
    firsts = np.array([0, *(np.ceil(edge * FRAME / RATE) for edge in EDGES)], np.int64)
    return firsts, np.diff([*firsts, bins]).astype(np.float32)


_BOUNDS, _SIZES = _bounds()


def _tones() -> NDArray[np.float32]:
    """Weights (bins, TONES) of a spectrum's bins in its semitones: triangles."""
    top = LOWEST_TONE * 2 ** ((TONES + 1) / 12)
    bins = np.arange(int(top * LONG_FRAME / RATE) + 1) * RATE / LONG_FRAME
    pitch = 12 * np.log2(np.maximum(bins, 1.0) / LOWEST_TONE)
    return np.asarray(np.maximum(0, 1 - np.abs(pitch[:, None] - np.arange(TONES))), np.float32)


def low_pass(curves: NDArray[np.float32]) -> NDArray[np.float64]:
    """What changes slower than `CUT` in curves (..., n), without delay: by a filter of finite length, Hamming's window."""
    from scipy.ndimage import convolve1d

    at = np.arange(TAPS) - TAPS // 2
    taps = np.sinc(2 * CUT / CURVE_RATE * at) * np.hamming(TAPS)
    taps /= taps.sum()
    return np.asarray(convolve1d(np.asarray(curves, np.float64), taps, axis=-1, mode="constant"))
