"""Which tracks are one song: one recording in several files, or several versions of it, as live and remastered ones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sonovec.library import versions
from sonovec.library.records import Track
from sonovec.vectors import similarity

#: Tracks of one artist and title are one song if their vectors are this alike: "Intro" may be the title of many.
ALIKE = 0.6
#: Vectors that are more alike than this are of one recording, or nobody hears the difference.
EQUAL = 0.9995
_MARKS = (
    "acoustic|alternate|anniversary|bonus|clean|demo|deluxe|edit|edition|explicit|extended|feat|featuring|ft|instrumental|"
    "karaoke|live|mix|mono|original|outtake|radio|re-?master(?:ed)?|re-?mix|reprise|session|single|stereo|studio|take|"
    "unplugged|version"
)
#: A part in brackets, or behind a dash at the end, that names a version.
_BRACKETS = re.compile(rf"[(\[{{][^)\]}}]*\b(?:{_MARKS})\b[^)\]}}]*[)\]}}]")
_TAIL = re.compile(rf"\s[-–—/|:]\s[^-–—]*\b(?:{_MARKS})\b.*$")
_GUEST = re.compile(r"\s(?:feat|featuring|ft)\b\.?.*$")


def song_title(title: str) -> str:
    """A title without what tells versions of a song apart, in small letters without accents and punctuation.

    Examples
    --------
    >>> song_title("Heroes - 2017 Remaster"), song_title("Héroes (Live at Earls Court)"), song_title("Live and Let Die")
    ('heroes', 'heroes', 'live and let die')
    """
    text = _plain(title)
    for pattern in (_BRACKETS, _TAIL, _GUEST):
        text = pattern.sub(" ", text)
    return _words(text) or _words(_plain(title))


def maker(fields: Mapping[str, Any]) -> str | None:
    """The artist of a track, so that spellings count as one; None where none is known.

    Examples
    --------
    >>> maker({"artist": "Beyoncé feat. Jay-Z"}), maker({"artist": "BEYONCE"}), maker({"artist": None})
    ('beyonce', 'beyonce', None)
    """
    artist = fields.get("artist")
    if not isinstance(artist, str):
        return None
    return _words(_GUEST.sub(" ", _plain(artist))) or None


def songs(tracks: Sequence[Track]) -> list[list[int]]:
    """Groups of tracks that are one song.

    Parameters
    ----------
    tracks : sequence of Track
        With vectors, in order: each group is known by its first.

    Returns
    -------
    list of list of int
        Places, in order.
    """
    parents = list(range(len(tracks)))

    def root(place: int) -> int:
        while parents[place] != place:
            place = parents[place]
        return place

    def join(one: int, other: int) -> None:
        first, second = sorted((root(one), root(other)))
        parents[second] = first

    for group in versions.fold(tracks):
        for place in group[1:]:
            join(group[0], place)
    for one, other in _alike(tracks):
        join(one, other)
    groups: dict[int, list[int]] = {}
    for place in range(len(tracks)):
        groups.setdefault(root(place), []).append(place)
    return list(groups.values())


def _alike(tracks: Sequence[Track]) -> list[tuple[int, int]]:
    if len(tracks) < 2:
        return []
    similar = similarity(*[np.stack([track.vector for track in tracks])] * 2)
    names = [_song(track) for track in tracks]
    pairs = zip(*np.nonzero(np.triu(similar >= ALIKE, 1)), strict=True)
    return [
        (int(one), int(other))
        for one, other in pairs
        if (similar[one, other] >= EQUAL and _lengths_agree(tracks[one], tracks[other]))
        or (names[one] is not None and names[one] == names[other])
    ]


def _lengths_agree(one: Track, other: Track) -> bool:
    """Two steady noises have vectors that are as equal, but hardly the same length."""
    first, second = (track.fields.get("duration") for track in (one, other))
    return isinstance(first, float) and isinstance(second, float) and abs(first - second) <= 0.01 * max(first, second)


def _song(track: Track) -> tuple[str, str] | None:
    title, artist = track.fields.get("title"), maker(track.fields)
    return (artist, song_title(title)) if artist and isinstance(title, str) and title.strip() else None


def _plain(text: str) -> str:
    parted = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in parted if not unicodedata.combining(character))


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))
