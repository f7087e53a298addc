"""How many tracks fill a length in minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

#: A list may be so many seconds longer than was asked for.
OVER = 30.0
#: Lists of other numbers of tracks that are tried.
TRIES = 6


def filled(items: Sequence[T], seconds: Callable[[T], float], wanted: float, before: float = 0.0) -> list[T]:
    """Items in order, without those that would make it too long.

    Parameters
    ----------
    items : sequence
        The best first.
    seconds : callable
        The length of one.
    wanted : float
        Seconds in all.
    before : float
        Seconds that are filled already.

    Examples
    --------
    >>> filled([100, 200, 300, 60, 40], float, 430)
    [100, 200, 60, 40]
    """
    taken, total = [], before
    for item in items:
        if total + seconds(item) <= wanted + OVER and total < wanted:
            taken.append(item)
            total += seconds(item)
    return taken


def nearest_length(make: Callable[[int], T], seconds: Callable[[T], float], wanted: float, first: int, most: int) -> T:
    """What is made of that number of tracks whose length comes nearest to `wanted` seconds, from a first guess on."""
    count = min(max(first, 1), most)
    best: tuple[float, T] | None = None
    tried: set[int] = set()
    while count not in tried and len(tried) < TRIES:
        tried.add(count)
        made = make(count)
        total = seconds(made)
        if best is None or abs(total - wanted) < best[0]:
            best = (abs(total - wanted), made)
        mean = total / count if total else wanted
        count = min(max(count + round((wanted - total) / mean), 1), most)
    assert best is not None
    return best[1]
