"""Sound of one rate to another, block by block, with the same result as in one piece."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonovec import forks
from sonovec.errors import UsageError

RESAMPLER = "soxr-hq-1"
"""Algorithm and version for the passport; the number grows when the samples change."""

HIGHEST_RATE = 2**32 - 1
"""In Hz: no header holds more, and of rates from about 1e15 on soxr makes filters without end."""


def resampled_length(samples: int, rate_in: int, rate_out: int) -> int:
    """Give the number of samples after resampling: rounded to the nearest, halves up, and never none of some.

    Examples
    --------
    >>> resampled_length(44100, 44100, 16000), resampled_length(1, 44100, 16000), resampled_length(0, 44100, 16000)
    (16000, 1, 0)
    """
    if not samples:
        return 0
    return max(1, (2 * samples * rate_out + rate_in) // (2 * rate_in))


class Resampler:
    """Band-limited resampling (soxr, high quality) of a stream of mono blocks.

    Blocks of any size, put together, give the same samples; their number is `resampled_length` of all that went in.
    Equal rates give every block back as it is.

    Parameters
    ----------
    rate_in, rate_out
        Positive whole numbers of samples a second, at most `HIGHEST_RATE`.

    Raises
    ------
    UsageError
        A rate is not a positive whole number, or too high.

    Examples
    --------
    >>> resampler = Resampler(48000, 16000)
    >>> sum(len(resampler.process(np.zeros(1000, dtype=np.float32))) for _ in range(3)) + len(resampler.flush())
    1000
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        for name, rate in (("rate_in", rate_in), ("rate_out", rate_out)):
            if rate != int(rate) or not 1 <= rate <= HIGHEST_RATE:
                raise UsageError(
                    f"{name}={rate} must be a positive whole number of Hz, at most {HIGHEST_RATE}; for example {name}=16000"
                )
        self.rate_in = int(rate_in)
        self.rate_out = int(rate_out)
        self._taken = 0
        self._given = 0
        self._edge = np.zeros(1, dtype=np.float32)
        self._stream = None if rate_in == rate_out else _stream(self.rate_in, self.rate_out)

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the samples, float32 `(m,)`, that are complete once `block`, float32 `(n,)`, went in; m may be 0."""
        if self._stream is None or not len(block):
            return block
        self._taken += len(block)
        self._edge = block[-1:]
        return self._limit(self._resampled(block))

    def flush(self) -> NDArray[np.float32]:
        """Give the last samples; nothing may be processed after it."""
        if self._stream is None or not self._taken:
            return np.empty(0, dtype=np.float32)
        out = self._limit(self._resampled(np.empty(0, dtype=np.float32), last=True))
        missing = self._total() - self._given
        self._given += missing
        # soxr may round the length the other way; and it gives nothing for a clip shorter than one output sample.
        return np.concatenate([out, np.repeat(self._edge, missing)]) if missing else out

    def free(self) -> None:
        """Free what soxr holds, where nobody will use it any more and the frame that uses it never ends."""
        self._stream = None

    def _resampled(self, block: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        assert self._stream is not None
        with forks.unforked():
            out: NDArray[np.float32] = self._stream.resample_chunk(np.ascontiguousarray(block), last=last)
        return out

    def _total(self) -> int:
        return resampled_length(self._taken, self.rate_in, self.rate_out)

    def _limit(self, out: NDArray[np.float32]) -> NDArray[np.float32]:
        out = out[: self._total() - self._given]
        self._given += len(out)
        return out


def _stream(rate_in: int, rate_out: int):  # type: ignore[no-untyped-def]
    import soxr

    return soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ")
