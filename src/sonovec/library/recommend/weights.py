"""What each term counts for in the score of a recommendation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sonovec.errors import UsageError

#: What the default is called in messages and commands.
NAMES = ("sound", "tempo", "key", "mood", "energy", "liked", "disliked")


@dataclass(frozen=True)
class Weights:
    """The weights of the terms, each 0 or more; 0 leaves a term out.

    The score is the weighted mean of `sound`, `tempo`, `key`, `mood` and `energy`, of those that the seeds have, plus
    `liked` times how near the nearest liked track is, minus `disliked` times how near the nearest disliked one is.

    Examples
    --------
    >>> Weights.of({"tempo": 1}).tempo, Weights.of(None) == Weights()
    (1.0, True)
    >>> Weights.of({"tempi": 1})
    Traceback (most recent call last):
    sonovec.errors.UsageError: weights have no term 'tempi'; they have sound, tempo, key, mood, energy, liked, disliked
    """

    sound: float = 1.0
    tempo: float = 0.25
    key: float = 0.1
    mood: float = 0.2
    energy: float = 0.1
    liked: float = 0.1
    disliked: float = 0.5

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and 0 <= value < math.inf):
                raise UsageError(f"weight {name}={value!r}: give a number of 0 or more, such as {name}=0.5")
            object.__setattr__(self, name, float(value))
        if not any((self.sound, self.tempo, self.key, self.mood, self.energy)):
            raise UsageError("all weights are 0, so nothing ranks the tracks; give one of them, such as sound=1")

    @classmethod
    def of(cls, given: Weights | Mapping[str, float] | None) -> Weights:
        """Weights of some terms, by name; the others have their defaults.

        Raises
        ------
        UsageError
            There is no such term, or a weight is negative or no number.
        """
        if isinstance(given, Weights):
            return given
        wanted = dict(given or {})
        if unknown := next((name for name in wanted if name not in NAMES), None):
            raise UsageError(f"weights have no term {unknown!r}; they have {', '.join(NAMES)}")
        return cls(**wanted)
