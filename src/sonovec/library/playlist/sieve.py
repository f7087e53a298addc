"""Conditions one after the other; where none is left, the one that left nothing is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sonovec.library.playlist.songs import Song


class Sieve:
    """Takes out what does not meet conditions, and counts.

    Examples
    --------
    >>> sieve = Sieve(7)
    >>> sieve.left("match the filter 'year > 2000'", 3)
    >>> sieve.reason
    "of 7 tracks 3 match the filter 'year > 2000'"
    >>> sieve.left("have a key", 0)
    >>> sieve.reason
    "of 7 tracks 3 match the filter 'year > 2000'; of these none have a key"
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._told: list[tuple[str, int]] = []

    def left(self, what: str, count: int) -> None:
        """So many were left by a condition, which is said in a way that goes on behind "5 tracks"."""
        self._told.append((what, count))

    def keep(self, songs: Iterable[Song], test: Callable[[Song], object], what: str) -> list[Song]:
        """The songs that pass a test."""
        kept = [song for song in songs if test(song)]
        self.left(what, len(kept))
        return kept

    @property
    def reason(self) -> str:
        """What each condition left that took something out, up to the first that left nothing."""
        if not self._total:
            return "the library is empty"
        lines: list[str] = []
        before = self._total
        for what, count in self._told:
            if count < before or not count:  # what took nothing out is no reason
                lines.append(f"{'of these ' if lines else ''}{count or 'none'} {what}")
            if not count:
                break
            before = count
        return f"of {self._total} tracks {'; '.join(lines)}" if lines else f"the library has {self._total} tracks"
