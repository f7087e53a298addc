"""One thing that is heard in music: the interface between the analyser `music` and its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Field

#: In Hz; what is above its half tells no tempo and no key.
RATE = 22050


class Part(Protocol):
    """One thing that is heard: it takes the mono blocks of a piece at `RATE`, in bounded memory, and gives columns."""

    fields: ClassVar[tuple[Field, ...]]

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear the next samples, shape (n,), float32 in [-1, 1], of any number."""

    def finish(self) -> Mapping[str, Any]:
        """Values of its fields; None, or no entry, where nothing can be said."""
