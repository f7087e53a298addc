"""Tuning and chroma: which pitches sound in a piece, by the peaks of its spectrum, whatever A is tuned to.

After Gómez, "Tonal Description of Polyphonic Audio for Music Content Processing", 2006: the peaks of the spectrum that stand
out of their neighbourhood count for their pitch class, by the square root of their amplitude; each frame counts alike. Keys
are told better without her harmonic weights, and without whitening of the spectrum. All frames of some seconds are folded
together, by the tuning that was heard so far: memory is bounded, and blocks of any size give the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.music.part import RATE

Array = NDArray[np.float64]

#: Samples of a frame and from one to the next: 0.37 and 0.19 s.
WINDOW, HOP = 8192, 4096
#: Frames that are computed at once: 6 s.
TOGETHER = 32
#: In Hz: the lowest and highest peaks.
LOWEST, HIGHEST = 38.0, 3500.0
#: A peak is higher than the root mean square of its neighbourhood, from f / SPREAD to f * SPREAD.
SPREAD = 1.3
#: A peak is at least so much of the highest of its frame; a frame sounds that is at least so much of the loudest so far.
LEAST_PEAK, LEAST_FRAME, SILENCE = 1e-3, 3e-3, 1e-5
#: MIDI numbers, upper ends not included: of what counts for the chroma, and of what tells the tuning.
VOICES, TUNED = (43, 96), (26, 84)
A4 = 440.0


@dataclass(frozen=True)
class Peaks:
    """Peaks of the spectra of some frames, each an array (n,).

    Attributes
    ----------
    frame : int64
        Which of the frames.
    pitch : float64
        MIDI number with its fraction, where A4 is 440 Hz.
    strength : float64
        Amplitude of the sinusoid.
    frames : int
        How many frames there are.
    """

    frame: NDArray[np.int64]
    pitch: Array
    strength: Array
    frames: int


class PeakFinder:
    """Finds the peaks in a stream of mono samples at `RATE`, `TOGETHER` frames at once.

    Examples
    --------
    >>> finder = PeakFinder()
    >>> seconds = np.arange(10 * RATE) / RATE
    >>> first = next(finder.push(np.sin(2 * np.pi * 220 * seconds).astype(np.float32)))
    >>> first.frames, first.pitch.min().round(2), first.pitch.max().round(2), first.strength.max().round(2)
    (32, np.float64(57.0), np.float64(57.0), np.float64(1.0))
    """

    def __init__(self) -> None:
        window = np.hanning(WINDOW + 1)[:-1]
        self._window = window * (2 / window.sum())
        self._first, self._last = (round(hertz * WINDOW / RATE) for hertz in (LOWEST, HIGHEST))
        bins = np.arange(self._first, self._last)
        self._begin = np.maximum((bins / SPREAD).astype(int), self._first) - self._first
        self._end = np.minimum((bins * SPREAD).astype(int) + 1, self._last) - self._first
        self._rest = np.empty(0, np.float32)

    def push(self, block: NDArray[np.float32]) -> Iterator[Peaks]:
        """Take the next samples (n,) of any number; give the peaks of the frames that they fill."""
        samples, at = np.concatenate([self._rest, block]), 0
        length = (TOGETHER - 1) * HOP + WINDOW
        while at + length <= len(samples):
            yield self._find(samples[at : at + length])
            at += TOGETHER * HOP
        self._rest = samples[at:]

    def finish(self) -> Iterator[Peaks]:
        """Give the peaks of the last frames; the last one is filled up with silence."""
        if len(self._rest):
            frames = max(1, math.ceil((len(self._rest) - WINDOW) / HOP) + 1)
            lacking = (frames - 1) * HOP + WINDOW - len(self._rest)
            yield self._find(np.pad(self._rest, (0, lacking)))
        self._rest = np.empty(0, np.float32)

    def _find(self, samples: NDArray[np.float32]) -> Peaks:
        frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
        spectra = np.abs(np.fft.rfft(frames * self._window)[:, self._first - 1 : self._last + 1])
        inner, before, after = spectra[:, 1:-1], spectra[:, :-2], spectra[:, 2:]
        least = np.maximum(LEAST_PEAK * inner.max(axis=1, keepdims=True), SILENCE)
        around = self._neighbourhood(inner)
        found = (inner > before) & (inner >= after) & (inner > least) & (inner > around)
        frame, at = np.nonzero(found)
        place, top = _vertex(before[found], inner[found], after[found])
        hertz = (at + self._first + place) * RATE / WINDOW
        return Peaks(frame, 69 + 12 * np.log2(hertz / A4), top, len(frames))

    def _neighbourhood(self, spectra: Array) -> Array:
        """The root mean square around each bin."""
        sums = np.cumsum(np.pad(spectra**2, ((0, 0), (1, 0))), axis=1)
        means = (sums[:, self._end] - sums[:, self._begin]) / (self._end - self._begin)
        return np.asarray(np.sqrt(np.maximum(means, SILENCE**2)))


def _vertex(before: Array, peak: Array, after: Array) -> tuple[Array, Array]:
    """Where between the bins a peak lies, and how high it is: of the parabola through the logarithms of three bins."""
    low, top, high = (np.log(np.maximum(each, 1e-12)) for each in (before, peak, after))
    place = np.clip(0.5 * (low - high) / np.minimum(low - 2 * top + high, -1e-9), -0.5, 0.5)
    return place, np.exp(top - 0.25 * (low - high) * place)


class Tuning:
    """Hears what A4 is tuned to: the circular mean of how far peaks lie from the semitones of 440 Hz.

    Examples
    --------
    >>> tuning = Tuning()
    >>> tuning.hear(np.array([57.0, 61.0, 64.0]) - 0.3177, np.ones(3))
    >>> round(tuning.hertz, 1), round(tuning.clarity, 3)
    (432.0, 1.0)
    """

    def __init__(self) -> None:
        self._sum, self._weight = 0j, 0.0

    def hear(self, pitch: Array, strength: Array) -> None:
        """Take peaks."""
        self._sum += complex(strength @ np.exp(2j * np.pi * pitch))
        self._weight += float(strength.sum())

    @property
    def semitones(self) -> float:
        """How far A lies from 440 Hz, in (-0.5, 0.5]."""
        return float(np.angle(self._sum) / (2 * np.pi))

    @property
    def hertz(self) -> float:
        """A4, in Hz."""
        return float(A4 * 2 ** (self.semitones / 12))

    @property
    def clarity(self) -> float:
        """How well the peaks lie on the semitones of one tuning: 1 on all of them, about 0 for noise."""
        return abs(self._sum) / self._weight if self._weight else 0.0


def fold(peaks: Peaks, semitones: float) -> Array:
    """Pitch classes (frames, 12) from C on: sums of the square roots of the amplitudes of their peaks.

    A peak between two semitones counts by the squared cosine of how far it is from the nearest one, and so not at all
    half-way. `semitones` is how far A lies from 440 Hz.

    Examples
    --------
    >>> chord = Peaks(np.zeros(3, int), np.array([60.0, 64.0, 67.0]), np.ones(3), 1)
    >>> fold(chord, 0.0).round(2).tolist()
    [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]]
    """
    pitch = peaks.pitch - semitones
    inside = (pitch >= VOICES[0]) & (pitch < VOICES[1])
    nearest = np.rint(pitch[inside])
    near = np.cos(np.pi * (pitch[inside] - nearest)) ** 2
    place = peaks.frame[inside] * 12 + nearest.astype(np.int64) % 12
    weight = np.sqrt(peaks.strength[inside]) * near
    return np.asarray(np.bincount(place, weight, peaks.frames * 12).reshape(-1, 12), np.float64)


class Chroma:
    """Hears the pitch classes of a stream of mono samples at `RATE`, by the tuning so far.

    Attributes
    ----------
    classes : array, shape (12,), float64
        Sums over frames, from C on; the strongest of each frame counts 1.
    sounding : int
        Frames that were not silent.
    tuning : Tuning

    Examples
    --------
    >>> seconds = np.arange(10 * RATE) / RATE
    >>> chord = sum(0.1 * np.sin(2 * np.pi * hertz * seconds) for hertz in (220, 277.18, 329.63))
    >>> chroma = Chroma()
    >>> chroma.push(chord.astype(np.float32))
    >>> chroma.finish()
    >>> [int(place) for place in np.flatnonzero(chroma.classes > 0.3 * chroma.classes.max())]
    [1, 4, 9]
    """

    def __init__(self) -> None:
        self.classes, self.sounding, self.tuning = np.zeros(12), 0, Tuning()
        self._finder, self._loudest = PeakFinder(), 0.0

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear the next samples (n,), of any number."""
        for peaks in self._finder.push(block):
            self._hear(peaks)

    def finish(self) -> None:
        """Hear what is left."""
        for peaks in self._finder.finish():
            self._hear(peaks)

    def _hear(self, peaks: Peaks) -> None:
        tuned = (peaks.pitch >= TUNED[0]) & (peaks.pitch < TUNED[1])
        self.tuning.hear(peaks.pitch[tuned], peaks.strength[tuned])
        power = np.bincount(peaks.frame, peaks.strength**2, peaks.frames)
        self._loudest = max(self._loudest, float(power.max()))
        sounding = power > max(LEAST_FRAME**2 * self._loudest, SILENCE**2)
        classes = fold(peaks, self.tuning.semitones)[sounding]
        self.classes += (classes / np.maximum(classes.max(axis=1, keepdims=True), 1e-12)).sum(axis=0)
        self.sounding += int(sounding.sum())
