"""The character of a piece: dynamic range, brightness, percussiveness and energy, none of which depends on its level.

Percussive is what stands upright in a spectrogram, harmonic what lies: after FitzGerald, "Harmonic/percussive separation
using median filtering", 2010, with medians of nine values each. It streams: frames are heard in groups, each with the frames
around it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Field
from sonovec.music import columns
from sonovec.music.part import RATE

Array32 = NDArray[np.float32]

#: Samples of a frame and from one to the next (46 ms), and frames that are computed at once.
WINDOW, HOP, TOGETHER = 1024, 1024, 64
#: A median is over so many frames to both sides of one, and over every second bin of so many to both sides.
FRAMES_AROUND, BINS_AROUND = 4, 8
#: A frame sounds that is at most so much below the loudest so far, in amplitude, and above silence.
LEAST, SILENCE = 1e-3, 1e-5
#: Seconds that have to sound for a character.
SHORTEST = 1.0
#: In Hz: where brightness begins and ends.
DARK, BRIGHT = 250.0, 4000.0
#: Frames of a block of 3 s, by which the dynamic range is measured, and the share of blocks that are the loud ones.
BLOCK, LOUD = 64, 0.2
#: Of the energy: the weight of each part, and the values of it that count 0 and 1.
ENERGY = {
    "change": (0.35, 0.2, 0.5),
    "fullness": (0.25, 0.3, 1.0),
    "brightness": (0.2, 0.25, 0.75),
    "percussiveness": (0.2, 0.15, 0.6),
}


class Character:
    """Columns `dynamic_range` (dB), `energy`, `brightness` and `percussiveness` (all three in [0, 1]).

    They are empty for silence and for less than a second of sound; the first also for less than 3 s.

    - `dynamic_range`: 20 log10 of the second-highest peak of blocks of 3 s over the root mean square of the loudest fifth of
      blocks. About 8 dB for music that is limited hard, 20 for what is played freely. It is measured at 22,050 Hz in mono.
    - `brightness`: log2(c / 250 Hz) / 4, within 0 to 1, where c is the spectral centroid of amplitudes, and its logarithm is
      averaged over frames by their amplitude. 0 is 250 Hz, 1 is 4 kHz.
    - `percussiveness`: sum of P² / (H² + P²) x amplitude over the sum of amplitudes, over all bins and frames, where H and P
      are the medians over time and over frequency. Each frame counts by the square root of its level.
    - `energy`: the weighted mean of four parts, each within 0 to 1 between two values (`ENERGY`): how much the spectrum
      changes from frame to frame (the sum of rises of amplitudes over the sum of amplitudes), fullness (the share of frames
      within 10 dB of the loud ones), brightness, and percussiveness. The weights are set by hand: there is no truth for it.

    Examples
    --------
    >>> character = Character()
    >>> seconds = np.arange(5 * RATE) / RATE
    >>> character.push((0.1 * np.sin(2 * np.pi * 300 * seconds)).astype(np.float32))
    >>> tone = character.finish()
    >>> tone["dynamic_range"], tone["percussiveness"] < 0.1, tone["energy"] < 0.4
    (3.0, True, True)
    """

    fields: ClassVar[tuple[Field, ...]] = tuple(
        Field(name, float, "scalar")
        for name in (columns.DYNAMIC_RANGE, columns.ENERGY, columns.BRIGHTNESS, columns.PERCUSSIVENESS)
    )

    def __init__(self) -> None:
        self._window = np.hanning(WINDOW + 1)[:-1].astype(np.float32) * np.float32(4 / WINDOW)
        self._octaves = np.log2(np.maximum(np.arange(WINDOW // 2 + 1) * RATE / WINDOW, 1.0))
        self._rest = np.empty(0, np.float32)
        self._spectra = np.zeros((FRAMES_AROUND, WINDOW // 2 + 1), np.float32)  # before the first frame is silence
        self._peak, self._powers, self._peaks, self._block = 0.0, [0.0], [0.0], 0
        self._loudest, self._sounding = 0.0, 0
        self._weight, self._octave_sum, self._percussive, self._amplitude, self._rise = 0.0, 0.0, 0.0, 0.0, 0.0
        self._levels = np.zeros(480, int)  # frames by their level, in quarters of a dB from -119 dB on

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear the next samples (n,), of any number."""
        samples, at = np.concatenate([self._rest, block]), 0
        length = TOGETHER * HOP
        while at + length <= len(samples):
            self._hear(samples[at : at + length])
            at += length
        self._rest = samples[at:]

    def finish(self) -> Mapping[str, Any]:
        """Say how it is."""
        if len(self._rest):
            self._hear(np.pad(self._rest, (0, -len(self._rest) % HOP)))
        self._compare(np.zeros((FRAMES_AROUND, self._spectra.shape[1]), np.float32))
        names = [field.name for field in self.fields]
        if self._sounding * HOP < SHORTEST * RATE or not self._amplitude:
            return dict.fromkeys(names)
        brightness = _within(self._octave_sum / self._weight, math.log2(DARK), math.log2(BRIGHT))
        percussiveness = self._percussive / self._amplitude
        parts = {
            "change": self._rise / self._amplitude,
            "fullness": self._fullness(),
            "brightness": brightness,
            "percussiveness": percussiveness,
        }
        energy = sum(weight * _within(parts[name], low, high) for name, (weight, low, high) in ENERGY.items())
        values = (self._dynamic_range(), energy, brightness, percussiveness)
        return {
            name: None if value is None else round(float(value), 3) for name, value in zip(names, values, strict=True)
        }

    def _hear(self, samples: Array32) -> None:
        frames = samples.reshape(-1, WINDOW)
        self._measure(frames)
        spectra = np.abs(np.fft.rfft(frames * self._window)).astype(np.float32)
        self._compare(spectra)

    def _measure(self, frames: Array32) -> None:
        """Peaks and powers of blocks of 3 s; those of `TOGETHER` frames are one."""
        self._peaks.append(float(np.abs(frames).max()))
        self._powers.append(float(np.square(frames, dtype=np.float64).sum() / (TOGETHER * HOP)))

    def _compare(self, spectra: Array32) -> None:
        """Hear the frames whose neighbours to both sides are known now."""
        known = np.concatenate([self._spectra, spectra])
        count = len(known) - 2 * FRAMES_AROUND
        self._spectra = known[max(0, count) :]
        if count <= 0:
            return
        now = known[FRAMES_AROUND : FRAMES_AROUND + count]
        level = np.sqrt(np.square(now, dtype=np.float64).sum(axis=1))
        self._loudest = max(self._loudest, float(level.max()))
        sounding = level > max(LEAST * self._loudest, SILENCE)
        self._sounding += int(sounding.sum())
        decibels = 20 * np.log10(np.maximum(level[sounding], 1e-6)) + 119
        self._levels += np.bincount(np.clip(4 * decibels, 0, 479).astype(int), minlength=480)
        harmonic = median_of_nine([known[i : i + count] for i in range(2 * FRAMES_AROUND + 1)])[sounding]
        padded = np.pad(now[sounding], ((0, 0), (BINS_AROUND, BINS_AROUND)), mode="edge")
        bins = now.shape[1]
        percussive = median_of_nine([padded[:, i : i + bins] for i in range(0, 2 * BINS_AROUND + 1, 2)])
        now, before = now[sounding], known[FRAMES_AROUND - 1 : FRAMES_AROUND - 1 + count][sounding]
        upright, lying = percussive**2, harmonic**2
        amplitude = now.sum(axis=1, dtype=np.float64)
        share = upright / np.maximum(upright + lying, np.float32(1e-20))
        # Each frame counts by the square root of its level: the loudest alone would decide otherwise.
        even = 1 / np.sqrt(np.maximum(level[sounding], 1e-12))
        self._percussive += float((share * now).sum(axis=1, dtype=np.float64) @ even)
        self._rise += float(np.maximum(now - before, 0).sum(axis=1, dtype=np.float64) @ even)
        self._amplitude += float(amplitude @ even)
        frequencies = np.arange(bins) * (RATE / WINDOW)
        centroid = (now @ frequencies) / np.maximum(amplitude, 1e-20)
        weight = amplitude * even
        self._octave_sum += float(np.log2(np.maximum(centroid, 20.0)) @ weight)
        self._weight += float(weight.sum())

    def _fullness(self) -> float:
        """The share of frames within 10 dB of the level that a twentieth of them passes."""
        above = np.cumsum(self._levels[::-1])[::-1]
        loud = int(np.flatnonzero(above >= max(1, 0.05 * self._sounding))[-1])
        return float(above[max(0, loud - 40)] / self._sounding)

    def _dynamic_range(self) -> float | None:
        powers, peaks = np.sort(self._powers[1:])[::-1], np.sort(self._peaks[1:])[::-1]
        if self._sounding * HOP < BLOCK * HOP or not powers[0]:
            return None
        loud = powers[: max(1, round(LOUD * len(powers)))].mean()
        return float(20 * np.log10(peaks[min(1, len(peaks) - 1)] / np.sqrt(loud)))


def median_of_nine(values: list[Array32]) -> Array32:
    """The median of nine arrays, element by element.

    Three by three they are sorted; then the median is that of the highest low, the middle of the middle, and the lowest high.

    Examples
    --------
    >>> median_of_nine([np.float32([n]) for n in (9, 1, 8, 2, 7, 3, 6, 4, 5)]).tolist()
    [5.0]
    """
    lows, middles, highs = zip(*(_sorted(*values[i : i + 3]) for i in (0, 3, 6)), strict=True)
    return _middle(
        np.maximum(np.maximum(lows[0], lows[1]), lows[2]),
        _middle(*middles),
        np.minimum(np.minimum(highs[0], highs[1]), highs[2]),
    )


def _sorted(one: Array32, two: Array32, three: Array32) -> tuple[Array32, Array32, Array32]:
    low, high = np.minimum(one, two), np.maximum(one, two)
    return np.minimum(low, three), np.maximum(low, np.minimum(high, three)), np.maximum(high, three)


def _middle(one: Array32, two: Array32, three: Array32) -> Array32:
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))


def _within(value: float, low: float, high: float) -> float:
    """Where a value lies between two, in [0, 1]."""
    return min(1.0, max(0.0, (value - low) / (high - low)))
