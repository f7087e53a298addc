"""Samples in memory as a stream, like those of a file; what cannot be sound is refused, never taken in silence."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.checks import LOUDEST, Checks
from sonovec.audio.decode import BLOCK, AudioInfo
from sonovec.audio.resample import HIGHEST_RATE
from sonovec.audio.stream import MonoStream
from sonovec.audio.waveform import Waveform
from sonovec.errors import AudioError, UsageError

NAME = "samples in memory"
#: An axis of more than this many is time, one of fewer is channels.
MOST_CHANNELS = 32
#: Whole numbers from here on are no floats within -1..1 but integers that were converted.
WHOLE = 2.0
#: Calls that bring integers to -1..1.
SCALED = {
    "uint8": "((samples - 128.0) / 128, rate)",
    "int8": "(samples / 128, rate)",
    "int16": "(samples / 32768, rate)",
    "int32": "(samples / 2147483648, rate)",
}


class SamplesReader:
    """Reads samples, float `(n, channels)`, as an `AudioReader` reads a file."""

    def __init__(self, samples: NDArray[np.floating], rate: int, start: float, end: float | None) -> None:
        first = round(start * rate)
        last = None if end is None else max(first + 1, round(end * rate))
        self._samples = samples[first:last]
        if not self._samples.size:
            raise AudioError(
                f"{NAME}: none from {start} s on, of {len(samples) / rate:.2f} s; give samples, and a range in them"
            )
        self._checks = Checks(samples.shape[1], rate)
        self.info = AudioInfo(NAME, rate, samples.shape[1], "float32", "memory")
        self.position = 0

    @property
    def notes(self) -> list[str]:
        """What is odd about the samples, as for a file; complete once the blocks are exhausted."""
        return self._checks.notes()

    def blocks(self, frames: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Give what is left of the samples, block by block, float32 `(n, channels)`."""
        while self.position < len(self._samples):
            block = np.array(self._samples[self.position : self.position + frames], np.float32)  # the caller's stay
            self._checks.clean(block)
            self.position += len(block)
            yield block
        if self._checks.all_bad:
            raise AudioError(f"{NAME}: no sample is a number (all NaN or infinite); give samples within -1..1")

    def close(self) -> None:
        """Nothing is held open."""


def open_waveform(waveform: Waveform, rate: int | None, start: float = 0.0, end: float | None = None) -> MonoStream:
    """Open samples in memory as a stream of mono blocks at `rate`; the counterpart of `open_mono`.

    Raises
    ------
    UsageError
        If it is not mono, or its samples or its rate are none: see `open_samples`.

    Examples
    --------
    >>> with open_waveform(Waveform(np.zeros(8000, np.float32), 8000), 16000, end=0.5) as stream:
    ...     sum(len(block) for block in stream)
    8000
    """
    if np.ndim(waveform.samples) != 1:
        raise UsageError(
            f"{NAME}: a Waveform is mono, and this one has samples of shape {np.shape(waveform.samples)}; "
            "give the tuple (samples, rate) in its place"
        )
    return open_samples(waveform.samples, waveform.rate, rate, start, end)


def open_samples(
    samples: Any, own_rate: Any, rate: int | None, start: float = 0.0, end: float | None = None
) -> MonoStream:
    """Open samples as people have them as a stream of mono blocks at `rate`: cleaned, mixed and resampled as files are.

    Parameters
    ----------
    samples : array or what NumPy makes one of, float
        Shape (n,), (n, channels) or (channels, n): an axis of more than 32 is time, and the other is the channels.
        Full scale is -1 to 1.
    own_rate : int
        Their rate in Hz.
    rate : int or None
        That of the blocks; None keeps the samples' own.
    start, end : float
        Seconds.

    Raises
    ------
    UsageError
        If the samples are no floats, have the size of integers (a peak over 8, or whole numbers up to 2 or more) or a
        shape that does not tell which axis is time; or if the rate is no positive whole number. Each with the
        corrected call.
    AudioError
        If there are none, or none that is a number.

    Examples
    --------
    >>> with open_samples(np.zeros((2, 8000)), 8000, 16000) as stream:
    ...     stream.info.channels, sum(len(block) for block in stream)
    (2, 16000)
    """
    array = _floats(samples)
    framed = _channels_last(array)
    _refuse_other_scales(array)
    return MonoStream(SamplesReader(framed, _rate(own_rate), start, end), rate)


def _floats(samples: Any) -> NDArray[np.floating]:
    try:
        array = np.asarray(samples)
    except Exception as error:  # ragged lists, tensors on a GPU: each library has its own
        reason = " ".join(str(error).split())[:120]
        raise UsageError(
            f"samples of type {type(samples).__name__} cannot be read as an array ({reason}); give a NumPy array of floats"
        ) from error
    if array.dtype.kind != "f":
        known = SCALED.get(array.dtype.name, "such as (int16_samples / 32768, rate)")
        raise UsageError(f"samples of dtype {array.dtype} and shape {array.shape}; give floats within -1..1: {known}")
    if np.ma.is_masked(samples):
        raise UsageError(f"{np.count_nonzero(samples.mask)} of the samples are masked; give (samples.filled(0), rate)")
    return array


def _channels_last(samples: NDArray[np.floating]) -> NDArray[np.floating]:
    """The samples as (n, channels), whichever way they lie."""
    if samples.ndim == 1:
        return samples[:, None]
    if samples.ndim == 2:
        rows, columns = samples.shape
        if not samples.size:
            return samples.reshape(0, 1)
        if columns == 1 or rows > MOST_CHANNELS >= columns:
            return samples
        if rows == 1 or columns > MOST_CHANNELS >= rows:
            return samples.T
        raise UsageError(
            f"samples of shape {samples.shape}: sonovec cannot tell which axis is time (there are at most {MOST_CHANNELS} "
            "channels, and more samples than that); give one channel, such as (samples[:, 0], rate)"
        )
    raise UsageError(
        f"samples of shape {samples.shape}; give those of one sound, shape (n,) or (n, channels), such as (samples[0], rate)"
    )


def _refuse_other_scales(samples: NDArray[np.floating]) -> None:
    """Refuse floats that hold what integers hold; taken for -1..1 they would be noise beyond all measure."""
    if not samples.size:
        return
    peak = _peak(samples)
    if not np.isfinite(peak):
        numbers_only = samples[np.isfinite(samples)]
        peak = _peak(numbers_only) if numbers_only.size else 0.0
    whole = peak >= WHOLE and bool(np.all(samples == np.trunc(samples), where=np.isfinite(samples)))
    if peak > LOUDEST or whole:
        raise UsageError(
            f"samples of dtype {samples.dtype} reach {peak:g}{', in whole numbers' if whole else ''}: they are not within "
            "-1..1; for those of 16 bits give (samples / 32768, rate), for others (samples / abs(samples).max(), rate)"
        )


def _peak(samples: NDArray[np.floating]) -> float:
    return float(max(samples.max(), -samples.min()))


def _rate(rate: Any) -> int:
    try:
        whole = operator.index(rate)
    except TypeError:
        whole = int(rate) if isinstance(rate, float | np.floating) and float(rate).is_integer() else 0
    if isinstance(rate, bool) or not 1 <= whole <= HIGHEST_RATE:
        raise UsageError(
            f"rate={rate!r} is not a positive whole number of Hz up to {HIGHEST_RATE}; give, for example, (samples, 16000)"
        )
    return whole
