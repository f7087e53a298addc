"""Loudness as broadcasters measure it: integrated, its range, and the true peak.

By ITU-R BS.1770-5 (K-weighting, gating, true peak by 4 times oversampling) and EBU Tech 3342 (loudness range). It streams:
what is kept is the energy of each tenth of a second, of which the gating blocks are made, and never the samples.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Analyser, Field, Findings
from sonovec.audio.resample import Resampler
from sonovec.extras import require

#: Steps a second; gating blocks of 0.4 s and windows of 3 s begin at each.
STEPS = 10
BLOCK, WINDOW = 4, 30
#: LUFS of the absolute gate; LU of the relative gates below the mean: of loudness, and of its range.
ABSOLUTE, RELATIVE, RELATIVE_RANGE = -70.0, -10.0, -20.0
#: Centre in Hz, quality and, of the shelf, gain in dB, of the two filters of K-weighting. Those of the standard's tables
#: for 48 kHz come out of them, and others for other rates.
SHELF = (1681.974450955533, 0.7071752369554196, 3.999843853973347)
HIGH_PASS = (38.13547087602444, 0.5003270373238773)
#: Weights of the channels of 5 and of 5.1; all others weigh the same.
WEIGHTS = {5: (1, 1, 1, 1.41, 1.41), 6: (1, 1, 1, 0, 1.41, 1.41)}


class Loudness(Analyser):
    """Columns `loudness` (LUFS), `loudness_range` (LU) and `true_peak` (dB of full scale); empty where nothing can be said.

    Loudness needs 0.4 s of sound above -70 LUFS, its range 3 s, the peak a sample that is not zero.
    """

    name, version = "loudness", "1"
    fields = (
        Field("loudness", float, "scalar"),
        Field("loudness_range", float, "scalar"),
        Field("true_peak", float, "scalar"),
    )

    def begin(self, rate: int, channels: int) -> None:
        """Make the filters."""
        require("scipy.signal", "loudness", "loudness")
        from scipy.signal import sosfilt

        self._filter, self._sections = sosfilt, k_weighting(rate)
        self._state = np.zeros((len(self._sections), channels, 2))
        self._weights = np.array(WEIGHTS.get(channels, (1,) * channels), np.float64)
        self._rate, self._steps = rate, 0
        self._rest = np.empty(0)  # powers of the step that is not whole yet
        self._powers: list[NDArray[np.float64]] = []
        times = 4 if rate < 96_000 else 2 if rate < 192_000 else 1
        self._finer = [Resampler(rate, times * rate) for _ in range(channels)]
        self._peak = 0.0

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear a block (n, channels)."""
        for finer, samples in zip(self._finer, block.T, strict=True):
            self._heed(samples)
            self._heed(finer.process(np.ascontiguousarray(samples)))
        weighted, self._state = self._filter(self._sections, block.T.astype(np.float64), axis=-1, zi=self._state)
        powers = np.concatenate([self._rest, self._weights @ weighted**2])
        last = self._steps + int(STEPS * len(powers) / self._rate) + 1
        ends = self._end(np.arange(self._steps, last + 1)) - self._end(self._steps)
        bounds = ends[ends <= len(powers)]
        if len(bounds) > 1:
            sums = np.add.reduceat(powers[: bounds[-1]], bounds[:-1])
            self._powers.append(sums / np.diff(bounds))
            self._steps += len(bounds) - 1
        self._rest = powers[bounds[-1] :]

    def _end(self, step: NDArray[np.int64] | int) -> NDArray[np.int64]:
        """Samples in so many steps."""
        return np.asarray(step * self._rate // STEPS)

    def _heed(self, samples: NDArray[np.float32]) -> None:
        if len(samples):
            self._peak = max(self._peak, float(np.abs(samples).max()))

    def finish(self) -> Findings:
        """Gate."""
        for finer in self._finer:
            self._heed(finer.flush())
        powers = np.concatenate([np.empty(0), *self._powers])
        return Findings(
            {
                "loudness": integrated(powers),
                "loudness_range": loudness_range(powers),
                "true_peak": 20 * math.log10(self._peak) if self._peak else None,
            }
        )


def k_weighting(rate: int) -> NDArray[np.float64]:
    """The two second-order sections (2, 6) of K-weighting at a rate: a high shelf, then a high pass.

    Examples
    --------
    >>> k_weighting(48000)[0].round(6).tolist()
    [1.535125, -2.691696, 1.198393, 1.0, -1.690659, 0.732481]
    """
    centre, quality, gain = SHELF
    k, high = math.tan(math.pi * centre / rate), 10 ** (gain / 20)
    band, norm = high**0.4996667741545416, 1 + k / quality + k * k
    shelf = [
        (high + band * k / quality + k * k) / norm,
        2 * (k * k - high) / norm,
        (high - band * k / quality + k * k) / norm,
        1.0,
        2 * (k * k - 1) / norm,
        (1 - k / quality + k * k) / norm,
    ]
    centre, quality = HIGH_PASS
    k = math.tan(math.pi * centre / rate)
    norm = 1 + k / quality + k * k
    return np.array([shelf, [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm]])


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(-0.691 + 10 * np.log10(power), np.float64)


def _over(powers: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Means of so many steps, beginning at each."""
    if len(powers) < steps:
        return np.empty(0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(powers, steps).mean(axis=1), np.float64)


def _gated(powers: NDArray[np.float64], relative: float) -> NDArray[np.float64]:
    """Powers above the absolute gate, and then above the relative one."""
    loud = powers[_lufs(powers) > ABSOLUTE]
    return loud[_lufs(loud) > _lufs(loud.mean()) + relative] if len(loud) else loud


def integrated(powers: NDArray[np.float64]) -> float | None:
    """Loudness in LUFS of the powers (n,) of steps; None below the gate."""
    loud = _gated(_over(powers, BLOCK), RELATIVE)
    return float(_lufs(loud.mean())) if len(loud) else None


def loudness_range(powers: NDArray[np.float64]) -> float | None:
    """Loudness range in LU of the powers (n,) of steps; None below the gate."""
    loud = _gated(_over(powers, WINDOW), RELATIVE_RANGE)
    if not len(loud):
        return None
    low, high = np.percentile(_lufs(loud), [10, 95])
    return float(high - low)
