"""What is odd about decoded samples: no numbers, a scale that is not -1..1, an offset, clipping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.mix import cancels, powers

#: Floats are within -1..1, and a little louder after effects; samples beyond this were never scaled.
LOUDEST = 8.0
#: A sample that reaches this is at full scale, in every number of bits.
FULL_SCALE = 0.9999
#: Share of samples at full scale from which a sound is called clipped; loud music stays well below.
CLIPPED = 0.05
#: Mean of a channel from which it is called offset, if that is also this share of its power.
OFFSET, OFFSET_POWER = 0.05, 0.1
#: Seconds that a sound must last for its mean and its peaks to say something.
LEAST_SECONDS = 1.0
#: Stretches that a note lists one by one.
LISTED = 3


class Checks:
    """Cleans blocks of samples and gathers what is odd about them.

    Parameters
    ----------
    channels, rate
        Of the sound; `rate` in Hz.

    Examples
    --------
    >>> checks = Checks(channels=1, rate=8000)
    >>> block = np.full((8000, 1), 0.5, np.float32)
    >>> block[:2] = np.nan
    >>> checks.clean(block)
    >>> checks.notes()
    ['2 sample(s) were NaN or infinite and were set to 0', 'the samples lie around 0.50 instead of 0']
    """

    def __init__(self, channels: int, rate: int) -> None:
        self._rate = rate
        self._frames = 0
        self._bad = np.zeros(channels, np.int64)
        self._sums = np.zeros(channels)
        self._power = 0.0
        self._second = np.zeros(2)
        self._cancelled: list[tuple[float, float]] = []
        self._peak = 0.0
        self._full = 0

    @property
    def all_bad(self) -> bool:
        """Whether no sample was a number."""
        return self._frames > 0 and bool((self._bad == self._frames).all())

    def clean(self, block: NDArray[np.float32]) -> None:
        """Set to 0, in place, what is no number in a block `(n, channels)`, and look at the rest."""
        with np.errstate(all="ignore"):
            suspicious = not np.isfinite(block.sum())  # one pass, no memory; only a suspicion is looked into
        if suspicious:
            bad = ~np.isfinite(block)
            self._bad += bad.sum(axis=0)
            block[bad] = 0
        peak = max(float(block.max()), -float(block.min()))
        self._peak = max(self._peak, peak)
        if peak >= FULL_SCALE:
            self._full += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))
        first = 0
        while first < len(block):
            piece = block[first : first + self._rate - self._frames % self._rate]
            self._add(piece)
            first += len(piece)

    def _add(self, piece: NDArray[np.float32]) -> None:
        """Count in a piece that lies within one second."""
        self._frames += len(piece)
        self._second += powers(piece)
        with np.errstate(all="ignore"):
            self._sums += [float(channel.sum()) for channel in piece.T]
        if self._frames % self._rate == 0:
            self._end_second()

    def _end_second(self) -> None:
        end = self._frames / self._rate
        start = float((self._frames - 1) // self._rate)
        if len(self._bad) > 1 and cancels(*self._second):
            if self._cancelled and self._cancelled[-1][1] == start:
                start = self._cancelled.pop()[0]
            self._cancelled.append((start, end))
        self._power += self._second[1] / len(self._bad)
        self._second[:] = 0

    def notes(self) -> list[str]:
        """Say what was odd, a sentence each."""
        if self._second[1]:
            self._end_second()
        channels = len(self._bad)
        lost = [index + 1 for index in np.flatnonzero(self._bad == self._frames)] if self._frames else []
        notes = []
        if lost and len(lost) < channels:
            named = ", ".join(map(str, lost))
            notes.append(f"channel {named} of {channels} has no sample that is a number and counts as silence")
        elif self._bad.any():
            notes.append(f"{self._bad.sum()} sample(s) were NaN or infinite and were set to 0")
        if self._peak > LOUDEST:
            notes.append(
                f"samples reach {self._peak:.6g}, though full scale is 1; whole numbers of 16 bits are to be divided by 32768"
            )
        notes += self._of_channels()
        if self._peak <= LOUDEST and self._frames >= LEAST_SECONDS * self._rate:
            notes += self._of_long_sounds()
        return notes

    def _of_channels(self) -> list[str]:
        if not self._cancelled:
            return []
        spans = ", ".join(f"from {start:.2f} to {end:.2f} s" for start, end in self._cancelled[:LISTED])
        more = f" and at {len(self._cancelled) - LISTED} more places" if len(self._cancelled) > LISTED else ""
        return [
            f"the channels cancel each other out {spans}{more} (one is inverted); mixed to one, the first is taken there"
        ]

    def _of_long_sounds(self) -> list[str]:
        notes = []
        means = self._sums / self._frames
        if np.abs(means).max() >= OFFSET and np.mean(means**2) >= OFFSET_POWER * self._power / self._frames:
            notes.append(f"the samples lie around {means[np.abs(means).argmax()]:.2f} instead of 0")
        share = self._full / (self._frames * len(means))
        if share >= CLIPPED:
            notes.append(f"{share:.0%} of the samples are at full scale: the sound is clipped")
        return notes
