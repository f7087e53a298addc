"""Channels to one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Channels cancel each other where their sum has less than this share of the power that unlike channels would leave.
CANCELLED = 0.01


def mix(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the mean over the channels of `(n, channels)`, sample by sample the same whatever n is.

    Examples
    --------
    >>> mix(np.array([[0.5, 0.25]], dtype=np.float32))
    array([0.375], dtype=float32)
    """
    channels = block.shape[1]
    if channels == 1:
        return block[:, 0]
    # Scaled before they are added, so that no sum overflows; column by column, which is faster than a mean over rows.
    share = np.float32(1 / channels)
    mono: NDArray[np.float32] = block[:, 0] * share
    for channel in range(1, channels):
        mono += block[:, channel] * share
    return mono


def mix_or_first(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the mean over the channels, or the first of them where they cancel each other out, so that the mean is silence.

    It happens where one channel is another one inverted, as by a cable that is wired wrongly.

    Examples
    --------
    >>> left = np.sin(np.arange(8000, dtype=np.float32))
    >>> np.array_equal(mix_or_first(np.stack([left, -left], axis=1)), left)
    True
    """
    if block.shape[1] > 1 and cancels(*powers(block)):
        return np.ascontiguousarray(block[:, 0])
    return mix(block)


def powers(block: NDArray[np.float32]) -> tuple[float, float]:
    """Give the power of the sum of the channels, and the sum of their powers; both grow with the length."""
    # No products of matrices: their library would start threads for each of these small ones.
    with np.errstate(over="ignore"):
        of_all = float(np.square(block).sum())
        return (of_all if block.shape[1] == 1 else float(np.square(mix(block)).sum()) * block.shape[1] ** 2), of_all


def cancels(of_sum: float, of_all: float) -> bool:
    """Say whether channels with these `powers` cancel each other out."""
    return of_sum < CANCELLED * of_all < np.inf
