"""What the two decoders have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ENCRYPTED = "encrypted"
"""The reason why a decoder cannot begin that no copy or export mends."""


class UndecodableError(Exception):
    """A decoder cannot begin, or cannot go on; the other one is asked then. Never leaves this package."""


class Decoder(Protocol):
    """A source of samples from the beginning of an open file."""

    name: str
    codec: str
    rate: int
    channels: int
    claimed: float | None
    """Length in seconds that the header claims."""

    @property
    def tolerance(self) -> float:
        """By how many seconds the claim may be wrong in a sound file, once all is read: padding of the codec."""
        ...

    @property
    def notes(self) -> list[str]:
        """What is worth knowing of the file, a sentence each; complete once all is read."""
        ...

    def read(self, frames: int) -> NDArray[np.float32]:
        """Give the next `frames` frames `(n, channels)`, fewer at the end, none after it."""
        ...

    def seek(self, frame: int, /) -> int:
        """Go to a frame from the beginning, or as near before it as is exact, and give where that is."""
        ...

    def close(self) -> None:
        """Free what the decoder holds, but not the file."""
        ...


class Regroup:
    """Pieces of any size as blocks of the size that is asked for.

    Examples
    --------
    >>> pieces = Regroup(iter([np.zeros((3, 1)), np.zeros((4, 1))]), channels=1)
    >>> [len(pieces.read(frames)) for frames in (2, 2, 2, 2, 2)]
    [2, 2, 2, 1, 0]
    """

    def __init__(self, pieces: Iterator[NDArray[np.float32]], channels: int) -> None:
        self._pieces = pieces
        self._pending = np.empty((0, channels), dtype=np.float32)

    def read(self, frames: int) -> NDArray[np.float32]:
        """Give the next `frames` frames, fewer at the end, none after it."""
        taken = [self._pending]
        missing = frames - len(self._pending)
        while missing > 0 and (piece := next(self._pieces, None)) is not None:
            taken.append(piece)
            missing -= len(piece)
        joined = np.concatenate(taken)
        self._pending = joined[frames:]
        return joined[:frames]
