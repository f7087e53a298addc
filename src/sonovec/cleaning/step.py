"""What every step of cleaning is that changes the samples of a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


class Step(ABC):
    """Takes the blocks of one sound as they come, and gives what it makes of them as soon as it is known."""

    @property
    @abstractmethod
    def notes(self) -> list[str]:
        """What it did, or why it did nothing; complete behind the end."""

    @abstractmethod
    def push(self, block: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take the next samples, float32 ``(n,)``; read all of what is given."""

    @abstractmethod
    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Give the rest, at the end of the sound."""

    def blocks(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Give what it makes of a whole stream, float32 ``(n,)`` each."""
        for block in blocks:
            yield from self.push(block)
        yield from self.finish()
