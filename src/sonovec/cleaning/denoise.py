"""Steady noise is taken out of a sound by spectral gating, with `noisereduce` (Sainburg, Thielk and Gentner, 2020).

What is quieter than the noise, in each band of frequencies, is shut out. The noise is the quietest half second of sound that
was heard in the last half minute, and up to one block ahead; digital silence does not count. The sound is gated in blocks
that always lie in the same places, each with some of its neighbours on both sides. So the result does not depend on how the
stream came, and memory is bounded.

It takes away what is quiet and steady, whatever that is: rain is noise, too. docs/noise.md has what that costs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import SILENCE_PEAK
from sonovec.cleaning.pieces import Pieces
from sonovec.cleaning.step import Step
from sonovec.errors import MissingExtraError

#: What the passport calls it.
NAME = "noisereduce-3"
#: Seconds of a block, of its neighbours on each side, of the noise, and of what is heard for it.
BLOCK, CONTEXT, NOISE, MEMORY = 2.0, 0.25, 0.5, 30.0
#: Stretches that may be the noise begin so often within one.
STEPS = 5
#: A frame of the spectrum is the first power of two of samples that has this many seconds.
FRAME = 0.04

Samples = NDArray[np.float32]


def check() -> None:
    """Say what is missing.

    Raises
    ------
    MissingExtraError
        If `noisereduce` is not installed.
    """
    if find_spec("noisereduce") is None:
        raise MissingExtraError("denoise needs noisereduce: pip install 'sonovec[denoise]'")


class Denoiser(Step):
    """Takes the noise out of one sound.

    Parameters
    ----------
    rate : int
        Samples a second.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.standard_normal(32000).astype(np.float32) / 100
    >>> (quiet,) = Denoiser(16000).blocks([noise])
    >>> len(quiet), bool(np.std(quiet) < np.std(noise) / 3)
    (32000, True)
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._context = round(CONTEXT * rate)
        self._frame = 1 << (round(FRAME * rate) - 1).bit_length()
        self._noises: deque[tuple[float, Samples] | None] = deque(maxlen=round(MEMORY / BLOCK) + 1)
        self._pieces = Pieces(round(BLOCK * rate))
        self._before = self._block = np.empty(0, np.float32)
        self._seconds, self._noisy = 0.0, False

    @property
    def notes(self) -> list[str]:
        """Why there was nothing to do, if there was not."""
        if self._noisy:
            return []
        short = self._seconds < NOISE
        return [
            f"not denoised: {f'shorter than {NOISE:g} s' if short else f'without {NOISE:g} s of sound at a stretch'}"
        ]

    def push(self, block: Samples) -> Iterator[Samples]:
        """Take the next samples; what is given has as many in all, without their noise."""
        for piece in self._pieces.push(block):
            yield from self._next(piece)

    def finish(self) -> Iterator[Samples]:
        """Give the rest."""
        for piece in self._pieces.finish():
            yield from self._next(piece)
        if len(self._block):
            yield self._gated(self._before, self._block, np.empty(0, np.float32))

    def _next(self, after: Samples) -> Iterator[Samples]:
        """Hear a piece for its noise, and give the one before it."""
        self._noises.append(_quietest(after, round(NOISE * self._rate)))
        self._seconds += len(after) / self._rate
        self._noisy = self._noisy or self._noises[-1] is not None
        if len(self._block):
            yield self._gated(self._before, self._block, after)
        self._before, self._block = self._block, after

    def _gated(self, before: Samples, block: Samples, after: Samples) -> Samples:
        noise = min((each for each in self._noises if each is not None), key=lambda each: each[0], default=None)
        if noise is None:
            return block
        from noisereduce import reduce_noise

        left, right = before[-self._context :], after[: self._context]
        gated = reduce_noise(
            y=np.concatenate([left, block, right]),
            sr=self._rate,
            y_noise=noise[1],
            stationary=True,
            n_fft=self._frame,
            padding=self._frame,
            chunk_size=None,
        )
        return np.asarray(gated[len(left) : len(left) + len(block)], np.float32)


def _quietest(block: Samples, length: int) -> tuple[float, Samples] | None:
    """The power of the quietest stretch of a block, and its samples; None where each has digital silence in it."""
    step = max(1, length // STEPS)
    stretches = [block[start : start + length] for start in range(0, len(block) - length + 1, step)]
    powers = [
        (float(np.mean(np.square(each, dtype=np.float64))), each) for each in stretches if not _has_silence(each, step)
    ]
    return min(powers, key=lambda each: each[0], default=None)


def _has_silence(stretch: Samples, step: int) -> bool:
    cells = np.abs(stretch[: len(stretch) - len(stretch) % step]).reshape(-1, step)
    return bool((cells.max(axis=1) < SILENCE_PEAK).any())
