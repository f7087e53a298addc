"""How silent a sound is, by the levels of its windows: of one that is nearly silent a vector says little."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: A window below this mean power, in dB of full scale, is nearly silent; see docs/libraries.md for how it was measured.
QUIET = -70.0

#: What is silent in which way, and what that means for a search.
MEANING: Mapping[str, str] = {
    "silent": "the hits are silent too, or match by chance",
    "nearly silent": f"below {QUIET:.0f} dBFS a vector says little of a sound, and what is found may be like it by chance",
    "mostly silent": "its vector is mostly that of silence; give its sound alone, by its first and last second",
}


@dataclass
class Silence:
    """What is known of the silence in a sound; `add` takes its windows, as they come.

    Examples
    --------
    >>> silence = Silence()
    >>> silence.add(np.array([-75.0, -80.0]), np.array([False, False]))
    >>> silence.note
    'nearly silent (-75 dBFS at the loudest)'
    >>> silence.add(np.array([-20.0]), np.array([False]))
    >>> silence.note
    'mostly silent (2 of 3 windows)'
    """

    windows: int = 0
    silent: int = 0
    quiet: int = 0
    loudest: float = -math.inf

    def add(self, levels: NDArray[np.floating], silent: NDArray[np.bool_]) -> None:
        """Take the levels of windows in dB of full scale, (n,), and which of them are silent."""
        self.windows += len(levels)
        self.silent += int(silent.sum())
        self.quiet += int((silent | (levels < QUIET)).sum())
        self.loudest = max(self.loudest, float(levels.max(initial=-math.inf)))

    @property
    def note(self) -> str | None:
        """In which way the sound is silent, if it is in any; what it begins with is in `MEANING`."""
        if self.silent == self.windows:
            return "silent"
        if self.quiet == self.windows:
            return f"nearly silent ({self.loudest:.0f} dBFS at the loudest)"
        if 2 * self.quiet > self.windows:
            return f"mostly silent ({self.quiet} of {self.windows} windows)"
        return None


def warnings_of(notes: str | None) -> tuple[str, ...]:
    """What a search by a sound warns of, given the notes on it, joined by semicolons.

    Examples
    --------
    >>> warnings_of("the end is missing; silent")
    ('the query is silent: the hits are silent too, or match by chance',)
    """
    found = ((note, MEANING.get(note.partition(" (")[0])) for note in (notes or "").split("; "))
    return tuple(f"the query is {note}: {meaning}" for note, meaning in found if meaning)
