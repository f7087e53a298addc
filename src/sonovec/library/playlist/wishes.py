"""What a playlist is asked to be."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sonovec.audio.waveform import Waveform
from sonovec.embedding.embedding import Embedding
from sonovec.errors import UsageError
from sonovec.library.playlist.arcs import Arc
from sonovec.library.playlist.steps import Weights
from sonovec.library.queries import Asked, is_vector
from sonovec.music.columns import TEMPO
from sonovec.music.settled import PREFERENCES, check_preference
from sonovec.music.tempi import TempoRange

#: Tracks of a list where no length is given, and the most that one has.
USUAL, MOST = 20, 500


def several(seeds: Any) -> list[Asked]:
    """Seeds that were given as one or as several; samples with their rate, a tuple, are one."""
    is_one = isinstance(seeds, str | os.PathLike | Embedding | Waveform) or is_vector(seeds)
    is_samples = isinstance(seeds, tuple) and len(seeds) == 2 and is_vector(seeds[0])
    return [seeds] if is_one or is_samples else list(seeds)


@dataclass(frozen=True)
class Wish:
    """See `sonovec.Library.playlist`; `played` are the ids in its history."""

    seeds: Sequence[Asked] = ()
    to: Asked | None = None
    limit: int | None = None
    minutes: float | None = None
    arc: Arc | None = None
    harmonic: bool = False
    tempo: TempoRange | None = None
    grow: bool = False
    min_score: float | None = None
    artist_limit: int | None = None
    played: frozenset[str] = frozenset()
    with_seeds: bool = True
    gapless: bool = False
    weights: Weights = field(default_factory=Weights)
    prefer: str = PREFERENCES[0]
    seed: int = 0

    def __post_init__(self) -> None:
        if self.limit is not None and not 1 <= self.limit <= MOST:
            raise UsageError(f"limit={self.limit}: give a number of tracks from 1 to {MOST}, such as {USUAL}")
        if self.minutes is not None and not (math.isfinite(self.minutes) and self.minutes > 0):
            raise UsageError(f"minutes={self.minutes}: give a length above 0, such as minutes=60")
        if self.limit is not None and self.minutes is not None:
            raise UsageError("limit and minutes are two lengths of one list; give one of them")
        if self.artist_limit is not None and self.artist_limit < 1:
            raise UsageError(f"artist_limit={self.artist_limit}: give a number from 1 on, such as artist_limit=1")
        if self.min_score is not None and not -1 <= self.min_score <= 1:
            raise UsageError(f"min_score={self.min_score} is not a cosine similarity; give a number from -1 to 1")
        check_preference(self.prefer)
        self._check_seeds()
        if self.arc is not None and self.tempo is not None and self.arc.column == TEMPO and not self.arc.relative:
            outside = [point for point in self.arc.points if point not in self.tempo]
            if outside:
                raise UsageError(
                    f"the arc asks for a tempo of {outside[0]:g}, and the range {self.tempo.slowest:g}.."
                    f"{self.tempo.fastest:g} has no place for it; change one of the two"
                )

    def _check_seeds(self) -> None:
        if self.to is not None and len(self.seeds) != 1:
            raise UsageError(
                f"a way to a track begins at one seed, and {len(self.seeds)} are given: sonovec playlist FIRST --to LAST"
            )
        if self.to is not None and (self.grow or not self.with_seeds):
            raise UsageError(
                "a way has two fixed ends, so it neither grows nor lacks them; leave grow and no seeds out"
            )
        if self.to is not None and self.limit == 1:
            raise UsageError("limit=1: a way has two ends; give limit=2 or more")
        if not self.seeds and (self.grow or self.min_score is not None):
            raise UsageError("to grow, or to score, a list needs seeds that its tracks are compared with; give some")
        if not (self.seeds or self.arc or self.harmonic or self.minutes or self.limit):
            raise UsageError(
                "nothing says what is to be played; give seeds, an arc, a length, or harmonic mixing, such as: "
                "sonovec playlist SONG, or sonovec playlist --arc energy=up"
            )
