"""What is wished for beside likeness, and the checks of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from sonovec.errors import UsageError
from sonovec.library.store import row_count
from sonovec.music.settled import check_preference
from sonovec.music.tempi import FASTEST, SLOWEST, TempoRange, parse_range

Energy = Literal["up", "down", "like"]
ENERGIES: tuple[str, ...] = get_args(Energy)


@dataclass(frozen=True)
class Wishes:
    """What every recommended track must meet, how many there are to be, and how unlike each other."""

    tempo: TempoRange | None = None
    tempo_like: bool = False
    octaves: bool = False
    key_compatible: bool = False
    moods: tuple[str, ...] = ()
    energy: str | None = None
    artist_limit: int | None = None
    limit: int = 20
    variety: float = 0.2
    prefer: str = "heard"

    @property
    def of_seeds(self) -> bool:
        """Whether something is wished for that is as it is in the seeds, so that theirs must be known."""
        return self.tempo_like or self.key_compatible or self.energy is not None


def wished(
    tempo: str | tuple[float, float] | None,
    tempo_like: bool,
    octaves: bool,
    key_compatible: bool,
    mood: str | Iterable[str] | None,
    energy: str | None,
    artist_limit: int | None,
    limit: int,
    variety: float,
    prefer: str,
) -> Wishes:
    """Check what a user wishes for; see `sonovec.Library.recommend`.

    Raises
    ------
    UsageError
        The message names what is wrong, and what to give.
    """
    if octaves and not tempo_like:
        raise UsageError("octaves is how tempo_like compares; give tempo_like=True (--tempo-like) with it")
    if energy is not None and energy not in ENERGIES:
        raise UsageError(f"energy={energy!r} is unknown; give one of: {', '.join(ENERGIES)}")
    if artist_limit is not None and row_count("artist_limit", artist_limit) < 1:
        raise UsageError("artist_limit=0 leaves nothing; give 1 or more")
    if not (isinstance(variety, int | float) and 0 <= variety < 1):
        raise UsageError(f"variety={variety!r}: give a number from 0 to less than 1, such as variety=0.2")
    check_preference(prefer)
    moods = () if mood is None else (mood,) if isinstance(mood, str) else tuple(mood)
    if any(not isinstance(each, str) or not each.strip() for each in moods):
        raise UsageError("mood is empty; give the name of a mood, such as mood='happy'")
    return Wishes(
        tempo=None if tempo is None else _range(tempo),
        tempo_like=tempo_like,
        octaves=octaves,
        key_compatible=key_compatible,
        moods=tuple(each.strip() for each in moods),
        energy=energy,
        artist_limit=artist_limit,
        limit=row_count("limit", limit),
        variety=float(variety),
        prefer=prefer,
    )


def _range(tempo: str | tuple[float, float]) -> TempoRange:
    if isinstance(tempo, str):
        return parse_range(tempo)
    try:
        slowest, fastest = map(float, tempo)
    except (TypeError, ValueError):
        slowest = fastest = math.nan
    if not SLOWEST <= slowest <= fastest <= FASTEST:
        raise UsageError(
            f"tempo={tempo!r}: give two tempos from {SLOWEST:.0f} to {FASTEST:.0f}, the slower one first, such as "
            "tempo=(118, 126)"
        )
    return TempoRange(slowest, fastest)
