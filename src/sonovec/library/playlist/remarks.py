"""What there is to say of a playlist: why it is shorter than asked for, or empty, and what could not be followed."""

from __future__ import annotations

from collections.abc import Sequence

from sonovec.library.playlist.arcs import Arc
from sonovec.library.playlist.choosing import Choice
from sonovec.library.playlist.lengths import OVER
from sonovec.library.playlist.songs import Song
from sonovec.paths import display, from_text

#: A point of an arc that lies outside what the tracks have by less than this share is reached.
REACHED = 0.05


def why_none(choice: Choice) -> str:
    """Why there is no list at all."""
    reason = choice.found.sieve.reason
    if choice.last is None or not choice.found.songs:
        return reason
    if choice.wish.harmonic:
        return f"no way from the first track to the last goes from key to compatible key all along; {reason}"
    return f"no way of that length leads from the first track to the last; {reason}"


def remarks(choice: Choice, songs: Sequence[Song], index: str) -> list[str]:
    """What there is to know of a list; `index` is the command that hears the music of the library's tracks."""
    wish, total = choice.wish, choice.total(songs)
    said = []
    if wish.minutes is not None and 60 * wish.minutes - total > max(min(map(choice.seconds, songs)), OVER):
        said.append(f"{total / 60:.1f} minutes instead of {wish.minutes:g}: {_why_short(choice, songs)}")
    if wish.limit is not None and len(songs) < wish.limit and not wish.grow:
        said.append(f"{len(songs)} tracks instead of {wish.limit}: {_why_short(choice, songs)}")
    if not any(song.tempo is not None or song.key is not None for song in songs):
        said.append(f"no tempo and no key is known, so the order is by sound alone; to hear them: {index}")
    listed = {song.id for song in songs}
    missing = [display(from_text(seed.path)) for seed in choice.own if seed.id not in listed]
    said += [f"{name}: is not in the list; what was asked for has no place for it" for name in missing]
    return said if wish.arc is None else [*said, *_off_the_arc(wish.arc, songs)]


def _why_short(choice: Choice, songs: Sequence[Song]) -> str:
    reason, last = choice.found.sieve.reason, songs[-1]
    there = len(choice.found.songs) + len(choice.own) > len(songs)
    if there and choice.wish.harmonic and last.key is not None:
        return f"no other track mixes with {last.key} ({last.key.camelot}), the key of the last; {reason}"
    if there and choice.wish.artist_limit is not None:
        return f"at most {choice.wish.artist_limit} of each artist; {reason}"
    return reason


def _off_the_arc(arc: Arc, songs: Sequence[Song]) -> list[str]:
    """A line where an arc asks for what no track of the list has."""
    numbers = [number for song in songs if (number := song.number(arc.column)) is not None]
    if arc.relative or not numbers:
        return []
    low, high = min(numbers), max(numbers)
    reach = REACHED * max(abs(low), abs(high))
    outside = [point for point in arc.points if not low - reach <= point <= high + reach]
    told = f"the tracks of the list have {low:g} to {high:g}"
    return [f"the arc asks for {arc.column} {outside[0]:g}, and {told}"] if outside else []
