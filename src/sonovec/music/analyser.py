"""The analyser `music`: what is heard in the samples of a piece, part by part, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Analyser, Field, Findings

#: In Hz; what is above its half tells no tempo and no key.
RATE = 22050


class Part(Protocol):
    """One thing that is heard: it takes the mono blocks of a piece at `RATE`, in bounded memory, and gives columns."""

    fields: ClassVar[tuple[Field, ...]]

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear the next samples, shape (n,), float32 in [-1, 1], of any number."""

    def finish(self) -> Mapping[str, Any]:
        """Values of its fields; None, or no entry, where nothing can be said."""


#: What is heard, each by a class that takes no argument.
PARTS: tuple[type[Part], ...] = ()


class Music(Analyser):
    """Columns of `sonovec.music.columns`, but for moods, which the vectors tell."""

    name, version, rate = "music", "1", RATE
    fields = tuple(field for part in PARTS for field in part.fields)

    def begin(self, rate: int, channels: int) -> None:
        """Make the parts."""
        self._parts = [part() for part in PARTS]

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear a block (n,)."""
        for part in self._parts:
            part.push(block)

    def finish(self) -> Findings:
        """Put together what the parts heard."""
        return Findings({name: value for part in self._parts for name, value in part.finish().items()})
