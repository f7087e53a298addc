"""Sound in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief


@dataclass(frozen=True, eq=False, repr=False)
class Waveform(Brief):
    """Mono sound with its rate.

    Attributes
    ----------
    samples
        float32, shape ``(n,)``; full scale is -1 to 1.
    rate
        Samples a second, in Hz.

    Examples
    --------
    >>> Waveform(np.zeros(8000, dtype=np.float32), 16000).duration
    0.5
    """

    samples: NDArray[np.float32]
    rate: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate
