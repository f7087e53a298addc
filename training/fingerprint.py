"""Fingerprints of recordings: pairs of spectral peaks, which survive other formats, levels and cuts.

After Wang, "An industrial-strength audio search algorithm", ISMIR 2003. It finds cuts of the same sound, not other parts of
the same recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

RATE = 8000
WINDOW, HOP = 512, 256
#: A peak is the loudest of so many frames and bins around it; it is paired with so many that follow, within so many frames.
AROUND, PAIRS, AHEAD = (9, 15), 6, 63
#: Pairs in common at one place, at least and as a share of all, that are no chance.
LEAST, SHARE = 16, 0.05


@dataclass(frozen=True)
class Match:
    """A sound that was found in another: how many pairs agree on one place, and the seconds between their beginnings."""

    known: str
    pairs: int
    offset: float


def landmarks(samples: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of peaks as numbers, and the frame of each; `samples` mono at 8 kHz."""
    if len(samples) < WINDOW:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    energy = np.log(np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32))).astype(np.float32) + 1e-4)
    peaks = (energy == maximum_filter(energy, AROUND)) & (energy > energy.max() - 9) & (energy > -6)
    time, bin_ = np.nonzero(peaks)
    found = []
    for step in range(1, PAIRS + 1):
        ahead = time[step:] - time[:-step]
        near = (ahead > 0) & (ahead <= AHEAD)
        pair = (bin_[:-step] << 14 | bin_[step:] << 6 | ahead)[near]
        found.append((pair, time[:-step][near]))
    return np.concatenate([pair for pair, _ in found]), np.concatenate([frame for _, frame in found])


class Index:
    """Sounds to be found in others."""

    def __init__(self, sounds: Mapping[str, NDArray[np.float32]]) -> None:
        pairs, frames, owners = [], [], []
        self.names = list(sounds)
        self._sizes = []
        for owner, samples in enumerate(sounds.values()):
            pair, frame = landmarks(samples)
            pairs.append(pair)
            frames.append(frame)
            owners.append(np.full(len(pair), owner))
            self._sizes.append(len(pair))
        order = np.argsort(np.concatenate(pairs), kind="stable")
        self._pairs, self._frames, self._owners = (np.concatenate(each)[order] for each in (pairs, frames, owners))

    def find(self, samples: NDArray[np.float32]) -> list[Match]:
        """Which of the sounds are heard in `samples`, or the other way round; mono at 8 kHz."""
        pair, frame = landmarks(samples)
        first, last = np.searchsorted(self._pairs, pair), np.searchsorted(self._pairs, pair, side="right")
        counts = last - first
        hits = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        offsets = np.repeat(frame, counts) - self._frames[hits]
        best: dict[int, Match] = {}
        for (owner, offset), agreeing in _tally(self._owners[hits], offsets):
            needed = max(LEAST, SHARE * min(self._sizes[owner], len(pair)))
            if agreeing >= needed and agreeing > (best[owner].pairs if owner in best else 0):
                best[owner] = Match(self.names[owner], agreeing, offset * HOP / RATE)
        return list(best.values())


def _tally(owners: NDArray[np.int64], offsets: NDArray[np.int64]) -> Iterable[tuple[tuple[int, int], int]]:
    """How many hits agree on a sound and a place; a peak may move by a frame, so neighbours count together."""
    counted = Counter(zip(owners.tolist(), offsets.tolist(), strict=True))
    for (owner, offset), count in list(counted.items()):
        if count > 2:
            yield (owner, offset), count + max(counted.get((owner, offset - 1), 0), counted.get((owner, offset + 1), 0))
