"""What the two decoders have in common."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class UndecodableError(Exception):
    """A decoder cannot begin, or cannot go on; the other one is asked then. Never leaves this package."""


class Decoder(Protocol):
    """A source of samples from the beginning of an open file."""

    name: str
    codec: str
    rate: int
    channels: int
    notes: list[str]
    claimed: float | None
    """Length in seconds that the header claims."""
    tolerance: float
    """By how many seconds the claim may be wrong in a sound file: padding of the codec."""

    def read(self, frames: int) -> NDArray[np.float32]:
        """Give the next `frames` frames `(n, channels)`, fewer at the end, none after it."""
        ...

    def seek(self, frame: int, /) -> bool:
        """Go to a frame from the beginning, or say False where that would not be exact."""
        ...

    def close(self) -> None:
        """Free what the decoder holds, but not the file."""
        ...
