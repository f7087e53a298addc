"""Loops and parts of tracks that fit to a sound: in tempo and key, by whole bars, with what they need to fit."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sonovec.brief import shortened
from sonovec.errors import LibraryError, UsageError
from sonovec.library.backend import USUAL
from sonovec.library.filters import And, Compare, Filter, Or, all_of
from sonovec.library.playlist.seeds import heard_now
from sonovec.library.playlist.sieve import Sieve
from sonovec.library.playlist.songs import Song
from sonovec.library.queries import Asked, Queries, expanded
from sonovec.library.records import Value, title_of
from sonovec.library.search import Hit, Query, search
from sonovec.library.store import MOST_ROWS, row_count
from sonovec.music import columns, keys
from sonovec.music.fitting import OCTAVES, Stretch, bar_range, seconds_in, stretch, transposition, whole_beats
from sonovec.music.keys import Key
from sonovec.music.settled import settled_key, settled_tempo
from sonovec.music.tempi import FASTEST, SLOWEST
from sonovec.paths import display, from_text

BEATS_IN_BAR = 4
#: What is stretched more than this is another sound.
MOST_STRETCH, MOST_TRANSPOSE = 50.0, 6
#: Tracks that are looked at for each loop that is wanted, and at least so many.
SPARE, LEAST = 10, 200
ORDERS = ("score", "fit")


@dataclass(frozen=True)
class LoopWish:
    """See `sonovec.Library.loops`."""

    start: float = 0.0
    end: float | None = None
    bars: int | None = None
    tempo: float | None = None
    key: str | None = None
    max_stretch: float = 6.0
    max_transpose: int = 2
    order: str = "score"
    prefer: str = "heard"
    limit: int = 20
    include_self: bool = False

    def __post_init__(self) -> None:
        row_count("limit", self.limit)
        if self.order not in ORDERS:
            raise UsageError(f"order={self.order!r} is unknown; give one of: {', '.join(ORDERS)}")
        if not (math.isfinite(self.max_stretch) and 0 <= self.max_stretch <= MOST_STRETCH):
            raise UsageError(f"max_stretch={self.max_stretch}: give percent from 0 to {MOST_STRETCH:g}, such as 6")
        if not 0 <= self.max_transpose <= MOST_TRANSPOSE:
            raise UsageError(
                f"max_transpose={self.max_transpose}: give semitones from 0 to {MOST_TRANSPOSE}, such as 2"
            )
        if self.bars is not None and self.bars < 1:
            raise UsageError(f"bars={self.bars}: give a number of bars from 1 on, such as bars=8")
        if self.tempo is not None and not SLOWEST <= self.tempo <= FASTEST:
            raise UsageError(f"tempo={self.tempo}: give beats a minute from {SLOWEST:.0f} to {FASTEST:.0f}")
        if self.key is not None:
            keys.parse(self.key)


@dataclass(frozen=True, repr=False)
class Loop:
    """A loop, or a part of a track, that fits.

    Attributes
    ----------
    id, path : str
        The track, as in a `Hit`.
    start, end : float
        Seconds of the track to take.
    bars : float or None
        How many bars of four beats they are, where they begin and end with beats; None where that is not known.
    score : float
        Cosine similarity of the sound with the query.
    tempo : float
        Of the loop, in beats a minute.
    stretch : float
        Percent by which it is played faster (or, negative, slower).
    ratio : float
        What its tempo then is of the query's: 1, 0.5 or 2.
    key : Key or None
    transpose : int or None
        Semitones by which it is moved; None where it has no key, or the query has none.
    fields : mapping
        Everything else that is stored with the track.
    """

    id: str
    path: str
    start: float
    end: float
    bars: float | None
    score: float
    tempo: float
    stretch: float
    ratio: float
    key: Key | None
    transpose: int | None
    fields: Mapping[str, Value] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Loop({self.score:.3f}, {shortened(display(self.path))}, {self.tempo:g} BPM {self.stretch:+.1f} %)"

    def to_json(self) -> dict[str, Any]:
        """All of it but `fields`, with artist and title, as JSON values."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("fields", "key")}
        camelot = None if self.key is None else self.key.camelot
        key = None if self.key is None else str(self.key)
        named = {"title": title_of(self.path, self.fields), "artist": self.fields.get("artist")}
        return {**own, "key": key, "camelot": camelot, **named}


@dataclass(frozen=True, repr=False)
class LoopSearch:
    """What a search for loops found.

    Attributes
    ----------
    hits : list of Loop
    tempo : float
        What they fit, in beats a minute.
    key : Key or None
        The key that they mix with, if one is known.
    reason : str or None
        Why there are none, where there are none.
    notes : tuple of str
        What there is to know of the answer.
    """

    hits: list[Loop]
    tempo: float
    key: Key | None
    reason: str | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Loop]:
        return iter(self.hits)

    def __repr__(self) -> str:
        fitting = f"{self.tempo:g} BPM, {self.key or 'any key'}"
        return f"LoopSearch({len(self.hits)} loops for {fitting})" if self.hits else f"LoopSearch(none: {self.reason})"

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "tempo": self.tempo,
            "key": None if self.key is None else str(self.key),
            "camelot": None if self.key is None else self.key.camelot,
            "reason": self.reason,
            "notes": list(self.notes),
            "hits": [loop.to_json() for loop in self.hits],
        }


def find_loops(
    queries: Queries,
    asked: Asked,
    wish: LoopWish,
    where: Filter | None,
    text: str | None,
    shown: Callable[[str, str], str],
    index: str,
) -> LoopSearch:
    """Find loops; see `sonovec.Library.loops`. `index` is the command that hears the music of the library's tracks."""
    store = queries.store
    declared = store.columns()
    tempos = [name for name in (columns.TEMPO, columns.FILE_TEMPO) if name in declared]
    if not tempos:
        raise LibraryError(
            f"the library knows no tempo of its tracks (there is no column {columns.TEMPO!r}); to hear it: {index}"
        )
    query = queries.query(asked, wish.start, wish.end)
    fields = _fields(queries, asked, query, wish)
    tempo = _tempo(wish, query, fields)
    key = keys.parse(wish.key) if wish.key else settled_key(fields, wish.prefer)
    bars = wish.bars or _bars_of_part(wish, tempo)
    within = all_of(where, _near(tempos, tempo, wish.max_stretch))
    limit = max(LEAST, SPARE * wish.limit)
    while True:
        hits = search(store, query, limit, within, _level(queries), queries.space.name, USUAL, wish.include_self)
        sieve = Sieve(store.count()[0])
        if where is not None:
            sieve.left(f"match the filter {text!r}", len(store.ids(where)))
        found = _fitting(hits, query, tempo, key, bars, wish, sieve)
        if len(found) >= wish.limit or len(hits) < limit or limit == MOST_ROWS:
            break
        limit = min(4 * limit, MOST_ROWS)
    found.sort(key=_rank(wish.order))
    found = [replace(each, path=shown(each.id, each.path)) for each in found[: wish.limit]]
    notes = query.notes if key is not None else (*query.notes, "no key of the query is known, so keys do not matter")
    return LoopSearch(found, round(tempo, 2), key, None if found else sieve.reason, notes)


def _level(queries: Queries) -> str:
    return "track" if queries.space.level == "track" else "segment"


def _rank(order: str) -> Callable[[Loop], tuple[object, ...]]:
    if order == "score":
        return lambda loop: (-loop.score, loop.path)
    return lambda loop: (abs(loop.transpose or 0), abs(loop.stretch), loop.ratio != 1.0, -loop.score, loop.path)


def _fields(queries: Queries, asked: Asked, query: Query, wish: LoopWish) -> Mapping[str, Value]:
    """What is known of the query's music: by the library, or by hearing it now where it is needed."""
    track = None if query.track is None else queries.store.get([query.track]).get(query.track)
    if track is not None:
        return track.fields
    is_told = (wish.tempo is not None or wish.bars is not None) and wish.key is not None
    if query.track is None or is_told or not isinstance(asked, str | os.PathLike):
        return {}
    return heard_now(queries, expanded(from_text(os.fspath(asked))), wish.start, wish.end)


def _tempo(wish: LoopWish, query: Query, fields: Mapping[str, Value]) -> float:
    """The tempo of the query."""
    if wish.tempo is not None:
        return wish.tempo
    if wish.bars is not None:
        end = wish.end if wish.end is not None else (None if query.times is None else float(query.times.max()))
        if end is None:
            raise UsageError(
                f"bars={wish.bars}: a vector has no seconds, so its bars tell no tempo; give the tempo too"
            )
        tempo = 60 * BEATS_IN_BAR * wish.bars / (end - wish.start)
        if not SLOWEST <= tempo <= FASTEST:
            raise UsageError(
                f"bars={wish.bars}: in {end - wish.start:g} s that is {tempo:.0f} beats a minute, which no music has; give "
                "the start and end of these bars"
            )
        return tempo
    known = settled_tempo(fields, wish.prefer)
    if known is None:
        raise UsageError(
            "the tempo of the query is not known; give it, such as --tempo 120, or the number of its bars, such as --bars 8"
        )
    return known


def _near(names: Sequence[str], tempo: float, percent: float) -> Filter:
    """Tracks of which any tempo may be near enough; which of them counts is seen later."""
    ranges = [(ratio * tempo / (1 + percent / 100), ratio * tempo / (1 - percent / 100)) for ratio in OCTAVES]
    slack = 1e-6  # of rounding
    return Or(
        tuple(
            And((Compare(name, ">=", low * (1 - slack)), Compare(name, "<=", high * (1 + slack))))
            for name in names
            for low, high in ranges
        )
    )


def _fitting(
    hits: Sequence[Hit], query: Query, tempo: float, key: Key | None, bars: int | None, wish: LoopWish, sieve: Sieve
) -> list[Loop]:
    """The hits that fit, in tempo and key, cut to so many bars of the query where that can be done."""
    songs = [(hit, Song.of_fields(hit.id, hit.path, hit.fields, query.vector, wish.prefer)) for hit in hits]
    stretched = [(hit, song, stretch(song.tempo, tempo)) for hit, song in songs if song.tempo is not None]
    in_tempo = [each for each in stretched if abs(each[2].percent) <= wish.max_stretch + 1e-6]
    sieve.left(f"come to {tempo:.4g} beats a minute, half or double, by {wish.max_stretch:g} % or less", len(in_tempo))
    found = [_loop(*each, key, bars) for each in in_tempo]
    if key is not None:
        found = [loop for loop in found if abs(loop.transpose or 0) <= wish.max_transpose]
        sieve.left(f"mix with {key} ({key.camelot}), moved by {wish.max_transpose} semitones or less", len(found))
    if wish.bars is not None:
        found = [loop for loop in found if loop.bars is not None and _has(loop, wish.bars)]
        sieve.left(f"have {wish.bars} whole bars", len(found))
    return found


def _has(loop: Loop, bars: int) -> bool:
    """Whether a loop fills so many bars of the query, or goes into them without a rest."""
    assert loop.bars is not None
    filled = loop.bars / loop.ratio
    return filled > 0 and abs(bars / filled - round(bars / filled)) < 1e-6


def _loop(hit: Hit, song: Song, how: Stretch, key: Key | None, wanted: int | None) -> Loop:
    assert song.tempo is not None
    start, end, bars = _bars(hit, song, how, wanted)
    transpose = None if key is None or song.key is None else transposition(song.key, key)
    fields = {name: value for name, value in hit.fields.items() if name not in (columns.BEATS, columns.CHROMA)}
    # Zero is added, so that it is never a negative one.
    told = (song.tempo, round(how.percent, 2) + 0.0, how.ratio, song.key, transpose, fields)
    return Loop(hit.id, hit.path, round(start, 3), round(end, 3), bars, hit.score, *told)


def _bars_of_part(wish: LoopWish, tempo: float) -> int | None:
    """How many whole bars the part is that is asked for; None for a whole sound, and for less than one."""
    return None if wish.end is None else round((wish.end - wish.start) * tempo / 60 / BEATS_IN_BAR) or None


def _bars(hit: Hit, song: Song, how: Stretch, asked: int | None) -> tuple[float, float, float | None]:
    """Which seconds of a hit to take, and how many bars they are: whole bars by its downbeats, or all of a loop."""
    assert song.tempo is not None
    downbeats = seconds_in(song.fields.get(columns.DOWNBEATS))
    if asked is not None and len(downbeats) > (wanted := max(1, round(asked * how.ratio))):
        first = min(range(len(downbeats) - wanted), key=lambda n: (abs(downbeats[n] - hit.start), n))
        return downbeats[first], downbeats[first + wanted], float(wanted)
    beats = whole_beats(song.seconds, song.tempo)
    # A loop begins and ends with its bars, whatever is heard as the first beat of one in the middle of it.
    is_loop = hit.end - hit.start > 0.99 * song.seconds and beats is not None and beats % BEATS_IN_BAR == 0
    if not is_loop and (found := bar_range(downbeats, hit.start, hit.end)) is not None:
        return found[0], found[1], float(found[2])
    if beats is not None:
        return 0.0, song.seconds, beats / BEATS_IN_BAR
    return hit.start, hit.end, None
