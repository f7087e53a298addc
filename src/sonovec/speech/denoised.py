"""A sound beside the same sound without its steady noise, which comes later."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sonovec.cleaning.denoise import Denoiser
from sonovec.speech.recogniser import RATE

Samples = NDArray[np.float32]


class Denoised:
    """Gives a recogniser's sound without noise, and voice activity the sound as it came, in blocks of one length.

    What a denoiser leaves of noise may sound like a voice, so voices are listened for before it.

    Examples
    --------
    >>> denoised = Denoised()
    >>> pairs = [*denoised.push(np.zeros(48000, np.float32)), *denoised.finish()]
    >>> [(len(clean), len(raw)) for clean, raw in pairs]
    [(32000, 32000), (16000, 16000)]
    """

    def __init__(self) -> None:
        self._denoiser = Denoiser(RATE)
        self._raw = np.empty(0, np.float32)

    @property
    def notes(self) -> list[str]:
        """Why there was nothing to do, if there was not; complete behind the end."""
        return self._denoiser.notes

    def push(self, block: Samples) -> Iterator[tuple[Samples, Samples]]:
        """Take the next samples, float32 ``(n,)`` at 16 kHz; read all pairs that are given."""
        self._raw = np.concatenate([self._raw, block])
        return self._beside(self._denoiser.push(block))

    def finish(self) -> Iterator[tuple[Samples, Samples]]:
        """Give the rest, at the end of the sound."""
        return self._beside(self._denoiser.finish())

    def _beside(self, blocks: Iterator[Samples]) -> Iterator[tuple[Samples, Samples]]:
        for clean in blocks:
            raw, self._raw = self._raw[: len(clean)], self._raw[len(clean) :]
            yield clean, raw


class AsItIs:
    """The same of a sound whose noise stays."""

    notes: tuple[str, ...] = ()

    def push(self, block: Samples) -> Iterator[tuple[Samples, Samples]]:
        """Take the next samples, and give them twice."""
        yield block, block

    def finish(self) -> Iterator[tuple[Samples, Samples]]:
        """Give nothing more."""
        return iter(())
